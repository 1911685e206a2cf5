//! Functions about the catalog: names and oids, descriptions, definitions, rights.
//!
//! - One row at a time: what asks them has rows by the hundred.
//! - What only the owner of something could be told is told to whoever is connected: it sees only
//!   what is its own.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, StringArray};
use datafusion::arrow::compute::{CastOptions, cast, cast_with_options};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::async_udf::{AsyncScalarUDF, AsyncScalarUDFImpl};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TypeSignature, Volatility,
};
use datafusion::prelude::SessionContext;

use super::names::{self, Kind};
use super::provider::{Call as TableCall, CatalogCall};
use super::relations::{self, VIEW_DEFINITION};
use super::shapes::oid_field;
use super::values::{Value, array};
use super::world::{OWNER, World};
use super::{Tables, information};
use crate::error::SqlError;
use crate::rewrite::like_escape;

/// What a function returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Gives {
    Text,
    Bool,
    Int4,
    Oid(Kind),
}

impl Gives {
    fn field(self, name: &str) -> Field {
        match self {
            Gives::Text => Field::new(name, DataType::Utf8, true),
            Gives::Bool => Field::new(name, DataType::Boolean, true),
            Gives::Int4 => Field::new(name, DataType::Int32, true),
            Gives::Oid(kind) => oid_field(name, kind.name()),
        }
    }
}

type Body = fn(&World, &Call) -> Result<Value, SqlError>;

/// The functions by name.
const FUNCTIONS: &[(&str, Gives, Body)] = &[
    ("oid", Gives::Oid(Kind::Oid), |world, call| call.oid(world, Kind::Oid)),
    ("regclass", Gives::Oid(Kind::Class), |world, call| call.oid(world, Kind::Class)),
    ("regtype", Gives::Oid(Kind::Type), |world, call| call.oid(world, Kind::Type)),
    ("regproc", Gives::Oid(Kind::Function), |world, call| call.oid(world, Kind::Function)),
    ("regprocedure", Gives::Oid(Kind::Signature), |world, call| call.oid(world, Kind::Signature)),
    ("regnamespace", Gives::Oid(Kind::Namespace), |world, call| call.oid(world, Kind::Namespace)),
    ("regrole", Gives::Oid(Kind::Role), |world, call| call.oid(world, Kind::Role)),
    ("to_regclass", Gives::Oid(Kind::Class), |world, call| call.known(world, Kind::Class)),
    ("to_regtype", Gives::Oid(Kind::Type), |world, call| call.known(world, Kind::Type)),
    ("to_regproc", Gives::Oid(Kind::Function), |world, call| call.known(world, Kind::Function)),
    ("to_regprocedure", Gives::Oid(Kind::Signature), |world, call| {
        call.known(world, Kind::Signature)
    }),
    ("to_regnamespace", Gives::Oid(Kind::Namespace), |world, call| {
        call.known(world, Kind::Namespace)
    }),
    ("to_regrole", Gives::Oid(Kind::Role), |world, call| call.known(world, Kind::Role)),
    // What casts of oids become: see casts.rs.
    ("oid_number", Gives::Int4, |_, call| Ok(call.int(0).map_or(Value::Null, Value::Int))),
    ("oid_text", Gives::Text, |_, call| Ok(call.int(0).map(|oid| oid.to_string()).into())),
    ("char_text", Gives::Text, |_, call| Ok(call.shown(0).into())),
    ("regclass_text", Gives::Text, |world, call| call.name(world, Kind::Class)),
    ("regtype_text", Gives::Text, |world, call| call.name(world, Kind::Type)),
    ("regproc_text", Gives::Text, |world, call| call.name(world, Kind::Function)),
    ("regprocedure_text", Gives::Text, |world, call| call.name(world, Kind::Signature)),
    ("regnamespace_text", Gives::Text, |world, call| call.name(world, Kind::Namespace)),
    ("regrole_text", Gives::Text, |world, call| call.name(world, Kind::Role)),
    ("format_type", Gives::Text, |world, call| {
        let modifier = call.int4(1);
        Ok(call.int4(0).map(|oid| names::format_type(&world.fixed, oid, modifier)).into())
    }),
    ("obj_description", Gives::Text, |world, call| {
        let class = match call.text(1) {
            Some(name) => match names::resolve(world, Kind::Class, &name) {
                Ok(class) => Some(class),
                Err(_) => return Ok(Value::Null),
            },
            None => None,
        };
        Ok(call.int4(0).and_then(|oid| relations::comment(world, oid, class)).into())
    }),
    ("shobj_description", Gives::Text, |_, _| Ok(Value::Null)),
    ("pg_table_is_visible", Gives::Bool, |world, call| {
        let relation = call.int4(0).and_then(|oid| world.relation_of(oid));
        Ok(relation.map(super::world::Relation::is_visible).into())
    }),
    ("pg_type_is_visible", Gives::Bool, |world, call| {
        let known = |oid: i32| world.fixed.types.contains_key(&oid).then_some(true);
        Ok(call.int4(0).and_then(known).into())
    }),
    ("pg_function_is_visible", Gives::Bool, |world, call| {
        let known = |oid: i32| names::function(world, oid).map(|_| true);
        Ok(call.int4(0).and_then(known).into())
    }),
    ("pg_get_userbyid", Gives::Text, |world, call| {
        let name = |oid| match oid {
            OWNER => world.who.user.clone(),
            oid => format!("unknown (OID={oid})"),
        };
        Ok(call.int4(0).map(name).into())
    }),
    ("pg_get_function_arguments", Gives::Text, |world, call| {
        let function = call.int4(0).and_then(|oid| names::function(world, oid));
        Ok(function.map(|function| names::arguments(&world.fixed, &function, false)).into())
    }),
    ("pg_get_function_identity_arguments", Gives::Text, |world, call| {
        let function = call.int4(0).and_then(|oid| names::function(world, oid));
        Ok(function.map(|function| names::arguments(&world.fixed, &function, true)).into())
    }),
    ("pg_get_function_result", Gives::Text, |world, call| {
        let function = call.int4(0).and_then(|oid| names::function(world, oid));
        Ok(function.and_then(|function| names::result(&world.fixed, &function)).into())
    }),
    ("pg_get_functiondef", Gives::Text, |world, call| {
        Ok(call.int4(0).and_then(|oid| names::definition(world, oid)).into())
    }),
    ("pg_get_viewdef", Gives::Text, |world, call| {
        let oid = match call.text(0) {
            Some(name) => Some(names::resolve(world, Kind::Class, &name)?),
            None => call.int4(0),
        };
        let view = oid.and_then(|oid| world.relation_of(oid)).filter(|view| view.kind == "v");
        Ok(view.map(|_| VIEW_DEFINITION).into())
    }),
    ("has_table_privilege", Gives::Bool, |world, call| relation_right(world, call, 1)),
    ("has_sequence_privilege", Gives::Bool, |world, call| relation_right(world, call, 1)),
    ("has_any_column_privilege", Gives::Bool, |world, call| relation_right(world, call, 1)),
    ("has_column_privilege", Gives::Bool, |world, call| relation_right(world, call, 2)),
    ("has_schema_privilege", Gives::Bool, |_, call| Ok(call.wants(&["USAGE"]))),
    ("has_database_privilege", Gives::Bool, |_, call| Ok(call.wants(&["CONNECT"]))),
    ("has_function_privilege", Gives::Bool, |_, call| Ok(call.wants(&["EXECUTE"]))),
    ("has_language_privilege", Gives::Bool, |_, call| Ok(call.wants(&[]))),
    ("has_tablespace_privilege", Gives::Bool, |_, call| Ok(call.wants(&[]))),
    ("has_type_privilege", Gives::Bool, |_, call| Ok(call.wants(&["USAGE"]))),
    ("has_foreign_data_wrapper_privilege", Gives::Bool, |_, call| Ok(call.wants(&[]))),
    ("has_server_privilege", Gives::Bool, |_, call| Ok(call.wants(&[]))),
    ("pg_has_role", Gives::Bool, |_, call| Ok(call.wants(&["USAGE", "MEMBER"]))),
    ("pg_encoding_to_char", Gives::Text, |_, call| {
        let name = |number: i64| usize::try_from(number).ok().and_then(|at| ENCODINGS.get(at));
        Ok(call.int(0).map(|number| *name(number).unwrap_or(&"")).into())
    }),
    ("row_security_active", Gives::Bool, |_, _| Ok(false.into())),
    ("quote_literal", Gives::Text, |_, call| Ok(call.shown(0).map(|text| literal(&text)).into())),
    ("quote_nullable", Gives::Text, |_, call| {
        Ok(call.shown(0).map_or("NULL".into(), |text| literal(&text).into()))
    }),
    ("like_escape", Gives::Text, |_, call| match (call.text(0), call.text(1)) {
        (Some(pattern), Some(escape)) => Ok(like_escape(&pattern, escape.chars().next())?.into()),
        _ => Ok(Value::Null),
    }),
    ("format", Gives::Text, |_, call| formatted(call)),
];

/// Encodings by their numbers.
const ENCODINGS: &[&str] = &[
    "SQL_ASCII",
    "EUC_JP",
    "EUC_CN",
    "EUC_KR",
    "EUC_TW",
    "EUC_JIS_2004",
    "UTF8",
    "MULE_INTERNAL",
    "LATIN1",
    "LATIN2",
    "LATIN3",
    "LATIN4",
    "LATIN5",
    "LATIN6",
    "LATIN7",
    "LATIN8",
    "LATIN9",
    "LATIN10",
    "WIN1256",
    "WIN1258",
    "WIN866",
    "WIN874",
    "KOI8R",
    "WIN1251",
    "WIN1252",
    "ISO_8859_5",
    "ISO_8859_6",
    "ISO_8859_7",
    "ISO_8859_8",
    "WIN1250",
    "WIN1253",
    "WIN1254",
    "WIN1255",
    "WIN1257",
    "KOI8U",
    "SJIS",
    "BIG5",
    "GBK",
    "UHC",
    "GB18030",
    "JOHAB",
    "SHIFT_JIS_2004",
];

/// Registers the functions for a connection.
pub(crate) fn register(context: &SessionContext, tables: &Arc<Tables>) {
    let world = &tables.world;
    for (name, call) in
        [("pg_get_keywords", TableCall::Keywords), ("pg_show_all_settings", TableCall::Settings)]
    {
        let tables = tables.clone();
        context.register_udtf(name, Arc::new(CatalogCall { call, tables }));
    }
    for (at, (name, gives, _)) in FUNCTIONS.iter().enumerate() {
        let one_of = vec![TypeSignature::Nullary, TypeSignature::VariadicAny];
        context.register_udf(ScalarUDF::new_from_impl(Lookup {
            name,
            gives: *gives,
            at,
            world: Shared(world.clone()),
            signature: Signature::one_of(one_of, Volatility::Stable),
        }));
    }
    let sleep = Sleep { signature: Signature::any(1, Volatility::Volatile) };
    context.register_udf(AsyncScalarUDF::new(Arc::new(sleep)).into_scalar_udf());
}

/// A world that is compared by identity: a connection has one.
struct Shared(Arc<World>);

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}

impl PartialEq for Shared {
    fn eq(&self, other: &Shared) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Shared {}

impl Hash for Shared {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::ptr::hash(Arc::as_ptr(&self.0), state);
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Lookup {
    name: &'static str,
    gives: Gives,
    /// Its place among `FUNCTIONS`.
    at: usize,
    world: Shared,
    signature: Signature,
}

impl ScalarUDFImpl for Lookup {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.gives.field(self.name).data_type().clone())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(self.gives.field(self.name)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let arguments = args.args.iter().map(|arg| Argument::new(arg.to_array(rows)?));
        let arguments = arguments.collect::<Result<Vec<_>>>()?;
        let (_, _, body) = FUNCTIONS[self.at];
        let call = |row| body(&self.world.0, &Call { arguments: &arguments, row });
        let values = (0..rows).map(call).collect::<Result<Vec<_>, SqlError>>()?;
        let kind = self.gives.field(self.name).data_type().clone();
        let values = array(&kind, &values.iter().collect::<Vec<_>>());
        Ok(match constant {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?),
            false => ColumnarValue::Array(values),
        })
    }
}

/// An argument, as a text and as a number.
enum Argument {
    Text(StringArray),
    Int(Int64Array),
    Other(StringArray),
}

impl Argument {
    fn new(array: ArrayRef) -> Result<Argument> {
        let kind = array.data_type();
        if kind.is_string() {
            return Ok(Argument::Text(cast(&array, &DataType::Utf8)?.as_string().clone()));
        }
        if kind.is_integer() || kind.is_null() {
            return Ok(Argument::Int(cast(&array, &DataType::Int64)?.as_primitive().clone()));
        }
        Ok(Argument::Other(cast(&array, &DataType::Utf8)?.as_string().clone()))
    }
}

/// The arguments of one row.
struct Call<'a> {
    arguments: &'a [Argument],
    row: usize,
}

impl Call<'_> {
    fn int(&self, at: usize) -> Option<i64> {
        match self.arguments.get(at)? {
            Argument::Int(values) if values.is_valid(self.row) => Some(values.value(self.row)),
            // As in `c.oid = '16384'`.
            Argument::Text(values) if values.is_valid(self.row) => {
                values.value(self.row).trim().parse().ok()
            }
            _ => None,
        }
    }

    fn int4(&self, at: usize) -> Option<i32> {
        self.int(at).and_then(|value| i32::try_from(value).ok())
    }

    fn text(&self, at: usize) -> Option<String> {
        match self.arguments.get(at)? {
            Argument::Text(values) if values.is_valid(self.row) => {
                Some(values.value(self.row).to_owned())
            }
            _ => None,
        }
    }

    /// Any argument as a text.
    fn shown(&self, at: usize) -> Option<String> {
        match self.arguments.get(at)? {
            Argument::Text(values) | Argument::Other(values) => {
                values.is_valid(self.row).then(|| values.value(self.row).to_owned())
            }
            Argument::Int(values) => {
                values.is_valid(self.row).then(|| values.value(self.row).to_string())
            }
        }
    }

    /// The first argument as an oid of a kind.
    fn oid(&self, world: &World, kind: Kind) -> Result<Value, SqlError> {
        match self.text(0) {
            Some(text) => Ok(names::resolve(world, kind, &text)?.into()),
            None => Ok(self.int4(0).into()),
        }
    }

    /// The same, or null where there is no such thing.
    fn known(&self, world: &World, kind: Kind) -> Result<Value, SqlError> {
        let text = self.text(0);
        Ok(text.and_then(|text| names::resolve(world, kind, &text).ok()).into())
    }

    fn name(&self, world: &World, kind: Kind) -> Result<Value, SqlError> {
        Ok(self.int4(0).map(|oid| names::name_of(world, kind, oid)).into())
    }

    /// Whether the last argument names a right that is had.
    fn wants(&self, had: &[&str]) -> Value {
        let Some(last) = self.arguments.len().checked_sub(1) else { return Value::Null };
        let Some(wanted) = self.text(last) else { return Value::Null };
        let has = |right: &str| had.iter().any(|had| had.eq_ignore_ascii_case(right.trim()));
        wanted.split(',').any(has).into()
    }
}

/// `has_table_privilege([user,] table, right)`, with `behind` arguments from the table on.
fn relation_right(world: &World, call: &Call, behind: usize) -> Result<Value, SqlError> {
    let Some(at) = call.arguments.len().checked_sub(behind + 1) else { return Ok(Value::Null) };
    let oid = match call.text(at).filter(|text| text.parse::<u32>().is_err()) {
        Some(name) => Some(names::resolve(world, Kind::Class, &name)?),
        None => call.int4(at),
    };
    let relation = oid.and_then(|oid| world.relation_of(oid));
    Ok(relation.map_or(Value::Null, |relation| call.wants(information::rights(world, relation))))
}

fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    match quoted.contains('\\') {
        true => format!("E'{}'", quoted.replace('\\', "\\\\")),
        false => format!("'{quoted}'"),
    }
}

/// `format('%I.%s', a, b)`.
fn formatted(call: &Call) -> Result<Value, SqlError> {
    let Some(pattern) = call.shown(0) else { return Ok(Value::Null) };
    let (mut out, mut next, mut chars) = (String::new(), 1, pattern.chars());
    while let Some(char) = chars.next() {
        if char != '%' {
            out.push(char);
            continue;
        }
        let kind = chars.next();
        if kind == Some('%') {
            out.push('%');
            continue;
        }
        if next >= call.arguments.len() {
            return Err(SqlError::new("22023", "too few arguments for format()"));
        }
        let value = call.shown(next);
        next += 1;
        match (kind, value) {
            (Some('s'), value) => out.push_str(&value.unwrap_or_default()),
            (Some('I'), Some(value)) => out.push_str(&names::quoted(&value)),
            (Some('I'), None) => {
                let text = "null values cannot be formatted as an SQL identifier";
                return Err(SqlError::new("22004", text));
            }
            (Some('L'), Some(value)) => out.push_str(&literal(&value)),
            (Some('L'), None) => out.push_str("NULL"),
            (Some(other), _) => {
                let what = format_args!("format() with %{other}");
                return Err(SqlError::unsupported(what));
            }
            (None, _) => {
                return Err(SqlError::new("22023", "unterminated format() type specifier"));
            }
        }
    }
    Ok(out.into())
}

/// `pg_sleep(seconds)`: waits, and stops waiting when the statement is stopped.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Sleep {
    signature: Signature,
}

impl ScalarUDFImpl for Sleep {
    fn name(&self) -> &str {
        "pg_sleep"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Err(SqlError::unsupported("pg_sleep in this place").into())
    }
}

#[async_trait]
impl AsyncScalarUDFImpl for Sleep {
    async fn invoke_async_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let array = args.args[0].to_array(args.number_rows)?;
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        let seconds = cast_with_options(&array, &DataType::Float64, &strict)?;
        let seconds: &Float64Array = seconds.as_primitive::<Float64Type>();
        for seconds in seconds.iter().flatten() {
            // As long as it may be: the statement has its own limit.
            let wait = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX);
            tokio::time::sleep(wait.min(Duration::from_secs(1 << 20))).await;
        }
        // Of type void, which clients show as nothing.
        Ok(ColumnarValue::Scalar(ScalarValue::Utf8(Some(String::new()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let check = |arguments: &[&str], expected: Result<&str, &str>| {
            let texts = arguments.iter().map(|text| Argument::Text(StringArray::from(vec![*text])));
            let texts: Vec<Argument> = texts.collect();
            let got = formatted(&Call { arguments: &texts, row: 0 }).map_err(|error| error.code);
            assert_eq!(got, expected.map(Value::from), "{arguments:?}");
        };
        check(&["%I.%s=%L %%", "A b", "x", "it's"], Ok("\"A b\".x='it''s' %"));
        check(&["%s"], Err("22023"));
        check(&["%"], Err("22023"));
        check(&["%d", "1"], Err("0A000"));
        assert_eq!(literal("a\\b"), "E'a\\\\b'");
    }
}
