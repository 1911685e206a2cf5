//! What the user writes becomes what the modules need, once, at start.
//!
//! YAML with Loki's own key names where Loki has the thing; flags win over the file. An unknown
//! key is an error with a suggestion; blocks that Loki has and drave does not need are accepted
//! and named in one warning. `${VAR}` and `${VAR:-default}` are expanded always.

pub mod access;
mod defaults;
pub mod runtime;
mod wrong;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::model::limits::{ByteSize, Limits, Span};
use crate::objects;

use runtime::RuntimeConfig;

/// Blocks of a Loki file that have no meaning here. Accepted, so that people can bring their file.
const UNUSED_BLOCKS: &[&str] = &[
    "target",
    "common",
    "distributor",
    "ingester",
    "ingester_client",
    "query_range",
    "frontend",
    "frontend_worker",
    "query_scheduler",
    "ruler",
    "ruler_storage",
    "compactor",
    "schema_config",
    "storage_config",
    "chunk_store_config",
    "index_gateway",
    "bloom_build",
    "bloom_gateway",
    "memberlist",
    "pattern_ingester",
    "ui",
    "usage_report",
    "analytics",
    "tracing",
    "ingest_limits",
    "kafka_config",
    "table_manager",
    "no_auth_tenant",
    "ballast_bytes",
    "shutdown_delay",
];

/// Keys of Loki's `limits_config` that this version does not act on. Accepted and named, like the
/// blocks above: a limit that does nothing must not look as if it did.
const UNUSED_LIMITS: &[&str] = &[
    "deletion_mode",
    "engine_results_cache_time_bucket_interval",
    "ingestion_partitions_tenant_shard_size",
    "ingestion_rate_strategy",
    "max_cache_freshness_per_query",
    "max_metadata_cache_freshness",
    "max_querier_bytes_read",
    "max_queriers_per_tenant",
    "max_query_capacity",
    "max_stats_cache_freshness",
    "metric_aggregation_enabled",
    "min_sharding_lookback",
    "query_ready_index_num_days",
    "recent_metadata_query_window",
    "retention_period",
    "retention_stream",
    "shard_aggregations",
    "shard_streams",
    "simulated_push_latency",
    "sort_schema",
    "split_ingester_queries_by_interval",
    "split_instant_metric_queries_by_interval",
    "split_metadata_queries_by_interval",
    "split_queries_by_interval",
    "split_recent_metadata_queries_by_interval",
    "tsdb_max_bytes_per_shard",
    "tsdb_max_query_parallelism",
    "tsdb_precompute_chunks",
    "tsdb_sharding_strategy",
    "use_owned_stream_count",
];

/// What keys of parts begin with that are not here.
const UNUSED_LIMIT_PREFIXES: &[&str] =
    &["bloom_", "dataobj_", "debug_engine_", "index_gateway_", "pattern_", "ruler_", "s3_sse_"];

/// Keys of Loki's `querier` that have no meaning here.
const UNUSED_QUERIER: &[&str] = &[
    "tail_max_duration",
    "query_ingesters_within",
    "max_concurrent",
    "extra_query_delay",
    "per_request_limits_enabled",
    "query_partition_ingesters",
    "engine",
    "engine_v2",
    "dataobj",
    "query_store_only",
    "query_ingester_only",
];

/// Whether Loki has a limit of this name that nothing is done with here.
fn is_unused_limit(name: &str) -> bool {
    UNUSED_LIMITS.contains(&name)
        || UNUSED_LIMIT_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Resource attributes that name streams of OpenTelemetry by default.
const OTLP_DEFAULTS: &str = "default_resource_attributes_as_index_labels";

/// The whole configuration of a node. Every field has a default that needs no file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether requests must name their tenant. Without it, everything is tenant `fake`.
    pub auth_enabled: bool,
    /// Where the WAL, the rows and, by default, the objects live.
    pub data: PathBuf,
    /// The number of this node in its cluster, from 1.
    pub node_id: u64,
    /// The HTTP listener and the log.
    pub server: Server,
    /// The Postgres listener and what its queries may use.
    pub sql: Sql,
    /// The listener for other nodes.
    pub peer: Peer,
    /// The cluster that this node founds or joins.
    pub cluster: Cluster,
    /// Shards: fixed when the data directory is made.
    pub shard: Shard,
    /// When heads are sealed.
    pub seal: Seal,
    /// How chunks are written.
    pub chunk: Chunk,
    /// When small chunks become larger ones.
    pub compaction: Compaction,
    /// Where chunks go.
    pub storage: Storage,
    /// Memory that queries and caches may use together.
    pub memory: Memory,
    /// What a tenant may do.
    pub limits_config: Limits,
    /// How queries read.
    pub querier: Querier,
    /// Where limits of single tenants are, which may change while the node runs.
    pub runtime_config: RuntimeConfig,
    /// Whose answer to give where drave differs from Loki on purpose.
    pub compat: Compat,
}

/// `querier:` Of Loki's keys, only this one has a meaning here.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Querier {
    /// Whether a read may name several tenants: `X-Scope-OrgID: a|b`. Whoever may send that header
    /// decides whose data are read, so this is off by default, as in Loki.
    pub multi_tenant_queries_enabled: bool,
}

/// `compat:`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compat {
    /// drave's own.
    #[default]
    Drave,
    /// Loki's, also where it is less useful.
    Loki,
}

/// `server:`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Loopback by default: what is not protected is not offered to a network.
    pub http_listen_address: String,
    /// 0 picks a free port.
    pub http_listen_port: u16,
    /// What stands before every path, as `/logs`, where something in front hands a part of its own
    /// paths on. Empty: nothing.
    pub http_path_prefix: String,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub log_level: String,
    /// Largest request body as sent, before it is decompressed.
    pub max_recv_msg_size: ByteSize,
}

/// `sql:`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sql {
    /// Loopback by default.
    pub listen_address: String,
    /// 0 picks a free port.
    pub listen_port: u16,
    /// Memory of all running SQL queries together; with `auth_enabled` a tenant gets at most three
    /// quarters of it, and of `spill`.
    pub memory: ByteSize,
    /// What one of them may hold of it before it goes on on disk, or ends.
    pub memory_per_query: ByteSize,
    /// Disk below `data` that sorts and groups larger than that may use together. 0 is none.
    pub spill: ByteSize,
    /// How long one statement may run.
    pub statement_timeout: Span,
    /// How many clients may be connected.
    pub max_connections: usize,
    /// Who may log in, as `drave user` writes it. Without it, everybody may. Read again while the
    /// node runs, as are the files of `tls`.
    pub users_file: Option<PathBuf>,
    /// Encryption; without it there is none.
    pub tls: Option<SqlTls>,
}

/// `sql.tls:` `drave cert server` makes both files.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SqlTls {
    /// The certificate, and those between it and the authority, in PEM.
    pub cert: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
    /// Whether connections that are not encrypted are refused.
    #[serde(default)]
    pub require: bool,
}

/// `peer:`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Peer {
    /// Loopback by default.
    pub listen_address: String,
    /// 0 picks a free port.
    pub listen_port: u16,
    /// `host:port` where other nodes reach this one; where it listens, if absent.
    pub advertise_address: Option<String>,
    /// How nodes prove to each other who they are; without it, they do not.
    pub tls: Option<PeerTls>,
}

/// `peer.tls:` `drave cert` makes all three.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerTls {
    /// This node's certificate, which names it as `node-<number>.drave` and `node.drave`.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The certificate of the authority that made the certificates of all nodes.
    pub ca: PathBuf,
}

/// `cluster:`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cluster {
    /// The nodes that found a cluster together, this one among them, each as `id@host:port`.
    /// Later they say where a node is reached, whatever the cluster knows.
    pub peers: Vec<String>,
    /// `host:port` of any node of a cluster to join.
    pub join: Option<String>,
    /// Nodes of one zone may fail together: a shard's replicas are spread over zones.
    pub zone: String,
    /// Voters of each shard of a new cluster: 1, 3, 5 or 7.
    pub replicas: usize,
}

/// `shard:`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shard {
    /// How many shards a new data directory gets.
    pub count: u32,
}

/// `seal:`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seal {
    /// A head is sealed at this many bytes of lines and metadata: large enough that each stream's
    /// block compresses well, small enough that one head fits in memory when it is written.
    pub raw_bytes: ByteSize,
    /// A head is sealed this long after its first entry came.
    pub age: Span,
    /// The largest heads are sealed while all heads of the node hold more than this, compressed.
    pub memory: ByteSize,
}

/// `chunk:`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Chunk {
    /// `zstd`, `lz4`, `snappy`, `gzip` or `none`.
    pub codec: String,
}

/// `compaction:`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Compaction {
    /// How often the leader of a shard looks for small chunks to merge. 0 is never.
    pub every: Span,
    /// The largest chunk that a merge makes: what is larger is left alone.
    pub target: ByteSize,
}

/// `storage:`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// `s3://bucket/prefix`, or `file:///directory` that all nodes share; a directory below `data`
    /// where it is absent, which is for a node that is alone.
    pub bucket: Option<String>,
    /// The URL of a server that is not Amazon's.
    pub endpoint: Option<String>,
    /// The region to sign for.
    pub region: Option<String>,
    /// How full the disk of `data` may get.
    pub disk: DiskMarks,
    /// Entries are refused while the WAL of the node holds so much: object storage takes nothing,
    /// and what it does not have is in memory, too. 0 is no end.
    pub wal_max: ByteSize,
    /// How long the object of a chunk that others replaced stays, for the queries that still read
    /// it: longer than any query.
    pub erase_after: Span,
    /// How often objects are looked for that a compaction left half-done a day ago or longer. 0 is
    /// never.
    pub sweep_every: Span,
}

/// `storage.disk:` as parts of the whole: 0.95 is 95 %.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiskMarks {
    /// Entries are refused above it: a disk that is really full stops the node.
    pub high: f64,
    /// Entries are taken again below it.
    pub low: f64,
}

/// `memory:`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Memory {
    /// Memory of all running LogQL queries together.
    pub queries: ByteSize,
    /// Memory for the indexes of chunks that queries have read.
    pub chunk_indexes: ByteSize,
    /// Memory of pushes that are being decoded or wait for their shard.
    pub pushes: ByteSize,
    /// What the pushes of one tenant may hold of it, where there are tenants (`auth_enabled`).
    pub pushes_per_tenant: ByteSize,
}

/// A configuration that cannot be used: one line that says where and what.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("config {path}: {reason}")]
    Read {
        /// The file.
        path: String,
        /// The system's words.
        reason: String,
    },
    /// The text is no configuration.
    #[error("config {path}: {reason}")]
    Parse {
        /// The file.
        path: String,
        /// Where and what.
        reason: String,
    },
    /// A value cannot be used.
    #[error("{key}: {reason}")]
    Value {
        /// The key or flag.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl Config {
    /// Reads a file. Also answers the names of blocks that are accepted but unused.
    pub fn read(path: &Path) -> Result<(Config, Vec<String>), Error> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| Error::Read { path: name.clone(), reason: error.to_string() })?;
        Config::parse(&text).map_err(|reason| Error::Parse { path: name, reason })
    }

    fn parse(text: &str) -> Result<(Config, Vec<String>), String> {
        let text = expand(text, |name| std::env::var(name).ok())?;
        let mut value: serde_norway::Value =
            serde_norway::from_str(&text).map_err(|error| error.to_string())?;
        let mut unused = Vec::new();
        match &mut value {
            serde_norway::Value::Mapping(blocks) => {
                take_otlp_defaults(blocks);
                for name in UNUSED_BLOCKS {
                    if blocks.remove(*name).is_some() {
                        unused.push((*name).to_string());
                    }
                }
                take_unused(blocks, "limits_config", is_unused_limit, &mut unused);
                let is_unused = |name: &str| UNUSED_QUERIER.contains(&name);
                take_unused(blocks, "querier", is_unused, &mut unused);
            }
            serde_norway::Value::Null => return Ok((Config::default(), unused)),
            _ => return Err("expected keys and values".into()),
        }
        let config = serde_norway::from_value(value.clone()).map_err(|_| {
            let check = |part| serde_norway::from_value::<Config>(part).err();
            wrong::explain(&text, &[], &value, &|part| check(part).map(|error| error.to_string()))
        })?;
        Ok((config, unused))
    }

    /// The nodes of `cluster.peers`, by number.
    pub fn peers(&self) -> Result<BTreeMap<u64, String>, Error> {
        let key = "cluster.peers";
        let mut peers = BTreeMap::new();
        for peer in &self.cluster.peers {
            let parts = peer.split_once('@').and_then(|(id, address)| {
                let id = id.trim().parse::<u64>().ok().filter(|id| *id > 0)?;
                let (host, port) = address.rsplit_once(':')?;
                let good = !host.is_empty() && port.parse::<u16>().is_ok();
                good.then(|| (id, address.to_owned()))
            });
            let Some((id, address)) = parts else {
                let reason = format!("'{peer}' is no node: write it like 2@10.0.0.2:9095");
                return Err(Error::Value { key, reason });
            };
            if peers.insert(id, address).is_some() {
                return Err(Error::Value { key, reason: format!("node {id} is there twice") });
            }
        }
        if !peers.is_empty() && !peers.contains_key(&self.node_id) {
            let reason = format!("node {}, which is this one, is not among them", self.node_id);
            return Err(Error::Value { key, reason });
        }
        Ok(peers)
    }

    /// This node's number. 0 is none: it says elsewhere that no node is known, as a leader in
    /// metrics, or where another node is to be asked.
    pub fn node_id(&self) -> Result<u64, Error> {
        if self.node_id > 0 {
            return Ok(self.node_id);
        }
        let reason = "0 says that there is no node: number nodes from 1".into();
        Err(Error::Value { key: "node_id", reason })
    }

    /// Voters of each shard of a new cluster.
    pub fn replicas(&self) -> Result<usize, Error> {
        let replicas = self.cluster.replicas;
        if matches!(replicas, 1 | 3 | 5 | 7) {
            return Ok(replicas);
        }
        let reason = format!("{replicas} is none of 1, 3, 5, 7");
        Err(Error::Value { key: "cluster.replicas", reason })
    }

    /// How full the disk may get: where entries are refused, and where they are taken again.
    pub fn disk_marks(&self) -> Result<(f64, f64), Error> {
        let DiskMarks { high, low } = self.storage.disk;
        if 0.0 < low && low <= high && high <= 1.0 {
            return Ok((high, low));
        }
        let reason = format!("high {high} and low {low} are not 0 < low <= high <= 1");
        Err(Error::Value { key: "storage.disk", reason })
    }

    /// Where objects go.
    pub fn objects(&self) -> objects::Options {
        let directory = |url: &String| url.strip_prefix("file://").map(PathBuf::from);
        match &self.storage.bucket {
            None => objects::Options::Directory(self.data.join("objects")),
            Some(url) if directory(url).is_some() => {
                objects::Options::Directory(directory(url).expect("just looked at"))
            }
            Some(url) => objects::Options::Bucket {
                url: url.clone(),
                endpoint: self.storage.endpoint.clone(),
                region: self.storage.region.clone(),
            },
        }
    }

    /// What stands before every path of the HTTP listener: empty, or one that begins with a slash.
    pub fn http_path_prefix(&self) -> Result<String, Error> {
        let prefix = self.server.http_path_prefix.trim_end_matches('/');
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.');
        if prefix.is_empty() || prefix.starts_with('/') && prefix.chars().all(plain) {
            return Ok(prefix.into());
        }
        let reason = format!("'{prefix}' is no path: write it like /logs");
        Err(Error::Value { key: "server.http_path_prefix", reason })
    }

    /// The address of the HTTP listener.
    pub fn http_listen(&self) -> Result<SocketAddr, Error> {
        let server = &self.server;
        listen("server.http_listen_address", &server.http_listen_address, server.http_listen_port)
    }

    /// The address of the Postgres listener.
    pub fn pg_listen(&self) -> Result<SocketAddr, Error> {
        listen("sql.listen_address", &self.sql.listen_address, self.sql.listen_port)
    }

    /// The address of the peer listener.
    pub fn peer_listen(&self) -> Result<SocketAddr, Error> {
        listen("peer.listen_address", &self.peer.listen_address, self.peer.listen_port)
    }
}

/// Takes keys out of a block that nothing is done with here, and notes their names.
fn take_unused(
    blocks: &mut serde_norway::Mapping,
    block: &str,
    is_unused: impl Fn(&str) -> bool,
    unused: &mut Vec<String>,
) {
    let Some(serde_norway::Value::Mapping(keys)) = blocks.get_mut(block) else { return };
    let names = keys.keys().filter_map(|key| key.as_str().filter(|name| is_unused(name)));
    let names: Vec<String> = names.map(str::to_owned).collect();
    for name in names {
        keys.remove(name.as_str());
        unused.push(format!("{block}.{name}"));
    }
}

/// What names streams of OpenTelemetry by default stands under `distributor` in Loki's files, and
/// is a limit like others here.
fn take_otlp_defaults(blocks: &mut serde_norway::Mapping) {
    let names = blocks
        .get("distributor")
        .and_then(|block| block.get("otlp_config")?.get(OTLP_DEFAULTS))
        .cloned();
    let Some(names) = names else { return };
    let limits = blocks
        .entry("limits_config".into())
        .or_insert_with(|| serde_norway::Value::Mapping(serde_norway::Mapping::new()));
    if let serde_norway::Value::Mapping(limits) = limits {
        limits.entry(OTLP_DEFAULTS.into()).or_insert(names);
    }
}

fn listen(key: &'static str, address: &str, port: u16) -> Result<SocketAddr, Error> {
    let address = if address.is_empty() { "0.0.0.0" } else { address };
    let reason = || format!("'{address}' is no IP address: write it like 127.0.0.1 or ::1");
    let ip = address.parse().map_err(|_| Error::Value { key, reason: reason() })?;
    Ok(SocketAddr::new(ip, port))
}

/// Replaces `${NAME}` and `${NAME:-default}`; `$$` is a dollar sign.
fn expand(text: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            let (inside, after) = after.split_once('}').ok_or("a '${' without its '}'")?;
            let (name, default) = inside.split_once(":-").unwrap_or((inside, ""));
            out.push_str(&lookup(name).unwrap_or_else(|| default.to_string()));
            rest = after;
        } else {
            out.push('$');
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Adds "did you mean" to serde's complaint about an unknown key.
fn suggest(complaint: &str) -> String {
    let mut quoted = complaint.split('`').skip(1).step_by(2);
    if !complaint.contains("unknown field") {
        return complaint.into();
    }
    let Some(given) = quoted.next() else { return complaint.into() };
    let nearest = quoted.map(|known| (distance(given, known), known)).min();
    let place = complaint.split("unknown field").next().unwrap_or_default();
    match nearest {
        Some((steps, known)) if steps <= given.len().max(known.len()) / 2 => {
            format!("{place}unknown key '{given}': did you mean '{known}'?")
        }
        _ => format!("{place}unknown key '{given}'"),
    }
}

/// Levenshtein's edit distance.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// What `/config` answers: the values in force. There is no secret in it: keys of a bucket come
/// from the environment.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_norway::to_string(self).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn error(text: &str) -> String {
        Config::parse(text).expect_err("a bad file")
    }

    #[test]
    fn files_that_people_bring() {
        let text = "auth_enabled: true\nserver:\n  http_listen_port: 80\nschema_config:\n  x: 1\n\
                    limits_config:\n  reject_old_samples: false\n  retention_period: 24h\n  \
                    bloom_block_encoding: none\nseal:\n  age: 1h30m\n";
        let (config, unused) = Config::parse(text).expect("a good file");
        assert!(config.auth_enabled);
        assert_eq!(config.server.http_listen_port, 80);
        assert_eq!(config.seal.age, Span(Duration::from_secs(5400)));
        assert_eq!(
            unused,
            [
                "schema_config",
                "limits_config.retention_period",
                "limits_config.bloom_block_encoding"
            ]
        );
        assert!(Config::parse("").is_ok(), "an empty file is the default");
        let text = "querier: {max_concurrent: 4, multi_tenant_queries_enabled: true}\n";
        let (config, unused) = Config::parse(text).expect("a good file");
        assert!(config.querier.multi_tenant_queries_enabled);
        assert_eq!(unused, ["querier.max_concurrent"]);
        let text = "distributor:\n  otlp_config:\n    \
                    default_resource_attributes_as_index_labels: [a.b]\n";
        let (config, unused) = Config::parse(text).expect("a good file");
        let limits = &config.limits_config;
        assert_eq!(limits.default_resource_attributes_as_index_labels, ["a.b"]);
        assert_eq!(unused, ["distributor"]);
    }

    #[test]
    fn an_unknown_key_is_an_error_with_a_suggestion() {
        assert!(error("auth_enable: true").contains("did you mean 'auth_enabled'?"));
        assert!(error("server:\n  http_port: 1").contains("did you mean 'http_listen_port'?"));
        assert!(error("zzzzzz: 1").ends_with("unknown key 'zzzzzz'"));
        assert!(error("- a").contains("expected keys"));
    }

    #[test]
    fn prefixes_of_paths() {
        let check = |text: &str, expected: Option<&str>| {
            let (config, _) = Config::parse(&format!("server: {{http_path_prefix: '{text}'}}"))
                .expect("known keys");
            assert_eq!(config.http_path_prefix().ok().as_deref(), expected, "{text}");
        };
        check("", Some(""));
        check("/", Some(""));
        check("/logs/", Some("/logs"));
        check("logs", None);
        check("/{x}", None);
    }

    /// It took part, and where others said "node 0 leads" nobody could tell it from "nobody does".
    #[test]
    fn node_0_is_none() {
        let (config, _) = Config::parse("node_id: 0").expect("known keys");
        let error = config.node_id().expect_err("no node").to_string();
        assert_eq!(error, "node_id: 0 says that there is no node: number nodes from 1");
        assert_eq!(Config::default().node_id().expect("a node"), 1);
    }

    #[test]
    fn variables() {
        let lookup = |name: &str| (name == "HOME").then(|| "/root".to_string());
        let expanded = expand("a: ${HOME}\nb: ${X:-7} $$ $c", lookup);
        assert_eq!(expanded.as_deref(), Ok("a: /root\nb: 7 $ $c"));
        assert!(expand("${HOME", lookup).is_err());
    }
}
