//! Cells of a shard on another node: counted there, and sent as numbers.

use bytes::Bytes;
use drave_proto::scan as proto;
use drave_sql::{Bin, TextFilter};
use prost::Message;
use tokio::sync::mpsc;

use super::{Cell, Found, Key, Tally};
use crate::model::{Labels, Lines, Rows};
use crate::query::remote::{Job, in_parts, malformed};
use crate::query::sql::text::{from_needles, line_filters, to_needles};
use crate::query::{Error, PARTIALS_MAX, needles};
use crate::scan::remote::{from_streams, to_streams};
use crate::scan::{self, BlockMeta, Columns, Needles, Visit};

/// About so many bytes a cell takes.
const CELL_BYTES: usize = 32;

/// What another node is told.
pub(super) fn asked(tally: &Tally, text: &[TextFilter]) -> proto::Cells {
    proto::Cells {
        needles: to_needles(text),
        by_stream: tally.by_stream,
        by_level: tally.by_level,
        width: tally.bin.map_or(0, |bin| bin.width),
        origin: tally.bin.map_or(0, |bin| bin.origin),
        extremes: tally.extremes,
    }
}

/// Takes in what came of it. `key` says which labels stand for a stream here.
pub(super) fn add(
    found: &mut Found,
    part: Bytes,
    tally: &Tally,
    key: impl Fn(&Labels) -> Labels,
) -> Result<(), scan::Error> {
    let part = proto::CellsPart::decode(part).map_err(|_| malformed("no cells"))?;
    let streams = to_streams(part.streams.unwrap_or_default()).map_err(scan::Error::Foreign)?;
    let streams: Vec<u32> = streams.iter().map(|stream| found.stream(key(stream))).collect();
    let levels =
        part.levels.iter().map(|level| Some(level.as_str()).filter(|text| !text.is_empty()));
    let levels: Vec<u32> = levels.map(|level| found.level(level)).collect();
    let n = part.n_rows.len();
    let lengths = [part.stream.len(), part.level.len(), part.first.len(), part.last.len()];
    if lengths.iter().any(|length| *length != n) {
        return Err(malformed("half a cell"));
    }
    for at in 0..n {
        let of = |numbers: &[u32], which: u32| {
            numbers.get(which as usize).copied().ok_or_else(|| malformed("a cell of nothing"))
        };
        let stream = of(&streams, part.stream[at])?;
        let level = of(&levels, part.level[at])?;
        let (first, last) = (part.first[at], part.last[at]);
        let bin = tally.bin_of(first);
        if first > last || bin != tally.bin_of(last) {
            return Err(malformed("a cell of more than one bin"));
        }
        found.add(Key { stream, level, bin }, Cell { first, last, n: part.n_rows[at] });
    }
    Ok(())
}

/// Answers with cells of this shard.
pub(in crate::query) async fn answer(job: &Job, asked: proto::Cells) -> Result<(), Error> {
    let tally = Tally {
        filters: line_filters(&from_needles(asked.needles)).map_err(Error::BadQuery)?,
        by_stream: asked.by_stream,
        by_level: asked.by_level,
        bin: (asked.width > 0).then_some(Bin { width: asked.width, origin: asked.origin }),
        extremes: asked.extremes,
    };
    let (out, mut found) = mpsc::channel(PARTIALS_MAX);
    let Job { scanner, snapshot, request, stats, .. } = job;
    let scan = scanner.run(snapshot, request, std::sync::Arc::new(Shipper(tally)), stats, out);
    let send = async {
        while let Some(found) = found.recv().await {
            job.send_all(move || into_parts(found)).await;
        }
        Ok(())
    };
    futures::try_join!(scan, send).map(|_| ())
}

/// Counts for another node.
struct Shipper(Tally);

impl Shipper {
    fn stream(&self, found: &mut Found, stream: &Labels) -> u32 {
        let none = || Labels::from_pairs::<&str, &str>([]).expect("nothing is named twice");
        let key = if self.0.by_stream { stream.clone() } else { none() };
        found.stream(key)
    }
}

impl Visit for Shipper {
    type Partial = Found;
    type Error = Error;

    fn start(&self) -> Found {
        Found::default()
    }

    fn columns(&self, _stream: &Labels) -> Columns {
        self.0.columns()
    }

    fn matches(&self, lines: &Lines) -> bool {
        self.0.matches(lines)
    }

    fn needles(&self) -> Needles {
        needles(&self.0.filters)
    }

    fn block(&self, found: &mut Found, stream: &Labels, block: &BlockMeta) -> bool {
        let stream = self.stream(found, stream);
        self.0.block(found, stream, block)
    }

    fn rows(&self, found: &mut Found, stream: &Labels, rows: Rows) -> Result<(), Error> {
        let stream = self.stream(found, stream);
        self.0.rows(found, stream, rows);
        Ok(())
    }
}

pub(super) fn into_parts(found: Found) -> Vec<Vec<u8>> {
    let Found { streams, levels, mut cells, .. } = found;
    let mut sorted: Vec<(Key, Cell)> = cells.drain().collect();
    sorted.sort_by_key(|(key, _)| (key.stream, key.bin, key.level));
    let bytes = |(_, _): &(Key, Cell)| CELL_BYTES;
    let level = |level: &Option<Box<str>>| level.as_deref().unwrap_or_default().to_owned();
    let levels: Vec<String> = levels.iter().map(level).collect();
    let parts = in_parts(sorted, bytes).into_iter().map(|cells| {
        let mut part = proto::CellsPart { levels: levels.clone(), ..Default::default() };
        let mut own: Vec<Labels> = Vec::new();
        let mut last = None;
        for (key, cell) in cells {
            if last != Some(key.stream) {
                own.push(streams[key.stream as usize].clone());
                last = Some(key.stream);
            }
            part.stream.push(u32::try_from(own.len() - 1).expect("fewer streams than 2^32"));
            part.level.push(key.level);
            part.n_rows.push(cell.n);
            part.first.push(cell.first);
            part.last.push(cell.last);
        }
        part.streams = Some(from_streams(&own));
        part.encode_to_vec()
    });
    parts.collect()
}
