//! Leaves out the blocks whose filters say that nothing wanted is in them.
//!
//! A block without a wanted entry may go from its unit whatever else is in it: where the entry
//! stands in another source, too, it is the same entry, so that one is not wanted either.

use futures::{StreamExt, TryStreamExt};

use super::prune::{Plan, Unit};
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
        if needles.is_empty() {
            return Ok(units);
        }
        let mut wanted = vec![false; plan.chunks.len()];
        units.iter().flat_map(|unit| &unit.blocks).for_each(|at| wanted[at.chunk as usize] = true);
        let loads = plan.chunks.iter().zip(wanted).map(|(chunk, wanted)| async move {
            if wanted { self.indexes.filters(&self.objects, chunk).await } else { Ok(None) }
        });
        // All futures first: a closure over borrowed chunks may not live across an await.
        let loads: Vec<_> = loads.collect();
        let filters = futures::stream::iter(loads).buffered(INDEX_LOADS);
        let filters: Vec<_> = filters.try_collect().await?;

        for (_, n_bytes) in filters.iter().flatten().filter(|(_, n_bytes)| *n_bytes > 0) {
            Stats::add(&stats.object_reads, 1);
            Stats::add(&stats.object_bytes, *n_bytes);
        }
        let mut n_left_out = 0;
        units.retain_mut(|unit| {
            unit.blocks.retain(|at| {
                let filters = filters[at.chunk as usize].as_ref();
                let keep = filters.is_none_or(|(own, _)| own.may_hold(at.block as usize, needles));
                n_left_out += u64::from(!keep);
                keep
            });
            unit.head || !unit.blocks.is_empty()
        });
        Stats::add(&stats.blocks_filtered, n_left_out);
        Ok(units)
    }
}
