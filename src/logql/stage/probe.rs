//! Asks the filters behind a parser about a line before any label of it is made.
//!
//! A parser that has such filters refuses a line at the first value that one of them does not
//! accept (see [`super::parser`]). Where most lines are refused, making labels of what stands before
//! that value is a good part of the work, and nobody looks at them. So the line is first read for the
//! filters alone; only a line that they do not refuse is parsed.
//!
//! Invariant: a probe refuses only what the parser would refuse at the same value. Where it cannot
//! tell (an escape, a value that makes an error) it stops, and the parser decides.

use super::label_filter::LabelFilter;
use super::parser::Step;
use crate::logql::names::Name;
use crate::logql::row::{PRESERVE_ERROR, Row};

/// Filters that a line can have behind a parser and be probed for.
const FILTERS_MAX: usize = 32;
/// Lines after which it is asked whether probing pays.
const LINES_BETWEEN: u32 = 256;
/// Lines that are parsed at once where it does not, before it is tried again.
const LINES_WITHOUT: u32 = 4096;

/// The filters behind a parser, and which of them have seen their value.
pub(crate) struct Probe<'p> {
    filters: &'p [(Name, LabelFilter)],
    /// One bit per filter that has not.
    waiting: u32,
}

impl<'p> Probe<'p> {
    /// Begins a line; `None` where filters would say something else of the row that it is in.
    pub(crate) fn new(filters: &'p [(Name, LabelFilter)], row: &Row<'_>) -> Option<Probe<'p>> {
        // A row with an error is kept by most filters; a label that was set before is what counts.
        let good = (1..=FILTERS_MAX).contains(&filters.len())
            && row.error().is_none()
            && filters.iter().all(|(name, _)| *name > PRESERVE_ERROR && !row.is_set(*name));
        let waiting = filters.iter().enumerate().map(|(at, (name, _))| {
            // Of several filters of one label, a parser asks the first.
            let first = filters.iter().position(|(own, _)| own == name);
            u32::from(first == Some(at)) << at
        });
        good.then(|| Probe { filters, waiting: waiting.sum() })
    }

    /// The labels that are asked about.
    pub(crate) fn names(&self) -> impl Iterator<Item = Name> + use<'p> {
        let filters: &'p [(Name, LabelFilter)] = self.filters;
        filters.iter().map(|(name, _)| *name)
    }

    /// Looks at the value of a key; `None` where it is not shown as it stands in the line. `Done`:
    /// the line is not refused here.
    pub(crate) fn value(&mut self, row: &mut Row<'_>, key: Name, text: Option<&str>) -> Step {
        let name = row.parsed_name(key);
        let Some(at) = self.filters.iter().position(|(own, _)| *own == name) else {
            return Step::Next;
        };
        let bit = 1 << at;
        if self.waiting & bit == 0 {
            return Step::Next;
        }
        self.waiting &= !bit;
        match text.and_then(|text| self.filters[at].1.verdict(text)) {
            Some(false) => Step::Reject,
            Some(true) if self.waiting != 0 => Step::Next,
            Some(true) | None => Step::Done,
        }
    }
}

/// Whether probing pays: it does while at least every other line is refused.
#[derive(Clone, Debug, Default)]
pub(crate) struct Luck {
    probed: u32,
    refused: u32,
    /// Lines to be parsed at once.
    without: u32,
}

impl Luck {
    /// No line is probed.
    #[cfg(test)]
    pub(crate) fn never() -> Luck {
        Luck { without: u32::MAX, ..Luck::default() }
    }

    /// Whether the next line is to be probed.
    pub(crate) fn try_again(&mut self) -> bool {
        self.without = self.without.saturating_sub(1);
        self.without == 0
    }

    /// Notes what became of a line that was probed.
    pub(crate) fn had(&mut self, refused: bool) {
        self.probed += 1;
        self.refused += u32::from(refused);
        if self.probed == LINES_BETWEEN {
            self.without = if 2 * self.refused < self.probed { LINES_WITHOUT } else { 0 };
            (self.probed, self.refused) = (0, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_pay_is_left_for_a_while() {
        let mut luck = Luck::default();
        let mut run = |n_lines: u32, refused: bool| {
            let probed = (0..n_lines).filter(|_| {
                let probed = luck.try_again();
                if probed {
                    luck.had(refused);
                }
                probed
            });
            probed.count()
        };
        assert_eq!(run(10_000, true), 10_000);
        let n = run(10_000, false);
        assert!((LINES_BETWEEN as usize..1000).contains(&n), "{n}");
    }
}
