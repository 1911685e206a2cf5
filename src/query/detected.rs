//! What fields the newest entries of a query have, and which labels are worth showing.
//!
//! In: entries of a log query. Out: for each field its type, its distinct values, and how to get
//! at it: from structured metadata, from the query's own stages, or with a parser.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::logql::fields::{Format, fields_of};
use crate::logql::{bytes, duration, number};
use crate::model::Labels;
use crate::query::logs::LogEntry;

/// Labels that are shown whatever their values look like.
const ALWAYS: [&str; 4] = ["cluster", "namespace", "instance", "pod"];

/// What the values of a field look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// Whole numbers.
    Int,
    /// Numbers.
    Float,
    /// `true`, `f`, ...
    Boolean,
    /// `1h5m`
    Duration,
    /// `5 KB`
    Bytes,
}

/// A field that some of the entries have.
#[derive(Clone, Debug, Default)]
pub struct Field {
    /// What its values that are not empty have in common.
    pub kind: Option<Kind>,
    /// Distinct values, in the order in which they were met.
    pub values: Vec<String>,
    /// Which parsers find it; none for structured metadata.
    pub parsers: BTreeSet<Format>,
    /// The keys that lead to it in JSON.
    pub path: Vec<String>,
    known: BTreeSet<String>,
}

impl Kind {
    /// As the API names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Text => "string",
            Kind::Int => "int",
            Kind::Float => "float",
            Kind::Boolean => "boolean",
            Kind::Duration => "duration",
            Kind::Bytes => "bytes",
        }
    }

    /// What one value looks like.
    fn of(value: &str) -> Kind {
        const BOOLEANS: [&str; 12] =
            ["1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"];
        if value.parse::<i64>().is_ok() {
            Kind::Int
        } else if number::parse_float(value).is_ok() {
            Kind::Float
        } else if BOOLEANS.contains(&value) {
            Kind::Boolean
        } else if duration::parse_go(value).is_ok() {
            Kind::Duration
        } else if bytes::parse(value).is_ok() {
            Kind::Bytes
        } else {
            Kind::Text
        }
    }

    /// What holds for both.
    fn join(self, other: Kind) -> Kind {
        match (self, other) {
            (a, b) if a == b => a,
            (Kind::Int | Kind::Float, Kind::Int | Kind::Float) => Kind::Float,
            _ => Kind::Text,
        }
    }
}

impl Field {
    fn add(&mut self, value: &str) {
        if self.known.contains(value) {
            return;
        }
        if !value.is_empty() {
            let kind = Kind::of(value);
            self.kind = Some(self.kind.map_or(kind, |known| known.join(kind)));
        }
        self.known.insert(value.into());
        self.values.push(value.into());
    }
}

/// The fields of entries, at most `fields_max` of them: the first that are met.
pub fn fields(entries: &[LogEntry], fields_max: usize) -> BTreeMap<String, Field> {
    let mut found = BTreeMap::new();
    for entry in entries {
        let labels = &entry.labels;
        for (name, value) in &labels.metadata {
            if let Some(field) = field(&mut found, name, fields_max) {
                field.add(value);
            }
        }
        let (format, of_line) = fields_of(&entry.line);
        let parsed = !of_line.is_empty();
        let in_query = labels.parsed.iter().filter(|(name, _)| !name.starts_with("__error"));
        for (name, value) in in_query {
            let Some(field) = field(&mut found, name, fields_max) else { continue };
            field.add(value);
            if parsed {
                field.parsers.insert(format);
            }
        }
        for of_line in of_line {
            let is_label = labels.stream.iter().any(|(name, _)| **name == *of_line.name);
            let suffix = if is_label { "_extracted" } else { "" };
            let name = format!("{}{suffix}", of_line.name);
            let Some(field) = field(&mut found, &name, fields_max) else { continue };
            field.add(&of_line.value);
            field.parsers.insert(format);
            if field.path.is_empty() {
                field.path = of_line.path;
            }
        }
    }
    found
}

fn field<'f>(
    found: &'f mut BTreeMap<String, Field>,
    name: &str,
    fields_max: usize,
) -> Option<&'f mut Field> {
    if !found.contains_key(name) {
        if found.len() >= fields_max {
            return None;
        }
        found.insert(name.into(), Field::default());
    }
    found.get_mut(name)
}

/// The labels of streams with the number of their values, by name. Labels that have nothing but
/// numbers or UUIDs are names of things and not worth a choice; some are shown always.
pub fn labels(streams: &[Labels]) -> BTreeMap<&str, usize> {
    let mut values: HashMap<&str, BTreeSet<&str>> = HashMap::new();
    for (name, value) in streams.iter().flat_map(|labels| labels.iter()) {
        values.entry(name).or_default().insert(value);
    }
    let is_shown = |(name, values): &(&str, BTreeSet<&str>)| {
        ALWAYS.contains(name) || !values.iter().all(|value| is_id(value))
    };
    let shown = values.into_iter().filter(is_shown);
    shown.map(|(name, values)| (name, values.len())).collect()
}

fn is_id(value: &str) -> bool {
    number::parse_float(value).is_ok() || is_uuid(value)
}

fn is_uuid(value: &str) -> bool {
    let value = value.strip_prefix("urn:uuid:").unwrap_or(value);
    let braced = value.strip_prefix('{').and_then(|value| value.strip_suffix('}'));
    let value = braced.unwrap_or(value);
    let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if value.len() == 32 {
        return hex(value);
    }
    let lengths: Vec<usize> = value.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && value.split('-').all(hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_values() {
        let check = |values: &[&str], expected: Option<Kind>| {
            let mut field = Field::default();
            values.iter().for_each(|value| field.add(value));
            assert_eq!(field.kind, expected, "{values:?}");
        };
        check(&["1", "-5"], Some(Kind::Int));
        check(&["1", "2.5", "NaN"], Some(Kind::Float));
        check(&["true", "F"], Some(Kind::Boolean));
        check(&["1h5m", "20ms"], Some(Kind::Duration));
        check(&["5KB", "5 MiB", "12B"], Some(Kind::Bytes));
        check(&["GET"], Some(Kind::Text));
        check(&["5KB", "5s"], Some(Kind::Text));
        check(&["", "5s"], Some(Kind::Duration));
        check(&[""], None);
        check(&[], None);
    }

    #[test]
    fn labels_of_ids_are_left_out() {
        let stream = |pairs: &[(&str, &str)]| {
            Labels::from_pairs(pairs.iter().copied()).expect("unique names")
        };
        let uuid = "123e4567-e89b-12d3-a456-426614174000";
        let streams = [
            stream(&[("app", "web"), ("id", uuid), ("n", "1"), ("pod", "7")]),
            stream(&[("app", "api"), ("id", "5"), ("n", "2.5"), ("mixed", "1")]),
            stream(&[("app", "api"), ("mixed", "x")]),
        ];
        let found = labels(&streams);
        assert_eq!(Vec::from_iter(found), [("app", 2), ("mixed", 2), ("pod", 1)]);
    }

    #[test]
    fn uuids() {
        let check = |value: &str, expected: bool| assert_eq!(is_uuid(value), expected, "{value}");
        check("123e4567-e89b-12d3-a456-426614174000", true);
        check("{123e4567-e89b-12d3-a456-426614174000}", true);
        check("123e4567e89b12d3a456426614174000", true);
        check("123e4567-e89b-12d3-a456-42661417400", false);
        check("g23e4567-e89b-12d3-a456-426614174000", false);
        check("", false);
    }
}
