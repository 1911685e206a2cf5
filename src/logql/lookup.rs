//! Single values out of a line, by name, for whoever has no query to run: what `| json a="b.c"` and
//! `| logfmt` read, by the same readers.

use std::borrow::Cow;

use super::stage::json_path::{Segment, parse};
use super::stage::json_scan::{Cursor, Kind, unescape};
use super::stage::logfmt_scan;

/// A way to a value in a JSON text: `servers[0].host`.
#[derive(Clone, Debug)]
pub struct JsonPath(Vec<Segment>);

impl JsonPath {
    /// Reads a path; or what is wrong with it.
    pub fn parse(text: &str) -> Result<JsonPath, String> {
        parse(text).map(JsonPath)
    }

    /// The value that a text has there, strings decoded and others as they are written; `None` where
    /// it has none, or `null`, or is broken before it.
    pub fn find<'t>(&self, text: &'t str) -> Option<Cow<'t, str>> {
        let mut cursor = Cursor { text: text.as_bytes(), at: 0 };
        for segment in &self.0 {
            match segment {
                Segment::Key(key) => into_object(&mut cursor, text, key)?,
                Segment::Index(index) => into_array(&mut cursor, *index)?,
            }
        }
        let value = cursor.value().ok()?;
        let written = &text[value.start..value.end];
        match value.kind {
            Kind::Null => None,
            Kind::Text { escaped: true } => unescaped(written).map(Cow::Owned),
            Kind::Text { escaped: false } | Kind::Plain | Kind::Array | Kind::Object => {
                Some(written.into())
            }
        }
    }
}

/// At an object: goes to the value of its first member of this name.
fn into_object(cursor: &mut Cursor<'_>, text: &str, key: &str) -> Option<()> {
    (cursor.token()? == b'{').then_some(())?;
    loop {
        cursor.at += 1;
        (cursor.token()? == b'"').then_some(())?;
        let start = cursor.at + 1;
        cursor.at = start;
        let (end, escaped) = cursor.string()?;
        let own = &text[start..end];
        (cursor.token()? == b':').then_some(())?;
        cursor.at += 1;
        if if escaped { unescaped(own)? == key } else { own == key } {
            return Some(());
        }
        cursor.value().ok()?;
        (cursor.token()? == b',').then_some(())?;
    }
}

/// At an array: goes to one of its elements.
fn into_array(cursor: &mut Cursor<'_>, index: usize) -> Option<()> {
    (cursor.token()? == b'[').then_some(())?;
    cursor.at += 1;
    for _ in 0..index {
        cursor.value().ok()?;
        (cursor.token()? == b',').then_some(())?;
        cursor.at += 1;
    }
    Some(())
}

fn unescaped(text: &str) -> Option<String> {
    let mut decoded = String::with_capacity(text.len());
    unescape(&mut decoded, text)?;
    Some(decoded)
}

/// The keys and values of a line, up to where it stops being logfmt.
pub fn logfmt_pairs(line: &str) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
    let mut cursor = logfmt_scan::Cursor::new(line);
    std::iter::from_fn(move || {
        let pair = cursor.next()?.ok()?;
        let written = &line[pair.value];
        let value = match pair.escaped {
            false => Cow::Borrowed(written),
            true => {
                let mut decoded = String::with_capacity(written.len());
                logfmt_scan::unquote(&mut decoded, written)?;
                Cow::Owned(decoded)
            }
        };
        Some((&line[pair.key], value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_by_path() {
        let text = r#"{"a":1,"b":{"c":[10,{"d\n":"x\ty"}],"n":null},"a":2,"e":[]}"#;
        let check = |path: &str, expected: Option<&str>| {
            let path = JsonPath::parse(path).expect("a path");
            assert_eq!(path.find(text).as_deref(), expected, "{path:?}");
        };
        check("a", Some("1"));
        check("b.c[0]", Some("10"));
        check(r#"b.c[1]["d\n"]"#, Some("x\ty"));
        check("b.c[1]", Some(r#"{"d\n":"x\ty"}"#));
        check("b.c[2]", None);
        check("b.n", None);
        check("a.b", None);
        check("b[0]", None);
        check("e[0]", None);
        check("z", None);
        assert_eq!(JsonPath::parse("a").expect("a path").find(r#"{"a"#), None);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_answered(text in "[\\[\\]{}a\",: 0]{0,20}") {
            for path in ["a", "a.a", "a[1]", "[0].a"] {
                let _ = JsonPath::parse(path).expect("a path").find(&text);
            }
            let _ = logfmt_pairs(&text).count();
        }
    }
}
