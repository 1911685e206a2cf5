//! The pattern language `<ip> - <_> [<when>]`: literals and captures in turn.
//!
//! Two stages use it, with different rules: `|>` asks whether a line has this shape
//! ([`Shape::accepts`]), `| pattern` takes the captured texts out ([`Shape::capture`]).
//!
//! Invariant: literals and captures alternate; no literal is empty.

use std::ops::Range;

use memchr::memmem::Finder;

/// A part of a pattern.
#[derive(Clone, Debug)]
enum Part {
    Literal(Box<Finder<'static>>),
    /// `None` for `<_>`.
    Capture(Option<String>),
}

/// A pattern, ready to be used.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    parts: Vec<Part>,
}

impl Shape {
    /// Reads a pattern for a line filter: captures have no names.
    pub(crate) fn of_filter(text: &str) -> Result<Shape, String> {
        let shape = Shape::parse(text)?;
        if let Some(name) = shape.names().next() {
            return Err(format!("named captures are not allowed: found '<{name}>'"));
        }
        Ok(shape)
    }

    /// Reads a pattern for a parser: at least one capture has a name, and no two the same.
    pub(crate) fn of_parser(text: &str) -> Result<Shape, String> {
        let shape = Shape::parse(text)?;
        let names: Vec<&str> = shape.names().collect();
        if names.is_empty() {
            return Err("at least one capture is required".into());
        }
        let twice = names.iter().enumerate().find(|(i, name)| names[..*i].contains(name));
        if let Some((_, name)) = twice {
            return Err(format!("duplicate capture name ({name}): invalid expression"));
        }
        Ok(shape)
    }

    fn parse(text: &str) -> Result<Shape, String> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut before: Option<&str> = None;
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let Some(name) = capture_name(rest) else {
                literal.push(c);
                rest = &rest[c.len_utf8()..];
                continue;
            };
            if !literal.is_empty() {
                parts.push(literal_part(&literal));
                literal.clear();
            } else if let Some(before) = before {
                let both = format!("<{before}><{name}>");
                return Err(format!("found consecutive capture '{both}': invalid expression"));
            }
            parts.push(Part::Capture((name != "_").then(|| name.to_owned())));
            before = Some(name);
            rest = &rest[name.len() + 2..];
        }
        if !literal.is_empty() {
            parts.push(literal_part(&literal));
        }
        Ok(Shape { parts })
    }

    /// The names of the captures that have one, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Capture(name) => name.as_deref(),
            Part::Literal(_) => None,
        })
    }

    /// The longest literal, which every accepted line contains.
    pub(crate) fn longest_literal(&self) -> Option<&[u8]> {
        let literals = self.parts.iter().filter_map(|part| match part {
            Part::Literal(finder) => Some(finder.needle()),
            Part::Capture(_) => None,
        });
        literals.max_by_key(|literal| literal.len())
    }

    /// Whether a line has this shape. Each literal is searched behind the one before it, captures
    /// take at least one byte, and a pattern that ends with a literal ends where the line ends.
    pub(crate) fn accepts(&self, line: &[u8]) -> bool {
        let Some(last) = self.parts.last() else { return line.is_empty() };
        if line.is_empty() {
            return false;
        }
        let mut rest = line;
        for (i, part) in self.parts.iter().enumerate() {
            let Part::Literal(finder) = part else { continue };
            match finder.find(rest) {
                Some(0) if i != 0 => return false,
                Some(at) => rest = &rest[at + finder.needle().len()..],
                None => return false,
            }
        }
        match last {
            Part::Literal(_) => rest.is_empty(),
            Part::Capture(_) => !rest.is_empty(),
        }
    }

    /// Finds the captured texts, one range for each name in order; fewer where the line ends
    /// early. A literal at the start must be at byte 0; one that is not found later leaves the
    /// rest of the line to the capture before it.
    pub(crate) fn capture(&self, line: &[u8], found: &mut Vec<Range<usize>>) {
        found.clear();
        if line.is_empty() {
            return;
        }
        let mut at = 0;
        let mut parts = self.parts.iter();
        if let Some(Part::Literal(finder)) = self.parts.first() {
            if !line.starts_with(finder.needle()) {
                return;
            }
            at = finder.needle().len();
            parts.next();
        }
        while let Some(Part::Capture(name)) = parts.next() {
            let literal = match parts.next() {
                Some(Part::Literal(finder)) => {
                    finder.find(&line[at..]).map(|n| (at + n, finder.needle().len()))
                }
                _ => None,
            };
            let (end, skip) = literal.unwrap_or((line.len(), 0));
            if name.is_some() {
                found.push(at..end);
            }
            if literal.is_none() {
                return;
            }
            at = end + skip;
        }
    }
}

fn literal_part(text: &str) -> Part {
    Part::Literal(Box::new(Finder::new(text.as_bytes()).into_owned()))
}

/// The name in `<name>` at the start of a text.
fn capture_name(text: &str) -> Option<&str> {
    let (name, _) = text.strip_prefix('<')?.split_once('>')?;
    let first = name.bytes().next()?;
    let good =
        !first.is_ascii_digit() && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
    good.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts() {
        let check = |pattern: &str, line: &str, expected: bool| {
            let shape = Shape::of_filter(pattern).expect("a good pattern");
            assert_eq!(shape.accepts(line.as_bytes()), expected, "{pattern} on {line}");
        };
        check("", "", true);
        check("", "x", false);
        check("vel=<_>", "level=info", true);
        check("<_>level=<_>", "level=info", false);
        check("level=<_> status", "level=info status=200", false);
        check("level=<_> status=200", "level=info status=200", true);
        check("level=<_>", "level=", false);
        check("a < b<_>", "a < b c", true);
    }

    #[test]
    fn captures() {
        let check = |pattern: &str, line: &str, expected: &[&str]| {
            let shape = Shape::of_parser(pattern).expect("a good pattern");
            let mut found = Vec::new();
            shape.capture(line.as_bytes(), &mut found);
            let found: Vec<&str> = found.into_iter().map(|range| &line[range]).collect();
            assert_eq!(found, expected, "{pattern} on {line}");
        };
        check("level=<lvl> status=<st> <_>", "level=info status=200 x", &["info", "200"]);
        check("status=<st> <_>", "level=info status=200 x", &[]);
        check("<_>status=<st> zzz <x>", "level=info status=200 x", &["200 x"]);
        check("<a>=<b>", "=", &["", ""]);
        check("x<a>", "", &[]);
    }

    #[test]
    fn bad_patterns() {
        let check = |shape: Result<Shape, String>, expected: &str| {
            assert_eq!(shape.expect_err("a bad pattern"), expected);
        };
        check(Shape::of_parser("nocapture"), "at least one capture is required");
        check(Shape::of_parser("<a> <a>"), "duplicate capture name (a): invalid expression");
        check(Shape::of_parser("<a><b>"), "found consecutive capture '<a><b>': invalid expression");
        check(Shape::of_filter("<a>"), "named captures are not allowed: found '<a>'");
    }
}
