//! What is remembered between pushes: parsed label texts, and per tenant its active streams and
//! its rate. Shared by all pushes of the process.
//!
//! Invariants:
//! - A remembered stream was judged good under the same limits, tenant and number of shards: what
//!   it was judged by is part of its key.
//! - Texts are kept in two generations: a text that was not used while the young one filled up is
//!   forgotten with the old one. Both together stay below the size given at the start.
//! - Hash keys come from clients, so the maps use the standard library's keyed hash; they are
//!   asked once per stream of a push, never per entry.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::rate::Bucket;
use crate::model::{Labels, ShardId, Tenant, Timestamp};

/// Maps that texts spread over, so that pushes on many cores rarely wait for each other.
const N_MAPS: usize = 16;
/// Memory for texts where nothing else is asked for: about 40,000 streams. One that is forgotten
/// costs a few microseconds per push to read again.
const BYTES_MAX: usize = 32 << 20;
/// What a remembered text takes beside its bytes, and what each label takes, about.
const OVERHEAD_BYTES: usize = 200;
const LABEL_BYTES: usize = 80;
/// A stream stays active for one to two of these after its last entry.
const ACTIVE_WINDOW: Duration = Duration::from_secs(3600);
/// Rates of streams that are remembered before idle ones are looked for, and how long one is idle.
const BUCKETS_IDLE_CHECK: usize = 4096;
const BUCKET_IDLE_MAX: Duration = Duration::from_secs(60);
/// Tenants that are remembered before idle ones are looked for.
const TENANTS_IDLE_CHECK: usize = 4096;

/// A stream as ingest knows it.
pub(super) struct Stream {
    /// With `service_name`.
    pub(super) labels: Labels,
    /// Where it lives.
    pub(super) shard: ShardId,
    /// [`Labels::hash64`], computed once.
    pub(super) hash: u64,
    /// The level that the labels declare for every entry.
    pub(super) level: Option<Box<str>>,
    /// The ingestion policy that it is under.
    pub(super) policy: Option<Box<str>>,
}

/// How a text is to be read, and what it was judged by.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Scope {
    pub(super) tenant: Tenant,
    /// A hash of the limits and numbers that labels are judged by.
    pub(super) rules: u64,
    /// Whether the text is JSON; else it is Prometheus text.
    pub(super) json: bool,
}

struct Known {
    scope: Scope,
    text: Box<[u8]>,
    stream: Arc<Stream>,
}

type Map = HashMap<u64, Arc<Known>>;

#[derive(Default)]
struct Generations {
    young: Map,
    old: Map,
    young_bytes: usize,
}

/// A tenant, or a policy of it.
type Owner = (Tenant, Option<Box<str>>);

/// Remembers streams and tenants from push to push.
pub struct StreamCache {
    maps: [Mutex<Generations>; N_MAPS],
    map_bytes_max: usize,
    /// By tenant, and by policy where one has limits of its own.
    accounts: Mutex<HashMap<Owner, Arc<Mutex<Account>>>>,
}

impl Default for StreamCache {
    fn default() -> StreamCache {
        StreamCache::new(BYTES_MAX)
    }
}

impl StreamCache {
    /// Remembers texts in about this many bytes.
    fn new(bytes_max: usize) -> StreamCache {
        StreamCache {
            maps: std::array::from_fn(|_| Mutex::default()),
            map_bytes_max: bytes_max / N_MAPS,
            accounts: Mutex::default(),
        }
    }

    /// The stream that a text names, if it is remembered.
    pub(super) fn get(&self, scope: &Scope, text: &[u8]) -> Option<Arc<Stream>> {
        let hash = key(text);
        let mut map = self.map(hash);
        let known = match map.young.get(&hash) {
            Some(known) => Arc::clone(known),
            None => {
                let known = map.old.remove(&hash)?;
                map.insert(hash, Arc::clone(&known), self.map_bytes_max);
                known
            }
        };
        drop(map);
        (known.scope == *scope && *known.text == *text).then(|| Arc::clone(&known.stream))
    }

    /// Remembers a good stream.
    pub(super) fn put(&self, scope: &Scope, text: &[u8], stream: &Arc<Stream>) {
        let hash = key(text);
        let known = Known { scope: scope.clone(), text: text.into(), stream: Arc::clone(stream) };
        self.map(hash).insert(hash, Arc::new(known), self.map_bytes_max);
    }

    /// What is remembered of a tenant, or of a policy of it that has limits of its own. Those idle for
    /// two windows are forgotten now and then.
    pub(super) fn account(
        &self,
        tenant: &Tenant,
        policy: Option<&str>,
        now: Timestamp,
    ) -> Arc<Mutex<Account>> {
        let mut accounts = lock(&self.accounts);
        let key = (tenant.clone(), policy.map(Box::from));
        if let Some(known) = accounts.get(&key) {
            return Arc::clone(known);
        }
        if accounts.len() >= TENANTS_IDLE_CHECK && accounts.len().is_power_of_two() {
            accounts.retain(|_, account| {
                let account = lock(account);
                now.since(account.turned) < 2 * ACTIVE_WINDOW
            });
        }
        let account = Arc::new(Mutex::new(Account::new(now)));
        accounts.insert(key, Arc::clone(&account));
        account
    }

    fn map(&self, hash: u64) -> MutexGuard<'_, Generations> {
        lock(&self.maps[(hash >> 32) as usize % N_MAPS])
    }
}

impl Generations {
    fn insert(&mut self, hash: u64, known: Arc<Known>, bytes_max: usize) {
        if self.young_bytes > bytes_max / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        // The labels take about as much again as the text that names them.
        let labels = LABEL_BYTES * known.stream.labels.len();
        self.young_bytes += 2 * known.text.len() + labels + OVERHEAD_BYTES;
        self.young.insert(hash, known);
    }
}

fn key(text: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(text)
}

/// A panic while a lock was held leaves at worst a stream uncounted, so poison is ignored.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One tenant, or one policy of it: its active streams on this node, by hash, and its rate.
pub(super) struct Account {
    current: HashSet<u64>,
    /// Of the window before, without those in `current`.
    previous: HashSet<u64>,
    turned: Timestamp,
    pub(super) bucket: Bucket,
    /// Of the streams that have a limit each, by hash.
    stream_buckets: HashMap<u64, Bucket>,
}

impl Account {
    fn new(now: Timestamp) -> Account {
        Account {
            current: HashSet::new(),
            previous: HashSet::new(),
            turned: now,
            bucket: Bucket::default(),
            stream_buckets: HashMap::new(),
        }
    }

    /// What may be pushed into one stream now.
    pub(super) fn bucket_of(&mut self, stream: u64, now: Timestamp) -> &mut Bucket {
        // What was idle for a minute is full again at any rate that makes sense: those of streams
        // that are gone are dropped now and then.
        let n = self.stream_buckets.len();
        if n >= BUCKETS_IDLE_CHECK && n.is_power_of_two() {
            self.stream_buckets.retain(|_, bucket| now.since(bucket.since()) < BUCKET_IDLE_MAX);
        }
        self.stream_buckets.entry(stream).or_default()
    }

    /// Counts a stream as active. `false`: it is new, and there are `n_max` already.
    pub(super) fn admit(&mut self, stream: u64, n_max: usize, now: Timestamp) -> bool {
        let age = now.since(self.turned);
        if age >= ACTIVE_WINDOW {
            let current = std::mem::take(&mut self.current);
            self.previous = if age < 2 * ACTIVE_WINDOW { current } else { HashSet::new() };
            self.turned = now;
        }
        if self.current.contains(&stream) {
            return true;
        }
        let known = self.previous.remove(&stream);
        let admitted = known || self.current.len() + self.previous.len() < n_max;
        if admitted {
            self.current.insert(stream);
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(n: u64) -> Arc<Stream> {
        Arc::new(Stream {
            labels: Labels::empty(),
            shard: ShardId(0),
            hash: n,
            level: None,
            policy: None,
        })
    }

    fn scope(tenant: &str, rules: u64) -> Scope {
        Scope { tenant: Tenant::parse(tenant).expect("a good id"), rules, json: false }
    }

    #[test]
    fn remembers_by_everything_a_stream_was_judged_by() {
        let cache = StreamCache::default();
        cache.put(&scope("a", 1), b"text", &stream(7));
        let check = |scope: Scope, text: &[u8], expected: Option<u64>| {
            assert_eq!(cache.get(&scope, text).map(|stream| stream.hash), expected);
        };
        check(scope("a", 1), b"text", Some(7));
        check(scope("a", 1), b"texts", None);
        check(scope("a", 2), b"text", None);
        check(scope("b", 1), b"text", None);
        check(Scope { json: true, ..scope("a", 1) }, b"text", None);
    }

    #[test]
    fn forgets_what_is_not_used_and_stays_bounded() {
        let cache = StreamCache::new(N_MAPS * 40 * OVERHEAD_BYTES);
        let scope = scope("a", 1);
        for i in 0..20_000_u64 {
            cache.put(&scope, &i.to_le_bytes(), &stream(i));
            assert!(cache.get(&scope, b"hot").is_some() || i == 0);
            if i == 0 {
                cache.put(&scope, b"hot", &stream(1));
            }
        }
        let count = |map: &Mutex<Generations>| {
            let map = lock(map);
            map.young.len() + map.old.len()
        };
        let n: usize = cache.maps.iter().map(count).sum();
        assert!((N_MAPS * 15..N_MAPS * 45).contains(&n), "{n}");
    }

    #[test]
    fn known_streams_go_on_and_idle_ones_make_room() {
        let mut account = Account::new(Timestamp(0));
        let mut check = |hours: f64, stream: u64, expected: bool| {
            let now = Timestamp((hours * 3.6e12) as i64);
            assert_eq!(account.admit(stream, 2, now), expected, "{hours} {stream}");
        };
        check(0.0, 1, true);
        check(0.0, 2, true);
        check(0.5, 3, false);
        check(0.9, 1, true);
        check(1.1, 3, false); // 1 and 2 were active within the last window
        check(1.2, 1, true);
        check(2.3, 3, true); // 2 is gone
        check(2.3, 2, false);
        check(9.0, 4, true);
        check(9.0, 5, true);
        check(9.0, 1, false);
    }

    #[test]
    fn idle_tenants_are_forgotten() {
        let cache = StreamCache::default();
        for i in 0..TENANTS_IDLE_CHECK {
            let tenant = Tenant::parse(&format!("t{i}")).expect("a good id");
            cache.account(&tenant, None, Timestamp::from_secs(0));
        }
        cache.account(&Tenant::single(), None, Timestamp::from_secs(10 * 3600));
        assert_eq!(lock(&cache.accounts).len(), 1);
    }
}
