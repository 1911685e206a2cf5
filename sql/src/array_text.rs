//! Arrays that are written as text, `any('{a,"b c"}')` and `'{1,2}'::int[]`, and `= any (select ...)`.
//!
//! In goes the tree of a statement; out comes one with arrays where Postgres reads them, and with IN
//! where it reads rows. Each text was one element with its quotes on before, and found nothing without
//! an error.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Array, ArrayElemTypeDef, BinaryOperator, DataType, Expr, Statement, Value, VisitMut, VisitorMut,
};

use crate::error::SqlError;

/// Rewrites a statement in place.
pub(crate) fn rewrite(statement: &mut Statement) -> Result<(), SqlError> {
    match VisitMut::visit(statement, &mut Arrays) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Arrays;

impl VisitorMut for Arrays {
    type Break = SqlError;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<SqlError> {
        if let Some(listed) = in_subquery(expr) {
            *expr = listed;
        }
        let text = match expr {
            Expr::AnyOp { right, .. } | Expr::AllOp { right, .. } => right.as_mut(),
            Expr::Cast {
                expr: inner,
                data_type:
                    DataType::Array(
                        ArrayElemTypeDef::SquareBracket(..) | ArrayElemTypeDef::AngleBracket(_),
                    ),
                ..
            } => inner.as_mut(),
            _ => return ControlFlow::Continue(()),
        };
        let mut text = text;
        while let Expr::Nested(inner) = text {
            text = inner.as_mut();
        }
        let Expr::Value(value) = &*text else { return ControlFlow::Continue(()) };
        let Value::SingleQuotedString(written) = &value.value else {
            return ControlFlow::Continue(());
        };
        match elements(written) {
            Ok(elements) => {
                let elem = elements.into_iter().map(|element| {
                    let value = element.map_or(Value::Null, Value::SingleQuotedString);
                    Expr::Value(value.into())
                });
                *text = Expr::Array(Array { elem: elem.collect(), named: true });
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(error),
        }
    }
}

/// `x = ANY (SELECT ...)` is `x IN (...)`, and `x <> ALL (SELECT ...)` its opposite.
fn in_subquery(expr: &Expr) -> Option<Expr> {
    let (left, right, negated) = match expr {
        Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => (left, right, false),
        Expr::AllOp { left, compare_op: BinaryOperator::NotEq, right } => (left, right, true),
        _ => return None,
    };
    let Expr::Subquery(subquery) = right.as_ref() else { return None };
    Some(Expr::InSubquery { expr: left.clone(), subquery: subquery.clone(), negated })
}

/// One element, as far as it was read.
#[derive(Default)]
struct Element {
    text: String,
    /// Where it ends, without the white space behind it.
    end: usize,
    was_quoted: bool,
}

impl Element {
    /// `None` inside for null; nothing where there is none.
    fn finish(mut self) -> Option<Option<String>> {
        self.text.truncate(self.end);
        match self.was_quoted {
            false if self.text.is_empty() => None,
            false if self.text.eq_ignore_ascii_case("null") => Some(None),
            _ => Some(Some(self.text)),
        }
    }
}

/// The elements of an array in text form; one without quotes may be null.
pub(crate) fn elements(text: &str) -> Result<Vec<Option<String>>, SqlError> {
    let malformed = || SqlError::new("22P02", format!("malformed array literal: \"{text}\""));
    let inner = text.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let inner = inner.ok_or_else(malformed)?;
    let (mut elements, mut open, mut quoted) = (Vec::new(), Element::default(), false);
    if inner.trim().is_empty() {
        return Ok(elements);
    }
    let mut chars = inner.chars();
    while let Some(char) = chars.next() {
        match char {
            '"' => {
                quoted = !quoted;
                (open.was_quoted, open.end) = (true, open.text.len());
            }
            '\\' => {
                open.text.push(chars.next().ok_or_else(malformed)?);
                open.end = open.text.len();
            }
            ',' if !quoted => {
                elements.push(std::mem::take(&mut open).finish().ok_or_else(malformed)?);
            }
            '{' | '}' if !quoted => {
                return Err(SqlError::unsupported("an array of arrays as text"));
            }
            char if !quoted && char.is_whitespace() && open.end == 0 && !open.was_quoted => {}
            char => {
                open.text.push(char);
                if quoted || !char.is_whitespace() {
                    open.end = open.text.len();
                }
            }
        }
    }
    if quoted {
        return Err(malformed());
    }
    elements.push(open.finish().ok_or_else(malformed)?);
    Ok(elements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_as_text() {
        let check = |text: &str, expected: &[Option<&str>]| {
            let found = elements(text).unwrap();
            let found: Vec<Option<&str>> = found.iter().map(Option::as_deref).collect();
            assert_eq!(found, expected, "{text}");
        };
        check("{}", &[]);
        check(" { a , b c } ", &[Some("a"), Some("b c")]);
        check(
            r#"{"a","b,c","",null,"null",x\,y}"#,
            &[Some("a"), Some("b,c"), Some(""), None, Some("null"), Some("x,y")],
        );
        check(r#"{"say \"hi\" \\"}"#, &[Some("say \"hi\" \\")]);
        for bad in ["a,b", "{a,}", "{,a}", r#"{"a}"#, "{{1},{2}}", r"{a\"] {
            assert!(elements(bad).is_err(), "{bad}");
        }
    }
}
