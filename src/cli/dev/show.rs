//! What can be seen of a development cluster: its nodes, its links, its logs.

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::layout::{Layout, NODES, Node, State};
use super::{control, say, up};
use crate::cli::address::Http;
use crate::cli::table::Table;

/// Between two looks into a log that is followed.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How far back a log is read for its last lines.
const TAIL_BYTES: u64 = 1 << 20;

/// What `up` says when it is done.
pub(super) fn welcome(layout: &Layout, state: &State) -> String {
    let mut text =
        String::from("Three nodes are one cluster; each takes any push and any query.\n\n");
    let mut table = Table::new(["node", "http", "sql", "log"].map(String::from).to_vec());
    for node in &state.nodes {
        let cells = [
            node.id.to_string(),
            format!("http://{}", node.http),
            node.pg.to_string(),
            layout.log(node.id).display().to_string(),
        ];
        table.push(cells.map(Some).to_vec());
    }
    text.push_str(&table.render());
    if let [first, second, ..] = state.nodes.as_slice() {
        let (http, sql) = (first.http, second.pg);
        text.push_str(&format!(
            "\ntry:  drave ingest /var/log/syslog --server http://{http}\n      \
             drave sql --pg {sql} 'select count(*) from logs'\n      \
             drave dev cluster kill 1\n      drave dev cluster partition 1,2/3\n      \
             drave dev cluster status\nstop: drave dev cluster down\n"
        ));
    }
    text
}

pub(super) async fn status(layout: &Layout) -> anyhow::Result<()> {
    let state = layout.read_existing()?;
    if !control::is_up(layout).await {
        return say("the cluster is down; start it: drave dev cluster up\n");
    }
    let mut known = None;
    let mut ready = Vec::new();
    for node in &state.nodes {
        let is_ready = node.pid.is_some() && up::is_ready(node).await;
        ready.push(is_ready);
        if is_ready && known.is_none() {
            known = groups(node).await;
        }
    }
    say(&table(&state, &ready, known.as_deref()))
}

/// Every group as a node knows it.
async fn groups(node: &Node) -> Option<Vec<Value>> {
    let http = Http { server: format!("http://{}", node.http), tenant: None };
    let request = http.client().ok()?.get(http.url("/drave/v1/cluster/status").ok()?);
    let answer = request.timeout(Duration::from_secs(2)).send().await.ok()?;
    let status: Value = serde_json::from_str(&answer.text().await.ok()?).ok()?;
    let mut groups = status["shards"].as_array()?.clone();
    groups.push(status["meta"].clone());
    Some(groups)
}

pub(super) fn table(state: &State, ready: &[bool], groups: Option<&[Value]>) -> String {
    let header = ["node", "http", "sql", "process", "state", "leads", "sees"];
    let mut table = Table::new(header.map(String::from).to_vec());
    for (node, is_ready) in state.nodes.iter().zip(ready) {
        let leads = groups.map(|groups| {
            groups.iter().filter(|group| group["leader"].as_u64() == Some(node.id)).count()
        });
        let others = state.nodes.iter().filter(|other| other.id != node.id && other.pid.is_some());
        let sees = others.filter(|other| node.pid.is_some() && !state.is_cut(node.id, other.id));
        let sees = sees.map(|other| other.id.to_string());
        let life = match (&node.ended, is_ready) {
            (Some(why), _) => why.clone(),
            (None, true) => "ready".into(),
            (None, false) => "not ready".into(),
        };
        table.push(vec![
            Some(node.id.to_string()),
            Some(node.http.to_string()),
            Some(node.pg.to_string()),
            Some(node.pid.map(|pid| pid.to_string()).unwrap_or_default()),
            Some(life),
            Some(leads.map(|n| format!("{n} groups")).unwrap_or_default()),
            Some(sees.collect::<Vec<_>>().join(",")),
        ]);
    }
    table.render()
}

/// The last line that a node logged.
pub(super) fn last_line(layout: &Layout, node: u64) -> String {
    let text = std::fs::read(layout.log(node)).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().last().unwrap_or("it said nothing").to_string()
}

pub(super) async fn logs(
    layout: &Layout,
    node: u64,
    lines: usize,
    follow: bool,
) -> anyhow::Result<()> {
    if !NODES.contains(&node) {
        bail!("no node {node}; there are 1, 2 and 3");
    }
    layout.read_existing()?;
    let path = layout.log(node);
    let mut file = std::fs::File::open(&path).with_context(|| path.display().to_string())?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let mut out = std::io::stdout();
    out.write_all(last_lines(&bytes, lines)).context("cannot write the log")?;
    if !follow {
        return Ok(());
    }
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        bytes.clear();
        file.read_to_end(&mut bytes)?;
        out.write_all(&bytes).and_then(|()| out.flush()).context("cannot write the log")?;
    }
}

pub(super) fn last_lines(text: &[u8], lines: usize) -> &[u8] {
    let body = text.strip_suffix(b"\n").unwrap_or(text);
    let ends = body.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
    match ends.map(|(at, _)| at + 1).nth(lines.saturating_sub(1)) {
        _ if lines == 0 => &[],
        Some(start) => &text[start..],
        None => text,
    }
}
