//! One node: builds the parts in floor order, serves, stops them in reverse.

use std::future::Future;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::chunk::{Codec, WriteOptions};
use crate::cluster::{Cluster, peer};
use crate::config::{self, Config};
use crate::http;
use crate::lifecycle::{self, Lifecycle};
use crate::model::limits::ByteSize;
use crate::objects::Objects;
use crate::pool::Pool;
use crate::query::sql::LogsSource;
use crate::scan::{Indexes, Scanner};
use crate::shard::Policy;
use crate::telemetry::{Metrics, Stopwatch};

/// How long all parts together may take to stop; what is left then is cut off.
const STOP_TIME_MAX: Duration = Duration::from_secs(9);

/// Why a node does not start. One line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration says something that cannot be.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// A port is taken or not allowed.
    #[error("cannot listen on {address} for {what}: {source}; choose another with {flag}")]
    Listen {
        /// What the port is for.
        what: &'static str,
        /// Where.
        address: SocketAddr,
        /// The flag that changes it.
        flag: &'static str,
        /// The system's words.
        source: io::Error,
    },
    /// The data directory cannot be used.
    #[error("{0}")]
    Data(#[from] drave_raft::Error),
    /// A shard's rows or WAL cannot be read.
    #[error(transparent)]
    Shard(#[from] crate::cluster::OpenError),
    /// The object storage cannot be used.
    #[error(transparent)]
    Objects(#[from] crate::objects::Error),
    /// The addresses in use could not be written down.
    #[error("cannot write {path}: {source}; free some space or make it writable and start again")]
    Addresses {
        /// The file.
        path: String,
        /// The system's words.
        source: io::Error,
    },
}

/// Where a running node listens. Written to `addresses.json` in its data directory.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Addresses {
    /// Push and LogQL.
    pub http: SocketAddr,
    /// SQL.
    pub pg: SocketAddr,
    /// Other nodes.
    pub peer: SocketAddr,
    /// The process, so that scripts can stop it.
    pub pid: u32,
}

/// A node that serves.
pub struct Running {
    /// Where it listens.
    pub addresses: Addresses,
    node: drave_raft::Node,
    cluster: Cluster,
    stop: watch::Sender<bool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

/// Starts a node and serves until `stop` completes.
pub async fn run(config: Config, stop: impl Future<Output = ()>) -> Result<(), Error> {
    let running = Running::start(&config).await?;
    // Nobody may be reading: a banner is no reason to die.
    let _ = write!(io::stdout(), "{}", banner(&config, &running.addresses));
    stop.await;
    info!("stopping");
    running.stop().await;
    Ok(())
}

impl Running {
    /// Opens the data directory and serves. When it returns, everything acknowledged before is
    /// readable and pushes are taken.
    pub async fn start(config: &Config) -> Result<Running, Error> {
        let watch_start = Stopwatch::start();
        let http = listen(config.http_listen()?, "HTTP", "--http-listen").await?;
        let pg = listen(config.pg_listen()?, "Postgres", "--pg-listen").await?;
        let peers = listen(config.peer_listen()?, "peers", "--peer-listen").await?;

        let options = drave_raft::Options {
            node_id: config.node_id,
            ..drave_raft::Options::new(&config.data)
        };
        let node = drave_raft::Node::open(&options, config.shard.count)?;
        let objects = Objects::open(&config.objects())?;
        let pool = Pool::new();
        let cluster = Cluster::open(&node, &pool).await?;
        let metrics = Arc::new(Metrics::default());
        let (stop, stopped) = watch::channel(false);

        let lifecycle_options = lifecycle_options(config)?;
        let (lifecycle, mut tasks) = Lifecycle::start(
            cluster.clone(),
            objects.clone(),
            pool.clone(),
            lifecycle_options,
            &metrics,
            &stopped,
        );
        let indexes = Indexes::new(config.memory.chunk_indexes.len());
        let memory = config.memory.queries.0;
        let scanner = Scanner::new(cluster.clone(), objects, indexes, pool.clone(), memory);

        let addresses = addresses(&http, &pg, &peers);
        tasks.push(tokio::spawn(peer::serve(peers, node.identity().clone(), stopped.clone())));
        let source = LogsSource::new(scanner.clone(), config.auth_enabled);
        tasks.push(tokio::spawn(serve_sql(pg, source, sql_options(config), stopped.clone())));
        let api = http::Api::new(
            http_options(config),
            cluster.clone(),
            scanner,
            lifecycle,
            pool,
            Arc::clone(&metrics),
            stopped.clone(),
        );
        tasks.push(tokio::spawn(http::serve(http, http::router(Arc::new(api)), stopped)));
        write_addresses(&config.data, &addresses)?;
        info!(ms = watch_start.elapsed().as_millis(), "ready");
        Ok(Running { addresses, node, cluster, stop, tasks })
    }

    /// Lets requests under way finish, then closes the data directory.
    pub async fn stop(self) {
        let Running { node, cluster, stop, tasks, .. } = self;
        stop.send_replace(true);
        let orderly = async {
            for task in tasks {
                if let Err(error) = task.await {
                    warn!(%error, "a task ended badly");
                }
            }
            cluster.stop().await;
            drop(cluster);
            node.shutdown().await
        };
        match tokio::time::timeout(STOP_TIME_MAX, orderly).await {
            Ok(Ok(())) => info!("stopped"),
            // Nothing acknowledged depends on an orderly stop: a start replays the WAL.
            Ok(Err(error)) => warn!(%error, "the data directory did not close in order"),
            Err(_) => warn!("stopped late: some requests were cut off"),
        }
    }
}

async fn listen(
    address: SocketAddr,
    what: &'static str,
    flag: &'static str,
) -> Result<TcpListener, Error> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|source| Error::Listen { what, address, flag, source })
}

async fn serve_sql(
    listener: TcpListener,
    source: LogsSource,
    options: drave_sql::Options,
    mut stop: watch::Receiver<bool>,
) {
    let stopped = async move {
        // An error means that the sender is gone: the node is gone, too.
        let _ = stop.wait_for(|stop| *stop).await;
    };
    if let Err(error) = drave_sql::serve(listener, Arc::new(source), options, stopped).await {
        warn!(%error, "the Postgres listener ended");
    }
}

fn lifecycle_options(config: &Config) -> Result<lifecycle::Options, Error> {
    let key = "chunk.codec";
    let codec = Codec::from_name(&config.chunk.codec).ok_or_else(|| config::Error::Value {
        key,
        reason: format!("'{}' is none of zstd, lz4, snappy, gzip, none", config.chunk.codec),
    })?;
    let policy = Policy {
        seal_raw_bytes: config.seal.raw_bytes.0,
        seal_memory_bytes: config.seal.memory.0 / 2,
        seal_age: config.seal.age.0,
        ..Policy::default()
    };
    Ok(lifecycle::Options {
        policy,
        memory_bytes_max: config.seal.memory.0,
        chunk: WriteOptions { codec, ..WriteOptions::default() },
    })
}

fn sql_options(config: &Config) -> drave_sql::Options {
    drave_sql::Options {
        memory_bytes: config.sql.memory.len(),
        statement_timeout: config.sql.statement_timeout.0,
        max_connections: config.sql.max_connections,
        threads: std::thread::available_parallelism().map_or(2, usize::from),
        server_version: concat!("16.0 (drave ", env!("CARGO_PKG_VERSION"), ")").into(),
    }
}

fn http_options(config: &Config) -> http::Options {
    http::Options {
        auth_enabled: config.auth_enabled,
        limits: Arc::new(config.limits_config.clone()),
        body_bytes_max: config.server.max_recv_msg_size.len(),
        push_bytes_max: config.memory.pushes.max(ByteSize(1 << 20)).len(),
        config_text: config.to_string(),
        compat_loki: config.compat == config::Compat::Loki,
    }
}

fn addresses(http: &TcpListener, pg: &TcpListener, peer: &TcpListener) -> Addresses {
    let of = |listener: &TcpListener| listener.local_addr().expect("a bound socket has an address");
    Addresses { http: of(http), pg: of(pg), peer: of(peer), pid: std::process::id() }
}

/// Written under another name first: a script that polls for the file never reads half of it.
fn write_addresses(data: &Path, addresses: &Addresses) -> Result<(), Error> {
    let path = data.join("addresses.json");
    let text = serde_json::to_string(addresses).expect("addresses are plain values");
    let part = data.join("addresses.json.part");
    let written = std::fs::write(&part, text).and_then(|()| std::fs::rename(&part, &path));
    let path = path.display().to_string();
    written.map_err(|source| Error::Addresses { path, source })
}

fn banner(config: &Config, addresses: &Addresses) -> String {
    let Addresses { http, pg, peer, .. } = addresses;
    let (host, port) = (pg.ip(), pg.port());
    format!(
        "drave {version} is ready, data in {data}\n\
         \n\
         \x20 push     http://{http}/loki/api/v1/push\n\
         \x20 Grafana  http://{http}  (add it as a Loki data source)\n\
         \x20 psql     psql -h {host} -p {port} -U drave\n\
         \x20 peers    {peer}\n\
         \n\
         \x20 try      drave ingest /var/log/syslog && \
         drave sql 'select timestamp, line from logs limit 5'\n\
         \n",
        version = env!("CARGO_PKG_VERSION"),
        data = config.data.display(),
    )
}
