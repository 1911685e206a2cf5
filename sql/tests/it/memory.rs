//! A table in memory and a server on it: what the tests talk to.
//!
//! The table has 100 groups of a few rows. It does what a `ScanRequest` says row by row, the
//! simplest way, and remembers the requests, so that tests can see what was pushed down.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, RecordBatchOptions, StringArray,
    TimestampNanosecondArray, UInt32Array,
};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use drave_sql::{
    Access, Activity, Answer, Cells, Counts, Options, Question, Scan, ScanRequest, Source,
    SourceError, Table, TextFilter, TextPattern, serve,
};
use futures::StreamExt;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio_postgres::{Client, Config, NoTls};

/// Groups: apps 0..10 in environments prod and dev, on five hosts each.
pub(crate) const GROUPS: usize = 100;
/// Rows per group.
pub(crate) const ROWS: usize = 30;
/// 2026-01-01 00:00:00 UTC; rows are one second apart.
pub(crate) const START: i64 = 1_767_225_600_000_000_000;

/// One row, before it becomes Arrow.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) group: usize,
    pub(crate) at: i64,
    pub(crate) line: String,
    pub(crate) level: &'static str,
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for index in 0..GROUPS * ROWS {
        let level = ["info", "warn", "error"][index % 3];
        rows.push(Row {
            group: index % GROUPS,
            at: START + index as i64 * 1_000_000_000,
            line: format!("{level} request {index} took {}ms path=/api/{}", index % 97, index % 7),
            level,
        });
    }
    rows
}

/// The tables of all tenants, which are the same.
pub(crate) struct Memory {
    rows: Arc<Vec<Row>>,
    pub(crate) opened: AtomicUsize,
    pub(crate) requests: Arc<Mutex<Vec<ScanRequest>>>,
    /// Label columns besides app, env and host; changed while statements are prepared.
    pub(crate) labels: Mutex<Vec<&'static str>>,
    /// Batches between which a scan waits, to have something to cancel.
    pub(crate) pause: Mutex<Option<Duration>>,
    /// Rows that were stored.
    pub(crate) stored: Mutex<Stored>,
}

impl Memory {
    pub(crate) fn new(rows: Vec<Row>) -> Arc<Memory> {
        Arc::new(Memory {
            rows: Arc::new(rows),
            opened: AtomicUsize::new(0),
            requests: Arc::default(),
            labels: Mutex::default(),
            pause: Mutex::default(),
            stored: Mutex::default(),
        })
    }

    pub(crate) fn last_request(&self) -> ScanRequest {
        self.requests.lock().unwrap().last().cloned().expect("a scan was started")
    }
}

#[async_trait]
impl Source for Memory {
    fn tenant(&self, user: &str, database: &str) -> Result<String, SourceError> {
        match (user, database) {
            (_, "missing") => Err(SourceError::NoDatabase(database.to_owned())),
            ("nobody", _) => Err(SourceError::Denied("not you".to_owned())),
            _ => Ok(database.to_owned()),
        }
    }

    fn table_name(&self) -> &str {
        "logs"
    }

    async fn open(&self, tenant: &str) -> Result<Arc<dyn Table>, SourceError> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        match tenant {
            "away" => return Err(SourceError::Unavailable("no leader".to_owned())),
            "panics" => panic!("planted"),
            _ => {}
        }
        let labels = self.labels.lock().unwrap().clone();
        let utc = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
        let mut fields = vec![
            Field::new("timestamp", utc, false),
            Field::new("line", DataType::Utf8, false),
            Field::new("stream_id", DataType::Int64, false),
            Field::new("level", DataType::Utf8, true),
        ];
        for label in ["app", "env", "host"].iter().chain(&labels) {
            fields.push(Field::new(*label, DataType::Utf8, true));
        }
        fields.push(Field::new("labels", DataType::Utf8, false));
        fields.push(Field::new("structured_metadata", DataType::Utf8, true));
        let count = fields.len();
        let keys = [2].into_iter().chain(4..count - 1).collect();
        Ok(Arc::new(Snapshot {
            rows: self.rows.clone(),
            schema: Arc::new(Schema::new(fields)),
            keys,
            requests: self.requests.clone(),
            pause: *self.pause.lock().unwrap(),
        }))
    }

    fn target(&self, columns: &[String]) -> Result<SchemaRef, SourceError> {
        if columns.iter().any(|name| name == "level") {
            return Err(SourceError::Invalid("level is computed".to_owned()));
        }
        let utc = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
        let fields = columns.iter().map(|name| match name.as_str() {
            "timestamp" => Field::new("timestamp", utc.clone(), true),
            name => Field::new(name, DataType::Utf8, true),
        });
        Ok(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
    }

    fn system_schema(&self) -> &str {
        "system"
    }

    fn system_tables(&self) -> Vec<(&'static str, SchemaRef)> {
        let tenant = Field::new("tenant", DataType::Utf8, false);
        vec![("tenants", Arc::new(Schema::new(vec![tenant])))]
    }

    async fn system_table(&self, tenant: &str, _: &str) -> Result<RecordBatch, SourceError> {
        let column = Arc::new(StringArray::from(vec![tenant.to_owned()]));
        Ok(RecordBatch::try_new(self.system_tables().remove(0).1, vec![column]).unwrap())
    }

    fn function_name(&self) -> &str {
        "echo"
    }

    fn ask(&self, question: Question) -> Result<Arc<dyn Answer>, SourceError> {
        match question.text.as_str() {
            "bad" => Err(SourceError::Invalid("that is no question".to_owned())),
            _ => {
                let Question { text, start, end, step } = question;
                Ok(Arc::new(Echo(format!("{text} {start:?} {end:?} {step:?}"))))
            }
        }
    }

    async fn append(&self, _: &str, rows: RecordBatch) -> Result<(), SourceError> {
        let columns: Vec<ArrayRef> = rows
            .columns()
            .iter()
            .map(|column| arrow::compute::cast(column, &DataType::Utf8).unwrap())
            .collect();
        for row in 0..rows.num_rows() {
            let cells = columns.iter().map(|column| {
                let column = column.as_string::<i32>();
                (!column.is_null(row)).then(|| column.value(row).to_owned())
            });
            let cells: Vec<Option<String>> = cells.collect();
            if cells.contains(&Some("refused".to_owned())) {
                return Err(SourceError::NotStored("a row was refused".to_owned()));
            }
            self.stored.lock().unwrap().push(cells);
        }
        Ok(())
    }
}

/// The question as its answer.
struct Echo(String);

#[async_trait]
impl Answer for Echo {
    fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(vec![Field::new("line", DataType::Utf8, false)]))
    }

    async fn rows(&self, tenant: &str) -> Result<RecordBatch, SourceError> {
        let line = Arc::new(StringArray::from(vec![format!("{tenant}: {}", self.0)]));
        Ok(RecordBatch::try_new(self.schema(), vec![line]).unwrap())
    }
}

/// What was stored, as text.
pub(crate) type Stored = Vec<Vec<Option<String>>>;

struct Snapshot {
    rows: Arc<Vec<Row>>,
    schema: SchemaRef,
    keys: Vec<usize>,
    requests: Arc<Mutex<Vec<ScanRequest>>>,
    pause: Option<Duration>,
}

fn app(group: usize) -> String {
    format!("app{}", group % 10)
}

fn env(group: usize) -> &'static str {
    if (group / 10).is_multiple_of(2) { "prod" } else { "dev" }
}

fn host(group: usize) -> String {
    format!("host{}", group / 20)
}

impl Snapshot {
    fn key(&self, name: &str, groups: &[usize]) -> ArrayRef {
        let text = |value: fn(usize) -> String| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(groups.iter().map(|group| value(*group))))
        };
        match name {
            "stream_id" => Arc::new(Int64Array::from_iter_values(groups.iter().map(|g| *g as i64))),
            "app" => text(app),
            "env" => text(|group| env(group).to_owned()),
            "host" => text(host),
            "labels" => text(|group| {
                format!(
                    r#"{{"app":"{}","env":"{}","pod":"pod-{group}","n":{group}}}"#,
                    app(group),
                    env(group)
                )
            }),
            other => Arc::new(StringArray::from_iter_values(
                groups.iter().map(|group| format!("{other}{}", group % 3)),
            )),
        }
    }

    fn column(&self, index: usize, rows: &[&Row]) -> ArrayRef {
        let name = self.schema.field(index).name().as_str();
        match name {
            "timestamp" => Arc::new(
                TimestampNanosecondArray::from_iter_values(rows.iter().map(|row| row.at))
                    .with_timezone("UTC"),
            ),
            "line" => Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.line))),
            "level" => Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.level))),
            "structured_metadata" => Arc::new(StringArray::new_null(rows.len())),
            name => {
                let groups: Vec<usize> = (0..GROUPS).collect();
                let of = UInt32Array::from_iter_values(rows.iter().map(|row| row.group as u32));
                take(&self.key(name, &groups), &of, None).unwrap()
            }
        }
    }
}

impl Snapshot {
    /// Cells of groups, levels and bins: finer than asked for, so that statements have to add up.
    fn cells(&self, rows: &[&Row], projection: &[usize], cells: Cells) -> RecordBatch {
        let mut found = BTreeMap::<(usize, &str, i64), (&Row, i64, i64, i64)>::new();
        for row in rows {
            let bin = cells.bin.map_or(0, |bin| bin.of(row.at));
            let cell = found.entry((row.group, row.level, bin)).or_insert((row, row.at, row.at, 0));
            *cell = (cell.0, cell.1.min(row.at), cell.2.max(row.at), cell.3 + 1);
        }
        let found: Vec<_> = found.into_values().collect();
        let of: Vec<&Row> = found.iter().map(|cell| cell.0).collect();
        let mut fields: Vec<Field> =
            projection.iter().map(|index| self.schema.field(*index).clone()).collect();
        let mut columns: Vec<ArrayRef> =
            projection.iter().map(|index| self.column(*index, &of)).collect();
        let time = |value: fn(&(&Row, i64, i64, i64)) -> i64| -> ArrayRef {
            let times = TimestampNanosecondArray::from_iter_values(found.iter().map(value));
            Arc::new(times.with_timezone("UTC"))
        };
        columns.extend([time(|cell| cell.1), time(|cell| cell.2)]);
        columns.push(Arc::new(Int64Array::from_iter_values(found.iter().map(|cell| cell.3))));
        for (column, name) in columns[projection.len()..].iter().zip(["first", "last", "rows"]) {
            fields.push(Field::new(name, column.data_type().clone(), false));
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
    }
}

impl Table for Snapshot {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn key_columns(&self) -> &[usize] {
        &self.keys
    }

    fn time_column(&self) -> usize {
        0
    }

    fn text_column(&self) -> usize {
        1
    }

    fn groups(&self) -> RecordBatch {
        let groups: Vec<usize> = (0..GROUPS).collect();
        let columns = self.keys.iter().map(|key| self.key(self.schema.field(*key).name(), &groups));
        let schema = Arc::new(self.schema.project(&self.keys).unwrap());
        RecordBatch::try_new(schema, columns.collect()).unwrap()
    }

    fn cell_columns(&self) -> &[usize] {
        &[3]
    }

    fn scan(&self, request: ScanRequest) -> Result<Scan, SourceError> {
        self.requests.lock().unwrap().push(request.clone());
        let wanted = |row: &&Row| {
            let group = row.group as u32;
            let time = request.time.start <= row.at
                && (row.at < request.time.end || request.time.end == i64::MAX);
            time && request.groups.as_ref().is_none_or(|groups| groups.contains(&group))
                && request.text.iter().all(|filter| holds(filter, &row.line))
        };
        let mut rows: Vec<&Row> = self.rows.iter().filter(wanted).collect();
        if request.newest_first == Some(true) {
            rows.reverse();
        }
        let n_rows = rows.len() as u64;
        let counts: Counts = Arc::new(move || vec![("rows_read", n_rows)]);
        if let Some(cells) = request.cells {
            let batch = self.cells(&rows, &request.projection, cells);
            return Ok(Scan { batches: futures::stream::iter([Ok(batch)]).boxed(), counts });
        }
        let schema = Arc::new(self.schema.project(&request.projection).unwrap());
        // Batches of a hundred rows, so that limits fall inside and between them.
        let batches: Vec<RecordBatch> = rows
            .chunks(100)
            .map(|rows| {
                let columns = request.projection.iter().map(|index| self.column(*index, rows));
                let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
                RecordBatch::try_new_with_options(schema.clone(), columns.collect(), &options)
                    .unwrap()
            })
            .collect();
        let pause = self.pause;
        let batches = futures::stream::iter(batches).then(move |batch| async move {
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
            Ok(batch)
        });
        Ok(Scan { batches: batches.boxed(), counts })
    }
}

fn holds(filter: &TextFilter, line: &str) -> bool {
    let found = |pattern: &TextPattern| {
        let flags = if pattern.fold { "(?si)" } else { "(?s)" };
        regex::Regex::new(&format!("{flags}{}", pattern.regex)).unwrap().is_match(line)
    };
    match filter {
        TextFilter::Contains(text) => line.contains(text),
        TextFilter::NotContains(text) => !line.contains(text),
        TextFilter::Matches(pattern) => found(pattern),
        TextFilter::NotMatches(pattern) => !found(pattern),
    }
}

/// A server that stops when it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) memory: Arc<Memory>,
    pub(crate) access: watch::Sender<Access>,
    pub(crate) activity: Arc<Activity>,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) task: tokio::task::JoinHandle<Result<(), drave_sql::Error>>,
}

pub(crate) fn options() -> Options {
    Options {
        memory_bytes: 64 << 20,
        tenant_memory_bytes: 64 << 20,
        statement_memory_bytes: 64 << 20,
        spill_dir: None,
        spill_bytes: 0,
        statement_timeout: Duration::from_secs(20),
        max_connections: 20,
        threads: 2,
        server_version: "16.0 (test)".to_owned(),
    }
}

impl Server {
    pub(crate) async fn start() -> Server {
        Server::with(options(), rows()).await
    }

    pub(crate) async fn with(options: Options, rows: Vec<Row>) -> Server {
        Server::behind(Access::default(), options, rows).await
    }

    /// A server that lets in who may.
    pub(crate) async fn behind(access: Access, options: Options, rows: Vec<Row>) -> Server {
        let memory = Memory::new(rows);
        let (access, met) = watch::channel(access);
        let activity = Arc::new(Activity::new(|| START));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let source = memory.clone();
        let task = tokio::spawn(serve(listener, source, met, activity.clone(), options, async {
            let _ = stopped.await;
        }));
        Server { address, memory, access, activity, stop: Some(stop), task }
    }

    pub(crate) fn config(&self) -> Config {
        let mut config = Config::new();
        config.host("127.0.0.1").port(self.address.port()).user("alice").dbname("main");
        config
    }

    pub(crate) async fn client(&self) -> Client {
        connect(&self.config()).await.unwrap()
    }
}

pub(crate) async fn connect(config: &Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// The SQLSTATE of an error that the server sent.
pub(crate) fn code(error: &tokio_postgres::Error) -> String {
    match error.code() {
        Some(code) => code.code().to_owned(),
        None => format!("no code: {error}"),
    }
}

pub(crate) fn options_with_timeout(statement_timeout: Duration) -> Options {
    Options { statement_timeout, ..options() }
}
