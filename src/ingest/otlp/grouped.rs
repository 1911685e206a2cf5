//! Records that name streams: those of one scope, put together by the labels that they add to
//! those of their resource.
//!
//! Together, because a stream that is begun again for every record would be a segment of the batch
//! for every record.

use std::collections::HashMap;

use super::super::Refused;
use super::super::detect::normal_name;
use super::super::intake::{Intake, LABELS_MAX, LabelPairs};
use super::{Record, Resource, Shared, attributes, begin, each_record, record, value};
use crate::model::otlp::{Action, OtlpConfig};

/// Records that are put together at a time: each waits in a few bytes.
const RECORDS_MAX: usize = 1 << 16;
/// The label that says the text of a record's severity.
const SEVERITY_TEXT: &str = "severity_text";

/// Records by the labels of their own, in the order in which these came first.
#[derive(Default)]
struct Groups<'m> {
    groups: Vec<(LabelPairs, Vec<&'m [u8]>)>,
    numbers: HashMap<LabelPairs, usize>,
    n_records: usize,
}

/// Takes in the records of a scope.
pub(super) fn scope_logs(
    message: &[u8],
    resource: &Resource<'_>,
    intake: &mut Intake<'_>,
) -> Result<(), Refused> {
    let shared = Shared::of_scope(message, intake)?;
    let mut groups = Groups::default();
    each_record(message, &mut |message| {
        groups.add(labels_of(message, resource.config)?, message);
        if groups.n_records == RECORDS_MAX {
            std::mem::take(&mut groups).take_in(resource, &shared, intake)?;
        }
        Ok(())
    })?;
    groups.take_in(resource, &shared, intake)
}

impl<'m> Groups<'m> {
    fn add(&mut self, labels: LabelPairs, message: &'m [u8]) {
        let number = match self.numbers.get(&labels) {
            Some(number) => *number,
            None => {
                self.groups.push((labels.clone(), Vec::new()));
                self.numbers.insert(labels, self.groups.len() - 1);
                self.groups.len() - 1
            }
        };
        self.groups[number].1.push(message);
        self.n_records += 1;
    }

    fn take_in(
        self,
        resource: &Resource<'_>,
        shared: &Shared,
        intake: &mut Intake<'_>,
    ) -> Result<(), Refused> {
        let mut pairs = intake.pairs();
        let mut line = String::new();
        for (own, messages) in self.groups {
            let mut labels = resource.labels.clone();
            labels.extend(own);
            keep_last(&mut labels);
            begin(&labels, intake)?;
            for message in messages {
                pairs.clear();
                let shared = [&resource.shared, shared];
                record(message, resource.config, shared, &mut pairs, &mut line, intake)?;
            }
            intake.end();
        }
        Ok(())
    }
}

/// The labels that a record adds to its stream.
fn labels_of(message: &[u8], config: &OtlpConfig) -> Result<LabelPairs, Refused> {
    let mut labels = LabelPairs::new();
    attributes(message, 6, &mut |key, value| {
        if config.of_record(key) != Action::IndexLabel {
            return Ok(());
        }
        value::flatten(key, value, &mut |name, text| {
            if labels.len() < LABELS_MAX {
                labels.push((normal_name(name).into_owned(), text.into()));
            }
        })
    })?;
    if config.severity_is_label() {
        let text = Record::of(message)?.severity_text;
        if !text.is_empty() {
            labels.push((SEVERITY_TEXT.into(), String::from_utf8_lossy(text).into_owned()));
        }
    }
    Ok(labels)
}

/// Of labels with one name the last one: a record knows better than its resource.
fn keep_last(labels: &mut LabelPairs) {
    labels.reverse();
    labels.sort_by(|a, b| a.0.cmp(&b.0));
    labels.dedup_by(|later, first| later.0 == first.0);
}
