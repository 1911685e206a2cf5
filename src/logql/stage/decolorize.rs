//! `| decolorize`: the line without ANSI escape sequences.

use regex::Regex;

use crate::logql::row::Row;

/// Finds escape sequences: colours, cursor movements and titles.
#[derive(Clone, Debug)]
pub(crate) struct Decolorize(Regex);

/// An introducer and its parameters, up to a bell or a final byte.
const SEQUENCE: &str = concat!(
    r"[\x1b\u{9b}][\[\]()#;?]*",
    r"(?:(?:[a-zA-Z0-9]*(?:;[a-zA-Z0-9]*)*)?\x07",
    r"|(?:[0-9]{1,4}(?:;[0-9]{0,4})*)?[0-9A-PRZcf-ntqry=><~])",
);

impl Decolorize {
    /// Compiles the expression.
    pub(crate) fn new() -> Decolorize {
        Decolorize(Regex::new(SEQUENCE).expect("the expression is a constant"))
    }

    /// Rewrites the line if there is something to remove.
    pub(crate) fn process(&self, row: &mut Row<'_>) {
        if !row.line().contains(['\u{1b}', '\u{9b}']) {
            return;
        }
        let clean = self.0.replace_all(row.line(), "").into_owned();
        let span = row.make(&clean);
        row.set_line(span);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removes_sequences() {
        let check = |line: &str, expected: &str| {
            assert_eq!(Decolorize::new().0.replace_all(line, ""), expected);
        };
        check("\x1b[31mLEVEL\x1b[0m step \x1b[1;4m7\x1b[0m done", "LEVEL step 7 done");
        check("\x1b]0;title\x07text", "text");
        check("no colour", "no colour");
    }
}
