//! What drave says about itself: its log, its metrics, and the one place that reads the clock.

use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use prometheus_client::registry::Registry;
use tracing_subscriber::EnvFilter;

use crate::model::Timestamp;

/// The time of day. Everything else gets it as an argument.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let nanos = since_epoch.map_or(0, |elapsed| elapsed.as_nanos());
    Timestamp(i64::try_from(nanos).unwrap_or(i64::MAX))
}

/// A stopwatch, for how long something took.
#[derive(Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts it.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    pub fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// How long it has run.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The level in force, and how to change it. Set by the first [`start_logging`].
static LOG: OnceLock<Log> = OnceLock::new();

struct Log {
    level: Mutex<String>,
    apply: Box<dyn Fn(EnvFilter) -> bool + Send + Sync>,
}

/// The levels that can be asked for.
const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// Starts logging to stderr. `level` is `error` to `trace`; `RUST_LOG` wins over it. A text with
/// control characters from outside cannot forge a line: the formatter escapes them.
pub fn start_logging(level: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| filter_of(level));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_filter_reloading();
    let handle = builder.reload_handle();
    // A second start (a test, a demo in one process) keeps the first one's choice.
    if builder.try_init().is_ok() {
        let apply = Box::new(move |filter| handle.reload(filter).is_ok());
        let _ = LOG.set(Log { level: Mutex::new(level.into()), apply });
    }
}

/// What the libraries below say at `info` is of interest to their authors. A peer that is away is
/// normal, and openraft says so with every heartbeat.
fn filter_of(level: &str) -> EnvFilter {
    let own = ["drave", "drave_raft", "drave_sql"].map(|name| format!("{name}={level}"));
    EnvFilter::new(format!("warn,openraft=off,{}", own.join(",")))
}

/// The level that the log is kept at.
pub fn log_level() -> String {
    let level = LOG.get().map(|log| log.level.lock().expect("nobody panics holding it").clone());
    level.unwrap_or_else(|| "off".into())
}

/// Changes the level of the log while the process runs.
pub fn set_log_level(level: &str) -> Result<(), String> {
    if !LEVELS.contains(&level) {
        return Err(format!("unrecognized level \"{level}\": say one of {}", LEVELS.join(", ")));
    }
    let log = LOG.get().ok_or("nothing is logged by this process")?;
    if !(log.apply)(filter_of(level)) {
        return Err("the log cannot be changed any more".into());
    }
    *log.level.lock().expect("nobody panics holding it") = level.into();
    Ok(())
}

/// All metrics of the process. Each module registers its own when it is made.
#[derive(Default)]
pub struct Metrics(Mutex<Registry>);

impl Metrics {
    /// Hands the registry to a module that declares its metrics.
    pub fn register<T>(&self, declare: impl FnOnce(&mut Registry) -> T) -> T {
        declare(&mut self.0.lock().expect("no one panics while registering"))
    }

    /// The text that `/metrics` answers.
    pub fn encode(&self) -> String {
        let registry = self.0.lock().expect("no one panics while registering");
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry)
            .expect("writing to a string cannot fail");
        text
    }
}
