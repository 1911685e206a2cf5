//! Who gets in and how: passwords, encryption, and what both withstand.

use std::collections::HashMap;
use std::sync::Arc;

use drave_sql::{Access, Databases, Tls, User, Users, Verifier};
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use postgres_protocol::password::scram_sha_256;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::hostile::{exchange, message, summary};
use crate::memory::{Server, code, connect, options, rows};
use crate::sql::answer;

const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// `ann` may do everything, `bob` reads `main`, and there is nobody else.
fn users() -> Arc<Users> {
    let user = |password: &str, databases: Databases, writes| {
        let password = Verifier::parse(&scram_sha_256(password.as_bytes())).unwrap();
        User { password, databases, writes }
    };
    let main = Databases::These(vec!["main".to_owned()]);
    Arc::new(Users::new(HashMap::from([
        ("ann".to_owned(), user("secret", Databases::Any, true)),
        ("bob".to_owned(), user("päss", main, false)),
    ])))
}

/// A certificate for `localhost`, and what the server makes of it.
fn certificate() -> (CertificateDer<'static>, Tls) {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let tls = Tls::from_pem(certificate.pem().as_bytes(), key.serialize_pem().as_bytes());
    (certificate.der().clone(), tls.unwrap())
}

async fn server(access: Access) -> Server {
    Server::behind(access, options(), rows()).await
}

async fn login(server: &Server, user: &str, password: &str, database: &str) -> String {
    let mut config = server.config();
    config.user(user).password(password).dbname(database);
    match connect(&config).await {
        Ok(client) => {
            answer(&client, "select current_user || ' ' || current_database()").await.remove(0)
        }
        Err(error) => code(&error),
    }
}

#[tokio::test]
async fn passwords() {
    let server = server(Access { users: Some(users()), ..Access::default() }).await;
    assert_eq!(login(&server, "ann", "secret", "main").await, "ann main");
    assert_eq!(login(&server, "ann", "secret", "other").await, "ann other");
    assert_eq!(login(&server, "bob", "päss", "main").await, "bob main");
    assert_eq!(login(&server, "bob", "päss", "bob").await, "bob main", "its first");
    assert_eq!(login(&server, "bob", "päss", "other").await, "42501");
    assert_eq!(login(&server, "bob", "secret", "main").await, "28P01");
    assert_eq!(login(&server, "eve", "secret", "main").await, "28P01");
    assert_eq!(login(&server, "ann", "secret", "missing").await, "3D000");

    let mut config = server.config();
    let bob = connect(config.user("bob").password("päss")).await.unwrap();
    let insert = "insert into logs (line, app) values ('x', 'y')";
    assert_eq!(answer(&bob, insert).await, ["42501"]);
    assert_eq!(answer(&bob, "copy logs (line, app) from stdin").await, ["42501"]);
    assert_eq!(answer(&bob, "select count(*) from logs").await, ["3000"]);
    assert!(server.memory.stored.lock().unwrap().is_empty());
    let ann = connect(config.user("ann").password("secret")).await.unwrap();
    assert_eq!(ann.execute(insert, &[]).await.unwrap(), 1);
}

/// A startup packet.
fn hello(user: &str) -> Vec<u8> {
    let body = format!("\0\x03\0\0user\0{user}\0database\0main\0\0");
    [&(body.len() as u32 + 4).to_be_bytes()[..], body.as_bytes()].concat()
}

#[tokio::test]
async fn nothing_is_answered_before_a_password() {
    let server = server(Access { users: Some(users()), ..Access::default() }).await;
    let first = b"SCRAM-SHA-256\0\0\0\0\x08n,,n=,r=";
    let skips = b"c=biws,r=x,p=AAAA".as_slice();
    let cases: &[(Vec<u8>, &str)] = &[
        (message(b'Q', b"select 1\0"), "E(08P01)"),
        (message(b'p', b"secret\0"), "E(08P01)"),
        (message(b'p', first), "E(08P01)"),
        (message(b'p', b"SCRAM-MD5\0\0\0\0\0"), "E(08P01)"),
        (message(b'p', b"SCRAM-SHA-256-PLUS\0\0\0\0\x0bn,,n=,r=abc"), "E(08P01)"),
        (message(b'p', skips), "E(08P01)"),
        (
            [message(b'p', b"SCRAM-SHA-256\0\0\0\0\x0bn,,n=,r=abc"), message(b'p', skips)].concat(),
            "E(08P01)",
        ),
        (b"p\x40\0\0\0".to_vec(), "E(08P01)"),
        (b"p\0\0\0\x03".to_vec(), "E(08P01)"),
        (b"p\0\0\x02\0half".to_vec(), ""),
        (vec![], ""),
    ];
    for (bytes, expected) in cases {
        let got = exchange(&server, &[hello("ann"), bytes.clone()].concat()).await;
        assert_eq!(got, *expected, "{bytes:?}");
    }
    assert_eq!(login(&server, "ann", "secret", "main").await, "ann main");
}

/// Messages of a connection, one at a time.
struct Raw<S>(S);

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    async fn next(&mut self) -> (u8, Vec<u8>) {
        let tag = self.0.read_u8().await.unwrap();
        let length = self.0.read_u32().await.unwrap();
        let mut body = vec![0; length as usize - 4];
        self.0.read_exact(&mut body).await.unwrap();
        (tag, body)
    }

    /// Logs in as a client that knows SCRAM: the mechanisms that were offered, what the server said
    /// first, and the tag of what it said last.
    async fn login(
        &mut self,
        user: &str,
        password: &str,
        mechanism: &str,
        binding: ChannelBinding,
    ) -> (String, String, u8) {
        self.0.write_all(&hello(user)).await.unwrap();
        let (_, offered) = self.next().await;
        let offered = String::from_utf8_lossy(&offered[4..]).replace('\0', " ").trim().to_owned();
        let mut client = ScramSha256::new(password.as_bytes(), binding);
        let first = client.message();
        let length = (first.len() as u32).to_be_bytes();
        let body = [mechanism.as_bytes(), b"\0", &length[..], first].concat();
        self.0.write_all(&message(b'p', &body)).await.unwrap();
        let (tag, challenge) = self.next().await;
        if tag != b'R' {
            return (offered, String::new(), tag);
        }
        let challenge = challenge[4..].to_vec();
        client.update(&challenge).unwrap();
        self.0.write_all(&message(b'p', client.message())).await.unwrap();
        let (tag, last) = self.next().await;
        if tag == b'R' {
            client.finish(&last[4..]).unwrap();
        }
        (offered, String::from_utf8(challenge).unwrap(), tag)
    }
}

#[tokio::test]
async fn whether_a_user_exists_does_not_show() {
    let server = server(Access { users: Some(users()), ..Access::default() }).await;
    let mut seen = Vec::new();
    for user in ["ann", "eve", "ann", "eve"] {
        let mut raw = Raw(TcpStream::connect(server.address).await.unwrap());
        let binding = ChannelBinding::unsupported();
        let (offered, challenge, tag) = raw.login(user, "wrong", "SCRAM-SHA-256", binding).await;
        assert_eq!((offered.as_str(), tag), ("SCRAM-SHA-256", b'E'));
        let (nonce, rest) = challenge.split_once(",s=").unwrap();
        seen.push((nonce.len(), rest.len(), rest.to_owned()));
    }
    assert_eq!((seen[0].0, seen[0].1), (seen[1].0, seen[1].1), "the same shape");
    assert!(seen[0] == seen[2] && seen[1] == seen[3], "a salt stays the same");
    assert_ne!(seen[0].2, seen[1].2);
}

#[tokio::test]
async fn guessing_is_slow_and_users_may_change() {
    let server = server(Access { users: Some(users()), ..Access::default() }).await;
    for _ in 0..5 {
        assert_eq!(login(&server, "ann", "guess", "main").await, "28P01");
    }
    assert_eq!(login(&server, "ann", "secret", "main").await, "28000", "even the right one");
    assert_eq!(login(&server, "bob", "päss", "main").await, "bob main", "others are not slowed");
    let nobody = Arc::new(Users::new(HashMap::new()));
    server.access.send_replace(Access { users: Some(nobody), ..Access::default() });
    assert_eq!(login(&server, "bob", "päss", "main").await, "28P01");
    server.access.send_replace(Access { users: Some(users()), ..Access::default() });
    assert_eq!(login(&server, "bob", "päss", "main").await, "bob main");
}

fn connector(root: &CertificateDer<'static>, protocols: &[&[u8]]) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

type Encrypted = tokio_rustls::client::TlsStream<TcpStream>;

/// An encrypted connection, asked for or at once.
async fn encrypted(
    server: &Server,
    root: &CertificateDer<'static>,
    asks: bool,
    protocols: &[&[u8]],
) -> std::io::Result<Encrypted> {
    let mut socket = TcpStream::connect(server.address).await?;
    if asks {
        socket.write_all(&SSL_REQUEST).await?;
        assert_eq!(socket.read_u8().await?, b'S');
    }
    let name = ServerName::try_from("localhost").unwrap();
    connector(root, protocols).connect(name, socket).await
}

/// Says hello without a password, and answers what came back.
async fn talk(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> String {
    let mut reply = Vec::new();
    if stream.write_all(bytes).await.is_ok() {
        // Whoever is refused may find the connection reset.
        let _ = stream.read_to_end(&mut reply).await;
    }
    summary(&reply)
}

#[tokio::test]
async fn encrypted_connections() {
    let (root, tls) = certificate();
    let server = server(Access { tls: Some(tls), ..Access::default() }).await;
    let query = [hello("x"), message(b'Q', b"select 1\0"), message(b'X', b"")].concat();
    let pg: &[&[u8]] = &[b"postgresql"];
    for (asks, protocols) in [(true, &[][..]), (true, pg), (false, pg)] {
        let stream = encrypted(&server, &root, asks, protocols).await.unwrap();
        assert_eq!(talk(stream, &query).await, "ZTDCZ", "{asks} {protocols:?}");
    }
    // Encryption within encryption, and a cancel request.
    for (bytes, expected) in
        [(&SSL_REQUEST[..], "E(08P01)"), (b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x01\0\0\0\x02", "")]
    {
        let stream = encrypted(&server, &root, true, pg).await.unwrap();
        assert_eq!(talk(stream, bytes).await, expected);
    }
    // Who begins at once names the protocol, and who names another is refused.
    let unnamed = encrypted(&server, &root, false, &[]).await;
    if let Ok(stream) = unnamed {
        assert_eq!(talk(stream, &query).await, "");
    }
    assert!(encrypted(&server, &root, true, &[b"h2"]).await.is_err());
    // GSS is answered by no, also ahead of TLS; in the clear it works still.
    let gss = [0, 0, 0, 8, 4, 210, 22, 48];
    assert_eq!(exchange(&server, &[&gss[..], &query].concat()).await, "NZTDCZ");
    // A new certificate is shown to whoever comes next.
    let (other, tls) = certificate();
    server.access.send_replace(Access { tls: Some(tls), ..Access::default() });
    assert!(encrypted(&server, &root, true, pg).await.is_err());
    assert!(encrypted(&server, &other, true, pg).await.is_ok());
}

/// CVE-2021-23214: bytes that somebody in between puts ahead of the handshake.
#[tokio::test]
async fn bytes_ahead_of_encryption_are_not_part_of_it() {
    let (root, tls) = certificate();
    let access = Access { tls: Some(tls), tls_required: true, ..Access::default() };
    let server = server(access).await;
    let stuffed = [&SSL_REQUEST[..], &hello("x"), &message(b'Q', b"select 1\0")].concat();
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    socket.write_all(&stuffed).await.unwrap();
    let mut reply = Vec::new();
    let _ = socket.read_to_end(&mut reply).await;
    assert_eq!(reply, b"S", "nothing is answered");
    // The same in two pieces is a handshake that is none.
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    socket.write_all(&SSL_REQUEST).await.unwrap();
    assert_eq!(socket.read_u8().await.unwrap(), b'S');
    let _ = socket.write_all(&hello("x")).await;
    let mut reply = Vec::new();
    let _ = socket.read_to_end(&mut reply).await;
    assert!(!reply.contains(&b'Z') || reply.first() == Some(&0x15), "at most a TLS alert");

    let query = [hello("x"), message(b'Q', b"select 1\0")].concat();
    assert_eq!(exchange(&server, &query).await, "E(28000)", "in the clear");
    let stream = encrypted(&server, &root, true, &[]).await.unwrap();
    let query = [query, message(b'X', b"")].concat();
    assert_eq!(talk(stream, &query).await, "ZTDCZ");
}

#[tokio::test]
async fn passwords_are_bound_to_the_certificate() {
    let (root, tls) = certificate();
    let access = Access { users: Some(users()), tls: Some(tls), tls_required: true };
    let server = server(access).await;
    let hash = ring::digest::digest(&ring::digest::SHA256, &root).as_ref().to_vec();
    let bound = || ChannelBinding::tls_server_end_point(hash.clone());
    let elsewhere = ChannelBinding::tls_server_end_point(vec![7; 32]);
    let (plain, plus) = ("SCRAM-SHA-256", "SCRAM-SHA-256-PLUS");
    for (mechanism, binding, expected) in [
        (plus, bound(), b'R'),
        (plain, ChannelBinding::unsupported(), b'R'),
        (plus, elsewhere, b'E'),
        // Who could bind, and was told that it cannot.
        (plain, ChannelBinding::unrequested(), b'E'),
    ] {
        let mut raw = Raw(encrypted(&server, &root, true, &[]).await.unwrap());
        let (offered, _, tag) = raw.login("ann", "secret", mechanism, binding).await;
        assert_eq!(offered, format!("{plus} {plain}"));
        assert_eq!(tag, expected, "{mechanism}");
    }
}
