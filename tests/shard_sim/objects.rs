//! A fake object store: create-if-absent, read, delete.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use drave::shard::ObjectInfo;

use crate::twin::Placed;

/// What an uploader wrote. Unlike a real chunk it keeps entries that were pushed twice, each with
/// the index it came from, so that the oracle can count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) entries: Vec<Placed>,
}

impl Object {
    /// What the uploader says of it.
    pub(crate) fn info(&self) -> ObjectInfo {
        let mut hasher = DefaultHasher::new();
        self.entries.hash(&mut hasher);
        ObjectInfo {
            bytes: 100 + self.entries.len() as u64,
            n_entries: self.entries.len() as u64,
            raw_bytes: 10 * self.entries.len() as u64,
            n_streams: 1,
            hash: hasher.finish(),
        }
    }
}

/// Objects by path.
#[derive(Default)]
pub(crate) struct Objects {
    by_path: BTreeMap<String, Object>,
}

impl Objects {
    /// Writes an object unless there is one. Whoever gives it the same name must say the same.
    pub(crate) fn put_new(&mut self, path: &str, object: Object) {
        let there = self.by_path.entry(path.into()).or_insert_with(|| object.clone());
        assert_eq!(*there, object, "two objects are called {path}");
    }

    pub(crate) fn get(&self, path: &str) -> Option<&Object> {
        self.by_path.get(path)
    }

    pub(crate) fn delete(&mut self, path: &str) {
        self.by_path.remove(path);
    }

    /// Paths of all objects.
    pub(crate) fn list(&self) -> Vec<String> {
        self.by_path.keys().cloned().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_path.len()
    }
}
