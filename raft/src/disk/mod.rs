//! The node's two databases: the only place that touches redb.
//!
//! In come batches and ranges; out go entries, rows and [`Error`]s that name the file. Everything
//! here blocks, and is called from this crate's own threads only.

mod backend;
mod eras;
mod lane;
mod state;
mod value;

use std::fs::OpenOptions;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Database, StorageBackend};

use crate::error::Error;
use crate::node::{FORMAT_VERSION, Identity};

use self::backend::{FirstError, Watched, Written};
pub(crate) use lane::{Ack, LoadedLog, LogDb, Marks, Op, PurgeSlice, payload_bytes};
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

/// Where an open database lies, what its disk refused first, and how much it took.
#[derive(Debug)]
struct Place {
    path: PathBuf,
    first: FirstError,
    written: Written,
}

/// Opens or creates the database, repairing it after a crash.
fn open(medium: Medium, cache_bytes: usize) -> Result<(Database, Place), Error> {
    let Medium { path, backend } = medium;
    let place = Place { path, first: FirstError::default(), written: Written::default() };
    let db = guarded(&place, || {
        let inner = match backend {
            Some(backend) => backend,
            None => Box::new(file(&place.path)?),
        };
        Database::builder()
            .set_cache_size(cache_bytes)
            .create_with_backend(Watched::new(inner, place.first.clone(), place.written.clone()))
            .map_err(|error| failed(&place, error))
    })?;
    Ok((db, place))
}

/// The file at `path`, empty if there was none.
fn file(path: &Path) -> Result<FileBackend, Error> {
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).open(path);
    let file = file.map_err(|source| refused(path, source))?;
    Ok(FileBackend::new(file).expect("a file becomes a backend without being asked anything"))
}

/// Runs `work`, and turns a panic into an error: redb may panic on pages that it did not write,
/// and bad data from a disk must stop the node, not kill a thread that others wait for.
fn guarded<T>(place: &Place, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(Error::Damaged {
            path: place.path.clone(),
            what: "redb cannot make sense of it".into(),
        })
    })
}

/// What an error of redb means for whoever runs the node.
fn failed(place: &Place, error: impl Into<redb::Error>) -> Error {
    let path = place.path.clone();
    match error.into() {
        redb::Error::Io(source) if source.kind() == io::ErrorKind::InvalidData => {
            Error::Damaged { path, what: source.to_string() }
        }
        redb::Error::Io(source) => refused(&path, source),
        redb::Error::PreviousIo => refused(&path, place.first.again()),
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
