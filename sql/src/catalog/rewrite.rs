//! Questions about the catalog, in the words of the planner.
//!
//! In goes the tree of a statement that names the catalog; out comes one that means the same:
//!
//! - `pg_class` without its schema is `pg_catalog.pg_class`;
//! - a subquery that is a value is aggregated, so that it may name columns from around it; more
//!   than one row are still an error;
//! - `ARRAY(SELECT ...)` is an aggregate, `x = ANY (SELECT ...)` is `x IN (...)`;
//! - columns of nested SELECTs have the names that Postgres gives them;
//! - `xmin` and `tableoid`, which every table of Postgres has, are constants.

use std::ops::ControlFlow;

use sqlparser::ast::{
    self, BinaryOperator, Expr, Function, FunctionArguments, Ident, LimitClause, ObjectName,
    ObjectNamePart, OrderByExpr, OrderByKind, Query, Select, SelectItem, SetExpr, Statement,
    TableFactor, Value, VisitMut, VisitorMut,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use super::prune::{aggregates, is_array, prune};
use super::shapes;
use crate::error::SqlError;
use crate::statement::column_name;

/// Rewrites a statement in place.
pub(crate) fn rewrite(statement: &mut Statement) -> Result<(), SqlError> {
    let _ = VisitMut::visit(statement, &mut Names { ctes: Vec::new(), depth: 0 });
    prune(statement);
    match VisitMut::visit(statement, &mut Subqueries) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

/// Qualifies tables, names columns.
struct Names {
    ctes: Vec<String>,
    depth: usize,
}

impl VisitorMut for Names {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let ctes = query.with.iter().flat_map(|with| &with.cte_tables);
        self.ctes.extend(ctes.map(|cte| cte.alias.name.value.to_lowercase()));
        if self.depth > 0 {
            name_columns(&mut query.body);
        }
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        system_columns(select);
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, name: &mut ObjectName) -> ControlFlow<()> {
        if let [ObjectNamePart::Identifier(table)] = name.0.as_slice() {
            let lower = table.value.to_lowercase();
            if shapes::find("pg_catalog", &lower).is_some() && !self.ctes.contains(&lower) {
                name.0.insert(0, ObjectNamePart::Identifier(Ident::new("pg_catalog")));
            }
        }
        ControlFlow::Continue(())
    }
}

/// Gives what has no alias in a nested SELECT the name that others call it by.
fn name_columns(body: &mut SetExpr) {
    let SetExpr::Select(select) = body else { return };
    let mut taken: Vec<String> = Vec::new();
    for item in &mut select.projection {
        let SelectItem::UnnamedExpr(expr) = item else { continue };
        let Some(name) = column_name(expr).filter(|name| name != "?column?") else { continue };
        if taken.contains(&name) {
            continue;
        }
        taken.push(name.clone());
        let alias = Ident::with_quote('"', name);
        *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
    }
}

/// `xmin` and `tableoid` of the catalog's relations.
fn system_columns(select: &mut Select) {
    let mut tables: Vec<(String, i32)> = Vec::new();
    let joins = select.from.iter().flat_map(|table| {
        std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation))
    });
    for factor in joins {
        let TableFactor::Table { name, alias, args: None, .. } = factor else { continue };
        let Some(last) = name.0.last().and_then(|part| part.as_ident()) else { continue };
        let Some(shape) = shapes::find("pg_catalog", &last.value.to_lowercase()) else { continue };
        let called = alias.as_ref().map_or(&last.value, |alias| &alias.name.value);
        tables.push((called.to_lowercase(), shape.oid));
    }
    if tables.is_empty() {
        return;
    }
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr) = item
            && let Some((value, name)) = system_column(expr, &tables)
        {
            let alias = Ident::new(name);
            *item = SelectItem::ExprWithAlias { expr: value, alias };
        }
    }
    struct Replace<'a>(&'a [(String, i32)]);
    impl VisitorMut for Replace<'_> {
        type Break = ();
        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if let Some((value, _)) = system_column(expr, self.0) {
                *expr = value;
            }
            ControlFlow::Continue(())
        }
    }
    let _ = VisitMut::visit(select, &mut Replace(&tables));
}

fn system_column(expr: &Expr, tables: &[(String, i32)]) -> Option<(Expr, &'static str)> {
    let (table, column) = match expr {
        Expr::Identifier(column) if tables.len() == 1 => (tables.first(), column),
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [table, column] => {
                let table = table.value.to_lowercase();
                (tables.iter().find(|(called, _)| *called == table), column)
            }
            _ => return None,
        },
        _ => return None,
    };
    let (_, oid) = table?;
    let number = |value: String| Expr::Value(Value::Number(value, false).into());
    match column.value.to_lowercase().as_str() {
        // No transaction wrote them.
        "xmin" => Some((number("1".to_owned()), "xmin")),
        "tableoid" => Some((number(oid.to_string()), "tableoid")),
        _ => None,
    }
}

struct Subqueries;

impl VisitorMut for Subqueries {
    type Break = SqlError;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<SqlError> {
        match rewrite_expr(expr) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

fn rewrite_expr(expr: &mut Expr) -> Result<(), SqlError> {
    match expr {
        Expr::Subquery(query) => one_value(query),
        Expr::Function(call) => {
            let name = call.name.to_string().to_lowercase();
            if let FunctionArguments::Subquery(query) = &call.args
                && is_array(&call.name)
            {
                *expr = array_of(query.as_ref().clone())?;
            } else if matches!(name.as_str(), "col_description" | "pg_catalog.col_description")
                && let FunctionArguments::List(list) = &call.args
                && let [object, column] = list.args.as_slice()
            {
                let mut value = parsed(&format!(
                    "(select d.description from pg_catalog.pg_description d where d.objoid = \
                     {object} and d.classoid = 1259 and d.objsubid = {column})"
                ))?;
                if let Expr::Subquery(query) = &mut value {
                    one_value(query);
                }
                *expr = value;
            }
        }
        Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => {
            if let Expr::Subquery(query) = right.as_mut() {
                let (expr_, subquery) = (left.clone(), plain_again(query));
                *expr = Expr::InSubquery { expr: expr_, subquery, negated: false };
            }
        }
        Expr::AllOp { left, compare_op: BinaryOperator::NotEq, right } => {
            if let Expr::Subquery(query) = right.as_mut() {
                let (expr_, subquery) = (left.clone(), plain_again(query));
                *expr = Expr::InSubquery { expr: expr_, subquery, negated: true };
            }
        }
        _ => {}
    }
    Ok(())
}

/// Undoes `one_value`, for a subquery that turned out to be a list.
fn plain_again(query: &Query) -> Box<Query> {
    let mut query = query.clone();
    if let SetExpr::Select(select) = query.body.as_mut()
        && let Some(item) = only_item(select)
        && let Expr::Function(call) = item
        && call.name.to_string() == SINGLE_VALUE
        && let FunctionArguments::List(list) = &call.args
        && let [ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(inner))] = list.args.as_slice()
    {
        *item = inner.clone();
    }
    Box::new(query)
}

/// The aggregate that is its only value, or null.
pub(crate) const SINGLE_VALUE: &str = "single_value";

fn only_item(select: &mut Select) -> Option<&mut Expr> {
    match select.projection.as_mut_slice() {
        [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] => Some(expr),
        _ => None,
    }
}

/// Makes an aggregate of a subquery that has one column and reads something.
fn one_value(query: &mut Query) {
    let limit = match &query.limit_clause {
        None => None,
        Some(LimitClause::LimitOffset { limit: Some(limit), offset: None, limit_by })
            if limit_by.is_empty() && limit.to_string() == "1" =>
        {
            Some(())
        }
        Some(_) => return,
    };
    if query.with.is_some() || query.fetch.is_some() {
        return;
    }
    let order = match query.order_by.as_ref().map(|order| &order.kind) {
        None => Vec::new(),
        Some(OrderByKind::Expressions(by)) => by.clone(),
        Some(OrderByKind::All(_)) => return,
    };
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    let grouped = match &select.group_by {
        ast::GroupByExpr::Expressions(by, _) => !by.is_empty(),
        ast::GroupByExpr::All(_) => true,
    };
    if grouped || select.distinct.is_some() || select.from.is_empty() || aggregates(select) {
        return;
    }
    let Some(item) = only_item(select) else { return };
    let text = match limit {
        None => format!("{SINGLE_VALUE}({item})"),
        Some(()) if order.is_empty() => format!("first_value({item})"),
        Some(()) => format!("first_value({item} order by {})", ordering(&order, item)),
    };
    let Ok(aggregate) = parsed(&text) else { return };
    *item = aggregate;
    query.order_by = None;
    query.limit_clause = None;
}

/// What rows are ordered by; a number is the only column.
fn ordering(order: &[OrderByExpr], item: &Expr) -> String {
    let texts = order.iter().map(|by| match &by.expr {
        Expr::Value(_) => format!("{item}{}", by.options),
        _ => by.to_string(),
    });
    texts.collect::<Vec<_>>().join(", ")
}

/// `ARRAY(SELECT x ...)`, which is empty where nothing is found.
fn array_of(mut query: Query) -> Result<Expr, SqlError> {
    let order = match query.order_by.take().map(|order| order.kind) {
        None => Vec::new(),
        Some(OrderByKind::Expressions(by)) => by,
        Some(OrderByKind::All(_)) => return Err(SqlError::unsupported("ORDER BY ALL")),
    };
    let simple = query.limit_clause.is_none()
        && query.with.is_none()
        && matches!(query.body.as_ref(), SetExpr::Select(select)
            if select.distinct.is_none()
                && !select.from.is_empty()
                && !aggregates(select)
                && matches!(&select.group_by,
                    ast::GroupByExpr::Expressions(by, _) if by.is_empty()));
    if simple
        && let SetExpr::Select(select) = query.body.as_mut()
        && let Some(item) = only_item(select)
    {
        let order = match order.as_slice() {
            [] => String::new(),
            order => format!(" order by {}", ordering(order, item)),
        };
        *item = parsed(&format!("array_agg({item}{order})"))?;
        return parsed(&format!("array_or_empty(({query}))"));
    }
    let order = match order.as_slice() {
        [] => String::new(),
        order => {
            let texts = order.iter().map(ToString::to_string).collect::<Vec<_>>();
            format!(" order by {}", texts.join(", "))
        }
    };
    parsed(&format!(
        "array_or_empty((select array_agg(item) from ({query}{order}) as items(item)))"
    ))
}

fn parsed(text: &str) -> Result<Expr, SqlError> {
    let parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(text);
    Ok(parser.and_then(|mut parser| parser.parse_expr())?)
}

/// A call of a function with one argument.
pub(crate) fn call(name: &str, argument: Expr) -> Expr {
    let argument = ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(argument));
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(ast::FunctionArgumentList {
            duplicate_treatment: None,
            args: vec![argument],
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
