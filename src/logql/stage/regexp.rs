//! `| regexp "(?P<name>...)"` and `| pattern "<name> <_>"`: labels from the shape of a line.
//!
//! Both look once at the line; what does not match gives no labels and no error. A group that took
//! no part in the match gives an empty label.

use std::ops::Range;

use regex::CaptureLocations;
use regex::Regex;

use super::captures::Shape;
use super::logfmt::with_text;
use super::parser::{Step, Target, is_clean, push_value};
use crate::logql::names::{Name, Names};
use crate::logql::row::{Row, Span};
use crate::model::pattern;

/// A regex with named groups.
#[derive(Clone, Debug)]
pub(crate) struct Regexp {
    regex: Regex,
    /// The number of a group and its name.
    groups: Vec<(usize, Name)>,
}

impl Regexp {
    /// Compiles the expression.
    pub(crate) fn compile(names: &mut Names, text: &str) -> Result<Regexp, String> {
        let bad = |error: &str| format!("invalid regexp parser: {error}");
        let regex = pattern::unanchored(text).map_err(|error| bad(&error.to_string()))?;
        // The same program over text, so that groups end at character borders.
        let regex = Regex::new(regex.as_str()).map_err(|error| bad(&error.to_string()))?;
        let mut groups = Vec::new();
        for (at, name) in regex.capture_names().enumerate() {
            let Some(name) = name else { continue };
            let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if !name.chars().all(good) || name.starts_with(|c: char| c.is_ascii_digit()) {
                return Err(bad(&format!("invalid extracted label name '{name}'")));
            }
            groups.push((at, names.intern(name)));
        }
        if groups.is_empty() {
            return Err(bad("at least one named capture must be supplied"));
        }
        Ok(Regexp { regex, groups })
    }

    /// Room for the groups of a match.
    pub(crate) fn locations(&self) -> CaptureLocations {
        self.regex.capture_locations()
    }

    /// Extracts labels; `false` where a filter refuses the line.
    pub(crate) fn process(
        &self,
        row: &mut Row<'_>,
        target: Target<'_>,
        locations: &mut CaptureLocations,
    ) -> bool {
        if target.is_nothing() {
            return true;
        }
        let line = row.line_span();
        with_text(row, |row, text| {
            if self.regex.captures_read(locations, text).is_none() {
                return true;
            }
            let groups = self.groups.iter();
            add_all(
                row,
                target,
                line,
                text,
                groups.map(|(at, name)| {
                    let (start, end) = locations.get(*at).unwrap_or((0, 0));
                    (*name, start..end)
                }),
            )
        })
    }
}

/// A pattern with named captures.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    shape: Shape,
    names: Vec<Name>,
}

impl Pattern {
    /// Compiles the pattern.
    pub(crate) fn compile(names: &mut Names, text: &str) -> Result<Pattern, String> {
        let shape =
            Shape::of_parser(text).map_err(|error| format!("invalid pattern parser: {error}"))?;
        let names = shape.names().map(|name| names.intern(name)).collect();
        Ok(Pattern { shape, names })
    }

    /// Extracts labels; `false` where a filter refuses the line.
    pub(crate) fn process(
        &self,
        row: &mut Row<'_>,
        target: Target<'_>,
        found: &mut Vec<Range<usize>>,
    ) -> bool {
        if target.is_nothing() {
            return true;
        }
        let line = row.line_span();
        with_text(row, |row, text| {
            self.shape.capture(text.as_bytes(), found);
            let names = self.names.iter().copied();
            add_all(row, target, line, text, names.zip(found.iter().cloned()))
        })
    }
}

fn add_all(
    row: &mut Row<'_>,
    target: Target<'_>,
    line: Span,
    text: &str,
    found: impl Iterator<Item = (Name, Range<usize>)>,
) -> bool {
    for (key, range) in found {
        let Some(name) = target.name(row, key) else { continue };
        let span = if is_clean(&text[range.clone()]) {
            line.part(range.start, range.end)
        } else {
            let start = row.made().len();
            push_value(row.made(), &text[range]);
            row.made_since(start)
        };
        match target.add(row, name, span) {
            Step::Next => {}
            Step::Done => return true,
            Step::Reject => return false,
        }
    }
    true
}
