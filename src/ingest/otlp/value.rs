//! `AnyValue`, in place: as text, as JSON text, or flattened to names and texts.
//!
//! ```text
//! AnyValue { 1: string, 2: bool, 3: int, 4: double, 5: { 1: AnyValue * }, 6: { 1: KeyValue * },
//!            7: bytes }
//! ```
//!
//! JSON text is what Go's encoder makes of the value, for Loki stores that: keys in order, the last
//! of equal ones, `<`, `>` and `&` escaped, and nothing at all where a number is none.
//!
//! Invariant: no deeper than [`DEPTH_MAX`]; what is deeper refuses the push.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::super::Refused;
use super::super::wire::{Fields, Malformed, Value};
use super::part;
use crate::logql::number::format_general;

/// Values nested deeper than this are refused.
pub(super) const DEPTH_MAX: usize = 64;

/// One value, not looked into.
enum Any<'m> {
    Empty,
    Text(&'m [u8]),
    Bool(bool),
    Int(i64),
    Double(f64),
    /// The values stand under field 1.
    Array(&'m [u8]),
    /// The pairs stand under field 1.
    Map(&'m [u8]),
    Bytes(&'m [u8]),
}

impl<'m> Any<'m> {
    /// Of several fields the last one counts, as always with `oneof`.
    fn of(message: &'m [u8]) -> Result<Any<'m>, Malformed> {
        let mut any = Any::Empty;
        let mut fields = Fields::of(message);
        while let Some((field, value)) = fields.next()? {
            any = match (field, value) {
                (1, Value::Bytes(text)) => Any::Text(text),
                (2, Value::Varint(number)) => Any::Bool(number != 0),
                (3, Value::Varint(number)) => Any::Int(number.cast_signed()),
                (4, Value::Fixed64(bits)) => Any::Double(f64::from_bits(bits)),
                (5, Value::Bytes(values)) => Any::Array(values),
                (6, Value::Bytes(pairs)) => Any::Map(pairs),
                (7, Value::Bytes(bytes)) => Any::Bytes(bytes),
                (1..=7, _) => return Err(Malformed::Unexpected("AnyValue")),
                _ => any,
            };
        }
        Ok(any)
    }
}

/// The bytes of a value that is a string, or of one that is nothing.
pub(super) fn text(message: &[u8]) -> Result<Option<&[u8]>, Malformed> {
    Ok(match Any::of(message)? {
        Any::Text(text) => Some(text),
        Any::Empty => Some(b""),
        _ => None,
    })
}

/// Writes a value as text: arrays and maps as JSON, bytes as base64.
pub(super) fn write(message: &[u8], out: &mut String) -> Result<(), Refused> {
    match Any::of(message)? {
        Any::Empty => Ok(()),
        Any::Text(text) => {
            out.push_str(&String::from_utf8_lossy(text));
            Ok(())
        }
        Any::Bytes(bytes) => {
            base64(bytes, out);
            Ok(())
        }
        Any::Array(_) | Any::Map(_) => {
            let start = out.len();
            if !write_json(message, out, 0)? {
                out.truncate(start);
            }
            Ok(())
        }
        Any::Bool(_) | Any::Int(_) => write_json(message, out, 0).map(drop),
        Any::Double(value) => {
            out.push_str(&format_general(value));
            Ok(())
        }
    }
}

/// Calls with the name and the text of each value below a key.
pub(super) fn flatten(
    key: &str,
    message: &[u8],
    each: &mut dyn FnMut(&str, &str),
) -> Result<(), Refused> {
    let mut name = key.to_string();
    flatten_below(&mut name, message, each, &mut String::new(), 0)
}

fn flatten_below(
    name: &mut String,
    message: &[u8],
    each: &mut dyn FnMut(&str, &str),
    scratch: &mut String,
    depth: usize,
) -> Result<(), Refused> {
    check_depth(depth)?;
    let Any::Map(pairs) = Any::of(message)? else {
        scratch.clear();
        write(message, scratch)?;
        each(name, scratch);
        return Ok(());
    };
    each_part(pairs, &mut |pair| {
        let length = name.len();
        name.push('_');
        name.push_str(&String::from_utf8_lossy(part(pair, 1, "Key")?));
        flatten_below(name, part(pair, 2, "Value")?, each, scratch, depth + 1)?;
        name.truncate(length);
        Ok(())
    })
}

/// Writes a value as JSON; `false` where it holds a number that JSON has no word for.
fn write_json(message: &[u8], out: &mut String, depth: usize) -> Result<bool, Refused> {
    check_depth(depth)?;
    let mut is_json = true;
    let mut first = true;
    let mut comma = |out: &mut String| {
        if !std::mem::take(&mut first) {
            out.push(',');
        }
    };
    match Any::of(message)? {
        Any::Empty => out.push_str("null"),
        Any::Text(text) => quoted(&String::from_utf8_lossy(text), out),
        Any::Bool(value) => {
            let _ = write!(out, "{value}");
        }
        Any::Int(value) => {
            let _ = write!(out, "{value}");
        }
        Any::Double(value) => {
            is_json = value.is_finite();
            out.push_str(&format_general(value));
        }
        Any::Bytes(bytes) => {
            out.push('"');
            base64(bytes, out);
            out.push('"');
        }
        Any::Array(values) => {
            out.push('[');
            each_part(values, &mut |value| {
                comma(out);
                is_json &= write_json(value, out, depth + 1)?;
                Ok(())
            })?;
            out.push(']');
        }
        Any::Map(pairs) => {
            let mut members = BTreeMap::new();
            each_part(pairs, &mut |pair| {
                let key = String::from_utf8_lossy(part(pair, 1, "Key")?).into_owned();
                let mut text = String::new();
                let fits = write_json(part(pair, 2, "Value")?, &mut text, depth + 1)?;
                members.insert(key, (fits, text));
                Ok(())
            })?;
            out.push('{');
            for (key, (fits, text)) in members {
                comma(out);
                quoted(&key, out);
                out.push(':');
                out.push_str(&text);
                is_json &= fits;
            }
            out.push('}');
        }
    }
    Ok(is_json)
}

fn check_depth(depth: usize) -> Result<(), Refused> {
    if depth < DEPTH_MAX {
        return Ok(());
    }
    Err(Refused::undecodable(format!("a value is nested deeper than {DEPTH_MAX} levels")))
}

/// Every message under field 1.
fn each_part(
    message: &[u8],
    each: &mut dyn FnMut(&[u8]) -> Result<(), Refused>,
) -> Result<(), Refused> {
    let mut fields = Fields::of(message);
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (1, Value::Bytes(part)) => each(part)?,
            (1, _) => return Err(Malformed::Unexpected("Values").into()),
            _ => {}
        }
    }
    Ok(())
}

fn quoted(text: &str, out: &mut String) {
    let text = serde_json::to_string(text).expect("a string is JSON");
    for c in text.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
}

fn base64(bytes: &[u8], out: &mut String) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            if place <= chunk.len() {
                let digit = (bits >> (18 - 6 * place)) as usize & 63;
                out.push(char::from(DIGITS[digit]));
            } else {
                out.push('=');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field with a length before it.
    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2, u8::try_from(content.len()).expect("short")];
        out.extend_from_slice(content);
        out
    }

    fn string(text: &str) -> Vec<u8> {
        field(1, text.as_bytes())
    }

    fn double(value: f64) -> Vec<u8> {
        let mut out = vec![4 << 3 | 1];
        out.extend_from_slice(&value.to_le_bytes());
        out
    }

    fn map(pairs: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let pairs = pairs
            .iter()
            .map(|(key, value)| field(1, &[field(1, key.as_bytes()), field(2, value)].concat()));
        field(6, &pairs.collect::<Vec<_>>().concat())
    }

    fn array(values: &[Vec<u8>]) -> Vec<u8> {
        let values: Vec<Vec<u8>> = values.iter().map(|value| field(1, value)).collect();
        field(5, &values.concat())
    }

    #[test]
    fn json_as_gos_encoder_writes_it() {
        let check = |value: Vec<u8>, expected: &str| {
            let mut out = String::from("before ");
            write(&value, &mut out).expect("a good value");
            assert_eq!(out, format!("before {expected}"));
        };
        check(map(&[("b", string("x")), ("a", double(1.5))]), r#"{"a":1.5,"b":"x"}"#);
        check(map(&[("a", string("first")), ("a", string("last"))]), r#"{"a":"last"}"#);
        check(array(&[string("<&>"), map(&[])]), r#"["\u003c\u0026\u003e",{}]"#);
        check(array(&[double(1.0), double(f64::NAN)]), "");
        check(map(&[("a", array(&[double(f64::INFINITY)])), ("b", string("x"))]), "");
        check(map(&[("a", double(f64::NAN)), ("a", double(2.0))]), r#"{"a":2}"#);
        check(double(f64::NAN), "NaN");
        check(string("<x>"), "<x>");
    }

    #[test]
    fn bytes_as_base64() {
        let check = |bytes: &[u8], expected: &str| {
            let mut out = String::new();
            base64(bytes, &mut out);
            assert_eq!(out, expected);
        };
        check(b"", "");
        check(b"f", "Zg==");
        check(b"fo", "Zm8=");
        check(b"foo", "Zm9v");
        check(b"\xff\xfe\xfd\xfc", "//79/A==");
    }
}
