//! What a reader is told of what it got: how old it may be, and what is missing.
//!
//! In: what each scan of one reader saw. Out: a bound on the age of all of it, and the shards that
//! were left out, which only happens to those who allow it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::cluster::ReadError;
use crate::model::ShardId;

/// What is known of all that one reader has read.
#[derive(Debug, Default)]
pub struct Report(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Views that were taken.
    n_views: usize,
    /// How many of them have a bound, and the largest one.
    n_bounded: usize,
    staleness: Duration,
    missing: BTreeMap<ShardId, String>,
}

impl Report {
    /// What was read shows everything that was acknowledged so long before the read began. Nothing
    /// where that is not known, as in a session, and where nothing was read.
    pub fn staleness(&self) -> Option<Duration> {
        let known = self.lock();
        (known.n_views > 0 && known.n_bounded == known.n_views).then_some(known.staleness)
    }

    /// Shards that were left out, and why.
    pub fn missing(&self) -> Vec<(ShardId, String)> {
        let known = self.lock();
        known.missing.iter().map(|(shard, reason)| (*shard, reason.clone())).collect()
    }

    pub(super) fn saw(&self, staleness: Option<Duration>) {
        let mut known = self.lock();
        known.n_views += 1;
        if let Some(staleness) = staleness {
            known.n_bounded += 1;
            known.staleness = known.staleness.max(staleness);
        }
    }

    pub(super) fn without(&self, error: ReadError) {
        self.lock().missing.insert(error.shard, error.reason);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Nothing panics while it holds this.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_view_bounds_all() {
        let check = |seen: &[Option<u64>], expected: Option<u64>| {
            let report = Report::default();
            seen.iter().for_each(|ms| report.saw(ms.map(Duration::from_millis)));
            assert_eq!(report.staleness(), expected.map(Duration::from_millis));
        };
        check(&[], None);
        check(&[Some(0), Some(0)], Some(0));
        check(&[Some(7), Some(300), Some(5)], Some(300));
        check(&[Some(7), None], None);
    }
}
