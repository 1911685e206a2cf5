//! Line filters: `|= != |~ !~ |> !>` with `or` and `ip()`.
//!
//! Lines go in as one buffer and a selection of rows comes out. What can be searched for in the
//! whole buffer at once is: a hit counts if it lies inside one row, and the search goes on behind
//! that row. Where a regex or a pattern demands a literal, the buffer is searched for that, and
//! only rows that have it are looked at one by one.
//!
//! Invariant: the order of the filters does not change the result, so cheap ones go first.

use aho_corasick::{AhoCorasick, Input};
use memchr::memmem::Finder;
use regex::bytes::{Regex, RegexBuilder};

use super::captures::Shape;
use super::ip::IpSet;
use super::literal::{self, Required};
use crate::logql::ast::{self, LineOp, LineOperand};
use crate::logql::selection::Selection;
use crate::model::{Lines, pattern};

/// Line filters that all must hold. Without one, every line is kept.
#[derive(Clone, Debug, Default)]
pub struct LineFilters {
    filters: Vec<LineFilter>,
}

/// One filter.
#[derive(Clone, Debug)]
pub(crate) struct LineFilter {
    negated: bool,
    alternatives: Vec<Test>,
    /// A line that is kept contains one of these, in whatever case, if any are known.
    required: Option<Vec<String>>,
}

/// One thing to look for.
#[derive(Clone, Debug)]
enum Test {
    Always,
    Literals(Literals),
    /// A line that matches contains one of the literals.
    Regex(Regex, Option<Literals>),
    Shape(Shape, Option<Literals>),
    Ip(IpSet),
}

/// One or several texts, of which one must occur.
#[derive(Clone, Debug)]
pub(crate) enum Literals {
    /// Searched one after another: each pass runs at memory speed, which a machine that looks for
    /// all at once does not.
    Few(Vec<Finder<'static>>),
    Many(AhoCorasick),
    /// In whatever case; each of fixed length.
    AnyCase(Vec<Regex>),
}

/// How many texts are searched one after another.
const FEW_MAX: usize = 6;

impl LineFilters {
    /// Takes filters over; the cheapest is asked first.
    pub(crate) fn new(mut filters: Vec<LineFilter>) -> LineFilters {
        filters.sort_by_key(LineFilter::cost);
        LineFilters { filters }
    }

    /// Whether every line is kept unseen.
    pub fn is_empty(&self) -> bool {
        self.filters.is_empty()
    }

    /// Groups of texts: a line that all filters keep contains at least one text of each group, if
    /// not in the same case.
    pub fn required(&self) -> impl Iterator<Item = &[String]> {
        self.filters.iter().filter_map(|filter| filter.required.as_deref())
    }

    /// The rows whose lines all filters keep.
    pub fn select(&self, lines: &Lines) -> Selection {
        let mut selection = Selection::all(lines.len());
        for filter in &self.filters {
            filter.narrow(lines, &mut selection);
            if selection.is_empty() {
                break;
            }
        }
        selection
    }

    /// Whether all filters keep one line.
    pub fn accepts(&self, line: &[u8]) -> bool {
        self.filters.iter().all(|filter| filter.accepts(line))
    }
}

impl LineFilter {
    /// Compiles a filter; the error says what is wrong with it.
    pub(crate) fn compile(filter: &ast::LineFilter) -> Result<LineFilter, String> {
        let negated =
            matches!(filter.op, LineOp::NotContains | LineOp::NotMatches | LineOp::NotPattern);
        let mut texts: Vec<String> = Vec::new();
        let mut alternatives = Vec::new();
        let mut required = (!negated).then(Vec::new);
        let mut demand = |texts: Option<&[String]>| match (texts, &mut required) {
            (Some(texts), Some(required)) => required.extend_from_slice(texts),
            _ => required = None,
        };
        for operand in &filter.operands {
            match (operand, filter.op) {
                (LineOperand::Ip(text), LineOp::Contains | LineOp::NotContains) => {
                    demand(None);
                    alternatives.push(Test::Ip(IpSet::parse(text)?));
                }
                (LineOperand::Ip(_), _) => return Err("ip: invalid operation".into()),
                (LineOperand::Text(text), LineOp::Contains | LineOp::NotContains) => {
                    demand(Some(std::slice::from_ref(text)));
                    texts.push(text.clone());
                }
                (LineOperand::Text(text), LineOp::Matches | LineOp::NotMatches) => {
                    let regex = pattern::unanchored(text).map_err(|error| error.to_string())?;
                    match literal::required(text) {
                        Required::Exactly(found) => {
                            demand(Some(&found));
                            texts.extend(found);
                        }
                        Required::OneOf(found) => {
                            demand(Some(&found));
                            alternatives.push(Test::Regex(regex, Some(Literals::new(&found))));
                        }
                        Required::Unknown => {
                            let found = literal::required_any_case(text);
                            demand(found.as_deref());
                            let literals = found.and_then(|found| Literals::any_case(&found));
                            alternatives.push(Test::Regex(regex, literals));
                        }
                    }
                }
                (LineOperand::Text(text), LineOp::Pattern | LineOp::NotPattern) => {
                    let shape = Shape::of_filter(text)?;
                    let literal = shape.longest_literal();
                    let text = literal.and_then(|text| str::from_utf8(text).ok());
                    demand(text.map(str::to_owned).as_ref().map(std::slice::from_ref));
                    let literal =
                        literal.map(|text| Literals::Few(vec![Finder::new(text).into_owned()]));
                    alternatives.push(Test::Shape(shape, literal));
                }
            }
        }
        if texts.iter().any(String::is_empty) {
            alternatives = vec![Test::Always];
        } else if !texts.is_empty() {
            alternatives.insert(0, Test::Literals(Literals::new(&texts)));
        }
        Ok(LineFilter { negated, alternatives, required })
    }

    /// A filter for texts of which one must occur, or none if it is negated.
    pub(crate) fn containing(texts: &[String], negated: bool) -> LineFilter {
        let test = match texts.iter().any(String::is_empty) {
            true => Test::Always,
            false => Test::Literals(Literals::new(texts)),
        };
        let required = (!negated).then(|| texts.to_vec());
        LineFilter { negated, alternatives: vec![test], required }
    }

    /// A filter for an expression that was compiled elsewhere, from this pattern: in any case if
    /// `fold`.
    pub(crate) fn matching(regex: Regex, pattern: &str, fold: bool, negated: bool) -> LineFilter {
        let texts = match literal::required(pattern) {
            Required::Exactly(texts) if !fold => return LineFilter::containing(&texts, negated),
            Required::Exactly(texts) | Required::OneOf(texts) => Some(texts),
            Required::Unknown => None,
        };
        let literals = texts.as_ref().filter(|_| !fold).map(|texts| Literals::new(texts));
        let required = match fold {
            false => texts,
            // What occurs in any case does so in lower case, as far as ASCII goes.
            true => texts.map(|texts| texts.iter().map(|text| literal::caseless(text)).collect()),
        };
        let required = required.filter(|_| !negated);
        LineFilter { negated, alternatives: vec![Test::Regex(regex, literals)], required }
    }

    /// Whether one line is kept.
    pub(crate) fn accepts(&self, line: &[u8]) -> bool {
        self.alternatives.iter().any(|test| test.holds(line)) != self.negated
    }

    fn cost(&self) -> (usize, bool) {
        let cost = |test: &Test| match test {
            Test::Always => 0,
            Test::Literals(Literals::Few(_)) => 1,
            Test::Literals(Literals::Many(_) | Literals::AnyCase(_)) => 2,
            Test::Shape(_, Some(_)) => 3,
            Test::Regex(_, Some(_)) => 4,
            Test::Shape(_, None) => 5,
            Test::Regex(_, None) => 6,
            Test::Ip(_) => 7,
        };
        (self.alternatives.iter().map(cost).sum(), self.negated)
    }

    /// Takes out of a selection what this filter does not keep.
    fn narrow(&self, lines: &Lines, selection: &mut Selection) {
        // Few rows left: searching the whole buffer would cost more than looking at each.
        if selection.count() * 4 < selection.len() {
            let rows: Vec<usize> = selection.rows().collect();
            for row in rows {
                if !self.accepts(lines.get(row)) {
                    selection.remove(row);
                }
            }
            return;
        }
        let mut hits = Selection::none(lines.len());
        for test in &self.alternatives {
            test.mark(lines, selection, &mut hits);
        }
        if self.negated { selection.subtract(&hits) } else { selection.intersect(&hits) }
    }
}

impl Test {
    fn holds(&self, line: &[u8]) -> bool {
        match self {
            Test::Always => true,
            Test::Literals(literals) => literals.occur_in(line),
            Test::Regex(regex, _) => regex.is_match(line),
            Test::Shape(shape, _) => shape.accepts(line),
            Test::Ip(set) => set.occurs_in(line),
        }
    }

    /// Marks the rows of which this holds; rows that are not alive may be left out.
    fn mark(&self, lines: &Lines, alive: &Selection, hits: &mut Selection) {
        match self {
            Test::Always => *hits = Selection::all(lines.len()),
            Test::Literals(literals) => literals.search(lines, |row| hits.insert(row)),
            Test::Regex(_, Some(literals)) | Test::Shape(_, Some(literals)) => {
                literals.search(lines, |row| {
                    if alive.contains(row) && !hits.contains(row) && self.holds(lines.get(row)) {
                        hits.insert(row);
                    }
                });
            }
            Test::Regex(_, None) | Test::Shape(_, None) | Test::Ip(_) => {
                for row in alive.rows().filter(|row| self.holds(lines.get(*row))) {
                    hits.insert(row);
                }
            }
        }
    }
}

impl Literals {
    /// Makes ready to search for texts.
    pub(crate) fn new(texts: &[String]) -> Literals {
        if texts.len() <= FEW_MAX {
            let finders = texts.iter().map(|text| Finder::new(text.as_bytes()).into_owned());
            return Literals::Few(finders.collect());
        }
        let machine = AhoCorasick::new(texts);
        Literals::Many(machine.expect("a query's texts are far below what it can take"))
    }

    /// The same for texts that may be written in any case; `None` where they are too many.
    fn any_case(texts: &[String]) -> Option<Literals> {
        let machine = |text: &String| {
            let mut builder = RegexBuilder::new(&regex::escape(text));
            builder.case_insensitive(true).unicode(false).build().ok()
        };
        let few = texts.len() <= FEW_MAX;
        let machines = few.then(|| texts.iter().map(machine).collect::<Option<Vec<Regex>>>());
        machines.flatten().map(Literals::AnyCase)
    }

    /// Selects the rows in which one of the texts occurs.
    pub(crate) fn mark(&self, lines: &Lines, rows: &mut Selection) {
        self.search(lines, |row| rows.insert(row));
    }

    fn occur_in(&self, line: &[u8]) -> bool {
        match self {
            Literals::Few(finders) => finders.iter().any(|finder| finder.find(line).is_some()),
            Literals::Many(machine) => machine.is_match(line),
            Literals::AnyCase(machines) => machines.iter().any(|machine| machine.is_match(line)),
        }
    }

    /// Tells each row in which one of the texts occurs; a row may be told more than once.
    fn search(&self, lines: &Lines, mut tell: impl FnMut(usize)) {
        let text = lines.span();
        match self {
            Literals::Few(finders) => {
                for finder in finders {
                    let find = |at: usize| {
                        let start = at + finder.find(&text[at..])?;
                        Some((start, start + finder.needle().len()))
                    };
                    rows_of(lines, find, &mut tell);
                }
            }
            Literals::Many(machine) => {
                let find = |at: usize| {
                    let found = machine.find(Input::new(text).range(at..))?;
                    Some((found.start(), found.end()))
                };
                rows_of(lines, find, &mut tell);
            }
            Literals::AnyCase(machines) => {
                for machine in machines {
                    let find = |at: usize| {
                        let found = machine.find_at(text, at)?;
                        Some((found.start(), found.end()))
                    };
                    rows_of(lines, find, &mut tell);
                }
            }
        }
    }
}

/// Tells the rows of matches, in order. `find` gives the match that ends first at or behind a
/// position. A match that runs over the end of its row is none, and since it is the one that ends
/// first, there is none in the rest of that row either.
fn rows_of(
    lines: &Lines,
    find: impl Fn(usize) -> Option<(usize, usize)>,
    tell: &mut impl FnMut(usize),
) {
    let base = lines.offsets[0] as usize;
    let (mut row, mut at) = (0, 0);
    while let Some((start, end)) = find(at) {
        row = row_at(&lines.offsets, row, base + start);
        let row_end = lines.offsets[row + 1] as usize - base;
        if end <= row_end {
            tell(row);
        }
        at = row_end;
    }
}

/// The row that has a position, which is at or behind the start of a known row.
fn row_at(offsets: &[u32], known: usize, position: usize) -> usize {
    // Hits are often in one of the next rows; else the distance doubles until it is too far.
    let mut step = 1;
    let mut low = known;
    while low + step < offsets.len() && offsets[low + step] as usize <= position {
        low += step;
        step *= 2;
    }
    let high = (low + step).min(offsets.len());
    low + offsets[low..high].partition_point(|start| *start as usize <= position) - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filter(op: LineOp, texts: &[&str]) -> LineFilter {
        let operands = texts.iter().map(|text| LineOperand::Text((*text).to_owned())).collect();
        LineFilter::compile(&ast::LineFilter { op, operands }).expect("a good filter")
    }

    fn lines(texts: &[&str]) -> Lines {
        let mut offsets = vec![0];
        let mut bytes = Vec::new();
        for text in texts {
            bytes.extend_from_slice(text.as_bytes());
            offsets.push(u32::try_from(bytes.len()).expect("short"));
        }
        Lines { bytes: bytes.into(), offsets }
    }

    #[test]
    fn selects() {
        let lines = lines(&["", "level=info", "level=error x", "info", "multi\nline"]);
        let check = |op, texts: &[&str], expected: &[usize]| {
            let selection = LineFilters::new(vec![filter(op, texts)]).select(&lines);
            assert_eq!(selection.rows().collect::<Vec<_>>(), expected, "{op:?} {texts:?}");
        };
        check(LineOp::Contains, &["info"], &[1, 3]);
        check(LineOp::Contains, &[""], &[0, 1, 2, 3, 4]);
        check(LineOp::Contains, &["infolevel"], &[]);
        check(LineOp::Contains, &["xinfo", "error"], &[2]);
        check(LineOp::NotContains, &["info", "error"], &[0, 4]);
        check(LineOp::Matches, &["inf.level"], &[]);
        check(LineOp::Matches, &["^info$", "r x"], &[2, 3]);
        check(LineOp::Matches, &["multi.line"], &[]);
        check(LineOp::NotMatches, &["(?s)multi.line"], &[0, 1, 2, 3]);
        check(LineOp::Pattern, &["<_>=<_>"], &[1, 2]);
        check(LineOp::NotPattern, &["level=<_> x"], &[0, 1, 3, 4]);
    }

    #[test]
    fn what_a_kept_line_contains() {
        let check = |op, texts: &[&str], expected: &[&str]| {
            let filters = LineFilters::new(vec![filter(op, texts)]);
            let found: Vec<&[String]> = filters.required().collect();
            let expected = if expected.is_empty() { vec![] } else { vec![expected] };
            assert_eq!(found, expected, "{op:?} {texts:?}");
        };
        check(LineOp::Contains, &["info", "warn"], &["info", "warn"]);
        check(LineOp::Matches, &["a.b.longest", "x|y"], &["longest", "x", "y"]);
        check(LineOp::Matches, &["a.b.longest", "[ab]"], &[]);
        check(LineOp::Pattern, &["<_> took <_>"], &[" took "]);
        check(LineOp::NotContains, &["info"], &[]);
    }

    #[test]
    fn wrong_operands() {
        let check = |op, operand: LineOperand, expected: &str| {
            let filter = ast::LineFilter { op, operands: vec![operand] };
            assert_eq!(LineFilter::compile(&filter).expect_err("bad"), expected);
        };
        check(LineOp::Matches, LineOperand::Ip("10.0.0.1".into()), "ip: invalid operation");
        check(
            LineOp::Contains,
            LineOperand::Ip("999.1.1.1".into()),
            "ip: invalid pattern: \"999.1.1.1\"",
        );
        check(
            LineOp::Matches,
            LineOperand::Text("(".into()),
            "error parsing regexp: missing closing ): `(`",
        );
    }

    /// By the definition: each line alone.
    fn naive(op: LineOp, texts: &[String], line: &str) -> bool {
        let regex = |text: &str| pattern::unanchored(text).expect("good").is_match(line.as_bytes());
        match op {
            LineOp::Contains => texts.iter().any(|text| line.contains(text.as_str())),
            LineOp::NotContains => texts.iter().all(|text| !line.contains(text.as_str())),
            LineOp::Matches => texts.iter().any(|text| regex(text)),
            LineOp::NotMatches => texts.iter().all(|text| !regex(text)),
            LineOp::Pattern | LineOp::NotPattern => unreachable!("not generated"),
        }
    }

    const PATTERNS: [&str; 16] = [
        "",
        "a",
        "b",
        "ab",
        "ba",
        "a+b",
        "^a",
        "b$",
        "a.b",
        "(?s)a.b",
        "[ab]b",
        "ab.*a|bb",
        "(?i)ABA",
        "(?i)aab.*|bAbb",
        "(?i)abb[ab]",
        "(?i)BAA|a",
    ];

    proptest! {
        #[test]
        fn the_whole_buffer_says_what_each_line_says(
            texts in prop::collection::vec("[abAB\n]{0,6}", 0..90),
            filters in prop::collection::vec(
                (0..4usize, prop::collection::vec(0..PATTERNS.len(), 1..9)), 1..4),
        ) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let lines = lines(&texts);
            let filters: Vec<(usize, Vec<String>)> = filters
                .into_iter()
                .map(|(op, texts)| (op, texts.iter().map(|at| PATTERNS[*at].to_owned()).collect()))
                .collect();
            let ops = [LineOp::Contains, LineOp::NotContains, LineOp::Matches, LineOp::NotMatches];
            let compiled = filters.iter().map(|(op, texts)| {
                let operands = texts.iter().cloned().map(LineOperand::Text).collect();
                LineFilter::compile(&ast::LineFilter { op: ops[*op], operands }).expect("good")
            });
            let compiled = LineFilters::new(compiled.collect());
            let selection = compiled.select(&lines);
            for (row, line) in texts.iter().enumerate() {
                let lower = line.to_lowercase();
                let required = |texts: &[String]| {
                    texts.iter().any(|text| lower.contains(&text.to_lowercase()))
                };
                prop_assert!(!selection.contains(row) || compiled.required().all(required));
                let expected = filters.iter().all(|(op, texts)| naive(ops[*op], texts, line));
                prop_assert_eq!(selection.contains(row), expected, "{:?}", line);
                prop_assert_eq!(compiled.accepts(line.as_bytes()), expected);
            }
        }
    }
}
