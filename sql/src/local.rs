//! Statements about the session itself: transactions, settings, SHOW.
//!
//! Nothing is ever written, so a transaction is a status that clients rely on and a frame for
//! settings: SET is undone by ROLLBACK, SET LOCAL by any end.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::error::SqlError;
use crate::session::{Client, no_statement};
use crate::settings::Settings;
use crate::statement::Local;

/// Where a client is with its transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transaction {
    Idle,
    Open,
    Failed,
}

/// The settings that a transaction's end goes back to.
pub(crate) struct Saved {
    rollback: Settings,
    commit: Settings,
}

/// What answers a statement about the session.
pub(crate) enum Answer {
    Tag(String),
    Rows(RecordBatch, &'static str),
}

impl Client {
    pub(crate) fn local(&mut self, local: Local) -> Result<Answer, SqlError> {
        let tag = |tag: &str| Ok(Answer::Tag(tag.to_owned()));
        match local {
            Local::Set { name, value, local } => self.set(&name, value.as_deref(), local),
            Local::ResetAll => {
                self.settings().reset_all();
                tag("RESET")
            }
            Local::Show(name) => {
                let value = self.settings().get(&name)?;
                let schema = show_schema(Settings::canonical(&name)?);
                Ok(Answer::Rows(texts(schema, vec![vec![value]])?, "SHOW"))
            }
            Local::ShowAll => {
                let (names, values) = self
                    .settings()
                    .all()
                    .map(|(name, value)| (name.to_owned(), value))
                    .unzip::<_, _, Vec<_>, Vec<_>>();
                let descriptions = vec![String::new(); names.len()];
                let columns = vec![names, values, descriptions];
                Ok(Answer::Rows(texts(show_all_schema(), columns)?, "SHOW"))
            }
            Local::Deallocate(Some(name)) => match self.state.statements.remove(&name) {
                Some(_) => tag("DEALLOCATE"),
                None => Err(no_statement(&name)),
            },
            Local::Deallocate(None) => {
                self.state.statements.clear();
                tag("DEALLOCATE ALL")
            }
            Local::DiscardAll => {
                if self.state.transaction != Transaction::Idle {
                    let text = "DISCARD ALL cannot run inside a transaction block";
                    return Err(SqlError::new("25001", text));
                }
                self.state.statements.clear();
                self.state.portals.clear();
                self.settings().reset_all();
                tag("DISCARD ALL")
            }
            Local::Nothing(name) => tag(name),
            other => tag(self.transaction(&other)?),
        }
    }

    fn set(&mut self, name: &str, value: Option<&str>, local: bool) -> Result<Answer, SqlError> {
        let in_transaction = self.state.transaction != Transaction::Idle;
        if local && !in_transaction {
            let text = "SET LOCAL can only be used in transaction blocks";
            self.connection.put_warning(&SqlError::new("25P01", text));
            return Ok(Answer::Tag("SET".to_owned()));
        }
        self.settings().set(name, value)?;
        if let Some(saved) = self.state.saved.as_mut().filter(|_| !local) {
            saved.commit.set(name, value)?;
        }
        Ok(Answer::Tag(if value.is_some() { "SET" } else { "RESET" }.to_owned()))
    }

    fn transaction(&mut self, local: &Local) -> Result<&'static str, SqlError> {
        use Transaction::{Failed, Idle, Open};
        let warn = |text: &str| SqlError::new("25P01", text);
        Ok(match (local, self.state.transaction) {
            (Local::Begin { read_only }, Idle) => {
                self.state.transaction = Open;
                let now = self.settings().clone();
                self.state.saved = Some(Saved { rollback: now.clone(), commit: now });
                if *read_only {
                    self.settings().set("transaction_read_only", Some("on"))?;
                }
                "BEGIN"
            }
            (Local::Begin { .. }, _) => {
                let text = "there is already a transaction in progress";
                self.connection.put_warning(&SqlError::new("25001", text));
                "BEGIN"
            }
            (Local::Commit, Idle) => {
                self.connection.put_warning(&warn("there is no transaction in progress"));
                "COMMIT"
            }
            (Local::Rollback, Idle) => {
                self.connection.put_warning(&warn("there is no transaction in progress"));
                "ROLLBACK"
            }
            (Local::Commit, Open) => {
                self.end_transaction(true);
                "COMMIT"
            }
            (Local::Commit | Local::Rollback, _) => {
                self.end_transaction(false);
                "ROLLBACK"
            }
            (Local::Savepoint, Open) => "SAVEPOINT",
            (Local::Release, Open) => "RELEASE",
            // Nothing was written, so there is nothing to go back to.
            (Local::RollbackTo, Open | Failed) => {
                self.state.transaction = Open;
                "ROLLBACK"
            }
            _ => return Err(warn("savepoints can only be used in transaction blocks")),
        })
    }

    fn end_transaction(&mut self, commit: bool) {
        self.state.transaction = Transaction::Idle;
        self.state.end_portals();
        if let Some(saved) = self.state.saved.take() {
            *self.settings() = if commit { saved.commit } else { saved.rollback };
        }
    }
}

/// The columns of a SHOW.
pub(crate) fn shown(local: &Local) -> Result<Option<SchemaRef>, SqlError> {
    Ok(match local {
        Local::Show(name) => Some(show_schema(Settings::canonical(name)?)),
        Local::ShowAll => Some(show_all_schema()),
        _ => None,
    })
}

fn show_schema(name: &str) -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new(name, DataType::Utf8, false)]))
}

fn show_all_schema() -> SchemaRef {
    let field = |name| Field::new(name, DataType::Utf8, false);
    Arc::new(Schema::new(["name", "setting", "description"].map(field).to_vec()))
}

fn texts(schema: SchemaRef, columns: Vec<Vec<String>>) -> Result<RecordBatch, SqlError> {
    let columns = columns.into_iter().map(|column| Arc::new(StringArray::from(column)) as ArrayRef);
    Ok(RecordBatch::try_new(schema, columns.collect())?)
}
