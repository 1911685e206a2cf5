//! Who is not meant is refused, on both sides, and changes nothing; garbage does nothing at all.

use drave_proto::raft as proto;
use drave_proto::raft::raft_client::RaftClient;
use futures::stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use super::cluster::{Cluster, command, fast, insist};
use crate::wire::WIRE_VERSION;
use crate::{Group, Node, Options, Origin, ProposeError, Start};

async fn client(cluster: &Cluster, id: u64) -> RaftClient<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{}", cluster.address(id))).unwrap();
    RaftClient::new(endpoint.connect().await.unwrap())
}

/// What node 2 would say to node 1.
fn header(cluster: &Cluster) -> proto::Header {
    cluster.node(2).peers().header(1, 0, cluster.node(1).identity().incarnation)
}

fn ballot(term: u64, committed: bool) -> Option<proto::Ballot> {
    Some(proto::Ballot { term, node: 2, committed })
}

/// Says all there is to say under this header; what each was answered.
async fn say_everything(cluster: &Cluster, header: proto::Header) -> Vec<(&'static str, Status)> {
    let mut client = client(cluster, 1).await;
    let (header, vote) = (Some(header), ballot(1 << 40, true));
    let mut answers = Vec::new();
    let mut add = |what, status: Option<Status>| {
        answers.push((what, status.unwrap_or_else(|| panic!("{what} was answered"))));
    };
    add("identify", client.identify(header.unwrap()).await.err());
    let request = proto::VoteRequest { header, vote, ..Default::default() };
    add("vote", client.vote(request).await.err());
    let request = proto::VoteRequest { header, vote, pre: true, ..Default::default() };
    add("pre-vote", client.vote(request).await.err());
    let request = proto::TransferRequest { header, leader: vote, to: 1, last: None };
    add("transfer", client.transfer(request).await.err());
    let open = proto::AppendRequest { header, ..Default::default() };
    let entry = proto::Entry { kind: 1, payload: command(1, 10), ..Default::default() };
    let append = proto::AppendRequest { vote, entries: vec![entry], ..Default::default() };
    let mut replies = client.append(stream::iter([open, append])).await.unwrap().into_inner();
    add("append", replies.message().await.err());
    let beat = proto::Beat { number: 1, vote, incarnation: 0, ..Default::default() };
    let beats = proto::Beats { header, beats: vec![beat], ..Default::default() };
    let mut replies = client.beat(stream::iter([beats])).await.unwrap().into_inner();
    add("beat", replies.message().await.err());
    let part = proto::snapshot_part::Part::Head(proto::SnapshotHead {
        header,
        vote,
        bytes: 10,
        ..Default::default()
    });
    let part = proto::SnapshotPart { part: Some(part) };
    let mut replies = client.snapshot(stream::iter([part])).await.unwrap().into_inner();
    add("snapshot", replies.message().await.err());
    let head = proto::propose_part::Part::Head(proto::ProposeHead { header, bytes: 10 });
    let parts = [head, proto::propose_part::Part::Command(command(1, 10))];
    let parts = parts.map(|part| proto::ProposePart { part: Some(part) });
    add("propose", client.propose(stream::iter(parts)).await.err());
    let ask = proto::IndexAsk { number: 1, group: header.unwrap().group, voted: None };
    let asked = proto::Beats { header, asks: vec![ask], ..Default::default() };
    let mut replies = client.beat(stream::iter([asked])).await.unwrap().into_inner();
    add("read", replies.message().await.err());
    answers
}

fn standing(group: &Group<super::Ledger>) -> (u64, u64, u64) {
    let status = group.status();
    (status.term, status.last, status.committed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_is_refused_whatever_it_says() {
    let cluster = Cluster::three().await;
    insist(&cluster.group(1, 0), command(1, 10)).await;
    let before = cluster.agree().await;
    let stood = standing(&cluster.group(1, 0));
    let good = header(&cluster);
    let strange = [
        (proto::Header { cluster_low: good.cluster_low ^ 1, ..good }, "is of cluster"),
        (proto::Header { cluster_high: 0, ..good }, "is of cluster"),
        (proto::Header { target: 9, ..good }, "means node 9"),
        (proto::Header { version: WIRE_VERSION + 1, ..good }, "run the same version"),
        (proto::Header { sender: 1, ..good }, "call themselves node 1"),
    ];
    for (header, why) in strange {
        for (what, status) in say_everything(&cluster, header).await {
            assert_eq!(status.code(), Code::FailedPrecondition, "{what}: {status}");
            assert!(status.message().contains(why), "{what}: {status}");
            assert!(!status.message().contains('\n'), "{what}: {status}");
        }
    }
    let (term, last, _) = standing(&cluster.group(1, 0));
    // A busy machine may have elected somebody meanwhile; but nobody of a term out of nowhere.
    assert!(term < stood.0 + 100 && last <= stood.1 + 100, "{term} {last}");
    insist(&cluster.group(3, 0), command(2, 10)).await;
    assert_eq!(cluster.agree().await.commands, before.commands + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_incarnation_and_an_unknown_group_are_refused() {
    let cluster = Cluster::three().await;
    let mut client = client(&cluster, 1).await;
    let good = header(&cluster);
    let other = proto::Header { incarnation: good.incarnation ^ 1, ..good };
    let vote = ballot(1 << 40, false);
    let request = proto::VoteRequest { header: Some(other), vote, ..Default::default() };
    let status = client.vote(request).await.unwrap_err();
    assert!(status.message().contains("remove it from the group"), "{status}");
    let request = proto::VoteRequest {
        header: Some(proto::Header { group: 7, ..good }),
        vote,
        ..Default::default()
    };
    let status = client.vote(request).await.unwrap_err();
    assert!(status.message().contains("no replica of group 7"), "{status}");
    assert!(cluster.group(1, 0).status().term < 1 << 40);

    let peers = cluster.node(2).peers();
    let refused = peers.propose(1, 7, command(1, 10)).await.unwrap_err();
    assert!(matches!(refused, ProposeError::NotDone { .. }), "{refused}");
    // Whoever does not lead says who does.
    cluster.agree().await;
    let led_by = cluster.leader_among(&[1, 2, 3]).await;
    let [asked, asking] = [led_by % 3 + 1, (led_by + 1) % 3 + 1];
    let far = cluster.node(asking).peers();
    let refused = far.propose(asked, 0, command(1, 10)).await.unwrap_err();
    assert!(matches!(refused, ProposeError::NotDone { leader, .. } if leader == Some(led_by)));
    assert_eq!(far.read_index(asked, 0, None).await.unwrap_err().leader, Some(led_by));
    // Nobody is there: certainly nothing was done.
    peers.set(9, "127.0.0.1:1");
    let refused = peers.propose(9, 0, command(1, 10)).await.unwrap_err();
    assert!(matches!(refused, ProposeError::NotDone { .. }), "{refused}");
    peers.set(9, "not an address");
    let refused = peers.propose(9, 0, command(1, 10)).await.unwrap_err();
    assert!(matches!(refused, ProposeError::NotDone { .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_make_no_sense_change_nothing() {
    let cluster = Cluster::three().await;
    cluster.agree().await;
    let stood = standing(&cluster.group(1, 0));
    let header = Some(header(&cluster));
    let mut client = client(&cluster, 1).await;
    let entry = |term, kind| proto::Entry { term, node: 2, kind, payload: command(1, 10) };
    let vote = ballot(1 << 40, true);
    let last = Some(proto::LogId { term: 1, node: 1, index: u64::MAX });
    let bad = [
        proto::AppendRequest { vote: None, ..Default::default() },
        proto::AppendRequest { vote: ballot(1 << 40, false), ..Default::default() },
        proto::AppendRequest { vote, entries: vec![entry(1, 9)], ..Default::default() },
        proto::AppendRequest { vote, entries: vec![entry(1, 2)], ..Default::default() },
        proto::AppendRequest { vote, entries: vec![entry(1 << 41, 1)], ..Default::default() },
        proto::AppendRequest {
            vote,
            entries: vec![entry(2, 1), entry(1, 1)],
            ..Default::default()
        },
        proto::AppendRequest { vote, previous: last, ..Default::default() },
    ];
    for message in bad {
        let open = proto::AppendRequest { header, ..Default::default() };
        let said = format!("{message:?}");
        let mut replies = client.append(stream::iter([open, message])).await.unwrap().into_inner();
        let status = replies.message().await.expect_err(&said);
        assert_eq!(status.code(), Code::InvalidArgument, "{said}: {status}");
    }
    assert!(client.vote(proto::VoteRequest { header, ..Default::default() }).await.is_err());
    let (term, last, _) = standing(&cluster.group(1, 0));
    assert!(term < stood.0 + 100 && last <= stood.1 + 100, "{term} {last}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_on_the_port_does_nothing() {
    let cluster = Cluster::three().await;
    cluster.agree().await;
    let stood = standing(&cluster.group(1, 0));
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    let garbage = (0..4096u32).map(|n| ((n * 31) >> 3) as u8).collect::<Vec<_>>();
    for bytes in [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0; 9000],
        garbage.clone(),
        [preface, garbage].concat(),
    ] {
        let mut stream = TcpStream::connect(cluster.address(1)).await.unwrap();
        // The other end may hang up before all is said.
        let _ = stream.write_all(&bytes).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
    }
    let (term, last, _) = standing(&cluster.group(1, 0));
    assert!(term < stood.0 + 100 && last <= stood.1 + 100, "{term} {last}");
    insist(&cluster.group(1, 0), command(1, 10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_another_cluster_is_not_made_a_member() {
    let cluster = Cluster::new(1, fast).await;
    let theirs = Cluster::new(2, fast).await;
    let peers = cluster.node(1).peers();
    let group = cluster.node(1).group(0, Start::Alone, super::Ledger::recover).await.unwrap();
    group.read_index().await.unwrap();
    peers.set(2, &theirs.address(2));
    let refused = group.add_learner(2, &theirs.address(2)).await.unwrap_err();
    assert!(refused.to_string().contains("is of cluster"), "{refused}");
    assert_eq!(group.status().learners.len(), 0);

    // Its directory cannot be used to join.
    let dir = tempfile::tempdir().unwrap();
    let options = Options { node_id: 2, ..Options::new(dir.path()) };
    let founded = Node::open(&options, Origin::Found { n_groups: 1 }).unwrap();
    founded.shutdown().await.unwrap();
    let cluster_id = cluster.node(1).identity().cluster_id;
    let joined = Node::open(&options, Origin::Join { cluster_id, n_groups: 1 });
    let error = joined.expect_err("it must not open");
    assert!(error.to_string().contains("belongs to cluster"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_told_of_a_replica_that_may_be_erased() {
    let cluster = Cluster::new(2, fast).await;
    let group = cluster.node(1).group(0, Start::Alone, super::Ledger::recover).await.unwrap();
    group.read_index().await.unwrap();
    let doubts = [cluster.node(2).doubt(0), cluster.node(2).doubt(0)];
    for doubt in doubts {
        let refused = group.add_learner(2, &cluster.address(2)).await.unwrap_err();
        assert!(refused.to_string().contains("may be erased just now"), "{refused}");
        drop(doubt);
    }
    group.add_learner(2, &cluster.address(2)).await.unwrap();
}
