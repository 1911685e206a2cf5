//! Time zones of templates: UTC, an offset that a text said, or a place of the IANA database, which
//! is compiled in: what a template gives must not hang on the machine that it runs on.

use std::borrow::Cow;

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::{OffsetName, Tz};

/// Where a time is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zone {
    /// So many seconds east of UTC, without a name unless it is UTC.
    Fixed(i32),
    /// A place whose clocks may be changed in spring and autumn.
    Named(Tz),
}

impl Zone {
    pub(super) const UTC: Zone = Zone::Fixed(0);

    /// The zone of this name. The server's own zone is UTC, whatever its machine's is: a query must
    /// give the same on every node.
    pub(super) fn named(name: &str) -> Option<Zone> {
        match name {
            "" | "UTC" | "Local" => Some(Zone::UTC),
            name => name.parse().ok().map(Zone::Named),
        }
    }

    /// Seconds east of UTC at a time in seconds since the epoch.
    pub(super) fn offset(self, seconds: i64) -> i32 {
        match self {
            Zone::Fixed(offset) => offset,
            Zone::Named(zone) => at(zone, seconds).fix().local_minus_utc(),
        }
    }

    /// The same at a time as clocks show it. A time that they skip, or show twice, is read as Go
    /// reads it.
    pub(super) fn offset_of_local(self, local: i64) -> i32 {
        // What holds at that time in UTC is right unless clocks are changed between the two.
        let near = self.offset(local);
        self.offset(local - i64::from(near))
    }

    /// `CET`; `None` where only the offset is known.
    pub(super) fn abbreviation(self, seconds: i64) -> Option<Cow<'static, str>> {
        match self {
            Zone::UTC => Some("UTC".into()),
            Zone::Fixed(_) => None,
            Zone::Named(zone) => {
                at(zone, seconds).abbreviation().map(|name| name.to_owned().into())
            }
        }
    }
}

/// What holds in a zone at a time. Beyond the calendar of chrono, what holds at its edge.
fn at(zone: Tz, seconds: i64) -> <Tz as TimeZone>::Offset {
    let edge = if seconds < 0 {
        DateTime::<chrono::Utc>::MIN_UTC
    } else {
        DateTime::<chrono::Utc>::MAX_UTC
    };
    let time = DateTime::from_timestamp(seconds, 0).unwrap_or(edge);
    zone.offset_from_utc_datetime(&time.naive_utc())
}
