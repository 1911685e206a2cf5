//! Points in time, in nanoseconds since the Unix epoch, and half-open ranges of them.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

/// Nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// A half-open range of time: `start..end`, the end excluded.
pub type TimeRange = Range<Timestamp>;

impl Timestamp {
    /// The earliest and the latest time that can be said.
    pub const MIN: Timestamp = Timestamp(i64::MIN);
    /// See [`Timestamp::MIN`].
    pub const MAX: Timestamp = Timestamp(i64::MAX);

    /// This many whole seconds since the epoch; saturates at the ends of the range.
    pub const fn from_secs(seconds: i64) -> Timestamp {
        Timestamp(seconds.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since the epoch.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// `self - earlier`, zero where `earlier` is later.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Moves forward; saturates at the end of the range.
    pub fn after(self, by: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(nanos_of(by)))
    }

    /// Moves back; saturates at the start of the range.
    pub fn before(self, by: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(nanos_of(by)))
    }
}

fn nanos_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = chrono::DateTime::from_timestamp_nanos(self.0);
        f.write_str(&time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
    }
}
