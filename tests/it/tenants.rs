//! Reads of several tenants at once, and reads through a policy: whoever asks sees what it may, with
//! whose it is, and nothing else.

use std::time::Duration;

use serde_json::{Value, json};

use crate::node::{Answer, Node};
use crate::tail::{Frame, connect};

const T: i64 = 1_700_000_000_000_000_000;
const SECOND: i64 = 1_000_000_000;
/// Nobody may flush over HTTP where there are tenants: heads are sealed soon.
const CONFIG: &str = "auth_enabled: true\nquerier: {multi_tenant_queries_enabled: true}\n\
                      seal: {age: 500ms}\n";

async fn push(node: &Node, tenant: &str, labels: Value, lines: &[(i64, &str)]) {
    let values: Vec<Value> =
        lines.iter().map(|(at, line)| json!([(T + at * SECOND).to_string(), line])).collect();
    let body = json!({"streams": [{"stream": labels, "values": values}]}).to_string();
    let headers = [("X-Scope-OrgID", tenant), ("Content-Type", "application/json")];
    let pushed = node.send("POST", "/loki/api/v1/push", &headers, body).await;
    assert_eq!(pushed.status, 204, "{}", pushed.text);
}

/// Three tenants that have streams of one name.
async fn three(node: &Node) {
    push(node, "a", json!({"app": "web", "env": "prod"}), &[(0, "a0 x"), (10, "a10")]).await;
    push(node, "a", json!({"app": "api", "env": "dev"}), &[(7, "a7 x")]).await;
    push(node, "b", json!({"app": "web", "env": "prod"}), &[(0, "b0 x"), (5, "b5 x")]).await;
    let forged = json!({"app": "web", "__tenant_id__": "a"});
    push(node, "c", forged, &[(0, "c0 x"), (6, "c6 x")]).await;
}

async fn get(node: &Node, headers: &[(&str, &str)], path: &str, query: &str) -> Answer {
    let params =
        [("query", query), ("start", "1699999900"), ("end", "1700000100"), ("step", "100")];
    let url = reqwest::Url::parse_with_params("http://x", params).expect("a good URL");
    let target = format!("{path}?{}", url.query().expect("parameters"));
    node.send("GET", &target, headers, String::new()).await
}

async fn good(node: &Node, headers: &[(&str, &str)], path: &str, query: &str) -> Value {
    let answer = get(node, headers, path, query).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text);
    answer.json()
}

/// Each line with the tenant that its stream is shown with, in the order of the answer.
async fn lines(node: &Node, headers: &[(&str, &str)], query: &str) -> Vec<String> {
    let answer = good(node, headers, "/loki/api/v1/query_range", query).await;
    let mut lines = Vec::new();
    for stream in answer["data"]["result"].as_array().expect("streams") {
        let tenant = stream["stream"]["__tenant_id__"].as_str().unwrap_or("-");
        for value in stream["values"].as_array().expect("values") {
            lines.push(format!("{tenant}:{}", value[1].as_str().expect("a line")));
        }
    }
    lines.sort();
    lines
}

#[tokio::test]
async fn several_tenants_are_read_as_one() {
    let node = Node::with_config(CONFIG).await;
    three(&node).await;
    // From heads first, from chunks then.
    for _ in 0..2 {
        let both = [("X-Scope-OrgID", "b|a|b")];
        let check = async |query: &str, expected: &[&str]| {
            assert_eq!(lines(&node, &both, query).await, expected, "{query}");
        };
        check(r#"{app="web"}"#, &["a:a0 x", "a:a10", "b:b0 x", "b:b5 x"]).await;
        check(r#"{app=~".+"} |= "x""#, &["a:a0 x", "a:a7 x", "b:b0 x", "b:b5 x"]).await;
        check(r#"{__tenant_id__="b"}"#, &["b:b0 x", "b:b5 x"]).await;
        check(r#"{app="web", __tenant_id__!~"b|c"}"#, &["a:a0 x", "a:a10"]).await;
        check(r#"{app="web"} | __tenant_id__="b" |= "5""#, &["b:b5 x"]).await;
        check(r#"{__tenant_id__="c"}"#, &[]).await;
        check(r#"{__tenant_id__=~".*c.*|b", app="web"}"#, &["b:b0 x", "b:b5 x"]).await;

        // The limit is one of all tenants together, and so is the order.
        let newest = r#"/loki/api/v1/query_range?limit=3&query={app=~".%2B"}&start=1699999900&end=1700000100"#;
        let answer = node.send("GET", newest, &both, String::new()).await.json();
        let streams = answer["data"]["result"].as_array().expect("streams");
        let found = streams.iter().flat_map(|stream| stream["values"].as_array().expect("values"));
        let mut found: Vec<&str> = found.map(|value| value[1].as_str().expect("a line")).collect();
        found.sort_unstable();
        assert_eq!(found, ["a10", "a7 x", "b5 x"]);

        let counted = r#"sum by (__tenant_id__) (count_over_time({app="web"}[200s]))"#;
        let params = format!("/loki/api/v1/query?time=1700000100&query={counted}");
        let answer = node.send("GET", &params, &both, String::new()).await.json();
        let values: Vec<(&str, &str)> = answer["data"]["result"]
            .as_array()
            .expect("series")
            .iter()
            .map(|series| {
                let tenant = series["metric"]["__tenant_id__"].as_str().expect("a tenant");
                (tenant, series["value"][1].as_str().expect("a value"))
            })
            .collect();
        assert_eq!(values, [("a", "2"), ("b", "2")]);

        let names = good(&node, &both, "/loki/api/v1/labels", "{}").await;
        assert_eq!(names["data"], json!(["__tenant_id__", "app", "env", "service_name"]));
        let values = good(&node, &both, "/loki/api/v1/label/__tenant_id__/values", "{}").await;
        assert_eq!(values["data"], json!(["a", "b"]));
        let series = good(&node, &both, "/loki/api/v1/series", "").await;
        assert_eq!(series["data"].as_array().map(Vec::len), Some(3), "{series}");
        let stats = good(&node, &both, "/loki/api/v1/index/stats", r#"{app="web"}"#).await;
        assert_eq!((&stats["streams"], &stats["entries"]), (&json!(2), &json!(4)));

        // What somebody pushed under the label's name does not make it another tenant's.
        let forged = [("X-Scope-OrgID", "a|c")];
        let found = lines(&node, &forged, r#"{app="web"}"#).await;
        assert_eq!(found, ["a:a0 x", "a:a10", "c:c0 x", "c:c6 x"]);
        let found = lines(&node, &forged, r#"{original___tenant_id__="a"}"#).await;
        assert_eq!(found, ["c:c0 x", "c:c6 x"]);

        // One tenant is not named.
        let one = [("X-Scope-OrgID", "a|a")];
        assert_eq!(lines(&node, &one, r#"{app="web"}"#).await, ["-:a0 x", "-:a10"]);
        flushed(&node).await;
    }
}

/// Waits until all heads are in chunks.
async fn flushed(node: &Node) {
    let all = [("X-Scope-OrgID", "a|b|c")];
    let start = std::time::Instant::now();
    loop {
        let query = r#"{app=~".+"}"#;
        let answer = good(node, &all, "/loki/api/v1/query_range", query).await;
        let stats = &answer["data"]["stats"]["drave"];
        if stats["headBatches"] == 0 && stats["objectReads"] != 0 {
            return;
        }
        assert!(start.elapsed().as_secs() < 30, "not flushed in 30 s: {stats}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn only_reads_name_several_tenants() {
    let node = Node::with_config(CONFIG).await;
    three(&node).await;
    let both = [("X-Scope-OrgID", "a|b"), ("Content-Type", "application/json")];
    let values = json!([[T.to_string(), "line"]]);
    let body = json!({"streams": [{"stream": {"app": "x"}, "values": values}]}).to_string();
    let pushed = node.send("POST", "/loki/api/v1/push", &both, body).await;
    assert_eq!(pushed.status, 400, "{}", pushed.text);
    let tailed = get(&node, &both, "/loki/api/v1/tail", r#"{app="web"}"#).await;
    assert_eq!(tailed.status, 400, "{}", tailed.text);
    assert!(tailed.text.contains("one tenant"), "{}", tailed.text);

    let closed = Node::with_config("auth_enabled: true\n").await;
    let refused = get(&closed, &both, "/loki/api/v1/query_range", r#"{app="web"}"#).await;
    assert_eq!(refused.status, 400, "it is off by default: {}", refused.text);
}

#[tokio::test]
async fn of_several_tenants_the_strictest_limit_holds() {
    let limits = "a: {max_query_series: 5, max_entries_limit_per_query: 10}\n  \
                  b: {max_query_series: 1, required_labels: [app], max_query_range: 1h}\n";
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("overrides.yaml");
    std::fs::write(&file, format!("overrides:\n  {limits}")).expect("a file");
    let config = format!("{CONFIG}runtime_config: {{file: '{}'}}\n", file.display());
    let node = Node::with_config(&config).await;
    three(&node).await;
    let check = async |tenants: &str, query: &str, status: u16, text: &str| {
        let headers = [("X-Scope-OrgID", tenants)];
        let answer = get(&node, &headers, "/loki/api/v1/query_range", query).await;
        assert!(
            answer.status == status && answer.text.contains(text),
            "{tenants} {query}: {} {}",
            answer.status,
            answer.text
        );
    };
    let by_app = r#"sum by (app) (count_over_time({app=~".+"}[200s]))"#;
    check("a", by_app, 200, "matrix").await;
    check("a|b", by_app, 400, "maximum number of series (1)").await;
    check("a", r#"{env="prod"}"#, 400, "limit > max_entries_limit_per_query (100 > 10)").await;
    check("a|b", r#"{env="prod"}"#, 400, "missing required matchers [app]").await;
    check("a|b", r#"{app="prod"}"#, 400, "limit > max_entries_limit_per_query (100 > 10)").await;
    check("a|b", r#"sum(rate({app="web"}[2h]))"#, 400, "[interval] value exceeds limit").await;
}

/// What came by SQL was judged by everybody's limits, whatever the tenant's own said.
#[tokio::test]
async fn a_tenants_own_limits_hold_for_rows_that_come_by_sql() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("overrides.yaml");
    std::fs::write(&file, "overrides:\n  a: {max_line_size: 10, max_query_series: 1}\n")
        .expect("a file");
    let config = format!("{CONFIG}runtime_config: {{file: '{}'}}\n", file.display());
    let node = Node::with_config(&config).await;
    let insert = "insert into logs (line, app) values ('longer than ten bytes', 'x')";
    node.sql_of("b").await.simple_query(insert).await.expect("it may");
    let own = node.sql_of("a").await;
    let error = own.simple_query(insert).await.expect_err("too long");
    let says = "max entry size '10' bytes exceeded";
    assert!(error.as_db_error().is_some_and(|e| e.message().contains(says)), "{error:?}");
    for app in ["x", "y"] {
        let insert = format!("insert into logs (line, app) values ('short', '{app}')");
        own.simple_query(&insert).await.expect("it may");
    }
    let series = "select * from logql('sum by (app) (count_over_time({app=~\".+\"}[1h]))')";
    let error = own.simple_query(series).await.expect_err("two series");
    let says = "maximum number of series (1)";
    assert!(error.as_db_error().is_some_and(|e| e.message().contains(says)), "{error:?}");
}

#[tokio::test]
async fn a_policy_hides_streams_from_every_read() {
    let node = Node::with_config(CONFIG).await;
    three(&node).await;
    let prod = "a:%7Benv%3D%22prod%22%7D";
    let headers = [("X-Scope-OrgID", "a"), ("X-Prom-Label-Policy", prod)];
    let of = async |path: &str, query: &str| good(&node, &headers, path, query).await;
    assert_eq!(lines(&node, &headers, r#"{app=~".+"}"#).await, ["-:a0 x", "-:a10"]);
    assert_eq!(lines(&node, &headers, r#"{env="dev"}"#).await, [""; 0]);
    let values = of("/loki/api/v1/label/app/values", "{}").await;
    assert_eq!(values["data"], json!(["web"]));
    let series = of("/loki/api/v1/series", "").await;
    assert_eq!(series["data"].as_array().map(Vec::len), Some(1));
    let volume = of("/loki/api/v1/index/volume", r#"{app=~".+"}"#).await;
    assert_eq!(volume["data"]["result"].as_array().map(Vec::len), Some(1), "{volume}");
    let stats = of("/loki/api/v1/index/stats", "{}").await;
    assert_eq!(stats["streams"], json!(1));
    let labels = of("/loki/api/v1/detected_labels", "{}").await;
    assert!(!labels.to_string().contains("dev"), "{labels}");
    let fields = of("/loki/api/v1/patterns", r#"{app="api"}"#).await;
    assert_eq!(fields["data"], json!([]));
    let counted = r#"sum(count_over_time({app=~".+"}[200s]))"#;
    let counted = of("/loki/api/v1/query_range", counted).await;
    assert!(!counted.to_string().contains("\"3\""), "{counted}");

    // Several selectors of a tenant are alternatives; each tenant has its own.
    let either = [
        ("X-Scope-OrgID", "a|b"),
        ("X-Prom-Label-Policy", "a:{env=\"dev\"},a:{app=\"none\"}, b:{app=\"web\"}"),
    ];
    let found = lines(&node, &either, r#"{app=~".+"} |= "x""#).await;
    assert_eq!(found, ["a:a7 x", "b:b0 x", "b:b5 x"]);
    // A tail, too: of two lines it gives the one that it may.
    let policy = format!("X-Scope-OrgID: a\r\nX-Prom-Label-Policy: {prod}\r\n");
    let params = [("query", r#"{app=~".+"}"#), ("start", "1699999900")];
    let mut tail = connect(&node, &params, &policy).await.expect("a tail");
    let mut tailed = String::new();
    push(&node, "a", json!({"app": "api", "env": "dev"}), &[(20, "hidden")]).await;
    push(&node, "a", json!({"app": "web", "env": "prod"}), &[(20, "shown")]).await;
    while !tailed.contains("shown") {
        let Some(Frame::Text(frame)) = tail.next(Duration::from_secs(20)).await else {
            panic!("no frame after {tailed}")
        };
        tailed.push_str(&frame.to_string());
    }
    assert!(
        tailed.contains("a10") && !tailed.contains("a7") && !tailed.contains("hidden"),
        "{tailed}"
    );

    // Silence is no permission.
    for policy in ["b:{}", "", "a"] {
        let headers = [("X-Scope-OrgID", "a"), ("X-Prom-Label-Policy", policy)];
        let answer = get(&node, &headers, "/loki/api/v1/query_range", r#"{app="web"}"#).await;
        assert!([400, 403].contains(&answer.status), "{policy}: {}", answer.text);
    }
}
