//! A follower that takes nothing any more costs its leader a bounded amount of memory.
//!
//! Alone in its process, since it looks at the memory of all of it.

#![allow(clippy::unwrap_used, reason = "all of this is a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use drave_raft::{
    Applied, Founder, Group, Machine, Node, Options, Origin, Recovered, Start, peer_incoming,
    peer_server,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

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
        vec![(b"floor".to_vec(), Bytes::copy_from_slice(&self.floor.to_le_bytes()))]
    }
}

fn options(dir: &std::path::Path, id: u64) -> Options {
    Options {
        node_id: id,
        durable_every: Duration::from_millis(100),
        tail_cache_bytes: 4 << 20,
        stream_window_bytes: 2 << 20,
        heartbeat: Duration::from_millis(200),
        election: Duration::from_millis(800)..Duration::from_millis(1200),
        ..Options::new(dir.join(id.to_string()))
    }
}

async fn serve(node: &Node) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serving = peer_server().add_service(node.service());
    tokio::spawn(serving.serve_with_incoming(peer_incoming(listener, None)));
    address
}

/// A way to `target` that takes bytes and keeps them, once it is told to.
async fn tap(target: String, stalled: Arc<AtomicBool>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let (near, _) = listener.accept().await.unwrap();
            let Ok(far) = TcpStream::connect(&target).await else { continue };
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            for (mut from, mut to) in [(near_in, far_out), (far_in, near_out)] {
                let stalled = stalled.clone();
                tokio::spawn(async move {
                    let mut buffer = vec![0; 64 << 10];
                    while let Ok(n @ 1..) = from.read(&mut buffer).await {
                        while stalled.load(Ordering::Relaxed) {
                            tokio::time::sleep(Duration::from_millis(10)).await;
                        }
                        if to.write_all(&buffer[..n]).await.is_err() {
                            return;
                        }
                    }
                });
            }
        }
    });
    address
}

/// What the process has in memory.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
}

async fn push(group: &Group<Count>, n: usize) {
    let command = Bytes::from(vec![n as u8; 256 << 10]);
    while group.propose(command.clone()).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_follower_costs_its_leader_little() {
    let dir = tempfile::tempdir().unwrap();
    let stalled = Arc::new(AtomicBool::new(false));
    let build = |recovered: Recovered| Ok::<_, String>(Count { floor: recovered.floor.max(1) });
    let first = Node::open(&options(dir.path(), 1), Origin::Found { n_groups: 1 }).unwrap();
    let cluster_id = first.identity().cluster_id;
    let mut nodes = vec![first];
    for id in 2..=3 {
        let origin = Origin::Join { cluster_id, n_groups: 1 };
        nodes.push(Node::open(&options(dir.path(), id), origin).unwrap());
    }
    let mut addresses = Vec::new();
    for node in &nodes {
        addresses.push(serve(node).await);
    }
    addresses[2] = tap(addresses[2].clone(), stalled.clone()).await;
    let mut groups = Vec::new();
    for node in &nodes[1..] {
        groups.push(node.group(0, Start::Join, build).await.unwrap());
    }
    let founder = |(node, address): (&Node, String)| {
        (node.identity().node_id, Founder { address, incarnation: node.identity().incarnation })
    };
    let voters = nodes.iter().zip(addresses).map(founder).collect();
    let start = Start::Founded { voters, is_first: true };
    groups.push(nodes[0].group(0, start, build).await.unwrap());
    let (late, leader) = (groups[1].clone(), groups[2].clone());
    for n in 0..80 {
        push(&leader, n).await;
    }
    let before = resident();
    stalled.store(true, Ordering::Relaxed);
    for n in 0..480 {
        push(&leader, n).await;
    }
    let grown = resident().saturating_sub(before);
    println!("{} MiB at first, {} MiB more", before >> 20, grown >> 20);
    // 120 MiB went through; caches, windows and what the allocator keeps are a fraction of that.
    assert!(grown < 64 << 20, "{} MiB more", grown >> 20);
    let behind = leader.status().applied;
    assert!(late.status().applied < behind);

    stalled.store(false, Ordering::Relaxed);
    let mut applied = late.applied();
    let caught_up = applied.wait_for(|at| *at >= behind);
    tokio::time::timeout(Duration::from_secs(30), caught_up).await.unwrap().unwrap();
}
