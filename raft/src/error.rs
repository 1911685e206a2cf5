//! What can go wrong, sorted by what the caller does about it.
//!
//! Messages are one line, name the path or the group, and say what to do.

use std::io;
use std::path::PathBuf;

/// Opening or running a node failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process holds the data directory.
    #[error(
        "{} is in use by another process: stop that process, or choose another data directory",
        .dir.display()
    )]
    InUse {
        /// The data directory.
        dir: PathBuf,
    },
    /// The files were written by a version with another format.
    #[error(
        "{} has format version {found} and this program reads version {expected}: run the version \
         that wrote it, or choose another data directory",
        .path.display()
    )]
    FormatVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// Ours.
        expected: u32,
    },
    /// The files belong to another node, or not to each other.
    #[error("{}: {what}", .path.display())]
    Identity {
        /// The file or directory.
        path: PathBuf,
        /// What does not fit, and what to do.
        what: String,
    },
    /// The operating system refused: permission, space, a broken disk.
    #[error("{}: {source}: {hint}", .path.display())]
    Disk {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
        /// What to do about it.
        hint: &'static str,
    },
    /// A file is damaged as a whole.
    #[error(
        "{} is damaged ({what}): restore the data directory from a copy, or remove it and let the \
         node start anew",
        .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// One value of the log is damaged; it was not used.
    #[error(
        "{}: the log entry {index} of group {group} is damaged ({what}): restore the data \
         directory from a copy",
        .path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The group whose log it is.
        group: u32,
        /// The entry's index.
        index: u64,
        /// What was found.
        what: String,
    },
    /// The log lost entries that were durable once.
    #[error(
        "{}: the log of group {group} ends at index {found} but index {expected} was durable: \
         acknowledged entries are lost, so it must not vote: remove this node from the group, erase \
         its replica and add it again as a learner, or restore the data directory from a copy",
        .path.display()
    )]
    LogReverted {
        /// The file.
        path: PathBuf,
        /// The group whose log it is.
        group: u32,
        /// The last index found.
        found: u64,
        /// The last index known to have been durable.
        expected: u64,
    },
    /// A group cannot be founded as wanted.
    #[error("group {group} cannot be founded: {what}")]
    Membership {
        /// The group.
        group: u32,
        /// Why.
        what: String,
    },
    /// The group's machine refused what was recovered.
    #[error("group {group} cannot be recovered: {what}")]
    Machine {
        /// The group.
        group: u32,
        /// What the machine said.
        what: String,
    },
    /// The node stopped, or latched after an I/O error.
    #[error("{0}")]
    Stopped(String),
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        io::Error::other(error)
    }
}

/// A proposal was not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// Nothing was or will be written: safe to drop.
    #[error("group {group}: not done: {reason}")]
    NotDone {
        /// The group.
        group: u32,
        /// The node to ask instead, where one is known.
        leader: Option<u64>,
        /// Why.
        reason: String,
    },
    /// Nothing was or will be written, and asking again at once is no use: the leader has no room.
    #[error("group {group}: not taken: {reason}")]
    Refused {
        /// The group.
        group: u32,
        /// Why.
        reason: String,
    },
    /// It may have happened or may still happen: safe to send again.
    #[error("group {group}: outcome unknown: {reason}")]
    Unknown {
        /// The group.
        group: u32,
        /// Why.
        reason: String,
    },
}

/// A read index could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("group {group}: cannot read: {reason}")]
pub struct ReadError {
    /// The group.
    pub group: u32,
    /// The node to ask instead, where one is known.
    pub leader: Option<u64>,
    /// Why.
    pub reason: String,
}

/// A membership or a leadership was not changed as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    /// Another node leads: ask it.
    #[error("group {group}: this node does not lead it")]
    NotLeader {
        /// The group.
        group: u32,
        /// The node to ask instead, where one is known.
        leader: Option<u64>,
    },
    /// Another change is under way: wait for it, then ask again.
    #[error("group {group}: another change of its members is under way")]
    Busy {
        /// The group.
        group: u32,
    },
    /// Nothing was changed.
    #[error("group {group}: not changed: {reason}")]
    Refused {
        /// The group.
        group: u32,
        /// Why.
        reason: String,
    },
    /// It may have happened, or a part of it: look at the members, then ask again.
    #[error("group {group}: outcome unknown: {reason}")]
    Unknown {
        /// The group.
        group: u32,
        /// Why.
        reason: String,
    },
}
