//! Whether a query may run: what its tenant's limits say of its text, and of how much it is about.
//!
//! In: a query and limits. Out: nothing, or why not in Loki's words. Nothing here reads lines.

use super::{Error, volume};
use crate::logql::ast;
use crate::model::blocked::QueryType;
use crate::model::limits::Limits;
use crate::model::{Selector, Sight, TimeRange, Timestamp};
use crate::query::volume::Identity;
use crate::scan::Scanner;

/// What can be said without the data. `tags`: what the client said of the query.
pub fn check(
    limits: &Limits,
    text: &str,
    query: &ast::Query,
    tags: &[(&str, &str)],
) -> Result<(), Error> {
    let kind = kind(query);
    if limits.blocked_queries.iter().any(|rule| rule.blocks(text, kind, tags)) {
        return Err(Error::BadQuery("query blocked by policy".into()));
    }
    let mut windows = Vec::new();
    let selectors = match query {
        ast::Query::Log(log) => vec![&log.selector],
        ast::Query::Metric(metric) => {
            aggregations(metric, &mut windows);
            windows.iter().map(|window| &window.log.selector).collect()
        }
    };
    for window in &windows {
        limits.check_window(window.window).map_err(Error::BadQuery)?;
    }
    selectors.iter().try_for_each(|selector| check_selector(limits, selector))
}

fn check_selector(limits: &Limits, selector: &Selector) -> Result<(), Error> {
    let (n, most) = (selector.matchers.len(), limits.max_streams_matchers_per_query);
    if most > 0 && n > most {
        return Err(Error::BadQuery(format!(
            "max streams matchers per query exceeded, matchers-count > limit ({n} > {most})"
        )));
    }
    let mut present: Vec<&str> = Vec::new();
    for matcher in &selector.matchers {
        if !present.contains(&matcher.name.as_str()) {
            present.push(&matcher.name);
        }
    }
    let required = limits.required_labels.iter().map(String::as_str);
    let missing: Vec<&str> = required.filter(|name| !present.contains(name)).collect();
    if !missing.is_empty() {
        return Err(Error::BadQuery(format!(
            "stream selector is missing required matchers [{}], \
             labels present in the query were [{}]",
            missing.join(", "),
            present.join(", ")
        )));
    }
    let (n, least) = (present.len(), limits.minimum_labels_number);
    if n < least {
        return Err(Error::BadQuery(format!(
            "stream selector has less label matchers than required: (present: [{}], \
             number_present: {n}, required_number_label_matchers: {least})",
            present.join(", ")
        )));
    }
    Ok(())
}

/// Whether the streams of the query hold no more than it may read.
pub async fn check_bytes(
    limits: &Limits,
    scanner: &Scanner,
    sight: &Sight,
    query: &ast::Query,
    range: &TimeRange,
) -> Result<(), Error> {
    if limits.max_query_bytes_read.is_empty() {
        return Ok(());
    }
    let mut windows = Vec::new();
    let parts = match query {
        ast::Query::Log(log) => vec![(log.selector.clone(), range.clone())],
        ast::Query::Metric(metric) => {
            aggregations(metric, &mut windows);
            windows.iter().map(|own| (own.log.selector.clone(), seen(own, range))).collect()
        }
    };
    let mut bytes = 0;
    for (selector, range) in parts {
        // All streams together are one row: it has none of their labels.
        let identity = Identity::Labels { names: Vec::new(), all: false };
        let params = volume::Params { selector, range, step: None, identity, rows_max: 1 };
        let (volumes, _) = volume::run(scanner, sight, &params).await?;
        bytes += volumes.iter().map(|volume| volume.total().bytes).sum::<u64>();
    }
    limits.check_bytes_read(bytes).map_err(Error::BadQuery)
}

/// The entries that the windows of an aggregation cover.
fn seen(own: &ast::RangeAggregation, range: &TimeRange) -> TimeRange {
    let moved = |at: Timestamp| Timestamp(at.nanos().saturating_sub(own.offset_nanos));
    moved(range.start).before(own.window)..Timestamp(moved(range.end).nanos().saturating_add(1))
}

fn kind(query: &ast::Query) -> QueryType {
    let ast::Query::Log(log) = query else { return QueryType::Metric };
    let is_filter =
        |stage: &ast::Stage| matches!(stage, ast::Stage::Line(_) | ast::Stage::Label(_));
    if log.pipeline.iter().any(is_filter) { QueryType::Filter } else { QueryType::Limited }
}

fn aggregations<'q>(metric: &'q ast::Metric, found: &mut Vec<&'q ast::RangeAggregation>) {
    match metric {
        ast::Metric::Range(own) => found.push(own),
        ast::Metric::Vector(own) => aggregations(&own.inner, found),
        ast::Metric::Binary(own) => {
            aggregations(&own.left, found);
            aggregations(&own.right, found);
        }
        ast::Metric::LabelReplace(own) => aggregations(&own.inner, found),
        ast::Metric::Literal(_) | ast::Metric::Constant(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logql::parse;

    fn check_with(yaml: &str, query: &str, expected: Result<(), &str>) {
        let limits: Limits = serde_norway::from_str(yaml).expect(yaml);
        let parsed = parse(query).expect(query);
        let found = check(&limits, query, &parsed, &[("Source", "x")]);
        let found = found.map_err(|error| error.to_string());
        assert_eq!(found, expected.map_err(String::from), "{yaml}: {query}");
    }

    #[test]
    fn windows() {
        let check = |query: &str, expected| check_with("max_query_range: 1h", query, expected);
        let refused = Err("[interval] value exceeds limit: [1h1m] > [1h]");
        check(r#"rate({a="b"}[1h])"#, Ok(()));
        check(r#"rate({a="b"}[61m])"#, refused);
        check(r#"1 + sum(label_replace(rate({a="b"}[61m]), "a", "b", "c", "d"))"#, refused);
        check(r#"{a="b"}"#, Ok(()));
    }

    #[test]
    fn matchers_of_selectors() {
        let check = |query: &str, expected| {
            check_with("max_streams_matchers_per_query: 2", query, expected);
        };
        let refused =
            Err("max streams matchers per query exceeded, matchers-count > limit (3 > 2)");
        check(r#"{a="b", a!="c"}"#, Ok(()));
        check(r#"{a="b", a!="c", a!="d"}"#, refused);
        check(r#"1 + rate({a="b", a!="c", a!="d"}[1m])"#, refused);
    }

    #[test]
    fn labels_of_selectors() {
        let required =
            |query: &str, expected| check_with("required_labels: [a, c]", query, expected);
        let text = "stream selector is missing required matchers [c], \
                    labels present in the query were [a, b]";
        required(r#"{a="b", c="d"}"#, Ok(()));
        required(r#"{a="b", b="x"} |= "c""#, Err(text));
        required(r#"rate({a="b", c="d"}[1m]) / rate({a="b", b="x"}[1m])"#, Err(text));
        let number =
            |query: &str, expected| check_with("minimum_labels_number: 2", query, expected);
        number(r#"{a="b", c="d"}"#, Ok(()));
        number(
            r#"{a="b", a!="c"}"#,
            Err("stream selector has less label matchers than required: \
                 (present: [a], number_present: 1, required_number_label_matchers: 2)"),
        );
    }

    #[test]
    fn blocked_queries_by_their_kind() {
        let check = |types: &str, query: &str, is_blocked: bool| {
            let yaml = format!("blocked_queries: [{{types: {types}}}]");
            let expected = if is_blocked { Err("query blocked by policy") } else { Ok(()) };
            check_with(&yaml, query, expected);
        };
        check("limited", r#"{a="b"} | json"#, true);
        check("limited", r#"{a="b"} | json | c="d""#, false);
        check("filter", r#"{a="b"} |= "c""#, true);
        check("metric", r#"rate({a="b"}[1m])"#, true);
        check("'metric,limited'", r#"{a="b"} |= "c""#, false);
    }
}
