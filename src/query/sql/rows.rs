//! Record batches out of the rows of a unit: what SQL reads of each entry.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringArray, StringBuilder,
    TimestampNanosecondArray,
};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use bytes::Bytes;
use drave_proto::scan::Detail;
use drave_sql::{SourceError, TextFilter};

use super::members::Members;
use super::remote::{self, Found};
use super::text::{filter, line_filters};
use super::{Column, explain};
use crate::logql::pipeline::LineFilters;
use crate::model::level::DETECTED_LEVEL;
use crate::model::{Labels, Lines, Metadata, Rows};
use crate::query::needles;
use crate::scan::remote::Work;
use crate::scan::{self, BlockMeta, Columns, Needles, Visit};

/// Makes record batches of rows.
pub(super) struct Reader {
    pub(super) columns: Vec<Column>,
    pub(super) schema: SchemaRef,
    pub(super) text: Vec<TextFilter>,
    pub(super) filters: LineFilters,
    members: Members,
}

/// Why there are no more batches.
pub(super) struct ReaderError(pub(super) SourceError);

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

impl Reader {
    pub(super) fn new(
        columns: Vec<Column>,
        schema: SchemaRef,
        text: Vec<TextFilter>,
        members: Members,
    ) -> Result<Reader, SourceError> {
        let filters = line_filters(&text).map_err(SourceError::Invalid)?;
        Ok(Reader { columns, schema, text, filters, members })
    }

    fn count_only(&self, n_rows: usize) -> Result<RecordBatch, ArrowError> {
        let options = RecordBatchOptions::new().with_row_count(Some(n_rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), Vec::new(), &options)
    }

    /// What another node is told to do of this.
    pub(super) fn asked(&self, first: Option<usize>) -> Work {
        let has = |column: &Column| self.columns.contains(column);
        let want = Columns {
            lines: has(&Column::Line),
            metadata: has(&Column::Level) || has(&Column::Metadata),
        };
        let detail = if has(&Column::Timestamp) || want.lines || want.metadata || first.is_some() {
            Detail::Each
        } else if self.columns.is_empty() {
            Detail::Total
        } else {
            Detail::PerStream
        };
        Work::Rows(remote::asked(detail, want, &self.text, &self.members, first))
    }

    /// So many rows of columns that are the same for all rows of a stream.
    fn of_stream(&self, stream: &Labels, n_rows: usize) -> Result<RecordBatch, ArrowError> {
        if self.columns.is_empty() {
            return self.count_only(n_rows);
        }
        let arrays = self.columns.iter().filter_map(|column| of_stream(column, stream, n_rows));
        RecordBatch::try_new(Arc::clone(&self.schema), arrays.collect())
    }

    pub(super) fn batch(&self, stream: &Labels, rows: &Rows) -> Result<RecordBatch, ArrowError> {
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
            lines: has(&Column::Line) || !self.filters.is_empty(),
            metadata: has(&Column::Level) || has(&Column::Metadata),
        }
    }

    fn needles(&self) -> Needles {
        self.members.add_to(needles(&self.filters))
    }

    fn matches(&self, lines: &Lines) -> bool {
        self.filters.is_empty() || !self.filters.select(lines).is_empty()
    }

    /// What is the same for all rows of a stream needs only their number.
    fn block(&self, partial: &mut Vec<RecordBatch>, stream: &Labels, block: &BlockMeta) -> bool {
        let of_stream = |column: &Column| {
            matches!(column, Column::StreamId | Column::Label(_) | Column::Labels)
        };
        let counts = self.columns.iter().all(of_stream) && self.text.is_empty();
        if !counts {
            return false;
        }
        match self.of_stream(stream, block.n_rows as usize) {
            Ok(batch) => {
                partial.push(batch);
                true
            }
            _ => false,
        }
    }

    fn work(&self) -> Option<Work> {
        Some(self.asked(None))
    }

    fn part(&self, partial: &mut Vec<RecordBatch>, part: Bytes) -> Result<(), ReaderError> {
        match remote::read(part)? {
            Found::Total(n) => partial.push(self.count_only(n)?),
            Found::Counts(counts) => {
                for (stream, n) in counts {
                    // Nothing but their number is looked at.
                    let rows = Rows { timestamps: vec![0; n], ..Rows::default() };
                    partial.push(self.batch(&stream, &rows)?);
                }
            }
            Found::Rows(streams) => {
                for (stream, rows) in streams {
                    partial.push(self.batch(&stream, &rows)?);
                }
            }
        }
        Ok(())
    }

    fn rows(
        &self,
        partial: &mut Vec<RecordBatch>,
        stream: &Labels,
        rows: Rows,
    ) -> Result<(), ReaderError> {
        let rows = filter(rows, &self.filters);
        if !rows.is_empty() {
            partial.push(self.batch(stream, &rows)?);
        }
        Ok(())
    }
}

fn array(column: &Column, stream: &Labels, rows: &Rows) -> Result<ArrayRef, ArrowError> {
    let n = rows.len();
    Ok(match column {
        Column::Timestamp => {
            let values = TimestampNanosecondArray::from(rows.timestamps.clone());
            Arc::new(values.with_timezone("UTC"))
        }
        Column::Line => Arc::new(lines_array(rows.lines.as_ref().expect("lines were asked for"))?),
        Column::StreamId | Column::Label(_) | Column::Labels => {
            of_stream(column, stream, n).expect("these are of the stream")
        }
        Column::Level => Arc::new(by_set(rows, |set| set.get(DETECTED_LEVEL).map(String::from))),
        Column::Metadata => Arc::new(by_set(rows, |set| Some(metadata_json(set)))),
    })
}

/// A column that is the same for all rows of a stream.
pub(super) fn of_stream(column: &Column, stream: &Labels, n: usize) -> Option<ArrayRef> {
    Some(match column {
        Column::StreamId => Arc::new(Int64Array::from_value(stream_id(stream), n)),
        Column::Label(name) => Arc::new(repeated(stream.get(name), n)),
        Column::Labels => Arc::new(repeated(Some(&labels_json(stream)), n)),
        Column::Timestamp | Column::Line | Column::Level | Column::Metadata => return None,
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
pub(super) fn stream_id(labels: &Labels) -> i64 {
    i64::try_from(labels.hash64() >> 1).expect("63 bits fit")
}

pub(super) fn labels_json(labels: &Labels) -> String {
    json(labels.iter())
}

fn metadata_json(set: &Metadata) -> String {
    json(set.iter())
}

fn json<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let map: BTreeMap<&str, &str> = pairs.collect();
    serde_json::to_string(&map).expect("texts are JSON")
}
