//! Lets the table count where a statement counts: the lower half of an aggregation becomes a scan
//! for cells.
//!
//! ```text
//! Aggregate (final)                       Aggregate (final)
//!   Aggregate (partial)                     Projection: group values, state of each aggregate
//!     Filter: level = 'error'      ->         Filter: level = 'error'
//!       Scan: timestamp, level                  Scan: level, first, last, rows of each cell
//! ```
//!
//! A cell has one value of each column that it is told apart by, and its times lie in one bin. So an
//! expression over such columns has one value in a cell, and so has one that looks at time only
//! through functions that are constant in each bin: it may be computed from any time in it.
//!
//! - What comes out of the projection is what the partial aggregation would have put out, in more
//!   or fewer rows per group: the final one adds up whatever comes.
//! - Where anything is asked of rows that cells do not tell, the plan stays as it is.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CastExpr, Column, Literal, case, cast, is_not_null, lit,
};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;

use crate::casts::TO_DAY;
use crate::pushdown::is_utc;
use crate::scan::ScanExec;
use crate::table::{Bin, Cells};

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400 * SECOND;
/// Cells of shorter bins are hardly fewer than rows.
const WIDTH_MIN: i64 = SECOND;

type Expr = Arc<dyn PhysicalExpr>;

/// The rule. It must run after those that cut aggregations in two and put them together.
#[derive(Debug)]
pub(crate) struct CountInCells;

impl PhysicalOptimizerRule for CountInCells {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let counted = plan.transform_down(|plan| {
            let counted = match plan.downcast_ref::<AggregateExec>() {
                Some(aggregate) => counted(aggregate)?,
                None => None,
            };
            Ok(counted.map_or_else(|| Transformed::no(plan), Transformed::yes))
        });
        counted.data()
    }

    fn name(&self) -> &str {
        "count_in_cells"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The same aggregation over cells, if they tell all it asks for.
fn counted(aggregate: &AggregateExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let whole = match aggregate.mode() {
        AggregateMode::Partial => false,
        AggregateMode::Single | AggregateMode::SinglePartitioned => true,
        _ => return Ok(None),
    };
    if !aggregate.group_expr().is_single() {
        return Ok(None);
    }
    let Some(lower) = Lower::read(aggregate)? else { return Ok(None) };
    let Some(states) = lower.in_cells()? else { return Ok(None) };
    if !whole {
        return Ok(Some(states));
    }
    let aggregates = aggregate.aggr_expr().to_vec();
    let no_filters = vec![None; aggregates.len()];
    let upper = AggregateExec::try_new(
        AggregateMode::Final,
        aggregate.group_expr().as_final(),
        aggregates,
        no_filters,
        states,
        aggregate.input_schema(),
    )?;
    Ok(Some(Arc::new(upper.with_limit_options(aggregate.limit_options()))))
}

/// The lower half of an aggregation, all of it in terms of the columns of a scan.
struct Lower<'a> {
    scan: &'a ScanExec,
    /// Conditions on rows that the scan does not apply.
    conditions: Vec<Expr>,
    groups: Vec<(Expr, String)>,
    measures: Vec<Measure>,
}

/// An aggregate function.
struct Measure {
    kind: Kind,
    argument: Expr,
    filter: Option<Expr>,
    /// The type and the name of its state.
    state: (DataType, String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Count,
    Sum,
    Min,
    Max,
}

impl<'a> Lower<'a> {
    fn read(aggregate: &'a AggregateExec) -> Result<Option<Lower<'a>>> {
        let filters = aggregate.filter_expr().iter();
        let mut measures = Vec::new();
        for (function, filter) in aggregate.aggr_expr().iter().zip(filters) {
            match measure(function, filter.clone())? {
                Some(measure) => measures.push(measure),
                None => return Ok(None),
            }
        }
        let mut groups = aggregate.group_expr().expr().to_vec();
        let (mut plan, mut conditions) = (aggregate.input(), Vec::<Expr>::new());
        loop {
            if let Some(scan) = plan.downcast_ref::<ScanExec>() {
                return Ok(Some(Lower { scan, conditions, groups, measures }));
            }
            // What each column is, in terms of the input's.
            let mut own: Option<Vec<Expr>> = None;
            let mut condition = None;
            let input = if let Some(filter) = plan.downcast_ref::<FilterExec>() {
                if filter.fetch().is_some() {
                    return Ok(None);
                }
                condition = Some(filter.predicate().clone());
                if let Some(projection) = filter.projection() {
                    let schema = filter.input().schema();
                    let column = |index: &usize| -> Expr {
                        Arc::new(Column::new(schema.field(*index).name(), *index))
                    };
                    own = Some(projection.iter().map(column).collect());
                }
                filter.input()
            } else if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
                own = Some(projection.expr().iter().map(|one| one.expr.clone()).collect());
                projection.input()
            } else if let Some(partitions) = plan.downcast_ref::<RepartitionExec>() {
                partitions.input()
            } else {
                return Ok(None);
            };
            if let Some(own) = own {
                let below = |expr: &mut Expr| -> Result<()> {
                    *expr = replaced(expr, &own)?;
                    Ok(())
                };
                groups.iter_mut().try_for_each(|(expr, _)| below(expr))?;
                conditions.iter_mut().try_for_each(below)?;
                for measure in &mut measures {
                    below(&mut measure.argument)?;
                    measure.filter.iter_mut().try_for_each(below)?;
                }
            }
            conditions.extend(condition);
            plan = input;
        }
    }

    fn in_cells(&self) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let mut looks = Looks { scan: self.scan, by: Vec::new(), bin: None };
        let mut extremes = false;
        for measure in &self.measures {
            let is_time = looks.is_time(&measure.argument);
            let told = match measure.kind {
                Kind::Min | Kind::Max => is_time,
                // Time is never null, so it counts as everything does.
                Kind::Count if is_time => true,
                Kind::Count | Kind::Sum => {
                    looks.never_null(&measure.argument)? && measure.kind == Kind::Count
                        || looks.at(&measure.argument)
                }
            };
            if !told || !measure.filter.iter().all(|filter| looks.at(filter)) {
                return Ok(None);
            }
            extremes |= matches!(measure.kind, Kind::Min | Kind::Max);
        }
        let groups = self.groups.iter().map(|(expr, _)| expr);
        if !groups.chain(&self.conditions).all(|expr| looks.at(expr)) {
            return Ok(None);
        }
        let Looks { by, bin, .. } = looks;
        if bin.is_some_and(|bin| bin.width < WIDTH_MIN) {
            return Ok(None);
        }
        let Some(cells) = self.scan.in_cells(&by, Cells { bin, extremes }) else {
            return Ok(None);
        };
        self.states(cells, &by).map(Some)
    }

    /// What the partial aggregation would put out, computed from cells.
    fn states(
        &self,
        cells: Arc<dyn ExecutionPlan>,
        by: &[usize],
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = cells.schema();
        let column =
            |index: usize| -> Expr { Arc::new(Column::new(schema.field(index).name(), index)) };
        // Of the scan's columns, those that are left, and any time of a cell for all of them.
        let first = column(by.len());
        let place = |index: usize| match by.iter().position(|own| *own == index) {
            Some(at) => column(at),
            None => first.clone(),
        };
        let own: Vec<Expr> = (0..self.scan.schema().fields().len()).map(place).collect();
        let (last, rows) = (column(by.len() + 1), column(by.len() + 2));

        let mut out = Vec::new();
        for (expr, name) in &self.groups {
            out.push((replaced(expr, &own)?, name.clone()));
        }
        for measure in &self.measures {
            let argument = replaced(&measure.argument, &own)?;
            let (kind, name) = &measure.state;
            let nullable = argument.nullable(&schema)?;
            let state = match measure.kind {
                Kind::Min => first.clone(),
                Kind::Max => last.clone(),
                Kind::Count if nullable => where_(is_not_null(argument)?, rows.clone(), lit(0i64))?,
                Kind::Count => rows.clone(),
                Kind::Sum => {
                    // The product of two numbers of 64 bits has no more digits than a decimal.
                    let whole = matches!(kind, DataType::Decimal128(..));
                    let factor_kind =
                        if whole { DataType::Decimal128(19, 0) } else { kind.clone() };
                    let factor = |expr| cast(expr, &schema, factor_kind.clone());
                    let (argument, rows) = (factor(argument)?, factor(rows.clone())?);
                    Arc::new(BinaryExpr::new(argument, Operator::Multiply, rows))
                }
            };
            let state = match &measure.filter {
                None => state,
                Some(filter) => {
                    let otherwise = match measure.kind {
                        Kind::Count => lit(0i64),
                        _ => lit(ScalarValue::try_from(kind)?),
                    };
                    where_(replaced(filter, &own)?, state, otherwise)?
                }
            };
            out.push((state, name.clone()));
        }
        let mut plan = cells;
        for condition in &self.conditions {
            plan = Arc::new(FilterExec::try_new(replaced(condition, &own)?, plan)?);
        }
        Ok(Arc::new(ProjectionExec::try_new(out, plan)?))
    }
}

fn where_(condition: Expr, then: Expr, otherwise: Expr) -> Result<Expr> {
    case(None, vec![(condition, then)], Some(otherwise))
}

/// What a function measures, if it is one of those that cells tell.
fn measure(function: &AggregateFunctionExpr, filter: Option<Expr>) -> Result<Option<Measure>> {
    let arguments = function.expressions();
    let [argument] = arguments.as_slice() else { return Ok(None) };
    let kind = match function.fun().name() {
        "count" => Kind::Count,
        "sum" => Kind::Sum,
        "min" => Kind::Min,
        "max" => Kind::Max,
        _ => return Ok(None),
    };
    let state = function.state_fields()?;
    let [state] = state.as_slice() else { return Ok(None) };
    let plain = !function.is_distinct() && function.order_bys().is_empty();
    // Sums of other numbers would be rounded, or overflow, otherwise than row by row.
    let summed =
        *state.data_type() == DataType::Float64 || *function.field().data_type() == DataType::Int64;
    if !plain || kind == Kind::Sum && !summed {
        return Ok(None);
    }
    let state = (state.data_type().clone(), state.name().clone());
    Ok(Some(Measure { kind, argument: argument.clone(), filter, state }))
}

/// `expr` with each column replaced by what it is.
fn replaced(expr: &Expr, columns: &[Expr]) -> Result<Expr> {
    let replaced = expr.clone().transform_down(|expr| match expr.downcast_ref::<Column>() {
        Some(column) => {
            let column = columns[column.index()].clone();
            Ok(Transformed::new(
                column,
                true,
                datafusion::common::tree_node::TreeNodeRecursion::Jump,
            ))
        }
        None => Ok(Transformed::no(expr)),
    });
    replaced.data()
}

/// What expressions look at.
struct Looks<'a> {
    scan: &'a ScanExec,
    /// Columns that cells have to be told apart by.
    by: Vec<usize>,
    /// Bins in each of which they are constant.
    bin: Option<Bin>,
}

impl Looks<'_> {
    /// Whether the expression has one value in a cell, once cells are told apart by all that is
    /// noted here.
    fn at(&mut self, expr: &Expr) -> bool {
        if let Some(bin) = self.bin_of(expr) {
            self.bin = Some(self.bin.map_or(bin, |own| own.within(bin)));
            return true;
        }
        if let Some(column) = expr.downcast_ref::<Column>() {
            let index = column.index();
            let told = self.scan.tells_cells(index);
            if told && !self.by.contains(&index) {
                self.by.push(index);
            }
            return told;
        }
        !expr.is_volatile_node() && expr.children().into_iter().all(|child| self.at(child))
    }

    /// The bins in which a function of time is constant.
    fn bin_of(&self, expr: &Expr) -> Option<Bin> {
        let function = expr.downcast_ref::<ScalarFunctionExpr>()?;
        if let (TO_DAY, [time]) = (function.name(), function.args()) {
            return self.is_time(time).then_some(Bin { width: DAY, origin: 0 });
        }
        let [first, time, rest @ ..] = function.args() else { return None };
        let value = first.downcast_ref::<Literal>()?.value();
        if !self.is_time(time) {
            return None;
        }
        match (function.name(), rest) {
            ("date_trunc", []) => truncated(value.try_as_str()??),
            ("date_part", []) => part(value.try_as_str()??),
            ("date_bin", []) => binned(value, 0),
            ("date_bin", [origin]) => {
                binned(value, nanoseconds(origin.downcast_ref::<Literal>()?.value())?)
            }
            _ => None,
        }
    }

    /// Whether the expression is the time of a row, in whatever type that leaves its number.
    fn is_time(&self, expr: &Expr) -> bool {
        if let Some(column) = expr.downcast_ref::<Column>() {
            return self.scan.is_time(column.index());
        }
        if let Some(cast) = expr.downcast_ref::<CastExpr>() {
            let same = match cast.cast_type() {
                DataType::Timestamp(TimeUnit::Nanosecond, None) => true,
                DataType::Timestamp(TimeUnit::Nanosecond, Some(zone)) => is_utc(zone),
                _ => false,
            };
            return same && self.is_time(cast.expr());
        }
        // `timestamp AT TIME ZONE 'UTC'`
        let Some(function) = expr.downcast_ref::<ScalarFunctionExpr>() else { return false };
        let [zone, time] = function.args() else { return false };
        let zone = zone.downcast_ref::<Literal>().and_then(|zone| zone.value().try_as_str()?);
        function.name() == "timezone" && zone.is_some_and(is_utc) && self.is_time(time)
    }

    /// Whether the expression is a column without nulls, or a literal that is not null.
    fn never_null(&self, expr: &Expr) -> Result<bool> {
        let plain = expr.downcast_ref::<Column>().is_some()
            || expr.downcast_ref::<Literal>().is_some_and(|literal| !literal.value().is_null());
        Ok(plain && !expr.nullable(&self.scan.schema())?)
    }
}

/// Units of `date_trunc` and fields of `date_part`: months and what is longer begin on days.
fn truncated(unit: &str) -> Option<Bin> {
    let bin = |width, origin| Some(Bin { width, origin });
    match unit.to_ascii_lowercase().as_str() {
        "second" => bin(SECOND, 0),
        "minute" => bin(60 * SECOND, 0),
        "hour" => bin(3600 * SECOND, 0),
        // 1970 began on a Thursday.
        "week" => bin(7 * DAY, 4 * DAY),
        "day" | "month" | "quarter" | "year" | "decade" | "century" | "millennium" => bin(DAY, 0),
        _ => None,
    }
}

fn part(field: &str) -> Option<Bin> {
    let bin = |width| Some(Bin { width, origin: 0 });
    match field.to_ascii_lowercase().as_str() {
        "minute" | "minutes" => bin(60 * SECOND),
        "hour" | "hours" => bin(3600 * SECOND),
        "day" | "days" | "dow" | "isodow" | "doy" | "week" | "month" | "months" | "quarter"
        | "year" | "years" | "isoyear" | "decade" | "century" | "millennium" => bin(DAY),
        _ => None,
    }
}

fn binned(width: &ScalarValue, origin: i64) -> Option<Bin> {
    let width = match width {
        ScalarValue::IntervalMonthDayNano(Some(width)) => match (width.months, width.days) {
            (0, days) => i64::from(days).checked_mul(DAY)?.checked_add(width.nanoseconds)?,
            // Months begin at the origin's time of a day.
            (_, 0) if width.nanoseconds == 0 => DAY,
            _ => return None,
        },
        _ => return None,
    };
    (width > 0).then_some(Bin { width, origin })
}

fn nanoseconds(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::TimestampNanosecond(Some(at), None) => Some(*at),
        ScalarValue::TimestampNanosecond(Some(at), Some(zone)) => is_utc(zone).then_some(*at),
        _ => None,
    }
}
