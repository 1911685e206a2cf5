//! Which blocks and batches can hold an answer, and how they are cut into units. Pure.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use super::{Columns, Order, Request};
use crate::chunk::{BlockMeta, ChunkIndex};
use crate::model::{Batch, Labels, Rows, Seen, ShardId, TimeRange, Timestamp};
use crate::shard::ShardView;

/// A unit is cut where it would hold more than this many bytes of lines and metadata, if time
/// allows a cut there.
const UNIT_BYTES_MAX: u64 = 32 << 20;

/// What one shard has to read for a request.
pub struct Plan {
    pub(super) shard: ShardId,
    pub(super) range: TimeRange,
    /// Chunks in commit order.
    pub(super) chunks: Vec<Chunk>,
    pub(super) head: Head,
    /// Streams that have anything to read.
    pub(super) streams: Vec<Labels>,
    /// What the visitor looks at of each of them.
    pub(super) columns: Vec<Columns>,
    /// In the order that was asked for.
    pub(super) units: Vec<Unit>,
}

/// A chunk and its index.
pub(super) struct Chunk {
    pub(super) object: String,
    pub(super) index: Arc<ChunkIndex>,
}

/// Batches of the head and of sealed heads, in commit order, with the segments that are wanted.
#[derive(Default)]
pub(super) struct Head {
    pub(super) batches: Vec<(Batch, Vec<Wanted>)>,
    pub(super) raw_bytes: u64,
}

/// A segment of a batch, and which of the plan's streams it belongs to.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub(super) segment: u32,
    pub(super) stream: u32,
}

/// Everything of one stream in one span of time. What is read from it is a set, in time order.
pub struct Unit {
    /// Which of the plan's streams.
    pub(super) stream: u32,
    /// Entries outside belong to another unit, or were not asked for.
    pub(super) range: TimeRange,
    pub(super) blocks: Vec<BlockAt>,
    /// Whether the stream's rows of the head belong in, too.
    pub(super) head: bool,
    /// First and last time that an entry of it can have.
    pub(super) span: (Timestamp, Timestamp),
    pub(super) raw_bytes: u64,
}

/// A block of one of the plan's chunks.
#[derive(Clone, Copy)]
pub(super) struct BlockAt {
    pub(super) chunk: u32,
    pub(super) block: u32,
}

impl Unit {
    /// First and last time that an entry of it can have.
    pub fn span(&self) -> (Timestamp, Timestamp) {
        self.span
    }
}

impl Plan {
    pub(super) fn block(&self, at: BlockAt) -> &BlockMeta {
        &self.chunks[at.chunk as usize].index.blocks[at.block as usize]
    }

    /// The block whose metadata may answer for the unit: it is alone and lies inside the range.
    pub(super) fn whole_block(&self, unit: &Unit) -> Option<&BlockMeta> {
        let inside = |block: &&BlockMeta| {
            unit.range.start.0 <= block.min_timestamp && block.max_timestamp < unit.range.end.0
        };
        self.only_block(unit).filter(inside)
    }

    /// The block that all rows of the unit come from, where it is one.
    pub(super) fn only_block(&self, unit: &Unit) -> Option<&BlockMeta> {
        let [at] = unit.blocks[..] else { return None };
        (!unit.head).then(|| self.block(at))
    }

    /// Bytes that reading this plan may hold at once, beside what the visitor keeps.
    pub(super) fn memory_bytes(&self, tasks_at_once: u64, task_bytes: u64) -> u64 {
        // The head twice: its batches decoded, and the rows that were merged from them.
        let largest = self.units.iter().map(|unit| unit.raw_bytes).max().unwrap_or(0);
        2 * self.head.raw_bytes + 3 * tasks_at_once * (largest + task_bytes)
    }
}

/// A source of one stream, before it is cut.
#[derive(Clone, Copy)]
struct Source {
    min_ts: i64,
    max_ts: i64,
    raw_bytes: u64,
    /// `None`: the stream's rows of the head.
    block: Option<BlockAt>,
}

/// Makes the plan of one shard. `chunks` are the visible flushed chunks of the tenant that overlap
/// the range, in commit order, with their indexes.
pub(super) fn plan(
    view: &ShardView,
    seen: &Seen,
    chunks: Vec<Chunk>,
    request: &Request,
    columns_of: impl Fn(&Labels) -> Columns,
) -> Plan {
    let mut streams = Streams::default();
    let head = wanted_of_head(view, seen, request, &mut streams);
    for (number, chunk) in chunks.iter().enumerate() {
        let number = u32::try_from(number).expect("a shard has fewer chunks than 2^32");
        wanted_of_chunk(number, &chunk.index, seen, request, &mut streams);
    }
    let mut units = Vec::new();
    for (stream, sources) in streams.sources.iter_mut().enumerate() {
        let stream = u32::try_from(stream).expect("a shard has fewer streams than 2^32");
        cut(stream, sources, &request.range, &mut units);
    }
    sort(&mut units, request.order);
    let range = request.range.clone();
    let streams = streams.shown;
    let columns = streams.iter().map(columns_of).collect();
    let shard = view.shard();
    Plan { shard, range, chunks, head, streams, columns, units }
}

/// The streams of a plan as they are found, each with its sources.
#[derive(Default)]
struct Streams {
    numbers: HashMap<Labels, u32>,
    /// The labels that they are shown with.
    shown: Vec<Labels>,
    sources: Vec<Vec<Source>>,
}

impl Streams {
    fn number(&mut self, labels: &Labels, shown: &Labels) -> u32 {
        if let Some(number) = self.numbers.get(labels) {
            return *number;
        }
        let number = u32::try_from(self.shown.len()).expect("a shard has fewer than 2^32");
        self.numbers.insert(labels.clone(), number);
        self.shown.push(shown.clone());
        self.sources.push(Vec::new());
        number
    }

    fn add(&mut self, number: u32, source: Source) {
        self.sources[number as usize].push(source);
    }

    /// Widens the head's source of a stream, which is one however many batches it has.
    fn add_to_head(&mut self, number: u32, min_ts: i64, max_ts: i64, raw_bytes: u64) {
        let sources = &mut self.sources[number as usize];
        match sources.first_mut() {
            Some(head) => {
                head.min_ts = head.min_ts.min(min_ts);
                head.max_ts = head.max_ts.max(max_ts);
                head.raw_bytes += raw_bytes;
            }
            None => sources.push(Source { min_ts, max_ts, raw_bytes, block: None }),
        }
    }
}

fn wanted_of_head(view: &ShardView, seen: &Seen, request: &Request, streams: &mut Streams) -> Head {
    let mut head = Head::default();
    // Whether a label set is selected is asked once, however many batches name it.
    let mut known: HashMap<Labels, Option<Labels>> = HashMap::new();
    let above = request.above.as_ref().and_then(|above| above.get(&view.shard()).copied());
    let batches = view.batches_above(above.unwrap_or(0));
    for (_, batch) in batches {
        let mut wanted = Vec::new();
        for (segment, meta) in batch.segments().iter().enumerate() {
            if meta.tenant != *seen.tenant()
                || !overlaps(meta.min_timestamp, meta.max_timestamp, &request.range)
            {
                continue;
            }
            let selected = known
                .entry(meta.labels.clone())
                .or_insert_with(|| selected(&meta.labels, seen, request).map(Cow::into_owned));
            if let Some(shown) = selected {
                let stream = streams.number(&meta.labels, shown);
                let raw_bytes = meta.line_bytes + meta.metadata_bytes;
                let (first, last) = (meta.min_timestamp, meta.max_timestamp);
                streams.add_to_head(stream, first, last, raw_bytes);
                let segment = u32::try_from(segment).expect("a batch has fewer than 2^32");
                wanted.push(Wanted { segment, stream });
            }
        }
        if !wanted.is_empty() {
            head.raw_bytes += batch.raw_bytes();
            head.batches.push((batch.clone(), wanted));
        }
    }
    head
}

fn wanted_of_chunk(
    number: u32,
    index: &ChunkIndex,
    seen: &Seen,
    request: &Request,
    streams: &mut Streams,
) {
    for (labels, blocks) in &index.streams {
        let Some(shown) = selected(labels, seen, request) else { continue };
        let mut own = None;
        for block in blocks.clone() {
            let meta = &index.blocks[block];
            if !overlaps(meta.min_timestamp, meta.max_timestamp, &request.range) {
                continue;
            }
            let own = *own.get_or_insert_with(|| streams.number(labels, &shown));
            let block = u32::try_from(block).expect("a chunk has fewer than 2^32 blocks");
            streams.add(
                own,
                Source {
                    min_ts: meta.min_timestamp,
                    max_ts: meta.max_timestamp,
                    raw_bytes: u64::from(meta.line_bytes) + meta.metadata_bytes,
                    block: Some(BlockAt { chunk: number, block }),
                },
            );
        }
    }
}

/// The labels that a stream is shown with, where it may be seen and is selected by them.
fn selected<'l>(labels: &'l Labels, seen: &Seen, request: &Request) -> Option<Cow<'l, Labels>> {
    seen.shown(labels).filter(|shown| request.selection.accepts(shown))
}

fn overlaps(min_ts: i64, max_ts: i64, range: &TimeRange) -> bool {
    min_ts < range.end.0 && range.start.0 <= max_ts
}

/// Cuts the sources of one stream into units that do not overlap in time.
fn cut(stream: u32, sources: &mut [Source], range: &TimeRange, units: &mut Vec<Unit>) {
    sources.sort_by_key(|source| (source.min_ts, source.max_ts));
    let mut open: Vec<Source> = Vec::new();
    let mut start = range.start;
    for source in sources.iter() {
        let reach = open.iter().map(|source| source.max_ts).max();
        let bytes: u64 = open.iter().map(|source| source.raw_bytes).sum();
        let apart = reach.is_some_and(|reach| reach < source.min_ts);
        let too_large = bytes >= UNIT_BYTES_MAX && open[0].min_ts < source.min_ts;
        if apart || (too_large && start.0 < source.min_ts) {
            let end = Timestamp(source.min_ts).min(range.end);
            push_unit(stream, &open, start..end, units);
            // What reaches over the cut belongs to both sides, each with its part of the time.
            open.retain(|source_open| source_open.max_ts >= end.0);
            start = end;
        }
        open.push(*source);
    }
    push_unit(stream, &open, start..range.end, units);
}

fn push_unit(stream: u32, sources: &[Source], range: TimeRange, units: &mut Vec<Unit>) {
    let Some(first) = sources.iter().map(|source| source.min_ts).min() else { return };
    let last = sources.iter().map(|source| source.max_ts).max().unwrap_or(first);
    let mut blocks: Vec<BlockAt> = sources.iter().filter_map(|source| source.block).collect();
    // Commit order: where entries are equal or share a timestamp, the earlier seal comes first.
    blocks.sort_by_key(|at| (at.chunk, at.block));
    let span = (
        Timestamp(first).max(range.start),
        Timestamp(last).min(Timestamp(range.end.0.saturating_sub(1))),
    );
    units.push(Unit {
        stream,
        span,
        range,
        blocks,
        head: sources.iter().any(|source| source.block.is_none()),
        raw_bytes: sources.iter().map(|source| source.raw_bytes).sum(),
    });
}

fn sort(units: &mut [Unit], order: Order) {
    match order {
        Order::Forward => units.sort_by_key(|unit| unit.span.0),
        Order::Backward => units.sort_by_key(|unit| Reverse(unit.span.1)),
        Order::Any => {
            units.sort_by_key(|unit| unit.blocks.first().map(|at| (at.chunk, at.block)));
        }
    }
}

/// Keeps the rows inside a range.
pub(super) fn clip(rows: Rows, range: &TimeRange) -> Rows {
    let inside = |ts: &i64| range.start.0 <= *ts && *ts < range.end.0;
    if rows.timestamps.iter().all(inside) {
        return rows;
    }
    let keep: Vec<usize> = (0..rows.len()).filter(|row| inside(&rows.timestamps[*row])).collect();
    rows.select(&keep)
}
