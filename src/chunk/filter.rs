//! Filters: which blocks cannot hold a text, without reading them.
//!
//! The writer notes in a bitmap per block which grams (five bytes of text, in lower case) occur in
//! it. Not all of them: of every four neighbouring places the one whose first two bytes have the
//! smallest score is noted. Where a text of eight bytes or more occurs, the same places are the
//! smallest in it, so a reader derives grams from the text alone and asks for these. A gram that is
//! missing says that the text is not there; one that is present says nothing.
//!
//! The method is known as minimizers or winnowing (Schleimer, Wilkerson, Aiken: "Winnowing: local
//! algorithms for document fingerprinting", SIGMOD 2003). Measured in
//! `docs/decisions/2026-11-22-filters-of-blocks.md`; drawn in `docs/formats/chunk.md`.

use std::ops::Range;

use super::fresh::Fresh;
use super::values::{Pair, ValueFilters};
use crate::model::column::{Malformed, Reader};
use crate::model::{Labels, Lines};

/// Bytes of a gram.
const GRAM_BYTES: usize = 5;
/// Of so many neighbouring places one is noted.
const WINDOW: usize = 4;
/// How far a byte decides, to either side: which of its neighbours' places are noted, by the windows
/// that it is in, and what their grams are.
const AROUND: usize = GRAM_BYTES + WINDOW - 2;
/// A shorter text needs no filter: reading it costs no more.
const TEXT_BYTES_MIN: usize = 256;
/// The smallest and the largest bitmap, as powers of two of its bits.
const LOG_BITS: std::ops::RangeInclusive<u32> = 6..=24;
/// Lines that are looked at in one go: their new parts stay in the cache until they are noted.
const NOTED_ROWS: usize = 128;
/// Windows that are looked at in one go: what they need stays in the first cache.
const TILE: usize = 2048;

/// Appends the filter of the lines of a block, and says how many bits it has, as a power of two; 0
/// where there are none.
pub(super) fn put(lines: &Lines, out: &mut Vec<u8>) -> u8 {
    let n_bytes = lines.span().len();
    if n_bytes < TEXT_BYTES_MIN {
        return 0;
    }
    let log_bits = n_bytes.ilog2().clamp(*LOG_BITS.start(), *LOG_BITS.end());
    let mut bitmap = Bitmap(vec![0_u64; 1 << (log_bits - 6)]);
    let mut fresh = Fresh::new(lines, AROUND);
    // A bitmap with a bit per byte of text is larger than the first cache, and logs repeat
    // themselves: what its beginning has of new grams says how large the rest may make it.
    let row_at = |offset: usize| {
        let here = |place: &u32| ((place - lines.offsets[0]) as usize) < offset;
        lines.offsets.partition_point(here).min(lines.len())
    };
    let mut note = |bitmap: &mut Bitmap, rows: Range<usize>| {
        for start in rows.clone().step_by(NOTED_ROWS) {
            bitmap.note(fresh.of(start..rows.end.min(start + NOTED_ROWS)));
        }
        fresh.judge();
    };
    let (eighth, quarter) = (row_at(n_bytes / 8), row_at(n_bytes / 4));
    note(&mut bitmap, 0..eighth);
    let first = bitmap.n_set();
    note(&mut bitmap, eighth..quarter);
    let second = bitmap.n_set();
    bitmap.halve_while(|n_bits, n_set| (n_set + 6 * (second - first)) * 4 < n_bits);
    note(&mut bitmap, quarter..lines.len());
    // Of foreign grams, one in two to four is taken for present.
    bitmap.halve_while(|n_bits, n_set| n_set * 4 < n_bits);
    out.extend(bitmap.0.iter().flat_map(|word| word.to_le_bytes()));
    u8::try_from(bitmap.0.len().ilog2() + 6).expect("at most 24")
}

/// Which grams occur; its length is a power of two.
struct Bitmap(Vec<u64>);

impl Bitmap {
    fn note(&mut self, text: &[u8]) {
        let bits = &mut *self.0;
        let mask = (bits.len() - 1) as u64;
        each_gram(text, |gram| {
            let place = place(gram);
            bits[((place >> 6) & mask) as usize] |= 1 << (place & 63);
        });
    }

    fn n_set(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// Folds it as long as that holds of its bits, and of how many of them are set.
    fn halve_while(&mut self, is_sparse: impl Fn(u64, u64) -> bool) {
        while self.0.len() > 1 && is_sparse(self.0.len() as u64 * 64, self.n_set()) {
            let upper = self.0.split_off(self.0.len() / 2);
            self.0.iter_mut().zip(upper).for_each(|(word, other)| *word |= other);
        }
    }
}

/// Where a gram is noted: as many of the lower bits as the bitmap has.
fn place(gram: u64) -> u64 {
    // The multiplier is the golden ratio's; the upper bits of the product depend on all bytes.
    gram.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40
}

/// Calls for each gram of the text that stands at a noted place.
#[inline(always)]
fn each_gram(text: &[u8], mut call: impl FnMut(u64)) {
    // Two bytes have one score, so a window of four places is decided by five bytes.
    let n_windows = (text.len() + 1).saturating_sub(WINDOW + 1);
    let mut tile = Tile::default();
    for start in (0..n_windows).step_by(TILE) {
        let n = TILE.min(n_windows - start);
        let end = text.len().min(start + TILE + GRAM_BYTES + WINDOW);
        tile.load(&text[start..end]);
        tile.mark(n);
        // The last places of a text may have no whole gram.
        tile.keep((text.len() + 1).saturating_sub(start + GRAM_BYTES));
        tile.each_gram(&mut call);
    }
}

/// Some windows, with what is known of their places.
struct Tile {
    /// In lower case. Longer than the places, so that eight bytes can be read at each.
    bytes: [u8; TILE + 128],
    scores: [u8; TILE + WINDOW],
    /// 1 where a place is the smallest of a window.
    marks: [u8; TILE + 64],
    /// The marks as bits.
    words: [u64; TILE / 64 + 1],
}

impl Default for Tile {
    fn default() -> Tile {
        Tile {
            bytes: [0; TILE + 128],
            scores: [0; TILE + WINDOW],
            marks: [0; TILE + 64],
            words: [0; TILE / 64 + 1],
        }
    }
}

impl Tile {
    fn load(&mut self, text: &[u8]) {
        for (own, byte) in self.bytes.iter_mut().zip(text) {
            *own = byte.to_ascii_lowercase();
        }
    }

    /// Marks the smallest places of the first `n` windows. Plain loops over arrays of bytes: they
    /// become vector instructions.
    fn mark(&mut self, n: usize) {
        for (at, score) in self.scores.iter_mut().enumerate() {
            let (a, b) = (u16::from(self.bytes[at]), u16::from(self.bytes[at + 1]));
            *score = ((a.wrapping_mul(0x9e5b) ^ b.wrapping_mul(0x6a35)) >> 8) as u8;
        }
        // The smallest score of each window, between windows that are not there: these say 0.
        const BESIDE: usize = WINDOW - 1;
        let mut smallest = [0_u8; TILE + 2 * BESIDE];
        for (at, least) in smallest[BESIDE..][..n].iter_mut().enumerate() {
            let s = &self.scores[at..at + WINDOW];
            *least = s[0].min(s[1]).min(s[2]).min(s[3]);
        }
        // No window that a place is in has a greater least score than its own, so it is the
        // smallest of one of them where it equals the greatest.
        let places = self.marks[..TILE + BESIDE].iter_mut().zip(&self.scores);
        for (at, (mark, score)) in places.enumerate() {
            let m = smallest.get(at..at + WINDOW).unwrap_or(&[0; WINDOW]);
            *mark = u8::from(m[0].max(m[1]).max(m[2]).max(m[3]) == *score);
        }
        for (word, marks) in self.words.iter_mut().zip(self.marks.as_chunks::<64>().0) {
            *word = 0;
            for (at, eight) in marks.as_chunks::<8>().0.iter().enumerate() {
                // Eight bytes of 0 or 1 become eight bits.
                let bits = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
                *word |= bits << (8 * at);
            }
        }
        // Beyond the last window, 0 stands for nothing and may equal a score.
        self.keep(n + BESIDE);
    }

    /// Takes back the marks of all but the first places.
    fn keep(&mut self, n_places: usize) {
        let mut first = n_places;
        for word in &mut self.words {
            *word &= if first < 64 { (1 << first) - 1 } else { u64::MAX };
            first = first.saturating_sub(64);
        }
    }

    /// Calls for the gram at each marked place.
    #[inline(always)]
    fn each_gram(&self, call: &mut impl FnMut(u64)) {
        for (block, word) in self.words.iter().enumerate() {
            let here: &[u8; 72] =
                self.bytes[64 * block..].first_chunk().expect("the buffer is that much longer");
            let mut word = *word;
            while word != 0 {
                let at = (word.trailing_zeros() & 63) as usize;
                let eight = here[at..at + 8].try_into().expect("eight bytes");
                call(u64::from_le_bytes(eight) & ((1 << (8 * GRAM_BYTES)) - 1));
                word &= word - 1;
            }
        }
    }
}

/// What entries that are looked for contain: of each group of texts, at least one in the line; of each
/// group of names and values, at least one in the metadata.
#[derive(Clone, Debug, Default)]
pub struct Needles {
    groups: Vec<Vec<Grams>>,
    values: Vec<Vec<Value>>,
}

/// A name and a value of metadata that is looked for.
#[derive(Clone, Debug)]
struct Value {
    name: String,
    value: String,
    pair: Pair,
}

/// Where the grams of one text are noted.
type Grams = Vec<u64>;

impl Needles {
    /// Adds a group: one of these texts must occur, in whatever case.
    pub fn add<'a>(&mut self, texts: impl IntoIterator<Item = &'a [u8]>) {
        let mut group = Vec::new();
        for text in texts {
            let mut grams = Vec::new();
            each_gram(text, |gram| grams.push(place(gram)));
            group.push(grams);
        }
        // A text without a gram may be anywhere, and so may a group that has it.
        if !group.iter().any(Vec::is_empty) {
            self.groups.push(group);
        }
    }

    /// Adds a group: one of these names must have its value, as a label of the stream, or in the
    /// metadata where the stream has no such label.
    pub fn add_values<'a>(&mut self, values: impl IntoIterator<Item = (&'a str, &'a str)>) {
        let values = values.into_iter().map(|(name, value)| Value {
            name: name.to_owned(),
            value: value.to_owned(),
            pair: Pair::new(name, value),
        });
        self.values.push(values.collect());
    }

    /// Whether nothing can be told from the filters of lines.
    pub fn has_no_texts(&self) -> bool {
        self.groups.is_empty()
    }

    /// Whether nothing can be told from the filters of metadata.
    pub fn has_no_values(&self) -> bool {
        self.values.is_empty()
    }

    /// What entries of a stream must have in their metadata.
    pub fn values_of(&self, stream: &Labels) -> ValueNeedles {
        let is_met = |own: &Value| stream.get(&own.name) == Some(own.value.as_str());
        let open = self.values.iter().filter(|group| !group.iter().any(is_met));
        let of_entries = open.map(|group| {
            // Metadata of a name that the stream has is shown under another one.
            let left = group.iter().filter(|own| stream.get(&own.name).is_none());
            left.map(|own| own.pair).collect()
        });
        ValueNeedles(of_entries.collect())
    }
}

/// What entries of one stream must have in their metadata: of each group, one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueNeedles(Vec<Vec<Pair>>);

impl ValueNeedles {
    /// Whether a block of the stream may hold what is looked for.
    pub fn may_be_in(&self, filters: &ValueFilters, block: usize) -> bool {
        self.0.iter().all(|group| group.iter().any(|pair| filters.may_hold(block, *pair)))
    }
}

/// The filters of a chunk's blocks.
#[derive(Clone, Debug)]
pub struct Filters {
    bytes: bytes::Bytes,
    /// Which of `bytes` are whose; empty for a block that has none.
    bitmaps: Vec<Range<usize>>,
}

impl Filters {
    /// Reads the section of a chunk with this many blocks.
    pub(super) fn get(bytes: bytes::Bytes, n_blocks: usize) -> Result<Filters, Malformed> {
        let mut reader = Reader::new(&bytes);
        let sizes = reader.take(n_blocks, "sizes of filters")?;
        let mut at = n_blocks;
        let mut bitmaps = Vec::with_capacity(n_blocks);
        for log_bits in sizes {
            let known = *log_bits == 0 || LOG_BITS.contains(&u32::from(*log_bits));
            reader.check(known, "size of a filter")?;
            let n_bytes = if *log_bits == 0 { 0 } else { (1 << log_bits) / 8 };
            bitmaps.push(at..at + n_bytes);
            at += n_bytes;
        }
        reader.check(at == bytes.len(), "length of filters")?;
        Ok(Filters { bytes, bitmaps })
    }

    /// Whether a block may hold what is looked for.
    pub fn may_hold(&self, block: usize, needles: &Needles) -> bool {
        let bitmap = &self.bytes[self.bitmaps[block].clone()];
        if bitmap.is_empty() {
            return true;
        }
        let mask = bitmap.len() as u64 * 8 - 1;
        let holds = |place: &u64| {
            let bit = place & mask;
            bitmap[(bit >> 3) as usize] >> (bit & 7) & 1 == 1
        };
        needles.groups.iter().all(|group| group.iter().any(|grams| grams.iter().all(holds)))
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

    /// The grams by the definition: place by place, window by window.
    fn naive(text: &[u8]) -> Vec<u64> {
        let text = text.to_ascii_lowercase();
        let score = |at: usize| {
            let (a, b) = (u16::from(text[at]), u16::from(text[at + 1]));
            (a.wrapping_mul(0x9e5b) ^ b.wrapping_mul(0x6a35)) >> 8 & 0xff
        };
        let mut places = std::collections::BTreeSet::new();
        for window in 0..text.len().saturating_sub(WINDOW) {
            let least = (window..window + WINDOW).map(score).min().expect("four places");
            places.extend((window..window + WINDOW).filter(|at| score(*at) == least));
        }
        places.retain(|at| at + GRAM_BYTES <= text.len());
        let gram = |at: usize| {
            let mut eight = [0; 8];
            eight[..GRAM_BYTES].copy_from_slice(&text[at..at + GRAM_BYTES]);
            u64::from_le_bytes(eight)
        };
        places.into_iter().map(gram).collect()
    }

    fn filters(lines: &[&str]) -> Filters {
        let mut bitmap = Vec::new();
        let log_bits = put(&Lines::from_texts(lines), &mut bitmap);
        let section = [&[log_bits], &*bitmap].concat();
        Filters::get(section.into(), 1).expect("as it was written")
    }

    fn may_hold(filters: &Filters, texts: &[&str]) -> bool {
        let mut needles = Needles::default();
        needles.add(texts.iter().map(|text| text.as_bytes()));
        filters.may_hold(0, &needles)
    }

    /// Lines with many different words.
    fn lines() -> Vec<String> {
        let line = |n: u64| {
            let id = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            format!("level=info msg=\"Request {n} done\" id={id:016x} took={}ms", n % 97)
        };
        (0..4000).map(line).collect()
    }

    #[test]
    fn tells_what_is_not_there() {
        let lines = lines();
        let filters = filters(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(may_hold(&filters, &["Request 1234 done"]));
        assert!(may_hold(&filters, &["REQUEST 1234 DONE"]), "in whatever case");
        assert!(may_hold(&filters, &["nowhere to be found", "level=info"]), "one is enough");
        assert!(may_hold(&filters, &["abc"]), "too short to tell");
        assert!(may_hold(&filters, &["nowhere to be found", "abc"]), "and so is one of them");
        assert!(!may_hold(&filters, &["nowhere to be found"]));
        assert!(!may_hold(&filters, &["nowhere to be found", "panicked at src/main.rs"]));
        let foreign = (0..400_u64).map(|n| format!("{:016x}", (n + 1).wrapping_mul(0xc2b2_ae3d)));
        let taken = foreign.filter(|id| may_hold(&filters, &[id])).count();
        assert!(taken < 40, "{taken} of 400 ids that are not there were not told apart");
    }

    #[test]
    fn what_a_stream_has_is_not_looked_for_in_its_entries() {
        let check = |stream: &[(&str, &str)], expected: &[&[(&str, &str)]]| {
            let mut needles = Needles::default();
            needles.add_values([("trace", "x")]);
            needles.add_values([("user", "a"), ("trace", "y")]);
            let stream = Labels::from_pairs(stream.iter().copied()).expect("unique");
            let groups = expected
                .iter()
                .map(|group| group.iter().map(|(name, value)| Pair::new(name, value)).collect());
            assert_eq!(needles.values_of(&stream), ValueNeedles(groups.collect()), "{stream}");
        };
        check(&[("app", "a")], &[&[("trace", "x")], &[("user", "a"), ("trace", "y")]]);
        check(&[("trace", "x")], &[&[("user", "a")]]);
        check(&[("trace", "y")], &[&[]]);
        check(&[("trace", "z")], &[&[], &[("user", "a")]]);
        check(&[("user", "b")], &[&[("trace", "x")], &[("trace", "y")]]);
    }

    #[test]
    fn is_small() {
        let lines = Lines::from_texts(&lines());
        let mut bitmap = Vec::new();
        put(&lines, &mut bitmap);
        let n_bytes = lines.span().len();
        assert!(bitmap.len() * 12 < n_bytes, "{} of {n_bytes}", bitmap.len());
        let same = Lines::from_texts(&["level=info msg=\"nothing new\""; 10_000]);
        bitmap.clear();
        assert_eq!(put(&same, &mut bitmap), 6, "few grams, few bits");
        assert_eq!(put(&lines.slice(0..3), &mut bitmap), 0, "a short text has none");
    }

    #[test]
    fn refuses_what_was_not_written() {
        let check = |bytes: &[u8], n_blocks: usize, what: &str| {
            let error = Filters::get(bytes.to_vec().into(), n_blocks).expect_err("bad");
            assert!(error.to_string().contains(what), "{error}");
        };
        check(&[], 1, "sizes of filters");
        check(&[5], 1, "size of a filter");
        check(&[25], 1, "size of a filter");
        check(&[6, 0, 0], 1, "length of filters");
        check(&[0, 0, 9], 2, "length of filters");
    }

    proptest! {
        #[test]
        fn grams_are_those_of_the_definition(
            text in prop::collection::vec(prop::sample::select(b"abcXYZ =:019\n".to_vec()), 0..40),
            repeat in prop::sample::select(vec![1_usize, 2, 60, 200]),
        ) {
            let text = text.repeat(repeat);
            let mut found = Vec::new();
            each_gram(&text, |gram| found.push(gram));
            let mut expected = naive(&text);
            found.sort_unstable();
            found.dedup();
            expected.sort_unstable();
            expected.dedup();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn what_is_there_is_never_missed(
            text in "[a-zA-Z0-9 =]{300,9000}", at in any::<prop::sample::Index>(), length in 1..80_usize,
        ) {
            let filters = filters(&[&text]);
            let start = at.index(text.len());
            let end = (start + length).min(text.len());
            prop_assert!(may_hold(&filters, &[&text[start..end]]));
            prop_assert!(may_hold(&filters, &[&text[start..end].to_ascii_uppercase()]));
        }

        #[test]
        fn what_lines_share_is_never_missed(
            numbers in prop::collection::vec((0..200_u32, 0..3_u32, any::<bool>()), 40..90),
            at in any::<prop::sample::Index>(), length in 8..60_usize,
        ) {
            let line = |(a, b, long): &(u32, u32, bool)| {
                let end = if *long { " and the rest of a longer sentence" } else { "" };
                format!("request {a:03} of client {b} took {}.{a} ms in queue {b}{end}", a % 7)
            };
            let lines: Vec<String> = numbers.iter().map(line).collect();
            let filters = filters(&lines.iter().map(String::as_str).collect::<Vec<_>>());
            for line in &lines {
                let start = at.index(line.len());
                let needle = &line[start..(start + length).min(line.len())];
                prop_assert!(may_hold(&filters, &[needle]), "{needle:?} of {line:?}");
            }
        }
    }
}
