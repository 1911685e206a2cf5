//! Carries a plan out: brings each fault at its time, takes it away at its time.
//!
//! A fault that finds nothing to break (the node is down already, the machine cannot do it) is
//! recorded as skipped with the reason. Procedures run beside the other faults.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::task::JoinSet;

use super::client::Client;
use super::machine::Machine;
use super::node::Life;
use super::nodes::Cluster;
use super::plan::{Cut, Fault, Planned, Whom};
use super::procedure;
use crate::history::{Event, Micros};
use crate::random::Random;

/// How far a clock jumps: further than any lease or grace time.
const JUMPS: [&str; 4] = ["+3600s", "-3600s", "+90s", "-90s"];
/// Between two looks what is due.
const TICK: Duration = Duration::from_millis(10);
/// A procedure that a later fault disturbed may go on so long after the last fault is healed.
const PROCEDURE_TIME_MAX: Duration = Duration::from_secs(120);

/// How a fault is taken away.
enum Undo {
    Start(Vec<u64>),
    Resume(Vec<u64>),
    Mend(Vec<(u64, u64)>),
    SetClock(u64),
}

/// A fault in force.
struct Open {
    planned: Planned,
    undo: Undo,
    /// When it is taken away, since the plan began.
    due_ms: u64,
}

pub(crate) struct Nemesis {
    cluster: Arc<Cluster>,
    machine: Arc<Machine>,
    client: Client,
    open: Vec<Open>,
    beside: JoinSet<anyhow::Result<()>>,
}

impl Nemesis {
    pub(crate) fn new(cluster: Arc<Cluster>, machine: Arc<Machine>) -> anyhow::Result<Nemesis> {
        let client = Client::new()?;
        Ok(Nemesis { cluster, machine, client, open: Vec::new(), beside: JoinSet::new() })
    }

    /// Runs the plan to its end and heals everything. A fault that comes late lasts as long as
    /// planned all the same.
    pub(crate) async fn run(mut self, plan: &[Planned]) -> anyhow::Result<()> {
        let recorder = Arc::clone(&self.cluster.recorder);
        let began = recorder.now();
        let mut to_come = plan.iter();
        let mut next = to_come.next();
        loop {
            let elapsed_ms = (recorder.now() - began) / 1000;
            let first_open = self.open.iter().min_by_key(|open| open.due_ms);
            let heal = first_open.map(|open| (open.due_ms, open.planned.number));
            let bring = next.map(|planned| planned.start_ms);
            match (heal, bring) {
                (None, None) => break,
                (Some((due_ms, number)), _) if due_ms <= elapsed_ms => self.heal(number).await?,
                (_, Some(start_ms)) if start_ms <= elapsed_ms => {
                    if let Some(planned) = next {
                        self.bring(planned, began).await;
                    }
                    next = to_come.next();
                }
                _ => tokio::time::sleep(TICK).await,
            }
        }
        let procedures = async {
            while let Some(done) = self.beside.join_next().await {
                if let Err(error) = done.context("a procedure").and_then(|done| done) {
                    self.cluster.fail(format!("{error:#}"));
                }
            }
        };
        if tokio::time::timeout(PROCEDURE_TIME_MAX, procedures).await.is_err() {
            self.cluster.fail(format!("a procedure is not done in {PROCEDURE_TIME_MAX:?}"));
            self.beside.shutdown().await;
        }
        Ok(())
    }

    async fn bring(&mut self, planned: &Planned, began: Micros) {
        let brought = self.try_to_bring(planned).await;
        if let Some(open) = self.open.last_mut().filter(|o| o.planned.number == planned.number) {
            let elapsed_ms = (self.cluster.recorder.now() - began) / 1000;
            open.due_ms = elapsed_ms + (planned.end_ms - planned.start_ms);
        }
        let (detail, installed) = match brought {
            Ok(detail) => (detail, Ok(())),
            Err(error) => (String::new(), Err(format!("{error:#}"))),
        };
        let at = self.cluster.recorder.now();
        let name = planned.fault.name().to_string();
        self.cluster.recorder.record(Event::Fault {
            number: planned.number,
            name,
            detail,
            at,
            installed,
        });
    }

    async fn try_to_bring(&mut self, planned: &Planned) -> anyhow::Result<String> {
        let mut random = Random::new(planned.dice);
        let n_members = self.cluster.addresses().len();
        ensure!(n_members > 1 || !planned.fault.needs_peers(), "a single node has no peers");
        let (detail, undo) = match planned.fault {
            Fault::Kill(whom) => {
                let ids = self.choose(whom, &mut random).await?;
                self.cluster.kill(&ids).await?;
                (format!("{ids:?}"), Undo::Start(ids))
            }
            Fault::Pause(whom) => {
                let ids = self.choose(whom, &mut random).await?;
                self.cluster.pause(&ids).await?;
                (format!("{ids:?}"), Undo::Resume(ids))
            }
            Fault::PowerCut(whom) => {
                able(&self.machine.disks)?;
                let ids = self.choose(whom, &mut random).await?;
                self.cluster.power_cut(&ids).await?;
                (format!("{ids:?}"), Undo::Start(ids))
            }
            Fault::Cut(cut) => {
                able(&self.machine.network)?;
                let links = self.links(cut, &mut random).await?;
                self.cluster.cut(&links, false).await?;
                (format!("{links:?}"), Undo::Mend(links))
            }
            Fault::ClockJump => {
                able(&self.machine.clock)?;
                let id = self.choose(Whom::One, &mut random).await?[0];
                let jump = JUMPS[usize::try_from(random.below(JUMPS.len() as u64))?];
                self.cluster.set_clock(id, jump).await?;
                (format!("node {id} by {jump}"), Undo::SetClock(id))
            }
            Fault::RollingRestart | Fault::AddAndDrain | Fault::Wipe => {
                let victim = self.choose(Whom::One, &mut random).await?[0];
                let (cluster, planned) = (Arc::clone(&self.cluster), planned.clone());
                self.beside.spawn(async move {
                    procedure::run(&cluster, planned.fault, victim)
                        .await
                        .with_context(|| format!("{} of node {victim}", planned.fault.name()))?;
                    let (at, name) = (cluster.recorder.now(), planned.fault.name().to_string());
                    cluster.recorder.record(Event::Healed { number: planned.number, name, at });
                    Ok(())
                });
                return Ok(format!("node {victim}"));
            }
        };
        self.open.push(Open { planned: planned.clone(), undo, due_ms: planned.end_ms });
        Ok(detail)
    }

    async fn heal(&mut self, number: u32) -> anyhow::Result<()> {
        let Some(at) = self.open.iter().position(|open| open.planned.number == number) else {
            return Ok(());
        };
        let Open { planned, undo, .. } = self.open.swap_remove(at);
        match undo {
            Undo::Start(ids) => {
                self.cluster.start_again(&ids).await?;
                for id in ids {
                    let cluster = Arc::clone(&self.cluster);
                    self.beside.spawn(async move { cluster.wait_ready(id).await });
                }
            }
            Undo::Resume(ids) => self.cluster.resume(&ids).await?,
            Undo::Mend(links) => self.cluster.cut(&links, true).await?,
            Undo::SetClock(id) => self.cluster.set_clock(id, "+0").await?,
        }
        let (at, name) = (self.cluster.recorder.now(), planned.fault.name().to_string());
        self.cluster.recorder.record(Event::Healed { number, name, at });
        Ok(())
    }

    /// Nodes that are up.
    async fn choose(&self, whom: Whom, random: &mut Random) -> anyhow::Result<Vec<u64>> {
        let mut up = self.cluster.members_that_are(Life::Up).await;
        ensure!(!up.is_empty(), "no node is up");
        random.shuffle(&mut up);
        let n = match whom {
            Whom::One => 1,
            Whom::Leaders => return Ok(vec![self.leader(&up).await]),
            Whom::Minority => self.choose_of(up.len(), 0)?,
            Whom::Majority => self.choose_of(up.len(), 1)?,
            Whom::All => up.len(),
        };
        up.truncate(n);
        up.sort_unstable();
        Ok(up)
    }

    /// As many nodes as every shard survives the loss of, and so many more.
    fn choose_of(&self, n_up: usize, more: usize) -> anyhow::Result<usize> {
        let n_members = self.cluster.addresses().len();
        let n = n_members - self.cluster.quorum_of(n_members) + more;
        ensure!(n > 0, "so few nodes survive no loss");
        ensure!(n_up >= n, "only {n_up} nodes are up");
        Ok(n)
    }

    /// The node that leads most groups, of those that are up; any, if nobody knows.
    async fn leader(&self, up: &[u64]) -> u64 {
        let groups = self.cluster.groups(&self.client).await;
        let leads = |id: &u64| groups.iter().filter(|group| group.leader == Some(*id)).count();
        up.iter().copied().max_by_key(leads).unwrap_or_default()
    }

    async fn links(&self, cut: Cut, random: &mut Random) -> anyhow::Result<Vec<(u64, u64)>> {
        let mut up = self.cluster.members_that_are(Life::Up).await;
        ensure!(up.len() > 1, "fewer than two nodes are up");
        random.shuffle(&mut up);
        let mut all: Vec<u64> = self.cluster.addresses().iter().map(|a| a.node).collect();
        random.shuffle(&mut all);
        let leader = self.leader(&up).await;
        let links = |is_cut: &dyn Fn(u64, u64) -> bool| -> Vec<(u64, u64)> {
            let pairs = all.iter().flat_map(|a| all.iter().map(move |b| (*a, *b)));
            pairs.filter(|(source, target)| source != target && is_cut(*source, *target)).collect()
        };
        let place = |id: u64| all.iter().position(|other| *other == id).unwrap_or_default();
        let minority = (all.len() - 1) / 2;
        let cut = match cut {
            Cut::Leader => links(&|a, b| a == leader || b == leader),
            Cut::Deaf => links(&|_, b| b == leader),
            Cut::Mute => links(&|a, _| a == leader),
            Cut::Halves => links(&|a, b| (place(a) < minority) != (place(b) < minority)),
            Cut::Ring => links(&|a, b| place(a).abs_diff(place(b)) > 1),
        };
        if cut.is_empty() {
            bail!("so few nodes have no such links");
        }
        Ok(cut)
    }
}

fn able<T>(ability: &Result<T, String>) -> anyhow::Result<&T> {
    ability.as_ref().map_err(|reason| anyhow::anyhow!("{reason}"))
}
