//! What openraft sends to one peer for one group.
//!
//! In come openraft's requests; out go its peer's answers, or "unreachable", after which openraft
//! waits a little longer each time.
//!
//! Invariants:
//! - Entries on their way to a peer are bounded in bytes: per group by [`Link::window_bytes`], and
//!   per peer by the peer's own window.
//! - Whatever is sent names the incarnation that the membership knows: a replica that lost its log
//!   never answers for the one that had it.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use drave_proto::raft as proto;
use futures::future::{BoxFuture, Either, select};
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use openraft::errors::{ReplicationClosed, StreamingError, Unreachable};
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendError,
    StreamAppendResult, TransferLeaderError, TransferLeaderRequest, TransferLeaderResponse,
    VoteRequest, VoteResponse,
};
use openraft::{OptionalSend, RaftNetworkFactory, RaftNetworkV2};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::time::timeout;
use tonic::Streaming;

use crate::beats::Ask;
use crate::confirm::Told;
use crate::peers::{ASK_TIME_MAX, CallError, Line, Peers};
use crate::snapshot::{self, GroupSnapshot, SnapshotRows};
use crate::types::{Member, RpcError, Types, Vote};
use crate::wire;

/// A follower that took entries and says nothing for so long is asked anew.
const APPEND_TIME_MAX: Duration = Duration::from_secs(15);

/// Makes the links of one group.
#[derive(Clone)]
pub(crate) struct Network {
    pub(crate) peers: Peers,
    pub(crate) group: u32,
    /// Bytes of entries on their way to one follower.
    pub(crate) window_bytes: usize,
    /// What others are told of the group's commits.
    pub(crate) told: Told,
}

/// The way to one replica, for one purpose.
pub(crate) struct Link {
    network: Network,
    target: u64,
    incarnation: u64,
    heartbeats: bool,
}

impl Network {
    fn link(&self, target: u64, member: &Member, heartbeats: bool) -> Link {
        self.peers.learn(target, &member.address);
        Link { network: self.clone(), target, incarnation: member.incarnation, heartbeats }
    }
}

impl RaftNetworkFactory<Types> for Network {
    type Network = Link;

    async fn new_client(&mut self, target: u64, member: &Member) -> Link {
        self.link(target, member, false)
    }

    async fn new_heartbeat_client(&mut self, target: u64, member: &Member) -> Link {
        self.link(target, member, true)
    }
}

fn unreachable(reason: &str) -> Unreachable<Types> {
    Unreachable::new(&io::Error::new(io::ErrorKind::NotConnected, reason.to_owned()))
}

fn failed(error: &CallError) -> RpcError {
    unreachable(error.reason()).into()
}

fn wrong(reason: String) -> RpcError {
    unreachable(&reason).into()
}

/// What a request on its way holds until it is answered.
struct Sent {
    _group: OwnedSemaphorePermit,
    _peer: OwnedSemaphorePermit,
}

type SentQueue = Arc<Mutex<VecDeque<Sent>>>;

/// The answers of one stream of entries.
struct Answers {
    inbound: Streaming<proto::AppendReply>,
    sent: SentQueue,
    changes: watch::Receiver<u64>,
    peers: Peers,
    target: u64,
}

impl Answers {
    async fn next(&mut self) -> Option<Result<StreamAppendResult<Types>, RpcError>> {
        let reply = loop {
            tokio::select! {
                reply = timeout(APPEND_TIME_MAX, self.inbound.message()) => match reply {
                    Ok(reply) => break reply,
                    // Silence is fine as long as nothing waits for an answer.
                    Err(_) if self.lock().is_empty() => {}
                    Err(_) => return Some(Err(wrong("it answers no entries".to_owned()))),
                },
                _ = self.changes.changed() => {
                    return Some(Err(wrong("its address changed".to_owned())));
                }
            }
        };
        match reply {
            Ok(None) => None,
            Ok(Some(reply)) => {
                self.lock().pop_front();
                Some(wire::to_append_reply(reply).map_err(wrong))
            }
            Err(status) => Some(Err(failed(&self.peers.failed(self.target, &status)))),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Sent>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link {
    fn header(&self) -> proto::Header {
        let Network { peers, group, .. } = &self.network;
        peers.header(self.target, *group, self.incarnation)
    }

    /// Streams entries, as many as the windows let through, and their answers.
    async fn stream_entries<'s, S>(
        &'s self,
        mut input: S,
    ) -> Result<BoxStream<'s, Result<StreamAppendResult<Types>, RpcError>>, RpcError>
    where
        S: Stream<Item = AppendEntriesRequest<Types>> + OptionalSend + Unpin + 'static,
    {
        let Network { peers, window_bytes, told, .. } = &self.network;
        // openraft waits here for as long as a peer that failed is to be left alone.
        let Some(first) = input.next().await else { return Ok(stream::empty().boxed()) };
        let input = stream::iter([first]).chain(input);
        let peer = peers.peer(self.target);
        let changes = peer.changes();
        let (window_bytes, window) = (*window_bytes, Arc::new(Semaphore::new(*window_bytes)));
        let sent = SentQueue::default();
        let (queue, told) = (sent.clone(), told.clone());
        let outgoing = input.filter_map(move |request| {
            let (window, peer, queue) = (window.clone(), peer.window.clone(), queue.clone());
            told.note(request.leader_commit);
            async move {
                let share = wire::append_bytes(&request).clamp(1, window_bytes);
                let share = u32::try_from(share).expect("a window has less than 4 GiB");
                let group = window.acquire_many_owned(share).await.ok()?;
                let peer = peer.acquire_many_owned(share).await.ok()?;
                let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
                queue.push_back(Sent { _group: group, _peer: peer });
                Some(wire::append(&request).0)
            }
        });
        let open = proto::AppendRequest { header: Some(self.header()), ..Default::default() };
        let outgoing = stream::iter([open]).chain(outgoing);
        let mut client = peers.client(self.target, Line::Append).map_err(|e| failed(&e))?;
        let inbound = peers.answer(self.target, ASK_TIME_MAX, client.append(outgoing)).await;
        let inbound = inbound.map_err(|error| failed(&error))?;
        let answers = Answers { inbound, sent, changes, peers: peers.clone(), target: self.target };
        let replies = stream::unfold(Some(answers), |answers| async move {
            let mut answers = answers?;
            let reply = answers.next().await?;
            // After an error, and after an answer that contradicts, nothing follows.
            let more = matches!(reply, Ok(Ok(_)));
            Some((reply, more.then_some(answers)))
        });
        Ok(replies.boxed())
    }

    /// Sends one heartbeat along with those of other groups.
    async fn beat(
        &self,
        request: &AppendEntriesRequest<Types>,
    ) -> Result<StreamAppendResult<Types>, RpcError> {
        let Network { peers, group, told, .. } = &self.network;
        told.note(request.leader_commit);
        let beat = proto::Beat {
            number: 0,
            group: *group,
            incarnation: self.incarnation,
            vote: Some(wire::ballot(&request.vote)),
            previous: request.prev_log_id.map(wire::log_id),
            committed: request.leader_commit.map(wire::log_id),
        };
        let stopped = || wrong("the node is stopped".to_owned());
        let (answer, reply) = oneshot::channel();
        let beats = peers.beats(self.target).ok_or_else(stopped)?;
        beats.send(Ask::Beat { beat, answer }).await.map_err(|_| stopped())?;
        let reply = reply.await.map_err(|_| wrong("a later heartbeat replaced it".to_owned()))?;
        reply.map_err(wrong)
    }

    async fn ask_vote(
        &self,
        request: VoteRequest<Types>,
        pre: bool,
        time_max: Duration,
    ) -> Result<VoteResponse<Types>, RpcError> {
        let peers = &self.network.peers;
        let mut client = peers.client(self.target, Line::Control).map_err(|e| failed(&e))?;
        let message = wire::vote_request(self.header(), &request, pre);
        let reply = peers.answer(self.target, time_max, client.vote(message)).await;
        wire::to_vote_reply(&reply.map_err(|error| failed(&error))?).map_err(wrong)
    }
}

impl RaftNetworkV2<Types> for Link {
    type SnapshotData = SnapshotRows;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<Types>, RpcError> {
        let input = Box::pin(stream::once(async move { request }));
        let mut replies = self.stream_append(input, option).await?;
        match replies.next().await {
            None => Err(wrong("no answer".to_owned())),
            Some(reply) => Ok(match reply? {
                Ok(last) => AppendEntriesResponse::PartialSuccess(last),
                Err(StreamAppendError::Conflict(_)) => AppendEntriesResponse::Conflict,
                Err(StreamAppendError::HigherVote(vote)) => AppendEntriesResponse::HigherVote(vote),
            }),
        }
    }

    fn stream_append<'s, S>(
        &'s mut self,
        mut input: S,
        _option: RPCOption,
    ) -> BoxFuture<'s, Result<BoxStream<'s, Result<StreamAppendResult<Types>, RpcError>>, RpcError>>
    where
        S: Stream<Item = AppendEntriesRequest<Types>> + OptionalSend + Unpin + 'static,
    {
        let link = &*self;
        Box::pin(async move {
            if !link.heartbeats {
                return link.stream_entries(input).await;
            }
            let Some(request) = input.next().await else { return Ok(stream::empty().boxed()) };
            let reply = link.beat(&request).await;
            Ok(stream::iter([reply]).boxed())
        })
    }

    async fn vote(
        &mut self,
        request: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RpcError> {
        self.ask_vote(request, false, option.hard_ttl()).await
    }

    // The default grants: a node that reaches nobody must not think that everybody agreed.
    async fn pre_vote(
        &mut self,
        request: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RpcError> {
        self.ask_vote(request, true, option.hard_ttl()).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: GroupSnapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        let peers = &self.network.peers;
        let send = pin!(snapshot::send(peers, self.target, self.header(), &vote, snapshot));
        match select(send, pin!(cancel)).await {
            Either::Left((Ok(vote), _)) => Ok(SnapshotResponse::new(vote)),
            Either::Left((Err(error), _)) => Err(unreachable(error.reason()).into()),
            Either::Right((closed, _)) => Err(closed.into()),
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<Types>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<Types>, RpcError> {
        let peers = &self.network.peers;
        let mut client = peers.client(self.target, Line::Control).map_err(|e| failed(&e))?;
        let message = wire::transfer(self.header(), &request);
        // The next leader answers once its log is complete, which may take its disk a while.
        let time_max = option.hard_ttl().max(ASK_TIME_MAX);
        let reply = peers.answer(self.target, time_max, client.transfer(message)).await;
        let reply = reply.map_err(|error| failed(&error))?;
        if reply.refused.is_empty() {
            return Ok(Ok(()));
        }
        tracing::info!(group = self.network.group, why = reply.refused, "leadership stays");
        let expected = request.last_log_id().copied();
        Ok(Err(TransferLeaderError::LogNotFlushed { expected, actual: None }))
    }
}
