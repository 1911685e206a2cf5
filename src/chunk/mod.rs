//! The chunk format: an immutable, compressed, checksummed object with the entries of one tenant.
//!
//! Bytes in, rows out, and back; no file, no clock, no async. Drawn in `docs/formats/chunk.md`.
//! A writer ([`ChunkWriter`]) takes streams in order, each a sorted set of rows, cuts them into
//! blocks and returns the object. A reader opens the object's tail ([`open`]), picks blocks by
//! stream and time from the index, fetches the byte ranges that their [`BlockMeta`] names, and
//! decodes them ([`read_block`]). Invariants:
//!
//! - the same rows and options give the same bytes;
//! - bytes from outside never panic a reader, and what it allocates for them is bounded by the
//!   limits below; bytes that were damaged are an [`Error`], never other rows;
//! - every format that ever was written stays readable (`tests/golden/chunk/`).

mod block;
mod codec;
mod compare;
mod filter;
mod footer;
mod fresh;
mod index;
mod merge;
mod read;
mod values;
mod whole;
mod write;

#[cfg(test)]
mod naive;
#[cfg(test)]
mod tests;

pub use codec::Codec;
pub use compare::same_entries;
pub use filter::{Filters, Needles};
pub use footer::{Opened, open};
pub use index::{BlockMeta, ChunkIndex, Columns};
pub use merge::Merge;
pub use read::{read_block, read_line_bytes, verify};
pub use values::ValueFilters;
pub use write::{ChunkSummary, ChunkWriter, WriteOptions};

use crate::model::column::{LINE_BYTES_MAX, Malformed};

/// Most lines and metadata in a block, before compression, unless it has a single row.
pub const BLOCK_BYTES_MAX: usize = 4 << 20;

/// Most rows in a block.
pub const BLOCK_ROWS_MAX: usize = 1 << 17;

const _: () = assert!(BLOCK_BYTES_MAX <= LINE_BYTES_MAX);

const MAGIC: [u8; 4] = *b"DRVC";
const VERSION: u8 = 1;

/// Bytes that cannot be used as a chunk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A checksum does not match: the bytes were damaged.
    #[error("checksum of {what} does not match")]
    Checksum {
        /// What the checksum covers.
        what: &'static str,
    },
    /// Written by a later version of drave.
    #[error("chunk of format {version}, this is format {VERSION}")]
    Version {
        /// What the trailer says.
        version: u8,
    },
    /// Not what a writer writes.
    #[error("chunk: {0}")]
    Malformed(#[from] Malformed),
}

/// An error unless the bytes have a checksum.
fn check_crc(bytes: &[u8], crc: u32, what: &'static str) -> Result<(), Error> {
    if crc32c::crc32c(bytes) == crc { Ok(()) } else { Err(Error::Checksum { what }) }
}
