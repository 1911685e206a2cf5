//! SQL over Arrow batches, behind the Postgres wire protocol.
//!
//! In go sockets and a `Source` of tables; out come rows for Postgres clients. The crate knows
//! Arrow, SQL and Postgres, and nothing of what the rows are about.
//!
//! ```text
//! server -> session -> engine -> DataFusion -> scan -> Table
//!   |          |          |                      |
//! startup   statement   infer, encode, catalog pushdown
//! login     wire        shares
//! ```
//!
//! - It reads, and stores rows: nothing a client can say changes or deletes data, touches files
//!   of the server, or configures the engine.
//! - Statements are computed on threads of the engine, never on the caller's runtime.
//! - Memory, time, nesting, connections and message sizes are bounded before they are used.
//! - Every execution of a statement opens the table anew, after the statement has arrived.

mod activity;
mod age;
mod any;
mod arithmetic;
mod array_text;
mod bands;
mod bare;
mod by_rows;
mod cap;
mod casts;
mod catalog;
mod cells;
mod clock;
mod collected;
mod command;
mod copy;
mod cursor;
mod date_part;
mod dialect;
mod encode;
mod engine;
mod error;
mod explain;
mod expressions;
mod extended;
mod from_functions;
mod functions;
#[cfg(test)]
mod fuzz;
mod gapfill;
mod infer;
mod interval;
mod json;
mod json_build;
mod json_sets;
mod json_text;
mod lateral;
mod lines;
mod load;
mod local;
mod login;
mod members;
mod number_text;
mod operators;
mod order;
mod ordered;
mod ordinals;
mod params;
mod plain;
mod pushdown;
mod regex;
mod rewrite;
mod scan;
mod scram;
mod server;
mod session;
mod sets;
mod settings;
mod shares;
mod signal;
mod span_extremes;
mod spans;
mod split;
mod startup;
mod statement;
mod sums;
mod system;
mod table;
mod throttle;
mod time;
mod tls;
mod told_apart;
mod type_of;
mod users;
mod whole_rows;
mod wire;

pub use activity::{Activity, Cost, Seen, State};
/// For whoever implements [`Source`].
pub use async_trait::async_trait;
pub use error::Error;
pub use json_text::json_column;
pub use scram::Verifier;
pub use server::{Access, Options, serve};
pub use table::{
    Answer, BatchStream, Bin, Cells, Counts, Moment, Notice, Question, Reading, Scan, ScanRequest,
    Source, SourceError, Table, TextFilter, TextPattern,
};
pub use tls::{Tls, TlsError};
pub use users::{Databases, User, Users};
