//! A sealed head becomes chunks: one per tenant, its streams sorted, its entries a set.
//!
//! Deterministic: whoever uploads a head writes the same bytes under the same name, so a rival or
//! a second try finds the object there and is done. Another version of drave, or one with other
//! options, writes other bytes: what is there stays, if it holds the same entries.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};

use super::object_info;
use crate::chunk::{self, ChunkSummary, ChunkWriter, WriteOptions};
use crate::model::merge::Merged;
use crate::model::{Batch, Rows};
use crate::objects::{Objects, Put};
use crate::pool::Pool;
use crate::shard::{ChunkInput, ChunkKey, Flushed, SealedHead, ShardView, chunk_inputs};

/// Why a head's chunks are not in object storage.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Object storage did not take them.
    #[error(transparent)]
    Object(#[from] crate::objects::Error),
    /// A batch of the head does not decode: memory or disk is broken.
    #[error("a batch of the head: {0}")]
    Batch(#[from] crate::model::batch::Error),
    /// The name is taken by an object that says something else. It is left as it is.
    #[error("object {name} exists and holds other bytes")]
    Taken {
        /// The object's name.
        name: String,
    },
}

/// Writes one object per tenant of a sealed head.
pub(super) async fn upload(
    objects: &Objects,
    pool: &Pool,
    options: WriteOptions,
    view: &ShardView,
    sealed: &Arc<SealedHead>,
) -> Result<Vec<Flushed>, Error> {
    let options = options.of_head();
    let decoded = Arc::new(decode(pool, sealed).await?);
    let mut flushed = Vec::with_capacity(sealed.tenants.len());
    for input in chunk_inputs(sealed) {
        let tenant = input.tenant.clone();
        let decoded = Arc::clone(&decoded);
        let (bytes, summary) = pool.run(move || write(&input, &decoded, options)).await;
        let key = ChunkKey { tenant: tenant.clone(), id: sealed.chunk };
        let row = view.manifest().get(&key).expect("a seal makes a row per tenant");
        let (n_bytes, summary) =
            put(objects, pool, &row.path(view.shard()), bytes, summary).await?;
        let object = object_info(n_bytes, &summary);
        flushed.push(Flushed { tenant, content: row.content, object });
    }
    Ok(flushed)
}

/// All rows of the head: by batch, then by segment.
async fn decode(pool: &Pool, sealed: &SealedHead) -> Result<Vec<Vec<Rows>>, Error> {
    let batches: Vec<Batch> = sealed.head.iter().map(|(_, batch)| batch.clone()).collect();
    let jobs = batches.into_iter().map(|batch| pool.run(move || batch.decode()));
    let jobs: Vec<_> = jobs.collect();
    let decoded = futures::stream::iter(jobs).buffered(pool.n_places());
    Ok(decoded.try_collect().await?)
}

fn write(
    input: &ChunkInput,
    decoded: &[Vec<Rows>],
    options: WriteOptions,
) -> (Bytes, ChunkSummary) {
    let mut writer = ChunkWriter::new(&input.tenant, options);
    for stream in &input.streams {
        let pieces = stream.pieces.iter().map(|piece| &decoded[piece.batch][piece.segment]);
        writer.stream(&stream.labels, &Merged::of(pieces));
    }
    writer.finish()
}

/// Writes a chunk unless it is there, and says how long the object is and what is in it.
async fn put(
    objects: &Objects,
    pool: &Pool,
    name: &str,
    bytes: Bytes,
    summary: ChunkSummary,
) -> Result<(u64, ChunkSummary), Error> {
    let n_bytes = bytes.len() as u64;
    if objects.put_new(name, bytes.clone()).await? == Put::Created {
        return Ok((n_bytes, summary));
    }
    let n_found = objects.length(name).await?;
    let found = objects.read(name, vec![0..n_found]).await?.remove(0);
    if found == bytes {
        return Ok((n_bytes, summary));
    }
    match pool.run(move || chunk::same_entries(&found, &bytes)).await {
        Ok(Some(theirs)) => Ok((n_found, theirs)),
        Ok(None) | Err(_) => Err(Error::Taken { name: name.into() }),
    }
}
