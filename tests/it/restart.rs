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

/// Runs a server that is expected not to start; its words and that it failed.
pub(crate) fn refused(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_drave")).args(args).output().expect("runs");
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
