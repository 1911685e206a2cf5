//! One server: loaded, killed at a random moment, restarted, again and again; then every
//! acknowledged line must be read exactly once, in both languages.

mod check;
mod history;
mod node;
mod workload;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::random::Random;
use check::Verdict;
use history::History;
use node::Node;

/// Kills a server while clients push, restarts it, and counts what is lost or there twice.
#[derive(clap::Args)]
pub(crate) struct Args {
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

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let verdict = judge(args).await?;
    let _ = writeln!(std::io::stdout(), "{verdict}");
    Ok(if verdict.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn judge(args: Args) -> anyhow::Result<Verdict> {
    let temporary = tempfile::tempdir()?;
    let data = args.data.clone().unwrap_or_else(|| temporary.path().join("data"));
    let config = temporary.path().join("drave.yaml");
    // Small heads, so that seals, uploads, purges and merges are always under way when the kill comes.
    std::fs::write(
        &config,
        "seal:\n  raw_bytes: 1MB\n  age: 1s\ncompaction:\n  every: 200ms\nstorage:\n  erase_after: 5s\n\
         limits_config:\n  max_entries_limit_per_query: 10000000\n",
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
