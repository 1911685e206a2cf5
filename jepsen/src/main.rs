//! Consistency testing of real servers: load them, break them, and check what they promised.
//!
//! ```text
//! drave-jepsen            one server, killed again and again                     single/
//! drave-jepsen cluster    a cluster, broken in many seeded ways                  cluster/
//! drave-jepsen check      what a history that was kept proves                    check/
//! ```
//!
//! The harness knows nothing but the server's program and its public ports. A verdict is a count,
//! and a run in which nothing was acknowledged or nothing was broken is no verdict at all.

mod check;
mod cluster;
mod entry;
mod history;
mod random;
mod single;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use check::Findings;

/// Breaks servers while clients push and read, and counts what is lost, stale or there twice.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(subcommand)]
    word: Option<Word>,
    #[command(flatten)]
    single: single::Args,
}

#[derive(clap::Subcommand)]
enum Word {
    /// Break a cluster of real processes, in seeded runs
    Cluster(cluster::Args),
    /// Check a history that was kept
    Check {
        /// history.jsonl
        history: PathBuf,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let CommandLine { word, single } = CommandLine::parse();
    let work = async {
        match word {
            None => single::run(single).await,
            Some(Word::Cluster(args)) => Box::pin(cluster::run(args)).await,
            Some(Word::Check { history }) => check_file(&history),
        }
    };
    let done = tokio::select! {
        done = work => done,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    done.unwrap_or_else(|error| {
        let _ = writeln!(std::io::stdout(), "no verdict: {error:#}");
        ExitCode::from(2)
    })
}

fn check_file(path: &std::path::Path) -> anyhow::Result<ExitCode> {
    let events = history::read(path)?;
    let Findings { flaws, examples, suspects, counts } = check::check(&events);
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{counts:?}\n{:?}", check::available(&events));
    for example in examples {
        let _ = writeln!(out, "{example}");
    }
    for suspect in suspects {
        let _ = writeln!(out, "\n{}", check::story(&events, suspect));
    }
    let _ = writeln!(out, "flaws: {flaws:?}");
    Ok(if flaws.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
