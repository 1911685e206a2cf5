//! What a history proves: pure, from events to findings.
//!
//! ```text
//! facts      per entry: acknowledged when, possible since when, seen when
//! reads      each read against the facts: stale, vanished, aborted, never pushed, twice, foreign
//! agree      the reads at the end: lost, and LogQL against SQL against counts, on every node
//! available  how long no push was accepted
//! story      everything that touched one entry
//! ```
//!
//! An outcome that nobody knows never counts for or against: its entries may be there, or not, or
//! come later, and must stay once they were seen.

mod agree;
mod available;
mod facts;
mod reads;
mod story;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use crate::entry::Entry;
use crate::history::{Event, Micros, Outcome, seconds};
use facts::Facts;

pub(crate) use available::{Available, FaultFigures, available};
pub(crate) use story::story;

/// A broken promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Flaw {
    /// Acknowledged, and in no read at the end.
    Lost,
    /// More than once in an answer, or counted so.
    Duplicated,
    /// Acknowledged before the read began, and not in it.
    Stale,
    /// Seen by a read that ended before this one began, and not in it.
    Vanished,
    /// Refused, and read.
    Aborted,
    /// Read, and nobody had pushed it yet.
    Unpushed,
    /// Bytes that no client sent like this.
    Foreign,
    /// Entries of one stream in the wrong order.
    Disordered,
    /// Two answers to the same question at the end that differ.
    Disagreed,
    /// No push was accepted for too long.
    Unavailable,
    /// A crash, or a cluster that does not come back.
    Failed,
}

/// What a history proves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    pub(crate) flaws: BTreeMap<Flaw, u64>,
    /// One line each for the first of every kind.
    pub(crate) examples: Vec<String>,
    /// Entries whose story is worth telling.
    pub(crate) suspects: Vec<Entry>,
    pub(crate) counts: Counts,
}

/// How much was tried.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) pushes: u64,
    pub(crate) acknowledged: u64,
    pub(crate) refused: u64,
    pub(crate) unknown: u64,
    pub(crate) entries_acknowledged: u64,
    pub(crate) reads: u64,
    pub(crate) reads_failed: u64,
    /// Nodes and languages of the reads at the end that were answered.
    pub(crate) reads_last: u64,
}

/// Examples that are kept of each kind.
const EXAMPLES_MAX: u64 = 4;

impl Findings {
    fn add(&mut self, flaw: Flaw, n: u64, entry: Option<Entry>, example: impl FnOnce() -> String) {
        if n == 0 {
            return;
        }
        let before = self.flaws.get(&flaw).copied().unwrap_or(0);
        if before < EXAMPLES_MAX {
            self.examples.push(format!("{flaw}: {}", example()));
            self.suspects.extend(entry);
        }
        self.flaws.insert(flaw, before + n);
    }

    /// A promise about time, if one was asked for.
    pub(crate) fn limit_gap(&mut self, gap: Micros, most_seconds: f64) {
        let too_long = u64::from(seconds(gap) > most_seconds);
        self.add(Flaw::Unavailable, too_long, None, || {
            format!("no push was accepted for {:.2} s with a majority", seconds(gap))
        });
    }

    pub(crate) fn is_good(&self) -> bool {
        self.flaws.is_empty()
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Flaw::Lost => "lost",
            Flaw::Duplicated => "duplicated",
            Flaw::Stale => "stale",
            Flaw::Vanished => "vanished",
            Flaw::Aborted => "aborted read",
            Flaw::Unpushed => "read before it was pushed",
            Flaw::Foreign => "foreign",
            Flaw::Disordered => "disordered",
            Flaw::Disagreed => "disagreed",
            Flaw::Unavailable => "unavailable",
            Flaw::Failed => "failed",
        })
    }
}

/// Checks everything that reads can show.
pub(crate) fn check(events: &[Event]) -> Findings {
    let facts = Facts::gather(events);
    let mut findings = Findings { counts: count(events, &facts), ..Findings::default() };
    reads::check(events, &facts, &mut findings);
    agree::check(events, &facts, &mut findings);
    for event in events {
        if let Event::Failure { what, .. } = event {
            findings.add(Flaw::Failed, 1, None, || what.clone());
        }
    }
    findings
}

fn count(events: &[Event], facts: &Facts) -> Counts {
    let mut counts = Counts { entries_acknowledged: facts.acknowledged(), ..Counts::default() };
    for event in events {
        match event {
            Event::Push { outcome, .. } => {
                counts.pushes += 1;
                match outcome {
                    Outcome::Acknowledged => counts.acknowledged += 1,
                    Outcome::Refused(_) => counts.refused += 1,
                    Outcome::NotSent => {}
                    Outcome::Unknown(_) => counts.unknown += 1,
                }
            }
            Event::Read { answer, round, .. } => {
                let failed = matches!(answer, crate::history::Answer::Failed(_));
                counts.reads += 1;
                counts.reads_failed += u64::from(failed);
                counts.reads_last += u64::from(round.is_some() && !failed);
            }
            _ => {}
        }
    }
    counts
}
