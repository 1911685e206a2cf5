//! Everything that touched one entry, in the order of time: what a finding is debugged with.

use crate::entry::Entry;
use crate::history::{Answer, Event, seconds};

/// Lines of a story.
const LINES_MAX: usize = 80;

pub(crate) fn story(events: &[Event], entry: Entry) -> String {
    let mut lines = vec![(0, format!("{entry:?} in part {}", entry.part()))];
    for event in events {
        match event {
            Event::Push { node, client, seqs, time, outcome }
                if *client == entry.client && seqs.contains(&entry.seq) =>
            {
                let end = seconds(time.end);
                lines.push((
                    time.start,
                    format!("pushed {seqs:?} to {node} until {end:.3}: {outcome:?}"),
                ));
            }
            Event::Read { node, language, what, time, answer: Answer::Rows(rows), round }
                if what.covers(entry) =>
            {
                let holds = if rows.entries.contains(entry) { "holds it" } else { "holds it NOT" };
                let end = seconds(time.end);
                let round = round.map(|round| format!(", round {round}")).unwrap_or_default();
                let read = format!("{language:?} on {node} until {end:.3}{round}: {holds}");
                lines.push((time.start, read));
            }
            Event::Fault { number, name, detail, at, installed: Ok(()) } => {
                lines.push((*at, format!("fault {number}: {name} {detail}")));
            }
            Event::Healed { number, name, at } => {
                lines.push((*at, format!("healed {number}: {name}")));
            }
            _ => {}
        }
    }
    lines.sort();
    let dropped = lines.len().saturating_sub(LINES_MAX);
    let mut text = String::new();
    for (at, line) in lines.into_iter().take(LINES_MAX) {
        text.push_str(&format!("{:9.3} s  {line}\n", seconds(at)));
    }
    if dropped > 0 {
        text.push_str(&format!("             and {dropped} more\n"));
    }
    text
}
