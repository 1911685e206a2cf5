//! `/ingester/*`: how those who run Loki's ingesters take a node away in order.
//!
//! Nothing acknowledged depends on an orderly stop here, so this is about time: what is flushed
//! before a node goes is not to be read from its WAL later. What was prepared is forgotten where the
//! node is started again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::routing::{any, get};
use tokio::sync::watch;

use super::error::Error;
use super::params::Params;
use super::status::administrators_only;
use super::{Api, query};

/// What was asked for of the end of the process. Shared with whoever ends it.
#[derive(Debug)]
pub struct Shutdown {
    flushes: AtomicBool,
    asked: watch::Sender<bool>,
}

impl Default for Shutdown {
    fn default() -> Shutdown {
        Shutdown { flushes: AtomicBool::new(false), asked: watch::channel(false).0 }
    }
}

impl Shutdown {
    /// Whether all heads are to be flushed before the process ends.
    pub fn flushes(&self) -> bool {
        self.flushes.load(Ordering::Relaxed)
    }

    /// Waits until somebody wants the process to end.
    pub async fn asked(&self) {
        let mut asked = self.asked.subscribe();
        // The sender is this very value: it is there as long as somebody waits.
        let _ = asked.wait_for(|asked| *asked).await;
    }
}

/// The routes of this family.
pub(super) fn routes() -> Router<Arc<Api>> {
    let prepare = get(prepared).post(prepare).delete(forget);
    Router::new()
        .route("/ingester/prepare_shutdown", prepare)
        .route("/ingester/shutdown", get(shutdown).post(shutdown))
        .route("/ingester/prepare-partition-downscale", any(no_partitions))
}

async fn prepared(State(api): State<Arc<Api>>) -> Result<&'static str, Error> {
    administrators_only(&api)?;
    Ok(if api.shutdown.flushes() { "set\n" } else { "unset\n" })
}

async fn prepare(State(api): State<Arc<Api>>) -> Result<StatusCode, Error> {
    administrators_only(&api)?;
    api.shutdown.flushes.store(true, Ordering::Relaxed);
    Ok(StatusCode::NO_CONTENT)
}

async fn forget(State(api): State<Arc<Api>>) -> Result<StatusCode, Error> {
    administrators_only(&api)?;
    api.shutdown.flushes.store(false, Ordering::Relaxed);
    Ok(StatusCode::NO_CONTENT)
}

/// Flushes, and ends the process, where `flush` and `terminate` do not say otherwise.
async fn shutdown(
    State(api): State<Arc<Api>>,
    method: Method,
    headers: HeaderMap,
    RawQuery(raw): RawQuery,
    body: Body,
) -> Result<StatusCode, Error> {
    administrators_only(&api)?;
    let params = query::params(&method, &headers, raw, body).await?;
    let [flush, terminate] = [switch(&params, "flush")?, switch(&params, "terminate")?];
    if flush {
        let flushed = api.lifecycle.flush().await;
        flushed.map_err(|error| Error::unavailable(error.to_string()))?;
    }
    if terminate {
        api.shutdown.asked.send_replace(true);
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Partitions are of those who take in by way of Kafka: answered as Loki does without it.
async fn no_partitions(State(api): State<Arc<Api>>) -> Result<StatusCode, Error> {
    administrators_only(&api)?;
    Ok(StatusCode::METHOD_NOT_ALLOWED)
}

fn switch(params: &Params, name: &str) -> Result<bool, Error> {
    match params.get(name) {
        None | Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(other) => Err(Error::bad_request(format!("{name} '{other}' is none of true, false"))),
    }
}
