//! The table `logs`, as the SQL front end reads it: a group is a stream.
//!
//! ```text
//! timestamp | line | stream_id | level | <a column per common label> | labels | structured_metadata
//! ```
//!
//! `stream_id`, the label columns and `labels` are the same for all rows of a stream, so conditions
//! on them choose streams before anything is read. `labels` and `structured_metadata` are JSON
//! text: `labels->>'pod'` reads what has no column of its own.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringArray, StringBuilder,
    TimestampNanosecondArray,
};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use drave_sql::{BatchStream, ScanRequest, Source, SourceError, Table, TextFilter, async_trait};
use futures::StreamExt;
use memchr::memmem;
use tokio::sync::mpsc;

use super::PARTIALS_MAX;
use crate::model::level::DETECTED_LEVEL;
use crate::model::{Labels, Lines, Metadata, Rows, Selector, Tenant, Timestamp};
use crate::scan::{
    self, BlockMeta, Columns, Order, Request, Scanner, Selection, Snapshot, Stats, Visit,
};

/// Labels that get a column of their own; the rest are read from `labels`.
const LABEL_COLUMNS_MAX: usize = 64;
/// Columns that every table has; a label of such a name gets the prefix `label_`.
const FIXED: [&str; 6] =
    ["timestamp", "line", "stream_id", "level", "labels", "structured_metadata"];

/// Opens the tenants' tables.
pub struct LogsSource {
    scanner: Scanner,
    auth_enabled: bool,
}

impl LogsSource {
    /// With `auth_enabled` the database name is the tenant id; without, all is one tenant's.
    pub fn new(scanner: Scanner, auth_enabled: bool) -> LogsSource {
        LogsSource { scanner, auth_enabled }
    }
}

#[async_trait]
impl Source for LogsSource {
    fn tenant(&self, _user: &str, database: &str) -> Result<String, SourceError> {
        if !self.auth_enabled {
            return Ok(Tenant::single().to_string());
        }
        let tenant = Tenant::parse(database);
        tenant.map(|t| t.to_string()).map_err(|_| SourceError::NoDatabase(database.into()))
    }

    fn table_name(&self) -> &str {
        "logs"
    }

    async fn open(&self, tenant: &str) -> Result<Arc<dyn Table>, SourceError> {
        let tenant =
            Tenant::parse(tenant).map_err(|_| SourceError::NoDatabase(tenant.into()))?;
        let snapshot = self.scanner.snapshot(&tenant).await.map_err(explain)?;
        Ok(Arc::new(LogsTable::new(self.scanner.clone(), snapshot)))
    }
}

/// One tenant's rows at one moment.
struct LogsTable {
    scanner: Scanner,
    snapshot: Arc<Snapshot>,
    streams: Vec<Labels>,
    columns: Vec<Column>,
    schema: SchemaRef,
    key_columns: Vec<usize>,
}

/// What a column shows.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Column {
    Timestamp,
    Line,
    StreamId,
    Level,
    Label(String),
    Labels,
    Metadata,
}

impl LogsTable {
    fn new(scanner: Scanner, snapshot: Snapshot) -> LogsTable {
        let everything = Selection::Selector(Selector::default());
        let streams = snapshot.streams(&everything, &(Timestamp::MIN..Timestamp::MAX));
        let mut columns =
            vec![Column::Timestamp, Column::Line, Column::StreamId, Column::Level];
        columns.extend(common_labels(&streams).into_iter().map(Column::Label));
        columns.extend([Column::Labels, Column::Metadata]);
        let is_key =
            |c: &Column| matches!(c, Column::StreamId | Column::Label(_) | Column::Labels);
        let key_columns = (0..columns.len()).filter(|at| is_key(&columns[*at])).collect();
        let schema = Arc::new(Schema::new(columns.iter().map(Column::field).collect::<Vec<_>>()));
        LogsTable { scanner, snapshot: Arc::new(snapshot), streams, columns, schema, key_columns }
    }
}

/// The labels that most streams have, by name.
fn common_labels(streams: &[Labels]) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, _) in streams.iter().flat_map(Labels::iter) {
        *counts.entry(name).or_default() += 1;
    }
    let mut names: Vec<(usize, &str)> = counts.into_iter().map(|(name, n)| (n, name)).collect();
    names.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    names.truncate(LABEL_COLUMNS_MAX);
    let mut names: Vec<String> = names.into_iter().map(|(_, name)| name.into()).collect();
    names.sort();
    // A label whose prefixed name is another label's stays without a column.
    let shown: HashSet<String> = names.iter().cloned().collect();
    names.retain(|name| !FIXED.contains(&name.as_str()) || !shown.contains(&prefixed(name)));
    names
}

fn prefixed(name: &str) -> String {
    format!("label_{name}")
}

impl Column {
    fn field(&self) -> Field {
        let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
        match self {
            Column::Timestamp => {
                let kind = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
                Field::new("timestamp", kind, false)
            }
            Column::Line => text("line", false),
            Column::StreamId => Field::new("stream_id", DataType::Int64, false),
            Column::Level => text("level", true),
            Column::Label(name) if FIXED.contains(&name.as_str()) => text(&prefixed(name), true),
            Column::Label(name) => text(name, true),
            Column::Labels => text("labels", false),
            Column::Metadata => text("structured_metadata", false),
        }
    }
}

impl Table for LogsTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn key_columns(&self) -> &[usize] {
        &self.key_columns
    }

    fn time_column(&self) -> usize {
        0
    }

    fn text_column(&self) -> usize {
        1
    }

    fn groups(&self) -> RecordBatch {
        let arrays = self.key_columns.iter().map(|at| match &self.columns[*at] {
            Column::StreamId => {
                Arc::new(Int64Array::from_iter_values(self.streams.iter().map(stream_id))) as ArrayRef
            }
            Column::Label(name) => {
                Arc::new(StringArray::from_iter(self.streams.iter().map(|labels| labels.get(name))))
            }
            _ => Arc::new(StringArray::from_iter_values(self.streams.iter().map(labels_json))),
        });
        let schema = self.schema.project(&self.key_columns).expect("own columns");
        let options = RecordBatchOptions::new().with_row_count(Some(self.streams.len()));
        RecordBatch::try_new_with_options(Arc::new(schema), arrays.collect(), &options)
            .expect("one value per stream and column")
    }

    fn scan(&self, request: ScanRequest) -> Result<BatchStream, SourceError> {
        let columns: Vec<Column> =
            request.projection.iter().map(|at| self.columns[*at].clone()).collect();
        let schema = self.schema.project(&request.projection);
        let schema = Arc::new(schema.map_err(|error| SourceError::Internal(error.to_string()))?);
        let selection = match request.groups {
            None => Selection::Selector(Selector::default()),
            Some(groups) => Selection::Streams(
                groups.iter().map(|group| self.streams[*group as usize].clone()).collect(),
            ),
        };
        let reader = Reader { columns, schema, text: request.text };
        let wanted = Request {
            selection,
            range: time_range(&request.time),
            order: match request.newest_first {
                None => Order::Any,
                Some(true) => Order::Backward,
                Some(false) => Order::Forward,
            },
        };
        Ok(self.stream(wanted, reader))
    }
}

impl LogsTable {
    /// Runs the scan beside its reader: what is not read yet holds it back.
    fn stream(&self, request: Request, reader: Reader) -> BatchStream {
        let (scanner, snapshot) = (self.scanner.clone(), Arc::clone(&self.snapshot));
        let (out, batches) = mpsc::channel(PARTIALS_MAX);
        let scan = async move {
            let stats = Arc::new(Stats::default());
            scanner.run(&snapshot, &request, Arc::new(reader), &stats, out).await
        };
        // The scan is polled together with the stream, so dropping the stream ends it.
        let scan = futures::stream::once(scan).filter_map(|result| async move {
            result.err().map(|ReaderError(error)| Err(error))
        });
        let batches = futures::stream::unfold(batches, |mut batches| async move {
            let partial: Vec<RecordBatch> = batches.recv().await?;
            Some((futures::stream::iter(partial.into_iter().map(Ok)), batches))
        });
        futures::stream::select(scan, batches.flatten()).boxed()
    }
}

/// An end of `i64::MAX` means no bound, and that last nanosecond belongs in.
fn time_range(time: &Range<i64>) -> Range<Timestamp> {
    Timestamp(time.start)..Timestamp(time.end)
}

/// Makes record batches of rows.
struct Reader {
    columns: Vec<Column>,
    schema: SchemaRef,
    text: Vec<TextFilter>,
}

struct ReaderError(SourceError);

impl From<scan::Error> for ReaderError {
    fn from(error: scan::Error) -> ReaderError {
        ReaderError(explain(error))
    }
}

impl From<ArrowError> for ReaderError {
    fn from(error: ArrowError) -> ReaderError {
        ReaderError(SourceError::Internal(error.to_string()))
    }
}

fn explain(error: scan::Error) -> SourceError {
    match error {
        scan::Error::Shard(_) | scan::Error::Object(_) => {
            SourceError::Unavailable(error.to_string())
        }
        scan::Error::Chunk { .. } | scan::Error::Batch { .. } => {
            SourceError::Internal(error.to_string())
        }
    }
}

impl Reader {
    fn count_only(&self, n_rows: usize) -> Result<RecordBatch, ArrowError> {
        let options = RecordBatchOptions::new().with_row_count(Some(n_rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), Vec::new(), &options)
    }

    fn batch(&self, stream: &Labels, rows: &Rows) -> Result<RecordBatch, ArrowError> {
        if self.columns.is_empty() {
            return self.count_only(rows.len());
        }
        let arrays: Result<Vec<ArrayRef>, ArrowError> =
            self.columns.iter().map(|column| array(column, stream, rows)).collect();
        RecordBatch::try_new(Arc::clone(&self.schema), arrays?)
    }
}

impl Visit for Reader {
    type Partial = Vec<RecordBatch>;
    type Error = ReaderError;

    fn start(&self) -> Vec<RecordBatch> {
        Vec::new()
    }

    fn columns(&self, _stream: &Labels) -> Columns {
        let has = |column: &Column| self.columns.contains(column);
        Columns {
            lines: has(&Column::Line) || !self.text.is_empty(),
            metadata: has(&Column::Level) || has(&Column::Metadata),
        }
    }

    fn block(&self, partial: &mut Vec<RecordBatch>, _: &Labels, block: &BlockMeta) -> bool {
        let counts = self.columns.is_empty() && self.text.is_empty();
        match self.count_only(block.n_rows as usize) {
            Ok(batch) if counts => {
                partial.push(batch);
                true
            }
            _ => false,
        }
    }

    fn rows(
        &self,
        partial: &mut Vec<RecordBatch>,
        stream: &Labels,
        rows: Rows,
    ) -> Result<(), ReaderError> {
        let rows = filter(rows, &self.text);
        if !rows.is_empty() {
            partial.push(self.batch(stream, &rows)?);
        }
        Ok(())
    }
}

fn filter(rows: Rows, filters: &[TextFilter]) -> Rows {
    let Some(lines) = rows.lines.as_ref().filter(|_| !filters.is_empty()) else { return rows };
    let mut keep = vec![true; lines.len()];
    for filter in filters {
        let (needle, wanted) = match filter {
            TextFilter::Contains(needle) => (needle, true),
            TextFilter::NotContains(needle) => (needle, false),
        };
        let found = containing(lines, needle.as_bytes());
        keep.iter_mut().zip(found).for_each(|(keep, found)| *keep &= found == wanted);
    }
    let keep: Vec<usize> = (0..keep.len()).filter(|row| keep[*row]).collect();
    if keep.len() == lines.len() { rows } else { rows.select(&keep) }
}

/// Which lines hold the needle: one search over the whole buffer, hits mapped to rows.
fn containing(lines: &Lines, needle: &[u8]) -> Vec<bool> {
    if needle.is_empty() {
        return vec![true; lines.len()];
    }
    let mut found = vec![false; lines.len()];
    let finder = memmem::Finder::new(needle);
    let base = lines.offsets[0] as usize;
    let span = lines.span();
    let mut at = 0;
    while let Some(hit) = finder.find(&span[at..]) {
        let hit = at + hit;
        let row = lines.offsets.partition_point(|offset| *offset as usize - base <= hit) - 1;
        let end = lines.offsets[row + 1] as usize - base;
        // A hit that runs into the next line is none.
        let inside = hit + needle.len() <= end;
        found[row] |= inside;
        at = if inside { end } else { hit + 1 };
    }
    found
}

fn array(column: &Column, stream: &Labels, rows: &Rows) -> Result<ArrayRef, ArrowError> {
    let n = rows.len();
    Ok(match column {
        Column::Timestamp => {
            let values = TimestampNanosecondArray::from(rows.timestamps.clone());
            Arc::new(values.with_timezone("UTC"))
        }
        Column::Line => Arc::new(lines_array(rows.lines.as_ref().expect("lines were asked for"))?),
        Column::StreamId => Arc::new(Int64Array::from_value(stream_id(stream), n)),
        Column::Label(name) => Arc::new(repeated(stream.get(name), n)),
        Column::Labels => Arc::new(repeated(Some(&labels_json(stream)), n)),
        Column::Level => Arc::new(by_set(rows, |set| set.get(DETECTED_LEVEL).map(String::from))),
        Column::Metadata => Arc::new(by_set(rows, |set| Some(metadata_json(set)))),
    })
}

/// Lines without a copy: Arrow's layout is ours.
fn lines_array(lines: &Lines) -> Result<StringArray, ArrowError> {
    let offsets: Result<Vec<i32>, _> =
        lines.offsets.iter().map(|offset| i32::try_from(*offset)).collect();
    match offsets {
        Ok(offsets) => StringArray::try_new(
            OffsetBuffer::new(ScalarBuffer::from(offsets)),
            Buffer::from(lines.bytes.clone()),
            None,
        ),
        // A buffer of more than 2 GiB: only this unit's part of it is copied.
        Err(_) => Ok(StringArray::from_iter_values((0..lines.len()).map(|row| lines.text(row)))),
    }
}

fn repeated(value: Option<&str>, n: usize) -> StringArray {
    match value {
        None => StringArray::new_null(n),
        Some(value) => StringArray::from_iter_values(std::iter::repeat_n(value, n)),
    }
}

/// A text that depends on the metadata set alone: made once per set.
fn by_set(rows: &Rows, text_of: impl Fn(&Metadata) -> Option<String>) -> StringArray {
    let metadata = rows.metadata.as_ref().expect("metadata was asked for");
    let texts: Vec<Option<String>> = metadata.sets.iter().map(text_of).collect();
    let mut builder = StringBuilder::with_capacity(rows.len(), rows.len() * 8);
    for id in &metadata.ids {
        builder.append_option(texts[*id as usize].as_deref());
    }
    builder.finish()
}

/// Stable over restarts and nodes; the same for equal labels.
fn stream_id(labels: &Labels) -> i64 {
    i64::try_from(labels.hash64() >> 1).expect("63 bits fit")
}

fn labels_json(labels: &Labels) -> String {
    json(labels.iter())
}

fn metadata_json(set: &Metadata) -> String {
    json(set.iter())
}

fn json<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let map: BTreeMap<&str, &str> = pairs.collect();
    serde_json::to_string(&map).expect("texts are JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needles_do_not_cross_lines() {
        let check = |lines: &[&str], needle: &str, expected: &[bool]| {
            let mut offsets = vec![0];
            for line in lines {
                offsets.push(offsets.last().expect("not empty") + line.len() as u32);
            }
            let lines = Lines { bytes: lines.concat().into(), offsets };
            assert_eq!(containing(&lines, needle.as_bytes()), expected, "{needle}");
        };
        check(&["abc", "def", "bcd"], "bc", &[true, false, true]);
        check(&["ab", "cd"], "bc", &[false, false]);
        check(&["ab", "", "bab", ""], "b", &[true, false, true, false]);
        check(&["aab", "ab"], "aba", &[false, false]);
        check(&["x", ""], "", &[true, true]);
    }

    #[test]
    fn labels_get_columns_and_fixed_names_a_prefix() {
        let of = |pairs: &[(&str, &str)]| Labels::from_pairs(pairs.iter().copied()).expect("unique");
        let streams = [of(&[("app", "a"), ("level", "x")]), of(&[("app", "b"), ("pod", "p")])];
        assert_eq!(common_labels(&streams), ["app", "level", "pod"]);
        assert_eq!(Column::Label("level".into()).field().name(), "label_level");
        let clash = [of(&[("level", "x"), ("label_level", "y")])];
        assert_eq!(common_labels(&clash), ["label_level"]);
    }
}
