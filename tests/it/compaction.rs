//! Small chunks become few larger ones, and nobody who reads can tell.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use crate::node::Node;

const T: i64 = 1_700_000_000_000_000_000;
const PATIENCE: Duration = Duration::from_secs(60);
const ROUNDS: i64 = 9;

fn config(every: &str, more: &str) -> String {
    format!("shard: {{count: 2}}\ncompaction: {{every: {every}}}\nstorage: {{{more}}}\n")
}

/// Entries of 20 streams: some in each round alone, some in every round again, and some at one
/// timestamp in all of them, where the order of the rounds is the order of the answer.
async fn push(node: &Node, round: i64) {
    let streams = (0..20).map(|stream| {
        let own = (0..30).map(|n| {
            let at = T + (round * 30 + n) * 1_000_000_000;
            let line = format!("level=info round={round} n={n} took={}ms", n * 7 % 11);
            json!([at.to_string(), line, {"trace": format!("t{}", (round + n) % 5)}])
        });
        let again = (0..5).map(|n| json!([(T + n * 1000).to_string(), format!("again {n}")]));
        let tied = (0..3).map(|n| json!([(T + 5000).to_string(), format!("tied {round} {n}")]));
        let values: Vec<Value> = own.chain(again).chain(tied).collect();
        json!({"stream": {"app": "web", "pod": format!("p{stream}")}, "values": values})
    });
    let body = json!({"streams": streams.collect::<Vec<_>>()}).to_string();
    let answer = node.post("/loki/api/v1/push", "application/json", body).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
}

async fn n_chunks(node: &Node) -> i64 {
    let rows = node.sql().await.query("select count(*) from drave.chunks", &[]).await;
    rows.expect("rows")[0].get(0)
}

/// The objects of chunks below a data directory.
fn objects(data: &Path) -> BTreeSet<String> {
    fn walk(directory: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "chunk") {
                found.insert(path.display().to_string());
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(&data.join("objects"), &mut found);
    found
}

/// What people see of all that.
async fn answers(node: &Node) -> Vec<String> {
    let span = [("start", (T - 1).to_string()), ("end", (T + 3_600_000_000_000).to_string())];
    let logs = "/loki/api/v1/query_range";
    let asked: [(&str, &[(&str, &str)]); 11] = [
        (logs, &[("query", r#"{app="web"}"#), ("limit", "5000"), ("direction", "forward")]),
        (logs, &[("query", r#"{app="web"}"#), ("limit", "5000"), ("direction", "backward")]),
        (logs, &[("query", r#"{pod="p3"} |= "tied""#), ("limit", "7")]),
        (logs, &[("query", r#"{app="web"} | trace="t2" |~ "n=1.""#), ("limit", "5000")]),
        (logs, &[("query", r#"sum by (pod) (count_over_time({app="web"}[1m]))"#), ("step", "60")]),
        (
            logs,
            &[
                (
                    "query",
                    r#"quantile_over_time(0.9, {app="web"} | logfmt | unwrap duration(took) [5m]) by (pod)"#,
                ),
                ("step", "60"),
            ],
        ),
        ("/loki/api/v1/series", &[("match[]", r#"{app="web"}"#)]),
        ("/loki/api/v1/index/stats", &[("query", r#"{app="web"}"#)]),
        ("/loki/api/v1/index/volume", &[("query", r#"{app="web"}"#)]),
        ("/loki/api/v1/detected_fields", &[("query", r#"{app="web"}"#)]),
        ("/loki/api/v1/patterns", &[("query", r#"{app="web"}"#)]),
    ];
    let mut all = Vec::new();
    for (path, params) in asked {
        let span = span.iter().map(|(name, value)| (*name, value.as_str()));
        let params: Vec<(&str, &str)> = params.iter().copied().chain(span).collect();
        let answer = node.get(path, &params).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        let mut answer = answer.json();
        // What it cost may differ, and how many chunks there are.
        if let Some(data) = answer.get_mut("data").and_then(Value::as_object_mut) {
            data.remove("stats");
        }
        if let Some(stats) = answer.as_object_mut() {
            stats.remove("chunks");
        }
        all.push(format!("{path} {params:?}\n{answer}"));
    }
    let client = node.sql().await;
    for statement in [
        "select timestamp, line, level, labels, structured_metadata from logs \
         order by timestamp desc, line, labels",
        "select pod, count(*), min(timestamp), max(timestamp) from logs group by 1 order by 1",
        "select count(*) from logs where line like '%round=7%' and structured_metadata->>'trace' = 't3'",
    ] {
        let rows = client.simple_query(statement).await.expect("rows");
        let rows = rows.iter().filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|n| row.get(n).unwrap_or("").to_owned()).collect())
            }
            _ => None,
        });
        let rows: Vec<Vec<String>> = rows.collect();
        assert!(!rows.is_empty(), "{statement}");
        all.push(format!("{statement}\n{rows:?}"));
    }
    all
}

async fn check(node: &Node, expected: &[String], when: &str) {
    for (found, expected) in answers(node).await.iter().zip(expected) {
        assert!(found == expected, "{when}:\n{found}\nwas\n{expected}");
    }
}

/// Waits until something holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < PATIENCE, "{what} in {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A node that has a chunk per shard and round and merges none of them, its data and its
/// configuration.
async fn unmerged(root: &Path) -> (Node, PathBuf, PathBuf) {
    let (data, file) = (root.join("data"), root.join("drave.yaml"));
    std::fs::write(&file, config("0s", "sweep_every: 0s")).expect("a file");
    let node = Node::on(&data, Some(&file)).await;
    for round in 0..ROUNDS {
        push(&node, round).await;
        assert_eq!(node.post("/flush", "text/plain", "").await.status, 204);
    }
    (node, data, file)
}

#[tokio::test]
async fn chunks_become_few_and_answers_stay() {
    let root = tempfile::tempdir().expect("a directory");
    let (mut node, data, file) = unmerged(root.path()).await;
    let write = |yaml: String| std::fs::write(&file, yaml).expect("a file");
    // One more stays in the head.
    push(&node, ROUNDS).await;
    let expected = answers(&node).await;
    assert_eq!((n_chunks(&node).await, objects(&data).len()), (2 * ROUNDS, 2 * ROUNDS as usize));
    let page = [("query", r#"{pod="p3"}"#), ("start", "1700000000"), ("end", "1700000006")];
    let first = [&page[..], &[("limit", "11"), ("direction", "forward")]].concat();
    let first = node.get("/loki/api/v1/query_range", &first).await.json();
    let cursor = first["data"]["next_cursor"].as_str().expect("more follows").to_owned();
    let next = [&page[..], &[("limit", "40"), ("direction", "forward"), ("cursor", &cursor)]];
    let next_page = async |node: &Node| {
        node.get("/loki/api/v1/query_range", &next.concat()).await.json()["data"]["result"].clone()
    };
    let expected_page = next_page(&node).await;

    let before = objects(&data);
    write(config("100ms", "sweep_every: 0s"));
    node.kill_and_restart().await;
    until("two chunks are left", async || n_chunks(&node).await == 2).await;
    check(&node, &expected, "after compaction").await;
    assert_eq!(next_page(&node).await, expected_page, "a page that began before");
    assert!(objects(&data).is_superset(&before), "a query may still read what was replaced");
    assert_eq!(objects(&data).len(), before.len() + 2);
    node.kill_and_restart().await;
    check(&node, &expected, "after a restart").await;

    write(config("100ms", "sweep_every: 0s, erase_after: 1s"));
    node.kill_and_restart().await;
    until("what was replaced is erased", async || objects(&data).len() == 2).await;
    assert!(objects(&data).is_disjoint(&before));
    node.kill_and_restart().await;
    check(&node, &expected, "after the old objects are gone").await;
}

/// A node that is killed while it merges, again and again, merges in the end and loses nothing; and
/// a chunk that is damaged is left alone, and the others are merged.
#[tokio::test]
async fn a_merge_may_be_killed_and_meets_damage() {
    let root = tempfile::tempdir().expect("a directory");
    let (mut node, data, file) = unmerged(root.path()).await;
    let expected = answers(&node).await;
    // Nobody can read it any more, and nobody should try each time.
    let damaged = objects(&data).into_iter().next().expect("an object");
    let bytes = std::fs::read(&damaged).expect("an object");
    std::fs::write(&damaged, &bytes[..bytes.len() - 9]).expect("damages it");
    std::fs::write(&file, config("1ms", "sweep_every: 0s")).expect("a file");
    for n in 0..5 {
        node.kill_and_restart().await;
        tokio::time::sleep(Duration::from_millis(n * 20)).await;
    }
    // Of the one shard all nine become one, of the other one all but the damaged one.
    until("all that can be are merged", async || n_chunks(&node).await == 3).await;
    std::fs::write(&damaged, &bytes).expect("mends it");
    node.kill_and_restart().await;
    check(&node, &expected, "after kills and damage").await;
}

#[tokio::test]
async fn objects_that_nobody_names_are_swept_when_they_are_old() {
    let root = tempfile::tempdir().expect("a directory");
    let (data, file) = (root.path().join("data"), root.path().join("drave.yaml"));
    std::fs::write(&file, config("0s", "sweep_every: 200ms")).expect("a file");
    let node = Node::on(&data, Some(&file)).await;
    push(&node, 0).await;
    assert_eq!(node.post("/flush", "text/plain", "").await.status, 204);
    let expected = answers(&node).await;
    let own = objects(&data).into_iter().next().expect("an object");
    let (directory, name) = own.rsplit_once('/').expect("a path");
    let (covers, _) = name.rsplit_once('-').expect("a name");
    let path = |what: &str| format!("{directory}/{what}");
    let orphan = path(&format!("{covers}-00000000000000aa.chunk"));
    let young = path(&format!("{covers}-00000000000000bb.chunk"));
    let stranger = path("notes.chunk");
    let other_shard =
        format!("{}/77/{covers}-00000000000000cc.chunk", data.join("objects/fake").display());
    std::fs::create_dir_all(Path::new(&other_shard).parent().expect("a parent")).expect("made");
    let long_ago = SystemTime::now() - Duration::from_secs(25 * 60 * 60);
    for (path, is_old) in
        [(&own, true), (&young, false), (&stranger, true), (&other_shard, true), (&orphan, true)]
    {
        if !Path::new(path).exists() {
            std::fs::write(path, b"whatever").expect("a file");
        }
        if is_old {
            let file = std::fs::File::options().append(true).open(path).expect("opens");
            file.set_modified(long_ago).expect("ages it");
        }
    }
    until("the orphan is gone", async || !Path::new(&orphan).exists()).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    for kept in [&own, &young, &stranger, &other_shard] {
        assert!(Path::new(kept).exists(), "{kept} was deleted");
    }
    check(&node, &expected, "after the sweep").await;
}
