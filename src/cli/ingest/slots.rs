//! Gives each line of a file a nanosecond of its own, so that a store of sets keeps every line.
//!
//! In: the dates of lines, in file order. Out: the same dates, moved forward to the next
//! nanosecond that no earlier line has.
//!
//! - Lines of one date keep their order.
//! - The outcome depends on the dates so far and on nothing else: a file pushed again, or pushed
//!   again when it has grown, gets the same nanoseconds.
//! - Memory is bounded: the oldest of [`RUNS_MAX`] runs of neighbouring nanoseconds is forgotten.
//!   A line can then meet an earlier one only if half a million different dates lie between them.

use std::collections::{BTreeMap, VecDeque};

use crate::model::Timestamp;

/// About 16 MiB.
const RUNS_MAX: usize = 1 << 19;

/// The nanoseconds that are taken.
pub(super) struct Slots {
    /// Runs of taken nanoseconds, start to end; no two touch.
    runs: BTreeMap<i64, i64>,
    /// Starts of runs in the order they were made; some may have been merged since.
    made: VecDeque<i64>,
    runs_max: usize,
}

impl Default for Slots {
    fn default() -> Slots {
        Slots { runs: BTreeMap::new(), made: VecDeque::new(), runs_max: RUNS_MAX }
    }
}

impl Slots {
    /// The nanosecond for a line of this date.
    pub(super) fn take(&mut self, date: Timestamp) -> Timestamp {
        let before = self.runs.range_mut(..=date.0).next_back();
        let free = match before {
            Some((_, end)) if *end >= date.0 => {
                let free = *end;
                *end += 1;
                free
            }
            _ => {
                self.runs.insert(date.0, date.0 + 1);
                self.made.push_back(date.0);
                date.0
            }
        };
        self.join(free + 1);
        if self.made.len() > self.runs_max
            && let Some(oldest) = self.made.pop_front()
        {
            self.runs.remove(&oldest);
        }
        Timestamp(free)
    }

    /// Makes one run of the two that touch at `border`.
    fn join(&mut self, border: i64) {
        if let Some(end) = self.runs.remove(&border)
            && let Some((_, before)) = self.runs.range_mut(..border).next_back()
        {
            *before = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn check(dates: &[i64], expected: &[i64]) {
        let mut slots = Slots::default();
        let taken: Vec<i64> = dates.iter().map(|date| slots.take(Timestamp(*date)).0).collect();
        assert_eq!(taken, expected);
    }

    #[test]
    fn one_nanosecond_each() {
        check(&[5, 5, 5], &[5, 6, 7]);
        check(&[5, 9, 5], &[5, 9, 6]);
        check(&[5, 5, 6, 5, 6], &[5, 6, 7, 8, 9]);
        check(&[7, 5, 6, 5], &[7, 5, 6, 8]);
        check(&[10, 9, 8, 8, 8], &[10, 9, 8, 11, 12]);
    }

    #[test]
    fn memory_is_bounded() {
        let mut slots = Slots { runs_max: 4, ..Slots::default() };
        for date in 0..100 {
            slots.take(Timestamp(date * 10));
        }
        assert!(slots.runs.len() <= 4 && slots.made.len() <= 4);
    }

    proptest! {
        #[test]
        fn like_the_naive_twin(dates in prop::collection::vec(0i64..40, 0..200)) {
            let mut slots = Slots::default();
            let mut taken = HashSet::new();
            for date in dates {
                let naive = (date..).find(|free| !taken.contains(free)).unwrap();
                prop_assert_eq!(slots.take(Timestamp(date)).0, naive);
                taken.insert(naive);
            }
        }
    }
}
