//! The SQL server as its clients see it: one binary, a real client, a table in memory.

mod explain;
mod extended;
mod hostile;
mod memory;
mod session;
mod sql;
