//! Entries as they are committed: first what is there already, then what comes.
//!
//! In: a log query. Out: entries in the order in which their shards committed them. A tail reads
//! each batch when it is applied here, whether its client keeps up or not; what the client cannot
//! take waits in a bounded queue, and what does not fit there is dropped and announced.
//!
//! Invariants:
//! - Between the first and the last entry that [`Tail::take`] gave, every matching entry was given
//!   or announced as dropped.
//! - An entry that was committed twice is given once, as long as fewer than [`RECENT_MAX`] others
//!   came in between.
//! - [`Tail::positions`] covers only what was given or announced: who begins again from there
//!   misses nothing. Where a chunk holds entries from both sides of the positions, those before them
//!   come again, and [`Taken::may_repeat`] says so: chunks do not keep where each entry was
//!   committed.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::Error;
use super::logs::{self, Direction, EntryLabels, labels_of};
use crate::logql::ast;
use crate::logql::pipeline::{Hints, Order, Pipeline, Runner};
use crate::model::{Batch, Index, Labels, Rows, Seen, Segment, Selector, ShardId, Timestamp};
use crate::scan::{Positions, Scanner};
use crate::telemetry;

/// Bytes of entries that wait for a client.
const WAITING_BYTES_MAX: usize = 1 << 20;
/// Dropped entries that are named; the others are only counted.
const DROPPED_MAX: usize = 1000;
/// Entries that are remembered, to know them when they are pushed again.
const RECENT_MAX: usize = 16_384;
/// Entries that one who begins again may have missed.
const MISSED_MAX: usize = 10_000;

/// What to follow, and from where.
#[derive(Clone, Debug)]
pub struct Params {
    /// Entries that are there already, from this time on.
    pub start: Timestamp,
    /// At most this many of them, the newest.
    pub limit: usize,
    /// How long an entry waits for others that are older.
    pub delay: Duration,
    /// Goes on from here instead.
    pub resume: Option<Positions>,
}

/// One entry.
#[derive(Clone, Debug)]
pub struct TailEntry {
    /// When, as its sender says.
    pub timestamp: Timestamp,
    /// What, as the pipeline left it.
    pub line: Box<str>,
    /// Shared by entries that have the same.
    pub labels: Arc<EntryLabels>,
}

/// What was dropped because the client was too slow.
#[derive(Clone, Debug, Default)]
pub struct Dropped {
    /// The first of them.
    pub entries: Vec<(Timestamp, Arc<EntryLabels>)>,
    /// All of them.
    pub n: u64,
}

/// What was taken of a tail.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// Entries in their order.
    pub entries: Vec<TailEntry>,
    /// What was dropped since the last time.
    pub dropped: Dropped,
    /// Whether some of the entries may have been given before the tail was resumed.
    pub may_repeat: bool,
}

struct Waiting {
    entry: TailEntry,
    /// Where it was committed; `None` for what was there before.
    at: Option<(ShardId, Index)>,
    /// When it was seen here.
    seen: Timestamp,
}

/// One running tail.
pub struct Tail {
    scanner: Scanner,
    seen: Seen,
    selector: Selector,
    pipeline: Arc<Pipeline>,
    delay: Duration,
    applied: Vec<(ShardId, watch::Receiver<Index>)>,
    /// Up to where each shard was read.
    read: Positions,
    /// Up to where everything was given.
    given: Positions,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    dropped: Dropped,
    recent: Recent,
    /// Whether what was there at the start may hold entries that were given before.
    may_repeat: bool,
}

/// Hashes of the entries that came last.
#[derive(Default)]
struct Recent {
    known: HashSet<u128>,
    order: VecDeque<u128>,
}

impl Recent {
    /// Whether an entry is new; remembers it.
    fn is_new(&mut self, hash: u128) -> bool {
        if !self.known.insert(hash) {
            return false;
        }
        self.order.push_back(hash);
        if self.order.len() > RECENT_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

impl Tail {
    /// Begins: what is there already waits to be taken, and nothing after it will be missed.
    pub async fn start(
        scanner: &Scanner,
        seen: &Seen,
        query: &ast::LogQuery,
        params: Params,
    ) -> Result<Tail, Error> {
        let now = telemetry::now();
        let hints = Hints { labels: None, now: now.nanos() };
        let pipeline = Pipeline::compile(&query.pipeline, &hints);
        let pipeline = pipeline.map_err(|error| Error::BadQuery(error.to_string()))?;
        let cluster = scanner.cluster();
        let applied = cluster.shard_ids().map(|shard| (shard, cluster.applied(shard))).collect();
        let snapshot = scanner.snapshot(seen.clone()).await?;
        let read = snapshot.positions();
        let wanted = logs::Params {
            range: params.start..Timestamp::MAX,
            limit: params.limit,
            direction: Direction::Backward,
            interval: Duration::ZERO,
            now,
        };
        let before = match &params.resume {
            None => logs::run_on(scanner, &snapshot, query, &wanted, None).await?.entries,
            Some(positions) => {
                check(positions, &read)?;
                let all = Timestamp::MIN..Timestamp::MAX;
                let wanted = logs::Params { range: all, limit: MISSED_MAX + 1, ..wanted };
                let above = Some(positions.clone());
                let missed = logs::run_on(scanner, &snapshot, query, &wanted, above).await?;
                if missed.entries.len() > MISSED_MAX {
                    return Err(Error::BadQuery(format!(
                        "more than {MISSED_MAX} entries came since this token was given: \
                         ask for them with query_range, and tail from now"
                    )));
                }
                missed.entries
            }
        };
        let waiting: VecDeque<Waiting> = before
            .into_iter()
            .rev()
            .map(|entry| Waiting {
                entry: TailEntry {
                    timestamp: entry.timestamp,
                    line: entry.line,
                    labels: entry.labels,
                },
                at: None,
                seen: Timestamp::MIN,
            })
            .collect();
        let waiting_bytes = waiting.iter().map(|waiting| bytes_of(&waiting.entry)).sum();
        Ok(Tail {
            scanner: scanner.clone(),
            seen: seen.clone(),
            selector: query.selector.clone(),
            pipeline: Arc::new(pipeline),
            delay: params.delay,
            applied,
            given: read.clone(),
            read,
            waiting,
            waiting_bytes,
            dropped: Dropped::default(),
            recent: Recent::default(),
            may_repeat: params.resume.is_some_and(|positions| snapshot.may_split(&positions)),
        })
    }

    /// Waits until something was committed and reads it. May be given up at any await: a batch that
    /// was not read to its end is read again.
    pub async fn read(&mut self) -> Result<(), Error> {
        let shard = {
            let changes = self.applied.iter_mut().map(|(shard, applied)| {
                let (shard, read) = (*shard, self.read.get(shard).copied().unwrap_or(0));
                Box::pin(
                    async move { applied.wait_for(|index| *index > read).await.map(|_| shard) },
                )
            });
            let (changed, _, _) = futures::future::select_all(changes).await;
            changed.map_err(|_| Error::BadQuery("the server is stopping".into()))?
        };
        let read = self.read.get(&shard).copied().unwrap_or(0);
        let cluster = self.scanner.cluster();
        let view = match cluster.local_view(shard) {
            Some(view) => Ok(view),
            None => cluster.mirror(shard).await,
        };
        let Ok(view) = view else {
            // It catches up, or moves: what is missed now will be in its view.
            tokio::time::sleep(Duration::from_millis(50)).await;
            return Ok(());
        };
        if view.flushed() > read {
            return Err(Error::BadQuery(
                "the tail fell behind what is still in memory: begin again from its last token"
                    .into(),
            ));
        }
        let batches: Vec<(Index, Batch)> = view
            .batches_above(read)
            .filter(|(_, batch)| self.wants(batch))
            .map(|(index, batch)| (index, batch.clone()))
            .collect();
        for (index, batch) in batches {
            let (seen, selector) = (self.seen.clone(), self.selector.clone());
            let pipeline = Arc::clone(&self.pipeline);
            let entries =
                self.scanner.pool().run(move || entries_of(&batch, &seen, &selector, &pipeline));
            let source = |source| crate::scan::Error::Batch { shard, source };
            let entries = entries.await.map_err(source)?;
            // No await before the batch counts as read: whoever is given up goes on after it.
            let seen = telemetry::now();
            for (hash, entry) in entries {
                if self.recent.is_new(hash) {
                    self.keep(Waiting { entry, at: Some((shard, index)), seen });
                }
            }
            self.read.insert(shard, index);
            self.catch_up();
        }
        self.read.insert(shard, view.applied());
        self.catch_up();
        Ok(())
    }

    fn wants(&self, batch: &Batch) -> bool {
        let mut segments = batch.segments().iter();
        segments.any(|segment| is_seen(segment, &self.seen, &self.selector))
    }

    fn keep(&mut self, waiting: Waiting) {
        let bytes = bytes_of(&waiting.entry);
        if self.waiting_bytes + bytes > WAITING_BYTES_MAX && !self.waiting.is_empty() {
            self.dropped.n += 1;
            if self.dropped.entries.len() < DROPPED_MAX {
                let TailEntry { timestamp, labels, .. } = waiting.entry;
                self.dropped.entries.push((timestamp, labels));
            }
            return;
        }
        self.waiting_bytes += bytes;
        self.waiting.push_back(waiting);
    }

    /// Where nothing waits, everything that was read was given.
    fn catch_up(&mut self) {
        if self.waiting.is_empty() && self.dropped.n == 0 {
            self.given.clone_from(&self.read);
        }
    }

    /// When there is something to take: at once, at a time, or not before something comes.
    pub fn ready_at(&self) -> Option<Timestamp> {
        if self.dropped.n > 0 {
            return Some(Timestamp::MIN);
        }
        Some(self.waiting.front()?.seen.after(self.delay))
    }

    /// Takes up to `n_max` entries that have waited long enough, and what was dropped since the
    /// last call.
    pub fn take(&mut self, n_max: usize, now: Timestamp) -> Taken {
        let ripe = |waiting: &Waiting| waiting.seen.after(self.delay) <= now;
        let n = self.waiting.iter().take(n_max).take_while(|waiting| ripe(waiting)).count();
        let mut entries = Vec::with_capacity(n);
        let mut may_repeat = false;
        let taken: Vec<Waiting> = self.waiting.drain(..n).collect();
        for Waiting { entry, at, .. } in taken {
            self.waiting_bytes -= bytes_of(&entry);
            may_repeat |= self.may_repeat && at.is_none();
            if let Some((shard, index)) = at {
                // The rest of the batch may wait still.
                let rest = self.waiting.front().and_then(|waiting| waiting.at);
                let whole = rest != Some((shard, index));
                self.given.insert(shard, if whole { index } else { index - 1 });
            }
            entries.push(entry);
        }
        if !self.delay.is_zero() {
            entries.sort_by_key(|entry| entry.timestamp);
        }
        let dropped = std::mem::take(&mut self.dropped);
        self.catch_up();
        Taken { entries, dropped, may_repeat }
    }

    /// From where to go on; `None` while what was there before is not all given.
    pub fn positions(&self) -> Option<&Positions> {
        let is_new = self.waiting.front().is_none_or(|waiting| waiting.at.is_some());
        is_new.then_some(&self.given)
    }
}

/// Whether positions are of these shards, and not of a time to come.
fn check(positions: &Positions, read: &Positions) -> Result<(), Error> {
    let fits = positions.len() == read.len()
        && positions.iter().all(|(shard, index)| read.get(shard).is_some_and(|end| index <= end));
    if fits {
        return Ok(());
    }
    Err(Error::BadQuery("the resume token is not one of this server's".into()))
}

fn bytes_of(entry: &TailEntry) -> usize {
    let parsed = entry.labels.parsed.iter().map(|(name, value)| name.len() + value.len() + 32);
    entry.line.len() + parsed.sum::<usize>() + size_of::<Waiting>()
}

/// Whether the entries of a segment are the tail's.
fn is_seen(segment: &Segment, seen: &Seen, selector: &Selector) -> bool {
    let shown = (segment.tenant == *seen.tenant()).then(|| seen.shown(&segment.labels)).flatten();
    shown.is_some_and(|labels| selector.matches(&labels))
}

/// What a pipeline leaves of a batch, with a hash of each entry as it was pushed.
fn entries_of(
    batch: &Batch,
    seen: &Seen,
    selector: &Selector,
    pipeline: &Pipeline,
) -> Result<Vec<(u128, TailEntry)>, crate::model::batch::Error> {
    let mut entries = Vec::new();
    for (segment, rows) in batch.segments().iter().zip(batch.decode()?) {
        if is_seen(segment, seen, selector) {
            entries_of_stream(&segment.labels, &rows, pipeline, &mut entries);
        }
    }
    Ok(entries)
}

fn entries_of_stream(
    stream: &Labels,
    rows: &Rows,
    pipeline: &Pipeline,
    entries: &mut Vec<(u128, TailEntry)>,
) {
    let mut by_set: BTreeMap<u32, Arc<EntryLabels>> = BTreeMap::new();
    let flow = Runner::new(pipeline).run(stream, rows, Order::Forward, &mut |entry| {
        let labels = match entry.set() {
            Some(set) => Arc::clone(by_set.entry(set).or_insert_with(|| labels_of(&entry))),
            None => labels_of(&entry),
        };
        let timestamp = Timestamp(entry.timestamp());
        let hash = hash_of(stream, rows, entry.position());
        entries.push((hash, TailEntry { timestamp, line: entry.line().into(), labels }));
        ControlFlow::Continue(())
    });
    debug_assert!(flow.is_continue(), "nothing breaks off");
}

/// An entry is all that it says.
fn hash_of(stream: &Labels, rows: &Rows, row: usize) -> u128 {
    let mut hasher = xxhash_rust::xxh3::Xxh3Default::new();
    hasher.update(&stream.hash64().to_le_bytes());
    hasher.update(&rows.timestamps[row].to_le_bytes());
    if let Some(lines) = &rows.lines {
        hasher.update(lines.get(row));
    }
    if let Some(metadata) = &rows.metadata {
        for (name, value) in metadata.get(row).iter() {
            for part in [name, value] {
                hasher.update(&[0xff]);
                hasher.update(part.as_bytes());
            }
        }
    }
    hasher.digest128()
}
