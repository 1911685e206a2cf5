//! `| drop a, b="x"` and `| keep a, b="x"`: fewer labels, the same entries.
//!
//! Invariant: `drop __error__` forgets the error and what it says; `keep` never touches it.

use crate::logql::ast::NamedMatcher;
use crate::logql::names::{Name, Names};
use crate::logql::row::{ERROR, ERROR_DETAILS, Row};
use crate::model::Matcher;

/// Labels by name, or by name and value.
#[derive(Clone, Debug)]
pub(crate) struct Labels(Vec<(Name, Option<Matcher>)>);

impl Labels {
    /// Takes the names over.
    pub(crate) fn compile(names: &mut Names, labels: &[NamedMatcher]) -> Labels {
        let labels = labels.iter().map(|label| match label {
            NamedMatcher::Name(name) => (names.intern(name), None),
            NamedMatcher::Matcher(matcher) => (names.intern(&matcher.name), Some(matcher.clone())),
        });
        Labels(labels.collect())
    }

    /// Removes these labels.
    pub(crate) fn drop(&self, row: &mut Row<'_>) {
        for (name, matcher) in &self.0 {
            let value = row.get(*name);
            let matches = matcher.as_ref().is_none_or(|m| m.accepts(value.unwrap_or("")));
            if !matches || value.is_none() {
                continue;
            }
            match *name {
                ERROR => row.clear_error(),
                ERROR_DETAILS => row.clear_details(),
                name => row.remove(name),
            }
        }
    }

    /// Removes all labels but these.
    pub(crate) fn keep(&self, row: &mut Row<'_>) {
        let kept = |name: Name, value: &str| {
            name <= crate::logql::row::PRESERVE_ERROR
                || self.0.iter().any(|(own, matcher)| {
                    *own == name && matcher.as_ref().is_none_or(|m| m.accepts(value))
                })
        };
        let gone = row.visible().filter(|(name, _, value)| !kept(*name, value));
        let gone: Vec<Name> = gone.map(|(name, ..)| name).collect();
        for name in gone {
            row.remove(name);
        }
    }
}
