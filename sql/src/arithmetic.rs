//! Arithmetic as Postgres does it, where DataFusion would return another number without an error.
//!
//! In goes an analysed plan, whose operators have their final types; out comes one in which integers
//! do not wrap around, a division of floats by zero is an error, casts to integers round, and a date
//! with an interval is a timestamp.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, Float64Array};
use datafusion::arrow::compute::kernels::{cmp, numeric};
use datafusion::arrow::datatypes::{DataType, Field, Float64Type, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;

use crate::error::SqlError;
use crate::expressions::rewrite_all;

/// The rule. It must run after types were coerced.
#[derive(Debug, Default)]
pub(crate) struct PostgresArithmetic;

impl AnalyzerRule for PostgresArithmetic {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        rewrite_all(plan, rewrite_expr)
    }

    fn name(&self) -> &str {
        "postgres_arithmetic"
    }
}

fn rewrite_expr(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let kind = |expr: &Expr| expr.get_type(schema).unwrap_or(DataType::Null);
    let is_operator = matches!(
        &expr,
        Expr::BinaryExpr(BinaryExpr {
            op: Operator::Plus | Operator::Minus | Operator::Multiply | Operator::Divide,
            ..
        })
    );
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_operator => {
            let (left_kind, right_kind) = (kind(&left), kind(&right));
            if left_kind == DataType::Date32 && matches!(right_kind, DataType::Interval(_)) {
                let left = Box::new(timestamp(*left));
                return Ok(Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right })));
            }
            if right_kind == DataType::Date32 && matches!(left_kind, DataType::Interval(_)) {
                let right = Box::new(timestamp(*right));
                return Ok(Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right })));
            }
            let integers = left_kind.is_integer() && left_kind == right_kind;
            let floats = left_kind.is_floating() && left_kind == right_kind;
            let checked = match op {
                Operator::Plus if integers => Op::Add,
                Operator::Minus if integers => Op::Subtract,
                Operator::Multiply if integers => Op::Multiply,
                Operator::Divide if floats => Op::Divide,
                _ => return Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right }))),
            };
            Ok(Transformed::yes(checked.function().call(vec![*left, *right])))
        }
        Expr::Negative(inner) if kind(&inner).is_integer() => {
            Ok(Transformed::yes(Op::Negate.function().call(vec![*inner])))
        }
        Expr::Cast(Cast { expr: inner, field }) if field.data_type().is_integer() => {
            let from = kind(&inner);
            if !from.is_floating() && !from.is_decimal() {
                return Ok(Transformed::no(Expr::Cast(Cast { expr: inner, field })));
            }
            let rounded = Box::new(Op::Round.function().call(vec![*inner]));
            Ok(Transformed::yes(Expr::Cast(Cast { expr: rounded, field })))
        }
        other => Ok(Transformed::no(other)),
    }
}

fn timestamp(expr: Expr) -> Expr {
    let kind = DataType::Timestamp(TimeUnit::Nanosecond, None);
    Expr::Cast(Cast { expr: Box::new(expr), field: Arc::new(Field::new("timestamp", kind, true)) })
}

/// The function that rounds to a whole number.
pub(crate) fn whole() -> ScalarUDF {
    Op::Round.function()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Op {
    Add,
    Subtract,
    Multiply,
    Divide,
    Negate,
    /// To a whole number: floats to the even one of two that are as near, decimals away from zero.
    Round,
}

impl Op {
    fn function(self) -> ScalarUDF {
        let count = if matches!(self, Op::Negate | Op::Round) { 1 } else { 2 };
        let signature = Signature::any(count, Volatility::Immutable);
        ScalarUDF::new_from_impl(Checked { op: self, signature })
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    op: Op,
    signature: Signature,
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        match self.op {
            Op::Add => "add",
            Op::Subtract => "subtract",
            Op::Multiply => "multiply",
            Op::Divide => "divide",
            Op::Negate => "negate",
            Op::Round => "to_whole",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        Ok(args[0].clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let first = args.args[0].to_array(rows)?;
        let second = args.args.get(1).map(|arg| arg.to_array(rows)).transpose()?;
        let out = match (self.op, &second) {
            (Op::Add, Some(second)) => numeric::add(&first, second),
            (Op::Subtract, Some(second)) => numeric::sub(&first, second),
            (Op::Multiply, Some(second)) => numeric::mul(&first, second),
            (Op::Divide, Some(second)) => {
                let zero = ScalarValue::new_zero(second.data_type())?.to_scalar()?;
                let zeros = cmp::eq(second, &zero)?;
                // A division by zero of nothing is nothing.
                let valid = |row: usize| first.is_valid(row) && zeros.is_valid(row);
                if (0..rows).any(|row| valid(row) && zeros.value(row)) {
                    return Err(SqlError::new("22012", "division by zero").into());
                }
                numeric::div(&first, second)
            }
            (Op::Negate, _) => numeric::neg(first.as_ref()),
            _ => return returned(rounded(&first)?, constant),
        };
        let out = out.map_err(|error| overflow(error, first.data_type()))?;
        returned(out, constant)
    }
}

fn overflow(error: datafusion::arrow::error::ArrowError, kind: &DataType) -> SqlError {
    let error = SqlError::from(error);
    let name = match kind {
        DataType::Int16 => "smallint",
        DataType::Int32 => "integer",
        DataType::Int64 => "bigint",
        _ => "number",
    };
    if error.code == "22003" {
        SqlError::new("22003", format!("{name} out of range"))
    } else {
        error
    }
}

fn rounded(array: &Arc<dyn Array>) -> Result<Arc<dyn Array>> {
    use datafusion::arrow::compute::cast;
    match array.data_type() {
        // Arrow rounds a decimal that loses digits away from zero.
        DataType::Decimal128(precision, scale) if *scale > 0 => {
            let whole = cast(array, &DataType::Decimal128(*precision, 0))?;
            Ok(cast(&whole, array.data_type())?)
        }
        DataType::Float64 => {
            let floats = array.as_primitive::<Float64Type>();
            let rounded: Float64Array = floats.unary(f64::round_ties_even);
            Ok(Arc::new(rounded))
        }
        DataType::Float32 => {
            let floats = array.as_primitive::<datafusion::arrow::datatypes::Float32Type>();
            let rounded: datafusion::arrow::array::Float32Array =
                floats.unary(f32::round_ties_even);
            Ok(Arc::new(rounded))
        }
        _ => Ok(Arc::clone(array)),
    }
}

fn returned(array: Arc<dyn Array>, constant: bool) -> Result<ColumnarValue> {
    Ok(match constant {
        true => ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?),
        false => ColumnarValue::Array(array),
    })
}
