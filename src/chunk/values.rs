//! Filters of metadata: which blocks cannot hold an entry with a certain name and value.
//!
//! The writer notes in a bitmap per block each pair of a name and a value that its metadata has, at
//! three places. A pair that lacks one of them is not there; one that has them says nothing. What is
//! asked for is a whole value: a part of one has nothing to do with its places.
//!
//! Eight bits for each pair: of pairs that are not there, one in 33 is taken for present, and an id
//! that is different in every entry costs a byte, where it takes 8 to 16 itself.

use std::ops::Range;

use xxhash_rust::xxh3::Xxh3Default;

use crate::model::Metadata;
use crate::model::column::{Malformed, Reader, put_varint};

/// Bits of a bitmap for each pair.
const BITS_PER_PAIR: usize = 8;
/// Places of a pair.
const N_PLACES: u32 = 3;
/// The largest bitmap, in words of 64 bits: more pairs than a block has rows and sets.
const WORDS_MAX: usize = 1 << 20;

/// A pair that is looked for, as bitmaps know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair(u64);

impl Pair {
    pub(super) fn new(name: &str, value: &str) -> Pair {
        let mut hasher = Xxh3Default::new();
        hasher.update(name.as_bytes());
        hasher.update(&[0xff]);
        hasher.update(value.as_bytes());
        Pair(hasher.digest())
    }

    /// Where it is noted in a bitmap of so many bits.
    fn places(self, n_bits: usize) -> impl Iterator<Item = usize> {
        (0..N_PLACES).map(move |at| {
            // Other bits come first each time; the upper half of a product spreads over all bits.
            let turned = u128::from(self.0.rotate_left(21 * at));
            usize::try_from((turned * n_bits as u128) >> 64).expect("below the number of bits")
        })
    }
}

/// The filters of a chunk in the making.
#[derive(Debug, Default)]
pub(super) struct Making {
    n_words: Vec<u32>,
    bitmaps: Vec<u8>,
    /// Whether any block has metadata: else there is nothing worth a section.
    any: bool,
}

impl Making {
    /// Adds the filter of the next block, whose entries have these sets.
    pub(super) fn block(&mut self, sets: &[&Metadata]) {
        let all = sets.iter().flat_map(|set| set.iter());
        let mut pairs: Vec<u64> = all.map(|(name, value)| Pair::new(name, value).0).collect();
        pairs.sort_unstable();
        pairs.dedup();
        self.any |= !pairs.is_empty();
        let n_words = (pairs.len() * BITS_PER_PAIR).div_ceil(64).clamp(1, WORDS_MAX);
        let mut words = vec![0_u64; n_words];
        for pair in pairs {
            for place in Pair(pair).places(64 * n_words) {
                words[place / 64] |= 1 << (place % 64);
            }
        }
        self.bitmaps.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        self.n_words.push(u32::try_from(n_words).expect("it is clamped"));
    }

    /// Bytes so far.
    pub(super) fn bytes(&self) -> usize {
        self.bitmaps.len()
    }

    /// Appends the section: how long each bitmap is, then all of them. Nothing where no block has
    /// metadata.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        if self.any {
            self.n_words.iter().for_each(|n| put_varint(out, u64::from(*n)));
            out.extend_from_slice(&self.bitmaps);
        }
    }
}

/// The filters of the metadata of a chunk's blocks.
#[derive(Clone, Debug)]
pub struct ValueFilters {
    bytes: bytes::Bytes,
    /// Which of `bytes` are whose.
    bitmaps: Vec<Range<usize>>,
}

impl ValueFilters {
    /// Reads the section of a chunk with this many blocks.
    pub(super) fn get(bytes: bytes::Bytes, n_blocks: usize) -> Result<ValueFilters, Malformed> {
        let mut reader = Reader::new(&bytes);
        let mut lengths = Vec::new();
        for _ in 0..n_blocks {
            let n_words = reader.count(WORDS_MAX, "size of a filter of metadata")?;
            reader.check(n_words > 0, "size of a filter of metadata")?;
            lengths.push(8 * n_words);
        }
        let mut at = bytes.len() - reader.rest().len();
        let mut bitmaps = Vec::with_capacity(lengths.len());
        for length in lengths {
            bitmaps.push(at..at + length);
            at += length;
        }
        reader.check(at == bytes.len(), "length of filters of metadata")?;
        Ok(ValueFilters { bytes, bitmaps })
    }

    /// Whether a block may hold an entry with this pair.
    pub(super) fn may_hold(&self, block: usize, pair: Pair) -> bool {
        let bitmap = &self.bytes[self.bitmaps[block].clone()];
        let holds = |place: usize| bitmap[place / 8] >> (place % 8) & 1 == 1;
        pair.places(8 * bitmap.len()).all(holds)
    }

    /// What keeping this costs, in bytes of memory.
    pub fn memory_bytes(&self) -> usize {
        self.bytes.len() + size_of_val(&*self.bitmaps)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filters(sets: &[Metadata]) -> ValueFilters {
        let mut making = Making::default();
        // The block before has something: that of no metadata is written, too.
        making.block(&[&Metadata::from_pairs([("a", "b")])]);
        making.block(&sets.iter().collect::<Vec<_>>());
        let mut section = Vec::new();
        making.put(&mut section);
        ValueFilters::get(section.into(), 2).expect("as it was written")
    }

    #[test]
    fn most_of_what_is_not_there_is_told() {
        let id = |n: u64| format!("{:032x}", u128::from(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        let sets: Vec<Metadata> = (0..5000)
            .map(|n| Metadata::from_pairs([("trace_id", id(n)), ("level", "info".into())]))
            .collect();
        let filters = filters(&sets);
        let holds = |name: &str, value: &str| filters.may_hold(1, Pair::new(name, value));
        assert!((0..5000).all(|n| holds("trace_id", &id(n))) && holds("level", "info"));
        let foreign = (5000..15_000).filter(|n| holds("trace_id", &id(*n))).count();
        assert!(foreign < 500, "{foreign} of 10,000 ids that are not there were not told apart");
        let elsewhere = (0..5000).filter(|n| holds("span_id", &id(*n))).count();
        assert!(elsewhere < 250, "{elsewhere} of 5,000 ids under another name were not told apart");
        assert!(filters.memory_bytes() < 5100, "a byte for each: {}", filters.memory_bytes());
    }

    #[test]
    fn a_block_without_metadata_has_nothing() {
        let filters = filters(&[Metadata::empty()]);
        assert!(!filters.may_hold(1, Pair::new("trace_id", "x")));
    }

    #[test]
    fn refuses_what_was_not_written() {
        let check = |bytes: &[u8], n_blocks: usize, what: &str| {
            let error = ValueFilters::get(bytes.to_vec().into(), n_blocks).expect_err("bad");
            assert!(error.to_string().contains(what), "{error}");
        };
        check(&[], 1, "size of a filter");
        check(&[0], 1, "size of a filter");
        check(&[1, 0, 0], 1, "length of filters");
        check(&[&[1][..], &[0; 9]].concat(), 1, "length of filters");
    }

    proptest! {
        #[test]
        fn what_is_there_is_never_missed(
            sets in prop::collection::vec(
                prop::collection::vec(("[a-c]{1,2}", "[a-f0-9]{0,6}"), 0..4), 0..60,
            ),
        ) {
            let sets: Vec<Metadata> = sets.into_iter().map(Metadata::from_pairs).collect();
            let filters = filters(&sets);
            for (name, value) in sets.iter().flat_map(Metadata::iter) {
                prop_assert!(filters.may_hold(1, Pair::new(name, value)));
            }
        }
    }
}
