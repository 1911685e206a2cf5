//! TLS for this program's own Postgres client: a server that an authority vouches for.
//!
//! In: the authority's certificate. Out: what tokio-postgres asks for an encrypted connection.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use anyhow::Context as _;
use futures::future::BoxFuture;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::Socket;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::{TlsConnector, client};

/// Makes encrypted connections to servers that this authority vouches for.
#[derive(Clone)]
pub(super) struct Secure(TlsConnector);

impl Secure {
    /// Reads the certificates of the authority, in PEM.
    pub(super) fn read(ca: &Path) -> anyhow::Result<Secure> {
        let mut roots = RootCertStore::empty();
        let certificates = CertificateDer::pem_file_iter(ca);
        for certificate in certificates.with_context(|| format!("cannot read {}", ca.display()))? {
            let certificate = certificate.with_context(|| format!("{}", ca.display()))?;
            roots.add(certificate).with_context(|| format!("{}", ca.display()))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context("cannot set TLS up")?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Secure(TlsConnector::from(Arc::new(config))))
    }
}

impl MakeTlsConnect<Socket> for Secure {
    type Stream = Stream;
    type TlsConnect = To;
    type Error = rustls::pki_types::InvalidDnsNameError;

    fn make_tls_connect(&mut self, host: &str) -> Result<To, Self::Error> {
        Ok(To(self.0.clone(), ServerName::try_from(host.to_owned())?))
    }
}

/// A connection to be made.
pub(super) struct To(TlsConnector, ServerName<'static>);

impl TlsConnect<Socket> for To {
    type Stream = Stream;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Stream>>;

    fn connect(self, socket: Socket) -> Self::Future {
        Box::pin(async move { Ok(Stream(Box::new(self.0.connect(self.1, socket).await?))) })
    }
}

/// An encrypted connection.
pub(super) struct Stream(Box<client::TlsStream<Socket>>);

impl TlsStream for Stream {
    fn channel_binding(&self) -> ChannelBinding {
        // The authority has vouched for the server already.
        ChannelBinding::none()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, out)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
