//! Lines into patterns, one line at a time, in the manner of Drain.
//!
//! A line is words and what stands between them. Words with a digit are variable from the start.
//! Lines with the same text between their words can share a pattern: they do where at least half
//! of the words agree, and the others become variable. A pattern is written with `<_>` for what
//! varies, and `|>` with that text finds the lines that made it.
//!
//! Invariant: the lines of a cluster match its pattern, whatever joined it later.

use std::collections::BTreeMap;
use std::collections::HashMap;

use xxhash_rust::xxh3::Xxh3Default;

/// Clusters of one drain: where one more comes, the least of them goes.
const CLUSTERS_MAX: usize = 300;
/// Words of a line that are looked at; what follows is variable.
const WORDS_MAX: usize = 80;
/// What stands for a variable part.
const VARIABLE: &str = "<_>";
/// Keys of a JSON line whose text is looked at instead of the line.
const MESSAGE_KEYS: [&str; 6] = ["log", "message", "msg", "msg_", "_msg", "content"];
/// Lines are counted by this many nanoseconds.
pub(crate) const COUNT_NANOS: i64 = 10_000_000_000;

/// Lines of one shape, with the times at which they came.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    level: Box<str>,
    /// `None` for a variable word.
    words: Vec<Option<Box<str>>>,
    /// Before each word.
    between: Vec<Box<str>>,
    ends: Ends,
    /// By the start of their ten seconds, in nanoseconds.
    pub(crate) counts: BTreeMap<i64, u64>,
    n: u64,
}

/// What stands before the first word and behind the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ends {
    /// Whether the words are a part of the line that anything may stand before and behind.
    inside: bool,
    /// Whether there are more words than are looked at.
    cut: bool,
    /// Behind the last word.
    last: Box<str>,
}

/// A line, split.
#[derive(Debug, Default)]
struct Split<'l> {
    words: Vec<Option<&'l str>>,
    between: Vec<&'l str>,
    last: &'l str,
    inside: bool,
    cut: bool,
}

/// Clusters in the making.
#[derive(Debug, Default)]
pub(crate) struct Drain {
    clusters: Vec<Cluster>,
    /// Which clusters can be joined, by a hash of level and text between words.
    by_frame: HashMap<u64, Vec<usize>>,
}

impl Drain {
    /// Takes in a line.
    pub(crate) fn add(&mut self, level: &str, timestamp: i64, line: &str) {
        let split = Split::of(line);
        let at = timestamp - timestamp.rem_euclid(COUNT_NANOS);
        let cluster = self.find(level, &split);
        *self.clusters[cluster].counts.entry(at).or_default() += 1;
        self.clusters[cluster].n += 1;
        self.keep_few();
    }

    /// Takes in what another drain made.
    pub(crate) fn join(&mut self, other: &Cluster) {
        let split = Split {
            words: other.words.iter().map(|word| word.as_deref()).collect(),
            between: other.between.iter().map(|text| &**text).collect(),
            last: &other.ends.last,
            inside: other.ends.inside,
            cut: other.ends.cut,
        };
        let cluster = self.find(&other.level, &split);
        let own = &mut self.clusters[cluster];
        for (at, n) in &other.counts {
            *own.counts.entry(*at).or_default() += n;
        }
        own.n += other.n;
        self.keep_few();
    }

    /// What was made, most frequent first.
    pub(crate) fn finish(self) -> Vec<Cluster> {
        let mut clusters = self.clusters;
        clusters.sort_by(|a, b| b.n.cmp(&a.n).then_with(|| a.words.cmp(&b.words)));
        clusters
    }

    /// The cluster that a line belongs to; a new one where it fits none.
    fn find(&mut self, level: &str, split: &Split<'_>) -> usize {
        let frame = split.frame(level);
        let candidates = self.by_frame.entry(frame).or_default();
        let clusters = &self.clusters;
        let score = |at: &usize| Some((clusters[*at].score(level, split)?, *at));
        if let Some((_, best)) = candidates.iter().filter_map(score).max() {
            self.clusters[best].widen(split);
            return best;
        }
        candidates.push(self.clusters.len());
        self.clusters.push(Cluster::of(level, split));
        self.clusters.len() - 1
    }

    /// Throws the least frequent away, half of the room at once.
    fn keep_few(&mut self) {
        if self.clusters.len() <= CLUSTERS_MAX {
            return;
        }
        self.clusters.sort_by_key(|cluster| std::cmp::Reverse(cluster.n));
        self.clusters.truncate(CLUSTERS_MAX / 2);
        self.by_frame.clear();
        for (at, cluster) in self.clusters.iter().enumerate() {
            self.by_frame.entry(cluster.frame()).or_default().push(at);
        }
    }
}

impl Cluster {
    fn of(level: &str, split: &Split<'_>) -> Cluster {
        Cluster {
            level: level.into(),
            words: split.words.iter().map(|word| word.map(Into::into)).collect(),
            between: split.between.iter().map(|text| (*text).into()).collect(),
            ends: Ends { inside: split.inside, cut: split.cut, last: split.last.into() },
            counts: BTreeMap::new(),
            n: 0,
        }
    }

    /// The level of its lines.
    pub(crate) fn level(&self) -> &str {
        &self.level
    }

    /// What keeping it costs.
    pub(crate) fn memory_bytes(&self) -> usize {
        let words = self.words.iter().flatten().map(|word| word.len());
        let between = self.between.iter().map(|text| text.len());
        let texts: usize = words.chain(between).sum();
        size_of::<Cluster>() + texts + 32 * self.words.len() + 48 * self.counts.len()
    }

    /// As `|>` takes it.
    pub(crate) fn pattern(&self) -> String {
        let mut out = String::from(if self.ends.inside { VARIABLE } else { "" });
        for (between, word) in self.between.iter().zip(&self.words) {
            out.push_str(between);
            out.push_str(word.as_deref().unwrap_or(VARIABLE));
        }
        out.push_str(&self.ends.last);
        if self.ends.inside || self.ends.cut {
            out.push_str(VARIABLE);
        }
        // Two captures side by side have no border.
        while out.contains("<_><_>") {
            out = out.replace("<_><_>", VARIABLE);
        }
        out
    }

    fn frame(&self) -> u64 {
        let between = self.between.iter().map(|text| &**text);
        frame(&self.level, between, &self.ends.last, self.ends.inside, self.ends.cut)
    }

    /// How many words agree, where enough of them do.
    fn score(&self, level: &str, split: &Split<'_>) -> Option<usize> {
        let same_frame = *self.level == *level
            && self.words.len() == split.words.len()
            && self.ends.inside == split.inside
            && self.ends.cut == split.cut
            && *self.ends.last == *split.last
            && self.between.iter().map(|text| &**text).eq(split.between.iter().copied());
        if !same_frame {
            return None;
        }
        let pairs = self.words.iter().zip(&split.words);
        let n = pairs.filter(|(own, word)| own.as_deref() == **word).count();
        (2 * n >= self.words.len()).then_some(n)
    }

    /// Makes variable what does not agree.
    fn widen(&mut self, split: &Split<'_>) {
        for (own, word) in self.words.iter_mut().zip(&split.words) {
            if own.as_deref() != *word {
                *own = None;
            }
        }
    }
}

impl<'l> Split<'l> {
    fn of(line: &'l str) -> Split<'l> {
        let (text, inside) = match message_of(line) {
            Some(message) => (message, true),
            None => (line, false),
        };
        let mut split = Split { inside, ..Split::default() };
        let bytes = text.as_bytes();
        let mut at = 0;
        loop {
            let start = at + bytes[at..].iter().take_while(|byte| !is_of_word(**byte)).count();
            let between = &text[at..start];
            if start == bytes.len() {
                split.last = between;
                return split;
            }
            if split.words.len() == WORDS_MAX {
                split.cut = true;
                return split;
            }
            at = start + bytes[start..].iter().take_while(|byte| is_of_word(**byte)).count();
            let word = &text[start..at];
            // `<name>` would be read as a capture.
            let in_brackets = between.ends_with('<') && bytes.get(at) == Some(&b'>');
            let variable = in_brackets || word.bytes().any(|byte| byte.is_ascii_digit());
            split.between.push(between);
            split.words.push((!variable).then_some(word));
        }
    }

    fn frame(&self, level: &str) -> u64 {
        frame(level, self.between.iter().copied(), self.last, self.inside, self.cut)
    }
}

/// A hash of all that must agree.
fn frame<'f>(
    level: &str,
    between: impl Iterator<Item = &'f str>,
    last: &str,
    inside: bool,
    cut: bool,
) -> u64 {
    let mut hasher = Xxh3Default::new();
    hasher.update(&[u8::from(inside), u8::from(cut)]);
    let mut put = |text: &str| {
        hasher.update(text.as_bytes());
        hasher.update(&[0xff]);
    };
    put(level);
    put(last);
    between.for_each(put);
    hasher.digest()
}

/// Paths, addresses, versions and numbers are one word; text beyond ASCII is of words.
fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || b"_-./+%@#$&*~^".contains(&byte)
}

/// The text of a JSON line's message as it stands there, with its escapes.
fn message_of(line: &str) -> Option<&str> {
    let trimmed = line.trim();
    (trimmed.starts_with('{') && trimmed.ends_with('}')).then_some(())?;
    let (_, fields) = crate::logql::fields::fields_of(line);
    let keys = MESSAGE_KEYS.iter();
    let found = keys.filter_map(|key| {
        let field = fields.iter().find(|field| field.path.len() == 1 && field.path[0] == **key)?;
        // Where there are no escapes the value stands in the line.
        let quoted = format!("\"{}\"", field.value);
        let at = line.find(&quoted)? + 1;
        Some(&line[at..at + field.value.len()])
    });
    found.into_iter().find(|message| !message.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::logql::{self, ast};
    use crate::model::labels::Quoted;

    fn drained(lines: &[&str]) -> Vec<(String, u64)> {
        let mut drain = Drain::default();
        lines.iter().for_each(|line| drain.add("info", 0, line));
        drain.finish().iter().map(|cluster| (cluster.pattern(), cluster.n)).collect()
    }

    #[test]
    fn patterns_of_lines() {
        let check = |lines: &[&str], expected: &[(&str, u64)]| {
            let expected: Vec<(String, u64)> =
                expected.iter().map(|(pattern, n)| (pattern.to_string(), *n)).collect();
            assert_eq!(drained(lines), expected);
        };
        check(&["Lease renewed", "Lease renewed"], &[("Lease renewed", 2)]);
        check(
            &["Synced 5 objects in 17 ms", "Synced 1 objects in 2 ms", "Lease renewed"],
            &[("Synced <_> objects in <_> ms", 2), ("Lease renewed", 1)],
        );
        check(&["user ann left", "user bob left"], &[("user <_> left", 2)]);
        check(
            &["level=info msg=\"a b\"", "level=info msg=\"a c\""],
            &[("level=info msg=\"a <_>\"", 2)],
        );
        check(&["<html> x", "<body> x"], &[("<<_>> x", 2)]);
        check(&["", ""], &[("", 2)]);
        check(
            &[r#"{"n":1,"msg":"user ann left"}"#, r#"{"n":2,"msg":"user bob left"}"#],
            &[("<_>user <_> left<_>", 2)],
        );
        check(&[&"x ".repeat(100)], &[(&format!("{}<_>", "x ".repeat(79) + "x"), 1)]);
    }

    #[test]
    fn rare_shapes_make_room_for_frequent_ones() {
        let mut drain = Drain::default();
        for round in 0..3 {
            for i in 0..1000_usize {
                let letters: String = i.to_string().bytes().map(|b| char::from(b + 49)).collect();
                drain.add("info", 0, &format!("rare {letters}{round}x"));
                drain.add("info", 0, "often seen");
                drain.add("info", 0, &format!("{}{letters}", "; ".repeat(i % 400)));
            }
        }
        let clusters = drain.finish();
        assert!(clusters.len() <= CLUSTERS_MAX);
        let mut most = clusters[..2].iter().map(|c| (c.pattern(), c.n)).collect::<Vec<_>>();
        most.sort();
        assert_eq!(most, [("often seen".into(), 3000), ("rare <_>".into(), 3000)]);
    }

    #[test]
    fn joined_clusters_count_together() {
        let mut total = Drain::default();
        for line in ["user ann left", "user bob left"] {
            let mut part = Drain::default();
            part.add("info", 25 * COUNT_NANOS / 10, line);
            part.finish().iter().for_each(|cluster| total.join(cluster));
        }
        let clusters = total.finish();
        assert_eq!((clusters.len(), clusters[0].pattern()), (1, "user <_> left".into()));
        assert_eq!(clusters[0].counts, BTreeMap::from([(2 * COUNT_NANOS, 2)]));
    }

    /// Whether `|>` finds a line.
    fn finds(pattern: &str, line: &str) -> bool {
        let query = format!("{{a=\"b\"}} |> {}", Quoted(pattern));
        let ast::Query::Log(log) = logql::parse(&query).expect("a pattern that |> takes") else {
            panic!("a log query");
        };
        let hints = logql::pipeline::Hints::default();
        let pipeline = logql::pipeline::Pipeline::compile(&log.pipeline, &hints).expect("compiles");
        let lines = crate::model::Lines::from_texts(&[line]);
        !pipeline.line_filters().select(&lines).is_empty()
    }

    proptest! {
        #[test]
        fn a_pattern_finds_its_lines(
            lines in proptest::collection::vec("([a-c1<>_]{1,3}[ =<>\":{},é]{1,2}){1,4}", 1..12),
        ) {
            let mut drain = Drain::default();
            let mut of_line = Vec::new();
            for line in &lines {
                drain.add("info", 0, line);
                of_line.push(drain.find("info", &Split::of(line)));
            }
            for (line, cluster) in lines.iter().zip(of_line) {
                let pattern = drain.clusters[cluster].pattern();
                prop_assert!(finds(&pattern, line), "{pattern:?} {line:?}");
            }
        }
    }
}
