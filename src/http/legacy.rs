//! `/api/prom/*`: the first version of Loki's API, as some agents and dashboards still speak it.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use axum::routing::get;

use super::encode::{JSON, respond, separated, text};
use super::error::Error;
use super::{Api, cost, metadata, query, tenant, told};
use crate::logql::{self, ast};
use crate::model::Labels;
use crate::model::labels::Quoted;
use crate::query::logs;
use crate::telemetry::{self, Stopwatch};

/// The routes of this family.
pub(super) fn routes() -> Router<Arc<Api>> {
    let values = get(metadata::label_values).post(metadata::label_values);
    Router::new()
        .route("/api/prom/query", get(range).post(range))
        .route("/api/prom/label", get(metadata::labels).post(metadata::labels))
        .route("/api/prom/label/{name}/values", values)
        .route("/api/prom/series", get(metadata::series).post(metadata::series))
}

/// Entries by stream, each stream named by the text of its labels.
async fn range(
    State(api): State<Arc<Api>>,
    method: Method,
    headers: HeaderMap,
    RawQuery(raw): RawQuery,
    body: Body,
) -> Result<Response, Error> {
    let stopwatch = Stopwatch::start();
    let params = query::params(&method, &headers, raw, body).await?;
    let sight = tenant::sight(&headers, &api.options)?;
    let now = telemetry::now();
    let range = params.range(now)?;
    let limit = params.limit()?;
    let limits = api.read_limits(&sight);
    limits.check_query_length(&range).map_err(Error::bad_request)?;
    limits.check_entries(limit).map_err(Error::bad_request)?;
    let mut query = params.get("query").unwrap_or("").to_string();
    if let Some(pattern) = params.get("regexp") {
        query = format!("{query} |~ {}", Quoted(pattern));
    }
    let parsed = logql::parse(&query).map_err(|error| Error::bad_request(error.to_string()))?;
    let ast::Query::Log(log) = parsed else {
        let text = "legacy endpoints only support streams result type, current type is matrix";
        return Err(Error::bad_request(text));
    };
    let query = ast::Query::Log(log);
    api.admit(&limits, &headers, params.get("query").unwrap_or(""), &query)?;
    let scanner = api.scanner(&params, &limits)?;
    let range = limits.visible(&range, now).unwrap_or(range.end..range.end);
    api.admit_bytes(&limits, &scanner, &sight, &query, &range).await?;
    let ast::Query::Log(log) = query else { unreachable!("it was one") };
    let wanted = logs::Params {
        range,
        limit: limit as usize,
        direction: params.direction()?,
        interval: params.interval()?,
        now,
    };
    let answer = logs::run(&scanner, &sight, &log, &wanted).await;
    let answer = answer.map_err(|error| api.explain(error))?;
    let mut out = String::from(r#"{"streams":["#);
    separated(&mut out, logs::by_labels(&answer.entries, true), |out, (labels, entries)| {
        let pairs = labels.iter().map(|(name, value)| (&**name, &**value));
        let labels = Labels::from_pairs(pairs).expect("names of an entry's labels are unique");
        out.push_str(r#"{"labels":"#);
        text(out, &labels.to_string());
        out.push_str(r#","entries":["#);
        separated(out, entries, |out, entry| {
            out.push_str(r#"{"ts":"#);
            text(out, &rfc3339(entry.timestamp.nanos()));
            out.push_str(r#","line":"#);
            text(out, &entry.line);
            out.push('}');
        });
        out.push_str("]}");
    });
    out.push(']');
    let cost = cost::Cost {
        stats: &answer.stats,
        elapsed: stopwatch.elapsed(),
        n_entries: answer.entries.len(),
        warnings: told::warnings(&scanner),
    };
    cost::stats(&mut out, &cost);
    out.push_str("}\n");
    Ok(respond(JSON, out))
}

/// As Go writes a time: no more digits than there are.
fn rfc3339(nanos: i64) -> String {
    let time = chrono::DateTime::from_timestamp_nanos(nanos);
    let rest = nanos.rem_euclid(1_000_000_000);
    let mut text = time.format("%Y-%m-%dT%H:%M:%S").to_string();
    if rest > 0 {
        text.push_str(format!(".{rest:09}").trim_end_matches('0'));
    }
    text.push('Z');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let check = |nanos: i64, expected: &str| assert_eq!(rfc3339(nanos), expected);
        check(1_700_000_000_000_000_000, "2023-11-14T22:13:20Z");
        check(1_700_000_000_120_000_000, "2023-11-14T22:13:20.12Z");
        check(1_700_000_000_000_000_001, "2023-11-14T22:13:20.000000001Z");
        check(-1, "1969-12-31T23:59:59.999999999Z");
    }
}
