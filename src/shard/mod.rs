//! The replicated core of one shard: a pure function from a log of commands to a view.
//!
//! In: [`Command`]s in log order. Out: a [`Reply`], and the [`RowChange`]s to persist with it. No
//! clock, no I/O, no async: everything else in drave exists to feed this module.
//!
//! The shard's WAL is one line, cut by three indexes that only move right:
//!
//! ```text
//!   0 ........ flushed ........ sealed ........ applied
//!   [ chunks  ][ sealed heads  ][ open head     ]
//! ```
//!
//! Reading order: [`command`] (the life of a chunk), this file (what each step does), [`manifest`],
//! [`head`], [`streams`] (what there is), [`view`] (what readers see), [`plan`] (what to do next),
//! [`compaction`] (what to merge), [`object`] (names), [`rows`] (what is persisted), [`invariants`].
//!
//! Invariants:
//! * `flushed <= sealed <= applied`, and none of them ever decreases.
//! * An entry is held in exactly one of the three regions, named by its log index.
//! * A chunk is `Flushed` only after its object was written; what is erased was retired before, and
//!   nothing comes back from that.
//! * The state is a function of the log: replicas that applied the same commands are equal, however
//!   often they crashed on the way.
//!
//! Rows may be persisted late. They carry the index up to which they know everything (`rows_at`),
//! and the WAL above `flushed` is still there; so a shard opens from any rows that were persisted
//! at once, with the commands from `flushed + 1` on. Up to `rows_at` these only bring back the
//! entries (*replay*), above it they apply. A snapshot is the same thing sent to another node.

pub mod command;
pub mod compaction;
pub mod head;
pub mod invariants;
pub mod manifest;
pub mod map;
pub mod object;
pub mod plan;
pub mod rows;
pub mod streams;
pub mod view;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use xxhash_rust::xxh3::Xxh3Default;

pub use command::{ChunkKey, Command, Flushed, Refusal, Reply, Tombstone};
pub use head::{ChunkInput, Head, Piece, SealedHead, StreamInput, Totals, chunk_inputs};
pub use manifest::{Chunk, ChunkState, Covers, Manifest, rows_of};
pub use object::{ObjectInfo, ObjectName, attempt_number, merged_content};
pub use plan::{Erasable, HeadAge, Policy, erasable, seal_due, uploads};
pub use rows::RowChange;
pub use streams::{Hours, StreamKey, Streams};
pub use view::ShardView;
pub use wire::Malformed;

use crate::model::{Batch, Index, ShardId, Tenant, Timestamp};
use head::TenantHead;
use rows::{Indexes, Row};

/// One replica of a shard. Its one owner applies; readers get [`view`](Shard::view)s.
pub struct Shard {
    /// What readers see.
    view: ShardView,
    /// The tenants of the open head.
    tenants: BTreeMap<Tenant, TenantHead>,
    /// The last command whose effect is in the rows.
    rows_at: Index,
    /// While replaying: the seals whose heads the WAL has yet to give back, and how many tenants
    /// each has.
    awaited: BTreeMap<Index, usize>,
}

/// This replica and the rest of the shard no longer say the same. It must stop: its state is
/// worth nothing, and what caused it is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("shard {shard} diverged at index {index}: {detail}")]
pub struct Divergence {
    /// Which shard.
    pub shard: ShardId,
    /// The command that showed it.
    pub index: Index,
    /// What differs.
    pub detail: String,
}

/// Why a shard does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// A row cannot be read.
    #[error("row {key:?} of shard {shard}: {source}")]
    BadRow {
        /// Which shard.
        shard: ShardId,
        /// Its key.
        key: Vec<u8>,
        /// What is wrong.
        source: Malformed,
    },
    /// A command that rows and WAL need is not in the WAL.
    #[error("the WAL of shard {shard} lacks index {index}")]
    WalGap {
        /// Which shard.
        shard: ShardId,
        /// The first that is missing.
        index: Index,
    },
    /// The rows miss what a command did, though they say that they were persisted after it.
    #[error("the rows of shard {shard} lack the effect of index {index}")]
    RowsBehind {
        /// Which shard.
        shard: ShardId,
        /// The command.
        index: Index,
    },
    /// Rows and WAL contradict each other.
    #[error(transparent)]
    Divergence(#[from] Divergence),
}

impl Shard {
    /// A shard that has seen no command.
    pub fn new(shard: ShardId) -> Shard {
        Shard {
            view: ShardView::new(shard),
            tenants: BTreeMap::new(),
            rows_at: 0,
            awaited: BTreeMap::new(),
        }
    }

    /// Rebuilds a shard from its rows and the WAL.
    ///
    /// `applied` is the index that was persisted with the rows, or, for rows that came as a
    /// snapshot, the index at which the snapshot says it stands: commands above it will be
    /// [applied](Shard::apply). `wal` gives the commands from [`floor`](Shard::floor) (or below)
    /// up to `applied`, in order; what it gives beyond that is not read.
    pub fn open<K: AsRef<[u8]>, V: AsRef<[u8]>>(
        shard: ShardId,
        rows: impl IntoIterator<Item = (K, V)>,
        applied: Index,
        wal: impl IntoIterator<Item = (Index, Bytes)>,
    ) -> Result<Shard, OpenError> {
        let mut opened = Shard::new(shard);
        for (key, value) in rows {
            opened.load(key.as_ref(), value.as_ref())?;
        }
        opened.view.applied = applied.min(opened.view.flushed);
        for (index, command) in wal.into_iter().take_while(|(index, _)| *index <= applied) {
            if index <= opened.view.applied {
                continue;
            }
            if index != opened.view.applied + 1 {
                break;
            }
            let (_, changes) = opened.apply(index, &command)?;
            if !changes.is_empty() {
                return Err(OpenError::RowsBehind { shard, index });
            }
        }
        if opened.view.applied < applied {
            return Err(OpenError::WalGap { shard, index: opened.view.applied + 1 });
        }
        Ok(opened)
    }

    fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), OpenError> {
        let row = Row::decode(key, value).map_err(|source| OpenError::BadRow {
            shard: self.view.shard,
            key: key.to_vec(),
            source,
        })?;
        match row {
            Row::Indexes(Indexes { rows_at, sealed, flushed }) => {
                self.rows_at = rows_at;
                self.view.sealed = sealed;
                self.view.flushed = flushed;
            }
            Row::Chunk(chunk) => {
                if chunk.state == ChunkState::Sealed {
                    *self.awaited.entry(chunk.key.id).or_default() += 1;
                }
                self.view.manifest.insert(chunk.key.clone(), chunk);
            }
            Row::Stream(key, hours) => {
                self.view.streams.load(key, hours);
            }
            Row::Fence(index) => self.view.fenced = index,
            Row::Tombstone(id, tombstone) => {
                self.view.tombstones.insert(id, Arc::new(tombstone));
            }
        }
        Ok(())
    }

    /// The last command that was applied.
    pub fn applied(&self) -> Index {
        self.view.applied
    }

    /// The first log index that a restart needs, once all row changes so far are durable. What is
    /// below the floor that went with the last *durable* rows may be purged; nothing else may.
    pub fn floor(&self) -> Index {
        self.view.flushed + 1
    }

    /// What readers see now. `None` while the shard replays what its rows already know, which
    /// is after a snapshot only: until then it is missing entries.
    pub fn view(&self) -> Option<ShardView> {
        let complete = self.view.applied >= self.rows_at;
        complete.then(|| self.view.clone())
    }

    /// Applies the next command of the log. An empty command is a blank entry of Raft's own.
    ///
    /// The row changes are to be persisted together, and together with those of earlier commands
    /// or after them; they may be persisted late. On [`Divergence`] no row changed, `applied` did
    /// not move, and the replica must stop.
    pub fn apply(
        &mut self,
        index: Index,
        command: &Bytes,
    ) -> Result<(Reply, Vec<RowChange>), Divergence> {
        assert_eq!(index, self.view.applied + 1, "commands apply in log order, each once");
        let mut changes = Vec::new();
        let reply = if index <= self.rows_at {
            self.replay(index, command)?;
            Reply::Done { index }
        } else {
            self.run(index, command, &mut changes)?
        };
        self.view.applied = index;
        if !changes.is_empty() {
            self.rows_at = index;
            changes.push(Row::Indexes(self.indexes()).put());
        }
        assert!(self.view.flushed <= self.view.sealed, "what is flushed was sealed");
        assert!(self.view.sealed <= index.max(self.rows_at), "what is sealed was applied");
        Ok((reply, changes))
    }

    fn indexes(&self) -> Indexes {
        Indexes { rows_at: self.rows_at, sealed: self.view.sealed, flushed: self.view.flushed }
    }

    fn run(
        &mut self,
        index: Index,
        command: &Bytes,
        changes: &mut Vec<RowChange>,
    ) -> Result<Reply, Divergence> {
        if command.is_empty() {
            return Ok(Reply::Done { index });
        }
        let Ok(command) = Command::decode(command) else {
            return Ok(Reply::Refused(Refusal::Undecodable));
        };
        Ok(match command {
            Command::Append { batch } => self.append(index, batch, changes),
            Command::Seal => self.seal(index, changes),
            Command::Flush { chunk, tenants } => self.flush(index, chunk, &tenants, changes)?,
            // What was planned before the fence may name an object that is swept by now.
            Command::Replace { base, .. } if base < self.view.fenced => Reply::Stale,
            Command::Replace { base, at, tenant, retire, object } => {
                self.replace(index, (base, at), &tenant, &retire, object, changes)
            }
            Command::Retire { at, chunks } => self.retire(index, at, &chunks, changes),
            Command::Forget { chunks } => self.forget(index, &chunks, changes),
            Command::Delete { id, tombstone } => self.delete(index, id, tombstone, changes),
            Command::CancelDelete { id } => self.cancel_delete(index, id, changes),
            Command::Fence => {
                self.view.fenced = index;
                changes.push(Row::Fence(index).put());
                Reply::Done { index }
            }
        })
    }

    /// Goes through a command whose effect on the rows is known: what is missing is the entries.
    fn replay(&mut self, index: Index, command: &Bytes) -> Result<(), Divergence> {
        if index > self.view.flushed && !command.is_empty() {
            match Command::decode(command) {
                Ok(Command::Append { batch }) => {
                    let mut changes = Vec::new();
                    self.append(index, batch, &mut changes);
                    if !changes.is_empty() {
                        return Err(self.divergence(index, "a stream's row lacks entries".into()));
                    }
                }
                Ok(Command::Seal) => self.replay_seal(index)?,
                // The rest already happened, or never did.
                Ok(
                    Command::Flush { .. }
                    | Command::Replace { .. }
                    | Command::Retire { .. }
                    | Command::Forget { .. }
                    | Command::Delete { .. }
                    | Command::CancelDelete { .. }
                    | Command::Fence,
                )
                | Err(_) => {}
            }
        }
        match self.awaited.first_key_value() {
            Some((seal, _)) if *seal <= index || index == self.rows_at => {
                Err(self.divergence(index, format!("the WAL did not give back sealed head {seal}")))
            }
            _ => Ok(()),
        }
    }

    fn append(&mut self, index: Index, batch: Bytes, changes: &mut Vec<RowChange>) -> Reply {
        let Ok(batch) = Batch::open(batch) else { return Reply::Refused(Refusal::BadBatch) };
        if batch.segments().is_empty() {
            return Reply::Done { index };
        }
        for segment in batch.segments() {
            let tenant = &segment.tenant;
            if !self.tenants.contains_key(tenant) {
                self.tenants.insert(tenant.clone(), TenantHead::new(tenant));
            }
            let head = self.tenants.get_mut(tenant).expect("it was put there just now");
            head.add(index, &batch, segment);
            if let Some((key, hours)) = self.view.streams.note(segment) {
                changes.push(Row::Stream(key, hours).put());
            }
        }
        self.view.head.push(index, batch);
        Reply::Done { index }
    }

    fn seal(&mut self, index: Index, changes: &mut Vec<RowChange>) -> Reply {
        if self.view.head.is_empty() {
            return Reply::Stale;
        }
        for (tenant, head) in &self.tenants {
            let chunk = Chunk {
                key: ChunkKey { tenant: tenant.clone(), id: index },
                covers: Covers::one(index),
                content: head.content,
                min_ts: head.min_ts,
                max_ts: head.max_ts,
                state: ChunkState::Sealed,
            };
            changes.push(Row::Chunk(chunk.clone()).put());
            self.view.manifest.insert(chunk.key.clone(), chunk);
        }
        self.cut_head(index);
        self.view.sealed = index;
        Reply::Done { index }
    }

    /// The open head becomes a sealed one, and a new one begins.
    fn cut_head(&mut self, chunk: Index) {
        let head = std::mem::take(&mut self.view.head);
        let tenants = std::mem::take(&mut self.tenants).into_keys().collect();
        let sealed = SealedHead { chunk, head, tenants };
        Arc::make_mut(&mut self.view.sealed_heads).push(Arc::new(sealed));
    }

    fn replay_seal(&mut self, index: Index) -> Result<(), Divergence> {
        if self.view.head.is_empty() {
            return Ok(());
        }
        for (tenant, head) in &self.tenants {
            let row = self.view.manifest.get(&ChunkKey { tenant: tenant.clone(), id: index });
            if row.is_none_or(|chunk| chunk.content != head.content) {
                let detail = format!("the row of tenant {tenant} and the WAL differ");
                return Err(self.divergence(index, detail));
            }
        }
        if self.awaited.remove(&index) != Some(self.tenants.len()) {
            return Err(self.divergence(index, "rows and WAL have different tenants".into()));
        }
        self.cut_head(index);
        Ok(())
    }

    fn flush(
        &mut self,
        index: Index,
        chunk: Index,
        tenants: &[Flushed],
        changes: &mut Vec<RowChange>,
    ) -> Result<Reply, Divergence> {
        // Heads flush in order, so that `flushed` stays a prefix of the WAL.
        let Some(front) = self.view.sealed_heads.first().filter(|front| front.chunk == chunk)
        else {
            return Ok(Reply::Stale);
        };
        // Every flush doubles as a consistency check between replicas.
        if !front.tenants.iter().eq(tenants.iter().map(|flushed| &flushed.tenant)) {
            return Err(self.divergence(index, format!("the tenants of chunk {chunk} differ")));
        }
        let row = |flushed: &Flushed| {
            let key = ChunkKey { tenant: flushed.tenant.clone(), id: chunk };
            self.view.manifest.get(&key).expect("a sealed head has a row per tenant").clone()
        };
        let mut rows: Vec<Chunk> = tenants.iter().map(row).collect();
        for (row, flushed) in rows.iter_mut().zip(tenants) {
            if row.content != flushed.content {
                let detail = format!("the content of chunk {chunk} of {} differs", flushed.tenant);
                return Err(self.divergence(index, detail));
            }
            row.state = ChunkState::Flushed(flushed.object);
        }
        for row in rows {
            changes.push(Row::Chunk(row.clone()).put());
            self.view.manifest.insert(row.key.clone(), row);
        }
        Arc::make_mut(&mut self.view.sealed_heads).remove(0);
        self.view.flushed = chunk;
        Ok(Reply::Done { index })
    }

    fn replace(
        &mut self,
        index: Index,
        (base, at): (Index, Timestamp),
        tenant: &Tenant,
        retire: &[Index],
        object: ObjectInfo,
        changes: &mut Vec<RowChange>,
    ) -> Reply {
        let live = |id: &Index| {
            let chunk = self.view.manifest.get(&ChunkKey { tenant: tenant.clone(), id: *id })?;
            chunk.object().is_some().then_some(chunk)
        };
        let Some(inputs) = retire.iter().map(live).collect::<Option<Vec<&Chunk>>>() else {
            return Reply::Stale;
        };
        let merged = Chunk::merged(index, &inputs, object, attempt_number(base, at));
        // Equal timestamps read in the order of their seals. A chunk that stays in the middle of
        // those that merge would have to be before and after the outcome at once.
        let stays =
            |chunk: &&Chunk| chunk.is_visible() && retire.binary_search(&chunk.key.id).is_err();
        let mut rows = manifest::rows_of(&self.view.manifest, tenant).filter(stays);
        let torn = rows.any(|chunk| chunk.covers.overlaps(&merged.covers));
        drop(rows);
        if torn {
            return Reply::Refused(Refusal::NotNeighbours);
        }
        let keys: Vec<ChunkKey> = inputs.iter().map(|chunk| chunk.key.clone()).collect();
        self.hide(at, &keys, changes);
        changes.push(Row::Chunk(merged.clone()).put());
        self.view.manifest.insert(merged.key.clone(), merged);
        Reply::Done { index }
    }

    /// Retires those of the chunks that are flushed; says whether there was one.
    fn hide(&mut self, at: Timestamp, keys: &[ChunkKey], changes: &mut Vec<RowChange>) -> bool {
        let n_before = changes.len();
        for key in keys {
            let Some(chunk) = self.view.manifest.get(key) else { continue };
            let Some(object) = chunk.object().copied() else { continue };
            let hidden = Chunk { state: ChunkState::Retired { object, at }, ..chunk.clone() };
            changes.push(Row::Chunk(hidden.clone()).put());
            self.view.manifest.insert(key.clone(), hidden);
        }
        changes.len() > n_before
    }

    fn retire(
        &mut self,
        index: Index,
        at: Timestamp,
        keys: &[ChunkKey],
        changes: &mut Vec<RowChange>,
    ) -> Reply {
        let tenants: BTreeSet<&Tenant> = keys.iter().map(|key| &key.tenant).collect();
        let before: Vec<Option<Timestamp>> =
            tenants.iter().map(|tenant| self.oldest(tenant)).collect();
        if !self.hide(at, keys, changes) {
            return Reply::Stale;
        }
        for (tenant, before) in tenants.into_iter().zip(before) {
            // Streams that ended with what is hidden now. Nobody looks at the others in vain.
            let oldest = self.oldest(tenant);
            if oldest != before {
                let dropped = self.view.streams.drop_before(tenant, oldest);
                changes.extend(dropped.iter().map(|key| Row::delete(rows::stream_key(key))));
            }
        }
        Reply::Done { index }
    }

    /// No entry of a tenant that can be read is older than this.
    fn oldest(&self, tenant: &Tenant) -> Option<Timestamp> {
        let visible = manifest::rows_of(&self.view.manifest, tenant).filter(|c| c.is_visible());
        let head = self.tenants.get(tenant).map(|head| head.min_ts);
        visible.map(|chunk| chunk.min_ts).chain(head).min()
    }

    fn forget(&mut self, index: Index, keys: &[ChunkKey], changes: &mut Vec<RowChange>) -> Reply {
        let row = |key: &ChunkKey| self.view.manifest.get(key);
        if keys.iter().filter_map(row).any(|chunk| chunk.retired_at().is_none()) {
            return Reply::Refused(Refusal::NotRetired);
        }
        for key in keys {
            if self.view.manifest.remove(key).is_some() {
                changes.push(Row::delete(rows::chunk_key(key)));
            }
        }
        if changes.is_empty() { Reply::Stale } else { Reply::Done { index } }
    }

    fn delete(
        &mut self,
        index: Index,
        id: u64,
        tombstone: Tombstone,
        changes: &mut Vec<RowChange>,
    ) -> Reply {
        match self.view.tombstones.get(&id) {
            Some(known) if **known == tombstone => Reply::Done { index },
            Some(_) => Reply::Refused(Refusal::IdTaken),
            None => {
                changes.push(Row::Tombstone(id, tombstone.clone()).put());
                self.view.tombstones.insert(id, Arc::new(tombstone));
                Reply::Done { index }
            }
        }
    }

    fn cancel_delete(&mut self, index: Index, id: u64, changes: &mut Vec<RowChange>) -> Reply {
        if self.view.tombstones.remove(&id).is_none() {
            return Reply::Stale;
        }
        changes.push(Row::delete(rows::tombstone_key(id)));
        Reply::Done { index }
    }

    fn divergence(&self, index: Index, detail: String) -> Divergence {
        Divergence { shard: self.view.shard, index, detail }
    }

    /// All rows, in key order, as the changes so far have left them: what a snapshot sends. That
    /// stands at [`floor`](Shard::floor)` - 1`: [open](Shard::open) it as applied up to there, and
    /// apply the WAL from the floor on.
    pub fn snapshot(&self) -> Vec<(Vec<u8>, Bytes)> {
        let chunks = self.view.manifest.iter().map(|(_, chunk)| Row::Chunk(chunk.clone()));
        let streams = self.view.streams.iter();
        let streams = streams.map(|(key, hours)| Row::Stream(key.clone(), hours));
        let tombstones = self.view.tombstones.iter();
        let tombstones = tombstones.map(|(id, t)| Row::Tombstone(*id, Tombstone::clone(t)));
        let indexes = (self.rows_at > 0).then(|| Row::Indexes(self.indexes()));
        let fence = (self.view.fenced > 0).then_some(Row::Fence(self.view.fenced));
        let single = indexes.into_iter().chain(fence);
        let rows = single.chain(chunks).chain(streams).chain(tombstones);
        let mut rows: Vec<(Vec<u8>, Bytes)> = rows.map(|row| row.encode()).collect();
        rows.sort_unstable();
        rows
    }

    /// A hash of everything: two replicas that applied the same commands have the same. Goes
    /// through all rows and all batches' hashes; for audits.
    pub fn digest(&self) -> u64 {
        let mut hasher = Xxh3Default::new();
        for (key, value) in self.snapshot() {
            hasher.update(&key);
            hasher.update(&value);
        }
        for head in
            self.view.sealed_heads.iter().map(|sealed| &sealed.head).chain([&self.view.head])
        {
            hasher.update(&(head.n_batches() as u64).to_le_bytes());
            for (index, batch) in head.iter() {
                hasher.update(&index.to_le_bytes());
                hasher.update(&batch.content().to_le_bytes());
            }
        }
        hasher.update(&self.view.applied.to_le_bytes());
        hasher.digest()
    }
}

#[cfg(test)]
mod tests;
