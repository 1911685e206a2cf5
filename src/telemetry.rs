//! What drave says about itself: its log, its metrics, and the one place that reads the clock.

use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use prometheus_client::registry::Registry;

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

/// Starts logging to stderr. `level` is `error` to `trace`; `RUST_LOG` wins over it. A text with
/// control characters from outside cannot forge a line: the formatter escapes them.
pub fn start_logging(level: &str) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        // What the libraries below say at `info` is of interest to their authors.
        let own = ["drave", "drave_raft", "drave_sql"].map(|name| format!("{name}={level}"));
        tracing_subscriber::EnvFilter::new(format!("warn,{}", own.join(",")))
    });
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    // A second start (a test, a demo in one process) keeps the first one's choice.
    let _ = subscriber.try_init();
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
