//! `age(a, b)`: the time from `b` to `a` in years, months, days and the rest, as one counts them on a
//! calendar. `age(a)` is from `a` to this midnight.
//!
//! In: times, taken to be in UTC. Out: intervals.

use std::sync::Arc;

use chrono::{DateTime, Datelike, Months, NaiveDate, Timelike};
use datafusion::arrow::array::{Array, AsArray, IntervalMonthDayNanoArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, IntervalMonthDayNano, IntervalUnit, TimeUnit, TimestampMicrosecondType,
};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::by_rows::by_rows;
use crate::error::SqlError;

const DAY_US: i64 = 86_400_000_000;

/// The function, of two times: that of one is rewritten.
pub(crate) fn function() -> ScalarUDF {
    ScalarUDF::new_from_impl(Age { signature: Signature::any(2, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Age {
    signature: Signature,
}

impl ScalarUDFImpl for Age {
    fn name(&self) -> &str {
        "age"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, kinds: &[DataType]) -> Result<DataType> {
        for kind in kinds {
            let is_time = matches!(kind, DataType::Timestamp(..) | DataType::Date32);
            if !is_time && !kind.is_null() && !kind.is_string() {
                let text = format!("function age({}, {}) does not exist", kinds[0], kinds[1]);
                return Err(SqlError::new("42883", text).into());
            }
        }
        Ok(DataType::Interval(IntervalUnit::MonthDayNano))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        by_rows(&args, |arrays, rows| {
            let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
            let (ends, starts) = (cast(&arrays[0], &micros)?, cast(&arrays[1], &micros)?);
            let ends = ends.as_primitive::<TimestampMicrosecondType>();
            let starts = starts.as_primitive::<TimestampMicrosecondType>();
            let ages = (0..rows).map(|row| match ends.is_valid(row) && starts.is_valid(row) {
                true => age(ends.value(row), starts.value(row)).map(Some),
                false => Ok(None),
            });
            Ok(Arc::new(ages.collect::<Result<IntervalMonthDayNanoArray>>()?))
        })
    }
}

/// From `start` to `end`, in microseconds since 1970.
fn age(end: i64, start: i64) -> Result<IntervalMonthDayNano> {
    let out_of_range = || SqlError::new("22008", "timestamp out of range");
    let (first, last) = (start.min(end), start.max(end));
    let parts = |at: i64| -> Result<(NaiveDate, i64)> {
        let time = DateTime::from_timestamp_micros(at).ok_or_else(out_of_range)?;
        let second = i64::from(time.num_seconds_from_midnight());
        Ok((time.date_naive(), second * 1_000_000 + i64::from(time.timestamp_subsec_micros())))
    };
    let ((from, from_us), (to, to_us)) = (parts(first)?, parts(last)?);
    let mut micros = to_us - from_us;
    let mut days = i64::from(to.day()) - i64::from(from.day());
    let mut months =
        i64::from(to.year() - from.year()) * 12 + i64::from(to.month()) - i64::from(from.month());
    if micros < 0 {
        micros += DAY_US;
        days -= 1;
    }
    if days < 0 {
        // A month as long as the one that the earlier time is in: the rest of it, as it were.
        let month = from.with_day(1).ok_or_else(out_of_range)?;
        let next = month.checked_add_months(Months::new(1)).ok_or_else(out_of_range)?;
        days += (next - month).num_days();
        months -= 1;
    }
    let sign = if end < start { -1 } else { 1 };
    let small = |n: i64| i32::try_from(sign * n).map_err(|_| out_of_range());
    Ok(IntervalMonthDayNano::new(small(months)?, small(days)?, sign * micros * 1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calendars() {
        let check = |end: &str, start: &str, (months, days, hours): (i32, i32, i64)| {
            let at = |text: &str| text.parse::<DateTime<chrono::Utc>>().unwrap().timestamp_micros();
            let expected = IntervalMonthDayNano::new(months, days, hours * 3_600_000_000_000);
            assert_eq!(age(at(end), at(start)).unwrap(), expected, "{end} {start}");
        };
        check("2024-03-01T00:00:00Z", "2023-01-15T00:00:00Z", (13, 17, 0));
        check("2024-03-01T00:00:00Z", "2024-01-31T00:00:00Z", (1, 1, 0));
        check("2024-01-31T00:00:00Z", "2024-03-01T00:00:00Z", (-1, -1, 0));
        check("2024-03-01T01:00:00Z", "2024-02-29T22:00:00Z", (0, 0, 3));
        check("2024-03-01T00:00:00Z", "2024-03-01T00:00:00Z", (0, 0, 0));
    }
}
