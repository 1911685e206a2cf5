//! `pg_cancel_backend(pid)` and `pg_terminate_backend(pid)`: what one connection may do to others.
//!
//! Both reach connections of the own tenant to this node, the own one among them, and say whether
//! there was one.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, BooleanArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int32Type};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};

use crate::activity::{Activity, Signal};

/// Both functions, as a connection of the tenant has them.
pub(crate) fn functions(activity: &Arc<Activity>, tenant: &str) -> [ScalarUDF; 2] {
    let function = |name, signal, arguments: Vec<TypeSignature>| {
        ScalarUDF::new_from_impl(SignalFunction {
            name,
            signal,
            signature: Signature::one_of(arguments, Volatility::Volatile),
            tenant: tenant.to_owned(),
            activity: activity.clone(),
        })
    };
    let pid = || TypeSignature::Coercible(vec![integer()]);
    // How long to wait for the end is accepted: it is told, and is gone soon.
    let patient = TypeSignature::Coercible(vec![integer(), integer()]);
    [
        function("pg_cancel_backend", Signal::Cancel, vec![pid()]),
        function("pg_terminate_backend", Signal::End, vec![pid(), patient]),
    ]
}

fn integer() -> datafusion::logical_expr::Coercion {
    use datafusion::common::types::{NativeType, logical_int64};
    use datafusion::logical_expr::{Coercion, TypeSignatureClass};
    Coercion::new_implicit(
        TypeSignatureClass::Native(logical_int64()),
        vec![TypeSignatureClass::Integer],
        NativeType::Int64,
    )
}

struct SignalFunction {
    name: &'static str,
    signal: Signal,
    signature: Signature,
    tenant: String,
    activity: Arc<Activity>,
}

impl fmt::Debug for SignalFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignalFunction").field("name", &self.name).finish_non_exhaustive()
    }
}

// A connection has one of each name.
impl PartialEq for SignalFunction {
    fn eq(&self, other: &SignalFunction) -> bool {
        self.name == other.name && self.tenant == other.tenant
    }
}

impl Eq for SignalFunction {}

impl Hash for SignalFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for SignalFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let pids = cast(&args.args[0].to_array(args.number_rows)?, &DataType::Int32)?;
        let pids = pids.as_primitive::<Int32Type>();
        let reached = pids
            .iter()
            .map(|pid| pid.map(|pid| self.activity.signal(&self.tenant, pid, self.signal)));
        let reached: BooleanArray = reached.collect();
        Ok(ColumnarValue::Array(Arc::new(reached) as ArrayRef))
    }
}
