//! Opens the bytes of a batch and decodes its rows.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::{
    BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, COVERED, Error, HEADER_BYTES, MAGIC, STORED, VERSION, ZSTD,
};
use crate::model::column::{
    LevelCounts, METADATA_BYTES_MAX, Malformed, Reader, frame, lines, sets, streams, times,
};
use crate::model::{Labels, Lines, Rows, Tenant};

/// An encoded batch whose streams have been read. Cheap to clone.
#[derive(Clone)]
pub struct Batch(Arc<Inner>);

struct Inner {
    bytes: Bytes,
    header: Header,
    segments: Vec<Segment>,
    raw_bytes: u64,
    memory_bytes: usize,
    content: u64,
}

/// Batches are equal where their bytes are.
impl PartialEq for Batch {
    fn eq(&self, other: &Batch) -> bool {
        self.0.bytes == other.0.bytes
    }
}

impl Eq for Batch {}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, content) = (self.n_entries(), self.content());
        write!(f, "Batch({n} entries, {} bytes, {content:016x})", self.bytes().len())
    }
}

/// Rows of one stream that stand together in a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Whose stream it is.
    pub tenant: Tenant,
    /// Which stream it is.
    pub labels: Labels,
    /// How many rows there are, at least one.
    pub n_rows: u32,
    /// The earliest timestamp, in nanoseconds.
    pub min_timestamp: i64,
    /// The latest timestamp, in nanoseconds.
    pub max_timestamp: i64,
    /// Bytes of all lines.
    pub line_bytes: u64,
    /// Bytes of each row's metadata, names and values.
    pub metadata_bytes: u64,
    /// How many rows have which level.
    pub levels: LevelCounts,
}

struct Header {
    n_segments: usize,
    n_entries: usize,
    n_sets: u32,
    min_timestamp: i64,
    max_timestamp: i64,
    dict: Section,
    sets: Section,
    rows: Section,
    lines: Section,
}

/// Where a section stands in the batch, how it is stored, and how long it is as it was written.
struct Section {
    start: usize,
    end: usize,
    codec: u8,
    n_raw: usize,
}

impl Batch {
    /// Checks the bytes and reads which streams there are. The rows stay compressed.
    pub fn open(bytes: Bytes) -> Result<Batch, Error> {
        let header = Header::read(&bytes)?;
        let segments = read_dict(&header, &header.dict.read(&bytes)?)?;
        let raw_bytes = segments.iter().map(|part| part.line_bytes + part.metadata_bytes).sum();
        let memory_bytes = bytes.len() + segments.iter().map(memory_of).sum::<usize>();
        let content = xxhash_rust::xxh3::xxh3_64(&bytes);
        Ok(Batch(Arc::new(Inner { bytes, header, segments, raw_bytes, memory_bytes, content })))
    }

    /// The encoded form.
    pub fn bytes(&self) -> &Bytes {
        &self.0.bytes
    }

    /// Which streams have rows, in the order of the rows.
    pub fn segments(&self) -> &[Segment] {
        &self.0.segments
    }

    /// How many rows there are.
    pub fn n_entries(&self) -> u64 {
        self.0.header.n_entries as u64
    }

    /// Bytes of all lines and of each row's metadata.
    pub fn raw_bytes(&self) -> u64 {
        self.0.raw_bytes
    }

    /// What keeping this costs, in bytes of memory.
    pub fn memory_bytes(&self) -> usize {
        self.0.memory_bytes
    }

    /// XXH3-64 of the encoded form.
    pub fn content(&self) -> u64 {
        self.0.content
    }

    /// The rows of each segment. All lines are slices of one buffer.
    pub fn decode(&self) -> Result<Vec<Rows>, Error> {
        let Inner { bytes, header, segments, .. } = &*self.0;
        let sets = {
            let raw = header.sets.read(bytes)?;
            let mut reader = Reader::new(&raw);
            let sets = sets::get_sets(&mut reader, header.n_sets)?;
            reader.end("sets")?;
            let bounded = sets.iter().all(|set| set.bytes() <= METADATA_BYTES_MAX);
            reader.check(bounded, "metadata set")?;
            sets
        };
        let n = header.n_entries;
        let rows = header.rows.read(bytes)?;
        let mut reader = Reader::new(&rows);
        let timestamps = times::unpack_arrival(&mut reader, n, header.min_timestamp)?;
        let n_text = u32::try_from(header.lines.n_raw).expect("bounded with the header");
        let offsets = lines::offsets(&mut reader, n, n_text)?;
        let ids = sets::unpack_ids(&mut reader, n, header.n_sets)?;
        reader.end("rows")?;
        let text = header.lines.read(bytes)?;
        reader.check(lines::is_text(&text, &offsets), "text of lines")?;

        let mut localize = sets::Localize::new(sets.len());
        let mut out = Vec::with_capacity(segments.len());
        let mut start = 0;
        for segment in segments {
            let end = start + segment.n_rows as usize;
            let times = &timestamps[start..end];
            let range = (segment.min_timestamp, segment.max_timestamp);
            let found = (times.iter().min(), times.iter().max());
            reader.check(found == (Some(&range.0), Some(&range.1)), "times of a segment")?;
            let line_bytes = u64::from(offsets[end] - offsets[start]);
            reader.check(line_bytes == segment.line_bytes, "bytes of a segment")?;
            out.push(Rows {
                timestamps: times.to_vec(),
                lines: Some(Lines { bytes: text.clone(), offsets: offsets[start..=end].to_vec() }),
                metadata: Some(localize.part(&sets, &ids[start..end])),
            });
            start = end;
        }
        Ok(out)
    }
}

impl Header {
    fn read(bytes: &Bytes) -> Result<Header, Error> {
        let mut reader = Reader::new(bytes);
        let magic: [u8; 4] = reader.array("magic")?;
        reader.check(magic == MAGIC, "magic")?;
        let crc = reader.u32("checksum")?;
        if crc32c::crc32c(&bytes[COVERED..]) != crc {
            return Err(Error::Checksum { n_bytes: bytes.len() });
        }
        let version = reader.u8("version")?;
        if version != VERSION {
            return Err(Error::Version { version });
        }
        let codecs: [u8; 3] = reader.array("codecs")?;
        reader.check(codecs.iter().all(|codec| matches!(*codec, STORED | ZSTD)), "codecs")?;
        let n_segments = reader.u32("number of segments")? as usize;
        let n_entries = reader.u32("number of entries")? as usize;
        let n_sets = reader.u32("number of sets")?;
        reader.check(n_entries <= BATCH_ENTRIES_MAX, "number of entries")?;
        reader.check(n_segments <= n_entries, "number of segments")?;
        reader.check(n_sets as usize <= n_entries, "number of sets")?;
        let min_timestamp = reader.i64("min timestamp")?;
        let max_timestamp = reader.i64("max timestamp")?;
        reader.check(min_timestamp <= max_timestamp, "timestamps")?;

        let mut end = HEADER_BYTES;
        let mut section = |codec: Option<u8>| -> Result<Section, Malformed> {
            let start = end;
            let stored = reader.u32("stored length")? as usize;
            let raw = reader.u32("raw length")? as usize;
            end += stored;
            let Some(codec) = codec else {
                reader.check(raw == 0, "reserved")?;
                return Ok(Section { start, end, codec: STORED, n_raw: stored });
            };
            reader.check(codec != STORED || raw == stored, "raw length")?;
            Ok(Section { start, end, codec, n_raw: raw })
        };
        let dict = section(Some(codecs[0]))?;
        let sets = section(Some(codecs[1]))?;
        let rows = section(None)?;
        let lines = section(Some(codecs[2]))?;
        reader.check(end == bytes.len(), "length")?;
        let raw = dict.n_raw + sets.n_raw + rows.n_raw + lines.n_raw;
        reader.check(raw <= BATCH_BYTES_MAX, "raw lengths")?;
        Ok(Header {
            n_segments,
            n_entries,
            n_sets,
            min_timestamp,
            max_timestamp,
            dict,
            sets,
            rows,
            lines,
        })
    }
}

impl Section {
    /// The section as it was written. The header has bounded its length.
    fn read(&self, bytes: &Bytes) -> Result<Bytes, Malformed> {
        let stored = bytes.slice(self.start..self.end);
        if self.codec == STORED {
            return Ok(stored);
        }
        let bad = Malformed { what: "zstd frame", offset: self.start };
        frame::decompress(&stored, self.n_raw).map(Bytes::from).ok_or(bad)
    }
}

/// The segments, checked against the header.
fn read_dict(header: &Header, dict: &[u8]) -> Result<Vec<Segment>, Malformed> {
    let mut reader = Reader::new(dict);
    let n_tenants = reader.count_here("number of tenants")?;
    let mut tenants = Vec::new();
    for _ in 0..n_tenants {
        tenants.push(streams::get_tenant(&mut reader)?);
    }
    let n_streams = reader.count_here("number of streams")?;
    let mut named = Vec::new();
    for _ in 0..n_streams {
        let tenant = reader.count(n_tenants, "tenant number")?;
        let tenant = tenants.get(tenant).ok_or(reader.malformed("tenant number"))?.clone();
        named.push((tenant, streams::get_labels(&mut reader)?));
    }
    reader.check(header.n_segments <= reader.rest().len(), "number of segments")?;
    let mut segments = Vec::with_capacity(header.n_segments);
    let (mut rows_left, mut bytes_left) = (header.n_entries, header.lines.n_raw);
    for _ in 0..header.n_segments {
        let stream = reader.count(n_streams, "stream number")?;
        let (tenant, labels) = named.get(stream).ok_or(reader.malformed("stream number"))?.clone();
        let n_rows = reader.count(rows_left, "number of rows")?;
        reader.check(n_rows > 0, "number of rows")?;
        rows_left -= n_rows;
        let after = |reader: &mut Reader<'_>, time: i64| -> Result<i64, Malformed> {
            let later = time.checked_add_unsigned(reader.varint("timestamp")?);
            later
                .filter(|later| *later <= header.max_timestamp)
                .ok_or(reader.malformed("timestamp"))
        };
        let min_timestamp = after(&mut reader, header.min_timestamp)?;
        let max_timestamp = after(&mut reader, min_timestamp)?;
        let line_bytes = reader.count(bytes_left, "line bytes")?;
        bytes_left -= line_bytes;
        // A row has as much metadata as one set at most.
        let metadata_bytes_max = n_rows.saturating_mul(METADATA_BYTES_MAX);
        let metadata_bytes = reader.count(metadata_bytes_max, "metadata bytes")? as u64;
        let n_rows = u32::try_from(n_rows).expect("bounded with the header");
        let levels = sets::get_levels(&mut reader, n_rows)?;
        segments.push(Segment {
            tenant,
            labels,
            n_rows,
            min_timestamp,
            max_timestamp,
            line_bytes: line_bytes as u64,
            metadata_bytes,
            levels,
        });
    }
    reader.check(rows_left == 0, "number of rows")?;
    reader.check(bytes_left == 0, "line bytes")?;
    reader.end("dictionary")?;
    Ok(segments)
}

/// What a segment costs beside the encoded bytes. Labels that segments share count each time.
fn memory_of(segment: &Segment) -> usize {
    let pair = size_of::<(Box<str>, Box<str>)>();
    let labels: usize =
        segment.labels.iter().map(|(name, value)| pair + name.len() + value.len()).sum();
    size_of::<Segment>() + labels
}
