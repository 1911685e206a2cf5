//! What readers see of a shard: everything it holds, as of one index.
//!
//! A view never changes, and a copy costs a handful of reference counts: a query takes one per
//! shard, and a flush in the middle of it is invisible.

use std::sync::Arc;

use super::command::{ChunkKey, Tombstone};
use super::head::{Head, SealedHead};
use super::manifest::{Chunk, Manifest, rows_of};
use super::map::Map;
use super::streams::Streams;
use crate::model::{Batch, Index, ShardId, Tenant, TimeRange};

/// A shard as of `applied`. An entry is in exactly one place: a flushed chunk, a sealed head or the
/// open head. (An entry that was pushed twice may be in two; the scan layer collapses it.)
#[derive(Clone)]
pub struct ShardView {
    pub(super) shard: ShardId,
    pub(super) applied: Index,
    pub(super) sealed: Index,
    pub(super) flushed: Index,
    /// The last fence: what was planned before it replaces nothing.
    pub(super) fenced: Index,
    pub(super) head: Head,
    pub(super) sealed_heads: Arc<Vec<Arc<SealedHead>>>,
    pub(super) manifest: Manifest,
    pub(super) streams: Streams,
    pub(super) tombstones: Map<u64, Arc<Tombstone>>,
}

impl ShardView {
    pub(super) fn new(shard: ShardId) -> ShardView {
        ShardView {
            shard,
            applied: 0,
            sealed: 0,
            flushed: 0,
            fenced: 0,
            head: Head::default(),
            sealed_heads: Arc::default(),
            manifest: Manifest::default(),
            streams: Streams::default(),
            tombstones: Map::default(),
        }
    }

    /// Which shard.
    pub fn shard(&self) -> ShardId {
        self.shard
    }

    /// The last command that is in this view.
    pub fn applied(&self) -> Index {
        self.applied
    }

    /// The last seal: what came after it is in the open head.
    pub fn sealed(&self) -> Index {
        self.sealed
    }

    /// The last seal whose head is in object storage.
    pub fn flushed(&self) -> Index {
        self.flushed
    }

    /// Entries above `sealed`.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Entries above `flushed` and up to `sealed`, oldest head first.
    pub fn sealed_heads(&self) -> &[Arc<SealedHead>] {
        &self.sealed_heads
    }

    /// All batches that are not in a flushed chunk, in WAL order.
    pub fn batches(&self) -> impl Iterator<Item = (Index, &Batch)> {
        let sealed = self.sealed_heads.iter().map(|sealed| &sealed.head);
        sealed.chain([&self.head]).flat_map(|head| head.iter())
    }

    /// Those of them above an index: what a tail that has read up to there has missed, as long as
    /// the index is not below [`flushed`](ShardView::flushed).
    pub fn batches_above(&self, index: Index) -> impl Iterator<Item = (Index, &Batch)> {
        let sealed = self.sealed_heads.iter().filter(move |sealed| sealed.chunk > index);
        let heads = sealed.map(|sealed| &sealed.head).chain([&self.head]);
        heads.flat_map(move |head| head.iter_above(index))
    }

    /// The row of one chunk.
    pub fn chunk(&self, id: Index, tenant: &Tenant) -> Option<&Chunk> {
        self.manifest.get(&ChunkKey { tenant: tenant.clone(), id })
    }

    /// All rows, visible or not.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The tenant's flushed chunks that may hold entries of a range of time, in the order in which
    /// their heads were sealed. Its entries that are not in them are in the heads.
    pub fn chunks(&self, tenant: &Tenant, range: &TimeRange) -> Vec<&Chunk> {
        let mut chunks: Vec<&Chunk> = rows_of(&self.manifest, tenant)
            .filter(|chunk| chunk.object().is_some() && chunk.overlaps(range))
            .collect();
        chunks.sort_unstable_by_key(|chunk| chunk.covers);
        chunks
    }

    /// All streams, and when they have entries.
    pub fn streams(&self) -> &Streams {
        &self.streams
    }

    /// Delete requests of one tenant.
    pub fn tombstones<'a>(
        &'a self,
        tenant: &'a Tenant,
    ) -> impl Iterator<Item = (u64, &'a Arc<Tombstone>)> {
        let all = self.tombstones.iter().map(|(id, tombstone)| (*id, tombstone));
        all.filter(|(_, tombstone)| tombstone.tenant == *tenant)
    }

    /// Memory that the entries in heads take.
    pub fn memory_bytes(&self) -> u64 {
        self.head.totals().memory_bytes + self.sealed_memory_bytes()
    }

    /// Memory that a flush of all sealed heads would free.
    pub fn sealed_memory_bytes(&self) -> u64 {
        self.sealed_heads.iter().map(|sealed| sealed.head.totals().memory_bytes).sum()
    }
}
