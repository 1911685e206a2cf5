//! `up` and `down`: the beginning and the end of a development cluster.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::control::{self, Request};
use super::layout::{Layout, Node, State};
use super::{process, say, show};
use crate::cli::address::Http;
use crate::telemetry::Stopwatch;

/// How long nodes may take to become a cluster.
const READY_TIME_MAX: Duration = Duration::from_secs(60);
/// Between two looks whether they are.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long nodes may take to stop when there is no supervisor to wait for them.
const STOP_TIME_MAX: Duration = Duration::from_secs(15);

pub(super) async fn up(layout: &Layout) -> anyhow::Result<()> {
    if control::is_up(layout).await {
        bail!("the cluster in {} is up already", layout.dir().display());
    }
    if let Some(state) = layout.read()? {
        stop_orphans(layout, &state).await?;
    } else {
        layout.create()?;
    }
    let mut supervisor = spawn_supervisor(layout)?;
    match ready(layout, &mut supervisor).await {
        Ok(()) => say(&show::welcome(layout, &layout.read_existing()?)),
        Err(error) => {
            // A cluster that is half up helps nobody.
            let _ = control::ask(layout, &Request::Down).await;
            Err(error)
        }
    }
}

pub(super) async fn down(layout: &Layout) -> anyhow::Result<()> {
    if control::is_up(layout).await {
        let said = control::ask(layout, &Request::Down).await?;
        let dir = layout.dir().display();
        return say(&format!("{said} in {dir}; delete it to begin anew\n"));
    }
    let mut state = layout.read_existing()?;
    let n_stopped = stop_orphans(layout, &state).await?;
    state.supervisor = None;
    state.nodes.iter_mut().for_each(|node| node.pid = None);
    layout.write(&state)?;
    match n_stopped {
        0 => say("the cluster was down already\n"),
        n => say(&format!("stopped {n} nodes whose supervisor was gone\n")),
    }
}

fn spawn_supervisor(layout: &Layout) -> anyhow::Result<Child> {
    let path = layout.supervisor_log();
    let log = File::create(&path).with_context(|| path.display().to_string())?;
    let mut command = process::ourselves()?;
    command.args(["dev", "supervise"]).arg(layout.dir());
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    // Ctrl-C in this terminal is not meant for it.
    command.process_group(0);
    command.spawn().context("cannot start the supervisor")
}

/// Waits until all nodes are ready; founds the cluster where there is none yet.
async fn ready(layout: &Layout, supervisor: &mut Child) -> anyhow::Result<()> {
    let watch = Stopwatch::start();
    let mut said = String::from("the supervisor does not answer");
    while watch.elapsed() < READY_TIME_MAX {
        if let Some(status) = supervisor.try_wait().context("cannot look at the supervisor")? {
            let log = std::fs::read_to_string(layout.supervisor_log()).unwrap_or_default();
            bail!("the supervisor ended with {status}: {}", log.trim());
        }
        if control::is_up(layout).await {
            match step(layout).await? {
                None => return Ok(()),
                Some(missing) => said = missing,
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    bail!("not ready in {READY_TIME_MAX:?}: {said}")
}

/// What is still missing, after doing what can be done about it.
async fn step(layout: &Layout) -> anyhow::Result<Option<String>> {
    let state = layout.read_existing()?;
    for node in &state.nodes {
        if let Some(why) = &node.ended {
            let (id, last) = (node.id, show::last_line(layout, node.id));
            bail!("node {id} {why}: {last}");
        }
    }
    let mut missing = None;
    for node in &state.nodes {
        if !is_ready(node).await {
            missing = Some(format!("node {} is not ready", node.id));
        }
    }
    if let (Some(_), false, Some(first)) = (&missing, state.formed, state.nodes.first()) {
        // Until all nodes listen it is refused, and it may have happened though it seems not.
        if let Err(error) = found(first).await {
            missing = Some(format!("{error:#}"));
        }
    }
    if missing.is_none() && !state.formed {
        control::ask(layout, &Request::Formed).await?;
    }
    Ok(missing)
}

fn http_of(node: &Node) -> Http {
    Http { server: format!("http://{}", node.http), tenant: None }
}

pub(super) async fn is_ready(node: &Node) -> bool {
    let http = http_of(node);
    let (Ok(url), Ok(client)) = (http.url("/ready"), http.client()) else { return false };
    let answer = client.get(url).timeout(Duration::from_secs(1)).send().await;
    answer.is_ok_and(|answer| answer.status().is_success())
}

async fn found(node: &Node) -> anyhow::Result<()> {
    let http = http_of(node);
    let request = http.client()?.post(http.url("/drave/v1/cluster/init")?);
    let answer = request.timeout(Duration::from_secs(20)).send().await?;
    if answer.status().is_success() {
        return Ok(());
    }
    bail!("node {} founds no cluster: {}", node.id, answer.text().await?.trim())
}

/// The nodes of a supervisor that was killed.
async fn stop_orphans(layout: &Layout, state: &State) -> anyhow::Result<usize> {
    let pids = || {
        let pids = state.nodes.iter().filter_map(|node| Some((node.id, node.pid?)));
        pids.filter(|(id, pid)| process::is_node(layout, *id, *pid)).collect::<Vec<_>>()
    };
    let orphans = pids();
    for (_, pid) in &orphans {
        process::terminate(*pid)?;
    }
    let watch = Stopwatch::start();
    while !pids().is_empty() {
        if watch.elapsed() > STOP_TIME_MAX {
            bail!("processes {:?} of an earlier cluster do not stop; kill them", pids());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(orphans.len())
}
