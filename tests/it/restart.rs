//! Stopping, killing and starting again: nothing acknowledged is lost, nothing is there twice.

use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::node::Node;

const T: i64 = 1_700_000_000_000_000_000;

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    let mut node = Node::start().await;
    let mut expected = Vec::new();
    for round in 0..3 {
        for i in 0..20 {
            let line = format!("round {round} line {i}");
            let answer = node.push(&json!({"app": "web"}), &[(T + round * 100 + i, &line)]).await;
            assert_eq!(answer.status, 204);
            expected.push(line);
        }
        if round == 1 {
            assert_eq!(node.post("/flush", "text/plain", "").await.status, 204);
        }
        node.kill_and_restart().await;
        assert_eq!(node.lines(r#"{app="web"}"#).await, expected);
    }
}

/// A node that writes chunks in another way was here first, and died before it could say so.
#[tokio::test]
async fn a_chunk_that_another_version_wrote_is_as_good() {
    let dir = tempfile::tempdir().expect("a directory");
    let (data, config) = (dir.path().join("data"), dir.path().join("drave.yaml"));
    std::fs::write(&config, "chunk:\n  codec: lz4\n").expect("writes");
    let mut node = Node::on(&data, None).await;
    let lines: Vec<String> = (0..200).map(|n| format!("line {n} of many")).collect();
    let entries: Vec<(i64, &str)> = (T..).zip(lines.iter().map(String::as_str)).collect();
    assert_eq!(node.push(&json!({"app": "web"}), &entries).await.status, 204);
    node.terminate();
    let databases = ["log.redb", "state.redb"];
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        for name in databases {
            std::fs::copy(from.join(name), to.join(name)).expect("copies");
        }
    };
    copy(&data, dir.path());
    let written = || {
        let mut found = Vec::new();
        let mut open = vec![data.join("objects")];
        while let Some(path) = open.pop() {
            for entry in std::fs::read_dir(path).expect("a directory") {
                let path = entry.expect("an entry").path();
                if path.is_dir() { open.push(path) } else { found.push(path) }
            }
        }
        found.retain(|path| path.metadata().expect("a file").len() > 100);
        found
    };

    let mut other = Node::on(&data, Some(&config)).await;
    assert_eq!(other.post("/flush", "text/plain", "").await.status, 204);
    other.terminate();
    let [chunk] = &written()[..] else { panic!("one chunk: {:?}", written()) };
    let theirs = std::fs::read(chunk).expect("a chunk");

    copy(dir.path(), &data);
    let node = Node::on(&data, None).await;
    assert_eq!(node.post("/flush", "text/plain", "").await.status, 204);
    assert_eq!(&written()[..], std::slice::from_ref(chunk), "it is the same chunk");
    assert_eq!(std::fs::read(chunk).expect("a chunk"), theirs, "and was left as it is");
    assert_eq!(node.lines(r#"{app="web"}"#).await, lines);
}

#[tokio::test]
async fn sigterm_stops_it_in_order() {
    let mut node = Node::start().await;
    assert_eq!(node.push(&json!({"app": "web"}), &[(T, "a")]).await.status, 204);
    let (status, took) = node.terminate();
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    node.restart().await;
    assert_eq!(node.lines(r#"{app="web"}"#).await, ["a"]);
}

/// The `flushed` of all shards: what is below it is in object storage.
async fn n_flushed(node: &Node) -> u64 {
    let metrics = node.get("/metrics", &[]).await.text;
    let line = metrics.lines().find(|line| line.starts_with("drave_chunk_flushes_total"));
    let value = line.and_then(|line| line.split(' ').nth(1)).expect("a counter");
    value.parse().expect("a number")
}

#[tokio::test]
async fn a_prepared_shutdown_flushes_first() {
    let mut node = Node::start().await;
    let path = "/ingester/prepare_shutdown";
    let state = async |node: &Node| node.get(path, &[]).await.text.trim_end().to_owned();
    assert_eq!(state(&node).await, "unset");
    for (method, expected) in [("POST", "set"), ("DELETE", "unset"), ("POST", "set")] {
        assert_eq!(node.send(method, path, &[], String::new()).await.status, 204);
        assert_eq!(state(&node).await, expected);
    }
    assert_eq!(node.push(&json!({"app": "web"}), &[(T, "a")]).await.status, 204);
    assert_eq!(n_flushed(&node).await, 0);
    let (status, _) = node.terminate();
    assert!(status.success(), "{status}");
    node.restart().await;
    assert_eq!(state(&node).await, "unset", "it was for one shutdown");
    let params = [("query", r#"{app="web"}"#), ("start", "1700000000"), ("end", "1700000001")];
    let answer = node.get("/loki/api/v1/query_range", &params).await.json();
    let stats = &answer["data"]["stats"]["drave"];
    assert_eq!((&stats["headBatches"], &stats["blocksRead"]), (&json!(0), &json!(1)), "{stats}");
}

#[tokio::test]
async fn a_node_ends_when_it_is_asked_to_over_http() {
    let mut node = Node::start().await;
    assert_eq!(node.push(&json!({"app": "web"}), &[(T, "a")]).await.status, 204);
    let ask = async |node: &Node, params: &str| {
        let target = format!("/ingester/shutdown?{params}");
        node.send("POST", &target, &[], String::new()).await.status
    };
    assert_eq!(ask(&node, "flush=perhaps").await, 400);
    assert_eq!(ask(&node, "terminate=false").await, 204);
    assert_eq!(n_flushed(&node).await, 1, "it flushes, and goes on");
    assert_eq!(ask(&node, "flush=false").await, 204);
    let status = node.ended().await;
    assert!(status.success(), "{status}");
    node.restart().await;
    assert_eq!(node.lines(r#"{app="web"}"#).await, ["a"]);

    let closed = Node::with_config("auth_enabled: true\n").await;
    assert_eq!(ask(&closed, "").await, 403);
    assert_eq!(closed.get("/ingester/prepare_shutdown", &[]).await.status, 403);
}

/// Runs a server that is expected not to start; its words and that it failed.
pub(crate) fn refused(args: &[&str]) -> String {
    // One that starts after all would never end.
    let mut command = Command::new("timeout");
    let output = command.args(["60", env!("CARGO_BIN_EXE_drave")]).args(args).output();
    let output = output.expect("it runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{text}");
    let own = text.lines().filter(|line| line.starts_with("drave: ")).collect::<Vec<_>>();
    assert_eq!(own.len(), 1, "one line: {text}");
    own[0].to_string()
}

pub(crate) const PORTS: [&str; 6] =
    ["--http-listen", "127.0.0.1:0", "--pg-listen", "127.0.0.1:0", "--peer-listen", "127.0.0.1:0"];

#[tokio::test]
async fn a_second_process_on_the_directory_is_refused() {
    let node = Node::start().await;
    let data = node.data().to_str().expect("UTF-8");
    let said = refused(&[&["serve", "--data", data], &PORTS[..]].concat());
    assert!(said.contains(data) && said.contains("in use"), "{said}");
    assert_eq!(node.push(&json!({"app": "web"}), &[(T, "a")]).await.status, 204);
}

#[tokio::test]
async fn a_port_in_use_is_refused() {
    let node = Node::start().await;
    let other = tempfile::tempdir().expect("a directory");
    let data = other.path().to_str().expect("UTF-8");
    let args = ["serve", "--data", data, "--http-listen", node.http()];
    let said = refused(&[&args[..], &PORTS[2..]].concat());
    assert!(said.contains(node.http()) && said.contains("--http-listen"), "{said}");
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_refused() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let data = file.path().join("data");
    let data = data.to_str().expect("UTF-8");
    let said = refused(&[&["serve", "--data", data], &PORTS[..]].concat());
    assert!(said.contains(data), "{said}");
}

#[tokio::test]
async fn an_unknown_key_is_refused_with_a_suggestion() {
    let directory = tempfile::tempdir().expect("a directory");
    let config = directory.path().join("drave.yaml");
    std::fs::write(&config, "server:\n  http_listen_prot: 1\n").expect("a file");
    let said = refused(&["serve", "--config", config.to_str().expect("UTF-8")]);
    assert!(said.contains("did you mean 'http_listen_port'"), "{said}");
}
