//! Time as Postgres formats and converts it: `to_char`, `AT TIME ZONE`, patterns of `to_timestamp`.
//!
//! DataFusion has functions of these names that mean something else, and return without an error
//! what nobody asked for. These replace them.

use std::fmt::Write as _;
use std::sync::Arc;

use chrono::{DateTime, Datelike, NaiveDateTime, Offset, TimeZone, Timelike};
use datafusion::arrow::array::timezone::Tz;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringBuilder, TimestampNanosecondArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, TimeUnit, TimestampNanosecondType};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::error::SqlError;
use crate::number_text;

/// The functions of this file.
pub(crate) fn functions() -> [ScalarUDF; 2] {
    let signature = || Signature::any(2, Volatility::Immutable);
    [
        ScalarUDF::new_from_impl(ToChar { signature: signature() }),
        ScalarUDF::new_from_impl(AtTimeZone { signature: signature() }),
    ]
}

/// `to_char(time, pattern)`, and of a number.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ToChar {
    signature: Signature,
}

impl ScalarUDFImpl for ToChar {
    fn name(&self) -> &str {
        "to_char"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        match args[0] {
            DataType::Timestamp(..) | DataType::Date32 | DataType::Null => Ok(DataType::Utf8),
            ref number if number_text::is_number(number) => Ok(DataType::Utf8),
            ref other => Err(SqlError::unsupported(format_args!("to_char of {other}")).into()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let values = args.args[0].to_array(rows)?;
        let patterns = cast(&args.args[1].to_array(rows)?, &DataType::Utf8)?;
        let patterns = patterns.as_string::<i32>();
        if number_text::is_number(values.data_type()) {
            return returned(number_text::texts(&values, patterns)?, constant);
        }
        let times = nanoseconds(&values)?;
        let mut out = StringBuilder::new();
        let (mut last, mut pattern) = ("", parse(""));
        for (at, text) in times.iter().zip(patterns) {
            let (Some(at), Some(text)) = (at, text) else {
                out.append_null();
                continue;
            };
            if text != last {
                (last, pattern) = (text, parse(text));
            }
            format(&pattern, DateTime::from_timestamp_nanos(at).naive_utc(), &mut out);
            out.append_value("");
        }
        returned(Arc::new(out.finish()), constant)
    }
}

fn returned(array: ArrayRef, constant: bool) -> Result<ColumnarValue> {
    Ok(match constant {
        true => ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?),
        false => ColumnarValue::Array(array),
    })
}

fn nanoseconds(array: &ArrayRef) -> Result<TimestampNanosecondArray> {
    let zone = match array.data_type() {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    };
    let array = cast(array, &DataType::Timestamp(TimeUnit::Nanosecond, zone))?;
    Ok(array.as_primitive::<TimestampNanosecondType>().clone())
}

/// A part of a pattern: a field as Postgres spells it, or text to copy.
#[derive(Clone, Debug, PartialEq)]
enum Part {
    /// With its spelling, and whether it is not padded.
    Field(&'static str, Case, bool),
    Text(String),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Case {
    Upper,
    Title,
    Lower,
}

/// Longer ones first, so that none hides behind its beginning.
const FIELDS: &[&str] = &[
    "SSSSS", "MONTH", "SSSS", "IYYY", "HH24", "HH12", "YYYY", "A.M.", "P.M.", "DDD", "DAY", "MON",
    "YYY", "TZH", "TZM", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6", "IDDD", "YY", "MM", "DD", "DY",
    "HH", "MI", "SS", "MS", "US", "AM", "PM", "TZ", "OF", "IW", "WW", "CC", "ID", "Q", "W", "D",
    "J", "Y",
];

fn parse(text: &str) -> Vec<Part> {
    let (mut parts, mut rest, mut bare) = (Vec::new(), text, false);
    while let Some(first) = rest.chars().next() {
        if let Some(quoted) = rest.strip_prefix('"') {
            let end = quoted.find('"').unwrap_or(quoted.len());
            parts.push(Part::Text(quoted[..end].to_owned()));
            rest = quoted.get(end + 1..).unwrap_or("");
            continue;
        }
        if rest.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("FM")) {
            (bare, rest) = (true, &rest[2..]);
            continue;
        }
        let field = FIELDS.iter().find(|field| {
            rest.get(..field.len()).is_some_and(|start| start.eq_ignore_ascii_case(field))
        });
        match field {
            Some(field) => {
                let mut letters = rest[..field.len()].chars().filter(char::is_ascii_alphabetic);
                let (one, two) = (letters.next(), letters.next());
                let lower = |char: Option<char>| char.is_some_and(|char| char.is_ascii_lowercase());
                let case = match (lower(one), lower(two)) {
                    (true, _) => Case::Lower,
                    (false, true) => Case::Title,
                    (false, false) => Case::Upper,
                };
                parts.push(Part::Field(field, case, std::mem::take(&mut bare)));
                rest = &rest[field.len()..];
            }
            None => {
                match parts.last_mut() {
                    Some(Part::Text(text)) => text.push(first),
                    _ => parts.push(Part::Text(first.to_string())),
                }
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    parts
}

fn format(pattern: &[Part], at: NaiveDateTime, out: &mut StringBuilder) {
    for part in pattern {
        let written = match part {
            Part::Text(text) => out.write_str(text),
            Part::Field(field, case, bare) => {
                let value = match *field {
                    "MONTH" | "MON" | "DAY" | "DY" | "AM" | "PM" | "A.M." | "P.M." | "TZ" => {
                        word(field, *case, *bare, at)
                    }
                    "TZH" | "OF" => "+00".to_owned(),
                    field => number(field, *bare, at),
                };
                out.write_str(&value)
            }
        };
        written.expect("a builder that grows takes every write");
    }
}

fn word(field: &str, case: Case, bare: bool, at: NaiveDateTime) -> String {
    let pm = at.hour() >= 12;
    let (text, width) = match field {
        "MONTH" => (at.format("%B").to_string(), 9),
        "MON" => (at.format("%b").to_string(), 0),
        "DAY" => (at.format("%A").to_string(), 9),
        "DY" => (at.format("%a").to_string(), 0),
        "AM" | "PM" => (if pm { "PM" } else { "AM" }.to_owned(), 0),
        "A.M." | "P.M." => (if pm { "P.M." } else { "A.M." }.to_owned(), 0),
        _ => ("UTC".to_owned(), 0),
    };
    let text = match case {
        Case::Upper => text.to_uppercase(),
        Case::Lower => text.to_lowercase(),
        Case::Title => text,
    };
    if bare { text } else { format!("{text:width$}") }
}

fn number(field: &str, bare: bool, at: NaiveDateTime) -> String {
    let nanosecond = at.nanosecond() % 1_000_000_000;
    let fraction = |digits: u32| i64::from(nanosecond / 10u32.pow(9 - digits));
    let year = i64::from(at.year());
    let hour12 = i64::from(at.hour12().1);
    let (value, width) = match field {
        "YYYY" => (year, 4),
        "YYY" => (year.rem_euclid(1000), 3),
        "YY" => (year.rem_euclid(100), 2),
        "Y" => (year.rem_euclid(10), 1),
        "IYYY" => (i64::from(at.iso_week().year()), 4),
        "CC" => ((year + 99).div_euclid(100), 2),
        "MM" => (i64::from(at.month()), 2),
        "Q" => (i64::from(at.month0() / 3 + 1), 1),
        "DDD" => (i64::from(at.ordinal()), 3),
        "IDDD" => {
            let week = i64::from(at.iso_week().week0());
            (week * 7 + i64::from(at.weekday().number_from_monday()), 3)
        }
        "DD" => (i64::from(at.day()), 2),
        "D" => (i64::from(at.weekday().number_from_sunday()), 1),
        "ID" => (i64::from(at.weekday().number_from_monday()), 1),
        "WW" => (i64::from(at.ordinal0() / 7 + 1), 2),
        "W" => (i64::from(at.day0() / 7 + 1), 1),
        "IW" => (i64::from(at.iso_week().week()), 2),
        "J" => (i64::from(at.num_days_from_ce()) + 1_721_425, 1),
        "HH24" => (i64::from(at.hour()), 2),
        "HH" | "HH12" => (hour12, 2),
        "MI" => (i64::from(at.minute()), 2),
        "SS" => (i64::from(at.second()), 2),
        "SSSS" | "SSSSS" => (i64::from(at.num_seconds_from_midnight()), 1),
        "MS" | "FF3" => (fraction(3), 3),
        "US" | "FF6" => (fraction(6), 6),
        "FF1" => (fraction(1), 1),
        "FF2" => (fraction(2), 2),
        "FF4" => (fraction(4), 4),
        "FF5" => (fraction(5), 5),
        _ => (0, 2),
    };
    if bare { value.to_string() } else { format!("{value:0width$}") }
}

/// A pattern of `to_timestamp` in the notation of DataFusion's function of that name.
pub(crate) fn chrono_pattern(pattern: &str) -> Option<String> {
    let mut out = String::new();
    for part in parse(pattern) {
        match part {
            Part::Text(text) => out.push_str(&text.replace('%', "%%")),
            Part::Field(field, _, _) => {
                let spec = match field {
                    "YYYY" => "%Y",
                    "YY" => "%y",
                    "MM" => "%m",
                    "MONTH" => "%B",
                    "MON" => "%b",
                    "DD" => "%d",
                    "DDD" => "%j",
                    "HH24" => "%H",
                    "HH" | "HH12" => "%I",
                    "MI" => "%M",
                    "SS" => "%S",
                    "AM" | "PM" => "%p",
                    "TZH" | "OF" => "%#z",
                    // Postgres takes up to six digits after a point; so does this, with the point.
                    "US" | "MS" if out.ends_with('.') => {
                        out.pop();
                        "%.f"
                    }
                    "US" => "%6f",
                    "MS" => "%3f",
                    _ => return None,
                };
                out.push_str(spec);
            }
        }
    }
    Some(out)
}

/// `timezone(zone, time)`, which `time AT TIME ZONE zone` is short for: a time with a time zone
/// becomes the local time there, and a local time there becomes a time with a time zone.
#[derive(Debug, PartialEq, Eq, Hash)]
struct AtTimeZone {
    signature: Signature,
}

impl ScalarUDFImpl for AtTimeZone {
    fn name(&self) -> &str {
        "timezone"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        match &args[1] {
            DataType::Timestamp(_, Some(_)) => Ok(DataType::Timestamp(TimeUnit::Nanosecond, None)),
            DataType::Timestamp(_, None) | DataType::Date32 | DataType::Null => {
                Ok(DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())))
            }
            other => plan_err!("cannot coerce {other} to a timestamp for AT TIME ZONE"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ColumnarValue::Scalar(zone) = &args.args[0] else {
            return Err(SqlError::unsupported("AT TIME ZONE with a column as the zone").into());
        };
        let zone = match zone.try_as_str() {
            Some(Some(zone)) => zone_named(zone)?,
            _ => return exec_err!("a time zone must be a text"),
        };
        let constant = matches!(args.args[1], ColumnarValue::Scalar(_));
        let rows = if constant { 1 } else { args.number_rows };
        let array = args.args[1].to_array(rows)?;
        let to_local = matches!(array.data_type(), DataType::Timestamp(_, Some(_)));
        let shifted = nanoseconds(&array)?.unary_opt::<_, TimestampNanosecondType>(|at| {
            let time = DateTime::from_timestamp_nanos(at).naive_utc();
            let offset = match to_local {
                true => zone.offset_from_utc_datetime(&time),
                // Of a local time that comes twice the first is taken, and one that is skipped
                // counts as in winter, as in Postgres.
                false => zone
                    .offset_from_local_datetime(&time)
                    .earliest()
                    .unwrap_or_else(|| zone.offset_from_utc_datetime(&time)),
            };
            let shift = i64::from(offset.fix().local_minus_utc()) * 1_000_000_000;
            if to_local { at.checked_add(shift) } else { at.checked_sub(shift) }
        });
        let shifted = match to_local {
            true => shifted.with_timezone_opt(None::<Arc<str>>),
            false => shifted.with_timezone("UTC"),
        };
        returned(Arc::new(shifted), constant)
    }
}

fn zone_named(name: &str) -> Result<Tz> {
    // Postgres counts these westwards, as POSIX does; nobody means that who writes one.
    if name.starts_with(|char: char| matches!(char, '+' | '-') || char.is_ascii_digit()) {
        let text = "a time zone that is a number";
        return Err(SqlError::unsupported(text).hint("name it: 'Europe/Berlin'").into());
    }
    let known = match name.to_ascii_uppercase().as_str() {
        "UTC" | "GMT" | "Z" => "UTC".parse(),
        _ => name.parse(),
    };
    known.map_err(|_| {
        let name: String = name.chars().take(64).collect();
        SqlError::new("22023", format!("time zone \"{name}\" not recognized")).into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let at = DateTime::from_timestamp_nanos(1_767_366_245_123_456_789).naive_utc();
        let check = |pattern: &str, expected: &str| {
            let mut out = StringBuilder::new();
            format(&parse(pattern), at, &mut out);
            out.append_value("");
            assert_eq!(out.finish().value(0), expected, "{pattern}");
        };
        check("YYYY-MM-DD HH24:MI:SS", "2026-01-02 15:04:05");
        check("yyyy-mm-dd\"T\"hh24:mi:ss.us", "2026-01-02T15:04:05.123456");
        check("HH12:MI AM, hh:mi pm", "03:04 PM, 03:04 pm");
        check("Day, DD Month YYYY|", "Friday   , 02 January   2026|");
        check("FMDay, FMDD FMMonth", "Friday, 2 January");
        check("Dy DY dy Mon", "Fri FRI fri Jan");
        check("MS US FF1", "123 123456 1");
        check("Q DDD WW IW ID D J", "1 002 01 01 5 6 2461043");
        check("SSSS TZ", "54245 UTC");
        check("é-YY", "é-26");
        check("", "");
    }

    #[test]
    fn chrono_patterns() {
        assert_eq!(
            chrono_pattern("YYYY-MM-DD HH24:MI:SS.US").as_deref(),
            Some("%Y-%m-%d %H:%M:%S%.f")
        );
        assert_eq!(chrono_pattern("YYYYMMDD").as_deref(), Some("%Y%m%d"));
        assert_eq!(chrono_pattern("Q"), None);
    }
}
