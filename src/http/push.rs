//! `POST /loki/api/v1/push`: an answer means that every entry it does not name is on disk on a
//! majority and visible to every read that begins after it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::future::join_all;
use http_body_util::BodyExt;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tokio::sync::OwnedSemaphorePermit;

use super::error::Error;
use super::quota::Held;
use super::{Api, tenant};
use crate::cluster::WriteError;
use crate::ingest::{self, Accepted, Context, Discarded, Refused};
use crate::model::{Index, ShardId, Tenant};
use crate::telemetry;

/// How long a client may pause inside a body.
const BODY_PAUSE_MAX: Duration = Duration::from_secs(30);
/// Memory for a body is drawn in steps of this, as it comes.
const STEP_BYTES: usize = 1 << 20;
/// How long a push waits for memory before it is sent away.
const MEMORY_WAIT_MAX: Duration = Duration::from_secs(5);
/// Where each part of a push was committed: `shard:index,...`.
const COMMIT_HEADER: &str = "x-drave-commit";
/// Names the ingestion policy of all streams of a push.
const POLICY_HEADER: &str = "x-loki-ingestion-policy";
/// Names the part of old logs that a push belongs to.
const BACKFILL_HEADER: &str = "x-loki-backfill-shard";
/// Longest name of either (Loki's bound).
const NAME_BYTES_MAX: usize = 128;

/// `reason="..."`
type ByReason = Family<[(&'static str, &'static str); 1], Counter>;

/// What pushes moved.
pub(super) struct PushMetrics {
    entries: Counter,
    line_bytes: Counter,
    body_bytes: Counter,
    refused_entries: Counter,
    discarded_entries: ByReason,
    discarded_bytes: ByReason,
}

impl PushMetrics {
    pub(super) fn register(registry: &mut Registry) -> PushMetrics {
        let [discarded_entries, discarded_bytes] = [ByReason::default(), ByReason::default()];
        let help = "Entries that were refused, by what is wrong with them or their stream";
        registry.register("drave_push_discarded_entries", help, discarded_entries.clone());
        registry.register("loki_discarded_samples", help, discarded_entries.clone());
        let help = "Bytes of lines and metadata of those entries";
        registry.register("drave_push_discarded_bytes", help, discarded_bytes.clone());
        registry.register("loki_discarded_bytes", help, discarded_bytes.clone());
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        PushMetrics {
            entries: counter("drave_push_entries", "Entries that were acknowledged"),
            line_bytes: counter("drave_push_line_bytes", "Bytes of acknowledged lines"),
            body_bytes: counter("drave_push_body_bytes", "Bytes of request bodies as sent"),
            refused_entries: counter("drave_push_refused_entries", "Entries that were refused"),
            discarded_entries,
            discarded_bytes,
        }
    }

    fn discard(&self, discarded: &[Discarded]) {
        for Discarded { reason, n_entries, bytes } in discarded {
            let labels = [("reason", reason.as_str())];
            self.discarded_entries.get_or_create(&labels).inc_by(*n_entries as u64);
            self.discarded_bytes.get_or_create(&labels).inc_by(*bytes as u64);
        }
    }
}

pub(super) async fn push(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Error> {
    take(&api, &headers, body, ingest::push).await
}

/// `/api/prom/push`
pub(super) async fn push_first(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Error> {
    take(&api, &headers, body, ingest::push_first).await
}

/// Decodes a body and what its two content headers say of it.
pub(super) type Decode =
    fn(Bytes, Option<&str>, Option<&str>, &Context<'_>) -> Result<Accepted, Refused>;

/// Takes in one request, whatever its entries are written in. `Ok` may still say that some of the
/// entries were refused.
pub(super) async fn take(
    api: &Arc<Api>,
    headers: &HeaderMap,
    body: Body,
    decode: Decode,
) -> Result<Response, Error> {
    let tenant = tenant::of(headers, api.options.auth_enabled)?;
    let text_of = |name: header::HeaderName| -> Option<String> {
        Some(String::from_utf8_lossy(headers.get(name)?.as_bytes()).into_owned())
    };
    let content_type = text_of(header::CONTENT_TYPE);
    let content_encoding = text_of(header::CONTENT_ENCODING);
    let atomic = headers.get("x-drave-atomic").is_some_and(|value| value == "true");

    let policy = name_in(headers, POLICY_HEADER)?;
    let backfill = name_in(headers, BACKFILL_HEADER)?;

    let mut memory = Memory::draw(api, &tenant, headers).await?;
    let body = read_body(body, api.options.body_bytes_max, &mut memory).await?;
    // The body, what it decodes to, and the batch that is made of it.
    memory.grow_to(body.len().saturating_mul(8)).await?;
    api.push_metrics.body_bytes.inc_by(body.len() as u64);
    let decoder = Arc::clone(api);
    let decoded = api.pool.run(move || {
        let context = Context {
            tenant: &tenant,
            limits: &decoder.limits(&tenant),
            now: telemetry::now(),
            n_shards: decoder.cluster.n_shards(),
            atomic,
            policy: policy.as_deref(),
            backfill: backfill.as_deref(),
            cache: &decoder.options.streams,
        };
        decode(body, content_type.as_deref(), content_encoding.as_deref(), &context)
    });
    let accepted = decoded.await.map_err(|refused| {
        let status = StatusCode::from_u16(refused.status).expect("a refusal has a status");
        Error::new(status, refused.message)
    })?;
    commit(api, accepted).await
}

/// A name that a header gives to all of a push; an empty one is none.
fn name_in(headers: &HeaderMap, header: &'static str) -> Result<Option<String>, Error> {
    let Some(value) = headers.get(header).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let name = std::str::from_utf8(value.as_bytes()).ok();
    let name = name.filter(|name| name.len() <= NAME_BYTES_MAX);
    let bad =
        || Error::bad_request(format!("{header} is no text of at most {NAME_BYTES_MAX} bytes"));
    name.map(|name| Some(name.to_owned())).ok_or_else(bad)
}

/// The memory of one push, which it draws as its body comes: who sends slowly holds no more than what
/// is there.
struct Memory<'a> {
    api: &'a Api,
    permit: Option<OwnedSemaphorePermit>,
    kib: usize,
    /// What its tenant may have under way, taken at once.
    _held: Held,
}

impl<'a> Memory<'a> {
    /// For a body that is about to be read. One of unknown length counts as one that fits most with
    /// its tenant; bodies that lie about theirs are cut off where they are read.
    async fn draw(api: &'a Api, tenant: &Tenant, headers: &HeaderMap) -> Result<Memory<'a>, Error> {
        let length = headers.get(header::CONTENT_LENGTH);
        let length = length.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        let length = length.unwrap_or(1 << 20);
        if length > api.options.body_bytes_max {
            return Err(too_large(length, api.options.body_bytes_max));
        }
        let most = length.saturating_mul(8).clamp(1024, api.options.push_bytes_max);
        let held = api.quotas.take(tenant, most)?;
        let mut memory = Memory { api, permit: None, kib: 0, _held: held };
        memory.grow_to(length.min(STEP_BYTES)).await?;
        Ok(memory)
    }

    /// Waits until it has so many bytes, or all that there are.
    async fn grow_to(&mut self, bytes: usize) -> Result<(), Error> {
        let kib = bytes.div_ceil(1024).clamp(1, self.api.options.push_bytes_max / 1024);
        let Some(more) = kib.checked_sub(self.kib).filter(|more| *more > 0) else { return Ok(()) };
        let more_kib = u32::try_from(more).unwrap_or(u32::MAX);
        let draw = Arc::clone(&self.api.push_memory).acquire_many_owned(more_kib);
        let Ok(permit) = tokio::time::timeout(MEMORY_WAIT_MAX, draw).await else {
            return Err(Error::unavailable("too many pushes wait for memory: send again later"));
        };
        let permit = permit.expect("the memory's places are never closed");
        match &mut self.permit {
            Some(own) => own.merge(permit),
            own => *own = Some(permit),
        }
        self.kib = kib;
        Ok(())
    }
}

async fn read_body(
    mut body: Body,
    bytes_max: usize,
    memory: &mut Memory<'_>,
) -> Result<Bytes, Error> {
    let mut first = Bytes::new();
    let mut all = Vec::new();
    loop {
        let frame = tokio::time::timeout(BODY_PAUSE_MAX, body.frame()).await;
        let frame = frame.map_err(|_| {
            Error::new(StatusCode::REQUEST_TIMEOUT, "the body stopped coming for 30 s")
        })?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|error| Error::bad_request(format!("broken body: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        let length = first.len() + all.len() + data.len();
        if length > bytes_max {
            return Err(too_large(length, bytes_max));
        }
        if length > memory.kib * 1024 {
            memory.grow_to(length.next_multiple_of(STEP_BYTES)).await?;
        }
        if first.is_empty() && all.is_empty() {
            first = data; // Small bodies come in one piece and are not copied.
        } else {
            if all.is_empty() {
                all.extend_from_slice(&std::mem::take(&mut first));
            }
            all.extend_from_slice(&data);
        }
    }
    Ok(if all.is_empty() { first } else { all.into() })
}

fn too_large(length: usize, limit: usize) -> Error {
    let text = format!("request body too large: {length} bytes, limit: {limit} bytes");
    Error::new(StatusCode::PAYLOAD_TOO_LARGE, text)
}

async fn commit(api: &Api, accepted: Accepted) -> Result<Response, Error> {
    let Accepted { shards, refused, n_entries, line_bytes, discarded, .. } = accepted;
    let appends = shards
        .into_iter()
        .map(|(shard, batch)| async move { (shard, api.cluster.append(shard, batch).await) });
    let results = join_all(appends).await;
    let commits = all_committed(&results)?;
    api.push_metrics.entries.inc_by(n_entries as u64);
    api.push_metrics.line_bytes.inc_by(line_bytes as u64);
    api.push_metrics.discard(&discarded);
    let mut response = match refused.answer() {
        None => StatusCode::NO_CONTENT.into_response(),
        Some((status, text)) => {
            api.push_metrics.refused_entries.inc_by(refused.n_entries() as u64);
            let status = StatusCode::from_u16(status).expect("a refusal has a status");
            Error::new(status, text).into_response()
        }
    };
    if !commits.is_empty() {
        let value = HeaderValue::from_str(&commits).expect("digits, colons and commas");
        response.headers_mut().insert(COMMIT_HEADER, value);
    }
    Ok(response)
}

/// `shard:index,...` where every shard committed; else what is known of each, and a 503 so that
/// the client sends again: what is stored already will not be stored twice.
fn all_committed(results: &[(ShardId, Result<Index, WriteError>)]) -> Result<String, Error> {
    let commits = results
        .iter()
        .filter_map(|(shard, result)| result.as_ref().ok().map(|index| format!("{shard}:{index}")));
    let commits: Vec<String> = commits.collect();
    let reasons: Vec<String> = results
        .iter()
        .filter_map(|(_, result)| result.as_ref().err().map(ToString::to_string))
        .collect();
    if reasons.is_empty() {
        return Ok(commits.join(","));
    }
    let shards = |wanted: fn(&Result<Index, WriteError>) -> bool| -> Vec<u32> {
        let found = results.iter().filter(|(_, result)| wanted(result));
        found.map(|(shard, _)| shard.0).collect()
    };
    let body = serde_json::json!({
        "error": reasons.join("; "),
        "committed_shards": shards(Result::is_ok),
        "not_done_shards": shards(|r| matches!(r, Err(WriteError::NotDone { .. }))),
        "unknown_shards": shards(|r| matches!(r, Err(WriteError::Unknown { .. }))),
    });
    Err(Error::unavailable(body.to_string()))
}
