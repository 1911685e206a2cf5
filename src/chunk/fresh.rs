//! What a filter has to look at of the lines of a block: not what stands at the same place of an
//! earlier line of the same length.
//!
//! Programs write the same sentences again with other numbers in them, and numbers are often as long
//! as those before. Where two lines are the same around a place, they have the same grams there, and
//! those are noted already. Measured in
//! `docs/decisions/2026-11-22-filters-of-blocks.md`.
//!
//! In: lines; out: bytes. Invariant: each gram of a line, at a place that a window *within the line*
//! takes, is in those bytes, at a place that a window takes there, or was for an earlier line. There
//! may be others, where pieces meet that did not stand together.

use std::ops::Range;

use crate::model::Lines;

/// Lengths of lines that are told apart; of two that are not, the later counts.
const LENGTHS: usize = 1024;

/// Where more than this part of lines is new, looking for it costs more than it saves. Lines of JSON
/// are such.
const SHARE_MAX: f64 = 0.8;

/// The new parts of lines.
pub(super) struct Fresh<'a> {
    lines: &'a Lines,
    /// How far a byte decides about grams, to either side.
    around: usize,
    /// The last line of each length.
    last: Vec<Option<usize>>,
    bytes: Vec<u8>,
    /// How many bytes of lines came so far, and how many of them were given out.
    n_bytes: usize,
    n_new: usize,
    /// Whether all is given out as it is.
    is_done: bool,
}

impl<'a> Fresh<'a> {
    pub(super) fn new(lines: &'a Lines, around: usize) -> Fresh<'a> {
        let last = vec![None; LENGTHS];
        Fresh { lines, around, last, bytes: Vec::new(), n_bytes: 0, n_new: 0, is_done: false }
    }

    /// What is new in these lines. They come in order, each once.
    pub(super) fn of(&mut self, rows: Range<usize>) -> &[u8] {
        let places = &self.lines.offsets;
        let all = &self.lines.bytes[places[rows.start] as usize..places[rows.end] as usize];
        if self.is_done {
            return all;
        }
        self.bytes.clear();
        for row in rows {
            let line = self.lines.get(row);
            let before = self.last[line.len() % LENGTHS].replace(row);
            let before = before.map(|row| self.lines.get(row));
            match before.filter(|before| before.len() == line.len()) {
                Some(before) => self.add_changes(line, before),
                None => self.bytes.extend_from_slice(line),
            }
        }
        self.n_bytes += all.len();
        self.n_new += self.bytes.len();
        &self.bytes
    }

    /// Ends the search where it does not pay.
    pub(super) fn judge(&mut self) {
        self.is_done |= self.n_new as f64 > self.n_bytes as f64 * SHARE_MAX;
    }

    /// Adds what of a line is not in another one of its length, and what is around that.
    fn add_changes(&mut self, line: &[u8], before: &[u8]) {
        // What is to be added, once it is known where it ends.
        let mut part = 0..0;
        let mut change = |place: usize, n_bytes: usize| {
            let start = place.saturating_sub(self.around);
            if start > part.end {
                self.bytes.extend_from_slice(&line[part.clone()]);
                part.start = start;
            }
            part.end = line.len().min(place + n_bytes + self.around);
        };
        let ((words, end), (words_before, end_before)) = (line.as_chunks(), before.as_chunks());
        for (at, (word, word_before)) in words.iter().zip(words_before).enumerate() {
            const WORD: usize = size_of::<u64>();
            if u64::from_le_bytes(*word) != u64::from_le_bytes(*word_before) {
                change(WORD * at, WORD);
            }
        }
        if end != end_before {
            change(line.len() - end.len(), end.len());
        }
        self.bytes.extend_from_slice(&line[part]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[&str], expected: &[&str]) {
        let text = Lines::from_texts(lines);
        let mut fresh = Fresh::new(&text, 2);
        let found = String::from_utf8(fresh.of(0..lines.len()).to_vec()).expect("ASCII");
        assert_eq!(found, expected.concat());
    }

    #[test]
    fn what_an_earlier_line_of_that_length_has_is_left_out() {
        check(&["", "", "a"], &["", "", "a"]);
        check(&["abc", "abc", "abd", "abcd"], &["abc", "", "abd", "abcd"]);
        let line = |a: &str, b: &str| format!("0123456789abcdef{a}0123456789abcdef{b}");
        let (first, second) = (line("<1 2 3 >", "!"), line("<1 2 4 >", "!"));
        check(&[&first, &second, &first], &[&first, "ef<1 2 4 >01", "ef<1 2 3 >01"]);
        let third = line("<1 2 4 >", "?");
        check(&[&first, &second, &third], &[&first, "ef<1 2 4 >01", "ef?"]);
        check(&[&first, &third], &[&first, "ef<1 2 4 >01ef?"]);
    }

    #[test]
    fn where_most_is_new_nothing_is_left_out_any_more() {
        let text = Lines::from_texts(&["ab", "cd", "ef", "ef", "ef", "ef"]);
        let mut fresh = Fresh::new(&text, 0);
        assert_eq!(fresh.of(0..4), b"abcdef", "six of eight");
        fresh.judge();
        assert_eq!(fresh.of(4..6), b"");
        let mut fresh = Fresh::new(&text, 0);
        assert_eq!(fresh.of(0..3), b"abcdef", "all of them");
        fresh.judge();
        assert_eq!(fresh.of(3..6), b"efefef");
    }

    #[test]
    fn lengths_that_share_a_place_are_not_taken_for_one() {
        let long = "x".repeat(LENGTHS + 3);
        check(&["xxx", &long, "xxx"], &["xxx", &long, "xxx"]);
    }
}
