//! Each read against what was known when it began and possible when it ended.

use std::ops::Range;

use super::facts::{Facts, NEVER};
use super::{Findings, Flaw};
use crate::entry::Selection;
use crate::history::{Answer, Event, Language, Micros, Rows, seconds};

pub(super) fn check(events: &[Event], facts: &Facts, findings: &mut Findings) {
    for event in events {
        let Event::Read { node, language, what, time, answer, .. } = event else { continue };
        let read = Read { node: *node, language: *language, what, time };
        match answer {
            Answer::Rows(rows) => check_rows(&read, rows, facts, findings),
            Answer::Count(n) => check_count(&read, *n, facts, findings),
            Answer::Failed(_) => {}
        }
    }
}

struct Read<'a> {
    node: u64,
    language: Language,
    what: &'a Selection,
    time: &'a Range<Micros>,
}

impl Read<'_> {
    fn describe(&self) -> String {
        format!(
            "{:?} of pairs {:?} part {:?} on node {} at {:.3}..{:.3} s",
            self.language,
            self.what.pairs,
            self.what.part,
            self.node,
            seconds(self.time.start),
            seconds(self.time.end),
        )
    }
}

fn check_rows(read: &Read<'_>, rows: &Rows, facts: &Facts, findings: &mut Findings) {
    for (entry, fact) in facts.covered(read.what) {
        if rows.entries.contains(entry) {
            continue;
        }
        if fact.acknowledged < read.time.start {
            findings.add(Flaw::Stale, 1, Some(entry), || {
                let at = seconds(fact.acknowledged);
                format!("{entry:?} acknowledged at {at:.3} s is not in {}", read.describe())
            });
        } else if fact.seen < read.time.start {
            findings.add(Flaw::Vanished, 1, Some(entry), || {
                format!(
                    "{entry:?} seen at {:.3} s is not in {}",
                    seconds(fact.seen),
                    read.describe()
                )
            });
        }
    }
    for entry in rows.entries.iter() {
        let fact = facts.of(entry);
        if fact.possible >= read.time.end {
            let refused = fact.refused && fact.possible == NEVER;
            let flaw = if refused { Flaw::Aborted } else { Flaw::Unpushed };
            findings.add(flaw, 1, Some(entry), || format!("{entry:?} is in {}", read.describe()));
        } else if !read.what.covers(entry) {
            findings.add(Flaw::Foreign, 1, Some(entry), || {
                format!("{entry:?} was not asked for in {}", read.describe())
            });
        }
    }
    findings.add(Flaw::Duplicated, rows.twice.len(), rows.twice.iter().next(), || {
        format!("{:?} in {}", rows.twice.iter().next(), read.describe())
    });
    findings.add(Flaw::Foreign, rows.foreign.len() as u64, None, || {
        format!("{:?} in {}", rows.foreign.first(), read.describe())
    });
    findings.add(Flaw::Disordered, rows.disordered, None, || read.describe());
}

/// A count cannot say which entry is missing, only that too many or too few are there.
fn check_count(read: &Read<'_>, n: u64, facts: &Facts, findings: &mut Findings) {
    let (mut least, mut most) = (0_u64, 0_u64);
    for (_, fact) in facts.covered(read.what) {
        least += u64::from(fact.known() < read.time.start);
        most += u64::from(fact.possible < read.time.end);
    }
    findings.add(Flaw::Stale, least.saturating_sub(n), None, || {
        format!("{n} counted, at least {least} were known, in {}", read.describe())
    });
    findings.add(Flaw::Duplicated, n.saturating_sub(most), None, || {
        format!("{n} counted, at most {most} were pushed, in {}", read.describe())
    });
}
