//! The index: which streams a chunk has, and what is known of each block without reading it.
//!
//! Offsets are not written: they follow from the lengths, since regions have no gaps.

use std::ops::Range;

use bytes::Bytes;

use super::block::SETS_BYTES_MAX;
use super::footer::HEADER_BYTES;
use super::{BLOCK_ROWS_MAX, Codec, Error, Filters, ValueFilters, check_crc};
use crate::model::column::{
    LINE_BYTES_MAX, LevelCounts, METADATA_BYTES_MAX, Malformed, Reader, put_text, put_varint, sets,
    streams,
};
use crate::model::{Labels, Tenant};

/// What a reader wants of a block beside timestamps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// The lines.
    pub lines: bool,
    /// The structured metadata.
    pub metadata: bool,
}

/// A chunk's index, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkIndex {
    /// Whose entries they are.
    pub tenant: Tenant,
    /// The streams in the order of their labels, and which of `blocks` are theirs.
    pub streams: Vec<(Labels, Range<usize>)>,
    /// Stream after stream, each in the order of time.
    pub blocks: Vec<BlockMeta>,
    /// Where the filters of the blocks are, if there are any.
    pub(super) filters: Option<Section>,
    /// Where the filters of their metadata are.
    pub(super) values: Option<Section>,
}

/// A part of a chunk that readers can do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) offset: u64,
    pub(super) stored: Stored,
}

/// The kinds of sections: the filters of lines, and those of metadata.
const FILTERS: u64 = 1;
const VALUES: u64 = 2;

/// What is known of a block without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockMeta {
    /// How many rows there are, at least one.
    pub n_rows: u32,
    /// The first timestamp, in nanoseconds.
    pub min_timestamp: i64,
    /// The last timestamp, in nanoseconds.
    pub max_timestamp: i64,
    /// Whether no two rows have the same timestamp.
    pub unique_timestamps: bool,
    /// Bytes of all lines.
    pub line_bytes: u32,
    /// Bytes of each row's metadata, names and values.
    pub metadata_bytes: u64,
    /// How many rows have which level.
    pub levels: LevelCounts,
    pub(super) small_offset: u64,
    pub(super) timestamps: Stored,
    pub(super) lengths: Stored,
    /// The part of `metadata` that is ids; the rest is sets.
    pub(super) n_ids_bytes: u32,
    pub(super) n_sets: u32,
    pub(super) sets_codec: Codec,
    pub(super) n_sets_raw: u32,
    pub(super) metadata: Stored,
    pub(super) text_offset: u64,
    pub(super) text_codec: Codec,
    pub(super) text: Stored,
}

/// Bytes of a region under one checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) n_bytes: u32,
    pub(super) crc: u32,
}

impl BlockMeta {
    /// Which bytes of the object hold the small columns wanted. They start at the same byte
    /// whatever is wanted.
    pub fn small_range(&self, want: Columns) -> Range<u64> {
        let lengths = if want.lines || want.metadata { self.lengths.n_bytes } else { 0 };
        let metadata = if want.metadata { self.metadata.n_bytes } else { 0 };
        let n_bytes = [self.timestamps.n_bytes, lengths, metadata].map(u64::from);
        self.small_offset..self.small_offset + n_bytes.iter().sum::<u64>()
    }

    /// A number that follows from what the block holds: from its shape and its checksums.
    pub fn fingerprint(&self) -> u64 {
        let mut bytes = Vec::with_capacity(128);
        self.put(&mut bytes);
        xxhash_rust::xxh3::xxh3_64(&bytes)
    }

    /// Which bytes of the object hold the text of the lines.
    pub fn lines_range(&self) -> Range<u64> {
        self.text_offset..self.text_offset + u64::from(self.text.n_bytes)
    }
}

impl ChunkIndex {
    /// What keeping this costs, in bytes of memory.
    pub fn memory_bytes(&self) -> usize {
        let pair = size_of::<(Box<str>, Box<str>)>();
        let labels = |labels: &Labels| -> usize {
            labels.iter().map(|(name, value)| pair + name.len() + value.len()).sum()
        };
        let streams: usize = self.streams.iter().map(|(own, _)| labels(own)).sum();
        streams + size_of_val(&*self.streams) + size_of_val(&*self.blocks)
    }

    /// Which bytes of the object hold the filters of the blocks, if there are any.
    pub fn filters_range(&self) -> Option<Range<u64>> {
        self.filters.map(|Section { offset, stored }| offset..offset + u64::from(stored.n_bytes))
    }

    /// The filters of the blocks from what stands at [`ChunkIndex::filters_range`].
    pub fn filters(&self, bytes: Bytes) -> Result<Filters, Error> {
        let section = self.filters.expect("the caller read the range of the filters");
        check_crc(&bytes, section.stored.crc, "filters")?;
        Ok(Filters::get(bytes, self.blocks.len())?)
    }

    /// Which bytes of the object hold the filters of the blocks' metadata, if there are any.
    pub fn values_range(&self) -> Option<Range<u64>> {
        self.values.map(|Section { offset, stored }| offset..offset + u64::from(stored.n_bytes))
    }

    /// The filters of the blocks' metadata from what stands at [`ChunkIndex::values_range`].
    pub fn values(&self, bytes: Bytes) -> Result<ValueFilters, Error> {
        let section = self.values.expect("the caller read the range of the filters");
        check_crc(&bytes, section.stored.crc, "filters of metadata")?;
        Ok(ValueFilters::get(bytes, self.blocks.len())?)
    }

    /// The index in bytes, before compression.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_text(out, self.tenant.as_str());
        put_varint(out, self.streams.len() as u64);
        put_varint(out, self.blocks.len() as u64);
        for (labels, blocks) in &self.streams {
            streams::put_labels(labels, out);
            put_varint(out, blocks.len() as u64);
        }
        for block in &self.blocks {
            block.put(out);
        }
        let sections = [(FILTERS, self.filters), (VALUES, self.values)];
        let sections = sections.into_iter().filter_map(|(kind, own)| Some((kind, own?.stored)));
        put_varint(out, sections.clone().count() as u64);
        for (kind, stored) in sections {
            put_varint(out, kind);
            put_varint(out, u64::from(stored.n_bytes));
            out.extend_from_slice(&stored.crc.to_le_bytes());
        }
    }

    /// Reads an index whose regions fill the object from the header to `end`.
    pub(super) fn get(bytes: &[u8], end: u64) -> Result<ChunkIndex, Malformed> {
        let mut reader = Reader::new(bytes);
        let tenant = streams::get_tenant(&mut reader)?;
        let n_streams = reader.count_here("number of streams")?;
        let n_blocks = reader.count_here("number of blocks")?;
        // What is claimed is not yet there: what has been read bounds what is allocated.
        let mut named = Vec::new();
        let mut first = 0;
        for _ in 0..n_streams {
            let labels = streams::get_labels(&mut reader)?;
            let in_order = named.last().is_none_or(|(before, _)| *before < labels);
            reader.check(in_order, "order of streams")?;
            let n = reader.count(n_blocks - first, "number of blocks")?;
            reader.check(n > 0, "number of blocks")?;
            named.push((labels, first..first + n));
            first += n;
        }
        reader.check(first == n_blocks, "number of blocks")?;
        reader.check(n_blocks <= reader.rest().len(), "number of blocks")?;
        let mut blocks = Vec::new();
        for _ in 0..n_blocks {
            blocks.push(BlockMeta::get(&mut reader)?);
        }
        for (_, own) in &named {
            let sorted = |pair: &[BlockMeta]| pair[0].max_timestamp <= pair[1].min_timestamp;
            reader.check(blocks[own.clone()].windows(2).all(sorted), "order of blocks")?;
        }
        let (regions_end, [filters, values]) = get_sections(&mut reader, place(&mut blocks))?;
        reader.end("index")?;
        reader.check(regions_end == end, "length of regions")?;
        Ok(ChunkIndex { tenant, streams: named, blocks, filters, values })
    }
}

/// Gives each block its offsets, and says where the small columns of the last one end.
pub(super) fn place(blocks: &mut [BlockMeta]) -> u64 {
    // No sum wraps: an index has fewer than 2^28 blocks, and a block is below 4 GiB.
    let mut at = HEADER_BYTES as u64;
    for block in &mut *blocks {
        block.text_offset = at;
        at = block.lines_range().end;
    }
    for block in &mut *blocks {
        block.small_offset = at;
        at = block.small_range(Columns { lines: true, metadata: true }).end;
    }
    at
}

/// Reads which sections there are from byte `at` on, and says where the last of them ends. Kinds
/// that this version does not know are passed over.
fn get_sections(
    reader: &mut Reader<'_>,
    mut at: u64,
) -> Result<(u64, [Option<Section>; 2]), Malformed> {
    let n = reader.count_here("number of sections")?;
    let mut known = [None; 2];
    for _ in 0..n {
        let kind = reader.varint("kind of a section")?;
        let n_bytes = reader.varint("length of a section")?;
        let crc = reader.u32("checksum of a section")?;
        let too_long = reader.malformed("length of a section");
        if let Some(own) = [FILTERS, VALUES].iter().position(|own| *own == kind) {
            reader.check(known[own].is_none(), "number of filter sections")?;
            let n_bytes = u32::try_from(n_bytes).map_err(|_| too_long)?;
            known[own] = Some(Section { offset: at, stored: Stored { n_bytes, crc } });
        }
        at = at.checked_add(n_bytes).ok_or(too_long)?;
    }
    Ok((at, known))
}

impl BlockMeta {
    fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, u64::from(self.n_rows));
        out.extend_from_slice(&self.min_timestamp.to_le_bytes());
        let span = self.max_timestamp.wrapping_sub(self.min_timestamp).cast_unsigned();
        put_varint(out, span);
        out.push(u8::from(self.unique_timestamps));
        put_varint(out, u64::from(self.line_bytes));
        put_varint(out, self.metadata_bytes);
        sets::put_levels(&self.levels, out);
        put_varint(out, u64::from(self.timestamps.n_bytes));
        put_varint(out, u64::from(self.lengths.n_bytes));
        put_varint(out, u64::from(self.n_ids_bytes));
        put_varint(out, u64::from(self.n_sets));
        out.push(self.sets_codec.number());
        put_varint(out, u64::from(self.metadata.n_bytes - self.n_ids_bytes));
        put_varint(out, u64::from(self.n_sets_raw));
        out.push(self.text_codec.number());
        put_varint(out, u64::from(self.text.n_bytes));
        for stored in [self.timestamps, self.lengths, self.metadata, self.text] {
            out.extend_from_slice(&stored.crc.to_le_bytes());
        }
    }

    fn get(reader: &mut Reader<'_>) -> Result<BlockMeta, Malformed> {
        let n_rows = get_u32(reader, BLOCK_ROWS_MAX, "number of rows")?;
        reader.check(n_rows > 0, "number of rows")?;
        let min_timestamp = reader.i64("min timestamp")?;
        let max_timestamp = min_timestamp.checked_add_unsigned(reader.varint("max timestamp")?);
        let max_timestamp = max_timestamp.ok_or(reader.malformed("max timestamp"))?;
        let unique = reader.u8("uniqueness")?;
        reader.check(unique <= 1, "uniqueness")?;
        let line_bytes = get_u32(reader, LINE_BYTES_MAX, "line bytes")?;
        let metadata_bytes_max = METADATA_BYTES_MAX * n_rows as usize;
        let metadata_bytes = reader.count(metadata_bytes_max, "metadata bytes")? as u64;
        let levels = sets::get_levels(reader, n_rows)?;
        // Stored lengths are bounded by what the object holds, which is checked with the regions.
        let stored_max = u32::MAX as usize / 4;
        let n_timestamps_bytes = get_u32(reader, stored_max, "length of timestamps")?;
        let n_lengths_bytes = get_u32(reader, stored_max, "length of line lengths")?;
        let n_ids_bytes = get_u32(reader, stored_max, "length of metadata ids")?;
        let n_sets = get_u32(reader, n_rows as usize, "number of sets")?;
        let sets_codec = get_codec(reader)?;
        let n_sets_bytes = get_u32(reader, stored_max, "length of sets")?;
        let n_sets_raw = get_u32(reader, SETS_BYTES_MAX, "length of sets")?;
        let text_codec = get_codec(reader)?;
        let n_text_bytes = get_u32(reader, stored_max, "length of text")?;
        let mut stored = |n_bytes: u32| -> Result<Stored, Malformed> {
            Ok(Stored { n_bytes, crc: reader.u32("checksum")? })
        };
        Ok(BlockMeta {
            n_rows,
            min_timestamp,
            max_timestamp,
            unique_timestamps: unique == 1,
            line_bytes,
            metadata_bytes,
            levels,
            small_offset: 0,
            timestamps: stored(n_timestamps_bytes)?,
            lengths: stored(n_lengths_bytes)?,
            n_ids_bytes,
            n_sets,
            sets_codec,
            n_sets_raw,
            metadata: stored(n_ids_bytes + n_sets_bytes)?,
            text_offset: 0,
            text_codec,
            text: stored(n_text_bytes)?,
        })
    }
}

fn get_u32(reader: &mut Reader<'_>, max: usize, what: &'static str) -> Result<u32, Malformed> {
    Ok(u32::try_from(reader.count(max, what)?).expect("every maximum is below 2^32"))
}

fn get_codec(reader: &mut Reader<'_>) -> Result<Codec, Malformed> {
    let number = reader.u8("codec")?;
    Codec::from_number(number).ok_or(reader.malformed("codec"))
}
