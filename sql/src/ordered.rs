//! `mode()` and `percentile_disc(p)` over the values of a group in order: which of them it is.
//!
//! In: lists that are sorted and have no nulls (`collected.rs` makes them). Out: values of the lists.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, ListArray, UInt64Array, make_comparator,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::{SortOptions, cast, take};
use datafusion::arrow::datatypes::{DataType, Field, Float64Type};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::by_rows::by_rows;
use crate::error::SqlError;

/// `mode_of(list)`: the value that is there most often, the first one of these.
pub(crate) const MODE: &str = "mode_of";
/// `percentile_disc_of(list, p)`: the first value that at least this share of them comes up to. Of a
/// list of shares, one for each.
pub(crate) const PERCENTILE: &str = "percentile_disc_of";

/// The functions of this file.
pub(crate) fn functions() -> [ScalarUDF; 2] {
    [(MODE, 1), (PERCENTILE, 2)].map(|(name, count)| {
        let signature = Signature::any(count, Volatility::Immutable);
        ScalarUDF::new_from_impl(Chosen { name, signature })
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Chosen {
    name: &'static str,
    signature: Signature,
}

impl ScalarUDFImpl for Chosen {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, kinds: &[DataType]) -> Result<DataType> {
        let DataType::List(item) = &kinds[0] else {
            return internal_err!("{} of {}", self.name, kinds[0]);
        };
        match kinds.get(1) {
            Some(DataType::List(_)) => {
                Ok(DataType::List(Arc::new(Field::new_list_field(item.data_type().clone(), true))))
            }
            _ => Ok(item.data_type().clone()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        by_rows(&args, |arrays, rows| {
            let lists = arrays[0].as_list::<i32>();
            let values = lists.values();
            let Some(shares) = arrays.get(1) else {
                let same = make_comparator(values, values, SortOptions::default())?;
                let modes = (0..rows).map(|row| mode(run(lists, row), |a, b| same(a, b).is_eq()));
                return Ok(take(values, &modes.collect::<UInt64Array>(), None)?);
            };
            if let Some(shares) = shares.as_list_opt::<i32>() {
                return of_lists(lists, shares, rows);
            }
            let shares = floats(shares)?;
            let places = (0..rows).map(|row| place(run(lists, row), &shares, row));
            Ok(take(values, &places.collect::<Result<UInt64Array>>()?, None)?)
        })
    }
}

/// Where the values of a row are.
fn run(lists: &ListArray, row: usize) -> std::ops::Range<usize> {
    let offsets = lists.value_offsets();
    match lists.is_null(row) {
        true => 0..0,
        false => offsets[row] as usize..offsets[row + 1] as usize,
    }
}

fn mode(run: std::ops::Range<usize>, same: impl Fn(usize, usize) -> bool) -> Option<u64> {
    let (mut best, mut most, mut first) = (None, 0, run.start);
    for at in run {
        if !same(first, at) {
            first = at;
        }
        let n = at - first + 1;
        if n > most {
            (best, most) = (Some(first as u64), n);
        }
    }
    best
}

fn floats(shares: &ArrayRef) -> Result<Float64Array> {
    Ok(cast(shares, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
}

fn place(run: std::ops::Range<usize>, shares: &Float64Array, at: usize) -> Result<Option<u64>> {
    if shares.is_null(at) {
        return Ok(None);
    }
    let share = shares.value(at);
    if !(0.0..=1.0).contains(&share) {
        let text = format!("percentile value {share} is not between 0 and 1");
        return Err(SqlError::new("22003", text).into());
    }
    // A share of a number of rows is in its range.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let nth = (share * run.len() as f64).ceil() as usize;
    Ok((!run.is_empty()).then(|| (run.start + nth.saturating_sub(1)) as u64))
}

fn of_lists(lists: &ListArray, shares: &ListArray, rows: usize) -> Result<ArrayRef> {
    let all = floats(shares.values())?;
    let (mut places, mut lengths) = (Vec::new(), Vec::new());
    let mut known = Vec::new();
    for row in 0..rows {
        let (values, wanted) = (run(lists, row), run(shares, row));
        // Without values there is nothing, not a list of it.
        let is_known = shares.is_valid(row) && !values.is_empty();
        known.push(is_known);
        let before = places.len();
        if is_known {
            for at in wanted {
                places.push(place(values.clone(), &all, at)?);
            }
        }
        lengths.push(places.len() - before);
    }
    let values = take(lists.values(), &UInt64Array::from(places), None)?;
    let item = Arc::new(Field::new_list_field(values.data_type().clone(), true));
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(item, offsets, values, Some(known.into()))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes() {
        let check = |values: &[i32], expected: Option<u64>| {
            assert_eq!(mode(0..values.len(), |a, b| values[a] == values[b]), expected);
        };
        check(&[], None);
        check(&[7], Some(0));
        check(&[1, 2, 2, 3], Some(1));
        check(&[1, 1, 2, 2], Some(0));
        check(&[1, 2, 3, 3, 3], Some(2));
    }

    #[test]
    fn places() {
        let check = |n: usize, share: f64, expected: Option<u64>| {
            let shares = Float64Array::from(vec![share]);
            assert_eq!(place(10..10 + n, &shares, 0).unwrap(), expected, "{share} of {n}");
        };
        check(4, 0.0, Some(10));
        check(4, 0.25, Some(10));
        check(4, 0.26, Some(11));
        check(4, 1.0, Some(13));
        check(0, 0.5, None);
        assert!(place(0..1, &Float64Array::from(vec![1.5]), 0).is_err());
        assert!(place(0..1, &Float64Array::from(vec![f64::NAN]), 0).is_err());
    }
}
