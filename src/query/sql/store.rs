//! Rows that SQL stores: `INSERT INTO logs`, `COPY logs FROM STDIN`.
//!
//! In go batches of rows; out go pushes, through the same validation and the same Raft groups as any
//! other: what was stored when the statement is done is on disk on a majority and seen by every
//! later read. A row that may not be stored refuses its batch.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit, TimestampNanosecondType};
use drave_sql::SourceError;
use futures::future::join_all;
use serde_json::{Map, Value, json};

use super::{FIXED, LogsSource, prefixed};
use crate::ingest::{self, Context};
use crate::model::Tenant;
use crate::telemetry;

/// The columns that rows come with, where a statement names these.
pub(super) fn target(columns: &[String]) -> Result<SchemaRef, SourceError> {
    if columns.is_empty() {
        let text = "name the columns to store: timestamp, line, and at least one label";
        return Err(SourceError::Invalid(text.into()));
    }
    let mut fields = Vec::with_capacity(columns.len());
    for name in columns {
        fields.push(match name.as_str() {
            "timestamp" => Field::new(
                name,
                DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
                true,
            ),
            "stream_id" | "level" => {
                let text = format!("column \"{name}\" is computed: it cannot be stored");
                return Err(SourceError::Invalid(text));
            }
            _ => Field::new(name, DataType::Utf8, true),
        });
    }
    if !columns.iter().any(|name| name == "line") {
        return Err(SourceError::Invalid("column \"line\" is needed to store rows".into()));
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// Stores rows as one push.
pub(super) async fn append(
    source: &LogsSource,
    tenant: &str,
    rows: RecordBatch,
) -> Result<(), SourceError> {
    let tenant = Tenant::parse(tenant).map_err(|_| SourceError::NoDatabase(tenant.into()))?;
    let cluster = source.scanner.cluster().clone();
    let limits = Arc::clone(source.limits.borrow().of(&tenant));
    let streams = Arc::clone(&source.streams);
    let n_shards = cluster.n_shards();
    let decoded = source.scanner.pool().run(move || {
        let now = telemetry::now();
        let body = push_of(&rows, now.nanos()).map_err(SourceError::NotStored)?;
        let context = Context {
            tenant: &tenant,
            limits: &limits,
            now,
            n_shards,
            atomic: true,
            policy: None,
            backfill: None,
            cache: &streams,
        };
        let accepted = ingest::push(body.into(), Some("application/json"), None, &context);
        accepted.map_err(|refused| match refused.status {
            429 | 503 => SourceError::Limit(refused.message),
            _ => SourceError::NotStored(refused.message),
        })
    });
    let accepted = decoded.await?;
    let appends = accepted.shards.into_iter().map(|(shard, batch)| {
        let cluster = cluster.clone();
        async move { cluster.append(shard, batch).await }
    });
    for result in join_all(appends).await {
        result.map_err(|error| SourceError::Unavailable(error.to_string()))?;
    }
    Ok(())
}

/// Rows as the body of a push, one stream object for each set of labels.
fn push_of(rows: &RecordBatch, now: i64) -> Result<String, String> {
    let schema = rows.schema();
    let mut streams = BTreeMap::<String, Vec<Value>>::new();
    for row in 0..rows.num_rows() {
        let (mut labels, mut metadata) = (Map::new(), Map::new());
        // Rows without a time are as many as they are, though they may be equal otherwise.
        let (mut at, mut line) = (now.saturating_add(row as i64), None);
        for (field, column) in schema.fields().iter().zip(rows.columns()) {
            if column.is_null(row) {
                continue;
            }
            let text = || column.as_string::<i32>().value(row).to_string();
            match field.name().as_str() {
                "timestamp" => at = column.as_primitive::<TimestampNanosecondType>().value(row),
                "line" => line = Some(text()),
                "labels" => {
                    for (name, value) in object("labels", &text())? {
                        put_label(&mut labels, &name, value)?;
                    }
                }
                "structured_metadata" => {
                    metadata.append(&mut object("structured_metadata", &text())?);
                }
                name => {
                    let fixed = FIXED.iter().find(|fixed| prefixed(fixed) == name);
                    put_label(&mut labels, fixed.copied().unwrap_or(name), text().into())?;
                }
            }
        }
        let line = line.ok_or("null value in column \"line\" violates not-null constraint")?;
        if labels.is_empty() {
            return Err("a row needs at least one label: name a label column, or labels".into());
        }
        let labels = Value::Object(labels).to_string();
        let value = match metadata.is_empty() {
            true => json!([at.to_string(), line]),
            false => json!([at.to_string(), line, metadata]),
        };
        streams.entry(labels).or_default().push(value);
    }
    // The labels are JSON already.
    let mut body = String::from("{\"streams\":[");
    for (index, (labels, values)) in streams.into_iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        let values = Value::Array(values);
        body.push_str(&format!("{comma}{{\"stream\":{labels},\"values\":{values}}}"));
    }
    body.push_str("]}");
    Ok(body)
}

/// Adds a label, of which a row may say one thing only.
fn put_label(labels: &mut Map<String, Value>, name: &str, value: Value) -> Result<(), String> {
    match labels.get(name) {
        Some(known) if *known != value => {
            Err(format!("label \"{name}\" is {known} and {value} in one row"))
        }
        _ => {
            labels.insert(name.to_owned(), value);
            Ok(())
        }
    }
}

/// An object of texts.
fn object(column: &str, text: &str) -> Result<Map<String, Value>, String> {
    let wrong = || format!("column \"{column}\" must be a JSON object of texts");
    let map: Map<String, Value> = serde_json::from_str(text).map_err(|_| wrong())?;
    match map.values().all(Value::is_string) {
        true => Ok(map),
        false => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, StringArray, TimestampNanosecondArray};

    use super::*;

    fn batch(columns: &[(&str, &[Option<&str>])]) -> RecordBatch {
        let arrays = columns.iter().map(|(name, cells)| {
            let array: ArrayRef = match *name {
                "timestamp" => {
                    let times = cells.iter().map(|cell| cell.map(|cell| cell.parse().unwrap()));
                    Arc::new(times.collect::<TimestampNanosecondArray>().with_timezone("UTC"))
                }
                _ => Arc::new(cells.iter().collect::<StringArray>()),
            };
            (name.to_string(), array)
        });
        RecordBatch::try_from_iter(arrays).unwrap()
    }

    #[test]
    fn rows_become_a_push() {
        let rows = batch(&[
            ("timestamp", &[Some("5"), None, Some("7")]),
            ("line", &[Some("a"), Some("b\""), Some("c")]),
            ("app", &[Some("x"), Some("x"), None]),
            ("label_level", &[None, None, Some("l")]),
            ("structured_metadata", &[None, None, Some(r#"{"k":"v"}"#)]),
        ]);
        let body: Value = serde_json::from_str(&push_of(&rows, 99).unwrap()).unwrap();
        let expected = json!({"streams": [
            {"stream": {"app": "x"}, "values": [["5", "a"], ["100", "b\""]]},
            {"stream": {"level": "l"}, "values": [["7", "c", {"k": "v"}]]},
        ]});
        assert_eq!(body, expected);
    }

    #[test]
    fn what_may_not_be_stored() {
        let check = |columns: &[(&str, &[Option<&str>])], expected: &str| {
            let error = push_of(&batch(columns), 0).unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        check(&[("line", &[Some("a")])], "at least one label");
        check(&[("line", &[None]), ("app", &[Some("x")])], "not-null");
        check(&[("line", &[Some("a")]), ("labels", &[Some("[]")])], "JSON object");
        check(&[("line", &[Some("a")]), ("labels", &[Some(r#"{"a":1}"#)])], "JSON object");
        check(
            &[("line", &[Some("a")]), ("app", &[Some("x")]), ("labels", &[Some(r#"{"app":"y"}"#)])],
            "in one row",
        );
        assert!(target(&["line".into(), "level".into()]).is_err());
        assert!(target(&["app".into()]).is_err());
        assert!(target(&[]).is_err());
    }
}
