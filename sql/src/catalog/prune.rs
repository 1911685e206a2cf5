//! What cannot have rows is not planned: joins with relations that are empty here.
//!
//! In goes the tree of a statement about the catalog; out comes one in which a SELECT that joins
//! indexes, constraints, triggers or the like says `where false` and has nothing in it that the
//! planner might not know, a subquery over such a SELECT is its null, false or empty array. Which
//! relations have no rows is known beforehand, so the answer is the same; and it is why most of
//! what tools ask about keys and indexes can be answered at all.

use std::ops::ControlFlow;

use sqlparser::ast::{
    self, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Ident,
    JoinConstraint, JoinOperator, ObjectName, Query, Select, SelectItem, SetExpr, SetOperator,
    Statement, TableFactor, TableWithJoins, Value, VisitMut, VisitorMut,
};

use super::shapes;
use crate::statement::{column_name, folded};

/// The relations of `pg_catalog` that have rows.
pub(crate) const WITH_ROWS: &[&str] = &[
    "pg_aggregate",
    "pg_am",
    "pg_amop",
    "pg_amproc",
    "pg_attribute",
    "pg_authid",
    "pg_cast",
    "pg_class",
    "pg_collation",
    "pg_conversion",
    "pg_database",
    "pg_description",
    "pg_language",
    "pg_namespace",
    "pg_opclass",
    "pg_operator",
    "pg_opfamily",
    "pg_proc",
    "pg_range",
    "pg_roles",
    "pg_settings",
    "pg_shadow",
    "pg_stat_activity",
    "pg_stat_all_tables",
    "pg_stat_database",
    "pg_stat_gssapi",
    "pg_stat_ssl",
    "pg_stat_user_tables",
    "pg_stat_xact_all_tables",
    "pg_stat_xact_user_tables",
    "pg_statio_all_tables",
    "pg_statio_user_tables",
    "pg_tables",
    "pg_tablespace",
    "pg_timezone_names",
    "pg_ts_config",
    "pg_ts_dict",
    "pg_ts_parser",
    "pg_ts_template",
    "pg_type",
    "pg_user",
    "pg_views",
];

/// Aggregates: a SELECT with one of them has a row however few it reads.
pub(crate) const AGGREGATES: &[&str] = &[
    "array_agg",
    "avg",
    "bit_and",
    "bit_or",
    "bool_and",
    "bool_or",
    "count",
    "every",
    "json_agg",
    "json_object_agg",
    "jsonb_agg",
    "jsonb_object_agg",
    "max",
    "min",
    "string_agg",
    "sum",
];

/// Leaves out what has no rows.
pub(crate) fn prune(statement: &mut Statement) {
    let _ = VisitMut::visit(statement, &mut Prune);
}

struct Prune;

impl VisitorMut for Prune {
    type Break = ();

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let empty = empty_ctes(query);
        without_empty_arm(&mut query.body);
        if let SetExpr::Select(select) = query.body.as_mut()
            && is_empty_select(select, &empty)
            && simplify(select)
        {
            query.order_by = None;
        }
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        // Those of a UNION, which are no query of their own.
        if is_empty_select(select, &[]) {
            simplify(select);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let null = || Expr::Value(Value::Null.into());
        let truth = |value| Expr::Value(Value::Boolean(value).into());
        match expr {
            Expr::Case { operand: None, conditions, else_result, .. } => {
                conditions.retain(|when| !is_of_no_type(&when.condition));
                if conditions.is_empty() {
                    let value = else_result.take().map_or_else(null, |value| *value);
                    *expr = value;
                }
            }
            Expr::Subquery(query) if is_empty_query(query, &[]) => *expr = null(),
            Expr::Exists { subquery, negated } if is_empty_query(subquery, &[]) => {
                *expr = truth(*negated);
            }
            Expr::InSubquery { subquery, negated, .. } if is_empty_query(subquery, &[]) => {
                *expr = truth(*negated);
            }
            Expr::Function(Function { name, args: FunctionArguments::Subquery(query), .. })
                if is_array(name) && is_empty_query(query, &[]) =>
            {
                *expr = no_texts();
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// `typtype = 'd'`: there are no domains, enums and composite types.
fn is_of_no_type(condition: &Expr) -> bool {
    let Expr::BinaryOp { left, op: ast::BinaryOperator::Eq, right } = condition else {
        return false;
    };
    let column = match left.as_ref() {
        Expr::Identifier(name) => Some(name),
        Expr::CompoundIdentifier(parts) => parts.last(),
        _ => None,
    };
    column.is_some_and(|name| name.value.eq_ignore_ascii_case("typtype"))
        && matches!(right.as_ref(), Expr::Value(value)
            if matches!(&value.value, Value::SingleQuotedString(kind)
                if ["c", "d", "e"].contains(&kind.as_str())))
}

/// `ARRAY(SELECT ...)` is a call to the parser.
pub(crate) fn is_array(name: &ObjectName) -> bool {
    name.0.len() == 1 && name.to_string().eq_ignore_ascii_case("array")
}

fn no_texts() -> Expr {
    let texts = ast::DataType::Array(ast::ArrayElemTypeDef::SquareBracket(
        Box::new(ast::DataType::Text),
        None,
    ));
    Expr::Cast {
        kind: ast::CastKind::Cast,
        expr: Box::new(Expr::Array(ast::Array { elem: Vec::new(), named: true })),
        data_type: texts,
        array: false,
        format: None,
    }
}

/// `a UNION b` is `a` where `b` has no rows.
fn without_empty_arm(body: &mut Box<SetExpr>) {
    if let SetExpr::SetOperation { op: SetOperator::Union, left, right, set_quantifier } =
        body.as_mut()
        && *set_quantifier == ast::SetQuantifier::All
        && is_empty_body(right, &[])
    {
        let left = std::mem::replace(left, Box::new(SetExpr::Values(no_values())));
        *body = left;
        without_empty_arm(body);
    }
}

fn no_values() -> ast::Values {
    ast::Values { explicit_row: false, value_keyword: false, rows: Vec::new() }
}

/// The names of the common table expressions of a query that have no rows.
fn empty_ctes(query: &Query) -> Vec<String> {
    let mut empty = Vec::new();
    for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
        if is_empty_query(&cte.query, &empty) {
            empty.push(cte.alias.name.value.to_lowercase());
        }
    }
    empty
}

/// Whether a query has no rows. `ctes` are names of those that have none.
fn is_empty_query(query: &Query, ctes: &[String]) -> bool {
    let own = empty_ctes(query);
    is_empty_body(&query.body, &[ctes, &own].concat())
}

fn is_empty_body(body: &SetExpr, ctes: &[String]) -> bool {
    match body {
        SetExpr::Select(select) => is_empty_select(select, ctes),
        SetExpr::Query(query) => is_empty_query(query, ctes),
        SetExpr::SetOperation { op, left, right, .. } => {
            let (left, right) = (is_empty_body(left, ctes), is_empty_body(right, ctes));
            match op {
                SetOperator::Intersect => left || right,
                SetOperator::Except => left,
                _ => left && right,
            }
        }
        _ => false,
    }
}

fn is_empty_select(select: &Select, ctes: &[String]) -> bool {
    let grouped = match &select.group_by {
        GroupByExpr::Expressions(by, with) => !by.is_empty() && with.is_empty(),
        GroupByExpr::All(_) => true,
    };
    if !grouped && aggregates(select) {
        return false;
    }
    let is_false =
        |expr: &Expr| matches!(expr, Expr::Value(value) if value.value == Value::Boolean(false));
    select.selection.as_ref().is_some_and(is_false)
        || select.from.iter().any(|table| is_empty_join(table, ctes))
}

fn is_aggregate(name: &ObjectName) -> bool {
    let name = name.0.last().map(ToString::to_string).unwrap_or_default().to_lowercase();
    AGGREGATES.contains(&name.as_str())
}

/// Whether a SELECT has an aggregate among its columns, or groups without GROUP BY.
pub(crate) fn aggregates(select: &Select) -> bool {
    struct Find {
        depth: usize,
    }
    impl ast::Visitor for Find {
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
            match expr {
                Expr::Function(call) if call.over.is_none() && is_aggregate(&call.name) => {
                    // One of a subquery is that one's own.
                    match self.depth {
                        0 => ControlFlow::Break(()),
                        _ => ControlFlow::Continue(()),
                    }
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }
    select.having.is_some()
        || select.projection.iter().any(|item| match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                ast::Visit::visit(expr, &mut Find { depth: 0 }).is_break()
            }
            _ => false,
        })
}

fn is_empty_join(table: &TableWithJoins, ctes: &[String]) -> bool {
    let mut empty = is_empty_factor(&table.relation, ctes);
    for join in &table.joins {
        let right = is_empty_factor(&join.relation, ctes);
        empty = match &join.join_operator {
            JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::CrossJoin(_) => {
                empty || right
            }
            JoinOperator::Left(_) | JoinOperator::LeftOuter(_) => empty,
            JoinOperator::Right(_) | JoinOperator::RightOuter(_) => right,
            JoinOperator::FullOuter(_) => empty && right,
            _ => false,
        };
    }
    empty
}

fn is_empty_factor(factor: &TableFactor, ctes: &[String]) -> bool {
    match factor {
        TableFactor::Table { name, args: None, .. } => match idents(name).as_slice() {
            [table] => {
                let table = table.to_lowercase();
                ctes.contains(&table) || is_empty_relation("pg_catalog", &table)
            }
            [schema, table] => is_empty_relation(&schema.to_lowercase(), &table.to_lowercase()),
            _ => false,
        },
        TableFactor::Derived { subquery, .. } => is_empty_query(subquery, ctes),
        TableFactor::Table { name, args: Some(args), .. } => {
            idents(name).last().is_some_and(|name| name.eq_ignore_ascii_case("unnest"))
                && matches!(args.args.as_slice(),
                    [FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))] if is_null_column(expr))
        }
        TableFactor::UNNEST { array_exprs, .. } => array_exprs.iter().all(is_null_column),
        TableFactor::NestedJoin { table_with_joins, .. } => is_empty_join(table_with_joins, ctes),
        _ => false,
    }
}

/// Columns of the catalog that are arrays, and null in every row here.
const NULL_COLUMNS: &[&str] = &[
    "attacl",
    "attoptions",
    "datacl",
    "extconfig",
    "lanacl",
    "nspacl",
    "proacl",
    "proconfig",
    "relacl",
    "reloptions",
    "spcacl",
    "spcoptions",
    "typacl",
];

fn is_null_column(expr: &Expr) -> bool {
    let name = match expr {
        Expr::Identifier(name) => Some(name),
        Expr::CompoundIdentifier(parts) => parts.last(),
        _ => None,
    };
    name.is_some_and(|name| NULL_COLUMNS.contains(&name.value.to_lowercase().as_str()))
}

fn idents(name: &ObjectName) -> Vec<&str> {
    name.0.iter().filter_map(|part| part.as_ident()).map(|ident| ident.value.as_str()).collect()
}

fn is_empty_relation(schema: &str, name: &str) -> bool {
    shapes::find(schema, name).is_some()
        && match schema {
            "pg_catalog" => !WITH_ROWS.contains(&name),
            _ => NO_ROWS_IN_INFORMATION_SCHEMA.contains(&name),
        }
}

/// What tools ask of `information_schema` and there is nothing of.
const NO_ROWS_IN_INFORMATION_SCHEMA: &[&str] = &[
    "check_constraints",
    "constraint_column_usage",
    "constraint_table_usage",
    "element_types",
    "key_column_usage",
    "parameters",
    "referential_constraints",
    "sequences",
    "table_constraints",
    "triggers",
];

/// Makes an empty SELECT plannable; `true` if what it is ordered by must go.
fn simplify(select: &mut Select) -> bool {
    let wild = select
        .projection
        .iter()
        .any(|item| !matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. }));
    let keeps_tables = select.from.iter().all(is_plain_join);
    if wild && !keeps_tables {
        return false;
    }
    select.selection = Some(Expr::Value(Value::Boolean(false).into()));
    select.having = None;
    select.distinct = None;
    select.group_by = GroupByExpr::Expressions(Vec::new(), Vec::new());
    for item in &mut select.projection {
        let (expr, name) = match item {
            SelectItem::UnnamedExpr(expr) => (&*expr, column_name(expr)),
            SelectItem::ExprWithAlias { expr, alias } => (&*expr, Some(folded(alias))),
            _ => continue,
        };
        if keeps_tables && is_plain(expr) {
            continue;
        }
        let name = name.or_else(|| match expr {
            Expr::Identifier(name) => Some(folded(name)),
            Expr::CompoundIdentifier(parts) => parts.last().map(folded),
            _ => None,
        });
        let null = Expr::Cast {
            kind: ast::CastKind::Cast,
            expr: Box::new(Expr::Value(Value::Null.into())),
            data_type: ast::DataType::Text,
            array: false,
            format: None,
        };
        let alias = Ident::with_quote('"', name.unwrap_or_else(|| "?column?".to_owned()));
        *item = SelectItem::ExprWithAlias { expr: null, alias };
    }
    if !keeps_tables {
        select.from.clear();
    }
    true
}

fn is_plain_join(table: &TableWithJoins) -> bool {
    let is_table = |factor: &TableFactor| {
        matches!(factor, TableFactor::Table { args: None, .. })
            || matches!(factor, TableFactor::Derived { lateral: false, .. })
    };
    is_table(&table.relation)
        && table.joins.iter().all(|join| {
            is_table(&join.relation)
                && match &join.join_operator {
                    JoinOperator::Join(constraint)
                    | JoinOperator::Inner(constraint)
                    | JoinOperator::CrossJoin(constraint)
                    | JoinOperator::Left(constraint)
                    | JoinOperator::LeftOuter(constraint) => match constraint {
                        JoinConstraint::On(expr) => is_plain(expr),
                        _ => true,
                    },
                    _ => false,
                }
        })
}

/// Whether the planner knows an expression, as far as its form goes.
fn is_plain(expr: &Expr) -> bool {
    match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_) => true,
        Expr::Nested(inner) | Expr::UnaryOp { expr: inner, .. } => is_plain(inner),
        Expr::IsNull(inner) | Expr::IsNotNull(inner) => is_plain(inner),
        Expr::Cast { expr, data_type, .. } => {
            is_plain(expr) && !matches!(data_type, ast::DataType::Array(_))
        }
        Expr::BinaryOp { left, right, .. } => is_plain(left) && is_plain(right),
        Expr::Function(call) => match &call.args {
            FunctionArguments::List(list) => {
                !["unnest", "generate_subscripts", "_pg_expandarray"]
                    .iter()
                    .any(|name| call.name.to_string().to_lowercase().ends_with(name))
                    && !is_aggregate(&call.name)
                    && list.args.iter().all(|arg| {
                        matches!(arg,
                            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) if is_plain(expr))
                    })
            }
            _ => false,
        },
        _ => false,
    }
}
