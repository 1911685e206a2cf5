//! What the server says of itself.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Api;
use super::error::Error;

/// The server is listening only once every replica of this node is open. It is ready while its
/// disk works: after a failure it takes no more pushes until it is started again.
pub(super) async fn ready(State(api): State<Arc<Api>>) -> Result<&'static str, Error> {
    match api.cluster.failed() {
        None => Ok("ready\n"),
        Some(reason) => Err(Error::unavailable(format!("not ready: {reason}"))),
    }
}

pub(super) async fn metrics(State(api): State<Arc<Api>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], api.metrics.encode()).into_response()
}

/// The configuration in force. It holds no secret, but says where things lie: with authentication
/// on, nobody may see it until there are administrators.
pub(super) async fn config(State(api): State<Arc<Api>>) -> Result<Response, Error> {
    administrators_only(&api)?;
    let text = api.options.config_text.clone();
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

/// Seals every head and waits until its chunks are in object storage.
pub(super) async fn flush(State(api): State<Arc<Api>>) -> Result<StatusCode, Error> {
    administrators_only(&api)?;
    let flushed = api.lifecycle.flush().await;
    flushed.map_err(|error| Error::unavailable(error.to_string()))?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) fn administrators_only(api: &Api) -> Result<(), Error> {
    if api.options.auth_enabled {
        return Err(Error::new(
            StatusCode::FORBIDDEN,
            "with auth_enabled, administration is closed: no administrator can prove who they are",
        ));
    }
    Ok(())
}

/// The version of Loki's API that is spoken, and drave's own.
pub(super) const VERSION: &str = concat!("3.8.0+drave.", env!("CARGO_PKG_VERSION"));

/// Grafana reads `version` to decide what it may ask for.
pub(super) async fn build_info() -> Response {
    let body = serde_json::json!({
        "version": VERSION,
        "revision": "",
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
    });
    ([(header::CONTENT_TYPE, "application/json")], format!("{body}\n")).into_response()
}
