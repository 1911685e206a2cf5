//! Which streams: matchers on a label set, all of which must hold.

use std::fmt;
use std::str::FromStr;

use regex::bytes::Regex;

use super::labels::Quoted;
use super::{Labels, labels_text, pattern};

/// Most matchers of a selector in a configuration.
const MATCHERS_MAX: usize = 100;

/// How a matcher compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`, anchored at both ends
    Matches,
    /// `!~`, anchored at both ends
    NotMatches,
}

/// One comparison of one label. A label that is absent has the value `""`.
#[derive(Clone, Debug)]
pub struct Matcher {
    /// The label's name.
    pub name: String,
    /// How to compare.
    pub op: MatchOp,
    /// The text or the pattern to compare with.
    pub value: String,
    regex: Option<Regex>,
}

impl Matcher {
    /// Compiles the pattern where there is one.
    pub fn new(name: &str, op: MatchOp, value: &str) -> Result<Matcher, pattern::Error> {
        let regex = match op {
            MatchOp::Equal | MatchOp::NotEqual => None,
            MatchOp::Matches | MatchOp::NotMatches => Some(pattern::anchored(value)?),
        };
        Ok(Matcher { name: name.into(), op, value: value.into(), regex })
    }

    /// Whether a value satisfies the comparison.
    pub fn accepts(&self, value: &str) -> bool {
        let found = |regex: &Option<Regex>| {
            regex.as_ref().is_some_and(|regex| regex.is_match(value.as_bytes()))
        };
        match self.op {
            MatchOp::Equal => value == self.value,
            MatchOp::NotEqual => value != self.value,
            MatchOp::Matches => found(&self.regex),
            MatchOp::NotMatches => !found(&self.regex),
        }
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Matcher) -> bool {
        (&self.name, self.op, &self.value) == (&other.name, other.op, &other.value)
    }
}

impl fmt::Display for MatchOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MatchOp::Equal => "=",
            MatchOp::NotEqual => "!=",
            MatchOp::Matches => "=~",
            MatchOp::NotMatches => "!~",
        })
    }
}

/// LogQL text: `app=~"w.*"`.
impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.name, self.op, Quoted(&self.value))
    }
}

/// Matchers that must all hold. Without a matcher, every stream is selected.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selector {
    /// In the order they were written.
    pub matchers: Vec<Matcher>,
}

impl Selector {
    /// Whether a label set satisfies every matcher.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.matchers.iter().all(|m| m.accepts(labels.get(&m.name).unwrap_or("")))
    }
}

/// A selector in a configuration; LogQL, which has more to say where one is wrong, reads its own.
impl FromStr for Selector {
    type Err = labels_text::Error;

    fn from_str(text: &str) -> Result<Selector, labels_text::Error> {
        Ok(Selector { matchers: labels_text::matchers(text, MATCHERS_MAX)? })
    }
}

/// LogQL text: `{app="web", env=~"p.*"}`.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, matcher) in self.matchers.iter().enumerate() {
            write!(f, "{}{matcher}", if i == 0 { "" } else { ", " })?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selects() {
        let labels = Labels::from_pairs([("app", "web"), ("env", "prod")]).expect("unique");
        let check = |name: &str, op, value: &str, expected: bool| {
            let matcher = Matcher::new(name, op, value).expect("a good pattern");
            assert_eq!(Selector { matchers: vec![matcher] }.matches(&labels), expected);
        };
        check("app", MatchOp::Equal, "web", true);
        check("app", MatchOp::Matches, "w", false);
        check("app", MatchOp::Matches, "w.*", true);
        check("none", MatchOp::Equal, "", true);
        check("none", MatchOp::NotEqual, "x", true);
        check("env", MatchOp::NotMatches, "p.*", false);
    }

    #[test]
    fn read_from_text() {
        let check = |text: &str, expected: &str| {
            let found = text.parse::<Selector>();
            assert_eq!(
                found.map(|s| s.to_string()).map_err(|e| e.to_string()),
                Ok(expected.into())
            );
        };
        check("{a=\"b\"}", r#"{a="b"}"#);
        check(" { a != `b` , c=~'d.*', e!~\"f\", } ", r#"{a!="b", c=~"d.*", e!~"f"}"#);
        check("{}", "{}");
        for bad in ["", "{", "{a}", "{a==\"b\"}", "{a!\"b\"}", "{a=~\"(\"}", "{a=\"b\"} x"] {
            assert!(bad.parse::<Selector>().is_err(), "{bad}");
        }
    }
}
