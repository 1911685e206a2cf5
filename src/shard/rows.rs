//! The persisted rows: what a shard keeps on disk beside its WAL. Small, and never an entry.
//!
//! In: rows of the shard's state. Out: keys and values for an ordered store, and back. The layouts
//! are drawn in `docs/formats/rows.md`.
//!
//! Invariants:
//! * Every value ends in a CRC-32C over its key and itself: a value under a wrong key is caught.
//! * Keys of one kind sort like the maps they come from: chunks by (tenant, id).

use bytes::Bytes;

use super::command::{ChunkKey, Tombstone, put_object, put_tombstone, read_object, read_tombstone};
use super::manifest::{Chunk, ChunkState, Covers};
use super::streams::{Hours, StreamKey};
use super::wire::{Malformed, Reader, put_labels, put_timestamp, put_u32, put_u64};
use crate::model::Index;

/// A row to write, or to delete where there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowChange {
    /// The key, unique in the shard.
    pub key: Vec<u8>,
    /// The value; `None` deletes.
    pub value: Option<Bytes>,
}

/// The indexes that cut the WAL, as of the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Indexes {
    /// The last command that changed a row: its effect, and that of all before it, is in the rows.
    pub(super) rows_at: Index,
    pub(super) sealed: Index,
    pub(super) flushed: Index,
}

/// One persisted row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Row {
    Indexes(Indexes),
    Chunk(Chunk),
    Stream(StreamKey, Hours),
    Tombstone(u64, Tombstone),
    /// The last fence.
    Fence(Index),
}

const VERSION: u8 = 1;
const INDEXES: u8 = b'i';
const CHUNK: u8 = b'c';
const STREAM: u8 = b's';
const TOMBSTONE: u8 = b't';
const FENCE: u8 = b'f';

const SEALED: u8 = 1;
const FLUSHED: u8 = 2;
const RETIRED: u8 = 3;

const CRC_BYTES: usize = 4;

impl Row {
    /// The change that writes this row.
    pub(super) fn put(&self) -> RowChange {
        let (key, value) = self.encode();
        RowChange { key, value: Some(value) }
    }

    /// Key and value.
    pub(super) fn encode(&self) -> (Vec<u8>, Bytes) {
        let (key, mut value) = (self.key(), self.fields());
        let crc = crc32c::crc32c_append(crc32c::crc32c(&key), &value);
        put_u32(&mut value, crc);
        (key, value.into())
    }

    /// The change that deletes this row.
    pub(super) fn delete(key: Vec<u8>) -> RowChange {
        RowChange { key, value: None }
    }

    fn key(&self) -> Vec<u8> {
        match self {
            Row::Indexes(_) => vec![INDEXES],
            Row::Chunk(chunk) => chunk_key(&chunk.key),
            Row::Stream(key, _) => stream_key(key),
            Row::Tombstone(id, _) => tombstone_key(*id),
            Row::Fence(_) => vec![FENCE],
        }
    }

    fn fields(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        match self {
            Row::Indexes(indexes) => {
                put_u64(&mut out, indexes.rows_at);
                put_u64(&mut out, indexes.sealed);
                put_u64(&mut out, indexes.flushed);
            }
            Row::Chunk(chunk) => put_chunk(&mut out, chunk),
            Row::Stream(_, hours) => {
                out.extend_from_slice(&hours.start.to_le_bytes());
                out.extend_from_slice(&hours.end.to_le_bytes());
            }
            Row::Tombstone(_, tombstone) => put_tombstone(&mut out, tombstone),
            Row::Fence(index) => put_u64(&mut out, *index),
        }
        out
    }

    /// Reads a row back.
    pub(super) fn decode(key: &[u8], value: &[u8]) -> Result<Row, Malformed> {
        let fields = value.len().checked_sub(CRC_BYTES).ok_or(Malformed { offset: 0 })?;
        let (fields, crc) = value.split_at(fields);
        let computed = crc32c::crc32c_append(crc32c::crc32c(key), fields);
        if computed.to_le_bytes() != *crc {
            return Err(Malformed { offset: fields.len() });
        }
        let (mut key, mut value) = (Reader::new(key), Reader::new(fields));
        let (kind, version) = (key.u8()?, value.u8()?);
        if version != VERSION {
            return Err(value.malformed());
        }
        let row = match kind {
            INDEXES => Row::Indexes(Indexes {
                rows_at: value.u64()?,
                sealed: value.u64()?,
                flushed: value.u64()?,
            }),
            CHUNK => {
                let tenant = key.tenant_to_zero()?;
                let key = ChunkKey { tenant, id: key.u64_big_endian()? };
                Row::Chunk(read_chunk(key, &mut value)?)
            }
            STREAM => {
                let tenant = key.tenant_to_zero()?;
                let key = StreamKey::new(tenant, key.labels_to_end()?);
                Row::Stream(key, Hours { start: value.i32()?, end: value.i32()? })
            }
            TOMBSTONE => Row::Tombstone(key.u64_big_endian()?, read_tombstone(&mut value)?),
            FENCE => Row::Fence(value.u64()?),
            _ => return Err(key.malformed()),
        };
        key.finish()?;
        value.finish()?;
        Ok(row)
    }
}

pub(super) fn chunk_key(chunk: &ChunkKey) -> Vec<u8> {
    let mut out = vec![CHUNK];
    out.extend_from_slice(chunk.tenant.as_str().as_bytes());
    out.push(0);
    out.extend_from_slice(&chunk.id.to_be_bytes());
    out
}

pub(super) fn stream_key(stream: &StreamKey) -> Vec<u8> {
    let mut out = vec![STREAM];
    out.extend_from_slice(stream.tenant().as_str().as_bytes());
    out.push(0);
    put_labels(&mut out, stream.labels());
    out
}

pub(super) fn tombstone_key(id: u64) -> Vec<u8> {
    let mut out = vec![TOMBSTONE];
    out.extend_from_slice(&id.to_be_bytes());
    out
}

fn put_chunk(out: &mut Vec<u8>, chunk: &Chunk) {
    put_u64(out, chunk.covers.first);
    put_u64(out, chunk.covers.last);
    put_u64(out, chunk.content);
    put_timestamp(out, chunk.min_ts);
    put_timestamp(out, chunk.max_ts);
    match &chunk.state {
        ChunkState::Sealed => out.push(SEALED),
        ChunkState::Flushed(object) => {
            out.push(FLUSHED);
            put_object(out, object);
        }
        ChunkState::Retired { object, at } => {
            out.push(RETIRED);
            put_object(out, object);
            put_timestamp(out, *at);
        }
    }
}

fn read_chunk(key: ChunkKey, reader: &mut Reader<'_>) -> Result<Chunk, Malformed> {
    let covers = Covers { first: reader.u64()?, last: reader.u64()? };
    Ok(Chunk {
        key,
        covers,
        content: reader.u64()?,
        min_ts: reader.timestamp()?,
        max_ts: reader.timestamp()?,
        state: match reader.u8()? {
            SEALED => ChunkState::Sealed,
            FLUSHED => ChunkState::Flushed(read_object(reader)?),
            RETIRED => {
                ChunkState::Retired { object: read_object(reader)?, at: reader.timestamp()? }
            }
            _ => return Err(reader.malformed()),
        },
    })
}

#[cfg(test)]
mod tests;
