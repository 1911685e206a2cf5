//! Who a peer is, proven: certificates of one authority that name the node.
//!
//! In come three files and this node's number; out go a way to accept connections and a way to
//! make them, both of which take only peers whose certificate is of the same authority.
//!
//! Invariants:
//! - Both ends show a certificate. Whoever is called shows that it is the node that was meant;
//!   whoever calls can speak for no other node than the one that its certificate names.
//! - A certificate names its node as `node-3.drave`, and `node.drave` for whoever does not know yet
//!   which node it calls.
//! - A refusal is one line on both sides, said once for each peer and reason.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use hyper_util::rt::TokioIo;
use rustls::server::WebPkiClientVerifier;
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio::io::AsyncBufReadExt;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use crate::peers::Peers;
use crate::service::was_removed;

/// A peer that is not done with its part of the beginning by then is let go.
pub(crate) const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(3);
/// Peers whose last refusal is remembered, so that the log says it once.
const REFUSALS_MAX: usize = 256;
/// What is spoken inside.
const PROTOCOL: &[u8] = b"h2";

/// The name that a node's certificate holds.
pub fn node_name(id: u64) -> String {
    format!("node-{id}.drave")
}

/// The name that every node's certificate holds.
pub const ANY_NODE_NAME: &str = "node.drave";

/// Which certificates a node shows and takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsOptions {
    /// The node's certificate, and those between it and the authority, in PEM.
    pub cert: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
    /// The authority's certificate, in PEM; several while it is replaced.
    pub ca: PathBuf,
}

/// Certificates that cannot be used: one line that says where and why.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {}: {reason}", path.display())]
pub struct TlsError {
    /// The setting.
    pub key: &'static str,
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// What proves who this node is, and checks who others are. Cheap to clone.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    node_id: u64,
    acceptor: TlsAcceptor,
    connector: TlsConnector,
    /// The last reason of each peer that was refused, or refused this node.
    refusals: Mutex<HashMap<String, String>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("node_id", &self.0.node_id).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files, and checks that they make sense for this node: what every peer would
    /// refuse is refused here.
    pub fn read(options: &TlsOptions, node_id: u64) -> Result<Self, TlsError> {
        let bad = |key, path: &Path| {
            let path = path.to_owned();
            move |reason: String| TlsError { key, path, reason }
        };
        let (bad_cert, bad_key, bad_ca) = (
            || bad("peer.tls.cert", &options.cert),
            || bad("peer.tls.key", &options.key),
            || bad("peer.tls.ca", &options.ca),
        );
        let chain = certificates(&options.cert).map_err(bad_cert())?;
        let key = PrivateKeyDer::from_pem_file(&options.key)
            .map_err(|error| bad_key()(said(&error, "a private key")))?;
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&options.ca).map_err(bad_ca())? {
            roots.add(certificate).map_err(|error| bad_ca()(error.to_string()))?;
        }
        let roots = Arc::new(roots);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone()).build();
        let verifier = verifier.map_err(|error| bad_ca()(error.to_string()))?;

        let named = node_of(&chain[0]).map_err(bad_cert())?;
        if named != node_id {
            let reason = format!(
                "it names node {named}, and this is node {node_id}: make one with 'drave cert \
                 node {node_id}'"
            );
            return Err(bad_cert()(reason));
        }
        let verified = verifier.verify_client_cert(&chain[0], &chain[1..], UnixTime::now());
        verified.map_err(|error| {
            let reason = explain_rustls(&error).replace("its certificate", "it");
            let ca = options.ca.display();
            bad_cert()(reason.replace("peer.tls.ca", &format!("peer.tls.ca, {ca}")))
        })?;

        let only_13 = &[&rustls::version::TLS13];
        let mut accepting = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(only_13)
            .expect("the provider has what TLS 1.3 needs")
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(|error| bad_key()(format!("it does not fit peer.tls.cert: {error}")))?;
        accepting.alpn_protocols = vec![PROTOCOL.to_vec()];
        let mut connecting = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(only_13)
            .expect("the provider has what TLS 1.3 needs")
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(|error| bad_key()(format!("it does not fit peer.tls.cert: {error}")))?;
        connecting.alpn_protocols = vec![PROTOCOL.to_vec()];
        // Who was let in once shows its certificate again: it may have been replaced.
        connecting.resumption = rustls::client::Resumption::disabled();
        Ok(Self(Arc::new(Inner {
            node_id,
            acceptor: TlsAcceptor::from(Arc::new(accepting)),
            connector: TlsConnector::from(Arc::new(connecting)),
            refusals: Mutex::default(),
        })))
    }

    /// Lets a peer in: its connection, and which node it is.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
    ) -> Result<(server::TlsStream<TcpStream>, u64), String> {
        let accepted = tokio::time::timeout(HANDSHAKE_TIME_MAX, self.0.acceptor.accept(stream));
        let stream = accepted
            .await
            .map_err(|_| "it does not say who it is in time".to_owned())?
            .map_err(|error| explain(&error))?;
        let (_, session) = stream.get_ref();
        let shown = session.peer_certificates().and_then(<[_]>::first);
        let node = node_of(shown.ok_or("it shows no certificate")?)?;
        Ok((stream, node))
    }

    async fn connect(
        &self,
        address: &str,
        node: Option<u64>,
    ) -> io::Result<client::TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let name = node.map_or_else(|| ANY_NODE_NAME.to_owned(), node_name);
        let name = ServerName::try_from(name).expect("digits and letters");
        let begin = async {
            let mut stream = self.0.connector.connect(name, stream).await?;
            // The first that comes says whether it takes our certificate, too.
            stream.fill_buf().await?;
            Ok(stream)
        };
        let begun = tokio::time::timeout(HANDSHAKE_TIME_MAX, begin).await;
        let begun = begun.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        begun.map_err(|error| {
            let reason = explain(&error);
            let who = node.map_or_else(|| address.to_owned(), |id| format!("node {id} {address}"));
            if self.is_news(&who, &reason) {
                tracing::warn!(peer = who, reason, "no secure connection to a peer");
            }
            io::Error::other(reason)
        })
    }

    /// Whether this was not said of that peer just before.
    pub(crate) fn is_news(&self, who: &str, reason: &str) -> bool {
        let mut refusals = self.0.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if refusals.len() >= REFUSALS_MAX && !refusals.contains_key(who) {
            refusals.clear();
        }
        refusals.insert(who.to_owned(), reason.to_owned()).is_none_or(|last| last != reason)
    }
}

/// Makes connections to one peer that prove who is at both ends.
#[derive(Clone)]
pub(crate) struct Dial {
    pub(crate) tls: Tls,
    /// Who should answer; any node where nobody knows yet.
    pub(crate) node: Option<u64>,
}

impl tower_service::Service<tonic::codegen::http::Uri> for Dial {
    type Response = TokioIo<client::TlsStream<TcpStream>>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: tonic::codegen::http::Uri) -> Self::Future {
        let Self { tls, node } = self.clone();
        Box::pin(async move {
            let address = uri.authority().map_or("", |authority| authority.as_str());
            tls.connect(address, node).await.map(TokioIo::new)
        })
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let all = read.map_err(|error| said(&error, "a certificate"))?;
    if all.is_empty() { Err("there is no certificate in it".to_owned()) } else { Ok(all) }
}

fn said(error: &rustls_pki_types::pem::Error, what: &str) -> String {
    match error {
        rustls_pki_types::pem::Error::Io(error) => error.to_string(),
        rustls_pki_types::pem::Error::NoItemsFound => format!("there is not {what} in it"),
        other => format!("it is not {what} in PEM: {other:?}"),
    }
}

/// The node that a certificate names.
fn node_of(certificate: &CertificateDer<'_>) -> Result<u64, String> {
    let certificate = webpki::EndEntityCert::try_from(certificate)
        .map_err(|error| format!("it is no certificate: {error}"))?;
    let mut names = certificate.valid_dns_names();
    let number = |name: &str| {
        let id: u64 = name.strip_prefix("node-")?.strip_suffix(".drave")?.parse().ok()?;
        (node_name(id) == name).then_some(id)
    };
    names.find_map(number).ok_or_else(|| {
        "its certificate names no node: it needs the DNS names node-<number>.drave and node.drave"
            .to_owned()
    })
}

/// What went wrong at the beginning of a connection, in words that say what to do.
fn explain(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(error) => explain_rustls(error),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "it hangs up before it says who it is: set peer.tls on both nodes".to_owned()
        }
        None => error.to_string(),
    }
}

fn explain_rustls(error: &rustls::Error) -> String {
    use rustls::Error;
    match error {
        Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => "its certificate is not of the authority in peer.tls.ca".to_owned(),
        Error::InvalidCertificate(CertificateError::NotValidForNameContext {
            expected,
            presented,
        }) => {
            let presented = presented.iter().find(|name| name.contains("node-"));
            let presented = presented.map_or("something else", |name| name.as_str());
            let expected = expected.to_str();
            format!("its certificate names {presented}, not {expected}: correct its address")
        }
        Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => "its certificate has expired: make a new one, or set the clock".to_owned(),
        Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        ) => "its certificate is not valid yet: set the clock".to_owned(),
        Error::InvalidCertificate(other) => format!("its certificate: {other}"),
        Error::NoCertificatesPresented => "it shows no certificate: set its peer.tls".to_owned(),
        Error::AlertReceived(AlertDescription::UnknownCA | AlertDescription::DecryptError) => {
            "it refuses this node's certificate, which is not of the authority in its peer.tls.ca"
                .to_owned()
        }
        Error::AlertReceived(AlertDescription::CertificateExpired) => {
            "it refuses this node's certificate as expired: make a new one, or set the clocks"
                .to_owned()
        }
        Error::AlertReceived(AlertDescription::BadCertificate) => {
            "it refuses this node's certificate, which names another node than it means".to_owned()
        }
        Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "it wants a certificate of this node: set peer.tls".to_owned()
        }
        Error::InvalidMessage(_) => {
            "it does not speak TLS: set peer.tls on both nodes or on neither".to_owned()
        }
        other => other.to_string(),
    }
}

/// Which node is at the other end of a connection, as far as that is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller(pub Option<u64>);

impl Caller {
    /// Who sent a request.
    pub fn of<T>(request: &tonic::Request<T>) -> Self {
        request.extensions().get().copied().unwrap_or(Self(None))
    }

    /// Why it is not listened to, if it was removed for good.
    pub fn removed(self, peers: &Peers) -> Option<String> {
        self.0.filter(|node| peers.is_removed(*node)).map(was_removed)
    }

    /// Why it cannot speak for that node, if it cannot.
    pub fn refuses(self, node: u64) -> Option<String> {
        let proven = self.0.filter(|proven| *proven != node)?;
        Some(format!(
            "it says that it is node {node}, and its certificate names node {proven}: give it a \
             certificate of its own"
        ))
    }
}

/// A connection on the peer port.
pub enum PeerStream {
    /// Nobody proved anything.
    Plain(TcpStream),
    /// The other end is that node.
    Secure(Box<server::TlsStream<TcpStream>>, u64),
}

impl tonic::transport::server::Connected for PeerStream {
    type ConnectInfo = Caller;

    fn connect_info(&self) -> Caller {
        match self {
            Self::Plain(_) => Caller(None),
            Self::Secure(_, node) => Caller(Some(*node)),
        }
    }
}

impl tokio::io::AsyncRead for PeerStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Secure(stream, _) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl tokio::io::AsyncWrite for PeerStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Secure(stream, _) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Secure(stream, _) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Secure(stream, _) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Secure(stream, _) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Secure(stream, _) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
