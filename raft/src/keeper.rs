//! The keeper: one thread that makes every group's rows durable, about once a second.
//!
//! In come rows as they are applied, which wait in memory, the last value of each key; out go
//! durable transactions of `state.redb`, and the floors that the log may be purged below.
//!
//! Nothing is lost by the wait: what is applied is durable in the log, so a restart applies again
//! whatever came after the last transaction.
//!
//! Invariants:
//! - A transaction holds a group's rows, `applied` and `floor` of one moment.
//! - It is written only after the log is durable up to `applied`: the state never runs ahead.
//! - A floor is published only after the transaction that holds it is durable.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{oneshot, watch};

use crate::disk::{GroupChange, GroupState, Op, StateDb};
use crate::health::Health;
use crate::lane::Lane;
use crate::log::GroupLog;
use crate::machine::RowChange;
use crate::types::{LogId, StoredMembership};

/// A group with more rows waiting than this is written at once.
const WAITING_BYTES_MAX: usize = 16 << 20;

/// So is one whose floor moved past so much of the log: a log that is purged early stays small,
/// and a small file is overwritten in place instead of growing.
const FREED_BYTES_MAX: u64 = 32 << 20;

/// What a group has applied and not yet made durable.
pub(crate) struct Pending {
    group: u32,
    log: GroupLog,
    inner: Mutex<PendingInner>,
    floor: watch::Sender<u64>,
    keeper: Arc<Keeper>,
}

struct PendingInner {
    state: GroupState,
    rows: BTreeMap<Vec<u8>, Option<Bytes>>,
    bytes: usize,
    replace: bool,
    dirty: bool,
}

impl Pending {
    /// The state of a group as loaded.
    pub(crate) fn new(
        group: u32,
        log: GroupLog,
        state: GroupState,
        keeper: Arc<Keeper>,
    ) -> Arc<Self> {
        let floor = watch::Sender::new(state.floor);
        let rows = BTreeMap::new();
        let inner = PendingInner { state, rows, bytes: 0, replace: false, dirty: false };
        let pending = Arc::new(Self { group, log, inner: Mutex::new(inner), floor, keeper });
        pending.keeper.lock().groups.push(pending.clone());
        pending
    }

    /// Takes in what applying the entry `id` changed.
    pub(crate) fn applied(
        &self,
        id: LogId,
        rows: Vec<RowChange>,
        membership: Option<StoredMembership>,
        floor: u64,
    ) {
        let (first, full) = {
            let mut inner = self.lock();
            let moved = floor > inner.state.floor;
            assert!(inner.state.applied < Some(id), "entries are applied in order");
            assert!(inner.state.floor <= floor, "a machine's floor never decreases");
            assert!(floor <= id.index + 1, "a machine's floor is at most applied + 1");
            for RowChange { key, value } in rows {
                inner.bytes += key.len() + value.as_ref().map_or(0, Bytes::len);
                inner.rows.insert(key, value);
            }
            inner.state.applied = Some(id);
            inner.state.floor = floor;
            if let Some(membership) = membership {
                inner.state.memberships.push(membership);
            }
            let first = !std::mem::replace(&mut inner.dirty, true);
            let freed = moved && self.log.bytes() > FREED_BYTES_MAX;
            (first, freed || inner.bytes > WAITING_BYTES_MAX)
        };
        if first || full {
            self.keeper.wake(full);
        }
    }

    /// Takes in a whole new state.
    pub(crate) fn replaced(
        &self,
        applied: LogId,
        membership: StoredMembership,
        rows: Vec<(Vec<u8>, Bytes)>,
    ) {
        let mut inner = self.lock();
        inner.state.applied = Some(applied);
        inner.state.floor = applied.index + 1;
        inner.state.memberships = vec![membership];
        inner.rows = rows.into_iter().map(|(key, row)| (key, Some(row))).collect();
        inner.replace = true;
        inner.dirty = true;
        drop(inner);
        self.keeper.wake(true);
    }

    /// The last applied entry, and the membership in force after it.
    pub(crate) fn state(&self) -> (Option<LogId>, StoredMembership) {
        let inner = self.lock();
        let membership = inner.state.memberships.last().cloned().unwrap_or_default();
        (inner.state.applied, membership)
    }

    /// The last entry below `floor`, and the membership in force after it.
    pub(crate) fn below(&self, floor: u64) -> Option<(LogId, StoredMembership)> {
        let index = floor.checked_sub(1)?;
        let inner = self.lock();
        let id = match inner.state.applied {
            Some(applied) if applied.index == index => applied,
            _ => self.log.log_id(index)?,
        };
        let membership = inner.state.memberships.iter().rfind(|m| m.log_id() <= &Some(id)).cloned();
        Some((id, membership.unwrap_or_default()))
    }

    /// The durable floor, as it moves.
    pub(crate) fn floor(&self) -> watch::Receiver<u64> {
        self.floor.subscribe()
    }

    /// Makes all that is applied durable.
    pub(crate) async fn flush(&self) -> io::Result<()> {
        let (done, ack) = oneshot::channel();
        {
            let mut plan = self.keeper.lock();
            self.keeper.health.check()?;
            if plan.closing {
                return Err(self.keeper.health.ended());
            }
            plan.waiting.push(done);
        }
        self.keeper.wake.notify_one();
        ack.await.map_err(|_| self.keeper.health.ended())?
    }

    fn take(&self) -> Option<GroupChange> {
        let mut inner = self.lock();
        if !std::mem::replace(&mut inner.dirty, false) {
            return None;
        }
        let applied = inner.state.applied;
        // After a snapshot the log ends before it until it is purged; then nothing is promised.
        if self.log.last() >= applied {
            inner.state.logged = applied;
        }
        // One below the floor is enough: no snapshot will ever lie lower.
        let floor = inner.state.floor;
        let memberships = &mut inner.state.memberships;
        let old = memberships.iter().take_while(|m| m.log_id().is_some_and(|id| id.index < floor));
        let old = old.count();
        memberships.drain(..old.saturating_sub(1));
        inner.bytes = 0;
        Some(GroupChange {
            group: self.group,
            state: inner.state.clone(),
            replace: std::mem::replace(&mut inner.replace, false),
            rows: std::mem::take(&mut inner.rows),
        })
    }

    fn lock(&self) -> MutexGuard<'_, PendingInner> {
        // A panic under this lock is one of the assertions above: what they guard is untouched.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread's plan, shared with the groups.
pub(crate) struct Keeper {
    plan: Mutex<Plan>,
    wake: Condvar,
    health: Arc<Health>,
}

#[derive(Default)]
struct Plan {
    groups: Vec<Arc<Pending>>,
    waiting: Vec<oneshot::Sender<io::Result<()>>>,
    erasing: Vec<(u32, oneshot::Sender<io::Result<()>>)>,
    dirty: bool,
    now: bool,
    closing: bool,
}

impl Keeper {
    /// Starts the thread, which writes `every` so often as long as there is something to write.
    pub(crate) fn start(
        db: Arc<StateDb>,
        lane: Arc<Lane>,
        health: Arc<Health>,
        every: Duration,
    ) -> io::Result<(Arc<Self>, JoinHandle<()>)> {
        let keeper = Arc::new(Self { plan: Mutex::default(), wake: Condvar::new(), health });
        let thread = keeper.clone();
        let run = move || thread.run(&db, &lane, every);
        let thread = std::thread::Builder::new().name("raft-keep".into()).spawn(run)?;
        Ok((keeper, thread))
    }

    /// Writes nothing of a group any more, once what is being written is.
    pub(crate) fn forget(&self, pending: &Arc<Pending>) {
        self.lock().groups.retain(|other| !Arc::ptr_eq(other, pending));
    }

    /// Removes all rows of a group that was forgotten.
    pub(crate) async fn erase(&self, group: u32) -> io::Result<()> {
        let (done, ack) = oneshot::channel();
        {
            let mut plan = self.lock();
            self.health.check()?;
            if plan.closing {
                return Err(self.health.ended());
            }
            assert!(plan.groups.iter().all(|p| p.group != group), "an open group is not erased");
            plan.erasing.push((group, done));
        }
        self.wake.notify_one();
        ack.await.map_err(|_| self.health.ended())?
    }

    /// Lets the thread write what is left, and end.
    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.wake.notify_one();
    }

    fn wake(&self, now: bool) {
        let mut plan = self.lock();
        plan.dirty = true;
        plan.now |= now;
        drop(plan);
        self.wake.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Plan> {
        // Nothing panics while it holds the plan.
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, db: &StateDb, lane: &Lane, every: Duration) {
        loop {
            let idle = |plan: &mut Plan| !plan.dirty && !plan.is_asked();
            let calm = |plan: &mut Plan| !plan.now && !plan.is_asked();
            let plan = self.wake.wait_while(self.lock(), idle);
            let plan = plan.unwrap_or_else(PoisonError::into_inner);
            let plan = self.wake.wait_timeout_while(plan, every, calm);
            let (mut plan, _) = plan.unwrap_or_else(PoisonError::into_inner);
            (plan.dirty, plan.now) = (false, false);
            let waiting = std::mem::take(&mut plan.waiting);
            let erasing = std::mem::take(&mut plan.erasing);
            let groups = plan.groups.clone();
            let closing = plan.closing;
            drop(plan);

            let mut result = self.health.check().and_then(|()| write(db, lane, &groups));
            for done in waiting {
                let _ = done.send(same(&result));
            }
            for (group, done) in erasing {
                result = result.and_then(|()| Ok(db.erase(group)?));
                let _ = done.send(same(&result));
            }
            if let Err(error) = &result {
                self.health.fail(&error.to_string());
            }
            if closing || result.is_err() {
                break;
            }
        }
        // Nobody else ends the circle of groups that know the keeper that knows the groups.
        let mut plan = self.lock();
        plan.closing = true;
        plan.groups.clear();
        plan.waiting.clear();
        plan.erasing.clear();
    }
}

impl Plan {
    /// Whether somebody waits for an answer.
    fn is_asked(&self) -> bool {
        self.closing || !self.waiting.is_empty() || !self.erasing.is_empty()
    }
}

/// The same result for one more who waits.
fn same(result: &io::Result<()>) -> io::Result<()> {
    match result {
        Ok(()) => Ok(()),
        Err(error) => Err(io::Error::other(error.to_string())),
    }
}

fn write(db: &StateDb, lane: &Lane, groups: &[Arc<Pending>]) -> io::Result<()> {
    let mut changes = Vec::new();
    let mut floors = Vec::new();
    for pending in groups {
        if let Some(change) = pending.take() {
            floors.push((pending, change.state.floor));
            changes.push(change);
        }
    }
    if changes.is_empty() {
        return Ok(());
    }
    // What is applied may be durable on other nodes only: wait until it is in our log, too.
    let (done, ack) = oneshot::channel();
    lane.push(Op::Barrier { done })?;
    ack.blocking_recv().map_err(|_| io::Error::other("the node is stopped"))??;
    db.commit(&changes)?;
    for (pending, floor) in floors {
        pending.floor.send_if_modified(|durable| std::mem::replace(durable, floor) < floor);
    }
    Ok(())
}
