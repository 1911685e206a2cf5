//! Tables that are made when they are asked for: about the server, and of the table function.
//!
//! - A system table is what its source says when the statement names it.
//! - A statement that is only described asks the source for nothing.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use datafusion::catalog::{
    MemTable, SchemaProvider, Session, TableFunctionArgs, TableFunctionImpl, TableProvider,
};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::clock;
use crate::error::SqlError;
use crate::table::{Answer, Moment, Question, Source, SourceError};

/// Who asks, and where the source runs.
#[derive(Clone)]
pub(crate) struct Asker {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) tenant: String,
    pub(crate) runtime: Handle,
}

impl fmt::Debug for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asker").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl Asker {
    /// Waits for the source on its own runtime, and not longer than the statement lives.
    async fn rows(
        &self,
        asking: impl Future<Output = Result<RecordBatch, SourceError>> + Send + 'static,
    ) -> Result<RecordBatch> {
        let mut set = JoinSet::new();
        set.spawn_on(asking, &self.runtime);
        match set.join_next().await {
            Some(Ok(batch)) => Ok(batch.map_err(SqlError::from)?),
            Some(Err(_)) | None => Err(SqlError::panicked().into()),
        }
    }
}

/// The schema of the system tables.
#[derive(Debug)]
pub(crate) struct System {
    pub(crate) asker: Asker,
}

#[async_trait]
impl SchemaProvider for System {
    fn table_names(&self) -> Vec<String> {
        let tables = self.asker.source.system_tables();
        tables.into_iter().map(|(name, _)| name.to_owned()).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let tables = self.asker.source.system_tables();
        let found = tables.into_iter().find(|(known, _)| *known == name);
        Ok(found.map(|(name, schema)| {
            let rows = Rows::System(name);
            Arc::new(Asked { asker: self.asker.clone(), schema, rows }) as Arc<dyn TableProvider>
        }))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.asker.source.system_tables().iter().any(|(known, _)| *known == name)
    }
}

enum Rows {
    System(&'static str),
    Answer(Arc<dyn Answer>),
}

/// A table whose rows the source is asked for when a statement runs.
struct Asked {
    asker: Asker,
    schema: SchemaRef,
    rows: Rows,
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked").field("schema", &self.schema).finish_non_exhaustive()
    }
}

#[async_trait]
impl TableProvider for Asked {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Asker { source, tenant, .. } = self.asker.clone();
        let batch = match &self.rows {
            Rows::System(name) => {
                let name = *name;
                let asking = async move { source.system_table(&tenant, name).await };
                self.asker.rows(asking).await?
            }
            Rows::Answer(answer) => {
                let answer = answer.clone();
                self.asker.rows(async move { answer.rows(&tenant).await }).await?
            }
        };
        let table = MemTable::try_new(self.schema.clone(), vec![vec![batch]])?;
        table.scan(state, projection, filters, limit).await
    }
}

/// The table function that asks the source in its own language.
#[derive(Debug)]
pub(crate) struct AskFunction {
    pub(crate) asker: Asker,
}

impl TableFunctionImpl for AskFunction {
    fn call_with_args(&self, args: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        let name = self.asker.source.function_name();
        let mut texts = args.exprs().iter().map(|expr| argument(name, expr));
        let missing = || {
            let text = format!("{name}(query [, start, end [, step]]) needs a query");
            SqlError::new("42883", text)
        };
        let text = match texts.next().transpose()? {
            Some(Value::Text(text)) => text,
            _ => return Err(missing().into()),
        };
        let mut moment = || -> Result<Option<Moment>> {
            Ok(match texts.next().transpose()? {
                None | Some(Value::Null) => None,
                Some(Value::Time(at)) => Some(Moment::At(at)),
                Some(Value::Text(text)) => Some(moment_of(&text)?),
                Some(Value::Span(_)) => return Err(missing().into()),
            })
        };
        let (start, end) = (moment()?, moment()?);
        let step = match texts.next().transpose()? {
            None | Some(Value::Null) => None,
            Some(Value::Span(nanos)) => Some(nanos),
            Some(Value::Text(text)) => Some(span_of(&text).ok_or_else(|| bad_time(&text))?),
            Some(Value::Time(_)) => return Err(missing().into()),
        };
        if texts.next().is_some() {
            return Err(missing().into());
        }
        let question = Question { text, start, end, step };
        let answer = self.asker.source.ask(question).map_err(SqlError::from)?;
        let schema = answer.schema();
        Ok(Arc::new(Asked { asker: self.asker.clone(), schema, rows: Rows::Answer(answer) }))
    }
}

/// An argument, which must be known before the statement runs.
enum Value {
    Null,
    Text(String),
    Time(i64),
    Span(i64),
}

fn argument(name: &str, expr: &Expr) -> Result<Value> {
    let constant = match expr {
        Expr::Cast(cast) => match cast.expr.as_ref() {
            Expr::Literal(value, _) => Some(value.cast_to(cast.field.data_type())?),
            _ => None,
        },
        Expr::Literal(value, _) => Some(value.clone()),
        _ => None,
    };
    let utc = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
    Ok(match constant {
        Some(value) if value.is_null() => Value::Null,
        Some(ScalarValue::IntervalMonthDayNano(Some(span))) if span.months == 0 => {
            Value::Span(i64::from(span.days) * 86_400_000_000_000 + span.nanoseconds)
        }
        Some(value) if value.data_type().is_string() => {
            Value::Text(value.try_as_str().flatten().unwrap_or_default().to_owned())
        }
        Some(value) if value.data_type().is_temporal() => match value.cast_to(&utc)? {
            ScalarValue::TimestampNanosecond(Some(at), _) => Value::Time(at),
            _ => Value::Null,
        },
        _ => {
            let text = format!("an argument of {name}() that is not a constant");
            return Err(SqlError::unsupported(text).into());
        }
    })
}

fn bad_time(text: &str) -> SqlError {
    let text: String = text.chars().take(64).collect();
    SqlError::new("22007", format!("invalid time or time span: \"{text}\""))
        .hint("times are '2026-01-02 03:04:05Z', 'now' or '-15m'; steps are '30s'")
}

fn moment_of(text: &str) -> Result<Moment> {
    let text = text.trim();
    if text == "now" {
        return Ok(Moment::Ago(0));
    }
    if let Some(span) = text.strip_prefix('-').and_then(span_of) {
        return Ok(Moment::Ago(span));
    }
    match clock::time(text) {
        Some(at) => Ok(Moment::At(at)),
        None => Err(bad_time(text).into()),
    }
}

/// `90s`, `1h30m`.
fn span_of(text: &str) -> Option<i64> {
    let (mut total, mut number) = (0i64, String::new());
    let mut chars = text.trim().chars().peekable();
    while let Some(char) = chars.next() {
        if char.is_ascii_digit() {
            number.push(char);
            continue;
        }
        let unit = match (char, chars.peek()) {
            ('m', Some('s')) => {
                chars.next();
                1_000_000
            }
            ('s', _) => 1_000_000_000,
            ('m', _) => 60_000_000_000,
            ('h', _) => 3_600_000_000_000,
            ('d', _) => 86_400_000_000_000,
            ('w', _) => 604_800_000_000_000,
            _ => return None,
        };
        let count: i64 = std::mem::take(&mut number).parse().ok()?;
        total = total.checked_add(count.checked_mul(unit)?)?;
    }
    (number.is_empty() && total > 0).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        let check =
            |text: &str, expected: Option<i64>| assert_eq!(span_of(text), expected, "{text}");
        check("90s", Some(90_000_000_000));
        check("1h30m", Some(5_400_000_000_000));
        check("5ms", Some(5_000_000));
        check("1d", Some(86_400_000_000_000));
        check("", None);
        check("5", None);
        check("s", None);
        check("0s", None);
        check("99999999999999d", None);
    }
}
