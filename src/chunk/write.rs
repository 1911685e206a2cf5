//! Writes a chunk.
//!
//! Invariants: streams come in the order of their labels; the rows of each have all columns.
//! Nothing but rows and options decides the bytes.

use bytes::Bytes;

use super::block;
use super::footer::{TRAILER_BYTES, Trailer};
use super::index::{ChunkIndex, Section, Stored, place};
use super::read::header;
use super::{BLOCK_BYTES_MAX, Codec, filter, values};
use crate::model::column::LEVEL_SLOTS;
use crate::model::merge::Merged;
use crate::model::{Labels, Tenant};

/// How a chunk is written. Readers do not need to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteOptions {
    /// What compresses the text and the metadata.
    pub codec: Codec,
    /// How hard it tries; counts for zstd and gzip.
    pub level: i32,
    /// How far zstd looks back, as a power of two of bytes; 0 is what the level has.
    pub window_log: u32,
    /// Lines and metadata in a block, before compression; at most [`BLOCK_BYTES_MAX`].
    pub block_bytes: usize,
}

impl Default for WriteOptions {
    /// zstd at level 1 and blocks of 1 MiB. Level 3 costs half as much again and, measured on logs
    /// sorted by stream, is no smaller (raw to stored, level 1 / 3: plain text of 1,000 streams
    /// 7.67 / 7.44, of 10 streams 8.13 / 7.88, JSON 5.30 / 5.38, logfmt 5.22 / 4.88). Blocks of
    /// 4 MiB win 0 to 3 percent, and what a needle decompresses grows fourfold.
    fn default() -> WriteOptions {
        WriteOptions { codec: Codec::Zstd, level: 1, window_log: 0, block_bytes: 1 << 20 }
    }
}

impl WriteOptions {
    /// The same, for a chunk that is to be merged soon: zstd looks back 256 KiB, which stay in the
    /// cache, for a tenth less time and 1 to 4 % more bytes. Measured in
    /// `docs/decisions/2026-11-29-where-the-processor-goes.md`.
    pub fn of_head(self) -> WriteOptions {
        WriteOptions { window_log: 18, ..self }
    }
}

/// What a chunk holds, without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkSummary {
    /// How many entries.
    pub n_entries: u64,
    /// Bytes of all lines and of each entry's metadata.
    pub raw_bytes: u64,
    /// How many streams.
    pub n_streams: usize,
    /// How many blocks.
    pub n_blocks: usize,
    /// The earliest timestamp, in nanoseconds; 0 in a chunk without entries.
    pub min_timestamp: i64,
    /// The latest timestamp, in nanoseconds; 0 in a chunk without entries.
    pub max_timestamp: i64,
    /// XXH3-64 of every byte before the trailer.
    pub content: u64,
    /// How many entries have which level.
    pub levels: [u64; LEVEL_SLOTS],
}

/// A chunk in the making.
pub struct ChunkWriter {
    options: WriteOptions,
    index: ChunkIndex,
    /// The object up to the end of the text written so far.
    object: Vec<u8>,
    small: Vec<u8>,
    /// Of each block, how large its filter is.
    filter_sizes: Vec<u8>,
    filters: Vec<u8>,
    values: values::Making,
}

impl ChunkWriter {
    /// A chunk without entries.
    pub fn new(tenant: &Tenant, options: WriteOptions) -> ChunkWriter {
        let block_bytes = 1..=BLOCK_BYTES_MAX;
        assert!(block_bytes.contains(&options.block_bytes), "a block is within the format's limit");
        ChunkWriter {
            options,
            index: ChunkIndex {
                tenant: tenant.clone(),
                streams: Vec::new(),
                blocks: Vec::new(),
                filters: None,
                values: None,
            },
            object: header().to_vec(),
            small: Vec::new(),
            filter_sizes: Vec::new(),
            filters: Vec::new(),
            values: values::Making::default(),
        }
    }

    /// Adds rows of a stream: all of them, or piece by piece in the order of time. Streams without
    /// rows are left out.
    pub fn stream(&mut self, labels: &Labels, rows: &Merged<'_>) {
        let Some(from) = rows.timestamps().next() else { return };
        let before = self.index.streams.last().map(|(before, _)| before);
        assert!(before.is_none_or(|before| before <= labels), "streams come by their labels");
        if before == Some(labels) {
            let last = self.index.blocks.last().expect("a stream has a block");
            assert!(last.max_timestamp < from, "a piece comes after the one before");
        } else {
            let first = self.index.blocks.len();
            self.index.streams.push((labels.clone(), first..first));
        }
        let facts = block::facts_of(rows.sets());
        for range in block::cut(rows, &facts, self.options.block_bytes) {
            // One block at a time: its text is still in the cache when it is compressed.
            let rows = rows.rows(range);
            let lines = rows.lines.as_ref().expect("a chunk has all columns");
            self.filter_sizes.push(filter::put(lines, &mut self.filters));
            let regions = (&mut self.small, &mut self.object);
            let values = &mut self.values;
            self.index.blocks.push(block::put(&rows, &facts, &self.options, regions, values));
        }
        let (_, blocks) = self.index.streams.last_mut().expect("it is there by now");
        blocks.end = self.index.blocks.len();
    }

    /// Bytes that the object has so far, without its index.
    pub fn object_bytes(&self) -> usize {
        self.object.len() + self.small.len() + self.filters.len() + self.values.bytes()
    }

    /// The object, and what is in it.
    pub fn finish(self) -> (Bytes, ChunkSummary) {
        let ChunkWriter { options, mut index, mut object, small, filter_sizes, filters, values } =
            self;
        let number = |n: usize| u32::try_from(n).expect("a chunk's parts are far below 4 GiB");
        object.extend_from_slice(&small);
        let regions_end = place(&mut index.blocks);
        assert!(regions_end == object.len() as u64, "offsets follow from the lengths");
        let section = |object: &[u8], offset: u64| {
            let bytes = &object[offset as usize..];
            let stored = Stored { n_bytes: number(bytes.len()), crc: crc32c::crc32c(bytes) };
            (!bytes.is_empty()).then_some(Section { offset, stored })
        };
        if !filters.is_empty() {
            object.extend_from_slice(&filter_sizes);
            object.extend_from_slice(&filters);
        }
        index.filters = section(&object, regions_end);
        let filters_end = object.len() as u64;
        values.put(&mut object);
        index.values = section(&object, filters_end);
        let index_offset = object.len() as u64;
        let mut raw = Vec::new();
        index.put(&mut raw);
        // The index is zstd's whatever the codec of the blocks: it is small, and read whole.
        Codec::Zstd.compress(&raw, (options.level.clamp(1, 3), 0), &mut object);
        let index_stored = &object[index_offset as usize..];
        let content = xxhash_rust::xxh3::xxh3_64(&object);
        let trailer = Trailer {
            index_offset,
            n_index_stored: number(index_stored.len()),
            n_index_raw: number(raw.len()),
            index_crc: crc32c::crc32c(index_stored),
            content,
            object_len: (object.len() + TRAILER_BYTES) as u64,
        };
        trailer.put(&mut object);
        (Bytes::from(object), summary_of(&index, content))
    }
}

/// What the index says that a chunk holds.
pub(super) fn summary_of(index: &ChunkIndex, content: u64) -> ChunkSummary {
    let blocks = &index.blocks;
    let mut levels = [0_u64; LEVEL_SLOTS];
    for block in blocks {
        for (sum, n) in levels.iter_mut().zip(block.levels) {
            *sum += u64::from(n);
        }
    }
    ChunkSummary {
        n_entries: blocks.iter().map(|block| u64::from(block.n_rows)).sum(),
        raw_bytes: blocks.iter().map(|b| u64::from(b.line_bytes) + b.metadata_bytes).sum(),
        n_streams: index.streams.len(),
        n_blocks: blocks.len(),
        min_timestamp: blocks.iter().map(|block| block.min_timestamp).min().unwrap_or(0),
        max_timestamp: blocks.iter().map(|block| block.max_timestamp).max().unwrap_or(0),
        content,
        levels,
    }
}
