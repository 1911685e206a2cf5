//! Reading shards of which this node has no replica: the asking side of remote scans.
//!
//! In: shards and how recent the reader wants them. Out: a [`Held`] for each, through which
//! questions are asked about one unchanging view at a node that has a replica. What is in a question
//! or in the parts of an answer is not known here.
//!
//! Shards are spread over the nodes that have them; one call takes the views of all shards that one
//! node is asked for. A node that does not answer costs its shards another call. One that is lost
//! before it has answered anything of a question costs another call, too: the next node is asked,
//! about a view that shows at least what the lost one did. What is answered in part is not asked
//! again: its reader may have told of it already.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use drave_proto::node::node_client::NodeClient;
use drave_proto::node::{HoldReply, HoldRequest, ScanPart, ScanRequest};
use futures::FutureExt;
use futures::future::BoxFuture;
use tonic::{Code, Status, Streaming};

use super::consistency::{Consistency, Seen};
use super::held::QUESTION_VERSION;
use super::meta::NodeId;
use super::{Inner, ReadError};
use crate::model::{Index, ShardId};

/// After this somebody else is asked.
const HOLD_TIME_MAX: Duration = Duration::from_secs(11);
/// The largest part of an answer.
const PART_BYTES_MAX: usize = 64 << 20;

/// A view of one shard, kept by another node until this and its siblings are dropped. Cheap to
/// clone.
#[derive(Clone)]
pub struct Held {
    hold: Arc<Hold>,
    shard: ShardId,
    applied: Index,
}

/// Views that one call took.
struct Hold {
    inner: Arc<Inner>,
    node: NodeId,
    number: u64,
    /// The views are kept as long as this stream is.
    _open: Streaming<HoldReply>,
}

/// The parts of an answer.
pub struct Parts {
    shard: ShardId,
    node: NodeId,
    /// The first one, which has come; nothing where the answer has none.
    first: Option<Bytes>,
    parts: Streaming<ScanPart>,
}

impl Held {
    /// Up to where the view shows its shard.
    pub fn applied(&self) -> Index {
        self.applied
    }

    /// Who keeps the view.
    pub fn node(&self) -> NodeId {
        self.hold.node
    }

    /// Asks what the view shows, and waits for the first part of the answer. Dropping the parts ends
    /// the work there.
    pub async fn ask(&self, question: Bytes) -> Result<Parts, ReadError> {
        let Held { hold, shard, applied } = self;
        let seen = Consistency::Session(Arc::new(BTreeMap::from([(*shard, *applied)])));
        let others = hold.inner.shard(*shard).route.others();
        let nodes =
            std::iter::once(hold.node).chain(others.into_iter().filter(|id| *id != hold.node));
        let answer = first_to_answer(nodes, |node| {
            let (question, seen) = (question.clone(), &seen);
            let asked = async move {
                if node == hold.node {
                    return self.begin(question).await;
                }
                let taken = take(&hold.inner, node, &[*shard], seen).await;
                let mut taken = taken.map_err(|refusal| refusal.reason)?;
                let (_, seen) = taken.pop().ok_or("it says nothing of it")?;
                seen?.view.begin(question).await
            };
            asked.boxed()
        });
        answer.await.map_err(|reason| ReadError { shard: *shard, reason })
    }

    /// Asks the node that keeps the view.
    async fn begin(&self, question: Bytes) -> Result<Parts, String> {
        let Held { hold, shard, .. } = self;
        let channel = hold.inner.node.peers().channel(hold.node)?;
        let mut client = NodeClient::new(channel).max_decoding_message_size(PART_BYTES_MAX);
        let request = ScanRequest {
            cluster_id: hold.inner.cluster_id(),
            hold: hold.number,
            shard: shard.0,
            question,
        };
        let failed = |status: Status| status.message().to_owned();
        let mut parts = client.scan(request).await.map_err(failed)?.into_inner();
        let first = parts.message().await.map_err(failed)?.map(|part| part.part);
        Ok(Parts { shard: *shard, node: hold.node, first, parts })
    }
}

/// Asks one node after the other until one answers; else why none did.
async fn first_to_answer<'a, T>(
    nodes: impl Iterator<Item = NodeId>,
    mut ask: impl FnMut(NodeId) -> BoxFuture<'a, Result<T, String>>,
) -> Result<T, String> {
    let mut reasons = Vec::new();
    for node in nodes {
        match ask(node).await {
            Ok(answer) => return Ok(answer),
            Err(reason) => reasons.push(said(node, reason)),
        }
    }
    Err(reasons.join("; "))
}

impl Parts {
    /// The next part; nothing after the last one.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        match self.parts.message().await {
            Ok(part) => Ok(part.map(|part| part.part)),
            Err(status) => {
                let reason = said(self.node, status.message().to_owned());
                Err(ReadError { shard: self.shard, reason })
            }
        }
    }
}

fn said(node: NodeId, reason: String) -> String {
    format!("node {node}: {reason}")
}

/// What became of a shard.
pub(super) enum Taken {
    Held(Seen<Held>),
    /// Those who have it answer other questions than this node asks.
    Strange,
    Failed(ReadError),
}

/// Takes views of shards at the nodes that have them.
pub(super) async fn hold(
    inner: &Arc<Inner>,
    shards: &[ShardId],
    consistency: &Consistency,
) -> BTreeMap<ShardId, Taken> {
    let mut taken = BTreeMap::new();
    let mut reasons: BTreeMap<ShardId, Vec<String>> =
        shards.iter().map(|shard| (*shard, Vec::new())).collect();
    let mut strange = std::collections::BTreeSet::new();
    for turn in 0.. {
        let mut by_node: BTreeMap<NodeId, Vec<ShardId>> = BTreeMap::new();
        for shard in reasons.keys() {
            let others = inner.shard(*shard).route.others();
            if turn < others.len() {
                let at = (shard.0 as usize + turn) % others.len();
                let node = others.iter().nth(at).expect("it was counted");
                by_node.entry(*node).or_default().push(*shard);
            }
        }
        if by_node.is_empty() {
            break;
        }
        let calls = by_node.into_iter().map(|(node, shards)| async move {
            let answer = take(inner, node, &shards, consistency).await;
            (node, shards, answer)
        });
        for (node, shards, answer) in futures::future::join_all(calls).await {
            match answer {
                Ok(held) => {
                    for (shard, outcome) in held {
                        match outcome {
                            Ok(seen) => {
                                reasons.remove(&shard);
                                taken.insert(shard, Taken::Held(seen));
                            }
                            Err(reason) => note(&mut reasons, shard, node, reason),
                        }
                    }
                }
                Err(Refusal { reason, version }) => {
                    for shard in shards {
                        if version {
                            strange.insert(shard);
                        }
                        note(&mut reasons, shard, node, reason.clone());
                    }
                }
            }
        }
    }
    taken.extend(reasons.into_iter().map(|(shard, reasons)| {
        let reason = match reasons.is_empty() {
            true => "no node has it".to_owned(),
            false => reasons.join("; "),
        };
        let failed = Taken::Failed(ReadError { shard, reason });
        (shard, if strange.contains(&shard) { Taken::Strange } else { failed })
    }));
    taken
}

fn note(reasons: &mut BTreeMap<ShardId, Vec<String>>, shard: ShardId, node: NodeId, why: String) {
    if let Some(reasons) = reasons.get_mut(&shard) {
        reasons.push(said(node, why));
    }
}

/// Why a node keeps no view at all.
struct Refusal {
    reason: String,
    /// It does not know such questions.
    version: bool,
}

type Outcome = (ShardId, Result<Seen<Held>, String>);

/// Takes views at one node.
async fn take(
    inner: &Arc<Inner>,
    node: NodeId,
    shards: &[ShardId],
    consistency: &Consistency,
) -> Result<Vec<Outcome>, Refusal> {
    let failed = |reason: String| Refusal { reason, version: false };
    let mut request = HoldRequest {
        cluster_id: inner.cluster_id(),
        version: QUESTION_VERSION,
        shards: shards.iter().map(|shard| shard.0).collect(),
        seen: Vec::new(),
        stale_ms: None,
    };
    match consistency {
        Consistency::Linearizable => {}
        Consistency::Session(seen) => {
            request.seen =
                shards.iter().map(|shard| seen.get(shard).copied().unwrap_or(0)).collect();
        }
        Consistency::Stale(age) => {
            request.stale_ms = Some(u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        }
    }
    let channel = inner.node.peers().channel(node).map_err(failed)?;
    let mut client = NodeClient::new(channel);
    let call = async {
        let mut open = client.hold(request).await?.into_inner();
        let reply = open.message().await?;
        Ok::<_, Status>((open, reply.unwrap_or_default()))
    };
    let answer = tokio::time::timeout(HOLD_TIME_MAX, call).await;
    let answer = answer.map_err(|_| failed("no answer in time".into()))?;
    let (open, reply) = answer.map_err(|status| Refusal {
        reason: status.message().to_owned(),
        version: status.code() == Code::Unimplemented,
    })?;
    let hold = Hold { inner: Arc::clone(inner), node, number: reply.hold, _open: open };
    let hold = Arc::new(hold);
    let outcome = |shard: &ShardId| {
        let of_shard = reply.shards.iter().find(|held| held.shard == shard.0);
        let outcome = match of_shard {
            None => Err("it says nothing of it".to_owned()),
            Some(held) if !held.refused.is_empty() => Err(held.refused.clone()),
            Some(held) => Ok(Seen {
                view: Held { hold: Arc::clone(&hold), shard: *shard, applied: held.applied },
                staleness: held.staleness_ms.map(Duration::from_millis),
            }),
        };
        (*shard, outcome)
    };
    Ok(shards.iter().map(outcome).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_next_one_is_asked_where_nothing_was_answered() {
        let check = async |alive: &[NodeId], expected: Result<NodeId, &str>, n_asked: usize| {
            let mut asked = 0;
            let answer = first_to_answer([2, 1, 3].into_iter(), |node| {
                asked += 1;
                let is_alive = alive.contains(&node);
                async move { if is_alive { Ok(node) } else { Err("gone".to_owned()) } }.boxed()
            });
            assert_eq!(answer.await, expected.map_err(str::to_owned));
            assert_eq!(asked, n_asked);
        };
        check(&[1, 2, 3], Ok(2), 1).await;
        check(&[3], Ok(3), 3).await;
        check(&[], Err("node 2: gone; node 1: gone; node 3: gone"), 3).await;
    }
}
