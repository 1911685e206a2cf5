//! The peer port: what a node tells other nodes about itself, before and after it is in a cluster.
//!
//! Before: [`serve_waiting`] answers who this is, and can be prepared by a founder. After:
//! [`serve`] has Raft's own service beside it, lets nodes join, and reports for the status.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use drave_proto::node::node_server::{Node, NodeServer};
use drave_proto::node::{
    HoldRequest, IdentifyRequest, IdentifyResponse, JoinRequest, JoinResponse, MirrorRequest,
    PrepareRequest, PrepareResponse, ScanRequest, StatusRequest, StatusResponse,
};
use drave_proto::raft::raft_server::RaftServer;
use drave_raft::{Caller, FORMAT_VERSION, Group, Identity, Origin, PeerStream, Tls};
use futures::Stream;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tonic::transport::Server;
use tonic::{Request, Response, Status};
use tracing::{info, warn};

use super::call::{self, Misfits};
use super::meta::{Command, Machine, NodeId};
use super::{ChangeError, Cluster, form, held, mirror, node_info};

/// A peer's question that takes longer is cut off.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(10);

/// What a node says of itself without being asked.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// Its number.
    pub node_id: NodeId,
    /// Where its HTTP API listens.
    pub http: String,
    /// Nodes of one zone may fail together.
    pub zone: String,
}

impl About {
    fn answer(&self, identity: Option<&Identity>) -> IdentifyResponse {
        IdentifyResponse {
            cluster_id: identity.map_or_else(String::new, cluster_id),
            node_id: self.node_id,
            format_version: FORMAT_VERSION,
            n_shards: identity.map_or(0, |identity| identity.n_groups),
            version: super::own_version(),
            incarnation: identity.map_or(0, |identity| identity.incarnation),
            http: self.http.clone(),
            zone: self.zone.clone(),
            clock_ms: call::clock_ms(),
        }
    }
}

fn cluster_id(identity: &Identity) -> String {
    format!("{:032x}", identity.cluster_id)
}

/// A node that waits for a founder.
pub(super) struct Waiting {
    about: About,
    misfits: Misfits,
    prepared: mpsc::Sender<Origin>,
}

impl Waiting {
    /// Also answers where the cluster arrives that it was prepared for.
    pub(super) fn new(about: About) -> (Waiting, mpsc::Receiver<Origin>) {
        let (prepared, origins) = mpsc::channel(1);
        (Waiting { about, misfits: Misfits::default(), prepared }, origins)
    }
}

#[tonic::async_trait]
impl Node for Waiting {
    async fn identify(
        &self,
        request: Request<IdentifyRequest>,
    ) -> Result<Response<IdentifyResponse>, Status> {
        self.misfits.note(request.get_ref(), "");
        Ok(Response::new(self.about.answer(None)))
    }

    async fn prepare(
        &self,
        request: Request<PrepareRequest>,
    ) -> Result<Response<PrepareResponse>, Status> {
        let PrepareRequest { cluster_id, n_shards, format_version, node_id, clock_ms } =
            request.into_inner();
        if node_id != self.about.node_id {
            let message = format!("this is node {}, not node {node_id}", self.about.node_id);
            return Err(Status::failed_precondition(message));
        }
        let origin = form::origin(&cluster_id, n_shards, (format_version, clock_ms), "the founder");
        let origin = origin.map_err(Status::failed_precondition)?;
        let prepared = self.prepared.try_send(origin);
        prepared.map_err(|_| Status::failed_precondition("it is being prepared already"))?;
        info!(cluster_id, "prepared for a cluster that is being founded");
        Ok(Response::new(PrepareResponse {}))
    }

    async fn join(&self, _: Request<JoinRequest>) -> Result<Response<JoinResponse>, Status> {
        Err(Status::unavailable("this node is in no cluster yet"))
    }

    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        Err(Status::unavailable("this node is in no cluster yet"))
    }

    type MirrorStream = mirror::Parts;

    async fn mirror(
        &self,
        _: Request<MirrorRequest>,
    ) -> Result<Response<Self::MirrorStream>, Status> {
        Err(Status::unavailable("this node is in no cluster yet"))
    }

    type HoldStream = held::HoldReplies;

    async fn hold(&self, _: Request<HoldRequest>) -> Result<Response<Self::HoldStream>, Status> {
        Err(Status::unavailable("this node is in no cluster yet"))
    }

    type ScanStream = held::ScanParts;

    async fn scan(&self, _: Request<ScanRequest>) -> Result<Response<Self::ScanStream>, Status> {
        Err(Status::unavailable("this node is in no cluster yet"))
    }
}

/// What is known of this node so far: filled as it comes up. Cheap to clone.
#[derive(Clone)]
pub struct Door(Arc<Inner>);

struct Inner {
    about: About,
    misfits: Misfits,
    identity: OnceLock<Identity>,
    meta: Mutex<Option<Group<Machine>>>,
    cluster: OnceLock<Cluster>,
    /// Why this node is in no cluster yet, for whoever asks it.
    said: Mutex<String>,
}

impl Door {
    /// Nothing is known but who this is.
    pub fn new(about: About) -> Door {
        Door(Arc::new(Inner {
            about,
            misfits: Misfits::default(),
            identity: OnceLock::new(),
            meta: Mutex::new(None),
            cluster: OnceLock::new(),
            said: Mutex::new("starting".into()),
        }))
    }

    pub(super) fn about(&self) -> &About {
        &self.0.about
    }

    /// Why this node does not serve yet, in one line.
    pub fn reason(&self) -> String {
        self.0.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn say(&self, reason: String) {
        *self.0.said.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }

    pub(super) fn identified(&self, identity: Identity) {
        self.say("waiting for the other nodes of its cluster".into());
        let first = self.0.identity.set(identity);
        assert!(first.is_ok(), "a node opens its directory once");
    }

    pub(super) fn opened(&self, meta: Group<Machine>) {
        *self.0.meta.lock().unwrap_or_else(PoisonError::into_inner) = Some(meta);
    }

    /// From now on this answers how the node sees the cluster, and what is in its shards.
    pub fn serves(&self, cluster: Cluster) {
        let first = self.0.cluster.set(cluster);
        assert!(first.is_ok(), "a node starts once");
    }

    fn cluster(&self) -> Result<&Cluster, Status> {
        self.0.cluster.get().ok_or_else(|| Status::unavailable("this node is coming up"))
    }

    /// Refuses a node that was removed, as far as its certificate says which one it is.
    fn is_member(&self, caller: Caller) -> Result<(), Status> {
        let peers = self.0.cluster.get().map(|cluster| cluster.0.node.peers());
        match peers.and_then(|peers| caller.removed(peers)) {
            None => Ok(()),
            Some(reason) => Err(Status::permission_denied(reason)),
        }
    }

    fn meta(&self) -> Option<Group<Machine>> {
        self.0.meta.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn same_cluster(&self, theirs: &str) -> Result<(), Status> {
        let own = self.0.identity.get().map_or_else(String::new, cluster_id);
        if own == theirs {
            return Ok(());
        }
        let message = format!(
            "node {} is in cluster {own}, not in {theirs}: start the other one with an empty data \
             directory to have it here",
            self.0.about.node_id
        );
        Err(Status::failed_precondition(message))
    }
}

#[tonic::async_trait]
impl Node for Door {
    async fn identify(
        &self,
        request: Request<IdentifyRequest>,
    ) -> Result<Response<IdentifyResponse>, Status> {
        let identity = self.0.identity.get();
        let own = identity.map_or_else(String::new, cluster_id);
        self.0.misfits.note(request.get_ref(), &own);
        Ok(Response::new(self.0.about.answer(identity)))
    }

    /// A founder that died halfway prepares its nodes again.
    async fn prepare(
        &self,
        request: Request<PrepareRequest>,
    ) -> Result<Response<PrepareResponse>, Status> {
        self.same_cluster(&request.get_ref().cluster_id)?;
        Ok(Response::new(PrepareResponse {}))
    }

    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<JoinResponse>, Status> {
        let (caller, request) = (Caller::of(&request), request.into_inner());
        self.same_cluster(&request.cluster_id)?;
        let who = format!("node {} at {}", request.node_id, request.peer);
        let misfit = call::misfit(&who, request.format_version, request.clock_ms);
        if let Some(refused) = caller.refuses(request.node_id).or(misfit) {
            warn!(node = request.node_id, refused, "a node may not join");
            return Ok(Response::new(JoinResponse { refused }));
        }
        let Some(meta) = self.meta() else {
            return Err(Status::unavailable("this node is coming up"));
        };
        let JoinRequest { peer, http, zone, incarnation, version, .. } = request;
        let node = node_info(peer, http, zone, incarnation, version);
        let command = Command::Join { id: request.node_id, node };
        match form::change(&meta, &command).await {
            Ok(()) => Ok(Response::new(JoinResponse { refused: String::new() })),
            Err(ChangeError::Refused(refused)) => {
                warn!(node = request.node_id, refused, "a node may not join");
                Ok(Response::new(JoinResponse { refused }))
            }
            Err(error) => Err(Status::unavailable(error.to_string())),
        }
    }

    async fn status(
        &self,
        request: Request<StatusRequest>,
    ) -> Result<Response<StatusResponse>, Status> {
        self.is_member(Caller::of(&request))?;
        self.same_cluster(&request.get_ref().cluster_id)?;
        let report = self.cluster()?.report();
        let report = serde_json::to_vec(&report).expect("plain values");
        Ok(Response::new(StatusResponse { report }))
    }

    type MirrorStream = mirror::Parts;

    async fn mirror(
        &self,
        request: Request<MirrorRequest>,
    ) -> Result<Response<Self::MirrorStream>, Status> {
        self.is_member(Caller::of(&request))?;
        let MirrorRequest { cluster_id, shard, after } = request.into_inner();
        self.same_cluster(&cluster_id)?;
        let Some(replica) = self.cluster()?.0.replica(shard) else {
            let message = format!("node {} has no replica of shard {shard}", self.0.about.node_id);
            return Err(Status::not_found(message));
        };
        Ok(Response::new(mirror::serve(replica, after)))
    }

    type HoldStream = held::HoldReplies;

    async fn hold(
        &self,
        request: Request<HoldRequest>,
    ) -> Result<Response<Self::HoldStream>, Status> {
        self.is_member(Caller::of(&request))?;
        let request = request.into_inner();
        self.same_cluster(&request.cluster_id)?;
        Ok(Response::new(held::hold(&self.cluster()?.0, request).await?))
    }

    type ScanStream = held::ScanParts;

    async fn scan(
        &self,
        request: Request<ScanRequest>,
    ) -> Result<Response<Self::ScanStream>, Status> {
        self.is_member(Caller::of(&request))?;
        let ScanRequest { cluster_id, hold, shard, question } = request.into_inner();
        self.same_cluster(&cluster_id)?;
        Ok(Response::new(held::scan(&self.cluster()?.0, hold, shard, question)?))
    }
}

/// Serves the peer port until `stop` says true.
pub(super) async fn serve(
    incoming: impl Stream<Item = std::io::Result<PeerStream>>,
    door: Door,
    raft: RaftServer<drave_raft::Service>,
    mut stop: watch::Receiver<bool>,
) {
    let stopped = async move {
        // An error means that the sender is gone: the node is gone, too.
        let _ = stop.wait_for(|stop| *stop).await;
    };
    let served = drave_raft::peer_server()
        .add_service(NodeServer::new(door))
        .add_service(raft)
        .serve_with_incoming_shutdown(incoming, stopped)
        .await;
    if let Err(error) = served {
        warn!(%error, "the peer listener ended");
    }
}

/// A server for a node that waits, and the listener that it gives back.
pub(super) struct ServeWaiting {
    serving: tokio::task::JoinHandle<()>,
    stop: watch::Sender<bool>,
    listener: std::net::TcpListener,
}

/// Serves the peer port of a node that waits.
pub(super) fn serve_waiting(
    listener: std::net::TcpListener,
    waiting: Waiting,
    tls: Option<Tls>,
) -> std::io::Result<ServeWaiting> {
    let (stop, mut stopped) = watch::channel(false);
    let own = TcpListener::from_std(listener.try_clone()?)?;
    let incoming = drave_raft::peer_incoming(own, tls);
    let serving = tokio::spawn(async move {
        let stopped = async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        let served = Server::builder()
            .timeout(REQUEST_TIME_MAX)
            .add_service(NodeServer::new(waiting))
            .serve_with_incoming_shutdown(incoming, stopped)
            .await;
        if let Err(error) = served {
            warn!(%error, "the peer listener ended");
        }
    });
    Ok(ServeWaiting { serving, stop, listener })
}

impl ServeWaiting {
    /// Lets answers under way out, and gives the listener back.
    pub(super) async fn end(self) -> std::net::TcpListener {
        self.stop.send_replace(true);
        let _ = tokio::time::timeout(Duration::from_secs(1), self.serving).await;
        self.listener
    }
}
