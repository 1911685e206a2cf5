//! What `/metrics` says is what `docs/metrics.md` lists, and the cluster is seen as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::cluster::{member, push, settled, status};
use super::node::Node;

/// Names as the list has them, with the ending of counters.
fn said(text: &str) -> BTreeSet<String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let names = types.map(|line| {
        let (name, kind) = line.split_once(' ').expect("a name and a type");
        if kind == "counter" { format!("{name}_total") } else { name.to_owned() }
    });
    names.collect()
}

fn listed() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let text = std::fs::read_to_string(path).expect("the list");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split('`').next().expect("a name").to_owned()).collect()
}

/// Values by name and labels.
fn values(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let value = |line: &str| {
        let (name, value) = line.rsplit_once(' ')?;
        Some((name.to_owned(), value.parse().ok()?))
    };
    lines.filter_map(value).collect()
}

#[tokio::test]
async fn every_metric_is_listed_and_every_listed_one_is_there() {
    let node = Node::start().await;
    // Refusals are counted by reason, once there is one.
    assert_eq!(node.push(&serde_json::json!({}), &[(1, "without labels")]).await.status, 400);
    let text = node.get("/metrics", &[]).await.text;
    let (said, listed) = (said(&text), listed());
    let missing: Vec<_> = said.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&said).collect();
    assert!(missing.is_empty() && gone.is_empty(), "not listed: {missing:?}; not there: {gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_seen_as_it_is() {
    let root = tempfile::tempdir().expect("a directory");
    let one = member(root.path(), 1, None).await;
    let two = member(root.path(), 2, Some(&one)).await;
    let three = member(root.path(), 3, Some(&one)).await;
    settled(&one, &[1, 2, 3], 3).await;
    push(&two, 0).await;
    let seen = status(&one).await;
    for node in seen["nodes"].as_array().expect("nodes") {
        let disk = &node["room"]["disk"];
        assert!(disk["bytes"].as_u64() > disk["free_bytes"].as_u64(), "{node}");
        assert!(node["room"]["wal_bytes"].as_u64() > Some(0), "{node}");
        assert!(node["room"]["refused"].is_null(), "{node}");
    }
    for node in [&one, &two, &three] {
        check_metrics(node).await;
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_drave"));
    let output = command.args(["cluster", "status", "--server", &one.url("")]).output();
    let text = String::from_utf8(output.expect("drave runs").stdout).expect("text");
    for part in ["leader", "lag", "moving", "disk", "GiB free", "refuses", "meta"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// Waits until a node's metrics tell of eight shards on three nodes, all well.
async fn check_metrics(node: &Node) {
    let start = Instant::now();
    loop {
        let text = node.get("/metrics", &[]).await.text;
        let values = values(&text);
        let all = |name: &str, good: &dyn Fn(f64) -> bool| {
            let group = |shard: &String| values.get(&format!("{name}{{shard=\"{shard}\"}}"));
            let mut groups = (0..8).map(|shard| shard.to_string()).chain(["meta".to_owned()]);
            groups.all(|shard| group(&shard).is_some_and(|value| good(*value)))
        };
        let one = |name: &str| values.get(name).copied().unwrap_or(f64::NAN);
        let led = (0..8).map(|shard| one(&format!("drave_raft_leads{{shard=\"{shard}\"}}")));
        let lag = |name: &&String| {
            let lag = name.starts_with("drave_raft_follower_lag_entries{shard=");
            lag && !name.contains("meta")
        };
        let n_lags = values.keys().filter(lag).count() as f64;
        let good = all("drave_raft_voters", &|n| n == 3.0)
            && all("drave_raft_term", &|n| n > 0.0)
            && all("drave_raft_leader_node", &|n| (1.0..=3.0).contains(&n))
            && all("drave_raft_commit_index", &|n| n > 0.0)
            && all("drave_raft_applied_index", &|n| n > 0.0)
            && all("drave_raft_last_index", &|n| n > 0.0)
            && all("drave_raft_contact_age_seconds", &|n| n < 60.0)
            && n_lags == 2.0 * led.sum::<f64>()
            && one("drave_cluster_nodes") == 3.0
            && one("drave_cluster_moving_shards") == 0.0
            && one("drave_raft_lane_commits_total") > 0.0
            && one("drave_disk_free_bytes") > 0.0;
        if good {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{text}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
