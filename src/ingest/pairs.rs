//! The structured metadata of one entry while it is read.
//!
//! Invariant: all pairs are counted, but no more are kept than an entry may have, so that a
//! message of empty pairs, two bytes each, does not grow twenty times in memory.

use std::borrow::Cow;

/// One name and value, as they came.
pub(super) type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// A buffer that is used again for every entry.
pub(super) struct Pairs<'a> {
    kept: Vec<Pair<'a>>,
    n_max: usize,
    n: usize,
    bytes: usize,
}

impl<'a> Pairs<'a> {
    /// Keeps up to `n_max` pairs.
    pub(super) fn new(n_max: usize) -> Pairs<'a> {
        Pairs { kept: Vec::new(), n_max, n: 0, bytes: 0 }
    }

    /// Forgets all pairs.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.kept.clear();
        (self.n, self.bytes) = (0, 0);
    }

    /// Counts a pair, and keeps it while there is room.
    pub(super) fn push(&mut self, name: Cow<'a, str>, value: Cow<'a, str>) {
        self.n += 1;
        self.bytes += name.len() + value.len();
        if self.kept.len() < self.n_max {
            self.kept.push((name, value));
        }
    }

    /// Counts pairs that nobody needs to keep: there are too many already.
    pub(super) fn count(&mut self, n: usize, bytes: usize) {
        self.n += n;
        self.bytes += bytes;
    }

    /// How many were pushed.
    pub(super) fn n(&self) -> usize {
        self.n
    }

    /// Bytes of all names and values that were pushed.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What was kept; that is everything unless there was too much.
    pub(super) fn kept(&mut self) -> &mut Vec<Pair<'a>> {
        &mut self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_all_and_keeps_some() {
        let mut pairs = Pairs::new(2);
        for name in ["a", "bb", "ccc"] {
            pairs.push(name.into(), "v".into());
        }
        assert_eq!((pairs.n(), pairs.bytes(), pairs.kept().len()), (3, 9, 2));
        pairs.clear();
        assert_eq!((pairs.n(), pairs.bytes(), pairs.kept().len()), (0, 0, 0));
    }
}
