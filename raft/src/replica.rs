//! A group as its peers see it: what the service calls, whatever the group's machine is.
//!
//! In come requests that were checked to be meant for this replica; out go its answers.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use drave_proto::raft as proto;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use tonic::{Status, Streaming};

use crate::error::{ProposeError, ReadError};
use crate::group::Group;
use crate::machine::Machine;
use crate::wire;

type Stream<T> = BoxStream<'static, Result<T, Status>>;

/// A replica that this node serves.
pub(crate) trait Replica: Send + Sync {
    /// Which one it is: see [`crate::Identity::incarnation`].
    fn incarnation(&self) -> u64;

    /// Takes in entries; an answer for each message, in order.
    fn append(
        self: Arc<Self>,
        inbound: Streaming<proto::AppendRequest>,
    ) -> Stream<proto::AppendReply>;

    /// Takes in a heartbeat.
    fn beat(self: Arc<Self>, beat: proto::Beat) -> BoxFuture<'static, proto::BeatReply>;

    /// Gives its vote, or says whether it would.
    fn vote(
        self: Arc<Self>,
        request: proto::VoteRequest,
    ) -> BoxFuture<'static, Result<proto::VoteReply, Status>>;

    /// Takes over leadership, or learns that somebody else does.
    fn transfer(
        self: Arc<Self>,
        request: proto::TransferRequest,
    ) -> BoxFuture<'static, Result<proto::TransferReply, Status>>;

    /// Takes in a snapshot.
    fn snapshot(
        self: Arc<Self>,
        head: proto::SnapshotHead,
        parts: Streaming<proto::SnapshotPart>,
    ) -> Stream<proto::SnapshotReply>;

    /// Proposes a command, if this replica leads.
    fn propose(
        self: Arc<Self>,
        command: Bytes,
    ) -> BoxFuture<'static, Result<(u64, Bytes), ProposeError>>;

    /// The last vote that it saved.
    fn voted(&self) -> proto::Voted;

    /// A read index for a node, if this replica leads, and what that node's own replica voted.
    fn read_index(
        self: Arc<Self>,
        node: u64,
        voted: Option<proto::Voted>,
    ) -> BoxFuture<'static, Result<u64, ReadError>>;

    /// A turn of the node's clock; whether leaders say in it that they are there.
    fn turn(&self, beats: bool);
}

/// The replicas of this node, by group. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Replicas(Arc<Mutex<HashMap<u32, Arc<dyn Replica>>>>);

impl Replicas {
    pub(crate) fn get(&self, group: u32) -> Option<Arc<dyn Replica>> {
        self.lock().get(&group).cloned()
    }

    pub(crate) fn insert(&self, group: u32, replica: Arc<dyn Replica>) {
        self.lock().insert(group, replica);
    }

    pub(crate) fn remove(&self, group: u32) {
        self.lock().remove(&group);
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    /// Calls `each` for every replica, which must be quick.
    pub(crate) fn for_each(&self, each: impl Fn(&dyn Replica)) {
        let replicas: Vec<Arc<dyn Replica>> = self.lock().values().cloned().collect();
        replicas.iter().for_each(|replica| each(&**replica));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Arc<dyn Replica>>> {
        // Nothing panics while it holds the map.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Groups whose replica may be erased: until that is decided and done, nobody is told which replica
/// it is. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Doubtful(Arc<Mutex<HashMap<u32, usize>>>);

/// Keeps a group doubtful.
pub struct Doubt {
    groups: Doubtful,
    group: u32,
}

impl Doubtful {
    pub(crate) fn doubt(&self, group: u32) -> Doubt {
        *self.lock().entry(group).or_default() += 1;
        Doubt { groups: self.clone(), group }
    }

    pub(crate) fn contains(&self, group: u32) -> bool {
        self.lock().contains_key(&group)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, usize>> {
        // Nothing panics while it holds the map.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Doubt {
    fn drop(&mut self) {
        let mut groups = self.groups.lock();
        match groups.get_mut(&self.group) {
            Some(doubts) if *doubts > 1 => *doubts -= 1,
            _ => drop(groups.remove(&self.group)),
        }
    }
}

fn malformed(what: impl Into<String>) -> Status {
    Status::invalid_argument(what)
}

fn stopped(why: impl std::fmt::Display) -> Status {
    Status::unavailable(why.to_string())
}

impl<M: Machine> Group<M> {
    /// Refuses for a group that cannot go on. Its core has ended, and must not be called by those
    /// whose caller may go away: a call that is dropped while it learns of that end makes the next
    /// one panic.
    fn check(&self) -> Result<(), Status> {
        self.failed().map_or(Ok(()), |reason| Err(stopped(reason)))
    }
}

impl<M: Machine> Replica for Group<M> {
    fn incarnation(&self) -> u64 {
        self.side.incarnation
    }

    fn append(
        self: Arc<Self>,
        inbound: Streaming<proto::AppendRequest>,
    ) -> Stream<proto::AppendReply> {
        if let Err(status) = self.check() {
            return stream::iter([Err(status)]).boxed();
        }
        // openraft takes requests alone, so what ends them otherwise is kept until the answers end.
        let why = Arc::new(Mutex::new(None));
        let (group, ended) = (self.clone(), why.clone());
        let requests = stream::unfold(inbound, move |mut inbound| {
            let (group, ended) = (group.clone(), ended.clone());
            async move {
                let request = match inbound.message().await {
                    Ok(None) => return None,
                    Ok(Some(message)) => {
                        group.contact();
                        wire::to_append(message).map_err(malformed)
                    }
                    Err(status) => Err(status),
                };
                match request {
                    Ok(request) => Some((request, inbound)),
                    Err(status) => {
                        *ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
                        None
                    }
                }
            }
        });
        let replies = self.raft.stream_append(requests);
        let replies = replies.map(|reply| reply.map(wire::append_reply).map_err(stopped));
        let end = stream::poll_fn(move |_| {
            let why = why.lock().unwrap_or_else(PoisonError::into_inner).take();
            std::task::Poll::Ready(why.map(Err))
        });
        replies.chain(end).boxed()
    }

    fn beat(self: Arc<Self>, beat: proto::Beat) -> BoxFuture<'static, proto::BeatReply> {
        async move {
            if let Some(reason) = self.failed() {
                return wire::beat_reply(&beat, Err(reason));
            }
            let request = match wire::to_beat(&beat) {
                Ok(request) => request,
                Err(what) => return wire::beat_reply(&beat, Err(what)),
            };
            let response = self.raft.append_entries(request).await;
            // One that leads no more is told so, and is nobody to wait for.
            if matches!(response, Ok(ref answer) if answer.is_success() || answer.is_conflict()) {
                self.contact();
            }
            wire::beat_reply(&beat, response.map_err(|error| error.to_string()))
        }
        .boxed()
    }

    fn vote(
        self: Arc<Self>,
        message: proto::VoteRequest,
    ) -> BoxFuture<'static, Result<proto::VoteReply, Status>> {
        async move {
            self.check()?;
            let request = wire::to_vote_request(&message).map_err(malformed)?;
            let response = if message.pre {
                self.raft.pre_vote(request).await
            } else {
                self.raft.vote(request).await
            };
            let response = response.map_err(stopped)?;
            if response.vote_granted && !message.pre {
                // Whoever voted waits to see what comes of it.
                self.side.timer.heard(&self.parts.pace);
            }
            Ok(wire::vote_reply(&response))
        }
        .boxed()
    }

    fn transfer(
        self: Arc<Self>,
        message: proto::TransferRequest,
    ) -> BoxFuture<'static, Result<proto::TransferReply, Status>> {
        async move {
            self.check()?;
            let request = wire::to_transfer(&message).map_err(malformed)?;
            let response = self.raft.handle_transfer_leader(request).await.map_err(stopped)?;
            let refused = response.err().map_or_else(String::new, |error| error.to_string());
            Ok(proto::TransferReply { refused })
        }
        .boxed()
    }

    fn snapshot(
        self: Arc<Self>,
        head: proto::SnapshotHead,
        parts: Streaming<proto::SnapshotPart>,
    ) -> Stream<proto::SnapshotReply> {
        use proto::snapshot_reply::Reply;
        let (replies, rx) = tokio::sync::mpsc::channel(1);
        let install = async move {
            self.check()?;
            let receiving = self.side.inbox.open(head).map_err(malformed)?;
            let wanted = Reply::Wanted(receiving.wanted());
            let wanted = proto::SnapshotReply { reply: Some(wanted) };
            let gone = |_| Status::aborted("the sender went away");
            replies.send(wanted).await.map_err(gone)?;
            let vote = receiving.vote;
            let snapshot = receiving.receive(parts).await?;
            let installed = self.raft.install_full_snapshot(vote, snapshot).await;
            let vote = installed.map_err(stopped)?.vote;
            self.parts.peers.counts().installed.fetch_add(1, Ordering::Relaxed);
            Ok(proto::SnapshotReply { reply: Some(Reply::Vote(wire::ballot(&vote))) })
        };
        let first = stream::unfold(rx, |mut rx| async move { Some((Ok(rx.recv().await?), rx)) });
        // Both run in the task of the answer: the install ends when nobody waits for it any more.
        stream::select(first, stream::once(install)).boxed()
    }

    fn propose(
        self: Arc<Self>,
        command: Bytes,
    ) -> BoxFuture<'static, Result<(u64, Bytes), ProposeError>> {
        async move { self.propose_here(command).await }.boxed()
    }

    fn voted(&self) -> proto::Voted {
        self.voted()
    }

    fn read_index(
        self: Arc<Self>,
        node: u64,
        voted: Option<proto::Voted>,
    ) -> BoxFuture<'static, Result<u64, ReadError>> {
        async move { self.lead_round_for(node, voted).await }.boxed()
    }

    fn turn(&self, beats: bool) {
        self.take_turn(beats);
    }
}
