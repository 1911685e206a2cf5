//! What all parsers share: which keys are wanted, under which names, and when to stop.
//!
//! A query that needs a few labels stops reading a line once it has them, and a label filter right
//! behind a parser may refuse a line half way. Users notice both on lines that are broken further
//! back, so both are done exactly where Loki does them.

use super::label_filter::LabelFilter;
use super::probe::Probe;
use crate::logql::names::Name;
use crate::logql::row::{Row, Span};

/// Which labels the rest of a query needs.
#[derive(Clone, Debug, Default)]
pub(crate) enum Wanted {
    /// All of them.
    #[default]
    All,
    /// None at all: parsers are skipped.
    Nothing,
    /// These; also `x` where `x_extracted` is needed.
    Only {
        /// Indexed by name; a query's own names have the first numbers.
        names: Vec<bool>,
        /// How many names are wanted.
        n: usize,
        /// Their texts, to ask about prefixes.
        texts: Vec<String>,
        /// An error is something to group by, not a failure.
        preserve_error: bool,
    },
}

/// What a parser does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Look for the next key.
    Next,
    /// Everything that is needed was found.
    Done,
    /// A filter refuses the line.
    Reject,
}

/// Where a parser puts what it finds.
#[derive(Clone, Copy)]
pub(crate) struct Target<'p> {
    /// What is needed.
    pub(crate) wanted: &'p Wanted,
    /// Filters right behind the parser that look at one label each.
    pub(crate) filters: &'p [(Name, LabelFilter)],
}

impl Wanted {
    fn has(&self, name: Name) -> bool {
        match self {
            Wanted::All => true,
            Wanted::Nothing => false,
            Wanted::Only { names, .. } => names.get(name.index()).is_some_and(|wanted| *wanted),
        }
    }

    /// Whether keys below a prefix could be wanted.
    pub(crate) fn has_prefix(&self, prefix: &str) -> bool {
        match self {
            Wanted::All => true,
            Wanted::Nothing => false,
            Wanted::Only { texts, .. } => texts.iter().any(|text| text.starts_with(prefix)),
        }
    }
}

impl<'p> Target<'p> {
    /// Filters to be asked about the line before any label of it is made; `None` where what they say
    /// hangs on more than the line.
    pub(crate) fn probe(&self, row: &Row<'_>) -> Option<Probe<'p>> {
        Probe::new(self.filters, row)
    }

    /// Whether parsers have nothing to do.
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self.wanted, Wanted::Nothing)
    }

    /// Under which name a key is shown; `None` where it is not wanted or already there.
    pub(crate) fn name(&self, row: &mut Row<'_>, key: Name) -> Option<Name> {
        let name = row.parsed_name(key);
        (self.wanted.has(name) && !row.is_parsed(name)).then_some(name)
    }

    /// Adds a label under a name that [`Target::name`] gave.
    pub(crate) fn add(&self, row: &mut Row<'_>, name: Name, value: Span) -> Step {
        row.add_parsed(name, value);
        if let Some((_, filter)) = self.filters.iter().find(|(own, _)| *own == name)
            && !filter.accepts(row)
        {
            return Step::Reject;
        }
        if let Wanted::Only { n, .. } = self.wanted {
            row.n_extracted += 1;
            if row.n_extracted == *n {
                return Step::Done;
            }
        }
        Step::Next
    }

    /// Records that the line could not be parsed.
    pub(crate) fn fail(&self, row: &mut Row<'_>, error: &'static str, details: &str) {
        row.fail(error, details);
        if let Wanted::Only { preserve_error: true, .. } = self.wanted {
            row.preserve_error();
        }
    }
}

/// Makes a label name of a key, behind what `out` already has: what is no letter, digit or
/// underscore becomes an underscore, and a digit cannot come first.
pub(crate) fn push_sanitized(out: &mut String, key: &str) {
    let key = key.trim();
    if out.is_empty() && key.starts_with(|c: char| c.is_ascii_digit()) {
        out.push('_');
    }
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    out.extend(key.chars().map(|c| if good(c) { c } else { '_' }));
}

/// Appends a value to the made texts: replacement characters become spaces.
pub(crate) fn push_value(out: &mut String, value: &str) {
    if value.is_ascii() || !value.contains(char::REPLACEMENT_CHARACTER) {
        out.push_str(value);
    } else {
        let clean = |c| if c == char::REPLACEMENT_CHARACTER { ' ' } else { c };
        out.extend(value.chars().map(clean));
    }
}

/// Whether a value can be shown as it stands.
pub(crate) fn is_clean(value: &str) -> bool {
    value.is_ascii() || !value.contains(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sanitizes() {
        let check = |before: &str, key: &str, expected: &str| {
            let mut out = before.to_owned();
            push_sanitized(&mut out, key);
            assert_eq!(out, expected);
        };
        check("", "a-b", "a_b");
        check("", "1x", "_1x");
        check("a_", "1x", "a_1x");
        check("", "é.f", "__f");
        check("", " x ", "x");
        check("", " ", "");
    }

    #[test]
    fn values_are_cleaned() {
        let mut out = String::new();
        push_value(&mut out, "a\u{fffd}b");
        push_value(&mut out, "é");
        assert_eq!(out, "a bé");
        assert!(is_clean("é") && !is_clean("\u{fffd}"));
    }
}
