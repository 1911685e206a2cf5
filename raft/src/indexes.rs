//! Read indexes of groups that another node leads, asked together.
//!
//! In come groups, each with a place for its answer; out goes one call for all that were asked for
//! at nearly the same time, whose answers come back one by one: a group whose leader is lost holds
//! up nobody else.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use drave_proto::raft as proto;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};

use crate::error::ReadError;
use crate::gather;
use crate::peers::{ASK_TIME_MAX, FORWARD_TIME_MAX, Line, Peers};

type Index = Result<u64, ReadError>;
type Answer = oneshot::Sender<Index>;

/// Reads that wait for the next call to one peer.
#[derive(Default)]
pub(crate) struct Asks(Mutex<Vec<Waiting>>);

struct Waiting {
    group: u32,
    /// What this node's replica of the group voted, read after the read began.
    voted: Option<proto::Voted>,
    answer: Answer,
}

/// Reads of one group.
#[derive(Default)]
struct Readers {
    /// The last one's: read after all of them began.
    voted: Option<proto::Voted>,
    answers: Vec<Answer>,
}

impl Asks {
    /// Takes part in the next call; whether the caller has to start it.
    fn join(&self, waiting: Waiting) -> bool {
        let mut asks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asks.push(waiting);
        asks.len() == 1
    }

    fn take(&self) -> BTreeMap<u32, Readers> {
        let asks = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut groups: BTreeMap<u32, Readers> = BTreeMap::new();
        for Waiting { group, voted, answer } in asks {
            let readers = groups.entry(group).or_default();
            readers.voted = voted;
            readers.answers.push(answer);
        }
        groups
    }
}

impl Peers {
    /// An index of a group that covers everything acknowledged before this call, asked from `peer`,
    /// which should lead the group, and is told what this node's replica voted, if there is one.
    /// Says nothing of what is applied where.
    pub(crate) async fn read_index(
        &self,
        peer: u64,
        group: u32,
        voted: Option<proto::Voted>,
    ) -> Result<u64, ReadError> {
        let (answer, index) = oneshot::channel();
        if self.peer(peer).asks.join(Waiting { group, voted, answer }) {
            // Not in the caller's task: the call serves others, too, and the caller may go away.
            tokio::spawn(self.clone().ask_indexes(peer));
        }
        let failed = |reason: &str| ReadError {
            group,
            leader: None,
            reason: format!("node {peer}: {reason}"),
        };
        match timeout(FORWARD_TIME_MAX, index).await {
            Ok(Ok(index)) => index,
            Ok(Err(_)) => Err(failed("it did not answer for the group")),
            Err(_) => Err(failed("no answer in time")),
        }
    }

    async fn ask_indexes(self, peer: u64) {
        gather::company().await;
        // From here on whoever asks starts another call.
        let mut asked = self.peer(peer).asks.take();
        if let Err(reason) = self.call_indexes(peer, &mut asked).await {
            for (group, Readers { answers, .. }) in asked {
                let reason = format!("node {peer}: {reason}");
                tell(answers, &Err(ReadError { group, leader: None, reason }));
            }
        }
    }

    /// Tells whoever asked, until the answers end or the time is up.
    async fn call_indexes(
        &self,
        peer: u64,
        asked: &mut BTreeMap<u32, Readers>,
    ) -> Result<(), String> {
        use proto::read_index_reply::Result as Reply;
        let deadline = Instant::now() + FORWARD_TIME_MAX;
        let ask = |(group, readers): (&u32, &mut Readers)| proto::IndexAsk {
            group: *group,
            voted: readers.voted.take(),
        };
        let asks = asked.iter_mut().map(ask).collect();
        let request = proto::ReadIndexRequest { header: Some(self.header(peer, 0, 0)), asks };
        let mut client =
            self.client(peer, Line::Forward).map_err(|error| error.reason().to_owned())?;
        let replies = self.answer(peer, ASK_TIME_MAX, client.read_index(request)).await;
        let mut replies = replies.map_err(|error| error.reason().to_owned())?;
        while !asked.is_empty() {
            let next = timeout_at(deadline, replies.message()).await;
            let next = next.map_err(|_| "no answer in time")?;
            let next = next.map_err(|status| self.failed(peer, &status).reason().to_owned())?;
            let next = next.ok_or("it did not answer for the group")?;
            for proto::ReadIndexReply { group, result } in next.replies {
                let failed = |leader, reason| Err(ReadError { group, leader, reason });
                let index = match result {
                    Some(Reply::Index(index)) => Ok(index),
                    Some(Reply::NotDone(why)) => {
                        failed((why.leader != 0).then_some(why.leader), why.reason)
                    }
                    None => failed(None, format!("node {peer} gave an empty answer")),
                };
                tell(asked.remove(&group).unwrap_or_default().answers, &index);
            }
            asked.retain(|_, readers| readers.answers.iter().any(|answer| !answer.is_closed()));
        }
        Ok(())
    }
}

fn tell(answers: Vec<Answer>, index: &Index) {
    for answer in answers {
        let _ = answer.send(index.clone());
    }
}
