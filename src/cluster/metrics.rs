//! What the groups of this node do, for whoever scrapes it: looked at when asked, kept nowhere.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use drave_raft::GroupStatus;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::Cluster;

/// What this node did to shards since it started.
#[derive(Default)]
pub(super) struct Counts {
    /// Shards that came to be where they were wanted, led by this node.
    pub(super) moves: AtomicU64,
    /// Leaderships that this node handed on.
    pub(super) handovers: AtomicU64,
    /// Replicas that this node erased because they live elsewhere now.
    pub(super) erased: AtomicU64,
}

/// Reads the groups of this node when it is scraped.
pub struct GroupMetrics(pub Cluster);

impl fmt::Debug for GroupMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GroupMetrics")
    }
}

/// A shard's number, or `meta`; and where it stands.
type Groups = Vec<(String, GroupStatus)>;

impl Collector for GroupMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let groups = self.groups();
        per_group(&mut encoder, &groups, "drave_raft_term", "Term", |s| Some(s.term as f64))?;
        per_group(&mut encoder, &groups, "drave_raft_last_index", "Last entry of the log", |s| {
            Some(s.last as f64)
        })?;
        per_group(
            &mut encoder,
            &groups,
            "drave_raft_commit_index",
            "Last entry on a majority",
            |s| Some(s.committed as f64),
        )?;
        per_group(&mut encoder, &groups, "drave_raft_applied_index", "Last entry in views", |s| {
            Some(s.applied as f64)
        })?;
        per_group(&mut encoder, &groups, "drave_raft_purged_index", "Last entry removed", |s| {
            Some(s.purged as f64)
        })?;
        per_group(&mut encoder, &groups, "drave_raft_leader_node", "Known leader, or 0", |s| {
            Some(s.leader.unwrap_or(0) as f64)
        })?;
        per_group(&mut encoder, &groups, "drave_raft_leads", "Whether this node leads", |s| {
            Some(f64::from(u8::from(s.leads)))
        })?;
        per_group(&mut encoder, &groups, "drave_raft_voters", "Voters", |s| {
            Some(s.voters.len() as f64)
        })?;
        per_group(&mut encoder, &groups, "drave_raft_wal_bytes", "Bytes of commands kept", |s| {
            Some(s.wal_bytes as f64)
        })?;
        let help = "Time since a majority (on a leader) or the leader was heard";
        per_group(&mut encoder, &groups, "drave_raft_contact_age_seconds", help, |s| {
            s.last_contact.map(|age| age.as_secs_f64())
        })?;
        lags(&mut encoder, &groups)?;
        self.queues(&mut encoder)?;
        self.node(&mut encoder)
    }
}

impl GroupMetrics {
    fn groups(&self) -> Groups {
        let cluster = &self.0;
        let shards = cluster.shard_ids().filter_map(|shard| {
            let status = cluster.status(shard)?;
            Some((shard.0.to_string(), status))
        });
        std::iter::once(("meta".to_owned(), cluster.0.meta.status())).chain(shards).collect()
    }

    fn queues(&self, encoder: &mut DescriptorEncoder) -> Result<(), fmt::Error> {
        let help = "Bytes of entries that wait for the shard or are on their way to it";
        let mut family =
            encoder.encode_descriptor("drave_shard_queue_bytes", help, None, MetricType::Gauge)?;
        for shard in self.0.shard_ids() {
            let bytes = self.0.0.shard(shard).writer.queued_bytes();
            let labels = [("shard", shard.0.to_string())];
            ConstGauge::new(bytes as f64).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    /// What is not of one group.
    fn node(&self, encoder: &mut DescriptorEncoder) -> Result<(), fmt::Error> {
        let cluster = &self.0;
        let room = cluster.0.gate.room();
        let state = cluster.known();
        let moving = state.shards.iter().filter(|shard| shard.voters != shard.wanted).count();
        let gauges = [
            ("drave_disk_bytes", "Size of the data directory's disk", room.disk.bytes as f64),
            ("drave_disk_free_bytes", "What is free of it", room.disk.free_bytes as f64),
            ("drave_wal_bytes", "Bytes of commands kept, over all groups", room.wal_bytes as f64),
            (
                "drave_node_refuses_entries",
                "Whether entries are refused: disk or WAL are full",
                f64::from(u8::from(room.refused.is_some())),
            ),
            (
                "drave_node_failed",
                "Whether nothing is written any more until the next start",
                f64::from(u8::from(cluster.failed().is_some())),
            ),
            ("drave_cluster_nodes", "Nodes of the cluster", state.members().count() as f64),
            (
                "drave_cluster_moving_shards",
                "Shards that are not where they should be",
                moving as f64,
            ),
        ];
        for (name, help, value) in gauges {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value).encode(metric)?;
        }
        let lane = cluster.0.node.lane_stats();
        let peers = cluster.0.node.peers().stats();
        let counts = &cluster.0.counts;
        let done = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let counters = [
            ("drave_raft_lane_commits", "Commits of log.redb, each one sync", lane.commits),
            ("drave_raft_lane_entries", "Entries written to it", lane.entries),
            ("drave_raft_lane_bytes", "Bytes of commands written to it", lane.bytes),
            ("drave_raft_lane_written_bytes", "All bytes written to it", lane.written_bytes),
            ("drave_raft_heartbeats", "Heartbeats sent, one for each group", peers.beats),
            ("drave_raft_heartbeat_messages", "Messages that carried them", peers.beat_messages),
            ("drave_raft_snapshots_sent", "Snapshots that followers installed", peers.snapshots),
            ("drave_raft_snapshot_sent_bytes", "Bytes sent of snapshots", peers.snapshot_bytes),
            ("drave_raft_snapshots_installed", "Snapshots taken from leaders", peers.installed),
            (
                "drave_cluster_moves",
                "Shards that came to where they should be",
                done(&counts.moves),
            ),
            ("drave_cluster_handovers", "Leaderships handed on", done(&counts.handovers)),
            ("drave_cluster_replicas_erased", "Replicas that moved away", done(&counts.erased)),
        ];
        for (name, help, value) in counters {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(value).encode(metric)?;
        }
        Ok(())
    }
}

fn per_group(
    encoder: &mut DescriptorEncoder,
    groups: &Groups,
    name: &str,
    help: &str,
    value: impl Fn(&GroupStatus) -> Option<f64>,
) -> Result<(), fmt::Error> {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (shard, status) in groups {
        let Some(value) = value(status) else { continue };
        let labels = [("shard", shard.as_str())];
        ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

/// What each follower lacks, where this node leads.
fn lags(encoder: &mut DescriptorEncoder, groups: &Groups) -> Result<(), fmt::Error> {
    let (name, help) = ("drave_raft_follower_lag_entries", "Entries that a follower lacks");
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (shard, status) in groups {
        for (node, matched) in &status.matched {
            let lag = status.last.saturating_sub(*matched) as f64;
            let labels = [("shard", shard.clone()), ("follower", node.to_string())];
            ConstGauge::new(lag).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}
