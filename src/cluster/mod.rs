//! Shards on Raft groups: who owns what, how a command gets in, how a reader gets a view.
//!
//! Reading order: [`placement`] (which shard a stream lives on), [`replica`] (one shard of this
//! node: its state machine behind a Raft group), [`writer`] (pushes that wait become one batch).
//!
//! A write tells its caller what is known of it: done, [`WriteError::NotDone`] (safe to drop) or
//! [`WriteError::Unknown`] (safe to send again, since entries are a set).

pub mod peer;
pub mod placement;
mod replica;
mod writer;

use std::sync::Arc;

use drave_raft::{GroupStatus, Node};

use crate::model::{BatchBuilder, Index, ShardId};
use crate::pool::Pool;
use crate::shard::{Command, Reply, ShardView};

use replica::Replica;
use writer::Writer;

/// What is known of a write that was not confirmed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// Nothing was written and nothing will be.
    #[error("shard {shard}: not written: {reason}")]
    NotDone {
        /// The shard that refused.
        shard: ShardId,
        /// Why, in one line.
        reason: String,
    },
    /// It may have happened, or may still happen.
    #[error("shard {shard}: outcome unknown: {reason}")]
    Unknown {
        /// The shard that did not confirm.
        shard: ShardId,
        /// Why, in one line.
        reason: String,
    },
}

/// A shard that cannot be read at its latest state now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("shard {shard} cannot be read now: {reason}")]
pub struct ReadError {
    /// The shard.
    pub shard: ShardId,
    /// Why, in one line.
    pub reason: String,
}

/// A shard that could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("shard {shard}: {reason}")]
pub struct OpenError {
    /// The shard.
    pub shard: ShardId,
    /// Why, in one line.
    pub reason: String,
}

/// All shards, as this node reaches them. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    shards: Arc<[Shard]>,
}

struct Shard {
    replica: Replica,
    writer: Writer,
}

impl Cluster {
    /// Opens every shard of the node: rows, then the WAL above them.
    pub async fn open(node: &Node, pool: &Pool) -> Result<Cluster, OpenError> {
        let opening = (0..node.identity().n_groups).map(|number| async move {
            let replica = Replica::open(node, ShardId(number)).await?;
            let writer = Writer::start(replica.clone(), pool.clone());
            Ok(Shard { replica, writer })
        });
        let shards: Vec<Shard> = futures::future::try_join_all(opening).await?;
        Ok(Cluster { shards: shards.into() })
    }

    /// How many shards there are.
    pub fn n_shards(&self) -> u32 {
        u32::try_from(self.shards.len()).expect("a shard's number is a u32")
    }

    /// Every shard's number.
    pub fn shard_ids(&self) -> impl Iterator<Item = ShardId> + use<> {
        (0..self.n_shards()).map(ShardId)
    }

    /// Commits entries to one shard. When it answers they are on disk on a majority and in every
    /// later view.
    pub async fn append(&self, shard: ShardId, batch: BatchBuilder) -> Result<Index, WriteError> {
        self.shard(shard).writer.append(batch).await
    }

    /// Commits any other command.
    pub async fn propose(
        &self,
        shard: ShardId,
        command: &Command,
    ) -> Result<(Index, Reply), WriteError> {
        self.shard(shard).replica.propose(command.encode()).await
    }

    /// A view that holds everything acknowledged before this call.
    pub async fn view(&self, shard: ShardId) -> Result<ShardView, ReadError> {
        self.shard(shard).replica.read_view().await
    }

    /// What this node's replica has applied, without asking anybody; `None` while it catches up.
    pub fn local_view(&self, shard: ShardId) -> Option<ShardView> {
        self.shard(shard).replica.local_view()
    }

    /// The last index that this node's replica has applied, as it moves.
    pub fn applied(&self, shard: ShardId) -> tokio::sync::watch::Receiver<Index> {
        self.shard(shard).replica.applied()
    }

    /// Where the shard's Raft group stands.
    pub fn status(&self, shard: ShardId) -> GroupStatus {
        self.shard(shard).replica.status()
    }

    /// Lets no further write in and waits for those under way.
    pub async fn stop(&self) {
        for shard in self.shards.iter() {
            shard.writer.stop().await;
        }
    }

    fn shard(&self, shard: ShardId) -> &Shard {
        &self.shards[shard.0 as usize]
    }
}
