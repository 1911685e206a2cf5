//! The shapes of dates, one function each: from bytes where a date might begin, a [`Stamp`].
//!
//! A shape accepts only what it is sure of: all fields in range, a clock beside the date, an edge
//! where the date ends. Dates that two countries read differently (`03/04/2024`) are nobody's.

use super::Stamp;
use super::cursor::{Cursor, SECOND, stamp, yearless};
use crate::model::Timestamp;

/// How a date is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// ISO 8601, RFC 3339 and kin: `2015-10-18 18:01:47,978`, `20171223-22:15:29:606`.
    Iso,
    /// Spark: `17/06/09 20:10:40`.
    ShortYear,
    /// HDFS: `081109 203615`.
    Digits,
    /// Apache and nginx access, mail: `10/Oct/2000:13:55:36 -0700`, `02 Jan 2006 15:04:05`.
    DayMonthYear,
    /// C and Apache error: `Sun Dec 04 04:47:44 2005`; Java: `Oct 18, 2015 6:01:47 PM`.
    Ctime,
    /// Syslog, without a year: `Jun 14 15:16:01`.
    Syslog,
    /// Android and Proxifier, without a year: `03-17 16:13:38.811`, `10.30 16:49:06`.
    MonthDay,
    /// Kubernetes and glog, without a year: `I0102 15:04:05.000000`.
    Klog,
    /// Seconds since 1970, or milli-, micro- or nanoseconds, told apart by their digits.
    Epoch,
    /// A key of a JSON object: `"time":"..."`.
    Json,
    /// A key of a logfmt line: `ts=...`.
    Logfmt,
}

impl Format {
    /// The shapes that begin with a digit, the likelier first.
    pub(super) const WITH_DIGIT: [Format; 6] = [
        Format::Iso,
        Format::DayMonthYear,
        Format::ShortYear,
        Format::Digits,
        Format::MonthDay,
        Format::Epoch,
    ];
    /// The shapes that begin with a letter.
    pub(super) const WITH_LETTER: [Format; 3] = [Format::Syslog, Format::Ctime, Format::Klog];

    /// The date as the report names it.
    pub fn name(self) -> &'static str {
        match self {
            Format::Iso => "ISO 8601",
            Format::ShortYear => "yy/mm/dd hh:mm:ss",
            Format::Digits => "yymmdd hhmmss",
            Format::DayMonthYear => "dd/Mon/yyyy:hh:mm:ss",
            Format::Ctime => "Mon dd hh:mm:ss yyyy",
            Format::Syslog => "Mon dd hh:mm:ss, year inferred",
            Format::MonthDay => "mm-dd hh:mm:ss, year inferred",
            Format::Klog => "klog, year inferred",
            Format::Epoch => "epoch",
            Format::Json => "JSON key",
            Format::Logfmt => "logfmt key",
        }
    }

    /// Reads a date of this shape at the beginning of `text`. Keys are not a matter of shape.
    pub(super) fn parse(self, text: &[u8]) -> Option<Stamp> {
        let mut cursor = Cursor::new(text);
        match self {
            Format::Iso => iso(&mut cursor),
            Format::ShortYear => short_year(&mut cursor),
            Format::Digits => digits(&mut cursor),
            Format::DayMonthYear => day_month_year(&mut cursor),
            Format::Ctime => {
                month_first(&mut cursor).filter(|stamp| !matches!(stamp, Stamp::Yearless(_)))
            }
            Format::Syslog => {
                month_first(&mut cursor).filter(|stamp| matches!(stamp, Stamp::Yearless(_)))
            }
            Format::MonthDay => month_day(&mut cursor),
            Format::Klog => klog(&mut cursor),
            Format::Epoch => epoch(&mut cursor),
            Format::Json | Format::Logfmt => None,
        }
    }
}

/// The value of a key: any shape that says which year it is, or is common enough without.
pub(super) fn value(text: &[u8]) -> Option<Stamp> {
    let text = text.trim_ascii_start();
    let formats: &[Format] = match text.first()? {
        b'0'..=b'9' => &[Format::Iso, Format::Epoch, Format::DayMonthYear],
        // `Mon, 02 Jan 2006 15:04:05 +0000`: the weekday is no news.
        _ if text.get(3) == Some(&b',') => return value(&text[4..]),
        _ => &[Format::Ctime, Format::Syslog],
    };
    formats.iter().find_map(|format| format.parse(text))
}

fn iso(c: &mut Cursor<'_>) -> Option<Stamp> {
    let year = c.number(4, 4)?;
    let separator = c.eat_any(b"-/.");
    let (month, day) = match separator {
        Some(separator) => {
            let month = c.number(1, 2)?;
            c.eat(separator)?;
            (month, c.number(1, 2)?)
        }
        None => (c.number(2, 2)?, c.number(2, 2)?),
    };
    match c.eat_any(b" Tt_-:,") {
        Some(b' ' | b',') => {
            let _ = c.eat(b' ');
        }
        Some(_) => {}
        None if separator.is_none() && c.digits_ahead() == 6 => {}
        None => return None,
    }
    let clock = c.clock()?;
    stamp(year, month, day, clock, c.zone())
}

fn short_year(c: &mut Cursor<'_>) -> Option<Stamp> {
    let year = c.number(2, 2)?;
    let separator = c.eat_any(b"/-")?;
    let month = c.number(2, 2)?;
    c.eat(separator)?;
    let day = c.number(2, 2)?;
    c.eat_any(b" T")?;
    let clock = c.clock()?;
    stamp(full_year(year), month, day, clock, c.zone())
}

fn digits(c: &mut Cursor<'_>) -> Option<Stamp> {
    let (year, month, day) = (c.number(2, 2)?, c.number(2, 2)?, c.number(2, 2)?);
    c.eat(b' ')?;
    let compact = c.digits_ahead() == 6;
    let clock = c.clock().filter(|_| compact && c.at_edge())?;
    stamp(full_year(year), month, day, clock, None)
}

fn day_month_year(c: &mut Cursor<'_>) -> Option<Stamp> {
    let day = c.number(1, 2)?;
    let separator = c.eat_any(b"/ -.")?;
    let month = match separator {
        b'.' => c.number(2, 2)?,
        _ => i64::from(c.month()?),
    };
    c.eat(separator)?;
    let year = c.number(4, 4)?;
    c.eat_any(b": T,")?;
    let _ = c.eat(b' ');
    let clock = c.clock()?;
    stamp(year, month, day, clock, c.zone())
}

/// `[Sun ]Dec 04 04:47:44[ UTC][ 2005]`, `Oct 18 2015 18:01:47`, `Oct 18, 2015 6:01:47 PM`.
fn month_first(c: &mut Cursor<'_>) -> Option<Stamp> {
    let weekday = c.weekday().is_some();
    if weekday {
        c.blanks()?;
    }
    let month = i64::from(c.month()?);
    c.blanks()?;
    let day = c.number(1, 2)?;
    let _ = c.eat(b',');
    c.blanks()?;
    if c.digits_ahead() == 4 {
        let year = c.number(4, 4)?;
        c.eat_any(b" ,")?;
        let _ = c.eat(b' ');
        let clock = c.clock()?;
        return stamp(year, month, day, clock, c.zone());
    }
    let clock = c.clock()?;
    let zone = c.zone();
    // Only after a weekday: `Jun 14 15:16:01 2005` may well be a host of that name.
    if weekday && c.eat(b' ').is_some() && c.digits_ahead() == 4 {
        return stamp(c.number(4, 4)?, month, day, clock, zone);
    }
    yearless(month, day, clock)
}

fn month_day(c: &mut Cursor<'_>) -> Option<Stamp> {
    let month = c.number(2, 2)?;
    c.eat_any(b"-./")?;
    let day = c.number(2, 2)?;
    c.eat(b' ')?;
    if c.digits_ahead() != 2 {
        return None;
    }
    yearless(month, day, c.clock()?)
}

fn klog(c: &mut Cursor<'_>) -> Option<Stamp> {
    c.eat_any(b"IWEFD")?;
    let year = match c.digits_ahead() {
        4 => None,
        8 => Some(c.number(4, 4)?),
        _ => return None,
    };
    let (month, day) = (c.number(2, 2)?, c.number(2, 2)?);
    c.eat(b' ')?;
    let clock = c.clock()?;
    match year {
        Some(year) => stamp(year, month, day, clock, None),
        None => yearless(month, day, clock),
    }
}

/// The unit follows from the digits: ten of them are seconds from 2001 to 2286.
fn epoch(c: &mut Cursor<'_>) -> Option<Stamp> {
    let digits = c.digits_ahead();
    let unit = match digits {
        10 => SECOND,
        13 => SECOND / 1_000,
        16 => SECOND / 1_000_000,
        19 => 1,
        _ => return None,
    };
    let whole = c.number(digits, digits)?;
    if whole < 1_000_000_000 {
        return None;
    }
    let fraction = if c.eat(b'.').is_some() { c.decimals(unit) } else { 0 };
    c.at_edge().then_some(Stamp::At(Timestamp(whole.checked_mul(unit)?.checked_add(fraction)?)))
}

/// Two digits of a year, as POSIX reads them.
fn full_year(two_digits: i64) -> i64 {
    if two_digits < 69 { 2000 + two_digits } else { 1900 + two_digits }
}
