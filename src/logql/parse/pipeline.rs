//! Selectors, the stages behind them, and `unwrap`.

use super::{Error, Parser};
use crate::logql::ast::{
    Conversion, Extract, LabelFormat, LineFilter, LineOp, LineOperand, LogQuery, NamedMatcher,
    Stage, Unwrap,
};
use crate::logql::check;
use crate::logql::lex::Token;
use crate::model::{MatchOp, Matcher, Selector};

/// What a window is put on.
pub(super) struct Body {
    pub(super) log: LogQuery,
    pub(super) unwrap: Option<Unwrap>,
}

const NAME: [&str; 1] = ["IDENTIFIER"];
const STRING: [&str; 1] = ["STRING"];

impl Parser<'_> {
    /// `{a="b"} |= "x" | json`
    pub(super) fn log_query(&mut self) -> Result<LogQuery, Error> {
        let start = self.start();
        let selector = self.selector(&[])?;
        let mut pipeline = Vec::new();
        while let Some(stage) = self.stage()? {
            pipeline.push(stage);
        }
        Ok(LogQuery { selector, pipeline, span: self.span_from(start) })
    }

    /// A log query in a range aggregation, where its last stage may be `unwrap`.
    pub(super) fn body(&mut self, expecting: &[&str]) -> Result<Body, Error> {
        let start = self.start();
        let selector = self.selector(expecting)?;
        let (pipeline, unwrap) = self.pipeline()?;
        let log = LogQuery { selector, pipeline, span: self.span_from(start) };
        Ok(Body { log, unwrap })
    }

    pub(super) fn pipeline(&mut self) -> Result<(Vec<Stage>, Option<Unwrap>), Error> {
        let mut pipeline = Vec::new();
        loop {
            if self.at_fixed("|") && self.peek_second() == Some(&Token::Fixed("unwrap")) {
                self.advance();
                return Ok((pipeline, Some(self.unwrap(&[])?)));
            }
            match self.stage()? {
                Some(stage) => pipeline.push(stage),
                None => return Ok((pipeline, None)),
            }
        }
    }

    fn selector(&mut self, expecting: &[&str]) -> Result<Selector, Error> {
        let start = self.start();
        self.expect("{", expecting)?;
        let mut matchers = Vec::new();
        if !self.eat("}") {
            matchers.push(self.matcher(&["IDENTIFIER", "}"])?);
            while self.eat(",") {
                matchers.push(self.matcher(&NAME)?);
            }
            self.expect("}", &["}", ","])?;
        }
        let selector = Selector { matchers };
        if let Err(message) = check::selector(&selector) {
            self.refuse(self.span_from(start), message.into());
        }
        Ok(selector)
    }

    fn matcher(&mut self, expecting: &[&str]) -> Result<Matcher, Error> {
        let name = self.identifier(expecting)?;
        let Some(op) = self.match_op() else {
            return Err(self.unexpected(&["=", "=~", "!~", "!="]));
        };
        self.matcher_value(&name, op)
    }

    fn match_op(&mut self) -> Option<MatchOp> {
        let op = match self.peek() {
            Token::Fixed("=") => MatchOp::Equal,
            Token::Fixed("!=") => MatchOp::NotEqual,
            Token::Fixed("=~") => MatchOp::Matches,
            Token::Fixed("!~") => MatchOp::NotMatches,
            _ => return None,
        };
        self.advance();
        Some(op)
    }

    pub(super) fn matcher_value(&mut self, name: &str, op: MatchOp) -> Result<Matcher, Error> {
        let value = self.string(&STRING)?;
        if matches!(op, MatchOp::Matches | MatchOp::NotMatches) {
            self.count_regex()?;
        }
        Matcher::new(name, op, &value).map_err(Error::of)
    }

    /// The next stage, if the pipeline goes on.
    fn stage(&mut self) -> Result<Option<Stage>, Error> {
        let Token::Fixed(word) = *self.peek() else {
            return Ok(None);
        };
        if let Some(op) = LineOp::named(word) {
            self.advance();
            return Ok(Some(Stage::Line(self.line_filter(op)?)));
        }
        if word != "|" {
            return Ok(None);
        }
        self.advance();
        let word = match *self.peek() {
            Token::Identifier(_) | Token::Fixed("(") => {
                return Ok(Some(Stage::Label(*self.condition()?.tree)));
            }
            Token::Fixed(word) => word,
            _ => return Err(self.unexpected(&[])),
        };
        self.named_stage(word).map(Some)
    }

    fn named_stage(&mut self, word: &str) -> Result<Stage, Error> {
        let known = [
            "json",
            "logfmt",
            "regexp",
            "pattern",
            "unpack",
            "line_format",
            "label_format",
            "decolorize",
            "drop",
            "keep",
        ];
        if !known.contains(&word) {
            return Err(self.unexpected(&[]));
        }
        self.advance();
        let stage = match word {
            "json" => Stage::Json(self.extracts()?),
            "logfmt" => self.logfmt()?,
            "regexp" => Stage::Regexp(self.string(&STRING)?),
            "pattern" => Stage::Pattern(self.string(&STRING)?),
            "unpack" => Stage::Unpack,
            "line_format" => Stage::LineFormat(self.string(&STRING)?),
            "label_format" => Stage::LabelFormat(self.list(Self::label_format)?),
            "decolorize" => Stage::Decolorize,
            "drop" => Stage::Drop(self.list(Self::named_matcher)?),
            _ => Stage::Keep(self.list(Self::named_matcher)?),
        };
        // These two are refused before anything that follows them is read.
        if matches!(stage, Stage::Regexp(_)) {
            self.count_regex()?;
        }
        check::parser_stage(&stage).map_err(Error::of)?;
        Ok(stage)
    }

    fn line_filter(&mut self, op: LineOp) -> Result<LineFilter, Error> {
        let mut operands = Vec::new();
        loop {
            operands.push(self.line_operand()?);
            if matches!(op, LineOp::Matches | LineOp::NotMatches) {
                self.count_regex()?;
            }
            if !self.eat("or") {
                return Ok(LineFilter { op, operands });
            }
        }
    }

    fn line_operand(&mut self) -> Result<LineOperand, Error> {
        if self.at_fixed("ip") {
            return Ok(LineOperand::Ip(self.ip()?));
        }
        Ok(LineOperand::Text(self.string(&["STRING", "ip"])?))
    }

    /// `ip("10.0.0.0/8")`
    pub(super) fn ip(&mut self) -> Result<String, Error> {
        self.advance();
        self.expect("(", &["("])?;
        let pattern = self.string(&STRING)?;
        self.expect(")", &[")"])?;
        Ok(pattern)
    }

    fn list<T>(&mut self, item: fn(&mut Self) -> Result<T, Error>) -> Result<Vec<T>, Error> {
        let mut items = vec![item(self)?];
        while self.eat(",") {
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn logfmt(&mut self) -> Result<Stage, Error> {
        let (mut strict, mut keep_empty) = (false, false);
        while let Token::Flag(flag) = *self.peek() {
            self.advance();
            strict |= flag == "--strict";
            keep_empty |= flag == "--keep-empty";
        }
        Ok(Stage::Logfmt { strict, keep_empty, extract: self.extracts()? })
    }

    /// A list that may be missing.
    fn extracts(&mut self) -> Result<Vec<Extract>, Error> {
        match self.peek() {
            Token::Identifier(_) => self.list(Self::extract),
            _ => Ok(Vec::new()),
        }
    }

    fn extract(&mut self) -> Result<Extract, Error> {
        let label = self.identifier(&NAME)?;
        let expression = if self.eat("=") { self.string(&STRING)? } else { label.clone() };
        Ok(Extract { label, expression })
    }

    fn label_format(&mut self) -> Result<LabelFormat, Error> {
        let to = self.identifier(&NAME)?;
        self.expect("=", &["="])?;
        if matches!(self.peek(), Token::Identifier(_)) {
            return Ok(LabelFormat::Rename { to, from: self.identifier(&[])? });
        }
        Ok(LabelFormat::Template { to, template: self.string(&["IDENTIFIER", "STRING"])? })
    }

    fn named_matcher(&mut self) -> Result<NamedMatcher, Error> {
        let name = self.identifier(&NAME)?;
        Ok(match self.match_op() {
            Some(op) => NamedMatcher::Matcher(self.matcher_value(&name, op)?),
            None => NamedMatcher::Name(name),
        })
    }

    /// What follows the `|` in `| unwrap duration(x) | x > 5`.
    pub(super) fn unwrap(&mut self, expecting: &[&str]) -> Result<Unwrap, Error> {
        self.expect("unwrap", expecting)?;
        let conversion = match self.peek() {
            Token::Fixed("bytes") => Some(Conversion::Bytes),
            Token::Fixed("duration") => Some(Conversion::Duration),
            Token::Fixed("duration_seconds") => Some(Conversion::DurationSeconds),
            _ => None,
        };
        let label = if conversion.is_some() {
            self.advance();
            self.expect("(", &["("])?;
            let label = self.identifier(&NAME)?;
            self.expect(")", &[")"])?;
            label
        } else {
            self.identifier(&["IDENTIFIER", "bytes", "duration", "duration_seconds"])?
        };
        let mut filters = Vec::new();
        while self.eat("|") {
            filters.push(*self.condition()?.tree);
        }
        Ok(Unwrap { label, conversion: conversion.unwrap_or(Conversion::Number), filters })
    }
}
