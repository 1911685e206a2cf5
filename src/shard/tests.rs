//! The shard beside the simulation: what must stop a replica, and what a reader may rely on.

use super::*;
use crate::model::{BatchBuilder, Labels};

const SHARD: ShardId = ShardId(1);

fn tenant(text: &str) -> Tenant {
    Tenant::parse(text).expect("a tenant")
}

fn labels(app: &str) -> Labels {
    Labels::from_pairs([("app", app)]).expect("one label")
}

/// An append of one line per (tenant, app, timestamp).
fn append(entries: &[(&str, &str, i64)]) -> Bytes {
    let mut builder = BatchBuilder::new();
    for (name, app, ts) in entries {
        builder.segment(&tenant(name), &labels(app));
        builder.push(*ts, "a line", 0);
    }
    Command::Append { batch: builder.encode() }.encode()
}

fn flush(shard: &Shard, chunk: Index) -> Command {
    let view = shard.view().expect("nothing to replay");
    let sealed = view.sealed_heads().iter().find(|sealed| sealed.chunk == chunk);
    let flushed = |tenant: &Tenant| {
        let content = view.chunk(chunk, tenant).expect("a row per tenant").content;
        let object = ObjectInfo { bytes: 1, n_entries: 1, raw_bytes: 1, n_streams: 1, hash: 1 };
        Flushed { tenant: tenant.clone(), content, object }
    };
    let tenants = sealed.expect("a sealed head").tenants.iter().map(flushed).collect();
    Command::Flush { chunk, tenants }
}

/// A shard, its log and its rows as they are on disk.
struct Fixture {
    shard: Shard,
    log: Vec<Bytes>,
    rows: BTreeMap<Vec<u8>, Bytes>,
}

impl Fixture {
    /// Two sealed heads, of which the first is flushed, and an open one.
    fn new() -> Fixture {
        let mut fixture =
            Fixture { shard: Shard::new(SHARD), log: Vec::new(), rows: BTreeMap::new() };
        fixture.apply(append(&[("a", "web", 1), ("b", "web", 2), ("a", "db", 3)]));
        fixture.apply(Command::Seal.encode());
        fixture.apply(append(&[("a", "web", 4)]));
        let flush = flush(&fixture.shard, 2);
        fixture.apply(flush.encode());
        fixture.apply(append(&[("b", "db", 5)]));
        fixture.apply(Command::Seal.encode());
        fixture.apply(append(&[("a", "web", 7)]));
        fixture
    }

    fn apply(&mut self, command: Bytes) -> Reply {
        let index = self.log.len() as Index + 1;
        let (reply, changes) = self.shard.apply(index, &command).expect("no divergence");
        self.log.push(command);
        for RowChange { key, value } in changes {
            match value {
                Some(value) => drop(self.rows.insert(key, value)),
                None => drop(self.rows.remove(&key)),
            }
        }
        reply
    }

    fn wal(&self) -> Vec<(Index, Bytes)> {
        (1..).zip(self.log.iter().cloned()).skip(self.shard.floor() as usize - 1).collect()
    }

    fn reopen(&self, wal: Vec<(Index, Bytes)>) -> Result<u64, OpenError> {
        let opened = Shard::open(SHARD, &self.rows, self.log.len() as Index, wal)?;
        Ok(opened.digest())
    }
}

#[test]
fn reopens_as_it_was() {
    let fixture = Fixture::new();
    assert_eq!(fixture.reopen(fixture.wal()), Ok(fixture.shard.digest()));
    assert_eq!(fixture.wal()[0].0, 3, "what is flushed is not needed");
}

#[test]
fn a_flush_that_says_something_else_stops_the_replica() {
    let mut fixture = Fixture::new();
    let Command::Flush { chunk, tenants } = flush(&fixture.shard, 6) else { panic!("a flush") };
    let mut other_content = tenants.clone();
    other_content[0].content ^= 1;
    let mut other_tenant = tenants.clone();
    other_tenant[1].tenant = tenant("c");
    for tenants in [other_content, other_tenant, tenants[..1].to_vec(), Vec::new()] {
        let before = fixture.shard.digest();
        let lie = Command::Flush { chunk, tenants }.encode();
        for _ in 0..2 {
            let error = fixture.shard.apply(8, &lie).expect_err("it is a lie");
            assert_eq!((error.shard, error.index), (SHARD, 8));
        }
        assert_eq!(fixture.shard.digest(), before, "nothing changed");
    }
    let truth = Command::Flush { chunk, tenants }.encode();
    assert_eq!(fixture.apply(truth), Reply::Done { index: 8 });
}

#[test]
fn a_wal_that_says_something_else_is_noticed() {
    let fixture = Fixture::new();
    let changed = |at: usize, command: Bytes| {
        let mut wal = fixture.wal();
        wal[at].1 = command;
        fixture.reopen(wal)
    };
    let diverged = |result| assert!(matches!(result, Err(OpenError::Divergence(_))), "{result:?}");
    diverged(changed(0, append(&[("a", "web", 5)])));
    diverged(changed(0, Bytes::new()));
    diverged(changed(2, append(&[("a", "web", 4)])));
    diverged(changed(3, Bytes::new()));
    let both_gone = {
        let mut wal = fixture.wal();
        (wal[0].1, wal[2].1) = (Bytes::new(), Bytes::new());
        fixture.reopen(wal)
    };
    diverged(both_gone);
}

#[test]
fn a_wal_with_a_hole_is_noticed() {
    let fixture = Fixture::new();
    for at in 0..fixture.wal().len() {
        let mut wal = fixture.wal();
        let (index, _) = wal.remove(at);
        assert_eq!(fixture.reopen(wal), Err(OpenError::WalGap { shard: SHARD, index }));
    }
}

#[test]
fn rows_that_miss_something_are_noticed() {
    let fixture = Fixture::new();
    for key in fixture.rows.keys().filter(|key| key[0] != b's') {
        let flushed_already = key[0] == b'c' && key.last() == Some(&2);
        let mut fewer = Fixture::new();
        fewer.rows.remove(key);
        // What was flushed is in no WAL: only its row knows of it.
        assert_eq!(fewer.reopen(fixture.wal()).is_ok(), flushed_already, "without {key:?}");
    }
    let mut older = Fixture::new();
    older.rows = BTreeMap::new();
    let wal = (1..).zip(fixture.log.clone()).collect();
    assert_eq!(older.reopen(wal), Err(OpenError::RowsBehind { shard: SHARD, index: 1 }));
}

#[test]
fn stream_rows_that_miss_a_sealed_stream_are_noticed() {
    let fixture = Fixture::new();
    let mut fewer = Fixture::new();
    fewer.rows.retain(|key, _| !key.starts_with(b"sb\0"));
    assert!(matches!(fewer.reopen(fixture.wal()), Err(OpenError::Divergence(_))));
}

#[test]
fn a_damaged_row_is_named() {
    let mut fixture = Fixture::new();
    let key = vec![b'i'];
    fixture.rows.insert(key.clone(), Bytes::from_static(b"nonsense"));
    let error = fixture.reopen(fixture.wal());
    assert!(matches!(error, Err(OpenError::BadRow { key: bad, .. }) if bad == key));
}

#[test]
fn a_view_does_not_change() {
    let mut fixture = Fixture::new();
    let view = fixture.shard.view().expect("nothing to replay");
    let seen = |view: &ShardView| {
        let batches: Vec<Index> = view.batches().map(|(index, _)| index).collect();
        (batches, view.manifest().len(), view.streams().len(), view.applied())
    };
    let before = seen(&view);
    assert_eq!(before, (vec![3, 5, 7], 4, 4, 7));
    let flush = flush(&fixture.shard, 6);
    fixture.apply(flush.encode());
    fixture.apply(append(&[("c", "new", 9)]));
    fixture.apply(Command::Seal.encode());
    assert_eq!(seen(&view), before);
}

#[test]
fn a_snapshot_shows_nothing_before_it_is_complete() {
    let fixture = Fixture::new();
    let at = fixture.shard.floor() - 1;
    let mut copy = Shard::open(SHARD, fixture.shard.snapshot(), at, []).expect("a snapshot opens");
    for (index, command) in fixture.wal() {
        assert_eq!(copy.view().is_some(), index > 6, "rows know everything up to the seal at 6");
        copy.apply(index, &command).expect("no divergence");
    }
    assert_eq!(copy.digest(), fixture.shard.digest());
}

#[test]
fn chunk_inputs_keep_streams_apart_and_the_wal_order() {
    let mut shard = Shard::new(SHARD);
    let entries = [("b", "web", 1), ("a", "web", 2), ("a", "db", 3), ("a", "web", 1)];
    shard.apply(1, &append(&entries)).expect("no divergence");
    shard.apply(2, &append(&entries[1..2])).expect("no divergence");
    shard.apply(3, &Command::Seal.encode()).expect("no divergence");
    let view = shard.view().expect("nothing to replay");
    let piece = |batch, segment| Piece { batch, segment };
    let stream = |app, pieces| StreamInput { labels: labels(app), pieces };
    let expected = vec![
        ChunkInput {
            tenant: tenant("a"),
            streams: vec![
                stream("db", vec![piece(0, 2)]),
                stream("web", vec![piece(0, 1), piece(0, 3), piece(1, 0)]),
            ],
        },
        ChunkInput { tenant: tenant("b"), streams: vec![stream("web", vec![piece(0, 0)])] },
    ];
    assert_eq!(chunk_inputs(&view.sealed_heads()[0]), expected);
}

#[test]
fn a_tail_gets_what_it_missed() {
    let fixture = Fixture::new();
    let view = fixture.shard.view().expect("nothing to replay");
    let above = |index| -> Vec<Index> { view.batches_above(index).map(|(at, _)| at).collect() };
    assert_eq!(above(2), [3, 5, 7]);
    assert_eq!(above(3), [5, 7]);
    assert_eq!(above(6), [7]);
    assert_eq!(above(7), [0; 0]);
}

#[test]
fn contents_tell_tenants_of_one_batch_apart() {
    let fixture = Fixture::new();
    let view = fixture.shard.view().expect("nothing to replay");
    let content = |name| view.chunk(2, &tenant(name)).map(|chunk| chunk.content);
    assert!(content("a").is_some() && content("b").is_some());
    assert_ne!(content("a"), content("b"));
}

/// A sweep deleted what a merge had written, for the clock had jumped by a day in between; then the
/// merge was committed. Now the sweep puts a fence first.
#[test]
fn a_merge_that_was_planned_before_a_sweep_is_stale() {
    let mut fixture = Fixture::new();
    let second = flush(&fixture.shard, 6);
    fixture.apply(second.encode());
    let object = ObjectInfo { bytes: 1, n_entries: 3, raw_bytes: 1, n_streams: 1, hash: 9 };
    let (at, retire) = (Timestamp(1), vec![2, 6]);
    let planned = |fixture: &Fixture| Command::Replace {
        base: fixture.shard.applied(),
        at,
        tenant: tenant("a"),
        retire: retire.clone(),
        object,
    };
    let before = planned(&fixture);
    let unknown = Command::Replace { base: 0, at, tenant: tenant("a"), retire: vec![2, 6], object };
    assert_eq!(fixture.apply(Command::Fence.encode()), Reply::Done { index: 9 });
    assert_eq!(fixture.reopen(fixture.wal()), Ok(fixture.shard.digest()), "the fence stays");
    assert_eq!(fixture.apply(before.encode()), Reply::Stale);
    assert_eq!(fixture.apply(unknown.encode()), Reply::Stale, "an older version's");
    let after = planned(&fixture);
    assert_eq!(fixture.apply(after.encode()), Reply::Done { index: 12 });
}
