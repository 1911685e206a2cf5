//! Functions that return many rows, in a select list: `regexp_matches(line, '...')`.
//!
//! In goes the tree of a statement; out comes one in which such a function, which returns a list here,
//! is taken apart, wherever it stands in an expression: `(regexp_matches(line, '...'))[1]`. DataFusion
//! sorts rows only by what is in the select list of these: what else a query is ordered by is selected
//! below it, under a name of its own.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Distinct, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Ident,
    JoinConstraint, JoinOperator, ObjectName, OrderByExpr, OrderByKind, Query, Select, SelectItem,
    SetExpr, Value, Visit, VisitMut, Visitor, VisitorMut,
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

/// The name of a function that is called, in lower case.
fn called(expr: &Expr) -> Option<String> {
    let Expr::Function(call) = expr else { return None };
    Some(call.name.0.last().map(ToString::to_string).unwrap_or_default().to_lowercase())
}

/// The name of the function, if the expression is a call of one of these.
fn set_returning(expr: &Expr) -> Option<String> {
    called(expr).filter(|name| SET_RETURNING.contains(&name.as_str()))
}

/// Whether it returns many rows, here or somewhere in it.
pub(crate) fn is_set(expr: &Expr) -> bool {
    struct Sets {
        depth: usize,
    }
    impl Visitor for Sets {
        type Break = ();

        fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            self.depth += 1;
            ControlFlow::Continue(())
        }

        fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            self.depth -= 1;
            ControlFlow::Continue(())
        }

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match self.depth == 0 && (is_unnest(expr) || set_returning(expr).is_some()) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        }
    }
    expr.visit(&mut Sets { depth: 0 }).is_break()
}

fn is_unnest(expr: &Expr) -> bool {
    called(expr).is_some_and(|name| name == "unnest")
}

/// Takes the lists of a select list apart.
pub(crate) fn unnest(select: &mut Select) -> Result<(), SqlError> {
    refuse_elsewhere(select)?;
    for item in &mut select.projection {
        match item {
            SelectItem::UnnamedExpr(expr) => {
                let name = set_returning(expr);
                apart(expr)?;
                if let Some(name) = name {
                    let (expr, alias) = (expr.clone(), Ident::new(name));
                    *item = SelectItem::ExprWithAlias { expr, alias };
                }
            }
            SelectItem::ExprWithAlias { expr, .. } => apart(expr)?,
            _ => {}
        }
    }
    if let GroupByExpr::Expressions(keys, _) = &mut select.group_by {
        keys.iter_mut().try_for_each(apart)?;
    }
    if let Some(Distinct::On(keys)) = &mut select.distinct {
        keys.iter_mut().try_for_each(apart)?;
    }
    Ok(())
}

/// There is nothing in VALUES, either, that could become many rows.
pub(crate) fn refuse_values(query: &Query) -> Result<(), SqlError> {
    let SetExpr::Values(values) = query.body.as_ref() else { return Ok(()) };
    let sets = values.rows.iter().flat_map(|row| &row.content).any(is_set);
    if sets { Err(not_allowed("VALUES")) } else { Ok(()) }
}

/// Where rows are chosen or joined there is nothing that could become many of them.
fn refuse_elsewhere(select: &Select) -> Result<(), SqlError> {
    let joins = select.from.iter().flat_map(|from| &from.joins);
    let conditions = joins.filter_map(|join| match &join.join_operator {
        JoinOperator::Join(JoinConstraint::On(condition))
        | JoinOperator::Inner(JoinConstraint::On(condition))
        | JoinOperator::Left(JoinConstraint::On(condition))
        | JoinOperator::LeftOuter(JoinConstraint::On(condition))
        | JoinOperator::Right(JoinConstraint::On(condition))
        | JoinOperator::RightOuter(JoinConstraint::On(condition))
        | JoinOperator::FullOuter(JoinConstraint::On(condition)) => Some(condition),
        _ => None,
    });
    let places = [("WHERE", &select.selection), ("HAVING", &select.having)];
    let places = places.into_iter().filter_map(|(place, expr)| Some((place, expr.as_ref()?)));
    let mut places = places.chain(conditions.map(|condition| ("JOIN conditions", condition)));
    places.find(|(_, expr)| is_set(expr)).map_or(Ok(()), |(place, _)| Err(not_allowed(place)))
}

fn not_allowed(place: &str) -> SqlError {
    SqlError::new("0A000", format!("set-returning functions are not allowed in {place}"))
}

/// Takes the lists of an expression apart: each function becomes `unnest` of the list it returns here.
fn apart(expr: &mut Expr) -> Result<(), SqlError> {
    match VisitMut::visit(expr, &mut Apart::default()) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

#[derive(Default)]
struct Apart {
    /// How many queries the expression is in, from the one that is taken apart.
    depth: usize,
    /// How many calls of `unnest` it is in.
    unnested: usize,
    /// What it is in that chooses among its parts, which leaves none to be many rows.
    choices: Vec<&'static str>,
    /// What the expression that was visited last says of the next one.
    next: Next,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Next {
    #[default]
    Any,
    /// It is what is unnested.
    Unnested,
    /// It is the list that a function became.
    List,
}

fn choice(expr: &Expr) -> Option<&'static str> {
    match expr {
        Expr::Case { .. } => Some("CASE"),
        other if called(other).is_some_and(|name| name == "coalesce") => Some("COALESCE"),
        _ => None,
    }
}

impl VisitorMut for Apart {
    type Break = SqlError;

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<SqlError> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<SqlError> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<SqlError> {
        let this = std::mem::take(&mut self.next);
        if self.depth > 0 || this == Next::List {
            return ControlFlow::Continue(());
        }
        let name = set_returning(expr);
        if let (Some(place), true) = (self.choices.last(), name.is_some() || is_unnest(expr)) {
            return ControlFlow::Break(not_allowed(place));
        }
        self.choices.extend(choice(expr));
        match name {
            // What is made of functions in FROM looks like this.
            Some(name) if this == Next::Unnested && listed(&name).is_none_or(|own| own == name) => {
            }
            _ if self.unnested > 0
                && this != Next::Unnested
                && (name.is_some() || is_unnest(expr)) =>
            {
                let text = "a set-returning function of what another one returns";
                return ControlFlow::Break(SqlError::unsupported(text));
            }
            Some(name) => {
                if let Err(error) = as_list(expr, &name) {
                    return ControlFlow::Break(error);
                }
                (self.unnested, self.next) = (self.unnested + 1, Next::List);
            }
            None if is_unnest(expr) => {
                (self.unnested, self.next) = (self.unnested + 1, Next::Unnested);
            }
            None => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<SqlError> {
        if self.depth == 0 {
            self.unnested -= usize::from(is_unnest(expr));
            if choice(expr).is_some() {
                self.choices.pop();
            }
        }
        ControlFlow::Continue(())
    }
}

/// `f(x)` as `unnest(list_of_f(x))`.
fn as_list(expr: &mut Expr, name: &str) -> Result<(), SqlError> {
    if name == "generate_series" {
        series(expr)?;
    }
    if let (Expr::Function(call), Some(known)) = (&mut *expr, listed(name)) {
        call.name = ObjectName::from(vec![Ident::new(known)]);
    }
    *expr = parsed(&format!("unnest({expr})"))?;
    Ok(())
}

/// `generate_series('2026-01-01'::date, '2026-01-03', '1 day')`: texts beside a time are a time and a span.
fn series(expr: &mut Expr) -> Result<(), SqlError> {
    let Expr::Function(Function { args: FunctionArguments::List(list), .. }) = expr else {
        return Ok(());
    };
    let [
        FunctionArg::Unnamed(FunctionArgExpr::Expr(start)),
        FunctionArg::Unnamed(FunctionArgExpr::Expr(end)),
        FunctionArg::Unnamed(FunctionArgExpr::Expr(step)),
    ] = list.args.as_mut_slice()
    else {
        return Ok(());
    };
    let is_text = |expr: &Expr| {
        matches!(expr, Expr::Value(value)
        if matches!(value.value, Value::SingleQuotedString(_)))
    };
    if is_text(step) {
        *step = parsed(&format!("interval {step}"))?;
    }
    let kind = |expr: &Expr| match expr {
        Expr::Cast { data_type, .. } => Some(data_type.clone()),
        Expr::TypedString(typed) => Some(typed.data_type.clone()),
        _ => None,
    };
    let (first, last) = (kind(start), kind(end));
    if let (Some(kind), true) = (first, is_text(end)) {
        *end = parsed(&format!("cast({end} as {kind})"))?;
    }
    if let (Some(kind), true) = (last, is_text(start)) {
        *start = parsed(&format!("cast({start} as {kind})"))?;
    }
    Ok(())
}

/// Lets a query with such a function be ordered by what is not in its select list.
pub(crate) fn order(query: &mut Query) -> Result<(), SqlError> {
    let SetExpr::Select(select) = query.body.as_ref() else { return Ok(()) };
    let Some(items) = named_items(select) else { return Ok(()) };
    let Some(OrderByKind::Expressions(keys)) = query.order_by.as_ref().map(|order| &order.kind)
    else {
        return Ok(());
    };
    let mut keys = keys.clone();
    let by_sets = keys.iter().any(|key| is_set(&key.expr));
    let wrapped =
        select.distinct.is_none() && (by_sets || items.iter().any(|(expr, _)| is_set(expr)));
    let below_name = |at: usize| Ident::new(format!("__below_{at}"));
    let mut below: Vec<Expr> = items.iter().map(|(expr, _)| expr.clone()).collect();
    for key in keys.iter_mut().filter(|key| !matches!(key.expr, Expr::Value(_))) {
        let at = place(key, &items).unwrap_or(below.len());
        let own = std::mem::replace(&mut key.expr, Expr::Identifier(below_name(at)));
        if at == below.len() {
            below.push(own);
        }
    }
    if !wrapped || (below.len() == items.len() && !by_sets) {
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

/// Which item a key names, or is.
fn place(key: &OrderByExpr, items: &[(Expr, String)]) -> Option<usize> {
    let Expr::Identifier(name) = &key.expr else {
        return items.iter().position(|(item, _)| *item == key.expr);
    };
    items.iter().position(|(_, item)| *item == folded(name))
}
