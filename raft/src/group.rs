//! A group: what its users hold.
//!
//! Commands go in by [`crate::forward`], members by [`crate::members`]; here is what is known of
//! the group on this node.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::{EntryPayload, Instant as _, Raft};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::Instant;

use crate::apply::{Applier, Shared};
use crate::confirm::Told;
use crate::error::{Error, ProposeError};
use crate::forward::Rounds;
use crate::machine::Machine;
use crate::node::Parts;
use crate::pace::Timer;
use crate::snapshot::Inbox;
use crate::types::{Entry, Types};

pub(crate) type Handle<M> = Raft<Types, Applier<M>>;

/// A group on this node. Cheap to clone.
pub struct Group<M: Machine> {
    pub(crate) id: u32,
    pub(crate) raft: Handle<M>,
    pub(crate) shared: Arc<Shared<M>>,
    pub(crate) parts: Parts,
    pub(crate) side: Arc<Side>,
}

/// What a group's handles share of its dealings with other nodes.
pub(crate) struct Side {
    /// Which replica this is: see [`crate::Identity::incarnation`].
    pub(crate) incarnation: u64,
    /// What this node told others of the group's commits.
    pub(crate) told: Told,
    /// Reads of this node's callers and, of the leader alone, of everybody's.
    pub(crate) follow_rounds: Rounds,
    pub(crate) lead_rounds: Rounds,
    /// The start of the last round whose index is applied here.
    pub(crate) confirmed: Mutex<Option<Instant>>,
    /// When somebody last asked how stale this replica is, in milliseconds after `opened`; 0 if
    /// nobody did.
    pub(crate) asked_ms: AtomicU64,
    /// Somebody asks that again, after a while.
    pub(crate) asked: Notify,
    /// One membership change at a time.
    pub(crate) changing: Semaphore,
    pub(crate) inbox: Inbox,
    /// When it stands for election.
    pub(crate) timer: Timer,
    opened: Instant,
    /// When a leader was last heard, in milliseconds after `opened`; 0 if none was.
    contact_ms: AtomicU64,
}

impl Side {
    pub(crate) fn new(incarnation: u64, told: Told) -> Self {
        Self {
            incarnation,
            told,
            follow_rounds: Rounds::default(),
            lead_rounds: Rounds::default(),
            confirmed: Mutex::default(),
            asked_ms: AtomicU64::new(0),
            asked: Notify::new(),
            changing: Semaphore::new(1),
            inbox: Inbox::default(),
            timer: Timer::default(),
            opened: Instant::now(),
            contact_ms: AtomicU64::new(0),
        }
    }

    /// Milliseconds since the group was opened, at least 1.
    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }

    fn last_contact(&self) -> Option<Duration> {
        match self.contact_ms.load(Ordering::Relaxed) {
            0 => None,
            then => Some(Duration::from_millis(self.now_ms().saturating_sub(then))),
        }
    }
}

impl<M: Machine> Clone for Group<M> {
    fn clone(&self) -> Self {
        Self {
            id: self.id,
            raft: self.raft.clone(),
            shared: self.shared.clone(),
            parts: self.parts.clone(),
            side: self.side.clone(),
        }
    }
}

/// Where a group stands. Indexes are 0 where there is none yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupStatus {
    /// The leader this node knows of.
    pub leader: Option<u64>,
    /// Whether this node leads, and has heard a majority for as long as the others wait before they
    /// elect somebody else. One that is cut off knows of no other leader than itself.
    pub leads: bool,
    /// The current term.
    pub term: u64,
    /// The last entry of the log here.
    pub last: u64,
    /// The last entry known to be on a majority.
    pub committed: u64,
    /// The last entry the machine here applied.
    pub applied: u64,
    /// The machine's floor, as far as it is durable.
    pub floor: u64,
    /// The last entry removed from the log.
    pub purged: u64,
    /// The commands' bytes in the log here.
    pub wal_bytes: u64,
    /// Why this node does not write any more, once that is so.
    pub failed: Option<String>,
    /// The nodes that vote; while voters change, those of before and after together.
    pub voters: BTreeSet<u64>,
    /// The nodes that only follow.
    pub learners: BTreeSet<u64>,
    /// On the leader, how far each other replica's log is known to match; empty elsewhere.
    pub matched: BTreeMap<u64, u64>,
    /// On the leader, how long ago a majority last answered; elsewhere, how long ago a leader was
    /// last heard. Nothing where that never happened, and for a lone voter.
    pub last_contact: Option<Duration>,
}

impl<M: Machine> Group<M> {
    /// The group's number.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Looks at the machine. It cannot apply meanwhile, so be short.
    pub fn with_machine<R>(&self, look: impl FnOnce(&M) -> R) -> R {
        self.shared.with_machine(look)
    }

    /// Makes all that is applied here durable now, instead of within [`Options::durable_every`],
    /// so that the log may be purged below the machine's floor.
    ///
    /// [`Options::durable_every`]: crate::Options::durable_every
    pub async fn persist(&self) -> Result<(), Error> {
        let stopped = |error: std::io::Error| Error::Stopped(self.reason(error));
        self.shared.pending.flush().await.map_err(stopped)
    }

    /// Commands that are applied here, from one index to another, both included: as many as
    /// `bytes_max` allows, and one at least. Entries of Raft itself come as empty commands. Nothing
    /// where the log does not reach back to `from`: what it said is in the machine's snapshot.
    pub async fn commands(
        &self,
        from: u64,
        upto: u64,
        bytes_max: usize,
    ) -> Result<Option<Vec<(u64, Bytes)>>, Error> {
        let upto = upto.min(*self.shared.applied.borrow());
        let stopped = |error: std::io::Error| Error::Stopped(self.reason(error));
        let entries = self.shared.log.read(from..upto + 1, bytes_max).await.map_err(stopped)?;
        if entries.first().is_some_and(|entry| entry.log_id.index != from)
            || (entries.is_empty() && from <= upto)
        {
            return Ok(None);
        }
        let command = |entry: Entry| match entry.payload {
            EntryPayload::Normal(command) => (entry.log_id.index, command.0),
            EntryPayload::Blank | EntryPayload::Membership(_) => (entry.log_id.index, Bytes::new()),
        };
        Ok(Some(entries.into_iter().map(command).collect()))
    }

    /// The last applied index, as it moves.
    pub fn applied(&self) -> watch::Receiver<u64> {
        self.shared.applied.subscribe()
    }

    /// Where the group stands.
    pub fn status(&self) -> GroupStatus {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let stopped = metrics.running_state.as_ref().err().map(|fatal| self.reason(fatal));
        let membership = metrics.membership_config.membership();
        let leads = metrics.current_leader == Some(self.parts.node_id);
        let matched = metrics.replication.as_ref().filter(|_| leads).into_iter().flatten();
        let acked = metrics.last_quorum_acked.as_ref().map(|acked| acked.elapsed());
        let is_alone = membership.voter_ids().eq([self.parts.node_id]);
        let is_heard = acked.is_some_and(|age| age <= self.parts.timing.election.end);
        GroupStatus {
            leader: metrics.current_leader,
            leads: leads && (is_alone || is_heard),
            term: metrics.current_term,
            last: metrics.last_log_index.unwrap_or(0),
            committed: metrics.local_committed.map_or(0, |id| id.index),
            applied: *self.shared.applied.borrow(),
            floor: *self.shared.pending.floor().borrow(),
            purged: metrics.purged.map_or(0, |id| id.index),
            wal_bytes: self.shared.log.bytes(),
            failed: self.parts.health.failed().map(str::to_owned).or(stopped),
            voters: membership.voter_ids().collect(),
            learners: membership.learner_ids().collect(),
            matched: matched
                .filter(|(id, _)| **id != self.parts.node_id)
                .map(|(id, matched)| (*id, matched.map_or(0, |matched| matched.index)))
                .collect(),
            last_contact: if leads { acked } else { self.side.last_contact() },
        }
    }

    /// A leader was heard.
    pub(crate) fn contact(&self) {
        self.side.contact_ms.store(self.side.now_ms(), Ordering::Relaxed);
        self.side.timer.heard(&self.parts.pace);
    }

    /// Whether this replica believes that it leads.
    pub(crate) fn leads(&self) -> bool {
        self.leader() == Some(self.parts.node_id)
    }

    /// The leader this node knows of.
    pub(crate) fn leader(&self) -> Option<u64> {
        self.raft.metrics().borrow_watched().current_leader
    }

    /// Why the group cannot go on, once that is so.
    pub(crate) fn failed(&self) -> Option<String> {
        if let Some(reason) = self.parts.health.failed() {
            return Some(reason.to_owned());
        }
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        metrics.running_state.as_ref().err().map(ToString::to_string)
    }

    /// Why the node failed, which says more than what that did to the group.
    pub(crate) fn reason(&self, otherwise: impl std::fmt::Display) -> String {
        self.parts.health.failed().map_or_else(|| otherwise.to_string(), str::to_owned)
    }

    pub(crate) fn not_done(&self, leader: Option<u64>, reason: String) -> ProposeError {
        ProposeError::NotDone { group: self.id, leader, reason }
    }

    pub(crate) fn unknown(&self, reason: String) -> ProposeError {
        ProposeError::Unknown { group: self.id, reason }
    }
}
