//! Ingestion policies: some streams of a tenant have limits of their own.
//!
//! In: `policy_stream_mapping` and `policy_override_limits`, YAML or JSON. Out: which policy a stream
//! is under, and what may be put into the streams of one. A selector that cannot be read is refused
//! when the file is, so that a policy never fails to hold in silence.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::limits::{ByteSize, Limits, Moment};
use super::{Labels, Selector};

/// Under this name stands what holds for streams of every policy, or of none.
const EVERYBODY: &str = "*";

/// Which streams are under which policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PolicyMapping(BTreeMap<String, Vec<Rule>>);

/// Streams of a policy, and which rule goes before which.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "WrittenRule", into = "WrittenRule")]
struct Rule {
    written: WrittenRule,
    selector: Selector,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRule {
    selector: String,
    #[serde(default)]
    priority: i64,
}

impl TryFrom<WrittenRule> for Rule {
    type Error = String;

    fn try_from(written: WrittenRule) -> Result<Rule, String> {
        let selector = written.selector.parse::<Selector>().map_err(|error| error.to_string())?;
        Ok(Rule { written, selector })
    }
}

impl From<Rule> for WrittenRule {
    fn from(rule: Rule) -> WrittenRule {
        rule.written
    }
}

impl PolicyMapping {
    /// The policy of a stream: that of the matching rule with the highest priority; of several such,
    /// the first by name.
    pub fn policy_of(&self, labels: &Labels) -> Option<&str> {
        let mut best: Option<(i64, &str)> = None;
        for (policy, rules) in &self.0 {
            let matching = rules.iter().filter(|rule| rule.selector.matches(labels));
            let Some(priority) = matching.map(|rule| rule.written.priority).max() else { continue };
            if best.is_none_or(|(highest, _)| priority > highest) {
                best = Some((priority, policy));
            }
        }
        best.map(|(_, policy)| policy)
    }

    /// Everything that it says, for whoever remembers what was judged by it.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str, i64)> {
        self.0.iter().flat_map(|(policy, rules)| {
            let written = rules.iter().map(|rule| &rule.written);
            written.map(|written| (policy.as_str(), written.selector.as_str(), written.priority))
        })
    }
}

/// Limits that a policy has instead of its tenant's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyLimits {
    #[serde(skip_serializing_if = "Option::is_none")]
    ingestion_rate_mb: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ingestion_burst_size_mb: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    per_stream_rate_limit: Option<ByteSize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    per_stream_rate_limit_burst: Option<ByteSize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_streams_per_user: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_global_streams_per_user: Option<usize>,
    /// Loki's: streams are not cut into shards here, by policy as little as by tenant.
    #[serde(rename = "shard_streams", skip_serializing)]
    _shard_streams: IgnoredAny,
}

/// What may be put into the streams of one policy, or into those that have none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Allowance {
    /// Mean bytes in a second and bytes at once, in MiB; a rate of 0 is no limit.
    pub rate_mb: f64,
    /// See `rate_mb`.
    pub burst_mb: f64,
    /// Whether the rate is the policy's own: what its streams get is nothing to the tenant's rate.
    pub own_rate: bool,
    /// Mean bytes of one stream in a second; 0 is no limit.
    pub stream_rate: ByteSize,
    /// Bytes that one stream may get at once.
    pub stream_burst: ByteSize,
    /// Most active streams; 0 is no limit.
    pub streams_max: usize,
    /// Whether that number is the policy's own, and its streams are counted apart.
    pub own_streams: bool,
}

impl Limits {
    /// What may be put into the streams of a policy, or of none.
    pub fn allowance(&self, policy: Option<&str>) -> Allowance {
        let none = PolicyLimits::default();
        let own = policy.and_then(|policy| self.policy_override_limits.get(policy));
        let own = own.unwrap_or(&none);
        let streams = [own.max_global_streams_per_user, own.max_streams_per_user];
        let own_streams = streams.iter().any(Option::is_some);
        let fewest = streams.into_iter().flatten().filter(|limit| *limit > 0).min().unwrap_or(0);
        Allowance {
            rate_mb: own.ingestion_rate_mb.unwrap_or(self.ingestion_rate_mb),
            burst_mb: own.ingestion_burst_size_mb.unwrap_or(self.ingestion_burst_size_mb),
            own_rate: own.ingestion_rate_mb.is_some(),
            stream_rate: own.per_stream_rate_limit.unwrap_or(self.per_stream_rate_limit),
            stream_burst: own
                .per_stream_rate_limit_burst
                .unwrap_or(self.per_stream_rate_limit_burst),
            streams_max: if own_streams { fewest } else { self.streams_max() },
            own_streams,
        }
    }

    /// Labels that the streams of a policy must have, in the order in which they are asked for.
    pub fn enforced_labels_of(&self, policy: Option<&str>) -> impl Iterator<Item = &str> {
        let of = |policy: &str| self.policy_enforced_labels.get(policy).into_iter().flatten();
        let everybody = self.enforced_labels.iter().chain(of(EVERYBODY));
        let own = policy.into_iter().filter(|policy| *policy != EVERYBODY).flat_map(of);
        everybody.chain(own).map(String::as_str)
    }

    /// Until when nothing is put into the streams of a policy, or of none.
    pub fn blocked_until(&self, policy: Option<&str>) -> Option<Moment> {
        let blocked = &self.block_ingestion_policy_until;
        let own = policy.and_then(|policy| blocked.get(policy));
        own.or_else(|| blocked.get(EVERYBODY)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(json: serde_json::Value) -> Result<Limits, String> {
        serde_json::from_value(json).map_err(|error| error.to_string())
    }

    #[test]
    fn the_rule_with_the_highest_priority_decides() {
        let limits = limits(serde_json::json!({"policy_stream_mapping": {
            "b": [{"selector": "{env=\"prod\"}", "priority": 1}],
            "a": [{"selector": "{env=~\"p.*\"}", "priority": 1}],
            "loud": [{"selector": "{env=\"prod\", app!=\"x\"}", "priority": 2},
                     {"selector": "{app=\"loud\"}"}],
        }}))
        .expect("good limits");
        let check = |labels: &[(&str, &str)], expected: Option<&str>| {
            let labels = Labels::from_pairs(labels.iter().copied()).expect("unique");
            assert_eq!(limits.policy_stream_mapping.policy_of(&labels), expected, "{labels}");
        };
        check(&[("env", "prod"), ("app", "y")], Some("loud"));
        check(&[("env", "prod"), ("app", "x")], Some("a"));
        check(&[("env", "pre")], Some("a"));
        check(&[("app", "loud")], Some("loud"));
        check(&[("env", "dev")], None);
        let text = serde_json::to_value(&limits).expect("plain values");
        assert_eq!(super::tests::limits(text), Ok(limits));
    }

    #[test]
    fn a_policy_has_its_own_limits_or_its_tenants() {
        let limits = limits(serde_json::json!({
            "ingestion_rate_mb": 4, "max_global_streams_per_user": 100, "enforced_labels": ["env"],
            "policy_enforced_labels": {"*": ["team"], "a": ["app"]},
            "policy_override_limits": {
                "a": {"ingestion_rate_mb": 1, "max_streams_per_user": 5, "shard_streams": {}},
                "b": {"per_stream_rate_limit": "1KB", "max_global_streams_per_user": 0},
            },
            "block_ingestion_policy_until": {"a": "2026-11-20T00:00:00Z"},
        }))
        .expect("good limits");
        let a = limits.allowance(Some("a"));
        assert_eq!((a.rate_mb, a.burst_mb, a.own_rate), (1.0, 6.0, true));
        assert_eq!((a.streams_max, a.own_streams), (5, true));
        let b = limits.allowance(Some("b"));
        assert_eq!((b.rate_mb, b.own_rate, b.stream_rate), (4.0, false, ByteSize(1024)));
        assert_eq!((b.streams_max, b.own_streams), (0, true));
        assert_eq!(limits.allowance(None), limits.allowance(Some("c")));
        assert_eq!(limits.allowance(None).streams_max, 100);
        let enforced = |policy| limits.enforced_labels_of(policy).collect::<Vec<_>>();
        assert_eq!(enforced(None), ["env", "team"]);
        assert_eq!(enforced(Some("a")), ["env", "team", "app"]);
        assert!(limits.blocked_until(Some("a")).is_some());
        assert_eq!(limits.blocked_until(None), None);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let check = |json: serde_json::Value, expected: &str| {
            let error = limits(json).expect_err("bad limits");
            assert!(error.contains(expected), "{error}");
        };
        let mapping = |selector: &str| serde_json::json!({"policy_stream_mapping": {"a": [{"selector": selector}]}});
        check(mapping("{a=}"), "expected string");
        check(mapping("{a=~\"(\"}"), "error parsing regexp");
        check(mapping(""), "selector");
        check(
            serde_json::json!({"policy_override_limits": {"a": {"max_line_size": 1}}}),
            "unknown",
        );
    }
}
