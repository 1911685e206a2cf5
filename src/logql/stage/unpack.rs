//! `| unpack`: undoes what a `pack` stage of an agent did.
//!
//! The members of a JSON object become labels, and its member `_entry` becomes the line. Members
//! that are no strings are left out; without an `_entry` nothing happens.

use super::json::{ERROR, decode};
use super::json_scan::{
    BAD_ESCAPE, Cursor, Kind, MALFORMED, MALFORMED_ARRAY, MALFORMED_OBJECT, Reason, Value, unescape,
};
use super::logfmt::with_text;
use super::parser::{Step, Target, is_clean, push_sanitized};
use crate::logql::row::{Row, Span};

/// The member that becomes the line.
const ENTRY: &str = "_entry";

/// Unpacks the current line; `false` where a filter refuses it.
pub(crate) fn process(row: &mut Row<'_>, target: Target<'_>) -> bool {
    if row.line().is_empty() {
        return true;
    }
    if !row.line().starts_with('{') {
        fail(row, target, "expecting json object(6), but it is not");
        return true;
    }
    let line = row.line_span();
    with_text(row, |row, text| {
        let members = match members(text) {
            Ok(members) => members,
            Err(reason) => {
                fail(row, target, reason);
                return true;
            }
        };
        let Some((_, entry)) = members.iter().rev().find(|(key, _)| key == ENTRY) else {
            return true;
        };
        let entry = span(row, line, text, *entry);
        row.set_line(entry);
        for (key, value) in members.iter().filter(|(key, _)| key != ENTRY) {
            let mut clean = String::new();
            push_sanitized(&mut clean, key);
            if clean.is_empty() {
                continue;
            }
            let key = row.names.intern(&clean);
            let Some(name) = target.name(row, key) else { continue };
            let value = span(row, line, text, *value);
            match target.add(row, name, value) {
                Step::Next => {}
                Step::Done => break,
                Step::Reject => return false,
            }
        }
        true
    })
}

/// Where nobody needs labels, parsers make no errors.
fn fail(row: &mut Row<'_>, target: Target<'_>, reason: Reason) {
    if !target.is_nothing() {
        target.fail(row, ERROR, reason);
    }
}

/// The members of an object that are strings.
fn members(text: &str) -> Result<Vec<(String, Value)>, Reason> {
    let mut cursor = Cursor { text: text.as_bytes(), at: 1 };
    let mut members = Vec::new();
    if cursor.token().ok_or(MALFORMED)? == b'}' {
        return Ok(members);
    }
    loop {
        match cursor.text.get(cursor.at) {
            Some(b'"') => cursor.at += 1,
            Some(b'}') => return Ok(members),
            _ => return Err(MALFORMED_OBJECT),
        }
        let start = cursor.at;
        let (end, _) = cursor.string().ok_or(MALFORMED)?;
        let mut key = String::new();
        unescape(&mut key, &text[start..end]).ok_or(BAD_ESCAPE)?;
        if cursor.token() != Some(b':') {
            return Err(MALFORMED);
        }
        cursor.at += 1;
        let value = cursor.value()?;
        if matches!(value.kind, Kind::Text { .. }) {
            members.push((key, value));
        }
        match cursor.token().ok_or(MALFORMED_ARRAY)? {
            b'}' => return Ok(members),
            b',' => cursor.at += 1,
            _ => return Err(MALFORMED_OBJECT),
        }
        cursor.token().ok_or(MALFORMED_ARRAY)?;
    }
}

fn span(row: &mut Row<'_>, line: Span, text: &str, value: Value) -> Span {
    let raw = &text[value.start..value.end];
    if value.kind == (Kind::Text { escaped: false }) && is_clean(raw) {
        line.part(value.start, value.end)
    } else {
        decode(row, raw)
    }
}
