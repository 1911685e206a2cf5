//! Cursors, prepared statements, COPY and INSERT, as SQL.
//!
//! A cursor is a portal and a prepared statement is one of the extended protocol's: clients mix
//! both, and describe with one what they made with the other.

use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::ScalarValue;
use pgwire::messages::PgWireBackendMessage as Message;
use pgwire::messages::copy::CopyInResponse;

use crate::command::Command;
use crate::copy::CopyFormat;
use crate::encode::fields;
use crate::engine::{Event, Job, Output, Running};
use crate::error::SqlError;
use crate::extended::{NAMED_MAX, no_cursor};
use crate::local::Transaction;
use crate::params::ParamType;
use crate::session::{
    Active, Client, Failure, Limits, Portal, Prepared, Progress, Sending, What, no_statement,
};
use crate::statement::Rows;
use crate::wire::Frontend;

impl Client {
    /// Carries out a command of the simple protocol.
    pub(crate) async fn command(&mut self, command: Command) -> Result<(), Failure> {
        let mut limits = self.limits();
        match command {
            Command::CopyOut { query, format } => {
                let rows = self.session.parse_rows(query);
                let rows = Self::wait(&mut self.connection, &mut limits, rows).await?;
                self.run_rows(rows, Output::Copy(format)).await
            }
            Command::Insert { table, columns, query } => {
                self.writable()?;
                let (rows, schema) = self.inserted(&table, columns, query, &mut limits).await?;
                self.run_rows(rows, Output::Store(schema)).await
            }
            Command::Declare { name, binary, hold, query } => {
                let rows = self.session.parse_rows(query);
                let rows = Self::wait(&mut self.connection, &mut limits, rows).await?;
                let bytes = rows.text.len();
                let what = self.planned(rows, Vec::new(), Output::Rows).await?;
                let query = Arc::new(Prepared { what, bytes });
                Ok(self.declare(name, binary, hold, query, Vec::new())?)
            }
            command => {
                if let Command::Fetch { cursor, moves: false, .. } = &command {
                    let portal = self.state.portals.get(cursor).ok_or_else(|| no_cursor(cursor))?;
                    let formats = portal.formats.clone();
                    if let What::Rows(_, described, _) = &portal.prepared.what {
                        let fields = fields(&described.schema, Some(&described.names), &formats)?;
                        self.describe_row(&fields);
                    }
                }
                if let Command::Execute { name, .. } = &command {
                    let prepared = self.state.statements.get(name);
                    let prepared = prepared.cloned().ok_or_else(|| no_statement(name))?;
                    if let What::Rows(_, described, Output::Rows) = &prepared.what {
                        let fields = fields(&described.schema, Some(&described.names), &[])?;
                        self.describe_row(&fields);
                    }
                }
                self.execute_command(command, &[]).await
            }
        }
    }

    /// Carries out a command whose columns the client knows already.
    pub(crate) async fn execute_command(
        &mut self,
        command: Command,
        formats: &[i16],
    ) -> Result<(), Failure> {
        match command {
            Command::Fetch { cursor, rows, moves } => self.fetch(&cursor, rows, moves).await,
            Command::Close(None) => {
                self.state.portals.clear();
                self.complete("CLOSE CURSOR ALL".to_owned());
                Ok(())
            }
            Command::Close(Some(name)) => {
                self.state.portals.remove(&name).ok_or_else(|| no_cursor(&name))?;
                self.complete("CLOSE CURSOR".to_owned());
                Ok(())
            }
            Command::Prepare { name, types, query } => {
                self.prepare_named(name, types, query).await?;
                self.complete("PREPARE".to_owned());
                Ok(())
            }
            Command::Execute { name, arguments } => {
                self.execute_named(&name, arguments, formats).await
            }
            Command::CopyIn { table, columns, format } => {
                self.copy_in(&table, columns, format).await
            }
            Command::Nothing(tag) => {
                self.complete(tag.to_owned());
                Ok(())
            }
            Command::Declare { .. } | Command::CopyOut { .. } | Command::Insert { .. } => {
                unreachable!("these are planned before they are carried out")
            }
        }
    }

    pub(crate) fn declare(
        &mut self,
        name: String,
        binary: bool,
        hold: bool,
        query: Arc<Prepared>,
        params: Vec<ScalarValue>,
    ) -> Result<(), SqlError> {
        if !hold && self.state.transaction == Transaction::Idle {
            let text = "DECLARE CURSOR can only be used in transaction blocks";
            return Err(SqlError::new("25P01", text));
        }
        if self.state.portals.contains_key(&name) {
            return Err(SqlError::new("42P03", format!("cursor \"{name}\" already exists")));
        }
        if self.state.portals.len() >= NAMED_MAX {
            return Err(SqlError::new("53400", "too many cursors"));
        }
        let formats = if binary { vec![1] } else { Vec::new() };
        let progress = Progress::Fresh;
        let portal = Portal { prepared: query, params, formats, bytes: 0, progress, hold };
        self.state.portals.insert(name, portal);
        self.complete("DECLARE CURSOR".to_owned());
        Ok(())
    }

    async fn fetch(&mut self, cursor: &str, rows: usize, moves: bool) -> Result<(), Failure> {
        self.failed()?;
        let portal = self.state.portals.get_mut(cursor).ok_or_else(|| no_cursor(cursor))?;
        let tag = if moves { "MOVE" } else { "FETCH" };
        let prepared = portal.prepared.clone();
        let What::Rows(text, described, output @ Output::Rows) = &prepared.what else {
            return Err(SqlError::new("55000", "this portal is not a cursor").into());
        };
        let progress = std::mem::replace(&mut portal.progress, Progress::Done);
        if matches!(progress, Progress::Done) {
            self.complete(format!("{tag} 0"));
            return Ok(());
        }
        let start = (text.clone(), described.clone(), output.clone());
        let sending = Sending { rows_max: rows, describe: false, tag: Some(tag) };
        self.run_portal(cursor, start, progress, sending).await
    }

    async fn prepare_named(
        &mut self,
        name: String,
        types: Vec<String>,
        query: String,
    ) -> Result<(), Failure> {
        if self.state.statements.contains_key(&name) {
            let text = format!("prepared statement \"{name}\" already exists");
            return Err(SqlError::new("42P05", text).into());
        }
        if self.state.statements.len() >= NAMED_MAX {
            return Err(SqlError::new("53400", "too many prepared statements").into());
        }
        let declared = types.iter().map(|name| ParamType::named(name));
        let declared = declared.collect::<Result<Vec<_>, _>>()?;
        let mut limits = self.limits();
        let rows = self.session.parse_rows(query);
        let rows = Self::wait(&mut self.connection, &mut limits, rows).await?;
        let bytes = rows.text.len() + name.len();
        let what = self.planned(rows, declared, Output::Rows).await?;
        self.state.statements.insert(name, Arc::new(Prepared { what, bytes }));
        Ok(())
    }

    async fn execute_named(
        &mut self,
        name: &str,
        arguments: String,
        formats: &[i16],
    ) -> Result<(), Failure> {
        let prepared = self.state.statements.get(name).cloned();
        let prepared = prepared.ok_or_else(|| no_statement(name))?;
        let What::Rows(text, described, output) = &prepared.what else {
            return Err(SqlError::unsupported("EXECUTE of what is not a query").into());
        };
        let mut limits = self.limits();
        let values = match arguments.is_empty() {
            true => Vec::new(),
            false => self.values(arguments, &mut limits).await?,
        };
        if values.len() != described.params.len() {
            let text = format!("wrong number of parameters for prepared statement \"{name}\"");
            return Err(SqlError::new("42601", text).into());
        }
        let params = described.params.iter().zip(values);
        let params = params.map(|(kind, value)| kind.decode(value, false));
        let params = params.collect::<Result<Vec<_>, _>>()?;
        let rows = self.session.parse_rows(text.clone());
        let rows = Self::wait(&mut self.connection, &mut limits, rows).await?;
        let turn = self.session.turn();
        let _turn = Self::wait(&mut self.connection, &mut limits, turn).await?;
        let (tag, output) = (output.tag(&rows), output.clone());
        let described = Some(described.clone());
        let job = Job { rows, params, formats: formats.to_vec(), described, output };
        let mut active = Active::new(self.session.start(job), tag);
        let sending = Sending { rows_max: usize::MAX, describe: false, tag: None };
        self.send_rows(&mut active, sending, &mut limits).await?;
        Ok(())
    }

    /// The values of some expressions, as text.
    async fn values(
        &mut self,
        expressions: String,
        limits: &mut Limits,
    ) -> Result<Vec<Option<Bytes>>, Failure> {
        let rows = self.session.parse_rows(format!("select {expressions}"));
        let rows = Self::wait(&mut self.connection, limits, rows).await?;
        let job = Job {
            rows,
            params: Vec::new(),
            formats: Vec::new(),
            described: None,
            output: Output::Rows,
        };
        let mut running = self.session.start(job);
        let mut values = Vec::new();
        while let Some(event) = Self::wait(&mut self.connection, limits, running.next()).await? {
            if let Event::Rows(chunk) = event {
                values = chunk.cells(0);
            }
        }
        Ok(values)
    }

    /// What an INSERT stores, and as what.
    pub(crate) async fn inserted(
        &mut self,
        table: &str,
        columns: Vec<String>,
        query: String,
        limits: &mut Limits,
    ) -> Result<(Rows, SchemaRef), Failure> {
        let schema = self.session.target(table, &columns)?;
        // Values get the types of their columns, so that parameters are inferred from them.
        let types = schema.fields().iter().map(|field| match field.data_type() {
            DataType::Timestamp(..) => "timestamptz",
            _ => "text",
        });
        let types: Vec<&'static str> = types.collect();
        let rows = self.session.parse_values(query, types);
        Ok((Self::wait(&mut self.connection, limits, rows).await?, schema))
    }

    /// Refuses to write where the client may not, or asked for that.
    pub(crate) fn writable(&self) -> Result<(), SqlError> {
        if !self.backend.who.writes {
            let text = format!("user \"{}\" may not store rows", self.backend.who.user);
            return Err(SqlError::new("42501", text));
        }
        match self.settings().read_only() {
            true => {
                let text = "cannot execute INSERT or COPY FROM in a read-only transaction";
                Err(SqlError::new("25006", text))
            }
            false => Ok(()),
        }
    }

    async fn copy_in(
        &mut self,
        table: &str,
        columns: Vec<String>,
        format: CopyFormat,
    ) -> Result<(), Failure> {
        self.writable()?;
        let schema = self.session.target(table, &columns)?;
        let count = i16::try_from(schema.fields().len())
            .map_err(|_| SqlError::new("54011", "too many columns"))?;
        let code = i8::from(format.binary());
        let formats = vec![i16::from(code); schema.fields().len()];
        self.connection.put(Message::CopyInResponse(CopyInResponse::new(code, count, formats)));
        self.connection.flush().await?;
        let (data, mut running) = self.session.load(schema, format);
        let mut data = Some(data);
        loop {
            // A load may take long; a client that stops sending may not.
            let mut limits = self.limits();
            let message = self.copy_message(&mut limits).await?;
            match message {
                Frontend::CopyData(bytes) if bytes.is_empty() => {}
                Frontend::CopyData(bytes) => {
                    let Some(sender) = &data else { continue };
                    let sent = async { Ok(sender.send(bytes).await.is_ok()) };
                    if !Self::wait(&mut self.connection, &mut limits, sent).await? {
                        // It ended early: it says why.
                        data = None;
                        self.stored(&mut running, &mut limits).await?;
                    }
                }
                Frontend::CopyDone => break,
                Frontend::CopyFail(text) => {
                    let text = format!("COPY from stdin failed: {text}");
                    return Err(SqlError::new("57014", text).into());
                }
                Frontend::Flush | Frontend::Sync => {}
                _ => {
                    let text = "unexpected message during COPY from stdin";
                    return Err(SqlError::protocol(text).into());
                }
            }
        }
        let mut limits = self.limits();
        if let Some(sender) = data.take() {
            // What was sent before counts only with this: else the end might be a break.
            let end = async { Ok(sender.send(Bytes::new()).await.is_ok()) };
            Self::wait(&mut self.connection, &mut limits, end).await?;
        }
        let rows = self.stored(&mut running, &mut limits).await?;
        self.complete(format!("COPY {rows}"));
        Ok(())
    }

    /// The next message of a COPY that comes in.
    async fn copy_message(&mut self, limits: &mut Limits) -> Result<Frontend, Failure> {
        loop {
            match self.connection.framer.next(&mut self.connection.input)? {
                Some(Ok(message)) => return Ok(message),
                Some(Err((_, error))) => return Err(error.into()),
                None => tokio::select! {
                    biased;
                    failure = limits.reached() => return Err(failure),
                    read = self.connection.read() => if !read? {
                        return Err(Failure::Gone);
                    },
                },
            }
        }
    }

    async fn stored(
        &mut self,
        running: &mut Running,
        limits: &mut Limits,
    ) -> Result<usize, Failure> {
        let mut rows = 0;
        while let Some(event) = Self::wait(&mut self.connection, limits, running.next()).await? {
            if let Event::Stored(count) = event {
                rows += count;
            }
        }
        Ok(rows)
    }
}
