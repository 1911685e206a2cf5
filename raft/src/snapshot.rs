//! A group's snapshot: the machine's rows as of its durable floor, and how they travel.
//!
//! A snapshot is never written anywhere: the rows are in `state.redb` and in the machine already.
//! Building one only tells openraft how far the log may be purged; the rows are collected when a
//! replica needs them. They travel as one run of bytes:
//!
//! ```text
//! row:  key length u32 | value length u32 | key | value      (little-endian, one after the other)
//! ```
//!
//! cut into chunks of 1 MiB, each under its own CRC32C and compressed where that pays. A receiver
//! that has a part of the same run already asks for the rest only.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use drave_proto::raft as proto;
use futures::stream;
use openraft::{RaftSnapshotBuilder, Snapshot};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::{Status, Streaming};

use crate::disk::MembershipRow;
use crate::peers::{CallError, Line, Peers};
use crate::types::{LeaderId, LogId, Member, SnapshotMeta, StoredMembership, Types, Vote};
use crate::wire;

const CHUNK_BYTES: usize = 1 << 20;
/// Between two chunks, or before the first answer.
const CHUNK_TIME_MAX: Duration = Duration::from_secs(20);
/// The receiver writes all rows in one transaction, after the last chunk.
const INSTALL_TIME_MAX: Duration = Duration::from_secs(300);
/// Chunks between the one who cuts them and the connection.
const CHUNKS_WAITING_MAX: usize = 2;
/// No state is larger: manifests and an index, never what they point to.
const SNAPSHOT_BYTES_MAX: u64 = 8 << 30;

/// The rows of a snapshot, or nothing where only its meta data are asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct SnapshotRows(pub(crate) Vec<(Vec<u8>, Bytes)>);

/// A snapshot with its rows.
pub(crate) type GroupSnapshot = Snapshot<LeaderId, u64, Member, SnapshotRows>;

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

impl SnapshotRows {
    /// All rows as one run of bytes.
    fn encode(&self) -> Bytes {
        let bytes = self.0.iter().map(|(key, row)| 8 + key.len() + row.len()).sum();
        let mut run = BytesMut::with_capacity(bytes);
        for (key, row) in &self.0 {
            for part in [key.as_slice(), row] {
                run.put_u32_le(u32::try_from(part.len()).expect("a row has less than 4 GiB"));
            }
            run.extend_from_slice(key);
            run.extend_from_slice(row);
        }
        run.freeze()
    }

    fn decode(mut run: Bytes) -> Result<Self, String> {
        let mut rows = Vec::new();
        while !run.is_empty() {
            let Some(lengths) = run.first_chunk::<8>() else { return Err("a cut row".into()) };
            let [key, row] = [0, 4].map(|at| {
                let length = lengths[at..at + 4].try_into().expect("four bytes are four bytes");
                u32::from_le_bytes(length) as usize
            });
            if run.len() - 8 < key.saturating_add(row) {
                return Err("a row is longer than the snapshot".into());
            }
            let _ = run.split_to(8);
            let key = run.split_to(key).to_vec();
            rows.push((key, run.split_to(row)));
        }
        Ok(Self(rows))
    }
}

/// Sends a snapshot; the receiver's vote after it installed it, or instead of that.
pub(crate) async fn send(
    peers: &Peers,
    target: u64,
    header: proto::Header,
    vote: &Vote,
    snapshot: GroupSnapshot,
) -> Result<Vote, CallError> {
    let run = snapshot.snapshot.encode();
    let membership = &snapshot.meta.last_membership;
    let head = proto::SnapshotHead {
        header: Some(header),
        vote: Some(wire::ballot(vote)),
        last: snapshot.meta.last_log_id.map(wire::log_id),
        membership_id: membership.log_id().map(wire::log_id),
        membership: MembershipRow::of(membership.membership()).encode().into(),
        bytes: run.len() as u64,
        crc32c: crc32c::crc32c(&run),
    };
    let (parts, rx) = mpsc::channel(CHUNKS_WAITING_MAX);
    let part = |part| proto::SnapshotPart { part: Some(part) };
    let closed = || CallError::Lost("it takes no more of the snapshot".to_owned());
    let outgoing = stream::unfold(rx, |mut rx| async move { Some((rx.recv().await?, rx)) });
    let mut client = peers.client(target, Line::Snapshot)?;
    parts.try_send(part(proto::snapshot_part::Part::Head(head))).map_err(|_| closed())?;
    let mut replies = peers.answer(target, CHUNK_TIME_MAX, client.snapshot(outgoing)).await?;

    let wanted = match next_reply(peers, target, &mut replies, CHUNK_TIME_MAX).await? {
        proto::snapshot_reply::Reply::Wanted(wanted) => wanted,
        proto::snapshot_reply::Reply::Vote(vote) => return to_vote(vote),
    };
    let wanted = usize::try_from(wanted).unwrap_or(usize::MAX).min(run.len());
    for offset in (wanted..run.len()).step_by(CHUNK_BYTES) {
        let raw = run.slice(offset..run.len().min(offset + CHUNK_BYTES));
        let chunk = cut(offset as u64, raw)?;
        peers.pace(chunk.data.len()).await;
        peers.counts().snapshot_bytes.fetch_add(chunk.data.len() as u64, Ordering::Relaxed);
        let sent = parts.send(part(proto::snapshot_part::Part::Chunk(chunk)));
        match timeout(CHUNK_TIME_MAX, sent).await {
            Ok(Ok(())) => {}
            // Why is in the answer, if there is one.
            Ok(Err(_)) => break,
            Err(_) => return Err(closed()),
        }
    }
    drop(parts);
    match next_reply(peers, target, &mut replies, INSTALL_TIME_MAX).await? {
        proto::snapshot_reply::Reply::Vote(vote) => {
            peers.counts().snapshots.fetch_add(1, Ordering::Relaxed);
            to_vote(vote)
        }
        proto::snapshot_reply::Reply::Wanted(_) => Err(closed()),
    }
}

fn to_vote(vote: proto::Ballot) -> Result<Vote, CallError> {
    wire::to_vote(Some(vote)).map_err(CallError::Lost)
}

async fn next_reply(
    peers: &Peers,
    target: u64,
    replies: &mut Streaming<proto::SnapshotReply>,
    time_max: Duration,
) -> Result<proto::snapshot_reply::Reply, CallError> {
    match timeout(time_max, replies.message()).await {
        Ok(Ok(reply)) => reply
            .and_then(|reply| reply.reply)
            .ok_or_else(|| CallError::Lost("the snapshot was not answered".to_owned())),
        Ok(Err(status)) => Err(peers.failed(target, &status)),
        Err(_) => Err(CallError::Lost(format!("no answer in {time_max:?}"))),
    }
}

fn cut(offset: u64, raw: Bytes) -> Result<proto::SnapshotChunk, CallError> {
    let packed = zstd::bulk::compress(&raw, 1).map_err(|error| {
        CallError::Lost(format!("a chunk of a snapshot cannot be compressed: {error}"))
    })?;
    let compressed = packed.len() < raw.len() / 8 * 7;
    Ok(proto::SnapshotChunk {
        offset,
        length: u32::try_from(raw.len()).expect("a chunk has 1 MiB at most"),
        crc32c: crc32c::crc32c(&raw),
        compressed,
        data: if compressed { packed.into() } else { raw },
    })
}

/// What was received of a snapshot so far; kept when the connection breaks, so that the next
/// attempt goes on from there.
#[derive(Default)]
pub(crate) struct Inbox(Mutex<Option<Partial>>);

struct Partial {
    last: Option<LogId>,
    bytes: u64,
    crc32c: u32,
    run: BytesMut,
}

impl Inbox {
    /// Begins with what was left of the same snapshot; where it goes on.
    pub(crate) fn open(&self, head: proto::SnapshotHead) -> Result<Receiving<'_>, String> {
        if head.bytes > SNAPSHOT_BYTES_MAX {
            return Err(format!("a snapshot of {} bytes", head.bytes));
        }
        let vote = wire::to_vote(head.vote)?;
        let last = head.last.map(wire::to_log_id);
        let membership = MembershipRow::decode(&head.membership)?.membership()?;
        let membership_id = head.membership_id.map(wire::to_log_id);
        let last_membership = StoredMembership::new(membership_id, membership);
        let meta = SnapshotMeta { last_log_id: last, last_membership };
        let left = self.lock().take().filter(|partial| {
            (partial.last, partial.bytes, partial.crc32c) == (last, head.bytes, head.crc32c)
        });
        let partial = left.unwrap_or(Partial {
            last,
            bytes: head.bytes,
            crc32c: head.crc32c,
            run: BytesMut::new(),
        });
        Ok(Receiving { inbox: self, vote, meta, partial: Some(partial) })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Partial>> {
        // Nothing panics while it holds the slot.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A snapshot on its way in. What it has goes back to the inbox when it is dropped.
pub(crate) struct Receiving<'a> {
    inbox: &'a Inbox,
    pub(crate) vote: Vote,
    meta: SnapshotMeta,
    partial: Option<Partial>,
}

impl Drop for Receiving<'_> {
    fn drop(&mut self) {
        if let Some(partial) = self.partial.take() {
            *self.inbox.lock() = Some(partial);
        }
    }
}

impl Receiving<'_> {
    /// The first byte that is missing.
    pub(crate) fn wanted(&self) -> u64 {
        self.partial.as_ref().map_or(0, |partial| partial.run.len() as u64)
    }

    /// Takes in all chunks; the whole snapshot.
    pub(crate) async fn receive(
        mut self,
        mut parts: Streaming<proto::SnapshotPart>,
    ) -> Result<GroupSnapshot, Status> {
        let broken = |what: String| Status::data_loss(format!("a snapshot is damaged: {what}"));
        let gone = || Status::aborted("the snapshot ended early");
        let mut partial = self.partial.take().ok_or_else(gone)?;
        while (partial.run.len() as u64) < partial.bytes {
            let part = match timeout(CHUNK_TIME_MAX, parts.message()).await {
                Ok(Ok(Some(part))) => part.part,
                _ => {
                    self.partial = Some(partial);
                    return Err(gone());
                }
            };
            let Some(proto::snapshot_part::Part::Chunk(chunk)) = part else {
                return Err(broken("a chunk is missing".into()));
            };
            paste(&mut partial, chunk).map_err(broken)?;
        }
        if crc32c::crc32c(&partial.run) != partial.crc32c {
            return Err(broken("its checksum does not match".into()));
        }
        let rows = SnapshotRows::decode(partial.run.freeze()).map_err(broken)?;
        Ok(Snapshot { meta: self.meta.clone(), snapshot: rows })
    }
}

fn paste(partial: &mut Partial, chunk: proto::SnapshotChunk) -> Result<(), String> {
    let length = chunk.length as usize;
    let offset = partial.run.len() as u64;
    if chunk.offset != offset || length > CHUNK_BYTES || offset + length as u64 > partial.bytes {
        return Err(format!("{length} bytes at {} instead of {offset}", chunk.offset));
    }
    let raw = if chunk.compressed {
        let raw = zstd::bulk::decompress(&chunk.data, length).map_err(|error| error.to_string())?;
        Bytes::from(raw)
    } else {
        chunk.data
    };
    if raw.len() != length || length == 0 || crc32c::crc32c(&raw) != chunk.crc32c {
        return Err(format!("the chunk at {offset} does not match its checksum"));
    }
    partial.run.extend_from_slice(&raw);
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(bytes: usize) -> SnapshotRows {
        let row = |n: usize| (n.to_le_bytes().to_vec(), Bytes::from(vec![n as u8; n * 7 % 90_000]));
        let mut rows = Vec::new();
        let mut total = 0;
        for n in 0.. {
            if total >= bytes {
                break;
            }
            rows.push(row(n));
            total += rows[n].1.len() + 1;
        }
        SnapshotRows(rows)
    }

    fn head(run: &Bytes) -> proto::SnapshotHead {
        proto::SnapshotHead {
            vote: Some(proto::Ballot { term: 1, node: 1, committed: true }),
            last: Some(proto::LogId { term: 1, node: 1, index: 9 }),
            membership: br#"{"configs":[],"nodes":{}}"#.as_slice().into(),
            bytes: run.len() as u64,
            crc32c: crc32c::crc32c(run),
            ..Default::default()
        }
    }

    fn chunks(run: &Bytes) -> Vec<proto::SnapshotChunk> {
        let offsets = (0..run.len()).step_by(CHUNK_BYTES);
        let end = |offset: usize| run.len().min(offset + CHUNK_BYTES);
        offsets.map(|at| cut(at as u64, run.slice(at..end(at))).unwrap()).collect()
    }

    #[test]
    fn rows_round_trip_and_no_cut_is_taken_for_a_whole() {
        for bytes in [0, 1, 1000, 3 << 20] {
            let run = rows(bytes).encode();
            assert_eq!(SnapshotRows::decode(run).unwrap().0, rows(bytes).0);
        }
        let run = rows(300).encode();
        let whole = rows(300).0;
        for cut in 0..run.len() {
            if let Ok(less) = SnapshotRows::decode(run.slice(..cut)) {
                assert!(whole.starts_with(&less.0) && less.0.len() < whole.len(), "cut at {cut}");
            }
        }
    }

    #[test]
    fn a_broken_transfer_goes_on_where_it_ended() {
        let run = rows(3 << 20).encode();
        let chunks = chunks(&run);
        assert!(chunks.len() > 3 && chunks.iter().all(|chunk| chunk.compressed));
        let inbox = Inbox::default();
        for (n, chunk) in chunks.into_iter().enumerate() {
            let mut receiving = inbox.open(head(&run)).unwrap();
            assert_eq!(receiving.wanted(), (n * CHUNK_BYTES) as u64);
            paste(receiving.partial.as_mut().unwrap(), chunk).unwrap();
        }
        let receiving = inbox.open(head(&run)).unwrap();
        assert_eq!(receiving.wanted(), run.len() as u64);
        drop(receiving);
        // Another snapshot begins anew.
        let other = proto::SnapshotHead { crc32c: 1, ..head(&run) };
        assert_eq!(inbox.open(other).unwrap().wanted(), 0);
        assert!(inbox.open(proto::SnapshotHead { bytes: u64::MAX, ..head(&run) }).is_err());
        assert!(inbox.open(proto::SnapshotHead { vote: None, ..head(&run) }).is_err());
        assert!(
            inbox.open(proto::SnapshotHead { membership: Bytes::new(), ..head(&run) }).is_err()
        );
    }

    #[test]
    fn damaged_chunks_are_noticed() {
        let run = rows(100_000).encode();
        let chunk = chunks(&run).remove(0);
        let check = |damage: &dyn Fn(&mut proto::SnapshotChunk)| {
            let (inbox, mut damaged) = (Inbox::default(), chunk.clone());
            damage(&mut damaged);
            let mut receiving = inbox.open(head(&run)).unwrap();
            paste(receiving.partial.as_mut().unwrap(), damaged)
        };
        assert_eq!(check(&|_| {}), Ok(()));
        assert!(check(&|chunk| chunk.offset = 1).is_err());
        assert!(check(&|chunk| chunk.length -= 1).is_err());
        assert!(check(&|chunk| chunk.length = u32::MAX).is_err());
        assert!(check(&|chunk| chunk.crc32c ^= 1).is_err());
        assert!(check(&|chunk| chunk.compressed = false).is_err());
        assert!(check(&|chunk| chunk.data.truncate(chunk.data.len() - 1)).is_err());
        let plain = cut(0, Bytes::from_static(b"short"));
        let plain = plain.unwrap();
        assert!(!plain.compressed);
        for bit in 0..plain.data.len() * 8 {
            let mut data = plain.data.to_vec();
            data[bit / 8] ^= 1 << (bit % 8);
            let damaged = proto::SnapshotChunk { data: data.into(), ..plain.clone() };
            assert!(check(&move |chunk| *chunk = damaged.clone()).is_err(), "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn garbage_is_no_snapshot_of_more_than_there_is(
            run in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let len = run.len();
            if let Ok(rows) = SnapshotRows::decode(run.into()) {
                let bytes: usize = rows.0.iter().map(|(key, row)| 8 + key.len() + row.len()).sum();
                prop_assert_eq!(bytes, len);
            }
        }
    }
}
