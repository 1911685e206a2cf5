//! What is kept of the samples of a pane, per kind of function.
//!
//! Cells are added up in time: a window's cell is its panes' cells merged, first to last.

use super::wire::Wire;

/// What is kept of some samples.
pub(crate) trait Cell: Copy + Default {
    /// Adds a sample; timestamps may come in any order.
    fn add(&mut self, timestamp: i64, value: f64);

    /// Adds the samples of a later pane.
    fn merge(&mut self, later: &Self);

    /// Whether there is no sample.
    fn is_empty(&self) -> bool;
}

/// How many samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) u64);

impl Cell for Count {
    fn add(&mut self, _: i64, _: f64) {
        self.0 += 1;
    }

    fn merge(&mut self, later: &Count) {
        // What came over the wire may say anything.
        self.0 = self.0.saturating_add(later.0);
    }

    fn is_empty(&self) -> bool {
        self.0 == 0
    }
}

impl Wire for Count {
    const WORDS: usize = 1;

    fn words(&self, out: &mut impl FnMut([u8; 8])) {
        out(self.0.to_le_bytes());
    }

    fn of_words(words: &mut impl FnMut() -> [u8; 8]) -> Count {
        Count(u64::from_le_bytes(words()))
    }
}

/// The sum of the values.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    n: u64,
    pub(crate) sum: f64,
}

impl Cell for Sum {
    fn add(&mut self, _: i64, value: f64) {
        self.n += 1;
        self.sum += value;
    }

    fn merge(&mut self, later: &Sum) {
        self.n = self.n.saturating_add(later.n);
        self.sum += later.sum;
    }

    fn is_empty(&self) -> bool {
        self.n == 0
    }
}

impl Wire for Sum {
    const WORDS: usize = 2;

    fn words(&self, out: &mut impl FnMut([u8; 8])) {
        out(self.n.to_le_bytes());
        out(self.sum.to_le_bytes());
    }

    fn of_words(words: &mut impl FnMut() -> [u8; 8]) -> Sum {
        Sum { n: u64::from_le_bytes(words()), sum: f64::from_le_bytes(words()) }
    }
}

/// The mean. It does not overflow where the sum would, and infinities stay.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mean {
    n: u64,
    pub(crate) mean: f64,
}

impl Cell for Mean {
    fn add(&mut self, _: i64, value: f64) {
        self.merge(&Mean { n: 1, mean: value });
    }

    fn merge(&mut self, later: &Mean) {
        if later.n == 0 {
            return;
        }
        let before = self.n as f64;
        self.n = self.n.saturating_add(later.n);
        if before == 0.0 {
            self.mean = later.mean;
            return;
        }
        // An infinite mean stays unless the other infinity or a NaN comes.
        let opposite = later.mean.is_infinite() && later.mean != self.mean;
        if self.mean.is_infinite() && !opposite && !later.mean.is_nan() {
            return;
        }
        let n = self.n as f64;
        self.mean = self.mean * (before / n) + later.mean * (later.n as f64 / n);
    }

    fn is_empty(&self) -> bool {
        self.n == 0
    }
}

impl Wire for Mean {
    const WORDS: usize = 2;

    fn words(&self, out: &mut impl FnMut([u8; 8])) {
        out(self.n.to_le_bytes());
        out(self.mean.to_le_bytes());
    }

    fn of_words(words: &mut impl FnMut() -> [u8; 8]) -> Mean {
        Mean { n: u64::from_le_bytes(words()), mean: f64::from_le_bytes(words()) }
    }
}

/// The smallest and the largest value. NaN counts only where there is nothing else.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extremes {
    n: u64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Cell for Extremes {
    fn add(&mut self, _: i64, value: f64) {
        self.merge(&Extremes { n: 1, min: value, max: value });
    }

    fn merge(&mut self, later: &Extremes) {
        if later.n == 0 {
            return;
        }
        if self.n == 0 || later.min < self.min || self.min.is_nan() {
            self.min = later.min;
        }
        if self.n == 0 || later.max > self.max || self.max.is_nan() {
            self.max = later.max;
        }
        self.n = self.n.saturating_add(later.n);
    }

    fn is_empty(&self) -> bool {
        self.n == 0
    }
}

impl Wire for Extremes {
    const WORDS: usize = 3;

    fn words(&self, out: &mut impl FnMut([u8; 8])) {
        out(self.n.to_le_bytes());
        out(self.min.to_le_bytes());
        out(self.max.to_le_bytes());
    }

    fn of_words(words: &mut impl FnMut() -> [u8; 8]) -> Extremes {
        Extremes {
            n: u64::from_le_bytes(words()),
            min: f64::from_le_bytes(words()),
            max: f64::from_le_bytes(words()),
        }
    }
}

/// Mean and squared distances from it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moments {
    n: u64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// The population variance.
    pub(crate) fn variance(&self) -> f64 {
        self.squares / self.n as f64
    }
}

impl Cell for Moments {
    fn add(&mut self, _: i64, value: f64) {
        self.n += 1;
        let delta = value - self.mean;
        self.mean += delta / self.n as f64;
        self.squares += delta * (value - self.mean);
    }

    fn merge(&mut self, later: &Moments) {
        if self.n == 0 || later.n == 0 {
            if self.n == 0 {
                *self = *later;
            }
            return;
        }
        let (own, other) = (self.n as f64, later.n as f64);
        let delta = later.mean - self.mean;
        self.mean += delta * (other / (own + other));
        self.squares += later.squares + delta * delta * (own * other / (own + other));
        self.n = self.n.saturating_add(later.n);
    }

    fn is_empty(&self) -> bool {
        self.n == 0
    }
}

impl Wire for Moments {
    const WORDS: usize = 3;

    fn words(&self, out: &mut impl FnMut([u8; 8])) {
        out(self.n.to_le_bytes());
        out(self.mean.to_le_bytes());
        out(self.squares.to_le_bytes());
    }

    fn of_words(words: &mut impl FnMut() -> [u8; 8]) -> Moments {
        Moments {
            n: u64::from_le_bytes(words()),
            mean: f64::from_le_bytes(words()),
            squares: f64::from_le_bytes(words()),
        }
    }
}

/// The first and the last value. Of equal timestamps the one that came first is the first.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Edges {
    n: u64,
    first: (i64, f64),
    last: (i64, f64),
}

impl Edges {
    pub(crate) fn first(&self) -> f64 {
        self.first.1
    }

    pub(crate) fn last(&self) -> f64 {
        self.last.1
    }
}

impl Cell for Edges {
    fn add(&mut self, timestamp: i64, value: f64) {
        let sample = (timestamp, value);
        self.merge(&Edges { n: 1, first: sample, last: sample });
    }

    fn merge(&mut self, later: &Edges) {
        if later.n == 0 {
            return;
        }
        if self.n == 0 || later.first.0 < self.first.0 {
            self.first = later.first;
        }
        if self.n == 0 || later.last.0 >= self.last.0 {
            self.last = later.last;
        }
        self.n = self.n.saturating_add(later.n);
    }

    fn is_empty(&self) -> bool {
        self.n == 0
    }
}

impl Wire for Edges {
    const WORDS: usize = 5;

    fn words(&self, out: &mut impl FnMut([u8; 8])) {
        out(self.n.to_le_bytes());
        for (timestamp, value) in [self.first, self.last] {
            out(timestamp.to_le_bytes());
            out(value.to_le_bytes());
        }
    }

    fn of_words(words: &mut impl FnMut() -> [u8; 8]) -> Edges {
        let n = u64::from_le_bytes(words());
        let mut sample = || (i64::from_le_bytes(words()), f64::from_le_bytes(words()));
        Edges { n, first: sample(), last: sample() }
    }
}
