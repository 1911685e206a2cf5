//! `x = ANY(array)` and `x <> ALL(array)` as Postgres reads them: where the array has a null and no `x`,
//! nobody knows whether it has one.
//!
//! In goes an analysed plan, in which both became `array_has`; out comes one in which that is null
//! there. DataFusion says that it has none, so `x <> ALL(array)` kept rows that Postgres does not.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Result, ScalarValue};
use datafusion::functions_nested::array_has::ArrayHas;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use datafusion::optimizer::AnalyzerRule;

use crate::expressions::rewrite_all;

/// The rule.
#[derive(Debug, Default)]
pub(crate) struct PostgresAny;

impl AnalyzerRule for PostgresAny {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let known = Arc::new(ScalarUDF::new_from_impl(Has { plain: ArrayHas::new() }));
        rewrite_all(plan, |expr, _| {
            Ok(match expr {
                Expr::ScalarFunction(mut call)
                    if call.func.name() == known.name() && call.func != known =>
                {
                    call.func = known.clone();
                    Transformed::yes(Expr::ScalarFunction(call))
                }
                other => Transformed::no(other),
            })
        })
    }

    fn name(&self) -> &str {
        "postgres_any"
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Has {
    plain: ArrayHas,
}

impl ScalarUDFImpl for Has {
    fn name(&self) -> &str {
        self.plain.name()
    }

    fn signature(&self) -> &Signature {
        self.plain.signature()
    }

    fn return_type(&self, kinds: &[DataType]) -> Result<DataType> {
        self.plain.return_type(kinds)
    }

    /// A constant array becomes a list, which knows of nulls.
    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        self.plain.simplify(args, info)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = args.args.first().cloned();
        let rows = args.number_rows;
        let has = self.plain.invoke_with_args(args)?;
        let Some(arrays) = arrays else { return Ok(has) };
        let constant = matches!(has, ColumnarValue::Scalar(_));
        let rows = if constant { 1 } else { rows };
        let arrays = arrays.to_array(rows)?;
        let Some(lists) = arrays.as_list_opt::<i32>() else { return Ok(has) };
        if lists.values().null_count() == 0 {
            return Ok(has);
        }
        let has = has.to_array(rows)?;
        let known = has.as_boolean().iter().enumerate().map(|(row, has)| match has {
            Some(false) if lists.value(row).null_count() > 0 => None,
            known => known,
        });
        let known: ArrayRef = Arc::new(known.collect::<BooleanArray>());
        Ok(match constant {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&known, 0)?),
            false => ColumnarValue::Array(known),
        })
    }
}
