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

/// What Go writes and the `regex` crate reads otherwise: `\Q...\E`, Perl classes and word borders,
/// which are ASCII in Go, and `[`, `&&`, `~~`, `--` inside brackets, which are plain text in Go.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    let mut in_class = false;
    while let Some(c) = rest.chars().next() {
        if c == '\\' {
            rest = escape(rest, in_class, &mut out);
            continue;
        }
        let after = &rest[c.len_utf8()..];
        match c {
            '[' if !in_class => {
                in_class = true;
                out.push('[');
                // A bracket that closes at once is a plain one, also behind a `^`.
                let caret = after.strip_prefix('^');
                out.push_str(if caret.is_some() { "^" } else { "" });
                rest = caret.unwrap_or(after);
                if let Some(closed) = rest.strip_prefix(']') {
                    out.push_str("\\]");
                    rest = closed;
                }
                continue;
            }
            '[' if !after.starts_with(':') => out.push_str("\\["),
            '[' => {
                // `[:alpha:]` as it is, with its own closing bracket.
                let end = after.find(":]").map_or(0, |end| end + 2);
                out.push_str(&rest[..=end]);
                rest = &after[end..];
                continue;
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' if in_class && after.starts_with(c) => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
        rest = after;
    }
    out
}

/// Writes one escape in our words and answers what follows it.
fn escape<'a>(rest: &'a str, in_class: bool, out: &mut String) -> &'a str {
    if let Some(quoted) = rest.strip_prefix("\\Q").filter(|_| !in_class) {
        // A missing `\E` quotes to the end.
        let end = quoted.find("\\E").unwrap_or(quoted.len());
        out.push_str(&regex::escape(&quoted[..end]));
        return quoted.get(end + 2..).unwrap_or("");
    }
    let Some(escaped) = rest.chars().nth(1) else {
        out.push('\\');
        return "";
    };
    match escaped {
        'd' => out.push_str("[0-9]"),
        'D' => out.push_str("[^0-9]"),
        'w' => out.push_str("[0-9A-Za-z_]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        's' => out.push_str("[\\t\\n\\f\\r ]"),
        'S' => out.push_str("[^\\t\\n\\f\\r ]"),
        'b' if !in_class => out.push_str("(?-u:\\b)"),
        'B' if !in_class => out.push_str("(?-u:\\B)"),
        other => {
            out.push('\\');
            out.push(other);
        }
    }
    &rest[1 + escaped.len_utf8()..]
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
        check(r"\d+", "٣", false);
        check(r"\w\W\s", "a- ", true);
        check(r"[^\d\s]x", "ax", true);
        check(r"[[a]b", "[b", true);
        check(r"[]a]b", "]b", true);
        check(r"[a&&b]", "&", true);
        check(r"[[:digit:]_]+", "1_2", true);
        check(r"é\b.*", "é x", false);
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
