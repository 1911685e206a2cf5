//! Columns that the engine takes for one: `sum(x::int2), sum(x::int4)`.
//!
//! A cast is no part of the name that DataFusion gives an expression, and what it aggregates must have
//! names of its own: the two were `sum(x)` both, which was refused. In goes a statement that was refused
//! for that; out comes one in which each cast says its type, `cast_as(x::int2, 'int2')`. The function is
//! gone once the plan is simplified.

use std::ops::ControlFlow;

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use sqlparser::ast::{self, Ident, SelectItem, SetExpr, VisitMut, VisitorMut};

use crate::rewrite::parsed;

const CAST_AS: &str = "cast_as";

/// The same statement with a name of its own for each column, and for what each is made of.
pub(crate) fn tell_apart(statement: &ast::Statement) -> ast::Statement {
    let mut statement = statement.clone();
    name_columns(&mut statement);
    let _ = VisitMut::visit(&mut statement, &mut Casts);
    statement
}

fn name_columns(statement: &mut ast::Statement) {
    let ast::Statement::Query(query) = statement else { return };
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    for (index, item) in select.projection.iter_mut().enumerate() {
        let SelectItem::UnnamedExpr(expr) = item else { continue };
        let alias = Ident::with_quote('"', format!("column {index}"));
        *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
    }
}

struct Casts;

impl VisitorMut for Casts {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut ast::Expr) -> ControlFlow<()> {
        if let ast::Expr::Cast { data_type, .. } = expr {
            let kind = data_type.to_string().replace('\'', "''");
            if let Ok(named) = parsed(&format!("{CAST_AS}({expr}, '{kind}')")) {
                *expr = named;
            }
        }
        ControlFlow::Continue(())
    }
}

/// The function, which is its first argument.
pub(crate) fn function() -> ScalarUDF {
    ScalarUDF::new_from_impl(CastAs { signature: Signature::any(2, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CastAs {
    signature: Signature,
}

impl ScalarUDFImpl for CastAs {
    fn name(&self) -> &str {
        CAST_AS
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, kinds: &[DataType]) -> Result<DataType> {
        Ok(kinds[0].clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(args.arg_fields[0].clone())
    }

    fn simplify(&self, args: Vec<Expr>, _: &SimplifyContext) -> Result<ExprSimplifyResult> {
        match args.into_iter().next() {
            Some(cast) => Ok(ExprSimplifyResult::Simplified(cast)),
            None => internal_err!("{CAST_AS} without arguments"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(args.args[0].clone())
    }
}
