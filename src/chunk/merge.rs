//! Several chunks of a tenant become one.
//!
//! In: whole chunks, in the order of the seals that they hold. Out: a chunk with the same entries,
//! in the same order, as a set. Invariants:
//!
//! - memory is the chunks', the outcome's and a few blocks of each, or what one stream has at one
//!   time: streams are merged one after the other, and each in windows of time that no input has
//!   more rows for;
//! - rows at one timestamp are in one window, so that equal ones meet and order among them stays.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;

use super::whole::Whole;
use super::{ChunkSummary, ChunkWriter, Error, WriteOptions};
use crate::model::column::Malformed;
use crate::model::{Labels, Rows, merge};

/// A merge under way: whoever shares a thread with others does it step by step.
pub struct Merge {
    inputs: Vec<Whole<Bytes>>,
    /// Streams that are not written yet.
    streams: BTreeMap<Labels, Vec<Source>>,
    block_bytes: usize,
    writer: ChunkWriter,
}

/// A stream's rows in one of the inputs.
struct Source {
    input: usize,
    /// What is still to be read.
    blocks: Range<usize>,
    /// What was read and not taken, in order.
    rows: Rows,
}

impl Merge {
    /// Begins to merge whole chunks of one tenant, of which there must be one at least.
    pub fn new(objects: Vec<Bytes>, options: WriteOptions) -> Result<Merge, Error> {
        let inputs = objects.into_iter().map(Whole::open);
        let inputs: Vec<Whole<Bytes>> = inputs.collect::<Result<_, _>>()?;
        let tenant = &inputs.first().expect("a merge has an input").index.tenant;
        if inputs.iter().any(|input| input.index.tenant != *tenant) {
            return Err(Malformed { what: "tenant of a chunk", offset: 0 }.into());
        }
        let mut streams: BTreeMap<Labels, Vec<Source>> = BTreeMap::new();
        for (n, input) in inputs.iter().enumerate() {
            for (stream, (labels, _)) in input.index.streams.iter().enumerate() {
                let blocks = input.blocks_of(stream);
                let source = Source { input: n, blocks, rows: Rows::default() };
                streams.entry(labels.clone()).or_default().push(source);
            }
        }
        let writer = ChunkWriter::new(tenant, options);
        Ok(Merge { inputs, streams, block_bytes: options.block_bytes, writer })
    }

    /// Goes on until about so many bytes of lines more were merged; whether that was the last of
    /// them.
    pub fn step(&mut self, bytes: usize) -> Result<bool, Error> {
        let mut merged = 0;
        while merged < bytes {
            let Some(mut stream) = self.streams.first_entry() else { return Ok(true) };
            match next_block(&self.inputs, stream.get_mut(), self.block_bytes)? {
                None => drop(stream.remove()),
                Some(rows) => {
                    merged += raw_bytes(&rows);
                    self.writer.stream(stream.key(), &merge::Merged::of([&rows]));
                }
            }
        }
        Ok(false)
    }

    /// The outcome, once the last step is done.
    pub fn finish(self) -> (Bytes, ChunkSummary) {
        assert!(self.streams.is_empty(), "every stream was merged");
        self.writer.finish()
    }
}

/// Bytes of lines and metadata, and a few for each row: no row is for nothing.
fn raw_bytes(rows: &Rows) -> usize {
    const ROW_BYTES: usize = 16;
    let lines = rows.lines.as_ref().map_or(0, |lines| lines.span().len());
    let metadata = rows
        .metadata
        .as_ref()
        .map_or(0, |column| (0..rows.len()).map(|row| column.get(row).bytes()).sum());
    lines + metadata + ROW_BYTES * rows.len()
}

/// Rows that make a block or more, where so many are left.
fn next_block(
    inputs: &[Whole<Bytes>],
    sources: &mut [Source],
    bytes: usize,
) -> Result<Option<Rows>, Error> {
    let (mut windows, mut taken) = (Vec::new(), 0);
    while taken < bytes
        && let Some(window) = next_window(inputs, sources)?
    {
        taken += raw_bytes(&window);
        windows.push(window);
    }
    Ok((!windows.is_empty()).then(|| merge::merge(&windows)))
}

/// The next rows of a stream: all of its sources up to a time for which none has more.
fn next_window(inputs: &[Whole<Bytes>], sources: &mut [Source]) -> Result<Option<Rows>, Error> {
    for source in sources.iter_mut().filter(|source| source.rows.is_empty()) {
        source.read_past(i64::MIN, inputs)?;
    }
    loop {
        let unfinished = sources.iter().filter(|source| !source.blocks.is_empty());
        let Some(end) = unfinished.filter_map(Source::last).min() else {
            let rest: Vec<Rows> =
                sources.iter_mut().map(|source| std::mem::take(&mut source.rows)).collect();
            let rest: Vec<Rows> = rest.into_iter().filter(|rows| !rows.is_empty()).collect();
            return Ok((!rest.is_empty()).then(|| merge::merge(&rest)));
        };
        let taken: Vec<Rows> =
            sources.iter_mut().map(|s| s.take_before(end)).filter(|r| !r.is_empty()).collect();
        if !taken.is_empty() {
            return Ok(Some(merge::merge(&taken)));
        }
        // All that was read of these is at one timestamp, which may go on in the next block.
        for source in sources.iter_mut().filter(|source| source.last() == Some(end)) {
            source.read_past(end, inputs)?;
        }
    }
}

impl Source {
    /// Reads blocks until one ends after a time, or there are no more.
    fn read_past(&mut self, time: i64, inputs: &[Whole<Bytes>]) -> Result<(), Error> {
        // Put together once: a million entries may be at one time, in many blocks.
        let mut pieces = vec![std::mem::take(&mut self.rows)];
        while pieces
            .last()
            .is_none_or(|rows| rows.timestamps.last().is_none_or(|last| *last <= time))
            && let Some(block) = self.blocks.next()
        {
            pieces.push(inputs[self.input].read(block)?);
        }
        pieces.retain(|rows| !rows.is_empty());
        self.rows = match pieces.len() {
            1 => pieces.remove(0),
            _ => merge::merge(&pieces),
        };
        Ok(())
    }

    /// The latest timestamp that was read and not taken.
    fn last(&self) -> Option<i64> {
        self.rows.timestamps.last().copied()
    }

    fn take_before(&mut self, end: i64) -> Rows {
        let n = self.rows.timestamps.partition_point(|timestamp| *timestamp < end);
        if n == self.rows.len() {
            return std::mem::take(&mut self.rows);
        }
        let taken = self.rows.slice(0..n);
        self.rows = self.rows.slice(n..self.rows.len());
        taken
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chunk::naive::{Streams, read, write};
    use crate::chunk::{Codec, verify};
    use crate::model::Metadata;

    type Entries = Vec<(i64, String, Metadata)>;

    /// Entries of some streams in one chunk: each stream's are in order and a set.
    fn chunk(entries: &[(u8, i64, u8)]) -> Streams {
        let mut streams: BTreeMap<u8, Entries> = BTreeMap::new();
        for (stream, time, line) in entries {
            let metadata = Metadata::from_pairs([("n", (line % 3).to_string())]);
            let entry = (*time, format!("line {line}"), metadata);
            let entries = streams.entry(*stream).or_default();
            if !entries.contains(&entry) {
                entries.push(entry);
            }
        }
        let labels = |n: u8| Labels::from_pairs([("app", format!("app-{n}"))]).expect("unique");
        let sorted = |mut entries: Entries| {
            entries.sort_by_key(|entry| entry.0);
            entries
        };
        streams.into_iter().map(|(n, entries)| (labels(n), sorted(entries))).collect()
    }

    /// What the chunks hold together, by the definition.
    fn together(chunks: &[Streams]) -> Streams {
        let mut streams: BTreeMap<Labels, Entries> = BTreeMap::new();
        for (labels, entries) in chunks.iter().flatten() {
            let all = streams.entry(labels.clone()).or_default();
            for entry in entries {
                if !all.contains(entry) {
                    all.push(entry.clone());
                }
            }
        }
        streams.values_mut().for_each(|entries| entries.sort_by_key(|entry| entry.0));
        streams.into_iter().collect()
    }

    fn options(block_bytes: usize) -> WriteOptions {
        WriteOptions { codec: Codec::Zstd, level: 1, window_log: 0, block_bytes }
    }

    proptest! {
        #[test]
        fn a_merge_holds_what_its_inputs_held(
            chunks in prop::collection::vec(
                prop::collection::vec((0_u8..3, 0_i64..12, 0_u8..20), 1..60), 1..5),
            sizes in prop::collection::vec(7_usize..200, 6),
        ) {
            let chunks: Vec<Streams> = chunks.iter().map(|entries| chunk(entries)).collect();
            let objects = chunks.iter().zip(&sizes);
            let objects: Vec<Bytes> =
                objects.map(|(chunk, size)| write(chunk, options(*size)).0.into()).collect();
            let mut merge = Merge::new(objects, options(sizes[5])).expect("they are whole");
            while !merge.step(30).expect("they are whole") {}
            let (merged, summary) = merge.finish();
            prop_assert_eq!(verify(&merged), Ok(summary.content));
            let expected = together(&chunks);
            let n: usize = expected.iter().map(|(_, entries)| entries.len()).sum();
            prop_assert_eq!(summary.n_entries, n as u64);
            prop_assert_eq!(read(&merged), Ok(expected));
        }
    }

    /// Entries without a line were nothing to a step, which took all of a stream at once.
    #[test]
    fn entries_without_a_line_are_merged_step_by_step() {
        let labels = Labels::from_pairs([("app", "a")]).expect("unique");
        let entries = |from: i64| -> Streams {
            let entry = |time| (time, String::new(), Metadata::from_pairs([("n", "1")]));
            vec![(labels.clone(), (from..from + 3000).map(entry).collect())]
        };
        let objects = [0, 1500].map(|from| Bytes::from(write(&entries(from), options(500)).0));
        let mut merge = Merge::new(objects.to_vec(), options(500)).expect("they are whole");
        let mut n_steps = 1;
        while !merge.step(1).expect("they are whole") {
            n_steps += 1;
        }
        assert!(n_steps > 10, "{n_steps} steps");
        let (_, summary) = merge.finish();
        assert_eq!(summary.n_entries, 4500);
    }

    #[test]
    fn damage_and_strangers_are_errors() {
        let own = Bytes::from(write(&chunk(&[(1, 1, 1)]), options(100)).0);
        let mut broken = own.to_vec();
        broken[9] ^= 1;
        let merge = |objects| Merge::new(objects, options(100)).and_then(|mut m| m.step(1));
        assert_eq!(merge(vec![own.clone()]), Ok(false));
        assert!(merge(vec![own.clone(), broken.into()]).is_err());
        let tenant = crate::model::Tenant::parse("other").expect("a tenant");
        let (other, _) = ChunkWriter::new(&tenant, options(100)).finish();
        assert!(merge(vec![own, other]).is_err());
    }
}
