//! Where in the table of large rows an entry lies: a map in memory, found again at start.
//!
//! In come entries as they are written and ranges as they are removed; out go the eras that hold a
//! range of a group. An era is what was written, of all groups, until it had about
//! [`ERA_BYTES`].
//!
//! Rows are named era first. redb writes the page above each row that a commit adds, and were the
//! rows named by group only, that would be a page for each group of a commit: see
//! `docs/decisions/2026-11-28-large-entries-have-no-small-row.md`. Within an era rows lie by group,
//! so that a purge, which is of one group, finds them together.
//!
//! Invariant: of one group, a later era holds later indexes.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

/// An era's rows share one or two pages of the tree. Smaller ones would make purges dear: each
/// writes a page again for every era that it touches.
const ERA_BYTES: usize = 2 << 20;

/// The eras of all groups.
#[derive(Debug, Default)]
pub(super) struct Eras {
    current: u32,
    /// Written in the current era.
    bytes: usize,
    /// For each group the first index in each of its eras, oldest first.
    firsts: HashMap<u32, VecDeque<(u64, u32)>>,
    /// The index behind each group's last entry, large or small, once one was written.
    ends: HashMap<u32, u64>,
}

impl Eras {
    /// Takes in the first entry of a group in an era, oldest era first; writing goes on in a new
    /// one.
    pub(super) fn found(&mut self, era: u32, group: u32, index: u64) {
        self.firsts.entry(group).or_default().push_back((index, era));
        self.current = self.current.max(era + 1);
    }

    /// The era of an entry that is to be written, behind all that the group has.
    pub(super) fn place(&mut self, group: u32, index: u64, bytes: usize) -> u32 {
        if self.bytes >= ERA_BYTES {
            self.current += 1;
            self.bytes = 0;
        }
        self.bytes += bytes;
        let firsts = self.firsts.entry(group).or_default();
        match firsts.back() {
            Some((_, era)) if *era == self.current => {}
            _ => firsts.push_back((index, self.current)),
        }
        self.current
    }

    /// A group's log ends before this index now.
    pub(super) fn ends(&mut self, group: u32, end: u64) {
        self.ends.insert(group, end);
    }

    /// From here on nothing is known of a group's entries.
    pub(super) fn end(&self, group: u32) -> u64 {
        self.ends.get(&group).copied().unwrap_or(u64::MAX)
    }

    /// The eras that hold entries of a range, in order, and which part of it each may hold: from
    /// the first of them on nothing is left out.
    pub(super) fn of(&self, group: u32, range: &Range<u64>) -> Vec<(u32, Range<u64>)> {
        let Some(firsts) = self.firsts.get(&group) else { return Vec::new() };
        let ends = firsts.iter().skip(1).map(|(first, _)| *first).chain([u64::MAX]);
        let runs = firsts
            .iter()
            .zip(ends)
            .map(|((first, era), end)| (*era, range.start.max(*first)..range.end.min(end)));
        runs.filter(|(_, run)| !run.is_empty()).collect()
    }

    /// Forgets a range of which everything was removed.
    pub(super) fn removed(&mut self, group: u32, range: &Range<u64>) {
        let Some(firsts) = self.firsts.get_mut(&group) else { return };
        let ends = firsts.iter().skip(1).map(|(first, _)| *first).chain([u64::MAX]);
        let ends: Vec<u64> = ends.collect();
        let mut ends = ends.into_iter();
        firsts.retain_mut(|(first, _)| {
            let end = ends.next().expect("as many as there are");
            if range.contains(first) {
                *first = range.end.min(end);
            }
            *first < end
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_era_holds_so_much_of_all_groups() {
        let mut eras = Eras::default();
        assert_eq!(eras.place(1, 7, ERA_BYTES - 1), 0);
        assert_eq!(eras.place(2, 0, 10), 0);
        assert_eq!(eras.place(1, 8, 10), 1);
        assert_eq!(eras.of(1, &(0..100)), [(0, 7..8), (1, 8..100)]);
        assert_eq!(eras.of(2, &(0..100)), [(0, 0..100)]);
        assert_eq!(eras.of(3, &(0..100)), []);
        // After a restart the same, and a new era.
        let mut again = Eras::default();
        for (era, group, index) in [(0, 1, 7), (0, 2, 0), (1, 1, 8)] {
            again.found(era, group, index);
        }
        assert_eq!(again.of(1, &(0..100)), eras.of(1, &(0..100)));
        assert_eq!(again.place(2, 1, 1), 2);
    }

    proptest! {
        /// Against a map of every single entry.
        #[test]
        fn every_entry_is_found_where_it_was_placed(
            steps in proptest::collection::vec((0u8..8, 1u32..3, 0u64..12, 1usize..ERA_BYTES), 1..80),
        ) {
            let mut eras = Eras::default();
            let mut model: BTreeMap<(u32, u64), u32> = BTreeMap::new();
            let mut next = [0u64; 3];
            for (what, group, n, bytes) in steps {
                let end = &mut next[group as usize];
                let range = match what {
                    0 => 0..end.saturating_sub(n),
                    1 => end.saturating_sub(n)..u64::MAX,
                    2 => 0..u64::MAX,
                    _ => {
                        model.insert((group, *end), eras.place(group, *end, bytes));
                        *end += 1;
                        continue;
                    }
                };
                model.retain(|(of, index), _| *of != group || !range.contains(index));
                eras.removed(group, &range);
                if what == 1 {
                    *end = range.start;
                }
            }
            for group in 1..3 {
                let runs = eras.of(group, &(0..u64::MAX));
                for ((of, index), era) in &model {
                    let found = runs.iter().find(|(_, run)| run.contains(index));
                    if *of == group {
                        prop_assert_eq!(found.map(|(era, _)| era), Some(era));
                    }
                }
                let together = runs.windows(2).all(|two| two[0].1.end == two[1].1.start);
                prop_assert!(together, "{:?}", runs);
            }
        }
    }
}
