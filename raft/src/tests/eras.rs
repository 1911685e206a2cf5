//! Whatever is done to the logs of several groups, each reads as it was told, before and after the
//! file is opened again: rows lie in two tables and in eras, and the log must not show it.

use std::path::Path;
use std::sync::Arc;

use redb::TableDefinition;
use tokio::sync::oneshot;

use super::fault::{Rng, entry};
use crate::disk::{LogDb, Medium, Op, PurgeSlice};
use crate::types::{Entry, IoFlushed, LeaderId, LogId};
use crate::{Error, FORMAT_VERSION, Identity};

const GROUPS: u32 = 3;

/// What a group's log should hold.
#[derive(Debug, Default)]
struct Told {
    first: u64,
    entries: Vec<Entry>,
}

fn id(index: u64) -> LogId {
    LogId { leader_id: LeaderId { term: 1, node_id: 1 }, index }
}

impl Told {
    fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    fn append(&mut self, group: u32, rng: &mut Rng) -> Op {
        let end = self.end();
        let len = |rng: &mut Rng| [10, 3_000, 9_000, 70_000, 300_000][rng.below(5) as usize];
        let entries = (0..rng.below(4)).map(|n| entry(end + n, 1, len(rng))).collect::<Vec<_>>();
        self.entries.extend(entries.clone());
        let (done, flushed) = (IoFlushed::noop(), Arc::default());
        Op::Append { group, entries, bytes: 0, done, flushed }
    }

    /// Operations of one commit, in order.
    fn batch(&mut self, group: u32, rng: &mut Rng) -> Vec<Op> {
        let done = || oneshot::channel().0;
        let mut ops = vec![self.append(group, rng)];
        match rng.below(40) {
            0 => {
                let purged = id(self.end() + rng.below(5));
                *self = Told { first: purged.index + 1, entries: Vec::new() };
                ops.push(Op::Reset { group, purged, done: done() });
            }
            1 => {
                *self = Told::default();
                ops.push(Op::Erase { group, at_last: true, done: done() });
            }
            2..12 => {
                let start = self.end() - rng.below(self.entries.len() as u64 + 1).min(6);
                self.entries.truncate((start - self.first) as usize);
                ops.push(Op::Truncate { group, start, done: done() });
            }
            _ => {}
        }
        ops.push(self.append(group, rng));
        ops
    }

    /// Removes some of the oldest, and says up to where.
    fn purge(&mut self, group: u32, rng: &mut Rng) -> Option<PurgeSlice> {
        let n = rng.below(self.entries.len() as u64 + 1);
        let upto = (self.first + n).checked_sub(1).filter(|_| n > 0)?;
        self.entries.drain(..n as usize);
        self.first += n;
        Some(PurgeSlice { group, upto: id(upto) })
    }

    fn check(&self, log: &LogDb, group: u32, rng: &mut Rng) {
        let (first, end) = (self.first, self.end());
        let from = first + rng.below(end - first + 1);
        let read = |range| log.entries(group, range, usize::MAX).unwrap();
        assert!(read(first..from) == self.entries[..(from - first) as usize]);
        assert!(read(from..end) == self.entries[(from - first) as usize..]);
    }
}

fn open(path: &Path) -> LogDb {
    LogDb::open(Medium::file(path.to_owned())).unwrap()
}

#[test]
fn logs_read_as_told_whatever_is_done_to_them() {
    for seed in 1..=4u64 {
        let mut rng = Rng(seed);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.redb");
        let mut log = open(&path);
        let mut told: [Told; GROUPS as usize] = Default::default();
        for n in 0..150 {
            // What is purged was told by an earlier batch.
            let group = rng.below(GROUPS.into()) as u32;
            let purge = (n % 3 == 0).then(|| told[group as usize].purge(group, &mut rng)).flatten();
            let each = (0..GROUPS).zip(&mut told);
            let ops: Vec<Op> = each.flat_map(|(g, told)| told.batch(g, &mut rng)).collect();
            let purge = purge.filter(|slice| !ops.iter().any(|op| op.empties(slice.group)));
            log.commit(&ops, purge).unwrap();
            if rng.below(12) == 0 {
                drop(log);
                log = open(&path);
                for (group, told) in (0..GROUPS).zip(&told) {
                    let loaded = log.load(group, 0..0).unwrap();
                    assert_eq!(loaded.entries.len(), told.entries.len(), "seed {seed}, {n}");
                    assert!(told.entries.is_empty() || loaded.first == told.first);
                }
            }
            for (group, told) in (0..GROUPS).zip(&told) {
                told.check(&log, group, &mut rng);
            }
        }
    }
}

/// Found by a review: the tables were opened before anybody asked for the version, and keys of
/// another type looked like damage.
#[test]
fn tables_of_an_older_format_are_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.redb");
    let identity = Identity {
        cluster_id: 1,
        node_id: 1,
        format_version: FORMAT_VERSION - 1,
        n_groups: 1,
        incarnation: 7,
    };
    open(&path).create(&identity).unwrap();
    let db = redb::Database::open(&path).unwrap();
    let txn = db.begin_write().unwrap();
    for name in ["log", "large"] {
        let table = |name| redb::TableDefinition::<(u32, u32, u64, u16), &[u8]>::new(name);
        txn.delete_table(table(name)).unwrap();
        let old: TableDefinition<'_, (u32, u64, u16), &[u8]> = TableDefinition::new(name);
        txn.open_table(old).unwrap().insert((1, 1, 0), &b"a row"[..]).unwrap();
    }
    txn.commit().unwrap();
    drop(db);
    let error = LogDb::open(Medium::file(path)).err().expect("it is refused");
    assert!(matches!(error, Error::FormatVersion { .. }), "{error}");
}
