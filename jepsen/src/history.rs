//! What clients sent and were told, and what was done to the cluster, with the times of each.
//!
//! One event per line in a file while the run goes on, so that the evidence outlives the harness.
//! Times are microseconds since the run began.

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::entry::{Entries, Selection};

/// Microseconds since the run began.
pub(crate) type Micros = u64;

/// Anything that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    /// One attempt to push one body. The same entries may be pushed again.
    Push { node: u64, client: u16, seqs: Range<u32>, time: Range<Micros>, outcome: Outcome },
    /// One read. `round` is set in the reads at the end, when nothing else happens.
    Read {
        node: u64,
        language: Language,
        what: Selection,
        time: Range<Micros>,
        answer: Answer,
        round: Option<u32>,
    },
    /// A fault came into force, or could not.
    Fault { number: u32, name: String, detail: String, at: Micros, installed: Result<(), String> },
    /// What a fault had broken works again.
    Healed { number: u32, name: String, at: Micros },
    /// Whether, with the faults now in force, a majority of every shard can talk and answer.
    Majority { at: Micros, is: bool },
    /// A process said that it is ready.
    Ready { node: u64, at: Micros, after: Micros },
    /// Pushes and reads began.
    LoadBegan { at: Micros },
    /// Pushes and reads ended.
    LoadEnded { at: Micros },
    /// Something that must not happen and that no read shows: a crash, a cluster that stays down.
    Failure { at: Micros, what: String },
}

/// What a client knows of its push.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// 204: it is there.
    Acknowledged,
    /// A 4xx of the whole request: it is not there.
    Refused(u16),
    /// No connection: nobody got it.
    NotSent,
    /// Anything else: it may be there, and may still come.
    Unknown(String),
}

/// How it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Language {
    LogqlRows,
    LogqlCount,
    SqlRows,
    SqlCount,
}

impl Language {
    pub(crate) const ALL: [Language; 4] =
        [Language::LogqlRows, Language::LogqlCount, Language::SqlRows, Language::SqlCount];
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Rows(Rows),
    Count(u64),
    Failed(String),
}

/// The rows of an answer, understood.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rows {
    pub(crate) entries: Entries,
    /// Entries that the answer holds more than once.
    pub(crate) twice: Entries,
    /// Lines that are no entry: changed, of a wrong stream or time, or of somebody else.
    pub(crate) foreign: Vec<String>,
    /// Neighbours in one stream of one client that came in the wrong order.
    pub(crate) disordered: u64,
}

/// Where events are written.
pub(crate) struct Recorder {
    began: Instant,
    inner: Mutex<Inner>,
}

struct Inner {
    file: BufWriter<std::fs::File>,
    events: Vec<Event>,
}

impl Recorder {
    #[expect(clippy::disallowed_methods, reason = "a harness measures real time")]
    pub(crate) fn create(path: &Path) -> anyhow::Result<Recorder> {
        let file = std::fs::File::create(path).with_context(|| path.display().to_string())?;
        let inner = Mutex::new(Inner { file: BufWriter::new(file), events: Vec::new() });
        Ok(Recorder { began: Instant::now(), inner })
    }

    pub(crate) fn now(&self) -> Micros {
        u64::try_from(self.began.elapsed().as_micros()).expect("a run shorter than an age")
    }

    pub(crate) fn record(&self, event: Event) {
        let line = serde_json::to_string(&event).expect("an event is always JSON");
        let mut inner = self.inner.lock().expect("nobody panics holding it");
        // A full disk must not end the run: the events are in memory as well.
        let _ = writeln!(inner.file, "{line}");
        inner.events.push(event);
    }

    /// All events so far, and everything on disk.
    pub(crate) fn events(&self) -> Vec<Event> {
        let mut inner = self.inner.lock().expect("nobody panics holding it");
        let _ = inner.file.flush();
        inner.events.clone()
    }
}

/// Reads a file of events.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<Event>> {
    let file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
    let mut events = Vec::new();
    for (n, line) in BufReader::new(file).lines().enumerate() {
        let event = serde_json::from_str(&line?);
        events.push(event.with_context(|| format!("{} line {}", path.display(), n + 1))?);
    }
    Ok(events)
}

/// For messages.
pub(crate) fn seconds(micros: Micros) -> f64 {
    Duration::from_micros(micros).as_secs_f64()
}
