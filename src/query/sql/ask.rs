//! `logql('...')`: a LogQL query as a table.
//!
//! ```text
//! logql('{app="web"} |= "x"', '-1h', 'now')           timestamp | line | labels
//! logql('rate({app="web"}[1m])', '-1h', 'now', '30s') timestamp | value | labels
//! ```
//!
//! Without a start it is the last hour; a query for numbers without a step is asked once, at its
//! end. The answer is the one that HTTP gives, whole: there is no limit but that of memory.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampNanosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use drave_sql::{Answer, Moment, Question, SourceError, async_trait};
use tokio::sync::watch;

use crate::logql::{self, ast};
use crate::model::overrides::Overrides;
use crate::model::{Tenant, Timestamp};
use crate::query::{Error, logs, metric};
use crate::scan::Scanner;
use crate::telemetry;

/// The name of the function.
pub(super) const NAME: &str = "logql";

const HOUR: i64 = 3_600_000_000_000;

/// Understands a query.
pub(super) fn ask(
    scanner: Scanner,
    limits: watch::Receiver<Arc<Overrides>>,
    question: Question,
) -> Result<Arc<dyn Answer>, SourceError> {
    let query = logql::parse(&question.text);
    let query = query.map_err(|error| SourceError::Invalid(error.to_string()))?;
    Ok(Arc::new(Asked { scanner, limits, query, question }))
}

struct Asked {
    scanner: Scanner,
    limits: watch::Receiver<Arc<Overrides>>,
    query: ast::Query,
    question: Question,
}

#[async_trait]
impl Answer for Asked {
    fn schema(&self) -> SchemaRef {
        let utc = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
        let value = match self.query {
            ast::Query::Log(_) => Field::new("line", DataType::Utf8, false),
            ast::Query::Metric(_) => Field::new("value", DataType::Float64, false),
        };
        let labels = Field::new("labels", DataType::Utf8, false);
        Arc::new(Schema::new(vec![Field::new("timestamp", utc, false), value, labels]))
    }

    async fn rows(&self, tenant: &str) -> Result<RecordBatch, SourceError> {
        let tenant = Tenant::parse(tenant).map_err(|_| SourceError::NoDatabase(tenant.into()))?;
        let now = telemetry::now();
        let at = |moment: Moment| match moment {
            Moment::At(at) => at,
            Moment::Ago(span) => now.nanos().saturating_sub(span),
        };
        let end = self.question.end.map_or(now.nanos(), at);
        let start = self.question.start.map_or(end.saturating_sub(HOUR), at);
        if start > end {
            return Err(SourceError::Invalid("the start is after the end".into()));
        }
        let (times, value, labels) = match &self.query {
            ast::Query::Log(query) => self.entries(&tenant, query, start..end, now).await?,
            ast::Query::Metric(query) => self.numbers(&tenant, query, start, end, now).await?,
        };
        let times = Arc::new(TimestampNanosecondArray::from(times).with_timezone("UTC"));
        let labels = Arc::new(StringArray::from_iter_values(labels));
        RecordBatch::try_new(self.schema(), vec![times, value, labels])
            .map_err(|error| SourceError::Internal(error.to_string()))
    }
}

impl Asked {
    async fn entries(
        &self,
        tenant: &Tenant,
        query: &ast::LogQuery,
        range: std::ops::Range<i64>,
        now: Timestamp,
    ) -> Result<(Vec<i64>, ArrayRef, Vec<String>), SourceError> {
        let params = logs::Params {
            range: Timestamp(range.start)..Timestamp(range.end),
            limit: usize::MAX,
            direction: logs::Direction::Forward,
            interval: Duration::ZERO,
            now,
        };
        let answer =
            logs::run(&self.scanner, &tenant.into(), query, &params).await.map_err(explain)?;
        let entries = &answer.entries;
        let times = entries.iter().map(|entry| entry.timestamp.nanos()).collect();
        let lines = StringArray::from_iter_values(entries.iter().map(|entry| &entry.line));
        let labels = entries.iter().map(|entry| {
            let of = &entry.labels;
            let all = of.stream.iter().chain(&of.metadata).chain(&of.parsed);
            json(all.map(|(name, value)| (name.as_ref(), value.as_ref())))
        });
        Ok((times, Arc::new(lines), labels.collect()))
    }

    async fn numbers(
        &self,
        tenant: &Tenant,
        query: &ast::Metric,
        start: i64,
        end: i64,
        now: Timestamp,
    ) -> Result<(Vec<i64>, ArrayRef, Vec<String>), SourceError> {
        let step = self.question.step.and_then(|step| u64::try_from(step).ok());
        let params = metric::Params {
            start: Timestamp(if step.is_some() { start } else { end }),
            end: Timestamp(end),
            step: Duration::from_nanos(step.unwrap_or(1_000_000_000)),
            instant: step.is_none(),
            series_max: self.limits.borrow().of(tenant).max_query_series,
            partial: false,
            now,
        };
        let run = metric::run(&self.scanner, &tenant.into(), query, &params).await;
        let (answer, _) = run.map_err(explain)?;
        let series = match answer {
            metric::MetricAnswer::Matrix(series) | metric::MetricAnswer::Vector(series) => series,
            metric::MetricAnswer::Scalar(at, value) => {
                vec![metric::Series { labels: Vec::new(), points: vec![(at, value)] }]
            }
        };
        let (mut times, mut values, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        for series in series {
            let text = json(series.labels.iter().map(|(n, v)| (n.as_ref(), v.as_ref())));
            for (at, value) in series.points {
                times.push(at.nanos());
                values.push(value);
                labels.push(text.clone());
            }
        }
        Ok((times, Arc::new(Float64Array::from(values)), labels))
    }
}

fn json<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let map: std::collections::BTreeMap<&str, &str> = pairs.collect();
    serde_json::to_string(&map).expect("texts are JSON")
}

fn explain(error: Error) -> SourceError {
    match error {
        Error::BadQuery(text) | Error::Matching(text) => SourceError::Invalid(text),
        Error::TooLarge { .. } => SourceError::Limit(error.to_string()),
        Error::NoMemory => SourceError::Unavailable(error.to_string()),
        Error::Scan(error) => super::explain(error),
    }
}
