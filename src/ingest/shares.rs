//! What the streams of each policy get of a push, and whether they may have it.
//!
//! In: the policy of each stream, then the entries that go into it. Out: whether a stream may be
//! there and its entry come now, and at the end whether all bytes may. Streams without a policy, and
//! those whose policy has no limits of its own, draw on what their tenant may; others on their own.
//!
//! Invariant: a push takes from all that it draws on, or from none.

use std::sync::{Arc, Mutex};

use super::Context;
use super::refusal::{Refused, TooFast};
use super::streams::{Account, Stream, lock};
use crate::model::limits::ByteSize;
use crate::model::policy::Allowance;

const MEBIBYTE: f64 = 1_048_576.0;

/// The part of one policy, or of the streams without one.
struct Share {
    policy: Option<Box<str>>,
    allowance: Allowance,
    /// Who counts the streams; `None` where nobody does.
    streams: Option<Arc<Mutex<Account>>>,
    /// The purse that its bytes come from.
    purse: usize,
}

/// What is taken from one rate.
struct Purse {
    /// Whose it is: a policy's, or the tenant's.
    policy: Option<Box<str>>,
    account: Option<Arc<Mutex<Account>>>,
    rate: f64,
    burst: f64,
    n_entries: usize,
    bytes: usize,
}

/// Which part a stream belongs to.
#[derive(Clone, Copy)]
pub(super) struct Part(usize);

/// All parts of one push. The first is that of streams without a policy.
pub(super) struct Shares<'a> {
    context: &'a Context<'a>,
    shares: Vec<Share>,
    purses: Vec<Purse>,
}

impl<'a> Shares<'a> {
    /// Of a push that nothing was read of.
    pub(super) fn new(context: &'a Context<'a>) -> Shares<'a> {
        let mut shares = Shares { context, shares: Vec::new(), purses: Vec::new() };
        shares.open(None);
        shares
    }

    fn open(&mut self, policy: Option<&str>) -> usize {
        let context = self.context;
        let allowance = context.limits.allowance(policy);
        let own = |is_own: bool| if is_own { policy } else { None };
        let account = |own: Option<&str>| context.cache.account(context.tenant, own, context.now);
        let counts = allowance.streams_max > 0 || !allowance.stream_rate.is_empty();
        let purse = if self.purses.is_empty() || allowance.own_rate {
            self.purses.push(Purse {
                policy: own(allowance.own_rate).map(Box::from),
                account: (allowance.rate_mb > 0.0).then(|| account(own(allowance.own_rate))),
                rate: allowance.rate_mb * MEBIBYTE,
                burst: allowance.burst_mb * MEBIBYTE,
                n_entries: 0,
                bytes: 0,
            });
            self.purses.len() - 1
        } else {
            0
        };
        self.shares.push(Share {
            policy: policy.map(Box::from),
            allowance,
            streams: counts.then(|| account(own(allowance.own_streams))),
            purse,
        });
        self.shares.len() - 1
    }

    /// The part that a stream belongs to; `None` where it is new, and there are as many as may be.
    pub(super) fn admit(&mut self, stream: &Stream) -> Option<Part> {
        let policy = stream.policy.as_deref();
        let known = self.shares.iter().position(|share| share.policy.as_deref() == policy);
        let at = known.unwrap_or_else(|| self.open(policy));
        let share = &self.shares[at];
        let n_max = share.allowance.streams_max;
        let admitted = match &share.streams {
            Some(account) if n_max > 0 => lock(account).admit(stream.hash, n_max, self.context.now),
            _ => true,
        };
        admitted.then_some(Part(at))
    }

    /// Whether a stream may get so many bytes now; else the rate that it is over.
    pub(super) fn in_rate(
        &self,
        Part(at): Part,
        stream: u64,
        bytes: usize,
    ) -> Result<(), ByteSize> {
        let share = &self.shares[at];
        let rate = share.allowance.stream_rate;
        let Some(account) = share.streams.as_ref().filter(|_| !rate.is_empty()) else {
            return Ok(());
        };
        let now = self.context.now;
        let [mean, burst] =
            [rate, share.allowance.stream_burst.max(rate)].map(|ByteSize(bytes)| bytes as f64);
        let taken = lock(account).bucket_of(stream, now).take(bytes, mean, burst, now);
        if taken { Ok(()) } else { Err(rate) }
    }

    /// Counts an entry that is taken.
    pub(super) fn count(&mut self, Part(at): Part, bytes: usize) {
        let purse = &mut self.purses[self.shares[at].purse];
        purse.n_entries += 1;
        purse.bytes += bytes;
    }

    /// Takes what the push has from the rates it draws on.
    pub(super) fn pay(&self) -> Result<(), Refused> {
        let now = self.context.now;
        let take = |purse: &&Purse| match &purse.account {
            Some(account) if purse.n_entries > 0 => {
                lock(account).bucket.take(purse.bytes, purse.rate, purse.burst, now)
            }
            _ => true,
        };
        let (paid, unpaid): (Vec<&Purse>, Vec<&Purse>) = self.purses.iter().partition(take);
        if unpaid.is_empty() {
            return Ok(());
        }
        for purse in paid.iter().filter(|purse| purse.n_entries > 0) {
            if let Some(account) = &purse.account {
                lock(account).bucket.give_back(purse.bytes, purse.burst);
            }
        }
        let over = unpaid.iter().map(|purse| TooFast {
            policy: purse.policy.as_deref(),
            rate: purse.rate,
            n_lines: purse.n_entries,
            bytes: purse.bytes,
        });
        Err(Refused::too_fast(self.context.tenant, over.collect()))
    }
}
