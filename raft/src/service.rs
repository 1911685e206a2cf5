//! The peer port's Raft service.
//!
//! In come calls of other nodes; out go the answers of the replicas they are meant for. A call of
//! another cluster, for another node or incarnation, or of another version is refused with one
//! line, before anything is looked at.
//!
//! Invariant: a stream is answered with its headers before its first message is read, for the
//! other end may wait for them before it sends any.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use drave_proto::raft as proto;
use drave_proto::raft::raft_server::{Raft, RaftServer};
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt, TryStreamExt};
use tokio::sync::Semaphore;
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status, Streaming};

use crate::error::ProposeError;
use crate::gather;
use crate::node::{Admit, COMMAND_BYTES_MAX, Identity};
use crate::peers::{Peers, REFUSED, halves};
use crate::reader::Reader;
use crate::replica::{Doubtful, Replica, Replicas};
use crate::tls::Caller;
use crate::wire::{MESSAGE_BYTES_MAX, WIRE_VERSION};

/// Heartbeats and questions of one peer that are worked on at once.
const BEATS_AT_ONCE: usize = 4096;
/// Answers that leave together.
const REPLIES_AT_ONCE: usize = 1024;
/// Senders whose last refusal is remembered, so that the log says it once.
const STRANGERS_MAX: usize = 64;

/// What is asked over the stream of heartbeats.
enum Asked {
    Beat(proto::Beat),
    Index(proto::IndexAsk),
    Answered(Vec<proto::Voted>),
}

/// What is answered over it.
enum Reply {
    Beat(proto::BeatReply),
    Index(proto::IndexReply),
    Voted(Vec<proto::Voted>),
}

/// What a node answers to its peers: see [`crate::Node::service`].
#[derive(Clone)]
pub struct Service {
    identity: Identity,
    replicas: Replicas,
    doubtful: Doubtful,
    reader: Reader,
    /// Bytes of forwarded commands that are being read or proposed.
    forwarded: Arc<Semaphore>,
    forwarded_bytes: usize,
    strangers: Arc<Mutex<HashMap<u64, &'static str>>>,
    peers: Peers,
    room: Option<Arc<dyn Admit>>,
}

impl Service {
    pub(crate) fn new(
        identity: Identity,
        replicas: Replicas,
        doubtful: Doubtful,
        reader: Reader,
        forwarded_bytes: usize,
        peers: Peers,
        room: Option<Arc<dyn Admit>>,
    ) -> RaftServer<Self> {
        let service = Self {
            identity,
            replicas,
            doubtful,
            reader,
            forwarded: Arc::new(Semaphore::new(forwarded_bytes)),
            forwarded_bytes,
            strangers: Arc::default(),
            peers,
            room,
        };
        RaftServer::new(service)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// Refuses what is not meant for this node.
    fn admit(
        &self,
        caller: Caller,
        header: Option<proto::Header>,
    ) -> Result<proto::Header, Status> {
        let header =
            header.ok_or_else(|| Status::invalid_argument("a message without a header"))?;
        let Identity { cluster_id, node_id, .. } = self.identity;
        let (kind, message) = if [header.cluster_high, header.cluster_low] != halves(cluster_id) {
            let theirs = u128::from(header.cluster_high) << 64 | u128::from(header.cluster_low);
            let message = format!(
                "node {node_id} is of cluster {cluster_id:032x}, and node {} of {theirs:032x}: \
                 remove the address of the one from the other",
                header.sender
            );
            ("cluster", message)
        } else if header.target != node_id {
            let message = format!(
                "this is node {node_id}, and node {} means node {}: correct its address",
                header.sender, header.target
            );
            ("node", message)
        } else if header.version != WIRE_VERSION {
            let message = format!(
                "node {node_id} speaks version {WIRE_VERSION}, and node {} version {}: run the \
                 same version on both",
                header.sender, header.version
            );
            ("version", message)
        } else if header.sender == node_id {
            let message = format!("two nodes call themselves node {node_id}: rename one");
            ("sender", message)
        } else if let Some(message) = caller.refuses(header.sender) {
            ("certificate", message)
        } else if self.peers.is_removed(header.sender) {
            ("removed", was_removed(header.sender))
        } else {
            return Ok(header);
        };
        Err(self.refuse(header.sender, kind, message))
    }

    /// The replica that a call is meant for.
    fn replica(
        &self,
        caller: Caller,
        header: Option<proto::Header>,
    ) -> Result<Arc<dyn Replica>, Status> {
        let header = self.admit(caller, header)?;
        let (group, node_id) = (header.group, self.identity.node_id);
        let Some(replica) = self.replicas.get(group) else {
            let message = format!("node {node_id} has no replica of group {group}");
            return Err(marked(Status::not_found(message), "group"));
        };
        if header.incarnation == 0 || header.incarnation == replica.incarnation() {
            return Ok(replica);
        }
        let message = replaced(node_id, group);
        Err(self.refuse(header.sender, "incarnation", message))
    }

    /// A refusal, which the log says once per sender and reason.
    fn refuse(&self, sender: u64, kind: &'static str, message: String) -> Status {
        let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        if strangers.len() >= STRANGERS_MAX && !strangers.contains_key(&sender) {
            strangers.clear();
        }
        if strangers.insert(sender, kind) != Some(kind) {
            tracing::warn!(sender, reason = message, "refused a peer");
        }
        marked(Status::failed_precondition(message), kind)
    }

    async fn read_command(
        &self,
        caller: Caller,
        mut parts: Streaming<proto::ProposePart>,
    ) -> Result<(Arc<dyn Replica>, Bytes, tokio::sync::OwnedSemaphorePermit), Status> {
        use proto::propose_part::Part;
        let malformed = |what: &str| marked(Status::invalid_argument(what.to_owned()), "command");
        let first = parts.message().await?.and_then(|part| part.part);
        let Some(Part::Head(head)) = first else { return Err(malformed("a command without head")) };
        let replica = self.replica(caller, head.header)?;
        let bytes = usize::try_from(head.bytes).unwrap_or(usize::MAX);
        if bytes == 0 || bytes > COMMAND_BYTES_MAX {
            return Err(malformed("a command of no length, or of one that is too large"));
        }
        let share = u32::try_from(bytes.min(self.forwarded_bytes)).expect("at most 64 MiB");
        let share = self.forwarded.clone().acquire_many_owned(share).await;
        let share = share.map_err(|_| Status::unavailable("the node is stopped"))?;
        let second = parts.message().await?.and_then(|part| part.part);
        let Some(Part::Command(command)) = second else { return Err(malformed("no command")) };
        if command.len() != bytes {
            return Err(malformed("a command of another length than its head says"));
        }
        Ok((replica, command, share))
    }
}

/// Why a node is not listened to.
pub(crate) fn was_removed(node: u64) -> String {
    format!(
        "node {node} was removed from this cluster: start it with an empty data directory and a new \
         --node-id to have it back"
    )
}

/// Why a replica does not answer for the one that the group knows.
fn replaced(node_id: u64, group: u32) -> String {
    format!(
        "node {node_id} has another replica of group {group} than the one that is a member: its \
         data were replaced, so remove it from the group and add it again"
    )
}

fn marked(mut status: Status, kind: &'static str) -> Status {
    status.metadata_mut().insert(REFUSED, MetadataValue::from_static(kind));
    status
}

type Replies<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Raft for Service {
    type AppendStream = Replies<proto::AppendReply>;
    type BeatStream = Replies<proto::BeatReplies>;
    type SnapshotStream = Replies<proto::SnapshotReply>;

    async fn identify(
        &self,
        request: Request<proto::Header>,
    ) -> Result<Response<proto::Identity>, Status> {
        let header = self.admit(Caller::of(&request), Some(request.into_inner()))?;
        if self.doubtful.contains(header.group) {
            let message = format!("the replica of group {} may be erased just now", header.group);
            return Err(marked(Status::unavailable(message), "doubt"));
        }
        let incarnation = match self.replicas.get(header.group) {
            Some(replica) => replica.incarnation(),
            None => {
                let marks = self.reader.marks(header.group).await;
                let marks = marks.map_err(|error| Status::unavailable(error.to_string()))?;
                self.identity.incarnation_of(marks.epoch)
            }
        };
        Ok(Response::new(proto::Identity { incarnation }))
    }

    async fn append(
        &self,
        request: Request<Streaming<proto::AppendRequest>>,
    ) -> Result<Response<Self::AppendStream>, Status> {
        let (service, caller) = (self.clone(), Caller::of(&request));
        let mut inbound = request.into_inner();
        let replies = async move {
            let open = inbound.message().await?;
            let replica = service.replica(caller, open.and_then(|open| open.header))?;
            Ok::<_, Status>(replica.append(inbound))
        };
        Ok(Response::new(stream::once(replies).try_flatten().boxed()))
    }

    async fn beat(
        &self,
        request: Request<Streaming<proto::Beats>>,
    ) -> Result<Response<Self::BeatStream>, Status> {
        let (service, caller) = (self.clone(), Caller::of(&request));
        let room = self.room.clone();
        let replies = request
            .into_inner()
            .map(move |beats| {
                let beats = beats?;
                let header = service.admit(caller, beats.header)?;
                Ok::<_, Status>(service.clone().beats(header.sender, beats))
            })
            .try_flatten()
            .try_buffer_unordered(BEATS_AT_ONCE)
            .boxed();
        let replies = gather::runs(replies, REPLIES_AT_ONCE).map(move |replies| {
            let full = room.as_ref().is_some_and(|room| !room.has_room());
            let mut message = proto::BeatReplies { full, ..Default::default() };
            for reply in replies {
                match reply? {
                    Reply::Beat(reply) => message.replies.push(reply),
                    Reply::Index(reply) => message.indexes.push(reply),
                    Reply::Voted(voted) => message.votes.extend(voted),
                }
            }
            Ok(message)
        });
        Ok(Response::new(replies.boxed()))
    }

    async fn vote(
        &self,
        request: Request<proto::VoteRequest>,
    ) -> Result<Response<proto::VoteReply>, Status> {
        let (caller, request) = (Caller::of(&request), request.into_inner());
        let replica = self.replica(caller, request.header)?;
        Ok(Response::new(replica.vote(request).await?))
    }

    async fn transfer(
        &self,
        request: Request<proto::TransferRequest>,
    ) -> Result<Response<proto::TransferReply>, Status> {
        let (caller, request) = (Caller::of(&request), request.into_inner());
        let replica = self.replica(caller, request.header)?;
        Ok(Response::new(replica.transfer(request).await?))
    }

    async fn snapshot(
        &self,
        request: Request<Streaming<proto::SnapshotPart>>,
    ) -> Result<Response<Self::SnapshotStream>, Status> {
        let (service, caller) = (self.clone(), Caller::of(&request));
        let mut parts = request.into_inner();
        let replies = async move {
            let head = parts.message().await?.and_then(|part| part.part);
            let Some(proto::snapshot_part::Part::Head(head)) = head else {
                return Err(Status::invalid_argument("a snapshot without a head"));
            };
            let replica = service.replica(caller, head.header)?;
            Ok::<_, Status>(replica.snapshot(head, parts))
        };
        Ok(Response::new(stream::once(replies).try_flatten().boxed()))
    }

    async fn propose(
        &self,
        request: Request<Streaming<proto::ProposePart>>,
    ) -> Result<Response<proto::ProposeReply>, Status> {
        use proto::propose_reply::Result as Reply;
        let (replica, command, _share) =
            self.read_command(Caller::of(&request), request.into_inner()).await?;
        let result = match replica.propose(command).await {
            Ok((index, reply)) => Reply::Done(proto::Done { index, reply }),
            Err(ProposeError::NotDone { leader, reason, .. }) => {
                Reply::NotDone(proto::NotDone { leader: leader.unwrap_or(0), reason })
            }
            Err(ProposeError::Refused { reason, .. }) => Reply::Refused(reason),
            Err(ProposeError::Unknown { reason, .. }) => Reply::Unknown(reason),
        };
        Ok(Response::new(proto::ProposeReply { result: Some(result) }))
    }
}

impl Service {
    /// A read index of one group, if this node leads it.
    async fn index(self, sender: u64, ask: proto::IndexAsk) -> proto::IndexReply {
        use proto::index_reply::Result as Reply;
        let not_done = |leader: Option<u64>, reason| {
            Reply::NotDone(proto::NotDone { leader: leader.unwrap_or(0), reason })
        };
        let proto::IndexAsk { number, group, voted } = ask;
        let result = match self.replicas.get(group) {
            None => {
                let node_id = self.identity.node_id;
                not_done(None, format!("node {node_id} has no replica of group {group}"))
            }
            Some(replica) => match replica.read_index(sender, voted).await {
                Ok(index) => Reply::Index(index),
                Err(error) => not_done(error.leader, error.reason),
            },
        };
        proto::IndexReply { number, result: Some(result) }
    }

    /// What answers each heartbeat, after what answers what reads wait for.
    fn beats(
        self,
        sender: u64,
        beats: proto::Beats,
    ) -> BoxStream<
        'static,
        Result<impl Future<Output = Result<Reply, Status>> + Send + 'static, Status>,
    > {
        let proto::Beats { beats, checks, asks, .. } = beats;
        let voted: Vec<_> = checks.into_iter().map(|check| self.voted(check)).collect();
        let voted = (!voted.is_empty()).then_some(Asked::Answered(voted));
        let beats = beats.into_iter().map(Asked::Beat);
        let asks = asks.into_iter().map(Asked::Index);
        let answers = voted.into_iter().chain(asks).chain(beats).map(move |asked| {
            let service = self.clone();
            Ok(async move {
                Ok(match asked {
                    Asked::Answered(voted) => Reply::Voted(voted),
                    Asked::Index(ask) => Reply::Index(service.index(sender, ask).await),
                    Asked::Beat(beat) => Reply::Beat(service.answer(sender, beat).await),
                })
            })
        });
        stream::iter(answers).boxed()
    }

    fn voted(&self, check: proto::VoteCheck) -> proto::Voted {
        let proto::VoteCheck { number, group, .. } = check;
        match self.replicas.get(group) {
            Some(replica) => proto::Voted { number, ..replica.voted() },
            None => {
                let refused =
                    format!("node {} has no replica of group {group}", self.identity.node_id);
                proto::Voted { number, group, refused, ..Default::default() }
            }
        }
    }

    async fn answer(self, sender: u64, beat: proto::Beat) -> proto::BeatReply {
        let (group, node_id) = (beat.group, self.identity.node_id);
        let refused = |reason| crate::wire::beat_reply(&beat, Err(reason));
        match self.replicas.get(group) {
            None => refused(format!("node {node_id} has no replica of group {group}")),
            Some(replica) if ![0, replica.incarnation()].contains(&beat.incarnation) => {
                let reason = replaced(node_id, group);
                let _ = self.refuse(sender, "incarnation", reason.clone());
                refused(reason)
            }
            Some(replica) => replica.beat(beat).await,
        }
    }
}
