//! How a node gets into a cluster: it founds one, is prepared by a founder, joins one, or finds
//! itself in one after a restart.
//!
//! ```text
//! no --peers, no --join    founds a cluster of its own
//! --peers                  waits: for `drave cluster init` here, or for the founder elsewhere
//! --join                   asks any node of a cluster, which asks its meta group
//! data directory there     is in the cluster that the directory says
//! ```
//!
//! What is half done when a process dies is done again: preparing a prepared node, founding an
//! unfounded meta group and joining as who one already is all succeed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use drave_proto::node::{IdentifyResponse, JoinRequest, PrepareRequest};
use drave_raft::{FORMAT_VERSION, Group, Identity, Node, Origin, Start, Tls};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{info, warn};

use super::call::{self, Way};
use super::gate::Gate;
use super::meta::{Command, Machine, NodeId, Refused, Reply, State};
use super::peer::{self, Door, Waiting};
use super::{ChangeError, META, META_TIME_MAX, founder, node_info};

/// How long a founder waits for the nodes it prepared to come up.
const PREPARE_TIME_MAX: Duration = Duration::from_secs(15);
/// Whoever let this node in once, and does not answer by then, is not there any more.
const DOOR_TIME_MAX: Duration = Duration::from_secs(1);
/// Between two tries to reach somebody.
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// What a node knows of itself and of others before it is in a cluster.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its data directory.
    pub dir: PathBuf,
    /// Its number.
    pub node_id: NodeId,
    /// Where other nodes reach it.
    pub peer_address: String,
    /// Where its HTTP API listens.
    pub http_address: String,
    /// Nodes of one zone may fail together.
    pub zone: String,
    /// Where other nodes are: this counts for more than what the cluster says.
    pub peers: BTreeMap<NodeId, String>,
    /// Any node of a cluster to join.
    pub join: Option<String>,
    /// Voters of a shard, where this node founds the cluster.
    pub replicas: usize,
    /// Shards, where this node founds the cluster.
    pub n_shards: u32,
    /// How this node proves who it is, and checks who others are; without it, nobody does.
    pub tls: Option<Tls>,
    /// Whether there is room for more entries.
    pub gate: Arc<Gate>,
}

/// Why a node is in no cluster.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data directory cannot be used.
    #[error("{0}")]
    Data(#[from] drave_raft::Error),
    /// The cluster does not want it.
    #[error("the cluster does not take this node: {0}")]
    Refused(String),
    /// The peer port cannot be served.
    #[error("the peer port: {0}")]
    Port(#[from] std::io::Error),
    /// Stopped before it was in one.
    #[error("stopped before it was part of a cluster")]
    Stopped,
}

/// A node of a founded cluster. Its groups are not open yet.
pub struct Formed {
    pub(super) node: Arc<Node>,
    pub(super) meta: Group<Machine>,
    pub(super) known: watch::Receiver<State>,
    /// Nodes whose address was given to this one at start.
    pub(super) told: BTreeSet<NodeId>,
    pub(super) gate: Arc<Gate>,
}

impl Formed {
    /// Whose data directory this is.
    pub fn identity(&self) -> &Identity {
        self.node.identity()
    }

    /// Stops what runs already: this node does not start after all.
    pub async fn leave(self) {
        if let Err(error) = self.node.stop().await {
            tracing::warn!(%error, "the data directory did not close in order");
        }
    }

    /// Waits until it is known who marks the cluster's object storage: `true` if this node is to.
    pub async fn marks_storage(&self) -> bool {
        let lowest = |state: &State| state.members().next().map(|(id, _)| id);
        let me = self.identity().node_id;
        let mut known = self.known.clone();
        let decided = known.wait_for(|state| state.storage_marked || lowest(state) == Some(me));
        // An error means that the node is stopping.
        decided.await.is_ok_and(|state| !state.storage_marked)
    }

    /// Says that the object storage carries the cluster's mark.
    pub async fn storage_is_marked(&self) -> Result<(), ChangeError> {
        change(&self.meta, &Command::StorageMarked).await
    }
}

/// Someone asks this node to found the cluster.
pub type InitAsk = oneshot::Sender<Result<String, String>>;

/// Gets this node into a cluster. Serves the peer port from the start, until `stop` says true; the
/// task that does is to be awaited after the node has stopped.
pub async fn form(
    options: &Options,
    listener: TcpListener,
    asks: &mut mpsc::Receiver<InitAsk>,
    door: &Door,
    stop: &watch::Receiver<bool>,
) -> Result<(Formed, JoinHandle<()>), Error> {
    let mut stopped = stop.clone();
    let forming = Forming { options, door };
    tokio::select! {
        _ = stopped.wait_for(|stop| *stop) => Err(Error::Stopped),
        formed = forming.run(listener, asks, stop) => formed,
    }
}

struct Forming<'a> {
    options: &'a Options,
    door: &'a Door,
}

/// How the meta group of this node begins.
enum Beginning {
    /// This node alone founds a cluster.
    Alone,
    /// This node founds it with its peers, and somebody waits for that.
    Init(InitAsk),
    /// Others have founded it, or will.
    Elsewhere,
}

impl Forming<'_> {
    async fn run(
        &self,
        listener: TcpListener,
        asks: &mut mpsc::Receiver<InitAsk>,
        stop: &watch::Receiver<bool>,
    ) -> Result<(Formed, JoinHandle<()>), Error> {
        let options = self.options;
        let raft = |origin| {
            let raft_options = drave_raft::Options {
                node_id: options.node_id,
                address: options.peer_address.clone(),
                tls: options.tls.clone(),
                admit: Some(options.gate.clone()),
                ..drave_raft::Options::new(&options.dir)
            };
            Node::open(&raft_options, origin)
        };
        let found = Origin::Found { n_groups: options.n_shards };
        let is_there = options.dir.join("log.redb").exists();
        let others = options.peers.keys().any(|id| *id != options.node_id);
        let (node, beginning, listener) = match &options.join {
            _ if is_there && (others || options.join.is_some()) => {
                (raft(found)?, Beginning::Elsewhere, listener)
            }
            Some(address) => {
                let origin = self.origin_of(address).await?;
                (raft(origin)?, Beginning::Elsewhere, listener)
            }
            None if others => {
                let (origin, beginning, listener) = self.wait(listener, asks).await?;
                (raft(origin.unwrap_or(found))?, beginning, listener)
            }
            None => (raft(found)?, Beginning::Alone, listener),
        };
        let node = Arc::new(node);
        for (id, address) in &options.peers {
            if *id != options.node_id {
                node.peers().set(*id, address);
            }
        }
        self.door.identified(node.identity().clone());
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (tls, door) = (options.tls.clone(), self.door.clone());
        let incoming = drave_raft::peer_incoming(listener, tls);
        let served = peer::serve(incoming, door, node.service(), stop.clone());
        let serving = tokio::spawn(served);
        let formed = self.meta(node, beginning, asks).await?;
        Ok((formed, serving))
    }

    fn way<'a>(&'a self, address: &'a str, node: Option<NodeId>) -> Way<'a> {
        Way { tls: self.options.tls.as_ref(), address, node }
    }

    async fn identify(
        &self,
        address: &str,
        node: Option<NodeId>,
        own_cluster: &str,
    ) -> Result<IdentifyResponse, String> {
        call::identify(self.way(address, node), self.options.node_id, own_cluster).await
    }

    /// The cluster of which somebody at `address` is a node.
    async fn origin_of(&self, address: &str) -> Result<Origin, Error> {
        let mut told = false;
        loop {
            match self.identify(address, None, "").await {
                Ok(who) if !who.cluster_id.is_empty() => {
                    let fits = (who.format_version, who.clock_ms);
                    let name = format!("node {} at {address}", who.node_id);
                    return origin(&who.cluster_id, who.n_shards, fits, &name)
                        .map_err(Error::Refused);
                }
                Ok(_) => self.door.say(format!("{address} is in no cluster yet")),
                Err(reason) => self.door.say(format!("{address}: {reason}")),
            }
            if !told {
                info!(address, "waiting for a cluster to join");
                told = true;
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    /// Waits to be prepared, or to be asked to found.
    async fn wait(
        &self,
        listener: TcpListener,
        asks: &mut mpsc::Receiver<InitAsk>,
    ) -> Result<(Option<Origin>, Beginning, TcpListener), Error> {
        info!("in no cluster yet: run 'drave cluster init' on one of the nodes");
        self.door.say("in no cluster yet: run 'drave cluster init' on one of the nodes".into());
        let (waiting, mut prepared) = Waiting::new(self.door.about().clone());
        let serving = peer::serve_waiting(listener, waiting, self.options.tls.clone())?;
        let (origin, beginning) = loop {
            tokio::select! {
                Some(origin) = prepared.recv() => break (Some(origin), Beginning::Elsewhere),
                Some(ask) = asks.recv() => match self.all_wait().await {
                    Ok(()) => break (None, Beginning::Init(ask)),
                    // Whoever asked has gone away, or reads it.
                    Err(reason) => drop(ask.send(Err(reason))),
                },
                else => return Err(Error::Stopped),
            }
        };
        Ok((origin, beginning, serving.end().await))
    }

    /// Whether every other node is there and in no cluster yet: founding a cluster halfway is what
    /// nobody wants to clean up.
    async fn all_wait(&self) -> Result<(), String> {
        for (id, address) in self.others() {
            let who = self
                .identify(address, Some(id), "")
                .await
                .map_err(|reason| format!("node {id} at {address}: {reason}"))?;
            if who.node_id != id {
                return Err(format!(
                    "at {address} is node {}, and --peers says it is node {id}",
                    who.node_id
                ));
            }
            let name = format!("node {id} at {address}");
            if let Some(reason) = call::misfit(&name, who.format_version, who.clock_ms) {
                return Err(reason);
            }
            if !who.cluster_id.is_empty() {
                return Err(format!(
                    "node {id} at {address} is already in cluster {}: start it with an empty data \
                     directory, or join that cluster with --join {address}",
                    who.cluster_id
                ));
            }
        }
        Ok(())
    }

    fn others(&self) -> impl Iterator<Item = (NodeId, &String)> {
        let peers = self.options.peers.iter().map(|(id, address)| (*id, address));
        peers.filter(|(id, _)| *id != self.options.node_id)
    }

    /// Opens the meta group and waits until it knows of a founded cluster.
    async fn meta(
        &self,
        node: Arc<Node>,
        mut beginning: Beginning,
        asks: &mut mpsc::Receiver<InitAsk>,
    ) -> Result<Formed, Error> {
        let (shown, mut known) = watch::channel(State::default());
        let open = async |start: Start| {
            let shown = shown.clone();
            node.group(META, start, move |recovered| Machine::open(&recovered, shown.clone())).await
        };
        let options = self.options;
        loop {
            let meta = match beginning {
                Beginning::Alone => {
                    let meta = open(Start::Alone).await?;
                    self.found_alone(&node, &meta, &known).await?;
                    meta
                }
                Beginning::Init(ask) => {
                    let founded = self.found(&node, &open).await;
                    let id = format!("{:032x}", node.identity().cluster_id);
                    // Whoever asked has gone away, or reads it.
                    let _ = ask.send(founded.as_ref().map(|_| id).map_err(Clone::clone));
                    match founded {
                        Ok(meta) => meta,
                        Err(reason) => {
                            warn!(reason, "the cluster was not founded");
                            self.door.say(format!("not founded: {reason}"));
                            beginning = match asks.recv().await {
                                Some(ask) => Beginning::Init(ask),
                                None => return Err(Error::Stopped),
                            };
                            continue;
                        }
                    }
                }
                Beginning::Elsewhere => open(Start::Join).await?,
            };
            self.door.opened(meta.clone());
            if let Some(address) = &options.join {
                self.check_door(address, &node).await?;
                let (me, mut own) = (options.node_id, known.clone());
                tokio::select! {
                    joined = self.join(address, &node) => joined?,
                    // Who is in already needs nobody to let it in: whoever did once may be gone.
                    Ok(_) = own.wait_for(|state| state.nodes.contains_key(&me)) => {}
                }
            }
            // A founder that died halfway is asked again.
            let again = tokio::select! {
                founded = known.wait_for(State::is_founded) => {
                    founded.map_err(|_| Error::Stopped)?;
                    None
                }
                ask = asks.recv() => Some(ask.ok_or(Error::Stopped)?),
            };
            match again {
                None => {
                    self.keep_address(&node, &meta, &known);
                    let told = options.peers.keys().copied().collect();
                    let gate = Arc::clone(&options.gate);
                    return Ok(Formed { node, meta, known, told, gate });
                }
                Some(ask) => {
                    drop(meta);
                    node.close_group(META, false).await?;
                    beginning = Beginning::Init(ask);
                }
            }
        }
    }

    /// A node that was in a cluster already needs nobody to let it in, but must not be told to join
    /// another one: that would look as if it had.
    async fn check_door(&self, address: &str, node: &Node) -> Result<(), Error> {
        let own = format!("{:032x}", node.identity().cluster_id);
        let asked = self.identify(address, None, &own);
        match tokio::time::timeout(DOOR_TIME_MAX, asked).await {
            Ok(Ok(who)) => self.same_cluster(&who, address, &own),
            _ => Ok(()),
        }
    }

    async fn found_alone(
        &self,
        node: &Node,
        meta: &Group<Machine>,
        known: &watch::Receiver<State>,
    ) -> Result<(), Error> {
        if known.borrow().is_founded() {
            return Ok(());
        }
        // Not in the rows: it may be in what the log still has to say.
        if meta.read_index().await.is_ok() && known.borrow().is_founded() {
            return Ok(());
        }
        let nodes = BTreeMap::from([(self.options.node_id, self.own_info(node))]);
        self.found_with(meta, nodes).await.map_err(Error::Refused)
    }

    /// Prepares every other node, and founds the cluster with them.
    async fn found(
        &self,
        node: &Node,
        open: &impl AsyncFn(Start) -> Result<Group<Machine>, drave_raft::Error>,
    ) -> Result<Group<Machine>, String> {
        let identity = node.identity();
        let cluster_id = format!("{:032x}", identity.cluster_id);
        let mut nodes = BTreeMap::from([(self.options.node_id, self.own_info(node))]);
        for (id, address) in self.others() {
            let way = self.way(address, Some(id));
            prepare(way, id, &cluster_id, identity.n_groups).await?;
        }
        for (id, address) in self.others() {
            let who = self.prepared(id, address, &cluster_id).await?;
            let info = node_info(address.clone(), who.http, who.zone, who.incarnation, who.version);
            nodes.insert(id, info);
        }
        // The others join the meta group: what it has to say is not committed before most have.
        let voters = nodes.iter().map(|(id, node)| (*id, founder(&node.peer, node.incarnation)));
        let meta = open(Start::Founded { voters: voters.collect(), is_first: true }).await;
        let meta = meta.map_err(|error| error.to_string())?;
        let founded = self.found_with(&meta, nodes).await;
        founded.map(|()| meta)
    }

    /// Waits until a prepared node has come up as a node of this cluster.
    async fn prepared(
        &self,
        id: NodeId,
        address: &str,
        cluster_id: &str,
    ) -> Result<IdentifyResponse, String> {
        let deadline = Instant::now() + PREPARE_TIME_MAX;
        loop {
            let who = self.identify(address, Some(id), cluster_id).await;
            match who {
                Ok(who) if who.cluster_id == cluster_id && who.node_id == id => return Ok(who),
                _ if Instant::now() > deadline => {
                    return Err(format!("node {id} at {address} did not come up"));
                }
                _ => tokio::time::sleep(RETRY_AFTER).await,
            }
        }
    }

    async fn found_with(
        &self,
        meta: &Group<Machine>,
        nodes: BTreeMap<NodeId, super::NodeInfo>,
    ) -> Result<(), String> {
        let Options { replicas, n_shards, .. } = *self.options;
        let found = Command::Found { replicas, n_shards, nodes };
        match change(meta, &found).await {
            Ok(()) => Ok(()),
            Err(ChangeError::Refused(reason)) if reason.contains("founded already") => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn own_info(&self, node: &Node) -> super::NodeInfo {
        let Options { peer_address, http_address, zone, .. } = self.options.clone();
        let incarnation = node.identity().incarnation;
        node_info(peer_address, http_address, zone, incarnation, super::own_version())
    }

    /// Refuses to join a cluster with the data of another.
    fn same_cluster(&self, who: &IdentifyResponse, address: &str, own: &str) -> Result<(), Error> {
        if who.cluster_id.is_empty() || who.cluster_id == own {
            return Ok(());
        }
        Err(Error::Refused(format!(
            "{address} is in cluster {}, and the data in {} belong to cluster {own}: choose an \
             empty data directory to join",
            who.cluster_id,
            self.options.dir.display()
        )))
    }

    /// Asks a node of the cluster to take this one in.
    async fn join(&self, address: &str, node: &Node) -> Result<(), Error> {
        let identity = node.identity();
        let info = self.own_info(node);
        let own = format!("{:032x}", identity.cluster_id);
        loop {
            if let Ok(who) = self.identify(address, None, &own).await {
                self.same_cluster(&who, address, &own)?;
            }
            let request = JoinRequest {
                cluster_id: own.clone(),
                node_id: identity.node_id,
                peer: info.peer.clone(),
                http: info.http.clone(),
                zone: info.zone.clone(),
                incarnation: info.incarnation,
                format_version: FORMAT_VERSION,
                clock_ms: call::clock_ms(),
                version: info.version.clone(),
            };
            let way = self.way(address, None);
            match call::ask(way, async |mut client| client.join(request.clone()).await).await {
                Ok(answer) if answer.refused.is_empty() => return Ok(()),
                Ok(answer) => return Err(Error::Refused(answer.refused)),
                Err(reason) => self.door.say(format!("{address}: {reason}")),
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    /// Tells the cluster where this node is and what it runs, in case that changed since it joined.
    fn keep_address(&self, node: &Node, meta: &Group<Machine>, known: &watch::Receiver<State>) {
        let own = self.own_info(node);
        let id = self.options.node_id;
        let is_known = known
            .borrow()
            .nodes
            .get(&id)
            .is_some_and(|node| *node == super::NodeInfo { state: node.state, ..own.clone() });
        if is_known {
            return;
        }
        let meta = meta.clone();
        tokio::spawn(async move {
            let command = Command::Join { id, node: own };
            loop {
                match change(&meta, &command).await {
                    Ok(()) => return,
                    Err(ChangeError::Refused(reason)) => {
                        warn!(reason, "the cluster does not know where this node is");
                        return;
                    }
                    Err(ChangeError::Unavailable(_)) if meta.status().failed.is_some() => return,
                    // Until it is known, nobody reaches what this node leads. Found by a test: after
                    // an outcome that nobody knew, it rested longer than its readers waited.
                    Err(ChangeError::Unavailable(_)) => tokio::time::sleep(RETRY_AFTER).await,
                }
            }
        });
    }
}

/// Commits a change of the meta state. Tried again while nobody leads.
pub(super) async fn change(meta: &Group<Machine>, command: &Command) -> Result<(), ChangeError> {
    let bytes = Bytes::from(serde_json::to_vec(command).expect("plain values"));
    let deadline = Instant::now() + META_TIME_MAX;
    loop {
        let proposed = tokio::time::timeout_at(deadline, meta.propose(bytes.clone())).await;
        let reason = match proposed {
            Ok(Ok((_, reply))) => {
                return match serde_json::from_slice(&reply) {
                    Ok(Reply::Done) => Ok(()),
                    Ok(Reply::Refused(Refused(reason))) => Err(ChangeError::Refused(reason)),
                    Err(error) => Err(ChangeError::Unavailable(error.to_string())),
                };
            }
            Ok(Err(error @ drave_raft::ProposeError::NotDone { .. })) => error.to_string(),
            Ok(Err(error)) => return Err(ChangeError::Unavailable(error.to_string())),
            Err(_) => return Err(ChangeError::Unavailable("nobody leads it".into())),
        };
        if Instant::now() >= deadline {
            return Err(ChangeError::Unavailable(reason));
        }
        tokio::time::sleep(RETRY_AFTER).await;
    }
}

async fn prepare(way: Way<'_>, id: NodeId, cluster_id: &str, n_shards: u32) -> Result<(), String> {
    let request = PrepareRequest {
        cluster_id: cluster_id.into(),
        n_shards,
        format_version: FORMAT_VERSION,
        node_id: id,
        clock_ms: call::clock_ms(),
    };
    let prepared = call::ask(way, async |mut client| client.prepare(request.clone()).await).await;
    prepared.map(drop).map_err(|reason| format!("node {id} at {}: {reason}", way.address))
}

/// The origin of a node's data directory, as `who` of the cluster says it.
pub(super) fn origin(
    cluster_id: &str,
    n_shards: u32,
    fits: (u32, i64),
    who: &str,
) -> Result<Origin, String> {
    let (format_version, clock_ms) = fits;
    if let Some(reason) = call::misfit(who, format_version, clock_ms) {
        return Err(reason);
    }
    let cluster_id = u128::from_str_radix(cluster_id, 16)
        .map_err(|_| format!("{who} names a cluster '{cluster_id}', which is no id of one"))?;
    Ok(Origin::Join { cluster_id, n_groups: n_shards })
}
