//! Scans of shards on other nodes: a request as a question, and the parts of its answer.
//!
//! In: a held view, a request, and the work that a visitor names. Out: that visitor's partial
//! results, made of what the other node found. Whoever answers uses the other half: a question as a
//! request, and the end of an answer.
//!
//! Invariants:
//! - An answer without an end that says done is no answer: the reader gets an error.
//! - What is on its way is bounded by the windows of the connection: who reads slowly holds the
//!   other node's scan back.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use drave_proto::scan as proto;
use prost::Message;
use tokio::sync::mpsc;

use super::run::Stats;
use super::{Error, Order, Request, Scanner, Selection, Snapshot, Visit};
use crate::cluster::ReadError;
use crate::cluster::remote::Held;
use crate::model::{
    Labels, MatchOp, Matcher, Seen, Selector, ShardId, Tenant, TimeRange, Timestamp,
};

/// What another node does with the entries of a scan.
pub use drave_proto::scan::question::Work;

/// What is wrong with a question or an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it says {0}")]
pub struct Malformed(pub &'static str);

/// A question as whoever answers it reads it.
pub struct Question {
    /// Whose entries, and how they are seen.
    pub seen: Seen,
    /// Which of them.
    pub request: Request,
    /// What to do with them.
    pub work: Work,
}

impl Question {
    /// Reads what [`question`] wrote. `shard` is what the question is about.
    pub fn decode(bytes: &[u8], shard: ShardId) -> Result<Question, Malformed> {
        let question = proto::Question::decode(bytes).map_err(|_| Malformed("no question"))?;
        let order = match question.order() {
            proto::Order::Any => Order::Any,
            proto::Order::Forward => Order::Forward,
            proto::Order::Backward => Order::Backward,
        };
        let seen = to_seen(&question.tenant, question.sight)?;
        let request = Request {
            selection: to_selection(question.selection)?,
            range: Timestamp(question.start)..Timestamp(question.end),
            order,
            above: question.above.map(|index| [(shard, index)].into()),
        };
        let work = question.work.ok_or(Malformed("nothing of what to do"))?;
        Ok(Question { seen, request, work })
    }
}

/// A request about one shard, as it is sent.
fn question(seen: &Seen, shard: ShardId, request: &Request, work: Work) -> Bytes {
    let order = match request.order {
        Order::Any => proto::Order::Any,
        Order::Forward => proto::Order::Forward,
        Order::Backward => proto::Order::Backward,
    };
    let question = proto::Question {
        // A node that does not know of sights is not to answer as if everything were seen: without
        // a tenant it answers nothing.
        tenant: if seen.is_plain() { seen.tenant().to_string() } else { String::new() },
        sight: (!seen.is_plain()).then(|| from_seen(seen)),
        selection: Some(from_selection(&request.selection)),
        start: request.range.start.nanos(),
        end: request.range.end.nanos(),
        order: order.into(),
        above: request.above.as_ref().map(|above| above.get(&shard).copied().unwrap_or(0)),
        work: Some(work),
    };
    question.encode_to_vec().into()
}

fn from_seen(seen: &Seen) -> proto::Sight {
    proto::Sight {
        tenant: seen.tenant().to_string(),
        named: seen.is_named(),
        policy: seen.policy().iter().map(from_selector).collect(),
    }
}

fn to_seen(tenant: &str, sight: Option<proto::Sight>) -> Result<Seen, Malformed> {
    let parse = |name: &str| Tenant::parse(name).map_err(|_| Malformed("no tenant"));
    let Some(sight) = sight else { return Ok(Seen::all_of(parse(tenant)?)) };
    let policy: Result<_, _> = sight.policy.iter().map(to_selector).collect();
    Ok(Seen::new(parse(&sight.tenant)?, sight.named, policy?))
}

fn from_selector(selector: &Selector) -> proto::Matchers {
    let matchers = selector.matchers.iter().map(|matcher| proto::Matcher {
        name: matcher.name.clone(),
        op: match matcher.op {
            MatchOp::Equal => 0,
            MatchOp::NotEqual => 1,
            MatchOp::Matches => 2,
            MatchOp::NotMatches => 3,
        },
        value: matcher.value.clone(),
    });
    proto::Matchers { matchers: matchers.collect() }
}

fn to_selector(matchers: &proto::Matchers) -> Result<Selector, Malformed> {
    let matchers = matchers.matchers.iter().map(|matcher| {
        let op = match matcher.op {
            0 => MatchOp::Equal,
            1 => MatchOp::NotEqual,
            2 => MatchOp::Matches,
            3 => MatchOp::NotMatches,
            _ => return Err(Malformed("a matcher of a kind that there is not")),
        };
        let matcher = Matcher::new(&matcher.name, op, &matcher.value);
        matcher.map_err(|_| Malformed("a pattern that is none"))
    });
    Ok(Selector { matchers: matchers.collect::<Result<_, _>>()? })
}

fn from_selection(selection: &Selection) -> proto::Selection {
    use proto::selection::Selection as Wire;
    let selection = match selection {
        Selection::Selector(selector) => Wire::Matchers(from_selector(selector)),
        Selection::Streams(streams) => Wire::Streams(from_streams(streams)),
    };
    proto::Selection { selection: Some(selection) }
}

fn to_selection(selection: Option<proto::Selection>) -> Result<Selection, Malformed> {
    use proto::selection::Selection as Wire;
    match selection.and_then(|selection| selection.selection) {
        None => Err(Malformed("nothing of which streams")),
        Some(Wire::Matchers(matchers)) => Ok(Selection::Selector(to_selector(&matchers)?)),
        Some(Wire::Streams(sets)) => {
            let mut streams = to_streams(sets)?;
            streams.sort();
            Ok(Selection::Streams(streams.into()))
        }
    }
}

/// Label sets as they are sent.
pub fn from_streams(streams: &[Labels]) -> proto::LabelSets {
    let labels = |labels: &Labels| proto::Labels { pairs: from_pairs(labels.iter()) };
    proto::LabelSets { sets: streams.iter().map(labels).collect() }
}

/// Label sets as they came.
pub fn to_streams(sets: proto::LabelSets) -> Result<Vec<Labels>, Malformed> {
    let sets = sets.sets.into_iter().map(|set| {
        let pairs: Vec<(String, String)> = to_pairs(set.pairs)?;
        Labels::from_pairs(pairs).map_err(|_| Malformed("one label twice"))
    });
    sets.collect()
}

/// Names and values, one after the other, as they are sent.
pub fn from_pairs<N: Into<String>, V: Into<String>>(
    pairs: impl IntoIterator<Item = (N, V)>,
) -> Vec<String> {
    pairs.into_iter().flat_map(|(name, value)| [name.into(), value.into()]).collect()
}

/// Names and values as they came.
pub fn to_pairs<T: From<String>>(texts: Vec<String>) -> Result<Vec<(T, T)>, Malformed> {
    let mut pairs = Vec::with_capacity(texts.len() / 2);
    let mut texts = texts.into_iter();
    while let Some(name) = texts.next() {
        let value = texts.next().ok_or(Malformed("a name without a value"))?;
        pairs.push((name.into(), value.into()));
    }
    Ok(pairs)
}

/// A part of an answer that holds what some of the work found.
pub fn partial(bytes: Bytes) -> Bytes {
    let part = proto::Part { part: Some(proto::part::Part::Partial(bytes)) };
    part.encode_to_vec().into()
}

/// The last part of an answer: `refused` says why there is none.
pub fn end(stats: &Stats, refused: Option<(proto::Outcome, String)>) -> Bytes {
    let (outcome, reason) = refused.unwrap_or((proto::Outcome::Done, String::new()));
    let stats = stats.counters().iter().map(|counter| counter.load(Ordering::Relaxed)).collect();
    let end = proto::End { outcome: outcome.into(), reason, stats };
    let part = proto::Part { part: Some(proto::part::Part::End(end)) };
    part.encode_to_vec().into()
}

/// Why a scan ended here, for the end of an answer.
pub fn outcome(error: &Error) -> (proto::Outcome, String) {
    let outcome = match error {
        Error::Bad(_) => proto::Outcome::Bad,
        Error::Shard(_) | Error::Object(_) | Error::NotTaken => proto::Outcome::Unavailable,
        Error::Chunk { .. } | Error::Batch { .. } | Error::Damaged { .. } | Error::Foreign(_) => {
            proto::Outcome::Damaged
        }
    };
    (outcome, error.to_string())
}

/// One part of an answer.
enum Part {
    Partial(Bytes),
    End,
}

impl Scanner {
    /// Visits a shard on another node by what that finds.
    pub(super) async fn run_there<V: Visit>(
        &self,
        (shard, held): (ShardId, &Held),
        (seen, request): (&Seen, &Request),
        work: Work,
        visitor: &Arc<V>,
        stats: &Stats,
        out: &mpsc::Sender<V::Partial>,
    ) -> Result<(), V::Error> {
        Stats::add(&stats.remote_shards, 1);
        let question = question(seen, shard, request, work);
        let mut parts = match held.ask(question).await {
            Ok(parts) => parts,
            Err(error) => return Ok(self.without(error)?),
        };
        loop {
            let part = match parts.next().await {
                Ok(Some(part)) => part,
                Ok(None) => return Ok(self.without(cut_off(shard))?),
                Err(error) => return Ok(self.without(error)?),
            };
            Stats::add(&stats.remote_bytes, part.len() as u64);
            let partial = match read_part(part, shard, stats) {
                Ok(Part::Partial(partial)) => partial,
                Ok(Part::End) => return Ok(()),
                Err(Error::Shard(error)) => return Ok(self.without(error)?),
                Err(error) => return Err(error.into()),
            };
            let visitor = Arc::clone(visitor);
            let made = self.pool.run(move || {
                let mut made = visitor.start();
                visitor.part(&mut made, partial).map(|()| made)
            });
            if out.send(made.await?).await.is_err() {
                return Ok(());
            }
        }
    }

    /// The label sets of streams of a shard on another node.
    async fn streams_there(
        &self,
        (shard, held): (ShardId, &Held),
        seen: &Seen,
        request: &Request,
    ) -> Result<Vec<Labels>, Error> {
        let stats = Stats::default();
        let work = Work::Streams(proto::Streams {});
        let mut parts = held.ask(question(seen, shard, request, work)).await?;
        let mut streams = Vec::new();
        while let Some(part) = parts.next().await? {
            match read_part(part, shard, &stats)? {
                Part::End => return Ok(streams),
                Part::Partial(partial) => {
                    let sets = proto::LabelSets::decode(partial);
                    let sets = sets.map_err(|_| Malformed("no label sets"));
                    let sets = sets.and_then(to_streams);
                    streams.extend(sets.map_err(Error::Foreign)?);
                }
            }
        }
        Err(cut_off(shard).into())
    }

    /// The streams that may have an entry in the range, sorted. Bounds of streams are kept by the
    /// hour, so a stream whose entries lie just outside may be among them.
    pub async fn streams(
        &self,
        snapshot: &Snapshot,
        selection: &Selection,
        range: &TimeRange,
    ) -> Result<Vec<Labels>, Error> {
        let mut streams = snapshot.streams_here(selection, range);
        let request = Request {
            selection: selection.clone(),
            range: range.clone(),
            order: Order::Any,
            above: None,
        };
        let there = snapshot
            .there()
            .flat_map(|there| snapshot.seen(selection).map(move |seen| (there, seen)));
        let asked = there.map(|(there, seen)| {
            let request = &request;
            async move { self.streams_there(there, seen, request).await }
        });
        let asked: Vec<_> = asked.collect();
        for answer in futures::future::join_all(asked).await {
            match answer {
                Ok(found) => streams.extend(found),
                Err(Error::Shard(error)) => self.without(error)?,
                Err(error) => return Err(error),
            }
        }
        streams.sort();
        // A stream lives on one shard at a time, but while it moves two may know it.
        streams.dedup();
        Ok(streams)
    }
}

fn cut_off(shard: ShardId) -> ReadError {
    ReadError { shard, reason: "the answer of another node ended before its end".into() }
}

fn read_part(part: Bytes, shard: ShardId, stats: &Stats) -> Result<Part, Error> {
    let malformed = |what| Error::Foreign(Malformed(what));
    let part = proto::Part::decode(part).map_err(|_| malformed("no part of an answer"))?;
    let end = match part.part {
        None => return Err(malformed("nothing")),
        Some(proto::part::Part::Partial(partial)) => return Ok(Part::Partial(partial)),
        Some(proto::part::Part::End(end)) => end,
    };
    for (counter, n) in stats.counters().iter().zip(&end.stats) {
        Stats::add(counter, *n);
    }
    match end.outcome() {
        proto::Outcome::Done => Ok(Part::End),
        proto::Outcome::Bad => Err(Error::Bad(end.reason)),
        proto::Outcome::Unavailable => Err(Error::Shard(ReadError { shard, reason: end.reason })),
        proto::Outcome::Damaged => Err(Error::Damaged { shard, reason: end.reason }),
        proto::Outcome::Unknown => Err(malformed("an end without an outcome")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        Labels::from_pairs(pairs.iter().copied()).expect("unique")
    }

    #[test]
    fn a_question_says_what_the_request_said() {
        let check = |selection: Selection, order: Order, above: Option<u64>| {
            let shard = ShardId(3);
            let request = Request {
                selection,
                range: Timestamp(-5)..Timestamp(i64::MAX),
                order,
                above: above.map(|index| [(shard, index), (ShardId(4), 9)].into()),
            };
            let tenant = Tenant::parse("one").expect("a tenant");
            let work = Work::Streams(proto::Streams {});
            let app = Matcher::new("app", MatchOp::Matches, "w.*").expect("a pattern");
            let policy = vec![Selector { matchers: vec![app] }, Selector::default()];
            for seen in [Seen::all_of(tenant.clone()), Seen::new(tenant, true, policy)] {
                let bytes = question(&seen, shard, &request, work.clone());
                let read = Question::decode(&bytes, shard).expect("a question");
                assert_eq!(format!("{:?}", read.seen), format!("{seen:?}"));
                let question = proto::Question::decode(&bytes[..]).expect("a question");
                assert_eq!(question.tenant.is_empty(), !seen.is_plain(), "for older nodes");
            }
            let seen = Seen::all_of(Tenant::parse("one").expect("a tenant"));
            let bytes = question(&seen, shard, &request, work.clone());
            let read = Question::decode(&bytes, shard).expect("a question");
            assert_eq!(read.work, work);
            let Request { selection, range, order, above: read_above } = read.request;
            assert_eq!(format!("{selection:?}"), format!("{:?}", request.selection));
            assert_eq!((range, order), (request.range, request.order));
            assert_eq!(read_above, above.map(|index| [(shard, index)].into()));
            for end in 0..bytes.len() {
                // What is cut may say something else, but nothing that it cannot.
                let _ = Question::decode(&bytes[..end], shard);
            }
        };
        let ops = [MatchOp::Equal, MatchOp::NotEqual, MatchOp::Matches, MatchOp::NotMatches];
        let matchers = ops.map(|op| Matcher::new("app", op, "w.*\"\u{e9}").expect("a pattern"));
        check(Selection::Selector(Selector { matchers: matchers.into() }), Order::Any, None);
        check(Selection::Selector(Selector::default()), Order::Forward, Some(0));
        let streams = [labels(&[]), labels(&[("a", "1"), ("b", "2")])];
        check(Selection::Streams(streams.into()), Order::Backward, Some(7));
    }

    #[test]
    fn an_answer_ends_with_what_became_of_it() {
        let shard = ShardId(0);
        let told = Stats::default();
        Stats::add(&told.rows, 5);
        Stats::add(&told.head_batches, 7);
        let check = |refused: Option<proto::Outcome>, expected: &str| {
            let stats = Stats::default();
            let part = end(&told, refused.map(|outcome| (outcome, "why".to_owned())));
            let said = match read_part(part, shard, &stats) {
                Ok(Part::End) => "done".to_owned(),
                Ok(Part::Partial(_)) => "a part".to_owned(),
                Err(error) => error.to_string(),
            };
            assert_eq!(said, expected);
            assert_eq!(stats.rows.load(Ordering::Relaxed), 5);
            assert_eq!(stats.head_batches.load(Ordering::Relaxed), 7);
        };
        check(None, "done");
        check(Some(proto::Outcome::Bad), "why");
        check(Some(proto::Outcome::Unavailable), "shard 0 cannot be read now: why");
        check(Some(proto::Outcome::Damaged), "shard 0: why");
        for garbage in [&b""[..], b"\xff\xff\xff", b"\x0a\xff"] {
            let read = read_part(Bytes::from_static(garbage), shard, &told);
            assert!(matches!(read, Err(Error::Foreign(_))));
        }
        let part = read_part(partial(Bytes::from_static(b"x")), shard, &told);
        assert!(matches!(part, Ok(Part::Partial(bytes)) if &bytes[..] == b"x"));
    }
}
