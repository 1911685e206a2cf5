//! Accepting connections: startup, cancel requests, limits, stop.
//!
//! In go sockets; out come clients that have said who they are. Until then a socket costs a few
//! kilobytes and ten seconds at most.
//!
//! - A startup packet is read only if its length is that of one.
//! - A cancel request is taken even when there are no connections left for anything else.
//! - After `stop` every connection is told, and none outlives `serve`.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Buf, Bytes};
use pgwire::messages::PgWireBackendMessage as Message;
use pgwire::messages::startup::{
    Authentication, BackendKeyData, NegotiateProtocolVersion, SecretKey,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::catalog::Identity;
use crate::engine::Engine;
use crate::error::{Error, SqlError};
use crate::session::{Cancel, Client, stopping};
use crate::settings::Settings;
use crate::table::Source;
use crate::wire::Connection;

/// The time a client has to say who it is.
const STARTUP_MAX: Duration = Duration::from_secs(10);
/// The time connections have to end after a stop.
const STOP_MAX: Duration = Duration::from_secs(5);
/// A startup packet has at least a length and a version, and at most what Postgres takes.
const STARTUP_BYTES: std::ops::RangeInclusive<usize> = 8..=10_000;
/// Sockets beyond the connections that may be in startup, cancel requests among them.
const STARTING_MAX: usize = 64;

const CANCEL_REQUEST: u32 = 80_877_102;
const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;

/// How to serve.
#[derive(Clone, Debug)]
pub struct Options {
    /// What all statements together may use.
    pub memory_bytes: usize,
    /// The longest a statement may run, planning and sending included. Clients may ask for less.
    pub statement_timeout: Duration,
    /// The most clients at once.
    pub max_connections: usize,
    /// Threads for statements, besides the runtime of the caller.
    pub threads: usize,
    /// The version that clients see, with a Postgres version first: `16.0 (name 1.2)`.
    pub server_version: String,
}

/// Serves clients from `listener` until `stop` is done.
pub async fn serve(
    listener: TcpListener,
    source: Arc<dyn Source>,
    options: Options,
    stop: impl Future<Output = ()>,
) -> Result<(), Error> {
    let threads = options.threads;
    let engine = Engine::new(source, options.memory_bytes, threads, &options.server_version)?;
    let (stopper, stopped) = watch::channel(false);
    let server = Arc::new(Server {
        engine: Arc::new(engine),
        connections: Arc::new(Semaphore::new(options.max_connections)),
        cancels: Mutex::default(),
        next_pid: AtomicI32::new(1),
        stopped,
        options,
    });
    let sockets_max = server.options.max_connections + STARTING_MAX;
    let mut clients = JoinSet::new();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) if clients.len() < sockets_max => {
                    clients.spawn(server.clone().client(socket));
                }
                // Dropping the socket is all that can be afforded for it.
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "accepted no sql connection");
                    // Out of file descriptors, most likely: the next try would fail at once.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = clients.join_next() => {}
        }
    }
    // Nobody listens any more if there are no clients.
    let _ = stopper.send(true);
    let _ = tokio::time::timeout(STOP_MAX, async { while clients.join_next().await.is_some() {} })
        .await;
    clients.shutdown().await;
    Ok(())
}

struct Server {
    engine: Arc<Engine>,
    connections: Arc<Semaphore>,
    /// By process id: the key a cancel request must know, and where it goes.
    cancels: Mutex<HashMap<i32, (Bytes, Arc<Cancel>)>>,
    next_pid: AtomicI32,
    stopped: watch::Receiver<bool>,
    options: Options,
}

/// What a client asked for first.
enum Startup {
    Session { minor: u16, parameters: Vec<(String, String)> },
    Cancel { pid: i32, key: Bytes },
    Gone,
}

impl Server {
    async fn client(self: Arc<Server>, socket: TcpStream) {
        // Without it small answers wait for acknowledgements; failing to set it harms nothing.
        let _ = socket.set_nodelay(true);
        let mut connection = Connection::new(socket);
        let mut stopped = self.stopped.clone();
        let starting = tokio::select! {
            starting = tokio::time::timeout(STARTUP_MAX, startup(&mut connection)) => starting,
            _ = stopped.wait_for(|stopped| *stopped) => Ok(Err(stopping())),
        };
        let result = match starting {
            Ok(Ok(Startup::Session { minor, parameters })) => {
                self.session(&mut connection, minor, parameters).await
            }
            Ok(Ok(Startup::Cancel { pid, key })) => {
                self.cancel(pid, &key);
                return;
            }
            Ok(Ok(Startup::Gone)) | Err(_) => return,
            Ok(Err(error)) => Err(error),
        };
        match result {
            Ok((client, registered)) => {
                let client = Client::new(
                    connection,
                    client.session,
                    client.settings,
                    client.cancel,
                    self.stopped.clone(),
                    self.options.statement_timeout,
                );
                client.run().await;
                drop(registered);
            }
            Err(error) => {
                connection.put_error("FATAL", &error);
                let _ = tokio::time::timeout(Duration::from_secs(1), connection.close()).await;
            }
        }
    }

    fn cancel(&self, pid: i32, key: &Bytes) {
        let cancels = self.cancels.lock().expect("no code panics while it holds the cancel keys");
        if let Some((known, cancel)) = cancels.get(&pid)
            && known == key
        {
            cancel.request();
        }
    }

    /// Admits a client and tells it so.
    async fn session(
        self: &Arc<Server>,
        connection: &mut Connection,
        minor: u16,
        parameters: Vec<(String, String)>,
    ) -> Result<(Admitted, Registered), SqlError> {
        let slot = self.connections.clone().try_acquire_owned();
        let slot = slot.map_err(|_| SqlError::new("53300", "sorry, too many clients already"))?;
        let (minor, unknown) = negotiate(minor, &parameters);
        if let Some(unknown) = unknown {
            let version = i32::from(minor) | 3 << 16;
            let message = NegotiateProtocolVersion::new(version, unknown);
            connection.put(Message::NegotiateProtocolVersion(message));
        }
        let named = |name: &str| {
            let mut found = parameters.iter().filter(|(key, _)| key == name);
            found.next_back().map(|(_, value)| value.as_str())
        };
        let user = named("user").filter(|user| !user.is_empty()).ok_or_else(|| {
            SqlError::new("28000", "no PostgreSQL user name specified in startup packet")
        })?;
        if named("replication").is_some_and(|value| !matches!(value, "false" | "off" | "no" | "0"))
        {
            return Err(SqlError::unsupported("replication"));
        }
        let database = named("database").filter(|name| !name.is_empty()).unwrap_or(user);
        let tenant = self.engine.source().tenant(user, database)?;
        let settings = settings(&self.options.server_version, user, &parameters)?;
        let settings = Arc::new(Mutex::new(settings));
        let (pid, key, cancel) = self.register(minor);
        let registered = Registered { server: self.clone(), pid, _slot: slot };
        let identity =
            Identity { user: user.to_owned(), database: database.to_owned(), tenant, pid };
        let session = self.engine.session(identity, settings.clone()).await?;
        connection.put(Message::Authentication(Authentication::Ok));
        let key = BackendKeyData::new(pid, SecretKey::Bytes(key));
        connection.put(Message::BackendKeyData(key));
        Ok((Admitted { session, settings, cancel }, registered))
    }

    fn register(&self, minor: u16) -> (i32, Bytes, Arc<Cancel>) {
        // Keys are drawn from the hasher's seed, which the system's random numbers are behind.
        let words = if minor >= 2 { 4 } else { 1 };
        let key = (0..words).flat_map(|word| RandomState::new().hash_one(word).to_be_bytes());
        let key: Bytes = key.take(if minor >= 2 { 32 } else { 4 }).collect::<Vec<u8>>().into();
        let cancel = Arc::new(Cancel::new());
        let mut cancels =
            self.cancels.lock().expect("no code panics while it holds the cancel keys");
        loop {
            let pid = self.next_pid.fetch_add(1, Ordering::Relaxed) & i32::MAX;
            if pid > 0 && !cancels.contains_key(&pid) {
                cancels.insert(pid, (key.clone(), cancel.clone()));
                return (pid, key, cancel);
            }
        }
    }
}

/// What an admitted client runs with.
struct Admitted {
    session: Arc<crate::engine::Session>,
    settings: Arc<Mutex<Settings>>,
    cancel: Arc<Cancel>,
}

/// A client's place among the connections and the cancel keys.
struct Registered {
    server: Arc<Server>,
    pid: i32,
    _slot: tokio::sync::OwnedSemaphorePermit,
}

impl Drop for Registered {
    fn drop(&mut self) {
        let cancels = self.server.cancels.lock();
        cancels.expect("no code panics while it holds the cancel keys").remove(&self.pid);
    }
}

/// The minor version to speak, and the options to refuse if there is something to negotiate.
fn negotiate(minor: u16, parameters: &[(String, String)]) -> (u16, Option<Vec<String>>) {
    let spoken = if minor >= 2 { 2 } else { 0 };
    let unknown: Vec<String> = parameters
        .iter()
        .filter(|(name, _)| name.starts_with("_pq_."))
        .map(|(name, _)| name.clone())
        .collect();
    let negotiate = spoken != minor || !unknown.is_empty();
    (spoken, negotiate.then_some(unknown))
}

fn settings(
    server_version: &str,
    user: &str,
    parameters: &[(String, String)],
) -> Result<Settings, SqlError> {
    let mut settings = Settings::new(user, server_version);
    for (name, value) in parameters {
        match name.as_str() {
            "user" | "database" | "replication" => {}
            "options" => {
                for (name, value) in command_line(value)? {
                    settings.set_at_start(&name, &value)?;
                }
            }
            name if name.starts_with("_pq_.") => {}
            name => settings.set_at_start(name, value)?,
        }
    }
    Ok(settings)
}

/// `-c name=value` and `--name=value`, with backslashes before spaces in values.
fn command_line(text: &str) -> Result<Vec<(String, String)>, SqlError> {
    let (mut words, mut word, mut chars) = (Vec::new(), String::new(), text.chars());
    while let Some(char) = chars.next() {
        match char {
            '\\' => word.extend(chars.next()),
            char if char.is_whitespace() => words.push(std::mem::take(&mut word)),
            char => word.push(char),
        }
    }
    words.push(word);
    let mut words = words.into_iter().filter(|word| !word.is_empty());
    let mut pairs = Vec::new();
    while let Some(word) = words.next() {
        let pair = match word.strip_prefix("--") {
            Some(pair) => Some(pair.replace('-', "_")),
            None if word == "-c" => words.next(),
            None => word.strip_prefix("-c").map(str::to_owned),
        };
        let pair = pair.as_deref().and_then(|pair| pair.split_once('='));
        let (name, value) = pair.ok_or_else(|| {
            SqlError::new("42601", "invalid command-line argument for server process")
        })?;
        pairs.push((name.to_owned(), value.to_owned()));
    }
    Ok(pairs)
}

/// Reads what the client wants first, saying no to encryption if it asks.
async fn startup(connection: &mut Connection) -> Result<Startup, SqlError> {
    let (mut ssl, mut gss) = (false, false);
    loop {
        let Some(mut packet) = packet(connection).await? else { return Ok(Startup::Gone) };
        let again = match packet.get_u32() {
            SSL_REQUEST => std::mem::replace(&mut ssl, true),
            GSS_REQUEST => std::mem::replace(&mut gss, true),
            CANCEL_REQUEST if packet.len() > 4 => {
                return Ok(Startup::Cancel { pid: packet.get_i32(), key: packet });
            }
            CANCEL_REQUEST => return Ok(Startup::Gone),
            version if version >> 16 == 3 => {
                let parameters = parameters(&packet)?;
                return Ok(Startup::Session { minor: version as u16, parameters });
            }
            version => {
                let text = format!(
                    "unsupported frontend protocol {}.{}: server supports 3.0 to 3.2",
                    version >> 16,
                    version & 0xffff
                );
                return Err(SqlError::new("0A000", text));
            }
        };
        if again {
            return Err(SqlError::protocol("encryption was requested twice"));
        }
        connection.output.extend_from_slice(b"N");
        if connection.flush().await.is_err() {
            return Ok(Startup::Gone);
        }
    }
}

/// The body of a packet without a type; `None` if the client left.
async fn packet(connection: &mut Connection) -> Result<Option<Bytes>, SqlError> {
    loop {
        let input = &mut connection.input;
        if input.len() >= 4 {
            let length = u32::from_be_bytes([input[0], input[1], input[2], input[3]]) as usize;
            if !STARTUP_BYTES.contains(&length) {
                return Err(SqlError::protocol("invalid length of startup packet"));
            }
            if input.len() >= length {
                return Ok(Some(input.split_to(length).freeze().split_off(4)));
            }
        }
        if !matches!(connection.read().await, Ok(true)) {
            return Ok(None);
        }
    }
}

/// Names and values, each ended by a zero, and a zero at the end.
fn parameters(packet: &[u8]) -> Result<Vec<(String, String)>, SqlError> {
    let invalid =
        || SqlError::protocol("invalid startup packet layout: expected terminator as last byte");
    let body = packet.strip_suffix(&[0]).ok_or_else(invalid)?;
    if body.is_empty() {
        return Ok(Vec::new());
    }
    let texts = body.strip_suffix(&[0]).ok_or_else(invalid)?.split(|byte| *byte == 0);
    let texts = texts.map(|text| std::str::from_utf8(text).map(str::to_owned));
    let texts: Vec<String> = texts
        .collect::<Result<_, _>>()
        .map_err(|_| SqlError::new("22021", "invalid byte sequence for encoding \"UTF8\""))?;
    if !texts.len().is_multiple_of(2) || texts.iter().step_by(2).any(String::is_empty) {
        return Err(invalid());
    }
    let mut texts = texts.into_iter();
    let mut pairs = Vec::new();
    while let (Some(name), Some(value)) = (texts.next(), texts.next()) {
        pairs.push((name, value));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn startup_parameters() {
        let check = |packet: &[u8], expected: Option<&[(&str, &str)]>| {
            let got = parameters(packet).ok();
            let got: Option<Vec<(&str, &str)>> = got
                .as_ref()
                .map(|pairs| pairs.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect());
            assert_eq!(got.as_deref(), expected, "{packet:?}");
        };
        check(b"\0", Some(&[]));
        check(b"user\0a\0\0", Some(&[("user", "a")]));
        check(b"user\0\0database\0b\0\0", Some(&[("user", ""), ("database", "b")]));
        check(b"", None);
        check(b"user", None);
        check(b"user\0", None);
        check(b"user\0a\0", None);
        check(b"user\0\0\0\0", None);
        check(b"user\0\xff\0\0", None);
    }

    #[test]
    fn options() {
        let check = |text: &str, expected: &[(&str, &str)]| {
            let got = command_line(text).unwrap();
            let got: Vec<_> = got.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
            assert_eq!(got, expected, "{text}");
        };
        check("", &[]);
        check(
            r"-c a=b --search-path=x\ y -cd=e",
            &[("a", "b"), ("search_path", "x y"), ("d", "e")],
        );
        assert!(command_line("-c").is_err());
        assert!(command_line("-x a=b").is_err());
    }

    #[test]
    fn versions() {
        assert_eq!(negotiate(0, &[]), (0, None));
        assert_eq!(negotiate(2, &[]), (2, None));
        assert_eq!(negotiate(9999, &[]), (2, Some(vec![])));
        let option = ("_pq_.x".to_owned(), String::new());
        assert_eq!(negotiate(0, &[option]), (0, Some(vec!["_pq_.x".to_owned()])));
    }
}
