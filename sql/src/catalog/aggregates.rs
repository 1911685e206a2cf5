//! Aggregates that make values of subqueries: the only row, or all of them as an array.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::prelude::SessionContext;

use super::rewrite::{SINGLE_DIFFERING, SINGLE_VALUE};
use crate::error::SqlError;

/// Registers them.
pub(crate) fn register(context: &SessionContext) {
    let signature = Signature::any(1, Volatility::Immutable);
    context.register_udaf(AggregateUDF::from(SingleValue { signature: signature.clone() }));
    context.register_udf(ScalarUDF::new_from_impl(ArrayOrEmpty { signature }));
    let signature = Signature::any(2, Volatility::Immutable);
    context.register_udf(ScalarUDF::new_from_impl(SingleDiffering { signature }));
}

/// `single_value(x)`: the value of the only row, null without one, an error with several.
#[derive(Debug, PartialEq, Eq, Hash)]
struct SingleValue {
    signature: Signature,
}

impl AggregateUDFImpl for SingleValue {
    fn name(&self) -> &str {
        SINGLE_VALUE
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, kinds: &[DataType]) -> Result<DataType> {
        Ok(kinds[0].clone())
    }

    fn return_field(&self, fields: &[FieldRef]) -> Result<FieldRef> {
        // With its metadata: an oid is an oid.
        Ok(Arc::new(fields[0].as_ref().clone().with_nullable(true).with_name(self.name())))
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let value = ScalarValue::try_from(args.return_field.data_type())?;
        Ok(Box::new(Single { value, count: 0 }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let value = args.return_field.as_ref().clone().with_name("value");
        Ok(vec![Arc::new(value), Arc::new(Field::new("count", DataType::Int64, true))])
    }
}

fn several() -> SqlError {
    SqlError::new("21000", "more than one row returned by a subquery used as an expression")
}

#[derive(Debug)]
struct Single {
    value: ScalarValue,
    count: i64,
}

impl Single {
    fn add(&mut self, value: ScalarValue, count: i64) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        self.value = value;
        self.count += count;
        match self.count {
            1 => Ok(()),
            _ => Err(several().into()),
        }
    }
}

impl Accumulator for Single {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        (0..values[0].len())
            .try_for_each(|row| self.add(ScalarValue::try_from_array(&values[0], row)?, 1))
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let counts = states[1].as_primitive::<Int64Type>();
        (0..counts.len()).try_for_each(|row| {
            self.add(ScalarValue::try_from_array(&states[0], row)?, counts.value(row))
        })
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.value.clone())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.value.clone(), ScalarValue::Int64(Some(self.count))])
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.value.size()
    }
}

/// `array_or_empty(x)`: an empty array instead of null.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ArrayOrEmpty {
    signature: Signature,
}

impl ScalarUDFImpl for ArrayOrEmpty {
    fn name(&self) -> &str {
        "array_or_empty"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, kinds: &[DataType]) -> Result<DataType> {
        Ok(kinds[0].clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let lists = args.args[0].to_array(args.number_rows)?;
        let Some(found) = lists.as_list_opt::<i32>() else {
            return Ok(ColumnarValue::Array(lists));
        };
        if found.null_count() == 0 {
            return Ok(ColumnarValue::Array(lists));
        }
        let DataType::List(item) = found.data_type() else {
            return Ok(ColumnarValue::Array(lists));
        };
        // Nulls may stand before items, so lists are put together anew.
        let parts: Vec<ArrayRef> = found.iter().flatten().collect();
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        let values = match parts.as_slice() {
            [] => found.values().slice(0, 0),
            parts => datafusion::arrow::compute::concat(parts)?,
        };
        let lengths = found.iter().map(|list| list.map_or(0, |list| list.len()));
        let offsets = OffsetBuffer::from_lengths(lengths);
        Ok(ColumnarValue::Array(Arc::new(ListArray::try_new(item.clone(), offsets, values, None)?)))
    }
}

/// `single_differing(pairs, x)`: of a list of `{value, key}` the value whose key differs from `x`,
/// null without one, an error with several.
#[derive(Debug, PartialEq, Eq, Hash)]
struct SingleDiffering {
    signature: Signature,
}

impl ScalarUDFImpl for SingleDiffering {
    fn name(&self) -> &str {
        SINGLE_DIFFERING
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, kinds: &[DataType]) -> Result<DataType> {
        match kinds.first() {
            Some(DataType::List(item)) => match item.data_type() {
                DataType::Struct(fields) if !fields.is_empty() => Ok(fields[0].data_type().clone()),
                _ => Err(SqlError::unsupported("such a subquery").into()),
            },
            _ => Err(SqlError::unsupported("such a subquery").into()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let lists = args.args[0].to_array(args.number_rows)?;
        let others = args.args[1].to_array(args.number_rows)?;
        let null = ScalarValue::try_from(args.return_field.data_type())?;
        let lists = lists.as_list::<i32>();
        let values = (0..lists.len()).map(|row| {
            let mut found = None;
            if lists.is_null(row) || others.is_null(row) {
                return Ok(null.clone());
            }
            let other = ScalarValue::try_from_array(&others, row)?;
            let pairs = lists.value(row);
            let pairs = pairs.as_struct();
            for at in 0..pairs.len() {
                let key = ScalarValue::try_from_array(pairs.column(1), at)?;
                // Comparing with null is neither true nor false.
                if key.is_null() || key.cast_to(&other.data_type())? == other {
                    continue;
                }
                if found.replace(ScalarValue::try_from_array(pairs.column(0), at)?).is_some() {
                    return Err(several().into());
                }
            }
            Ok(found.unwrap_or_else(|| null.clone()))
        });
        let values = values.collect::<Result<Vec<_>>>()?;
        match values.is_empty() {
            true => Ok(ColumnarValue::Array(null.to_array_of_size(0)?)),
            false => Ok(ColumnarValue::Array(ScalarValue::iter_to_array(values)?)),
        }
    }
}
