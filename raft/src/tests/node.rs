//! A node as its user sees it: restarts, purges, refusals.

use std::fs;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use bytes::Bytes;

use super::{FLUSH, Ledger, found, ledger, options, until};
use crate::{COMMAND_BYTES_MAX, Error, Group, Node, Options, ProposeError, Start};

fn command(n: u64, len: usize) -> Bytes {
    let mut bytes = vec![0; len.max(8)];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = (n as usize * 31 + at * 7) as u8;
    }
    bytes[..8].copy_from_slice(&n.to_le_bytes());
    bytes.into()
}

#[tokio::test]
async fn what_is_proposed_is_applied_and_read() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::open(&options(dir.path()), found(2)).unwrap();
    let group = ledger(&node, 0).await;
    let (first, reply) = group.propose(command(1, 100)).await.unwrap();
    assert_eq!(reply.as_ref(), 1u64.to_le_bytes());
    let (second, reply) = group.propose(command(2, 100)).await.unwrap();
    assert_eq!((second, reply.as_ref()), (first + 1, &2u64.to_le_bytes()[..]));
    assert!(group.read_index().await.unwrap() >= second);
    group.with_machine(|ledger| assert_eq!(ledger.head[&second], command(2, 100)));

    let status = group.status();
    assert_eq!((status.leader, status.applied, &status.failed), (Some(1), second, &None));
    assert!(status.wal_bytes >= 200, "{status:?}");
    assert_eq!(*group.applied().borrow(), second);
    let (other, _) = ledger(&node, 1).await.propose(command(3, 9)).await.unwrap();
    assert!(other <= 3, "groups count on their own");
    node.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_restart_applies_each_command_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut said = 0;
    let mut before: Option<Ledger> = None;
    for round in 0..8u64 {
        // The second half never writes a durable state by itself: all comes from the log.
        let every = if round < 4 { Duration::from_millis(1) } else { Duration::from_secs(3600) };
        let options = Options { durable_every: every, ..options(dir.path()) };
        let node = Node::open(&options, found(1)).unwrap();
        let group = ledger(&node, 0).await;
        group.read_index().await.unwrap();
        if let Some(before) = before {
            let now = group.with_machine(Ledger::clone);
            assert_eq!(now.commands, before.commands, "round {round}");
            let added = now.head.range(before.applied + 1..);
            let chain = added.clone().fold(before.chain, |chain, (i, c)| super::link(chain, *i, c));
            assert_eq!(chain, now.chain, "round {round}");
            assert!(added.into_iter().all(|(_, command)| command.is_empty()), "round {round}");
        }
        for n in 0..20 {
            let size = [10, 3_000, 70_000, 1_200_000][(n % 4) as usize];
            let bytes = if n == 13 { FLUSH.into() } else { command(n, size) };
            group.propose(bytes).await.unwrap();
            said += 1;
        }
        let now = group.with_machine(Ledger::clone);
        assert_eq!(now.commands, said);
        before = Some(now);
        drop(group);
        match round % 2 {
            0 => node.shutdown().await.unwrap(),
            // As if killed: nothing is written any more.
            _ => drop(node),
        }
    }
}

#[tokio::test]
async fn the_log_is_purged_below_the_durable_floor_only() {
    let dir = tempfile::tempdir().unwrap();
    let slow = Options { durable_every: Duration::from_secs(3600), ..options(dir.path()) };
    let node = Node::open(&slow, found(1)).unwrap();
    let group = ledger(&node, 0).await;
    for n in 0..50 {
        group.propose(command(n, 10_000)).await.unwrap();
    }
    let (flushed, _) = group.propose(FLUSH.into()).await.unwrap();
    group.propose(command(50, 10_000)).await.unwrap();
    assert_eq!(group.with_machine(crate::Machine::floor), flushed + 1);
    let status = group.status();
    assert_eq!((status.floor, status.purged), (0, 0), "the floor is not durable yet");
    assert!(status.wal_bytes > 500_000);

    group.persist().await.unwrap();
    until("the purge", || group.status().purged == flushed).await;
    assert_eq!(group.status().floor, flushed + 1);
    assert_eq!(group.status().wal_bytes, 10_000);
    node.shutdown().await.unwrap();

    let node = Node::open(&slow, found(1)).unwrap();
    let group = ledger(&node, 0).await;
    group.read_index().await.unwrap();
    let status = group.status();
    assert_eq!((status.floor, status.purged), (flushed + 1, flushed));
    assert_eq!(group.with_machine(|ledger| ledger.commands), 52);
    node.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_node_keeps_its_file_small() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::open(&options(dir.path()), found(1)).unwrap();
    let group = ledger(&node, 0).await;
    let log = dir.path().join("log.redb");
    let mut sizes = Vec::new();
    for round in 0..40u64 {
        let mut waiting = tokio::task::JoinSet::new();
        for n in 0..8 {
            let group = group.clone();
            waiting.spawn(async move { group.propose(command(n, 500_000)).await.unwrap() });
        }
        waiting.join_all().await;
        let (flushed, _) = group.propose(FLUSH.into()).await.unwrap();
        group.persist().await.unwrap();
        until("the purge", || group.status().purged >= flushed).await;
        if round % 10 == 9 {
            sizes.push(fs::metadata(&log).unwrap().len());
        }
    }
    assert!(*sizes.last().unwrap() <= 64 << 20, "160 MB went through, the file has {sizes:?}");
    node.shutdown().await.unwrap();
}

/// So many groups, each of which has a leader.
async fn led(node: &Node, n: u32) -> Vec<Group<Ledger>> {
    let mut groups = Vec::new();
    for id in 0..n {
        let group = ledger(node, id).await;
        group.read_index().await.unwrap();
        groups.push(group);
    }
    groups
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_proposals_share_commits() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::open(&options(dir.path()), found(8)).unwrap();
    let groups = led(&node, 8).await;
    let before = node.lane_stats();
    let mut waiting = tokio::task::JoinSet::new();
    for n in 0..800 {
        let group = groups[n as usize % 8].clone();
        waiting.spawn(async move { group.propose(command(n, 1_000)).await.unwrap() });
    }
    waiting.join_all().await;
    let after = node.lane_stats();
    assert_eq!(after.entries - before.entries, 800);
    assert_eq!(after.bytes - before.bytes, 800_000);
    let commits = after.commits - before.commits;
    assert!(commits < 200, "800 proposals took {commits} commits");
    node.shutdown().await.unwrap();
}

/// On a fast disk each proposal of many proposers got a commit of its own, as they became ready one
/// after the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proposers_that_wait_for_their_answers_share_commits() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::open(&options(dir.path()), found(8)).unwrap();
    let groups = led(&node, 8).await;
    let before = node.lane_stats().commits;
    let mut proposers = tokio::task::JoinSet::new();
    for group in groups.clone() {
        proposers.spawn(async move {
            for n in 0..40 {
                group.propose(command(n, 1_000)).await.unwrap();
            }
        });
    }
    proposers.join_all().await;
    let together = node.lane_stats().commits - before;
    assert!(together < 160, "320 proposals took {together} commits");
    // One alone has nobody to share with.
    for n in 0..10 {
        groups[0].propose(command(n, 1_000)).await.unwrap();
    }
    assert!(node.lane_stats().commits - before >= together + 10);
    node.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_long_command_goes_through_and_a_longer_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    // A queue smaller than the command: one at a time may still pass.
    let small = Options { lane_queue_bytes: 1 << 20, ..options(dir.path()) };
    let node = Node::open(&small, found(1)).unwrap();
    let group = ledger(&node, 0).await;
    let long = Bytes::from(vec![7; COMMAND_BYTES_MAX]);
    let (index, _) = group.propose(long.clone()).await.unwrap();
    let refused = group.propose(Bytes::from(vec![7; COMMAND_BYTES_MAX + 1])).await;
    assert!(matches!(refused, Err(ProposeError::NotDone { .. })), "{refused:?}");
    drop((group, node));

    let node = Node::open(&small, found(1)).unwrap();
    let group = ledger(&node, 0).await;
    group.read_index().await.unwrap();
    group.with_machine(|ledger| assert!(ledger.head[&index] == long));
    node.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_stopped_node_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::open(&options(dir.path()), found(1)).unwrap();
    let group = ledger(&node, 0).await;
    group.propose(command(1, 10)).await.unwrap();
    node.shutdown().await.unwrap();
    let refused = group.propose(command(2, 10)).await.unwrap_err();
    assert!(matches!(&refused, ProposeError::NotDone { reason, .. } if reason.contains("stopped")));
    assert!(group.read_index().await.unwrap_err().reason.contains("stopped"));
    assert!(group.status().failed.is_some());
}

fn refused(options: &Options) -> Error {
    Node::open(options, found(4)).expect_err("this must not open")
}

#[tokio::test]
async fn a_directory_has_one_process_one_node_and_one_version() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    let node = Node::open(&options, found(3)).unwrap();
    let identity = node.identity().clone();
    assert_eq!((identity.node_id, identity.n_groups), (1, 3));
    let second = refused(&options);
    assert!(matches!(second, Error::InUse { .. }), "{second}");
    assert!(second.to_string().contains("another process"), "{second}");
    node.shutdown().await.unwrap();

    let other = refused(&Options { node_id: 2, ..options.clone() });
    assert!(other.to_string().contains("belongs to node 1"), "{other}");
    let node = Node::open(&options, found(99)).unwrap();
    assert_eq!(*node.identity(), identity, "the number of groups is fixed at the first open");
    node.shutdown().await.unwrap();

    // Another node's state next to our log.
    let elsewhere = tempfile::tempdir().unwrap();
    Node::open(&Options::new(elsewhere.path()), found(3)).unwrap().shutdown().await.unwrap();
    let (ours, theirs) = (dir.path().join("state.redb"), elsewhere.path().join("state.redb"));
    fs::copy(&theirs, &ours).unwrap();
    let mixed = refused(&options);
    assert!(matches!(mixed, Error::Identity { .. }), "{mixed}");
    // A log without its state, and the other way round.
    fs::remove_file(&theirs).unwrap();
    let node = Node::open(&Options::new(elsewhere.path()), found(3)).unwrap();
    ledger(&node, 0).await.propose(command(1, 10)).await.unwrap();
    node.shutdown().await.unwrap();
    fs::remove_file(&theirs).unwrap();
    let lost = refused(&Options::new(elsewhere.path()));
    assert!(matches!(lost, Error::Identity { .. }), "{lost}");
    fs::remove_file(dir.path().join("log.redb")).unwrap();
    let lost = refused(&options);
    assert!(matches!(lost, Error::Identity { .. }), "{lost}");
}

#[tokio::test]
async fn another_format_version_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    Node::open(&options, found(1)).unwrap().shutdown().await.unwrap();
    let path = dir.path().join("log.redb");
    let future = crate::Identity {
        format_version: crate::FORMAT_VERSION + 1,
        ..Node::open(&options, found(1)).unwrap().identity().clone()
    };
    crate::disk::LogDb::open(crate::disk::Medium::file(path)).unwrap().create(&future).unwrap();
    let error = refused(&options);
    let (found, expected) = (crate::FORMAT_VERSION + 1, crate::FORMAT_VERSION);
    let named = matches!(error, Error::FormatVersion { found: f, expected: e, .. } if (f, e) == (found, expected));
    assert!(named, "{error}");
}

#[test]
fn a_directory_that_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"x").unwrap();
    let error = refused(&Options::new(&file));
    assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
    let error = refused(&Options::new(file.join("below")));
    assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");

    for name in ["log.redb", "state.redb"] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        fs::write(&path, vec![b'x'; 10_000]).unwrap();
        let error = refused(&Options::new(dir.path()));
        assert!(matches!(error, Error::Damaged { .. }), "{error}");
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        assert_eq!(error.to_string().lines().count(), 1, "{error}");
    }
}

/// Finds `needle` in a file and flips one bit of it.
fn flip(path: &std::path::Path, needle: &[u8]) {
    let file = fs::File::options().read(true).write(true).open(path).unwrap();
    let bytes = fs::read(path).unwrap();
    let at: Vec<usize> =
        (0..bytes.len() - needle.len()).filter(|at| bytes[*at..].starts_with(needle)).collect();
    assert!(!at.is_empty(), "the command is not in the file");
    for at in at {
        file.write_all_at(&[bytes[at] ^ 1], at as u64).unwrap();
    }
}

#[tokio::test]
async fn a_damaged_command_is_named_and_never_served() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    let node = Node::open(&options, found(1)).unwrap();
    let group = ledger(&node, 0).await;
    group.propose(command(1, 9_000)).await.unwrap();
    let needle = vec![0xa7; 100];
    let mut bytes = vec![0; 9_000];
    bytes[4_000..4_100].copy_from_slice(&needle);
    let (index, _) = group.propose(bytes.into()).await.unwrap();
    group.propose(command(3, 9_000)).await.unwrap();
    node.shutdown().await.unwrap();
    drop(group);

    flip(&dir.path().join("log.redb"), &needle);
    let node = Node::open(&options, found(1)).unwrap();
    let error =
        node.group(0, Start::Alone, Ledger::recover).await.err().expect("the damage is noticed");
    assert!(matches!(error, Error::Corrupt { group: 0, index: at, .. } if at == index), "{error}");
}

#[tokio::test]
async fn a_log_that_lost_its_end_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    let node = Node::open(&options, found(1)).unwrap();
    let group = ledger(&node, 0).await;
    group.propose(command(1, 100)).await.unwrap();
    node.shutdown().await.unwrap();
    let old = fs::read(dir.path().join("log.redb")).unwrap();

    let node = Node::open(&options, found(1)).unwrap();
    let group = ledger(&node, 0).await;
    for n in 0..10 {
        group.propose(command(n, 100)).await.unwrap();
    }
    node.shutdown().await.unwrap();
    fs::write(dir.path().join("log.redb"), old).unwrap();

    let node = Node::open(&options, found(1)).unwrap();
    let error =
        node.group(0, Start::Alone, Ledger::recover).await.err().expect("the loss is noticed");
    assert!(matches!(error, Error::LogReverted { group: 0, .. }), "{error}");
}

#[tokio::test]
async fn a_state_that_lost_its_end_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    let node = Node::open(&options, found(1)).unwrap();
    let group = ledger(&node, 0).await;
    group.propose(command(1, 100)).await.unwrap();
    node.shutdown().await.unwrap();
    let old = fs::read(dir.path().join("state.redb")).unwrap();

    let node = Node::open(&options, found(1)).unwrap();
    let group = ledger(&node, 0).await;
    let (flushed, _) = group.propose(FLUSH.into()).await.unwrap();
    group.persist().await.unwrap();
    until("the purge", || group.status().purged == flushed).await;
    node.shutdown().await.unwrap();
    fs::write(dir.path().join("state.redb"), old).unwrap();

    let node = Node::open(&options, found(1)).unwrap();
    let error =
        node.group(0, Start::Alone, Ledger::recover).await.err().expect("the loss is noticed");
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
}
