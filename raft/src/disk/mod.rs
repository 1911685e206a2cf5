//! The node's two databases: the only place that touches redb.
//!
//! In come batches and ranges; out go entries, rows and [`Error`]s that name the file. Everything
//! here blocks, and is called from this crate's own threads only.

mod lane;
mod state;
mod value;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::{Database, StorageBackend};

use crate::error::Error;
use crate::node::{FORMAT_VERSION, Identity};

pub(crate) use lane::{LoadedLog, LogDb, Marks, Op, PurgeSlice, payload_bytes};
pub(crate) use state::{GroupChange, GroupState, StateDb};
pub(crate) use value::{MembershipRow, PAYLOAD_BYTES_MAX, decode_payload, encode_payload};

/// Where a database lies.
#[derive(Debug)]
pub(crate) struct Medium {
    /// The file, or its name in messages where `backend` holds the bytes.
    pub(crate) path: PathBuf,
    /// Stands in for the file: how tests lose power.
    pub(crate) backend: Option<Box<dyn StorageBackend>>,
}

impl Medium {
    /// A file.
    pub(crate) fn file(path: PathBuf) -> Self {
        Self { path, backend: None }
    }
}

/// A boxed backend is a backend.
#[derive(Debug)]
struct Boxed(Box<dyn StorageBackend>);

impl StorageBackend for Boxed {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }
}

/// Opens or creates the database, repairing it after a crash.
fn open(medium: Medium, cache_bytes: usize) -> Result<(Database, PathBuf), Error> {
    let Medium { path, backend } = medium;
    let db = guarded(&path, || {
        let mut builder = Database::builder();
        builder.set_cache_size(cache_bytes);
        match backend {
            Some(backend) => builder.create_with_backend(Boxed(backend)),
            None => builder.create(&path),
        }
        .map_err(|error| failed(&path, error))
    })?;
    Ok((db, path))
}

/// Runs `work`, and turns a panic into an error: redb may panic on pages that it did not write,
/// and bad data from a disk must stop the node, not kill a thread that others wait for.
fn guarded<T>(path: &Path, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(Error::Damaged { path: path.to_owned(), what: "redb cannot make sense of it".into() })
    })
}

/// What an error of redb means for whoever runs the node.
fn failed(path: &Path, error: impl Into<redb::Error>) -> Error {
    let path = path.to_owned();
    match error.into() {
        redb::Error::Io(source) if source.kind() == io::ErrorKind::InvalidData => {
            Error::Damaged { path, what: source.to_string() }
        }
        redb::Error::Io(source) => refused(&path, source),
        redb::Error::PreviousIo => {
            refused(&path, io::Error::other("an earlier write or fsync failed"))
        }
        redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => {
            Error::InUse { dir: path.parent().unwrap_or(&path).to_owned() }
        }
        redb::Error::UpgradeRequired(found) => {
            Error::FormatVersion { path, found: found.into(), expected: FORMAT_VERSION }
        }
        other => Error::Damaged { path, what: other.to_string() },
    }
}

/// The operating system refused something at `path`.
pub(crate) fn refused(path: &Path, source: io::Error) -> Error {
    use io::ErrorKind::{
        NotFound, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
    };
    let hint = match source.kind() {
        PermissionDenied | ReadOnlyFilesystem => {
            "let this user read and write it, or choose another data directory"
        }
        StorageFull | QuotaExceeded => "free some space and start again",
        NotFound => "choose a data directory that exists or can be created",
        _ => "check the disk and start again",
    };
    Error::Disk { path: path.to_owned(), source, hint }
}

/// The identity row is the same in both databases, so that files of two nodes are never mixed.
fn encode_identity(identity: &Identity) -> Vec<u8> {
    let json = serde_json::to_vec(identity).expect("numbers and strings always encode");
    value::seal(b"identity", &json)
}

fn decode_identity(path: &Path, row: &[u8]) -> Result<Identity, Error> {
    let damaged = |what: String| Error::Damaged { path: path.to_owned(), what };
    let json = value::unseal(b"identity", row).map_err(damaged)?;
    // The version is read on its own, so that a later format may change everything else.
    #[derive(serde::Deserialize)]
    struct Version {
        format_version: u32,
    }
    let version: Version =
        serde_json::from_slice(json).map_err(|error| damaged(error.to_string()))?;
    if version.format_version != FORMAT_VERSION {
        return Err(Error::FormatVersion {
            path: path.to_owned(),
            found: version.format_version,
            expected: FORMAT_VERSION,
        });
    }
    serde_json::from_slice(json).map_err(|error| damaged(error.to_string()))
}
