//! How much the streams of a selector hold: entries and bytes, over a range and per step of it.
//!
//! In: a selector, a range, and what makes a row of the answer. Out: one [`Size`] per row.
//! A block that lies in one step alone answers from its metadata. Of a block that crosses an edge
//! only the timestamps are read: its entries are counted exactly, its bytes are shared out evenly
//! over them. Where sources of a stream overlap, entries could count twice, so there they are read.

pub(super) mod wire;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::{Error, PARTIALS_MAX};
use crate::model::{Labels, Rows, Selector, Sight, TimeRange, Timestamp};
use crate::query::logs::Pairs;
use crate::scan::remote::Work;
use crate::scan::{BlockMeta, Columns, Order, Request, Scanner, Selection, Snapshot, Stats, Visit};

/// Rows times steps of one answer: what keeps its memory near 100 MiB.
const CELLS_MAX: usize = 4 << 20;

/// What makes a row of the answer.
#[derive(Clone, Debug)]
pub enum Identity {
    /// Every stream is a row.
    Stream,
    /// These labels of a stream: one that lacks any of them is left out where `all` says so.
    Labels {
        /// Their names, sorted.
        names: Vec<String>,
        /// Whether a stream must have all of them.
        all: bool,
    },
    /// Each label name that a stream has, with an empty value: only these, where there are any.
    Names(Option<Vec<String>>),
}

/// What to measure.
#[derive(Clone, Debug)]
pub struct Params {
    /// Which streams.
    pub selector: Selector,
    /// Which entries by time.
    pub range: TimeRange,
    /// The width of a step in nanoseconds, which start at whole multiples of it; `None`: the
    /// whole range is one.
    pub step: Option<i64>,
    /// What makes a row.
    pub identity: Identity,
    /// More rows than this are refused.
    pub rows_max: usize,
}

/// What one step of one row holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Pieces that hold it: blocks of chunks, and heads.
    pub chunks: u64,
    /// Entries.
    pub entries: u64,
    /// Bytes of lines and structured metadata.
    pub bytes: u64,
}

/// One row of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Sorted by name.
    pub labels: Pairs,
    /// By the end of the step, which belongs to the next one; only steps that hold an entry.
    pub steps: BTreeMap<Timestamp, Size>,
}

impl Volume {
    /// What all steps hold together.
    pub fn total(&self) -> Size {
        let mut total = Size::default();
        self.steps.values().for_each(|size| total.add(*size));
        total
    }
}

impl Size {
    /// Takes in another.
    pub fn add(&mut self, other: Size) {
        self.chunks += other.chunks;
        self.entries += other.entries;
        self.bytes += other.bytes;
    }
}

/// Measures; the rows come in no order.
pub async fn run(
    scanner: &Scanner,
    sight: &Sight,
    params: &Params,
) -> Result<(Vec<Volume>, Arc<Stats>), Error> {
    let request = Request {
        selection: Selection::Selector(params.selector.clone()),
        range: params.range.clone(),
        order: Order::Any,
        above: None,
    };
    let snapshot = scanner.snapshot(sight).await?;
    let stats = Arc::new(Stats::default());
    let measure = Arc::new(Measure { params: params.clone() });
    let total = gather(scanner, &snapshot, &request, &measure, &stats).await?;
    let volumes = total.rows.into_iter().map(|(labels, steps)| Volume {
        labels,
        steps: steps.into_iter().map(|(end, size)| (Timestamp(end), size)).collect(),
    });
    Ok((volumes.collect(), stats))
}

/// What the rows of a request hold.
async fn gather(
    scanner: &Scanner,
    snapshot: &Snapshot,
    request: &Request,
    measure: &Arc<Measure>,
    stats: &Arc<Stats>,
) -> Result<Part, Error> {
    let (out, mut parts) = mpsc::channel(PARTIALS_MAX);
    let scan = scanner.run(snapshot, request, Arc::clone(measure), stats, out);
    let join = async {
        let mut total = Part::default();
        while let Some(part) = parts.recv().await {
            total.merge(part);
            measure.check(&total)?;
        }
        Ok(total)
    };
    let ((), total) = futures::try_join!(scan, join)?;
    Ok(total)
}

struct Measure {
    params: Params,
}

/// What one task found.
#[derive(Default)]
struct Part {
    rows: HashMap<Pairs, BTreeMap<i64, Size>>,
    n_cells: usize,
}

impl Part {
    fn add(&mut self, row: &Pairs, end: i64, size: Size) {
        let steps = match self.rows.get_mut(row) {
            Some(steps) => steps,
            None => self.rows.entry(row.clone()).or_default(),
        };
        let cell = steps.entry(end).or_insert_with(|| {
            self.n_cells += 1;
            Size::default()
        });
        cell.add(size);
    }

    fn merge(&mut self, other: Part) {
        if self.rows.is_empty() {
            *self = other;
            return;
        }
        for (row, steps) in other.rows {
            for (end, size) in steps {
                self.add(&row, end, size);
            }
        }
    }
}

impl Measure {
    fn check(&self, part: &Part) -> Result<(), Error> {
        let limit = self.params.rows_max;
        if part.rows.len() > limit {
            return Err(Error::BadQuery(format!(
                "the query hit the max number of series limit (limit: {limit} series)"
            )));
        }
        if part.n_cells > CELLS_MAX {
            return Err(Error::BadQuery(format!(
                "the answer has more than {CELLS_MAX} values: raise the step or narrow the selector"
            )));
        }
        Ok(())
    }

    /// The end of the step that a time lies in, the end of the range for the last.
    fn end_of_step(&self, timestamp: i64) -> i64 {
        let end = self.params.range.end.nanos();
        let Some(width) = self.params.step else { return end };
        let start = timestamp - timestamp.rem_euclid(width);
        start.saturating_add(width).min(end)
    }

    /// The rows of the answer that a stream counts to.
    fn rows_of(&self, stream: &Labels) -> Vec<Pairs> {
        let pair = |(name, value): (&str, &str)| (Box::from(name), Box::from(value));
        match &self.params.identity {
            Identity::Stream => vec![stream.iter().map(pair).collect()],
            Identity::Labels { names, all } => {
                let found = names.iter().filter_map(|name| Some((&**name, stream.get(name)?)));
                let row: Pairs = found.map(pair).collect();
                let complete = row.len() == names.len();
                if *all && !complete { Vec::new() } else { vec![row] }
            }
            Identity::Names(only) => {
                let wanted =
                    |name: &str| only.as_ref().is_none_or(|only| only.iter().any(|o| o == name));
                let names = stream.iter().filter(|(name, _)| wanted(name));
                names.map(|(name, _)| vec![pair((name, ""))]).collect()
            }
        }
    }

    /// Shares `bytes_of` each entry out to the steps that they lie in; entries are sorted by time.
    fn share(
        &self,
        part: &mut Part,
        stream: &Labels,
        timestamps: &[i64],
        mut bytes_of: impl FnMut(std::ops::Range<usize>) -> u64,
    ) -> Result<(), Error> {
        let rows = self.rows_of(stream);
        let mut first = 0;
        while first < timestamps.len() {
            let end = self.end_of_step(timestamps[first]);
            let n = timestamps[first..].partition_point(|at| *at < end).max(1);
            let bytes = bytes_of(first..first + n);
            let size = Size { chunks: 1, entries: n as u64, bytes };
            rows.iter().for_each(|row| part.add(row, end, size));
            first += n;
        }
        self.check(part)
    }
}

impl Visit for Measure {
    type Partial = Part;
    type Error = Error;

    fn start(&self) -> Part {
        Part::default()
    }

    fn columns(&self, _stream: &Labels) -> Columns {
        Columns::default()
    }

    fn block(&self, part: &mut Part, stream: &Labels, block: &BlockMeta) -> bool {
        let end = self.end_of_step(block.min_timestamp);
        if block.max_timestamp >= end {
            return false;
        }
        let entries = u64::from(block.n_rows);
        let size = Size { chunks: 1, entries, bytes: bytes_of_block(block) };
        for row in self.rows_of(stream) {
            part.add(&row, end, size);
        }
        true
    }

    fn work(&self) -> Option<Work> {
        Some(Work::Measure(wire::asked(&self.params)))
    }

    fn part(&self, total: &mut Part, part: Bytes) -> Result<(), Error> {
        wire::add(total, part)?;
        self.check(total)
    }

    fn rows(&self, part: &mut Part, stream: &Labels, rows: Rows) -> Result<(), Error> {
        let lines = rows.lines.as_ref().expect("heads and merged rows have all columns");
        let metadata = rows.metadata.as_ref().expect("heads and merged rows have all columns");
        let of_set: Vec<u64> = metadata.sets.iter().map(|set| set.bytes() as u64).collect();
        self.share(part, stream, &rows.timestamps, |range| {
            let text = lines.offsets[range.end] - lines.offsets[range.start];
            let pairs = metadata.ids[range].iter().map(|id| of_set[*id as usize]);
            u64::from(text) + pairs.sum::<u64>()
        })
    }

    fn rows_of_block(
        &self,
        part: &mut Part,
        stream: &Labels,
        rows: Rows,
        block: &BlockMeta,
    ) -> Result<(), Error> {
        let (bytes, n_rows) = (bytes_of_block(block), u64::from(block.n_rows));
        self.share(part, stream, &rows.timestamps, |range| {
            // A block is below 2^32 bytes and rows: the product fits.
            bytes * range.len() as u64 / n_rows
        })
    }
}

fn bytes_of_block(block: &BlockMeta) -> u64 {
    u64::from(block.line_bytes) + block.metadata_bytes
}

/// Streams by hash, cut into shards of about `target` bytes each: the first and the last hash of
/// each shard, all of them together covering every hash, and what it holds.
pub fn shards(mut streams: Vec<(u64, Size)>, target: u64) -> Vec<(u64, u64, usize, Size)> {
    streams.sort_by_key(|(hash, _)| *hash);
    let mut shards = Vec::new();
    let mut start = 0;
    let mut n_streams = 0;
    let mut size = Size::default();
    for (at, (hash, own)) in streams.iter().enumerate() {
        n_streams += 1;
        size.add(*own);
        let next = streams.get(at + 1).map(|(next, _)| *next);
        let is_cut = next.is_none_or(|next| size.bytes >= target && next != *hash);
        if is_cut {
            let end = next.map_or(u64::MAX, |_| *hash);
            shards.push((start, end, n_streams, size));
            start = end.wrapping_add(1);
            n_streams = 0;
            size = Size::default();
        }
    }
    if shards.is_empty() {
        shards.push((0, u64::MAX, 0, Size::default()));
    }
    shards
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(pairs: &[(&str, &str)]) -> Labels {
        Labels::from_pairs(pairs.iter().copied()).expect("unique names")
    }

    fn measure(step: Option<i64>, identity: Identity) -> Measure {
        let range = Timestamp(100)..Timestamp(1000);
        let selector = Selector::default();
        Measure { params: Params { selector, range, step, identity, rows_max: 10 } }
    }

    #[test]
    fn steps_start_at_whole_multiples() {
        let check = |step: Option<i64>, timestamp: i64, expected: i64| {
            assert_eq!(measure(step, Identity::Stream).end_of_step(timestamp), expected);
        };
        check(None, 100, 1000);
        check(Some(300), 100, 300);
        check(Some(300), 299, 300);
        check(Some(300), 300, 600);
        check(Some(300), 999, 1000);
        check(Some(i64::MAX), 999, 1000);
    }

    #[test]
    fn rows_of_a_stream() {
        let own = stream(&[("app", "web"), ("env", "prod")]);
        let check = |identity: Identity, expected: &[&[(&str, &str)]]| {
            let rows = measure(None, identity).rows_of(&own);
            let expected: Vec<Pairs> = expected
                .iter()
                .map(|row| row.iter().map(|(n, v)| (Box::from(*n), Box::from(*v))).collect())
                .collect();
            assert_eq!(rows, expected);
        };
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        check(Identity::Stream, &[&[("app", "web"), ("env", "prod")]]);
        let some = Identity::Labels { names: names(&["env", "zone"]), all: false };
        check(some, &[&[("env", "prod")]]);
        check(Identity::Labels { names: names(&["env", "zone"]), all: true }, &[]);
        check(Identity::Names(None), &[&[("app", "")], &[("env", "")]]);
        check(Identity::Names(Some(names(&["env", "zone"]))), &[&[("env", "")]]);
    }

    #[test]
    fn entries_are_shared_out_to_steps() {
        let measure = measure(Some(300), Identity::Names(None));
        let mut part = Part::default();
        let times = [100, 299, 300, 950, 999];
        let added = measure
            .share(&mut part, &stream(&[("a", "1")]), &times, |range| 10 * range.len() as u64);
        added.expect("few rows");
        let steps = &part.rows[&vec![("a".into(), "".into())]];
        let found: Vec<(i64, u64, u64)> =
            steps.iter().map(|(end, size)| (*end, size.entries, size.bytes)).collect();
        assert_eq!(found, [(300, 2, 20), (600, 1, 10), (1000, 2, 20)]);
    }

    #[test]
    fn too_many_rows_are_refused() {
        let measure = measure(None, Identity::Stream);
        let mut part = Part::default();
        let add = |part: &mut Part, i: usize| {
            measure.share(part, &stream(&[("a", &i.to_string())]), &[100], |_| 0)
        };
        for i in 0..10 {
            add(&mut part, i).expect("within the limit");
        }
        let error = add(&mut part, 10).expect_err("one too many").to_string();
        assert_eq!(error, "the query hit the max number of series limit (limit: 10 series)");
    }

    #[test]
    fn shards_cover_every_hash_and_stay_near_their_target() {
        let size = |bytes| Size { chunks: 1, entries: 1, bytes };
        let check = |streams: &[(u64, u64)], target: u64, expected: &[(u64, u64, usize, u64)]| {
            let streams = streams.iter().map(|(hash, bytes)| (*hash, size(*bytes))).collect();
            let found: Vec<_> = shards(streams, target)
                .into_iter()
                .map(|(first, last, n, size)| (first, last, n, size.bytes))
                .collect();
            assert_eq!(found, expected);
        };
        check(&[], 10, &[(0, u64::MAX, 0, 0)]);
        check(&[(5, 3), (1, 4)], 10, &[(0, u64::MAX, 2, 7)]);
        check(
            &[(5, 10), (1, 10), (7, 1)],
            10,
            &[(0, 1, 1, 10), (2, 5, 1, 10), (6, u64::MAX, 1, 1)],
        );
        // Two streams of one hash stay together.
        check(&[(5, 10), (5, 10), (7, 1)], 10, &[(0, 5, 2, 20), (6, u64::MAX, 1, 1)]);
    }
}
