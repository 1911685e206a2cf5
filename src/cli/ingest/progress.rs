//! What is seen while lines are pushed: a bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};

use crate::telemetry::Stopwatch;

/// Where stderr is no terminal, it gets a line as often as this.
const PLAIN_EVERY: Duration = Duration::from_secs(5);
/// The same for the reasons of waiting, everywhere.
const NOTICE_EVERY: Duration = Duration::from_secs(5);

/// The progress of one run.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    /// Bytes read from the sources, as they are stored.
    pub(super) read: Arc<AtomicU64>,
    stored: AtomicU64,
    since: Stopwatch,
    plain_last: Mutex<Duration>,
    notice_last: Mutex<Option<Duration>>,
}

impl Progress {
    /// For sources of `total` bytes, where that is known.
    pub(super) fn new(total: Option<u64>) -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| make_bar(total));
        Progress {
            bar,
            read: Arc::default(),
            stored: AtomicU64::new(0),
            since: Stopwatch::start(),
            plain_last: Mutex::new(Duration::ZERO),
            notice_last: Mutex::new(None),
        }
    }

    /// How long it has taken.
    pub(super) fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    /// So many lines more are stored.
    pub(super) fn stored(&self, lines: u64) {
        let stored = self.stored.fetch_add(lines, Ordering::Relaxed) + lines;
        let read = self.read.load(Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.set_position(read);
            bar.set_message(format!("{} lines", HumanCount(stored)));
            return;
        }
        let elapsed = self.since.elapsed();
        let mut last = self.plain_last.lock().expect("nobody panics while printing");
        if elapsed - *last >= PLAIN_EVERY {
            *last = elapsed;
            eprintln!("{} lines stored, {} read", HumanCount(stored), HumanBytes(read));
        }
    }

    /// Says why it does not go on.
    pub(super) fn notice(&self, text: &str) {
        let elapsed = self.since.elapsed();
        let mut last = self.notice_last.lock().expect("nobody panics while printing");
        if last.is_some_and(|last| elapsed - last < NOTICE_EVERY) {
            return;
        }
        *last = Some(elapsed);
        let text = format!("waiting to try again: {text}");
        match &self.bar {
            Some(bar) => bar.println(text),
            None => eprintln!("{text}"),
        }
    }

    /// Clears the bar.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn make_bar(total: Option<u64>) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => (
            ProgressBar::new(total),
            "{bar:30} {bytes}/{total_bytes}  {bytes_per_sec}  {msg}  {eta} left",
        ),
        None => (ProgressBar::new_spinner(), "{spinner} {bytes}  {bytes_per_sec}  {msg}"),
    };
    let style = ProgressStyle::with_template(template).expect("the template is well-formed");
    bar.set_style(style);
    bar
}
