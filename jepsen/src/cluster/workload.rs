//! Clients that push and readers that read, on any node, until they are told to stop.
//!
//! A push whose outcome nobody knows is sent again, the same bytes, to another node. Now and then
//! one is sent again though it was acknowledged, and a body that must be refused is sent too.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Context;
use tokio::task::JoinSet;

use super::client::{Client, body};
use super::node::Address;
use super::nodes::Cluster;
use crate::entry::{PARTS, Selection};
use crate::history::{Event, Language, Outcome};
use crate::random::Random;

/// The number of the client whose bodies must be refused.
const REFUSED_CLIENT: u16 = 50;
/// Entries of a push are pairs, up to twice this many.
const PAIRS_MAX: u64 = 16;
/// A client with more pushes to send again than this makes no new ones.
const AGAIN_MAX: usize = 4;
const PAUSE_MS: (u64, u64) = (15, 60);
const REFUSED_PAUSE: Duration = Duration::from_millis(400);
/// Pairs of time that a read of a window covers.
const WINDOW: u32 = 150;

/// A push: a client's entries.
pub(crate) type Push = (u16, Range<u32>);

/// Pushers and readers under way.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    pushers: JoinSet<Vec<Push>>,
    others: JoinSet<()>,
    /// The newest pair that anybody pushed.
    newest: Arc<AtomicU32>,
}

pub(crate) fn start(
    cluster: &Arc<Cluster>,
    n_pushers: u16,
    n_readers: u16,
    random: &mut Random,
) -> anyhow::Result<Load> {
    let (stop, newest) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let mut load = Load {
        stop: Arc::clone(&stop),
        pushers: JoinSet::new(),
        others: JoinSet::new(),
        newest: Arc::clone(&newest),
    };
    let mut worker = |salt: u16| -> anyhow::Result<Worker> {
        Ok(Worker {
            cluster: Arc::clone(cluster),
            client: Client::new()?,
            random: random.fork(u32::from(salt)),
            stop: Arc::clone(&stop),
            newest: Arc::clone(&newest),
        })
    };
    for client in 0..n_pushers {
        load.pushers.spawn(worker(client)?.push(client));
    }
    load.others.spawn(worker(REFUSED_CLIENT)?.push_what_is_refused());
    for reader in 0..n_readers {
        load.others.spawn(worker(100 + reader)?.read());
    }
    Ok(load)
}

impl Load {
    /// Ends it: what has to be sent again, and the end of all pairs.
    pub(crate) async fn stop(mut self) -> anyhow::Result<(Vec<Push>, u32)> {
        self.stop.store(true, Ordering::Relaxed);
        let mut again = Vec::new();
        while let Some(done) = self.pushers.join_next().await {
            again.extend(done.context("a pusher")?);
        }
        while let Some(done) = self.others.join_next().await {
            done.context("a reader")?;
        }
        Ok((again, self.newest.load(Ordering::Relaxed) + 1))
    }
}

struct Worker {
    cluster: Arc<Cluster>,
    client: Client,
    random: Random,
    stop: Arc<AtomicBool>,
    newest: Arc<AtomicU32>,
}

impl Worker {
    async fn push(mut self, client: u16) -> Vec<Push> {
        let mut next = 0;
        let mut again: Vec<(Push, u64)> = Vec::new();
        let mut done: Vec<Push> = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            let retry = again.len() > AGAIN_MAX || (!again.is_empty() && self.random.below(2) == 0);
            let (push, not_to) = if retry {
                again.swap_remove(self.random.index(again.len()))
            } else if !done.is_empty() && self.random.below(16) == 0 {
                (done[self.random.index(done.len())].clone(), 0)
            } else {
                let end = next + 2 * u32::try_from(1 + self.random.below(PAIRS_MAX)).unwrap_or(1);
                let push = (client, next..end);
                next = end;
                self.newest.fetch_max(end / 2, Ordering::Relaxed);
                (push, 0)
            };
            let to = self.choose(not_to);
            match push_to(&self.cluster, &self.client, &to, &push).await {
                Outcome::Acknowledged => done.push(push),
                Outcome::Refused(_) | Outcome::NotSent | Outcome::Unknown(_) => {
                    again.push((push, to.node));
                }
            }
            self.pause().await;
        }
        again.into_iter().map(|(push, _)| push).collect()
    }

    /// Bodies that end too early: their good lines must never be read.
    async fn push_what_is_refused(mut self) {
        let mut next = 0;
        while !self.stop.load(Ordering::Relaxed) {
            // Where the others are now, so that the readers look there.
            let start = next.max(2 * self.newest.load(Ordering::Relaxed));
            let seqs = start..start + 8;
            next = seqs.end;
            let mut broken = body(REFUSED_CLIENT, seqs.clone());
            broken.truncate(broken.len() - 2);
            let to = self.choose(0);
            let began = self.cluster.recorder.now();
            let outcome = self.client.push(&to, broken).await;
            if outcome == Outcome::Acknowledged {
                self.cluster.fail(format!("a broken body was acknowledged by node {}", to.node));
            }
            let time = began..self.cluster.recorder.now();
            let (node, client) = (to.node, REFUSED_CLIENT);
            self.cluster.recorder.record(Event::Push { node, client, seqs, time, outcome });
            tokio::time::sleep(REFUSED_PAUSE).await;
        }
    }

    async fn read(mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            let newest = self.newest.load(Ordering::Relaxed);
            let language = Language::ALL[self.random.index(4)];
            let counts = matches!(language, Language::LogqlCount | Language::SqlCount);
            let pairs = match self.random.below(4) {
                0 if counts => 0..newest + WINDOW,
                0 | 1 => {
                    let start =
                        u32::try_from(self.random.below(u64::from(newest) + 1)).unwrap_or(0);
                    start..start + WINDOW
                }
                _ => newest.saturating_sub(WINDOW)..newest + WINDOW,
            };
            let part = (self.random.below(4) == 0)
                .then(|| u32::try_from(self.random.below(u64::from(PARTS))).unwrap_or(0));
            let at = self.choose(0);
            // A failed read is in the history; the next goes elsewhere.
            let _ = read_from(
                &self.cluster,
                &mut self.client,
                &at,
                language,
                Selection { pairs, part },
                None,
            )
            .await;
            self.pause().await;
        }
    }

    /// Any member but one. Clients do not know who is dead.
    fn choose(&mut self, not: u64) -> Address {
        let mut addresses = self.cluster.addresses();
        if addresses.len() > 1 {
            addresses.retain(|address| address.node != not);
        }
        addresses.swap_remove(self.random.index(addresses.len()))
    }

    async fn pause(&mut self) {
        let (least, most) = PAUSE_MS;
        let pause = least + self.random.below(most - least);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

/// Pushes and records it.
pub(crate) async fn push_to(
    cluster: &Cluster,
    client: &Client,
    to: &Address,
    push: &Push,
) -> Outcome {
    let (of_client, seqs) = push.clone();
    let text = body(of_client, seqs.clone());
    let began = cluster.recorder.now();
    let outcome = client.push(to, text).await;
    let time = began..cluster.recorder.now();
    let (node, client) = (to.node, of_client);
    let recorded = outcome.clone();
    cluster.recorder.record(Event::Push { node, client, seqs, time, outcome: recorded });
    outcome
}

/// Reads and records it. Whether it was answered.
pub(crate) async fn read_from(
    cluster: &Cluster,
    client: &mut Client,
    at: &Address,
    language: Language,
    what: Selection,
    round: Option<u32>,
) -> Result<(), String> {
    let began = cluster.recorder.now();
    let answer = client.read(at, language, &what).await;
    let time = began..cluster.recorder.now();
    let answered = match &answer {
        crate::history::Answer::Failed(reason) => Err(reason.clone()),
        _ => Ok(()),
    };
    cluster.recorder.record(Event::Read { node: at.node, language, what, time, answer, round });
    answered
}
