//! One replica: the shard, its disk, and what a crash leaves of both.
//!
//! The disk is as `raft/` has it: rows, `applied` and the floor change together in one
//! transaction, but a transaction is durable only after a later sync, so a crash goes back to some
//! earlier state of all three. The WAL is durable at once and is purged below the floor.

use std::collections::BTreeMap;

use bytes::Bytes;
use drave::model::{Index, ShardId};
use drave::shard::{HeadAge, Reply, RowChange, Shard};

use crate::rng::Rng;

pub(crate) const SHARD: ShardId = ShardId(7);

/// What one transaction holds.
struct Commit {
    applied: Index,
    floor: Index,
    rows: Vec<RowChange>,
}

#[derive(Clone)]
struct Disk {
    rows: BTreeMap<Vec<u8>, Bytes>,
    applied: Index,
    floor: Index,
}

pub(crate) struct Replica {
    pub(crate) shard: Shard,
    /// What a power cut leaves.
    disk: Disk,
    /// Transactions since the last sync.
    unsynced: Vec<Commit>,
    /// The last index that is gone from the WAL.
    pub(crate) purged: Index,
    /// Steps for which it hears nothing.
    pub(crate) stalled: usize,
    /// What its owner knows of the head's age.
    pub(crate) age: HeadAge,
    /// How many steps its clock is ahead.
    pub(crate) skew: usize,
}

impl Replica {
    pub(crate) fn new() -> Replica {
        Replica {
            shard: Shard::new(SHARD),
            disk: Disk { rows: BTreeMap::new(), applied: 0, floor: 1 },
            unsynced: Vec::new(),
            purged: 0,
            stalled: 0,
            age: HeadAge::default(),
            skew: 0,
        }
    }

    /// Applies the next command of the log.
    pub(crate) fn apply(&mut self, log: &[Bytes]) -> Reply {
        let index = self.shard.applied() + 1;
        let applied = self.shard.apply(index, &log[index as usize - 1]);
        let (reply, rows) = applied.expect("nobody lies in this run");
        // Raft never purges what it has not applied.
        let floor = self.shard.floor().min(index + 1);
        self.unsynced.push(Commit { applied: index, floor, rows });
        reply
    }

    /// Makes everything durable, and purges what nobody needs any more.
    pub(crate) fn sync(&mut self, purge: bool) {
        let commits = std::mem::take(&mut self.unsynced);
        commits.into_iter().for_each(|commit| self.disk.write(commit));
        if purge {
            self.purged = self.disk.floor - 1;
        }
    }

    /// A planted bug: purges by what is in memory, not by what is durable.
    pub(crate) fn purge_too_early(&mut self) {
        self.purged = self.purged.max(self.shard.floor().min(self.shard.applied() + 1) - 1);
    }

    /// A planted bug: of the last transaction only the `applied` gets to disk.
    pub(crate) fn tear(&mut self) {
        if let Some(last) = self.unsynced.pop() {
            self.sync(false);
            self.disk.applied = last.applied;
        }
    }

    /// Dies and comes back with what was durable, and perhaps some more.
    pub(crate) fn crash(&mut self, rng: &mut Rng, log: &[Bytes]) {
        let kept = rng.below(self.unsynced.len() + 1);
        self.unsynced.truncate(kept);
        self.sync(false);
        let start = self.disk.floor.max(self.purged + 1);
        let wal = (start..=self.disk.applied).map(|index| (index, log[index as usize - 1].clone()));
        let opened = Shard::open(SHARD, &self.disk.rows, self.disk.applied, wal);
        self.shard = opened.unwrap_or_else(|error| panic!("a replica does not reopen: {error}"));
        self.age = HeadAge::default();
        assert_eq!(self.shard.applied(), self.disk.applied, "it is where its disk says");
    }

    /// Starts over from the rows of another replica, which is what the WAL no longer tells.
    pub(crate) fn install(&mut self, rows: Vec<(Vec<u8>, Bytes)>, at: Index) {
        let rows: BTreeMap<Vec<u8>, Bytes> = rows.into_iter().collect();
        self.shard = Shard::open(SHARD, &rows, at, []).expect("a snapshot opens");
        assert_eq!(self.shard.applied(), at, "it stands where the snapshot stood");
        self.disk = Disk { rows, applied: at, floor: at + 1 };
        self.unsynced.clear();
        self.purged = at;
        self.age = HeadAge::default();
    }

    /// The rows on disk are what the shard would send to another.
    pub(crate) fn check_rows(&self) {
        let mut disk = self.disk.clone();
        for commit in &self.unsynced {
            disk.write(Commit { rows: commit.rows.clone(), ..*commit });
        }
        let rows: BTreeMap<Vec<u8>, Bytes> = self.shard.snapshot().into_iter().collect();
        assert!(disk.rows == rows, "rows on disk and in memory differ");
    }
}

impl Disk {
    fn write(&mut self, commit: Commit) {
        for RowChange { key, value } in commit.rows {
            match value {
                Some(value) => drop(self.rows.insert(key, value)),
                None => drop(self.rows.remove(&key)),
            }
        }
        self.applied = commit.applied;
        self.floor = commit.floor;
    }
}
