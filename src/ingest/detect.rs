//! What ingest adds to entries from what they say by name: `service_name` to a stream, and the
//! level that labels or structured metadata declare. What a line says is in `line_level`.

use std::borrow::Cow;

use super::pairs::Pair;
use crate::model::level::DETECTED_LEVEL;
use crate::model::{Labels, Level};

/// The label that names the service a stream comes from.
pub(super) const SERVICE_NAME: &str = "service_name";
/// Its value where no label tells.
const UNKNOWN_SERVICE: &str = "unknown_service";
/// The OpenTelemetry severity, 1 to 24, as structured metadata.
const SEVERITY_NUMBER: &str = "severity_number";

/// Names under which entries declare their level, best first.
#[derive(Debug)]
pub(super) struct LevelFields<'a> {
    /// As labels, metadata and JSON write them.
    pub(super) names: &'a [String],
    /// As logfmt writes them: without case, each once.
    pub(super) keys: Vec<&'a str>,
}

impl<'a> LevelFields<'a> {
    pub(super) fn new(names: &'a [String]) -> LevelFields<'a> {
        let mut keys: Vec<&str> = Vec::new();
        for name in names {
            if !keys.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                keys.push(name);
            }
        }
        LevelFields { names, keys }
    }
}

/// Adds `service_name` where it is missing, from the first of `names` that the stream has.
pub(super) fn with_service_name(labels: Labels, names: &[String]) -> Labels {
    if names.is_empty() || labels.get(SERVICE_NAME).is_some() {
        return labels;
    }
    let service = names.iter().find_map(|name| labels.get(name)).unwrap_or(UNKNOWN_SERVICE);
    labels.with(SERVICE_NAME, service)
}

/// The level that a stream's labels declare for all its entries.
pub(super) fn level_of_labels(labels: &Labels, fields: &LevelFields<'_>) -> Option<Box<str>> {
    let declared = labels
        .get(DETECTED_LEVEL)
        .or_else(|| fields.names.iter().find_map(|name| labels.get(name)))?;
    Some(declared_level(declared).into())
}

/// The level that an entry's metadata states outright, before labels are asked.
pub(super) fn level_stated<'p>(pairs: &'p [Pair<'_>]) -> Option<&'p str> {
    find(pairs, DETECTED_LEVEL).map(declared_level)
}

/// The level that an entry's metadata implies, after labels were asked.
pub(super) fn level_implied<'p>(
    pairs: &'p [Pair<'_>],
    fields: &LevelFields<'_>,
) -> Option<&'p str> {
    let declared = fields.names.iter().find_map(|name| find(pairs, name)).map(declared_level);
    declared.or_else(|| find(pairs, SEVERITY_NUMBER).map(|text| level_of_severity(text).as_str()))
}

/// The value of a pair by its name.
pub(super) fn find<'p>(pairs: &'p [Pair<'_>], name: &str) -> Option<&'p str> {
    pairs.iter().find(|(own, _)| own == name).map(|(_, value)| &**value)
}

/// The normal form of a declared level; a word that is no level stays as it is.
fn declared_level(text: &str) -> &str {
    normal(text.as_bytes()).map_or(text, |level| level.as_str())
}

fn level_of_severity(text: &str) -> Level {
    match text.parse::<i64>() {
        Ok(1..=4) => Level::Trace,
        Ok(5..=8) => Level::Debug,
        Ok(9..=12) | Err(_) => Level::Info,
        Ok(13..=16) => Level::Warn,
        Ok(17..=20) => Level::Error,
        Ok(21..=24) => Level::Fatal,
        Ok(_) => Level::Unknown,
    }
}

/// The level that a word means, in any case.
pub(super) fn normal(word: &[u8]) -> Option<Level> {
    let candidates: &[(&str, Level)] = match word.len() {
        3 => &[
            ("err", Level::Error),
            ("inf", Level::Info),
            ("dbg", Level::Debug),
            ("wrn", Level::Warn),
            ("trc", Level::Trace),
        ],
        4 => &[("info", Level::Info), ("warn", Level::Warn)],
        5 => &[
            ("error", Level::Error),
            ("debug", Level::Debug),
            ("trace", Level::Trace),
            ("fatal", Level::Fatal),
        ],
        7 => &[("warning", Level::Warn), ("unknown", Level::Unknown)],
        8 => &[("critical", Level::Critical)],
        11 => &[("information", Level::Info)],
        _ => &[],
    };
    let found = candidates.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(word));
    found.map(|(_, level)| *level)
}

/// A structured metadata name in `[A-Za-z0-9_]`: each other character becomes `_`, and a leading
/// digit gets `key_` before it.
pub(super) fn normal_name(name: &str) -> Cow<'_, str> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let digit_first = name.bytes().next().is_some_and(|first| first.is_ascii_digit());
    if !name.is_empty() && !digit_first && name.chars().all(good) {
        return Cow::Borrowed(name);
    }
    let mut normal = String::with_capacity(name.len() + 4);
    if digit_first {
        normal.push_str("key_");
    }
    normal.extend(name.chars().map(|c| if good(c) { c } else { '_' }));
    Cow::Owned(if normal.is_empty() { "_".into() } else { normal })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::limits::Limits;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        Labels::from_pairs(pairs.iter().copied()).expect("unique")
    }

    #[test]
    fn service_names() {
        let names = Limits::default().discover_service_name;
        let check = |pairs: &[(&str, &str)], expected: &str| {
            let found = with_service_name(labels(pairs), &names);
            assert_eq!(found.get(SERVICE_NAME), Some(expected));
        };
        check(&[("app", "a")], "a");
        check(&[("job", "j"), ("container", "c")], "c");
        check(&[("service_name", "s"), ("app", "a")], "s");
        check(&[("x", "y")], "unknown_service");
        check(&[], "unknown_service");
        assert_eq!(with_service_name(labels(&[("app", "a")]), &[]), labels(&[("app", "a")]));
    }

    #[test]
    fn levels_of_labels() {
        let check = |pairs: &[(&str, &str)], expected: Option<&str>| {
            let limits = Limits::default();
            let fields = LevelFields::new(&limits.log_level_fields);
            assert_eq!(level_of_labels(&labels(pairs), &fields).as_deref(), expected);
        };
        check(&[("level", "WARN")], Some("warn"));
        check(&[("level", "weird")], Some("weird"));
        check(&[("severity", "err"), ("lvl", "info")], Some("error"));
        check(&[("detected_level", "DBG"), ("level", "info")], Some("debug"));
        check(&[("app", "error")], None);
    }

    #[test]
    fn levels_of_metadata() {
        let check = |pairs: &[(&str, &str)], stated: Option<&str>, implied: Option<&str>| {
            let pairs: Vec<Pair<'_>> =
                pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            let limits = Limits::default();
            let fields = LevelFields::new(&limits.log_level_fields);
            assert_eq!((level_stated(&pairs), level_implied(&pairs, &fields)), (stated, implied));
        };
        check(&[("severity", "err")], None, Some("error"));
        check(&[("severity_number", "13")], None, Some("warn"));
        check(&[("severity_number", "0")], None, Some("unknown"));
        check(&[("severity_number", "x")], None, Some("info"));
        check(&[("severity_number", "24"), ("severity_text", "odd")], None, Some("odd"));
        check(&[("detected_level", "WRN")], Some("warn"), None);
        check(&[("k", "error")], None, None);
    }

    #[test]
    fn metadata_names() {
        let check = |name: &str, expected: &str| assert_eq!(normal_name(name), expected);
        check("trace_id", "trace_id");
        check("k8s.pod-name", "k8s_pod_name");
        check("1st", "key_1st");
        check("é", "_");
        check("", "_");
    }
}
