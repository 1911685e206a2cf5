//! What goes over the wire, as openraft's types: pure, in both directions.
//!
//! In come messages of a peer, which may say anything; out go values that keep what openraft takes
//! for granted, or a sentence on what is wrong with them.
//!
//! Invariant: entries of a request are contiguous, and no leader of a later term precedes one of an
//! earlier term.

use drave_proto::raft as proto;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, StreamAppendError, StreamAppendResult,
    TransferLeaderRequest, VoteRequest, VoteResponse,
};

use crate::disk::{decode_payload, encode_payload, payload_bytes};
use crate::types::{Entry, LeaderId, LogId, Types, Vote};

/// The version of the messages between nodes, and of the commands in them: a replica that does not
/// know a command would refuse what the others do. A node talks only to nodes of its own version.
pub const WIRE_VERSION: u32 = 6;

/// The longest message: an entry of the largest size, and what surrounds it.
pub(crate) const MESSAGE_BYTES_MAX: usize = crate::disk::PAYLOAD_BYTES_MAX + (1 << 20);

pub(crate) fn log_id(id: LogId) -> proto::LogId {
    proto::LogId { term: id.leader_id.term, node: id.leader_id.node_id, index: id.index }
}

pub(crate) fn to_log_id(id: proto::LogId) -> LogId {
    LogId { leader_id: LeaderId { term: id.term, node_id: id.node }, index: id.index }
}

pub(crate) fn ballot(vote: &Vote) -> proto::Ballot {
    proto::Ballot {
        term: vote.leader_id.term,
        node: vote.leader_id.node_id,
        committed: vote.committed,
    }
}

/// A vote, which every message has that should have one.
pub(crate) fn to_vote(vote: Option<proto::Ballot>) -> Result<Vote, String> {
    let vote = vote.ok_or("a message without a vote")?;
    let leader_id = LeaderId { term: vote.term, node_id: vote.node };
    Ok(Vote { leader_id, committed: vote.committed })
}

/// An append, and how many bytes of payload it carries.
pub(crate) fn append(request: &AppendEntriesRequest<Types>) -> (proto::AppendRequest, usize) {
    let mut bytes = 0;
    let entries = request.entries.iter().map(|entry| {
        let (kind, payload) = encode_payload(&entry.payload);
        bytes += payload.len();
        let leader = entry.log_id.leader_id;
        proto::Entry { term: leader.term, node: leader.node_id, kind: kind.into(), payload }
    });
    let entries = entries.collect();
    let message = proto::AppendRequest {
        header: None,
        vote: Some(ballot(&request.vote)),
        previous: request.prev_log_id.map(log_id),
        committed: request.leader_commit.map(log_id),
        entries,
    };
    (message, bytes)
}

/// The payload bytes of a request.
pub(crate) fn append_bytes(request: &AppendEntriesRequest<Types>) -> usize {
    request.entries.iter().map(|entry| payload_bytes(&entry.payload)).sum()
}

pub(crate) fn to_append(
    message: proto::AppendRequest,
) -> Result<AppendEntriesRequest<Types>, String> {
    let vote = to_vote(message.vote)?;
    if !vote.committed {
        return Err("an append from a candidate".into());
    }
    let prev_log_id = message.previous.map(to_log_id);
    let mut last_leader = prev_log_id.map(|id| id.leader_id);
    let mut next = match prev_log_id {
        Some(id) => id.index.checked_add(1).ok_or("an index beyond all others")?,
        None => 0,
    };
    let mut entries = Vec::with_capacity(message.entries.len());
    for entry in message.entries {
        let leader_id = LeaderId { term: entry.term, node_id: entry.node };
        if last_leader > Some(leader_id) || leader_id > vote.leader_id {
            return Err(format!("entry {next} is of a leader that cannot have written it"));
        }
        last_leader = Some(leader_id);
        let payload = decode_payload(entry.kind, entry.payload)?;
        entries.push(Entry { log_id: LogId { leader_id, index: next }, payload });
        next = next.checked_add(1).ok_or("an index beyond all others")?;
    }
    let leader_commit = message.committed.map(to_log_id);
    Ok(AppendEntriesRequest { vote, prev_log_id, entries, leader_commit })
}

pub(crate) fn append_reply(result: StreamAppendResult<Types>) -> proto::AppendReply {
    use proto::append_reply::Result as Reply;
    let result = match result {
        Ok(last) => Reply::Matched(proto::Matched { last: last.map(log_id) }),
        Err(StreamAppendError::Conflict(at)) => Reply::Conflict(log_id(at)),
        Err(StreamAppendError::HigherVote(vote)) => Reply::Higher(ballot(&vote)),
    };
    proto::AppendReply { result: Some(result) }
}

pub(crate) fn to_append_reply(
    reply: proto::AppendReply,
) -> Result<StreamAppendResult<Types>, String> {
    use proto::append_reply::Result as Reply;
    match reply.result.ok_or("an empty answer")? {
        Reply::Matched(matched) => Ok(Ok(matched.last.map(to_log_id))),
        Reply::Conflict(at) => Ok(Err(StreamAppendError::Conflict(to_log_id(at)))),
        Reply::Higher(vote) => Ok(Err(StreamAppendError::HigherVote(to_vote(Some(vote))?))),
    }
}

pub(crate) fn to_beat(beat: &proto::Beat) -> Result<AppendEntriesRequest<Types>, String> {
    let vote = to_vote(beat.vote)?;
    if !vote.committed {
        return Err("a heartbeat from a candidate".into());
    }
    Ok(AppendEntriesRequest {
        vote,
        prev_log_id: beat.previous.map(to_log_id),
        entries: Vec::new(),
        leader_commit: beat.committed.map(to_log_id),
    })
}

pub(crate) fn beat_reply(
    beat: &proto::Beat,
    response: Result<AppendEntriesResponse<Types>, String>,
) -> proto::BeatReply {
    use proto::beat_reply::Result as Reply;
    let result = match response {
        Ok(AppendEntriesResponse::Success) => Reply::Matched(proto::Matched { last: None }),
        Ok(AppendEntriesResponse::PartialSuccess(last)) => {
            Reply::Matched(proto::Matched { last: last.map(log_id) })
        }
        Ok(AppendEntriesResponse::Conflict) => Reply::Conflict(beat.previous.unwrap_or_default()),
        Ok(AppendEntriesResponse::HigherVote(vote)) => Reply::Higher(ballot(&vote)),
        Err(refused) => Reply::Refused(refused),
    };
    proto::BeatReply { number: beat.number, group: beat.group, result: Some(result) }
}

/// The answer to a heartbeat; the error of who refused to answer.
pub(crate) fn to_beat_reply(reply: proto::BeatReply) -> Result<StreamAppendResult<Types>, String> {
    use proto::beat_reply::Result as Reply;
    match reply.result.ok_or("an empty answer")? {
        Reply::Matched(matched) => Ok(Ok(matched.last.map(to_log_id))),
        Reply::Conflict(at) => Ok(Err(StreamAppendError::Conflict(to_log_id(at)))),
        Reply::Higher(vote) => Ok(Err(StreamAppendError::HigherVote(to_vote(Some(vote))?))),
        Reply::Refused(why) => Err(why),
    }
}

pub(crate) fn vote_request(
    header: proto::Header,
    request: &VoteRequest<Types>,
    pre: bool,
) -> proto::VoteRequest {
    proto::VoteRequest {
        header: Some(header),
        vote: Some(ballot(&request.vote)),
        last: request.last_log_id.map(log_id),
        transfer: request.leadership_transfer,
        pre,
    }
}

pub(crate) fn to_vote_request(message: &proto::VoteRequest) -> Result<VoteRequest<Types>, String> {
    let last = message.last.map(to_log_id);
    let mut request = VoteRequest::new(to_vote(message.vote)?, last);
    request.leadership_transfer = message.transfer;
    Ok(request)
}

pub(crate) fn vote_reply(response: &VoteResponse<Types>) -> proto::VoteReply {
    proto::VoteReply {
        vote: Some(ballot(&response.vote)),
        granted: response.vote_granted,
        last: response.last_log_id.map(log_id),
    }
}

pub(crate) fn to_vote_reply(reply: &proto::VoteReply) -> Result<VoteResponse<Types>, String> {
    let last = reply.last.map(to_log_id);
    Ok(VoteResponse::new(to_vote(reply.vote)?, last, reply.granted))
}

pub(crate) fn transfer(
    header: proto::Header,
    request: &TransferLeaderRequest<Types>,
) -> proto::TransferRequest {
    proto::TransferRequest {
        header: Some(header),
        leader: Some(ballot(request.from_leader())),
        to: *request.to_node_id(),
        last: request.last_log_id().copied().map(log_id),
    }
}

pub(crate) fn to_transfer(
    message: &proto::TransferRequest,
) -> Result<TransferLeaderRequest<Types>, String> {
    let last = message.last.map(to_log_id);
    Ok(TransferLeaderRequest::new(to_vote(message.leader)?, message.to, last))
}

#[cfg(test)]
mod tests {
    use openraft::EntryPayload;
    use proptest::prelude::*;

    use super::*;
    use crate::types::{Command, Membership, Payload};

    fn payload() -> impl Strategy<Value = Payload> {
        let membership = Membership::new_with_defaults(vec![[1, 2].into(), [2, 3].into()], [9]);
        prop_oneof![
            Just(EntryPayload::Blank),
            Just(EntryPayload::Membership(membership)),
            proptest::collection::vec(any::<u8>(), 0..300)
                .prop_map(|bytes| EntryPayload::Normal(Command(bytes.into()))),
        ]
    }

    fn id(term: u64, index: u64) -> LogId {
        LogId { leader_id: LeaderId { term, node_id: 7 }, index }
    }

    proptest! {
        #[test]
        fn appends_round_trip(
            payloads in proptest::collection::vec(payload(), 0..5),
            previous in proptest::option::of((0..5u64, 0..1000u64)),
            committed in proptest::option::of((0..5u64, 0..1000u64)),
        ) {
            let leader_id = LeaderId { term: 5, node_id: 7 };
            let prev_log_id = previous.map(|(term, index)| id(term, index));
            let next = prev_log_id.map_or(0, |id| id.index + 1);
            let entries = (next..).zip(payloads);
            let request = AppendEntriesRequest {
                vote: Vote { leader_id, committed: true },
                prev_log_id,
                entries: entries
                    .map(|(index, payload)| Entry { log_id: id(5, index), payload })
                    .collect(),
                leader_commit: committed.map(|(term, index)| id(term, index)),
            };
            let (message, bytes) = append(&request);
            prop_assert_eq!(bytes, append_bytes(&request));
            let back = to_append(message).map_err(TestCaseError::fail)?;
            prop_assert_eq!(back.vote, request.vote);
            prop_assert_eq!(back.prev_log_id, request.prev_log_id);
            prop_assert_eq!(back.leader_commit, request.leader_commit);
            prop_assert_eq!(back.entries, request.entries);
        }
    }

    #[test]
    fn answers_and_votes_round_trip() {
        let vote = Vote { leader_id: LeaderId { term: 3, node_id: 2 }, committed: false };
        let results: [StreamAppendResult<Types>; 4] = [
            Ok(None),
            Ok(Some(id(1, 2))),
            Err(StreamAppendError::Conflict(id(3, 4))),
            Err(StreamAppendError::HigherVote(vote)),
        ];
        for result in results {
            assert_eq!(to_append_reply(append_reply(result.clone())), Ok(result));
        }
        assert!(to_append_reply(proto::AppendReply::default()).is_err());
        let header = proto::Header::default();
        for (pre, transfer) in [(false, false), (true, false), (false, true)] {
            let mut request = VoteRequest::new(vote, Some(id(1, 2)));
            request.leadership_transfer = transfer;
            let message = vote_request(header, &request, pre);
            assert_eq!((message.pre, to_vote_request(&message)), (pre, Ok(request)));
        }
        let response = VoteResponse::new(vote, Some(id(1, 2)), true);
        assert_eq!(to_vote_reply(&vote_reply(&response)), Ok(response));
        let request = TransferLeaderRequest::new(vote, 9, Some(id(1, 2)));
        assert_eq!(to_transfer(&transfer(header, &request)), Ok(request));
    }
}
