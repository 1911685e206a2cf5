//! `drave query '{app="x"} |= "err"'`: asks a running server in LogQL.
//!
//! In: a query and a range of time. Out: lines of log, or a table of values. A log query of more
//! lines than the server gives at once is asked in pages; a metric query is evaluated at one
//! instant, or over the range with `--step`. What the server refuses is said in its own words.

pub mod answer;
mod pages;
mod print;
#[cfg(test)]
mod tests;

use std::io::Write as _;
use std::ops::Range;
use std::time::Duration;

use anyhow::bail;
use clap::error::ErrorKind;

use super::address::Http;
use crate::model::Timestamp;
use crate::telemetry;
use answer::Answer;
use pages::Pages;
pub use print::Style;
pub(super) use print::entry_text;

/// A log query is answered in one page up to here (`max_entries_limit_per_query`).
const PAGE_ENTRIES: u64 = 5000;

/// Ask a running server in LogQL
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// A LogQL query, such as '{app="api"} |= "error"' or 'sum by (app) (rate({env="prod"}[5m]))'
    pub query: String,
    /// How far back to look from --to
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = parse_duration)]
    pub since: Duration,
    /// Start of the range: RFC 3339, or seconds since 1970 [default: --since before --to]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub from: Option<Timestamp>,
    /// End of the range, excluded, and the instant of a metric query [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub to: Option<Timestamp>,
    /// Most lines to show; 0 shows all
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    pub limit: u64,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
    /// Oldest lines first
    #[arg(long)]
    pub forward: bool,
    /// Evaluate a metric query over the range, this far apart
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub step: Option<Duration>,
    /// Server to ask
    #[command(flatten)]
    pub http: Http,
}

/// How answers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// For people: time, labels, line; values as a table
    Text,
    /// One JSON object per line
    Jsonl,
}

impl Args {
    /// The range of time that is asked for. One that ends before it begins is a slip of whoever
    /// typed it: an empty answer would look as if there were no logs.
    fn range(&self, now: Timestamp) -> Result<Range<Timestamp>, clap::Error> {
        let to = self.to.unwrap_or(now);
        let from = self.from.unwrap_or_else(|| to.before(self.since));
        if from <= to {
            return Ok(from..to);
        }
        let end = if self.to.is_some() { "--to" } else { "now, which --to is by default" };
        let text = format!("--from {from} is after {end}: {to}\n");
        Err(clap::Error::raw(ErrorKind::ValueValidation, text))
    }
}

/// Asks, and prints the answer.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let Range { start: from, end: to } = args.range(telemetry::now())?;
    let client = Client::new(&args.http)?;
    let style = Style::of_stdout();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let result = if is_log_query(&args.query) {
        print_pages(&client, &args, from..to, style, &mut out).await
    } else {
        let answer = match args.step {
            Some(step) => client.range(&args.query, from..to, step).await?,
            None => client.instant(&args.query, to).await?,
        };
        print::values(&answer, args.output, &mut out)
    };
    match result.and_then(|()| Ok(out.flush()?)) {
        // The reader of our output has seen enough.
        Err(error) if is_broken_pipe(&error) => Ok(()),
        result => result,
    }
}

async fn print_pages(
    client: &Client,
    args: &Args,
    range: std::ops::Range<Timestamp>,
    style: Style,
    out: &mut impl std::io::Write,
) -> anyhow::Result<()> {
    let limit = if args.limit == 0 { u64::MAX } else { args.limit };
    let mut pages = Pages::new(range, args.forward, limit, PAGE_ENTRIES);
    let mut printer = print::Lines::new(args.output, style);
    while let Some(page) = pages.next() {
        let entries = client.entries(&args.query, &page).await?;
        let fresh = pages.take(&page, entries)?;
        printer.print(&fresh, out)?;
        out.flush()?;
    }
    Ok(())
}

pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Asks one server.
pub struct Client {
    http: Http,
    client: reqwest::Client,
}

/// Part of the lines of a log query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The range of time asked for.
    pub range: std::ops::Range<Timestamp>,
    /// Oldest first.
    pub forward: bool,
    /// Most entries to give.
    pub limit: u64,
}

impl Client {
    /// A client for the server of `http`.
    pub fn new(http: &Http) -> anyhow::Result<Client> {
        Ok(Client { http: http.clone(), client: http.client()? })
    }

    /// The entries of a log query, in order.
    pub async fn entries(&self, query: &str, page: &Page) -> anyhow::Result<Vec<answer::Entry>> {
        let direction = if page.forward { "forward" } else { "backward" };
        let parameters = [
            ("query", query.to_owned()),
            ("start", page.range.start.0.to_string()),
            ("end", page.range.end.0.to_string()),
            ("limit", page.limit.to_string()),
            ("direction", direction.to_owned()),
        ];
        match self.ask("/loki/api/v1/query_range", &parameters).await? {
            Answer::Streams(streams) => answer::in_order(streams, page.forward),
            _ => bail!("the server answered a log query with values"),
        }
    }

    /// The values of a metric query at one instant.
    pub async fn instant(&self, query: &str, at: Timestamp) -> anyhow::Result<Answer> {
        let parameters = [("query", query.to_owned()), ("time", at.0.to_string())];
        self.ask("/loki/api/v1/query", &parameters).await
    }

    /// The values of a metric query, `step` apart.
    pub async fn range(
        &self,
        query: &str,
        range: std::ops::Range<Timestamp>,
        step: Duration,
    ) -> anyhow::Result<Answer> {
        let parameters = [
            ("query", query.to_owned()),
            ("start", range.start.0.to_string()),
            ("end", range.end.0.to_string()),
            ("step", step.as_secs_f64().to_string()),
        ];
        self.ask("/loki/api/v1/query_range", &parameters).await
    }

    async fn ask(&self, path: &str, parameters: &[(&str, String)]) -> anyhow::Result<Answer> {
        let request = self.client.get(self.http.url(path)?).query(parameters);
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => bail!("{}", self.http.unreachable(&error)),
        };
        let status = response.status();
        let body = response.bytes().await?;
        if !status.is_success() {
            let text = String::from_utf8_lossy(&body);
            bail!("{}", if text.trim().is_empty() { status.as_str() } else { text.trim() });
        }
        answer::parse(&body)
    }
}

/// Whether a query asks for lines: it begins with a selector, in however many brackets.
fn is_log_query(query: &str) -> bool {
    let mut rest = query.trim_start();
    loop {
        rest = match rest.strip_prefix('(') {
            Some(inner) => inner.trim_start(),
            None => match rest.strip_prefix('#') {
                Some(comment) => comment.split_once('\n').map_or("", |(_, rest)| rest).trim_start(),
                None => return rest.starts_with('{'),
            },
        }
    }
}

/// `90s`, `1h30m`, `250ms`, `7d`; a bare number is seconds.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration; write 30s, 15m, 1h30m or 7d");
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).map_err(|_| wrong());
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, after) = rest.split_at(digits);
        let unit_len = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_len);
        let millis: u64 = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 7 * 86_400_000,
            "y" => 365 * 86_400_000,
            _ => return Err(wrong()),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let part = Duration::from_millis(number.checked_mul(millis).ok_or_else(wrong)?);
        total = total.checked_add(part).ok_or_else(wrong)?;
        rest = after;
    }
    if text.is_empty() { Err(wrong()) } else { Ok(total) }
}

/// RFC 3339, a date, a date and a clock in UTC, or seconds since 1970 as 10 digits (13, 16 and 19
/// are milli-, micro- and nanoseconds).
pub(super) fn parse_time(text: &str) -> Result<Timestamp, String> {
    use super::ingest::dates::parse_point;
    parse_point(text)
        .or_else(|| parse_point(&format!("{text}T00:00:00")))
        .ok_or_else(|| format!("{text:?} is no time; write 2026-01-31T12:00:00Z or 1769860800"))
}
