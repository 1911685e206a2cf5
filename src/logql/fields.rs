//! Which fields the text of a line has, read as JSON where it is an object, else as logfmt.
//!
//! What `| json` and `| logfmt` make labels of, with the way through nested objects. Meant for
//! samples of lines: it allocates for each field.

use super::stage::json_scan::{Cursor, Kind, unescape};
use super::stage::logfmt_scan;
use super::stage::parser::{push_sanitized, push_value};

/// Objects nested deeper than this are not looked into, as with `| json`.
const DEPTH_MAX: usize = 128;

/// What a line was read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// One JSON object.
    Json,
    /// `key=value` pairs.
    Logfmt,
}

/// One field of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name that the parser's label has.
    pub name: String,
    /// The decoded value.
    pub value: String,
    /// The keys that lead to it; empty for logfmt.
    pub path: Vec<String>,
}

impl Format {
    /// The stage that reads it.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Logfmt => "logfmt",
        }
    }
}

/// The fields of a line in its order; of those with one name the first.
pub fn fields_of(line: &str) -> (Format, Vec<Field>) {
    if let Some(fields) = json(line) {
        return (Format::Json, fields);
    }
    (Format::Logfmt, logfmt(line))
}

fn add(fields: &mut Vec<Field>, field: Field) {
    if !field.name.is_empty() && fields.iter().all(|known| known.name != field.name) {
        fields.push(field);
    }
}

/// `None` where the line is no object, or a broken one.
fn json(line: &str) -> Option<Vec<Field>> {
    let mut cursor = Cursor { text: line.as_bytes(), at: 0 };
    (cursor.token()? == b'{').then_some(())?;
    let mut fields = Vec::new();
    let mut path: Vec<String> = Vec::new();
    cursor.at += 1;
    let mut first = true;
    loop {
        match cursor.token()? {
            b'}' => {
                cursor.at += 1;
                if path.pop().is_none() {
                    return Some(fields);
                }
                first = false;
                continue;
            }
            b',' if !first => {
                cursor.at += 1;
                first = true;
                continue;
            }
            b'"' if first => first = false,
            _ => return None,
        }
        let key = key(&mut cursor, line)?;
        path.push(key);
        if cursor.token()? == b'{' && path.len() < DEPTH_MAX {
            cursor.at += 1;
            first = true;
            continue;
        }
        let value = cursor.value().ok()?;
        if let Some(value) = text_of(value.kind, &line[value.start..value.end]) {
            add(&mut fields, Field { name: name_of(&path), value, path: path.clone() });
        }
        path.pop();
    }
}

/// At the opening quote of a key: goes behind the colon.
fn key(cursor: &mut Cursor<'_>, line: &str) -> Option<String> {
    cursor.at += 1;
    let start = cursor.at;
    let (end, _) = cursor.string()?;
    let mut key = String::new();
    unescape(&mut key, &line[start..end])?;
    (cursor.token()? == b':').then(|| cursor.at += 1)?;
    Some(key)
}

fn name_of(path: &[String]) -> String {
    let mut name = String::new();
    for key in path {
        if !name.is_empty() {
            name.push('_');
        }
        push_sanitized(&mut name, key);
    }
    name
}

/// The text that a label would have; `None` for what makes no label.
fn text_of(kind: Kind, raw: &str) -> Option<String> {
    let mut decoded = String::new();
    match kind {
        Kind::Null | Kind::Array | Kind::Object => return None,
        Kind::Plain => decoded.push_str(raw),
        // A string with a bad escape makes an empty label.
        Kind::Text { .. } => {
            if unescape(&mut decoded, raw).is_none() {
                decoded.clear();
            }
        }
    }
    Some(cleaned(&decoded))
}

fn logfmt(line: &str) -> Vec<Field> {
    let mut fields = Vec::new();
    let mut cursor = logfmt_scan::Cursor::new(line);
    while let Some(pair) = cursor.next() {
        let Ok(pair) = pair else { continue };
        let raw = &line[pair.value.clone()];
        if raw.is_empty() {
            continue;
        }
        let mut name = String::new();
        push_sanitized(&mut name, &line[pair.key.clone()]);
        let mut value = String::new();
        if pair.escaped {
            logfmt_scan::unquote(&mut value, raw).expect("the scan has checked it");
        } else {
            value.push_str(raw);
        }
        add(&mut fields, Field { name, value: cleaned(&value), path: Vec::new() });
    }
    fields
}

fn cleaned(value: &str) -> String {
    let mut clean = String::with_capacity(value.len());
    push_value(&mut clean, value);
    clean
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::logql::ast::Stage;
    use crate::logql::pipeline::{Hints, Order, Pipeline, Runner};
    use crate::logql::row::Category;
    use crate::model::{Labels, Lines, Rows};

    #[test]
    fn fields_with_their_paths() {
        let check = |line: &str, format: Format, expected: &[(&str, &str, &[&str])]| {
            let (found, fields) = fields_of(line);
            let fields: Vec<_> = fields
                .iter()
                .map(|f| (&*f.name, &*f.value, f.path.iter().map(|k| &**k).collect::<Vec<_>>()))
                .collect();
            let expected: Vec<_> =
                expected.iter().map(|(name, value, path)| (*name, *value, path.to_vec())).collect();
            assert_eq!((found, fields), (format, expected), "{line}");
        };
        check(
            r#"{"a":1,"b":{"c-d":"x\ny","e":null,"f":[1]},"b_c_d":"again","g":true}"#,
            Format::Json,
            &[("a", "1", &["a"]), ("b_c_d", "x\ny", &["b", "c-d"]), ("g", "true", &["g"])],
        );
        check("{}", Format::Json, &[]);
        check(r#"{"a":{}} trailing"#, Format::Json, &[]);
        check(r#"{"a":1"#, Format::Logfmt, &[]);
        check("[1]", Format::Logfmt, &[]);
        check("a=1 b= c=\"x y\" a=2 word", Format::Logfmt, &[("a", "1", &[]), ("c", "x y", &[])]);
    }

    /// What the stage makes of a line: its labels, and whether it read it to the end.
    fn staged(line: &str, stage: Stage) -> (Vec<(String, String)>, bool) {
        let pipeline = Pipeline::compile(&[stage], &Hints::default()).expect("a good stage");
        let offsets = vec![0, u32::try_from(line.len()).expect("short")];
        let lines = Some(Lines { bytes: line.to_owned().into(), offsets });
        let rows = Rows { timestamps: vec![0], lines, metadata: None };
        let mut labels = Vec::new();
        let mut failed = false;
        let flow = Runner::new(&pipeline).run(&Labels::empty(), &rows, Order::Forward, &mut |e| {
            failed = e.error().is_some();
            let parsed = e.labels().filter(|(name, category, _)| {
                *category == Category::Parsed && !name.starts_with("__error")
            });
            labels = parsed.map(|(name, _, value)| (name.into(), value.into())).collect();
            std::ops::ControlFlow::Continue(())
        });
        assert!(flow.is_continue());
        labels.sort();
        (labels, failed)
    }

    fn check_against_stages(line: &str) {
        let (format, fields) = fields_of(line);
        let mut found: Vec<_> = fields.into_iter().map(|f| (f.name, f.value)).collect();
        found.sort();
        let (json, failed) = staged(line, Stage::Json(Vec::new()));
        assert_eq!(format == Format::Logfmt, failed, "{line}");
        let expected = if failed {
            let logfmt = Stage::Logfmt { strict: false, keep_empty: false, extract: Vec::new() };
            staged(line, logfmt).0
        } else {
            json
        };
        assert_eq!(found, expected, "{line}");
    }

    proptest! {
        #[test]
        fn agrees_with_the_stages(line in "[ab_\"{}:,= 1\\\\n\\[\\]é\u{fffd}]{0,24}") {
            check_against_stages(&line);
        }

        #[test]
        fn agrees_with_the_stages_on_objects(
            keys in proptest::collection::vec(("[a-c.]{1,2}", "(1|true|null|\"x\"|\\{\"a\":1\\}|\\[1\\]|\\{\\})"), 0..5),
        ) {
            let pairs: Vec<String> = keys.iter().map(|(k, v)| format!("\"{k}\": {v}")).collect();
            check_against_stages(&format!("{{{}}}", pairs.join(", ")));
        }
    }
}
