//! Partitions: who is cut off neither reads what is stale nor acknowledges what is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::cluster::{Cluster, PATIENCE, Passage, command, insist, patient_read};
use super::until;
use crate::ProposeError;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_cut_off_reads_nothing_and_acknowledges_nothing() {
    for passage in [Passage::Cut, Passage::Dark] {
        let cluster = Cluster::three().await;
        insist(&cluster.group(1, 0), command(1, 100)).await;
        cluster.agree().await;
        let old = cluster.group(1, 0);
        cluster.connect(1, passage);
        let reading = old.clone();
        let stale = tokio::spawn(async move { reading.read_index().await });
        let writing = old.clone();
        let lost = tokio::spawn(async move { writing.propose(command(2, 100)).await });
        let started = Instant::now();
        let index = insist(&cluster.group(2, 0), command(3, 100)).await;
        let gap = started.elapsed();
        println!("no leader for {gap:?}");
        assert!(cluster.leader_among(&[2, 3]).await != 1);
        assert!(patient_read(&cluster.group(3, 0)).await >= index);
        let stale = timeout(PATIENCE, stale).await.unwrap().unwrap();
        assert!(stale.is_err(), "{stale:?}");
        assert!(old.with_machine(|ledger| ledger.applied) < index);

        cluster.connect(1, Passage::Open);
        let lost = timeout(PATIENCE, lost).await.unwrap().unwrap();
        let acknowledged = match &lost {
            // The group took it after all, when it was whole again.
            Ok((at, _)) => Some(*at),
            Err(_) => None,
        };
        let ledger = cluster.agree().await;
        assert_eq!(ledger.head[&index], command(3, 100));
        let again = ledger.head.values().filter(|bytes| **bytes == command(2, 100)).count();
        match (acknowledged, lost) {
            (Some(at), _) => assert_eq!(ledger.head[&at], command(2, 100)),
            (None, Err(ProposeError::NotDone { .. })) => assert_eq!(again, 0, "not done is done"),
            (None, _) => assert!(again <= 1),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_knows_how_stale_it_is() {
    let cluster = Cluster::three().await;
    let follower = cluster.group(3, 0);
    let fresh = async {
        while follower.staleness().is_none_or(|age| age > Duration::from_millis(1500)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, fresh).await.unwrap();
    cluster.connect(3, Passage::Cut);
    let cut = Instant::now();
    tokio::time::sleep(Duration::from_millis(700)).await;
    let age = follower.staleness().unwrap();
    assert!(age >= cut.elapsed() - Duration::from_millis(100), "{age:?}");
    cluster.connect(3, Passage::Open);
    let fresh = async {
        while follower.staleness().is_none_or(|age| age > Duration::from_millis(500)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, fresh).await.unwrap();
}

/// Its metrics said for as long as it was cut off that it leads, beside those of the next leader.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_cut_off_stops_saying_that_it_leads() {
    let cluster = Cluster::three().await;
    insist(&cluster.group(1, 0), command(1, 100)).await;
    let leader = cluster.leader_among(&[1, 2, 3]).await;
    let old = cluster.group(leader, 0);
    until("the leader says so", || old.status().leads).await;
    assert_eq!(cluster.groups(0).iter().filter(|group| group.status().leads).count(), 1);
    cluster.connect(leader, Passage::Dark);
    until("the old leader is quiet", || !old.status().leads).await;
    let next = || (1..=3).any(|id| id != leader && cluster.group(id, 0).status().leads);
    until("another one leads", next).await;
    assert!(!old.status().leads);
    cluster.connect(leader, Passage::Open);
    until("it follows", || old.status().leader.is_some_and(|now| now != leader)).await;
}

/// The first question came when the leader could not be reached any more, and until then nothing
/// had been asked: nobody knew how old the replica was, so it was not read at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_is_cut_off_knows_how_stale_it_is_though_nobody_asked_before() {
    let cluster = Cluster::three().await;
    let follower = cluster.group(3, 0);
    let confirmed = async {
        while follower.side.confirmed.lock().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, confirmed).await.unwrap();
    cluster.connect(3, Passage::Cut);
    let cut = Instant::now();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let age = follower.staleness().expect("the leader confirmed it before");
    assert!(age >= cut.elapsed() - Duration::from_millis(100), "{age:?}");
}

/// One proposer's history: what it was told.
#[derive(Default)]
struct Told {
    acknowledged: BTreeMap<u64, Bytes>,
    refused: BTreeSet<Bytes>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_command_is_applied_once_and_in_one_order_everywhere() {
    let cluster = Cluster::three().await;
    let mut proposers = JoinSet::new();
    let until = Instant::now() + Duration::from_secs(9);
    for id in 1..=3u64 {
        for writer in 0..3u64 {
            let (group, peers) = (cluster.group(id, 0), cluster.node(2).peers().clone());
            proposers.spawn(async move {
                let mut told = Told::default();
                for n in 0.. {
                    if Instant::now() > until {
                        break;
                    }
                    let bytes = command(id << 48 | writer << 40 | n, 200 + n as usize % 9_000);
                    let result = if writer == 2 && id == 2 {
                        // From outside of the group, whoever may lead.
                        peers.propose(1 + n % 2 * 2, 0, bytes.clone()).await
                    } else {
                        group.propose(bytes.clone()).await
                    };
                    match result {
                        Ok((index, _)) => {
                            let before = told.acknowledged.insert(index, bytes);
                            assert_eq!(before, None, "two commands at index {index}");
                            let read = group.read_index().await;
                            assert!(read.is_err() || read.unwrap() >= index, "a stale read");
                        }
                        Err(ProposeError::NotDone { .. } | ProposeError::Refused { .. }) => {
                            told.refused.insert(bytes);
                            tokio::time::sleep(Duration::from_millis(5)).await;
                        }
                        Err(ProposeError::Unknown { .. }) => {}
                    }
                }
                told
            });
        }
    }
    for (round, victim) in (0..).zip([1, 2, 3, 1, 2].into_iter().cycle()) {
        if Instant::now() + Duration::from_millis(2600) > until {
            break;
        }
        let passage = if round % 2 == 0 { Passage::Cut } else { Passage::Dark };
        cluster.connect(victim, passage);
        tokio::time::sleep(Duration::from_millis(2000)).await;
        cluster.connect(victim, Passage::Open);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let mut acknowledged = BTreeMap::new();
    let mut refused = BTreeSet::new();
    while let Some(told) = proposers.join_next().await {
        let mut told = told.unwrap();
        let before = acknowledged.len() + told.acknowledged.len();
        acknowledged.append(&mut told.acknowledged);
        assert_eq!(acknowledged.len(), before, "two commands at one index");
        refused.append(&mut told.refused);
    }
    assert!(acknowledged.len() > 20, "only {} went through", acknowledged.len());
    // All replicas hold the same chain; one of them is enough to look into.
    let ledger = cluster.agree().await;
    for (index, command) in &acknowledged {
        assert_eq!(ledger.head.get(index), Some(command), "index {index}");
    }
    let mut seen = BTreeSet::new();
    for command in ledger.head.values().filter(|command| !command.is_empty()) {
        assert!(seen.insert(command), "a command was applied twice");
        assert!(!refused.contains(command), "a refused command was applied");
    }
}

/// A follower that reads sends its vote along, and the leader believes it only for as long as it
/// was given: whoever voted for another one since is told that the leader does not lead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_voter_confirms_its_leader_with_what_it_voted() {
    let cluster = Cluster::three().await;
    let index = insist(&cluster.group(1, 0), command(1, 100)).await;
    cluster.agree().await;
    let leader = cluster.leader_among(&[1, 2, 3]).await;
    let [other, third] = [leader % 3 + 1, (leader + 1) % 3 + 1];
    let (old, follower) = (cluster.group(leader, 0), cluster.group(other, 0));
    let voted = follower.voted();
    assert!(old.confirmed_by(other, &voted).await.unwrap() >= Some(index));
    // Nobody else is asked: the third node is not there.
    cluster.connect(third, Passage::Cut);
    assert!(timeout(PATIENCE, follower.read_index()).await.unwrap().unwrap() >= index);
    cluster.connect(third, Passage::Open);
    let mut later = voted.clone();
    if let Some(vote) = &mut later.vote {
        vote.term += 1;
    }
    assert_eq!(old.confirmed_by(other, &later).await.unwrap(), None);
    let erased = drave_proto::raft::Voted { incarnation: voted.incarnation ^ 1, ..voted };
    assert_eq!(old.confirmed_by(other, &erased).await.unwrap(), None);
}
