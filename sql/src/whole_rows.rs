//! A table of FROM where JSON is made of values: `row_to_json(t)`, `json_agg(t)`.
//!
//! In goes a statement; out comes one with the columns of `t` in the place of its name. The engine knows
//! no rows, and what columns `t` has is known only once it was planned, so that is done first.
//!
//! - A column that is called as its table is the column.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::execution::session_state::SessionState;
use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, Query,
    Select, Statement, TableFactor, VisitMut, VisitorMut,
};

use crate::error::SqlError;
use crate::json_build::{ARRAY_OF, PAIR, RECORD, ROWS_OF};
use crate::rewrite::parsed;
use crate::statement::folded;

/// What takes a row.
const TAKES_ROWS: &[&str] = &[
    "row_to_json",
    "to_json",
    "to_jsonb",
    "json_build_object",
    "jsonb_build_object",
    "json_build_array",
    "jsonb_build_array",
    PAIR,
];

/// The statement with columns instead of rows; nothing if there are none.
pub(crate) async fn expand(
    statement: &Statement,
    state: &SessionState,
) -> Result<Option<Statement>, SqlError> {
    let mut expanded = statement.clone();
    let mut rows = Rows::default();
    visit(&mut expanded, &mut rows)?;
    if rows.unknown.is_empty() {
        return Ok(None);
    }
    for table in std::mem::take(&mut rows.unknown) {
        let columns = columns(&table, rows.recursive, state).await;
        rows.known.insert(table, columns);
    }
    visit(&mut expanded, &mut rows)?;
    Ok(Some(expanded))
}

/// The columns of a table; none where it is no table by itself: then the statement says why.
async fn columns(table: &Table, recursive: bool, state: &SessionState) -> Vec<String> {
    let recursive = if recursive { "recursive " } else { "" };
    // A table of WITH sees those before it, and fails itself while it has rows to be expanded.
    for n in (0..=table.with.len()).rev() {
        let with = match n {
            0 => String::new(),
            n => format!("with {recursive}{}", table.with[..n].join(", ")),
        };
        let text = format!("{with} select * from {}", table.factor);
        if let Ok(plan) = state.create_logical_plan(&text).await {
            return plan.schema().fields().iter().map(|field| field.name().clone()).collect();
        }
    }
    Vec::new()
}

fn visit(statement: &mut Statement, rows: &mut Rows) -> Result<(), SqlError> {
    match VisitMut::visit(statement, rows) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

/// A part of FROM, and the tables of WITH that it may name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Table {
    factor: String,
    with: Vec<String>,
}

#[derive(Default)]
struct Rows {
    /// The tables of each WITH around.
    with: Vec<Vec<String>>,
    recursive: bool,
    /// The tables of each SELECT around, by name.
    from: Vec<Vec<(String, String)>>,
    known: HashMap<Table, Vec<String>>,
    unknown: Vec<Table>,
}

impl Rows {
    fn table(&self, name: &Ident) -> Option<Table> {
        let name = folded(name);
        let (_, factor) = self.from.last()?.iter().find(|(own, _)| *own == name)?;
        Some(Table { factor: factor.clone(), with: self.with.iter().flatten().cloned().collect() })
    }

    fn expand(&mut self, call: &mut Function) -> Result<(), SqlError> {
        let name = call.name.to_string().to_lowercase();
        let FunctionArguments::List(list) = &mut call.args else { return Ok(()) };
        if !TAKES_ROWS.contains(&name.as_str()) {
            return Ok(());
        }
        let mut is_row = false;
        for argument in &mut list.args {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) = argument else { continue };
            let Expr::Identifier(row) = &*argument else { continue };
            let Some(table) = self.table(row) else { continue };
            let Some(columns) = self.known.get(&table) else {
                self.unknown.push(table);
                continue;
            };
            if columns.is_empty() || columns.contains(&folded(row)) {
                continue;
            }
            let members = columns.iter().map(|column| {
                let quoted = Ident::with_quote('"', column.replace('"', "\"\""));
                format!("'{}', {row}.{quoted}", column.replace('\'', "''"))
            });
            let members: Vec<String> = members.collect();
            *argument = parsed(&format!("{RECORD}({})", members.join(", ")))?;
            is_row = true;
        }
        if is_row && name == "row_to_json" {
            call.name = ObjectName::from(vec![Ident::new("to_json")]);
        }
        Ok(())
    }
}

impl VisitorMut for Rows {
    type Break = SqlError;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<SqlError> {
        self.recursive |= query.with.as_ref().is_some_and(|with| with.recursive);
        let tables = query.with.iter().flat_map(|with| &with.cte_tables);
        self.with.push(tables.map(ToString::to_string).collect());
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<SqlError> {
        self.with.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<SqlError> {
        let factors = select.from.iter().flat_map(|table| {
            std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation))
        });
        let named = factors.filter_map(|factor| Some((called(factor)?, factor.to_string())));
        self.from.push(named.collect());
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, _: &mut Select) -> ControlFlow<SqlError> {
        self.from.pop();
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<SqlError> {
        let Expr::Function(call) = expr else { return ControlFlow::Continue(()) };
        if let Err(error) = self.expand(call) {
            return ControlFlow::Break(error);
        }
        let rows = format!("{ARRAY_OF}(array_agg(to_json({RECORD}(");
        if call.to_string().starts_with(&rows) {
            call.name = ObjectName::from(vec![Ident::new(ROWS_OF)]);
        }
        ControlFlow::Continue(())
    }
}

/// What the columns of a table are qualified with.
fn called(factor: &TableFactor) -> Option<String> {
    match factor {
        TableFactor::Table { alias: Some(alias), .. }
        | TableFactor::Derived { alias: Some(alias), .. }
        | TableFactor::UNNEST { alias: Some(alias), .. } => Some(folded(&alias.name)),
        TableFactor::Table { name, args: None, .. } => {
            name.0.last().and_then(|part| part.as_ident()).map(folded)
        }
        _ => None,
    }
}
