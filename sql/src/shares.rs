//! What statements may use together: memory, disk, and turns to run.
//!
//! ```text
//! node  >  tenant  >  statement
//! ```
//!
//! In go the bounds of each; out comes, per statement, a runtime of DataFusion whose memory and
//! temporary files are drawn from all three. What can go to disk does so when memory ends; what
//! cannot ends its own statement.
//!
//! - Nothing is held that was not drawn, at every level, and all of it comes back with the statement.
//! - One tenant leaves room for others, where there are others.
//! - Temporary files are in one directory, which is emptied at start.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use bytes::Bytes;
use datafusion::common::Result;
use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::{DiskManager, DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SpillFile, SpillWriter, TempFileFactory};
use futures::Stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::activity::Cost;
use crate::error::SqlError;
use crate::server::Options;

/// Statements that run at once, at least: one whose client reads slowly holds its turn.
const TURNS_MIN: usize = 32;
/// How long a statement waits for its turn.
const TURN_MAX: Duration = Duration::from_secs(10);

/// The node's share, and those of its tenants.
pub(crate) struct Shares {
    node: Arc<Share>,
    tenants: Mutex<HashMap<String, Weak<Share>>>,
    tenant: Bounds,
    statement_memory: usize,
    base: RuntimeEnv,
    /// Where temporary files are made, if they may be.
    disk: Option<Arc<DiskManager>>,
}

#[derive(Clone, Copy)]
struct Bounds {
    memory: u64,
    disk: u64,
    turns: usize,
}

/// What some statements may use together.
pub(crate) struct Share {
    memory: Budget,
    disk: Budget,
    turns: Arc<Semaphore>,
}

impl Share {
    fn new(bounds: Bounds) -> Share {
        let turns = Arc::new(Semaphore::new(bounds.turns));
        Share { memory: Budget::new(bounds.memory), disk: Budget::new(bounds.disk), turns }
    }
}

/// A turn to run a statement. It ends when this is dropped.
pub(crate) struct Turn {
    _tenant: OwnedSemaphorePermit,
    _node: OwnedSemaphorePermit,
}

impl Shares {
    /// Empties the directory of temporary files.
    pub(crate) fn new(options: &Options) -> Result<Shares> {
        let disk = options.spill_dir.as_deref().map(empty).transpose()?;
        let turns = TURNS_MIN.max(options.threads * 8);
        let node = options.memory_bytes as u64;
        let tenant = (options.tenant_memory_bytes as u64).min(node);
        // Disk and turns are shared out as memory is.
        let part = |of: u64| {
            let part = u128::from(of) * u128::from(tenant) / u128::from(node.max(1));
            u64::try_from(part).unwrap_or(of)
        };
        let spill = options.spill_bytes;
        let tenant_turns = usize::try_from(part(turns as u64)).unwrap_or(turns).max(1);
        Ok(Shares {
            node: Arc::new(Share::new(Bounds { memory: node, disk: spill, turns })),
            tenants: Mutex::default(),
            tenant: Bounds { memory: tenant, disk: part(spill), turns: tenant_turns },
            statement_memory: options.statement_memory_bytes.min(options.memory_bytes),
            base: planning(options.statement_memory_bytes)?,
            disk,
        })
    }

    /// A runtime for what is not run.
    pub(crate) fn idle(&self) -> Arc<RuntimeEnv> {
        Arc::new(self.base.clone())
    }

    /// What one statement may hold in memory.
    pub(crate) fn statement_memory(&self) -> usize {
        self.statement_memory
    }

    /// The share of a tenant.
    pub(crate) fn of(&self, tenant: &str) -> Arc<Share> {
        let mut tenants = self.tenants.lock().expect("no code panics while it holds the shares");
        if let Some(share) = tenants.get(tenant).and_then(Weak::upgrade) {
            return share;
        }
        // Of those that nobody holds any more there are never many more than are held.
        tenants.retain(|_, share| share.strong_count() > 0);
        let share = Arc::new(Share::new(self.tenant));
        tenants.insert(tenant.to_owned(), Arc::downgrade(&share));
        share
    }

    /// Waits for a turn to run a statement.
    pub(crate) async fn turn(&self, tenant: &Share) -> Result<Turn, SqlError> {
        let both = async {
            // The tenant's first: its statements wait for each other, not at the node's door.
            let own = tenant.turns.clone().acquire_owned().await?;
            Ok::<_, tokio::sync::AcquireError>((
                own,
                self.node.turns.clone().acquire_owned().await?,
            ))
        };
        match tokio::time::timeout(TURN_MAX, both).await {
            Ok(Ok((_tenant, _node))) => Ok(Turn { _tenant, _node }),
            Ok(Err(_)) => Err(SqlError::new("57P01", "the server is shutting down")),
            Err(_) => Err(SqlError::new("53300", "too many statements are running")),
        }
    }

    /// What a statement runs with, and what tells how much of it it holds.
    pub(crate) fn statement(&self, tenant: &Arc<Share>) -> Result<(Arc<RuntimeEnv>, Arc<Held>)> {
        let shares = [self.node.clone(), tenant.clone()];
        let held = Arc::new(Held::default());
        let pool = Pool {
            fair: FairSpillPool::new(self.statement_memory),
            shares: shares.clone(),
            held: held.clone(),
        };
        let files = self.disk.clone().map(|disk| Files { disk, shares, held: held.clone() });
        let mode = match files {
            Some(files) => DiskManagerMode::Custom(Arc::new(files)),
            None => DiskManagerMode::Disabled,
        };
        let disk = DiskManagerBuilder::default().with_mode(mode).build()?;
        let runtime = RuntimeEnv {
            memory_pool: Arc::new(pool),
            disk_manager: Arc::new(disk),
            ..self.base.clone()
        };
        Ok((Arc::new(runtime), held))
    }
}

/// What statements are planned with, which takes next to nothing.
fn planning(memory: usize) -> Result<RuntimeEnv> {
    let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
    let memory = Arc::new(FairSpillPool::new(memory));
    RuntimeEnvBuilder::new().with_memory_pool(memory).with_disk_manager_builder(disk).build()
}

/// Removes what an earlier process left.
fn empty(dir: &Path) -> Result<Arc<DiskManager>> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => std::fs::create_dir_all(dir)?,
    }
    let mode = DiskManagerMode::Directories(vec![dir.to_owned()]);
    let manager = DiskManagerBuilder::default().with_mode(mode);
    // Bytes are counted here, by statement and tenant.
    Ok(Arc::new(manager.with_max_temp_directory_size(u64::MAX).build()?))
}

/// Something of which there is only so much.
struct Budget {
    max: u64,
    used: AtomicU64,
}

impl Budget {
    fn new(max: u64) -> Budget {
        Budget { max, used: AtomicU64::new(0) }
    }

    fn draw(&self, n: u64) -> bool {
        let drawn = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(n).filter(|used| *used <= self.max)
        });
        drawn.is_ok()
    }

    /// Draws what is used already.
    fn force(&self, n: u64) {
        self.used.fetch_add(n, Ordering::Relaxed);
    }

    fn give_back(&self, n: u64) {
        let before = self.used.fetch_sub(n, Ordering::Relaxed);
        debug_assert!(before >= n, "what comes back was drawn");
    }
}

/// Draws from the node's and from the tenant's, or from neither.
fn draw(shares: &[Arc<Share>; 2], budget: fn(&Share) -> &Budget, n: u64) -> bool {
    let [node, tenant] = shares.each_ref().map(|share| budget(share));
    if !tenant.draw(n) {
        return false;
    }
    let drawn = node.draw(n);
    if !drawn {
        tenant.give_back(n);
    }
    drawn
}

/// What one statement holds.
#[derive(Default)]
pub(crate) struct Held {
    memory: AtomicU64,
    disk: AtomicU64,
}

impl Held {
    pub(crate) fn add_to(&self, cost: &mut Cost) {
        cost.memory += self.memory.load(Ordering::Relaxed);
        cost.spilled += self.disk.load(Ordering::Relaxed);
    }
}

/// The memory of one statement: shared fairly among those of its operators that can go to disk.
struct Pool {
    fair: FairSpillPool,
    shares: [Arc<Share>; 2],
    held: Arc<Held>,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fair.fmt(f)
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.fair, f)
    }
}

impl MemoryPool for Pool {
    fn name(&self) -> &str {
        "statement"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.fair.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.fair.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.fair.grow(reservation, additional);
        self.shares.iter().for_each(|share| share.memory.force(additional as u64));
        self.held.memory.fetch_add(additional as u64, Ordering::Relaxed);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.fair.shrink(reservation, shrink);
        self.shares.iter().for_each(|share| share.memory.give_back(shrink as u64));
        self.held.memory.fetch_sub(shrink as u64, Ordering::Relaxed);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.fair.try_grow(reservation, additional)?;
        if !draw(&self.shares, |share| &share.memory, additional as u64) {
            self.fair.shrink(reservation, additional);
            let text = "other statements hold the memory that it needs";
            return Err(DataFusionError::ResourcesExhausted(text.to_owned()));
        }
        self.held.memory.fetch_add(additional as u64, Ordering::Relaxed);
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.fair.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.fair.memory_limit()
    }
}

/// Makes the temporary files of one statement.
struct Files {
    disk: Arc<DiskManager>,
    shares: [Arc<Share>; 2],
    held: Arc<Held>,
}

impl TempFileFactory for Files {
    fn create_temp_file(&self, description: &str) -> Result<Arc<dyn SpillFile>> {
        let file = self.disk.create_tmp_file(description)?;
        let (shares, held) = (self.shares.clone(), self.held.clone());
        let drawn = Arc::new(Drawn { shares, held, bytes: AtomicU64::new(0) });
        Ok(Arc::new(Spilled { file, drawn }))
    }
}

/// The bytes of one file. They come back when neither it nor a writer of it is there any more.
struct Drawn {
    shares: [Arc<Share>; 2],
    held: Arc<Held>,
    bytes: AtomicU64,
}

impl Drop for Drawn {
    fn drop(&mut self) {
        let bytes = *self.bytes.get_mut();
        self.shares.iter().for_each(|share| share.disk.give_back(bytes));
        self.held.disk.fetch_sub(bytes, Ordering::Relaxed);
    }
}

struct Spilled {
    file: Arc<dyn SpillFile>,
    drawn: Arc<Drawn>,
}

impl SpillFile for Spilled {
    fn path(&self) -> Option<&Path> {
        self.file.path()
    }

    fn size(&self) -> Option<u64> {
        self.file.size()
    }

    fn read_stream(&self) -> Result<Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>> {
        self.file.read_stream()
    }

    fn open_writer(&self) -> Result<Box<dyn SpillWriter>> {
        Ok(Box::new(Writer { writer: self.file.open_writer()?, drawn: self.drawn.clone() }))
    }
}

struct Writer {
    writer: Box<dyn SpillWriter>,
    drawn: Arc<Drawn>,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = bytes.len() as u64;
        if !draw(&self.drawn.shares, |share| &share.disk, n) {
            let text = "the statement needs more temporary disk space than is left for it";
            let error = SqlError::new("53400", text).hint("sort or group fewer rows");
            return Err(io::Error::other(error));
        }
        self.drawn.bytes.fetch_add(n, Ordering::Relaxed);
        self.drawn.held.disk.fetch_add(n, Ordering::Relaxed);
        // It writes all or fails, and then the file is gone soon.
        self.writer.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl SpillWriter for Writer {
    fn finish(&mut self) -> Result<()> {
        self.writer.finish()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn shares(dir: Option<&Path>) -> Shares {
        let options = Options {
            memory_bytes: 1000,
            tenant_memory_bytes: 750,
            statement_memory_bytes: 500,
            spill_dir: dir.map(Into::into),
            spill_bytes: 100,
            statement_timeout: Duration::from_secs(1),
            max_connections: 1,
            threads: 1,
            server_version: String::new(),
        };
        Shares::new(&options).expect("a directory")
    }

    fn code(error: &io::Error) -> Option<&'static str> {
        error.get_ref().and_then(|error| error.downcast_ref::<SqlError>()).map(|error| error.code)
    }

    #[test]
    fn memory_is_drawn_at_every_level_and_comes_back() {
        let shares = shares(None);
        let (a, b) = (shares.of("a"), shares.of("b"));
        assert!(Arc::ptr_eq(&a, &shares.of("a")) && !Arc::ptr_eq(&a, &b));
        let statements = [&a, &a, &b].map(|tenant| shares.statement(tenant).expect("a statement"));
        let reserve = |at: usize| {
            let pool = &statements[at].0.memory_pool;
            MemoryConsumer::new("test").with_can_spill(true).register(pool)
        };
        let [first, second, other] = [0, 1, 2].map(reserve);
        assert!(first.try_grow(501).is_err(), "more than a statement's");
        first.try_grow(500).expect("a statement's");
        assert!(second.try_grow(300).is_err(), "more than the tenant's");
        second.try_grow(250).expect("the tenant's");
        assert!(other.try_grow(300).is_err(), "more than the node's");
        other.try_grow(250).expect("the node's");
        let mut cost = Cost::default();
        statements[0].1.add_to(&mut cost);
        assert_eq!(cost.memory, 500);
        drop((first, second, other));
        for share in [&a, &b, &shares.node] {
            assert_eq!(share.memory.used.load(Ordering::Relaxed), 0);
        }
    }

    #[test]
    fn files_are_drawn_too() {
        let dir = tempfile::tempdir().expect("a directory");
        let dir = dir.path().join("spill");
        std::fs::create_dir_all(dir.join("left/by")).expect("a directory");
        let shares = shares(Some(&dir));
        assert!(!dir.join("left").exists());
        let (a, b) = (shares.of("a"), shares.of("b"));
        let file = |tenant| {
            let (runtime, held) = shares.statement(tenant).expect("a statement");
            (runtime.disk_manager.create_tmp_file("test").expect("a file"), held)
        };
        let ((of_a, held), (of_b, _)) = (file(&a), file(&b));
        let mut writer = of_a.open_writer().expect("a writer");
        let error = writer.write_all(&[0; 76]).expect_err("three quarters are a tenant's");
        assert_eq!(code(&error), Some("53400"));
        writer.write_all(&[0; 75]).expect("they are");
        let mut other = of_b.open_writer().expect("a writer");
        assert!(other.write_all(&[0; 26]).is_err() && other.write_all(&[0; 25]).is_ok());
        let mut cost = Cost::default();
        held.add_to(&mut cost);
        assert_eq!(cost.spilled, 75);
        let path = of_a.path().expect("a file").to_owned();
        assert_eq!(std::fs::metadata(&path).expect("a file").len(), 75);
        drop((writer, of_a, other, of_b));
        assert!(!path.exists());
        assert_eq!(shares.node.disk.used.load(Ordering::Relaxed), 0);
        assert_eq!(a.disk.used.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_tenant_waits_for_itself() {
        let shares = shares(None);
        let (a, b) = (shares.of("a"), shares.of("b"));
        let mut turns = Vec::new();
        for _ in 0..24 {
            turns.push(shares.turn(&a).await.expect("a turn"));
        }
        assert!(shares.turn(&a).now_or_never().is_none(), "they are all taken");
        assert!(shares.turn(&b).now_or_never().is_some());
        turns.pop();
        assert!(shares.turn(&a).now_or_never().is_some());
    }
}
