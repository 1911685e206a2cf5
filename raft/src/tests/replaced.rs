//! A replica that came in place of another one of its node never takes itself for it.

use std::collections::BTreeMap;
use std::time::Duration;

use openraft::EntryPayload;
use openraft::raft::AppendEntriesRequest;
use tokio::time::{Instant, sleep};

use super::cluster::{Cluster, fast};
use super::until;
use crate::Start;
use crate::types::{Entry, LeaderId, LogId, Member, Membership, Types, Vote};

/// The first entries of a log that node 2 leads: node 1 is its only voter, as this incarnation.
fn alone(at: u64, incarnation: u64) -> AppendEntriesRequest<Types> {
    let leader_id = LeaderId { term: 5, node_id: 2 };
    let log_id = |index| LogId { leader_id, index };
    let member = Member { address: "127.0.0.1:1".to_owned(), incarnation };
    let membership = Membership::new(vec![[1].into()], BTreeMap::from([(1, member)])).unwrap();
    AppendEntriesRequest {
        vote: Vote { leader_id, committed: true },
        prev_log_id: at.checked_sub(1).map(log_id),
        entries: vec![Entry { log_id: log_id(at), payload: EntryPayload::Membership(membership) }],
        leader_commit: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_does_not_lead_because_its_node_once_did() {
    let mut cluster = Cluster::new(1, fast).await;
    cluster.open(1, 0, Start::Join).await;
    let group = cluster.group(1, 0);
    let own = cluster.node(1).identity().incarnation;
    group.raft.append_entries(alone(0, own ^ 1)).await.unwrap();
    let started = Instant::now();
    // Longer than any election takes here.
    while started.elapsed() < Duration::from_secs(4) {
        let status = group.status();
        assert!(status.leader != Some(1) && status.term == 5, "{status:?}");
        sleep(Duration::from_millis(50)).await;
    }
    // Named itself, it does what a lone voter should.
    group.raft.append_entries(alone(1, own)).await.unwrap();
    until("it leads", || group.status().leader == Some(1)).await;
}
