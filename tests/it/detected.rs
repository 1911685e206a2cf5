//! What there is to filter, group and look for: labels, fields and patterns.

use serde_json::{Value, json};

use crate::node::{Answer, Node};

const T: i64 = 1_700_000_000_000_000_000;
const SECOND: i64 = 1_000_000_000;

async fn get(node: &Node, path: &str, params: &[(&str, &str)]) -> Answer {
    let mut all = vec![("start", "1700000000"), ("end", "1700000100")];
    all.extend(params);
    let answer = node.get(&format!("/loki/api/v1/{path}"), &all).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer
}

#[tokio::test]
async fn fields_of_metadata_json_and_logfmt() {
    let node = Node::start().await;
    let body = json!({"streams": [{"stream": {"app": "web", "n": "1"}, "values": [
        [T.to_string(), r#"{"status":200,"user":{"id":7},"n":5}"#, {"trace": "t1"}],
        [(T + 1).to_string(), "status=404 took=5ms"],
        [(T + 2).to_string(), "status=404 took=1.5s broken=\""],
    ]}]});
    node.post("/loki/api/v1/push", "application/json", body.to_string()).await;
    for _ in 0..2 {
        let answer = get(&node, "detected_fields", &[("query", r#"{app="web"}"#)]).await.json();
        let field = |label: &str| {
            let fields = answer["fields"].as_array().expect("fields").clone();
            fields.into_iter().find(|field| field["label"] == label).unwrap_or_default()
        };
        assert_eq!(
            field("status"),
            json!({"label": "status", "type": "int", "cardinality": 2,
                   "parsers": ["json", "logfmt"], "jsonPath": ["status"]})
        );
        assert_eq!(field("took")["type"], "duration");
        assert_eq!(field("user_id")["jsonPath"], json!(["user", "id"]));
        assert_eq!(field("n_extracted")["cardinality"], 1, "a stream label has the name");
        assert_eq!(field("trace")["parsers"], Value::Null);
        assert_eq!(field("n"), Value::Null);

        let values = get(&node, "detected_field/status/values", &[("query", r#"{app="web"}"#)]);
        assert_eq!(values.await.json()["values"], json!(["404", "200"]));
        let one = [("query", r#"{app="web"}"#), ("limit", "1"), ("line_limit", "1")];
        let answer = get(&node, "detected_fields", &one).await.json();
        assert_eq!(answer["fields"].as_array().map(Vec::len), Some(1), "{answer}");
        let none = get(&node, "detected_field/x/values", &[("query", r#"{app="web"}"#)]).await;
        assert_eq!(none.text, "{}\n");
        node.post("/flush", "text/plain", "").await;
    }
}

#[tokio::test]
async fn labels_worth_showing() {
    let node = Node::start().await;
    for (app, id) in [("web", "1"), ("api", "2")] {
        let labels = json!({"app": app, "id": id, "pod": id});
        node.push(&labels, &[(T, "x")]).await;
    }
    let labels = get(&node, "detected_labels", &[]).await.json();
    let expected = json!([
        {"label": "app", "cardinality": 2},
        {"label": "pod", "cardinality": 2},
        {"label": "service_name", "cardinality": 2},
    ]);
    assert_eq!(labels["detectedLabels"], expected, "{labels}");
    let narrowed = get(&node, "detected_labels", &[("query", r#"{app="web"}"#)]).await.json();
    assert_eq!(narrowed["detectedLabels"][0], json!({"label": "app", "cardinality": 1}));
    let none = get(&node, "detected_labels", &[("query", r#"{app="none"}"#)]).await;
    assert_eq!(none.text, "{}\n");
}

#[tokio::test]
async fn patterns_count_every_line_once_wherever_it_is() {
    let node = Node::start().await;
    let lines: Vec<(i64, String)> = (0..100)
        .map(|i| (T + i * SECOND, format!("user {i} logged in, level=info")))
        .chain([(T + 5, "level=error disk on fire".to_string())])
        .collect();
    let lines: Vec<(i64, &str)> = lines.iter().map(|(at, line)| (*at, line.as_str())).collect();
    let expected = json!([
        {"pattern": "user <_> logged in, level=info", "level": "info", "samples":
            [[1_699_999_980, 10], [1_700_000_010, 30], [1_700_000_040, 30], [1_700_000_070, 30]]},
        {"pattern": "level=error disk on fire", "level": "error", "samples": [[1_699_999_980, 1]]},
    ]);
    for round in 0..4 {
        if round < 2 {
            node.push(&json!({"app": "web"}), &lines).await;
        }
        let params = [("query", r#"{app="web"}"#), ("step", "30")];
        let answer = get(&node, "patterns", &params).await.json();
        assert_eq!(answer["data"], expected, "round {round}: {answer}");
        node.post("/flush", "text/plain", "").await;
    }
    // What an answer calls a pattern, a query finds.
    let found = node.lines(r#"{app="web"} |> "user <_> logged in, level=info""#).await;
    assert_eq!(found.len(), 100);
}
