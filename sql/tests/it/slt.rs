//! Statements with the answers of Postgres 15: `tests/slt/*.slt`.
//!
//! `tests/slt/record` starts a Postgres and runs this test with its address: then the statements of
//! each `.sql` file are asked of both, and what they answer is written down. Otherwise the files are
//! replayed: what was answered as Postgres does still is, and where we differ we say what we said, or
//! what Postgres says.
//!
//! ```text
//! query               differs
//! select 1            select avg(x) ...
//! ----                ---- postgres
//! 1                   1.5000000000000000
//!                     ---- drave
//!                     1.5
//! ```

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use tokio_postgres::{Client, NoTls};

use crate::memory::{GROUPS, ROWS, START, Server, rows};
use crate::sql::answer;

/// Statements of all files that Postgres answers as we do, at least.
const EQUAL_MIN: usize = 3600;

fn files(extension: &str) -> Vec<PathBuf> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/slt");
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|own| own == extension)).collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_as_postgres() {
    if let Ok(dsn) = std::env::var("DRAVE_SLT_POSTGRES") {
        return record(&dsn).await;
    }
    let server = Server::start().await;
    let (mut wrong, mut equal) = (Vec::new(), 0);
    let replays = files("slt").into_iter().map(|file| replay(&server, file));
    for (n, mut own) in futures::future::join_all(replays).await {
        equal += n;
        wrong.append(&mut own);
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(equal > EQUAL_MIN, "{equal} statements are left");
}

/// Asks everything in a file: how many answers are those of Postgres, and what is wrong.
async fn replay(server: &Server, file: PathBuf) -> (usize, Vec<String>) {
    let client = server.client().await;
    let text = std::fs::read_to_string(&file).unwrap();
    let (mut wrong, mut equal) = (Vec::new(), 0);
    for case in text.split("\n\n").filter(|case| !case.trim().is_empty()) {
        // An answer without rows leaves an empty line more.
        let (kind, case) = case.trim_start_matches('\n').split_once('\n').unwrap();
        let (sql, answers) = case.split_once("\n----").unwrap();
        let clean = |text: &str| text.trim_start_matches('\n').trim_end().to_owned();
        // Where we differed, we may have come to say what Postgres does.
        let expected: Vec<String> = match kind {
            "query" => vec![clean(answers)],
            _ => {
                let (postgres, ours) = answers.split_once("\n---- drave").unwrap();
                vec![clean(ours), clean(postgres.strip_prefix(" postgres").unwrap())]
            }
        };
        equal += usize::from(kind == "query");
        let got = shown(&answer(&client, sql).await);
        if !expected.contains(&got) {
            let name = file.file_name().unwrap().display();
            wrong.push(format!("{name}: {sql}:\n  {got:?}, not\n  {:?}", expected[0]));
        }
    }
    (equal, wrong)
}

/// An answer as it stands in a file, where an empty line ends a case.
fn shown(rows: &[String]) -> String {
    let lines = rows.iter().map(|row| row.replace('\n', "\\n"));
    let lines: Vec<String> =
        lines.map(|line| if line.is_empty() { "(empty)".to_owned() } else { line }).collect();
    lines.join("\n").trim_end().to_owned()
}

async fn record(dsn: &str) {
    let server = Server::start().await;
    let ours = server.client().await;
    let (postgres, connection) = tokio_postgres::connect(dsn, NoTls).await.unwrap();
    tokio::spawn(connection);
    fill(&postgres).await;
    for file in files("sql") {
        let (mut out, mut equal, mut differ) = (String::new(), 0, 0);
        for sql in std::fs::read_to_string(&file).unwrap().lines().filter(|sql| !sql.is_empty()) {
            let expected = shown(&answer(&postgres, sql).await);
            let got = shown(&answer(&ours, sql).await);
            if got == expected {
                equal += 1;
                write!(out, "query\n{sql}\n----\n{expected}\n\n").unwrap();
            } else {
                differ += 1;
                write!(out, "differs\n{sql}\n---- postgres\n{expected}\n---- drave\n{got}\n\n")
                    .unwrap();
            }
        }
        write_if_other(&file.with_extension("slt"), &out);
        eprintln!("{}: {equal} as Postgres, {differ} differ", file.display());
    }
}

fn write_if_other(path: &Path, text: &str) {
    if std::fs::read_to_string(path).ok().as_deref() != Some(text) {
        std::fs::write(path, text).unwrap();
    }
}

/// Gives Postgres the rows of the table in memory.
async fn fill(postgres: &Client) {
    let create = "set timezone to 'UTC'; drop table if exists logs; create table logs \
                  (timestamp timestamptz, line text, stream_id int8, level text, app text, \
                  env text, host text)";
    postgres.batch_execute(create).await.unwrap();
    let mut values = Vec::new();
    for row in rows() {
        let group = row.group;
        values.push(format!(
            "(to_timestamp({}), '{}', {group}, '{}', 'app{}', '{}', 'host{}')",
            row.at / 1_000_000_000,
            row.line,
            row.level,
            group % 10,
            if (group / 10).is_multiple_of(2) { "prod" } else { "dev" },
            group / 20,
        ));
    }
    assert_eq!((values.len(), rows()[0].at), (GROUPS * ROWS, START));
    let insert = format!("insert into logs values {}", values.join(", "));
    postgres.batch_execute(&insert).await.unwrap();
}
