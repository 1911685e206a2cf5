//! The Prometheus text of a label set: `{app="web", env='prod'}`.
//!
//! In: text from a client. Out: its pairs in the order written, or an error in Prometheus' words
//! with line and column. Pairs may repeat a name and may have empty values: what that means is for
//! [`Labels::from_pairs`](super::Labels::from_pairs) to say. The text of a selector, which compares in
//! more ways, is read by the same rules.

use super::{MatchOp, Matcher};

/// A text that is not a label set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: parse error: {reason}")]
pub struct Error {
    /// From 1.
    pub line: usize,
    /// From 1, in bytes.
    pub column: usize,
    /// What is wrong there.
    pub reason: String,
}

/// Reads `{name="value", ...}`. A metric name before the brace becomes `__name__`; a trailing comma
/// is fine; values are Go strings in double or single quotes or raw in backticks. More than `n_max`
/// pairs are an error, because each takes many times the memory of its text.
pub fn parse(text: &str, n_max: usize) -> Result<Vec<(String, String)>, Error> {
    let mut reader = Reader { text, at: 0 };
    let mut pairs = Vec::new();
    reader.space();
    let name = reader.word(|c| is_name(c) || c == b':');
    if !name.is_empty() {
        pairs.push(("__name__".to_owned(), name.to_owned()));
        reader.space();
    }
    match reader.peek() {
        None => return Ok(pairs),
        Some('{') => {}
        Some(_) => return Err(reader.unexpected("")),
    }
    reader.list(pairs, n_max, ("labels", "label set"), Reader::pair)
}

/// Reads `{name="value", other=~"pattern", ...}`, with at most `n_max` matchers.
pub fn matchers(text: &str, n_max: usize) -> Result<Vec<Matcher>, Error> {
    let mut reader = Reader { text, at: 0 };
    reader.space();
    if reader.peek() != Some('{') {
        return Err(reader.error("expected a selector like {app=\"web\"}".into()));
    }
    reader.list(Vec::new(), n_max, ("matchers", "selector"), Reader::matcher)
}

/// Whether a text is a label name as Prometheus and LogQL write it: `[a-zA-Z_][a-zA-Z0-9_]*`.
pub fn is_label_name(name: &str) -> bool {
    name.bytes().next().is_some_and(|first| !first.is_ascii_digit()) && name.bytes().all(is_name)
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    /// The longest run of such bytes from here, empty where it would begin with a digit.
    fn word(&mut self, belongs: impl Fn(u8) -> bool) -> &'a str {
        let rest = self.rest();
        if rest.bytes().next().is_some_and(|byte| byte.is_ascii_digit()) {
            return "";
        }
        let end = rest.bytes().position(|byte| !belongs(byte)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Appends the items of a list in braces, which begins here and after which nothing comes.
    /// `(what, place)` is what errors call the items and the list.
    fn list<T>(
        &mut self,
        mut items: Vec<T>,
        n_max: usize,
        (what, place): (&str, &str),
        item: impl Fn(&mut Self) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        self.at += "{".len();
        self.space();
        while self.peek() != Some('}') {
            if items.len() == n_max {
                return Err(self.error(format!("more than {n_max} {what}")));
            }
            items.push(item(self)?);
            self.space();
            match self.peek() {
                Some(',') => self.at += 1,
                Some('}') => break,
                _ => {
                    let context = format!(" in {place}, expected \",\" or \"}}\"");
                    return Err(self.unexpected(&context));
                }
            }
            self.space();
        }
        self.at += 1;
        self.space();
        if self.at < self.text.len() { Err(self.unexpected("")) } else { Ok(items) }
    }

    fn pair(&mut self) -> Result<(String, String), Error> {
        let name = self.word(is_name);
        if name.is_empty() {
            return Err(self.unexpected(" in label set, expected identifier or \"}\""));
        }
        self.space();
        if self.peek() != Some('=') || self.rest().starts_with("=~") {
            return Err(self.unexpected(" in label set, expected \"=\""));
        }
        self.at += 1;
        Ok((name.to_owned(), self.string(" in label set, expected string")?))
    }

    fn matcher(&mut self) -> Result<Matcher, Error> {
        let name = self.word(is_name);
        if name.is_empty() {
            return Err(self.unexpected(" in selector, expected identifier or \"}\""));
        }
        self.space();
        let ops = [MatchOp::Matches, MatchOp::NotMatches, MatchOp::NotEqual, MatchOp::Equal];
        let op = ops.into_iter().find(|op| self.rest().starts_with(&op.to_string()));
        let op = op.ok_or_else(|| self.unexpected(" in selector, expected =, !=, =~ or !~"))?;
        self.at += op.to_string().len();
        let start = self.at;
        let value = self.string(" in selector, expected string")?;
        Matcher::new(name, op, &value).map_err(|error| {
            self.at = start;
            self.error(error.to_string())
        })
    }

    fn string(&mut self, context: &str) -> Result<String, Error> {
        self.space();
        match self.peek() {
            Some('`') => self.raw(),
            Some(quote @ ('"' | '\'')) => self.quoted(quote),
            _ => Err(self.unexpected(context)),
        }
    }

    fn raw(&mut self) -> Result<String, Error> {
        let inner = &self.rest()[1..];
        let end = inner.find('`').ok_or_else(|| self.error("unterminated raw string".into()))?;
        self.at += end + 2;
        Ok(inner[..end].to_owned())
    }

    fn quoted(&mut self, quote: char) -> Result<String, Error> {
        let start = self.at;
        self.at += 1;
        let mut value = Vec::new();
        loop {
            let rest = self.rest();
            let end = rest.find([quote, '\\', '\n']).unwrap_or(rest.len());
            value.extend_from_slice(&rest.as_bytes()[..end]);
            self.at += end;
            match self.peek() {
                Some('\\') => self.escape(quote, &mut value)?,
                Some(c) if c == quote => break,
                _ => {
                    self.at = start;
                    return Err(self.error("unterminated quoted string".into()));
                }
            }
        }
        self.at += 1;
        String::from_utf8(value).map_err(|_| {
            self.at = start;
            self.error("invalid UTF-8 in quoted string".into())
        })
    }

    /// One escape of Go's: the reader stands on its backslash.
    fn escape(&mut self, quote: char, value: &mut Vec<u8>) -> Result<(), Error> {
        let escape = self.rest()[1..].chars().next();
        let simple = match escape {
            Some('a') => 0x07,
            Some('b') => 0x08,
            Some('f') => 0x0c,
            Some('n') => b'\n',
            Some('r') => b'\r',
            Some('t') => b'\t',
            Some('v') => 0x0b,
            Some('\\') => b'\\',
            Some(c) if c == quote => u8::try_from(c).expect("quotes are ascii"),
            Some('x') => return self.code(2, 2, 16, value),
            Some('u') => return self.code(2, 4, 16, value),
            Some('U') => return self.code(2, 8, 16, value),
            Some('0'..='7') => return self.code(1, 3, 8, value),
            Some(c) => {
                let reason = format!("unknown escape sequence U+{:04X} '{c}'", u32::from(c));
                return Err(self.error(reason));
            }
            None => return Err(self.error("escape sequence not terminated".into())),
        };
        value.push(simple);
        self.at += 2;
        Ok(())
    }

    /// An escape with digits: up to three octal or two hex ones say a byte, more say a character.
    fn code(
        &mut self,
        skip: usize,
        digits: usize,
        radix: u32,
        value: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let written = self
            .rest()
            .get(skip..skip + digits)
            .filter(|written| written.chars().all(|c| c.is_digit(radix)));
        let Some(written) = written else {
            return Err(self.error("escape sequence not terminated".into()));
        };
        let code = u32::from_str_radix(written, radix).expect("at most eight checked digits");
        if digits <= 3 {
            match u8::try_from(code) {
                Ok(byte) => value.push(byte),
                Err(_) => return Err(self.error("octal escape value > 255".into())),
            }
        } else {
            let Some(c) = char::from_u32(code) else {
                let reason = "escape sequence is an invalid Unicode code point";
                return Err(self.error(reason.into()));
            };
            value.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        self.at += skip + digits;
        Ok(())
    }

    /// Names what stands here as Prometheus' lexer or parser would; `context` is the parser's.
    fn unexpected(&self, context: &str) -> Error {
        let rest = self.rest();
        let Some(c) = rest.chars().next() else {
            return self.error("unexpected end of input inside braces".into());
        };
        let word = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next();
        let found = match (c, word) {
            ('a'..='z' | 'A'..='Z' | '_', Some(word)) => format!("identifier \"{word}\""),
            ('=', _) if rest.starts_with("=~") => "<op:=~>".to_owned(),
            ('!', _) if rest.starts_with("!=") || rest.starts_with("!~") => {
                format!("<op:{}>", &rest[..2])
            }
            ('=' | ',' | '}', _) => format!("\"{c}\""),
            ('"' | '\'' | '`', _) => "string".to_owned(),
            ('{', _) if !context.is_empty() => {
                return self.error("unexpected left brace '{'".into());
            }
            _ if context.is_empty() => return self.error(format!("unexpected character: {c:?}")),
            _ => return self.error(format!("unexpected character inside braces: {c:?}")),
        };
        self.error(format!("unexpected {found}{context}"))
    }

    fn error(&self, reason: String) -> Error {
        let before = &self.text[..self.at];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        Error { line, column: self.at - line_start + 1, reason }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Labels;

    fn check(text: &str, expected: Result<&[(&str, &str)], &str>) {
        let found = parse(text, 3);
        match (&found, expected) {
            (Ok(pairs), Ok(expected)) => {
                let pairs: Vec<(&str, &str)> =
                    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                assert_eq!(pairs, expected, "{text}");
            }
            (Err(error), Err(expected)) => assert_eq!(error.to_string(), expected, "{text}"),
            _ => panic!("{text}: {found:?} is not {expected:?}"),
        }
    }

    #[test]
    fn label_sets() {
        check(r#"{a="b", c="d"}"#, Ok(&[("a", "b"), ("c", "d")]));
        check(r#"{a="b",c="d",}"#, Ok(&[("a", "b"), ("c", "d")]));
        check(" { a = 'b' , _c9=`d\\n` } ", Ok(&[("a", "b"), ("_c9", "d\\n")]));
        check(r#"{a="1", a="2", b=""}"#, Ok(&[("a", "1"), ("a", "2"), ("b", "")]));
        check(r#"up{a="b"}"#, Ok(&[("__name__", "up"), ("a", "b")]));
        check("{}", Ok(&[]));
        check("", Ok(&[]));
        check(r#"{a="q\"\\\n\t\x41\101\u00e9\U0001F600'"}"#, Ok(&[("a", "q\"\\\n\tAAé😀'")]));
        check(r#"{a="\xc3\xa9"}"#, Ok(&[("a", "é")]));
    }

    #[test]
    fn errors_in_prometheus_words() {
        check(
            r#"{bad-name="x"}"#,
            Err("1:5: parse error: unexpected character inside braces: '-'"),
        );
        check(r#"{1app="x"}"#, Err("1:2: parse error: unexpected character inside braces: '1'"));
        check(r#"{a.b="x"}"#, Err("1:3: parse error: unexpected character inside braces: '.'"));
        check("{a=", Err("1:4: parse error: unexpected end of input inside braces"));
        check("{", Err("1:2: parse error: unexpected end of input inside braces"));
        check(
            r#"{a=~"x"}"#,
            Err(r#"1:3: parse error: unexpected <op:=~> in label set, expected "=""#),
        );
        check(
            "{a=b}",
            Err(r#"1:4: parse error: unexpected identifier "b" in label set, expected string"#),
        );
        check(
            r#"{a="b" c="d"}"#,
            Err(r#"1:8: parse error: unexpected identifier "c" in label set, expected "," or "}""#),
        );
        check(
            "{,}",
            Err(r#"1:2: parse error: unexpected "," in label set, expected identifier or "}""#),
        );
        check("{a=\"b\n\"}", Err("1:4: parse error: unterminated quoted string"));
        check("{\na=\"b}", Err("2:3: parse error: unterminated quoted string"));
        check("{a=`b}", Err("1:4: parse error: unterminated raw string"));
        check(r#"{a="\q"}"#, Err("1:5: parse error: unknown escape sequence U+0071 'q'"));
        check(r#"{a="\xff"}"#, Err("1:4: parse error: invalid UTF-8 in quoted string"));
        check(r#"{a="\u12"}"#, Err("1:5: parse error: escape sequence not terminated"));
        check(r#"{a="\777"}"#, Err("1:5: parse error: octal escape value > 255"));
        check(
            r#"{a="\ud800"}"#,
            Err("1:5: parse error: escape sequence is an invalid Unicode code point"),
        );
        check(r#"{a="1", a="2", a="3", a="4"}"#, Err("1:23: parse error: more than 3 labels"));
        check(r#"{a="b"}}"#, Err(r#"1:8: parse error: unexpected "}""#));
        check("not labels", Err(r#"1:5: parse error: unexpected identifier "labels""#));
    }

    #[test]
    fn names() {
        let check = |name: &str, good: bool| assert_eq!(is_label_name(name), good, "{name}");
        check("a", true);
        check("_", true);
        check("__name__", true);
        check("A1", true);
        check("", false);
        check("1a", false);
        check("a-b", false);
        check("a\0b", false);
        check("é", false);
    }

    proptest! {
        #[test]
        fn what_is_displayed_is_read_back(
            pairs in proptest::collection::btree_map("[a-zA-Z_][a-zA-Z0-9_]{0,8}", ".{1,12}", 0..5)
        ) {
            let labels = Labels::from_pairs(pairs).expect("a map has each name once");
            let read = parse(&labels.to_string(), 5).expect("our own text");
            prop_assert_eq!(Labels::from_pairs(read).expect("unique"), labels);
        }

        #[test]
        fn any_text_gives_an_answer(text in r#"[{}=~!",'\\`a-c0-9 \n#é]{0,24}"#) {
            if let Err(error) = parse(&text, 5) {
                prop_assert!(!error.reason.is_empty());
            }
        }
    }
}
