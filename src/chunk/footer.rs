//! The two ends of a chunk: an eight-byte header, and a trailer from which a reader starts.

use super::{ChunkIndex, Codec, Error, MAGIC, VERSION, check_crc};
use crate::model::column::{Malformed, Reader};

/// Length of the header.
pub(super) const HEADER_BYTES: usize = 8;
/// Length of the trailer.
pub(super) const TRAILER_BYTES: usize = 56;
/// Most bytes of an index before compression.
const INDEX_BYTES_MAX: usize = 256 << 20;

/// What the tail of an object turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// The index was in it.
    Index(ChunkIndex),
    /// The index starts further ahead: call again with this many bytes from the object's end.
    NeedsMore {
        /// How many bytes.
        bytes_from_end: usize,
    },
}

/// Opens a chunk of `object_len` bytes, of which `tail` are the last ones. The last 64 KiB are
/// usually enough.
pub fn open(tail: &[u8], object_len: u64) -> Result<Opened, Error> {
    let malformed = |what| Malformed { what, offset: 0 };
    if object_len < (HEADER_BYTES + TRAILER_BYTES) as u64 || tail.len() as u64 > object_len {
        return Err(malformed("length of a chunk").into());
    }
    let Some((before, trailer)) = tail.split_last_chunk::<TRAILER_BYTES>() else {
        return Ok(Opened::NeedsMore { bytes_from_end: TRAILER_BYTES });
    };
    let trailer = Trailer::get(trailer)?;
    if trailer.object_len != object_len {
        return Err(malformed("object length").into());
    }
    let index_end = object_len - TRAILER_BYTES as u64;
    let says = trailer.index_offset.checked_add(u64::from(trailer.n_index_stored));
    if says != Some(index_end) || trailer.index_offset < HEADER_BYTES as u64 {
        return Err(malformed("index offset").into());
    }
    let n_stored = trailer.n_index_stored as usize;
    let Some(start) = before.len().checked_sub(n_stored) else {
        return Ok(Opened::NeedsMore { bytes_from_end: n_stored + TRAILER_BYTES });
    };
    let stored = &before[start..];
    check_crc(stored, trailer.index_crc, "index")?;
    let n_raw = trailer.n_index_raw as usize;
    if n_raw > INDEX_BYTES_MAX {
        return Err(malformed("index length").into());
    }
    let codec = if n_raw == n_stored { Codec::None } else { Codec::Zstd };
    let raw = codec.decompress(stored, n_raw).ok_or(malformed("index"))?;
    Ok(Opened::Index(ChunkIndex::get(&raw, trailer.index_offset)?))
}

/// The last bytes of a chunk.
pub(super) struct Trailer {
    pub(super) index_offset: u64,
    pub(super) n_index_stored: u32,
    pub(super) n_index_raw: u32,
    pub(super) index_crc: u32,
    pub(super) content: u64,
    pub(super) object_len: u64,
}

impl Trailer {
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        assert!(self.n_index_raw as usize <= INDEX_BYTES_MAX, "a chunk's streams are bounded");
        let start = out.len();
        out.extend_from_slice(&self.index_offset.to_le_bytes());
        out.extend_from_slice(&self.n_index_stored.to_le_bytes());
        out.extend_from_slice(&self.n_index_raw.to_le_bytes());
        out.extend_from_slice(&self.index_crc.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.content.to_le_bytes());
        out.extend_from_slice(&self.object_len.to_le_bytes());
        out.extend_from_slice(&[0, 0, 0, 0, VERSION, 0, 0, 0]);
        let crc = crc32c::crc32c(&out[start..]);
        out.extend_from_slice(&crc.to_le_bytes());
        out.extend_from_slice(&MAGIC);
        assert!(out.len() - start == TRAILER_BYTES, "the trailer has a fixed length");
    }

    pub(super) fn get(bytes: &[u8; TRAILER_BYTES]) -> Result<Trailer, Error> {
        let (covered, end) = bytes.split_at(TRAILER_BYTES - 8);
        let mut end = Reader::new(end);
        let crc = end.u32("trailer checksum")?;
        end.check(end.rest() == MAGIC, "magic")?;
        check_crc(covered, crc, "trailer")?;
        let mut reader = Reader::new(covered);
        let index_offset = reader.u64("index offset")?;
        let n_index_stored = reader.u32("index length")?;
        let n_index_raw = reader.u32("index length")?;
        let index_crc = reader.u32("index checksum")?;
        reader.u32("reserved")?;
        let content = reader.u64("content")?;
        let object_len = reader.u64("object length")?;
        reader.u32("reserved")?;
        let version = reader.u8("version")?;
        if version != VERSION {
            return Err(Error::Version { version });
        }
        Ok(Trailer { index_offset, n_index_stored, n_index_raw, index_crc, content, object_len })
    }
}
