//! Text to tokens, by the rules of the Go scanner that Loki reads queries with.
//!
//! In: the query text. Out: tokens with their places, ending in one [`Token::End`] or, where the
//! text cannot be read on, one [`Token::Bad`], which the parser reports when it gets there: a
//! mistake that stands before it in the text is reported first.
//!
//! - Spans are in order, do not overlap and lie on character boundaries.
//! - One pass; what is looked at ahead is bounded or not looked at twice.

use super::ast::Span;
use super::{bytes, duration};

/// A token and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lexeme<'a> {
    pub(super) token: Token<'a>,
    pub(super) span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'a> {
    /// A name.
    Identifier(&'a str),
    /// A string, unquoted.
    String(String),
    /// A number, as written.
    Number(&'a str),
    /// `5m`, `-1.5h`, in nanoseconds.
    Duration(i64),
    /// `5KB`, in bytes.
    Bytes(u64),
    /// `[5m]`, in nanoseconds.
    Range(u64),
    /// `--strict` and `--keep-empty`.
    Flag(&'static str),
    /// A keyword in lower case, an operator, punctuation.
    Fixed(&'static str),
    /// A character that means nothing here.
    Stray(char),
    /// A token that cannot be read; nothing follows it.
    Bad(String),
    /// The end of the text.
    End,
}

impl Token<'_> {
    /// What error messages call the token.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Token::Identifier(_) | Token::Stray(_) => "IDENTIFIER",
            Token::String(_) => "STRING",
            Token::Number(_) => "NUMBER",
            Token::Duration(_) => "DURATION",
            Token::Bytes(_) => "BYTES",
            Token::Range(_) => "RANGE",
            Token::Flag(_) => "FUNCTION_FLAG",
            Token::Fixed(text) => text,
            Token::Bad(_) | Token::End => "$end",
        }
    }
}

/// Words that are never names.
const RESERVED: [&str; 23] = [
    "and",
    "bool",
    "by",
    "decolorize",
    "drop",
    "group_left",
    "group_right",
    "ignoring",
    "json",
    "keep",
    "label_format",
    "line_format",
    "logfmt",
    "offset",
    "on",
    "or",
    "pattern",
    "regexp",
    "unless",
    "unpack",
    "unwrap",
    "without",
    "label_replace",
];

/// Words that are names unless a `(` follows, or a grouping and then a `(`.
const FUNCTIONS: [&str; 33] = [
    "absent_over_time",
    "approx_topk",
    "avg",
    "avg_over_time",
    "bottomk",
    "bytes",
    "bytes_over_time",
    "bytes_rate",
    "count",
    "count_over_time",
    "duration",
    "duration_seconds",
    "first_over_time",
    "ip",
    "label_replace",
    "last_over_time",
    "max",
    "max_over_time",
    "min",
    "min_over_time",
    "quantile_over_time",
    "rate",
    "rate_counter",
    "sort",
    "sort_desc",
    "stddev",
    "stddev_over_time",
    "stdvar",
    "stdvar_over_time",
    "sum",
    "sum_over_time",
    "topk",
    "vector",
];

const OPERATORS: [&str; 26] = [
    "|=", "|~", "|>", "!=", "!~", "!>", "=~", "==", ">=", "<=", ",", ".", "{", "}", "(", ")", "]",
    "|", "=", "+", "-", "*", "/", "%", "^", ">",
];

/// How far a number is searched for a unit. Longer than any duration or size, and short enough
/// that a text made of such beginnings is not read over and over.
const UNIT_BYTES_MAX: usize = 128;

/// Reads the whole text.
pub(super) fn lex(text: &str) -> Vec<Lexeme<'_>> {
    // Nothing past a NUL is looked at, so that it ends strings and comments too.
    let nul = text.find('\0');
    let mut lexer = Lexer { text: &text[..nul.unwrap_or(text.len())], at: 0 };
    lexer.at += if text.starts_with('\u{feff}') { 3 } else { 0 };
    let mut lexemes = Vec::new();
    loop {
        let mut lexeme = lexer.next();
        let ends = matches!(lexeme.token, Token::End | Token::Bad(_));
        if let Some(nul) = nul
            && ends
            && lexeme.span.end == nul
        {
            let token = Token::Bad("invalid character NUL".into());
            lexeme = Lexeme { token, span: nul..nul + 1 };
        }
        lexemes.push(lexeme);
        if ends {
            return lexemes;
        }
    }
}

/// Line and column of an offset, both from 1; columns are characters.
pub(super) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn next(&mut self) -> Lexeme<'a> {
        let token = match skip_blank(self.text, self.at) {
            Ok(at) => {
                self.at = at;
                let rest = &self.text[at..];
                rest.chars().next().map_or(Ok((Token::End, 0)), |first| read(rest, first))
            }
            Err(comment) => {
                self.at = comment;
                Err(("comment not terminated".into(), self.text.len() - comment))
            }
        };
        let (token, length) =
            token.unwrap_or_else(|(message, length)| (Token::Bad(message), length));
        let span = self.at..self.at + length;
        self.at = span.end;
        Lexeme { token, span }
    }
}

/// A token and its length, or a message and how much was read for it.
type Read<'a> = Result<(Token<'a>, usize), (String, usize)>;

/// Reads one token at the start of a text that is not empty and does not start with a blank.
fn read(rest: &str, first: char) -> Read<'_> {
    match first {
        '"' => read_string(rest),
        '`' => match rest[1..].find('`') {
            Some(end) => Ok((Token::String(rest[1..=end].into()), end + 2)),
            None => Err(("literal not terminated".into(), rest.len())),
        },
        '\'' => read_char(rest),
        '[' => read_range(rest),
        '-' => Ok(read_minus(rest)),
        '0'..='9' => read_number(rest),
        '.' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => read_number(rest),
        c if c == '_' || c.is_alphabetic() => Ok(read_word(rest)),
        c => Ok(match operator(rest) {
            Some(text) => (Token::Fixed(text), text.len()),
            None => (Token::Stray(c), c.len_utf8()),
        }),
    }
}

fn operator(rest: &str) -> Option<&'static str> {
    // The longer ones stand first.
    OPERATORS.into_iter().chain(["<"]).find(|operator| rest.starts_with(operator))
}

/// Skips white space and comments. The error is where a comment starts that does not end.
fn skip_blank(text: &str, mut at: usize) -> Result<usize, usize> {
    loop {
        let rest = &text[at..];
        let blank = rest.find(|c| !matches!(c, ' ' | '\t' | '\r' | '\n')).unwrap_or(rest.len());
        at += blank;
        let rest = &rest[blank..];
        if rest.starts_with('#') || rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if let Some(comment) = rest.strip_prefix("/*") {
            at += comment.find("*/").ok_or(at)? + 4;
        } else {
            return Ok(at);
        }
    }
}

fn read_word(rest: &str) -> (Token<'_>, usize) {
    let end = rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len());
    let word = &rest[..end];
    let known = |words: &[&'static str]| {
        words.iter().copied().find(|known| known.eq_ignore_ascii_case(word))
    };
    let fixed = match known(&FUNCTIONS) {
        Some(function) => is_called(&rest[end..]).then_some(function),
        None => known(&RESERVED),
    };
    (fixed.map_or(Token::Identifier(word), Token::Fixed), end)
}

/// Whether `(` comes next, or `by (` or `without (`.
fn is_called(rest: &str) -> bool {
    let skip = |text: &'_ str, skipped: usize| skip_blank(text, skipped).unwrap_or(text.len());
    let rest = &rest[skip(rest, 0)..];
    let grouping = ["by", "without"]
        .into_iter()
        .find(|word| rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)));
    rest[skip(rest, grouping.map_or(0, str::len))..].starts_with('(')
}

fn read_number(rest: &str) -> Read<'_> {
    let end = match number_end(rest) {
        Ok(end) => end,
        Err(end) => return Err(("exponent has no digits".into(), end)),
    };
    let number = &rest[..end];
    if let Some((text, nanos)) = with_unit(rest, end, "nu\u{b5}mshdwy", duration::parse_literal) {
        return Ok((Token::Duration(nanos), text.len()));
    }
    if let Some((text, bytes)) = with_unit(rest, end, "BikKMGTP", bytes::parse) {
        return Ok((Token::Bytes(bytes), text.len()));
    }
    Ok((Token::Number(number), end))
}

/// Where a Go number ends. What is wrong with it is found when it is converted, except for an
/// exponent without digits: the error is where that ends.
fn number_end(rest: &str) -> Result<usize, usize> {
    let bytes = rest.as_bytes();
    let run = |from: usize, belongs: fn(&u8) -> bool| {
        from + bytes[from..].iter().take_while(|b| belongs(b)).count()
    };
    let digit: fn(&u8) -> bool = |b| b.is_ascii_digit() || *b == b'_';
    let word: fn(&u8) -> bool = |b| b.is_ascii_alphanumeric() || *b == b'_' || *b == b'.';
    match bytes {
        [b'0', b'x' | b'X', b, ..] if b.is_ascii_hexdigit() => return Ok(run(2, word)),
        [b'0', b'b' | b'B' | b'o' | b'O', b, ..] if b.is_ascii_digit() => return Ok(run(2, word)),
        _ => {}
    }
    let mut end = run(0, digit);
    if bytes.get(end) == Some(&b'.') {
        end = run(end + 1, digit);
    }
    if let Some(b'e' | b'E') = bytes.get(end) {
        let sign = matches!(bytes.get(end + 1), Some(b'+' | b'-'));
        let start = end + 1 + usize::from(sign);
        end = run(start, digit);
        if end == start {
            return Err(end);
        }
    }
    Ok(end)
}

/// The number up to `end` with a unit after it, if the two together are a value.
fn with_unit<'a, T>(
    rest: &'a str,
    end: usize,
    letters: &str,
    parse: fn(&str) -> Result<T, String>,
) -> Option<(&'a str, T)> {
    let tail = &rest[end..];
    let belongs = |c: char| c == '.' || c.is_numeric() || letters.contains(c);
    let mut near = tail.char_indices().take(UNIT_BYTES_MAX);
    let length = near.find(|&(_, c)| !belongs(c)).map_or(tail.len(), |(at, _)| at);
    if length == 0 || length > UNIT_BYTES_MAX {
        return None;
    }
    let text = &rest[..end + length];
    Some((text, parse(text).ok()?))
}

/// A minus, or the flag or the negative duration that starts with it.
fn read_minus(rest: &str) -> (Token<'_>, usize) {
    for flag in ["--strict", "--keep-empty"] {
        let after = rest.strip_prefix(flag);
        if after.is_some_and(|after| !after.starts_with(|c: char| c == '-' || c.is_alphabetic())) {
            return (Token::Flag(flag), flag.len());
        }
    }
    match with_unit(rest, 1, "nu\u{b5}mshdwy", duration::parse_go) {
        // Go reads "-0" as a duration; here it stays a number.
        Some((text, nanos)) if text != "-0" => (Token::Duration(nanos), text.len()),
        _ => (Token::Fixed("-"), 1),
    }
}

/// `[5m]`: everything up to the bracket is taken as it is.
fn read_range(rest: &str) -> Read<'_> {
    let Some(end) = rest.find(']') else {
        return Err(("missing closing ']' in duration".into(), rest.len()));
    };
    match duration::parse_prometheus(&rest[1..end]) {
        Ok(nanos) => Ok((Token::Range(nanos.unsigned_abs()), end + 1)),
        Err(message) => Err((message, end + 1)),
    }
}

/// Go has character literals and LogQL has no use for them.
fn read_char(rest: &str) -> Read<'_> {
    let (token, length) = read_quoted(rest, '\'')?;
    match token.chars().count() {
        1 => Ok((Token::Stray('\''), length)),
        _ => Err(("invalid char literal".into(), length)),
    }
}

fn read_string(rest: &str) -> Read<'_> {
    let (text, length) = read_quoted(rest, '"')?;
    Ok((Token::String(text), length))
}

fn read_quoted(rest: &str, quote: char) -> Result<(String, usize), (String, usize)> {
    let mut out = Vec::new();
    let mut at = 1;
    loop {
        let Some(c) = rest[at..].chars().next().filter(|&c| c != '\n') else {
            return Err((
                "literal not terminated".into(),
                if at < rest.len() { at } else { rest.len() },
            ));
        };
        if c == '\\' {
            let read = unescape(&rest[at..], quote, &mut out);
            at += read.map_err(|message| (message.into(), at))?;
            continue;
        }
        at += c.len_utf8();
        if c == quote {
            break;
        }
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
    // Escapes can spell bytes that are not text; lines and labels are text.
    let text = String::from_utf8(out).map_err(|_| ("invalid UTF-8 rune".into(), at))?;
    Ok((text, at))
}

/// Appends what an escape stands for and returns the escape's length.
fn unescape(rest: &str, quote: char, out: &mut Vec<u8>) -> Result<usize, &'static str> {
    const INVALID: &str = "invalid char escape";
    let letter = rest[1..].chars().next().ok_or("literal not terminated")?;
    let simple = match letter {
        'a' => 0x07,
        'b' => 0x08,
        'f' => 0x0c,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0b,
        '\\' => b'\\',
        c if c == quote => quote as u8,
        _ => 0,
    };
    if simple != 0 {
        out.push(simple);
        return Ok(2);
    }
    let (start, length, radix) = match letter {
        '0'..='7' => (1, 3, 8),
        'x' => (2, 2, 16),
        'u' => (2, 4, 16),
        'U' => (2, 8, 16),
        _ => return Err(INVALID),
    };
    let digits = rest.get(start..start + length).ok_or(INVALID)?;
    if !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(INVALID);
    }
    let code = u32::from_str_radix(digits, radix).map_err(|_| INVALID)?;
    if matches!(letter, 'u' | 'U') {
        let c = char::from_u32(code).ok_or("invalid syntax")?;
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        out.push(u8::try_from(code).map_err(|_| "invalid syntax")?);
    }
    Ok(start + length)
}

#[cfg(test)]
mod tests;
