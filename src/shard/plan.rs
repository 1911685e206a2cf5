//! What a shard's leader should do next: pure functions of a view, a policy and the time.
//!
//! In: a [`ShardView`], a [`Policy`], since when the head has its oldest batch, and now. Out: the
//! answers to three questions, which are asked apart, since each kind of work has its own pace:
//! whether to [seal](seal_due), which heads to [upload](uploads), and which chunks to
//! [erase](erasable). Whoever does it proposes what follows (`Flush` after an upload, `Forget` after
//! erasing), forgets everything, and asks anew: what was done twice or half is stale or harmless.

use std::time::Duration;

use super::command::ChunkKey;
use super::manifest::Chunk;
use super::view::ShardView;
use crate::model::{Index, Timestamp};

/// When to do what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Seal a head that holds this many bytes of lines: it makes chunks of a good size.
    pub seal_raw_bytes: u64,
    /// Seal a head that takes this much memory.
    pub seal_memory_bytes: u64,
    /// Seal a head whose oldest batch is this old: a restart has less to replay.
    pub seal_age: Duration,
    /// Heads that may be on their way to object storage at once.
    pub uploads_max: usize,
    /// How long a retired chunk stays for the queries that still read it: longer than a query, a
    /// proposal on its way and the differences between clocks take together.
    pub erase_grace: Duration,
    /// Memory that this shard has to give back, for the node has too little of it; else zero.
    pub pressure_bytes: u64,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            seal_raw_bytes: 128 << 20,
            seal_memory_bytes: 64 << 20,
            seal_age: Duration::from_secs(30 * 60),
            uploads_max: 2,
            erase_grace: Duration::from_secs(2 * 60 * 60),
            pressure_bytes: 0,
        }
    }
}

/// A retired chunk whose grace is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasable {
    /// What to forget.
    pub key: ChunkKey,
    /// Where its object is.
    pub path: String,
}

/// Chunks that are erased together: as many as S3 deletes with one request.
pub const ERASE_LEN_MAX: usize = 1000;

/// Since when the open head has its oldest batch, by the clock of whoever asks. The shard has no
/// clock, so its leader keeps this beside it; a new leader starts anew, which makes a head at most
/// twice as old.
#[derive(Clone, Debug, Default)]
pub struct HeadAge {
    oldest: Option<(Index, Timestamp)>,
}

impl HeadAge {
    /// Looks at the head; to be called before [`seal_due`] is asked.
    pub fn observe(&mut self, view: &ShardView, now: Timestamp) {
        let first = view.head().first_index();
        if first != self.oldest.map(|(index, _)| index) {
            self.oldest = first.map(|index| (index, now));
        }
    }

    /// How old the oldest batch is.
    pub fn age(&self, now: Timestamp) -> Duration {
        self.oldest.map_or(Duration::ZERO, |(_, since)| now.since(since))
    }
}

/// Whether to propose `Seal`.
pub fn seal_due(view: &ShardView, policy: &Policy, age: &HeadAge, now: Timestamp) -> bool {
    let totals = view.head().totals();
    // A sealed head frees memory once it is uploaded: only what is missing needs another seal.
    let squeezed = policy.pressure_bytes > view.sealed_memory_bytes();
    let full = totals.raw_bytes >= policy.seal_raw_bytes
        || totals.memory_bytes >= policy.seal_memory_bytes;
    !view.head().is_empty() && (full || squeezed || age.age(now) >= policy.seal_age)
}

/// The sealed heads whose objects to write, each named by the seal that cut it. They may be written
/// at once; then propose `Flush` for each, in this order.
pub fn uploads(view: &ShardView, policy: &Policy) -> Vec<Index> {
    view.sealed_heads().iter().take(policy.uploads_max).map(|sealed| sealed.chunk).collect()
}

/// Retired chunks whose objects to delete; then propose `Forget` for all of them, which are not
/// more than [`ERASE_LEN_MAX`]. Walks through the whole manifest, so it is not to be asked often.
pub fn erasable(view: &ShardView, policy: &Policy, now: Timestamp) -> Vec<Erasable> {
    let grace = policy.erase_grace;
    let over = |chunk: &&Chunk| chunk.retired_at().is_some_and(|at| now.since(at) >= grace);
    let chunks = view.manifest().iter().map(|(_, chunk)| chunk).filter(over);
    chunks
        .take(ERASE_LEN_MAX)
        .map(|chunk| Erasable { key: chunk.key.clone(), path: chunk.path(view.shard()) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BatchBuilder, Labels, ShardId, Tenant};
    use crate::shard::{Command, Flushed, ObjectInfo, Shard};

    const NOW: Timestamp = Timestamp::from_secs(1_000_000);

    /// A shard after some commands: `a` appends, `s` seals, `f` flushes the oldest head and `r`
    /// retires its chunk.
    fn shard(commands: &str) -> ShardView {
        let mut shard = Shard::new(ShardId(0));
        for command in commands.chars() {
            let view = shard.view().expect("nothing to replay");
            let command = match command {
                'a' => {
                    let mut builder = BatchBuilder::new();
                    builder.segment(&Tenant::single(), &Labels::empty());
                    builder.push(1, "0123456789", 0);
                    Command::Append { batch: builder.encode() }
                }
                's' => Command::Seal,
                'f' => {
                    let chunk = view.sealed_heads()[0].chunk;
                    let tenant = Tenant::single();
                    let content = view.chunk(chunk, &tenant).expect("a row").content;
                    let object =
                        ObjectInfo { bytes: 1, n_entries: 1, raw_bytes: 1, n_streams: 1, hash: 1 };
                    let tenants = vec![Flushed { tenant, content, object }];
                    Command::Flush { chunk, tenants }
                }
                _ => {
                    let key = ChunkKey { tenant: Tenant::single(), id: view.flushed() };
                    Command::Retire { at: NOW, chunks: vec![key] }
                }
            };
            shard.apply(view.applied() + 1, &command.encode()).expect("no divergence");
        }
        shard.view().expect("nothing to replay")
    }

    fn policy() -> Policy {
        Policy {
            seal_raw_bytes: 30,
            seal_memory_bytes: u64::MAX,
            seal_age: Duration::from_secs(100),
            uploads_max: 2,
            erase_grace: Duration::from_secs(50),
            pressure_bytes: 0,
        }
    }

    /// Asks everything some seconds after the head and the retirement were first seen.
    fn check_with(policy: Policy, commands: &str, later: u64, expected: &[&str]) {
        let view = shard(commands);
        let mut age = HeadAge::default();
        age.observe(&view, NOW);
        let now = NOW.after(Duration::from_secs(later));
        age.observe(&view, now);
        let mut told = Vec::new();
        if seal_due(&view, &policy, &age, now) {
            told.push("seal".to_owned());
        }
        told.extend(uploads(&view, &policy).iter().map(|chunk| format!("upload {chunk}")));
        let erasable = erasable(&view, &policy, now);
        told.extend(erasable.iter().map(|chunk| format!("erase {}", chunk.key.id)));
        assert_eq!(told, expected, "{commands} after {later} s");
    }

    fn check(commands: &str, later: u64, expected: &[&str]) {
        check_with(policy(), commands, later, expected);
    }

    #[test]
    fn seals() {
        check("", 1000, &[]);
        check("aa", 99, &[]);
        check("aa", 100, &["seal"]);
        check("aaa", 0, &["seal"]);
        check_with(Policy { seal_memory_bytes: 1, ..policy() }, "a", 0, &["seal"]);
        check_with(Policy { seal_memory_bytes: 1, ..policy() }, "", 0, &[]);
    }

    #[test]
    fn uploads_in_order() {
        check("as", 0, &["upload 2"]);
        check("asasas", 0, &["upload 2", "upload 4"]);
        check("asfasaaa", 0, &["seal", "upload 5"]);
        check("asf", 1000, &[]);
    }

    #[test]
    fn gives_memory_back() {
        let squeezed = |pressure_bytes| Policy { pressure_bytes, ..policy() };
        check_with(squeezed(1), "a", 0, &["seal"]);
        check_with(squeezed(1), "", 0, &[]);
        check_with(squeezed(1), "asa", 0, &["upload 2"]);
        check_with(squeezed(1 << 40), "asa", 0, &["seal", "upload 2"]);
    }

    #[test]
    fn erases_after_the_grace() {
        check("asfr", 49, &[]);
        check("asfr", 50, &["erase 2"]);
    }

    #[test]
    fn a_new_head_is_young() {
        let mut age = HeadAge::default();
        age.observe(&shard("a"), NOW);
        let later = NOW.after(Duration::from_secs(500));
        assert_eq!(age.age(later), Duration::from_secs(500));
        age.observe(&shard("asa"), later);
        assert_eq!(age.age(later), Duration::ZERO);
        age.observe(&shard("as"), later);
        assert_eq!(age.age(later.after(Duration::from_secs(9))), Duration::ZERO);
    }
}
