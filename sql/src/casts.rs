//! Casts, and functions that round, as Postgres does them where DataFusion would answer otherwise
//! without an error.
//!
//! In goes an analysed plan; out comes one in which
//!
//! - numbers and times as text read as a client sees them (`2026-01-02 03:04:05`, not `...T...`),
//! - text as a span of time reads as Postgres writes spans (`1 day 02:03:04`), and as a float is one, or
//!   an error where there is none of that size,
//! - a time as a date is no step on the way to an order: DataFusion took `timestamp::date = '...'`
//!   for a proof that all rows have one timestamp, and dropped `ORDER BY timestamp`,
//! - a float rounds to the even one of two whole numbers, and what rounds a decimal returns no
//!   digits that it cut off,
//! - a date and a number of days is a date.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, ArrowPrimitiveType, AsArray, IntervalMonthDayNanoArray, PrimitiveArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Field, Float32Type, Float64Type, IntervalUnit, TimeUnit,
};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::{Cast, ScalarFunction};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;
use sqlparser::ast::BinaryOperator;

use crate::arithmetic::whole;
use crate::by_rows::by_rows;
use crate::encode;
use crate::error::SqlError;
use crate::expressions::rewrite_all;
use crate::interval;

/// The name of the cast of a time to a date.
pub(crate) const TO_DAY: &str = "to_day";

/// Digits of a decimal.
const DIGITS: u8 = 38;

/// The rule. It must run after types were coerced.
#[derive(Debug, Default)]
pub(crate) struct PostgresCasts;

impl AnalyzerRule for PostgresCasts {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        rewrite_all(plan, rewrite_expr)
    }

    fn name(&self) -> &str {
        "postgres_casts"
    }
}

fn rewrite_expr(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expr {
        Expr::Cast(Cast { expr: inner, field }) => {
            let from = inner.get_type(schema)?;
            let to = field.data_type();
            let lossy_time = matches!(from, DataType::Timestamp(..))
                && matches!(to, DataType::Timestamp(TimeUnit::Second | TimeUnit::Millisecond, _));
            let kind = match to {
                DataType::Date32 if matches!(from, DataType::Timestamp(..)) => Kind::Day,
                to if lossy_time => Kind::Coarser(to.clone()),
                to if to.is_string() && is_shown_otherwise(&from) => Kind::Text,
                DataType::Interval(_) if from.is_string() => Kind::Span,
                DataType::Float32 | DataType::Float64 if from.is_string() => {
                    Kind::Float(to.clone())
                }
                _ => return Ok(Transformed::no(Expr::Cast(Cast { expr: inner, field }))),
            };
            let call = kind.clone().function().call(vec![*inner]);
            Ok(Transformed::yes(match kind {
                Kind::Text if *to != DataType::Utf8 => {
                    Expr::Cast(Cast { expr: Box::new(call), field })
                }
                _ => call,
            }))
        }
        Expr::ScalarFunction(call) => rounded(call, schema),
        other => Ok(Transformed::no(other)),
    }
}

/// Whether a client sees other texts of such values than Arrow makes.
fn is_shown_otherwise(kind: &DataType) -> bool {
    kind.is_floating()
        || *kind == encode::NUMERIC
        || matches!(
            kind,
            DataType::Timestamp(..)
                | DataType::Time32(_)
                | DataType::Time64(_)
                | DataType::Interval(_)
                | DataType::Duration(_)
        )
}

/// `round`, `ceil`, `floor` and `trunc`.
fn rounded(call: ScalarFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let kind = match call.args.first() {
        Some(first) if matches!(call.func.name(), "round" | "ceil" | "floor" | "trunc") => {
            first.get_type(schema)?
        }
        _ => return Ok(Transformed::no(Expr::ScalarFunction(call))),
    };
    if call.func.name() == "round" && call.args.len() == 1 && kind == DataType::Float64 {
        return Ok(Transformed::yes(whole().call(call.args)));
    }
    let digits = match call.args.get(1) {
        None => Some(0),
        Some(Expr::Literal(value, _)) => match value.cast_to(&DataType::Int64) {
            Ok(ScalarValue::Int64(Some(digits))) => i8::try_from(digits.max(0)).ok(),
            _ => None,
        },
        Some(_) => None,
    };
    let mut call = call;
    // `floor(-0.5)` has a digit more in front of the point than what it is of.
    if let DataType::Decimal128(precision, scale) = kind
        && precision < DIGITS
    {
        let wider = DataType::Decimal128(precision + 1, scale);
        let first = call.args.remove(0);
        call.args.insert(0, cast_to(first, wider));
    }
    match (kind, digits) {
        (DataType::Decimal128(_, scale), Some(digits)) if digits != scale && digits <= 20 => {
            let kind = DataType::Decimal128(DIGITS, digits);
            Ok(Transformed::yes(cast_to(Expr::ScalarFunction(call), kind)))
        }
        _ => Ok(Transformed::no(Expr::ScalarFunction(call))),
    }
}

fn cast_to(expr: Expr, kind: DataType) -> Expr {
    Expr::Cast(Cast { expr: Box::new(expr), field: Arc::new(Field::new("cast", kind, true)) })
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Kind {
    /// To text.
    Text,
    /// From a time to a date.
    Day,
    /// From a time to a type with less of it.
    Coarser(DataType),
    /// From text to a span of time.
    Span,
    /// From text to a float of this type.
    Float(DataType),
}

impl Kind {
    fn function(self) -> ScalarUDF {
        let signature = Signature::any(1, Volatility::Immutable);
        ScalarUDF::new_from_impl(CastFunction { kind: self, signature })
    }
}

/// A cast that nothing is known of but what it returns.
#[derive(Debug, PartialEq, Eq, Hash)]
struct CastFunction {
    kind: Kind,
    signature: Signature,
}

impl ScalarUDFImpl for CastFunction {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Text => "to_text",
            Kind::Day => TO_DAY,
            Kind::Coarser(_) => "to_coarser",
            Kind::Span => "to_span",
            Kind::Float(_) => "to_float",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match &self.kind {
            Kind::Text => DataType::Utf8,
            Kind::Day => DataType::Date32,
            Kind::Coarser(kind) | Kind::Float(kind) => kind.clone(),
            Kind::Span => DataType::Interval(IntervalUnit::MonthDayNano),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        by_rows(&args, |arrays, _| match self.kind {
            Kind::Text => text_of(&arrays[0]),
            Kind::Day | Kind::Coarser(_) => Ok(cast(&arrays[0], &self.return_type(&[])?)?),
            Kind::Span => spans_of(&arrays[0]),
            Kind::Float(DataType::Float32) => {
                floats_of::<Float32Type>(&arrays[0], "real", f64::from)
            }
            Kind::Float(_) => {
                floats_of::<Float64Type>(&arrays[0], "double precision", |value| value)
            }
        })
    }
}

/// Texts as spans of time.
fn spans_of(array: &ArrayRef) -> Result<ArrayRef> {
    let texts = cast(array, &DataType::Utf8)?;
    let spans = texts.as_string::<i32>().iter();
    let spans = spans.map(|text| text.map(interval::parse).transpose());
    Ok(Arc::new(spans.collect::<Result<IntervalMonthDayNanoArray, SqlError>>()?))
}

/// Texts as floats. What is written with digits is no infinity, and zero only where all of them are.
fn floats_of<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    name: &str,
    wide: impl Fn(T::Native) -> f64,
) -> Result<ArrayRef>
where
    T::Native: std::str::FromStr,
{
    let texts = cast(array, &DataType::Utf8)?;
    let float = |text: &str| {
        let digits = text.trim();
        let value: T::Native = digits.parse().map_err(|_| {
            let text = format!("invalid input syntax for type {name}: \"{text}\"");
            SqlError::new("22P02", text)
        })?;
        let (read, mut mantissa) = (wide(value), digits.split(['e', 'E']).next().unwrap_or(""));
        mantissa = mantissa.trim_start_matches(['+', '-']);
        let is_number = mantissa.starts_with(|char: char| char.is_ascii_digit() || char == '.');
        let has_digits = mantissa.contains(|char: char| ('1'..='9').contains(&char));
        if is_number && (read.is_infinite() || (read == 0.0 && has_digits)) {
            let text = format!("\"{digits}\" is out of range for type {name}");
            return Err(SqlError::new("22003", text));
        }
        Ok(value)
    };
    let floats = texts.as_string::<i32>().iter().map(|text| text.map(float).transpose());
    Ok(Arc::new(floats.collect::<Result<PrimitiveArray<T>, SqlError>>()?))
}

/// Values as texts, as a client sees them.
pub(crate) fn text_of(array: &ArrayRef) -> Result<ArrayRef> {
    if is_shown_otherwise(array.data_type())
        && let Some(texts) = encode::texts(array)?
    {
        return Ok(Arc::new(texts));
    }
    Ok(cast(array, &DataType::Utf8)?)
}

/// Plans a date and a number of days, which would be coerced to a time and a span of it.
#[derive(Debug)]
pub(crate) struct DayPlanner;

impl ExprPlanner for DayPlanner {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let (left, right) = (expr.left.get_type(schema), expr.right.get_type(schema));
        let (Ok(left), Ok(right)) = (left, right) else {
            return Ok(PlannerResult::Original(expr));
        };
        let op = match (&expr.op, left, right) {
            (BinaryOperator::Plus, DataType::Date32, days) if days.is_integer() => Operator::Plus,
            (BinaryOperator::Minus, DataType::Date32, days) if days.is_integer() => Operator::Minus,
            (BinaryOperator::Plus, days, DataType::Date32) if days.is_integer() => Operator::Plus,
            _ => return Ok(PlannerResult::Original(expr)),
        };
        let days = |expr| Box::new(cast_to(cast_to(expr, DataType::Int32), DataType::Int64));
        let (left, right) = (days(expr.left), days(expr.right));
        let sum = Expr::BinaryExpr(BinaryExpr { left, op, right });
        Ok(PlannerResult::Planned(cast_to(cast_to(sum, DataType::Int32), DataType::Date32)))
    }
}
