//! What a regular expression demands literally, so that a text can be searched for that first.
//!
//! A pattern comes in; out come texts of which one must occur in everything the pattern matches.
//! Where this reader does not understand a pattern it says so, and nothing is searched for first:
//! it may miss a chance but never a match.

/// A shorter text is found too often, where case does not matter, to be worth a search.
const ANY_CASE_BYTES_MIN: usize = 3;

/// What every match contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Required {
    /// A line matches if and only if it contains one of these.
    Exactly(Vec<String>),
    /// A line that matches contains one of these.
    OneOf(Vec<String>),
    /// Nothing is known.
    Unknown,
}

/// Reads a pattern.
pub(crate) fn required(pattern: &str) -> Required {
    let mut reader = Reader { rest: pattern, branches: Vec::new(), branch: Branch::new() };
    if reader.read().is_none() {
        return Required::Unknown;
    }
    let exact = reader.branches.iter().all(|branch| branch.exact);
    let texts: Vec<String> = reader.branches.into_iter().map(Branch::longest).collect();
    if exact {
        Required::Exactly(texts)
    } else if texts.iter().any(String::is_empty) {
        Required::Unknown
    } else {
        Required::OneOf(texts)
    }
}

/// The longest part of a text that, where the text occurs in any case, occurs in upper or lower
/// case of ASCII.
pub(crate) fn caseless(text: &str) -> String {
    // Beside its own two cases, an `s` is also a long s, and a `k` the sign for kelvin.
    let told = |c: char| c.is_ascii() && !matches!(c, 'k' | 'K' | 's' | 'S');
    let parts = text.split(|c| !told(c));
    parts.max_by_key(|part| part.len()).unwrap_or_default().to_owned()
}

/// The same for a pattern that begins with `(?i)`: what it matches contains one of these texts, in
/// upper or lower case.
pub(crate) fn required_any_case(pattern: &str) -> Option<Vec<String>> {
    let texts = match required(pattern.strip_prefix("(?i)")?) {
        Required::Exactly(texts) | Required::OneOf(texts) => texts,
        Required::Unknown => return None,
    };
    let parts: Vec<String> = texts.iter().map(|text| caseless(text)).collect();
    parts.iter().all(|part| part.len() >= ANY_CASE_BYTES_MIN).then_some(parts)
}

/// One side of a `|` outside of all groups.
struct Branch {
    run: String,
    best: String,
    exact: bool,
}

impl Branch {
    fn new() -> Branch {
        Branch { run: String::new(), best: String::new(), exact: true }
    }

    /// What comes now is not a literal.
    fn cut(&mut self) {
        self.exact = false;
        if self.run.len() > self.best.len() {
            self.best = std::mem::take(&mut self.run);
        }
        self.run.clear();
    }

    fn longest(mut self) -> String {
        if self.run.len() > self.best.len() { std::mem::take(&mut self.run) } else { self.best }
    }
}

struct Reader<'a> {
    rest: &'a str,
    branches: Vec<Branch>,
    branch: Branch,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    /// `None`: something was not understood.
    fn read(&mut self) -> Option<()> {
        while let Some(c) = self.next() {
            match c {
                '\\' => match self.escape()? {
                    Some(literal) => self.literal(literal)?,
                    None => {
                        self.branch.cut();
                        self.quantifier()?;
                    }
                },
                '.' | '^' | '$' => {
                    self.branch.cut();
                    self.quantifier()?;
                }
                '[' => {
                    self.skip_class()?;
                    self.branch.cut();
                    self.quantifier()?;
                }
                '(' => {
                    self.skip_group()?;
                    self.branch.cut();
                    self.quantifier()?;
                }
                '|' => self.end_branch(),
                ')' | '*' | '+' | '?' | '{' => return None,
                c => self.literal(c)?,
            }
        }
        self.end_branch();
        Some(())
    }

    fn end_branch(&mut self) {
        self.branches.push(std::mem::replace(&mut self.branch, Branch::new()));
    }

    /// One character that stands for itself, and how often it occurs.
    fn literal(&mut self, c: char) -> Option<()> {
        match self.quantifier()? {
            None => self.branch.run.push(c),
            Some(least) => {
                if least > 0 {
                    self.branch.run.push(c);
                }
                self.branch.cut();
            }
        }
        Some(())
    }

    /// How often what stands before must occur at least; `None` inside where nothing is written.
    fn quantifier(&mut self) -> Option<Option<u32>> {
        let least = match self.rest.chars().next() {
            Some('*' | '?') => 0,
            Some('+') => 1,
            Some('{') => {
                let (inner, after) = self.rest[1..].split_once('}')?;
                let least = inner.split(',').next().expect("split yields at least one");
                let least: u32 = least.parse().ok()?;
                self.rest = after;
                self.lazy();
                return Some(Some(least));
            }
            _ => return Some(None),
        };
        self.rest = &self.rest[1..];
        self.lazy();
        Some(Some(least))
    }

    fn lazy(&mut self) {
        self.rest = self.rest.strip_prefix('?').unwrap_or(self.rest);
    }

    /// After a backslash: a character that stands for itself, or `None` inside for a class.
    fn escape(&mut self) -> Option<Option<char>> {
        match self.next()? {
            'n' => Some(Some('\n')),
            't' => Some(Some('\t')),
            'r' => Some(Some('\r')),
            'd' | 'D' | 'w' | 'W' | 's' | 'S' | 'b' | 'B' | 'A' | 'z' => Some(None),
            c if c.is_ascii_punctuation() => Some(Some(c)),
            _ => None,
        }
    }

    /// After `[`: to behind its `]`.
    fn skip_class(&mut self) -> Option<()> {
        self.rest = self.rest.strip_prefix('^').unwrap_or(self.rest);
        self.rest = self.rest.strip_prefix(']').unwrap_or(self.rest);
        loop {
            match self.next()? {
                '\\' => drop(self.next()?),
                '[' => match self.rest.strip_prefix(':') {
                    Some(class) => self.rest = class.split_once(":]")?.1,
                    None => return None,
                },
                ']' => return Some(()),
                _ => {}
            }
        }
    }

    /// After `(`: to behind its `)`. Flags would change the meaning of literals: not understood.
    fn skip_group(&mut self) -> Option<()> {
        let mut depth = 1;
        let mut opened = true;
        while depth > 0 {
            if std::mem::take(&mut opened)
                && self.rest.starts_with('?')
                && !["?:", "?P<", "?<"].iter().any(|start| self.rest.starts_with(start))
            {
                return None;
            }
            match self.next()? {
                '\\' => match self.next()? {
                    'Q' | 'p' | 'P' | 'x' => return None,
                    _ => {}
                },
                '[' => self.skip_class()?,
                '(' => {
                    depth += 1;
                    opened = true;
                }
                ')' => depth -= 1,
                _ => {}
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn literals() {
        let check = |pattern: &str, expected: &[&str], exact: bool| {
            let texts = expected.iter().map(|text| (*text).to_owned()).collect();
            let expected = if expected.is_empty() {
                Required::Unknown
            } else if exact {
                Required::Exactly(texts)
            } else {
                Required::OneOf(texts)
            };
            assert_eq!(required(pattern), expected, "{pattern}");
        };
        check("foo", &["foo"], true);
        check("error|warn", &["error", "warn"], true);
        check(r"a\.b", &["a.b"], true);
        check(r"Synced.*(ms|zzz)", &["Synced"], false);
        check(r"in [1-9]\d ms", &["in "], false);
        check("ab+c", &["ab"], false);
        check("abc*de", &["ab"], false);
        check("ab{2,3}?longer", &["longer"], false);
        check("(?i)foo", &[], false);
        check("x(?i:y)foo", &[], false);
        check("a.*|b", &["a", "b"], false);
        check(".*|b", &[], false);
        check(r"\Qa.b\E", &[], false);
        check("", &[""], true);
        check("[", &[], false);
    }

    #[test]
    fn literals_in_any_case() {
        let check = |pattern: &str, expected: Option<&[&str]>| {
            let expected =
                expected.map(|texts| texts.iter().map(|text| (*text).to_owned()).collect());
            assert_eq!(required_any_case(pattern), expected, "{pattern}");
        };
        check("(?i)Exception.*(timeout|refused)", Some(&["Exception"]));
        check("(?i)error|warning", Some(&["error", "warning"]));
        check("(?i)unknown host", Some(&["nown ho"]));
        check("(?i)naïve", None);
        check("(?i)kiosk|error", None);
        check("(?i)(?-i)error", None);
        check("(?is)error", None);
        check("error", None);
    }

    proptest! {
        #[test]
        fn a_match_contains_what_is_required_in_any_case(
            pattern in r"(?:[a-cA-CkKsS.()|*+?]|xyz|XyZ){0,9}",
            line in "[a-cA-CkKsSxyzXYZ\u{212a}\u{17f}]{0,16}",
        ) {
            let pattern = format!("(?i){pattern}");
            if let Ok(regex) = crate::model::pattern::unanchored(&pattern)
                && let Some(texts) = required_any_case(&pattern)
                && regex.is_match(line.as_bytes())
            {
                let line = line.to_ascii_lowercase();
                prop_assert!(texts.iter().any(|text| line.contains(&text.to_ascii_lowercase())));
            }
        }

        #[test]
        fn a_match_contains_what_is_required(
            pattern in r"[abc.()|*+?\[\]^$\\d{}1]{0,9}", line in "[abc1.|(]{0,12}",
        ) {
            if let Ok(regex) = crate::model::pattern::unanchored(&pattern) {
                let found = regex.is_match(line.as_bytes());
                match required(&pattern) {
                    Required::Unknown => {}
                    Required::OneOf(texts) => {
                        prop_assert!(!found || texts.iter().any(|text| line.contains(text.as_str())));
                    }
                    Required::Exactly(texts) => {
                        prop_assert_eq!(found, texts.iter().any(|text| line.contains(text.as_str())));
                    }
                }
            }
        }
    }
}
