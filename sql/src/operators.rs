//! Operators that DataFusion has not, between types that Postgres has them for.
//!
//! - A text that is compared with a truth is one: `datallowconn = 't'`.
//! - A time span times a number, or divided by one, is a time span.
//! - A text that is compared with a time span is one; `spans.rs` says how spans are compared.

use std::sync::Arc;

use datafusion::arrow::array::{AsArray, Float64Array, IntervalMonthDayNanoArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Float64Type, IntervalMonthDayNano, IntervalMonthDayNanoType,
};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use sqlparser::ast::BinaryOperator;

use crate::error::SqlError;
use crate::spans::{SPAN, is_span, span_of_text};

const DAY_NANOS: f64 = 86_400e9;

/// Plans them.
#[derive(Debug)]
pub(crate) struct OperatorPlanner;

impl ExprPlanner for OperatorPlanner {
    fn plan_binary_op(
        &self,
        mut expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let kind = |expr: &Expr| expr.get_type(schema).unwrap_or(DataType::Null);
        let (left, right) = (kind(&expr.left), kind(&expr.right));
        match expr.op {
            BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::Lt
            | BinaryOperator::LtEq
            | BinaryOperator::Gt
            | BinaryOperator::GtEq
                if is_span(&left) || is_span(&right) =>
            {
                expr.left = span_of_text(expr.left)?;
                expr.right = span_of_text(expr.right)?;
            }
            BinaryOperator::Eq | BinaryOperator::NotEq => {
                if left == DataType::Boolean {
                    expr.right = truth(expr.right)?;
                } else if right == DataType::Boolean {
                    expr.left = truth(expr.left)?;
                }
            }
            BinaryOperator::Multiply if is_span(&left) && right.is_numeric() => {
                return Ok(PlannerResult::Planned(times(expr.left, expr.right, false)));
            }
            BinaryOperator::Multiply if left.is_numeric() && is_span(&right) => {
                return Ok(PlannerResult::Planned(times(expr.right, expr.left, false)));
            }
            BinaryOperator::Divide if is_span(&left) && right.is_numeric() => {
                return Ok(PlannerResult::Planned(times(expr.left, expr.right, true)));
            }
            _ => {}
        }
        Ok(PlannerResult::Original(expr))
    }
}

/// A literal as a truth, if it is a text.
fn truth(expr: Expr) -> Result<Expr> {
    let Expr::Literal(value, metadata) = &expr else { return Ok(expr) };
    let Some(Some(text)) = value.try_as_str() else { return Ok(expr) };
    let value = match text.trim().to_lowercase().as_str() {
        "t" | "true" | "yes" | "on" | "y" | "1" => true,
        "f" | "false" | "no" | "off" | "n" | "0" => false,
        _ => {
            let text = format!("invalid input syntax for type boolean: \"{text}\"");
            return Err(SqlError::new("22P02", text).into());
        }
    };
    Ok(Expr::Literal(ScalarValue::Boolean(Some(value)), metadata.clone()))
}

fn times(span: Expr, factor: Expr, divides: bool) -> Expr {
    let signature = Signature::any(2, Volatility::Immutable);
    ScalarUDF::new_from_impl(Times { divides, signature }).call(vec![span, factor])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Times {
    divides: bool,
    signature: Signature,
}

impl ScalarUDFImpl for Times {
    fn name(&self) -> &str {
        if self.divides { "interval_div" } else { "interval_mul" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(SPAN)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let spans = cast(&args.args[0].to_array(args.number_rows)?, &SPAN)?;
        let spans = spans.as_primitive::<IntervalMonthDayNanoType>();
        let factors = cast(&args.args[1].to_array(args.number_rows)?, &DataType::Float64)?;
        let factors: &Float64Array = factors.as_primitive::<Float64Type>();
        let values = spans.iter().zip(factors).map(|(span, factor)| {
            let (Some(span), Some(factor)) = (span, factor) else { return Ok(None) };
            if self.divides && factor == 0.0 {
                return Err(SqlError::new("22012", "division by zero"));
            }
            let factor = if self.divides { 1.0 / factor } else { factor };
            let product = scaled(span, factor);
            product.map(Some).ok_or_else(|| SqlError::new("22008", "interval out of range"))
        });
        let values = values.collect::<Result<IntervalMonthDayNanoArray, SqlError>>()?;
        Ok(ColumnarValue::Array(Arc::new(values)))
    }
}

/// Parts of months become days of 30 to a month, parts of days become time.
#[allow(clippy::cast_possible_truncation)]
fn scaled(span: IntervalMonthDayNano, factor: f64) -> Option<IntervalMonthDayNano> {
    let months = f64::from(span.months) * factor;
    // What a division leaves of a month in the last digits is no time.
    let of_month = (months.fract() * 30.0 * 1e6).round() / 1e6;
    let own = f64::from(span.days) * factor;
    let of_days = ((own.fract() + of_month.fract()) * DAY_NANOS / 1000.0).round() * 1000.0;
    let days = own.trunc() + of_month.trunc() + (of_days / DAY_NANOS).trunc();
    let nanos = span.nanoseconds as f64 * factor + of_days % DAY_NANOS;
    let micros = (nanos / 1000.0).round();
    let fits = |value: f64, max: f64| value.is_finite() && value.abs() < max;
    if !fits(months, 2e9) || !fits(days, 2e9) || !fits(micros, 9e15) {
        return None;
    }
    Some(IntervalMonthDayNano::new(months as i32, days as i32, micros as i64 * 1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        let check = |(months, days, nanos), factor, expected: (i32, i32, i64)| {
            let got = scaled(IntervalMonthDayNano::new(months, days, nanos), factor).unwrap();
            assert_eq!((got.months, got.days, got.nanoseconds), expected);
        };
        check((0, 0, 300_000_000_000), 2.0, (0, 0, 600_000_000_000));
        check((1, 0, 0), 0.5, (0, 15, 0));
        check((0, 1, 0), 1.5, (0, 1, 43_200_000_000_000));
        check((14, 3, 0), -1.0, (-14, -3, 0));
        check((0, 1, 0), 1.0 / 3.0, (0, 0, 28_800_000_000_000));
        check((0, 1, 0), 1.0 / 24.0, (0, 0, 3_600_000_000_000));
        check((1, 0, 0), 1.0 / 7.0, (0, 4, 24_685_689_600_000));
        assert!(scaled(IntervalMonthDayNano::new(i32::MAX, 0, 0), 2.0).is_none());
    }
}
