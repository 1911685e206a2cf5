//! One question to another node: the connection, who asks, and whether the two fit together.
//!
//! Whoever asks says who it is, what it speaks and what time it has: what does not fit is said in
//! one line by both, before anything is changed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use drave_proto::node::node_client::NodeClient;
use drave_proto::node::{IdentifyRequest, IdentifyResponse};
use drave_raft::{FORMAT_VERSION, Tls};
use tonic::transport::{Channel, Endpoint};
use tracing::warn;

use super::META_TIME_MAX;
use super::meta::NodeId;
use crate::telemetry;

/// A peer that takes longer to answer a small question is not there.
const ASK_TIME_MAX: Duration = Duration::from_secs(3);
/// Clocks that differ more are not let into one cluster: pushes are refused by their age, and heads
/// are as old as a clock says.
const CLOCK_MS_MAX: i64 = 60_000;
/// Nodes whose last mismatch is remembered, so that the log says it once.
const MISFITS_MAX: usize = 64;

/// The way to a node.
#[derive(Clone, Copy)]
pub(super) struct Way<'a> {
    /// How to prove who is at both ends; without it, nobody does.
    pub(super) tls: Option<&'a Tls>,
    pub(super) address: &'a str,
    /// Who should be there, where that is known.
    pub(super) node: Option<NodeId>,
}

/// A connection to a node.
pub(super) async fn connect(way: Way<'_>) -> Result<Channel, String> {
    let endpoint = Endpoint::from_shared(format!("http://{}", way.address))
        .map_err(|error| format!("no address of a node: {error}"))?;
    let endpoint = endpoint.connect_timeout(ASK_TIME_MAX).timeout(META_TIME_MAX).tcp_nodelay(true);
    let connecting = drave_raft::connect(&endpoint, way.tls, way.node);
    let channel = tokio::time::timeout(ASK_TIME_MAX, connecting).await;
    channel
        .map_err(|_| "no answer".to_owned())?
        .map_err(|error| format!("not reachable: {}", root_cause(&error)))
}

fn root_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => root_cause(source),
        None => error.to_string(),
    }
}

/// One question to a node.
pub(super) async fn ask<T>(
    way: Way<'_>,
    question: impl AsyncFnOnce(NodeClient<Channel>) -> Result<tonic::Response<T>, tonic::Status>,
) -> Result<T, String> {
    let channel = connect(way).await?;
    let answer = question(NodeClient::new(channel)).await;
    answer.map(tonic::Response::into_inner).map_err(|status| {
        match std::error::Error::source(&status).map(root_cause) {
            // What answers is no node, or one that speaks otherwise.
            Some(cause) if cause.contains("frame") || cause.contains("http2") => {
                format!("what answers is no node, or peer.tls is set on one side only: {cause}")
            }
            _ => status.message().to_owned(),
        }
    })
}

/// Who is there.
pub(super) async fn identify(
    way: Way<'_>,
    own: NodeId,
    cluster_id: &str,
) -> Result<IdentifyResponse, String> {
    let request = IdentifyRequest {
        node_id: own,
        cluster_id: cluster_id.into(),
        format_version: FORMAT_VERSION,
        clock_ms: clock_ms(),
    };
    ask(way, async |mut client| client.identify(request).await).await
}

/// The time of day as nodes tell it to each other.
pub(super) fn clock_ms() -> i64 {
    telemetry::now().0 / 1_000_000
}

/// Why a node of another format or with another time cannot be in one cluster with this one.
/// `who` is the other one.
pub(super) fn misfit(who: &str, format_version: u32, clock_ms: i64) -> Option<String> {
    misfit_at(who, format_version, clock_ms, self::clock_ms())
}

fn misfit_at(who: &str, format_version: u32, clock_ms: i64, own_ms: i64) -> Option<String> {
    if format_version != FORMAT_VERSION {
        return Some(format!(
            "{who} speaks format {format_version} and this node format {FORMAT_VERSION}: run the \
             same version of drave on both"
        ));
    }
    let ahead = clock_ms.saturating_sub(own_ms);
    if ahead.saturating_abs() <= CLOCK_MS_MAX {
        return None;
    }
    let side = if ahead > 0 { "ahead of" } else { "behind" };
    Some(format!(
        "the clock of {who} is {} s {side} this node's: set one of them (a minute is allowed)",
        ahead.unsigned_abs() / 1000
    ))
}

/// What was said last of each node that does not fit.
#[derive(Default)]
pub(super) struct Misfits(Mutex<HashMap<NodeId, String>>);

impl Misfits {
    /// Says in the log, once, why a node that asks does not fit.
    pub(super) fn note(&self, request: &IdentifyRequest, own_cluster: &str) {
        let node = request.node_id;
        if node == 0 {
            return;
        }
        let who = format!("node {node}");
        let misfit = misfit(&who, request.format_version, request.clock_ms).or_else(|| {
            let strange = !request.cluster_id.is_empty()
                && !own_cluster.is_empty()
                && request.cluster_id != own_cluster;
            strange.then(|| format!("{who} is in cluster {}, not in this one", request.cluster_id))
        });
        let Some(reason) = misfit else { return };
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() >= MISFITS_MAX {
            said.clear();
        }
        // The seconds change each time; what is wrong does not.
        let kind: String = reason.chars().filter(|c| !c.is_ascii_digit()).collect();
        if said.insert(node, kind.clone()).is_none_or(|last| last != kind) {
            warn!(node, reason, "a node asked that does not fit in");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_fit() {
        let check = |format: u32, ahead_s: i64, expected: Option<&str>| {
            let now = 1_700_000_000_000;
            let said = misfit_at("node 4", format, now + ahead_s * 1000, now);
            match (said, expected) {
                (None, None) => {}
                (Some(said), Some(expected)) => assert!(said.contains(expected), "{said}"),
                (said, _) => panic!("{said:?}"),
            }
        };
        check(FORMAT_VERSION, 0, None);
        check(FORMAT_VERSION, -60, None);
        check(FORMAT_VERSION, 3600, Some("the clock of node 4 is 3600 s ahead of"));
        check(FORMAT_VERSION, -3600, Some("3600 s behind"));
        check(FORMAT_VERSION + 1, 0, Some("node 4 speaks format"));
        assert!(misfit_at("x", FORMAT_VERSION, i64::MIN, i64::MAX).is_some(), "no overflow");
    }
}
