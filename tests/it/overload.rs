//! More than there is room for: refused in time with words that say why, reads go on, nothing that
//! was acknowledged is lost, and all goes on by itself once there is room.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::cluster::status;
use super::faults::{SmallDisk, noise};
use super::node::{Answer, Node};

const T: i64 = 1_700_000_000_000_000_000;
const PATIENCE: Duration = Duration::from_secs(60);

fn written(directory: &tempfile::TempDir, config: &Value) -> PathBuf {
    let file = directory.path().join("drave.yaml");
    std::fs::write(&file, config.to_string()).expect("a file");
    file
}

/// One push of 40 lines that do not compress.
async fn push_noise(node: &Node, round: i64) -> Answer {
    let lines = noise(round);
    let start = T + round * 1_000_000;
    let entries: Vec<(i64, &str)> = (start..).zip(lines.iter().map(String::as_str)).collect();
    node.push(&json!({"app": "noise"}), &entries).await
}

/// Pushes until one is refused: how many were not, and the refusal.
async fn push_until_refused(node: &Node, first: i64) -> (i64, Answer) {
    for round in first..2000 {
        let answer = push_noise(node, round).await;
        if answer.status != 204 {
            return (round, answer);
        }
    }
    panic!("nothing was refused");
}

async fn push_until_taken(node: &Node, round: i64) {
    let start = Instant::now();
    loop {
        let answer = push_noise(node, round).await;
        if answer.status == 204 {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{}", answer.text);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn check_all_there(node: &Node, rounds: i64) {
    let lines = node.number(r#"sum(count_over_time({app="noise"}[100d]))"#).await;
    assert_eq!(lines as i64, rounds * 40);
}

#[tokio::test]
async fn pushes_are_refused_before_the_disk_is_full() {
    let Some(disk) = SmallDisk::mount(64, "a disk that fills up") else { return };
    // Somebody else's: it goes away later.
    let ballast = disk.path().join("ballast");
    std::fs::write(&ballast, vec![7; 24 << 20]).expect("there is room");
    let directory = tempfile::tempdir().expect("a directory");
    let config = written(&directory, &json!({"storage": {"disk": {"high": 0.6, "low": 0.5}}}));
    let mut node = Node::on(&disk.data(), Some(&config)).await;
    let (rounds, refused) = push_until_refused(&node, 0).await;
    assert_eq!(refused.status, 503, "{}", refused.text);
    assert_eq!(refused.headers["retry-after"], "1");
    let data = disk.data().display().to_string();
    for part in [&data, "storage.disk.high is 60.0 %", "node 1 takes no entries"] {
        assert!(refused.text.contains(part), "{part}: {}", refused.text);
    }
    node.says("entries are refused from now on").await;
    assert_eq!(node.get("/ready", &[]).await.status, 200, "the node itself is well");
    check_all_there(&node, rounds).await;
    let seen = status(&node).await["nodes"][0]["room"].clone();
    assert!(seen["refused"].as_str().expect("text").contains("storage.disk.high"), "{seen}");
    let metrics = node.get("/metrics", &[]).await.text;
    assert!(metrics.contains("drave_node_refuses_entries 1.0"), "{metrics}");
    // It is not the process that remembers it.
    node.kill_and_restart().await;
    let start = Instant::now();
    while push_noise(&node, 5000).await.status == 204 {
        assert!(start.elapsed() < PATIENCE, "the disk is as full as it was");
    }
    let rounds = node.number(r#"sum(count_over_time({app="noise"}[100d]))"#).await as i64 / 40;

    std::fs::remove_file(&ballast).expect("removes");
    push_until_taken(&node, 6000).await;
    check_all_there(&node, rounds + 1).await;
}

#[tokio::test]
async fn object_storage_that_takes_nothing_stops_pushes_at_the_cap_and_loses_nothing() {
    let Some(objects) = SmallDisk::mount(64, "object storage that fails") else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let config = json!({
        "storage": {"bucket": format!("file://{}", objects.data().display()), "wal_max": "2MB"},
        "seal": {"raw_bytes": "256KB"},
        "shard": {"count": 1},
    });
    let config = written(&directory, &config);
    let mut node = Node::on(&directory.path().join("data"), Some(&config)).await;
    push_until_taken(&node, 0).await;
    assert_eq!(node.post("/flush", "text/plain", "").await.status, 204);
    objects.change("ro");
    let (rounds, refused) = push_until_refused(&node, 1).await;
    assert_eq!(refused.status, 503, "{}", refused.text);
    assert!(refused.text.contains("storage.wal_max is 2097152"), "{}", refused.text);
    assert!(rounds > 5, "the cap is not reached at once: {rounds}");
    check_all_there(&node, rounds).await;
    // Heads are sealed all the same, or all of it would have to be decoded at once one day.
    let start = Instant::now();
    while node.metric("drave_shard_seals_total").await < 4 {
        assert!(start.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let start = Instant::now();
    // Why is said as soon as somebody tried.
    while !push_noise(&node, 5000).await.text.contains("Read-only file system") {
        assert!(start.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    objects.change("rw");
    push_until_taken(&node, rounds).await;
    check_all_there(&node, rounds + 1).await;
    node.kill_and_restart().await;
    check_all_there(&node, rounds + 1).await;
}

/// Memory was drawn for what a push said that it would be, before any of it was there.
#[tokio::test]
async fn long_pushes_that_do_not_come_leave_room_for_others() {
    let node = Node::with_config("memory: {pushes: 8MB}\n").await;
    let mut slow = Vec::new();
    for _ in 0..4 {
        let mut stream = tokio::net::TcpStream::connect(node.http()).await.expect("connects");
        let head = "POST /loki/api/v1/push HTTP/1.1\r\nHost: x\r\n\
                    Content-Type: application/json\r\nContent-Length: 4000000\r\n\r\n{";
        stream.write_all(head.as_bytes()).await.expect("writes");
        slow.push(stream);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let answer = node.push(&json!({"app": "web"}), &[(T, "a line")]).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
}

#[tokio::test]
async fn a_tenant_with_too_much_under_way_is_told_so_and_others_are_not() {
    let config = "auth_enabled: true\nmemory:\n  pushes: 64MB\n  pushes_per_tenant: 1MB\n";
    let node = Node::with_config(config).await;
    // A push that says that it is long, and does not come.
    let mut slow = tokio::net::TcpStream::connect(node.http()).await.expect("connects");
    let head = "POST /loki/api/v1/push HTTP/1.1\r\nHost: x\r\nX-Scope-OrgID: noisy\r\n\
                Content-Type: application/json\r\nContent-Length: 500000\r\n\r\n{";
    slow.write_all(head.as_bytes()).await.expect("writes");
    let push = async |tenant: &str| {
        let body = json!({"streams": [{
            "stream": {"app": "web"},
            "values": [[T.to_string(), "a line"]],
        }]});
        let client = reqwest::Client::new();
        let request = client.post(node.url("/loki/api/v1/push")).header("X-Scope-OrgID", tenant);
        let request = request.header("Content-Type", "application/json").body(body.to_string());
        let answer = request.send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("a body"))
    };
    let start = Instant::now();
    let text = loop {
        let (status, text) = push("noisy").await;
        if status == 429 {
            break text;
        }
        assert_eq!(status, 204, "{text}");
        assert!(start.elapsed() < PATIENCE, "the slow one is there");
    };
    assert!(text.contains("for user noisy (limit: 1048576 bytes)"), "{text}");
    assert_eq!(push("quiet").await.0, 204);
    drop(slow);
    let start = Instant::now();
    while push("noisy").await.0 != 204 {
        assert!(start.elapsed() < PATIENCE, "what was held came back");
    }
}

#[tokio::test]
async fn a_tenant_that_pushes_too_fast_gets_lokis_429() {
    let config = "limits_config:\n  ingestion_rate_mb: 0.1\n  ingestion_burst_size_mb: 0.1\n";
    let node = Node::with_config(config).await;
    let (_, refused) = push_until_refused(&node, 0).await;
    assert_eq!(refused.status, 429, "{}", refused.text);
    let text = "ingestion rate limit exceeded for user fake (limit: 104858 bytes/sec) while \
                attempting to ingest '40' lines totaling";
    assert!(refused.text.contains(text), "{}", refused.text);
}

/// A cursor that nobody fetched from kept the memory of its scan, and nobody else read anything.
#[tokio::test]
async fn a_cursor_that_rests_does_not_keep_others_from_reading() {
    let node = Node::with_config("memory: {queries: 16MB}\n").await;
    let line = "x".repeat(4000);
    for n in 0..48_i64 {
        let entries: Vec<(i64, &str)> = (T..T + 500).map(|at| (at, line.as_str())).collect();
        let answer = node.push(&json!({"app": n.to_string()}), &entries).await;
        assert_eq!(answer.status, 204, "{}", answer.text);
    }
    let client = node.sql().await;
    let declare = "begin; declare c cursor for select line from logs; fetch 1 from c";
    client.batch_execute(declare).await.expect("a row");
    let lines = r#"sum(count_over_time({app=~".+"} |= "xxx" [100d]))"#;
    assert_eq!(node.number(lines).await, 24_000.0);
    let error = client.batch_execute("fetch all from c").await.expect_err("it gave its memory");
    let error = error.as_db_error().expect("from the server");
    assert!(error.message().contains("raise memory.queries"), "{error}");
}

/// One join took every thread of SQL, and nobody else's statement began before it was done.
#[tokio::test]
async fn a_join_of_everything_with_everything_leaves_others_their_turn() {
    let node = Node::start().await;
    let busy = node.sql().await;
    let join = "select count(*) from generate_series(1, 60000) a(x), \
                generate_series(1, 60000) b(y) where a.x < b.y";
    let long = tokio::spawn(async move { busy.batch_execute(join).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let others = async {
        let client = node.sql().await;
        client.query_one("select 1", &[]).await.expect("a row")
    };
    tokio::time::timeout(PATIENCE / 3, others).await.expect("it has its turn");
    assert!(!long.is_finished(), "the join takes longer than that, or this shows nothing");
}
