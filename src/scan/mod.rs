//! The one way to read: LogQL and SQL both come through here.
//!
//! ```text
//! Snapshot (one view per shard, at a read index)
//!   -> plan   which streams, chunks and blocks can hold an answer      (prune: pure)
//!   -> read   ranges of objects, coalesced; head batches               (read, head)
//!   -> merge  sources of a stream that overlap in time become one set  (model::merge)
//!   -> visit  the caller's own work on rows of one stream              (run)
//! ```
//!
//! Entries are a set: an entry may stand in a chunk and in the head, or in two chunks, and must be
//! seen once. So the sources of a stream are cut into [`Unit`]s: a unit holds every source that
//! overlaps a span of time, units of one stream do not overlap, and what is read from a unit is a
//! set. Only where a unit is one whole block may its metadata answer for its rows.

mod head;
mod indexes;
mod prune;
mod read;
mod run;

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::cluster::consistency::Consistency;
use crate::cluster::{Cluster, ReadError};
use crate::model::{Index, Labels, Selector, ShardId, Tenant, TimeRange};
use crate::objects::Objects;
use crate::pool::Pool;
use crate::shard::ShardView;

pub use crate::chunk::{BlockMeta, Columns};
pub use indexes::Indexes;
pub use prune::{Plan, Unit};
pub use run::{Stats, Visit};

/// Why a scan could not give all it was asked for. It never gives a part in silence.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A shard has no leader now.
    #[error(transparent)]
    Shard(#[from] ReadError),
    /// An object is missing or cannot be reached.
    #[error(transparent)]
    Object(#[from] crate::objects::Error),
    /// An object's bytes are not what was written.
    #[error("object {object}: {source}")]
    Chunk {
        /// The object's name.
        object: String,
        /// What is wrong with it.
        source: crate::chunk::Error,
    },
    /// A batch of the WAL is not what was written.
    #[error("shard {shard}: a batch of the WAL: {source}")]
    Batch {
        /// The shard.
        shard: ShardId,
        /// What is wrong with it.
        source: crate::model::batch::Error,
    },
}

/// Which streams a reader wants.
#[derive(Clone, Debug)]
pub enum Selection {
    /// Those whose labels match.
    Selector(Selector),
    /// These; sorted.
    Streams(Arc<[Labels]>),
}

impl Selection {
    /// Whether a stream is wanted.
    pub fn accepts(&self, labels: &Labels) -> bool {
        match self {
            Selection::Selector(selector) => selector.matches(labels),
            Selection::Streams(streams) => streams.binary_search(labels).is_ok(),
        }
    }
}

/// What matters first to the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Oldest units first.
    Forward,
    /// Newest units first.
    Backward,
    /// As they lie in their objects: fewest reads.
    Any,
}

/// What to read of the selected streams.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which streams.
    pub selection: Selection,
    /// Which entries by time.
    pub range: TimeRange,
    /// What matters first.
    pub order: Order,
    /// Only what may have been committed above these indexes: for one who has read up to there.
    /// A chunk is read whole, so some of what it holds may have been read before.
    pub above: Option<Positions>,
}

/// An index of each shard.
pub type Positions = std::collections::BTreeMap<ShardId, Index>;

/// Reads what the node's shards hold. Cheap to clone.
#[derive(Clone)]
pub struct Scanner {
    cluster: Cluster,
    objects: Objects,
    indexes: Arc<Indexes>,
    pool: Pool,
    memory: Memory,
    consistency: Consistency,
}

/// Memory that running scans draw from, in KiB. Whoever needs more than is free waits.
#[derive(Clone)]
struct Memory {
    places: Arc<Semaphore>,
    kib: u32,
}

impl Scanner {
    /// `memory_bytes` bounds what all running scans hold at once.
    pub fn new(
        cluster: Cluster,
        objects: Objects,
        indexes: Indexes,
        pool: Pool,
        memory_bytes: u64,
    ) -> Scanner {
        let kib = u32::try_from(memory_bytes / 1024).unwrap_or(u32::MAX >> 4).max(1);
        let memory = Memory { places: Arc::new(Semaphore::new(kib as usize)), kib };
        Scanner {
            cluster,
            objects,
            indexes: Arc::new(indexes),
            pool,
            memory,
            consistency: Consistency::default(),
        }
    }

    /// The same scanner for a reader who wants data as recent as this.
    pub fn at(&self, consistency: Consistency) -> Scanner {
        Scanner { consistency, ..self.clone() }
    }

    /// The shards that it reads.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Where work on rows is done.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Takes one view of every shard, by default each at a read index that covers everything
    /// acknowledged before this call. What it shows does not change, whatever is sealed or flushed
    /// meanwhile.
    pub async fn snapshot(&self, tenant: &Tenant) -> Result<Snapshot, Error> {
        let views = self.cluster.shard_ids().map(|shard| async move {
            let view = self.cluster.view(shard, &self.consistency).await?;
            Ok::<_, ReadError>((shard, view))
        });
        let shards = futures::future::try_join_all(views).await?;
        Ok(Snapshot { tenant: tenant.clone(), shards })
    }
}

/// One tenant's data at one moment: one view per shard.
pub struct Snapshot {
    tenant: Tenant,
    shards: Vec<(ShardId, ShardView)>,
}

impl Snapshot {
    /// Up to where it shows each shard.
    pub fn positions(&self) -> Positions {
        self.shards.iter().map(|(shard, view)| (*shard, view.applied())).collect()
    }

    /// The view of each shard.
    pub fn views(&self) -> impl Iterator<Item = &(ShardId, ShardView)> {
        self.shards.iter()
    }

    /// The streams that may have an entry in the range, sorted. Bounds of streams are kept by the
    /// hour, so a stream whose entries lie just outside may be among them.
    pub fn streams(&self, selection: &Selection, range: &TimeRange) -> Vec<Labels> {
        let mut streams = Vec::new();
        for (_, view) in &self.shards {
            let own = view.streams().of(&self.tenant);
            let wanted =
                own.filter(|(labels, hours)| hours.overlaps(range) && selection.accepts(labels));
            streams.extend(wanted.map(|(labels, _)| labels.clone()));
        }
        streams.sort();
        // A stream lives on one shard at a time, but while it moves two may know it.
        streams.dedup();
        streams
    }
}
