//! The cluster over HTTP: what it looks like, and changes to it.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use super::Api;
use super::error::Error;
use super::status::administrators_only;
use crate::cluster::ChangeError;
use crate::cluster::form::InitAsk;
use crate::cluster::meta::{Command, NodeId, NodeState, OwnLimits};
use crate::cluster::peer::Door;
use crate::model::Tenant;
use crate::model::limits::Limits;

/// The cluster as this node sees it.
pub(super) async fn status(State(api): State<Arc<Api>>) -> Result<Response, Error> {
    administrators_only(&api)?;
    let status = api.cluster.cluster_status().await;
    Ok(json_answer(&serde_json::to_string(&status).expect("plain values")))
}

/// A cluster is founded once.
pub(super) async fn init(State(api): State<Arc<Api>>) -> Result<Response, Error> {
    administrators_only(&api)?;
    let cluster_id = api.cluster.cluster_status().await.cluster_id;
    let message = format!("this node is already in cluster {cluster_id}");
    Err(Error::new(StatusCode::CONFLICT, message))
}

/// `drain`, `resume` or `remove` a node.
pub(super) async fn change_node(
    State(api): State<Arc<Api>>,
    Path((id, verb)): Path<(NodeId, String)>,
) -> Result<StatusCode, Error> {
    administrators_only(&api)?;
    let state = match verb.as_str() {
        "drain" => NodeState::Draining,
        "resume" => NodeState::Active,
        "remove" => NodeState::Removed,
        _ => {
            let message = format!("'{verb}' is none of drain, resume, remove");
            return Err(Error::new(StatusCode::NOT_FOUND, message));
        }
    };
    change(&api, &Command::SetState { id, state }).await
}

/// How many voters shards are to have.
pub(super) async fn set_replicas(
    State(api): State<Arc<Api>>,
    Path(replicas): Path<usize>,
) -> Result<StatusCode, Error> {
    administrators_only(&api)?;
    change(&api, &Command::SetReplicas { replicas }).await
}

/// Limits that a tenant has of its own, and what is in force for it here.
pub(super) async fn limits(
    State(api): State<Arc<Api>>,
    Path(tenant): Path<String>,
) -> Result<Response, Error> {
    administrators_only(&api)?;
    let tenant = Tenant::parse(&tenant).map_err(|error| Error::bad_request(error.to_string()))?;
    let own = api.cluster.known().limits.remove(tenant.as_str()).unwrap_or_default();
    let in_force = api.limits(&tenant);
    Ok(json_answer(&json!({ "own": own, "in_force": *in_force }).to_string()))
}

/// Gives a tenant limits of its own on all nodes, instead of those it had: a JSON object with keys
/// of `limits_config`; an empty one takes them away.
pub(super) async fn set_limits(
    State(api): State<Arc<Api>>,
    Path(tenant): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Error> {
    administrators_only(&api)?;
    let tenant = Tenant::parse(&tenant).map_err(|error| Error::bad_request(error.to_string()))?;
    let limits: OwnLimits = serde_json::from_slice(&body)
        .map_err(|error| Error::bad_request(format!("no JSON object with limits: {error}")))?;
    // What lies below them may change, and they must fit on whatever it is.
    let checked = Limits::default().with(&limits);
    checked.map_err(|error| Error::bad_request(error.to_string()))?;
    change(&api, &Command::SetLimits { tenant: tenant.to_string(), limits }).await
}

async fn change(api: &Api, command: &Command) -> Result<StatusCode, Error> {
    match api.cluster.change(command).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(ChangeError::Refused(reason)) => Err(Error::bad_request(reason)),
        Err(error) => Err(Error::unavailable(error.to_string())),
    }
}

/// What a node answers that is in no cluster yet.
pub fn waiting_router(door: Door, asks: mpsc::Sender<InitAsk>) -> Router {
    let not_ready = move || {
        let reason = door.reason();
        async move { (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")) }
    };
    Router::new()
        .route("/drave/v1/cluster/init", post(move || found(asks.clone())))
        .route("/drave/v1/cluster/status", get(not_ready.clone()))
        .fallback(any(not_ready))
}

async fn found(asks: mpsc::Sender<InitAsk>) -> Response {
    let (ask, answer) = oneshot::channel();
    if asks.send(ask).await.is_err() {
        return (StatusCode::CONFLICT, "this node is already in a cluster\n").into_response();
    }
    match answer.await {
        Ok(Ok(cluster_id)) => json_answer(&json!({ "cluster_id": cluster_id }).to_string()),
        Ok(Err(reason)) => (StatusCode::CONFLICT, format!("{reason}\n")).into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the node is stopping\n").into_response(),
    }
}

fn json_answer(text: &str) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], format!("{text}\n")).into_response()
}
