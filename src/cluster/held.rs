//! Views that this node keeps for others while they read: the answering side of remote scans.
//!
//! In: a call that wants views of some shards, and calls that want them read. Out: the views'
//! indexes, and what the [`Answer`] makes of each question. What is in a question or in the parts of
//! an answer is not known here.
//!
//! Invariants:
//! - All questions about a hold are answered from the same views.
//! - A hold ends with the stream of the call that made it; what reads it then goes on to its end.
//! - An answer ends when its reader goes away.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use drave_proto::node::{HeldShard, HoldReply, HoldRequest, ScanPart};
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tonic::Status;

use super::consistency::Consistency;
use super::{Inner, ReadError};
use crate::model::ShardId;
use crate::shard::ShardView;

/// The version of questions and their answers: nodes of another one read for themselves.
pub(super) const QUESTION_VERSION: u32 = 1;
/// Holds at once. Each keeps some heads in memory for longer.
const HOLDS_MAX: usize = 2048;
/// No read lasts longer.
const HOLD_TIME_MAX: Duration = Duration::from_secs(3600);
/// Parts of an answer that wait to be sent.
const PARTS_WAITING: usize = 2;

/// Answers other nodes' questions about shards of this one.
pub trait Answer: Send + Sync + 'static {
    /// Sends the parts of the answer to a question about what a view shows. Where nobody takes them
    /// any more it is dropped.
    fn answer(
        &self,
        view: ShardView,
        question: Bytes,
        out: mpsc::Sender<Bytes>,
    ) -> BoxFuture<'static, ()>;
}

/// All holds of this node.
#[derive(Default)]
pub(super) struct Holds {
    /// Makes numbers that nobody guesses and that no earlier run of this node gave.
    key: RandomState,
    n: AtomicU64,
    views: Mutex<HashMap<u64, HashMap<u32, ShardView>>>,
    answers: OnceLock<Arc<dyn Answer>>,
}

/// One hold; dropped, it ends.
struct Guard {
    inner: Arc<Inner>,
    hold: u64,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.inner.holds.lock().remove(&self.hold);
    }
}

impl Holds {
    /// From now on this answers.
    pub(super) fn answers(&self, answers: Arc<dyn Answer>) {
        let first = self.answers.set(answers);
        assert!(first.is_ok(), "a node starts once");
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, HashMap<u32, ShardView>>> {
        // Nothing panics while it holds the table.
        self.views.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What [`hold`] answers.
pub(super) type HoldReplies = BoxStream<'static, Result<HoldReply, Status>>;
/// What [`scan`] answers.
pub(super) type ScanParts = BoxStream<'static, Result<ScanPart, Status>>;

/// Takes views of shards that this node has replicas of.
pub(super) async fn hold(inner: &Arc<Inner>, request: HoldRequest) -> Result<HoldReplies, Status> {
    if request.version != QUESTION_VERSION {
        let message = format!("it asks in version {} of {QUESTION_VERSION}", request.version);
        return Err(Status::unimplemented(message));
    }
    if inner.holds.answers.get().is_none() {
        return Err(Status::unavailable("this node is coming up"));
    }
    let consistency = consistency(&request)?;
    let views = request.shards.iter().map(|shard| view(inner, *shard, &consistency));
    let views = futures::future::join_all(views).await;
    let mut kept = HashMap::new();
    let mut shards = Vec::with_capacity(views.len());
    for (shard, view) in request.shards.iter().copied().zip(views) {
        shards.push(match view {
            Ok((view, staleness)) => {
                let applied = view.applied();
                kept.insert(shard, view);
                let ms = |staleness: Duration| staleness.as_nanos().div_ceil(1_000_000);
                let staleness_ms =
                    staleness.map(ms).map(|ms| u64::try_from(ms).unwrap_or(u64::MAX));
                HeldShard { shard, refused: String::new(), applied, staleness_ms }
            }
            Err(ReadError { reason, .. }) => {
                HeldShard { shard, refused: reason, applied: 0, staleness_ms: None }
            }
        });
    }
    let holds = &inner.holds;
    let hold = holds.key.hash_one(holds.n.fetch_add(1, Ordering::Relaxed));
    {
        let mut all = holds.lock();
        if all.len() >= HOLDS_MAX {
            let message = format!("it keeps {HOLDS_MAX} views for other nodes already");
            return Err(Status::resource_exhausted(message));
        }
        all.insert(hold, kept);
    }
    let guard = Guard { inner: Arc::clone(inner), hold };
    let reply = HoldReply { hold, shards };
    let once = stream::unfold((Some(reply), guard), |(reply, guard)| async move {
        match reply {
            Some(reply) => Some((Ok(reply), (None, guard))),
            None => {
                tokio::time::sleep(HOLD_TIME_MAX).await;
                None
            }
        }
    });
    Ok(once.boxed())
}

fn consistency(request: &HoldRequest) -> Result<Consistency, Status> {
    if let Some(ms) = request.stale_ms {
        return Ok(Consistency::Stale(Duration::from_millis(ms)));
    }
    if request.seen.is_empty() {
        return Ok(Consistency::Linearizable);
    }
    if request.seen.len() != request.shards.len() {
        return Err(Status::invalid_argument("an index for each shard, or none"));
    }
    let shards = request.shards.iter().map(|shard| ShardId(*shard));
    Ok(Consistency::Session(Arc::new(shards.zip(request.seen.iter().copied()).collect())))
}

async fn view(
    inner: &Inner,
    shard: u32,
    consistency: &Consistency,
) -> Result<(ShardView, Option<Duration>), ReadError> {
    let Some(replica) = inner.replica(shard) else {
        let reason = format!("node {} has no replica of it", inner.me);
        return Err(ReadError { shard: ShardId(shard), reason });
    };
    let seen = replica.view(consistency).await?;
    Ok((seen.view, seen.staleness))
}

/// Lets the question be answered from a view that is held.
pub(super) fn scan(
    inner: &Inner,
    hold: u64,
    shard: u32,
    question: Bytes,
) -> Result<ScanParts, Status> {
    let view = inner.holds.lock().get(&hold).and_then(|views| views.get(&shard).cloned());
    let view = view.ok_or_else(|| Status::not_found("the view is not held any more"))?;
    let answers = inner.holds.answers.get();
    let answers = answers.ok_or_else(|| Status::unavailable("this node is coming up"))?;
    let (out, parts) = mpsc::channel(PARTS_WAITING);
    let answering = Answering(tokio::spawn(answers.answer(view, question, out)));
    let parts = stream::unfold((parts, answering), |(mut parts, answering)| async move {
        let part = parts.recv().await?;
        Some((Ok(ScanPart { part }), (parts, answering)))
    });
    Ok(parts.boxed())
}

/// An answer on its way; dropped, it ends.
struct Answering(JoinHandle<()>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.abort();
    }
}
