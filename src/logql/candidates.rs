//! Lines that cannot have a label that a query asks for need not be parsed: `| json | level="error"`
//! keeps no line without `error` in it.
//!
//! In: the stages of a query, once; the lines of a block. Out: for each label that must have a
//! certain text, the rows whose lines may have it.
//!
//! - A value that stands in a line with escapes does not look like itself: a line with a backslash
//!   may have anything. Likewise a space may have been U+FFFD; texts with spaces are not looked for.
//! - A label that the stream or the entry has, too, does not come from the line: whoever asks must
//!   leave such rows alone.

use super::names::Name;
use super::row::PRESERVE_ERROR;
use super::selection::Selection;
use super::stage::Stage;
use super::stage::label_filter::LabelFilter;
use super::stage::line_filter::Literals;
use super::stage::literal::{self, Required};
use crate::model::{Lines, MatchOp, Matcher};

/// Which texts lines must contain for the labels that a parser makes of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Candidates {
    wanted: Vec<(Name, Literals)>,
}

impl Candidates {
    /// Reads the filters that directly follow a parser, if that is the first of the stages: then
    /// nothing but the parser makes labels before they are asked.
    pub(crate) fn of(stages: &[Stage]) -> Candidates {
        let mut wanted = Vec::new();
        if let Some((first, behind)) = stages.split_first()
            && first.is_parser()
        {
            for stage in behind {
                match stage {
                    Stage::Label(filter) => collect(filter, &mut wanted),
                    Stage::Line(_) => {}
                    _ => break,
                }
            }
        }
        Candidates { wanted }
    }

    /// The rows of a block that may have each of the labels.
    pub(crate) fn select(&self, lines: &Lines) -> Vec<(Name, Selection)> {
        if self.wanted.is_empty() {
            return Vec::new();
        }
        let mut escaped = Selection::none(lines.len());
        Literals::new(&["\\".to_owned()]).mark(lines, &mut escaped);
        let rows = self.wanted.iter().map(|(name, literals)| {
            let mut rows = escaped.clone();
            literals.mark(lines, &mut rows);
            (*name, rows)
        });
        rows.collect()
    }
}

/// What must hold for the filter to hold.
fn collect(filter: &LabelFilter, wanted: &mut Vec<(Name, Literals)>) {
    match filter {
        LabelFilter::And(left, right) => {
            collect(left, wanted);
            collect(right, wanted);
        }
        LabelFilter::Text(name, matcher) if *name > PRESERVE_ERROR => {
            let good = |text: &String| !text.is_empty() && !text.contains(' ');
            let texts = texts_of(matcher);
            if !texts.is_empty() && texts.iter().all(good) {
                wanted.push((*name, Literals::new(&texts)));
            }
        }
        _ => {}
    }
}

/// Texts of which every value that matches contains one.
fn texts_of(matcher: &Matcher) -> Vec<String> {
    match matcher.op {
        MatchOp::Equal => vec![matcher.value.clone()],
        MatchOp::Matches => match literal::required(&matcher.value) {
            Required::Exactly(texts) | Required::OneOf(texts) => texts,
            Required::Unknown => Vec::new(),
        },
        MatchOp::NotEqual | MatchOp::NotMatches => Vec::new(),
    }
}
