//! One node's process.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use super::layout::{Layout, Node};

/// Starts a node that dials each peer at the given address.
pub(super) fn start(layout: &Layout, node: &Node, peers: &str) -> anyhow::Result<Child> {
    let path = layout.log(node.id);
    let log = File::options().create(true).append(true).open(&path);
    let log = log.with_context(|| path.display().to_string())?;
    let mut command = ourselves()?;
    command.arg("serve").arg("--config").arg(layout.config());
    command.arg("--data").arg(layout.data(node.id));
    command.args(["--node-id", &node.id.to_string(), "--peers", peers]);
    command.args(["--http-listen", &node.http.to_string()]);
    command.args(["--pg-listen", &node.pg.to_string()]);
    command.args(["--peer-listen", &node.peer.to_string()]);
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    command.spawn().with_context(|| format!("cannot start node {}", node.id))
}

/// This program, with nothing in the environment that says how a server should be.
pub(super) fn ourselves() -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("where this program is")?);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("DRAVE_")) {
            command.env_remove(name);
        }
    }
    Ok(command)
}

/// Asks a process to stop, as an operator does.
pub(super) fn terminate(pid: u32) -> anyhow::Result<()> {
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let process = process.with_context(|| format!("{pid} is no number of a process"))?;
    match kill_process(process, Signal::TERM) {
        // It has ended by itself.
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot stop process {pid}")),
    }
}

/// Whether a process is a node of this cluster: its number may have gone to another since.
pub(super) fn is_node(layout: &Layout, node: u64, pid: u32) -> bool {
    command_line(pid).is_some_and(|text| {
        text.contains(" serve ") && text.contains(&layout.data(node).display().to_string())
    })
}

/// The words that a process was started with. Where the system has no `/proc`, `ps` knows them.
fn command_line(pid: u32) -> Option<String> {
    let text = match std::fs::read(format!("/proc/{pid}/cmdline")) {
        Ok(words) => words.into_iter().map(|byte| if byte == 0 { b' ' } else { byte }).collect(),
        Err(_) if Path::new("/proc/self").exists() => return None,
        Err(_) => {
            let pid = pid.to_string();
            Command::new("ps").args(["-ww", "-o", "command=", "-p", &pid]).output().ok()?.stdout
        }
    };
    Some(String::from_utf8_lossy(&text).into_owned())
}
