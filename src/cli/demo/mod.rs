//! `drave demo`: a throw-away server with logs worth asking about, and a few questions to it.
//!
//! In: a function that starts a server on a directory. Out: on stdout, three queries in LogQL and
//! three in SQL with their answers, and how to go on. The directory is gone afterwards.

mod story;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures::future::BoxFuture;

use super::address::{Http, Pg};
use super::ingest::push::{Push, labels_text};
use super::ingest::send::Sender;
use super::query::answer::{Answer, Entry};
use super::query::{Client, Page, Style, entry_text};
use super::sql;
use crate::model::Timestamp;
use crate::telemetry::{Stopwatch, now};
use story::Story;

/// Any number does; it is the story's seed.
const SEED: u64 = 20_261_121;
const PATIENCE: Duration = Duration::from_secs(20);
const LINE_CHARACTERS_MAX: usize = 150;

/// Start a server in a temporary directory, fill it with logs, and ask it a few things
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Stop after the answers instead of staying up until Ctrl-C
    #[arg(long)]
    pub once: bool,
}

/// A server that was started for the demo.
pub struct Running {
    /// Where it speaks HTTP.
    pub http: SocketAddr,
    /// Where it speaks Postgres.
    pub pg: SocketAddr,
    /// Stops it; completes when it has stopped.
    pub stop: BoxFuture<'static, ()>,
}

/// Runs the demo on the server that `start` starts in a directory.
pub async fn run<F>(args: Args, start: impl FnOnce(PathBuf) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<Running>>,
{
    let scratch = Scratch::new()?;
    let running = start(scratch.0.clone()).await?;
    let shown = show(&running, args.once).await;
    if shown.is_ok() && !args.once {
        tokio::signal::ctrl_c().await.context("cannot wait for Ctrl-C")?;
        eprintln!();
    }
    running.stop.await;
    shown
}

/// A directory that lives as long as this value.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> anyhow::Result<Scratch> {
        let name = format!("drave-demo-{}-{}", std::process::id(), now().0);
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn show(running: &Running, once: bool) -> anyhow::Result<()> {
    let clock = Stopwatch::start();
    let http = Http { server: format!("http://{}", running.http), tenant: None };
    let pg = Pg::at(running.pg.to_string(), None);
    let end = now();
    let story = story::tell(end, SEED);
    let lines = push(&http, &story).await?;
    let mut stage = Stage {
        client: Client::new(&http)?,
        pg,
        range: story.start..end,
        style: Style::of_stdout(),
        failed: 0,
    };
    stage.say(&format!(
        "{lines} log lines of 12 minutes in {} streams: a shop whose database runs out of memory.",
        story.streams.len()
    ))?;
    stage.ask_all(&story.failed_trace).await?;
    let seconds = clock.elapsed().as_secs_f64();
    stage.say(&format!("Written, and asked six times, in {seconds:.1} s.\n"))?;
    if !once {
        stage.say(&how_to_go_on(running))?;
    }
    match stage.failed {
        0 => Ok(()),
        failed => bail!("{failed} of the queries failed"),
    }
}

async fn push(http: &Http, story: &Story) -> anyhow::Result<u64> {
    let sender = Sender::new(http, PATIENCE, |_| {})?;
    let mut stored = 0;
    for (source, stream) in story.streams.iter().enumerate() {
        let labels = labels_text(stream.labels.iter().map(|(name, value)| (*name, value.as_str())));
        let mut push = Push::new(labels.clone(), source, 1);
        for (at, line) in &stream.entries {
            if push.is_full_for(line.len()) {
                stored += send(&sender, &push).await?;
                push = Push::new(labels.clone(), source, 1);
            }
            push.add(*at, line);
        }
        stored += send(&sender, &push).await?;
    }
    Ok(stored)
}

async fn send(sender: &Sender, push: &Push) -> anyhow::Result<u64> {
    let outcome = sender.send(push).await;
    match outcome.fatal.or_else(|| Some(outcome.refused.first()?.text.clone())) {
        Some(why) => bail!("cannot push: {why}"),
        None => Ok(outcome.stored),
    }
}

/// Where questions and answers are shown.
struct Stage {
    client: Client,
    pg: Pg,
    range: std::ops::Range<Timestamp>,
    style: Style,
    failed: u32,
}

impl Stage {
    async fn ask_all(&mut self, failed_trace: &str) -> anyhow::Result<()> {
        self.title("Errors per minute, by program")?;
        self.ask_chart(
            r#"sum by (app) (count_over_time({app=~".+"} | detected_level="error" [1m]))"#,
        )
        .await?;
        self.title("The last requests that failed")?;
        self.ask_lines(
            "{app=\"checkout\"} | json | status >= 500 | line_format \
             `{{.status}} {{.method}} {{.path}} after {{.latency_ms}} ms, trace {{.trace_id}}`",
            4,
        )
        .await?;
        self.title("What the database's host says")?;
        self.ask_lines(r#"{host="db-1"} |~ "Out of memory|killed|ready to accept""#, 4).await?;

        self.title("The same lines in SQL: who logs what")?;
        self.ask_sql(
            "select app, level, count(*) as lines from logs \
             where level in ('error', 'warn') group by app, level order by lines desc limit 5",
        )
        .await?;
        self.title("The incident by the minute")?;
        self.ask_sql(
            "select date_trunc('minute', timestamp) as minute, count(*) as requests, \
             sum(case when line like '% 50_ 162 %' then 1 else 0 end) as failed \
             from logs where app = 'nginx' group by 1 order by 1",
        )
        .await?;
        self.title("One failed checkout, through all programs")?;
        self.ask_sql(&format!(
            "select timestamp, app, host, substr(line, 1, 70) as line from logs \
             where line like '%{failed_trace}%' order by timestamp"
        ))
        .await
    }

    fn say(&self, text: &str) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{text}")?;
        Ok(out.flush()?)
    }

    fn title(&self, text: &str) -> anyhow::Result<()> {
        self.say(&format!("\n{}", self.style.paint(1, text)))
    }

    fn command(&self, text: &str) -> anyhow::Result<()> {
        self.say(&self.style.paint(36, &format!("$ {text}")))
    }

    /// A query that fails is shown, and the next one is asked.
    fn answer(&mut self, answer: anyhow::Result<String>) -> anyhow::Result<()> {
        match answer {
            Ok(text) => self.say(text.trim_end()),
            Err(error) => {
                self.failed += 1;
                self.say(&self.style.paint(31, &error.to_string()))
            }
        }
    }

    async fn ask_lines(&mut self, query: &str, limit: u64) -> anyhow::Result<()> {
        self.command(&format!("drave query '{query}' --limit {limit}"))?;
        let page = Page { range: self.range.clone(), forward: false, limit };
        let entries = self.client.entries(query, &page).await;
        let style = self.style;
        let text = |entry: &Entry| {
            // Labels that a pipeline has extracted would drown the line.
            let mut hidden = (*entry.labels).clone();
            hidden.retain(|name, _| name != "app" && name != "host");
            entry_text(&shortened(entry), &hidden, style)
        };
        self.answer(entries.map(|entries| entries.iter().map(text).collect::<Vec<_>>().join("\n")))
    }

    async fn ask_chart(&mut self, query: &str) -> anyhow::Result<()> {
        self.command(&format!("drave query '{query}' --step 1m"))?;
        let answer = self.client.range(query, self.range.clone(), Duration::from_secs(60)).await;
        let range = self.range.clone();
        self.answer(answer.map(|answer| chart(&answer, range)))
    }

    async fn ask_sql(&mut self, statement: &str) -> anyhow::Result<()> {
        self.command(&format!("drave sql \"{}\"", statement.replace('"', "\\\"")))?;
        let mut out = Vec::new();
        let asked = sql::ask(&self.pg, statement, sql::Output::Table, &mut out).await;
        self.answer(asked.map(|()| String::from_utf8_lossy(&out).into_owned()))
    }
}

fn shortened(entry: &Entry) -> Entry {
    let mut entry = entry.clone();
    if let Some((cut, _)) = entry.line.char_indices().nth(LINE_CHARACTERS_MAX) {
        entry.line.truncate(cut);
        entry.line.push('…');
    }
    entry
}

/// A bar per minute and series: what a table of numbers hides.
fn chart(answer: &Answer, range: std::ops::Range<Timestamp>) -> String {
    const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    const MINUTE: i64 = 60_000_000_000;
    let Answer::Matrix(series) = answer else { return "no series".to_owned() };
    let minutes = usize::try_from((range.end.0 - range.start.0) / MINUTE).unwrap_or(0) + 1;
    let mut text = String::new();
    for one in series {
        let mut values = vec![0.0_f64; minutes];
        for sample in &one.values {
            let minute = usize::try_from((sample.at().0 - range.start.0 + MINUTE / 2) / MINUTE);
            let value: f64 = sample.1.parse().unwrap_or(0.0);
            if let Some(slot) = minute.ok().and_then(|minute| values.get_mut(minute)) {
                *slot = value;
            }
        }
        let highest = values.iter().copied().fold(0.0, f64::max);
        let bars: String = values
            .iter()
            .map(|value| BARS[(value / highest.max(1.0) * 8.0).ceil().clamp(0.0, 8.0) as usize])
            .collect();
        let name = one.metric.values().cloned().collect::<Vec<_>>().join(" ");
        text.push_str(&format!("  {name:<12} │{bars}│ at most {highest}\n"));
    }
    text
}

fn how_to_go_on(running: &Running) -> String {
    let Running { http, pg, .. } = running;
    format!(
        "Go on:\n\
         \x20 grafana  add a Loki data source with the URL http://{http}\n\
         \x20 psql     psql -h {} -p {} -U drave logs\n\
         \x20 curl     curl -sG http://{http}/loki/api/v1/query_range \
         --data-urlencode 'query={{app=\"payments\"}}'\n\
         \x20 own logs drave ingest --server http://{http} /var/log/syslog\n\
         Ctrl-C stops the server and removes its data.",
        pg.ip(),
        pg.port()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::query::answer::parse;

    #[test]
    fn charts() {
        let answer = parse(
            br#"{"data":{"resultType":"matrix","result":[{"metric":{"app":"nginx"},
            "values":[[1700000000,"1"],[1700000120,"8"],[1700000180,"4"]]}]}}"#,
        );
        let range = Timestamp::from_secs(1_700_000_000)..Timestamp::from_secs(1_700_000_180);
        assert_eq!(chart(&answer.unwrap(), range), "  nginx        │▁ █▄│ at most 8\n");
    }

    #[tokio::test]
    async fn nothing_is_left_behind() {
        let mut directory = PathBuf::new();
        let start = |path: PathBuf| {
            assert!(path.is_dir());
            directory = path;
            std::future::ready(Err(anyhow::anyhow!("no")))
        };
        let done = run(Args { once: true }, start).await;
        assert_eq!(done.unwrap_err().to_string(), "no");
        assert!(!directory.exists() && directory.is_absolute());
    }
}
