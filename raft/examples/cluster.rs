//! Measures three nodes on loopback, in one process: `cluster DIR [GROUPS [SECONDS]]`.
//!
//! Prints what idle groups cost, how fast single small proposals and reads are on the leader and
//! from a follower, and reads of eight groups at once, whose leaders are spread, how much memory a follower takes that hears nothing for a while, and how long
//! nothing is acknowledged when a leader is gone.

#![allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]
#![allow(clippy::print_stdout, reason = "printing is what it is for")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use drave_raft::{
    Applied, Founder, Group, Machine, Node, Options, Origin, Recovered, Start, peer_incoming,
    peer_server,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Lets go of everything at once.
struct Count {
    floor: u64,
}

impl Machine for Count {
    fn apply(&mut self, index: u64, _command: &Bytes) -> Applied {
        self.floor = index + 1;
        Applied::default()
    }

    fn floor(&self) -> u64 {
        self.floor
    }

    fn snapshot(&self) -> Vec<(Vec<u8>, Bytes)> {
        Vec::new()
    }
}

struct Member {
    node: Node,
    groups: Vec<Group<Count>>,
    address: String,
    server: JoinHandle<()>,
}

async fn start(dir: &Path, id: u64, origin: Origin) -> Member {
    let options = Options { node_id: id, ..Options::new(dir.join(id.to_string())) };
    let node = Node::open(&options, origin).expect("the node opens");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound").to_string();
    let serving = peer_server().add_service(node.service());
    let serving = serving.serve_with_incoming(peer_incoming(listener, None));
    let server = tokio::spawn(async move { serving.await.expect("it serves") });
    Member { node, groups: Vec::new(), address, server }
}

/// Bytes of a stalled follower's backlog.
const BACKLOG_BYTES: usize = 512 << 20;

/// An address in front of another one that passes nothing on while `stalled` says so.
async fn relay(to: String, stalled: watch::Receiver<bool>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound").to_string();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let Ok(far) = TcpStream::connect(&to).await else { continue };
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            for (mut from, mut to) in [(near_in, far_out), (far_in, near_out)] {
                let mut stalled = stalled.clone();
                tokio::spawn(async move {
                    let mut buffer = vec![0; 64 << 10];
                    while let Ok(n @ 1..) = from.read(&mut buffer).await {
                        stalled
                            .wait_for(|stalled| !stalled)
                            .await
                            .expect("main holds the other end");
                        if to.write_all(&buffer[..n]).await.is_err() {
                            break;
                        }
                    }
                });
            }
        }
    });
    address
}

/// Three nodes, and groups whose leaders are spread over them. The third is behind a relay.
async fn cluster(dir: &Path, n_groups: u32, stalled: watch::Receiver<bool>) -> Vec<Member> {
    let mut members = vec![start(dir, 1, Origin::Found { n_groups }).await];
    let cluster_id = members[0].node.identity().cluster_id;
    for id in 2..=3 {
        members.push(start(dir, id, Origin::Join { cluster_id, n_groups }).await);
    }
    members[2].address = relay(members[2].address.clone(), stalled).await;
    let founder = |(id, member): (u64, &Member)| {
        let incarnation = member.node.identity().incarnation;
        (id, Founder { address: member.address.clone(), incarnation })
    };
    let voters: BTreeMap<u64, Founder> = (1..).zip(&members).map(founder).collect();
    let build = |recovered: Recovered| Ok::<_, String>(Count { floor: recovered.floor.max(1) });
    for id in 0..n_groups {
        let founder = id as usize % 3;
        for (n, member) in members.iter_mut().enumerate() {
            if n != founder {
                let group = member.node.group(id, Start::Join, build).await;
                member.groups.push(group.expect("the group opens"));
            }
        }
        let start = Start::Founded { voters: voters.clone(), is_first: true };
        let group = members[founder].node.group(id, start, build).await;
        members[founder].groups.push(group.expect("the group opens"));
    }
    for member in &members {
        for group in &member.groups {
            group.read_index().await.expect("a leader is there");
        }
    }
    members
}

/// CPU seconds this process has used.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = |field: usize| -> f64 {
        after_name.split_whitespace().nth(field).and_then(|n| n.parse().ok()).unwrap_or(0.0)
    };
    (ticks(11) + ticks(12)) / 100.0
}

/// MiB of memory that this process holds.
fn memory_mib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = field.and_then(|field| field.trim().trim_end_matches(" kB").parse::<usize>().ok());
    kib.unwrap_or(0) >> 10
}

/// Proposes a backlog while the third node hears nothing, then lets it catch up.
async fn stall(members: &[Member], stall: &watch::Sender<bool>) {
    let before = memory_mib();
    stall.send_replace(true);
    let command = Bytes::from(vec![7; 256 << 10]);
    // What the third node led is led by another one soon.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let groups: Vec<Group<Count>> = members[0].groups.iter().take(8).cloned().collect();
    let done = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let mut writers = tokio::task::JoinSet::new();
    let mut most = before;
    for group in groups.clone() {
        let (command, done) = (command.clone(), Arc::clone(&done));
        writers.spawn(async move {
            while done.fetch_add(command.len(), std::sync::atomic::Ordering::Relaxed)
                < BACKLOG_BYTES
            {
                let _ = group.propose(command.clone()).await;
            }
        });
    }
    while !writers.is_empty() {
        tokio::select! {
            _ = writers.join_next() => {}
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
        }
        most = most.max(memory_mib());
    }
    stall.send_replace(false);
    let started = Instant::now();
    for group in &members[2].groups[..groups.len()] {
        while group.read_index().await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    println!(
        "{} MiB while a follower heard nothing: memory {before} -> {most} MiB at most, caught up {:.1?} later",
        BACKLOG_BYTES >> 20,
        started.elapsed()
    );
}

async fn time<F: Future<Output = ()>>(what: &str, mut call: impl FnMut() -> F) {
    let mut times = Vec::new();
    for _ in 0..400 {
        let started = Instant::now();
        call().await;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    println!("{what}: p50 {:.2?} p99 {:.2?}", times[200], times[396]);
}

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let dir = std::path::PathBuf::from(args.next().expect("a directory to write to"));
    let n_groups = args.next().and_then(|n| n.parse().ok()).unwrap_or(256);
    let seconds = args.next().and_then(|n| n.parse().ok()).unwrap_or(10);
    let started = Instant::now();
    let (stalled, hears) = watch::channel(false);
    let mut members = cluster(&dir, n_groups, hears).await;
    println!("{n_groups} groups on three nodes after {:.1?}", started.elapsed());

    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = cpu();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let share = (cpu() - before) / seconds as f64;
    println!("idle: {:.1} % of a core per node, {:.1} % for all", share / 0.03, share * 100.0);

    let (leader, follower) = (members[0].groups[0].clone(), members[1].groups[0].clone());
    let command = Bytes::from(vec![7; 4 << 10]);
    let propose = async |group: &Group<Count>| {
        group.propose(command.clone()).await.expect("it is done");
    };
    time("4 KiB on the leader", async || propose(&leader).await).await;
    time("4 KiB from a follower", async || propose(&follower).await).await;
    let read = async |group: &Group<Count>| {
        group.read_index().await.expect("it can be read");
    };
    time("read index on the leader", async || read(&leader).await).await;
    time("read index from a follower", async || read(&follower).await).await;
    for member in &members {
        let groups = &member.groups[..member.groups.len().min(8)];
        let together = async || {
            futures::future::join_all(groups.iter().map(&read)).await;
        };
        time("read indexes of eight groups at once", together).await;
    }

    stall(&members, &stalled).await;

    let lost = members.remove(0);
    lost.server.abort();
    drop(lost);
    let started = Instant::now();
    while follower.propose(command.clone()).await.is_err() {}
    println!("first acknowledged {:.2?} after the leader was lost", started.elapsed());
    for member in members {
        let stopped = Instant::now();
        member.node.shutdown().await.expect("it stops");
        println!("stopped in {:.1?}", stopped.elapsed());
    }
}
