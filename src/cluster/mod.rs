//! Shards on Raft groups: who owns what, how a command gets in, how a reader gets a view.
//!
//! Reading order: [`placement`] (which shard a stream lives on), [`meta`] (which nodes there are
//! and where shards should live), `replica` (one shard of this node: its state machine behind a
//! Raft group), `route` (the way to a shard, here or elsewhere), [`remote`] and [`held`] (how one
//! that is elsewhere is read there), `mirror` (how it is followed from here), `writer` (pushes that
//! wait become one batch), `member` (makes what this node holds and leads what the meta state says), [`form`]
//! (how nodes find each other), [`peer`] and [`status`] (what they tell each other).
//!
//! A write tells its caller what is known of it: done, [`WriteError::NotDone`] (safe to drop) or
//! [`WriteError::Unknown`] (safe to send again, since entries are a set).

mod call;
pub mod consistency;
pub mod form;
pub mod gate;
pub mod held;
mod member;
pub mod meta;
mod metrics;
mod mirror;
pub mod peer;
pub mod placement;
pub mod remote;
mod replica;
mod route;
pub mod status;
mod writer;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use drave_raft::{GroupStatus, Node};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::model::{BatchBuilder, Index, ShardId};
use crate::pool::Pool;
use crate::shard::{Command, Reply, ShardView};

use consistency::{Consistency, Seen};
use meta::{NodeId, NodeInfo, State};
pub use metrics::GroupMetrics;

use gate::Gate;
use metrics::Counts;
use remote::{Held, Taken};
use route::Route;
use writer::Writer;

/// The group of the meta state. Shards come after it.
const META: u32 = 0;
/// After this the meta group has not answered.
const META_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a shard may be without a leader before a read of it fails.
const ELECTION_TIME_MAX: Duration = Duration::from_secs(6);
/// How long a read waits before it asks again.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// The Raft group of a shard.
fn group_of(shard: ShardId) -> u32 {
    shard.0 + 1
}

/// What is known of a write that was not confirmed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// Nothing was written and nothing will be.
    #[error("shard {shard}: not written: {reason}")]
    NotDone {
        /// The shard that refused.
        shard: ShardId,
        /// Why, in one line.
        reason: String,
    },
    /// It may have happened, or may still happen.
    #[error("shard {shard}: outcome unknown: {reason}")]
    Unknown {
        /// The shard that did not confirm.
        shard: ShardId,
        /// Why, in one line.
        reason: String,
    },
}

/// A shard that cannot be read at its latest state now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("shard {shard} cannot be read now: {reason}")]
pub struct ReadError {
    /// The shard.
    pub shard: ShardId,
    /// Why, in one line.
    pub reason: String,
}

/// A shard that could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("shard {shard}: {reason}")]
pub struct OpenError {
    /// The shard.
    pub shard: ShardId,
    /// Why, in one line.
    pub reason: String,
}

/// A change of the cluster that was not made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// It makes no sense; whoever asked must ask otherwise.
    #[error("{0}")]
    Refused(String),
    /// The meta group did not answer: ask again.
    #[error("the cluster cannot change now: {0}")]
    Unavailable(String),
}

/// All shards, as this node reaches them. Cheap to clone.
#[derive(Clone)]
pub struct Cluster(Arc<Inner>);

struct Inner {
    me: NodeId,
    /// Taken when the node stops.
    node: Arc<Node>,
    meta: drave_raft::Group<meta::Machine>,
    known: watch::Receiver<State>,
    /// Nodes whose address was given to this one at start.
    told: BTreeSet<NodeId>,
    gate: Arc<Gate>,
    counts: Counts,
    shards: Vec<Shard>,
    holds: held::Holds,
    stop: watch::Sender<bool>,
}

/// Where a read finds a shard.
#[derive(Clone)]
pub enum Place {
    /// On this node.
    Here(ShardView),
    /// On another one, which is to be asked.
    There(Held),
}

impl Place {
    /// Up to where it shows the shard.
    pub fn applied(&self) -> Index {
        match self {
            Place::Here(view) => view.applied(),
            Place::There(held) => held.applied(),
        }
    }
}

struct Shard {
    route: Arc<Route>,
    writer: Writer,
}

impl Cluster {
    /// Opens every replica that this node keeps: rows, then the WAL above them. `formed` is a
    /// cluster that was founded.
    pub async fn open(
        formed: form::Formed,
        pool: &Pool,
    ) -> Result<(Cluster, Vec<JoinHandle<()>>), OpenError> {
        let form::Formed { node, meta, known, told, gate } = formed;
        let n_shards = u32::try_from(known.borrow().shards.len()).expect("as many as were founded");
        let (cluster_id, me) = (node.identity().cluster_id, node.identity().node_id);
        let shards = (0..n_shards).map(|shard| {
            let peers = node.peers().clone();
            let route = Route::new(ShardId(shard), peers, known.clone(), cluster_id, me);
            let writer = Writer::start(Arc::clone(&route), pool.clone(), gate.queue_bytes_max());
            Shard { route, writer }
        });
        let shards = shards.collect();
        let inner = Inner {
            me,
            gate,
            counts: Counts::default(),
            shards,
            node,
            meta,
            known,
            told,
            holds: held::Holds::default(),
            stop: watch::Sender::new(false),
        };
        let cluster = Cluster(Arc::new(inner));
        cluster.0.learn_addresses();
        let opening = cluster.shard_ids().map(|shard| cluster.0.open_at_start(shard));
        futures::future::try_join_all(opening).await?;
        let mut tasks = member::start(&cluster.0);
        let stop = cluster.0.stop.subscribe();
        tasks.push(tokio::spawn(gate::watch(cluster.clone(), stop)));
        Ok((cluster, tasks))
    }

    /// This node's number.
    pub fn node_id(&self) -> NodeId {
        self.0.me
    }

    /// How many shards there are.
    pub fn n_shards(&self) -> u32 {
        u32::try_from(self.0.shards.len()).expect("a shard's number is a u32")
    }

    /// Every shard's number.
    pub fn shard_ids(&self) -> impl Iterator<Item = ShardId> + use<> {
        (0..self.n_shards()).map(ShardId)
    }

    /// Commits entries to one shard. When it answers they are on disk on a majority and in every
    /// later view.
    pub async fn append(&self, shard: ShardId, batch: BatchBuilder) -> Result<Index, WriteError> {
        self.0.shard(shard).writer.append(batch).await
    }

    /// Commits any other command.
    pub async fn propose(
        &self,
        shard: ShardId,
        command: &Command,
    ) -> Result<(Index, Reply), WriteError> {
        self.0.shard(shard).route.propose(command.encode()).await
    }

    /// Every shard, as recent as the reader wants it: where this node has a replica, here, else at
    /// a node that has one. Or why it cannot be read. Where a shard has just lost its leader, the
    /// next one is waited for.
    pub async fn views(
        &self,
        consistency: &Consistency,
    ) -> Vec<(ShardId, Result<Seen<Place>, ReadError>)> {
        let deadline = tokio::time::Instant::now() + ELECTION_TIME_MAX;
        let mut views = BTreeMap::new();
        let mut missing: Vec<ShardId> = self.shard_ids().collect();
        loop {
            missing = self.take_views(&missing, consistency, &mut views).await;
            if missing.is_empty() || tokio::time::Instant::now() >= deadline {
                return views.into_iter().collect();
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    /// Takes the views of some shards; gives those that another try may find. Its own replica is
    /// asked in each: one that was just opened may know by then who leads, or do so itself.
    async fn take_views(
        &self,
        shards: &[ShardId],
        consistency: &Consistency,
        views: &mut BTreeMap<ShardId, Result<Seen<Place>, ReadError>>,
    ) -> Vec<ShardId> {
        let here = |seen: Seen<ShardView>| Seen {
            view: Place::Here(seen.view),
            staleness: seen.staleness,
        };
        let own = shards.iter().map(|shard| async move {
            (*shard, self.0.shard(*shard).route.own_view(consistency).await)
        });
        let mut elsewhere = Vec::new();
        for (shard, view) in futures::future::join_all(own).await {
            match view {
                Some(Ok(seen)) => drop(views.insert(shard, Ok(here(seen)))),
                // Nobody else could know better.
                Some(Err(error)) if self.0.shard(shard).route.others().is_empty() => {
                    views.insert(shard, Err(error));
                }
                Some(Err(_)) | None => elsewhere.push(shard),
            }
        }
        if elsewhere.is_empty() {
            return elsewhere;
        }
        for (shard, taken) in remote::hold(&self.0, &elsewhere, consistency).await {
            let view = match taken {
                Taken::Held(seen) => {
                    Ok(Seen { view: Place::There(seen.view), staleness: seen.staleness })
                }
                Taken::Failed(error) => Err(error),
                // While a cluster is upgraded: what needs no questions works in any version.
                Taken::Strange => {
                    let staleness = Some(Duration::ZERO);
                    self.mirror(shard).await.map(|view| here(Seen { view, staleness }))
                }
            };
            views.insert(shard, view);
        }
        elsewhere.retain(|shard| views.get(shard).is_none_or(Result::is_err));
        elsewhere
    }

    /// A view of a shard that holds everything acknowledged before this call, on this node, for a
    /// reader who must look at it here: of the own replica, else of a copy.
    pub async fn mirror(&self, shard: ShardId) -> Result<ShardView, ReadError> {
        self.0.shard(shard).route.view().await
    }

    /// From now on other nodes' questions about shards of this one are answered.
    pub fn answers(&self, answers: Arc<dyn held::Answer>) {
        self.0.holds.answers(answers);
    }

    /// What this node's replica has applied, without asking anybody; `None` while it catches up
    /// and where there is none.
    pub fn local_view(&self, shard: ShardId) -> Option<ShardView> {
        self.0.shard(shard).route.replica()?.local_view()
    }

    /// Whether this node's replica leads the shard, as far as it knows.
    pub fn leads(&self, shard: ShardId) -> bool {
        self.status(shard).is_some_and(|status| status.leader == Some(self.0.me))
    }

    /// The last index that is applied where the shard is read from, as it moves.
    pub fn applied(&self, shard: ShardId) -> watch::Receiver<Index> {
        self.0.shard(shard).route.applied()
    }

    /// Where the shard's Raft group stands on this node; `None` where it has no replica.
    pub fn status(&self, shard: ShardId) -> Option<GroupStatus> {
        Some(self.0.shard(shard).route.replica()?.status())
    }

    /// Who has the shard, as far as this node knows.
    pub fn holders(&self, shard: ShardId) -> Vec<NodeId> {
        self.0.shard(shard).route.holders().into_iter().collect()
    }

    /// Bytes of commands in all logs of this node.
    pub fn wal_bytes(&self) -> u64 {
        let shards = self.shard_ids().filter_map(|shard| self.status(shard));
        shards.map(|status| status.wal_bytes).sum::<u64>() + self.0.meta.status().wal_bytes
    }

    /// Whether this node's disk has room for so much that is no hurry.
    pub fn has_room_to_spare(&self, bytes: u64) -> bool {
        self.0.gate.has_room_to_spare(bytes)
    }

    /// What object storage said when it took nothing; nothing once it takes chunks.
    pub fn storage_said(&self, reason: Option<String>) {
        self.0.gate.storage_said(reason);
    }

    /// What this node knows of the cluster.
    pub fn known(&self) -> State {
        self.0.known.borrow().clone()
    }

    /// The same, as it changes.
    pub fn watch_known(&self) -> watch::Receiver<State> {
        self.0.known.clone()
    }

    /// Why nothing is written here any more, once that is so.
    pub fn failed(&self) -> Option<String> {
        self.0.node.failed()
    }

    /// Changes what the cluster knows of itself.
    pub async fn change(&self, command: &meta::Command) -> Result<(), ChangeError> {
        form::change(&self.0.meta, command).await
    }

    /// Ends the tasks that [`Cluster::open`] gave: memberships stay as they are from now on.
    pub fn leave_tasks(&self) {
        self.0.stop.send_replace(true);
    }

    /// Lets no further write in and waits for those under way; then hands leaderships on and makes
    /// all of it durable.
    pub async fn stop(self) -> Result<(), drave_raft::Error> {
        for shard in &self.0.shards {
            shard.writer.stop().await;
        }
        self.0.node.stop().await
    }
}

impl Inner {
    fn shard(&self, shard: ShardId) -> &Shard {
        &self.shards[shard.0 as usize]
    }

    /// As it is written in calls.
    fn cluster_id(&self) -> String {
        format!("{:032x}", self.node.identity().cluster_id)
    }

    /// This node's replica of a shard, for another node that reads it.
    fn replica(&self, shard: u32) -> Option<replica::Replica> {
        self.shards.get(shard as usize)?.route.replica()
    }

    fn addresses(&self, ids: impl IntoIterator<Item = NodeId>) -> BTreeMap<NodeId, String> {
        let state = self.known.borrow();
        let address = |id: NodeId| state.nodes.get(&id).map(|node| (id, node.peer.clone()));
        ids.into_iter().filter_map(address).collect()
    }
}

/// What the meta state needs to know of a node that comes in.
pub(crate) fn node_info(
    peer: String,
    http: String,
    zone: String,
    incarnation: u64,
    version: String,
) -> NodeInfo {
    NodeInfo { peer, http, zone, state: meta::NodeState::Active, incarnation, version }
}

/// A replica that a group begins with, as the group takes it.
fn founder(peer: &str, incarnation: u64) -> drave_raft::Founder {
    drave_raft::Founder { address: peer.to_owned(), incarnation }
}

/// The version of this program.
fn own_version() -> String {
    env!("CARGO_PKG_VERSION").into()
}
