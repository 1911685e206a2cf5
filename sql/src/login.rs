//! The exchange in which a client proves who it is.
//!
//! In go a connection and the name that it gave; out comes the user, if the password was right.
//! What goes over the wire is SCRAM and nothing else: no password in the clear, no MD5, and nobody
//! is trusted for where they come from.
//!
//! - Whether a user exists shows neither in the messages nor in the time they take.
//! - A wrong password costs the address a try.

use std::net::IpAddr;

use bytes::{Buf, Bytes};
use pgwire::messages::PgWireBackendMessage as Message;
use pgwire::messages::startup::Authentication;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::time::Instant;

use crate::error::SqlError;
use crate::scram::{Exchange, PLAIN, PLUS};
use crate::server::Access;
use crate::throttle::Throttle;
use crate::users::{User, Users};
use crate::wire::{Connection, login_answer};

/// Random bytes of a nonce, as many as Postgres has.
const NONCE_BYTES: usize = 18;

/// Lets a client prove that it is `name`. `None`: it is gone.
pub(crate) async fn login<'a>(
    connection: &mut Connection,
    access: &Access,
    users: &'a Users,
    name: &str,
    (throttle, random, address): (&Throttle, &SystemRandom, IpAddr),
) -> Result<Option<&'a User>, SqlError> {
    let Some(drawn) = throttle.draw(address, name, Instant::now()) else {
        let text = "too many wrong passwords: try again in a while";
        return Err(SqlError::new("28000", text));
    };
    let binding = match &access.tls {
        Some(tls) if connection.is_encrypted() => tls.binding(),
        _ => None,
    };
    let mut mechanisms = vec![PLAIN.to_owned()];
    if binding.is_some() {
        mechanisms.insert(0, PLUS.to_owned());
    }
    connection.put(Message::Authentication(Authentication::SASL(mechanisms)));
    let Some(first) = read(connection).await? else { return Ok(None) };
    let (mechanism, message) = initial(first)?;
    let mut ours = [0; NONCE_BYTES];
    let filled = random.fill(&mut ours);
    filled.map_err(|_| SqlError::new("58000", "the system has no random numbers"))?;
    let verifier = users.verifier(name);
    let (answer, exchange) =
        Exchange::begin(&mechanism, &message, verifier, binding.as_deref(), &ours)?;
    connection.put(Message::Authentication(Authentication::SASLContinue(answer.into())));
    let Some(last) = read(connection).await? else { return Ok(None) };
    match (exchange.finish(&last)?, users.get(name)) {
        (Some(signature), Some(user)) => {
            connection.put(Message::Authentication(Authentication::SASLFinal(signature.into())));
            Ok(Some(user))
        }
        _ => {
            drawn.wrong();
            tracing::warn!(user = name, %address, "refused a password of an sql user");
            let text = format!("password authentication failed for user \"{name}\"");
            Err(SqlError::new("28P01", text))
        }
    }
}

/// Sends what there is, and reads an answer.
async fn read(connection: &mut Connection) -> Result<Option<Bytes>, SqlError> {
    loop {
        if let Some(body) = login_answer(&mut connection.input)? {
            return Ok(Some(body));
        }
        if connection.flush().await.is_err() || !matches!(connection.read().await, Ok(true)) {
            return Ok(None);
        }
    }
}

/// The mechanism that the client chose, and its first message.
pub(crate) fn initial(mut body: Bytes) -> Result<(String, Bytes), SqlError> {
    let malformed = || SqlError::protocol("malformed SASL message");
    let end = body.iter().position(|byte| *byte == 0).ok_or_else(malformed)?;
    let mechanism = body.split_to(end);
    let mechanism = String::from_utf8(mechanism.to_vec()).map_err(|_| malformed())?;
    body.advance(1);
    if body.len() < 4 || body.get_i32() as i64 != body.len() as i64 {
        return Err(malformed());
    }
    Ok((mechanism, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_answers() {
        let check = |body: &'static [u8], expected: Option<(&str, &[u8])>| {
            let got = initial(Bytes::from_static(body)).ok();
            let got = got.as_ref().map(|(name, message)| (name.as_str(), &message[..]));
            assert_eq!(got, expected, "{body:?}");
        };
        check(b"SCRAM\0\0\0\0\x02ab", Some(("SCRAM", b"ab")));
        check(b"SCRAM\0\0\0\0\0", Some(("SCRAM", b"")));
        check(b"SCRAM\0\xff\xff\xff\xff", None);
        check(b"SCRAM\0\0\0\0\x03ab", None);
        check(b"SCRAM\0\0\0\0\x01ab", None);
        check(b"SCRAM\0\0\0", None);
        check(b"SCRAM", None);
        check(b"\xff\0\0\0\0\0", None);
        check(b"", None);
    }
}
