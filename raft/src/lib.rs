//! Replicated ordered bytes: Raft groups over one log file, with group commit.
//!
//! In go commands (opaque bytes) for a group; out come the same commands, in one order, on every
//! replica, to the group's [`Machine`]. This crate knows nothing of what the bytes mean. Only this
//! crate names openraft's generics, and only `disk/` touches redb.
//!
//! ```text
//! Group::propose -> openraft core -> log::GroupLog::append -> lane (one thread, one fsync for all)
//!                        |                                        |
//!                        |<------------ durable here -------------'
//!                        v
//!                  apply::Applier -> Machine::apply -> reply
//!                        |
//!                        '-> keeper (one thread): rows + applied + floor, each second -> state.redb
//!                                 '-> durable floor -> snapshot -> purge of log.redb
//! ```
//!
//! Invariants:
//! - A command is acknowledged only after the commit that holds it returned from fsync.
//! - `purged < durable floor <= floor <= applied + 1`, and `applied <= committed <= last`.
//! - `state.redb` never runs ahead of `log.redb`: what it calls applied is durable in the log.
//! - Every value read back is checked against its own CRC32C; a bad one is an error, never served.
//! - After a failed commit nothing is written any more, and the node says why.
//!
//! For now every group has one voter: the peers, their wire and its service come with the cluster.

mod apply;
mod disk;
mod error;
mod group;
mod health;
mod keeper;
mod lane;
mod log;
mod machine;
mod network;
mod node;
mod reader;
mod snapshot;
#[cfg(test)]
mod tests;
mod types;

pub use crate::error::{Error, ProposeError, ReadError};
pub use crate::group::{Group, GroupStatus};
pub use crate::lane::LaneStats;
pub use crate::machine::{Applied, Machine, Recovered, RowChange};
pub use crate::node::{COMMAND_BYTES_MAX, FORMAT_VERSION, Identity, Node, Options};
