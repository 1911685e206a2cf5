//! `json_build_object(key, value, ...)`: an object as JSON text, written as Postgres writes it.
//!
//! In: names and values by turns. Out: text. Numbers and truth values stay what they are; whatever
//! else there is becomes a string, as its text. What is JSON is text here, so it becomes a string,
//! too.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};

use crate::error::SqlError;

/// The functions of this file, one under its two names.
pub(crate) fn functions() -> [ScalarUDF; 2] {
    ["json_build_object", "jsonb_build_object"].map(|name| {
        let counts = vec![TypeSignature::Nullary, TypeSignature::VariadicAny];
        let signature = Signature::one_of(counts, Volatility::Immutable);
        ScalarUDF::new_from_impl(BuildObject { name, signature })
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct BuildObject {
    name: &'static str,
    signature: Signature,
}

impl ScalarUDFImpl for BuildObject {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if !args.args.len().is_multiple_of(2) {
            let text = "argument list must have even number of elements";
            return Err(SqlError::new("22023", text).into());
        }
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let columns = args.args.iter().map(|arg| Column::of(&arg.to_array(rows)?));
        let columns = columns.collect::<Result<Vec<Column>>>()?;
        let objects = (0..rows).map(|row| object(&columns, row).map(Some));
        let array: ArrayRef = Arc::new(objects.collect::<Result<StringArray>>()?);
        Ok(match constant {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?),
            false => ColumnarValue::Array(array),
        })
    }
}

/// One argument, as text.
struct Column {
    texts: StringArray,
    /// Whether the text is JSON as it is.
    plain: bool,
}

impl Column {
    fn of(array: &ArrayRef) -> Result<Column> {
        let kind = array.data_type();
        let plain = kind.is_integer() || *kind == DataType::Boolean;
        Ok(Column { texts: cast(array, &DataType::Utf8)?.as_string::<i32>().clone(), plain })
    }

    fn put(&self, row: usize, out: &mut String) {
        let text = self.texts.is_valid(row).then(|| self.texts.value(row));
        match text {
            None => out.push_str("null"),
            Some(text) if self.plain => out.push_str(text),
            Some(text) => out.push_str(&serde_json::Value::from(text).to_string()),
        }
    }
}

fn object(columns: &[Column], row: usize) -> Result<String> {
    let mut out = String::from("{");
    for pair in columns.chunks(2) {
        if pair[0].texts.is_null(row) {
            let text = "a name of a JSON object must not be null";
            return Err(SqlError::new("22004", text).into());
        }
        if out.len() > 1 {
            out.push_str(", ");
        }
        out.push_str(&serde_json::Value::from(pair[0].texts.value(row)).to_string());
        out.push_str(" : ");
        pair[1].put(row, &mut out);
    }
    out.push('}');
    Ok(out)
}
