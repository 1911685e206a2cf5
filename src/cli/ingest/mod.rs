//! `drave ingest FILE...`: pushes files or stdin, line by line, dated by what the lines say.
//!
//! ```text
//! source --> lines --> feed (dates, slots) --> push --> send
//! reading thread, one push at a time    |queue| at most 4 in flight
//! ```
//!
//! In: files, plain or compressed, or stdin. Out: `POST /loki/api/v1/push`, and a report of what
//! became of every line.
//!
//! - Each file is a stream: `filename` (its base name) and `job="ingest"`, beside the labels of
//!   `-l`. Two files of the same base name in one run are told apart by their paths.
//! - The order in which pushes arrive does not matter: the timestamp of a line follows from the
//!   file alone, so pushing it again adds nothing.
//! - Memory does not grow with the files.

pub mod dates;
mod feed;
mod follow;
mod lines;
mod progress;
pub mod push;
mod read;
mod report;
pub mod send;
mod slots;
mod source;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::bail;
use futures::StreamExt as _;
use tokio::sync::mpsc;

use super::address::Http;
use progress::Progress;
use push::labels_text;
use read::{Parcel, Reader, Work};
use report::SourceReport;
use send::{Outcome, Sender};

const PUSHES_IN_FLIGHT: usize = 4;
const PUSHES_QUEUED: usize = 2;
const DEFAULT_JOB: &str = "ingest";
/// Longer than a restart or an election takes; a rate limit lets a push through within this.
const PATIENCE: Duration = Duration::from_secs(300);
/// A server that was just started may not listen yet.
const FIRST_CONTACT_TRIES: u32 = 15;

/// Push log files to a running server
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Files to push, plain, gzip or zstd; `-` is stdin
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Label for all lines, beside filename="<base name>" and job="ingest"; may replace either
    #[arg(short, long = "label", value_name = "NAME=VALUE", value_parser = parse_label)]
    pub labels: Vec<(String, String)>,
    /// Go on with what is added to the files, through rotation and truncation, until Ctrl-C
    #[arg(short, long)]
    pub follow: bool,
    /// Zone of times that do not name one: UTC, or an offset such as +02:00
    #[arg(long, value_name = "OFFSET", default_value = "UTC", value_parser = parse_zone)]
    #[arg(allow_hyphen_values = true)]
    pub timezone: i64,
    /// Server to push to
    #[command(flatten)]
    pub http: Http,
}

/// Pushes the files. It is an error unless every line of them is stored.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let Done { report, failure } = ingest(&args).await?;
    std::io::stdout().write_all(report.as_bytes())?;
    match failure {
        Some(why) => bail!("{why}"),
        None => Ok(()),
    }
}

struct Done {
    report: String,
    /// Why not everything is stored.
    failure: Option<String>,
}

async fn ingest(args: &Args) -> anyhow::Result<Done> {
    if args.follow && args.files.iter().any(|file| source::is_stdin(file)) {
        bail!("stdin is read to its end anyway; --follow is for files");
    }
    let sources = name_sources(args);
    greet(&args.http).await?;
    let progress = Arc::new(Progress::new(total_bytes(args)));
    let notice = Arc::clone(&progress);
    let sender = Sender::new(&args.http, PATIENCE, move |why| notice.notice(why))?;
    let (reports, fatal) = push_all(args, sources, &sender, &progress).await?;
    progress.finish();
    let mut report = report::render(&reports, progress.elapsed());
    if let Some(line) = report::try_line(&reports) {
        report.push_str(&line);
        report.push('\n');
    }
    let failure = match fatal {
        Some(why) => Some(format!("gave up: {why}")),
        None if report::is_complete(&reports) => None,
        None => Some("not everything is stored".to_owned()),
    };
    Ok(Done { report, failure })
}

/// Reads in threads, sends here, until all is answered or there is no use.
async fn push_all(
    args: &Args,
    mut reports: Vec<SourceReport>,
    sender: &Sender,
    progress: &Progress,
) -> anyhow::Result<(Vec<SourceReport>, Option<String>)> {
    let (queue, parcels) = mpsc::channel(PUSHES_QUEUED);
    let stop = Arc::new(AtomicBool::new(false));
    let reader = Reader {
        zone: args.timezone,
        stop: Arc::clone(&stop),
        read: Arc::clone(&progress.read),
        queue,
    };
    let works = args.files.iter().zip(&reports).enumerate();
    let works = works.map(|(source, (path, report))| Work {
        source,
        path: path.clone(),
        labels: report.labels.as_str().into(),
    });
    let threads = reader.spawn(works.collect(), args.follow)?;
    let fatal = send_all(parcels, &mut reports, sender, progress, &stop).await;
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().expect("a reader does not panic");
    }
    Ok((reports, fatal))
}

/// Sends what is read. The first Ctrl-C ends the reading; what was read is still sent. Out: why
/// it ended early. The queue is gone then, and readers that wait for room in it return.
async fn send_all(
    parcels: mpsc::Receiver<Parcel>,
    reports: &mut [SourceReport],
    sender: &Sender,
    progress: &Progress,
    stop: &AtomicBool,
) -> Option<String> {
    let answers = futures::stream::unfold(parcels, |mut parcels| async {
        parcels.recv().await.map(|parcel| (parcel, parcels))
    })
    .map(|parcel| async move {
        let Parcel { source, tally, push } = parcel;
        let outcome = match &push {
            Some(push) => sender.send(push).await,
            None => Outcome::default(),
        };
        (source, tally, outcome)
    })
    .buffer_unordered(PUSHES_IN_FLIGHT);
    let mut answers = std::pin::pin!(answers);
    loop {
        tokio::select! {
            answer = answers.next() => {
                let (source, tally, outcome) = answer?;
                progress.stored(outcome.stored);
                let fatal = outcome.fatal.clone();
                reports[source].add(tally, outcome);
                if fatal.is_some() {
                    return fatal;
                }
            }
            _ = tokio::signal::ctrl_c() => {
                if stop.swap(true, Ordering::Relaxed) {
                    return Some("interrupted".to_owned());
                }
            }
        }
    }
}

/// Waits a moment for a server that was just started, so that one that is not there is told at
/// once and not after the files are read.
async fn greet(http: &Http) -> anyhow::Result<()> {
    let (client, url) = (http.client()?, http.url("/ready")?);
    let mut tries = 0;
    loop {
        match client.get(url.clone()).timeout(Duration::from_secs(10)).send().await {
            Ok(_) => return Ok(()),
            Err(error) if tries == FIRST_CONTACT_TRIES || !error.is_connect() => {
                bail!("{}", http.unreachable(&error))
            }
            Err(_) => tries += 1,
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The stream of each source. A base name that two sources share gives way to their paths.
fn name_sources(args: &Args) -> Vec<SourceReport> {
    let base_name = |path: &Path| match path.file_name() {
        _ if source::is_stdin(path) => "stdin".to_owned(),
        Some(name) => name.to_string_lossy().into_owned(),
        None => path.to_string_lossy().into_owned(),
    };
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for path in &args.files {
        *seen.entry(base_name(path)).or_default() += 1;
    }
    let mut reports = Vec::new();
    for path in &args.files {
        let base = base_name(path);
        let filename = if seen[&base] > 1 { path.to_string_lossy().into_owned() } else { base };
        let mut labels = BTreeMap::from([("filename", filename.as_str()), ("job", DEFAULT_JOB)]);
        labels.extend(args.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        // An empty value is no label: `-l job=` takes it away.
        labels.retain(|_, value| !value.is_empty());
        let labels = labels_text(labels).to_string();
        reports.push(SourceReport { name: filename, labels, ..SourceReport::default() });
    }
    reports
}

/// Bytes of all files together, where all are files.
fn total_bytes(args: &Args) -> Option<u64> {
    if args.follow {
        return None;
    }
    args.files
        .iter()
        .map(|path| std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file))
        .map(|metadata| metadata.map(|metadata| metadata.len()))
        .sum()
}

fn parse_label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    let mut bytes = name.bytes();
    let starts = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    if !starts || !bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err(format!("{name:?} is no label name: letters, digits and _, no digit first"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// `UTC`, `Z`, `+02:00`, `-0730`, `+2`: nanoseconds ahead of UTC.
fn parse_zone(text: &str) -> Result<i64, String> {
    if matches!(text, "UTC" | "utc" | "Z" | "z") {
        return Ok(0);
    }
    let offset = || {
        let (sign, rest) = match text.split_at_checked(1)? {
            ("+", rest) => (1, rest),
            ("-", rest) => (-1, rest),
            _ => return None,
        };
        let (hours, minutes) = match rest.split_once(':') {
            Some(parts) => parts,
            None if rest.len() > 2 => rest.split_at_checked(rest.len() - 2)?,
            None => (rest, "0"),
        };
        let number = |text: &str| text.parse::<u32>().ok().filter(|_| text.len() <= 2);
        let (hours, minutes) = (number(hours)?, number(minutes)?);
        (hours <= 14 && minutes <= 59).then_some(sign * i64::from(hours * 3600 + minutes * 60))
    };
    let seconds = offset().ok_or("expected UTC or an offset such as +02:00")?;
    Ok(seconds * 1_000_000_000)
}
