//! The life of a chunk, as what may stand in a shard's WAL; and what applying it replies.
//!
//! In: a plan of the leader. Out: bytes for the log, and back. The layouts are drawn in
//! `docs/formats/rows.md`. Bytes that do not decode are an error, never a panic.

use bytes::Bytes;

use super::object::ObjectInfo;
use super::wire::{
    Malformed, Reader, put_count, put_tenant, put_text, put_timestamp, put_u32, put_u64,
};
use crate::model::{Index, Tenant, Timestamp};

/// A chunk is named by the log index of the seal that cut it or of the replace that merged it,
/// and by its tenant: one seal cuts one chunk per tenant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkKey {
    /// Whose entries the chunk holds.
    pub tenant: Tenant,
    /// The index of the command that made it.
    pub id: Index,
}

/// What may happen to a shard. The life of a chunk, top to bottom; then tombstones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Entries come in: they join the open head.
    Append {
        /// A [`Batch`](crate::model::Batch), encoded.
        batch: Bytes,
    },
    /// Draws a line in the WAL: the open head becomes a sealed one. Carries nothing: what it cuts
    /// follows from where it lands.
    Seal,
    /// Every tenant's object of the oldest sealed head is in object storage.
    Flush {
        /// The seal that cut the head.
        chunk: Index,
        /// One per tenant of the head, in the order of the tenants.
        tenants: Vec<Flushed>,
    },
    /// One object takes the place of several.
    Replace {
        /// The last command in the view on which the attempt was planned, before its object was
        /// written: part of the object's name. 0 in what a version before fences wrote.
        base: Index,
        /// When the attempt began: the inputs' grace begins here.
        at: Timestamp,
        /// Whose chunks.
        tenant: Tenant,
        /// Ids of the inputs, ascending, at least one.
        retire: Vec<Index>,
        /// What was written in their place.
        object: ObjectInfo,
    },
    /// Hides chunks from new queries, by retention or deletion.
    Retire {
        /// When: the grace begins here.
        at: Timestamp,
        /// Which.
        chunks: Vec<ChunkKey>,
    },
    /// Drops the rows of retired chunks, whose objects are gone.
    Forget {
        /// Which.
        chunks: Vec<ChunkKey>,
    },
    /// From here on every `Replace` that was planned before is stale. An object that was listed
    /// before and that no row names here is named by none, ever: it may be swept, however slow
    /// whoever wrote it is, and whatever the clocks say.
    Fence,
    /// Hides entries that a selector matches.
    Delete {
        /// The request's number, unique in the shard.
        id: u64,
        /// What it hides.
        tombstone: Tombstone,
    },
    /// Takes a tombstone back.
    CancelDelete {
        /// The request's number.
        id: u64,
    },
}

/// One tenant's part of a flush.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flushed {
    /// Whose chunk.
    pub tenant: Tenant,
    /// What the seal derived: every replica compares it with its own.
    pub content: u64,
    /// What was written.
    pub object: ObjectInfo,
}

/// A delete request as readers see it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tombstone {
    /// Whose entries.
    pub tenant: Tenant,
    /// LogQL text: a selector, and line filters where there are some.
    pub query: String,
    /// First time that is hidden.
    pub start: Timestamp,
    /// First time after those.
    pub end: Timestamp,
    /// When the request was made.
    pub created: Timestamp,
}

/// What applying a command came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It happened.
    Done {
        /// Where it landed in the WAL: the id of the chunk that a seal cut or a replace made.
        index: Index,
    },
    /// The plan behind the command no longer holds; nothing changed. Nothing may be deleted on
    /// this answer: what was uploaded may be what a rival's command names.
    Stale,
    /// The command makes no sense, now or later; nothing changed.
    Refused(Refusal),
}

/// Why a command makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its bytes are not a command.
    #[error("the bytes are not a command")]
    Undecodable,
    /// Its bytes are an append, and what it appends is not a batch.
    #[error("the appended bytes are not a batch")]
    BadBatch,
    /// Forgetting a chunk that readers still see would lose it.
    #[error("a chunk to forget is not retired")]
    NotRetired,
    /// Merging around a chunk that stays would change the order of equal timestamps.
    #[error("the chunks to replace are not neighbours")]
    NotNeighbours,
    /// Another request has this number.
    #[error("another delete request has this id")]
    IdTaken,
}

const VERSION: u8 = 1;
/// A `Replace` that says on which view it was planned.
const REPLACE_VERSION: u8 = 2;
const APPEND: u8 = 1;
const SEAL: u8 = 2;
const FLUSH: u8 = 3;
const REPLACE: u8 = 4;
const RETIRE: u8 = 5;
const FORGET: u8 = 6;
const DELETE: u8 = 7;
const CANCEL_DELETE: u8 = 8;
const FENCE: u8 = 9;

/// Bytes before an append's batch: the tag and the version.
const HEADER_BYTES: usize = 2;
const OBJECT_BYTES: usize = 36;
const TENANT_BYTES_MIN: usize = 2;

impl Command {
    /// Whether encoded bytes are an `Append`: all others make room, or take none.
    pub fn brings_entries(bytes: &[u8]) -> bool {
        bytes.first() == Some(&APPEND)
    }

    /// The bytes for the log.
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::new();
        match self {
            Command::Append { batch } => {
                out.reserve_exact(HEADER_BYTES + batch.len());
                out.extend_from_slice(&[APPEND, VERSION]);
                out.extend_from_slice(batch);
            }
            Command::Seal => out.extend_from_slice(&[SEAL, VERSION]),
            Command::Flush { chunk, tenants } => {
                out.extend_from_slice(&[FLUSH, VERSION]);
                put_u64(&mut out, *chunk);
                put_count(&mut out, tenants.len());
                for flushed in tenants {
                    put_tenant(&mut out, &flushed.tenant);
                    put_u64(&mut out, flushed.content);
                    put_object(&mut out, &flushed.object);
                }
            }
            Command::Replace { base, at, tenant, retire, object } => {
                if *base == 0 {
                    out.extend_from_slice(&[REPLACE, VERSION]);
                } else {
                    out.extend_from_slice(&[REPLACE, REPLACE_VERSION]);
                    put_u64(&mut out, *base);
                }
                put_timestamp(&mut out, *at);
                put_tenant(&mut out, tenant);
                put_count(&mut out, retire.len());
                retire.iter().for_each(|id| put_u64(&mut out, *id));
                put_object(&mut out, object);
            }
            Command::Retire { at, chunks } => {
                out.extend_from_slice(&[RETIRE, VERSION]);
                put_timestamp(&mut out, *at);
                put_keys(&mut out, chunks);
            }
            Command::Forget { chunks } => {
                out.extend_from_slice(&[FORGET, VERSION]);
                put_keys(&mut out, chunks);
            }
            Command::Delete { id, tombstone } => {
                out.extend_from_slice(&[DELETE, VERSION]);
                put_u64(&mut out, *id);
                put_tombstone(&mut out, tombstone);
            }
            Command::CancelDelete { id } => {
                out.extend_from_slice(&[CANCEL_DELETE, VERSION]);
                put_u64(&mut out, *id);
            }
            Command::Fence => out.extend_from_slice(&[FENCE, VERSION]),
        }
        out.into()
    }

    /// Reads a command back. An append's batch is a slice of `bytes`, not a copy.
    pub fn decode(bytes: &Bytes) -> Result<Command, Malformed> {
        let mut reader = Reader::new(bytes);
        let (tag, version) = (reader.u8()?, reader.u8()?);
        let says_base = tag == REPLACE && version == REPLACE_VERSION;
        if version != VERSION && !says_base {
            return Err(reader.malformed());
        }
        let command = match tag {
            APPEND => return Ok(Command::Append { batch: bytes.slice(HEADER_BYTES..) }),
            SEAL => Command::Seal,
            FLUSH => Command::Flush { chunk: reader.u64()?, tenants: read_flushed(&mut reader)? },
            REPLACE => Command::Replace {
                base: if says_base { read_base(&mut reader)? } else { 0 },
                at: reader.timestamp()?,
                tenant: reader.tenant()?,
                retire: read_ids(&mut reader)?,
                object: read_object(&mut reader)?,
            },
            RETIRE => Command::Retire { at: reader.timestamp()?, chunks: read_keys(&mut reader)? },
            FORGET => Command::Forget { chunks: read_keys(&mut reader)? },
            DELETE => {
                Command::Delete { id: reader.u64()?, tombstone: read_tombstone(&mut reader)? }
            }
            CANCEL_DELETE => Command::CancelDelete { id: reader.u64()? },
            FENCE => Command::Fence,
            _ => return Err(reader.malformed()),
        };
        reader.finish()?;
        Ok(command)
    }
}

const DONE: u8 = 1;
const STALE: u8 = 2;
const REFUSED: u8 = 3;

impl Refusal {
    /// In the order of their numbers on the wire: append only.
    const ALL: [Refusal; 5] = [
        Refusal::Undecodable,
        Refusal::BadBatch,
        Refusal::NotRetired,
        Refusal::NotNeighbours,
        Refusal::IdTaken,
    ];
}

impl Reply {
    /// The bytes for whoever forwarded the command.
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::new();
        match self {
            Reply::Done { index } => {
                out.push(DONE);
                put_u64(&mut out, *index);
            }
            Reply::Stale => out.push(STALE),
            Reply::Refused(refusal) => {
                let number = Refusal::ALL.iter().position(|own| own == refusal);
                let number = number.expect("every refusal is in the list");
                out.extend_from_slice(&[REFUSED, u8::try_from(number).expect("a short list")]);
            }
        }
        out.into()
    }

    /// Reads a reply back.
    pub fn decode(bytes: &[u8]) -> Result<Reply, Malformed> {
        let mut reader = Reader::new(bytes);
        let reply = match reader.u8()? {
            DONE => Reply::Done { index: reader.u64()? },
            STALE => Reply::Stale,
            REFUSED => {
                let number = usize::from(reader.u8()?);
                Reply::Refused(*Refusal::ALL.get(number).ok_or(reader.malformed())?)
            }
            _ => return Err(reader.malformed()),
        };
        reader.finish()?;
        Ok(reply)
    }
}

pub(super) fn put_object(out: &mut Vec<u8>, object: &ObjectInfo) {
    put_u64(out, object.bytes);
    put_u64(out, object.n_entries);
    put_u64(out, object.raw_bytes);
    put_u32(out, object.n_streams);
    put_u64(out, object.hash);
}

pub(super) fn read_object(reader: &mut Reader<'_>) -> Result<ObjectInfo, Malformed> {
    Ok(ObjectInfo {
        bytes: reader.u64()?,
        n_entries: reader.u64()?,
        raw_bytes: reader.u64()?,
        n_streams: reader.u32()?,
        hash: reader.u64()?,
    })
}

pub(super) fn put_tombstone(out: &mut Vec<u8>, tombstone: &Tombstone) {
    put_tenant(out, &tombstone.tenant);
    put_timestamp(out, tombstone.start);
    put_timestamp(out, tombstone.end);
    put_timestamp(out, tombstone.created);
    put_text(out, &tombstone.query);
}

pub(super) fn read_tombstone(reader: &mut Reader<'_>) -> Result<Tombstone, Malformed> {
    Ok(Tombstone {
        tenant: reader.tenant()?,
        start: reader.timestamp()?,
        end: reader.timestamp()?,
        created: reader.timestamp()?,
        query: reader.text()?.to_owned(),
    })
}

fn put_keys(out: &mut Vec<u8>, chunks: &[ChunkKey]) {
    put_count(out, chunks.len());
    for chunk in chunks {
        put_u64(out, chunk.id);
        put_tenant(out, &chunk.tenant);
    }
}

fn read_keys(reader: &mut Reader<'_>) -> Result<Vec<ChunkKey>, Malformed> {
    let n = reader.count(8 + TENANT_BYTES_MIN)?;
    (0..n)
        .map(|_| {
            let id = reader.u64()?;
            Ok(ChunkKey { tenant: reader.tenant()?, id })
        })
        .collect()
}

/// There is a command in every view that shows a chunk.
fn read_base(reader: &mut Reader<'_>) -> Result<Index, Malformed> {
    let base = reader.u64()?;
    if base > 0 { Ok(base) } else { Err(reader.malformed()) }
}

/// Ids ascend, so that none is named twice; and there is one, since nothing replaces nothing.
fn read_ids(reader: &mut Reader<'_>) -> Result<Vec<Index>, Malformed> {
    let n = reader.count(8)?;
    let ids = (0..n).map(|_| reader.u64()).collect::<Result<Vec<Index>, Malformed>>()?;
    let ascending = ids.windows(2).all(|pair| pair[0] < pair[1]);
    if ascending && !ids.is_empty() { Ok(ids) } else { Err(reader.malformed()) }
}

/// Tenants ascend, so that none is named twice.
fn read_flushed(reader: &mut Reader<'_>) -> Result<Vec<Flushed>, Malformed> {
    let n = reader.count(TENANT_BYTES_MIN + 8 + OBJECT_BYTES)?;
    let mut tenants: Vec<Flushed> = Vec::with_capacity(n);
    for _ in 0..n {
        let tenant = reader.tenant()?;
        let flushed = Flushed { tenant, content: reader.u64()?, object: read_object(reader)? };
        if tenants.last().is_some_and(|last| last.tenant >= flushed.tenant) {
            return Err(reader.malformed());
        }
        tenants.push(flushed);
    }
    Ok(tenants)
}

#[cfg(test)]
mod tests;
