//! Tree to text for people: what does not fit on a line is broken into several, as
//! `format_query` answers it.
//!
//! Each part either fits and stands on one line, or is broken at its outermost level, its parts
//! indented two spaces more; an operator stands on a line of its own between its operands.
//! Formatting what was formatted changes nothing.

use std::fmt::{self, Display, Write};

use super::ast::{
    Binary, BinaryOp, Grouping, LabelReplace, LogQuery, Metric, Query, RangeAggregation, Stage,
    VectorAggregation,
};
use super::parse::strength;
use super::print::{Chain, Operator};
use super::{duration, number};
use crate::model::labels::Quoted;

/// Longest part that stays on one line.
const LINE_BYTES_MAX: usize = 100;

/// Writes a query over as many lines as it needs.
pub fn format(query: &Query) -> String {
    let mut page = Page { text: String::new() };
    match query {
        Query::Log(log) => page.log(0, log),
        Query::Metric(metric) => page.metric(0, metric),
    }
    page.text
}

struct Page {
    text: String,
}

impl Page {
    /// Writes an indented text; the caller ends the line.
    fn put(&mut self, level: usize, part: impl Display) {
        // Writing to a String does not fail.
        let _ = write!(self.text, "{:1$}{part}", "", 2 * level);
    }

    fn line(&mut self, level: usize, part: impl Display) {
        self.put(level, part);
        self.text.push('\n');
    }

    fn log(&mut self, level: usize, log: &LogQuery) {
        if fits(log) {
            return self.put(level, log);
        }
        self.put(level, &log.selector);
        let both_lines = |a: &Stage, b: &Stage| matches!((a, b), (Stage::Line(_), Stage::Line(_)));
        for stages in log.pipeline.chunk_by(both_lines) {
            let stages: Vec<&Stage> = stages.iter().collect();
            let chain = Chain(&stages);
            if fits(&chain) {
                // Line filters in a row share a line.
                self.text.push('\n');
                self.put(level + 1, chain);
                continue;
            }
            for stage in stages {
                self.text.push('\n');
                self.put(level + 1, stage);
            }
        }
    }

    fn metric(&mut self, level: usize, metric: &Metric) {
        match metric {
            metric if fits(metric) => self.put(level, metric),
            Metric::Range(range) => self.range(level, range),
            Metric::Vector(vector) => self.vector(level, vector),
            Metric::Binary(binary) => self.binary(level, binary),
            Metric::LabelReplace(replace) => self.label_replace(level, replace),
            Metric::Literal(_) | Metric::Constant(_) => self.put(level, metric),
        }
    }

    fn range(&mut self, level: usize, range: &RangeAggregation) {
        self.line(level, format_args!("{}(", range.op));
        if let Some(parameter) = range.parameter {
            self.line(level + 1, format_args!("{},", number::format_general(parameter)));
        }
        self.log(level + 1, &range.log);
        if let Some(unwrap) = &range.unwrap {
            self.text.push('\n');
            self.put(level + 2, unwrap.stage_text());
            for filter in &unwrap.filters {
                self.text.push('\n');
                self.put(level + 2, format_args!("| {filter}"));
            }
        }
        self.put(0, format_args!(" [{}]", range.window_text()));
        if range.offset_nanos != 0 {
            self.put(0, format_args!(" offset {}", offset_text(range.offset_nanos)));
        }
        self.text.push('\n');
        self.put(level, ")");
        self.grouping(range.grouping.as_ref());
    }

    fn grouping(&mut self, grouping: Option<&Grouping>) {
        if let Some(Grouping { without, labels }) = grouping {
            let word = if *without { "without" } else { "by" };
            self.put(0, format_args!(" {word} ({})", labels.join(", ")));
        }
    }

    fn vector(&mut self, level: usize, vector: &VectorAggregation) {
        self.put(level, vector.op);
        self.grouping(vector.grouping.as_ref());
        self.line(0, "(");
        if let Some(parameter) = vector.parameter {
            self.line(level + 1, format_args!("{parameter},"));
        }
        self.metric(level + 1, &vector.inner);
        self.text.push('\n');
        self.put(level, ")");
    }

    fn binary(&mut self, level: usize, binary: &Binary) {
        let Binary { op, left, right, .. } = binary;
        self.operand(level + 1, left, |inner| {
            strength(inner) < strength(*op) || *op == BinaryOp::Pow
        });
        self.text.push('\n');
        self.line(level, Operator { binary, separator: ", " });
        self.operand(level + 1, right, |inner| strength(inner) <= strength(*op));
    }

    /// An operand of a broken operator. One that is broken too loses the parentheses that it has
    /// on one line, and needs them back where it would be read otherwise.
    fn operand(
        &mut self,
        level: usize,
        metric: &Metric,
        needs_parentheses: impl Fn(BinaryOp) -> bool,
    ) {
        match metric {
            Metric::Binary(inner) if !fits(metric) && needs_parentheses(inner.op) => {
                self.line(level, "(");
                self.metric(level + 1, metric);
                self.text.push('\n');
                self.put(level, ")");
            }
            _ => self.metric(level, metric),
        }
    }

    fn label_replace(&mut self, level: usize, replace: &LabelReplace) {
        self.line(level, "label_replace(");
        self.metric(level + 1, &replace.inner);
        for text in [&replace.destination, &replace.replacement, &replace.source, &replace.regex] {
            self.text.push_str(",\n");
            self.put(level + 1, Quoted(text));
        }
        self.text.push('\n');
        self.put(level, ")");
    }
}

/// Prometheus' spelling where it says the same: it drops the zeros of `1h0m0s`.
fn offset_text(nanos: i64) -> String {
    let text = duration::format_prometheus(nanos.unsigned_abs());
    if duration::parse_prometheus(&text) == Ok(nanos) { text } else { duration::format_go(nanos) }
}

/// Whether a part fits on a line. It is printed only as far as it does.
fn fits(part: &impl Display) -> bool {
    struct Room(usize);
    impl Write for Room {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 = self.0.checked_sub(text.len()).ok_or(fmt::Error)?;
            Ok(())
        }
    }
    write!(Room(LINE_BYTES_MAX), "{part}").is_ok()
}

#[cfg(test)]
mod tests;
