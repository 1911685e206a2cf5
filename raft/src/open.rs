//! How a group is opened: what it is configured to, and who elects its first leader.
//!
//! In comes what the disk holds of the group; out goes its handle, running.
//!
//! Invariants:
//! - The log of every founder begins with the same entry, which names them all and is written
//!   before the group is opened: none of them has to be there for the others to go on.
//! - Only a lone voter elects itself; a group with more voters waits for one of them to stand.
//! - A replica that lost a part of its log is not opened, so it never votes.
//! - A replica stands for election only once the last membership that it has names it, and not one
//!   that its node had before: it reads the whole log from the start, memberships of old included,
//!   and one of those may have had this node as its only voter.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::Fatal;
use openraft::{Config, EntryPayload, Raft, RaftMetrics, SnapshotPolicy};
use tokio::sync::watch;

use crate::apply::{Applier, Build, Shared};
use crate::confirm::Told;
use crate::error::Error;
use crate::group::{Group, Handle, Side};
use crate::keeper::Pending;
use crate::log::GroupLog;
use crate::machine::{Machine, Recovered};
use crate::network::Network;
use crate::node::{Parts, Running, Timing};
use crate::types::{Entry, LeaderId, LogId, Member, Membership, Types};

/// A replica that a group is founded with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Founder {
    /// Where its node is.
    pub address: String,
    /// See [`crate::Identity::incarnation`].
    pub incarnation: u64,
}

/// How often, and for how long, the first of a group's founders asks the others for their votes.
const FIRST_TRY_EVERY: Duration = Duration::from_millis(100);
const FIRST_TRIES: usize = 10;

/// How a group that has nothing on this node's disk yet begins. One that has goes on as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// With this node as its only voter, which elects itself at once.
    Alone,
    /// With these voters. Every replica that opens the group so must say the same ones; any other
    /// replica opens it with [`Start::Join`]. A majority of them is enough to go on.
    Founded {
        /// Who votes, this very replica as a rule: one that is not among them joins.
        voters: BTreeMap<u64, Founder>,
        /// Whether this one stands for election at once; the others wait for it for a while.
        is_first: bool,
    },
    /// With nothing: a leader comes along once this node was made a member.
    Join,
}

fn config(parts: &Parts, id: u32) -> Result<Arc<Config>, Error> {
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
    let Timing { heartbeat, election } = &parts.timing;
    // Whoever heard a leader votes for nobody else for so long: a little less than anybody waits,
    // for two do not hear the last heartbeat at the same moment. Votes must come in as soon.
    let lease = ms(election.start * 9 / 10).max(ms(*heartbeat) + 3);
    let config = Config {
        cluster_name: format!("group-{id}"),
        // Here only how long the answer to a heartbeat may take: one that comes later is lost. The
        // next heartbeat to that node waits as long.
        heartbeat_interval: ms(*heartbeat * 2).min(lease - 2),
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

/// The members that a new group is founded with, as this replica starts it; nothing where it waits
/// for a leader to come along. A replica that was erased has forgotten what it voted, and is none.
fn founders(parts: &Parts, start: &Start, incarnation: u64) -> Option<BTreeMap<u64, Member>> {
    let own = Founder { address: parts.address.clone(), incarnation };
    let voters = match start {
        Start::Join => return None,
        Start::Alone => BTreeMap::from([(parts.node_id, own)]),
        Start::Founded { voters, .. } => voters.clone(),
    };
    if voters.get(&parts.node_id)?.incarnation != incarnation {
        return None;
    }
    let member = |Founder { address, incarnation }| Member { address, incarnation };
    Some(voters.into_iter().map(|(id, founder)| (id, member(founder))).collect())
}

/// The entry that the log of every founder begins with: the same one, so that it does not matter
/// which of them leads first, nor which of them are there.
fn first_entry(founders: BTreeMap<u64, Member>) -> Entry {
    let voters = founders.keys().copied().collect::<BTreeSet<_>>();
    let members = Membership::new(vec![voters], founders);
    let members = members.expect("every voter is a member");
    let log_id = LogId { leader_id: LeaderId { term: 0, node_id: 0 }, index: 0 };
    Entry { log_id, payload: EntryPayload::Membership(members) }
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
    let founders = if is_new { founders(parts, &start, incarnation) } else { None };
    let wal = std::mem::take(&mut found.wal);
    let log = GroupLog::new(id, found, parts.lane.clone(), reader, cache);
    let is_founder = founders.is_some();
    if let Some(founders) = founders {
        let begun = log.begin(first_entry(founders)).await;
        begun.map_err(|error| Error::Stopped(error.to_string()))?;
    }

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

    let told = Told::default();
    let network = Network {
        peers: parts.peers.clone(),
        group: id,
        window_bytes: parts.stream_window_bytes,
        told: told.clone(),
    };
    let stopped = |fatal: Fatal<Types>| Error::Stopped(fatal.to_string());
    let applier = Applier(shared.clone());
    let raft = Raft::new(parts.node_id, config(parts, id)?, network, log, applier).await;
    let raft = raft.map_err(stopped)?;
    let side = Arc::new(Side::new(incarnation, told));
    let group = Group { id, raft: raft.clone(), shared, parts: parts.clone(), side };
    let stands = match start {
        Start::Founded { is_first: true, .. } if is_founder => Stands::AtOnce,
        Start::Founded { is_first: false, .. } if is_founder => Stands::Later,
        _ => Stands::AtOnceIfAlone,
    };
    let running = run(&group, pending, stands);
    Ok((group, running))
}

/// When a replica that was just opened first stands for election.
#[derive(Clone, Copy)]
enum Stands {
    AtOnce,
    /// Now where it is the only voter, else once it has heard nobody for as long as always.
    AtOnceIfAlone,
    /// As if it had just heard a leader: another founder stands at once.
    Later,
}

/// Starts a group's own tasks; its ends.
fn run<M: Machine>(group: &Group<M>, pending: Arc<Pending>, stands: Stands) -> Running {
    let tending = tokio::spawn(tend(group.clone(), pending.floor(), stands));
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

/// A group's own task. Makes it stand for election where it need not wait, and does what its turns
/// are; has its leader confirm now and then how recent it is; announces a snapshot each time that the
/// durable floor moved, whereupon openraft purges the log below it.
async fn tend<M: Machine>(group: Group<M>, mut floor: watch::Receiver<u64>, stands: Stands) {
    let standing = async {
        if let Err(fatal) = stand(&group, stands).await {
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
    futures::join!(standing, purging, group.do_turns(), group.keep_confirmed());
}

/// Lets a replica stand for election once the group means it. Found by a test of a cluster: a
/// replica that was erased and came back got the beginning of the log, where its node had been
/// alone, and led a group of its own.
async fn stand<M: Machine>(group: &Group<M>, stands: Stands) -> Result<(), Fatal<Types>> {
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
    // Groups are opened one after the other, but elect their leaders at the same time, here.
    let timer = &group.side.timer;
    if matches!(stands, Stands::Later) {
        timer.heard(&group.parts.pace);
    }
    timer.may_stand();
    match stands {
        Stands::AtOnce => stand_first(&group.raft).await,
        Stands::AtOnceIfAlone => elect_lone_voter(&group.raft, node_id).await,
        Stands::Later => Ok(()),
    }
}

/// Stands until there is a leader, for as long as the other founders wait for this one: they open
/// the group at about the same time, and vote once they have.
async fn stand_first<M: Machine>(raft: &Handle<M>) -> Result<(), Fatal<Types>> {
    for _ in 0..FIRST_TRIES {
        raft.trigger().elect(true).await?;
        let wait = raft.wait(Some(FIRST_TRY_EVERY));
        let led = |metrics: &RaftMetrics<Types>| metrics.current_leader.is_some();
        if wait.metrics(led, "a leader").await.is_ok() {
            break;
        }
    }
    Ok(())
}

async fn elect_lone_voter<M: Machine>(raft: &Handle<M>, node_id: u64) -> Result<(), Fatal<Types>> {
    let alone = raft
        .with_raft_state(move |state| state.membership_state.effective().voter_ids().eq([node_id]));
    if alone.await? { raft.trigger().elect(false).await } else { Ok(()) }
}
