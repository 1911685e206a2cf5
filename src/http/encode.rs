//! Answers as JSON, in exactly the shapes and the key order that Grafana's streaming reader needs.
//!
//! Written by hand into one buffer: an answer of a hundred thousand lines is not worth a tree of
//! values. Numbers of nanoseconds and sample values are strings, sample times are numbers.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::cost::{Cost, stats};
use crate::logql::ast;
use crate::model::{Labels, Timestamp};
use crate::query::logs::{EntryLabels, LogAnswer, LogEntry, by_labels};
use crate::query::metric::{MetricAnswer, Series};
use crate::query::pages::Cursor;

pub(super) const JSON: &str = "application/json";
pub(super) const JSON_UTF8: &str = "application/json; charset=UTF-8";

/// `{"status":"success","data":["a","b"]}`; without names, `data` is left out, as Loki does.
pub(super) fn names(names: &BTreeSet<&str>) -> Response {
    let mut out = String::from(r#"{"status":"success""#);
    if !names.is_empty() {
        out.push_str(r#","data":["#);
        separated(&mut out, names, |out, name| text(out, name));
        out.push(']');
    }
    out.push_str("}\n");
    respond(JSON, out)
}

/// `{"status":"success","data":[{"a":"b"}]}`
pub(super) fn series(streams: &[Labels]) -> Response {
    let mut out = String::from(r#"{"status":"success","data":["#);
    separated(&mut out, streams, |out, labels| object(out, labels.iter()));
    out.push_str("]}\n");
    respond(JSON, out)
}

/// `{"status":"success","data":"..."}`
pub(super) fn formatted(query: &str) -> Response {
    let mut out = String::from(r#"{"status":"success","data":"#);
    text(&mut out, query);
    out.push_str("}\n");
    respond(JSON, out)
}

/// Entries, grouped by the labels they are shown under. `categorize` keeps labels apart by where
/// they come from; `next` is where to go on.
pub(super) fn streams(
    answer: &LogAnswer,
    categorize: bool,
    next: Option<Cursor>,
    cost: &Cost<'_>,
) -> Response {
    let mut out = String::from(r#"{"status":"success","#);
    warnings(&mut out, &cost.warnings);
    out.push_str(r#""data":{"resultType":"streams","#);
    if categorize {
        out.push_str(r#""encodingFlags":["categorize-labels"],"#);
    }
    out.push_str(r#""result":["#);
    let streams = by_labels(&answer.entries, !categorize);
    separated(&mut out, &streams, |out, (labels, entries)| {
        out.push_str(r#"{"stream":"#);
        object(out, labels.iter().map(|(name, value)| (&**name, &**value)));
        out.push_str(r#","values":["#);
        separated(out, entries, |out, log_entry| entry(out, log_entry, categorize));
        out.push_str("]}");
    });
    out.push(']');
    if let Some(next) = next {
        let _ = write!(out, ",\"next_cursor\":\"{next}\"");
    }
    stats(&mut out, cost);
    out.push_str("}}\n");
    respond(JSON_UTF8, out)
}

/// The answer where nothing of what was asked for may be seen.
pub(super) fn nothing(query: &ast::Query, instant: bool) -> Response {
    let stats = Arc::default();
    let cost = Cost { stats: &stats, elapsed: Duration::ZERO, n_entries: 0, warnings: Vec::new() };
    match query {
        ast::Query::Log(_) => {
            let answer = LogAnswer { entries: Vec::new(), stats: Arc::clone(&stats) };
            streams(&answer, false, None, &cost)
        }
        ast::Query::Metric(_) if instant => numbers(&MetricAnswer::Vector(Vec::new()), &cost),
        ast::Query::Metric(_) => numbers(&MetricAnswer::Matrix(Vec::new()), &cost),
    }
}

fn entry(out: &mut String, entry: &LogEntry, categorize: bool) {
    let _ = write!(out, "[\"{}\",", entry.timestamp.nanos());
    text(out, &entry.line);
    if categorize {
        out.push(',');
        entry_labels(out, &entry.labels);
    }
    out.push(']');
}

/// The labels that an entry has beside those of its stream, by where they come from.
pub(super) fn entry_labels(out: &mut String, labels: &EntryLabels) {
    out.push('{');
    let parts = [("structuredMetadata", &labels.metadata), ("parsed", &labels.parsed)];
    let present = parts.into_iter().filter(|(_, pairs)| !pairs.is_empty());
    separated(out, present, |out, (name, pairs)| {
        text(out, name);
        out.push(':');
        object(out, pairs.iter().map(|(name, value)| (&**name, &**value)));
    });
    out.push('}');
}

/// Numbers: a matrix, a vector or a scalar.
pub(super) fn numbers(answer: &MetricAnswer, cost: &Cost<'_>) -> Response {
    let mut out = String::from(r#"{"status":"success","#);
    warnings(&mut out, &cost.warnings);
    out.push_str(r#""data":{"resultType":"#);
    match answer {
        MetricAnswer::Matrix(series) => {
            out.push_str(r#""matrix","result":["#);
            separated(&mut out, series, |out, series| {
                metric(out, series);
                out.push_str(r#","values":["#);
                separated(out, &series.points, |out, (at, value)| sample(out, *at, *value));
                out.push_str("]}");
            });
            out.push(']');
        }
        MetricAnswer::Vector(series) => {
            out.push_str(r#""vector","result":["#);
            separated(&mut out, series, |out, series| {
                metric(out, series);
                out.push_str(r#","value":"#);
                let (at, value) = series.points[0];
                sample(out, at, value);
                out.push('}');
            });
            out.push(']');
        }
        MetricAnswer::Scalar(at, value) => {
            out.push_str(r#""scalar","result":"#);
            sample(&mut out, *at, *value);
        }
    }
    stats(&mut out, cost);
    out.push_str("}}\n");
    respond(JSON_UTF8, out)
}

fn metric(out: &mut String, series: &Series) {
    out.push_str(r#"{"metric":"#);
    object(out, series.labels.iter().map(|(name, value)| (&**name, &**value)));
}

/// `[1700000000.5,"1"]`: seconds with milliseconds where there are some, the value as text.
pub(super) fn sample(out: &mut String, at: Timestamp, value: f64) {
    let millis = at.nanos().div_euclid(1_000_000);
    let (seconds, rest) = (millis.div_euclid(1000), millis.rem_euclid(1000));
    let _ = write!(out, "[{seconds}");
    if rest != 0 {
        let fraction = format!("{rest:03}");
        let _ = write!(out, ".{}", fraction.trim_end_matches('0'));
    }
    out.push_str(",\"");
    number(out, value);
    out.push_str("\"]");
}

/// Go's shortest form without an exponent.
fn number(out: &mut String, value: f64) {
    let _ = match value {
        v if v.is_nan() => write!(out, "NaN"),
        v if v == f64::INFINITY => write!(out, "+Inf"),
        v if v == f64::NEG_INFINITY => write!(out, "-Inf"),
        v => write!(out, "{v}"),
    };
}

/// `"warnings":["..."],`, where there are some.
fn warnings(out: &mut String, warnings: &[String]) {
    if !warnings.is_empty() {
        out.push_str(r#""warnings":["#);
        separated(out, warnings, |out, warning| text(out, warning));
        out.push_str("],");
    }
}

pub(super) fn object<'a>(out: &mut String, pairs: impl Iterator<Item = (&'a str, &'a str)>) {
    out.push('{');
    separated(out, pairs, |out, (name, value)| {
        text(out, name);
        out.push(':');
        text(out, value);
    });
    out.push('}');
}

pub(super) fn separated<T>(
    out: &mut String,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut String, T),
) {
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write(out, item);
    }
}

/// A JSON string. `<`, `>` and `&` are escaped as Go does, so that an answer may stand in a page.
pub(super) fn text(out: &mut String, value: &str) {
    out.push('"');
    let mut rest = value;
    let special =
        |c: char| c < ' ' || matches!(c, '"' | '\\' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}');
    while let Some(at) = rest.find(special) {
        out.push_str(&rest[..at]);
        let c = rest[at..].chars().next().expect("it was just found");
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
        }
        rest = &rest[at + c.len_utf8()..];
    }
    out.push_str(rest);
    out.push('"');
}

pub(super) fn respond(kind: &'static str, body: String) -> Response {
    ([(header::CONTENT_TYPE, kind)], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings() {
        let check = |value: &str, expected: &str| {
            let mut out = String::new();
            text(&mut out, value);
            assert_eq!(out, expected);
            assert_eq!(serde_json::from_str::<String>(&out).ok().as_deref(), Some(value));
        };
        check("plain é", "\"plain é\"");
        check("a\"b\\c\n\t\r\u{1}", r#""a\"b\\c\n\t\r\u0001""#);
        check("<a>&", r#""\u003ca\u003e\u0026""#);
    }

    #[test]
    fn samples() {
        let check = |nanos: i64, value: f64, expected: &str| {
            let mut out = String::new();
            sample(&mut out, Timestamp(nanos), value);
            assert_eq!(out, expected);
        };
        check(1_700_000_000_000_000_000, 1.0, r#"[1700000000,"1"]"#);
        check(1_700_000_000_500_000_123, 0.1, r#"[1700000000.5,"0.1"]"#);
        check(0, f64::NAN, r#"[0,"NaN"]"#);
        check(0, f64::NEG_INFINITY, r#"[0,"-Inf"]"#);
        check(0, 1e21, r#"[0,"1000000000000000000000"]"#);
    }
}
