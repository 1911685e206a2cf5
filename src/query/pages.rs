//! Going on where an answer ended: exact also where many entries have one timestamp.
//!
//! A [`Cursor`] says a time and how many entries at it were given. Equal timestamps have one order
//! (by stream, then as they were committed), so it means the same after a flush or a compaction.
//! Who pushes an entry at that very time in between may move the border by as much.

use std::fmt;
use std::str::FromStr;

use super::Error;
use super::logs::{self, Direction, LogEntry, Params};
use crate::logql::ast;
use crate::model::{TimeRange, Timestamp};
use crate::scan::{Scanner, Snapshot};

/// Entries at one timestamp that can be passed over.
const PASSED_MAX: usize = 1 << 20;

/// Where an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The time of its last entry.
    pub at: Timestamp,
    /// How many entries of that time were given, by it and by answers before it.
    pub n: usize,
}

/// A text that is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a cursor is what an answer gave as next_cursor")]
pub struct NoCursor;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.at.nanos(), self.n)
    }
}

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Cursor, NoCursor> {
        let (at, n) = text.split_once(':').ok_or(NoCursor)?;
        let at = Timestamp(at.parse().map_err(|_| NoCursor)?);
        let n = n.parse().map_err(|_| NoCursor)?;
        if n > PASSED_MAX { Err(NoCursor) } else { Ok(Cursor { at, n }) }
    }
}

impl Cursor {
    /// What is left of a range.
    fn clip(self, range: &TimeRange, direction: Direction) -> TimeRange {
        match direction {
            Direction::Forward => range.start.max(self.at)..range.end,
            Direction::Backward => {
                range.start..range.end.min(Timestamp(self.at.nanos().saturating_add(1)))
            }
        }
    }

    /// Where these entries end, which were given after `before`; `None` where none were.
    fn after(before: Option<Cursor>, entries: &[LogEntry]) -> Option<Cursor> {
        let at = entries.last()?.timestamp;
        let n = entries.iter().rev().take_while(|entry| entry.timestamp == at).count();
        let earlier = before.filter(|before| before.at == at).map_or(0, |before| before.n);
        Some(Cursor { at, n: n + earlier })
    }
}

/// The answer behind a cursor, and where it ends itself; no end where there is nothing more.
/// A cursor counts every entry: `params.interval` must be zero.
pub async fn page(
    scanner: &Scanner,
    snapshot: &Snapshot,
    query: &ast::LogQuery,
    params: &Params,
    cursor: Option<Cursor>,
) -> Result<(logs::LogAnswer, Option<Cursor>), Error> {
    let passed = cursor.map_or(0, |cursor| cursor.n);
    let range = match cursor {
        None => params.range.clone(),
        Some(cursor) => cursor.clip(&params.range, params.direction),
    };
    let wanted = Params { range, limit: params.limit + passed, ..params.clone() };
    let mut answer = logs::run_on(scanner, snapshot, query, &wanted, None).await?;
    let is_full = answer.entries.len() == wanted.limit;
    if let Some(cursor) = cursor {
        let given = answer.entries.iter().take(cursor.n);
        let n = given.take_while(|entry| entry.timestamp == cursor.at).count();
        answer.entries.drain(..n);
        answer.entries.truncate(params.limit);
    }
    let next = if is_full { Cursor::after(cursor, &answer.entries) } else { None };
    Ok((answer, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let check = |text: &str, expected: Option<(i64, usize)>| {
            let cursor = text.parse::<Cursor>().ok();
            assert_eq!(cursor.map(|cursor| (cursor.at.nanos(), cursor.n)), expected, "{text}");
            if let Some(cursor) = cursor {
                assert_eq!(cursor.to_string(), text);
            }
        };
        check("17:3", Some((17, 3)));
        check("-17:0", Some((-17, 0)));
        check("17", None);
        check("17:-1", None);
        check("17:1048577", None);
        check("", None);
    }

    #[test]
    fn what_is_left_of_a_range() {
        let check = |at: i64, direction: Direction, expected: (i64, i64)| {
            let cursor = Cursor { at: Timestamp(at), n: 1 };
            let left = cursor.clip(&(Timestamp(10)..Timestamp(20)), direction);
            assert_eq!((left.start.nanos(), left.end.nanos()), expected);
        };
        check(15, Direction::Forward, (15, 20));
        check(15, Direction::Backward, (10, 16));
        check(5, Direction::Forward, (10, 20));
        check(i64::MAX, Direction::Backward, (10, 20));
    }
}
