//! Durations in the two spellings that meet in LogQL.
//!
//! Prometheus': whole numbers with units from years to milliseconds, each unit once, largest first
//! (`1d12h`). Go's: fractions, units from hours to nanoseconds, any order, a sign (`-1.5h`). Ranges
//! take the first, values in log lines the second, literals either. All are nanoseconds here.

use std::fmt::Write as _;

use crate::model::labels::Quoted;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1000 * MS;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Prometheus' units, largest first: the order in which a text must name them.
const PROMETHEUS: [(&str, u64); 7] = [
    ("y", 365 * DAY),
    ("w", 7 * DAY),
    ("d", DAY),
    ("h", HOUR),
    ("m", MINUTE),
    ("s", SECOND),
    ("ms", MS),
];

/// Prometheus' `model.ParseDuration`; never negative. The error is its text.
pub fn parse_prometheus(text: &str) -> Result<i64, String> {
    match text {
        "0" => return Ok(0),
        "" => return Err("empty duration string".into()),
        _ => {}
    }
    let invalid = || format!("not a valid duration string: {}", Quoted(text));
    let mut total = 0i64;
    let mut smaller = &PROMETHEUS[..];
    let mut rest = text;
    while !rest.is_empty() {
        let (digits, after) = split_digits(rest);
        let count: u64 = digits.parse().map_err(|_| invalid())?;
        let (name, after) = after.split_at(after.find(is_digit).unwrap_or(after.len()));
        if name.is_empty() {
            return Err(invalid());
        }
        let Some(&(_, unit)) = PROMETHEUS.iter().find(|(unit, _)| *unit == name) else {
            return Err(format!("unknown unit {} in duration {}", Quoted(name), Quoted(text)));
        };
        let at = smaller.iter().position(|(unit, _)| *unit == name).ok_or_else(invalid)?;
        smaller = &smaller[at + 1..];
        rest = after;
        total = count
            .checked_mul(unit)
            .and_then(|nanos| total.checked_add_unsigned(nanos))
            .ok_or("duration out of range")?;
    }
    Ok(total)
}

/// Go's `time.ParseDuration`. The error is its text: `time: invalid duration "abc"`.
pub fn parse_go(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {}", Quoted(text));
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    let negative = text.starts_with('-');
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = 0u64;
    while !rest.is_empty() {
        let (whole, after) = split_digits(rest);
        let (fraction, after) = after.strip_prefix('.').map_or(("", after), split_digits);
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let ends = |c: char| c == '.' || is_digit(c);
        let (name, after) = after.split_at(after.find(ends).unwrap_or(after.len()));
        if name.is_empty() {
            return Err(format!("time: missing unit in duration {}", Quoted(text)));
        }
        let Some(unit) = go_unit(name) else {
            let (name, text) = (Quoted(name), Quoted(text));
            return Err(format!("time: unknown unit {name} in duration {text}"));
        };
        rest = after;
        let whole = if whole.is_empty() { Some(0) } else { whole.parse::<u64>().ok() };
        total = whole
            .and_then(|whole| whole.checked_mul(unit)?.checked_add(fraction_of(fraction, unit)))
            .and_then(|nanos| total.checked_add(nanos))
            .filter(|&total| total <= 1 << 63)
            .ok_or_else(invalid)?;
    }
    if negative {
        return Ok((total as i64).wrapping_neg());
    }
    i64::try_from(total).map_err(|_| invalid())
}

/// A duration literal of a query: Prometheus' spelling, or else Go's.
pub fn parse_literal(text: &str) -> Result<i64, String> {
    parse_prometheus(text).or_else(|_| parse_go(text))
}

/// Go's `Duration.String()`: `1h0m0s`, `1.5s`, `250ms`.
pub fn format_go(nanos: i64) -> String {
    let size = nanos.unsigned_abs();
    let mut out = String::new();
    if nanos < 0 {
        out.push('-');
    }
    if size < SECOND {
        let (unit, name) = match size {
            0 => return "0s".into(),
            1..1000 => (1, "ns"),
            1000..MS => (1000, "\u{b5}s"),
            _ => (MS, "ms"),
        };
        push_decimal(&mut out, size, unit);
        return out + name;
    }
    if size >= HOUR {
        let _ = write!(out, "{}h", size / HOUR);
    }
    if size >= MINUTE {
        let _ = write!(out, "{}m", size % HOUR / MINUTE);
    }
    push_decimal(&mut out, size % MINUTE, SECOND);
    out + "s"
}

/// Prometheus' `Duration.String()`: `1h30m`, `1d`. What is not whole milliseconds is left out.
pub fn format_prometheus(nanos: u64) -> String {
    let mut rest = nanos / MS * MS;
    if rest == 0 {
        return "0s".into();
    }
    let mut out = String::new();
    for (name, unit) in PROMETHEUS {
        // Days and above only where nothing is left over: `36h` and `90d` read better.
        if rest < unit || (unit >= DAY && !rest.is_multiple_of(unit)) {
            continue;
        }
        let _ = write!(out, "{}{name}", rest / unit);
        rest %= unit;
    }
    out
}

fn go_unit(name: &str) -> Option<u64> {
    Some(match name {
        "ns" => 1,
        // The micro sign and the Greek letter.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1000,
        "ms" => MS,
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        _ => return None,
    })
}

/// How many nanoseconds `0.<digits>` of a unit is. Digits beyond an i64 are left out, as in Go.
fn fraction_of(digits: &str, unit: u64) -> u64 {
    let mut value = 0u64;
    let mut scale = 1f64;
    for digit in digits.bytes() {
        let next = value.checked_mul(10).and_then(|v| v.checked_add(u64::from(digit - b'0')));
        match next.filter(|&next| next <= 1 << 63) {
            Some(next) => value = next,
            None => break,
        }
        scale *= 10.0;
    }
    (value as f64 * (unit as f64 / scale)) as u64
}

fn push_decimal(out: &mut String, value: u64, unit: u64) {
    let _ = write!(out, "{}", value / unit);
    if !value.is_multiple_of(unit) {
        let width = unit.ilog10() as usize;
        let digits = format!("{:0width$}", value % unit);
        out.push('.');
        out.push_str(digits.trim_end_matches('0'));
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c| !is_digit(c)).unwrap_or(text.len()))
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    const H: i64 = HOUR as i64;
    const S: i64 = SECOND as i64;

    #[test]
    fn prometheus_spelling() {
        let check = |text: &str, expected: i64, printed: &str| {
            assert_eq!(parse_prometheus(text), Ok(expected), "{text}");
            assert_eq!(format_prometheus(expected.unsigned_abs()), printed);
        };
        check("0", 0, "0s");
        check("0s", 0, "0s");
        check("5m", 300 * S, "5m");
        check("1h30m", H + H / 2, "1h30m");
        check("1d12h", 36 * H, "36h");
        check("24h", 24 * H, "1d");
        check("1y2w3d", 9168 * H, "382d");
        check("14d", 14 * 24 * H, "2w");
        check("1500ms", 3 * S / 2, "1s500ms");
        check("106751d", 106_751 * 24 * H, "106751d");
    }

    #[test]
    fn prometheus_errors() {
        let check =
            |text: &str, expected: &str| assert_eq!(parse_prometheus(text), Err(expected.into()));
        check("", "empty duration string");
        check("5", r#"not a valid duration string: "5""#);
        check("-5m", r#"not a valid duration string: "-5m""#);
        check("5m5m", r#"not a valid duration string: "5m5m""#);
        check("5s5m", r#"not a valid duration string: "5s5m""#);
        check(" 5m", r#"not a valid duration string: " 5m""#);
        check("1.5h", r#"unknown unit "." in duration "1.5h""#);
        check("5minutes", r#"unknown unit "minutes" in duration "5minutes""#);
        check("5m:1m", r#"unknown unit "m:" in duration "5m:1m""#);
        check("300y", "duration out of range");
        check("292y365d", "duration out of range");
        check("99999999999999999999s", r#"not a valid duration string: "99999999999999999999s""#);
    }

    #[test]
    fn go_spelling() {
        let check = |text: &str, expected: i64, printed: &str| {
            assert_eq!(parse_go(text), Ok(expected), "{text}");
            assert_eq!(format_go(expected), printed);
        };
        check("0", 0, "0s");
        check("-0", 0, "0s");
        check("1.5h", H + H / 2, "1h30m0s");
        check("-1h", -H, "-1h0m0s");
        check("2h45m30.5s", 9930 * S + S / 2, "2h45m30.5s");
        check("250ms", S / 4, "250ms");
        check(".5s", S / 2, "500ms");
        check("1.s", S, "1s");
        check("1us", 1000, "\u{b5}s".replace('\u{b5}', "1\u{b5}").as_str());
        check("1.5\u{3bc}s", 1500, "1.5\u{b5}s");
        check("7ns", 7, "7ns");
        check("5s5m", 305 * S, "5m5s");
        check("9223372036854775807ns", i64::MAX, "2562047h47m16.854775807s");
        check("-9223372036854775808ns", i64::MIN, "-2562047h47m16.854775808s");
    }

    #[test]
    fn go_errors() {
        let check = |text: &str, expected: &str| assert_eq!(parse_go(text), Err(expected.into()));
        check("", r#"time: invalid duration """#);
        check("abc", r#"time: invalid duration "abc""#);
        check("-", r#"time: invalid duration "-""#);
        check(".s", r#"time: invalid duration ".s""#);
        check("5", r#"time: missing unit in duration "5""#);
        check("1d", r#"time: unknown unit "d" in duration "1d""#);
        check("1h 5m", r#"time: unknown unit "h " in duration "1h 5m""#);
        check("9223372036854775808ns", r#"time: invalid duration "9223372036854775808ns""#);
        check("99999999999999999999h", r#"time: invalid duration "99999999999999999999h""#);
    }

    #[test]
    fn literals_do_not_mix() {
        assert_eq!(parse_literal("1w"), Ok(168 * H));
        assert_eq!(parse_literal("1.5h"), Ok(H + H / 2));
        assert!(parse_literal("1d1.5h").is_err());
    }

    proptest::proptest! {
        #[test]
        fn written_durations_read_back(nanos: i64, ms in 0..9_000_000_000_000i64) {
            proptest::prop_assert_eq!(parse_go(&format_go(nanos)), Ok(nanos));
            let nanos = ms * MS as i64;
            let text = format_prometheus(nanos as u64);
            proptest::prop_assert_eq!(parse_prometheus(&text), Ok(nanos));
        }

        #[test]
        fn never_panics(text in "[-+0-9.hmsunywd\u{b5}]{0,24}") {
            let _ = (parse_go(&text), parse_prometheus(&text));
        }
    }
}
