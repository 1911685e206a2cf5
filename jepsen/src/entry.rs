//! What is pushed: an entry is its client and its number, and everything else follows from these.
//!
//! ```text
//! pair  = number / 2                     two entries of a client share a timestamp
//! time  = T + pair * 1 ms + client ns
//! part  = number / 8 % PARTS             the stream {app="jepsen", part="7"}
//! line  = client=3 seq=17 pad=5f2c... sum=<checksum of what is before it>
//! ```
//!
//! A line that comes back is taken for an entry only if its checksum, its time and its stream are
//! those of the entry it names.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::random::Random;

/// 2023-11-14T22:13:20Z.
pub(crate) const T: u64 = 1_700_000_000_000_000_000;
/// Nanoseconds between two pairs; clients' numbers are below it.
const PAIR_NS: u64 = 1_000_000;
/// Entries in a row that go to one stream.
const ENTRIES_PER_PART: u32 = 8;
/// Streams: enough to touch every shard, few enough that each is written all the time.
pub(crate) const PARTS: u32 = 12;
/// Longest filler of a line, in words of 16 digits.
const PAD_WORDS_MAX: u64 = 12;

/// One pushed line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Entry {
    pub(crate) client: u16,
    pub(crate) seq: u32,
}

impl Entry {
    /// Its timestamp in nanoseconds.
    pub(crate) fn time(self) -> u64 {
        T + u64::from(self.seq / 2) * PAIR_NS + u64::from(self.client)
    }

    /// Which stream it belongs to.
    pub(crate) fn part(self) -> u32 {
        self.seq / ENTRIES_PER_PART % PARTS
    }

    /// Its text.
    pub(crate) fn line(self) -> String {
        let mut random = Random::new((u64::from(self.client) << 32) | u64::from(self.seq));
        let mut line = format!("client={} seq={} pad=", self.client, self.seq);
        for _ in 0..random.below(PAD_WORDS_MAX) {
            line.push_str(&format!("{:016x}", random.next()));
        }
        let sum = checksum(&line);
        line.push_str(&format!(" sum={sum:016x}"));
        line
    }

    /// The entry that came back, or `None` for anything that was not pushed like this.
    pub(crate) fn parse(time: u64, part: &str, line: &str) -> Option<Entry> {
        let (text, sum) = line.rsplit_once(" sum=")?;
        if u64::from_str_radix(sum, 16) != Ok(checksum(text)) {
            return None;
        }
        let mut words = text.split(' ');
        let client = words.next()?.strip_prefix("client=")?.parse().ok()?;
        let seq = words.next()?.strip_prefix("seq=")?.parse().ok()?;
        let entry = Entry { client, seq };
        (entry.time() == time && part.parse() == Ok(entry.part()) && entry.line() == line)
            .then_some(entry)
    }
}

/// FNV-1a: any flipped bit changes it.
fn checksum(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// What a read asks for: all entries of these pairs, of one part or of all.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Selection {
    pub(crate) pairs: Range<u32>,
    pub(crate) part: Option<u32>,
}

impl Selection {
    pub(crate) fn covers(&self, entry: Entry) -> bool {
        self.pairs.contains(&(entry.seq / 2)) && self.part.is_none_or(|part| part == entry.part())
    }

    /// The half-open time range in nanoseconds.
    pub(crate) fn times(&self) -> Range<u64> {
        let at = |pair: u32| T + u64::from(pair) * PAIR_NS;
        at(self.pairs.start)..at(self.pairs.end)
    }

    /// The stream selector in LogQL.
    pub(crate) fn logql(&self) -> String {
        match self.part {
            Some(part) => format!(r#"{{app="jepsen",part="{part}"}}"#),
            None => r#"{app="jepsen"}"#.into(),
        }
    }
}

/// A set of entries, as runs: what is in a history, and what a read gave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Entries(Vec<(u16, Range<u32>)>);

impl Entries {
    /// From a sorted list in which nothing is twice.
    pub(crate) fn from_sorted(sorted: &[Entry]) -> Entries {
        let mut runs: Vec<(u16, Range<u32>)> = Vec::new();
        for entry in sorted {
            match runs.last_mut() {
                Some((client, seqs)) if *client == entry.client && seqs.end == entry.seq => {
                    seqs.end += 1;
                }
                _ => runs.push((entry.client, entry.seq..entry.seq + 1)),
            }
        }
        Entries(runs)
    }

    /// Sorts a list; also the entries that were in it more than once.
    pub(crate) fn collect(mut list: Vec<Entry>) -> (Entries, Entries) {
        list.sort_unstable();
        let mut twice: Vec<Entry> =
            list.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        twice.dedup();
        list.dedup();
        (Entries::from_sorted(&list), Entries::from_sorted(&twice))
    }

    pub(crate) fn contains(&self, entry: Entry) -> bool {
        let key = (entry.client, entry.seq);
        let after = self.0.partition_point(|(client, seqs)| (*client, seqs.start) <= key);
        after.checked_sub(1).is_some_and(|run| {
            let (client, seqs) = &self.0[run];
            *client == entry.client && seqs.contains(&entry.seq)
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Entry> + '_ {
        self.0
            .iter()
            .flat_map(|(client, seqs)| seqs.clone().map(|seq| Entry { client: *client, seq }))
    }

    pub(crate) fn len(&self) -> u64 {
        self.0.iter().map(|(_, seqs)| u64::from(seqs.end - seqs.start)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const E: Entry = Entry { client: 3, seq: 1234 };

    #[test]
    fn a_line_comes_back_as_its_entry_and_nothing_else_does() {
        let line = E.line();
        let part = E.part().to_string();
        assert_eq!(Entry::parse(E.time(), &part, &line), Some(E));
        assert_eq!(Entry::parse(E.time() + 1, &part, &line), None, "another time");
        assert_eq!(Entry::parse(E.time(), "99", &line), None, "another stream");
        for at in 0..line.len() {
            let mut bytes = line.clone().into_bytes();
            bytes[at] ^= 1;
            let broken = String::from_utf8(bytes).expect("ASCII");
            assert_eq!(Entry::parse(E.time(), &part, &broken), None, "byte {at} differs");
            assert_eq!(Entry::parse(E.time(), &part, &line[..at]), None, "cut at {at}");
        }
    }

    #[test]
    fn a_selection_covers_its_times() {
        let selection = Selection { pairs: 10..20, part: None };
        for seq in 0..60 {
            let entry = Entry { client: 63, seq };
            assert_eq!(selection.covers(entry), selection.times().contains(&entry.time()));
        }
        let one = Selection { pairs: 0..100, part: Some(2) };
        assert!(
            one.covers(Entry { client: 0, seq: 16 }) && !one.covers(Entry { client: 0, seq: 15 })
        );
    }

    #[test]
    fn sets_of_entries() {
        let of = |seqs: &[u32]| seqs.iter().map(|seq| Entry { client: 1, seq: *seq }).collect();
        let (all, twice) = Entries::collect(of(&[5, 1, 2, 2, 3, 9, 2, 5]));
        assert_eq!((all.len(), twice.len()), (5, 2));
        assert_eq!(all.iter().collect::<Vec<_>>(), of(&[1, 2, 3, 5, 9]));
        for seq in 0..12 {
            assert_eq!(all.contains(Entry { client: 1, seq }), [1, 2, 3, 5, 9].contains(&seq));
            assert!(
                !all.contains(Entry { client: 0, seq }) && !all.contains(Entry { client: 2, seq })
            );
        }
    }
}
