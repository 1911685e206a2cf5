//! Chunks as plain lists of entries: so simple that it is unlikely to be wrong.

use super::{BlockMeta, ChunkIndex, ChunkWriter, Columns, Error, Opened, WriteOptions};
use super::{open, read_block};
use crate::model::column::{LevelCounts, level_slot};
use crate::model::merge::Merged;
use crate::model::{Labels, Lines, Metadata, MetadataColumn, Rows, Tenant};

/// One entry of a stream.
pub(super) type Entry = (i64, String, Metadata);

/// The entries of a chunk, by stream.
pub(super) type Streams = Vec<(Labels, Vec<Entry>)>;

/// All columns.
pub(super) const ALL: Columns = Columns { lines: true, metadata: true };

/// Entries as columns. Lines start somewhere in their buffer, and sets are numbered from behind.
pub(super) fn rows_of(entries: &[Entry]) -> Rows {
    let mut sets: Vec<Metadata> = entries.iter().map(|entry| entry.2.clone()).collect();
    sets.sort_by(|a, b| b.cmp(a));
    sets.dedup();
    sets.retain(|set| !set.is_empty());
    sets.insert(0, Metadata::empty());
    let id = |set: &Metadata| sets.iter().position(|own| own == set).expect("every set is there");
    let (mut bytes, mut offsets) = (b"before".to_vec(), vec![6]);
    for (_, line, _) in entries {
        bytes.extend_from_slice(line.as_bytes());
        offsets.push(u32::try_from(bytes.len()).expect("short"));
    }
    bytes.extend_from_slice(b"after");
    let ids = entries.iter().map(|entry| u32::try_from(id(&entry.2)).expect("few")).collect();
    Rows {
        timestamps: entries.iter().map(|entry| entry.0).collect(),
        lines: Some(Lines { bytes: bytes.into(), offsets }),
        metadata: Some(MetadataColumn { sets: sets.into(), ids }),
    }
}

/// Columns as entries.
pub(super) fn entries_of(rows: &Rows) -> Vec<Entry> {
    let lines = rows.lines.as_ref().expect("all columns");
    let metadata = rows.metadata.as_ref().expect("all columns");
    assert_eq!((lines.len(), metadata.ids.len()), (rows.len(), rows.len()));
    let entry = |row| (rows.timestamps[row], lines.text(row).into(), metadata.get(row).clone());
    (0..rows.len()).map(entry).collect()
}

/// A chunk of some streams.
pub(super) fn write(streams: &Streams, options: WriteOptions) -> (Vec<u8>, super::ChunkSummary) {
    let mut writer = ChunkWriter::new(&Tenant::single(), options);
    for (labels, entries) in streams {
        writer.stream(labels, &Merged::of([&rows_of(entries)]));
    }
    let (object, summary) = writer.finish();
    (object.to_vec(), summary)
}

/// The index of an object, which is there as a whole.
pub(super) fn index_of(object: &[u8]) -> Result<ChunkIndex, Error> {
    match open(object, object.len() as u64)? {
        Opened::Index(index) => Ok(index),
        Opened::NeedsMore { .. } => panic!("there is no more"),
    }
}

/// A part of an object; what is cut off is missing.
pub(super) fn slice(object: &[u8], range: std::ops::Range<u64>) -> &[u8] {
    let at = |offset: u64| usize::try_from(offset).map_or(object.len(), |at| at.min(object.len()));
    &object[at(range.start)..at(range.end)]
}

/// One block of an object.
pub(super) fn block(object: &[u8], meta: &BlockMeta, want: Columns) -> Result<Rows, Error> {
    let text = want.lines.then(|| slice(object, meta.lines_range()));
    read_block(meta, slice(object, meta.small_range(want)), text, want)
}

/// Every entry of an object.
pub(super) fn read(object: &[u8]) -> Result<Streams, Error> {
    let index = index_of(object)?;
    let mut streams = Vec::new();
    for (labels, blocks) in &index.streams {
        let mut entries = Vec::new();
        for meta in &index.blocks[blocks.clone()] {
            let found = entries_of(&block(object, meta, ALL)?);
            assert_says(meta, &found);
            entries.extend(found);
        }
        streams.push((labels.clone(), entries));
    }
    Ok(streams)
}

/// What the index says of a block is what its entries say.
fn assert_says(meta: &BlockMeta, entries: &[Entry]) {
    let mut levels = LevelCounts::default();
    for (_, _, metadata) in entries {
        levels[level_slot(metadata)] += 1;
    }
    let times: std::collections::BTreeSet<i64> = entries.iter().map(|entry| entry.0).collect();
    assert_eq!(meta.n_rows as usize, entries.len());
    assert_eq!(Some(&meta.min_timestamp), times.first());
    assert_eq!(Some(&meta.max_timestamp), times.last());
    assert_eq!(meta.unique_timestamps, times.len() == entries.len());
    assert_eq!(meta.line_bytes as usize, entries.iter().map(|entry| entry.1.len()).sum::<usize>());
    let metadata_bytes: usize = entries.iter().map(|entry| entry.2.bytes()).sum();
    assert_eq!(meta.metadata_bytes, metadata_bytes as u64);
    assert_eq!(meta.levels, levels);
}
