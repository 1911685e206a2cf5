//! Takes what comes at nearly the same time together: reads of many groups begin at once, and a
//! message for each of them costs more than what it says.
//!
//! In come single things; out go runs of them. Who waits here waits for a few turns of the
//! scheduler, which take microseconds, and never for a clock: its ticks are a millisecond long.

use futures::{FutureExt, Stream, StreamExt, stream};
use tokio::sync::mpsc;
use tokio::task::yield_now;

/// How often everybody else gets a turn before a run is complete.
const TURNS: usize = 4;

/// Takes all of a queue that comes within a few turns.
pub(crate) async fn from_queue<T>(queue: &mut mpsc::Receiver<T>, mut take: impl FnMut(T)) {
    for _ in 0..TURNS {
        while let Ok(item) = queue.try_recv() {
            take(item);
        }
        yield_now().await;
    }
}

/// Runs of a stream, of at most `len_max` items each.
pub(crate) fn runs<S>(stream: S, len_max: usize) -> impl Stream<Item = Vec<S::Item>>
where
    S: Stream + Unpin,
{
    stream::unfold(stream, move |mut stream| async move {
        let mut run = vec![stream.next().await?];
        for _ in 0..TURNS {
            // A stream that has ended says so again the next time.
            while run.len() < len_max
                && let Some(Some(item)) = stream.next().now_or_never()
            {
                run.push(item);
            }
            if run.len() >= len_max {
                break;
            }
            yield_now().await;
        }
        Some((run, stream))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_lost_and_runs_are_bounded() {
        let runs: Vec<Vec<u32>> = runs(stream::iter(0..10).fuse(), 4).collect().await;
        assert_eq!(runs.concat(), (0..10).collect::<Vec<_>>());
        assert!(runs.iter().all(|run| run.len() <= 4), "{runs:?}");
    }

    #[tokio::test]
    async fn what_comes_a_turn_later_comes_along() {
        let (tx, rx) = mpsc::channel(8);
        tokio::spawn(async move {
            for n in 0..3 {
                tx.send(n).await.unwrap();
                yield_now().await;
            }
            std::future::pending::<()>().await;
        });
        let queue = stream::unfold(rx, |mut rx| async move { Some((rx.recv().await?, rx)) });
        let mut runs = Box::pin(runs(queue.boxed(), 8));
        assert_eq!(runs.next().await, Some(vec![0, 1, 2]));
    }
}
