//! A group's snapshot: the machine's rows as of its durable floor.
//!
//! A snapshot is never written anywhere: the rows are in `state.redb` and in the machine already.
//! Building one only tells openraft how far the log may be purged; the rows are collected when a
//! replica needs them.

use std::io;

use bytes::Bytes;
use openraft::{RaftSnapshotBuilder, Snapshot};

use crate::types::{LeaderId, SnapshotMeta, Types};

/// The rows of a snapshot, or nothing where only its meta data are asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct SnapshotRows(pub(crate) Vec<(Vec<u8>, Bytes)>);

/// A snapshot with its rows.
pub(crate) type GroupSnapshot = Snapshot<LeaderId, u64, openraft::BasicNode, SnapshotRows>;

/// Announces a snapshot that is durable already.
#[derive(Debug)]
pub(crate) struct Announce(pub(crate) io::Result<SnapshotMeta>);

impl RaftSnapshotBuilder<Types> for Announce {
    type SnapshotData = SnapshotRows;

    async fn build_snapshot(&mut self) -> Result<GroupSnapshot, io::Error> {
        let used = Err(io::Error::other("a snapshot is announced once"));
        let meta = std::mem::replace(&mut self.0, used)?;
        Ok(Snapshot { meta, snapshot: SnapshotRows::default() })
    }
}
