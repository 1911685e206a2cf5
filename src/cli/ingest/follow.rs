//! Reads a file as `tail -F` does: what is added, after a truncation from its beginning, and after
//! a rotation the rest of the old file and then the new one.
//!
//! In: a path. Out: an [`Event`] at a time; waiting is up to the caller.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::lines::{Lines, Next};
use super::source::{modified, open_file};
use crate::model::Timestamp;
use crate::telemetry::Stopwatch;

/// How long the file before is watched when another one took its name: its writer may not know yet
/// (logrotate makes the new file first, and tells the writer then).
const GRACE: Duration = Duration::from_secs(5);

/// What happened to a followed file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event<'a> {
    /// A file begins: the first one, one that took its place, or the same one cut to nothing.
    Begins(Timestamp),
    /// A line was added.
    Line(&'a [u8]),
    /// A line too long to hold was added.
    TooLong,
    /// A last line without a line end; the file it was in is gone.
    LastLine(Vec<u8>),
    /// Nothing new for now.
    Idle,
}

/// A file being followed.
pub(super) struct Follower {
    path: PathBuf,
    file: Option<File>,
    /// How much of `file` has been read.
    offset: u64,
    lines: Lines,
    read: Arc<AtomicU64>,
    /// Since when another file has its name.
    replaced: Option<Stopwatch>,
    grace: Duration,
}

impl Follower {
    /// Follows `path`, from its beginning. `read` counts bytes.
    pub(super) fn new(path: PathBuf, read: Arc<AtomicU64>) -> Follower {
        let (lines, grace) = (Lines::default(), GRACE);
        Follower { path, file: None, offset: 0, lines, read, replaced: None, grace }
    }

    /// What happened next. A file that is not there yet is waited for.
    pub(super) fn next(&mut self) -> io::Result<Event<'_>> {
        let Some(file) = self.file.as_mut() else { return self.begin() };
        let mut counted = Addition { file, offset: &mut self.offset, read: &self.read };
        // Asked twice, as a borrow cannot be returned from one arm and given up in another.
        if !self.lines.is_line_ready() && counted.is_at_end()? {
            return self.at_end();
        }
        match self.lines.next(&mut counted)? {
            Next::Line(line) => Ok(Event::Line(line)),
            Next::TooLong => Ok(Event::TooLong),
            Next::End => Ok(Event::Idle),
        }
    }

    fn begin(&mut self) -> io::Result<Event<'_>> {
        match open_file(&self.path) {
            Ok(file) => {
                let modified = modified(&file)?;
                self.file = Some(file);
                self.offset = 0;
                Ok(Event::Begins(modified))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Event::Idle),
            Err(error) => Err(error),
        }
    }

    /// The file has no more: is it still the file of that name, and as long as it was?
    fn at_end(&mut self) -> io::Result<Event<'_>> {
        let Some(file) = self.file.as_mut() else { return Ok(Event::Idle) };
        let ours = file.metadata()?;
        if ours.len() < self.offset {
            file.seek(SeekFrom::Start(0))?;
            self.offset = 0;
            // The begun line was cut off with the rest.
            let _ = self.lines.rest();
            return Ok(Event::Begins(modified(file)?));
        }
        let replaced = match fs::metadata(&self.path) {
            Ok(named) => (named.dev(), named.ino()) != (ours.dev(), ours.ino()),
            // Moved away; its successor is not there yet, and its writer may still write to it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        if !replaced {
            self.replaced = None;
        }
        // Between the last read and now, the writer may have added a line before it let go.
        if !replaced || ours.len() > self.offset {
            return Ok(Event::Idle);
        }
        if self.replaced.get_or_insert_with(Stopwatch::start).elapsed() < self.grace {
            return Ok(Event::Idle);
        }
        self.replaced = None;
        self.file = None;
        Ok(match self.lines.rest() {
            Some(Next::Line(line)) => Event::LastLine(line.to_vec()),
            Some(Next::TooLong) => Event::TooLong,
            _ => Event::Idle,
        })
    }
}

/// What has been added to a file since it was last read.
struct Addition<'a> {
    file: &'a mut File,
    offset: &'a mut u64,
    read: &'a AtomicU64,
}

impl Addition<'_> {
    fn is_at_end(&self) -> io::Result<bool> {
        Ok(self.file.metadata()?.len() <= *self.offset)
    }
}

impl Read for Addition<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(into)?;
        *self.offset += n as u64;
        self.read.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    struct Scene {
        directory: tempfile::TempDir,
        follower: Follower,
    }

    impl Scene {
        fn new() -> Scene {
            let directory = tempfile::tempdir().unwrap();
            let mut follower = Follower::new(directory.path().join("log"), Arc::default());
            follower.grace = Duration::ZERO;
            Scene { directory, follower }
        }

        fn path(&self) -> PathBuf {
            self.directory.path().join("log")
        }

        fn append(&self, text: &str) {
            let mut options = fs::OpenOptions::new();
            let mut file = options.create(true).append(true).open(self.path()).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }

        /// Everything that happened up to now.
        fn check(&mut self, expected: &str) {
            let mut seen = Vec::new();
            let mut idle = 0;
            while idle < 3 {
                idle += 1;
                let event = match self.follower.next().unwrap() {
                    Event::Idle => continue,
                    Event::Begins(_) => "begins".to_owned(),
                    Event::Line(line) => String::from_utf8(line.to_vec()).unwrap(),
                    Event::LastLine(line) => format!("last {}", String::from_utf8(line).unwrap()),
                    Event::TooLong => "too long".to_owned(),
                };
                idle = 0;
                seen.push(event);
            }
            assert_eq!(seen.join(","), expected);
        }
    }

    #[test]
    fn what_is_added() {
        let mut scene = Scene::new();
        scene.check("");
        scene.append("a\nb\nc");
        scene.check("begins,a,b");
        scene.append("c\n");
        scene.check("cc");
        scene.check("");
    }

    #[test]
    fn truncation() {
        let mut scene = Scene::new();
        scene.append("a\nb\nc");
        scene.check("begins,a,b");
        fs::write(scene.path(), "x\n").unwrap();
        scene.check("begins,x");
    }

    #[test]
    fn rotation() {
        let mut scene = Scene::new();
        scene.append("a\n");
        scene.check("begins,a");
        fs::rename(scene.path(), scene.directory.path().join("log.1")).unwrap();
        let mut old = fs::OpenOptions::new();
        let mut old = old.append(true).open(scene.directory.path().join("log.1")).unwrap();
        old.write_all(b"b\nrest").unwrap();
        scene.check("b");
        scene.append("c\n");
        scene.check("last rest,begins,c");
    }

    /// What a writer still added to the old file, when the new one was there, was lost.
    #[test]
    fn a_writer_may_be_late_to_change_files() {
        let mut scene = Scene::new();
        scene.follower.grace = Duration::from_millis(200);
        scene.append("a\n");
        scene.check("begins,a");
        let old = scene.directory.path().join("log.1");
        fs::rename(scene.path(), &old).unwrap();
        scene.append("c\n");
        scene.check("");
        fs::OpenOptions::new().append(true).open(old).unwrap().write_all(b"b\n").unwrap();
        scene.check("b");
        std::thread::sleep(scene.follower.grace);
        scene.check("begins,c");
    }
}
