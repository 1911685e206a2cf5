//! What the query endpoints answer, as values.
//!
//! In: JSON of `query` and `query_range`. Out: streams, series or a scalar. Text that is not such
//! an answer is an error that says where.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde::Deserialize;

use crate::model::Timestamp;

/// Names and values.
pub type LabelMap = BTreeMap<String, String>;

/// The result of a query.
#[derive(Debug, Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
pub enum Answer {
    /// Entries of a log query.
    Streams(Vec<Stream>),
    /// Values over time.
    Matrix(Vec<Series>),
    /// Values of one instant.
    Vector(Vec<Instant>),
    /// A number.
    Scalar(Sample),
}

/// Entries of one label set.
#[derive(Debug, Deserialize)]
pub struct Stream {
    /// Labels of the stream and of its entries.
    pub stream: LabelMap,
    /// Nanoseconds as text, line, and what else the server adds.
    values: Vec<Vec<serde_json::Value>>,
}

/// Values of one label set over time.
#[derive(Debug, Deserialize)]
pub struct Series {
    /// Its labels.
    pub metric: LabelMap,
    /// Its values, by time.
    pub values: Vec<Sample>,
}

/// The value of one label set.
#[derive(Debug, Deserialize)]
pub struct Instant {
    /// Its labels.
    pub metric: LabelMap,
    /// Its value.
    pub value: Sample,
}

/// Seconds since 1970, and a number as text: JSON has no NaN.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Sample(pub f64, pub String);

impl Sample {
    /// When.
    pub fn at(&self) -> Timestamp {
        Timestamp((self.0 * 1000.0).round() as i64 * 1_000_000)
    }
}

/// A log line with its labels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// Labels of its stream, and its own.
    pub labels: std::sync::Arc<LabelMap>,
    /// What.
    pub line: String,
}

/// Reads the body of a successful answer.
pub fn parse(body: &[u8]) -> anyhow::Result<Answer> {
    #[derive(Deserialize)]
    struct Envelope {
        data: Answer,
    }
    let envelope: Envelope =
        serde_json::from_slice(body).context("the server's answer is not one to a query")?;
    Ok(envelope.data)
}

/// The entries of all streams, by time. Entries of one time stay as the server has them.
pub fn in_order(streams: Vec<Stream>, forward: bool) -> anyhow::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for stream in streams {
        let labels = std::sync::Arc::new(stream.stream);
        for value in stream.values {
            let mut fields = value.into_iter();
            let at = fields.next().and_then(|at| at.as_str()?.parse().ok());
            let line = match fields.next() {
                Some(serde_json::Value::String(line)) => Some(line),
                _ => None,
            };
            let (at, line) = at.zip(line).context("an entry in the answer has no time or line")?;
            entries.push(Entry { at: Timestamp(at), labels: std::sync::Arc::clone(&labels), line });
        }
    }
    match forward {
        true => entries.sort_by_key(|entry| entry.at),
        false => entries.sort_by_key(|entry| std::cmp::Reverse(entry.at)),
    }
    Ok(entries)
}
