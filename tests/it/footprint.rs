//! What SQL clients cost in memory: many that do nothing, and one that reads a million rows slowly.
//!
//! The figures are printed; the bounds are those of the project's targets.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::node::Node;

const IDLE: usize = 200;
const IDLE_BYTES_MAX: u64 = 100 << 20;
const ROWS: usize = 1_000_000;
/// What the rows take on the wire is several times this.
const STREAM_BYTES_MAX: u64 = 32 << 20;

/// What a process holds in memory.
fn resident(node: &Node) -> u64 {
    let path = format!("/proc/{}/status", node.pid());
    let status = std::fs::read_to_string(path).expect("a process");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a size");
    let kib = line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok());
    kib.expect("a number") << 10
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[tag][..], &(body.len() as u32 + 4).to_be_bytes(), body].concat()
}

/// A connection that has said hello.
async fn connect(node: &Node) -> TcpStream {
    let mut socket = TcpStream::connect(node.pg()).await.expect("connects");
    let body = b"\0\x03\0\0user\0drave\0\0";
    let hello = [&(body.len() as u32 + 4).to_be_bytes()[..], body].concat();
    socket.write_all(&hello).await.expect("takes it");
    let mut reply = Vec::new();
    while !reply.ends_with(b"Z\0\0\0\x05I") {
        assert!(socket.read_buf(&mut reply).await.expect("an answer") > 0, "it was refused");
    }
    socket
}

#[tokio::test]
async fn idle_connections_are_cheap() {
    let node = Node::start().await;
    drop(connect(&node).await);
    let before = resident(&node);
    let mut idle = Vec::new();
    for _ in 0..IDLE {
        idle.push(connect(&node).await);
    }
    let grown = resident(&node).saturating_sub(before);
    println!("{IDLE} idle connections: {} KiB each", grown / 1024 / IDLE as u64);
    assert!(grown < IDLE_BYTES_MAX, "{IDLE} connections take {} MiB", grown >> 20);
    // They are connections: the last of them answers.
    let last = idle.last_mut().expect("some");
    last.write_all(&message(b'Q', b"select 1\0")).await.expect("takes it");
    assert_eq!(last.read_u8().await.expect("an answer"), b'T');
}

/// The extended protocol, which clients use that bind parameters, and a reader that is slower than
/// the server.
#[tokio::test]
async fn a_million_rows_flow_through() {
    let node = Node::start().await;
    let lines: Vec<String> = (0..1000).map(|n| format!("line {n} of a thousand lines")).collect();
    let entries: Vec<(i64, &str)> = (0..)
        .map(|n| 1_700_000_000_000_000_000 + n)
        .zip(lines.iter().map(String::as_str))
        .collect();
    assert_eq!(node.push(&json!({"app": "a"}), &entries).await.status, 204);
    let mut socket = connect(&node).await;
    let sql = format!(
        "\0select l.timestamp, l.line, n from logs l cross join generate_series(1, {}) t(n)\0\0\0",
        ROWS / lines.len()
    );
    let bind = message(b'B', b"\0\0\0\0\0\0\0\0");
    let parts =
        [message(b'P', sql.as_bytes()), bind, message(b'E', b"\0\0\0\0\0"), message(b'S', b"")];
    let began = Instant::now();
    socket.write_all(&parts.concat()).await.expect("takes it");

    let (mut pending, mut rows, mut bytes) = (Vec::with_capacity(1 << 17), 0usize, 0u64);
    let (mut first, mut early, mut most) = (None, 0, 0);
    'read: loop {
        let read = socket.read_buf(&mut pending).await.expect("rows");
        assert!(read > 0, "it broke off after {rows} rows");
        bytes += read as u64;
        let mut at = 0;
        while let Some([tag, a, b, c, d]) = pending[at..].first_chunk() {
            let end = at + 1 + u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            if end > pending.len() {
                break;
            }
            match tag {
                b'D' => rows += 1,
                b'Z' => break 'read,
                b'E' => panic!("{}", String::from_utf8_lossy(&pending[at..end])),
                _ => {}
            }
            at = end;
        }
        pending.drain(..at);
        if rows > 0 && first.is_none() {
            first = Some(began.elapsed());
            // The server may get ahead as far as it can.
            tokio::time::sleep(Duration::from_millis(500)).await;
            early = resident(&node);
        }
        if bytes % (1 << 20) < read as u64 {
            most = most.max(resident(&node));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    assert_eq!(rows, ROWS);
    let grown = most.saturating_sub(early);
    println!(
        "{ROWS} rows, {} MiB: first after {first:?}, all after {:?}, {} MiB more in between",
        bytes >> 20,
        began.elapsed(),
        grown >> 20
    );
    assert!(bytes > 2 * STREAM_BYTES_MAX, "the bound would say nothing of {bytes} bytes");
    assert!(grown < STREAM_BYTES_MAX, "{} MiB more for a slow reader", grown >> 20);
}
