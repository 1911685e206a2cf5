//! `| json a="servers[0].host"`: single values out of a JSON line, by path.
//!
//! The line is read once, as far as the last wanted value; what is broken behind that is not
//! noticed. A path that leads nowhere gives an empty label. Where all paths are one key, as they
//! mostly are, nothing is looked into.

use std::borrow::Cow;

use super::json::{ERROR, decode};
use super::json_scan::{Cursor, Kind, Reason, Value, unescape};
use super::parser::{Target, is_clean};
use crate::logql::names::{Name, Names};
use crate::logql::row::{Category, Row, Span};

/// A label and where its value is found.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) name: Name,
    path: Vec<Segment>,
}

/// One step into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    Key(String),
    Index(usize),
}

/// Reads an expression.
pub(crate) fn compile(names: &mut Names, label: &str, expression: &str) -> Result<Wish, String> {
    let path = parse(expression).map_err(|error| {
        format!("cannot parse expression [{expression}]: syntax error: {error}")
    })?;
    Ok(Wish { name: names.intern(label), path })
}

/// Reads a path.
pub(crate) fn parse(text: &str) -> Result<Vec<Segment>, String> {
    let mut path = Vec::new();
    let mut rest = text.trim_start();
    loop {
        let (segment, after) = match rest.strip_prefix('[') {
            Some(inside) => bracket(inside)?,
            None => field(rest)?,
        };
        path.push(segment);
        rest = after.trim_start();
        if rest.is_empty() {
            return Ok(path);
        }
        rest = match rest.strip_prefix('.') {
            Some(after) if !after.starts_with('[') => after,
            Some(_) => return Err("unexpected [, expecting FIELD".into()),
            None if rest.starts_with('[') => rest,
            None => return Err(unexpected(rest, "")),
        };
    }
}

/// `name`
fn field(text: &str) -> Result<(Segment, &str), String> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = text.find(|c| !good(c)).unwrap_or(text.len());
    if end == 0 || text.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(unexpected(text, ", expecting FIELD"));
    }
    Ok((Segment::Key(text[..end].to_owned()), &text[end..]))
}

/// Behind `[`: `0]` or `"key"]`.
fn bracket(text: &str) -> Result<(Segment, &str), String> {
    let text = text.trim_start();
    let (segment, after) = if let Some(inside) = text.strip_prefix('"') {
        let mut cursor = Cursor { text: inside.as_bytes(), at: 0 };
        let (end, _) = cursor.string().ok_or("unexpected $end, expecting STRING or INDEX")?;
        let mut key = String::new();
        unescape(&mut key, &inside[..end]).ok_or("invalid escape")?;
        (Segment::Key(key), &inside[cursor.at..])
    } else {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let index = text[..end].parse();
        let index = index.map_err(|_| unexpected(text, ", expecting STRING or INDEX"))?;
        (Segment::Index(index), &text[end..])
    };
    let after = after.trim_start();
    match after.strip_prefix(']') {
        Some(after) => Ok((segment, after)),
        None => Err(unexpected(after, ", expecting ]")),
    }
}

fn unexpected(rest: &str, expecting: &str) -> String {
    let token = match rest.chars().next() {
        None => "$end".to_owned(),
        Some('"') => "STRING".to_owned(),
        Some(c) if c.is_ascii_digit() => "INDEX".to_owned(),
        Some(c) if c.is_ascii_alphabetic() || c == '_' => "FIELD".to_owned(),
        Some(c) => c.to_string(),
    };
    format!("unexpected {token}{expecting}")
}

/// Sets the wished labels from the current line.
pub(crate) fn process(
    row: &mut Row<'_>,
    target: Target<'_>,
    wishes: &[Wish],
    found: &mut Vec<bool>,
) {
    if target.is_nothing() || row.line().is_empty() {
        return;
    }
    if !row.line().starts_with(['{', '[', '"']) {
        target.fail(row, ERROR, "");
        return;
    }
    let line = row.line_span();
    let copied;
    let text = match row.stored_line() {
        Some(stored) => stored,
        None => {
            copied = row.line().to_owned();
            &copied
        }
    };
    let n_missing = wishes.len();
    found.clear();
    found.resize(n_missing, false);
    let mut search = Search { row, wishes, line, text, found, n_missing };
    let mut cursor = Cursor { text: text.as_bytes(), at: 0 };
    let flat = wishes.iter().all(|wish| matches!(wish.path[..], [Segment::Key(_)]));
    let result = if flat && text.starts_with('{') {
        search.flat(&mut cursor)
    } else {
        let all = wishes.iter().enumerate().map(|(at, wish)| (at, wish.path.as_slice()));
        search.inside(&mut cursor, &all.collect())
    };
    // Where all were found, a label of such a name that was dropped does not come back.
    let any_missing = search.n_missing > 0;
    if let Err(Stop::Broken(reason)) = result {
        target.fail(row, ERROR, reason);
    }
    for wish in wishes {
        if any_missing && row.get(wish.name).is_none() {
            let empty = row.make("");
            row.set(Category::Parsed, wish.name, empty);
        }
    }
}

struct Search<'s, 'r> {
    row: &'s mut Row<'r>,
    wishes: &'s [Wish],
    line: Span,
    text: &'s str,
    found: &'s mut Vec<bool>,
    n_missing: usize,
}

/// Why the search ended early.
enum Stop {
    /// Nothing is left to find, or the text is broken where nobody asked for it.
    Silent,
    /// A wished value is broken.
    Broken(Reason),
}

/// Which wishes lead here, and the rest of each one's path.
type Open<'w> = Vec<(usize, &'w [Segment])>;

/// Where a member stands in its object or array.
enum Place<'t> {
    Key(Cow<'t, str>),
    Index(usize),
}

impl Place<'_> {
    fn is(&self, segment: Option<&Segment>) -> bool {
        match (self, segment) {
            (Place::Key(own), Some(Segment::Key(key))) => own == key,
            (Place::Index(own), Some(Segment::Index(index))) => own == index,
            _ => false,
        }
    }
}

impl<'s> Search<'s, '_> {
    /// Looks into the value at the cursor, and goes behind it.
    fn inside(&mut self, cursor: &mut Cursor<'_>, open: &Open<'s>) -> Result<(), Stop> {
        let close = match cursor.token().ok_or(Stop::Silent)? {
            b'{' => b'}',
            b'[' => b']',
            _ => return cursor.value().map(drop).map_err(|_| Stop::Silent),
        };
        cursor.at += 1;
        for index in 0.. {
            if cursor.token().ok_or(Stop::Silent)? == close {
                break;
            }
            let place = if close == b'}' { self.key(cursor)? } else { Place::Index(index) };
            let leads = open.iter().filter(|(_, path)| place.is(path.first()));
            let here: Open<'s> = leads.map(|(wish, path)| (*wish, &path[1..])).collect();
            self.member(cursor, &here)?;
            match cursor.token().ok_or(Stop::Silent)? {
                b',' => cursor.at += 1,
                byte if byte == close => {}
                _ => return Err(Stop::Silent),
            }
        }
        cursor.at += 1;
        Ok(())
    }

    /// At an object of which only members are wished for, and nothing inside of them: the same as
    /// [`Search::inside`] would do.
    fn flat(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        cursor.at += 1;
        loop {
            if cursor.token().ok_or(Stop::Silent)? == b'}' {
                return Ok(());
            }
            let place = self.key(cursor)?;
            let value = cursor.value();
            for (at, wish) in self.wishes.iter().enumerate() {
                if place.is(wish.path.first()) {
                    self.take(at, value.map_err(Stop::Broken)?);
                }
            }
            if self.n_missing == 0 {
                return Err(Stop::Silent);
            }
            value.map_err(|_| Stop::Silent)?;
            match cursor.token().ok_or(Stop::Silent)? {
                b',' => cursor.at += 1,
                b'}' => {}
                _ => return Err(Stop::Silent),
            }
        }
    }

    fn key(&mut self, cursor: &mut Cursor<'_>) -> Result<Place<'s>, Stop> {
        if cursor.text[cursor.at] != b'"' {
            return Err(Stop::Silent);
        }
        cursor.at += 1;
        let start = cursor.at;
        let (end, escaped) = cursor.string().ok_or(Stop::Silent)?;
        let raw = &self.text[start..end];
        if cursor.token() != Some(b':') {
            return Err(Stop::Silent);
        }
        cursor.at += 1;
        if !escaped {
            return Ok(Place::Key(Cow::Borrowed(raw)));
        }
        let mut key = String::new();
        unescape(&mut key, raw).ok_or(Stop::Silent)?;
        Ok(Place::Key(Cow::Owned(key)))
    }

    /// At a value to which some paths lead: takes it, and looks into it for the others.
    fn member(&mut self, cursor: &mut Cursor<'_>, here: &Open<'s>) -> Result<(), Stop> {
        let mut behind = *cursor;
        let value = behind.value();
        for (wish, _) in here.iter().filter(|(_, path)| path.is_empty()) {
            match value {
                Ok(value) => self.take(*wish, value),
                Err(reason) => return Err(Stop::Broken(reason)),
            }
        }
        if self.n_missing == 0 {
            return Err(Stop::Silent);
        }
        if here.iter().any(|(_, path)| !path.is_empty()) {
            // A broken value may still have what is wanted at its start.
            self.inside(&mut cursor.clone(), here)?;
        }
        value.map_err(|_| Stop::Silent)?;
        *cursor = behind;
        Ok(())
    }

    /// Sets a label. Of several values at one path the first counts.
    fn take(&mut self, wish: usize, value: Value) {
        if std::mem::replace(&mut self.found[wish], true) {
            return;
        }
        self.n_missing -= 1;
        let name = self.row.parsed_name(self.wishes[wish].name);
        let text = &self.text[value.start..value.end];
        let span = match value.kind {
            Kind::Null => self.row.make(""),
            _ if text.contains('\\') || !is_clean(text) => decode(self.row, text),
            _ => self.line.part(value.start, value.end),
        };
        self.row.set(Category::Parsed, name, span);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let key = |text: &str| Segment::Key(text.to_owned());
        let check =
            |text: &str, expected: &[Segment]| assert_eq!(parse(text).as_deref(), Ok(expected));
        check("a", &[key("a")]);
        check("servers[0].host", &[key("servers"), Segment::Index(0), key("host")]);
        check(r#"["my key"].x"#, &[key("my key"), key("x")]);
        check("[1]", &[Segment::Index(1)]);
    }

    #[test]
    fn bad_paths() {
        let check = |text: &str, expected: &str| assert_eq!(parse(text), Err(expected.to_owned()));
        check("b[", "unexpected $end, expecting STRING or INDEX");
        check("", "unexpected $end, expecting FIELD");
        check("a.", "unexpected $end, expecting FIELD");
        check("a b", "unexpected FIELD");
        check("a[x]", "unexpected FIELD, expecting STRING or INDEX");
        check("a[1", "unexpected $end, expecting ]");
    }
}
