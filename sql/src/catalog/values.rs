//! Rows of a system relation, from what is said of them: the rest is what Postgres has there for
//! nothing in particular.
//!
//! In go rows as names with values; out comes a batch of the relation's shape. A column that a row
//! does not name is null where it may be, else zero, false or empty.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Float32Array, Float64Array, Int16Array, Int16Builder, Int32Array,
    Int32Builder, Int64Array, ListBuilder, RecordBatch, RecordBatchOptions, StringArray,
    StringBuilder, TimestampNanosecondArray, new_null_array,
};
use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::common::Result;

use super::shapes::Shape;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Texts(Vec<String>),
    Ints(Vec<i64>),
    /// Nanoseconds since 1970.
    Time(i64),
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Value {
        Value::Int(value.into())
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Int(value)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

/// What is said of a row.
pub(crate) type Row = Vec<(&'static str, Value)>;

/// Rows as a batch.
pub(crate) fn batch(shape: &Shape, rows: &[Row]) -> Result<RecordBatch> {
    let columns = shape.columns.iter().zip(shape.schema.fields()).map(|(column, field)| {
        let absent = if column.not_null { zero(field.data_type()) } else { Value::Null };
        let values = rows.iter().map(|row| {
            row.iter().find(|(name, _)| *name == column.name).map_or(&absent, |(_, value)| value)
        });
        array(field.data_type(), &values.collect::<Vec<_>>())
    });
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    Ok(RecordBatch::try_new_with_options(shape.schema.clone(), columns.collect(), &options)?)
}

fn zero(kind: &DataType) -> Value {
    match kind {
        DataType::Boolean => Value::Bool(false),
        DataType::Utf8 => Value::Text(String::new()),
        DataType::Float32 | DataType::Float64 => Value::Float(0.0),
        DataType::Int16 | DataType::Int32 | DataType::Int64 => Value::Int(0),
        _ => Value::Null,
    }
}

pub(crate) fn array(kind: &DataType, values: &[&Value]) -> ArrayRef {
    let int = |value: &&Value| match value {
        Value::Int(value) => Some(*value),
        _ => None,
    };
    let int2 = |value: &&Value| int(value).and_then(|value| i16::try_from(value).ok());
    let int4 = |value: &&Value| int(value).and_then(|value| i32::try_from(value).ok());
    let float = |value: &&Value| match value {
        Value::Float(value) => Some(*value),
        _ => None,
    };
    let values = values.iter();
    match kind {
        DataType::Boolean => Arc::new(BooleanArray::from_iter(values.map(|value| match value {
            Value::Bool(value) => Some(*value),
            _ => None,
        }))),
        DataType::Int16 => Arc::new(Int16Array::from_iter(values.map(int2))),
        DataType::Int32 => Arc::new(Int32Array::from_iter(values.map(int4))),
        DataType::Int64 => Arc::new(Int64Array::from_iter(values.map(int))),
        #[allow(clippy::cast_possible_truncation)]
        DataType::Float32 => {
            let floats = values.map(|value| float(value).map(|value| value as f32));
            Arc::new(Float32Array::from_iter(floats))
        }
        DataType::Float64 => Arc::new(Float64Array::from_iter(values.map(float))),
        DataType::Timestamp(TimeUnit::Nanosecond, zone) => {
            let times = values.map(|value| match value {
                Value::Time(value) => Some(*value),
                _ => None,
            });
            let times = TimestampNanosecondArray::from_iter(times);
            Arc::new(times.with_timezone_opt(zone.clone()))
        }
        DataType::Utf8 => Arc::new(StringArray::from_iter(values.map(|value| match value {
            Value::Text(value) => Some(value.as_str()),
            _ => None,
        }))),
        DataType::List(item) => list(item, values.copied()),
        other => new_null_array(other, values.len()),
    }
}

fn list<'a>(item: &Arc<Field>, values: impl ExactSizeIterator<Item = &'a Value>) -> ArrayRef {
    let ints = |value: &'a Value| match value {
        Value::Ints(items) => Some(items),
        _ => None,
    };
    match item.data_type() {
        DataType::Int16 => {
            let mut builder = ListBuilder::new(Int16Builder::new()).with_field(item.clone());
            for value in values {
                let items = ints(value).map(|items| {
                    items.iter().map(|item| i16::try_from(*item).ok()).collect::<Vec<_>>()
                });
                builder.append_option(items);
            }
            Arc::new(builder.finish())
        }
        DataType::Int32 => {
            let mut builder = ListBuilder::new(Int32Builder::new()).with_field(item.clone());
            for value in values {
                let items = ints(value).map(|items| {
                    items.iter().map(|item| i32::try_from(*item).ok()).collect::<Vec<_>>()
                });
                builder.append_option(items);
            }
            Arc::new(builder.finish())
        }
        DataType::Utf8 => {
            let mut builder = ListBuilder::new(StringBuilder::new()).with_field(item.clone());
            for value in values {
                let items = match value {
                    Value::Texts(items) => Some(items.iter().map(|item| Some(item.as_str()))),
                    _ => None,
                };
                builder.append_option(items);
            }
            Arc::new(builder.finish())
        }
        // No relation with rows has lists of anything else.
        _ => new_null_array(&DataType::List(item.clone()), values.len()),
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::AsArray;

    use super::*;
    use crate::catalog::shapes;

    #[test]
    fn what_is_not_said() {
        let shape = shapes::find("pg_catalog", "pg_namespace").unwrap();
        let row = vec![("oid", 11.into()), ("nspname", "x".into())];
        let batch = batch(shape, &[row, vec![]]).unwrap();
        assert_eq!(batch.num_rows(), 2);
        assert_eq!(batch["nspname"].as_string::<i32>().value(1), "");
        assert!(batch["nspacl"].is_null(0));
    }
}
