//! `AnyValue`, in place: as text, as JSON text, or flattened to names and texts.
//!
//! ```text
//! AnyValue { 1: string, 2: bool, 3: int, 4: double, 5: { 1: AnyValue * }, 6: { 1: KeyValue * },
//!            7: bytes }
//! ```
//!
//! Invariant: no deeper than [`DEPTH_MAX`]; what is deeper refuses the push.

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
        _ => write_json(message, out, 0),
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

fn write_json(message: &[u8], out: &mut String, depth: usize) -> Result<(), Refused> {
    check_depth(depth)?;
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
        Any::Double(value) => out.push_str(&format_general(value)),
        Any::Bytes(bytes) => {
            out.push('"');
            base64(bytes, out);
            out.push('"');
        }
        Any::Array(values) => {
            out.push('[');
            each_part(values, &mut |value| {
                comma(out);
                write_json(value, out, depth + 1)
            })?;
            out.push(']');
        }
        Any::Map(pairs) => {
            out.push('{');
            each_part(pairs, &mut |pair| {
                comma(out);
                quoted(&String::from_utf8_lossy(part(pair, 1, "Key")?), out);
                out.push(':');
                write_json(part(pair, 2, "Value")?, out, depth + 1)
            })?;
            out.push('}');
        }
    }
    Ok(())
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
    out.push_str(&text);
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
