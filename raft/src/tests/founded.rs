//! What a group is founded with, and who of it has to be there.

use super::cluster::{Cluster, command, fast, insist};
use super::until;
use crate::{Founder, Start};

fn founded(cluster: &Cluster, is_first: bool) -> Start {
    Start::Founded { voters: cluster.founders(&[1, 2, 3]), is_first }
}

/// Found by a cluster whose first node was stopped within a second after it was founded: only the
/// node that should lead a shard founded its group, and asked all others for that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_is_founded_without_the_one_that_should_lead_it() {
    let mut cluster = Cluster::new(3, fast).await;
    for id in [2, 3] {
        let start = founded(&cluster, false);
        cluster.open(id, 0, start).await;
    }
    insist(&cluster.group(2, 0), command(1, 10)).await;
    // It comes late, with the same beginning.
    let start = founded(&cluster, true);
    cluster.open(1, 0, start).await;
    insist(&cluster.group(1, 0), command(2, 10)).await;
    let late = cluster.group(1, 0);
    until("it has all", || late.status().applied == late.status().last).await;
    let leaders = cluster.groups(0).into_iter().filter_map(|group| group.status().leader);
    assert_eq!(leaders.collect::<std::collections::BTreeSet<_>>().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn founders_that_all_want_to_be_first_agree_on_one() {
    let mut cluster = Cluster::new(3, fast).await;
    for id in [1, 2, 3] {
        let start = founded(&cluster, true);
        cluster.open(id, 0, start).await;
    }
    for id in [1, 2, 3] {
        insist(&cluster.group(id, 0), command(id, 10)).await;
    }
    for group in cluster.groups(0) {
        assert_eq!(group.status().voters, [1, 2, 3].into());
    }
}

/// A replica that was erased has forgotten whom it voted for: it must not vote as a founder.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_founder_that_is_another_replica_by_now_joins() {
    let mut cluster = Cluster::new(3, fast).await;
    let mut voters = cluster.founders(&[1, 2, 3]);
    let own = &voters[&3];
    let other = Founder { incarnation: own.incarnation ^ 1, ..own.clone() };
    voters.insert(3, other);
    for id in [1, 2, 3] {
        let start = Start::Founded { voters: voters.clone(), is_first: id == 1 };
        cluster.open(id, 0, start).await;
    }
    insist(&cluster.group(1, 0), command(1, 10)).await;
    let stranger = cluster.group(3, 0).status();
    assert_eq!((stranger.last, stranger.leader, stranger.voters.len()), (0, None, 0));
}
