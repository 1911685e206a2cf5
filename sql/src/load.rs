//! Rows on their way in: of INSERT and of COPY FROM STDIN.
//!
//! In go batches of a query, or bytes of a COPY; out go batches of the types that the source wants,
//! each stored before the next is read.
//!
//! - What is stored was acknowledged by the source. An error names what came before it.
//! - A COPY that breaks off stores nothing of the piece that was not finished.

use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::array::{ArrayRef, RecordBatch, StringBuilder, TimestampNanosecondBuilder};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::clock;
use crate::copy::{CopyFormat, Reader, RowIn};
use crate::error::SqlError;
use crate::table::Source;

/// Rows of a COPY that are stored together, and bytes.
const ROWS_MAX: usize = 8192;
const BYTES_MAX: usize = 1 << 20;
/// From 1970 to 2000, where Postgres' binary timestamps begin, in microseconds.
const EPOCH_2000_US: i64 = 946_684_800_000_000;

/// Where rows go.
#[derive(Clone)]
pub(crate) struct Sink {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) tenant: String,
    /// The runtime of the source.
    pub(crate) runtime: Handle,
    pub(crate) schema: SchemaRef,
}

impl Sink {
    /// Stores the rows of a query, column by column as they come.
    pub(crate) async fn store(&self, batch: &RecordBatch) -> Result<usize, SqlError> {
        let columns = batch.columns().iter().zip(self.schema.fields());
        let columns = columns.map(|(array, field)| cast(array, field.data_type()));
        let columns = columns.collect::<Result<Vec<ArrayRef>, _>>()?;
        let batch = RecordBatch::try_new(self.schema.clone(), columns)?;
        self.append(batch).await
    }

    async fn append(&self, batch: RecordBatch) -> Result<usize, SqlError> {
        let rows = batch.num_rows();
        if rows == 0 {
            return Ok(0);
        }
        let (source, tenant) = (self.source.clone(), self.tenant.clone());
        let mut appending = JoinSet::new();
        appending.spawn_on(async move { source.append(&tenant, batch).await }, &self.runtime);
        match appending.join_next().await {
            Some(Ok(result)) => result?,
            Some(Err(_)) | None => return Err(SqlError::panicked()),
        }
        Ok(rows)
    }

    /// Stores the rows of a COPY. An empty piece is its end; without one it broke off.
    pub(crate) async fn load(
        &self,
        format: CopyFormat,
        pieces: &mut mpsc::Receiver<Bytes>,
    ) -> Result<usize, SqlError> {
        let mut stored = 0;
        match self.load_rows(format, pieces, &mut stored).await {
            Ok(()) => Ok(stored),
            Err(error) => Err(after(error, stored)),
        }
    }

    async fn load_rows(
        &self,
        format: CopyFormat,
        pieces: &mut mpsc::Receiver<Bytes>,
        stored: &mut usize,
    ) -> Result<(), SqlError> {
        let (binary, mut reader) = (format.binary(), Reader::new(format));
        let (mut rows, mut bytes) = (Vec::<RowIn>::new(), 0);
        while let Some(piece) = pieces.recv().await {
            let last = piece.is_empty();
            reader.feed(&piece);
            while let Some(row) = reader.next(last).map_err(|error| placed(error, reader.at()))? {
                if row.len() != self.schema.fields().len() {
                    let text = match row.len() < self.schema.fields().len() {
                        true => "missing data for a column",
                        false => "extra data after last expected column",
                    };
                    return Err(placed(SqlError::new("22P04", text), reader.at()));
                }
                bytes += row.iter().flatten().map(Vec::len).sum::<usize>();
                rows.push(row);
                if rows.len() >= ROWS_MAX || bytes >= BYTES_MAX {
                    let batch = self.batch(&rows, binary);
                    let batch = batch.map_err(|error| placed(error, reader.at()))?;
                    *stored += self.append(batch).await?;
                    rows.clear();
                    bytes = 0;
                }
            }
            if last {
                let batch = self.batch(&rows, binary);
                let batch = batch.map_err(|error| placed(error, reader.at()))?;
                *stored += self.append(batch).await?;
                return Ok(());
            }
        }
        Err(SqlError::new("57014", "COPY from stdin broke off"))
    }

    fn batch(&self, rows: &[RowIn], binary: bool) -> Result<RecordBatch, SqlError> {
        let fields = self.schema.fields().iter().enumerate();
        let columns = fields.map(|(index, field)| {
            let cells = rows.iter().map(|row| row[index].as_deref());
            match field.data_type() {
                DataType::Timestamp(..) => times(cells, binary),
                _ => texts(cells),
            }
        });
        let columns = columns.collect::<Result<Vec<ArrayRef>, SqlError>>()?;
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?)
    }
}

fn texts<'a>(cells: impl Iterator<Item = Option<&'a [u8]>>) -> Result<ArrayRef, SqlError> {
    let mut out = StringBuilder::new();
    for cell in cells {
        match cell.map(std::str::from_utf8) {
            None => out.append_null(),
            Some(Ok(text)) => out.append_value(text),
            Some(Err(_)) => {
                let text = "invalid byte sequence for encoding \"UTF8\"";
                return Err(SqlError::new("22021", text));
            }
        }
    }
    Ok(Arc::new(out.finish()))
}

fn times<'a>(
    cells: impl Iterator<Item = Option<&'a [u8]>>,
    binary: bool,
) -> Result<ArrayRef, SqlError> {
    let mut out = TimestampNanosecondBuilder::new();
    for cell in cells {
        let Some(cell) = cell else {
            out.append_null();
            continue;
        };
        let at = match (binary, <[u8; 8]>::try_from(cell), std::str::from_utf8(cell)) {
            (true, Ok(bytes), _) => {
                let at = i64::from_be_bytes(bytes).checked_add(EPOCH_2000_US);
                at.and_then(|at| at.checked_mul(1000))
            }
            (false, _, Ok(text)) => clock::time(text),
            _ => None,
        };
        out.append_value(at.ok_or_else(|| {
            let text = String::from_utf8_lossy(&cell[..cell.len().min(64)]).into_owned();
            let text =
                format!("invalid input syntax for type timestamp with time zone: \"{text}\"");
            SqlError::new("22007", text)
        })?);
    }
    Ok(Arc::new(out.finish().with_timezone("UTC")))
}

/// Says where in a COPY an error is.
fn placed(mut error: SqlError, row: u64) -> SqlError {
    error.message = format!("{} (COPY, line {row})", error.message);
    error
}

/// Says what was stored before an error.
fn after(error: SqlError, stored: usize) -> SqlError {
    if stored == 0 {
        return error;
    }
    error.hint(format!(
        "{stored} rows were stored before; the same rows sent again are not stored twice"
    ))
}
