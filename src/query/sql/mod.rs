//! The table `logs`, as the SQL front end reads it: a group is a stream.
//!
//! ```text
//! timestamp | line | stream_id | level | <a column per common label> | labels | structured_metadata
//! ```
//!
//! `stream_id`, the label columns and `labels` are the same for all rows of a stream, so conditions
//! on them choose streams before anything is read. `labels` and `structured_metadata` are JSON
//! text: `labels->>'pod'` reads what has no column of its own.

mod ask;
pub(super) mod cells;
mod describe;
mod members;
mod ordered;
pub(super) mod remote;
mod rows;
mod store;
mod system;
mod text;

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use drave_sql::{
    Activity, Answer, BatchStream, Notice, Question, Scan, ScanRequest, Source, SourceError, Table,
    async_trait,
};
use futures::StreamExt;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::PARTIALS_MAX;
use crate::cluster::consistency::Consistency;
use crate::ingest::StreamCache;
use crate::model::overrides::Overrides;
use crate::model::{Labels, Selector, Tenant, Timestamp};
use crate::scan::{self, Order, Request, Scanner, Selection, Snapshot, Stats, Visit};
use cells::Counter;
use members::Members;
use ordered::First;
use rows::{Reader, ReaderError, labels_json, stream_id};

/// Labels that get a column of their own; the rest are read from `labels`.
const LABEL_COLUMNS_MAX: usize = 64;
/// Where the level is among the columns.
const LEVEL: usize = 3;
/// Columns that every table has; a label of such a name gets the prefix `label_`.
const FIXED: [&str; 6] =
    ["timestamp", "line", "stream_id", "level", "labels", "structured_metadata"];

/// Opens the tenants' tables.
pub struct LogsSource {
    scanner: Scanner,
    auth_enabled: bool,
    limits: watch::Receiver<Arc<Overrides>>,
    streams: Arc<StreamCache>,
    activity: Arc<Activity>,
}

impl LogsSource {
    /// With `auth_enabled` the database name is the tenant id; without, all is one tenant's.
    /// `limits` and `streams` are those of pushes by HTTP: what a tenant may do, and what is counted
    /// of it, does not depend on the way it takes. `activity`: who is connected.
    pub fn new(
        scanner: Scanner,
        auth_enabled: bool,
        limits: watch::Receiver<Arc<Overrides>>,
        streams: Arc<StreamCache>,
        activity: Arc<Activity>,
    ) -> LogsSource {
        LogsSource { scanner, auth_enabled, limits, streams, activity }
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
        self.open_as(tenant, &drave_sql::Reading::default()).await
    }

    async fn open_as(
        &self,
        tenant: &str,
        reading: &drave_sql::Reading,
    ) -> Result<Arc<dyn Table>, SourceError> {
        let tenant = Tenant::parse(tenant).map_err(|_| SourceError::NoDatabase(tenant.into()))?;
        let consistency = match reading.consistency.as_str() {
            "stale" => Consistency::Stale(reading.max_staleness),
            "session" if reading.token.is_empty() => {
                let text = "drave.consistency = 'session' needs drave.token: what X-Drave-Commit \
                            said";
                return Err(SourceError::Limit(text.into()));
            }
            "session" => Consistency::session(&reading.token).map_err(SourceError::Limit)?,
            _ => Consistency::Linearizable,
        };
        let scanner =
            self.scanner.at(scan::Reading { consistency, allow_partial: reading.allow_partial });
        let snapshot = scanner.snapshot(&tenant).await.map_err(explain)?;
        let everything = Selection::Selector(Selector::default());
        let all_time = Timestamp::MIN..Timestamp::MAX;
        let streams = scanner.streams(&snapshot, &everything, &all_time).await;
        Ok(Arc::new(LogsTable::new(scanner, snapshot, streams.map_err(explain)?)))
    }

    fn target(&self, columns: &[String]) -> Result<SchemaRef, SourceError> {
        store::target(columns)
    }

    async fn append(&self, tenant: &str, rows: RecordBatch) -> Result<(), SourceError> {
        store::append(self, tenant, rows).await
    }

    fn system_schema(&self) -> &str {
        system::SCHEMA
    }

    fn system_tables(&self) -> Vec<(&'static str, SchemaRef)> {
        system::tables()
    }

    async fn system_table(&self, tenant: &str, name: &str) -> Result<RecordBatch, SourceError> {
        system::table(self, tenant, name).await
    }

    fn describe(&self, schema: &str, table: Option<&str>, column: Option<&str>) -> Option<String> {
        describe::describe(schema, table, column)
    }

    fn function_name(&self) -> &str {
        ask::NAME
    }

    fn ask(&self, question: Question) -> Result<Arc<dyn Answer>, SourceError> {
        ask::ask(self.scanner.clone(), self.limits.clone(), question)
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
    fn new(scanner: Scanner, snapshot: Snapshot, streams: Vec<Labels>) -> LogsTable {
        let mut columns = vec![Column::Timestamp, Column::Line, Column::StreamId, Column::Level];
        columns.extend(common_labels(&streams).into_iter().map(Column::Label));
        columns.extend([Column::Labels, Column::Metadata]);
        let is_key = |c: &Column| matches!(c, Column::StreamId | Column::Label(_) | Column::Labels);
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
            Column::Labels => drave_sql::json_column("labels", false),
            Column::Metadata => drave_sql::json_column("structured_metadata", false),
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

    fn tie_column(&self) -> Option<usize> {
        self.columns.iter().position(|column| *column == Column::StreamId)
    }

    fn object_column(&self) -> Option<usize> {
        self.columns.iter().position(|column| *column == Column::Metadata)
    }

    fn text_column(&self) -> usize {
        1
    }

    fn groups(&self) -> RecordBatch {
        let arrays = self.key_columns.iter().map(|at| match &self.columns[*at] {
            Column::StreamId => {
                Arc::new(Int64Array::from_iter_values(self.streams.iter().map(stream_id)))
                    as ArrayRef
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

    fn notices(&self) -> Vec<Notice> {
        let report = self.scanner.report();
        let missing = report.missing().into_iter().map(|(shard, why)| {
            Notice::Partial(format!("partial answer: shard {shard} is missing: {why}"))
        });
        let staleness = report.staleness().filter(|staleness| !staleness.is_zero());
        let staleness = staleness.map(|staleness| {
            let seconds = staleness.as_secs_f64();
            Notice::Told(format!("everything acknowledged {seconds:.3} s ago was read"))
        });
        missing.chain(staleness).collect()
    }

    fn cell_columns(&self) -> &[usize] {
        &[LEVEL]
    }

    fn bytes(&self) -> u64 {
        self.scanner.report().amount().bytes
    }

    fn scan(&self, request: ScanRequest) -> Result<Scan, SourceError> {
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
        let range = time_range(&request.time);
        let stats = Arc::new(Stats::default());
        let counts = counts(Arc::clone(&stats));
        if let Some(cells) = request.cells {
            let counter = Counter::new(columns, cells, request.text);
            let counter = counter.map_err(SourceError::Invalid)?;
            let wanted = Request { selection, range, order: Order::Any, above: None };
            let to_batches = move |found: cells::Found| Ok(vec![found.batch(&schema)?]);
            return Ok(Scan { batches: self.stream(wanted, counter, stats, to_batches), counts });
        }
        let reader = Reader::new(columns, schema, request.text, Members(request.members))?;
        let batches = match (request.newest_first, request.limit) {
            (Some(newest_first), Some(limit)) => {
                let order = if newest_first { Order::Backward } else { Order::Forward };
                let wanted = Request { selection, range, order, above: None };
                self.first(wanted, First::new(reader, newest_first, limit), stats)
            }
            // Who asks for an order without a limit sorts by itself: it can spill.
            (Some(_), None) => {
                let text = "an order without a limit is not for the table".to_string();
                return Err(SourceError::Internal(text));
            }
            (None, _) => {
                let wanted = Request { selection, range, order: Order::Any, above: None };
                self.stream(wanted, reader, stats, Ok)
            }
        };
        Ok(Scan { batches, counts })
    }
}

impl LogsTable {
    /// Runs the scan beside its reader: what is not read yet holds it back.
    fn stream<V: Visit<Error = ReaderError>>(
        &self,
        request: Request,
        visitor: V,
        stats: Arc<Stats>,
        to_batches: impl Fn(V::Partial) -> Result<Vec<RecordBatch>, SourceError> + Send + Sync + 'static,
    ) -> BatchStream {
        let (scanner, snapshot) = (self.scanner.clone(), Arc::clone(&self.snapshot));
        let (out, partials) = mpsc::channel(PARTIALS_MAX);
        let scan =
            async move { scanner.run(&snapshot, &request, Arc::new(visitor), &stats, out).await };
        // A task of its own, which must see how time goes by also where nobody asks for rows; it ends
        // with the stream.
        let scan = async move {
            let mut task = JoinSet::new();
            task.spawn(scan);
            match task.join_next().await.expect("just spawned") {
                Ok(result) => result.err().map(|ReaderError(error)| Err(error)),
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                // The runtime ends, and nobody reads on.
                Err(_) => None,
            }
        };
        let scan = futures::stream::once(scan).filter_map(futures::future::ready);
        let batches = futures::stream::unfold(
            (partials, to_batches),
            |(mut partials, to_batches)| async move {
                let batches = match to_batches(partials.recv().await?) {
                    Ok(batches) => batches.into_iter().map(Ok).collect(),
                    Err(error) => vec![Err(error)],
                };
                Some((futures::stream::iter(batches), (partials, to_batches)))
            },
        );
        futures::stream::select(scan, batches.flatten()).boxed()
    }

    /// Reads from one end of time until the limit is full, then answers in order.
    fn first(&self, request: Request, first: First, stats: Arc<Stats>) -> BatchStream {
        let (scanner, snapshot) = (self.scanner.clone(), Arc::clone(&self.snapshot));
        let read = async move {
            let first = Arc::new(first);
            let (out, mut found) = mpsc::channel(PARTIALS_MAX);
            let scan = scanner.run(&snapshot, &request, Arc::clone(&first), &stats, out);
            let join = async {
                let mut best = ordered::Best::default();
                while let Some(pieces) = found.recv().await {
                    best.add(pieces, &first)?;
                }
                best.finish(&first)
            };
            futures::try_join!(scan, join).map(|((), batch)| batch)
        };
        let batch = futures::stream::once(read);
        batch.map(|result| result.map_err(|ReaderError(error)| error)).boxed()
    }
}

/// What a scan has read and left out so far.
fn counts(stats: Arc<Stats>) -> drave_sql::Counts {
    Arc::new(move || {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        vec![
            ("chunks", of(&stats.chunks)),
            ("blocks_pruned", of(&stats.blocks_pruned)),
            ("blocks_filtered", of(&stats.blocks_filtered)),
            ("blocks_from_metadata", of(&stats.blocks_skipped)),
            ("blocks_read", of(&stats.blocks_read)),
            ("head_batches", of(&stats.head_batches)),
            ("rows_read", of(&stats.rows)),
            ("line_bytes", of(&stats.line_bytes)),
            ("object_bytes", of(&stats.object_bytes)),
            ("object_gets", of(&stats.object_reads)),
            ("remote_shards", of(&stats.remote_shards)),
            ("remote_bytes", of(&stats.remote_bytes)),
        ]
    })
}

fn explain(error: scan::Error) -> SourceError {
    match error {
        scan::Error::Shard(_) | scan::Error::Object(_) => {
            SourceError::Unavailable(error.to_string())
        }
        scan::Error::Bad(message) => SourceError::Limit(message),
        scan::Error::NotTaken => SourceError::Limit(error.to_string()),
        scan::Error::Chunk { .. }
        | scan::Error::Batch { .. }
        | scan::Error::Damaged { .. }
        | scan::Error::Foreign(_) => SourceError::Internal(error.to_string()),
    }
}

/// An end of `i64::MAX` means no bound, and that last nanosecond belongs in.
fn time_range(time: &Range<i64>) -> Range<Timestamp> {
    Timestamp(time.start)..Timestamp(time.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_get_columns_and_fixed_names_a_prefix() {
        let of =
            |pairs: &[(&str, &str)]| Labels::from_pairs(pairs.iter().copied()).expect("unique");
        let streams = [of(&[("app", "a"), ("level", "x")]), of(&[("app", "b"), ("pod", "p")])];
        assert_eq!(common_labels(&streams), ["app", "level", "pod"]);
        assert_eq!(Column::Label("level".into()).field().name(), "label_level");
        let clash = [of(&[("level", "x"), ("label_level", "y")])];
        assert_eq!(common_labels(&clash), ["label_level"]);
    }
}
