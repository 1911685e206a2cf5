//! Reading JSON in place, forward only.
//!
//! In: text, not necessarily UTF-8. Out: strings as slices of it, checked and unescaped only where
//! somebody wants their content. Nothing recurses, nesting is bounded. Lenient in one thing, as
//! Loki's reader is: control characters may stand unescaped in a string.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

use super::Refused;

/// Deepest nesting, what the bits of a `u128` can track.
const DEPTH_MAX: u32 = 128;

/// Text that is not JSON, or not what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid JSON push: {what} at byte {offset}")]
pub(super) struct Malformed {
    pub(super) what: &'static str,
    pub(super) offset: usize,
}

impl From<Malformed> for Refused {
    fn from(malformed: Malformed) -> Refused {
        Refused::undecodable(malformed.to_string())
    }
}

/// A string as it is written, between its quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written<'a> {
    raw: &'a [u8],
    has_escapes: bool,
    offset: usize,
}

/// A position in JSON text.
pub(super) struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a [u8]) -> Reader<'a> {
        Reader { text, at: 0 }
    }

    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// Another reader at the same place, to read what follows once more.
    pub(super) fn here(&self) -> Reader<'a> {
        Reader { text: self.text, at: self.at }
    }

    /// What was read since a position.
    pub(super) fn since(&self, offset: usize) -> &'a [u8] {
        &self.text[offset..self.at]
    }

    pub(super) fn error(&self, what: &'static str) -> Malformed {
        Malformed { what, offset: self.at }
    }

    /// The next byte that is no white space; `None` at the end.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    /// Takes this byte if it is next.
    #[inline]
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Takes this byte or says what is missing.
    #[inline]
    pub(super) fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), Malformed> {
        if self.eat(byte) { Ok(()) } else { Err(self.error(what)) }
    }

    /// Takes `null` if it is next.
    pub(super) fn eat_null(&mut self) -> bool {
        let found = self.peek() == Some(b'n') && self.text[self.at..].starts_with(b"null");
        self.at += if found { 4 } else { 0 };
        found
    }

    /// Whether another member follows in an array or object that ends with `close`; `first` is
    /// true before the first one.
    #[inline]
    pub(super) fn another(&mut self, close: u8, first: &mut bool) -> Result<bool, Malformed> {
        if self.eat(close) {
            return Ok(false);
        }
        if !std::mem::take(first) {
            self.expect(b',', "expected a comma or the end of an array or object")?;
        }
        Ok(true)
    }

    /// Takes a string.
    #[inline]
    pub(super) fn string(&mut self, what: &'static str) -> Result<Written<'a>, Malformed> {
        self.expect(b'"', what)?;
        let start = self.at;
        let mut has_escapes = false;
        loop {
            let rest = self.text.get(self.at..).unwrap_or(&[]);
            let Some(end) = memchr2(b'"', b'\\', rest) else {
                return Err(self.error("a string without end"));
            };
            self.at += end + 1;
            if rest[end] == b'"' {
                let raw = &self.text[start..self.at - 1];
                return Ok(Written { raw, has_escapes, offset: start });
            }
            has_escapes = true;
            self.at += 1;
        }
    }

    /// Takes a key and its colon.
    pub(super) fn key(&mut self) -> Result<Written<'a>, Malformed> {
        let key = self.string("expected a key in quotes")?;
        self.expect(b':', "expected a colon after a key")?;
        Ok(key)
    }

    /// Takes a number, `true` or `false`, as written.
    pub(super) fn scalar(&mut self) -> Result<&'a [u8], Malformed> {
        self.peek();
        let rest = &self.text[self.at..];
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        let end = rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
        let scalar = &rest[..end];
        if !is_number(scalar) && scalar != b"true" && scalar != b"false" {
            return Err(self.error("expected a value"));
        }
        self.at += end;
        Ok(scalar)
    }

    /// Skips one value of any kind.
    pub(super) fn skip(&mut self) -> Result<(), Malformed> {
        // A bit for each open bracket, the innermost lowest: 1 is an object, 0 an array.
        let (mut open, mut depth) = (0_u128, 0_u32);
        loop {
            match self.peek() {
                Some(bracket @ (b'{' | b'[')) => {
                    if depth == DEPTH_MAX {
                        return Err(self.error("too deeply nested"));
                    }
                    self.at += 1;
                    open = open << 1 | u128::from(bracket == b'{');
                    depth += 1;
                    let is_object = open & 1 == 1;
                    if self.peek() != Some(if is_object { b'}' } else { b']' }) {
                        if is_object {
                            self.key()?;
                        }
                        continue;
                    }
                }
                Some(b'"') => drop(self.string("expected a string")?),
                _ if self.eat_null() => {}
                _ => drop(self.scalar()?),
            }
            loop {
                if depth == 0 {
                    return Ok(());
                }
                let is_object = open & 1 == 1;
                if self.eat(if is_object { b'}' } else { b']' }) {
                    open >>= 1;
                    depth -= 1;
                    continue;
                }
                self.expect(b',', "expected a comma or the end of an array or object")?;
                if is_object {
                    self.key()?;
                }
                break;
            }
        }
    }
}

/// JSON's grammar for numbers.
fn is_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(text);
    if whole == 0 || (whole > 1 && text[0] == b'0') {
        return false;
    }
    let mut rest = &text[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        rest = &fraction[digits(fraction)..];
        if rest.len() == fraction.len() {
            return false;
        }
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent =
            exponent.strip_prefix(b"+").or(exponent.strip_prefix(b"-")).unwrap_or(exponent);
        return !exponent.is_empty() && digits(exponent) == exponent.len();
    }
    rest.is_empty()
}

impl<'a> Written<'a> {
    /// Where the string begins.
    pub(super) fn offset(self) -> usize {
        self.offset
    }

    /// The bytes as they are written.
    pub(super) fn raw(self) -> &'a [u8] {
        self.raw
    }

    /// The bytes that are meant.
    #[inline]
    pub(super) fn bytes(self) -> Result<Cow<'a, [u8]>, Malformed> {
        if self.has_escapes {
            Ok(Cow::Owned(self.unescape()?))
        } else {
            Ok(Cow::Borrowed(self.raw))
        }
    }

    /// Appends the bytes that are meant, or says where an escape is wrong.
    pub(super) fn unescape_into(self, plain: &mut Vec<u8>) -> Result<(), Malformed> {
        let mut rest = self.raw;
        while let Some(at) = memchr(b'\\', rest) {
            plain.extend_from_slice(&rest[..at]);
            rest = &rest[at + 1..];
            let wrong = || Malformed {
                what: "a wrong escape in a string",
                offset: self.offset + (self.raw.len() - rest.len()),
            };
            let (byte, more) = rest.split_first().ok_or_else(wrong)?;
            let simple = match byte {
                b'"' | b'\\' | b'/' => *byte,
                b'n' => b'\n',
                b't' => b'\t',
                b'r' => b'\r',
                b'b' => 0x08,
                b'f' => 0x0c,
                b'u' => {
                    let (c, used) = unicode(more).ok_or_else(wrong)?;
                    plain.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    rest = &more[used..];
                    continue;
                }
                _ => return Err(wrong()),
            };
            plain.push(simple);
            rest = more;
        }
        plain.extend_from_slice(rest);
        Ok(())
    }

    /// The bytes that are meant, in `scratch` where they are not in the text as they are.
    #[inline]
    pub(super) fn bytes_in<'s>(self, scratch: &'s mut Vec<u8>) -> Result<&'s [u8], Malformed>
    where
        'a: 's,
    {
        if !self.has_escapes {
            return Ok(self.raw);
        }
        scratch.clear();
        self.unescape_into(scratch)?;
        Ok(scratch)
    }

    /// The text that is meant; bytes that are not UTF-8 become U+FFFD.
    pub(super) fn text(self) -> Result<Cow<'a, str>, Malformed> {
        Ok(match self.bytes()? {
            Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        })
    }

    /// The text that is meant, which must be UTF-8.
    pub(super) fn strict_text(self) -> Result<String, Malformed> {
        let wrong = |_| Malformed { what: "a string that is not UTF-8", offset: self.offset };
        String::from_utf8(self.bytes()?.into_owned()).map_err(wrong)
    }

    fn unescape(self) -> Result<Vec<u8>, Malformed> {
        let mut plain = Vec::with_capacity(self.raw.len());
        self.unescape_into(&mut plain)?;
        Ok(plain)
    }
}

/// The character of a `\u` escape, and how many bytes after the `u` it takes. A surrogate without
/// its other half is U+FFFD.
fn unicode(text: &[u8]) -> Option<(char, usize)> {
    let high = hex4(text)?;
    let pair = match text.get(4..6) {
        Some(br"\u") if (0xd800..0xdc00).contains(&high) => hex4(&text[6..]),
        _ => None,
    };
    match pair {
        Some(low @ 0xdc00..0xe000) => {
            let code = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
            Some((char::from_u32(code).expect("a pair of surrogates is a character"), 10))
        }
        _ => Some((char::from_u32(high).unwrap_or('\u{fffd}'), 4)),
    }
}

fn hex4(text: &[u8]) -> Option<u32> {
    text.get(..4)?
        .iter()
        .try_fold(0, |code, byte| Some(code << 4 | char::from(*byte).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn skips(text: &[u8]) -> bool {
        let mut reader = Reader::new(text);
        reader.skip().is_ok() && reader.peek().is_none()
    }

    #[test]
    fn values() {
        let check = |text: &str, good: bool| assert_eq!(skips(text.as_bytes()), good, "{text}");
        check(r#" {"a" : [1, -2.5e+3, "x\"]", {}, [], null, true, false] , "b":{"c":""}} "#, true);
        check("0", true);
        check("-", false);
        check("01", false);
        check("1.", false);
        check("1e", false);
        check("nul", false);
        check("True", false);
        check("", false);
        check("[1,]", false);
        check("[1 2]", false);
        check("[,1]", false);
        check(r#"{"a"}"#, false);
        check(r#"{"a":}"#, false);
        check(r#"{"a":1,}"#, false);
        check("{a:1}", false);
        check("[1}", false);
        check("[}", false);
        check("{]", false);
        check("[[]", false);
        check("\"", false);
        check(r#""\"#, false);
        check(&("[".repeat(128) + &"]".repeat(128)), true);
        check(&("[".repeat(129) + &"]".repeat(129)), false);
        check(&"[".repeat(100_000), false);
        check(&r#"{"a":"#.repeat(100_000), false);
    }

    #[test]
    fn strings() {
        let check = |text: &str, expected: Option<&str>| {
            let written = Reader::new(text.as_bytes()).string("").expect("a string");
            assert_eq!(written.strict_text().ok().as_deref(), expected, "{text}");
        };
        check(r#""plain é""#, Some("plain é"));
        check(r#""\"\\\/\n\t\r\b\f""#, Some("\"\\/\n\t\r\u{8}\u{c}"));
        check(r#""\u00e9\ud83d\ude00\u0000""#, Some("é😀\0"));
        check(r#""\ud800""#, Some("\u{fffd}"));
        check(r#""\ud800\u0041""#, Some("\u{fffd}A"));
        check(r#""\ud800\ud800\udc00""#, Some("\u{fffd}\u{10000}"));
        check(r#""\udc00x""#, Some("\u{fffd}x"));
        check(r#""\q""#, None);
        check(r#""\u12""#, None);
        check(r#""\u12g4""#, None);
        let bad = Reader::new(b"\"\xff\"").string("").expect("a string");
        assert!(bad.strict_text().is_err());
        assert_eq!(bad.text().as_deref(), Ok("\u{fffd}"));
    }

    proptest! {
        #[test]
        fn skips_what_serde_json_reads(text in r#"[\[\]{},:" a1.eE\-ntrufals]{0,20}"#) {
            let expected = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            prop_assert_eq!(skips(text.as_bytes()), expected, "{}", text);
        }

        #[test]
        fn unescapes_what_serde_json_escapes(text in "\\PC*|[\\x00-\\x1f\"\\\\/]*") {
            let json = serde_json::to_string(&text).expect("a string");
            let written = Reader::new(json.as_bytes()).string("").expect("a string");
            prop_assert_eq!(written.strict_text(), Ok(text));
        }
    }
}
