//! The members and elements of JSON as lists: what `json_each`, `json_array_elements` and
//! `json_object_keys` take apart (`from_functions.rs` makes rows of them).
//!
//! In: texts. Out: a list per text, empty where the text is not JSON, or another kind of it: a line
//! of a log may be anything, and has no members then.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, ListBuilder, StringBuilder};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::by_rows::by_rows;
use crate::json_text::{Form, Parts, canonical, parts, sorted, unquoted};

/// The functions of this file.
pub(crate) fn functions() -> impl Iterator<Item = ScalarUDF> {
    use Form::{Json, Jsonb};
    let all = [
        ("json_object_keys", Part::Names, Json),
        ("jsonb_object_keys", Part::Names, Jsonb),
        ("json_member_values", Part::Members { text: false }, Json),
        ("jsonb_member_values", Part::Members { text: false }, Jsonb),
        ("json_member_texts", Part::Members { text: true }, Json),
        ("jsonb_member_texts", Part::Members { text: true }, Jsonb),
        ("json_elements", Part::Elements { text: false }, Json),
        ("jsonb_elements", Part::Elements { text: false }, Jsonb),
        ("json_element_texts", Part::Elements { text: true }, Json),
        ("jsonb_element_texts", Part::Elements { text: true }, Jsonb),
    ];
    all.into_iter().map(|(name, part, form)| {
        let signature = Signature::any(1, Volatility::Immutable);
        ScalarUDF::new_from_impl(Taken { name, part, form, signature })
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Part {
    Names,
    Members { text: bool },
    Elements { text: bool },
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Taken {
    name: &'static str,
    part: Part,
    form: Form,
    signature: Signature,
}

fn item() -> Arc<Field> {
    Arc::new(Field::new_list_field(DataType::Utf8, true))
}

impl ScalarUDFImpl for Taken {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(item()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        by_rows(&args, |arrays, _| {
            let texts = match arrays[0].data_type() {
                DataType::Union(..) => crate::functions::json_text(&arrays[0])?,
                _ => arrays[0].clone(),
            };
            let texts = cast(&texts, &DataType::Utf8)?;
            let mut lists = ListBuilder::new(StringBuilder::new()).with_field(item());
            for text in texts.as_string::<i32>() {
                if let Some(parts) = text.and_then(parts) {
                    self.take(parts, lists.values());
                }
                lists.append(text.is_some());
            }
            Ok(Arc::new(lists.finish()))
        })
    }
}

impl Taken {
    fn take(&self, parts: Parts<'_>, out: &mut StringBuilder) {
        match (self.part, parts) {
            (Part::Elements { text }, Parts::Array(elements)) => {
                for element in elements {
                    out.append_option(self.shown(element, text));
                }
            }
            (Part::Names, Parts::Object(members)) => {
                self.members(members).for_each(|(name, _)| out.append_value(name));
            }
            (Part::Members { text }, Parts::Object(members)) => {
                for (_, value) in self.members(members) {
                    out.append_option(self.shown(value, text));
                }
            }
            _ => {}
        }
    }

    /// As they were written; of jsonb, each name once.
    fn members<'a>(
        &self,
        members: Vec<(&'a str, &'a str)>,
    ) -> impl Iterator<Item = (Cow<'a, str>, &'a str)> {
        let members = match self.form {
            Form::Json => members.into_iter().map(|(name, own)| (unquoted(name), own)).collect(),
            Form::Jsonb => sorted(members),
        };
        members.into_iter()
    }

    fn shown<'a>(&self, value: &'a str, text: bool) -> Option<Cow<'a, str>> {
        match (text, self.form) {
            (true, _) if value == "null" => None,
            (true, _) if value.starts_with('"') => Some(unquoted(value)),
            (_, Form::Json) => Some(Cow::Borrowed(value)),
            (_, Form::Jsonb) => {
                let mut out = String::new();
                canonical(value, &mut out);
                Some(Cow::Owned(out))
            }
        }
    }
}
