//! The lane: one queue and one thread that write every group's log, one fsync for all that waits.
//!
//! In come [`Op`]s from the groups' cores; out go acknowledgements, after the commit returned.
//!
//! Invariants:
//! - First in, first out: a group's votes and entries reach the disk in the order they were asked.
//! - Nothing is acknowledged before the commit that holds it returned `Ok`.
//! - What arrives while a commit runs is the next batch. Only a lane that is busy, whose last batch
//!   held entries of several proposals, gathers for a moment more; whoever is alone never waits.
//! - After a failed commit every later operation fails with the same words.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::disk::{Ack, LogDb, Op, PurgeSlice};
use crate::error::Error;
use crate::health::Health;
use crate::types::LogId;

/// One commit holds about this much, so that an fsync is never far away.
const BATCH_BYTES_MAX: usize = 16 << 20;

/// What is committed is noted so often, along with something else: it only spares a replica that
/// starts again the wait for its leader's word, and is a page of the tree each time.
const NOTE_EVERY: Duration = Duration::from_secs(1);

/// How long a busy lane gathers. A commit costs about a millisecond of processor time, however much
/// is in it: see `docs/decisions/2026-11-28-a-busy-lane-gathers.md`.
const GATHER_TIME: Duration = Duration::from_millis(4);

/// What the lane has done since the node started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LaneStats {
    /// Commits, each with one fsync.
    pub commits: u64,
    /// Entries written.
    pub entries: u64,
    /// Payload bytes written.
    pub bytes: u64,
    /// All bytes written to the file.
    pub written_bytes: u64,
}

/// The queue's end that groups hold.
pub(crate) struct Lane {
    queue: Mutex<Queue>,
    wake: Condvar,
    health: Arc<Health>,
    commits: AtomicU64,
    entries: AtomicU64,
    bytes: AtomicU64,
    written_bytes: AtomicU64,
}

#[derive(Default)]
struct Queue {
    ops: VecDeque<Op>,
    /// Purges wait apart and ride along, one slice per commit, so that they never delay a push.
    purges: VecDeque<PurgeSlice>,
    /// What each group committed since that was noted last, and when that was.
    committed: BTreeMap<u32, LogId>,
    noted: Option<Instant>,
    closing: bool,
}

impl Queue {
    /// What was committed, if it is time to note it: once everything before it was taken.
    fn take_committed(&mut self) -> impl Iterator<Item = Op> + use<> {
        let is_time = self.noted.is_none_or(|noted| noted.elapsed() >= NOTE_EVERY) || self.closing;
        let committed = match is_time && self.ops.is_empty() {
            true => std::mem::take(&mut self.committed),
            false => BTreeMap::new(),
        };
        if !committed.is_empty() {
            self.noted = Some(Instant::now());
        }
        let op = |(group, committed)| Op::Committed { group, committed };
        committed.into_iter().map(op)
    }
}

struct Batch {
    ops: Vec<Op>,
    purge: Option<PurgeSlice>,
}

impl Lane {
    /// Starts the writer thread.
    pub(crate) fn start(
        db: Arc<LogDb>,
        health: Arc<Health>,
    ) -> io::Result<(Arc<Self>, JoinHandle<()>)> {
        let lane = Arc::new(Self {
            queue: Mutex::default(),
            wake: Condvar::new(),
            health,
            commits: AtomicU64::new(0),
            entries: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            written_bytes: AtomicU64::new(0),
        });
        let writer = lane.clone();
        let thread =
            std::thread::Builder::new().name("raft-lane".into()).spawn(move || writer.run(&db))?;
        Ok((lane, thread))
    }

    /// Queues an operation. The caller's share of the node's byte budget bounds the queue.
    pub(crate) fn push(&self, op: Op) -> io::Result<()> {
        let mut queue = self.lock();
        self.health.check()?;
        if queue.closing {
            return Err(closed());
        }
        if let Op::Reset { group, .. } | Op::Erase { group, .. } = &op {
            // It removes more than they would, and they must not move the mark back.
            queue.purges.retain(|slice| slice.group != *group);
            queue.committed.remove(group);
        }
        queue.ops.push_back(op);
        if queue.ops.len() == 1 {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Queues an operation and waits until it is durable.
    pub(crate) async fn wait(&self, op: impl FnOnce(Ack) -> Op) -> io::Result<()> {
        let (done, ack) = oneshot::channel();
        self.push(op(done))?;
        ack.await.map_err(|_| closed())?
    }

    /// Takes in what a group has committed, of which everything was pushed before.
    pub(crate) fn committed(&self, group: u32, committed: LogId) -> io::Result<()> {
        let mut queue = self.lock();
        self.health.check()?;
        queue.committed.insert(group, committed);
        Ok(())
    }

    /// Queues the removal of entries that nobody needs.
    pub(crate) fn purge(&self, slices: impl IntoIterator<Item = PurgeSlice>) -> io::Result<()> {
        let mut queue = self.lock();
        self.health.check()?;
        queue.purges.extend(slices);
        self.wake.notify_one();
        Ok(())
    }

    /// What was done so far.
    pub(crate) fn stats(&self) -> LaneStats {
        LaneStats {
            commits: self.commits.load(Ordering::Relaxed),
            entries: self.entries.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            written_bytes: self.written_bytes.load(Ordering::Relaxed),
        }
    }

    /// Lets the thread finish what is queued, and end.
    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.wake.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics while it holds the queue.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, db: &LogDb) {
        let mut is_busy = false;
        while let Some(batch) = self.next(is_busy) {
            is_busy = batch.ops.iter().filter(|op| matches!(op, Op::Append { .. })).count() > 1;
            match db.commit(&batch.ops, batch.purge) {
                Ok(()) => {
                    self.commits.fetch_add(1, Ordering::Relaxed);
                    self.written_bytes.store(db.written_bytes(), Ordering::Relaxed);
                    for op in batch.ops {
                        self.acknowledge(op);
                    }
                }
                Err(error) => {
                    self.fail(batch, &error);
                    return;
                }
            }
        }
    }

    /// Waits for the next batch; nothing once the lane is closed and empty, or the node stopped.
    fn next(&self, is_busy: bool) -> Option<Batch> {
        let mut queue = self
            .wake
            .wait_while(self.lock(), |queue| {
                queue.ops.is_empty() && queue.purges.is_empty() && !queue.closing
            })
            .unwrap_or_else(PoisonError::into_inner);
        if is_busy && !queue.closing {
            // Nobody is woken by what comes meanwhile.
            let gathered = self.wake.wait_timeout_while(queue, GATHER_TIME, |q| !q.closing);
            queue = gathered.unwrap_or_else(PoisonError::into_inner).0;
        }
        if self.health.failed().is_some() {
            let rest = std::mem::take(&mut queue.ops).into();
            drop(queue);
            self.refuse(rest);
            return None;
        }
        let mut ops = Vec::new();
        let mut bytes = 0;
        while bytes < BATCH_BYTES_MAX
            && let Some(op) = queue.ops.pop_front()
        {
            if let Op::Append { bytes: more, .. } = &op {
                bytes += more;
            }
            ops.push(op);
        }
        ops.extend(queue.take_committed());
        // What empties a log comes first.
        let purge =
            queue.purges.pop_front_if(|slice| !ops.iter().any(|op| op.empties(slice.group)));
        (!ops.is_empty() || purge.is_some()).then_some(Batch { ops, purge })
    }

    fn acknowledge(&self, op: Op) {
        match op {
            Op::Append { entries, bytes, done, flushed, .. } => {
                self.entries.fetch_add(entries.len() as u64, Ordering::Relaxed);
                self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
                if let Some(last) = entries.last() {
                    flushed.store(last.log_id.index + 1, Ordering::Release);
                }
                done.io_completed(Ok(()));
            }
            Op::Vote { done, .. }
            | Op::Truncate { done, .. }
            | Op::Reset { done, .. }
            | Op::Erase { done, .. }
            | Op::Barrier { done } => {
                // Whoever waited may have been stopped meanwhile.
                let _ = done.send(Ok(()));
            }
            Op::Committed { .. } => {}
        }
    }

    /// Latches the node, and tells everybody who waits.
    fn fail(&self, batch: Batch, error: &Error) {
        self.health.fail(&error.to_string());
        let mut queue = self.lock();
        let mut ops = batch.ops;
        ops.extend(queue.ops.drain(..));
        drop(queue);
        self.refuse(ops);
    }

    fn refuse(&self, ops: Vec<Op>) {
        let error = || self.health.check().err().unwrap_or_else(closed);
        for op in ops {
            match op {
                Op::Append { done, .. } => done.io_completed(Err(error())),
                Op::Vote { done, .. }
                | Op::Truncate { done, .. }
                | Op::Reset { done, .. }
                | Op::Erase { done, .. }
                | Op::Barrier { done } => {
                    let _ = done.send(Err(error()));
                }
                Op::Committed { .. } => {}
            }
        }
    }
}

fn closed() -> io::Error {
    io::Error::other("the node is stopped")
}
