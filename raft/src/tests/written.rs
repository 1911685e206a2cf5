//! How much is written to `log.redb` for what is pushed.

use std::sync::Arc;

use crate::disk::{LogDb, Medium, Op, PurgeSlice};
use crate::types::{Command, Entry, IoFlushed, LeaderId, LogId};

/// A command of `len` bytes at an index of a group.
fn append(group: u32, index: u64, len: usize) -> Op {
    let log_id = LogId { leader_id: LeaderId { term: 1, node_id: 1 }, index };
    let command = Command(vec![group as u8; len].into());
    let entries = vec![Entry { log_id, payload: openraft::EntryPayload::Normal(command) }];
    let (done, flushed) = (IoFlushed::noop(), Arc::default());
    Op::Append { group, entries, bytes: len, done, flushed }
}

/// Commits of so many entries of each group, as pushes to all shards make them, while the groups
/// take turns to purge what is old. Bytes written for each byte pushed.
fn written(n_groups: u32, per_commit: u64, sizes: std::ops::Range<u64>) -> f64 {
    let dir = tempfile::tempdir().unwrap();
    let db = LogDb::open(Medium::file(dir.path().join("log.redb"))).unwrap();
    let mut pushed = 0;
    for commit in 1..200 {
        let indexes = (commit - 1) * per_commit + 1..=commit * per_commit;
        let named =
            (1..=n_groups).flat_map(|group| indexes.clone().map(move |index| (group, index)));
        let ops = named.map(|(group, index)| {
            // In any order that does not repeat itself.
            let drawn = (index * 2_654_435_761 + u64::from(group) * 40_503) % 65_521;
            let len = (sizes.start + drawn * (sizes.end - sizes.start) / 65_521) as usize;
            pushed += len as u64;
            append(group, index, len)
        });
        let ops: Vec<Op> = ops.collect();
        let purge = (commit > 100 && commit % 5 == 0).then(|| {
            let leader_id = LeaderId { term: 1, node_id: 1 };
            let group = u32::try_from(commit / 5).unwrap() % n_groups + 1;
            PurgeSlice { group, upto: LogId { leader_id, index: (commit - 80) * per_commit } }
        });
        db.commit(&ops, purge).unwrap();
    }
    db.written_bytes() as f64 / pushed as f64
}

/// Found by counting what a real push wrote, 1.29 for each byte: an entry's first few bytes lay in
/// a page with its neighbours', which was written again with each of them.
#[test]
fn large_entries_are_written_about_once() {
    let check = |n_groups: u32, per_commit: u64, sizes: std::ops::Range<u64>, at_most: f64| {
        let ratio = written(n_groups, per_commit, sizes.clone());
        assert!(ratio <= at_most, "{n_groups}, {per_commit} of each, {sizes:?}: {ratio:.3}");
    };
    check(8, 1, 8_000..70_000, 1.18);
    check(8, 4, 8_000..70_000, 1.13);
    check(8, 1, 100_000..200_000, 1.08);
    check(64, 1, 8_000..20_000, 1.3);
}
