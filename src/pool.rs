//! The CPU pool: where compressing, decoding, filtering and evaluating happen, so that sockets and
//! heartbeats never wait behind them.
//!
//! As many threads as cores; jobs wait their turn in order. A job is a plain closure without I/O;
//! who waits for it holds no lock. The threads are the pool's own and few: what a job allocates and
//! frees stays in the heaps of these threads (see `docs/decisions/2026-11-21-memory-of-a-node.md`).

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// A fixed number of threads for computing, which end with its last handle. Cheap to clone.
#[derive(Clone)]
pub struct Pool(Arc<Handle>);

/// Its drop ends the threads.
struct Handle {
    queue: Arc<Queue>,
    n_places: usize,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Pool {
    /// A pool with one thread per core that this process may use.
    pub fn new() -> Pool {
        let n_places = std::thread::available_parallelism().map_or(2, usize::from);
        let queue = Arc::new(Queue::default());
        for n in 0..n_places {
            let queue = Arc::clone(&queue);
            let thread = std::thread::Builder::new().name(format!("pool-{n}"));
            thread.spawn(move || queue.work()).expect("a thread can be started");
        }
        Pool(Arc::new(Handle { queue, n_places }))
    }

    /// How many jobs run at once.
    pub fn n_places(&self) -> usize {
        self.0.n_places
    }

    /// Runs a job and waits for its value. A panic in the job continues here: a bug in us stays
    /// loud. Where the caller is dropped, a job that has begun runs to its end, and one that has not
    /// does not begin.
    pub async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (answer, value) = oneshot::channel();
        let job = move || {
            if !answer.is_closed() {
                let _ = answer.send(catch_unwind(AssertUnwindSafe(job)));
            }
        };
        self.0.queue.push(Box::new(job));
        match value.await.expect("a job that is waited for is run") {
            Ok(value) => value,
            Err(panic) => resume_unwind(panic),
        }
    }
}

impl Default for Pool {
    fn default() -> Pool {
        Pool::new()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.wake.notify_all();
    }
}

impl Queue {
    fn push(&self, job: Job) {
        self.lock().jobs.push_back(job);
        self.wake.notify_one();
    }

    /// Runs jobs until the pool is gone.
    fn work(&self) {
        loop {
            let is_idle = |waiting: &mut Waiting| waiting.jobs.is_empty() && !waiting.closed;
            let waiting = self.wake.wait_while(self.lock(), is_idle);
            let job = waiting.unwrap_or_else(PoisonError::into_inner).jobs.pop_front();
            match job {
                Some(job) => job(),
                None => return,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while it holds the queue.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn jobs_run_at_once_and_no_more_than_there_are_places() {
        let pool = Pool::new();
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let jobs = (0..200).map(|n| {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            pool.run(move || {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::yield_now();
                running.fetch_sub(1, Ordering::SeqCst);
                n
            })
        });
        let values = futures::future::join_all(jobs).await;
        assert!(values.into_iter().eq(0..200));
        assert!(most.load(Ordering::SeqCst) <= pool.n_places());
    }

    #[tokio::test]
    async fn a_panic_is_its_callers_and_the_pool_goes_on() {
        let pool = Pool::new();
        for _ in 0..3 * pool.n_places() {
            let own = pool.clone();
            let job = tokio::spawn(async move { own.run(|| panic!("a bug")).await });
            let error = job.await.expect_err("a panic");
            assert!(error.is_panic());
        }
        assert_eq!(pool.run(|| 7).await, 7);
    }

    #[tokio::test]
    async fn a_job_that_nobody_waits_for_does_not_begin() {
        let pool = Pool::new();
        let begun = Arc::new(AtomicUsize::new(0));
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        let blocked: Vec<_> = (0..pool.n_places())
            .map(|_| {
                let (own, held) = (pool.clone(), Arc::clone(&held));
                let wait = move || drop(held.lock().map(|held| held.recv()));
                tokio::spawn(async move { own.run(wait).await })
            })
            .collect();
        let (own, counted) = (pool.clone(), Arc::clone(&begun));
        let dropped =
            tokio::spawn(
                async move { own.run(move || counted.fetch_add(1, Ordering::SeqCst)).await },
            );
        tokio::task::yield_now().await;
        dropped.abort();
        let _ = dropped.await;
        drop(hold);
        for job in blocked {
            job.await.expect("it ends");
        }
        pool.run(|| ()).await;
        assert_eq!(begun.load(Ordering::SeqCst), 0);
    }
}
