//! Label filters: `| status >= 400 and method = "GET"`.
//!
//! Invariants:
//! - a text comparison sees a missing label as empty; every other comparison refuses the line;
//! - a value that cannot be read keeps the line and marks it with [`ERROR`];
//! - on a line that has an error, only text comparisons decide.

use super::ip::IpSet;
use crate::logql::ast::{self, CompareOp};
use crate::logql::names::{Name, Names};
use crate::logql::row::Row;
use crate::logql::{bytes, duration, number};
use crate::model::Matcher;

/// The error of a line whose value cannot be compared.
pub(crate) const ERROR: &str = "LabelFilterErr";

/// A condition on labels, with names as numbers.
#[derive(Clone, Debug)]
pub(crate) enum LabelFilter {
    Text(Name, Matcher),
    Ip { name: Name, negated: bool, set: IpSet },
    Number(Name, CompareOp, f64),
    Duration(Name, CompareOp, i64),
    Bytes(Name, CompareOp, u64),
    And(Box<LabelFilter>, Box<LabelFilter>),
    Or(Box<LabelFilter>, Box<LabelFilter>),
}

impl LabelFilter {
    /// Compiles a filter; the error says what is wrong with it.
    pub(crate) fn compile(
        names: &mut Names,
        filter: &ast::LabelFilter,
    ) -> Result<LabelFilter, String> {
        Ok(match filter {
            ast::LabelFilter::Text(matcher) => {
                LabelFilter::Text(names.intern(&matcher.name), matcher.clone())
            }
            ast::LabelFilter::Ip { name, negated, pattern } => LabelFilter::Ip {
                name: names.intern(name),
                negated: *negated,
                set: IpSet::parse(pattern)?,
            },
            ast::LabelFilter::Number { name, op, value } => {
                LabelFilter::Number(names.intern(name), *op, *value)
            }
            ast::LabelFilter::Duration { name, op, nanos } => {
                LabelFilter::Duration(names.intern(name), *op, *nanos)
            }
            ast::LabelFilter::Bytes { name, op, bytes } => {
                LabelFilter::Bytes(names.intern(name), *op, *bytes)
            }
            ast::LabelFilter::And(left, right) => {
                let left = LabelFilter::compile(names, left)?;
                LabelFilter::And(left.into(), LabelFilter::compile(names, right)?.into())
            }
            ast::LabelFilter::Or(left, right) => {
                let left = LabelFilter::compile(names, left)?;
                LabelFilter::Or(left.into(), LabelFilter::compile(names, right)?.into())
            }
        })
    }

    /// The label, where the filter is one comparison.
    pub(crate) fn single_name(&self) -> Option<Name> {
        match self {
            LabelFilter::Text(name, _)
            | LabelFilter::Ip { name, .. }
            | LabelFilter::Number(name, ..)
            | LabelFilter::Duration(name, ..)
            | LabelFilter::Bytes(name, ..) => Some(*name),
            LabelFilter::And(..) | LabelFilter::Or(..) => None,
        }
    }

    /// All labels that are looked at.
    pub(crate) fn names(&self, found: &mut Vec<Name>) {
        match self {
            LabelFilter::And(left, right) | LabelFilter::Or(left, right) => {
                left.names(found);
                right.names(found);
            }
            single => found.extend(single.single_name()),
        }
    }

    /// Whether an entry without an error is kept whose label has this value, where the filter is one
    /// comparison. `None`: it is kept, and gets an error.
    pub(crate) fn verdict(&self, value: &str) -> Option<bool> {
        fn decide<T: PartialOrd>(
            op: CompareOp,
            limit: &T,
            value: Result<T, String>,
        ) -> Option<bool> {
            value.ok().map(|value| holds(op, &value, limit))
        }
        match self {
            LabelFilter::Text(_, matcher) => Some(matcher.accepts(value)),
            LabelFilter::Ip { negated, set, .. } => {
                Some(set.occurs_in(value.as_bytes()) != *negated)
            }
            LabelFilter::Number(_, op, limit) => decide(*op, limit, number::parse_float(value)),
            LabelFilter::Duration(_, op, limit) => decide(*op, limit, duration::parse_go(value)),
            LabelFilter::Bytes(_, op, limit) => decide(*op, limit, bytes::parse(value)),
            LabelFilter::And(..) | LabelFilter::Or(..) => None,
        }
    }

    /// Whether the entry is kept. May mark it with an error.
    pub(crate) fn accepts(&self, row: &mut Row<'_>) -> bool {
        match self {
            LabelFilter::Text(name, matcher) => matcher.accepts(row.get(*name).unwrap_or("")),
            LabelFilter::Or(left, right) => left.accepts(row) || right.accepts(row),
            LabelFilter::And(left, right) => {
                // The right side may mark an error even where the left one refuses.
                let left = left.accepts(row);
                right.accepts(row) && left
            }
            _ if row.error().is_some() => true,
            LabelFilter::Ip { name, negated, set } => {
                row.get(*name).is_some_and(|value| set.occurs_in(value.as_bytes()) != *negated)
            }
            LabelFilter::Number(name, op, limit) => {
                compare(row, *name, *op, limit, number::parse_float)
            }
            LabelFilter::Duration(name, op, limit) => {
                compare(row, *name, *op, limit, duration::parse_go)
            }
            LabelFilter::Bytes(name, op, limit) => compare(row, *name, *op, limit, bytes::parse),
        }
    }
}

fn holds<T: PartialOrd>(op: CompareOp, value: &T, limit: &T) -> bool {
    match op {
        CompareOp::Equal => value == limit,
        CompareOp::NotEqual => value != limit,
        CompareOp::Less => value < limit,
        CompareOp::LessEqual => value <= limit,
        CompareOp::Greater => value > limit,
        CompareOp::GreaterEqual => value >= limit,
    }
}

fn compare<T: PartialOrd>(
    row: &mut Row<'_>,
    name: Name,
    op: CompareOp,
    limit: &T,
    read: fn(&str) -> Result<T, String>,
) -> bool {
    let Some(value) = row.get(name).map(read) else { return false };
    match value {
        Ok(value) => holds(op, &value, limit),
        Err(details) => {
            row.fail(ERROR, &details);
            true
        }
    }
}
