//! `| json`: every value of an object becomes a label; nested names are joined with `_`.
//!
//! The text of a line goes in, labels come out of it as ranges of the line. Lines of one stream
//! mostly have the same keys in the same order, so each key is first compared with the one that
//! stood at its place in the line before: then it is not even searched for its end.
//!
//! Where filters stand right behind it, a line that looks like the one before it is first asked for
//! these alone: most are refused, and no label of theirs is made (see [`super::json_lane`]).
//!
//! Invariants:
//! - labels found before an error stay;
//! - nesting is walked without recursion and no deeper than [`DEPTH_MAX`].

use std::collections::HashMap;

use super::json_lane;
use super::json_scan::{
    BAD_ESCAPE, Cursor, Kind, MALFORMED, MALFORMED_ARRAY, MALFORMED_OBJECT, Reason, Value, unescape,
};
use super::parser::{Step, Target, is_clean, push_sanitized, push_value};
use super::probe::Luck;
use crate::logql::names::{Name, Xxh3};
use crate::logql::row::{Row, Span};

/// Objects nested deeper than this give no labels: their names would be as long as the line.
const DEPTH_MAX: usize = 128;

/// Different keys can make the same name: beyond this many keys all are forgotten.
const KEYS_MAX: usize = 20_000;

/// The error of a line that is not JSON.
pub(crate) const ERROR: &str = "JSONParserErr";

/// What is known about the keys of a stream's lines. Must be forgotten whenever names are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    /// By place in the line: what stood there the last time.
    expected: Vec<Expected>,
    keys: Vec<Key>,
    /// By object: the keys seen in it. The first is the top.
    objects: Vec<HashMap<Box<str>, u32, Xxh3>>,
    /// Room for the objects that a walk is in.
    outer: Vec<Open>,
    pub(crate) luck: Luck,
}

#[derive(Clone, Debug)]
struct Expected {
    object: u32,
    key: u32,
    /// The key and its closing quote.
    text: Box<[u8]>,
}

#[derive(Clone, Copy, Debug)]
struct Key {
    /// `None` where nothing is left of the key.
    name: Option<Name>,
    /// The object that stands behind this key, once one did.
    object: Option<u32>,
}

/// An object that is being walked through.
#[derive(Clone, Debug)]
struct Open {
    object: u32,
    /// Its name, which starts the names of its keys.
    prefix: Option<Name>,
}

struct Walk<'w, 'r> {
    keys: &'w mut Keys,
    row: &'w mut Row<'r>,
    target: Target<'w>,
    line: Span,
    text: &'w str,
    /// How many keys were seen.
    place: usize,
}

/// Extracts the labels of the current line; `false` where a filter refuses it.
pub(crate) fn process(row: &mut Row<'_>, target: Target<'_>, keys: &mut Keys) -> bool {
    if target.is_nothing() {
        return true;
    }
    if keys.keys.len() > KEYS_MAX {
        *keys = Keys::default();
    }
    let line = row.line_span();
    // A line that was made anew lies in the row that labels are added to: it is copied.
    let copied;
    let text = match row.stored_line() {
        Some(stored) => stored,
        None => {
            copied = row.line().to_owned();
            &copied
        }
    };
    if let Some(probe) = keys.luck.try_again().then(|| target.probe(row)).flatten() {
        let refused = json_lane::is_refused(row, text, keys.expected(), probe);
        keys.luck.had(refused);
        if refused {
            return false;
        }
    }
    let mut walk = Walk { keys, row, target, line, text, place: 0 };
    match walk.run() {
        Ok(Step::Reject) => false,
        Ok(_) => true,
        Err(reason) => {
            target.fail(row, ERROR, reason);
            true
        }
    }
}

impl Keys {
    /// The keys of the line before, as far as they are the top object's.
    fn expected(&self) -> impl Iterator<Item = json_lane::Expected<'_>> {
        let top = self.expected.iter().take_while(|expected| expected.object == 0);
        top.map(|expected| (&*expected.text, self.keys[expected.key as usize].name))
    }

    /// Which key this is, among those of an object.
    fn find(&mut self, row: &mut Row<'_>, open: &Open, text: &str) -> u32 {
        let at = open.object as usize;
        if self.objects.len() <= at {
            self.objects.resize_with(at + 1, HashMap::default);
        }
        if let Some(key) = self.objects[at].get(text) {
            return *key;
        }
        let mut name = String::new();
        if let Some(prefix) = open.prefix {
            name.push_str(row.names.text(prefix));
            name.push('_');
        }
        push_sanitized(&mut name, text);
        let name = (!name.is_empty()).then(|| row.names.intern(&name));
        let key = u32::try_from(self.keys.len()).expect("as many as names, which are limited");
        self.keys.push(Key { name, object: None });
        self.objects[at].insert(text.into(), key);
        key
    }

    /// The object behind a key.
    fn object(&mut self, key: u32) -> u32 {
        let n = u32::try_from(self.objects.len().max(1)).expect("as many as keys");
        let object = *self.keys[key as usize].object.get_or_insert(n);
        if object == n {
            self.objects.resize_with(n as usize + 1, HashMap::default);
        }
        object
    }
}

impl Walk<'_, '_> {
    fn run(&mut self) -> Result<Step, Reason> {
        let mut outer = std::mem::take(&mut self.keys.outer);
        outer.clear();
        outer.push(Open { object: 0, prefix: None });
        let result = self.walk(&mut outer);
        self.keys.outer = outer;
        result
    }

    fn walk(&mut self, outer: &mut Vec<Open>) -> Result<Step, Reason> {
        let mut cursor = Cursor { text: self.text.as_bytes(), at: 0 };
        if cursor.token() != Some(b'{') {
            return Err(MALFORMED_OBJECT);
        }
        cursor.at += 1;
        let mut whole = cursor.text;
        if opened(&mut cursor)? {
            return Ok(Step::Next);
        }
        loop {
            let key = self.key(&mut cursor, outer.last().expect("the top is left last"))?;
            match cursor.token() {
                Some(b':') => cursor.at += 1,
                _ => return Err(MALFORMED),
            }
            let inner = cursor.token() == Some(b'{');
            if inner && let Some(open) = self.enter(key, outer) {
                // What comes behind the object is not looked at before it is known to end.
                if outer.len() == 1 {
                    let mut end = cursor;
                    end.value()?;
                    whole = cursor.text;
                    cursor.text = &whole[..end.at];
                }
                cursor.at += 1;
                outer.push(open);
                if !opened(&mut cursor)? {
                    continue;
                }
                outer.pop();
            } else {
                let value = cursor.value()?;
                let step = self.value(key, value)?;
                if step != Step::Next {
                    return Ok(step);
                }
            }
            // Behind a value, and behind as many closing braces as there are.
            loop {
                if outer.len() == 1 {
                    cursor.text = whole;
                }
                if !closed(&mut cursor)? {
                    break;
                }
                outer.pop();
                if outer.is_empty() {
                    return Ok(Step::Next);
                }
            }
        }
    }

    /// At a key: goes behind it and its closing quote.
    fn key(&mut self, cursor: &mut Cursor<'_>, open: &Open) -> Result<u32, Reason> {
        if cursor.text.get(cursor.at) != Some(&b'"') {
            return Err(MALFORMED_OBJECT);
        }
        let start = cursor.at + 1;
        let place = self.place;
        self.place += 1;
        if let Some(expected) = self.keys.expected.get(place)
            && expected.object == open.object
            && cursor.text[start..].starts_with(&expected.text)
        {
            cursor.at = start + expected.text.len();
            return Ok(expected.key);
        }
        cursor.at = start;
        let (end, escaped) = cursor.string().ok_or(MALFORMED)?;
        let raw = &self.text[start..end];
        if escaped {
            let mut text = String::new();
            unescape(&mut text, raw).ok_or(BAD_ESCAPE)?;
            return Ok(self.keys.find(self.row, open, &text));
        }
        let key = self.keys.find(self.row, open, raw);
        let text = self.text.as_bytes()[start..=end].into();
        let expected = Expected { object: open.object, key, text };
        // Keys with escapes leave gaps that are not worth filling.
        let n = self.keys.expected.len();
        if place < n {
            self.keys.expected[place] = expected;
        } else if place == n {
            self.keys.expected.push(expected);
        }
        Ok(key)
    }

    /// The object behind a key, if anything in it could be wanted.
    fn enter(&mut self, key: u32, outer: &[Open]) -> Option<Open> {
        if outer.len() >= DEPTH_MAX {
            return None;
        }
        let Some(prefix) = self.keys.keys[key as usize].name else {
            return Some(Open { object: 0, prefix: None });
        };
        let wanted = self.target.wanted.has_prefix(self.row.names.text(prefix));
        wanted.then(|| Open { object: self.keys.object(key), prefix: Some(prefix) })
    }

    fn value(&mut self, key: u32, value: Value) -> Result<Step, Reason> {
        let Some(key) = self.keys.keys[key as usize].name else { return Ok(Step::Next) };
        let escaped = match value.kind {
            Kind::Null | Kind::Array | Kind::Object => return Ok(Step::Next),
            Kind::Plain => false,
            Kind::Text { escaped } => escaped,
        };
        let Some(name) = self.target.name(self.row, key) else { return Ok(Step::Next) };
        let text = &self.text[value.start..value.end];
        let span = if !escaped && is_clean(text) {
            self.line.part(value.start, value.end)
        } else {
            decode(self.row, text)
        };
        Ok(self.target.add(self.row, name, span))
    }
}

/// Decodes a string into the made texts. One with a bad escape is empty.
pub(crate) fn decode(row: &mut Row<'_>, text: &str) -> Span {
    let start = row.made().len();
    if unescape(row.made(), text).is_none() {
        row.made().truncate(start);
    } else if !is_clean(&row.made()[start..]) {
        let dirty = row.made().split_off(start);
        push_value(row.made(), &dirty);
    }
    row.made_since(start)
}

/// Behind an opening brace: whether the object ends at once.
fn opened(cursor: &mut Cursor<'_>) -> Result<bool, Reason> {
    let empty = cursor.token().ok_or(MALFORMED)? == b'}';
    cursor.at += usize::from(empty);
    Ok(empty)
}

/// Behind a value: whether a closing brace came and not another key.
fn closed(cursor: &mut Cursor<'_>) -> Result<bool, Reason> {
    match cursor.token() {
        None => Err(MALFORMED_ARRAY),
        Some(b'}') => {
            cursor.at += 1;
            Ok(true)
        }
        Some(b',') => {
            cursor.at += 1;
            match cursor.token() {
                None => Err(MALFORMED_ARRAY),
                Some(b'}') => {
                    cursor.at += 1;
                    Ok(true)
                }
                Some(_) => Ok(false),
            }
        }
        Some(_) => Err(MALFORMED_OBJECT),
    }
}
