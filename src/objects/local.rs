//! Objects as files below a directory, written so that they survive a power cut.
//!
//! A new object is written under a temporary name, synced, given its name by a hard link (which
//! fails where the name is taken), and its directory is synced. `object_store`'s own local store
//! does not sync, and a WAL that is purged after an unsynced write is an acknowledged loss.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};

use super::{Error, Listed, Put};
use crate::model::Timestamp;

pub(super) struct Directory {
    root: Arc<PathBuf>,
    /// Each writer has its own: several nodes may share the root.
    temporary: PathBuf,
    next_temporary: Arc<AtomicU64>,
}

impl Directory {
    /// `writer` is the number of the node: no two processes that share the directory have the same.
    pub(super) fn open(root: &Path, writer: u64) -> Result<Directory, Error> {
        let temporary = root.join(TEMPORARY).join(writer.to_string());
        let open = || -> io::Result<()> {
            // What a killed process left half-written was never given a name.
            if temporary.exists() {
                fs::remove_dir_all(&temporary)?;
            }
            fs::create_dir_all(&temporary)?;
            File::open(root)?.sync_all()
        };
        open().map_err(|error| storage(&root.display().to_string(), &error))?;
        Ok(Directory { root: Arc::new(root.into()), temporary, next_temporary: Arc::default() })
    }

    pub(super) async fn put_new(&self, name: &str, bytes: Bytes) -> Result<Put, Error> {
        let number = self.next_temporary.fetch_add(1, Ordering::Relaxed);
        let temporary = self.temporary.join(number.to_string());
        self.with_file(name, move |path| {
            let result = write_new(&temporary, path, &bytes);
            fs::remove_file(&temporary).or_else(ignore_missing)?;
            result
        })
        .await
    }

    pub(super) async fn read(
        &self,
        name: &str,
        ranges: Vec<Range<u64>>,
    ) -> Result<Vec<Bytes>, Error> {
        self.with_file(name, move |path| {
            let file = File::open(path)?;
            ranges.into_iter().map(|range| read_range(&file, range)).collect()
        })
        .await
    }

    pub(super) async fn length(&self, name: &str) -> Result<u64, Error> {
        self.with_file(name, |path| Ok(fs::metadata(path)?.len())).await
    }

    pub(super) async fn delete(&self, name: &str) -> Result<(), Error> {
        self.with_file(name, |path| fs::remove_file(path).or_else(ignore_missing)).await
    }

    pub(super) fn list(&self) -> BoxStream<'static, Result<Listed, Error>> {
        let root = Arc::clone(&self.root);
        let walk = async move {
            #[expect(clippy::disallowed_methods, reason = "files block, and this is where they do")]
            let walked = tokio::task::spawn_blocking(move || {
                let mut found = Vec::new();
                let walked = walk(&root, &root, &mut found);
                walked.map_err(|error| storage(&root.display().to_string(), &error))?;
                Ok(found)
            });
            let found = walked.await;
            let found = found.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
            match found {
                Ok(found) => stream::iter(found.into_iter().map(Ok)).left_stream(),
                Err(error) => stream::iter([Err(error)]).right_stream(),
            }
        };
        stream::once(walk).flatten().boxed()
    }

    /// Runs file work away from the sockets' threads.
    async fn with_file<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let path = self.root.join(name);
        #[expect(clippy::disallowed_methods, reason = "files block, and this is where they do")]
        let done = tokio::task::spawn_blocking(move || work(&path)).await;
        match done {
            Ok(result) => result.map_err(|error| match error.kind() {
                ErrorKind::NotFound => Error::Missing { name: name.into() },
                _ => storage(name, &error),
            }),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

/// Below the root, so that a link never crosses file systems.
const TEMPORARY: &str = ".temporary";

/// Finds the objects below a directory. What is deleted meanwhile is none.
fn walk(root: &Path, directory: &Path, found: &mut Vec<Listed>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if metadata.is_dir() {
            if path != root.join(TEMPORARY) {
                walk(root, &path, found)?;
            }
            continue;
        }
        let name = path.strip_prefix(root).expect("it lies below the root");
        let Some(name) = name.to_str() else { continue };
        let since = metadata.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let written = Timestamp::from_secs(0).after(since);
        found.push(Listed { name: name.into(), written });
    }
    Ok(())
}

fn write_new(temporary: &Path, path: &Path, bytes: &[u8]) -> io::Result<Put> {
    let parent = path.parent().expect("an object lies below the root");
    if !parent.exists() {
        fs::create_dir_all(parent)?;
        sync_up(parent)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    let put = match fs::hard_link(temporary, path) {
        Ok(()) => Put::Created,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Put::Existed,
        Err(error) => return Err(error),
    };
    // Also where the name was taken: whoever wrote it may not have synced the directory yet.
    File::open(parent)?.sync_all()?;
    Ok(put)
}

/// Syncs a new directory and those above it: a name is as durable as every directory on its path.
fn sync_up(directory: &Path) -> io::Result<()> {
    for above in directory.ancestors().take(3).filter(|path| !path.as_os_str().is_empty()) {
        File::open(above)?.sync_all()?;
    }
    Ok(())
}

fn read_range(file: &File, range: Range<u64>) -> io::Result<Bytes> {
    let length = usize::try_from(range.end.saturating_sub(range.start)).expect("64-bit machine");
    let mut buffer = vec![0; length];
    file.read_exact_at(&mut buffer, range.start)?;
    Ok(buffer.into())
}

fn ignore_missing(error: io::Error) -> io::Result<()> {
    if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

fn storage(name: &str, error: &io::Error) -> Error {
    Error::Storage { name: name.into(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_object_is_written_once() {
        let root = tempfile::tempdir().expect("a directory");
        let objects = Directory::open(root.path(), 7).expect("opens");
        let put = |bytes: &'static [u8]| objects.put_new("t/0/a", Bytes::from_static(bytes));
        assert_eq!(put(b"first").await.expect("writes"), Put::Created);
        assert_eq!(put(b"second").await.expect("finds"), Put::Existed);
        let read = objects.read("t/0/a", vec![1..3, 0..5]).await.expect("reads");
        assert_eq!(read, [&b"ir"[..], b"first"]);
        assert!(matches!(objects.read("t/0/a", vec![3..9]).await, Err(Error::Storage { .. })));
        objects.delete("t/0/a").await.expect("deletes");
        objects.delete("t/0/a").await.expect("a second time, too");
        let missing = objects.read("t/0/a", vec![0..1]).await;
        assert!(matches!(missing, Err(Error::Missing { .. })));
    }

    #[tokio::test]
    async fn what_is_there_is_listed() {
        let root = tempfile::tempdir().expect("a directory");
        let objects = Directory::open(root.path(), 7).expect("opens");
        for name in ["t/0/a", "t/1/b", "mark"] {
            objects.put_new(name, Bytes::from_static(b"bytes")).await.expect("writes");
        }
        let mark = File::open(root.path().join("mark")).expect("opens");
        let written = mark.metadata().and_then(|metadata| metadata.modified()).expect("a time");
        mark.set_modified(written - std::time::Duration::from_secs(9)).expect("sets");
        fs::write(objects.temporary.join("9"), b"half").expect("writes");
        let listed: Vec<Result<Listed, Error>> = objects.list().collect().await;
        let mut listed: Vec<Listed> = listed.into_iter().map(|one| one.expect("lists")).collect();
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        let names: Vec<&str> = listed.iter().map(|one| &*one.name).collect();
        assert_eq!(names, ["mark", "t/0/a", "t/1/b"]);
        let older = listed[1].written.since(listed[0].written);
        assert!(older.as_secs() >= 8, "{older:?}");
    }

    #[tokio::test]
    async fn what_was_half_written_is_gone_after_open() {
        let root = tempfile::tempdir().expect("a directory");
        let [own, other] = ["7", "8"].map(|writer| root.path().join(TEMPORARY).join(writer));
        for writer in [&own, &other] {
            fs::create_dir_all(writer).expect("makes");
            fs::write(writer.join("0"), b"half").expect("writes");
        }
        let objects = Directory::open(root.path(), 7).expect("opens");
        objects.put_new("a/b", Bytes::from_static(b"whole")).await.expect("writes");
        let left = |writer: &Path| fs::read_dir(writer).expect("lists").count();
        assert_eq!((left(&own), left(&other)), (0, 1), "another node's is not touched");
    }
}
