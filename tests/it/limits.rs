//! What a tenant may ask for: limits in Loki's words, overrides that change while the node runs,
//! and work that stops when nobody waits for it.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::node::Node;

const T: i64 = 1_700_000_000_000_000_000;
const SECOND: i64 = 1_000_000_000;

/// The status and text of a range query over all that tests push.
async fn ask(node: &Node, query: &str) -> (u16, String) {
    let params = [("query", query), ("start", "1700000000"), ("end", "1700003600"), ("step", "60")];
    let answer = node.get("/loki/api/v1/query_range", &params).await;
    (answer.status, answer.text.trim_end().to_string())
}

#[tokio::test]
async fn limits_of_queries_in_lokis_words() {
    let node = Node::with_config(
        "limits_config:\n  max_query_range: 1h\n  required_labels: [app]\n  \
         minimum_labels_number: 2\n  max_query_bytes_read: 1KB\n  blocked_queries:\n  \
         - {pattern: '.*forbidden.*', regex: true}\n",
    )
    .await;
    let line = "x".repeat(100);
    let entries: Vec<(i64, &str)> = (0..20).map(|i| (T + i * SECOND, line.as_str())).collect();
    node.push(&json!({"app": "big", "env": "prod"}), &entries).await;
    node.push(&json!({"app": "small", "env": "prod"}), &entries[..5]).await;
    let check = async |query: &str, status: u16, text: &str| {
        let (own, body) = ask(&node, query).await;
        assert_eq!((own, body.contains(text)), (status, true), "{query}: {body}");
    };
    check(r#"{app="small", env="prod"}"#, 200, r#""resultType":"streams""#).await;
    check(r#"rate({app="small", env="prod"}[1h])"#, 200, r#""resultType":"matrix""#).await;
    check(
        r#"rate({app="small", env="prod"}[2h])"#,
        400,
        "[interval] value exceeds limit: [2h] > [1h]",
    )
    .await;
    check(
        r#"{env="prod"}"#,
        400,
        "stream selector is missing required matchers [app], \
         labels present in the query were [env]",
    )
    .await;
    check(r#"{app="small"}"#, 400, "stream selector has less label matchers than required:").await;
    check(r#"{app="forbidden", env="x"}"#, 400, "query blocked by policy").await;
    // Two thousand bytes of lines, and twenty of `detected_level` beside each.
    let too_much = "the query would read too many bytes (query: 2.4 KiB, limit: 1.0 KiB); \
                    consider adding more specific stream selectors or reduce the time range of \
                    the query";
    check(r#"{app="big", env="prod"} |= "none""#, 400, too_much).await;
    check(r#"sum(rate({app="big", env="prod"}[5m]))"#, 400, too_much).await;
}

#[tokio::test]
async fn queries_that_touch_too_much_are_refused() {
    let node = Node::with_config(
        "limits_config:\n  cardinality_limit: 3\n  max_chunks_per_query: 2\n  \
         max_streams_matchers_per_query: 2\nshard:\n  count: 4\n",
    )
    .await;
    for n in 0..12 {
        node.push(&json!({"app": format!("a{n}"), "env": "prod"}), &[(T, "line")]).await;
    }
    let check = async |query: &str, status: u16, text: &str| {
        let (own, body) = ask(&node, query).await;
        assert_eq!((own, body.contains(text)), (status, true), "{query}: {body}");
    };
    check(r#"{app=~"a[0-2]"}"#, 200, r#""totalStreams":3"#).await;
    check(r#"{app=~"a.*"}"#, 400, "cardinality limit exceeded for the streams").await;
    check(r#"sum(rate({app=~"a.*"}[5m]))"#, 400, "more than limit of 3").await;
    let matchers = "max streams matchers per query exceeded, matchers-count > limit (3 > 2)";
    check(r#"{app="a1", env="prod", x=""}"#, 400, matchers).await;
    node.post("/flush", "text/plain", "").await;
    check(r#"{app="a1"}"#, 400, "Query fetched too many chunks (").await;
}

#[tokio::test]
async fn what_is_too_far_back_is_not_there() {
    let node = Node::with_config("limits_config:\n  max_query_lookback: 1h\n").await;
    node.push(&json!({"app": "old"}), &[(T, "one")]).await;
    let check = async |path: &str, params: &[(&str, &str)], expected: Value| {
        let answer = node.get(path, params).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        let json = answer.json();
        let found = json["data"].get("result").unwrap_or(&json["data"]);
        assert_eq!(*found, expected, "{path}");
    };
    let range = [("start", "1699999000"), ("end", "1700001000")];
    let with = |query: &'static str| [range[0], range[1], ("query", query)];
    check("/loki/api/v1/query_range", &with(r#"{app="old"}"#), json!([])).await;
    check("/loki/api/v1/query_range", &with(r#"rate({app="old"}[5m])"#), json!([])).await;
    let at = [("time", "1700000001"), ("query", r#"count_over_time({app="old"}[1h])"#)];
    check("/loki/api/v1/query", &at, json!([])).await;
    check("/loki/api/v1/labels", &range, Value::Null).await;
    check("/loki/api/v1/series", &range, json!([])).await;
    check("/loki/api/v1/index/volume", &with(r#"{app="old"}"#), json!([])).await;
    // Grafana asks this of any time at all.
    let health = [("time", "4000000000"), ("query", "vector(1)+vector(1)")];
    assert_eq!(node.get("/loki/api/v1/query", &health).await.status, 200);
}

/// Replaces a file in one step, as a configuration map does.
fn replace(path: &Path, text: &str) {
    let part = path.with_extension("part");
    std::fs::write(&part, text).expect("a file");
    std::fs::rename(part, path).expect("the same directory");
}

#[tokio::test]
async fn limits_of_single_tenants_change_while_the_node_runs() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("overrides.yaml");
    replace(&file, "overrides:\n  a: {max_entries_limit_per_query: 3}\n");
    let node = Node::with_config(&format!(
        "auth_enabled: true\nruntime_config:\n  file: {}\n  period: 100ms\n",
        file.display()
    ))
    .await;
    let client = reqwest::Client::new();
    let limit_of = async |tenant: &str| -> String {
        let url = node.url("/config/tenant/v1/limits");
        let request = client.get(url).header("X-Scope-OrgID", tenant);
        let text = request.send().await.expect("an answer").text().await.expect("a body");
        let line = text.lines().find(|line| line.starts_with("max_entries_limit_per_query"));
        line.expect("every limit is there").to_string()
    };
    let wait_for = async |tenant: &str, expected: &str| {
        let start = Instant::now();
        while !limit_of(tenant).await.ends_with(expected) {
            assert!(start.elapsed() < Duration::from_secs(20), "no {expected} for {tenant}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert_eq!(limit_of("a").await, "max_entries_limit_per_query: 3");
    assert_eq!(limit_of("b").await, "max_entries_limit_per_query: 5000");

    replace(&file, "overrides:\n  b: {max_entries_limit_per_query: 4}\n");
    wait_for("b", ": 4").await;
    assert_eq!(limit_of("a").await, "max_entries_limit_per_query: 5000");
    // What is in force is also what is enforced.
    let url = node.url("/loki/api/v1/query_range?query={x=\"y\"}&limit=5");
    let refused = client.get(url).header("X-Scope-OrgID", "b").send().await.expect("an answer");
    assert_eq!(refused.status().as_u16(), 400);

    // A file that is wrong changes nothing, and the metric says so.
    replace(&file, "overrides:\n  b: {max_entries_limit_per_qery: 5}\n");
    let start = Instant::now();
    while node.metric("drave_config_reload_successful").await != 0 {
        assert!(start.elapsed() < Duration::from_secs(20), "nobody complains of the file");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(limit_of("b").await, "max_entries_limit_per_query: 4");
    replace(&file, "overrides: {}\n");
    wait_for("b", ": 5000").await;
    assert_eq!(node.metric("drave_config_reload_successful").await, 1);
}

/// Many streams, and a query that takes its time for each of their entries.
async fn slow_query(node: &Node) -> String {
    let values: Vec<Value> =
        (0..50).map(|i| json!([(T + i * SECOND).to_string(), "x".repeat(50)])).collect();
    let streams: Vec<Value> = (0..300)
        .map(|n| json!({"stream": {"app": "slow", "n": n.to_string()}, "values": values}))
        .collect();
    let body = json!({"streams": streams}).to_string();
    let pushed = node.post("/loki/api/v1/push", "application/json", body).await;
    assert_eq!(pushed.status, 204, "{}", pushed.text);
    let list = (0..30).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let loops = "{{range $l}}{{range $l}}{{range $l}}{{end}}{{end}}{{end}}";
    format!(
        r#"sum(bytes_over_time({{app="slow"}} | line_format `{{{{$l := fromJson "[{list}]"}}}}{loops}` [2h]))"#
    )
}

#[tokio::test]
async fn a_query_that_takes_too_long_is_ended() {
    let node = Node::with_config("limits_config:\n  query_timeout: 1s\n").await;
    let query = slow_query(&node).await;
    let start = Instant::now();
    let (status, text) = ask(&node, &query).await;
    assert_eq!(status, 504, "{text}");
    assert!(text.starts_with("request timed out, decrease the duration"), "{text}");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    let stopped = stops_reading(&node).await;
    assert!(stopped < 300 * 50 * 50, "it was read to the end");
}

#[tokio::test]
async fn a_query_whose_client_went_away_stops() {
    let node = Node::start().await;
    let query = slow_query(&node).await;
    let params = [("query", query.as_str()), ("start", "1700000000"), ("end", "1700003600")];
    let request = reqwest::Client::new().get(node.url("/loki/api/v1/query_range")).query(&params);
    let url = request.build().expect("a request").url().clone();
    let target = format!("{}?{}", url.path(), url.query().expect("parameters"));
    let mut socket = TcpStream::connect(node.http()).await.expect("connects");
    let head = format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n");
    socket.write_all(head.as_bytes()).await.expect("sends");
    let start = Instant::now();
    while node.metric("drave_scan_read_bytes_total").await == 0 {
        assert!(start.elapsed() < Duration::from_secs(20), "the query does not begin");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(socket);
    let stopped = stops_reading(&node).await;
    assert!(stopped < 300 * 50 * 50, "it was read to the end");
    // And the node is as good as new.
    assert_eq!(node.number(r#"count(count_over_time({app="slow"}[365d]))"#).await, 300.0);
}

/// Waits until no more is read, and says how much was.
async fn stops_reading(node: &Node) -> u64 {
    let start = Instant::now();
    let mut last = node.metric("drave_scan_read_bytes_total").await;
    loop {
        tokio::time::sleep(Duration::from_millis(2500)).await;
        let now = node.metric("drave_scan_read_bytes_total").await;
        if now == last {
            return now;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "it reads on and on");
        last = now;
    }
}

#[tokio::test]
async fn an_answer_too_large_for_memory_says_so() {
    let node = Node::with_config("memory:\n  queries: 8MB\n").await;
    let entries: Vec<(i64, &str)> = (0..200).map(|i| (T + i * SECOND, "x")).collect();
    node.push(&json!({"app": "bomb"}), &entries).await;
    // Two hundred lines of 100 KB each.
    let (status, text) = ask(&node, r#"{app="bomb"} | line_format "{{repeat 100000 .app}}""#).await;
    assert_eq!(status, 503, "{}", &text[..text.len().min(200)]);
    assert!(text.starts_with("the node's memory for queries is in use"), "{text}");
    let (status, _) = ask(&node, r#"{app="bomb"} | line_format "{{repeat 1000 .app}}""#).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn drilldown_gets_some_of_too_many_series() {
    let node = Node::with_config("limits_config:\n  max_query_series: 2\n").await;
    for app in ["a", "b", "c"] {
        node.push(&json!({"app": app}), &[(T, "x")]).await;
    }
    let query = r#"count_over_time({app=~".+"}[1m])"#;
    let (status, text) = ask(&node, query).await;
    assert_eq!(status, 400);
    assert!(text.starts_with("maximum number of series (2) reached for a single query"), "{text}");
    let client = reqwest::Client::new();
    let request = client.get(node.url("/loki/api/v1/query_range")).query(&[
        ("query", query),
        ("start", "1700000000"),
        ("end", "1700003600"),
    ]);
    let request = request.header("X-Query-Tags", "Source=grafana-lokiexplore-app");
    let answer: Value = {
        let text = request.send().await.expect("an answer").text().await.expect("a body");
        serde_json::from_str(&text).expect("JSON")
    };
    assert_eq!(answer["data"]["result"].as_array().map(Vec::len), Some(2));
    let warning = answer["warnings"][0].as_str().expect("a warning");
    assert!(warning.ends_with("returning partial results"), "{warning}");
}
