//! Numbers and times: reading them from whatever a label holds, and computing with them.

use super::functions::Answer;
use super::texts::text;
use super::time::Time;
use super::value::Value;
use super::zone::Zone;
use crate::logql::number::parse_float;

/// A whole number; 0 where the value is none.
pub(super) fn int(value: &Value<'_>) -> i64 {
    match value {
        Value::Int(value) => *value,
        Value::Float(value) => *value as i64,
        Value::Bool(value) => i64::from(*value),
        Value::Text(text) => read_int(text).unwrap_or(0),
        _ => 0,
    }
}

/// A whole number with a base prefix; zeros behind a dot do not matter.
fn read_int(text: &str) -> Option<i64> {
    let whole = match text.split_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|c| c == b'0') => whole,
        _ => text,
    };
    let (negative, digits) = match whole.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, whole.strip_prefix('+').unwrap_or(whole)),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = match lower.get(..2) {
        Some("0x") => (16, &lower[2..]),
        Some("0b") => (2, &lower[2..]),
        Some("0o") => (8, &lower[2..]),
        Some(start) if start.starts_with('0') => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let value = i128::from_str_radix(digits, base).ok()?;
    i64::try_from(if negative { -value } else { value }).ok()
}

/// A float; 0 where the value is none.
pub(super) fn float(value: &Value<'_>) -> f64 {
    match value {
        Value::Int(value) => *value as f64,
        Value::Float(value) => *value,
        Value::Bool(value) => f64::from(u8::from(*value)),
        Value::Text(text) => parse_float(text).unwrap_or(0.0),
        _ => 0.0,
    }
}

/// All numbers joined.
pub(super) fn fold<'v>(values: &[Value<'v>], join: fn(i64, i64) -> i64, start: i64) -> Value<'v> {
    Value::Int(values.iter().map(int).fold(start, join))
}

/// All numbers joined, from the first on.
pub(super) fn fold_first<'v>(values: &[Value<'v>], join: fn(i64, i64) -> i64) -> Value<'v> {
    Value::Int(values.iter().map(int).reduce(join).expect("at least one argument"))
}

/// The same for floats.
pub(super) fn fold_float<'v>(values: &[Value<'v>], join: fn(f64, f64) -> f64) -> Value<'v> {
    Value::Float(values.iter().map(float).reduce(join).expect("at least one argument"))
}

/// Two numbers joined.
pub(super) fn pair<'v>(
    values: &[Value<'v>],
    join: fn(i64, i64) -> Result<i64, String>,
) -> Answer<'v> {
    join(int(&values[0]), int(&values[1])).map(Value::Int)
}

/// What Go says.
pub(super) fn zero_division() -> String {
    "runtime error: integer divide by zero".into()
}

/// Floats joined as decimals: 0.1 and 0.2 are 0.3.
pub(super) fn decimal<'v>(values: &[Value<'v>], op: char) -> Answer<'v> {
    let mut floats = values.iter().map(float);
    let Some(first) = floats.next() else { return Ok(Value::Float(0.0)) };
    let mut total = first;
    for value in floats {
        let exact = Decimal::of(total).zip(Decimal::of(value)).and_then(|(a, b)| a.join(b, op));
        total = match (exact, op) {
            (Some(exact), _) => exact,
            (None, '+') => total + value,
            (None, '-') => total - value,
            (None, '*') => total * value,
            _ if value == 0.0 => return Err("decimal division by 0".into()),
            _ => total / value,
        };
    }
    Ok(Value::Float(total))
}

/// `digits * 10^-scale`
#[derive(Clone, Copy)]
struct Decimal {
    digits: i128,
    scale: u32,
}

impl Decimal {
    /// The shortest decimal that is this float; `None` where it is very large or small.
    fn of(value: f64) -> Option<Decimal> {
        let text = format!("{value}");
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let digits = format!("{whole}{fraction}").parse().ok()?;
        (text.len() < 18).then_some(Decimal { digits, scale: u32::try_from(fraction.len()).ok()? })
    }

    fn join(self, other: Decimal, op: char) -> Option<f64> {
        let scale = self.scale.max(other.scale);
        let up = |own: Decimal| own.digits * 10i128.pow(scale - own.scale);
        let (digits, scale) = match op {
            '+' => (up(self) + up(other), scale),
            '-' => (up(self) - up(other), scale),
            '*' => (self.digits * other.digits, self.scale + other.scale),
            _ => return None,
        };
        format!("{digits}e-{scale}").parse().ok()
    }
}

/// `round value places [from]`
pub(super) fn round<'v>(values: &[Value<'v>]) -> Value<'v> {
    let from = values.get(2).map_or(0.5, float);
    let places = 10f64.powi(i32::try_from(int(&values[1])).unwrap_or(i32::MAX));
    let digit = places * float(&values[0]);
    let rounded = if digit.fract() >= from { digit.ceil() } else { digit.floor() };
    Value::Float(rounded / places)
}

fn time(value: &Value<'_>) -> Result<Time, String> {
    match value {
        Value::Time(time) => Ok(*time),
        other => {
            Err(format!("wrong type for value; expected time.Time; got {}", other.type_name()))
        }
    }
}

/// Units since the epoch, as a text.
pub(super) fn epoch<'v>(values: &[Value<'v>], unit: i128) -> Answer<'v> {
    let n = time(&values[0])?.nanos.div_euclid(unit);
    Ok(Value::Text(n.to_string().into()))
}

/// Reads a time; what cannot be read is Go's zero time. A zone that is none is UTC, as in Loki.
pub(super) fn to_date<'v>(
    layout: &Value<'v>,
    zone: Option<&Value<'v>>,
    value: &Value<'v>,
) -> Answer<'v> {
    let zone = match zone {
        Some(zone) => Zone::named(&text(zone)?).unwrap_or(Zone::UTC),
        None => Zone::UTC,
    };
    let time = Time::parse(&text(layout)?, &text(value)?, zone);
    Ok(Value::Time(time.unwrap_or_else(Time::zero)))
}

/// Writes a time, or seconds since the epoch; anything else is taken for now.
pub(super) fn date<'v>(now: i64, values: &[Value<'v>]) -> Answer<'v> {
    let time = match &values[1] {
        Value::Time(time) => Time::utc(time.nanos),
        Value::Int(seconds) => Time::utc(i128::from(*seconds) * 1_000_000_000),
        _ => Time::utc(now.into()),
    };
    Ok(Value::Text(time.format(&text(&values[0])?).into()))
}

/// Days, seconds, milliseconds, microseconds or nanoseconds since the epoch, by their length.
pub(super) fn unix_to_time<'v>(values: &[Value<'v>]) -> Answer<'v> {
    let epoch = text(&values[0])?;
    let bad = || format!("unable to parse time '{epoch}'");
    let n: i64 = epoch
        .parse()
        .map_err(|_| format!("{}: strconv.ParseInt: parsing \"{epoch}\": invalid syntax", bad()))?;
    let unit = match epoch.len() {
        5 => 86_400_000_000_000,
        10 => 1_000_000_000,
        13 => 1_000_000,
        16 => 1000,
        19 => 1,
        _ => return Err(format!("{}: <nil>", bad())),
    };
    Ok(Value::Time(Time::utc(i128::from(n) * unit)))
}
