//! The nouns: what every other module talks about. Values only; no I/O, no clock, no async.
//!
//! Reading order: [`tenant`], [`time`], [`labels`], [`metadata`], [`level`], [`rows`] (columns of
//! entries in memory), [`column`] (how columns become bytes), [`batch`] (entries encoded: WAL
//! record, wire payload and head memory), [`merge`] (rows of one stream as a sorted set),
//! [`selector`] (which streams), [`sight`] (what a request may see), [`pattern`] (the regex dialect).

pub mod batch;
pub mod blocked;
pub mod column;
pub mod generic;
pub mod labels;
pub mod labels_text;
pub mod level;
pub mod limits;
pub mod merge;
pub mod metadata;
pub mod otlp;
pub mod overrides;
pub mod pattern;
pub mod policy;
pub mod rows;
pub mod selector;
pub mod sight;
pub mod tenant;
pub mod time;

pub use batch::{Batch, BatchBuilder, Segment};
pub use labels::Labels;
pub use level::Level;
pub use metadata::Metadata;
pub use rows::{Lines, MetadataColumn, Rows};
pub use selector::{MatchOp, Matcher, Selector};
pub use sight::{Seen, Sight};
pub use tenant::Tenant;
pub use time::{TimeRange, Timestamp};

/// Position of a command in a shard's WAL. The first command has index 1.
pub type Index = u64;

/// Number of a shard: one Raft group, `0..n_shards`, fixed when the data directory is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u32);

impl std::fmt::Display for ShardId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
