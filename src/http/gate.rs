//! What a query passes before it runs, and how long it may take: the limits of its tenant.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use super::error::Error;
use super::{Api, tenant};
use crate::logql::ast;
use crate::model::limits::Limits;
use crate::model::{Sight, TimeRange};
use crate::query::gate;
use crate::scan::Scanner;

/// What the client says of who asks and why.
const TAGS_HEADER: &str = "x-query-tags";
/// Grafana's Drilldown app would rather show some of the series than none.
const DRILLDOWN: &str = "grafana-lokiexplore-app";

/// Ends a request that takes longer than its tenant may. What it had begun is dropped: nothing of
/// it runs on but the piece that is being worked on.
pub(super) async fn in_time(
    State(api): State<Arc<Api>>,
    request: Request,
    next: Next,
) -> Result<Response, Error> {
    let sight = tenant::sight(request.headers(), &api.options)?;
    let timeout = api.read_limits(&sight).query_timeout.0;
    if timeout.is_zero() {
        return Ok(next.run(request).await);
    }
    tokio::time::timeout(timeout, next.run(request)).await.map_err(|_| {
        let text = "request timed out, decrease the duration of the request or add more label \
                    matchers (prefer exact match over regex match) to reduce the amount of data \
                    processed";
        Error::new(StatusCode::GATEWAY_TIMEOUT, text)
    })
}

impl Api {
    /// Whether the tenant may run a query at all.
    pub(super) fn admit(
        &self,
        limits: &Limits,
        headers: &HeaderMap,
        text: &str,
        query: &ast::Query,
    ) -> Result<(), Error> {
        let tags = tags(headers);
        gate::check(limits, text, query, &tags).map_err(|error| self.explain(error))
    }

    /// Whether the tenant may run it over so much.
    pub(super) async fn admit_bytes(
        &self,
        limits: &Limits,
        scanner: &Scanner,
        sight: &Sight,
        query: &ast::Query,
        range: &TimeRange,
    ) -> Result<(), Error> {
        let checked = gate::check_bytes(limits, scanner, sight, query, range).await;
        checked.map_err(|error| self.explain(error))
    }
}

/// Whether some of the series are better than an error.
pub(super) fn takes_a_part(headers: &HeaderMap) -> bool {
    tags(headers).iter().any(|(name, value)| {
        name.eq_ignore_ascii_case("source") && value.eq_ignore_ascii_case(DRILLDOWN)
    })
}

/// `k=v,k=v`
fn tags(headers: &HeaderMap) -> Vec<(&str, &str)> {
    let texts = headers.get_all(TAGS_HEADER).iter().flat_map(|value| value.to_str());
    let pairs = texts.flat_map(|text| text.split(',')).filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.trim(), value.trim())).collect()
}
