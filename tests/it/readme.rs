//! Every example of the README runs as it stands there, against a server of the test's own.

use std::path::Path;
use std::process::Command;

use crate::node::Node;

/// Commands that build or test the project itself, or that never end.
const NOT_EXAMPLES: [&str; 2] = ["cargo run --release", "tests/run"];

fn examples() -> Vec<String> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(readme).expect("a README");
    let blocks = text.split("```sh\n").skip(1);
    let blocks = blocks.map(|rest| rest.split("```").next().unwrap_or_default().to_string());
    blocks.filter(|block| !NOT_EXAMPLES.contains(&block.trim())).collect()
}

#[tokio::test]
async fn every_example_runs() {
    let node = Node::start().await;
    let directory = tempfile::tempdir().expect("a directory");
    let log = directory.path().join("syslog");
    let lines: Vec<String> = (0..20)
        .map(|n| format!("2023-11-14T22:13:{n:02}Z host app[1]: level=error number {n}\n"))
        .collect();
    std::fs::write(&log, lines.concat()).expect("a file");
    let programs = Path::new(env!("CARGO_BIN_EXE_drave")).parent().expect("a folder");
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    let (_, pg_port) = node.pg().split_once(':').expect("host and port");
    let examples = examples();
    assert!(examples.len() >= 4, "{examples:?}");
    for example in examples {
        let script = example
            .replace("/var/log/syslog", log.to_str().expect("UTF-8"))
            .replace("127.0.0.1:3100", node.http())
            .replace("-p 5433", &format!("-p {pg_port}"));
        let mut bash = Command::new("bash");
        bash.args(["-euo", "pipefail", "-c", &script]).env("PATH", &path);
        // Some examples keep what they make in the current directory.
        bash.current_dir(directory.path());
        bash.env("DRAVE_SERVER", node.url("")).env("DRAVE_PG", node.pg());
        let output = tokio::task::spawn_blocking(move || bash.output().expect("bash runs"));
        let output = output.await.expect("no panic");
        let said = String::from_utf8_lossy(&output.stderr);
        if said.contains("command not found") {
            eprintln!("SKIPPED: an example of the README: {}", said.trim());
            continue;
        }
        assert!(output.status.success(), "{script}\n{said}");
    }
    let count = node.sql().await.query_one("select count(*) from logs", &[]).await.expect("a row");
    assert_eq!(count.get::<_, i64>(0), 21, "20 lines of the file, one by curl");
}
