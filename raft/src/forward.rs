//! Proposals and reads from anywhere: whoever leads gets them.
//!
//! In come commands and questions on any node with a replica; out go their index and the machine's
//! reply, once the command is durable on a majority and applied by the leader, or an index that
//! covers everything acknowledged before.
//!
//! Invariants:
//! - What is forwarded is not forwarded again: a node that does not lead says who does.
//! - "Not done" is said only where nothing was handed to a log; otherwise the outcome is unknown.
//! - A read takes part in a round that starts after the read: one round serves all that came
//!   while the one before was on its way.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use drave_proto::raft as proto;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::ClientWriteError;
use openraft::raft::ClientWriteResult;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::{Instant, sleep, timeout};

use crate::error::{ProposeError, ReadError};
use crate::group::Group;
use crate::machine::Machine;
use crate::node::COMMAND_BYTES_MAX;
use crate::types::{Command, Ticket, Types};

/// How long a proposal or a read waits for a leader to appear, and looks for another one.
const LEADER_WAIT: Duration = Duration::from_secs(5);
/// A leader that lost its majority does not know it: after this, whoever waits for it is told that
/// nobody knows.
pub(crate) const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
/// A replica that hears of no leader for so long asks others who leads: a leader that cannot reach it
/// is not known to it, and an election has no reason to come.
const ASK_AFTER: Duration = Duration::from_millis(200);
/// A voter that does not say who leads for so long does not know.
const ASK_LEADER_TIME_MAX: Duration = Duration::from_secs(1);
/// Between two attempts to find the leader.
const RETRY_AFTER: Duration = Duration::from_millis(50);
/// Once another node leads, the one that was asked gets so much time to still answer.
const OUTLIVED_TIME_MAX: Duration = Duration::from_millis(500);
/// While somebody wants to know how stale a replica is, it asks the leader so often; and else so
/// often, for nobody can ask any more once the leader cannot be reached. A heartbeat would not do
/// instead: one that was long on its way says nothing of now, and one of a leader that has lost its
/// majority says nothing at all. The questions of all groups go to a node together.
const CONFIRM_EVERY: Duration = Duration::from_secs(1);
const CONFIRM_UNASKED_EVERY: Duration = Duration::from_secs(5);
/// Somebody who asks how stale a replica is asks again soon, or so it is assumed for so long.
const ASKED_MS: u64 = 60_000;

type Index = Result<u64, ReadError>;

/// Reads that share rounds.
#[derive(Default)]
pub(crate) struct Rounds(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    running: bool,
    callers: Vec<oneshot::Sender<Index>>,
}

impl Rounds {
    /// Takes part in the next round; whether the caller has to start it.
    fn join(&self) -> (oneshot::Receiver<Index>, bool) {
        let (caller, answer) = oneshot::channel();
        let mut waiting = self.lock();
        waiting.callers.push(caller);
        (answer, !std::mem::replace(&mut waiting.running, true))
    }

    /// Whom the next round serves; nobody, and no more rounds, where nobody waits.
    fn next(&self) -> Option<Vec<oneshot::Sender<Index>>> {
        let mut waiting = self.lock();
        waiting.callers.retain(|caller| !caller.is_closed());
        waiting.running = !waiting.callers.is_empty();
        waiting.running.then(|| std::mem::take(&mut waiting.callers))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while it holds the list.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M: Machine> Group<M> {
    /// Proposes a command; its index and the machine's reply once it is applied by the leader,
    /// which is asked where it is another node. Waits while the node's queue is full, and a while
    /// for a leader. A dropped call may still happen, as with [`ProposeError::Unknown`].
    pub async fn propose(&self, command: Bytes) -> Result<(u64, Bytes), ProposeError> {
        let deadline = Instant::now() + LEADER_WAIT;
        loop {
            let share = self.share(&command).await?;
            let leader = self.find_leader(deadline).await;
            let leader = leader.map_err(|reason| self.not_done(None, reason))?;
            let result = if leader == self.parts.node_id {
                self.propose_with(command.clone(), share).await
            } else {
                self.propose_to(leader, command.clone()).await
            };
            match result {
                Err(ProposeError::NotDone { .. })
                    if Instant::now() < deadline && self.failed().is_none() =>
                {
                    self.pause(leader).await;
                }
                result => return result,
            }
        }
    }

    /// Proposes a command if this replica leads.
    pub(crate) async fn propose_here(&self, command: Bytes) -> Result<(u64, Bytes), ProposeError> {
        let share = self.share(&command).await?;
        if let Some(reason) = self.failed() {
            return Err(self.not_done(None, reason));
        }
        match self.leader() {
            Some(leader) if leader == self.parts.node_id => self.propose_with(command, share).await,
            leader => Err(self.not_done(leader, self.not_leading())),
        }
    }

    /// The command's share of the node's queue.
    async fn share(&self, command: &Bytes) -> Result<OwnedSemaphorePermit, ProposeError> {
        assert!(!command.is_empty(), "an empty command stands for an entry of Raft itself");
        if command.len() > COMMAND_BYTES_MAX {
            let reason =
                format!("a command of {} bytes is longer than {COMMAND_BYTES_MAX}", command.len());
            return Err(self.not_done(None, reason));
        }
        let share = command.len().min(self.parts.queue_bytes);
        let share = u32::try_from(share).expect("a command has at most 64 MiB");
        let share = self.parts.queue.clone().acquire_many_owned(share).await;
        share.map_err(|_| self.not_done(None, self.reason("the node is stopped")))
    }

    async fn propose_with(
        &self,
        command: Bytes,
        share: OwnedSemaphorePermit,
    ) -> Result<(u64, Bytes), ProposeError> {
        if let Some(admit) = &self.parts.admit {
            let admitted = admit.admit(self.id, &command, &self.full_voters());
            admitted.map_err(|reason| ProposeError::Refused { group: self.id, reason })?;
        }
        let (ticket, result) = Ticket::new(share);
        let sent = self.raft.client_write_ff(Command(command), Some(ticket)).await;
        sent.map_err(|fatal| self.not_done(None, self.reason(fatal)))?;
        match timeout(ANSWER_TIME_MAX, result).await {
            Ok(Ok(result)) => self.outcome(result),
            Ok(Err(_)) => Err(self.unknown(self.reason("the group stopped"))),
            Err(_) => Err(self.unknown(self.reason("no majority took it in time"))),
        }
    }

    /// Other voters that have no room, where without them there is no majority.
    fn full_voters(&self) -> Vec<u64> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let membership = metrics.membership_config.membership();
        let is_full = |id: &u64| *id != self.parts.node_id && !self.parts.peers.has_room(*id);
        let mut full: Vec<u64> = membership.voter_ids().filter(is_full).collect();
        // While voters change there are two sets of them, and each needs its majority.
        let lacks = |voters: &BTreeSet<u64>| {
            let n_full = voters.iter().filter(|id| full.contains(id)).count();
            voters.len() - n_full <= voters.len() / 2
        };
        if full.is_empty() || !membership.get_joint_config().iter().any(lacks) {
            full.clear();
        }
        full
    }

    fn outcome(&self, result: ClientWriteResult<Types>) -> Result<(u64, Bytes), ProposeError> {
        match result {
            Ok(response) => Ok((response.log_id.index, response.data.0)),
            Err(ClientWriteError::ForwardToLeader(forward)) => {
                Err(self.not_done(forward.leader_id, self.not_leading()))
            }
            Err(error @ ClientWriteError::LogEntryDiscarded(_)) => {
                Err(self.unknown(error.to_string()))
            }
            // Neither can happen to a command: both are about memberships and preconditions.
            Err(
                error @ (ClientWriteError::ChangeMembershipError(_)
                | ClientWriteError::PreconditionFailed(_)),
            ) => Err(self.unknown(error.to_string())),
        }
    }

    /// Asks the leader, until that is not the leader any more.
    async fn propose_to(&self, leader: u64, command: Bytes) -> Result<(u64, Bytes), ProposeError> {
        tokio::select! {
            result = self.parts.peers.propose(leader, self.id, command) => result,
            () = self.outlived(leader) => {
                let reason = format!("node {leader} lost its leadership before it answered");
                Err(self.unknown(reason))
            }
        }
    }

    /// An index such that whoever reads the machine now sees every command acknowledged, by
    /// anybody, before this call. Waits until this replica has applied it.
    pub async fn read_index(&self) -> Result<u64, ReadError> {
        let deadline = Instant::now() + LEADER_WAIT;
        let started = Instant::now();
        let index = loop {
            let leader = self.await_leader(deadline).await;
            let leader = leader.map_err(|reason| self.cannot_read(None, reason))?;
            let round = if leader == self.parts.node_id {
                self.lead_round().await
            } else {
                self.join(false).await
            };
            match round {
                Ok(index) => break index,
                Err(_) if Instant::now() < deadline && self.failed().is_none() => {
                    self.pause(leader).await;
                }
                Err(error) => return Err(error),
            }
        };
        self.await_applied(index).await?;
        let mut confirmed = self.side.confirmed.lock().unwrap_or_else(PoisonError::into_inner);
        *confirmed = (*confirmed).max(Some(started));
        Ok(index)
    }

    /// A read index, if this replica leads; what is applied here does not matter.
    pub(crate) async fn lead_round(&self) -> Index {
        self.join(true).await
    }

    /// A read index for another node and what that node's replica of the group voted, if it says.
    pub(crate) async fn lead_round_for(&self, node: u64, voted: Option<proto::Voted>) -> Index {
        if let Some(voted) = voted
            && let Some(index) = self.confirmed_by(node, &voted).await?
        {
            return Ok(index);
        }
        self.lead_round().await
    }

    async fn join(&self, leads: bool) -> Index {
        let rounds = if leads { &self.side.lead_rounds } else { &self.side.follow_rounds };
        let (answer, start) = rounds.join();
        if start {
            // Not in the caller's task: the round serves others, too, and the caller may go away.
            tokio::spawn(self.clone().run_rounds(leads));
        }
        let stopped = |_| self.cannot_read(None, self.reason("the group stopped"));
        answer.await.map_err(stopped)?
    }

    async fn run_rounds(self, leads: bool) {
        let rounds = if leads { &self.side.lead_rounds } else { &self.side.follow_rounds };
        while let Some(callers) = rounds.next() {
            let index = if leads { self.ask_majority().await } else { self.ask_leader().await };
            for caller in callers {
                let _ = caller.send(index.clone());
            }
        }
    }

    async fn ask_leader(&self) -> Index {
        let Some(leader) = self.leader() else {
            return Err(self.cannot_read(None, "there is no leader".to_owned()));
        };
        // Its vote of now, which is after everybody began to read whom this round serves.
        let voted = Some(self.voted());
        tokio::select! {
            index = self.parts.peers.read_index(leader, self.id, voted) => index,
            () = self.outlived(leader) => {
                let reason = format!("node {leader} lost its leadership before it answered");
                Err(self.cannot_read(None, reason))
            }
        }
    }

    /// How long ago a leader confirmed that what this replica has applied covers everything
    /// committed until then; nothing where none did since the group was opened. A replica asks its
    /// leader now and then on its own; whoever asks here makes it ask at once and about once a
    /// second, for a while, so that the next answer is a young one.
    pub fn staleness(&self) -> Option<Duration> {
        let now = self.side.now_ms();
        let before = self.side.asked_ms.swap(now, Ordering::AcqRel);
        if before == 0 || before + ASKED_MS < now {
            self.side.asked.notify_one();
        }
        let confirmed = *self.side.confirmed.lock().unwrap_or_else(PoisonError::into_inner);
        confirmed.map(|confirmed| confirmed.elapsed())
    }

    /// Keeps [`Group::staleness`] small, as long as the group runs.
    pub(crate) async fn keep_confirmed(&self) {
        while self.failed().is_none() {
            // Where that fails, the age says so.
            let _ = self.read_index().await;
            let asked = self.side.asked_ms.load(Ordering::Acquire);
            let is_asked = asked != 0 && asked + ASKED_MS >= self.side.now_ms();
            let rest = if is_asked { CONFIRM_EVERY } else { CONFIRM_UNASKED_EVERY };
            // Whoever asks ends the long rest.
            let _ = timeout(rest, self.side.asked.notified()).await;
        }
    }

    async fn await_applied(&self, index: u64) -> Result<(), ReadError> {
        let mut applied = self.shared.applied.subscribe();
        loop {
            match timeout(Duration::from_secs(1), applied.wait_for(|at| *at >= index)).await {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(_)) => return Err(self.cannot_read(None, "the group stopped".to_owned())),
                Err(_) => {
                    if let Some(reason) = self.failed() {
                        return Err(self.cannot_read(None, reason));
                    }
                }
            }
        }
    }

    /// The leader, as soon as this replica or another voter knows one.
    async fn find_leader(&self, deadline: Instant) -> Result<u64, String> {
        loop {
            let ask_at = deadline.min(Instant::now() + ASK_AFTER);
            match self.await_leader(ask_at).await {
                Err(_) if ask_at <= Instant::now() && ask_at < deadline => {}
                // A leader; or an end of waiting, or of the group.
                found => return found,
            }
            let mut answers: FuturesUnordered<_> =
                self.other_voters().into_iter().map(|voter| self.ask_who_leads(voter)).collect();
            while let Some(answer) = answers.next().await {
                if let Some(leader) = answer.filter(|leader| *leader != self.parts.node_id) {
                    return Ok(leader);
                }
            }
        }
    }

    fn other_voters(&self) -> BTreeSet<u64> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let voters = metrics.membership_config.membership().voter_ids();
        voters.filter(|id| *id != self.parts.node_id).collect()
    }

    /// Who leads, as far as another voter knows. A read index is what only a leader gives.
    async fn ask_who_leads(&self, voter: u64) -> Option<u64> {
        let asked = self.parts.peers.read_index(voter, self.id, None);
        match timeout(ASK_LEADER_TIME_MAX, asked).await.ok()? {
            Ok(_) => Some(voter),
            Err(error) => error.leader,
        }
    }

    /// The leader, as soon as there is one.
    async fn await_leader(&self, deadline: Instant) -> Result<u64, String> {
        if let Some(reason) = self.failed() {
            return Err(reason);
        }
        if let Some(leader) = self.leader() {
            return Ok(leader);
        }
        let wait = self.raft.wait(Some(deadline.saturating_duration_since(Instant::now())));
        let waited = wait.metrics(
            |metrics| metrics.current_leader.is_some() || metrics.running_state.is_err(),
            "a leader",
        );
        match waited.await {
            Ok(metrics) => {
                metrics.running_state.map_err(|fatal| self.reason(fatal))?;
                metrics.current_leader.ok_or_else(|| self.reason("there is no leader"))
            }
            Err(_) => Err(self.reason("there is no leader")),
        }
    }

    /// Waits a moment, or until somebody else leads.
    async fn pause(&self, leader: u64) {
        let mut metrics = self.raft.metrics();
        let changed = async {
            while metrics.borrow_watched().current_leader == Some(leader) {
                if metrics.changed().await.is_err() {
                    break;
                }
            }
        };
        // Whoever is elected knows it a little before it takes anything.
        let _ = timeout(RETRY_AFTER, changed).await;
        sleep(RETRY_AFTER / 10).await;
    }

    /// Comes back a while after another node than `leader` became leader.
    async fn outlived(&self, leader: u64) {
        let mut metrics = self.raft.metrics();
        loop {
            let current = metrics.borrow_watched().current_leader;
            if current.is_some_and(|current| current != leader) {
                return sleep(OUTLIVED_TIME_MAX).await;
            }
            if metrics.changed().await.is_err() {
                return sleep(OUTLIVED_TIME_MAX).await;
            }
        }
    }

    pub(crate) fn not_leading(&self) -> String {
        format!("node {} does not lead the group", self.parts.node_id)
    }

    pub(crate) fn cannot_read(&self, leader: Option<u64>, reason: String) -> ReadError {
        ReadError { group: self.id, leader, reason }
    }
}
