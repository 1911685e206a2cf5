//! `drave dev`: what a developer needs on one machine. `drave dev cluster` runs three nodes as
//! local processes, without root, and breaks them on request.
//!
//! ```text
//! up, kill, partition, ...  ──Unix socket──►  supervisor ──┬── node 1 ══ link 1>2 ══► node 2
//! (one short process each)                    (one, long)  ├── node 2     (a TCP proxy each)
//!                                                          └── node 3
//! ```
//!
//! The supervisor is this program again. It owns the processes and the links; the words below only
//! ask it. All state is in one directory, `./drave-dev` by default.

mod control;
mod layout;
mod link;
mod process;
mod show;
mod supervisor;
#[cfg(test)]
mod tests;
mod up;

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;

use control::Request;
use layout::Layout;

/// What helps to develop against drave
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    word: Word,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Word {
    /// Run three nodes on this machine, and break them
    Cluster(Cluster),
    /// Run the nodes of a development cluster until told to stop
    #[command(hide = true)]
    Supervise {
        /// Where the cluster lives
        dir: PathBuf,
    },
}

#[derive(Clone, Debug, clap::Args)]
struct Cluster {
    #[command(subcommand)]
    word: ClusterWord,
    /// Where the cluster lives
    #[arg(long, global = true, value_name = "DIR", default_value = "drave-dev")]
    dir: PathBuf,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum ClusterWord {
    /// Start three nodes, as one cluster
    Up,
    /// Stop all nodes; what they hold stays
    Down,
    /// Kill a node as a power switch would
    Kill {
        /// 1, 2 or 3
        node: u64,
    },
    /// Start a node that was killed or that ended
    Start {
        /// 1, 2 or 3
        node: u64,
    },
    /// Cut all links between groups of nodes, like 1,2/3
    Partition {
        /// Nodes of a group by commas, groups by slashes; each node once
        groups: String,
    },
    /// Mend all links
    Heal,
    /// Show what a node logged
    Logs {
        /// 1, 2 or 3
        node: u64,
        /// How many lines from the end
        #[arg(short = 'n', long, default_value_t = 50)]
        lines: usize,
        /// Go on showing what comes
        #[arg(short, long)]
        follow: bool,
    },
    /// Show nodes, links and who leads
    Status,
}

/// Runs one of the words.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let Cluster { word, dir } = match args.word {
        Word::Cluster(cluster) => cluster,
        Word::Supervise { dir } => return supervisor::run(&Layout::at(&dir)?).await,
    };
    let layout = Layout::at(&dir)?;
    match word {
        ClusterWord::Up => up::up(&layout).await,
        ClusterWord::Down => up::down(&layout).await,
        ClusterWord::Kill { node } => ask(&layout, &Request::Kill(node)).await,
        ClusterWord::Start { node } => ask(&layout, &Request::Start(node)).await,
        ClusterWord::Partition { groups } => {
            ask(&layout, &Request::Partition(layout::groups(&groups)?)).await
        }
        ClusterWord::Heal => ask(&layout, &Request::Heal).await,
        ClusterWord::Logs { node, lines, follow } => show::logs(&layout, node, lines, follow).await,
        ClusterWord::Status => show::status(&layout).await,
    }
}

async fn ask(layout: &Layout, request: &Request) -> anyhow::Result<()> {
    let answer = control::ask(layout, request).await?;
    say(&format!("{answer}\n"))
}

fn say(text: &str) -> anyhow::Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("cannot write the answer")
}
