//! LATERAL subqueries that read nothing but columns of what stands before them: `from logs l,
//! json_each(l.labels) e`.
//!
//! In goes a plan as DataFusion made it of the text; out comes one without such joins: the subquery's
//! steps are taken on the rows on the left, which keep their columns beside those that are new.
//!
//! ```text
//! Join                                 Projection l.*, e.key, e.value
//!   left                                 Unnest
//!   Subquery as e            ->            Projection l.*, lists of l.labels
//!     Projection, Unnest, ...                left
//!       one row
//! ```

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::{
    Expr, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Projection, Subquery,
};

/// Takes the steps of such subqueries on the rows they are of.
pub(crate) fn flatten(plan: LogicalPlan) -> Result<LogicalPlan> {
    let flat = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Join(join) => Ok(match flat_join(&join)? {
            Some(flat) => Transformed::yes(flat),
            None => Transformed::no(LogicalPlan::Join(join)),
        }),
        other => Ok(Transformed::no(other)),
    })?;
    Ok(flat.data)
}

fn flat_join(join: &Join) -> Result<Option<LogicalPlan>> {
    if join.join_type != JoinType::Inner || !join.on.is_empty() {
        return Ok(None);
    }
    let subquery = match join.right.as_ref() {
        LogicalPlan::Subquery(subquery) => subquery,
        LogicalPlan::SubqueryAlias(named) => match named.input.as_ref() {
            LogicalPlan::Subquery(subquery) => subquery,
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    let Subquery { subquery, outer_ref_columns, .. } = subquery;
    // Columns from further out are none of the left side.
    let known = outer_ref_columns.iter().all(|column| match column {
        Expr::OuterReferenceColumn(_, column) => join.left.schema().has_column(column),
        _ => false,
    });
    if !known {
        return Ok(None);
    }
    let Some(plan) = on_left(subquery, &join.left)? else { return Ok(None) };
    let plan = named(plan, &join.left, join.right.schema())?;
    match &join.filter {
        None => Ok(Some(plan)),
        Some(filter) => LogicalPlanBuilder::from(plan).filter(filter.clone())?.build().map(Some),
    }
}

/// The step `node` and those below it on the rows of `left`: first the columns of that, then those of
/// `node`, by names of their own. Nothing where there is a step that is not of single rows.
fn on_left(node: &LogicalPlan, left: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    let below = |input: &LogicalPlan| on_left(input, left);
    Ok(match node {
        LogicalPlan::EmptyRelation(empty) if empty.produce_one_row => Some(left.clone()),
        LogicalPlan::Projection(step) => {
            let Some(input) = below(&step.input)? else { return Ok(None) };
            let own = step.expr.iter().enumerate().map(|(at, expr)| {
                Ok(moved(expr, &step.input, left, &input)?.alias(format!("__lateral_{at}")))
            });
            let columns = columns_of(left).map(Ok).chain(own).collect::<Result<Vec<_>>>()?;
            Some(LogicalPlan::Projection(Projection::try_new(columns, input.into())?))
        }
        LogicalPlan::Filter(step) => {
            let Some(input) = below(&step.input)? else { return Ok(None) };
            let predicate = moved(&step.predicate, &step.input, left, &input)?;
            Some(LogicalPlanBuilder::from(input).filter(predicate)?.build()?)
        }
        // A list becomes one column, so there are as many behind it as before.
        LogicalPlan::Unnest(step) if step.struct_type_columns.is_empty() => {
            let Some(input) = below(&step.input)? else { return Ok(None) };
            let columns =
                step.exec_columns.iter().map(|column| place(column, &step.input, left, &input));
            let columns = columns.collect::<Result<Vec<Column>>>()?;
            let plan = LogicalPlanBuilder::from(input);
            Some(plan.unnest_columns_with_options(columns, step.options.clone())?.build()?)
        }
        LogicalPlan::SubqueryAlias(step) => below(&step.input)?,
        _ => None,
    })
}

fn columns_of(plan: &LogicalPlan) -> impl Iterator<Item = Expr> {
    plan.schema().columns().into_iter().map(Expr::Column)
}

/// Where a column of `before` is in `input`, which has the columns of `left` in front of it.
fn place(
    column: &Column,
    before: &LogicalPlan,
    left: &LogicalPlan,
    input: &LogicalPlan,
) -> Result<Column> {
    let at = before.schema().index_of_column(column)?;
    Ok(input.schema().qualified_field(left.schema().fields().len() + at).into())
}

/// An expression over `before` as one over `input`, where columns from outside are columns, too.
fn moved(
    expr: &Expr,
    before: &LogicalPlan,
    left: &LogicalPlan,
    input: &LogicalPlan,
) -> Result<Expr> {
    let moved = expr.clone().transform_up(|expr| {
        Ok(match expr {
            Expr::Column(column) => {
                Transformed::yes(Expr::Column(place(&column, before, left, input)?))
            }
            Expr::OuterReferenceColumn(_, column) => Transformed::yes(Expr::Column(column)),
            other => Transformed::no(other),
        })
    })?;
    Ok(moved.data)
}

/// Calls the columns behind those of `left` as they are called in `schema`.
fn named(plan: LogicalPlan, left: &LogicalPlan, schema: &DFSchema) -> Result<LogicalPlan> {
    let new = plan.schema().columns().into_iter().skip(left.schema().fields().len());
    let new = new.zip(schema.iter()).map(|(column, (qualifier, field))| {
        Expr::Column(column).alias_qualified(qualifier.cloned(), field.name())
    });
    let columns: Vec<Expr> = columns_of(left).chain(new).collect();
    Ok(LogicalPlan::Projection(Projection::try_new(columns, plan.into())?))
}
