//! Disks that lose power and disks that fail, by seed, under the real node.
//!
//! [`Disk`] keeps two images of a file: what was written, and what a power cut leaves. A power cut
//! keeps everything up to the last fsync, and of what was written since, any sectors of 512 bytes
//! in any combination: writes are torn, and reordered. What a restart on that image must hold:
//! every acknowledged command, in order and once; and no command twice or out of nowhere.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use redb::StorageBackend;

use super::{FLUSH, Ledger, found, ledger, options, until};
use crate::disk::{LogDb, Medium, Op};
use crate::types::{Entry, IoFlushed, LeaderId, LogId, Vote};
use crate::{Error, Machine, Node, ProposeError, Start};

const SECTOR: usize = 512;

/// A small generator: tests must not depend on luck.
#[derive(Debug, Clone)]
pub(super) struct Rng(pub(super) u64);

impl Rng {
    fn next(&mut self) -> u64 {
        // xorshift64*, whose state must not be 0.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// The nth write or fsync from now is the last that happens.
    PowerCut(u64),
    /// The nth write fails, once, and so does the one after it.
    NoSpace(u64),
    /// The nth fsync fails, once.
    BadSync(u64),
}

#[derive(Debug)]
struct Image {
    written: Vec<u8>,
    synced: Vec<u8>,
    /// Sectors written since the last fsync.
    loose: BTreeMap<usize, ()>,
    fault: Fault,
    off: bool,
}

/// A file in memory. Clones share it.
#[derive(Debug, Clone)]
struct Disk(Arc<Mutex<Image>>);

impl Disk {
    fn new(bytes: Vec<u8>) -> Self {
        let (written, synced, loose) = (bytes.clone(), bytes, BTreeMap::new());
        Self(Arc::new(Mutex::new(Image { written, synced, loose, fault: Fault::None, off: false })))
    }

    fn set(&self, fault: Fault) {
        self.0.lock().unwrap().fault = fault;
    }

    /// What a power cut now would leave.
    fn after_power_cut(&self, rng: &mut Rng) -> Vec<u8> {
        let image = self.0.lock().unwrap();
        let mut bytes = image.synced.clone();
        // The length is data of the file system: it may be the old or the new one.
        if rng.below(2) == 0 || image.written.len() < bytes.len() {
            bytes.resize(image.written.len(), 0);
        }
        // Between nothing and all of it, so that both ends are seen.
        let odds = rng.below(5);
        for sector in image.loose.keys() {
            let range = sector * SECTOR..((sector + 1) * SECTOR).min(image.written.len());
            if rng.below(4) < odds && range.end <= bytes.len() && range.start < range.end {
                bytes[range.clone()].copy_from_slice(&image.written[range]);
            }
        }
        bytes
    }

    fn medium(&self, name: &str) -> Medium {
        Medium { path: PathBuf::from(name), backend: Some(Box::new(self.clone())) }
    }
}

fn count(left: &mut u64) -> bool {
    *left = left.saturating_sub(1);
    *left == 0
}

impl Image {
    fn check(&mut self, sync: bool) -> io::Result<()> {
        match &mut self.fault {
            Fault::None => {}
            Fault::PowerCut(left) => self.off |= count(left),
            Fault::NoSpace(left) => {
                if !sync && count(left) {
                    return Err(io::ErrorKind::StorageFull.into());
                }
            }
            Fault::BadSync(left) => {
                if sync && count(left) {
                    self.fault = Fault::None;
                    return Err(io::Error::from_raw_os_error(5));
                }
            }
        }
        if self.off { Err(io::Error::other("the power is off")) } else { Ok(()) }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().written.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let image = self.0.lock().unwrap();
        let bytes = image.written.get(offset as usize..offset as usize + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut image = self.0.lock().unwrap();
        image.check(false)?;
        image.written.resize(len as usize, 0);
        let sectors = (len as usize).div_ceil(SECTOR);
        image.loose.retain(|sector, ()| *sector < sectors);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut image = self.0.lock().unwrap();
        image.check(true)?;
        image.synced = image.written.clone();
        image.loose.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut image = self.0.lock().unwrap();
        let start = offset as usize;
        // The write during which the power goes may be on the disk or not, as any other.
        let result = image.check(false);
        if result.is_ok() || image.off {
            let end = start + data.len();
            if end > image.written.len() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            image.written[start..end].copy_from_slice(data);
            for sector in start / SECTOR..end.div_ceil(SECTOR) {
                image.loose.insert(sector, ());
            }
        }
        result
    }
}

pub(super) fn entry(index: u64, term: u64, len: usize) -> Entry {
    let leader_id = LeaderId { term, node_id: 1 };
    let bytes = vec![index as u8 ^ term as u8; len];
    Entry {
        log_id: LogId { leader_id, index },
        payload: openraft::EntryPayload::Normal(crate::types::Command(bytes.into())),
    }
}

/// A group's log as acknowledged, and as asked.
#[derive(Debug, Default, Clone, PartialEq)]
struct Told {
    vote: Option<Vote>,
    entries: Vec<Entry>,
}

impl Told {
    /// One more batch for the group: votes and entries, now and then a truncation.
    fn batch(&mut self, group: u32, rng: &mut Rng) -> Vec<Op> {
        let mut ops = Vec::new();
        let term = self.vote.map_or(1, |vote| vote.leader_id.term);
        let done = || tokio::sync::oneshot::channel().0;
        if rng.below(3) == 0 {
            let vote = Vote::new(term + 1, 1);
            self.vote = Some(vote);
            ops.push(Op::Vote { group, vote, done: done() });
        }
        if rng.below(5) == 0 && !self.entries.is_empty() {
            let start = self.entries.len() as u64 - rng.below(self.entries.len() as u64).min(3);
            self.entries.truncate(start as usize);
            ops.push(Op::Truncate { group, start, done: done() });
        }
        let entries: Vec<Entry> = (0..rng.below(4))
            .map(|n| {
                let len = [0, 100, 3_000, 20_000, 70_000][rng.below(5) as usize];
                entry(self.entries.len() as u64 + n, term, len)
            })
            .collect();
        self.entries.extend(entries.clone());
        let (done, flushed) = (IoFlushed::noop(), Arc::default());
        ops.push(Op::Append { group, entries, bytes: 0, done, flushed });
        ops
    }

    fn read(log: &LogDb, group: u32) -> Result<Self, Error> {
        let loaded = log.load(group, 0..0)?;
        Ok(Self { vote: loaded.vote, entries: log.entries(group, 0..u64::MAX, usize::MAX)? })
    }
}

#[test]
fn a_batch_is_there_after_a_power_cut_or_was_never_acknowledged() {
    for seed in 1..=150u64 {
        let mut rng = Rng(seed);
        let disk = Disk::new(Vec::new());
        let log = LogDb::open(disk.medium("log")).unwrap();
        log.create(&crate::Identity {
            cluster_id: 1,
            node_id: 1,
            format_version: crate::FORMAT_VERSION,
            n_groups: 2,
            incarnation: 7,
        })
        .unwrap();
        let mut acked = [Told::default(), Told::default()];
        let mut asked = acked.clone();
        disk.set(Fault::PowerCut(1 + rng.below(120)));
        loop {
            let ops: Vec<Op> = (0..2).flat_map(|g| asked[g as usize].batch(g, &mut rng)).collect();
            match log.commit(&ops, None) {
                Ok(()) => acked = asked.clone(),
                Err(_) => break,
            }
        }
        drop(log);
        let disk = Disk::new(disk.after_power_cut(&mut rng));
        let log = LogDb::open(disk.medium("log")).unwrap();
        let found = [0, 1].map(|group| Told::read(&log, group).unwrap());
        // The batch that failed may be there as a whole, though nobody was told so.
        assert!(found == acked || found == asked, "seed {seed}: {found:?} is neither");
    }
}

/// A node on two disks, and a command history that survives it.
struct Power {
    rng: Rng,
    log: Vec<u8>,
    state: Vec<u8>,
}

impl Power {
    fn open(&self, faults: [Fault; 2]) -> (Result<Node, Error>, [Disk; 2]) {
        let disks = [Disk::new(self.log.clone()), Disk::new(self.state.clone())];
        let (log, state) = (disks[0].medium("log"), disks[1].medium("state"));
        for (disk, fault) in disks.iter().zip(faults) {
            disk.set(fault);
        }
        (Node::open_on(&options(Path::new("nowhere")), found(2), log, state, None), disks)
    }

    /// Takes the power away.
    fn cut(&mut self, disks: &[Disk; 2]) {
        self.log = disks[0].after_power_cut(&mut self.rng);
        self.state = disks[1].after_power_cut(&mut self.rng);
    }
}

/// Commands that the ledger of a group shows, old ones only as a number.
fn shown(ledger: &Ledger) -> (u64, Vec<Bytes>) {
    (ledger.commands, ledger.head.values().filter(|c| !c.is_empty()).cloned().collect())
}

async fn life(power: &mut Power, said: &mut [Vec<Bytes>; 2], faults: [Fault; 2]) -> bool {
    let seed = power.rng.clone();
    let (node, disks) = power.open(faults);
    let node = match node {
        Ok(node) => node,
        // The power went during the start: there is nothing to see, and nothing may be lost.
        Err(Error::Disk { .. }) => {
            power.cut(&disks);
            return true;
        }
        Err(error) => panic!("{seed:?}: {error}"),
    };
    let mut groups = Vec::new();
    for id in 0..2 {
        match node.group(id, Start::Alone, Ledger::recover).await {
            Ok(group) => groups.push(group),
            Err(Error::Stopped(_) | Error::Disk { .. }) => break,
            Err(error) => panic!("{seed:?}: {error}"),
        }
    }
    for (group, said) in groups.iter().zip(said.iter_mut()) {
        if group.read_index().await.is_err() {
            break;
        }
        let (commands, head) = group.with_machine(shown);
        let known = said.len() as u64;
        assert!(commands >= known, "{seed:?}: {commands} of {known} acknowledged commands");
        // One more is legal: it was under way when the power went.
        assert!(commands <= known + 1, "{seed:?}: {commands} commands, and {known} were sent");
        let tail = said.len().min(head.len() - (commands - known).min(head.len() as u64) as usize);
        assert_eq!(head[..tail], said[said.len() - tail..], "{seed:?}");
        if commands > known {
            said.push(head.last().cloned().unwrap_or(Bytes::from_static(FLUSH)));
        }
    }
    for n in 0..power.rng.below(30) {
        let at = power.rng.below(2) as usize;
        let Some(group) = groups.get(at) else { break };
        let command = match power.rng.below(8) {
            0 => Bytes::from_static(FLUSH),
            size => Bytes::from(vec![n as u8; 1 + (size as usize * 700)]),
        };
        match group.propose(command.clone()).await {
            Ok(_) => said[at].push(command),
            Err(ProposeError::Unknown { .. }) => break,
            Err(ProposeError::NotDone { .. } | ProposeError::Refused { .. }) => {
                let again = group.propose(command).await;
                assert!(
                    matches!(again, Err(ProposeError::NotDone { .. })),
                    "it latches: {again:?}"
                );
                break;
            }
        }
    }
    for group in &groups {
        let status = group.status();
        assert!(status.purged < status.floor.max(1), "{seed:?}: {status:?}");
        assert!(status.floor <= group.with_machine(Machine::floor), "{seed:?}: {status:?}");
    }
    let latched = node.failed().is_some();
    if power.rng.below(4) == 0 {
        let stopped = node.shutdown().await;
        assert!(stopped.is_ok() || faults != [Fault::None; 2], "{stopped:?}");
    } else {
        drop(node);
    }
    power.cut(&disks);
    latched
}

async fn lives(seed: u64, fault: impl Fn(&mut Rng) -> [Fault; 2]) -> u64 {
    let mut power = Power { rng: Rng(seed), log: Vec::new(), state: Vec::new() };
    let mut said = [Vec::new(), Vec::new()];
    let mut latched = 0;
    for _ in 0..10 {
        let faults = fault(&mut power.rng);
        latched += u64::from(life(&mut power, &mut said, faults).await);
    }
    // The last life is a quiet one, so everything is seen.
    life(&mut power, &mut said, [Fault::None; 2]).await;
    latched
}

#[tokio::test]
async fn no_power_cut_loses_or_repeats_a_command() {
    let mut latched = 0;
    for seed in 1..=12 {
        latched += lives(seed, |rng| {
            // Both files are on one disk, but either may be the one that is being written.
            match rng.below(4) {
                0 => [Fault::None; 2],
                1 => [Fault::None, Fault::PowerCut(1 + rng.below(60))],
                _ => [Fault::PowerCut(1 + rng.below(150)), Fault::None],
            }
        })
        .await;
    }
    assert!(latched > 10, "the power hardly went: {latched}");
}

#[tokio::test]
async fn no_failing_disk_loses_or_repeats_a_command() {
    let mut latched = 0;
    for seed in 1..=12 {
        latched += lives(seed, |rng| match rng.below(4) {
            0 => [Fault::BadSync(1 + rng.below(40)), Fault::None],
            1 => [Fault::NoSpace(1 + rng.below(100)), Fault::None],
            2 => [Fault::None, Fault::BadSync(1 + rng.below(8))],
            _ => [Fault::None, Fault::NoSpace(1 + rng.below(40))],
        })
        .await;
    }
    assert!(latched > 10, "the disks hardly failed: {latched}");
}

#[tokio::test]
async fn a_full_disk_is_told_and_a_restart_with_space_has_everything() {
    let mut power = Power { rng: Rng(1), log: Vec::new(), state: Vec::new() };
    let (node, disks) = power.open([Fault::None; 2]);
    let node = node.unwrap();
    let group = ledger(&node, 0).await;
    let (kept, _) = group.propose(vec![1; 5_000].into()).await.unwrap();
    disks[0].set(Fault::NoSpace(1));
    let failed = group.propose(vec![2; 5_000].into()).await.unwrap_err();
    assert!(matches!(failed, ProposeError::Unknown { .. }), "{failed:?}");
    until("the latch", || group.status().failed.is_some()).await;
    disks[0].set(Fault::None);
    let later = group.propose(vec![3; 5_000].into()).await.unwrap_err();
    let ProposeError::NotDone { reason, .. } = later else { panic!("{later:?}") };
    assert!(reason.contains("log") && reason.contains("free some space"), "{reason}");
    assert!(node.failed().is_some_and(|failed| failed == reason));
    drop((group, node));

    power.cut(&disks);
    let node = power.open([Fault::None; 2]).0.unwrap();
    let group = ledger(&node, 0).await;
    group.read_index().await.unwrap();
    assert_eq!(group.with_machine(|ledger| ledger.head[&kept].clone()), vec![1; 5_000]);
    let (_, reply) = group.propose(vec![4; 5_000].into()).await.unwrap();
    assert!(reply.as_ref() <= &3u64.to_le_bytes()[..], "{reply:?}");
}
