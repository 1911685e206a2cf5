//! `query_range`, `query` and `format_query`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, Limited};

use super::error::Error;
use super::params::Params;
use super::{Api, cost, encode, export, gate, parquet, tenant, told};
use crate::logql::{self, ast};
use crate::model::{Sight, TimeRange, Timestamp};
use crate::query::pages::{self, Cursor};
use crate::query::{logs, metric};
use crate::scan::{self, Scanner};
use crate::telemetry::{self, Stopwatch};

/// Bytes of a form body: a query has at most 128 KiB, percent-encoded three times that.
const FORM_BYTES_MAX: usize = 1 << 20;
/// `categorize-labels` in this header keeps labels apart by where they come from.
const FLAGS_HEADER: &str = "x-loki-response-encoding-flags";

/// Parameters of the query string and, for a POST, of the form.
pub(super) async fn params(
    method: &Method,
    headers: &HeaderMap,
    raw: Option<String>,
    body: Body,
) -> Result<Params, Error> {
    let url = raw.unwrap_or_default();
    let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    if *method != Method::POST || !kind.starts_with(b"application/x-www-form-urlencoded") {
        return Ok(Params::parse(&[&url]).or_headers(headers));
    }
    let form = Limited::new(body, FORM_BYTES_MAX).collect().await;
    let form = form.map_err(|error| {
        let text = format!("the form cannot be read: {error}");
        Error::new(StatusCode::PAYLOAD_TOO_LARGE, text)
    })?;
    let form = form.to_bytes();
    Ok(Params::parse(&[&String::from_utf8_lossy(&form), &url]).or_headers(headers))
}

pub(super) async fn range(
    State(api): State<Arc<Api>>,
    method: Method,
    headers: HeaderMap,
    RawQuery(raw): RawQuery,
    body: Body,
) -> Result<Response, Error> {
    let stopwatch = Stopwatch::start();
    let params = params(&method, &headers, raw, body).await?;
    let sight = tenant::sight(&headers, &api.options)?;
    let now = telemetry::now();
    let range = params.range(now)?;
    let step = params.step(&range)?;
    let limit = params.limit()?;
    let direction = params.direction()?;
    let interval = params.interval()?;
    let limits = api.read_limits(&sight);
    limits.check_query_length(&range).map_err(Error::bad_request)?;
    let query = parse(&params)?;
    api.admit(&limits, &headers, params.get("query").unwrap_or(""), &query)?;
    let scanner = api.scanner(&params, &limits)?;
    let running = scanner.begins(sight.first(), params.get("query").unwrap_or(""), now);
    let visible = limits.visible(&range, now);
    let Some(range) = visible else { return Ok(encode::nothing(&query, false)) };
    api.admit_bytes(&limits, &scanner, &sight, &query, &range).await?;
    match query {
        ast::Query::Log(log) => {
            let mut wanted =
                logs::Params { range, limit: limit as usize, direction, interval, now };
            if export::is_wanted(&headers) {
                // An export is whole unless a limit was asked for, and has no cap of its own.
                if params.get("limit").is_none() {
                    wanted.limit = usize::MAX;
                }
                return export::begin(&api, (scanner, running), &sight, log, wanted).await;
            }
            limits.check_entries(limit).map_err(Error::bad_request)?;
            let (answer, next) = page(&api, &scanner, &sight, &log, &wanted, &params).await?;
            if parquet::is_wanted(&headers) {
                return parquet::streams(&answer);
            }
            let categorize = categorizes(&headers);
            let cost = cost::Cost {
                stats: &answer.stats,
                elapsed: stopwatch.elapsed(),
                n_entries: answer.entries.len(),
                warnings: told::warnings(&scanner),
            };
            Ok(encode::streams(&answer, categorize, next, &cost))
        }
        ast::Query::Metric(expression) => {
            let (start, end) = align(&range, step);
            let wanted = metric::Params {
                start,
                end,
                step,
                instant: false,
                series_max: limits.max_query_series,
                partial: gate::takes_a_part(&headers),
                now,
            };
            numbers(&api, &headers, &scanner, &sight, &expression, &wanted, stopwatch).await
        }
    }
}

/// One answer of a log query, and the cursor behind it.
async fn page(
    api: &Api,
    scanner: &Scanner,
    sight: &Sight,
    log: &ast::LogQuery,
    wanted: &logs::Params,
    params: &Params,
) -> Result<(logs::LogAnswer, Option<Cursor>), Error> {
    let cursor = params.get("cursor").map(str::parse::<Cursor>).transpose();
    let cursor = cursor.map_err(|error| Error::bad_request(error.to_string()))?;
    if !wanted.interval.is_zero() {
        if cursor.is_some() {
            let text = "interval leaves entries out: there is no cursor with it";
            return Err(Error::bad_request(text));
        }
        let answer = logs::run(scanner, sight, log, wanted).await;
        return Ok((answer.map_err(|error| api.explain(error))?, None));
    }
    let snapshot = scanner.snapshot(sight).await.map_err(scan_error)?;
    let page = pages::page(scanner, &snapshot, log, wanted, cursor).await;
    page.map_err(|error| api.explain(error))
}

/// Whether the client wants labels kept apart by where they come from.
pub(super) fn categorizes(headers: &HeaderMap) -> bool {
    let flags = headers.get_all(FLAGS_HEADER).iter().flat_map(|value| value.to_str());
    flags.flat_map(|value| value.split(',')).any(|flag| flag.trim() == "categorize-labels")
}

/// Steps at whole multiples of their width, as Loki's frontend asks for them: a dashboard that
/// refreshes sees the same points again.
fn align(range: &TimeRange, step: Duration) -> (Timestamp, Timestamp) {
    let width = i64::try_from(step.as_nanos()).unwrap_or(i64::MAX);
    let start = range.start.nanos() - range.start.nanos().rem_euclid(width);
    let over = range.end.nanos().rem_euclid(width);
    let end = if over == 0 { 0 } else { width - over };
    (Timestamp(start), Timestamp(range.end.nanos().saturating_add(end)))
}

pub(super) async fn instant(
    State(api): State<Arc<Api>>,
    method: Method,
    headers: HeaderMap,
    RawQuery(raw): RawQuery,
    body: Body,
) -> Result<Response, Error> {
    let stopwatch = Stopwatch::start();
    let params = params(&method, &headers, raw, body).await?;
    let sight = tenant::sight(&headers, &api.options)?;
    let now = telemetry::now();
    let time = params.time(now)?;
    params.limit()?;
    params.direction()?;
    let limits = api.read_limits(&sight);
    let query = parse(&params)?;
    api.admit(&limits, &headers, params.get("query").unwrap_or(""), &query)?;
    match &query {
        ast::Query::Log(_) => Err(Error::bad_request(
            "log queries are not supported as an instant query type, \
             please change your query to a range query type",
        )),
        ast::Query::Metric(expression) => {
            let range = time..time;
            if limits.visible(&range, now).is_none() {
                return Ok(encode::nothing(&query, true));
            }
            let scanner = api.scanner(&params, &limits)?;
            let text = params.get("query").unwrap_or("");
            let _running = scanner.begins(sight.first(), text, now);
            api.admit_bytes(&limits, &scanner, &sight, &query, &range).await?;
            let wanted = metric::Params {
                start: time,
                end: time,
                step: Duration::from_secs(1),
                instant: true,
                series_max: limits.max_query_series,
                partial: gate::takes_a_part(&headers),
                now,
            };
            numbers(&api, &headers, &scanner, &sight, expression, &wanted, stopwatch).await
        }
    }
}

async fn numbers(
    api: &Api,
    headers: &HeaderMap,
    scanner: &Scanner,
    sight: &Sight,
    expression: &ast::Metric,
    wanted: &metric::Params,
    stopwatch: Stopwatch,
) -> Result<Response, Error> {
    if api.options.compat_loki && has_approx_topk(expression) {
        // Exact here, and an estimate there that is off unless configured.
        let text = "approx_topk is not enabled. See -limits.shard_aggregations";
        return Err(Error::new(StatusCode::INTERNAL_SERVER_ERROR, text));
    }
    let run = metric::run(scanner, sight, expression, wanted).await;
    let (mut answer, stats) = run.map_err(|error| api.explain(error))?;
    let series_max = wanted.series_max;
    let mut warnings = told::warnings(scanner);
    if wanted.partial && answer.cut(series_max) {
        warnings.push(format!(
            "maximum number of series ({series_max}) reached for a single query; \
             returning partial results"
        ));
    }
    if parquet::is_wanted(headers) {
        return parquet::numbers(&answer);
    }
    let cost = cost::Cost { stats: &stats, elapsed: stopwatch.elapsed(), n_entries: 0, warnings };
    Ok(encode::numbers(&answer, &cost))
}

fn has_approx_topk(metric: &ast::Metric) -> bool {
    match metric {
        ast::Metric::Vector(own) => {
            own.op == ast::VectorOp::ApproxTopK || has_approx_topk(&own.inner)
        }
        ast::Metric::Binary(own) => has_approx_topk(&own.left) || has_approx_topk(&own.right),
        ast::Metric::LabelReplace(own) => has_approx_topk(&own.inner),
        ast::Metric::Range(_) | ast::Metric::Literal(_) | ast::Metric::Constant(_) => false,
    }
}

pub(super) async fn format(
    method: Method,
    headers: HeaderMap,
    RawQuery(raw): RawQuery,
    body: Body,
) -> Result<Response, Error> {
    let params = params(&method, &headers, raw, body).await?;
    match logql::parse(params.get("query").unwrap_or("")) {
        Ok(query) => Ok(encode::formatted(&logql::format(&query))),
        Err(error) => {
            // As text, for the order of its keys.
            let error = serde_json::Value::from(error.to_string());
            let body = format!("{{\"status\":\"invalid-query\",\"error\":{error}}}\n");
            let kind = [(header::CONTENT_TYPE, "application/json")];
            Ok((StatusCode::BAD_REQUEST, kind, body).into_response())
        }
    }
}

fn parse(params: &Params) -> Result<ast::Query, Error> {
    let query = logql::parse(params.get("query").unwrap_or(""));
    query.map_err(|error| Error::bad_request(error.to_string()))
}

/// A part that cannot be read is never left out in silence.
pub(super) fn scan_error(error: scan::Error) -> Error {
    match error {
        scan::Error::Shard(_) | scan::Error::Object(_) | scan::Error::NotTaken => {
            Error::unavailable(error.to_string())
        }
        scan::Error::Bad(message) => Error::bad_request(message),
        scan::Error::Chunk { .. }
        | scan::Error::Batch { .. }
        | scan::Error::Damaged { .. }
        | scan::Error::Foreign(_) => {
            Error::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
        }
    }
}
