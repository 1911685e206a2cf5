//! One node: builds the parts in floor order, serves, stops them in reverse.

use std::future::Future;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use drave_raft::{Tls, TlsOptions};
use drave_sql::{Access, Activity};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};

use crate::chunk::{Codec, WriteOptions};
use crate::cluster::gate::{self, Gate};
use crate::cluster::peer::{About, Door};
use crate::cluster::{Cluster, GroupMetrics, form};
use crate::config::runtime::follow;
use crate::config::{self, Config};
use crate::http;
use crate::ingest::StreamCache;
use crate::lifecycle::{self, Lifecycle};
use crate::model::limits::ByteSize;
use crate::model::overrides::Overrides;
use crate::objects::Objects;
use crate::pool::Pool;
use crate::query::remote::Answers;
use crate::query::sql::LogsSource;
use crate::scan::{Indexes, Scanner};
use crate::shard::Policy;
use crate::shard::compaction::Sizes;
use crate::telemetry::{self, Metrics, Stopwatch};

/// How long all parts together may take to stop; what is left then is cut off.
const STOP_TIME_MAX: Duration = Duration::from_secs(9);

/// How long the streams of peers may take to end.
const PEERS_STOP_TIME_MAX: Duration = Duration::from_secs(1);

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
    /// The data directory cannot be used, or no cluster takes the node.
    #[error(transparent)]
    Form(#[from] form::Error),
    /// The certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] drave_raft::TlsError),
    /// The cluster did not take a change in.
    #[error(transparent)]
    Change(#[from] crate::cluster::ChangeError),
    /// A port that was there is gone.
    #[error("cannot serve: {0}")]
    Serve(#[from] io::Error),
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
    cluster: Cluster,
    lifecycle: Lifecycle,
    shutdown: Arc<http::Shutdown>,
    stop: watch::Sender<bool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    /// The peer port: others may need an answer while this node hands its shards on.
    peers: Peers,
}

/// The task that serves the peer port, and what ends it.
struct Peers {
    stop: watch::Sender<bool>,
    serving: tokio::task::JoinHandle<()>,
}

/// Starts a node and serves until `stop` completes.
pub async fn run(config: Config, stop: impl Future<Output = ()>) -> Result<(), Error> {
    tokio::pin!(stop);
    let running = tokio::select! {
        running = Running::start(&config) => running?,
        // A node that waits for a cluster has nothing to lose.
        () = &mut stop => return Ok(()),
    };
    // Nobody may be reading: a banner is no reason to die.
    let _ = write!(io::stdout(), "{}", banner(&config, &running.addresses));
    tokio::select! {
        () = stop => {}
        () = running.shutdown.asked() => info!("asked to stop over HTTP"),
    }
    info!("stopping");
    running.stop().await;
    Ok(())
}

/// Opens the object storage, and makes sure that it is the cluster's, or makes it so where nobody
/// did yet.
async fn open_storage(
    options: &crate::objects::Options,
    node_id: u64,
    formed: &form::Formed,
) -> Result<Objects, Error> {
    let objects = Objects::open(options, node_id)?;
    let cluster_id = formed.identity().cluster_id;
    if formed.marks_storage().await {
        objects.mark(cluster_id).await?;
        objects.check_mark(cluster_id).await?;
        formed.storage_is_marked().await?;
    }
    objects.check_mark(cluster_id).await?;
    Ok(objects)
}

impl Running {
    /// Opens the data directory, gets the node into its cluster, and serves. When it returns,
    /// pushes are taken, and on a node that is alone everything acknowledged before is readable.
    pub async fn start(config: &Config) -> Result<Running, Error> {
        let watch_start = Stopwatch::start();
        config.node_id()?;
        let path_prefix = config.http_path_prefix()?;
        let http = listen(config.http_listen()?, "HTTP", "--http-listen")?;
        let pg = listen(config.pg_listen()?, "Postgres", "--pg-listen")?;
        let peers = listen(config.peer_listen()?, "peers", "--peer-listen")?;
        let addresses = addresses(&http, &pg, &peers);
        let objects = config.objects();
        let (overrides, unused) = config.runtime_config.read(&config.limits_config)?;
        if !unused.is_empty() {
            warn!(keys = unused.join(", "), "accepted but unused in the runtime file");
        }
        let form_options = form_options(config, &addresses)?;
        let access = config.access().read()?;
        warn_of_open_sql(&access, addresses.pg);

        let (formed, peers) = {
            let waiting = form_options.join.is_some() || form_options.peers.len() > 1;
            if waiting {
                write_addresses(&config.data, &addresses)?;
            }
            let waiting = waiting.then_some(&http);
            form(form_options, peers, waiting).await?
        };
        // A node that has no place for its data has none for objects either: it said so above.
        let objects = match open_storage(&objects, config.node_id, &formed).await {
            Ok(objects) => objects,
            Err(error) => {
                formed.leave().await;
                return Err(error);
            }
        };
        let pool = Pool::new();
        let (cluster, mut tasks) = Cluster::open(formed, &pool).await?;
        peers.door.serves(cluster.clone());
        let metrics = Arc::new(Metrics::default());
        let groups = Box::new(GroupMetrics(cluster.clone()));
        metrics.register(|registry| registry.register_collector(groups));
        let (stop, stopped) = watch::channel(false);

        let (lifecycle, looking_after) = Lifecycle::start(
            cluster.clone(),
            objects.clone(),
            pool.clone(),
            lifecycle_options(config)?,
            &metrics,
            &stopped,
        );
        tasks.extend(looking_after);
        let indexes = Indexes::new(config.memory.chunk_indexes.len());
        let memory = config.memory.queries.0;
        let scanner =
            Scanner::new(cluster.clone(), objects, indexes, pool.clone(), memory, &metrics);

        cluster.answers(Arc::new(Answers::new(scanner.clone())));

        let limits = {
            let (limits, now) = watch::channel(Arc::new(overrides));
            let (runtime, everybody) = (&config.runtime_config, &config.limits_config);
            let (runtime, everybody) = (runtime.clone(), everybody.clone());
            let (metrics, stopped) = (Arc::clone(&metrics), stopped.clone());
            let known = cluster.watch_known();
            tasks.push(tokio::spawn(follow(runtime, everybody, known, limits, metrics, stopped)));
            now
        };
        let streams = Arc::new(StreamCache::default());
        let pg = TcpListener::from_std(pg)?;
        let source = |activity| {
            let (limits, streams) = (limits.clone(), Arc::clone(&streams));
            LogsSource::new(scanner.clone(), config.auth_enabled, limits, streams, activity)
        };
        tasks.extend(start_sql(config, pg, access, source, &stopped));
        let api = http::Api::new(
            http_options(config, path_prefix, limits, streams),
            cluster.clone(),
            scanner,
            lifecycle.clone(),
            pool,
            Arc::clone(&metrics),
            stopped.clone(),
        );
        let http = TcpListener::from_std(http)?;
        let shutdown = api.shutdown();
        tasks.push(tokio::spawn(http::serve(http, http::router(Arc::new(api)), stopped)));
        write_addresses(&config.data, &addresses)?;
        info!(ms = watch_start.elapsed().as_millis(), "ready");
        let Serving { stop: stop_peers, serving, .. } = peers;
        let peers = Peers { stop: stop_peers, serving };
        Ok(Running { addresses, cluster, lifecycle, shutdown, stop, tasks, peers })
    }

    /// Lets requests under way finish, then closes the data directory.
    pub async fn stop(self) {
        let Running { cluster, lifecycle, shutdown, stop, tasks, peers, .. } = self;
        if shutdown.flushes()
            && let Err(error) = lifecycle.flush().await
        {
            warn!(%error, "stopping without the flush that was prepared: the WAL has it all");
        }
        stop.send_replace(true);
        let orderly = async {
            cluster.leave_tasks();
            for task in tasks {
                if let Err(error) = task.await {
                    warn!(%error, "a task ended badly");
                }
            }
            let stopped = cluster.stop().await;
            peers.stop.send_replace(true);
            // Streams of peers that stay open are cut off.
            let _ = tokio::time::timeout(PEERS_STOP_TIME_MAX, peers.serving).await;
            stopped
        };
        match tokio::time::timeout(STOP_TIME_MAX, orderly).await {
            Ok(Ok(())) => info!("stopped"),
            // Nothing acknowledged depends on an orderly stop: a start replays the WAL.
            Ok(Err(error)) => warn!(%error, "the data directory did not close in order"),
            Err(_) => warn!("stopped late: some requests were cut off"),
        }
    }
}

/// The peer port of a node that is in a cluster.
struct Serving {
    door: Door,
    stop: watch::Sender<bool>,
    serving: tokio::task::JoinHandle<()>,
}

/// Gets the node into a cluster. Where that may take a while, HTTP says so meanwhile.
async fn form(
    options: form::Options,
    peers: std::net::TcpListener,
    waiting_http: Option<&std::net::TcpListener>,
) -> Result<(form::Formed, Serving), Error> {
    let door = Door::new(About {
        node_id: options.node_id,
        http: options.http_address.clone(),
        zone: options.zone.clone(),
    });
    let (stop, stopped) = watch::channel(false);
    let (asks_in, mut asks) = mpsc::channel(1);
    let (http_stop, http_stopped) = watch::channel(false);
    let waiting = match waiting_http {
        Some(http) => {
            let http = TcpListener::from_std(http.try_clone()?)?;
            let router = http::waiting_router(door.clone(), asks_in.clone());
            Some(tokio::spawn(http::serve(http, router, http_stopped)))
        }
        None => None,
    };
    let formed = form::form(&options, peers, &mut asks, &door, &stopped).await;
    // Whoever asked to found the cluster gets their answer before the port changes hands.
    http_stop.send_replace(true);
    if let Some(waiting) = waiting
        && let Err(error) = waiting.await
    {
        warn!(%error, "a task ended badly");
    }
    let (formed, serving) = formed?;
    Ok((formed, Serving { door, stop, serving }))
}

fn form_options(config: &Config, addresses: &Addresses) -> Result<form::Options, Error> {
    let peers = config.peers()?;
    let advertised = config.peer.advertise_address.clone();
    let own = advertised.unwrap_or_else(|| addresses.peer.to_string());
    let clustered = !peers.is_empty() || config.cluster.join.is_some();
    if clustered && addresses.peer.ip().is_unspecified() && config.peer.advertise_address.is_none()
    {
        return Err(Error::Config(config::Error::Value {
            key: "peer.advertise_address",
            reason: "needed where the node listens on all addresses: say where others reach it"
                .into(),
        }));
    }
    let tls = config.peer.tls.clone().map(|files| {
        let config::PeerTls { cert, key, ca } = files;
        Tls::read(&TlsOptions { cert, key, ca }, config.node_id)
    });
    let (disk_high, disk_low) = config.disk_marks()?;
    let gate = gate::Options {
        dir: config.data.clone(),
        disk_high,
        disk_low,
        wal_bytes_max: config.storage.wal_max.0,
        // One shard that takes nothing leaves most of the memory of pushes to the others.
        queue_bytes_max: config.memory.pushes.len() / 8,
    };
    Ok(form::Options {
        gate: Gate::new(gate, config.node_id),
        tls: tls.transpose()?,
        dir: config.data.clone(),
        node_id: config.node_id,
        peer_address: own,
        http_address: addresses.http.to_string(),
        zone: config.cluster.zone.clone(),
        peers,
        join: config.cluster.join.clone(),
        replicas: config.replicas()?,
        n_shards: config.shard.count,
    })
}

fn listen(
    address: SocketAddr,
    what: &'static str,
    flag: &'static str,
) -> Result<std::net::TcpListener, Error> {
    let bound = std::net::TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.map_err(|source| Error::Listen { what, address, flag, source })
}

/// What is insecure says so: the port is beyond this machine, and not protected.
fn warn_of_open_sql(access: &Access, pg: SocketAddr) {
    if pg.ip().is_loopback() {
        return;
    }
    if access.users.is_none() {
        warn!(
            address = %pg,
            "whoever reaches the Postgres port reads and writes all logs: set sql.users_file"
        );
    }
    if !access.tls_required {
        warn!(
            address = %pg,
            "what passes the Postgres port may be read on its way: set sql.tls with require: true"
        );
    }
}

/// Serves the Postgres port, and follows the files that say who gets in.
fn start_sql(
    config: &Config,
    listener: TcpListener,
    access: Access,
    source: impl FnOnce(Arc<Activity>) -> LogsSource,
    stopped: &watch::Receiver<bool>,
) -> [tokio::task::JoinHandle<()>; 2] {
    let activity = Arc::new(Activity::new(|| telemetry::now().nanos()));
    let source = source(Arc::clone(&activity));
    let (changes, access) = watch::channel(access);
    let period = config.runtime_config.period.0;
    let following = config.access().follow(period, changes, stopped.clone());
    let mut stop = stopped.clone();
    let stopped = async move {
        // An error means that the sender is gone: the node is gone, too.
        let _ = stop.wait_for(|stop| *stop).await;
    };
    let options = sql_options(config);
    let serving = async move {
        let source = Arc::new(source);
        let served = drave_sql::serve(listener, source, access, activity, options, stopped).await;
        if let Err(error) = served {
            warn!(%error, "the Postgres listener ended");
        }
    };
    [tokio::spawn(serving), tokio::spawn(following)]
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
        erase_grace: config.storage.erase_after.0,
        ..Policy::default()
    };
    Ok(lifecycle::Options {
        policy,
        memory_bytes_max: config.seal.memory.0,
        compact_every: config.compaction.every.0,
        compaction: Sizes { target_bytes: config.compaction.target.0, ..Sizes::default() },
        sweep_every: config.storage.sweep_every.0,
        chunk: WriteOptions { codec, ..WriteOptions::default() },
    })
}

fn sql_options(config: &Config) -> drave_sql::Options {
    let (memory, spill) = (config.sql.memory.len(), config.sql.spill.0);
    drave_sql::Options {
        memory_bytes: memory,
        tenant_memory_bytes: if config.auth_enabled { memory / 4 * 3 } else { memory },
        statement_memory_bytes: config.sql.memory_per_query.len(),
        spill_dir: (spill > 0).then(|| config.data.join("sql-spill")),
        spill_bytes: spill,
        statement_timeout: config.sql.statement_timeout.0,
        max_connections: config.sql.max_connections,
        threads: std::thread::available_parallelism().map_or(2, usize::from),
        server_version: concat!("16.0 (drave ", env!("CARGO_PKG_VERSION"), ")").into(),
    }
}

fn http_options(
    config: &Config,
    path_prefix: String,
    limits: watch::Receiver<Arc<Overrides>>,
    streams: Arc<StreamCache>,
) -> http::Options {
    http::Options {
        auth_enabled: config.auth_enabled,
        limits,
        streams,
        body_bytes_max: config.server.max_recv_msg_size.len(),
        push_bytes_max: config.memory.pushes.max(ByteSize(1 << 20)).len(),
        tenant_push_bytes_max: match config.auth_enabled {
            true => config.memory.pushes_per_tenant.len(),
            false => usize::MAX,
        },
        config_text: config.to_string(),
        compat_loki: config.compat == config::Compat::Loki,
        path_prefix,
        multi_tenant_reads: config.querier.multi_tenant_queries_enabled,
    }
}

fn addresses(
    http: &std::net::TcpListener,
    pg: &std::net::TcpListener,
    peer: &std::net::TcpListener,
) -> Addresses {
    let of = |listener: &std::net::TcpListener| {
        listener.local_addr().expect("a bound socket has an address")
    };
    Addresses { http: of(http), pg: of(pg), peer: of(peer), pid: std::process::id() }
}

/// Written under another name first: a script that polls for the file never reads half of it.
fn write_addresses(data: &Path, addresses: &Addresses) -> Result<(), Error> {
    let failed = |source| Error::Addresses { path: data.display().to_string(), source };
    std::fs::create_dir_all(data).map_err(failed)?;
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
