//! `log.redb`: every group's log, votes and marks, in one file.
//!
//! In go batches of operations, one transaction and one fsync each; out come a group's whole log
//! at start and ranges of entries later.
//!
//! Tables: `log` maps (0, group, index, 0) to the row of each small entry, `large` maps (era,
//! group, index, part) to those of the others, which fill pages; see [`super::value`] and
//! [`super::eras`]. They are apart because redb puts neighbours of a table into one page: a small
//! row beside one that fills a page makes it twice as large, and all of it is written. `meta` maps (group, what) to the vote, the committed and the
//! purged log id, each under its own checksum.
//!
//! Invariants:
//! - The operations of a batch take effect in order, and all or none of them.
//! - A group's entries are contiguous from `purged + 1`, or the file is damaged.

use std::iter::Peekable;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use openraft::EntryPayload;
use redb::{Database, ReadableDatabase, ReadableTable, Table, TableDefinition};
use tokio::sync::oneshot;

use super::eras::Eras;
use super::value::{self, Encoded, Head};
use super::{Medium, Place, decode_identity, encode_identity, failed, guarded, open};
use crate::error::Error;
use crate::node::Identity;
use crate::types::{Entry, IoFlushed, LeaderId, LogId, Payload, Vote};

const LOG: TableDefinition<'_, RowKey, &[u8]> = TableDefinition::new("log");
const LARGE: TableDefinition<'_, RowKey, &[u8]> = TableDefinition::new("large");
const META: TableDefinition<'_, (u32, u8), &[u8]> = TableDefinition::new("meta");

const VOTE: u8 = 1;
const COMMITTED: u8 = 2;
const PURGED: u8 = 3;
/// How many replicas of the group were erased before this one.
const EPOCH: u8 = 4;
/// Set while a replica is erased, in two files one after the other.
const ERASING: u8 = 5;
const IDENTITY: (u32, u8) = (u32::MAX, 0);

/// Half of it may buffer writes: a full batch of 16 MiB is written at once, by the commit.
const CACHE_BYTES: usize = 48 << 20;

/// A row's place: its era, then its name.
type RowKey = (u32, u32, u64, u16);
type RowRange = Peekable<redb::Range<'static, RowKey, &'static [u8]>>;
/// Who waits until an operation is durable.
pub(crate) type Ack = oneshot::Sender<Result<(), std::io::Error>>;

/// The rows of all entries, in a transaction.
struct Rows<'txn> {
    small: Table<'txn, RowKey, &'static [u8]>,
    large: Table<'txn, RowKey, &'static [u8]>,
    eras: &'txn Mutex<Eras>,
}

impl Rows<'_> {
    fn eras(&self) -> MutexGuard<'_, Eras> {
        lock(self.eras)
    }

    /// Writes an entry's rows. Each is put together in `row`, which is used again and again and so
    /// stays in the CPU's cache: redb's own way to fill a value in place clears and copies it first.
    fn insert(&mut self, group: u32, entry: &Entry, row: &mut Vec<u8>) -> Result<(), redb::Error> {
        let encoded = Encoded::of(&entry.payload);
        let (index, len) = (entry.log_id.index, encoded.len());
        let era = self.eras().place(group, index, (!value::is_small(len)).then_some(len));
        let (table, era) = match era {
            None => (&mut self.small, 0),
            Some(era) => (&mut self.large, era),
        };
        let mut offset = 0;
        for (take, part) in value::split(len).zip(0..) {
            let key = (group, index, part);
            row.resize(Encoded::row_bytes(part, take), 0);
            encoded.write(key, entry.log_id.leader_id, offset, row);
            table.insert((era, group, index, part), row.as_slice())?;
            offset += take;
        }
        Ok(())
    }

    /// Removes a group's entries of these indexes.
    fn remove(&mut self, group: u32, indexes: &Range<u64>) -> Result<(), redb::Error> {
        let keys = |era, run: &Range<u64>| (era, group, run.start, 0)..(era, group, run.end, 0);
        self.small.retain_in(keys(0, indexes), |_, _| false)?;
        let runs = self.eras().of(group, indexes);
        for (era, run) in runs {
            self.large.retain_in(keys(era, &run), |_, _| false)?;
        }
        Ok(())
    }

    /// The same at the log's end, where others may take their places in the same commit.
    fn remove_from(&mut self, group: u32, start: u64) -> Result<(), redb::Error> {
        let indexes = start..u64::MAX;
        self.remove(group, &indexes)?;
        self.eras().cut(group, start);
        Ok(())
    }
}

/// One write to a group's log.
pub(crate) enum Op {
    /// Entries behind the last one.
    Append {
        group: u32,
        entries: Vec<Entry>,
        bytes: usize,
        done: IoFlushed,
        flushed: std::sync::Arc<std::sync::atomic::AtomicU64>,
    },
    /// The vote.
    Vote { group: u32, vote: Vote, done: Ack },
    /// Removes every entry from `start` on.
    Truncate { group: u32, start: u64, done: Ack },
    /// Removes every entry: a snapshot covers more than the log holds.
    Reset { group: u32, purged: LogId, done: Ack },
    /// The last committed entry: never the reason for a commit.
    Committed { group: u32, committed: LogId },
    /// Says that the replica is being erased; or, at last, removes all of it but the count of
    /// erased ones.
    Erase { group: u32, at_last: bool, done: Ack },
    /// Nothing: acknowledged once everything before it is durable.
    Barrier { done: Ack },
}

impl Op {
    /// Whether it may remove all that the log of `of` holds.
    pub(crate) fn empties(&self, of: u32) -> bool {
        matches!(self, Op::Reset { group, .. } | Op::Erase { group, .. } if *group == of)
    }
}

/// Removes a group's entries up to and with `upto`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PurgeSlice {
    pub(crate) group: u32,
    pub(crate) upto: LogId,
}

/// A group's log as found at start.
#[derive(Debug, Default)]
pub(crate) struct LoadedLog {
    pub(crate) vote: Option<Vote>,
    pub(crate) committed: Option<LogId>,
    pub(crate) purged: Option<LogId>,
    /// The index of the first of `entries`.
    pub(crate) first: u64,
    /// Leader and payload bytes of each entry.
    pub(crate) entries: Vec<(LeaderId, u32)>,
    /// The commands of the range that was asked for; empty for entries of Raft itself.
    pub(crate) wal: Vec<(u64, Bytes)>,
}

impl LoadedLog {
    /// Whether nothing was ever written.
    pub(crate) fn is_empty(&self) -> bool {
        self.vote.is_none()
            && self.committed.is_none()
            && self.purged.is_none()
            && self.entries.is_empty()
    }
}

/// What is known of a group's replica, whether or not there is one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// How many replicas of the group were erased.
    pub(crate) epoch: u64,
    /// Whether the current one is being erased.
    pub(crate) erasing: bool,
}

/// The open database.
pub(crate) struct LogDb {
    db: Database,
    place: Place,
    /// Ahead of what is durable while a commit is on its way; of what that purges, behind.
    eras: Mutex<Eras>,
}

impl LogDb {
    /// Opens the file, and repairs it if the last process was killed.
    pub(crate) fn open(medium: Medium) -> Result<Self, Error> {
        let (db, place) = open(medium, CACHE_BYTES)?;
        let db = Self { db, place, eras: Mutex::default() };
        // The version comes first: in another one the tables may have other keys.
        db.identity()?;
        let found = || find_eras(&db.db).map_err(|error| failed(&db.place, error));
        *db.eras() = guarded(&db.place, found)?;
        Ok(db)
    }

    fn eras(&self) -> MutexGuard<'_, Eras> {
        lock(&self.eras)
    }

    /// Whose file it is; nothing for a new file.
    pub(crate) fn identity(&self) -> Result<Option<Identity>, Error> {
        guarded(&self.place, || {
            let txn = self.db.begin_read().map_err(|e| failed(&self.place, e))?;
            let meta = match txn.open_table(META) {
                Ok(meta) => meta,
                Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
                Err(error) => return Err(failed(&self.place, error)),
            };
            let row = meta.get(IDENTITY).map_err(|e| failed(&self.place, e))?;
            row.map(|row| decode_identity(&self.place.path, row.value())).transpose()
        })
    }

    /// Writes whose file it is, and makes the tables.
    pub(crate) fn create(&self, identity: &Identity) -> Result<(), Error> {
        self.write(|_, meta| {
            meta.insert(IDENTITY, encode_identity(identity).as_slice())?;
            Ok(())
        })
    }

    /// Whether any group wrote anything yet.
    pub(crate) fn is_unused(&self) -> Result<bool, Error> {
        guarded(&self.place, || {
            let check = || -> Result<bool, redb::Error> {
                let txn = self.db.begin_read()?;
                let meta = txn.open_table(META)?;
                let (log, large) = (txn.open_table(LOG)?, txn.open_table(LARGE)?);
                let other = meta.range(..IDENTITY)?.next().transpose()?.is_some();
                Ok(!other && log.first()?.is_none() && large.first()?.is_none())
            };
            check().map_err(|error| failed(&self.place, error))
        })
    }

    fn write<'a>(
        &self,
        work: impl FnOnce(
            &mut Rows<'_>,
            &mut Table<'_, (u32, u8), &'static [u8]>,
        ) -> Result<(), redb::Error>
        + 'a,
    ) -> Result<(), Error> {
        guarded(&self.place, || {
            let write = || -> Result<(), redb::Error> {
                // One-phase commits, without quick repair: one fsync each, and a repair after a
                // crash reads the whole log and so checks it.
                let txn = self.db.begin_write()?;
                let (small, large) = (txn.open_table(LOG)?, txn.open_table(LARGE)?);
                let mut rows = Rows { small, large, eras: &self.eras };
                let mut meta = txn.open_table(META)?;
                work(&mut rows, &mut meta)?;
                drop((rows, meta));
                txn.commit()?;
                Ok(())
            };
            write().map_err(|error| failed(&self.place, error))
        })
    }

    /// Writes a batch durably, in order, or not at all. No operation empties the log that `purge`
    /// is of.
    pub(crate) fn commit(&self, ops: &[Op], purge: Option<PurgeSlice>) -> Result<(), Error> {
        let mut row = Vec::new();
        self.write(|rows, meta| {
            // Before anything is added: redb would write again what was.
            if let Some(PurgeSlice { group, upto }) = purge {
                rows.remove(group, &(0..upto.index + 1))?;
                put(meta, (group, PURGED), &encode_log_id(&upto))?;
            }
            for op in ops {
                match op {
                    Op::Append { group, entries, .. } => {
                        for entry in entries {
                            rows.insert(*group, entry, &mut row)?;
                        }
                    }
                    Op::Vote { group, vote, .. } => put(meta, (*group, VOTE), &encode_vote(vote))?,
                    Op::Truncate { group, start, .. } => {
                        rows.remove_from(*group, *start)?;
                    }
                    Op::Reset { group, purged, .. } => {
                        rows.remove_from(*group, 0)?;
                        put(meta, (*group, PURGED), &encode_log_id(purged))?;
                    }
                    Op::Committed { group, committed } => {
                        put(meta, (*group, COMMITTED), &encode_log_id(committed))?;
                    }
                    Op::Erase { group, at_last: false, .. } => {
                        put(meta, (*group, ERASING), &1u64.to_le_bytes())?;
                    }
                    Op::Erase { group, at_last: true, .. } => erase(rows, meta, *group)?,
                    Op::Barrier { .. } => {}
                }
            }
            Ok(())
        })?;
        let mut eras = self.eras();
        if let Some(PurgeSlice { group, upto }) = purge {
            eras.purged(group, upto.index + 1);
        }
        eras.committed();
        Ok(())
    }

    /// What is known of a group's replica besides its log.
    pub(crate) fn marks(&self, group: u32) -> Result<Marks, Error> {
        guarded(&self.place, || {
            let epoch = self.mark(group, EPOCH)?.map_or(0, |row| word(&row, 0));
            Ok(Marks { epoch, erasing: self.mark(group, ERASING)?.is_some() })
        })
    }

    /// Reads a group's whole log, checks every value, and keeps the commands of `wal`.
    pub(crate) fn load(&self, group: u32, wal: Range<u64>) -> Result<LoadedLog, Error> {
        guarded(&self.place, || {
            let mut loaded = LoadedLog {
                vote: self.mark(group, VOTE)?.map(|row| decode_vote(&row)),
                committed: self.mark(group, COMMITTED)?.map(|row| decode_log_id(&row)),
                purged: self.mark(group, PURGED)?.map(|row| decode_log_id(&row)),
                ..LoadedLog::default()
            };
            let start = loaded.purged.map_or(0, |purged| purged.index + 1);
            loaded.first = start;
            self.scan(group, start..u64::MAX, |entry, bytes| {
                if loaded.entries.is_empty() && loaded.purged.is_none() {
                    loaded.first = entry.log_id.index;
                }
                let next = loaded.first + loaded.entries.len() as u64;
                if entry.log_id.index != next {
                    return Err(self.corrupt(group, next, "it is missing".to_owned()));
                }
                if wal.contains(&entry.log_id.index) {
                    let command = match entry.payload {
                        EntryPayload::Normal(command) => command.0,
                        EntryPayload::Blank | EntryPayload::Membership(_) => Bytes::new(),
                    };
                    loaded.wal.push((entry.log_id.index, command));
                }
                let bytes = u32::try_from(bytes).expect("a payload has less than 4 GiB");
                loaded.entries.push((entry.log_id.leader_id, bytes));
                Ok(true)
            })?;
            Ok(loaded)
        })
    }

    /// Reads entries of `range`, at least one and about `bytes_max`, as far as there are any; none
    /// while the group's log is cut, when eras and rows are of two moments.
    pub(crate) fn entries(
        &self,
        group: u32,
        range: Range<u64>,
        bytes_max: usize,
    ) -> Result<Vec<Entry>, Error> {
        let cuts = self.eras().cuts(group);
        let entries = self.read_entries(group, range, bytes_max);
        let is_whole = cuts.is_some() && self.eras().cuts(group) == cuts;
        if is_whole { entries } else { Ok(Vec::new()) }
    }

    fn read_entries(
        &self,
        group: u32,
        range: Range<u64>,
        bytes_max: usize,
    ) -> Result<Vec<Entry>, Error> {
        guarded(&self.place, || {
            let mut entries: Vec<Entry> = Vec::new();
            let mut total = 0;
            self.scan(group, range, |entry, bytes| {
                if let Some(last) = entries.last()
                    && entry.log_id.index != last.log_id.index + 1
                {
                    return Err(self.corrupt(
                        group,
                        last.log_id.index + 1,
                        "it is missing".to_owned(),
                    ));
                }
                entries.push(entry);
                total += bytes;
                Ok(total < bytes_max)
            })?;
            Ok(entries)
        })
    }

    fn mark(&self, group: u32, what: u8) -> Result<Option<Vec<u8>>, Error> {
        let read = || -> Result<Option<Vec<u8>>, redb::Error> {
            let meta = self.db.begin_read()?.open_table(META)?;
            Ok(meta.get((group, what))?.map(|row| row.value().to_vec()))
        };
        let Some(row) = read().map_err(|error| failed(&self.place, error))? else {
            return Ok(None);
        };
        let damaged = |what: String| Error::Damaged { path: self.place.path.clone(), what };
        let bytes = value::unseal(&mark_name((group, what)), &row).map_err(damaged)?;
        if bytes.len() != mark_bytes(what) {
            return Err(damaged(format!("mark {what} of group {group} has {} bytes", bytes.len())));
        }
        Ok(Some(bytes.to_vec()))
    }

    /// Hands each entry of `range` with its payload's length to `each`, until that says stop.
    fn scan(
        &self,
        group: u32,
        range: Range<u64>,
        mut each: impl FnMut(Entry, usize) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        // The eras come before the rows, and end where they know of no more: of what is written
        // meanwhile nothing is seen, and what is purged meanwhile has its eras still.
        let (range, eras) = {
            let eras = self.eras();
            let range = range.start..range.end.min(eras.end(group));
            (range.clone(), eras.of(group, &range))
        };
        let large_from = eras.first().map_or(range.end, |(_, run)| run.start);
        let only_small = (None, range.start..large_from);
        let runs = std::iter::once(only_small)
            .chain(eras.into_iter().map(|(era, run)| (Some(era), run)))
            .filter(|(_, run)| !run.is_empty());
        let broken = |error: redb::Error| failed(&self.place, error);
        let open = || -> Result<_, redb::Error> {
            let txn = self.db.begin_read()?;
            Ok((txn.open_table(LOG)?, txn.open_table(LARGE)?))
        };
        let (small, large) = open().map_err(broken)?;
        for (era, run) in runs {
            let keys = |era, end| (era, group, run.start, 0)..(era, group, end, 0);
            let small = small.range(keys(0, run.end)).map_err(|error| broken(error.into()))?;
            let end = if era.is_some() { run.end } else { run.start };
            let large = large.range(keys(era.unwrap_or_default(), end));
            let large = large.map_err(|error| broken(error.into()))?;
            if !self.scan_run(group, small.peekable(), large.peekable(), &mut each)? {
                break;
            }
        }
        Ok(())
    }

    /// The same for the rows of one era; whether to go on.
    fn scan_run(
        &self,
        group: u32,
        mut small: RowRange,
        mut large: RowRange,
        each: &mut impl FnMut(Entry, usize) -> Result<bool, Error>,
    ) -> Result<bool, Error> {
        loop {
            let rows = match (next_index(&mut small), next_index(&mut large)) {
                (None, None) => return Ok(true),
                (Some(index), Some(other)) if index == other => {
                    return Err(self.corrupt(group, index, "it is there twice".to_owned()));
                }
                (Some(index), other) if other.is_none_or(|other| index < other) => &mut small,
                _ => &mut large,
            };
            let (entry, bytes) = self.read_entry(group, rows)?;
            if !each(entry, bytes)? {
                return Ok(false);
            }
        }
    }

    /// Puts the next entry together, from all of its rows; and its payload's length.
    fn read_entry(&self, group: u32, rows: &mut RowRange) -> Result<(Entry, usize), Error> {
        let mut next = || {
            let row = rows.next().transpose();
            row.map_err(|error| failed(&self.place, redb::Error::from(error)))
        };
        let (key, row) = next()?.expect("whoever asks has seen one");
        let (_, _, index, part) = key.value();
        let corrupt = |what: String| self.corrupt(group, index, what);
        if part != 0 {
            return Err(corrupt("its first row is missing".to_owned()));
        }
        let (head, first) = value::read_first((group, index, 0), row.value()).map_err(corrupt)?;
        let mut bytes = BytesMut::with_capacity(head.len);
        bytes.extend_from_slice(first);
        for part in 1.. {
            if bytes.len() >= head.len {
                break;
            }
            match next()? {
                Some((key, row)) if (key.value().2, key.value().3) == (index, part) => {
                    let name = (group, index, part);
                    let more = value::read_more(name, row.value()).map_err(corrupt)?;
                    bytes.extend_from_slice(more);
                }
                _ => return Err(corrupt(format!("its part {part} is missing"))),
            }
        }
        Ok((finish(index, head, bytes).map_err(corrupt)?, head.len))
    }

    fn corrupt(&self, group: u32, index: u64, what: String) -> Error {
        Error::Corrupt { path: self.place.path.clone(), group, index, what }
    }

    /// Bytes written to the file since it was opened.
    pub(crate) fn written_bytes(&self) -> u64 {
        self.place.written.bytes()
    }

    /// The file's path, for messages.
    pub(crate) fn path(&self) -> &std::path::Path {
        &self.place.path
    }
}

/// The index of the next row; nothing after the last one. One that cannot be read comes first.
fn next_index(rows: &mut RowRange) -> Option<u64> {
    rows.peek().map(|row| row.as_ref().map_or(0, |(key, _)| key.value().2))
}

fn lock(eras: &Mutex<Eras>) -> MutexGuard<'_, Eras> {
    // Whatever panics while it holds them is a bug, and the node stops for it.
    eras.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where everything lies: of each era the first entry of each group.
fn find_eras(db: &Database) -> Result<Eras, redb::Error> {
    let mut eras = Eras::default();
    let large = match db.begin_read()?.open_table(LARGE) {
        Ok(large) => large,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(eras),
        Err(error) => return Err(error.into()),
    };
    let mut from: RowKey = (0, 0, 0, 0);
    while let Some(row) = large.range(from..)?.next() {
        let (era, group, index, _) = row?.0.value();
        eras.found(era, group, index);
        from = match group.checked_add(1) {
            Some(next) => (era, next, 0, 0),
            None => (era + 1, 0, 0, 0),
        };
    }
    Ok(eras)
}

fn finish(index: u64, head: Head, bytes: BytesMut) -> Result<Entry, String> {
    if bytes.len() != head.len {
        return Err(format!("it has {} bytes instead of {}", bytes.len(), head.len));
    }
    let payload = head.payload(bytes.freeze())?;
    Ok(Entry { log_id: LogId { leader_id: head.leader, index }, payload })
}

/// The bytes an entry's payload takes, for queues and statistics.
pub(crate) fn payload_bytes(payload: &Payload) -> usize {
    match payload {
        EntryPayload::Blank => 0,
        EntryPayload::Normal(command) => command.0.len(),
        EntryPayload::Membership(_) => Encoded::of(payload).len(),
    }
}

fn mark_name((group, what): (u32, u8)) -> [u8; 5] {
    let [a, b, c, d] = group.to_le_bytes();
    [a, b, c, d, what]
}

fn mark_bytes(what: u8) -> usize {
    match what {
        VOTE => 17,
        EPOCH | ERASING => 8,
        _ => 24,
    }
}

/// Removes a group's entries and marks, and counts that.
fn erase(
    rows: &mut Rows<'_>,
    meta: &mut Table<'_, (u32, u8), &'static [u8]>,
    group: u32,
) -> Result<(), redb::Error> {
    rows.remove_from(group, 0)?;
    for mark in [VOTE, COMMITTED, PURGED, ERASING] {
        meta.remove((group, mark))?;
    }
    let epoch = match meta.get((group, EPOCH))? {
        None => 0,
        Some(row) => value::unseal(&mark_name((group, EPOCH)), row.value())
            .map_err(redb::Error::Corrupted)
            .map(|row| word(row, 0))?,
    };
    put(meta, (group, EPOCH), &(epoch + 1).to_le_bytes())
}

fn put(
    meta: &mut Table<'_, (u32, u8), &'static [u8]>,
    key: (u32, u8),
    bytes: &[u8],
) -> Result<(), redb::Error> {
    meta.insert(key, value::seal(&mark_name(key), bytes).as_slice())?;
    Ok(())
}

fn encode_vote(vote: &Vote) -> [u8; 17] {
    let mut row = [0; 17];
    row[..8].copy_from_slice(&vote.leader_id.term.to_le_bytes());
    row[8..16].copy_from_slice(&vote.leader_id.node_id.to_le_bytes());
    row[16] = u8::from(vote.committed);
    row
}

fn decode_vote(row: &[u8]) -> Vote {
    let leader_id = LeaderId { term: word(row, 0), node_id: word(row, 8) };
    Vote { leader_id, committed: row[16] != 0 }
}

fn encode_log_id(id: &LogId) -> [u8; 24] {
    let mut row = [0; 24];
    row[..8].copy_from_slice(&id.leader_id.term.to_le_bytes());
    row[8..16].copy_from_slice(&id.leader_id.node_id.to_le_bytes());
    row[16..].copy_from_slice(&id.index.to_le_bytes());
    row
}

fn decode_log_id(row: &[u8]) -> LogId {
    let leader_id = LeaderId { term: word(row, 0), node_id: word(row, 8) };
    LogId { leader_id, index: word(row, 16) }
}

fn word(row: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(row[at..at + 8].try_into().expect("eight bytes are eight bytes"))
}
