//! The cells of one series, pane by pane, and the windows over them.

use super::cells::Cell;
use super::points::Points;
use super::steps::Grid;

/// The cells of one series. Few of them are kept as a list, many as an array.
#[derive(Clone, Debug)]
pub(crate) enum Panes<C> {
    /// In the order they came; a pane may occur more than once.
    Few(Vec<(u32, C)>),
    Many(Vec<C>),
}

impl<C> Default for Panes<C> {
    fn default() -> Panes<C> {
        Panes::Few(Vec::new())
    }
}

impl<C: Cell> Panes<C> {
    /// The cell of a pane, to add to.
    pub(crate) fn cell(&mut self, pane: u32, n_panes: usize) -> &mut C {
        self.make_room(pane, n_panes);
        match self {
            Panes::Few(few) => {
                if few.last().is_none_or(|(own, _)| *own != pane) {
                    few.push((pane, C::default()));
                }
                &mut few.last_mut().expect("one was just put in").1
            }
            Panes::Many(many) => &mut many[pane as usize],
        }
    }

    /// Turns a list that would become longer than the array into the array.
    fn make_room(&mut self, pane: u32, n_panes: usize) {
        if let Panes::Few(few) = self
            && few.len() * 2 >= n_panes
            && few.last().is_none_or(|(own, _)| *own != pane)
        {
            *self = Panes::Many(self.cells(n_panes));
        }
    }

    /// All cells in order.
    pub(crate) fn cells(&self, n_panes: usize) -> Vec<C> {
        match self {
            Panes::Many(many) => many.clone(),
            Panes::Few(few) => {
                let mut cells = vec![C::default(); n_panes];
                for (pane, cell) in few {
                    cells[*pane as usize].merge(cell);
                }
                cells
            }
        }
    }

    /// Adds what another one has.
    pub(crate) fn merge(&mut self, other: &Panes<C>, n_panes: usize) {
        match other {
            Panes::Few(few) => {
                for (pane, cell) in few {
                    self.cell(*pane, n_panes).merge(cell);
                }
            }
            Panes::Many(many) => {
                let mut cells = self.cells(n_panes);
                for (own, theirs) in cells.iter_mut().zip(many) {
                    own.merge(theirs);
                }
                *self = Panes::Many(cells);
            }
        }
    }

    /// Bytes this takes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Panes::Few(few) => few.capacity() * size_of::<(u32, C)>(),
            Panes::Many(many) => many.capacity() * size_of::<C>(),
        }
    }

    /// The value of each window that has samples.
    pub(crate) fn windows(&self, grid: &Grid, value: impl Fn(&C) -> f64) -> Points {
        let mut points = Points::none(grid.n_windows());
        let mut sliding = Sliding::new(self.cells(grid.n_panes()));
        for i in 0..grid.n_windows() {
            let window = grid.window(i);
            let cell = sliding.window(window.start, window.end);
            if !cell.is_empty() {
                points.set(i, value(&cell));
            }
        }
        points
    }
}

/// Merges runs of cells that only move right, each cell a constant number of times: cells up to
/// `middle` are merged from the right end, so that dropping the leftmost is a look-up; those behind
/// it are merged into one as they come.
struct Sliding<C> {
    cells: Vec<C>,
    /// `suffixes[k]`: cells `k..middle` merged. Filled from the start of the last window on.
    suffixes: Vec<C>,
    middle: usize,
    end: usize,
    behind: C,
}

impl<C: Cell> Sliding<C> {
    fn new(cells: Vec<C>) -> Sliding<C> {
        let suffixes = cells.clone();
        Sliding { cells, suffixes, middle: 0, end: 0, behind: C::default() }
    }

    fn window(&mut self, start: usize, end: usize) -> C {
        if start >= self.middle {
            self.middle = end;
            self.end = end;
            self.behind = C::default();
            let mut merged = C::default();
            for at in (start..end).rev() {
                let mut cell = self.cells[at];
                cell.merge(&merged);
                merged = cell;
                self.suffixes[at] = merged;
            }
        }
        while self.end < end {
            self.behind.merge(&self.cells[self.end]);
            self.end += 1;
        }
        let mut cell = if start < self.middle { self.suffixes[start] } else { C::default() };
        cell.merge(&self.behind);
        cell
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::cells::{Edges, Extremes, Mean, Moments, Sum};
    use super::super::steps::Steps;
    use super::*;

    /// By the definition: the samples of each window in time, one by one.
    fn naive(samples: &[(i64, f64)], grid: &Grid, value: impl Fn(&[f64]) -> f64) -> Points {
        let mut samples = samples.to_vec();
        samples.sort_by_key(|(timestamp, _)| *timestamp);
        let mut points = Points::none(grid.n_windows());
        for i in 0..grid.n_windows() {
            let (lo, hi) = grid.bounds(i);
            let inside =
                samples.iter().filter(|(timestamp, _)| lo < *timestamp && *timestamp <= hi);
            let values: Vec<f64> = inside.map(|(_, value)| *value).collect();
            if !values.is_empty() {
                points.set(i, value(&values));
            }
        }
        points
    }

    fn fast<C: Cell>(samples: &[(i64, f64)], grid: &Grid, value: impl Fn(&C) -> f64) -> Points {
        let mut halves = [Panes::<C>::default(), Panes::<C>::default()];
        for (i, (timestamp, value)) in samples.iter().enumerate() {
            if let Some(pane) = grid.place(*timestamp).pane {
                halves[usize::from(i > 20)].cell(pane, grid.n_panes()).add(*timestamp, *value);
            }
        }
        let [mut all, other] = halves;
        all.merge(&other, grid.n_panes());
        all.windows(grid, value)
    }

    fn close(a: &Points, b: &Points) -> bool {
        (0..a.len()).all(|i| match (a.get(i), b.get(i)) {
            (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(1.0),
            (a, b) => a == b,
        })
    }

    proptest! {
        #[test]
        fn windows_say_what_their_samples_say(
            samples in prop::collection::btree_map(-60..60i64, -9..9i32, 0..60),
            swap in any::<bool>(),
            step in 1..9i64, n in 1..12usize, range in 0..50i64,
        ) {
            let grid = Grid::new(Steps { start: -20, step, n }, range, 0);
            let mut samples: Vec<(i64, f64)> =
                samples.into_iter().map(|(timestamp, value)| (timestamp, f64::from(value))).collect();
            if swap {
                samples.reverse();
            }
            let sum = |values: &[f64]| values.iter().sum::<f64>();
            let mean = |values: &[f64]| sum(values) / values.len() as f64;
            let variance = |values: &[f64]| {
                let mean = mean(values);
                values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / values.len() as f64
            };
            let max = |values: &[f64]| values.iter().copied().fold(f64::MIN, f64::max);
            let check = |fast: Points, naive: Points| close(&fast, &naive);
            let s = &samples;
            prop_assert!(check(fast::<Sum>(s, &grid, |c| c.sum), naive(s, &grid, sum)));
            prop_assert!(check(fast::<Mean>(s, &grid, |c| c.mean), naive(s, &grid, mean)));
            prop_assert!(check(fast::<Extremes>(s, &grid, |c| c.max), naive(s, &grid, max)));
            prop_assert!(check(fast::<Moments>(s, &grid, Moments::variance), naive(s, &grid, variance)));
            prop_assert!(check(fast::<Edges>(s, &grid, Edges::first), naive(s, &grid, |v| v[0])));
            prop_assert!(check(fast::<Edges>(s, &grid, Edges::last), naive(s, &grid, |v| v[v.len() - 1])));
        }
    }

    #[test]
    fn infinities_and_nan() {
        let mean = |values: &[f64]| {
            let mut cell = Mean::default();
            values.iter().for_each(|value| cell.add(0, *value));
            cell.mean
        };
        assert_eq!(mean(&[f64::MAX, f64::MAX]), f64::MAX);
        assert_eq!(mean(&[1.0, f64::INFINITY, 2.0]), f64::INFINITY);
        assert!(mean(&[f64::NEG_INFINITY, f64::INFINITY]).is_nan());
        let mut cell = Extremes::default();
        [f64::NAN, 2.0, f64::NAN, 1.0].iter().for_each(|value| cell.add(0, *value));
        assert_eq!((cell.min, cell.max), (1.0, 2.0));
    }
}
