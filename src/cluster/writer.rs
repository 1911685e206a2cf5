//! Pushes that wait for one shard become one batch.
//!
//! While a proposal is on its way to disk, pushes queue; when it is done, all that wait go out
//! together, encoded once. Nobody waits for a timer: an idle shard takes a push at once, a busy
//! one gets fewer and larger WAL records. Two proposals may be under way, so that one is encoded
//! while the other is synced.
//!
//! The queue is bounded in bytes: a shard that takes nothing cannot hold the memory of all pushes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::WriteError;
use super::route::Route;
use crate::model::batch::Effort;
use crate::model::{BatchBuilder, Index};
use crate::pool::Pool;
use crate::shard::{Command, Reply};
use crate::task;

/// Pushes that may wait for one shard, however small.
const QUEUE_PUSHES_MAX: usize = 1024;
/// A batch takes no further push once it holds this many bytes of lines and metadata.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// Nor once it has this many entries, which may be empty.
const BATCH_ENTRIES_MAX: usize = 1 << 20;
/// Proposals of one shard under way at once.
const PROPOSALS_MAX: usize = 2;

type Answer = oneshot::Sender<Result<Index, WriteError>>;

struct Waiting {
    batch: BatchBuilder,
    held: Held,
    answer: Answer,
}

/// A push's part of its shard's queue, given back when it is dropped.
struct Held {
    queued: Arc<AtomicUsize>,
    bytes: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.queued.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The way into one shard.
pub(super) struct Writer {
    route: Arc<Route>,
    queue: Mutex<Option<mpsc::Sender<Waiting>>>,
    /// Bytes of lines and metadata that wait or are under way.
    queued: Arc<AtomicUsize>,
    queued_max: usize,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    pub(super) fn start(route: Arc<Route>, pool: Pool, queued_max: usize) -> Writer {
        let (sender, queue) = mpsc::channel(QUEUE_PUSHES_MAX);
        let task = task::vital("writer", write(Arc::clone(&route), pool, queue));
        Writer {
            route,
            queue: Mutex::new(Some(sender)),
            queued: Arc::default(),
            queued_max,
            task: Mutex::new(Some(task)),
        }
    }

    pub(super) async fn append(&self, batch: BatchBuilder) -> Result<Index, WriteError> {
        let queue = self.queue.lock().expect("nobody panics holding it").clone();
        let (answer, done) = oneshot::channel();
        let Some(queue) = queue else { return Err(self.not_done("the node is stopping")) };
        let held = self.hold(batch.raw_bytes())?;
        if queue.send(Waiting { batch, held, answer }).await.is_err() {
            return Err(self.not_done("the node is stopping"));
        }
        done.await.unwrap_or_else(|_| Err(self.unknown("the node stopped")))
    }

    /// Bytes of entries that wait for the shard or are on their way to it.
    pub(super) fn queued_bytes(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Takes a place in the queue. A push that is alone is let in, however large.
    fn hold(&self, bytes: usize) -> Result<Held, WriteError> {
        let before = self.queued.fetch_add(bytes, Ordering::Relaxed);
        let held = Held { queued: Arc::clone(&self.queued), bytes };
        if before > 0 && before.saturating_add(bytes) > self.queued_max {
            return Err(self.not_done(&format!(
                "{before} bytes of entries wait for it already, and {} may: send again later",
                self.queued_max
            )));
        }
        Ok(held)
    }

    pub(super) async fn stop(&self) {
        drop(self.queue.lock().expect("nobody panics holding it").take());
        let task = self.task.lock().expect("nobody panics holding it").take();
        if let Some(task) = task
            && let Err(error) = task.await
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }

    fn not_done(&self, reason: &str) -> WriteError {
        WriteError::NotDone { shard: self.route.shard(), reason: reason.into() }
    }

    fn unknown(&self, reason: &str) -> WriteError {
        WriteError::Unknown { shard: self.route.shard(), reason: reason.into() }
    }
}

async fn write(route: Arc<Route>, pool: Pool, mut queue: mpsc::Receiver<Waiting>) {
    let places = Arc::new(Semaphore::new(PROPOSALS_MAX));
    let mut under_way = tokio::task::JoinSet::new();
    while let Some(first) = queue.recv().await {
        let place = Arc::clone(&places).acquire_owned().await.expect("places are never closed");
        // Taken after the place was free: everything that came in meanwhile goes along.
        let (batches, answers) = gather(first, &mut queue);
        let effort = if route.others().is_empty() { Effort::Kept } else { Effort::Sent };
        let encode = move || BatchBuilder::concat(batches).encode_for(effort);
        let command = pool.run(move || Command::Append { batch: encode() }.encode()).await;
        let route = Arc::clone(&route);
        under_way.spawn(async move {
            let result = route.propose(command).await.and_then(|(index, reply)| match reply {
                Reply::Done { .. } => Ok(index),
                refused => Err(WriteError::NotDone {
                    shard: route.shard(),
                    reason: format!("the shard refused the batch: {refused:?}"),
                }),
            });
            for (answer, held) in answers {
                drop(held);
                // A client that went away needs no answer.
                let _ = answer.send(result.clone());
            }
            drop(place);
        });
        while under_way.try_join_next().is_some() {}
    }
    while under_way.join_next().await.is_some() {}
}

fn gather(
    first: Waiting,
    queue: &mut mpsc::Receiver<Waiting>,
) -> (Vec<BatchBuilder>, Vec<(Answer, Held)>) {
    let (mut raw_bytes, mut n_entries) = (first.batch.raw_bytes(), first.batch.n_entries());
    let (mut batches, mut answers) = (vec![first.batch], vec![(first.answer, first.held)]);
    while raw_bytes < BATCH_BYTES_MAX
        && n_entries < BATCH_ENTRIES_MAX
        && let Ok(next) = queue.try_recv()
    {
        raw_bytes += next.batch.raw_bytes();
        n_entries += next.batch.n_entries();
        batches.push(next.batch);
        answers.push((next.answer, next.held));
    }
    (batches, answers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::batch::{BATCH_ENTRIES_MAX as FORMAT_ENTRIES_MAX, Batch};
    use crate::model::{Labels, Tenant};

    /// Empty lines count nothing in bytes, and a batch of too many entries ended the shard's writer.
    #[tokio::test]
    async fn pushes_of_empty_lines_do_not_make_a_batch_too_large() {
        let waiting = || {
            let mut batch = BatchBuilder::new();
            batch.segment(&Tenant::single(), &Labels::empty());
            (0..BATCH_ENTRIES_MAX as i64 / 2).for_each(|time| batch.push(time, "", 0));
            let held = Held { queued: Arc::default(), bytes: 0 };
            Waiting { batch, held, answer: oneshot::channel().0 }
        };
        let (sender, mut queue) = mpsc::channel(QUEUE_PUSHES_MAX);
        for _ in 0..4 {
            assert!(sender.try_send(waiting()).is_ok(), "the queue is that long");
        }
        let (batches, answers) = gather(waiting(), &mut queue);
        assert_eq!((batches.len(), answers.len()), (2, 2));
        assert_eq!(queue.len(), 3);
        let batch = BatchBuilder::concat(batches);
        assert!(batch.n_entries() < FORMAT_ENTRIES_MAX);
        assert!(Batch::open(batch.encode()).is_ok());
    }
}
