//! Which parts of a WHERE clause the table itself can apply.
//!
//! In go the conjuncts of a filter as DataFusion's optimizer left them: casts and `now()` folded,
//! BETWEEN taken apart, simple regular expressions turned into LIKE. Out comes, per conjunct, what
//! the scan may be asked for and whether that is all the conjunct says.
//!
//! - An exact push means the same rows as the conjunct; an inexact one lets through at least those.
//! - A conjunct over key columns alone is a question about groups, whatever it is made of.

use std::collections::HashSet;
use std::ops::Range;

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::Like;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown};

use crate::table::TextFilter;

/// All of time: `i64::MAX` as an end has no meaning but this.
pub(crate) const ALL_TIME: Range<i64> = i64::MIN..i64::MAX;

/// The columns that pushdown knows, by name.
#[derive(Debug)]
pub(crate) struct Roles {
    pub(crate) keys: HashSet<String>,
    pub(crate) time: String,
    pub(crate) text: String,
}

/// What a conjunct asks of a scan.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Push {
    /// Evaluate it over the groups.
    Groups,
    /// Read only these times.
    Time(Range<i64>),
    /// Read only rows with this text; `true` if the conjunct says no more than that.
    Text(TextFilter, bool),
    /// The scan cannot help.
    Nothing,
}

impl Push {
    pub(crate) fn support(&self) -> TableProviderFilterPushDown {
        match self {
            Push::Groups | Push::Time(_) | Push::Text(_, true) => {
                TableProviderFilterPushDown::Exact
            }
            Push::Text(_, false) => TableProviderFilterPushDown::Inexact,
            Push::Nothing => TableProviderFilterPushDown::Unsupported,
        }
    }
}

/// Classifies one conjunct.
pub(crate) fn classify(expr: &Expr, roles: &Roles) -> Push {
    if asks_groups(expr, roles) {
        return Push::Groups;
    }
    match expr {
        Expr::BinaryExpr(binary) => binary_push(binary, roles),
        Expr::Like(like) => like_push(like, roles),
        Expr::Not(inner) => match text_function(inner, "contains", roles) {
            Some(text) => Push::Text(TextFilter::NotContains(text), true),
            None => Push::Nothing,
        },
        expr => match text_function(expr, "contains", roles) {
            Some(text) => Push::Text(TextFilter::Contains(text), true),
            None => Push::Nothing,
        },
    }
}

fn asks_groups(expr: &Expr, roles: &Roles) -> bool {
    let columns = expr.column_refs();
    if columns.is_empty() || columns.iter().any(|column| !roles.keys.contains(&column.name)) {
        return false;
    }
    // A subquery needs a plan of its own, and a volatile function an answer per row.
    let mut plain = !expr.is_volatile();
    let visited = expr.apply(|node| {
        plain &= !matches!(
            node,
            Expr::ScalarSubquery(_)
                | Expr::InSubquery(_)
                | Expr::Exists(_)
                | Expr::SetComparison(_)
                | Expr::OuterReferenceColumn(..)
                | Expr::Placeholder(_)
                | Expr::AggregateFunction(_)
                | Expr::WindowFunction(_)
        );
        Ok(TreeNodeRecursion::Continue)
    });
    visited.is_ok() && plain
}

fn binary_push(binary: &BinaryExpr, roles: &Roles) -> Push {
    let (left, op, right) = match (binary.left.as_ref(), binary.right.as_ref()) {
        (literal @ Expr::Literal(..), expr) => match binary.op.swap() {
            Some(op) => (expr, op, literal),
            None => return Push::Nothing,
        },
        (expr, literal) => (expr, binary.op, literal),
    };
    let Expr::Literal(value, _) = right else { return Push::Nothing };
    if is_time(left, roles) {
        return nanoseconds(value).and_then(|at| time_push(op, at)).unwrap_or(Push::Nothing);
    }
    if let Some(text) = text_function(left, "strpos", roles) {
        let found = match (op, value) {
            (Operator::Gt | Operator::NotEq, ScalarValue::Int32(Some(0))) => true,
            (Operator::Gt | Operator::NotEq, ScalarValue::Int64(Some(0))) => true,
            (Operator::Eq, ScalarValue::Int32(Some(0)) | ScalarValue::Int64(Some(0))) => false,
            _ => return Push::Nothing,
        };
        return match found {
            true => Push::Text(TextFilter::Contains(text), true),
            false => Push::Text(TextFilter::NotContains(text), true),
        };
    }
    match string(value) {
        Some(text) if op == Operator::Eq && is_text(left, roles) && !text.is_empty() => {
            Push::Text(TextFilter::Contains(text.to_owned()), false)
        }
        _ => Push::Nothing,
    }
}

fn time_push(op: Operator, at: i64) -> Option<Push> {
    // `i64::MAX` as an end means no end, so conditions that would need it stay with DataFusion.
    let after = at.checked_add(1).filter(|after| *after < i64::MAX);
    Some(Push::Time(match op {
        Operator::Eq => at..after?,
        Operator::Lt if at < i64::MAX => ALL_TIME.start..at,
        Operator::LtEq => ALL_TIME.start..after?,
        Operator::Gt => after?..ALL_TIME.end,
        Operator::GtEq => at..ALL_TIME.end,
        _ => return None,
    }))
}

/// The times that two ranges share; an empty range if none.
pub(crate) fn intersect(a: Range<i64>, b: Range<i64>) -> Range<i64> {
    let start = a.start.max(b.start);
    start..a.end.min(b.end).max(start)
}

fn like_push(like: &Like, roles: &Roles) -> Push {
    if like.case_insensitive || !is_text(&like.expr, roles) {
        return Push::Nothing;
    }
    let Expr::Literal(pattern, _) = like.pattern.as_ref() else { return Push::Nothing };
    let Some(pattern) = string(pattern) else { return Push::Nothing };
    let Some(parts) = literals(pattern, like.escape_char.unwrap_or('\\')) else {
        return Push::Nothing;
    };
    let exact = parts.exactly_contains();
    let Some(longest) = parts.literals.into_iter().max_by_key(String::len) else {
        return Push::Nothing;
    };
    match (like.negated, exact) {
        _ if longest.is_empty() => Push::Nothing,
        (false, exact) => Push::Text(TextFilter::Contains(longest), exact),
        (true, true) => Push::Text(TextFilter::NotContains(longest), true),
        // A line without the literal cannot match, but one with it may not match either.
        (true, false) => Push::Nothing,
    }
}

/// A LIKE pattern taken apart.
struct Pattern {
    /// The runs of literal characters between wildcards.
    literals: Vec<String>,
    /// Whether a `_` occurs.
    single: bool,
    /// Whether the pattern begins and ends with `%`.
    open: bool,
}

impl Pattern {
    fn exactly_contains(&self) -> bool {
        self.open && !self.single && self.literals.iter().filter(|run| !run.is_empty()).count() == 1
    }
}

fn literals(pattern: &str, escape: char) -> Option<Pattern> {
    let (mut literals, mut run) = (Vec::new(), String::new());
    let (mut single, mut open_start, mut open_end) = (false, false, false);
    let mut chars = pattern.chars();
    let mut first = true;
    while let Some(char) = chars.next() {
        open_end = false;
        match char {
            char if char == escape => run.push(chars.next()?),
            '%' => {
                open_start |= first;
                open_end = true;
                literals.push(std::mem::take(&mut run));
            }
            '_' => {
                single = true;
                literals.push(std::mem::take(&mut run));
            }
            char => run.push(char),
        }
        first = false;
    }
    literals.push(run);
    Some(Pattern { literals, single, open: open_start && open_end })
}

/// The literal in `name(text column, literal)`.
fn text_function(expr: &Expr, name: &str, roles: &Roles) -> Option<String> {
    let Expr::ScalarFunction(function) = expr else { return None };
    let [column, Expr::Literal(needle, _)] = function.args.as_slice() else { return None };
    let needle = string(needle).filter(|needle| !needle.is_empty())?;
    (function.name() == name && is_text(column, roles)).then(|| needle.to_owned())
}

fn is_text(expr: &Expr, roles: &Roles) -> bool {
    match expr {
        Expr::Column(column) => column.name == roles.text,
        // Between string types only, which does not change the text.
        Expr::Cast(cast) if cast.field.data_type().is_string() => is_text(&cast.expr, roles),
        _ => false,
    }
}

fn is_time(expr: &Expr, roles: &Roles) -> bool {
    match expr {
        Expr::Column(column) => column.name == roles.time,
        // The column is in UTC, so giving it another zone or none leaves the number as it is.
        Expr::Cast(cast) => match cast.field.data_type() {
            DataType::Timestamp(TimeUnit::Nanosecond, None) => is_time(&cast.expr, roles),
            DataType::Timestamp(TimeUnit::Nanosecond, Some(zone)) => {
                is_utc(zone) && is_time(&cast.expr, roles)
            }
            _ => false,
        },
        _ => false,
    }
}

pub(crate) fn is_utc(zone: &str) -> bool {
    matches!(zone, "UTC" | "+00:00" | "Etc/UTC" | "Z" | "GMT")
}

fn nanoseconds(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::TimestampNanosecond(Some(at), _) => Some(*at),
        ScalarValue::TimestampMicrosecond(Some(at), _) => at.checked_mul(1_000),
        ScalarValue::TimestampMillisecond(Some(at), _) => at.checked_mul(1_000_000),
        ScalarValue::TimestampSecond(Some(at), _) => at.checked_mul(1_000_000_000),
        _ => None,
    }
}

fn string(value: &ScalarValue) -> Option<&str> {
    value.try_as_str().flatten()
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{col, lit};

    use super::*;

    fn roles() -> Roles {
        let keys = ["app", "env"].map(String::from).into();
        Roles { keys, time: "timestamp".into(), text: "line".into() }
    }

    fn check(expr: Expr, expected: Push) {
        assert_eq!(classify(&expr, &roles()), expected, "{expr}");
    }

    fn contains(text: &str, exact: bool) -> Push {
        Push::Text(TextFilter::Contains(text.into()), exact)
    }

    #[test]
    fn groups() {
        check(col("app").eq(lit("a")), Push::Groups);
        check(col("app").eq(lit("a")).or(col("env").is_null()), Push::Groups);
        check(col("app").eq(lit("a")).or(col("level").eq(lit("b"))), Push::Nothing);
        check(col("level").eq(lit("b")), Push::Nothing);
        check(lit(true), Push::Nothing);
    }

    #[test]
    fn time() {
        let at = |at| lit(ScalarValue::TimestampNanosecond(Some(at), Some("UTC".into())));
        let time = || col("timestamp");
        check(time().gt(at(5)), Push::Time(6..i64::MAX));
        check(time().gt_eq(at(5)), Push::Time(5..i64::MAX));
        check(time().lt(at(5)), Push::Time(i64::MIN..5));
        check(time().lt_eq(at(5)), Push::Time(i64::MIN..6));
        check(time().eq(at(5)), Push::Time(5..6));
        check(at(5).lt(time()), Push::Time(6..i64::MAX));
        check(time().not_eq(at(5)), Push::Nothing);
        check(time().lt(at(i64::MAX)), Push::Nothing);
        check(time().lt_eq(at(i64::MAX - 1)), Push::Nothing);
        check(time().gt(at(i64::MAX)), Push::Nothing);
        let micros = lit(ScalarValue::TimestampMicrosecond(Some(5), None));
        check(time().lt(micros), Push::Time(i64::MIN..5000));
        let far = lit(ScalarValue::TimestampSecond(Some(i64::MAX), None));
        check(time().lt(far), Push::Nothing);
        assert_eq!(intersect(0..5, 3..9), 3..5);
        assert!(intersect(0..5, 7..9).is_empty());
    }

    #[test]
    fn text() {
        let line = || col("line");
        check(line().like(lit("%abc%")), contains("abc", true));
        check(line().like(lit("%%abc%%")), contains("abc", true));
        check(line().like(lit("abc%")), contains("abc", false));
        check(line().like(lit("%a%bcd_e%")), contains("bcd", false));
        check(line().like(lit("%ab_c%")), contains("ab", false));
        check(line().like(lit(r"%50\%%")), contains("50%", true));
        check(line().like(lit(r"%a\_b%")), contains("a_b", true));
        check(line().like(lit(r"%abc\%")), contains("abc%", false));
        check(line().like(lit("%")), Push::Nothing);
        check(line().like(lit(r"%a\")), Push::Nothing);
        check(line().ilike(lit("%abc%")), Push::Nothing);
        let not = Push::Text(TextFilter::NotContains("abc".into()), true);
        check(line().not_like(lit("%abc%")), not);
        check(line().not_like(lit("%a%bc%")), Push::Nothing);
        check(line().eq(lit("abc")), contains("abc", false));
        check(col("level").like(lit("%abc%")), Push::Nothing);
    }

    /// What LIKE means, so simple that it is unlikely to be wrong. `None`: no valid pattern.
    fn naive_like(text: &[char], pattern: &[char]) -> Option<bool> {
        Some(match pattern {
            [] => text.is_empty(),
            ['%', rest @ ..] => {
                let mut found = false;
                for start in 0..=text.len() {
                    found |= naive_like(&text[start..], rest)?;
                }
                found
            }
            ['\\'] => return None,
            ['\\', char, rest @ ..] | [char, rest @ ..] => {
                let any = *char == '_' && pattern[0] == '_';
                let rest_matches = naive_like(text.get(1..).unwrap_or(&[]), rest)?;
                text.first().is_some_and(|first| any || first == char) && rest_matches
            }
        })
    }

    fn words(letters: &[char], length_max: usize) -> Vec<Vec<char>> {
        let mut words = vec![vec![]];
        let mut last = words.clone();
        for _ in 0..length_max {
            last = last
                .iter()
                .flat_map(|word: &Vec<char>| {
                    letters.iter().map(|letter| [&word[..], &[*letter]].concat())
                })
                .collect();
            words.extend(last.clone());
        }
        words
    }

    #[test]
    fn like_against_its_naive_twin() {
        let texts = words(&['a', 'b', '%', '_'], 4);
        for pattern in words(&['a', 'b', '%', '_', '\\'], 5) {
            let shown: String = pattern.iter().collect();
            for negated in [false, true] {
                let like = Like {
                    negated,
                    expr: Box::new(col("line")),
                    pattern: Box::new(lit(shown.clone())),
                    escape_char: None,
                    case_insensitive: false,
                };
                let (contains, needle, exact) = match classify(&Expr::Like(like), &roles()) {
                    Push::Text(TextFilter::Contains(needle), exact) => (true, needle, exact),
                    Push::Text(TextFilter::NotContains(needle), exact) => (false, needle, exact),
                    _ => continue,
                };
                for text in &texts {
                    let Some(like) = naive_like(text, &pattern) else { continue };
                    let (like, text) = (like != negated, text.iter().collect::<String>());
                    let pushed = text.contains(&needle) == contains;
                    assert!(pushed || !like, "{shown} lost {text}");
                    assert!(!exact || pushed == like, "{shown} is not exactly {needle}: {text}");
                }
            }
        }
    }
}
