//! Byte sizes as people write them: `5KB`, `1.5 MiB`, `1,024`.
//!
//! The same reading as the `humanize` library that Loki uses: letters in any case, decimal units
//! unless there is an `i`, thousands commas, no unit is bytes.

use super::number;

/// Reads a size; the error is the text that ends up in `__error_details__`.
pub fn parse(text: &str) -> Result<u64, String> {
    let is_number = |c: char| c.is_ascii_digit() || c == '.' || c == ',';
    let (digits, unit) = text.split_at(text.find(|c| !is_number(c)).unwrap_or(text.len()));
    let value = match digits.contains(',') {
        true => number::parse_float(&digits.replace(',', ""))?,
        false => number::parse_float(digits)?,
    };
    let unit = unit.trim();
    let Some(size) = unit_size(unit) else {
        return Err(format!("unhandled size name: {}", unit.to_lowercase()));
    };
    let bytes = value * size as f64;
    if bytes >= u64::MAX as f64 {
        return Err(format!("too large: {text}"));
    }
    Ok(bytes as u64)
}

fn unit_size(unit: &str) -> Option<u64> {
    let mut letters = unit.bytes().map(|b| b.to_ascii_lowercase());
    let power = match letters.next() {
        None | Some(b'b') => return (unit.len() < 2).then_some(1),
        Some(letter) => b"kmgtpe".iter().position(|&b| b == letter)? as u32 + 1,
    };
    let base: u64 = match (letters.next(), letters.next(), letters.next()) {
        (None, None, None) | (Some(b'b'), None, None) => 1000,
        (Some(b'i'), None | Some(b'b'), None) => 1024,
        _ => return None,
    };
    Some(base.pow(power))
}

/// Writes a size: short (`1.5kB`) where nothing is lost by it, else in bytes (`1536B`).
pub fn format(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let power = if bytes < 10 { 0 } else { bytes.ilog10() / 3 };
    if power == 0 || power as usize >= UNITS.len() {
        return format!("{bytes}B");
    }
    let value = (bytes as f64 / 1000f64.powi(power as i32) * 10.0 + 0.5).floor() / 10.0;
    let decimals = if value < 10.0 { 1 } else { 0 };
    let short = format!("{value:.decimals$}{}", UNITS[power as usize]);
    if parse(&short) == Ok(bytes) { short } else { format!("{bytes}B") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_sizes() {
        let check = |text: &str, expected: u64| assert_eq!(parse(text), Ok(expected), "{text}");
        check("5", 5);
        check("5B", 5);
        check("1KB", 1000);
        check("1kb", 1000);
        check("1K", 1000);
        check("1KiB", 1024);
        check("1ki", 1024);
        check("1.5 MB", 1_500_000);
        check("1,024", 1024);
        check("2 GiB ", 2 << 30);
        check("1PB", 1_000_000_000_000_000);
        check("1EiB", 1 << 60);
        check("0.5", 0);
    }

    #[test]
    fn refuses_sizes() {
        let check = |text: &str, expected: &str| assert_eq!(parse(text), Err(expected.into()));
        check("zz", r#"strconv.ParseFloat: parsing "": invalid syntax"#);
        check("", r#"strconv.ParseFloat: parsing "": invalid syntax"#);
        check("-5B", r#"strconv.ParseFloat: parsing "": invalid syntax"#);
        check("1.2.3KB", r#"strconv.ParseFloat: parsing "1.2.3": invalid syntax"#);
        check("5 XB", "unhandled size name: xb");
        check("5 bb", "unhandled size name: bb");
        check("5 kbb", "unhandled size name: kbb");
        check("5 kibb", "unhandled size name: kibb");
        check("99EB", "too large: 99EB");
    }

    #[test]
    fn writes_sizes() {
        let check = |bytes: u64, expected: &str| assert_eq!(format(bytes), expected);
        check(0, "0B");
        check(9, "9B");
        check(999, "999B");
        check(1000, "1.0kB");
        check(1024, "1024B");
        check(1500, "1.5kB");
        check(20_000_000, "20MB");
        check(2_048_000, "2048000B");
        check(u64::MAX, "18446744073709551615B");
    }
}
