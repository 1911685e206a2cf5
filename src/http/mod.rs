//! The words of the outside over HTTP: Loki's API, in the exact shapes its clients expect.
//!
//! [`router`] is the list of all routes; one file per family of endpoints does the work.

mod absent;
mod admin;
mod cluster;
mod cost;
mod detected;
mod encode;
mod error;
mod export;
mod gate;
mod gzip;
mod index;
mod legacy;
mod listen;
mod metadata;
mod otlp;
mod params;
mod parquet;
mod patterns;
mod push;
mod query;
mod quota;
mod shutdown;
mod status;
mod tail;
mod tenant;
mod told;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tokio::sync::{Semaphore, watch};

use crate::cluster::Cluster;
use crate::ingest::StreamCache;
use crate::lifecycle::Lifecycle;
use crate::model::limits::Limits;
use crate::model::overrides::Overrides;
use crate::model::{Sight, Tenant};
use crate::pool::Pool;
use crate::query::patterns::Cache;
use crate::scan::{Bounds, Reading, Scanner};
use crate::telemetry::Metrics;

pub use cluster::waiting_router;
pub use listen::serve;
pub use shutdown::Shutdown;

use error::Error;

/// Memory for the patterns of blocks that were asked for.
const PATTERN_BYTES_MAX: usize = 32 << 20;

/// What the endpoints need to know.
#[derive(Clone)]
pub struct Options {
    /// Whether requests must name their tenant.
    pub auth_enabled: bool,
    /// What tenants may do now.
    pub limits: watch::Receiver<Arc<Overrides>>,
    /// What is remembered of streams and tenants between pushes.
    pub streams: Arc<StreamCache>,
    /// Largest request body as sent.
    pub body_bytes_max: usize,
    /// Memory of pushes that are decoded or wait for their shard.
    pub push_bytes_max: usize,
    /// What the pushes of one tenant may hold of it.
    pub tenant_push_bytes_max: usize,
    /// What `/config` answers.
    pub config_text: String,
    /// Whether to answer as Loki does where drave differs on purpose.
    pub compat_loki: bool,
    /// What stands before every path: empty, or `/loki-prod`.
    pub path_prefix: String,
    /// Whether one read may name several tenants.
    pub multi_tenant_reads: bool,
}

#[cfg(test)]
impl Options {
    /// What a test does not care about.
    fn of_test() -> Options {
        Options {
            auth_enabled: false,
            streams: Arc::default(),
            limits: watch::channel(Arc::default()).1,
            body_bytes_max: 1 << 20,
            push_bytes_max: 1 << 20,
            tenant_push_bytes_max: 1 << 20,
            config_text: String::new(),
            compat_loki: false,
            path_prefix: String::new(),
            multi_tenant_reads: false,
        }
    }
}

/// What the endpoints work with. One for the process.
pub struct Api {
    options: Options,
    cluster: Cluster,
    scanner: Scanner,
    lifecycle: Lifecycle,
    pool: Pool,
    metrics: Arc<Metrics>,
    push_metrics: push::PushMetrics,
    push_memory: Arc<Semaphore>,
    quotas: quota::Quotas,
    patterns: Arc<Cache>,
    tails: tail::Tails,
    shutdown: Arc<Shutdown>,
    stop: watch::Receiver<bool>,
}

impl Api {
    /// Puts the parts together and registers the metrics of this floor. Connections that would
    /// go on for ever end when `stop` says true.
    pub fn new(
        options: Options,
        cluster: Cluster,
        scanner: Scanner,
        lifecycle: Lifecycle,
        pool: Pool,
        metrics: Arc<Metrics>,
        stop: watch::Receiver<bool>,
    ) -> Api {
        let push_memory = Arc::new(Semaphore::new(options.push_bytes_max / 1024));
        let push_metrics = metrics.register(push::PushMetrics::register);
        let quotas = quota::Quotas::new(options.tenant_push_bytes_max);
        Api {
            options,
            cluster,
            scanner,
            lifecycle,
            pool,
            metrics,
            push_metrics,
            push_memory,
            quotas,
            patterns: Arc::new(Cache::new(PATTERN_BYTES_MAX)),
            tails: tail::Tails::default(),
            shutdown: Arc::default(),
            stop,
        }
    }

    /// What is asked for of the end of the process.
    pub fn shutdown(&self) -> Arc<Shutdown> {
        Arc::clone(&self.shutdown)
    }
}

impl Api {
    /// A scanner whose data are as recent as a request asks, and that does as much at once as its
    /// tenant may.
    fn scanner(&self, params: &params::Params, limits: &Limits) -> Result<Scanner, Error> {
        if limits.max_query_parallelism == 0 {
            let text = "querying is disabled, please contact your Loki operator";
            return Err(Error::bad_request(text));
        }
        let reading =
            Reading { consistency: params.consistency()?, allow_partial: params.allow_partial()? };
        let bounds = Bounds {
            streams_max: limits.cardinality_limit,
            chunks_max: limits.max_chunks_per_query,
        };
        let scanner = self.scanner.at(reading).at_most(limits.max_query_parallelism);
        let scanner = scanner.within(bounds);
        told::reads_with(&scanner);
        Ok(scanner)
    }
}

/// All routes, below the prefix that is configured.
pub fn router(api: Arc<Api>) -> Router {
    let prefix = api.options.path_prefix.clone();
    let routes = routes(api);
    if prefix.is_empty() { routes } else { Router::new().nest(&prefix, routes) }
}

fn routes(api: Arc<Api>) -> Router {
    Router::new()
        .route("/loki/api/v1/push", post(push::push))
        .route("/api/prom/push", post(push::push_first))
        .route("/otlp/v1/logs", post(otlp::push))
        .merge(
            reads()
                .route_layer(from_fn_with_state(Arc::clone(&api), gate::in_time))
                .route_layer(from_fn_with_state(Arc::clone(&api), gzip::encode)),
        )
        .route("/loki/api/v1/format_query", get(query::format).post(query::format))
        .merge(tail::routes())
        .merge(absent::routes())
        .merge(admin::routes())
        .merge(shutdown::routes())
        .route("/loki/api/v1/status/buildinfo", get(status::build_info))
        .route("/drave/v1/cluster/status", get(cluster::status))
        .route("/drave/v1/cluster/init", post(cluster::init))
        .route("/drave/v1/cluster/nodes/{id}/{verb}", post(cluster::change_node))
        .route("/drave/v1/cluster/replicas/{n}", post(cluster::set_replicas))
        .route("/drave/v1/cluster/limits/{tenant}", get(cluster::limits).put(cluster::set_limits))
        .route("/ready", get(status::ready))
        .route("/metrics", get(status::metrics))
        .route("/config", get(status::config))
        .route("/flush", get(status::flush).post(status::flush))
        .fallback(|| async { (StatusCode::NOT_FOUND, "404 page not found\n") })
        .layer(axum::middleware::from_fn(told::tell))
        .with_state(api)
}

/// What answers from the data, in bounded time.
fn reads() -> Router<Arc<Api>> {
    Router::new()
        .route("/loki/api/v1/query_range", get(query::range).post(query::range))
        .route("/loki/api/v1/query", get(query::instant).post(query::instant))
        .route("/loki/api/v1/labels", get(metadata::labels).post(metadata::labels))
        .route("/loki/api/v1/label", get(metadata::labels).post(metadata::labels))
        .route(
            "/loki/api/v1/label/{name}/values",
            get(metadata::label_values).post(metadata::label_values),
        )
        .route("/loki/api/v1/series", get(metadata::series).post(metadata::series))
        .merge(index::routes())
        .merge(detected::routes())
        .merge(patterns::routes())
        .merge(legacy::routes())
}

impl Api {
    /// What to answer where a query failed.
    fn explain(&self, error: crate::query::Error) -> Error {
        match error {
            // A query that cannot be right is the user's mistake, but Loki calls it its own.
            crate::query::Error::Matching(message) if self.options.compat_loki => {
                Error::new(StatusCode::INTERNAL_SERVER_ERROR, message)
            }
            crate::query::Error::BadQuery(message) | crate::query::Error::Matching(message) => {
                Error::bad_request(message)
            }
            error @ crate::query::Error::TooLarge { .. } => Error::bad_request(error.to_string()),
            error @ crate::query::Error::NoMemory => Error::unavailable(error.to_string()),
            crate::query::Error::Scan(error) => query::scan_error(error),
        }
    }

    /// What a tenant may do now.
    fn limits(&self, tenant: &Tenant) -> Arc<Limits> {
        Arc::clone(self.options.limits.borrow().of(tenant))
    }

    /// What a read may do now: of several tenants, what all of them may.
    fn read_limits(&self, sight: &Sight) -> Arc<Limits> {
        let all = self.options.limits.borrow();
        let mut own = sight.seen().iter().map(|seen| all.of(seen.tenant()));
        let first = Arc::clone(own.next().expect("a sight has a tenant"));
        own.fold(first, |both, limits| Arc::new(both.and_for_reads(limits)))
    }
}
