//! Rules and deletion, which this version does not have: answered as Loki does with them off, so
//! that clients which probe for them go on without.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{MethodRouter, get};

use super::Api;
use super::encode::{JSON, respond};
use super::error::Error;

/// The routes of this family.
pub(super) fn routes() -> Router<Arc<Api>> {
    let mut router = Router::new();
    for base in ["/loki/api/v1/rules", "/api/prom/rules"] {
        router = router
            .route(base, get(no_groups))
            .route(&format!("{base}/{{namespace}}"), get(no_groups))
            .route(&format!("{base}/{{namespace}}/{{group}}"), get(no_group));
    }
    router
        .route("/prometheus/api/v1/rules", get(async || list("groups")))
        .route("/prometheus/api/v1/alerts", get(async || list("alerts")))
        .route("/loki/api/v1/delete", no_deletion())
}

async fn no_groups() -> Error {
    Error::new(StatusCode::NOT_FOUND, "no rule groups found")
}

async fn no_group() -> Error {
    Error::new(StatusCode::NOT_FOUND, "group does not exist")
}

/// There are no rules, so none of them is listed and none fires.
fn list(of: &str) -> Response {
    let body = serde_json::json!({
        "status": "success", "data": {of: []}, "errorType": "", "error": "",
    });
    respond(JSON, format!("{body}\n"))
}

fn no_deletion() -> MethodRouter<Arc<Api>> {
    let refuse = async || Error::bad_request("Retention is not enabled");
    get(refuse).post(refuse).put(refuse).delete(refuse)
}
