//! The fast lane for lines of plain pairs: asks filters about `key=value key="value"` without looking
//! at any other key.
//!
//! In: a line, and the filters behind the parser. Out: whether one of them refuses it. What leaves
//! the lane (a bare key, an escape, anything broken) is not judged: then the parser reads the line.

use super::json_lane::text_length;
use super::logfmt_scan::word_length;
use super::parser::{Step, is_clean};
use super::probe::Probe;
use crate::logql::names::Name;
use crate::logql::row::Row;

/// Whether a filter refuses the line; `false` also where that cannot be told here.
pub(super) fn is_refused(
    row: &mut Row<'_>,
    text: &str,
    keep_empty: bool,
    mut probe: Probe<'_>,
) -> bool {
    // Only where the label can come from nothing but the key that is called like it.
    let plain = |name: Name| !row.is_given(name) && !row.names.text(name).contains('_');
    if !probe.names().all(plain) {
        return false;
    }
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        while bytes.get(at).is_some_and(|byte| *byte <= b' ') {
            at += 1;
        }
        let Some(Pair { key, value, next }) = pair(bytes, at) else { return false };
        at = next;
        let wanted = probe.names().find(|name| row.names.text(*name).as_bytes() == key);
        let Some(name) = wanted else { continue };
        let Some(value) = text.get(value) else { return false };
        if value.is_empty() && !keep_empty {
            continue;
        }
        match probe.value(row, name, is_clean(value).then_some(value)) {
            Step::Next => {}
            Step::Done => return false,
            Step::Reject => return true,
        }
    }
}

/// A key, where its value is, and what is behind it.
struct Pair<'b> {
    key: &'b [u8],
    value: std::ops::Range<usize>,
    next: usize,
}

fn pair(bytes: &[u8], at: usize) -> Option<Pair<'_>> {
    let rest = &bytes[at..];
    let length = word_length(rest);
    let key = &rest[..length];
    let start = at + length + 1;
    if key.is_empty() || !key.is_ascii() || rest.get(length) != Some(&b'=') {
        return None;
    }
    let behind = bytes.get(start..)?;
    if behind.first() == Some(&b'"') {
        let length = text_length(&behind[1..])?;
        let value = start + 1..start + 1 + length;
        return Some(Pair { key, next: value.end + 1, value });
    }
    let length = word_length(behind);
    let value = start..start + length;
    let ends = behind.get(length).is_none_or(|byte| *byte <= b' ');
    ends.then_some(Pair { key, next: value.end, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs() {
        let check = |text: &str, expected: Option<(&str, &str, usize)>| {
            let found = pair(text.as_bytes(), 0).map(|pair| {
                (str::from_utf8(pair.key).expect("ASCII"), &text[pair.value], pair.next)
            });
            assert_eq!(found, expected, "{text}");
        };
        check("a=1 b=2", Some(("a", "1", 3)));
        check("a=1", Some(("a", "1", 3)));
        check("a= b", Some(("a", "", 2)));
        check("a=", Some(("a", "", 2)));
        check("a=\"x y\" b", Some(("a", "x y", 7)));
        check("a=\"x y\"b", Some(("a", "x y", 7)));
        check("a=é", Some(("a", "é", 4)));
        check("a", None);
        check("é=1", None);
        check("=1", None);
        check("a=1=2", None);
        check("a=1\"", None);
        check("a=\"x\\\"y\"", None);
        check("a=\"open", None);
    }
}
