//! A forgiving reader of JSON text: finds where values start and end, without a tree.
//!
//! It accepts and refuses what the reader inside Loki does, in the same words, since these end up
//! in `__error_details__`: numbers are not checked, arrays and objects that are not looked into
//! only need their brackets balanced, and a comma may stand before a closing brace.

use memchr::{memchr2, memchr3};

/// Words of eight bytes in which a string is expected to end.
const SHORT_WORDS: usize = 3;

/// Why a text could not be read.
pub(crate) type Reason = &'static str;

pub(crate) const MALFORMED: Reason = "Malformed JSON error";
pub(crate) const MALFORMED_STRING: Reason = "Value is string, but can't find closing '\"' symbol";
pub(crate) const MALFORMED_ARRAY: Reason = "Value is array, but can't find closing ']' symbol";
pub(crate) const MALFORMED_OBJECT: Reason =
    "Value looks like object, but can't find closing '}' symbol";
pub(crate) const UNKNOWN_VALUE: Reason = "Unknown value type";
pub(crate) const BAD_ESCAPE: Reason = "Encountered an invalid escape sequence in a string";

/// A value: where it is and what it is. Strings are without their quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) kind: Kind,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// With escapes or without.
    Text {
        escaped: bool,
    },
    /// A number or a boolean.
    Plain,
    Null,
    Array,
    Object,
}

/// A position in a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    pub(crate) text: &'a [u8],
    pub(crate) at: usize,
}

impl Cursor<'_> {
    /// Goes to the next byte that is no white space and tells it.
    pub(crate) fn token(&mut self) -> Option<u8> {
        loop {
            let byte = *self.text.get(self.at)?;
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    /// Behind an opening quote: goes behind the closing one. Tells the end of the string and
    /// whether there are escapes in it.
    pub(crate) fn string(&mut self) -> Option<(usize, bool)> {
        let mut escaped = false;
        loop {
            let found = self.at + quote_or_escape(self.text.get(self.at..)?)?;
            if self.text[found] == b'"' {
                self.at = found + 1;
                return Some((found, escaped));
            }
            escaped = true;
            self.at = found + 2;
        }
    }

    /// At a value: goes behind it.
    pub(crate) fn value(&mut self) -> Result<Value, Reason> {
        let first = self.token().ok_or(MALFORMED)?;
        let start = self.at;
        let kind = match first {
            b'"' => {
                self.at += 1;
                let (end, escaped) = self.string().ok_or(MALFORMED_STRING)?;
                return Ok(Value { kind: Kind::Text { escaped }, start: start + 1, end });
            }
            b'[' => {
                self.block(b'[', b']').ok_or(MALFORMED_ARRAY)?;
                Kind::Array
            }
            b'{' => {
                self.block(b'{', b'}').ok_or(MALFORMED_OBJECT)?;
                Kind::Object
            }
            _ => self.plain()?,
        };
        Ok(Value { kind, start, end: self.at })
    }

    fn plain(&mut self) -> Result<Kind, Reason> {
        let rest = &self.text[self.at..];
        let ends = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | b',' | b'}' | b']');
        let length = rest.iter().position(ends).unwrap_or(rest.len());
        let word = &rest[..length];
        let kind = match word {
            b"true" | b"false" => Kind::Plain,
            b"null" => Kind::Null,
            [b'0'..=b'9' | b'-', ..] => Kind::Plain,
            _ => return Err(UNKNOWN_VALUE),
        };
        self.at += length;
        Ok(kind)
    }

    /// At an opening bracket: goes behind the one that closes it.
    fn block(&mut self, open: u8, close: u8) -> Option<()> {
        let mut depth = 0;
        loop {
            let found = self.at + memchr3(b'"', open, close, &self.text[self.at..])?;
            self.at = found + 1;
            match self.text[found] {
                b'"' => drop(self.string()?),
                byte if byte == open => depth += 1,
                _ => depth -= 1,
            }
            if depth <= 0 {
                return Some(());
            }
        }
    }
}

/// Where the first quote or backslash is. Most strings are short: a search that is made for long
/// texts costs more to begin than these take.
fn quote_or_escape(text: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 255;
    // The high bit of each byte that is one of both. Bits above the lowest may be wrong.
    let marks = |word: u64| {
        let is = |byte: u8| {
            let word = word ^ (ONES * u64::from(byte));
            word.wrapping_sub(ONES) & !word
        };
        (is(b'"') | is(b'\\')) & (ONES << 7)
    };
    let (words, _) = text.as_chunks::<8>();
    for (at, word) in words.iter().take(SHORT_WORDS).enumerate() {
        let found = marks(u64::from_le_bytes(*word));
        if found != 0 {
            return Some(8 * at + found.trailing_zeros() as usize / 8);
        }
    }
    let start = 8 * words.len().min(SHORT_WORDS);
    memchr2(b'"', b'\\', &text[start..]).map(|at| start + at)
}

/// Decodes the inside of a string behind what `out` already has; `None` where an escape is bad.
pub(crate) fn unescape(out: &mut String, text: &str) -> Option<()> {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let escape = *rest.as_bytes().get(at + 1)?;
        let mut length = 2;
        match escape {
            b'"' | b'\\' | b'/' => out.push(char::from(escape)),
            b'b' => out.push('\u{8}'),
            b'f' => out.push('\u{c}'),
            b'n' => out.push('\n'),
            b'r' => out.push('\r'),
            b't' => out.push('\t'),
            b'u' => {
                let (c, n) = unicode(&rest[at..])?;
                out.push(c);
                length = n;
            }
            _ => return None,
        }
        rest = &rest[at + length..];
    }
    out.push_str(rest);
    Some(())
}

/// `\u00e9`, or a pair of surrogates: the character and the length of what stands for it.
fn unicode(text: &str) -> Option<(char, usize)> {
    let unit = |text: &str| {
        let digits = text.strip_prefix("\\u")?.get(..4)?;
        let good = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        good.then(|| u32::from_str_radix(digits, 16).ok())?
    };
    let first = unit(text)?;
    if let Some(c) = char::from_u32(first) {
        return Some((c, 6));
    }
    let second = unit(&text[6..]).filter(|second| (0xdc00..0xe000).contains(second))?;
    if first >= 0xdc00 {
        return None;
    }
    let c = char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))?;
    Some((c, 12))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let check = |text: &str, expected: Result<(Kind, &str), Reason>| {
            let found = Cursor { text: text.as_bytes(), at: 0 }.value();
            let found = found.map(|value| (value.kind, &text[value.start..value.end]));
            assert_eq!(found, expected, "{text}");
        };
        check(" \"a\\\"b\" ,", Ok((Kind::Text { escaped: true }, "a\\\"b")));
        check("\"ab\"", Ok((Kind::Text { escaped: false }, "ab")));
        check("[1,\"]\",[2]] x", Ok((Kind::Array, "[1,\"]\",[2]]")));
        check("{\"a\":{}}}", Ok((Kind::Object, "{\"a\":{}}")));
        check("-1.5e7}", Ok((Kind::Plain, "-1.5e7")));
        check("null,", Ok((Kind::Null, "null")));
        check("nul,", Err(UNKNOWN_VALUE));
        check("", Err(MALFORMED));
        check("\"abc", Err(MALFORMED_STRING));
        check("\"abc\\", Err(MALFORMED_STRING));
        check("[1,2", Err(MALFORMED_ARRAY));
        check("{\"a\":1", Err(MALFORMED_OBJECT));
    }

    proptest::proptest! {
        #[test]
        fn strings_end_where_their_bytes_say(bytes in proptest::collection::vec(
            proptest::prop_oneof![proptest::num::u8::ANY, 0x21..0x24u8, 0x5b..0x5eu8], 0..60,
        )) {
            let expected = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\'));
            proptest::prop_assert_eq!(quote_or_escape(&bytes), expected);
        }
    }

    #[test]
    fn escapes() {
        let check = |text: &str, expected: Option<&str>| {
            let mut out = String::from(">");
            let found = unescape(&mut out, text).map(|()| &out[1..]);
            assert_eq!(found, expected, "{text}");
        };
        check(r#"a\n\"\/\\"#, Some("a\n\"/\\"));
        check(r"\u00e9\ud83d\ude80", Some("é🚀"));
        check(r"\ud83d", None);
        check(r"\ud83dx", None);
        check(r"\ude80\ud83d", None);
        check(r"\q", None);
        check(r"\u12", None);
        check(r"\u+123", None);
    }
}
