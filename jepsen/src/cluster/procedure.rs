//! Faults of many steps, each of which may be disturbed by another fault and is then tried again.

use std::time::Duration;

use anyhow::{bail, ensure};

use super::client::Client;
use super::node::Life;
use super::nodes::{Cluster, LOOK_AGAIN};
use super::plan::Fault;

/// One step, under other faults, at most.
const STEP_TIME_MAX: Duration = Duration::from_secs(90);

pub(crate) async fn run(cluster: &Cluster, fault: Fault, victim: u64) -> anyhow::Result<()> {
    match fault {
        Fault::RollingRestart => rolling_restart(cluster).await,
        Fault::AddAndDrain => {
            cluster.set_changing(true).await;
            let done = add_and_drain(cluster, victim).await;
            cluster.set_changing(false).await;
            done
        }
        Fault::Wipe => {
            cluster.set_changing(true).await;
            let done = wipe(cluster, victim).await;
            cluster.set_changing(false).await;
            done
        }
        Fault::Kill(_)
        | Fault::Pause(_)
        | Fault::PowerCut(_)
        | Fault::Cut(_)
        | Fault::ClockJump => {
            bail!("no procedure")
        }
    }
}

/// Each node in turn; one that another fault holds is left to it.
async fn rolling_restart(cluster: &Cluster) -> anyhow::Result<()> {
    for address in cluster.addresses() {
        let id = address.node;
        if !cluster.members_that_are(Life::Up).await.contains(&id) {
            continue;
        }
        cluster.stop(id).await?;
        cluster.start_again(&[id]).await?;
        cluster.wait_ready(id).await?;
    }
    Ok(())
}

async fn add_and_drain(cluster: &Cluster, victim: u64) -> anyhow::Result<()> {
    let newcomer = join_new(cluster, victim).await?;
    command(cluster, victim, newcomer, "drain").await?;
    until_gone(cluster, victim).await?;
    command(cluster, victim, newcomer, "remove").await?;
    cluster.forget(victim).await;
    cluster.retire(victim).await
}

async fn wipe(cluster: &Cluster, victim: u64) -> anyhow::Result<()> {
    cluster.retire(victim).await?;
    cluster.wipe(victim).await?;
    command(cluster, victim, victim, "remove").await?;
    cluster.forget(victim).await;
    join_new(cluster, victim).await?;
    until_gone(cluster, victim).await
}

async fn join_new(cluster: &Cluster, not_through: u64) -> anyhow::Result<u64> {
    let newcomer = cluster.fresh_id().await;
    cluster.add_node(newcomer).await?;
    let members = cluster.members_that_are(Life::Up).await;
    let through = members.into_iter().find(|id| *id != not_through);
    cluster.join(newcomer, through.unwrap_or(not_through)).await?;
    cluster.wait_ready(newcomer).await?;
    Ok(newcomer)
}

/// Tells the cluster through any node but one.
async fn command(cluster: &Cluster, node: u64, not_through: u64, word: &str) -> anyhow::Result<()> {
    let client = Client::new()?;
    let path = format!("/drave/v1/cluster/nodes/{node}/{word}");
    let attempt = || async {
        let mut said = String::from("no other node");
        for address in cluster.addresses().iter().filter(|a| a.node != not_through) {
            match client.post(address, &path).await {
                Ok(()) => return Ok(()),
                Err(error) => said = format!("{error:#}"),
            }
        }
        bail!("{said}")
    };
    cluster.until(STEP_TIME_MAX, &format!("{word} of node {node} is taken"), attempt).await
}

/// Waits until no group has a node among its members, and each has as many voters as it should.
pub(crate) async fn until_gone(cluster: &Cluster, node: u64) -> anyhow::Result<()> {
    let client = Client::new()?;
    let voters = cluster.replication();
    let attempt = || async {
        let groups = cluster.groups(&client).await;
        ensure!(!groups.is_empty(), "no node answers for the groups");
        for group in &groups {
            let has = [&group.voters, &group.learners, &group.wanted];
            ensure!(!has.iter().any(|ids| ids.contains(&node)), "still in {group:?}");
            ensure!(group.voters.len() == voters, "{voters} voters wanted in {group:?}");
        }
        Ok(())
    };
    cluster.until(STEP_TIME_MAX, &format!("node {node} is gone from all groups"), attempt).await?;
    tokio::time::sleep(LOOK_AGAIN).await;
    Ok(())
}
