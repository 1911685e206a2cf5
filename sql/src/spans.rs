//! Spans of time go by how long they are, where a month has 30 days and a day 24 hours.
//!
//! In goes a plan; out comes one that compares, sorts, joins and groups lengths where it did so with
//! spans. Arrow goes field by field, months first, so 36 hours came before one day. One rule does it
//! for every place where order or equality matters, for there were as many wrong answers as places.
//!
//! - [`read_texts`] comes before types are coerced: a text beside a span is a span.
//! - [`PostgresSpans`] comes after, when it is known which expressions are spans.
//! - Where spans of one length are a group, what is shown is one of them, as in Postgres.
//! - Differences of timestamps are `Duration`s, which are lengths already.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, Decimal128Array, IntervalMonthDayNanoArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit,
};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchema, Result, ScalarValue};
use datafusion::functions_aggregate::first_last::first_value;
use datafusion::logical_expr::expr::{
    AggregateFunction, Between, Case, InList, InSubquery, ScalarFunction, Sort as SortExpr,
    WindowFunction,
};
use datafusion::logical_expr::{
    Aggregate, BinaryExpr, ColumnarValue, Distinct, DistinctOn, Expr, ExprSchemable, Join,
    LogicalPlan, LogicalPlanBuilder, Operator, Projection, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Sort, Volatility, WindowFrame, WindowFrameUnits,
    WindowFunctionDefinition,
};
use datafusion::optimizer::AnalyzerRule;

use crate::by_rows::by_rows;
use crate::error::SqlError;
use crate::expressions::rewrite_all;
use crate::interval;
use crate::span_extremes::extreme;

pub(crate) const SPAN: DataType = DataType::Interval(IntervalUnit::MonthDayNano);
/// A length in nanoseconds: that of every time span fits.
const LENGTH: DataType = DataType::Decimal128(38, 0);

/// Whether values of this type are spans, of either kind.
pub(crate) fn is_span(kind: &DataType) -> bool {
    matches!(kind, DataType::Interval(_) | DataType::Duration(_))
}

/// A text as the span that it says; anything else as it is.
pub(crate) fn span_of_text(expr: Expr) -> Result<Expr> {
    let Expr::Literal(value, metadata) = &expr else { return Ok(expr) };
    let Some(Some(text)) = value.try_as_str() else { return Ok(expr) };
    let span = ScalarValue::IntervalMonthDayNano(Some(interval::parse(text)?));
    Ok(Expr::Literal(span, metadata.clone()))
}

/// Reads texts beside spans, where no planner of operators sees them: in BETWEEN and IN. Windows are
/// ordered by lengths here, for when types are coerced a window that is ordered by spans is refused.
pub(crate) fn read_texts(plan: LogicalPlan) -> Result<LogicalPlan> {
    rewrite_all(plan, |expr, schema| {
        let is_span = |expr: &Expr| expr.get_type(schema).is_ok_and(|kind| is_span(&kind));
        let read = |expr: Box<Expr>| span_of_text(*expr).map(Box::new);
        Ok(match expr {
            Expr::Between(Between { expr, negated, low, high })
                if is_span(&expr) || is_span(&low) || is_span(&high) =>
            {
                let (expr, low, high) = (read(expr)?, read(low)?, read(high)?);
                Transformed::yes(Expr::Between(Between { expr, negated, low, high }))
            }
            Expr::InList(InList { expr, list, negated })
                if is_span(&expr) || list.iter().any(is_span) =>
            {
                let list = list.into_iter().map(span_of_text).collect::<Result<Vec<_>>>()?;
                Transformed::yes(Expr::InList(InList { expr: read(expr)?, list, negated }))
            }
            Expr::WindowFunction(mut call)
                if call.params.order_by.iter().any(|key| is_span(&key.expr)) =>
            {
                let key = |mut key: SortExpr| {
                    let by_length = is_span(&key.expr);
                    key.expr = if by_length { length(key.expr) } else { key.expr };
                    key
                };
                if is_bound_by_values(&call.params.window_frame) {
                    return Err(SqlError::unsupported("RANGE with an offset of time spans").into());
                }
                call.params.order_by =
                    std::mem::take(&mut call.params.order_by).into_iter().map(key).collect();
                Transformed::yes(Expr::WindowFunction(call))
            }
            other => Transformed::no(other),
        })
    })
}

/// The rule. It must run after types were coerced.
#[derive(Debug, Default)]
pub(crate) struct PostgresSpans;

impl AnalyzerRule for PostgresSpans {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let plan = rewrite_all(plan, rewrite_expr)?;
        Ok(plan.transform_up_with_subqueries(rewrite_node)?.data)
    }

    fn name(&self) -> &str {
        "postgres_spans"
    }
}

/// Whether it is a span that is not a length yet.
fn has_fields(expr: &Expr, schema: &DFSchema) -> bool {
    expr.get_type(schema).is_ok_and(|kind| matches!(kind, DataType::Interval(_)))
}

/// How long a span is.
fn length(span: Expr) -> Expr {
    let signature = Signature::any(1, Volatility::Immutable);
    ScalarUDF::new_from_impl(Length { signature }).call(vec![span])
}

fn boxed(span: Expr) -> Box<Expr> {
    Box::new(length(span))
}

/// The length of what is a span, and anything else as it is.
fn length_if(expr: Expr, schema: &DFSchema) -> Expr {
    if has_fields(&expr, schema) { length(expr) } else { expr }
}

fn keys(keys: Vec<SortExpr>, schema: &DFSchema) -> Vec<SortExpr> {
    let key = |key: SortExpr| SortExpr { expr: length_if(key.expr, schema), ..key };
    keys.into_iter().map(key).collect()
}

fn rewrite_expr(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let is_span = |expr: &Expr| has_fields(expr, schema);
    Ok(Transformed::yes(match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right })
            if compares(op) && is_span(&left) && is_span(&right) =>
        {
            Expr::BinaryExpr(BinaryExpr { left: boxed(*left), op, right: boxed(*right) })
        }
        Expr::Between(Between { expr, negated, low, high }) if is_span(&expr) => {
            let (expr, low, high) = (boxed(*expr), boxed(*low), boxed(*high));
            Expr::Between(Between { expr, negated, low, high })
        }
        Expr::InList(InList { expr, list, negated }) if is_span(&expr) => {
            let list = list.into_iter().map(length).collect();
            Expr::InList(InList { expr: boxed(*expr), list, negated })
        }
        Expr::InSubquery(InSubquery { expr, mut subquery, negated }) if is_span(&expr) => {
            let plan = Arc::unwrap_or_clone(subquery.subquery);
            let lengths: Vec<Expr> =
                plan.schema().columns().into_iter().map(|own| length(Expr::Column(own))).collect();
            subquery.subquery = Arc::new(LogicalPlanBuilder::from(plan).project(lengths)?.build()?);
            Expr::InSubquery(InSubquery { expr: boxed(*expr), subquery, negated })
        }
        Expr::Case(Case { expr: Some(expr), when_then_expr, else_expr }) if is_span(&expr) => {
            let when_then_expr =
                when_then_expr.into_iter().map(|(when, then)| (boxed(*when), then)).collect();
            Expr::Case(Case { expr: Some(boxed(*expr)), when_then_expr, else_expr })
        }
        Expr::ScalarFunction(ScalarFunction { func, args })
            if func.name() == "array_has" && args.get(1).is_some_and(is_span) =>
        {
            return among(args).map(Transformed::yes);
        }
        Expr::ScalarFunction(ScalarFunction { func, args })
            if let Some(choice) = Choice::named(func.name())
                && !args.is_empty()
                && args.iter().all(|arg| arg.get_type(schema).is_ok_and(|kind| kind == SPAN)) =>
        {
            choice.function().call(args)
        }
        Expr::AggregateFunction(call) => return Ok(aggregated(call, schema)),
        Expr::WindowFunction(call) => Expr::WindowFunction(Box::new(windowed(*call, schema))),
        other => return Ok(Transformed::no(other)),
    }))
}

/// `x = any (array[a, b])`, which is `array_has(array, x)` by now.
fn among(args: Vec<Expr>) -> Result<Expr> {
    match <[Expr; 2]>::try_from(args) {
        Ok([Expr::ScalarFunction(array), span]) if array.func.name() == "make_array" => {
            let list = array.args.into_iter().map(length).collect();
            Ok(Expr::InList(InList { expr: Box::new(length(span)), list, negated: false }))
        }
        _ => Err(SqlError::unsupported("a comparison with an array of time spans").into()),
    }
}

fn compares(op: Operator) -> bool {
    matches!(
        op,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}

fn aggregated(mut call: AggregateFunction, schema: &DFSchema) -> Transformed<Expr> {
    let params = &mut call.params;
    let of_spans = params.args.first().is_some_and(|first| has_fields(first, schema));
    if of_spans && params.args.len() == 1 {
        if let Some(own) = extreme(call.func.name()) {
            call.func = Arc::new(own);
        } else if call.func.name() == "count" && params.distinct {
            params.args = std::mem::take(&mut params.args).into_iter().map(length).collect();
        }
    }
    // Values that must differ are what they are ordered by.
    if !params.distinct {
        params.order_by = keys(std::mem::take(&mut params.order_by), schema);
    }
    Transformed::yes(Expr::AggregateFunction(call))
}

fn windowed(mut call: WindowFunction, schema: &DFSchema) -> WindowFunction {
    let params = &mut call.params;
    if let WindowFunctionDefinition::AggregateUDF(function) = &call.fun
        && params.args.first().is_some_and(|first| has_fields(first, schema))
        && let Some(own) = extreme(function.name())
    {
        call.fun = WindowFunctionDefinition::AggregateUDF(Arc::new(own));
    }
    let partitions = std::mem::take(&mut params.partition_by).into_iter();
    params.partition_by = partitions.map(|key| length_if(key, schema)).collect();
    call
}

fn is_bound_by_values(frame: &WindowFrame) -> bool {
    use datafusion::logical_expr::WindowFrameBound::{Following, Preceding};
    let is_value = |bound: &_| match bound {
        Preceding(value) | Following(value) => !value.is_null(),
        datafusion::logical_expr::WindowFrameBound::CurrentRow => false,
    };
    frame.units == WindowFrameUnits::Range
        && (is_value(&frame.start_bound) || is_value(&frame.end_bound))
}

fn rewrite_node(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    Ok(match node {
        LogicalPlan::Sort(Sort { expr, input, fetch })
            if expr.iter().any(|key| has_fields(&key.expr, input.schema())) =>
        {
            let expr = keys(expr, input.schema());
            Transformed::yes(LogicalPlan::Sort(Sort { expr, input, fetch }))
        }
        LogicalPlan::Join(mut join) if joins_spans(&join) => {
            join.on =
                join.on.into_iter().map(|(a, b)| (length_if(a, join.left.schema()), b)).collect();
            join.on =
                join.on.into_iter().map(|(a, b)| (a, length_if(b, join.right.schema()))).collect();
            Transformed::yes(LogicalPlan::Join(join))
        }
        LogicalPlan::Aggregate(aggregate) => grouped(aggregate)?,
        LogicalPlan::Distinct(Distinct::All(input))
            if input.schema().fields().iter().any(|field| *field.data_type() == SPAN) =>
        {
            let all = input.schema().columns().into_iter().map(Expr::Column).collect();
            grouped(Aggregate::try_new(input, all, Vec::new())?)?
        }
        LogicalPlan::Distinct(Distinct::On(on)) => {
            let schema = Arc::clone(on.input.schema());
            let on_expr = on.on_expr.into_iter().map(|key| length_if(key, &schema)).collect();
            let sort_expr = on.sort_expr.map(|own| keys(own, &schema));
            let on = DistinctOn { on_expr, sort_expr, ..on };
            Transformed::yes(LogicalPlan::Distinct(Distinct::On(on)))
        }
        other => Transformed::no(other),
    })
}

fn joins_spans(join: &Join) -> bool {
    join.on.iter().any(|(left, _)| has_fields(left, join.left.schema()))
}

/// Groups by lengths; the first span of each group stands for it.
fn grouped(aggregate: Aggregate) -> Result<Transformed<LogicalPlan>> {
    let schema = aggregate.input.schema();
    let by_length = |key: &Expr| has_fields(key, schema) && !key.is_volatile();
    if let [Expr::GroupingSet(sets)] = aggregate.group_expr.as_slice()
        && sets.distinct_expr().into_iter().any(|key| has_fields(key, schema))
    {
        let text = "GROUP BY ROLLUP, CUBE or GROUPING SETS of time spans";
        return Err(SqlError::unsupported(text).into());
    }
    if !aggregate.group_expr.iter().any(by_length) {
        return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    }
    let (mut keys, mut values) = (Vec::new(), aggregate.aggr_expr);
    let mut shown = Vec::new();
    let name = |at: usize| format!("__span_{at}");
    for (at, key) in aggregate.group_expr.into_iter().enumerate() {
        shown.push(by_length(&key));
        if !by_length(&key) {
            keys.push(key);
            continue;
        }
        let span = key.unalias();
        values.push(first_value(span.clone(), Vec::new()).alias(name(at)));
        keys.push(length(span).alias(format!("__length_{at}")));
    }
    let columns =
        aggregate.schema.iter().enumerate().map(|(at, (qualifier, field))| match shown.get(at) {
            Some(true) => Expr::Column(Column::from_name(name(at)))
                .alias_qualified(qualifier.cloned(), field.name()),
            _ => Expr::Column(Column::from((qualifier, field))),
        });
    let columns: Vec<Expr> = columns.collect();
    let by_lengths = Aggregate::try_new(aggregate.input, keys, values)?;
    let by_lengths = Arc::new(LogicalPlan::Aggregate(by_lengths));
    Ok(Transformed::yes(LogicalPlan::Projection(Projection::try_new(columns, by_lengths)?)))
}

/// The length of a span in nanoseconds.
pub(crate) fn nanos_of(span: IntervalMonthDayNano) -> i128 {
    let days = i128::from(span.months) * 30 + i128::from(span.days);
    days * 86_400_000_000_000 + i128::from(span.nanoseconds)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Length {
    signature: Signature,
}

impl ScalarUDFImpl for Length {
    fn name(&self) -> &str {
        "interval_length"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(LENGTH)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        by_rows(&args, |arrays, _| {
            let spans = cast(&arrays[0], &SPAN)?;
            let spans = spans.as_primitive::<IntervalMonthDayNanoType>().iter();
            let lengths: Decimal128Array = spans.map(|span| span.map(nanos_of)).collect();
            Ok(Arc::new(lengths.with_data_type(LENGTH)))
        })
    }
}

/// Functions that choose one of some spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Choice {
    Greatest,
    Least,
    NullIf,
}

impl Choice {
    fn named(name: &str) -> Option<Choice> {
        Some(match name {
            "greatest" => Choice::Greatest,
            "least" => Choice::Least,
            "nullif" => Choice::NullIf,
            _ => return None,
        })
    }

    fn function(self) -> ScalarUDF {
        let signature = Signature::variadic_any(Volatility::Immutable);
        ScalarUDF::new_from_impl(ChoiceFunction { choice: self, signature })
    }

    /// The one of `spans` that it is. Nulls count for nothing, but where two are compared.
    fn of(
        self,
        mut spans: impl Iterator<Item = Option<IntervalMonthDayNano>>,
    ) -> Option<IntervalMonthDayNano> {
        match self {
            Choice::Greatest => spans.flatten().max_by_key(|span| nanos_of(*span)),
            Choice::Least => spans.flatten().min_by_key(|span| nanos_of(*span)),
            Choice::NullIf => {
                let (first, second) = (spans.next()??, spans.next().flatten());
                let equal = second.is_some_and(|second| nanos_of(first) == nanos_of(second));
                (!equal).then_some(first)
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ChoiceFunction {
    choice: Choice,
    signature: Signature,
}

impl ScalarUDFImpl for ChoiceFunction {
    fn name(&self) -> &str {
        match self.choice {
            Choice::Greatest => "greatest_span",
            Choice::Least => "least_span",
            Choice::NullIf => "nullif_span",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(SPAN)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        by_rows(&args, |arrays, rows| {
            let columns: Vec<&IntervalMonthDayNanoArray> =
                arrays.iter().map(|array| array.as_primitive()).collect();
            let value = |row: usize| {
                move |column: &&IntervalMonthDayNanoArray| {
                    column.is_valid(row).then(|| column.value(row))
                }
            };
            let chosen = (0..rows).map(|row| self.choice.of(columns.iter().map(value(row))));
            Ok(Arc::new(chosen.collect::<IntervalMonthDayNanoArray>()))
        })
    }
}
