//! `extract(field from time)` and `date_part(field, time)`: as Postgres counts, with fractions.
//!
//! DataFusion's function of the name drops the fraction of seconds and starts weeks elsewhere.

use std::sync::Arc;

use chrono::{DateTime, Datelike, NaiveDateTime, Timelike};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, DurationNanosecondType, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit,
    Time64NanosecondType, TimeUnit, TimestampNanosecondType,
};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::error::SqlError;

const DAY_NS: i64 = 86_400_000_000_000;

/// The function.
pub(crate) fn function() -> ScalarUDF {
    ScalarUDF::new_from_impl(DatePart { signature: Signature::any(2, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct DatePart {
    signature: Signature,
}

impl ScalarUDFImpl for DatePart {
    fn name(&self) -> &str {
        "date_part"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        let kind = &args[1];
        if kind.is_temporal() || kind.is_null() || matches!(kind, DataType::Interval(_)) {
            return Ok(DataType::Float64);
        }
        let text = format!("function date_part(text, {kind}) does not exist");
        Err(SqlError::new("42883", text).into())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ColumnarValue::Scalar(field) = &args.args[0] else {
            return Err(SqlError::unsupported("date_part of a field that varies").into());
        };
        let field = field.try_as_str().flatten().unwrap_or_default().to_lowercase();
        let constant = matches!(args.args[1], ColumnarValue::Scalar(_));
        let array = args.args[1].to_array(if constant { 1 } else { args.number_rows })?;
        let parts: ArrayRef = Arc::new(parts(&field, &array)?);
        Ok(match constant {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&parts, 0)?),
            false => ColumnarValue::Array(parts),
        })
    }
}

fn parts(field: &str, array: &ArrayRef) -> Result<Float64Array> {
    Ok(match array.data_type() {
        DataType::Null => Float64Array::new_null(array.len()),
        DataType::Interval(_) => {
            let kind = DataType::Interval(IntervalUnit::MonthDayNano);
            let spans = cast(array, &kind)?;
            let part = |span| of_interval(field, span).ok_or_else(|| unknown(field, "interval"));
            spans.as_primitive::<IntervalMonthDayNanoType>().try_unary(part)?
        }
        DataType::Duration(_) => {
            let spans = cast(array, &DataType::Duration(TimeUnit::Nanosecond))?;
            // A difference of times is days and the rest, as in Postgres.
            let part = |span: i64| {
                let days = i32::try_from(span / DAY_NS).unwrap_or(i32::MAX);
                let span = IntervalMonthDayNano::new(0, days, span % DAY_NS);
                of_interval(field, span).ok_or_else(|| unknown(field, "interval"))
            };
            spans.as_primitive::<DurationNanosecondType>().try_unary(part)?
        }
        DataType::Time32(_) | DataType::Time64(_) => {
            let times = cast(array, &DataType::Time64(TimeUnit::Nanosecond))?;
            let part = |at: i64| {
                let part = of_interval(field, IntervalMonthDayNano::new(0, 0, at));
                let known = !matches!(field, "year" | "month" | "day");
                part.filter(|_| known).ok_or_else(|| unknown(field, "time"))
            };
            times.as_primitive::<Time64NanosecondType>().try_unary(part)?
        }
        kind => {
            let zone = match kind {
                DataType::Timestamp(_, zone) => zone.clone(),
                _ => None,
            };
            let times = cast(array, &DataType::Timestamp(TimeUnit::Nanosecond, zone))?;
            let part = |at: i64| of_time(field, at).ok_or_else(|| unknown(field, "timestamp"));
            times.as_primitive::<TimestampNanosecondType>().try_unary(part)?
        }
    })
}

fn unknown(field: &str, kind: &str) -> SqlError {
    let field: String = field.chars().take(64).collect();
    SqlError::new("22023", format!("unit \"{field}\" not recognized for type {kind}"))
}

/// In microseconds, which is as exact as Postgres is.
fn seconds(nanoseconds: i64) -> f64 {
    let micros = nanoseconds.div_euclid(1000);
    // Whole and fraction apart, so that a small fraction of a large number is not lost early.
    (micros / 1_000_000) as f64 + (micros % 1_000_000) as f64 / 1e6
}

fn of_time(field: &str, at: i64) -> Option<f64> {
    let time: NaiveDateTime = DateTime::from_timestamp_nanos(at).naive_utc();
    let year = f64::from(time.year());
    let century = |years: i32| f64::from((time.year() + years - 1).div_euclid(years));
    let nanos_of_minute =
        i64::from(time.second()) * 1_000_000_000 + i64::from(time.nanosecond() % 1_000_000_000);
    Some(match field {
        "epoch" => seconds(at),
        "year" | "years" => year,
        "month" | "months" => f64::from(time.month()),
        "day" | "days" => f64::from(time.day()),
        "hour" | "hours" => f64::from(time.hour()),
        "minute" | "minutes" => f64::from(time.minute()),
        "second" | "seconds" => seconds(nanos_of_minute),
        "millisecond" | "milliseconds" | "msec" => nanos_of_minute.div_euclid(1000) as f64 / 1000.0,
        "microsecond" | "microseconds" | "usec" => nanos_of_minute.div_euclid(1000) as f64,
        "dow" => f64::from(time.weekday().num_days_from_sunday()),
        "isodow" => f64::from(time.weekday().number_from_monday()),
        "doy" => f64::from(time.ordinal()),
        "week" => f64::from(time.iso_week().week()),
        "isoyear" => f64::from(time.iso_week().year()),
        "quarter" => f64::from(time.month0() / 3 + 1),
        "decade" => year.div_euclid(10.0),
        "century" => century(100),
        "millennium" => century(1000),
        "timezone" | "timezone_hour" | "timezone_minute" => 0.0,
        "julian" => {
            let days = f64::from(time.num_days_from_ce()) + 1_721_425.0;
            days + (at.rem_euclid(DAY_NS)) as f64 / DAY_NS as f64
        }
        _ => return None,
    })
}

fn of_interval(field: &str, span: IntervalMonthDayNano) -> Option<f64> {
    let (months, nanos) = (span.months, span.nanoseconds);
    let minute = nanos % 60_000_000_000;
    Some(match field {
        // A year has 365.25 days here, and a month 30.
        "epoch" => {
            let days = f64::from(months / 12) * 365.25 + f64::from(months % 12) * 30.0;
            (days + f64::from(span.days)) * 86_400.0 + (nanos / 1000) as f64 / 1e6
        }
        "year" | "years" => f64::from(months / 12),
        "month" | "months" => f64::from(months % 12),
        "day" | "days" => f64::from(span.days),
        "hour" | "hours" => (nanos / 3_600_000_000_000) as f64,
        "minute" | "minutes" => (nanos / 60_000_000_000 % 60) as f64,
        "second" | "seconds" => (minute / 1000) as f64 / 1e6,
        "millisecond" | "milliseconds" => (minute / 1000) as f64 / 1e3,
        "microsecond" | "microseconds" => (minute / 1000) as f64,
        "quarter" => f64::from(months % 12 / 3 + 1),
        "decade" => f64::from(months / 120),
        "century" => f64::from(months / 1200),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        let at = 1_709_210_096_789_000_000; // 2024-02-29 12:34:56.789
        let check = |field: &str, expected: f64| {
            assert_eq!(of_time(field, at), Some(expected), "{field}");
        };
        check("epoch", 1_709_210_096.789);
        check("year", 2024.0);
        check("second", 56.789);
        check("milliseconds", 56_789.0);
        check("microseconds", 56_789_000.0);
        check("dow", 4.0);
        check("isodow", 4.0);
        check("doy", 60.0);
        check("week", 9.0);
        check("century", 21.0);
        check("decade", 202.0);
        assert_eq!(of_time("fortnight", at), None);
        let span = IntervalMonthDayNano::new(14, 3, 3_661_500_000_000);
        assert_eq!(
            of_interval("epoch", span),
            Some((365.25 + 2.0 * 30.0 + 3.0) * 86_400.0 + 3_661.5)
        );
        assert_eq!(of_interval("month", span), Some(2.0));
        assert_eq!(of_interval("minute", span), Some(1.0));
        assert_eq!(of_interval("second", span), Some(1.5));
    }
}
