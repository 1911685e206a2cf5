//! `patterns`: what kinds of lines there are.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use axum::routing::get;

use super::encode::{JSON, respond, separated, text};
use super::error::Error;
use super::{Api, query, tenant};
use crate::logql::{self, ast};
use crate::query::patterns;
use crate::telemetry;

/// The routes of this family.
pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new().route("/loki/api/v1/patterns", get(find).post(find))
}

async fn find(
    State(api): State<Arc<Api>>,
    method: Method,
    headers: HeaderMap,
    RawQuery(raw): RawQuery,
    body: Body,
) -> Result<Response, Error> {
    let params = query::params(&method, &headers, raw, body).await?;
    let sight = tenant::sight(&headers, &api.options)?;
    let range = params.range(telemetry::now())?;
    let step = i64::try_from(params.step(&range)?.as_nanos()).unwrap_or(i64::MAX);
    let limits = api.read_limits(&sight);
    limits.check_query_length(&range).map_err(Error::bad_request)?;
    let parsed = logql::parse(params.get("query").unwrap_or(""));
    let selector = match parsed.map_err(|error| Error::bad_request(error.to_string()))? {
        ast::Query::Log(log) => log.selector,
        ast::Query::Metric(_) => {
            return Err(Error::bad_request("only label matchers are supported"));
        }
    };
    let scanner = api.scanner(&params, &limits)?;
    let range = limits.visible(&range, telemetry::now()).unwrap_or(range.end..range.end);
    let found = patterns::run(&scanner, &api.patterns, &sight, &selector, &range, step).await;
    let mut out = String::from(r#"{"status":"success","data":["#);
    separated(&mut out, found.map_err(|error| api.explain(error))?, |out, pattern| {
        out.push_str(r#"{"pattern":"#);
        text(out, &pattern.text);
        out.push_str(r#","level":"#);
        text(out, &pattern.level);
        out.push_str(r#","samples":["#);
        separated(out, &pattern.samples, |out, (at, n)| {
            out.push_str(&format!("[{},{n}]", at.nanos().div_euclid(1_000_000_000)));
        });
        out.push_str("]}");
    });
    out.push_str("]}\n");
    Ok(respond(JSON, out))
}
