//! Times as Go's templates see them: layouts are written as the reference time
//! `Mon Jan 2 15:04:05 MST 2006`.

use super::zone::Zone;

/// A point in time and the zone it is shown in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Time {
    /// Nanoseconds since the Unix epoch. Wide enough for the years 0 to 9999.
    pub(super) nanos: i128,
    /// Where it is shown.
    pub(super) zone: Zone,
}

const SECOND: i128 = 1_000_000_000;
/// Times further away than this are shown as if they were this far: ten million years.
const SECONDS_MAX: i128 = 315_576_000_000_000;
const DAY_SECONDS: i64 = 86_400;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// A date and a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Civil {
    pub(super) year: i64,
    pub(super) month: u32,
    pub(super) day: u32,
    pub(super) hour: u32,
    pub(super) minute: u32,
    pub(super) second: u32,
    pub(super) nano: u32,
    /// 0 is Sunday.
    pub(super) weekday: usize,
    /// 1 is the first of January.
    pub(super) year_day: u32,
}

/// A part of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    LongMonth,
    Month,
    NumMonth,
    ZeroMonth,
    LongDay,
    Day,
    NumDay,
    PadDay,
    ZeroDay,
    YearDay,
    PadYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    Half,
    LowHalf,
    Zone,
    /// `Z` for UTC; with minutes; with a colon; with seconds.
    Offset {
        z: bool,
        minutes: bool,
        colon: bool,
        seconds: bool,
    },
    /// How many digits; whether trailing zeros are kept.
    Fraction(usize, bool),
}

/// Longest first, where one starts with another.
const PARTS: [(&str, Part); 34] = [
    ("January", Part::LongMonth),
    ("Jan", Part::Month),
    ("Monday", Part::LongDay),
    ("Mon", Part::Day),
    ("MST", Part::Zone),
    ("2006", Part::LongYear),
    ("_2006", Part::LongYear),
    ("__2", Part::PadYearDay),
    ("_2", Part::PadDay),
    ("002", Part::YearDay),
    ("01", Part::ZeroMonth),
    ("02", Part::ZeroDay),
    ("03", Part::ZeroHour12),
    ("04", Part::ZeroMinute),
    ("05", Part::ZeroSecond),
    ("06", Part::Year),
    ("15", Part::Hour),
    ("1", Part::NumMonth),
    ("2", Part::NumDay),
    ("3", Part::Hour12),
    ("4", Part::Minute),
    ("5", Part::Second),
    ("PM", Part::Half),
    ("pm", Part::LowHalf),
    ("Z07:00:00", offset(true, true, true, true)),
    ("Z070000", offset(true, true, false, true)),
    ("Z07:00", offset(true, true, true, false)),
    ("Z0700", offset(true, true, false, false)),
    ("Z07", offset(true, false, false, false)),
    ("-07:00:00", offset(false, true, true, true)),
    ("-070000", offset(false, true, false, true)),
    ("-07:00", offset(false, true, true, false)),
    ("-0700", offset(false, true, false, false)),
    ("-07", offset(false, false, false, false)),
];

const fn offset(z: bool, minutes: bool, colon: bool, seconds: bool) -> Part {
    Part::Offset { z, minutes, colon, seconds }
}

/// Cuts a layout at its first part: the text before, the part, the text behind.
fn next_part(layout: &str) -> (&str, Option<Part>, &str) {
    for (at, c) in layout.char_indices() {
        let rest = &layout[at..];
        if (c == '.' || c == ',')
            && let Some((part, length)) = fraction(rest)
        {
            return (&layout[..at], Some(part), &rest[length..]);
        }
        for (text, part) in PARTS.iter().filter(|(text, _)| !text.is_empty()) {
            if !rest.starts_with(text) {
                continue;
            }
            // `Jan` and `Mon` only where no word goes on: `Month` is a word.
            let behind = &rest[text.len()..];
            let letters = matches!(part, Part::Month | Part::Day);
            if letters && behind.starts_with(|c: char| c.is_ascii_lowercase()) {
                continue;
            }
            // An underscore belongs to the text where a year follows.
            if *text == "_2006" {
                return (&layout[..=at], Some(*part), behind);
            }
            if *text == "_2" && rest.starts_with("_2006") {
                continue;
            }
            return (&layout[..at], Some(*part), behind);
        }
    }
    (layout, None, "")
}

/// `.000` or `.999`, where no digit follows.
fn fraction(text: &str) -> Option<(Part, usize)> {
    let digit = text[1..].chars().next().filter(|c| matches!(c, '0' | '9'))?;
    let n = text[1..].chars().take_while(|c| *c == digit).count();
    if text[1 + n..].starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    Some((Part::Fraction(n, digit == '0'), 1 + n))
}

impl Time {
    /// A time in UTC.
    pub(super) fn utc(nanos: i128) -> Time {
        Time { nanos, zone: Zone::UTC }
    }

    /// Go's zero time: the first of January of the year 1.
    pub(super) fn zero() -> Time {
        Time::utc(i128::from(days_of(1, 1, 1)) * i128::from(DAY_SECONDS) * SECOND)
    }

    /// Seconds since the epoch, rounded down.
    pub(super) fn seconds(self) -> i64 {
        let seconds = self.nanos.div_euclid(SECOND).clamp(-SECONDS_MAX, SECONDS_MAX);
        i64::try_from(seconds).expect("the limit is far below")
    }

    /// So many years, months and days later; a day that a month does not have runs over.
    pub(super) fn add_date(self, years: i64, months: i64, days: i64) -> Time {
        let limit = |n: i64| n.clamp(-4_000_000, 4_000_000);
        let civil = self.civil();
        let months = i64::from(civil.month) - 1 + limit(months);
        let year = civil.year + limit(years) + months.div_euclid(12);
        let month = u32::try_from(months.rem_euclid(12)).expect("below 12") + 1;
        let first = days_of(year, month, 1);
        let before = days_of(civil.year, civil.month, 1);
        let moved = (first - before + limit(days)) * DAY_SECONDS;
        // The same time of day, also where the zone's clocks were changed in between.
        let local = self.seconds() + i64::from(self.offset()) + moved;
        let nanos = i128::from(local - i64::from(self.zone.offset_of_local(local))) * SECOND;
        Time { nanos: nanos + self.nanos.rem_euclid(SECOND), ..self }
    }

    /// Seconds east of UTC.
    fn offset(self) -> i32 {
        self.zone.offset(self.seconds())
    }

    /// The date and time of day in the zone.
    pub(super) fn civil(self) -> Civil {
        let seconds = self.seconds() + i64::from(self.offset());
        let (days, rest) = (seconds.div_euclid(DAY_SECONDS), seconds.rem_euclid(DAY_SECONDS));
        let (year, month, day) = date_of(days);
        let small = |n: i64| u32::try_from(n).expect("a part of a day");
        Civil {
            year,
            month,
            day,
            hour: small(rest / 3600),
            minute: small(rest / 60 % 60),
            second: small(rest % 60),
            nano: u32::try_from(self.nanos.rem_euclid(SECOND)).expect("below a second"),
            weekday: usize::try_from((days + 4).rem_euclid(7)).expect("below seven"),
            year_day: small(days - days_of(year, 1, 1) + 1),
        }
    }

    /// Writes the time in a layout.
    pub(super) fn format(self, layout: &str) -> String {
        let civil = self.civil();
        let mut out = String::new();
        let mut rest = layout;
        loop {
            let (before, part, behind) = next_part(rest);
            out.push_str(before);
            let Some(part) = part else { return out };
            self.push_part(&mut out, &civil, part);
            rest = behind;
        }
    }

    fn push_part(self, out: &mut String, civil: &Civil, part: Part) {
        let twelve = if civil.hour.is_multiple_of(12) { 12 } else { civil.hour % 12 };
        let text = match part {
            Part::LongMonth => month_name(civil.month).to_owned(),
            Part::Month => month_name(civil.month)[..3].to_owned(),
            Part::NumMonth => civil.month.to_string(),
            Part::ZeroMonth => format!("{:02}", civil.month),
            Part::LongDay => day_name(civil.weekday).to_owned(),
            Part::Day => day_name(civil.weekday)[..3].to_owned(),
            Part::NumDay => civil.day.to_string(),
            Part::PadDay => format!("{:2}", civil.day),
            Part::ZeroDay => format!("{:02}", civil.day),
            Part::YearDay => format!("{:03}", civil.year_day),
            Part::PadYearDay => format!("{:3}", civil.year_day),
            Part::Hour => format!("{:02}", civil.hour),
            Part::Hour12 => twelve.to_string(),
            Part::ZeroHour12 => format!("{twelve:02}"),
            Part::Minute => civil.minute.to_string(),
            Part::ZeroMinute => format!("{:02}", civil.minute),
            Part::Second => civil.second.to_string(),
            Part::ZeroSecond => format!("{:02}", civil.second),
            Part::LongYear => format!("{:04}", civil.year),
            Part::Year => format!("{:02}", civil.year.rem_euclid(100)),
            Part::Half => if civil.hour < 12 { "AM" } else { "PM" }.to_owned(),
            Part::LowHalf => if civil.hour < 12 { "am" } else { "pm" }.to_owned(),
            Part::Zone => match self.zone.abbreviation(self.seconds()) {
                Some(name) => name.into_owned(),
                None => self.offset_text(true, false, false),
            },
            Part::Offset { z: true, .. } if self.offset() == 0 => "Z".to_owned(),
            Part::Offset { minutes, colon, seconds, .. } => {
                self.offset_text(minutes, colon, seconds)
            }
            Part::Fraction(n, keeps_zeros) => {
                let digits = &format!("{:09}", civil.nano)[..n.min(9)];
                let digits = if keeps_zeros { digits } else { digits.trim_end_matches('0') };
                if digits.is_empty() { String::new() } else { format!(".{digits}") }
            }
        };
        out.push_str(&text);
    }

    fn offset_text(self, minutes: bool, colon: bool, seconds: bool) -> String {
        let offset = self.offset();
        let sign = if offset < 0 { '-' } else { '+' };
        let size = offset.unsigned_abs();
        let colon = if colon { ":" } else { "" };
        let mut out = format!("{sign}{:02}", size / 3600);
        if minutes {
            out += &format!("{colon}{:02}", size / 60 % 60);
        }
        if seconds {
            out += &format!("{colon}{:02}", size % 60);
        }
        out
    }

    /// Reads a time in a layout; what the layout does not name is as in the year 0, in `zone`.
    pub(super) fn parse(layout: &str, text: &str, zone: Zone) -> Option<Time> {
        let mut fields = Fields { year: 0, month: 1, day: 1, ..Fields::default() };
        let mut layout = layout;
        let mut text = text;
        loop {
            let (before, part, behind) = next_part(layout);
            text = text.strip_prefix(before)?;
            let Some(part) = part else { break };
            text = fields.read(part, text, behind)?;
            layout = behind;
        }
        if !text.is_empty() {
            return None;
        }
        fields.time(zone)
    }
}

/// What was read of a time so far.
#[derive(Clone, Copy, Debug, Default)]
struct Fields {
    year: i64,
    month: u32,
    day: u32,
    year_day: Option<u32>,
    hour: u32,
    minute: u32,
    second: u32,
    nano: u32,
    afternoon: Option<bool>,
    offset: Option<i32>,
}

impl Fields {
    /// Reads one part and gives what stands behind it.
    fn read<'t>(&mut self, part: Part, text: &'t str, behind: &str) -> Option<&'t str> {
        let (value, rest) = match part {
            Part::LongMonth | Part::Month => {
                let long = part == Part::LongMonth;
                let (at, rest) = name_of(&MONTHS, text, long)?;
                self.month = u32::try_from(at).ok()? + 1;
                return Some(rest);
            }
            Part::LongDay | Part::Day => {
                return name_of(&DAYS, text, part == Part::LongDay).map(|(_, rest)| rest);
            }
            Part::Half | Part::LowHalf => {
                let half = text.get(..2)?;
                self.afternoon = Some(match half {
                    "AM" | "am" => false,
                    "PM" | "pm" => true,
                    _ => return None,
                });
                return Some(&text[2..]);
            }
            Part::Zone => {
                let end = text.find(|c: char| !c.is_ascii_uppercase()).unwrap_or(text.len());
                return (end >= 3).then(|| &text[end..]);
            }
            Part::Offset { z, minutes, colon, seconds } => {
                return self.read_offset(text, z, minutes, colon, seconds);
            }
            Part::Fraction(..) => return self.read_fraction(text),
            Part::LongYear => digits(text, 4, 4)?,
            Part::YearDay => digits(text, 3, 3)?,
            Part::PadYearDay => digits(text.trim_start_matches(' '), 1, 3)?,
            Part::PadDay => digits(text.strip_prefix(' ').unwrap_or(text), 1, 2)?,
            Part::NumMonth | Part::NumDay | Part::Hour12 | Part::Minute | Part::Second => {
                digits(text, 1, 2)?
            }
            _ => digits(text, 2, 2)?,
        };
        match part {
            Part::NumMonth | Part::ZeroMonth => self.month = value,
            Part::NumDay | Part::PadDay | Part::ZeroDay => self.day = value,
            Part::YearDay | Part::PadYearDay => self.year_day = Some(value),
            Part::Hour | Part::Hour12 | Part::ZeroHour12 => self.hour = value,
            Part::Minute | Part::ZeroMinute => self.minute = value,
            Part::LongYear => self.year = value.into(),
            Part::Year => self.year = i64::from(value) + if value >= 69 { 1900 } else { 2000 },
            _ => self.second = value,
        }
        // A fraction is read behind seconds even where the layout has none.
        let seconds = matches!(part, Part::Second | Part::ZeroSecond);
        if seconds
            && rest.starts_with('.')
            && !matches!(next_part(behind), ("", Some(Part::Fraction(..)), _))
        {
            return self.read_fraction(rest).or(Some(rest));
        }
        Some(rest)
    }

    fn read_fraction<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let Some(rest) = text.strip_prefix(['.', ',']) else { return Some(text) };
        let n = rest.bytes().take_while(u8::is_ascii_digit).count();
        if n == 0 {
            return None;
        }
        let first = &rest[..n.min(9)];
        self.nano = format!("{first:0<9}").parse().ok()?;
        Some(&rest[n..])
    }

    fn read_offset<'t>(
        &mut self,
        text: &'t str,
        z: bool,
        minutes: bool,
        colon: bool,
        seconds: bool,
    ) -> Option<&'t str> {
        if z && let Some(rest) = text.strip_prefix('Z') {
            self.offset = Some(0);
            return Some(rest);
        }
        let sign = if text.starts_with('-') { -1 } else { 1 };
        let (hours, mut rest) = digits(text.strip_prefix(['+', '-'])?, 2, 2)?;
        let mut total = hours * 3600;
        for (wanted, unit) in [(minutes, 60), (seconds, 1)] {
            if wanted {
                let after = if colon { rest.strip_prefix(':')? } else { rest };
                let (value, after) = digits(after, 2, 2)?;
                total += value * unit;
                rest = after;
            }
        }
        self.offset = Some(sign * i32::try_from(total).ok()?);
        Some(rest)
    }

    fn time(self, zone: Zone) -> Option<Time> {
        let hour = match self.afternoon {
            Some(_) if self.hour > 12 => return None,
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let year = self.year.unsigned_abs();
        let leap =
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let longest = match self.month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        let good =
            (1..=longest).contains(&self.day) && hour < 24 && self.minute < 60 && self.second < 60;
        if !good {
            return None;
        }
        let days = match self.year_day {
            Some(0) => return None,
            Some(day) if day > if leap { 366 } else { 365 } => return None,
            Some(day) => days_of(self.year, 1, 1) + i64::from(day) - 1,
            None => days_of(self.year, self.month, self.day),
        };
        let local = days * DAY_SECONDS + i64::from(hour * 3600 + self.minute * 60 + self.second);
        let (offset, zone) = match self.offset {
            None => (zone.offset_of_local(local), zone),
            // An offset that is not the zone's then makes a zone of its own.
            Some(own) if zone.offset(local - i64::from(own)) == own => (own, zone),
            Some(own) => (own, Zone::Fixed(own)),
        };
        let seconds = local - i64::from(offset);
        let nanos = i128::from(seconds) * SECOND + i128::from(self.nano);
        Some(Time { nanos, zone })
    }
}

/// A number of `least` to `most` digits, as many as there are.
fn digits(text: &str, least: usize, most: usize) -> Option<(u32, &str)> {
    let n = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    (n >= least).then(|| text[..n].parse().ok().map(|value| (value, &text[n..])))?
}

/// Which of some names a text starts with, in any case.
fn name_of<'t>(names: &[&str], text: &'t str, long: bool) -> Option<(usize, &'t str)> {
    names.iter().enumerate().find_map(|(at, name)| {
        let name = if long { name } else { &name[..3] };
        let start = text.get(..name.len())?;
        start.eq_ignore_ascii_case(name).then(|| (at, &text[name.len()..]))
    })
}

/// The English name of a month, 1 to 12.
pub(super) fn month_name(month: u32) -> &'static str {
    MONTHS[month as usize - 1]
}

/// The English name of a day of the week, 0 is Sunday.
pub(super) fn day_name(weekday: usize) -> &'static str {
    DAYS[weekday]
}

/// Days since the epoch. The year begins in March, so that the leap day is its last.
fn days_of(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month = i64::from((month + 9) % 12);
    let day_of_year = (153 * month + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of [`days_of`].
fn date_of(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = u32::try_from(day_of_year - (153 * month + 2) / 5 + 1).expect("below 32");
    let month = u32::try_from(if month < 10 { month + 3 } else { month - 9 }).expect("below 13");
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formats() {
        let time = Time::utc(1_679_577_215_123_000_000);
        let check = |layout: &str, expected: &str| assert_eq!(time.format(layout), expected);
        check("2006-01-02T15:04:05.000Z07:00", "2023-03-23T13:13:35.123Z");
        check("2006-01-02T15:04:05.00Z-07:00", "2023-03-23T13:13:35.12Z+00:00");
        check("Mon Jan _2 3:04PM 06", "Thu Mar 23 1:13PM 23");
        check("Monday, 02 January 002 .999999 MST", "Thursday, 23 March 082 .123 UTC");
        check("Month 20060102_2006", "Month 20230323_2023");
        let offset = Time { zone: Zone::Fixed(-5400), ..time };
        assert_eq!(offset.format("15:04 -0700 Z07:00"), "11:43 -0130 -01:30");
    }

    #[test]
    fn parses() {
        let check = |layout: &str, text: &str, expected: Option<&str>| {
            let found = Time::parse(layout, text, Zone::UTC);
            let found = found
                .map(|time| Time { zone: Zone::UTC, ..time }.format("2006-01-02T15:04:05.999"));
            assert_eq!(found.as_deref(), expected, "{text}");
        };
        check("2006-01-02", "2023-03-23", Some("2023-03-23T00:00:00"));
        check(
            "2006-01-02T15:04:05Z07:00",
            "2023-03-23T13:13:35.5+01:00",
            Some("2023-03-23T12:13:35.5"),
        );
        check(
            "02/Jan/2006:15:04:05 -0700",
            "20/Nov/2026:00:01:02 +0000",
            Some("2026-11-20T00:01:02"),
        );
        check("3:04PM", "1:05PM", Some("0000-01-01T13:05:00"));
        check("2006-01-02", "2023-02-29", None);
        check("2006-01-02", "2023-02-28x", None);
        check("15:04", "25:00", None);
    }

    #[test]
    fn zones() {
        let zone = Zone::named("Europe/Berlin").expect("a zone");
        let layout = "2006-01-02 15:04:05";
        let check = |text: &str, expected: &str| {
            let time = Time::parse(layout, text, zone).expect("a time");
            assert_eq!(time.format("2006-01-02 15:04:05 -0700 MST"), expected);
        };
        check("2026-01-15 12:00:00", "2026-01-15 12:00:00 +0100 CET");
        check("2026-07-15 12:00:00", "2026-07-15 12:00:00 +0200 CEST");
        // Clocks go from two to three, and in autumn from three to two.
        check("2026-03-29 01:59:59", "2026-03-29 01:59:59 +0100 CET");
        check("2026-03-29 02:30:00", "2026-03-29 03:30:00 +0200 CEST");
        check("2026-03-29 03:00:00", "2026-03-29 03:00:00 +0200 CEST");
        check("2026-10-25 03:00:00", "2026-10-25 03:00:00 +0100 CET");
        let winter = Time::parse(layout, "2026-01-15 12:00:00", zone).expect("a time");
        assert_eq!(winter.add_date(0, 6, 0).format(layout), "2026-07-15 12:00:00");
        let offset = "2006-01-02T15:04:05-0700";
        let shown =
            |text: &str| Time::parse(offset, text, zone).expect("a time").format("15:04 MST");
        assert_eq!(shown("2026-01-15T12:00:00+0100"), "12:00 CET");
        assert_eq!(shown("2026-01-15T12:00:00+0300"), "12:00 +0300");
        let far = Time { nanos: i128::MAX / 2, zone };
        assert!(!far.format(layout).is_empty());
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(nanos in -60_000_000_000_000_000_000i128..250_000_000_000_000_000_000) {
            let layout = "2006-01-02T15:04:05.999999999Z07:00";
            let time = Time::utc(nanos);
            prop_assert_eq!(Time::parse(layout, &time.format(layout), Zone::UTC), Some(time));
        }

        #[test]
        fn never_panics(layout in ".{0,12}", text in ".{0,12}") {
            let _ = Time::parse(&layout, &text, Zone::UTC);
            let _ = Time::zero().format(&layout);
        }
    }
}
