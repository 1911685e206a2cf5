//! What `drave ingest` says at the end: what was read, stored, dated, not dated, refused.
//!
//! In: one [`SourceReport`] per source. Out: text. Every line read is in exactly one of stored,
//! refused and unsent, and in exactly one of dated and undated.

use std::fmt::Write as _;
use std::time::Duration;

use indicatif::HumanCount;

use super::feed::Tally;
use super::send::{Outcome, Refusal};
use crate::cli::table::{Table, visible};
use crate::model::Timestamp;

const REFUSALS_SHOWN: usize = 10;

/// What became of one source.
#[derive(Debug, Default)]
pub(super) struct SourceReport {
    /// As the user named it.
    pub(super) name: String,
    /// The stream its lines went to.
    pub(super) labels: String,
    /// What was read.
    pub(super) tally: Tally,
    /// Lines that the server has.
    pub(super) stored: u64,
    /// Lines that the server refused.
    pub(super) refused: u64,
    /// The first refusals.
    pub(super) refusals: Vec<Refusal>,
}

impl SourceReport {
    /// Takes in what became of a push, and what was read until then. Answers may overtake.
    pub(super) fn add(&mut self, tally: Tally, outcome: Outcome) {
        if tally.lines >= self.tally.lines {
            self.tally = tally;
        }
        self.stored += outcome.stored;
        for refusal in outcome.refused {
            self.refused += refusal.lines.end - refusal.lines.start;
            if self.refusals.len() < REFUSALS_SHOWN {
                self.refusals.push(refusal);
            }
        }
    }

    fn undated(&self) -> u64 {
        self.tally.lines - self.tally.dated_lines()
    }
}

/// Whether everything that was read is stored.
pub(super) fn is_complete(sources: &[SourceReport]) -> bool {
    sources.iter().all(|source| source.tally.error.is_none() && source.stored == source.tally.lines)
}

/// The report.
pub(super) fn render(sources: &[SourceReport], elapsed: Duration) -> String {
    let mut out = String::new();
    if sources.len() > 1 {
        out.push_str(&per_source(sources));
        out.push('\n');
    }
    let mut all = Tally::default();
    let (mut stored, mut refused) = (0, 0);
    for source in sources {
        all.add(&source.tally);
        stored += source.stored;
        refused += source.refused;
    }
    let undated_lines = all.lines - all.dated_lines();
    let unsent = all.lines - stored - refused - all.too_long;
    let files = if sources.len() == 1 { "file" } else { "files" };
    let of = format!("{} lines of {} {files}", HumanCount(all.lines), sources.len());
    let mut say = |what: &str, text: String| {
        let _ = writeln!(out, "{what:<8} {text}");
    };
    let count = |n: u64, details: &[String]| format!("{}{}", HumanCount(n), in_brackets(details));
    say("stored", format!("{} of {of} in {:.1} s", HumanCount(stored), elapsed.as_secs_f64()));
    say("dated", count(all.dated_lines(), &formats(&all)));
    say("undated", count(undated_lines, &undated(&all)));
    say("refused", count(refused + all.too_long, &[]));
    if unsent > 0 {
        say("unsent", count(unsent, &["or sent without an answer".to_owned()]));
    }
    for note in notes(&all, sources) {
        say("note", note);
    }
    out.push_str(&problems(sources));
    out
}

/// What the numbers do not say.
fn notes(all: &Tally, sources: &[SourceReport]) -> Vec<String> {
    let unterminated = sources.iter().filter(|source| source.tally.unterminated).count();
    let notes = [
        (
            all.implausible,
            "lines have a date before 1980 or in the future, which was not believed; \
             if their clock is of another zone, name it: --timezone +02:00",
        ),
        (all.mended, "lines are not UTF-8; U+FFFD is stored where the bad bytes were"),
        (all.too_long, "lines are longer than 8 MiB and were not sent"),
        (
            unterminated as u64,
            "files have a last line without a line end; it is stored, but `wc -l` does not count it",
        ),
    ];
    notes
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{} {what}", HumanCount(*n)))
        .collect()
}

fn per_source(sources: &[SourceReport]) -> String {
    let header = ["file", "lines", "stored", "refused", "dated", "undated", "dates"];
    let mut table = Table::new(header.map(str::to_owned).to_vec());
    for source in sources {
        let numbers = [
            source.tally.lines,
            source.stored,
            source.refused + source.tally.too_long,
            source.tally.dated_lines(),
            source.undated(),
        ];
        let mut row = vec![Some(source.name.clone())];
        row.extend(numbers.map(|n| Some(n.to_string())));
        row.push(Some(formats(&source.tally).join(", ")));
        table.push(row);
    }
    table.render()
}

fn formats(tally: &Tally) -> Vec<String> {
    let mut by_count = tally.dated.clone();
    by_count.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    match by_count.as_slice() {
        [] => Vec::new(),
        [(format, _)] => vec![format.name().to_owned()],
        several => several
            .iter()
            .map(|(format, n)| format!("{} {}", format.name(), HumanCount(*n)))
            .collect(),
    }
}

fn undated(tally: &Tally) -> Vec<String> {
    let kinds = [
        (tally.continued, "took the time of the line before"),
        (tally.led, "took the time of the first dated line"),
        (tally.timeless, "took the time the file was written"),
    ];
    kinds
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{} {what}", HumanCount(*n)))
        .collect()
}

fn in_brackets(parts: &[String]) -> String {
    if parts.is_empty() { String::new() } else { format!("  ({})", parts.join("; ")) }
}

fn problems(sources: &[SourceReport]) -> String {
    let mut out = String::new();
    for source in sources {
        for refusal in &source.refusals {
            let last = refusal.lines.end - 1;
            let lines = match refusal.lines.start {
                first if first == last => format!("{first}"),
                first => format!("{first} to {last} (some of them, at least)"),
            };
            let _ =
                writeln!(out, "refused  {} line {lines}: {}", source.name, visible(&refusal.text));
        }
        if let Some(error) = &source.tally.error {
            let _ = writeln!(out, "error    {}: {}", source.name, visible(error));
        }
    }
    out
}

/// A command that shows what was just stored: old logs are not in a query's default hour.
pub(super) fn try_line(sources: &[SourceReport]) -> Option<String> {
    const MONTH: Duration = Duration::from_secs(30 * 86_400);
    let source = sources.iter().find(|source| source.stored > 0)?;
    let (earliest, latest) = source.tally.times?;
    let end = Timestamp((latest.0 / 1_000_000_000 + 1).saturating_mul(1_000_000_000));
    let start = Timestamp(earliest.max(end.before(MONTH)).0 / 1_000_000_000 * 1_000_000_000);
    Some(format!("try      drave query '{}' --from {start} --to {end}", source.labels))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ingest::dates::Format;

    fn source() -> SourceReport {
        SourceReport {
            name: "a.log".to_owned(),
            labels: "{filename=\"a.log\"}".to_owned(),
            tally: Tally {
                lines: 1200,
                dated: vec![(Format::Syslog, 90), (Format::Iso, 1100)],
                continued: 9,
                led: 1,
                unterminated: true,
                times: Some((Timestamp::from_secs(1000), Timestamp(1_000_000_000_007))),
                ..Tally::default()
            },
            stored: 1199,
            refused: 1,
            refusals: vec![Refusal { lines: 7..8, text: "line\x1b too long".to_owned() }],
        }
    }

    #[test]
    fn one_file() {
        let expected = "\
stored   1,199 of 1,200 lines of 1 file in 0.3 s
dated    1,190  (ISO 8601 1,100; Mon dd hh:mm:ss, year inferred 90)
undated  10  (9 took the time of the line before; 1 took the time of the first dated line)
refused  1
note     1 files have a last line without a line end; it is stored, but `wc -l` does not count it
refused  a.log line 7: line\\u{1b} too long
";
        assert_eq!(render(&[source()], Duration::from_millis(312)), expected);
        assert!(!is_complete(&[source()]));
    }

    #[test]
    fn the_line_to_try_covers_what_was_stored() {
        assert_eq!(
            try_line(&[source()]).unwrap(),
            "try      drave query '{filename=\"a.log\"}' --from 1970-01-01T00:16:40Z --to 1970-01-01T00:16:41Z"
        );
    }
}
