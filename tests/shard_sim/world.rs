//! The world around one shard: a log that is agreed on, replicas that lag and die, leaders that
//! race, an object store, readers, and somebody who proposes nonsense.
//!
//! Nothing here runs at once: a step is one thing that happens, and the seed says which.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use bytes::Bytes;
use drave::model::{Index, Labels, Tenant, Timestamp};
use drave::shard::{Command, Policy, Reply, ShardView, invariants};

use crate::coverage::Coverage;
use crate::objects::Objects;
use crate::reader;
use crate::replica::Replica;
use crate::rng::Rng;
use crate::tasks::Task;
use crate::twin::{Entry, Twin, Visible, time_of};

/// Steps for which a proposal or an upload may be under way.
pub(crate) const TASK_STEPS_MAX: usize = 12;
/// Steps for which a view may be behind when a query takes it.
pub(crate) const STALE_STEPS_MAX: usize = 8;
/// Steps that a query takes.
pub(crate) const QUERY_STEPS_MAX: usize = 8;
/// Steps that clocks differ by.
pub(crate) const SKEW_STEPS_MAX: usize = 3;
/// Steps before what is retired is erased: longer than all of these together.
pub(crate) const GRACE_STEPS: usize =
    TASK_STEPS_MAX + STALE_STEPS_MAX + QUERY_STEPS_MAX + SKEW_STEPS_MAX + 1;

/// A mistake that whoever carries out the plan could make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// Says that a head is flushed while its objects are still on their way.
    FlushBeforePut,
    /// Deletes what it uploaded when its command turns out to be stale.
    EraseOnStale,
    /// Erases what was retired just now.
    NoGrace,
    /// Sweeps objects that no row names yet, without a fence.
    SweepUnfenced,
    /// Sweeps behind a fence that stands before what was listed.
    SweepBehindOldFence,
    /// Purges the WAL by what is in memory.
    PurgeTooEarly,
    /// Sends a snapshot as if it held the heads.
    SnapshotAtApplied,
    /// Writes rows without the `applied` they belong to.
    TornTransaction,
}

pub(crate) struct World {
    pub(crate) rng: Rng,
    pub(crate) step: usize,
    pub(crate) bug: Option<Bug>,
    pub(crate) log: Vec<Bytes>,
    /// The step at which each command was committed.
    committed: Vec<usize>,
    pub(crate) twin: Twin,
    /// What the twin answered to each command.
    replies: Vec<Reply>,
    /// What can be read after each command; the first is before any.
    expected: Vec<Visible>,
    /// The state after each command, once a replica was there.
    digests: Vec<Option<u64>>,
    pub(crate) replicas: Vec<Replica>,
    pub(crate) tasks: Vec<Task>,
    pub(crate) objects: Objects,
    /// Views that queries hold, and the step at which each query started.
    queries: Vec<(ShardView, usize)>,
    trace: DefaultHasher,
    pub(crate) coverage: Coverage,
}

impl World {
    pub(crate) fn new(seed: u64, bug: Option<Bug>) -> World {
        World {
            rng: Rng::new(seed),
            step: 0,
            bug,
            log: Vec::new(),
            committed: Vec::new(),
            twin: Twin::default(),
            replies: Vec::new(),
            expected: vec![Visible::new()],
            digests: vec![None],
            replicas: (0..3).map(|_| Replica::new()).collect(),
            tasks: Vec::new(),
            objects: Objects::default(),
            queries: Vec::new(),
            trace: DefaultHasher::new(),
            coverage: Coverage::default(),
        }
    }

    /// Runs, and gives back a hash of all that happened.
    pub(crate) fn run(&mut self, steps: usize) -> u64 {
        for replica in &mut self.replicas {
            replica.skew = self.rng.below(SKEW_STEPS_MAX + 1);
        }
        for step in 0..steps {
            self.step = step;
            (0..self.replicas.len()).for_each(|i| self.deliver(i));
            self.act();
            (0..self.rng.below(5)).for_each(|_| self.advance());
            self.read_something();
        }
        self.settle();
        self.trace.finish()
    }

    fn act(&mut self) {
        let i = self.rng.below(self.replicas.len());
        match self.rng.below(26) {
            0..=6 => self.push(),
            7..=13 => self.lead(i),
            14..=18 => self.compact(i),
            19 => self.retain(i),
            20 | 21 => self.sweep(i),
            22 | 23 => self.talk_nonsense(),
            24 => self.tombstone(),
            _ => self.crash(i),
        }
    }

    /// What a leader decides by in this world: everything happens soon.
    pub(crate) fn policy(&mut self) -> Policy {
        let grace = if self.bug == Some(Bug::NoGrace) { 0 } else { GRACE_STEPS };
        let grace = time_of(grace).since(time_of(0));
        Policy {
            seal_raw_bytes: 60,
            seal_memory_bytes: 1 << 20,
            seal_age: Duration::from_secs(6000),
            uploads_max: 1 + self.rng.below(2),
            erase_grace: grace,
            pressure_bytes: if self.rng.one_in(5) { 1 } else { 0 },
        }
    }

    /// The clock of a replica.
    pub(crate) fn now(&self, i: usize) -> Timestamp {
        time_of(self.step + self.replicas[i].skew)
    }

    /// Puts a command into the log, for good.
    pub(crate) fn commit(&mut self, command: Bytes) -> Reply {
        command.hash(&mut self.trace);
        let index = self.log.len() as Index + 1;
        let reply = self.twin.apply(index, &command);
        self.coverage.saw(&command, &reply);
        self.log.push(command);
        self.committed.push(self.step);
        self.replies.push(reply);
        self.expected.push(self.twin.visible());
        self.digests.push(None);
        reply
    }

    /// The step at which a command was committed.
    pub(crate) fn committed(&self, index: Index) -> usize {
        self.committed[index as usize - 1]
    }

    fn push(&mut self) {
        let n_entries = self.rng.below(4);
        let entries: Vec<Entry> = (0..n_entries)
            .map(|_| {
                let back = self.rng.below(30);
                Entry {
                    tenant: tenants()[self.rng.below(3)].clone(),
                    labels: labels(self.rng.below(3)),
                    ts: time_of(self.step).nanos() - time_of(back).nanos() + time_of(0).nanos(),
                    line: format!("line {}", self.rng.below(9)),
                }
            })
            .collect();
        let batch = self.twin.push(entries);
        let command = Command::Append { batch }.encode();
        self.commit(command.clone());
        if self.rng.one_in(5) {
            // The answer got lost, so the client sends the same again.
            self.commit(command);
        }
    }

    /// A replica hears what was committed, perhaps late, perhaps only as a snapshot.
    fn deliver(&mut self, i: usize) {
        if self.replicas[i].stalled > 0 {
            self.replicas[i].stalled -= 1;
            return;
        }
        if self.rng.one_in(50) {
            self.replicas[i].stalled = self.rng.below(60);
        }
        let lag = self.rng.below(4);
        self.apply_until(i, (self.log.len().saturating_sub(lag)) as Index);
        self.compare(i);
        if self.rng.one_in(3) {
            let purge = self.rng.one_in(2);
            self.replicas[i].sync(purge);
        }
        if self.bug == Some(Bug::PurgeTooEarly) && self.rng.one_in(3) {
            self.replicas[i].purge_too_early();
        }
    }

    pub(crate) fn apply_until(&mut self, i: usize, end: Index) {
        while self.replicas[i].shard.applied() < end {
            let next = self.replicas[i].shard.applied() + 1;
            let others: Vec<usize> = (0..self.replicas.len()).filter(|other| *other != i).collect();
            let source = others[self.rng.below(others.len())];
            if self.replicas[source].purged >= next {
                self.send_snapshot(source, i);
            } else {
                self.apply(i);
            }
        }
    }

    fn apply(&mut self, i: usize) {
        let replays = self.replicas[i].shard.view().is_none();
        let reply = self.replicas[i].apply(&self.log);
        let index = self.replicas[i].shard.applied();
        if replays {
            self.coverage.replayed += 1;
        } else {
            assert_eq!(reply, self.replies[index as usize - 1], "reply to command {index}");
        }
    }

    /// Replicas that applied the same commands are equal.
    fn compare(&mut self, i: usize) {
        let replica = &self.replicas[i];
        let Some(view) = replica.shard.view() else { return };
        invariants::check(&view);
        let digest = replica.shard.digest();
        let known = &mut self.digests[view.applied() as usize];
        assert_eq!(*known.get_or_insert(digest), digest, "same log, same shard");
        digest.hash(&mut self.trace);
    }

    fn send_snapshot(&mut self, source: usize, i: usize) {
        let source = &self.replicas[source].shard;
        let (rows, mut at) = (source.snapshot(), source.floor() - 1);
        if self.bug == Some(Bug::SnapshotAtApplied) {
            at = source.applied();
        } else if self.rng.one_in(4) {
            // Rows that were read after the place of the snapshot was settled.
            at = self.replicas[i].shard.applied().max(at.saturating_sub(5));
        }
        self.coverage.snapshots += 1;
        self.replicas[i].install(rows, at);
        self.compare(i);
    }

    fn crash(&mut self, i: usize) {
        self.coverage.crashes += 1;
        let applied = self.replicas[i].shard.applied();
        if self.bug == Some(Bug::TornTransaction) {
            self.replicas[i].tear();
        }
        self.replicas[i].crash(&mut self.rng, &self.log);
        self.compare(i);
        if self.rng.one_in(2) {
            self.apply_until(i, applied);
        }
    }

    fn read_something(&mut self) {
        let i = self.rng.below(self.replicas.len());
        if self.rng.one_in(4) {
            self.replicas[i].check_rows();
        }
        if let Some(view) = self.replicas[i].shard.view()
            && self.is_fresh(view.applied())
        {
            self.queries.push((view, self.step));
        }
        let step = self.step;
        self.queries.retain(|(_, started)| step - started <= QUERY_STEPS_MAX);
        if !self.queries.is_empty() {
            let query = self.rng.below(self.queries.len());
            let view = self.queries[query].0.clone();
            self.check_read(&view);
        }
    }

    /// Whether nothing newer is older than a query may miss.
    fn is_fresh(&self, applied: Index) -> bool {
        let next = self.committed.get(applied as usize);
        next.is_none_or(|next| self.step - next <= STALE_STEPS_MAX)
    }

    fn check_read(&mut self, view: &ShardView) {
        let range = if self.rng.one_in(2) {
            Timestamp::MIN..Timestamp::MAX
        } else {
            let start = time_of(self.rng.below(self.step + 1));
            start..time_of(self.step + 1)
        };
        let expected = &self.expected[view.applied() as usize];
        let entries = expected.iter().flat_map(|(tenant, batches)| {
            batches.iter().flat_map(|index| self.twin.entries(tenant, *index))
        });
        let entries = entries.filter(|placed| range.contains(&Timestamp(placed.entry.ts)));
        reader::check(view, &self.objects, &range, entries.collect());
    }

    /// Everybody hears everything; then everything must be there.
    fn settle(&mut self) {
        for i in 0..self.replicas.len() {
            self.apply_until(i, self.log.len() as Index);
            self.compare(i);
            let view = self.replicas[i].shard.view().expect("it heard everything");
            self.check_read(&view);
            for tenant in tenants() {
                let expected = self.twin.tombstones().iter();
                let expected = expected.filter(|(_, tombstone)| tombstone.tenant == *tenant);
                let seen = view.tombstones(tenant).map(|(id, tombstone)| (id, &**tombstone));
                assert!(seen.eq(expected.map(|(id, tombstone)| (*id, tombstone))), "tombstones");
            }
        }
        self.coverage.objects += self.objects.len();
    }
}

/// Three tenants: two that could be mixed up in a path, and one that needs escaping.
pub(crate) fn tenants() -> &'static [Tenant; 3] {
    static TENANTS: std::sync::OnceLock<[Tenant; 3]> = std::sync::OnceLock::new();
    TENANTS.get_or_init(|| {
        ["team", "TEAM", "t.(*)"].map(|text| Tenant::parse(text).expect("a tenant id"))
    })
}

fn labels(number: usize) -> Labels {
    Labels::from_pairs([("app", format!("app-{number}"))]).expect("one label")
}
