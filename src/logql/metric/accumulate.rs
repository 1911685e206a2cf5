//! Samples in, series out: one range aggregation at work.
//!
//! Rows come stream by stream, block by block, in any order of time; counts of whole blocks may
//! come without their rows. What is kept per series depends on the function: a number per pane
//! for most, the samples themselves for quantiles and counters.
//!
//! Invariants:
//! - a sample outside of all windows makes no series and no error;
//! - the first sample with an error ends the query, unless the query groups by errors.

use std::ops::{ControlFlow, RangeInclusive};
use std::sync::Arc;

use super::Error;
use super::cells::{Cell, Count, Edges, Extremes, Mean, Moments, Sum};
use super::groups::SeriesTable;
use super::leaf::Leaf;
use super::panes::Panes;
use super::points::{Points, Series};
use super::samples::{self, Samples};
use super::steps::{Grid, Place, Steps};
use crate::logql::ast::RangeOp;
use crate::logql::pipeline::{Entry, Order, Runner, Scratch};
use crate::logql::row::Row;
use crate::model::{Labels, Metadata, Rows};

/// One range aggregation at work. One for each thread; [`Accumulator::merge`] joins them.
#[derive(Debug)]
pub struct Accumulator {
    leaf: Arc<Leaf>,
    scratch: Scratch,
    pub(super) state: State,
}

/// What the pipeline's entries are added to.
#[derive(Debug)]
pub(super) struct State {
    pub(super) leaf: Arc<Leaf>,
    pub(super) grid: Grid,
    pub(super) table: SeriesTable,
    pub(super) store: Store,
    /// Where the last timestamp fell.
    place: Place,
    n_series_max: usize,
    /// By metadata set of the current rows: the series, where that follows from the set.
    by_set: Vec<Option<u32>>,
}

/// What is kept, by series.
#[derive(Debug)]
pub(super) enum Store {
    Counts(Vec<Panes<Count>>),
    Sums(Vec<Panes<Sum>>),
    Means(Vec<Panes<Mean>>),
    Extremes(Vec<Panes<Extremes>>),
    Moments(Vec<Panes<Moments>>),
    Edges(Vec<Panes<Edges>>),
    Samples(Vec<Samples>),
}

impl Store {
    fn new(op: RangeOp, unwraps: bool) -> Store {
        match op {
            RangeOp::Rate if unwraps => Store::Sums(Vec::new()),
            RangeOp::CountOverTime | RangeOp::Rate | RangeOp::AbsentOverTime => {
                Store::Counts(Vec::new())
            }
            RangeOp::BytesOverTime | RangeOp::BytesRate | RangeOp::SumOverTime => {
                Store::Sums(Vec::new())
            }
            RangeOp::AvgOverTime => Store::Means(Vec::new()),
            RangeOp::MinOverTime | RangeOp::MaxOverTime => Store::Extremes(Vec::new()),
            RangeOp::StdvarOverTime | RangeOp::StddevOverTime => Store::Moments(Vec::new()),
            RangeOp::FirstOverTime | RangeOp::LastOverTime => Store::Edges(Vec::new()),
            RangeOp::QuantileOverTime | RangeOp::RateCounter => Store::Samples(Vec::new()),
        }
    }
}

/// The panes of a series.
pub(super) fn panes<C: Cell>(all: &mut Vec<Panes<C>>, series: u32) -> &mut Panes<C> {
    let at = series as usize;
    if all.len() <= at {
        all.resize_with(at + 1, Panes::default);
    }
    &mut all[at]
}

impl Accumulator {
    /// Begins an aggregation. More than `n_series_max` series are refused.
    pub fn new(leaf: Arc<Leaf>, steps: Steps, n_series_max: usize) -> Accumulator {
        let state = State {
            leaf: leaf.clone(),
            grid: Grid::new(steps, leaf.range, leaf.offset),
            table: SeriesTable::default(),
            store: Store::new(leaf.op, leaf.unwraps),
            place: Place::NONE,
            n_series_max,
            by_set: Vec::new(),
        };
        Accumulator { scratch: leaf.pipeline.scratch(), leaf, state }
    }

    /// Adds rows of one stream. Columns that [`Leaf::needs_for`] names must be there.
    pub fn add_rows(&mut self, stream: &Labels, rows: &Rows) -> Result<(), Error> {
        let n_sets = rows.metadata.as_ref().map_or(1, |column| column.sets.len());
        self.state.by_set.clear();
        self.state.by_set.resize(n_sets, None);
        if self.leaf.pipeline.is_bare() {
            return self.add_bare(stream, rows);
        }
        let state = &mut self.state;
        let mut result = Ok(());
        let mut runner = Runner::resume(&self.leaf.pipeline, std::mem::take(&mut self.scratch));
        let _ =
            runner.run(stream, rows, Order::Forward, &mut |entry| match state.add_entry(&entry) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    result = Err(error);
                    ControlFlow::Break(())
                }
            });
        self.scratch = runner.into_scratch();
        result
    }

    /// Adds entries of one stream and metadata set of which only the timestamps are known. For
    /// aggregations that need neither lines nor, for this stream, metadata (which may be empty
    /// then); sorted timestamps are fastest.
    pub fn add_counts(
        &mut self,
        stream: &Labels,
        metadata: &Metadata,
        timestamps: &[i64],
    ) -> Result<(), Error> {
        assert!(self.leaf.pipeline.is_bare(), "stages need rows");
        let mut row = self.scratch.begin_row(stream);
        row.enter_set(metadata);
        let result = self.state.add_timestamps(&row, timestamps);
        self.scratch.end_row(row);
        result
    }

    /// Adds a block of one stream of which only its first and last time and its number of rows
    /// are known. `false`, and nothing is added, where that is not enough: then its rows must
    /// be added.
    pub fn add_block(&mut self, stream: &Labels, span: RangeInclusive<i64>, n_rows: u64) -> bool {
        let needs = self.leaf.needs_for(stream);
        let place = self.state.grid.place(*span.start());
        let counts = matches!(self.state.store, Store::Counts(_));
        if !counts || needs.lines || needs.metadata || !place.has(*span.end()) {
            return false;
        }
        let Some(pane) = place.pane else { return true };
        let row = self.scratch.begin_row(stream);
        let series = self.state.series(&row, None);
        self.scratch.end_row(row);
        // One series too many is for the rows to say.
        let Ok(series) = series else { return false };
        self.state.add_count(series, pane, n_rows);
        true
    }

    /// Rows of which only timestamp, length and stream matter.
    fn add_bare(&mut self, stream: &Labels, rows: &Rows) -> Result<(), Error> {
        let selection = self.leaf.pipeline.select(rows);
        let none = Metadata::empty();
        let mut row = self.scratch.begin_row(stream);
        let constant = rows.metadata.as_ref().is_none_or(|column| column.sets.len() == 1);
        let counts = matches!(self.state.store, Store::Counts(_));
        let result = if counts && constant && selection.is_none() {
            let set = rows.metadata.as_ref().map_or(&none, |column| &column.sets[0]);
            row.enter_set(set);
            self.state.add_timestamps(&row, &rows.timestamps)
        } else {
            let state = &mut self.state;
            let mut add = |at: usize| state.add_bare_row(&mut row, rows, at, &none);
            match &selection {
                Some(selection) => selection.rows().try_for_each(&mut add),
                None => (0..rows.len()).try_for_each(&mut add),
            }
        };
        self.scratch.end_row(row);
        result
    }

    /// Takes over what another one of the same leaf and steps has.
    pub fn merge(&mut self, other: Accumulator) -> Result<(), Error> {
        let numbers = self.state.table.merge(other.state.table);
        let n_panes = self.state.grid.n_panes();
        self.state.check_limit()?;
        fn join<C: Cell>(
            own: &mut Vec<Panes<C>>,
            theirs: Vec<Panes<C>>,
            numbers: &[u32],
            n_panes: usize,
        ) {
            for (theirs, number) in theirs.iter().zip(numbers) {
                panes(own, *number).merge(theirs, n_panes);
            }
        }
        match (&mut self.state.store, other.state.store) {
            (Store::Counts(own), Store::Counts(theirs)) => join(own, theirs, &numbers, n_panes),
            (Store::Sums(own), Store::Sums(theirs)) => join(own, theirs, &numbers, n_panes),
            (Store::Means(own), Store::Means(theirs)) => join(own, theirs, &numbers, n_panes),
            (Store::Extremes(own), Store::Extremes(theirs)) => join(own, theirs, &numbers, n_panes),
            (Store::Moments(own), Store::Moments(theirs)) => join(own, theirs, &numbers, n_panes),
            (Store::Edges(own), Store::Edges(theirs)) => join(own, theirs, &numbers, n_panes),
            (Store::Samples(own), Store::Samples(theirs)) => {
                for (theirs, number) in theirs.into_iter().zip(&numbers) {
                    samples_of(own, *number).extend(theirs);
                }
            }
            _ => unreachable!("both are of the same leaf"),
        }
        Ok(())
    }

    /// Bytes that are kept, about: what a query's memory budget counts.
    pub fn bytes(&self) -> usize {
        fn all<C: Cell>(panes: &[Panes<C>]) -> usize {
            panes.iter().map(Panes::bytes).sum()
        }
        let store = match &self.state.store {
            Store::Counts(all_panes) => all(all_panes),
            Store::Sums(all_panes) => all(all_panes),
            Store::Means(all_panes) => all(all_panes),
            Store::Extremes(all_panes) => all(all_panes),
            Store::Moments(all_panes) => all(all_panes),
            Store::Edges(all_panes) => all(all_panes),
            Store::Samples(all) => all.iter().map(|samples| 16 * samples.capacity()).sum(),
        };
        store + self.state.table.bytes()
    }

    /// The series with their values at each step.
    pub fn finish(self) -> Vec<Series> {
        let State { leaf, grid, table, store, .. } = self.state;
        let seconds = leaf.range as f64 / 1e9;
        let points: Vec<Points> = match store {
            Store::Counts(all) if leaf.op == RangeOp::AbsentOverTime => {
                return vec![absent(&leaf, &grid, all.first())];
            }
            Store::Counts(all) if leaf.op == RangeOp::Rate => {
                windows(&all, &grid, |cell| cell.0 as f64 / seconds)
            }
            Store::Counts(all) => windows(&all, &grid, |cell| cell.0 as f64),
            Store::Sums(all) if matches!(leaf.op, RangeOp::Rate | RangeOp::BytesRate) => {
                windows(&all, &grid, |cell| cell.sum / seconds)
            }
            Store::Sums(all) => windows(&all, &grid, |cell| cell.sum),
            Store::Means(all) => windows(&all, &grid, |cell| cell.mean),
            Store::Extremes(all) if leaf.op == RangeOp::MinOverTime => {
                windows(&all, &grid, |cell| cell.min)
            }
            Store::Extremes(all) => windows(&all, &grid, |cell| cell.max),
            Store::Moments(all) if leaf.op == RangeOp::StddevOverTime => {
                windows(&all, &grid, |cell| cell.variance().sqrt())
            }
            Store::Moments(all) => windows(&all, &grid, Moments::variance),
            Store::Edges(all) if leaf.op == RangeOp::FirstOverTime => {
                windows(&all, &grid, Edges::first)
            }
            Store::Edges(all) => windows(&all, &grid, Edges::last),
            Store::Samples(mut all) if leaf.op == RangeOp::RateCounter => {
                all.iter_mut().map(|own| samples::rate_counter(own, &grid)).collect()
            }
            Store::Samples(mut all) => {
                all.iter_mut().map(|own| samples::quantile(own, &grid, leaf.parameter)).collect()
            }
        };
        let labels = table.into_labels().into_iter();
        labels.zip(points).map(|(labels, points)| Series { labels, points }).collect()
    }
}

fn windows<C: Cell>(all: &[Panes<C>], grid: &Grid, value: impl Fn(&C) -> f64) -> Vec<Points> {
    all.iter().map(|panes| panes.windows(grid, &value)).collect()
}

pub(super) fn samples_of(all: &mut Vec<Samples>, series: u32) -> &mut Samples {
    let at = series as usize;
    if all.len() <= at {
        all.resize_with(at + 1, Vec::new);
    }
    &mut all[at]
}

/// A 1 at each step whose window has no sample.
fn absent(leaf: &Leaf, grid: &Grid, present: Option<&Panes<Count>>) -> Series {
    let mut points = Points::none(grid.n_windows());
    let present = present.map(|panes| panes.windows(grid, |cell| cell.0 as f64));
    for step in 0..grid.n_windows() {
        if present.as_ref().is_none_or(|points| points.get(step).is_none()) {
            points.set(step, 1.0);
        }
    }
    Series { labels: leaf.absent_labels(), points }
}

impl State {
    /// The pane of a timestamp; neighbours are often in the same one.
    fn pane(&mut self, timestamp: i64) -> Option<u32> {
        if !self.place.has(timestamp) {
            self.place = self.grid.place(timestamp);
        }
        self.place.pane
    }

    fn add_entry(&mut self, entry: &Entry<'_>) -> Result<(), Error> {
        let Some(pane) = self.pane(entry.timestamp()) else { return Ok(()) };
        check_error(entry.row)?;
        let series = self.series(entry.row, entry.set())?;
        let value = match &self.store {
            _ if self.leaf.unwraps => entry.row.value,
            Store::Sums(_) => entry.line().len() as f64,
            _ => 1.0,
        };
        self.add(series, pane, entry.timestamp(), value);
        Ok(())
    }

    fn add_bare_row<'r>(
        &mut self,
        row: &mut Row<'r>,
        rows: &'r Rows,
        at: usize,
        none: &'r Metadata,
    ) -> Result<(), Error> {
        let timestamp = rows.timestamps[at];
        let Some(pane) = self.pane(timestamp) else { return Ok(()) };
        let set = rows.metadata.as_ref().map_or(0, |column| column.ids[at]);
        let series = match self.by_set[set as usize] {
            Some(series) => series,
            None => {
                row.enter_set(rows.metadata.as_ref().map_or(none, |column| column.get(at)));
                self.series(row, Some(set))?
            }
        };
        let value = match (&self.store, &rows.lines) {
            (Store::Sums(_), Some(lines)) => lines.get(at).len() as f64,
            _ => 1.0,
        };
        self.add(series, pane, timestamp, value);
        Ok(())
    }

    /// The series of an entry; `set` is given where it follows from the metadata set.
    fn series(&mut self, row: &Row<'_>, set: Option<u32>) -> Result<u32, Error> {
        if let Some(set) = set
            && let Some(series) = self.by_set[set as usize]
        {
            return Ok(series);
        }
        let n_before = self.table.len();
        let series = self.table.of_row(row, &self.leaf.group);
        if self.table.len() > n_before {
            self.check_limit()?;
        }
        if let Some(set) = set {
            self.by_set[set as usize] = Some(series);
        }
        Ok(series)
    }

    pub(super) fn check_limit(&self) -> Result<(), Error> {
        if self.table.len() > self.n_series_max {
            return Err(Error::TooManySeries { limit: self.n_series_max });
        }
        Ok(())
    }

    fn add(&mut self, series: u32, pane: u32, timestamp: i64, value: f64) {
        let n = self.grid.n_panes();
        match &mut self.store {
            Store::Counts(all) => panes(all, series).cell(pane, n).add(timestamp, value),
            Store::Sums(all) => panes(all, series).cell(pane, n).add(timestamp, value),
            Store::Means(all) => panes(all, series).cell(pane, n).add(timestamp, value),
            Store::Extremes(all) => panes(all, series).cell(pane, n).add(timestamp, value),
            Store::Moments(all) => panes(all, series).cell(pane, n).add(timestamp, value),
            Store::Edges(all) => panes(all, series).cell(pane, n).add(timestamp, value),
            Store::Samples(all) => samples_of(all, series).push((timestamp, value)),
        }
    }

    /// Counts timestamps that all belong to one series.
    fn add_timestamps(&mut self, row: &Row<'_>, timestamps: &[i64]) -> Result<(), Error> {
        let mut series = None;
        let mut rest = timestamps;
        let sorted = timestamps.is_sorted();
        while let Some(first) = rest.first() {
            let place = self.grid.place(*first);
            let n = if sorted {
                run_length(rest, place.hi)
            } else {
                rest.iter().take_while(|timestamp| place.has(**timestamp)).count()
            };
            rest = &rest[n..];
            let Some(pane) = place.pane else { continue };
            let series = match series {
                Some(series) => series,
                None => *series.insert(self.series(row, None)?),
            };
            self.add_count(series, pane, n as u64);
        }
        Ok(())
    }

    fn add_count(&mut self, series: u32, pane: u32, n: u64) {
        let n_panes = self.grid.n_panes();
        let Store::Counts(all) = &mut self.store else {
            unreachable!("only counts come without their rows");
        };
        panes(all, series).cell(pane, n_panes).0 += n;
    }
}

/// How many of some sorted timestamps are at or below a limit; the first one is. The distance is
/// doubled until it is too far, so that short and long runs are both found fast.
fn run_length(timestamps: &[i64], hi: i64) -> usize {
    let mut step = 1;
    let mut low = 0;
    while low + step < timestamps.len() && timestamps[low + step] <= hi {
        low += step;
        step *= 2;
    }
    let high = (low + step).min(timestamps.len());
    low + timestamps[low..high].partition_point(|timestamp| *timestamp <= hi)
}

/// An error ends the query unless the query groups by it.
fn check_error(row: &Row<'_>) -> Result<(), Error> {
    match row.error() {
        Some(kind) if !row.error_is_preserved() => {
            Err(Error::Pipeline { kind: kind.to_owned(), series: all_labels(row) })
        }
        _ => Ok(()),
    }
}

/// All labels with a value.
fn all_labels(row: &Row<'_>) -> Labels {
    let labels = row.visible().map(|(name, _, value)| (row.names.text(name), value));
    Labels::from_pairs(labels).expect("a row shows a name at most once")
}

#[cfg(test)]
mod tests;
