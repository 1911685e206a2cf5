//! One shard of this node: the pure state machine of `shard` behind a Raft group of `raft`.

use std::time::Duration;

use bytes::Bytes;
use drave_raft as raft;

use super::consistency::{Consistency, Seen};
use super::{OpenError, ReadError, group_of};
use crate::model::{Index, ShardId};
use crate::shard::{Shard, ShardView};

/// After this a shard cannot be read now.
const READ_TIME_MAX: Duration = Duration::from_secs(10);

/// How long a reader of old data waits for a first confirmation: asking makes the replica ask.
const CONFIRM_TIME_MAX: Duration = Duration::from_secs(1);

/// Carries bytes from the group to the state machine and back.
pub(super) struct Machine(Shard);

impl Machine {
    /// The rows of a snapshot, and the first index that is not in them.
    pub(super) fn base(&self) -> (Vec<(Vec<u8>, Bytes)>, Index) {
        (self.0.snapshot(), self.0.floor())
    }
}

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
    pub(super) async fn open(
        node: &raft::Node,
        shard: ShardId,
        start: raft::Start,
    ) -> Result<Replica, OpenError> {
        let build = move |recovered: raft::Recovered| {
            let wal = recovered.wal.into_iter();
            Shard::open(shard, recovered.rows, recovered.applied, wal).map(Machine)
        };
        let group = node.group(group_of(shard), start, build).await;
        let group = group.map_err(|error| OpenError { shard, reason: error.to_string() })?;
        Ok(Replica { shard, group })
    }

    pub(super) fn group(&self) -> &raft::Group<Machine> {
        &self.group
    }

    /// Whether it has a leader, as far as it knows.
    pub(super) fn knows_leader(&self) -> bool {
        self.group.status().leader.is_some()
    }

    pub(super) async fn propose(
        &self,
        command: Bytes,
    ) -> Result<(Index, Bytes), raft::ProposeError> {
        self.group.propose(command).await
    }

    async fn read_view(&self) -> Result<ShardView, ReadError> {
        let failed = |reason| ReadError { shard: self.shard, reason };
        let read_index = tokio::time::timeout(READ_TIME_MAX, self.group.read_index()).await;
        let read_index = read_index.map_err(|_| failed("no read index in time".into()))?;
        read_index.map_err(|error| failed(error.reason))?;
        self.local_view().ok_or_else(|| ReadError {
            shard: self.shard,
            reason: "this replica is catching up".into(),
        })
    }

    /// A view that holds the entry at an index, as soon as this replica has it.
    async fn view_after(&self, index: Index) -> Result<ShardView, ReadError> {
        let failed = |reason: &str| ReadError { shard: self.shard, reason: reason.into() };
        let mut applied = self.group.applied();
        let waited = tokio::time::timeout(READ_TIME_MAX, applied.wait_for(|now| *now >= index));
        match waited.await {
            Ok(Ok(_)) => {}
            Ok(Err(_)) => return Err(failed("the node is stopping")),
            Err(_) => return Err(failed("this replica has not seen what the session has")),
        }
        self.local_view().ok_or_else(|| failed("this replica is catching up"))
    }

    /// A view that holds everything acknowledged so long ago, as a leader has confirmed; and how
    /// long ago that was.
    async fn view_within(&self, age: Duration) -> Result<(ShardView, Duration), ReadError> {
        let failed = |reason: String| ReadError { shard: self.shard, reason };
        let started = tokio::time::Instant::now();
        loop {
            // Asked before the view is taken: that is as recent as this says, or more.
            let staleness = self.group.staleness();
            if let Some(staleness) = staleness.filter(|staleness| *staleness <= age) {
                let view = self.local_view().map(|view| (view, staleness));
                return view.ok_or_else(|| failed("this replica is catching up".into()));
            }
            if started.elapsed() > CONFIRM_TIME_MAX {
                let how = staleness.map_or("at an unknown time".into(), |staleness| {
                    format!("{:.1} s ago", staleness.as_secs_f64())
                });
                return Err(failed(format!(
                    "no leader confirmed this replica within {:.1} s; the last one did {how}",
                    age.as_secs_f64()
                )));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A view that is as recent as its reader wants it.
    pub(super) async fn view(
        &self,
        consistency: &Consistency,
    ) -> Result<Seen<ShardView>, ReadError> {
        Ok(match consistency {
            Consistency::Linearizable => {
                Seen { view: self.read_view().await?, staleness: Some(Duration::ZERO) }
            }
            Consistency::Session(seen) => {
                let index = seen.get(&self.shard).copied().unwrap_or(0);
                Seen { view: self.view_after(index).await?, staleness: None }
            }
            Consistency::Stale(age) => {
                let (view, staleness) = self.view_within(*age).await?;
                Seen { view, staleness: Some(staleness) }
            }
        })
    }

    /// `None` while the replica catches up after a snapshot.
    pub(super) fn local_view(&self) -> Option<ShardView> {
        self.group.with_machine(|machine| machine.0.view())
    }

    /// Bytes of its chunks; `None` while it catches up.
    pub(super) fn object_bytes(&self) -> Option<u64> {
        let view = self.local_view()?;
        let objects = view.manifest().iter().filter_map(|(_, chunk)| chunk.object());
        Some(objects.map(|object| object.bytes).sum())
    }

    pub(super) fn status(&self) -> raft::GroupStatus {
        self.group.status()
    }
}
