//! SQL text as statements: what we run, what we answer ourselves, and what we refuse.
//!
//! In go the text of a Query or Parse message; out come statements.
//!
//! - Nothing that defines, changes or deletes, that touches a file of the server, or that
//!   configures the engine becomes a `Statement`.

use std::collections::HashSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    self, AccessExpr, DiscardObject, Expr, Ident, Reset, SelectItem, SetExpr, TableFactor, Visit,
    Visitor,
};

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use crate::command::{Command, command};
use crate::dialect::Dialect;
use crate::error::SqlError;
use crate::explain;
use crate::rewrite::rewrite;
use crate::split::{Piece, RELATIONS_MAX, split, too_complex};

/// A statement we accept.
#[derive(Clone, Debug)]
pub(crate) enum Statement {
    /// Reads rows: SELECT, VALUES, EXPLAIN.
    Rows(Rows),
    /// Is answered by the session.
    Local(Local),
    /// Is carried out by the session.
    Command(Command),
}

/// A statement for the engine.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    pub(crate) ast: Box<ast::Statement>,
    /// Column names as Postgres would choose them, where that is not up to the engine.
    pub(crate) names: Vec<Option<String>>,
    pub(crate) explain: bool,
    /// What it was read from.
    pub(crate) text: String,
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
    Begin {
        read_only: bool,
    },
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
pub(crate) fn parse(dialect: &Dialect, text: &str) -> Result<Vec<Statement>, SqlError> {
    split(text)?.into_iter().map(|piece| parse_piece(dialect, &piece)).collect()
}

/// Parses a text that must be one question.
pub(crate) fn parse_rows(dialect: &Dialect, text: &str) -> Result<Rows, SqlError> {
    match parse(dialect, text)?.pop() {
        Some(Statement::Rows(rows)) => Ok(rows),
        _ => Err(SqlError::new("42601", "a query is expected here")),
    }
}

/// Parses the query of an INSERT. What VALUES has gets the types of the columns.
pub(crate) fn parse_values(
    dialect: &Dialect,
    text: &str,
    types: &[&'static str],
) -> Result<Rows, SqlError> {
    let parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(text);
    let mut query = match parser.and_then(|mut parser| parser.parse_query()) {
        Ok(query) => query,
        Err(_) => return parse_rows(dialect, text),
    };
    let SetExpr::Values(values) = query.body.as_mut() else { return parse_rows(dialect, text) };
    for row in &mut values.rows {
        let (n_values, n_columns) = (row.content.len(), types.len());
        if n_values != n_columns {
            let more = if n_values > n_columns {
                "expressions than target columns"
            } else {
                "target columns than expressions"
            };
            return Err(SqlError::new("42601", format!("INSERT has more {more}")));
        }
        for (expr, kind) in row.content.iter_mut().zip(types) {
            let is_default = matches!(expr, Expr::Identifier(name)
                if name.quote_style.is_none() && name.value.eq_ignore_ascii_case("default"));
            let value = if is_default { "null".to_owned() } else { expr.to_string() };
            let parser = Parser::new(&PostgreSqlDialect {});
            let cast = format!("cast({value} as {kind})");
            *expr = parser.try_with_sql(&cast).and_then(|mut parser| parser.parse_expr())?;
        }
    }
    parse_rows(dialect, &query.to_string())
}

fn parse_piece(dialect: &Dialect, piece: &Piece) -> Result<Statement, SqlError> {
    // The grammar below does not know it.
    if piece.text.eq_ignore_ascii_case("abort") {
        return Ok(Statement::Local(Local::Rollback));
    }
    if let Some(command) = command(piece)? {
        return Ok(match command {
            Command::Nothing(tag) => Statement::Local(Local::Nothing(tag)),
            command => Statement::Command(command),
        });
    }
    // Nor this.
    let words = piece.text.split_once(char::is_whitespace);
    if let Some((word, name)) = words
        && word.eq_ignore_ascii_case("table")
    {
        let text = format!("select * from {name}");
        return accept(dialect.parse(&text, &piece.tokens)?, &text);
    }
    accept(dialect.parse(&piece.text, &piece.tokens)?, &piece.text)
}

fn accept(statement: ast::Statement, text: &str) -> Result<Statement, SqlError> {
    use ast::Statement as S;
    let local = match statement {
        S::Query(_) => return rows(statement, false, text),
        S::Explain { statement: ref inner, .. } => {
            return match inner.as_ref() {
                S::Query(_) => rows(statement, true, text),
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
        S::StartTransaction { statements, modes, .. } if statements.is_empty() => {
            let read_only = ast::TransactionMode::AccessMode(ast::TransactionAccessMode::ReadOnly);
            Local::Begin { read_only: modes.contains(&read_only) }
        }
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
        Set::SetTransaction { snapshot: None, modes, session } => {
            let name = match session {
                true => "default_transaction_read_only",
                false => "transaction_read_only",
            };
            let access = modes.iter().find_map(|mode| match mode {
                ast::TransactionMode::AccessMode(access) => Some(access),
                ast::TransactionMode::IsolationLevel(_) => None,
            });
            match access {
                None => return Ok(Local::Nothing("SET")),
                Some(ast::TransactionAccessMode::ReadOnly) => {
                    (name.to_owned(), Some("on".to_owned()), !session)
                }
                Some(ast::TransactionAccessMode::ReadWrite) => {
                    (name.to_owned(), Some("off".to_owned()), !session)
                }
            }
        }
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

pub(crate) fn folded(name: &Ident) -> String {
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

fn rows(mut statement: ast::Statement, explain: bool, text: &str) -> Result<Statement, SqlError> {
    if let ControlFlow::Break(error) = statement.visit(&mut Check { relations: 0 }) {
        return Err(error);
    }
    let names = match &mut statement {
        ast::Statement::Query(query) => name_columns(&mut query.body),
        _ => Vec::new(),
    };
    explain::rewrite(&mut statement)?;
    rewrite(&mut statement)?;
    Ok(Statement::Rows(Rows { ast: Box::new(statement), names, explain, text: text.to_owned() }))
}

/// Refuses what the planner would ignore or choke on.
struct Check {
    relations: usize,
}

/// A column of USING is that of the left side for the engine, which is null where a row is only on
/// the right one.
fn loses_keys(join: &ast::Join) -> bool {
    use ast::{JoinConstraint, JoinOperator};
    let constraint = match &join.join_operator {
        JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint) => constraint,
        _ => return false,
    };
    matches!(constraint, JoinConstraint::Using(_) | JoinConstraint::Natural)
}

impl Visitor for Check {
    type Break = SqlError;

    fn pre_visit_select(&mut self, select: &ast::Select) -> ControlFlow<SqlError> {
        let mut joins = select.from.iter().flat_map(|from| &from.joins);
        match joins.any(loses_keys) {
            true => {
                let error = SqlError::unsupported("RIGHT or FULL JOIN with USING or NATURAL");
                ControlFlow::Break(error.hint("write ON, and coalesce the columns"))
            }
            false => ControlFlow::Continue(()),
        }
    }

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
            TableFactor::Table { sample: Some(_), .. }
            | TableFactor::Derived { sample: Some(_), .. } => {
                ControlFlow::Break(SqlError::unsupported("TABLESAMPLE"))
            }
            _ => ControlFlow::Continue(()),
        }
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
            SelectItem::UnnamedExpr(expr) => {
                let plain = figured(expr).map(|(name, _)| name);
                (expr.to_string(), column_name(expr).or(plain))
            }
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
pub(crate) fn column_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => None,
        Expr::Nested(inner) => column_name(inner),
        _ => Some(figured(expr).map_or_else(|| "?column?".to_owned(), |figured| figured.0)),
    }
}

/// The name that Postgres figures out for an expression, and whether it is more than the name of
/// its type or form.
fn figured(expr: &Expr) -> Option<(String, bool)> {
    let weak = |name: &str| Some((name.to_owned(), false));
    let strong = |name: &str| Some((name.to_owned(), true));
    match expr {
        Expr::Identifier(name) => Some((folded(name), true)),
        Expr::CompoundIdentifier(names) => names.last().map(|name| (folded(name), true)),
        Expr::Nested(inner) => figured(inner),
        Expr::CompoundFieldAccess { root, access_chain } => match access_chain.last() {
            Some(AccessExpr::Dot(name)) => figured(name),
            _ => figured(root),
        },
        Expr::Function(function) => {
            let name = function.name.0.last().and_then(|part| part.as_ident())?;
            Some((folded(name), true))
        }
        Expr::Cast { expr, data_type, .. } => match figured(expr) {
            Some((name, true)) => Some((name, true)),
            _ => Some((type_name(data_type), false)),
        },
        Expr::TypedString(typed) => Some((type_name(&typed.data_type), false)),
        Expr::Case { else_result, .. } => {
            match else_result.as_ref().and_then(|result| figured(result)) {
                Some((name, true)) => Some((name, true)),
                _ => weak("case"),
            }
        }
        Expr::Subquery(query) => figured_of_query(&query.body),
        Expr::Exists { .. } => strong("exists"),
        Expr::Extract { .. } => strong("extract"),
        Expr::Substring { .. } => strong("substring"),
        Expr::Position { .. } => strong("position"),
        Expr::Trim { .. } => strong("btrim"),
        Expr::Ceil { .. } => strong("ceil"),
        Expr::Floor { .. } => strong("floor"),
        Expr::Overlay { .. } => strong("overlay"),
        Expr::Array(_) => strong("array"),
        Expr::AtTimeZone { .. } => strong("timezone"),
        Expr::Interval(_) => weak("interval"),
        _ => None,
    }
}

/// A subquery is called as its only column.
fn figured_of_query(body: &SetExpr) -> Option<(String, bool)> {
    match body {
        SetExpr::Select(select) => match select.projection.as_slice() {
            [SelectItem::ExprWithAlias { alias, .. }] => Some((folded(alias), true)),
            [SelectItem::UnnamedExpr(expr)] => figured(expr),
            _ => None,
        },
        SetExpr::Query(query) => figured_of_query(&query.body),
        _ => None,
    }
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
        other => other.rsplit('.').next().unwrap_or(other),
    };
    short.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Result<Vec<Statement>, SqlError> {
        parse(&Dialect::new(), text)
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
        refused("select * from a full join b using (x)", "0A000");
        refused("select * from a natural right join b", "0A000");
        refused("do $$ begin end $$", "42601");
        refused("selec 1", "42601");
        refused("select 'a", "42601");
    }

    #[test]
    fn bounds() {
        // As large a stack as statements are read on; a test's own has 2 MiB.
        let reads = std::thread::Builder::new().stack_size(crate::engine::STACK_BYTES);
        reads.spawn(read_at_the_bounds).unwrap().join().unwrap();
    }

    fn read_at_the_bounds() {
        let plus = |terms| format!("select 1{}", " + 1".repeat(terms));
        assert!(all(&plus(900)).is_ok());
        refused(&plus(1_100), "54001");
        refused(&format!("select {}1{}", "(".repeat(500), ")".repeat(500)), "54001");
        refused(&format!("select {} true", "not ".repeat(500)), "42601");
        refused(&format!("select 1{}", " union all select 1, 2".repeat(200)), "54001");
        refused(&format!("select 1 from a{}", ", a".repeat(200)), "54001");
        refused(&format!("select 1 in (1{})", ",1".repeat(60_000)), "54001");
        assert!(all(&format!("select 1 in (1{})", ",1".repeat(20_000))).is_ok());
        let long = "x".repeat(crate::split::TEXT_BYTES_MAX);
        refused(&format!("select '{long}'"), "54000");
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
        local("begin", Local::Begin { read_only: false });
        local("start transaction isolation level serializable", Local::Begin { read_only: false });
        local("begin read only", Local::Begin { read_only: true });
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
        names("select a, count(*), 1, 1, a::text", &["a", "count", "?column?", "?column?", "a"]);
        names("select 'x'::text, 1::bigint, case when true then 1 end", &["text", "int8", "case"]);
        names("select a as b, c as b, t.A, t.a", &["-", "b", "a", "a"]);
        names("select case when a then 1 else b end, (select max(c) from t)", &["b", "max"]);
        names("select 'x'::regclass::oid, a, 1", &["oid", "a", "?column?"]);
        names("select *, 1", &[]);
    }
}
