//! Heartbeats of all groups to one peer, over one stream, and the questions that reads wait for.
//!
//! In come heartbeats, each with a place for its answer; out goes a message for all that came
//! within a short while. A question takes everything along at once, with what other reads want at
//! the same time: a query reads many groups at once, and a call for each, or only a stream of
//! HTTP/2 for all of them, would cost more than the answers.
//!
//! Invariants:
//! - Nobody waits here: where the peer takes nothing any more, heartbeats are dropped, and whoever
//!   sent them learns that.
//! - A group has one heartbeat on its way: a newer one replaces it.
//! - Answers come as they are known: a group whose leader is lost holds up nobody else.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use drave_proto::raft as proto;
use drave_proto::raft::index_reply::Result as Reply;
use futures::stream;
use openraft::raft::StreamAppendResult;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use tonic::{Status, Streaming};

use crate::error::ReadError;
use crate::gather;
use crate::peers::{ASK_TIME_MAX, CallError, FORWARD_TIME_MAX, Line, Peer, Peers};
use crate::types::Types;
use crate::wire;

/// Heartbeats and questions that wait to be sent. Each belongs to a task that awaits it.
const QUEUE_BEATS_MAX: usize = 4096;
/// Messages that wait for a peer that takes none.
const MESSAGES_MAX: usize = 8;

type IndexAnswer = oneshot::Sender<Result<u64, ReadError>>;
type Answer = oneshot::Sender<Result<StreamAppendResult<Types>, String>>;

/// What is sent, and where its answer goes.
pub(crate) enum Ask {
    Beat {
        beat: proto::Beat,
        answer: Answer,
    },
    /// Nobody answers for a peer that does not.
    Check {
        check: proto::VoteCheck,
        answer: oneshot::Sender<proto::Voted>,
    },
    Index {
        ask: proto::IndexAsk,
        answer: IndexAnswer,
    },
}

/// The stream to the peer.
struct Open {
    messages: mpsc::Sender<proto::Beats>,
    replies: Streaming<proto::BeatReplies>,
}

struct Sender {
    peers: Peers,
    peer: Arc<Peer>,
    open: Option<Open>,
    /// What waits for company.
    batch: Vec<proto::Beat>,
    checks: Vec<proto::VoteCheck>,
    asks: Vec<proto::IndexAsk>,
    /// Who waits for the answer of each group's last heartbeat.
    waiting: HashMap<u32, (u64, Answer)>,
    checking: HashMap<u64, oneshot::Sender<proto::Voted>>,
    /// Groups of those who wait for an index, and where it goes.
    reading: HashMap<u64, (u32, IndexAnswer)>,
    number: u64,
}

/// Starts the task that sends to `peer`; it ends with the last sender.
pub(crate) fn start(peers: Peers, peer: Arc<Peer>, linger: Duration) -> mpsc::Sender<Ask> {
    let (tx, rx) = mpsc::channel(QUEUE_BEATS_MAX);
    let sender = Sender {
        peers,
        peer,
        open: None,
        batch: Vec::new(),
        checks: Vec::new(),
        asks: Vec::new(),
        waiting: HashMap::new(),
        checking: HashMap::new(),
        reading: HashMap::new(),
        number: 0,
    };
    tokio::spawn(run(sender, rx, linger));
    tx
}

async fn run(mut sender: Sender, mut queue: mpsc::Receiver<Ask>, linger: Duration) {
    let mut changes = sender.peer.changes();
    let mut due: Option<Instant> = None;
    loop {
        let at = due.unwrap_or_else(Instant::now);
        tokio::select! {
            biased;
            replies = next_replies(&mut sender.open) => sender.answer(replies),
            _ = changes.changed() => sender.drop_stream("its address changed"),
            () = sleep_until(at), if due.is_some() => {
                due = None;
                sender.send().await;
            }
            ask = queue.recv() => match ask {
                None => return,
                Some(ask) => {
                    due = due.or(Some(Instant::now() + linger));
                    if sender.take(ask) {
                        due = None;
                        gather::from_queue(&mut queue, |ask| {
                            sender.take(ask);
                        })
                        .await;
                        sender.send().await;
                    }
                }
            },
        }
    }
}

impl Peers {
    /// An index of a group that covers everything acknowledged before this call, asked from `peer`,
    /// which should lead the group, and is told what this node's replica voted, if there is one.
    /// Says nothing of what is applied where.
    pub(crate) async fn read_index(
        &self,
        peer: u64,
        group: u32,
        voted: Option<proto::Voted>,
    ) -> Result<u64, ReadError> {
        let failed = |reason| not_read(peer, group, reason);
        let ask = async {
            let (answer, index) = oneshot::channel();
            let ask = proto::IndexAsk { number: 0, group, voted };
            let beats = self.beats(peer).ok_or_else(|| failed("this node is stopped"))?;
            let sent = beats.send(Ask::Index { ask, answer }).await;
            sent.map_err(|_| failed("this node is stopped"))?;
            index.await.map_err(|_| failed("this node is stopped"))?
        };
        timeout(FORWARD_TIME_MAX, ask).await.unwrap_or_else(|_| Err(failed("no answer in time")))
    }
}

fn not_read(peer: u64, group: u32, reason: &str) -> ReadError {
    ReadError { group, leader: None, reason: format!("node {peer}: {reason}") }
}

/// The next answers; never comes back while there is no stream.
async fn next_replies(open: &mut Option<Open>) -> Result<proto::BeatReplies, Status> {
    match open {
        None => std::future::pending().await,
        Some(open) => match open.replies.message().await? {
            Some(replies) => Ok(replies),
            None => Err(Status::unavailable("the stream of heartbeats ended")),
        },
    }
}

impl Sender {
    /// Takes something in; whether it should leave at once.
    fn take(&mut self, ask: Ask) -> bool {
        self.number += 1;
        match ask {
            Ask::Beat { mut beat, answer } => {
                beat.number = self.number;
                self.waiting.insert(beat.group, (beat.number, answer));
                self.batch.push(beat);
                false
            }
            Ask::Check { mut check, answer } => {
                check.number = self.number;
                self.checking.insert(check.number, answer);
                self.checks.push(check);
                true
            }
            Ask::Index { mut ask, answer } => {
                ask.number = self.number;
                self.reading.insert(ask.number, (ask.group, answer));
                self.asks.push(ask);
                true
            }
        }
    }

    /// Sends all that waits.
    async fn send(&mut self) {
        if self.batch.is_empty() && self.checks.is_empty() && self.asks.is_empty() {
            return;
        }
        // Whoever asked has had a majority from others, or has given up.
        self.checking.retain(|_, answer| !answer.is_closed());
        self.reading.retain(|_, (_, answer)| !answer.is_closed());
        if self.open.is_none() {
            match self.connect().await {
                Ok(open) => self.open = Some(open),
                Err(error) => return self.drop_stream(error.reason()),
            }
        }
        let header = Some(self.peers.header(self.peer.id, 0, 0));
        let counts = self.peers.counts();
        counts.beats.fetch_add(self.batch.len() as u64, Ordering::Relaxed);
        counts.beat_messages.fetch_add(1, Ordering::Relaxed);
        let beats = std::mem::take(&mut self.batch);
        let checks = std::mem::take(&mut self.checks);
        let asks = std::mem::take(&mut self.asks);
        let message = proto::Beats { header, beats, checks, asks };
        if let Some(open) = &self.open
            && open.messages.try_send(message).is_err()
        {
            self.drop_stream("it takes no heartbeats");
        }
    }

    async fn connect(&self) -> Result<Open, CallError> {
        let (messages, rx) = mpsc::channel(MESSAGES_MAX);
        let outgoing = stream::unfold(rx, |mut rx| async move { Some((rx.recv().await?, rx)) });
        let mut client = self.peers.client(self.peer.id, Line::Control)?;
        let replies = self.peers.answer(self.peer.id, ASK_TIME_MAX, client.beat(outgoing)).await?;
        Ok(Open { messages, replies })
    }

    fn answer(&mut self, replies: Result<proto::BeatReplies, Status>) {
        let replies = match replies {
            Ok(replies) => {
                self.peer.full.store(replies.full, Ordering::Relaxed);
                for voted in replies.votes {
                    if let Some(answer) = self.checking.remove(&voted.number) {
                        let _ = answer.send(voted);
                    }
                }
                for reply in replies.indexes {
                    if let Some((group, answer)) = self.reading.remove(&reply.number) {
                        let _ = answer.send(self.index(group, reply.result));
                    }
                }
                replies.replies
            }
            Err(status) => {
                let error = self.peers.failed(self.peer.id, &status);
                return self.drop_stream(error.reason());
            }
        };
        for reply in replies {
            // An answer to a heartbeat that was replaced is an answer to nobody.
            if self.waiting.get(&reply.group).is_some_and(|(number, _)| *number == reply.number)
                && let Some((_, answer)) = self.waiting.remove(&reply.group)
            {
                let _ = answer.send(wire::to_beat_reply(reply));
            }
        }
    }

    /// What the peer says of an index.
    fn index(&self, group: u32, result: Option<Reply>) -> Result<u64, ReadError> {
        let failed = |leader, reason| Err(ReadError { group, leader, reason });
        match result {
            Some(Reply::Index(index)) => Ok(index),
            Some(Reply::NotDone(why)) => {
                failed((why.leader != 0).then_some(why.leader), why.reason)
            }
            None => failed(None, format!("node {} gave an empty answer", self.peer.id)),
        }
    }

    /// Gives up the stream, and tells everybody who waits why.
    fn drop_stream(&mut self, reason: &str) {
        self.open = None;
        self.batch.clear();
        self.checks.clear();
        self.asks.clear();
        self.checking.clear();
        for (_, (group, answer)) in self.reading.drain() {
            let _ = answer.send(Err(not_read(self.peer.id, group, reason)));
        }
        for (_, (_, answer)) in self.waiting.drain() {
            let _ = answer.send(Err(reason.to_owned()));
        }
    }
}
