//! The directory of a development cluster, and the state that is kept there.
//!
//! ```text
//! drave-dev/cluster.json     nodes, ports, processes, what is cut
//!           drave.yaml       the configuration of all nodes
//!           control.sock     where the supervisor listens
//!           objects/         the object store of all nodes
//!           node-1/          the data of a node
//!           node-1.log       what it logged; supervisor.log likewise
//! ```

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};

/// Nodes of a development cluster.
pub(super) const NODES: [u64; 3] = [1, 2, 3];
/// Node 1 has the next port, and so on; so many further where any of them is in use.
const HTTP_PORT: u16 = 3100;
const PG_PORT: u16 = 5433;
const PEER_PORT: u16 = 9095;
const PORT_BLOCK: u16 = 10;
const PORT_BLOCKS: u16 = 50;
/// What the kernel takes for a socket's path.
const SOCKET_PATH_BYTES_MAX: usize = 100;

/// Where everything is.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    dir: PathBuf,
}

/// `cluster.json`: written by `up`, and by the supervisor at every change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// The supervisor's process, while there is one.
    pub(super) supervisor: Option<u32>,
    /// Whether the nodes have been made a cluster.
    pub(super) formed: bool,
    pub(super) nodes: Vec<Node>,
    /// Groups that do not see each other; empty when all links work.
    pub(super) groups: Vec<Vec<u64>>,
}

/// One node and where it listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Node {
    pub(super) id: u64,
    pub(super) http: SocketAddr,
    pub(super) pg: SocketAddr,
    pub(super) peer: SocketAddr,
    /// Its process, while it runs.
    pub(super) pid: Option<u32>,
    /// Why it does not run.
    pub(super) ended: Option<String>,
}

impl Layout {
    pub(super) fn at(dir: &Path) -> anyhow::Result<Layout> {
        let layout = Layout { dir: dir.to_path_buf() };
        let bytes = layout.socket().as_os_str().len();
        ensure!(
            bytes <= SOCKET_PATH_BYTES_MAX,
            "{}: too long for the path of a socket; choose a shorter --dir",
            dir.display()
        );
        Ok(layout)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.dir.join("control.sock")
    }

    pub(super) fn config(&self) -> PathBuf {
        self.dir.join("drave.yaml")
    }

    pub(super) fn data(&self, node: u64) -> PathBuf {
        self.dir.join(format!("node-{node}"))
    }

    pub(super) fn log(&self, node: u64) -> PathBuf {
        self.dir.join(format!("node-{node}.log"))
    }

    pub(super) fn supervisor_log(&self) -> PathBuf {
        self.dir.join("supervisor.log")
    }

    fn state(&self) -> PathBuf {
        self.dir.join("cluster.json")
    }

    /// The state, if there is a cluster.
    pub(super) fn read(&self) -> anyhow::Result<Option<State>> {
        let path = self.state();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).context(path.display().to_string()),
        };
        let state = serde_json::from_str(&text);
        state.map(Some).with_context(|| {
            format!(
                "{} is no state of a cluster; delete the directory to begin anew",
                path.display()
            )
        })
    }

    /// The state of a cluster that there must be.
    pub(super) fn read_existing(&self) -> anyhow::Result<State> {
        self.read()?.with_context(|| self.no_cluster())
    }

    pub(super) fn no_cluster(&self) -> String {
        format!("no cluster in {}; start one: drave dev cluster up", self.dir.display())
    }

    /// Written under another name first, so that nobody reads half of it.
    pub(super) fn write(&self, state: &State) -> anyhow::Result<()> {
        let part = self.dir.join("cluster.json.part");
        let text = serde_json::to_string_pretty(state).context("the state as JSON")?;
        std::fs::write(&part, text).with_context(|| part.display().to_string())?;
        std::fs::rename(&part, self.state()).with_context(|| part.display().to_string())
    }

    /// Makes the directory and a state with ports that are free now.
    pub(super) fn create(&self) -> anyhow::Result<State> {
        let objects = self.dir.join("objects");
        std::fs::create_dir_all(&objects).with_context(|| objects.display().to_string())?;
        let objects = objects.canonicalize()?;
        let config = format!("storage:\n  bucket: file://{}\n", objects.display());
        std::fs::write(self.config(), config)?;
        let state = State { supervisor: None, formed: false, nodes: nodes()?, groups: Vec::new() };
        self.write(&state)?;
        Ok(state)
    }
}

/// The nodes of a new cluster. Their ports are below those that the kernel hands out by itself: a
/// node that is down for a while must find its own again.
fn nodes() -> anyhow::Result<Vec<Node>> {
    let blocks = (0..PORT_BLOCKS).map(|block| block * PORT_BLOCK);
    let found = blocks.filter_map(|block| nodes_at(block).ok()).next();
    found.context("no free ports on 127.0.0.1: is there a cluster that is not used any more?")
}

fn nodes_at(block: u16) -> anyhow::Result<Vec<Node>> {
    // All are held until all are found.
    let mut held = Vec::new();
    let mut free = |port: u16| -> anyhow::Result<SocketAddr> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        let address = listener.local_addr()?;
        held.push(listener);
        Ok(address)
    };
    let nodes = NODES.map(|id| {
        let offset = block + u16::try_from(id).context("few nodes")?;
        let (http, pg) = (free(HTTP_PORT + offset)?, free(PG_PORT + offset)?);
        let peer = free(PEER_PORT + offset)?;
        Ok(Node { id, http, pg, peer, pid: None, ended: None })
    });
    nodes.into_iter().collect()
}

/// Reads `1,2/3`: every node in exactly one group.
pub(super) fn groups(text: &str) -> anyhow::Result<Vec<Vec<u64>>> {
    let mut groups = Vec::new();
    for group in text.split('/') {
        let nodes = group.split(',').map(|word| {
            let node = word.trim().parse().ok().filter(|node| NODES.contains(node));
            node.with_context(|| format!("'{word}' is no node; write groups like 1,2/3"))
        });
        groups.push(nodes.collect::<anyhow::Result<Vec<u64>>>()?);
    }
    for node in NODES {
        match groups.iter().flatten().filter(|other| **other == node).count() {
            1 => {}
            0 => bail!("node {node} is in no group; write groups like 1,2/3"),
            _ => bail!("node {node} is there twice; write groups like 1,2/3"),
        }
    }
    ensure!(groups.len() > 1, "one group is no partition; write groups like 1,2/3");
    Ok(groups)
}

impl State {
    pub(super) fn node(&mut self, id: u64) -> anyhow::Result<&mut Node> {
        let node = self.nodes.iter_mut().find(|node| node.id == id);
        node.with_context(|| format!("no node {id}; there are 1, 2 and 3"))
    }

    /// Whether a link is cut: its ends are in different groups.
    pub(super) fn is_cut(&self, source: u64, target: u64) -> bool {
        let group = |node| self.groups.iter().position(|group| group.contains(&node));
        group(source) != group(target)
    }
}
