//! How the cluster looks from this node: for people, and for whoever watches it.
//!
//! Each node reports what it holds; whoever is asked collects the reports of all nodes that answer
//! in time, and takes a group's state from the node that leads it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use drave_proto::node::StatusRequest;
use drave_raft::GroupStatus;
use serde::{Deserialize, Serialize};

use super::call::{self, Way};
use super::gate::Room;
use super::meta::{NodeId, NodeState};
use super::{Cluster, META, group_of};
use crate::model::ShardId;

/// A node that has not reported by then is shown as not alive.
const REPORT_TIME_MAX: Duration = Duration::from_secs(1);

/// Where a group stands on one node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupReport {
    /// The leader that the node knows of.
    pub leader: Option<NodeId>,
    /// Who votes.
    pub voters: BTreeSet<NodeId>,
    /// Who follows without a vote.
    pub learners: BTreeSet<NodeId>,
    /// Who should vote.
    pub wanted: BTreeSet<NodeId>,
    /// The current term.
    pub term: u64,
    /// The last entry of the log.
    pub last: u64,
    /// The last entry known to be on a majority.
    pub committed: u64,
    /// The last entry that is in views.
    pub applied: u64,
    /// Entries that each follower lacks, where the node leads.
    pub lag: BTreeMap<NodeId, u64>,
    /// The commands' bytes in the log.
    pub wal_bytes: u64,
    /// The last seal.
    pub sealed: u64,
    /// The last seal whose head is in object storage.
    pub flushed: u64,
}

/// What one node says of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeReport {
    /// Its number.
    pub node_id: NodeId,
    /// The version of the program.
    pub version: String,
    /// Why it writes nothing any more, once that is so.
    pub failed: Option<String>,
    /// What it has room for.
    #[serde(default)]
    pub room: Room,
    /// Its replicas, by Raft group.
    pub groups: BTreeMap<u32, GroupReport>,
}

/// A node of the cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Its number.
    pub id: NodeId,
    /// Where other nodes reach it.
    pub address: String,
    /// Where its HTTP API listens.
    pub http: String,
    /// Nodes of one zone may fail together.
    pub zone: String,
    /// What it may be used for.
    pub state: NodeState,
    /// Whether it answered in time.
    pub alive: bool,
    /// The version of its program: as it says, or as it was when it last came in.
    pub version: String,
    /// Why it writes nothing any more, once that is so.
    pub failed: Option<String>,
    /// Its disk, its WAL, and why it takes no entries, while it takes none.
    pub room: Room,
    /// Shards that it keeps.
    pub shards: usize,
    /// Shards that it leads.
    pub leads: usize,
}

/// A shard of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardStatus {
    /// Its number.
    pub shard: u32,
    /// What its leader says, else whoever of its group answered.
    #[serde(flatten)]
    pub group: GroupReport,
}

/// The whole cluster as one node sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterStatus {
    /// Drawn when it was founded.
    pub cluster_id: String,
    /// Who says all this.
    pub node_id: NodeId,
    /// Every node that was not removed.
    pub nodes: Vec<NodeStatus>,
    /// Every shard.
    pub shards: Vec<ShardStatus>,
    /// The group that keeps what the cluster knows of itself.
    pub meta: GroupReport,
}

/// How far a shard is: three indexes that only move right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The last entry that is in views.
    pub applied: u64,
    /// The last seal.
    pub sealed: u64,
    /// The last seal whose head is in object storage.
    pub flushed: u64,
}

impl GroupReport {
    fn of(status: GroupStatus) -> GroupReport {
        let lag =
            status.matched.iter().map(|(id, matched)| (*id, status.last.saturating_sub(*matched)));
        GroupReport {
            lag: lag.collect(),
            leader: status.leader,
            voters: status.voters,
            learners: status.learners,
            wanted: BTreeSet::new(),
            term: status.term,
            last: status.last,
            committed: status.committed,
            applied: status.applied,
            wal_bytes: status.wal_bytes,
            sealed: 0,
            flushed: 0,
        }
    }
}

impl Cluster {
    /// What this node says of itself.
    pub fn report(&self) -> NodeReport {
        let mut groups = BTreeMap::from([(META, GroupReport::of(self.0.meta.status()))]);
        for shard in self.shard_ids() {
            let Some(status) = self.status(shard) else { continue };
            let view = self.local_view(shard);
            let report = GroupReport {
                sealed: view.as_ref().map_or(0, |view| view.sealed()),
                flushed: view.as_ref().map_or(0, |view| view.flushed()),
                ..GroupReport::of(status)
            };
            groups.insert(group_of(shard), report);
        }
        let version = super::own_version();
        let (failed, room) = (self.failed(), self.0.gate.room());
        NodeReport { node_id: self.0.me, version, failed, room, groups }
    }

    /// What every node says of itself that answers in time.
    async fn reports(&self) -> BTreeMap<NodeId, NodeReport> {
        let cluster_id = format!("{:032x}", self.0.node.identity().cluster_id);
        let state = self.known();
        let others = state.members().filter(|(id, _)| *id != self.0.me);
        let asking = others.map(|(id, node)| {
            let address = self.0.node.peers().address(id).unwrap_or_else(|| node.peer.clone());
            let request = StatusRequest { cluster_id: cluster_id.clone() };
            async move {
                let way = Way { tls: self.0.node.peers().tls(), address: &address, node: Some(id) };
                let asked = call::ask(way, async |mut client| client.status(request).await);
                let answer = tokio::time::timeout(REPORT_TIME_MAX, asked).await.ok()?.ok()?;
                let report: NodeReport = serde_json::from_slice(&answer.report).ok()?;
                (report.node_id == id).then_some((id, report))
            }
        });
        let asking: Vec<_> = asking.collect();
        let mut reports: BTreeMap<NodeId, NodeReport> =
            futures::future::join_all(asking).await.into_iter().flatten().collect();
        reports.insert(self.0.me, self.report());
        reports
    }

    /// How the cluster looks now.
    pub async fn cluster_status(&self) -> ClusterStatus {
        let reports = self.reports().await;
        let state = self.known();
        let group = |number: u32, wanted: &BTreeSet<NodeId>| GroupReport {
            wanted: wanted.clone(),
            ..best(&reports, number)
        };
        let shards: Vec<ShardStatus> = (0_u32..)
            .zip(&state.shards)
            .map(|(shard, placement)| {
                let group = group(group_of(ShardId(shard)), &placement.wanted);
                ShardStatus { shard, group }
            })
            .collect();
        let mut meta = group(META, &BTreeSet::new());
        meta.wanted = super::meta::balance::meta_voters(&state, &meta.voters);
        let nodes = state.members().map(|(id, node)| {
            let report = reports.get(&id);
            NodeStatus {
                id,
                address: node.peer.clone(),
                http: node.http.clone(),
                zone: node.zone.clone(),
                state: node.state,
                alive: report.is_some(),
                version: report
                    .map_or_else(|| node.version.clone(), |report| report.version.clone()),
                failed: report.and_then(|report| report.failed.clone()),
                room: report.map(|report| report.room.clone()).unwrap_or_default(),
                shards: shards.iter().filter(|shard| shard.group.voters.contains(&id)).count(),
                leads: shards.iter().filter(|shard| shard.group.leader == Some(id)).count(),
            }
        });
        let nodes = nodes.collect();
        let cluster_id = format!("{:032x}", self.0.node.identity().cluster_id);
        ClusterStatus { cluster_id, node_id: self.0.me, nodes, shards, meta }
    }

    /// How far a shard is, as far as any of its replicas says.
    pub async fn progress(&self, shard: ShardId) -> Option<Progress> {
        if let Some(view) = self.local_view(shard) {
            let (applied, sealed, flushed) = (view.applied(), view.sealed(), view.flushed());
            return Some(Progress { applied, sealed, flushed });
        }
        let reports = self.reports().await;
        let groups = reports.values().filter_map(|report| report.groups.get(&group_of(shard)));
        let progress = |group: &GroupReport| {
            let GroupReport { applied, sealed, flushed, .. } = *group;
            Progress { applied, sealed, flushed }
        };
        groups.max_by_key(|group| group.applied).map(progress)
    }
}

/// A group as its leader reports it; else as the node that is the furthest does.
fn best(reports: &BTreeMap<NodeId, NodeReport>, group: u32) -> GroupReport {
    let of = |(id, report): (&NodeId, &NodeReport)| {
        report.groups.get(&group).map(|group| (*id, group.clone()))
    };
    let all: Vec<(NodeId, GroupReport)> = reports.iter().filter_map(of).collect();
    let best = all
        .into_iter()
        .max_by_key(|(id, group)| (group.leader == Some(*id), group.term, group.applied));
    best.map(|(_, group)| group).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leader_knows_best() {
        let report = |leader: Option<NodeId>, term: u64, applied: u64| NodeReport {
            groups: BTreeMap::from([(
                3,
                GroupReport { leader, term, applied, ..GroupReport::default() },
            )]),
            ..NodeReport::default()
        };
        let check = |reports: &[(NodeId, NodeReport)], expected: u64| {
            let reports = reports.iter().cloned().collect();
            assert_eq!(best(&reports, 3).applied, expected);
        };
        check(&[], 0);
        check(&[(1, report(Some(2), 5, 10)), (2, report(Some(2), 5, 9))], 9);
        check(&[(1, report(None, 4, 10)), (2, report(None, 5, 9))], 9);
        check(&[(1, report(Some(1), 4, 10)), (3, report(Some(3), 6, 12))], 12);
    }
}
