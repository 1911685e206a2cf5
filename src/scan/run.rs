//! Carries a visitor over what a request asks for: shard after shard, units in parallel. Shards on
//! other nodes are asked for at the same time.
//!
//! A task is a few units: their bytes are fetched, then decoded, merged and visited in one job of
//! the pool. Each task has a partial result of its own, so that nothing is locked while rows are
//! looked at; they go to a bounded channel, and whoever reads it joins them. A scan draws its memory before it reads and waits while
//! others hold it; it draws once per shard, so two scans cannot wait for each other for ever.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use tokio::sync::mpsc;

use super::gathered::{Drawn, Told};
use super::head::{self, HeadRows};
use super::prune::{self, Chunk, Plan, Unit};
use super::remote::Work;
use super::{Error, Needles, Order, Request, Scanner, Snapshot, read};
use crate::chunk::{BlockMeta, Columns};
use crate::model::{Labels, Lines, Rows, Seen, Tenant, Timestamp};
use crate::shard::ShardView;
use crate::telemetry::Stopwatch;

/// Bytes of lines that one task holds: small where the newest or oldest entries may end the scan.
const TASK_BYTES: u64 = 16 << 20;
/// See [`TASK_BYTES`].
const TASK_BYTES_ORDERED: u64 = 2 << 20;
/// The first task holds only this, and each next one four times as much as the one before: whoever
/// reads rows waits for the first task, and for no other.
const TASK_BYTES_FIRST: u64 = 512 << 10;
/// Units of one task.
const TASK_UNITS_MAX: usize = 256;
/// Chunk indexes, or filters, that are loaded at once.
pub(super) const INDEX_LOADS: usize = 8;
/// A reader that takes nothing for so long gives its memory back, if others wait for it.
pub(super) const TAKEN_WITHIN: Duration = Duration::from_secs(10);
/// Shards that other nodes scan at once for one request.
const SHARDS_THERE: usize = 16;

/// What a reader does with rows. One value is shared by all tasks.
pub trait Visit: Send + Sync + 'static {
    /// What one task gathers.
    type Partial: Send + 'static;
    /// What ends the scan.
    type Error: From<Error> + Send + 'static;

    /// The start of a task's result.
    fn start(&self) -> Self::Partial;

    /// What it looks at of a stream's rows, beside their timestamps.
    fn columns(&self, stream: &Labels) -> Columns;

    /// Whether entries of this span of time can still matter.
    fn wants(&self, _span: (Timestamp, Timestamp)) -> bool {
        true
    }

    /// Whether any of these lines can matter. Where none does, nothing else of them is decoded.
    fn matches(&self, _lines: &Lines) -> bool {
        true
    }

    /// What every entry that can matter contains: blocks that cannot have it are not read.
    fn needles(&self) -> Needles {
        Needles::default()
    }

    /// Answers for a block from its metadata alone, where that is enough. `false`: read it.
    fn block(&self, _partial: &mut Self::Partial, _stream: &Labels, _block: &BlockMeta) -> bool {
        false
    }

    /// Rows of one stream: a set, in time order. Units of one stream never overlap in time.
    fn rows(
        &self,
        partial: &mut Self::Partial,
        stream: &Labels,
        rows: Rows,
    ) -> Result<(), Self::Error>;

    /// How another node does the same with the rows of a shard of its own: what it finds comes back
    /// to [`Visit::part`]. Nothing: the rows are looked at here.
    fn work(&self) -> Option<Work> {
        None
    }

    /// Takes in what another node found.
    fn part(&self, _partial: &mut Self::Partial, _part: Bytes) -> Result<(), Self::Error> {
        unreachable!("only who gives work away gets parts of it")
    }

    /// The same for rows that all come from one block: some of it, or all.
    fn rows_of_block(
        &self,
        partial: &mut Self::Partial,
        stream: &Labels,
        rows: Rows,
        _block: &BlockMeta,
    ) -> Result<(), Self::Error> {
        self.rows(partial, stream, rows)
    }
}

/// What a scan read: for the `stats` of an answer.
#[derive(Debug, Default)]
pub struct Stats {
    /// Streams that have something to read.
    pub streams: AtomicU64,
    /// Chunks whose time and tenant fit.
    pub chunks: AtomicU64,
    /// Blocks of these chunks that cannot hold an answer, by stream or time.
    pub blocks_pruned: AtomicU64,
    /// Blocks that were answered from metadata.
    pub blocks_skipped: AtomicU64,
    /// Blocks whose filters said that nothing wanted is in them.
    pub blocks_filtered: AtomicU64,
    /// Blocks that were read.
    pub blocks_read: AtomicU64,
    /// Units of these of which no line matched: nothing but their lines was decoded.
    pub units_unmatched: AtomicU64,
    /// Rows that were looked at.
    pub rows: AtomicU64,
    /// Bytes of lines that were looked at.
    pub line_bytes: AtomicU64,
    /// Bytes that came from object storage.
    pub object_bytes: AtomicU64,
    /// Reads of object storage.
    pub object_reads: AtomicU64,
    /// Rows that came from the head.
    pub head_batches: AtomicU64,
    /// Shards that other nodes scanned.
    pub remote_shards: AtomicU64,
    /// Bytes of their answers.
    pub remote_bytes: AtomicU64,
    /// Where the time went.
    pub phases: Phases,
}

/// Nanoseconds by what was done. Tasks that run at once count each, so the sum of the last three
/// may be longer than the query took.
#[derive(Debug, Default)]
pub struct Phases {
    /// Loading indexes of chunks, and planning.
    pub plan: AtomicU64,
    /// Waiting for memory.
    pub wait: AtomicU64,
    /// Decoding batches of the head.
    pub head: AtomicU64,
    /// Reading from object storage.
    pub fetch: AtomicU64,
    /// Decoding, filtering and evaluating rows.
    pub compute: AtomicU64,
}

fn spent(phase: &AtomicU64, since: Stopwatch) {
    let nanos = u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX);
    phase.fetch_add(nanos, Ordering::Relaxed);
}

impl Stats {
    /// What other nodes count for this one, in the order in which they say it.
    pub(super) fn counters(&self) -> [&AtomicU64; 10] {
        [
            &self.chunks,
            &self.blocks_skipped,
            &self.blocks_filtered,
            &self.blocks_read,
            &self.rows,
            &self.line_bytes,
            &self.object_bytes,
            &self.object_reads,
            &self.head_batches,
            &self.streams,
        ]
    }

    pub(super) fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }

    /// Notes that lines were looked at.
    pub(super) fn looked_at(&self, lines: Option<&Lines>, n_rows: usize) {
        Stats::add(&self.rows, n_rows as u64);
        Stats::add(&self.line_bytes, lines.map_or(0, |lines| lines.span().len()) as u64);
    }
}

impl Scanner {
    /// Visits everything the request asks for and sends each task's result to `out`. Where nobody
    /// receives any more, the scan ends early and well.
    pub async fn run<V: Visit>(
        &self,
        snapshot: &Snapshot,
        request: &Request,
        visitor: Arc<V>,
        stats: &Arc<Stats>,
        out: mpsc::Sender<V::Partial>,
    ) -> Result<(), V::Error> {
        self.report.runs(stats);
        let work = visitor.work();
        let seen: Vec<&Seen> = snapshot.seen(&request.selection).collect();
        let there = snapshot.there().map(|(shard, held)| {
            let (visitor, work, out, seen) = (&visitor, work.clone(), &out, &seen);
            async move {
                let Some(work) = work else {
                    let view = match self.cluster.mirror(shard).await {
                        Ok(view) => view,
                        Err(error) => return Ok(self.without(error)?),
                    };
                    return self.run_here(&view, seen, request, visitor, stats, out).await;
                };
                for seen in seen {
                    let (work, asked) = (work.clone(), (*seen, request));
                    self.run_there((shard, held), asked, work, visitor, stats, out).await?;
                }
                Ok(self.bounds.check(stats)?)
            }
        });
        let there: Vec<_> = there.collect();
        let there = async {
            let mut there = futures::stream::iter(there).buffer_unordered(SHARDS_THERE);
            while let Some(()) = there.try_next().await? {}
            Ok(())
        };
        let here = async {
            for (_, view) in snapshot.here() {
                if out.is_closed() {
                    break;
                }
                self.run_here(view, &seen, request, &visitor, stats, &out).await?;
            }
            Ok(())
        };
        futures::try_join!(here, there).map(|_| ())
    }

    /// Visits a shard of which there is a view here, tenant after tenant.
    async fn run_here<V: Visit>(
        &self,
        view: &ShardView,
        seen: &[&Seen],
        request: &Request,
        visitor: &Arc<V>,
        stats: &Arc<Stats>,
        out: &mpsc::Sender<V::Partial>,
    ) -> Result<(), V::Error> {
        for seen in seen {
            self.run_tenant(view, seen, request, visitor, stats, out).await?;
        }
        Ok(())
    }

    async fn run_tenant<V: Visit>(
        &self,
        view: &ShardView,
        seen: &Seen,
        request: &Request,
        visitor: &Arc<V>,
        stats: &Arc<Stats>,
        out: &mpsc::Sender<V::Partial>,
    ) -> Result<(), V::Error> {
        let began = Stopwatch::start();
        let chunks = self.chunks(seen.tenant(), view, request, stats).await?;
        let columns = |stream: &Labels| visitor.columns(stream);
        let plan = prune::plan(view, seen, chunks, request, columns);
        spent(&stats.phases.plan, began);
        Stats::add(&stats.streams, plan.streams.len() as u64);
        self.bounds.check(stats)?;
        let n_blocks: usize = plan.chunks.iter().map(|chunk| chunk.index.blocks.len()).sum();
        let n_wanted: usize = plan.units.iter().map(|unit| unit.blocks.len()).sum();
        Stats::add(&stats.blocks_pruned, n_blocks.saturating_sub(n_wanted) as u64);
        self.run_shard(plan, request.order, visitor, stats, out).await
    }

    /// The tenant's visible flushed chunks that overlap the range, in commit order.
    async fn chunks(
        &self,
        tenant: &Tenant,
        view: &ShardView,
        request: &Request,
        stats: &Stats,
    ) -> Result<Vec<Chunk>, Error> {
        let mut chunks = view.chunks(tenant, &request.range);
        if let Some(above) = &request.above {
            let index = above.get(&view.shard()).copied().unwrap_or(0);
            chunks.retain(|chunk| chunk.covers.last > index);
        }
        Stats::add(&stats.chunks, chunks.len() as u64);
        self.bounds.check(stats)?;
        let loads = chunks.into_iter().map(|chunk| {
            let object = chunk.path(view.shard());
            let bytes = chunk.object().expect("the view gives flushed chunks").bytes;
            async move {
                let index = self.indexes.get(&self.objects, &object, bytes).await?;
                Ok::<_, Error>(Chunk { object, index })
            }
        });
        // All futures first: a closure over borrowed chunks may not live across an await.
        let loads: Vec<_> = loads.collect();
        futures::stream::iter(loads).buffered(INDEX_LOADS).try_collect().await
    }

    async fn run_shard<V: Visit>(
        &self,
        mut plan: Plan,
        order: Order,
        visitor: &Arc<V>,
        stats: &Arc<Stats>,
        out: &mpsc::Sender<V::Partial>,
    ) -> Result<(), V::Error> {
        let mut from_metadata = visitor.start();
        let units = std::mem::take(&mut plan.units);
        let units = self.answer_from_metadata(&plan, units, visitor, stats, &mut from_metadata);
        let units = self.sift(&plan, units, &visitor.needles(), stats).await?;
        if out.send(from_metadata).await.is_err() || units.is_empty() {
            return Ok(());
        }
        let task_bytes = if order == Order::Any { TASK_BYTES } else { TASK_BYTES_ORDERED };
        let at_once = self.pool.n_places().min(self.tasks_max);
        let needed = plan.memory_bytes(at_once as u64, task_bytes);
        let began = Stopwatch::start();
        let _memory = self.memory.draw(needed, self.report.held()).await;
        spent(&stats.phases.wait, began);

        if !units.iter().any(|unit| unit.head) {
            plan.head = prune::Head::default();
        }
        Stats::add(&stats.head_batches, plan.head.batches.len() as u64);
        let plan = Arc::new(plan);
        let began = Stopwatch::start();
        let head = Arc::new(head::decode(&self.pool, &plan).await?);
        spent(&stats.phases.head, began);
        // Goes away with this future: who asked may have gone, and nobody would read the rest.
        let asked = Arc::new(());
        let tasks = into_tasks(units, task_bytes).into_iter().map(|units| {
            let (plan, head, visitor) = (Arc::clone(&plan), Arc::clone(&head), visitor.clone());
            self.task(plan, head, units, visitor, Arc::clone(stats), Arc::downgrade(&asked))
        });
        let tasks: Vec<_> = tasks.collect();
        let mut tasks = futures::stream::iter(tasks).buffer_unordered(at_once);
        while let Some(partial) = tasks.try_next().await? {
            if !self.memory.send(out, partial).await? {
                break;
            }
        }
        Ok(())
    }

    /// Lets the visitor answer for whole blocks; what is left must be read.
    fn answer_from_metadata<V: Visit>(
        &self,
        plan: &Plan,
        units: Vec<Unit>,
        visitor: &Arc<V>,
        stats: &Stats,
        partial: &mut V::Partial,
    ) -> Vec<Unit> {
        let mut left = Vec::with_capacity(units.len());
        for unit in units {
            let stream = &plan.streams[unit.stream as usize];
            match plan.whole_block(&unit) {
                Some(block) if visitor.block(partial, stream, block) => {
                    Stats::add(&stats.blocks_skipped, 1);
                }
                _ => left.push(unit),
            }
        }
        left
    }

    async fn task<V: Visit>(
        &self,
        plan: Arc<Plan>,
        head: Arc<HeadRows>,
        mut units: Vec<Unit>,
        visitor: Arc<V>,
        stats: Arc<Stats>,
        asked: Weak<()>,
    ) -> Result<V::Partial, V::Error> {
        units.retain(|unit| visitor.wants(unit.span()));
        let began = Stopwatch::start();
        let fetched = read::fetch(&self.objects, &plan, &units).await?;
        spent(&stats.phases.fetch, began);
        Stats::add(&stats.object_bytes, fetched.bytes);
        Stats::add(&stats.object_reads, fetched.reads);
        let metrics = Arc::clone(&self.metrics);
        self.pool
            .run(move || {
                let began = Stopwatch::start();
                let mut partial = visitor.start();
                for unit in units {
                    if asked.strong_count() == 0 {
                        break;
                    }
                    if !visitor.wants(unit.span()) {
                        continue;
                    }
                    metrics.read_bytes.inc_by(unit.raw_bytes);
                    Stats::add(&stats.blocks_read, unit.blocks.len() as u64);
                    let matches = |lines: &Lines| visitor.matches(lines);
                    let head = head.of(unit.stream);
                    let rows = read::rows_of(&plan, &unit, &fetched, head, &matches, &stats)?;
                    let stream = &plan.streams[unit.stream as usize];
                    match (rows, plan.only_block(&unit)) {
                        (None, _) => Stats::add(&stats.units_unmatched, 1),
                        (Some(rows), None) => visitor.rows(&mut partial, stream, rows)?,
                        (Some(rows), Some(block)) => {
                            visitor.rows_of_block(&mut partial, stream, rows, block)?;
                        }
                    }
                }
                spent(&stats.phases.compute, began);
                Ok(partial)
            })
            .await
    }
}

/// Groups units in their order, up to the bytes of a task.
fn into_tasks(units: Vec<Unit>, task_bytes: u64) -> Vec<Vec<Unit>> {
    let mut tasks: Vec<Vec<Unit>> = Vec::new();
    let (mut bytes, mut bytes_max) = (0, TASK_BYTES_FIRST);
    for unit in units {
        let fits = bytes + unit.raw_bytes <= bytes_max.min(task_bytes)
            && tasks.last().is_some_and(|task| task.len() < TASK_UNITS_MAX);
        if !fits {
            if !tasks.is_empty() {
                bytes_max = (4 * bytes_max).min(task_bytes);
            }
            tasks.push(Vec::new());
            bytes = 0;
        }
        bytes += unit.raw_bytes;
        tasks.last_mut().expect("one was just pushed").push(unit);
    }
    tasks
}

impl super::Memory {
    /// Waits until the memory is free. Who wants more than there is gets all of it, alone.
    async fn draw(&self, bytes: u64, told: Told) -> Drawn {
        let kib = u32::try_from(bytes / 1024).unwrap_or(u32::MAX).clamp(1, self.kib);
        let _waits = Waits::new(&self.waiting);
        let draw = Arc::clone(&self.places).acquire_many_owned(kib).await;
        let permit = draw.expect("the memory's places are never closed");
        Drawn::new(u64::from(kib) * 1024, permit, told)
    }

    /// Hands on what was found by whoever holds memory; whether anybody still wants more. A reader
    /// may rest as long as it likes (a cursor that nobody fetches from), unless others wait for what
    /// it holds.
    async fn send<T>(&self, out: &mpsc::Sender<T>, found: T) -> Result<bool, Error> {
        let mut send = std::pin::pin!(out.send(found));
        loop {
            match tokio::time::timeout(TAKEN_WITHIN, &mut send).await {
                Ok(sent) => return Ok(sent.is_ok()),
                Err(_) if self.waiting.load(Ordering::Relaxed) > 0 => return Err(Error::NotTaken),
                Err(_) => {}
            }
        }
    }
}

/// Counts among those who wait while it is there.
struct Waits<'a>(&'a AtomicUsize);

impl Waits<'_> {
    fn new(waiting: &AtomicUsize) -> Waits<'_> {
        waiting.fetch_add(1, Ordering::Relaxed);
        Waits(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first of a million rows came after 16 MiB of them were decoded.
    #[test]
    fn first_tasks_are_small() {
        let unit = |raw_bytes| Unit {
            stream: 0,
            range: Timestamp(0)..Timestamp(1),
            blocks: Vec::new(),
            head: true,
            span: (Timestamp(0), Timestamp(0)),
            raw_bytes,
        };
        let check = |unit_bytes: u64, n: usize, task_bytes: u64, expected: &[usize]| {
            let units = (0..n).map(|_| unit(unit_bytes)).collect();
            let tasks = into_tasks(units, task_bytes);
            let sizes: Vec<usize> = tasks.iter().map(Vec::len).collect();
            assert_eq!(sizes, expected, "{n} units of {unit_bytes}");
        };
        check(256 << 10, 100, TASK_BYTES, &[2, 8, 32, 58]);
        check(256 << 10, 20, TASK_BYTES_ORDERED, &[2, 8, 8, 2]);
        check(64 << 20, 2, TASK_BYTES, &[1, 1]);
        check(0, 300, TASK_BYTES, &[TASK_UNITS_MAX, 300 - TASK_UNITS_MAX]);
        check(1, 0, TASK_BYTES, &[]);
    }
}
