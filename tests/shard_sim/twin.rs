//! The naive twin of the shard, and the oracle: what was promised to whoever pushed.
//!
//! It keeps every entry with the index it came in at, and for every chunk the set of indexes it
//! holds: no hashes, no names, no rows, no sharing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use drave::model::{Batch, BatchBuilder, Index, Labels, Tenant, Timestamp};
use drave::shard::{ChunkKey, Command, Refusal, Reply, Tombstone};

/// One entry as a client says it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Entry {
    pub(crate) tenant: Tenant,
    pub(crate) labels: Labels,
    pub(crate) ts: i64,
    pub(crate) line: String,
}

/// An entry and where it came in: an entry that was pushed twice is two of these.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Placed {
    pub(crate) index: Index,
    pub(crate) row: usize,
    pub(crate) entry: Entry,
}

/// Encodes entries as a push does: a segment per run of entries of one stream.
pub(crate) fn encode(entries: &[Entry]) -> Bytes {
    let mut builder = BatchBuilder::new();
    for entry in entries {
        builder.segment(&entry.tenant, &entry.labels);
        builder.push(entry.ts, &entry.line, 0);
    }
    builder.encode()
}

/// The entries of a batch, in order: segment by segment.
pub(crate) fn decode(batch: &Batch) -> Vec<Vec<Entry>> {
    let rows = batch.decode().expect("a batch that opened decodes");
    let segments = batch.segments().iter().zip(rows);
    segments
        .map(|(segment, rows)| {
            let lines = rows.lines.expect("all columns were decoded");
            let entry = |(row, ts): (usize, &i64)| Entry {
                tenant: segment.tenant.clone(),
                labels: segment.labels.clone(),
                ts: *ts,
                line: lines.text(row).into(),
            };
            rows.timestamps.iter().enumerate().map(entry).collect()
        })
        .collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Sealed,
    Flushed,
    Retired,
}

#[derive(Debug)]
struct TwinChunk {
    state: State,
    seals: BTreeSet<Index>,
    batches: BTreeSet<Index>,
}

/// The indexes whose entries each tenant can read.
pub(crate) type Visible = BTreeMap<Tenant, BTreeSet<Index>>;

#[derive(Default)]
pub(crate) struct Twin {
    /// What was pushed, by the bytes of the batch.
    pushed: BTreeMap<Bytes, Vec<Entry>>,
    /// What came in, by index.
    came_in: BTreeMap<Index, Vec<Entry>>,
    open: BTreeSet<Index>,
    sealed: VecDeque<Index>,
    chunks: BTreeMap<ChunkKey, TwinChunk>,
    tombstones: BTreeMap<u64, Tombstone>,
    fenced: Index,
}

impl Twin {
    /// Notes a push, whether it commits or not.
    pub(crate) fn push(&mut self, entries: Vec<Entry>) -> Bytes {
        let batch = encode(&entries);
        self.pushed.insert(batch.clone(), entries);
        batch
    }

    pub(crate) fn apply(&mut self, index: Index, command: &Bytes) -> Reply {
        if command.is_empty() {
            return Reply::Done { index };
        }
        let Ok(command) = Command::decode(command) else {
            return Reply::Refused(Refusal::Undecodable);
        };
        let done = match command {
            Command::Append { batch } => return self.append(index, &batch),
            Command::Seal => self.seal(index),
            Command::Flush { chunk, .. } => self.flush(chunk),
            Command::Replace { base, .. } if base < self.fenced => false,
            Command::Replace { tenant, retire, .. } => {
                return self.replace(index, &tenant, &retire);
            }
            Command::Retire { chunks, .. } => self.retire(&chunks),
            Command::Forget { chunks } => return self.forget(index, &chunks),
            Command::Delete { id, tombstone } => {
                let known = self.tombstones.entry(id).or_insert_with(|| tombstone.clone());
                if *known != tombstone {
                    return Reply::Refused(Refusal::IdTaken);
                }
                true
            }
            Command::CancelDelete { id } => self.tombstones.remove(&id).is_some(),
            Command::Fence => {
                self.fenced = index;
                true
            }
        };
        if done { Reply::Done { index } } else { Reply::Stale }
    }

    fn append(&mut self, index: Index, batch: &Bytes) -> Reply {
        match self.pushed.get(batch) {
            Some(entries) => {
                if !entries.is_empty() {
                    self.open.insert(index);
                }
                self.came_in.insert(index, entries.clone());
                Reply::Done { index }
            }
            // Nobody pushed this: an adversary wrote it, and it must not open.
            None => Reply::Refused(Refusal::BadBatch),
        }
    }

    fn seal(&mut self, index: Index) -> bool {
        let open = std::mem::take(&mut self.open);
        for batch in &open {
            for entry in &self.came_in[batch] {
                let key = ChunkKey { tenant: entry.tenant.clone(), id: index };
                let chunk = self.chunks.entry(key).or_insert_with(|| TwinChunk {
                    state: State::Sealed,
                    seals: BTreeSet::from([index]),
                    batches: BTreeSet::new(),
                });
                chunk.batches.insert(*batch);
            }
        }
        if !open.is_empty() {
            self.sealed.push_back(index);
        }
        !open.is_empty()
    }

    fn flush(&mut self, id: Index) -> bool {
        if self.sealed.front() != Some(&id) {
            return false;
        }
        self.sealed.pop_front();
        for (key, chunk) in &mut self.chunks {
            if key.id == id {
                chunk.state = State::Flushed;
            }
        }
        true
    }

    fn replace(&mut self, index: Index, tenant: &Tenant, retire: &[Index]) -> Reply {
        let key = |id: &Index| ChunkKey { tenant: tenant.clone(), id: *id };
        let inputs: Vec<ChunkKey> = retire.iter().map(key).collect();
        if !inputs.iter().all(|key| self.state(key) == Some(State::Flushed)) {
            return Reply::Stale;
        }
        let union = |of: fn(&TwinChunk) -> &BTreeSet<Index>| -> BTreeSet<Index> {
            inputs.iter().flat_map(|key| of(&self.chunks[key])).copied().collect()
        };
        let (seals, batches) = (union(|chunk| &chunk.seals), union(|chunk| &chunk.batches));
        let between = |chunk: &TwinChunk| {
            chunk.seals.first() <= seals.last() && seals.first() <= chunk.seals.last()
        };
        let stays = |(key, chunk): (&ChunkKey, &TwinChunk)| {
            key.tenant == *tenant
                && chunk.state != State::Retired
                && !inputs.contains(key)
                && between(chunk)
        };
        if self.chunks.iter().any(stays) {
            return Reply::Refused(Refusal::NotNeighbours);
        }
        self.retire(&inputs);
        self.chunks.insert(key(&index), TwinChunk { state: State::Flushed, seals, batches });
        Reply::Done { index }
    }

    fn retire(&mut self, keys: &[ChunkKey]) -> bool {
        let mut any = false;
        for key in keys {
            if let Some(chunk) = self.chunks.get_mut(key)
                && chunk.state == State::Flushed
            {
                chunk.state = State::Retired;
                any = true;
            }
        }
        any
    }

    fn forget(&mut self, index: Index, keys: &[ChunkKey]) -> Reply {
        if keys.iter().any(|key| self.state(key).is_some_and(|state| state != State::Retired)) {
            return Reply::Refused(Refusal::NotRetired);
        }
        let n_before = self.chunks.len();
        keys.iter().for_each(|key| drop(self.chunks.remove(key)));
        if self.chunks.len() < n_before { Reply::Done { index } } else { Reply::Stale }
    }

    /// Whether some of these would be forgotten.
    pub(crate) fn would_forget(&self, keys: &[ChunkKey]) -> bool {
        let is = |key: &ChunkKey, wanted| {
            self.state(key).is_some_and(|state| (state == State::Retired) == wanted)
        };
        keys.iter().any(|key| is(key, true)) && !keys.iter().any(|key| is(key, false))
    }

    fn state(&self, key: &ChunkKey) -> Option<State> {
        self.chunks.get(key).map(|chunk| chunk.state)
    }

    /// What can be read now.
    pub(crate) fn visible(&self) -> Visible {
        let mut visible = Visible::new();
        for batch in &self.open {
            for entry in &self.came_in[batch] {
                visible.entry(entry.tenant.clone()).or_default().insert(*batch);
            }
        }
        for (key, chunk) in &self.chunks {
            if chunk.state != State::Retired {
                visible.entry(key.tenant.clone()).or_default().extend(&chunk.batches);
            }
        }
        visible
    }

    /// The entries of a tenant that came in at an index.
    pub(crate) fn entries(
        &self,
        tenant: &Tenant,
        index: Index,
    ) -> impl Iterator<Item = Placed> + use<'_> {
        let tenant = tenant.clone();
        let own = self.came_in[&index].iter().enumerate();
        let own = own.filter(move |(_, entry)| entry.tenant == tenant);
        own.map(move |(row, entry)| Placed { index, row, entry: entry.clone() })
    }

    pub(crate) fn tombstones(&self) -> &BTreeMap<u64, Tombstone> {
        &self.tombstones
    }

    /// All keys there are, for an adversary to choose from.
    pub(crate) fn keys(&self) -> Vec<ChunkKey> {
        self.chunks.keys().cloned().collect()
    }
}

/// The time of a step: six are an hour, so that streams widen and end.
pub(crate) fn time_of(step: usize) -> Timestamp {
    Timestamp(1_800_000_000_000_000_000 + step as i64 * 600_000_000_000)
}
