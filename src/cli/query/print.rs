//! Answers as text: lines of log with what tells them apart, values as a table.
//!
//! Labels that all lines of the first page share are said once, on stderr. On a terminal, time is
//! dim and lines have the colour of their level; elsewhere there are no escape sequences at all,
//! and those that a log line brings along are always shown, never obeyed.

use std::io::{IsTerminal as _, Write};

use super::Output;
use super::answer::{Answer, Entry, LabelMap, Sample};
use crate::cli::table::{Table, visible};

/// Whether to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Escape sequences for a terminal.
    Colored,
    /// Text alone.
    Plain,
}

impl Style {
    /// Colours on a terminal, unless `NO_COLOR` is set.
    pub fn of_stdout() -> Style {
        let colored = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        if colored { Style::Colored } else { Style::Plain }
    }

    /// `text` in a colour of the terminal, given as the number of its escape sequence.
    pub fn paint(self, code: u8, text: &str) -> String {
        match self {
            Style::Colored if code != 0 => format!("\x1b[{code}m{text}\x1b[0m"),
            _ => text.to_owned(),
        }
    }
}

/// Prints the lines of all pages.
pub(super) struct Lines {
    output: Output,
    style: Style,
    /// Labels that are not repeated on every line.
    shared: Option<LabelMap>,
}

impl Lines {
    pub(super) fn new(output: Output, style: Style) -> Lines {
        Lines { output, style, shared: None }
    }

    pub(super) fn print(&mut self, entries: &[Entry], out: &mut impl Write) -> anyhow::Result<()> {
        if self.output == Output::Jsonl {
            return print_jsonl(entries, out);
        }
        let shared = self.shared.get_or_insert_with(|| {
            let shared = shared_labels(entries);
            if !shared.is_empty() {
                eprintln!("{}", self.style.paint(2, &labels_text(&shared, &LabelMap::new())));
            }
            shared
        });
        for entry in entries {
            writeln!(out, "{}", entry_text(entry, shared, self.style))?;
        }
        Ok(())
    }
}

/// An entry as a person reads it.
pub(in crate::cli) fn entry_text(entry: &Entry, shared: &LabelMap, style: Style) -> String {
    let time = style.paint(2, &entry.at.to_string());
    let line = style.paint(level_color(&entry.labels), &visible(&entry.line));
    match labels_text(&entry.labels, shared) {
        labels if labels == "{}" => format!("{time}  {line}"),
        labels => format!("{time}  {}  {line}", style.paint(36, &labels)),
    }
}

fn print_jsonl(entries: &[Entry], out: &mut impl Write) -> anyhow::Result<()> {
    #[derive(serde::Serialize)]
    struct Row<'a> {
        timestamp: String,
        line: &'a str,
        labels: &'a LabelMap,
    }
    for entry in entries {
        let Entry { at, line, labels } = entry;
        serde_json::to_writer(&mut *out, &Row { timestamp: at.to_string(), line, labels })
            .map_err(std::io::Error::from)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// What all entries have in common; nothing, if there is but one label set to compare.
fn shared_labels(entries: &[Entry]) -> LabelMap {
    let Some((first, others)) = entries.split_first() else { return LabelMap::new() };
    let mut shared = (*first.labels).clone();
    for entry in others {
        shared.retain(|name, value| entry.labels.get(name) == Some(value));
    }
    shared
}

/// `{a="1"}` without what is in `shared`.
fn labels_text(labels: &LabelMap, shared: &LabelMap) -> String {
    let own = labels.iter().filter(|(name, value)| shared.get(*name) != Some(value));
    let texts: Vec<String> = own.map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", texts.join(", "))
}

fn level_color(labels: &LabelMap) -> u8 {
    match labels.get("detected_level").or_else(|| labels.get("level")).map(String::as_str) {
        Some("error" | "critical" | "fatal") => 31,
        Some("warn") => 33,
        Some("debug" | "trace") => 2,
        _ => 0,
    }
}

/// The values of a metric query.
pub(super) fn values(answer: &Answer, output: Output, out: &mut impl Write) -> anyhow::Result<()> {
    match output {
        Output::Text => Ok(out.write_all(value_table(answer).render().as_bytes())?),
        Output::Jsonl => values_jsonl(answer, out),
    }
}

/// One row per value, labels as columns.
fn value_table(answer: &Answer) -> Table {
    let samples = samples(answer);
    let mut names: Vec<&String> = samples.iter().flat_map(|(labels, _)| labels.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let timed = matches!(answer, Answer::Matrix(_));
    let mut header: Vec<String> = names.iter().map(|name| name.to_string()).collect();
    if timed {
        header.insert(0, "time".to_owned());
    }
    header.push("value".to_owned());
    let mut table = Table::new(header);
    for (labels, sample) in &samples {
        let cells = names.iter().map(|name| Some(labels.get(*name).cloned().unwrap_or_default()));
        let mut row: Vec<Option<String>> = cells.collect();
        if timed {
            row.insert(0, Some(sample.at().to_string()));
        }
        row.push(Some(sample.1.clone()));
        table.push(row);
    }
    table
}

fn samples(answer: &Answer) -> Vec<(&LabelMap, &Sample)> {
    static NONE: LabelMap = LabelMap::new();
    match answer {
        Answer::Streams(_) => Vec::new(),
        Answer::Scalar(sample) => vec![(&NONE, sample)],
        Answer::Vector(vector) => vector.iter().map(|one| (&one.metric, &one.value)).collect(),
        Answer::Matrix(matrix) => matrix
            .iter()
            .flat_map(|series| series.values.iter().map(move |sample| (&series.metric, sample)))
            .collect(),
    }
}

fn values_jsonl(answer: &Answer, out: &mut impl Write) -> anyhow::Result<()> {
    #[derive(serde::Serialize)]
    struct Row<'a> {
        timestamp: String,
        labels: &'a LabelMap,
        value: &'a str,
    }
    for (labels, sample) in samples(answer) {
        let row = Row { timestamp: sample.at().to_string(), labels, value: &sample.1 };
        serde_json::to_writer(&mut *out, &row).map_err(std::io::Error::from)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}
