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
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown};
use regex::RegexBuilder;

use crate::members::{Member, members};
use crate::regex::ANY_POINT;
use crate::table::{TextFilter, TextPattern};

/// What a regular expression of a condition may take once it is compiled.
const REGEX_BYTES_MAX: usize = 10 << 20;

/// All of time: `i64::MAX` as an end has no meaning but this.
pub(crate) const ALL_TIME: Range<i64> = i64::MIN..i64::MAX;

/// The columns that pushdown knows, by name.
#[derive(Debug)]
pub(crate) struct Roles {
    pub(crate) keys: HashSet<String>,
    pub(crate) time: String,
    pub(crate) text: String,
    pub(crate) object: Option<String>,
}

/// What a conjunct asks of a scan.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Push {
    /// Evaluate it over the groups.
    Groups,
    /// Read only these times.
    Time(Range<i64>),
    /// Read only rows with this text.
    Text(TextFilter),
    /// Leave out what has none of the members of a group.
    Members(Vec<Vec<Member>>),
    /// The scan cannot help.
    Nothing,
}

impl Push {
    pub(crate) fn support(&self) -> TableProviderFilterPushDown {
        match self {
            Push::Groups | Push::Time(_) | Push::Text(_) => TableProviderFilterPushDown::Exact,
            Push::Members(_) => TableProviderFilterPushDown::Inexact,
            Push::Nothing => TableProviderFilterPushDown::Unsupported,
        }
    }
}

/// Classifies one conjunct.
pub(crate) fn classify(expr: &Expr, roles: &Roles) -> Push {
    if asks_groups(expr, roles) {
        return Push::Groups;
    }
    if let Expr::BinaryExpr(binary) = expr
        && let Some(time) = time_push(binary, roles)
    {
        return time;
    }
    if let Some(filter) = text_filter(expr, roles) {
        return Push::Text(filter);
    }
    let groups = roles.object.as_ref().map(|column| members(expr, column)).unwrap_or_default();
    if groups.is_empty() { Push::Nothing } else { Push::Members(groups) }
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

/// A comparison with a literal, the literal on the right.
pub(crate) fn comparison(binary: &BinaryExpr) -> Option<(&Expr, Operator, &ScalarValue)> {
    match (binary.left.as_ref(), binary.right.as_ref()) {
        (Expr::Literal(value, _), expr) => Some((expr, binary.op.swap()?, value)),
        (expr, Expr::Literal(value, _)) => Some((expr, binary.op, value)),
        _ => None,
    }
}

fn time_push(binary: &BinaryExpr, roles: &Roles) -> Option<Push> {
    let (column, op, value) = comparison(binary)?;
    let at = nanoseconds(value).filter(|_| is_time(column, roles))?;
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

/// What a condition says of the text, if that is all it says. The text is never null, so NOT turns
/// every answer around.
fn text_filter(expr: &Expr, roles: &Roles) -> Option<TextFilter> {
    match expr {
        Expr::Not(inner) => Some(inverse(text_filter(inner, roles)?)),
        Expr::Like(like) if is_text(&like.expr, roles) => {
            let Expr::Literal(pattern, _) = like.pattern.as_ref() else { return None };
            let escape = like.escape_char.unwrap_or('\\');
            let filter = like_filter(string(pattern)?, escape, like.case_insensitive)?;
            Some(if like.negated { inverse(filter) } else { filter })
        }
        Expr::BinaryExpr(binary) if binary.op == Operator::Or => {
            let (left, right) = (&binary.left, &binary.right);
            either(text_filter(left, roles)?, text_filter(right, roles)?)
        }
        Expr::BinaryExpr(binary) => compared(binary, roles),
        Expr::InList(list) if is_text(&list.expr, roles) => {
            let texts = list.list.iter().map(|item| match item {
                Expr::Literal(value, _) => string(value).map(regex::escape),
                _ => None,
            });
            let texts: Vec<String> = texts.collect::<Option<_>>()?;
            let filter = matches(format!(r"\A(?:{})\z", texts.join("|")), false)?;
            Some(if list.negated { inverse(filter) } else { filter })
        }
        Expr::ScalarFunction(function) => {
            let [column, Expr::Literal(value, _), ..] = function.args.as_slice() else {
                return None;
            };
            let text = string(value).filter(|_| is_text(column, roles))?;
            match (function.name(), &function.args[2..]) {
                ("contains", []) => contains(text),
                ("starts_with", []) => matches(format!(r"\A{}", regex::escape(text)), false),
                ("ends_with", []) => matches(format!(r"{}\z", regex::escape(text)), false),
                ("regexp_like", []) => matches(text.to_owned(), false),
                ("regexp_like", [Expr::Literal(flags, _)]) if string(flags) == Some("i") => {
                    matches(text.to_owned(), true)
                }
                _ => None,
            }
        }
        _ => None,
    }
}

fn compared(binary: &BinaryExpr, roles: &Roles) -> Option<TextFilter> {
    let (left, op, value) = comparison(binary)?;
    if let Expr::ScalarFunction(function) = left
        && let ("strpos", [column, Expr::Literal(needle, _)]) =
            (function.name(), function.args.as_slice())
        && is_text(column, roles)
    {
        let found = contains(string(needle)?)?;
        let number = match value {
            ScalarValue::Int32(Some(number)) => i64::from(*number),
            ScalarValue::Int64(Some(number)) => *number,
            _ => return None,
        };
        return match (op, number) {
            (Operator::Gt | Operator::NotEq, 0) | (Operator::GtEq, 1) => Some(found),
            (Operator::Eq | Operator::LtEq, 0) | (Operator::Lt, 1) => Some(inverse(found)),
            // The text begins with it.
            (Operator::Eq, 1) => matches(format!(r"\A{}", regex::escape(string(needle)?)), false),
            _ => None,
        };
    }
    if !is_text(left, roles) {
        return None;
    }
    let text = string(value)?;
    let equal = || matches(format!(r"\A{}\z", regex::escape(text)), false);
    match op {
        Operator::Eq => equal(),
        Operator::NotEq => equal().map(inverse),
        Operator::RegexMatch => matches(text.to_owned(), false),
        Operator::RegexIMatch => matches(text.to_owned(), true),
        Operator::RegexNotMatch => matches(text.to_owned(), false).map(inverse),
        Operator::RegexNotIMatch => matches(text.to_owned(), true).map(inverse),
        Operator::LikeMatch => like_filter(text, '\\', false),
        Operator::ILikeMatch => like_filter(text, '\\', true),
        Operator::NotLikeMatch => like_filter(text, '\\', false).map(inverse),
        Operator::NotILikeMatch => like_filter(text, '\\', true).map(inverse),
        _ => None,
    }
}

fn inverse(filter: TextFilter) -> TextFilter {
    match filter {
        TextFilter::Contains(text) => TextFilter::NotContains(text),
        TextFilter::NotContains(text) => TextFilter::Contains(text),
        TextFilter::Matches(pattern) => TextFilter::NotMatches(pattern),
        TextFilter::NotMatches(pattern) => TextFilter::Matches(pattern),
    }
}

/// One of two conditions, where both say that something is there.
fn either(left: TextFilter, right: TextFilter) -> Option<TextFilter> {
    // Texts alone stay texts, which can be searched for faster than a pattern.
    let plain = |filter: &TextFilter| match filter {
        TextFilter::Contains(text) => Some(regex::escape(text)),
        TextFilter::Matches(TextPattern { regex, fold: false }) => {
            let plain = regex.split('|').all(|part| {
                part.chars().all(|char| char.is_alphanumeric() || " _:=/\"'".contains(char))
            });
            plain.then(|| regex.clone())
        }
        _ => None,
    };
    if let (Some(left), Some(right)) = (plain(&left), plain(&right)) {
        return matches(format!("{left}|{right}"), false);
    }
    let group = |filter: TextFilter| match filter {
        TextFilter::Contains(text) => Some(format!("(?:{})", regex::escape(&text))),
        TextFilter::Matches(TextPattern { regex, fold: false }) => Some(format!("(?:{regex})")),
        TextFilter::Matches(TextPattern { regex, fold: true }) => Some(format!("(?i:{regex})")),
        TextFilter::NotContains(_) | TextFilter::NotMatches(_) => None,
    };
    matches(format!("{}|{}", group(left)?, group(right)?), false)
}

fn contains(text: &str) -> Option<TextFilter> {
    Some(TextFilter::Contains(text.to_owned()))
}

fn matches(regex: String, fold: bool) -> Option<TextFilter> {
    // A point is any character in all of them, so they need not say it.
    let regex = match regex.strip_prefix(ANY_POINT) {
        Some(rest) => rest.to_owned(),
        None => regex,
    };
    // One that does not compile is left to DataFusion, which says what is wrong with it.
    let mut builder = RegexBuilder::new(&regex);
    let builder = builder.dot_matches_new_line(true).case_insensitive(fold);
    builder.size_limit(REGEX_BYTES_MAX).build().ok()?;
    Some(TextFilter::Matches(TextPattern { regex, fold }))
}

/// A LIKE pattern: one text between two `%` is looked for as it is, others become an expression.
fn like_filter(pattern: &str, escape: char, fold: bool) -> Option<TextFilter> {
    let (mut regex, mut text) = (String::from(r"\A"), String::new());
    let (mut runs, mut single) = (0, false);
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        let literal = match char {
            char if char == escape => chars.next()?,
            '%' => {
                // What is escaped has a backslash before each of the two.
                if !regex.ends_with(".*") {
                    regex.push_str(".*");
                    runs += 1;
                }
                continue;
            }
            '_' => {
                regex.push('.');
                single = true;
                continue;
            }
            char => char,
        };
        regex.push_str(&regex::escape(literal.encode_utf8(&mut [0; 4])));
        text.push(literal);
    }
    let open = regex.starts_with(r"\A.*") && regex.ends_with(".*");
    if open && runs == 2 && !single && !text.is_empty() {
        return if fold { matches(regex::escape(&text), true) } else { contains(&text) };
    }
    // What only has to begin, or to end, with something need not be looked at further.
    match regex.strip_suffix(".*") {
        Some(beginning) => regex.truncate(beginning.len()),
        None => regex.push_str(r"\z"),
    }
    let regex = regex.strip_prefix(r"\A.*").unwrap_or(&regex);
    matches(regex.to_owned(), fold)
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

pub(crate) fn string(value: &ScalarValue) -> Option<&str> {
    value.try_as_str().flatten()
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{col, lit};

    use super::*;

    fn roles() -> Roles {
        let keys = ["app", "env"].map(String::from).into();
        Roles { keys, time: "timestamp".into(), text: "line".into(), object: None }
    }

    fn check(expr: Expr, expected: Push) {
        assert_eq!(classify(&expr, &roles()), expected, "{expr}");
    }

    fn contains(text: &str) -> Push {
        Push::Text(TextFilter::Contains(text.into()))
    }

    fn matches(regex: &str, fold: bool) -> Push {
        Push::Text(TextFilter::Matches(TextPattern { regex: regex.into(), fold }))
    }

    fn inverse(push: Push) -> Push {
        match push {
            Push::Text(filter) => Push::Text(super::inverse(filter)),
            other => other,
        }
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
        check(line().like(lit("%abc%")), contains("abc"));
        check(line().like(lit("%%abc%%")), contains("abc"));
        check(line().like(lit("abc%")), matches(r"\Aabc", false));
        check(line().like(lit("%abc")), matches(r"abc\z", false));
        check(line().like(lit("%a%bcd_e%")), matches("a.*bcd.e", false));
        check(line().like(lit("%ab_c%")), matches("ab.c", false));
        check(line().like(lit(r"%50\%%")), contains("50%"));
        check(line().like(lit(r"%a\_b%")), contains("a_b"));
        check(line().like(lit(r"%abc\%")), matches(r"abc%\z", false));
        check(line().like(lit(r"%a\")), Push::Nothing);
        check(line().ilike(lit("%a.c%")), matches(r"a\.c", true));
        check(line().not_like(lit("%abc%")), inverse(contains("abc")));
        check(line().not_like(lit("%a%bc%")), inverse(matches("a.*bc", false)));
        check(line().eq(lit("a.c")), matches(r"\Aa\.c\z", false));
        check(lit("abc").not_eq(line()), inverse(matches(r"\Aabc\z", false)));
        check(line().in_list(vec![lit("a"), lit("b")], false), matches(r"\A(?:a|b)\z", false));
        check(col("level").like(lit("%abc%")), Push::Nothing);
    }

    #[test]
    fn regexes_and_alternatives() {
        let line = || col("line");
        let op = |op, text: &str| {
            Expr::BinaryExpr(BinaryExpr::new(Box::new(line()), op, Box::new(lit(text))))
        };
        check(op(Operator::RegexMatch, "a.*b"), matches("a.*b", false));
        check(op(Operator::RegexIMatch, "ab"), matches("ab", true));
        check(op(Operator::RegexNotIMatch, "ab"), inverse(matches("ab", true)));
        check(op(Operator::RegexMatch, "a("), Push::Nothing);
        let turned = BinaryExpr::new(Box::new(lit("x")), Operator::RegexMatch, Box::new(line()));
        check(Expr::BinaryExpr(turned), Push::Nothing);
        let like = |text: &str| line().like(lit(text));
        check(like("%a b%").or(like("%c%")).or(like("%d%")), matches("a b|c|d", false));
        check(
            like("%a.b%").or(op(Operator::RegexIMatch, "c|d")),
            matches(r"(?:a\.b)|(?i:c|d)", false),
        );
        check(like("%a%").or(line().not_like(lit("%b%"))), Push::Nothing);
        check(Expr::Not(Box::new(like("%a%").or(like("%b%")))), inverse(matches("a|b", false)));
        check(like("%a%").or(col("level").eq(lit("b"))), Push::Nothing);
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
        for pattern in words(&['a', 'b', '%', '_', '\\'], 4) {
            let shown: String = pattern.iter().collect();
            let Some(filter) = like_filter(&shown, '\\', false) else {
                assert!(texts.iter().any(|text| naive_like(text, &pattern).is_none()), "{shown}");
                continue;
            };
            let holds: Box<dyn Fn(&str) -> bool> = match filter {
                TextFilter::Contains(needle) => Box::new(move |text| text.contains(&needle)),
                TextFilter::Matches(TextPattern { regex, .. }) => {
                    let regex = regex::Regex::new(&regex).unwrap();
                    Box::new(move |text| regex.is_match(text))
                }
                other => panic!("{shown} is {other}"),
            };
            for text in &texts {
                let Some(like) = naive_like(text, &pattern) else { continue };
                let text: String = text.iter().collect();
                assert_eq!(holds(&text), like, "{shown} {text}");
            }
        }
    }
}
