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
//! A group has a replica on each of its members. [`Peers`] knows where those are, [`Node::service`]
//! is what they call:
//!
//! ```text
//! leader                                                          follower
//! network::Link -- entries: a stream per group, bytes bounded --> service -> replica -> core
//!     beats     -- heartbeats of all groups: one stream --------> service
//!     snapshot  -- rows in chunks, where the log is purged -----> service -> apply
//! forward       <- proposals and read indexes of anybody -------- Group::propose, ::read_index
//! ```

mod apply;
mod beats;
mod confirm;
mod disk;
mod error;
mod forward;
mod gather;
mod group;
mod health;
mod incoming;
mod keeper;
mod lane;
mod log;
mod machine;
mod members;
mod network;
mod node;
mod open;
mod pace;
mod peers;
mod reader;
mod replica;
mod service;
mod snapshot;
#[cfg(test)]
mod tests;
mod tls;
mod types;
mod wire;

pub use crate::error::{Error, MemberError, ProposeError, ReadError};
pub use crate::group::{Group, GroupStatus};
pub use crate::incoming::peer_incoming;
pub use crate::lane::LaneStats;
pub use crate::machine::{Applied, Machine, Recovered, RowChange};
pub use crate::node::{Admit, COMMAND_BYTES_MAX, FORMAT_VERSION, Identity, Node, Options, Origin};
pub use crate::open::{Founder, Start};
pub use crate::peers::{PeerStats, Peers, connect, peer_server};
pub use crate::replica::Doubt;
pub use crate::service::Service;
pub use crate::tls::{ANY_NODE_NAME, Caller, PeerStream, Tls, TlsError, TlsOptions, node_name};
pub use crate::wire::WIRE_VERSION;
