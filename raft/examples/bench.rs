//! Measures a single node on the disk of a directory: `bench DIR [SECONDS [BYTES]]`, where BYTES
//! picks the load with proposals of that size.
//!
//! Prints how long starts take, how fast single small proposals and many large ones are, and what
//! they cost in CPU time; the last line of each names the unit.

#![allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]
#![allow(clippy::print_stdout, reason = "printing is what it is for")]

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use drave_raft::{Applied, Group, Machine, Node, Options, Origin, Recovered, Start};

const GROUPS: u32 = 8;

/// Keeps commands in memory, and lets go of them when it holds too much, as a shard's head would.
struct Head {
    held: Vec<(u64, Bytes)>,
    held_bytes: usize,
    bytes_max: usize,
    floor: u64,
}

impl Machine for Head {
    fn apply(&mut self, index: u64, command: &Bytes) -> Applied {
        self.held_bytes += command.len();
        self.held.push((index, command.clone()));
        if self.held_bytes > self.bytes_max {
            self.held.clear();
            self.held_bytes = 0;
            self.floor = index + 1;
        }
        Applied::default()
    }

    fn floor(&self) -> u64 {
        self.floor
    }

    fn snapshot(&self) -> Vec<(Vec<u8>, Bytes)> {
        Vec::new()
    }
}

async fn open(dir: &Path, bytes_max: usize) -> (Node, Vec<Group<Head>>) {
    let (started, before) = (Instant::now(), cpu());
    let node =
        Node::open(&Options::new(dir), Origin::Found { n_groups: GROUPS }).expect("the node opens");
    let opened = started.elapsed();
    let groups = (0..GROUPS).map(|id| {
        let build = move |recovered: Recovered| {
            let held_bytes = recovered.wal.iter().map(|(_, command)| command.len()).sum();
            let floor = recovered.floor.max(1);
            Ok::<_, String>(Head { held: recovered.wal, held_bytes, bytes_max, floor })
        };
        node.group(id, Start::Alone, build)
    });
    let groups = futures::future::try_join_all(groups).await.expect("the groups open");
    let grouped = started.elapsed();
    for group in &groups {
        group.read_index().await.expect("a leader is there");
    }
    let held: usize = groups.iter().map(|g| g.with_machine(|head| head.held_bytes)).sum();
    println!(
        "start: open {opened:.1?}, groups {grouped:.1?}, ready {:.1?}, {} MiB recovered, {} CPU s",
        started.elapsed(),
        held >> 20,
        used(before, 1.0),
    );
    (node, groups)
}

/// CPU seconds this process has used: its own, and the kernel's for it.
fn cpu() -> [f64; 2] {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = |field: usize| -> f64 {
        after_name.split_whitespace().nth(field).and_then(|n| n.parse().ok()).unwrap_or(0.0)
    };
    [ticks(11) / 100.0, ticks(12) / 100.0]
}

/// CPU seconds used since `before`, for each of `n`.
fn used(before: [f64; 2], n: f64) -> String {
    let now = cpu();
    let [user, kernel] = [0, 1].map(|at| (now[at] - before[at]) / n);
    format!("{:.2} ({user:.2} + {kernel:.2})", user + kernel)
}

/// Bytes that this process has handed to the kernel to write.
fn written() -> f64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let field = io.lines().find_map(|line| line.strip_prefix("wchar: "));
    field.and_then(|n| n.parse().ok()).unwrap_or(0.0)
}

/// Bytes that do not compress and differ.
fn payload(len: usize, seed: u64) -> Bytes {
    let mut x = seed | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        bytes.extend_from_slice(&x.to_le_bytes());
    }
    bytes.truncate(len);
    bytes.into()
}

/// Proposes `len` bytes, `depth` at a time in each of the first `n` groups, for a while.
async fn load(
    node: &Node,
    groups: &[Group<Head>],
    n: usize,
    depth: u64,
    len: usize,
    time: Duration,
) {
    let (before, cpu_before, written_before) = (node.lane_stats(), cpu(), written());
    let started = Instant::now();
    let mut writers = tokio::task::JoinSet::new();
    for group in &groups[..n] {
        for writer in 0..depth {
            let (group, command) = (group.clone(), payload(len, writer + 7));
            writers.spawn(async move {
                let mut times = Vec::new();
                while started.elapsed() < time {
                    let sent = Instant::now();
                    group.propose(command.clone()).await.expect("it is done");
                    times.push(sent.elapsed());
                }
                times
            });
        }
    }
    let mut times = writers.join_all().await.concat();
    let took = started.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    let after = node.lane_stats();
    let gb = (after.bytes - before.bytes) as f64 / 1e9;
    println!(
        "{n} groups x {depth} x {len} B: {:.0}/s, {:.0} MB/s, p50 {:.2?} p99 {:.2?} max {:.2?}, \
         {:.1} per commit, {} CPU s/GB, {:.2} bytes written for each",
        times.len() as f64 / took,
        gb * 1e3 / took,
        at(0.5),
        at(0.99),
        at(1.0),
        (after.entries - before.entries) as f64 / (after.commits - before.commits) as f64,
        used(cpu_before, gb),
        (written() - written_before) / (gb * 1e9),
    );
}

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let dir = std::path::PathBuf::from(args.next().expect("a directory to write to"));
    let time = args.next().and_then(|n| n.parse().ok()).unwrap_or(4);
    let time = Duration::from_secs(time);

    let (node, groups) = open(&dir.join("steady"), 16 << 20).await;
    let only: Option<usize> = args.next().and_then(|n| n.parse().ok());
    let loads = [
        (1, 1, 4 << 10),
        (8, 1, 4 << 10),
        (8, 16, 4 << 10),
        (8, 4, 64 << 10),
        (8, 4, 256 << 10),
        (8, 2, 1 << 20),
    ];
    for (n, depth, len) in loads {
        if only.is_none_or(|only| only == len) {
            load(&node, &groups, n, depth, len, time).await;
        }
    }
    let log = std::fs::metadata(dir.join("steady/log.redb")).map_or(0, |file| file.len());
    println!("log.redb has {} MiB", log >> 20);
    let idle = cpu();
    tokio::time::sleep(time).await;
    println!("idle: {} of a core", used(idle, time.as_secs_f64()));
    node.shutdown().await.expect("it stops");
    if only.is_none() {
        restart(&dir).await;
    }
}

/// How long starts take with 256 MiB of log that is needed.
async fn restart(dir: &Path) {
    let killed = dir.join("killed");
    let (node, groups) = open(&killed, usize::MAX).await;
    for n in 0..2048u64 {
        let group = &groups[(n % 8) as usize];
        group.propose(payload(128 << 10, n + 1)).await.expect("it is done");
    }
    // The files as they are right now are what a killed process leaves.
    let copy = dir.join("copy");
    std::fs::create_dir_all(&copy).expect("a directory can be made");
    for name in ["log.redb", "state.redb"] {
        std::fs::copy(killed.join(name), copy.join(name)).expect("a file can be copied");
        // Else the first fsync of the next start pays for the copy.
        let copied = std::fs::File::open(copy.join(name)).and_then(|file| file.sync_all());
        copied.expect("a file can be synced");
    }
    node.shutdown().await.expect("it stops");
    drop(groups);
    println!("after a shutdown:");
    let (node, groups) = open(&killed, usize::MAX).await;
    node.shutdown().await.expect("it stops");
    drop(groups);
    println!("after a kill:");
    let (node, _groups) = open(&copy, usize::MAX).await;
    node.shutdown().await.expect("it stops");
}
