//! OpenTelemetry logs as JSON, made into the same protobuf that other exporters send.
//!
//! In: the text. Out: the message, no longer than the text. Names are lowerCamelCase; 64-bit
//! numbers may be strings; ids are hexadecimal, bytes are base64. Unknown names and `null` are
//! passed over.

use super::super::Refused;
use super::super::json_text::{Malformed, Reader};
use super::value;

/// What stands under a name.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Bool,
    /// A whole number in a varint: signed, or what 64 bits can say.
    Varint,
    Fixed32,
    Fixed64,
    Double,
    Hex,
    Base64,
    Message(&'static [Field]),
    Repeated(&'static [Field]),
}

/// A field of a message: its name, its number, and what it is.
type Field = (&'static str, u32, Kind);

static REQUEST: [Field; 1] = [("resourceLogs", 1, Kind::Repeated(&RESOURCE_LOGS))];
static RESOURCE_LOGS: [Field; 2] =
    [("resource", 1, Kind::Message(&RESOURCE)), ("scopeLogs", 2, Kind::Repeated(&SCOPE_LOGS))];
static RESOURCE: [Field; 1] = [("attributes", 1, Kind::Repeated(&KEY_VALUE))];
static SCOPE_LOGS: [Field; 2] =
    [("scope", 1, Kind::Message(&SCOPE)), ("logRecords", 2, Kind::Repeated(&RECORD))];
static SCOPE: [Field; 4] = [
    ("name", 1, Kind::Text),
    ("version", 2, Kind::Text),
    ("attributes", 3, Kind::Repeated(&KEY_VALUE)),
    ("droppedAttributesCount", 4, Kind::Varint),
];
static RECORD: [Field; 11] = [
    ("timeUnixNano", 1, Kind::Fixed64),
    ("severityNumber", 2, Kind::Varint),
    ("severityText", 3, Kind::Text),
    ("body", 5, Kind::Message(&ANY)),
    ("attributes", 6, Kind::Repeated(&KEY_VALUE)),
    ("droppedAttributesCount", 7, Kind::Varint),
    ("flags", 8, Kind::Fixed32),
    ("traceId", 9, Kind::Hex),
    ("spanId", 10, Kind::Hex),
    ("observedTimeUnixNano", 11, Kind::Fixed64),
    ("eventName", 12, Kind::Text),
];
static KEY_VALUE: [Field; 2] = [("key", 1, Kind::Text), ("value", 2, Kind::Message(&ANY))];
static ANY: [Field; 7] = [
    ("stringValue", 1, Kind::Text),
    ("boolValue", 2, Kind::Bool),
    ("intValue", 3, Kind::Varint),
    ("doubleValue", 4, Kind::Double),
    ("arrayValue", 5, Kind::Message(&ARRAY)),
    ("kvlistValue", 6, Kind::Message(&MAP)),
    ("bytesValue", 7, Kind::Base64),
];
static ARRAY: [Field; 1] = [("values", 1, Kind::Repeated(&ANY))];
static MAP: [Field; 1] = [("values", 1, Kind::Repeated(&KEY_VALUE))];

/// Messages in messages: those of an export, and two for each level of a value.
const DEPTH_MAX: usize = 8 + 2 * value::DEPTH_MAX;

/// Reads a whole export.
pub(in super::super) fn to_protobuf(text: &[u8]) -> Result<Vec<u8>, Refused> {
    let mut reader = Reader::new(text);
    if reader.peek().is_none() {
        return Err(Refused::undecodable("EOF"));
    }
    let mut out = Vec::with_capacity(text.len() / 2);
    message(&mut reader, &REQUEST, &mut out, 0)?;
    match reader.peek() {
        None => Ok(out),
        Some(_) => Err(reader.error("something after the end").into()),
    }
}

fn message(
    reader: &mut Reader<'_>,
    fields: &[Field],
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<(), Malformed> {
    if depth == DEPTH_MAX {
        return Err(reader.error("too deeply nested"));
    }
    reader.expect(b'{', "expected an object")?;
    let mut first = true;
    while reader.another(b'}', &mut first)? {
        let key = reader.key()?.bytes()?;
        let known = fields.iter().find(|(name, ..)| *name.as_bytes() == *key);
        match known {
            None => reader.skip()?,
            Some(_) if reader.eat_null() => {}
            Some((_, number, Kind::Repeated(inner))) => {
                reader.expect(b'[', "expected an array")?;
                let mut first = true;
                while reader.another(b']', &mut first)? {
                    if !reader.eat_null() {
                        submessage(reader, *number, inner, out, depth)?;
                    }
                }
            }
            Some((_, number, Kind::Message(inner))) => {
                submessage(reader, *number, inner, out, depth)?;
            }
            Some((_, number, kind)) => scalar(reader, *number, *kind, out)?,
        }
    }
    Ok(())
}

/// Written behind a gap of one byte; where its length needs more, it moves.
fn submessage(
    reader: &mut Reader<'_>,
    number: u32,
    fields: &[Field],
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<(), Malformed> {
    put_tag(out, number, 2);
    let start = out.len();
    message(reader, fields, out, depth + 1)?;
    let mut length = Vec::with_capacity(5);
    put_varint(&mut length, (out.len() - start) as u64);
    out.splice(start..start, length);
    Ok(())
}

fn scalar(
    reader: &mut Reader<'_>,
    number: u32,
    kind: Kind,
    out: &mut Vec<u8>,
) -> Result<(), Malformed> {
    match kind {
        Kind::Text => put_bytes(out, number, &reader.string("expected a string")?.bytes()?),
        Kind::Hex => {
            let text = reader.string("expected an id as a hexadecimal string")?.bytes()?;
            let bytes = from_hex(&text).ok_or(reader.error("expected a hexadecimal id"))?;
            put_bytes(out, number, &bytes);
        }
        Kind::Base64 => {
            let text = reader.string("expected bytes as a base64 string")?.bytes()?;
            let bytes = from_base64(&text).ok_or(reader.error("expected base64"))?;
            put_bytes(out, number, &bytes);
        }
        Kind::Bool => {
            let value = match reader.scalar()? {
                b"true" => 1,
                b"false" => 0,
                _ => return Err(reader.error("expected true or false")),
            };
            put_tag(out, number, 0);
            put_varint(out, value);
        }
        Kind::Varint => {
            let value: i64 = whole(reader)?;
            put_tag(out, number, 0);
            put_varint(out, value.cast_unsigned());
        }
        Kind::Fixed32 => {
            let value: u32 = whole(reader)?;
            put_tag(out, number, 5);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Kind::Fixed64 => {
            let value: u64 = whole(reader)?;
            put_tag(out, number, 1);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Kind::Double => {
            let value: f64 = whole(reader)?;
            put_tag(out, number, 1);
            out.extend_from_slice(&value.to_bits().to_le_bytes());
        }
        Kind::Message(&_) | Kind::Repeated(&_) => unreachable!("both are handled by the caller"),
    }
    Ok(())
}

/// A number, or a string that says one.
fn whole<T: std::str::FromStr>(reader: &mut Reader<'_>) -> Result<T, Malformed> {
    let text = match reader.peek() {
        Some(b'"') => reader.string("expected a number")?.bytes()?,
        _ => reader.scalar()?.into(),
    };
    let text = std::str::from_utf8(&text).ok();
    text.and_then(|text| text.parse().ok()).ok_or(reader.error("expected a number in range"))
}

fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_tag(out, number, 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_tag(out: &mut Vec<u8>, number: u32, wire_type: u32) {
    put_varint(out, u64::from(number << 3 | wire_type));
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = text.len().is_multiple_of(2).then(|| text.chunks(2))?;
    pairs.map(|pair| u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok()).collect()
}

/// Standard or URL-safe, padded or not.
fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    let digits = text.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    let mut out = Vec::with_capacity(digits * 3 / 4);
    let (mut bits, mut n) = (0_u32, 0);
    for byte in &text[..digits] {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(digit);
        n += 6;
        if n >= 8 {
            n -= 8;
            out.push((bits >> n) as u8);
            bits &= (1 << n) - 1;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_ids_and_bytes() {
        let check = |record: &str, expected: Option<&[u8]>| {
            let text =
                format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{record}]}}]}}]}}"#);
            let found = to_protobuf(text.as_bytes()).ok();
            // Under the tags and lengths of three messages.
            assert_eq!(found.as_deref().map(|found| &found[6..]), expected, "{record}");
        };
        check(r#"{"flags":1}"#, Some(b"\x45\x01\0\0\0"));
        check(r#"{"timeUnixNano":"5","x":[{}]}"#, Some(b"\x09\x05\0\0\0\0\0\0\0"));
        check(r#"{"timeUnixNano":5}"#, Some(b"\x09\x05\0\0\0\0\0\0\0"));
        check(r#"{"traceId":"0aFF"}"#, Some(b"\x4a\x02\x0a\xff"));
        check(
            r#"{"body":{"intValue":-1}}"#,
            Some(b"\x2a\x0b\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        );
        check(r#"{"body":{"bytesValue":"Zm8="}}"#, Some(b"\x2a\x04\x3a\x02fo"));
        check(r#"{"body":{"stringValue":""}}"#, Some(b"\x2a\x02\x0a\0"));
        check(r#"{"body":null}"#, Some(b""));
        check(r#"{"traceId":"0"}"#, None);
        check(r#"{"traceId":"zz"}"#, None);
        check(r#"{"timeUnixNano":-1}"#, None);
        check(r#"{"flags":4294967296}"#, None);
        check(r#"{"body":{"boolValue":1}}"#, None);
        check(r#"{"body":5}"#, None);
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = |n: usize| {
            let open = r#"{"arrayValue":{"values":["#.repeat(n);
            let body = format!("{open}{{}}{}", "]}}".repeat(n));
            let text = format!(
                r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{body}}}]}}]}}]}}"#
            );
            to_protobuf(text.as_bytes())
        };
        assert!(deep(value::DEPTH_MAX).is_ok());
        assert!(deep(value::DEPTH_MAX + 4).is_err());
        assert!(deep(100_000).is_err());
    }
}
