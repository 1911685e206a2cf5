//! What a run and a series of runs are told as: one line each, then a table.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::check::{Available, FaultFigures, Findings};
use crate::history::{Answer, Event, Micros, Outcome, seconds};

/// One run, judged.
pub(crate) struct Judged {
    pub(crate) seed: u64,
    pub(crate) findings: Findings,
    pub(crate) available: Available,
    /// Why it proves nothing, if it does not.
    pub(crate) no_verdict: Option<String>,
}

/// Accepted pushes without which a run proves nothing.
const ACKNOWLEDGED_MIN: u64 = 50;
const COMPLAINTS_MAX: usize = 25;
const COMPLAINT_CHARS_MAX: usize = 160;

impl Judged {
    pub(crate) fn new(
        seed: u64,
        n_planned: usize,
        findings: Findings,
        available: Available,
    ) -> Judged {
        let counts = &findings.counts;
        let brought = available.faults.iter().filter(|fault| fault.skipped.is_none()).count();
        let no_verdict = if counts.acknowledged < ACKNOWLEDGED_MIN {
            Some(format!("only {} pushes were acknowledged", counts.acknowledged))
        } else if counts.reads_last == 0 {
            Some("no read at the end was answered".into())
        } else if brought == 0 && n_planned > 0 {
            Some("not one of its faults could be made".into())
        } else {
            None
        };
        Judged { seed, findings, available, no_verdict }
    }

    /// Flaws come first: what was found broken is broken, however little was tried.
    pub(crate) fn verdict(&self) -> Verdict {
        match (&self.no_verdict, self.findings.is_good()) {
            (_, false) => Verdict::Broken,
            (Some(_), true) => Verdict::Unknown,
            (None, true) => Verdict::Good,
        }
    }

    pub(crate) fn line(&self) -> String {
        let (counts, figures) = (&self.findings.counts, &self.available);
        let mut line = format!("seed {}: ", self.seed);
        match self.verdict() {
            Verdict::Good => line.push_str("good"),
            Verdict::Broken => {
                let flaws = self.findings.flaws.iter().map(|(flaw, n)| format!("{flaw} {n}"));
                line.push_str(&format!("BROKEN ({})", flaws.collect::<Vec<_>>().join(", ")));
            }
            Verdict::Unknown => {
                let reason = self.no_verdict.as_deref().unwrap_or_default();
                line.push_str(&format!("no verdict: {reason}"));
            }
        }
        let faults: Vec<&str> = figures
            .faults
            .iter()
            .filter(|fault| fault.skipped.is_none())
            .map(|fault| fault.name.as_str())
            .collect();
        let _ = write!(
            line,
            "; entries {}, pushes {} (unknown {}), reads {} (failed {}); gap {:.1} s, with a \
             majority {:.1} s; slowest start {:.1} s; {}",
            counts.entries_acknowledged,
            counts.pushes,
            counts.unknown,
            counts.reads,
            counts.reads_failed,
            seconds(figures.gap),
            seconds(figures.gap_with_majority),
            seconds(figures.starts.iter().copied().max().unwrap_or(0)),
            if faults.is_empty() { "no faults".into() } else { faults.join(" ") },
        );
        line
    }
}

/// Why pushes and reads were not answered well, and how often.
pub(crate) fn complaints(events: &[Event]) -> String {
    let mut complaints: BTreeMap<String, u64> = BTreeMap::new();
    for event in events {
        let complaint = match event {
            Event::Push { outcome: Outcome::Unknown(reason), .. } => format!("push: {reason}"),
            Event::Read { language, answer: Answer::Failed(reason), .. } => {
                format!("{language:?}: {reason}")
            }
            _ => continue,
        };
        *complaints.entry(complaint.chars().take(COMPLAINT_CHARS_MAX).collect()).or_default() += 1;
    }
    let mut sorted: Vec<(u64, String)> = complaints.into_iter().map(|(c, n)| (n, c)).collect();
    sorted.sort_by(|one, two| two.cmp(one));
    let lines = sorted.into_iter().take(COMPLAINTS_MAX).map(|(n, c)| format!("{n:6} x {c}\n"));
    lines.collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good,
    Broken,
    Unknown,
}

/// The table at the end of a series.
pub(crate) fn table(runs: &[Judged]) -> String {
    let sum = |of: fn(&Judged) -> u64| runs.iter().map(of).sum::<u64>();
    let most = |of: fn(&Judged) -> Micros| seconds(runs.iter().map(of).max().unwrap_or(0));
    let n = |verdict| runs.iter().filter(|run| run.verdict() == verdict).count();
    let mut flaws: BTreeMap<String, u64> = BTreeMap::new();
    for (flaw, times) in runs.iter().flat_map(|run| &run.findings.flaws) {
        *flaws.entry(flaw.to_string()).or_default() += times;
    }
    let mut text = format!(
        "\nruns {}: good {}, broken {}, no verdict {}\n\
         pushes {}: acknowledged {}, refused {}, unknown {}; entries acknowledged {}\n\
         reads {}: failed {}, at the end {}\n\
         longest time without an accepted push: {:.2} s; while a majority could talk {:.2} s, in \
         the worst stream {:.2} s; slowest start {:.2} s\n",
        runs.len(),
        n(Verdict::Good),
        n(Verdict::Broken),
        n(Verdict::Unknown),
        sum(|run| run.findings.counts.pushes),
        sum(|run| run.findings.counts.acknowledged),
        sum(|run| run.findings.counts.refused),
        sum(|run| run.findings.counts.unknown),
        sum(|run| run.findings.counts.entries_acknowledged),
        sum(|run| run.findings.counts.reads),
        sum(|run| run.findings.counts.reads_failed),
        sum(|run| run.findings.counts.reads_last),
        most(|run| run.available.gap),
        most(|run| run.available.gap_with_majority),
        most(|run| run.available.gap_of_part),
        most(|run| run.available.starts.iter().copied().max().unwrap_or(0)),
    );
    for name in ["lost", "duplicated", "stale", "vanished", "aborted read"] {
        flaws.entry(name.into()).or_default();
    }
    let flaws: Vec<String> = flaws.iter().map(|(flaw, times)| format!("{flaw} {times}")).collect();
    let _ = writeln!(text, "flaws: {}\n", flaws.join(", "));
    text.push_str(&faults(runs));
    text
}

fn faults(runs: &[Judged]) -> String {
    let mut by_name: BTreeMap<&str, Vec<&FaultFigures>> = BTreeMap::new();
    for fault in runs.iter().flat_map(|run| &run.available.faults) {
        by_name.entry(&fault.name).or_default().push(fault);
    }
    let mut text = format!(
        "{:16} {:>7} {:>8} {:>10} {:>15} {:>10}\n",
        "fault", "brought", "skipped", "worst gap", "with a majority", "recovery"
    );
    let mut reasons: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, of_name) in by_name {
        let brought: Vec<_> = of_name.iter().filter(|fault| fault.skipped.is_none()).collect();
        let skipped = of_name.iter().filter_map(|fault| fault.skipped.as_deref());
        reasons.extend(skipped.map(|reason| (name, reason)));
        let most = |of: fn(&FaultFigures) -> Option<Micros>| {
            let all = brought.iter().filter_map(|fault| of(fault));
            all.max().map_or("-".into(), |most| format!("{:.2} s", seconds(most)))
        };
        let _ = writeln!(
            text,
            "{name:16} {:>7} {:>8} {:>10} {:>15} {:>10}",
            brought.len(),
            of_name.len() - brought.len(),
            most(|fault| Some(fault.gap)),
            most(|fault| Some(fault.gap_with_majority)),
            most(|fault| fault.recovery),
        );
    }
    for (name, reason) in reasons {
        let _ = writeln!(text, "skipped {name}: {reason}");
    }
    text
}
