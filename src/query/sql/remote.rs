//! Rows of a shard on another node: filtered there, and sent as batches in the form of the WAL,
//! which is smaller than Arrow's and opened by the same code as everything else.
//!
//! With a limit and an order, only what can be among the first rows is sent.

use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use drave_proto::scan as proto;
use drave_sql::TextFilter;
use prost::Message;
use tokio::sync::mpsc;

use super::members::Members;
use super::text::{filter, from_needles, line_filters, to_needles};
use crate::logql::pipeline::LineFilters;
use crate::model::{Batch, BatchBuilder, Labels, Lines, Rows, Tenant, Timestamp};
use crate::query::needles;
use crate::query::remote::{Job, PART_BYTES, bad, malformed};
use crate::query::{Error, PARTIALS_MAX};
use crate::scan::remote::{Malformed, from_streams, to_streams};
use crate::scan::{self, BlockMeta, Columns, Needles, Order, Visit};

/// Rows of one stream that are counted in one piece.
const COUNT_MAX: usize = 1 << 16;
/// Such pieces in one part: whoever takes it makes rows of them.
const PIECES: usize = 16;

/// What another node is told.
pub(super) fn asked(
    detail: proto::Detail,
    want: Columns,
    text: &[TextFilter],
    members: &Members,
    first: Option<usize>,
) -> proto::Rows {
    proto::Rows {
        detail: detail.into(),
        lines: want.lines,
        metadata: want.metadata,
        needles: to_needles(text),
        first: first.map(|limit| limit as u64),
        members: members.to_wire(),
    }
}

/// What came of it.
pub(super) enum Found {
    /// So many rows, of which nothing else matters.
    Total(usize),
    /// So many rows of some streams, at most [`COUNT_MAX`] each.
    Counts(Vec<(Labels, usize)>),
    /// Rows of some streams.
    Rows(Vec<(Labels, Rows)>),
}

/// Reads a part of such an answer.
pub(super) fn read(part: Bytes) -> Result<Found, scan::Error> {
    use proto::rows_part::Rows as Wire;
    let part = proto::RowsPart::decode(part).map_err(|_| malformed("no rows"))?;
    match part.rows {
        None => Err(malformed("nothing of its rows")),
        Some(Wire::Total(n)) => {
            Ok(Found::Total(usize::try_from(n).map_err(|_| malformed("too many rows"))?))
        }
        Some(Wire::Counts(counts)) => {
            let streams = to_streams(counts.streams.unwrap_or_default());
            let streams = streams.map_err(scan::Error::Foreign)?;
            let n_rows = counts.n_rows.into_iter().map(|n| n as usize);
            let n_rows: Vec<usize> = n_rows.filter(|n| *n <= COUNT_MAX).collect();
            if streams.len() != n_rows.len() || streams.len() > PIECES {
                return Err(malformed("counts that cannot be"));
            }
            Ok(Found::Counts(streams.into_iter().zip(n_rows).collect()))
        }
        Some(Wire::Batch(batch)) => {
            let open = || {
                let batch = Batch::open(batch)?;
                let rows = batch.decode()?;
                let labels = batch.segments().iter().map(|segment| segment.labels.clone());
                Ok(labels.zip(rows).collect())
            };
            let rows: Result<Vec<(Labels, Rows)>, crate::model::batch::Error> = open();
            rows.map(Found::Rows).map_err(|_| malformed("a batch that is none"))
        }
    }
}

/// Answers with rows of this shard.
pub(in crate::query) async fn answer(job: &Job, asked: proto::Rows) -> Result<(), Error> {
    let first = match (asked.first, job.request.order) {
        (None, _) => None,
        (Some(limit), Order::Forward) => Some(First::new(limit, false)),
        (Some(limit), Order::Backward) => Some(First::new(limit, true)),
        (Some(_), Order::Any) => return Err(bad("the first rows of no order")),
    };
    let shipper = Shipper {
        detail: proto::Detail::try_from(asked.detail).map_err(|_| bad("rows of no detail"))?,
        want: Columns { lines: asked.lines, metadata: asked.metadata },
        filters: line_filters(&from_needles(asked.needles)).map_err(Error::BadQuery)?,
        members: Members::from_wire(asked.members).map_err(|Malformed(what)| bad(what))?,
        first,
    };
    let (out, mut found) = mpsc::channel(PARTIALS_MAX);
    let Job { scanner, snapshot, request, stats, .. } = job;
    let scan = scanner.run(snapshot, request, Arc::new(shipper), stats, out);
    let send = async {
        while let Some(shipment) = found.recv().await {
            job.send_all(move || shipment.into_parts()).await;
        }
        Ok(())
    };
    futures::try_join!(scan, send).map(|_| ())
}

/// Gathers rows to be sent.
struct Shipper {
    detail: proto::Detail,
    want: Columns,
    filters: LineFilters,
    members: Members,
    first: Option<First>,
}

/// What one task found.
#[derive(Default)]
struct Shipment {
    total: u64,
    counts: Vec<(Labels, usize)>,
    /// Parts that are full.
    parts: Vec<Vec<u8>>,
    open: BatchBuilder,
}

impl Shipment {
    fn count(&mut self, detail: proto::Detail, stream: &Labels, mut n: usize) {
        if detail == proto::Detail::Total {
            self.total += n as u64;
            return;
        }
        if let Some((last, counted)) = self.counts.last_mut()
            && last == stream
        {
            let more = n.min(COUNT_MAX - *counted);
            *counted += more;
            n -= more;
        }
        while n > 0 {
            let piece = n.min(COUNT_MAX);
            self.counts.push((stream.clone(), piece));
            n -= piece;
        }
    }

    fn add(&mut self, stream: &Labels, rows: &Rows) {
        // Whose it is was in the question.
        self.open.segment(&Tenant::single(), stream);
        let lines = rows.lines.as_ref();
        for row in 0..rows.len() {
            if self.open.raw_bytes() > PART_BYTES || self.open.n_entries() >= COUNT_MAX {
                self.parts.push(batch(&std::mem::take(&mut self.open)));
                self.open.segment(&Tenant::single(), stream);
            }
            let set = rows.metadata.as_ref().map_or(0, |sets| self.open.metadata(sets.get(row)));
            let line = lines.map_or("", |lines| lines.text(row));
            self.open.push(rows.timestamps[row], line, set);
        }
    }

    fn into_parts(self) -> Vec<Vec<u8>> {
        use proto::rows_part::Rows as Wire;
        let mut parts = self.parts;
        if !self.open.is_empty() {
            parts.push(batch(&self.open));
        }
        if self.total > 0 {
            parts.push(encoded(Wire::Total(self.total)));
        }
        for pieces in self.counts.chunks(PIECES) {
            let streams: Vec<Labels> = pieces.iter().map(|(labels, _)| labels.clone()).collect();
            let n_rows = pieces.iter().map(|(_, n)| u32::try_from(*n).expect("a piece is small"));
            let n_rows = n_rows.collect();
            let streams = Some(from_streams(&streams));
            parts.push(encoded(Wire::Counts(proto::Counts { streams, n_rows })));
        }
        parts
    }
}

fn batch(open: &BatchBuilder) -> Vec<u8> {
    encoded(proto::rows_part::Rows::Batch(open.encode()))
}

fn encoded(rows: proto::rows_part::Rows) -> Vec<u8> {
    proto::RowsPart { rows: Some(rows) }.encode_to_vec()
}

/// The times of the first rows, and with them which rows cannot be among them.
struct First {
    limit: usize,
    newest: bool,
    bound: AtomicI64,
    /// Distances from the end that comes first: the largest on top.
    nearest: Mutex<BinaryHeap<i64>>,
}

impl First {
    fn new(limit: u64, newest: bool) -> First {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        First { limit, newest, bound: AtomicI64::new(i64::MAX), nearest: Mutex::default() }
    }

    /// Grows with the distance from the end that comes first.
    fn distance(&self, timestamp: i64) -> i64 {
        if self.newest { !timestamp } else { timestamp }
    }

    fn is_beyond(&self, timestamp: i64) -> bool {
        self.distance(timestamp) > self.bound.load(Ordering::Relaxed)
    }

    /// The first rows of these, which are in the order of time; remembers them.
    fn take(&self, timestamps: &[i64]) -> Vec<usize> {
        let mut keep: Vec<usize> =
            (0..timestamps.len()).filter(|row| !self.is_beyond(timestamps[*row])).collect();
        if self.newest {
            keep.reverse();
        }
        keep.truncate(self.limit);
        let mut nearest = self.nearest.lock().unwrap_or_else(PoisonError::into_inner);
        for row in &keep {
            nearest.push(self.distance(timestamps[*row]));
            if nearest.len() > self.limit {
                nearest.pop();
            }
        }
        if nearest.len() >= self.limit
            && let Some(last) = nearest.peek()
        {
            self.bound.store(*last, Ordering::Relaxed);
        }
        keep
    }
}

impl Visit for Shipper {
    type Partial = Shipment;
    type Error = Error;

    fn start(&self) -> Shipment {
        Shipment::default()
    }

    fn columns(&self, _stream: &Labels) -> Columns {
        Columns { lines: self.want.lines || !self.filters.is_empty(), ..self.want }
    }

    fn needles(&self) -> Needles {
        self.members.add_to(needles(&self.filters))
    }

    fn matches(&self, lines: &Lines) -> bool {
        self.filters.is_empty() || !self.filters.select(lines).is_empty()
    }

    fn wants(&self, span: (Timestamp, Timestamp)) -> bool {
        self.first.as_ref().is_none_or(|first| {
            let nearest = if first.newest { span.1 } else { span.0 };
            !first.is_beyond(nearest.nanos())
        })
    }

    fn block(&self, found: &mut Shipment, stream: &Labels, block: &BlockMeta) -> bool {
        let counts = self.detail != proto::Detail::Each && self.filters.is_empty();
        if counts {
            found.count(self.detail, stream, block.n_rows as usize);
        }
        counts
    }

    fn rows(&self, found: &mut Shipment, stream: &Labels, rows: Rows) -> Result<(), Error> {
        let rows = filter(rows, &self.filters);
        if self.detail != proto::Detail::Each {
            found.count(self.detail, stream, rows.len());
            return Ok(());
        }
        // Rows of the head come with all columns.
        let rows = Rows {
            lines: rows.lines.filter(|_| self.want.lines),
            metadata: rows.metadata.filter(|_| self.want.metadata),
            timestamps: rows.timestamps,
        };
        let rows = match &self.first {
            None => rows,
            Some(first) => {
                let mut keep = first.take(&rows.timestamps);
                // Equal times stay in the order in which they were committed.
                keep.sort_unstable();
                rows.select(&keep)
            }
        };
        if !rows.is_empty() {
            found.add(stream, &rows);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::MetadataColumn;

    fn rows(timestamps: Vec<i64>) -> Rows {
        let mut offsets = vec![0];
        let mut text = String::new();
        for timestamp in &timestamps {
            text.push_str(&timestamp.to_string());
            offsets.push(u32::try_from(text.len()).expect("short"));
        }
        let metadata = Some(MetadataColumn::none(timestamps.len()));
        Rows { timestamps, lines: Some(Lines { bytes: text.into(), offsets }), metadata }
    }

    fn stream(app: &str) -> Labels {
        Labels::from_pairs([("app", app)]).expect("unique")
    }

    fn shipper(detail: proto::Detail, first: Option<First>) -> Shipper {
        let want = Columns { lines: detail == proto::Detail::Each, metadata: false };
        let members = Members::default();
        Shipper { detail, want, filters: LineFilters::default(), members, first }
    }

    /// Stream, time and line of each row that arrives, in order.
    fn arrived(shipment: Shipment) -> Vec<(String, i64, String)> {
        let mut arrived = Vec::new();
        for part in shipment.into_parts() {
            let Found::Rows(streams) = read(part.into()).expect("a good part") else {
                panic!("rows were asked for")
            };
            for (labels, rows) in streams {
                let lines = rows.lines.as_ref().expect("a batch has lines");
                let app = labels.get("app").expect("a label").to_owned();
                arrived
                    .extend((0..rows.len()).map(|row| {
                        (app.clone(), rows.timestamps[row], lines.text(row).to_owned())
                    }));
            }
        }
        arrived
    }

    proptest! {
        /// Of some pieces, in any order, the first rows of all are among those that are sent.
        #[test]
        fn the_first_rows_are_sent(
            pieces in prop::collection::vec(prop::collection::vec(-50..50i64, 1..20), 1..8),
            limit in 1..12usize, newest in any::<bool>(),
        ) {
            let shipper = shipper(proto::Detail::Each, Some(First::new(limit as u64, newest)));
            let mut found = Shipment::default();
            let mut all = Vec::new();
            for mut piece in pieces {
                piece.sort_unstable();
                all.extend(piece.iter().copied());
                let rows = rows(piece);
                shipper.rows(&mut found, &stream("a"), rows).expect("it cannot fail");
            }
            let order = |all: &mut Vec<i64>| {
                all.sort_unstable();
                if newest {
                    all.reverse();
                }
                all.truncate(limit);
            };
            order(&mut all);
            let mut sent: Vec<i64> = arrived(found).into_iter().map(|(_, at, _)| at).collect();
            order(&mut sent);
            prop_assert_eq!(sent, all);
        }
    }

    #[test]
    fn rows_come_as_they_went() {
        let each = shipper(proto::Detail::Each, None);
        let mut found = Shipment::default();
        each.rows(&mut found, &stream("a"), rows(vec![1, 2])).expect("it cannot fail");
        each.rows(&mut found, &stream("b"), rows(vec![-3])).expect("it cannot fail");
        let row = |app: &str, at: i64| (app.to_owned(), at, at.to_string());
        assert_eq!(arrived(found), [row("a", 1), row("a", 2), row("b", -3)]);
    }

    #[test]
    fn counts_are_cut_and_bounded() {
        let check = |detail, expected: &[(&str, usize)]| {
            let shipper = shipper(detail, None);
            let mut found = Shipment::default();
            for (app, n) in [("a", 3), ("a", COUNT_MAX), ("b", 1), ("a", 2)] {
                found.count(shipper.detail, &stream(app), n);
            }
            let mut read_back = Vec::new();
            for part in found.into_parts() {
                match read(part.into()).expect("a good part") {
                    Found::Total(n) => read_back.push(("all".to_owned(), n)),
                    Found::Counts(counts) => read_back.extend(
                        counts
                            .into_iter()
                            .map(|(labels, n)| (labels.get("app").expect("a label").into(), n)),
                    ),
                    Found::Rows(_) => panic!("counts were asked for"),
                }
            }
            let expected: Vec<(String, usize)> =
                expected.iter().map(|(app, n)| ((*app).to_owned(), *n)).collect();
            assert_eq!(read_back, expected);
        };
        check(proto::Detail::Total, &[("all", COUNT_MAX + 6)]);
        check(proto::Detail::PerStream, &[("a", COUNT_MAX), ("a", 3), ("b", 1), ("a", 2)]);
        let streams = Some(from_streams(&[stream("a")]));
        let too_many = proto::Counts { streams, n_rows: vec![u32::MAX] };
        assert!(read(encoded(proto::rows_part::Rows::Counts(too_many)).into()).is_err());
        for garbage in [&b""[..], b"\xff", b"\x1a\x03abc"] {
            assert!(read(Bytes::from_static(garbage)).is_err());
        }
    }
}
