//! A node: its data directory, its threads, and the groups that share them.
//!
//! In come [`Options`]; out come [`Group`]s. Opening checks whose directory it is, and that nobody
//! else uses it; [`Node::shutdown`] makes the last applied rows durable.

use std::fs::{self, File, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use drave_proto::raft::raft_server::RaftServer;
use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::disk::{LogDb, Marks, Medium, Op, PAYLOAD_BYTES_MAX, StateDb, refused};
use crate::error::Error;
use crate::group::Group;
use crate::health::Health;
use crate::keeper::{Keeper, Pending};
use crate::lane::{Lane, LaneStats};
use crate::machine::{Machine, Recovered};
use crate::open::{self, Start};
use crate::pace::Pace;
use crate::peers::Peers;
use crate::reader::Reader;
use crate::replica::{Doubt, Doubtful, Replicas};
use crate::service::Service;
use crate::tls::Tls;

/// The version of what lies in the data directory.
pub const FORMAT_VERSION: u32 = 4;

/// A longer command is refused.
pub const COMMAND_BYTES_MAX: usize = 64 << 20;

/// No follower's window is larger: all groups of a peer share one of this size.
const WINDOW_BYTES_MAX: usize = 64 << 20;

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
    /// Where peers reach this node, as memberships of groups that it founds say it.
    pub address: String,
    /// How often a leader says that it is there. The idle cost of a group goes with it.
    pub heartbeat: Duration,
    /// After so long without a word of its leader a replica stands for election, drawn anew each
    /// time. Well above the heartbeat: whoever does not hear a few of them in a row is thought dead.
    pub election: Range<Duration>,
    /// Heartbeats wait so long for those of other groups to the same node.
    pub heartbeat_linger: Duration,
    /// Entries on their way to one follower of one group.
    pub stream_window_bytes: usize,
    /// How fast snapshots leave this node, over all groups.
    pub snapshot_bytes_per_second: u64,
    /// How this node proves who it is, and checks who others are; without it, nobody does.
    pub tls: Option<Tls>,
    /// Looks at every command that a group of this node which leads is about to take.
    pub admit: Option<Arc<dyn Admit>>,
}

/// Says whether there is room for a command. Asked for each one, so it is quick.
pub trait Admit: std::fmt::Debug + Send + Sync {
    /// Why the command of a group is not taken, if it is not. `full` are other voters that have no
    /// room, where without them there is no majority; else it is empty.
    fn admit(&self, group: u32, command: &[u8], full: &[u64]) -> Result<(), String>;

    /// Whether there is room for more on this node, as leaders elsewhere are told.
    fn has_room(&self) -> bool;
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
            address: String::new(),
            heartbeat: Duration::from_millis(300),
            election: Duration::from_millis(1300)..Duration::from_millis(1900),
            heartbeat_linger: Duration::from_millis(20),
            stream_window_bytes: 8 << 20,
            snapshot_bytes_per_second: 64 << 20,
            tls: None,
            admit: None,
        }
    }
}

/// Whose directory it is to be, where it is a new one. One that is there is what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A node that founds a cluster of `n_groups`.
    Found {
        /// How many groups the cluster begins with.
        n_groups: u32,
    },
    /// A node of a cluster that is there already. A directory of another one is refused.
    Join {
        /// Whose node it is.
        cluster_id: u128,
        /// How many groups that cluster began with.
        n_groups: u32,
    },
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
    /// Drawn at random once, too: a node that lost its directory and made a new one is not the
    /// one that its peers knew, whatever it calls itself. Memberships name it, every message to a
    /// member says it, and a node answers to its own alone. 0 in directories from before there
    /// were peers: it is not checked then.
    #[serde(default)]
    pub incarnation: u64,
}

impl Identity {
    /// The incarnation of a group's replica, after so many others of it were erased.
    pub(crate) fn incarnation_of(&self, epoch: u64) -> u64 {
        self.incarnation.wrapping_add(epoch)
    }
}

/// An open data directory.
pub struct Node {
    pub(crate) parts: Parts,
    replicas: Replicas,
    doubtful: Doubtful,
    service: RaftServer<Service>,
    groups: Mutex<Vec<Running>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// The task of the node's clock, from the first group on.
    pacing: OnceLock<tokio::task::JoinHandle<()>>,
    /// Held, not read: the lock ends with it.
    _lock: Option<File>,
}

/// What every group needs of its node.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) node_id: u64,
    pub(crate) identity: Identity,
    pub(crate) address: String,
    pub(crate) timing: Timing,
    pub(crate) pace: Arc<Pace>,
    pub(crate) stream_window_bytes: usize,
    pub(crate) peers: Peers,
    pub(crate) n_groups: u32,
    pub(crate) tail_cache_bytes: usize,
    pub(crate) queue_bytes: usize,
    pub(crate) queue: Arc<Semaphore>,
    pub(crate) lane: Arc<Lane>,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) reader: Reader,
    pub(crate) health: Arc<Health>,
    pub(crate) admit: Option<Arc<dyn Admit>>,
}

/// How leaders are told from dead ones.
#[derive(Debug, Clone)]
pub(crate) struct Timing {
    pub(crate) heartbeat: Duration,
    pub(crate) election: Range<Duration>,
}

impl Parts {
    /// Removes a closed group's replica: first it says that it will, so that a crash in between is
    /// noticed and the rest done at the next opening.
    pub(crate) async fn erase(&self, group: u32) -> Result<Marks, Error> {
        let stopped = |error: std::io::Error| Error::Stopped(error.to_string());
        self.erase_log(group, false).await.map_err(stopped)?;
        self.keeper.erase(group).await.map_err(stopped)?;
        self.erase_log(group, true).await.map_err(stopped)?;
        self.reader.marks(group).await
    }

    /// Waits until all that was asked of the logs is done.
    async fn settle(&self) -> std::io::Result<()> {
        self.lane.wait(|done| Op::Barrier { done }).await
    }

    /// One of the two steps in the log.
    pub(crate) async fn erase_log(&self, group: u32, at_last: bool) -> std::io::Result<()> {
        self.lane.wait(|done| Op::Erase { group, at_last, done }).await
    }
}

type Act = Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// A group's end of its own life.
pub(crate) struct Running {
    pub(crate) id: u32,
    pub(crate) stop: Act,
    /// Hands leadership to another node, if there is one.
    pub(crate) give_way: Act,
    pub(crate) task: tokio::task::JoinHandle<()>,
    pub(crate) pending: Arc<Pending>,
}

impl Running {
    /// Stops the group's core, then what works for it. In this order, and to the end: whoever asks
    /// openraft's core for something while it ends waits for whom waited first, and panics where
    /// that one did not wait to the end.
    async fn end(&self) {
        (self.stop)().await;
        self.task.abort();
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("identity", &self.parts.identity).finish_non_exhaustive()
    }
}

impl Node {
    /// Opens the data directory, or makes a new one as `origin` says. Blocks: after a crash it
    /// reads all of the log to check it.
    pub fn open(options: &Options, origin: Origin) -> Result<Self, Error> {
        let dir = &options.dir;
        fs::create_dir_all(dir).map_err(|error| refused(dir, error))?;
        let lock = lock(dir)?;
        let log = Medium::file(dir.join("log.redb"));
        let state = Medium::file(dir.join("state.redb"));
        Self::open_on(options, origin, log, state, Some(lock))
    }

    pub(crate) fn open_on(
        options: &Options,
        origin: Origin,
        log: Medium,
        state: Medium,
        lock: Option<File>,
    ) -> Result<Self, Error> {
        let log = Arc::new(LogDb::open(log)?);
        let state = Arc::new(StateDb::open(state)?);
        let identity = identify(&log, &state, || {
            let (cluster_id, n_groups) = match origin {
                Origin::Found { n_groups } => (random_id(), n_groups),
                Origin::Join { cluster_id, n_groups } => (cluster_id, n_groups),
            };
            let [incarnation, _] = crate::peers::halves(random_id());
            let (node_id, format_version) = (options.node_id, FORMAT_VERSION);
            Identity { cluster_id, node_id, format_version, n_groups, incarnation }
        })?;
        check(&identity, options, origin)?;
        let health = Arc::new(Health::default());
        let no_thread = |error| refused(&options.dir, error);
        let (lane, writer) = Lane::start(log.clone(), health.clone()).map_err(no_thread)?;
        let (keeper, keeping) =
            Keeper::start(state.clone(), lane.clone(), health.clone(), options.durable_every)
                .map_err(no_thread)?;
        let (reader, reading) = Reader::start(&log, &state).map_err(no_thread)?;
        let queue_bytes = options.lane_queue_bytes.clamp(1, Semaphore::MAX_PERMITS);
        let replicas = Replicas::default();
        let doubtful = Doubtful::default();
        let peers = Peers::new(&identity, options);
        let service = Service::new(
            identity.clone(),
            replicas.clone(),
            doubtful.clone(),
            reader.clone(),
            queue_bytes,
            peers.clone(),
            options.admit.clone(),
        );
        let parts = Parts {
            node_id: options.node_id,
            n_groups: identity.n_groups,
            identity,
            address: options.address.clone(),
            pace: Pace::new(options.heartbeat, &options.election),
            timing: Timing { heartbeat: options.heartbeat, election: options.election.clone() },
            stream_window_bytes: options.stream_window_bytes.clamp(1, WINDOW_BYTES_MAX),
            peers,
            tail_cache_bytes: options.tail_cache_bytes,
            queue_bytes,
            queue: Arc::new(Semaphore::new(queue_bytes)),
            lane,
            keeper,
            reader,
            health,
            admit: options.admit.clone(),
        };
        Ok(Self {
            parts,
            replicas,
            doubtful,
            service,
            groups: Mutex::default(),
            // The keeper waits for the lane, so it is joined first.
            threads: Mutex::new([keeping, writer].into_iter().chain(reading).collect()),
            pacing: OnceLock::new(),
            _lock: lock,
        })
    }

    /// Whose directory this is.
    pub fn identity(&self) -> &Identity {
        &self.parts.identity
    }

    /// The other nodes, as this one reaches them.
    pub fn peers(&self) -> &Peers {
        &self.parts.peers
    }

    /// What this node answers to its peers, to be served on its peer port: see
    /// [`crate::peer_server`].
    pub fn service(&self) -> RaftServer<Service> {
        self.service.clone()
    }

    /// What the lane has written since the node was opened.
    pub fn lane_stats(&self) -> LaneStats {
        self.parts.lane.stats()
    }

    /// Why nothing is written any more, once that is so.
    pub fn failed(&self) -> Option<String> {
        self.parts.health.failed().map(str::to_owned)
    }

    /// Opens a group, and starts what keeps it going. `start` says how one begins that is not on
    /// this node's disk yet. Its leader is elected in the background: [`Group::propose`] and
    /// [`Group::read_index`] wait for that.
    ///
    /// `build` makes the machine from what was persisted, here and whenever a snapshot is
    /// installed; it runs in the caller's task. A group is opened once, until it is closed. Groups that are
    /// opened at the same time are also read at the same time.
    pub async fn group<M, E>(
        &self,
        id: u32,
        start: Start,
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
        let (group, running) = open::open(&self.parts, id, start, build).await?;
        self.lock().push(running);
        self.replicas.insert(id, Arc::new(group.clone()));
        let pace = || tokio::spawn(self.parts.pace.clone().run(self.replicas.clone()));
        self.pacing.get_or_init(pace);
        Ok(group)
    }

    /// From now on, and as long as the answer is held, nobody is told which replica of a group this
    /// node has: it may be erased. Whoever decides to erase it doubts it first. A leader that takes
    /// this node in again meanwhile would know a replica that is about to go, and count on it.
    pub fn doubt(&self, group: u32) -> Doubt {
        self.doubtful.doubt(group)
    }

    /// Stops one group, if it is open, after it handed its leadership on. With `erase` its log and
    /// rows are removed; do that only once this node is no member any more, or where the group
    /// cannot be opened. Whatever was erased, a group may be opened again later.
    pub async fn close_group(&self, id: u32, erase: bool) -> Result<(), Error> {
        let running = {
            let mut groups = self.lock();
            let at = groups.iter().position(|running| running.id == id);
            at.map(|at| groups.swap_remove(at))
        };
        if let Some(running) = running {
            (running.give_way)().await;
            self.replicas.remove(id);
            running.end().await;
            let stopped = |error: std::io::Error| Error::Stopped(error.to_string());
            running.pending.flush().await.map_err(stopped)?;
            // What is still on its way to the log would meet whoever opens the group again.
            self.parts.settle().await.map_err(stopped)?;
            self.parts.keeper.forget(&running.pending);
        }
        if erase {
            self.parts.erase(id).await?;
        }
        Ok(())
    }

    /// Hands leadership on where another voter can take it, which takes a few seconds at most;
    /// then stops every group, makes the last applied rows durable, and closes the files.
    pub async fn shutdown(self) -> Result<(), Error> {
        self.stop().await
    }

    /// The same for a node that others still hold: the files are closed once nobody does.
    pub async fn stop(&self) -> Result<(), Error> {
        let groups = std::mem::take(&mut *self.lock());
        join_all(groups.iter().map(|running| (running.give_way)())).await;
        self.replicas.clear();
        self.stop_pacing();
        for running in groups {
            running.end().await;
        }
        self.parts.peers.close();
        self.parts.keeper.close();
        let threads = self.take_threads();
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

    fn stop_pacing(&self) {
        if let Some(pacing) = self.pacing.get() {
            pacing.abort();
        }
    }

    fn take_threads(&self) -> Vec<JoinHandle<()>> {
        std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner))
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
        self.parts.peers.close();
        self.replicas.clear();
        self.stop_pacing();
        for running in self.lock().drain(..) {
            // The first step tells the group's core to end; nobody waits for it.
            let mut stop = (running.stop)();
            let rest = (&mut stop).now_or_never().is_none();
            if rest && let Ok(runtime) = Handle::try_current() {
                runtime.spawn(stop);
            }
            running.task.abort();
        }
        self.parts.lane.close();
        self.parts.keeper.close();
        self.parts.reader.close();
        for thread in self.take_threads() {
            // A thread that panicked has latched the node and told its log.
            let _ = thread.join();
        }
    }
}

/// Refuses a directory of another node or cluster.
fn check(identity: &Identity, options: &Options, origin: Origin) -> Result<(), Error> {
    let other = |what: String| Err(Error::Identity { path: options.dir.clone(), what });
    if identity.node_id != options.node_id {
        return other(format!(
            "it belongs to node {}, and this is node {}: choose another data directory or node id",
            identity.node_id, options.node_id
        ));
    }
    match origin {
        Origin::Join { cluster_id, .. } if cluster_id != identity.cluster_id => other(format!(
            "it belongs to cluster {:032x}, not to {cluster_id:032x}: choose another data \
             directory, or move this one away to join with an empty one",
            identity.cluster_id
        )),
        Origin::Join { .. } | Origin::Found { .. } => Ok(()),
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
