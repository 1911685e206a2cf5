//! The peer port: what a node tells other nodes about itself.

use std::time::Duration;

use drave_proto::node::node_server::{Node, NodeServer};
use drave_proto::node::{IdentifyRequest, IdentifyResponse};
use drave_raft::Identity;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use tracing::warn;

/// A peer's request that takes longer is cut off.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(10);

struct Identified(Identity);

#[tonic::async_trait]
impl Node for Identified {
    async fn identify(
        &self,
        _request: Request<IdentifyRequest>,
    ) -> Result<Response<IdentifyResponse>, Status> {
        let identity = &self.0;
        Ok(Response::new(IdentifyResponse {
            cluster_id: format!("{:032x}", identity.cluster_id),
            node_id: identity.node_id,
            format_version: identity.format_version,
            n_shards: identity.n_groups,
            version: env!("CARGO_PKG_VERSION").into(),
        }))
    }
}

/// Serves the peer port until `stop` says true.
pub async fn serve(listener: TcpListener, identity: Identity, mut stop: watch::Receiver<bool>) {
    // Set on the accepted sockets: tonic's own setting does not reach a listener made elsewhere,
    // and without it small answers wait 40 ms for a delayed acknowledgement.
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let stopped = async move {
        let _ = stop.wait_for(|stop| *stop).await;
    };
    let served = Server::builder()
        .timeout(REQUEST_TIME_MAX)
        .add_service(NodeServer::new(Identified(identity)))
        .serve_with_incoming_shutdown(incoming, stopped)
        .await;
    if let Err(error) = served {
        warn!(%error, "the peer listener ended");
    }
}
