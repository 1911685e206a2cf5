//! Three nodes: what is committed survives the loss of any one.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::cluster::{Cluster, command, insist};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_node_takes_a_command_and_all_apply_it() {
    let cluster = Cluster::three().await;
    for (n, group) in (0..9).zip(cluster.groups(0).iter().cycle()) {
        let (_, reply) = group.propose(command(n, 100)).await.unwrap();
        assert_eq!(reply.as_ref(), (n + 1).to_le_bytes());
    }
    assert_eq!(cluster.agree().await.commands, 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_committed_survives_the_loss_of_any_one() {
    let mut cluster = Cluster::three().await;
    let mut acknowledged: BTreeMap<u64, Bytes> = BTreeMap::new();
    let mut number = 0;
    for victim in [1, 2, 3, 1] {
        cluster.kill(victim);
        for group in cluster.groups(0) {
            number += 1;
            let before = acknowledged
                .insert(insist(&group, command(number, 5_000)).await, command(number, 5_000));
            assert_eq!(before, None, "two commands at one index");
        }
        cluster.revive(victim).await;
        number += 1;
        let group = cluster.group(victim, 0);
        acknowledged.insert(insist(&group, command(number, 5_000)).await, command(number, 5_000));
        let head = cluster.agree().await.head;
        for (index, command) in &acknowledged {
            assert_eq!(head.get(index), Some(command), "index {index}");
        }
    }
}
