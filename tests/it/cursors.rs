//! Page after page, and all at once: every entry exactly once, also where many share a timestamp.

use serde_json::{Value, json};

use crate::node::Node;

const T: i64 = 1_700_000_000_000_000_000;
const RANGE: [(&str, &str); 2] = [("start", "1699999000"), ("end", "1700001000")];

/// Three streams with 20 entries at each of five times.
async fn filled() -> Node {
    let node = Node::start().await;
    for app in ["a", "b", "c"] {
        let lines: Vec<(i64, String)> =
            (0..100).map(|i| (T + i / 20, format!("{app}{i:03}"))).collect();
        let lines: Vec<(i64, &str)> = lines.iter().map(|(at, line)| (*at, line.as_str())).collect();
        assert_eq!(node.push(&json!({"app": app}), &lines).await.status, 204);
    }
    node
}

/// The lines of an answer in the order of time, and where to go on.
fn page(answer: &Value) -> (Vec<String>, Option<String>) {
    let streams = answer["data"]["result"].as_array().expect("streams").iter();
    let values = streams.flat_map(|stream| stream["values"].as_array().expect("values"));
    let lines = values.map(|value| value[1].as_str().expect("a line").to_string()).collect();
    (lines, answer["data"]["next_cursor"].as_str().map(String::from))
}

#[tokio::test]
async fn cursors_visit_every_entry_once() {
    let node = filled().await;
    for direction in ["forward", "backward"] {
        for limit in ["7", "20", "60", "299", "300", "301"] {
            let mut all = Vec::new();
            let mut cursor: Option<String> = None;
            for n in 0.. {
                let query = ("query", r#"{app=~".+"} != "a013""#);
                let mut params = vec![query, ("limit", limit), ("direction", direction)];
                params.extend(RANGE);
                params.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
                let answer = node.get("/loki/api/v1/query_range", &params).await;
                assert_eq!(answer.status, 200, "{}", answer.text);
                let (lines, next) = page(&answer.json());
                all.extend(lines);
                cursor = next;
                if cursor.is_none() {
                    break;
                }
                if n == 2 && limit == "20" {
                    // What lies where does not matter.
                    node.post("/flush", "text/plain", "").await;
                }
            }
            assert_eq!(all.len(), 299, "{direction} {limit}");
            all.sort();
            all.dedup();
            assert_eq!(all.len(), 299, "{direction} {limit}");
        }
    }
    let params = [("query", r#"{app="a"}"#), ("cursor", "x")];
    assert_eq!(node.get("/loki/api/v1/query_range", &params).await.status, 400);
}

#[tokio::test]
async fn exports_have_one_entry_per_line_and_no_cap() {
    let node = filled().await;
    let client = reqwest::Client::new();
    let export = async |params: &[(&str, &str)]| {
        let request = client.get(node.url("/loki/api/v1/query_range")).query(&RANGE).query(params);
        let answer =
            request.header("Accept", "application/x-ndjson").send().await.expect("answers");
        (answer.status().as_u16(), answer.text().await.expect("a body"))
    };
    let many: Vec<(i64, String)> = (0..12_000).map(|i| (T + i / 9, format!("m{i}"))).collect();
    let many: Vec<(i64, &str)> = many.iter().map(|(at, line)| (*at, line.as_str())).collect();
    node.push(&json!({"app": "many"}), &many).await;
    let forward = ("direction", "forward");
    let (status, text) = export(&[("query", r#"{app="many"}"#), forward]).await;
    assert_eq!(status, 200);
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 12_000);
    for (i, line) in lines.iter().enumerate() {
        assert_eq!(line["line"], format!("m{i}"));
    }
    assert_eq!(lines[0]["timestamp"], T.to_string());
    assert_eq!(lines[0]["labels"]["app"], "many");
    let (_, text) = export(&[("query", r#"{app="a"}"#), forward, ("limit", "3")]).await;
    assert_eq!(text.lines().count(), 3);
    let (_, text) = export(&[("query", r#"{app="none"}"#)]).await;
    assert_eq!(text, "");
    assert_eq!(export(&[("query", "{")]).await.0, 400);
}
