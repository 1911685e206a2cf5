//! A node that has no replica of some shards answers as those that have, and ships numbers for it.

use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use super::cluster::{PATIENCE, T, member, settled};
use super::node::Node;

const N_STREAMS: i64 = 12;
const N_LINES: i64 = 60;
const SECOND: i64 = 1_000_000_000;

/// Four nodes, three of which have each shard.
async fn four(root: &Path) -> [Node; 4] {
    let one = member(root, 1, None).await;
    let two = member(root, 2, Some(&one)).await;
    let three = member(root, 3, Some(&one)).await;
    let four = member(root, 4, Some(&one)).await;
    settled(&one, &[1, 2, 3, 4], 3).await;
    [one, two, three, four]
}

/// Lines of about two kilobytes that compress badly.
fn line(stream: i64, n: i64) -> String {
    let mut text =
        format!("level={} n={n} ms={} rest=", ["info", "error"][(n % 7 == 0) as usize], n * 3);
    let mut x = (stream * 1_000_003 + n) as u64 | 1;
    for _ in 0..120 {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(&format!("{:016x}", x >> 3));
    }
    text
}

/// Some megabytes in streams of all shards.
async fn push(node: &Node, first: i64, last: i64) {
    for stream in 0..N_STREAMS {
        let lines: Vec<(i64, String)> =
            (first..last).map(|n| (T + n * SECOND, line(stream, n))).collect();
        let entries: Vec<(i64, &str)> = lines.iter().map(|(ts, line)| (*ts, &**line)).collect();
        let labels = json!({"app": format!("a{}", stream % 3), "pod": format!("p{stream}")});
        let answer = node.push(&labels, &entries).await;
        assert_eq!(answer.status, 204, "{}", answer.text);
    }
}

async fn ask(node: &Node, query: &str, more: &[(&str, &str)]) -> Value {
    let params = [("query", query), ("start", "1700000000"), ("end", "1700000200"), ("step", "25")];
    let answer = node.get("/loki/api/v1/query_range", &[&params[..], more].concat()).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text);
    answer.json()["data"].clone()
}

/// What other nodes scanned, and how many bytes that took.
fn shipped(data: &Value) -> (u64, u64) {
    let of = |name: &str| data["stats"]["drave"][name].as_u64().expect("a number");
    (of("remoteShards"), of("remoteBytes"))
}

const NUMBERS: [&str; 9] = [
    r#"count_over_time({app=~".+"}[1m])"#,
    r#"sum(count_over_time({app=~".+"}[1m]))"#,
    r#"sum by (app) (rate({app=~".+"} |= "error" [1m]))"#,
    r#"sum by (level) (count_over_time({app=~".+"} | logfmt [50s]))"#,
    r#"max by (app) (max_over_time({app=~".+"} | logfmt | unwrap ms [1m]))"#,
    r#"quantile_over_time(0.9, {app="a1"} | logfmt | unwrap ms [1m]) by (app)"#,
    r#"first_over_time({pod="p7"} | logfmt | unwrap n [1m])"#,
    r#"sum(bytes_over_time({app="a0"}[1m])) / sum(count_over_time({app="a0"}[1m]))"#,
    r#"absent_over_time({app="none"}[1m])"#,
];

const STATEMENTS: [&str; 8] = [
    "select count(*) from logs",
    "select count(*) from logs where line like '%level=error%'",
    "select app, count(*) from logs group by app order by app",
    "select level, count(*) from logs group by level order by level",
    "select pod, min(timestamp)::text, max(timestamp)::text from logs group by pod order by pod",
    "select line from logs where pod = 'p3' order by timestamp desc limit 5",
    "select pod, line from logs where app = 'a2' order by timestamp limit 8",
    "select pod, max(length(line)) from logs where line like '%n=9%' group by pod order by pod",
];

async fn rows(node: &Node, statement: &str) -> Vec<Vec<String>> {
    let rows = node.sql().await.simple_query(statement).await;
    let rows = rows.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    let rows = rows.iter().filter_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|at| row.get(at).unwrap_or("null").to_owned()).collect())
        }
        _ => None,
    });
    rows.collect()
}

/// Four nodes, each of which lacks other shards. The first one's answer is what the others are
/// compared with, in turns: each question is asked twice, and each node gets its share of every kind.
struct Turns<'n> {
    nodes: &'n [Node; 4],
    turn: usize,
}

impl<'n> Turns<'n> {
    /// The first node, and whose turn it is.
    fn next(&mut self) -> (&'n Node, &'n Node) {
        self.turn += 1;
        (&self.nodes[0], &self.nodes[1 + self.turn % 3])
    }
}

/// All four nodes say the same, whatever they have of it themselves.
async fn agree(nodes: &[Node; 4]) {
    let mut turns = Turns { nodes, turn: 0 };
    for query in NUMBERS {
        let (first, other) = turns.next();
        let expected = ask(first, query, &[]).await["result"].clone();
        assert_ne!(expected, json!([]), "{query}");
        assert_eq!(ask(other, query, &[]).await["result"], expected, "{query}");
    }
    for (query, limit, direction) in [
        (r#"{app=~".+"}"#, "50", "backward"),
        (r#"{app=~"a[01]"} |= "error" | logfmt | ms > 150"#, "333", "forward"),
        (r#"{pod="p5"}"#, "5000", "forward"),
    ] {
        let (first, other) = turns.next();
        let more = [("limit", limit), ("direction", direction)];
        let expected = ask(first, query, &more).await["result"].clone();
        assert_ne!(expected, json!([]), "{query}");
        assert_eq!(ask(other, query, &more).await["result"], expected, "{query}");
    }
    // A policy goes with the question: other nodes show no more than this one.
    for query in [r#"{app=~".+"}"#, r#"sum by (pod) (count_over_time({app=~".+"}[1m]))"#] {
        let (first, other) = turns.next();
        let narrow = query.replace(r#"{app=~".+"}"#, r#"{app=~".+", pod=~"p[147]"}"#);
        let expected = ask(first, &narrow, &[]).await["result"].clone();
        assert_ne!(expected, json!([]), "{query}");
        let params =
            [("query", query), ("start", "1700000000"), ("end", "1700000200"), ("step", "25")];
        let url = reqwest::Url::parse_with_params("http://x", params).expect("a good URL");
        let target = format!("/loki/api/v1/query_range?{}", url.query().expect("parameters"));
        let policy = [("X-Prom-Label-Policy", r#"fake:{pod="p1"},fake:{pod=~"p4|p7"}"#)];
        let answer = other.send("GET", &target, &policy, String::new()).await;
        assert_eq!(answer.json()["data"]["result"], expected, "{query}");
    }
    for statement in STATEMENTS {
        let (first, other) = turns.next();
        let expected = rows(first, statement).await;
        assert_ne!(expected, Vec::<Vec<String>>::new(), "{statement}");
        let found = rows(other, statement).await;
        // Rows of one time come in any order.
        let sorted = |rows: &[Vec<String>]| {
            let mut rows = rows.to_vec();
            rows.sort();
            rows
        };
        if statement.contains("limit 8") {
            assert_eq!(found.len(), expected.len(), "{statement}");
        } else {
            assert_eq!(sorted(&found), sorted(&expected), "{statement}");
        }
    }
    for path in ["/loki/api/v1/labels", "/loki/api/v1/label/pod/values", "/loki/api/v1/series"] {
        let (first, other) = turns.next();
        let range = [("start", "1700000000"), ("end", "1700000200")];
        let expected = first.get(path, &range).await.json();
        assert_eq!(other.get(path, &range).await.json(), expected, "{path}");
    }
    let range = [("query", r#"{app=~".+"}"#), ("start", "1700000000"), ("end", "1700000200")];
    for path in ["/loki/api/v1/index/volume", "/loki/api/v1/index/stats", "/loki/api/v1/patterns"] {
        let (first, other) = turns.next();
        let expected = first.get(path, &range).await.json();
        let found = other.get(path, &range).await.json();
        // A head is as many pieces as it was pushed in, here and there.
        assert_eq!(found["entries"], expected["entries"], "{path}");
        assert_eq!(found["bytes"], expected["bytes"], "{path}");
        let n = |answer: &Value| answer["data"].as_array().map(Vec::len);
        assert_eq!(n(&found), n(&expected), "{path}");
    }
}

/// Blocks that cannot have what SQL looks for in the metadata are read on no node.
async fn traced(nodes: &[Node; 4]) {
    let streams = (0..N_STREAMS).map(|stream| {
        let entry = |n: i64| {
            let trace = json!({"trace": format!("{stream:08x}{n:08x}")});
            json!([(T + n).to_string(), format!("line {n}"), trace])
        };
        let values: Vec<Value> = (0..N_LINES).map(entry).collect();
        json!({"stream": {"app": "traced", "pod": format!("p{stream}")}, "values": values})
    });
    let body = json!({"streams": streams.collect::<Vec<_>>()}).to_string();
    let pushed = nodes[0].post("/loki/api/v1/push", "application/json", body).await;
    assert_eq!(pushed.status, 204, "{}", pushed.text);
    assert_eq!(nodes[0].post("/flush", "text/plain", "").await.status, 204);
    let found = "from logs where app = 'traced' and structured_metadata->>'trace'";
    let mut n_read = 0;
    for (stream, node) in nodes.iter().enumerate() {
        let one = format!("{found} = '{stream:08x}00000007'");
        assert_eq!(rows(node, &format!("select pod {one}")).await, [[format!("p{stream}")]]);
        n_read += node.measured(&format!("select line {one}"), "blocks_read").await;
    }
    // One each; and of what is not there one in 33 is taken for present.
    assert!((4..=7).contains(&n_read), "{n_read} blocks of {N_STREAMS} for each of four questions");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_a_replica_ships_numbers_and_not_lines() {
    let root = tempfile::tempdir().expect("a directory");
    let nodes = four(root.path()).await;
    push(&nodes[0], 0, N_LINES / 2).await;
    assert_eq!(nodes[1].post("/flush", "text/plain", "").await.status, 204);
    push(&nodes[3], N_LINES / 2, N_LINES).await;
    agree(&nodes).await;

    let mut asked = 0;
    for node in &nodes {
        let data = ask(node, r#"sum(count_over_time({app=~".+"} | logfmt [200s]))"#, &[]).await;
        let (shards, bytes) = shipped(&data);
        let lines = data["stats"]["summary"]["totalLinesProcessed"].as_u64().expect("a number");
        assert_eq!(lines, (N_STREAMS * N_LINES) as u64, "read here or there");
        assert!(bytes < 1024 * shards, "{bytes} bytes of {shards} shards for one number each");
        asked += shards;
        let data = ask(node, r#"{app=~".+"}"#, &[("limit", "10")]).await;
        let (shards, bytes) = shipped(&data);
        assert!(bytes < 32 * 1024 * shards.max(1), "ten lines of each of {shards} shards");
    }
    assert!(asked > 0, "no node has all shards");
    traced(&nodes).await;

    // Its readers ask those that are left.
    let [one, two, three, four] = nodes;
    drop(three);
    let start = Instant::now();
    let params = [("query", r#"sum(count_over_time({app=~"a."}[1h]))"#), ("time", "1700000200")];
    for node in [&one, &two, &four] {
        loop {
            let answer = node.get("/loki/api/v1/query", &params).await;
            if answer.status == 200 {
                let value = &answer.json()["data"]["result"][0]["value"][1];
                assert_eq!(*value, json!((N_STREAMS * N_LINES).to_string()));
                break;
            }
            assert_eq!(answer.status, 503, "{}", answer.text);
            assert!(start.elapsed() < PATIENCE, "{}", answer.text);
        }
    }
}
