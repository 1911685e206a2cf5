//! What this machine lets us do: found out by trying, so that a fault that cannot be made is
//! reported as skipped, with the reason.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail};
use tokio::process::Command;

use super::disk::Disk;
use super::network::Network;

/// Where Debian puts the library that lies about the time.
const FAKE_TIME: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

/// What works here, or why it does not.
#[derive(Debug)]
pub(crate) struct Machine {
    /// A network namespace per node, and links that can be cut.
    pub(crate) network: Result<(), String>,
    /// A file system per node that can lose what was not synced.
    pub(crate) disks: Result<(), String>,
    /// The library to preload.
    pub(crate) clock: Result<PathBuf, String>,
}

impl Machine {
    pub(crate) async fn probe(scratch: &Path) -> Machine {
        let network = Network::probe().await.map_err(|error| format!("{error:#}"));
        let disks = Disk::probe(scratch).await.map_err(|error| format!("{error:#}"));
        let library = FAKE_TIME.iter().map(PathBuf::from).find(|path| path.exists());
        let clock = library.ok_or_else(|| "libfaketime is not installed".to_string());
        Machine { network, disks, clock }
    }

    /// One line per ability.
    pub(crate) fn describe(&self) -> String {
        let say = |what: &str, reason: Option<&String>| match reason {
            None => format!("{what}: yes\n"),
            Some(reason) => format!("{what}: no ({reason})\n"),
        };
        [
            say("network namespaces", self.network.as_ref().err()),
            say("power cuts", self.disks.as_ref().err()),
            say("clock jumps", self.clock.as_ref().err()),
        ]
        .concat()
    }
}

/// Runs a program to its end; what it printed, or what it complained of.
pub(crate) async fn run(words: &[&str]) -> anyhow::Result<String> {
    let (program, args) = words.split_first().context("a program")?;
    let output = Command::new(program).args(args).stdin(Stdio::null()).output().await;
    let output = output.with_context(|| format!("running {program}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{}: {}", words.join(" "), said.lines().last().unwrap_or("failed").trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The same, waiting in place and ignoring failure: for what is undone when a value is dropped.
pub(crate) fn run_at_drop(words: &[&str]) {
    if let Some((program, args)) = words.split_first() {
        let _ = std::process::Command::new(program).args(args).output();
    }
}
