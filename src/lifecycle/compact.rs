//! Chunks become fewer: neighbours of one tenant are read, merged and written as one.
//!
//! Whatever comes in between, nothing is lost: until the `Replace` is applied the inputs are what is
//! read, and the outcome is an object that no row names, which the sweep takes in time. An attempt
//! finds no object of one that a sweep may take: what its plan knew is in the name.

use std::fmt::Display;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};

use super::object_info;
use crate::chunk::{self, ChunkSummary, Merge, WriteOptions};
use crate::model::{Index, ShardId, Timestamp};
use crate::objects::Objects;
use crate::pool::Pool;
use crate::shard::{Chunk, ChunkKey, Command, attempt_number};

/// Objects that are read at once.
const READS_AT_ONCE: usize = 8;
/// Bytes of lines after which a merge lets others compute.
const STEP_BYTES: usize = 8 << 20;

/// Why chunks were not merged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Object storage did not take the outcome.
    #[error(transparent)]
    Object(#[from] crate::objects::Error),
    /// Object storage did not give a chunk.
    #[error("{source}")]
    Unread {
        /// What it said.
        source: crate::objects::Error,
        /// What should be left as it is for now.
        chunks: Vec<ChunkKey>,
    },
    /// A chunk is not what its row says, or these together are no chunks of one tenant.
    #[error("object {name}: {reason}")]
    Damaged {
        /// The object's name.
        name: String,
        /// What is wrong with it.
        reason: String,
        /// What should be left as it is.
        chunks: Vec<ChunkKey>,
    },
}

impl Error {
    /// What others can be merged without.
    pub(super) fn chunks(&self) -> &[ChunkKey] {
        match self {
            Error::Object(_) => &[],
            Error::Unread { chunks, .. } | Error::Damaged { chunks, .. } => chunks,
        }
    }
}

/// Writes one object with what the inputs hold, which come in the order of their seals; what is to
/// be proposed then. The attempt began at `at`, on a view up to `base`.
pub(super) async fn compact(
    objects: &Objects,
    pool: &Pool,
    options: WriteOptions,
    shard: ShardId,
    inputs: &[Chunk],
    (base, at): (Index, Timestamp),
) -> Result<Command, Error> {
    let reads = inputs.iter().map(|input| read(objects, pool, shard, input));
    let reads: Vec<_> = reads.collect();
    let read: Vec<Bytes> =
        futures::stream::iter(reads).buffered(READS_AT_ONCE).try_collect().await?;
    let merged = merge(pool, read, options).await;
    let (bytes, summary) = merged.map_err(|error| damaged(shard, inputs, error))?;
    let object = object_info(bytes.len() as u64, &summary);
    let mut by_id: Vec<&Chunk> = inputs.iter().collect();
    by_id.sort_unstable_by_key(|input| input.key.id);
    let path = Chunk::merged(0, &by_id, object, attempt_number(base, at)).path(shard);
    objects.put_new(&path, bytes).await?;
    let retire = by_id.iter().map(|input| input.key.id).collect();
    Ok(Command::Replace { base, at, tenant: inputs[0].key.tenant.clone(), retire, object })
}

/// A whole chunk, checked against its row.
async fn read(
    objects: &Objects,
    pool: &Pool,
    shard: ShardId,
    input: &Chunk,
) -> Result<Bytes, Error> {
    let damaged = |reason: &dyn Display| damaged(shard, std::slice::from_ref(input), reason);
    let unread = |source| Error::Unread { source, chunks: vec![input.key.clone()] };
    let info = *input.object().expect("only flushed chunks are merged");
    let bytes = match objects.read(&input.path(shard), vec![0..info.bytes]).await {
        Ok(mut read) => read.remove(0),
        Err(error) => match objects.length(&input.path(shard)).await {
            Ok(n_bytes) if n_bytes == info.bytes => return Err(unread(error)),
            Ok(_) | Err(crate::objects::Error::Missing { .. }) => return Err(damaged(&error)),
            Err(error) => return Err(unread(error)),
        },
    };
    let checked = bytes.clone();
    match pool.run(move || chunk::verify(&checked)).await {
        Ok(hash) if hash == info.hash => Ok(bytes),
        Ok(_) => Err(damaged(&"it holds something else than its row says")),
        Err(error) => Err(damaged(&error)),
    }
}

/// Merges, and lets others compute now and then.
async fn merge(
    pool: &Pool,
    objects: Vec<Bytes>,
    options: WriteOptions,
) -> Result<(Bytes, ChunkSummary), chunk::Error> {
    let mut merge = pool.run(move || Merge::new(objects, options)).await?;
    loop {
        let step = move || {
            let done = merge.step(STEP_BYTES);
            (merge, done)
        };
        let (merging, done) = pool.run(step).await;
        merge = merging;
        if done? {
            return Ok(pool.run(move || merge.finish()).await);
        }
    }
}

fn damaged(shard: ShardId, inputs: &[Chunk], reason: impl Display) -> Error {
    let chunks = inputs.iter().map(|input| input.key.clone()).collect();
    Error::Damaged { name: inputs[0].path(shard), reason: reason.to_string(), chunks }
}
