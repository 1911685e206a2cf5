//! Numbers as Go reads and writes them, which is what users of LogQL see.
//!
//! In: a literal of a query or a value found in a log line. Out: an `f64`, or Go's own words on why
//! not, since they end up in `__error_details__`.

use std::fmt::Write as _;

use crate::model::labels::Quoted;

/// Go's `strconv.ParseFloat(text, 64)`, its error texts included.
pub fn parse_float(text: &str) -> Result<f64, String> {
    let failed = |reason| format!("strconv.ParseFloat: parsing {}: {reason}", Quoted(text));
    let value = parse(text).ok_or_else(|| failed("invalid syntax"))?;
    let written_as_infinity = || text.contains(['i', 'I']);
    if value.is_infinite() && !written_as_infinity() {
        return Err(failed("value out of range"));
    }
    Ok(value)
}

fn parse(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    // Signs and spellings of "not a number" and of infinity are the only words there are.
    let spelled = |word: &str| unsigned.eq_ignore_ascii_case(word);
    if spelled("inf") || spelled("infinity") || text.eq_ignore_ascii_case("nan") {
        return text.parse().ok();
    }
    let hex = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X"));
    if let Some(digits) = hex {
        let value = parse_hex(&without_underscores(digits, true)?)?;
        return Some(if text.starts_with('-') { -value } else { value });
    }
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')) {
        return text.parse().ok();
    }
    without_underscores(text, false)?.parse().ok()
}

/// Underscores may stand between two digits only (and after a base prefix).
fn without_underscores(text: &str, after_prefix: bool) -> Option<String> {
    let bytes = text.as_bytes();
    for (i, byte) in bytes.iter().enumerate() {
        let digit = |b: &u8| b.is_ascii_digit() || (after_prefix && b.is_ascii_hexdigit());
        match byte {
            b'_' => {
                let before = if i == 0 { after_prefix } else { digit(&bytes[i - 1]) };
                if !before || !bytes.get(i + 1).is_some_and(digit) {
                    return None;
                }
            }
            b'.' | b'+' | b'-' | b'e' | b'E' | b'p' | b'P' => {}
            byte if digit(byte) => {}
            _ => return None,
        }
    }
    Some(text.replace('_', ""))
}

/// `1.8p3`, the part of a hexadecimal float after its `0x`. The exponent is not optional.
fn parse_hex(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let exponent_digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if exponent_digits.is_empty() || !exponent_digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // An exponent too large for i32 is one that no mantissa in a query text can bring back.
    let saturated = if exponent.starts_with('-') { i32::MIN / 2 } else { i32::MAX / 2 };
    let mut exponent = exponent.parse::<i32>().unwrap_or(saturated).clamp(-1 << 24, 1 << 24);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut bits = 0u64;
    for (i, digit) in whole.chars().chain(fraction.chars()).enumerate() {
        let digit = u64::from(digit.to_digit(16)?);
        let shift = if i < whole.len() { 0 } else { 4 };
        if bits >> 60 == 0 {
            bits = bits << 4 | digit;
            exponent -= shift;
        } else {
            // Beyond 60 bits a digit can only break a tie: remember that it was not zero.
            bits |= u64::from(digit != 0);
            exponent += 4 - shift;
        }
    }
    if bits == 0 {
        return Some(0.0);
    }
    // In two steps, so that neither power leaves the range of an f64 before the product does.
    let half = exponent / 2;
    Some(bits as f64 * 2f64.powi(half) * 2f64.powi(exponent - half))
}

/// Go's `strconv.FormatFloat(value, 'f', -1, 64)`: never an exponent.
pub fn format_float(value: f64) -> String {
    match value {
        value if value == f64::INFINITY => "+Inf".into(),
        value if value == f64::NEG_INFINITY => "-Inf".into(),
        value => value.to_string(),
    }
}

/// Go's `%v` of a float: an exponent where the plain form would be long.
pub fn format_general(value: f64) -> String {
    let magnitude = value.abs();
    if !value.is_finite() || magnitude == 0.0 || (1e-4..1e21).contains(&magnitude) {
        return format_float(value);
    }
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').expect("the format has an exponent");
    let sign = if exponent.starts_with('-') { '-' } else { '+' };
    let mut out = format!("{mantissa}e{sign}");
    let _ = write!(out, "{:0>2}", exponent.trim_start_matches('-'));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_go_reads() {
        let check = |text: &str, expected: f64| {
            let value = parse_float(text).expect(text);
            assert!(value == expected || value.is_nan() && expected.is_nan(), "{text}: {value}");
        };
        check("5", 5.0);
        check("-5", -5.0);
        check("+.5", 0.5);
        check("5.", 5.0);
        check("1e3", 1000.0);
        check("1_000.000_1", 1000.0001);
        check("Inf", f64::INFINITY);
        check("-infinity", f64::NEG_INFINITY);
        check("nan", f64::NAN);
        check("0x1p-2", 0.25);
        check("-0X_1.8p1", -3.0);
        check("0x1p9", 512.0);
        check("0x0p99999999999", 0.0);
        check("0x1.fffffffffffffp1023", f64::MAX);
        check("0x1p-1074", f64::from_bits(1));
        check("1e-400", 0.0);
    }

    #[test]
    fn refuses_in_go_s_words() {
        let check = |text: &str, reason: &str| {
            let expected = format!("strconv.ParseFloat: parsing {}: {reason}", Quoted(text));
            assert_eq!(parse_float(text), Err(expected));
        };
        for text in [
            "", "oops", ".", "-", "e5", "1e", "1 ", " 1", "1,000", "0x10", "0xp1", "0x1p", "1__0",
            "_1", "1_", "1_.5", "+nan", "infin", "12abc", "1e5_", "--1", "0x", "\u{663}",
        ] {
            check(text, "invalid syntax");
        }
        check("1e400", "value out of range");
        check("-1e400", "value out of range");
        check("0x1p1024", "value out of range");
    }

    #[test]
    fn writes_what_go_writes() {
        let check = |value: f64, float: &str, general: &str| {
            assert_eq!(
                (format_float(value).as_str(), format_general(value).as_str()),
                (float, general)
            );
        };
        check(1.0, "1", "1");
        check(-0.0, "-0", "-0");
        check(0.1, "0.1", "0.1");
        check(1e20, "100000000000000000000", "100000000000000000000");
        check(1e21, "1000000000000000000000", "1e+21");
        check(1.5e-5, "0.000015", "1.5e-05");
        check(0.0001, "0.0001", "0.0001");
        check(1e100, &format!("1{}", "0".repeat(100)), "1e+100");
        check(f64::NAN, "NaN", "NaN");
        check(f64::INFINITY, "+Inf", "+Inf");
    }

    proptest::proptest! {
        #[test]
        fn written_numbers_read_back(value in proptest::num::f64::NORMAL) {
            proptest::prop_assert_eq!(parse_float(&format_float(value)), Ok(value));
            proptest::prop_assert_eq!(parse_float(&format_general(value)), Ok(value));
        }

        #[test]
        fn never_panics(text in "[-+0-9a-fA-FxXpP_.inINF]{0,24}") {
            let _ = parse_float(&text);
        }
    }
}
