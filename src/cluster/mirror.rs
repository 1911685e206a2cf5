//! A shard that this node follows and does not keep: a copy of another node's replica, brought up to
//! date for each read. For readers who look at a shard again and again, or in ways that cannot be
//! asked of another node ([`super::remote`]).
//!
//! What is asked of the other node is a read index and the commands since the last read; the first
//! time, and where its log was purged meanwhile, its rows and the commands above them. Applying
//! them gives the same view that the other node has: a reader cannot tell where it got it. Chunks
//! are in object storage, which all nodes share.
//!
//! Readers that come while one asks wait, and ask again: what a read shows was acknowledged before
//! that read began.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use drave_proto::node::node_client::NodeClient;
use drave_proto::node::{MirrorCommand, MirrorPart, MirrorRequest, MirrorRow};
use drave_raft as raft;
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::{Mutex, mpsc};
use tokio::time::Instant;
use tonic::Status;

use super::ReadError;
use super::call::{self, Way};
use super::meta::NodeId;
use super::replica::{Machine, Replica};
use crate::model::{Index, ShardId};
use crate::shard::{Shard, ShardView};

/// After this somebody else is asked.
const UPDATE_TIME_MAX: Duration = Duration::from_secs(10);
/// A copy that nobody has read for so long is dropped.
const IDLE_TIME_MAX: Duration = Duration::from_secs(60);
/// Rows or commands of one message, unless one alone is larger.
const PART_BYTES: usize = 1 << 20;
/// Messages that wait to be sent.
const PARTS_WAITING: usize = 4;
/// Largest message: one command.
const PART_BYTES_MAX: usize = raft::COMMAND_BYTES_MAX + (1 << 20);

/// The copy of one shard.
pub(super) struct Mirror {
    shard: ShardId,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    copy: Option<Shard>,
    /// Who answered last.
    source: Option<NodeId>,
    used: Option<Instant>,
}

impl Mirror {
    pub(super) fn new(shard: ShardId) -> Mirror {
        Mirror { shard, kept: Mutex::default() }
    }

    /// A view that holds everything acknowledged before this call.
    pub(super) async fn view(
        &self,
        peers: &raft::Peers,
        cluster_id: u128,
        holders: &BTreeSet<NodeId>,
    ) -> Result<ShardView, ReadError> {
        let mut kept = self.kept.lock().await;
        kept.used = Some(Instant::now());
        let first = kept.source.filter(|id| holders.contains(id));
        let others = holders.iter().copied().filter(|id| Some(*id) != first);
        let mut reasons = Vec::new();
        for id in first.into_iter().chain(others) {
            let Some(address) = peers.address(id) else { continue };
            let way = Way { tls: peers.tls(), address: &address, node: Some(id) };
            let update = update(self.shard, &mut kept.copy, way, cluster_id);
            let updated = tokio::time::timeout(UPDATE_TIME_MAX, update).await;
            match updated.unwrap_or_else(|_| Err("no answer in time".into())) {
                Ok(()) => {
                    kept.source = Some(id);
                    let copy = kept.copy.as_ref().expect("it was just brought up to date");
                    if let Some(view) = copy.view() {
                        return Ok(view);
                    }
                    reasons.push(format!("node {id}: it is catching up"));
                }
                Err(reason) => reasons.push(format!("node {id}: {reason}")),
            }
        }
        let reason = match reasons.is_empty() {
            true => "no node has it".to_owned(),
            false => reasons.join("; "),
        };
        Err(ReadError { shard: self.shard, reason })
    }

    /// Drops a copy that is not read any more.
    pub(super) fn expire(&self) {
        // Whoever holds it is reading.
        let Ok(mut kept) = self.kept.try_lock() else { return };
        if kept.used.is_some_and(|used| used.elapsed() > IDLE_TIME_MAX) {
            *kept = Kept::default();
        }
    }
}

/// Brings a copy up to a read index taken now.
async fn update(
    shard: ShardId,
    copy: &mut Option<Shard>,
    way: Way<'_>,
    cluster_id: u128,
) -> Result<(), String> {
    let after = copy.as_ref().and_then(Shard::view).map_or(0, |view| view.applied());
    let request = MirrorRequest { cluster_id: format!("{cluster_id:032x}"), shard: shard.0, after };
    let client = NodeClient::new(call::connect(way).await?);
    let mut client = client.max_decoding_message_size(PART_BYTES_MAX);
    let said = |status: Status| status.message().to_owned();
    let mut parts = client.mirror(request).await.map_err(said)?.into_inner();
    let start = parts.message().await.map_err(said)?.ok_or("an empty answer")?;
    let mut rows: Vec<(Bytes, Bytes)> = Vec::new();
    if start.whole {
        *copy = None;
    }
    while let Some(part) = parts.message().await.map_err(said)? {
        rows.extend(part.rows.into_iter().map(|row| (row.key, row.value)));
        if part.commands.is_empty() {
            continue;
        }
        let shard = opened(copy, shard, &mut rows, start.base)?;
        for MirrorCommand { index, command } in part.commands {
            shard.apply(index, &command).map_err(|error| error.to_string())?;
        }
    }
    opened(copy, shard, &mut rows, start.base)?;
    let applied = copy.as_ref().and_then(Shard::view).map_or(0, |view| view.applied());
    if applied < start.upto {
        return Err(format!("its answer ended at {applied} of {}", start.upto));
    }
    Ok(())
}

/// The copy, made of the rows if there is none.
fn opened<'c>(
    copy: &'c mut Option<Shard>,
    shard: ShardId,
    rows: &mut Vec<(Bytes, Bytes)>,
    base: Index,
) -> Result<&'c mut Shard, String> {
    if copy.is_none() {
        let made = Shard::open(shard, rows.drain(..), base, []);
        *copy = Some(made.map_err(|error| error.to_string())?);
    }
    Ok(copy.as_mut().expect("just made"))
}

/// What [`serve`] answers.
pub(super) type Parts = BoxStream<'static, Result<MirrorPart, Status>>;

/// Answers another node that mirrors a shard of this one: from its own replica, at a read index.
pub(super) fn serve(replica: Replica, after: Index) -> Parts {
    let (out, parts) = mpsc::channel(PARTS_WAITING);
    tokio::spawn(async move {
        if let Err(reason) = send(&replica, after, &out).await {
            // Whoever asked may have gone away.
            let _ = out.send(Err(Status::unavailable(reason))).await;
        }
    });
    let next = async |mut parts: mpsc::Receiver<_>| Some((parts.recv().await?, parts));
    futures::stream::unfold(parts, next).boxed()
}

async fn send(
    replica: &Replica,
    after: Index,
    out: &mpsc::Sender<Result<MirrorPart, Status>>,
) -> Result<(), String> {
    let group = replica.group();
    let gone = |_| "the reader went away".to_owned();
    group.read_index().await.map_err(|error| error.reason)?;
    let upto = *group.applied().borrow();
    let mut next = after + 1;
    let reaches = async |from: Index| {
        let found = group.commands(from, upto, 1).await.map_err(|error| error.to_string())?;
        Ok::<_, String>(found.is_some())
    };
    if after == 0 || !reaches(next).await? {
        let (rows, floor) = group.with_machine(Machine::base);
        let base = floor - 1;
        let start = MirrorPart { whole: true, base, upto, ..MirrorPart::default() };
        out.send(Ok(start)).await.map_err(gone)?;
        for rows in in_parts(rows, |(key, value)| key.len() + value.len()) {
            let row = |(key, value): (Vec<u8>, Bytes)| MirrorRow { key: key.into(), value };
            let rows = rows.into_iter().map(row).collect();
            out.send(Ok(MirrorPart { rows, ..MirrorPart::default() })).await.map_err(gone)?;
        }
        next = base + 1;
    } else {
        let start = MirrorPart { upto, ..MirrorPart::default() };
        out.send(Ok(start)).await.map_err(gone)?;
    }
    while next <= upto {
        let commands = group.commands(next, upto, PART_BYTES).await;
        let commands = commands.map_err(|error| error.to_string())?;
        let commands = commands.ok_or("its log was purged meanwhile: ask again")?;
        next = commands.last().map(|(index, _)| index + 1).ok_or("its log has a gap")?;
        let commands = commands.into_iter();
        let commands = commands.map(|(index, command)| MirrorCommand { index, command }).collect();
        out.send(Ok(MirrorPart { commands, ..MirrorPart::default() })).await.map_err(gone)?;
    }
    Ok(())
}

/// Cuts items into parts of about [`PART_BYTES`].
fn in_parts<T>(items: Vec<T>, bytes: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let mut parts: Vec<Vec<T>> = Vec::new();
    let mut taken = PART_BYTES;
    for item in items {
        let more = bytes(&item);
        if taken + more > PART_BYTES {
            parts.push(Vec::new());
            taken = 0;
        }
        taken += more;
        parts.last_mut().expect("one was just pushed").push(item);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_bounded() {
        let check = |sizes: &[usize], expected: &[usize]| {
            let parts = in_parts(sizes.to_vec(), |size| *size);
            let lengths: Vec<usize> = parts.iter().map(Vec::len).collect();
            assert_eq!(lengths, expected);
            assert_eq!(parts.concat(), sizes);
        };
        check(&[], &[]);
        check(&[1, 2, 3], &[3]);
        check(&[PART_BYTES, 1], &[1, 1]);
        check(&[1, 2 * PART_BYTES, 1], &[1, 1, 1]);
    }
}
