//! Rows of one stream from several places, in the order of the stream and as a set.
//!
//! In: pieces of one stream, in commit order, each in its own order. Out: rows sorted by timestamp
//! where equal timestamps keep the order of the pieces and, within one, of the rows; of entries
//! that say the same (timestamp, line, metadata) only the first stays. Invariants:
//!
//! - merging is idempotent and associative: what a seal merged may be merged again with what a
//!   reader or a compaction finds elsewhere;
//! - the work is `n log n` whatever the input, also for a million entries at one timestamp.

use std::ops::Range;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::column::intern::Interner;
use super::{Lines, Metadata, MetadataColumn, Rows};

/// Entries at one timestamp up to which each is compared with each.
const COMPARE_EACH_MAX: usize = 8;

/// Where a row comes from. Keys sort by time alone, and stably.
#[derive(Clone, Copy)]
struct Key {
    time: i64,
    piece: u32,
    row: u32,
}

/// Rows of one stream in their order, each of which still lies in its piece.
pub struct Merged<'a> {
    pieces: Vec<&'a Rows>,
    keys: Vec<Key>,
    has_lines: bool,
    /// Where the pieces have metadata.
    sets: Option<SetTable>,
}

/// Merges pieces of one stream; see [`Merged::of`].
pub fn merge(pieces: &[Rows]) -> Rows {
    let merged = Merged::of(pieces);
    merged.rows(0..merged.len())
}

impl<'a> Merged<'a> {
    /// Merges pieces of one stream.
    ///
    /// All pieces with rows have the same columns; where none has any, those of the first count.
    /// Entries can only be compared where lines and metadata are there: without either, rows are
    /// merged by time and none collapses, which is right only where the caller knows that no entry
    /// is in two pieces ([`meet`] tells).
    pub fn of(pieces: impl IntoIterator<Item = &'a Rows>) -> Merged<'a> {
        let mut pieces: Vec<&Rows> = pieces.into_iter().collect();
        let columns = |piece: &Rows| (piece.lines.is_some(), piece.metadata.is_some());
        let first = pieces.iter().find(|piece| !piece.is_empty()).or(pieces.first());
        let (has_lines, has_metadata) = first.map_or((false, false), |piece| columns(piece));
        pieces.retain(|piece| !piece.is_empty());
        let same = pieces.iter().all(|piece| columns(piece) == (has_lines, has_metadata));
        assert!(same, "all pieces have the same columns");
        let sets = has_metadata.then(|| SetTable::of(&pieces));
        let mut merged = Merged { keys: keys_of(&pieces), pieces, has_lines, sets };
        // The standard sort finds runs that are sorted already, and most rows are in one.
        merged.keys.sort_by_key(|key| key.time);
        merged.collapse();
        merged
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Timestamps in nanoseconds, in order.
    pub fn timestamps(&self) -> impl ExactSizeIterator<Item = i64> {
        self.keys.iter().map(|key| key.time)
    }

    /// The bytes of each line; there must be lines.
    pub fn line_bytes(&self) -> impl ExactSizeIterator<Item = usize> {
        self.keys.iter().map(|key| self.n_line_bytes(key))
    }

    /// The distinct metadata sets of all rows, and more; there must be metadata.
    pub fn sets(&self) -> &[Metadata] {
        &self.table().sets
    }

    /// Which of the sets each row has.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = u32> {
        self.keys.iter().map(|key| self.table().number(&self.pieces, key))
    }

    /// The rows of a range, whose lines must stay below 4 GiB.
    pub fn rows(&self, range: Range<usize>) -> Rows {
        let keys = &self.keys[range];
        Rows {
            timestamps: keys.iter().map(|key| key.time).collect(),
            lines: self.has_lines.then(|| self.lines(keys)),
            metadata: self.sets.as_ref().map(|table| MetadataColumn {
                sets: Arc::clone(&table.sets),
                ids: keys.iter().map(|key| table.number(&self.pieces, key)).collect(),
            }),
        }
    }

    fn table(&self) -> &SetTable {
        self.sets.as_ref().expect("sets are asked for where metadata is there")
    }

    fn line(&self, key: &Key) -> &'a [u8] {
        lines_of(self.pieces[key.piece as usize]).get(key.row as usize)
    }

    fn n_line_bytes(&self, key: &Key) -> usize {
        let place = &lines_of(self.pieces[key.piece as usize]).offsets[key.row as usize..][..2];
        (place[1] - place[0]) as usize
    }

    fn lines(&self, keys: &[Key]) -> Lines {
        let Some((first, last)) = keys.first().zip(keys.last()) else { return Lines::empty() };
        let runs = || keys.chunk_by(|a, b| a.piece == b.piece && a.row + 1 == b.row);
        if runs().nth(1).is_none() {
            let own = lines_of(self.pieces[first.piece as usize]);
            return own.slice(first.row as usize..last.row as usize + 1);
        }
        let mut bytes = Vec::with_capacity(keys.iter().map(|key| self.n_line_bytes(key)).sum());
        let mut offsets = Vec::with_capacity(keys.len() + 1);
        offsets.push(0);
        // Rows that stood together and still do are copied in one go.
        for run in runs() {
            let own = lines_of(self.pieces[run[0].piece as usize]);
            let places = &own.offsets[run[0].row as usize..][..=run.len()];
            let (start, end) = (places[0], places[run.len()]);
            let before = u32::try_from(bytes.len());
            let before = before.expect("the lines of a merge stay below 4 GiB");
            let moved = places[1..].iter().map(|place| {
                before.checked_add(place - start).expect("the lines of a merge stay below 4 GiB")
            });
            offsets.extend(moved);
            bytes.extend_from_slice(&own.bytes[start as usize..end as usize]);
        }
        Lines { bytes: bytes.into(), offsets }
    }
}

/// Whether a timestamp occurs in two of the pieces, each of which is sorted: only then can an
/// entry be in both, and lines must be compared.
pub fn meet(pieces: &[&[i64]]) -> bool {
    let of_piece = |(piece, times): (usize, &&[i64])| -> Vec<(i64, usize)> {
        times.iter().map(|time| (*time, piece)).collect()
    };
    let mut all: Vec<(i64, usize)> = pieces.iter().enumerate().flat_map(of_piece).collect();
    all.sort();
    all.windows(2).any(|pair| pair[0].0 == pair[1].0 && pair[0].1 != pair[1].1)
}

fn keys_of(pieces: &[&Rows]) -> Vec<Key> {
    let mut keys = Vec::with_capacity(pieces.iter().map(|piece| piece.len()).sum());
    for (piece, rows) in (0_u32..).zip(pieces) {
        let key = |(row, time): (u32, &i64)| Key { time: *time, piece, row };
        keys.extend((0_u32..).zip(&rows.timestamps).map(key));
    }
    keys
}

/// Finding entries that say the same.
impl Merged<'_> {
    /// Keeps the first of equal entries, where they can be compared. The keys are sorted.
    fn collapse(&mut self) {
        if !self.has_lines || self.sets.is_none() {
            return;
        }
        let mut keys = std::mem::take(&mut self.keys);
        // Up to `kept`, keys are as they will stay; from `start`, as they were.
        let (mut kept, mut start) = (0, 0);
        while start < keys.len() {
            let time = keys[start].time;
            let mut end = start + 1;
            while end < keys.len() && keys[end].time == time {
                end += 1;
            }
            match end - start {
                1 => {
                    keys[kept] = keys[start];
                    kept += 1;
                }
                2..=COMPARE_EACH_MAX => {
                    let run = kept;
                    for at in start..end {
                        let key = keys[at];
                        if !keys[run..kept].iter().any(|own| self.same(own, &key)) {
                            keys[kept] = key;
                            kept += 1;
                        }
                    }
                }
                _ => {
                    for at in self.firsts(&keys[start..end]) {
                        keys[kept] = keys[start + at];
                        kept += 1;
                    }
                }
            }
            start = end;
        }
        keys.truncate(kept);
        self.keys = keys;
    }

    /// Which of many entries at one timestamp say something that none before them says.
    fn firsts(&self, keys: &[Key]) -> Vec<usize> {
        let mut by_content: Vec<(u64, usize)> =
            keys.iter().map(|key| self.hash(key)).zip(0..).collect();
        // Sorted, not put into a hash table: who makes hashes collide gains a logarithm at most.
        by_content.sort_unstable_by(|(a_hash, a), (b_hash, b)| {
            let by_content = || self.says(&keys[*a]).cmp(&self.says(&keys[*b]));
            a_hash.cmp(b_hash).then_with(by_content).then(a.cmp(b))
        });
        by_content.dedup_by(|(later_hash, later), (first_hash, first)| {
            later_hash == first_hash && self.same(&keys[*later], &keys[*first])
        });
        let mut firsts: Vec<usize> = by_content.into_iter().map(|(_, at)| at).collect();
        firsts.sort_unstable();
        firsts
    }

    fn hash(&self, key: &Key) -> u64 {
        let (set, line) = self.says(key);
        xxh3_64_with_seed(line, u64::from(set))
    }

    fn same(&self, a: &Key, b: &Key) -> bool {
        self.says(a) == self.says(b)
    }

    /// What an entry says beside its timestamp.
    fn says(&self, key: &Key) -> (u32, &[u8]) {
        (self.table().number(&self.pieces, key), self.line(key))
    }
}

/// The distinct metadata sets of all pieces, and the number of each piece's sets among them.
struct SetTable {
    sets: Arc<[Metadata]>,
    numbers: Vec<Vec<u32>>,
}

impl SetTable {
    fn of(pieces: &[&Rows]) -> SetTable {
        if let [piece] = pieces {
            // Its sets are distinct.
            let sets = Arc::clone(&metadata_of(piece).sets);
            let numbers = (0..u32::try_from(sets.len()).expect("numbered by 32 bits")).collect();
            return SetTable { sets, numbers: vec![numbers] };
        }
        let mut sets = Vec::new();
        let mut interner = Interner::new();
        interner.number(&Metadata::empty(), &mut sets);
        // A piece may be a small part of something with many sets: only those of its rows count.
        const UNSEEN: u32 = u32::MAX;
        let mut numbers = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let MetadataColumn { sets: own, ids } = metadata_of(piece);
            let mut number_of = vec![UNSEEN; own.len()];
            for id in ids {
                let number = &mut number_of[*id as usize];
                if *number == UNSEEN {
                    *number = interner.number(&own[*id as usize], &mut sets);
                }
            }
            numbers.push(number_of);
        }
        SetTable { sets: sets.into(), numbers }
    }

    fn number(&self, pieces: &[&Rows], key: &Key) -> u32 {
        let id = metadata_of(pieces[key.piece as usize]).ids[key.row as usize];
        self.numbers[key.piece as usize][id as usize]
    }
}

fn metadata_of(rows: &Rows) -> &MetadataColumn {
    rows.metadata.as_ref().expect("sets are numbered where metadata is there")
}

fn lines_of(rows: &Rows) -> &Lines {
    rows.lines.as_ref().expect("lines are asked for where they are there")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Entry = (i64, String, Metadata);

    /// The naive twin: every entry is compared with every other.
    fn naive(pieces: &[Vec<Entry>]) -> Vec<Entry> {
        let mut all: Vec<Entry> = pieces.concat();
        all.sort_by_key(|entry| entry.0);
        let mut kept: Vec<Entry> = Vec::new();
        for entry in all {
            if !kept.contains(&entry) {
                kept.push(entry);
            }
        }
        kept
    }

    /// Rows with offsets that do not start at 0 and sets that no row has, as readers may give.
    fn rows(entries: &[Entry]) -> Rows {
        let unused = Metadata::from_pairs([("un", "used")]);
        let mut sets = vec![Metadata::empty(), unused];
        let (mut bytes, mut offsets, mut ids) = (b"before".to_vec(), vec![6], Vec::new());
        for (_, line, metadata) in entries {
            bytes.extend_from_slice(line.as_bytes());
            offsets.push(u32::try_from(bytes.len()).expect("short"));
            let known = sets.iter().position(|set| set == metadata);
            ids.push(u32::try_from(known.unwrap_or(sets.len())).expect("few"));
            if known.is_none() {
                sets.push(metadata.clone());
            }
        }
        bytes.extend_from_slice(b"after");
        Rows {
            timestamps: entries.iter().map(|entry| entry.0).collect(),
            lines: Some(Lines { bytes: bytes.into(), offsets }),
            metadata: Some(MetadataColumn { sets: sets.into(), ids }),
        }
    }

    fn entries(rows: &Rows) -> Vec<Entry> {
        let (lines, metadata) = (rows.lines.as_ref(), rows.metadata.as_ref());
        let entry = |row: usize| {
            let line = lines.map_or("", |lines| lines.text(row));
            let metadata = metadata.map_or_else(Metadata::empty, |column| column.get(row).clone());
            (rows.timestamps[row], line.to_owned(), metadata)
        };
        (0..rows.len()).map(entry).collect()
    }

    fn check(pieces: &[&[(i64, &str)]], expected: &[(i64, &str)]) {
        let entry = |(time, line): &(i64, &str)| (*time, (*line).to_owned(), Metadata::empty());
        let pieces: Vec<Rows> =
            pieces.iter().map(|piece| rows(&piece.iter().map(entry).collect::<Vec<_>>())).collect();
        let expected: Vec<Entry> = expected.iter().map(entry).collect();
        assert_eq!(entries(&merge(&pieces)), expected);
    }

    #[test]
    fn order_and_set() {
        check(&[], &[]);
        check(&[&[], &[]], &[]);
        check(&[&[(1, "a"), (2, "b")]], &[(1, "a"), (2, "b")]);
        check(&[&[(2, "b"), (1, "a")]], &[(1, "a"), (2, "b")]);
        check(&[&[(1, "b"), (1, "a")]], &[(1, "b"), (1, "a")]);
        check(&[&[(1, "b"), (1, "a"), (1, "b")]], &[(1, "b"), (1, "a")]);
        check(&[&[(1, "b")], &[(1, "a"), (1, "b"), (0, "b")]], &[(0, "b"), (1, "b"), (1, "a")]);
        check(&[&[(1, "")], &[(1, "")], &[(1, "x")], &[(1, "")]], &[(1, ""), (1, "x")]);
    }

    #[test]
    fn metadata_tells_entries_apart() {
        let entry = |value: &str| (7, "line".to_owned(), Metadata::from_pairs([("k", value)]));
        let pieces = [rows(&[entry("a"), entry("b")]), rows(&[entry("b"), entry("c"), entry("a")])];
        assert_eq!(entries(&merge(&pieces)), [entry("a"), entry("b"), entry("c")]);
    }

    #[test]
    fn without_lines_rows_are_only_ordered() {
        let bare = |times: &[i64]| Rows { timestamps: times.to_vec(), lines: None, metadata: None };
        let merged = merge(&[bare(&[1, 5]), bare(&[5, 3])]);
        assert_eq!(merged.timestamps, [1, 3, 5, 5]);
        assert!(merged.lines.is_none() && merged.metadata.is_none());
    }

    #[test]
    fn pieces_meet_where_a_time_is_in_two() {
        let check = |pieces: &[&[i64]], expected: bool| assert_eq!(meet(pieces), expected);
        check(&[], false);
        check(&[&[1, 1, 2], &[3]], false);
        check(&[&[1, 3], &[2, 3]], true);
        check(&[&[1], &[2], &[1]], true);
    }

    /// With one comparison of each pair this would take an hour.
    #[test]
    fn a_million_entries_at_one_time() {
        let all: Vec<Entry> =
            (0..500_000).map(|i| (5, (i % 400_000).to_string(), Metadata::empty())).collect();
        let merged = merge(&[rows(&all), rows(&all)]);
        let (expected, last) = (400_000, "399999");
        assert_eq!(
            (merged.len(), merged.lines.expect("lines").text(expected - 1)),
            (expected, last)
        );
    }

    fn some_pieces() -> impl Strategy<Value = Vec<Vec<Entry>>> {
        let set = |value: u8| match value {
            0 => Metadata::empty(),
            _ => Metadata::from_pairs([("k", value.to_string())]),
        };
        let of = |times: i64, sets: u8| {
            let entry = (0..times, "[ab]{0,2}", (0..sets).prop_map(set));
            prop::collection::vec(prop::collection::vec(entry, 0..40), 0..5)
        };
        prop_oneof![of(1, 2), of(10, 3), of(1000, 20)]
    }

    proptest! {
        #[test]
        fn like_the_naive_twin(pieces in some_pieces()) {
            let all: Vec<Rows> = pieces.iter().map(|piece| rows(piece)).collect();
            let merged = merge(&all);
            prop_assert_eq!(entries(&merged), naive(&pieces));
            let again = merge(std::slice::from_ref(&merged));
            prop_assert_eq!(entries(&again), entries(&merged));
            for cut in 0..all.len() {
                let (left, right) = (merge(&all[..cut]), merge(&all[cut..]));
                prop_assert_eq!(entries(&merge(&[left, right])), entries(&merged));
            }
        }

        #[test]
        fn meeting_is_sharing(a in prop::collection::vec(0..40_i64, 0..9), b in prop::collection::vec(0..40_i64, 0..9)) {
            prop_assert_eq!(meet(&[&a, &b]), a.iter().any(|time| b.contains(time)));
        }
    }
}
