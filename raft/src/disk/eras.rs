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
//! Invariants:
//! - Of one group, a later era holds later indexes.
//! - What is purged is forgotten after the commit that removes it, for readers may see the rows
//!   until then. What is cut off at the end must be forgotten before, for other entries may take
//!   its place in the same commit; until that is done nobody reads the group.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

/// An era's rows share one or two pages of the tree. Smaller ones would make purges dear: each
/// writes a page again for every era that it touches.
const ERA_BYTES: usize = 2 << 20;
/// So much of each group that writes, so that a purge finds some of its rows together where groups
/// are many.
const ERA_BYTES_PER_GROUP: usize = ERA_BYTES / 8;

/// The eras of all groups.
#[derive(Debug, Default)]
pub(super) struct Eras {
    current: u32,
    /// Written in the current era, and by how many groups.
    bytes: usize,
    n_groups: usize,
    groups: HashMap<u32, Places>,
    /// Groups that the commit under way has cut.
    cutting: Vec<u32>,
}

/// Where the entries of one group are.
#[derive(Debug)]
struct Places {
    /// The first index in each era, oldest first.
    firsts: VecDeque<(u64, u32)>,
    /// At or behind the end of the log.
    end: u64,
    /// How often it was cut.
    cuts: u64,
}

impl Default for Places {
    fn default() -> Self {
        Self { firsts: VecDeque::new(), end: u64::MAX, cuts: 0 }
    }
}

impl Places {
    /// Eras, and what of the log each may hold.
    fn runs(&self) -> impl Iterator<Item = (u32, Range<u64>)> {
        let ends = self.firsts.iter().skip(1).map(|(first, _)| *first).chain([u64::MAX]);
        self.firsts.iter().zip(ends).map(|((first, era), end)| (*era, *first..end))
    }

    /// Forgets what lies before an index.
    fn purged(&mut self, start: u64) {
        while self.firsts.get(1).is_some_and(|(next, _)| *next <= start) {
            self.firsts.pop_front();
        }
        if let Some((first, _)) = self.firsts.front_mut() {
            *first = start.max(*first);
        }
    }
}

impl Eras {
    /// Takes in the first entry of a group in an era, oldest era first; writing goes on in a new
    /// one.
    pub(super) fn found(&mut self, era: u32, group: u32, index: u64) {
        self.groups.entry(group).or_default().firsts.push_back((index, era));
        self.current = self.current.max(era + 1);
    }

    /// Takes in an entry that is to be written, behind all that the group has; the era of a large
    /// one of so many bytes.
    pub(super) fn place(&mut self, group: u32, index: u64, large: Option<usize>) -> Option<u32> {
        let places = self.groups.entry(group).or_default();
        places.end = index + 1;
        let bytes = large?;
        if self.bytes >= ERA_BYTES.max(self.n_groups * ERA_BYTES_PER_GROUP) {
            self.current += 1;
            (self.bytes, self.n_groups) = (0, 0);
        }
        self.bytes += bytes;
        if places.firsts.back().is_none_or(|(_, era)| *era != self.current) {
            places.firsts.push_back((index, self.current));
            self.n_groups += 1;
        }
        Some(self.current)
    }

    /// From here on nothing is known of a group's entries.
    pub(super) fn end(&self, group: u32) -> u64 {
        self.groups.get(&group).map_or(u64::MAX, |places| places.end)
    }

    /// The eras that hold entries of a range, in order, and which part of it each may hold: from
    /// the first of them on nothing is left out.
    pub(super) fn of(&self, group: u32, range: &Range<u64>) -> Vec<(u32, Range<u64>)> {
        let runs = self.groups.get(&group).into_iter().flat_map(Places::runs);
        let parts =
            runs.map(|(era, run)| (era, range.start.max(run.start)..range.end.min(run.end)));
        parts.filter(|(_, run)| !run.is_empty()).collect()
    }

    /// Forgets what was removed before an index.
    pub(super) fn purged(&mut self, group: u32, start: u64) {
        if let Some(places) = self.groups.get_mut(&group) {
            places.purged(start);
        }
    }

    /// Forgets what is removed from an index on.
    pub(super) fn cut(&mut self, group: u32, start: u64) {
        let places = self.groups.entry(group).or_default();
        while places.firsts.back().is_some_and(|(first, _)| *first >= start) {
            places.firsts.pop_back();
        }
        self.cutting.push(group);
    }

    /// The commit that cut something is done.
    pub(super) fn committed(&mut self) {
        for group in std::mem::take(&mut self.cutting) {
            self.groups.entry(group).or_default().cuts += 1;
        }
    }

    /// How often a group's log was cut; nothing while it is.
    pub(super) fn cuts(&self, group: u32) -> Option<u64> {
        let cuts = self.groups.get(&group).map_or(0, |places| places.cuts);
        (!self.cutting.contains(&group)).then_some(cuts)
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
        assert_eq!(eras.place(1, 7, Some(ERA_BYTES - 1)), Some(0));
        assert_eq!(eras.place(2, 0, Some(10)), Some(0));
        assert_eq!(eras.place(2, 1, None), None);
        assert_eq!(eras.place(1, 8, Some(10)), Some(1));
        assert_eq!(eras.of(1, &(0..100)), [(0, 7..8), (1, 8..100)]);
        assert_eq!(eras.of(2, &(0..100)), [(0, 0..100)]);
        assert_eq!(eras.of(3, &(0..100)), []);
        assert_eq!((eras.end(2), eras.end(3)), (2, u64::MAX));
        // After a restart the same, and a new era.
        let mut again = Eras::default();
        for (era, group, index) in [(0, 1, 7), (0, 2, 0), (1, 1, 8)] {
            again.found(era, group, index);
        }
        assert_eq!(again.of(1, &(0..100)), eras.of(1, &(0..100)));
        assert_eq!(again.place(2, 2, Some(1)), Some(2));
    }

    #[test]
    fn where_groups_are_many_an_era_holds_some_of_each() {
        let mut eras = Eras::default();
        for index in 0..10 {
            for group in 0..64 {
                assert_eq!(eras.place(group, index, Some(ERA_BYTES_PER_GROUP / 11)), Some(0));
            }
        }
    }

    #[test]
    fn nobody_reads_while_a_log_is_cut() {
        let mut eras = Eras::default();
        eras.place(1, 0, Some(10));
        assert_eq!(eras.cuts(1), Some(0));
        eras.cut(1, 0);
        eras.cut(1, 0);
        assert_eq!((eras.cuts(1), eras.cuts(2)), (None, Some(0)));
        eras.committed();
        assert!(eras.cuts(1) > Some(0));
    }

    proptest! {
        /// Against a map of every single entry.
        #[test]
        fn every_entry_is_found_where_it_was_placed(
            steps in proptest::collection::vec((0u8..9, 1u32..3, 0u64..12, 1usize..ERA_BYTES), 1..80),
        ) {
            let mut eras = Eras::default();
            let mut model: BTreeMap<(u32, u64), u32> = BTreeMap::new();
            let mut next = [0u64; 3];
            for (what, group, n, bytes) in steps {
                let end = &mut next[group as usize];
                let point = end.saturating_sub(n);
                match what {
                    0 => {
                        model.retain(|(of, index), _| *of != group || *index >= point);
                        eras.purged(group, point);
                    }
                    1 => {
                        model.retain(|(of, index), _| *of != group || *index < point);
                        eras.cut(group, point);
                        *end = point;
                    }
                    // Started anew, from what is there.
                    2 => {
                        let mut firsts: BTreeMap<(u32, u32), u64> = BTreeMap::new();
                        for ((group, index), era) in &model {
                            firsts.entry((*era, *group)).or_insert(*index);
                        }
                        eras = Eras::default();
                        for ((era, group), index) in firsts {
                            eras.found(era, group, index);
                        }
                    }
                    _ => {
                        let era = eras.place(group, *end, Some(bytes)).expect("it is large");
                        model.insert((group, *end), era);
                        *end += 1;
                    }
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
