//! Object storage: where flushed chunks live. A local directory by default, or a bucket.
//!
//! In: names made by `shard` and whole objects. Out: ranges of them.
//!
//! Invariants:
//! * An object is written once, whole, and never changed: [`Objects::put_new`] creates or finds.
//! * When `put_new` has answered, the object is on stable storage: a WAL may be purged after it.

mod local;
mod remote;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;

use crate::model::Timestamp;

/// The object that says whose storage it is.
const MARK: &str = "cluster";

/// Where objects go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Options {
    /// Below a directory of this machine.
    Directory(PathBuf),
    /// `s3://bucket/prefix`
    Bucket {
        /// The URL as the user wrote it.
        url: String,
        /// `http://127.0.0.1:9000` for a server that is not Amazon's.
        endpoint: Option<String>,
        /// The region to sign for.
        region: Option<String>,
    },
}

/// What went wrong with an object.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not there.
    #[error("object {name} is missing")]
    Missing {
        /// The object's name.
        name: String,
    },
    /// The storage said no or did not answer: worth another try.
    #[error("object storage: {name}: {reason}")]
    Storage {
        /// The object's name, or the place that was being opened.
        name: String,
        /// The storage's own words.
        reason: String,
    },
    /// The place cannot be used as it was configured.
    #[error("storage.bucket: {0}")]
    Config(String),
}

/// What [`Objects::put_new`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// The object was not there and is now.
    Created,
    /// An object of this name was there and was left as it was.
    Existed,
}

/// An object, as [`Objects::list`] finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// When it was written, by the storage's clock.
    pub written: Timestamp,
}

/// A handle on the storage. Cheap to clone.
#[derive(Clone)]
pub struct Objects(Arc<Storage>);

enum Storage {
    Local(local::Directory),
    Remote(remote::Bucket),
}

impl Objects {
    /// Opens the storage for a node; a directory is made where it is missing.
    pub fn open(options: &Options, node_id: u64) -> Result<Objects, Error> {
        let storage = match options {
            Options::Directory(path) => Storage::Local(local::Directory::open(path, node_id)?),
            Options::Bucket { url, endpoint, region } => {
                let bucket = remote::Bucket::open(url, endpoint.as_deref(), region.as_deref())?;
                Storage::Remote(bucket)
            }
        };
        Ok(Objects(Arc::new(storage)))
    }

    /// Marks this as the storage of a cluster, unless it is marked.
    pub async fn mark(&self, cluster_id: u128) -> Result<(), Error> {
        self.put_new(MARK, Bytes::from(format!("{cluster_id:032x}"))).await.map(drop)
    }

    /// Makes sure that this is the storage of a cluster, by its mark. Nodes that do not share their
    /// storage would each miss what the others flushed.
    pub async fn check_mark(&self, cluster_id: u128) -> Result<(), Error> {
        let own = format!("{cluster_id:032x}");
        let found = match self.read(MARK, vec![0..own.len() as u64]).await {
            Ok(found) => String::from_utf8_lossy(&found[0]).into_owned(),
            Err(Error::Missing { .. }) => {
                return Err(Error::Config(
                    "it is not the storage of this node's cluster, which is one that all its nodes \
                     share: set it to what the other nodes have"
                        .into(),
                ));
            }
            Err(error) => return Err(error),
        };
        if found == own {
            return Ok(());
        }
        Err(Error::Config(format!(
            "it belongs to cluster {found}, and this node to {own}: give each cluster its own"
        )))
    }

    /// Writes an object unless its name is taken.
    pub async fn put_new(&self, name: &str, bytes: Bytes) -> Result<Put, Error> {
        match &*self.0 {
            Storage::Local(directory) => directory.put_new(name, bytes).await,
            Storage::Remote(bucket) => bucket.put_new(name, bytes).await,
        }
    }

    /// Reads ranges of an object, in the order given. A range past the end is an error.
    pub async fn read(&self, name: &str, ranges: Vec<Range<u64>>) -> Result<Vec<Bytes>, Error> {
        match &*self.0 {
            Storage::Local(directory) => directory.read(name, ranges).await,
            Storage::Remote(bucket) => bucket.read(name, ranges).await,
        }
    }

    /// How long an object is, in bytes.
    pub async fn length(&self, name: &str) -> Result<u64, Error> {
        match &*self.0 {
            Storage::Local(directory) => directory.length(name).await,
            Storage::Remote(bucket) => bucket.length(name).await,
        }
    }

    /// Every object, in no order. One that is written or deleted meanwhile may be there or not.
    pub fn list(&self) -> BoxStream<'static, Result<Listed, Error>> {
        match &*self.0 {
            Storage::Local(directory) => directory.list(),
            Storage::Remote(bucket) => bucket.list(),
        }
    }

    /// Deletes an object; one that is missing is no error.
    pub async fn delete(&self, name: &str) -> Result<(), Error> {
        match &*self.0 {
            Storage::Local(directory) => directory.delete(name).await,
            Storage::Remote(bucket) => bucket.delete(name).await,
        }
    }
}
