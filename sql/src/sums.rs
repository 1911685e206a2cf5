//! `sum` as Postgres has it: of whole numbers and decimals it is right, or an error.
//!
//! DataFusion adds such numbers up in the type of the result and wraps around at its end. Here they are
//! added up in 128 bits, which no number of rows of 64 bits leaves, and looked at when they are done:
//! only the sum itself must be in range, whatever the order of the rows. Floats, intervals and the rest
//! are summed as DataFusion does.

use std::collections::HashMap;
use std::iter::once;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Decimal128Array, Int64Array,
    PrimitiveArray, UInt64Array,
};
use datafusion::arrow::datatypes::{
    DataType, Decimal128Type, Field, FieldRef, Int64Type, UInt64Type,
};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::functions_aggregate::sum::Sum;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, Signature,
};
use datafusion::prelude::SessionContext;

use crate::error::SqlError;

/// Digits of a decimal.
const DIGITS: u8 = 38;
/// The first whole number that has more.
const DECIMAL_END: i128 = 10_i128.pow(DIGITS as u32);

/// Puts it in the place of DataFusion's.
pub(crate) fn register(context: &SessionContext) {
    context.register_udaf(AggregateUDF::from(CheckedSum::default()));
}

#[derive(Debug, Default, PartialEq, Eq, Hash)]
struct CheckedSum {
    plain: Sum,
}

/// What sums of a result type are gathered as, if they are gathered here.
fn state_type(kind: &DataType) -> Option<DataType> {
    match kind {
        DataType::Int64 | DataType::UInt64 => Some(DataType::Decimal128(DIGITS, 0)),
        DataType::Decimal128(_, scale) => Some(DataType::Decimal128(DIGITS, *scale)),
        _ => None,
    }
}

impl AggregateUDFImpl for CheckedSum {
    fn name(&self) -> &str {
        self.plain.name()
    }

    fn signature(&self) -> &Signature {
        self.plain.signature()
    }

    fn return_type(&self, kinds: &[DataType]) -> Result<DataType> {
        self.plain.return_type(kinds)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let Some(state) = state_type(args.return_type()) else {
            return self.plain.state_fields(args);
        };
        Ok(vec![Arc::new(match args.is_distinct {
            false => Field::new(format_state_name(args.name, "sum"), state, true),
            true => {
                let name = format_state_name(args.name, "sum distinct");
                Field::new_list(name, Field::new_list_field(state, true), false)
            }
        })])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let kind = args.return_field.data_type().clone();
        match (state_type(&kind), args.is_distinct) {
            (None, _) => self.plain.accumulator(args),
            (Some(_), false) => Ok(Box::new(Total { kind, sum: 0, n: 0 })),
            (Some(_), true) => Ok(Box::new(Distinct { kind, values: HashMap::new() })),
        }
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match state_type(args.return_field.data_type()) {
            None => self.plain.create_sliding_accumulator(args),
            Some(_) => self.accumulator(args),
        }
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let kind = args.return_field.data_type().clone();
        match state_type(&kind) {
            None => self.plain.create_groups_accumulator(args),
            Some(_) => Ok(Box::new(Groups { kind, sums: Vec::new() })),
        }
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

/// Calls `take` with the place and the number of each value that is not null.
fn each(array: &dyn Array, take: impl FnMut(usize, i128) -> Result<()>) -> Result<()> {
    match array.data_type() {
        DataType::Int64 => each_of::<Int64Type>(array.as_primitive(), take),
        DataType::UInt64 => each_of::<UInt64Type>(array.as_primitive(), take),
        DataType::Decimal128(..) => each_of::<Decimal128Type>(array.as_primitive(), take),
        other => internal_err!("a sum of {other}"),
    }
}

fn each_of<T: ArrowPrimitiveType>(
    array: &PrimitiveArray<T>,
    mut take: impl FnMut(usize, i128) -> Result<()>,
) -> Result<()>
where
    T::Native: Into<i128>,
{
    let values = array.values();
    match array.nulls() {
        None => (0..values.len()).try_for_each(|row| take(row, values[row].into())),
        Some(nulls) => nulls.valid_indices().try_for_each(|row| take(row, values[row].into())),
    }
}

fn out_of_range(kind: &DataType) -> SqlError {
    match kind {
        DataType::Decimal128(..) => SqlError::new("22003", "value overflows numeric format"),
        _ => SqlError::new("22003", "bigint out of range")
            .hint("cast what is summed to numeric: sum(x::numeric)"),
    }
}

fn added(kind: &DataType, sum: i128, value: i128) -> Result<i128> {
    sum.checked_add(value).ok_or_else(|| out_of_range(kind).into())
}

/// Sums in the type of the result.
fn finished(
    kind: &DataType,
    sums: impl ExactSizeIterator<Item = Option<i128>>,
) -> Result<ArrayRef> {
    fn narrow<T: TryFrom<i128>>(kind: &DataType, sum: Option<i128>) -> Result<Option<T>> {
        let narrow = sum.map(T::try_from).transpose();
        narrow.map_err(|_| out_of_range(kind).into())
    }
    Ok(match kind {
        DataType::Int64 => {
            let sums = sums.map(|sum| narrow(kind, sum)).collect::<Result<Vec<Option<i64>>>>()?;
            Arc::new(Int64Array::from(sums))
        }
        DataType::UInt64 => {
            let sums = sums.map(|sum| narrow(kind, sum)).collect::<Result<Vec<Option<u64>>>>()?;
            Arc::new(UInt64Array::from(sums))
        }
        _ => {
            let sums: Vec<Option<i128>> = sums.collect();
            if sums.iter().flatten().any(|sum| !(-DECIMAL_END < *sum && *sum < DECIMAL_END)) {
                return Err(out_of_range(kind).into());
            }
            Arc::new(Decimal128Array::from(sums).with_data_type(kind.clone()))
        }
    })
}

/// Sums on their way: they may be out of the range of the result.
fn unfinished(kind: &DataType, sums: Vec<Option<i128>>) -> Result<ArrayRef> {
    let Some(state) = state_type(kind) else { return internal_err!("a sum of {kind}") };
    Ok(Arc::new(Decimal128Array::from(sums).with_data_type(state)))
}

/// The sum of some rows, which may leave again.
#[derive(Debug)]
struct Total {
    kind: DataType,
    sum: i128,
    /// How many values are in it.
    n: u64,
}

impl Total {
    fn value(&self) -> Option<i128> {
        (self.n > 0).then_some(self.sum)
    }
}

impl Accumulator for Total {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        each(&values[0], |_, value| {
            self.sum = added(&self.kind, self.sum, value)?;
            self.n += 1;
            Ok(())
        })
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        each(&values[0], |_, value| {
            // What is in the sum can leave it.
            self.sum -= value;
            self.n -= 1;
            Ok(())
        })
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::try_from_array(&finished(&self.kind, once(self.value()))?, 0)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let sum = unfinished(&self.kind, vec![self.value()])?;
        Ok(vec![ScalarValue::try_from_array(&sum, 0)?])
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

/// The sum of the different values of some rows, which may leave again.
#[derive(Debug)]
struct Distinct {
    kind: DataType,
    /// How often each value is there.
    values: HashMap<i128, u64>,
}

impl Accumulator for Distinct {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        each(&values[0], |_, value| {
            *self.values.entry(value).or_default() += 1;
            Ok(())
        })
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        each(&values[0], |_, value| {
            if let Some(n) = self.values.get_mut(&value) {
                *n -= 1;
                if *n == 0 {
                    self.values.remove(&value);
                }
            }
            Ok(())
        })
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists = states[0].as_list::<i32>();
        lists.iter().flatten().try_for_each(|values| self.update_batch(&[values]))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut sum = (!self.values.is_empty()).then_some(0);
        for value in self.values.keys() {
            sum = Some(added(&self.kind, sum.unwrap_or(0), *value)?);
        }
        ScalarValue::try_from_array(&finished(&self.kind, once(sum))?, 0)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values = self.values.keys().copied().map(Some).collect();
        let values = unfinished(&self.kind, values)?;
        let list = datafusion::common::utils::SingleRowListArrayBuilder::new(values);
        Ok(vec![ScalarValue::List(Arc::new(list.build_list_array()))])
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.capacity() * size_of::<(i128, u64)>()
    }
}

/// The sums of many groups.
struct Groups {
    kind: DataType,
    sums: Vec<Option<i128>>,
}

impl Groups {
    fn add(
        &mut self,
        values: &dyn Array,
        groups: &[usize],
        filter: Option<&BooleanArray>,
        n_groups: usize,
    ) -> Result<()> {
        self.sums.resize(n_groups, None);
        let Groups { kind, sums } = self;
        each(values, |row, value| {
            if filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row)) {
                let sum = &mut sums[groups[row]];
                *sum = Some(added(kind, sum.unwrap_or(0), value)?);
            }
            Ok(())
        })
    }
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        n_groups: usize,
    ) -> Result<()> {
        self.add(&values[0], groups, filter, n_groups)
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        groups: &[usize],
        n_groups: usize,
    ) -> Result<()> {
        self.add(&states[0], groups, None, n_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        finished(&self.kind, emit_to.take_needed(&mut self.sums).into_iter())
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![unfinished(&self.kind, emit_to.take_needed(&mut self.sums))?])
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let n_rows = values[0].len();
        let mut each_row = Groups { kind: self.kind.clone(), sums: Vec::new() };
        let rows: Vec<usize> = (0..n_rows).collect();
        each_row.add(&values[0], &rows, filter, n_rows)?;
        each_row.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.sums.capacity() * size_of::<Option<i128>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(kind: DataType) -> Total {
        Total { kind, sum: 0, n: 0 }
    }

    fn ints(values: &[i64]) -> ArrayRef {
        Arc::new(Int64Array::from(values.to_vec()))
    }

    /// They wrapped around: the sum of two halves of the range was negative.
    #[test]
    fn a_sum_beyond_its_type_is_an_error() {
        let check = |parts: &[&[i64]], expected: Option<i64>| {
            let mut whole = total(DataType::Int64);
            let mut groups = Groups { kind: DataType::Int64, sums: Vec::new() };
            for part in parts {
                let mut own = total(DataType::Int64);
                own.update_batch(&[ints(part)]).unwrap();
                let state = own.state().unwrap().remove(0).to_array().unwrap();
                whole.merge_batch(std::slice::from_ref(&state)).unwrap();
                groups.merge_batch(&[state], &[1], 2).unwrap();
            }
            let shown = |value: Result<ScalarValue>| match value {
                Ok(ScalarValue::Int64(value)) => value,
                Ok(other) => panic!("{other}"),
                Err(error) => {
                    assert_eq!(SqlError::from(error).code, "22003");
                    None
                }
            };
            assert_eq!(shown(whole.evaluate()), expected, "{parts:?}");
            let groups = groups.evaluate(EmitTo::All);
            let group = groups.and_then(|sums| ScalarValue::try_from_array(&sums, 1));
            assert_eq!(shown(group), expected, "{parts:?}");
        };
        check(&[&[i64::MAX], &[1]], None);
        check(&[&[i64::MIN, -1]], None);
        check(&[&[i64::MAX, 1], &[-1]], Some(i64::MAX));
        check(&[&[i64::MIN], &[i64::MAX]], Some(-1));
        check(&[&[], &[]], None);
    }

    #[test]
    fn decimals_stop_at_their_digits() {
        let kind = DataType::Decimal128(DIGITS, 2);
        let of = |values: Vec<i128>| -> ArrayRef {
            Arc::new(Decimal128Array::from(values).with_data_type(kind.clone()))
        };
        let nines = DECIMAL_END - 1;
        for (values, fits) in [
            (vec![nines], true),
            (vec![nines, 1], false),
            (vec![nines, nines], false),
            (vec![nines, 1, -1], true),
        ] {
            let mut sum = total(kind.clone());
            let got = sum.update_batch(&[of(values.clone())]).and_then(|()| sum.evaluate());
            assert_eq!(got.is_ok(), fits, "{values:?}");
        }
    }

    #[test]
    fn rows_leave_a_window_again() {
        let mut sum = total(DataType::Int64);
        let mut distinct = Distinct { kind: DataType::Int64, values: HashMap::new() };
        let both: [&mut dyn Accumulator; 2] = [&mut sum, &mut distinct];
        for (window, expected) in both.into_iter().zip([i64::MAX, i64::MAX]) {
            window.update_batch(&[ints(&[7, 7, i64::MAX])]).unwrap();
            assert!(window.evaluate().is_err());
            window.retract_batch(&[ints(&[7, 7])]).unwrap();
            assert_eq!(window.evaluate().unwrap(), ScalarValue::Int64(Some(expected)));
            window.retract_batch(&[ints(&[i64::MAX])]).unwrap();
            assert_eq!(window.evaluate().unwrap(), ScalarValue::Int64(None));
        }
    }
}
