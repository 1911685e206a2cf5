//! Taking care: heads become chunks in object storage, small chunks larger ones, retired chunks go
//! away.
//!
//! A task of a shard wakes on its own tick, takes a view, asks `shard::plan` what to do of its kind,
//! does it, and forgets everything. It may be killed between any two lines: what was planned is planned
//! again, what was uploaded is found again, and a command whose time has passed is stale. Each kind
//! of step has a task of its own, and so has the merging of chunks: while object storage takes
//! nothing, heads must be sealed all the same. One task per node sweeps.

mod compact;
mod pressure;
mod sweep;
mod upload;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinHandle;
use tracing::{debug, info, warn};

use crate::chunk::ChunkSummary;
use crate::cluster::{Cluster, WriteError};
use crate::model::{Index, ShardId};
use crate::objects::Objects;
use crate::pool::Pool;
use crate::shard::compaction::{Sizes, compactable};
use crate::shard::{
    ChunkKey, Command, HeadAge, ObjectInfo, Policy, Reply, ShardView, erasable, seal_due, uploads,
};
use crate::{task, telemetry};

pub use compact::Error as CompactError;
use pressure::Pressure;
pub use upload::Error as UploadError;

/// How long a task rests after a step failed: doubled each time, up to the second value.
const REST: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// Heads that are decoded, sorted and compressed at once. Each takes the memory of a whole head.
const UPLOADS_AT_ONCE: usize = 1;
/// Merges at once. Each takes the memory of what goes in and what comes out.
const MERGES_AT_ONCE: usize = 1;
/// A chunk that could not be read or merged is left alone for so long.
const LEAVE_TIME: Duration = Duration::from_secs(60 * 60);
/// How often a flush that is waited for is looked at, here and on another node.
const LOCAL_TICK: Duration = Duration::from_millis(10);
const REMOTE_TICK: Duration = Duration::from_millis(250);
/// How long `/flush` waits for object storage.
const FLUSH_TIME_MAX: Duration = Duration::from_secs(600);

/// When heads are sealed and how chunks are written.
#[derive(Clone, Debug)]
pub struct Options {
    /// When one shard's head is sealed.
    pub policy: Policy,
    /// The largest heads are sealed while all heads hold more than this, compressed.
    pub memory_bytes_max: u64,
    /// How chunks are written.
    pub chunk: crate::chunk::WriteOptions,
    /// How often a shard's chunks are looked at for some to merge; zero is never.
    pub compact_every: Duration,
    /// Which are merged.
    pub compaction: Sizes,
    /// How often objects that no row names are looked for; zero is never.
    pub sweep_every: Duration,
}

/// Why a step was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A command was not confirmed.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A chunk did not get into object storage.
    #[error(transparent)]
    Upload(#[from] UploadError),
    /// Chunks were not merged.
    #[error(transparent)]
    Compact(#[from] CompactError),
    /// An object could not be deleted.
    #[error(transparent)]
    Object(#[from] crate::objects::Error),
    /// Object storage took too long.
    #[error("shard {shard}: chunks did not reach object storage in {}s", FLUSH_TIME_MAX.as_secs())]
    Slow {
        /// The shard that waits.
        shard: ShardId,
    },
}

/// What heads and chunks went through.
struct LifecycleMetrics {
    seals: Counter,
    chunks: Counter,
    chunk_bytes: Counter,
    merges: Counter,
    merged_chunks: Counter,
    merged_bytes: Counter,
    erased: Counter,
    swept: Counter,
}

impl LifecycleMetrics {
    fn register(registry: &mut Registry) -> LifecycleMetrics {
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        LifecycleMetrics {
            seals: counter("drave_shard_seals", "Heads that were sealed"),
            chunks: counter("drave_chunk_flushes", "Chunks that reached object storage"),
            chunk_bytes: counter("drave_chunk_flushed_bytes", "Bytes of those chunks"),
            merges: counter("drave_chunk_compactions", "Chunks that took the place of several"),
            merged_chunks: counter("drave_chunk_compacted", "Chunks whose place they took"),
            merged_bytes: counter("drave_chunk_compacted_bytes", "Bytes that were written for it"),
            swept: counter("drave_chunk_swept", "Objects that no chunk named and were deleted"),
            erased: counter("drave_chunk_erased", "Objects of retired chunks that were deleted"),
        }
    }
}

/// What a shard is told of a chunk that was written.
fn object_info(bytes: u64, summary: &ChunkSummary) -> ObjectInfo {
    ObjectInfo {
        bytes,
        n_entries: summary.n_entries,
        raw_bytes: summary.raw_bytes,
        n_streams: u32::try_from(summary.n_streams).expect("a chunk has fewer than 2^32"),
        hash: summary.content,
    }
}

/// A handle on the tasks. Cheap to clone.
#[derive(Clone)]
pub struct Lifecycle(Arc<Inner>);

struct Inner {
    cluster: Cluster,
    objects: Objects,
    pool: Pool,
    options: Options,
    pressure: Pressure,
    uploads: Semaphore,
    merges: Semaphore,
    wake: Vec<Notify>,
    metrics: LifecycleMetrics,
}

impl Lifecycle {
    /// Starts a task per shard; they end when `stop` says true, and are to be awaited then.
    pub fn start(
        cluster: Cluster,
        objects: Objects,
        pool: Pool,
        options: Options,
        metrics: &telemetry::Metrics,
        stop: &watch::Receiver<bool>,
    ) -> (Lifecycle, Vec<JoinHandle<()>>) {
        let shards: Vec<ShardId> = cluster.shard_ids().collect();
        let inner = Inner {
            pressure: Pressure::new(shards.len(), options.memory_bytes_max),
            uploads: Semaphore::new(UPLOADS_AT_ONCE),
            merges: Semaphore::new(MERGES_AT_ONCE),
            wake: shards.iter().map(|_| Notify::new()).collect(),
            metrics: metrics.register(LifecycleMetrics::register),
            cluster,
            objects,
            pool,
            options,
        };
        let lifecycle = Lifecycle(Arc::new(inner));
        let mut tasks = Vec::new();
        for shard in shards {
            let inner = || Arc::clone(&lifecycle.0);
            for care in [Care::Seal, Care::Upload, Care::Erase] {
                tasks.push(task::vital("care", inner().look_after(shard, care, stop.clone())));
            }
            tasks.push(task::vital("merging", inner().merge_chunks(shard, stop.clone())));
        }
        tasks.push(task::vital("sweep", Arc::clone(&lifecycle.0).sweep(stop.clone())));
        (lifecycle, tasks)
    }

    /// Seals every head and waits until its chunks are in object storage.
    pub async fn flush(&self) -> Result<(), Error> {
        let flushes = self.0.cluster.shard_ids().map(|shard| self.0.flush_shard(shard));
        futures::future::try_join_all(flushes).await?;
        Ok(())
    }
}

/// A kind of steps. Each has a task of its own: what one waits for holds up no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Care {
    Seal,
    Upload,
    Erase,
}

impl Care {
    /// How often a shard is looked at where nothing wakes the task.
    fn tick(self) -> Duration {
        match self {
            Care::Seal => Duration::from_millis(250),
            Care::Upload => Duration::from_secs(1),
            Care::Erase => Duration::from_secs(5),
        }
    }
}

impl Inner {
    async fn flush_shard(&self, shard: ShardId) -> Result<(), Error> {
        let index = self.seal(shard).await?;
        self.wake[shard.0 as usize].notify_one();
        let flushed = async {
            // The last seal as of that command: what is sealed later is not waited for.
            let mut sealed = None;
            loop {
                if let Some(now) = self.cluster.progress(shard).await
                    && now.applied >= index
                    && now.flushed >= *sealed.get_or_insert(now.sealed)
                {
                    return;
                }
                let remote = self.cluster.local_view(shard).is_none();
                tokio::time::sleep(if remote { REMOTE_TICK } else { LOCAL_TICK }).await;
            }
        };
        let in_time = tokio::time::timeout(FLUSH_TIME_MAX, flushed).await;
        in_time.map_err(|_| Error::Slow { shard })
    }

    async fn look_after(
        self: Arc<Self>,
        shard: ShardId,
        care: Care,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut age = HeadAge::default();
        let mut rest = Duration::ZERO;
        loop {
            let wake = &self.wake[shard.0 as usize];
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(care.tick() + rest) => {}
                () = wake.notified(), if care == Care::Upload => {}
            }
            let work = self.step(shard, care, &mut age);
            // Work that a stop interrupts is done again after the next start.
            let done = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                done = work => done,
            };
            rest = match done {
                Ok(()) => Duration::ZERO,
                Err(error) => {
                    if let Error::Upload(UploadError::Object(error)) = &error {
                        self.cluster.storage_said(Some(error.to_string()));
                    }
                    let longer = (rest * 2).clamp(REST.0, REST.1);
                    warn!(%shard, %error, retry_s = longer.as_secs(), "step failed");
                    longer
                }
            };
        }
    }

    /// Asks the plan what there is to do of one kind, on a view of now, and does it.
    async fn step(&self, shard: ShardId, care: Care, age: &mut HeadAge) -> Result<(), Error> {
        match (care, self.cluster.local_view(shard)) {
            (Care::Seal, view) => self.seal_in_time(shard, view, age).await,
            // The leader takes care of the rest.
            (_, None) => Ok(()),
            (_, Some(_)) if !self.cluster.leads(shard) => Ok(()),
            (Care::Upload, Some(view)) => self.flush_heads(shard, &view).await,
            (Care::Erase, Some(view)) => self.erase(shard, &view).await,
        }
    }

    /// Seals a head where that is due. No other task tells [`Pressure`] what the shard takes: one
    /// that took its view before a seal would say after it that nothing was given back.
    async fn seal_in_time(
        &self,
        shard: ShardId,
        view: Option<ShardView>,
        age: &mut HeadAge,
    ) -> Result<(), Error> {
        let now = telemetry::now();
        let Some(view) = view else {
            // It may have moved away, with the memory that it took.
            self.pressure.observe(shard, 0);
            return Ok(());
        };
        age.observe(&view, now);
        let pressure_bytes = self.pressure.observe(shard, view.memory_bytes());
        let policy = Policy { pressure_bytes, ..self.options.policy.clone() };
        let due = if self.cluster.leads(shard) {
            seal_due(&view, &policy, age, now)
        } else {
            // The leader takes care. It does not know how little memory is left here, though.
            !view.head().is_empty() && pressure_bytes > view.sealed_memory_bytes()
        };
        if due {
            self.seal(shard).await?;
            self.wake[shard.0 as usize].notify_one();
        }
        Ok(())
    }

    /// Writes what is sealed, the oldest first.
    async fn flush_heads(&self, shard: ShardId, view: &ShardView) -> Result<(), Error> {
        for chunk in uploads(view, &self.options.policy) {
            self.flush_head(shard, view, chunk).await?;
        }
        Ok(())
    }

    /// Deletes the objects of retired chunks, and forgets their rows.
    async fn erase(&self, shard: ShardId, view: &ShardView) -> Result<(), Error> {
        let chunks = erasable(view, &self.options.policy, telemetry::now());
        if chunks.is_empty() {
            return Ok(());
        }
        for chunk in &chunks {
            self.objects.delete(&chunk.path).await?;
        }
        self.metrics.erased.inc_by(chunks.len() as u64);
        let chunks = chunks.into_iter().map(|chunk| chunk.key).collect();
        self.cluster.propose(shard, &Command::Forget { chunks }).await?;
        Ok(())
    }

    /// Merges chunks of one shard, as long as it is led here.
    async fn merge_chunks(self: Arc<Self>, shard: ShardId, mut stop: watch::Receiver<bool>) {
        let every = self.options.compact_every;
        let mut left_alone = HashSet::new();
        let mut left_since = telemetry::now();
        while !every.is_zero() {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(every) => {}
            }
            if telemetry::now().since(left_since) >= LEAVE_TIME {
                left_alone.clear();
                left_since = telemetry::now();
            }
            let merging = async {
                while self.merge_some(shard, &mut left_alone).await? {}
                Ok::<_, Error>(())
            };
            let done = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                done = merging => done,
            };
            if let Err(error) = done {
                warn!(%shard, %error, "chunks stay as they are for now");
            }
        }
    }

    /// Merges some chunks, where some are worth it; whether others may be, too.
    async fn merge_some(
        &self,
        shard: ShardId,
        left_alone: &mut HashSet<ChunkKey>,
    ) -> Result<bool, Error> {
        let _place = self.merges.acquire().await.expect("places are never closed");
        if !self.cluster.leads(shard) {
            return Ok(false);
        }
        let Some(view) = self.cluster.local_view(shard) else { return Ok(false) };
        let Some(inputs) = compactable(&view, self.options.compaction, left_alone) else {
            return Ok(false);
        };
        // What is replaced stays for a while beside what replaces it.
        let sizes = inputs.iter().filter_map(|input| Some(input.object()?.bytes));
        if !self.cluster.has_room_to_spare(sizes.sum()) {
            debug!(%shard, "chunks stay as they are: the disk is full");
            return Ok(false);
        }
        let (objects, pool) = (&self.objects, &self.pool);
        let (chunk, attempt) = (self.options.chunk, (view.applied(), telemetry::now()));
        let made = compact::compact(objects, pool, chunk, shard, &inputs, attempt).await;
        if let Err(error) = &made {
            left_alone.extend(error.chunks().iter().cloned());
        }
        let replace = made?;
        let Command::Replace { object, .. } = &replace else { unreachable!("it replaces") };
        let bytes = object.bytes;
        let (index, reply) = self.cluster.propose(shard, &replace).await?;
        // Otherwise somebody else was faster, or a sweep came in between; the object is swept.
        if matches!(reply, Reply::Done { .. }) {
            self.metrics.merges.inc();
            self.metrics.merged_chunks.inc_by(inputs.len() as u64);
            self.metrics.merged_bytes.inc_by(bytes);
            info!(%shard, chunk = index, n_inputs = inputs.len(), bytes, "merged chunks");
        }
        Ok(true)
    }

    /// Deletes what no row names, now and then.
    async fn sweep(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let every = self.options.sweep_every;
        while !every.is_zero() {
            let sweeping = async {
                tokio::time::sleep(every).await;
                sweep::sweep(&self.cluster, &self.objects, telemetry::now()).await
            };
            let swept = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                swept = sweeping => swept,
            };
            match swept {
                Ok(0) => {}
                Ok(n) => {
                    self.metrics.swept.inc_by(n);
                    info!(n, "swept objects that no chunk named");
                }
                Err(error) => warn!(%error, "nothing was swept"),
            }
        }
    }

    /// Seals what is open, if anything is; where that stands in the WAL.
    async fn seal(&self, shard: ShardId) -> Result<Index, Error> {
        let (index, reply) = self.cluster.propose(shard, &Command::Seal).await?;
        if matches!(reply, Reply::Done { .. }) {
            self.metrics.seals.inc();
            debug!(%shard, index, "sealed head");
        }
        Ok(index)
    }

    /// Writes the chunks of one sealed head and says so in the WAL.
    async fn flush_head(
        &self,
        shard: ShardId,
        view: &ShardView,
        chunk: Index,
    ) -> Result<(), Error> {
        let sealed = view.sealed_heads().iter().find(|sealed| sealed.chunk == chunk);
        let sealed = sealed.expect("the plan was made on this view");
        let tenants = {
            let _place = self.uploads.acquire().await.expect("places are never closed");
            let write = self.options.chunk;
            upload::upload(&self.objects, &self.pool, write, view, sealed).await?
        };
        self.cluster.storage_said(None);
        let bytes: u64 = tenants.iter().map(|tenant| tenant.object.bytes).sum();
        let n_chunks = tenants.len() as u64;
        let flush = Command::Flush { chunk, tenants };
        let (_, reply) = self.cluster.propose(shard, &flush).await?;
        if matches!(reply, Reply::Done { .. }) {
            self.metrics.chunks.inc_by(n_chunks);
            self.metrics.chunk_bytes.inc_by(bytes);
            info!(%shard, chunk, n_chunks, bytes, "flushed head");
        }
        Ok(())
    }
}
