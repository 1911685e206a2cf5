//! What lies under a database: a file, the first thing that went wrong with it, and how much was
//! written to it.
//!
//! In come redb's reads, writes and locks; they go to the file, or to what stands in for it.
//!
//! After one refused write redb answers everything with "an earlier operation failed", to threads
//! that had no part in it. What is kept here says to them, too, what the disk refused.

use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use redb::{BackendError, StorageBackend};

/// The first error of the medium: its kind and text.
#[derive(Debug, Clone, Default)]
pub(super) struct FirstError(Arc<OnceLock<(io::ErrorKind, Box<str>)>>);

impl FirstError {
    /// What the disk said; something went wrong before.
    pub(super) fn again(&self) -> io::Error {
        match self.0.get() {
            Some((kind, text)) => io::Error::new(*kind, text.to_string()),
            None => io::Error::other("an earlier write or fsync failed"),
        }
    }
}

/// Bytes written to the medium since it was opened.
#[derive(Debug, Clone, Default)]
pub(super) struct Written(Arc<AtomicU64>);

impl Written {
    pub(super) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A backend whose first error is kept, and whose writes are counted.
#[derive(Debug)]
pub(super) struct Watched {
    inner: Box<dyn StorageBackend>,
    first: FirstError,
    written: Written,
}

impl Watched {
    /// `first` hears of the first error of `inner`, and `written` of its writes.
    pub(super) fn new(inner: Box<dyn StorageBackend>, first: FirstError, written: Written) -> Self {
        Self { inner, first, written }
    }

    fn watch<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result {
            self.first.0.get_or_init(|| (error.kind(), error.to_string().into()));
        }
        result
    }
}

impl StorageBackend for Watched {
    fn len(&self) -> io::Result<u64> {
        self.watch(self.inner.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.watch(self.inner.read(offset, out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.watch(self.inner.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.watch(self.inner.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.written.0.fetch_add(data.len() as u64, Ordering::Relaxed);
        self.watch(self.inner.write(offset, data))
    }

    fn close(&self) -> io::Result<()> {
        self.watch(self.inner.close())
    }

    // A lock that cannot be had is told to whoever opens the file: nothing is kept of it.

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.inner.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.query_lock_range(start, end)
    }
}
