//! Cells: how many rows there are with one value of each column, in one bin of time.
//!
//! In go the rows of a scan, or blocks' metadata where that tells enough; out come record batches
//! with a row per cell: the columns, the first time, the last time, the number of rows.
//!
//! - A block answers for its rows only if all of them fall into one bin. By level, only if every
//!   row has one in its normal form; with exact times, only if all have the same.
//! - A cell may come in pieces: from each task, each block's metadata and each other node one.

pub(in crate::query) mod wire;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray, UInt32Array,
};
use arrow::compute::{concat, take};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use bytes::Bytes;
use drave_sql::{Bin, Cells, SourceError, TextFilter};

use super::Column;
use super::rows::{ReaderError, of_stream};
use super::text::{filter, line_filters};
use crate::logql::pipeline::LineFilters;
use crate::model::level::DETECTED_LEVEL;
use crate::model::{Labels, Level, Lines, MetadataColumn, Rows};
use crate::query::needles;
use crate::scan::remote::Work;
use crate::scan::{BlockMeta, Columns, Needles, Visit};

/// Counts rows by cell.
pub(super) struct Counter {
    columns: Vec<Column>,
    text: Vec<TextFilter>,
    tally: Tally,
}

impl Counter {
    /// The error says which condition is none.
    pub(super) fn new(
        columns: Vec<Column>,
        cells: Cells,
        text: Vec<TextFilter>,
    ) -> Result<Counter, String> {
        let is_of_stream = |column: &Column| {
            matches!(column, Column::StreamId | Column::Label(_) | Column::Labels)
        };
        let tally = Tally {
            filters: line_filters(&text)?,
            by_stream: columns.iter().any(is_of_stream),
            by_level: columns.contains(&Column::Level),
            bin: cells.bin,
            extremes: cells.extremes,
        };
        Ok(Counter { columns, text, tally })
    }

    /// The labels that stand for all streams with the same values of the columns.
    fn key(&self, stream: &Labels) -> Labels {
        let whole = |column: &Column| matches!(column, Column::StreamId | Column::Labels);
        if self.columns.iter().any(whole) {
            return stream.clone();
        }
        let names = self.columns.iter().filter_map(|column| match column {
            Column::Label(name) => Some((name.as_str(), stream.get(name)?)),
            _ => None,
        });
        // A column may be asked for twice.
        let pairs: std::collections::BTreeMap<&str, &str> = names.collect();
        Labels::from_pairs(pairs).expect("names of a map are unique")
    }
}

/// What is counted, and how it is told apart.
struct Tally {
    filters: LineFilters,
    by_stream: bool,
    by_level: bool,
    bin: Option<Bin>,
    extremes: bool,
}

impl Tally {
    fn columns(&self) -> Columns {
        Columns { lines: !self.filters.is_empty(), metadata: self.by_level }
    }

    fn matches(&self, lines: &Lines) -> bool {
        self.filters.is_empty() || !self.filters.select(lines).is_empty()
    }

    fn bin_of(&self, at: i64) -> i64 {
        self.bin.map_or(0, |bin| bin.of(at))
    }

    /// Counts a block by its metadata, if that tells enough.
    fn block(&self, found: &mut Found, stream: u32, block: &BlockMeta) -> bool {
        let (first, last) = (block.min_timestamp, block.max_timestamp);
        let bin = self.bin_of(first);
        if !self.filters.is_empty() || bin != self.bin_of(last) {
            return false;
        }
        if !self.by_level {
            let level = found.level(None);
            found.add(Key { stream, level, bin }, Cell { first, last, n: block.n_rows.into() });
            return true;
        }
        let (named, [unnamed]) = block.levels.split_at(Level::ALL.len()) else {
            unreachable!("one slot more than levels")
        };
        let n_levels = named.iter().filter(|n| **n > 0).count();
        if *unnamed > 0 || self.extremes && n_levels > 1 {
            return false;
        }
        for (level, n) in Level::ALL.into_iter().zip(named).filter(|(_, n)| **n > 0) {
            let level = found.level(Some(level.as_str()));
            found.add(Key { stream, level, bin }, Cell { first, last, n: u64::from(*n) });
        }
        true
    }

    /// Counts rows of one stream, which are in the order of time.
    fn rows(&self, found: &mut Found, stream: u32, rows: Rows) {
        let rows = filter(rows, &self.filters);
        let metadata = rows.metadata.as_ref().filter(|_| self.by_level);
        let levels = levels_of(found, metadata);
        // The cells of the bin that rows lie in now, by level: the next row is in the same one.
        let mut open: Vec<(u32, Cell)> = Vec::new();
        let mut bin = rows.timestamps.first().map_or(0, |at| self.bin_of(*at));
        for (row, at) in rows.timestamps.iter().enumerate() {
            let own = self.bin_of(*at);
            if own != bin {
                found.add_all(stream, bin, &mut open);
                bin = own;
            }
            let level = levels[metadata.map_or(0, |sets| sets.ids[row] as usize)];
            match open.iter_mut().find(|(known, _)| *known == level) {
                Some((_, cell)) => cell.add(Cell { first: *at, last: *at, n: 1 }),
                None => open.push((level, Cell { first: *at, last: *at, n: 1 })),
            }
        }
        found.add_all(stream, bin, &mut open);
    }
}

/// The numbers of the levels of metadata sets; without metadata, of none.
fn levels_of(found: &mut Found, metadata: Option<&MetadataColumn>) -> Vec<u32> {
    match metadata {
        Some(metadata) => {
            metadata.sets.iter().map(|set| found.level(set.get(DETECTED_LEVEL))).collect()
        }
        None => vec![found.level(None)],
    }
}

/// Which cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    stream: u32,
    level: u32,
    bin: i64,
}

/// What is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    first: i64,
    last: i64,
    n: u64,
}

impl Cell {
    fn add(&mut self, other: Cell) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.n += other.n;
    }
}

/// Cells that were found, with the streams and levels that tell them apart.
#[derive(Default)]
pub(super) struct Found {
    streams: Vec<Labels>,
    stream_numbers: HashMap<Labels, u32>,
    levels: Vec<Option<Box<str>>>,
    cells: HashMap<Key, Cell>,
    /// The columns, to become a batch.
    columns: Vec<Column>,
}

impl Found {
    fn stream(&mut self, stream: Labels) -> u32 {
        if let Some(number) = self.stream_numbers.get(&stream) {
            return *number;
        }
        let number = u32::try_from(self.streams.len()).expect("fewer streams than 2^32");
        self.stream_numbers.insert(stream.clone(), number);
        self.streams.push(stream);
        number
    }

    fn level(&mut self, level: Option<&str>) -> u32 {
        let place = self.levels.iter().position(|known| known.as_deref() == level);
        let place = place.unwrap_or_else(|| {
            self.levels.push(level.map(Into::into));
            self.levels.len() - 1
        });
        u32::try_from(place).expect("fewer levels than 2^32")
    }

    fn add(&mut self, key: Key, cell: Cell) {
        self.cells.entry(key).and_modify(|own| own.add(cell)).or_insert(cell);
    }

    fn add_all(&mut self, stream: u32, bin: i64, open: &mut Vec<(u32, Cell)>) {
        for (level, cell) in open.drain(..) {
            self.add(Key { stream, level, bin }, cell);
        }
    }

    /// A row per cell.
    pub(super) fn batch(self, schema: &SchemaRef) -> Result<RecordBatch, SourceError> {
        let batch = self.try_batch(schema);
        batch.map_err(|error| SourceError::Internal(error.to_string()))
    }

    fn try_batch(self, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
        let cells: Vec<(Key, Cell)> = self.cells.into_iter().collect();
        let of = |value: fn(&(Key, Cell)) -> i64| cells.iter().map(value);
        let which = UInt32Array::from_iter_values(cells.iter().map(|(key, _)| key.stream));
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len() + 3);
        for column in &self.columns {
            if *column == Column::Level {
                let level = |(key, _): &(Key, Cell)| self.levels[key.level as usize].as_deref();
                arrays.push(Arc::new(cells.iter().map(level).collect::<StringArray>()));
                continue;
            }
            let values: Vec<ArrayRef> =
                self.streams.iter().filter_map(|stream| of_stream(column, stream, 1)).collect();
            let values: Vec<_> = values.iter().map(AsRef::as_ref).collect();
            arrays.push(match values.is_empty() {
                true => arrow::array::new_empty_array(schema.field(arrays.len()).data_type()),
                false => take(&concat(&values)?, &which, None)?,
            });
        }
        let times = |times: Vec<i64>| TimestampNanosecondArray::from(times).with_timezone("UTC");
        arrays.push(Arc::new(times(of(|(_, cell)| cell.first).collect())));
        arrays.push(Arc::new(times(of(|(_, cell)| cell.last).collect())));
        let n = of(|(_, cell)| i64::try_from(cell.n).unwrap_or(i64::MAX));
        arrays.push(Arc::new(Int64Array::from_iter_values(n)));
        let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
        let extra = arrays[self.columns.len()..].iter().zip(["first", "last", "rows"]);
        fields.extend(extra.map(|(array, name)| {
            Arc::new(arrow::datatypes::Field::new(name, array.data_type().clone(), false))
        }));
        RecordBatch::try_new(Arc::new(arrow::datatypes::Schema::new(fields)), arrays)
    }
}

impl Visit for Counter {
    type Partial = Found;
    type Error = ReaderError;

    fn start(&self) -> Found {
        Found { columns: self.columns.clone(), ..Found::default() }
    }

    fn columns(&self, _stream: &Labels) -> Columns {
        self.tally.columns()
    }

    fn matches(&self, lines: &Lines) -> bool {
        self.tally.matches(lines)
    }

    fn needles(&self) -> Needles {
        needles(&self.tally.filters)
    }

    fn block(&self, found: &mut Found, stream: &Labels, block: &BlockMeta) -> bool {
        let stream = found.stream(self.key(stream));
        self.tally.block(found, stream, block)
    }

    fn rows(&self, found: &mut Found, stream: &Labels, rows: Rows) -> Result<(), ReaderError> {
        let stream = found.stream(self.key(stream));
        self.tally.rows(found, stream, rows);
        Ok(())
    }

    fn work(&self) -> Option<Work> {
        Some(Work::Cells(wire::asked(&self.tally, &self.text)))
    }

    fn part(&self, found: &mut Found, part: Bytes) -> Result<(), ReaderError> {
        Ok(wire::add(found, part, &self.tally, |stream| self.key(stream))?)
    }
}

#[cfg(test)]
mod tests;
