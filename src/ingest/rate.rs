//! How fast a tenant, or one stream of it, may push: a bucket of bytes that fills with time.

use crate::model::Timestamp;

/// Bytes that may be pushed now. It starts full.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    /// What is there, and since when; `None` before the first push.
    level: Option<(f64, Timestamp)>,
}

impl Bucket {
    /// When something was last taken, or asked for.
    pub(super) fn since(&self) -> Timestamp {
        self.level.map_or(Timestamp::MIN, |(_, since)| since)
    }

    /// Takes `bytes` out, all or nothing. `rate` is in bytes a second; more than `burst` bytes are
    /// never there. A clock that goes back does not fill the bucket.
    pub(super) fn take(&mut self, bytes: usize, rate: f64, burst: f64, now: Timestamp) -> bool {
        let (left, since) = self.level.unwrap_or((burst, now));
        let there = (left + rate * now.since(since).as_secs_f64()).min(burst);
        let enough = bytes as f64 <= there;
        let left = if enough { there - bytes as f64 } else { there };
        self.level = Some((left, now.max(since)));
        enough
    }

    /// Puts back what was taken a moment ago.
    pub(super) fn give_back(&mut self, bytes: usize, burst: f64) {
        if let Some((left, _)) = &mut self.level {
            *left = (*left + bytes as f64).min(burst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_with_time_up_to_the_burst() {
        let mut bucket = Bucket::default();
        let mut check = |at: i64, bytes: usize, expected: bool| {
            assert_eq!(bucket.take(bytes, 10.0, 100.0, Timestamp::from_secs(at)), expected, "{at}");
        };
        check(0, 101, false); // more than the burst never goes
        check(0, 100, true);
        check(0, 1, false);
        check(1, 11, false);
        check(1, 10, true);
        check(0, 1, false); // the clock went back
        check(2, 10, true); // and what passed twice counts once
        check(1000, 100, true);
        check(1000, 1, false);
        bucket.give_back(40, 100.0);
        assert!(!bucket.take(41, 10.0, 100.0, Timestamp::from_secs(1000)));
        assert!(bucket.take(40, 10.0, 100.0, Timestamp::from_secs(1000)));
    }
}
