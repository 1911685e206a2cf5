//! What is known of what a reader got: how old it may be, what is missing, how much it was.
//!
//! In: what each scan of one reader saw. Out: a bound on the age of all of it, the shards that
//! were left out, which only happens to those who allow it, and what was read so far.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Stats;
use super::gathered::Told;
use crate::cluster::ReadError;
use crate::model::ShardId;

/// What is known of all that one reader has read.
#[derive(Debug, Default)]
pub struct Report {
    known: Mutex<Known>,
    held: Told,
}

#[derive(Debug, Default)]
struct Known {
    /// Views that were taken.
    n_views: usize,
    /// How many of them have a bound, and the largest one.
    n_bounded: usize,
    staleness: Duration,
    missing: BTreeMap<ShardId, String>,
    /// Scans that may still run, and what those that have ended had read.
    scans: Vec<Arc<Stats>>,
    ended: Amount,
}

/// How much was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Bytes of lines that were looked at.
    pub bytes: u64,
    /// Rows that were looked at.
    pub rows: u64,
    /// Bytes of memory that are held now.
    pub memory: u64,
}

impl Amount {
    fn add(&mut self, stats: &Stats) {
        self.bytes += stats.line_bytes.load(Ordering::Relaxed);
        self.rows += stats.rows.load(Ordering::Relaxed);
    }
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

    /// What is held for the reader.
    pub(super) fn held(&self) -> Told {
        self.held.clone()
    }

    /// What was read so far.
    pub fn amount(&self) -> Amount {
        let known = self.lock();
        let mut amount = Amount { memory: self.held.bytes(), ..known.ended };
        known.scans.iter().for_each(|stats| amount.add(stats));
        amount
    }

    /// A scan begins, and counts here.
    pub(super) fn runs(&self, stats: &Arc<Stats>) {
        let mut known = self.lock();
        let Known { scans, ended, .. } = &mut *known;
        // A reader may scan very often: what nobody else holds any more has ended.
        scans.retain(|stats| {
            let runs = Arc::strong_count(stats) > 1;
            if !runs {
                ended.add(stats);
            }
            runs
        });
        // Several scans may count in one place.
        if !scans.iter().any(|known| Arc::ptr_eq(known, stats)) {
            scans.push(Arc::clone(stats));
        }
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
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_ended_still_counts() {
        let report = Report::default();
        for n in 1..=3 {
            let stats = Arc::new(Stats::default());
            report.runs(&stats);
            report.runs(&stats);
            stats.rows.store(n, Ordering::Relaxed);
            stats.line_bytes.store(10 * n, Ordering::Relaxed);
        }
        assert_eq!(report.amount(), Amount { bytes: 60, rows: 6, memory: 0 });
        assert_eq!(report.lock().scans.len(), 1, "the rest was added up");
    }

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
