//! Which rows go on: one bit per row.

/// A set of rows.
///
/// Invariant: bits at and above `len` are zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    words: Vec<u64>,
    len: usize,
}

impl Selection {
    /// No row of `len`.
    pub fn none(len: usize) -> Selection {
        Selection { words: vec![0; len.div_ceil(64)], len }
    }

    /// Every row of `len`.
    pub fn all(len: usize) -> Selection {
        let mut all = Selection { words: vec![u64::MAX; len.div_ceil(64)], len };
        all.trim();
        all
    }

    fn trim(&mut self) {
        let rest = self.len % 64;
        if rest != 0 {
            let last = self.words.last_mut().expect("a length that is not zero has a word");
            *last &= (1 << rest) - 1;
        }
    }

    /// How many rows there are, selected or not.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no row is selected.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// How many rows are selected.
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether a row is selected.
    pub fn contains(&self, row: usize) -> bool {
        self.words[row / 64] & (1 << (row % 64)) != 0
    }

    /// Selects a row.
    pub fn insert(&mut self, row: usize) {
        assert!(row < self.len, "row {row} of {}", self.len);
        self.words[row / 64] |= 1 << (row % 64);
    }

    /// Takes a row out.
    pub fn remove(&mut self, row: usize) {
        self.words[row / 64] &= !(1 << (row % 64));
    }

    /// Keeps the rows that the other one has too.
    pub fn intersect(&mut self, other: &Selection) {
        assert_eq!(self.len, other.len, "selections are of the same rows");
        for (own, theirs) in self.words.iter_mut().zip(&other.words) {
            *own &= theirs;
        }
    }

    /// Keeps the rows that the other one does not have.
    pub fn subtract(&mut self, other: &Selection) {
        assert_eq!(self.len, other.len, "selections are of the same rows");
        for (own, theirs) in self.words.iter_mut().zip(&other.words) {
            *own &= !theirs;
        }
    }

    /// The selected rows, first to last.
    pub fn rows(&self) -> impl Iterator<Item = usize> {
        self.words
            .iter()
            .enumerate()
            .flat_map(|(at, word)| Bits(*word).map(move |bit| at * 64 + bit))
    }

    /// The selected rows, last to first.
    pub fn rows_reversed(&self) -> impl Iterator<Item = usize> {
        let words = self.words.iter().enumerate().rev();
        words.flat_map(|(at, word)| BitsReversed(*word).map(move |bit| at * 64 + bit))
    }
}

struct Bits(u64);

impl Iterator for Bits {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let bit = self.0.trailing_zeros() as usize;
        (self.0 != 0).then(|| {
            self.0 &= self.0 - 1;
            bit
        })
    }
}

struct BitsReversed(u64);

impl Iterator for BitsReversed {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        (self.0 != 0).then(|| {
            let bit = 63 - self.0.leading_zeros() as usize;
            self.0 &= !(1 << bit);
            bit
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_rows() {
        let mut some = Selection::none(130);
        for row in [0, 63, 64, 129] {
            some.insert(row);
        }
        assert_eq!(some.rows().collect::<Vec<_>>(), [0, 63, 64, 129]);
        assert_eq!(some.rows_reversed().collect::<Vec<_>>(), [129, 64, 63, 0]);
        let mut rest = Selection::all(130);
        assert_eq!(rest.count(), 130);
        rest.subtract(&some);
        assert_eq!((rest.count(), rest.contains(63)), (126, false));
        rest.intersect(&some);
        assert!(rest.is_empty());
    }
}
