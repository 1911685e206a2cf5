//! A network of our own: one namespace per node on a bridge, and links that drop packets.
//!
//! ```text
//! harness, clients ── bridge 10.213.x.254 ──┬── veth ── namespace of node 1, 10.213.x.1
//!                                           └── veth ── namespace of node 2, 10.213.x.2
//! ```
//!
//! A link from a to b is cut inside b's namespace, by source address: what clients send still
//! arrives, and one direction can be cut without the other. Names carry the harness's process id;
//! what a killed harness left behind is taken away by the next.

use std::path::Path;

use anyhow::{Context, ensure};

use super::machine::{run, run_at_drop};
use super::node::signal;

/// The bridge and its namespaces; gone when dropped.
#[derive(Debug)]
pub(crate) struct Network {
    name: String,
    prefix: String,
    nodes: Vec<u64>,
}

impl Network {
    pub(crate) async fn create() -> anyhow::Result<Network> {
        remove_leftovers().await?;
        let pid = std::process::id();
        let network = Network {
            name: format!("dj{pid}"),
            prefix: format!("10.213.{}", pid % 250),
            nodes: Vec::new(),
        };
        let subnet = format!("{}.0/24", network.prefix);
        let taken = run(&["ip", "route", "show", &subnet]).await?;
        ensure!(taken.is_empty(), "{subnet} is in use");
        run(&["ip", "link", "add", &network.name, "type", "bridge"]).await?;
        let own = format!("{}.254/24", network.prefix);
        run(&["ip", "addr", "add", &own, "dev", &network.name]).await?;
        run(&["ip", "link", "set", &network.name, "up"]).await?;
        Ok(network)
    }

    /// Whether all of it works: a namespace, its address, a rule, a program inside.
    pub(crate) async fn probe() -> anyhow::Result<()> {
        let mut network = Network::create().await?;
        network.add(1).await?;
        network.add(2).await?;
        network.block(1, 2).await?;
        network.unblock(1, 2).await?;
        let addresses = run(&[&network.enter(1)[..], &["ip".into(), "addr".into()]]
            .concat()
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>())
        .await?;
        ensure!(addresses.contains(&network.ip(1)), "a namespace does not have its address");
        Ok(())
    }

    pub(crate) async fn add(&mut self, node: u64) -> anyhow::Result<()> {
        let space = self.space(node);
        run(&["ip", "netns", "add", &space]).await?;
        self.nodes.push(node);
        run(&[
            "ip", "link", "add", &space, "type", "veth", "peer", "name", "eth0", "netns", &space,
        ])
        .await?;
        run(&["ip", "link", "set", &space, "master", &self.name, "up"]).await?;
        let address = format!("{}/24", self.ip(node));
        run(&["ip", "-n", &space, "addr", "add", &address, "dev", "eth0"]).await?;
        run(&["ip", "-n", &space, "link", "set", "eth0", "up"]).await?;
        run(&["ip", "-n", &space, "link", "set", "lo", "up"]).await?;
        Ok(())
    }

    pub(crate) fn ip(&self, node: u64) -> String {
        format!("{}.{node}", self.prefix)
    }

    /// What to put before a command so that it runs on a node. It leaves the mounts alone.
    pub(crate) fn enter(&self, node: u64) -> Vec<String> {
        vec!["nsenter".into(), format!("--net=/run/netns/{}", self.space(node)), "--".into()]
    }

    /// Packets from `source` do not arrive at `target`. Blocks add up.
    pub(crate) async fn block(&self, source: u64, target: u64) -> anyhow::Result<()> {
        self.rule("-A", source, target).await
    }

    /// Takes one block away.
    pub(crate) async fn unblock(&self, source: u64, target: u64) -> anyhow::Result<()> {
        self.rule("-D", source, target).await
    }

    async fn rule(&self, action: &str, source: u64, target: u64) -> anyhow::Result<()> {
        let net = format!("--net=/run/netns/{}", self.space(target));
        let ip = self.ip(source);
        let rule = ["nsenter", &net, "--", "iptables", "-w", action, "INPUT", "-s", &ip];
        run(&[&rule[..], &["-j", "DROP"]].concat()).await.map(|_| ())
    }

    fn space(&self, node: u64) -> String {
        format!("{}n{node}", self.name)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for node in &self.nodes {
            run_at_drop(&["ip", "netns", "del", &self.space(*node)]);
            run_at_drop(&["ip", "link", "del", &self.space(*node)]);
        }
        run_at_drop(&["ip", "link", "del", &self.name]);
    }
}

/// Of harnesses that were killed.
async fn remove_leftovers() -> anyhow::Result<()> {
    let spaces = run(&["ip", "netns", "list"]).await.context("network namespaces")?;
    for space in spaces.lines().filter_map(|line| line.split(' ').next()).filter(|s| is_dead(s)) {
        let pids = run(&["ip", "netns", "pids", space]).await?;
        let pids: Vec<String> = pids.lines().map(Into::into).collect();
        // One of them may end at this moment; that is what is wanted.
        let _ = signal("-KILL", &pids).await;
        run(&["ip", "netns", "del", space]).await?;
    }
    let links = run(&["ip", "-o", "link", "show", "type", "bridge"]).await?;
    for link in links.lines().filter_map(|line| line.split(": ").nth(1)).filter(|l| is_dead(l)) {
        run(&["ip", "link", "del", link]).await?;
    }
    Ok(())
}

/// Whether a name is one of ours and its harness is gone.
fn is_dead(name: &str) -> bool {
    let pid = name.strip_prefix("dj").map(|rest| rest.split('n').next().unwrap_or(rest));
    let pid = pid.filter(|pid| !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit()));
    pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists())
}

#[cfg(test)]
mod tests {
    use super::is_dead;

    #[test]
    fn only_what_a_dead_harness_left_is_taken_away() {
        assert!(is_dead("dj999999999n3") && is_dead("dj999999999"));
        let own = format!("dj{}n1", std::process::id());
        for alive in [own.as_str(), "docker0", "dj", "djx", "br-999999999"] {
            assert!(!is_dead(alive), "{alive}");
        }
    }
}
