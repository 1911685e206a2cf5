//! Values that templates compute with, and how they print.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::time::Time;

/// A value. Texts are borrowed from the entry and the template where that is possible.
#[derive(Clone, Debug)]
pub(super) enum Value<'v> {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Cow<'v, str>),
    Time(Time),
    List(Vec<Value<'v>>),
    Map(BTreeMap<String, Value<'v>>),
    /// All labels of the entry: what `.` is at first.
    Labels,
}

impl Value<'_> {
    /// What `if` and `and` ask.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Value::Nil => false,
            Value::Bool(value) => *value,
            Value::Int(value) => *value != 0,
            Value::Float(value) => *value != 0.0,
            Value::Text(text) => !text.is_empty(),
            Value::List(list) => !list.is_empty(),
            Value::Map(map) => !map.is_empty(),
            Value::Time(_) | Value::Labels => true,
        }
    }

    /// Go's name of the type, for error texts.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Value::Nil => "nil",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float64",
            Value::Text(_) => "string",
            Value::Time(_) => "time.Time",
            Value::List(_) => "[]interface {}",
            Value::Map(_) => "map[string]interface {}",
            Value::Labels => "map[string]string",
        }
    }

    /// Writes the value as `fmt.Print` does; labels cannot be written from here.
    pub(super) fn print(&self, out: &mut String) {
        match self {
            Value::Nil => out.push_str("<nil>"),
            Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Value::Int(value) => write(out, format_args!("{value}")),
            Value::Float(value) => out.push_str(&format_float(*value)),
            Value::Text(text) => out.push_str(text),
            Value::Time(time) => {
                out.push_str(&time.format("2006-01-02 15:04:05.999999999 -0700 MST"))
            }
            Value::List(list) => {
                out.push('[');
                for (i, value) in list.iter().enumerate() {
                    out.push_str(if i == 0 { "" } else { " " });
                    value.print(out);
                }
                out.push(']');
            }
            Value::Map(map) => {
                out.push_str("map[");
                for (i, (key, value)) in map.iter().enumerate() {
                    out.push_str(if i == 0 { "" } else { " " });
                    out.push_str(key);
                    out.push(':');
                    value.print(out);
                }
                out.push(']');
            }
            Value::Labels => out.push_str("map[]"),
        }
    }

    /// The printed form.
    pub(super) fn printed(&self) -> String {
        let mut out = String::new();
        self.print(&mut out);
        out
    }
}

fn write(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to memory does not fail");
}

/// Go's `%v` of a float: an exponent below a ten thousandth and from a million on.
pub(super) fn format_float(value: f64) -> String {
    let exponent = if value == 0.0 || !value.is_finite() {
        0
    } else {
        let text = format!("{value:e}");
        text.split_once('e').and_then(|(_, e)| e.parse::<i32>().ok()).expect("the format has one")
    };
    if (-4..6).contains(&exponent) {
        return crate::logql::number::format_float(value);
    }
    let text = format!("{value:e}");
    let (mantissa, _) = text.split_once('e').expect("the format has an exponent");
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// Converts what JSON parsing gives.
pub(super) fn from_json<'v>(value: serde_json::Value) -> Value<'v> {
    match value {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(value) => Value::Bool(value),
        serde_json::Value::Number(number) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        serde_json::Value::String(text) => Value::Text(text.into()),
        serde_json::Value::Array(list) => Value::List(list.into_iter().map(from_json).collect()),
        serde_json::Value::Object(map) => {
            Value::Map(map.into_iter().map(|(key, value)| (key, from_json(value))).collect())
        }
    }
}
