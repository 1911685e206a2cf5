//! The columnar form of pushes for one shard: WAL record, Raft payload and head memory at once.
//!
//! A [`BatchBuilder`] takes rows and encodes them once; a [`Batch`] opens those bytes, cheaply
//! where only its streams are asked for, and decodes its rows when they are wanted. Drawn in
//! `docs/formats/wal.md`. Invariants:
//!
//! - rows keep the order in which they were pushed, and the lines of all rows are one buffer;
//! - `Batch::open` of what `BatchBuilder::encode` returned gives the same rows, for ever;
//! - bytes from outside are refused with an [`Error`], never with a panic, and what a reader
//!   allocates for them is bounded by the limits below.

mod build;
mod open;
mod text;

pub use build::{BatchBuilder, Effort};
pub use open::{Batch, Segment};

use super::column::Malformed;

/// Most entries in a batch. Who fills a builder starts another one before.
pub const BATCH_ENTRIES_MAX: usize = 1 << 24;

/// Most bytes in a batch before compression. Who fills a builder stays far below: lines and the
/// metadata of each row together are what [`BatchBuilder::raw_bytes`] says.
pub const BATCH_BYTES_MAX: usize = 256 << 20;

const MAGIC: [u8; 4] = *b"DRVB";
const VERSION: u8 = 1;
const HEADER_BYTES: usize = 72;
/// Where what the checksum covers starts.
const COVERED: usize = 8;

/// A section is stored as it is.
const STORED: u8 = 0;
/// A section is one zstd frame.
const ZSTD: u8 = 1;

/// Bytes that cannot be used as a batch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The checksum does not match: the bytes were damaged.
    #[error("checksum of a batch does not match its {n_bytes} bytes")]
    Checksum {
        /// How many bytes there are.
        n_bytes: usize,
    },
    /// Written by a later version of drave.
    #[error("batch of format {version}, this is format {VERSION}")]
    Version {
        /// What the header says.
        version: u8,
    },
    /// Not what a builder writes.
    #[error("batch: {0}")]
    Malformed(#[from] Malformed),
}

#[cfg(test)]
mod tests;
