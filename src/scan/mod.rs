//! The one way to read: LogQL and SQL both come through here.
//!
//! ```text
//! Snapshot (one view per shard, at a read index)
//!   -> plan   which streams, chunks and blocks can hold an answer      (prune: pure)
//!   -> sift   not the blocks whose filters rule them out        (sift)
//!   -> read   ranges of objects, coalesced; head batches               (read, head)
//!   -> merge  sources of a stream that overlap in time become one set  (model::merge)
//!   -> visit  the caller's own work on rows of one stream              (run)
//! ```
//!
//! A shard that is on other nodes only is scanned there: a visitor says what they are to do
//! ([`remote`]), and gets partial results instead of rows.
//!
//! Entries are a set: an entry may stand in a chunk and in the head, or in two chunks, and must be
//! seen once. So the sources of a stream are cut into [`Unit`]s: a unit holds every source that
//! overlaps a span of time, units of one stream do not overlap, and what is read from a unit is a
//! set. Only where a unit is one whole block may its metadata answer for its rows.

mod gathered;
mod head;
mod indexes;
mod prune;
mod read;
pub mod remote;
mod report;
mod run;
mod running;
mod sift;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use tokio::sync::Semaphore;

use crate::cluster::consistency::Consistency;
use crate::cluster::remote::Held;
use crate::cluster::{Cluster, Place, ReadError};
use crate::model::{Index, Labels, Seen, Selector, ShardId, Sight, TimeRange};
use crate::objects::Objects;
use crate::pool::Pool;
use crate::shard::{Chunk, ShardView};
use crate::telemetry::Metrics;

use gathered::Room;

pub use crate::chunk::{BlockMeta, Columns, Needles};
pub use gathered::{Full, Gathered};
pub use indexes::Indexes;
pub use prune::{Plan, Unit};
pub use report::{Amount, Report};
pub use run::{Phases, Stats, Visit};
pub use running::{Query, Running};

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
    /// The reader asks for more than it may, or for what cannot be.
    #[error("{0}")]
    Bad(String),
    /// Another node says that what it stores is damaged.
    #[error("shard {shard}: {reason}")]
    Damaged {
        /// The shard.
        shard: ShardId,
        /// What is wrong.
        reason: String,
    },
    /// Another node answers what cannot be.
    #[error("another node's answer: {0}")]
    Foreign(remote::Malformed),
    /// The reader kept what others waited for.
    #[error(
        "what was found was not taken for {} s while others waited for the memory: \
         take it faster, ask for less, or raise memory.queries",
        run::TAKEN_WITHIN.as_secs()
    )]
    NotTaken,
}

/// What a reader asks of all that it reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// How recent it must be.
    pub consistency: Consistency,
    /// Whether a shard that cannot be read is left out, and said to be.
    pub allow_partial: bool,
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

    /// Whether any stream of a tenant can be wanted.
    fn may_accept(&self, seen: &Seen) -> bool {
        match self {
            Selection::Selector(selector) => seen.may_match(selector),
            Selection::Streams(streams) => !streams.is_empty(),
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

/// How much one query may need, over all of its scans. 0 is no bound.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bounds {
    /// Streams that have something in its range.
    pub streams_max: u64,
    /// Chunks.
    pub chunks_max: u64,
}

impl Bounds {
    /// Whether what was met so far is within them; why not, in Loki's words.
    fn check(&self, stats: &Stats) -> Result<(), Error> {
        let over = |counter: &AtomicU64, most: u64| {
            let n = counter.load(Ordering::Relaxed);
            (most > 0 && n > most).then_some((n, most))
        };
        if let Some((n, most)) = over(&stats.streams, self.streams_max) {
            return Err(Error::Bad(format!(
                "cardinality limit exceeded for the streams of this query; \
                 {n} entries, more than limit of {most}"
            )));
        }
        if let Some((n, most)) = over(&stats.chunks, self.chunks_max) {
            return Err(Error::Bad(format!("Query fetched too many chunks ({n} > {most})")));
        }
        Ok(())
    }
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
    room: Room,
    reading: Reading,
    report: Arc<Report>,
    running: Arc<Running>,
    /// Tasks of one scan that may run at once.
    tasks_max: usize,
    bounds: Bounds,
    metrics: Arc<ScanMetrics>,
}

/// What scans moved.
struct ScanMetrics {
    read_bytes: Counter,
}

impl ScanMetrics {
    fn register(registry: &mut Registry) -> ScanMetrics {
        let read_bytes = Counter::default();
        let help = "Bytes of lines and metadata that queries decoded";
        registry.register("drave_scan_read_bytes", help, read_bytes.clone());
        ScanMetrics { read_bytes }
    }
}

/// Memory that running scans draw from, in KiB. Whoever needs more than is free waits.
#[derive(Clone)]
struct Memory {
    places: Arc<Semaphore>,
    kib: u32,
    /// How many wait for it.
    waiting: Arc<AtomicUsize>,
}

impl Scanner {
    /// `memory_bytes` bounds what all running scans and what is gathered from them hold at once:
    /// half of it for each.
    pub fn new(
        cluster: Cluster,
        objects: Objects,
        indexes: Indexes,
        pool: Pool,
        memory_bytes: u64,
        metrics: &Metrics,
    ) -> Scanner {
        let half = memory_bytes / 2;
        let kib = u32::try_from(half / 1024).unwrap_or(u32::MAX >> 4).max(1);
        let places = Arc::new(Semaphore::new(kib as usize));
        let memory = Memory { places, kib, waiting: Arc::default() };
        Scanner {
            cluster,
            objects,
            indexes: Arc::new(indexes),
            pool,
            memory,
            room: Room::new(half),
            reading: Reading::default(),
            report: Arc::default(),
            running: Arc::default(),
            tasks_max: usize::MAX,
            bounds: Bounds::default(),
            metrics: Arc::new(metrics.register(ScanMetrics::register)),
        }
    }

    /// The same scanner, where each scan works on at most so many pieces at once.
    pub fn at_most(&self, tasks_max: usize) -> Scanner {
        Scanner { tasks_max: tasks_max.max(1), ..self.clone() }
    }

    /// The same scanner, for a query that is refused where it needs more than this.
    pub fn within(&self, bounds: Bounds) -> Scanner {
        Scanner { bounds, ..self.clone() }
    }

    /// Memory for what one reader gathers: it has none yet.
    pub fn gathered(&self) -> Gathered {
        self.room.gathered(self.report.held())
    }

    /// The same scanner for one reader, with a report of its own.
    pub fn at(&self, reading: Reading) -> Scanner {
        Scanner { reading, report: Arc::default(), ..self.clone() }
    }

    /// A view of each shard; of those that other nodes keep, a copy.
    pub async fn views(&self, snapshot: &Snapshot) -> Result<Vec<(ShardId, ShardView)>, Error> {
        let mut views: Vec<_> =
            snapshot.here().map(|(shard, view)| (shard, view.clone())).collect();
        for (shard, _) in snapshot.there() {
            match self.cluster.mirror(shard).await {
                Ok(view) => views.push((shard, view)),
                Err(error) => self.without(error)?,
            }
        }
        Ok(views)
    }

    /// How old what this reader has read may be, and what is missing of it.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Goes on without a shard, where the reader allows that.
    fn without(&self, error: ReadError) -> Result<(), Error> {
        if !self.reading.allow_partial {
            return Err(error.into());
        }
        self.report.without(error);
        Ok(())
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
    pub async fn snapshot(&self, sight: impl Into<Sight>) -> Result<Snapshot, Error> {
        let sight = sight.into();
        let mut shards = Vec::new();
        for (shard, seen) in self.cluster.views(&self.reading.consistency).await {
            match seen {
                Ok(seen) => {
                    self.report.saw(seen.staleness);
                    shards.push((shard, seen.view));
                }
                Err(error) => self.without(error)?,
            }
        }
        Ok(Snapshot { sight, shards })
    }
}

/// What may be seen of the data at one moment: one view per shard.
pub struct Snapshot {
    sight: Sight,
    shards: Vec<(ShardId, Place)>,
}

impl Snapshot {
    /// What one view of a shard on this node shows.
    pub fn of(sight: impl Into<Sight>, view: ShardView) -> Snapshot {
        let sight = sight.into();
        Snapshot { sight, shards: vec![(view.shard(), Place::Here(view))] }
    }

    /// Up to where it shows each shard.
    pub fn positions(&self) -> Positions {
        self.shards.iter().map(|(shard, place)| (*shard, place.applied())).collect()
    }

    /// Whether a chunk may hold entries from both sides of these positions: what is read above them
    /// then has some from below. Of shards elsewhere that is not known.
    pub fn may_split(&self, positions: &Positions) -> bool {
        self.shards.iter().any(|(shard, place)| {
            let index = positions.get(shard).copied().unwrap_or(0);
            match place {
                Place::Here(view) => {
                    let chunks = || view.manifest().iter().map(|(_, chunk)| chunk);
                    let is_border = chunks().any(|chunk| chunk.covers.last == index);
                    let is_inside =
                        |chunk: &Chunk| chunk.covers.first <= index && index < chunk.covers.last;
                    let is_merged = chunks().any(|chunk| chunk.is_visible() && is_inside(chunk));
                    index > 0 && index < view.flushed() && (!is_border || is_merged)
                }
                Place::There(held) => index > 0 && index < held.applied(),
            }
        })
    }

    /// Views of shards on this node.
    fn here(&self) -> impl Iterator<Item = (ShardId, &ShardView)> {
        self.shards.iter().filter_map(|(shard, place)| match place {
            Place::Here(view) => Some((*shard, view)),
            Place::There(_) => None,
        })
    }

    /// Views of shards that other nodes keep.
    fn there(&self) -> impl Iterator<Item = (ShardId, &Held)> {
        self.shards.iter().filter_map(|(shard, place)| match place {
            Place::Here(_) => None,
            Place::There(held) => Some((*shard, held)),
        })
    }

    /// See [`Scanner::streams`]; of the shards on this node, in no order.
    fn streams_here(&self, selection: &Selection, range: &TimeRange) -> Vec<Labels> {
        let mut streams = Vec::new();
        for (_, view) in self.here() {
            for seen in self.seen(selection) {
                let own = view.streams().of(seen.tenant());
                let own = own.filter(|(_, hours)| hours.overlaps(range));
                let shown = own.filter_map(|(labels, _)| seen.shown(labels));
                let wanted = shown.filter(|labels| selection.accepts(labels));
                streams.extend(wanted.map(Cow::into_owned));
            }
        }
        streams
    }

    /// The tenants of which a stream may be wanted.
    fn seen(&self, selection: &Selection) -> impl Iterator<Item = &Seen> {
        self.sight.seen().iter().filter(|seen| selection.may_accept(seen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Tenant, Timestamp};
    use crate::shard::compaction::tests::{replace, shard};

    /// Rows of chunks that were merged still said where seals are: whoever went on behind one got
    /// entries again and was not told. Found by reading this again when chunks began to be merged.
    #[test]
    fn a_seal_inside_a_merged_chunk_splits_it() {
        let tenant = Tenant::parse("a").expect("a tenant");
        // Append, seal and flush, five times: the seals are 2, 5, 8, 11 and 14.
        let mut shard = shard(&[("a", 7); 5]);
        let split = |shard: &crate::shard::Shard| -> Vec<u64> {
            let view = shard.view().expect("a view");
            let snapshot = Snapshot::of(&tenant, view);
            let at = |index| Positions::from([(ShardId(0), index)]);
            (0..16).filter(|index| snapshot.may_split(&at(*index))).collect()
        };
        assert_eq!(split(&shard), [1, 3, 4, 6, 7, 9, 10, 12, 13]);
        let view = shard.view().expect("a view");
        let all = view.chunks(&tenant, &(Timestamp::MIN..Timestamp::MAX));
        let middle: Vec<crate::shard::Chunk> = all[1..4].iter().map(|c| (*c).clone()).collect();
        replace(&mut shard, &middle);
        assert_eq!(split(&shard), [1, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13]);
    }
}
