//! The reads at the end, when nothing else happens: nothing lost, and all answers alike.

use std::collections::HashMap;

use super::facts::{Facts, NEVER};
use super::{Findings, Flaw};
use crate::entry::{Entries, Selection};
use crate::history::{Answer, Event};

pub(super) fn check(events: &[Event], facts: &Facts, findings: &mut Findings) {
    lost(events, facts, findings);
    differing(events, findings);
}

/// Acknowledged, covered by reads at the end, and in none of them.
fn lost(events: &[Event], facts: &Facts, findings: &mut Findings) {
    let mut pages: HashMap<&Selection, Vec<&Entries>> = HashMap::new();
    for event in events {
        if let Event::Read { what, answer: Answer::Rows(rows), round: Some(_), .. } = event {
            pages.entry(what).or_default().push(&rows.entries);
        }
    }
    for (what, reads) in pages {
        for (entry, fact) in facts.covered(what) {
            let lost = fact.acknowledged != NEVER && !reads.iter().any(|read| read.contains(entry));
            findings.add(Flaw::Lost, u64::from(lost), Some(entry), || format!("{entry:?}"));
        }
    }
}

/// What two answers to one question, in one round at the end, must have in common.
enum Said<'a> {
    Rows(&'a Entries),
    Count(u64),
}

impl Said<'_> {
    fn agrees(&self, other: &Said<'_>) -> bool {
        match (self, other) {
            (Said::Rows(one), Said::Rows(two)) => one == two,
            (Said::Rows(rows), Said::Count(n)) | (Said::Count(n), Said::Rows(rows)) => {
                rows.len() == *n
            }
            (Said::Count(one), Said::Count(two)) => one == two,
        }
    }

    fn n(&self) -> u64 {
        match self {
            Said::Rows(rows) => rows.len(),
            Said::Count(n) => *n,
        }
    }
}

fn differing(events: &[Event], findings: &mut Findings) {
    let mut firsts: HashMap<(u32, &Selection), (String, Said<'_>)> = HashMap::new();
    for event in events {
        let Event::Read { node, language, what, answer, round: Some(round), .. } = event else {
            continue;
        };
        let said = match answer {
            Answer::Rows(rows) => Said::Rows(&rows.entries),
            Answer::Count(n) => Said::Count(*n),
            Answer::Failed(_) => continue,
        };
        let who = format!("{language:?} on node {node}");
        match firsts.get(&(*round, what)) {
            None => {
                firsts.insert((*round, what), (who, said));
            }
            Some((first, of_first)) if !of_first.agrees(&said) => {
                findings.add(Flaw::Disagreed, 1, None, || {
                    let (n, m) = (of_first.n(), said.n());
                    format!("{first} gave {n}, {who} gave {m}, of {what:?} in round {round}")
                });
            }
            Some(_) => {}
        }
    }
}
