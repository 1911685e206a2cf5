//! The node's own clock for its groups: who leads says that it is there, and whoever has heard
//! nobody for too long stands for election.
//!
//! One task looks at all groups of the node a few times within each heartbeat. openraft has a timer
//! per group for the same, which cost more than the heartbeats where groups are many, and waits for
//! the last leader's lease and an election time on top; its timers are off.
//!
//! Invariants:
//! - Time is counted in turns of this task, not by the clock: a process that was stopped, or got no
//!   processor, has not waited. Heartbeats that came meanwhile are still to be read.
//! - Before it stands, a replica asks whether the others would vote for it: one that was cut off
//!   disturbs nobody who hears a leader.
//! - Nobody waits for a group here: each has a task of its own that does what its turn was.

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use openraft::ServerState;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::Fatal;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};

use crate::group::Group;
use crate::machine::Machine;
use crate::replica::Replicas;
use crate::types::Types;

/// Turns within a heartbeat, where that is long enough.
const TURNS_PER_BEAT: u32 = 5;
/// A turn is not longer than this: elections are as exact as this.
const TURN_MAX: Duration = Duration::from_millis(50);
const TURN_MIN: Duration = Duration::from_millis(5);

/// How leaders are told from dead ones, in turns.
#[derive(Debug)]
pub(crate) struct Pace {
    turn_length: Duration,
    /// The present turn; the first one is 1.
    turn: AtomicU64,
    heartbeat: u64,
    /// Silence after which a replica stands, drawn anew each time.
    patience: Range<u64>,
    /// A replica that nobody elected stands again after this, drawn anew each time.
    again: Range<u64>,
    dice: RandomState,
}

/// What a group's replica remembers of its leaders, in turns.
#[derive(Debug, Default)]
pub(crate) struct Timer {
    /// Whether it may stand at all: see [`crate::open`].
    may_stand: AtomicBool,
    /// When it last heard a leader, or voted.
    heard: AtomicU64,
    /// When it stands, unless it hears somebody; 0 where that is to be drawn.
    stands: AtomicU64,
    /// What its turns were that its own task has still to do.
    beats: AtomicBool,
    elects: AtomicBool,
    due: Notify,
}

impl Timer {
    /// From now on it stands where it hears nobody.
    pub(crate) fn may_stand(&self) {
        self.may_stand.store(true, Ordering::Release);
    }

    /// A leader was heard, or a vote given.
    pub(crate) fn heard(&self, pace: &Pace) {
        self.heard.store(pace.now(), Ordering::Relaxed);
        self.stands.store(0, Ordering::Relaxed);
    }

    /// Whether it has waited for long enough, once: then it waits anew. `has_stood` says whether
    /// votes for it are on their way.
    fn is_due(&self, pace: &Pace, group: u32, has_stood: impl FnOnce() -> bool) -> bool {
        let now = pace.now();
        if !self.may_stand.load(Ordering::Acquire) {
            return false;
        }
        match self.stands.load(Ordering::Relaxed) {
            0 => {
                let stands = self.heard.load(Ordering::Relaxed) + pace.draw(group, &pace.patience);
                // Whoever is heard at this very moment sets it back to 0, or with the next beat.
                self.stands.store(stands.max(now + 1), Ordering::Relaxed);
                false
            }
            stands if stands > now => false,
            _ => {
                // Votes that are being given, and written to disks, are given their time.
                let wait = if has_stood() { &pace.patience } else { &pace.again };
                self.stands.store(now + pace.draw(group, wait), Ordering::Relaxed);
                true
            }
        }
    }
}

impl Pace {
    pub(crate) fn new(heartbeat: Duration, election: &Range<Duration>) -> Arc<Self> {
        let turn_length = (heartbeat / TURNS_PER_BEAT).clamp(TURN_MIN, TURN_MAX);
        let turns = |time: Duration| {
            let turns = time.as_nanos().div_ceil(turn_length.as_nanos()).max(1);
            u64::try_from(turns).unwrap_or(u64::MAX / 2)
        };
        let range = |start: Duration, end: Duration| turns(start)..turns(end).max(turns(start) + 1);
        Arc::new(Self {
            turn_length,
            turn: AtomicU64::new(1),
            heartbeat: turns(heartbeat),
            patience: range(election.start, election.end),
            // Everybody has been silent for long already: only two that stand at once are to be
            // told apart.
            again: range(heartbeat, heartbeat + (election.end - election.start)),
            dice: RandomState::new(),
        })
    }

    fn now(&self) -> u64 {
        self.turn.load(Ordering::Relaxed)
    }

    fn draw(&self, group: u32, range: &Range<u64>) -> u64 {
        let drawn = self.dice.hash_one((group, self.now()));
        range.start + drawn % (range.end - range.start)
    }

    /// Looks after all groups until it is dropped.
    pub(crate) async fn run(self: Arc<Self>, replicas: Replicas) {
        let mut turns = interval(self.turn_length);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            let turn = self.turn.fetch_add(1, Ordering::Relaxed) + 1;
            let beats = turn.is_multiple_of(self.heartbeat);
            replicas.for_each(|replica| replica.turn(beats));
        }
    }
}

impl<M: Machine> Group<M> {
    /// The group's part of a turn.
    pub(crate) fn take_turn(&self, beats: bool) {
        let timer = &self.side.timer;
        let due = match self.leads() {
            true if beats => &timer.beats,
            false if self.is_due() => &timer.elects,
            _ => return,
        };
        due.store(true, Ordering::Release);
        timer.due.notify_one();
    }

    /// Does what the group's turns are, until the group stops. openraft's calls are never left half
    /// way: one that is dropped while it learns that its core has ended makes the next one panic.
    pub(crate) async fn do_turns(&self) -> Fatal<Types> {
        let (timer, trigger) = (&self.side.timer, self.raft.trigger());
        loop {
            timer.due.notified().await;
            let beat = timer.beats.swap(false, Ordering::AcqRel);
            if beat && let Err(fatal) = trigger.heartbeat().await {
                return fatal;
            }
            let elect = timer.elects.swap(false, Ordering::AcqRel);
            if elect && let Err(fatal) = trigger.elect(true).await {
                return fatal;
            }
        }
    }

    /// Whether this replica stands in this turn.
    fn is_due(&self) -> bool {
        let metrics = self.raft.metrics();
        let is_candidate = || metrics.borrow_watched().state == ServerState::Candidate;
        if !self.side.timer.is_due(&self.parts.pace, self.id, is_candidate) {
            return false;
        }
        let metrics = metrics.borrow_watched();
        let mut voters = metrics.membership_config.membership().voter_ids();
        voters.any(|id| id == self.parts.node_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_of_a_heartbeat() {
        let ms = Duration::from_millis;
        let pace = Pace::new(ms(300), &(ms(1000)..ms(1500)));
        assert_eq!((pace.turn_length, pace.heartbeat), (ms(50), 6));
        assert_eq!((pace.patience.clone(), pace.again.clone()), (20..30, 6..16));
        let pace = Pace::new(ms(10), &(ms(20)..ms(20)));
        assert_eq!((pace.turn_length, pace.patience.clone()), (ms(5), 4..5));
    }

    #[test]
    fn groups_draw_differently() {
        let ms = Duration::from_millis;
        let pace = Pace::new(ms(300), &(ms(1000)..ms(1500)));
        let drawn: Vec<u64> = (0..100).map(|group| pace.draw(group, &pace.patience)).collect();
        assert!(drawn.iter().all(|drawn| pace.patience.contains(drawn)), "{drawn:?}");
        let different: std::collections::BTreeSet<&u64> = drawn.iter().collect();
        assert!(different.len() > 5, "{drawn:?}");
    }

    /// How many turns pass until a timer is due.
    fn waits(pace: &Pace, timer: &Timer, has_stood: bool) -> u64 {
        let start = pace.now();
        while !timer.is_due(pace, 3, || has_stood) {
            pace.turn.fetch_add(1, Ordering::Relaxed);
            assert!(pace.now() < start + 1000, "it is due some time");
        }
        pace.now() - start
    }

    #[test]
    fn silence_is_counted_in_turns_and_any_word_ends_it() {
        let ms = Duration::from_millis;
        let pace = Pace::new(ms(300), &(ms(1000)..ms(1500)));
        pace.turn.store(1000, Ordering::Relaxed);
        let timer = Timer::default();
        timer.heard(&pace);
        assert!(!(0..100).any(|_| timer.is_due(&pace, 3, || false)), "it may not stand");
        timer.may_stand();
        for _ in 0..50 {
            timer.heard(&pace);
            // However often it is asked, no time passes but by turns.
            assert!(!(0..100).any(|_| timer.is_due(&pace, 3, || false)));
            // A word just before the end, and it begins anew.
            pace.turn.fetch_add(19, Ordering::Relaxed);
            assert!(!timer.is_due(&pace, 3, || false));
            timer.heard(&pace);
            assert!((20..30).contains(&waits(&pace, &timer, false)));
            // Nobody voted for it: again, soon; unless votes are on their way.
            assert!((6..16).contains(&waits(&pace, &timer, true)));
            assert!((20..30).contains(&waits(&pace, &timer, false)));
        }
    }

    #[test]
    fn a_replica_that_was_just_opened_stands_soon() {
        let ms = Duration::from_millis;
        let pace = Pace::new(ms(300), &(ms(1000)..ms(1500)));
        pace.turn.store(1_000_000, Ordering::Relaxed);
        let timer = Timer::default();
        timer.may_stand();
        assert_eq!(waits(&pace, &timer, false), 1);
    }
}
