//! The words a user types at a running server: `ingest`, `query`, `sql`, `demo`,
//! and `dev`.
//!
//! One file (or directory) per subcommand, each with an `Args` and a `run`. They speak HTTP and
//! Postgres like any other client and know nothing of what is behind the sockets. Answers go to
//! stdout, everything else to stderr. An error is what makes the exit code 1: something failed, or
//! was refused.

pub mod address;
pub mod cert;
pub mod cluster;
pub mod demo;
pub mod dev;
pub mod ingest;
pub mod query;
mod secure;
pub mod sql;
mod table;
#[cfg(test)]
mod tests;
pub mod user;
