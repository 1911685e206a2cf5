//! Functions on texts.

use std::borrow::Cow;

use super::OUTPUT_BYTES_MAX;
use super::functions::Answer;
use super::value::{Value, from_json as json_value};
use crate::model::pattern;

/// An argument that must be a text.
pub(super) fn text<'a>(value: &'a Value<'_>) -> Result<Cow<'a, str>, String> {
    match value {
        Value::Text(text) => Ok(Cow::Borrowed(text)),
        Value::Nil => Err("invalid value; expected string".into()),
        other => Err(format!("wrong type for value; expected string; got {}", other.type_name())),
    }
}

fn count(value: &Value<'_>) -> Result<i64, String> {
    match value {
        Value::Int(value) => Ok(*value),
        other => Err(format!("wrong type for value; expected int; got {}", other.type_name())),
    }
}

fn made<'v>(text: impl Into<String>) -> Answer<'v> {
    Ok(Value::Text(Cow::Owned(text.into())))
}

/// A text changed.
pub(super) fn map<'v>(values: &[Value<'v>], change: impl Fn(&str) -> String) -> Answer<'v> {
    made(change(&text(&values[0])?))
}

/// A question about a text, which is the second argument.
pub(super) fn ask<'v>(values: &[Value<'v>], question: fn(&str, &str) -> bool) -> Answer<'v> {
    Ok(Value::Bool(question(&text(&values[1])?, &text(&values[0])?)))
}

/// Each word with a capital.
pub(super) fn title(text: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in text.chars() {
        if inside {
            out.push(c);
        } else {
            out.extend(c.to_uppercase());
        }
        inside = c.is_alphanumeric() || c == '_' || c == '\'';
    }
    out
}

/// `Replace s old new n`
pub(super) fn replace_n<'v>(values: &[Value<'v>]) -> Answer<'v> {
    let (s, old, new) = (text(&values[0])?, text(&values[1])?, text(&values[2])?);
    match usize::try_from(count(&values[3])?) {
        Ok(n) => made(s.replacen(&*old, &new, n)),
        Err(_) => limited_replace(&s, &old, &new),
    }
}

/// `replace old new s`
pub(super) fn replace<'v>(values: &[Value<'v>]) -> Answer<'v> {
    limited_replace(&text(&values[2])?, &text(&values[0])?, &text(&values[1])?)
}

fn limited_replace<'v>(s: &str, old: &str, new: &str) -> Answer<'v> {
    let n = if old.is_empty() { s.len() + 1 } else { s.matches(old).count() };
    limit(s.len() + n * new.len())?;
    made(s.replace(old, new))
}

fn limit(bytes: usize) -> Result<(), String> {
    if bytes > OUTPUT_BYTES_MAX { Err("text is too long".into()) } else { Ok(()) }
}

/// Characters of a set taken off the ends.
pub(super) fn trim_set<'v>(
    values: &[Value<'v>],
    s: usize,
    set: usize,
    left: bool,
    right: bool,
) -> Answer<'v> {
    let (s, set) = (text(&values[s])?, text(&values[set])?);
    let mut rest = &*s;
    if left {
        rest = rest.trim_start_matches(|c| set.contains(c));
    }
    if right {
        rest = rest.trim_end_matches(|c| set.contains(c));
    }
    made(rest)
}

/// A prefix or suffix taken off once.
pub(super) fn trim_fix<'v>(values: &[Value<'v>], s: usize, fix: usize, left: bool) -> Answer<'v> {
    let (s, fix) = (text(&values[s])?, text(&values[fix])?);
    let rest = if left { s.strip_prefix(&*fix) } else { s.strip_suffix(&*fix) };
    made(rest.unwrap_or(&s))
}

fn regex(value: &Value<'_>) -> Result<regex::Regex, String> {
    let compiled = pattern::unanchored(&text(value)?).map_err(|error| error.to_string())?;
    regex::Regex::new(compiled.as_str()).map_err(|error| error.to_string())
}

/// `regexReplaceAll re s replacement`
pub(super) fn regex_replace<'v>(values: &[Value<'v>], literal: bool) -> Answer<'v> {
    let (regex, s, with) = (regex(&values[0])?, text(&values[1])?, text(&values[2])?);
    let matches = regex.find_iter(&s).count();
    limit(s.len() + matches * (with.len() + if literal { 0 } else { s.len() }))?;
    if literal {
        made(regex.replace_all(&s, regex::NoExpand(&with)))
    } else {
        made(regex.replace_all(&s, &*with))
    }
}

/// `count re s`
pub(super) fn regex_count<'v>(values: &[Value<'v>]) -> Answer<'v> {
    let n = regex(&values[0])?.find_iter(&text(&values[1])?).count();
    Ok(Value::Int(i64::try_from(n).expect("lengths fit")))
}

/// `alignLeft n s`
pub(super) fn align<'v>(values: &[Value<'v>], left: bool) -> Answer<'v> {
    let s = text(&values[1])?;
    let Ok(n) = usize::try_from(count(&values[0])?) else { return made(s) };
    limit(n)?;
    let length = s.chars().count();
    let padding = " ".repeat(n.saturating_sub(length));
    if left {
        made(s.chars().take(n).collect::<String>() + &padding)
    } else {
        let rest: String = s.chars().skip(length.saturating_sub(n)).collect();
        made(padding + &rest)
    }
}

/// `trunc n s`; a negative n keeps the end.
pub(super) fn trunc<'v>(values: &[Value<'v>]) -> Answer<'v> {
    let (n, s) = (count(&values[0])?, text(&values[1])?);
    let size = usize::try_from(n.unsigned_abs()).unwrap_or(usize::MAX);
    let skip = if n < 0 { s.chars().count().saturating_sub(size) } else { 0 };
    made(s.chars().skip(skip).take(size).collect::<String>())
}

/// `substr start end s`, in bytes; a negative end is the end of the text.
pub(super) fn substr<'v>(values: &[Value<'v>]) -> Answer<'v> {
    let (start, end, s) = (count(&values[0])?, count(&values[1])?, text(&values[2])?);
    let at = |n: i64| usize::try_from(n).unwrap_or(0);
    let (start, end) = match (start, end) {
        (start, end) if start < 0 => (0, if end < 0 { s.len() } else { at(end) }),
        (start, end) if end < 0 => (at(start), s.len()),
        (start, end) => (at(start), at(end).min(s.len())),
    };
    let end = end.min(s.len());
    if start > end {
        return Err(format!("runtime error: slice bounds out of range [{start}:{end}]"));
    }
    made(String::from_utf8_lossy(&s.as_bytes()[start..end]))
}

/// `indent n s`
pub(super) fn indent<'v>(values: &[Value<'v>], newline: bool) -> Answer<'v> {
    let (n, s) = (count(&values[0])?, text(&values[1])?);
    let n = usize::try_from(n).map_err(|_| "strings: negative Repeat count")?;
    let lines = s.matches('\n').count() + 1;
    limit(n.saturating_mul(lines).saturating_add(s.len()))?;
    let pad = " ".repeat(n);
    let indented = format!("{pad}{}", s.replace('\n', &format!("\n{pad}")));
    made(if newline { format!("\n{indented}") } else { indented })
}

/// `repeat n s`
pub(super) fn repeat<'v>(values: &[Value<'v>]) -> Answer<'v> {
    let (n, s) = (count(&values[0])?, text(&values[1])?);
    let n = usize::try_from(n).map_err(|_| "strings: negative Repeat count")?;
    limit(n.saturating_mul(s.len()))?;
    made(s.repeat(n))
}

/// `fromJson s`; what is no JSON is nil.
pub(super) fn from_json<'v>(values: &[Value<'v>]) -> Answer<'v> {
    let parsed = serde_json::from_str(&text(&values[0])?);
    Ok(parsed.map_or(Value::Nil, json_value))
}

fn joined(values: &[Value<'_>]) -> String {
    match values {
        [Value::Text(one)] => one.to_string(),
        values => super::printf::print(values).printed(),
    }
}

/// Escaped for HTML.
pub(super) fn html<'v>(values: &[Value<'v>]) -> Value<'v> {
    let mut out = String::new();
    for c in joined(values).chars() {
        match c {
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\0' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    Value::Text(out.into())
}

/// Escaped for JavaScript.
pub(super) fn js<'v>(values: &[Value<'v>]) -> Value<'v> {
    let mut out = String::new();
    for c in joined(values).chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '<' | '>' | '&' | '=' => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c if c < ' ' => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    Value::Text(out.into())
}

/// Escaped for the query of an address.
pub(super) fn url_query<'v>(values: &[Value<'v>]) -> Value<'v> {
    Value::Text(url_encode(&joined(values)).into())
}

/// Query escaping: a space is a plus.
pub(super) fn url_encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The inverse of [`url_encode`].
pub(super) fn url_decode<'v>(values: &[Value<'v>]) -> Answer<'v> {
    let s = text(&values[0])?;
    let mut out = Vec::new();
    let mut rest = s.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        out.push(match first {
            b'+' => b' ',
            b'%' => {
                let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
                let digits = digits.filter(|two| two.bytes().all(|c| c.is_ascii_hexdigit()));
                let Some(digits) = digits else {
                    let bad = String::from_utf8_lossy(&after[..after.len().min(2)]);
                    return Err(format!("invalid URL escape \"%{bad}\""));
                };
                rest = &after[2..];
                u8::from_str_radix(digits, 16).expect("two hex digits")
            }
            byte => *byte,
        });
    }
    made(String::from_utf8_lossy(&out))
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Standard base64 with padding.
pub(super) fn base64(bytes: &[u8]) -> String {
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let digit = BASE64[(bits >> (18 - 6 * at) & 63) as usize];
            out.push(if at <= three.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

/// The inverse of [`base64`].
pub(super) fn base64_decode<'v>(values: &[Value<'v>]) -> Answer<'v> {
    let s = text(&values[0])?;
    let bytes = s.as_bytes();
    let corrupt = |at: usize| format!("illegal base64 data at input byte {at}");
    let padding = bytes.iter().rev().take_while(|byte| **byte == b'=').count();
    let digits = &bytes[..bytes.len() - padding];
    let mut out = Vec::new();
    let mut bits = 0;
    for (at, byte) in digits.iter().enumerate() {
        let digit = BASE64.iter().position(|own| own == byte).ok_or_else(|| corrupt(at))?;
        bits = bits << 6 | u32::try_from(digit).expect("below 64");
        if at % 4 > 0 {
            out.push((bits >> (2 * (3 - at % 4)) & 255) as u8);
        }
    }
    if padding > 2 || bytes.len() % 4 != 0 {
        return Err(corrupt(bytes.len()));
    }
    made(String::from_utf8_lossy(&out))
}
