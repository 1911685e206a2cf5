//! Where lines come from: a file or stdin, plain, gzip or zstd, told apart by their first bytes.
//!
//! In: a path (`-` is stdin). Out: a reader of plain bytes, when the file was last written, and for
//! files whose dates have no year, how far those reach.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use super::dates::{Context, Dater, YearSpan};
use super::lines::{Lines, Next};
use crate::model::Timestamp;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// How long a pipe may be silent before what it gave is sent.
const PIPE_WAIT: Duration = Duration::from_millis(500);

/// Lines at the beginning of a file among which a date without a year must be, if it has any.
const SURVEY_LINES: usize = 1000;
/// Larger files are surveyed at [`SURVEY_SAMPLES`] places instead of whole.
const SURVEY_BYTES_MAX: u64 = 64 << 20;
const SURVEY_SAMPLES: u64 = 1024;
const SURVEY_SAMPLE_BYTES: u64 = 16 << 10;

/// An open source.
pub(super) struct Source {
    /// The plain bytes.
    pub(super) reader: Box<dyn Read + Send>,
    /// When the file was last written.
    pub(super) modified: Timestamp,
}

/// Whether a path means stdin.
pub(super) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Opens a source. `read` counts the bytes as they are stored; stdin is as new as `now`.
pub(super) fn open(path: &Path, now: Timestamp, read: Arc<AtomicU64>) -> io::Result<Source> {
    if is_stdin(path) {
        return Ok(Source { reader: decompress(Counted(Pipe::of_stdin()?, read))?, modified: now });
    }
    let file = open_file(path)?;
    let modified = modified(&file)?;
    Ok(Source { reader: decompress(Counted(file, read))?, modified })
}

/// Opens a file that can be read.
pub(super) fn open_file(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::other("is a directory"));
    }
    Ok(file)
}

/// When a file was last written.
pub(super) fn modified(file: &File) -> io::Result<Timestamp> {
    let since_epoch = file.metadata()?.modified()?.duration_since(std::time::UNIX_EPOCH);
    let nanos = since_epoch.map_or(0, |elapsed| elapsed.as_nanos());
    Ok(Timestamp(i64::try_from(nanos).unwrap_or(i64::MAX)))
}

/// Counts what is read, for the progress bar.
pub(super) struct Counted<R>(pub(super) R, pub(super) Arc<AtomicU64>);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.0.read(into)?;
        self.1.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

fn decompress<R: Read + Send + 'static>(mut reader: R) -> io::Result<Box<dyn Read + Send>> {
    let mut magic = Vec::with_capacity(4);
    Patient(reader.by_ref().take(4)).read_to_end(&mut magic)?;
    let is_gzip = magic.starts_with(&GZIP);
    let is_zstd = magic.starts_with(&ZSTD);
    let whole = Cursor::new(magic).chain(reader);
    Ok(if is_gzip {
        let buffered = BufReader::with_capacity(1 << 16, Patient(whole));
        Box::new(flate2::bufread::MultiGzDecoder::new(buffered))
    } else if is_zstd {
        Box::new(zstd::stream::read::Decoder::new(Patient(whole))?)
    } else {
        Box::new(whole)
    })
}

/// Waits where the reader inside says that nothing has come for a while.
struct Patient<R>(R);

impl<R: Read> Read for Patient<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(into) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }
}

/// Stdin, read by a thread of its own, so that what has come can be sent while more is awaited:
/// a read that waits longer than [`PIPE_WAIT`] is [`io::ErrorKind::WouldBlock`].
struct Pipe {
    chunks: Receiver<io::Result<Vec<u8>>>,
    chunk: Cursor<Vec<u8>>,
}

impl Pipe {
    /// The thread is not joined: it may wait for a terminal until the process ends.
    fn of_stdin() -> io::Result<Pipe> {
        let (sender, chunks) = mpsc::sync_channel(4);
        let pump = move || {
            let mut buffer = vec![0; 256 << 10];
            loop {
                let chunk = io::stdin().read(&mut buffer).map(|n| buffer[..n].to_vec());
                let last = !matches!(&chunk, Ok(bytes) if !bytes.is_empty());
                if sender.send(chunk).is_err() || last {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("stdin".to_owned()).spawn(pump)?;
        Ok(Pipe { chunks, chunk: Cursor::default() })
    }
}

impl Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.chunk.position() == self.chunk.get_ref().len() as u64 {
            self.chunk = match self.chunks.recv_timeout(PIPE_WAIT) {
                Ok(chunk) => Cursor::new(chunk?),
                Err(RecvTimeoutError::Timeout) => return Err(io::ErrorKind::WouldBlock.into()),
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            };
        }
        self.chunk.read(into)
    }
}

/// How far the dates of a file reach, if they have no year. What cannot be read twice is not
/// surveyed; what cannot be read at all is reported when it is read for its lines.
pub(super) fn survey(path: &Path, context: Context) -> YearSpan {
    if is_stdin(path) {
        return YearSpan::default();
    }
    try_survey(path, context).unwrap_or_default()
}

fn try_survey(path: &Path, context: Context) -> io::Result<YearSpan> {
    let mut file = open_file(path)?;
    let metadata = file.metadata()?;
    // A named pipe gives its lines once.
    if !metadata.is_file() {
        return Ok(YearSpan::default());
    }
    let mut reader = decompress(open_file(path)?)?;
    let mut dater = Dater::new(context, YearSpan::default());
    let mut span = YearSpan::default();
    let mut lines = Lines::default();
    for n in 0.. {
        let line = match lines.next(&mut reader)? {
            Next::Line(line) => line,
            Next::TooLong => continue,
            Next::End => return Ok(span),
        };
        dater.survey(line, &mut span);
        if n >= SURVEY_LINES && (!span.has_yearless() || metadata.len() > SURVEY_BYTES_MAX) {
            break;
        }
    }
    // Within a compressed file there is no place to jump to.
    let mut magic = [0; 4];
    file.read_exact(&mut magic)?;
    if span.has_yearless() && !magic.starts_with(&GZIP) && magic != ZSTD {
        sample(&mut file, metadata.len(), &mut dater, &mut span)?;
    }
    Ok(span)
}

/// Surveys a line at each of many places of a large file.
fn sample(file: &mut File, len: u64, dater: &mut Dater, span: &mut YearSpan) -> io::Result<()> {
    for n in 1..=SURVEY_SAMPLES {
        let at = len / SURVEY_SAMPLES * n;
        file.seek(SeekFrom::Start(at.min(len.saturating_sub(SURVEY_SAMPLE_BYTES))))?;
        let mut here = file.by_ref().take(SURVEY_SAMPLE_BYTES);
        let mut lines = Lines::default();
        // The first one begins before this place.
        lines.next(&mut here)?;
        if let Next::Line(line) = lines.next(&mut here)? {
            dater.survey(line, span);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::cli::ingest::dates::Dating;

    fn check(bytes: &[u8], expected: &str) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let read = Arc::new(AtomicU64::new(0));
        let mut source = open(file.path(), Timestamp(0), Arc::clone(&read)).unwrap();
        let mut text = String::new();
        source.reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, expected);
        assert_eq!(read.load(Ordering::Relaxed), bytes.len() as u64);
    }

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn compression_is_told_by_content() {
        check(b"", "");
        check(b"ab", "ab");
        check(b"abcdefgh\n", "abcdefgh\n");
        check(&gzip("abc\n"), "abc\n");
        check(&[gzip("abc\n"), gzip("def\n")].concat(), "abc\ndef\n");
        let zstd = |text: &str| zstd::encode_all(text.as_bytes(), 1).unwrap();
        check(&zstd("abc\n"), "abc\n");
        check(&[zstd("abc\n"), zstd("def\n")].concat(), "abc\ndef\n");
    }

    #[test]
    fn a_cut_archive_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let bytes = gzip(&"line\n".repeat(10_000));
        std::fs::write(file.path(), &bytes[..bytes.len() - 10]).unwrap();
        let mut source = open(file.path(), Timestamp(0), Arc::default()).unwrap();
        assert!(source.reader.read_to_end(&mut Vec::new()).is_err());
    }

    #[test]
    fn a_large_file_is_surveyed_at_places() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let day = |month| format!("{month} 14 15:16:01 host a: x\n").repeat(2000);
        let months = ["Oct", "Jan", "Jun", "Oct", "Feb"].map(day).concat();
        std::fs::write(file.path(), &months).unwrap();
        let context = Context {
            zone: 0,
            modified: Timestamp::from_secs(1_795_262_400),
            latest: Timestamp::from_secs(1_795_262_400),
        };
        let mut dater = Dater::new(context, YearSpan::default());
        let mut span = YearSpan::default();
        let mut open = open_file(file.path()).unwrap();
        sample(&mut open, months.len() as u64, &mut dater, &mut span).unwrap();
        let mut dater = Dater::new(context, span);
        let first = dater.date(b"Oct 14 15:16:01 host a: x");
        let expected = "2024-10-14T15:16:01Z";
        assert!(matches!(first, Dating::Own(at, _) if at.to_string() == expected), "{first:?}");
    }

    #[test]
    fn a_directory_is_no_source() {
        let directory = tempfile::tempdir().unwrap();
        assert!(open(directory.path(), Timestamp(0), Arc::default()).is_err());
    }
}
