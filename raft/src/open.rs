//! How a group is opened: what it is configured to, and who elects its first leader.
//!
//! In comes what the disk holds of the group; out goes its handle, running.
//!
//! Invariants:
//! - Only a lone voter elects itself; a group with more voters waits for one of them to time out.
//! - A replica that lost a part of its log is not opened, so it never votes.
//! - A replica stands for election only once the last membership that it has names it, and not one
//!   that its node had before: it reads the whole log from the start, memberships of old included,
//!   and one of those may have had this node as its only voter.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use futures::FutureExt;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{Fatal, RaftError};
use openraft::{Config, Raft, SnapshotPolicy};
use tokio::sync::watch;

use crate::apply::{Applier, Build, Shared};
use crate::error::Error;
use crate::group::{Group, Handle, Side};
use crate::keeper::Pending;
use crate::log::GroupLog;
use crate::machine::{Machine, Recovered};
use crate::network::Network;
use crate::node::{Parts, Running, Timing};
use crate::types::{Member, Types};

/// How a group that has nothing on this node's disk yet begins. One that has goes on as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// With this node as its only voter, which elects itself at once.
    Alone,
    /// With these voters, this node among them, and where they are. One node alone says so; the
    /// others open the group with [`Start::Join`]. All of them must answer: the group's members
    /// are these very replicas.
    Voters(BTreeMap<u64, String>),
    /// With nothing: a leader comes along once this node was made a member.
    Join,
}

fn config(parts: &Parts, id: u32) -> Result<Arc<Config>, Error> {
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
    let Timing { heartbeat, election } = &parts.timing;
    // Whoever heard a leader votes for nobody else for so long: a little less than anybody waits,
    // for two do not hear the last heartbeat at the same moment. Votes must come in as soon.
    let lease = ms(election.start * 9 / 10).max(ms(*heartbeat) + 2);
    let config = Config {
        cluster_name: format!("group-{id}"),
        heartbeat_interval: ms(*heartbeat),
        election_timeout_min: lease - 1,
        election_timeout_max: lease,
        // See `crate::pace`.
        enable_tick: false,
        // A new term at each start: whatever the last process left behind is fenced off.
        enable_leader_restore: Some(false),
        // We say when: after the floor became durable.
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: 0,
        purge_batch_size: 1,
        max_payload_entries: 64,
        // A peer that came back is found soon.
        backoff: "50ms 100ms 200ms ...500ms".to_owned(),
        // The byte budget bounds proposals; this many small ones may wait in the core's channel.
        api_channel_size: Some(4_096),
        ..Config::default()
    };
    let config = config.validate().map_err(|error| Error::Stopped(error.to_string()))?;
    Ok(Arc::new(config))
}

/// The members a new group is founded with; nothing where others found it.
async fn founders(
    parts: &Parts,
    id: u32,
    start: &Start,
    incarnation: u64,
) -> Result<Option<BTreeMap<u64, Member>>, Error> {
    let own = |address: &String| Member { address: address.clone(), incarnation };
    let voters = match start {
        Start::Join => return Ok(None),
        Start::Alone => return Ok(Some(BTreeMap::from([(parts.node_id, own(&parts.address))]))),
        Start::Voters(voters) => voters,
    };
    let failed = |what: String| Error::Membership { group: id, what };
    if !voters.contains_key(&parts.node_id) {
        let what = format!("node {} founds it and is not among its voters", parts.node_id);
        return Err(failed(what));
    }
    let asked = voters.iter().map(|(node, address)| async move {
        if *node == parts.node_id {
            return Ok((*node, own(address)));
        }
        parts.peers.learn(*node, address);
        let incarnation = parts.peers.incarnation(*node, id).await.map_err(|error| {
            failed(format!("its voter {node} at {address} does not answer: {}", error.reason()))
        })?;
        Ok((*node, Member { address: address.clone(), incarnation }))
    });
    let members = futures::future::try_join_all(asked).await?;
    Ok(Some(members.into_iter().collect()))
}

/// Recovers a group from disk, builds its machine, and starts it.
pub(crate) async fn open<M: Machine>(
    parts: &Parts,
    id: u32,
    start: Start,
    build: Build<M>,
) -> Result<(Group<M>, Running), Error> {
    let reader = parts.reader.clone();
    let marks = reader.marks(id).await?;
    let marks = if marks.erasing { parts.erase(id).await? } else { marks };
    let incarnation = parts.identity.incarnation_of(marks.epoch);
    let loaded = reader.load(id).await?;
    let cache = parts.tail_cache_bytes / parts.n_groups.max(1) as usize;
    let mut found = loaded.log;
    let is_new = found.is_empty() && loaded.state.applied.is_none();
    let founders = if is_new { founders(parts, id, &start, incarnation).await? } else { None };
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

    let reading = Arc::new(AtomicUsize::new(0));
    let network = Network {
        peers: parts.peers.clone(),
        group: id,
        window_bytes: parts.stream_window_bytes,
        reading: reading.clone(),
    };
    let stopped = |fatal: Fatal<Types>| Error::Stopped(fatal.to_string());
    let applier = Applier(shared.clone());
    let raft = Raft::new(parts.node_id, config(parts, id)?, network, log, applier).await;
    let raft = raft.map_err(stopped)?;
    let side = Arc::new(Side::new(incarnation, reading));
    let group = Group { id, raft: raft.clone(), shared, parts: parts.clone(), side };
    if let Some(founders) = founders {
        let founded = raft.initialize(founders).await;
        founded.map_err(|error| match error {
            // The disk failed, or the node stops: that is not about whom the group is founded with.
            RaftError::Fatal(fatal) => stopped(fatal),
            RaftError::APIError(error) => Error::Membership { group: id, what: error.to_string() },
        })?;
    }
    let running = run(&group, pending, !is_new);
    Ok((group, running))
}

/// Starts a group's own tasks; its ends.
fn run<M: Machine>(group: &Group<M>, pending: Arc<Pending>, is_old: bool) -> Running {
    let tending = tokio::spawn(tend(group.clone(), pending.floor(), is_old));
    let (stopping, yielding) = (group.raft.clone(), group.clone());
    Running {
        id: group.id,
        stop: Box::new(move || {
            let raft = stopping.clone();
            // A core that failed before has said so; there is nothing left to stop.
            async move { drop(raft.shutdown().await) }.boxed()
        }),
        give_way: Box::new(move || {
            let group = yielding.clone();
            async move { group.give_way().await }.boxed()
        }),
        task: tending,
        pending,
    }
}

/// A group's own task. Makes the lone voter of an old group lead, and does what its turns are; announces a snapshot each
/// time that the durable floor moved, whereupon openraft purges the log below it.
async fn tend<M: Machine>(group: Group<M>, mut floor: watch::Receiver<u64>, is_old: bool) {
    let standing = async {
        if let Err(fatal) = stand(&group, is_old).await {
            tracing::error!(group = group.id, reason = %fatal, "no leader was elected");
        }
    };
    let purging = async {
        while floor.changed().await.is_ok() {
            if group.raft.trigger().snapshot().await.is_err() {
                return;
            }
        }
    };
    futures::join!(standing, purging, group.do_turns());
}

/// Lets a replica stand for election once the group means it. Found by a test of a cluster: a
/// replica that was erased and came back got the beginning of the log, where its node had been
/// alone, and led a group of its own.
async fn stand<M: Machine>(group: &Group<M>, is_old: bool) -> Result<(), Fatal<Types>> {
    let (node_id, own) = (group.parts.node_id, group.side.incarnation);
    let mut metrics = group.raft.metrics();
    loop {
        // The core itself is not asked: it may be on its way out, where it has no answer.
        let named = {
            let metrics = metrics.borrow_watched();
            let member = metrics.membership_config.membership().get_node(&node_id);
            member.is_some_and(|member| [0, own].contains(&member.incarnation))
        };
        if named {
            break;
        }
        if metrics.changed().await.is_err() {
            return Ok(());
        }
    }
    group.side.timer.may_stand();
    // Groups are opened one after the other, but elect their leaders at the same time, here.
    if is_old { elect_lone_voter(&group.raft, node_id).await } else { Ok(()) }
}

async fn elect_lone_voter<M: Machine>(raft: &Handle<M>, node_id: u64) -> Result<(), Fatal<Types>> {
    let alone = raft
        .with_raft_state(move |state| state.membership_state.effective().voter_ids().eq([node_id]));
    if alone.await? { raft.trigger().elect(false).await } else { Ok(()) }
}
