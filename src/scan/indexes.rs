//! What is known of chunks without reading their blocks, kept in memory by bytes: their indexes, for
//! most queries read nothing else of most chunks, and the filters of their blocks.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use super::Error;
use super::prune::Chunk;
use crate::chunk::{self, ChunkIndex, Filters, Opened, ValueFilters};
use crate::objects::Objects;

/// What the end of an object is first guessed to need, to hold footer and index.
const TAIL_BYTES: u64 = 64 << 10;

/// A cache of chunk indexes and two of filters.
pub struct Indexes {
    indexes: Cache<ChunkIndex>,
    filters: Cache<Filters>,
    values: Cache<ValueFilters>,
}

impl Indexes {
    /// Keeps at most this many bytes, half of them for filters: of lines, and of metadata.
    pub fn new(bytes_max: usize) -> Indexes {
        let (indexes, filters) = (ChunkIndex::memory_bytes, Filters::memory_bytes);
        Indexes {
            indexes: Cache::new(bytes_max / 2, indexes),
            filters: Cache::new(bytes_max / 4, filters),
            values: Cache::new(bytes_max / 4, ValueFilters::memory_bytes),
        }
    }

    /// The index of a flushed chunk, from memory or from its object of `bytes` bytes.
    pub(super) async fn get(
        &self,
        objects: &Objects,
        object: &str,
        bytes: u64,
    ) -> Result<Arc<ChunkIndex>, Error> {
        if let Some(index) = self.indexes.get(object) {
            return Ok(index);
        }
        let index = Arc::new(load(objects, object, bytes).await?);
        self.indexes.insert(object, &index);
        Ok(index)
    }

    /// The filters of a chunk's blocks, if it has any, and how many bytes were read for them.
    pub(super) async fn filters(
        &self,
        objects: &Objects,
        chunk: &Chunk,
    ) -> Result<Option<(Arc<Filters>, u64)>, Error> {
        let Some(range) = chunk.index.filters_range() else { return Ok(None) };
        if let Some(filters) = self.filters.get(&chunk.object) {
            return Ok(Some((filters, 0)));
        }
        let read = objects.read(&chunk.object, vec![range]).await?.remove(0);
        let n_bytes = read.len() as u64;
        let filters = chunk.index.filters(read);
        let broken = |source| Error::Chunk { object: chunk.object.clone(), source };
        let filters = Arc::new(filters.map_err(broken)?);
        self.filters.insert(&chunk.object, &filters);
        Ok(Some((filters, n_bytes)))
    }
}

impl Indexes {
    /// The same for the filters of the blocks' metadata.
    pub(super) async fn values(
        &self,
        objects: &Objects,
        chunk: &Chunk,
    ) -> Result<Option<(Arc<ValueFilters>, u64)>, Error> {
        let Some(range) = chunk.index.values_range() else { return Ok(None) };
        if let Some(values) = self.values.get(&chunk.object) {
            return Ok(Some((values, 0)));
        }
        let read = objects.read(&chunk.object, vec![range]).await?.remove(0);
        let n_bytes = read.len() as u64;
        let values = chunk.index.values(read);
        let broken = |source| Error::Chunk { object: chunk.object.clone(), source };
        let values = Arc::new(values.map_err(broken)?);
        self.values.insert(&chunk.object, &values);
        Ok(Some((values, n_bytes)))
    }
}

/// Something of each object, up to some bytes: the least recently used go first.
struct Cache<T> {
    bytes_max: usize,
    bytes_of: fn(&T) -> usize,
    cached: Mutex<Cached<T>>,
}

struct Cached<T> {
    by_object: HashMap<String, (Arc<T>, u64)>,
    by_use: BTreeMap<u64, String>,
    bytes: usize,
    uses: u64,
}

impl<T> Cache<T> {
    fn new(bytes_max: usize, bytes_of: fn(&T) -> usize) -> Cache<T> {
        let (by_object, by_use) = (HashMap::new(), BTreeMap::new());
        let cached = Mutex::new(Cached { by_object, by_use, bytes: 0, uses: 0 });
        Cache { bytes_max, bytes_of, cached }
    }

    fn get(&self, object: &str) -> Option<Arc<T>> {
        let cached = &mut *self.lock();
        cached.uses += 1;
        let (value, used) = cached.by_object.get_mut(object)?;
        let name = cached.by_use.remove(used).expect("both maps hold the same objects");
        *used = cached.uses;
        cached.by_use.insert(cached.uses, name);
        Some(Arc::clone(value))
    }

    fn insert(&self, object: &str, value: &Arc<T>) {
        let cached = &mut *self.lock();
        if cached.by_object.contains_key(object) {
            return; // Two queries loaded it at once.
        }
        cached.uses += 1;
        cached.bytes += (self.bytes_of)(value);
        cached.by_object.insert(object.into(), (Arc::clone(value), cached.uses));
        cached.by_use.insert(cached.uses, object.into());
        while cached.bytes > self.bytes_max
            && let Some((_, oldest)) = cached.by_use.pop_first()
        {
            let (value, _) = cached.by_object.remove(&oldest).expect("both maps hold the same");
            cached.bytes -= (self.bytes_of)(&value);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Cached<T>> {
        self.cached.lock().expect("nobody panics holding it")
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
