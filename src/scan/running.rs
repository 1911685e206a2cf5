//! The queries of LogQL that run now, so that their tenant can see them.
//!
//! In: a query as it begins; it leaves when its [`Query`] is dropped, however it ended. Out: what
//! runs, since when, and how much it has read so far.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Amount, Scanner};
use crate::model::{Tenant, Timestamp};

/// The most of a text that is kept to be shown.
const TEXT_BYTES_MAX: usize = 4096;

/// What runs on this node.
#[derive(Default)]
pub struct Running(Mutex<Known>);

#[derive(Default)]
struct Known {
    last: u64,
    queries: BTreeMap<u64, Entry>,
}

struct Entry {
    tenant: Tenant,
    text: String,
    started: Timestamp,
    scanner: Scanner,
}

/// A query that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its number, from 1 since the node started.
    pub id: u64,
    /// Its text, or the beginning of that.
    pub text: String,
    /// When it began.
    pub started: Timestamp,
    /// What it has read so far.
    pub amount: Amount,
}

/// A query's place among those that run.
pub struct Query {
    running: Arc<Running>,
    id: u64,
}

impl Running {
    /// The queries of a tenant, oldest first.
    pub fn of(&self, tenant: &Tenant) -> Vec<Seen> {
        let known = self.lock();
        let own = known.queries.iter().filter(|(_, entry)| entry.tenant == *tenant);
        let seen = own.map(|(id, entry)| Seen {
            id: *id,
            text: entry.text.clone(),
            started: entry.started,
            amount: entry.scanner.report().amount(),
        });
        seen.collect()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Nothing panics while it holds this.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scanner {
    /// What runs on this node.
    pub fn running(&self) -> &Running {
        &self.running
    }

    /// Notes that a query of the tenant reads with this scanner, until what is returned is dropped.
    pub fn begins(&self, tenant: &Tenant, text: &str, now: Timestamp) -> Query {
        let text = text[..text.floor_char_boundary(TEXT_BYTES_MAX)].to_owned();
        let entry = Entry { tenant: tenant.clone(), text, started: now, scanner: self.clone() };
        let mut known = self.running.lock();
        known.last += 1;
        let id = known.last;
        known.queries.insert(id, entry);
        Query { running: Arc::clone(&self.running), id }
    }
}

impl Drop for Query {
    fn drop(&mut self) {
        // What the entry held is let go when the lock is.
        let entry = self.running.lock().queries.remove(&self.id);
        drop(entry);
    }
}
