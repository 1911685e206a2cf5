//! `index/*`: how much a query would read, and how much the streams hold.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use axum::routing::get;

use super::encode::{JSON, object, respond, sample, separated};
use super::error::Error;
use super::params::Params;
use super::{Api, query, tenant};
use crate::logql::{self, ast};
use crate::model::limits::ByteSize;
use crate::model::{Selector, Sight, Timestamp};
use crate::query::volume::{self, Identity, Size, Volume};
use crate::telemetry;

/// Streams that `stats` and `shards` may count: more is refused.
const STREAMS_MAX: usize = 1 << 20;
/// What a shard holds where the request does not say: Loki's own default.
const SHARD_BYTES: u64 = 600 << 20;

/// The routes of this family.
pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/loki/api/v1/index/stats", get(stats).post(stats))
        .route("/loki/api/v1/index/volume", get(volume).post(volume))
        .route("/loki/api/v1/index/volume_range", get(volume_range).post(volume_range))
        .route("/loki/api/v1/index/shards", get(shards).post(shards))
}

async fn stats(
    State(api): State<Arc<Api>>,
    method: Method,
    headers: HeaderMap,
    RawQuery(raw): RawQuery,
    body: Body,
) -> Result<Response, Error> {
    let params = query::params(&method, &headers, raw, body).await?;
    let streams = streams(&api, &headers, &params).await?;
    let mut total = Size::default();
    streams.iter().for_each(|stream| total.add(stream.total()));
    let mut out = String::new();
    footprint(&mut out, streams.len(), total);
    out.push('\n');
    Ok(respond(JSON, out))
}

async fn shards(
    State(api): State<Arc<Api>>,
    method: Method,
    headers: HeaderMap,
    RawQuery(raw): RawQuery,
    body: Body,
) -> Result<Response, Error> {
    let params = query::params(&method, &headers, raw, body).await?;
    let target = match params.get("targetBytesPerShard") {
        None => SHARD_BYTES,
        Some(text) => match text.parse::<ByteSize>() {
            Ok(ByteSize(bytes)) if bytes > 0 => bytes,
            _ => {
                let text = "targetBytesPerShard must be a positive value";
                return Err(Error::bad_request(text));
            }
        },
    };
    let streams = streams(&api, &headers, &params).await?;
    let hash = |volume: &Volume| {
        let pairs = volume.labels.iter().map(|(name, value)| (&**name, &**value));
        let labels = crate::model::Labels::from_pairs(pairs);
        labels.expect("they are those of a stream").hash64()
    };
    let streams = streams.iter().map(|volume| (hash(volume), volume.total())).collect();
    let mut out = String::from(r#"{"shards":["#);
    separated(&mut out, volume::shards(streams, target), |out, (first, last, n, size)| {
        out.push_str(&format!(r#"{{"bounds":{{"min":{first},"max":{last}}},"stats":"#));
        footprint(out, n, size);
        out.push('}');
    });
    out.push_str("],\"statistics\":{}}\n");
    Ok(respond(JSON, out))
}

/// Every stream of the selector that has an entry in the range.
async fn streams(api: &Api, headers: &HeaderMap, params: &Params) -> Result<Vec<Volume>, Error> {
    let sight = tenant::sight(headers, &api.options)?;
    measure(api, &sight, params, None, Identity::Stream, STREAMS_MAX).await
}

fn footprint(out: &mut String, n_streams: usize, size: Size) {
    let Size { chunks, entries, bytes } = size;
    out.push_str(&format!(
        r#"{{"streams":{n_streams},"chunks":{chunks},"bytes":{bytes},"entries":{entries}}}"#
    ));
}

async fn volume(
    State(api): State<Arc<Api>>,
    method: Method,
    headers: HeaderMap,
    RawQuery(raw): RawQuery,
    body: Body,
) -> Result<Response, Error> {
    let params = query::params(&method, &headers, raw, body).await?;
    let volumes = volumes(&api, &headers, &params, None).await?;
    let end = params.range(telemetry::now())?.end;
    Ok(vector(&volumes, end))
}

async fn volume_range(
    State(api): State<Arc<Api>>,
    method: Method,
    headers: HeaderMap,
    RawQuery(raw): RawQuery,
    body: Body,
) -> Result<Response, Error> {
    let params = query::params(&method, &headers, raw, body).await?;
    let range = params.range(telemetry::now())?;
    let step = params.step(&range)?;
    let step = i64::try_from(step.as_nanos()).unwrap_or(i64::MAX);
    let volumes = volumes(&api, &headers, &params, Some(step)).await?;
    if volumes.is_empty() {
        // What Loki answers: the join of no steps is of no particular shape.
        return Ok(vector(&volumes, range.end));
    }
    let mut out = String::from(MATRIX);
    separated(&mut out, &volumes, |out, volume| {
        metric(out, volume);
        out.push_str(r#","values":["#);
        separated(out, &volume.steps, |out, (end, size)| {
            // A step ends before the next one starts; the last ends with the range.
            let before = if *end == range.end { 0 } else { 1_000_000 };
            amount(out, Timestamp(end.nanos() - before), *size);
        });
        out.push_str("]}");
    });
    out.push_str("]}}\n");
    Ok(respond(JSON, out))
}

const MATRIX: &str = r#"{"status":"success","data":{"resultType":"matrix","result":["#;
const VECTOR: &str = r#"{"status":"success","data":{"resultType":"vector","result":["#;

fn vector(volumes: &[Volume], end: Timestamp) -> Response {
    let mut out = String::from(VECTOR);
    separated(&mut out, volumes, |out, volume| {
        metric(out, volume);
        out.push_str(r#","value":"#);
        amount(out, end, volume.total());
        out.push('}');
    });
    out.push_str("]}}\n");
    respond(JSON, out)
}

fn metric(out: &mut String, volume: &Volume) {
    out.push_str(r#"{"metric":"#);
    object(out, volume.labels.iter().map(|(name, value)| (&**name, &**value)));
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 8 PiB, and shown to people")]
fn amount(out: &mut String, at: Timestamp, size: Size) {
    sample(out, at, size.bytes as f64);
}

/// The rows of a volume answer: largest first, then by name, as many as were asked for.
async fn volumes(
    api: &Api,
    headers: &HeaderMap,
    params: &Params,
    step: Option<i64>,
) -> Result<Vec<Volume>, Error> {
    let sight = tenant::sight(headers, &api.options)?;
    let limits = api.read_limits(&sight);
    if !limits.volume_enabled {
        return Err(Error::new(StatusCode::NOT_FOUND, "not found"));
    }
    let limit = params.limit()? as usize;
    let targets = params.get("targetLabels").unwrap_or("").split(',').map(str::trim);
    let targets: BTreeSet<&str> = targets.filter(|name| !name.is_empty()).collect();
    let targets: Vec<String> = targets.into_iter().map(String::from).collect();
    let identity = match params.get("aggregateBy") {
        None | Some("series") => by_series(&selector(params)?, targets),
        Some("labels") if targets.is_empty() => Identity::Names(None),
        Some("labels") => Identity::Names(Some(targets)),
        Some(_) => return Err(Error::bad_request("invalid aggregation option")),
    };
    let rows_max = limits.volume_max_series;
    let mut volumes = measure(api, &sight, params, step, identity, rows_max).await?;
    volumes.sort_by_cached_key(|volume| {
        (std::cmp::Reverse(volume.total().bytes), volume.labels.clone())
    });
    volumes.truncate(limit);
    Ok(volumes)
}

/// The labels that were asked for, else those that the selector names, else all.
fn by_series(selector: &Selector, targets: Vec<String>) -> Identity {
    if !targets.is_empty() {
        return Identity::Labels { names: targets, all: true };
    }
    let names: BTreeSet<&String> = selector.matchers.iter().map(|matcher| &matcher.name).collect();
    if names.is_empty() {
        return Identity::Stream;
    }
    Identity::Labels { names: names.into_iter().cloned().collect(), all: false }
}

async fn measure(
    api: &Api,
    sight: &Sight,
    params: &Params,
    step: Option<i64>,
    identity: Identity,
    rows_max: usize,
) -> Result<Vec<Volume>, Error> {
    let selector = selector(params)?;
    let range = params.range(telemetry::now())?;
    let limits = api.read_limits(sight);
    limits.check_query_length(&range).map_err(Error::bad_request)?;
    let scanner = api.scanner(params, &limits)?;
    let visible = limits.visible(&range, telemetry::now());
    let Some(range) = visible else { return Ok(Vec::new()) };
    let params = volume::Params { selector, range, step, identity, rows_max };
    let measured = volume::run(&scanner, sight, &params).await;
    let (volumes, _) = measured.map_err(|error| api.explain(error))?;
    Ok(volumes)
}

/// The streams that a query is about: what its pipeline does to their entries does not matter.
pub(super) fn selector(params: &Params) -> Result<Selector, Error> {
    let text = params.get("query").unwrap_or("");
    match (logql::parse_selector(text), logql::parse(text)) {
        (Ok(selector), _) => Ok(selector),
        (Err(_), Ok(ast::Query::Log(log))) => Ok(log.selector),
        (Err(error), _) => Err(Error::bad_request(error.to_string())),
    }
}
