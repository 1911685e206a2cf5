//! One answer, whatever way it takes: from heads or from chunks, from one shard or from many, whole
//! or in pieces of time.

use serde_json::{Value, json};

use crate::node::Node;

const T: i64 = 1_700_000_000_000_000_000;
const SECOND: i64 = 1_000_000_000;

const QUERIES: [&str; 16] = [
    r#"{app=~".+"}"#,
    r#"{app=~".+"} |= "7" | logfmt | n > 20"#,
    r#"{app="a3"} | logfmt | line_format "{{.n}} {{.level}}""#,
    r#"sum by (app) (count_over_time({app=~".+"}[5m]))"#,
    r#"count_over_time({app=~".+"} | logfmt | drop n [7m])"#,
    r#"sum(rate({app=~".+"} |= "info" [10m]))"#,
    r#"bytes_over_time({app=~"a1|a2"}[5m])"#,
    r#"quantile_over_time(0.9, {app=~".+"} | logfmt | unwrap n [10m]) by (level)"#,
    r#"stddev_over_time({app="a1"} | logfmt | unwrap n [10m]) by (app)"#,
    r#"max_over_time({app=~".+"} | logfmt | unwrap n [10m]) by ()"#,
    r#"first_over_time({app=~"a1|a4"} | logfmt | unwrap n [10m]) by (app)"#,
    r#"rate_counter({app=~"a1|a4"} | logfmt | keep app, n | unwrap n [10m])"#,
    r#"topk(2, sum by (app) (count_over_time({app=~".+"}[5m])))"#,
    r#"absent_over_time({app="a9"}[5m])"#,
    r#"sum by (app) (count_over_time({app=~".+"}[5m])) / on () group_left sum(count_over_time({app=~".+"}[5m]))"#,
    r#"sum by (trace) (count_over_time({app=~".+"} | trace != "" [1h]))"#,
];

/// Ten streams, entries of each spread over an hour, in two pushes that overlap.
fn pushes() -> Vec<Value> {
    let half = |from: i64| {
        let streams = (0..10).map(|app| {
            let values = (from..from + 50).map(|i| {
                let at = T + (i * 70 + app * 3) * SECOND;
                let level = if (i + app) % 3 == 0 { "error" } else { "info" };
                let line = format!("level={level} n={} of={app}", (i * 7 + app) % 31);
                let metadata =
                    if i % 5 == 0 { json!({"trace": (i % 4).to_string()}) } else { json!({}) };
                json!([at.to_string(), line, metadata])
            });
            json!({"stream": {"app": format!("a{app}")}, "values": values.collect::<Vec<_>>()})
        });
        json!({"streams": streams.collect::<Vec<_>>()})
    };
    vec![half(0), half(40)]
}

/// All answers of a node.
async fn answers(node: &Node) -> Vec<Value> {
    let mut answers = Vec::new();
    for query in QUERIES {
        for direction in ["forward", "backward"] {
            let params = [
                ("query", query),
                ("start", "1700000000"),
                ("end", "1700007200"),
                ("step", "300"),
                ("limit", "5000"),
                ("direction", direction),
            ];
            let answer = node.get("/loki/api/v1/query_range", &params).await;
            assert_eq!(answer.status, 200, "{query}: {}", answer.text);
            let result = answer.json()["data"]["result"].clone();
            assert_ne!(result, json!([]), "{query} finds nothing");
            answers.push(result);
        }
    }
    answers
}

pub(crate) async fn push(node: &Node, body: &Value) {
    let pushed = node.post("/loki/api/v1/push", "application/json", body.to_string()).await;
    assert_eq!(pushed.status, 204, "{}", pushed.text);
}

fn same(found: &[Value], expected: &[Value], way: &str) {
    let queries = QUERIES.iter().flat_map(|query| [query, query]);
    for ((found, expected), query) in found.iter().zip(expected).zip(queries) {
        assert!(is_close(found, expected), "{way}: {query}\n{found}\n{expected}");
    }
}

/// Sums may be made in another order.
pub(crate) fn is_close(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_close(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.keys().eq(b.keys()) && a.values().zip(b.values()).all(|(a, b)| is_close(a, b))
        }
        (Value::String(x), Value::String(y)) => {
            x == y
                || matches!((x.parse::<f64>(), y.parse::<f64>()), (Ok(x), Ok(y))
                    if (x - y).abs() <= 1e-9 * x.abs().max(y.abs()))
        }
        _ => a == b,
    }
}

#[tokio::test]
async fn heads_and_chunks_and_shards_give_one_answer() {
    let pushes = pushes();
    let many = Node::with_config("shard:\n  count: 5\n").await;
    push(&many, &pushes[0]).await;
    push(&many, &pushes[1]).await;
    let from_heads = answers(&many).await;
    assert_eq!(many.get("/flush", &[]).await.status, 204);
    same(&answers(&many).await, &from_heads, "from chunks");

    // The answer says what it took: where, how much, how long.
    let params =
        [("query", r#"{app="a3"} |= "nope""#), ("start", "1700000000"), ("end", "1700007200")];
    let stats = many.get("/loki/api/v1/query_range", &params).await.json()["data"]["stats"].clone();
    let number = |name: &str| stats["drave"][name].as_u64().expect(name);
    assert!(number("blocksPruned") > 0, "the other streams: {stats}");
    assert!(number("blocksRead") > 0 && number("objectReads") > 0 && number("objectBytes") > 0);
    assert_eq!(number("blocksRead"), number("unitsUnmatched"), "no line matches: {stats}");
    for phase in ["plan", "wait", "head", "fetch", "compute"] {
        assert!(stats["drave"]["phases"][phase].is_f64(), "no {phase} in {stats}");
    }
    assert!(stats["drave"]["phases"]["compute"].as_f64() > Some(0.0), "{stats}");

    let one = Node::with_config("shard:\n  count: 1\n").await;
    push(&one, &pushes[0]).await;
    assert_eq!(one.get("/flush", &[]).await.status, 204);
    push(&one, &pushes[1]).await;
    same(&answers(&one).await, &from_heads, "one shard, half in a chunk and half in the head");
}

#[tokio::test]
async fn pieces_of_time_make_up_the_whole() {
    let node = Node::start().await;
    for body in pushes() {
        push(&node, &body).await;
    }
    let values = async |query: &str, start: i64, end: i64| -> Vec<(String, Value)> {
        let (start, end) = (start.to_string(), end.to_string());
        let params = [
            ("query", query),
            ("start", &start),
            ("end", &end),
            ("step", "300"),
            ("limit", "5000"),
            ("direction", "forward"),
        ];
        let answer = node.get("/loki/api/v1/query_range", &params).await.json();
        let mut all = Vec::new();
        for series in answer["data"]["result"].as_array().expect("a result") {
            let labels = series.get("metric").or(series.get("stream")).expect("labels").to_string();
            let values = series["values"].as_array().expect("values");
            all.extend(values.iter().map(|value| (labels.clone(), value.clone())));
        }
        all.sort_by_key(|(labels, value)| (labels.clone(), value.to_string()));
        all
    };
    for query in QUERIES {
        let is_log = query.starts_with('{');
        let whole = values(query, 1_699_999_800, 1_700_007_000).await;
        let mut pieces = Vec::new();
        for at in (1_699_999_800..1_700_007_000).step_by(1800) {
            // The last step of a piece is not the first one of the next; entries have no last one.
            let end = if is_log { at + 1800 } else { at + 1500 };
            pieces.extend(values(query, at, end).await);
        }
        if !is_log {
            pieces.extend(values(query, 1_700_007_000, 1_700_007_000).await);
        }
        pieces.sort_by_key(|(labels, value)| (labels.clone(), value.to_string()));
        assert_eq!(pieces.len(), whole.len(), "{query}");
        for ((own, a), (other, b)) in pieces.iter().zip(&whole) {
            assert!(own == other && is_close(a, b), "{query}: {own} {a} and {other} {b}");
        }
    }
}
