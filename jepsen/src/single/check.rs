//! Reads everything back and compares it with the history.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use anyhow::Context;

use super::history::History;
use super::node::Node;
use super::workload::{T, line};

/// Lines that one query asks for.
const PAGE: u64 = 50_000;

/// What reading back found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    acknowledged: u64,
    /// Acknowledged lines that no read gives.
    lost: u64,
    /// Lines that a read gives more than once.
    duplicated: u64,
    /// Lines that nobody pushed, or that differ from what was pushed.
    foreign: u64,
    /// `sum(count_over_time(...))`
    counted_by_logql: u64,
    /// `select count(*)`
    counted_by_sql: u64,
    read: u64,
}

/// The outcome of a test.
#[derive(Debug)]
pub(crate) struct Verdict {
    kills: u32,
    before_flush: Found,
    after_flush: Found,
    slowest_start: Duration,
}

impl Verdict {
    pub(crate) fn new(kills: u32, before: Found, after: Found, starts: &[Duration]) -> Verdict {
        let slowest_start = starts.iter().max().copied().unwrap_or_default();
        Verdict { kills, before_flush: before, after_flush: after, slowest_start }
    }

    pub(crate) fn is_good(&self) -> bool {
        [&self.before_flush, &self.after_flush].into_iter().all(Found::is_good)
    }
}

impl Found {
    fn is_good(&self) -> bool {
        self.lost == 0
            && self.duplicated == 0
            && self.foreign == 0
            && self.counted_by_logql == self.read
            && self.counted_by_sql == self.read
    }
}

pub(crate) async fn check(node: &Node, history: &History) -> anyhow::Result<Found> {
    let acknowledged = history.all_acknowledged();
    let end = acknowledged.iter().map(|push| push.lines.end).max().unwrap_or(0);
    let mut seen: HashMap<u64, u64> = HashMap::new();
    let mut found = Found::default();
    for first in (0..end).step_by(PAGE as usize) {
        read_page(node, first..(first + PAGE).min(end), &mut seen, &mut found).await?;
    }
    for n in acknowledged.into_iter().flat_map(|push| push.lines) {
        found.acknowledged += 1;
        found.lost += u64::from(!seen.contains_key(&n));
    }
    found.duplicated = seen.values().filter(|times| **times > 1).count() as u64;
    found.read = seen.values().sum();
    let time = ((T / 1_000_000_000) + 3600).to_string();
    let query = r#"sum(count_over_time({app="jepsen"}[2h]))"#;
    let counted = node.get("/loki/api/v1/query", &[("query", query), ("time", &time)]).await?;
    let value = counted["data"]["result"][0]["value"][1].as_str().context("a count")?;
    found.counted_by_logql = value.parse()?;
    let row = node.sql().await?.query_one("select count(*) from logs", &[]).await?;
    found.counted_by_sql = u64::try_from(row.get::<_, i64>(0))?;
    Ok(found)
}

async fn read_page(
    node: &Node,
    numbers: std::ops::Range<u64>,
    seen: &mut HashMap<u64, u64>,
    found: &mut Found,
) -> anyhow::Result<()> {
    let (start, end) = ((T + numbers.start).to_string(), (T + numbers.end).to_string());
    let limit = (numbers.end - numbers.start + PAGE).to_string();
    let params = [
        ("query", r#"{app="jepsen"}"#),
        ("start", &start),
        ("end", &end),
        ("limit", &limit),
        ("direction", "forward"),
    ];
    let answer = node.get("/loki/api/v1/query_range", &params).await?;
    for stream in answer["data"]["result"].as_array().context("streams")? {
        for value in stream["values"].as_array().context("values")? {
            let at: u64 = value[0].as_str().context("a time")?.parse()?;
            let text = value[1].as_str().context("a line")?;
            let n = at.wrapping_sub(T);
            if numbers.contains(&n) && text == line(n) {
                *seen.entry(n).or_default() += 1;
            } else {
                found.foreign += 1;
            }
        }
    }
    Ok(())
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "kills {}, slowest start {:?}", self.kills, self.slowest_start)?;
        for (when, found) in
            [("before flush", &self.before_flush), ("after flush", &self.after_flush)]
        {
            writeln!(
                f,
                "{when}: acknowledged {}, lost {}, duplicated {}, foreign {}; \
                 read {}, counted by LogQL {}, by SQL {}",
                found.acknowledged,
                found.lost,
                found.duplicated,
                found.foreign,
                found.read,
                found.counted_by_logql,
                found.counted_by_sql,
            )?;
        }
        write!(f, "verdict: {}", if self.is_good() { "good" } else { "BROKEN" })
    }
}
