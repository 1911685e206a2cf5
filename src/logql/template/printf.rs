//! `print`, `println` and `printf`.

use super::functions::Answer;
use super::texts::text;
use super::value::Value;
use crate::model::labels::Quoted;

/// Widths and precisions above this are cut: a template is no way to fill memory.
const WIDTH_MAX: usize = 10_000;

/// All values, with a space between two that are no texts.
pub(super) fn print<'v>(values: &[Value<'v>]) -> Value<'v> {
    let mut out = String::new();
    let is_text = |value: &Value<'_>| matches!(value, Value::Text(_));
    for (at, value) in values.iter().enumerate() {
        if at > 0 && !is_text(value) && !is_text(&values[at - 1]) {
            out.push(' ');
        }
        value.print(&mut out);
    }
    Value::Text(out.into())
}

/// All values with spaces between and a newline behind.
pub(super) fn println<'v>(values: &[Value<'v>]) -> Value<'v> {
    let printed: Vec<String> = values.iter().map(Value::printed).collect();
    Value::Text(format!("{}\n", printed.join(" ")).into())
}

/// What stands between `%` and its letter.
#[derive(Clone, Copy, Default)]
struct Flags {
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
}

/// `printf format a b`
pub(super) fn printf<'v>(values: &[Value<'v>]) -> Answer<'v> {
    let format = text(&values[0])?;
    let mut arguments = values[1..].iter();
    let mut out = String::new();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut flags = Flags::default();
        while let Some(flag) = chars.next_if(|c| "-+# 0".contains(*c)) {
            match flag {
                '-' => flags.minus = true,
                '+' => flags.plus = true,
                '#' => flags.sharp = true,
                ' ' => flags.space = true,
                _ => flags.zero = true,
            }
        }
        let mut number = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| {
            if chars.next_if_eq(&'*').is_some() {
                return match arguments.next() {
                    Some(Value::Int(n)) => usize::try_from(*n).unwrap_or(0).min(WIDTH_MAX),
                    _ => 0,
                };
            }
            let mut n = 0;
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                n = (n * 10 + digit.to_digit(10).map_or(0, |d| d as usize)).min(WIDTH_MAX);
            }
            n
        };
        flags.width = number(&mut chars);
        if chars.next_if_eq(&'.').is_some() {
            flags.precision = Some(number(&mut chars));
        }
        match chars.next() {
            None => out.push_str("%!(NOVERB)"),
            Some('%') => out.push('%'),
            Some(verb) => match arguments.next() {
                None => out.push_str(&format!("%!{verb}(MISSING)")),
                Some(value) => push(&mut out, value, verb, flags),
            },
        }
        if out.len() > super::OUTPUT_BYTES_MAX {
            return Err("text is too long".into());
        }
    }
    let rest: Vec<String> = arguments
        .map(|value| match value {
            Value::Nil => "<nil>".to_owned(),
            value => format!("{}={}", value.type_name(), value.printed()),
        })
        .collect();
    if !rest.is_empty() {
        out.push_str(&format!("%!(EXTRA {})", rest.join(", ")));
    }
    Ok(Value::Text(out.into()))
}

fn push(out: &mut String, value: &Value<'_>, verb: char, flags: Flags) {
    let bad = || match value {
        Value::Nil => format!("%!{verb}(<nil>)"),
        value => format!("%!{verb}({}={})", value.type_name(), value.printed()),
    };
    let body = match (verb, value) {
        ('v', Value::Float(value)) if flags.precision.is_some() => float(*value, 'g', flags),
        ('v', Value::Int(_)) => int(value, 'd', flags).unwrap_or_else(bad),
        ('v', value) => value.printed(),
        ('T', value) => value.type_name().to_owned(),
        ('s', Value::Text(text)) => cut(text, flags).to_owned(),
        ('s', Value::Time(_) | Value::List(_) | Value::Map(_) | Value::Labels) => value.printed(),
        ('q', Value::Text(text)) => Quoted(cut(text, flags)).to_string(),
        ('q', Value::Int(n)) => {
            let c = u32::try_from(*n).ok().and_then(char::from_u32);
            format!("'{}'", c.unwrap_or(char::REPLACEMENT_CHARACTER))
        }
        ('t', Value::Bool(value)) => value.to_string(),
        ('x' | 'X', Value::Text(text)) => {
            let hex: String = cut(text, flags).bytes().map(|byte| format!("{byte:02x}")).collect();
            if verb == 'X' { hex.to_uppercase() } else { hex }
        }
        ('f' | 'F' | 'e' | 'E' | 'g' | 'G', Value::Float(value)) => float(*value, verb, flags),
        (_, Value::Int(_)) => int(value, verb, flags).unwrap_or_else(bad),
        _ => bad(),
    };
    let missing = flags.width.saturating_sub(body.chars().count());
    let number = matches!(value, Value::Int(_) | Value::Float(_));
    if flags.minus {
        out.push_str(&body);
        out.extend(std::iter::repeat_n(' ', missing));
    } else if flags.zero && number {
        let (sign, digits) = body.split_at(usize::from(body.starts_with(['+', '-', ' '])));
        out.push_str(sign);
        out.extend(std::iter::repeat_n('0', missing));
        out.push_str(digits);
    } else {
        let pad = if flags.zero { '0' } else { ' ' };
        out.extend(std::iter::repeat_n(pad, missing));
        out.push_str(&body);
    }
}

fn cut(text: &str, flags: Flags) -> &str {
    match flags.precision.and_then(|n| text.char_indices().nth(n)) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

fn sign(negative: bool, flags: Flags) -> &'static str {
    match (negative, flags.plus, flags.space) {
        (true, ..) => "-",
        (_, true, _) => "+",
        (_, _, true) => " ",
        _ => "",
    }
}

fn int(value: &Value<'_>, verb: char, flags: Flags) -> Option<String> {
    let Value::Int(value) = value else { return None };
    let size = value.unsigned_abs();
    let digits = match verb {
        'd' => size.to_string(),
        'x' => format!("{}{size:x}", if flags.sharp { "0x" } else { "" }),
        'X' => format!("{}{size:X}", if flags.sharp { "0X" } else { "" }),
        'o' => format!("{}{size:o}", if flags.sharp { "0" } else { "" }),
        'b' => format!("{size:b}"),
        'c' => {
            let c = u32::try_from(*value).ok().and_then(char::from_u32);
            return Some(c.unwrap_or(char::REPLACEMENT_CHARACTER).to_string());
        }
        'U' => return Some(format!("U+{size:04X}")),
        _ => return None,
    };
    let width = flags.precision.unwrap_or(0);
    Some(format!("{}{digits:0>width$}", sign(*value < 0, flags)))
}

fn float(value: f64, verb: char, flags: Flags) -> String {
    let sign = sign(value.is_sign_negative() && !value.is_nan(), flags);
    let size = value.abs();
    if !size.is_finite() {
        return format!(
            "{}{}",
            if sign.is_empty() && !value.is_nan() { "+" } else { sign },
            if value.is_nan() { "NaN" } else { "Inf" }
        );
    }
    let body = match verb {
        'f' | 'F' => format!("{size:.*}", flags.precision.unwrap_or(6)),
        'e' | 'E' => exponent(&format!("{size:.*e}", flags.precision.unwrap_or(6))),
        _ => general(size, flags.precision),
    };
    let body = if verb.is_ascii_uppercase() { body.to_uppercase() } else { body };
    format!("{sign}{body}")
}

/// Go writes at least two digits of an exponent, and its sign.
fn exponent(text: &str) -> String {
    let (mantissa, exponent) = text.split_once('e').expect("the format has an exponent");
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    format!("{mantissa}e{sign}{digits:0>2}")
}

fn general(size: f64, precision: Option<usize>) -> String {
    let Some(precision) = precision else { return super::value::format_float(size) };
    let precision = precision.max(1);
    let text = format!("{size:.*e}", precision - 1);
    let (_, e) = text.split_once('e').expect("the format has an exponent");
    let e: i32 = e.parse().expect("an exponent is a number");
    let shorten = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if e < -4 || e >= i32::try_from(precision).unwrap_or(i32::MAX) {
        let (mantissa, e) = text.split_once('e').expect("the format has an exponent");
        return exponent(&format!("{}e{e}", shorten(mantissa)));
    }
    let decimals = i32::try_from(precision).unwrap_or(i32::MAX) - 1 - e;
    shorten(&format!("{size:.*}", usize::try_from(decimals).unwrap_or(0)))
}
