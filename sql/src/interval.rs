//! The text of a span of time as Postgres reads it: `1 day 02:03:04`, `1h30m`, `3 days ago`, `1-2`,
//! `P1DT2H` (source: Postgres 15, "Interval Input", section 8.5.4 of its manual).
//!
//! In: a text. Out: months, days and nanoseconds, or the error that Postgres has. Arrow reads numbers
//! with units and nothing else, so what comes in as text is read here.

use std::fmt;

use datafusion::arrow::datatypes::IntervalMonthDayNano;

use crate::error::SqlError;

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// Days that the fraction of a month is counted in.
const DAYS_OF_MONTH: f64 = 30.0;

/// Reads a span.
pub(crate) fn parse(text: &str) -> Result<IntervalMonthDayNano, SqlError> {
    let trimmed = text.trim();
    let read = match trimmed.strip_prefix('P') {
        Some(rest) => iso(rest),
        None => words(trimmed),
    };
    read.and_then(Sum::span).map_err(|problem| match problem {
        Problem::Syntax => {
            SqlError::new("22007", format!("invalid input syntax for type interval: \"{text}\""))
        }
        Problem::Range => {
            SqlError::new("22015", format!("interval field value out of range: \"{text}\""))
        }
    })
}

/// A span in the words that DataFusion reads in a statement.
pub(crate) struct Written(pub(crate) IntervalMonthDayNano);

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let IntervalMonthDayNano { months, days, nanoseconds } = self.0;
        let sign = if nanoseconds < 0 { "-" } else { "" };
        let micros = nanoseconds.unsigned_abs() / 1000;
        let (seconds, rest) = (micros / SECOND as u64, micros % SECOND as u64);
        write!(f, "{months} mons {days} days {sign}{seconds}.{rest:06} secs")
    }
}

enum Problem {
    Syntax,
    Range,
}

/// What a number counts.
#[derive(Clone, Copy)]
enum Unit {
    /// So many months.
    Months(i64),
    Weeks,
    Days,
    /// So many microseconds.
    Micros(i64),
}

/// What the units of a text sum up to.
#[derive(Default)]
struct Sum {
    months: i64,
    days: i64,
    micros: i64,
}

impl Sum {
    fn add(&mut self, number: Number, unit: Unit) -> Result<(), Problem> {
        match unit {
            Unit::Months(1) => {
                self.months = whole(self.months, number.whole, 1)?;
                self.add_days(number.fraction * DAYS_OF_MONTH)
            }
            Unit::Months(n) => {
                self.months = whole(self.months, number.whole, n)?;
                self.months = whole(self.months, (number.fraction * n as f64).round() as i64, 1)?;
                Ok(())
            }
            Unit::Weeks => {
                self.days = whole(self.days, number.whole, 7)?;
                self.add_days(number.fraction * 7.0)
            }
            Unit::Days => {
                self.days = whole(self.days, number.whole, 1)?;
                self.add_days(number.fraction)
            }
            Unit::Micros(n) => {
                self.micros = whole(self.micros, number.whole, n)?;
                self.add_micros(number.fraction * n as f64)
            }
        }
    }

    /// Less than some hundred days, and what is less than a day of them as time.
    fn add_days(&mut self, days: f64) -> Result<(), Problem> {
        self.days = whole(self.days, days.trunc() as i64, 1)?;
        self.add_micros(days.fract() * DAY as f64)
    }

    fn add_micros(&mut self, micros: f64) -> Result<(), Problem> {
        self.micros = whole(self.micros, micros.round_ties_even() as i64, 1)?;
        Ok(())
    }

    fn negate(&mut self) {
        // Sums are far from the ends of their type, or `span` says so: a wrapped one is still beyond.
        self.months = self.months.wrapping_neg();
        self.days = self.days.wrapping_neg();
        self.micros = self.micros.wrapping_neg();
    }

    fn span(self) -> Result<IntervalMonthDayNano, Problem> {
        let small = |n: i64| i32::try_from(n).map_err(|_| Problem::Range);
        let nanos = self.micros.checked_mul(1000).ok_or(Problem::Range)?;
        Ok(IntervalMonthDayNano::new(small(self.months)?, small(self.days)?, nanos))
    }
}

fn whole(sum: i64, n: i64, unit: i64) -> Result<i64, Problem> {
    n.checked_mul(unit).and_then(|more| sum.checked_add(more)).ok_or(Problem::Range)
}

/// A number and its sign, which is both its parts'.
#[derive(Clone, Copy, Default)]
struct Number {
    whole: i64,
    fraction: f64,
    is_negative: bool,
}

/// Units as words, each after its number; times of day; years and months as `1-2`.
fn words(text: &str) -> Result<Sum, Problem> {
    let mut sum = Sum::default();
    let mut reader = Reader(text.strip_prefix('@').unwrap_or(text));
    let mut said: Vec<&'static str> = Vec::new();
    let mut once = |names: &[&'static str]| {
        let again = names.iter().any(|name| said.contains(name));
        said.extend(names);
        if again { Err(Problem::Syntax) } else { Ok(()) }
    };
    const CLOCK: [&str; 3] = ["hour", "minute", "second"];
    reader.space();
    if reader.0.is_empty() {
        return Err(Problem::Syntax);
    }
    while !reader.0.is_empty() {
        let number = reader.number()?;
        if reader.0.starts_with(':') {
            once(&CLOCK)?;
            sum.micros = whole(sum.micros, reader.clock(number)?, 1)?;
        } else if reader.0.starts_with('-') {
            once(&["year", "month"])?;
            sum.months = whole(sum.months, reader.months(number)?, 1)?;
        } else {
            reader.space();
            let word = reader.word().to_ascii_lowercase();
            let (name, unit) = match word.as_str() {
                // A number in front of a time counts days, one at the end seconds.
                "" if reader.is_clock() => ("day", Unit::Days),
                "" if reader.0.is_empty() => ("second", Unit::Micros(SECOND)),
                word => unit(word).ok_or(Problem::Syntax)?,
            };
            once(&[name])?;
            sum.add(number, unit)?;
        }
        reader.space();
        if reader.0.eq_ignore_ascii_case("ago") {
            sum.negate();
            break;
        }
    }
    Ok(sum)
}

/// A unit, and one name for all its names.
fn unit(word: &str) -> Option<(&'static str, Unit)> {
    Some(match word {
        "us" | "usec" | "usecs" | "usecond" | "useconds" | "microsecond" | "microseconds"
        | "microsecon" => ("microsecond", Unit::Micros(1)),
        "ms" | "msec" | "msecs" | "msecond" | "mseconds" | "millisecond" | "milliseconds"
        | "millisecon" => ("millisecond", Unit::Micros(1000)),
        "s" | "sec" | "secs" | "second" | "seconds" => ("second", Unit::Micros(SECOND)),
        "m" | "min" | "mins" | "minute" | "minutes" => ("minute", Unit::Micros(MINUTE)),
        "h" | "hr" | "hrs" | "hour" | "hours" => ("hour", Unit::Micros(HOUR)),
        "d" | "day" | "days" => ("day", Unit::Days),
        "w" | "week" | "weeks" => ("week", Unit::Weeks),
        "mon" | "mons" | "month" | "months" => ("month", Unit::Months(1)),
        "y" | "yr" | "yrs" | "year" | "years" => ("year", Unit::Months(12)),
        "dec" | "decs" | "decade" | "decades" => ("decade", Unit::Months(120)),
        "c" | "cent" | "century" | "centuries" => ("century", Unit::Months(1200)),
        "mil" | "mils" | "millennium" | "millennia" => ("millennium", Unit::Months(12_000)),
        _ => return None,
    })
}

/// What follows the `P` of ISO 8601: `1Y2M3DT4H5M6.7S`.
fn iso(text: &str) -> Result<Sum, Problem> {
    const DATE: &[(char, Unit)] =
        &[('Y', Unit::Months(12)), ('M', Unit::Months(1)), ('W', Unit::Weeks), ('D', Unit::Days)];
    const TIME: &[(char, Unit)] =
        &[('H', Unit::Micros(HOUR)), ('M', Unit::Micros(MINUTE)), ('S', Unit::Micros(SECOND))];
    let mut sum = Sum::default();
    let mut reader = Reader(text);
    let mut units = DATE;
    let mut in_time = false;
    if text.is_empty() {
        return Err(Problem::Syntax);
    }
    while !reader.0.is_empty() {
        if let Some(rest) = reader.0.strip_prefix('T').filter(|rest| !in_time && !rest.is_empty()) {
            (reader.0, units, in_time) = (rest, TIME, true);
        }
        let number = reader.number()?;
        let letter = reader.0.chars().next().ok_or(Problem::Syntax)?;
        let at = units.iter().position(|(own, _)| *own == letter).ok_or(Problem::Syntax)?;
        sum.add(number, units[at].1)?;
        reader.0 = &reader.0[1..];
    }
    Ok(sum)
}

/// What is left of a text.
struct Reader<'t>(&'t str);

impl<'t> Reader<'t> {
    fn space(&mut self) {
        self.0 = self.0.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ',');
    }

    fn run(&mut self, belongs: impl Fn(u8) -> bool) -> &'t str {
        let end = self.0.bytes().position(|byte| !belongs(byte)).unwrap_or(self.0.len());
        let (run, rest) = self.0.split_at(end);
        self.0 = rest;
        run
    }

    fn word(&mut self) -> &'t str {
        self.run(|byte| byte.is_ascii_alphabetic())
    }

    /// `-12.5`, `+3`, `.5`.
    fn number(&mut self) -> Result<Number, Problem> {
        let is_negative = self.0.starts_with('-');
        self.0 = self.0.strip_prefix(['-', '+']).unwrap_or(self.0);
        let digits = self.run(|byte| byte.is_ascii_digit());
        let fraction = match self.0.strip_prefix('.') {
            Some(rest) => {
                self.0 = rest;
                self.run(|byte| byte.is_ascii_digit())
            }
            None => "",
        };
        if digits.is_empty() && fraction.is_empty() {
            return Err(Problem::Syntax);
        }
        let whole: i64 =
            if digits.is_empty() { 0 } else { digits.parse().map_err(|_| Problem::Range)? };
        let fraction = format!("0.{fraction}0").parse().map_err(|_| Problem::Syntax)?;
        let signed = |fraction: f64| if is_negative { -fraction } else { fraction };
        let whole = if is_negative { -whole } else { whole };
        Ok(Number { whole, fraction: signed(fraction), is_negative })
    }

    /// Whether a time of day comes next.
    fn is_clock(&self) -> bool {
        let digits = self.0.trim_start_matches(['-', '+']);
        let rest = digits.trim_start_matches(|c: char| c.is_ascii_digit());
        rest.len() < digits.len() && rest.starts_with(':')
    }

    /// The rest of `02:03` or `02:03:04.5`, after its hours, in microseconds.
    fn clock(&mut self, hours: Number) -> Result<i64, Problem> {
        let minutes = self.sixtieths()?;
        let seconds = if self.0.starts_with(':') { self.sixtieths()? } else { Number::default() };
        if hours.fraction != 0.0 || minutes.fraction != 0.0 {
            return Err(Problem::Syntax);
        }
        let mut sum = Sum::default();
        sum.add(Number { whole: hours.whole.saturating_abs(), ..hours }, Unit::Micros(HOUR))?;
        sum.add(minutes, Unit::Micros(MINUTE))?;
        sum.add(seconds, Unit::Micros(SECOND))?;
        Ok(if hours.is_negative { -sum.micros } else { sum.micros })
    }

    fn sixtieths(&mut self) -> Result<Number, Problem> {
        self.unsigned(':', 60)
    }

    /// The rest of `1-2`, after its years, in months.
    fn months(&mut self, years: Number) -> Result<i64, Problem> {
        let months = self.unsigned('-', 12)?;
        if years.fraction != 0.0 || months.fraction != 0.0 {
            return Err(Problem::Syntax);
        }
        whole(if years.is_negative { -months.whole } else { months.whole }, years.whole, 12)
    }

    /// A number below `end` that begins with a digit, behind `before`.
    fn unsigned(&mut self, before: char, end: i64) -> Result<Number, Problem> {
        self.0 = self.0.strip_prefix(before).ok_or(Problem::Syntax)?;
        if !self.0.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(Problem::Syntax);
        }
        let number = self.number()?;
        if number.whole < end { Ok(number) } else { Err(Problem::Range) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{ArrayRef, IntervalMonthDayNanoArray};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spans_and_what_is_none() {
        let check = |text: &str, expected: Result<(i32, i32, i64), &str>| {
            let found = parse(text).map(|span| (span.months, span.days, span.nanoseconds / 1000));
            assert_eq!(
                found.as_ref().map_err(|error| error.code),
                expected.as_ref().map_err(|c| *c),
                "{text}"
            );
        };
        check("1 day 02:03:04", Ok((0, 1, 7_384 * SECOND)));
        check("-02:03:04.5", Ok((0, 0, -7_384_500_000)));
        check("-1 day +02:03", Ok((0, -1, 7_380 * SECOND)));
        check("25:00", Ok((0, 0, 25 * HOUR)));
        check("3 4:05:06", Ok((0, 3, 14_706 * SECOND)));
        check("10", Ok((0, 0, 10 * SECOND)));
        check("1h30m", Ok((0, 0, 90 * MINUTE)));
        check("1 day, 2:03:04", Ok((0, 1, 7_384 * SECOND)));
        check("@ 1 hour 5 mins ago", Ok((0, 0, -65 * MINUTE)));
        check("1.5 years", Ok((18, 0, 0)));
        check("1.5 months", Ok((1, 15, 0)));
        check("1.5 weeks -.5 day", Ok((0, 10, 0)));
        check("2 decades 3 mons 100ms 5us", Ok((243, 0, 100_005)));
        check("1-2", Ok((14, 0, 0)));
        check("-1-2", Ok((-14, 0, 0)));
        check("P1Y2M3W4DT5H6M7.5S", Ok((14, 25, 5 * HOUR + 6 * MINUTE + 7_500_000)));
        check("PT-1H", Ok((0, 0, -HOUR)));
        for text in [
            "",
            "  ",
            "@",
            "day",
            "1 month 1 mon",
            "1:2:3:4",
            "1 ago 2",
            "1.5:00",
            "1 x",
            "P",
            "PT",
            "P1",
            "P1H",
            "PT1D",
            "1-",
            "1 day 1:",
            "--1 day",
            "1..5 days",
            "é",
        ] {
            check(text, Err("22007"));
        }
        for text in ["1:60", "1:00:60", "1-12", "9999999999 days", "99999999999999999999 s"] {
            check(text, Err("22015"));
        }
        check("2562047788:00:00", Err("22015"));
    }

    proptest! {
        #[test]
        fn comes_back_as_it_is_shown(
            months in any::<i32>(), days in any::<i32>(), micros in -1_i64 << 50..1 << 50,
        ) {
            let span = IntervalMonthDayNano::new(months, days, micros * 1000);
            prop_assert_eq!(parse(&Written(span).to_string()), Ok(span));
            let array: ArrayRef = Arc::new(IntervalMonthDayNanoArray::from(vec![span]));
            let shown = crate::encode::texts(&array).expect("texts").expect("own ones");
            prop_assert_eq!(parse(shown.value(0)), Ok(span));
        }

        #[test]
        fn no_text_is_too_much(text in "[-+@P]?([0-9.:-]{1,12}[ ,]?[a-zYMDTHS]{0,4} ?){0,4}(ago)?") {
            let _ = parse(&text);
        }
    }
}
