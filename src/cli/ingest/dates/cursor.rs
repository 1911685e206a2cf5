//! A reader of date fields: digits, month names, clocks and zones, one after the other.
//!
//! In: bytes of a line from where a date might begin. Out: numbers, each within its field's range;
//! `None` at the first byte that does not fit. It never looks back and never allocates.

use chrono::NaiveDate;

use super::{Stamp, Yearless};
use crate::model::Timestamp;

pub(super) const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

const MONTHS: [&[u8; 3]; 12] = [
    b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec",
];
const WEEKDAYS: [&[u8; 3]; 7] = [b"mon", b"tue", b"wed", b"thu", b"fri", b"sat", b"sun"];

/// A position in a line.
pub(super) struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a [u8]) -> Cursor<'a> {
        Cursor { text, at: 0 }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn peek_at(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    pub(super) fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    pub(super) fn eat_any(&mut self, set: &[u8]) -> Option<u8> {
        let byte = self.peek().filter(|byte| set.contains(byte))?;
        self.at += 1;
        Some(byte)
    }

    /// One or two blanks: syslog pads days with a space.
    pub(super) fn blanks(&mut self) -> Option<()> {
        self.eat(b' ')?;
        let _ = self.eat(b' ');
        Some(())
    }

    /// A number of at least `min` and at most `max` digits; further digits stay unread. What is
    /// too large for 64 bits is the largest number.
    pub(super) fn number(&mut self, min: usize, max: usize) -> Option<i64> {
        let rest = &self.text[self.at..];
        let digits = rest.iter().take(max).take_while(|byte| byte.is_ascii_digit()).count();
        if digits < min {
            return None;
        }
        self.at += digits;
        let add =
            |sum: i64, digit: &u8| sum.saturating_mul(10).saturating_add(i64::from(digit - b'0'));
        Some(rest[..digits].iter().fold(0, add))
    }

    /// How many digits come next.
    pub(super) fn digits_ahead(&self) -> usize {
        self.text[self.at..].iter().take(32).take_while(|byte| byte.is_ascii_digit()).count()
    }

    pub(super) fn month(&mut self) -> Option<u32> {
        self.name(&MONTHS).map(|index| index + 1)
    }

    pub(super) fn weekday(&mut self) -> Option<()> {
        self.name(&WEEKDAYS).map(|_| ())
    }

    /// Three letters of `names` that are a word of their own.
    fn name(&mut self, names: &[&[u8; 3]]) -> Option<u32> {
        let word = self.text.get(self.at..self.at + 3)?;
        let index = names.iter().position(|name| word.eq_ignore_ascii_case(*name))?;
        if self.peek_at(3).is_some_and(|byte| byte.is_ascii_alphabetic()) {
            return None;
        }
        self.at += 3;
        u32::try_from(index).ok()
    }

    /// True where nothing that could belong to a number or a word follows.
    pub(super) fn at_edge(&self) -> bool {
        self.peek().is_none_or(|byte| !byte.is_ascii_alphanumeric() && !b"._-".contains(&byte))
    }

    /// Nanoseconds of a day: `h:m`, `h:m:s`, `h.m.s` or `hhmmss`, a fraction, AM or PM.
    pub(super) fn clock(&mut self) -> Option<i64> {
        let compact = self.digits_ahead() == 6;
        let mut hour = self.number(1, 2)?;
        let (minute, second) = if compact {
            (self.number(2, 2)?, self.number(2, 2)?)
        } else {
            let separator = self.eat_any(b":.")?;
            let minute = self.number(1, 2)?;
            let seconds_follow = self.peek() == Some(separator)
                && self.peek_at(1).is_some_and(|byte| byte.is_ascii_digit());
            match (seconds_follow, separator) {
                (true, _) => {
                    self.at += 1;
                    (minute, self.number(1, 2)?)
                }
                (false, b':') => (minute, 0),
                (false, _) => return None,
            }
        };
        let fraction = self.fraction();
        if let Some(afternoon) = self.half_of_day() {
            hour =
                (1..=12).contains(&hour).then_some(hour % 12 + if afternoon { 12 } else { 0 })?;
        }
        // 60 is a leap second; it becomes the first second of the next minute.
        if hour > 23
            || minute > 59
            || second > 60
            || self.peek().is_some_and(|b| b.is_ascii_digit())
        {
            return None;
        }
        Some(hour * HOUR + minute * MINUTE + second * SECOND + fraction)
    }

    /// `.123456` and `,978` are parts of a second; `:606` counts milliseconds and may be unpadded.
    fn fraction(&mut self) -> i64 {
        let digit_after = self.peek_at(1).is_some_and(|byte| byte.is_ascii_digit());
        match self.peek() {
            Some(b'.' | b',') if digit_after => {
                self.at += 1;
                self.decimals(SECOND)
            }
            Some(b':') if digit_after => {
                self.at += 1;
                self.number(1, 3).unwrap_or(0) * 1_000_000
            }
            _ => 0,
        }
    }

    /// The digits ahead as a fraction of `unit` nanoseconds; what is finer than that is cut.
    pub(super) fn decimals(&mut self, unit: i64) -> i64 {
        let mut sum = 0;
        let mut scale = unit;
        while let Some(digit) = self.peek().filter(u8::is_ascii_digit) {
            scale /= 10;
            sum += i64::from(digit - b'0') * scale;
            self.at += 1;
        }
        sum
    }

    fn half_of_day(&mut self) -> Option<bool> {
        let skip = usize::from(self.peek() == Some(b' '));
        let afternoon = match self.peek_at(skip)?.to_ascii_lowercase() {
            b'a' => false,
            b'p' => true,
            _ => return None,
        };
        let m = self.peek_at(skip + 1)?.eq_ignore_ascii_case(&b'm');
        let ends = self.peek_at(skip + 2).is_none_or(|byte| !byte.is_ascii_alphanumeric());
        (m && ends).then(|| {
            self.at += skip + 2;
            afternoon
        })
    }

    /// Offset from UTC in nanoseconds: `Z`, ` UTC`, ` GMT`, `+02:00`, ` -0700`, and `+02` where
    /// it is glued to the clock. Other names of zones mean different things to different people.
    pub(super) fn zone(&mut self) -> Option<i64> {
        let start = self.at;
        let offset = self.try_zone();
        if offset.is_none() {
            self.at = start;
        }
        offset
    }

    fn try_zone(&mut self) -> Option<i64> {
        let glued = self.eat(b' ').is_none();
        if glued && self.eat_any(b"Zz").is_some() {
            return self.ends_word().then_some(0);
        }
        if self.text[self.at..].starts_with(b"UTC") || self.text[self.at..].starts_with(b"GMT") {
            self.at += 3;
            return self.ends_word().then_some(0);
        }
        let sign = if self.eat_any(b"+-")? == b'+' { 1 } else { -1 };
        let hours = self.number(2, 2)?;
        let colon = self.eat(b':').is_some();
        let minutes = match self.number(2, 2) {
            Some(minutes) => minutes,
            None if glued && !colon => 0,
            None => return None,
        };
        (hours <= 14 && minutes <= 59 && self.ends_word())
            .then_some(sign * (hours * HOUR + minutes * MINUTE))
    }

    fn ends_word(&self) -> bool {
        self.peek().is_none_or(|byte| !byte.is_ascii_alphanumeric())
    }
}

/// A point of time, or a local time where `zone` is unknown.
pub(super) fn stamp(
    year: i64,
    month: i64,
    day: i64,
    clock: i64,
    zone: Option<i64>,
) -> Option<Stamp> {
    let date = NaiveDate::from_ymd_opt(
        i32::try_from(year).ok().filter(|year| (1900..=2200).contains(year))?,
        u32::try_from(month).ok()?,
        u32::try_from(day).ok()?,
    )?;
    let local = days(date) * DAY + clock;
    Some(match zone {
        Some(offset) => Stamp::At(Timestamp(local - offset)),
        None => Stamp::Local(local),
    })
}

/// A day and a clock without a year. Any year might be a leap year, so February has 29 days.
pub(super) fn yearless(month: i64, day: i64, clock: i64) -> Option<Stamp> {
    let (month, day) = (u32::try_from(month).ok()?, u32::try_from(day).ok()?);
    NaiveDate::from_ymd_opt(2000, month, day)?;
    Some(Stamp::Yearless(Yearless { month, day, clock }))
}

/// Local nanoseconds of a date without a year, once the year is known. The 29th of February of a
/// year that has none is the first of March.
pub(super) fn in_year(date: Yearless, year: i32) -> i64 {
    let day = NaiveDate::from_ymd_opt(year, date.month, date.day)
        .or_else(|| NaiveDate::from_ymd_opt(year, 3, 1))
        .expect("the first of March is in every year that chrono knows");
    days(day) * DAY + date.clock
}

/// Day of a leap year, `0..366`.
pub(super) fn day_of_year(date: Yearless) -> i64 {
    in_year(date, 2000) / DAY - 10_957
}

fn days(date: NaiveDate) -> i64 {
    date.signed_duration_since(NaiveDate::default()).num_days()
}
