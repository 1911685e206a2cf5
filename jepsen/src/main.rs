//! Consistency testing of a real server: load it, break it, and check what it promised.
//!
//! ```text
//! workload (pushes with unique lines) -> history (what was answered)
//! nemesis  (kill -9 at a random moment, restart)
//! check    (every acknowledged line is read exactly once, in both languages)
//! ```
//!
//! The harness knows nothing but the server's program and its public ports. A verdict is a count,
//! and a run in which nothing was acknowledged or nothing was killed is no verdict at all.

mod check;
mod history;
mod node;
mod random;
mod workload;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Parser;

use check::Verdict;
use history::History;
use node::Node;
use random::Random;

/// Kills a server while clients push, restarts it, and counts what is lost or there twice.
#[derive(Parser)]
struct Args {
    /// The drave program to test
    #[arg(long, default_value = "drave")]
    program: PathBuf,
    /// How often to kill it
    #[arg(long, default_value_t = 30)]
    runs: u32,
    /// Clients that push at once
    #[arg(long, default_value_t = 8)]
    clients: u32,
    /// Longest time between a start and its kill
    #[arg(long, default_value_t = 2000)]
    kill_after_ms: u64,
    /// Fixes when the kills come and what is pushed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the server keeps its data [default: a temporary directory]
    #[arg(long)]
    data: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut out = std::io::stdout();
    match run(Args::parse()).await {
        Ok(verdict) => {
            let _ = writeln!(out, "{verdict}");
            if verdict.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            let _ = writeln!(out, "no verdict: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn run(args: Args) -> anyhow::Result<Verdict> {
    let temporary = tempfile::tempdir()?;
    let data = args.data.clone().unwrap_or_else(|| temporary.path().join("data"));
    let config = temporary.path().join("drave.yaml");
    // Small heads, so that seals, uploads and purges are always under way when the kill comes.
    std::fs::write(
        &config,
        "seal:\n  raw_bytes: 1MB\n  age: 1s\nlimits_config:\n  max_entries_limit_per_query: 10000000\n",
    )?;
    let mut random = Random::new(args.seed);
    let history = History::default();
    let mut ready_times = Vec::new();
    for run in 0..args.runs {
        let mut node = Node::start(&args.program, &data, &config).await?;
        ready_times.push(node.ready_after);
        workload::resend(&node, &history).await.context("re-sending what was not answered")?;
        let load = workload::start(&node, &history, args.clients, random.fork(run));
        let life = Duration::from_millis(random.below(args.kill_after_ms).max(50));
        tokio::time::sleep(life).await;
        node.kill().await?;
        load.stop().await;
    }
    let node = Node::start(&args.program, &data, &config).await?;
    ready_times.push(node.ready_after);
    workload::resend(&node, &history).await.context("re-sending what was not answered")?;
    ensure!(history.n_acknowledged() > 0, "nothing was acknowledged");
    let before = check::check(&node, &history).await.context("reading back")?;
    node.flush().await?;
    let after = check::check(&node, &history).await.context("reading back after a flush")?;
    Ok(Verdict::new(args.runs, before, after, &ready_times))
}
