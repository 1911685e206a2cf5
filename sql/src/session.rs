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
use pgwire::messages::data::{NoData, ParameterDescription, RowDescription};
use pgwire::messages::extendedquery::{
    BindComplete, CloseComplete, ParseComplete, PortalSuspended,
};
use pgwire::messages::response::{
    CommandComplete, EmptyQueryResponse, ReadyForQuery, TransactionStatus,
};
use pgwire::messages::startup::ParameterStatus;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::encode::{Chunk, Columns, Encoder, fields};
use crate::engine::{Described, Event, Job, Running, Session};
use crate::error::SqlError;
use crate::local::{Answer, Saved, Transaction, shown};
use crate::params::ParamType;
use crate::settings::{REPORTED, Settings};
use crate::statement::{self, Local, Rows, Statement};
use crate::table::Notice;
use crate::wire::{Bind, Connection, Frontend, Target};

/// The most prepared statements, and portals, of a connection.
const NAMED_MAX: usize = 512;
/// The most text of prepared statements, in bytes.
const PREPARED_BYTES_MAX: usize = 4 << 20;
/// The most parameter values of portals, in bytes.
const BOUND_BYTES_MAX: usize = 64 << 20;

/// How a cancel request reaches the statement that runs, and no later one.
pub(crate) struct Cancel(watch::Sender<u64>);

impl Cancel {
    pub(crate) fn new() -> Cancel {
        Cancel(watch::Sender::new(0))
    }

    pub(crate) fn request(&self) {
        self.0.send_modify(|count| *count += 1);
    }
}

/// Why a message could not be answered.
enum Failure {
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
struct Limits {
    cancelled: watch::Receiver<u64>,
    stopped: watch::Receiver<bool>,
    deadline: Instant,
}

impl Limits {
    async fn reached(&mut self) -> Failure {
        tokio::select! {
            _ = self.cancelled.changed() => {
                let text = "canceling statement due to user request";
                Failure::Statement(SqlError::new("57014", text))
            }
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

/// A prepared statement.
pub(crate) struct Prepared {
    what: What,
    bytes: usize,
}

enum What {
    Empty,
    Local(Local),
    /// Kept as text: a tree is many times larger, and planning takes longer than parsing.
    Rows(String, Described),
}

/// A bound statement.
pub(crate) struct Portal {
    prepared: Arc<Prepared>,
    params: Vec<ScalarValue>,
    formats: Vec<i16>,
    bytes: usize,
    progress: Progress,
}

enum Progress {
    Fresh,
    Suspended(Active),
    Done,
}

/// A statement between two of its rows.
struct Active {
    running: Running,
    /// Rows that were computed and not sent, and how many of them were sent.
    chunk: Chunk,
    sent: usize,
    tag: &'static str,
}

/// One connection.
pub(crate) struct Client {
    pub(crate) connection: Connection,
    pub(crate) session: Arc<Session>,
    pub(crate) settings: Arc<Mutex<Settings>>,
    pub(crate) cancel: Arc<Cancel>,
    pub(crate) stopped: watch::Receiver<bool>,
    pub(crate) timeout: Duration,
    pub(crate) state: State,
}

/// What a client has built up.
pub(crate) struct State {
    pub(crate) statements: HashMap<String, Arc<Prepared>>,
    pub(crate) portals: HashMap<String, Portal>,
    pub(crate) transaction: Transaction,
    pub(crate) saved: Option<Saved>,
    reported: Vec<String>,
    /// Set by an error in the extended protocol, cleared by Sync.
    skipping: bool,
}

impl Client {
    pub(crate) fn new(
        connection: Connection,
        session: Arc<Session>,
        settings: Arc<Mutex<Settings>>,
        cancel: Arc<Cancel>,
        stopped: watch::Receiver<bool>,
        timeout: Duration,
    ) -> Client {
        let state = State {
            statements: HashMap::new(),
            portals: HashMap::new(),
            transaction: Transaction::Idle,
            saved: None,
            reported: vec![String::new(); REPORTED.len()],
            skipping: false,
        };
        Client { connection, session, settings, cancel, stopped, timeout, state }
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
            None => {
                let mut stopped = self.stopped.clone();
                tokio::select! {
                    read = async {
                        self.connection.flush().await?;
                        self.connection.read().await
                    } => return Ok(read?),
                    _ = stopped.wait_for(|stopped| *stopped) => {
                        return Err(Failure::Fatal(stopping()));
                    }
                }
            }
        };
        let (simple, result) = match message {
            Ok(Frontend::Terminate) => return Ok(false),
            Ok(Frontend::Sync) => {
                self.state.skipping = false;
                if self.state.transaction == Transaction::Idle {
                    self.state.portals.clear();
                }
                self.ready();
                return Ok(true);
            }
            Ok(_) | Err(_) if self.state.skipping => return Ok(true),
            Ok(Frontend::Query(text)) => (true, self.query(text).await),
            Ok(Frontend::TooLong { query }) => (query, Err(statement::too_long().into())),
            Ok(message) => (false, self.extended(message).await),
            Err((tag, error)) => (matches!(tag, b'Q' | b'F'), Err(error.into())),
        };
        match result {
            Ok(()) => {}
            Err(Failure::Statement(error)) => {
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

    fn ready(&mut self) {
        let status = match self.state.transaction {
            Transaction::Idle => TransactionStatus::Idle,
            Transaction::Open => TransactionStatus::Transaction,
            Transaction::Failed => TransactionStatus::Error,
        };
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

    fn limits(&self) -> Limits {
        let wanted = self.settings().statement_timeout().unwrap_or(self.timeout);
        Limits {
            cancelled: self.cancel.0.subscribe(),
            stopped: self.stopped.clone(),
            deadline: Instant::now() + wanted.min(self.timeout),
        }
    }

    /// Waits for `work`, but not beyond the limits and not without the client.
    async fn wait<T>(
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
            self.state.portals.clear();
        } else {
            self.state.portals.remove("");
        }
        let mut limits = self.limits();
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
                Statement::Rows(rows) => {
                    let mut limits = self.limits();
                    let tag = tag(&rows);
                    let turn = self.session.engine().turn();
                    let _turn = Self::wait(&mut self.connection, &mut limits, turn).await?;
                    let job = Job { rows, params: vec![], formats: vec![], described: None };
                    let running = self.session.start(job);
                    let mut active = Active { running, chunk: Chunk::default(), sent: 0, tag };
                    self.send_rows(&mut active, usize::MAX, true, &mut limits).await?;
                }
            }
        }
        Ok(())
    }

    fn allowed(&self, statement: &Statement) -> Result<(), SqlError> {
        let ends = matches!(statement, Statement::Local(local) if local.ends_failure());
        if self.state.transaction == Transaction::Failed && !ends {
            let text = "current transaction is aborted, commands ignored until end of \
                        transaction block";
            return Err(SqlError::new("25P02", text));
        }
        Ok(())
    }

    /// Sends up to `rows_max` rows; `true` at the end of the statement.
    async fn send_rows(
        &mut self,
        active: &mut Active,
        rows_max: usize,
        describe: bool,
        limits: &mut Limits,
    ) -> Result<bool, Failure> {
        let mut count = 0;
        loop {
            let take = (rows_max - count).min(active.chunk.ends.len() - active.sent);
            if take > 0 {
                let start = active.sent.checked_sub(1).map_or(0, |last| active.chunk.ends[last]);
                active.sent += take;
                let end = active.chunk.ends[active.sent - 1];
                self.connection.output.extend_from_slice(&active.chunk.bytes[start..end]);
                count += take;
            }
            if self.connection.is_full() {
                tokio::select! {
                    biased;
                    failure = limits.reached() => return Err(failure),
                    flushed = self.connection.flush() => flushed?,
                }
            }
            if count == rows_max {
                self.connection.put(Message::PortalSuspended(PortalSuspended::new()));
                return Ok(false);
            }
            let next = active.running.next();
            match Self::wait(&mut self.connection, limits, next).await? {
                Some(Event::Columns(fields)) if describe => self.describe_row(&fields),
                Some(Event::Columns(_)) => {}
                Some(Event::Rows(chunk)) => (active.chunk, active.sent) = (chunk, 0),
                None => {
                    self.tell().await;
                    let tag = match active.tag {
                        "SELECT" => format!("SELECT {count}"),
                        tag => tag.to_owned(),
                    };
                    self.complete(tag);
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

    fn describe_row(&mut self, fields: &[FieldInfo]) {
        let fields = fields.iter().map(Into::into).collect();
        self.connection.put(Message::RowDescription(RowDescription::new(fields)));
    }

    fn complete(&mut self, tag: String) {
        self.connection.put(Message::CommandComplete(CommandComplete::new(tag)));
    }

    fn answer(&mut self, answer: Answer, formats: &[i16], describe: bool) -> Result<(), SqlError> {
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

    // The extended protocol.

    async fn extended(&mut self, message: Frontend) -> Result<(), Failure> {
        match message {
            Frontend::Parse { name, text, types } => self.prepare(name, text, types).await,
            Frontend::Bind(bind) => Ok(self.bind(bind)?),
            Frontend::Describe(Target::Statement, name) => Ok(self.describe_statement(&name)?),
            Frontend::Describe(Target::Portal, name) => Ok(self.describe_portal(&name)?),
            Frontend::Execute { portal, rows_max } => self.execute(portal, rows_max).await,
            Frontend::Close(target, name) => {
                match target {
                    Target::Statement => drop(self.state.statements.remove(&name)),
                    Target::Portal => drop(self.state.portals.remove(&name)),
                }
                self.connection.put(Message::CloseComplete(CloseComplete::new()));
                Ok(())
            }
            Frontend::Flush => Ok(self.connection.flush().await?),
            Frontend::Query(_)
            | Frontend::Sync
            | Frontend::Terminate
            | Frontend::TooLong { .. } => unreachable!("step takes these"),
        }
    }

    async fn prepare(
        &mut self,
        name: String,
        text: String,
        types: Vec<u32>,
    ) -> Result<(), Failure> {
        if name.is_empty() {
            self.state.statements.remove("");
        }
        if self.state.statements.contains_key(&name) {
            let text = format!("prepared statement \"{name}\" already exists");
            return Err(SqlError::new("42P05", text).into());
        }
        let bytes = text.len() + name.len() + types.len() * 4;
        let held: usize = self.state.statements.values().map(|prepared| prepared.bytes).sum();
        if held + bytes > PREPARED_BYTES_MAX || self.state.statements.len() >= NAMED_MAX {
            return Err(SqlError::new("53400", "too many prepared statements").into());
        }
        let declared = types.iter().map(|oid| ParamType::declared(*oid));
        let declared = declared.collect::<Result<Vec<_>, _>>()?;
        let mut limits = self.limits();
        let parsing = self.session.parse(text.clone());
        let mut parsed = Self::wait(&mut self.connection, &mut limits, parsing).await?;
        if parsed.len() > 1 {
            let text = "cannot insert multiple commands into a prepared statement";
            return Err(SqlError::new("42601", text).into());
        }
        if let Some(statement) = parsed.first() {
            self.allowed(statement)?;
        }
        let what = match parsed.pop() {
            None => What::Empty,
            Some(Statement::Local(local)) => What::Local(local),
            Some(Statement::Rows(rows)) => {
                let turn = self.session.engine().turn();
                let _turn = Self::wait(&mut self.connection, &mut limits, turn).await?;
                let describing = self.session.describe(rows, declared);
                let described = Self::wait(&mut self.connection, &mut limits, describing).await?;
                What::Rows(text, described)
            }
        };
        self.state.statements.insert(name, Arc::new(Prepared { what, bytes }));
        self.connection.put(Message::ParseComplete(ParseComplete::new()));
        Ok(())
    }

    fn bind(&mut self, bind: Bind) -> Result<(), SqlError> {
        let Bind { portal, statement, parameter_formats, parameters, result_formats } = bind;
        let prepared = self.state.statements.get(&statement).cloned();
        let prepared = prepared.ok_or_else(|| no_statement(&statement))?;
        if portal.is_empty() {
            self.state.portals.remove("");
        } else if self.state.portals.contains_key(&portal) {
            return Err(SqlError::new("42P03", format!("portal \"{portal}\" already exists")));
        }
        let bytes = parameters.iter().flatten().map(|value| value.len()).sum::<usize>();
        let held: usize = self.state.portals.values().map(|portal| portal.bytes).sum();
        if held + bytes > BOUND_BYTES_MAX || self.state.portals.len() >= NAMED_MAX {
            return Err(SqlError::new("53400", "too many portals"));
        }
        let (types, columns) = prepared.shape();
        if parameters.len() != types.len() {
            return Err(SqlError::protocol(format!(
                "bind message supplies {} parameters, but prepared statement \"{statement}\" \
                 requires {}",
                parameters.len(),
                types.len()
            )));
        }
        check_formats(&parameter_formats, parameters.len())?;
        check_formats(&result_formats, columns)?;
        let params = parameters.into_iter().zip(types).enumerate().map(|(index, (value, kind))| {
            kind.decode(value, format_of(&parameter_formats, index) == 1)
        });
        let params = params.collect::<Result<Vec<_>, _>>()?;
        let bound =
            Portal { prepared, params, formats: result_formats, bytes, progress: Progress::Fresh };
        self.state.portals.insert(portal, bound);
        self.connection.put(Message::BindComplete(BindComplete::new()));
        Ok(())
    }

    fn describe_statement(&mut self, name: &str) -> Result<(), SqlError> {
        let prepared = self.state.statements.get(name).cloned();
        let prepared = prepared.ok_or_else(|| no_statement(name))?;
        let types = prepared.shape().0.iter().map(|kind| kind.pg.oid()).collect();
        self.connection.put(Message::ParameterDescription(ParameterDescription::new(types)));
        self.describe(&prepared, &[])
    }

    fn describe_portal(&mut self, name: &str) -> Result<(), SqlError> {
        let portal = self.state.portals.get(name).ok_or_else(|| no_portal(name))?;
        let (prepared, formats) = (portal.prepared.clone(), portal.formats.clone());
        self.describe(&prepared, &formats)
    }

    fn describe(&mut self, prepared: &Prepared, formats: &[i16]) -> Result<(), SqlError> {
        let fields = match &prepared.what {
            What::Rows(_, described) => {
                Some(fields(&described.schema, Some(&described.names), formats)?)
            }
            What::Local(local) => match shown(local)? {
                Some(schema) => Some(fields(&schema, None, formats)?),
                None => None,
            },
            What::Empty => None,
        };
        match fields {
            Some(fields) => self.describe_row(&fields),
            None => self.connection.put(Message::NoData(NoData::new())),
        }
        Ok(())
    }

    async fn execute(&mut self, name: String, rows_max: usize) -> Result<(), Failure> {
        let portal = self.state.portals.get_mut(&name).ok_or_else(|| no_portal(&name))?;
        let prepared = portal.prepared.clone();
        let progress = std::mem::replace(&mut portal.progress, Progress::Done);
        let rows_max = if rows_max == 0 { usize::MAX } else { rows_max };
        match (&prepared.what, progress) {
            (What::Empty, _) => {
                self.connection.put(Message::EmptyQueryResponse(EmptyQueryResponse::new()));
                Ok(())
            }
            (What::Rows(..), Progress::Done) => {
                self.complete("SELECT 0".to_owned());
                Ok(())
            }
            (What::Local(local), Progress::Fresh) => {
                let formats = portal.formats.clone();
                self.allowed(&Statement::Local(local.clone()))?;
                let answer = self.local(local.clone())?;
                Ok(self.answer(answer, &formats, false)?)
            }
            (What::Local(_), _) => {
                Err(SqlError::new("55000", format!("portal \"{name}\" cannot be run")).into())
            }
            (What::Rows(text, described), progress) => {
                if self.state.transaction == Transaction::Failed {
                    self.allowed(&Statement::Local(Local::Begin))?;
                }
                let (text, described) = (text.clone(), described.clone());
                let mut limits = self.limits();
                let turn = self.session.engine().turn();
                let _turn = Self::wait(&mut self.connection, &mut limits, turn).await?;
                let mut active = match progress {
                    Progress::Suspended(active) => active,
                    _ => self.begin(&name, text, described, &mut limits).await?,
                };
                let done = self.send_rows(&mut active, rows_max, false, &mut limits).await?;
                if let Some(portal) = self.state.portals.get_mut(&name).filter(|_| !done) {
                    portal.progress = Progress::Suspended(active);
                }
                Ok(())
            }
        }
    }

    /// Starts the statement of a portal.
    async fn begin(
        &mut self,
        name: &str,
        text: String,
        described: Described,
        limits: &mut Limits,
    ) -> Result<Active, Failure> {
        let parsing = self.session.parse(text);
        let mut parsed = Self::wait(&mut self.connection, limits, parsing).await?;
        let Some(Statement::Rows(rows)) = parsed.pop() else {
            unreachable!("the same text was a statement with rows when it was prepared");
        };
        let portal = self.state.portals.get(name).ok_or_else(|| no_portal(name))?;
        let tag = tag(&rows);
        let job = Job {
            rows,
            params: portal.params.clone(),
            formats: portal.formats.clone(),
            described: Some(described),
        };
        let running = self.session.start(job);
        Ok(Active { running, chunk: Chunk::default(), sent: 0, tag })
    }
}

impl Prepared {
    /// Its parameters and how many columns it returns.
    fn shape(&self) -> (&[ParamType], usize) {
        match &self.what {
            What::Rows(_, described) => (&described.params, described.schema.fields().len()),
            What::Local(Local::Show(_)) => (&[], 1),
            What::Local(Local::ShowAll) => (&[], 3),
            What::Local(_) | What::Empty => (&[], 0),
        }
    }
}

fn tag(rows: &Rows) -> &'static str {
    if rows.explain { "EXPLAIN" } else { "SELECT" }
}

pub(crate) fn no_statement(name: &str) -> SqlError {
    SqlError::new("26000", format!("prepared statement \"{name}\" does not exist"))
}

fn no_portal(name: &str) -> SqlError {
    SqlError::new("34000", format!("portal \"{name}\" does not exist"))
}

/// Formats come for none, for all at once, or for each.
fn check_formats(formats: &[i16], count: usize) -> Result<(), SqlError> {
    if formats.len() > 1 && formats.len() != count {
        let text = format!("message has {} formats but {count} columns", formats.len());
        return Err(SqlError::protocol(text));
    }
    match formats.iter().find(|format| !matches!(format, 0 | 1)) {
        Some(format) => Err(SqlError::protocol(format!("unsupported format code {format}"))),
        None => Ok(()),
    }
}

fn format_of(formats: &[i16], index: usize) -> i16 {
    match formats {
        [] => 0,
        [one] => *one,
        many => many[index],
    }
}
