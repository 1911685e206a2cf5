//! Connections: accepts sockets and speaks HTTP/1.1 on them until told to stop.
//!
//! Bounds against hostile or slow clients: connections at once, bytes and time for a request's
//! head. Bodies are bounded where they are read. On stop, requests under way get their answers.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tracing::{debug, warn};

/// Connections at once. One above waits until another closes.
const CONNECTIONS_MAX: usize = 4096;
/// Bytes of a request line and its headers; more is a 431.
const HEAD_BYTES_MAX: usize = 128 << 10;
/// Headers of one request; more is a 431.
const HEADERS_MAX: usize = 100;
/// How long a client may take to send a request's head.
const HEAD_TIME_MAX: Duration = Duration::from_secs(10);
/// How long requests under way may take after a stop.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);

/// Serves `router` until `stop` says true.
pub async fn serve(listener: TcpListener, router: Router, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("places are never closed");
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, most likely: the ones in use must first be given back.
                warn!(%error, "could not accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let connection = speak(stream, router.clone());
        let mut stop = stop.clone();
        let stopped = async move {
            // An error means that whoever could say so is gone.
            let _ = stop.wait_for(|stop| *stop).await;
        };
        tokio::spawn(async move {
            let mut connection = std::pin::pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = stopped => {
                    // The request under way gets its answer.
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                debug!(%error, "connection ended early");
            }
            drop(place);
        });
    }
    // What still runs after this is cut off by the end of the process.
    let all = u32::try_from(CONNECTIONS_MAX).expect("a small number");
    let _ = tokio::time::timeout(DRAIN_TIME_MAX, places.acquire_many(all)).await;
}

type Connection = hyper::server::conn::http1::UpgradeableConnection<
    TokioIo<TcpStream>,
    TowerToHyperService<Router>,
>;

fn speak(stream: TcpStream, router: Router) -> Connection {
    // Answers are written whole: waiting to fill a packet only delays them.
    let _ = stream.set_nodelay(true);
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        // For tails: a connection that was upgraded is theirs.
        .with_upgrades()
}
