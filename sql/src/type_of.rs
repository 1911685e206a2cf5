//! `pg_typeof(x)`: the type that a client is told.
//!
//! In goes a call; out comes the oid of a type as a `regtype`. A literal without a cast is to Postgres
//! what the planner here no longer knows of it: a text that is of no type yet, an `integer`.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use pgwire::api::Type;
use sqlparser::ast::{Expr, Value};

use crate::encode::pg_type;

const TYPE_OID: &str = "type_oid";

/// What a call of `pg_typeof` is, as text.
pub(crate) fn rewritten(argument: &Expr) -> String {
    let known = literal(argument).map(|kind| kind.oid());
    match known {
        Some(oid) => format!("regtype({oid})"),
        None => format!("regtype({TYPE_OID}({argument}))"),
    }
}

fn literal(expr: &Expr) -> Option<Type> {
    match expr {
        Expr::Nested(inner) => literal(inner),
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(_) | Value::Null => Some(Type::UNKNOWN),
            Value::Number(digits, _) if digits.parse::<i32>().is_ok() => Some(Type::INT4),
            _ => None,
        },
        Expr::Array(array) => {
            let kinds: Vec<_> = array.elem.iter().map(literal).collect();
            let is = |wanted: Type| {
                !kinds.is_empty() && kinds.iter().all(|kind| *kind == Some(wanted.clone()))
            };
            match (is(Type::INT4), is(Type::UNKNOWN)) {
                (true, _) => Some(Type::INT4_ARRAY),
                (_, true) => Some(Type::TEXT_ARRAY),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The function that knows the types of columns.
pub(crate) fn function() -> ScalarUDF {
    ScalarUDF::new_from_impl(TypeOid { signature: Signature::any(1, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TypeOid {
    signature: Signature,
}

impl ScalarUDFImpl for TypeOid {
    fn name(&self) -> &str {
        TYPE_OID
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let oid = pg_type(&args.arg_fields[0])?.oid();
        // Oids of Postgres' own types are small.
        Ok(ColumnarValue::Scalar(ScalarValue::Int32(i32::try_from(oid).ok())))
    }
}
