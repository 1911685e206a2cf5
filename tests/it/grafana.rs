//! What Grafana's Loki data source sends, and what it gets: recorded exchanges, replayed.
//!
//! Each file of `tests/golden/http` is a page of Grafana: requests, and behind each the answer that
//! Loki's documentation promises. `stats` say how long something took, so only their presence is
//! compared; everything else is compared as text, for the reader in Grafana needs keys in order.
//! `UPDATE_GOLDEN=1` writes the answers down; what changed is then to be read.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::node::Node;
use crate::tail::{Frame, connect};

const T: i64 = 1_700_000_000_000_000_000;
const SECOND: i64 = 1_000_000_000;

#[tokio::test]
async fn grafana_gets_what_it_expects() {
    let node = Node::start().await;
    push(&node).await;
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/http");
    let files = std::fs::read_dir(directory).expect("a directory");
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    // The tail pushes, so it comes last.
    files.sort_by_key(|file| (file.ends_with("tail.http"), file.clone()));
    assert!(files.len() >= 8, "{files:?}");
    let mut wrong = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a readable file");
        let replayed = replay(&node, &text).await;
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&file, &replayed).expect("a writable file");
        } else if replayed != text {
            wrong.push(format!("{}:\n{}", file.display(), differences(&text, &replayed)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Two services of one environment: one that writes logfmt, one that writes JSON.
async fn push(node: &Node) {
    let web = [
        (0, "level=info status=200 took=12ms msg=\"hello <world>\""),
        (10, "level=info status=200 took=8ms msg=again"),
        (20, "level=error status=500 took=1.5s msg=boom"),
        (30, "level=warn status=oops took=20ms msg=odd"),
    ];
    let values: Vec<Value> =
        web.iter().map(|(at, line)| json!([(T + at * SECOND).to_string(), line])).collect();
    let line = r#"{"user":{"id":7},"msg":"took a while","ok":true}"#;
    let traced = json!([(T + 15 * SECOND).to_string(), line, {"trace_id": "abc"}]);
    let body = json!({"streams": [
        {"stream": {"app": "web", "env": "prod"}, "values": values},
        {"stream": {"app": "api", "env": "prod"}, "values": [traced]},
    ]});
    let pushed = node.post("/loki/api/v1/push", "application/json", body.to_string()).await;
    assert_eq!(pushed.status, 204, "{}", pushed.text);
}

/// The file with the answers that the node gives now.
async fn replay(node: &Node, text: &str) -> String {
    let mut parts = text.split("\n### ");
    let mut out = parts.next().expect("a title").trim_end().to_string();
    out.push('\n');
    for part in parts {
        let mut paragraphs = part.split("\n\n");
        let head = paragraphs.next().expect("a request");
        let mut lines = head.lines();
        let (title, request) = (lines.next().expect("a title"), lines.next().expect("a request"));
        let headers: Vec<(&str, &str)> =
            lines.map(|line| line.split_once(": ").expect("a header")).collect();
        let (method, target) = request.split_once(' ').expect("a method and a target");
        let body = (method == "POST").then(|| paragraphs.next().expect("a form").trim());
        out.push_str(&format!("\n### {}\n", head.trim_end()));
        if let Some(body) = body {
            out.push_str(&format!("\n{body}\n"));
        }
        let answer = match method {
            "WS" => tail(node, target).await,
            _ => exchange(node, method, target, &headers, body).await,
        };
        assert!(!title.is_empty());
        out.push_str(&format!("\n{answer}\n"));
    }
    out
}

/// The status, the kind and the body of an answer.
async fn exchange(
    node: &Node,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> String {
    let method: reqwest::Method = method.parse().expect("a method");
    let client = reqwest::Client::new();
    let mut request = client.request(method, node.url(target));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if let Some(body) = body {
        request = request.body(body.to_string());
    }
    let response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    let kind = response.headers().get("content-type").map(|kind| kind.to_str().expect("text"));
    let kind = kind.unwrap_or("").to_string();
    let text = response.text().await.expect("a body");
    let text = text.trim_end().replace(env!("CARGO_PKG_VERSION"), "VERSION");
    format!("{status} {kind}\n{}", without_stats(&text))
}

/// `"stats"` of a query say what it cost: that they are there is what counts.
fn without_stats(text: &str) -> String {
    let Some((before, stats)) = text.split_once(r#","stats":"#) else { return text.into() };
    let value: Value = serde_json::from_str(stats.strip_suffix("}}").expect("stats come last"))
        .expect("stats are JSON");
    for name in ["bytesProcessedPerSecond", "totalBytesProcessed", "execTime"] {
        assert!(value["summary"][name].is_number(), "no {name} in {value}");
    }
    format!(r#"{before},"stats":{{}}}}}}"#)
}

/// The frames of a tail: the history, and what is pushed after it.
async fn tail(node: &Node, target: &str) -> String {
    let url = node.url(target);
    let url = reqwest::Url::parse(&url).expect("a good URL");
    let params: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let params: Vec<(&str, &str)> = params.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let live = json!({"app": "web", "env": "prod"});
    node.push(&live, &[(T + 40 * SECOND, "level=info msg=live")]).await;
    let mut client = connect(node, &params, "").await.expect("a tail");
    let mut out = String::from("101\n");
    for next in [Some("level=info msg=done"), None] {
        let Some(Frame::Text(mut frame)) = client.next(Duration::from_secs(20)).await else {
            panic!("no frame")
        };
        // Where to go on differs from run to run.
        frame["resume"] = json!("");
        out.push_str(&format!("{frame}\n"));
        if let Some(line) = next {
            node.push(&live, &[(T + 50 * SECOND, line)]).await;
        }
    }
    out.trim_end().into()
}

/// The lines that differ.
fn differences(expected: &str, found: &str) -> String {
    let mut out = String::new();
    let pairs = expected.lines().zip(found.lines());
    for (expected, found) in pairs.filter(|(expected, found)| expected != found) {
        out.push_str(&format!("- {expected}\n+ {found}\n"));
    }
    out
}
