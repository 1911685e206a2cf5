//! EXPLAIN with options in parentheses, as Postgres has them.
//!
//! In goes the tree of a statement; out comes one that says before its query what DataFusion looks at:
//! it passes over what stands in parentheses, so that EXPLAIN (ANALYZE) ran nothing and measured nothing.

use sqlparser::ast::{AnalyzeFormat, AnalyzeFormatKind, Expr, Statement, UtilityOption, Value};

use crate::error::SqlError;

/// Those that change nothing in what is shown here.
const WITHOUT_EFFECT: &[&str] =
    &["buffers", "costs", "settings", "summary", "timing", "verbose", "wal"];

/// Rewrites a statement in place.
pub(crate) fn rewrite(explain: &mut Statement) -> Result<(), SqlError> {
    let Statement::Explain { analyze, verbose, format, options, .. } = explain else {
        return Ok(());
    };
    // Every step of planning, which is not what Postgres shows more of.
    *verbose = false;
    for option in options.take().into_iter().flatten() {
        let name = option.name.value.to_lowercase();
        match name.as_str() {
            "analyze" => *analyze = is_on(&option)?,
            "format" if word(&option).as_deref() == Some("text") => {}
            "format" => return Err(SqlError::unsupported("EXPLAIN in a format that is not TEXT")),
            name if WITHOUT_EFFECT.contains(&name) => {
                is_on(&option)?;
            }
            name => {
                let text = format!("unrecognized EXPLAIN option \"{name}\"");
                return Err(SqlError::new("42601", text));
            }
        }
    }
    match format.take() {
        None => Ok(()),
        Some(
            AnalyzeFormatKind::Keyword(AnalyzeFormat::TEXT)
            | AnalyzeFormatKind::Assignment(AnalyzeFormat::TEXT),
        ) => Ok(()),
        Some(_) => Err(SqlError::unsupported("EXPLAIN in a format that is not TEXT")),
    }
}

/// The argument of an option in lower case.
fn word(option: &UtilityOption) -> Option<String> {
    let word = match option.arg.as_ref()? {
        Expr::Identifier(name) => name.value.clone(),
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => text.clone(),
            other => other.to_string(),
        },
        other => other.to_string(),
    };
    Some(word.to_lowercase())
}

fn is_on(option: &UtilityOption) -> Result<bool, SqlError> {
    match word(option).as_deref() {
        None | Some("true" | "on" | "1") => Ok(true),
        Some("false" | "off" | "0") => Ok(false),
        Some(_) => {
            let name = option.name.value.to_lowercase();
            Err(SqlError::new("42601", format!("{name} requires a Boolean value")))
        }
    }
}

#[cfg(test)]
mod tests {
    use sqlparser::dialect::PostgreSqlDialect;
    use sqlparser::parser::Parser;

    use super::*;

    #[test]
    fn options() {
        let check = |text: &str, expected: Result<&str, &str>| {
            let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, text).unwrap();
            let mut statement = statements.pop().unwrap();
            let got = rewrite(&mut statement).map(|()| statement.to_string());
            let got = got.as_deref().map_err(|error| error.code);
            assert_eq!(got, expected, "{text}");
        };
        check("explain select 1", Ok("EXPLAIN SELECT 1"));
        check("explain verbose select 1", Ok("EXPLAIN SELECT 1"));
        check("explain analyze select 1", Ok("EXPLAIN ANALYZE SELECT 1"));
        check("explain (analyze) select 1", Ok("EXPLAIN ANALYZE SELECT 1"));
        check("explain (analyze off, costs) select 1", Ok("EXPLAIN SELECT 1"));
        check("explain (costs off, analyze true) select 1", Ok("EXPLAIN ANALYZE SELECT 1"));
        check("explain (format text) select 1", Ok("EXPLAIN SELECT 1"));
        check("explain (format json) select 1", Err("0A000"));
        check("explain (analyze maybe) select 1", Err("42601"));
        check("explain (nope) select 1", Err("42601"));
    }
}
