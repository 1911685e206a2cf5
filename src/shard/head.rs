//! Entries in memory: the open head, and sealed heads on their way to object storage.
//!
//! In: batches in WAL order. Out: cheap copies for readers, totals for the planner, and, for the
//! writer of chunks, which pieces of which batches make up each stream.
//!
//! Batches stay as they were pushed, compressed: nothing is decoded or sorted here, because every
//! push of the shard waits for its turn in `apply`.

use std::collections::BTreeMap;

use super::map::Map;
use super::object::{empty_content, next_content};
use crate::model::{Batch, Index, Labels, Segment, Tenant, Timestamp};

/// Batches in WAL order, with their totals. Copies are cheap, also with 50,000 batches.
#[derive(Clone, Default)]
pub struct Head {
    batches: Map<Index, Batch>,
    totals: Totals,
}

/// What a head adds up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Entries, counting those that were pushed twice.
    pub n_entries: u64,
    /// Bytes of lines and metadata, uncompressed.
    pub raw_bytes: u64,
    /// Bytes of the batches as they are: compressed.
    pub encoded_bytes: u64,
    /// Memory that the batches take.
    pub memory_bytes: u64,
}

impl Head {
    /// The batches and their indexes, in WAL order.
    pub fn iter(&self) -> impl Iterator<Item = (Index, &Batch)> {
        self.batches.iter().map(|(index, batch)| (*index, batch))
    }

    /// The batches above an index, in WAL order: what a tail that has read up to there has missed.
    pub fn iter_above(&self, index: Index) -> impl Iterator<Item = (Index, &Batch)> {
        self.batches.iter_after(move |own| *own <= index).map(|(index, batch)| (*index, batch))
    }

    /// The batch that landed at an index.
    pub fn get(&self, index: Index) -> Option<&Batch> {
        self.batches.get(&index)
    }

    /// How many batches there are.
    pub fn n_batches(&self) -> usize {
        self.batches.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// The index of the oldest batch.
    pub fn first_index(&self) -> Option<Index> {
        self.iter().next().map(|(index, _)| index)
    }

    /// What it adds up to.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    pub(super) fn push(&mut self, index: Index, batch: Batch) {
        assert!(self.batches.last().is_none_or(|(last, _)| *last < index), "in WAL order");
        self.totals.add(&batch);
        self.batches.insert(index, batch);
    }
}

impl Totals {
    pub(super) fn add(&mut self, batch: &Batch) {
        self.n_entries += batch.n_entries();
        self.raw_bytes += batch.raw_bytes();
        self.encoded_bytes += batch.bytes().len() as u64;
        self.memory_bytes += batch.memory_bytes() as u64;
    }
}

/// What the open head holds of one tenant: what its chunk's row will say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct TenantHead {
    /// A running hash over the batches that hold entries of the tenant.
    pub(super) content: u64,
    pub(super) min_ts: Timestamp,
    pub(super) max_ts: Timestamp,
    /// The last batch that is in `content`.
    last_index: Index,
}

impl TenantHead {
    pub(super) fn new(tenant: &Tenant) -> TenantHead {
        TenantHead {
            content: empty_content(tenant),
            min_ts: Timestamp::MAX,
            max_ts: Timestamp::MIN,
            last_index: 0,
        }
    }

    /// Takes in a segment of the batch at `index`.
    pub(super) fn add(&mut self, index: Index, batch: &Batch, segment: &Segment) {
        if self.last_index != index {
            self.content = next_content(self.content, index, batch.content());
            self.last_index = index;
        }
        self.min_ts = self.min_ts.min(Timestamp(segment.min_timestamp));
        self.max_ts = self.max_ts.max(Timestamp(segment.max_timestamp));
    }
}

/// A head that a seal cut. It stays readable until its chunks are in object storage.
pub struct SealedHead {
    /// The index of the seal: the id of its chunks.
    pub chunk: Index,
    /// The entries.
    pub head: Head,
    /// The tenants it has entries of, ascending: each becomes one chunk.
    pub tenants: Vec<Tenant>,
}

/// What goes into one chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkInput {
    /// Whose chunk.
    pub tenant: Tenant,
    /// Its streams, ascending by labels.
    pub streams: Vec<StreamInput>,
}

/// Where the entries of one stream are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamInput {
    /// Which stream.
    pub labels: Labels,
    /// In WAL order, so that equal timestamps keep the order in which they came.
    pub pieces: Vec<Piece>,
}

/// One segment of one batch of a sealed head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Piece {
    /// Which batch: the first of the head has number 0.
    pub batch: usize,
    /// Which of its [`segments`](Batch::segments).
    pub segment: usize,
}

/// Groups a sealed head by tenant and stream, for whoever writes its chunks. One pass over all
/// segments; decodes nothing.
pub fn chunk_inputs(sealed: &SealedHead) -> Vec<ChunkInput> {
    let mut tenants: BTreeMap<&Tenant, BTreeMap<&Labels, Vec<Piece>>> = BTreeMap::new();
    for (batch, (_, contents)) in sealed.head.iter().enumerate() {
        for (segment, of) in contents.segments().iter().enumerate() {
            let streams = tenants.entry(&of.tenant).or_default();
            streams.entry(&of.labels).or_default().push(Piece { batch, segment });
        }
    }
    let stream =
        |(labels, pieces): (&Labels, Vec<Piece>)| StreamInput { labels: labels.clone(), pieces };
    tenants
        .into_iter()
        .map(|(tenant, streams)| ChunkInput {
            tenant: tenant.clone(),
            streams: streams.into_iter().map(stream).collect(),
        })
        .collect()
}
