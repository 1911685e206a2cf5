//! Conditions on labels: `status >= 400 and method = "GET"`.
//!
//! `and` binds stronger than `or`; a `,` or nothing at all also means "and" but has no strength:
//! it takes what stands right before it and everything after it. So `a or b, c or d` is
//! `a or (b and (c or d))`.
//!
//! A chain of one operator may be long, since people and programs list values this way. Up to
//! [`CHAIN_MAX`] it becomes a chain in the tree; a longer one is balanced, which changes neither
//! the order of evaluation nor what is left out of it.

use std::collections::VecDeque;

use super::{Error, Node, Parser};
use crate::logql::ast::{CompareOp, LabelFilter};
use crate::logql::lex::Token;
use crate::model::MatchOp;

/// Longest chain of one operator that is kept as it was written.
const CHAIN_MAX: usize = 32;

/// What stands between two comparisons.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Join {
    And,
    Or,
    /// A comma or nothing.
    Loose,
}

type Filter = Node<LabelFilter>;

/// Comparisons with `and` and `or` between them: one join less than comparisons.
struct Segment {
    operands: Vec<Filter>,
    joins: Vec<Join>,
}

impl Parser<'_> {
    pub(super) fn condition(&mut self) -> Result<Filter, Error> {
        self.down()?;
        let mut segments = vec![Segment { operands: vec![self.comparison()?], joins: vec![] }];
        while let Some(join) = self.join() {
            let operand = self.comparison()?;
            let segment = segments.last_mut().expect("it starts with one");
            if join == Join::Loose {
                segments.push(Segment { operands: vec![operand], joins: vec![] });
            } else {
                segment.joins.push(join);
                segment.operands.push(operand);
            }
        }
        self.up();
        self.group(segments)
    }

    fn join(&mut self) -> Option<Join> {
        let join = match self.peek() {
            Token::Fixed("and") => Join::And,
            Token::Fixed("or") => Join::Or,
            Token::Fixed(",") => Join::Loose,
            Token::Fixed("(") | Token::Identifier(_) => return Some(Join::Loose),
            _ => return None,
        };
        self.advance();
        Some(join)
    }

    fn group(&self, segments: Vec<Segment>) -> Result<Filter, Error> {
        // What the loose join on the left takes as its right side: all of these hold.
        let mut tail: VecDeque<Filter> = VecDeque::new();
        for Segment { mut operands, joins } in segments.into_iter().rev() {
            let last = operands.pop().expect("a segment has a comparison");
            tail.push_front(last);
            if !operands.is_empty() {
                operands.push(self.fold_right(tail)?);
                tail = VecDeque::from([self.or_of_ands(operands, &joins)?]);
            }
        }
        self.fold_right(tail)
    }

    fn or_of_ands(&self, operands: Vec<Filter>, joins: &[Join]) -> Result<Filter, Error> {
        let mut alternatives = Vec::new();
        let mut all = Vec::new();
        let ends = joins.iter().map(|join| *join == Join::Or).chain([true]);
        for (operand, ends) in operands.into_iter().zip(ends) {
            all.push(operand);
            if ends {
                alternatives.push(self.fold_left(std::mem::take(&mut all), Join::And)?);
            }
        }
        self.fold_left(alternatives, Join::Or)
    }

    /// `((a and b) and c) and d`
    fn fold_left(&self, operands: Vec<Filter>, join: Join) -> Result<Filter, Error> {
        if operands.len() > CHAIN_MAX {
            return self.balance(operands, join);
        }
        let mut operands = operands.into_iter();
        let first = operands.next().expect("there is at least one");
        operands.try_fold(first, |left, right| self.join_two(left, right, join))
    }

    /// `a and (b and (c and d))`
    fn fold_right(&self, operands: VecDeque<Filter>) -> Result<Filter, Error> {
        if operands.len() > CHAIN_MAX {
            return self.balance(operands.into(), Join::And);
        }
        let mut operands = operands.into_iter().rev();
        let last = operands.next().expect("there is at least one");
        operands.try_fold(last, |right, left| self.join_two(left, right, Join::And))
    }

    /// `(a and b) and (c and d)`
    fn balance(&self, mut operands: Vec<Filter>, join: Join) -> Result<Filter, Error> {
        if operands.len() == 1 {
            return Ok(operands.pop().expect("there is one"));
        }
        let right = operands.split_off(operands.len() / 2);
        let left = self.balance(operands, join)?;
        let right = self.balance(right, join)?;
        self.join_two(left, right, join)
    }

    fn join_two(&self, left: Filter, right: Filter, join: Join) -> Result<Filter, Error> {
        let depth = left.depth.max(right.depth);
        let tree = match join {
            Join::Or => LabelFilter::Or(left.tree, right.tree),
            Join::And | Join::Loose => LabelFilter::And(left.tree, right.tree),
        };
        self.node(tree, depth)
    }

    /// One comparison, or a condition in parentheses.
    fn comparison(&mut self) -> Result<Filter, Error> {
        if self.eat("(") {
            let inner = self.condition()?;
            self.expect(")", &[])?;
            return Ok(inner);
        }
        let name = self.identifier(&["IDENTIFIER", "("])?;
        let Token::Fixed(op) = *self.peek() else {
            return Err(self.unexpected(&[]));
        };
        let matches = match op {
            "=" => Some(MatchOp::Equal),
            "!=" => Some(MatchOp::NotEqual),
            "=~" => Some(MatchOp::Matches),
            "!~" => Some(MatchOp::NotMatches),
            _ => None,
        };
        let compare = CompareOp::named(op);
        if compare.is_none() && matches.is_none() {
            return Err(self.unexpected(&[]));
        }
        self.advance();
        Ok(Node::leaf(self.comparison_value(name, compare, matches)?))
    }

    /// Which kind of value may follow depends on the operator; `=` and `!=` take all kinds.
    fn comparison_value(
        &mut self,
        name: String,
        compare: Option<CompareOp>,
        matches: Option<MatchOp>,
    ) -> Result<LabelFilter, Error> {
        let Some(op) = compare else {
            let op = matches.expect("an operator of one kind or the other");
            return Ok(LabelFilter::Text(self.matcher_value(&name, op)?));
        };
        match (self.peek(), matches) {
            (Token::String(_), Some(op)) => Ok(LabelFilter::Text(self.matcher_value(&name, op)?)),
            (Token::Fixed("ip"), Some(op)) => {
                let negated = op == MatchOp::NotEqual;
                Ok(LabelFilter::Ip { name, negated, pattern: self.ip()? })
            }
            (&Token::Duration(nanos), _) => {
                self.advance();
                Ok(LabelFilter::Duration { name, op, nanos })
            }
            (&Token::Bytes(bytes), _) => {
                self.advance();
                Ok(LabelFilter::Bytes { name, op, bytes })
            }
            (Token::Number(_) | Token::Fixed("+" | "-"), _) => {
                Ok(LabelFilter::Number { name, op, value: self.literal()? })
            }
            _ => Err(self.unexpected(&[])),
        }
    }
}
