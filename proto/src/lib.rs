//! Wire shapes, generated from the `.proto` files beside this crate. It knows shapes, no meaning.

/// What nodes say to each other.
#[allow(missing_docs, clippy::all, unreachable_pub, reason = "generated")]
pub mod node {
    tonic::include_proto!("drave.node.v1");
}

/// What the replicas of a Raft group say to each other.
#[allow(missing_docs, clippy::all, unreachable_pub, reason = "generated")]
pub mod raft {
    tonic::include_proto!("drave.raft.v1");
}

/// What a node asks another one to do with a shard's entries.
#[allow(missing_docs, clippy::all, unreachable_pub, reason = "generated")]
pub mod scan {
    tonic::include_proto!("drave.scan.v1");
}

/// The body of Loki's push API.
#[allow(missing_docs, clippy::all, unreachable_pub, reason = "generated")]
pub mod push {
    tonic::include_proto!("loki.push.v1");
}
