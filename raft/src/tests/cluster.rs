//! Nodes that talk over loopback sockets, in one process, and what happens when they cannot.
//!
//! Each directed pair of nodes has a proxy of its own, so that a test can cut any way between them;
//! a node is killed by dropping it, which writes nothing any more.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Ledger;
use crate::{Founder, Group, Node, Options, Origin, Start, peer_incoming, peer_server};

/// What does not happen within this does not happen.
pub(super) const PATIENCE: Duration = Duration::from_secs(40);

/// Short times, so that a leader's loss is noticed soon; long enough for a busy machine, where an
/// answer that takes longer than two heartbeats comes too late.
pub(super) fn fast(options: Options) -> Options {
    Options {
        durable_every: Duration::from_millis(20),
        heartbeat: Duration::from_millis(200),
        election: Duration::from_millis(900)..Duration::from_millis(1300),
        heartbeat_linger: Duration::from_millis(5),
        ..options
    }
}

/// What happens to bytes on a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passage {
    Open,
    /// Connections stay, and nothing comes through: what a firewall or a pulled cable does.
    Dark,
    /// Connections end.
    Cut,
}

/// A way from one node to another, in both directions of its connections.
pub(super) struct Way {
    address: SocketAddr,
    passage: watch::Sender<Passage>,
    task: JoinHandle<()>,
}

impl Way {
    async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (passage, seen) = watch::channel(Passage::Open);
        let task = tokio::spawn(async move {
            loop {
                let (near, _) = listener.accept().await.unwrap();
                let mut seen = seen.clone();
                if *seen.borrow_and_update() == Passage::Cut {
                    continue;
                }
                tokio::spawn(async move {
                    let Ok(far) = TcpStream::connect(target).await else { return };
                    near.set_nodelay(true).unwrap();
                    far.set_nodelay(true).unwrap();
                    let ((near_in, near_out), (far_in, far_out)) =
                        (near.into_split(), far.into_split());
                    let mut cut = seen.clone();
                    tokio::select! {
                        () = pass(near_in, far_out, seen.clone()) => {}
                        () = pass(far_in, near_out, seen) => {}
                        _ = cut.wait_for(|passage| *passage == Passage::Cut) => {}
                    }
                });
            }
        });
        Self { address, passage, task }
    }

    pub(super) fn set(&self, passage: Passage) {
        self.passage.send_replace(passage);
    }
}

/// Passes bytes on while the way is open, until one end closes.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut seen: watch::Receiver<Passage>) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let Ok(n @ 1..) = from.read(&mut buffer).await else { return };
        if seen.wait_for(|passage| *passage == Passage::Open).await.is_err() {
            return;
        }
        if to.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A running node and what serves its port.
pub(super) struct Member {
    pub(super) node: Node,
    pub(super) groups: BTreeMap<u32, Group<Ledger>>,
    server: JoinHandle<()>,
}

impl Member {
    /// Stops in order.
    pub(super) async fn stop(self) {
        self.node.shutdown().await.unwrap();
        self.server.abort();
    }
}

/// A cluster on loopback.
pub(super) struct Cluster {
    pub(super) members: BTreeMap<u64, Member>,
    pub(super) ways: BTreeMap<(u64, u64), Way>,
    addresses: BTreeMap<u64, SocketAddr>,
    cluster_id: Option<u128>,
    dir: TempDir,
    tweak: Arc<dyn Fn(Options) -> Options + Send + Sync>,
}

impl Cluster {
    /// `n` nodes, of which the first founded the cluster; no groups yet.
    pub(super) async fn new(n: u64, tweak: fn(Options) -> Options) -> Self {
        let mut cluster = Self {
            members: BTreeMap::new(),
            ways: BTreeMap::new(),
            addresses: BTreeMap::new(),
            cluster_id: None,
            dir: tempfile::tempdir().unwrap(),
            tweak: Arc::new(tweak),
        };
        for id in 1..=n {
            cluster.start(id).await;
        }
        cluster
    }

    pub(super) fn path(&self, id: u64) -> PathBuf {
        self.dir.path().join(id.to_string())
    }

    /// Three nodes and group 0, led by node 1 at first.
    pub(super) async fn three() -> Self {
        let mut cluster = Self::new(3, fast).await;
        cluster.found(0, &[1, 2, 3]).await;
        cluster
    }

    /// Starts a node, new or again, with its groups closed.
    pub(super) async fn start(&mut self, id: u64) {
        let options = Options { node_id: id, ..Options::new(self.path(id)) };
        let options = (self.tweak)(fast(options));
        let origin = match self.cluster_id {
            None => Origin::Found { n_groups: 1 },
            Some(cluster_id) => Origin::Join { cluster_id, n_groups: 1 },
        };
        let node = Node::open(&options, origin).unwrap();
        self.cluster_id = Some(node.identity().cluster_id);
        let address = match self.addresses.get(&id) {
            Some(address) => *address,
            None => "127.0.0.1:0".parse().unwrap(),
        };
        let listener = listen(address).await;
        let address = listener.local_addr().unwrap();
        let is_new = self.addresses.insert(id, address).is_none();
        let incoming = peer_incoming(listener, None);
        let serving = peer_server().add_service(node.service()).serve_with_incoming(incoming);
        let server = tokio::spawn(async move { drop(serving.await) });
        self.members.insert(id, Member { node, groups: BTreeMap::new(), server });
        if is_new {
            for other in self.addresses.clone().into_keys().filter(|other| *other != id) {
                self.ways.insert((other, id), Way::to(address).await);
                self.ways.insert((id, other), Way::to(self.addresses[&other]).await);
            }
        }
        self.connect(id, Passage::Open);
        for ((from, to), way) in &self.ways {
            if let Some(member) = self.members.get(from) {
                member.node.peers().set(*to, &way.address.to_string());
            }
        }
    }

    pub(super) fn address(&self, id: u64) -> String {
        self.addresses[&id].to_string()
    }

    /// Lets nodes reach each other without a proxy in between.
    pub(super) fn connect_directly(&self) {
        for member in self.members.values() {
            for (id, address) in &self.addresses {
                member.node.peers().set(*id, &address.to_string());
            }
        }
    }

    /// Founds a group on the first of these nodes, with all of them.
    pub(super) async fn found(&mut self, group: u32, ids: &[u64]) {
        for id in &ids[1..] {
            self.open(*id, group, Start::Join).await;
        }
        let voters = self.founders(ids);
        self.open(ids[0], group, Start::Founded { voters, is_first: true }).await;
        patient_read(&self.groups(group)[0]).await;
    }

    /// What a group begins with on these nodes.
    pub(super) fn founders(&self, ids: &[u64]) -> BTreeMap<u64, Founder> {
        let founder = |id: &u64| {
            let incarnation = self.node(*id).identity().incarnation;
            (*id, Founder { address: self.address(*id), incarnation })
        };
        ids.iter().map(founder).collect()
    }

    pub(super) async fn open(&mut self, id: u64, group: u32, start: Start) {
        let member = self.members.get_mut(&id).unwrap();
        let opened = member.node.group(group, start, Ledger::recover).await.unwrap();
        member.groups.insert(group, opened);
    }

    pub(super) fn node(&self, id: u64) -> &Node {
        &self.members[&id].node
    }

    /// A node's replica.
    pub(super) fn group(&self, id: u64, group: u32) -> Group<Ledger> {
        self.members[&id].groups[&group].clone()
    }

    /// Every running replica of a group.
    pub(super) fn groups(&self, group: u32) -> Vec<Group<Ledger>> {
        self.members.values().filter_map(|member| member.groups.get(&group).cloned()).collect()
    }

    /// Ends a node as if it were killed.
    pub(super) fn kill(&mut self, id: u64) {
        if let Some(member) = self.members.remove(&id) {
            member.server.abort();
        }
        // The end of a process is the end of its connections.
        self.connect(id, Passage::Cut);
    }

    /// Starts a killed node again, with group 0.
    pub(super) async fn revive(&mut self, id: u64) {
        self.start(id).await;
        self.open(id, 0, Start::Join).await;
    }

    /// Sets every way to and from a node.
    pub(super) fn connect(&self, id: u64, passage: Passage) {
        for ((from, to), way) in &self.ways {
            if *from == id || *to == id {
                way.set(passage);
            }
        }
    }

    /// The leader of group 0 that most of these nodes agree on, once they do.
    pub(super) async fn leader_among(&self, ids: &[u64]) -> u64 {
        let agreed = async {
            loop {
                let leaders: BTreeSet<Option<u64>> =
                    ids.iter().map(|id| self.group(*id, 0).status().leader).collect();
                if let [Some(leader)] = leaders.into_iter().collect::<Vec<_>>()[..]
                    && ids.contains(&leader)
                {
                    return leader;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, agreed).await.expect("a leader")
    }

    /// Waits until every running replica of group 0 applied the same, and checks that it is the
    /// same.
    pub(super) async fn agree(&self) -> Ledger {
        let groups = self.groups(0);
        let mut last = 0;
        for group in &groups {
            last = last.max(patient_read(group).await);
        }
        for group in &groups {
            let mut applied = group.applied();
            let waited = applied.wait_for(|at| *at >= last);
            tokio::time::timeout(PATIENCE, waited).await.unwrap().unwrap();
        }
        let ledgers: Vec<Ledger> = groups.iter().map(|g| g.with_machine(Ledger::clone)).collect();
        for ledger in &ledgers {
            let reached = (ledger.applied, ledger.chain, ledger.commands);
            let first = (ledgers[0].applied, ledgers[0].chain, ledgers[0].commands);
            assert_eq!(reached, first, "replicas differ");
        }
        ledgers[0].clone()
    }
}

/// Binds an address that a node of before may still be letting go of.
async fn listen(address: SocketAddr) -> TcpListener {
    for _ in 0..500 {
        if let Ok(listener) = TcpListener::bind(address).await {
            return listener;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{address} is taken");
}

pub(super) fn command(n: u64, len: usize) -> Bytes {
    let mut bytes = vec![(n % 251) as u8; len.max(8)];
    bytes[..8].copy_from_slice(&n.to_le_bytes());
    bytes.into()
}

/// Proposes until it is acknowledged, for a node that was just lost leaves the outcome unknown;
/// where it then is.
pub(super) async fn insist(group: &Group<Ledger>, command: Bytes) -> u64 {
    let attempts = async {
        loop {
            match group.propose(command.clone()).await {
                Ok((index, _)) => return index,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, attempts).await.expect("it is acknowledged")
}

/// A read index, as soon as there is a leader that a majority follows.
pub(super) async fn patient_read(group: &Group<Ledger>) -> u64 {
    let attempts = async {
        loop {
            match group.read_index().await {
                Ok(index) => return index,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, attempts).await.expect("it can be read")
}
