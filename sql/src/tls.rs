//! TLS of the server's side: a certificate and its key, and the stream they make.
//!
//! In go a certificate chain and a private key as PEM; out comes a way to take a connection that
//! asked for TLS, and the hash of the certificate that a client can bind its password to.
//!
//! - TLS 1.2 and 1.3 with rustls' own choice of ciphers; whoever names a protocol names ours.
//! - Bytes that came before the handshake are never part of what is said inside.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ring::digest;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The name of the Postgres protocol inside TLS.
pub(crate) const PROTOCOL: &[u8] = b"postgresql";

/// Why a certificate cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// The certificate is no certificate.
    #[error("{0}")]
    Certificate(String),
    /// The key is no key, or not the certificate's.
    #[error("{0}")]
    Key(String),
}

/// What a server shows to whoever asks for TLS. Cheap to clone.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    binding: Option<Arc<[u8]>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(***)")
    }
}

impl Tls {
    /// From a chain, the server's own certificate first, and its key, both in PEM.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Tls, TlsError> {
        let bad = |error: &dyn fmt::Display| TlsError::Certificate(error.to_string());
        let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|error| bad(&error))?;
        let Some(own) = chain.first() else {
            return Err(TlsError::Certificate("there is no certificate in it".to_owned()));
        };
        let binding = end_point(own).map(Arc::from);
        let bad = |error: &dyn fmt::Display| TlsError::Key(error.to_string());
        let key = PrivateKeyDer::from_pem_slice(key);
        let key = key.map_err(|_| TlsError::Key("there is no private key in it".to_owned()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| bad(&error))?
            .with_no_client_auth()
            .with_single_cert(chain, key);
        let mut config = config.map_err(|error| bad(&error))?;
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Tls { acceptor: TlsAcceptor::from(Arc::new(config)), binding })
    }

    /// The hash of the certificate, where there is one for its kind.
    pub(crate) fn binding(&self) -> Option<Arc<[u8]>> {
        self.binding.clone()
    }

    /// Makes a plain stream an encrypted one. `named`: whether the client must name the protocol,
    /// which it must where no request in plaintext said so.
    pub(crate) async fn accept(&self, socket: TcpStream, named: bool) -> io::Result<Stream> {
        let stream = self.acceptor.accept(socket).await?;
        if named && stream.get_ref().1.alpn_protocol() != Some(PROTOCOL) {
            return Err(io::Error::other("TLS without ALPN, which names what is spoken inside"));
        }
        Ok(Stream::Tls(Box::new(stream)))
    }
}

/// `tls-server-end-point` of RFC 5929: the certificate under the hash of its own signature, or
/// SHA-256 where that is weaker. Nothing where the signature has no hash, as Ed25519.
fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    // OIDs of signatures: RSA (1.2.840.113549.1.1) and ECDSA (1.2.840.10045.4) with SHA-2, SHA-1.
    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04];
    let (0x30, body, _) = element(certificate)? else { return None };
    let (0x30, _, rest) = element(body)? else { return None };
    let (0x30, algorithm, _) = element(rest)? else { return None };
    let (0x06, oid, _) = element(algorithm)? else { return None };
    let hash = match (oid.strip_prefix(RSA), oid.strip_prefix(ECDSA)) {
        (Some([4 | 5 | 11]), _) | (_, Some([1] | [3, 2])) => &digest::SHA256,
        (Some([12]), _) | (_, Some([3, 3])) => &digest::SHA384,
        (Some([13]), _) | (_, Some([3, 4])) => &digest::SHA512,
        _ => return None,
    };
    Some(digest::digest(hash, certificate).as_ref().to_vec())
}

/// The first element of some DER: its tag, its content, and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [tag, first, rest @ ..] = der else { return None };
    let (length, rest) = match *first {
        short @ 0..=0x7f => (usize::from(short), rest),
        long => {
            let bytes = usize::from(long & 0x7f);
            if !(1..=4).contains(&bytes) || rest.len() < bytes {
                return None;
            }
            let (length, rest) = rest.split_at(bytes);
            (length.iter().fold(0, |all, byte| all << 8 | usize::from(*byte)), rest)
        }
    };
    let (content, rest) = (rest.get(..length)?, rest.get(length..)?);
    Some((*tag, content, rest))
}

/// A client's bytes, in the clear or not.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    pub(crate) fn is_encrypted(&self) -> bool {
        matches!(self, Stream::Tls(_))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, out),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, out),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(algorithm: &'static rcgen::SignatureAlgorithm) -> (rcgen::Certificate, rcgen::KeyPair) {
        let key = rcgen::KeyPair::generate_for(algorithm).expect("a key");
        let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        (params.self_signed(&key).expect("signs"), key)
    }

    #[test]
    fn what_can_be_used() {
        let (certificate, key) = made(&rcgen::PKCS_ECDSA_P256_SHA256);
        let (certificate, key) = (certificate.pem(), key.serialize_pem());
        let check = |certificate: &str, key: &str, expected: &str| {
            let said = Tls::from_pem(certificate.as_bytes(), key.as_bytes());
            let said = said.map_or_else(|error| format!("{error:?}"), |_| "good".to_owned());
            assert!(said.contains(expected), "{said}");
        };
        check(&certificate, &key, "good");
        check("", &key, "Certificate(\"there is no certificate in it\")");
        check("nonsense", &key, "Certificate");
        check(&certificate, "nonsense", "Key(\"there is no private key in it\")");
        let (_, other) = made(&rcgen::PKCS_ECDSA_P256_SHA256);
        check(&certificate, &other.serialize_pem(), "Key");
    }

    #[test]
    fn hashes_to_bind_to() {
        let check = |algorithm, expected: Option<&'static digest::Algorithm>| {
            let (certificate, _) = made(algorithm);
            let expected =
                expected.map(|hash| digest::digest(hash, certificate.der()).as_ref().to_vec());
            assert_eq!(end_point(certificate.der()), expected);
            // Nothing of it makes the reader fall over.
            let der = certificate.der();
            for end in 0..der.len() {
                end_point(&der[..end]);
                let mut flipped = der.to_vec();
                flipped[end] ^= 0x80;
                end_point(&flipped);
            }
        };
        check(&rcgen::PKCS_ECDSA_P256_SHA256, Some(&digest::SHA256));
        check(&rcgen::PKCS_ECDSA_P384_SHA384, Some(&digest::SHA384));
        check(&rcgen::PKCS_ED25519, None);
        assert_eq!(end_point(b""), None);
    }
}
