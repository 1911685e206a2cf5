//! The way to one shard: this node's own replica, or another node's.
//!
//! In go encoded commands; out come replies. Whoever gets a command that it cannot take says who
//! may, and nothing was done: so this tries again until it is done, or the outcome is unknown, or
//! time is up. A leader that was lost costs its clients a wait, not an error.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use drave_raft as raft;
use tokio::sync::watch;
use tokio::time::Instant;

use super::consistency::{Consistency, Seen};
use super::meta::{NodeId, State};
use super::mirror::Mirror;
use super::replica::Replica;
use super::{ReadError, WriteError, group_of};
use crate::model::{Index, ShardId};
use crate::shard::{Reply, ShardView};

/// After this a proposal's outcome is unknown, or nothing was done: a client must not wait for ever.
const PROPOSE_TIME_MAX: Duration = Duration::from_secs(20);
/// How often a shard of others is looked at by whoever follows it.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Where others have the shard, they are asked when the own replica has no answer after this: longer
/// than an election.
const OWN_VIEW_TIME_MAX: Duration = Duration::from_secs(3);
/// Between two tries where nobody leads.
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// How this node reaches one shard.
pub(super) struct Route {
    shard: ShardId,
    peers: raft::Peers,
    known: watch::Receiver<State>,
    replica: RwLock<Option<Replica>>,
    /// For reading where there is no replica here.
    mirror: Mirror,
    cluster_id: u128,
    me: NodeId,
}

impl Route {
    pub(super) fn new(
        shard: ShardId,
        peers: raft::Peers,
        known: watch::Receiver<State>,
        cluster_id: u128,
        me: NodeId,
    ) -> Arc<Route> {
        let mirror = Mirror::new(shard);
        let replica = RwLock::new(None);
        Arc::new(Route { shard, peers, known, replica, mirror, cluster_id, me })
    }

    pub(super) fn shard(&self) -> ShardId {
        self.shard
    }

    /// This node's own replica, if it has one.
    pub(super) fn replica(&self) -> Option<Replica> {
        self.replica.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_replica(&self, replica: Option<Replica>) {
        *self.replica.write().unwrap_or_else(PoisonError::into_inner) = replica;
    }

    /// Who has the shard, as far as this node knows.
    pub(super) fn holders(&self) -> BTreeSet<NodeId> {
        let state = self.known.borrow();
        let Some(placement) = state.shards.get(self.shard.0 as usize) else {
            return BTreeSet::new();
        };
        let sets = [&placement.voters, &placement.wanted];
        sets.into_iter().find(|set| !set.is_empty()).cloned().unwrap_or_default()
    }

    /// Those of them that are not this node.
    pub(super) fn others(&self) -> BTreeSet<NodeId> {
        let mut others = self.holders();
        others.remove(&self.me);
        others
    }

    /// Commits a command.
    pub(super) async fn propose(&self, command: Bytes) -> Result<(Index, Reply), WriteError> {
        let deadline = Instant::now() + PROPOSE_TIME_MAX;
        let mut hint = None;
        for turn in 0.. {
            let attempt = self.attempt(turn, hint, command.clone());
            let Ok(outcome) = tokio::time::timeout_at(deadline, attempt).await else {
                let reason = format!("no answer in {} s", PROPOSE_TIME_MAX.as_secs());
                return Err(WriteError::Unknown { shard: self.shard, reason });
            };
            match outcome {
                Ok((index, reply)) => {
                    let reply = Reply::decode(&reply).map_err(|error| WriteError::Unknown {
                        shard: self.shard,
                        reason: format!("its answer is none: {error}"),
                    })?;
                    return Ok((index, reply));
                }
                Err(raft::ProposeError::Refused { reason, .. }) => {
                    return Err(WriteError::NotDone { shard: self.shard, reason });
                }
                Err(raft::ProposeError::Unknown { reason, .. }) => {
                    return Err(WriteError::Unknown { shard: self.shard, reason });
                }
                Err(raft::ProposeError::NotDone { leader, reason, .. }) => {
                    // Only where a leader may come is it worth another try.
                    let never = command.len() > raft::COMMAND_BYTES_MAX || self.has_failed();
                    if never || Instant::now() >= deadline {
                        return Err(WriteError::NotDone { shard: self.shard, reason });
                    }
                    hint = leader;
                    tokio::time::sleep(RETRY_AFTER).await;
                }
            }
        }
        unreachable!("it tries until it returns")
    }

    /// Whether this node does not write any more.
    fn has_failed(&self) -> bool {
        self.replica().is_some_and(|replica| replica.status().failed.is_some())
    }

    async fn attempt(
        &self,
        turn: usize,
        hint: Option<NodeId>,
        command: Bytes,
    ) -> Result<(Index, Bytes), raft::ProposeError> {
        let holders = self.others();
        match self.replica() {
            // A replica that just came, or was cut off, may know no leader where others do.
            Some(replica) if replica.knows_leader() || holders.is_empty() || turn % 2 == 1 => {
                return replica.propose(command).await;
            }
            _ => {}
        }
        let group = group_of(self.shard);
        let to = hint.or_else(|| holders.iter().nth(turn % holders.len().max(1)).copied());
        match to {
            Some(to) => self.peers.propose(to, group, command).await,
            None => Err(raft::ProposeError::NotDone {
                group,
                leader: None,
                reason: "nobody has the shard yet".into(),
            }),
        }
    }

    /// A view of the own replica that is as recent as the reader wants it; nothing where only others
    /// may have one. Where it fails they may have one all the same: a replica that its leader does
    /// not reach waits for what is committed.
    pub(super) async fn own_view(
        &self,
        consistency: &Consistency,
    ) -> Option<Result<Seen<ShardView>, ReadError>> {
        let replica = self.replica()?;
        if self.others().is_empty() {
            return Some(replica.view(consistency).await);
        }
        let is_latest = matches!(consistency, Consistency::Linearizable);
        // A replica that just came, or was cut off, may know no leader where others do.
        if is_latest && !replica.knows_leader() {
            return None;
        }
        let view = tokio::time::timeout(OWN_VIEW_TIME_MAX, replica.view(consistency)).await;
        let view = view.unwrap_or_else(|_| {
            let seconds = OWN_VIEW_TIME_MAX.as_secs();
            let reason = format!("the replica here did not come that far in {seconds} s");
            Err(ReadError { shard: self.shard, reason })
        });
        // Without a replica it moved away while it was read.
        if view.is_err() && self.replica().is_none() { None } else { Some(view) }
    }

    /// A view that holds everything acknowledged before this call: of the own replica, else of a
    /// copy of somebody else's.
    pub(super) async fn view(&self) -> Result<ShardView, ReadError> {
        let others = self.others();
        match self.own_view(&Consistency::Linearizable).await {
            Some(Ok(seen)) => Ok(seen.view),
            Some(Err(error)) if others.is_empty() => Err(error),
            _ => self.mirror.view(&self.peers, self.cluster_id, &others).await,
        }
    }

    /// The last index that is applied where the shard is read from, as it moves. Where that is
    /// elsewhere, it is looked at now and then, as long as anybody wants to know.
    pub(super) fn applied(self: &Arc<Route>) -> watch::Receiver<Index> {
        if let Some(replica) = self.replica() {
            return replica.group().applied();
        }
        let (moves, applied) = watch::channel(0);
        let route = Arc::clone(self);
        tokio::spawn(async move {
            while !moves.is_closed() {
                if let Ok(view) = route.view().await {
                    moves.send_if_modified(|now| std::mem::replace(now, view.applied()) != *now);
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
        applied
    }

    /// Drops what was kept to read a shard of others, where nobody reads it any more.
    pub(super) fn expire_mirror(&self) {
        self.mirror.expire();
    }
}
