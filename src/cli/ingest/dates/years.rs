//! The year of dates that have none, from what is known of the file.
//!
//! Logs are written forward: a date that falls far back is in the next year. What a file cannot
//! say is in which year it begins. If other lines of it have dates with a year, it is the one
//! nearest to those; else the latest one in which nothing lies past `latest` (when the file was
//! last written, with a day of slack for clocks in other zones).
//!
//! In: dates in file order, once to [`YearSpan`] to learn how far the file reaches (where it can
//! be read twice), then to [`Years`]. The outcome depends on the dates and on `latest` only.

use super::Yearless;
use super::cursor::{day_of_year, in_year};
use crate::model::Timestamp;

/// Falling back by more days than this is a new year; by less, a line out of order.
const FALL_DAYS: i64 = 40;
/// Rising by more days than this goes back over a new year: the file has its newest line first.
const RISE_DAYS: i64 = 300;

/// Years gone by since the first date.
#[derive(Clone, Copy, Debug, Default)]
struct Turns {
    day_before: Option<i64>,
    turns: i32,
}

impl Turns {
    fn pass(&mut self, date: Yearless) -> i32 {
        let day = day_of_year(date);
        let step = self.day_before.map_or(0, |before| day - before);
        if step < -FALL_DAYS {
            self.turns += 1;
        } else if step > RISE_DAYS {
            self.turns -= 1;
        }
        self.day_before = Some(day);
        self.turns
    }
}

/// How far a file reaches: its latest date, in years since its first.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct YearSpan {
    turns: Turns,
    last: Option<(i32, Yearless)>,
    n_yearless: u64,
    n_with_year: u64,
    first_with_year: i64,
}

impl YearSpan {
    /// Takes note of the next date of the file.
    pub(crate) fn pass(&mut self, date: Yearless) {
        let here = (self.turns.pass(date), date);
        self.last = Some(self.last.map_or(here, |last| last.max(here)));
        self.n_yearless += 1;
    }

    /// Takes note of a date with a year, in local nanoseconds.
    pub(super) fn pass_with_year(&mut self, local: i64) {
        if self.n_with_year == 0 {
            self.first_with_year = local;
        }
        self.n_with_year += 1;
    }

    /// Whether a date without a year was passed.
    pub(crate) fn has_yearless(&self) -> bool {
        self.n_yearless > 0
    }

    /// The first date with a year, unless such are so rare that it may be a quotation.
    fn anchor(&self) -> Option<i64> {
        let many = self.n_with_year > 0 && self.n_with_year >= self.n_yearless / 20;
        many.then_some(self.first_with_year)
    }
}

/// Gives dates their year.
#[derive(Clone, Debug)]
pub(super) struct Years {
    turns: Turns,
    span: YearSpan,
    first: Option<i32>,
    latest: i64,
}

impl Years {
    /// `latest` is in local time, as the dates are.
    pub(super) fn new(span: YearSpan, latest: i64) -> Years {
        Years { turns: Turns::default(), span, first: None, latest }
    }

    /// The file has been written to again.
    pub(super) fn set_latest(&mut self, latest: i64) {
        self.latest = self.latest.max(latest);
    }

    /// Local nanoseconds of the next date of the file.
    pub(super) fn resolve(&mut self, date: Yearless) -> i64 {
        let turns = self.turns.pass(date);
        let first = *self.first.get_or_insert_with(|| match self.span.anchor() {
            Some(anchor) => year_nearest(date, anchor),
            None => {
                let (span, last) = self.span.last.unwrap_or((0, date));
                year_before(last, self.latest) - span
            }
        });
        let year = first.saturating_add(turns);
        let at = in_year(date, year.clamp(1900, 2200));
        if at <= self.latest {
            return at;
        }
        // The file turned out to be longer than it was known to be.
        let year = year_before(date, self.latest);
        self.first = Some(year - turns);
        in_year(date, year)
    }
}

fn year_nearest(date: Yearless, anchor: i64) -> i32 {
    let before = year_before(date, anchor);
    let distance = |year| in_year(date, year).abs_diff(anchor);
    if distance(before + 1) < distance(before) { before + 1 } else { before }
}

/// The latest year in which `date` is not past `latest`.
fn year_before(date: Yearless, latest: i64) -> i32 {
    use chrono::Datelike;
    let year = chrono::DateTime::from_timestamp_nanos(latest).year();
    if in_year(date, year) <= latest { year } else { year - 1 }
}

/// The bound for files last written at `modified`, seen from a zone `offset` ahead of UTC.
pub(super) fn latest_local(modified: Timestamp, offset: i64) -> i64 {
    const DAY: i64 = 86_400_000_000_000;
    modified.nanos().saturating_add(offset).saturating_add(DAY)
}
