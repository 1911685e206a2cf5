//! Taking care: heads become chunks in object storage, retired chunks go away.
//!
//! One task per shard wakes on its own tick, takes a view, asks `shard::plan` what to do, does it,
//! and forgets everything. It may be killed between any two lines: what was planned is planned
//! again, what was uploaded is found again, and a command whose time has passed is stale.

mod pressure;
mod upload;

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinHandle;
use tracing::{debug, info, warn};

use crate::cluster::{Cluster, WriteError};
use crate::model::{Index, ShardId};
use crate::objects::Objects;
use crate::pool::Pool;
use crate::shard::{Command, HeadAge, Policy, Reply, Step, plan};
use crate::telemetry;

use pressure::Pressure;
pub use upload::Error as UploadError;

/// How often a shard is looked at where nothing wakes its task.
const TICK: Duration = Duration::from_millis(250);
/// How long a task rests after a step failed: doubled each time, up to the second value.
const REST: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// Heads that are decoded, sorted and compressed at once. Each takes the memory of a whole head.
const UPLOADS_AT_ONCE: usize = 1;
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
    erased: Counter,
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
            erased: counter("drave_chunk_erased", "Objects of retired chunks that were deleted"),
        }
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
            wake: shards.iter().map(|_| Notify::new()).collect(),
            metrics: metrics.register(LifecycleMetrics::register),
            cluster,
            objects,
            pool,
            options,
        };
        let lifecycle = Lifecycle(Arc::new(inner));
        let tasks = shards
            .into_iter()
            .map(|shard| tokio::spawn(Arc::clone(&lifecycle.0).look_after(shard, stop.clone())));
        let tasks = tasks.collect();
        (lifecycle, tasks)
    }

    /// Seals every head and waits until its chunks are in object storage.
    pub async fn flush(&self) -> Result<(), Error> {
        let flushes = self.0.cluster.shard_ids().map(|shard| self.0.flush_shard(shard));
        futures::future::try_join_all(flushes).await?;
        Ok(())
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

    async fn look_after(self: Arc<Self>, shard: ShardId, mut stop: watch::Receiver<bool>) {
        let mut age = HeadAge::default();
        let mut rest = Duration::ZERO;
        loop {
            let wake = &self.wake[shard.0 as usize];
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(TICK + rest) => {}
                () = wake.notified() => {}
            }
            let work = self.step(shard, &mut age);
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

    /// Plans on a view of now and does what the plan says.
    async fn step(&self, shard: ShardId, age: &mut HeadAge) -> Result<(), Error> {
        let now = telemetry::now();
        let Some(view) = self.cluster.local_view(shard) else { return Ok(()) };
        age.observe(&view, now);
        let pressure_bytes = self.pressure.observe(shard, view.memory_bytes());
        let policy = Policy { pressure_bytes, ..self.options.policy.clone() };
        if !self.cluster.leads(shard) {
            // The leader takes care. It does not know how little memory is left here, though.
            if !view.head().is_empty() && pressure_bytes > view.sealed_memory_bytes() {
                self.seal(shard).await?;
            }
            return Ok(());
        }
        for step in plan(&view, &policy, age, now) {
            match step {
                Step::Seal => {
                    self.seal(shard).await?;
                    self.wake[shard.0 as usize].notify_one();
                }
                Step::Upload { chunk } => self.flush_head(shard, &view, chunk).await?,
                Step::Erase { chunks } => {
                    for chunk in &chunks {
                        self.objects.delete(&chunk.path).await?;
                    }
                    self.metrics.erased.inc_by(chunks.len() as u64);
                    let chunks = chunks.into_iter().map(|chunk| chunk.key).collect();
                    self.cluster.propose(shard, &Command::Forget { chunks }).await?;
                }
            }
        }
        Ok(())
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
        view: &crate::shard::ShardView,
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
