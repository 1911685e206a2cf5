//! Who is connected, what each runs and what that has cost so far: one registry per server.
//!
//! In go connections as they come, what they begin and when they rest; out come the rows behind
//! `pg_stat_activity` and whoever else lists what runs, and the way for a cancel request or
//! `pg_cancel_backend` to a statement.
//!
//! - A signal reaches the statement that runs and no later one; an end reaches the connection.
//! - Who asks by tenant sees and signals that tenant's connections and no others.
//! - The key of a cancel request is random, and compared without telling how much of it was right.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};

use bytes::Bytes;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::watch;

use crate::engine::Session;
use crate::error::SqlError;
use crate::scram::equal;
use crate::settings::Settings;

/// The most of a statement's text that is kept to be shown.
const TEXT_BYTES_MAX: usize = 4096;

/// The connections of one server.
pub struct Activity {
    clock: fn() -> i64,
    random: SystemRandom,
    backends: Mutex<Backends>,
}

#[derive(Default)]
struct Backends {
    last_pid: i32,
    by_pid: BTreeMap<i32, Arc<Backend>>,
}

impl fmt::Debug for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Activity").finish_non_exhaustive()
    }
}

/// What a connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It runs a statement.
    Active,
    /// It waits for its client.
    Idle,
    /// It waits for its client, in a transaction.
    InTransaction,
    /// It waits for its client to end a transaction that has failed.
    InFailedTransaction,
}

impl State {
    /// The words of `pg_stat_activity`.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Active => "active",
            State::Idle => "idle",
            State::InTransaction => "idle in transaction",
            State::InFailedTransaction => "idle in transaction (aborted)",
        }
    }
}

/// What a statement has used so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Bytes of lines that it has looked at.
    pub bytes: u64,
    /// Rows that it has sent.
    pub rows: u64,
    /// Bytes of memory that it holds.
    pub memory: u64,
    /// Bytes on disk that it holds.
    pub spilled: u64,
}

/// A connection as it is shown. Times are nanoseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What `pg_cancel_backend` takes.
    pub pid: i32,
    /// Whose rows it reads.
    pub tenant: String,
    /// Who it is.
    pub user: String,
    /// The database it named.
    pub database: String,
    /// What it calls itself.
    pub application: String,
    /// Where it comes from.
    pub client: SocketAddr,
    /// Since when it is connected.
    pub connected: i64,
    /// What it does.
    pub state: State,
    /// Since when.
    pub since: i64,
    /// Since when it is in a transaction, if it is.
    pub transaction: Option<i64>,
    /// Which of its statements it runs, or ran last, from 1.
    pub statement: u64,
    /// When that began.
    pub began: Option<i64>,
    /// Its text, or the beginning of that.
    pub text: String,
    /// What it has used.
    pub cost: Cost,
}

impl Activity {
    /// `clock` answers the time of day in nanoseconds since 1970.
    pub fn new(clock: fn() -> i64) -> Activity {
        Activity { clock, random: SystemRandom::new(), backends: Mutex::default() }
    }

    /// The connections of a tenant, by their numbers.
    pub fn of(&self, tenant: &str) -> Vec<Seen> {
        let backends: Vec<_> = {
            let backends = self.lock();
            backends.by_pid.values().filter(|b| b.who.tenant == tenant).cloned().collect()
        };
        backends.iter().map(|backend| backend.seen()).collect()
    }

    /// Stops what a connection of the tenant runs, or ends the connection. Whether there is one.
    pub(crate) fn signal(&self, tenant: &str, pid: i32, signal: Signal) -> bool {
        let backend = self.lock().by_pid.get(&pid).filter(|b| b.who.tenant == tenant).cloned();
        backend.inspect(|backend| backend.signal(signal)).is_some()
    }

    /// Takes a cancel request. A wrong key is answered by nothing.
    pub(crate) fn cancel(&self, pid: i32, key: &[u8]) {
        let backend = self.lock().by_pid.get(&pid).cloned();
        if let Some(backend) = backend.filter(|backend| equal(&backend.key, key)) {
            backend.signal(Signal::Cancel);
        }
    }

    /// Takes a connection in, with a key of so many bytes.
    pub(crate) fn enter(
        self: &Arc<Activity>,
        who: Who,
        settings: Arc<Mutex<Settings>>,
        key_bytes: usize,
    ) -> Result<Entered, SqlError> {
        let mut key = vec![0; key_bytes];
        let drawn = self.random.fill(&mut key);
        drawn.map_err(|_| SqlError::new("58000", "the system has no random numbers"))?;
        let now = (self.clock)();
        let mut backends = self.lock();
        let pid = backends.free_pid();
        let backend = Arc::new(Backend {
            pid,
            key: key.into(),
            who,
            connected: now,
            clock: self.clock,
            settings,
            signals: watch::Sender::default(),
            doing: Mutex::new(Doing { since: now, ..Doing::default() }),
            rows: AtomicU64::new(0),
            session: OnceLock::new(),
        });
        backends.by_pid.insert(pid, backend.clone());
        drop(backends);
        Ok(Entered { activity: self.clone(), backend })
    }

    fn lock(&self) -> MutexGuard<'_, Backends> {
        self.backends.lock().expect("no code panics while it holds the connections")
    }
}

impl Backends {
    /// Numbers are not used again before all others were.
    fn free_pid(&mut self) -> i32 {
        loop {
            self.last_pid = self.last_pid.checked_add(1).unwrap_or(1);
            if !self.by_pid.contains_key(&self.last_pid) {
                return self.last_pid;
            }
        }
    }
}

/// A connection's place in the registry: it leaves when this is dropped.
pub(crate) struct Entered {
    activity: Arc<Activity>,
    pub(crate) backend: Arc<Backend>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.activity.lock().by_pid.remove(&self.backend.pid);
    }
}

/// Who a connection is: what it has proven, or what it says where nobody asks for proof.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub(crate) user: String,
    pub(crate) database: String,
    pub(crate) tenant: String,
    pub(crate) client: SocketAddr,
    /// Whether it may store rows.
    pub(crate) writes: bool,
}

/// What can be asked of a connection from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Stop what you run.
    Cancel,
    /// Go.
    End,
}

#[derive(Clone, Copy, Debug, Default)]
struct Signals {
    cancels: u64,
    ended: bool,
}

/// One connection.
pub(crate) struct Backend {
    pub(crate) pid: i32,
    pub(crate) key: Bytes,
    pub(crate) who: Who,
    connected: i64,
    clock: fn() -> i64,
    settings: Arc<Mutex<Settings>>,
    signals: watch::Sender<Signals>,
    doing: Mutex<Doing>,
    rows: AtomicU64,
    session: OnceLock<Weak<Session>>,
}

struct Doing {
    state: State,
    since: i64,
    transaction: Option<i64>,
    statement: u64,
    began: Option<i64>,
    text: String,
}

impl Default for Doing {
    fn default() -> Doing {
        Doing {
            state: State::Idle,
            since: 0,
            transaction: None,
            statement: 0,
            began: None,
            text: String::new(),
        }
    }
}

impl Backend {
    /// Says whom to ask for what a statement uses.
    pub(crate) fn measured_by(&self, session: &Arc<Session>) {
        // It is said once, before anything runs.
        let _ = self.session.set(Arc::downgrade(session));
    }

    /// A statement begins.
    pub(crate) fn begins(&self, text: &str) {
        let now = (self.clock)();
        let mut doing = self.doing();
        if doing.state != State::Active {
            doing.since = now;
        }
        doing.state = State::Active;
        doing.statement += 1;
        doing.began = Some(now);
        doing.text.clear();
        doing.text.push_str(&text[..text.floor_char_boundary(TEXT_BYTES_MAX)]);
        self.rows.store(0, Ordering::Relaxed);
    }

    /// It waits for its client.
    pub(crate) fn rests(&self, state: State) {
        let now = (self.clock)();
        let mut doing = self.doing();
        if doing.state != state {
            doing.since = now;
        }
        doing.state = state;
        doing.transaction = match state {
            State::Idle => None,
            _ => doing.transaction.or(Some(now)),
        };
    }

    /// Rows were sent.
    pub(crate) fn sent(&self, rows: usize) {
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.signals.send_modify(|signals| match signal {
            Signal::Cancel => signals.cancels += 1,
            Signal::End => signals.ended = true,
        });
    }

    /// What comes from now on.
    pub(crate) fn listen(&self) -> Listener {
        Listener(self.signals.subscribe())
    }

    fn doing(&self) -> MutexGuard<'_, Doing> {
        self.doing.lock().expect("no code panics while it holds what a connection does")
    }

    fn seen(&self) -> Seen {
        let session = self.session.get().and_then(Weak::upgrade);
        let mut cost = session.map_or_else(Cost::default, |session| session.cost());
        cost.rows = self.rows.load(Ordering::Relaxed);
        let settings = self.settings.lock().expect("no code panics while it holds settings");
        let application = settings.get("application_name").unwrap_or_default();
        drop(settings);
        let Who { user, database, tenant, client, .. } = self.who.clone();
        let doing = self.doing();
        Seen {
            pid: self.pid,
            tenant,
            user,
            database,
            application,
            client,
            connected: self.connected,
            state: doing.state,
            since: doing.since,
            transaction: doing.transaction,
            statement: doing.statement,
            began: doing.began,
            text: doing.text.clone(),
            cost,
        }
    }
}

/// What waits for signals.
pub(crate) struct Listener(watch::Receiver<Signals>);

impl Listener {
    /// The next signal. An end stays one.
    pub(crate) async fn next(&mut self) -> Signal {
        // Looking must not take note: a signal may have come since the last one was waited for.
        if self.0.borrow().ended {
            return Signal::End;
        }
        if self.0.changed().await.is_err() {
            // The connection holds the sender while it listens.
            std::future::pending::<()>().await;
        }
        match self.0.borrow_and_update().ended {
            true => Signal::End,
            false => Signal::Cancel,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn enter(activity: &Arc<Activity>, tenant: &str) -> Entered {
        let who = Who {
            user: "u".into(),
            database: tenant.into(),
            tenant: tenant.into(),
            client: SocketAddr::from(([127, 0, 0, 1], 7)),
            writes: true,
        };
        let settings = Arc::new(Mutex::new(Settings::new("u", "16.0 (x)")));
        activity.enter(who, settings, 4).expect("random numbers")
    }

    #[test]
    fn what_is_seen() {
        let activity = Arc::new(Activity::new(|| 7));
        let (one, two) = (enter(&activity, "a"), enter(&activity, "b"));
        let own = activity.of("a");
        assert_eq!(own.len(), 1, "only the own");
        assert_eq!((own[0].pid, own[0].state, own[0].began), (1, State::Idle, None));
        one.backend.begins(&"é".repeat(3000));
        one.backend.sent(5);
        let own = &activity.of("a")[0];
        assert_eq!((own.state, own.statement, own.cost.rows), (State::Active, 1, 5));
        assert_eq!((own.text.len(), own.began, own.transaction), (4096, Some(7), None));
        one.backend.rests(State::InTransaction);
        assert_eq!(activity.of("a")[0].transaction, Some(7));
        drop(one);
        assert!(activity.of("a").is_empty());
        assert_eq!(activity.of("b")[0].pid, two.backend.pid);
    }

    #[test]
    fn signals_reach_who_runs_now() {
        let activity = Arc::new(Activity::new(|| 7));
        let entered = enter(&activity, "a");
        let pid = entered.backend.pid;
        let heard = |listener: &mut Listener| listener.next().now_or_never();
        let mut early = entered.backend.listen();
        assert!(activity.signal("a", pid, Signal::Cancel));
        assert!(!activity.signal("b", pid, Signal::Cancel), "not another tenant's");
        assert!(!activity.signal("a", pid + 1, Signal::Cancel));
        let mut late = entered.backend.listen();
        assert_eq!(heard(&mut early), Some(Signal::Cancel));
        assert_eq!(heard(&mut early), None, "once");
        assert_eq!(heard(&mut late), None, "no later statement");
        assert!(activity.signal("a", pid, Signal::Cancel));
        assert_eq!(heard(&mut late), Some(Signal::Cancel), "also between two looks");
        let key = entered.backend.key.clone();
        activity.cancel(pid, &key[1..]);
        activity.cancel(pid, &[0, 0, 0, 0, 0]);
        assert_eq!(heard(&mut late), None, "a wrong key");
        activity.cancel(pid, &key);
        assert_eq!(heard(&mut late), Some(Signal::Cancel));
        entered.backend.signal(Signal::End);
        assert_eq!(heard(&mut late), Some(Signal::End));
        assert_eq!(heard(&mut entered.backend.listen()), Some(Signal::End), "an end stays one");
    }
}
