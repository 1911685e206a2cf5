//! JSON beside what datafusion-functions-json has: paths, containment, and lines that Promtail
//! packed.
//!
//! JSON is text here, and what is not JSON has no members: it gives null, as `->` does.
//!
//! - `#>` and `#>>` take a path: an array of texts, or its text form `'{a,0,b}'`.
//! - `@>` is that of jsonb: objects by members, arrays by elements, numbers by value.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{
    ColumnarValue, ExprSchemable, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, TypeSignature, Volatility,
};
use serde_json::Value;
use sqlparser::ast::BinaryOperator;

use crate::error::SqlError;
use crate::json_text::json_field;

/// The functions of this file.
pub(crate) fn functions() -> Vec<ScalarUDF> {
    Kind::ALL.map(Kind::function).into()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    /// `json #> path`, as JSON text.
    At,
    /// `json #>> path`, as text.
    TextAt,
    /// `json_extract_path(json, key, ...)`
    Path,
    /// `json_extract_path_text(json, key, ...)`
    PathText,
    /// `json @> json`
    Contains,
    /// `json_typeof(json)`
    TypeOf,
    /// `unpack(line)`: the line that was packed. `unpack(line, key)`: a label packed with it.
    Unpack,
}

impl Kind {
    const ALL: [Kind; 7] = [
        Kind::At,
        Kind::TextAt,
        Kind::Path,
        Kind::PathText,
        Kind::Contains,
        Kind::TypeOf,
        Kind::Unpack,
    ];

    fn function(self) -> ScalarUDF {
        let counts = match self {
            Kind::At | Kind::TextAt | Kind::Contains => vec![TypeSignature::Any(2)],
            Kind::TypeOf => vec![TypeSignature::Any(1)],
            Kind::Unpack => vec![TypeSignature::Any(1), TypeSignature::Any(2)],
            Kind::Path | Kind::PathText => vec![TypeSignature::VariadicAny],
        };
        let signature = Signature::one_of(counts, Volatility::Immutable);
        ScalarUDF::new_from_impl(Json { kind: self, signature })
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Json {
    kind: Kind,
    signature: Signature,
}

impl ScalarUDFImpl for Json {
    fn name(&self) -> &str {
        match self.kind {
            Kind::At => "json_at",
            Kind::TextAt => "json_text_at",
            Kind::Path => "json_extract_path",
            Kind::PathText => "json_extract_path_text",
            Kind::Contains => "jsonb_contains",
            Kind::TypeOf => "json_typeof",
            Kind::Unpack => "unpack",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(if self.kind == Kind::Contains { DataType::Boolean } else { DataType::Utf8 })
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        match self.kind {
            Kind::At | Kind::Path => Ok(json_field(self.name())),
            _ => {
                let kinds: Vec<DataType> =
                    args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
                Ok(Arc::new(Field::new(self.name(), self.return_type(&kinds)?, true)))
            }
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let texts = args.args.iter().map(|arg| {
            let array = arg.to_array(rows)?;
            match array.data_type() {
                DataType::List(_) | DataType::LargeList(_) => Ok(array),
                DataType::Union(..) => {
                    cast(&crate::functions::json_text(&array)?, &DataType::Utf8).map_err(Into::into)
                }
                _ => cast(&array, &DataType::Utf8).map_err(Into::into),
            }
        });
        let texts = texts.collect::<Result<Vec<ArrayRef>>>()?;
        let array: ArrayRef = match self.kind {
            Kind::Contains => {
                let (whole, part) = (text(&texts[0])?, text(&texts[1])?);
                let held = (0..rows).map(|row| {
                    let (whole, part) = (parsed(whole, row)?, parsed(part, row)?);
                    Some(contains(&whole, &part, true))
                });
                Arc::new(held.collect::<BooleanArray>())
            }
            _ => {
                let values = (0..rows).map(|row| self.value(&texts, row));
                Arc::new(values.collect::<Result<StringArray>>()?)
            }
        };
        Ok(match constant {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?),
            false => ColumnarValue::Array(array),
        })
    }
}

impl Json {
    fn value(&self, args: &[ArrayRef], row: usize) -> Result<Option<String>> {
        let json = text(&args[0])?;
        if json.is_null(row) {
            return Ok(None);
        }
        let value = parsed(json, row);
        let as_text = matches!(self.kind, Kind::TextAt | Kind::PathText);
        let keys = match self.kind {
            Kind::At | Kind::TextAt => path(&args[1], row)?,
            Kind::Path | Kind::PathText => {
                let keys = args[1..].iter().map(|key| {
                    let key = text(key)?;
                    Ok(key.is_valid(row).then(|| key.value(row).to_owned()))
                });
                keys.collect::<Result<Option<Vec<String>>>>()?
            }
            Kind::TypeOf => return Ok(value.as_ref().map(|value| kind_of(value).to_owned())),
            Kind::Unpack => return unpacked(json.value(row), value.as_ref(), args.get(1), row),
            Kind::Contains => unreachable!("it has no text"),
        };
        let (Some(value), Some(keys)) = (value, keys) else { return Ok(None) };
        Ok(member(&value, &keys).and_then(|found| shown(found, as_text)))
    }
}

fn text(array: &ArrayRef) -> Result<&StringArray> {
    let other = || SqlError::new("42883", "a JSON function of an array").into();
    array.as_string_opt::<i32>().ok_or_else(other)
}

fn parsed(texts: &StringArray, row: usize) -> Option<Value> {
    texts.is_valid(row).then(|| serde_json::from_str(texts.value(row)).ok())?
}

/// The keys of a path: an array, or one as text.
fn path(array: &ArrayRef, row: usize) -> Result<Option<Vec<String>>> {
    if array.is_null(row) {
        return Ok(None);
    }
    if let Some(list) = array.as_list_opt::<i32>() {
        let keys = cast(&list.value(row), &DataType::Utf8)?;
        return Ok(keys.as_string::<i32>().iter().map(|key| key.map(str::to_owned)).collect());
    }
    let keys = crate::array_text::elements(text(array)?.value(row))?;
    Ok(keys.into_iter().collect())
}

fn member<'a>(value: &'a Value, keys: &[String]) -> Option<&'a Value> {
    let Some((key, rest)) = keys.split_first() else { return Some(value) };
    let inner = match value {
        Value::Object(members) => members.get(key)?,
        Value::Array(elements) => {
            let index: i64 = key.trim().parse().ok()?;
            let behind = i64::try_from(elements.len()).ok()?;
            let index = if index < 0 { index + behind } else { index };
            elements.get(usize::try_from(index).ok()?)?
        }
        _ => return None,
    };
    member(inner, rest)
}

fn shown(value: &Value, as_text: bool) -> Option<String> {
    match value {
        Value::Null if as_text => None,
        Value::String(text) if as_text => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// `whole @> part`. An array at the top also holds a value that is one of its elements.
fn contains(whole: &Value, part: &Value, top: bool) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => part
            .iter()
            .all(|(key, part)| whole.get(key).is_some_and(|whole| contains(whole, part, false))),
        (Value::Array(whole), Value::Array(part)) => {
            part.iter().all(|part| whole.iter().any(|whole| contains(whole, part, false)))
        }
        (Value::Array(whole), part) if top && !part.is_object() => {
            whole.iter().any(|whole| contains(whole, part, false))
        }
        (Value::Number(whole), Value::Number(part)) => {
            whole == part || whole.as_f64() == part.as_f64()
        }
        (whole, part) => whole == part,
    }
}

/// A packed line is an object of texts with the line as `_entry`; others are as they are.
fn unpacked(
    line: &str,
    value: Option<&Value>,
    key: Option<&ArrayRef>,
    row: usize,
) -> Result<Option<String>> {
    let members = value.and_then(Value::as_object);
    let entry = members.and_then(|members| members.get("_entry")?.as_str());
    let Some(key) = key else { return Ok(Some(entry.unwrap_or(line).to_owned())) };
    let key = text(key)?;
    if key.is_null(row) || entry.is_none() {
        return Ok(None);
    }
    let label = members.and_then(|members| members.get(key.value(row))?.as_str());
    Ok(label.map(str::to_owned))
}

/// Plans `#>`, `#>>`, and `@>`, `<@` where both sides are text.
#[derive(Debug)]
pub(crate) struct JsonPlanner;

impl ExprPlanner for JsonPlanner {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let is_json = |expr: &datafusion::logical_expr::Expr| {
            expr.get_type(schema)
                .is_ok_and(|kind| kind.is_string() || matches!(kind, DataType::Union(..)))
        };
        let (kind, turned) = match expr.op {
            BinaryOperator::HashArrow => (Kind::At, false),
            BinaryOperator::HashLongArrow => (Kind::TextAt, false),
            BinaryOperator::AtArrow => (Kind::Contains, false),
            BinaryOperator::ArrowAt => (Kind::Contains, true),
            _ => return Ok(PlannerResult::Original(expr)),
        };
        if !is_json(&expr.left) || kind == Kind::Contains && !is_json(&expr.right) {
            return Ok(PlannerResult::Original(expr));
        }
        let args = match turned {
            false => vec![expr.left, expr.right],
            true => vec![expr.right, expr.left],
        };
        Ok(PlannerResult::Planned(kind.function().call(args)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn paths() {
        let value = json(r#"{"a":[{"b":"x"},2,null],"":{"c d":true}}"#);
        let check = |keys: &str, expected: Option<&str>, text: Option<&str>| {
            let array: ArrayRef = Arc::new(StringArray::from(vec![keys]));
            let keys = path(&array, 0).unwrap().unwrap();
            let found = member(&value, &keys);
            assert_eq!(found.and_then(|found| shown(found, false)).as_deref(), expected);
            assert_eq!(found.and_then(|found| shown(found, true)).as_deref(), text);
        };
        check("{a,0,b}", Some("\"x\""), Some("x"));
        check("{a,-2}", Some("2"), Some("2"));
        check("{a,2}", Some("null"), None);
        check("{a,3}", None, None);
        check(r#"{"","c d"}"#, Some("true"), Some("true"));
        check("{b}", None, None);
        let array: ArrayRef = Arc::new(StringArray::from(vec!["a,b"]));
        assert!(path(&array, 0).is_err());
    }

    #[test]
    fn containment() {
        let check = |whole: &str, part: &str, expected: bool| {
            assert_eq!(contains(&json(whole), &json(part), true), expected, "{whole} @> {part}");
        };
        check(r#"{"a":1,"b":2}"#, r#"{"b":2.0}"#, true);
        check(r#"{"a":{"b":[1,2]}}"#, r#"{"a":{"b":[2]}}"#, true);
        check(r#"{"a":1}"#, r#"{"a":1,"b":2}"#, false);
        check("[1,2,[3]]", "[2,1,1]", true);
        check("[1,2]", "1", true);
        check("[[1]]", "1", false);
        check(r#"{"a":[1]}"#, r#"{"a":1}"#, false);
        check("1", "[1]", false);
        check("[]", "{}", false);
    }
}
