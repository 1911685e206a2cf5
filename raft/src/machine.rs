//! What a group replicates into: the deterministic machine of its owner.
//!
//! In come commands in log order; out go a reply for the proposer and the rows to persist.

use bytes::Bytes;

/// A deterministic state machine, driven by the log and by nothing else.
pub trait Machine: Send + 'static {
    /// Applies one entry. Called in log order, each index exactly once after
    /// [`Recovered::applied`]. Entries of Raft itself (a new leader's blank, a membership change)
    /// come as an empty `command`, so that indexes stay contiguous; index 0, the group's founding
    /// entry, is not passed on.
    fn apply(&mut self, index: u64, command: &Bytes) -> Applied;

    /// The first index that a restart still needs; never decreases, at most last applied + 1.
    /// Entries below the durably persisted floor are purged from the log.
    fn floor(&self) -> u64;

    /// Rows of the state as of `floor() - 1`, for a replica that starts from a snapshot. The bytes
    /// are opaque here, and come back in [`Recovered::rows`].
    fn snapshot(&self) -> Vec<(Vec<u8>, Bytes)>;
}

/// What applying one entry gave.
#[derive(Debug, Default)]
pub struct Applied {
    /// Handed to the proposer.
    pub reply: Bytes,
    /// Persisted together with `applied` and `floor`, in one transaction.
    pub rows: Vec<RowChange>,
}

/// One row written or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowChange {
    /// The row's name within its group.
    pub key: Vec<u8>,
    /// Its new value, or nothing to delete it.
    pub value: Option<Bytes>,
}

/// What a machine starts from.
///
/// The rows are as of `applied`. What lies between `floor` and `applied` is there twice: in the
/// rows as far as the machine put it there, and as commands, for what it keeps only in memory.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Every row of the group, in key order.
    pub rows: Vec<(Vec<u8>, Bytes)>,
    /// The last index that the rows cover; 0 for a new group.
    pub applied: u64,
    /// The machine's floor when the rows were persisted; 0 for a new group.
    pub floor: u64,
    /// Entries `max(floor, 1)..=applied`, contiguous, entries of Raft itself as empty commands.
    /// They were applied already: use them to rebuild memory, not to change rows.
    pub wal: Vec<(u64, Bytes)>,
}
