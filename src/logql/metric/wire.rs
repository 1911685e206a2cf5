//! An accumulator as bytes: what is kept of each series, so that another process can go on with it.
//!
//! ```text
//! piece:  the key of a series | its cells, or some of its samples
//! cell:   pane u32 | what the kind of cell keeps, numbers of 8 bytes
//! sample: timestamp i64 | value f64
//! ```
//!
//! All numbers are little-endian. In: an accumulator; out: pieces, and the other way round. A series
//! with many samples is cut into several pieces. Bytes from outside are refused, never a panic.

use super::Error;
use super::accumulate::{Accumulator, Store};
use super::cells::Cell;
use super::panes::Panes;

/// Bytes of samples in one piece.
const SAMPLES_BYTES: usize = 1 << 20;
const SAMPLE_BYTES: usize = 16;

/// What is kept of one series, or a part of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Which series.
    pub key: Vec<u8>,
    /// What is kept of it.
    pub cells: Vec<u8>,
}

/// Why a piece is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PieceError {
    /// It is not a piece of such an accumulator.
    #[error("a piece of an aggregation that is none")]
    Malformed,
    /// It has more than the query may.
    #[error(transparent)]
    Query(#[from] Error),
}

/// A cell as bytes.
pub(crate) trait Wire: Cell {
    /// How many numbers of 8 bytes it has.
    const WORDS: usize;

    /// Its numbers, in order.
    fn words(&self, out: &mut impl FnMut([u8; 8]));

    /// A cell of such numbers.
    fn of_words(words: &mut impl FnMut() -> [u8; 8]) -> Self;
}

impl Accumulator {
    /// All that it has, piece by piece.
    pub fn pieces(&self) -> impl Iterator<Item = Piece> + '_ {
        let state = &self.state;
        state.table.keys().into_iter().enumerate().flat_map(|(series, key)| {
            let cells = match &state.store {
                Store::Counts(all) => vec![written(all.get(series))],
                Store::Sums(all) => vec![written(all.get(series))],
                Store::Means(all) => vec![written(all.get(series))],
                Store::Extremes(all) => vec![written(all.get(series))],
                Store::Moments(all) => vec![written(all.get(series))],
                Store::Edges(all) => vec![written(all.get(series))],
                Store::Samples(all) => {
                    let samples = all.get(series).map_or(&[][..], Vec::as_slice);
                    samples.chunks(SAMPLES_BYTES / SAMPLE_BYTES).map(written_samples).collect()
                }
            };
            cells.into_iter().map(|cells| Piece { key: key.to_vec(), cells })
        })
    }

    /// Takes in a piece of another accumulator of the same leaf and steps.
    pub fn add_piece(&mut self, key: &[u8], cells: &[u8]) -> Result<(), PieceError> {
        let state = &mut self.state;
        let names = |name| state.leaf.pipeline.name_text(name);
        let series = state.table.of_wire(key, &state.leaf.group, names);
        let series = series.ok_or(PieceError::Malformed)?;
        state.check_limit()?;
        let n_panes = state.grid.n_panes();
        let read = match &mut state.store {
            Store::Counts(all) => read(super::accumulate::panes(all, series), cells, n_panes),
            Store::Sums(all) => read(super::accumulate::panes(all, series), cells, n_panes),
            Store::Means(all) => read(super::accumulate::panes(all, series), cells, n_panes),
            Store::Extremes(all) => read(super::accumulate::panes(all, series), cells, n_panes),
            Store::Moments(all) => read(super::accumulate::panes(all, series), cells, n_panes),
            Store::Edges(all) => read(super::accumulate::panes(all, series), cells, n_panes),
            Store::Samples(all) => {
                let (samples, rest) = cells.as_chunks::<SAMPLE_BYTES>();
                let own = super::accumulate::samples_of(all, series);
                own.extend(samples.iter().map(|sample| {
                    let (timestamp, value) = sample.split_at(8);
                    (i64::from_le_bytes(word(timestamp)), f64::from_le_bytes(word(value)))
                }));
                rest.is_empty().then_some(())
            }
        };
        read.ok_or(PieceError::Malformed)
    }
}

fn word(bytes: &[u8]) -> [u8; 8] {
    bytes.try_into().expect("it was cut to 8 bytes")
}

fn written_samples(samples: &[(i64, f64)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(samples.len() * SAMPLE_BYTES);
    for (timestamp, value) in samples {
        out.extend_from_slice(&timestamp.to_le_bytes());
        out.extend_from_slice(&value.to_le_bytes());
    }
    out
}

fn written<C: Wire>(panes: Option<&Panes<C>>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut write = |pane: u32, cell: &C| {
        if !cell.is_empty() {
            out.extend_from_slice(&pane.to_le_bytes());
            cell.words(&mut |word| out.extend_from_slice(&word));
        }
    };
    match panes {
        None => {}
        Some(Panes::Few(few)) => few.iter().for_each(|(pane, cell)| write(*pane, cell)),
        Some(Panes::Many(many)) => {
            (0..).zip(many).for_each(|(pane, cell)| write(pane, cell));
        }
    }
    out
}

fn read<C: Wire>(panes: &mut Panes<C>, bytes: &[u8], n_panes: usize) -> Option<()> {
    let cells = bytes.chunks_exact(4 + 8 * C::WORDS);
    if !cells.remainder().is_empty() {
        return None;
    }
    for cell in cells {
        let (pane, cell) = cell.split_at(4);
        let pane = u32::from_le_bytes(pane.try_into().expect("it was cut to 4 bytes"));
        let mut words = cell.chunks_exact(8).map(word);
        let cell = C::of_words(&mut || words.next().expect("as many as it has"));
        if pane as usize >= n_panes {
            return None;
        }
        panes.cell(pane, n_panes).merge(&cell);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::{Leaf, Plan, Steps};
    use super::*;
    use crate::logql::{ast, parse};
    use crate::model::{Labels, Lines, MetadataColumn, Rows};

    const MS: i64 = 1_000_000;

    fn leaf(query: &str) -> Arc<Leaf> {
        let Ok(ast::Query::Metric(metric)) = parse(query) else { panic!("{query}") };
        Arc::new(Plan::compile(&metric, 0).expect("compiles").leaves()[0].clone())
    }

    fn rows(entries: &[(i64, i32)]) -> Rows {
        let mut entries = entries.to_vec();
        entries.sort_unstable();
        let lines = entries.iter().map(|(_, value)| format!("n={value} of={}", value % 3));
        let lines: Vec<String> = lines.collect();
        let mut offsets = vec![0];
        for line in &lines {
            offsets.push(offsets[offsets.len() - 1] + u32::try_from(line.len()).expect("short"));
        }
        Rows {
            timestamps: entries.iter().map(|(timestamp, _)| timestamp * MS).collect(),
            lines: Some(Lines { bytes: lines.concat().into(), offsets }),
            metadata: Some(MetadataColumn::none(entries.len())),
        }
    }

    fn stream(app: &str) -> Labels {
        Labels::from_pairs([("app", app), ("zone", "z")]).expect("unique")
    }

    const QUERIES: [&str; 14] = [
        r#"count_over_time({app=~".+"}[7ms])"#,
        r#"sum(rate({app=~".+"} |= "1" [5ms]))"#,
        r#"sum by (app) (bytes_over_time({app=~".+"}[7ms]))"#,
        r#"sum by (of, none) (count_over_time({app=~".+"} | logfmt [3ms]))"#,
        r#"sum without (zone) (count_over_time({app=~".+"} | logfmt [9ms]))"#,
        r#"sum_over_time({app=~".+"} | logfmt | unwrap n [7ms])"#,
        r#"avg_over_time({app=~".+"} | logfmt | unwrap n [7ms]) by (app)"#,
        r#"min_over_time({app=~".+"} | logfmt | unwrap n [7ms])"#,
        r#"stddev_over_time({app=~".+"} | logfmt | unwrap n [7ms]) by (of)"#,
        r#"first_over_time({app=~".+"} | logfmt | unwrap n [7ms]) by (app)"#,
        r#"last_over_time({app=~".+"} | logfmt | unwrap n [7ms]) by (app)"#,
        r#"quantile_over_time(0.7, {app=~".+"} | logfmt | unwrap n [7ms]) by (app)"#,
        r#"rate_counter({app=~".+"} | logfmt | unwrap n [7ms])"#,
        r#"absent_over_time({app="x"}[7ms])"#,
    ];

    fn of(leaf: &Arc<Leaf>, steps: Steps, parts: &[(&str, &[(i64, i32)])]) -> Accumulator {
        let mut made = Accumulator::new(leaf.clone(), steps, 100);
        for (app, entries) in parts {
            made.add_rows(&stream(app), &rows(entries)).expect("no error in them");
        }
        made
    }

    /// Series in order, values rounded so that the order of sums does not matter.
    fn shown(accumulator: Accumulator) -> Vec<String> {
        let shown = accumulator.finish().into_iter().map(|series| {
            let points: Vec<(usize, i64)> = series
                .points
                .iter()
                .map(|(step, value)| (step, (value * 1e6).round() as i64))
                .collect();
            format!("{:?} {points:?}", series.labels)
        });
        let mut shown: Vec<String> = shown.collect();
        shown.sort();
        shown
    }

    proptest! {
        /// What two nodes found and sent is what one would have found.
        #[test]
        fn sharded_is_unsharded(
            a in prop::collection::vec((-20..60i64, 0..50i32), 0..40),
            b in prop::collection::vec((-20..60i64, 0..50i32), 0..40),
            query in 0..QUERIES.len(),
            step in 1..9i64, n in 1..9usize,
        ) {
            let leaf = leaf(QUERIES[query]);
            let steps = Steps { start: 0, step: step * MS, n };
            // Of equal timestamps the first that comes is the first: no two for these.
            let unique = |entries: &[(i64, i32)], odd: i64| -> Vec<(i64, i32)> {
                let entries = entries.iter().map(|(timestamp, n)| (2 * timestamp + odd, *n));
                let by_time: std::collections::BTreeMap<i64, i32> = entries.collect();
                by_time.into_iter().collect()
            };
            let (a, b) = (unique(&a, 0), unique(&b, 1));
            let whole = of(&leaf, steps, &[("a", &a), ("b", &b), ("c", &a)]);
            let mut joined = Accumulator::new(leaf.clone(), steps, 100);
            for part in [of(&leaf, steps, &[("a", &a)]), of(&leaf, steps, &[("b", &b), ("c", &a)])] {
                for Piece { key, cells } in part.pieces() {
                    joined.add_piece(&key, &cells).expect("a good piece");
                }
            }
            prop_assert_eq!(shown(joined), shown(whole));
        }

        #[test]
        fn garbage_is_refused(
            key in prop::collection::vec(any::<u8>(), 0..20),
            cells in prop::collection::vec(any::<u8>(), 0..80),
            query in 0..QUERIES.len(),
        ) {
            let leaf = leaf(QUERIES[query]);
            let mut accumulator = Accumulator::new(leaf, Steps { start: 0, step: 3 * MS, n: 4 }, 100);
            let _ = accumulator.add_piece(&key, &cells);
            let _ = accumulator.finish();
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let leaf = leaf(QUERIES[0]);
        let steps = Steps { start: 0, step: 3 * MS, n: 4 };
        let whole = of(&leaf, steps, &[("a", &[(1, 1), (2, 2)])]);
        let Piece { key, cells } = whole.pieces().next().expect("one series");
        let check = |key: &[u8], cells: &[u8], expected: Option<PieceError>| {
            let mut accumulator = Accumulator::new(leaf.clone(), steps, 1);
            assert_eq!(accumulator.add_piece(key, cells).err(), expected);
        };
        check(&key, &cells, None);
        check(&key, &cells[1..], Some(PieceError::Malformed));
        check(&key[1..], &cells, None);
        check(&key[..key.len() - 1], &cells, Some(PieceError::Malformed));
        check(b"\xfe\xff\xfe\xff", &cells, Some(PieceError::Malformed));
        check(b"a\xff1\xffa\xff2\xff", &cells, Some(PieceError::Malformed));
        let mut far = cells.clone();
        far[..4].copy_from_slice(&1_000_000u32.to_le_bytes());
        check(&key, &far, Some(PieceError::Malformed));
        let mut accumulator = Accumulator::new(leaf.clone(), steps, 1);
        accumulator.add_piece(&key, &cells).expect("one series");
        let more = accumulator.add_piece(b"a\xff2\xff", &cells);
        assert_eq!(more, Err(PieceError::Query(Error::TooManySeries { limit: 1 })));
    }
}
