//! Disks that fill up, that may not be written or that hold another format, and a stop under load:
//! nothing acknowledged is lost, and each refusal to start is one line that says what to do.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use drave_raft::FORMAT_VERSION;
use serde_json::json;

use crate::node::Node;
use crate::restart::{PORTS, refused};

const T: i64 = 1_700_000_000_000_000_000;

/// A file system in memory with a size of its own, unmounted at the end of the test.
pub(crate) struct SmallDisk {
    directory: tempfile::TempDir,
}

impl SmallDisk {
    /// `None` after saying what is skipped, where this user may not mount.
    pub(crate) fn mount(megabytes: u32, test: &str) -> Option<SmallDisk> {
        let directory = tempfile::tempdir().expect("a directory");
        let disk = SmallDisk { directory };
        if mount(&["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"], disk.path()) {
            return Some(disk);
        }
        eprintln!("SKIPPED: {test}: mounting a small disk needs root");
        None
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    pub(crate) fn change(&self, options: &str) {
        assert!(mount(&["-o", &format!("remount,{options}")], self.path()), "{options}");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the server that lives on it may be dropped after it.
        let _ = Command::new("umount").arg("-l").arg(self.path()).output();
    }
}

fn mount(args: &[&str], at: &Path) -> bool {
    let output = Command::new("mount").args(args).arg(at).output();
    output.is_ok_and(|output| output.status.success())
}

fn start_refused(data: &Path) -> String {
    let data = data.to_str().expect("UTF-8");
    let said = refused(&[&["serve", "--data", data], &PORTS[..]].concat());
    assert_eq!(said.matches(data).count(), 1, "the reason is said once: {said}");
    said
}

/// Lines that do not compress, so that a small disk is soon full.
pub(crate) fn noise(round: i64) -> Vec<String> {
    let mut state = round.unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut word = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        format!("{state:016x}")
    };
    (0..40)
        .map(|n| format!("{round} {n} {}", (0..100).map(|_| word()).collect::<String>()))
        .collect()
}

#[tokio::test]
async fn a_full_disk_is_a_503_and_loses_nothing_acknowledged() {
    let Some(disk) = SmallDisk::mount(12, "a full disk") else { return };
    // The marks that keep this from happening are off.
    let directory = tempfile::tempdir().expect("a directory");
    let config = directory.path().join("drave.yaml");
    std::fs::write(&config, "storage: {disk: {high: 1, low: 1}}").expect("a file");
    let mut node = Node::on(&disk.data(), Some(&config)).await;
    let labels = json!({"app": "web"});
    let mut acknowledged = 0;
    let status = loop {
        let lines = noise(acknowledged);
        let start = T + acknowledged * 1_000_000;
        let entries: Vec<(i64, &str)> = (start..).zip(lines.iter().map(String::as_str)).collect();
        let answer = node.push(&labels, &entries).await;
        if answer.status != 204 {
            assert!(answer.text.contains("free some space"), "{}", answer.text);
            break answer.status;
        }
        acknowledged += 1;
        assert!(acknowledged < 1000, "the disk does not fill up");
    };
    assert_eq!(status, 503);
    assert_eq!(node.push(&labels, &[(T, "one more")]).await.status, 503, "no ack from now on");
    assert_eq!(node.get("/metrics", &[]).await.status, 200, "it still answers");
    let ready = node.get("/ready", &[]).await;
    assert!(ready.status == 503 && ready.text.contains("free some space"), "{}", ready.text);
    node.terminate();
    let said = start_refused(&disk.data());
    assert!(said.contains("free some space") && said.contains("No space left"), "{said}");

    disk.change("size=64m");
    node.restart().await;
    // The push that was refused may be there too: it was answered that nobody knows.
    let sql = "select split_part(line, ' ', 1), count(*) from logs group by 1";
    let rows = node.sql().await.query(sql, &[]).await.expect("rows");
    let found: HashMap<String, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    for push in 0..acknowledged {
        assert_eq!(found.get(&push.to_string()), Some(&40), "push {push} of {acknowledged}");
    }
    assert_eq!(node.push(&labels, &[(T, "one more")]).await.status, 204);
}

#[tokio::test]
async fn a_directory_that_may_not_be_written_is_refused() {
    let Some(disk) = SmallDisk::mount(16, "a read-only directory") else { return };
    let mut node = Node::on(&disk.data(), None).await;
    assert_eq!(node.push(&json!({"app": "web"}), &[(T, "a")]).await.status, 204);
    node.terminate();
    disk.change("ro");
    let said = start_refused(&disk.data());
    assert!(said.contains("Read-only file system"), "{said}");
    assert!(said.contains(disk.path().to_str().expect("UTF-8")), "{said}");
    assert!(said.contains("choose another data directory"), "{said}");
    disk.change("rw");
    node.restart().await;
    assert_eq!(node.lines(r#"{app="web"}"#).await, ["a"]);
}

#[tokio::test]
async fn a_directory_of_another_format_is_refused() {
    let mut node = Node::start().await;
    node.terminate();
    let other = r#""format_version":9"#.to_owned();
    for name in ["log.redb", "state.redb"] {
        let path = node.data().join(name);
        let mut file = std::fs::read(&path).expect("a file");
        // The row that says whose directory it is: its checksum, then JSON.
        let json = br#"{"cluster_id":"#;
        let start = file.windows(json.len()).position(|bytes| bytes == json).expect("an identity");
        let length = file[start..].iter().position(|byte| *byte == b'}').expect("its end") + 1;
        let row = String::from_utf8_lossy(&file[start..start + length]);
        let row = row.replace(&format!(r#""format_version":{FORMAT_VERSION}"#), &other);
        assert!(row.contains(&other), "{row}");
        file[start..start + length].copy_from_slice(row.as_bytes());
        let checksum = crc32c::crc32c(format!("identity{row}").as_bytes());
        file[start - 4..start].copy_from_slice(&checksum.to_le_bytes());
        std::fs::write(&path, file).expect("a file");
    }
    let said = start_refused(node.data());
    let versions = format!("has format version 9 and this program reads version {FORMAT_VERSION}");
    assert!(said.contains(&versions), "{said}");
    assert!(said.contains("run the version that wrote it"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_under_load_loses_nothing_acknowledged() {
    let mut node = Node::start().await;
    let stopping = Arc::new(AtomicBool::new(false));
    let url = node.url("/loki/api/v1/push");
    let pushers: Vec<_> = (0..4_i64)
        .map(|pusher| {
            let (url, stopping) = (url.clone(), Arc::clone(&stopping));
            tokio::spawn(async move {
                let client = reqwest::Client::new();
                let mut acknowledged = Vec::new();
                for n in 0.. {
                    let line = format!("pusher {pusher} line {n}");
                    let values = [[(T + n * 4 + pusher).to_string(), line.clone()]];
                    let stream = json!({"stream": {"app": "web"}, "values": values});
                    let body = json!({"streams": [stream]}).to_string();
                    let request = client.post(&url).header("Content-Type", "application/json");
                    match request.body(body).send().await {
                        Ok(answer) if answer.status() == 204 => acknowledged.push(line),
                        // A connection that is closed, or a 503.
                        _ if stopping.load(Ordering::Relaxed) => return acknowledged,
                        other => panic!("before the stop: {other:?}"),
                    }
                }
                acknowledged
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    stopping.store(true, Ordering::Relaxed);
    let (status, took) = tokio::task::block_in_place(|| node.terminate());
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    let mut acknowledged = Vec::new();
    for pusher in pushers {
        acknowledged.extend(pusher.await.expect("no panic"));
    }
    assert!(!acknowledged.is_empty());
    node.restart().await;
    let found = node.lines(r#"{app="web"}"#).await;
    assert!(found.len() < 5000, "more than a query may answer");
    for line in acknowledged {
        assert!(found.contains(&line), "lost: {line}");
    }
}
