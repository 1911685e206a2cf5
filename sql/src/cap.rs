//! Functions whose result can be far larger than their arguments, kept within bounds.
//!
//! DataFusion accounts for the memory of operators and not for that of functions, so
//! `repeat('x', 2147483647)` would allocate what it says. Each such function is wrapped with an
//! estimate of its worst case per row.
//!
//! - No row and no batch of results is larger than `RESULT_BYTES_MAX`.
//! - Rows are evaluated in runs, so that what is allocated before the check is bounded, too.

use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringBuilder};
use datafusion::arrow::compute::{cast, concat};
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ExprSchemable, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use sqlparser::ast::BinaryOperator;

use crate::error::SqlError;

/// The most that one call may return.
pub(crate) const RESULT_BYTES_MAX: u64 = 64 << 20;

/// The worst case of a function: the bytes of one result, from the arguments of its row.
type Estimate = fn(&[Argument], usize) -> u64;

/// Functions by name, with their worst case.
const CAPPED: &[(&str, Estimate)] = &[
    ("repeat", |args, row| args[0].bytes(row).saturating_mul(args[1].number(row))),
    ("lpad", pad),
    ("rpad", pad),
    ("array_repeat", |args, row| args[0].bytes(row).max(8).saturating_mul(args[1].number(row))),
    ("array_resize", |args, row| args[1].number(row).saturating_mul(16)),
    ("range", series),
    ("generate_series", series),
    ("replace", |args, row| {
        let places = args[0].bytes(row) / args[1].bytes(row).max(1) + 1;
        places.saturating_mul(args[2].bytes(row)).saturating_add(args[0].bytes(row))
    }),
    ("regexp_replace", |args, row| (args[0].bytes(row) + 1).saturating_mul(args[2].bytes(row) + 1)),
    ("concat", sum),
    ("concat_ws", |args, row| {
        let separators = args[0].bytes(row).saturating_mul(args.len() as u64);
        sum(args, row).saturating_add(separators)
    }),
    ("translate", |args, row| args[0].bytes(row).saturating_mul(4)),
    ("array_to_string", |args, row| {
        args[0].bytes(row).saturating_mul(4).saturating_mul(args[1].bytes(row).max(1))
    }),
    ("string_to_array", |args, row| args[0].bytes(row).saturating_mul(32)),
];

fn pad(args: &[Argument], row: usize) -> u64 {
    // A character takes up to four bytes.
    args[1].number(row).saturating_mul(4)
}

fn sum(args: &[Argument], row: usize) -> u64 {
    args.iter().fold(0, |sum, argument| sum.saturating_add(argument.bytes(row)))
}

fn series(args: &[Argument], row: usize) -> u64 {
    // Over times the step is an interval; a nanosecond is the worst, and a series of days over
    // years passes because the days are counted.
    let (start, end) = match args {
        [end] => (0, end.signed(row)),
        [start, end, ..] => (start.signed(row), end.signed(row)),
        [] => return 0,
    };
    let step = args.get(2).map_or(1, |step| step.step(row)).max(1);
    (start.abs_diff(end) / step).saturating_mul(8)
}

/// An argument with its value per row, or one value for all.
struct Argument {
    array: ArrayRef,
    /// The values as numbers, if they are numbers or times.
    numbers: Option<Int64Array>,
    constant: bool,
}

impl Argument {
    fn new(value: &ColumnarValue) -> Result<Argument> {
        let (array, constant) = match value {
            ColumnarValue::Array(array) => (array.clone(), false),
            ColumnarValue::Scalar(scalar) => (scalar.to_array()?, true),
        };
        let kind = array.data_type();
        let numbers = match kind.is_numeric() || kind.is_temporal() {
            true => cast(&array, &DataType::Int64).ok(),
            false => None,
        };
        let numbers = numbers.map(|numbers| numbers.as_primitive().clone());
        Ok(Argument { array, numbers, constant })
    }

    fn at(&self, row: usize) -> Option<usize> {
        let row = if self.constant { 0 } else { row };
        self.array.is_valid(row).then_some(row)
    }

    fn bytes(&self, row: usize) -> u64 {
        let Some(row) = self.at(row) else { return 0 };
        let bytes = match self.array.data_type() {
            DataType::Utf8 => self.array.as_string::<i32>().value(row).len(),
            DataType::LargeUtf8 => self.array.as_string::<i64>().value(row).len(),
            DataType::Utf8View => self.array.as_string_view().value(row).len(),
            DataType::List(_) => {
                let list = self.array.as_list::<i32>().value(row);
                list.to_data().get_slice_memory_size().unwrap_or(usize::MAX)
            }
            // Other types are small, and text of them is, too.
            _ => 64,
        };
        bytes as u64
    }

    fn signed(&self, row: usize) -> i64 {
        match (self.at(row), &self.numbers) {
            (Some(row), Some(numbers)) => numbers.value(row),
            _ => 0,
        }
    }

    fn number(&self, row: usize) -> u64 {
        self.signed(row).max(0) as u64
    }

    fn step(&self, row: usize) -> u64 {
        let Some(row) = self.at(row) else { return 1 };
        match ScalarValue::try_from_array(&self.array, row) {
            Ok(ScalarValue::IntervalMonthDayNano(Some(step))) => {
                let days = i64::from(step.months) * 28 + i64::from(step.days);
                let step = days.saturating_mul(86_400_000_000_000).saturating_add(step.nanoseconds);
                step.unsigned_abs()
            }
            _ => self.signed(row).unsigned_abs(),
        }
    }
}

/// A function within bounds.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Capped {
    inner: Arc<ScalarUDF>,
    /// An index into `CAPPED`.
    estimate: usize,
}

impl Capped {
    fn too_large(&self) -> SqlError {
        let name = self.inner.name();
        SqlError::new(
            "54000",
            format!("result of {name}() is larger than {RESULT_BYTES_MAX} bytes"),
        )
    }

    /// Runs of rows whose results together are within bounds.
    fn runs(&self, args: &ScalarFunctionArgs) -> Result<Vec<Range<usize>>> {
        let estimate = CAPPED[self.estimate].1;
        let arguments = args.args.iter().map(Argument::new).collect::<Result<Vec<_>>>()?;
        let rows = match arguments.iter().all(|argument| argument.constant) {
            true => 1,
            false => args.number_rows,
        };
        let (mut runs, mut start, mut bytes) = (Vec::new(), 0, 0u64);
        for row in 0..rows {
            let worst = estimate(&arguments, row);
            if worst > RESULT_BYTES_MAX {
                return Err(self.too_large().into());
            }
            bytes += worst;
            if bytes > RESULT_BYTES_MAX {
                runs.push(start..row);
                (start, bytes) = (row, worst);
            }
        }
        runs.push(start..rows);
        Ok(runs)
    }
}

impl ScalarUDFImpl for Capped {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arg_types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(arg_types)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let runs = self.runs(&args)?;
        if runs.len() == 1 {
            return self.inner.invoke_with_args(args);
        }
        let (mut parts, mut bytes) = (Vec::new(), 0);
        for run in runs {
            let slice = |value: &ColumnarValue| match value {
                ColumnarValue::Array(array) => {
                    ColumnarValue::Array(array.slice(run.start, run.len()))
                }
                scalar => scalar.clone(),
            };
            let part = self.inner.invoke_with_args(ScalarFunctionArgs {
                args: args.args.iter().map(slice).collect(),
                arg_fields: args.arg_fields.clone(),
                number_rows: run.len(),
                return_field: args.return_field.clone(),
                config_options: args.config_options.clone(),
            })?;
            let part = part.into_array(run.len())?;
            bytes += part.get_array_memory_size() as u64;
            if bytes > RESULT_BYTES_MAX {
                return Err(self.too_large().into());
            }
            parts.push(part);
        }
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        Ok(ColumnarValue::Array(concat(&parts)?))
    }
}

/// Wraps `function` if it is one of those whose result can be large.
pub(crate) fn capped(function: &Arc<ScalarUDF>) -> Option<ScalarUDF> {
    let estimate = CAPPED.iter().position(|(name, _)| *name == function.name())?;
    Some(ScalarUDF::new_from_impl(Capped { inner: function.clone(), estimate }))
}

/// Plans `text || text` as a function, because operators cannot be wrapped.
#[derive(Debug)]
pub(crate) struct ConcatPlanner;

impl ExprPlanner for ConcatPlanner {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let text = |expr: &Expr| expr.get_type(schema).is_ok_and(|kind| kind.is_string());
        let plain = |expr: &Expr| expr.get_type(schema).is_ok_and(|kind| !kind.is_nested());
        let (left, right) = (&expr.left, &expr.right);
        let bytes = |expr: &Expr| {
            let kind = expr.get_type(schema);
            kind.is_ok_and(|kind| kind.is_binary())
        };
        if expr.op == BinaryOperator::StringConcat && (bytes(left) || bytes(right)) {
            return Err(SqlError::unsupported("|| of bytea").into());
        }
        let is_text = text(left) && plain(right) || plain(left) && text(right);
        if expr.op != BinaryOperator::StringConcat || !is_text {
            return Ok(PlannerResult::Original(expr));
        }
        let concat = Arc::new(ScalarUDF::new_from_impl(TextCat {
            signature: Signature::any(2, Volatility::Immutable),
        }));
        Ok(PlannerResult::Planned(concat.call(vec![expr.left, expr.right])))
    }
}

/// `||` over text: null if a side is.
#[derive(Debug, PartialEq, Eq, Hash)]
struct TextCat {
    signature: Signature,
}

impl ScalarUDFImpl for TextCat {
    fn name(&self) -> &str {
        "textcat"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let side = |value: &ColumnarValue| crate::casts::text_of(&value.to_array(rows)?);
        let sides = args.args.iter().map(side).collect::<Result<Vec<ArrayRef>>>()?;
        let (left, right) = (sides[0].as_string::<i32>(), sides[1].as_string::<i32>());
        let bytes = (left.value_data().len() + right.value_data().len()) as u64;
        if bytes > RESULT_BYTES_MAX {
            let text = format!("result of || is larger than {RESULT_BYTES_MAX} bytes");
            return Err(SqlError::new("54000", text).into());
        }
        let mut out = StringBuilder::with_capacity(rows, bytes as usize);
        for (left, right) in left.iter().zip(right) {
            match left.zip(right) {
                Some((left, right)) => out.append_value([left, right].concat()),
                None => out.append_null(),
            }
        }
        let out = out.finish();
        if constant {
            let scalar = ScalarValue::try_from_array(&out, 0)?;
            return Ok(ColumnarValue::Scalar(scalar));
        }
        Ok(ColumnarValue::Array(Arc::new(out)))
    }
}
