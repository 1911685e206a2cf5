//! A link from one node to another: a TCP proxy that can be cut.
//!
//! In: connections of the source to a port that only it knows. Out: the same bytes, both ways, to
//! the target. While the link is cut it holds no connection: those that were open are dropped, and
//! a new one is dropped as soon as it comes.

use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Duration, sleep};

/// Before another try when the system takes no connections, like when files run out.
const PAUSE: Duration = Duration::from_millis(50);

/// One direction between two nodes. Closed when dropped.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) source: u64,
    pub(super) target: u64,
    /// What the source dials.
    pub(super) address: SocketAddr,
    cut: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Link {
    pub(super) async fn open(source: u64, target: u64, to: SocketAddr) -> anyhow::Result<Link> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no free port")?;
        let address = listener.local_addr()?;
        let (cut, is_cut) = watch::channel(false);
        let serving = tokio::spawn(serve(listener, to, is_cut));
        Ok(Link { source, target, address, cut, serving })
    }

    pub(super) fn set_cut(&self, cut: bool) {
        self.cut.send_replace(cut);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, to: SocketAddr, is_cut: watch::Receiver<bool>) {
    let mut pipes = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((from, _)) if !*is_cut.borrow() => {
                    pipes.spawn(pipe(from, to, is_cut.clone()));
                }
                Ok(_) => {}
                Err(_) => sleep(PAUSE).await,
            },
            Some(_) = pipes.join_next() => {}
        }
    }
}

async fn pipe(mut from: TcpStream, to: SocketAddr, mut is_cut: watch::Receiver<bool>) {
    let carry = async {
        let mut to = TcpStream::connect(to).await?;
        from.set_nodelay(true)?;
        to.set_nodelay(true)?;
        copy_bidirectional(&mut from, &mut to).await
    };
    // However it ends, both connections are dropped with it: that is all that peers can see.
    tokio::select! {
        _ = carry => {}
        _ = is_cut.wait_for(|cut| *cut) => {}
    }
}
