//! Real clients against a real server. What `tests/clients/install` could not install is named.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::node::Node;

const T: i64 = 1_700_000_000_000_000_000;

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// A program that was installed, or `None` after saying what is skipped.
fn installed(path: PathBuf, what: &str) -> Option<PathBuf> {
    let found = if path.is_absolute() {
        path.exists()
    } else {
        Command::new(&path).arg("--version").stdout(Stdio::null()).status().is_ok()
    };
    if !found {
        eprintln!("SKIPPED: {what} is not installed: run tests/clients/install");
    }
    found.then_some(path)
}

fn python() -> Option<PathBuf> {
    installed(clients().join(".venv/bin/python"), "Python with psycopg, logging_loki and moto")
}

/// Runs a client off the test's thread: the server answers from another process.
async fn run(mut command: Command) -> String {
    let output = tokio::task::spawn_blocking(move || command.output().expect("runs"));
    let output = output.await.expect("no panic");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    text
}

async fn with_100_lines() -> Node {
    let node = Node::start().await;
    let lines: Vec<String> = (0..100).map(|n| format!("line {n}")).collect();
    let entries: Vec<(i64, &str)> =
        lines.iter().zip(T..).map(|(line, at)| (at, line.as_str())).collect();
    assert_eq!(node.push(&json!({"app": "web"}), &entries).await.status, 204);
    node
}

#[tokio::test]
async fn psycopg_reads() {
    let Some(python) = python() else { return };
    let node = with_100_lines().await;
    let mut command = Command::new(python);
    command.arg(clients().join("psycopg_client.py")).arg(node.pg());
    assert_eq!(run(command).await.trim(), "ok");
}

#[tokio::test]
async fn psql_describes_and_asks() {
    let Some(psql) = installed("psql".into(), "psql") else { return };
    let node = with_100_lines().await;
    let (host, port) = node.pg().split_once(':').expect("host and port");
    let ask = async |sql: &str| {
        let mut command = Command::new(&psql);
        command.args(["-X", "-h", host, "-p", port, "-U", "drave", "-d", "drave", "-c", sql]);
        run(command).await
    };
    let described = ask(r"\d logs").await;
    for column in ["timestamp", "line", "stream_id", "level", "app", "labels"] {
        assert!(described.contains(column), "{described}");
    }
    assert!(ask(r"\d").await.contains("logs"));
    let counted = ask("select app, count(*) from logs group by app").await;
    assert!(counted.contains("web") && counted.contains("100"), "{counted}");
}

#[tokio::test]
async fn python_logging_loki_pushes() {
    let Some(python) = python() else { return };
    let node = Node::start().await;
    let mut command = Command::new(python);
    command.arg(clients().join("logging_loki_client.py")).arg(node.http());
    assert_eq!(run(command).await.trim(), "ok");
    let sql = "select count(*) from logs where app = 'python'";
    let row = node.sql().await.query_one(sql, &[]).await.expect("a row");
    assert_eq!(row.get::<_, i64>(0), 10);
}

#[tokio::test]
async fn winston_loki_pushes_json_and_protobuf() {
    let Some(node_js) = installed("node".into(), "Node.js") else { return };
    let module = clients().join("node_modules/winston-loki");
    if installed(module, "winston-loki").is_none() {
        return;
    }
    let node = Node::start().await;
    for form in ["json", "protobuf"] {
        let mut command = Command::new(&node_js);
        command.arg(clients().join("winston_loki_client.js")).arg(node.http()).arg(form);
        assert_eq!(run(command).await.trim(), "ok");
        let sql = format!("select count(*) from logs where app = 'node' and part = '{form}'");
        let row = node.sql().await.query_one(&sql, &[]).await.expect("a row");
        assert_eq!(row.get::<_, i64>(0), 10, "{form}");
    }
}

/// moto's S3 server, gone at the end of the test.
struct Moto(Child);

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    socket.local_addr().expect("an address").port()
}

#[tokio::test]
async fn chunks_go_to_a_bucket_and_are_read_back() {
    let Some(python) = python() else { return };
    let port = free_port();
    let mut command = Command::new(python);
    command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()]);
    let _moto = Moto(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("runs"));
    let endpoint = format!("http://127.0.0.1:{port}");
    let client = reqwest::Client::new();
    let bucket = format!("{endpoint}/logs");
    let mut tries = 0;
    while !client.put(&bucket).send().await.is_ok_and(|answer| answer.status().is_success()) {
        tries += 1;
        assert!(tries < 300, "moto does not answer");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let yaml = format!(
        "storage:\n  bucket: s3://logs/prod\n  endpoint: {endpoint}\n  region: us-east-1\n"
    );
    let mut node = Node::with_config(&yaml).await;
    let entries = [(T, "in a bucket"), (T + 1, "and another")];
    assert_eq!(node.push(&json!({"app": "web"}), &entries).await.status, 204);
    let flushed = node.post("/flush", "text/plain", "").await;
    assert_eq!(flushed.status, 204, "{}", flushed.text);
    let listed = client.get(format!("{bucket}?list-type=2&prefix=prod/")).send().await;
    let listed = listed.expect("answers").text().await.expect("a body");
    assert!(listed.contains(".chunk</Key>"), "{listed}");
    node.kill_and_restart().await;
    assert_eq!(node.lines(r#"{app="web"}"#).await, ["in a bucket", "and another"]);
}
