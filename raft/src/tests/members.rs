//! Members come, catch up, vote, lead, stop and go, while commands are proposed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::cluster::{Cluster, PATIENCE, Passage, command, fast, insist};
use super::{FLUSH, until};
use crate::{Error, Group, MemberError, Options, Start};

/// Commands proposed from one replica until the test says stop.
struct Load {
    stop: Arc<AtomicBool>,
    task: JoinHandle<BTreeMap<u64, Bytes>>,
}

impl Load {
    fn on(group: Group<super::Ledger>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = stop.clone();
        let task = tokio::spawn(async move {
            let mut acknowledged = BTreeMap::new();
            for n in 0.. {
                if stopping.load(Ordering::Relaxed) {
                    break;
                }
                let index = insist(&group, command(n, 2_000)).await;
                assert_eq!(acknowledged.insert(index, command(n, 2_000)), None);
            }
            acknowledged
        });
        Self { stop, task }
    }

    async fn end(self) -> BTreeMap<u64, Bytes> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

/// Has the log purged up to here, everywhere.
async fn flush(cluster: &Cluster) {
    let leader = &cluster.groups(0)[0];
    let flushed = insist(leader, FLUSH.into()).await;
    for group in cluster.groups(0) {
        let mut applied = group.applied();
        applied.wait_for(|at| *at >= flushed).await.unwrap();
        group.persist().await.unwrap();
        until("the purge", || group.status().purged >= flushed).await;
    }
}

/// Has whoever leads change the members: on a busy machine that may not stay the same one.
async fn change<F>(cluster: &Cluster, mut ask: impl FnMut(Group<super::Ledger>) -> F)
where
    F: Future<Output = Result<u64, MemberError>>,
{
    let changed = async {
        loop {
            for group in cluster.groups(0) {
                match ask(group).await {
                    Ok(_) => return,
                    Err(MemberError::Refused { reason, .. }) => panic!("{reason}"),
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, changed).await.expect("it is changed");
}

async fn set_voters<const N: usize>(cluster: &Cluster, voters: [u64; N]) {
    change(cluster, async |group| group.change_voters(voters.into()).await).await;
}

async fn add_learner(cluster: &Cluster, id: u64) {
    let address = cluster.address(id);
    change(cluster, async |group| group.add_learner(id, &address).await).await;
    let close = |group: Group<super::Ledger>| group.learner_lag(id).is_some_and(|lag| lag < 20);
    until("the learner", || cluster.groups(0).into_iter().any(close)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_comes_votes_and_another_goes_under_load() {
    let mut cluster = Cluster::new(4, fast).await;
    cluster.found(0, &[1, 2, 3]).await;
    let load = Load::on(cluster.group(2, 0));
    flush(&cluster).await;
    cluster.open(4, 0, Start::Join).await;
    add_learner(&cluster, 4).await;
    // Asking twice changes nothing.
    add_learner(&cluster, 4).await;
    set_voters(&cluster, [1, 2, 3, 4]).await;
    // The one that goes may lead: then it hands that on.
    set_voters(&cluster, [2, 3, 4]).await;
    let status = cluster.group(cluster.leader_among(&[2, 3, 4]).await, 0).status();
    assert_eq!((status.voters, status.learners.len()), ([2, 3, 4].into(), 0));
    let acknowledged = load.end().await;
    assert!(acknowledged.len() > 3, "{}", acknowledged.len());

    // Who went may be erased, and may come again.
    cluster.members.get_mut(&1).unwrap().groups.clear();
    cluster.node(1).close_group(0, true).await.unwrap();
    let head = cluster.agree().await.head;
    for (index, command) in acknowledged.range(head.first_key_value().unwrap().0..) {
        assert_eq!(head.get(index), Some(command), "index {index}");
    }
    cluster.open(1, 0, Start::Join).await;
    add_learner(&cluster, 1).await;
    change(&cluster, async |group| group.remove_learner(1).await).await;
    let leader = cluster.leader_among(&[2, 3, 4]).await;
    assert!(cluster.group(leader, 0).status().learners.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_that_make_no_sense_are_refused() {
    let mut cluster = Cluster::new(4, fast).await;
    cluster.found(0, &[1, 2, 3]).await;
    let led_by = cluster.leader_among(&[1, 2, 3]).await;
    let [second, third] = [led_by % 3 + 1, (led_by + 1) % 3 + 1];
    let (leader, follower) = (cluster.group(led_by, 0), cluster.group(second, 0));
    let error = follower.change_voters([1, 2].into()).await.unwrap_err();
    assert_eq!(error, MemberError::NotLeader { group: 0, leader: Some(led_by) });
    assert!(matches!(follower.transfer_leader(3).await, Err(MemberError::NotLeader { .. })));
    for refused in [
        leader.change_voters(BTreeSet::new()).await,
        leader.change_voters([1, 2, 9].into()).await,
        leader.remove_learner(third).await,
        leader.add_learner(9, "127.0.0.1:1").await,
        // It is node 3 that is there.
        leader.add_learner(8, &cluster.address(3)).await,
    ] {
        assert!(matches!(refused, Err(MemberError::Refused { .. })), "{refused:?}");
    }
    assert!(matches!(leader.transfer_leader(4).await, Err(MemberError::Refused { .. })));
    assert!(leader.remove_learner(8).await.is_ok(), "who is no member is removed");

    // A change that cannot end keeps others out.
    cluster.open(4, 0, Start::Join).await;
    cluster.connect(second, Passage::Cut);
    cluster.connect(third, Passage::Cut);
    let (stuck, address) = (leader.clone(), cluster.address(4));
    let stuck = tokio::spawn(async move { stuck.add_learner(4, &address).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let busy = leader.change_voters([1, 2].into()).await;
    assert!(matches!(busy, Err(MemberError::Busy { .. })), "{busy:?}");
    cluster.connect(second, Passage::Open);
    cluster.connect(third, Passage::Open);
    let ended = tokio::time::timeout(PATIENCE, stuck).await.unwrap().unwrap();
    assert!(!matches!(ended, Err(MemberError::Busy { .. })), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leadership_moves_when_asked_and_before_a_stop() {
    let mut cluster = Cluster::three().await;
    insist(&cluster.group(1, 0), command(1, 10)).await;
    // A busy machine may take several attempts.
    let moved = async {
        loop {
            match cluster.leader_among(&[1, 2, 3]).await {
                3 => return,
                led_by => drop(cluster.group(led_by, 0).transfer_leader(3).await),
            }
        }
    };
    tokio::time::timeout(PATIENCE, moved).await.expect("node 3 leads");
    let index = insist(&cluster.group(2, 0), command(2, 10)).await;
    assert!(index > 0);

    let stopped = cluster.members.remove(&3).unwrap();
    let terms = cluster.group(1, 0).status().term;
    let started = tokio::time::Instant::now();
    stopped.stop().await;
    assert!(started.elapsed() < PATIENCE);
    cluster.connect(3, Passage::Cut);
    let leader = cluster.leader_among(&[1, 2]).await;
    let status = cluster.group(leader, 0).status();
    assert!(status.term > terms, "another leader was made before the stop");
    insist(&cluster.group(leader, 0), command(3, 10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_away_for_long_gets_a_snapshot() {
    let mut cluster = Cluster::three().await;
    cluster.agree().await;
    cluster.kill(3);
    for n in 0..50 {
        insist(&cluster.group(1, 0), command(n, 10_000)).await;
    }
    flush(&cluster).await;
    insist(&cluster.group(2, 0), command(51, 10_000)).await;
    cluster.revive(3).await;
    let ledger = cluster.agree().await;
    assert_eq!(ledger.head.len() as u64, ledger.applied + 1 - ledger.floor);
    let late = cluster.group(3, 0);
    assert!(late.status().purged > 0, "it got the rows, not the entries");
    // What it was sent is durable, and what comes next goes the usual way.
    cluster.kill(3);
    insist(&cluster.group(1, 0), command(52, 10_000)).await;
    cluster.revive(3).await;
    cluster.agree().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_is_installed_and_not_yet_purged_to_is_kept() {
    // Node 3 writes its state when a snapshot comes, and never again.
    let lazy = |options: Options| match options.node_id {
        3 => Options { durable_every: Duration::from_secs(3600), ..options },
        _ => options,
    };
    let mut cluster = Cluster::new(3, lazy).await;
    cluster.found(0, &[1, 2, 3]).await;
    insist(&cluster.group(1, 0), command(0, 100)).await;
    cluster.agree().await;
    cluster.kill(3);
    for n in 1..30 {
        insist(&cluster.group(1, 0), command(n, 1_000)).await;
    }
    // Nothing follows the snapshot: who acknowledged more than it must not forget that.
    flush(&cluster).await;
    let log = cluster.path(3).join("log.redb");
    let before = std::fs::read(&log).unwrap();
    cluster.revive(3).await;
    cluster.agree().await;
    let late = cluster.group(3, 0);
    until("the purge", || late.status().purged > 0).await;
    let purged = late.status().purged;
    cluster.kill(3);
    // As if it was killed right after the rows were durable.
    std::fs::write(&log, before).unwrap();
    cluster.revive(3).await;
    assert!(cluster.group(3, 0).status().applied >= purged);
    let index = insist(&cluster.group(3, 0), command(30, 1_000)).await;
    assert_eq!(cluster.agree().await.head[&index], command(30, 1_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wiped_disk_is_refused_until_it_is_removed_and_added() {
    let mut cluster = Cluster::three().await;
    insist(&cluster.group(1, 0), command(1, 100)).await;
    cluster.agree().await;
    cluster.kill(3);
    insist(&cluster.group(1, 0), command(2, 100)).await;
    std::fs::remove_dir_all(cluster.path(3)).unwrap();
    cluster.revive(3).await;
    // The wiped node votes for nobody: with it alone there is no majority.
    cluster.kill(1);
    let lone = cluster.group(2, 0);
    let refused = lone.propose(command(3, 100)).await;
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(cluster.group(3, 0).status().last, 0, "the wiped node took nothing");
    cluster.revive(1).await;

    let leader = cluster.leader_among(&[1, 2]).await;
    let leader = cluster.group(leader, 0);
    let address = cluster.address(3);
    insist(&leader, command(4, 100)).await;
    let known = leader.add_learner(3, &address).await.unwrap_err();
    assert!(known.to_string().contains("remove it first"), "{known}");
    set_voters(&cluster, [1, 2]).await;
    add_learner(&cluster, 3).await;
    set_voters(&cluster, [1, 2, 3]).await;
    cluster.agree().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_went_backwards_never_votes_and_comes_back_as_a_learner() {
    let mut cluster = Cluster::three().await;
    for n in 0..10 {
        insist(&cluster.group(1, 0), command(n, 100)).await;
    }
    cluster.agree().await;
    cluster.kill(3);
    let old = std::fs::read(cluster.path(3).join("log.redb")).unwrap();
    cluster.revive(3).await;
    for n in 10..20 {
        insist(&cluster.group(1, 0), command(n, 100)).await;
    }
    cluster.agree().await;
    cluster.group(3, 0).persist().await.unwrap();
    cluster.kill(3);
    std::fs::write(cluster.path(3).join("log.redb"), old).unwrap();

    cluster.start(3).await;
    let opened = cluster.node(3).group(0, Start::Join, super::Ledger::recover).await;
    let error = opened.err().expect("it must not open");
    assert!(matches!(error, Error::LogReverted { .. }), "{error}");
    assert!(error.to_string().contains("again as a learner"), "{error}");
    set_voters(&cluster, [1, 2]).await;
    cluster.node(3).close_group(0, true).await.unwrap();
    cluster.open(3, 0, Start::Join).await;
    add_learner(&cluster, 3).await;
    set_voters(&cluster, [1, 2, 3]).await;
    assert_eq!(cluster.agree().await.commands, 20);
}
