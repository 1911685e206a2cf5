//! What becomes of the attributes of OpenTelemetry logs: `otlp_config`.
//!
//! In: YAML or JSON under Loki's names. Out: for each attribute, whether it names the stream, is
//! kept with the entry, or is left out. A rule that cannot be meant is refused when it is read.
//!
//! - The first rule that names an attribute decides; what no rule names is kept with the entry.
//! - The default names of streams stand before the rules for resources, unless they are ignored.

use regex::bytes::Regex;
use serde::{Deserialize, Serialize};

use super::pattern;

/// Resource attributes that name a stream where nothing else is configured.
pub const INDEX_LABELS: [&str; 18] = [
    "service.name",
    "service.namespace",
    "service.instance.id",
    "deployment.environment",
    "deployment.environment.name",
    "cloud.region",
    "cloud.availability_zone",
    "k8s.cluster.name",
    "k8s.namespace.name",
    "k8s.pod.name",
    "k8s.container.name",
    "container.name",
    "k8s.replicaset.name",
    "k8s.deployment.name",
    "k8s.statefulset.name",
    "k8s.daemonset.name",
    "k8s.cronjob.name",
    "k8s.job.name",
];

/// What is done with an attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is a label of the stream.
    IndexLabel,
    /// It is kept with the entry.
    #[default]
    StructuredMetadata,
    /// It is left out.
    Drop,
}

/// `otlp_config:`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct OtlpConfig {
    written: Written,
}

/// The configuration as it stands in the file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    resource_attributes: ResourceAttributes,
    scope_attributes: Vec<Rule>,
    log_attributes: Vec<Rule>,
    /// Whether the text of a record's severity is a label of its stream, too.
    severity_text_as_label: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ResourceAttributes {
    /// Only the rules name streams.
    ignore_defaults: bool,
    attributes_config: Vec<Rule>,
}

/// Attributes by name or by pattern, and what is done with them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "WrittenRule", into = "WrittenRule")]
struct Rule {
    written: WrittenRule,
    regex: Option<Regex>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenRule {
    action: Action,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    regex: String,
}

impl TryFrom<WrittenRule> for Rule {
    type Error = String;

    fn try_from(written: WrittenRule) -> Result<Rule, String> {
        match (written.attributes.is_empty(), written.regex.is_empty()) {
            (true, true) => return Err("attributes or regex must be set".into()),
            (false, false) => return Err("only one of attributes or regex must be set".into()),
            (true, false) | (false, true) => {}
        }
        let regex = (!written.regex.is_empty()).then(|| pattern::anchored(&written.regex));
        let regex = regex.transpose().map_err(|error| error.to_string())?;
        Ok(Rule { written, regex })
    }
}

impl From<Rule> for WrittenRule {
    fn from(rule: Rule) -> WrittenRule {
        rule.written
    }
}

impl PartialEq for Rule {
    fn eq(&self, other: &Rule) -> bool {
        self.written == other.written
    }
}

impl TryFrom<Written> for OtlpConfig {
    type Error = String;

    fn try_from(written: Written) -> Result<OtlpConfig, String> {
        let is_label = |rule: &Rule| rule.written.action == Action::IndexLabel;
        if written.scope_attributes.iter().any(is_label) {
            return Err("index_label is not for scope_attributes".into());
        }
        Ok(OtlpConfig { written })
    }
}

impl From<OtlpConfig> for Written {
    fn from(config: OtlpConfig) -> Written {
        config.written
    }
}

fn action_of(rules: &[Rule], attribute: &str) -> Action {
    let meant = |rule: &&Rule| match &rule.regex {
        Some(regex) => regex.is_match(attribute.as_bytes()),
        None => rule.written.attributes.iter().any(|name| name == attribute),
    };
    rules.iter().find(meant).map_or(Action::default(), |rule| rule.written.action)
}

impl OtlpConfig {
    /// What is done with an attribute of a resource. `defaults`: what names a stream by default.
    pub fn of_resource(&self, attribute: &str, defaults: &[String]) -> Action {
        let resource = &self.written.resource_attributes;
        if !resource.ignore_defaults && defaults.iter().any(|name| name == attribute) {
            return Action::IndexLabel;
        }
        action_of(&resource.attributes_config, attribute)
    }

    /// What is done with an attribute of a scope: it never names a stream.
    pub fn of_scope(&self, attribute: &str) -> Action {
        action_of(&self.written.scope_attributes, attribute)
    }

    /// What is done with an attribute of a record.
    pub fn of_record(&self, attribute: &str) -> Action {
        action_of(&self.written.log_attributes, attribute)
    }

    /// Whether the text of a record's severity is a label of its stream.
    pub fn severity_is_label(&self) -> bool {
        self.written.severity_text_as_label
    }

    /// Whether records of one resource may belong to different streams.
    pub fn records_name_streams(&self) -> bool {
        let is_label = |rule: &Rule| rule.written.action == Action::IndexLabel;
        self.severity_is_label() || self.written.log_attributes.iter().any(is_label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> Result<OtlpConfig, String> {
        serde_norway::from_str(yaml).map_err(|error| error.to_string())
    }

    #[test]
    fn the_first_rule_that_names_an_attribute_decides() {
        let config = read(
            "resource_attributes:\n  attributes_config:\n\
             \x20   - {action: index_label, attributes: [a.b]}\n\
             \x20   - {action: drop, regex: 'a\\..*|service.name'}\n\
             scope_attributes: [{action: drop, regex: s}]\n\
             log_attributes: [{attributes: [x]}, {action: drop, attributes: [x, y]}]\n",
        )
        .expect("a good configuration");
        let defaults = INDEX_LABELS.map(String::from);
        let check = |attribute: &str, expected: Action| {
            assert_eq!(config.of_resource(attribute, &defaults), expected, "{attribute}");
        };
        check("a.b", Action::IndexLabel);
        check("a.c", Action::Drop);
        check("xa.c", Action::StructuredMetadata);
        check("service.name", Action::IndexLabel);
        assert_eq!(config.of_scope("s"), Action::Drop);
        assert_eq!(config.of_scope("ss"), Action::StructuredMetadata);
        assert_eq!(config.of_record("x"), Action::StructuredMetadata);
        assert_eq!(config.of_record("y"), Action::Drop);
        assert!(!config.records_name_streams());
        let text = serde_norway::to_string(&config).expect("plain values");
        assert_eq!(read(&text), Ok(config), "{text}");
    }

    #[test]
    fn defaults_can_be_ignored() {
        let config = read("resource_attributes: {ignore_defaults: true}").expect("good");
        let defaults = INDEX_LABELS.map(String::from);
        assert_eq!(config.of_resource("service.name", &defaults), Action::StructuredMetadata);
        let named = |yaml: &str| read(yaml).expect("good").records_name_streams();
        assert!(named("severity_text_as_label: true"));
        assert!(named("log_attributes: [{action: index_label, attributes: [x]}]"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let check = |yaml: &str, expected: &str| {
            let error = read(yaml).expect_err("a bad configuration");
            assert!(error.contains(expected), "{error}");
        };
        check("log_attributes: [{action: drop}]", "attributes or regex must be set");
        check("log_attributes: [{attributes: [a], regex: b}]", "only one of attributes or regex");
        check("log_attributes: [{regex: '('}]", "error parsing regexp");
        check("log_attributes: [{action: keep, regex: a}]", "unknown variant `keep`");
        check("scope_attributes: [{action: index_label, regex: a}]", "not for scope_attributes");
        check("resource_attribute: {}", "unknown field");
    }
}
