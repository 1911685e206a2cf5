//! Tails: what is there, then what comes, each once, or announced as dropped.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::node::Node;

const T: i64 = 1_700_000_000_000_000_000;

/// A WebSocket client that can do just what these tests need.
pub(crate) struct Client {
    socket: TcpStream,
    buffer: Vec<u8>,
    /// Whether a frame said that some of its entries may have been given before.
    may_repeat: bool,
}

/// What a server sends.
#[derive(Debug)]
pub(crate) enum Frame {
    Text(Value),
    Close(u16, String),
}

/// The status line's number where it is not 101.
pub(crate) async fn connect(
    node: &Node,
    params: &[(&str, &str)],
    headers: &str,
) -> Result<Client, u16> {
    let url = reqwest::Url::parse_with_params(&node.url("/loki/api/v1/tail"), params);
    let url = url.expect("a good URL");
    let mut socket = TcpStream::connect(node.http()).await.expect("connects");
    let request = format!(
        "GET {}?{} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n",
        url.path(),
        url.query().unwrap_or("")
    );
    socket.write_all(request.as_bytes()).await.expect("sends");
    let mut client = Client { socket, buffer: Vec::new(), may_repeat: false };
    let end = loop {
        if let Some(at) = client.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        assert!(client.receive().await, "the server closed: {:?}", client.buffer);
    };
    let head = String::from_utf8(client.buffer.drain(..end).collect()).expect("text");
    let status: u16 = head.split(' ').nth(1).expect("a status").parse().expect("a number");
    if status == 101 { Ok(client) } else { Err(status) }
}

impl Client {
    async fn receive(&mut self) -> bool {
        // On the heap: a future of a test must not fill its thread's stack.
        let mut bytes = vec![0; 65536];
        let n = self.socket.read(&mut bytes).await.unwrap_or(0);
        self.buffer.extend_from_slice(&bytes[..n]);
        n > 0
    }

    /// The next frame that says something; `None` where none comes in time.
    pub(crate) async fn next(&mut self, wait: Duration) -> Option<Frame> {
        let next = async {
            loop {
                if let Some(frame) = self.frame() {
                    return Some(frame);
                }
                if !self.receive().await {
                    return None;
                }
            }
        };
        tokio::time::timeout(wait, next).await.ok().flatten()
    }

    fn frame(&mut self) -> Option<Frame> {
        loop {
            let (kind, short) = (*self.buffer.first()? & 15, *self.buffer.get(1)?);
            let (start, length) = match short {
                126 => (4, u64::from(u16::from_be_bytes(self.buffer.get(2..4)?.try_into().ok()?))),
                127 => (10, u64::from_be_bytes(self.buffer.get(2..10)?.try_into().ok()?)),
                short => (2, u64::from(short)),
            };
            let end = start + usize::try_from(length).expect("a short frame");
            let payload = self.buffer.get(start..end)?.to_vec();
            self.buffer.drain(..end);
            match kind {
                1 => return Some(Frame::Text(serde_json::from_slice(&payload).expect("JSON"))),
                8 => {
                    let code = u16::from_be_bytes([payload[0], payload[1]]);
                    return Some(Frame::Close(code, String::from_utf8_lossy(&payload[2..]).into()));
                }
                _ => {}
            }
        }
    }

    /// Lines until `n` of them came, and the last token.
    async fn lines(&mut self, n: usize) -> (Vec<String>, String) {
        let (mut lines, mut token) = (Vec::new(), String::new());
        while lines.len() < n {
            match self.next(Duration::from_secs(10)).await {
                Some(Frame::Text(frame)) => {
                    assert_eq!(frame.get("dropped_entries"), None);
                    lines.extend(lines_of(&frame));
                    self.may_repeat |= frame.get("may_repeat").is_some();
                    token = frame["resume"].as_str().unwrap_or("").into();
                }
                other => panic!("after {lines:?}: {other:?}"),
            }
        }
        (lines, token)
    }
}

fn lines_of(frame: &Value) -> Vec<String> {
    let streams = frame["streams"].as_array().expect("streams").iter();
    let values = streams.flat_map(|stream| stream["values"].as_array().expect("values"));
    values.map(|value| value[1].as_str().expect("text").to_string()).collect()
}

const START: (&str, &str) = ("start", "1699990000");

#[tokio::test]
async fn what_is_there_then_what_comes_each_once() {
    let node = Node::start().await;
    let web = json!({"app": "web"});
    node.push(&web, &[(T, "a"), (T + 1, "b")]).await;
    node.push(&json!({"app": "api"}), &[(T, "other")]).await;
    let query = ("query", r#"{app="web"} != "no""#);
    let params = [START, query, ("limit", "1")];
    let mut client = connect(&node, &params, "").await.expect("an upgrade");
    assert_eq!(client.lines(1).await.0, ["b"], "the newest of what was there");
    // Commits, not times, say what comes next; a push that is sent again adds nothing.
    for _ in 0..2 {
        node.push(&web, &[(T + 9, "d"), (T + 3, "c"), (T + 4, "no")]).await;
        node.push(&json!({"app": "api"}), &[(T + 1, "other")]).await;
    }
    node.push(&web, &[(T + 5, "e")]).await;
    let (lines, token) = client.lines(3).await;
    assert_eq!(lines, ["d", "c", "e"]);
    assert!(client.next(Duration::from_millis(300)).await.is_none());
    drop(client);

    // Another connection goes on from the token.
    node.push(&web, &[(T + 6, "f")]).await;
    let params = [query, ("resume", token.as_str())];
    let mut client = connect(&node, &params, "").await.expect("an upgrade");
    assert_eq!(client.lines(1).await.0, ["f"]);
    node.push(&web, &[(T + 7, "g")]).await;
    assert_eq!(client.lines(1).await.0, ["g"]);
    assert!(!client.may_repeat);
    // A chunk is given whole: nothing is missed, some of it comes again, and that is said.
    node.post("/flush", "text/plain", "").await;
    let mut client = connect(&node, &params, "").await.expect("an upgrade");
    assert_eq!(client.lines(7).await.0, ["a", "b", "c", "e", "f", "g", "d"], "by time");
    assert!(std::mem::take(&mut client.may_repeat));
    node.push(&web, &[(T + 8, "h")]).await;
    let (lines, token) = client.lines(1).await;
    assert_eq!(lines, ["h"]);
    assert!(!client.may_repeat);
    // What was flushed before the token was given does not come again.
    let params = [query, ("resume", token.as_str())];
    let mut client = connect(&node, &params, "").await.expect("an upgrade");
    node.push(&web, &[(T + 9, "i")]).await;
    assert_eq!(client.lines(1).await.0, ["i"]);
    assert!(!client.may_repeat);
}

#[tokio::test]
async fn labels_as_the_client_asks_for_them() {
    let node = Node::start().await;
    let body = json!({"streams": [{"stream": {"app": "web"}, "values": [
        [T.to_string(), "k=v", {"trace": "t"}]
    ]}]});
    node.post("/loki/api/v1/push", "application/json", body.to_string()).await;
    let check = async |query: &str, headers: &str, stream: Value, extra: Option<Value>| {
        let params = [START, ("query", query)];
        let mut client = connect(&node, &params, headers).await.expect("an upgrade");
        let Some(Frame::Text(frame)) = client.next(Duration::from_secs(10)).await else {
            panic!("no frame");
        };
        assert_eq!(frame["streams"][0]["stream"], stream, "{frame}");
        assert_eq!(frame["streams"][0]["values"][0].get(2), extra.as_ref());
    };
    let own = json!({"app": "web", "service_name": "web"});
    check(r#"{app="web"}"#, "", own.clone(), None).await;
    let mut merged = own.clone();
    merged["trace"] = "t".into();
    merged["k"] = "v".into();
    merged["detected_level"] = "unknown".into();
    check(r#"{app="web"} | logfmt"#, "", merged, None).await;
    let flag = "X-Loki-Response-Encoding-Flags: categorize-labels\r\n";
    let metadata = json!({"trace": "t", "detected_level": "unknown"});
    let extra = json!({"structuredMetadata": metadata, "parsed": {"k": "v"}});
    check(r#"{app="web"} | logfmt"#, flag, own, Some(extra)).await;
}

#[tokio::test]
async fn a_slow_client_is_told_what_it_missed() {
    let node = Node::start().await;
    let params = [START, ("query", r#"{app="web"}"#)];
    let mut client = connect(&node, &params, "").await.expect("an upgrade");
    let n_pushes = 40;
    let per_push = 5;
    for push in 0..n_pushes {
        let lines: Vec<String> =
            (0..per_push).map(|i| format!("{push}-{i} {}", "x".repeat(200_000))).collect();
        let entries: Vec<(i64, &str)> =
            lines.iter().map(|line| (T + push, line.as_str())).collect();
        assert_eq!(node.push(&json!({"app": "web"}), &entries).await.status, 204);
    }
    let (mut got, mut dropped, mut named) = (BTreeSet::new(), 0, 0);
    while got.len() + dropped < (n_pushes * per_push) as usize {
        let Some(Frame::Text(frame)) = client.next(Duration::from_secs(20)).await else {
            panic!("{} came, {dropped} were dropped", got.len());
        };
        for line in lines_of(&frame) {
            let name = line.split(' ').next().expect("a name").to_string();
            assert!(got.insert(name), "an entry came twice");
        }
        dropped += frame["dropped_total"].as_u64().unwrap_or(0) as usize;
        named += frame["dropped_entries"].as_array().map_or(0, Vec::len);
    }
    assert!(dropped > 0, "40 MB do not fit any buffer");
    assert_eq!(named, dropped);
    // It goes on as if nothing had been.
    node.push(&json!({"app": "web"}), &[(T + 1000, "next")]).await;
    assert_eq!(client.lines(1).await.0, ["next"]);
}

#[tokio::test]
async fn refusals_and_limits() {
    let node = Node::with_config("limits_config:\n  max_concurrent_tail_requests: 2\n").await;
    let query = ("query", r#"{app="web"}"#);
    let check = async |params: &[(&str, &str)], status: u16| {
        let refused = connect(&node, params, "").await.err();
        assert_eq!(refused, Some(status), "{params:?}");
    };
    check(&[], 400).await;
    check(&[("query", r#"rate({app="web"}[1m])"#)], 400).await;
    check(&[query, ("delay_for", "6")], 400).await;
    check(&[query, ("limit", "-5")], 400).await;
    check(&[query, ("resume", "0:99999")], 400).await;
    check(&[query, ("resume", "x")], 400).await;
    let plain = node.get("/loki/api/v1/tail", &[query]).await;
    assert!(matches!(plain.status, 400 | 426), "{plain:?}");

    let first = connect(&node, &[query], "").await.expect("an upgrade");
    let mut second = connect(&node, &[query], "").await.expect("an upgrade");
    check(&[query], 400).await;
    drop(first);
    let mut again = None;
    for _ in 0..100 {
        again = connect(&node, &[query], "").await.ok();
        if again.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(again.is_some(), "a tail that ended makes room");

    // A frame that is not masked, as no client may send it.
    second.socket.write_all(b"\x81\x05hello").await.expect("sends");
    let closed = second.next(Duration::from_secs(10)).await;
    assert!(matches!(closed, Some(Frame::Close(1002, _)) | None), "{closed:?}");
}

#[tokio::test]
async fn tails_end_with_the_server() {
    let mut node = Node::start().await;
    let params = [("query", r#"{app="web"}"#)];
    let mut client = connect(&node, &params, "").await.expect("an upgrade");
    let (status, took) = node.terminate();
    assert!(status.success() && took < Duration::from_secs(5), "{status} {took:?}");
    let closed = client.next(Duration::from_secs(5)).await;
    assert!(
        matches!(&closed, Some(Frame::Close(1011, reason)) if reason == "the server is stopping"),
        "{closed:?}"
    );
}
