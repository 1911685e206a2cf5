//! The one long process of a development cluster: it owns the nodes' processes and the links
//! between them, and does one request after the other.
//!
//! A node that ends by itself is not started again: whoever develops wants to see it.

use std::collections::BTreeMap;
use std::process::{Child, ExitStatus};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::BufReader;
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};

use super::control::{self, Answer, Request};
use super::layout::{Layout, State};
use super::link::Link;
use super::process;
use crate::telemetry::Stopwatch;

/// Between two looks for nodes that ended.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long nodes may take to stop when asked; then they are killed.
const STOP_TIME_MAX: Duration = Duration::from_secs(15);
/// How long a word may take to say what it wants.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(5);

pub(super) async fn run(layout: &Layout) -> anyhow::Result<()> {
    let socket = layout.socket();
    // Left by a supervisor that was killed: nobody answered there, or this one had not started.
    let _ = std::fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket).with_context(|| socket.display().to_string())?;
    let mut supervisor = Supervisor::start(layout).await?;
    let mut terminated = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupted = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let mut look = tokio::time::interval(LOOK_EVERY);
    let last = loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted.context("the control socket")?;
                let mut stream = BufReader::new(stream);
                if let Some(Request::Down) = supervisor.serve(&mut stream).await {
                    break Some(stream);
                }
            }
            _ = look.tick() => supervisor.look()?,
            _ = terminated.recv() => break None,
            _ = interrupted.recv() => break None,
        }
    };
    let stopped = supervisor.stop().await;
    let _ = std::fs::remove_file(&socket);
    if let Some(mut stream) = last {
        let answer = match &stopped {
            Ok(()) => Answer::Done("all nodes stopped; what they hold stays".into()),
            Err(error) => Answer::Refused(format!("{error:#}")),
        };
        control::write_line(&mut stream, &answer).await?;
    }
    stopped
}

struct Supervisor<'a> {
    layout: &'a Layout,
    state: State,
    processes: BTreeMap<u64, Child>,
    links: Vec<Link>,
}

impl Supervisor<'_> {
    async fn start(layout: &Layout) -> anyhow::Result<Supervisor<'_>> {
        let mut state = layout.read_existing()?;
        state.supervisor = Some(std::process::id());
        state.groups.clear();
        let mut links = Vec::new();
        for source in &state.nodes {
            for target in state.nodes.iter().filter(|target| target.id != source.id) {
                links.push(Link::open(source.id, target.id, target.peer).await?);
            }
        }
        let mut supervisor = Supervisor { layout, state, processes: BTreeMap::new(), links };
        let ids: Vec<u64> = supervisor.state.nodes.iter().map(|node| node.id).collect();
        for id in ids {
            supervisor.start_node(id)?;
        }
        supervisor.write()?;
        Ok(supervisor)
    }

    /// Does what one connection asks. Only `Down` is left to the caller.
    async fn serve(&mut self, stream: &mut BufReader<UnixStream>) -> Option<Request> {
        let request = tokio::time::timeout(REQUEST_TIME_MAX, control::read_line(stream)).await;
        let request = match request {
            Ok(Ok(Request::Down)) => return Some(Request::Down),
            Ok(Ok(request)) => request,
            // Somebody who only looked whether we are there.
            Ok(Err(_)) | Err(_) => return None,
        };
        let answer = match self.obey(&request) {
            Ok(done) => Answer::Done(done),
            Err(error) => Answer::Refused(format!("{error:#}")),
        };
        // Whoever asked may be gone: it is done all the same.
        let _ = control::write_line(stream, &answer).await;
        Some(request)
    }

    fn obey(&mut self, request: &Request) -> anyhow::Result<String> {
        self.look()?;
        let done = match request {
            Request::Kill(node) => self.kill(*node)?,
            Request::Start(node) => {
                self.start_node(*node)?;
                format!("started node {node}")
            }
            Request::Partition(groups) => {
                self.state.groups.clone_from(groups);
                self.set_links();
                let groups = groups
                    .iter()
                    .map(|group| group.iter().map(u64::to_string).collect::<Vec<_>>().join(","));
                let groups = groups.collect::<Vec<_>>().join(" and ");
                format!("cut all links between {groups}; mend them: drave dev cluster heal")
            }
            Request::Heal => {
                self.state.groups.clear();
                self.set_links();
                "all links work".into()
            }
            Request::Formed => {
                self.state.formed = true;
                "noted".into()
            }
            Request::Hello | Request::Down => "up".into(),
        };
        self.write()?;
        Ok(done)
    }

    fn kill(&mut self, id: u64) -> anyhow::Result<String> {
        self.state.node(id)?;
        let Some(mut process) = self.processes.remove(&id) else {
            bail!("node {id} does not run; start it: drave dev cluster start {id}");
        };
        process.kill().with_context(|| format!("cannot kill node {id}"))?;
        process.wait().with_context(|| format!("cannot wait for node {id}"))?;
        self.ended(id, "killed".into())?;
        Ok(format!("killed node {id}; start it: drave dev cluster start {id}"))
    }

    fn start_node(&mut self, id: u64) -> anyhow::Result<()> {
        let node = self.state.node(id)?.clone();
        if self.processes.contains_key(&id) {
            bail!("node {id} runs already");
        }
        let peers = self.state.nodes.iter().map(|peer| {
            let link = self.links.iter().find(|l| (l.source, l.target) == (id, peer.id));
            format!("{}@{}", peer.id, link.map_or(peer.peer, |link| link.address))
        });
        let process = process::start(self.layout, &node, &peers.collect::<Vec<_>>().join(","))?;
        let node = self.state.node(id)?;
        (node.pid, node.ended) = (Some(process.id()), None);
        self.processes.insert(id, process);
        Ok(())
    }

    fn set_links(&self) {
        for link in &self.links {
            link.set_cut(self.state.is_cut(link.source, link.target));
        }
    }

    /// Notes which nodes ended by themselves.
    fn look(&mut self) -> anyhow::Result<()> {
        let mut ended: Vec<(u64, ExitStatus)> = Vec::new();
        for (id, process) in &mut self.processes {
            if let Some(status) = process.try_wait().context("cannot look at a process")? {
                ended.push((*id, status));
            }
        }
        for (id, status) in &ended {
            self.processes.remove(id);
            self.ended(*id, format!("ended by itself: {status}"))?;
        }
        if ended.is_empty() { Ok(()) } else { self.write() }
    }

    fn ended(&mut self, id: u64, why: String) -> anyhow::Result<()> {
        let node = self.state.node(id)?;
        (node.pid, node.ended) = (None, Some(why));
        Ok(())
    }

    /// Asks all nodes to stop at once, and kills those that do not.
    async fn stop(&mut self) -> anyhow::Result<()> {
        for process in self.processes.values() {
            process::terminate(process.id())?;
        }
        let watch = Stopwatch::start();
        while !self.processes.is_empty() && watch.elapsed() < STOP_TIME_MAX {
            tokio::time::sleep(LOOK_EVERY).await;
            self.look()?;
        }
        for id in self.processes.keys().copied().collect::<Vec<u64>>() {
            self.kill(id)?;
        }
        for node in &mut self.state.nodes {
            node.ended = None;
        }
        self.state.supervisor = None;
        self.state.groups.clear();
        self.write()
    }

    fn write(&self) -> anyhow::Result<()> {
        self.layout.write(&self.state)
    }
}
