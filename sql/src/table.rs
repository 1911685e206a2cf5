//! What SQL reads: a server-wide `Source` that opens, per statement, a consistent `Table`.
//!
//! A table is a set of rows that fall into groups: rows of one group agree on all key columns. The
//! key columns of all groups fit into one small batch, which makes predicates on them cheap: they
//! are evaluated once per group and never per row.
//!
//! - A `Table` is an immutable snapshot: two scans of it see the same rows.
//! - `Source::open` is called after the statement arrived, once per execution and only if the
//!   statement names the table, so what it returns decides how fresh an answer is.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use futures::stream::BoxStream;

/// The rows of one scan, in batches.
pub type BatchStream = BoxStream<'static, Result<RecordBatch, SourceError>>;

/// Where the rows come from: one per server.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// The tenant a connection belongs to, from the user and the database it asked for.
    fn tenant(&self, user: &str, database: &str) -> Result<String, SourceError>;

    /// The name of the table every tenant has.
    fn table_name(&self) -> &str;

    /// Opens a snapshot of the tenant's table. Runs on the runtime that called `serve`.
    async fn open(&self, tenant: &str) -> Result<Arc<dyn Table>, SourceError>;

    /// The same for a connection that has set how it reads.
    async fn open_as(
        &self,
        tenant: &str,
        _reading: &Reading,
    ) -> Result<Arc<dyn Table>, SourceError> {
        self.open(tenant).await
    }

    /// The columns that rows to store must come with, where a statement names these: times as
    /// `Timestamp(Nanosecond, UTC)`, the rest as `Utf8`.
    fn target(&self, columns: &[String]) -> Result<SchemaRef, SourceError>;

    /// Stores rows of a `target`: all are durable and seen by every later statement when this
    /// returns. Runs on the runtime that called `serve`.
    async fn append(&self, tenant: &str, rows: RecordBatch) -> Result<(), SourceError>;

    /// The name of a schema of tables about the data and the server.
    fn system_schema(&self) -> &str;

    /// Those tables, with their columns.
    fn system_tables(&self) -> Vec<(&'static str, SchemaRef)>;

    /// The rows of one of them, as far as they are the tenant's. Runs on the runtime that called
    /// `serve`.
    async fn system_table(&self, tenant: &str, name: &str) -> Result<RecordBatch, SourceError>;

    /// What is said of a schema, of a table in it, or of a column of that.
    fn describe(
        &self,
        _schema: &str,
        _table: Option<&str>,
        _column: Option<&str>,
    ) -> Option<String> {
        None
    }

    /// The name of the table function that asks in the source's own language.
    fn function_name(&self) -> &str;

    /// Understands a question, without looking for its answer yet.
    fn ask(&self, question: Question) -> Result<Arc<dyn Answer>, SourceError>;
}

/// A question in the source's own language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The question.
    pub text: String,
    /// From when on.
    pub start: Option<Moment>,
    /// Up to when.
    pub end: Option<Moment>,
    /// From one answer to the next, in nanoseconds.
    pub step: Option<i64>,
}

/// A time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// In nanoseconds since 1970.
    At(i64),
    /// So many nanoseconds before the statement runs.
    Ago(i64),
}

/// A question that was understood.
#[async_trait]
pub trait Answer: Send + Sync {
    /// The columns of the answer.
    fn schema(&self) -> SchemaRef;

    /// The answer. Runs on the runtime that called `serve`.
    async fn rows(&self, tenant: &str) -> Result<RecordBatch, SourceError>;
}

/// How a connection reads: what it has set of `drave.*`, checked by the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// `drave.consistency`: one of `linearizable`, `session`, `stale`.
    pub consistency: String,
    /// `drave.token`: what a session has seen.
    pub token: String,
    /// `drave.max_staleness`: how old what is read may be.
    pub max_staleness: Duration,
    /// `drave.allow_partial`: whether what cannot be read is left out.
    pub allow_partial: bool,
}

impl Default for Reading {
    fn default() -> Reading {
        Reading {
            consistency: "linearizable".into(),
            token: String::new(),
            max_staleness: Duration::from_secs(10),
            allow_partial: false,
        }
    }
}

/// Something that a client is told of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// It is less than what was asked for. A WARNING (01000).
    Partial(String),
    /// It is what was asked for. A NOTICE (00000).
    Told(String),
}

/// A consistent snapshot of one tenant's table.
pub trait Table: Send + Sync {
    /// All columns.
    fn schema(&self) -> SchemaRef;

    /// The columns that are constant within a group, as indices into `schema`.
    fn key_columns(&self) -> &[usize];

    /// The column of type `Timestamp(Nanosecond, UTC)` without nulls, as an index into `schema`.
    fn time_column(&self) -> usize;

    /// The string column without nulls that text filters look at, as an index into `schema`.
    fn text_column(&self) -> usize;

    /// One row per group with the key columns only, in the order of `key_columns`.
    fn groups(&self) -> RecordBatch;

    /// What is to be told of all that was read so far.
    fn notices(&self) -> Vec<Notice> {
        Vec::new()
    }

    /// The columns that cells may be told apart by, beside the key columns, as indices into
    /// `schema`.
    fn cell_columns(&self) -> &[usize] {
        &[]
    }

    /// The key column that rows of one time are ordered by, as an index into `schema`; those that agree
    /// on it are in the order in which scans return them. A scan in descending order returns the rows
    /// of one in ascending order from the end.
    fn tie_column(&self) -> Option<usize> {
        None
    }

    /// The column of JSON objects whose members, where they are texts, a scan can be asked for, as an
    /// index into `schema`.
    fn object_column(&self) -> Option<usize> {
        None
    }

    /// Bytes of the text column that scans have looked at so far.
    fn bytes(&self) -> u64 {
        0
    }

    /// Starts reading. Called and polled on the SQL runtime, which has timers and I/O.
    fn scan(&self, request: ScanRequest) -> Result<Scan, SourceError>;
}

/// A scan that runs.
pub struct Scan {
    /// Its rows, or cells.
    pub batches: BatchStream,
    /// What was read and left out so far, by name, for EXPLAIN ANALYZE.
    pub counts: Counts,
}

/// Says what was counted so far.
pub type Counts = Arc<dyn Fn() -> Vec<(&'static str, u64)> + Send + Sync>;

/// Which rows and columns of a table a statement needs.
///
/// Groups, time and text must be applied exactly: nothing filters for them afterwards.
#[derive(Clone, Debug, PartialEq)]
pub struct ScanRequest {
    /// Rows of `Table::groups` to read, ascending; `None` means all.
    pub groups: Option<Vec<u32>>,
    /// Times to read. An end of `i64::MAX` means no upper bound.
    pub time: Range<i64>,
    /// Conditions that all must hold for the text column.
    pub text: Vec<TextFilter>,
    /// Of each of these groups of names and values, the object column of every wanted row has one as
    /// a member. Rows without may be returned.
    pub members: Vec<Vec<(String, String)>>,
    /// Columns to return, in this order; empty if only the number of rows matters.
    pub projection: Vec<usize>,
    /// More rows than this will not be looked at. Returning more is allowed.
    pub limit: Option<usize>,
    /// `Some(true)`: rows must come in descending order of time, `Some(false)`: ascending. Only
    /// together with a limit.
    pub newest_first: Option<bool>,
    /// Cells are wanted instead of rows. The columns of `projection` are then key columns or cell
    /// columns, and after them come, of each cell, its first time, its last time and the number of
    /// its rows (`Int64`). Never together with a limit.
    pub cells: Option<Cells>,
}

/// Rows put together: those of a cell agree on the columns of the projection, and lie in one bin. A
/// cell may come in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cells {
    /// How time is cut; without it, all of time is one bin.
    pub bin: Option<Bin>,
    /// Whether first and last must be times of rows. Else it is enough that they lie in the bin.
    pub extremes: bool,
}

/// Time cut into pieces of one width, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bin {
    /// How long each is, at least 1.
    pub width: i64,
    /// Where one of them begins.
    pub origin: i64,
}

impl Bin {
    /// The number of the piece that a time lies in.
    pub fn of(self, at: i64) -> i64 {
        let distance = i128::from(at) - i128::from(self.origin);
        let piece = distance.div_euclid(i128::from(self.width));
        // Only pieces of one nanosecond could have more numbers than that; theirs stay apart, too.
        i64::try_from(piece).unwrap_or(if piece > 0 { i64::MAX } else { i64::MIN })
    }

    /// Pieces of which each lies within one piece of both.
    pub fn within(self, other: Bin) -> Bin {
        let apart = (i128::from(self.origin) - i128::from(other.origin)).unsigned_abs();
        let width = gcd(self.width.unsigned_abs(), other.width.unsigned_abs());
        let width = gcd(width, apart);
        Bin { width: i64::try_from(width).unwrap_or(1).max(1), origin: self.origin }
    }
}

fn gcd<T: Into<u128>>(a: T, b: T) -> u128 {
    let (mut a, mut b) = (a.into(), b.into());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// A condition on the text column, over its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TextFilter {
    /// The text contains this string.
    Contains(String),
    /// The text does not contain this string.
    NotContains(String),
    /// The regular expression finds something in the text.
    Matches(TextPattern),
    /// The regular expression finds nothing in the text.
    NotMatches(TextPattern),
}

/// A regular expression in the syntax of the `regex` crate; a point is any character, a newline,
/// too. It was compiled once, so it can be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TextPattern {
    /// The expression.
    pub regex: String,
    /// Whether upper and lower case are one.
    pub fold: bool,
}

impl std::fmt::Display for TextFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TextFilter::Contains(text) => write!(f, "contains {text:?}"),
            TextFilter::NotContains(text) => write!(f, "not contains {text:?}"),
            TextFilter::Matches(pattern) => write!(f, "matches {pattern}"),
            TextFilter::NotMatches(pattern) => write!(f, "not matches {pattern}"),
        }
    }
}

impl std::fmt::Display for TextPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}{}", self.regex, if self.fold { " in any case" } else { "" })
    }
}

/// Why a source cannot serve. The client sees the message and a SQLSTATE per variant.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SourceError {
    /// There is no such database (3D000).
    #[error("database \"{0}\" does not exist")]
    NoDatabase(String),
    /// The user may not do this (28000).
    #[error("{0}")]
    Denied(String),
    /// Not now, maybe later: no leader, shutting down (57P03).
    #[error("{0}")]
    Unavailable(String),
    /// A limit of the tenant or the node (53400).
    #[error("{0}")]
    Limit(String),
    /// The statement asks for what cannot be (22023).
    #[error("{0}")]
    Invalid(String),
    /// Rows that may not be stored, so none was (23514).
    #[error("{0}")]
    NotStored(String),
    /// Anything else: corruption, I/O (XX000).
    #[error("{0}")]
    Internal(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins() {
        let bin = |width, origin| Bin { width, origin };
        assert_eq!(bin(10, 3).of(3), 0);
        assert_eq!(bin(10, 3).of(2), -1);
        assert_eq!(bin(10, 3).of(12), 0);
        assert_eq!(bin(10, 3).of(i64::MIN), (i64::MIN / 10) - 2);
        // Pieces of 60 from 0 and of 45 from 30 have their borders among those of 15.
        let both = bin(60, 0).within(bin(45, 30));
        assert_eq!(both, bin(15, 0));
        assert_eq!(bin(60, 7).within(bin(60, 7)), bin(60, 7));
        assert_eq!(bin(60, i64::MIN).within(bin(60, i64::MAX)).width, 15);
        for at in -500..500 {
            let same = |bin: Bin| bin.of(at) == bin.of(at + 1);
            assert!(!same(both) || same(bin(60, 0)) && same(bin(45, 30)), "{at}");
        }
    }
}
