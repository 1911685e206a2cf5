//! Reads blocks, and checks whole objects.

use super::footer::{HEADER_BYTES, TRAILER_BYTES, Trailer};
use super::index::Stored;
use super::{BlockMeta, Columns, Error, MAGIC, VERSION, check_crc};
use crate::model::column::{Malformed, Reader, lines, sets, times};
use crate::model::{Lines, MetadataColumn, Rows};

/// Reads a block. `small` is what stands at [`BlockMeta::small_range`] of `want`, or more; `text`
/// what stands at [`BlockMeta::lines_range`], where lines are wanted.
pub fn read_block(
    meta: &BlockMeta,
    small: &[u8],
    text: Option<&[u8]>,
    want: Columns,
) -> Result<Rows, Error> {
    let mut columns = SmallColumns { rest: small };
    let timestamps = read_timestamps(meta, columns.next(meta.timestamps, "timestamps")?)?;
    let mut rows = Rows { timestamps, lines: None, metadata: None };
    if want.lines || want.metadata {
        let lengths = columns.next(meta.lengths, "line lengths")?;
        if want.lines {
            let text = text.expect("the caller who wants lines has fetched them");
            rows.lines = Some(read_lines(meta, lengths, text)?);
        }
    }
    if want.metadata {
        rows.metadata = Some(read_metadata(meta, columns.next(meta.metadata, "metadata")?)?);
    }
    Ok(rows)
}

/// Reads how long each line of a block is, without its text: what a count of bytes needs. `small`
/// is what stands at [`BlockMeta::small_range`] with lines wanted, or more.
pub fn read_line_bytes(meta: &BlockMeta, small: &[u8]) -> Result<Vec<u32>, Error> {
    let mut columns = SmallColumns { rest: small };
    columns.next(meta.timestamps, "timestamps")?;
    let lengths = columns.next(meta.lengths, "line lengths")?;
    let mut reader = Reader::new(lengths);
    let offsets = lines::offsets(&mut reader, meta.n_rows as usize, meta.line_bytes)?;
    reader.end("line lengths")?;
    Ok(offsets.windows(2).map(|pair| pair[1] - pair[0]).collect())
}

/// Checks a whole object against its content hash, and returns that hash.
pub fn verify(object: &[u8]) -> Result<u64, Error> {
    let malformed = |what| Malformed { what, offset: 0 };
    let ends = object.split_last_chunk::<TRAILER_BYTES>();
    let (before, trailer) = ends.ok_or(malformed("length of a chunk"))?;
    let trailer = Trailer::get(trailer)?;
    if trailer.object_len != object.len() as u64 {
        return Err(malformed("object length").into());
    }
    if xxhash_rust::xxh3::xxh3_64(before) != trailer.content {
        return Err(Error::Checksum { what: "object" });
    }
    if !before.starts_with(&header()) {
        return Err(malformed("header").into());
    }
    Ok(trailer.content)
}

/// The first bytes of every chunk.
pub(super) fn header() -> [u8; HEADER_BYTES] {
    let [a, b, c, d] = MAGIC;
    [a, b, c, d, VERSION, 0, 0, 0]
}

/// The small columns of one block, one after another.
struct SmallColumns<'a> {
    rest: &'a [u8],
}

impl<'a> SmallColumns<'a> {
    fn next(&mut self, stored: Stored, what: &'static str) -> Result<&'a [u8], Error> {
        let column = self.rest.split_at_checked(stored.n_bytes as usize);
        let (column, rest) = column.ok_or(Malformed { what, offset: 0 })?;
        check_crc(column, stored.crc, what)?;
        self.rest = rest;
        Ok(column)
    }
}

fn read_timestamps(meta: &BlockMeta, bytes: &[u8]) -> Result<Vec<i64>, Error> {
    let mut reader = Reader::new(bytes);
    let timestamps = times::unpack_sorted(&mut reader, meta.n_rows as usize, meta.min_timestamp)?;
    reader.end("timestamps")?;
    reader.check(timestamps.is_sorted(), "order of timestamps")?;
    reader.check(timestamps.last() == Some(&meta.max_timestamp), "max timestamp")?;
    Ok(timestamps)
}

fn read_lines(meta: &BlockMeta, lengths: &[u8], text: &[u8]) -> Result<Lines, Error> {
    let mut reader = Reader::new(lengths);
    let offsets = lines::offsets(&mut reader, meta.n_rows as usize, meta.line_bytes)?;
    reader.end("line lengths")?;
    let malformed = |what| Malformed { what, offset: 0 };
    if text.len() != meta.text.n_bytes as usize {
        return Err(malformed("length of text").into());
    }
    check_crc(text, meta.text.crc, "text")?;
    let bytes = meta.text_codec.decompress(text, meta.line_bytes as usize);
    let bytes = bytes.ok_or(malformed("text"))?;
    if !lines::is_text(&bytes, &offsets) {
        return Err(malformed("text of lines").into());
    }
    Ok(Lines { bytes, offsets })
}

fn read_metadata(meta: &BlockMeta, bytes: &[u8]) -> Result<MetadataColumn, Error> {
    let n = meta.n_rows as usize;
    if meta.n_sets == 0 {
        return Ok(MetadataColumn::none(n));
    }
    let malformed = Malformed { what: "metadata sets", offset: 0 };
    let (ids, stored) = bytes.split_at_checked(meta.n_ids_bytes as usize).ok_or(malformed)?;
    let mut reader = Reader::new(ids);
    let ids = sets::unpack_ids(&mut reader, n, meta.n_sets)?;
    reader.end("metadata ids")?;
    let raw = meta.sets_codec.decompress(stored, meta.n_sets_raw as usize).ok_or(malformed)?;
    let mut reader = Reader::new(&raw);
    let sets = sets::get_sets(&mut reader, meta.n_sets)?;
    reader.end("metadata sets")?;
    Ok(MetadataColumn { sets: sets.into(), ids })
}
