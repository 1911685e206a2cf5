//! Bytes of blocks from their objects: the ranges that a task needs, coalesced, and rows from them.

use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;

use super::prune::{BlockAt, Plan, Unit, clip};
use super::run::Stats;
use super::{Columns, Error};
use crate::chunk;
use crate::model::{Lines, Rows, merge};
use crate::objects::Objects;

/// Ranges closer than this are read as one: a seek costs more than the bytes between.
const GAP_BYTES_MAX: u64 = 64 << 10;
/// A read is not made longer than this by coalescing.
const READ_BYTES_MAX: u64 = 16 << 20;

/// The bytes of the blocks of one task.
#[derive(Default)]
pub(super) struct Fetched {
    blocks: HashMap<(u32, u32), BlockBytes>,
    /// Bytes that came from object storage.
    pub(super) bytes: u64,
    /// Reads that were made.
    pub(super) reads: u64,
}

#[derive(Default)]
struct BlockBytes {
    small: Bytes,
    lines: Option<Bytes>,
}

/// Which columns of a unit must be read: where sources overlap, entries are compared, and for
/// that it takes all of each.
fn columns_of(plan: &Plan, unit: &Unit) -> Columns {
    let alone = unit.blocks.len() + usize::from(unit.head) == 1;
    if alone { plan.columns[unit.stream as usize] } else { Columns { lines: true, metadata: true } }
}

/// Reads what the units need, chunk by chunk.
pub(super) async fn fetch(
    objects: &Objects,
    plan: &Plan,
    units: &[Unit],
) -> Result<Fetched, Error> {
    let mut wanted: HashMap<u32, Vec<Piece>> = HashMap::new();
    for unit in units {
        let columns = columns_of(plan, unit);
        for at in &unit.blocks {
            let pieces = wanted.entry(at.chunk).or_default();
            let block = plan.block(*at);
            pieces.push(Piece { at: *at, lines: false, range: block.small_range(columns) });
            if columns.lines {
                pieces.push(Piece { at: *at, lines: true, range: block.lines_range() });
            }
        }
    }
    let mut fetched = Fetched::default();
    for (number, mut pieces) in wanted {
        pieces.sort_by_key(|piece| (piece.range.start, piece.range.end));
        let reads = coalesce(&pieces);
        let object = &plan.chunks[number as usize].object;
        let bytes = objects.read(object, reads.clone()).await?;
        fetched.reads += reads.len() as u64;
        fetched.bytes += bytes.iter().map(|bytes| bytes.len() as u64).sum::<u64>();
        for piece in pieces {
            let read = reads.partition_point(|read| read.end < piece.range.end);
            let start = offset(piece.range.start - reads[read].start);
            let end = offset(piece.range.end - reads[read].start);
            fetched.keep(&piece, bytes[read].slice(start..end));
        }
    }
    Ok(fetched)
}

/// One range that a block needs.
struct Piece {
    at: BlockAt,
    lines: bool,
    range: Range<u64>,
}

impl Fetched {
    fn keep(&mut self, piece: &Piece, bytes: Bytes) {
        let block = self.blocks.entry((piece.at.chunk, piece.at.block)).or_default();
        if piece.lines {
            block.lines = Some(bytes);
        } else {
            block.small = bytes;
        }
    }
}

/// Joins sorted ranges that lie close together.
fn coalesce(pieces: &[Piece]) -> Vec<Range<u64>> {
    let mut reads: Vec<Range<u64>> = Vec::new();
    for Piece { range, .. } in pieces {
        match reads.last_mut() {
            Some(last)
                if range.start <= last.end + GAP_BYTES_MAX
                    && range.end.max(last.end) - last.start <= READ_BYTES_MAX =>
            {
                last.end = last.end.max(range.end);
            }
            _ => reads.push(range.clone()),
        }
    }
    reads
}

fn offset(bytes: u64) -> usize {
    usize::try_from(bytes).expect("a read fits in memory")
}

/// The rows of one unit: a set, in time order, inside the unit's range; `None` where there is none
/// or no line of it matches. Computes: call it on the pool. `head` are the stream's rows of the head in commit order.
pub(super) fn rows_of(
    plan: &Plan,
    unit: &Unit,
    fetched: &Fetched,
    head: &[Rows],
    matches: &dyn Fn(&Lines) -> bool,
    stats: &Stats,
) -> Result<Option<Rows>, Error> {
    let columns = columns_of(plan, unit);
    if let ([at], false, true) = (&unit.blocks[..], unit.head, columns.lines) {
        // A needle is in few blocks: the lines alone say in which.
        let lines = Columns { lines: true, metadata: false };
        let rows = block(plan, *at, fetched, lines)?;
        stats.looked_at(rows.lines.as_ref(), rows.len());
        if !rows.lines.as_ref().is_some_and(matches) {
            return Ok(None);
        }
        let metadata = Columns { lines: false, metadata: true };
        let metadata =
            if columns.metadata { block(plan, *at, fetched, metadata)?.metadata } else { None };
        return Ok(Some(clip(Rows { metadata, ..rows }, &unit.range)));
    }
    let mut sources = Vec::with_capacity(unit.blocks.len() + head.len());
    for at in &unit.blocks {
        sources.push(clip(block(plan, *at, fetched, columns)?, &unit.range));
    }
    if unit.head {
        sources.extend(head.iter().cloned().map(|rows| clip(rows, &unit.range)));
    }
    let is_one_block = sources.len() == 1 && !unit.head;
    let rows = if is_one_block { sources.remove(0) } else { merge::merge(&sources) };
    stats.looked_at(rows.lines.as_ref(), rows.len());
    // A head may have nothing in the range though it reaches over it: then there are no columns
    // either, and whoever filters lines would look for some.
    Ok((!rows.is_empty()).then_some(rows))
}

/// Decodes the wanted columns of one block.
fn block(plan: &Plan, at: BlockAt, fetched: &Fetched, want: Columns) -> Result<Rows, Error> {
    let bytes = &fetched.blocks[&(at.chunk, at.block)];
    let read = chunk::read_block(plan.block(at), &bytes.small, bytes.lines.as_deref(), want);
    read.map_err(|source| Error::Chunk {
        object: plan.chunks[at.chunk as usize].object.clone(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_ranges_are_read_as_one() {
        let check = |ranges: &[Range<u64>], expected: &[Range<u64>]| {
            let at = BlockAt { chunk: 0, block: 0 };
            let pieces: Vec<Piece> = ranges
                .iter()
                .map(|range| Piece { at, lines: false, range: range.clone() })
                .collect();
            assert_eq!(coalesce(&pieces), expected);
        };
        check(&[0..10, 10..20, 100..200], &[0..200]);
        check(&[0..10, 100_000..100_010], &[0..10, 100_000..100_010]);
        check(&[0..(16 << 20), (16 << 20)..(17 << 20)], &[0..(16 << 20), (16 << 20)..(17 << 20)]);
        check(&[0..10, 2..5], &[0..10]);
    }
}
