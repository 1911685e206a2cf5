//! What a client can say to one node, over its public ports.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use super::node::Address;
use crate::entry::{Entries, Entry, Selection};
use crate::history::{Answer, Language, Outcome, Rows};

/// A push that takes longer has an unknown outcome and is sent again, to another node.
const PUSH_TIME_MAX: Duration = Duration::from_millis(2500);
const READ_TIME_MAX: Duration = Duration::from_secs(5);
/// More lines than any read of ours covers.
const LIMIT: &str = "10000000";
/// Lines that are no entry and are kept of one answer.
const FOREIGN_MAX: usize = 5;

/// Talks to all nodes; one per worker.
pub(crate) struct Client {
    http: reqwest::Client,
    sql: HashMap<String, tokio_postgres::Client>,
}

/// A group's members, as the cluster tells them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) leader: Option<u64>,
    pub(crate) voters: Vec<u64>,
    pub(crate) learners: Vec<u64>,
    pub(crate) wanted: Vec<u64>,
}

impl Client {
    pub(crate) fn new() -> anyhow::Result<Client> {
        let builder = reqwest::Client::builder().no_proxy();
        let http = builder.connect_timeout(Duration::from_millis(1000)).build()?;
        Ok(Client { http, sql: HashMap::new() })
    }

    /// Pushes a body.
    pub(crate) async fn push(&self, to: &Address, body: String) -> Outcome {
        let request = self.http.post(format!("http://{}/loki/api/v1/push", to.http));
        let request = request.header("Content-Type", "application/json").timeout(PUSH_TIME_MAX);
        match request.body(body).send().await {
            Ok(answer) => match answer.status().as_u16() {
                204 => Outcome::Acknowledged,
                status @ 400..500 => Outcome::Refused(status),
                status => {
                    let text = answer.text().await.unwrap_or_default();
                    Outcome::Unknown(format!("{status} {}", text.trim()))
                }
            },
            Err(error) if error.is_connect() => Outcome::NotSent,
            Err(error) if error.is_timeout() => Outcome::Unknown("no answer".into()),
            Err(error) => Outcome::Unknown(innermost(&error)),
        }
    }

    /// Reads; a failure is an answer too.
    pub(crate) async fn read(
        &mut self,
        at: &Address,
        language: Language,
        what: &Selection,
    ) -> Answer {
        let reading = async {
            match language {
                Language::LogqlRows => self.logql_rows(at, what).await.map(Answer::Rows),
                Language::LogqlCount => self.logql_count(at, what).await.map(Answer::Count),
                Language::SqlRows => self.sql_rows(at, what).await.map(Answer::Rows),
                Language::SqlCount => self.sql_count(at, what).await.map(Answer::Count),
            }
        };
        let failure = match tokio::time::timeout(READ_TIME_MAX, reading).await {
            Ok(Ok(answer)) => return answer,
            Ok(Err(error)) => innermost(error.as_ref()),
            Err(_) => "no answer".into(),
        };
        if matches!(language, Language::SqlRows | Language::SqlCount) {
            self.sql.remove(&at.pg);
        }
        Answer::Failed(failure)
    }

    async fn logql_rows(&self, at: &Address, what: &Selection) -> anyhow::Result<Rows> {
        let Range { start, end } = what.times();
        let params = [
            ("query", what.logql()),
            ("start", start.to_string()),
            ("end", end.to_string()),
            ("limit", LIMIT.into()),
            ("direction", "forward".into()),
        ];
        let answer = self.get(at, "/loki/api/v1/query_range", &params).await?;
        let mut rows = RowReader::new(true);
        for stream in answer["data"]["result"].as_array().context("streams")? {
            let part = stream["stream"]["part"].as_str().unwrap_or_default();
            for value in stream["values"].as_array().context("values")? {
                let time = value[0].as_str().context("a time")?.parse()?;
                rows.row(time, part, value[1].as_str().context("a line")?);
            }
        }
        Ok(rows.finish())
    }

    async fn logql_count(&self, at: &Address, what: &Selection) -> anyhow::Result<u64> {
        let times = what.times();
        let range_ms = (times.end - times.start) / 1_000_000;
        let query = format!("sum(count_over_time({}[{range_ms}ms]))", what.logql());
        // The range is open at its start and closed at its end.
        let params = [("query", query), ("time", (times.end - 1).to_string())];
        let answer = self.get(at, "/loki/api/v1/query", &params).await?;
        let series = answer["data"]["result"].as_array().context("series")?;
        let Some(one) = series.first() else { return Ok(0) };
        Ok(one["value"][1].as_str().context("a value")?.parse()?)
    }

    async fn sql_rows(&mut self, at: &Address, what: &Selection) -> anyhow::Result<Rows> {
        let sql = format!(
            "select cast(timestamp as bigint) as time, part, line from logs where {} \
             order by timestamp",
            condition(what)
        );
        // `order by timestamp` says nothing of equal timestamps.
        let mut rows = RowReader::new(false);
        for row in self.connected(at).await?.query(&sql, &[]).await.map_err(explain)? {
            let time = u64::try_from(row.get::<_, i64>(0))?;
            rows.row(time, row.get::<_, Option<&str>>(1).unwrap_or_default(), row.get(2));
        }
        Ok(rows.finish())
    }

    async fn sql_count(&mut self, at: &Address, what: &Selection) -> anyhow::Result<u64> {
        let sql = format!("select count(*) from logs where {}", condition(what));
        let row = self.connected(at).await?.query_one(&sql, &[]).await.map_err(explain)?;
        Ok(u64::try_from(row.get::<_, i64>(0))?)
    }

    async fn connected(&mut self, at: &Address) -> anyhow::Result<&tokio_postgres::Client> {
        if !self.sql.contains_key(&at.pg) {
            let (host, port) = at.pg.split_once(':').context("an address with a port")?;
            let settings =
                format!("host={host} port={port} user=jepsen dbname=jepsen connect_timeout=1");
            let (client, connection) =
                tokio_postgres::connect(&settings, tokio_postgres::NoTls).await?;
            tokio::spawn(connection);
            self.sql.insert(at.pg.clone(), client);
        }
        self.sql.get(&at.pg).context("just connected")
    }

    async fn get(
        &self,
        at: &Address,
        path: &str,
        params: &[(&str, String)],
    ) -> anyhow::Result<Value> {
        let url = format!("http://{}{path}", at.http);
        let answer = self.http.get(url).query(params).timeout(READ_TIME_MAX).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "{path} answered {status}: {}", text.trim());
        Ok(serde_json::from_str(&text)?)
    }

    pub(crate) async fn is_ready(&self, at: &Address) -> bool {
        self.ready(at).await.is_ok()
    }

    /// Whether a node is ready, and if not, what it says.
    pub(crate) async fn ready(&self, at: &Address) -> Result<(), String> {
        let request = self.http.get(format!("http://{}/ready", at.http));
        match request.timeout(Duration::from_secs(1)).send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(answer.text().await.unwrap_or_default().trim().into()),
            Err(error) => Err(innermost(&error)),
        }
    }

    /// Asks a node to do something that has no answer but "done".
    pub(crate) async fn post(&self, at: &Address, path: &str) -> anyhow::Result<()> {
        let request = self.http.post(format!("http://{}{path}", at.http));
        let answer = request.timeout(Duration::from_secs(20)).send().await?;
        let status = answer.status();
        if !status.is_success() {
            bail!("{path} answered {status}: {}", answer.text().await?.trim());
        }
        Ok(())
    }

    /// All groups as this node knows them, the meta group among them.
    pub(crate) async fn groups(&self, at: &Address) -> anyhow::Result<Vec<Group>> {
        let url = format!("http://{}/drave/v1/cluster/status", at.http);
        let answer = self.http.get(url).timeout(Duration::from_secs(1)).send().await?;
        let text = answer.error_for_status()?.text().await?;
        let status: Value = serde_json::from_str(&text)?;
        let shards = status["shards"].as_array().context("shards")?;
        let mut groups: Vec<Group> = shards.iter().map(group).collect();
        // Whoever does not vote on it learns from it, as long as it is a member of the cluster.
        groups.push(Group { learners: Vec::new(), ..group(&status["meta"]) });
        Ok(groups)
    }
}

/// The cause: what is around it says only that something failed, and where.
fn innermost(mut error: &(dyn std::error::Error + 'static)) -> String {
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}

fn group(value: &Value) -> Group {
    let nodes =
        |key: &str| value[key].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
    Group {
        leader: value["leader"].as_u64(),
        voters: nodes("voters"),
        learners: nodes("learners"),
        wanted: nodes("wanted"),
    }
}

/// What a database says is in its cause.
fn explain(error: tokio_postgres::Error) -> anyhow::Error {
    match error.as_db_error() {
        Some(cause) => anyhow::anyhow!("{} ({})", cause.message(), cause.code().code()),
        None => error.into(),
    }
}

fn condition(what: &Selection) -> String {
    let Range { start, end } = what.times();
    let part = what.part.map(|part| format!(" and part = '{part}'")).unwrap_or_default();
    format!(
        "app = 'jepsen'{part} and timestamp >= to_timestamp_nanos({start}) \
         and timestamp < to_timestamp_nanos({end})"
    )
}

/// Understands rows one by one.
struct RowReader {
    /// Whether entries of one timestamp have an order too.
    ties_are_ordered: bool,
    entries: Vec<Entry>,
    foreign: Vec<String>,
    disordered: u64,
    /// The newest entry so far of each client in each stream.
    newest: HashMap<(u16, u32), u32>,
}

impl RowReader {
    fn new(ties_are_ordered: bool) -> RowReader {
        let (entries, foreign, newest) = (Vec::new(), Vec::new(), HashMap::new());
        RowReader { ties_are_ordered, entries, foreign, disordered: 0, newest }
    }

    fn row(&mut self, time: u64, part: &str, line: &str) {
        match Entry::parse(time, part, line) {
            Some(entry) => {
                let place = if self.ties_are_ordered { entry.seq } else { entry.seq / 2 };
                let newest = self.newest.insert((entry.client, entry.part()), place);
                self.disordered += u64::from(newest.is_some_and(|newest| newest > place));
                self.entries.push(entry);
            }
            None if self.foreign.len() < FOREIGN_MAX => {
                self.foreign.push(format!("{time} part {part}: {line}"));
            }
            None => {}
        }
    }

    fn finish(self) -> Rows {
        let (entries, twice) = Entries::collect(self.entries);
        Rows { entries, twice, foreign: self.foreign, disordered: self.disordered }
    }
}

/// The body of a push: entries of a client in the streams where they belong.
pub(crate) fn body(client: u16, seqs: Range<u32>) -> String {
    let mut streams: Vec<(u32, Vec<Value>)> = Vec::new();
    for entry in seqs.map(|seq| Entry { client, seq }) {
        let value = json!([entry.time().to_string(), entry.line()]);
        match streams.last_mut() {
            Some((part, values)) if *part == entry.part() => values.push(value),
            _ => streams.push((entry.part(), vec![value])),
        }
    }
    let streams: Vec<Value> = streams
        .into_iter()
        .map(|(part, values)| {
            json!({"stream": {"app": "jepsen", "part": part.to_string()}, "values": values})
        })
        .collect();
    json!({ "streams": streams }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_understood_and_what_is_wrong_with_them_is_seen() {
        // 1 comes before 0, and 2 is there twice.
        let rows = read(true, &[1, 0, 2, 2, 3, 8]);
        assert_eq!((rows.entries.len(), rows.twice.len(), rows.foreign.len()), (5, 1, 1));
        assert_eq!(rows.disordered, 1);
        assert_eq!(read(false, &[1, 0, 2]).disordered, 0, "0 and 1 share a timestamp");
        assert_eq!(read(false, &[2, 1]).disordered, 1);
    }

    fn read(ties_are_ordered: bool, seqs: &[u32]) -> Rows {
        let mut reader = RowReader::new(ties_are_ordered);
        for seq in seqs {
            let entry = Entry { client: 1, seq: *seq };
            reader.row(entry.time(), &entry.part().to_string(), &entry.line());
        }
        reader.row(5, "0", "a line of somebody else");
        reader.finish()
    }

    #[test]
    fn a_body_holds_each_entry_in_its_stream() {
        let body: Value = serde_json::from_str(&body(2, 6..20)).expect("JSON");
        let mut seen = Vec::new();
        for stream in body["streams"].as_array().expect("streams") {
            let part = stream["stream"]["part"].as_str().expect("a part");
            for value in stream["values"].as_array().expect("values") {
                let time = value[0].as_str().expect("text").parse().expect("a number");
                let entry = Entry::parse(time, part, value[1].as_str().expect("text"));
                seen.push(entry.expect("an entry").seq);
            }
        }
        assert_eq!(seen, (6..20).collect::<Vec<u32>>());
    }
}
