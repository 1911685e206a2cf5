//! Many seeded runs against a cluster of real processes, each run judged by its history.
//!
//! ```text
//! machine    what this machine lets us do            plan       which fault when: a pure function
//! network    a namespace per node, cut links         nemesis    brings and heals them
//! disk       a file system that loses power          procedure  faults of many steps
//! node       one process                             workload   clients that push and read
//! nodes      all of them, and who can talk           finish     the reads at the end
//! client     one node's public ports                 report     lines and the table
//! ```

mod client;
mod disk;
mod finish;
mod machine;
mod nemesis;
mod network;
mod node;
mod nodes;
mod plan;
mod procedure;
mod report;
mod workload;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::check;
use crate::history::{Event, Recorder};
use crate::random::Random;
use machine::Machine;
use nemesis::Nemesis;
use node::Launch;
use nodes::{Cluster, Setup};
use plan::Fault;
use report::{Judged, Verdict};

/// Load goes on this long after the last fault is healed.
const CALM: Duration = Duration::from_secs(4);
/// Between two looks for processes that ended by themselves.
const WATCH_EVERY: Duration = Duration::from_millis(200);
/// Suspects whose story is written down.
const STORIES_MAX: usize = 10;

/// Breaks a cluster of real processes in seeded ways while clients push and read, and checks what
/// was promised.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The drave program to test
    #[arg(long, default_value = "drave")]
    program: PathBuf,
    /// How many clusters to break, one after the other
    #[arg(long, default_value_t = 5)]
    runs: u64,
    /// The first run's seed; each next run has the next
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long faults come in each run
    #[arg(long, default_value_t = 40)]
    seconds: u64,
    /// Which faults: all, none, names or groups (kill, pause, power, partition, ...)
    #[arg(long, default_value = "all", value_name = "LIST")]
    nemesis: String,
    /// Nodes at the start; a shard has as many voters, or one less where that is even
    #[arg(long, default_value_t = 3)]
    nodes: u64,
    /// Clients that push at once
    #[arg(long, default_value_t = 4)]
    clients: u16,
    /// Clients that read at once
    #[arg(long, default_value_t = 3)]
    readers: u16,
    /// Fail a run in which no push was accepted for longer than this many seconds while a majority
    /// could talk
    #[arg(long, value_name = "SECONDS")]
    gap_max: Option<f64>,
    /// Where histories and logs of runs that did not end well are kept
    #[arg(long, default_value = "jepsen-failures", value_name = "DIR")]
    keep: PathBuf,
    /// Keep the history of every run
    #[arg(long)]
    keep_all: bool,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let faults = plan::faults(&args.nemesis)?;
    ensure!(args.nodes > 0, "--nodes: a cluster has at least one node");
    let prefix = format!("{}{}-", disk::SCRATCH_PREFIX, std::process::id());
    let scratch = tempfile::Builder::new().prefix(&prefix).tempdir()?;
    let machine = Arc::new(Machine::probe(scratch.path()).await);
    let mut out = std::io::stdout();
    let _ = write!(out, "{}", machine.describe());
    let mut runs = Vec::new();
    for seed in args.seed..args.seed + args.runs {
        let judged = one_run(&args, &faults, &machine, seed, scratch.path()).await?;
        let _ = writeln!(out, "{}", judged.line());
        for example in &judged.findings.examples {
            let _ = writeln!(out, "    {example}");
        }
        if judged.verdict() != Verdict::Good {
            let _ = writeln!(
                out,
                "    history and logs: {}; again: {}",
                args.keep.join(format!("seed-{seed}")).display(),
                args.again(seed)
            );
        }
        runs.push(judged);
    }
    let _ = writeln!(out, "{}", report::table(&runs));
    let is = |verdict| runs.iter().any(|run: &Judged| run.verdict() == verdict);
    Ok(match (is(Verdict::Broken), is(Verdict::Unknown)) {
        (true, _) => ExitCode::FAILURE,
        (false, true) => ExitCode::from(2),
        (false, false) => ExitCode::SUCCESS,
    })
}

impl Args {
    /// The command that makes a run again.
    fn again(&self, seed: u64) -> String {
        format!(
            "drave-jepsen cluster --program {} --runs 1 --seed {seed} --seconds {} --nemesis {} \
             --nodes {} --clients {} --readers {}",
            self.program.display(),
            self.seconds,
            self.nemesis,
            self.nodes,
            self.clients,
            self.readers,
        )
    }
}

async fn one_run(
    args: &Args,
    faults: &[Fault],
    machine: &Arc<Machine>,
    seed: u64,
    scratch: &Path,
) -> anyhow::Result<Judged> {
    let directory = scratch.join(format!("seed-{seed}"));
    std::fs::create_dir_all(&directory)?;
    let recorder = Arc::new(Recorder::create(&directory.join("history.jsonl"))?);
    let plan = plan::plan(seed, args.seconds, faults);
    let driven = drive(args, &plan, machine, seed, &directory, &recorder).await;
    if let Err(error) = driven {
        let at = recorder.now();
        recorder.record(Event::Failure { at, what: format!("{error:#}") });
    }
    let events = recorder.events();
    let mut findings = check::check(&events);
    let available = check::available(&events);
    if let Some(most) = args.gap_max {
        findings.limit_gap(available.gap_with_majority, most);
    }
    let judged = Judged::new(seed, plan.len(), findings, available);
    if judged.verdict() != Verdict::Good || args.keep_all {
        keep(args, &judged, &events, &directory).context("keeping the evidence")?;
    }
    // Whatever is left of it: its disks are unmounted.
    let _ = std::fs::remove_dir_all(&directory);
    Ok(judged)
}

async fn drive(
    args: &Args,
    plan: &[plan::Planned],
    machine: &Arc<Machine>,
    seed: u64,
    directory: &Path,
    recorder: &Arc<Recorder>,
) -> anyhow::Result<()> {
    let clock = machine.clock.as_ref().ok().cloned();
    let jumps = plan.iter().any(|planned| planned.fault == Fault::ClockJump);
    let config = directory.join("drave.yaml");
    std::fs::write(&config, configuration(args.nodes, directory))?;
    let launch = Launch { program: args.program.clone(), config, clock: clock.filter(|_| jumps) };
    let (n_nodes, replicas) = (args.nodes, odd(args.nodes));
    let setup = Setup { launch, directory: directory.into(), n_nodes, replicas };
    let cluster = Cluster::start(setup, machine, Arc::clone(recorder)).await;
    let cluster = Arc::new(cluster.context("starting the cluster")?);
    let watch = tokio::spawn({
        let cluster = Arc::clone(&cluster);
        async move {
            loop {
                if let Err(error) = cluster.watch().await {
                    cluster.fail(format!("{error:#}"));
                    return;
                }
                tokio::time::sleep(WATCH_EVERY).await;
            }
        }
    });
    let done = load_and_break(args, plan, machine, seed, &cluster).await;
    watch.abort();
    // It holds the cluster until it has really ended.
    let _ = watch.await;
    cluster.close().await;
    done
}

async fn load_and_break(
    args: &Args,
    plan: &[plan::Planned],
    machine: &Arc<Machine>,
    seed: u64,
    cluster: &Arc<Cluster>,
) -> anyhow::Result<()> {
    let mut random = Random::new(seed).fork(2);
    let recorder = &cluster.recorder;
    let load = workload::start(cluster, args.clients, args.readers, &mut random)?;
    recorder.record(Event::LoadBegan { at: recorder.now() });
    let began = recorder.now();
    let broken = Nemesis::new(Arc::clone(cluster), Arc::clone(machine))?.run(plan).await;
    let elapsed = Duration::from_micros(recorder.now() - began);
    let rest = Duration::from_secs(args.seconds).saturating_sub(elapsed);
    tokio::time::sleep(rest.max(CALM)).await;
    recorder.record(Event::LoadEnded { at: recorder.now() });
    let (again, pairs_end) = load.stop().await?;
    broken.context("the nemesis")?;
    finish::finish(cluster, again, pairs_end).await
}

/// Small heads and one store for all, so that seals, uploads, purges and merges are always under way.
fn configuration(n_nodes: u64, directory: &Path) -> String {
    let mut text = String::from(
        "seal:\n  raw_bytes: 1MB\n  age: 2s\n\
         compaction:\n  every: 500ms\n\
         limits_config:\n  max_entries_limit_per_query: 10000000\n",
    );
    // Longer than a query takes here, and short enough that objects are erased under way.
    text.push_str("storage:\n  erase_after: 20s\n");
    if n_nodes > 1 {
        let objects = directory.join("objects");
        text.push_str(&format!("  bucket: file://{}\n", objects.display()));
        text.push_str(&format!("cluster:\n  replicas: {}\n", odd(n_nodes)));
    }
    text
}

/// Voters of a shard: as many as there are nodes, and odd.
fn odd(n_nodes: u64) -> u64 {
    n_nodes - (n_nodes + 1) % 2
}

fn keep(args: &Args, judged: &Judged, events: &[Event], directory: &Path) -> anyhow::Result<()> {
    let kept = args.keep.join(format!("seed-{}", judged.seed));
    std::fs::create_dir_all(kept.join("logs"))?;
    std::fs::copy(directory.join("history.jsonl"), kept.join("history.jsonl"))?;
    if let Ok(logs) = std::fs::read_dir(directory.join("logs")) {
        for log in logs {
            let log = log?;
            std::fs::copy(log.path(), kept.join("logs").join(log.file_name()))?;
        }
    }
    let mut text = format!("{}\n{}\n\n", judged.line(), args.again(judged.seed));
    for example in &judged.findings.examples {
        text.push_str(&format!("{example}\n"));
    }
    text.push_str(&format!("\n{}", report::complaints(events)));
    for suspect in judged.findings.suspects.iter().take(STORIES_MAX) {
        text.push_str(&format!("\n{}", check::story(events, *suspect)));
    }
    Ok(std::fs::write(kept.join("verdict.txt"), text)?)
}
