//! Finds the date of a log line, learning from the lines before it where to look.
//!
//! In: the lines of one file, in order. Out: for each line its own date, or that it has none.
//!
//! - The outcome is a function of the lines and of the [`Context`]: the same file twice gives the
//!   same dates.
//! - A number in the middle of a line counts as a date only while nothing better is known of the
//!   file; a continuation line of a stack trace is not dated by what it happens to quote.
//! - No line allocates.

mod cursor;
mod keyed;
mod shapes;
#[cfg(test)]
mod tests;
mod years;

pub use shapes::Format;
pub(crate) use years::YearSpan;

use crate::model::Timestamp;
use cursor::SECOND;
use years::{Years, latest_local};

/// Dates before 1980 come from clocks that were never set.
const EARLIEST: Timestamp = Timestamp(315_532_800 * SECOND);
/// How many words of a line are looked at.
const WORDS_MAX: usize = 8;
/// How far into a line words are looked for.
const REACH: usize = 512;
/// How many places are remembered per file.
const SPOTS_MAX: usize = 8;

/// What a date says, before a zone or a year is filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stamp {
    /// A point in time.
    At(Timestamp),
    /// Nanoseconds since 1970 on a clock of an unknown zone.
    Local(i64),
    /// The same, of an unknown year.
    Yearless(Yearless),
}

/// A day and a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Yearless {
    month: u32,
    day: u32,
    clock: i64,
}

/// What a line says about its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dating {
    /// It has this date, written like this.
    Own(Timestamp, Format),
    /// It has none.
    Undated,
    /// It has one that cannot be: before 1980, or in the future.
    Implausible,
}

/// What must be known beside the lines.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// How far local times without a zone are ahead of UTC, in nanoseconds.
    pub zone: i64,
    /// When the file was last written: bounds the years of dates that have none.
    pub modified: Timestamp,
    /// Dates past this are in the future.
    pub latest: Timestamp,
}

/// Where in its lines a file has its dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Spot {
    format: Format,
    word: usize,
}

impl Spot {
    /// A bare number in the middle of a line is often something else.
    fn is_weak(self) -> bool {
        self.format == Format::Epoch && self.word > 0
    }

    fn parse(self, line: &[u8]) -> Option<Stamp> {
        match self.format {
            Format::Json => keyed::json(line),
            Format::Logfmt => keyed::logfmt(line),
            format => format.parse(words(line).nth(self.word)?),
        }
    }
}

/// Dates the lines of one file.
pub struct Dater {
    context: Context,
    years: Years,
    /// Most frequent first, with how many lines were dated so.
    spots: Vec<(Spot, u64)>,
}

impl Dater {
    /// For a file of which `span` is known: how far its dates without years reach.
    pub(crate) fn new(context: Context, span: YearSpan) -> Dater {
        let years = Years::new(span, latest_local(context.modified, context.zone));
        Dater { context, years, spots: Vec::new() }
    }

    /// The file is being followed and has been written to at `now`.
    pub fn set_now(&mut self, now: Timestamp, latest: Timestamp) {
        self.context.latest = latest;
        self.years.set_latest(latest_local(now, self.context.zone));
    }

    /// The date of the next line.
    pub fn date(&mut self, line: &[u8]) -> Dating {
        let Some((stamp, format)) = self.find(line) else { return Dating::Undated };
        let at = match stamp {
            Stamp::At(at) => at,
            Stamp::Local(local) => Timestamp(local - self.context.zone),
            Stamp::Yearless(date) => Timestamp(self.years.resolve(date) - self.context.zone),
        };
        if at < EARLIEST || at > self.context.latest {
            return Dating::Implausible;
        }
        Dating::Own(at, format)
    }

    /// Takes note of the date of the next line, for a later pass over the same lines.
    pub(crate) fn survey(&mut self, line: &[u8], span: &mut YearSpan) {
        match self.find(line) {
            Some((Stamp::Yearless(date), _)) => span.pass(date),
            Some((Stamp::Local(local), _)) => span.pass_with_year(local),
            Some((Stamp::At(at), _)) => span.pass_with_year(at.0.saturating_add(self.context.zone)),
            None => {}
        }
    }

    /// Looks where dates were before, then everywhere.
    fn find(&mut self, line: &[u8]) -> Option<(Stamp, Format)> {
        let usual = self.spots.iter().enumerate().find_map(|(rank, (spot, _))| {
            let trusted = rank == 0 || !spot.is_weak();
            trusted.then(|| spot.parse(line)).flatten().map(|stamp| (rank, stamp))
        });
        let (mut rank, stamp) = match usual {
            Some(found) => found,
            None => {
                let (stamp, spot) = self.discover(line)?;
                if self.spots.len() == SPOTS_MAX {
                    self.spots.pop();
                }
                self.spots.push((spot, 0));
                (self.spots.len() - 1, stamp)
            }
        };
        let format = self.spots[rank].0.format;
        self.spots[rank].1 += 1;
        while rank > 0 && self.spots[rank].1 > self.spots[rank - 1].1 {
            self.spots.swap(rank, rank - 1);
            rank -= 1;
        }
        Some((stamp, format))
    }

    fn discover(&self, line: &[u8]) -> Option<(Stamp, Spot)> {
        let spot = |format, word| Spot { format, word };
        let first = line.trim_ascii_start();
        if first.first() == Some(&b'{') {
            return keyed::json(first).map(|stamp| (stamp, spot(Format::Json, 0)));
        }
        if let Some((stamp, format)) = words(line).next().and_then(|word| self.read_word(word)) {
            return Some((stamp, spot(format, 0)));
        }
        if let Some(stamp) = keyed::logfmt(line) {
            return Some((stamp, spot(Format::Logfmt, 0)));
        }
        let known = self.spots.iter().any(|(spot, _)| !spot.is_weak());
        let found = self.discover_inside(line, known);
        // The JSON of an object that a prefix names: `pod-7 | {"time":...}`.
        found.or_else(|| Some((keyed::json(line)?, spot(Format::Json, 0))))
    }

    /// Looks for a date after the first word. Where the file's dates are `known`, only for one that
    /// cannot be mistaken: in an access log, the user's name may have blanks.
    fn discover_inside(&self, line: &[u8], known: bool) -> Option<(Stamp, Spot)> {
        let mut weak: Option<(Stamp, Spot)> = None;
        for (index, word) in words(line).enumerate().skip(1) {
            let Some((stamp, format)) = self.read_word(word) else { continue };
            let spot = Spot { format, word: index };
            if known {
                if format == Format::DayMonthYear {
                    return Some((stamp, spot));
                }
            } else if spot.is_weak() {
                weak.get_or_insert((stamp, spot));
            } else {
                return Some(match weak {
                    Some((number, spot)) if agree(number, stamp) => (number, spot),
                    _ => (stamp, spot),
                });
            }
        }
        weak
    }

    fn read_word(&self, word: &[u8]) -> Option<(Stamp, Format)> {
        let formats: &[Format] = match word.first()? {
            b'0'..=b'9' => &Format::WITH_DIGIT,
            byte if byte.is_ascii_alphabetic() => &Format::WITH_LETTER,
            _ => return None,
        };
        let (stamp, format) =
            formats.iter().find_map(|format| Some((format.parse(word)?, *format)))?;
        // A number that would be a date in the future is a number.
        let future = matches!(stamp, Stamp::At(at) if at > self.context.latest);
        (format != Format::Epoch || !future).then_some((stamp, format))
    }
}

/// Whether a number says the same as the date after it, give or take a zone. Then the number is
/// the better one: it has no zone to guess.
fn agree(number: Stamp, date: Stamp) -> bool {
    const DAY: i64 = 86_400 * SECOND;
    match (number, date) {
        (Stamp::At(number), Stamp::At(date)) => number.nanos().abs_diff(date.nanos()) < DAY as u64,
        (Stamp::At(number), Stamp::Local(date)) => number.nanos().abs_diff(date) < DAY as u64,
        // A year cannot be compared that is not there.
        _ => true,
    }
}

/// The beginnings of the words of a line, each with the rest of the line after it, without the
/// brackets, quotes and syslog priorities that words are wrapped in.
fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut at = 0;
    let reach = line.len().min(REACH);
    std::iter::from_fn(move || {
        while at < reach && is_blank(line[at]) {
            at += 1;
        }
        let word = line.get(at..).filter(|word| at < reach && !word.is_empty())?;
        while at < reach && !is_blank(line[at]) {
            at += 1;
        }
        Some(unwrap(word))
    })
    .take(WORDS_MAX)
}

fn is_blank(byte: u8) -> bool {
    b" \t,;|".contains(&byte)
}

fn unwrap(mut word: &[u8]) -> &[u8] {
    if word.first() == Some(&b'<') {
        let digits = word[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits > 0 && word.get(1 + digits) == Some(&b'>') {
            word = &word[digits + 2..];
        }
    }
    while let Some((b'[' | b'(' | b'"' | b'\'' | b'<', rest)) = word.split_first() {
        word = rest;
    }
    word
}

/// A point of time that a person wrote: ISO 8601 (UTC where no zone is named), or seconds since
/// 1970, or milli-, micro- or nanoseconds, told apart by their digits.
pub fn parse_point(text: &str) -> Option<Timestamp> {
    let formats = [Format::Iso, Format::Epoch];
    match formats.iter().find_map(|format| format.parse(text.trim().as_bytes()))? {
        Stamp::At(at) => Some(at),
        Stamp::Local(local) => Some(Timestamp(local)),
        Stamp::Yearless(_) => None,
    }
}
