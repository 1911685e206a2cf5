//! A disk that can lose power: an ext4 in a file, and the ioctl that stops it at once.
//!
//! After `EXT4_IOC_SHUTDOWN` without a flush of the journal, nothing that was not synced reaches
//! the file: what the next mount finds is what a machine finds that lost power.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use super::machine::{run, run_at_drop};

/// Room for a run. The file is sparse.
const BYTES: &str = "2G";
/// `_IOR('X', 125, u32)` with `EXT4_GOING_FLAGS_NOLOGFLUSH`, on each directory given.
const SHUT_DOWN: &str = "import fcntl,os,struct,sys\n\
    fds=[os.open(path,os.O_RDONLY) for path in sys.argv[1:]]\n\
    for fd in fds: fcntl.ioctl(fd,0x8004587d,struct.pack('I',2))\n";

/// A file system of its own, mounted; unmounted when dropped.
#[derive(Debug)]
pub(crate) struct Disk {
    image: PathBuf,
    mount: PathBuf,
}

impl Disk {
    pub(crate) async fn create(image: PathBuf, mount: PathBuf) -> anyhow::Result<Disk> {
        let disk = Disk { image, mount };
        std::fs::create_dir_all(&disk.mount)?;
        let image = disk.image.to_str().context("a path in UTF-8")?;
        run(&["truncate", "-s", BYTES, image]).await?;
        run(&["mkfs.ext4", "-q", "-F", image]).await?;
        disk.mount().await?;
        Ok(disk)
    }

    /// Whether a power cut really loses what was not synced, and only that.
    pub(crate) async fn probe(scratch: &Path) -> anyhow::Result<()> {
        remove_leftovers().await?;
        let disk = Disk::create(scratch.join("probe.img"), scratch.join("probe")).await?;
        let (synced, unsynced) = (disk.mount.join("synced"), disk.mount.join("unsynced"));
        std::fs::write(&synced, "x")?;
        std::fs::File::open(&synced)?.sync_all()?;
        std::fs::File::open(&disk.mount)?.sync_all()?;
        std::fs::write(&unsynced, "x")?;
        power_cut(&[&disk]).await?;
        disk.power_on().await?;
        ensure!(std::fs::read(&synced).is_ok_and(|bytes| bytes == b"x"), "synced data is gone");
        ensure!(!unsynced.exists(), "unsynced data survives");
        Ok(())
    }

    async fn mount(&self) -> anyhow::Result<()> {
        let image = self.image.to_str().context("a path in UTF-8")?;
        let mount = self.mount.to_str().context("a path in UTF-8")?;
        run(&["mount", "-o", "loop", image, mount]).await.map(|_| ())
    }

    /// After a power cut, when nothing uses it any more: replays the journal.
    pub(crate) async fn power_on(&self) -> anyhow::Result<()> {
        run(&["umount", self.mount.to_str().context("a path in UTF-8")?]).await?;
        self.mount().await
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Some(mount) = self.mount.to_str() {
            run_at_drop(&["umount", "-l", mount]);
        }
        let _ = std::fs::remove_file(&self.image);
    }
}

/// What every directory of a harness is called, followed by its process id and a `-`.
pub(crate) const SCRATCH_PREFIX: &str = "drave-jepsen-";

/// Unmounts and removes what harnesses left that were killed.
async fn remove_leftovers() -> anyhow::Result<()> {
    let mounts = std::fs::read_to_string("/proc/mounts")?;
    for mount in mounts.lines().filter_map(|line| line.split(' ').nth(1)) {
        if let Some(scratch) = dead_scratch(mount) {
            run(&["umount", "-l", mount]).await?;
            let _ = std::fs::remove_dir_all(scratch);
        }
    }
    Ok(())
}

/// The directory of a harness that is gone, of a path below it.
fn dead_scratch(path: &str) -> Option<&str> {
    let start = path.find(SCRATCH_PREFIX)? + SCRATCH_PREFIX.len();
    let (pid, _) = path[start..].split_once('-')?;
    let dead = !pid.is_empty()
        && pid.bytes().all(|byte| byte.is_ascii_digit())
        && !Path::new("/proc").join(pid).exists();
    let end = path[start..].find('/').map_or(path.len(), |length| start + length);
    dead.then(|| &path[..end])
}

/// Stops the disks, one right after the other.
pub(crate) async fn power_cut(disks: &[&Disk]) -> anyhow::Result<()> {
    let paths = disks.iter().map(|disk| disk.mount.to_str().context("a path in UTF-8"));
    let paths = paths.collect::<anyhow::Result<Vec<&str>>>()?;
    run(&[&["python3", "-c", SHUT_DOWN][..], &paths].concat()).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::dead_scratch;

    #[test]
    fn only_the_directories_of_dead_harnesses_are_removed() {
        let dead = "/tmp/drave-jepsen-999999999-abc/seed-1/node-2";
        assert_eq!(dead_scratch(dead), Some("/tmp/drave-jepsen-999999999-abc"));
        let own = format!("/tmp/drave-jepsen-{}-abc/seed-1", std::process::id());
        for alive in [own.as_str(), "/tmp/drave-jepsen-x-y/a", "/tmp/drave-jepsen-999999999", "/"] {
            assert_eq!(dead_scratch(alive), None, "{alive}");
        }
    }
}
