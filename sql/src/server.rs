//! Accepting connections: startup, login, cancel requests, limits, stop.
//!
//! In go sockets; out come clients that have said, and where there are users proven, who they are.
//! Until then a socket costs a few kilobytes and ten seconds at most.
//!
//! - A startup packet is read only if its length is that of one.
//! - A cancel request is taken even when there are no connections left for anything else.
//! - What a connection reads follows from who it is; what it asks for only chooses among that.
//! - After `stop` every connection is told, and none outlives `serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pgwire::messages::PgWireBackendMessage as Message;
use pgwire::messages::startup::{Authentication, BackendKeyData, SecretKey};
use ring::rand::SystemRandom;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::activity::{Activity, Entered, Who};
use crate::engine::{Engine, Session};
use crate::error::{Error, SqlError};
use crate::login::login;
use crate::session::{Client, stopping};
use crate::settings::Settings;
use crate::startup::{Hello, Startup, settings, startup};
use crate::table::Source;
use crate::throttle::Throttle;
use crate::tls::Tls;
use crate::users::Users;
use crate::wire::Connection;

/// The time a client has to say and prove who it is.
const STARTUP_MAX: Duration = Duration::from_secs(10);
/// The time connections have to end after a stop.
const STOP_MAX: Duration = Duration::from_secs(5);
/// Sockets beyond the connections that may be in startup, cancel requests among them.
const STARTING_MAX: usize = 64;

/// How to serve.
#[derive(Clone, Debug)]
pub struct Options {
    /// What all statements together may hold in memory.
    pub memory_bytes: usize,
    /// What the statements of one tenant may hold of it.
    pub tenant_memory_bytes: usize,
    /// What one statement may hold of that; beyond it sorts and groups go to disk.
    pub statement_memory_bytes: usize,
    /// Where they go, if anywhere. What is there is removed at start.
    pub spill_dir: Option<PathBuf>,
    /// The most that all statements together have there.
    pub spill_bytes: u64,
    /// The longest a statement may run, planning and sending included. Clients may ask for less.
    pub statement_timeout: Duration,
    /// The most clients at once.
    pub max_connections: usize,
    /// Threads for statements, besides the runtime of the caller.
    pub threads: usize,
    /// The version that clients see, with a Postgres version first: `16.0 (name 1.2)`.
    pub server_version: String,
}

/// Who gets in, and how. May change while the server runs: whoever comes next is met by the new.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Who may log in. Without it everybody is who they say they are.
    pub users: Option<Arc<Users>>,
    /// What is shown to clients that ask for TLS. Without it they are told that there is none.
    pub tls: Option<Tls>,
    /// Whether those that do not ask for it are refused.
    pub tls_required: bool,
}

/// Serves clients from `listener` until `stop` is done.
pub async fn serve(
    listener: TcpListener,
    source: Arc<dyn Source>,
    access: watch::Receiver<Access>,
    activity: Arc<Activity>,
    options: Options,
    stop: impl Future<Output = ()>,
) -> Result<(), Error> {
    let engine = Engine::new(source, activity.clone(), &options)?;
    let (stopper, stopped) = watch::channel(false);
    let server = Arc::new(Server {
        engine: Arc::new(engine),
        connections: Arc::new(Semaphore::new(options.max_connections)),
        activity,
        access,
        throttle: Throttle::default(),
        random: SystemRandom::new(),
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
                Ok((socket, peer)) if clients.len() < sockets_max => {
                    clients.spawn(server.clone().client(socket, peer));
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
    activity: Arc<Activity>,
    access: watch::Receiver<Access>,
    throttle: Throttle,
    random: SystemRandom,
    stopped: watch::Receiver<bool>,
    options: Options,
}

impl Server {
    async fn client(self: Arc<Server>, socket: TcpStream, peer: SocketAddr) {
        // Without it small answers wait for acknowledgements; failing to set it harms nothing.
        let _ = socket.set_nodelay(true);
        // A client whose machine went away is noticed some time.
        let _ = socket2::SockRef::from(&socket).set_keepalive(true);
        let mut connection = Connection::new(socket);
        let mut stopped = self.stopped.clone();
        let greeted = tokio::select! {
            greeted = tokio::time::timeout(STARTUP_MAX, self.greet(&mut connection, peer)) => greeted,
            _ = stopped.wait_for(|stopped| *stopped) => Ok(Err(stopping())),
        };
        let admitted = match greeted {
            Ok(Ok(Some((who, hello)))) => self.admit(&mut connection, who, &hello).await,
            Ok(Ok(None)) | Err(_) => return,
            Ok(Err(error)) => Err(error),
        };
        match admitted {
            Ok(Admitted { session, settings, entered, slot }) => {
                let backend = entered.backend.clone();
                let stopped = self.stopped.clone();
                let timeout = self.options.statement_timeout;
                Client::new(connection, session, settings, backend, stopped, timeout).run().await;
                drop((entered, slot));
            }
            Err(error) => {
                connection.put_error("FATAL", &error);
                let _ = tokio::time::timeout(Duration::from_secs(1), connection.close()).await;
            }
        }
    }

    /// Finds out who a client is. `None`: it is gone, or wanted nothing but a cancel request.
    async fn greet(
        &self,
        connection: &mut Connection,
        peer: SocketAddr,
    ) -> Result<Option<(Who, Hello)>, SqlError> {
        let access = self.access.borrow().clone();
        let mut hello = match startup(connection, &access).await? {
            Startup::Session(hello) => hello,
            Startup::Cancel { pid, key } => {
                self.activity.cancel(pid, &key);
                return Ok(None);
            }
            Startup::Gone => return Ok(None),
        };
        hello.negotiate(connection);
        if access.tls_required && !connection.is_encrypted() {
            let text = "this server takes encrypted connections only";
            return Err(SqlError::new("28000", text).hint("connect with sslmode=require"));
        }
        let user = hello.named("user").filter(|user| !user.is_empty()).ok_or_else(|| {
            SqlError::new("28000", "no PostgreSQL user name specified in startup packet")
        })?;
        let asked = hello.named("database").filter(|name| !name.is_empty()).unwrap_or(user);
        let (database, writes) = match &access.users {
            None => (asked.to_owned(), true),
            Some(users) => {
                let door = (&self.throttle, &self.random, peer.ip());
                let Some(found) = login(connection, &access, users, user, door).await? else {
                    return Ok(None);
                };
                (found.database(user, asked)?, found.writes)
            }
        };
        let tenant = self.engine.source().tenant(user, &database)?;
        let user = user.to_owned();
        Ok(Some((Who { user, database, tenant, client: peer, writes }, hello)))
    }

    /// Lets a client in and tells it so.
    async fn admit(
        self: &Arc<Server>,
        connection: &mut Connection,
        who: Who,
        hello: &Hello,
    ) -> Result<Admitted, SqlError> {
        let slot = self.connections.clone().try_acquire_owned();
        let slot = slot.map_err(|_| SqlError::new("53300", "sorry, too many clients already"))?;
        if hello.named("replication").is_some_and(|it| !matches!(it, "false" | "off" | "no" | "0"))
        {
            return Err(SqlError::unsupported("replication"));
        }
        let settings = settings(&self.options.server_version, &who.user, hello)?;
        let settings = Arc::new(Mutex::new(settings));
        let entered = self.activity.enter(who, settings.clone(), hello.key_bytes())?;
        let backend = entered.backend.clone();
        let session = self.engine.session(backend.clone(), settings.clone()).await?;
        backend.measured_by(&session);
        connection.put(Message::Authentication(Authentication::Ok));
        let key = SecretKey::Bytes(backend.key.clone());
        connection.put(Message::BackendKeyData(BackendKeyData::new(backend.pid, key)));
        Ok(Admitted { session, settings, entered, slot })
    }
}

/// What an admitted client runs with, and its places.
struct Admitted {
    session: Arc<Session>,
    settings: Arc<Mutex<Settings>>,
    entered: Entered,
    slot: OwnedSemaphorePermit,
}
