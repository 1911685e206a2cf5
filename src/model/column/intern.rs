//! Numbers distinct metadata sets, one hash and no copy of the text for each.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::model::Metadata;

/// Knows which sets are in a table, and where.
///
/// The table is the owner's: every call gets the same one, and only [`Interner::number`] adds to
/// it. Numbers do not depend on the hash, only on the order in which sets come.
pub(crate) struct Interner {
    /// Drawn anew for each interner, so that nobody can send sets that all hash alike.
    seed: u64,
    text: Vec<u8>,
    numbers: HashMap<u64, u32, BuildHasherDefault<AsItIs>>,
}

impl Interner {
    /// Knows no set.
    pub(crate) fn new() -> Interner {
        Interner {
            seed: RandomState::new().hash_one(0),
            text: Vec::new(),
            numbers: HashMap::default(),
        }
    }

    /// The number of a set, which is added to the table where it is not yet there.
    pub(crate) fn number(&mut self, set: &Metadata, table: &mut Vec<Metadata>) -> u32 {
        let mut hash = self.hash(set);
        let next = u32::try_from(table.len()).expect("fewer sets than rows, fewer rows than 2^32");
        loop {
            match self.numbers.entry(hash) {
                Entry::Occupied(known) if table[*known.get() as usize] == *set => {
                    return *known.get();
                }
                // Another set with this hash: the next place that is free or has this set.
                Entry::Occupied(_) => hash = hash.wrapping_add(1),
                Entry::Vacant(free) => {
                    free.insert(next);
                    table.push(set.clone());
                    return next;
                }
            }
        }
    }

    fn hash(&mut self, set: &Metadata) -> u64 {
        self.text.clear();
        for (name, value) in set.iter() {
            // No UTF-8 has this byte, so that no two sets have the same text.
            self.text.extend_from_slice(name.as_bytes());
            self.text.push(0xff);
            self.text.extend_from_slice(value.as_bytes());
            self.text.push(0xff);
        }
        xxh3_64_with_seed(&self.text, self.seed)
    }
}

/// The hash of a number that is a hash already.
#[derive(Default)]
pub(crate) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only numbers are hashed");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_by_first_appearance() {
        let mut interner = Interner::new();
        let mut table = Vec::new();
        let mut check = |pairs: &[(&str, &str)], expected: u32| {
            let set = Metadata::from_pairs(pairs.iter().copied());
            assert_eq!(interner.number(&set, &mut table), expected, "{pairs:?}");
            assert_eq!(table[expected as usize], set);
        };
        check(&[], 0);
        check(&[("a", "b")], 1);
        check(&[("a", "")], 2);
        check(&[("a", "b"), ("c", "d")], 3);
        check(&[("a", "b")], 1);
        check(&[], 0);
        check(&[("ab", "")], 4);
    }

    /// Two sets at one place of the hash table, as if their hashes were equal.
    #[test]
    fn equal_hashes_keep_sets_apart() {
        let (a, b) = (Metadata::from_pairs([("k", "a")]), Metadata::from_pairs([("k", "b")]));
        let mut interner = Interner::new();
        let mut table = vec![a.clone()];
        let hash = interner.hash(&b);
        interner.numbers.insert(hash, 0);
        assert_eq!(interner.number(&b, &mut table), 1);
        assert_eq!(interner.number(&b, &mut table), 1);
        assert_eq!(table, [a, b]);
    }
}
