//! Leaves out the blocks whose filters say that nothing wanted is in them.
//!
//! A block without a wanted entry may go from its unit whatever else is in it: where the entry
//! stands in another source, too, it is the same entry, so that one is not wanted either.

use std::future::Future;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};

use super::prune::{BlockAt, Plan, Unit};
use super::run::{INDEX_LOADS, Stats};
use super::{Error, Needles, Scanner};

impl Scanner {
    /// The units without the blocks that cannot hold what is looked for; without those that have
    /// nothing left.
    pub(super) async fn sift(
        &self,
        plan: &Plan,
        mut units: Vec<Unit>,
        needles: &Needles,
        stats: &Stats,
    ) -> Result<Vec<Unit>, Error> {
        if !needles.has_no_texts() {
            let loads = wanted(plan, &units).map(|chunk| async move {
                match chunk {
                    Some(chunk) => self.indexes.filters(&self.objects, chunk).await,
                    None => Ok(None),
                }
            });
            let filters = load(loads.collect(), stats).await?;
            units = left(units, stats, |_, at| {
                let filters = filters[at.chunk as usize].as_ref();
                filters.is_none_or(|own| own.may_hold(at.block as usize, needles))
            });
        }
        if !needles.has_no_values() {
            let loads = wanted(plan, &units).map(|chunk| async move {
                match chunk {
                    Some(chunk) => self.indexes.values(&self.objects, chunk).await,
                    None => Ok(None),
                }
            });
            let filters = load(loads.collect(), stats).await?;
            let of_streams: Vec<_> =
                plan.streams.iter().map(|stream| needles.values_of(stream)).collect();
            units = left(units, stats, |unit, at| {
                let filters = filters[at.chunk as usize].as_ref();
                let needles = &of_streams[unit as usize];
                filters.is_none_or(|own| needles.may_be_in(own, at.block as usize))
            });
        }
        Ok(units)
    }
}

/// Each of the plan's chunks, where a unit has a block of it.
fn wanted<'p>(
    plan: &'p Plan,
    units: &[Unit],
) -> impl Iterator<Item = Option<&'p super::prune::Chunk>> {
    let mut wanted = vec![false; plan.chunks.len()];
    units.iter().flat_map(|unit| &unit.blocks).for_each(|at| wanted[at.chunk as usize] = true);
    plan.chunks.iter().zip(wanted).map(|(chunk, wanted)| wanted.then_some(chunk))
}

/// Loads filters of all chunks; what was read for them counts. The futures are all there first: a
/// closure over borrowed chunks may not live across an await.
async fn load<T>(
    loads: Vec<impl Future<Output = Result<Option<(Arc<T>, u64)>, Error>>>,
    stats: &Stats,
) -> Result<Vec<Option<Arc<T>>>, Error> {
    let loaded = futures::stream::iter(loads).buffered(INDEX_LOADS);
    let loaded: Vec<_> = loaded.try_collect().await?;
    for (_, n_bytes) in loaded.iter().flatten().filter(|(_, n_bytes)| *n_bytes > 0) {
        Stats::add(&stats.object_reads, 1);
        Stats::add(&stats.object_bytes, *n_bytes);
    }
    Ok(loaded.into_iter().map(|loaded| Some(loaded?.0)).collect())
}

/// The units with the blocks that may hold something. `may_hold` is asked with the unit's stream.
fn left(
    mut units: Vec<Unit>,
    stats: &Stats,
    may_hold: impl Fn(u32, &BlockAt) -> bool,
) -> Vec<Unit> {
    let mut n_left_out = 0;
    units.retain_mut(|unit| {
        unit.blocks.retain(|at| {
            let keep = may_hold(unit.stream, at);
            n_left_out += u64::from(!keep);
            keep
        });
        unit.head || !unit.blocks.is_empty()
    });
    Stats::add(&stats.blocks_filtered, n_left_out);
    units
}
