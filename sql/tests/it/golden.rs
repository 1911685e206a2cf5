//! What tools ask of the catalog, and the answers: `tests/golden/pg`, a file per tool.
//!
//! The statements are those that psql, drivers and BI tools send when they connect, list and
//! describe. A statement stands under a line `-- name`, its answer under it:
//!
//! ```text
//! -- name
//! select ...;
//! => a | b
//! 1 | x
//! ```
//!
//! `=> error 42P01` is an error, a long answer is only counted. `UPDATE_GOLDEN=1` writes the answers.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use tokio_postgres::{Client, SimpleQueryMessage};

use crate::memory::Server;

/// Longer answers are counted.
const ROWS_SHOWN: usize = 40;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/pg")
}

/// The answer as text.
async fn ask(client: &Client, sql: &str) -> String {
    let messages = match client.simple_query(sql).await {
        Ok(messages) => messages,
        Err(error) => {
            let code = error.code().map_or("?", |code| code.code());
            return format!("=> error {code}\n");
        }
    };
    let mut out = String::new();
    for message in &messages {
        if let SimpleQueryMessage::RowDescription(columns) = message {
            let names: Vec<&str> = columns.iter().map(|column| column.name()).collect();
            writeln!(out, "=> {}", names.join(" | ")).unwrap();
        }
    }
    if out.is_empty() {
        out.push_str("=>\n");
    }
    let rows: Vec<String> = messages
        .iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        })
        .map(|row| {
            let cells = (0..row.len()).map(|at| match row.get(at) {
                None => "\\N".to_owned(),
                Some(text) => text.replace('\\', "\\\\").replace('\n', "\\n"),
            });
            cells.collect::<Vec<_>>().join(" | ").trim_end().to_owned()
        })
        .collect();
    match rows.len() {
        0..=ROWS_SHOWN => rows.iter().for_each(|row| writeln!(out, "{row}").unwrap()),
        many => writeln!(out, "({many} rows)").unwrap(),
    }
    out
}

/// The statements of a file with their names and answers.
fn cases(text: &str) -> Vec<(String, String, String)> {
    let mut cases: Vec<(String, String, String)> = Vec::new();
    for line in text.lines() {
        let answered = cases.last().is_none_or(|(_, _, answer)| !answer.is_empty());
        let ended = cases.last().is_none_or(|(_, sql, _)| sql.trim_end().ends_with(';'));
        match (line.strip_prefix("-- "), cases.last_mut()) {
            (Some(name), _) if answered || ended => {
                cases.push((name.to_owned(), String::new(), String::new()));
            }
            (_, Some((_, _, answer))) if answered || line.starts_with("=>") => {
                writeln!(answer, "{line}").unwrap();
            }
            (_, Some((_, sql, _))) => writeln!(sql, "{line}").unwrap(),
            (_, None) => panic!("a statement has a name first: {line}"),
        }
    }
    cases
}

#[tokio::test]
async fn tools_find_what_they_look_for() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let only = std::env::var("GOLDEN").ok();
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 5, "the corpus is not there");
    let mut wrong = Vec::new();
    for file in files {
        let tool = file.file_stem().unwrap().to_string_lossy().into_owned();
        if only.as_ref().is_some_and(|only| *only != tool) {
            continue;
        }
        let server = Server::start().await;
        let client = server.client().await;
        let text = std::fs::read_to_string(&file).unwrap();
        let mut written = String::new();
        for (name, sql, expected) in cases(&text) {
            let got = ask(&client, &sql).await;
            write!(written, "-- {name}\n{sql}{got}").unwrap();
            if got != expected {
                wrong.push(format!("{tool}: {name}\nexpected {expected}got {got}"));
            }
        }
        if update {
            std::fs::write(&file, written).unwrap();
        }
    }
    assert!(update || wrong.is_empty(), "{}", wrong.join("\n"));
}
