//! What the words say to the supervisor: one line of JSON each way, over a Unix socket.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

use super::layout::Layout;

/// Longer than the nodes may take to stop.
const PATIENCE: Duration = Duration::from_secs(30);
/// Of a request or an answer.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Request {
    Kill(u64),
    Start(u64),
    Partition(Vec<Vec<u64>>),
    Heal,
    /// The nodes are a cluster now.
    Formed,
    Down,
    /// Says nothing but that the supervisor is there.
    Hello,
}

/// What was done, or why not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    Done(String),
    Refused(String),
}

/// Asks the supervisor; what it did, in words.
pub(super) async fn ask(layout: &Layout, request: &Request) -> anyhow::Result<String> {
    let Ok(stream) = UnixStream::connect(layout.socket()).await else { bail!(layout.no_cluster()) };
    let exchange = async {
        let mut stream = BufReader::new(stream);
        write_line(&mut stream, request).await?;
        read_line::<Answer>(&mut stream).await
    };
    let answer = tokio::time::timeout(PATIENCE, exchange).await;
    match answer.with_context(|| format!("the supervisor does not answer in {PATIENCE:?}"))?? {
        Answer::Done(text) => Ok(text),
        Answer::Refused(reason) => bail!(reason),
    }
}

/// Whether a supervisor runs.
pub(super) async fn is_up(layout: &Layout) -> bool {
    ask(layout, &Request::Hello).await.is_ok()
}

pub(super) async fn read_line<T: for<'a> Deserialize<'a>>(
    stream: &mut BufReader<UnixStream>,
) -> anyhow::Result<T> {
    let mut line = String::new();
    stream.take(LINE_BYTES_MAX).read_line(&mut line).await.context("the control socket")?;
    serde_json::from_str(&line).context("not understood on the control socket")
}

pub(super) async fn write_line<T: Serialize>(
    stream: &mut BufReader<UnixStream>,
    value: &T,
) -> anyhow::Result<()> {
    let line = serde_json::to_string(value).context("as JSON")? + "\n";
    stream.write_all(line.as_bytes()).await.context("the control socket")
}
