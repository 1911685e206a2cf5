//! Tokens to tree: recursive descent, with precedence climbing for binary operators.
//!
//! In: the query text. Out: a tree that can be executed, or an [`Error`] in Loki's words, since
//! people and Grafana read those. Three kinds of mistakes are reported, in this order: what cannot
//! be read on (at its place in the text), what is well-formed but means nothing (the outermost
//! one, see [`check`]), and stages that cannot be built.
//!
//! - No text overflows the stack: it is followed [`NESTING_MAX`] deep at most, and no tree is
//!   deeper than [`DEPTH_MAX`], so trees can be dropped, printed and executed by recursion.
//! - Time is linear in the text, and what is compiled for it is bounded by [`REGEXES_MAX`].

mod condition;
mod metric;
mod pipeline;
#[cfg(test)]
mod tests;

pub(super) use metric::strength;

use super::ast::{Query, Span};
use super::check;
use super::lex::{self, Lexeme, Token};
use crate::model::Selector;

/// Longest query text.
pub const TEXT_BYTES_MAX: usize = 128 << 10;
/// How deep the tree of a query may be. People write ten levels; programs stay under fifty.
pub const DEPTH_MAX: usize = 128;
/// How deep the parser follows a text. One level of a tree takes two in the text that it is
/// printed as, the parenthesis and the operand in it, and that text must be readable.
const NESTING_MAX: usize = 2 * DEPTH_MAX + 2;

/// How many regexes a query may have: each may take milliseconds and megabytes to compile.
pub const REGEXES_MAX: usize = 100;

/// Why a text is not a query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    message: String,
}

impl Error {
    /// A mistake that stands nowhere in particular.
    fn of(message: impl std::fmt::Display) -> Error {
        Error { message: format!("parse error : {message}") }
    }
}

/// Reads a query and checks all that can be known about it without data.
pub fn parse(text: &str) -> Result<Query, Error> {
    let mut parser = Parser::new(text)?;
    let query = parser.query()?;
    if let Some(refusal) = parser.refusal {
        return Err(Error::of(refusal.message));
    }
    check::build(&query).map_err(Error::of)?;
    Ok(query)
}

/// Reads a selector that may select everything, as the parameters of `/series` and `/labels` do.
pub fn parse_selector(text: &str) -> Result<Selector, Error> {
    match Parser::new(text)?.query()? {
        Query::Log(log) if log.pipeline.is_empty() => Ok(log.selector),
        _ => Err(Error { message: "only label matchers are supported".into() }),
    }
}

/// A tree's root and how deep it is. Boxed, since what recursion keeps on the stack must be small.
struct Node<T> {
    tree: Box<T>,
    depth: usize,
}

impl<T> Node<T> {
    fn leaf(tree: T) -> Node<T> {
        Node { tree: Box::new(tree), depth: 1 }
    }
}

/// A mistake in what the text says, and the part of the text that says it.
struct Refusal {
    span: Span,
    message: String,
}

struct Parser<'a> {
    text: &'a str,
    lexemes: Vec<Lexeme<'a>>,
    at: usize,
    depth: usize,
    n_regexes: usize,
    refusal: Option<Refusal>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Result<Parser<'a>, Error> {
        if text.len() > TEXT_BYTES_MAX {
            let bytes = text.len();
            return Err(Error::of(format_args!(
                "input size too long ({bytes} > {TEXT_BYTES_MAX})"
            )));
        }
        Ok(Parser { text, lexemes: lex::lex(text), at: 0, depth: 0, n_regexes: 0, refusal: None })
    }

    fn query(&mut self) -> Result<Query, Error> {
        let query = self.expression(0)?.tree;
        match self.peek() {
            Token::End => Ok(*query),
            _ => Err(self.unexpected(&[])),
        }
    }

    fn peek(&self) -> &Token<'a> {
        &self.lexemes[self.at].token
    }

    /// The token after the next.
    fn peek_second(&self) -> Option<&Token<'a>> {
        self.lexemes.get(self.at + 1).map(|lexeme| &lexeme.token)
    }

    /// Takes the next token. The last one is an end and stays.
    fn advance(&mut self) {
        self.at = (self.at + 1).min(self.lexemes.len() - 1);
    }

    fn at_fixed(&self, text: &str) -> bool {
        matches!(self.peek(), Token::Fixed(next) if *next == text)
    }

    /// Takes the next token if it is this one.
    fn eat(&mut self, text: &str) -> bool {
        let next = self.at_fixed(text);
        if next {
            self.advance();
        }
        next
    }

    /// Takes the next token, which must be this one. `expecting` is what the error offers.
    fn expect(&mut self, text: &str, expecting: &[&str]) -> Result<(), Error> {
        if self.eat(text) { Ok(()) } else { Err(self.unexpected(expecting)) }
    }

    fn identifier(&mut self, expecting: &[&str]) -> Result<String, Error> {
        let Token::Identifier(name) = *self.peek() else {
            return Err(self.unexpected(expecting));
        };
        self.advance();
        Ok(name.into())
    }

    fn string(&mut self, expecting: &[&str]) -> Result<String, Error> {
        let Token::String(text) = &mut self.lexemes[self.at].token else {
            return Err(self.unexpected(expecting));
        };
        let text = std::mem::take(text);
        self.advance();
        Ok(text)
    }

    /// An unsigned number, as written.
    fn number(&mut self, expecting: &[&str]) -> Result<&'a str, Error> {
        let Token::Number(text) = *self.peek() else {
            return Err(self.unexpected(expecting));
        };
        self.advance();
        Ok(text)
    }

    /// Where the next token starts.
    fn start(&self) -> usize {
        self.lexemes[self.at].span.start
    }

    /// From a place to the end of the last token taken.
    fn span_from(&self, start: usize) -> Span {
        start..self.lexemes[self.at.saturating_sub(1)].span.end.max(start)
    }

    /// Goes one level down; the caller comes [`Parser::up`] again unless it fails.
    fn down(&mut self) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > NESTING_MAX {
            return Err(self.error_here(&too_deep()));
        }
        Ok(())
    }

    fn up(&mut self) {
        self.depth -= 1;
    }

    /// Is called for each regex before it is compiled.
    fn count_regex(&mut self) -> Result<(), Error> {
        self.n_regexes += 1;
        if self.n_regexes > REGEXES_MAX {
            return Err(Error::of(format_args!("more than {REGEXES_MAX} regexes in one query")));
        }
        Ok(())
    }

    /// A node over others, the deepest of which is `depth` deep.
    fn node<T>(&self, tree: T, depth: usize) -> Result<Node<T>, Error> {
        if depth >= DEPTH_MAX {
            return Err(Error::of(too_deep()));
        }
        Ok(Node { tree: Box::new(tree), depth: depth + 1 })
    }

    /// Notes a mistake that is reported if the rest of the text can be read. As in Loki, the
    /// outermost mistake wins, and of two side by side the one on the left.
    fn refuse(&mut self, span: Span, message: String) {
        let wins = |other: &Refusal| (span.start, other.span.end) <= (other.span.start, span.end);
        if self.refusal.as_ref().is_none_or(wins) {
            self.refusal = Some(Refusal { span, message });
        }
    }

    /// The next token does not belong here. `expecting` are those that would; empty where there
    /// are more than four.
    fn unexpected(&self, expecting: &[&str]) -> Error {
        let token = self.peek();
        if let Token::Bad(message) = token {
            return self.error_here(message);
        }
        let mut message = format!("syntax error: unexpected {}", token.name());
        if let Token::Stray(c) = token
            && expecting.contains(&"IDENTIFIER")
        {
            // To expect an IDENTIFIER and not to expect it would be hard to understand.
            message = format!("syntax error: unexpected {c:?}");
        }
        for (i, expected) in expecting.iter().enumerate() {
            message += if i == 0 { ", expecting " } else { " or " };
            message += expected;
        }
        self.error_here(&message)
    }

    /// A mistake at the next token.
    fn error_here(&self, message: &str) -> Error {
        if self.text.is_empty() {
            return Error::of(message);
        }
        let Lexeme { token, span } = &self.lexemes[self.at];
        let (line, column) = lex::position(self.text, span.start);
        // Loki's lexer reads these tokens character by character and forgets the line meanwhile.
        let line = match token {
            Token::Duration(_) | Token::Bytes(_) | Token::Range(_) | Token::Flag(_) => 0,
            Token::Fixed("|=" | "|~" | "|>" | "!=" | "!~" | "!>" | "=~" | "==" | ">=" | "<=") => 0,
            Token::Bad(_) if self.text[span.start..].starts_with('[') => 0,
            _ => line,
        };
        Error { message: format!("parse error at line {line}, col {column}: {message}") }
    }
}

fn too_deep() -> String {
    format!("query nested too deeply (more than {DEPTH_MAX} levels)")
}
