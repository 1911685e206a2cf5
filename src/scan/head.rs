//! Rows of the head: batches that are not yet in a chunk, decoded once per scan.

use std::collections::HashMap;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};

use super::Error;
use super::prune::{Plan, Wanted, clip};
use crate::model::{Batch, Rows, TimeRange};
use crate::pool::Pool;

/// Batches that one job decodes: small ones together, so that a head of many costs few jobs.
const BATCHES_PER_JOB: usize = 64;

/// Rows by the plan's stream, pieces in commit order.
#[derive(Default)]
pub(super) struct HeadRows {
    by_stream: HashMap<u32, Vec<Rows>>,
}

impl HeadRows {
    pub(super) fn of(&self, stream: u32) -> &[Rows] {
        self.by_stream.get(&stream).map_or(&[], Vec::as_slice)
    }
}

/// Decodes what the plan wants of the head.
pub(super) async fn decode(pool: &Pool, plan: &Arc<Plan>) -> Result<HeadRows, Error> {
    let n_batches = plan.head.batches.len();
    let jobs = (0..n_batches).step_by(BATCHES_PER_JOB).map(|first| {
        let plan = Arc::clone(plan);
        pool.run(move || {
            let last = (first + BATCHES_PER_JOB).min(plan.head.batches.len());
            let batches = plan.head.batches[first..last].iter();
            let decoded = batches.map(|(batch, wanted)| pieces(batch, wanted, &plan.range));
            let decoded: Result<Vec<_>, _> = decoded.collect();
            decoded.map_err(|source| Error::Batch { shard: plan.shard, source })
        })
    });
    let jobs: Vec<_> = jobs.collect();
    let mut jobs = futures::stream::iter(jobs).buffered(pool.n_places());
    let mut head = HeadRows::default();
    while let Some(batches) = jobs.try_next().await? {
        for (stream, rows) in batches.into_iter().flatten() {
            head.by_stream.entry(stream).or_default().push(rows);
        }
    }
    Ok(head)
}

fn pieces(
    batch: &Batch,
    wanted: &[Wanted],
    range: &TimeRange,
) -> Result<Vec<(u32, Rows)>, crate::model::batch::Error> {
    let mut segments: Vec<Option<Rows>> = batch.decode()?.into_iter().map(Some).collect();
    let take = |wanted: &Wanted| {
        let rows = segments[wanted.segment as usize].take().expect("a segment is wanted once");
        (wanted.stream, clip(rows, range))
    };
    Ok(wanted.iter().map(take).filter(|(_, rows)| !rows.is_empty()).collect())
}
