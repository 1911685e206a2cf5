//! Clients that push numbered lines until they are stopped, and that send again what nobody
//! answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::bail;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::history::{History, Push};
use super::node::Node;
use crate::random::Random;

/// Streams that the clients spread their pushes over: enough to touch every shard.
const STREAMS: u32 = 64;
/// 2023-11-14T22:13:20Z; line `n` has the time `T + n`.
pub(crate) const T: u64 = 1_700_000_000_000_000_000;

/// Clients under way.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    clients: JoinSet<()>,
}

pub(crate) fn start(node: &Node, history: &History, n_clients: u32, mut random: Random) -> Load {
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for client in 0..n_clients {
        let (http, url) = (node.client().clone(), node.url("/loki/api/v1/push"));
        let (history, stop) = (history.clone(), Arc::clone(&stop));
        let mut random = random.fork(client);
        clients.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let stream = u32::try_from(random.below(u64::from(STREAMS))).unwrap_or(0);
                let push = history.new_push(stream, 1 + random.below(200));
                match send(&http, &url, &push).await {
                    Ok(true) => history.acknowledged(push),
                    // A refusal of a good push, an error or no answer at all: it may have happened.
                    Ok(false) | Err(_) => history.unanswered(push),
                }
            }
        });
    }
    Load { stop, clients }
}

impl Load {
    pub(crate) async fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        while self.clients.join_next().await.is_some() {}
    }
}

/// Sends again everything that was not answered; all of it must be taken now.
pub(crate) async fn resend(node: &Node, history: &History) -> anyhow::Result<()> {
    let url = node.url("/loki/api/v1/push");
    for push in history.take_unanswered() {
        if !send(node.client(), &url, &push).await? {
            bail!("a push was refused by a healthy server: {push:?}");
        }
        history.acknowledged(push);
    }
    Ok(())
}

async fn send(http: &reqwest::Client, url: &str, push: &Push) -> anyhow::Result<bool> {
    let values: Vec<Value> =
        push.lines.clone().map(|n| json!([(T + n).to_string(), line(n)])).collect();
    let labels = json!({"app": "jepsen", "stream": push.stream.to_string()});
    let body = json!({"streams": [{"stream": labels, "values": values}]});
    let request = http.post(url).header("Content-Type", "application/json");
    let answer = request.body(body.to_string()).send().await?;
    Ok(answer.status().as_u16() == 204)
}

/// A line says its number, and something that only this number gives: bytes that got mixed up
/// show.
pub(crate) fn line(n: u64) -> String {
    format!("n={n} proof={:016x}", Random::new(n).next())
}
