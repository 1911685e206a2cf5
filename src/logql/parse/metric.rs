//! Expressions that yield numbers, and how log queries and numbers combine.
//!
//! A binary operator takes two queries of either kind: that both must be metric queries is a
//! mistake of meaning and not of form.

use std::time::Duration;

use super::pipeline::Body;
use super::{Error, Node, Parser};
use crate::logql::ast::{
    Binary, BinaryOp, Group, Grouping, LabelReplace, LogQuery, Metric, Query, RangeAggregation,
    RangeOp, Unwrap, VectorAggregation, VectorMatching, VectorOp,
};
use crate::logql::lex::Token;
use crate::logql::{check, number};

/// The argument of a range aggregation.
struct LogRange {
    log: LogQuery,
    unwrap: Option<Unwrap>,
    window: Duration,
    offset_nanos: i64,
}

/// What the argument of a range aggregation starts with.
const RANGE_START: [&str; 2] = ["{", "("];

/// What stands between a binary operator and its right side.
struct Modifier {
    returns_bool: bool,
    matching: Option<VectorMatching>,
}

impl Parser<'_> {
    /// An expression of operators that bind at least as strongly as `weakest`.
    pub(super) fn expression(&mut self, weakest: u8) -> Result<Node<Query>, Error> {
        self.down()?;
        let start = self.start();
        let mut left = self.operand()?;
        while let Some(op) = self.operator(weakest) {
            let modifier = self.modifier()?;
            // Only powers group from the right.
            let above = if op == BinaryOp::Pow { 0 } else { 1 };
            let right = self.expression(strength(op) + above)?;
            left = self.combine(start, op, left, right, modifier)?;
        }
        self.up();
        Ok(left)
    }

    fn operator(&mut self, weakest: u8) -> Option<BinaryOp> {
        let Token::Fixed(word) = *self.peek() else {
            return None;
        };
        let op = BinaryOp::named(word).filter(|op| strength(*op) >= weakest)?;
        self.advance();
        Some(op)
    }

    fn operand(&mut self) -> Result<Node<Query>, Error> {
        let word = match *self.peek() {
            Token::Fixed("(") => {
                self.advance();
                let inner = self.expression(0)?;
                self.expect(")", &[])?;
                return Ok(inner);
            }
            Token::Number(_) => "+",
            Token::Fixed(word) => word,
            _ => return Err(self.unexpected(&[])),
        };
        match word {
            "{" => Ok(Node::leaf(Query::Log(self.log_query()?))),
            "+" | "-" => Ok(Node::leaf(Query::Metric(Metric::Literal(self.literal()?)))),
            "vector" => self.constant(),
            "label_replace" => self.label_replace(),
            _ => match (RangeOp::named(word), VectorOp::named(word)) {
                (Some(op), _) => self.range_aggregation(op),
                (_, Some(op)) => self.vector_aggregation(op),
                _ => Err(self.unexpected(&[])),
            },
        }
    }

    /// An expression that must yield numbers.
    fn metric(&mut self) -> Result<Node<Query>, Error> {
        let inner = self.expression(0)?;
        match *inner.tree {
            Query::Metric(_) => Ok(inner),
            Query::Log(_) => Err(self.unexpected(&[])),
        }
    }

    /// `5`, `+5`, `-5`
    pub(super) fn literal(&mut self) -> Result<f64, Error> {
        let start = self.start();
        let negative = self.at_fixed("-");
        if negative || self.at_fixed("+") {
            self.advance();
        }
        let text = self.number(&["NUMBER"])?;
        let value = number::parse_float(text).unwrap_or_else(|error| {
            self.refuse(
                self.span_from(start),
                format!("unable to parse literal as a float: {error}"),
            );
            f64::NAN
        });
        Ok(if negative { -value } else { value })
    }

    /// Applies an operator, or folds it into a number, or refuses its sides.
    fn combine(
        &mut self,
        start: usize,
        op: BinaryOp,
        left: Node<Query>,
        right: Node<Query>,
        Modifier { returns_bool, matching }: Modifier,
    ) -> Result<Node<Query>, Error> {
        let folded = check::operands(op, &left.tree, &right.tree).unwrap_or_else(|message| {
            self.refuse(self.span_from(start), message);
            None
        });
        if let Some(value) = folded {
            return Ok(Node::leaf(Query::Metric(Metric::Literal(value))));
        }
        let depth = left.depth.max(right.depth);
        let metric = match (*left.tree, *right.tree) {
            (Query::Metric(left), Query::Metric(right)) => {
                Metric::Binary(Box::new(Binary { op, left, right, returns_bool, matching }))
            }
            // Refused above: it stands for the tree that there is not.
            _ => Metric::Constant(0.0),
        };
        self.node(Query::Metric(metric), depth)
    }

    fn modifier(&mut self) -> Result<Modifier, Error> {
        let returns_bool = self.eat("bool");
        Ok(Modifier { returns_bool, matching: self.matching()? })
    }

    /// `on (a) group_left (b)`; `ignoring ()` alone is what nothing says, too.
    fn matching(&mut self) -> Result<Option<VectorMatching>, Error> {
        let on = self.at_fixed("on");
        if !on && !self.at_fixed("ignoring") {
            return Ok(None);
        }
        self.advance();
        let labels = self.label_list()?;
        let group = match self.peek() {
            Token::Fixed("group_left") => Group::Left,
            Token::Fixed("group_right") => Group::Right,
            _ if !on && labels.is_empty() => return Ok(None),
            _ => {
                return Ok(Some(VectorMatching {
                    on,
                    labels,
                    group: Group::None,
                    include: vec![],
                }));
            }
        };
        self.advance();
        let include = if self.at_fixed("(") { self.label_list()? } else { Vec::new() };
        Ok(Some(VectorMatching { on, labels, group, include }))
    }

    /// `(a, b)`
    fn label_list(&mut self) -> Result<Vec<String>, Error> {
        self.expect("(", &["("])?;
        let mut labels = Vec::new();
        if self.eat(")") {
            return Ok(labels);
        }
        labels.push(self.identifier(&["IDENTIFIER", ")"])?);
        while self.eat(",") {
            labels.push(self.identifier(&["IDENTIFIER"])?);
        }
        self.expect(")", &[",", ")"])?;
        Ok(labels)
    }

    fn grouping(&mut self) -> Result<Option<Grouping>, Error> {
        let without = self.at_fixed("without");
        if !without && !self.at_fixed("by") {
            return Ok(None);
        }
        self.advance();
        Ok(Some(Grouping { without, labels: self.label_list()? }))
    }

    /// `5,` in front of an argument.
    fn parameter(&mut self) -> Option<String> {
        let (Token::Number(text), Some(Token::Fixed(","))) = (self.peek(), self.peek_second())
        else {
            return None;
        };
        let text = text.to_string();
        self.advance();
        self.advance();
        Some(text)
    }

    fn vector_aggregation(&mut self, op: VectorOp) -> Result<Node<Query>, Error> {
        let start = self.start();
        self.advance();
        let mut grouping = self.grouping()?;
        let leads = grouping.is_some();
        self.expect("(", if leads { &["("] } else { &["(", "by", "without"] })?;
        let parameter = self.parameter();
        let inner = self.metric()?;
        self.expect(")", &[])?;
        if !leads {
            grouping = self.grouping()?;
        }
        self.aggregate(start, op, parameter, inner, grouping)
    }

    fn aggregate(
        &mut self,
        start: usize,
        op: VectorOp,
        parameter: Option<String>,
        inner: Node<Query>,
        grouping: Option<Grouping>,
    ) -> Result<Node<Query>, Error> {
        // `by ()` is what an aggregation does anyway.
        let grouping = grouping.filter(|by| by.without || !by.labels.is_empty());
        let checked = check::vector_aggregation(op, parameter.as_deref(), grouping.as_ref());
        let parameter = checked.unwrap_or_else(|message| {
            self.refuse(self.span_from(start), message);
            None
        });
        let depth = inner.depth;
        let inner = Box::new(numbers(inner));
        let tree = Metric::Vector(VectorAggregation { op, parameter, inner, grouping });
        self.node(Query::Metric(tree), depth)
    }

    fn label_replace(&mut self) -> Result<Node<Query>, Error> {
        let start = self.start();
        self.advance();
        self.expect("(", &["("])?;
        let inner = self.metric()?;
        self.label_replace_texts(start, inner)
    }

    fn label_replace_texts(
        &mut self,
        start: usize,
        inner: Node<Query>,
    ) -> Result<Node<Query>, Error> {
        let mut texts: [String; 4] = Default::default();
        for (i, text) in texts.iter_mut().enumerate() {
            self.expect(",", if i == 0 { &[] } else { &[","] })?;
            *text = self.string(&["STRING"])?;
        }
        self.expect(")", &[")"])?;
        let [destination, replacement, source, regex] = texts;
        self.count_regex()?;
        if let Err(message) = check::label_replace(&regex) {
            self.refuse(self.span_from(start), message);
        }
        let depth = inner.depth;
        let inner = numbers(inner);
        let tree = LabelReplace { inner, destination, replacement, source, regex };
        self.node(Query::Metric(Metric::LabelReplace(Box::new(tree))), depth)
    }

    /// `vector(5)`
    fn constant(&mut self) -> Result<Node<Query>, Error> {
        let start = self.start();
        self.advance();
        self.expect("(", &["("])?;
        let text = self.number(&["NUMBER"])?;
        self.expect(")", &[")"])?;
        let value = number::parse_float(text).unwrap_or_else(|error| {
            let message = format!("unable to parse vectorExpr as a float: {error}");
            self.refuse(self.span_from(start), message);
            0.0
        });
        Ok(Node::leaf(Query::Metric(Metric::Constant(value))))
    }

    fn range_aggregation(&mut self, op: RangeOp) -> Result<Node<Query>, Error> {
        let start = self.start();
        self.advance();
        self.expect("(", &["("])?;
        let parameter = match *self.peek() {
            Token::Number(text) => {
                self.advance();
                self.expect(",", &[","])?;
                Some(text.to_string())
            }
            _ => None,
        };
        let first: &[&str] = if parameter.is_some() { &RANGE_START } else { &["NUMBER", "{", "("] };
        let LogRange { log, unwrap, window, offset_nanos } = self.log_range(first)?;
        self.expect(")", &[")"])?;
        let grouping = self.grouping()?;
        let span = self.span_from(start);
        let checked = check::range_aggregation(op, parameter.as_deref(), &grouping, &unwrap);
        let parameter = checked.unwrap_or_else(|message| {
            self.refuse(span.clone(), message);
            None
        });
        let tree =
            RangeAggregation { op, parameter, log, unwrap, window, offset_nanos, grouping, span };
        Ok(Node::leaf(Query::Metric(Metric::Range(tree))))
    }

    /// A log query and its window, which may stand after the selector or after the pipeline.
    fn log_range(&mut self, expecting: &[&str]) -> Result<LogRange, Error> {
        if !self.eat("(") {
            let body = self.body(expecting)?;
            return self.windowed(body);
        }
        self.down()?;
        let range = if self.at_fixed("(") {
            let range = self.log_range(&RANGE_START)?;
            self.expect(")", &[")"])?;
            range
        } else {
            self.parenthesized_range()?
        };
        self.up();
        Ok(range)
    }

    /// What follows the parenthesis in `({...} | json) [5m]` and in `({...} [5m])`.
    fn parenthesized_range(&mut self) -> Result<LogRange, Error> {
        let body = self.body(&RANGE_START)?;
        if matches!(self.peek(), Token::Range(_)) {
            let range = self.windowed(body)?;
            self.expect(")", &[")"])?;
            return Ok(range);
        }
        let after_unwrap: &[&str] = &["RANGE", ")", "|"];
        self.expect(")", if body.unwrap.is_some() { after_unwrap } else { &[] })?;
        let window = self.window(&["RANGE"])?;
        let offset_nanos = self.offset()?;
        let Body { log, mut unwrap } = body;
        if log.pipeline.is_empty() && unwrap.is_none() && self.eat("|") {
            unwrap = Some(self.unwrap(&["unwrap"])?);
        }
        Ok(LogRange { log, unwrap, window, offset_nanos })
    }

    /// `[5m] offset 1h` and, if nothing but a selector came before it, the pipeline.
    fn windowed(&mut self, body: Body) -> Result<LogRange, Error> {
        let window = self.window(if body.unwrap.is_some() { &["RANGE", "|"] } else { &[] })?;
        let offset_nanos = self.offset()?;
        let Body { mut log, mut unwrap } = body;
        if log.pipeline.is_empty() && unwrap.is_none() {
            let start = log.span.start;
            (log.pipeline, unwrap) = self.pipeline()?;
            log.span = self.span_from(start);
        }
        Ok(LogRange { log, unwrap, window, offset_nanos })
    }

    fn window(&mut self, expecting: &[&str]) -> Result<Duration, Error> {
        let Token::Range(nanos) = *self.peek() else {
            return Err(self.unexpected(expecting));
        };
        self.advance();
        Ok(Duration::from_nanos(nanos))
    }

    fn offset(&mut self) -> Result<i64, Error> {
        if !self.eat("offset") {
            return Ok(0);
        }
        let Token::Duration(nanos) = *self.peek() else {
            return Err(self.unexpected(&["DURATION"]));
        };
        self.advance();
        Ok(nanos)
    }
}

/// The tree of what [`Parser::metric`] read.
fn numbers(node: Node<Query>) -> Metric {
    match *node.tree {
        Query::Metric(metric) => metric,
        Query::Log(log) => unreachable!("{log} was refused where it was read"),
    }
}

/// How strongly an operator binds.
pub(in crate::logql) fn strength(op: BinaryOp) -> u8 {
    use BinaryOp::*;
    match op {
        Or => 1,
        And | Unless => 2,
        Equal | NotEqual | Greater | GreaterEqual | Less | LessEqual => 3,
        Add | Sub => 4,
        Mul | Div | Mod => 5,
        Pow => 6,
    }
}
