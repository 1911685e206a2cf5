//! The text of a message as single statements, within bounds.
//!
//! In goes the text of a Query or Parse message; out come its statements, each with its tokens and
//! where it begins. Bounds on size and nesting are checked here, on tokens, before anything
//! recursive sees the text.
//!
//! - A chain of operators is as deep as it is long, so its length is bounded like nesting is.

use std::ops::Range;

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, Tokenizer};

use crate::error::SqlError;

/// The longest text of a query message.
pub(crate) const TEXT_BYTES_MAX: usize = 256 << 10;
/// The most tokens, whitespace not counted.
const TOKENS_MAX: usize = 50_000;
/// The most tokens between commas, summed over the open parentheses. A planner recurses over
/// chains of operators, and its time grows faster than their length.
const CHAIN_TOKENS_MAX: usize = 2_000;
/// The most UNION, JOIN and the like.
pub(crate) const RELATIONS_MAX: usize = 100;

/// One statement of a message.
pub(crate) struct Piece {
    pub(crate) text: String,
    /// Without whitespace and comments.
    pub(crate) tokens: Vec<Token>,
    /// Where each token is in `text`, in bytes.
    pub(crate) spans: Vec<Range<usize>>,
}

impl Piece {
    /// The text from a token to the end.
    pub(crate) fn rest(&self, token: usize) -> &str {
        self.spans.get(token).map_or("", |span| &self.text[span.start..])
    }

    /// The text between two tokens, the second not included.
    pub(crate) fn between(&self, start: usize, end: usize) -> &str {
        let from = self.spans.get(start).map_or(self.text.len(), |span| span.start);
        let to = self.spans.get(end).map_or(self.text.len(), |span| span.start);
        self.text[from..to].trim_end()
    }
}

pub(crate) fn too_long() -> SqlError {
    SqlError::new("54000", format!("statement is longer than {TEXT_BYTES_MAX} bytes"))
}

pub(crate) fn too_complex() -> SqlError {
    SqlError::new("54001", "statement is too complex")
        .hint("long chains of AND, OR or UNION are better written with IN or VALUES")
}

/// Splits a text at its semicolons. Empty statements are left out.
pub(crate) fn split(text: &str) -> Result<Vec<Piece>, SqlError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(too_long());
    }
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text)
        .tokenize_with_location()
        .map_err(|error| SqlError::new("42601", error.to_string()))?;
    let mut bounds = Bounds::default();
    let mut places = Places::new(text);
    let (mut pieces, mut piece) = (Vec::new(), Vec::<(Token, Range<usize>)>::new());
    for token in tokens {
        if matches!(token.token, Token::Whitespace(_) | Token::EOF) {
            continue;
        }
        bounds.add(&token.token)?;
        let start = places.offset(token.span.start.line, token.span.start.column);
        let end = places.offset(token.span.end.line, token.span.end.column);
        if token.token == Token::SemiColon {
            pieces.extend(made(text, std::mem::take(&mut piece)));
        } else {
            piece.push((token.token, start..end));
        }
    }
    pieces.extend(made(text, piece));
    Ok(pieces)
}

fn made(text: &str, piece: Vec<(Token, Range<usize>)>) -> Option<Piece> {
    let (first, last) = (piece.first()?.1.start, piece.last()?.1.end);
    let (tokens, spans) = piece.into_iter().unzip::<_, _, Vec<_>, Vec<_>>();
    let spans: Vec<Range<usize>> =
        spans.into_iter().map(|span| span.start - first..span.end - first).collect();
    let mut text = text[first..last].to_owned();
    // `x ISNULL` would be read as a column `x` under another name.
    for (token, span) in tokens.iter().zip(&spans).rev() {
        if let Token::Word(word) = token
            && word.quote_style.is_none()
            && word.value.eq_ignore_ascii_case("isnull")
            && span.start > 0
        {
            text.replace_range(span.clone(), "IS NULL");
        }
    }
    if text.len() == last - first {
        return Some(Piece { text, tokens, spans });
    }
    let again = split(&text).ok()?;
    again.into_iter().next()
}

/// Counts what may be too much of.
#[derive(Default)]
struct Bounds {
    open: Vec<usize>,
    chain: usize,
    here: usize,
    tokens: usize,
    unions: usize,
}

impl Bounds {
    fn add(&mut self, token: &Token) -> Result<(), SqlError> {
        self.tokens += 1;
        match token {
            Token::LParen | Token::LBracket => self.open.push(std::mem::take(&mut self.here)),
            Token::RParen | Token::RBracket => {
                self.chain -= self.here;
                self.here = self.open.pop().unwrap_or(0);
            }
            Token::Comma => self.chain -= std::mem::take(&mut self.here),
            Token::SemiColon => {
                (self.open, self.chain, self.here) = (Vec::new(), 0, 0);
            }
            Token::Word(word)
                if matches!(
                    word.keyword,
                    Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT | Keyword::JOIN
                ) =>
            {
                self.unions += 1;
            }
            _ => {
                self.here += 1;
                self.chain += 1;
            }
        }
        let too_much = self.tokens > TOKENS_MAX
            || self.chain > CHAIN_TOKENS_MAX
            || self.unions > RELATIONS_MAX;
        if too_much { Err(too_complex()) } else { Ok(()) }
    }
}

/// Turns lines and columns, which only grow, into offsets.
struct Places<'a> {
    text: &'a str,
    line: u64,
    column: u64,
    offset: usize,
}

impl<'a> Places<'a> {
    fn new(text: &'a str) -> Places<'a> {
        Places { text, line: 1, column: 1, offset: 0 }
    }

    fn offset(&mut self, line: u64, column: u64) -> usize {
        let rest = self.text[self.offset..].chars();
        for char in rest {
            if (self.line, self.column) >= (line, column) {
                break;
            }
            self.offset += char.len_utf8();
            if char == '\n' {
                (self.line, self.column) = (self.line + 1, 1);
            } else {
                self.column += 1;
            }
        }
        self.offset
    }
}

/// The place of a character in a text that `line` and `column` name, from 1.
pub(crate) fn character(text: &str, line: u64, column: u64) -> usize {
    let offset = Places::new(text).offset(line, column);
    text[..offset].chars().count() + 1
}

/// Where a text first names something, as a place of a character from 1.
pub(crate) fn place_of(text: &str, name: &str) -> Option<usize> {
    let last = name.rsplit('.').next().unwrap_or(name);
    let mut places = Places::new(text);
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize_with_location().ok()?;
    tokens.into_iter().find_map(|token| match &token.token {
        Token::Word(word) if word.value.eq_ignore_ascii_case(last) => {
            let offset = places.offset(token.span.start.line, token.span.start.column);
            Some(text[..offset].chars().count() + 1)
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements() {
        let check = |text: &str, expected: &[&str]| {
            let pieces = split(text).unwrap();
            let texts: Vec<&str> = pieces.iter().map(|piece| piece.text.as_str()).collect();
            assert_eq!(texts, expected, "{text}");
        };
        check("select 1", &["select 1"]);
        check(" select 1 ; ; select ';' -- x;\n", &["select 1", "select ';'"]);
        check("select 'é'; select 2 /* ; */ + 3", &["select 'é'", "select 2 /* ; */ + 3"]);
        check("select 1 isnull", &["select 1 IS NULL"]);
        check("select isnull", &["select IS NULL"]);
        check("", &[]);
    }

    #[test]
    fn places() {
        assert_eq!(place_of("select é, nope from x", "nope"), Some(11));
        assert_eq!(place_of("select\n  Nope", "nope"), Some(10));
        assert_eq!(place_of("select 1", "nope"), None);
        assert_eq!(character("select\n nope", 2, 2), 9);
    }

    #[test]
    fn pieces_know_their_tokens() {
        let pieces = split("  copy (select 'a')\nto stdout").unwrap();
        assert_eq!(pieces[0].between(2, 4), "select 'a'");
        assert_eq!(pieces[0].rest(5), "to stdout");
    }
}
