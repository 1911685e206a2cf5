//! A reader of `key=value key="quoted value" bare` lines.
//!
//! It accepts and refuses what the reader inside Loki does. After an error it goes on at the next
//! space, so that a caller may choose to overlook errors.

use std::ops::Range;

/// A position in a line.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

/// A key and its value, as ranges of the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) key: Range<usize>,
    /// Without quotes; empty where there is none.
    pub(crate) value: Range<usize>,
    /// Whether the value has escapes to decode.
    pub(crate) escaped: bool,
}

/// What is wrong, and where (counted from 1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    pub(crate) position: usize,
    pub(crate) reason: Reason,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Unexpected(char),
    Unterminated,
    InvalidQuoted,
    InvalidKey,
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "logfmt syntax error at pos {} : ", self.position)?;
        match self.reason {
            Reason::Unexpected(c) => write!(f, "unexpected '{c}'"),
            Reason::Unterminated => f.write_str("unterminated quoted value"),
            Reason::InvalidQuoted => f.write_str("invalid quoted value"),
            Reason::InvalidKey => f.write_str("invalid key"),
        }
    }
}

impl<'a> Cursor<'a> {
    /// Begins a line.
    pub(crate) fn new(text: &'a str) -> Cursor<'a> {
        Cursor { text, at: 0 }
    }

    /// The next pair; `None` at the end of the line.
    pub(crate) fn next(&mut self) -> Option<Result<Pair, Malformed>> {
        let bytes = self.text.as_bytes();
        self.at += bytes[self.at..].iter().position(|byte| *byte > b' ')?;
        let start = self.at;
        self.at += word_length(&bytes[start..]);
        let key = start..self.at;
        match bytes.get(self.at) {
            Some(b'"') => return Some(self.unexpected('"')),
            Some(b'=') if key.is_empty() => return Some(self.unexpected('=')),
            _ => {}
        }
        let text = &self.text[key.clone()];
        if !text.is_ascii() && text.contains(char::REPLACEMENT_CHARACTER) {
            return Some(self.malformed(Reason::InvalidKey));
        }
        if bytes.get(self.at) != Some(&b'=') {
            return Some(Ok(Pair { key, value: self.at..self.at, escaped: false }));
        }
        self.at += 1;
        if bytes.get(self.at) == Some(&b'"') {
            return Some(self.quoted(key));
        }
        let start = self.at;
        self.at += word_length(&bytes[start..]);
        match bytes.get(self.at) {
            Some(b'"') => Some(self.unexpected('"')),
            Some(b'=') => Some(self.unexpected('=')),
            _ => Some(Ok(Pair { key, value: start..self.at, escaped: false })),
        }
    }

    /// At an opening quote.
    fn quoted(&mut self, key: Range<usize>) -> Result<Pair, Malformed> {
        let start = self.at + 1;
        let mut scan = super::json_scan::Cursor { text: self.text.as_bytes(), at: start };
        let Some((end, escaped)) = scan.string() else {
            self.at = self.text.len();
            return self.malformed(Reason::Unterminated);
        };
        self.at = scan.at;
        let pair = Pair { key, value: start..end, escaped };
        // Only a value with escapes is looked at closely, as in Loki.
        if escaped && unquote(&mut String::new(), &self.text[pair.value.clone()]).is_none() {
            return self.malformed(Reason::InvalidQuoted);
        }
        Ok(pair)
    }

    fn unexpected(&mut self, c: char) -> Result<Pair, Malformed> {
        self.malformed(Reason::Unexpected(c))
    }

    fn malformed(&mut self, reason: Reason) -> Result<Pair, Malformed> {
        let position = self.at + 1;
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().position(|byte| *byte <= b' ').unwrap_or(rest.len());
        Err(Malformed { position, reason })
    }
}

/// How many bytes stand before an equals sign, a quote, a space (or control byte) or the end.
pub(super) fn word_length(bytes: &[u8]) -> usize {
    let ends = |byte: u8| byte <= b' ' || byte == b'=' || byte == b'"';
    let (words, rest) = bytes.as_chunks::<8>();
    for (i, word) in words.iter().enumerate() {
        let found = ends_in(u64::from_le_bytes(*word));
        if found != 0 {
            return 8 * i + found.trailing_zeros() as usize / 8;
        }
    }
    let start = bytes.len() - rest.len();
    rest.iter().position(|byte| ends(*byte)).map_or(bytes.len(), |n| start + n)
}

/// Eight bytes at once: the high bit of each that ends a word. Bits above the lowest may be wrong,
/// since the subtractions borrow from the next byte.
fn ends_in(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    let below = |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit)) & !word & HIGHS;
    let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    below(word, b' ' + 1) | is(b'=') | is(b'"')
}

/// Decodes the inside of a quoted value behind what `out` already has.
pub(crate) fn unquote(out: &mut String, text: &str) -> Option<()> {
    if text.bytes().any(|byte| byte < b' ') {
        return None;
    }
    super::json_scan::unescape(out, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn words_end_where_their_bytes_say(bytes in proptest::collection::vec(
            proptest::prop_oneof![proptest::num::u8::ANY, b'0'..b'z', 0x20..0x24u8, 0x3b..0x3fu8], 0..40,
        )) {
            let ends = |byte: &u8| *byte <= b' ' || *byte == b'=' || *byte == b'"';
            let expected = bytes.iter().position(ends).unwrap_or(bytes.len());
            proptest::prop_assert_eq!(word_length(&bytes), expected);
        }
    }

    #[test]
    fn pairs_and_errors() {
        let check = |text: &str, expected: &[&str]| {
            let mut cursor = Cursor::new(text);
            let mut found = Vec::new();
            while let Some(pair) = cursor.next() {
                found.push(match pair {
                    Ok(pair) => format!("{}={}", &text[pair.key], &text[pair.value]),
                    Err(error) => error.to_string(),
                });
            }
            assert_eq!(found, expected, "{text}");
        };
        check("a=1 b=\"x y\" c", &["a=1", "b=x y", "c="]);
        check(" a= \t b=\"\"\nd=2", &["a=", "b=", "d=2"]);
        check("path=/a?x=1&y=2 m=G", &["logfmt syntax error at pos 10 : unexpected '='", "m=G"]);
        check("c \"q=3", &["c=", "logfmt syntax error at pos 3 : unexpected '\"'"]);
        check("=1 x", &["logfmt syntax error at pos 1 : unexpected '='", "x="]);
        check("k=\"open", &["logfmt syntax error at pos 8 : unterminated quoted value"]);
        check(r#"k="a\"b" l=1"#, &[r#"k=a\"b"#, "l=1"]);
        check(r#"k="a\qb" l=1"#, &["logfmt syntax error at pos 9 : invalid quoted value", "l=1"]);
        check("", &[]);
    }
}
