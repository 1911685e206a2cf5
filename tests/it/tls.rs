//! Nodes that prove to each other who they are, and those that cannot.

use std::path::{Path, PathBuf};
use std::process::Command;

use drave_proto::node::node_client::NodeClient;
use drave_proto::node::{IdentifyRequest, JoinRequest};
use drave_proto::raft::raft_client::RaftClient;
use drave_raft::{FORMAT_VERSION, Tls, TlsOptions};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::transport::{Channel, Endpoint};

use super::cluster::{check_counts, config_of, nodes, peer_address, push, refused, settled};
use super::node::Node;

/// An authority and certificates of nodes, made as a user makes them.
struct Authority(PathBuf);

impl Authority {
    fn make(dir: &Path, nodes: &[u64]) -> Authority {
        let run = |words: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_drave"));
            let output = command.arg("cert").args(words).arg("--dir").arg(dir).output();
            let output = output.expect("drave runs");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        run(&["ca"]);
        let ids: Vec<String> = nodes.iter().map(u64::to_string).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        run(&[&["node"][..], &ids].concat());
        Authority(dir.to_owned())
    }

    fn options(&self, id: u64) -> TlsOptions {
        TlsOptions {
            cert: self.0.join(format!("node-{id}.crt")),
            key: self.0.join(format!("node-{id}.key")),
            ca: self.0.join("ca.crt"),
        }
    }

    /// The configuration of a node with the certificate of node `of`.
    fn config(&self, root: &Path, id: u64, of: u64, join: Option<&Node>) -> String {
        let mut config: Value =
            serde_json::from_str(&config_of(root, id, join)).expect("it is JSON, too");
        let TlsOptions { cert, key, ca } = self.options(of);
        config["peer"] = json!({"tls": {"cert": cert, "key": key, "ca": ca}});
        config.to_string()
    }
}

fn written(root: &Path, id: u64, config: &str) -> (PathBuf, PathBuf) {
    let directory = root.join(format!("node-{id}"));
    std::fs::create_dir_all(&directory).expect("a directory");
    let file = directory.join("drave.yaml");
    std::fs::write(&file, config).expect("a file");
    (directory.join("data"), file)
}

async fn member(root: &Path, authority: &Authority, id: u64, join: Option<&Node>) -> Node {
    let (data, config) = written(root, id, &authority.config(root, id, id, join));
    Node::on(&data, Some(&config)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_prove_who_they_are() {
    let root = tempfile::tempdir().expect("a directory");
    let authority = Authority::make(&root.path().join("certs"), &[1, 2, 3]);
    let one = member(root.path(), &authority, 1, None).await;
    push(&one, 0).await;
    let mut two = member(root.path(), &authority, 2, Some(&one)).await;
    let three = member(root.path(), &authority, 3, Some(&two)).await;
    settled(&three, &[1, 2, 3], 3).await;
    push(&two, 20).await;
    check_counts(&[&one, &two, &three], 40).await;
    two.kill_and_restart().await;
    push(&three, 40).await;
    check_counts(&[&one, &two, &three], 60).await;
    // Nothing of what they say can be read on the way: the port speaks TLS only.
    let mut socket = tokio::net::TcpStream::connect(peer_address(&one)).await.expect("connects");
    socket.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("writes");
    let mut answer = Vec::new();
    // An alert of TLS, or nothing.
    let _ = socket.read_to_end(&mut answer).await;
    assert!(answer.first().is_none_or(|kind| *kind == 21), "{answer:?}");
}

async fn connect(tls: &Tls, address: &str, node: Option<u64>) -> Result<Channel, String> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
    let channel = drave_raft::connect(&endpoint, Some(tls), node).await;
    channel.map_err(|error| {
        let mut last: &dyn std::error::Error = &error;
        while let Some(source) = last.source() {
            last = source;
        }
        last.to_string()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_prove_it_is_refused_on_both_sides() {
    let root = tempfile::tempdir().expect("a directory");
    let authority = Authority::make(&root.path().join("certs"), &[1, 5]);
    let other = Authority::make(&root.path().join("others"), &[3]);
    let one = member(root.path(), &authority, 1, None).await;
    push(&one, 0).await;
    settled(&one, &[1], 1).await;
    let before = nodes(&one).await;

    // A certificate of another node than it is: it does not even start.
    let config = authority.config(root.path(), 6, 5, Some(&one));
    let said = refused(&root.path().join("node-6"), &config);
    assert!(said.contains("it names node 5, and this is node 6"), "{said}");

    // Another authority: both ends say so, once, and the node waits for better times.
    let (data, file) = written(root.path(), 3, &other.config(root.path(), 3, 3, Some(&one)));
    let stranger = Node::begin(&data, Some(&file));
    stranger.says("its certificate is not of the authority in peer.tls.ca").await;
    one.says("it refuses this node's certificate, which is not of the authority").await;
    drop(stranger);
    assert!(!data.join("log.redb").exists(), "nothing was made");

    // It takes ours, and we do not take its.
    let mixed = TlsOptions { ca: other.options(3).ca, ..authority.options(5) };
    let said = Tls::read(&mixed, 5).expect_err("it would be refused by all").to_string();
    assert!(said.contains("it is not of the authority in peer.tls.ca"), "{said}");

    // No certificate at all.
    let (data, file) = written(root.path(), 4, &config_of(root.path(), 4, Some(&one)));
    let stranger = Node::begin(&data, Some(&file));
    one.says("it does not speak TLS: set peer.tls on both nodes or on neither").await;
    drop(stranger);

    // Node 5 proves who it is, and speaks for node 6.
    let tls = Tls::read(&authority.options(5), 5).expect("good certificates");
    let address = peer_address(&one);
    let channel = connect(&tls, &address, Some(1)).await.expect("it is let in");
    let mut client = NodeClient::new(channel.clone());
    let who = client.identify(IdentifyRequest::default()).await.expect("an answer").into_inner();
    assert_eq!((who.node_id, who.format_version), (1, FORMAT_VERSION));
    let request = JoinRequest {
        cluster_id: who.cluster_id.clone(),
        node_id: 6,
        peer: "127.0.0.1:1".into(),
        http: "127.0.0.1:1".into(),
        zone: String::new(),
        incarnation: 7,
        format_version: FORMAT_VERSION,
        clock_ms: who.clock_ms,
        version: String::new(),
    };
    let answer = client.join(request).await.expect("an answer").into_inner();
    let expected = "it says that it is node 6, and its certificate names node 5";
    assert!(answer.refused.contains(expected), "{}", answer.refused);
    one.says(expected).await;
    let id = u128::from_str_radix(&who.cluster_id, 16).expect("an id");
    let header = drave_proto::raft::Header {
        cluster_high: (id >> 64) as u64,
        cluster_low: id as u64,
        sender: 7,
        target: 1,
        incarnation: 0,
        version: drave_raft::WIRE_VERSION,
        group: 0,
    };
    let refused = RaftClient::new(channel).identify(header).await.expect_err("it is refused");
    let expected = "it says that it is node 7, and its certificate names node 5";
    assert!(refused.message().contains(expected), "{refused}");
    one.says(expected).await;

    // Node 1 is there, and node 2 is meant.
    let said = connect(&tls, &address, Some(2)).await.expect_err("it is not the one");
    assert!(said.contains("names") && said.contains("node-1.drave"), "{said}");
    one.says("which names another node than it means").await;

    assert_eq!(nodes(&one).await, before);
    check_counts(&[&one], 20).await;
    assert!(!one.log().contains("panicked"), "{}", one.log());
}
