//! Whether two chunks hold the same entries, however each was written.
//!
//! Another version of drave, or other options, give other bytes for the same rows: where one of two
//! writers was here first, its chunk is as good as one's own.

use super::read::verify;
use super::whole::Whole;
use super::write::summary_of;
use super::{ChunkSummary, Error};
use crate::model::{Metadata, Rows};

/// What the chunk `found` holds, if it is whole and its entries are those of `own`. Decodes both.
pub fn same_entries(found: &[u8], own: &[u8]) -> Result<Option<ChunkSummary>, Error> {
    let content = verify(found)?;
    let (found, own) = (Whole::open(found)?, Whole::open(own)?);
    let streams = |whole: &Whole<&[u8]>| whole.index.streams.len();
    if found.index.tenant != own.index.tenant || streams(&found) != streams(&own) {
        return Ok(None);
    }
    for stream in 0..streams(&own) {
        if found.index.streams[stream].0 != own.index.streams[stream].0 {
            return Ok(None);
        }
        let blocks = |whole: &Whole<&[u8]>| {
            whole.blocks_of(stream).map(|block| whole.read(block)).collect::<Result<Vec<_>, _>>()
        };
        let (a, b) = (blocks(&found)?, blocks(&own)?);
        if !entries_of(&a).eq(entries_of(&b)) {
            return Ok(None);
        }
    }
    Ok(Some(summary_of(&found.index, content)))
}

/// The entries of some blocks, one after another.
fn entries_of(blocks: &[Rows]) -> impl Iterator<Item = (i64, &[u8], &Metadata)> {
    blocks.iter().flat_map(|rows| {
        let lines = rows.lines.as_ref().expect("all columns were read");
        let metadata = rows.metadata.as_ref().expect("all columns were read");
        (0..rows.len()).map(|row| (rows.timestamps[row], lines.get(row), metadata.get(row)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::naive::{Streams, write};
    use crate::chunk::{Codec, WriteOptions};
    use crate::model::Labels;

    fn streams(app: &str, last: &str) -> Streams {
        let labels = Labels::from_pairs([("app", app)]).expect("unique");
        let entry = |n: i64| {
            let line = if n == 99 { last.to_owned() } else { format!("line {n}") };
            (n / 3, line, Metadata::from_pairs([("n", (n % 5).to_string())]))
        };
        vec![(labels, (0..100).map(entry).collect())]
    }

    #[test]
    fn blocks_and_codecs_do_not_matter_and_entries_do() {
        let own = write(&streams("web", "end"), WriteOptions::default());
        let options = WriteOptions { codec: Codec::Lz4, level: 1, window_log: 0, block_bytes: 200 };
        let (other, summary) = write(&streams("web", "end"), options);
        assert_ne!(other, own.0);
        assert_eq!(same_entries(&other, &own.0), Ok(Some(summary)));
        for different in [streams("web", "End"), streams("api", "end"), vec![]] {
            let (different, _) = write(&different, options);
            assert_eq!(same_entries(&different, &own.0), Ok(None));
        }
        assert!(same_entries(&other[1..], &own.0).is_err(), "damaged");
    }
}
