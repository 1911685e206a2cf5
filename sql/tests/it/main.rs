//! The SQL server as its clients see it: one binary, a real client, a table in memory.

// Helpers fail as loudly as tests do, and limits on time are tested with a clock.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout)]

mod commands;
mod explain;
mod extended;
mod golden;
mod hostile;
mod login;
mod memory;
mod order;
mod session;
mod shares;
mod signals;
mod silent;
mod slt;
mod sql;
