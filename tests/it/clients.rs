//! Real clients against a real server. What `tests/clients/install` could not install is named.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::node::Node;

const T: i64 = 1_700_000_000_000_000_000;

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// A program that was installed, or `None` after saying what is skipped.
fn installed(path: PathBuf, what: &str) -> Option<PathBuf> {
    let found = if path.is_absolute() {
        path.exists()
    } else {
        Command::new(&path).arg("--version").stdout(Stdio::null()).status().is_ok()
    };
    if !found {
        eprintln!("SKIPPED: {what} is not installed: run tests/clients/install");
    }
    found.then_some(path)
}

fn python() -> Option<PathBuf> {
    installed(clients().join(".venv/bin/python"), "Python with psycopg, logging_loki and moto")
}

/// Runs a client off the test's thread: the server answers from another process.
async fn run(mut command: Command) -> String {
    let output = tokio::task::spawn_blocking(move || command.output().expect("runs"));
    let output = output.await.expect("no panic");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    text
}

async fn with_100_lines() -> Node {
    let node = Node::start().await;
    let lines: Vec<String> = (0..100).map(|n| format!("line {n}")).collect();
    let entries: Vec<(i64, &str)> =
        lines.iter().zip(T..).map(|(line, at)| (at, line.as_str())).collect();
    assert_eq!(node.push(&json!({"app": "web"}), &entries).await.status, 204);
    node
}

/// Runs a script that asks the server for the 100 lines, and more.
async fn asks(mut command: Command) {
    let node = with_100_lines().await;
    command.arg(node.pg());
    assert_eq!(run(command).await.trim(), "ok");
}

async fn python_asks(script: &str) {
    let Some(python) = python() else { return };
    let mut command = Command::new(python);
    command.arg(clients().join(script));
    asks(command).await;
}

#[tokio::test]
async fn psycopg_reads() {
    python_asks("psycopg_client.py").await;
}

#[tokio::test]
async fn psycopg2_reads() {
    python_asks("psycopg2_client.py").await;
}

#[tokio::test]
async fn asyncpg_reads() {
    python_asks("asyncpg_client.py").await;
}

#[tokio::test]
async fn pg8000_reads() {
    python_asks("pg8000_client.py").await;
}

#[tokio::test]
async fn sqlalchemy_reflects_and_pandas_reads() {
    python_asks("sqlalchemy_client.py").await;
}

#[tokio::test]
async fn adbc_reads_arrow() {
    python_asks("adbc_client.py").await;
}

#[tokio::test]
async fn odbc_reads() {
    let driver = ["x86_64-linux-gnu", "aarch64-linux-gnu"]
        .map(|machine| PathBuf::from(format!("/usr/lib/{machine}/odbc/psqlodbcw.so")))
        .into_iter()
        .find(|driver| driver.exists());
    if driver.is_none() {
        eprintln!("SKIPPED: psqlODBC is not installed: run tests/clients/install");
        return;
    }
    python_asks("odbc_client.py").await;
}

#[tokio::test]
async fn node_postgres_reads() {
    let Some(node_js) = installed("node".into(), "Node.js") else { return };
    if installed(clients().join("node_modules/pg"), "node-postgres").is_none() {
        return;
    }
    let mut command = Command::new(node_js);
    command.arg(clients().join("node_postgres_client.cjs"));
    asks(command).await;
}

#[tokio::test]
async fn jdbc_reads_and_describes() {
    let jar = PathBuf::from("/usr/share/java/postgresql.jar");
    let Some(jar) = installed(jar, "pgjdbc") else { return };
    let Some(java) = installed("java".into(), "Java") else { return };
    let mut command = Command::new(java);
    command.args(["-XX:TieredStopAtLevel=1", "-cp"]).arg(jar);
    command.arg(clients().join("JdbcClient.java"));
    asks(command).await;
}

/// What psql prints for some lines, as somebody types them: `-c` takes no `\gdesc` behind a statement.
async fn psql(psql: &Path, address: &str, commands: &[&str]) -> String {
    let lines = tempfile::NamedTempFile::new().expect("a file");
    let line = |text: &&str| match text.contains('\\') {
        true => format!("{text}\n"),
        false => format!("{text};\n"),
    };
    let text: String = commands.iter().map(line).collect();
    std::fs::write(lines.path(), text).expect("room for some lines");
    let (host, port) = address.split_once(':').expect("host and port");
    let mut command = Command::new(psql);
    command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", host, "-p", port, "-U", "drave"]);
    command.args(["-d", "drave", "-f"]).arg(lines.path());
    run(command).await
}

#[tokio::test]
async fn psql_describes_everything() {
    let Some(program) = installed("psql".into(), "psql") else { return };
    let node = with_100_lines().await;
    let described = psql(&program, node.pg(), &[r"\d logs"]).await;
    for column in ["timestamp", "line", "stream_id", "level", "app", "labels"] {
        assert!(described.contains(column), "{described}");
    }
    let more = psql(&program, node.pg(), &[r"\d+ logs"]).await;
    assert!(more.contains("the label app") && more.contains("in UTC"), "{more}");
    assert!(psql(&program, node.pg(), &[r"\dt+"]).await.contains("one row per log entry"));
    assert!(psql(&program, node.pg(), &[r"\df"]).await.contains("time_bucket"));
    assert!(psql(&program, node.pg(), &[r"\dn+"]).await.contains("about the data"));
    assert!(psql(&program, node.pg(), &[r"\sf abs(integer)"]).await.contains("int4abs"));
    // ON_ERROR_STOP ends psql with an error at the first that is not understood.
    let all = r"\l \l+ \dn \d \d+ \dt \dv \du \du+ \dg \dy \df+ \dT \dT+ \dC \dD \do \dp \z \db \db+ \dF \dFd
        \dx \di \di+ \dm \ds \dE \det \dew \des \deu \dRp \dRs \dconfig \conninfo \dd \ddp \drds \dl \da \dA
        \dAc \dAf \dAo \dAp \dL \dO \dP \dX \dc \encoding";
    let all: Vec<&str> = all.split_whitespace().collect();
    psql(&program, node.pg(), &all).await;
    psql(&program, node.pg(), &[r"\sv pg_tables", r"\d drave.streams", r"\d pg_class"]).await;
}

#[tokio::test]
async fn psql_asks_and_copies() {
    let Some(program) = installed("psql".into(), "psql") else { return };
    let node = with_100_lines().await;
    let ask = async |commands: &[&str]| psql(&program, node.pg(), commands).await;
    let counted = ask(&["select app, count(*) from logs group by app"]).await;
    assert!(counted.contains("web") && counted.contains("100"), "{counted}");
    let described = ask(&[r"select timestamp, line from logs \gdesc"]).await;
    assert!(described.contains("timestamp with time zone"), "{described}");
    let crossed = r"select app, level, count(*) from logs group by 1, 2 \crosstabview";
    assert!(ask(&[crossed]).await.contains("web"));
    let prepared = ["prepare q (text) as select count(*) from logs where line = $1"];
    assert!(ask(&[prepared[0], "execute q ('line 7')"]).await.contains('1'));
    let pieces = [r"\set FETCH_COUNT 30", "select line from logs order by timestamp"];
    assert!(ask(&pieces).await.contains("line 99"));
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("rows.csv");
    let file = file.to_str().expect("a name in UTF-8");
    ask(&[&format!(r"\copy (select timestamp, line, 'copied' from logs) to '{file}' csv")]).await;
    ask(&[&format!(r"\copy logs (timestamp, line, app) from '{file}' csv")]).await;
    let copied = ask(&["select count(*) from logs where app = 'copied'"]).await;
    assert!(copied.contains("100"), "{copied}");
    // It goes on until something stops it.
    let (host, port) = node.pg().split_once(':').expect("host and port");
    let mut watch = Command::new("timeout");
    watch
        .args(["5", "psql", "-X", "-h", host, "-p", port, "-U", "drave", "-d", "drave", "-f", "-"]);
    watch.stdin(Stdio::piped()).stdout(Stdio::piped());
    let watched = tokio::task::spawn_blocking(move || {
        let mut watch = watch.spawn().expect("runs");
        let mut input = watch.stdin.take().expect("a pipe");
        input.write_all(b"select count(*) from logs \\watch 0.2\n").expect("psql reads");
        drop(input);
        watch.wait_with_output().expect("it ends")
    });
    let watched = watched.await.expect("no panic").stdout;
    let times = String::from_utf8_lossy(&watched).matches("200").count();
    assert!(times > 1, "watched {times} times");
}

#[tokio::test]
async fn python_logging_loki_pushes() {
    let Some(python) = python() else { return };
    let node = Node::start().await;
    let mut command = Command::new(python);
    command.arg(clients().join("logging_loki_client.py")).arg(node.http());
    assert_eq!(run(command).await.trim(), "ok");
    let sql = "select count(*) from logs where app = 'python'";
    let row = node.sql().await.query_one(sql, &[]).await.expect("a row");
    assert_eq!(row.get::<_, i64>(0), 10);
}

#[tokio::test]
async fn winston_loki_pushes_json_and_protobuf() {
    let Some(node_js) = installed("node".into(), "Node.js") else { return };
    let module = clients().join("node_modules/winston-loki");
    if installed(module, "winston-loki").is_none() {
        return;
    }
    let node = Node::start().await;
    for form in ["json", "protobuf"] {
        let mut command = Command::new(&node_js);
        command.arg(clients().join("winston_loki_client.js")).arg(node.http()).arg(form);
        assert_eq!(run(command).await.trim(), "ok");
        let sql = format!("select count(*) from logs where app = 'node' and part = '{form}'");
        let row = node.sql().await.query_one(&sql, &[]).await.expect("a row");
        assert_eq!(row.get::<_, i64>(0), 10, "{form}");
    }
}

/// moto's S3 server, gone at the end of the test.
struct Moto(Child);

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    socket.local_addr().expect("an address").port()
}

#[tokio::test]
async fn chunks_go_to_a_bucket_and_are_read_back() {
    let Some(python) = python() else { return };
    let port = free_port();
    let mut command = Command::new(python);
    command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()]);
    let _moto = Moto(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("runs"));
    let endpoint = format!("http://127.0.0.1:{port}");
    let client = reqwest::Client::new();
    let bucket = format!("{endpoint}/logs");
    let mut tries = 0;
    while !client.put(&bucket).send().await.is_ok_and(|answer| answer.status().is_success()) {
        tries += 1;
        assert!(tries < 300, "moto does not answer");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let yaml = format!(
        "storage:\n  bucket: s3://logs/prod\n  endpoint: {endpoint}\n  region: us-east-1\n"
    );
    let mut node = Node::with_config(&yaml).await;
    let entries = [(T, "in a bucket"), (T + 1, "and another")];
    assert_eq!(node.push(&json!({"app": "web"}), &entries).await.status, 204);
    let flushed = node.post("/flush", "text/plain", "").await;
    assert_eq!(flushed.status, 204, "{}", flushed.text);
    let listed = client.get(format!("{bucket}?list-type=2&prefix=prod/")).send().await;
    let listed = listed.expect("answers").text().await.expect("a body");
    assert!(listed.contains(".chunk</Key>"), "{listed}");
    node.kill_and_restart().await;
    assert_eq!(node.lines(r#"{app="web"}"#).await, ["in a bucket", "and another"]);
}
