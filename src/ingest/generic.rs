//! Fields of labels, metadata and lines that are copied into structured metadata, as
//! `discover_generic_fields` says.
//!
//! In: one entry and the labels of its stream. Out: names and values to add. Values of entries are
//! never more than structured metadata may be: what is over that is not copied.

use std::borrow::Cow;

use super::detect::find;
use super::pairs::Pair;
use crate::logql::lookup::{JsonPath, logfmt_pairs};
use crate::model::Labels;
use crate::model::generic::GenericFields;

/// What is looked for, read once for each push.
pub(super) struct Wanted<'a> {
    fields: Vec<Field<'a>>,
}

struct Field<'a> {
    name: &'a str,
    hints: &'a [String],
    /// Those of the hints that are paths into JSON.
    paths: Vec<JsonPath>,
}

impl<'a> Wanted<'a> {
    pub(super) fn new(fields: &'a GenericFields) -> Wanted<'a> {
        let fields = fields.fields.iter().map(|(name, hints)| {
            let paths = hints.iter().filter_map(|hint| JsonPath::parse(hint).ok());
            Field { name, hints, paths: paths.collect() }
        });
        Wanted { fields: fields.collect() }
    }

    /// What there is of it, in at most `bytes_max` bytes.
    pub(super) fn find(
        &self,
        labels: &Labels,
        pairs: &[Pair<'_>],
        line: &str,
        bytes_max: usize,
    ) -> Vec<Pair<'static>> {
        let mut found = Vec::new();
        let mut left = bytes_max;
        for field in &self.fields {
            let Some(value) = field.find(labels, pairs, line) else { continue };
            let bytes = field.name.len() + value.len();
            if value.is_empty() || bytes > left {
                continue;
            }
            left -= bytes;
            found.push((field.name.to_owned().into(), value.into_owned().into()));
        }
        found
    }
}

impl Field<'_> {
    fn find<'e>(
        &self,
        labels: &'e Labels,
        pairs: &'e [Pair<'_>],
        line: &'e str,
    ) -> Option<Cow<'e, str>> {
        let of_labels = self.hints.iter().find_map(|hint| labels.get(hint));
        let given = of_labels.or_else(|| self.hints.iter().find_map(|hint| find(pairs, hint)));
        if let Some(given) = given {
            return Some(given.into());
        }
        let json = line.trim_ascii();
        if json.starts_with('{') && json.ends_with('}') {
            return self.paths.iter().find_map(|path| path.find(json));
        }
        self.of_logfmt(line)
    }

    /// The value of the hint that stands first in the list, in whatever order the line has them.
    fn of_logfmt<'e>(&self, line: &'e str) -> Option<Cow<'e, str>> {
        let mut best: Option<(usize, Cow<'e, str>)> = None;
        for (key, value) in logfmt_pairs(line) {
            let rank = self.hints.iter().position(|hint| hint.eq_ignore_ascii_case(key));
            if let Some(rank) = rank
                && best.as_ref().is_none_or(|(rank_best, _)| rank < *rank_best)
            {
                best = Some((rank, value));
            }
        }
        best.map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_hint_of_the_first_place_that_has_one() {
        let fields = [("trace_id", vec!["trace_id", "traceId", "ctx.trace", "ids[1]"])];
        let fields = fields.map(|(name, hints)| {
            (name.to_owned(), hints.into_iter().map(String::from).collect::<Vec<_>>())
        });
        let fields = GenericFields { fields: fields.into() };
        let wanted = Wanted::new(&fields);
        let check =
            |labels: &[(&str, &str)], pairs: &[(&str, &str)], line: &str, expected: &str| {
                let labels = Labels::from_pairs(labels.iter().copied()).expect("unique");
                let pairs: Vec<Pair<'_>> =
                    pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
                let found = wanted.find(&labels, &pairs, line, 20);
                let found = found.first().map_or("", |(_, value)| value);
                assert_eq!(found, expected, "{line}");
            };
        let none: &[(&str, &str)] = &[];
        check(&[("traceId", "l")], &[("trace_id", "m")], "trace_id=x", "l");
        check(none, &[("traceId", "m")], "trace_id=x", "m");
        check(none, none, "a=b TRACEID=1 trace_id=\"x \\\"y\" z", "x \"y");
        check(none, none, "a = trace_id=", "");
        check(none, none, r#"{"traceId":"t","trace_id":"é\n"}"#, "é\n");
        check(none, none, r#" {"ctx":{"a":[{}],"trace":7}} "#, "7");
        check(none, none, r#"{"ids":["a","b"]}"#, "b");
        check(none, none, r#"{"ids":["a"],"ctx":null,"traceId":null}"#, "");
        check(none, none, r#"{"ctx":{"trace":{"a":1}}}"#, r#"{"a":1}"#);
        check(none, none, r#"{"trace_id":"a value that is too long for it"}"#, "");
        check(none, none, r#"{"trace_id":"#, "");
        check(none, none, "no field", "");
    }
}
