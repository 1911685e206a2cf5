//! A server under test: started, killed, and reached only through its ports.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use tokio::process::{Child, Command};

/// How long a start may take before the test gives up.
const READY_TIME_MAX: Duration = Duration::from_secs(60);

pub(crate) struct Node {
    process: Child,
    http: String,
    pg: String,
    client: reqwest::Client,
    /// From the start of the process to its first "ready".
    pub(crate) ready_after: Duration,
}

impl Node {
    #[expect(clippy::disallowed_methods, reason = "a harness measures real time")]
    pub(crate) async fn start(program: &Path, data: &Path, config: &Path) -> anyhow::Result<Node> {
        let started = Instant::now();
        let process = Command::new(program)
            .arg("serve")
            .arg("--config")
            .arg(config)
            .arg("--data")
            .arg(data)
            .args(["--http-listen", "127.0.0.1:0"])
            .args(["--pg-listen", "127.0.0.1:0"])
            .args(["--peer-listen", "127.0.0.1:0"])
            .env("RUST_LOG", "warn")
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let mut node = Node {
            process,
            http: String::new(),
            pg: String::new(),
            client: reqwest::Client::new(),
            ready_after: Duration::ZERO,
        };
        while !node.is_ready(data).await {
            if let Some(status) = node.process.try_wait()? {
                bail!("the server ended by itself: {status}");
            }
            ensure!(started.elapsed() < READY_TIME_MAX, "not ready in {READY_TIME_MAX:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        node.ready_after = started.elapsed();
        Ok(node)
    }

    async fn is_ready(&mut self, data: &Path) -> bool {
        let Ok(text) = std::fs::read_to_string(data.join("addresses.json")) else { return false };
        let Ok(addresses) = serde_json::from_str::<Value>(&text) else { return false };
        if addresses["pid"].as_u64() != self.process.id().map(u64::from) {
            return false; // Left by the process before.
        }
        let (Some(http), Some(pg)) = (addresses["http"].as_str(), addresses["pg"].as_str()) else {
            return false;
        };
        (self.http, self.pg) = (http.into(), pg.into());
        let ready = self.client.get(self.url("/ready")).send().await;
        ready.is_ok_and(|answer| answer.status().is_success())
    }

    /// As a power switch ends it: no signal handler, no flush.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.process.try_wait()? {
            bail!("the server ended by itself before it was killed: {status}");
        }
        self.process.kill().await?;
        Ok(())
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.http)
    }

    pub(crate) fn client(&self) -> &reqwest::Client {
        &self.client
    }

    pub(crate) async fn flush(&self) -> anyhow::Result<()> {
        let flushed = self.client.post(self.url("/flush")).send().await?;
        ensure!(flushed.status().is_success(), "flush answered {}", flushed.status());
        Ok(())
    }

    pub(crate) async fn get(&self, path: &str, params: &[(&str, &str)]) -> anyhow::Result<Value> {
        let answer = self.client.get(self.url(path)).query(params).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "{path} answered {status}: {text}");
        Ok(serde_json::from_str(&text)?)
    }

    pub(crate) async fn sql(&self) -> anyhow::Result<tokio_postgres::Client> {
        let (host, port) = self.pg.split_once(':').context("an address with a port")?;
        let settings = format!("host={host} port={port} user=jepsen dbname=jepsen");
        let (client, connection) =
            tokio_postgres::connect(&settings, tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }
}
