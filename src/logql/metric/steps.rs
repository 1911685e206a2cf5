//! Points in time and the windows that end in them.
//!
//! ```text
//! window i:         (t(i) - range, t(i)]         t(i) = start + i * step
//! pane boundaries:  every start and every end of a window
//! ```
//!
//! Between two neighbouring boundaries lies a pane: all samples in it are in the same windows. So a
//! sample is added to one pane, however many windows it is in, and a window is a run of panes.

use std::ops::Range;

/// The points in time at which a query is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// The first, in nanoseconds since the Unix epoch.
    pub start: i64,
    /// The distance between two, in nanoseconds; at least 1.
    pub step: i64,
    /// How many there are; at least 1.
    pub n: usize,
}

impl Steps {
    /// One point in time.
    pub fn instant(time: i64) -> Steps {
        Steps { start: time, step: 1, n: 1 }
    }

    /// `start`, `start + step`, ... up to and including `end`.
    pub fn range(start: i64, end: i64, step: i64) -> Steps {
        assert!(step > 0, "the step of a query is checked when it comes in");
        let length = i128::from(end) - i128::from(start);
        let n = usize::try_from(length.max(0) / i128::from(step)).expect("limited by the caller");
        Steps { start, step, n: n + 1 }
    }

    /// One of the points in time.
    pub fn time(&self, i: usize) -> i64 {
        let i = i64::try_from(i).expect("limited by the caller");
        self.start.saturating_add(self.step.saturating_mul(i))
    }

    /// The last point in time.
    pub fn end(&self) -> i64 {
        self.time(self.n - 1)
    }
}

/// Panes of the windows of one range aggregation.
///
/// Invariant: panes are numbered in time; a window is a run of them; starts and ends of windows
/// never go back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    /// The end of the first window, the offset taken off.
    first: i64,
    step: i64,
    n: usize,
    range: i64,
    /// Where the first window starts.
    base: i64,
    /// How many whole steps a window is long, and what is left over.
    whole: usize,
    rest: i64,
}

/// Where a timestamp falls: `lo < timestamp <= hi` all fall there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// `None`: in no window.
    pub(crate) pane: Option<u32>,
    pub(crate) lo: i64,
    pub(crate) hi: i64,
}

impl Place {
    /// The place of no timestamp.
    pub(crate) const NONE: Place = Place { pane: None, lo: 0, hi: 0 };

    /// Whether a timestamp falls here.
    pub(crate) fn has(&self, timestamp: i64) -> bool {
        self.lo < timestamp && timestamp <= self.hi
    }
}

impl Grid {
    /// The panes of windows of a length, shifted back by an offset.
    pub(crate) fn new(steps: Steps, range: i64, offset: i64) -> Grid {
        let first = steps.start.saturating_sub(offset);
        let range = range.max(0);
        // With one window the step does not matter: let it be one pane.
        let step = if steps.n == 1 { range.max(1) } else { steps.step };
        let base = first.saturating_sub(range);
        let whole = usize::try_from(range / step).expect("64 bits");
        Grid { first, step, n: steps.n, range, base, whole, rest: range % step }
    }

    /// Windows reach over each other so far that all have a middle in common.
    fn all_overlap(&self) -> bool {
        self.whole >= self.n
    }

    /// How many panes there are.
    pub(crate) fn n_panes(&self) -> usize {
        self.window(self.n - 1).end
    }

    /// How many windows there are.
    pub(crate) fn n_windows(&self) -> usize {
        self.n
    }

    /// The panes of a window.
    pub(crate) fn window(&self, i: usize) -> Range<usize> {
        if self.all_overlap() {
            i..self.n + i
        } else if self.rest == 0 {
            i..i + self.whole
        } else {
            2 * i..2 * (i + self.whole) + 1
        }
    }

    /// The start (exclusive) and the end (inclusive) of a window.
    pub(crate) fn bounds(&self, i: usize) -> (i64, i64) {
        let end = self.after(self.first, i);
        (end.saturating_sub(self.range), end)
    }

    fn after(&self, from: i64, n: usize) -> i64 {
        let n = i64::try_from(n).expect("limited by the caller");
        from.saturating_add(self.step.saturating_mul(n))
    }

    /// Where a timestamp falls.
    pub(crate) fn place(&self, timestamp: i64) -> Place {
        let last = self.after(self.first, self.n - 1);
        if timestamp <= self.base || self.range == 0 {
            let hi = if self.range == 0 { i64::MAX } else { self.base };
            return Place { pane: None, lo: i64::MIN, hi };
        }
        if timestamp > last {
            return Place { pane: None, lo: last, hi: i64::MAX };
        }
        if !self.all_overlap() {
            return self.place_in_cell(timestamp);
        }
        let middle = self.after(self.base, self.n - 1);
        if timestamp <= middle {
            let (cell, lo, _) = self.cell(self.base, timestamp);
            Place { pane: pane(cell), lo, hi: self.after(lo, 1) }
        } else if timestamp <= self.first {
            Place { pane: pane(self.n - 1), lo: middle, hi: self.first }
        } else {
            let (cell, lo, _) = self.cell(self.first, timestamp);
            Place { pane: pane(self.n + cell), lo, hi: self.after(lo, 1) }
        }
    }

    /// Which step behind an origin a timestamp is in, where that starts, how far in it is.
    fn cell(&self, origin: i64, timestamp: i64) -> (usize, i64, i64) {
        // Steps are half-open to the left: a timestamp at the end of one is still in it.
        let distance = timestamp.wrapping_sub(origin) as u64 - 1;
        let step = self.step as u64;
        let (cell, inside) = (distance / step, distance % step);
        let lo = origin.wrapping_add((cell * step) as i64);
        (usize::try_from(cell).expect("64 bits"), lo, inside as i64)
    }

    fn place_in_cell(&self, timestamp: i64) -> Place {
        let (cell, lo, inside) = self.cell(self.base, timestamp);
        let hi = self.after(lo, 1);
        let cut = lo.saturating_add(self.rest);
        if self.rest == 0 {
            Place { pane: pane(cell), lo, hi }
        } else if inside < self.rest {
            Place { pane: pane(2 * cell), lo, hi: cut }
        } else {
            // Windows shorter than a step leave gaps between them.
            let gap = self.whole == 0;
            Place { pane: if gap { None } else { pane(2 * cell + 1) }, lo: cut, hi }
        }
    }
}

fn pane(n: usize) -> Option<u32> {
    Some(u32::try_from(n).expect("four for each step, and steps are limited"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_of_steps() {
        let steps = Steps::range(10, 40, 15);
        assert_eq!((0..steps.n).map(|i| steps.time(i)).collect::<Vec<_>>(), [10, 25, 40]);
        assert_eq!(Steps::range(10, 5, 15).n, 1);
        assert_eq!(Steps::instant(7).end(), 7);
    }

    proptest! {
        /// By the definition: a timestamp's pane is in a window's run exactly if the window has it.
        #[test]
        fn panes_are_in_the_windows_of_their_timestamps(
            start in -20..20i64, step in 1..9i64, n in 1..7usize, range in 0..40i64, offset in -9..9i64,
        ) {
            let grid = Grid::new(Steps { start, step, n }, range, offset);
            for timestamp in -90..90 {
                let place = grid.place(timestamp);
                prop_assert!(place.has(timestamp));
                for i in 0..n {
                    let end = start + step * i as i64 - offset;
                    let inside = end - range < timestamp && timestamp <= end;
                    prop_assert_eq!(grid.bounds(i), (end - range, end));
                    let found = place.pane.is_some_and(|pane| grid.window(i).contains(&(pane as usize)));
                    prop_assert_eq!(found, inside, "{} in window {}", timestamp, i);
                }
                prop_assert!(place.pane.is_none_or(|pane| (pane as usize) < grid.n_panes()));
                for other in (place.lo.max(-90) + 1)..=place.hi.min(90) {
                    prop_assert_eq!(grid.place(other), place);
                }
            }
        }
    }
}
