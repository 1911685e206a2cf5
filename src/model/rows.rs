//! Entries of one stream in memory, column by column.
//!
//! Lines are one byte buffer and the offsets into it, so that a filter can run over the whole
//! buffer and only survivors are copied. Structured metadata is a table of distinct sets and one
//! number per row, so that what depends on the set alone is computed once per set.

use std::sync::Arc;

use bytes::Bytes;

use super::Metadata;

/// Entries of one stream. Which columns are there depends on what was asked for; those that are
/// have one value per row. The order of the rows is the owner's business.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// Nanoseconds since the Unix epoch.
    pub timestamps: Vec<i64>,
    /// `None`: lines were not asked for.
    pub lines: Option<Lines>,
    /// `None`: metadata was not asked for.
    pub metadata: Option<MetadataColumn>,
}

/// Lines: UTF-8 text in one shared buffer.
///
/// Invariants: `offsets` is not empty and never decreases; its last value is at most
/// `bytes.len()`; row `i` is `bytes[offsets[i]..offsets[i + 1]]` and valid UTF-8.
#[derive(Clone, Debug)]
pub struct Lines {
    /// The text of all rows, back to back. May hold more than these rows at either end.
    pub bytes: Bytes,
    /// Where each row starts, and where the last one ends.
    pub offsets: Vec<u32>,
}

/// Metadata of rows: `sets[ids[row]]`.
///
/// Invariants: every id is below `sets.len()`; `sets[0]` is the empty set; sets are distinct.
#[derive(Clone, Debug)]
pub struct MetadataColumn {
    /// Distinct sets; the first is empty.
    pub sets: Arc<[Metadata]>,
    /// Which set each row has.
    pub ids: Vec<u32>,
}

impl Rows {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.timestamps.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.timestamps.is_empty()
    }
}

impl Rows {
    /// These rows, in this order. Lines are copied only where the rows do not lie side by side.
    pub fn select(&self, keep: &[usize]) -> Rows {
        Rows {
            timestamps: keep.iter().map(|row| self.timestamps[*row]).collect(),
            lines: self.lines.as_ref().map(|lines| lines.select(keep)),
            metadata: self.metadata.as_ref().map(|metadata| MetadataColumn {
                sets: Arc::clone(&metadata.sets),
                ids: keep.iter().map(|row| metadata.ids[*row]).collect(),
            }),
        }
    }
}

impl Rows {
    /// The rows of a range, in their order. No line is copied.
    pub fn slice(&self, range: std::ops::Range<usize>) -> Rows {
        Rows {
            timestamps: self.timestamps[range.clone()].to_vec(),
            lines: self.lines.as_ref().map(|lines| lines.slice(range.clone())),
            metadata: self.metadata.as_ref().map(|metadata| MetadataColumn {
                sets: Arc::clone(&metadata.sets),
                ids: metadata.ids[range.clone()].to_vec(),
            }),
        }
    }
}

impl Lines {
    fn select(&self, keep: &[usize]) -> Lines {
        let side_by_side = keep.windows(2).all(|pair| pair[0] + 1 == pair[1]);
        if let (true, Some(first)) = (side_by_side, keep.first()) {
            return self.slice(*first..first + keep.len());
        }
        let mut bytes = Vec::with_capacity(keep.iter().map(|row| self.get(*row).len()).sum());
        let mut offsets = Vec::with_capacity(keep.len() + 1);
        offsets.push(0);
        for row in keep {
            bytes.extend_from_slice(self.get(*row));
            offsets.push(u32::try_from(bytes.len()).expect("a part is no longer than the whole"));
        }
        Lines { bytes: bytes.into(), offsets }
    }

    /// The lines of a range. None is copied.
    pub fn slice(&self, range: std::ops::Range<usize>) -> Lines {
        Lines { bytes: self.bytes.clone(), offsets: self.offsets[range.start..=range.end].to_vec() }
    }

    /// A line for each text; together they are below 4 GiB.
    pub fn from_texts<T: AsRef<str>>(texts: &[T]) -> Lines {
        let mut bytes = Vec::with_capacity(texts.iter().map(|text| text.as_ref().len()).sum());
        let mut offsets = Vec::with_capacity(texts.len() + 1);
        offsets.push(0);
        for text in texts {
            bytes.extend_from_slice(text.as_ref().as_bytes());
            offsets.push(u32::try_from(bytes.len()).expect("the caller bounds what lines take"));
        }
        Lines { bytes: bytes.into(), offsets }
    }

    /// No line at all.
    pub fn empty() -> Lines {
        Lines { bytes: Bytes::new(), offsets: vec![0] }
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of one line.
    pub fn get(&self, row: usize) -> &[u8] {
        &self.bytes[self.offsets[row] as usize..self.offsets[row + 1] as usize]
    }

    /// One line as text.
    pub fn text(&self, row: usize) -> &str {
        std::str::from_utf8(self.get(row)).expect("lines are checked when they come in")
    }

    /// All these lines as one text, for one who looks at most of them: checking it at once costs
    /// less than line by line. `None` where a line is no text.
    pub fn whole(&self) -> Option<&str> {
        std::str::from_utf8(self.span()).ok()
    }

    /// Where a line stands in [`Lines::whole`].
    pub fn place(&self, row: usize) -> std::ops::Range<usize> {
        let base = self.offsets[0];
        (self.offsets[row] - base) as usize..(self.offsets[row + 1] - base) as usize
    }

    /// The bytes of all these lines, back to back.
    pub fn span(&self) -> &[u8] {
        &self.bytes[self.offsets[0] as usize..self.offsets[self.len()] as usize]
    }
}

impl MetadataColumn {
    /// `n` rows without metadata.
    pub fn none(n: usize) -> MetadataColumn {
        MetadataColumn { sets: [Metadata::empty()].into(), ids: vec![0; n] }
    }

    /// The set of one row.
    pub fn get(&self, row: usize) -> &Metadata {
        &self.sets[self.ids[row] as usize]
    }
}
