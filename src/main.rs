//! The command line: a server without arguments, or a word for a running one.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use drave::config::Config;
use drave::server::{self, Running};
use drave::{cli, telemetry};
use tracing::warn;

/// A Raft-replicated, consistent log store with LogQL and SQL.
#[derive(Parser)]
#[command(name = "drave", version, args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(subcommand)]
    word: Option<Word>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Subcommand)]
enum Word {
    /// Run a node (the default).
    Serve(Serve),
    /// Push files or stdin to a running server.
    Ingest(cli::ingest::Args),
    /// Ask a running server in LogQL.
    Query(cli::query::Args),
    /// Found, watch and change a cluster.
    Cluster(cli::cluster::Args),
    /// Make certificates for the peer port and the Postgres port.
    Cert(cli::cert::Args),
    /// Make an entry of a users file, which says who may log in for SQL.
    User(cli::user::Args),
    /// Ask a running server in SQL.
    Sql(cli::sql::Args),
    /// Start a throw-away node with realistic logs and show what can be asked.
    Demo(cli::demo::Args),
    /// Run a cluster on this machine, and break it.
    Dev(cli::dev::Args),
}

/// Flags win over the file, the file over the defaults.
#[derive(Args, Clone)]
struct Serve {
    /// Configuration in YAML; no file is needed
    #[arg(long, value_name = "FILE", env = "DRAVE_CONFIG")]
    config: Option<PathBuf>,
    /// Where everything is kept [default: ./drave-data]
    #[arg(long, value_name = "DIR", env = "DRAVE_DATA")]
    data: Option<PathBuf>,
    /// Push and LogQL [default: 127.0.0.1:3100]
    #[arg(long, value_name = "ADDR:PORT", env = "DRAVE_HTTP_LISTEN")]
    http_listen: Option<std::net::SocketAddr>,
    /// SQL [default: 127.0.0.1:5433]
    #[arg(long, value_name = "ADDR:PORT", env = "DRAVE_PG_LISTEN")]
    pg_listen: Option<std::net::SocketAddr>,
    /// Other nodes [default: 127.0.0.1:9095]
    #[arg(long, value_name = "ADDR:PORT", env = "DRAVE_PEER_LISTEN")]
    peer_listen: Option<std::net::SocketAddr>,
    /// This node's number in its cluster, from 1 [default: 1]
    #[arg(long, value_name = "N", env = "DRAVE_NODE_ID", value_parser = clap::value_parser!(u64).range(1..))]
    node_id: Option<u64>,
    /// Nodes that found a cluster together, this one among them
    #[arg(long, value_name = "ID@HOST:PORT", env = "DRAVE_PEERS", value_delimiter = ',')]
    peers: Vec<String>,
    /// Any node of a cluster to join
    #[arg(long, value_name = "HOST:PORT", env = "DRAVE_JOIN")]
    join: Option<String>,
}

fn main() -> ExitCode {
    let CommandLine { word, serve } = CommandLine::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("cannot start threads: {error}")),
    };
    let done = runtime.block_on(async {
        match word.unwrap_or(Word::Serve(serve)) {
            Word::Serve(serve) => run_server(&serve).await,
            Word::Ingest(args) => cli::ingest::run(args).await,
            Word::Query(args) => cli::query::run(args).await,
            Word::Cluster(args) => cli::cluster::run(args).await,
            Word::Cert(args) => cli::cert::run(args).await,
            Word::User(args) => cli::user::run(args).await,
            Word::Sql(args) => cli::sql::run(args).await,
            Word::Demo(args) => cli::demo::run(args, start_demo).await,
            Word::Dev(args) => cli::dev::run(args).await,
        }
    });
    // Detached computing, if any, is not waited for: nothing acknowledged depends on it.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => match error.downcast_ref::<clap::Error>() {
            // Flags that are wrong together end as one that is wrong alone does.
            Some(usage) => {
                let _ = usage.print();
                u8::try_from(usage.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
            }
            None => fail(&format!("{error:#}")),
        },
    }
}

/// One line that says what to do.
fn fail(reason: &str) -> ExitCode {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "drave: {reason}");
    ExitCode::FAILURE
}

async fn run_server(serve: &Serve) -> anyhow::Result<()> {
    let (config, unused) = configure(serve)?;
    telemetry::start_logging(&config.server.log_level);
    if !unused.is_empty() {
        warn!(blocks = unused.join(", "), "accepted but unused in the configuration");
    }
    // Its one line says all: the causes below it are in it already.
    server::run(config, stop_signal()).await.map_err(|error| anyhow::anyhow!("{error}"))
}

/// The demo's node: in the demo's directory, on ports of its own.
async fn start_demo(data: PathBuf) -> anyhow::Result<cli::demo::Running> {
    telemetry::start_logging("warn");
    let mut config = Config { data, ..Config::default() };
    config.server.http_listen_port = 0;
    config.sql.listen_port = 0;
    config.peer.listen_port = 0;
    let running = Running::start(&config).await?;
    let (http, pg) = (running.addresses.http, running.addresses.pg);
    Ok(cli::demo::Running { http, pg, stop: Box::pin(running.stop()) })
}

fn configure(serve: &Serve) -> anyhow::Result<(Config, Vec<String>)> {
    let (mut config, unused) = match &serve.config {
        Some(path) => Config::read(path)?,
        None => (Config::default(), Vec::new()),
    };
    if let Some(data) = &serve.data {
        config.data.clone_from(data);
    }
    if let Some(node_id) = serve.node_id {
        config.node_id = node_id;
    }
    if let Some(http) = serve.http_listen {
        config.server.http_listen_address = http.ip().to_string();
        config.server.http_listen_port = http.port();
    }
    if let Some(pg) = serve.pg_listen {
        config.sql.listen_address = pg.ip().to_string();
        config.sql.listen_port = pg.port();
    }
    if let Some(peer) = serve.peer_listen {
        config.peer.listen_address = peer.ip().to_string();
        config.peer.listen_port = peer.port();
    }
    if !serve.peers.is_empty() {
        config.cluster.peers.clone_from(&serve.peers);
    }
    if let Some(join) = &serve.join {
        config.cluster.join = Some(join.clone());
    }
    Ok((config, unused))
}

/// Completes on Ctrl-C and on SIGTERM.
async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = terminated => {}
        interrupted = tokio::signal::ctrl_c() => {
            if interrupted.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
