//! The network of a node without peers.
//!
//! openraft wants a way to reach other voters. A group has one voter until a cluster is formed, so
//! nothing here is ever reached in earnest; every call answers so, plainly.

use std::future::Future;
use std::io;

use openraft::errors::{ReplicationClosed, StreamingError, Unreachable};
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse,
};
use openraft::{BasicNode, OptionalSend, RaftNetworkFactory, RaftNetworkV2, Snapshot};

use crate::snapshot::SnapshotRows;
use crate::types::{LeaderId, RpcError, Types, Vote};

/// Makes connections that answer "unreachable".
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoPeers;

impl RaftNetworkFactory<Types> for NoPeers {
    type Network = NoPeers;

    async fn new_client(&mut self, _target: u64, _node: &BasicNode) -> NoPeers {
        NoPeers
    }
}

fn unreachable() -> Unreachable<Types> {
    Unreachable::new(&io::Error::new(
        io::ErrorKind::NotConnected,
        "this node has no peers: groups have one voter until a cluster is formed",
    ))
}

impl RaftNetworkV2<Types> for NoPeers {
    type SnapshotData = SnapshotRows;

    async fn append_entries(
        &mut self,
        _rpc: AppendEntriesRequest<Types>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<Types>, RpcError> {
        Err(unreachable().into())
    }

    async fn vote(
        &mut self,
        _rpc: VoteRequest<Types>,
        _option: RPCOption,
    ) -> Result<VoteResponse<Types>, RpcError> {
        Err(unreachable().into())
    }

    // The default grants: a node that reaches nobody must not think that everybody agreed.
    async fn pre_vote(
        &mut self,
        _rpc: VoteRequest<Types>,
        _option: RPCOption,
    ) -> Result<VoteResponse<Types>, RpcError> {
        Err(unreachable().into())
    }

    async fn full_snapshot(
        &mut self,
        _vote: Vote,
        _snapshot: Snapshot<LeaderId, u64, BasicNode, SnapshotRows>,
        _cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        Err(unreachable().into())
    }
}
