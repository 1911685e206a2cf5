//! `| logfmt`: every pair of a line becomes a label, or only the wished ones do.
//!
//! Invariants:
//! - without `--strict` a malformed piece is overlooked; with it the first one ends the parsing,
//!   and what was found before stays;
//! - of equal keys the first counts, but of a wished key the last.

use std::collections::HashMap;

use super::logfmt_lane;
use super::logfmt_scan::{Cursor, Pair, unquote};
use super::parser::{Step, Target, is_clean, push_sanitized, push_value};
use super::probe::Luck;
use crate::logql::names::{Name, Names, Xxh3};
use crate::logql::row::{Category, Row, Span};

/// Different keys can make the same name: beyond this many keys all are forgotten.
const KEYS_MAX: usize = 20_000;

/// The error of a line that `--strict` refuses.
pub(crate) const ERROR: &str = "LogfmtParserErr";

/// What is written behind `logfmt`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flags {
    pub(crate) strict: bool,
    pub(crate) keep_empty: bool,
}

/// What is known about the keys of lines. Must be forgotten whenever names are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    /// By place in the line: the key that stood there the last time.
    expected: Vec<(Box<str>, Option<Name>)>,
    known: HashMap<Box<str>, Option<Name>, Xxh3>,
    pub(crate) luck: Luck,
}

impl Keys {
    /// The label name of a key; `None` where nothing is left of it.
    fn find(&mut self, names: &mut Names, place: usize, text: &str) -> Option<Name> {
        if self.known.len() > KEYS_MAX {
            *self = Keys::default();
        }
        if let Some((expected, name)) = self.expected.get(place)
            && **expected == *text
        {
            return *name;
        }
        let name = match self.known.get(text) {
            Some(name) => *name,
            None => {
                let mut clean = String::new();
                push_sanitized(&mut clean, text);
                let name = (!clean.is_empty()).then(|| names.intern(&clean));
                self.known.insert(text.into(), name);
                name
            }
        };
        // A place behind the end is left out: keys may be forgotten in the middle of a line.
        let n = self.expected.len();
        if place < n {
            self.expected[place] = (text.into(), name);
        } else if place == n {
            self.expected.push((text.into(), name));
        }
        name
    }
}

/// A label and the key whose value it shows.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) name: Name,
    key: Name,
}

/// Reads an expression, which is a key.
pub(crate) fn compile(names: &mut Names, label: &str, expression: &str) -> Result<Wish, String> {
    let mut key = String::new();
    push_sanitized(&mut key, expression.trim_matches('"'));
    if key.is_empty() {
        return Err(format!("cannot parse expression [{expression}]: syntax error"));
    }
    Ok(Wish { name: names.intern(label), key: names.intern(&key) })
}

/// Extracts all labels of the current line; `false` where a filter refuses it.
pub(crate) fn process(
    row: &mut Row<'_>,
    target: Target<'_>,
    flags: Flags,
    keys: &mut Keys,
) -> bool {
    if target.is_nothing() {
        return true;
    }
    let line = row.line_span();
    with_text(row, |row, text| {
        if let Some(probe) = keys.luck.try_again().then(|| target.probe(row)).flatten() {
            let refused = logfmt_lane::is_refused(row, text, flags.keep_empty, probe);
            keys.luck.had(refused);
            if refused {
                return false;
            }
        }
        let mut cursor = Cursor::new(text);
        let mut place = 0;
        while let Some(pair) = cursor.next() {
            let pair = match pair {
                Ok(pair) => pair,
                Err(_) if !flags.strict => continue,
                Err(error) => {
                    target.fail(row, ERROR, &error.to_string());
                    return true;
                }
            };
            let key = keys.find(&mut row.names, place, &text[pair.key.clone()]);
            place += 1;
            if pair.value.is_empty() && !flags.keep_empty {
                continue;
            }
            let Some(name) = key.and_then(|key| target.name(row, key)) else { continue };
            let span = value(row, line, text, &pair);
            match target.add(row, name, span) {
                Step::Next => {}
                Step::Done => return true,
                Step::Reject => return false,
            }
        }
        true
    })
}

/// Sets the wished labels from the current line.
pub(crate) fn process_wishes(
    row: &mut Row<'_>,
    target: Target<'_>,
    flags: Flags,
    keys: &mut Keys,
    wishes: &[Wish],
) {
    if target.is_nothing() {
        return;
    }
    let line = row.line_span();
    // What is not found is empty; what the stream or the metadata have under that name, dropped or
    // not, is left alone.
    for wish in wishes {
        if !row.is_given(wish.name) {
            let empty = row.make("");
            row.set(Category::Parsed, wish.name, empty);
        }
    }
    with_text(row, |row, text| {
        let mut cursor = Cursor::new(text);
        let mut place = 0;
        while let Some(pair) = cursor.next() {
            let pair = match pair {
                Ok(pair) => pair,
                Err(_) if !flags.strict => continue,
                Err(error) => return target.fail(row, ERROR, &error.to_string()),
            };
            let key = keys.find(&mut row.names, place, &text[pair.key.clone()]);
            place += 1;
            for wish in wishes.iter().filter(|wish| Some(wish.key) == key) {
                let span = value(row, line, text, &pair);
                let name = row.parsed_name(wish.name);
                row.set(Category::Parsed, name, span);
            }
        }
    });
}

/// Calls with the current line; one that was made lies in the row and is copied.
pub(crate) fn with_text<R>(row: &mut Row<'_>, call: impl FnOnce(&mut Row<'_>, &str) -> R) -> R {
    match row.stored_line() {
        Some(stored) => call(row, stored),
        None => {
            let copied = row.line().to_owned();
            call(row, &copied)
        }
    }
}

fn value(row: &mut Row<'_>, line: Span, text: &str, pair: &Pair) -> Span {
    let raw = &text[pair.value.clone()];
    if !pair.escaped && is_clean(raw) {
        return line.part(pair.value.start, pair.value.end);
    }
    let start = row.made().len();
    if pair.escaped {
        let mut decoded = String::new();
        unquote(&mut decoded, raw).expect("the scan has checked it");
        push_value(row.made(), &decoded);
    } else {
        push_value(row.made(), raw);
    }
    row.made_since(start)
}
