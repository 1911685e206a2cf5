//! Pages for operators: what runs here, which limits hold, how loud the log is.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

use super::encode::{JSON, respond};
use super::error::Error;
use super::status::administrators_only;
use super::{Api, query, status, tenant};
use crate::ingest::LEVEL_NAMES;
use crate::model::limits::Limits;
use crate::telemetry;

/// Paths under which Loki shows the members of one ring each. Here every node does everything.
const RINGS: [&str; 10] = [
    "/ring",
    "/distributor/ring",
    "/compactor/ring",
    "/ruler/ring",
    "/indexgateway/ring",
    "/scheduler/ring",
    "/pattern/ring",
    "/ingester/ring",
    "/partition-ring",
    "/memberlist",
];

/// The limits that Grafana's Drilldown app looks at.
const DRILLDOWN_LIMITS: [&str; 13] = [
    "discover_log_levels",
    "discover_service_name",
    "max_entries_limit_per_query",
    "max_line_size_truncate",
    "max_query_bytes_read",
    "max_query_length",
    "max_query_lookback",
    "max_query_range",
    "max_query_series",
    "otlp_config",
    "query_timeout",
    "volume_enabled",
    "volume_max_series",
];

/// The routes of this family.
pub(super) fn routes() -> Router<Arc<Api>> {
    let pages = RINGS.iter().fold(Router::new(), |router, path| router.route(path, get(ring)));
    pages
        .route("/services", get(services))
        .route("/log_level", get(log_level).post(set_log_level))
        .route("/flush/tenant", axum::routing::post(status::flush))
        .route("/config/tenant/v1/limits", get(tenant_limits))
        .route("/loki/api/v1/drilldown-limits", get(drilldown_limits))
}

/// One line per part: `name => Running`.
async fn services(State(api): State<Arc<Api>>) -> Response {
    let mut lines = vec!["http => Running".to_string()];
    for shard in api.cluster.shard_ids() {
        let Some(status) = api.cluster.status(shard) else { continue };
        let failed = status.failed.is_some();
        lines.push(format!("shard-{shard} => {}", if failed { "Failed" } else { "Running" }));
    }
    lines.push(String::new());
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], lines.join("\n")).into_response()
}

/// The shards of this node, as a page or, where the client asks for it, as JSON.
async fn ring(State(api): State<Arc<Api>>, headers: HeaderMap) -> Result<Response, Error> {
    administrators_only(&api)?;
    let rows: Vec<Value> = api
        .cluster
        .shard_ids()
        .filter_map(|shard| {
            let status = api.cluster.status(shard)?;
            Some(json!({
                "shard": shard.0,
                "state": if status.failed.is_some() { "FAILED" } else { "ACTIVE" },
                "leader": status.leader,
                "term": status.term,
                "committed": status.committed,
                "applied": status.applied,
                "walBytes": status.wal_bytes,
            }))
        })
        .collect();
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    if accept.contains("application/json") {
        return Ok(respond(JSON, format!("{}\n", json!({"shards": rows}))));
    }
    let mut page = String::from("<!doctype html><title>Shards</title><h1>Shards</h1><table>\n");
    const COLUMNS: [&str; 7] =
        ["shard", "state", "leader", "term", "committed", "applied", "walBytes"];
    page.push_str(&format!("<tr><th>{}</tr>\n", COLUMNS.join("<th>")));
    for row in rows {
        let cells: Vec<String> = COLUMNS.iter().map(|name| cell(&row[*name])).collect();
        page.push_str(&format!("<tr><td>{}</tr>\n", cells.join("<td>")));
    }
    page.push_str("</table>\n");
    Ok(respond("text/html; charset=utf-8", page))
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "none".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

async fn log_level() -> Response {
    let level = telemetry::log_level();
    respond(JSON, format!("{}\n", json!({"message": format!("current log level is {level}")})))
}

/// `log_level=debug` as a parameter of the query or the form.
async fn set_log_level(
    State(api): State<Arc<Api>>,
    method: Method,
    headers: HeaderMap,
    RawQuery(raw): RawQuery,
    body: Body,
) -> Result<Response, Error> {
    administrators_only(&api)?;
    let params = query::params(&method, &headers, raw, body).await?;
    let level = params.get("log_level").unwrap_or("");
    let (status, answer) = match telemetry::set_log_level(level) {
        Ok(()) => {
            let message = format!("Log level set to {level}");
            (StatusCode::OK, json!({"message": message, "status": "success"}))
        }
        Err(message) => (StatusCode::BAD_REQUEST, json!({"message": message, "status": "failed"})),
    };
    Ok((status, respond(JSON, format!("{answer}\n"))).into_response())
}

/// Every limit of the tenant, as the configuration file would say it.
async fn tenant_limits(State(api): State<Arc<Api>>, headers: HeaderMap) -> Result<Response, Error> {
    let tenant = tenant::of(&headers, api.options.auth_enabled)?;
    let limits: &Limits = &api.limits(&tenant);
    let text = serde_norway::to_string(limits).expect("limits are plain values");
    Ok(respond("text/yaml; charset=utf-8", text))
}

async fn drilldown_limits(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let sight = tenant::sight(&headers, &api.options)?;
    let limits: &Limits = &api.read_limits(&sight);
    let mut all = serde_json::to_value(limits).expect("limits are plain values");
    let all = all.as_object_mut().expect("limits have names");
    all.retain(|name, _| DRILLDOWN_LIMITS.contains(&name.as_str()));
    // What cannot be changed here has Loki's names all the same.
    let fixed = json!({
        "log_level_fields": LEVEL_NAMES,
        "metric_aggregation_enabled": false,
        "pattern_persistence_enabled": false,
        "retention_period": "0s",
        "retention_stream": [],
    });
    all.extend(fixed.as_object().expect("it has names").clone());
    let answer = json!({
        "limits": all,
        "pattern_ingester_enabled": true,
        "version": status::VERSION,
    });
    Ok(respond(JSON, format!("{answer}\n")))
}
