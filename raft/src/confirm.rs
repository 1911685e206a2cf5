//! Whether this replica still leads, and what a read has to see.
//!
//! In comes the wish to read; out goes an index that covers everything acknowledged before, by
//! anybody. openraft is not asked: its way is a heartbeat of each group through the cores of two
//! nodes, and a query reads many groups at once. What is asked instead is which vote a replica
//! saved last, which it knows without its core.
//!
//! Why that is enough. Let a read begin, and then a majority of the voters each say that the last
//! vote they saved is for this leader, or for an earlier one. Whoever leads later is elected by a
//! majority whose votes for it were saved before they were given, so one of those that answered
//! voted for it after its answer: nobody was elected, and nothing acknowledged by anybody else,
//! before the read began. What this leader acknowledged it had applied; what leaders before it
//! acknowledged is in its log before its own first entry, which it must have applied, too. And what
//! other replicas have applied, and shown to others, they have from a message of this leader that
//! said it is committed: see [`Told`]. (Ongaro, "Consensus: Bridging Theory and Practice", 2014,
//! section 6.4, where heartbeats do what votes do here.)
//!
//! Invariants:
//! - A vote counts for reads that began before it was read, and for no others.
//! - A replica that was erased has forgotten its vote: only the incarnation that is the member
//!   answers for it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use drave_proto::raft as proto;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use openraft::ServerState;
use openraft::async_runtime::watch::WatchReceiver;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::beats::Ask;
use crate::error::ReadError;
use crate::group::Group;
use crate::machine::Machine;
use crate::types::{LeaderId, LogId, StoredMembership, Vote};
use crate::wire;

/// A voter that says nothing for so long is lost to this round.
const QUESTION_TIME_MAX: Duration = Duration::from_millis(600);
/// A leader that was just elected applies its first entry as soon as a majority has it.
const FIRST_ENTRY_TIME_MAX: Duration = Duration::from_millis(600);

/// The highest index that other replicas were told is committed, or are about to be: they may show
/// what is there before this leader itself has applied it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told(Arc<AtomicU64>);

impl Told {
    /// To be called before the message leaves.
    pub(crate) fn note(&self, committed: Option<LogId>) {
        if let Some(id) = committed {
            self.0.fetch_max(id.index, Ordering::SeqCst);
        }
    }

    fn index(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// What a leader believes, and who has to agree.
struct Lead {
    id: LeaderId,
    index: u64,
    members: Arc<StoredMembership>,
    confirmed: BTreeSet<u64>,
}

impl Lead {
    /// Counts a vote, where it is one of a voter's own replica.
    fn count(&mut self, node: u64, voted: &proto::Voted) {
        let member = self.members.membership().get_node(&node);
        let is_member = member.is_some_and(|m| [0, voted.incarnation].contains(&m.incarnation));
        let vote = wire::to_vote(voted.vote);
        if voted.refused.is_empty() && is_member && vote.is_ok_and(|v| v.leader_id <= self.id) {
            self.confirmed.insert(node);
        }
    }

    /// Whether a majority has confirmed; while voters change there are two sets of them, and each
    /// needs its own.
    fn is_confirmed(&self) -> bool {
        let has_majority = |voters: &BTreeSet<u64>| {
            voters.intersection(&self.confirmed).count() * 2 > voters.len()
        };
        self.members.membership().get_joint_config().iter().all(has_majority)
    }
}

impl<M: Machine> Group<M> {
    /// The last vote that this replica saved.
    pub(crate) fn voted(&self) -> proto::Voted {
        let vote = self.shared.log.vote().unwrap_or_else(|| Vote::new(0, 0));
        proto::Voted {
            group: self.id,
            incarnation: self.side.incarnation,
            vote: Some(wire::ballot(&vote)),
            ..Default::default()
        }
    }

    /// A read index for another node that says what its replica voted: with this replica's own, a
    /// majority of three. Nothing where more voters must be asked.
    pub(crate) async fn confirmed_by(
        &self,
        node: u64,
        voted: &proto::Voted,
    ) -> Result<Option<u64>, ReadError> {
        let mut lead = self.lead().await?;
        lead.count(node, voted);
        Ok(lead.is_confirmed().then_some(lead.index))
    }

    /// A read index, if this replica leads and a majority of the voters says so.
    pub(crate) async fn ask_majority(&self) -> Result<u64, ReadError> {
        let mut lead = self.lead().await?;
        let voters: BTreeSet<u64> = lead.members.membership().voter_ids().collect();
        let mut answers: FuturesUnordered<_> =
            voters.into_iter().filter(|id| *id != lead.id.node_id).map(|id| self.ask(id)).collect();
        while !lead.is_confirmed() {
            let Some((node, voted)) = answers.next().await else {
                let what = "no majority of its voters confirms the leader";
                return Err(self.cannot_read(None, self.reason(what)));
            };
            if let Some(voted) = voted {
                lead.count(node, &voted);
            }
        }
        Ok(lead.index)
    }

    /// Which vote another voter saved last; nothing if it does not say.
    async fn ask(&self, node: u64) -> (u64, Option<proto::Voted>) {
        let question = proto::Question { number: 0, group: self.id };
        let (answer, voted) = oneshot::channel();
        let ask = async {
            let beats = self.parts.peers.beats(node)?;
            beats.send(Ask::Question { question, answer }).await.ok()?;
            voted.await.ok()
        };
        (node, timeout(QUESTION_TIME_MAX, ask).await.ok().flatten())
    }

    /// What this replica believes if it leads, and the index that a read has to see if it is right.
    async fn lead(&self) -> Result<Lead, ReadError> {
        if let Some(reason) = self.failed() {
            return Err(self.cannot_read(None, reason));
        }
        let not_leading = |leader| self.cannot_read(leader, self.not_leading());
        let (me, metrics) = (self.parts.node_id, self.raft.metrics());
        let term = {
            let metrics = metrics.borrow_watched();
            if metrics.state != ServerState::Leader {
                return Err(not_leading(metrics.current_leader.filter(|leader| *leader != me)));
            }
            metrics.current_term
        };
        let id = LeaderId { term, node_id: me };
        let mut applied = self.shared.applied.subscribe();
        let is_own =
            |index: &u64| self.shared.log.log_id(*index).is_some_and(|entry| entry.leader_id == id);
        let own = timeout(FIRST_ENTRY_TIME_MAX, applied.wait_for(is_own)).await;
        let Ok(Ok(applied)) = own.map(|own| own.map(|index| *index)) else {
            return Err(self.cannot_read(None, self.reason("the leader has applied nothing yet")));
        };
        // Its own vote, last: had it gone to somebody else, the rest would say nothing.
        if self.shared.log.vote() != Some(Vote { leader_id: id, committed: true }) {
            return Err(not_leading(None));
        }
        let members = metrics.borrow_watched().membership_config.clone();
        let index = applied.max(self.side.told.index());
        Ok(Lead { id, index, members, confirmed: BTreeSet::from([me]) })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::types::{Member, Membership};

    /// Node 1 leads in term 5; the incarnation of each node is ten times its number.
    fn lead(configs: &[&[u64]]) -> Lead {
        let voters: Vec<BTreeSet<u64>> =
            configs.iter().map(|ids| ids.iter().copied().collect()).collect();
        let member = |id: &u64| (*id, Member { address: String::new(), incarnation: id * 10 });
        let members: BTreeMap<u64, Member> = voters.iter().flatten().map(member).collect();
        let membership = Membership::new(voters, members).expect("voters are members");
        Lead {
            id: LeaderId { term: 5, node_id: 1 },
            index: 7,
            members: Arc::new(StoredMembership::new(None, membership)),
            confirmed: BTreeSet::from([1]),
        }
    }

    fn voted(incarnation: u64, term: u64, node: u64) -> proto::Voted {
        let vote = Some(proto::Ballot { term, node, committed: false });
        proto::Voted { incarnation, vote, ..Default::default() }
    }

    #[test]
    fn a_vote_for_this_leader_or_one_before_confirms_it() {
        let check = |node: u64, voted: proto::Voted, confirms: bool| {
            let mut lead = lead(&[&[1, 2, 3]]);
            lead.count(node, &voted);
            assert_eq!(lead.is_confirmed(), confirms, "{node}: {voted:?}");
        };
        check(2, voted(20, 5, 1), true);
        check(2, voted(20, 4, 3), true);
        check(2, voted(20, 0, 0), true);
        check(2, voted(20, 6, 3), false);
        // In one term there may be several leaders, the later one of the greater node.
        check(2, voted(20, 5, 2), false);
        check(2, voted(21, 5, 1), false);
        check(9, voted(90, 5, 1), false);
        check(2, proto::Voted { vote: None, ..voted(20, 5, 1) }, false);
        check(2, proto::Voted { refused: "no".to_owned(), ..voted(20, 5, 1) }, false);
    }

    #[test]
    fn each_set_of_voters_needs_its_majority() {
        assert!(lead(&[&[1]]).is_confirmed(), "a lone voter asks nobody");
        let mut five = lead(&[&[1, 2, 3, 4, 5]]);
        five.count(2, &voted(20, 5, 1));
        five.count(2, &voted(20, 5, 1));
        assert!(!five.is_confirmed(), "nobody counts twice");
        five.count(3, &voted(30, 5, 1));
        assert!(five.is_confirmed());
        let mut changing = lead(&[&[1, 2, 3], &[3, 4, 5]]);
        changing.count(2, &voted(20, 5, 1));
        changing.count(4, &voted(40, 5, 1));
        assert!(!changing.is_confirmed());
        changing.count(3, &voted(30, 5, 1));
        assert!(changing.is_confirmed());
    }

    #[test]
    fn a_commit_that_was_told_is_not_forgotten() {
        let told = Told::default();
        let id = |index| LogId { leader_id: LeaderId { term: 1, node_id: 1 }, index };
        told.note(Some(id(9)));
        told.note(None);
        told.note(Some(id(4)));
        assert_eq!(told.index(), 9);
    }
}
