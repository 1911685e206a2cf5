//! `detected_labels` and `detected_fields`: what there is to filter and group by.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use axum::routing::get;

use super::encode::{JSON, respond, separated, text};
use super::error::Error;
use super::params::Params;
use super::{Api, index, query, tenant};
use crate::logql::{self, ast};
use crate::model::Selector;
use crate::query::detected::{self, Field, Kind};
use crate::query::logs::{self, Direction, LogEntry};
use crate::scan::Selection;
use crate::telemetry;

/// Fields of an answer where the request does not say.
const FIELDS_DEFAULT: u32 = 1000;
/// Lines that are looked at where the request does not say.
const LINES_DEFAULT: u32 = 100;

/// The routes of this family.
pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/loki/api/v1/detected_labels", get(labels).post(labels))
        .route("/loki/api/v1/detected_fields", get(fields).post(fields))
        .route("/loki/api/v1/detected_field/{name}/values", get(values).post(values))
}

async fn labels(
    State(api): State<Arc<Api>>,
    method: Method,
    headers: HeaderMap,
    RawQuery(raw): RawQuery,
    body: Body,
) -> Result<Response, Error> {
    let params = query::params(&method, &headers, raw, body).await?;
    let sight = tenant::sight(&headers, &api.options)?;
    let range = params.range(telemetry::now())?;
    let selector = match params.get("query") {
        None => Selector::default(),
        Some(_) => index::selector(&params)?,
    };
    let limits = api.read_limits(&sight);
    let scanner = api.scanner(&params, &limits)?;
    let snapshot = scanner.snapshot(&sight).await.map_err(query::scan_error)?;
    let visible = limits.visible(&range, telemetry::now());
    let selection = Selection::Selector(selector);
    let streams = match visible {
        None => Vec::new(),
        Some(range) => {
            let streams = scanner.streams(&snapshot, &selection, &range).await;
            streams.map_err(query::scan_error)?
        }
    };
    let labels = detected::labels(&streams);
    if labels.is_empty() {
        return Ok(respond(JSON, "{}\n".into()));
    }
    let mut out = String::from(r#"{"detectedLabels":["#);
    separated(&mut out, labels, |out, (name, cardinality)| {
        out.push_str(r#"{"label":"#);
        text(out, name);
        out.push_str(&format!(",\"cardinality\":{cardinality}}}"));
    });
    out.push_str("]}\n");
    Ok(respond(JSON, out))
}

async fn fields(
    State(api): State<Arc<Api>>,
    method: Method,
    headers: HeaderMap,
    RawQuery(raw): RawQuery,
    body: Body,
) -> Result<Response, Error> {
    let params = query::params(&method, &headers, raw, body).await?;
    let limit = fields_max(&params)?;
    let entries = entries(&api, &headers, &params).await?;
    let fields = detected::fields(&entries, limit as usize);
    if fields.is_empty() {
        return Ok(respond(JSON, "{}\n".into()));
    }
    let mut out = String::from(r#"{"fields":["#);
    separated(&mut out, &fields, |out, (name, field)| encode_field(out, name, field));
    out.push_str(&format!("],\"limit\":{limit}}}\n"));
    Ok(respond(JSON, out))
}

fn encode_field(out: &mut String, name: &str, field: &Field) {
    out.push_str(r#"{"label":"#);
    text(out, name);
    let kind = field.kind.unwrap_or(Kind::Text).as_str();
    out.push_str(&format!(r#","type":"{kind}","cardinality":{},"#, field.values.len()));
    if field.parsers.is_empty() {
        out.push_str(r#""parsers":null"#);
    } else {
        out.push_str(r#""parsers":["#);
        separated(out, &field.parsers, |out, parser| text(out, parser.as_str()));
        out.push(']');
    }
    if !field.path.is_empty() {
        out.push_str(r#","jsonPath":["#);
        separated(out, &field.path, |out, key| text(out, key));
        out.push(']');
    }
    out.push('}');
}

async fn values(
    State(api): State<Arc<Api>>,
    Path(name): Path<String>,
    method: Method,
    headers: HeaderMap,
    RawQuery(raw): RawQuery,
    body: Body,
) -> Result<Response, Error> {
    let params = query::params(&method, &headers, raw, body).await?;
    let limit = fields_max(&params)?;
    let entries = entries(&api, &headers, &params).await?;
    // Every field is looked for: the limit is one of values here.
    let fields = detected::fields(&entries, usize::MAX);
    let values = fields.get(&name).map_or(&[][..], |field| &field.values);
    if values.is_empty() {
        return Ok(respond(JSON, "{}\n".into()));
    }
    let mut out = String::from(r#"{"values":["#);
    separated(&mut out, values.iter().take(limit as usize), |out, value| text(out, value));
    out.push_str(&format!("],\"limit\":{limit}}}\n"));
    Ok(respond(JSON, out))
}

fn fields_max(params: &Params) -> Result<u32, Error> {
    let name = if params.get("limit").is_some() { "limit" } else { "field_limit" };
    params.count(name, FIELDS_DEFAULT)
}

/// The newest entries of the query: the sample that fields are looked for in.
async fn entries(api: &Api, headers: &HeaderMap, params: &Params) -> Result<Vec<LogEntry>, Error> {
    let sight = tenant::sight(headers, &api.options)?;
    let now = telemetry::now();
    let range = params.range(now)?;
    params.step(&range)?;
    let limit = params.count("line_limit", LINES_DEFAULT)?;
    let limits = api.read_limits(&sight);
    limits.check_query_length(&range).map_err(Error::bad_request)?;
    limits.check_entries(limit).map_err(Error::bad_request)?;
    let parsed = logql::parse(params.get("query").unwrap_or(""));
    let log = match parsed.map_err(|error| Error::bad_request(error.to_string()))? {
        ast::Query::Log(log) => log,
        ast::Query::Metric(_) => {
            return Err(Error::bad_request("only log selector is supported"));
        }
    };
    let range = limits.visible(&range, now).unwrap_or(range.end..range.end);
    let wanted = logs::Params {
        range,
        limit: limit as usize,
        direction: Direction::Backward,
        interval: std::time::Duration::ZERO,
        now,
    };
    let answer = logs::run(&api.scanner(params, &limits)?, &sight, &log, &wanted).await;
    Ok(answer.map_err(|error| api.explain(error))?.entries)
}
