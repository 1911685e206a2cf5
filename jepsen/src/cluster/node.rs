//! One process of a cluster: where it lives, how it is started and stopped.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use anyhow::Context;
use tokio::process::{Child, Command};

use super::disk::Disk;
use super::machine::run;

/// Where a node is reached, as `ip:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) node: u64,
    pub(crate) http: String,
    pub(crate) pg: String,
    pub(crate) peer: String,
}

/// Whether it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Up,
    Paused,
    Down,
}

/// What every start of a node needs.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) config: PathBuf,
    /// The library that makes clocks jump, in runs that want it.
    pub(crate) clock: Option<PathBuf>,
}

/// One node.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) address: Address,
    pub(crate) life: Life,
    pub(crate) disk: Option<Disk>,
    pub(crate) data: PathBuf,
    /// `--peers ...` or `--join ...`, as it was first started.
    pub(crate) introduction: Vec<String>,
    /// Put before the command.
    pub(crate) enter: Vec<String>,
    pub(crate) log: PathBuf,
    /// What the clock library reads: `+0` or an offset.
    pub(crate) clock: PathBuf,
    /// Counts starts, so that a wait for one start does not see the next.
    pub(crate) starts: u32,
    /// It never starts again: it was removed, or lost its disk.
    pub(crate) retired: bool,
    process: Option<Child>,
}

impl Node {
    pub(crate) fn new(address: Address, directory: &std::path::Path) -> Node {
        let name = format!("node-{}", address.node);
        Node {
            life: Life::Down,
            disk: None,
            data: directory.join(&name).join("data"),
            introduction: Vec::new(),
            enter: Vec::new(),
            log: directory.join("logs").join(format!("{name}.log")),
            clock: directory.join(format!("{name}.clock")),
            starts: 0,
            retired: false,
            process: None,
            address,
        }
    }

    pub(crate) fn start(&mut self, launch: &Launch) -> anyhow::Result<()> {
        assert!(self.process.is_none(), "node {} is started once", self.address.node);
        let log = std::fs::File::options().create(true).append(true).open(&self.log)?;
        let mut words = self.enter.clone();
        words.push(launch.program.to_str().context("a path in UTF-8")?.into());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg("serve").arg("--config").arg(&launch.config);
        command.arg("--data").arg(&self.data).args(&self.introduction);
        command.args(["--node-id", &self.address.node.to_string()]);
        command.args(["--http-listen", &self.address.http, "--pg-listen", &self.address.pg]);
        command.args(["--peer-listen", &self.address.peer]);
        if std::env::var_os("RUST_LOG").is_none() {
            command.env("RUST_LOG", "info");
        }
        if let Some(library) = &launch.clock {
            command.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", &self.clock);
            command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("FAKETIME_CACHE_DURATION", "1");
        }
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
        let child = command.spawn().with_context(|| format!("starting {}", words[0]))?;
        self.process = Some(child);
        self.life = Life::Up;
        self.starts += 1;
        Ok(())
    }

    pub(crate) fn pid(&self) -> Option<String> {
        self.process.as_ref().and_then(Child::id).map(|pid| pid.to_string())
    }

    /// How it ended, if it did though nobody ended it.
    pub(crate) fn ended_by_itself(&mut self) -> Option<ExitStatus> {
        let status = self.process.as_mut()?.try_wait().ok()??;
        self.process = None;
        self.life = Life::Down;
        Some(status)
    }

    /// Hands out a process that is told to end. The node counts as down from now on.
    pub(crate) fn take_process(&mut self) -> anyhow::Result<Child> {
        self.life = Life::Down;
        self.process.take().with_context(|| format!("node {} does not run", self.address.node))
    }

    /// The last lines that it said.
    pub(crate) fn last_words(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text[text.len().saturating_sub(4000)..]).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(5)..].join(" | ")
    }
}

/// Sends a signal to processes, all with one command.
pub(crate) async fn signal(name: &str, pids: &[String]) -> anyhow::Result<()> {
    if pids.is_empty() {
        return Ok(());
    }
    let mut words = vec!["kill", name];
    words.extend(pids.iter().map(String::as_str));
    run(&words).await.map(|_| ())
}
