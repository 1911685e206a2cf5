//! Dates under a key: of a JSON object, or of a logfmt line.
//!
//! Only keys of the object itself count, never those of an object inside it; a key whose value is
//! no date is passed over, so that `{"t":5,"time":"..."}` is dated by `time`.

use memchr::{memchr, memchr_iter, memchr2, memmem};

use super::Stamp;
use super::shapes::{Format, value};

/// Names that dates go by, compared without case.
const KEYS: [&str; 13] = [
    "ts",
    "time",
    "timestamp",
    "@timestamp",
    "t",
    "@t",
    "date",
    "datetime",
    "asctime",
    "eventTime",
    "_time",
    "__REALTIME_TIMESTAMP",
    "_SOURCE_REALTIME_TIMESTAMP",
];

/// A logfmt key further back in the line than this is part of somebody's message.
const LOGFMT_REACH: usize = 2048;

fn is_date_key(key: &[u8]) -> bool {
    KEYS.iter().any(|known| key.eq_ignore_ascii_case(known.as_bytes()))
}

/// The date of the JSON object that begins in the first bytes of `line`.
pub(super) fn json(line: &[u8]) -> Option<Stamp> {
    let start = match line.first()? {
        b'{' => 0,
        _ => memmem::find(&line[..line.len().min(256)], b"{\"")?,
    };
    let mut depth = 0_u32;
    let mut at = start;
    while let Some(&byte) = line.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth <= 1 => return None,
            b'}' | b']' => depth -= 1,
            b'"' => {
                let end = string_end(line, at)?;
                let key = &line[at..end];
                at = end + 1;
                if depth == 1 && is_date_key(key) {
                    let rest = line[at..].trim_ascii_start();
                    if let Some(stamp) = rest.strip_prefix(b":").and_then(json_value) {
                        return Some(stamp);
                    }
                }
            }
            _ => {}
        }
    }
    None
}

/// Where the string that began before `at` ends.
fn string_end(line: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let found = at + memchr2(b'"', b'\\', line.get(at..)?)?;
        match line[found] {
            b'"' => return Some(found),
            _ => at = found + 2,
        }
    }
}

fn json_value(text: &[u8]) -> Option<Stamp> {
    let text = text.trim_ascii_start();
    match text.first()? {
        b'"' => value(&text[1..string_end(text, 1)?]),
        // MongoDB: `"t":{"$date":"2020-05-01T15:16:17.180+00:00"}`.
        b'{' => {
            let inner = text[1..].trim_ascii_start().strip_prefix(b"\"$date\"")?;
            json_value(inner.trim_ascii_start().strip_prefix(b":")?)
        }
        b'0'..=b'9' => value(text),
        _ => None,
    }
}

/// The date of the first `key=value` of `line` whose key is a date's.
pub(super) fn logfmt(line: &[u8]) -> Option<Stamp> {
    let line = &line[..line.len().min(LOGFMT_REACH)];
    memchr_iter(b'=', line).find_map(|equals| {
        let before = &line[..equals];
        let longest_key = before.len().saturating_sub(32);
        let start = before[longest_key..]
            .iter()
            .rposition(|byte| b" \t,{[(\"".contains(byte))
            .map_or(longest_key, |blank| longest_key + blank + 1);
        let rest = &line[equals + 1..];
        if is_date_key(&before[start..]) {
            return match rest.strip_prefix(b"\"") {
                Some(quoted) => value(&quoted[..memchr(b'"', quoted).unwrap_or(quoted.len())]),
                None => value(rest),
            };
        }
        // The Linux audit log: `msg=audit(1364481363.243:24287):`.
        rest.strip_prefix(b"audit(").and_then(|inside| Format::Epoch.parse(inside))
    })
}
