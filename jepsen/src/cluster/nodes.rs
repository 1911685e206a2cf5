//! The nodes of one run and the links between them: what is up, what is cut, who belongs to the
//! cluster. Every change says whether a majority can still talk.
//!
//! One lock guards all of it and is never held over a wait for a server.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::sync::Mutex;

use super::client::{Client, Group};
use super::disk::{self, Disk};
use super::machine::Machine;
use super::network::Network;
use super::node::{Address, Launch, Life, Node, signal};
use crate::history::{Event, Micros, Recorder};

/// From the start of a process to its "ready", at most.
const READY_TIME_MAX: Duration = Duration::from_secs(60);
/// From the request to stop to the end of the process, at most.
const STOP_TIME_MAX: Duration = Duration::from_secs(20);
/// Between two looks at something awaited.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A cluster under test.
pub(crate) struct Cluster {
    pub(crate) recorder: Arc<Recorder>,
    launch: Launch,
    directory: PathBuf,
    /// Voters of a shard.
    replication: usize,
    with_disks: bool,
    state: Mutex<State>,
    /// Whom clients may ask. Apart, so that clients never wait for a nemesis.
    members: std::sync::RwLock<Vec<Address>>,
}

struct State {
    network: Option<Network>,
    nodes: BTreeMap<u64, Node>,
    members: BTreeSet<u64>,
    /// Packets from the first do not arrive at the second. A pair may be there twice.
    cut: Vec<(u64, u64)>,
    /// Members come and go: no majority is promised while anything else is broken.
    changing: bool,
    majority: bool,
}

/// What a run needs to know of its cluster.
pub(crate) struct Setup {
    pub(crate) launch: Launch,
    pub(crate) directory: PathBuf,
    pub(crate) n_nodes: u64,
    /// Voters of a shard.
    pub(crate) replicas: u64,
}

impl Cluster {
    /// Starts the first nodes and waits until they are a cluster.
    pub(crate) async fn start(
        setup: Setup,
        machine: &Machine,
        recorder: Arc<Recorder>,
    ) -> anyhow::Result<Cluster> {
        let network = match machine.network {
            Ok(()) => Some(Network::create().await?),
            Err(_) => None,
        };
        std::fs::create_dir_all(setup.directory.join("logs"))?;
        let state = State {
            network,
            nodes: BTreeMap::new(),
            members: BTreeSet::new(),
            cut: Vec::new(),
            changing: false,
            majority: true,
        };
        let cluster = Cluster {
            recorder,
            launch: setup.launch,
            directory: setup.directory,
            replication: usize::try_from(setup.replicas)?,
            with_disks: machine.disks.is_ok(),
            state: Mutex::new(state),
            members: std::sync::RwLock::new(Vec::new()),
        };
        for node in 1..=setup.n_nodes {
            cluster.add_node(node).await?;
        }
        cluster.form().await?;
        Ok(cluster)
    }

    async fn form(&self) -> anyhow::Result<()> {
        let mut state = self.state.lock().await;
        let ids: Vec<u64> = state.nodes.keys().copied().collect();
        let peers: Vec<String> = state
            .nodes
            .values()
            .map(|n| format!("{}@{}", n.address.node, n.address.peer))
            .collect();
        for node in state.nodes.values_mut() {
            if ids.len() > 1 {
                node.introduction = vec!["--peers".into(), peers.join(",")];
            }
            node.start(&self.launch)?;
        }
        state.members = ids.iter().copied().collect();
        self.publish(&state);
        let first = state.nodes[&ids[0]].address.clone();
        drop(state);
        if ids.len() > 1 {
            let client = Client::new()?;
            // An attempt that nobody answered may have formed it.
            let init = || async {
                let formed = client.post(&first, "/drave/v1/cluster/init").await;
                if client.is_ready(&first).await { Ok(()) } else { formed }
            };
            self.until(READY_TIME_MAX, "the cluster is formed", init).await?;
        }
        for id in ids {
            self.wait_ready(id).await?;
        }
        Ok(())
    }

    /// Makes a place for a node: its namespace, its disk, its address.
    pub(crate) async fn add_node(&self, id: u64) -> anyhow::Result<()> {
        let mut state = self.state.lock().await;
        let mut enter = Vec::new();
        let address = match &mut state.network {
            Some(network) => {
                network.add(id).await?;
                enter = network.enter(id);
                let at = |port: u16| format!("{}:{port}", network.ip(id));
                Address { node: id, http: at(3100), pg: at(5433), peer: at(9095) }
            }
            None => {
                let [http, pg, peer] = free_ports()?.map(|port| format!("127.0.0.1:{port}"));
                Address { node: id, http, pg, peer }
            }
        };
        let mut node = Node::new(address, &self.directory);
        node.enter = enter;
        if self.with_disks {
            let image = self.directory.join(format!("node-{id}.img"));
            let mount = self.directory.join(format!("node-{id}"));
            node.disk = Some(Disk::create(image, mount).await?);
        }
        std::fs::write(&node.clock, "+0")?;
        state.nodes.insert(id, node);
        Ok(())
    }

    /// The addresses of all members, dead or alive: clients cannot know.
    pub(crate) fn addresses(&self) -> Vec<Address> {
        self.members.read().expect("nobody panics holding it").clone()
    }

    /// Members in a given state.
    pub(crate) async fn members_that_are(&self, life: Life) -> Vec<u64> {
        let state = self.state.lock().await;
        let ids = state.members.iter().copied();
        ids.filter(|id| state.nodes.get(id).is_some_and(|node| node.life == life)).collect()
    }

    /// How many of so many members must talk for every shard to go on.
    pub(crate) fn quorum_of(&self, n_members: usize) -> usize {
        n_members.saturating_sub(self.replication.saturating_sub(1) / 2)
    }

    pub(crate) fn replication(&self) -> usize {
        self.replication
    }

    /// The groups as some node knows them that answers.
    pub(crate) async fn groups(&self, client: &Client) -> Vec<Group> {
        for address in self.addresses() {
            if let Ok(groups) = client.groups(&address).await
                && groups.iter().any(|group| group.leader.is_some())
            {
                return groups;
            }
        }
        Vec::new()
    }

    pub(crate) async fn kill(&self, ids: &[u64]) -> anyhow::Result<()> {
        let mut state = self.state.lock().await;
        state.end(ids).await?;
        self.judge(&mut state);
        Ok(())
    }

    /// Loses what is not synced, on all of these at once, and ends the processes.
    pub(crate) async fn power_cut(&self, ids: &[u64]) -> anyhow::Result<()> {
        let mut state = self.state.lock().await;
        let disks: Option<Vec<&Disk>> =
            ids.iter().map(|id| state.nodes.get(id).and_then(|node| node.disk.as_ref())).collect();
        disk::power_cut(&disks.context("a node has no disk of its own")?).await?;
        state.end(ids).await?;
        for id in ids {
            if let Some(disk) = &state.node(*id)?.disk {
                disk.power_on().await?;
            }
        }
        self.judge(&mut state);
        Ok(())
    }

    /// Starts nodes that are down. Does not wait for them.
    pub(crate) async fn start_again(&self, ids: &[u64]) -> anyhow::Result<()> {
        let mut state = self.state.lock().await;
        for id in ids {
            let node = state.node(*id)?;
            if node.life == Life::Down && !node.retired {
                node.start(&self.launch)?;
            }
        }
        self.judge(&mut state);
        Ok(())
    }

    pub(crate) async fn pause(&self, ids: &[u64]) -> anyhow::Result<()> {
        self.signal_all("-STOP", ids, Life::Paused).await
    }

    pub(crate) async fn resume(&self, ids: &[u64]) -> anyhow::Result<()> {
        self.signal_all("-CONT", ids, Life::Up).await
    }

    async fn signal_all(&self, name: &str, ids: &[u64], life: Life) -> anyhow::Result<()> {
        let mut state = self.state.lock().await;
        let pids = state.pids(ids);
        signal(name, &pids).await?;
        for id in ids {
            let node = state.node(*id)?;
            if node.life != Life::Down {
                node.life = life;
            }
        }
        self.judge(&mut state);
        Ok(())
    }

    /// Asks a node to stop, as an operator does, and waits for its end.
    pub(crate) async fn stop(&self, id: u64) -> anyhow::Result<()> {
        let mut process = {
            let mut state = self.state.lock().await;
            let pids = state.pids(&[id]);
            let process = state.node(id)?.take_process()?;
            signal("-TERM", &pids).await?;
            self.judge(&mut state);
            process
        };
        match tokio::time::timeout(STOP_TIME_MAX, process.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => bail!("node {id}, asked to stop, ended with {status}"),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => {
                process.kill().await?;
                bail!("node {id} did not stop in {STOP_TIME_MAX:?}")
            }
        }
    }

    /// Cuts links, or mends links that were cut.
    pub(crate) async fn cut(&self, links: &[(u64, u64)], mend: bool) -> anyhow::Result<()> {
        let mut state = self.state.lock().await;
        let network = state.network.as_ref().context("no network of our own")?;
        for (source, target) in links {
            match mend {
                true => network.unblock(*source, *target).await?,
                false => network.block(*source, *target).await?,
            }
        }
        for link in links {
            let at = state.cut.iter().position(|cut| cut == link);
            match (mend, at) {
                (true, Some(at)) => drop(state.cut.swap_remove(at)),
                (true, None) => bail!("{link:?} was not cut"),
                (false, _) => state.cut.push(*link),
            }
        }
        self.judge(&mut state);
        Ok(())
    }

    /// Sets what a node takes for the time: `+0` or an offset like `+3600s`.
    pub(crate) async fn set_clock(&self, id: u64, offset: &str) -> anyhow::Result<()> {
        ensure!(self.launch.clock.is_some(), "this run has no clocks of its own");
        std::fs::write(&self.state.lock().await.node(id)?.clock, offset)?;
        Ok(())
    }

    /// Ends a node for ever: no fault that is taken away starts it again.
    pub(crate) async fn retire(&self, id: u64) -> anyhow::Result<()> {
        let mut state = self.state.lock().await;
        state.end(&[id]).await?;
        state.node(id)?.retired = true;
        self.judge(&mut state);
        Ok(())
    }

    /// Empties the disk of a node that is retired.
    pub(crate) async fn wipe(&self, id: u64) -> anyhow::Result<()> {
        let mut state = self.state.lock().await;
        let node = state.node(id)?;
        ensure!(node.retired, "node {id} may come back");
        Ok(std::fs::remove_dir_all(&node.data)?)
    }

    /// Starts a node that joins through another. It is a member from now on.
    pub(crate) async fn join(&self, id: u64, through: u64) -> anyhow::Result<()> {
        let mut state = self.state.lock().await;
        let peer = state.node(through)?.address.peer.clone();
        let node = state.node(id)?;
        node.introduction = vec!["--join".into(), peer];
        node.start(&self.launch)?;
        state.members.insert(id);
        self.publish(&state);
        self.judge(&mut state);
        Ok(())
    }

    /// Clients ask it no more.
    pub(crate) async fn forget(&self, id: u64) {
        let mut state = self.state.lock().await;
        state.members.remove(&id);
        self.publish(&state);
        self.judge(&mut state);
    }

    pub(crate) async fn set_changing(&self, changing: bool) {
        let mut state = self.state.lock().await;
        state.changing = changing;
        self.judge(&mut state);
    }

    /// A number that no node has had.
    pub(crate) async fn fresh_id(&self) -> u64 {
        self.state.lock().await.nodes.keys().max().copied().unwrap_or(0) + 1
    }

    /// Waits until a node says that it is ready, and records how long its start took.
    pub(crate) async fn wait_ready(&self, id: u64) -> anyhow::Result<()> {
        let (address, start) = {
            let mut state = self.state.lock().await;
            let node = state.node(id)?;
            (node.address.clone(), node.starts)
        };
        let (client, began) = (Client::new()?, self.recorder.now());
        loop {
            let Err(said) = client.ready(&address).await else {
                let at = self.recorder.now();
                let after = at - began;
                self.recorder.record(Event::Ready { node: id, at, after });
                return Ok(());
            };
            let waited = Duration::from_micros(self.recorder.now() - began);
            ensure!(waited < READY_TIME_MAX, "node {id}, after {READY_TIME_MAX:?}: {said}");
            let mut state = self.state.lock().await;
            let node = state.node(id)?;
            // Something else ended it meanwhile: that is not this start's fault.
            if node.life == Life::Down || node.starts != start {
                return Ok(());
            }
            drop(state);
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Processes that ended though nobody ended them; they are started again.
    pub(crate) async fn watch(&self) -> anyhow::Result<()> {
        let mut state = self.state.lock().await;
        let mut fell = false;
        for node in state.nodes.values_mut().filter(|node| node.life != Life::Down) {
            if let Some(status) = node.ended_by_itself() {
                let (id, said) = (node.address.node, node.last_words());
                self.fail(format!("node {id} ended by itself with {status}: {said}"));
                node.start(&self.launch)?;
                fell = true;
            }
        }
        if fell {
            self.judge(&mut state);
        }
        Ok(())
    }

    pub(crate) fn fail(&self, what: String) {
        self.recorder.record(Event::Failure { at: self.recorder.now(), what });
    }

    /// Tries until it works.
    pub(crate) async fn until<F, G>(
        &self,
        at_most: Duration,
        what: &str,
        mut attempt: F,
    ) -> anyhow::Result<()>
    where
        F: FnMut() -> G,
        G: Future<Output = anyhow::Result<()>>,
    {
        let began = self.recorder.now();
        loop {
            match attempt().await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    let waited = Duration::from_micros(self.recorder.now() - began);
                    if waited > at_most {
                        bail!("waited {at_most:?} and not: {what}: {error:#}");
                    }
                }
            }
            tokio::time::sleep(LOOK_AGAIN * 2).await;
        }
    }

    /// Ends all processes and takes disks and network away.
    pub(crate) async fn close(&self) {
        let mut state = self.state.lock().await;
        let all: Vec<u64> = state.nodes.keys().copied().collect();
        // What does not end is killed when its handle is dropped.
        let _ = state.end(&all).await;
        state.nodes.clear();
        state.network = None;
    }

    fn publish(&self, state: &State) {
        let members = state.members.iter().filter_map(|id| state.nodes.get(id));
        let addresses = members.map(|node| node.address.clone()).collect();
        *self.members.write().expect("nobody panics holding it") = addresses;
    }

    /// Records when a majority is lost or back.
    fn judge(&self, state: &mut State) {
        let up: Vec<u64> = state
            .nodes
            .values()
            .filter(|node| node.life == Life::Up)
            .map(|node| node.address.node)
            .filter(|id| state.members.contains(id))
            .collect();
        let n_members = state.members.len();
        let least = if state.changing { n_members } else { self.quorum_of(n_members) };
        let is = can_talk(&up, &state.cut, least);
        if is != state.majority {
            state.majority = is;
            let at: Micros = self.recorder.now();
            self.recorder.record(Event::Majority { at, is });
        }
    }
}

impl State {
    fn node(&mut self, id: u64) -> anyhow::Result<&mut Node> {
        self.nodes.get_mut(&id).with_context(|| format!("no node {id}"))
    }

    fn pids(&self, ids: &[u64]) -> Vec<String> {
        ids.iter().filter_map(|id| self.nodes.get(id)?.pid()).collect()
    }

    async fn end(&mut self, ids: &[u64]) -> anyhow::Result<()> {
        signal("-KILL", &self.pids(ids)).await?;
        for id in ids {
            if let Ok(mut process) = self.node(*id)?.take_process() {
                process.wait().await?;
            }
        }
        Ok(())
    }
}

/// Whether so many of these can all talk to each other, both ways.
fn can_talk(up: &[u64], cut: &[(u64, u64)], least: usize) -> bool {
    let choices = 0..1_u32 << up.len();
    choices.filter(|choice| choice.count_ones() as usize >= least).any(|choice| {
        let chosen = |id: &u64| {
            up.iter().position(|other| other == id).is_some_and(|at| choice & (1 << at) != 0)
        };
        !cut.iter().any(|(source, target)| chosen(source) && chosen(target))
    })
}

/// Ports that were free a moment ago.
fn free_ports() -> anyhow::Result<[u16; 3]> {
    let listen = || std::net::TcpListener::bind("127.0.0.1:0");
    let held = [listen()?, listen()?, listen()?];
    let mut ports = [0; 3];
    for (port, listener) in ports.iter_mut().zip(&held) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::can_talk;

    #[test]
    fn a_majority_must_talk_both_ways() {
        assert!(can_talk(&[1, 2, 3], &[], 3));
        assert!(can_talk(&[2, 3], &[(1, 2), (2, 1)], 2));
        assert!(!can_talk(&[3], &[], 2));
        assert!(can_talk(&[1, 2, 3], &[(1, 2)], 2), "1 and 3 talk");
        assert!(!can_talk(&[1, 2], &[(1, 2)], 2), "one way is no talk");
        assert!(!can_talk(&[1, 2, 3], &[(1, 2), (3, 1), (2, 3)], 2));
        assert!(can_talk(&[1, 2, 3, 4], &[(1, 2), (1, 3)], 3));
        assert!(!can_talk(&[1, 2, 3, 4], &[(1, 2), (3, 4)], 3));
    }
}
