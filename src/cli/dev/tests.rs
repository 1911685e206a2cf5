//! Links that are cut, partitions that are written, and what is shown; the whole is tested in
//! `tests/it` with real processes.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::layout::{Layout, Node, State, groups};
use super::link::Link;
use super::show::{last_lines, table};

/// A server that says back what it hears.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    address
}

async fn is_echoed(stream: &mut TcpStream) -> bool {
    let mut heard = [0; 5];
    let said = stream.write_all(b"hello").await.is_ok();
    said && stream.read_exact(&mut heard).await.is_ok() && heard == *b"hello"
}

#[tokio::test]
async fn a_cut_link_drops_its_connections_and_takes_none_until_it_is_mended() {
    let link = Link::open(1, 2, echo().await).await.expect("a link");
    let mut early = TcpStream::connect(link.address).await.expect("connects");
    assert!(is_echoed(&mut early).await);
    link.set_cut(true);
    assert_eq!(early.read(&mut [0; 1]).await.unwrap_or(0), 0, "it is dropped");
    if let Ok(mut late) = TcpStream::connect(link.address).await {
        assert!(!is_echoed(&mut late).await, "nothing passes");
    }
    link.set_cut(false);
    let mut healed = TcpStream::connect(link.address).await.expect("connects");
    assert!(is_echoed(&mut healed).await);
}

#[tokio::test]
async fn a_link_to_a_node_that_is_down_drops_what_comes_and_works_when_it_is_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let target = listener.local_addr().expect("an address");
    drop(listener);
    let link = Link::open(1, 2, target).await.expect("a link");
    let mut stream = TcpStream::connect(link.address).await.expect("connects");
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0, "it is dropped");
    let listener = TcpListener::bind(target).await.expect("the same port");
    let _kept = TcpStream::connect(link.address).await.expect("connects");
    listener.accept().await.expect("it arrives");
}

#[test]
fn partitions_name_each_node_once() {
    let check = |text: &str| groups(text).map_err(|error| error.to_string());
    assert_eq!(check("1,2/3"), Ok(vec![vec![1, 2], vec![3]]));
    assert_eq!(check("3/ 1 /2"), Ok(vec![vec![3], vec![1], vec![2]]));
    for (text, complaint) in [
        ("1/3", "node 2 is in no group"),
        ("1,2/2,3", "node 2 is there twice"),
        ("1,2,3", "one group is no partition"),
        ("1,2/4", "'4' is no node"),
        ("", "'' is no node"),
    ] {
        assert!(check(text).is_err_and(|said| said.contains(complaint)), "{text}: {complaint}");
    }
}

fn state(groups: Vec<Vec<u64>>) -> State {
    let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
    let nodes = [1_u16, 2, 3].map(|id| Node {
        id: id.into(),
        http: at(3100 + id),
        pg: at(5400 + id),
        peer: at(9000 + id),
        pid: Some(id.into()),
        ended: None,
    });
    State { supervisor: Some(7), formed: true, nodes: nodes.to_vec(), groups }
}

#[test]
fn links_are_cut_between_groups_only() {
    let cut = state(vec![vec![1, 2], vec![3]]);
    assert!(cut.is_cut(1, 3) && cut.is_cut(3, 2) && !cut.is_cut(1, 2));
    assert!(!state(Vec::new()).is_cut(1, 3));
}

#[test]
fn the_status_shows_what_is_broken_and_who_leads() {
    let mut broken = state(vec![vec![1, 2, 4], vec![3]]);
    let mut fourth = broken.nodes[0].clone();
    (fourth.id, fourth.pid) = (4, Some(4));
    broken.nodes.push(fourth);
    let killed = broken.node(2).expect("a node");
    (killed.pid, killed.ended) = (None, Some("killed".into()));
    let group = |leader: u64| serde_json::json!({ "leader": leader });
    let text = table(&broken, &[true, false, false, true], Some(&[group(1), group(1), group(3)]));
    let line = |n: usize| text.lines().nth(n + 1).expect("a line").to_string();
    assert!(line(1).contains("ready") && line(1).contains("2 groups"), "{text}");
    assert!(line(2).contains("killed") && line(3).contains("not ready"), "{text}");
    assert!(line(1).trim_end().ends_with(" 4") && line(4).trim_end().ends_with(" 1"), "{text}");
    assert!(line(2).trim_end().ends_with('|') && line(3).trim_end().ends_with('|'), "{text}");
}

#[test]
fn the_state_comes_back_and_nonsense_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let layout = Layout::at(directory.path()).expect("a short path");
    assert!(layout.read().expect("no file").is_none());
    let state = state(vec![vec![1], vec![2, 3]]);
    layout.write(&state).expect("a file");
    assert_eq!(layout.read().expect("a file"), Some(state));
    std::fs::write(directory.path().join("cluster.json"), "{").expect("a file");
    let said = layout.read().expect_err("half a file").to_string();
    assert!(said.contains("delete the directory"), "{said}");
    let long = directory.path().join("x".repeat(100));
    assert!(Layout::at(&long).is_err_and(|error| error.to_string().contains("shorter --dir")));
}

#[test]
fn the_last_lines_of_a_log() {
    let check = |text: &str, lines, expected: &str| {
        assert_eq!(last_lines(text.as_bytes(), lines), expected.as_bytes(), "{text:?} {lines}");
    };
    check("a\nb\nc\n", 2, "b\nc\n");
    check("a\nb\nc", 1, "c");
    check("a\nb\n", 9, "a\nb\n");
    check("a\n", 0, "");
    check("", 3, "");
}
