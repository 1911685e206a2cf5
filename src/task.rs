//! Tasks without which a node is none.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use tokio::task::JoinHandle;
use tracing::error;

/// Spawns a task that must not end by a panic: where it does, the process ends, loudly. A node that
/// goes on without it would refuse or keep entries for ever and say nothing of it; one that starts
/// again has everything that was acknowledged.
pub fn vital<F>(name: &'static str, work: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    tokio::spawn(async move {
        match AssertUnwindSafe(work).catch_unwind().await {
            Ok(value) => value,
            Err(_) => {
                error!(task = name, "a bug ended a task that the node cannot be without: stopping");
                std::process::abort()
            }
        }
    })
}
