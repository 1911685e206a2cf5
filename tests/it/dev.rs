//! `drave dev cluster`: three real processes with one command, broken and mended by others.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

const T: i64 = 1_700_000_000_000_000_000;
/// For what a cluster does by itself: an election, a start.
const PATIENCE: Duration = Duration::from_secs(30);

/// One cluster at a time: while a node of one is down, another one would take its ports. Found
/// where two of these tests ran at once.
static ONE: Mutex<()> = Mutex::const_new(());

/// A cluster in a directory of its own, down at the end of the test.
struct Dev {
    _only: MutexGuard<'static, ()>,
    directory: tempfile::TempDir,
    client: reqwest::Client,
}

impl Dev {
    async fn new() -> Dev {
        let _only = ONE.lock().await;
        let directory = tempfile::tempdir().expect("a directory");
        let client = reqwest::Client::builder().timeout(Duration::from_secs(5));
        Dev { _only, directory, client: client.build().expect("a client") }
    }

    fn dir(&self) -> PathBuf {
        self.directory.path().join("dev")
    }

    fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drave"));
        command.args(["dev", "cluster"]).args(words).arg("--dir").arg(self.dir());
        command.output().expect("drave runs")
    }

    /// What a word that must work printed.
    #[track_caller]
    fn done(&self, words: &[&str]) -> String {
        let output = self.run(words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{words:?}: {said}\n{}", self.logs());
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The complaint of a word that must not work.
    #[track_caller]
    fn refused(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert!(!output.status.success(), "{words:?} must not work");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(said.lines().count(), 1, "one line: {said}");
        said
    }

    fn logs(&self) -> String {
        let log = |node: u64| {
            std::fs::read_to_string(self.dir().join(format!("node-{node}.log"))).unwrap_or_default()
        };
        (1..=3).map(log).collect()
    }

    fn state(&self) -> Value {
        let text = std::fs::read_to_string(self.dir().join("cluster.json")).expect("a state");
        serde_json::from_str(&text).expect("JSON")
    }

    fn url(&self, node: usize, path: &str) -> String {
        let http = self.state()["nodes"][node - 1]["http"].as_str().expect("text").to_string();
        format!("http://{http}{path}")
    }

    async fn push(&self, node: usize, n: i64) -> bool {
        let values = [[(T + n).to_string(), format!("line {n}")]];
        let body = json!({"streams": [{"stream": {"app": "web"}, "values": values}]});
        let request = self.client.post(self.url(node, "/loki/api/v1/push"));
        let request = request.header("Content-Type", "application/json").body(body.to_string());
        request.send().await.is_ok_and(|answer| answer.status() == 204)
    }

    /// Lines that a node counts; `None` if it does not answer.
    async fn count(&self, node: usize) -> Option<u64> {
        let query = r#"sum(count_over_time({app="web"}[1h]))"#;
        let request = self.client.get(self.url(node, "/loki/api/v1/query"));
        let time = (T + 1_000_000_000).to_string();
        let answer = request.query(&[("query", query), ("time", &time)]).send().await.ok()?;
        let answer: Value = serde_json::from_str(&answer.text().await.ok()?).ok()?;
        let series = answer["data"]["result"].as_array()?;
        let Some(one) = series.first() else { return Some(0) };
        one["value"][1].as_str()?.parse().ok()
    }

    async fn push_until_taken(&self, node: usize, n: i64) {
        let start = Instant::now();
        while !self.push(node, n).await {
            assert!(start.elapsed() < PATIENCE, "node {node} takes no push\n{}", self.logs());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn count_until(&self, node: usize, expected: u64) {
        let start = Instant::now();
        loop {
            let counted = self.count(node).await;
            if counted == Some(expected) {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "node {node} counts {counted:?}\n{}", self.logs());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.run(&["down"]);
    }
}

fn is_alive(pid: u64) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_started_broken_and_mended_with_one_word_each() {
    let dev = Dev::new().await;
    for words in [&["kill", "1"][..], &["down"], &["status"], &["logs", "1"]] {
        assert!(dev.refused(words).contains("start one: drave dev cluster up"), "{words:?}");
    }
    let said = dev.done(&["up"]);
    assert!(said.contains("Three nodes are one cluster"), "{said}");
    assert!(dev.refused(&["up"]).contains("is up already"));
    for node in 1..=3 {
        dev.push_until_taken(node, i64::try_from(node).expect("small")).await;
    }
    dev.count_until(2, 3).await;

    let said = dev.done(&["kill", "1"]);
    assert!(said.contains("killed node 1"), "{said}");
    assert!(dev.refused(&["kill", "1"]).contains("does not run"));
    assert!(dev.refused(&["kill", "9"]).contains("no node 9"));
    dev.push_until_taken(2, 4).await;
    assert!(dev.done(&["status"]).contains("killed"));
    dev.done(&["start", "1"]);
    assert!(dev.refused(&["start", "1"]).contains("runs already"));
    dev.count_until(1, 4).await;

    assert!(dev.refused(&["partition", "1,2"]).contains("node 3 is in no group"));
    dev.done(&["partition", "1,2/3"]);
    dev.push_until_taken(1, 5).await;
    assert_eq!(dev.count(3).await, None, "a node that is alone does not answer what may be old");
    assert!(!dev.push(3, 6).await, "and takes nothing");
    dev.done(&["heal"]);
    dev.push_until_taken(3, 6).await;
    dev.count_until(1, 6).await;

    let pids: Vec<u64> = (0..3).filter_map(|n| dev.state()["nodes"][n]["pid"].as_u64()).collect();
    assert!(pids.len() == 3 && pids.iter().all(|pid| is_alive(*pid)));
    let said = dev.done(&["down"]);
    assert!(said.contains("all nodes stopped"), "{said}");
    assert!(!pids.iter().any(|pid| is_alive(*pid)), "no process is left");
    assert!(dev.done(&["status"]).contains("down"));

    dev.done(&["up"]);
    dev.count_until(3, 6).await;
    assert!(dev.done(&["logs", "3", "-n", "1"]).lines().count() == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_whose_supervisor_was_killed_are_found_again() {
    let dev = Dev::new().await;
    dev.done(&["up"]);
    dev.push_until_taken(1, 1).await;
    let supervisor = dev.state()["supervisor"].as_i64().and_then(|pid| i32::try_from(pid).ok());
    let supervisor = supervisor.and_then(Pid::from_raw).expect("the number of a process");
    kill_process(supervisor, Signal::KILL).expect("it runs");
    assert!(dev.done(&["down"]).contains("stopped 3 nodes"));
    dev.done(&["up"]);
    dev.count_until(2, 1).await;
}
