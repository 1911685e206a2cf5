//! Regular expressions in the dialect users write: Go's RE2.
//!
//! The `regex` crate speaks nearly the same language. What differs is translated here, and both a
//! compiled program and its lazy DFA are bounded, so that no pattern can eat the memory budget.

use regex::bytes::{Regex, RegexBuilder};

/// Bytes that one compiled pattern may take.
pub const PROGRAM_BYTES_MAX: usize = 4 << 20;
/// Nesting depth that a pattern may have.
pub const NEST_MAX: u32 = 250;

/// A pattern that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("error parsing regexp: {reason}: `{pattern}`")]
pub struct Error {
    /// What is wrong, in Go's words where Go has words for it.
    pub reason: String,
    /// The part of the pattern that is wrong, or all of it.
    pub pattern: String,
}

/// Finds a match anywhere.
pub fn unanchored(pattern: &str) -> Result<Regex, Error> {
    build(pattern, pattern)
}

/// Matches the whole text only; `.` matches a newline too, as in a label matcher.
pub fn anchored(pattern: &str) -> Result<Regex, Error> {
    build(pattern, &format!("^(?s:{})$", translate(pattern)))
}

fn build(pattern: &str, program: &str) -> Result<Regex, Error> {
    // The pattern alone first: a wrapped one could close our group and mean something else.
    let parse = |text: &str| {
        RegexBuilder::new(text)
            .size_limit(PROGRAM_BYTES_MAX)
            .dfa_size_limit(PROGRAM_BYTES_MAX)
            .nest_limit(NEST_MAX)
            .build()
    };
    let bare = parse(&translate(pattern)).map_err(|error| explain(pattern, &error))?;
    if program == pattern {
        return Ok(bare);
    }
    parse(program).map_err(|error| explain(pattern, &error))
}

/// What Go accepts and the `regex` crate writes otherwise.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(at) = rest.find('\\') {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        // `\Q...\E` quotes; a missing `\E` quotes to the end.
        if let Some(quoted) = after.strip_prefix("\\Q") {
            let end = quoted.find("\\E").unwrap_or(quoted.len());
            out.push_str(&regex::escape(&quoted[..end]));
            rest = quoted.get(end + 2..).unwrap_or("");
            continue;
        }
        let escape = after.chars().nth(1).map_or(1, |c| 1 + c.len_utf8());
        out.push_str(&after[..escape]);
        rest = &after[escape..];
    }
    out.push_str(rest);
    out
}

/// Go's wording for the mistakes people make most.
fn explain(pattern: &str, error: &regex::Error) -> Error {
    let text = error.to_string();
    let said = |needle: &str| text.contains(needle);
    let reason = if said("unclosed group") {
        "missing closing )"
    } else if said("unclosed character class") {
        "missing closing ]"
    } else if said("unopened group") {
        "unexpected )"
    } else if said("missing expression") {
        "missing argument to repetition operator"
    } else if said("look-around") || said("unrecognized flag") {
        "invalid or unsupported Perl syntax"
    } else if said("size limit") || said("exceeds") {
        "expression too large"
    } else if said("backreferences") || said("unrecognized escape") {
        "invalid escape sequence"
    } else {
        "invalid syntax"
    };
    Error { reason: reason.into(), pattern: pattern.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_and_dialect() {
        let check = |pattern: &str, text: &str, expected: bool| {
            let regex = anchored(pattern).expect("a good pattern");
            assert_eq!(regex.is_match(text.as_bytes()), expected, "{pattern} on {text:?}");
        };
        check("a|b", "b", true);
        check("a|b", "ab", false);
        check("a.c", "a\nc", true);
        check(r"\Qa.b\E+", "a.bb", true);
        check(r"(?P<x>a)(?<y>b)", "ab", true);
    }

    #[test]
    fn bad_patterns_are_explained() {
        let check = |pattern: &str, expected: &str| {
            let error = anchored(pattern).expect_err("a bad pattern");
            assert_eq!(error.to_string(), expected);
        };
        check("(", "error parsing regexp: missing closing ): `(`");
        check("[", "error parsing regexp: missing closing ]: `[`");
        check("a)(b", "error parsing regexp: unexpected ): `a)(b`");
        check(
            "((a{1,1000}){1,1000}){1,1000}",
            "error parsing regexp: expression too large: `((a{1,1000}){1,1000}){1,1000}`",
        );
    }
}
