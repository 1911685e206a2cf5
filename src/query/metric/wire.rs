//! A range aggregation on another node: numbers come back, not lines.

use std::sync::Arc;

use bytes::Bytes;
use drave_proto::scan as proto;
use prost::Message;

use super::Aggregate;
use crate::logql::metric::{Accumulator, Piece, PieceError, Plan, Steps};
use crate::logql::{self, ast};
use crate::query::Error;
use crate::query::remote::{Job, bad, in_parts, malformed};
use crate::scan::Scanner;

/// Points in time that a question may ask for: more than an answer may have.
const STEPS_MAX: u64 = 1 << 16;

/// What another node is told of a leaf; nothing where the text of the query would not say all.
pub(super) fn asked(
    query: &ast::Metric,
    leaf: usize,
    steps: Steps,
    now: i64,
    series_max: usize,
) -> Option<proto::Aggregate> {
    Some(proto::Aggregate {
        query: ast::Query::Metric(query.clone()).to_exact_text()?,
        leaf: u32::try_from(leaf).ok()?,
        now,
        first: steps.start,
        step: steps.step,
        n_steps: steps.n as u64,
        series_max: series_max as u64,
    })
}

fn aggregate(asked: proto::Aggregate, room: Scanner) -> Result<Aggregate, Error> {
    let ast::Query::Metric(metric) = logql::parse(&asked.query)? else {
        return Err(bad("a log query where numbers are wanted"));
    };
    let plan = Plan::compile(&metric, asked.now);
    let plan = plan.map_err(|error| Error::BadQuery(error.to_string()))?;
    let leaf = plan.leaves().get(asked.leaf as usize);
    let leaf = leaf.ok_or_else(|| bad("a part of a query that it does not have"))?.clone();
    if asked.step < 1 || asked.n_steps < 1 || asked.n_steps > STEPS_MAX {
        return Err(bad("steps that cannot be"));
    }
    let n = usize::try_from(asked.n_steps).expect("it was just limited");
    let steps = Steps { start: asked.first, step: asked.step, n };
    let series_max = usize::try_from(asked.series_max).unwrap_or(usize::MAX);
    Ok(Aggregate { leaf: Arc::new(leaf), steps, series_max, asked: None, room })
}

/// Answers with what is kept of the series of this shard.
pub(in crate::query) async fn answer(job: &Job, asked: proto::Aggregate) -> Result<(), Error> {
    let aggregate = aggregate(asked, job.scanner.clone())?;
    let total = aggregate.gather(&job.scanner, &job.snapshot, &job.request, &job.stats).await?;
    job.send_all(move || parts(&total)).await;
    Ok(())
}

fn parts(total: &Accumulator) -> Vec<Vec<u8>> {
    let bytes = |piece: &Piece| piece.key.len() + piece.cells.len();
    let parts = in_parts(total.pieces(), bytes).into_iter().map(|pieces| {
        let mut part = proto::SeriesPart::default();
        for Piece { key, cells } in pieces {
            part.keys.push(key.into());
            part.cells.push(cells.into());
        }
        part.encode_to_vec()
    });
    parts.collect()
}

/// Takes a part of such an answer in.
pub(super) fn add(total: &mut Accumulator, part: Bytes) -> Result<(), Error> {
    let part = proto::SeriesPart::decode(part).map_err(|_| malformed("no series"))?;
    for (key, cells) in part.keys.iter().zip(&part.cells) {
        total.add_piece(key, cells).map_err(|error| match error {
            PieceError::Malformed => Error::from(malformed("series that cannot be")),
            PieceError::Query(error) => error.into(),
        })?;
    }
    Ok(())
}
