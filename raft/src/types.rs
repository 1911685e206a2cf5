//! The one place where openraft's type parameters get their values.
//!
//! Everything else in this crate uses the aliases below; nothing outside of it sees them.

use std::fmt;

use bytes::Bytes;
use openraft::raft::responder::Responder;
use openraft::{EntryPayload, OptionalSend, RaftTypeConfig};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// openraft's configuration for every group of this crate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Types;

impl RaftTypeConfig for Types {
    type D = Command;
    type R = Reply;
    type NodeId = u64;
    type Node = Member;
    type Term = u64;
    type LeaderId = LeaderId;
    type Vote = Vote;
    type Payload = Payload;
    type Entry = Entry;
    type AsyncRuntime = openraft::impls::TokioRuntime;
    type Responder<T>
        = Ticket<T>
    where
        T: OptionalSend + 'static;
    type Batch<T>
        = openraft::impls::InlineBatch<T>
    where
        T: OptionalSend + 'static;
    type ErrorSource = openraft::impls::BoxedErrorSource;
}

pub(crate) type LeaderId = openraft::impls::leader_id_adv::LeaderId<u64, u64>;
pub(crate) type LogId = openraft::LogId<LeaderId>;
pub(crate) type Vote = openraft::Vote<LeaderId>;
pub(crate) type Payload = EntryPayload<Command, u64, Member>;
pub(crate) type Entry = openraft::Entry<LeaderId, Payload>;
pub(crate) type Membership = openraft::Membership<u64, Member>;
pub(crate) type StoredMembership = openraft::StoredMembership<LeaderId, u64, Member>;
pub(crate) type SnapshotMeta = openraft::SnapshotMeta<LeaderId, u64, Member>;
pub(crate) type IoFlushed = openraft::storage::IOFlushed<Types>;
pub(crate) type LogState = openraft::LogState<Types>;
pub(crate) type RpcError = openraft::errors::RPCError<Types>;

/// A node as a group's membership knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Member {
    /// Where its peers reached it when it was added; the peer table may know better.
    pub(crate) address: String,
    /// Which replica of it is a member: see [`crate::Identity::incarnation`]. 0 is any.
    pub(crate) incarnation: u64,
}

/// A proposed command: opaque bytes, never copied on their way through.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Command(pub(crate) Bytes);

// openraft prints payloads at debug level: megabytes of log lines have no place there.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "command of {} bytes", self.0.len())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What the machine answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply(pub(crate) Bytes);

/// The proposer's end of a proposal.
///
/// It carries the proposal's share of the queue's bytes, so that a proposer who goes away does not
/// give them back before the command has left memory.
pub(crate) struct Ticket<T> {
    tx: oneshot::Sender<T>,
    _share: OwnedSemaphorePermit,
}

impl<T> Ticket<T> {
    /// A ticket and where its result arrives.
    pub(crate) fn new(share: OwnedSemaphorePermit) -> (Self, oneshot::Receiver<T>) {
        let (tx, rx) = oneshot::channel();
        (Self { tx, _share: share }, rx)
    }
}

impl<T: OptionalSend + 'static> Responder<Types, T> for Ticket<T> {
    fn on_complete(self, result: T) {
        // The proposer may have gone away: then nobody wants to know.
        let _ = self.tx.send(result);
    }
}
