//! `drave cluster`: founds a cluster, shows it, and says which nodes it may use.

use std::io::Write as _;

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::address::Http;
use super::table::Table;

/// Found, watch and change a cluster
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    word: Word,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Word {
    /// Found a cluster of the nodes that the server was started with (--peers)
    Init {
        /// Server to ask
        #[command(flatten)]
        http: Http,
    },
    /// Show nodes, shards, leaders and what moves
    Status {
        /// Output format
        #[arg(short, long, value_enum, default_value_t = Output::Table)]
        output: Output,
        /// Server to ask
        #[command(flatten)]
        http: Http,
    },
    /// Move a node's shards away; it serves until they are gone
    Drain(Node),
    /// Let a node that drains take shards again
    Resume(Node),
    /// Say that a node is gone for good; its shards are rebuilt on others
    Remove(Node),
    /// Show or set the limits that a tenant has of its own on all nodes
    Limits {
        /// The tenant
        tenant: String,
        /// `key=value` of limits_config; `key=` takes it away. Nothing: only show them
        keys: Vec<String>,
        /// Server to ask
        #[command(flatten)]
        http: Http,
    },
    /// Change how many voters each shard has, where there are as many nodes
    Replicas {
        /// 1, 3, 5 or 7
        n: usize,
        /// Server to ask
        #[command(flatten)]
        http: Http,
    },
}

/// One node of the cluster.
#[derive(Clone, Debug, clap::Args)]
struct Node {
    /// The node's number
    id: u64,
    /// Server to ask
    #[command(flatten)]
    http: Http,
}

/// How the status is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// For people.
    Table,
    /// As the server says it.
    Json,
}

/// Runs one of the words.
pub async fn run(args: Args) -> anyhow::Result<()> {
    match args.word {
        Word::Init { http } => {
            let answer = post(&http, "/drave/v1/cluster/init").await?;
            let answer: Value = serde_json::from_str(&answer).context("the answer is no JSON")?;
            let id = answer["cluster_id"].as_str().unwrap_or("?").to_owned();
            say(&format!("founded cluster {id}\n"))
        }
        Word::Status { output, http } => {
            let url = http.url("/drave/v1/cluster/status")?;
            let text = text_of(http.client()?.get(url).send().await?).await?;
            match output {
                Output::Json => say(&format!("{}\n", text.trim_end())),
                Output::Table => {
                    let status = serde_json::from_str(&text).context("the answer is no JSON")?;
                    say(&tables(&status))
                }
            }
        }
        Word::Drain(node) => change(&node, "drain", "its shards move away").await,
        Word::Resume(node) => change(&node, "resume", "it takes shards again").await,
        Word::Remove(node) => change(&node, "remove", "its shards are rebuilt on others").await,
        Word::Limits { tenant, keys, http } => limits(&http, &tenant, &keys).await,
        Word::Replicas { n, http } => {
            post(&http, &format!("/drave/v1/cluster/replicas/{n}")).await?;
            say(&format!(
                "shards get {n} voters, one after the other; 'drave cluster status' shows how far \
                 they are\n"
            ))
        }
    }
}

async fn change(node: &Node, verb: &str, what: &str) -> anyhow::Result<()> {
    let id = node.id;
    post(&node.http, &format!("/drave/v1/cluster/nodes/{id}/{verb}")).await?;
    say(&format!("node {id}: {what}; 'drave cluster status' shows how far it is\n"))
}

async fn limits(http: &Http, tenant: &str, keys: &[String]) -> anyhow::Result<()> {
    let url = http.url(&format!("/drave/v1/cluster/limits/{tenant}"))?;
    let answer = text_of(http.client()?.get(url.clone()).send().await?).await?;
    let answer: Value = serde_json::from_str(&answer).context("the answer is no JSON")?;
    let mut own = answer["own"].as_object().cloned().unwrap_or_default();
    for pair in keys {
        let (key, value) = pair.split_once('=').with_context(|| format!("'{pair}' has no '='"))?;
        match value {
            "" => drop(own.remove(key)),
            value => {
                // What is no JSON is a text: 5s, 1KB.
                let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
                own.insert(key.to_owned(), value);
            }
        }
    }
    let own = Value::Object(own);
    if !keys.is_empty() {
        text_of(http.client()?.put(url).body(own.to_string()).send().await?).await?;
    }
    say(&format!("{own:#}\n"))
}

async fn post(http: &Http, path: &str) -> anyhow::Result<String> {
    text_of(http.client()?.post(http.url(path)?).send().await?).await
}

async fn text_of(response: reqwest::Response) -> anyhow::Result<String> {
    let status = response.status();
    let text = response.text().await?;
    if !status.is_success() {
        bail!("{}", text.trim_end());
    }
    Ok(text)
}

fn say(text: &str) -> anyhow::Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("cannot write the answer")
}

/// Nodes, then shards.
fn tables(status: &Value) -> String {
    let none = Vec::new();
    let cell = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Array(all) => all.iter().map(Value::to_string).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    };
    let table = |names: &[&str], rows: &[Value]| {
        let mut table = Table::new(names.iter().map(|name| (*name).to_owned()).collect());
        for row in rows {
            table.push(names.iter().map(|name| Some(cell(&row[*name]))).collect());
        }
        table.render()
    };
    let mut nodes = status["nodes"].as_array().unwrap_or(&none).clone();
    for node in &mut nodes {
        let disk = &node["room"]["disk"];
        let gib = |bytes: &Value| bytes.as_f64().unwrap_or(0.0) / f64::from(1 << 30);
        let (all, free) = (gib(&disk["bytes"]), gib(&disk["free_bytes"]));
        if all > 0.0 {
            node["disk"] = format!("{free:.1} of {all:.1} GiB free").into();
        }
        node["refuses"] = node["room"]["refused"].take();
    }
    let mut shards = status["shards"].as_array().unwrap_or(&none).clone();
    let mut meta = status["meta"].clone();
    meta["shard"] = "meta".into();
    shards.push(meta);
    for shard in &mut shards {
        let lags =
            shard["lag"].as_object().into_iter().flatten().filter_map(|(_, lag)| lag.as_u64());
        shard["lag"] = lags.max().unwrap_or(0).into();
        shard["moving"] = if shard["voters"] == shard["wanted"] { "" } else { "yes" }.into();
    }
    format!(
        "cluster {}\n\n{}\n{}",
        cell(&status["cluster_id"]),
        table(
            &[
                "id", "address", "http", "zone", "state", "alive", "version", "shards", "leads",
                "disk", "failed", "refuses"
            ],
            &nodes
        ),
        table(
            &[
                "shard",
                "leader",
                "voters",
                "learners",
                "wanted",
                "moving",
                "term",
                "last",
                "applied",
                "lag",
                "wal_bytes"
            ],
            &shards
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_is_seen() {
        let status = serde_json::json!({
            "cluster_id": "ab",
            "nodes": [{"id": 1, "address": "h:1", "state": "active", "alive": true,
                "room": {"disk": {"bytes": 2_u64 << 30, "free_bytes": 1 << 30}, "refused": "full"}}],
            "shards": [{"shard": 0, "leader": 1, "voters": [1, 2], "wanted": [1, 3], "lag": {"2": 7}}],
            "meta": {"leader": 1, "voters": [1], "wanted": [1]},
        });
        let text = tables(&status);
        assert!(text.contains("cluster ab") && text.contains("h:1"), "{text}");
        assert!(text.contains("1.0 of 2.0 GiB free") && text.contains("full"), "{text}");
        let line = text.lines().find(|line| line.contains("1,2")).expect("the shard");
        assert!(line.contains("1,3") && line.contains("yes") && line.contains('7'), "{line}");
        let meta = text.lines().find(|line| line.contains("meta")).expect("the meta group");
        assert!(!meta.contains("yes"), "{meta}");
    }
}
