//! The tables of the schema `drave`: streams, label values, chunks, shards, nodes, tenants, queries.
//!
//! In goes the name of a table and who asks; out come its rows now. Of data a tenant sees its own;
//! shards and nodes are the cluster's and hold no tenant's data.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use drave_sql::{SourceError, State};

use super::rows::{labels_json, stream_id};
use super::{LogsSource, explain};
use crate::model::{Selector, Tenant, Timestamp};
use crate::scan::Selection;
use crate::shard::rows_of;
use crate::telemetry;

/// The schema that they are in.
pub(super) const SCHEMA: &str = "drave";

/// Name and columns: `t` text, `i` number, `b` truth, `@` time.
const TABLES: &[(&str, &[(&str, char)])] = &[
    (
        "chunks",
        &[
            ("shard", 'i'),
            ("chunk", 'i'),
            ("min_time", '@'),
            ("max_time", '@'),
            ("state", 't'),
            ("bytes", 'i'),
            ("raw_bytes", 'i'),
            ("entries", 'i'),
            ("streams", 'i'),
            ("object", 't'),
        ],
    ),
    ("label_values", &[("name", 't'), ("value", 't'), ("streams", 'i')]),
    (
        "nodes",
        &[
            ("node", 'i'),
            ("address", 't'),
            ("http", 't'),
            ("zone", 't'),
            ("state", 't'),
            ("alive", 'b'),
            ("version", 't'),
            ("failed", 't'),
            ("shards", 'i'),
            ("leads", 'i'),
        ],
    ),
    (
        "queries",
        &[
            ("id", 't'),
            ("language", 't'),
            ("pid", 'i'),
            ("user", 't'),
            ("application", 't'),
            ("client", 't'),
            ("text", 't'),
            ("started", '@'),
            ("elapsed_ms", 'i'),
            ("bytes", 'i'),
            ("rows", 'i'),
            ("memory", 'i'),
            ("spilled", 'i'),
        ],
    ),
    (
        "shards",
        &[
            ("shard", 'i'),
            ("leader", 'i'),
            ("voters", 't'),
            ("learners", 't'),
            ("term", 'i'),
            ("committed", 'i'),
            ("applied", 'i'),
            ("sealed", 'i'),
            ("flushed", 'i'),
            ("lag_max", 'i'),
            ("wal_bytes", 'i'),
        ],
    ),
    ("streams", &[("stream_id", 'i'), ("labels", 't')]),
    (
        "tenants",
        &[
            ("tenant", 't'),
            ("streams", 'i'),
            ("chunks", 'i'),
            ("chunk_bytes", 'i'),
            ("chunk_entries", 'i'),
        ],
    ),
];

/// The tables with their columns.
pub(super) fn tables() -> Vec<(&'static str, SchemaRef)> {
    TABLES.iter().map(|(name, columns)| (*name, schema(columns))).collect()
}

fn schema(columns: &[(&str, char)]) -> SchemaRef {
    let field = |(name, kind): &(&str, char)| {
        let kind = match kind {
            'i' => DataType::Int64,
            'b' => DataType::Boolean,
            '@' => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
            _ => DataType::Utf8,
        };
        Field::new(*name, kind, true)
    };
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// One value.
enum Cell {
    Text(String),
    Number(i64),
    Truth(bool),
    Time(i64),
    Null,
}

fn number(value: impl TryInto<i64>) -> Cell {
    value.try_into().map_or(Cell::Null, Cell::Number)
}

fn text(value: impl Into<String>) -> Cell {
    Cell::Text(value.into())
}

fn list<T: ToString>(values: impl IntoIterator<Item = T>) -> Cell {
    let values: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
    Cell::Text(values.join(","))
}

/// The rows of a table.
pub(super) async fn table(
    source: &LogsSource,
    tenant: &str,
    name: &str,
) -> Result<RecordBatch, SourceError> {
    let tenant = Tenant::parse(tenant).map_err(|_| SourceError::NoDatabase(tenant.into()))?;
    let rows = match name {
        "nodes" => nodes(source).await,
        "queries" => queries(source, &tenant),
        "shards" => shards(source).await,
        "chunks" => chunks(source, &tenant).await?,
        "streams" => streams(source, &tenant).await?,
        "label_values" => label_values(source, &tenant).await?,
        "tenants" => tenants(source, &tenant).await?,
        other => return Err(SourceError::Internal(format!("there is no table {other}"))),
    };
    let found = TABLES.iter().find(|(known, _)| *known == name);
    let (_, columns) = found.expect("the names above are the names of the list");
    let arrays = columns.iter().enumerate().map(|(at, (_, kind))| {
        let cells = rows.iter().map(|row| &row[at]);
        array(*kind, cells)
    });
    RecordBatch::try_new(schema(columns), arrays.collect())
        .map_err(|error| SourceError::Internal(error.to_string()))
}

fn array<'a>(kind: char, cells: impl Iterator<Item = &'a Cell>) -> ArrayRef {
    match kind {
        'i' => Arc::new(Int64Array::from_iter(cells.map(|cell| match cell {
            Cell::Number(value) => Some(*value),
            _ => None,
        }))),
        'b' => Arc::new(BooleanArray::from_iter(cells.map(|cell| match cell {
            Cell::Truth(value) => Some(*value),
            _ => None,
        }))),
        '@' => {
            let times = TimestampNanosecondArray::from_iter(cells.map(|cell| match cell {
                Cell::Time(value) => Some(*value),
                _ => None,
            }));
            Arc::new(times.with_timezone("UTC"))
        }
        _ => Arc::new(StringArray::from_iter(cells.map(|cell| match cell {
            Cell::Text(value) => Some(value.as_str()),
            _ => None,
        }))),
    }
}

type Rows = Vec<Vec<Cell>>;

async fn nodes(source: &LogsSource) -> Rows {
    let status = source.scanner.cluster().cluster_status().await;
    let rows = status.nodes.into_iter().map(|node| {
        vec![
            number(node.id),
            text(node.address),
            text(node.http),
            text(node.zone),
            text(format!("{:?}", node.state).to_lowercase()),
            Cell::Truth(node.alive),
            text(node.version),
            node.failed.map_or(Cell::Null, Cell::Text),
            number(node.shards),
            number(node.leads),
        ]
    });
    rows.collect()
}

/// What runs on this node: of SQL the rows that were sent, of LogQL those that were looked at.
fn queries(source: &LogsSource, tenant: &Tenant) -> Rows {
    let now = telemetry::now();
    let elapsed = |started: i64| number(now.nanos().saturating_sub(started).max(0) / 1_000_000);
    let logql = source.scanner.running().of(tenant).into_iter().map(|query| {
        let started = query.started.nanos();
        vec![
            text(format!("logql-{}", query.id)),
            text("logql"),
            Cell::Null,
            Cell::Null,
            Cell::Null,
            Cell::Null,
            text(query.text),
            Cell::Time(started),
            elapsed(started),
            number(query.amount.bytes),
            number(query.amount.rows),
            number(query.amount.memory),
            // LogQL has no temporary files.
            number(0),
        ]
    });
    let connections = source.activity.of(tenant.as_str()).into_iter();
    let sql = connections.filter(|seen| seen.state == State::Active).map(|seen| {
        vec![
            text(format!("sql-{}-{}", seen.pid, seen.statement)),
            text("sql"),
            number(seen.pid),
            text(seen.user),
            text(seen.application),
            text(seen.client.to_string()),
            text(seen.text),
            seen.began.map_or(Cell::Null, Cell::Time),
            seen.began.map_or(Cell::Null, elapsed),
            number(seen.cost.bytes),
            number(seen.cost.rows),
            number(seen.cost.memory),
            number(seen.cost.spilled),
        ]
    });
    logql.chain(sql).collect()
}

async fn shards(source: &LogsSource) -> Rows {
    let status = source.scanner.cluster().cluster_status().await;
    let rows = status.shards.into_iter().map(|shard| {
        let group = shard.group;
        vec![
            number(shard.shard),
            group.leader.map_or(Cell::Null, number),
            list(group.voters),
            list(group.learners),
            number(group.term),
            number(group.committed),
            number(group.applied),
            number(group.sealed),
            number(group.flushed),
            group.lag.values().max().map_or(Cell::Null, |lag| number(*lag)),
            number(group.wal_bytes),
        ]
    });
    rows.collect()
}

async fn chunks(source: &LogsSource, tenant: &Tenant) -> Result<Rows, SourceError> {
    let snapshot = source.scanner.snapshot(tenant).await.map_err(explain)?;
    let mut rows = Vec::new();
    for (shard, view) in source.scanner.views(&snapshot).await.map_err(explain)? {
        for chunk in rows_of(view.manifest(), tenant).filter(|chunk| chunk.is_visible()) {
            let object = chunk.object();
            let of_object = |value: fn(&crate::shard::ObjectInfo) -> u64| {
                object.map_or(Cell::Null, |object| number(value(object)))
            };
            rows.push(vec![
                number(shard.0),
                number(chunk.key.id),
                Cell::Time(chunk.min_ts.nanos()),
                Cell::Time(chunk.max_ts.nanos()),
                text(if object.is_some() { "flushed" } else { "sealed" }),
                of_object(|object| object.bytes),
                of_object(|object| object.raw_bytes),
                of_object(|object| object.n_entries),
                of_object(|object| u64::from(object.n_streams)),
                object.map_or(Cell::Null, |_| text(chunk.path(shard))),
            ]);
        }
    }
    Ok(rows)
}

async fn labels(
    source: &LogsSource,
    tenant: &Tenant,
) -> Result<Vec<crate::model::Labels>, SourceError> {
    let snapshot = source.scanner.snapshot(tenant).await.map_err(explain)?;
    let everything = Selection::Selector(Selector::default());
    let all_time = Timestamp::MIN..Timestamp::MAX;
    source.scanner.streams(&snapshot, &everything, &all_time).await.map_err(explain)
}

async fn streams(source: &LogsSource, tenant: &Tenant) -> Result<Rows, SourceError> {
    let streams = labels(source, tenant).await?;
    let row = |labels: &_| vec![number(stream_id(labels)), text(labels_json(labels))];
    Ok(streams.iter().map(row).collect())
}

async fn label_values(source: &LogsSource, tenant: &Tenant) -> Result<Rows, SourceError> {
    let streams = labels(source, tenant).await?;
    let mut counts = BTreeMap::<(&str, &str), usize>::new();
    for pair in streams.iter().flat_map(crate::model::Labels::iter) {
        *counts.entry(pair).or_default() += 1;
    }
    let rows = counts.into_iter();
    Ok(rows.map(|((name, value), n)| vec![text(name), text(value), number(n)]).collect())
}

async fn tenants(source: &LogsSource, tenant: &Tenant) -> Result<Rows, SourceError> {
    let n_streams = labels(source, tenant).await?.len();
    let chunks = chunks(source, tenant).await?;
    let sum = |column: usize| {
        let values = chunks.iter().map(|row| match row[column] {
            Cell::Number(value) => value,
            _ => 0,
        });
        number(values.sum::<i64>())
    };
    Ok(vec![vec![
        text(tenant.to_string()),
        number(n_streams),
        number(chunks.len()),
        sum(5),
        sum(7),
    ]])
}
