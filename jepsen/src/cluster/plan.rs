//! Which faults come when: a pure function of the seed.
//!
//! Each slot of a few seconds is calm (one in four) or brings a fault that lasts past the next
//! slot's beginning or not, so that faults overlap; at most [`AT_ONCE_MAX`] at a time. The first
//! fault goes round with the seed, so that consecutive seeds cover all of them.

use anyhow::bail;

use crate::random::Random;

/// More faults at once only keep the cluster down.
const AT_ONCE_MAX: usize = 2;
/// A fault begins this long after the one before, at least; and lasts this long, at least.
const SLOT_MS: (u64, u64) = (2000, 3500);
const LASTS_MS: (u64, u64) = (1500, 4500);
/// Calm before the first and after the last fault.
const CALM_MS: u64 = 2000;

/// What can be done to a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// `kill -9`, then a start.
    Kill(Whom),
    /// SIGSTOP, then SIGCONT.
    Pause(Whom),
    /// The disk stops with everything unsynced lost, then `kill -9`, then a start.
    PowerCut(Whom),
    /// Links that drop packets.
    Cut(Cut),
    /// The clock jumps, then jumps back.
    ClockJump,
    /// Each node in turn: asked to stop, started.
    RollingRestart,
    /// A new node joins, an old one is drained and removed.
    AddAndDrain,
    /// A node is killed and its disk emptied; it is removed, and a new node takes its place.
    Wipe,
}

/// Which nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Whom {
    One,
    /// The node that leads most shards.
    Leaders,
    /// As many as every shard survives the loss of: one of three, two of five.
    Minority,
    Majority,
    All,
}

/// Which links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cut {
    /// The node that leads most shards hears nobody and nobody hears it.
    Leader,
    /// A minority here, the majority there.
    Halves,
    /// Only neighbours in a row talk: of three nodes, two do not see each other.
    Ring,
    /// The leaders' node hears nobody, and is heard.
    Deaf,
    /// The leaders' node is not heard, and hears.
    Mute,
}

/// Every fault and its name. A prefix up to a `-` names a group.
pub(crate) const FAULTS: &[(&str, Fault)] = &[
    ("kill-leaders", Fault::Kill(Whom::Leaders)),
    ("cut-leader", Fault::Cut(Cut::Leader)),
    ("power-all", Fault::PowerCut(Whom::All)),
    ("add-drain", Fault::AddAndDrain),
    ("kill-majority", Fault::Kill(Whom::Majority)),
    ("pause-leaders", Fault::Pause(Whom::Leaders)),
    ("cut-deaf", Fault::Cut(Cut::Deaf)),
    ("wipe", Fault::Wipe),
    ("kill-all", Fault::Kill(Whom::All)),
    ("cut-ring", Fault::Cut(Cut::Ring)),
    ("power-one", Fault::PowerCut(Whom::One)),
    ("rolling", Fault::RollingRestart),
    ("cut-mute", Fault::Cut(Cut::Mute)),
    ("kill-one", Fault::Kill(Whom::One)),
    ("pause-majority", Fault::Pause(Whom::Majority)),
    ("cut-halves", Fault::Cut(Cut::Halves)),
    ("clock-jump", Fault::ClockJump),
    ("pause-one", Fault::Pause(Whom::One)),
    ("kill-minority", Fault::Kill(Whom::Minority)),
    ("pause-minority", Fault::Pause(Whom::Minority)),
    ("power-minority", Fault::PowerCut(Whom::Minority)),
];

impl Fault {
    pub(crate) fn name(self) -> &'static str {
        let known = FAULTS.iter().find(|(_, fault)| *fault == self);
        known.map_or("all of another kind", |(name, _)| name)
    }

    /// A procedure of many steps that ends by itself.
    pub(crate) fn is_procedure(self) -> bool {
        matches!(self, Fault::RollingRestart | Fault::AddAndDrain | Fault::Wipe)
    }

    /// Needs other nodes.
    pub(crate) fn needs_peers(self) -> bool {
        matches!(self, Fault::Cut(_) | Fault::AddAndDrain | Fault::Wipe)
    }
}

/// One fault of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) number: u32,
    pub(crate) fault: Fault,
    pub(crate) start_ms: u64,
    pub(crate) end_ms: u64,
    /// Decides what the fault leaves open, like which node.
    pub(crate) dice: u64,
}

/// Reads a list like `kill,cut-leader,wipe`; `all` and `none` are lists too.
pub(crate) fn faults(list: &str) -> anyhow::Result<Vec<Fault>> {
    let mut faults = Vec::new();
    for word in list.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let group = if word == "partition" { "cut" } else { word };
        let of_word = FAULTS.iter().filter(|(name, _)| {
            *name == group || group == "all" || name.split('-').next() == Some(group)
        });
        let before = faults.len();
        faults.extend(of_word.map(|(_, fault)| *fault));
        if faults.len() == before && word != "none" {
            let names: Vec<&str> = FAULTS.iter().map(|(name, _)| *name).collect();
            bail!("'{word}' is no fault; choose from all, none, {}", names.join(", "));
        }
    }
    Ok(faults)
}

pub(crate) fn plan(seed: u64, seconds: u64, allowed: &[Fault]) -> Vec<Planned> {
    let mut random = Random::new(seed).fork(1);
    let mut plan: Vec<Planned> = Vec::new();
    let end_ms = (seconds * 1000).saturating_sub(CALM_MS);
    let mut at = CALM_MS;
    while at + LASTS_MS.0 < end_ms {
        let (calm, dice) = (random.below(4) == 0 && !plan.is_empty(), random.next());
        let lasts = between(&mut random, LASTS_MS);
        let open = plan.iter().filter(|planned| planned.end_ms > at).count();
        let had_procedure = plan.iter().any(|planned| planned.fault.is_procedure());
        let possible: Vec<Fault> = allowed
            .iter()
            .copied()
            .filter(|fault| !(had_procedure && fault.is_procedure()))
            .collect();
        if !calm && open < AT_ONCE_MAX && !possible.is_empty() {
            let choice = if plan.is_empty() { seed } else { random.next() };
            let fault = possible[usize::try_from(choice % possible.len() as u64).unwrap_or(0)];
            let number = u32::try_from(plan.len() + 1).unwrap_or(u32::MAX);
            let end_ms = (at + lasts).min(end_ms);
            plan.push(Planned { number, fault, start_ms: at, end_ms, dice });
        }
        at += between(&mut random, SLOT_MS);
    }
    plan
}

fn between(random: &mut Random, (least, most): (u64, u64)) -> u64 {
    least + random.below(most - least)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Fault> {
        faults("all").expect("a list")
    }

    #[test]
    fn a_seed_fixes_the_plan() {
        assert_eq!(plan(7, 60, &all()), plan(7, 60, &all()));
        assert_ne!(plan(7, 60, &all()), plan(8, 60, &all()));
    }

    #[test]
    fn faults_overlap_and_end_before_the_run() {
        let mut overlapping = 0;
        for seed in 0..200 {
            let plan = plan(seed, 40, &all());
            assert!(!plan.is_empty());
            assert!(plan.iter().filter(|planned| planned.fault.is_procedure()).count() <= 1);
            for planned in &plan {
                assert!(planned.start_ms < planned.end_ms && planned.end_ms <= 38_000);
                let at_once = plan
                    .iter()
                    .filter(|p| (p.start_ms..p.end_ms).contains(&planned.start_ms))
                    .count();
                assert!(at_once <= AT_ONCE_MAX);
                overlapping += usize::from(at_once > 1);
            }
        }
        assert!(overlapping > 200, "{overlapping}");
    }

    #[test]
    fn consecutive_seeds_begin_with_every_fault() {
        let n = FAULTS.len() as u64;
        let mut firsts: Vec<Fault> =
            (5..5 + n).map(|seed| plan(seed, 30, &all())[0].fault).collect();
        firsts.sort();
        firsts.dedup();
        assert_eq!(firsts.len(), FAULTS.len());
    }

    #[test]
    fn lists_of_faults() {
        let names = |list: &str| -> Vec<&str> {
            faults(list).expect("a list").into_iter().map(Fault::name).collect()
        };
        assert_eq!(names("wipe,pause-one"), ["wipe", "pause-one"]);
        assert_eq!(names("power"), ["power-all", "power-one", "power-minority"]);
        assert_eq!(names("partition").len(), 5);
        assert_eq!(names("none").len(), 0);
        assert!(faults("fire").expect_err("no such fault").to_string().contains("kill-one"));
    }
}
