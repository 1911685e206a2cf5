//! From the lines of one file to pushes: finds each line's date, gives it a nanosecond of its own.
//!
//! In: lines in file order. Out: pushes, in the same order, and a [`Tally`] of what was done.
//!
//! - Every line goes out. One without a date takes the date of the line before it; before the
//!   first date, that of the first date; in a file without any, the time the file was written.
//! - The same lines and the same [`Context`] give the same pushes.
//! - Memory is bounded: lines waiting for a first date are at most [`HELD_BYTES_MAX`].

use std::borrow::Cow;
use std::sync::Arc;

use super::dates::{Context, Dater, Dating, Format, YearSpan};
use super::push::Push;
use super::slots::Slots;
use crate::model::Timestamp;

const HELD_BYTES_MAX: usize = 1 << 20;

/// What was done with the lines of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Lines read, in all.
    pub(super) lines: u64,
    /// Lines with a date of their own, by the way it was written.
    pub(super) dated: Vec<(Format, u64)>,
    /// Lines without, that took the date of the line before.
    pub(super) continued: u64,
    /// Lines without, before the first date, that took that one.
    pub(super) led: u64,
    /// Lines without, in a file without: they took the time that the file was written.
    pub(super) timeless: u64,
    /// Of the lines without: those whose date is before 1980 or in the future.
    pub(super) implausible: u64,
    /// Lines that were not UTF-8 and have U+FFFD where the bad bytes were.
    pub(super) mended: u64,
    /// Lines longer than any server takes, not sent.
    pub(super) too_long: u64,
    /// The last line has no line end; `wc -l` does not count it.
    pub(super) unterminated: bool,
    /// The earliest and the latest time given to a line.
    pub(super) times: Option<(Timestamp, Timestamp)>,
    /// Why reading ended early.
    pub(super) error: Option<String>,
}

impl Tally {
    /// Lines that have a date of their own.
    pub(super) fn dated_lines(&self) -> u64 {
        self.dated.iter().map(|(_, n)| n).sum()
    }

    /// Takes in the lines of another file, or of the next file under the same name.
    pub(super) fn add(&mut self, other: &Tally) {
        for (format, n) in &other.dated {
            self.count(*format, *n);
        }
        self.lines += other.lines;
        self.continued += other.continued;
        self.led += other.led;
        self.timeless += other.timeless;
        self.implausible += other.implausible;
        self.mended += other.mended;
        self.too_long += other.too_long;
        self.unterminated |= other.unterminated;
        if let Some((earliest, latest)) = other.times {
            self.cover(earliest);
            self.cover(latest);
        }
        self.error = self.error.take().or_else(|| other.error.clone());
    }

    fn count(&mut self, format: Format, lines: u64) {
        match self.dated.iter_mut().find(|(known, _)| *known == format) {
            Some((_, n)) => *n += lines,
            None => self.dated.push((format, lines)),
        }
    }

    fn cover(&mut self, at: Timestamp) {
        let (earliest, latest) = self.times.unwrap_or((at, at));
        self.times = Some((earliest.min(at), latest.max(at)));
    }
}

/// Nobody takes pushes any more.
#[derive(Debug)]
pub(super) struct Stopped;

/// Where the pushes go.
pub(super) trait Sink {
    /// Takes the next push; `tally` is of all lines read until now.
    fn push(&mut self, push: Push, tally: &Tally) -> Result<(), Stopped>;
}

/// The way of one file's lines into pushes.
pub(super) struct Feed<S> {
    dater: Dater,
    slots: Slots,
    modified: Timestamp,
    /// The last date that a line had.
    date: Option<Timestamp>,
    held: Held,
    push: Push,
    labels: Arc<str>,
    sink: S,
    tally: Tally,
}

/// Lines from before the first date.
#[derive(Default)]
struct Held {
    text: String,
    ends: Vec<usize>,
}

impl<S: Sink> Feed<S> {
    /// For the lines of `source`, which go to the stream `labels`.
    pub(crate) fn new(
        context: Context,
        span: YearSpan,
        source: usize,
        labels: Arc<str>,
        sink: S,
    ) -> Feed<S> {
        Feed {
            dater: Dater::new(context, span),
            slots: Slots::default(),
            modified: context.modified.min(context.latest),
            date: None,
            held: Held::default(),
            push: Push::new(Arc::clone(&labels), source, 1),
            labels,
            sink,
            tally: Tally::default(),
        }
    }

    /// More may have been written by `now`; dates past `latest` are in the future. In a source
    /// without dates, what comes next is as new as this.
    pub(super) fn set_now(&mut self, now: Timestamp, latest: Timestamp) {
        self.dater.set_now(now, latest);
        if self.tally.dated.is_empty() && self.held.ends.is_empty() {
            self.modified = now;
            self.date = None;
        }
    }

    /// Takes the next line.
    pub(super) fn line(&mut self, mut line: &[u8]) -> Result<(), Stopped> {
        if self.tally.lines == 0 {
            // A byte order mark is not text.
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        self.tally.lines += 1;
        let text = String::from_utf8_lossy(line);
        if matches!(text, Cow::Owned(_)) {
            self.tally.mended += 1;
        }
        let dating = self.dater.date(line);
        if dating == Dating::Implausible {
            self.tally.implausible += 1;
        }
        match (dating, self.date) {
            (Dating::Own(date, format), _) => {
                self.tally.count(format, 1);
                self.tally.led += self.held.ends.len() as u64;
                self.release(date)?;
                self.date = Some(date);
                self.send(date, &text)
            }
            (_, Some(date)) => {
                self.tally.continued += 1;
                self.send(date, &text)
            }
            (_, None) => self.hold(&text),
        }
    }

    /// A line went by that was too long to hold.
    pub(super) fn too_long(&mut self) -> Result<(), Stopped> {
        // It keeps its number, and pushes have consecutive lines only.
        self.release_timeless()?;
        self.flush()?;
        self.push.first_line += 1;
        self.tally.lines += 1;
        self.tally.too_long += 1;
        Ok(())
    }

    /// Takes a last line that has no line end.
    pub(super) fn last_line(&mut self, line: &[u8]) -> Result<(), Stopped> {
        self.tally.unterminated = true;
        self.line(line)
    }

    /// Sends what was taken: nothing more comes for a while, or at all.
    pub(super) fn settle(&mut self) -> Result<(), Stopped> {
        self.release_timeless()?;
        self.flush()
    }

    /// What was done.
    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    fn hold(&mut self, text: &str) -> Result<(), Stopped> {
        self.held.text.push_str(text);
        self.held.ends.push(self.held.text.len());
        // An empty line takes memory, too.
        if self.held.text.len() + 8 * self.held.ends.len() > HELD_BYTES_MAX {
            self.release_timeless()?;
        }
        Ok(())
    }

    /// There is no first date to wait for.
    fn release_timeless(&mut self) -> Result<(), Stopped> {
        if self.held.ends.is_empty() {
            return Ok(());
        }
        self.tally.timeless += self.held.ends.len() as u64;
        self.date = Some(self.modified);
        self.release(self.modified)
    }

    fn release(&mut self, date: Timestamp) -> Result<(), Stopped> {
        let held = std::mem::take(&mut self.held);
        let mut start = 0;
        for end in held.ends {
            self.send(date, &held.text[start..end])?;
            start = end;
        }
        Ok(())
    }

    fn send(&mut self, date: Timestamp, text: &str) -> Result<(), Stopped> {
        if self.push.is_full_for(text.len()) {
            self.flush()?;
        }
        let at = self.slots.take(date);
        self.tally.cover(at);
        self.push.add(at, text);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Stopped> {
        let Push { source, first_line, .. } = self.push;
        let next = Push::new(Arc::clone(&self.labels), source, first_line + self.push.len() as u64);
        let full = std::mem::replace(&mut self.push, next);
        if full.is_empty() { Ok(()) } else { self.sink.push(full, &self.tally) }
    }
}

#[cfg(test)]
mod tests;
