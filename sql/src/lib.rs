//! SQL over Arrow batches, behind the Postgres wire protocol.
//!
//! In go sockets and a `Source` of tables; out come rows for Postgres clients. The crate knows
//! Arrow, SQL and Postgres, and nothing of what the rows are about.
//!
//! ```text
//! server -> session -> engine -> DataFusion -> scan -> Table
//!   |          |          |                      |
//! wire      statement   infer, encode, catalog pushdown
//! ```
//!
//! - It reads, and stores rows: nothing a client can say changes or deletes data, touches files
//!   of the server, or configures the engine.
//! - Statements are computed on threads of the engine, never on the caller's runtime.
//! - Memory, time, nesting, connections and message sizes are bounded before they are used.
//! - Every execution of a statement opens the table anew, after the statement has arrived.

mod arithmetic;
mod cap;
mod catalog;
mod clock;
mod command;
mod copy;
mod cursor;
mod date_part;
mod dialect;
mod encode;
mod engine;
mod error;
mod extended;
mod functions;
mod infer;
mod lines;
mod load;
mod local;
mod operators;
mod order;
mod params;
mod pushdown;
mod rewrite;
mod scan;
mod server;
mod session;
mod settings;
mod split;
mod statement;
mod system;
mod table;
mod time;
mod wire;

/// For whoever implements [`Source`].
pub use async_trait::async_trait;
pub use error::Error;
pub use server::{Options, serve};
pub use table::{
    Answer, BatchStream, Moment, Notice, Question, Reading, ScanRequest, Source, SourceError,
    Table, TextFilter,
};
