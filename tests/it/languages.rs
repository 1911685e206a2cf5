//! Two languages, one answer: what LogQL and SQL say of random data is the same, whether it lies in
//! heads, in chunks or in both with overlaps and duplicates, before and after a restart, and once
//! its chunks were merged.
//!
//! `DRAVE_SEED` repeats a run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::node::Node;

/// Whole milliseconds, so that both languages can name every time.
const T: i64 = 1_700_000_000_000;
/// Entries lie in so many milliseconds from there.
const SPAN: i64 = 3_600_000;
const QUESTIONS: usize = 60;

/// A small generator: a run is told by its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }

    fn time(&mut self) -> i64 {
        T + self.below(SPAN as usize) as i64
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// Time in milliseconds, pod, line, trace.
type Entry = (i64, usize, String, Option<&'static str>);

const LEVELS: [&str; 4] = ["info", "warn", "error", "debug"];
const WORDS: [&str; 6] = ["GET", "timeout", "Timeout", "user=7", "straße", "50%_off"];

fn app_of(pod: usize) -> &'static str {
    ["plain", "json", "logfmt"][pod % 3]
}

fn labels(pod: usize) -> Value {
    let mut labels = json!({"app": app_of(pod), "pod": format!("p{pod}")});
    if pod.is_multiple_of(2) {
        labels["env"] = json!("prod");
    }
    labels
}

fn entry(random: &mut Random, from: i64, to: i64) -> Entry {
    let pod = random.below(9);
    let at = from + random.below((to - from) as usize) as i64;
    // Some times are shared.
    let at = if random.below(3) == 0 { at - at % 60_000 } else { at };
    let (level, word) = (random.of(&LEVELS), random.of(&WORDS));
    let (ms, status) = (random.below(500), 200 + 100 * random.below(4));
    let line = match app_of(pod) {
        "json" => json!({"level": level, "msg": word, "ms": ms, "status": status}).to_string(),
        "logfmt" => format!("level={level} msg=\"{word} x\" ms={ms} status={status}"),
        _ if random.below(4) == 0 => format!("{word} without one\nand a second line {ms}"),
        _ => format!("{} {word} took {ms}ms", level.to_uppercase()),
    };
    (at.max(T), pod, line, random.of(&[None, None, Some("t1"), Some("t2")]))
}

async fn push(node: &Node, entries: &[Entry]) {
    let mut streams = BTreeMap::<usize, Vec<Value>>::new();
    for (at, pod, line, trace) in entries {
        let at = (at * 1_000_000).to_string();
        streams.entry(*pod).or_default().push(match trace {
            Some(trace) => json!([at, line, {"trace": trace}]),
            None => json!([at, line]),
        });
    }
    let streams =
        streams.into_iter().map(|(pod, values)| json!({"stream": labels(pod), "values": values}));
    let body = json!({"streams": streams.collect::<Vec<_>>()}).to_string();
    let pushed = node.post("/loki/api/v1/push", "application/json", body).await;
    assert_eq!(pushed.status, 204, "{}", pushed.text);
}

/// What both are asked: which entries.
struct Which {
    selector: String,
    /// Stages behind the selector.
    stages: String,
    /// The same as a condition.
    condition: String,
    /// Entries after the first and up to the second, as windows of LogQL have it.
    after: i64,
    until: i64,
}

fn which(random: &mut Random) -> Which {
    let (selector, mut condition) = match random.below(8) {
        0 => (r#"{app=~".+"}"#.to_owned(), "true".to_owned()),
        1 => {
            let app = random.of(&["plain", "json", "logfmt"]);
            (format!(r#"{{app="{app}"}}"#), format!("app = '{app}'"))
        }
        2 => {
            (r#"{app!="json", pod=~"p[1-5]"}"#.into(), "app <> 'json' and pod ~ '^p[1-5]$'".into())
        }
        3 => (r#"{pod=~".+", env=""}"#.into(), "coalesce(env, '') = ''".into()),
        4 => (r#"{env="prod"}"#.into(), "labels->>'env' = 'prod'".into()),
        5 => (r#"{pod=~"p1|p2|p7"}"#.into(), "pod in ('p1', 'p2', 'p7')".into()),
        6 => (r#"{app=~".+", pod!~"p[3-9]"}"#.into(), "not pod ~ '^p[3-9]$'".into()),
        _ => (r#"{app=~"plain|logfmt"}"#.into(), "app = any(array['plain', 'logfmt'])".into()),
    };
    let mut stages = String::new();
    for _ in 0..random.below(3) {
        let word = random.of(&WORDS);
        let like = word.replace('%', "\\%").replace('_', "\\_");
        let (stage, more) = match random.below(10) {
            0 => (format!("|= `{word}`"), format!("line like '%{like}%'")),
            1 => (format!("!= `{word}`"), format!("line not like '%{like}%'")),
            2 => (format!("|= `{word}`"), format!("strpos(line, '{word}') > 0")),
            3 => ("|~ `(?i)timeout`".into(), "line ilike '%TIMEOUT%'".into()),
            4 => ("|~ `took [0-9]+ms`".into(), "line ~ 'took [0-9]+ms'".into()),
            5 => ("!~ `(?i)get|error`".into(), "line !~* 'get|error'".into()),
            6 => ("|~ `(?s)^.*one.and`".into(), "line like '%one_and%'".into()),
            7 => (
                format!("|= `{word}` or `7ms`"),
                format!("(line like '%{like}%' or position('7ms' in line) > 0)"),
            ),
            8 => (r#"| trace="t1""#.into(), "structured_metadata->>'trace' = 't1'".into()),
            _ => (r#"| detected_level="error""#.into(), "level = 'error'".into()),
        };
        stages = format!("{stages} {stage}");
        condition = format!("{condition} and {more}");
    }
    let (a, b) = match random.below(3) {
        0 => (T - 1000, T + SPAN),
        _ => (random.time(), random.time()),
    };
    Which { selector, stages, condition, after: a.min(b), until: a.max(b) + 1 }
}

impl Which {
    fn logql(&self) -> String {
        format!("{}{}", self.selector, self.stages)
    }

    fn sql(&self) -> String {
        let at = |ms: i64| format!("to_timestamp({}::float8 / 1000)", ms);
        let Which { condition, after, until, .. } = self;
        format!("{condition} and timestamp > {} and timestamp <= {}", at(*after), at(*until))
    }

    /// The range of the windows at the end.
    fn range(&self) -> String {
        format!("{}ms", self.until - self.after)
    }
}

/// Rows as sorted lists of texts.
type Rows = Vec<Vec<String>>;

async fn sql(client: &tokio_postgres::Client, statement: &str) -> Rows {
    let rows = client.simple_query(statement).await;
    let rows = rows.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    let rows = rows.iter().filter_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|at| row.get(at).unwrap_or("").to_owned()).collect())
        }
        _ => None,
    });
    let mut rows: Rows = rows.collect();
    rows.sort();
    rows
}

async fn logql(node: &Node, path: &str, params: &[(&str, &str)]) -> Value {
    let answer = node.get(path, params).await;
    assert_eq!(answer.status, 200, "{params:?}: {}", answer.text);
    answer.json()["data"]["result"].clone()
}

/// Time, pod and line of entries.
async fn entries(node: &Node, which: &Which, limit: usize, direction: &str) -> Rows {
    let Which { after, until, .. } = which;
    let result = logql(
        node,
        "/loki/api/v1/query_range",
        &[
            ("query", &which.logql()),
            // From a start on, and up to an end that does not belong to it.
            ("start", &((after + 1) * 1_000_000).to_string()),
            ("end", &((until + 1) * 1_000_000).to_string()),
            ("limit", &limit.to_string()),
            ("direction", direction),
        ],
    )
    .await;
    let mut rows = Rows::new();
    for stream in result.as_array().expect("streams") {
        let pod = stream["stream"]["pod"].as_str().expect("a pod");
        for value in stream["values"].as_array().expect("values") {
            let at: i64 = value[0].as_str().expect("a time").parse().expect("a number");
            let line = value[1].as_str().expect("a line");
            rows.push(vec![(at / 1_000_000).to_string(), pod.to_owned(), line.to_owned()]);
        }
    }
    rows.sort();
    rows
}

/// Numbers of an instant query, with some labels in front.
async fn numbers(node: &Node, query: &str, at: i64, names: &[&str]) -> Rows {
    let at = (at * 1_000_000).to_string();
    let result = logql(node, "/loki/api/v1/query", &[("query", query), ("time", &at)]).await;
    let mut rows = Rows::new();
    for series in result.as_array().expect("series") {
        let label = |name: &&str| series["metric"][*name].as_str().unwrap_or("").to_owned();
        let mut row: Vec<String> = names.iter().map(label).collect();
        row.push(series["value"][1].as_str().expect("a number").to_owned());
        rows.push(row);
    }
    rows.sort();
    rows
}

const AT: &str = "(extract(epoch from timestamp) * 1000)::int8";

/// One question in both languages: what was asked, and both answers.
async fn ask(node: &Node, client: &tokio_postgres::Client, random: &mut Random) -> (String, Rows) {
    let which = which(random);
    let mut asked = format!("{}\n{}", which.logql(), which.sql());
    let conditions = which.sql();
    let count = format!("count_over_time({} [{}])", which.logql(), which.range());
    let (by_logql, by_sql) = match random.below(10) {
        0 | 1 => {
            let statement = format!("select {AT}, pod, line from logs where {conditions}");
            (entries(node, &which, 5000, "forward").await, sql(client, &statement).await)
        }
        2 => {
            let by = random.of(&["app", "pod", "env", "app, env"]);
            let names: Vec<&str> = by.split(", ").collect();
            let statement =
                format!("select {by}, count(*) from logs where {conditions} group by {by}");
            let query = format!("sum by ({by}) ({count})");
            write!(asked, "\n{query}\n{statement}").expect("a text");
            (numbers(node, &query, which.until, &names).await, sql(client, &statement).await)
        }
        3 => {
            let statement =
                format!("select app, level, count(*) from logs where {conditions} group by 1, 2");
            let query = format!("sum by (app, detected_level) ({count})");
            let names = ["app", "detected_level"];
            (numbers(node, &query, which.until, &names).await, sql(client, &statement).await)
        }
        4 | 5 => buckets(node, client, &which, random).await,
        6 => {
            let limit = 1 + random.below(40);
            let (direction, order) = random.of(&[("forward", "asc"), ("backward", "desc")]);
            let statement = format!(
                "select {AT}, pod, line from logs where {conditions} \
                 order by timestamp {order} limit {limit}"
            );
            write!(asked, "\n{statement}").expect("a text");
            let found = entries(node, &which, limit, direction).await;
            let rows = sql(client, &statement).await;
            // Which of the entries that share the last time are among them is left open.
            let last = |rows: &Rows| match direction {
                "forward" => rows.last().map(|row| row[0].clone()),
                _ => rows.first().map(|row| row[0].clone()),
            };
            assert_eq!((found.len(), last(&found)), (rows.len(), last(&rows)), "{asked}");
            let edge = last(&rows);
            let inside = |rows: Rows| -> Rows {
                rows.into_iter().filter(|row| edge.as_ref() != Some(&row[0])).collect()
            };
            (inside(found), inside(rows))
        }
        7 => {
            let of = |rows: Rows| rows.into_iter().next().map(|row| row[0].clone());
            let first = of(entries(node, &which, 1, "forward").await);
            let last = of(entries(node, &which, 1, "backward").await);
            let number =
                sql(client, &format!("select count(*) from logs where {conditions}")).await;
            let (min, max) = (
                AT.replace("timestamp", "min(timestamp)"),
                AT.replace("timestamp", "max(timestamp)"),
            );
            let statement = format!("select {min}, {max}, count(*) from logs where {conditions}");
            write!(asked, "\n{statement}").expect("a text");
            let told = vec![vec![
                first.unwrap_or_default(),
                last.unwrap_or_default(),
                number[0][0].clone(),
            ]];
            (told, sql(client, &statement).await)
        }
        8 => {
            let app = random.of(&["json", "logfmt"]);
            let field = |name: &str| match app {
                "json" => format!("line->>'{name}'"),
                _ => format!("logfmt(line, '{name}')"),
            };
            let (status, ms) = (field("status"), field("ms"));
            let least = random.below(400);
            let conditions = format!("{conditions} and app = '{app}' and ({ms})::int8 >= {least}");
            let statement =
                format!("select {status}, count(*) from logs where {conditions} group by 1");
            let query = format!(
                r#"sum by (status) (count_over_time({} | app="{app}" | {app} | ms >= {least} [{}]))"#,
                which.logql(),
                which.range()
            );
            write!(asked, "\n{query}\n{statement}").expect("a text");
            (numbers(node, &query, which.until, &["status"]).await, sql(client, &statement).await)
        }
        _ => {
            let query = format!(
                r#"sum by (pod) (sum_over_time({} | app="json" | json | unwrap ms [{}]))"#,
                which.logql(),
                which.range()
            );
            let statement = format!(
                "select pod, sum((line->>'ms')::int8) from logs \
                 where {conditions} and app = 'json' group by 1"
            );
            write!(asked, "\n{query}\n{statement}").expect("a text");
            (numbers(node, &query, which.until, &["pod"]).await, sql(client, &statement).await)
        }
    };
    assert_eq!(by_logql, by_sql, "LogQL and SQL of\n{asked}");
    (asked, by_sql)
}

/// Counts by bucket, from the first whole one on: a window that ends at a step is a bucket that begins a millisecond later.
async fn buckets(
    node: &Node,
    client: &tokio_postgres::Client,
    which: &Which,
    random: &mut Random,
) -> (Rows, Rows) {
    let seconds = random.of(&[60_i64, 300, 420, 1800]);
    // Steps are multiples of their width.
    let width = seconds * 1000;
    let first = which.after - which.after % width;
    let steps = (which.until - first + width - 1) / width;
    let by = random.of(&["app", "detected_level"]);
    let query = format!("sum by ({by}) (count_over_time({} [{seconds}s]))", which.logql());
    let result = logql(
        node,
        "/loki/api/v1/query_range",
        &[
            ("query", &query),
            ("start", &((first + width) * 1_000_000).to_string()),
            ("end", &((first + steps * width) * 1_000_000).to_string()),
            ("step", &seconds.to_string()),
        ],
    )
    .await;
    let mut rows = Rows::new();
    for series in result.as_array().expect("series") {
        let label = series["metric"][by].as_str().unwrap_or("").to_owned();
        for value in series["values"].as_array().expect("values") {
            let end = (value[0].as_f64().expect("a time") * 1000.0).round() as i64;
            let count = value[1].as_str().expect("a number").to_owned();
            rows.push(vec![(end - width).to_string(), label.clone(), count]);
        }
    }
    rows.sort();
    let column = if by == "app" { "app" } else { "level" };
    let all = Which {
        selector: String::new(),
        stages: String::new(),
        condition: which.condition.clone(),
        after: first,
        until: first + steps * width,
    };
    let statement = format!(
        "select (extract(epoch from date_bin('{seconds} seconds', timestamp, \
         to_timestamp({}::float8 / 1000))) * 1000)::int8 - 1, {column}, count(*) \
         from logs where {} group by 1, 2",
        first + 1,
        all.sql()
    );
    (rows, sql(client, &statement).await)
}

/// Asks the same questions as the last time, and more.
async fn agree(node: &Node, seed: u64) -> Vec<(String, Rows)> {
    let client = node.sql().await;
    let mut random = Random(seed);
    let mut answers = Vec::new();
    for _ in 0..QUESTIONS {
        answers.push(ask(node, &client, &mut random).await);
    }
    answers
}

#[tokio::test]
async fn logql_and_sql_give_the_same_answers() {
    let seed = std::env::var("DRAVE_SEED").ok().and_then(|seed| seed.parse().ok());
    let clock = std::time::UNIX_EPOCH.elapsed().expect("after 1970").subsec_nanos();
    let seed: u64 = seed.unwrap_or(u64::from(clock) + 1);
    println!("DRAVE_SEED={seed}");
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let root = tempfile::tempdir().expect("a directory");
    let file = root.path().join("drave.yaml");
    let write = |every: &str| {
        let yaml = format!("shard: {{count: 3}}\ncompaction: {{every: {every}}}\n");
        std::fs::write(&file, yaml).expect("a file");
    };
    write("0s");
    let mut node = Node::on(&root.path().join("data"), Some(&file)).await;
    let mut known = BTreeSet::new();
    // Enough chunks of a size that they are merged in the end.
    for _ in 0..4 {
        let entries: Vec<Entry> = (0..90).map(|_| entry(&mut random, T, T + SPAN)).collect();
        push(&node, &entries).await;
        known.extend(entries);
        assert_eq!(node.post("/flush", "text/plain", "").await.status, 204);
    }
    let mut before: Option<(u64, Vec<(String, Rows)>)> = None;

    // Chunks that lie apart, chunks that overlap, and a head over all of them.
    let quarter = SPAN / 4;
    let parts = [(0, quarter), (quarter, 2 * quarter), (quarter / 2, 3 * quarter), (0, SPAN)];
    for (number, (from, to)) in parts.into_iter().enumerate() {
        let mut entries: Vec<Entry> =
            (0..150).map(|_| entry(&mut random, T + from, T + to)).collect();
        // Some that are there already, in chunks or in the head: they change nothing.
        entries.extend(known.iter().filter(|_| random.below(5) == 0).cloned());
        push(&node, &entries).await;
        known.extend(entries);
        agree(&node, random.0).await;
        if number < 3 {
            let seed = random.0 ^ 7;
            let in_head = agree(&node, seed).await;
            assert_eq!(node.post("/flush", "text/plain", "").await.status, 204);
            assert_eq!(agree(&node, seed).await, in_head, "after the flush");
        } else {
            let seed = random.0 ^ 9;
            before = Some((seed, agree(&node, seed).await));
        }
        random.below(2);
    }
    let (seed, expected) = before.expect("the last part was asked about");
    node.kill_and_restart().await;
    assert_eq!(agree(&node, seed).await, expected, "after a restart");
    assert_eq!(node.post("/flush", "text/plain", "").await.status, 204);
    assert_eq!(agree(&node, seed).await, expected, "after the last flush");
    // Entries are a set, in both languages; the model is the third.
    let client = node.sql().await;
    let count = sql(&client, "select count(*), count(distinct pod) from logs").await;
    assert_eq!(count, [[known.len().to_string(), "9".to_owned()]]);
    // Blocks that overlap may hold an entry twice: they were read, not believed. Their lines were,
    // too, where timestamps met.
    assert!(blocks_of_a_count(&node, "blocks_read").await > 0);
    let n_chunks = async |node: &Node| -> i64 {
        let rows = node.sql().await.query("select count(*) from drave.chunks", &[]).await;
        rows.expect("rows")[0].get(0)
    };
    assert_eq!(n_chunks(&node).await, 3 * 8);
    write("50ms");
    node.kill_and_restart().await;
    let start = std::time::Instant::now();
    while n_chunks(&node).await > 3 * 2 {
        assert!(start.elapsed().as_secs() < 60, "{} chunks are left", n_chunks(&node).await);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(agree(&node, seed).await, expected, "after compaction");
    // Nothing overlaps any more: what is known of blocks is enough.
    assert_eq!(blocks_of_a_count(&node, "blocks_read").await, 0);
    assert!(blocks_of_a_count(&node, "blocks_from_metadata").await > 0);
    node.kill_and_restart().await;
    assert_eq!(agree(&node, seed).await, expected, "after compaction and a restart");
}

/// So many blocks were treated in this way by a count of all there is.
async fn blocks_of_a_count(node: &Node, what: &str) -> u64 {
    let client = node.sql().await;
    let plan = client.simple_query("explain analyze select level, count(*) from logs group by 1");
    let plan = format!("{:?}", plan.await.expect("a plan"));
    let after = plan.split(&format!("{what}=")).nth(1).unwrap_or_else(|| panic!("{plan}"));
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a number")
}

/// Entries of one push before and behind what is asked for, and none in it: the query for numbers was
/// a panic, for it looked for lines where there were no rows. Found by the test above.
#[tokio::test]
async fn a_gap_in_the_head_is_no_entry() {
    let node = Node::start().await;
    let at = |seconds: i64| T + seconds * 1000;
    push(&node, &[(at(0), 0, "a GET".into(), None), (at(600), 0, "b GET".into(), None)]).await;
    let query = r#"sum(count_over_time({app="plain"} |= "GET" [60s]))"#;
    assert_eq!(numbers(&node, query, at(300), &[]).await, Rows::new());
    assert_eq!(numbers(&node, query, at(600), &[]).await, [["1"]]);
    let client = node.sql().await;
    let between = format!(
        "select level, count(*) from logs where line like '%GET%' and timestamp > \
         to_timestamp({}::float8 / 1000) and timestamp < to_timestamp({}::float8 / 1000) group by 1",
        at(100),
        at(500)
    );
    assert_eq!(sql(&client, &between).await, Rows::new());
}
