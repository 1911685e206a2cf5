//! The extended protocol: Parse, Bind, Describe, Execute, Close.
//!
//! In go the messages of one client; out come their answers. A statement is planned when it is
//! prepared, to describe it, and again when it is run, on what is there then.

use std::sync::Arc;

use pgwire::messages::PgWireBackendMessage as Message;
use pgwire::messages::data::{NoData, ParameterDescription};
use pgwire::messages::extendedquery::{BindComplete, CloseComplete, ParseComplete};
use pgwire::messages::response::EmptyQueryResponse;

use crate::command::Command;
use crate::encode::fields;
use crate::engine::{Described, Job, Output};
use crate::error::SqlError;
use crate::infer;
use crate::local::{Transaction, shown};
use crate::params::ParamType;
use crate::session::{
    Active, Client, Failure, Limits, Portal, Prepared, Progress, Sending, What, check_formats,
    format_of, no_portal, no_statement,
};
use crate::statement::{Local, Rows, Statement};
use crate::wire::{Bind, Frontend, Target};

/// The most prepared statements, and portals, of a connection.
pub(crate) const NAMED_MAX: usize = 512;
/// The most text of prepared statements, in bytes.
const PREPARED_BYTES_MAX: usize = 4 << 20;
/// The most parameter values of portals, in bytes.
const BOUND_BYTES_MAX: usize = 64 << 20;

impl Client {
    pub(crate) async fn extended(&mut self, message: Frontend) -> Result<(), Failure> {
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
            Frontend::CopyData(_) | Frontend::CopyDone | Frontend::CopyFail(_) => {
                Err(SqlError::protocol("data of a COPY where there is no COPY").into())
            }
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
        let mut declared = declared.collect::<Result<Vec<_>, _>>()?;
        infer::declare_oids(&text, &mut declared);
        self.backend.begins(&text);
        self.state.text.clone_from(&text);
        let mut limits = self.limits();
        let parsing = self.session.parse(text.clone());
        let mut parsed = Self::wait(&mut self.connection, &mut limits, parsing).await?;
        if parsed.len() > 1 {
            let text = "cannot insert multiple commands into a prepared statement";
            return Err(SqlError::new("42601", text).into());
        }
        let what = match parsed.pop() {
            None => What::Empty,
            Some(statement) => {
                self.allowed(&statement)?;
                self.what(statement, declared, &mut limits).await?
            }
        };
        self.state.statements.insert(name, Arc::new(Prepared { what, bytes }));
        self.connection.put(Message::ParseComplete(ParseComplete::new()));
        Ok(())
    }

    /// Plans a statement.
    async fn what(
        &mut self,
        statement: Statement,
        declared: Vec<Option<ParamType>>,
        limits: &mut Limits,
    ) -> Result<What, Failure> {
        let command = match statement {
            Statement::Local(local) => return Ok(What::Local(local)),
            Statement::Rows(rows) => return self.planned(rows, declared, Output::Rows).await,
            Statement::Command(command) => command,
        };
        Ok(match command {
            Command::Declare { name, binary, hold, query } => {
                let rows = self.session.parse_rows(query);
                let rows = Self::wait(&mut self.connection, limits, rows).await?;
                let bytes = rows.text.len();
                let what = self.planned(rows, declared, Output::Rows).await?;
                What::Declare { name, binary, hold, query: Arc::new(Prepared { what, bytes }) }
            }
            Command::CopyOut { query, format } => {
                let rows = self.session.parse_rows(query);
                let rows = Self::wait(&mut self.connection, limits, rows).await?;
                self.planned(rows, declared, Output::Copy(format)).await?
            }
            Command::Insert { table, columns, query } => {
                let (rows, schema) = self.inserted(&table, columns, query, limits).await?;
                self.planned(rows, declared, Output::Store(schema)).await?
            }
            command => What::Command(command),
        })
    }

    /// A question, planned.
    pub(crate) async fn planned(
        &mut self,
        rows: Rows,
        declared: Vec<Option<ParamType>>,
        output: Output,
    ) -> Result<What, Failure> {
        let mut limits = self.limits();
        let turn = self.session.turn();
        let _turn = Self::wait(&mut self.connection, &mut limits, turn).await?;
        let text = rows.text.clone();
        let describing = self.session.describe(rows, declared);
        let described = Self::wait(&mut self.connection, &mut limits, describing).await?;
        Ok(What::Rows(text, described, output))
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
        let bound = Portal {
            prepared,
            params,
            formats: result_formats,
            bytes,
            progress: Progress::Fresh,
            hold: false,
        };
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
            What::Rows(_, described, Output::Rows) => {
                Some(fields(&described.schema, Some(&described.names), formats)?)
            }
            What::Rows(..) | What::Declare { .. } => None,
            What::Command(Command::Execute { name, .. }) => {
                let prepared = self.state.statements.get(name).cloned();
                let prepared = prepared.ok_or_else(|| no_statement(name))?;
                return self.describe(&prepared, formats);
            }
            What::Command(Command::Fetch { cursor, moves: false, .. }) => {
                let portal = self.state.portals.get(cursor).ok_or_else(|| no_cursor(cursor))?;
                let (prepared, formats) = (portal.prepared.clone(), portal.formats.clone());
                return self.describe(&prepared, &formats);
            }
            What::Command(_) => None,
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
            (What::Rows(_, _, output), Progress::Done) => {
                let tag = match output {
                    Output::Rows => "SELECT 0",
                    Output::Copy(_) => "COPY 0",
                    Output::Store(_) => "INSERT 0 0",
                };
                self.complete(tag.to_owned());
                Ok(())
            }
            (What::Local(local), Progress::Fresh) => {
                let formats = portal.formats.clone();
                self.allowed(&Statement::Local(local.clone()))?;
                let answer = self.local(local.clone())?;
                Ok(self.answer(answer, &formats, false)?)
            }
            (What::Command(command), Progress::Fresh) => {
                let formats = portal.formats.clone();
                self.allowed(&Statement::Command(command.clone()))?;
                Box::pin(self.execute_command(command.clone(), &formats)).await
            }
            (What::Declare { name, binary, hold, query }, Progress::Fresh) => {
                let params = portal.params.clone();
                self.failed()?;
                Ok(self.declare(name.clone(), *binary, *hold, query.clone(), params)?)
            }
            (What::Local(_) | What::Command(_) | What::Declare { .. }, _) => {
                Err(SqlError::new("55000", format!("portal \"{name}\" cannot be run")).into())
            }
            (What::Rows(text, described, output), progress) => {
                self.failed()?;
                self.backend.begins(text);
                let rows_max = match output {
                    Output::Rows => rows_max,
                    Output::Copy(_) | Output::Store(_) => usize::MAX,
                };
                let start = (text.clone(), described.clone(), output.clone());
                let sending = Sending { rows_max, describe: false, tag: None };
                self.run_portal(&name, start, progress, sending).await
            }
        }
    }

    /// Refuses to go on in a transaction that has failed.
    pub(crate) fn failed(&self) -> Result<(), SqlError> {
        match self.state.transaction {
            Transaction::Failed => {
                self.allowed(&Statement::Local(Local::Begin { read_only: false }))
            }
            Transaction::Idle | Transaction::Open => Ok(()),
        }
    }

    /// Sends the next rows of a portal.
    pub(crate) async fn run_portal(
        &mut self,
        name: &str,
        (text, described, output): (String, Described, Output),
        progress: Progress,
        sending: Sending,
    ) -> Result<(), Failure> {
        let mut limits = self.limits();
        let turn = self.session.turn();
        let _turn = Self::wait(&mut self.connection, &mut limits, turn).await?;
        let mut active = match progress {
            Progress::Suspended(active) => active,
            _ => self.begin(name, text, described, output, &mut limits).await?,
        };
        let done = self.send_rows(&mut active, sending, &mut limits).await?;
        if let Some(portal) = self.state.portals.get_mut(name).filter(|_| !done) {
            portal.progress = Progress::Suspended(active);
        }
        Ok(())
    }

    /// Starts the statement of a portal.
    async fn begin(
        &mut self,
        name: &str,
        text: String,
        described: Described,
        output: Output,
        limits: &mut Limits,
    ) -> Result<Active, Failure> {
        if matches!(output, Output::Store(_)) {
            self.writable()?;
        }
        let parsing = self.session.parse_rows(text);
        let rows = Self::wait(&mut self.connection, limits, parsing).await?;
        let portal = self.state.portals.get(name).ok_or_else(|| no_portal(name))?;
        let tag = output.tag(&rows);
        let job = Job {
            rows,
            params: portal.params.clone(),
            formats: portal.formats.clone(),
            described: Some(described),
            output,
        };
        Ok(Active::new(self.session.start(job), tag))
    }
}

pub(crate) fn no_cursor(name: &str) -> SqlError {
    SqlError::new("34000", format!("cursor \"{name}\" does not exist"))
}
