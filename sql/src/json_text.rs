//! JSON as text: values of columns written as JSON, and the parts of a text that is JSON.
//!
//! In go arrays and texts; out come texts. `json` keeps a text as it was written, `jsonb` has one form
//! of each value: members sorted by the length of their names and then by these, the last of two that
//! are called the same, one space behind each comma and colon.
//!
//! - What is JSON already says so in its field's metadata, or it would be quoted as any other text.
//! - Numbers are copied, never read: they have as many digits as they have.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use serde::de::IgnoredAny;

use crate::casts::text_of;

/// Field metadata that says that texts are JSON.
const JSON_KEY: &str = "drave.json";

/// A column of texts that are JSON, and are not quoted where JSON is made of them.
pub fn json_column(name: &str, nullable: bool) -> Field {
    let metadata = HashMap::from([(JSON_KEY.to_owned(), "json".to_owned())]);
    Field::new(name, DataType::Utf8, nullable).with_metadata(metadata)
}

pub(crate) fn json_field(name: &str) -> FieldRef {
    Arc::new(json_column(name, true))
}

fn is_json(field: &Field) -> bool {
    matches!(field.data_type(), DataType::Union(..))
        || field.data_type().is_string() && field.metadata().contains_key(JSON_KEY)
}

/// The two ways to write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Form {
    Json,
    Jsonb,
}

/// A column that can be written as JSON.
pub(crate) struct Values {
    array: ArrayRef,
    kind: Kind,
}

enum Kind {
    /// Texts that are JSON as they are.
    Plain(StringArray),
    /// Numbers; those that JSON does not have are quoted.
    Float(StringArray),
    Text(StringArray),
    List(ListArray, Box<Values>),
    Record(Vec<(String, Values)>),
    Null,
}

impl Values {
    pub(crate) fn new(array: &ArrayRef, field: &Field) -> Result<Values> {
        let texts = |array: &ArrayRef| -> Result<StringArray> {
            Ok(cast(&text_of(array)?, &DataType::Utf8)?.as_string::<i32>().clone())
        };
        let kind = match array.data_type() {
            DataType::Null => Kind::Null,
            DataType::Union(..) => Kind::Plain(texts(&crate::functions::json_text(array)?)?),
            kind if kind.is_string() && is_json(field) => Kind::Plain(texts(array)?),
            DataType::Boolean => {
                let word = |value: bool| if value { "true" } else { "false" };
                let words = array.as_boolean().iter().map(|value| value.map(word));
                Kind::Plain(words.collect())
            }
            kind if kind.is_integer() || kind.is_decimal() => Kind::Plain(texts(array)?),
            kind if kind.is_floating() => Kind::Float(texts(array)?),
            DataType::Timestamp(..) => {
                let times = texts(array)?;
                Kind::Text(times.iter().map(|time| time.map(iso)).collect())
            }
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
                let bytes = cast(array, &DataType::LargeBinary)?;
                let hex = bytes.as_binary::<i64>().iter().map(|bytes| bytes.map(hex));
                Kind::Text(hex.collect())
            }
            DataType::List(item) => {
                let list = array.as_list::<i32>().clone();
                let values = Values::new(list.values(), item)?;
                Kind::List(list, Box::new(values))
            }
            DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
                let list = cast(array, &DataType::List(item.clone()))?;
                return Values::new(&list, field);
            }
            DataType::Struct(fields) => {
                let columns = fields.iter().zip(array.as_struct().columns());
                let columns = columns
                    .map(|(field, column)| Ok((quoted(field.name()), Values::new(column, field)?)));
                Kind::Record(columns.collect::<Result<_>>()?)
            }
            DataType::Dictionary(_, values) => {
                let field = field.clone().with_data_type(values.as_ref().clone());
                return Values::new(&cast(array, values)?, &field);
            }
            _ => Kind::Text(texts(array)?),
        };
        Ok(Values { array: array.clone(), kind })
    }

    pub(crate) fn is_null(&self, row: usize) -> bool {
        matches!(self.kind, Kind::Null) || self.array.is_null(row)
    }

    /// The text of a row as the name of a member.
    pub(crate) fn name(&self, row: usize) -> Option<String> {
        if self.is_null(row) {
            return None;
        }
        Some(match &self.kind {
            Kind::Plain(texts) | Kind::Float(texts) | Kind::Text(texts) => quoted(texts.value(row)),
            _ => {
                let mut text = String::new();
                self.put(row, Form::Json, &mut text);
                quoted(&text)
            }
        })
    }

    /// Writes the value of a row.
    pub(crate) fn put(&self, row: usize, form: Form, out: &mut String) {
        if self.is_null(row) {
            out.push_str("null");
            return;
        }
        match &self.kind {
            Kind::Null => out.push_str("null"),
            Kind::Plain(texts) => match form {
                Form::Json => out.push_str(texts.value(row)),
                Form::Jsonb => canonical(texts.value(row), out),
            },
            Kind::Float(texts) => {
                let text = texts.value(row);
                match text.bytes().any(|byte| byte.is_ascii_digit()) {
                    true => out.push_str(text),
                    false => out.push_str(&quoted(text)),
                }
            }
            Kind::Text(texts) => out.push_str(&quoted(texts.value(row))),
            Kind::List(list, values) => {
                let offsets = list.value_offsets();
                let (start, end) = (offsets[row] as usize, offsets[row + 1] as usize);
                out.push('[');
                for at in start..end {
                    if at > start {
                        out.push_str(if form == Form::Json { "," } else { ", " });
                    }
                    values.put(at, form, out);
                }
                out.push(']');
            }
            Kind::Record(columns) => {
                let mut text = String::from("{");
                for (at, (name, values)) in columns.iter().enumerate() {
                    text.push_str(if at > 0 { "," } else { "" });
                    text.push_str(name);
                    text.push(':');
                    values.put(row, form, &mut text);
                }
                text.push('}');
                match form {
                    Form::Json => out.push_str(&text),
                    Form::Jsonb => canonical(&text, out),
                }
            }
        }
    }
}

/// A time in the form of ISO 8601.
fn iso(text: &str) -> String {
    text.replacen(' ', "T", 1).replacen("+00", "+00:00", 1)
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    std::iter::once("\\x".to_owned()).chain(digits).collect()
}

/// A text as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The text of a JSON string.
pub(crate) fn unquoted(json: &str) -> Cow<'_, str> {
    match serde_json::from_str::<String>(json) {
        Ok(text) => Cow::Owned(text),
        // Half of a pair of surrogates is no text; it stays as it is written.
        Err(_) => Cow::Borrowed(json.trim_matches('"')),
    }
}

/// What a JSON text is made of, each part as it is written.
#[derive(Debug, PartialEq)]
pub(crate) enum Parts<'a> {
    /// Names are in quotes.
    Object(Vec<(&'a str, &'a str)>),
    Array(Vec<&'a str>),
    Scalar(&'a str),
}

/// The parts of a text; nothing if it is not JSON.
pub(crate) fn parts(text: &str) -> Option<Parts<'_>> {
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    Some(split(text))
}

/// The parts of a text that is JSON.
fn split(text: &str) -> Parts<'_> {
    let text = text.trim_matches(is_space);
    let is_object = match text.as_bytes().first() {
        Some(b'{') => true,
        Some(b'[') => false,
        _ => return Parts::Scalar(text),
    };
    let mut values = Vec::new();
    let mut rest = &text[1..];
    loop {
        rest = rest.trim_start_matches(|char| is_space(char) || matches!(char, ',' | ':'));
        if rest.is_empty() || rest.starts_with(['}', ']']) {
            break;
        }
        let (value, after) = rest.split_at(end(rest.as_bytes()));
        values.push(value);
        rest = after;
    }
    match is_object {
        true => Parts::Object(values.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()),
        false => Parts::Array(values),
    }
}

fn is_space(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\n' | '\r')
}

/// Where the value ends that the text begins with.
fn end(text: &[u8]) -> usize {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for (at, byte) in text.iter().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    in_string = false;
                    if depth == 0 {
                        return at + 1;
                    }
                }
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' | b' ' | b'\t' | b'\n' | b'\r' if depth == 0 => return at,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    text.len()
}

/// Writes a text that is JSON in the form of jsonb; what is not JSON is written as it is.
pub(crate) fn canonical(text: &str, out: &mut String) {
    match parts(text) {
        Some(parts) => put_parts(parts, out),
        None => out.push_str(text),
    }
}

fn put_parts(parts: Parts<'_>, out: &mut String) {
    match parts {
        Parts::Scalar(text) if text.starts_with('"') => out.push_str(&quoted(&unquoted(text))),
        Parts::Scalar(text) => out.push_str(text),
        Parts::Array(values) => {
            out.push('[');
            for (at, value) in values.into_iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                put_parts(split(value), out);
            }
            out.push(']');
        }
        Parts::Object(members) => {
            out.push('{');
            for (at, (name, value)) in sorted(members).into_iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                out.push_str(&quoted(&name));
                out.push_str(": ");
                put_parts(split(value), out);
            }
            out.push('}');
        }
    }
}

/// Members as jsonb has them.
pub(crate) fn sorted<'a>(members: Vec<(&'a str, &'a str)>) -> Vec<(Cow<'a, str>, &'a str)> {
    let last: HashMap<Cow<'a, str>, &'a str> =
        members.into_iter().map(|(name, value)| (unquoted(name), value)).collect();
    let mut members: Vec<_> = last.into_iter().collect();
    members.sort_by(|(a, _), (b, _)| (a.len(), a).cmp(&(b.len(), b)));
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form() {
        let check = |text: &str, expected: &str| {
            let mut out = String::new();
            canonical(text, &mut out);
            assert_eq!(out, expected, "{text}");
        };
        check(r#" {"bb":1,"a" : [1,2 , {}],"a":"x\u0041"} "#, r#"{"a": "xA", "bb": 1}"#);
        check("[ ]", "[]");
        check(r#"["]", "\"}", {"k":[[]]}]"#, r#"["]", "\"}", {"k": [[]]}]"#);
        check("123456789012345678901234567890.10", "123456789012345678901234567890.10");
        check("nope", "nope");
    }

    #[test]
    fn parts_as_written() {
        let check = |text: &str, expected: Option<Parts<'_>>| assert_eq!(parts(text), expected);
        check(
            r#"{ "b": {"c":"}"} , "a":[1, 2]}"#,
            Some(Parts::Object(vec![(r#""b""#, r#"{"c":"}"}"#), (r#""a""#, "[1, 2]")])),
        );
        check(r#"[1,"a,b" ,null]"#, Some(Parts::Array(vec!["1", r#""a,b""#, "null"])));
        check(" true ", Some(Parts::Scalar("true")));
        check("{} x", None);
        check("", None);
    }
}
