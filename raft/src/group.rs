//! A group: what its users hold, and how it is opened.
//!
//! In come commands; out go their index and the machine's reply, once the command is durable on a
//! majority and applied here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{ClientWriteError, Fatal, LinearizableReadError, RaftError};
use openraft::raft::ClientWriteResult;
use openraft::{BasicNode, Config, Raft, ReadPolicy, SnapshotPolicy};
use tokio::sync::watch;

use crate::apply::{Applier, Build, Shared};
use crate::error::{Error, ProposeError, ReadError};
use crate::keeper::Pending;
use crate::log::GroupLog;
use crate::machine::{Machine, Recovered};
use crate::network::NoPeers;
use crate::node::{COMMAND_BYTES_MAX, Parts, Running};
use crate::types::{Command, Ticket, Types};

/// How long a proposal or a read waits for a leader to appear.
const LEADER_WAIT: Duration = Duration::from_secs(5);

type Handle<M> = Raft<Types, Applier<M>>;

/// A group on this node. Cheap to clone.
pub struct Group<M: Machine> {
    id: u32,
    raft: Handle<M>,
    shared: Arc<Shared<M>>,
    parts: Parts,
}

impl<M: Machine> Clone for Group<M> {
    fn clone(&self) -> Self {
        Self {
            id: self.id,
            raft: self.raft.clone(),
            shared: self.shared.clone(),
            parts: self.parts.clone(),
        }
    }
}

/// Where a group stands. Indexes are 0 where there is none yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupStatus {
    /// The leader this node knows of.
    pub leader: Option<u64>,
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
}

impl<M: Machine> Group<M> {
    /// The group's number.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Proposes a command; its index and the machine's reply once it is applied here. Waits while
    /// the node's queue is full. A dropped call may still happen, as with
    /// [`ProposeError::Unknown`].
    pub async fn propose(&self, command: Bytes) -> Result<(u64, Bytes), ProposeError> {
        assert!(!command.is_empty(), "an empty command stands for an entry of Raft itself");
        if command.len() > COMMAND_BYTES_MAX {
            let reason =
                format!("a command of {} bytes is longer than {COMMAND_BYTES_MAX}", command.len());
            return Err(self.not_done(None, reason));
        }
        let share = command.len().min(self.parts.queue_bytes);
        let share = u32::try_from(share).expect("a command has at most 64 MiB");
        let share = self.parts.queue.clone().acquire_many_owned(share).await;
        let share = share.map_err(|_| self.not_done(None, self.reason("the node is stopped")))?;
        self.await_leader().await.map_err(|reason| self.not_done(None, reason))?;

        let (ticket, result) = Ticket::new(share);
        let sent = self.raft.client_write_ff(Command(command), Some(ticket)).await;
        sent.map_err(|fatal| self.not_done(None, self.reason(fatal)))?;
        match result.await {
            Ok(result) => self.outcome(result),
            Err(_) => Err(self.unknown(self.reason("the group stopped"))),
        }
    }

    fn outcome(&self, result: ClientWriteResult<Types>) -> Result<(u64, Bytes), ProposeError> {
        match result {
            Ok(response) => Ok((response.log_id.index, response.data.0)),
            Err(ClientWriteError::ForwardToLeader(forward)) => {
                Err(self.not_done(forward.leader_id, forward.to_string()))
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

    /// An index such that whoever reads the machine now sees every command acknowledged, by
    /// anybody, before this call. Waits until this replica has applied it.
    pub async fn read_index(&self) -> Result<u64, ReadError> {
        let failed = |leader, reason| ReadError { group: self.id, leader, reason };
        self.await_leader().await.map_err(|reason| failed(None, reason))?;
        match self.raft.ensure_linearizable(ReadPolicy::ReadIndex).await {
            Ok(read) => Ok(read.index()),
            Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(forward))) => {
                Err(failed(forward.leader_id, forward.to_string()))
            }
            Err(error) => Err(failed(None, self.reason(error))),
        }
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

    /// The last applied index, as it moves.
    pub fn applied(&self) -> watch::Receiver<u64> {
        self.shared.applied.subscribe()
    }

    /// Where the group stands.
    pub fn status(&self) -> GroupStatus {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let stopped = metrics.running_state.as_ref().err().map(|fatal| self.reason(fatal));
        GroupStatus {
            leader: metrics.current_leader,
            term: metrics.current_term,
            last: metrics.last_log_index.unwrap_or(0),
            committed: metrics.local_committed.map_or(0, |id| id.index),
            applied: *self.shared.applied.borrow(),
            floor: *self.shared.pending.floor().borrow(),
            purged: metrics.purged.map_or(0, |id| id.index),
            wal_bytes: self.shared.log.bytes(),
            failed: self.parts.health.failed().map(str::to_owned).or(stopped),
        }
    }

    /// Waits for the first leader after a start, so that a node answers as soon as it is open.
    async fn await_leader(&self) -> Result<(), String> {
        if let Some(reason) = self.parts.health.failed() {
            return Err(reason.to_owned());
        }
        if self.raft.metrics().borrow_watched().current_leader.is_some() {
            return Ok(());
        }
        let wait = self.raft.wait(Some(LEADER_WAIT));
        let waited = wait.metrics(
            |metrics| metrics.current_leader.is_some() || metrics.running_state.is_err(),
            "a leader",
        );
        match waited.await {
            Ok(metrics) => metrics.running_state.map_err(|fatal| self.reason(fatal)),
            Err(_) => Err(self.reason("there is no leader")),
        }
    }

    /// Why the node failed, which says more than what that did to the group.
    fn reason(&self, otherwise: impl std::fmt::Display) -> String {
        self.parts.health.failed().map_or_else(|| otherwise.to_string(), str::to_owned)
    }

    fn not_done(&self, leader: Option<u64>, reason: String) -> ProposeError {
        ProposeError::NotDone { group: self.id, leader, reason }
    }

    fn unknown(&self, reason: String) -> ProposeError {
        ProposeError::Unknown { group: self.id, reason }
    }
}

fn config(id: u32) -> Result<Arc<Config>, Error> {
    let config = Config {
        cluster_name: format!("group-{id}"),
        // Heartbeats are the idle cost of a group. A lone voter elects itself at start, below.
        heartbeat_interval: 1_000,
        heartbeat_min_interval: Some(500),
        election_timeout_min: 3_000,
        election_timeout_max: 6_000,
        enable_pre_vote: Some(true),
        // A new term at each start: whatever the last process left behind is fenced off.
        enable_leader_restore: Some(false),
        // We say when: after the floor became durable.
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: 0,
        purge_batch_size: 1,
        max_payload_entries: 64,
        // The byte budget bounds proposals; this many small ones may wait in the core's channel.
        api_channel_size: Some(4_096),
        ..Config::default()
    };
    let config = config.validate().map_err(|error| Error::Stopped(error.to_string()))?;
    Ok(Arc::new(config))
}

/// Recovers a group from disk, builds its machine, and starts it.
pub(crate) async fn open<M: Machine>(
    parts: &Parts,
    id: u32,
    build: Build<M>,
) -> Result<(Group<M>, Running), Error> {
    let reader = parts.reader.clone();
    let loaded = reader.load(id).await?;
    let cache = parts.tail_cache_bytes / parts.n_groups.max(1) as usize;
    let mut found = loaded.log;
    let wal = std::mem::take(&mut found.wal);
    let log = GroupLog::new(id, found, parts.lane.clone(), reader, cache);

    let state = loaded.state;
    let applied = state.applied.map_or(0, |id| id.index);
    let floor = state.floor;
    let machine = build(Recovered { rows: loaded.rows, applied, floor, wal })
        .map_err(|what| Error::Machine { group: id, what })?;
    if machine.floor() < floor {
        let what = format!("its floor {} is below the durable {floor}", machine.floor());
        return Err(Error::Machine { group: id, what });
    }
    log.applied(applied);
    let pending = Pending::new(id, log.clone(), state, parts.keeper.clone());
    let shared = Arc::new(Shared {
        machine: std::sync::Mutex::new(machine),
        pending: pending.clone(),
        log: log.clone(),
        applied: watch::Sender::new(applied),
        build,
    });

    let stopped = |fatal: Fatal<Types>| Error::Stopped(fatal.to_string());
    let applier = Applier(shared.clone());
    let raft = Raft::new(parts.node_id, config(id)?, NoPeers, log, applier).await;
    let raft = raft.map_err(stopped)?;
    let group = Group { id, raft: raft.clone(), shared, parts: parts.clone() };
    let task = tokio::spawn(tend(id, parts.node_id, raft.clone(), pending.floor()));
    let stop = move || -> BoxFuture<'static, ()> {
        let raft = raft.clone();
        Box::pin(async move {
            // A core that failed before has said so; there is nothing left to stop.
            let _ = raft.shutdown().await;
        })
    };
    Ok((group, Running { id, stop: Box::new(stop), task }))
}

/// A group's own task. Makes it have a leader; then announces a snapshot each time that the
/// durable floor moved, whereupon openraft purges the log below it.
async fn tend<M: Machine>(id: u32, node_id: u64, raft: Handle<M>, mut floor: watch::Receiver<u64>) {
    // Groups are opened one after the other, but elect their leaders at the same time, here.
    if let Err(reason) = lead(node_id, &raft).await {
        tracing::error!(group = id, reason, "no leader was elected");
        return;
    }
    while floor.changed().await.is_ok() {
        if raft.trigger().snapshot().await.is_err() {
            return;
        }
    }
}

/// Founds a new group, or has the lone voter of an old one elect itself, without any timeout.
async fn lead<M: Machine>(node_id: u64, raft: &Handle<M>) -> Result<(), String> {
    if raft.is_initialized().await.map_err(|error| error.to_string())? {
        return raft.trigger().elect(false).await.map_err(|error| error.to_string());
    }
    let lone_voter = BTreeMap::from([(node_id, BasicNode::new(""))]);
    raft.initialize(lone_voter).await.map_err(|error| error.to_string())
}
