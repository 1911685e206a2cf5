//! Who is a member of a group, and who leads it.
//!
//! In come changes, on the group's leader; out goes the index of the membership they made.
//!
//! Invariants:
//! - One change at a time.
//! - A membership names replicas, not only nodes: it knows the incarnation that each member had
//!   when it was added, and nobody takes another one for it.

use std::collections::BTreeSet;
use std::time::Duration;

use openraft::ChangeMembers;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{ClientWriteError, RaftError};
use openraft::raft::ClientWriteResponse;
use tokio::time::{Instant, timeout};

use crate::error::MemberError;
use crate::forward::ANSWER_TIME_MAX;
use crate::group::Group;
use crate::machine::Machine;
use crate::types::{Member, Types};

/// How long a leadership is given to move.
const TRANSFER_TIME_MAX: Duration = Duration::from_secs(3);

impl<M: Machine> Group<M> {
    /// Makes `id` at `address` a member that follows and does not vote; the index of the
    /// membership. It must answer, and says which replica it is. It does not wait until it caught
    /// up: see [`Group::learner_lag`].
    pub async fn add_learner(&self, id: u64, address: &str) -> Result<u64, MemberError> {
        let _alone = self.change()?;
        let known = self.member(id);
        self.parts.peers.learn(id, address);
        let incarnation = self.parts.peers.incarnation(id, self.id).await;
        let incarnation = incarnation.map_err(|error| {
            self.not_changed(format!("node {id} at {address}: {}", error.reason()))
        })?;
        let member = Member { address: address.to_owned(), incarnation };
        if let Some(known) = known {
            if known.incarnation != incarnation {
                let what = format!(
                    "another replica of node {id} is a member: its data were replaced, so remove \
                     it first"
                );
                return Err(self.not_changed(what));
            }
            // Where it is now is a matter of the peer table.
            return Ok(self.membership_index());
        }
        self.changed(self.raft.add_learner(id, member, false)).await
    }

    /// How many entries the log of a follower lacks, as far as the leader knows; nothing on a
    /// node that does not lead, and for one that is no member.
    pub fn learner_lag(&self, id: u64) -> Option<u64> {
        let status = self.status();
        let matched = *status.matched.get(&id)?;
        Some(status.last.saturating_sub(matched))
    }

    /// Makes these members the voters, and removes the voters of before that are not among them;
    /// the index of the last membership on the way. A new voter must be a learner before, and
    /// should have caught up.
    pub async fn change_voters(&self, voters: BTreeSet<u64>) -> Result<u64, MemberError> {
        let _alone = self.change()?;
        if voters.is_empty() {
            return Err(self.not_changed("a group needs a voter".to_owned()));
        }
        self.changed(self.raft.change_membership(voters, false)).await
    }

    /// Removes a learner; the index of the membership without it.
    pub async fn remove_learner(&self, id: u64) -> Result<u64, MemberError> {
        let _alone = self.change()?;
        let status = self.status();
        if status.voters.contains(&id) {
            let what = format!("node {id} votes: change the voters instead");
            return Err(self.not_changed(what));
        }
        if !status.learners.contains(&id) {
            return Ok(self.membership_index());
        }
        let nodes = ChangeMembers::RemoveNodes(BTreeSet::from([id]));
        self.changed(self.raft.change_membership(nodes, true)).await
    }

    /// Hands leadership over to a voter, and waits until it leads, or somebody else does.
    pub async fn transfer_leader(&self, to: u64) -> Result<(), MemberError> {
        if !self.leads() {
            return Err(self.not_leader());
        }
        if to == self.parts.node_id {
            return Ok(());
        }
        if !self.status().voters.contains(&to) {
            return Err(self.not_changed(format!("node {to} is no voter")));
        }
        let started = self.raft.trigger().transfer_leader(to).await;
        started.map_err(|fatal| self.not_changed(self.reason(fatal)))?;
        let mut metrics = self.raft.metrics();
        let moved = async {
            loop {
                let leader = metrics.borrow_watched().current_leader;
                if let Some(leader) = leader.filter(|leader| *leader != self.parts.node_id) {
                    return Some(leader);
                }
                if metrics.changed().await.is_err() {
                    return None;
                }
            }
        };
        match timeout(TRANSFER_TIME_MAX, moved).await {
            Ok(Some(leader)) if leader == to => Ok(()),
            Ok(Some(leader)) => Err(self.not_changed(format!("node {leader} leads instead"))),
            Ok(None) => Err(self.not_changed(self.reason("the group stopped"))),
            Err(_) => Err(self.not_changed(format!("node {to} did not take over"))),
        }
    }

    /// Before a planned stop: hands leadership to the voter that is the furthest, if this replica
    /// leads and there is another voter.
    pub(crate) async fn give_way(&self) {
        let deadline = Instant::now() + TRANSFER_TIME_MAX;
        while self.leads() && Instant::now() < deadline {
            let status = self.status();
            let others = status.matched.iter().filter(|(id, _)| status.voters.contains(id));
            let Some((to, _)) = others.max_by_key(|(_, matched)| **matched) else { return };
            let left = deadline.saturating_duration_since(Instant::now());
            match timeout(left, self.transfer_leader(*to)).await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => tracing::info!(group = self.id, %error, "kept leadership"),
                Err(_) => return,
            }
        }
    }

    fn change(&self) -> Result<tokio::sync::SemaphorePermit<'_>, MemberError> {
        if !self.leads() {
            return Err(self.not_leader());
        }
        let busy = || MemberError::Busy { group: self.id };
        self.side.changing.try_acquire().map_err(|_| busy())
    }

    fn member(&self, id: u64) -> Option<Member> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        metrics.membership_config.membership().get_node(&id).cloned()
    }

    fn membership_index(&self) -> u64 {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        metrics.membership_config.log_id().map_or(0, |id| id.index)
    }

    async fn changed(
        &self,
        change: impl Future<
            Output = Result<ClientWriteResponse<Types>, RaftError<Types, ClientWriteError<Types>>>,
        >,
    ) -> Result<u64, MemberError> {
        use openraft::errors::ChangeMembershipError as Change;
        let unknown = |reason| Err(MemberError::Unknown { group: self.id, reason });
        let error = match timeout(ANSWER_TIME_MAX, change).await {
            Ok(Ok(response)) => return Ok(response.log_id.index),
            Ok(Err(RaftError::Fatal(fatal))) => return unknown(self.reason(fatal)),
            Ok(Err(RaftError::APIError(error))) => error,
            Err(_) => return unknown(self.reason("no majority took it in time")),
        };
        Err(match error {
            ClientWriteError::ForwardToLeader(forward) => {
                MemberError::NotLeader { group: self.id, leader: forward.leader_id }
            }
            ClientWriteError::ChangeMembershipError(Change::InProgress(_)) => {
                MemberError::Busy { group: self.id }
            }
            error @ (ClientWriteError::ChangeMembershipError(_)
            | ClientWriteError::PreconditionFailed(_)) => self.not_changed(error.to_string()),
            error @ ClientWriteError::LogEntryDiscarded(_) => {
                MemberError::Unknown { group: self.id, reason: error.to_string() }
            }
        })
    }

    fn not_leader(&self) -> MemberError {
        MemberError::NotLeader { group: self.id, leader: self.leader() }
    }

    fn not_changed(&self, reason: String) -> MemberError {
        MemberError::Refused { group: self.id, reason }
    }
}
