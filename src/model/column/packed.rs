//! Unsigned integers in as few bits as they need: up to four widths a column, a tag per value.
//!
//! In: integers; out: bytes, and back. The number of values is the caller's to know and to bound:
//! a column of equal values takes three bytes however long it is.

use super::{Malformed, Reader, put_varint};

/// How the values of a column are packed.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    /// Bits of tag per value: 0, 1 or 2.
    tag_bits: u32,
    /// Bits per value, by tag; never decreasing; the first `1 << tag_bits` count.
    widths: [u32; 4],
}

/// Appends a column.
pub(crate) fn pack(values: &[u64], out: &mut Vec<u8>) {
    let Some(base) = values.iter().copied().min() else {
        return;
    };
    let mut histogram = [0_u64; 65];
    for value in values {
        histogram[bit_length(value - base) as usize] += 1;
    }
    let plan = Plan::cheapest(&histogram);
    put_varint(out, base);
    out.push(plan.tag_bits.to_le_bytes()[0]);
    for width in &plan.widths[..1 << plan.tag_bits] {
        out.push(width.to_le_bytes()[0]);
    }
    let tag_of = plan.tag_of_length();
    if plan.tag_bits > 0 {
        let mut tags = BitWriter::new(out, values.len() * plan.tag_bits as usize);
        for value in values {
            let tag = tag_of[bit_length(value - base) as usize];
            tags.put(u64::from(tag), plan.tag_bits);
        }
        tags.finish();
    }
    let width_of = tag_of.map(|tag| plan.widths[usize::from(tag)]);
    let n_bits = histogram.iter().zip(width_of).map(|(n, width)| *n as usize * width as usize);
    let mut bits = BitWriter::new(out, n_bits.sum());
    for value in values {
        let more = value - base;
        bits.put(more, width_of[bit_length(more) as usize]);
    }
    bits.finish();
}

/// Reads a column of `n` values.
pub(crate) fn unpack(reader: &mut Reader<'_>, n: usize) -> Result<Vec<u64>, Malformed> {
    if n == 0 {
        return Ok(Vec::new());
    }
    let base = reader.varint("base")?;
    let tag_bits = u32::from(reader.u8("tag bits")?);
    reader.check(tag_bits <= 2, "tag bits")?;
    let mut widths = [0_u32; 4];
    for width in &mut widths[..1 << tag_bits] {
        *width = u32::from(reader.u8("width")?);
        reader.check(*width <= 64, "width")?;
    }
    let n_tag_bits = n.checked_mul(tag_bits as usize).ok_or(reader.malformed("tags"))?;
    let tags = reader.take(n_tag_bits.div_ceil(8), "tags")?;
    let here = reader.malformed("values");
    let mut bits = BitReader { bytes: reader.rest(), at: 0 };
    let mut values = vec![base; n];
    let n_fast = if n >= FAST_VALUES_MIN && widths.iter().all(|width| *width <= FAST_WIDTH_MAX) {
        unpack_fast(&Plan { tag_bits, widths }, tags, &mut bits, &mut values)
    } else {
        0
    };
    for (row, value) in values.iter_mut().enumerate().skip(n_fast) {
        let tag = match tag_bits {
            0 => 0,
            1 => tags[row / 8] >> (row % 8) & 1,
            _ => tags[row / 4] >> (row % 4 * 2) & 3,
        };
        let more = bits.get(widths[usize::from(tag)]).ok_or(here)?;
        *value = value.wrapping_add(more);
    }
    reader.take(bits.at.div_ceil(8), "values")?;
    Ok(values)
}

/// Columns below this are not worth a table.
const FAST_VALUES_MIN: usize = 128;

/// Values that are found in one word wherever in a byte they start.
const FAST_WIDTH_MAX: u32 = 57;

/// Where the values of a group of four stand: the group's tags say.
#[derive(Clone, Copy, Default)]
struct Group {
    /// Bits before each value. Three of the greatest width fit.
    starts: [u8; 4],
    widths: [u8; 4],
    n_bits: u8,
}

/// Adds the values to `out` group by group, as long as there are whole groups and words, and says
/// how many. Which bits a value has depends on the tags alone, through a table, so that the
/// values of a group do not wait for one another.
fn unpack_fast(plan: &Plan, tags: &[u8], bits: &mut BitReader<'_>, out: &mut [u64]) -> usize {
    let table: [Group; 256] = std::array::from_fn(|tags| plan.group(tags));
    // A group takes at most 29 bytes, and a word is read from each byte.
    const WINDOW: usize = 40;
    let mut n = 0;
    for (number, group) in out.chunks_exact_mut(4).enumerate() {
        let tags = match plan.tag_bits {
            0 => 0,
            1 => tags[number / 2] >> (number % 2 * 4) & 15,
            _ => tags[number],
        };
        let Some(window) = bits.bytes.get(bits.at / 8..).and_then(|b| b.first_chunk::<WINDOW>())
        else {
            break;
        };
        let Group { starts, widths, n_bits } = table[usize::from(tags)];
        for ((value, start), width) in group.iter_mut().zip(starts).zip(widths) {
            let at = bits.at % 8 + usize::from(start);
            // At most 7 + 3 * 57 bits, and so 22 bytes, stand before a value.
            let byte = (at / 8) & 31;
            let word: [u8; 8] = window[byte..byte + 8].try_into().expect("eight bytes");
            let word = u64::from_le_bytes(word) >> (at % 8);
            *value = value.wrapping_add(word & ((1 << (width & 63)) - 1));
        }
        bits.at += usize::from(n_bits);
        n += 4;
    }
    n
}

impl Plan {
    /// The plan with the fewest bits for values of which `histogram[length]` have that bit length.
    fn cheapest(histogram: &[u64; 65]) -> Plan {
        // Only lengths that occur can be the widths of a cheapest plan. `below[i]` counts values
        // shorter than the i-th of them.
        let mut lengths = [0_u32; 65];
        let mut below = [0_u64; 66];
        let mut m = 0;
        for (length, n) in (0_u32..).zip(histogram) {
            if *n > 0 {
                lengths[m] = length;
                below[m + 1] = below[m] + n;
                m += 1;
            }
        }
        assert!(m > 0, "an empty column is not planned");
        let n = below[m];
        // cost[k][i]: bits of the i + 1 shortest lengths in k + 1 widths; from[k][i]: where the
        // widest of them starts.
        let mut cost = [[u64::MAX; 65]; 4];
        let mut from = [[0_usize; 65]; 4];
        for i in 0..m {
            cost[0][i] = below[i + 1] * u64::from(lengths[i]);
            for k in 1..4 {
                for start in 1..=i {
                    let widest = (below[i + 1] - below[start]) * u64::from(lengths[i]);
                    let total = cost[k - 1][start - 1].saturating_add(widest);
                    if total < cost[k][i] {
                        cost[k][i] = total;
                        from[k][i] = start;
                    }
                }
            }
        }
        let mut best = (u64::MAX, 0, 0);
        for (tag_bits, n_widths) in [(0, 1), (1, 2), (2, 4)] {
            // With fewer lengths than widths, the widths that are left over stay unused.
            for (k, cost) in cost.iter().enumerate().take(n_widths.min(m)) {
                let total = cost[m - 1].saturating_add(n * u64::from(tag_bits));
                if total < best.0 {
                    best = (total, tag_bits, k);
                }
            }
        }
        let (_, tag_bits, k) = best;
        let mut widths = [lengths[m - 1]; 4];
        let mut end = m - 1;
        for slot in (1..=k).rev() {
            widths[slot] = lengths[end];
            end = from[slot][end] - 1;
        }
        widths[0] = lengths[end];
        Plan { tag_bits, widths }
    }

    /// Where the values of a group stand whose tags are the lowest bits of `tags`.
    fn group(&self, tags: usize) -> Group {
        let mut group = Group::default();
        for value in 0..4 {
            let tag = tags >> (value * self.tag_bits) & ((1 << self.tag_bits) - 1);
            let width = self.widths[tag].to_le_bytes()[0];
            group.starts[value as usize] = group.n_bits;
            group.widths[value as usize] = width;
            group.n_bits += width;
        }
        group
    }

    /// The tag of each bit length up to the greatest width.
    fn tag_of_length(&self) -> [u8; 65] {
        let widths = &self.widths[..1 << self.tag_bits];
        std::array::from_fn(|length| {
            let tag = widths.iter().position(|width| length <= *width as usize);
            tag.map_or(0, |tag| tag.to_le_bytes()[0])
        })
    }
}

/// How many bits a value needs; none for 0.
fn bit_length(value: u64) -> u32 {
    u64::BITS - value.leading_zeros()
}

/// Appends bits, lowest first: whole words, each over the end of the one before, so that nothing is
/// asked per value.
struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    /// Where `word` starts. All before is written.
    at: usize,
    word: u64,
    /// Bits of `word` that are taken, below 8.
    taken: u32,
}

impl BitWriter<'_> {
    /// Makes room for so many bits.
    fn new(out: &mut Vec<u8>, n_bits: usize) -> BitWriter<'_> {
        let at = out.len();
        out.resize(at + n_bits.div_ceil(8) + size_of::<u64>(), 0);
        BitWriter { out, at, word: 0, taken: 0 }
    }

    /// The value must fit the width.
    #[inline]
    fn put(&mut self, value: u64, width: u32) {
        debug_assert!(bit_length(value) <= width, "the plan's width holds the value");
        if width > u64::BITS - 8 {
            self.put_short(value & u64::from(u32::MAX), 32);
            self.put_short(value >> 32, width - 32);
        } else {
            self.put_short(value, width);
        }
    }

    /// What fits into a word whose first byte is partly taken.
    #[inline]
    fn put_short(&mut self, value: u64, width: u32) {
        self.word |= value << self.taken;
        self.out[self.at..][..size_of::<u64>()].copy_from_slice(&self.word.to_le_bytes());
        let total = self.taken + width;
        self.at += (total / 8) as usize;
        self.word >>= total / 8 * 8;
        self.taken = total % 8;
    }

    fn finish(self) {
        self.out.truncate(self.at + usize::from(self.taken > 0));
    }
}

/// Reads bits, lowest first.
struct BitReader<'a> {
    bytes: &'a [u8],
    /// Bits read so far.
    at: usize,
}

impl BitReader<'_> {
    /// `None` past the end.
    #[inline(always)]
    fn get(&mut self, width: u32) -> Option<u64> {
        let (byte, shift) = (self.at / 8, (self.at % 8) as u32);
        self.at += width as usize;
        let Some(word) = self.bytes.get(byte..).and_then(|rest| rest.first_chunk::<8>()) else {
            return self.get_near_end(byte, shift, width);
        };
        let low = u64::from_le_bytes(*word) >> shift;
        if width + shift <= 64 {
            return Some(low & mask(width));
        }
        let high = u64::from(*self.bytes.get(byte + 8)?) << (64 - shift);
        Some((low | high) & mask(width))
    }

    /// The last bytes, where no whole word is left.
    #[cold]
    fn get_near_end(&self, byte: usize, shift: u32, width: u32) -> Option<u64> {
        let rest = self.bytes.get(byte..)?;
        if rest.len() * 8 < (width + shift) as usize {
            return None;
        }
        let mut word = [0_u8; 8];
        word[..rest.len()].copy_from_slice(rest);
        Some((u64::from_le_bytes(word) >> shift) & mask(width))
    }
}

#[inline(always)]
fn mask(width: u32) -> u64 {
    u64::MAX.checked_shr(64 - width).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packed(values: &[u64]) -> Vec<u8> {
        let mut out = Vec::new();
        pack(values, &mut out);
        out
    }

    fn unpacked(bytes: &[u8], n: usize) -> Result<Vec<u64>, Malformed> {
        let mut reader = Reader::new(bytes);
        let values = unpack(&mut reader, n)?;
        reader.end("end")?;
        Ok(values)
    }

    /// The naive twin: one bit at a time.
    fn naive(bytes: &[u8], n: usize) -> Vec<u64> {
        let mut reader = Reader::new(bytes);
        let base = reader.varint("base").expect("a base");
        let tag_bits = usize::from(reader.u8("tag bits").expect("tag bits"));
        let widths = reader.take(1 << tag_bits, "widths").expect("widths");
        let tags = reader.take((n * tag_bits).div_ceil(8), "tags").expect("tags");
        let bit = |bytes: &[u8], at: usize| u64::from(bytes[at / 8] >> (at % 8)) & 1;
        let mut at = 0;
        let mut value_of = |row: usize| {
            let tag: u64 = (0..tag_bits).map(|i| bit(tags, row * tag_bits + i) << i).sum();
            let width = usize::from(widths[usize::try_from(tag).expect("below 4")]);
            let value: u64 = (0..width).map(|i| bit(reader.rest(), at + i) << i).sum();
            at += width;
            base + value
        };
        (0..n).map(&mut value_of).collect()
    }

    #[test]
    fn sizes() {
        let check = |values: &[u64], n_bytes: usize| {
            let bytes = packed(values);
            assert_eq!(bytes.len(), n_bytes, "{values:?}");
            assert_eq!(unpacked(&bytes, values.len()).as_deref(), Ok(values));
        };
        check(&[], 0);
        check(&[7], 3);
        check(&[7; 1000], 3);
        check(&[0, u64::MAX], 13);
        check(&[u64::MAX, u64::MAX - 1], 13);
        // 100 values of 4 bits, 100 of 33: two widths and a tag of one bit.
        let mixed: Vec<u64> = (0..100).flat_map(|i| [i % 16, (1 << 33) - 1 - i]).collect();
        check(&mixed, 4 + 25 + (100 * 37_usize).div_ceil(8));
    }

    /// Every way to choose widths, tried one after another.
    #[test]
    fn the_plan_is_the_cheapest() {
        let bits = |histogram: &[u64; 65], tag_bits: u32, widths: &[usize]| -> u64 {
            let of = |length: usize| widths.iter().find(|width| length <= **width).copied();
            let value_bits = histogram.iter().enumerate().filter(|(_, n)| **n > 0);
            let value_bits =
                value_bits.map(|(length, n)| n * of(length).map_or(1 << 40, |w| w as u64));
            value_bits.sum::<u64>() + u64::from(tag_bits) * histogram.iter().sum::<u64>()
        };
        for seed in 1..200_u64 {
            let mut histogram = [0_u64; 65];
            for (i, n) in histogram.iter_mut().take(14).enumerate() {
                let random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(i as u32 * 5);
                *n = if random % 3 == 0 { random % 1000 } else { 0 };
            }
            histogram[13] += 1;
            let plan = Plan::cheapest(&histogram);
            let widths: Vec<usize> =
                plan.widths[..1 << plan.tag_bits].iter().map(|w| *w as usize).collect();
            let mut best = bits(&histogram, 0, &[13]);
            for a in 0..13 {
                best = best.min(bits(&histogram, 1, &[a, 13]));
                for b in a..13 {
                    for c in b..13 {
                        best = best.min(bits(&histogram, 2, &[a, b, c, 13]));
                    }
                }
            }
            assert_eq!(bits(&histogram, plan.tag_bits, &widths), best, "{histogram:?} {plan:?}");
        }
    }

    fn columns() -> impl Strategy<Value = Vec<u64>> {
        let value = prop_oneof![
            Just(0_u64),
            Just(u64::MAX),
            0..16_u64,
            1_000_000..1_001_000_u64,
            (0..64_u32, any::<u64>()).prop_map(|(shift, value)| value >> shift),
        ];
        prop_oneof![prop::collection::vec(value, 0..200), prop::collection::vec(5..9_u64, 0..200),]
    }

    proptest! {
        #[test]
        fn comes_back(values in columns()) {
            let bytes = packed(&values);
            prop_assert_eq!(unpacked(&bytes, values.len()), Ok(values.clone()));
            if !values.is_empty() {
                prop_assert_eq!(naive(&bytes, values.len()), values.clone());
            }
            for cut in 0..bytes.len() {
                prop_assert!(unpacked(&bytes[..cut], values.len()).is_err());
            }
        }

        #[test]
        fn survives_anything(bytes in prop::collection::vec(any::<u8>(), 0..60), n in 0..500_usize) {
            if let Ok(values) = unpacked(&bytes, n) {
                prop_assert_eq!(values.len(), n);
            }
        }
    }
}
