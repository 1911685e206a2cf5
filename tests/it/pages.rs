//! What clients probe for: legacy paths, what is absent, pages for operators, the compat switch.

use serde_json::json;

use crate::node::Node;

const T: i64 = 1_700_000_000_000_000_000;

#[tokio::test]
async fn the_first_api_still_answers() {
    let node = Node::start().await;
    node.push(&json!({"app": "web"}), &[(T, "one"), (T + 120_000_000, "two")]).await;
    let range = [("start", "1700000000"), ("end", "1700000001")];
    let params = [range[0], range[1], ("query", r#"{app="web"}"#), ("regexp", "t.o")];
    let answer = node.get("/api/prom/query", &params).await.json();
    assert_eq!(
        answer["streams"],
        json!([{
            "labels": r#"{app="web", detected_level="unknown", service_name="web"}"#,
            "entries": [{"ts": "2023-11-14T22:13:20.12Z", "line": "two"}],
        }])
    );
    let values = node.get("/api/prom/label/app/values", &range).await.json();
    assert_eq!(values, json!({"status": "success", "data": ["web"]}));
    let metric = [range[0], range[1], ("query", r#"rate({app="web"}[1m])"#)];
    assert_eq!(node.get("/api/prom/query", &metric).await.status, 400);
}

#[tokio::test]
async fn what_is_absent_says_so() {
    let node = Node::start().await;
    let check = async |path: &str, status: u16, text: &str| {
        let answer = node.get(path, &[]).await;
        assert_eq!((answer.status, answer.text.trim_end()), (status, text), "{path}");
    };
    check("/loki/api/v1/rules", 404, "no rule groups found").await;
    check("/api/prom/rules/ns/group", 404, "group does not exist").await;
    check("/loki/api/v1/delete", 400, "Retention is not enabled").await;
    let alerts = node.get("/prometheus/api/v1/alerts", &[]).await.json();
    assert_eq!(alerts["data"], json!({"alerts": []}));
}

#[tokio::test]
async fn pages_for_operators() {
    let node = Node::with_config("limits_config:\n  volume_max_series: 7\n").await;
    let limits = node.get("/config/tenant/v1/limits", &[]).await;
    assert!(limits.text.contains("\nvolume_max_series: 7\n"), "{}", limits.text);
    let drilldown = node.get("/loki/api/v1/drilldown-limits", &[]).await.json();
    assert_eq!(drilldown["limits"]["volume_max_series"], 7);
    let version = node.get("/loki/api/v1/status/buildinfo", &[]).await.json();
    assert!(version["version"].as_str().is_some_and(|v| v.starts_with("3.")), "{version}");
    assert!(node.get("/services", &[]).await.text.contains("shard-0 => Running"));
    let ring = node.get("/ring", &[]).await;
    assert!(ring.text.starts_with("<!doctype html>") && ring.text.contains("ACTIVE"), "{ring:?}");

    let level = async || node.get("/log_level", &[]).await.json()["message"].clone();
    assert_eq!(level().await, "current log level is info");
    let form = "application/x-www-form-urlencoded";
    assert_eq!(node.post("/log_level", form, "log_level=warn").await.status, 200);
    assert_eq!(level().await, "current log level is warn");
    assert_eq!(node.post("/log_level", form, "log_level=loud").await.status, 400);
    assert_eq!(level().await, "current log level is warn");
}

#[tokio::test]
async fn compat_gives_lokis_answer_where_drave_differs() {
    let many = r#"sum by (app) (count_over_time({app=~".+"}[1m]))
        / on (app) group_left sum by (app, x) (count_over_time({app=~".+"}[1m]))"#;
    let approximate = r#"approx_topk(1, sum by (app) (count_over_time({app=~".+"}[1m])))"#;
    for (yaml, expected) in [("", (400, 200)), ("compat: loki\n", (500, 500))] {
        let node = Node::with_config(yaml).await;
        for x in ["1", "2"] {
            node.push(&json!({"app": "web", "x": x}), &[(T, "line")]).await;
        }
        let status = async |query: &str| {
            node.get("/loki/api/v1/query", &[("query", query), ("time", "1700000001")]).await.status
        };
        assert_eq!((status(many).await, status(approximate).await), expected, "{yaml}");
    }
}

#[tokio::test]
async fn answers_are_compressed_for_who_wants_it() {
    let node = Node::start().await;
    let lines: Vec<String> = (0..100).map(|n| format!("a line like the others {n}")).collect();
    let entries: Vec<(i64, &str)> = lines.iter().zip(T..).map(|(l, at)| (at, l.as_str())).collect();
    node.push(&json!({"app": "web"}), &entries).await;
    let url =
        node.url("/loki/api/v1/query_range?query={app=\"web\"}&start=1700000000&end=1700000001");
    let client = reqwest::Client::new();
    let plain = client.get(&url).send().await.expect("an answer").text().await.expect("a body");
    let request = client.get(&url).header("Accept-Encoding", "deflate, gzip");
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    let bytes = answer.bytes().await.expect("a body");
    assert!(bytes.len() * 3 < plain.len(), "{} of {}", bytes.len(), plain.len());
    let mut text = String::new();
    let mut decoder = flate2::read::GzDecoder::new(&bytes[..]);
    std::io::Read::read_to_string(&mut decoder, &mut text).expect("gzip");
    let result = |text: &str| text.split(",\"stats\"").next().map(String::from);
    assert_eq!(result(&text), result(&plain));
}
