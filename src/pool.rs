//! The CPU pool: where compressing, decoding, filtering and evaluating happen, so that sockets and
//! heartbeats never wait behind them.
//!
//! At most as many jobs run at once as the pool has places; the others wait their turn in order.
//! A job is a plain closure without I/O; who waits for it holds no lock.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// A bounded number of places for computing. Cheap to clone.
#[derive(Clone)]
pub struct Pool {
    places: Arc<Semaphore>,
    n_places: usize,
}

impl Pool {
    /// A pool with one place per core that this process may use.
    pub fn new() -> Pool {
        let n_places = std::thread::available_parallelism().map_or(2, usize::from);
        Pool { places: Arc::new(Semaphore::new(n_places)), n_places }
    }

    /// How many jobs run at once.
    pub fn n_places(&self) -> usize {
        self.n_places
    }

    /// Runs a job and waits for its value. A panic in the job continues here: a bug in us stays
    /// loud. Where the caller is dropped, a job that has begun runs to its end.
    pub async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.expect("the pool's places are never closed");
        #[expect(clippy::disallowed_methods, reason = "this is the pool")]
        let done = tokio::task::spawn_blocking(move || {
            let _place = place;
            job()
        });
        match done.await {
            Ok(value) => value,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

impl Default for Pool {
    fn default() -> Pool {
        Pool::new()
    }
}
