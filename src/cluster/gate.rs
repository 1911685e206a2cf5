//! Whether this node has room for more entries: on its disk, and in its WAL.
//!
//! A disk that is really full stops a node until somebody starts it again, so entries are refused
//! before it is. A WAL that object storage does not relieve grows with every push, and with it the
//! memory of heads: it has an end. What was acknowledged stays, reads go on, and so do all commands
//! that make room.
//!
//! Whoever leads a shard refuses for it: nothing is refused that is in a log already. It does where
//! it has no room itself, until it has handed its leadership to a voter that has; and where those
//! that said with their last answer to a heartbeat that they have room are no majority. A single
//! follower without room holds nobody up: where its disk is really full it stops, and the others go
//! on as after any loss.

use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use drave_raft::Admit;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tracing::{info, warn};

use super::{Cluster, META};
use crate::shard::Command;

/// How often the disk is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Each so many looks the WAL is looked at, too: hundreds of groups are asked for theirs.
const WAL_LOOK_EACH: u32 = 4;
/// A WAL that was full takes entries again below this part of its end.
const WAL_LOW: f64 = 0.9;

/// How much is too much.
#[derive(Clone, Debug)]
pub struct Options {
    /// The data directory.
    pub dir: PathBuf,
    /// The part of the disk above which entries are refused.
    pub disk_high: f64,
    /// The part below which they are taken again.
    pub disk_low: f64,
    /// Bytes of the node's WAL at which entries are refused; 0: never.
    pub wal_bytes_max: u64,
    /// Bytes of entries that may wait for one shard.
    pub queue_bytes_max: usize,
}

/// A node's disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Disk {
    /// What this process could use of it, if it were empty.
    pub bytes: u64,
    /// What it can use still.
    pub free_bytes: u64,
}

/// What there was room for when it was last looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Room {
    /// The data directory's disk.
    pub disk: Disk,
    /// Bytes of all logs of this node.
    pub wal_bytes: u64,
    /// Why entries are refused, while they are.
    pub refused: Option<String>,
}

/// What is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Full {
    Disk,
    Wal,
}

/// Asked for each command that this node is about to take.
pub struct Gate {
    options: Options,
    node_id: u64,
    room: RwLock<Room>,
    full: Mutex<Option<Full>>,
    /// What object storage said last, where it takes nothing.
    storage: Mutex<Option<String>>,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Admit for Gate {
    fn admit(&self, group: u32, command: &[u8], full: &[u64]) -> Result<(), String> {
        if group == META || !Command::brings_entries(command) {
            return Ok(());
        }
        let room = self.room.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = &room.refused {
            return Err(reason.clone());
        }
        if full.is_empty() {
            return Ok(());
        }
        let full: Vec<String> = full.iter().map(u64::to_string).collect();
        Err(format!(
            "no majority of the shard's nodes has room: node {} takes no entries: 'drave cluster \
             status' says why",
            full.join(", node ")
        ))
    }

    fn has_room(&self) -> bool {
        self.room.read().unwrap_or_else(PoisonError::into_inner).refused.is_none()
    }
}

impl Gate {
    /// Open until the first look says otherwise.
    pub fn new(options: Options, node_id: u64) -> Arc<Gate> {
        let gate = Gate {
            options,
            node_id,
            room: RwLock::default(),
            full: Mutex::default(),
            storage: Mutex::default(),
        };
        Arc::new(gate)
    }

    /// What there is room for.
    pub(super) fn room(&self) -> Room {
        self.room.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether so many bytes more leave the disk below the mark where entries are taken again: what
    /// can wait does not take the room of entries.
    pub(super) fn has_room_to_spare(&self, bytes: u64) -> bool {
        let Disk { bytes: all, free_bytes } = self.room().disk;
        let used = all.saturating_sub(free_bytes).saturating_add(bytes);
        all == 0 || used as f64 <= all as f64 * self.options.disk_low
    }

    pub(super) fn queue_bytes_max(&self) -> usize {
        self.options.queue_bytes_max
    }

    /// What object storage said, where it takes nothing now.
    pub(super) fn storage_said(&self, reason: Option<String>) {
        *self.storage.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }

    /// Looks at the disk.
    fn look(&self, wal_bytes: u64) {
        let disk = disk_of(&self.options.dir).unwrap_or(self.room().disk);
        // Pages that entries left free inside the log are used before the file grows. Its pages
        // hold less than they could, so the logs count twice.
        let log = std::fs::metadata(self.options.dir.join("log.redb"));
        let log_bytes = log.map_or(0, |log| log.blocks() * 512);
        let reusable = log_bytes.saturating_sub(wal_bytes * 2);
        let fill = match disk.bytes {
            0 => 0.0,
            bytes => 1.0 - (disk.free_bytes + reusable).min(bytes) as f64 / bytes as f64,
        };
        let mut full = self.full.lock().unwrap_or_else(PoisonError::into_inner);
        let now = decide(*full, fill, wal_bytes, &self.options);
        let refused = now.map(|full| self.words(full, fill, wal_bytes));
        match (&refused, *full != now) {
            (Some(reason), true) => warn!(reason, "entries are refused from now on"),
            (None, true) => info!("entries are taken again"),
            (_, false) => {}
        }
        *full = now;
        let mut room = self.room.write().unwrap_or_else(PoisonError::into_inner);
        *room = Room { disk, wal_bytes, refused };
    }

    fn words(&self, full: Full, fill: f64, wal_bytes: u64) -> String {
        let Options { dir, disk_high, disk_low, wal_bytes_max, .. } = &self.options;
        let node = self.node_id;
        match full {
            Full::Disk => format!(
                "node {node} takes no entries: the disk of {} is {:.1} % full, and \
                 storage.disk.high is {:.1} %: free some space (it goes on below \
                 storage.disk.low, {:.1} %)",
                dir.display(),
                fill * 100.0,
                disk_high * 100.0,
                disk_low * 100.0,
            ),
            Full::Wal => {
                let storage = self.storage.lock().unwrap_or_else(PoisonError::into_inner);
                let said = storage.as_deref().unwrap_or("it is slow");
                format!(
                    "node {node} takes no entries: its WAL holds {wal_bytes} bytes, and \
                     storage.wal_max is {wal_bytes_max}: it goes on once object storage takes \
                     chunks ({said})"
                )
            }
        }
    }
}

/// What is full now, after this was full before: it takes more room to go on than it took to stop.
fn decide(was: Option<Full>, fill: f64, wal_bytes: u64, options: &Options) -> Option<Full> {
    let Options { disk_high, disk_low, wal_bytes_max, .. } = *options;
    let disk_mark = if was == Some(Full::Disk) { disk_low } else { disk_high };
    if fill > disk_mark {
        return Some(Full::Disk);
    }
    let wal_mark = match was {
        Some(Full::Wal) => wal_bytes_max as f64 * WAL_LOW,
        _ => wal_bytes_max as f64,
    };
    (wal_bytes_max > 0 && wal_bytes as f64 >= wal_mark).then_some(Full::Wal)
}

fn disk_of(dir: &Path) -> Option<Disk> {
    let stat = rustix::fs::statvfs(dir).ok()?;
    // As `df` counts: what is kept for root is neither used nor free.
    let used = stat.f_blocks.saturating_sub(stat.f_bfree);
    let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
    Some(Disk {
        bytes: bytes(used.saturating_add(stat.f_bavail)),
        free_bytes: bytes(stat.f_bavail),
    })
}

/// Looks at the room of a node until it stops.
pub(super) async fn watch(cluster: Cluster, mut stop: watch::Receiver<bool>) {
    let mut wal_bytes = 0;
    for turn in 0_u32.. {
        if turn.is_multiple_of(WAL_LOOK_EACH) {
            wal_bytes = cluster.wal_bytes();
        }
        cluster.0.gate.look(wal_bytes);
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::BatchBuilder;

    fn options() -> Options {
        Options {
            dir: std::env::temp_dir(),
            disk_high: 0.9,
            disk_low: 0.8,
            wal_bytes_max: 1000,
            queue_bytes_max: 1,
        }
    }

    #[test]
    fn what_is_no_hurry_leaves_room() {
        let gate = Gate::new(options(), 1);
        assert!(gate.has_room_to_spare(1 << 40), "nobody has looked yet");
        let disk = Disk { bytes: 1000, free_bytes: 300 };
        *gate.room.write().expect("no panic before") = Room { disk, ..Room::default() };
        assert!(gate.has_room_to_spare(100));
        assert!(!gate.has_room_to_spare(101));
    }

    #[test]
    fn it_takes_more_room_to_go_on() {
        let check = |was: Option<Full>, fill: f64, wal_bytes: u64, expected: Option<Full>| {
            assert_eq!(decide(was, fill, wal_bytes, &options()), expected, "{was:?} {fill}");
        };
        check(None, 0.9, 999, None);
        check(None, 0.91, 999, Some(Full::Disk));
        check(Some(Full::Disk), 0.85, 0, Some(Full::Disk));
        check(Some(Full::Disk), 0.8, 0, None);
        check(None, 0.85, 1000, Some(Full::Wal));
        check(Some(Full::Wal), 0.85, 950, Some(Full::Wal));
        check(Some(Full::Wal), 0.85, 899, None);
        check(Some(Full::Disk), 0.7, 2000, Some(Full::Wal));
        let endless = Options { wal_bytes_max: 0, ..options() };
        assert_eq!(decide(None, 0.0, u64::MAX, &endless), None);
    }

    #[test]
    fn only_entries_are_refused() {
        let gate = Gate::new(Options { disk_high: 0.0, disk_low: 0.0, ..options() }, 3);
        let append = Command::Append { batch: BatchBuilder::new().encode() }.encode();
        assert_eq!(gate.admit(1, &append, &[]), Ok(()), "nobody has looked");
        gate.look(0);
        let reason = gate.admit(1, &append, &[]).expect_err("no disk is that empty");
        assert!(reason.contains("storage.disk.high") && reason.contains("node 3"), "{reason}");
        assert_eq!(gate.admit(1, &Command::Seal.encode(), &[2, 3]), Ok(()));
        assert_eq!(gate.admit(META, &append, &[2]), Ok(()));
        let gate = Gate::new(Options { disk_high: 1.0, disk_low: 1.0, ..options() }, 3);
        gate.storage_said(Some("no route".into()));
        gate.look(5000);
        let reason = gate.admit(1, &append, &[]).expect_err("the log is full");
        assert!(reason.contains("5000") && reason.contains("no route"), "{reason}");
        gate.look(10);
        assert_eq!(gate.admit(1, &append, &[]), Ok(()));
        let reason = gate.admit(1, &append, &[2, 3]).expect_err("nobody else has room");
        assert!(reason.contains("node 2, node 3"), "{reason}");
        assert!(gate.room().disk.bytes > 0);
    }
}
