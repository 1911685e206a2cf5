//! More lines than a server gives at once, page by page, none twice and none left out.
//!
//! A page is the next one's bound: it begins at the time where the last one ended, since entries of
//! that time may have been cut off. Those that were seen are passed over: a store of sets has each
//! entry once. Only if a page is full of entries of a single time is there no way on; that is an
//! error, not a gap.

use std::collections::HashMap;
use std::ops::Range;

use anyhow::bail;

use super::Page;
use super::answer::Entry;
use crate::model::Timestamp;

pub(super) struct Pages {
    rest: Range<Timestamp>,
    forward: bool,
    /// Entries still to give.
    left: u64,
    page_entries: u64,
    /// What was given of the time at the border.
    border: Vec<Entry>,
    done: bool,
}

impl Pages {
    pub(super) fn new(
        range: Range<Timestamp>,
        forward: bool,
        limit: u64,
        page_entries: u64,
    ) -> Pages {
        Pages { rest: range, forward, left: limit, page_entries, border: Vec::new(), done: false }
    }

    /// What to ask next.
    pub(super) fn next(&self) -> Option<Page> {
        // Those at the border come again, and take room.
        let wanted = self.left.saturating_add(self.border.len() as u64);
        let more = !self.done && self.left > 0 && self.rest.start < self.rest.end;
        more.then(|| Page {
            range: self.rest.clone(),
            forward: self.forward,
            limit: wanted.min(self.page_entries),
        })
    }

    /// Takes the answer to `page`; gives those of its entries that are new.
    pub(super) fn take(&mut self, page: &Page, entries: Vec<Entry>) -> anyhow::Result<Vec<Entry>> {
        let full = entries.len() as u64 >= page.limit;
        let last = entries.last().map(|entry| entry.at);
        let mut seen: HashMap<&Entry, usize> = HashMap::new();
        for entry in &self.border {
            *seen.entry(entry).or_default() += 1;
        }
        let mut fresh = entries;
        // Counted, since a pipeline can make one text of two entries.
        fresh.retain(|entry| match seen.get_mut(entry) {
            Some(left @ 1..) => {
                *left -= 1;
                false
            }
            _ => true,
        });
        if fresh.is_empty() && full {
            bail!("more than {} lines have the same time: the rest cannot be shown", page.limit);
        }
        fresh.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= fresh.len() as u64;
        match last {
            Some(last) if full => self.move_border(last, &fresh),
            _ => self.done = true,
        }
        Ok(fresh)
    }

    fn move_border(&mut self, last: Timestamp, fresh: &[Entry]) {
        match self.forward {
            true => self.rest.start = last,
            false => self.rest.end = Timestamp(last.0.saturating_add(1)),
        }
        self.border.retain(|entry| entry.at == last);
        self.border.extend(fresh.iter().filter(|entry| entry.at == last).cloned());
    }
}
