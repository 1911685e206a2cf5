//! A real server in a directory of its own, on ports of its own, gone at the end of the test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// A running `drave serve`.
pub(crate) struct Node {
    process: Child,
    data: PathBuf,
    config: Option<PathBuf>,
    /// What it says; shown where a test fails.
    log: tempfile::NamedTempFile,
    /// Removed when the node is dropped.
    _directory: Option<tempfile::TempDir>,
    http: String,
    pg: String,
    client: reqwest::Client,
}

/// An answer: its status and its body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

impl Node {
    /// A node on an empty directory.
    pub(crate) async fn start() -> Node {
        Node::with_config("").await
    }

    /// A node on an empty directory, with a configuration in YAML.
    pub(crate) async fn with_config(yaml: &str) -> Node {
        let directory = tempfile::tempdir().expect("a directory");
        let config = directory.path().join("drave.yaml");
        std::fs::write(&config, yaml).expect("a file");
        let data = directory.path().join("data");
        let mut node = Node::on(&data, Some(&config)).await;
        node._directory = Some(directory);
        node
    }

    /// A node on a directory that may hold something.
    pub(crate) async fn on(data: &Path, config: Option<&Path>) -> Node {
        let mut node = Node::begin(data, config);
        node.wait_until_ready().await;
        node
    }

    /// A node that need not become ready.
    pub(crate) fn begin(data: &Path, config: Option<&Path>) -> Node {
        let log = tempfile::Builder::new().append(true).tempfile().expect("a file");
        Node {
            process: spawn(data, config, log.as_file()),
            data: data.into(),
            config: config.map(Into::into),
            log,
            _directory: None,
            http: String::new(),
            pg: String::new(),
            client: reqwest::Client::new(),
        }
    }

    /// What it has said so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).expect("a log")
    }

    /// Waits until it says something, and answers the one line where it does.
    pub(crate) async fn says(&self, text: &str) -> String {
        let start = Instant::now();
        loop {
            let log = self.log();
            let lines: Vec<&str> = log.lines().filter(|line| line.contains(text)).collect();
            match lines[..] {
                [] if start.elapsed() > Duration::from_secs(20) => {
                    panic!("'{text}' is nowhere in:\n{log}")
                }
                [] => tokio::time::sleep(Duration::from_millis(20)).await,
                [line] => return line.to_owned(),
                _ => panic!("'{text}' is said more than once:\n{}", lines.join("\n")),
            }
        }
    }

    pub(crate) async fn wait_until_ready(&mut self) {
        let pid = self.process.id();
        let start = Instant::now();
        loop {
            let text = std::fs::read_to_string(self.data.join("addresses.json"));
            let addresses: Option<Value> =
                text.ok().and_then(|text| serde_json::from_str(&text).ok());
            if let Some(addresses) = addresses.filter(|addresses| addresses["pid"] == pid) {
                self.http = addresses["http"].as_str().expect("an address").into();
                self.pg = addresses["pg"].as_str().expect("an address").into();
                let ready = self.client.get(self.url("/ready")).send().await;
                if ready.is_ok_and(|answer| answer.status().is_success()) {
                    return;
                }
            }
            if let Ok(Some(status)) = self.process.try_wait() {
                panic!("the server ended: {status}");
            }
            assert!(
                start.elapsed() < Duration::from_secs(120),
                "the server is not ready in two minutes"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.http)
    }

    /// `host:port` of the HTTP listener.
    pub(crate) fn http(&self) -> &str {
        &self.http
    }

    /// `host:port` of the Postgres listener.
    pub(crate) fn pg(&self) -> &str {
        &self.pg
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Kills it as a power switch would, and starts it again on what is there.
    pub(crate) async fn kill_and_restart(&mut self) {
        self.process.kill().expect("a running process");
        self.process.wait().expect("an ended process");
        self.restart().await;
    }

    /// Asks it to stop and waits: the exit status and how long it took.
    pub(crate) fn terminate(&mut self) -> (std::process::ExitStatus, Duration) {
        let start = Instant::now();
        let pid = Pid::from_child(&self.process);
        kill_process(pid, Signal::TERM).expect("it runs");
        (self.process.wait().expect("an ended process"), start.elapsed())
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(&mut self) -> std::process::ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().expect("a process") {
                return status;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "it has not ended in 20 s");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Starts it again after it has ended.
    pub(crate) async fn restart(&mut self) {
        self.process = spawn(&self.data, self.config.as_deref(), self.log.as_file());
        self.wait_until_ready().await;
    }

    pub(crate) async fn get(&self, path: &str, params: &[(&str, &str)]) -> Answer {
        answer(self.client.get(self.url(path)).query(params)).await
    }

    pub(crate) async fn post(&self, path: &str, kind: &str, body: impl Into<Vec<u8>>) -> Answer {
        let request = self.client.post(self.url(path)).header("Content-Type", kind);
        answer(request.body(body.into())).await
    }

    /// Any request: `target` is a path with its parameters.
    pub(crate) async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Answer {
        let method = method.parse().expect("a method");
        let request = self.client.request(method, self.url(target)).body(body);
        answer(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)))
            .await
    }

    /// Pushes lines of one stream, by their timestamps in nanoseconds.
    pub(crate) async fn push(&self, labels: &Value, entries: &[(i64, &str)]) -> Answer {
        let values: Vec<Value> =
            entries.iter().map(|(ts, line)| json!([ts.to_string(), line])).collect();
        let body = json!({"streams": [{"stream": labels, "values": values}]});
        self.post("/loki/api/v1/push", "application/json", body.to_string()).await
    }

    /// The lines of a log query, oldest first, over all time that tests use.
    pub(crate) async fn lines(&self, query: &str) -> Vec<String> {
        let params = [
            ("query", query),
            ("start", "1700000000"),
            ("end", "1702500000"),
            ("direction", "forward"),
            ("limit", "5000"),
        ];
        let answer = self.get("/loki/api/v1/query_range", &params).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let mut lines = Vec::new();
        for stream in answer.json()["data"]["result"].as_array().expect("streams") {
            for value in stream["values"].as_array().expect("values") {
                let ts: i64 = value[0].as_str().expect("text").parse().expect("a number");
                lines.push((ts, value[1].as_str().expect("text").to_string()));
            }
        }
        lines.sort_by_key(|(ts, _)| *ts);
        lines.into_iter().map(|(_, line)| line).collect()
    }

    /// The one number of an instant query.
    pub(crate) async fn number(&self, query: &str) -> f64 {
        let params = [("query", query), ("time", "1702500000")];
        let answer = self.get("/loki/api/v1/query", &params).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let json = answer.json();
        let value = &json["data"]["result"][0]["value"][1];
        value.as_str().map_or(0.0, |text| text.parse().expect("a number"))
    }

    /// A connection to the Postgres port.
    pub(crate) async fn sql(&self) -> tokio_postgres::Client {
        self.sql_of("drave").await
    }

    /// A connection to a database, which is a tenant where there are several.
    pub(crate) async fn sql_of(&self, database: &str) -> tokio_postgres::Client {
        let (host, port) = self.pg.split_once(':').expect("host and port");
        let settings = format!("host={host} port={port} user=drave dbname={database}");
        let connected = tokio_postgres::connect(&settings, tokio_postgres::NoTls).await;
        let (client, connection) = connected.expect("connects");
        tokio::spawn(connection);
        client
    }

    /// The first metric whose line begins so.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let text = self.get("/metrics", &[]).await.text;
        let line = text.lines().find(|line| line.starts_with(name)).expect(name);
        let value = line.rsplit(' ').next().expect("a value");
        value.parse().expect("a whole number")
    }

    /// Runs a statement, and what the node says of it under a name, or 0.
    pub(crate) async fn measured(&self, statement: &str, name: &str) -> u64 {
        let explain = format!("explain analyze {statement}");
        let plan = self.sql().await.query(&explain, &[]).await.expect("a plan");
        let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        let plan = plan.join("\n");
        let behind = plan.split(&format!("{name}=")).nth(1).unwrap_or("0");
        behind.split(|c: char| !c.is_ascii_digit()).next().and_then(|n| n.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("--- {} said:\n{}", self.data.display(), self.log());
        }
    }
}

fn spawn(data: &Path, config: Option<&Path>, log: &std::fs::File) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drave"));
    command.arg("serve").arg("--data").arg(data);
    for flag in ["--http-listen", "--pg-listen", "--peer-listen"] {
        command.args([flag, "127.0.0.1:0"]);
    }
    if let Some(config) = config {
        command.arg("--config").arg(config);
    }
    // For the tests with a bucket: moto takes any key.
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    command.env("RUST_LOG", "drave=info").stdout(Stdio::null());
    command.stderr(log.try_clone().expect("a second handle"));
    command.spawn().expect("the server starts")
}

async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.expect("the server answers");
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    Answer { status, headers, text: response.text().await.expect("a body") }
}
