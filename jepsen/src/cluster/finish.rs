//! The end of a run: everything works again, everything unknown is sent again, and every node is
//! read in both languages: at once, after a flush, and after the whole cluster was killed.

use std::time::Duration;

use anyhow::bail;

use super::client::Client;
use super::node::{Address, Life};
use super::nodes::Cluster;
use super::workload::{Push, push_to, read_from};
use crate::entry::Selection;
use crate::history::{Language, Outcome};

/// From the last healed fault to a cluster that takes every push and answers every read.
const RECOVERY_TIME_MAX: Duration = Duration::from_secs(30);
/// Pairs of time that one read covers.
const PAGE: u32 = 1000;

pub(crate) async fn finish(
    cluster: &Cluster,
    again: Vec<Push>,
    pairs_end: u32,
) -> anyhow::Result<()> {
    let mut client = Client::new()?;
    for address in cluster.addresses() {
        cluster.wait_ready(address.node).await?;
    }
    for push in again {
        push_until_taken(cluster, &client, &push).await?;
    }
    read_all(cluster, &mut client, pairs_end, 1).await?;
    for address in cluster.addresses() {
        let flush = || client.post(&address, "/flush");
        let what = format!("node {} flushes", address.node);
        cluster.until(RECOVERY_TIME_MAX, &what, flush).await?;
    }
    read_all(cluster, &mut client, pairs_end, 2).await?;
    let all = cluster.members_that_are(Life::Up).await;
    cluster.kill(&all).await?;
    cluster.start_again(&all).await?;
    for id in all {
        cluster.wait_ready(id).await?;
    }
    read_all(cluster, &mut client, pairs_end, 3).await
}

async fn push_until_taken(cluster: &Cluster, client: &Client, push: &Push) -> anyhow::Result<()> {
    let attempt = || async {
        let mut said = Outcome::NotSent;
        for address in cluster.addresses() {
            said = push_to(cluster, client, &address, push).await;
            if said == Outcome::Acknowledged {
                return Ok(());
            }
        }
        bail!("{said:?}")
    };
    cluster.until(RECOVERY_TIME_MAX, &format!("{push:?} is taken"), attempt).await
}

async fn read_all(
    cluster: &Cluster,
    client: &mut Client,
    pairs_end: u32,
    round: u32,
) -> anyhow::Result<()> {
    for address in cluster.addresses() {
        for start in (0..pairs_end).step_by(PAGE as usize) {
            let what = Selection { pairs: start..(start + PAGE).min(pairs_end), part: None };
            for language in Language::ALL {
                read_until_answered(cluster, client, &address, language, &what, round).await?;
            }
        }
        let whole = Selection { pairs: 0..pairs_end, part: None };
        for language in [Language::LogqlCount, Language::SqlCount] {
            read_until_answered(cluster, client, &address, language, &whole, round).await?;
        }
    }
    Ok(())
}

async fn read_until_answered(
    cluster: &Cluster,
    client: &mut Client,
    at: &Address,
    language: Language,
    what: &Selection,
    round: u32,
) -> anyhow::Result<()> {
    let began = cluster.recorder.now();
    loop {
        let read = read_from(cluster, client, at, language, what.clone(), Some(round)).await;
        let Err(reason) = read else { return Ok(()) };
        let waited = Duration::from_micros(cluster.recorder.now() - began);
        if waited > RECOVERY_TIME_MAX {
            bail!("node {} answers no {language:?} in {RECOVERY_TIME_MAX:?}: {reason}", at.node);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
