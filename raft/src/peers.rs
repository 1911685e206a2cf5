//! The peer table: where other nodes are, and the connections to them.
//!
//! In come addresses, from whoever runs the node and from memberships; out go clients whose every
//! message says who sends it and whom it means.
//!
//! Invariants:
//! - A peer has five connections: heartbeats and votes never wait behind entries, entries never
//!   behind a snapshot, forwarded calls behind none of them, and what else nodes say to each other
//!   has one of its own.
//! - An address that was set counts for more than one that a membership names.
//! - When an address changes, everything under way on the old connections ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use drave_proto::raft as proto;
use drave_proto::raft::raft_client::RaftClient;
use futures::stream;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, timeout};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use crate::beats::{self, Ask};
use crate::error::ProposeError;
use crate::node::{Identity, Options};
use crate::tls::{Dial, Tls};
use crate::wire::{MESSAGE_BYTES_MAX, WIRE_VERSION};

/// A peer that does not take a connection for so long is not there.
const CONNECT_TIME_MAX: Duration = Duration::from_millis(1500);
/// A connection over which nothing comes is probed, and given up when nothing comes back: shorter
/// than an election, so that nobody waits for a leader that is gone.
const PROBE_EVERY: Duration = Duration::from_millis(1000);
const PROBE_TIME_MAX: Duration = Duration::from_millis(2000);
/// A forwarded call ends after this, whatever the leader does.
pub(crate) const FORWARD_TIME_MAX: Duration = Duration::from_secs(30);
/// A small call ends after this.
pub(crate) const ASK_TIME_MAX: Duration = Duration::from_secs(3);
/// Bytes of entries on their way to one peer, over all groups.
const PEER_WINDOW_BYTES: usize = 64 << 20;
/// HTTP/2 lets so much of one stream, and of one connection, be on the way.
const STREAM_WINDOW_BYTES: u32 = 16 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 32 << 20;
/// The same for what does not belong to Raft: many streams, each of which may be read slowly.
const OTHER_STREAM_WINDOW_BYTES: u32 = 1 << 20;
const OTHER_CONNECTION_WINDOW_BYTES: u32 = 64 << 20;
/// Streams of one connection. None of ours may wait for another one of ours to end.
const STREAMS_MAX: u32 = 16_384;

/// Names the refusals of [`crate::service`] in the metadata of a status: nothing was done.
pub(crate) const REFUSED: &str = "drave-refused";

/// A server for the peer port, set up for what peers send each other; to be served over
/// [`crate::peer_incoming`].
pub fn peer_server() -> tonic::transport::Server {
    tonic::transport::Server::builder()
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(Some(STREAMS_MAX))
        .http2_keepalive_interval(Some(5 * PROBE_EVERY))
        .http2_keepalive_timeout(Some(5 * PROBE_TIME_MAX))
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// Heartbeats, votes, read indexes and small questions.
    Control,
    /// Entries.
    Append,
    /// Snapshots.
    Snapshot,
    /// Proposals to groups that somebody else leads.
    Forward,
    /// What other services on the peer port are asked.
    Other,
}

const LINES: usize = 5;

/// Why a peer did not answer.
#[derive(Debug, Clone)]
pub(crate) enum CallError {
    /// Nothing reached it.
    Unreachable(String),
    /// It said that it did nothing.
    Refused(String),
    /// Nobody knows what it did.
    Lost(String),
}

impl CallError {
    /// What went wrong.
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::Unreachable(reason) | Self::Refused(reason) | Self::Lost(reason) => reason,
        }
    }

    fn of(status: &Status) -> Self {
        let message = status.message().to_owned();
        if status.metadata().contains_key(REFUSED) {
            return Self::Refused(message);
        }
        let mut source = std::error::Error::source(status);
        while let Some(error) = source {
            if let Some(connect) = error.downcast_ref::<tonic::ConnectError>() {
                return Self::Unreachable(connect.to_string());
            }
            source = error.source();
        }
        match status.code() {
            Code::Unimplemented => Self::Refused("it has no Raft service".to_owned()),
            code if message.is_empty() => Self::Lost(code.description().to_owned()),
            _ => Self::Lost(message),
        }
    }
}

/// The other nodes, as this one reaches them. Cheap to clone.
#[derive(Clone)]
pub struct Peers(Arc<Inner>);

/// What was sent to peers and taken from them since the node was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PeerStats {
    /// Heartbeats, one for each group.
    pub beats: u64,
    /// Messages that carried them.
    pub beat_messages: u64,
    /// Snapshots that a follower installed.
    pub snapshots: u64,
    /// Bytes of snapshots, sent for one that was installed or not.
    pub snapshot_bytes: u64,
    /// Snapshots of leaders that were installed here.
    pub installed: u64,
}

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) beats: AtomicU64,
    pub(crate) beat_messages: AtomicU64,
    pub(crate) snapshots: AtomicU64,
    pub(crate) snapshot_bytes: AtomicU64,
    pub(crate) installed: AtomicU64,
}

struct Inner {
    cluster_id: u128,
    node_id: u64,
    snapshot_bytes_per_second: u64,
    linger: Duration,
    tls: Option<Tls>,
    counts: Counts,
    closed: AtomicBool,
    /// Nodes that are not listened to any more.
    removed: RwLock<BTreeSet<u64>>,
    table: Mutex<BTreeMap<u64, Arc<Peer>>>,
    /// When the next byte of a snapshot may leave.
    pace: tokio::sync::Mutex<Option<Instant>>,
}

/// One other node.
pub(crate) struct Peer {
    pub(crate) id: u64,
    /// Bytes of entries on their way to it.
    pub(crate) window: Arc<Semaphore>,
    /// It said with its last answer to a heartbeat that it has no room for more entries.
    pub(crate) full: AtomicBool,
    lines: Mutex<Lines>,
    /// Counts changes of the address.
    changes: watch::Sender<u64>,
    beats: Mutex<Option<mpsc::Sender<Ask>>>,
    complaint: Mutex<String>,
}

#[derive(Default)]
struct Lines {
    address: String,
    set: bool,
    channels: [Option<Channel>; LINES],
}

impl std::fmt::Debug for Peers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.addresses()).finish()
    }
}

impl Peers {
    pub(crate) fn new(identity: &Identity, options: &Options) -> Self {
        Self(Arc::new(Inner {
            cluster_id: identity.cluster_id,
            node_id: identity.node_id,
            snapshot_bytes_per_second: options.snapshot_bytes_per_second,
            linger: options.heartbeat_linger,
            tls: options.tls.clone(),
            counts: Counts::default(),
            closed: AtomicBool::new(false),
            removed: RwLock::default(),
            table: Mutex::default(),
            pace: tokio::sync::Mutex::default(),
        }))
    }

    /// Says where a node is, from now on. Counts for more than what memberships say.
    pub fn set(&self, id: u64, address: &str) {
        self.peer(id).point(address, true);
    }

    /// Says which nodes are not listened to, from now on: they were removed for good.
    pub fn set_removed(&self, removed: BTreeSet<u64>) {
        *self.0.removed.write().unwrap_or_else(PoisonError::into_inner) = removed;
    }

    /// Whether a node was removed for good.
    pub fn is_removed(&self, id: u64) -> bool {
        self.0.removed.read().unwrap_or_else(PoisonError::into_inner).contains(&id)
    }

    /// What proves who this node is, where peers ask for that.
    pub fn tls(&self) -> Option<&Tls> {
        self.0.tls.as_ref()
    }

    /// Whether a node said that it has room for more entries; it has until it says otherwise.
    pub fn has_room(&self, id: u64) -> bool {
        self.table().get(&id).is_none_or(|peer| !peer.full.load(Ordering::Relaxed))
    }

    /// What was sent and taken so far.
    pub fn stats(&self) -> PeerStats {
        let counts = &self.0.counts;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        PeerStats {
            beats: read(&counts.beats),
            beat_messages: read(&counts.beat_messages),
            snapshots: read(&counts.snapshots),
            snapshot_bytes: read(&counts.snapshot_bytes),
            installed: read(&counts.installed),
        }
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.0.counts
    }

    /// Where a node is, as far as anybody said.
    pub fn address(&self, id: u64) -> Option<String> {
        let peer = self.table().get(&id).cloned()?;
        let address = peer.lock().address.clone();
        (!address.is_empty()).then_some(address)
    }

    /// A connection to a node for another service than Raft's on its peer port; connects when it is
    /// first used.
    pub fn channel(&self, id: u64) -> Result<Channel, String> {
        self.open(id, Line::Other).map_err(|error| error.reason().to_owned())
    }

    /// Every node that anybody spoke of, and where it is.
    pub fn addresses(&self) -> BTreeMap<u64, String> {
        let table = self.table();
        table.iter().map(|(id, peer)| (*id, peer.lock().address.clone())).collect()
    }

    /// Proposes a command of a group of which this node need not have a replica to `peer`, which
    /// should lead it. It is not forwarded: a peer that does not lead says who does.
    pub async fn propose(
        &self,
        peer: u64,
        group: u32,
        command: Bytes,
    ) -> Result<(u64, Bytes), ProposeError> {
        use proto::propose_reply::Result as Reply;
        let not_done = |leader, reason| ProposeError::NotDone { group, leader, reason };
        let unknown = |reason| ProposeError::Unknown { group, reason };
        match self.call_propose(peer, group, command).await {
            Ok(Some(Reply::Done(done))) => Ok((done.index, done.reply)),
            Ok(Some(Reply::NotDone(why))) => {
                Err(not_done((why.leader != 0).then_some(why.leader), why.reason))
            }
            Ok(Some(Reply::Refused(reason))) => Err(ProposeError::Refused { group, reason }),
            Ok(Some(Reply::Unknown(reason))) => Err(unknown(reason)),
            Ok(None) => Err(unknown(format!("node {peer} gave an empty answer"))),
            Err(CallError::Unreachable(reason) | CallError::Refused(reason)) => {
                Err(not_done(None, format!("node {peer}: {reason}")))
            }
            Err(CallError::Lost(reason)) => Err(unknown(format!("node {peer}: {reason}"))),
        }
    }

    async fn call_propose(
        &self,
        peer: u64,
        group: u32,
        command: Bytes,
    ) -> Result<Option<proto::propose_reply::Result>, CallError> {
        use proto::propose_part::Part;
        let header = Some(self.header(peer, group, 0));
        let head = proto::ProposeHead { header, bytes: command.len() as u64 };
        let parts = [Part::Head(head), Part::Command(command)];
        let parts = stream::iter(parts.map(|part| proto::ProposePart { part: Some(part) }));
        let mut client = self.client(peer, Line::Forward)?;
        let reply = self.answer(peer, FORWARD_TIME_MAX, client.propose(parts)).await?;
        Ok(reply.result)
    }

    /// The incarnation that `peer` has in a group, whether or not it has a replica of it.
    pub(crate) async fn incarnation(&self, peer: u64, group: u32) -> Result<u64, CallError> {
        let mut client = self.client(peer, Line::Control)?;
        let header = self.header(peer, group, 0);
        let identity = self.answer(peer, ASK_TIME_MAX, client.identify(header)).await?;
        Ok(identity.incarnation)
    }

    /// Awaits an answer, for so long.
    pub(crate) async fn answer<T>(
        &self,
        peer: u64,
        time_max: Duration,
        call: impl Future<Output = Result<tonic::Response<T>, Status>>,
    ) -> Result<T, CallError> {
        match timeout(time_max, call).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(self.failed(peer, &status)),
            Err(_) => Err(CallError::Lost(format!("no answer in {time_max:?}"))),
        }
    }

    /// What a status means. Says so in the log, once, where a peer refuses to talk to us.
    pub(crate) fn failed(&self, peer: u64, status: &Status) -> CallError {
        let error = CallError::of(status);
        if let CallError::Refused(reason) = &error
            && status.code() == Code::FailedPrecondition
        {
            self.peer(peer).complain(reason);
        }
        error
    }

    /// Who is meant, for every message.
    pub(crate) fn header(&self, target: u64, group: u32, incarnation: u64) -> proto::Header {
        let [high, low] = halves(self.0.cluster_id);
        proto::Header {
            cluster_high: high,
            cluster_low: low,
            sender: self.0.node_id,
            target,
            incarnation,
            version: WIRE_VERSION,
            group,
        }
    }

    /// A client over one of the connections to a peer, which connects when it is first used.
    pub(crate) fn client(&self, id: u64, line: Line) -> Result<RaftClient<Channel>, CallError> {
        Ok(RaftClient::new(self.open(id, line)?)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX))
    }

    fn open(&self, id: u64, line: Line) -> Result<Channel, CallError> {
        if self.0.closed.load(Ordering::Acquire) {
            return Err(CallError::Unreachable("the node is stopped".to_owned()));
        }
        self.peer(id).channel(line, self.tls())
    }

    /// Takes in where a membership says that a node is.
    pub(crate) fn learn(&self, id: u64, address: &str) {
        if !address.is_empty() {
            self.peer(id).point(address, false);
        }
    }

    /// The entry of a node, made where there is none.
    pub(crate) fn peer(&self, id: u64) -> Arc<Peer> {
        let new = || {
            Arc::new(Peer {
                id,
                window: Arc::new(Semaphore::new(PEER_WINDOW_BYTES)),
                full: AtomicBool::new(false),
                lines: Mutex::default(),
                changes: watch::Sender::new(0),
                beats: Mutex::default(),
                complaint: Mutex::default(),
            })
        };
        self.table().entry(id).or_insert_with(new).clone()
    }

    /// The way into the peer's heartbeats; nothing once the node is stopped.
    pub(crate) fn beats(&self, id: u64) -> Option<mpsc::Sender<Ask>> {
        let peer = self.peer(id);
        let mut beats = peer.beats.lock().unwrap_or_else(PoisonError::into_inner);
        if self.0.closed.load(Ordering::Acquire) {
            return None;
        }
        let start = || beats::start(self.clone(), peer.clone(), self.0.linger);
        Some(beats.get_or_insert_with(start).clone())
    }

    /// Waits until `bytes` of a snapshot may leave.
    pub(crate) async fn pace(&self, bytes: usize) {
        let rate = self.0.snapshot_bytes_per_second.max(1);
        let mut next = self.0.pace.lock().await;
        let now = Instant::now();
        let start = next.map_or(now, |next| next.max(now));
        *next = Some(start + Duration::from_secs_f64(bytes as f64 / rate as f64));
        drop(next);
        tokio::time::sleep_until(start).await;
    }

    /// Ends every connection, and makes no more.
    pub(crate) fn close(&self) {
        self.0.closed.store(true, Ordering::Release);
        for peer in self.table().values() {
            *peer.beats.lock().unwrap_or_else(PoisonError::into_inner) = None;
            peer.lock().channels = Default::default();
            peer.changes.send_modify(|changes| *changes += 1);
        }
    }

    fn table(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Peer>>> {
        // Nothing panics while it holds the table.
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection for a question or two, to `node` where it is known which one is there.
pub async fn connect(
    endpoint: &Endpoint,
    tls: Option<&Tls>,
    node: Option<u64>,
) -> Result<Channel, tonic::transport::Error> {
    match tls {
        None => endpoint.connect().await,
        Some(tls) => endpoint.connect_with_connector(Dial { tls: tls.clone(), node }).await,
    }
}

/// The halves of a cluster id, high and low.
pub(crate) fn halves(id: u128) -> [u64; 2] {
    let low = u128::from(u64::MAX);
    [id >> 64, id & low].map(|half| u64::try_from(half).expect("a half has 64 bits"))
}

impl Peer {
    /// Counts changes of the address: whatever is under way ends with the next one.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn point(&self, address: &str, set: bool) {
        let mut lines = self.lock();
        if lines.set && !set {
            return;
        }
        lines.set |= set;
        if lines.address == address {
            return;
        }
        lines.address = address.to_owned();
        lines.channels = Default::default();
        drop(lines);
        self.changes.send_modify(|changes| *changes += 1);
    }

    fn channel(&self, line: Line, tls: Option<&Tls>) -> Result<Channel, CallError> {
        let mut lines = self.lock();
        if let Some(channel) = &lines.channels[line as usize] {
            return Ok(channel.clone());
        }
        if lines.address.is_empty() {
            let reason = format!("nobody said where node {} is", self.id);
            return Err(CallError::Unreachable(reason));
        }
        let endpoint = Endpoint::from_shared(format!("http://{}", lines.address));
        let endpoint = endpoint.map_err(|error| {
            let reason = format!("{:?} is no address of node {}: {error}", lines.address, self.id);
            CallError::Unreachable(reason)
        })?;
        let (stream_window, connection_window) = match line {
            Line::Other => (OTHER_STREAM_WINDOW_BYTES, OTHER_CONNECTION_WINDOW_BYTES),
            Line::Control | Line::Append | Line::Snapshot | Line::Forward => {
                (STREAM_WINDOW_BYTES, CONNECTION_WINDOW_BYTES)
            }
        };
        let endpoint = endpoint
            .connect_timeout(CONNECT_TIME_MAX)
            .tcp_nodelay(true)
            .initial_stream_window_size(stream_window)
            .initial_connection_window_size(connection_window)
            .http2_keep_alive_interval(PROBE_EVERY)
            .keep_alive_timeout(PROBE_TIME_MAX);
        let channel = match tls {
            None => endpoint.connect_lazy(),
            Some(tls) => {
                let dial = Dial { tls: tls.clone(), node: Some(self.id) };
                endpoint.connect_with_connector_lazy(dial)
            }
        };
        lines.channels[line as usize] = Some(channel.clone());
        Ok(channel)
    }

    fn complain(&self, reason: &str) {
        let mut last = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != reason {
            tracing::warn!(peer = self.id, reason, "a peer refuses to talk to this node");
            reason.clone_into(&mut last);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        // Nothing panics while it holds the lines.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
