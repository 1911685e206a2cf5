//! Languages onto the scan: LogQL and SQL ask the same rows.
//!
//! [`logs`] answers log queries, [`metric`] answers queries for numbers, [`volume`] says how much
//! there is, [`detected`] and [`patterns`] what one could ask next, [`sql`] is the table that the
//! SQL front end reads; [`remote`] answers other nodes that do the same. All go through [`crate::scan`], so a row is there for all or for none.

pub mod detected;
pub mod gate;
pub mod logs;
pub mod metric;
pub mod pages;
pub mod patterns;
pub mod remote;
pub mod sql;
pub mod tail;
pub mod volume;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::logql;
use crate::logql::pipeline::{LineFilters, Pipeline};
use crate::scan::{self, Needles};

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The query is wrong, or asks for more than its tenant may: the user can change it.
    #[error("{0}")]
    BadQuery(String),
    /// Series of a binary operator do not find each other.
    #[error("{0}")]
    Matching(String),
    /// One query may not hold so much: the user can ask for less.
    #[error(
        "the query needs more than {} MiB for {what}: \
         narrow the selector or the time range, lower the limit, or aggregate",
        bytes_max >> 20
    )]
    TooLarge {
        /// What it would hold.
        what: &'static str,
        /// How much of that it may.
        bytes_max: usize,
    },
    /// Other queries hold the memory that it needs.
    #[error("the node's memory for queries is in use: ask again later, or raise memory.queries")]
    NoMemory,
    /// The data cannot be read now.
    #[error(transparent)]
    Scan(scan::Error),
}

impl From<scan::Error> for Error {
    fn from(error: scan::Error) -> Error {
        match error {
            scan::Error::Bad(message) => Error::BadQuery(message),
            error => Error::Scan(error),
        }
    }
}

impl From<scan::Full> for Error {
    fn from(_: scan::Full) -> Error {
        Error::NoMemory
    }
}

impl From<logql::Error> for Error {
    fn from(error: logql::Error) -> Error {
        Error::BadQuery(error.to_string())
    }
}

/// Partial results of a scan that may wait to be joined: enough that tasks do not wait, few
/// enough that they stay small beside what the tasks themselves hold.
const PARTIALS_MAX: usize = 4;

/// What lines that pass the filters contain.
fn needles(filters: &LineFilters) -> Needles {
    let mut needles = Needles::default();
    for texts in filters.required() {
        needles.add(texts.iter().map(String::as_bytes));
    }
    needles
}

/// What entries that a pipeline keeps contain, in their lines and in their metadata.
fn needles_of(pipeline: &Pipeline) -> Needles {
    let mut needles = needles(pipeline.line_filters());
    for group in pipeline.given() {
        needles.add_values(group.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    }
    needles
}

/// Lets pipelines that still run on the pool break off when whoever waits for them goes.
struct StopsWhenDropped(Arc<AtomicBool>);

impl Drop for StopsWhenDropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
