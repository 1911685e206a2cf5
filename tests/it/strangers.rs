//! Who does not belong to a cluster: refused in one clear line on both sides, and nothing changes.

use std::path::Path;
use std::pin::Pin;

use drave_proto::node as proto;
use drave_proto::node::node_client::NodeClient;
use drave_proto::node::node_server::{Node as Peer, NodeServer};
use drave_proto::raft::raft_client::RaftClient;
use drave_raft::FORMAT_VERSION;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};

use super::cluster::{
    check_counts, config_of, member, nodes, peer_address, push, refused, settled, status,
};
use super::node::Node;

const HOUR_MS: i64 = 3_600_000;

fn now_ms() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(now.expect("after 1970").as_millis()).expect("before 292 million")
}

async fn channel(address: &str) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
    endpoint.connect().await.expect("connects")
}

/// Who is there, what they have and lead: what nobody from outside may change.
async fn standing(node: &Node) -> Value {
    let status = status(node).await;
    let shards = status["shards"].as_array().expect("shards").iter();
    let shards: Vec<Value> =
        shards.map(|shard| json!([shard["leader"], shard["voters"], shard["term"]])).collect();
    json!([status["cluster_id"], nodes(node).await, shards, status["meta"]["voters"]])
}

/// What a node would say that wants to join.
fn joining(cluster_id: &str) -> proto::JoinRequest {
    proto::JoinRequest {
        cluster_id: cluster_id.into(),
        node_id: 9,
        peer: "127.0.0.1:1".into(),
        http: "127.0.0.1:1".into(),
        zone: String::new(),
        incarnation: 7,
        format_version: FORMAT_VERSION,
        clock_ms: now_ms(),
        version: String::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_refused_and_change_nothing() {
    let root = tempfile::tempdir().expect("a directory");
    let one = member(root.path(), 1, None).await;
    push(&one, 0).await;
    settled(&one, &[1], 1).await;
    let before = standing(&one).await;

    // Another node with the same number.
    let same_id = config_of(root.path(), 1, Some(&one));
    let said = refused(&root.path().join("same-id"), &same_id);
    assert!(said.contains("node 1 is already in this cluster"), "{said}");
    one.says("node 1 is already in this cluster").await;

    // A node that brings the data of another cluster.
    let elsewhere = tempfile::tempdir().expect("a directory");
    let other = member(elsewhere.path(), 7, None).await;
    let theirs = status(&other).await["cluster_id"].as_str().expect("an id").to_owned();
    let data = other.data().to_owned();
    drop(other);
    let said = refused(&data, &config_of(root.path(), 7, Some(&one)));
    assert!(said.contains(&theirs) && said.contains("an empty data directory"), "{said}");
    one.says(&format!("node 7 is in cluster {theirs}, not in this one")).await;

    // A node of another number than its data say.
    let said = refused(&data, &config_of(root.path(), 8, Some(&one)));
    assert!(said.contains("it belongs to node 7, and this is node 8"), "{said}");

    // Another object storage than the cluster's: it would miss what others flush.
    let config = config_of(elsewhere.path(), 8, Some(&one));
    std::fs::remove_dir_all(elsewhere.path().join("objects")).expect("removes");
    let said = refused(&root.path().join("other-storage"), &config);
    assert!(said.contains("storage.bucket"), "{said}");
    change_remove(&one, 8).await;

    garbage(&peer_address(&one)).await;
    assert_eq!(standing(&one).await, before);
    check_counts(&[&one], 20).await;
    assert!(!one.log().contains("panicked"), "{}", one.log());
}

/// What joined with another storage is in the cluster and never served: it goes.
async fn change_remove(node: &Node, id: u64) {
    let path = format!("/drave/v1/cluster/nodes/{id}/remove");
    let answer = node.post(&path, "text/plain", "").await;
    assert_eq!(answer.status, 204, "{}", answer.text);
}

/// Whatever comes over the peer port that no peer would send.
async fn garbage(address: &str) {
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    for garbage in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0xff; 4096],
        &[0; 9000],
        preface,
        &[&preface[..], &[0xff; 4096]].concat(),
        // The beginning of TLS, where nobody asked for it.
        &[22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3],
    ] {
        let mut socket = tokio::net::TcpStream::connect(address).await.expect("connects");
        // It may hang up in the middle.
        let _ = socket.write_all(garbage).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_does_not_fit_is_refused_by_the_cluster() {
    let root = tempfile::tempdir().expect("a directory");
    let one = member(root.path(), 1, None).await;
    settled(&one, &[1], 1).await;
    let before = standing(&one).await;
    let cluster_id = before[0].as_str().expect("an id").to_owned();
    let mut client = NodeClient::new(channel(&peer_address(&one)).await);
    let good = joining(&cluster_id);
    let cases = [
        (
            proto::JoinRequest { format_version: FORMAT_VERSION + 1, ..good.clone() },
            "run the same version of drave on both",
        ),
        (
            proto::JoinRequest { clock_ms: good.clock_ms + HOUR_MS, ..good.clone() },
            "s ahead of this node's",
        ),
        (
            proto::JoinRequest { clock_ms: good.clock_ms - HOUR_MS, ..good.clone() },
            "s behind this node's",
        ),
        (proto::JoinRequest { node_id: 1, ..good.clone() }, "node 1 is already in this cluster"),
    ];
    for (request, expected) in cases {
        let answer = client.join(request).await.expect("an answer").into_inner();
        assert!(answer.refused.contains(expected), "{}", answer.refused);
        assert!(!answer.refused.contains('\n'), "{}", answer.refused);
        one.says(expected).await;
    }
    let wrong = proto::JoinRequest { cluster_id: "ab".into(), ..good };
    let status = client.join(wrong).await.expect_err("it is refused");
    assert!(status.message().contains("not in ab"), "{status}");

    // A Raft message of another cluster, and one of a newer version.
    let id = u128::from_str_radix(&cluster_id, 16).expect("an id");
    let header = drave_proto::raft::Header {
        cluster_high: (id >> 64) as u64,
        cluster_low: id as u64,
        sender: 9,
        target: 1,
        incarnation: 0,
        version: drave_raft::WIRE_VERSION,
        group: 0,
    };
    let mut raft = RaftClient::new(channel(&peer_address(&one)).await);
    let strange = [
        (drave_proto::raft::Header { cluster_low: 1, ..header }, "is of cluster"),
        (drave_proto::raft::Header { version: 99, ..header }, "run the same version on both"),
        (drave_proto::raft::Header { sender: 1, ..header }, "two nodes call themselves node 1"),
    ];
    for (header, expected) in strange {
        let status = raft.identify(header).await.expect_err("it is refused");
        assert!(status.message().contains(expected), "{status}");
        one.says(expected).await;
    }
    assert_eq!(standing(&one).await, before);
}

type Parts<T> = Pin<Box<dyn futures::Stream<Item = Result<T, Status>> + Send + 'static>>;

/// A peer that answers who it is, and no more.
struct Fake(proto::IdentifyResponse);

#[tonic::async_trait]
impl Peer for Fake {
    async fn identify(
        &self,
        _: Request<proto::IdentifyRequest>,
    ) -> Result<Response<proto::IdentifyResponse>, Status> {
        Ok(Response::new(self.0.clone()))
    }

    async fn prepare(
        &self,
        _: Request<proto::PrepareRequest>,
    ) -> Result<Response<proto::PrepareResponse>, Status> {
        Err(Status::unimplemented("a fake"))
    }

    async fn join(
        &self,
        _: Request<proto::JoinRequest>,
    ) -> Result<Response<proto::JoinResponse>, Status> {
        Err(Status::unimplemented("a fake"))
    }

    async fn status(
        &self,
        _: Request<proto::StatusRequest>,
    ) -> Result<Response<proto::StatusResponse>, Status> {
        Err(Status::unimplemented("a fake"))
    }

    type MirrorStream = Parts<proto::MirrorPart>;

    async fn mirror(
        &self,
        _: Request<proto::MirrorRequest>,
    ) -> Result<Response<Self::MirrorStream>, Status> {
        Err(Status::unimplemented("a fake"))
    }

    type HoldStream = Parts<proto::HoldReply>;

    async fn hold(
        &self,
        _: Request<proto::HoldRequest>,
    ) -> Result<Response<Self::HoldStream>, Status> {
        Err(Status::unimplemented("a fake"))
    }

    type ScanStream = Parts<proto::ScanPart>;

    async fn scan(
        &self,
        _: Request<proto::ScanRequest>,
    ) -> Result<Response<Self::ScanStream>, Status> {
        Err(Status::unimplemented("a fake"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_joins_no_cluster_that_does_not_fit() {
    let good = proto::IdentifyResponse {
        cluster_id: format!("{:032x}", 7),
        node_id: 1,
        format_version: FORMAT_VERSION,
        n_shards: 8,
        clock_ms: now_ms(),
        ..Default::default()
    };
    let cases = [
        (
            proto::IdentifyResponse { format_version: FORMAT_VERSION + 1, ..good.clone() },
            "run the same version of drave on both",
        ),
        (
            proto::IdentifyResponse { clock_ms: good.clock_ms + HOUR_MS, ..good.clone() },
            "s ahead of this node's: set one of them",
        ),
        (
            proto::IdentifyResponse { cluster_id: "x".into(), ..good.clone() },
            "which is no id of one",
        ),
    ];
    for (answer, expected) in cases {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let serving = tonic::transport::Server::builder()
            .add_service(NodeServer::new(Fake(answer)))
            .serve_with_incoming(tonic::transport::server::TcpIncoming::from(listener));
        let serving = tokio::spawn(serving);
        let root = tempfile::tempdir().expect("a directory");
        let data = root.path().join("data");
        let config = json!({"node_id": 2, "cluster": {"join": address.to_string()}}).to_string();
        let said = tokio::task::spawn_blocking({
            let data = data.clone();
            move || refused(&data, &config)
        });
        let said = said.await.expect("no panic");
        assert!(said.contains(expected), "{said}");
        assert!(!has_a_log(&data), "nothing was made");
        serving.abort();
    }
}

fn has_a_log(data: &Path) -> bool {
    data.join("log.redb").exists()
}

/// The other side of the refusals above: whoever is asked says in its log who asked.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_asked_says_who_does_not_fit() {
    let one = Node::start().await;
    let mut client = NodeClient::new(channel(&peer_address(&one)).await);
    let good = proto::IdentifyRequest {
        node_id: 9,
        cluster_id: String::new(),
        format_version: FORMAT_VERSION,
        clock_ms: now_ms(),
    };
    client.identify(good.clone()).await.expect("an answer");
    let cases = [
        (
            proto::IdentifyRequest { format_version: FORMAT_VERSION + 1, ..good.clone() },
            "node 9 speaks format",
        ),
        (
            proto::IdentifyRequest { clock_ms: good.clock_ms - HOUR_MS, ..good.clone() },
            "the clock of node 9 is",
        ),
        (
            proto::IdentifyRequest { cluster_id: "ab".into(), ..good.clone() },
            "node 9 is in cluster ab, not in this one",
        ),
    ];
    for (request, expected) in cases {
        // A second time is no second line.
        for _ in 0..2 {
            client.identify(request.clone()).await.expect("an answer");
        }
        one.says(expected).await;
    }
}
