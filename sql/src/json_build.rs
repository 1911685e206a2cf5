//! JSON made of values: `json_build_object`, `json_build_array`, `to_json`, and what `json_agg`,
//! `json_object_agg` and `row_to_json` become (`collected.rs`, `whole_rows.rs`).
//!
//! In: columns. Out: texts, written as Postgres writes them, that say that they are JSON.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray, StringArray, StringBuilder};
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TypeSignature, Volatility,
};

use crate::by_rows::by_rows;
use crate::cap::RESULT_BYTES_MAX;
use crate::error::SqlError;
use crate::json_text::{Form, Values, canonical, json_column, json_field, parts};

/// What a call of a batch of rows makes at most, all rows together.
const BATCH_BYTES_MAX: u64 = 4 * RESULT_BYTES_MAX;

/// The functions of this file.
pub(crate) fn functions() -> impl Iterator<Item = ScalarUDF> {
    use Form::{Json, Jsonb};
    let all = [
        ("json_build_object", Make::Object, Json),
        ("jsonb_build_object", Make::Object, Jsonb),
        ("json_build_array", Make::Array, Json),
        ("jsonb_build_array", Make::Array, Jsonb),
        ("to_json", Make::Value, Json),
        ("to_jsonb", Make::Value, Jsonb),
        ("array_to_json", Make::Value, Json),
        ("row_to_json", Make::RowOf, Json),
        (AS_JSON, Make::Marked, Json),
        (AS_JSONB, Make::Marked, Jsonb),
        (RECORD, Make::Record, Json),
        (PAIR, Make::Pair, Json),
        (ARRAY_OF, Make::ArrayOf(", "), Json),
        (ROWS_OF, Make::ArrayOf(", \n "), Json),
        (JSONB_ARRAY_OF, Make::ArrayOf(", "), Jsonb),
        (VALUES_OF, Make::ValuesOf, Json),
        (JSONB_VALUES_OF, Make::ValuesOf, Jsonb),
        (OBJECT_OF, Make::ObjectOf, Json),
        (JSONB_OBJECT_OF, Make::ObjectOf, Jsonb),
    ];
    all.into_iter().map(|(name, make, form)| {
        let counts = match make {
            Make::Object | Make::Array => vec![TypeSignature::Nullary, TypeSignature::VariadicAny],
            Make::Record => vec![TypeSignature::VariadicAny],
            Make::Pair => vec![TypeSignature::Any(2)],
            _ => vec![TypeSignature::Any(1)],
        };
        let signature = Signature::one_of(counts, Volatility::Immutable);
        ScalarUDF::new_from_impl(Maker { name, make, form, signature })
    })
}

/// A text that is JSON, whatever it is in.
pub(crate) const AS_JSON: &str = "as_json";
pub(crate) const AS_JSONB: &str = "as_jsonb";
/// `json_record(name, value, ...)`: a row.
pub(crate) const RECORD: &str = "json_record";
/// `json_pair(name, value)`: a member of an object, without its braces.
pub(crate) const PAIR: &str = "json_pair";
/// `json_array_of(list)`: its elements, each JSON by itself.
pub(crate) const ARRAY_OF: &str = "json_array_of";
/// The same for rows, which stand on lines of their own.
pub(crate) const ROWS_OF: &str = "json_rows_of";
pub(crate) const JSONB_ARRAY_OF: &str = "jsonb_array_of";
/// `json_values_of(list)`: its elements, which become JSON.
pub(crate) const VALUES_OF: &str = "json_values_of";
pub(crate) const JSONB_VALUES_OF: &str = "jsonb_values_of";
/// `json_object_of(list)`: an object of pairs.
pub(crate) const OBJECT_OF: &str = "json_object_of";
pub(crate) const JSONB_OBJECT_OF: &str = "jsonb_object_of";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Make {
    Object,
    Array,
    Value,
    /// Of a row, and of nothing else.
    RowOf,
    Marked,
    Record,
    Pair,
    /// With what stands between the elements.
    ArrayOf(&'static str),
    ValuesOf,
    ObjectOf,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Maker {
    name: &'static str,
    make: Make,
    form: Form,
    signature: Signature,
}

impl ScalarUDFImpl for Maker {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let kind = args.arg_fields.first().map(|field| field.data_type());
        let is_row = matches!(kind, Some(DataType::Struct(_) | DataType::Null));
        if self.make == Make::RowOf && !is_row {
            let error = SqlError::new("42883", "function row_to_json of what is no row")
                .hint("name a table of FROM by its alias: row_to_json(t)");
            return Err(error.into());
        }
        Ok(json_field(self.name))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if self.make == Make::Object && !args.args.len().is_multiple_of(2) {
            let text = "argument list must have even number of elements";
            return Err(SqlError::new("22023", text).into());
        }
        by_rows(&args, |arrays, rows| {
            let around = match self.make {
                Make::ArrayOf(between) => ["[", between, "]"],
                Make::ValuesOf => ["[", ", ", "]"],
                Make::ObjectOf if self.form == Form::Json => ["{ ", ", ", " }"],
                Make::ObjectOf => ["{", ",", "}"],
                _ => return Ok(Arc::new(self.made(arrays, &args.arg_fields, rows)?)),
            };
            Ok(Arc::new(self.collected(&arrays[0], rows, around)?))
        })
    }
}

impl Maker {
    /// JSON of the arguments of each row.
    fn made(&self, args: &[ArrayRef], fields: &[FieldRef], rows: usize) -> Result<StringArray> {
        let columns = args.iter().zip(fields).map(|(array, field)| match self.make {
            Make::Marked => {
                let json = json_column("", true).with_data_type(array.data_type().clone());
                Values::new(array, &json)
            }
            _ => Values::new(array, field),
        });
        let columns = columns.collect::<Result<Vec<Values>>>()?;
        let mut out = Texts::new(self.name);
        for row in 0..rows {
            let is_null = columns.first().is_some_and(|column| column.is_null(row));
            let mut text = String::new();
            match self.make {
                Make::Value | Make::RowOf | Make::Marked if is_null => {
                    out.push(None)?;
                    continue;
                }
                Make::Marked => self.marked(&columns[0], row, &mut text)?,
                Make::Value | Make::RowOf => columns[0].put(row, self.form, &mut text),
                Make::Array => {
                    text.push('[');
                    for (at, column) in columns.iter().enumerate() {
                        text.push_str(if at > 0 { ", " } else { "" });
                        column.put(row, self.form, &mut text);
                    }
                    text.push(']');
                }
                Make::Object => self.members(&columns, row, ["{", ", ", " : ", "}"], &mut text)?,
                Make::Record => self.members(&columns, row, ["{", ",", ":", "}"], &mut text)?,
                Make::Pair => self.members(&columns, row, ["", "", " : ", ""], &mut text)?,
                Make::ArrayOf(_) | Make::ValuesOf | Make::ObjectOf => {
                    return internal_err!("it is of a list");
                }
            }
            out.push(Some(&text))?;
        }
        Ok(out.texts.finish())
    }

    /// What a cast to JSON makes: it must be JSON.
    fn marked(&self, texts: &Values, row: usize, out: &mut String) -> Result<()> {
        let mut text = String::new();
        texts.put(row, Form::Json, &mut text);
        if parts(&text).is_none() {
            let error = SqlError::new("22P02", "invalid input syntax for type json");
            return Err(error.into());
        }
        match self.form {
            Form::Json => out.push_str(&text),
            Form::Jsonb => canonical(&text, out),
        }
        Ok(())
    }

    /// Names and values by turns; before, between two, between name and value, behind.
    fn members(
        &self,
        columns: &[Values],
        row: usize,
        [open, between, colon, close]: [&str; 4],
        out: &mut String,
    ) -> Result<()> {
        let start = out.len();
        out.push_str(open);
        for (at, pair) in columns.chunks(2).enumerate() {
            out.push_str(if at > 0 { between } else { "" });
            let Some(name) = pair[0].name(row) else {
                let text = "a name of a JSON object must not be null";
                return Err(SqlError::new("22023", text).into());
            };
            out.push_str(&name);
            out.push_str(colon);
            pair[1].put(row, self.form, out);
        }
        out.push_str(close);
        if self.form == Form::Jsonb {
            let text = out.split_off(start);
            canonical(&text, out);
        }
        Ok(())
    }

    /// The elements of lists, which are JSON or values.
    fn collected(
        &self,
        array: &ArrayRef,
        rows: usize,
        [open, between, close]: [&str; 3],
    ) -> Result<StringArray> {
        let DataType::List(item) = array.data_type() else {
            return internal_err!("{} of {}", self.name, array.data_type());
        };
        let lists: &ListArray = array.as_list();
        // Aggregates forget what their values said of themselves; these are JSON texts, made below.
        let field = match item.data_type().is_string() && self.make != Make::ValuesOf {
            true => json_column("", true),
            false => item.as_ref().clone(),
        };
        let values = Values::new(lists.values(), &field)?;
        let mut out = Texts::new(self.name);
        let offsets = lists.value_offsets();
        for row in 0..rows {
            if lists.is_null(row) {
                out.push(None)?;
                continue;
            }
            let (start, end) = (offsets[row] as usize, offsets[row + 1] as usize);
            let mut text = String::from(open);
            for at in start..end {
                text.push_str(if at > start { between } else { "" });
                match self.make {
                    // It is put in its form as a whole.
                    Make::ObjectOf => values.put(at, Form::Json, &mut text),
                    _ => values.put(at, self.form, &mut text),
                }
                out.fits(text.len())?;
            }
            text.push_str(close);
            if self.make == Make::ObjectOf && self.form == Form::Jsonb {
                let whole = std::mem::take(&mut text);
                canonical(&whole, &mut text);
            }
            out.push(Some(&text))?;
        }
        Ok(out.texts.finish())
    }
}

/// Results within bounds.
struct Texts {
    name: &'static str,
    texts: StringBuilder,
    bytes: u64,
}

impl Texts {
    fn new(name: &'static str) -> Texts {
        Texts { name, texts: StringBuilder::new(), bytes: 0 }
    }

    fn fits(&self, length: usize) -> Result<()> {
        let length = length as u64;
        if length <= RESULT_BYTES_MAX && self.bytes + length <= BATCH_BYTES_MAX {
            return Ok(());
        }
        let text = format!("result of {}() is larger than {RESULT_BYTES_MAX} bytes", self.name);
        Err(SqlError::new("54000", text).into())
    }

    fn push(&mut self, text: Option<&str>) -> Result<()> {
        let length = text.map_or(0, str::len);
        self.fits(length)?;
        self.bytes += length as u64;
        self.texts.append_option(text);
        Ok(())
    }
}
