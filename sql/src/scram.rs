//! SCRAM-SHA-256 (RFC 5802, RFC 7677) from the server's side, over stored verifiers.
//!
//! In go the two messages of a client and a verifier; out come the two answers, or a refusal. No
//! password is here, and nothing from which one could log in elsewhere: a verifier only checks.
//!
//! ```text
//! client: n,,n=,r=<nonce>                       gs2 header, then the bare first message
//! server: r=<nonce><ours>,s=<salt>,i=<iterations>
//! client: c=<header and binding>,r=<nonce><ours>,p=<proof>
//! server: v=<signature>
//! ```
//!
//! - A user that does not exist gets the same messages, at the same cost, up to the same refusal.
//! - With a certificate to bind to, a client that could bind and was told that it cannot (by whoever
//!   sits in between) is refused.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac};

use crate::error::SqlError;

/// The mechanism without and with a binding to the server's certificate.
pub(crate) const PLAIN: &str = "SCRAM-SHA-256";
pub(crate) const PLUS: &str = "SCRAM-SHA-256-PLUS";
/// The binding we know: a hash of the server's certificate (RFC 5929).
const BINDING: &str = "tls-server-end-point";
/// Fewer would make a stolen verifier cheap to try passwords on.
const ITERATIONS_MIN: u32 = 4096;

/// What a password is checked against, written as Postgres stores it:
/// `SCRAM-SHA-256$4096:<salt>$<stored key>:<server key>`.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    iterations: u32,
    salt: Vec<u8>,
    stored_key: [u8; 32],
    server_key: [u8; 32],
}

/// Never shows what is in it: verifiers do not belong in logs.
impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(***)")
    }
}

impl Verifier {
    /// Reads what Postgres writes. The complaint does not repeat what was read.
    pub fn parse(text: &str) -> Result<Verifier, String> {
        let shape = || "it is not like SCRAM-SHA-256$4096:salt$stored:server".to_owned();
        let rest = text.trim().strip_prefix("SCRAM-SHA-256$").ok_or_else(shape)?;
        let (head, keys) = rest.split_once('$').ok_or_else(shape)?;
        let (iterations, salt) = head.split_once(':').ok_or_else(shape)?;
        let (stored, server) = keys.split_once(':').ok_or_else(shape)?;
        let iterations: u32 = iterations.parse().map_err(|_| shape())?;
        if !(ITERATIONS_MIN..=i32::MAX as u32).contains(&iterations) {
            return Err(format!("it has {iterations} iterations, and {ITERATIONS_MIN} is least"));
        }
        let bytes = |text: &str| STANDARD.decode(text).map_err(|_| shape());
        let key = |text: &str| <[u8; 32]>::try_from(bytes(text)?).map_err(|_| shape());
        let salt = bytes(salt)?;
        if salt.is_empty() {
            return Err("its salt is empty".to_owned());
        }
        Ok(Verifier { iterations, salt, stored_key: key(stored)?, server_key: key(server)? })
    }

    /// A verifier that no password passes, and that nobody can tell from others: it stays the same
    /// for a name as long as `secret` does.
    pub(crate) fn of_nobody(secret: &[u8], user: &str, iterations: u32) -> Verifier {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let derive = |what: &str| sign(&secret, &[what.as_bytes(), b"\0", user.as_bytes()]);
        Verifier {
            iterations,
            salt: derive("salt")[..16].to_vec(),
            stored_key: derive("stored key"),
            server_key: derive("server key"),
        }
    }

    pub(crate) fn iterations(&self) -> u32 {
        self.iterations
    }

    /// What only those know who know all of it.
    pub(crate) fn secret(&self) -> &[u8] {
        &self.server_key
    }
}

/// An exchange after its first half.
pub(crate) struct Exchange {
    verifier: Verifier,
    /// What the client must repeat: its header and the binding.
    bound: Vec<u8>,
    nonce: String,
    /// Both first messages, which the proof is about.
    first: String,
}

impl Exchange {
    /// Answers the first message. `binding` is the certificate's hash where there is one; `ours` is
    /// fresh randomness.
    pub(crate) fn begin(
        mechanism: &str,
        message: &[u8],
        verifier: Verifier,
        binding: Option<&[u8]>,
        ours: &[u8],
    ) -> Result<(String, Exchange), SqlError> {
        let message = text(message)?;
        // The header ends with the second comma; between them is who to act for, which we refuse.
        let (flag, rest) = message.split_once(',').ok_or_else(malformed)?;
        let bare = rest.strip_prefix(',').ok_or_else(malformed)?;
        let mut bound = format!("{flag},,").into_bytes();
        match (mechanism, flag, binding) {
            (PLAIN, "n", _) | (PLAIN, "y", None) => {}
            (PLAIN, "y", Some(_)) => {
                let text = "the client could bind to the certificate and was not offered to: \
                            somebody may sit in between";
                return Err(SqlError::new("28000", text));
            }
            (PLUS, flag, Some(binding)) if flag.strip_prefix("p=") == Some(BINDING) => {
                bound.extend_from_slice(binding);
            }
            (PLAIN | PLUS, _, _) => return Err(malformed()),
            _ => return Err(SqlError::protocol("no such authentication mechanism was offered")),
        }
        let (name, nonce) = bare.split_once(',').ok_or_else(malformed)?;
        // The name of the startup packet counts; an `m=` here would be an extension that we lack.
        if !name.starts_with("n=") {
            return Err(malformed());
        }
        // Extensions behind the nonce may be ignored, and belong to what is signed.
        let nonce = nonce.split(',').next().and_then(|nonce| nonce.strip_prefix("r="));
        let nonce = nonce
            .filter(|nonce| !nonce.is_empty() && nonce.bytes().all(|byte| byte.is_ascii_graphic()));
        let nonce = format!("{}{}", nonce.ok_or_else(malformed)?, STANDARD.encode(ours));
        let (salt, iterations) = (STANDARD.encode(&verifier.salt), verifier.iterations);
        let answer = format!("r={nonce},s={salt},i={iterations}");
        let first = format!("{bare},{answer}");
        Ok((answer, Exchange { verifier, bound, nonce, first }))
    }

    /// Answers the last message; `None` where it does not prove that the client has the password.
    pub(crate) fn finish(self, message: &[u8]) -> Result<Option<String>, SqlError> {
        let message = text(message)?;
        let (unproven, proof) = message.rsplit_once(",p=").ok_or_else(malformed)?;
        let proof = STANDARD.decode(proof).map_err(|_| malformed())?;
        let proof = <[u8; 32]>::try_from(proof).map_err(|_| malformed())?;
        let mut parts = unproven.split(',');
        let bound = parts.next().and_then(|part| part.strip_prefix("c=")).ok_or_else(malformed)?;
        let nonce = parts.next().and_then(|part| part.strip_prefix("r=")).ok_or_else(malformed)?;
        let bound = STANDARD.decode(bound).map_err(|_| malformed())?;
        if !equal(&bound, &self.bound) {
            return Err(SqlError::new("28000", "the client is bound to another connection"));
        }
        if !equal(nonce.as_bytes(), self.nonce.as_bytes()) {
            return Err(malformed());
        }
        let about = [self.first.as_bytes(), b",", unproven.as_bytes()];
        let stored = hmac::Key::new(hmac::HMAC_SHA256, &self.verifier.stored_key);
        let mut client_key = sign(&stored, &about);
        client_key.iter_mut().zip(proof).for_each(|(byte, proof)| *byte ^= proof);
        let shown = digest::digest(&digest::SHA256, &client_key);
        let server = hmac::Key::new(hmac::HMAC_SHA256, &self.verifier.server_key);
        let signature = STANDARD.encode(sign(&server, &about));
        let proven = equal(shown.as_ref(), &self.verifier.stored_key);
        Ok(proven.then(|| format!("v={signature}")))
    }
}

fn sign(key: &hmac::Key, parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(key);
    parts.iter().for_each(|part| context.update(part));
    context.sign().as_ref().try_into().expect("SHA-256 is 32 bytes long")
}

/// Compares in a time that says nothing of how much is equal.
pub(crate) fn equal(a: &[u8], b: &[u8]) -> bool {
    let pairs = a.iter().zip(b);
    let difference = pairs.fold(0, |all, (a, b)| std::hint::black_box(all | (a ^ b)));
    a.len() == b.len() && difference == 0
}

fn text(message: &[u8]) -> Result<&str, SqlError> {
    std::str::from_utf8(message).map_err(|_| malformed())
}

fn malformed() -> SqlError {
    SqlError::protocol("malformed SCRAM message")
}

#[cfg(test)]
mod tests {
    use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
    use postgres_protocol::password::scram_sha_256;

    use super::*;

    fn verifier(password: &str) -> Verifier {
        Verifier::parse(&scram_sha_256(password.as_bytes())).expect("a good verifier")
    }

    /// Runs the exchange with a client that is not ours.
    fn run(
        mechanism: &str,
        client: ChannelBinding,
        binding: Option<&[u8]>,
    ) -> Result<bool, String> {
        let mut client = ScramSha256::new(b"secret", client);
        let first = client.message().to_vec();
        let begun = Exchange::begin(mechanism, &first, verifier("secret"), binding, b"123456");
        let (answer, exchange) = begun.map_err(|error| error.code.to_owned())?;
        client.update(answer.as_bytes()).expect("a good message");
        let last = exchange.finish(client.message()).map_err(|error| error.code.to_owned())?;
        // The client is as sure of us as we are of it.
        Ok(last.is_some_and(|last| client.finish(last.as_bytes()).is_ok()))
    }

    #[test]
    fn clients_that_know_the_password() {
        let end_point = || ChannelBinding::tls_server_end_point(b"hash".to_vec());
        assert_eq!(run(PLAIN, ChannelBinding::unsupported(), None), Ok(true));
        assert_eq!(run(PLAIN, ChannelBinding::unsupported(), Some(b"hash")), Ok(true));
        assert_eq!(run(PLAIN, ChannelBinding::unrequested(), None), Ok(true));
        assert_eq!(run(PLUS, end_point(), Some(b"hash")), Ok(true));
        // Downgraded, bound elsewhere, bound to nothing.
        assert_eq!(run(PLAIN, ChannelBinding::unrequested(), Some(b"hash")), Err("28000".into()));
        assert_eq!(run(PLUS, end_point(), Some(b"other")), Err("28000".into()));
        assert_eq!(run(PLUS, end_point(), None), Err("08P01".into()));
        assert_eq!(run(PLAIN, end_point(), Some(b"hash")), Err("08P01".into()));
        assert_eq!(run(PLUS, ChannelBinding::unsupported(), Some(b"hash")), Err("08P01".into()));
        assert_eq!(run("SCRAM-MD5", ChannelBinding::unsupported(), None), Err("08P01".into()));
    }

    #[test]
    fn those_who_do_not() {
        for verifier in [verifier("other"), Verifier::of_nobody(b"seed", "user", 4096)] {
            let mut client = ScramSha256::new(b"secret", ChannelBinding::unsupported());
            let first = client.message().to_vec();
            let (answer, exchange) =
                Exchange::begin(PLAIN, &first, verifier, None, b"1").expect("begins");
            client.update(answer.as_bytes()).expect("a good message");
            assert_eq!(exchange.finish(client.message()), Ok(None));
        }
    }

    /// The example of RFC 7677, whose server nonce is not of our making.
    #[test]
    fn the_example_of_the_standard() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").expect("base64");
        let mut salted = [0; 32];
        let rounds = std::num::NonZeroU32::new(4096).expect("not zero");
        ring::pbkdf2::derive(
            ring::pbkdf2::PBKDF2_HMAC_SHA256,
            rounds,
            &salt,
            b"pencil",
            &mut salted,
        );
        let salted = hmac::Key::new(hmac::HMAC_SHA256, &salted);
        let client_key = sign(&salted, &[b"Client Key"]);
        let stored_key = digest::digest(&digest::SHA256, &client_key);
        let verifier = Verifier {
            iterations: 4096,
            salt,
            stored_key: stored_key.as_ref().try_into().expect("32 bytes"),
            server_key: sign(&salted, &[b"Server Key"]),
        };
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let server_first = format!("r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
        let exchange = Exchange {
            verifier,
            bound: b"n,,".to_vec(),
            nonce: nonce.to_owned(),
            first: format!("n=user,r=rOprNGfwEbeRWgbNEkqO,{server_first}"),
        };
        let last = format!("c=biws,r={nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        let expected = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        assert_eq!(exchange.finish(last.as_bytes()), Ok(Some(expected.to_owned())));
    }

    #[test]
    fn verifiers() {
        let good = scram_sha_256(b"x");
        assert!(Verifier::parse(&good).is_ok());
        assert!(Verifier::parse(&good.replace("$4096:", "$600000:")).is_ok());
        let bad = [
            "",
            "secret",
            "md5d41d8cd98f00b204e9800998ecf8427e",
            "SCRAM-SHA-256$4096:$a:b",
            &good.replace("$4096:", "$1:"),
            &good.replace("$4096:", "$-1:"),
            &good[..good.len() - 3],
        ];
        for text in bad {
            let complaint = Verifier::parse(text).expect_err(text);
            assert!(text.len() < 20 || !complaint.contains(text), "{complaint}");
        }
        assert_eq!(format!("{:?}", verifier("x")), "Verifier(***)");
        let nobody = |user| Verifier::of_nobody(b"s", user, 4096);
        assert!(nobody("a") == nobody("a") && nobody("a") != nobody("b"));
    }

    #[test]
    fn malformed_messages() {
        let first = |message: &[u8]| {
            let begun = Exchange::begin(PLAIN, message, verifier("x"), None, b"1");
            begun.map(|_| ()).map_err(|error| error.code)
        };
        assert_eq!(first(b"n,,n=,r=abc"), Ok(()));
        let bad: &[&[u8]] = &[
            b"",
            b"n",
            b"n,,",
            b"n,,n=",
            b"n,,n=,r=",
            b"n,,r=abc",
            b"n,a=root,n=,r=abc",
            b"n,,m=x,n=,r=abc",
            b"n,,n=,r=a\0c",
            b"n,,n=,r=\xff",
            b"p=tls-unique,,n=,r=abc",
            b"x,,n=,r=abc",
        ];
        for message in bad {
            assert_eq!(first(message), Err("08P01"), "{message:?}");
        }
        let last = |message: &str| {
            let (_, exchange) =
                Exchange::begin(PLAIN, b"n,,n=,r=abc", verifier("x"), None, b"1").expect("begins");
            exchange.finish(message.as_bytes()).map_err(|error| error.code)
        };
        let proof = STANDARD.encode([0; 32]);
        assert_eq!(last(&format!("c=biws,r=abcMQ==,p={proof}")), Ok(None));
        for message in ["", "c=biws,r=abcMQ==", "c=biws,r=x,p=AAAA", "c=biws,r=abcMQ==,p=AAAA"] {
            assert_eq!(last(message), Err("08P01"), "{message}");
        }
        assert_eq!(last(&format!("c=biws,r=abc,p={proof}")), Err("08P01"));
        assert_eq!(last(&format!("c=eSws,r=abcMQ==,p={proof}")), Err("28000"));
    }
}
