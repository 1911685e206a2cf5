//! One block: rows of one stream as columns in bytes.
//!
//! The writer puts the small columns and the text each to the end of its region. What it says
//! about the block is what the reader in `read.rs` relies on.

use std::ops::Range;

use super::index::{BlockMeta, Stored};
use super::{BLOCK_BYTES_MAX, BLOCK_ROWS_MAX, WriteOptions, values};
use crate::model::column::{
    LINE_BYTES_MAX, LevelCounts, METADATA_BYTES_MAX, level_slot, packed, sets, times,
};
use crate::model::merge::Merged;
use crate::model::{Metadata, MetadataColumn, Rows};

/// Most bytes of metadata sets in a block, as they are written: sets by key take less than the
/// metadata of their rows but for a few bytes per value.
pub(super) const SETS_BYTES_MAX: usize = 64 << 20;

/// What each row with a metadata set adds to its block.
pub(super) struct SetFacts {
    bytes: usize,
    level_slot: usize,
}

/// The facts of every set.
pub(super) fn facts_of(sets: &[Metadata]) -> Vec<SetFacts> {
    let facts = |set: &Metadata| SetFacts { bytes: set.bytes(), level_slot: level_slot(set) };
    sets.iter().map(facts).collect()
}

/// Cuts rows into blocks of about equal size, at most `bytes` and [`BLOCK_ROWS_MAX`] each, unless
/// a single row is larger.
pub(super) fn cut(rows: &Merged<'_>, facts: &[SetFacts], bytes: usize) -> Vec<Range<usize>> {
    assert!((1..=BLOCK_BYTES_MAX).contains(&bytes), "block_bytes is within the format's limit");
    let sizes =
        || rows.line_bytes().zip(rows.ids()).map(|(line, id)| line + facts[id as usize].bytes);
    let total: usize = sizes().sum();
    // A block ends with the row that reaches its share, so that no small rest is left at the end.
    let share = total.div_ceil(total.div_ceil(bytes).max(1)).max(1);
    let mut blocks = Vec::new();
    let (mut start, mut taken) = (0, 0);
    for (row, more) in sizes().enumerate() {
        let full = taken + more > bytes || row - start == BLOCK_ROWS_MAX;
        if row > start && (full || taken >= share) {
            blocks.push(start..row);
            (start, taken) = (row, 0);
        }
        taken += more;
    }
    if start < rows.len() {
        blocks.push(start..rows.len());
    }
    blocks
}

/// Appends a block of rows to the regions, and says what it is. Offsets count from the start of
/// each region: the index knows better once all blocks are there.
pub(super) fn put(
    rows: &Rows,
    facts: &[SetFacts],
    options: &WriteOptions,
    (small, text): (&mut Vec<u8>, &mut Vec<u8>),
    values: &mut values::Making,
) -> BlockMeta {
    let timestamps = &rows.timestamps;
    let lines = rows.lines.as_ref().expect("a chunk has all columns");
    let span = lines.span();
    let MetadataColumn { sets, ids } = rows.metadata.as_ref().expect("a chunk has all columns");

    let lengths: Vec<u64> =
        lines.offsets.windows(2).map(|pair| u64::from(pair[1] - pair[0])).collect();
    let longest = lengths.iter().max().copied().unwrap_or(0);
    assert!(longest <= LINE_BYTES_MAX as u64, "limits on pushes are below the format's");
    let mut levels = LevelCounts::default();
    let mut metadata_bytes = 0;
    for id in ids {
        let facts = &facts[*id as usize];
        assert!(facts.bytes <= METADATA_BYTES_MAX, "limits on pushes are below the format's");
        levels[facts.level_slot] += 1;
        metadata_bytes += facts.bytes as u64;
    }

    let timestamps_at = small.len();
    times::pack_sorted(timestamps, small);
    let lengths_at = small.len();
    packed::pack(&lengths, small);
    let ids_at = small.len();
    let used = sets::pack_ids(sets, ids, small);
    if used.is_empty() {
        small.truncate(ids_at);
    }
    values.block(&used);
    let sets_at = small.len();
    let mut sets_raw = Vec::new();
    sets::put_sets(&used, &mut sets_raw);
    assert!(sets_raw.len() <= SETS_BYTES_MAX, "a block's metadata is bounded");
    let effort = (options.level, options.window_log);
    let sets_codec = options.codec.compress(&sets_raw, effort, small);
    let text_at = text.len();
    let text_codec = options.codec.compress(span, effort, text);

    let stored = |region: &[u8], start: usize, end: usize| Stored {
        n_bytes: number(end - start),
        crc: crc32c::crc32c(&region[start..end]),
    };
    BlockMeta {
        n_rows: number(timestamps.len()),
        min_timestamp: timestamps[0],
        max_timestamp: timestamps[timestamps.len() - 1],
        unique_timestamps: timestamps.windows(2).all(|pair| pair[0] < pair[1]),
        line_bytes: number(span.len()),
        metadata_bytes,
        levels,
        small_offset: timestamps_at as u64,
        timestamps: stored(small, timestamps_at, lengths_at),
        lengths: stored(small, lengths_at, ids_at),
        n_ids_bytes: number(sets_at - ids_at),
        n_sets: number(used.len()),
        sets_codec,
        n_sets_raw: number(sets_raw.len()),
        metadata: stored(small, ids_at, small.len()),
        text_offset: text_at as u64,
        text_codec,
        text: stored(text, text_at, text.len()),
    }
}

fn number(value: usize) -> u32 {
    u32::try_from(value).expect("a block is bounded far below 4 GiB")
}
