//! Statistics and volumes say what a reader of every line would count, wherever the lines are.

use serde_json::{Value, json};

use crate::node::{Answer, Node};

const T: i64 = 1_700_000_000_000_000_000;
const SECOND: i64 = 1_000_000_000;

async fn get(node: &Node, path: &str, params: &[(&str, &str)]) -> Answer {
    let mut all = vec![("start", "1700000000"), ("end", "1700000100")];
    all.extend(params);
    node.get(&format!("/loki/api/v1/index/{path}"), &all).await
}

/// What the metric queries say, which read every line.
async fn counted(node: &Node) -> (u64, u64) {
    let at = "1700000099999999999";
    let mut found = Vec::new();
    for function in ["count_over_time", "bytes_over_time"] {
        let query = format!(r#"sum({function}({{app=~".+"}} | drop detected_level [100s]))"#);
        let params = [("query", query.as_str()), ("time", at)];
        let answer = node.get("/loki/api/v1/query", &params).await;
        let value = answer.json()["data"]["result"][0]["value"][1].clone();
        found.push(value.as_str().expect("a number").parse::<f64>().expect("a number"));
    }
    (found[0] as u64, found[1] as u64)
}

#[tokio::test]
async fn statistics_count_the_set_in_heads_in_chunks_and_where_they_overlap() {
    let yaml = "limits_config:\n  discover_log_levels: false\n";
    let node = Node::with_config(yaml).await;
    let lines: Vec<String> = (0..100).map(|i| format!("line {i}")).collect();
    let web: Vec<(i64, &str)> =
        lines.iter().enumerate().map(|(i, line)| (T + i as i64 * SECOND, line.as_str())).collect();
    for round in 0..4 {
        // The same again, and each time some more: heads over chunks, chunks over chunks.
        let upto = 40 + 20 * round;
        assert_eq!(node.push(&json!({"app": "web"}), &web[..upto]).await.status, 204);
        let api = &web[..10 * round + 1];
        assert_eq!(node.push(&json!({"app": "api", "env": "prod"}), api).await.status, 204);
        for flushed in [false, true] {
            if flushed {
                assert_eq!(node.post("/flush", "text/plain", "").await.status, 204);
            }
            let (entries, bytes) = counted(&node).await;
            assert_eq!(entries as usize, upto + api.len());
            let stats = get(&node, "stats", &[("query", r#"{app=~".+"}"#)]).await.json();
            assert_eq!(stats["streams"], 2, "{stats}");
            assert_eq!(
                (stats["entries"].clone(), stats["bytes"].clone()),
                (entries.into(), bytes.into())
            );
            let shards = [("query", r#"{app=~".+"}"#), ("targetBytesPerShard", "1")];
            let shards = get(&node, "shards", &shards).await.json();
            let of_all = shards["shards"].as_array().expect("a list").iter();
            let sum: u64 = of_all.map(|shard| shard["stats"]["entries"].as_u64().expect("n")).sum();
            assert_eq!(sum, entries);

            let volume = get(&node, "volume", &[("query", r#"{app=~".+"}"#)]).await.json();
            let rows = volume["data"]["result"].as_array().expect("rows").clone();
            assert_eq!(rows[0]["metric"], json!({"app": "web"}));
            assert_eq!(rows.iter().map(value_of).sum::<u64>(), bytes);
        }
    }
}

fn value_of(row: &Value) -> u64 {
    row["value"][1].as_str().expect("text").parse().expect("a number")
}

#[tokio::test]
async fn volumes_by_series_by_label_and_by_step() {
    let node = Node::with_config("limits_config:\n  discover_log_levels: false\n").await;
    let lines: Vec<(i64, &str)> = (0..100).map(|i| (T + i * SECOND, "0123456789")).collect();
    node.push(&json!({"app": "web", "env": "prod"}), &lines).await;
    node.push(&json!({"app": "api", "env": "prod"}), &lines[..50]).await;
    node.push(&json!({"app": "db"}), &lines[..10]).await;
    for flushed in [false, true] {
        if flushed {
            node.post("/flush", "text/plain", "").await;
        }
        let check = async |params: &[(&str, &str)], expected: Value| {
            let answer = get(&node, "volume", params).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            let json = answer.json();
            let rows = json["data"]["result"].as_array().expect("rows").iter();
            let rows: Vec<Value> = rows.map(|row| json!([row["metric"], value_of(row)])).collect();
            assert_eq!(Value::from(rows), expected, "{params:?}");
        };
        let all = ("query", "{}");
        let env = ("query", r#"{env="prod"}"#);
        check(&[env], json!([[{"env": "prod"}, 1500]])).await;
        check(
            &[env, ("targetLabels", "app")],
            json!([[{"app": "web"}, 1000], [{"app": "api"}, 500]]),
        )
        .await;
        check(&[all, ("targetLabels", "env"), ("limit", "1")], json!([[{"env": "prod"}, 1500]]))
            .await;
        check(
            &[all, ("aggregateBy", "labels"), ("targetLabels", "app,env")],
            json!([[{"app": ""}, 1600], [{"env": ""}, 1500]]),
        )
        .await;
        check(&[("query", r#"{app="none"}"#)], json!([])).await;

        let params = [("query", r#"{app="api"} |= "x""#), ("step", "30")];
        let answer = get(&node, "volume_range", &params).await.json();
        // 1700000000 is 20 s behind a whole multiple of 30 s.
        let expected = json!([
            [1_700_000_009.999, "100"],
            [1_700_000_039.999, "300"],
            [1_700_000_069.999, "100"]
        ]);
        assert_eq!(answer["data"]["result"][0]["values"], expected, "{answer}");
    }
}

#[tokio::test]
async fn refusals() {
    let node = Node::with_config("limits_config:\n  volume_max_series: 2\n").await;
    for app in ["a", "b", "c"] {
        node.push(&json!({"app": app}), &[(T, "x")]).await;
    }
    let check = async |path: &str, params: &[(&str, &str)], expected: &str| {
        let answer = get(&node, path, params).await;
        assert_eq!((answer.status, answer.text.trim_end()), (400, expected));
    };
    let all = ("query", r#"{app=~".+"}"#);
    check("volume", &[all], "the query hit the max number of series limit (limit: 2 series)").await;
    check("volume", &[all, ("aggregateBy", "x")], "invalid aggregation option").await;
    check("volume", &[all, ("limit", "0")], "limit must be a positive value").await;
    check("stats", &[], "parse error : syntax error: unexpected $end").await;
    check("stats", &[("query", "rate({app=\"a\"}[1m])")], "only label matchers are supported")
        .await;
    let target = ("targetBytesPerShard", "0");
    check("shards", &[all, target], "targetBytesPerShard must be a positive value").await;

    let off = Node::with_config("limits_config:\n  volume_enabled: false\n").await;
    assert_eq!(get(&off, "volume", &[all]).await.status, 404);
}
