//! Other nodes' questions about shards of this one, answered as their own queries would be.
//!
//! In: a view of a shard and a question. Out: partial results in the words of the query that asked:
//! numbers of a range aggregation, the first entries of a log query, sizes, rows. What each of them
//! looks like is said beside the query.
//!
//! Invariant: whoever takes the parts in gets the same answer as if it had read the shard itself.

use std::sync::Arc;

use bytes::Bytes;
use drave_proto::scan::{self as proto, Outcome};
use futures::FutureExt;
use futures::future::BoxFuture;
use prost::Message;
use tokio::sync::mpsc;

use super::{Error, logs, metric, sql, volume};
use crate::cluster::held::Answer;
use crate::scan::remote::{self, Malformed, Question, Work};
use crate::scan::{Reading, Request, Scanner, Snapshot, Stats};
use crate::shard::ShardView;

/// About so many bytes leave in one part.
pub(super) const PART_BYTES: usize = 1 << 20;
/// Label sets of one part.
const PART_STREAMS: usize = 4096;

/// Answers for this node.
pub struct Answers(Scanner);

/// One question on its way to an answer.
pub(super) struct Job {
    pub(super) scanner: Scanner,
    pub(super) snapshot: Snapshot,
    pub(super) request: Request,
    pub(super) stats: Arc<Stats>,
    out: mpsc::Sender<Bytes>,
}

impl Answers {
    /// Reads with this scanner, which draws from the same memory as this node's own queries.
    pub fn new(scanner: Scanner) -> Answers {
        Answers(scanner)
    }
}

impl Answer for Answers {
    fn answer(
        &self,
        view: ShardView,
        question: Bytes,
        out: mpsc::Sender<Bytes>,
    ) -> BoxFuture<'static, ()> {
        let scanner = self.0.at(Reading::default());
        let stats = Arc::new(Stats::default());
        let answer = async move {
            let refused = match Question::decode(&question, view.shard()) {
                Err(malformed) => Some((Outcome::Bad, malformed.to_string())),
                Ok(Question { seen, request, work }) => {
                    let snapshot = Snapshot::of(seen, view);
                    let (stats, out) = (Arc::clone(&stats), out.clone());
                    let job = Job { scanner, snapshot, request, stats, out };
                    job.work(work).await.err().map(|error| refusal(&error))
                }
            };
            // Whoever asked may have gone away.
            let _ = out.send(remote::end(&stats, refused)).await;
        };
        answer.boxed()
    }
}

fn refusal(error: &Error) -> (Outcome, String) {
    match error {
        Error::BadQuery(_) | Error::Matching(_) | Error::TooLarge { .. } => {
            (Outcome::Bad, error.to_string())
        }
        Error::NoMemory => (Outcome::Unavailable, error.to_string()),
        Error::Scan(error) => remote::outcome(error),
    }
}

impl Job {
    async fn work(&self, work: Work) -> Result<(), Error> {
        match work {
            Work::Aggregate(asked) => metric::wire::answer(self, asked).await,
            Work::Entries(asked) => logs::wire::answer(self, asked).await,
            Work::Measure(asked) => volume::wire::answer(self, asked).await,
            Work::Rows(asked) => sql::remote::answer(self, asked).await,
            Work::Cells(asked) => sql::cells::wire::answer(self, asked).await,
            Work::Streams(proto::Streams {}) => self.streams().await,
        }
    }

    async fn streams(&self) -> Result<(), Error> {
        let Request { selection, range, .. } = &self.request;
        let streams = self.scanner.streams(&self.snapshot, selection, range).await?;
        for streams in streams.chunks(PART_STREAMS) {
            self.send(remote::from_streams(streams).encode_to_vec()).await;
        }
        Ok(())
    }

    /// Sends a part. Where nobody takes it, the scan ends by itself.
    pub(super) async fn send(&self, part: Vec<u8>) {
        let _ = self.out.send(remote::partial(part.into())).await;
    }

    /// The same for parts that take a while to make.
    pub(super) async fn send_all(&self, make: impl FnOnce() -> Vec<Vec<u8>> + Send + 'static) {
        for part in self.scanner.pool().run(make).await {
            self.send(part).await;
        }
    }
}

/// Cuts what is sent into parts of about [`PART_BYTES`].
pub(super) fn in_parts<T>(
    items: impl IntoIterator<Item = T>,
    bytes: impl Fn(&T) -> usize,
) -> Vec<Vec<T>> {
    let mut parts: Vec<Vec<T>> = Vec::new();
    let mut taken = PART_BYTES;
    for item in items {
        let more = bytes(&item);
        if taken + more > PART_BYTES {
            parts.push(Vec::new());
            taken = 0;
        }
        taken += more;
        parts.last_mut().expect("one was just pushed").push(item);
    }
    parts
}

/// A question that cannot be meant.
pub(super) fn bad(what: &'static str) -> Error {
    Error::BadQuery(format!("a question of another node: {}", Malformed(what)))
}

/// An answer that cannot be meant.
pub(super) fn malformed(what: &'static str) -> crate::scan::Error {
    crate::scan::Error::Foreign(Malformed(what))
}
