//! What comes in on the peer port: connections, and who is at their other ends.
//!
//! Where certificates are asked for, whoever shows none, a strange one or nothing at all is let go
//! with one line in the log; nobody waits behind it.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, FuturesUnordered};
use futures::{FutureExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};

use crate::tls::{PeerStream, Tls};

/// Peers that are being asked who they are; more wait to be let in.
const HANDSHAKES_MAX: usize = 256;
/// After an error of the listener, which has no descriptors left or so.
const REST: Duration = Duration::from_millis(50);

/// What comes in on the peer port. Small answers leave at once: a server's own setting does not
/// reach the sockets of a listener made elsewhere, and without it they wait 40 ms.
pub fn peer_incoming(
    listener: TcpListener,
    tls: Option<Tls>,
) -> BoxStream<'static, io::Result<PeerStream>> {
    let incoming = Incoming { listener, tls, under_way: FuturesUnordered::new() };
    stream::unfold(incoming, |mut incoming| async move {
        let next = incoming.next().await;
        Some((Ok(next), incoming))
    })
    .boxed()
}

struct Incoming {
    listener: TcpListener,
    tls: Option<Tls>,
    under_way: FuturesUnordered<BoxFuture<'static, Option<PeerStream>>>,
}

impl Incoming {
    async fn next(&mut self) -> PeerStream {
        loop {
            let full = self.under_way.len() >= HANDSHAKES_MAX;
            let done = async {
                match self.under_way.is_empty() {
                    true => pending().await,
                    false => self.under_way.next().await,
                }
            };
            tokio::select! {
                done = done => if let Some(Some(stream)) = done {
                    return stream;
                },
                accepted = self.listener.accept(), if !full => match accepted {
                    Ok((stream, from)) => {
                        // It may have hung up already.
                        let _ = stream.set_nodelay(true);
                        match &self.tls {
                            None => return PeerStream::Plain(stream),
                            Some(tls) => self.under_way.push(greet(tls.clone(), stream, from).boxed()),
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the peer port takes no connection");
                        tokio::time::sleep(REST).await;
                    }
                },
            }
        }
    }
}

async fn greet(tls: Tls, stream: TcpStream, from: SocketAddr) -> Option<PeerStream> {
    match tls.accept(stream).await {
        Ok((stream, node)) => Some(PeerStream::Secure(Box::new(stream), node)),
        Err(reason) => {
            if tls.is_news(&from.ip().to_string(), &reason) {
                tracing::warn!(%from, reason, "refused a peer");
            }
            None
        }
    }
}
