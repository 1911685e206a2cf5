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

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        value_as_table(factor);
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

/// Functions with one value that tools put where a table stands.
const VALUES: &[&str] =
    &["current_schemas", "parse_ident", "regexp_split_to_array", "string_to_array"];

/// `from string_to_array(a, ',') s` is a table with one row and a column `s`.
fn value_as_table(factor: &mut TableFactor) {
    let TableFactor::Table { name, alias: Some(alias), args: Some(args), .. } = &*factor else {
        return;
    };
    let called = name.0.last().map(ToString::to_string).unwrap_or_default().to_lowercase();
    if !VALUES.contains(&called.as_str()) || !alias.columns.is_empty() {
        return;
    }
    let arguments = args.args.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let text = format!("(select {called}({arguments}) as {})", alias.name);
    if let Ok(Expr::Subquery(subquery)) = parsed(&text) {
        let alias = Some(alias.clone());
        *factor = TableFactor::Derived { lateral: false, subquery, alias, sample: None };
    }
}

/// Gives what has no alias in a nested SELECT the name that others call it by.
pub(crate) fn name_columns(body: &mut SetExpr) {
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

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<SqlError> {
        for item in &mut select.projection {
            let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item
            else {
                continue;
            };
            if let ControlFlow::Break(error) = VisitMut::visit(expr, &mut Memberships { depth: 0 })
            {
                return ControlFlow::Break(error);
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<SqlError> {
        match rewrite_expr(expr) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

/// `x IN (SELECT ...)` among the columns of a SELECT, where the planner has no join to make of it.
struct Memberships {
    depth: usize,
}

impl VisitorMut for Memberships {
    type Break = SqlError;

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<SqlError> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<SqlError> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<SqlError> {
        if self.depth > 0 {
            return ControlFlow::Continue(());
        }
        if let Expr::InSubquery { expr: item, subquery, negated } = expr {
            let not = if *negated { "not " } else { "" };
            match parsed(&format!("({not}array_has(array({subquery}), {item}))")) {
                Ok(rewritten) => *expr = rewritten,
                Err(error) => return ControlFlow::Break(error),
            }
        }
        ControlFlow::Continue(())
    }
}

fn rewrite_expr(expr: &mut Expr) -> Result<(), SqlError> {
    match expr {
        Expr::Subquery(query) => match one_differing(query) {
            Some(value) => *expr = value,
            None => one_value(query),
        },
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
        // A word of the language to Postgres; elsewhere it may be a label.
        Expr::Identifier(name)
            if name.quote_style.is_none() && name.value.eq_ignore_ascii_case("user") =>
        {
            *expr = parsed("current_user")?;
        }
        _ => {}
    }
    Ok(())
}

/// The aggregate that is its only value, or null.
pub(crate) const SINGLE_VALUE: &str = "single_value";
/// The function that is the only value whose key differs from another.
pub(crate) const SINGLE_DIFFERING: &str = "single_differing";

fn only_item(select: &mut Select) -> Option<&mut Expr> {
    match select.projection.as_mut_slice() {
        [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] => Some(expr),
        _ => None,
    }
}

/// The tables that a SELECT names, as its columns call them.
fn called(select: &Select) -> Vec<String> {
    let joins = select.from.iter().flat_map(|table| {
        std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation))
    });
    let names = joins.filter_map(|factor| match factor {
        TableFactor::Table { alias: Some(alias), .. }
        | TableFactor::Derived { alias: Some(alias), .. } => Some(alias.name.value.to_lowercase()),
        TableFactor::Table { name, .. } => {
            name.0.last().and_then(|part| part.as_ident()).map(|name| name.value.to_lowercase())
        }
        _ => None,
    });
    names.collect()
}

/// Takes `outer.x <> inner.y` out of the conditions of a subquery: they are decorrelated only where
/// they are equalities. Returns the two sides.
fn take_difference(select: &mut Select) -> Option<(Expr, Expr)> {
    fn conjuncts(expr: Expr, out: &mut Vec<Expr>) {
        match expr {
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                conjuncts(*left, out);
                conjuncts(*right, out);
            }
            other => out.push(other),
        }
    }
    let own = called(select);
    let is_outer = |expr: &Expr| match expr {
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [table, _] => Some(!own.contains(&table.value.to_lowercase())),
            _ => None,
        },
        _ => None,
    };
    let mut all = Vec::new();
    conjuncts(select.selection.clone()?, &mut all);
    let at = all.iter().position(|expr| {
        matches!(expr, Expr::BinaryOp { left, op: BinaryOperator::NotEq, right }
            if is_outer(left).zip(is_outer(right)).is_some_and(|(left, right)| left != right))
    })?;
    let Expr::BinaryOp { left, right, .. } = all.remove(at) else { return None };
    let and = |left: Expr, right: Expr| Expr::BinaryOp {
        left: Box::new(left),
        op: BinaryOperator::And,
        right: Box::new(right),
    };
    select.selection = all.into_iter().reduce(and);
    Some(if is_outer(&left)? { (*left, *right) } else { (*right, *left) })
}

/// A subquery with a condition `outer.x <> inner.y`: its values with their `y`, of which the one is
/// taken that differs.
fn one_differing(query: &Query) -> Option<Expr> {
    let mut query = query.clone();
    if query.with.is_some() || query.limit_clause.is_some() || query.order_by.is_some() {
        return None;
    }
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    if select.distinct.is_some() || aggregates(select) {
        return None;
    }
    let (outer, inner) = take_difference(select)?;
    let item = only_item(select)?;
    *item = parsed(&format!("array_agg(named_struct('value', {item}, 'key', {inner}))")).ok()?;
    parsed(&format!("{SINGLE_DIFFERING}(({query}), {outer})")).ok()
}

/// Puts a common table expression that is all a query reads where it is read.
fn inline_cte(query: &mut Query) {
    let Some(with) = &query.with else { return };
    let [cte] = with.cte_tables.as_slice() else { return };
    if !cte.alias.columns.is_empty() {
        return;
    }
    let (name, inner) = (cte.alias.name.clone(), cte.query.clone());
    // A recursive one names itself.
    if inner.to_string().to_lowercase().contains(&name.value.to_lowercase()) {
        return;
    }
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    let [table] = select.from.as_mut_slice() else { return };
    let TableFactor::Table { name: read, alias, args: None, .. } = &table.relation else { return };
    if !table.joins.is_empty() || !read.to_string().eq_ignore_ascii_case(&name.value) {
        return;
    }
    let alias = alias.clone().or(Some(ast::TableAlias {
        explicit: true,
        name,
        columns: Vec::new(),
        at: None,
    }));
    table.relation = TableFactor::Derived { lateral: false, subquery: inner, alias, sample: None };
    query.with = None;
}

/// Makes an aggregate of a subquery that has one column and reads something.
fn one_value(query: &mut Query) {
    inline_cte(query);
    if let SetExpr::Select(select) = query.body.as_ref()
        && matches!(&select.group_by, ast::GroupByExpr::Expressions(by, _) if by.is_empty())
        && aggregates(select)
        && let Some(LimitClause::LimitOffset { limit: Some(limit), offset: None, .. }) =
            &query.limit_clause
        && limit.to_string() == "1"
    {
        // It has one row anyway.
        query.limit_clause = None;
        query.order_by = None;
    }
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
    inline_cte(&mut query);
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
