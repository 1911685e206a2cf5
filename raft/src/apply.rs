//! A group's machine as openraft sees it.
//!
//! In come committed entries in order; out go replies to the proposers, and rows to the keeper.
//!
//! Invariant: the machine changes only here, in the one task that openraft runs for its group.

use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend, Snapshot};
use tokio::sync::watch;

use crate::keeper::Pending;
use crate::log::GroupLog;
use crate::machine::{Applied, Machine, Recovered};
use crate::snapshot::{Announce, GroupSnapshot, SnapshotRows};
use crate::types::{LogId, Payload, Reply, SnapshotMeta, StoredMembership, Types};

/// Makes a machine from what the disk or a snapshot holds.
pub(crate) type Build<M> = Box<dyn Fn(Recovered) -> Result<M, String> + Send + Sync>;

/// What a group's handles and its applier share.
pub(crate) struct Shared<M> {
    pub(crate) machine: Mutex<M>,
    pub(crate) pending: Arc<Pending>,
    pub(crate) log: GroupLog,
    pub(crate) applied: watch::Sender<u64>,
    pub(crate) build: Build<M>,
}

impl<M> Shared<M> {
    /// Looks at the machine.
    pub(crate) fn with_machine<R>(&self, look: impl FnOnce(&M) -> R) -> R {
        look(&self.machine.lock().expect("a machine that panicked is not used any more"))
    }
}

/// Applies a group's entries.
pub(crate) struct Applier<M>(pub(crate) Arc<Shared<M>>);

impl<M: Machine> Applier<M> {
    fn apply_one(&self, id: LogId, payload: Payload) -> Bytes {
        let (command, membership) = match payload {
            EntryPayload::Normal(command) => (command.0, None),
            EntryPayload::Blank => (Bytes::new(), None),
            EntryPayload::Membership(membership) => {
                (Bytes::new(), Some(StoredMembership::new(Some(id), membership)))
            }
        };
        let mut machine =
            self.0.machine.lock().expect("a machine that panicked is not used any more");
        // Index 0 founds the group and says nothing to its machine, for which 0 means "nothing".
        let applied =
            if id.index == 0 { Applied::default() } else { machine.apply(id.index, &command) };
        let floor = machine.floor();
        self.0.pending.applied(id, applied.rows, membership, floor);
        drop(machine);
        self.0.log.applied(id.index);
        self.0.applied.send_replace(id.index);
        applied.reply
    }

    /// The durable floor's snapshot; nothing before anything is below a floor.
    fn meta(&self) -> Option<SnapshotMeta> {
        let floor = *self.0.pending.floor().borrow();
        let (last, last_membership) = self.0.pending.below(floor)?;
        Some(SnapshotMeta { last_log_id: Some(last), last_membership })
    }
}

impl<M: Machine> RaftStateMachine<Types> for Applier<M> {
    type SnapshotData = SnapshotRows;
    type SnapshotBuilder = Announce;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        Ok(self.0.pending.state())
    }

    async fn apply<S>(&mut self, mut entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<Types>, io::Error>> + Unpin + OptionalSend,
    {
        while let Some((entry, responder)) = entries.try_next().await? {
            let reply = self.apply_one(entry.log_id, entry.payload);
            if let Some(responder) = responder {
                responder.send(Reply(reply));
            }
        }
        Ok(())
    }

    async fn try_create_snapshot_builder(&mut self, force: bool) -> Option<Announce> {
        if force && let Err(error) = self.0.pending.flush().await {
            return Some(Announce(Err(error)));
        }
        match self.meta() {
            Some(meta) => Some(Announce(Ok(meta))),
            // A snapshot of nothing is one, too, for who insists.
            None => force.then(|| Announce(Ok(SnapshotMeta::default()))),
        }
    }

    async fn get_snapshot_builder(&mut self) -> Announce {
        let forced = self.try_create_snapshot_builder(true).await;
        forced.expect("a builder that is insisted on is there")
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: SnapshotRows,
    ) -> Result<(), io::Error> {
        let Some(last) = meta.last_log_id else {
            return Err(io::Error::other("a snapshot of nothing"));
        };
        let rows = snapshot.0;
        self.0.pending.replaced(last, meta.last_membership.clone(), rows.clone());
        self.0.pending.flush().await?;
        // To install is to restart from other rows.
        let recovered =
            Recovered { rows, applied: last.index, floor: last.index + 1, wal: Vec::new() };
        let machine = (self.0.build)(recovered).map_err(io::Error::other)?;
        *self.0.machine.lock().expect("a machine that panicked is not used any more") = machine;
        self.0.log.applied(last.index);
        self.0.applied.send_replace(last.index);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<GroupSnapshot>, io::Error> {
        // Nothing is applied meanwhile, so after this the durable floor is the machine's.
        self.0.pending.flush().await?;
        let Some(meta) = self.meta() else { return Ok(None) };
        let rows = self.0.with_machine(M::snapshot);
        Ok(Some(Snapshot { meta, snapshot: SnapshotRows(rows) }))
    }
}
