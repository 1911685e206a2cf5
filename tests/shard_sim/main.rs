//! Deterministic simulation of one shard: a for-loop, no runtime.
//!
//! The log is already agreed on (that is Raft's job, tested in `raft/`). Everything after it is
//! simulated: replicas lag, crash and reopen from rows that are older than what they applied, or
//! get a snapshot because the WAL is purged; leadership moves between any two steps, and leaders on
//! old views race; uploads and proposals are lost, doubled and late; objects are erased and swept;
//! queries hold their views for a while; and somebody proposes nonsense.
//!
//! The oracle is a naive twin: every entry that was acknowledged is read exactly once from every
//! replica at or after its index until it is retired, and never again after that.
//!
//! `DRAVE_SEED=n` runs that seed, `DRAVE_SEEDS=n` that many, from there or from 0.

mod coverage;
mod mutants;
mod nonsense;
mod objects;
mod reader;
mod replica;
mod rng;
mod tasks;
mod twin;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use coverage::Coverage;
use world::{Bug, World};

const STEPS: usize = 300;
/// Seeds of an ordinary run: enough for everything to happen, and some seconds.
const SEEDS: u64 = 40;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn every_acknowledged_entry_is_read_exactly_once() {
    let first = number("DRAVE_SEED");
    let n_seeds = number("DRAVE_SEEDS").unwrap_or(if first.is_some() { 1 } else { SEEDS });
    let first = first.unwrap_or(0);
    let mut coverage = Coverage::default();
    for seed in first..first + n_seeds {
        let mut world = World::new(seed, None);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| world.run(STEPS))) {
            eprintln!("reproduce with DRAVE_SEED={seed}");
            std::panic::resume_unwind(panic);
        }
        coverage.add(&world.coverage);
    }
    eprintln!("{}", coverage.report());
    if n_seeds >= SEEDS {
        coverage.check();
    }
}

#[test]
fn one_seed_is_one_run() {
    for seed in 0..3 {
        let trace = World::new(seed, None).run(STEPS);
        assert_eq!(trace, World::new(seed, None).run(STEPS), "seed {seed} ran in two ways");
        assert_ne!(trace, World::new(seed + 1000, None).run(STEPS), "all seeds are one run");
    }
}

#[test]
fn careless_executors_are_caught() {
    let bugs = [
        Bug::FlushBeforePut,
        Bug::EraseOnStale,
        Bug::NoGrace,
        Bug::SweepUnfenced,
        Bug::SweepBehindOldFence,
        Bug::PurgeTooEarly,
        Bug::SnapshotAtApplied,
        Bug::TornTransaction,
    ];
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let survivors: Vec<Bug> = bugs.into_iter().filter(|bug| !is_caught(*bug)).collect();
    std::panic::set_hook(quiet);
    assert_eq!(survivors, [], "the simulation does not notice these");
}

/// Whether some seed shows the mistake.
fn is_caught(bug: Bug) -> bool {
    (0..60).any(|seed| {
        let run = || World::new(seed, Some(bug)).run(STEPS);
        catch_unwind(AssertUnwindSafe(run)).is_err()
    })
}
