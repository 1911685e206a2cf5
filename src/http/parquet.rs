//! `Accept: application/vnd.apache.parquet`: the answer to a query as a table.
//!
//! Entries become `timestamp`, `labels`, `line`; numbers `timestamp`, `labels`, `value`, a row for
//! each point. What JSON says beside the answer (statistics, the cursor, warnings) has no place here.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Builder, MapBuilder, StringBuilder, TimestampNanosecondBuilder,
};
use arrow::record_batch::RecordBatch;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;

use super::error::Error;
use crate::model::Timestamp;
use crate::query::logs::{LogAnswer, Pairs, shown};
use crate::query::metric::MetricAnswer;

const KIND: &str = "application/vnd.apache.parquet";

/// Whether the client wants a table.
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    let accept = headers.get_all(header::ACCEPT).iter().flat_map(|value| value.to_str());
    accept.flat_map(|value| value.split([',', ';'])).any(|kind| kind.trim() == KIND)
}

/// Entries, each with all of its labels.
pub(super) fn streams(answer: &LogAnswer) -> Result<Response, Error> {
    let mut rows = Rows::new();
    let mut lines = StringBuilder::new();
    for entry in &answer.entries {
        rows.add(entry.timestamp, &shown(&entry.labels, true));
        lines.append_value(&entry.line);
    }
    rows.respond("line", Arc::new(lines.finish()))
}

/// Numbers, a row for each point of a series.
pub(super) fn numbers(answer: &MetricAnswer) -> Result<Response, Error> {
    let mut rows = Rows::new();
    let mut values = Float64Builder::new();
    match answer {
        MetricAnswer::Matrix(series) | MetricAnswer::Vector(series) => {
            for series in series {
                for (at, value) in &series.points {
                    rows.add(*at, &series.labels);
                    values.append_value(*value);
                }
            }
        }
        MetricAnswer::Scalar(at, value) => {
            rows.add(*at, &Pairs::new());
            values.append_value(*value);
        }
    }
    rows.respond("value", Arc::new(values.finish()))
}

/// The columns that both tables have.
struct Rows {
    times: TimestampNanosecondBuilder,
    labels: MapBuilder<StringBuilder, StringBuilder>,
}

impl Rows {
    fn new() -> Rows {
        let labels = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
        Rows { times: TimestampNanosecondBuilder::new().with_timezone("UTC"), labels }
    }

    fn add(&mut self, at: Timestamp, labels: &Pairs) {
        self.times.append_value(at.nanos());
        for (name, value) in labels {
            self.labels.keys().append_value(name);
            self.labels.values().append_value(value);
        }
        self.labels.append(true).expect("as many values as keys");
    }

    fn respond(mut self, name: &str, last: ArrayRef) -> Result<Response, Error> {
        let times: ArrayRef = Arc::new(self.times.finish());
        let labels: ArrayRef = Arc::new(self.labels.finish());
        let columns = [("timestamp", times), ("labels", labels), (name, last)];
        let batch = RecordBatch::try_from_iter(columns).expect("columns of one length");
        let body = written(&batch).map_err(|error| {
            Error::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the table: {error}"))
        })?;
        Ok(([(header::CONTENT_TYPE, KIND)], body).into_response())
    }
}

fn written(batch: &RecordBatch) -> Result<Vec<u8>, ParquetError> {
    let mut out = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut out, batch.schema(), None)?;
    writer.write(batch)?;
    writer.close()?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{Float64Type, TimestampNanosecondType};
    use http_body_util::BodyExt;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;
    use crate::query::metric::Series;

    #[tokio::test]
    async fn points_read_back() {
        let series = |app: &str, points: &[(i64, f64)]| Series {
            labels: vec![("app".into(), app.into())],
            points: points.iter().map(|(at, value)| (Timestamp(*at), *value)).collect(),
        };
        let answer = MetricAnswer::Matrix(vec![
            series("a", &[(5, 1.5), (6, 2.0)]),
            series("b", &[(5, 7.0)]),
        ]);
        let response = numbers(&answer).expect("a table");
        assert_eq!(response.headers()[header::CONTENT_TYPE], KIND);
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        let reader = ParquetRecordBatchReaderBuilder::try_new(body).expect("a table");
        let batches: Vec<_> = reader.build().expect("a table").collect();
        let batch = batches[0].as_ref().expect("rows");
        let names: Vec<_> = batch.schema().fields().iter().map(|f| f.name().clone()).collect();
        assert_eq!(names, ["timestamp", "labels", "value"]);
        let times = batch.column(0).as_primitive::<TimestampNanosecondType>();
        assert_eq!(times.values().to_vec(), [5, 6, 5]);
        let values = batch.column(2).as_primitive::<Float64Type>();
        assert_eq!(values.values().to_vec(), [1.5, 2.0, 7.0]);
        let labels = batch.column(1).as_map().value(2);
        assert_eq!(labels.column(1).as_string::<i32>().value(0), "b");
        assert_eq!(labels.len(), 1);
    }
}
