//! A chunk of which all bytes are in memory.

use std::ops::Range;

use super::footer::{Opened, open};
use super::{ChunkIndex, Columns, Error, read_block};
use crate::model::Rows;
use crate::model::column::Malformed;

pub(super) struct Whole<B> {
    object: B,
    pub(super) index: ChunkIndex,
}

impl<B: AsRef<[u8]>> Whole<B> {
    pub(super) fn open(object: B) -> Result<Whole<B>, Error> {
        let bytes = object.as_ref();
        match open(bytes, bytes.len() as u64)? {
            Opened::Index(index) => Ok(Whole { object, index }),
            Opened::NeedsMore { .. } => {
                Err(Malformed { what: "length of a chunk", offset: 0 }.into())
            }
        }
    }

    /// The numbers of a stream's blocks, in the order of time.
    pub(super) fn blocks_of(&self, stream: usize) -> Range<usize> {
        self.index.streams[stream].1.clone()
    }

    /// All columns of a block.
    pub(super) fn read(&self, block: usize) -> Result<Rows, Error> {
        let all = Columns { lines: true, metadata: true };
        let bytes =
            |range: Range<u64>| &self.object.as_ref()[range.start as usize..range.end as usize];
        let meta = &self.index.blocks[block];
        read_block(meta, bytes(meta.small_range(all)), Some(bytes(meta.lines_range())), all)
    }
}
