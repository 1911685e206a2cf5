//! One shard of this node: the pure state machine of `shard` behind a Raft group of `raft`.

use std::time::Duration;

use bytes::Bytes;
use drave_raft as raft;

use super::{OpenError, ReadError, WriteError};
use crate::model::{Index, ShardId};
use crate::shard::{Reply, Shard, ShardView};

/// After this a proposal's outcome is unknown: a client must not wait for ever.
const PROPOSE_TIME_MAX: Duration = Duration::from_secs(20);
/// After this a shard cannot be read now.
const READ_TIME_MAX: Duration = Duration::from_secs(10);

/// Carries bytes from the group to the state machine and back.
struct Machine(Shard);

impl raft::Machine for Machine {
    fn apply(&mut self, index: u64, command: &Bytes) -> raft::Applied {
        // A replica that differs from the others must not go on: what it says is worth nothing.
        let applied = self.0.apply(index, command);
        let (reply, rows) = applied.unwrap_or_else(|divergence| panic!("{divergence}"));
        let rows = rows.into_iter().map(|row| raft::RowChange { key: row.key, value: row.value });
        raft::Applied { reply: reply.encode(), rows: rows.collect() }
    }

    fn floor(&self) -> u64 {
        self.0.floor()
    }

    fn snapshot(&self) -> Vec<(Vec<u8>, Bytes)> {
        self.0.snapshot()
    }
}

/// A handle on one shard. Cheap to clone.
#[derive(Clone)]
pub(super) struct Replica {
    shard: ShardId,
    group: raft::Group<Machine>,
}

impl Replica {
    pub(super) async fn open(node: &raft::Node, shard: ShardId) -> Result<Replica, OpenError> {
        let build = move |recovered: raft::Recovered| {
            let wal = recovered.wal.into_iter();
            Shard::open(shard, recovered.rows, recovered.applied, wal).map(Machine)
        };
        let group = node.group(shard.0, build).await;
        let group = group.map_err(|error| OpenError { shard, reason: error.to_string() })?;
        Ok(Replica { shard, group })
    }

    pub(super) fn shard(&self) -> ShardId {
        self.shard
    }

    pub(super) async fn propose(&self, command: Bytes) -> Result<(Index, Reply), WriteError> {
        let shard = self.shard;
        let proposed = tokio::time::timeout(PROPOSE_TIME_MAX, self.group.propose(command)).await;
        let Ok(proposed) = proposed else {
            let reason = format!("no answer in {} s", PROPOSE_TIME_MAX.as_secs());
            return Err(WriteError::Unknown { shard, reason });
        };
        match proposed {
            Ok((index, reply)) => {
                let reply = Reply::decode(&reply).expect("the machine above encoded it");
                Ok((index, reply))
            }
            Err(raft::ProposeError::NotDone { reason, .. }) => {
                Err(WriteError::NotDone { shard, reason })
            }
            Err(raft::ProposeError::Unknown { reason, .. }) => {
                Err(WriteError::Unknown { shard, reason })
            }
        }
    }

    pub(super) async fn read_view(&self) -> Result<ShardView, ReadError> {
        let failed = |reason| ReadError { shard: self.shard, reason };
        let read_index = tokio::time::timeout(READ_TIME_MAX, self.group.read_index()).await;
        let read_index = read_index.map_err(|_| failed("no read index in time".into()))?;
        read_index.map_err(|error| failed(error.reason))?;
        self.local_view().ok_or_else(|| ReadError {
            shard: self.shard,
            reason: "this replica is catching up".into(),
        })
    }

    /// `None` while the replica catches up after a snapshot.
    pub(super) fn local_view(&self) -> Option<ShardView> {
        self.group.with_machine(|machine| machine.0.view())
    }

    pub(super) fn applied(&self) -> tokio::sync::watch::Receiver<Index> {
        self.group.applied()
    }

    pub(super) fn status(&self) -> raft::GroupStatus {
        self.group.status()
    }
}
