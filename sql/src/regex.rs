//! Regular expressions as Postgres reads them, in the words of the `regex` crate.
//!
//! In goes an analysed plan; out comes one in which each literal pattern means what it means to
//! Postgres: a point is any character, a newline, too, and words have borders of other names. What
//! the crate does not have (back references, looking around) stays as it is and does not compile.

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{Expr, LogicalPlan, Operator};
use datafusion::optimizer::AnalyzerRule;

use crate::expressions::rewrite_all;

/// Set in front of a pattern in which a point is any character.
pub(crate) const ANY_POINT: &str = "(?s)";

/// Functions whose second argument is a pattern.
const FUNCTIONS: &[&str] = &[
    "regexp_all_matches",
    "regexp_count",
    "regexp_instr",
    "regexp_like",
    "regexp_match",
    "regexp_replace",
    "regexp_split_to_array",
    "regexp_substring",
];

/// The rule.
#[derive(Debug, Default)]
pub(crate) struct PostgresRegex;

impl AnalyzerRule for PostgresRegex {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        rewrite_all(plan, |expr, _| Ok(rewrite(expr)))
    }

    fn name(&self) -> &str {
        "postgres_regex"
    }
}

fn rewrite(mut expr: Expr) -> Transformed<Expr> {
    let pattern = match &mut expr {
        Expr::BinaryExpr(binary)
            if matches!(
                binary.op,
                Operator::RegexMatch
                    | Operator::RegexIMatch
                    | Operator::RegexNotMatch
                    | Operator::RegexNotIMatch
            ) =>
        {
            Some(binary.right.as_mut())
        }
        Expr::ScalarFunction(call) if FUNCTIONS.contains(&call.func.name()) => call.args.get_mut(1),
        _ => None,
    };
    let Some(Expr::Literal(value, _)) = pattern else { return whole_match(expr) };
    let text = match value {
        ScalarValue::Utf8(Some(text))
        | ScalarValue::Utf8View(Some(text))
        | ScalarValue::LargeUtf8(Some(text)) => text,
        _ => return Transformed::no(expr),
    };
    *text = translated(text);
    let rewritten = whole_match(expr);
    Transformed::yes(rewritten.data)
}

/// What stands for the whole match in the replacement of `regexp_replace`: `\&`, as group 0.
fn whole_match(mut expr: Expr) -> Transformed<Expr> {
    let Expr::ScalarFunction(call) = &mut expr else { return Transformed::no(expr) };
    match call.args.get_mut(2) {
        Some(Expr::Literal(
            ScalarValue::Utf8(Some(text))
            | ScalarValue::Utf8View(Some(text))
            | ScalarValue::LargeUtf8(Some(text)),
            _,
        )) if call.func.name() == "regexp_replace" && text.contains(r"\&") => {
            *text = text.replace(r"\&", r"\0");
            Transformed::yes(expr)
        }
        _ => Transformed::no(expr),
    }
}

/// A pattern in our words; one that is in them already stays as it is.
fn translated(pattern: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(pattern.len()), pattern);
    let mut any_point = false;
    while let Some(char) = rest.chars().next() {
        if let Some((word, border)) = BORDERS.iter().find(|(word, _)| rest.starts_with(word)) {
            out.push_str(border);
            rest = &rest[word.len()..];
            continue;
        }
        if char == '[' {
            rest = class(rest, &mut out);
            continue;
        }
        if char == '\\' {
            let length = rest.chars().take(2).map(char::len_utf8).sum();
            out.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        }
        any_point |= char == '.';
        out.push(char);
        rest = &rest[char.len_utf8()..];
    }
    if any_point && !out.starts_with(ANY_POINT) { format!("{ANY_POINT}{out}") } else { out }
}

/// Borders of words and of the text.
const BORDERS: &[(&str, &str)] = &[
    ("[[:<:]]", r"\b{start}"),
    ("[[:>:]]", r"\b{end}"),
    (r"\m", r"\b{start}"),
    (r"\M", r"\b{end}"),
    (r"\y", r"\b"),
    (r"\Y", r"\B"),
    (r"\Z", r"\z"),
];

/// Classes that know all of Unicode in Postgres.
const CLASSES: &[(&str, &str)] = &[
    ("[:alpha:]", r"\p{Alphabetic}"),
    ("[:alnum:]", r"\p{Alphabetic}\p{N}"),
    ("[:lower:]", r"\p{Lowercase}"),
    ("[:upper:]", r"\p{Uppercase}"),
    ("[:space:]", r"\s"),
];

/// Copies a class of characters, and answers what follows it. In Postgres `[`, `&`, `~` and `-` are
/// characters where the crate would combine sets.
fn class<'a>(text: &'a str, out: &mut String) -> &'a str {
    out.push('[');
    let mut rest = &text[1..];
    for first in ["^", "]"] {
        if let Some(after) = rest.strip_prefix(first) {
            out.push_str(if first == "]" { r"\]" } else { first });
            rest = after;
        }
    }
    while let Some(char) = rest.chars().next() {
        let after = &rest[char.len_utf8()..];
        match char {
            ']' => {
                out.push(']');
                return after;
            }
            '[' if after.starts_with(':') => {
                let end = rest.find(":]").map_or(rest.len(), |end| end + 2);
                let named = CLASSES.iter().find(|(name, _)| *name == &rest[..end]);
                out.push_str(named.map_or(&rest[..end], |(_, class)| class));
                rest = &rest[end..];
                continue;
            }
            '\\' => {
                let length = rest.chars().take(2).map(char::len_utf8).sum();
                out.push_str(&rest[..length]);
                rest = &rest[length..];
                continue;
            }
            '[' | '&' | '~' => out.extend(['\\', char]),
            char => out.push(char),
        }
        rest = after;
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let check = |pattern: &str, expected: &str| {
            assert_eq!(translated(pattern), expected, "{pattern}");
            assert!(regex::Regex::new(expected).is_ok(), "{expected}");
        };
        check("abc|d", "abc|d");
        check("a.c", "(?s)a.c");
        check(r"a\.c[.]", r"a\.c[.]");
        check(r"\mword\M", r"\b{start}word\b{end}");
        check("[[:<:]]a[[:>:]]", r"\b{start}a\b{end}");
        check(r"\ya\Z", r"\ba\z");
        check("[]a]", r"[\]a]");
        check("[^]a[&&b~~]", r"[^\]a\[\&\&b\~\~]");
        check("[[:alpha:]_]+", r"[\p{Alphabetic}_]+");
        check("[[:digit:]]", "[[:digit:]]");
        check(r"[\]\d]", r"[\]\d]");
        check(r"\\.", r"(?s)\\.");
    }
}
