//! Queries that an operator does not want to run: one entry of `blocked_queries`.
//!
//! In: YAML or JSON. Out: whether a query is meant. A pattern that cannot be compiled is refused
//! when it is read, so that a block never fails to hold in silence.

use std::collections::BTreeMap;

use regex::bytes::Regex;
use serde::{Deserialize, Serialize};

use super::pattern;

/// What kind of query it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QueryType {
    /// Asks for numbers.
    Metric,
    /// Asks for entries, and filters them.
    Filter,
    /// Asks for entries and filters nothing: what bounds it is its limit.
    Limited,
}

/// One rule. Everything that it says must hold.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct BlockedQuery {
    written: Written,
    regex: Option<Regex>,
}

/// A rule as it stands in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    /// The text of the query, or a regex that is found in it. Empty: every query.
    pattern: String,
    /// Whether the pattern is a regex.
    regex: bool,
    /// FNV-1 of the query's text, as metrics and logs of Loki show it. 0: none.
    hash: u32,
    /// Only queries of these kinds.
    types: Types,
    /// Only queries whose `X-Query-Tags` say all of this.
    #[serde(alias = "query_tags")]
    tags: BTreeMap<String, String>,
}

/// `[metric, filter]` or `metric,filter`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WrittenTypes", into = "Vec<QueryType>")]
struct Types(Vec<QueryType>);

#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenTypes {
    List(Vec<QueryType>),
    Text(String),
}

impl TryFrom<WrittenTypes> for Types {
    type Error = String;

    fn try_from(written: WrittenTypes) -> Result<Types, String> {
        let text = match written {
            WrittenTypes::List(list) => return Ok(Types(list)),
            WrittenTypes::Text(text) => text,
        };
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        let types = names.map(|name| match name {
            "metric" => Ok(QueryType::Metric),
            "filter" => Ok(QueryType::Filter),
            "limited" => Ok(QueryType::Limited),
            other => Err(format!("'{other}' is none of metric, filter, limited")),
        });
        types.collect::<Result<_, _>>().map(Types)
    }
}

impl From<Types> for Vec<QueryType> {
    fn from(types: Types) -> Vec<QueryType> {
        types.0
    }
}

impl TryFrom<Written> for BlockedQuery {
    type Error = pattern::Error;

    fn try_from(written: Written) -> Result<BlockedQuery, pattern::Error> {
        let regex = written.regex.then(|| pattern::unanchored(&written.pattern)).transpose()?;
        Ok(BlockedQuery { written, regex })
    }
}

impl From<BlockedQuery> for Written {
    fn from(blocked: BlockedQuery) -> Written {
        blocked.written
    }
}

impl PartialEq for BlockedQuery {
    fn eq(&self, other: &BlockedQuery) -> bool {
        self.written == other.written
    }
}

impl BlockedQuery {
    /// Whether a query is meant: its text, its kind, and its tags as names and values.
    pub fn blocks(&self, text: &str, kind: QueryType, tags: &[(&str, &str)]) -> bool {
        let Written { pattern, hash, types, tags: wanted, .. } = &self.written;
        let is_text_meant = if *hash > 0 {
            *hash == fnv1(text)
        } else {
            pattern.is_empty()
                || pattern.trim() == text.trim()
                || self.regex.as_ref().is_some_and(|regex| regex.is_match(text.as_bytes()))
        };
        let has = |(name, value): (&String, &String)| {
            let same = |(own, is): &(&str, &str)| {
                own.eq_ignore_ascii_case(name) && is.eq_ignore_ascii_case(value)
            };
            tags.iter().any(same)
        };
        let is_kind_meant = types.0.is_empty() || types.0.contains(&kind);
        is_text_meant && is_kind_meant && wanted.iter().all(has)
    }
}

/// The 32 bits of FNV-1.
fn fnv1(text: &str) -> u32 {
    let step = |hash: u32, byte: u8| hash.wrapping_mul(0x0100_0193) ^ u32::from(byte);
    text.bytes().fold(0x811c_9dc5, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(json: &str) -> BlockedQuery {
        serde_json::from_str(json).expect(json)
    }

    #[test]
    fn what_is_blocked() {
        let text = r#"{app="a"} |= "x""#;
        let tags = [("Source", "grafana"), ("user", "Ann")];
        let check = |json: &str, expected: bool| {
            assert_eq!(rule(json).blocks(text, QueryType::Filter, &tags), expected, "{json}");
        };
        check("{}", true);
        check(r#"{"pattern": " {app=\"a\"} |= \"x\" "}"#, true);
        check(r#"{"pattern": "app"}"#, false);
        check(r#"{"pattern": "app", "regex": true}"#, true);
        check(r#"{"pattern": "^app", "regex": true}"#, false);
        check(r#"{"types": ["metric", "limited"]}"#, false);
        check(r#"{"types": "metric, filter"}"#, true);
        check(&format!(r#"{{"hash": {}}}"#, fnv1(text)), true);
        check(r#"{"hash": 7, "pattern": ".*", "regex": true}"#, false);
        check(r#"{"tags": {"source": "Grafana"}}"#, true);
        check(r#"{"query_tags": {"source": "grafana", "user": "bob"}}"#, false);
    }

    #[test]
    fn a_rule_that_cannot_hold_is_refused() {
        let check = |json: &str, expected: &str| {
            let error = serde_json::from_str::<BlockedQuery>(json).expect_err(json).to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(r#"{"pattern": "(", "regex": true}"#, "error parsing regexp");
        check(r#"{"patern": "x"}"#, "unknown field");
        let error = serde_json::from_str::<BlockedQuery>(r#"{"types": "all"}"#);
        assert!(error.is_err());
    }

    #[test]
    fn hashes_as_fnv_1() {
        // From the reference list of the algorithm's authors.
        assert_eq!(fnv1(""), 0x811c_9dc5);
        assert_eq!(fnv1("a"), 0x050c_5d7e);
        assert_eq!(fnv1("foobar"), 0x31f0_b262);
    }
}
