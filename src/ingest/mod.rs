//! Taking in: from the bytes of one push to columnar batches, one per shard. Pure computing, no
//! I/O and no clock, meant for the CPU pool.
//!
//! In: the body of a request, its two content headers and a [`Context`]. Out: [`Accepted`] (what
//! to commit, and what to tell the client about the rest) or [`Refused`] (store nothing).
//!
//! ```text
//! body --inflate--> plain bytes --json | protobuf--> streams and entries, one at a time
//!      --intake: parse labels, validate, detect the level--> the builder of the stream's shard
//! ```
//!
//! What refuses a whole push: a body that cannot be read to its end, labels that are not labels
//! (both as in Loki), no stream at all, the tenant's rate, and `atomic` with anything refused.
//! Everything else refuses one stream or one entry and stores the others.
//!
//! Invariants:
//! - A body is never inflated past `max_decompressed_size`, whatever it claims.
//! - What cannot be decoded to its end stores nothing: builders leave here only with the last byte.
//! - Each entry is either in a builder or counted in [`Accepted::refused`], never both or neither.

mod detect;
mod generic;
mod inflate;
mod intake;
mod json;
mod json_first;
mod json_text;
mod line_level;
mod otlp;
mod pairs;
mod protobuf;
mod rate;
mod refusal;
mod shares;
mod streams;
mod validate;
mod wire;

use bytes::Bytes;

use crate::model::limits::{Limits, Moment};
use crate::model::{BatchBuilder, ShardId, Tenant, Timestamp};

pub use refusal::{Discarded, Reason, Refusals, Refused};
pub use streams::StreamCache;

/// Entries before this time are mistakes of unit (seconds or milliseconds taken for nanoseconds),
/// whatever the limits say: 1980-01-01, older than any log that is still read, and later than
/// milliseconds of our time taken for nanoseconds (28 minutes after 1970).
pub const OLDEST: Timestamp = Timestamp::from_secs(315_532_800);

/// Everything that a push is judged by, beside its own bytes.
pub struct Context<'a> {
    /// Who pushes.
    pub tenant: &'a Tenant,
    /// What the tenant may do.
    pub limits: &'a Limits,
    /// The receiving node's clock.
    pub now: Timestamp,
    /// How many shards streams spread over.
    pub n_shards: u32,
    /// Whether one refused entry refuses the push (`X-Drave-Atomic: true`).
    pub atomic: bool,
    /// The ingestion policy of all its streams, whatever `policy_stream_mapping` says.
    pub policy: Option<&'a str>,
    /// A name that the client gives to a part of old logs that it brings: its streams are apart from
    /// others, and of any age.
    pub backfill: Option<&'a str>,
    /// What is remembered of streams and tenants between pushes.
    pub cache: &'a StreamCache,
}

/// A push that was understood. All of `shards` must be committed before `refused` is answered.
#[derive(Default)]
pub struct Accepted {
    /// The good entries by shard, none of them empty, ordered by shard.
    pub shards: Vec<(ShardId, BatchBuilder)>,
    /// What was refused: its status and text are the answer, where there are any.
    pub refused: Refusals,
    /// Why and how much was refused, for `loki_discarded_samples_total` and `_bytes_total`.
    pub discarded: Vec<Discarded>,
    /// Entries in `shards`.
    pub n_entries: usize,
    /// Bytes of their lines.
    pub line_bytes: usize,
    /// Bytes of names and values of their structured metadata, `detected_level` not counted.
    pub metadata_bytes: usize,
    /// Lines that were cut to `max_line_size`.
    pub n_truncated: usize,
}

/// Decodes, validates and splits one push. `Err` means that nothing may be stored.
pub fn push(
    body: Bytes,
    content_type: Option<&str>,
    content_encoding: Option<&str>,
    context: &Context<'_>,
) -> Result<Accepted, Refused> {
    if blocked(context)? {
        return Ok(Accepted::default());
    }
    let format = inflate::Format::of(content_type)?;
    let bytes_max = context.limits.max_decompressed_size.len();
    inflate::inflate(body, content_encoding, format, bytes_max, |plain| {
        let json = format == inflate::Format::Json;
        let mut intake = intake::Intake::new(context, json, plain.len());
        match format {
            inflate::Format::Json => json::decode(plain, &mut intake)?,
            inflate::Format::Protobuf => protobuf::decode(plain, &mut intake)?,
        }
        intake.finish()
    })
}

/// The same for a push in the first version of Loki's API, whose JSON is another.
pub fn push_first(
    body: Bytes,
    content_type: Option<&str>,
    content_encoding: Option<&str>,
    context: &Context<'_>,
) -> Result<Accepted, Refused> {
    let format = inflate::Format::of(content_type)?;
    if format == inflate::Format::Protobuf {
        return push(body, content_type, content_encoding, context);
    }
    if blocked(context)? {
        return Ok(Accepted::default());
    }
    let bytes_max = context.limits.max_decompressed_size.len();
    inflate::inflate(body, content_encoding, format, bytes_max, |plain| {
        // Labels are Prometheus text here, as in protobuf.
        let mut intake = intake::Intake::new(context, false, plain.len());
        json_first::decode(plain, &mut intake)?;
        intake.finish()
    })
}

/// The same for an export of OpenTelemetry logs.
pub fn otlp(
    body: Bytes,
    content_type: Option<&str>,
    content_encoding: Option<&str>,
    context: &Context<'_>,
) -> Result<Accepted, Refused> {
    if blocked(context)? {
        return Ok(Accepted::default());
    }
    let format = inflate::Format::of_otlp(content_type)?;
    let bytes_max = context.limits.max_decompressed_size.len();
    let plain = inflate::inflate_otlp(body, content_encoding, bytes_max)?;
    let mut intake = intake::Intake::new(context, true, plain.len());
    match format {
        inflate::Format::Json => otlp::decode(&otlp::json::to_protobuf(&plain)?, &mut intake)?,
        inflate::Format::Protobuf => otlp::decode(&plain, &mut intake)?,
    }
    intake.finish()
}

/// Whether a push is to be taken in silence and forgotten, or refused, until a certain time.
fn blocked(context: &Context<'_>) -> Result<bool, Refused> {
    let limits = context.limits;
    match limits.block_ingestion_until {
        Some(Moment(until)) if context.now < until => match limits.block_ingestion_status_code {
            200 => Ok(true),
            status => Err(Refused::blocked(context.tenant, until, status)),
        },
        _ => Ok(false),
    }
}

#[cfg(test)]
mod tests;
