//! Functions that return rows, in FROM: `json_each(x)`, and others over columns of what stands before
//! them.
//!
//! In goes a part of FROM; out comes a subquery that takes lists apart. What names columns is LATERAL,
//! as it is in Postgres without the word; `lateral.rs` plans that.
//!
//! ```text
//! from logs l, json_each(l.labels) e
//! from logs l, lateral (select unnest(json_object_keys(l.labels)) as key,
//!                              unnest(json_member_values(l.labels)) as value) e
//! ```

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Ident, Select, SelectItem, TableAlias, TableAliasColumnDef,
    TableFactor, Visit, VisitMut, Visitor, VisitorMut,
};

use crate::error::SqlError;
use crate::rewrite::parsed;
use crate::sets::is_set;
use crate::statement::folded;

/// The columns of a function: a name, none where it is called as the table is, and the list.
type Column = (Option<&'static str>, &'static str);

const KEYS: Column = (Some("key"), "json_object_keys");
const JSONB_KEYS: Column = (Some("key"), "jsonb_object_keys");

/// Functions that are found only here.
const JSON: &[(&str, &[Column])] = &[
    ("json_each", &[KEYS, (Some("value"), "json_member_values")]),
    ("jsonb_each", &[JSONB_KEYS, (Some("value"), "jsonb_member_values")]),
    ("json_each_text", &[KEYS, (Some("value"), "json_member_texts")]),
    ("jsonb_each_text", &[JSONB_KEYS, (Some("value"), "jsonb_member_texts")]),
    ("json_object_keys", &[(None, "json_object_keys")]),
    ("jsonb_object_keys", &[(None, "jsonb_object_keys")]),
    ("json_array_elements", &[(Some("value"), "json_elements")]),
    ("jsonb_array_elements", &[(Some("value"), "jsonb_elements")]),
    ("json_array_elements_text", &[(Some("value"), "json_element_texts")]),
    ("jsonb_array_elements_text", &[(Some("value"), "jsonb_element_texts")]),
    ("regexp_matches", &[(None, "regexp_all_matches")]),
    ("regexp_split_to_table", &[(None, "regexp_split_to_array")]),
    ("string_to_table", &[(None, "string_to_array")]),
];

/// Functions that the engine has as tables, of constants.
const OF_CONSTANTS: &[(&str, &[Column])] =
    &[("generate_series", &[(None, "generate_series")]), ("unnest", &[(None, "")])];

/// The list of a function that returns one column, where it stands in a select list.
pub(crate) fn listed(name: &str) -> Option<&'static str> {
    let (_, columns) = JSON.iter().find(|(known, _)| *known == name)?;
    match columns {
        [(_, list)] => Some(list),
        _ => None,
    }
}

/// Makes a subquery of such a function.
pub(crate) fn rewrite(factor: &mut TableFactor) -> Result<(), SqlError> {
    let (name, args, alias) = match &*factor {
        TableFactor::Table { name, args: Some(args), alias, with_ordinality: false, .. } => {
            let name = name.0.last().map(ToString::to_string).unwrap_or_default();
            (name.to_lowercase(), expressions(&args.args), alias)
        }
        TableFactor::Function { name, args, alias, .. } => {
            let name = name.0.last().map(ToString::to_string).unwrap_or_default();
            (name.to_lowercase(), expressions(args), alias)
        }
        TableFactor::UNNEST { array_exprs, alias, with_ordinality: false, .. } => {
            ("unnest".to_owned(), Some(array_exprs.clone()), alias)
        }
        _ => return Ok(()),
    };
    let Some(args) = args else { return Ok(()) };
    if args.iter().any(is_set) {
        let text = "set-returning functions must appear at top level of FROM";
        return Err(SqlError::new("0A000", text));
    }
    let over_columns = args.iter().any(names_column);
    let known = |list: &[(&str, &'static [Column])]| {
        list.iter().find(|(known, _)| *known == name).map(|(_, columns)| *columns)
    };
    let of_constants = known(OF_CONSTANTS).filter(|_| over_columns && alias.is_some());
    let Some(columns) = known(JSON).or(of_constants) else { return Ok(()) };
    if name == "unnest" && args.len() != 1 {
        return Ok(());
    }
    let args = args.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let own = alias.as_ref().map(|alias| alias.name.to_string()).unwrap_or(name.clone());
    let columns = columns.iter().map(|(column, list)| {
        let column = column.map_or(own.as_str(), |column| column);
        format!("unnest({list}({args})) as {column}")
    });
    let text = format!("(select {})", columns.collect::<Vec<_>>().join(", "));
    let Expr::Subquery(subquery) = parsed(&text)? else { return Ok(()) };
    let alias = Some(match alias {
        Some(alias) => alias.clone(),
        None => named(&name)?,
    });
    *factor = TableFactor::Derived { lateral: over_columns, subquery, alias, sample: None };
    Ok(())
}

/// An alias of a table without one.
fn named(name: &str) -> Result<TableAlias, SqlError> {
    match parsed(name)? {
        Expr::Identifier(name) => {
            Ok(TableAlias { explicit: true, name, columns: Vec::new(), at: None })
        }
        _ => Err(SqlError::unsupported(name)),
    }
}

/// `select x from json_array_elements(j) x`: the table of a function that returns single values is such
/// a value where it is named itself.
pub(crate) fn name_values(select: &mut Select) {
    let factors = select.from.iter().flat_map(|table| {
        std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation))
    });
    let named = factors.filter_map(|factor| match factor {
        TableFactor::Table { name, args: Some(_), alias: Some(alias), .. }
        | TableFactor::Function { name, alias: Some(alias), .. } => {
            let name = name.0.last()?.to_string().to_lowercase();
            let (_, columns) = JSON.iter().find(|(known, _)| *known == name)?;
            let [(Some(column), _)] = columns else { return None };
            alias.columns.is_empty().then(|| (alias.name.clone(), Ident::new(*column)))
        }
        _ => None,
    });
    let named: Vec<(Ident, Ident)> = named.collect();
    if named.is_empty() {
        return;
    }
    let value = |expr: &Expr| match expr {
        Expr::Identifier(name) => {
            let (table, column) = named.iter().find(|(table, _)| folded(table) == folded(name))?;
            Some(Expr::CompoundIdentifier(vec![table.clone(), column.clone()]))
        }
        _ => None,
    };
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr) = item
            && let (Some(expr), Expr::Identifier(alias)) = (value(expr), &*expr)
        {
            *item = SelectItem::ExprWithAlias { expr, alias: alias.clone() };
        }
    }
    struct Named<F>(F);
    impl<F: Fn(&Expr) -> Option<Expr>> VisitorMut for Named<F> {
        type Break = ();
        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if let Some(value) = (self.0)(expr) {
                *expr = value;
            }
            ControlFlow::Continue(())
        }
    }
    let _ = VisitMut::visit(select, &mut Named(value));
}

fn expressions(args: &[FunctionArg]) -> Option<Vec<Expr>> {
    let expr = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    };
    args.iter().map(expr).collect()
}

fn names_column(expr: &Expr) -> bool {
    struct Columns;
    impl Visitor for Columns {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Identifier(_) | Expr::CompoundIdentifier(_) => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    expr.visit(&mut Columns).is_break()
}

/// `from generate_series(1, 3) x` has a column `x`.
pub(crate) fn name_column(table: &mut TableFactor) {
    let (name, alias) = match table {
        TableFactor::Table { name, alias: Some(alias), args: Some(_), .. } => {
            (name.to_string().to_lowercase(), alias)
        }
        TableFactor::UNNEST { alias: Some(alias), .. } => ("unnest".to_owned(), alias),
        _ => return,
    };
    if alias.columns.is_empty() && matches!(name.as_str(), "generate_series" | "range" | "unnest") {
        let column = TableAliasColumnDef { name: alias.name.clone(), data_type: None };
        alias.columns.push(column);
    }
}

#[cfg(test)]
mod tests {
    use sqlparser::dialect::PostgreSqlDialect;
    use sqlparser::parser::Parser;

    use super::*;

    #[test]
    fn tables() {
        let check = |text: &str, expected: &str| {
            let parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(text);
            let mut factor = parser.unwrap().parse_table_factor().unwrap();
            rewrite(&mut factor).unwrap();
            assert_eq!(factor.to_string(), expected, "{text}");
        };
        check(
            "json_each(l.labels) e",
            "LATERAL (SELECT unnest(json_object_keys(l.labels)) AS key, \
             unnest(json_member_values(l.labels)) AS value) e",
        );
        check(
            "json_array_elements_text('[1]')",
            "(SELECT unnest(json_element_texts('[1]')) AS value) AS json_array_elements_text",
        );
        check("jsonb_object_keys(x) k", "LATERAL (SELECT unnest(jsonb_object_keys(x)) AS k) k");
        check("unnest(t.a) u(x)", "LATERAL (SELECT unnest((t.a)) AS u) u (x)");
        check("generate_series(1, 3) g", "generate_series(1, 3) g");
        check("logs l", "logs l");
    }
}
