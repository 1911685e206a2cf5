//! Languages onto the scan: LogQL and SQL ask the same rows.
//!
//! [`logs`] answers log queries, [`metric`] answers queries for numbers, [`volume`] says how much
//! there is, [`detected`] and [`patterns`] what one could ask next, [`sql`] is the table that the
//! SQL front end reads; [`remote`] answers other nodes that do the same. All go through [`crate::scan`], so a row is there for all or for none.

pub mod detected;
pub mod logs;
pub mod metric;
pub mod pages;
pub mod patterns;
pub mod remote;
pub mod sql;
pub mod tail;
pub mod volume;

use crate::logql;
use crate::logql::pipeline::LineFilters;
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
