//! The fast lane for lines that look like the one before them: asks filters about a JSON object that
//! is flat, compact and without escapes as far as it matters, with the keys that are expected.
//!
//! In: a line, and the keys that stood in the line before. Out: whether a filter refuses it. What
//! leaves the lane (a space, an escape, another key, an object, anything broken) is not judged: then
//! the parser reads the line, for which none of this is a reason to fail.

use super::parser::Step;
use super::probe::Probe;
use crate::logql::names::Name;
use crate::logql::row::Row;

/// A key that is expected: its text with the closing quote, and its label's name.
pub(super) type Expected<'k> = (&'k [u8], Option<Name>);

/// Whether a filter refuses the line; `false` also where that cannot be told here.
pub(super) fn is_refused<'k>(
    row: &mut Row<'_>,
    text: &str,
    expected: impl Iterator<Item = Expected<'k>>,
    mut probe: Probe<'_>,
) -> bool {
    let bytes = text.as_bytes();
    if bytes.first() != Some(&b'{') {
        return false;
    }
    let mut at = 1;
    for (key, name) in expected {
        let Some(behind) = behind_key(bytes, at, key) else { return false };
        let Some((start, end, next)) = value(bytes, behind) else { return false };
        // What has no value has no label either.
        let is_null = start == behind && bytes[start..end] == *b"null";
        if let Some(name) = name
            && !is_null
        {
            match probe.value(row, name, Some(&text[start..end])) {
                Step::Next => {}
                Step::Done => return false,
                Step::Reject => return true,
            }
        }
        if bytes.get(next) != Some(&b',') {
            return false;
        }
        at = next + 1;
    }
    false
}

/// Behind `"key":`, if that stands there.
fn behind_key(bytes: &[u8], at: usize, key: &[u8]) -> Option<usize> {
    let (quote, rest) = bytes.get(at..)?.split_first()?;
    let rest = rest.strip_prefix(key)?;
    (*quote == b'"' && rest.first() == Some(&b':')).then(|| at + key.len() + 2)
}

/// The start and end of a value, without its quotes, and where it ends with them.
fn value(bytes: &[u8], at: usize) -> Option<(usize, usize, usize)> {
    let rest = bytes.get(at..)?;
    match rest.first()? {
        b'"' => {
            let length = text_length(&rest[1..])?;
            Some((at + 1, at + 1 + length, at + length + 2))
        }
        first => {
            let length = rest.iter().position(|byte| matches!(byte, b',' | b'}'))?;
            let word = &rest[..length];
            let plain = matches!(first, b'0'..=b'9' | b'-')
                && word
                    .iter()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E'));
            let good = plain || matches!(word, b"true" | b"false" | b"null");
            good.then_some((at, at + length, at + length))
        }
    }
}

/// The bytes before a closing quote; `None` where an escape or what is not ASCII stands before it.
pub(super) fn text_length(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    // The high bit of each byte that is a quote, a backslash or not ASCII. Bits above the lowest may
    // be wrong.
    let marks = |word: u64| {
        let is = |byte: u8| {
            let word = word ^ (ONES * u64::from(byte));
            word.wrapping_sub(ONES) & !word
        };
        (is(b'"') | is(b'\\') | word) & HIGHS
    };
    let (words, rest) = bytes.as_chunks::<8>();
    for (i, word) in words.iter().enumerate() {
        let found = marks(u64::from_le_bytes(*word));
        if found != 0 {
            let at = 8 * i + found.trailing_zeros() as usize / 8;
            return (bytes[at] == b'"').then_some(at);
        }
    }
    let at = rest.iter().position(|byte| matches!(byte, b'"' | b'\\') || !byte.is_ascii())?;
    (rest[at] == b'"').then_some(bytes.len() - rest.len() + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let check = |text: &str, expected: Option<(&str, usize)>| {
            let found =
                value(text.as_bytes(), 0).map(|(start, end, next)| (&text[start..end], next));
            assert_eq!(found, expected, "{text}");
        };
        check("\"abc\",", Some(("abc", 5)));
        check("\"\"}", Some(("", 2)));
        check("\"abcdefgh ijk\",", Some(("abcdefgh ijk", 14)));
        check("-1.5e7,", Some(("-1.5e7", 6)));
        check("true}", Some(("true", 4)));
        check("null,", Some(("null", 4)));
        check("nul,", None);
        check("1 ,", None);
        check("1x,", None);
        check("{},", None);
        check("[1],", None);
        check("\"a\\\"b\",", None);
        check("\"é\",", None);
        check("\"open", None);
        check("12", None);
        check("", None);
    }

    proptest::proptest! {
        #[test]
        fn texts_end_where_their_bytes_say(bytes in proptest::collection::vec(
            proptest::prop_oneof![
                4 => b'a'..=b'z',
                1 => proptest::num::u8::ANY,
                1 => 0x21..0x24u8,
                1 => 0x5b..0x5eu8,
            ], 0..40,
        )) {
            let stops = |byte: &u8| matches!(byte, b'"' | b'\\') || !byte.is_ascii();
            let at = bytes.iter().position(stops);
            let expected = at.filter(|at| bytes[*at] == b'"');
            proptest::prop_assert_eq!(text_length(&bytes), expected);
        }
    }
}
