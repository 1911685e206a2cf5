//! Functions that return many rows, in a select list: `regexp_matches(line, '...')`.
//!
//! In goes the tree of a statement; out comes one in which such a function, which returns a list here,
//! is taken apart. DataFusion sorts rows only by what is in the select list of these: what else a query
//! is ordered by is selected below it, under a name of its own.

use sqlparser::ast::{
    Expr, Ident, ObjectName, OrderByExpr, OrderByKind, Query, Select, SelectItem, SetExpr,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use crate::error::SqlError;
use crate::from_functions::listed;
use crate::rewrite::parsed;
use crate::statement::{column_name, folded};

const SET_RETURNING: &[&str] = &[
    "generate_series",
    "generate_subscripts",
    "json_array_elements",
    "json_array_elements_text",
    "jsonb_array_elements",
    "jsonb_array_elements_text",
    "json_object_keys",
    "jsonb_object_keys",
    "regexp_matches",
    "regexp_split_to_table",
    "string_to_table",
];

/// The name of the function, if the expression is a call of one of these.
fn set_returning(expr: &Expr) -> Option<String> {
    let Expr::Function(call) = expr else { return None };
    let name = call.name.0.last().map(ToString::to_string).unwrap_or_default().to_lowercase();
    SET_RETURNING.contains(&name.as_str()).then_some(name)
}

/// Takes the lists of a select list apart.
pub(crate) fn unnest(select: &mut Select) -> Result<(), SqlError> {
    for item in &mut select.projection {
        let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = &*item
        else {
            continue;
        };
        let Some(name) = set_returning(expr) else { continue };
        let mut list = expr.clone();
        if let (Expr::Function(call), Some(known)) = (&mut list, listed(&name)) {
            call.name = ObjectName::from(vec![Ident::new(known)]);
        }
        let expr = parsed(&format!("unnest({list})"))?;
        let alias = match item {
            SelectItem::ExprWithAlias { alias, .. } => alias.clone(),
            _ => Ident::new(name),
        };
        *item = SelectItem::ExprWithAlias { expr, alias };
    }
    Ok(())
}

/// Lets a query with such a function be ordered by what is not in its select list.
pub(crate) fn order(query: &mut Query) -> Result<(), SqlError> {
    let SetExpr::Select(select) = query.body.as_ref() else { return Ok(()) };
    let Some(items) = named_items(select) else { return Ok(()) };
    let wrapped = select.distinct.is_none() && items.iter().any(|(expr, _)| is_set(expr));
    let Some(OrderByKind::Expressions(keys)) = query.order_by.as_ref().map(|order| &order.kind)
    else {
        return Ok(());
    };
    let mut keys = keys.clone();
    let below_name = |at: usize| Ident::new(format!("__below_{at}"));
    let mut below: Vec<Expr> = items.iter().map(|(expr, _)| expr.clone()).collect();
    for key in keys.iter_mut().filter(|key| !matches!(key.expr, Expr::Value(_))) {
        let at = place(key, &items).unwrap_or(below.len());
        let own = std::mem::replace(&mut key.expr, Expr::Identifier(below_name(at)));
        if at == below.len() {
            below.push(own);
        }
    }
    if !wrapped || below.len() == items.len() {
        return Ok(());
    }
    let shown = items.iter().enumerate().map(|(at, (_, name))| {
        format!("{} AS {}", below_name(at), Ident::with_quote('"', name.as_str()))
    });
    let shown: Vec<String> = shown.collect();
    let mut inner = Query { with: None, order_by: None, limit_clause: None, ..query.clone() };
    inner.fetch = None;
    let SetExpr::Select(select) = inner.body.as_mut() else { return Ok(()) };
    let below = below.into_iter().enumerate();
    let below = below.map(|(at, expr)| SelectItem::ExprWithAlias { expr, alias: below_name(at) });
    select.projection = below.collect();
    let text = format!("SELECT {} FROM ({inner}) AS __rows", shown.join(", "));
    let parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(&text);
    let outer = parser.and_then(|mut parser| parser.parse_query())?;
    query.body = outer.body;
    if let Some(order) = &mut query.order_by {
        order.kind = OrderByKind::Expressions(keys);
    }
    Ok(())
}

fn is_set(expr: &Expr) -> bool {
    set_returning(expr).is_some()
}

/// What is selected, and the name that a client sees; nothing where that is not said.
fn named_items(select: &Select) -> Option<Vec<(Expr, String)>> {
    let item = |item: &SelectItem| match item {
        SelectItem::ExprWithAlias { expr, alias } => Some((expr.clone(), folded(alias))),
        SelectItem::UnnamedExpr(expr) => {
            let name = match expr {
                Expr::Identifier(name) => folded(name),
                Expr::CompoundIdentifier(names) => folded(names.last()?),
                other => column_name(other)?,
            };
            Some((expr.clone(), name))
        }
        _ => None,
    };
    select.projection.iter().map(item).collect()
}

/// Which item a key names.
fn place(key: &OrderByExpr, items: &[(Expr, String)]) -> Option<usize> {
    let Expr::Identifier(name) = &key.expr else { return None };
    items.iter().position(|(_, item)| *item == folded(name))
}
