//! What the cluster knows of itself: its nodes, and which of them should keep which shard.
//!
//! Replicated by Raft group 0. In go [`Command`]s; out comes the same [`State`] on every node.
//! Small and rare, so both are JSON, which a person can read. Pure: what happens next to shards is
//! decided by [`balance`], and made to happen by the shards' own leaders.
//!
//! Invariants:
//! - a node's id is never used again after it was removed;
//! - `wanted` names active nodes only at the time it is set, and `voters` is what the shard's own
//!   leader said after its group had committed it;
//! - a state that was founded is never founded again.

pub mod balance;
mod machine;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub(super) use machine::{Machine, Reply};

/// A node's number in its cluster.
pub type NodeId = u64;

/// Limits of one tenant: keys of `limits_config` and their values.
pub type OwnLimits = BTreeMap<String, serde_json::Value>;

/// Tenants with limits of their own, at most: the state is written whole, and sent to every node.
const TENANTS_MAX: usize = 1024;
/// Bytes of one tenant's limits, as JSON.
const LIMITS_BYTES_MAX: usize = 8 << 10;

/// Most nodes of a cluster, removed ones included: more is a mistake, or somebody's attack.
const NODES_MAX: usize = 4096;
/// Most voters of a shard: more cost more than they bring.
const REPLICAS_MAX: usize = 7;
/// Longest address, zone or version of a node.
const TEXT_BYTES_MAX: usize = 256;

/// What a node may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeState {
    /// It gets shards.
    Active,
    /// Its shards move away; it serves until they have.
    Draining,
    /// It is gone for good. Its shards are rebuilt elsewhere.
    Removed,
}

/// A node as the cluster knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeInfo {
    /// Where other nodes reach it: `host:port`.
    pub peer: String,
    /// Where its HTTP API listens: for people who look at the status.
    pub http: String,
    /// Nodes of one zone may fail together. Empty: a zone of its own.
    pub zone: String,
    /// What it may be used for.
    pub state: NodeState,
    /// Drawn when its data directory was made: a node that lost its disk is another node.
    pub incarnation: u64,
    /// The version of its program when it last came in.
    #[serde(default)]
    pub version: String,
}

/// A replica that a shard's group begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Founder {
    /// See [`NodeInfo::peer`], as it was when the cluster was founded.
    pub peer: String,
    /// See [`NodeInfo::incarnation`].
    pub incarnation: u64,
}

/// Where a shard lives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// Who should vote in its group.
    pub wanted: BTreeSet<NodeId>,
    /// Who votes in it, as its leader said last; empty until its first leader has.
    pub voters: BTreeSet<NodeId>,
    /// The replicas that its group begins with, for as long as that may still be to happen: each
    /// of them writes the same beginning, so this never changes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub founders: BTreeMap<NodeId, Founder>,
    /// Bytes of its chunks, about, as its leader said last.
    #[serde(default)]
    pub bytes: u64,
}

impl Placement {
    /// Whether the group is not yet where it should be.
    pub fn is_moving(&self) -> bool {
        self.wanted != self.voters
    }

    /// Who should lead the group of a shard, as long as it can: its nodes take turns, so that each
    /// leads its share.
    pub fn preferred(&self, shard: u32) -> Option<NodeId> {
        let turn = shard as usize % self.wanted.len().max(1);
        self.wanted.iter().nth(turn).copied()
    }

    /// Whether a node should keep a replica: it votes, or is to, or its group begins with it.
    pub fn concerns(&self, node: NodeId) -> bool {
        self.wanted.contains(&node)
            || self.voters.contains(&node)
            || self.founders.contains_key(&node)
    }
}

/// Everything that every node knows of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// How many voters a shard has where there are enough nodes; odd.
    pub replicas: usize,
    /// All nodes ever, by id.
    pub nodes: BTreeMap<NodeId, NodeInfo>,
    /// By shard.
    pub shards: Vec<Placement>,
    /// Whether the object storage that all nodes share carries the cluster's mark.
    #[serde(default)]
    pub storage_marked: bool,
    /// Limits that tenants have of their own on every node, by tenant and key.
    #[serde(default)]
    pub limits: BTreeMap<String, OwnLimits>,
}

/// What may happen to a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// The first of all: who is there, and how many shards there are.
    Found {
        /// See [`State::replicas`].
        replicas: usize,
        /// How many shards, for ever.
        n_shards: u32,
        /// The first nodes.
        nodes: BTreeMap<NodeId, NodeInfo>,
    },
    /// A node comes in, or says where it now is.
    Join {
        /// Its number.
        id: NodeId,
        /// Where and what it is.
        node: NodeInfo,
    },
    /// A node is to be used otherwise.
    SetState {
        /// Which.
        id: NodeId,
        /// How.
        state: NodeState,
    },
    /// A shard is to move. Refused where it was placed otherwise meanwhile.
    Place {
        /// Which.
        shard: u32,
        /// What the plan was made on.
        before: BTreeSet<NodeId>,
        /// Who should vote.
        wanted: BTreeSet<NodeId>,
    },
    /// The object storage carries the cluster's mark: a node that does not find it has another one.
    StorageMarked,
    /// A shard's leader says who votes now.
    Placed {
        /// Which.
        shard: u32,
        /// Who, as its group has committed.
        voters: BTreeSet<NodeId>,
    },
    /// A shard's leader says how large it is.
    Sized {
        /// Which.
        shard: u32,
        /// See [`Placement::bytes`].
        bytes: u64,
    },
    /// Shards are to have another number of voters.
    SetReplicas {
        /// See [`State::replicas`].
        replicas: usize,
    },
    /// A tenant gets these limits of its own, instead of those it had; none: everybody's.
    SetLimits {
        /// Whose.
        tenant: String,
        /// Keys of `limits_config` and their values. What they mean is not known here.
        limits: OwnLimits,
    },
}

/// A command that makes no sense now. One line for whoever asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{0}")]
pub struct Refused(pub String);

impl State {
    /// Whether there is a cluster yet.
    pub fn is_founded(&self) -> bool {
        !self.shards.is_empty()
    }

    /// Nodes that serve: active ones and those that drain.
    pub fn members(&self) -> impl Iterator<Item = (NodeId, &NodeInfo)> {
        let nodes = self.nodes.iter().map(|(id, node)| (*id, node));
        nodes.filter(|(_, node)| node.state != NodeState::Removed)
    }

    /// Nodes that were removed and that no group counts on any more, the meta group included: what
    /// they say from now on is nobody's business.
    pub fn gone(&self, meta_members: &BTreeSet<NodeId>) -> BTreeSet<NodeId> {
        let removed = self.nodes.iter().filter(|(_, node)| node.state == NodeState::Removed);
        let counts = |id: &NodeId| {
            meta_members.contains(id) || self.shards.iter().any(|shard| shard.concerns(*id))
        };
        removed.map(|(id, _)| *id).filter(|id| !counts(id)).collect()
    }

    /// Applies one command. What is refused changes nothing.
    pub fn apply(&mut self, command: &Command) -> Result<(), Refused> {
        let refused = |reason: String| Err(Refused(reason));
        if !self.is_founded() && !matches!(command, Command::Found { .. }) {
            return refused("there is no cluster yet: run 'drave cluster init' first".into());
        }
        match command {
            Command::Found { replicas, n_shards, nodes } => {
                if self.is_founded() {
                    return refused("the cluster was founded already".into());
                }
                if nodes.is_empty() || *n_shards == 0 || replicas % 2 == 0 {
                    return refused(
                        "a cluster has nodes, shards and an odd number of replicas".into(),
                    );
                }
                nodes.values().try_for_each(checked)?;
                self.replicas = *replicas;
                self.nodes.clone_from(nodes);
                self.shards = balance::first(self, *n_shards);
            }
            Command::Join { id, node } => {
                checked(node)?;
                self.join(*id, node)?;
            }
            Command::SetState { id, state } => self.set_state(*id, *state)?,
            Command::Place { shard, before, wanted } => {
                let unfit = wanted.iter().find(|id| {
                    self.nodes.get(id).is_none_or(|node| node.state != NodeState::Active)
                        && !before.contains(id)
                });
                if let Some(id) = unfit {
                    return refused(format!("node {id} takes no shards"));
                }
                if wanted.is_empty() {
                    return refused("a shard needs a voter".into());
                }
                let placement = self.shard_mut(*shard)?;
                if placement.wanted != *before {
                    return refused(format!("shard {shard} was placed otherwise meanwhile"));
                }
                placement.wanted.clone_from(wanted);
            }
            Command::StorageMarked => self.storage_marked = true,
            Command::Placed { shard, voters } => {
                let placement = self.shard_mut(*shard)?;
                placement.voters.clone_from(voters);
                placement.founders.clear();
            }
            Command::Sized { shard, bytes } => self.shard_mut(*shard)?.bytes = *bytes,
            Command::SetReplicas { replicas } => {
                if replicas % 2 == 0 || *replicas > REPLICAS_MAX {
                    return refused(format!(
                        "a shard has 1, 3, 5 or {REPLICAS_MAX} voters, not {replicas}"
                    ));
                }
                self.replicas = *replicas;
            }
            Command::SetLimits { tenant, limits } => self.set_limits(tenant, limits)?,
        }
        Ok(())
    }

    fn set_limits(&mut self, tenant: &str, limits: &OwnLimits) -> Result<(), Refused> {
        if limits.is_empty() {
            self.limits.remove(tenant);
            return Ok(());
        }
        let bytes = serde_json::to_vec(limits).map_or(usize::MAX, |text| text.len());
        if tenant.len() > TEXT_BYTES_MAX || bytes > LIMITS_BYTES_MAX {
            return Err(Refused(format!(
                "a tenant's limits have at most {LIMITS_BYTES_MAX} bytes"
            )));
        }
        if self.limits.len() >= TENANTS_MAX && !self.limits.contains_key(tenant) {
            return Err(Refused(format!(
                "{TENANTS_MAX} tenants have limits of their own already: give the others theirs in \
                 the file of runtime_config"
            )));
        }
        self.limits.insert(tenant.to_owned(), limits.clone());
        Ok(())
    }

    fn shard_mut(&mut self, shard: u32) -> Result<&mut Placement, Refused> {
        let n = self.shards.len();
        let unknown = || Refused(format!("there is no shard {shard}: the cluster has {n}"));
        self.shards.get_mut(shard as usize).ok_or_else(unknown)
    }

    fn join(&mut self, id: NodeId, node: &NodeInfo) -> Result<(), Refused> {
        let taken = self.nodes.iter().find(|(other, known)| {
            **other != id && known.state != NodeState::Removed && known.peer == node.peer
        });
        if let Some((other, _)) = taken {
            return Err(Refused(format!(
                "node {other} already listens for peers on {}",
                node.peer
            )));
        }
        let n_nodes = self.nodes.len();
        match self.nodes.get_mut(&id) {
            Some(known) if known.state == NodeState::Removed => Err(Refused(format!(
                "node {id} was removed from this cluster: start it with an empty data directory \
                 and a new --node-id"
            ))),
            Some(known) if known.incarnation != node.incarnation => Err(Refused(format!(
                "node {id} is already in this cluster with another data directory: if that is \
                 lost, run 'drave cluster remove {id}' and start this one with a new --node-id; \
                 else choose another --node-id"
            ))),
            Some(known) => {
                known.peer.clone_from(&node.peer);
                known.http.clone_from(&node.http);
                known.zone.clone_from(&node.zone);
                known.version.clone_from(&node.version);
                Ok(())
            }
            None if n_nodes >= NODES_MAX => {
                Err(Refused(format!("a cluster has at most {NODES_MAX} nodes")))
            }
            None => {
                self.nodes.insert(id, NodeInfo { state: NodeState::Active, ..node.clone() });
                Ok(())
            }
        }
    }

    fn set_state(&mut self, id: NodeId, state: NodeState) -> Result<(), Refused> {
        let refused = |reason: String| Err(Refused(reason));
        let others =
            self.members().filter(|(other, node)| *other != id && node.state == NodeState::Active);
        let n_others = others.count();
        let Some(node) = self.nodes.get_mut(&id) else {
            return refused(format!("there is no node {id}"));
        };
        if node.state == NodeState::Removed && state != NodeState::Removed {
            return refused(format!("node {id} was removed: a removed node never comes back"));
        }
        if state != NodeState::Active && n_others == 0 {
            return refused(format!("node {id} is the last one that is active"));
        }
        node.state = state;
        Ok(())
    }
}

fn checked(node: &NodeInfo) -> Result<(), Refused> {
    let short = |text: &str| text.len() <= TEXT_BYTES_MAX;
    let texts = [&node.peer, &node.http, &node.zone, &node.version];
    if node.peer.is_empty() || !texts.into_iter().all(|text| short(text)) {
        return Err(Refused(format!(
            "a node has an address, and no text over {TEXT_BYTES_MAX} bytes"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn node(zone: &str, id: NodeId) -> NodeInfo {
        NodeInfo {
            peer: format!("10.0.0.{id}:9095"),
            http: String::new(),
            zone: zone.into(),
            state: NodeState::Active,
            incarnation: id * 100,
            version: String::new(),
        }
    }

    fn founded(n: NodeId) -> State {
        let nodes = (1..=n).map(|id| (id, node("", id))).collect();
        let mut state = State::default();
        state.apply(&Command::Found { replicas: 3, n_shards: 4, nodes }).expect("a first time");
        state
    }

    #[test]
    fn commands_and_state_come_back_from_json() {
        let check = |command: &Command| {
            let text = serde_json::to_string(command).expect("plain values");
            assert_eq!(
                &serde_json::from_str::<Command>(&text).expect("it was written so"),
                command
            );
        };
        let nodes = BTreeMap::from([(1, node("a", 1))]);
        check(&Command::Found { replicas: 3, n_shards: 4, nodes });
        check(&Command::Join { id: 2, node: node("", 2) });
        check(&Command::SetState { id: 2, state: NodeState::Draining });
        let (before, wanted) = (BTreeSet::from([1]), BTreeSet::from([2]));
        check(&Command::Place { shard: 1, before: before.clone(), wanted });
        check(&Command::Placed { shard: 1, voters: before });
        check(&Command::Sized { shard: 1, bytes: 7 });
        check(&Command::SetReplicas { replicas: 5 });
        let limits = OwnLimits::from([("query_timeout".to_owned(), "5s".into())]);
        check(&Command::SetLimits { tenant: "a".into(), limits });
        let state = founded(3);
        let text = serde_json::to_string(&state).expect("plain values");
        assert_eq!(serde_json::from_str::<State>(&text).expect("it was written so"), state);
    }

    #[test]
    fn what_is_refused_changes_nothing() {
        let check = |command: Command, expected: &str| {
            let mut state = founded(3);
            let before = state.clone();
            let refused = state.apply(&command).expect_err("refused");
            assert!(refused.0.contains(expected), "{refused}");
            assert_eq!(state, before);
        };
        check(
            Command::Found { replicas: 1, n_shards: 1, nodes: BTreeMap::from([(9, node("", 9))]) },
            "founded already",
        );
        check(Command::Join { id: 4, node: node("", 1) }, "node 1 already listens");
        let other_disk = NodeInfo { incarnation: 7, ..node("", 2) };
        check(Command::Join { id: 2, node: other_disk }, "another data directory");
        check(Command::SetState { id: 9, state: NodeState::Draining }, "there is no node 9");
        let to = |wanted: &[NodeId]| Command::Place {
            shard: 0,
            before: BTreeSet::from([1, 2, 3]),
            wanted: wanted.iter().copied().collect(),
        };
        check(to(&[1, 2, 9]), "node 9 takes no shards");
        check(to(&[]), "needs a voter");
        let stale =
            Command::Place { shard: 0, before: BTreeSet::from([1]), wanted: BTreeSet::from([1]) };
        check(stale, "placed otherwise");
        check(Command::Placed { shard: 9, voters: BTreeSet::new() }, "no shard 9");
        check(Command::Sized { shard: 9, bytes: 1 }, "no shard 9");
        for replicas in [0, 2, 9] {
            check(Command::SetReplicas { replicas }, "1, 3, 5 or 7 voters");
        }
    }

    #[test]
    fn a_removed_node_never_comes_back() {
        let mut state = founded(3);
        state.apply(&Command::SetState { id: 3, state: NodeState::Removed }).expect("it goes");
        let back = state.apply(&Command::Join { id: 3, node: node("", 3) });
        assert!(back.expect_err("refused").0.contains("was removed"));
        let back = state.apply(&Command::SetState { id: 3, state: NodeState::Active });
        assert!(back.expect_err("refused").0.contains("never comes back"));
        state.apply(&Command::SetState { id: 2, state: NodeState::Draining }).expect("it drains");
        let last = state.apply(&Command::SetState { id: 1, state: NodeState::Draining });
        assert!(last.expect_err("refused").0.contains("last one"));
    }

    #[test]
    fn tenants_have_limits_of_their_own() {
        let mut state = founded(1);
        let limits = |n: usize| OwnLimits::from([("k".to_owned(), "v".repeat(n).into())]);
        let set = |tenant: &str, limits| Command::SetLimits { tenant: tenant.into(), limits };
        state.apply(&set("a", limits(1))).expect("a first time");
        state.apply(&set("a", limits(2))).expect("other ones");
        assert_eq!(state.limits, BTreeMap::from([("a".to_owned(), limits(2))]));
        let long = state.apply(&set("a", limits(9000))).expect_err("too long");
        assert!(long.0.contains("8192 bytes"), "{long}");
        state.apply(&set("a", OwnLimits::new())).expect("none any more");
        assert!(state.limits.is_empty());
        for n in 0..TENANTS_MAX {
            state.apply(&set(&n.to_string(), limits(1))).expect("there is room");
        }
        let many = state.apply(&set("one more", limits(1))).expect_err("too many");
        assert!(many.0.contains("1024 tenants"), "{many}");
        state.apply(&set("7", limits(3))).expect("it is there already");
    }

    #[test]
    fn a_removed_node_is_gone_once_nobody_counts_on_it() {
        let mut state = founded(3);
        assert!(state.gone(&BTreeSet::new()).is_empty());
        state.apply(&Command::SetState { id: 3, state: NodeState::Removed }).expect("it goes");
        assert!(state.gone(&BTreeSet::new()).is_empty(), "shards want it still");
        for placement in &mut state.shards {
            placement.wanted.remove(&3);
        }
        assert!(state.gone(&BTreeSet::new()).is_empty(), "their groups begin with it");
        for shard in 0..4 {
            let voters = BTreeSet::from([1, 2]);
            state.apply(&Command::Placed { shard, voters }).expect("a leader says so");
        }
        assert!(state.gone(&BTreeSet::from([1, 3])).is_empty(), "so does the meta group");
        assert_eq!(state.gone(&BTreeSet::from([1])), BTreeSet::from([3]));
    }

    #[test]
    fn a_node_that_moved_says_so_by_joining_again() {
        let mut state = founded(3);
        let moved = NodeInfo { peer: "10.0.0.99:9095".into(), ..node("", 2) };
        state.apply(&Command::Join { id: 2, node: moved.clone() }).expect("the same node");
        assert_eq!(state.nodes[&2], moved);
    }
}
