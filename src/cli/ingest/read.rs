//! The reading side: threads that turn sources into pushes and wait while the queue is full.
//!
//! In: what to read. Out: [`Parcel`]s on a bounded queue, the last one of each source with its
//! final tally. A thread ends when its sources do, when told to stop, or when the queue is gone.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc;

use super::dates::Context;
use super::feed::{Feed, Sink, Stopped, Tally};
use super::follow::{Event, Follower};
use super::lines::{Lines, Next};
use super::push::Push;
use super::source::{self, Source};
use crate::model::Timestamp;
use crate::telemetry;

/// How often a followed file is looked at.
const FOLLOW_EVERY: Duration = Duration::from_millis(250);
/// The server takes what is up to ten minutes ahead of its clock; ours may differ a little.
const AHEAD_MAX: Duration = Duration::from_secs(9 * 60);

/// A push on its way to the server.
pub(super) struct Parcel {
    pub(super) source: usize,
    /// Of all lines of the source that were read until now.
    pub(super) tally: Tally,
    /// `None`: the source has ended.
    pub(super) push: Option<Push>,
}

/// A source to read.
pub(super) struct Work {
    pub(super) source: usize,
    pub(super) path: PathBuf,
    pub(super) labels: Arc<str>,
}

/// What reading threads share.
#[derive(Clone)]
pub(super) struct Reader {
    pub(super) zone: i64,
    pub(super) stop: Arc<AtomicBool>,
    /// Counts bytes.
    pub(super) read: Arc<AtomicU64>,
    pub(super) queue: mpsc::Sender<Parcel>,
}

/// Where a feed's pushes go: into the queue, with the tally of earlier files of the same name.
struct Outlet {
    queue: mpsc::Sender<Parcel>,
    past: Tally,
}

impl Sink for Outlet {
    fn push(&mut self, push: Push, tally: &Tally) -> Result<(), Stopped> {
        let mut all = self.past.clone();
        all.add(tally);
        let parcel = Parcel { source: push.source, tally: all, push: Some(push) };
        self.queue.blocking_send(parcel).map_err(|_| Stopped)
    }
}

/// Why reading ended before the source did.
enum Broken {
    Io(io::Error),
    Stopped,
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Broken {
        Broken::Io(error)
    }
}

impl From<Stopped> for Broken {
    fn from(_: Stopped) -> Broken {
        Broken::Stopped
    }
}

impl Reader {
    /// Starts a thread for all sources one after the other, or to follow them, one for each.
    pub(super) fn spawn(self, works: Vec<Work>, follow: bool) -> io::Result<Vec<JoinHandle<()>>> {
        let groups: Vec<Vec<Work>> = match follow {
            true => works.into_iter().map(|work| vec![work]).collect(),
            false => vec![works],
        };
        let start = |group: Vec<Work>| {
            let reader = self.clone();
            let read_all = move || {
                for work in group {
                    if follow { reader.follow(&work) } else { reader.read(&work) }
                }
            };
            std::thread::Builder::new().name("reader".to_owned()).spawn(read_all)
        };
        groups.into_iter().map(start).collect()
    }

    fn read(&self, work: &Work) {
        let now = telemetry::now();
        let tally = match source::open(&work.path, now, Arc::clone(&self.read)) {
            Ok(source) => self.read_source(work, source),
            Err(error) => Tally { error: Some(error.to_string()), ..Tally::default() },
        };
        self.end(work, tally);
    }

    fn read_source(&self, work: &Work, mut source: Source) -> Tally {
        let mut feed = self.feed(work, source.modified, Tally::default());
        let result = self.read_lines(&mut source.reader, &mut feed);
        let mut tally = feed.tally().clone();
        if let Err(Broken::Io(error)) = result {
            tally.error = Some(error.to_string());
        }
        tally
    }

    fn read_lines(&self, reader: &mut impl Read, feed: &mut Feed<Outlet>) -> Result<(), Broken> {
        let mut lines = Lines::default();
        while !self.stop.load(Ordering::Relaxed) {
            match lines.next(reader) {
                Ok(Next::Line(line)) => feed.line(line)?,
                Ok(Next::TooLong) => feed.too_long()?,
                Ok(Next::End) => {
                    match lines.rest() {
                        Some(Next::Line(line)) => feed.last_line(line)?,
                        Some(Next::TooLong) => feed.too_long()?,
                        Some(Next::End) | None => {}
                    }
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => idle(feed)?,
                Err(error) => {
                    feed.settle()?;
                    return Err(error.into());
                }
            }
        }
        Ok(feed.settle()?)
    }

    fn follow(&self, work: &Work) {
        let mut past = Tally::default();
        if let Err(Broken::Io(error)) = self.follow_files(work, &mut past) {
            past.error = Some(error.to_string());
        }
        self.end(work, past);
    }

    fn follow_files(&self, work: &Work, past: &mut Tally) -> Result<(), Broken> {
        let mut follower = Follower::new(work.path.clone(), Arc::clone(&self.read));
        let mut current: Option<Feed<Outlet>> = None;
        let result = loop {
            if self.stop.load(Ordering::Relaxed) {
                break Ok(());
            }
            match (follower.next(), &mut current) {
                (Ok(Event::Begins(modified)), _) => {
                    finish(&mut current, past)?;
                    current = Some(self.feed(work, modified, past.clone()));
                }
                (Ok(Event::Line(line)), Some(feed)) => feed.line(line)?,
                (Ok(Event::TooLong), Some(feed)) => feed.too_long()?,
                (Ok(Event::LastLine(line)), Some(feed)) => feed.last_line(&line)?,
                (Ok(_), feed) => {
                    if let Some(feed) = feed {
                        idle(feed)?;
                    }
                    std::thread::sleep(FOLLOW_EVERY);
                }
                (Err(error), _) => break Err(error.into()),
            }
        };
        finish(&mut current, past)?;
        result
    }

    fn feed(&self, work: &Work, modified: Timestamp, past: Tally) -> Feed<Outlet> {
        let context = Context { zone: self.zone, modified, latest: latest() };
        let span = source::survey(&work.path, context);
        let outlet = Outlet { queue: self.queue.clone(), past };
        Feed::new(context, span, work.source, Arc::clone(&work.labels), outlet)
    }

    fn end(&self, work: &Work, tally: Tally) {
        // Where the queue is gone, nobody wants to know.
        let _ = self.queue.blocking_send(Parcel { source: work.source, tally, push: None });
    }
}

/// Dates past this are in the future.
fn latest() -> Timestamp {
    telemetry::now().after(AHEAD_MAX)
}

/// Nothing comes for a while: what has come is sent.
fn idle(feed: &mut Feed<Outlet>) -> Result<(), Stopped> {
    feed.settle()?;
    feed.set_now(telemetry::now(), latest());
    Ok(())
}

/// The file of `feed` has been read, and another one takes its place.
fn finish(feed: &mut Option<Feed<Outlet>>, past: &mut Tally) -> Result<(), Stopped> {
    if let Some(mut feed) = feed.take() {
        feed.settle()?;
        past.add(feed.tally());
    }
    Ok(())
}
