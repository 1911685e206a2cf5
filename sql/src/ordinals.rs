//! `ORDER BY 2` where the second column is of a window over groups: `rank() over (order by count(*))`.
//!
//! In goes the tree of a query; out comes one in which such a column has a name. DataFusion puts the
//! expression itself in the place of the number, and then no longer knows that it is computed behind
//! the groups, which what has a name is.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Ident, OrderByKind, Query, SelectItem, SetExpr, Value, Visit, Visitor};

use crate::statement::column_name;

/// Names the columns of windows that a query is ordered by the numbers of. Of the outermost query a
/// client does not see these names, so none of them is another column's.
pub(crate) fn name_windows(query: &mut Query, is_outermost: bool) {
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    let Some(OrderByKind::Expressions(keys)) = query.order_by.as_mut().map(|order| &mut order.kind)
    else {
        return;
    };
    let is_wild = |item: &SelectItem| {
        !matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. })
    };
    if select.projection.iter().any(is_wild) {
        return;
    }
    for key in keys {
        let Some(at) = ordinal(&key.expr) else { continue };
        if let Some(item) = select.projection.get_mut(at)
            && let SelectItem::UnnamedExpr(expr) = item
            && has_window(expr)
            && let Some(name) = column_name(expr)
        {
            let name = if is_outermost { format!("{name} {at}") } else { name };
            let (expr, alias) = (expr.clone(), Ident::with_quote('"', name));
            *item = SelectItem::ExprWithAlias { expr, alias };
        }
    }
}

/// The place of the column that a number names, from 0.
fn ordinal(key: &Expr) -> Option<usize> {
    let Expr::Value(value) = key else { return None };
    let Value::Number(text, _) = &value.value else { return None };
    text.parse::<usize>().ok()?.checked_sub(1)
}

fn has_window(expr: &Expr) -> bool {
    struct Windows;
    impl Visitor for Windows {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Function(call) if call.over.is_some() => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    expr.visit(&mut Windows).is_break()
}
