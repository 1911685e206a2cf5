//! The stream table: every stream a shard holds entries of, and between which times.
//!
//! In: the segments of batches as they are applied. Out: the streams of a tenant for queries, and
//! those whose row has to be written anew.
//!
//! Times are rounded outward to whole hours, so that a busy stream changes its row once an hour and
//! not with every push. Rows are written with the push that changes them and not at the next seal:
//! at the turn of an hour that would be all of 100,000 streams at once, with pushes waiting.
//!
//! Invariant: every entry in a head or a visible chunk lies within the hours of its stream.

use std::collections::BTreeSet;

use super::map::Map;
use crate::model::{Labels, Segment, Tenant, TimeRange, Timestamp};

const HOUR_NANOS: i64 = 3_600_000_000_000;

/// A stream in the table. Sorted by tenant, and within one by a hash: comparing two numbers is
/// cheaper than comparing two label sets that begin alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamKey {
    tenant: Tenant,
    hash: u64,
    labels: Labels,
}

/// The whole hours in which a stream has entries: from `start`, up to and without `end`, counted
/// from the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hours {
    /// The first hour.
    pub start: i32,
    /// The hour after the last.
    pub end: i32,
}

impl StreamKey {
    /// The key of a stream.
    pub fn new(tenant: Tenant, labels: Labels) -> StreamKey {
        StreamKey { tenant, hash: labels.hash64(), labels }
    }

    /// Whose stream.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Which stream.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }
}

impl Hours {
    /// The hours that hold both times and what is between.
    pub fn around(min_ts: Timestamp, max_ts: Timestamp) -> Hours {
        Hours { start: hour_of(min_ts), end: hour_of(max_ts) + 1 }
    }

    /// The hours of the entries of a segment.
    pub fn of(segment: &Segment) -> Hours {
        Hours::around(Timestamp(segment.min_timestamp), Timestamp(segment.max_timestamp))
    }

    /// Whether a time in a range may be in these hours.
    pub fn overlaps(&self, range: &TimeRange) -> bool {
        range.start < range.end
            && self.start <= hour_of(Timestamp(range.end.nanos() - 1))
            && hour_of(range.start) < self.end
    }

    /// Whether all of `other` is in these hours.
    pub fn contains(&self, other: &Hours) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    fn widened(&self, other: &Hours) -> Hours {
        Hours { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// Whether these hours are over before a time comes.
    fn is_before(&self, time: Timestamp) -> bool {
        self.end <= hour_of(time)
    }
}

fn hour_of(time: Timestamp) -> i32 {
    let hour = time.nanos().div_euclid(HOUR_NANOS);
    i32::try_from(hour).expect("2^63 nanoseconds are fewer than 2^31 hours")
}

/// All streams of a shard. Copies are cheap.
#[derive(Clone, Debug, Default)]
pub struct Streams {
    map: Map<StreamKey, Hours>,
}

impl Streams {
    /// How many streams there are, of all tenants.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether there is no stream.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// All streams, by tenant.
    pub fn iter(&self) -> impl Iterator<Item = (&StreamKey, Hours)> {
        self.map.iter().map(|(key, hours)| (key, *hours))
    }

    /// The streams of one tenant, in no order that means anything.
    pub fn of<'a>(&'a self, tenant: &'a Tenant) -> impl Iterator<Item = (&'a Labels, Hours)> {
        self.map
            .iter_after(|key| key.tenant < *tenant)
            .take_while(|(key, _)| key.tenant == *tenant)
            .map(|(key, hours)| (&key.labels, *hours))
    }

    /// The hours of one stream.
    pub fn get(&self, key: &StreamKey) -> Option<Hours> {
        self.map.get(key).copied()
    }

    /// Takes in a row.
    pub(super) fn load(&mut self, mut key: StreamKey, hours: Hours) {
        self.share_tenant(&mut key);
        self.map.insert(key, hours);
    }

    /// All streams of a tenant share one text: less memory, and one place to compare with.
    fn share_tenant(&self, key: &mut StreamKey) {
        let neighbour = self.map.iter_after(|own| own.tenant < key.tenant).next();
        if let Some((own, _)) = neighbour.filter(|(own, _)| own.tenant == key.tenant) {
            key.tenant = own.tenant.clone();
        }
    }

    /// Takes in a segment. Gives back the stream and its hours where it is new or got wider.
    pub(super) fn note(&mut self, segment: &Segment) -> Option<(StreamKey, Hours)> {
        let hours = Hours::of(segment);
        let mut key = StreamKey::new(segment.tenant.clone(), segment.labels.clone());
        let widened = match self.map.get(&key) {
            Some(known) if known.contains(&hours) => return None,
            Some(known) => known.widened(&hours),
            None => {
                self.share_tenant(&mut key);
                hours
            }
        };
        self.map.insert(key.clone(), widened);
        Some((key, widened))
    }

    /// Takes out the streams of a tenant that ended before `oldest`, the time of the oldest entry
    /// the tenant still has; without one, all of them.
    pub(super) fn drop_before(
        &mut self,
        tenant: &Tenant,
        oldest: Option<Timestamp>,
    ) -> BTreeSet<StreamKey> {
        let over = |hours: &Hours| oldest.is_none_or(|oldest| hours.is_before(oldest));
        let dropped: BTreeSet<StreamKey> = self
            .map
            .iter_after(|key| key.tenant < *tenant)
            .take_while(|(key, _)| key.tenant == *tenant)
            .filter(|(_, hours)| over(hours))
            .map(|(key, _)| key.clone())
            .collect();
        for key in &dropped {
            self.map.remove(key);
        }
        dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_rounded_outward() {
        let check = |min: i64, max: i64, start: i32, end: i32| {
            assert_eq!(Hours::around(Timestamp(min), Timestamp(max)), Hours { start, end });
        };
        check(0, 0, 0, 1);
        check(-1, HOUR_NANOS - 1, -1, 1);
        check(HOUR_NANOS, 2 * HOUR_NANOS, 1, 3);
        check(i64::MIN, i64::MAX, -2_562_048, 2_562_048);
    }

    #[test]
    fn ranges_are_half_open() {
        let hours = Hours { start: 1, end: 2 };
        let check = |start: i64, end: i64, expected: bool| {
            let range = Timestamp(start)..Timestamp(end);
            assert_eq!(hours.overlaps(&range), expected, "{range:?}");
        };
        check(0, HOUR_NANOS, false);
        check(0, HOUR_NANOS + 1, true);
        check(2 * HOUR_NANOS - 1, 2 * HOUR_NANOS, true);
        check(2 * HOUR_NANOS, 3 * HOUR_NANOS, false);
        check(HOUR_NANOS, HOUR_NANOS, false);
        check(i64::MIN, i64::MAX, true);
    }
}
