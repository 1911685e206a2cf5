//! The newest or oldest rows, in order: `order by timestamp desc limit n` without reading all.
//!
//! As for log queries, the last of the rows that are in so far is a bound in time that all tasks
//! share; what lies beyond it is not read.

use std::sync::atomic::{AtomicI64, Ordering};

use arrow::array::{RecordBatch, UInt64Array};
use arrow::compute::{concat_batches, take_record_batch};
use bytes::Bytes;

use super::remote::{self, Found};
use super::rows::{Reader, ReaderError, stream_id};
use super::text::filter;
use crate::model::{Labels, Lines, Rows, Timestamp};
use crate::scan::remote::{Malformed, Work};
use crate::scan::{self, Columns, Needles, Visit};

/// Rows that wait to be sorted: some multiple of the limit, so that sorting is rare.
const WAITING_FACTOR: usize = 4;

/// Reads the first rows from one end of time.
pub(super) struct First {
    reader: Reader,
    newest_first: bool,
    limit: usize,
    bound: AtomicI64,
}

/// Rows in the order that is wanted, with the place of each.
pub(super) struct Piece {
    places: Vec<Place>,
    batch: RecordBatch,
}

/// The time of a row and the id of its stream: rows of one time are ordered by their streams, those of
/// one stream as they were committed. Newest first is the same from the end.
type Place = (i64, i64);

impl First {
    pub(super) fn new(reader: Reader, newest_first: bool, limit: usize) -> First {
        let bound = if newest_first { i64::MIN } else { i64::MAX };
        First { reader, newest_first, limit, bound: AtomicI64::new(bound) }
    }

    fn is_beyond(&self, timestamp: i64) -> bool {
        let bound = self.bound.load(Ordering::Relaxed);
        if self.newest_first { timestamp < bound } else { timestamp > bound }
    }
}

impl Visit for First {
    type Partial = Vec<Piece>;
    type Error = ReaderError;

    fn start(&self) -> Vec<Piece> {
        Vec::new()
    }

    fn columns(&self, stream: &Labels) -> Columns {
        self.reader.columns(stream)
    }

    fn needles(&self) -> Needles {
        self.reader.needles()
    }

    fn matches(&self, lines: &Lines) -> bool {
        self.reader.matches(lines)
    }

    fn wants(&self, span: (Timestamp, Timestamp)) -> bool {
        let nearest = if self.newest_first { span.1 } else { span.0 };
        !self.is_beyond(nearest.nanos())
    }

    fn rows(&self, found: &mut Vec<Piece>, stream: &Labels, rows: Rows) -> Result<(), ReaderError> {
        self.keep(found, stream, filter(rows, &self.reader.filters))
    }

    fn work(&self) -> Option<Work> {
        Some(self.reader.asked(Some(self.limit)))
    }

    fn part(&self, found: &mut Vec<Piece>, part: Bytes) -> Result<(), ReaderError> {
        match remote::read(part)? {
            Found::Rows(streams) => {
                streams.into_iter().try_for_each(|(stream, rows)| {
                    // Pieces of one stream come one behind the other.
                    let mut order: Vec<usize> = (0..rows.len()).collect();
                    order.sort_by_key(|row| rows.timestamps[*row]);
                    self.keep(found, &stream, rows.select(&order))
                })
            }
            Found::Total(_) | Found::Counts(_) => {
                let what = Malformed("counts where rows are wanted");
                Err(scan::Error::Foreign(what).into())
            }
        }
    }
}

impl First {
    /// Keeps what can be among the first of rows in the order of time.
    fn keep(&self, found: &mut Vec<Piece>, stream: &Labels, rows: Rows) -> Result<(), ReaderError> {
        let mut keep: Vec<usize> =
            (0..rows.len()).filter(|row| !self.is_beyond(rows.timestamps[*row])).collect();
        if self.newest_first {
            keep.reverse();
        }
        keep.truncate(self.limit);
        if !keep.is_empty() {
            let rows = rows.select(&keep);
            let batch = self.reader.batch(stream, &rows)?;
            let id = stream_id(stream);
            let places = rows.timestamps.into_iter().map(|timestamp| (timestamp, id));
            found.push(Piece { places: places.collect(), batch });
        }
        Ok(())
    }
}

/// The first rows so far.
#[derive(Default)]
pub(super) struct Best {
    pieces: Vec<Piece>,
    n_rows: usize,
}

impl Best {
    pub(super) fn add(&mut self, pieces: Vec<Piece>, first: &First) -> Result<(), ReaderError> {
        self.n_rows += pieces.iter().map(|piece| piece.places.len()).sum::<usize>();
        self.pieces.extend(pieces);
        if self.n_rows > first.limit.saturating_mul(WAITING_FACTOR) {
            self.sort(first)?;
        }
        Ok(())
    }

    pub(super) fn finish(mut self, first: &First) -> Result<RecordBatch, ReaderError> {
        self.sort(first)?;
        let empty = || RecordBatch::new_empty(first.reader.schema.clone());
        Ok(self.pieces.pop().map_or_else(empty, |piece| piece.batch))
    }

    /// Makes one sorted piece of all and cuts it at the limit. Stable: rows of one place are of one
    /// unit, and keep the order in which they came.
    fn sort(&mut self, first: &First) -> Result<(), ReaderError> {
        let pieces = std::mem::take(&mut self.pieces);
        let places: Vec<Place> =
            pieces.iter().flat_map(|piece| piece.places.iter().copied()).collect();
        let mut order: Vec<usize> = (0..places.len()).collect();
        if first.newest_first {
            order.sort_by_key(|row| std::cmp::Reverse(places[*row]));
        } else {
            order.sort_by_key(|row| places[*row]);
        }
        order.truncate(first.limit);
        if let Some(last) = order.get(first.limit.saturating_sub(1)) {
            first.bound.store(places[*last].0, Ordering::Relaxed);
        }
        let batch = concat_batches(&first.reader.schema, pieces.iter().map(|piece| &piece.batch))?;
        let indices = UInt64Array::from_iter_values(order.iter().map(|row| *row as u64));
        let batch = take_record_batch(&batch, &indices)?;
        debug_assert_eq!(batch.num_rows(), indices.len());
        self.n_rows = order.len();
        let places = order.into_iter().map(|row| places[row]).collect();
        self.pieces = vec![Piece { places, batch }];
        Ok(())
    }
}
