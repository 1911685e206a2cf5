//! SQL text as statements: what we run, what we answer ourselves, and what we refuse.
//!
//! In go the text of a Query or Parse message; out come statements that only read. Bounds on size
//! and nesting are checked on the tokens, before anything recursive sees the text.
//!
//! - Nothing that writes, defines, copies or configures the engine becomes a `Statement`.
//! - A chain of operators is as deep as it is long, so its length is bounded like nesting is.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion_pg_catalog::sql::PostgresCompatibilityParser;
use sqlparser::ast::{
    self, DiscardObject, Expr, Ident, Reset, SelectItem, SetExpr, TableFactor, Visit, VisitMut,
    Visitor, VisitorMut,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer};

use crate::error::SqlError;
use crate::time::chrono_pattern;

/// The longest text of a query message.
pub(crate) const TEXT_BYTES_MAX: usize = 256 << 10;
/// The most tokens, whitespace not counted.
const TOKENS_MAX: usize = 50_000;
/// The most tokens between commas, summed over the open parentheses. A planner recurses over
/// chains of operators, and its time grows faster than their length.
const CHAIN_TOKENS_MAX: usize = 2_000;
/// The most tables, and the most UNION and the like.
const RELATIONS_MAX: usize = 100;

/// A statement we accept.
#[derive(Clone, Debug)]
pub(crate) enum Statement {
    /// Reads rows: SELECT, VALUES, EXPLAIN.
    Rows(Rows),
    /// Is answered by the session.
    Local(Local),
}

/// A statement for the engine.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    pub(crate) ast: Box<ast::Statement>,
    /// Column names as Postgres would choose them, where that is not up to the engine.
    pub(crate) names: Vec<Option<String>>,
    pub(crate) explain: bool,
}

/// A statement about the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Local {
    Set {
        name: String,
        value: Option<String>,
        local: bool,
    },
    ResetAll,
    Show(String),
    ShowAll,
    Begin,
    Commit,
    Rollback,
    Savepoint,
    Release,
    RollbackTo,
    Deallocate(Option<String>),
    DiscardAll,
    /// Has nothing to do, and this tag.
    Nothing(&'static str),
}

impl Local {
    /// Whether it may run in a transaction that has failed.
    pub(crate) fn ends_failure(&self) -> bool {
        matches!(self, Local::Commit | Local::Rollback | Local::RollbackTo)
    }
}

/// Parses text into statements; none if it is empty.
pub(crate) fn parse(
    parser: &PostgresCompatibilityParser,
    text: &str,
) -> Result<Vec<Statement>, SqlError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(too_long());
    }
    check_tokens(text)?;
    parser.parse(text)?.into_iter().map(accept).collect()
}

pub(crate) fn too_long() -> SqlError {
    SqlError::new("54000", format!("statement is longer than {TEXT_BYTES_MAX} bytes"))
}

fn too_complex() -> SqlError {
    SqlError::new("54001", "statement is too complex")
        .hint("long chains of AND, OR or UNION are better written with IN or VALUES")
}

fn check_tokens(text: &str) -> Result<(), SqlError> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text)
        .tokenize()
        .map_err(|error| SqlError::new("42601", error.to_string()))?;
    let (mut open, mut chain, mut count, mut unions) = (Vec::new(), 0usize, 0, 0);
    let mut here = 0usize;
    for token in tokens {
        if matches!(token, Token::Whitespace(_)) {
            continue;
        }
        count += 1;
        match token {
            Token::LParen | Token::LBracket => open.push(std::mem::take(&mut here)),
            Token::RParen | Token::RBracket => {
                chain -= here;
                here = open.pop().unwrap_or(0);
            }
            Token::Comma => chain -= std::mem::take(&mut here),
            Token::SemiColon => (open, chain, here) = (Vec::new(), 0, 0),
            Token::Word(word)
                if matches!(
                    word.keyword,
                    Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT | Keyword::JOIN
                ) =>
            {
                unions += 1;
            }
            _ => {
                here += 1;
                chain += 1;
            }
        }
        if count > TOKENS_MAX || chain > CHAIN_TOKENS_MAX || unions > RELATIONS_MAX {
            return Err(too_complex());
        }
    }
    Ok(())
}

fn accept(statement: ast::Statement) -> Result<Statement, SqlError> {
    use ast::Statement as S;
    let local = match statement {
        S::Query(_) => return rows(statement, false),
        S::Explain { statement: ref inner, .. } => {
            return match inner.as_ref() {
                S::Query(_) => rows(statement, true),
                other => Err(refuse(other)),
            };
        }
        S::Set(set) => accept_set(set)?,
        S::Reset(reset) => match reset.reset {
            Reset::ALL => Local::ResetAll,
            Reset::ConfigurationParameter(name) => {
                Local::Set { name: plain_name(&name)?, value: None, local: false }
            }
        },
        S::ShowVariable { variable } => show(&variable)?,
        S::StartTransaction { statements, .. } if statements.is_empty() => Local::Begin,
        S::Commit { .. } => Local::Commit,
        S::Rollback { savepoint: Some(_), .. } => Local::RollbackTo,
        S::Rollback { .. } => Local::Rollback,
        S::Savepoint { .. } => Local::Savepoint,
        S::ReleaseSavepoint { .. } => Local::Release,
        S::Deallocate { name, .. } => match name.value.to_lowercase().as_str() {
            "all" if name.quote_style.is_none() => Local::Deallocate(None),
            _ => Local::Deallocate(Some(folded(&name))),
        },
        S::Discard { object_type: DiscardObject::ALL } => Local::DiscardAll,
        S::Discard { object_type: DiscardObject::PLANS } => Local::Nothing("DISCARD PLANS"),
        S::Discard { object_type: DiscardObject::TEMP } => Local::Nothing("DISCARD TEMP"),
        S::Discard { .. } => Local::Nothing("DISCARD SEQUENCES"),
        S::Close { cursor: ast::CloseCursor::All } => Local::Nothing("CLOSE CURSOR ALL"),
        S::UNLISTEN { .. } => Local::Nothing("UNLISTEN"),
        other => return Err(refuse(&other)),
    };
    Ok(Statement::Local(local))
}

fn accept_set(set: ast::Set) -> Result<Local, SqlError> {
    use ast::{ContextModifier, Set};
    let (name, value, local) = match set {
        Set::SingleAssignment { scope, hivevar: false, variable, values } => {
            let local = scope == Some(ContextModifier::Local);
            (plain_name(&variable)?, set_value(&values), local)
        }
        Set::SetTimeZone { local, value } => {
            ("TimeZone".to_owned(), set_value(std::slice::from_ref(&value)), local)
        }
        Set::SetNames { charset_name, .. } => {
            ("client_encoding".to_owned(), Some(charset_name.value), false)
        }
        Set::SetRole { role_name, .. } => {
            ("role".to_owned(), role_name.map(|name| name.value), false)
        }
        // Every statement reads one snapshot of its own, whatever the isolation level is called.
        Set::SetTransaction { snapshot: None, .. } => return Ok(Local::Nothing("SET")),
        other => return Err(SqlError::unsupported(other)),
    };
    Ok(Local::Set { name, value, local })
}

/// The values of SET as one text; `None` for DEFAULT.
fn set_value(values: &[Expr]) -> Option<String> {
    let texts: Vec<String> = values
        .iter()
        .map(|value| match value {
            Expr::Value(value) => match &value.value {
                ast::Value::SingleQuotedString(text) => text.clone(),
                other => other.to_string(),
            },
            Expr::Identifier(name) => name.value.clone(),
            Expr::Interval(interval) => interval.value.to_string(),
            other => other.to_string(),
        })
        .collect();
    match texts.as_slice() {
        [word] if word.eq_ignore_ascii_case("default") || word.eq_ignore_ascii_case("local") => {
            None
        }
        texts => Some(texts.join(", ")),
    }
}

fn show(variable: &[Ident]) -> Result<Local, SqlError> {
    let words: Vec<String> = variable.iter().map(|word| word.value.to_lowercase()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Ok(match words.as_slice() {
        ["all"] => Local::ShowAll,
        ["time", "zone"] => Local::Show("TimeZone".to_owned()),
        ["transaction", "isolation", "level"] => Local::Show("transaction_isolation".to_owned()),
        ["session", "authorization"] => Local::Show("session_authorization".to_owned()),
        words => Local::Show(words.join(".")),
    })
}

fn plain_name(name: &ast::ObjectName) -> Result<String, SqlError> {
    let parts = name.0.iter().map(|part| part.as_ident().map(|ident| ident.value.clone()));
    let parts: Option<Vec<String>> = parts.collect();
    parts.map(|parts| parts.join(".")).ok_or_else(|| SqlError::unsupported(name))
}

fn folded(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

fn refuse(statement: &ast::Statement) -> SqlError {
    let text = statement.to_string();
    let word = text.split_whitespace().next().unwrap_or_default().to_uppercase();
    let writes = ["INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE", "CREATE", "ALTER", "DROP"];
    let grants = ["COMMENT", "GRANT", "REVOKE", "VACUUM", "ANALYZE", "LOCK"];
    if writes.contains(&word.as_str()) || grants.contains(&word.as_str()) {
        SqlError::new("25006", format!("cannot execute {word}: this server only reads"))
    } else {
        SqlError::unsupported(word)
    }
}

fn rows(mut statement: ast::Statement, explain: bool) -> Result<Statement, SqlError> {
    if let ControlFlow::Break(error) = statement.visit(&mut Check { relations: 0 }) {
        return Err(error);
    }
    if let ControlFlow::Break(error) = VisitMut::visit(&mut statement, &mut Rewrite) {
        return Err(error);
    }
    let names = match &mut statement {
        ast::Statement::Query(query) => name_columns(&mut query.body),
        _ => Vec::new(),
    };
    Ok(Statement::Rows(Rows { ast: Box::new(statement), names, explain }))
}

/// Refuses what the planner would ignore or choke on.
struct Check {
    relations: usize,
}

impl Visitor for Check {
    type Break = SqlError;

    fn pre_visit_query(&mut self, query: &ast::Query) -> ControlFlow<SqlError> {
        if !query.locks.is_empty() {
            let text = "cannot execute SELECT FOR UPDATE: this server only reads";
            return ControlFlow::Break(SqlError::new("25006", text));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<SqlError> {
        self.relations += 1;
        if self.relations > RELATIONS_MAX {
            return ControlFlow::Break(too_complex());
        }
        match table {
            TableFactor::Table { sample: Some(_), .. } => {
                ControlFlow::Break(SqlError::unsupported("TABLESAMPLE"))
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

/// Rewrites what DataFusion reads differently from Postgres.
struct Rewrite;

impl VisitorMut for Rewrite {
    type Break = SqlError;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<SqlError> {
        match expr {
            Expr::AtTimeZone { timestamp, time_zone } => {
                let call = format!("timezone({time_zone}, {timestamp})");
                let parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(&call);
                match parser.and_then(|mut parser| parser.parse_expr()) {
                    Ok(call) => *expr = call,
                    Err(error) => return ControlFlow::Break(error.into()),
                }
            }
            Expr::Function(call) if call.name.to_string().eq_ignore_ascii_case("to_timestamp") => {
                if let ast::FunctionArguments::List(list) = &mut call.args
                    && let [_, ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(pattern))] =
                        list.args.as_mut_slice()
                    && let Expr::Value(value) = pattern
                    && let ast::Value::SingleQuotedString(text) = &mut value.value
                    && !text.contains('%')
                {
                    match chrono_pattern(text) {
                        Some(pattern) => *text = pattern,
                        None => {
                            let what = format_args!("the to_timestamp pattern \"{text}\"");
                            return ControlFlow::Break(SqlError::unsupported(what));
                        }
                    }
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Chooses names as Postgres does, and makes equal columns differ for the engine, which wants that.
/// Returns nothing if the columns are not known here, because there is a `*` among them.
fn name_columns(body: &mut SetExpr) -> Vec<Option<String>> {
    let select = match body {
        SetExpr::Select(select) => select,
        SetExpr::Query(query) => return name_columns(&mut query.body),
        SetExpr::SetOperation { left, .. } => return name_columns(left),
        _ => return Vec::new(),
    };
    let (mut names, mut seen) = (Vec::new(), HashSet::new());
    for (index, item) in select.projection.iter_mut().enumerate() {
        let (key, name) = match item {
            SelectItem::UnnamedExpr(expr) => (expr.to_string(), column_name(expr)),
            SelectItem::ExprWithAlias { alias, .. } => (folded(alias), None),
            _ => return Vec::new(),
        };
        if seen.insert(key.clone()) {
            names.push(name);
            continue;
        }
        let (expr, name) = match item {
            SelectItem::ExprWithAlias { expr, .. } => (expr.clone(), key),
            SelectItem::UnnamedExpr(expr) => {
                let last = key.rsplit('.').next().unwrap_or_default().trim_matches('"');
                (expr.clone(), name.unwrap_or_else(|| last.to_owned()))
            }
            _ => unreachable!("other items returned above"),
        };
        let alias = Ident::with_quote('"', format!("{name} {index}"));
        *item = SelectItem::ExprWithAlias { expr, alias };
        names.push(Some(name));
    }
    names
}

/// `None` for a plain column, which has its own name.
fn column_name(expr: &Expr) -> Option<String> {
    let name = match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => return None,
        Expr::Nested(inner) => return column_name(inner),
        Expr::Function(function) => match function.name.0.last().and_then(|part| part.as_ident()) {
            Some(name) => return Some(folded(name)),
            None => "?column?",
        },
        Expr::Cast { expr, data_type, .. } => {
            return match column_name(expr) {
                Some(name) if name == "?column?" => Some(type_name(data_type)),
                name => name,
            };
        }
        Expr::TypedString(typed) => return Some(type_name(&typed.data_type)),
        Expr::Case { .. } => "case",
        Expr::Exists { .. } => "exists",
        Expr::Extract { .. } => "extract",
        Expr::Substring { .. } => "substring",
        Expr::Position { .. } => "position",
        Expr::Trim { .. } => "btrim",
        Expr::Ceil { .. } => "ceil",
        Expr::Floor { .. } => "floor",
        Expr::Overlay { .. } => "overlay",
        Expr::Array(_) => "array",
        Expr::AtTimeZone { .. } => "timezone",
        Expr::Interval(_) => "interval",
        _ => "?column?",
    };
    Some(name.to_owned())
}

fn type_name(data_type: &ast::DataType) -> String {
    let name = data_type.to_string().to_lowercase();
    let plain = name.split('(').next().unwrap_or_default().trim();
    let short = match plain {
        "int" | "integer" => "int4",
        "bigint" => "int8",
        "smallint" => "int2",
        "double precision" | "double" | "float" => "float8",
        "real" => "float4",
        "boolean" => "bool",
        "character varying" => "varchar",
        "timestamp with time zone" => "timestamptz",
        "timestamp without time zone" => "timestamp",
        other => other,
    };
    short.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Result<Vec<Statement>, SqlError> {
        parse(&PostgresCompatibilityParser::new(), text)
    }

    fn refused(text: &str, code: &str) {
        match all(text) {
            Ok(statements) => panic!("accepted {statements:?}"),
            Err(error) => assert_eq!(error.code, code, "{text:.80}: {error}"),
        }
    }

    fn local(text: &str, expected: Local) {
        match all(text).unwrap().as_slice() {
            [Statement::Local(local)] => assert_eq!(*local, expected, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }

    fn names(text: &str, expected: &[&str]) {
        match all(text).unwrap().as_slice() {
            [Statement::Rows(rows)] => {
                let names: Vec<&str> =
                    rows.names.iter().map(|name| name.as_deref().unwrap_or("-")).collect();
                assert_eq!(names, expected, "{text}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn only_reading() {
        refused("insert into logs values (1)", "25006");
        refused("update logs set line = 'x'", "25006");
        refused("delete from logs", "25006");
        refused("drop table logs", "25006");
        refused("create table t (a int)", "25006");
        refused("create view v as select 1", "25006");
        refused("truncate logs", "25006");
        refused("explain delete from logs", "25006");
        refused("select 1; drop table logs", "25006");
        refused("copy (select 1) to '/tmp/x'", "0A000");
        refused("copy logs from '/etc/passwd'", "0A000");
        refused("select * from logs for update", "25006");
        refused("select * from logs tablesample system (1)", "0A000");
        refused("do $$ begin end $$", "42601");
        refused("selec 1", "42601");
        refused("select 'a", "42601");
    }

    #[test]
    fn bounds() {
        let plus = |terms| format!("select 1{}", " + 1".repeat(terms));
        assert!(all(&plus(900)).is_ok());
        refused(&plus(1_100), "54001");
        refused(&format!("select {}1{}", "(".repeat(500), ")".repeat(500)), "54001");
        refused(&format!("select {} true", "not ".repeat(500)), "42601");
        refused(&format!("select 1{}", " union all select 1, 2".repeat(200)), "54001");
        refused(&format!("select 1 from a{}", ", a".repeat(200)), "54001");
        refused(&format!("select 1 in (1{})", ",1".repeat(60_000)), "54001");
        assert!(all(&format!("select 1 in (1{})", ",1".repeat(20_000))).is_ok());
        refused(&format!("select '{}'", "x".repeat(TEXT_BYTES_MAX)), "54000");
        refused(&format!("select 1 {}", "/*".repeat(1_000)), "42601");
    }

    #[test]
    fn locals() {
        let set = |name: &str, value: &str| Local::Set {
            name: name.into(),
            value: Some(value.into()),
            local: false,
        };
        local("set application_name = 'x'", set("application_name", "x"));
        local("set extra_float_digits to 3", set("extra_float_digits", "3"));
        local("set search_path to a, b", set("search_path", "a, b"));
        local("set time zone 'UTC'", set("TimeZone", "UTC"));
        local("set names 'utf8'", set("client_encoding", "utf8"));
        let reset = Local::Set { name: "timezone".into(), value: None, local: false };
        local("reset timezone", reset);
        local("show transaction isolation level", Local::Show("transaction_isolation".into()));
        local("begin", Local::Begin);
        local("start transaction isolation level serializable", Local::Begin);
        local("end", Local::Commit);
        local("abort", Local::Rollback);
        local("rollback to savepoint a", Local::RollbackTo);
        local("discard all", Local::DiscardAll);
        local("deallocate all", Local::Deallocate(None));
        local("deallocate \"A\"", Local::Deallocate(Some("A".into())));
        assert!(all(" ; ;").unwrap().is_empty());
    }

    #[test]
    fn column_names() {
        names("select a, count(*), 1, 1, a::text", &["-", "count", "?column?", "?column?", "-"]);
        names("select 'x'::text, 1::bigint, case when true then 1 end", &["text", "int8", "case"]);
        names("select a as b, c as b, t.a, t.a", &["-", "b", "-", "a"]);
        names("select *, 1", &[]);
    }
}
