//! A template text as pieces: plain text, and actions as tokens.

use super::parse::SyntaxError;

/// A part of a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    /// What is copied, after trimming.
    Text(String),
    /// What stands between `{{` and `}}`.
    Action(Vec<Token>),
}

/// A token of an action.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// As it was written.
    pub(super) text: String,
    /// Byte position in the template.
    pub(super) at: usize,
    /// Whether white space stands before it: it separates arguments.
    pub(super) spaced: bool,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// `.`
    Dot,
    /// `.name`
    Field(String),
    /// `$name`, or `$` alone.
    Variable(String),
    /// A function or a keyword.
    Word(String),
    /// With its value.
    Int(i64),
    Float(f64),
    Text(String),
    /// `|`, `(`, `)`, `,`, `=`, `:=`
    Sign(&'static str),
}

/// Cuts a template into pieces.
pub(super) fn pieces(template: &str) -> Result<Vec<Piece>, SyntaxError> {
    let mut pieces = Vec::new();
    let mut at = 0;
    let mut trim = false;
    while let Some(open) = template[at..].find("{{").map(|n| at + n) {
        let mut inside = open + 2;
        let trim_before = opens_trimmed(&template[inside..]);
        inside += if trim_before { 1 } else { 0 };
        push_text(&mut pieces, &template[at..open], trim, trim_before);
        let (tokens, end, trim_after) = action(template, inside, trim_before)?;
        if let Some(tokens) = tokens {
            pieces.push(Piece::Action(tokens));
        }
        trim = trim_after;
        at = end;
    }
    push_text(&mut pieces, &template[at..], trim, false);
    Ok(pieces)
}

/// `-` and a white space behind `{{`.
fn opens_trimmed(inside: &str) -> bool {
    inside.strip_prefix('-').is_some_and(|rest| rest.starts_with(is_space))
}

/// A white space, `-` and `}}`.
fn closes_trimmed(text: &str) -> bool {
    text.starts_with(is_space) && text[1..].starts_with("-}}")
}

fn push_text(pieces: &mut Vec<Piece>, text: &str, trim_start: bool, trim_end: bool) {
    let text = if trim_start { text.trim_start_matches(is_space) } else { text };
    let text = if trim_end { text.trim_end_matches(is_space) } else { text };
    if !text.is_empty() {
        pieces.push(Piece::Text(text.to_owned()));
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// An action's tokens (`None` for a comment), where it ends, and whether it trims what follows.
type Action = (Option<Vec<Token>>, usize, bool);

fn action(template: &str, start: usize, trimmed: bool) -> Result<Action, SyntaxError> {
    let fail = |at: usize, text: &str| Err(SyntaxError::new(template, at, text));
    let comment =
        if trimmed { template[start..].trim_start_matches(is_space) } else { &template[start..] };
    if comment.starts_with("/*") {
        let Some(n) = comment.find("*/") else { return fail(start, "unclosed comment") };
        let rest = &comment[n + 2..];
        let end = template.len() - rest.len();
        if rest.starts_with("}}") {
            return Ok((None, end + 2, false));
        }
        if closes_trimmed(rest) {
            return Ok((None, end + 4, true));
        }
        return fail(start, "comment ends before closing delimiter");
    }
    let mut tokens = Vec::new();
    let mut at = start;
    let mut spaced = false;
    let mut depth = 0;
    loop {
        let rest = &template[at..];
        if closes_trimmed(rest) || rest.starts_with("}}") {
            if depth > 0 {
                return fail(at, "unclosed left paren");
            }
            let trims = !rest.starts_with("}}");
            return Ok((Some(tokens), at + if trims { 4 } else { 2 }, trims));
        }
        let Some(c) = rest.chars().next() else { return fail(at, "unclosed action") };
        if is_space(c) {
            spaced = true;
            at += 1;
            continue;
        }
        let (kind, length) = token(template, at)?;
        match kind {
            Kind::Sign("(") => depth += 1,
            Kind::Sign(")") if depth == 0 => return fail(at, "unexpected right paren"),
            Kind::Sign(")") => depth -= 1,
            _ => {}
        }
        tokens.push(Token { kind, text: rest[..length].to_owned(), at, spaced });
        spaced = false;
        at += length;
    }
}

/// The token at a position and its length.
fn token(template: &str, at: usize) -> Result<(Kind, usize), SyntaxError> {
    let rest = &template[at..];
    let fail = |text: &str| Err(SyntaxError::new(template, at, text));
    let first = rest.chars().next().expect("the caller saw a character");
    for sign in [":=", "|", "(", ")", ",", "="] {
        if rest.starts_with(sign) {
            return Ok((Kind::Sign(sign), sign.len()));
        }
    }
    match first {
        '"' => quoted(template, at),
        '`' => match rest[1..].find('`') {
            Some(n) => Ok((Kind::Text(rest[1..=n].to_owned()), n + 2)),
            None => fail("unterminated raw quoted string"),
        },
        '\'' => {
            let Some((text, length)) = unquote(&rest[1..], '\'') else {
                return fail("unterminated character constant");
            };
            let mut chars = text.chars();
            match (chars.next(), chars.next()) {
                (Some(c), None) => Ok((Kind::Int(i64::from(u32::from(c))), length + 1)),
                _ => fail("malformed character constant"),
            }
        }
        '.' if !rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
            let name = word(&rest[1..]);
            let kind = if name.is_empty() { Kind::Dot } else { Kind::Field(name.to_owned()) };
            Ok((kind, 1 + name.len()))
        }
        '$' => {
            let name = word(&rest[1..]);
            Ok((Kind::Variable(name.to_owned()), 1 + name.len()))
        }
        '+' | '-' | '.' | '0'..='9' => number(template, at),
        c if c.is_alphabetic() || c == '_' => {
            let name = word(rest);
            Ok((Kind::Word(name.to_owned()), name.len()))
        }
        c => fail(&format!("unexpected {c:?} in command")),
    }
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

fn number(template: &str, at: usize) -> Result<(Kind, usize), SyntaxError> {
    let rest = &template[at..];
    let mut end = 1;
    for (i, c) in rest.char_indices().skip(1) {
        let exponent = matches!(rest.as_bytes()[i - 1], b'e' | b'E' | b'p' | b'P');
        if !(c.is_alphanumeric() || c == '_' || c == '.' || (exponent && (c == '+' || c == '-'))) {
            break;
        }
        end = i + c.len_utf8();
    }
    let text = &rest[..end];
    let plain = text.replace('_', "");
    let int = match plain.trim_start_matches(['+', '-']) {
        hex if hex.starts_with("0x") || hex.starts_with("0X") => {
            i64::from_str_radix(&hex[2..], 16).ok()
        }
        octal
            if octal.len() > 1
                && octal.bytes().all(|c| c.is_ascii_digit())
                && octal.starts_with('0') =>
        {
            i64::from_str_radix(octal, 8).ok()
        }
        digits => digits.parse().ok(),
    };
    if let Some(int) = int {
        let int: i64 = int;
        return Ok((Kind::Int(if text.starts_with('-') { -int } else { int }), end));
    }
    match crate::logql::number::parse_float(&plain) {
        Ok(float) if plain.contains(|c: char| c.is_ascii_digit()) => Ok((Kind::Float(float), end)),
        _ => Err(SyntaxError::new(template, at, &format!("bad number syntax: {text:?}"))),
    }
}

fn quoted(template: &str, at: usize) -> Result<(Kind, usize), SyntaxError> {
    match unquote(&template[at + 1..], '"') {
        Some((text, length)) => Ok((Kind::Text(text), length + 1)),
        None => Err(SyntaxError::new(template, at, "unterminated quoted string")),
    }
}

/// Behind an opening quote: the text in Go's escapes, and its length with the closing quote.
fn unquote(text: &str, quote: char) -> Option<(String, usize)> {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            c if c == quote => return Some((out, i + 1)),
            '\n' => return None,
            '\\' => {
                let (_, escape) = chars.next()?;
                let digits = match escape {
                    'x' => 2,
                    'u' => 4,
                    'U' => 8,
                    _ => 0,
                };
                if digits > 0 {
                    let mut value = 0;
                    for _ in 0..digits {
                        value = value * 16 + chars.next()?.1.to_digit(16)?;
                    }
                    out.push(char::from_u32(value)?);
                    continue;
                }
                out.push(match escape {
                    'a' => '\u{7}',
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'v' => '\u{b}',
                    '\\' | '"' | '\'' => escape,
                    _ => return None,
                });
            }
            c => out.push(c),
        }
    }
    None
}
