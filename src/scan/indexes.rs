//! Indexes of chunks, kept in memory by bytes: most queries read nothing else of most chunks.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use super::Error;
use crate::chunk::{self, ChunkIndex, Opened};
use crate::objects::Objects;

/// What the end of an object is first guessed to need, to hold footer and index.
const TAIL_BYTES: u64 = 64 << 10;

/// A cache of chunk indexes: the least recently used go first.
pub struct Indexes {
    bytes_max: usize,
    cached: Mutex<Cached>,
}

#[derive(Default)]
struct Cached {
    by_object: HashMap<String, (Arc<ChunkIndex>, u64)>,
    by_use: BTreeMap<u64, String>,
    bytes: usize,
    uses: u64,
}

impl Indexes {
    /// Keeps at most this many bytes.
    pub fn new(bytes_max: usize) -> Indexes {
        Indexes { bytes_max, cached: Mutex::default() }
    }

    /// The index of a flushed chunk, from memory or from its object of `bytes` bytes.
    pub(super) async fn get(
        &self,
        objects: &Objects,
        object: &str,
        bytes: u64,
    ) -> Result<Arc<ChunkIndex>, Error> {
        if let Some(index) = self.lock().touch(object) {
            return Ok(index);
        }
        let index = Arc::new(load(objects, object, bytes).await?);
        self.lock().insert(object, &index, self.bytes_max);
        Ok(index)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Cached> {
        self.cached.lock().expect("nobody panics holding it")
    }
}

impl Cached {
    fn touch(&mut self, object: &str) -> Option<Arc<ChunkIndex>> {
        self.uses += 1;
        let (index, used) = self.by_object.get_mut(object)?;
        let name = self.by_use.remove(used).expect("both maps hold the same objects");
        *used = self.uses;
        self.by_use.insert(self.uses, name);
        Some(Arc::clone(index))
    }

    fn insert(&mut self, object: &str, index: &Arc<ChunkIndex>, bytes_max: usize) {
        if self.by_object.contains_key(object) {
            return; // Two queries loaded it at once.
        }
        self.uses += 1;
        self.bytes += index.memory_bytes();
        self.by_object.insert(object.into(), (Arc::clone(index), self.uses));
        self.by_use.insert(self.uses, object.into());
        while self.bytes > bytes_max
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            let (index, _) = self.by_object.remove(&oldest).expect("both maps hold the same");
            self.bytes -= index.memory_bytes();
        }
    }
}

async fn load(objects: &Objects, name: &str, length: u64) -> Result<ChunkIndex, Error> {
    let mut tail_bytes = TAIL_BYTES.min(length);
    loop {
        let read = objects.read(name, vec![length - tail_bytes..length]).await?;
        let opened = chunk::open(&read[0], length);
        match opened.map_err(|source| Error::Chunk { object: name.into(), source })? {
            Opened::Index(index) => return Ok(index),
            Opened::NeedsMore { bytes_from_end } => {
                assert!(bytes_from_end as u64 > tail_bytes, "asking again must bring more");
                tail_bytes = (bytes_from_end as u64).min(length);
            }
        }
    }
}
