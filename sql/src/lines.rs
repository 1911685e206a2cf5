//! Functions that take lines apart: `logfmt`, `pattern`, and regular expressions that return lists.
//!
//! What they find comes as JSON text, so that `->>` reads it, or as lists.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListBuilder, StringArray, StringBuilder};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};
use regex::{Regex, RegexBuilder};

use crate::error::SqlError;

/// What a compiled expression may take.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// The functions of this file.
pub(crate) fn functions() -> Vec<ScalarUDF> {
    let function = |kind: Kind| {
        let counts = match kind {
            Kind::Pattern | Kind::Substring | Kind::Split => vec![TypeSignature::Any(2)],
            Kind::Logfmt => vec![TypeSignature::Any(1), TypeSignature::Any(2)],
            Kind::Matches => vec![TypeSignature::Any(2), TypeSignature::Any(3)],
        };
        let signature = Signature::one_of(counts, Volatility::Immutable);
        ScalarUDF::new_from_impl(Apart { kind, signature })
    };
    [Kind::Logfmt, Kind::Pattern, Kind::Substring, Kind::Split, Kind::Matches].map(function).into()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    /// `logfmt(line)` and `logfmt(line, key)`.
    Logfmt,
    /// `pattern(line, '<ip> - <_> "<method> <path>"')`, as LogQL's stage.
    Pattern,
    /// `substring(text from regex)`.
    Substring,
    /// `regexp_split_to_array(text, regex)`.
    Split,
    /// `regexp_matches(text, regex [, flags])`: a list of lists.
    Matches,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Apart {
    kind: Kind,
    signature: Signature,
}

fn list(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(item, true)))
}

impl ScalarUDFImpl for Apart {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Logfmt => "logfmt",
            Kind::Pattern => "pattern",
            Kind::Substring => "regexp_substring",
            Kind::Split => "regexp_split_to_array",
            Kind::Matches => "regexp_all_matches",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.kind {
            Kind::Logfmt | Kind::Pattern | Kind::Substring => DataType::Utf8,
            Kind::Split => list(DataType::Utf8),
            Kind::Matches => list(list(DataType::Utf8)),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = matches!(args.args[0], ColumnarValue::Scalar(_));
        let rows = if constant { 1 } else { args.number_rows };
        let texts = cast(&args.args[0].to_array(rows)?, &DataType::Utf8)?;
        let texts = texts.as_string::<i32>();
        let second = self.constant(&args.args, 1)?;
        let array: ArrayRef = match (self.kind, second) {
            (Kind::Logfmt, None) => Arc::new(each(texts, |text| Some(json(&pairs(text))))),
            (Kind::Logfmt, Some(key)) => Arc::new(each(texts, |text| {
                let mut found = pairs(text).into_iter().filter(|(name, _)| *name == key);
                found.next().map(|(_, value)| value)
            })),
            (Kind::Pattern, Some(pattern)) => {
                let parts = parse_pattern(&pattern)?;
                Arc::new(each(texts, |text| match_pattern(&parts, text).map(|found| json(&found))))
            }
            (Kind::Substring, Some(pattern)) => {
                let regex = compiled(&pattern, false)?;
                Arc::new(each(texts, |text| {
                    let found = regex.captures(text)?;
                    let group = found.get(1).or_else(|| found.get(0))?;
                    Some(group.as_str().to_owned())
                }))
            }
            (Kind::Split, Some(pattern)) => {
                let regex = compiled(&pattern, false)?;
                let mut out = ListBuilder::new(StringBuilder::new());
                for text in texts {
                    match text {
                        Some(text) => {
                            regex.split(text).for_each(|part| out.values().append_value(part));
                            out.append(true);
                        }
                        None => out.append(false),
                    }
                }
                Arc::new(out.finish())
            }
            (Kind::Matches, Some(pattern)) => {
                let flags = self.constant(&args.args, 2)?.unwrap_or_default();
                matches(texts, &compiled(&pattern, flags.contains('i'))?, flags.contains('g'))
            }
            // A pattern that is null finds null.
            (_, None) => {
                datafusion::arrow::array::new_null_array(&self.return_type(&[])?, texts.len())
            }
        };
        Ok(match constant {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?),
            false => ColumnarValue::Array(array),
        })
    }
}

impl Apart {
    fn constant(&self, args: &[ColumnarValue], index: usize) -> Result<Option<String>> {
        match args.get(index) {
            None => Ok(None),
            Some(ColumnarValue::Scalar(value)) => Ok(value.try_as_str().flatten().map(Into::into)),
            Some(ColumnarValue::Array(_)) => {
                let text = format!("{} with an argument that varies", self.name());
                Err(SqlError::unsupported(text).into())
            }
        }
    }
}

fn each(texts: &StringArray, mut find: impl FnMut(&str) -> Option<String>) -> StringArray {
    texts.iter().map(|text| text.and_then(&mut find)).collect()
}

fn compiled(pattern: &str, fold: bool) -> Result<Regex> {
    let regex =
        RegexBuilder::new(pattern).case_insensitive(fold).size_limit(REGEX_BYTES_MAX).build();
    regex.map_err(|error| {
        SqlError::new("2201B", format!("invalid regular expression: {error}")).into()
    })
}

fn matches(texts: &StringArray, regex: &Regex, all: bool) -> ArrayRef {
    let mut out = ListBuilder::new(ListBuilder::new(StringBuilder::new()));
    for text in texts {
        let Some(text) = text else {
            out.append(false);
            continue;
        };
        for found in regex.captures_iter(text).take(if all { usize::MAX } else { 1 }) {
            // Without groups the whole match is the one value.
            let first = usize::from(found.len() > 1);
            for group in found.iter().skip(first) {
                out.values().values().append_option(group.map(|group| group.as_str()));
            }
            out.values().append(true);
        }
        out.append(true);
    }
    Arc::new(out.finish())
}

/// The keys and values of a logfmt line: bare or quoted, a key without a value is empty.
fn pairs(text: &str) -> Vec<(String, String)> {
    let (mut pairs, mut chars) = (Vec::new(), text.chars().peekable());
    loop {
        while chars.next_if(|char| char.is_whitespace()).is_some() {}
        let (mut key, mut value) = (String::new(), String::new());
        while let Some(char) = chars.next_if(|char| !char.is_whitespace() && *char != '=') {
            key.push(char);
        }
        if chars.next_if_eq(&'=').is_some() {
            if chars.next_if_eq(&'"').is_some() {
                while let Some(char) = chars.next() {
                    match char {
                        '"' => break,
                        '\\' => match chars.next() {
                            Some('n') => value.push('\n'),
                            Some('t') => value.push('\t'),
                            Some('r') => value.push('\r'),
                            other => value.extend(other),
                        },
                        char => value.push(char),
                    }
                }
            } else {
                while let Some(char) = chars.next_if(|char| !char.is_whitespace()) {
                    value.push(char);
                }
            }
        }
        if !key.is_empty() {
            pairs.push((key, value));
        } else if chars.peek().is_none() {
            return pairs;
        }
    }
}

/// An object of texts; of two with one name the first counts.
fn json(pairs: &[(String, String)]) -> String {
    let mut out = String::from("{");
    for (index, (name, value)) in pairs.iter().enumerate() {
        if pairs[..index].iter().any(|(known, _)| known == name) {
            continue;
        }
        if out.len() > 1 {
            out.push(',');
        }
        put_text(&mut out, name);
        out.push(':');
        put_text(&mut out, value);
    }
    out.push('}');
    out
}

fn put_text(out: &mut String, text: &str) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            char if u32::from(char) < 0x20 => {
                out.push_str(&format!("\\u{:04x}", u32::from(char)));
            }
            char => out.push(char),
        }
    }
    out.push('"');
}

/// A part of a pattern.
#[derive(Debug, PartialEq)]
enum Part {
    Text(String),
    /// `<name>`; `<_>` has none.
    Capture(Option<String>),
}

fn parse_pattern(pattern: &str) -> Result<Vec<Part>> {
    let (mut parts, mut rest) = (Vec::<Part>::new(), pattern);
    while !rest.is_empty() {
        let name = rest.strip_prefix('<').and_then(|after| {
            let name = &after[..after.find('>')?];
            let valid = !name.is_empty()
                && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_');
            valid.then_some(name)
        });
        if let Some(name) = name {
            if matches!(parts.last(), Some(Part::Capture(_))) {
                let text = "a pattern needs text between two captures";
                return Err(SqlError::new("22023", text).into());
            }
            parts.push(Part::Capture((name != "_").then(|| name.to_owned())));
            rest = &rest[name.len() + 2..];
            continue;
        }
        let char = rest.chars().next().expect("not empty");
        match parts.last_mut() {
            Some(Part::Text(text)) => text.push(char),
            _ => parts.push(Part::Text(char.to_string())),
        }
        rest = &rest[char.len_utf8()..];
    }
    if !parts.iter().any(|part| matches!(part, Part::Capture(Some(_)))) {
        return Err(SqlError::new("22023", "a pattern needs a named capture").into());
    }
    Ok(parts)
}

fn match_pattern(parts: &[Part], text: &str) -> Option<Vec<(String, String)>> {
    let (mut found, mut rest) = (Vec::new(), text);
    let mut parts = parts.iter().peekable();
    while let Some(part) = parts.next() {
        match part {
            Part::Text(wanted) => rest = rest.strip_prefix(wanted.as_str())?,
            Part::Capture(name) => {
                let end = match parts.peek() {
                    Some(Part::Text(next)) => rest.find(next.as_str())?,
                    _ => rest.len(),
                };
                if let Some(name) = name {
                    found.push((name.clone(), rest[..end].to_owned()));
                }
                rest = &rest[end..];
            }
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logfmt() {
        let check = |text: &str, expected: &str| assert_eq!(json(&pairs(text)), expected, "{text}");
        check("a=1 b=\"x y\" c", r#"{"a":"1","b":"x y","c":""}"#);
        check(r#"msg="say \"hi\"\n" a= b=2"#, r#"{"msg":"say \"hi\"\u000a","a":"","b":"2"}"#);
        check("a=1 a=2", r#"{"a":"1"}"#);
        check("", "{}");
        check("= x", r#"{"x":""}"#);
        check("a=\"open", r#"{"a":"open"}"#);
    }

    #[test]
    fn patterns() {
        let check = |pattern: &str, text: &str, expected: Option<&str>| {
            let parts = parse_pattern(pattern).unwrap();
            let found = match_pattern(&parts, text).map(|found| json(&found));
            assert_eq!(found.as_deref(), expected, "{pattern} {text}");
        };
        let line = "1.2.3.4 - \"GET /x\" 200";
        check(
            "<ip> - \"<method> <_>\" <status>",
            line,
            Some(r#"{"ip":"1.2.3.4","method":"GET","status":"200"}"#),
        );
        check("<ip> + <rest>", line, None);
        check("<a><", "x<", Some(r#"{"a":"x"}"#));
        assert!(parse_pattern("<a><b>").is_err());
        assert!(parse_pattern("plain").is_err());
    }
}
