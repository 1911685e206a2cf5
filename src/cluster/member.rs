//! Makes this node what the meta state says: it opens and closes replicas, and moves the groups
//! that it leads toward where they are wanted.
//!
//! A task per shard looks at the meta state and at its group, takes the one step that is next, and
//! forgets everything: it may be killed between any two lines, and whoever leads the group then
//! goes on from what it finds. A move is: learner, catch up, vote, and the old voter leaves, in one
//! membership change of openraft's joint kind.
//!
//! Invariants:
//! - a replica is erased only after a meta state that was read linearizably names this node neither
//!   as a wanted nor as a present voter of it;
//! - a group begins with the replicas that the meta state names, none of which has to be there.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use drave_raft::{Admit, Group, GroupStatus, Machine, MemberError, Start};
use tokio::task::JoinHandle;
use tracing::{debug, info, warn};

use super::call::{self, Way};
use super::meta::{Command, NodeId, Placement, State, balance};
use super::replica::Replica;
use super::{Inner, META_TIME_MAX, OpenError, form, founder};
use crate::model::ShardId;

/// How often a group is looked at where nothing wakes its task.
const TICK: Duration = Duration::from_millis(500);
/// How long a task rests after a step that failed.
const REST: Duration = Duration::from_secs(2);
/// Each so many looks the leader says how large its shard is, if that has changed much: all rows of
/// its chunks are summed up for it.
const SIZE_LOOK_EACH: u32 = 120;
/// What is no change worth telling.
const SIZE_CHANGE_MIN: u64 = 64 << 20;
/// A learner that lacks no more entries than this may vote.
const LAG_MAX: u64 = 128;

/// Starts a task per shard and one for the meta group. They end when the node stops.
pub(super) fn start(inner: &Arc<Inner>) -> Vec<JoinHandle<()>> {
    let shards = inner.shards.iter().map(|shard| Some(shard.route.shard()));
    let tasks = shards.chain([None]);
    tasks.map(|shard| tokio::spawn(look_after(Arc::clone(inner), shard))).collect()
}

/// Looks after a shard, or the meta group.
async fn look_after(inner: Arc<Inner>, shard: Option<ShardId>) {
    let (mut stop, mut known) = (inner.stop.subscribe(), inner.known.clone());
    let mut rest = Duration::ZERO;
    for turn in 0_u32.. {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(TICK + rest) => {}
            Ok(()) = known.changed(), if rest.is_zero() => {}
        }
        let step = async {
            match shard {
                Some(shard) => inner.tend(shard, turn.is_multiple_of(SIZE_LOOK_EACH)).await,
                None => inner.tend_meta().await,
            }
        };
        let done = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            done = step => done,
        };
        rest = match done {
            Ok(()) => Duration::ZERO,
            Err(reason) => {
                let group = shard.map_or_else(|| "meta".to_owned(), |shard| shard.to_string());
                warn!(group, reason, "a step of its membership failed");
                REST
            }
        };
    }
}

impl Inner {
    /// Opens the replica that this node keeps of a shard, if it keeps one. Nobody waits for peers.
    pub(super) async fn open_at_start(&self, shard: ShardId) -> Result<(), OpenError> {
        let placement = self.placement(shard);
        if !placement.concerns(self.me) {
            return Ok(());
        }
        self.open(shard, self.start_of(shard, &placement)).await
    }

    fn placement(&self, shard: ShardId) -> Placement {
        self.known.borrow().shards[shard.0 as usize].clone()
    }

    /// How the group begins where it has nothing on this node's disk yet.
    fn start_of(&self, shard: ShardId, placement: &Placement) -> Start {
        let is_first = placement.preferred(shard.0) == Some(self.me);
        match placement.founders.len() {
            0 => Start::Join,
            1 if is_first => Start::Alone,
            _ => {
                let named = placement.founders.iter();
                let voters =
                    named.map(|(id, named)| (*id, founder(&named.peer, named.incarnation)));
                Start::Founded { voters: voters.collect(), is_first }
            }
        }
    }

    async fn open(&self, shard: ShardId, start: Start) -> Result<(), OpenError> {
        let replica = Replica::open(&self.node, shard, start).await?;
        self.shard(shard).route.set_replica(Some(replica));
        Ok(())
    }

    /// The next step of one shard.
    async fn tend(&self, shard: ShardId, sizes: bool) -> Result<(), String> {
        let placement = self.placement(shard);
        match self.shard(shard).route.replica() {
            None if placement.concerns(self.me) => {
                let start = self.start_of(shard, &placement);
                self.open(shard, start).await.map_err(|error| error.reason)?;
                info!(%shard, "opened its replica");
                Ok(())
            }
            None => {
                self.shard(shard).route.expire_mirror();
                Ok(())
            }
            Some(replica) if !placement.concerns(self.me) => self.close(shard, replica).await,
            Some(replica) => {
                let status = replica.status();
                if status.leader != Some(self.me) {
                    return Ok(());
                }
                let wanted = Wanted { voters: placement.wanted.clone(), learners: BTreeSet::new() };
                let settled = self.lead(replica.group(), &status, &wanted).await?;
                if settled && placement.voters != status.voters {
                    let placed = Command::Placed { shard: shard.0, voters: status.voters };
                    form::change(&self.meta, &placed).await.map_err(|error| error.to_string())?;
                    self.counts.moves.fetch_add(1, Ordering::Relaxed);
                    info!(%shard, voters = ?placement.wanted, "placed");
                }
                if settled && sizes {
                    self.say_size(shard, &placement, &replica).await?;
                }
                if settled {
                    self.share_leading(shard, &placement, replica.group()).await;
                }
                Ok(())
            }
        }
    }

    /// Tells the cluster how large a shard is that this node leads, for the sake of its balance.
    async fn say_size(
        &self,
        shard: ShardId,
        placement: &Placement,
        replica: &Replica,
    ) -> Result<(), String> {
        let Some(bytes) = replica.object_bytes() else { return Ok(()) };
        let change = bytes.abs_diff(placement.bytes);
        if change < SIZE_CHANGE_MIN || change < bytes.max(placement.bytes) / 8 {
            return Ok(());
        }
        let sized = Command::Sized { shard: shard.0, bytes };
        form::change(&self.meta, &sized).await.map_err(|error| error.to_string())
    }

    /// Hands leadership to the node whose turn it is, if that is there and has everything: a node
    /// that came back takes its share again.
    async fn share_leading<M: Machine>(
        &self,
        shard: ShardId,
        placement: &Placement,
        group: &Group<M>,
    ) {
        let peers = self.node.peers();
        let has_room = |id| if id == self.me { self.gate.has_room() } else { peers.has_room(id) };
        let Some(to) = next_leader(self.me, shard, placement, has_room) else { return };
        if group.learner_lag(to).is_none_or(|lag| lag > LAG_MAX) {
            return;
        }
        // Whoever asks a dead node to lead leaves the group without a leader for a while.
        let Some(address) = self.node.peers().address(to) else { return };
        let way = Way { tls: self.node.peers().tls(), address: &address, node: Some(to) };
        let cluster_id = format!("{:032x}", self.node.identity().cluster_id);
        let there = call::identify(way, self.me, &cluster_id).await;
        if !there.is_ok_and(|who| who.node_id == to) {
            return;
        }
        match group.transfer_leader(to).await {
            Ok(()) => {
                self.counts.handovers.fetch_add(1, Ordering::Relaxed);
                info!(%shard, to, "handed leadership over");
            }
            Err(error) => debug!(%shard, to, %error, "kept leadership"),
        }
    }

    /// Closes and erases a replica that lives elsewhere now.
    async fn close(&self, shard: ShardId, replica: Replica) -> Result<(), String> {
        // Whoever wants the shard here again asks which replica this is: from here on they wait,
        // and what they wanted before is in what is read now. Found by a test: a replica that was
        // erased after it was taken in again was a voter that nobody reached.
        let _doubt = self.node.doubt(super::group_of(shard));
        // What this node knows may be old, and the shard may be wanted here again by now.
        let read = tokio::time::timeout(META_TIME_MAX, self.meta.read_index()).await;
        if !matches!(read, Ok(Ok(_))) || self.placement(shard).concerns(self.me) {
            return Ok(());
        }
        self.shard(shard).route.set_replica(None);
        drop(replica);
        let closed = self.node.close_group(super::group_of(shard), true).await;
        closed.map_err(|error| error.to_string())?;
        self.counts.erased.fetch_add(1, Ordering::Relaxed);
        info!(%shard, "erased its replica: it moved away");
        Ok(())
    }

    /// The next step of the meta group, and the next shard to move.
    async fn tend_meta(&self) -> Result<(), String> {
        self.learn_addresses();
        let status = self.meta.status();
        if status.leader != Some(self.me) {
            return Ok(());
        }
        let state: State = self.known.borrow().clone();
        let voters = balance::meta_voters(&state, &status.voters);
        let members: BTreeSet<NodeId> = state.members().map(|(id, _)| id).collect();
        let learners = members.difference(&voters).copied().collect();
        if !self.lead(&self.meta, &status, &Wanted { voters, learners }).await? {
            return Ok(());
        }
        for command in balance::next(&state) {
            info!(?command, "moving a shard");
            form::change(&self.meta, &command).await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// What the cluster says of where nodes are; what this node was told counts for more.
    pub(super) fn learn_addresses(&self) {
        for (id, node) in self.known.borrow().members() {
            if id != self.me && !self.told.contains(&id) {
                self.node.peers().set(id, &node.peer);
            }
        }
        let meta = self.meta.status();
        let removed =
            self.known.borrow().gone(&meta.voters.union(&meta.learners).copied().collect());
        self.node.peers().set_removed(removed);
    }

    /// One step of a group that this node leads toward its wanted members; whether it is there.
    async fn lead<M: Machine>(
        &self,
        group: &Group<M>,
        status: &GroupStatus,
        wanted: &Wanted,
    ) -> Result<bool, String> {
        let step = next_step(self.me, status, wanted, |id| group.learner_lag(id));
        debug!(group = group.id(), ?step, "membership");
        let done = match step {
            Step::Rest => return Ok(true),
            Step::Wait => return self.check_learners(group, status, wanted).await.map(|()| false),
            Step::Learn(id) => match self.addresses([id]).remove(&id) {
                Some(address) => group.add_learner(id, &address).await.map(drop),
                None => return Err(format!("nobody says where node {id} is")),
            },
            Step::Vote(voters) => group.change_voters(voters).await.map(drop),
            Step::HandOver(to) => group.transfer_leader(to).await,
            Step::Forget(id) => group.remove_learner(id).await.map(drop),
        };
        match done {
            Ok(()) | Err(MemberError::Busy { .. } | MemberError::NotLeader { .. }) => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Inner {
    /// A learner that erased its replica while it was made a member has another one now, which the
    /// group takes for a stranger's: it goes, and is taken in again.
    async fn check_learners<M: Machine>(
        &self,
        group: &Group<M>,
        status: &GroupStatus,
        wanted: &Wanted,
    ) -> Result<(), String> {
        for id in wanted.voters.intersection(&status.learners) {
            let Some(address) = self.addresses([*id]).remove(id) else { continue };
            // Nothing happens where it is the replica that the group knows.
            if let Err(MemberError::Refused { reason, .. }) = group.add_learner(*id, &address).await
            {
                info!(group = group.id(), id, reason, "takes a learner in anew");
                let removed = group.remove_learner(*id).await;
                removed.map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }
}

/// Who should be in a group.
struct Wanted {
    voters: BTreeSet<NodeId>,
    /// They follow and do not vote.
    learners: BTreeSet<NodeId>,
}

/// What the leader of a group does next about its members.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// All are there that should be.
    Rest,
    /// Somebody catches up.
    Wait,
    /// Takes a node in, without a vote.
    Learn(NodeId),
    /// Makes these the voters.
    Vote(BTreeSet<NodeId>),
    /// Hands leadership to another, before this node loses its vote.
    HandOver(NodeId),
    /// Lets a learner go.
    Forget(NodeId),
}

/// To whom this node should hand a shard that it leads, if to anybody: the node whose turn it is, or
/// whoever has room for what this one refuses.
fn next_leader(
    me: NodeId,
    shard: ShardId,
    placement: &Placement,
    has_room: impl Fn(NodeId) -> bool,
) -> Option<NodeId> {
    let mut others = placement.wanted.iter().copied().filter(|id| *id != me && has_room(*id));
    match has_room(me) {
        true => others.find(|id| placement.preferred(shard.0) == Some(*id)),
        false => others.next(),
    }
}

/// Pure: the same group in the same state gives the same step, on whichever node.
fn next_step(
    me: NodeId,
    status: &GroupStatus,
    wanted: &Wanted,
    lag: impl Fn(NodeId) -> Option<u64>,
) -> Step {
    let members: BTreeSet<NodeId> = status.voters.union(&status.learners).copied().collect();
    if let Some(id) = wanted.voters.difference(&members).next() {
        return Step::Learn(*id);
    }
    let caught_up = |id: &NodeId| lag(*id).is_some_and(|lag| lag <= LAG_MAX);
    if status.voters != wanted.voters {
        let mut missing = wanted.voters.difference(&status.voters);
        if !missing.all(caught_up) {
            return Step::Wait;
        }
        if wanted.voters.contains(&me) {
            return Step::Vote(wanted.voters.clone());
        }
        // A leader that leaves would leave a gap: the others get their votes first.
        if !wanted.voters.is_subset(&status.voters) {
            return Step::Vote(wanted.voters.iter().copied().chain([me]).collect());
        }
        return match wanted.voters.iter().copied().min_by_key(|id| lag(*id).unwrap_or(u64::MAX)) {
            Some(to) => Step::HandOver(to),
            None => Step::Wait,
        };
    }
    if let Some(id) = wanted.learners.difference(&members).next() {
        return Step::Learn(*id);
    }
    if let Some(id) = status.learners.difference(&wanted.learners).next() {
        return Step::Forget(*id);
    }
    Step::Rest
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn set(ids: &[NodeId]) -> BTreeSet<NodeId> {
        ids.iter().copied().collect()
    }

    fn status(voters: &[NodeId], learners: &[NodeId]) -> GroupStatus {
        GroupStatus {
            leader: Some(1),
            leads: true,
            term: 1,
            last: 1000,
            committed: 1000,
            applied: 1000,
            floor: 1,
            purged: 0,
            wal_bytes: 0,
            failed: None,
            voters: set(voters),
            learners: set(learners),
            matched: BTreeMap::new(),
            last_contact: None,
        }
    }

    /// Node 1 asked itself first, found that it had no word of having no room, and kept everything.
    #[test]
    fn who_is_full_hands_over_whatever_its_number() {
        let wanted = set(&[1, 2, 3]);
        let placement = Placement { wanted, ..Placement::default() };
        let check = |me: NodeId, full: &[NodeId], shard: u32, expected: Option<NodeId>| {
            let found = next_leader(me, ShardId(shard), &placement, |id| !full.contains(&id));
            assert_eq!(found, expected, "node {me}, shard {shard}, full: {full:?}");
        };
        // With room each shard goes to the node whose turn it is.
        check(1, &[], 0, None);
        check(1, &[], 1, Some(2));
        check(1, &[2], 1, None);
        check(3, &[], 0, Some(1));
        // Without, to anybody who has some.
        check(1, &[1], 0, Some(2));
        check(1, &[1, 2], 0, Some(3));
        check(2, &[2], 1, Some(1));
        check(3, &[1, 3], 2, Some(2));
        check(1, &[1, 2, 3], 0, None);
    }

    #[test]
    fn one_step_at_a_time() {
        let check = |voters: &[NodeId], learners: &[NodeId], wanted: &[NodeId], expected: Step| {
            let wanted = Wanted { voters: set(wanted), learners: BTreeSet::new() };
            // Node 9 never catches up.
            let lag = |id| Some(if id == 9 { 500 } else { 3 });
            assert_eq!(next_step(1, &status(voters, learners), &wanted, lag), expected);
        };
        check(&[1, 2, 3], &[], &[1, 2, 3], Step::Rest);
        check(&[1, 2, 3], &[], &[1, 2, 4], Step::Learn(4));
        check(&[1, 2, 3], &[4], &[1, 2, 4], Step::Vote(set(&[1, 2, 4])));
        check(&[1, 2, 3], &[9], &[1, 2, 9], Step::Wait);
        check(&[1, 2, 3], &[4], &[1, 2, 3], Step::Forget(4));
        // The leader itself leaves.
        check(&[1, 2, 3], &[4], &[2, 3, 4], Step::Vote(set(&[1, 2, 3, 4])));
        check(&[1, 2, 3, 4], &[], &[2, 3, 4], Step::HandOver(2));
        // From one to three.
        check(&[1], &[], &[1, 2, 3], Step::Learn(2));
        check(&[1], &[2], &[1, 2, 3], Step::Learn(3));
        check(&[1], &[2, 3], &[1, 2, 3], Step::Vote(set(&[1, 2, 3])));
        check(&[1, 2, 3], &[], &[1], Step::Vote(set(&[1])));
    }

    #[test]
    fn learners_that_stay() {
        let wanted = Wanted { voters: set(&[1]), learners: set(&[2]) };
        let lag = |_| Some(0);
        assert_eq!(next_step(1, &status(&[1], &[]), &wanted, lag), Step::Learn(2));
        assert_eq!(next_step(1, &status(&[1], &[2]), &wanted, lag), Step::Rest);
    }
}
