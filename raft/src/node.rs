//! A node: its data directory, its threads, and the groups that share them.
//!
//! In come [`Options`]; out come [`Group`]s. Opening checks whose directory it is, and that nobody
//! else uses it; [`Node::shutdown`] makes the last applied rows durable.

use std::fs::{self, File, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::disk::{LogDb, Medium, PAYLOAD_BYTES_MAX, StateDb, refused};
use crate::error::Error;
use crate::group::{self, Group};
use crate::health::Health;
use crate::keeper::Keeper;
use crate::lane::{Lane, LaneStats};
use crate::machine::{Machine, Recovered};
use crate::reader::Reader;

/// The version of what lies in the data directory.
pub const FORMAT_VERSION: u32 = 1;

/// A longer command is refused.
pub const COMMAND_BYTES_MAX: usize = 64 << 20;

const _: () = assert!(COMMAND_BYTES_MAX < PAYLOAD_BYTES_MAX);

/// How a node is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// The data directory; made if it is not there.
    pub dir: PathBuf,
    /// The node's name in its groups.
    pub node_id: u64,
    /// How often applied rows become durable. A restart applies again what came later, so this
    /// bounds how long a start takes, not what is lost: nothing is.
    pub durable_every: Duration,
    /// Entries kept in memory for replicas that lag a little, over all groups.
    pub tail_cache_bytes: usize,
    /// Commands proposed and not yet applied, over all groups; more must wait.
    pub lane_queue_bytes: usize,
}

impl Options {
    /// The defaults, for the node's data in `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            node_id: 1,
            durable_every: Duration::from_secs(1),
            tail_cache_bytes: 64 << 20,
            lane_queue_bytes: 128 << 20,
        }
    }
}

/// What was decided when the directory was made; checked each time it is opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Drawn at random once, so that data of two clusters are never mixed.
    pub cluster_id: u128,
    /// The node's name in its groups.
    pub node_id: u64,
    /// The version of what lies in the directory.
    pub format_version: u32,
    /// How many groups were wanted at first: the number of shards is fixed at init.
    pub n_groups: u32,
}

/// An open data directory.
pub struct Node {
    pub(crate) parts: Parts,
    identity: Identity,
    groups: Mutex<Vec<Running>>,
    threads: Vec<JoinHandle<()>>,
    /// Held, not read: the lock ends with it.
    _lock: Option<File>,
}

/// What every group needs of its node.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) node_id: u64,
    pub(crate) n_groups: u32,
    pub(crate) tail_cache_bytes: usize,
    pub(crate) queue_bytes: usize,
    pub(crate) queue: Arc<Semaphore>,
    pub(crate) lane: Arc<Lane>,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) reader: Reader,
    pub(crate) health: Arc<Health>,
}

/// A group's end of its own life.
pub(crate) struct Running {
    pub(crate) id: u32,
    pub(crate) stop: Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>,
    pub(crate) task: tokio::task::JoinHandle<()>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl Node {
    /// Opens the data directory, or makes a new one for `n_groups_if_new` groups. Blocks: after a
    /// crash it reads all of the log to check it.
    pub fn open(options: &Options, n_groups_if_new: u32) -> Result<Self, Error> {
        let dir = &options.dir;
        fs::create_dir_all(dir).map_err(|error| refused(dir, error))?;
        let lock = lock(dir)?;
        let log = Medium::file(dir.join("log.redb"));
        let state = Medium::file(dir.join("state.redb"));
        Self::open_on(options, n_groups_if_new, log, state, Some(lock))
    }

    pub(crate) fn open_on(
        options: &Options,
        n_groups_if_new: u32,
        log: Medium,
        state: Medium,
        lock: Option<File>,
    ) -> Result<Self, Error> {
        let log = Arc::new(LogDb::open(log)?);
        let state = Arc::new(StateDb::open(state)?);
        let identity = identify(&log, &state, || Identity {
            cluster_id: random_id(),
            node_id: options.node_id,
            format_version: FORMAT_VERSION,
            n_groups: n_groups_if_new,
        })?;
        if identity.node_id != options.node_id {
            return Err(Error::Identity {
                path: options.dir.clone(),
                what: format!(
                    "it belongs to node {}, and this is node {}: choose another data directory or \
                     node id",
                    identity.node_id, options.node_id
                ),
            });
        }
        let health = Arc::new(Health::default());
        let no_thread = |error| refused(&options.dir, error);
        let (lane, writer) = Lane::start(log.clone(), health.clone()).map_err(no_thread)?;
        let (keeper, keeping) =
            Keeper::start(state.clone(), lane.clone(), health.clone(), options.durable_every)
                .map_err(no_thread)?;
        let (reader, reading) = Reader::start(&log, &state).map_err(no_thread)?;
        let queue_bytes = options.lane_queue_bytes.clamp(1, Semaphore::MAX_PERMITS);
        let parts = Parts {
            node_id: options.node_id,
            n_groups: identity.n_groups,
            tail_cache_bytes: options.tail_cache_bytes,
            queue_bytes,
            queue: Arc::new(Semaphore::new(queue_bytes)),
            lane,
            keeper,
            reader,
            health,
        };
        Ok(Self {
            parts,
            identity,
            groups: Mutex::default(),
            // The keeper waits for the lane, so it is joined first.
            threads: [keeping, writer].into_iter().chain(reading).collect(),
            _lock: lock,
        })
    }

    /// Whose directory this is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What the lane has written since the node was opened.
    pub fn lane_stats(&self) -> LaneStats {
        self.parts.lane.stats()
    }

    /// Why nothing is written any more, once that is so.
    pub fn failed(&self) -> Option<String> {
        self.parts.health.failed().map(str::to_owned)
    }

    /// Opens a group, with this node as its only voter, and starts what keeps it going. Its leader
    /// is elected in the background: [`Group::propose`] and [`Group::read_index`] wait for that.
    ///
    /// `build` makes the machine from what was persisted, here and whenever a snapshot is
    /// installed; it runs in the caller's task. A group is opened once. Opened at the same time,
    /// groups are also read at the same time.
    pub async fn group<M, E>(
        &self,
        id: u32,
        build: impl Fn(Recovered) -> Result<M, E> + Send + Sync + 'static,
    ) -> Result<Group<M>, Error>
    where
        M: Machine,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        assert!(id < u32::MAX - 1, "the last numbers name the node's own rows");
        assert!(self.lock().iter().all(|other| other.id != id), "a group is opened once");
        let build =
            Box::new(move |recovered| build(recovered).map_err(|error| error.into().to_string()));
        let (group, running) = group::open(&self.parts, id, build).await?;
        self.lock().push(running);
        Ok(group)
    }

    /// Stops every group, makes the last applied rows durable, and closes the files.
    pub async fn shutdown(mut self) -> Result<(), Error> {
        let groups = std::mem::take(&mut *self.lock());
        for running in groups {
            running.task.abort();
            (running.stop)().await;
        }
        self.parts.keeper.close();
        let threads = std::mem::take(&mut self.threads);
        let lane = self.parts.lane.clone();
        self.parts.reader.close();
        let (done, ended) = tokio::sync::oneshot::channel();
        // Joining blocks for a last commit or two, so it has a thread of its own.
        let join = move || {
            let mut whole = true;
            for thread in threads {
                whole &= thread.join().is_ok();
                lane.close();
            }
            let _ = done.send(whole);
        };
        let spawned = std::thread::Builder::new().name("raft-stop".into()).spawn(join);
        spawned.map_err(|error| Error::Stopped(error.to_string()))?;
        let whole = ended.await.unwrap_or(false);
        let failed = self.failed();
        self.parts.health.stop();
        match failed {
            Some(reason) => Err(Error::Stopped(reason)),
            None if !whole => Err(Error::Stopped("a thread of the node panicked".into())),
            None => Ok(()),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Running>> {
        // Nothing panics while it holds the list.
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Without [`Node::shutdown`] the node stops where it stands, as if killed: what was acknowledged
/// is in the log, and the next start applies it again.
impl Drop for Node {
    fn drop(&mut self) {
        self.parts.health.stop();
        for running in self.lock().drain(..) {
            running.task.abort();
        }
        self.parts.lane.close();
        self.parts.keeper.close();
        self.parts.reader.close();
        for thread in self.threads.drain(..) {
            // A thread that panicked has latched the node and told its log.
            let _ = thread.join();
        }
    }
}

/// Takes the directory for this process.
fn lock(dir: &Path) -> Result<File, Error> {
    let path = dir.join("LOCK");
    let file = File::options().read(true).write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(|error| refused(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse { dir: dir.to_owned() }),
        Err(TryLockError::Error(error)) => Err(refused(&path, error)),
    }
}

/// Reads both files' identity, or writes it to new ones: first to the log, then to the state, so
/// that a state without a log can only mean that the log was lost.
fn identify(
    log: &LogDb,
    state: &StateDb,
    new: impl FnOnce() -> Identity,
) -> Result<Identity, Error> {
    let lost = |path: &Path, other: &Path| Error::Identity {
        path: path.to_owned(),
        what: format!(
            "it is empty but {} is not: restore it from a copy, or remove both to start anew",
            other.display()
        ),
    };
    match (log.identity()?, state.identity()?) {
        (Some(log_id), Some(state_id)) if log_id == state_id => Ok(log_id),
        (Some(_), Some(_)) => Err(Error::Identity {
            path: log.path().to_owned(),
            what: format!(
                "it belongs to another node than {}: put the files back that belong together",
                state.path().display()
            ),
        }),
        (None, Some(_)) => Err(lost(log.path(), state.path())),
        (Some(identity), None) if log.is_unused()? => {
            state.create(&identity)?;
            Ok(identity)
        }
        (Some(_), None) => Err(lost(state.path(), log.path())),
        (None, None) => {
            let identity = new();
            log.create(&identity)?;
            state.create(&identity)?;
            Ok(identity)
        }
    }
}

/// A number nobody else has. The standard library's hasher keys come from the system's randomness.
fn random_id() -> u128 {
    let half = || u128::from(RandomState::new().hash_one(std::process::id()));
    half() << 64 | half()
}
