//! How long no push was accepted: over the load, while a majority could talk, and around each fault.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::entry::{Entry, PARTS};
use crate::history::{Event, Micros, Outcome};

/// How long after it was healed a fault is held responsible for a gap.
const AFTERMATH: Micros = 5_000_000;

/// The figures of one run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Available {
    /// Longest time without an accepted push, while clients pushed.
    pub(crate) gap: Micros,
    /// The same, only of the times when a majority could talk.
    pub(crate) gap_with_majority: Micros,
    /// The same for the stream that fared worst.
    pub(crate) gap_of_part: Micros,
    pub(crate) faults: Vec<FaultFigures>,
    /// From the start of a process to its "ready".
    pub(crate) starts: Vec<Micros>,
}

/// What one fault did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FaultFigures {
    pub(crate) name: String,
    pub(crate) skipped: Option<String>,
    /// Longest time without an accepted push from its start to a while after its end.
    pub(crate) gap: Micros,
    /// The same, only of the times when a majority could talk.
    pub(crate) gap_with_majority: Micros,
    /// From its end to the next accepted push.
    pub(crate) recovery: Option<Micros>,
}

pub(crate) fn available(events: &[Event]) -> Available {
    let timeline = Timeline::read(events);
    let load = timeline.load.clone();
    let majority = clip(&timeline.majority, &load);
    let parts = timeline.accepted_by_part.values();
    let worst = parts.map(|accepted| longest(accepted, &majority)).max().unwrap_or(0);
    let mut figures = Available {
        gap: longest(&timeline.accepted, std::slice::from_ref(&load)),
        gap_with_majority: longest(&timeline.accepted, &majority),
        gap_of_part: worst,
        starts: timeline.starts,
        ..Available::default()
    };
    for fault in timeline.faults.into_values() {
        let window = fault.at..(fault.healed.unwrap_or(load.end) + AFTERMATH).min(load.end);
        let next = fault.healed.and_then(|healed| {
            timeline.accepted.get(timeline.accepted.partition_point(|at| *at < healed))
        });
        figures.faults.push(FaultFigures {
            name: fault.name,
            skipped: fault.skipped,
            gap: longest(&timeline.accepted, std::slice::from_ref(&window)),
            gap_with_majority: longest(&timeline.accepted, &clip(&majority, &window)),
            recovery: next.zip(fault.healed).map(|(next, healed)| next - healed),
        });
    }
    figures
}

struct Timeline {
    load: Range<Micros>,
    /// When acknowledgements came, ascending.
    accepted: Vec<Micros>,
    accepted_by_part: BTreeMap<u32, Vec<Micros>>,
    /// When a majority could talk.
    majority: Vec<Range<Micros>>,
    faults: BTreeMap<u32, Fault>,
    starts: Vec<Micros>,
}

struct Fault {
    name: String,
    at: Micros,
    healed: Option<Micros>,
    skipped: Option<String>,
}

impl Timeline {
    fn read(events: &[Event]) -> Timeline {
        let mut timeline = Timeline {
            load: 0..0,
            accepted: Vec::new(),
            accepted_by_part: (0..PARTS).map(|part| (part, Vec::new())).collect(),
            majority: Vec::new(),
            faults: BTreeMap::new(),
            starts: Vec::new(),
        };
        // A majority can talk until somebody says otherwise.
        let mut since = Some(0);
        for event in events {
            match event {
                Event::Push { client, seqs, time, outcome: Outcome::Acknowledged, .. } => {
                    timeline.accept(*client, seqs.clone(), time.end);
                }
                Event::Majority { at, is } => match (since, *is) {
                    (None, true) => since = Some(*at),
                    (Some(start), false) => {
                        timeline.majority.push(start..*at);
                        since = None;
                    }
                    _ => {}
                },
                Event::Fault { number, name, at, installed, .. } => {
                    let skipped = installed.clone().err();
                    let fault = Fault { name: name.clone(), at: *at, healed: None, skipped };
                    timeline.faults.insert(*number, fault);
                }
                Event::Healed { number, at, .. } => {
                    if let Some(fault) = timeline.faults.get_mut(number) {
                        fault.healed = Some(*at);
                    }
                }
                Event::Ready { after, .. } => timeline.starts.push(*after),
                Event::LoadBegan { at } => timeline.load.start = *at,
                Event::LoadEnded { at } => timeline.load.end = *at,
                Event::Push { .. } | Event::Read { .. } | Event::Failure { .. } => {}
            }
        }
        timeline.majority.extend(since.map(|start| start..Micros::MAX));
        // Events are recorded when they end, but by many tasks at once.
        timeline.accepted.sort_unstable();
        timeline.accepted_by_part.values_mut().for_each(|accepted| accepted.sort_unstable());
        timeline
    }

    fn accept(&mut self, client: u16, seqs: Range<u32>, at: Micros) {
        self.accepted.push(at);
        let mut parts: Vec<u32> = seqs.map(|seq| Entry { client, seq }.part()).collect();
        parts.dedup();
        for part in parts {
            self.accepted_by_part.entry(part).or_default().push(at);
        }
    }
}

/// What of the ranges lies in a window.
fn clip(ranges: &[Range<Micros>], window: &Range<Micros>) -> Vec<Range<Micros>> {
    let clipped = ranges.iter().map(|r| r.start.max(window.start)..r.end.min(window.end));
    clipped.filter(|range| !range.is_empty()).collect()
}

/// The longest time inside one of the windows in which nothing was accepted.
fn longest(accepted: &[Micros], windows: &[Range<Micros>]) -> Micros {
    let mut longest = 0;
    for window in windows {
        let mut last = window.start;
        let first = accepted.partition_point(|at| *at < window.start);
        for at in accepted[first..].iter().take_while(|at| **at < window.end) {
            longest = longest.max(at - last);
            last = *at;
        }
        longest = longest.max(window.end.saturating_sub(last));
    }
    longest
}
