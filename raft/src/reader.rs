//! The reader threads: what is no longer in memory is read here, never on the caller's runtime.
//!
//! In come requests for a group's state at start or for a range of entries; out go the answers.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::{cmp, io};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::disk::{GroupState, LoadedLog, LogDb, Marks, StateDb};
use crate::error::Error;
use crate::types::Entry;

/// Each waiting request belongs to a task that awaits it, so the queue stays short.
const REQUESTS_MAX: usize = 64;

/// Groups that are opened at the same time are read at the same time.
const N_THREADS: usize = 2;

/// All that the disk knows of a group.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) state: GroupState,
    pub(crate) rows: Vec<(Vec<u8>, Bytes)>,
    pub(crate) log: LoadedLog,
}

enum Request {
    Load {
        group: u32,
        reply: oneshot::Sender<Result<Loaded, Error>>,
    },
    Marks {
        group: u32,
        reply: oneshot::Sender<Result<Marks, Error>>,
    },
    Entries {
        group: u32,
        range: Range<u64>,
        bytes_max: usize,
        reply: oneshot::Sender<Result<Vec<Entry>, Error>>,
    },
    /// Look whether to stop.
    Wake,
}

/// Sends requests to the threads.
#[derive(Clone)]
pub(crate) struct Reader {
    requests: mpsc::Sender<Request>,
    closing: Arc<AtomicBool>,
}

impl Reader {
    /// Starts the threads.
    pub(crate) fn start(
        log: &Arc<LogDb>,
        state: &Arc<StateDb>,
    ) -> io::Result<(Self, Vec<JoinHandle<()>>)> {
        let (tx, rx) = mpsc::channel(REQUESTS_MAX);
        let rx = Arc::new(Mutex::new(rx));
        let reader = Self { requests: tx, closing: Arc::new(AtomicBool::new(false)) };
        let start = |n: usize| {
            let (log, state, rx) = (log.clone(), state.clone(), rx.clone());
            let closing = reader.closing.clone();
            let run = move || run(&log, &state, &rx, &closing);
            std::thread::Builder::new().name(format!("raft-read-{n}")).spawn(run)
        };
        let threads = (0..N_THREADS).map(start).collect::<io::Result<_>>()?;
        Ok((reader, threads))
    }

    /// Ends the threads after what they read right now. Groups may hold this handle for longer.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Release);
        for _ in 0..N_THREADS {
            // Where the queue is full, they look anyway.
            let _ = self.requests.try_send(Request::Wake);
        }
    }

    /// A group's state and log.
    pub(crate) async fn load(&self, group: u32) -> Result<Loaded, Error> {
        self.ask(|reply| Request::Load { group, reply }).await
    }

    /// What is known of a group's replica besides its log.
    pub(crate) async fn marks(&self, group: u32) -> Result<Marks, Error> {
        self.ask(|reply| Request::Marks { group, reply }).await
    }

    /// Entries of `range` in order: at least one where there is one, and about `bytes_max`.
    pub(crate) async fn entries(
        &self,
        group: u32,
        range: Range<u64>,
        bytes_max: usize,
    ) -> Result<Vec<Entry>, Error> {
        self.ask(|reply| Request::Entries { group, range, bytes_max, reply }).await
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, Error>>) -> Request,
    ) -> Result<T, Error> {
        let stopped = || Error::Stopped("the node is stopped".into());
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

fn run(
    log: &LogDb,
    state: &StateDb,
    requests: &Mutex<mpsc::Receiver<Request>>,
    closing: &AtomicBool,
) {
    loop {
        // One thread waits for the next request, the others for their turn to wait.
        let next = requests.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        let Some(request) = next else { return };
        if closing.load(Ordering::Acquire) {
            return;
        }
        // Whoever asked may have gone away.
        match request {
            Request::Load { group, reply } => {
                let _ = reply.send(load(log, state, group));
            }
            Request::Entries { group, range, bytes_max, reply } => {
                let _ = reply.send(log.entries(group, range, bytes_max));
            }
            Request::Marks { group, reply } => {
                let _ = reply.send(log.marks(group));
            }
            Request::Wake => {}
        }
    }
}

fn load(log: &LogDb, state: &StateDb, group: u32) -> Result<Loaded, Error> {
    let state_path = state.path().to_owned();
    let (state, rows) = state.load(group)?;
    let applied = state.applied.map_or(0, |id| id.index);
    let wal = cmp::max(state.floor, 1)..applied + 1;
    let log_path = log.path().to_owned();
    let log = log.load(group, wal.clone())?;

    // The log is purged below the durable floor only: what is gone from it must be in the rows.
    if let Some(purged) = log.purged
        && purged.index >= state.floor
    {
        let floor = state.floor;
        return Err(Error::Damaged {
            path: state_path,
            what: format!(
                "its rows of group {group} reach up to {floor}, and the log was purged up to {}",
                purged.index
            ),
        });
    }

    let last = match log.entries.len() {
        0 => log.purged.map_or(0, |id| id.index),
        len => log.first + len as u64 - 1,
    };
    // The bound is written a little later than the entries, so a shorter log has lost some.
    if let Some(logged) = state.logged
        && last < logged.index
    {
        return Err(Error::LogReverted {
            path: log_path,
            group,
            found: last,
            expected: logged.index,
        });
    }
    let found = log.wal.len() as u64;
    if found < wal.end.saturating_sub(wal.start) {
        let mut pairs = (wal.start..).zip(&log.wal);
        let hole = pairs.find(|(wanted, (index, _))| wanted != index);
        let index = hole.map_or(wal.start + found, |(wanted, _)| wanted);
        return Err(Error::Corrupt {
            path: log_path,
            group,
            index,
            what: format!("of {}..{} only {found} are there", wal.start, wal.end),
        });
    }
    Ok(Loaded { state, rows, log })
}
