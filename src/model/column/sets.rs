//! Structured metadata: distinct sets by key, and which set each row has.
//!
//! In: sets in any numbering; out: the same numbered by first appearance, without those that no
//! row uses. So equal rows give equal bytes, whatever history their numbers have.

use std::collections::BTreeMap;

use super::{Malformed, Reader, packed, put_text, put_varint};
use crate::model::level::DETECTED_LEVEL;
use crate::model::{Level, Metadata, MetadataColumn};

/// Slots of a level count: one per level, then one for rows that name none in its normal form.
pub const LEVEL_SLOTS: usize = Level::ALL.len() + 1;

/// How many rows have which level. Where the last slot is zero the others tell every row's
/// `detected_level`; else some rows have none, or one that is not in its normal form.
pub type LevelCounts = [u32; LEVEL_SLOTS];

/// The slot of a set's level in [`LevelCounts`].
pub fn level_slot(set: &Metadata) -> usize {
    let level = set.get(DETECTED_LEVEL).and_then(Level::from_normal);
    level.map_or(LEVEL_SLOTS - 1, |level| level as usize)
}

/// Appends level counts.
pub(crate) fn put_levels(levels: &LevelCounts, out: &mut Vec<u8>) {
    let used = |slot: usize| u16::from(levels[slot] > 0) << slot;
    let mask: u16 = (0..LEVEL_SLOTS).map(used).sum();
    out.extend_from_slice(&mask.to_le_bytes());
    for n in levels.iter().filter(|n| **n > 0) {
        put_varint(out, u64::from(*n));
    }
}

/// Reads level counts, which must add up to the number of rows.
pub(crate) fn get_levels(reader: &mut Reader<'_>, n_rows: u32) -> Result<LevelCounts, Malformed> {
    let mask = reader.u16("levels")?;
    reader.check(mask >> LEVEL_SLOTS == 0, "levels")?;
    let mut levels = LevelCounts::default();
    let mut left = n_rows;
    for (slot, n) in levels.iter_mut().enumerate() {
        if mask >> slot & 1 == 1 {
            *n = u32::try_from(reader.count(left as usize, "level count")?)
                .expect("at most the number of rows");
            left -= *n;
        }
    }
    reader.check(left == 0, "level counts")?;
    Ok(levels)
}

/// Appends the ids of rows, and returns the sets they use after the empty one, in the order of
/// their new numbers.
pub(crate) fn pack_ids<'a>(
    sets: &'a [Metadata],
    ids: &[u32],
    out: &mut Vec<u8>,
) -> Vec<&'a Metadata> {
    assert!(sets.first().is_some_and(Metadata::is_empty), "the first set is the empty one");
    const UNSEEN: u64 = u64::MAX;
    let mut number_of = vec![UNSEEN; sets.len()];
    number_of[0] = 0;
    let mut used = Vec::new();
    // The first set is known before it occurs, so that one set for all rows is one value.
    let mut known = 2;
    let values: Vec<u64> = ids
        .iter()
        .map(|id| {
            let number = &mut number_of[*id as usize];
            if *number != UNSEEN {
                return known - *number;
            }
            used.push(&sets[*id as usize]);
            *number = used.len() as u64;
            if used.len() == 1 {
                return known - 1;
            }
            known += 1;
            0
        })
        .collect();
    packed::pack(&values, out);
    used
}

/// Reads the ids of `n` rows, which use all of `n_sets` sets, the empty one not counted.
pub(crate) fn unpack_ids(
    reader: &mut Reader<'_>,
    n: usize,
    n_sets: u32,
) -> Result<Vec<u32>, Malformed> {
    let here = reader.malformed("metadata id");
    let mut known = 2_u64;
    let mut good = true;
    let id_of = |value: u64| {
        // After a value that cannot be, ids are nonsense, but they are not used.
        let id = known.wrapping_sub(value);
        good &= id <= u64::from(n_sets);
        known += u64::from(value == 0);
        id as u32
    };
    let ids = packed::unpack(reader, n)?.into_iter().map(id_of).collect();
    if good && known == u64::from(n_sets.max(1)) + 1 { Ok(ids) } else { Err(here) }
}

/// Appends sets by key. None of them may be empty.
pub(crate) fn put_sets(sets: &[&Metadata], out: &mut Vec<u8>) {
    if sets.is_empty() {
        return;
    }
    let mut by_key: BTreeMap<&str, Vec<(usize, &str)>> = BTreeMap::new();
    for (number, set) in sets.iter().enumerate() {
        assert!(!set.is_empty(), "the empty set is not written");
        for (name, value) in set.iter() {
            by_key.entry(name).or_default().push((number, value));
        }
    }
    put_varint(out, by_key.len() as u64);
    for (name, values) in by_key {
        put_text(out, name);
        put_varint(out, values.len() as u64);
        if values.len() < sets.len() {
            let mut next = 0;
            for (number, _) in &values {
                put_varint(out, (number - next) as u64);
                next = number + 1;
            }
        }
        for (_, value) in &values {
            put_varint(out, value.len() as u64);
        }
        for (_, value) in &values {
            out.extend_from_slice(value.as_bytes());
        }
    }
}

/// Reads `n_sets` sets; in what comes back the empty set stands before them.
pub(crate) fn get_sets(reader: &mut Reader<'_>, n_sets: u32) -> Result<Vec<Metadata>, Malformed> {
    let n_sets = n_sets as usize;
    if n_sets == 0 {
        return Ok(vec![Metadata::empty()]);
    }
    // Each set has a value, and each value a length of a byte at least.
    reader.check(n_sets <= reader.rest().len(), "number of sets")?;
    let n_keys = reader.count_here("number of keys")?;
    let mut pairs: Vec<Vec<(Box<str>, Box<str>)>> = vec![Vec::new(); n_sets];
    let mut before: Option<&str> = None;
    for _ in 0..n_keys {
        let name = reader.text("key")?;
        reader.check(before.is_none_or(|before| before < name), "order of keys")?;
        before = Some(name);
        let n_had = reader.count(n_sets.min(reader.rest().len()), "number of values")?;
        reader.check(n_had > 0, "number of values")?;
        let numbers = get_numbers(reader, n_had, n_sets)?;
        let mut lengths = Vec::with_capacity(n_had);
        for _ in 0..n_had {
            lengths.push(reader.count_here("length of a value")?);
        }
        for (number, length) in numbers.into_iter().zip(lengths) {
            let here = reader.malformed("value");
            let value = reader.take(length, "value")?;
            let value = std::str::from_utf8(value).map_err(|_| here)?;
            pairs[number].push((name.into(), value.into()));
        }
    }
    reader.check(pairs.iter().all(|pairs| !pairs.is_empty()), "empty set")?;
    let sets = pairs.into_iter().map(Metadata::from_pairs);
    Ok(std::iter::once(Metadata::empty()).chain(sets).collect())
}

/// Which of `n_sets` sets have a key that `n_had` of them have.
fn get_numbers(
    reader: &mut Reader<'_>,
    n_had: usize,
    n_sets: usize,
) -> Result<Vec<usize>, Malformed> {
    if n_had == n_sets {
        return Ok((0..n_sets).collect());
    }
    let mut numbers = Vec::with_capacity(n_had);
    let mut next = 0;
    for _ in 0..n_had {
        let number = next + reader.count(n_sets, "gap")?;
        reader.check(number < n_sets, "gap")?;
        numbers.push(number);
        next = number + 1;
    }
    Ok(numbers)
}

/// A set table and ids as they are drawn up for one part of a larger column: the sets that the
/// part uses, numbered anew.
pub(crate) struct Localize {
    /// The part's number of each set, where `stamp` says that it is of this part.
    number: Vec<u32>,
    stamp: Vec<u32>,
    part: u32,
}

impl Localize {
    /// For parts of a column with `n_sets` sets, the empty one included.
    pub(crate) fn new(n_sets: usize) -> Localize {
        Localize { number: vec![0; n_sets], stamp: vec![0; n_sets], part: 0 }
    }

    /// The column of one part.
    pub(crate) fn part(&mut self, sets: &[Metadata], ids: &[u32]) -> MetadataColumn {
        self.part += 1;
        let mut own = vec![Metadata::empty()];
        (self.number[0], self.stamp[0]) = (0, self.part);
        let number = |id: &u32| {
            let at = *id as usize;
            if self.stamp[at] != self.part {
                self.stamp[at] = self.part;
                self.number[at] = u32::try_from(own.len()).expect("no more than all sets");
                own.push(sets[at].clone());
            }
            self.number[at]
        };
        let ids = ids.iter().map(number).collect();
        MetadataColumn { sets: own.into(), ids }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(pairs: &[(&str, &str)]) -> Metadata {
        Metadata::from_pairs(pairs.iter().copied())
    }

    fn bytes_of(sets: &[Metadata], ids: &[u32]) -> (Vec<u8>, u32) {
        let mut out = Vec::new();
        let used = pack_ids(sets, ids, &mut out);
        put_sets(&used, &mut out);
        (out, u32::try_from(used.len()).expect("few"))
    }

    fn read(bytes: &[u8], n: usize, n_sets: u32) -> Result<MetadataColumn, Malformed> {
        let mut reader = Reader::new(bytes);
        let ids = unpack_ids(&mut reader, n, n_sets)?;
        let sets = get_sets(&mut reader, n_sets)?;
        reader.end("end")?;
        Ok(MetadataColumn { sets: sets.into(), ids })
    }

    fn check(sets: &[Metadata], ids: &[u32], n_bytes_max: usize) {
        let (bytes, n_sets) = bytes_of(sets, ids);
        assert!(bytes.len() <= n_bytes_max, "{} bytes", bytes.len());
        let column = read(&bytes, ids.len(), n_sets).expect("what was written");
        for (row, id) in ids.iter().enumerate() {
            assert_eq!(column.get(row), &sets[*id as usize]);
        }
        for cut in 0..bytes.len() {
            assert!(read(&bytes[..cut], ids.len(), n_sets).is_err());
        }
    }

    #[test]
    fn constant_and_unique_cost_little() {
        let info = set(&[("detected_level", "info")]);
        check(&[Metadata::empty()], &[0; 200], 3);
        check(&[Metadata::empty(), info.clone()], &[1; 200], 40);
        let traces = (0..200).map(|i| set(&[("trace", &format!("{i:08}"))]));
        let sets: Vec<Metadata> = std::iter::once(Metadata::empty()).chain(traces).collect();
        let ids: Vec<u32> = (1..=200).collect();
        check(&sets, &ids, 200 * 9 + 25 + 20);
        check(&sets, &ids.iter().rev().copied().collect::<Vec<u32>>(), 200 * 9 + 25 + 20);
    }

    #[test]
    fn numbers_do_not_matter() {
        let (a, b) = (set(&[("k", "a")]), set(&[("k", "b"), ("l", "")]));
        let one = bytes_of(&[Metadata::empty(), a.clone(), b.clone()], &[2, 0, 1, 2]);
        let other = bytes_of(&[Metadata::empty(), b, set(&[("un", "used")]), a], &[1, 0, 3, 1]);
        assert_eq!(one, other);
    }

    #[test]
    fn levels() {
        let check = |pairs: &[(&str, &str)], slot: usize| assert_eq!(level_slot(&set(pairs)), slot);
        check(&[("detected_level", "trace")], 0);
        check(&[("detected_level", "unknown"), ("x", "y")], 7);
        check(&[("detected_level", "INFO")], 8);
        check(&[], 8);
        let mut out = Vec::new();
        put_levels(&[0, 3, 0, 0, 0, 0, 0, 0, 200], &mut out);
        assert_eq!(out.len(), 5);
        assert_eq!(get_levels(&mut Reader::new(&out), 203), Ok([0, 3, 0, 0, 0, 0, 0, 0, 200]));
        assert!(get_levels(&mut Reader::new(&out), 202).is_err());
        assert!(get_levels(&mut Reader::new(&out), 204).is_err());
    }

    fn some_set() -> impl Strategy<Value = Metadata> {
        prop::collection::vec(("[a-d]{1,2}", ".{0,3}"), 1..4).prop_map(Metadata::from_pairs)
    }

    proptest! {
        #[test]
        fn comes_back(
            mut sets in prop::collection::vec(some_set(), 0..12),
            rows in prop::collection::vec(any::<u32>(), 0..60),
        ) {
            sets.sort();
            sets.dedup();
            sets.insert(0, Metadata::empty());
            let n_sets = u32::try_from(sets.len()).expect("few");
            let ids: Vec<u32> = rows.iter().map(|row| row % n_sets).collect();
            check(&sets, &ids, 10_000);
            let part = Localize::new(sets.len()).part(&sets, &ids);
            for (row, id) in ids.iter().enumerate() {
                prop_assert_eq!(part.get(row), &sets[*id as usize]);
            }
        }

        #[test]
        fn survives_anything(
            bytes in prop::collection::vec(any::<u8>(), 0..60), n in 0..100_usize, n_sets in 0..9_u32,
        ) {
            if let Ok(column) = read(&bytes, n, n_sets) {
                prop_assert!(column.ids.iter().all(|id| *id <= n_sets));
            }
        }
    }
}
