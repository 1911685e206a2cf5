//! A group's log as openraft sees it: an index in memory over the lane.
//!
//! In come entries, votes and purges from the group's core; out go entries to whoever applies or
//! replicates them, from memory as a rule, from the reader thread where they are old.
//!
//! Invariants:
//! - Entries are readable when `append` returns, and durable when its callback is called.
//! - Entries that are not durable yet are in memory: only flushed ones are ever evicted.
//! - `purged + 1 == first`, and entries `first..next` are contiguous.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::io;
use std::ops::{Bound, Range, RangeBounds};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{Stream, stream};
use openraft::storage::RaftLogStorage;
use openraft::{OptionalSend, RaftLogReader};

use crate::disk::{LoadedLog, Op, PurgeSlice, payload_bytes};
use crate::lane::Lane;
use crate::reader::Reader;
use crate::types::{Entry, IoFlushed, LeaderId, LogId, LogState, Payload, Types, Vote};

/// Entries handed out at once to be applied.
const READ_BYTES_MAX: usize = 4 << 20;
/// Entries handed out at once to be sent to a follower: a fraction of its window, so that the next
/// ones are on their way before these are answered.
const SEND_BYTES_MAX: usize = 1 << 20;
/// A purge is cut into slices that each add little to the commit they ride in.
const PURGE_BYTES_MAX: u64 = 32 << 20;
const PURGE_ENTRIES_MAX: usize = 1024;

/// A group's log: cheap to clone, one state behind all clones.
#[derive(Clone)]
pub(crate) struct GroupLog(Arc<Inner>);

struct Inner {
    group: u32,
    lane: Arc<Lane>,
    reader: Reader,
    cache_bytes_max: usize,
    /// Entries below are durable. Moved by the lane.
    flushed: Arc<AtomicU64>,
    /// Entries below are applied. Moved by the applier.
    applied: AtomicU64,
    index: Mutex<Index>,
}

#[derive(Default)]
struct Index {
    vote: Option<Vote>,
    committed: Option<LogId>,
    purged: Option<LogId>,
    /// Index of the first of `entries`.
    first: u64,
    entries: VecDeque<(LeaderId, u32)>,
    bytes: u64,
    /// The last entries' payloads.
    tail: VecDeque<Payload>,
    tail_bytes: usize,
}

impl Index {
    fn next(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// The index of the first of `tail`.
    fn tail_first(&self) -> u64 {
        self.next() - self.tail.len() as u64
    }

    fn log_id(&self, index: u64) -> Option<LogId> {
        if let Some(purged) = self.purged
            && purged.index == index
        {
            return Some(purged);
        }
        let at = usize::try_from(index.checked_sub(self.first)?).ok()?;
        self.entries.get(at).map(|(leader_id, _)| LogId { leader_id: *leader_id, index })
    }

    fn last(&self) -> Option<LogId> {
        if self.entries.is_empty() { self.purged } else { self.log_id(self.next() - 1) }
    }

    fn push(&mut self, entry: &Entry) {
        if self.entries.is_empty() && self.purged.is_none() {
            self.first = entry.log_id.index;
        }
        assert_eq!(entry.log_id.index, self.next(), "openraft appends without holes");
        let bytes = payload_bytes(&entry.payload);
        let stored = u32::try_from(bytes).expect("a command has at most 64 MiB");
        self.entries.push_back((entry.log_id.leader_id, stored));
        self.bytes += u64::from(stored);
        self.tail.push_back(entry.payload.clone());
        self.tail_bytes += bytes;
    }

    /// Forgets payloads of old entries, of those below `keep`, until the tail fits.
    fn evict(&mut self, bytes_max: usize, keep: u64) {
        while self.tail_bytes > bytes_max
            && self.tail_first() < keep
            && let Some(payload) = self.tail.pop_front()
        {
            self.tail_bytes -= payload_bytes(&payload);
        }
    }

    /// Removes entries from `start` on.
    fn truncate(&mut self, start: u64) {
        while self.next() > start
            && let Some((_, bytes)) = self.entries.pop_back()
        {
            self.bytes -= u64::from(bytes);
            if let Some(payload) = self.tail.pop_back() {
                self.tail_bytes -= payload_bytes(&payload);
            }
        }
    }

    /// Removes entries up to and with `upto`; the slices in which the disk shall do it.
    fn purge(&mut self, group: u32, upto: LogId) -> Vec<PurgeSlice> {
        let mut slices = Vec::new();
        let (mut bytes, mut count) = (0, 0);
        while self.first <= upto.index
            && let Some((leader_id, stored)) = self.entries.pop_front()
        {
            let removed = LogId { leader_id, index: self.first };
            if self.tail.len() > self.entries.len()
                && let Some(payload) = self.tail.pop_front()
            {
                self.tail_bytes -= payload_bytes(&payload);
            }
            self.bytes -= u64::from(stored);
            self.first += 1;
            bytes += u64::from(stored);
            count += 1;
            if bytes >= PURGE_BYTES_MAX || count == PURGE_ENTRIES_MAX || removed == upto {
                slices.push(PurgeSlice { group, upto: removed });
                (bytes, count) = (0, 0);
            }
        }
        self.purged = Some(upto);
        slices
    }
}

impl GroupLog {
    /// The log as loaded from disk.
    pub(crate) fn new(
        group: u32,
        loaded: LoadedLog,
        lane: Arc<Lane>,
        reader: Reader,
        cache_bytes_max: usize,
    ) -> Self {
        let bytes = loaded.entries.iter().map(|(_, bytes)| u64::from(*bytes)).sum();
        let index = Index {
            vote: loaded.vote,
            committed: loaded.committed,
            purged: loaded.purged,
            first: loaded.first,
            entries: loaded.entries.into(),
            bytes,
            tail: VecDeque::new(),
            tail_bytes: 0,
        };
        Self(Arc::new(Inner {
            group,
            lane,
            reader,
            cache_bytes_max,
            flushed: Arc::new(AtomicU64::new(index.next())),
            applied: AtomicU64::new(0),
            index: Mutex::new(index),
        }))
    }

    /// The id of the entry at `index`, as long as it or its successor is there.
    pub(crate) fn log_id(&self, index: u64) -> Option<LogId> {
        self.lock().log_id(index)
    }

    /// The last vote that was saved: nobody was given a later one.
    pub(crate) fn vote(&self) -> Option<Vote> {
        self.lock().vote
    }

    /// The last entry's id.
    pub(crate) fn last(&self) -> Option<LogId> {
        self.lock().last()
    }

    /// The payload bytes of the entries on disk.
    pub(crate) fn bytes(&self) -> u64 {
        self.lock().bytes
    }

    /// Tells that nobody waits to apply entries up to `index` any more.
    pub(crate) fn applied(&self, index: u64) {
        self.0.applied.store(index + 1, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        // A panic under this lock is a broken assertion above: the core that hit it is dead, and
        // what the others read is still whole.
        self.0.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the first entry of a log that nobody uses yet; durable once this returns.
    pub(crate) async fn begin(&self, first: Entry) -> io::Result<()> {
        self.clone().append([first], IoFlushed::noop()).await?;
        // The lane is first in, first out: once this vote for nobody is durable, so is the entry.
        self.clone().save_vote(&Vote::new(0, 0)).await
    }

    /// Entries of `range` from its start on, about `bytes_max` of them; none if there are none.
    pub(crate) async fn read(&self, range: Range<u64>, bytes_max: usize) -> io::Result<Vec<Entry>> {
        let (start, old_end, tail) = {
            let index = self.lock();
            let start = range.start.max(index.first);
            let end = range.end.min(index.next());
            let tail_first = index.tail_first();
            let mut tail = Vec::new();
            if start.max(tail_first) < end {
                let mut bytes = 0;
                for at in start.max(tail_first)..end {
                    let payload = &index.tail[offset(at, tail_first)];
                    let log_id = index.log_id(at).expect("the tail is part of the log");
                    tail.push(Entry { log_id, payload: payload.clone() });
                    bytes += payload_bytes(payload);
                    if bytes >= bytes_max {
                        break;
                    }
                }
            }
            (start, end.min(tail_first), tail)
        };
        if start >= old_end {
            return Ok(tail);
        }
        let mut entries = self.0.reader.entries(self.0.group, start..old_end, bytes_max).await?;
        let complete = entries.last().is_some_and(|entry| entry.log_id.index + 1 == old_end);
        if complete {
            let bytes: usize = entries.iter().map(|entry| payload_bytes(&entry.payload)).sum();
            if bytes < bytes_max {
                entries.extend(tail);
            }
        }
        Ok(entries)
    }
}

fn offset(index: u64, first: u64) -> usize {
    usize::try_from(index - first).expect("what is in memory can be counted")
}

fn bounds(range: &impl RangeBounds<u64>) -> Range<u64> {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(start) => start + 1,
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(end) => end + 1,
        Bound::Excluded(end) => *end,
        Bound::Unbounded => u64::MAX,
    };
    start..end
}

impl RaftLogReader<Types> for GroupLog {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, io::Error> {
        self.read(bounds(&range), usize::MAX).await
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<Entry>, io::Error> {
        self.read(start..end, SEND_BYTES_MAX).await
    }

    // What waits to be applied after a restart may be more than memory should hold at once.
    async fn entries_stream<RB>(
        &mut self,
        range: RB,
    ) -> impl Stream<Item = Result<Entry, io::Error>> + OptionalSend
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let state = (self.clone(), bounds(&range), VecDeque::new());
        Box::pin(stream::try_unfold(state, |(log, mut range, mut ready)| async move {
            if ready.is_empty() && range.start < range.end {
                ready = log.read(range.clone(), READ_BYTES_MAX).await?.into();
            }
            let Some(entry): Option<Entry> = ready.pop_front() else { return Ok(None) };
            range.start = entry.log_id.index + 1;
            Ok(Some((entry, (log, range, ready))))
        }))
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.lock().vote)
    }
}

impl RaftLogStorage<Types> for GroupLog {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState, io::Error> {
        let index = self.lock();
        Ok(LogState { last_purged_log_id: index.purged, last_log_id: index.last() })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        let vote = *vote;
        self.0.lane.wait(|done| Op::Vote { group: self.0.group, vote, done }).await?;
        self.lock().vote = Some(vote);
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        self.lock().committed = committed;
        match committed {
            None => Ok(()),
            Some(committed) => self.0.lane.committed(self.0.group, committed),
        }
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.lock().committed)
    }

    async fn append<I>(&mut self, entries: I, done: IoFlushed) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        let mut bytes = 0;
        {
            let mut index = self.lock();
            for entry in &entries {
                index.push(entry);
                bytes += payload_bytes(&entry.payload);
            }
            let flushed = self.0.flushed.load(Ordering::Acquire);
            let keep = flushed.min(self.0.applied.load(Ordering::Relaxed));
            index.evict(self.0.cache_bytes_max, keep);
        }
        let flushed = self.0.flushed.clone();
        self.0.lane.push(Op::Append { group: self.0.group, entries, bytes, done, flushed })
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> Result<(), io::Error> {
        let start = last.map_or(0, |last| last.index + 1);
        self.lock().truncate(start);
        self.0.lane.wait(|done| Op::Truncate { group: self.0.group, start, done }).await?;
        // All earlier appends have been acknowledged by now: the lane is first in, first out.
        self.0.flushed.fetch_min(start, Ordering::AcqRel);
        Ok(())
    }

    async fn purge(&mut self, upto: LogId) -> Result<(), io::Error> {
        let beyond = {
            let mut index = self.lock();
            if index.purged >= Some(upto) {
                return Ok(());
            }
            if index.next() > upto.index {
                let slices = index.purge(self.0.group, upto);
                drop(index);
                return self.0.lane.purge(slices);
            }
            let vote = index.vote;
            let committed = index.committed;
            *index = Index {
                vote,
                committed,
                purged: Some(upto),
                first: upto.index + 1,
                ..Index::default()
            };
            upto
        };
        // A snapshot went past the log: what is appended next leaves a gap to what is there.
        self.0.lane.wait(|done| Op::Reset { group: self.0.group, purged: beyond, done }).await?;
        self.0.flushed.fetch_max(beyond.index + 1, Ordering::AcqRel);
        Ok(())
    }
}
