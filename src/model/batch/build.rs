//! Takes rows as they come and encodes them.
//!
//! Invariants: every row belongs to the last segment at the time of its push; columns have one
//! value per row; set 0 is the empty one.

use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;

use super::text::Text;
use super::{BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, HEADER_BYTES, MAGIC, STORED, VERSION, ZSTD};
use crate::model::column::{
    LINE_BYTES_MAX, LevelCounts, METADATA_BYTES_MAX, frame, intern::Interner, level_slot, packed,
    put_text, put_varint, sets, streams, times,
};
use crate::model::{Labels, Metadata, Tenant};

/// How hard lines are compressed in a batch. They are once more, and better, when its head is sealed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// For bytes that are sent to other nodes: what goes over a network costs more than what is saved
    /// by compressing less.
    #[default]
    Sent,
    /// For bytes that stay on this node: half as much again, for two thirds of the time. Measured in
    /// `docs/decisions/2026-11-29-bytes-that-stay.md`.
    Kept,
}

impl Effort {
    /// The level of zstd.
    fn level(self) -> i32 {
        match self {
            Effort::Sent => 1,
            Effort::Kept => -3,
        }
    }
}

/// A batch in the making.
pub struct BatchBuilder {
    streams: Vec<(Tenant, Labels)>,
    stream_numbers: HashMap<(Tenant, Labels), u32>,
    segments: Vec<Part>,
    sets: Vec<SetFacts>,
    metadata: Vec<Metadata>,
    interner: Interner,
    timestamps: Vec<i64>,
    set_ids: Vec<u32>,
    line_lengths: Vec<u64>,
    text: Text,
    metadata_bytes: usize,
}

/// A segment in the making.
#[derive(Clone)]
struct Part {
    stream: u32,
    n_rows: u32,
    min_timestamp: i64,
    max_timestamp: i64,
    line_bytes: u64,
    metadata_bytes: u64,
    levels: LevelCounts,
}

/// What each row with a set adds to its segment.
#[derive(Clone, Copy)]
struct SetFacts {
    bytes: usize,
    level_slot: usize,
}

impl Default for BatchBuilder {
    fn default() -> BatchBuilder {
        BatchBuilder::new()
    }
}

impl BatchBuilder {
    /// A batch without rows.
    pub fn new() -> BatchBuilder {
        let mut builder = BatchBuilder {
            streams: Vec::new(),
            stream_numbers: HashMap::new(),
            segments: Vec::new(),
            sets: Vec::new(),
            metadata: Vec::new(),
            interner: Interner::new(),
            timestamps: Vec::new(),
            set_ids: Vec::new(),
            line_lengths: Vec::new(),
            text: Text::default(),
            metadata_bytes: 0,
        };
        builder.metadata(&Metadata::empty());
        builder
    }

    /// Makes room for more rows, and for so many bytes of lines in them.
    pub fn reserve(&mut self, n_rows: usize, line_bytes: usize) {
        self.reserve_rows(n_rows);
        self.text.reserve(line_bytes);
    }

    fn reserve_rows(&mut self, n_rows: usize) {
        self.timestamps.reserve(n_rows);
        self.set_ids.reserve(n_rows);
        self.line_lengths.reserve(n_rows);
    }

    /// One batch with the rows of all, in their order.
    pub fn concat(batches: Vec<BatchBuilder>) -> BatchBuilder {
        let n_rows: usize = batches.iter().map(BatchBuilder::n_entries).sum();
        let mut batches = batches.into_iter();
        let mut all = batches.next().unwrap_or_default();
        all.reserve_rows(n_rows - all.n_entries());
        batches.for_each(|batch| all.append(batch));
        all
    }

    /// Starts the segment of a stream, or continues it if it is the last one. Rows pushed next
    /// belong to it. A stream may have several segments.
    pub fn segment(&mut self, tenant: &Tenant, labels: &Labels) {
        if let Some(last) = self.segments.last() {
            let (own_tenant, own_labels) = &self.streams[last.stream as usize];
            if own_tenant == tenant && own_labels == labels {
                return;
            }
        }
        let stream = self.stream(tenant, labels);
        self.segments.push(Part::new(stream));
    }

    /// The number of a metadata set in this builder. `Metadata::empty()` is always 0.
    pub fn metadata(&mut self, set: &Metadata) -> u32 {
        // Rows in a row often say the same.
        if self.metadata.last() == Some(set) {
            return number(self.metadata.len() - 1);
        }
        let number = self.interner.number(set, &mut self.metadata);
        if number as usize == self.sets.len() {
            let bytes = set.bytes();
            assert!(bytes <= METADATA_BYTES_MAX, "limits on pushes are below the format's");
            self.sets.push(SetFacts { bytes, level_slot: level_slot(set) });
        }
        number
    }

    /// Adds a row to the last segment. `metadata` is a number that [`BatchBuilder::metadata`] gave.
    pub fn push(&mut self, timestamp: i64, line: &str, metadata: u32) {
        assert!(line.len() <= LINE_BYTES_MAX, "limits on pushes are below the format's");
        let facts = self.sets[metadata as usize];
        let part = self.segments.last_mut().expect("a segment is started before rows are pushed");
        part.n_rows += 1;
        part.min_timestamp = part.min_timestamp.min(timestamp);
        part.max_timestamp = part.max_timestamp.max(timestamp);
        part.line_bytes += line.len() as u64;
        part.metadata_bytes += facts.bytes as u64;
        part.levels[facts.level_slot] += 1;
        self.metadata_bytes += facts.bytes;
        self.timestamps.push(timestamp);
        self.set_ids.push(metadata);
        self.line_lengths.push(line.len() as u64);
        self.text.push(line);
    }

    /// Adds all rows of another builder after the own ones.
    pub fn append(&mut self, other: BatchBuilder) {
        // Numbers of sets that were given out stay good: only a builder without any is replaced.
        if self.is_empty() && self.metadata.len() == 1 {
            *self = other;
            return;
        }
        let set_numbers: Vec<u32> = other.metadata.iter().map(|set| self.metadata(set)).collect();
        self.set_ids.extend(other.set_ids.iter().map(|id| set_numbers[*id as usize]));
        for part in other.segments {
            let (tenant, labels) = &other.streams[part.stream as usize];
            self.segment(tenant, labels);
            self.segments.last_mut().expect("just started").absorb(&part);
        }
        self.timestamps.extend_from_slice(&other.timestamps);
        self.line_lengths.extend_from_slice(&other.line_lengths);
        self.text.append(other.text);
        self.metadata_bytes += other.metadata_bytes;
    }

    /// How many rows there are.
    pub fn n_entries(&self) -> usize {
        self.timestamps.len()
    }

    /// Bytes of all lines and of each row's metadata.
    pub fn raw_bytes(&self) -> usize {
        self.text.n_bytes() + self.metadata_bytes
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.timestamps.is_empty()
    }

    /// The batch in bytes, as they are sent.
    pub fn encode(&self) -> Bytes {
        self.encode_for(Effort::Sent)
    }

    /// The batch in bytes.
    pub fn encode_for(&self, effort: Effort) -> Bytes {
        self.text.whole(|text| self.encode_with(text, effort))
    }

    fn encode_with(&self, text: &[u8], effort: Effort) -> Bytes {
        assert!(self.n_entries() <= BATCH_ENTRIES_MAX, "a batch is cut before it is too large");
        let times = self.times();
        let (dict, n_segments) = self.dict(times.start);
        let mut rows = Vec::with_capacity(self.n_entries() * 8);
        times::pack_arrival(&self.timestamps, times.start, &mut rows);
        packed::pack(&self.line_lengths, &mut rows);
        let used = sets::pack_ids(&self.metadata, &self.set_ids, &mut rows);
        let mut set_table = Vec::new();
        sets::put_sets(&used, &mut set_table);
        let raw = dict.len() + set_table.len() + rows.len() + text.len();
        assert!(raw <= BATCH_BYTES_MAX, "a batch is cut before it is too large");

        let [dict_frame, sets_frame, lines_frame] =
            [&*dict, &*set_table, text].map(|section| frame::compress(section, effort.level()));
        let codec = |frame: &Option<Vec<u8>>| if frame.is_some() { ZSTD } else { STORED };
        let codecs = [codec(&dict_frame), codec(&sets_frame), codec(&lines_frame)];
        let dict_stored = dict_frame.as_deref().unwrap_or(&dict);
        let sets_stored = sets_frame.as_deref().unwrap_or(&set_table);
        let lines_stored = lines_frame.as_deref().unwrap_or(text);

        let sections = [dict_stored, sets_stored, &rows, lines_stored];
        let n_bytes = sections.iter().map(|section| section.len()).sum::<usize>();
        let mut out = Vec::with_capacity(HEADER_BYTES + n_bytes);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[0; 4]);
        out.push(VERSION);
        out.extend_from_slice(&codecs);
        let mut put = |value: usize| out.extend_from_slice(&number(value).to_le_bytes());
        put(n_segments);
        put(self.n_entries());
        put(used.len());
        out.extend_from_slice(&times.start.to_le_bytes());
        out.extend_from_slice(&times.end.to_le_bytes());
        let mut put = |value: usize| out.extend_from_slice(&number(value).to_le_bytes());
        put(dict_stored.len());
        put(dict.len());
        put(sets_stored.len());
        put(set_table.len());
        put(rows.len());
        put(0);
        put(lines_stored.len());
        put(text.len());
        debug_assert_eq!(out.len(), HEADER_BYTES);
        for section in sections {
            out.extend_from_slice(section);
        }
        let crc = crc32c::crc32c(&out[super::COVERED..]);
        out[4..8].copy_from_slice(&crc.to_le_bytes());
        Bytes::from(out)
    }

    /// The least and the greatest timestamp, both 0 where there is no row.
    fn times(&self) -> Range<i64> {
        let start = self.timestamps.iter().min().copied().unwrap_or(0);
        start..self.timestamps.iter().max().copied().unwrap_or(0)
    }

    /// The section that says which streams there are, and its number of segments.
    fn dict(&self, start: i64) -> (Vec<u8>, usize) {
        const UNSEEN: u32 = u32::MAX;
        let mut tenants: HashMap<&Tenant, usize> = HashMap::new();
        let (mut tenant_table, mut stream_table, mut parts) = (Vec::new(), Vec::new(), Vec::new());
        let mut number_of = vec![UNSEEN; self.streams.len()];
        let (mut n_streams, mut n_segments) = (0, 0);
        let since = |time: i64, from: i64| time.wrapping_sub(from).cast_unsigned();
        for part in self.segments.iter().filter(|part| part.n_rows > 0) {
            let (tenant, labels) = &self.streams[part.stream as usize];
            if number_of[part.stream as usize] == UNSEEN {
                number_of[part.stream as usize] = n_streams;
                n_streams += 1;
                let next = tenants.len();
                let tenant_number = *tenants.entry(tenant).or_insert_with(|| {
                    put_text(&mut tenant_table, tenant.as_str());
                    next
                });
                put_varint(&mut stream_table, tenant_number as u64);
                streams::put_labels(labels, &mut stream_table);
            }
            put_varint(&mut parts, u64::from(number_of[part.stream as usize]));
            put_varint(&mut parts, u64::from(part.n_rows));
            put_varint(&mut parts, since(part.min_timestamp, start));
            put_varint(&mut parts, since(part.max_timestamp, part.min_timestamp));
            put_varint(&mut parts, part.line_bytes);
            put_varint(&mut parts, part.metadata_bytes);
            sets::put_levels(&part.levels, &mut parts);
            n_segments += 1;
        }
        let mut dict = Vec::new();
        put_varint(&mut dict, tenants.len() as u64);
        dict.append(&mut tenant_table);
        put_varint(&mut dict, u64::from(n_streams));
        dict.append(&mut stream_table);
        dict.append(&mut parts);
        (dict, n_segments)
    }

    fn stream(&mut self, tenant: &Tenant, labels: &Labels) -> u32 {
        let key = (tenant.clone(), labels.clone());
        let next = number(self.streams.len());
        let known = *self.stream_numbers.entry(key.clone()).or_insert(next);
        if known == next {
            self.streams.push(key);
        }
        known
    }
}

impl Part {
    fn new(stream: u32) -> Part {
        Part {
            stream,
            n_rows: 0,
            min_timestamp: i64::MAX,
            max_timestamp: i64::MIN,
            line_bytes: 0,
            metadata_bytes: 0,
            levels: LevelCounts::default(),
        }
    }

    /// Takes in the rows of a segment of the same stream.
    fn absorb(&mut self, other: &Part) {
        self.n_rows += other.n_rows;
        self.min_timestamp = self.min_timestamp.min(other.min_timestamp);
        self.max_timestamp = self.max_timestamp.max(other.max_timestamp);
        self.line_bytes += other.line_bytes;
        self.metadata_bytes += other.metadata_bytes;
        for (own, more) in self.levels.iter_mut().zip(other.levels) {
            *own += more;
        }
    }
}

fn number(value: usize) -> u32 {
    u32::try_from(value).expect("a batch is bounded far below 2^32")
}
