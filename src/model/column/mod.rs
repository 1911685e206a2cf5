//! How columns become bytes and come back: the encodings that a batch and a chunk share.
//!
//! Drawn in `docs/formats/columns.md`. Writers append to a `Vec<u8>` and cannot fail; what they
//! refuse is a bug in us. Readers take a [`Reader`] over bytes from outside and trust nothing:
//!
//! - every length is checked against what is there before anything is allocated for it;
//! - a reader never panics, and never allocates more than a small multiple of the bytes that it
//!   was given plus the number of rows that its caller has bounded.

pub(crate) mod frame;
pub(crate) mod intern;
pub(crate) mod lines;
pub(crate) mod packed;
pub(crate) mod reader;
pub(crate) mod sets;
pub(crate) mod streams;
pub(crate) mod times;

pub(crate) use reader::{Reader, put_text, put_varint};

/// Bytes that are not what a writer of ours would have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed {what} at byte {offset}")]
pub struct Malformed {
    /// The field that is wrong.
    pub what: &'static str,
    /// Where, in bytes from the start of the section that holds it.
    pub offset: usize,
}

pub use sets::{LEVEL_SLOTS, LevelCounts, level_slot};

/// Longest line, in bytes. Limits on pushes are far below; this bounds what a reader allocates.
pub const LINE_BYTES_MAX: usize = 16 << 20;

/// Most metadata that one entry has, in bytes of names and values; likewise.
pub const METADATA_BYTES_MAX: usize = 16 << 20;
