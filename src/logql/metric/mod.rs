//! Metric queries: numbers over time out of entries.
//!
//! ```text
//! ast::Metric -> Plan { leaves, tree }
//!     leaf: rows of many streams -> Accumulator -> series   (the caller reads the rows)
//!     tree: series of all leaves -> vector functions, operators -> Evaluated
//! ```
//!
//! Reading order: [`steps`] (windows and panes), [`cells`] and [`panes`] (what is kept), [`groups`]
//! (which series), [`leaf`], [`accumulate`], [`wire`], then [`plan`].

mod accumulate;
mod binary;
mod cells;
mod groups;
mod label_replace;
mod leaf;
mod panes;
mod plan;
mod points;
mod samples;
mod steps;
mod vector;
mod wire;

pub use accumulate::Accumulator;
pub use leaf::Leaf;
pub use plan::{Evaluated, Plan};
pub use points::{Points, Series};
pub use steps::Steps;
pub use wire::{Piece, PieceError};

use crate::model::Labels;

/// Why a metric query has no answer. The texts are Loki's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The query is about too many series. HTTP 400.
    #[error(
        "maximum number of series ({limit}) reached for a single query; consider reducing query \
         cardinality by adding more specific stream selectors, reducing the time range, or \
         aggregating results with functions like sum(), count() or topk()"
    )]
    TooManySeries {
        /// How many are allowed.
        limit: usize,
    },
    /// A stage marked a sample with an error. HTTP 400.
    #[error(
        "pipeline error: '{kind}' for series: '{series}'.\n\
         Use a label filter to intentionally skip this error. (e.g | __error__!=\"{kind}\").\n\
         To skip all potential errors you can match empty errors.(e.g __error__=\"\")\n\
         The label filter can also be specified after unwrap. \
         (e.g | unwrap latency | __error__=\"\" )\n"
    )]
    Pipeline {
        /// What `__error__` says.
        kind: String,
        /// All labels of the sample.
        series: Labels,
    },
    /// Series of a binary operator do not find each other. HTTP 500.
    #[error("{0}")]
    Matching(String),
}
