//! One connection after startup: messages in, statements run, answers out.
//!
//! In go the messages of one client, one after the other; out come the answers the protocol wants,
//! in the simple and in the extended protocol. Statements run on the engine; here one waits for
//! them, and for what may end them early: the client's cancel request, its leaving, the clock, the
//! server's stop.
//!
//! - After an error in the extended protocol everything up to Sync is skipped.
//! - Rows are never gathered: what the client does not read is not computed.
//! - Outside a transaction block a portal lives until Sync.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use datafusion::common::ScalarValue;
use pgwire::api::results::FieldInfo;
use pgwire::messages::PgWireBackendMessage as Message;
use pgwire::messages::copy::{CopyDone, CopyOutResponse};
use pgwire::messages::data::RowDescription;
use pgwire::messages::extendedquery::PortalSuspended;
use pgwire::messages::response::{
    CommandComplete, EmptyQueryResponse, ReadyForQuery, TransactionStatus,
};
use pgwire::messages::startup::ParameterStatus;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::activity::{Backend, Listener, Signal, State};
use crate::command::Command;
use crate::encode::{Chunk, Columns, Encoder, fields};
use crate::engine::{Described, Event, Job, Output, Running, Session};
use crate::error::SqlError;
use crate::local::{Answer, Saved, Transaction};
use crate::params::ParamType;
use crate::settings::{REPORTED, Settings};
use crate::split::too_long;
use crate::statement::{Local, Rows, Statement};
use crate::table::Notice;
use crate::wire::{Connection, Frontend};

/// Why a message could not be answered.
pub(crate) enum Failure {
    /// The client is told, and goes on.
    Statement(SqlError),
    /// The client is told, and the connection ends.
    Fatal(SqlError),
    /// There is nobody to tell.
    Gone,
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Failure {
        Failure::Statement(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(_: std::io::Error) -> Failure {
        Failure::Gone
    }
}

/// What ends a statement early.
pub(crate) struct Limits {
    signals: Listener,
    stopped: watch::Receiver<bool>,
    deadline: Instant,
}

impl Limits {
    pub(crate) async fn reached(&mut self) -> Failure {
        tokio::select! {
            signal = self.signals.next() => match signal {
                Signal::Cancel => {
                    let text = "canceling statement due to user request";
                    Failure::Statement(SqlError::new("57014", text))
                }
                Signal::End => Failure::Fatal(ended()),
            },
            () = tokio::time::sleep_until(self.deadline) => {
                let text = "canceling statement due to statement timeout";
                Failure::Statement(SqlError::new("57014", text))
            }
            _ = self.stopped.wait_for(|stopped| *stopped) => Failure::Fatal(stopping()),
        }
    }
}

pub(crate) fn stopping() -> SqlError {
    SqlError::new("57P01", "terminating connection because the server is stopping")
}

fn ended() -> SqlError {
    SqlError::new("57P01", "terminating connection due to administrator command")
}

/// A prepared statement.
pub(crate) struct Prepared {
    pub(crate) what: What,
    pub(crate) bytes: usize,
}

pub(crate) enum What {
    Empty,
    Local(Local),
    /// Kept as text: a tree is many times larger, and planning takes longer than parsing.
    Rows(String, Described, Output),
    /// `DECLARE`, with its query.
    Declare {
        name: String,
        binary: bool,
        hold: bool,
        query: Arc<Prepared>,
    },
    /// What has no parameters of its own.
    Command(Command),
}

/// A bound statement.
pub(crate) struct Portal {
    pub(crate) prepared: Arc<Prepared>,
    pub(crate) params: Vec<ScalarValue>,
    pub(crate) formats: Vec<i16>,
    pub(crate) bytes: usize,
    pub(crate) progress: Progress,
    /// Outlives its transaction.
    pub(crate) hold: bool,
}

pub(crate) enum Progress {
    Fresh,
    Suspended(Active),
    Done,
}

/// A statement between two of its rows.
pub(crate) struct Active {
    running: Running,
    /// Rows that were computed and not sent, and how many of them were sent.
    chunk: Chunk,
    sent: usize,
    /// Rows that were stored, where that is what the statement does.
    stored: usize,
    tag: &'static str,
}

impl Active {
    pub(crate) fn new(running: Running, tag: &'static str) -> Active {
        Active { running, chunk: Chunk::default(), sent: 0, stored: 0, tag }
    }
}

/// How rows are sent.
#[derive(Clone, Copy)]
pub(crate) struct Sending {
    /// The most of them.
    pub(crate) rows_max: usize,
    /// Whether the columns are told first.
    pub(crate) describe: bool,
    /// What ends the statement where it is not its own tag: of FETCH and MOVE.
    pub(crate) tag: Option<&'static str>,
}

impl Sending {
    pub(crate) const ALL: Sending = Sending { rows_max: usize::MAX, describe: true, tag: None };
}

/// One connection.
pub(crate) struct Client {
    pub(crate) connection: Connection,
    pub(crate) session: Arc<Session>,
    pub(crate) settings: Arc<Mutex<Settings>>,
    pub(crate) backend: Arc<Backend>,
    pub(crate) stopped: watch::Receiver<bool>,
    pub(crate) timeout: Duration,
    pub(crate) state: Built,
}

/// What a client has built up.
pub(crate) struct Built {
    pub(crate) statements: HashMap<String, Arc<Prepared>>,
    pub(crate) portals: HashMap<String, Portal>,
    pub(crate) transaction: Transaction,
    pub(crate) saved: Option<Saved>,
    reported: Vec<String>,
    /// Set by an error in the extended protocol, cleared by Sync.
    skipping: bool,
    /// Whether the last message ended in an error.
    failed: bool,
    /// What errors point into.
    pub(crate) text: String,
}

impl Built {
    /// Ends what does not outlive a transaction.
    pub(crate) fn end_portals(&mut self) {
        self.portals.retain(|_, portal| portal.hold);
    }
}

impl Client {
    pub(crate) fn new(
        connection: Connection,
        session: Arc<Session>,
        settings: Arc<Mutex<Settings>>,
        backend: Arc<Backend>,
        stopped: watch::Receiver<bool>,
        timeout: Duration,
    ) -> Client {
        let state = Built {
            statements: HashMap::new(),
            portals: HashMap::new(),
            transaction: Transaction::Idle,
            saved: None,
            reported: vec![String::new(); REPORTED.len()],
            skipping: false,
            failed: false,
            text: String::new(),
        };
        Client { connection, session, settings, backend, stopped, timeout, state }
    }

    /// Serves the client until it leaves or must.
    pub(crate) async fn run(mut self) {
        self.report();
        self.ready();
        loop {
            match self.step().await {
                Ok(true) => {}
                Ok(false) | Err(Failure::Gone) => break,
                Err(Failure::Statement(error) | Failure::Fatal(error)) => {
                    self.connection.put_error("FATAL", &error);
                    break;
                }
            }
        }
        // A client that does not read must not keep the server from stopping.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.connection.close()).await;
    }

    /// Answers one message, or waits for one. `false` means that the client is done.
    async fn step(&mut self) -> Result<bool, Failure> {
        let message = match self.connection.framer.next(&mut self.connection.input)? {
            Some(message) => message,
            None => return self.rest().await,
        };
        let (simple, result) = match message {
            Ok(Frontend::Terminate) => return Ok(false),
            Ok(Frontend::Sync) => {
                self.state.skipping = false;
                if self.state.transaction == Transaction::Idle {
                    self.state.end_portals();
                }
                self.ready();
                return Ok(true);
            }
            Ok(_) | Err(_) if self.state.skipping => return Ok(true),
            // What was on its way when a COPY failed.
            Ok(Frontend::CopyData(_) | Frontend::CopyDone | Frontend::CopyFail(_))
                if self.state.failed =>
            {
                return Ok(true);
            }
            Ok(Frontend::Query(text)) => (true, self.query(text).await),
            Ok(Frontend::TooLong { query }) => (query, Err(too_long().into())),
            Ok(message) => (false, self.extended(message).await),
            Err((tag, error)) => (matches!(tag, b'Q' | b'F'), Err(error.into())),
        };
        self.state.failed = result.is_err();
        match result {
            Ok(()) => {}
            Err(Failure::Statement(error)) => {
                let error = error.placed(&self.state.text);
                self.connection.put_error("ERROR", &error);
                if self.state.transaction == Transaction::Open {
                    self.state.transaction = Transaction::Failed;
                }
                self.state.skipping = !simple;
            }
            Err(other) => return Err(other),
        }
        if simple {
            self.ready();
        }
        Ok(true)
    }

    /// Waits for the client to say more. `false` means that it is gone.
    async fn rest(&mut self) -> Result<bool, Failure> {
        let (idle, code, text) = match self.state.transaction {
            Transaction::Idle => ("idle_session_timeout", "57P05", "idle-session timeout"),
            _ => {
                let text = "idle-in-transaction timeout";
                ("idle_in_transaction_session_timeout", "25P03", text)
            }
        };
        let patience = self.settings().timeout(idle);
        let (mut stopped, mut signals) = (self.stopped.clone(), self.backend.listen());
        let connection = &mut self.connection;
        let read = async {
            connection.flush().await?;
            // Writing takes as long as the client does: only its silence counts.
            match patience {
                None => connection.read().await.map(Some),
                Some(patience) => match tokio::time::timeout(patience, connection.read()).await {
                    Ok(read) => read.map(Some),
                    Err(_) => Ok(None),
                },
            }
        };
        tokio::pin!(read);
        loop {
            return tokio::select! {
                read = &mut read => match read? {
                    Some(read) => Ok(read),
                    None => {
                        let text = format!("terminating connection due to {text}");
                        Err(Failure::Fatal(SqlError::new(code, text)))
                    }
                },
                signal = signals.next() => match signal {
                    // There is nothing to cancel.
                    Signal::Cancel => continue,
                    Signal::End => Err(Failure::Fatal(ended())),
                },
                _ = stopped.wait_for(|stopped| *stopped) => Err(Failure::Fatal(stopping())),
            };
        }
    }

    fn ready(&mut self) {
        let (status, state) = match self.state.transaction {
            Transaction::Idle => (TransactionStatus::Idle, State::Idle),
            Transaction::Open => (TransactionStatus::Transaction, State::InTransaction),
            Transaction::Failed => (TransactionStatus::Error, State::InFailedTransaction),
        };
        self.backend.rests(state);
        self.connection.put(Message::ReadyForQuery(ReadyForQuery::new(status)));
    }

    /// Tells the client about settings that have changed.
    fn report(&mut self) {
        let settings = self.settings.lock().expect("no code panics while it holds settings");
        for (name, reported) in REPORTED.iter().zip(&mut self.state.reported) {
            let value = settings.get(name).expect("reported settings are in the list");
            if value != *reported || value.is_empty() {
                let status = ParameterStatus::new((*name).to_owned(), value.clone());
                self.connection.put(Message::ParameterStatus(status));
                *reported = value;
            }
        }
    }

    pub(crate) fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().expect("no code panics while it holds settings")
    }

    pub(crate) fn limits(&self) -> Limits {
        let wanted = self.settings().timeout("statement_timeout").unwrap_or(self.timeout);
        Limits {
            signals: self.backend.listen(),
            stopped: self.stopped.clone(),
            deadline: Instant::now() + wanted.min(self.timeout),
        }
    }

    /// Waits for `work`, but not beyond the limits and not without the client.
    pub(crate) async fn wait<T>(
        connection: &mut Connection,
        limits: &mut Limits,
        work: impl Future<Output = Result<T, SqlError>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            biased;
            failure = limits.reached() => Err(failure),
            done = work => Ok(done?),
            () = connection.gone() => Err(Failure::Gone),
        }
    }

    // The simple protocol.

    async fn query(&mut self, text: String) -> Result<(), Failure> {
        self.state.statements.remove("");
        if self.state.transaction == Transaction::Idle {
            self.state.end_portals();
        }
        self.state.portals.remove("");
        let mut limits = self.limits();
        self.backend.begins(&text);
        self.state.text.clone_from(&text);
        let parsing = self.session.parse(text);
        let statements = Self::wait(&mut self.connection, &mut limits, parsing).await?;
        if statements.is_empty() {
            self.connection.put(Message::EmptyQueryResponse(EmptyQueryResponse::new()));
        }
        for statement in statements {
            self.allowed(&statement)?;
            match statement {
                Statement::Local(local) => {
                    let answer = self.local(local)?;
                    self.answer(answer, &[], true)?;
                }
                Statement::Rows(rows) => self.run_rows(rows, Output::Rows).await?,
                Statement::Command(command) => self.command(command).await?,
            }
        }
        Ok(())
    }

    /// Runs a question from its text to its last row.
    pub(crate) async fn run_rows(&mut self, rows: Rows, output: Output) -> Result<(), Failure> {
        let mut limits = self.limits();
        let turn = self.session.turn();
        let _turn = Self::wait(&mut self.connection, &mut limits, turn).await?;
        let tag = output.tag(&rows);
        let job = Job { rows, params: vec![], formats: vec![], described: None, output };
        let mut active = Active::new(self.session.start(job), tag);
        self.send_rows(&mut active, Sending::ALL, &mut limits).await?;
        Ok(())
    }

    pub(crate) fn allowed(&self, statement: &Statement) -> Result<(), SqlError> {
        let ends = matches!(statement, Statement::Local(local) if local.ends_failure());
        if self.state.transaction == Transaction::Failed && !ends {
            let text = "current transaction is aborted, commands ignored until end of \
                        transaction block";
            return Err(SqlError::new("25P02", text));
        }
        Ok(())
    }

    /// Sends rows; `true` at the end of the statement.
    pub(crate) async fn send_rows(
        &mut self,
        active: &mut Active,
        sending: Sending,
        limits: &mut Limits,
    ) -> Result<bool, Failure> {
        let Sending { rows_max, describe, tag } = sending;
        let mut count = 0;
        loop {
            let take = (rows_max - count).min(active.chunk.ends.len() - active.sent);
            if take > 0 {
                let start = active.sent.checked_sub(1).map_or(0, |last| active.chunk.ends[last]);
                active.sent += take;
                let end = active.chunk.ends[active.sent - 1];
                if tag != Some("MOVE") {
                    self.connection.output.extend_from_slice(&active.chunk.bytes[start..end]);
                }
                count += take;
                self.backend.sent(take);
            }
            if self.connection.is_full() {
                tokio::select! {
                    biased;
                    failure = limits.reached() => return Err(failure),
                    flushed = self.connection.flush() => flushed?,
                }
            }
            if count == rows_max {
                match tag {
                    Some(tag) => self.complete(format!("{tag} {count}")),
                    None => self.connection.put(Message::PortalSuspended(PortalSuspended::new())),
                }
                return Ok(false);
            }
            let next = active.running.next();
            match Self::wait(&mut self.connection, limits, next).await? {
                Some(Event::Columns(fields)) if describe => self.describe_row(&fields),
                Some(Event::Columns(_)) => {}
                Some(Event::CopyOut(columns, binary)) => {
                    let (format, columns) = (i8::from(binary), columns as i16);
                    let formats = vec![i16::from(format); columns as usize];
                    let message = CopyOutResponse::new(format, columns, formats);
                    self.connection.put(Message::CopyOutResponse(message));
                }
                Some(Event::Raw(bytes)) => self.connection.output.extend_from_slice(&bytes),
                Some(Event::Rows(chunk)) => (active.chunk, active.sent) = (chunk, 0),
                Some(Event::Stored(rows)) => active.stored += rows,
                None => {
                    self.tell().await;
                    match tag.unwrap_or(active.tag) {
                        tag @ ("SELECT" | "FETCH" | "MOVE") => {
                            self.complete(format!("{tag} {count}"));
                        }
                        "COPY" => {
                            self.connection.put(Message::CopyDone(CopyDone::new()));
                            self.complete(format!("COPY {count}"));
                        }
                        "INSERT 0" => self.complete(format!("INSERT 0 {}", active.stored)),
                        tag => self.complete(tag.to_owned()),
                    }
                    return Ok(true);
                }
            }
        }
    }

    /// Tells the client what it must know of the rows it got.
    async fn tell(&mut self) {
        let shows_notices = self.settings().shows_notices();
        for notice in self.session.end().await {
            match notice {
                Notice::Partial(text) => {
                    self.connection.put_warning(&SqlError::new("01000", text));
                }
                Notice::Told(text) if shows_notices => self.connection.put_notice(text),
                Notice::Told(_) => {}
            }
        }
    }

    pub(crate) fn describe_row(&mut self, fields: &[FieldInfo]) {
        let fields = fields.iter().map(Into::into).collect();
        self.connection.put(Message::RowDescription(RowDescription::new(fields)));
    }

    pub(crate) fn complete(&mut self, tag: String) {
        self.connection.put(Message::CommandComplete(CommandComplete::new(tag)));
    }

    pub(crate) fn answer(
        &mut self,
        answer: Answer,
        formats: &[i16],
        describe: bool,
    ) -> Result<(), SqlError> {
        match answer {
            Answer::Tag(tag) => self.complete(tag),
            Answer::Rows(batch, tag) => {
                let fields = fields(&batch.schema(), None, formats)?;
                if describe {
                    self.describe_row(&fields);
                }
                let (columns, mut encoder, mut next) =
                    (Columns::new(&batch)?, Encoder::new(fields), 0);
                while next < columns.rows() {
                    let (chunk, after) = encoder.encode(&columns, next)?;
                    self.connection.output.extend_from_slice(&chunk.bytes);
                    next = after;
                }
                self.complete(tag.to_owned());
            }
        }
        self.report();
        Ok(())
    }
}

impl Prepared {
    /// Its parameters and how many columns it returns.
    pub(crate) fn shape(&self) -> (&[ParamType], usize) {
        match &self.what {
            What::Rows(_, described, Output::Rows) => {
                (&described.params, described.schema.fields().len())
            }
            What::Rows(_, described, _) => (&described.params, 0),
            What::Declare { query, .. } => (query.shape().0, 0),
            What::Local(Local::Show(_)) => (&[], 1),
            What::Local(Local::ShowAll) => (&[], 3),
            What::Local(_) | What::Empty | What::Command(_) => (&[], 0),
        }
    }
}

pub(crate) fn no_statement(name: &str) -> SqlError {
    SqlError::new("26000", format!("prepared statement \"{name}\" does not exist"))
}

pub(crate) fn no_portal(name: &str) -> SqlError {
    SqlError::new("34000", format!("portal \"{name}\" does not exist"))
}

/// Formats come for none, for all at once, or for each.
pub(crate) fn check_formats(formats: &[i16], count: usize) -> Result<(), SqlError> {
    if formats.len() > 1 && formats.len() != count {
        let text = format!("message has {} formats but {count} columns", formats.len());
        return Err(SqlError::protocol(text));
    }
    match formats.iter().find(|format| !matches!(format, 0 | 1)) {
        Some(format) => Err(SqlError::protocol(format!("unsupported format code {format}"))),
        None => Ok(()),
    }
}

pub(crate) fn format_of(formats: &[i16], index: usize) -> i16 {
    match formats {
        [] => 0,
        [one] => *one,
        many => many[index],
    }
}
