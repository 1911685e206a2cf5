//! drave: a Raft-replicated, consistent log store with LogQL and SQL.
//!
//! Floors, from the ground up (a module imports only from lower ones; ARCHITECTURE.md says why):
//! nouns ([`model`], [`telemetry`], [`pool`], [`task`]), pure parts ([`chunk`], [`logql`], [`shard`]), the
//! two outsides ([`cluster`], [`objects`]), taking in, taking care and giving out ([`ingest`],
//! [`lifecycle`], [`scan`]), languages ([`query`]), words of the outside ([`http`], [`cli`]), and
//! the whole ([`config`], [`server`]).

pub mod chunk;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod http;
pub mod ingest;
pub mod lifecycle;
pub mod logql;
pub mod model;
pub mod objects;
pub mod pool;
pub mod query;
pub mod scan;
pub mod server;
pub mod shard;
pub mod task;
pub mod telemetry;
