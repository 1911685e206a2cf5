//! `drave sql 'select ...'`: asks a running server in SQL.
//!
//! In: a statement, as an argument or on stdin. Out: rows as a table, as CSV, or as JSON lines.
//! It uses Postgres' simple query protocol, in which every value is text; `-o jsonl` therefore
//! writes strings. CSV and JSON lines are written as rows arrive; a table needs all of them.

use std::io::{Read as _, Write};

use anyhow::{Context as _, bail};
use futures::StreamExt as _;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::{DbError, ErrorPosition};
use tokio_postgres::{NoTls, SimpleQueryMessage, SimpleQueryRow};

use super::address::Pg;
use super::query::is_broken_pipe;
use super::secure::Secure;
use super::table::Table;

/// Ask a running server in SQL
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Statements, such as 'select level, count(*) from logs group by level' [default: stdin]
    pub statement: Option<String>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
    /// Server to ask
    #[command(flatten)]
    pub pg: Pg,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// Aligned columns, NULL as such
    Table,
    /// RFC 4180 with a header; NULL is an empty field, an empty text is ""
    Csv,
    /// One JSON object per line, values as strings
    Jsonl,
}

/// Asks, and prints the rows.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let statement = match args.statement {
        Some(statement) => statement,
        None => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("cannot read stdin")?;
            text
        }
    };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let result = ask(&args.pg, &statement, args.output, &mut out).await;
    match result.and_then(|()| Ok(out.flush()?)) {
        Err(error) if is_broken_pipe(&error) => Ok(()),
        result => result,
    }
}

/// Runs `statement` and writes its rows.
pub async fn ask(
    pg: &Pg,
    statement: &str,
    output: Output,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let client = connect(pg).await?;
    let messages = client.simple_query_raw(statement).await;
    let messages = messages.map_err(|error| explain(&error, statement))?;
    let mut messages = std::pin::pin!(messages);
    let mut rows = Rows { output, names: Vec::new(), table: None };
    while let Some(message) = messages.next().await {
        match message.map_err(|error| explain(&error, statement))? {
            SimpleQueryMessage::RowDescription(columns) => {
                let names = columns.iter().map(|column| column.name().to_owned());
                rows.begin(names.collect(), out)?;
            }
            SimpleQueryMessage::Row(row) => rows.add(&row, out)?,
            SimpleQueryMessage::CommandComplete(_) => rows.end(out)?,
            _ => {}
        }
    }
    Ok(())
}

async fn connect(pg: &Pg) -> anyhow::Result<tokio_postgres::Client> {
    let Some((host, port)) = pg.pg.rsplit_once(':') else {
        bail!("{} is no address; write HOST:PORT", pg.pg);
    };
    let mut config = tokio_postgres::Config::new();
    config
        .host(host.trim_matches(['[', ']']))
        .port(port.parse().with_context(|| format!("{port:?} is no port"))?)
        .user(&pg.user)
        // Who names no tenant gets the one of the user, where users have some.
        .dbname(pg.tenant.as_deref().unwrap_or(&pg.user))
        .application_name("drave sql")
        .connect_timeout(std::time::Duration::from_secs(5));
    if let Some(password) = &pg.password {
        config.password(password);
    }
    // Either ends with the client; what breaks it is also an error of the query under way.
    let connected = match &pg.ca {
        None => config.connect(NoTls).await.map(|(client, connection)| {
            drop(tokio::spawn(connection));
            client
        }),
        Some(ca) => {
            config.ssl_mode(SslMode::Require);
            config.connect(Secure::read(ca)?).await.map(|(client, connection)| {
                drop(tokio::spawn(connection));
                client
            })
        }
    };
    match connected {
        Ok(client) => Ok(client),
        Err(error) if error.as_db_error().is_some() => Err(explain(&error, "")),
        Err(error) if error.to_string().contains("password missing") => {
            bail!("{} asks for a password: name the user with --user, and set PGPASSWORD", pg.pg)
        }
        Err(error) => {
            let cause = std::error::Error::source(&error)
                .map_or(String::new(), |source| format!(" ({source})"));
            bail!(
                "no server answers at {}{cause}; start one with `drave`, or name it: \
                 --pg HOST:PORT",
                pg.pg
            )
        }
    }
}

/// The server's words, with the place in the statement where it says there is one.
fn explain(error: &tokio_postgres::Error, statement: &str) -> anyhow::Error {
    match error.as_db_error() {
        Some(db) => anyhow::anyhow!("{}", db_error_text(db, statement)),
        None => anyhow::anyhow!("{error}"),
    }
}

fn db_error_text(db: &DbError, statement: &str) -> String {
    let mut text = format!("{} (SQLSTATE {})", db.message(), db.code().code());
    if let Some(ErrorPosition::Original(position)) = db.position()
        && let Some((line, column)) = place(statement, *position as usize)
    {
        text.push_str(&format!("\n  {line}\n  {}^", " ".repeat(column)));
    }
    for (name, more) in [("detail", db.detail()), ("hint", db.hint())] {
        if let Some(more) = more {
            text.push_str(&format!("\n{name}: {more}"));
        }
    }
    text
}

/// The line that the `position`th character (from 1) is on, and how far into it.
fn place(statement: &str, position: usize) -> Option<(&str, usize)> {
    let mut before = position.checked_sub(1)?;
    for line in statement.split('\n') {
        let len = line.chars().count();
        if before <= len {
            return Some((line, before));
        }
        before -= len + 1;
    }
    None
}

/// The rows of one statement, on their way out.
struct Rows {
    output: Output,
    names: Vec<String>,
    table: Option<Table>,
}

impl Rows {
    fn begin(&mut self, names: Vec<String>, out: &mut impl Write) -> anyhow::Result<()> {
        match self.output {
            Output::Table => self.table = Some(Table::new(names.clone())),
            Output::Csv => write_csv(names.iter().map(|name| Some(name.as_str())), out)?,
            Output::Jsonl => {}
        }
        self.names = names;
        Ok(())
    }

    fn add(&mut self, row: &SimpleQueryRow, out: &mut impl Write) -> anyhow::Result<()> {
        let cells = (0..row.len()).map(|index| row.get(index));
        match (&mut self.table, self.output) {
            (Some(table), _) => table.push(cells.map(|cell| cell.map(str::to_owned)).collect()),
            (None, Output::Csv) => write_csv(cells, out)?,
            (None, _) => write_jsonl(self.names.iter().map(String::as_str).zip(cells), out)?,
        }
        Ok(())
    }

    fn end(&mut self, out: &mut impl Write) -> anyhow::Result<()> {
        if let Some(table) = self.table.take() {
            let rows = if table.len() == 1 { "row" } else { "rows" };
            write!(out, "{}({} {rows})\n\n", table.render(), table.len())?;
        }
        Ok(())
    }
}

fn write_csv<'a>(
    cells: impl Iterator<Item = Option<&'a str>>,
    out: &mut impl Write,
) -> std::io::Result<()> {
    for (index, cell) in cells.enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        match cell {
            None => {}
            Some(text) if text.is_empty() || text.contains(['"', ',', '\n', '\r']) => {
                write!(out, "\"{}\"", text.replace('"', "\"\""))?;
            }
            Some(text) => out.write_all(text.as_bytes())?,
        }
    }
    out.write_all(b"\n")
}

/// An object with its keys in the order of the columns.
fn write_jsonl<'a>(
    cells: impl Iterator<Item = (&'a str, Option<&'a str>)>,
    out: &mut impl Write,
) -> std::io::Result<()> {
    for (index, (name, cell)) in cells.enumerate() {
        out.write_all(if index == 0 { b"{" } else { b"," })?;
        serde_json::to_writer(&mut *out, name)?;
        out.write_all(b":")?;
        serde_json::to_writer(&mut *out, &cell)?;
    }
    out.write_all(b"}\n")
}

#[cfg(test)]
mod tests;
