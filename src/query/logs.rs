//! Log queries: the newest or oldest entries that a pipeline leaves, over all streams.
//!
//! Tasks look at units newest (or oldest) first. Once the limit is full, its last entry is a bound
//! in time that all tasks share: units and rows beyond it are not looked at any more.
//!
//! Equal timestamps are ordered by stream hash, then as they were committed; backward is exactly
//! forward reversed.

pub(super) mod wire;

use std::cmp::Ordering as Compare;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use drave_proto::scan as proto;
use tokio::sync::mpsc;

use super::{Error, PARTIALS_MAX, StopsWhenDropped, needles};
use crate::logql::ast;
use crate::logql::pipeline::{self, Hints, Pipeline, Runner};
use crate::logql::row::Category;
use crate::model::{Labels, Lines, Rows, Sight, TimeRange, Timestamp};
use crate::scan::remote::Work;
use crate::scan::{
    Columns, Gathered, Needles, Order, Positions, Request, Scanner, Selection, Snapshot, Stats,
    Visit,
};

/// Bytes of lines and labels that one answer may hold.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// Which end of the range comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Oldest first.
    Forward,
    /// Newest first.
    Backward,
}

/// What to answer of a log query.
#[derive(Clone, Debug)]
pub struct Params {
    /// Which entries by time.
    pub range: TimeRange,
    /// How many entries at most, over all streams.
    pub limit: usize,
    /// Which end of the range comes first.
    pub direction: Direction,
    /// At least this long between two entries of the answer; zero keeps all.
    pub interval: Duration,
    /// The time of the query, for templates that ask for it.
    pub now: Timestamp,
}

/// Names and values, sorted by name.
pub type Pairs = Vec<(Box<str>, Box<str>)>;

/// The labels of an entry, by where they come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryLabels {
    /// Of its stream.
    pub stream: Pairs,
    /// Of the entry itself.
    pub metadata: Pairs,
    /// Made by the query.
    pub parsed: Pairs,
}

/// One entry of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// When.
    pub timestamp: Timestamp,
    /// What, as the pipeline left it.
    pub line: Box<str>,
    /// Shared by entries that have the same.
    pub labels: Arc<EntryLabels>,
    key: Key,
}

/// The place of an entry in the order of all entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    timestamp: i64,
    stream: u64,
    position: usize,
}

/// The answer: entries in the direction that was asked for.
pub struct LogAnswer {
    /// In order, over all streams.
    pub entries: Vec<LogEntry>,
    /// What was read for them.
    pub stats: Arc<Stats>,
}

/// Runs a log query.
pub async fn run(
    scanner: &Scanner,
    sight: &Sight,
    query: &ast::LogQuery,
    params: &Params,
) -> Result<LogAnswer, Error> {
    let snapshot = scanner.snapshot(sight).await?;
    run_on(scanner, &snapshot, query, params, None).await
}

/// The same of what a snapshot shows, or of what it shows above some positions.
pub(super) async fn run_on(
    scanner: &Scanner,
    snapshot: &Snapshot,
    query: &ast::LogQuery,
    params: &Params,
    above: Option<Positions>,
) -> Result<LogAnswer, Error> {
    let hints = Hints { labels: None, now: params.now.nanos() };
    let pipeline = Pipeline::compile(&query.pipeline, &hints);
    let pipeline = pipeline.map_err(|error| Error::BadQuery(error.to_string()))?;
    let (bound, order) = match params.direction {
        Direction::Forward => (i64::MAX, Order::Forward),
        Direction::Backward => (i64::MIN, Order::Backward),
    };
    let collector = Arc::new(Collector {
        pipeline,
        direction: params.direction,
        limit: params.limit,
        bound: AtomicI64::new(bound),
        asked: wire::asked(query, params.now.nanos(), params.limit),
        room: scanner.clone(),
    });
    let _running = StopsWhenDropped(collector.pipeline.stop());
    let request = Request {
        selection: Selection::Selector(query.selector.clone()),
        range: params.range.clone(),
        order,
        above,
    };
    let stats = Arc::new(Stats::default());
    let entries = collect(scanner, snapshot, &request, &collector, &stats).await?;
    let entries = thin(entries, params);
    Ok(LogAnswer { entries, stats })
}

/// The first entries of a request, in order.
async fn collect(
    scanner: &Scanner,
    snapshot: &Snapshot,
    request: &Request,
    collector: &Arc<Collector>,
    stats: &Arc<Stats>,
) -> Result<Vec<LogEntry>, Error> {
    let (out, mut found) = mpsc::channel(PARTIALS_MAX);
    let scan = scanner.run(snapshot, request, Arc::clone(collector), stats, out);
    let join = async {
        let mut best = Best::new(collector);
        while let Some(found) = found.recv().await {
            best.add(found.entries)?;
        }
        Ok(best)
    };
    let ((), best) = futures::try_join!(scan, join)?;
    Ok(best.into_sorted())
}

/// What the tasks share.
struct Collector {
    pipeline: Pipeline,
    direction: Direction,
    limit: usize,
    /// Entries beyond this time cannot be in the answer any more.
    bound: AtomicI64,
    /// What other nodes are told.
    asked: Option<proto::Entries>,
    /// Where memory for entries comes from.
    room: Scanner,
}

/// The entries of one task.
struct Found {
    entries: Vec<LogEntry>,
    bytes: usize,
    held: Gathered,
}

impl Collector {
    fn is_beyond(&self, timestamp: i64) -> bool {
        let bound = self.bound.load(Ordering::Relaxed);
        match self.direction {
            Direction::Forward => timestamp > bound,
            Direction::Backward => timestamp < bound,
        }
    }

    /// Which of two entries comes first in the answer.
    fn compare(&self, a: &Key, b: &Key) -> Compare {
        match self.direction {
            Direction::Forward => a.cmp(b),
            Direction::Backward => b.cmp(a),
        }
    }
}

impl Visit for Collector {
    type Partial = Found;
    type Error = Error;

    fn start(&self) -> Found {
        Found { entries: Vec::new(), bytes: 0, held: self.room.gathered() }
    }

    fn columns(&self, _stream: &Labels) -> Columns {
        Columns { lines: true, metadata: true }
    }

    fn wants(&self, span: (Timestamp, Timestamp)) -> bool {
        let nearest = match self.direction {
            Direction::Forward => span.0,
            Direction::Backward => span.1,
        };
        !self.is_beyond(nearest.nanos())
    }

    fn needles(&self) -> Needles {
        needles(self.pipeline.line_filters())
    }

    fn matches(&self, lines: &Lines) -> bool {
        let filters = self.pipeline.line_filters();
        filters.is_empty() || !filters.select(lines).is_empty()
    }

    fn work(&self) -> Option<Work> {
        self.asked.clone().map(Work::Entries)
    }

    fn part(&self, found: &mut Found, part: Bytes) -> Result<(), Error> {
        let n_before = found.entries.len();
        wire::add(&mut found.entries, part)?;
        found.bytes += found.entries[n_before..].iter().map(bytes_of).sum::<usize>();
        hold(&mut found.held, found.bytes)
    }

    fn rows(&self, found: &mut Found, stream: &Labels, rows: Rows) -> Result<(), Error> {
        let order = match self.direction {
            Direction::Forward => pipeline::Order::Forward,
            Direction::Backward => pipeline::Order::Backward,
        };
        let hash = stream.hash64();
        let mut left = self.limit;
        let mut result = Ok(());
        // Entries whose labels follow from their metadata set share them.
        let mut by_set: HashMap<u32, Arc<EntryLabels>> = HashMap::new();
        // Where the runner breaks off, there is enough of this unit.
        let _ = Runner::new(&self.pipeline).run(stream, &rows, order, &mut |entry| {
            if self.is_beyond(entry.timestamp()) {
                return ControlFlow::Break(());
            }
            let labels = match entry.set() {
                Some(set) => {
                    let shared = by_set.entry(set).or_insert_with(|| labels_of(&entry));
                    Arc::clone(shared)
                }
                None => labels_of(&entry),
            };
            let (timestamp, position) = (entry.timestamp(), entry.position());
            let entry = LogEntry {
                timestamp: Timestamp(timestamp),
                line: entry.line().into(),
                labels,
                key: Key { timestamp, stream: hash, position },
            };
            found.bytes += bytes_of(&entry);
            found.entries.push(entry);
            left -= 1;
            result = hold(&mut found.held, found.bytes);
            if left == 0 || result.is_err() {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        result
    }
}

pub(super) fn labels_of(entry: &pipeline::Entry<'_>) -> Arc<EntryLabels> {
    let mut labels = EntryLabels::default();
    for (name, category, value) in entry.labels() {
        let pairs = match category {
            Category::Stream => &mut labels.stream,
            Category::Metadata => &mut labels.metadata,
            Category::Parsed => &mut labels.parsed,
        };
        pairs.push((name.into(), value.into()));
    }
    labels.stream.sort();
    labels.metadata.sort();
    labels.parsed.sort();
    Arc::new(labels)
}

/// The first entries of the answer so far; the last of them on top.
struct Best<'c> {
    collector: &'c Collector,
    heap: BinaryHeap<Ranked<'c>>,
    bytes: usize,
    held: Gathered,
}

struct Ranked<'c> {
    entry: LogEntry,
    collector: &'c Collector,
}

impl<'c> Best<'c> {
    fn new(collector: &'c Collector) -> Best<'c> {
        Best { collector, heap: BinaryHeap::new(), bytes: 0, held: collector.room.gathered() }
    }

    fn add(&mut self, entries: Vec<LogEntry>) -> Result<(), Error> {
        for entry in entries {
            self.bytes += bytes_of(&entry);
            self.heap.push(Ranked { entry, collector: self.collector });
            if self.heap.len() > self.collector.limit
                && let Some(last) = self.heap.pop()
            {
                self.bytes -= bytes_of(&last.entry);
            }
            hold(&mut self.held, self.bytes)?;
        }
        if self.heap.len() >= self.collector.limit
            && let Some(last) = self.heap.peek()
        {
            self.collector.bound.store(last.entry.key.timestamp, Ordering::Relaxed);
        }
        Ok(())
    }

    fn into_sorted(self) -> Vec<LogEntry> {
        self.heap.into_sorted_vec().into_iter().map(|ranked| ranked.entry).collect()
    }
}

/// Draws what entries take from the node's memory.
fn hold(held: &mut Gathered, bytes: usize) -> Result<(), Error> {
    if bytes > ANSWER_BYTES_MAX {
        return Err(Error::TooLarge { what: "its entries", bytes_max: ANSWER_BYTES_MAX });
    }
    Ok(held.reach(bytes)?)
}

/// What keeping an entry costs. Labels are shared, and count once for each that shares them: an
/// upper bound.
fn bytes_of(entry: &LogEntry) -> usize {
    let parsed = entry.labels.parsed.iter().map(|(name, value)| name.len() + value.len() + 32);
    entry.line.len() + parsed.sum::<usize>() + size_of::<LogEntry>()
}

impl Ord for Ranked<'_> {
    fn cmp(&self, other: &Ranked<'_>) -> Compare {
        self.collector.compare(&self.entry.key, &other.entry.key)
    }
}

impl PartialOrd for Ranked<'_> {
    fn partial_cmp(&self, other: &Ranked<'_>) -> Option<Compare> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked<'_> {
    fn eq(&self, other: &Ranked<'_>) -> bool {
        self.cmp(other) == Compare::Equal
    }
}

impl Eq for Ranked<'_> {}

/// Keeps entries that lie at least the interval apart, as Loki does: over all streams together,
/// and of those that are within the limit.
fn thin(entries: Vec<LogEntry>, params: &Params) -> Vec<LogEntry> {
    let mut last: Option<Timestamp> = None;
    let mut keep = |entry: &LogEntry| {
        let far = last.is_none_or(|last| {
            let (early, late) = match params.direction {
                Direction::Forward => (last, entry.timestamp),
                Direction::Backward => (entry.timestamp, last),
            };
            late.since(early) >= params.interval
        });
        if far {
            last = Some(entry.timestamp);
        }
        far
    };
    entries.into_iter().filter(|entry| keep(entry)).collect()
}

/// Entries by the labels that they are shown under, sorted by these; within one in their order.
/// `merged`: all labels of the entry; else only those of its stream.
pub fn by_labels<'e>(entries: &'e [LogEntry], merged: bool) -> BTreeMap<Pairs, Vec<&'e LogEntry>> {
    let mut known: HashMap<*const EntryLabels, Pairs> = HashMap::new();
    let mut streams: BTreeMap<Pairs, Vec<&'e LogEntry>> = BTreeMap::new();
    for entry in entries {
        let pairs =
            known.entry(Arc::as_ptr(&entry.labels)).or_insert_with(|| shown(&entry.labels, merged));
        match streams.get_mut(pairs) {
            Some(stream) => stream.push(entry),
            None => {
                streams.insert(pairs.clone(), vec![entry]);
            }
        }
    }
    streams
}

/// The labels that an entry is shown under. `merged`: all of them; else those of its stream.
pub fn shown(labels: &EntryLabels, merged: bool) -> Pairs {
    if !merged {
        return labels.stream.clone();
    }
    // Names are unique over the categories: the pipeline shows a name once.
    let mut pairs = labels.stream.clone();
    pairs.extend(labels.metadata.iter().cloned());
    pairs.extend(labels.parsed.iter().cloned());
    pairs.sort();
    pairs
}
