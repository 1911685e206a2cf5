//! What there is: label names, their values, and streams.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;

use super::error::Error;
use super::params::Params;
use super::{Api, encode, query, tenant};
use crate::logql;
use crate::model::{Labels, Selector};
use crate::scan::Selection;
use crate::telemetry;

/// Everything that the three endpoints have in common: who asks, for what, of which streams.
async fn streams(
    api: &Api,
    headers: &HeaderMap,
    params: &Params,
    selectors: &[&str],
) -> Result<Vec<Labels>, Error> {
    let sight = tenant::sight(headers, &api.options)?;
    let range = params.range(telemetry::now())?;
    let selectors: Result<Vec<Selector>, _> =
        selectors.iter().map(|text| logql::parse_selector(text)).collect();
    let mut selectors = selectors.map_err(|error| Error::bad_request(error.to_string()))?;
    if selectors.is_empty() {
        selectors.push(Selector::default());
    }
    let limits = api.read_limits(&sight);
    let visible = limits.visible(&range, telemetry::now());
    let Some(range) = visible else { return Ok(Vec::new()) };
    let scanner = api.scanner(params, &limits)?;
    let snapshot = scanner.snapshot(&sight).await.map_err(query::scan_error)?;
    let mut streams = Vec::new();
    for selector in selectors {
        let found = scanner.streams(&snapshot, &Selection::Selector(selector), &range).await;
        streams.extend(found.map_err(query::scan_error)?);
    }
    streams.sort();
    streams.dedup();
    Ok(streams)
}

pub(super) async fn labels(
    State(api): State<Arc<Api>>,
    method: Method,
    headers: HeaderMap,
    RawQuery(raw): RawQuery,
    body: Body,
) -> Result<Response, Error> {
    let params = query::params(&method, &headers, raw, body).await?;
    let selectors: Vec<&str> = params.get("query").into_iter().collect();
    let streams = streams(&api, &headers, &params, &selectors).await?;
    let names: BTreeSet<&str> =
        streams.iter().flat_map(|labels| labels.iter().map(|(name, _)| name)).collect();
    Ok(encode::names(&names))
}

pub(super) async fn label_values(
    State(api): State<Arc<Api>>,
    Path(name): Path<String>,
    method: Method,
    headers: HeaderMap,
    RawQuery(raw): RawQuery,
    body: Body,
) -> Result<Response, Error> {
    let params = query::params(&method, &headers, raw, body).await?;
    let legal = |(at, c): (usize, char)| {
        c.is_ascii_alphabetic() || c == '_' || (at > 0 && c.is_ascii_digit())
    };
    if name.is_empty() || !name.chars().enumerate().all(legal) {
        return Err(Error::bad_request(format!("invalid label name '{name}'")));
    }
    let selectors: Vec<&str> = params.get("query").into_iter().collect();
    let streams = streams(&api, &headers, &params, &selectors).await?;
    let values: BTreeSet<&str> = streams.iter().filter_map(|labels| labels.get(&name)).collect();
    Ok(encode::names(&values))
}

pub(super) async fn series(
    State(api): State<Arc<Api>>,
    method: Method,
    headers: HeaderMap,
    RawQuery(raw): RawQuery,
    body: Body,
) -> Result<Response, Error> {
    let params = query::params(&method, &headers, raw, body).await?;
    let selectors: Vec<&str> = params.all("match").chain(params.all("match[]")).collect();
    let streams = streams(&api, &headers, &params, &selectors).await?;
    Ok(encode::series(&streams))
}
