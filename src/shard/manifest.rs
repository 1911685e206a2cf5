//! The manifest: one row per chunk, what it holds and where in its life it stands.
//!
//! Invariants:
//! * The covers of a tenant's visible chunks are disjoint: an entry is readable from one chunk.
//! * A `Sealed` chunk covers its own seal only, and that seal is above `flushed`; any other chunk
//!   covers seals up to `flushed`.
//! * No two rows name the same object.

use std::ops::RangeInclusive;

use super::command::ChunkKey;
use super::map::Map;
use super::object::{ObjectInfo, ObjectName, merged_content};
use crate::model::{Index, ShardId, Tenant, TimeRange, Timestamp};

/// The rows of a shard's chunks, by tenant and id.
pub type Manifest = Map<ChunkKey, Chunk>;

/// The seals whose heads a chunk holds: of all seals from `first` to `last`, both included, what
/// they cut of the tenant, less what was retired before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Covers {
    /// The oldest seal.
    pub first: Index,
    /// The youngest seal.
    pub last: Index,
}

/// One row of the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Chunk {
    /// Its name in the shard.
    pub key: ChunkKey,
    /// Where in the WAL its entries were.
    pub covers: Covers,
    /// For a sealed head, a hash of the batches it came in; for a merged chunk, see
    /// [`merged_content`](super::merged_content).
    pub content: u64,
    /// Timestamp of its oldest entry, or an earlier one.
    pub min_ts: Timestamp,
    /// Timestamp of its youngest entry, or a later one.
    pub max_ts: Timestamp,
    /// Where in its life it stands.
    pub state: ChunkState,
}

/// Where in its life a chunk stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChunkState {
    /// In every replica's memory; not yet known to be in object storage.
    Sealed,
    /// In object storage; replicas dropped their copy.
    Flushed(ObjectInfo),
    /// Invisible to new queries. The object may be erased once no query can still read it.
    Retired {
        /// What is to erase.
        object: ObjectInfo,
        /// Since when.
        at: Timestamp,
    },
}

impl Covers {
    /// One seal.
    pub fn one(seal: Index) -> Covers {
        Covers { first: seal, last: seal }
    }

    /// Whether a seal is in both.
    pub fn overlaps(&self, other: &Covers) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

impl Chunk {
    /// The chunk that takes the place of others of its tenant, given by ascending id; `attempt` is
    /// [its number](super::attempt_number). `id` is the index of the replace; whoever only needs the
    /// object's name may say 0.
    pub fn merged(id: Index, inputs: &[&Chunk], object: ObjectInfo, attempt: u64) -> Chunk {
        assert!(inputs.is_sorted_by_key(|chunk| chunk.key.id), "inputs come by id");
        let (first, rest) = inputs.split_first().expect("a merge has an input");
        let mut covers = first.covers;
        let (mut min_ts, mut max_ts) = (first.min_ts, first.max_ts);
        for chunk in rest {
            covers.first = covers.first.min(chunk.covers.first);
            covers.last = covers.last.max(chunk.covers.last);
            min_ts = min_ts.min(chunk.min_ts);
            max_ts = max_ts.max(chunk.max_ts);
        }
        let inputs = inputs.iter().map(|chunk| (chunk.key.id, chunk.content));
        Chunk {
            key: ChunkKey { tenant: first.key.tenant.clone(), id },
            covers,
            content: merged_content(inputs, object.hash, attempt),
            min_ts,
            max_ts,
            state: ChunkState::Flushed(object),
        }
    }

    /// Where its object is, or will be.
    pub fn path(&self, shard: ShardId) -> String {
        self.object_name(shard).path()
    }

    /// What its object is called.
    pub fn object_name(&self, shard: ShardId) -> ObjectName {
        let tenant = self.key.tenant.clone();
        ObjectName { shard, tenant, covers: self.covers, content: self.content }
    }

    /// The object, where the chunk is flushed and not retired: what a query may read.
    pub fn object(&self) -> Option<&ObjectInfo> {
        match &self.state {
            ChunkState::Flushed(object) => Some(object),
            ChunkState::Sealed | ChunkState::Retired { .. } => None,
        }
    }

    /// Since when it is retired.
    pub fn retired_at(&self) -> Option<Timestamp> {
        match self.state {
            ChunkState::Retired { at, .. } => Some(at),
            ChunkState::Sealed | ChunkState::Flushed(_) => None,
        }
    }

    /// Whether its entries are to be read, from its object or from the sealed head.
    pub fn is_visible(&self) -> bool {
        self.retired_at().is_none()
    }

    /// Whether an entry of it may lie in a range of time.
    pub fn overlaps(&self, range: &TimeRange) -> bool {
        self.min_ts < range.end && range.start <= self.max_ts
    }

    /// The times of its entries, both ends included.
    pub fn times(&self) -> RangeInclusive<Timestamp> {
        self.min_ts..=self.max_ts
    }
}

/// All rows of one tenant, by id.
pub fn rows_of<'m>(
    manifest: &'m Manifest,
    tenant: &Tenant,
) -> impl Iterator<Item = &'m Chunk> + use<'m> {
    let tenant = tenant.clone();
    manifest
        .iter_after(|key| key.tenant < tenant)
        .map(|(_, chunk)| chunk)
        .take_while(move |chunk| chunk.key.tenant == tenant)
}
