//! Functions that Postgres clients call and DataFusion lacks, and bounds for those it has.
//!
//! - What depends on the connection (user, database, settings) is registered per connection.
//! - A stub answers what a server without the feature would: nothing is described, everything is
//!   visible, nobody is in recovery.

use std::sync::{Arc, Mutex};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, ScalarValue};
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};
use datafusion::prelude::SessionContext;
use datafusion_functions_json::udfs::json_union_to_text_udf;

use crate::activity::{Backend, Who};
use crate::cap::{ConcatPlanner, capped};
use crate::error::SqlError;
use crate::operators::OperatorPlanner;
use crate::settings::Settings;
use crate::time;

/// Registers what is the same for all connections.
pub(crate) fn register(context: &SessionContext, server_version: &str) -> Result<()> {
    let all: Vec<_> = context.state().scalar_functions().values().cloned().collect();
    for function in all.iter().filter_map(capped) {
        replace(context, function);
    }
    context.state_ref().write().register_expr_planner(Arc::new(ConcatPlanner))?;
    context.state_ref().write().register_expr_planner(Arc::new(OperatorPlanner))?;
    let null = || ScalarValue::Utf8(None);
    let yes = || ScalarValue::Boolean(Some(true));
    let no = || ScalarValue::Boolean(Some(false));
    let no_numbers = || ScalarValue::List(ScalarValue::new_list_nullable(&[], &DataType::Int32));
    let stubs = [
        ("version", text(&format!("PostgreSQL {server_version}"))),
        ("current_schema", text("public")),
        ("pg_get_indexdef", null()),
        ("pg_get_serial_sequence", null()),
        ("pg_tablespace_location", null()),
        ("inet_server_addr", null()),
        ("inet_client_addr", null()),
        ("pg_operator_is_visible", yes()),
        ("pg_collation_is_visible", yes()),
        ("pg_opclass_is_visible", yes()),
        ("pg_ts_config_is_visible", yes()),
        ("pg_ts_dict_is_visible", yes()),
        ("pg_statistics_obj_is_visible", yes()),
        ("pg_conversion_is_visible", yes()),
        ("pg_opfamily_is_visible", yes()),
        ("pg_ts_parser_is_visible", yes()),
        ("pg_ts_template_is_visible", yes()),
        ("pg_get_ruledef", null()),
        ("pg_get_triggerdef", null()),
        ("pg_get_statisticsobjdef", null()),
        ("pg_describe_object", null()),
        ("pg_sequence_parameters", null()),
        ("pg_is_other_temp_schema", no()),
        ("pg_my_temp_schema", ScalarValue::Int32(Some(0))),
        ("pg_blocking_pids", no_numbers()),
        ("inet_server_port", ScalarValue::Int32(None)),
        ("inet_client_port", ScalarValue::Int32(None)),
        ("pg_get_function_sqlbody", null()),
        ("pg_char_to_encoding", ScalarValue::Int32(Some(6))),
        ("getdatabaseencoding", text("UTF8")),
        ("pg_is_in_recovery", no()),
        ("pg_is_wal_replay_paused", no()),
        ("pg_advisory_unlock_all", null()),
        ("txid_current_if_assigned", ScalarValue::Int64(None)),
    ];
    let sizes = [
        "pg_database_size",
        "pg_indexes_size",
        "pg_relation_size",
        "pg_table_size",
        "pg_tablespace_size",
        "pg_total_relation_size",
    ];
    let sizes = sizes.map(|name| (name, ScalarValue::Int64(None)));
    for (name, value) in stubs.into_iter().chain(sizes) {
        replace(context, constant(name, value));
    }
    let own = time::functions().into_iter().chain([crate::date_part::function()]);
    for function in own
        .chain(crate::lines::functions())
        .chain(crate::json::functions())
        .chain(crate::json_build::functions())
        .chain(crate::json_sets::functions())
        .chain(crate::ordered::functions())
        .chain([crate::age::function(), crate::type_of::function(), crate::told_apart::function()])
    {
        replace(context, function);
    }
    replace(
        context,
        ScalarUDF::new_from_impl(SizePretty {
            signature: Signature::any(1, Volatility::Immutable),
        }),
    );
    Ok(())
}

/// Registers what belongs to one connection.
pub(crate) fn register_session(
    context: &SessionContext,
    backend: &Backend,
    settings: &Arc<Mutex<Settings>>,
) {
    let Backend { pid, who: Who { user, database, .. }, .. } = backend;
    context.register_udf(constant("current_database", text(database)));
    context.register_udf(constant("current_catalog", text(database)));
    context.register_udf(constant("session_user", text(user)));
    context.register_udf(constant("current_user", text(user)));
    context.register_udf(constant("pg_backend_pid", ScalarValue::Int32(Some(*pid))));
    for write in [false, true] {
        let volatility = if write { Volatility::Volatile } else { Volatility::Stable };
        let one_of = vec![TypeSignature::Any(1), TypeSignature::Any(2), TypeSignature::Any(3)];
        context.register_udf(ScalarUDF::new_from_impl(SettingFunction {
            signature: Signature::one_of(one_of, volatility),
            write,
            settings: Shared(settings.clone()),
        }));
    }
}

/// Registers a function in the place of another of its name. That one's aliases must go, too: a
/// session is built from all functions that can still be found, and would find it again.
fn replace(context: &SessionContext, function: ScalarUDF) {
    let old = context.state().scalar_functions().get(function.name()).cloned();
    for alias in old.iter().flat_map(|old| old.aliases()) {
        context.deregister_udf(alias);
    }
    context.register_udf(function);
}

fn text(value: &str) -> ScalarValue {
    ScalarValue::Utf8(Some(value.to_owned()))
}

fn constant(name: &str, value: ScalarValue) -> ScalarUDF {
    // Immutable, so that it is folded: one of these is as good in a scan's condition as a literal.
    let one_of = vec![TypeSignature::Nullary, TypeSignature::VariadicAny];
    let signature = Signature::one_of(one_of, Volatility::Immutable);
    ScalarUDF::new_from_impl(Constant { name: name.to_owned(), value, signature })
}

/// A function with the same answer for any arguments.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Constant {
    name: String,
    value: ScalarValue,
    signature: Signature,
}

impl ScalarUDFImpl for Constant {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.value.data_type())
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(ColumnarValue::Scalar(self.value.clone()))
    }
}

/// Settings that compare by identity, which is what a function of one connection needs.
#[derive(Debug)]
struct Shared(Arc<Mutex<Settings>>);

impl PartialEq for Shared {
    fn eq(&self, other: &Shared) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Shared {}

impl std::hash::Hash for Shared {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        std::ptr::hash(Arc::as_ptr(&self.0), state);
    }
}

/// `current_setting(name [, missing_ok])` and `set_config(name, value, is_local)`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct SettingFunction {
    signature: Signature,
    write: bool,
    settings: Shared,
}

impl ScalarUDFImpl for SettingFunction {
    fn name(&self) -> &str {
        if self.write { "set_config" } else { "current_setting" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        if self.write && !constant {
            return Err(SqlError::unsupported("set_config of a column").into());
        }
        let rows = if constant { 1 } else { args.number_rows };
        let texts = |index: usize| -> Result<Option<StringArray>> {
            let Some(value) = args.args.get(index) else { return Ok(None) };
            Ok(Some(cast(&value.to_array(rows)?, &DataType::Utf8)?.as_string().clone()))
        };
        let (names, others) = (texts(0)?, texts(1)?);
        let missing_ok = matches!(
            args.args.get(1),
            Some(ColumnarValue::Scalar(ScalarValue::Boolean(Some(true))))
        );
        let mut settings = self.settings.0.lock().expect("no code panics while it holds settings");
        let values = (0..rows).map(|row| {
            let Some(names) = names.as_ref().filter(|names| names.is_valid(row)) else {
                return Ok(None);
            };
            let name = names.value(row);
            if self.write {
                let value = others.as_ref().filter(|others| others.is_valid(row));
                settings.set(name, value.map(|values| values.value(row)))?;
            }
            match settings.get(name) {
                Ok(value) => Ok(Some(value)),
                Err(_) if missing_ok => Ok(None),
                Err(error) => Err(error.into()),
            }
        });
        let values = values.collect::<Result<StringArray>>()?;
        Ok(match constant {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?),
            false => ColumnarValue::Array(Arc::new(values)),
        })
    }
}

/// `pg_size_pretty(bytes)`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct SizePretty {
    signature: Signature,
}

impl ScalarUDFImpl for SizePretty {
    fn name(&self) -> &str {
        "pg_size_pretty"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let sizes = cast(&args.args[0].to_array(args.number_rows)?, &DataType::Int64)?;
        let sizes = sizes.as_primitive::<datafusion::arrow::datatypes::Int64Type>();
        let pretty: StringArray = sizes.iter().map(|size| size.map(pretty)).collect();
        Ok(ColumnarValue::Array(Arc::new(pretty)))
    }
}

fn pretty(bytes: i64) -> String {
    // As Postgres: a unit is left when there would be more than 10240 of it.
    let (mut size, mut units) = (bytes, ["bytes", "kB", "MB", "GB", "TB"].into_iter());
    let mut unit = units.next();
    while size.abs() >= 10 * 1024
        && let Some(next) = units.next()
    {
        size = (size + 512) / 1024;
        unit = Some(next);
    }
    format!("{size} {}", unit.unwrap_or_default())
}

/// The JSON text of what `->` returns, which Arrow has as a union of types.
pub(crate) fn json_text(array: &ArrayRef) -> Result<ArrayRef> {
    let field = Arc::new(Field::new("json", array.data_type().clone(), true));
    let args = ScalarFunctionArgs {
        args: vec![ColumnarValue::Array(array.clone())],
        arg_fields: vec![field],
        number_rows: array.len(),
        return_field: Arc::new(Field::new("text", DataType::Utf8View, true)),
        config_options: Arc::default(),
    };
    json_union_to_text_udf().invoke_with_args(args)?.into_array(array.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(pretty(0), "0 bytes");
        assert_eq!(pretty(10_239), "10239 bytes");
        assert_eq!(pretty(10_240), "10 kB");
        assert_eq!(pretty(123_456_789), "118 MB");
    }
}
