//! What a client says first: the packets without a type, before anything else.
//!
//! In go the first bytes of a connection; out comes what the client wants (a session with these
//! parameters, or to cancel what another runs), over TLS where it asked for that and there is some.
//!
//! - A packet is read only if its length is that of one.
//! - Encryption begins with nothing in the buffer: bytes sent ahead of it end the connection
//!   (CVE-2021-23214).

use bytes::{Buf, Bytes, BytesMut};
use pgwire::messages::PgWireBackendMessage as Message;
use pgwire::messages::startup::NegotiateProtocolVersion;

use crate::error::SqlError;
use crate::server::Access;
use crate::settings::Settings;
use crate::wire::Connection;

/// A startup packet has at least a length and a version, and at most what Postgres takes.
const STARTUP_BYTES: std::ops::RangeInclusive<usize> = 8..=10_000;

const CANCEL_REQUEST: u32 = 80_877_102;
const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;

/// What a client asked for first.
pub(crate) enum Startup {
    Session(Hello),
    Cancel { pid: i32, key: Bytes },
    Gone,
}

/// A startup packet.
pub(crate) struct Hello {
    minor: u16,
    parameters: Vec<(String, String)>,
}

impl Hello {
    /// The value of a parameter; the last one where it is there twice.
    pub(crate) fn named(&self, name: &str) -> Option<&str> {
        let mut found = self.parameters.iter().filter(|(key, _)| key == name);
        found.next_back().map(|(_, value)| value.as_str())
    }

    /// How long a cancel key the client takes.
    pub(crate) fn key_bytes(&self) -> usize {
        if self.minor >= 2 { 32 } else { 4 }
    }

    /// Settles the version and the options of the protocol, and says what is not spoken.
    pub(crate) fn negotiate(&mut self, connection: &mut Connection) {
        let (minor, unknown) = negotiate(self.minor, &self.parameters);
        if let Some(unknown) = unknown {
            let version = i32::from(minor) | 3 << 16;
            let message = NegotiateProtocolVersion::new(version, unknown);
            connection.put(Message::NegotiateProtocolVersion(message));
        }
        self.minor = minor;
    }
}

/// Reads what the client wants first, with or without encryption.
pub(crate) async fn startup(
    connection: &mut Connection,
    access: &Access,
) -> Result<Startup, SqlError> {
    let (mut ssl, mut gss) = (false, false);
    match (connection.begins_with_tls().await, &access.tls) {
        (true, Some(tls)) => {
            if !connection.secure(tls, true).await {
                return Ok(Startup::Gone);
            }
            (ssl, gss) = (true, true);
        }
        // There is nothing to answer that such a client would understand.
        (true, None) => return Ok(Startup::Gone),
        (false, _) => {}
    }
    loop {
        let Some(mut packet) = packet(connection).await? else { return Ok(Startup::Gone) };
        let (again, wants_tls) = match packet.get_u32() {
            SSL_REQUEST => (std::mem::replace(&mut ssl, true), true),
            GSS_REQUEST => (std::mem::replace(&mut gss, true), false),
            CANCEL_REQUEST if packet.len() > 4 => {
                return Ok(Startup::Cancel { pid: packet.get_i32(), key: packet });
            }
            CANCEL_REQUEST => return Ok(Startup::Gone),
            version if version >> 16 == 3 => {
                let parameters = parameters(&packet)?;
                return Ok(Startup::Session(Hello { minor: version as u16, parameters }));
            }
            version => {
                let text = format!(
                    "unsupported frontend protocol {}.{}: server supports 3.0 to 3.2",
                    version >> 16,
                    version & 0xffff
                );
                return Err(SqlError::new("0A000", text));
            }
        };
        if again {
            return Err(SqlError::protocol("encryption was requested twice"));
        }
        let tls = access.tls.as_ref().filter(|_| wants_tls);
        connection.output.extend_from_slice(if tls.is_some() { b"S" } else { b"N" });
        if connection.flush().await.is_err() {
            return Ok(Startup::Gone);
        }
        if let Some(tls) = tls {
            if !connection.input.is_empty() {
                // Whoever put them there may not be the client. Nothing said in the clear now would
                // be understood, and nobody would know whom it came from.
                tracing::warn!("refused an sql client that sent bytes ahead of encryption");
                return Ok(Startup::Gone);
            }
            if !connection.secure(tls, false).await {
                return Ok(Startup::Gone);
            }
        }
    }
}

/// The minor version to speak, and the options to refuse if there is something to negotiate.
pub(crate) fn negotiate(minor: u16, parameters: &[(String, String)]) -> (u16, Option<Vec<String>>) {
    let spoken = if minor >= 2 { 2 } else { 0 };
    let unknown: Vec<String> = parameters
        .iter()
        .filter(|(name, _)| name.starts_with("_pq_."))
        .map(|(name, _)| name.clone())
        .collect();
    let negotiate = spoken != minor || !unknown.is_empty();
    (spoken, negotiate.then_some(unknown))
}

/// The settings that a session begins with.
pub(crate) fn settings(
    server_version: &str,
    user: &str,
    hello: &Hello,
) -> Result<Settings, SqlError> {
    let mut settings = Settings::new(user, server_version);
    for (name, value) in &hello.parameters {
        match name.as_str() {
            "user" | "database" | "replication" => {}
            "options" => {
                for (name, value) in command_line(value)? {
                    settings.set_at_start(&name, &value)?;
                }
            }
            name if name.starts_with("_pq_.") => {}
            name => settings.set_at_start(name, value)?,
        }
    }
    Ok(settings)
}

/// `-c name=value` and `--name=value`, with backslashes before spaces in values.
pub(crate) fn command_line(text: &str) -> Result<Vec<(String, String)>, SqlError> {
    let (mut words, mut word, mut chars) = (Vec::new(), String::new(), text.chars());
    while let Some(char) = chars.next() {
        match char {
            '\\' => word.extend(chars.next()),
            char if char.is_whitespace() => words.push(std::mem::take(&mut word)),
            char => word.push(char),
        }
    }
    words.push(word);
    let mut words = words.into_iter().filter(|word| !word.is_empty());
    let mut pairs = Vec::new();
    while let Some(word) = words.next() {
        let pair = match word.strip_prefix("--") {
            Some(pair) => Some(pair.replace('-', "_")),
            None if word == "-c" => words.next(),
            None => word.strip_prefix("-c").map(str::to_owned),
        };
        let pair = pair.as_deref().and_then(|pair| pair.split_once('='));
        let (name, value) = pair.ok_or_else(|| {
            SqlError::new("42601", "invalid command-line argument for server process")
        })?;
        pairs.push((name.to_owned(), value.to_owned()));
    }
    Ok(pairs)
}

/// The body of a packet without a type; `None` if the client left.
async fn packet(connection: &mut Connection) -> Result<Option<Bytes>, SqlError> {
    loop {
        if let Some(packet) = framed(&mut connection.input)? {
            return Ok(Some(packet));
        }
        if !matches!(connection.read().await, Ok(true)) {
            return Ok(None);
        }
    }
}

/// The first packet of some bytes, without its length, once it is complete.
pub(crate) fn framed(input: &mut BytesMut) -> Result<Option<Bytes>, SqlError> {
    let Some(length) = input.first_chunk().map(|length| u32::from_be_bytes(*length) as usize)
    else {
        return Ok(None);
    };
    if !STARTUP_BYTES.contains(&length) {
        return Err(SqlError::protocol("invalid length of startup packet"));
    }
    let complete = input.len() >= length;
    Ok(complete.then(|| input.split_to(length).freeze().split_off(4)))
}

/// Names and values, each ended by a zero, and a zero at the end.
pub(crate) fn parameters(packet: &[u8]) -> Result<Vec<(String, String)>, SqlError> {
    let invalid =
        || SqlError::protocol("invalid startup packet layout: expected terminator as last byte");
    let body = packet.strip_suffix(&[0]).ok_or_else(invalid)?;
    if body.is_empty() {
        return Ok(Vec::new());
    }
    let texts = body.strip_suffix(&[0]).ok_or_else(invalid)?.split(|byte| *byte == 0);
    let texts = texts.map(|text| std::str::from_utf8(text).map(str::to_owned));
    let texts: Vec<String> = texts
        .collect::<Result<_, _>>()
        .map_err(|_| SqlError::new("22021", "invalid byte sequence for encoding \"UTF8\""))?;
    if !texts.len().is_multiple_of(2) || texts.iter().step_by(2).any(String::is_empty) {
        return Err(invalid());
    }
    let mut texts = texts.into_iter();
    let mut pairs = Vec::new();
    while let (Some(name), Some(value)) = (texts.next(), texts.next()) {
        pairs.push((name, value));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn startup_parameters() {
        let check = |packet: &[u8], expected: Option<&[(&str, &str)]>| {
            let got = parameters(packet).ok();
            let got: Option<Vec<(&str, &str)>> = got
                .as_ref()
                .map(|pairs| pairs.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect());
            assert_eq!(got.as_deref(), expected, "{packet:?}");
        };
        check(b"\0", Some(&[]));
        check(b"user\0a\0\0", Some(&[("user", "a")]));
        check(b"user\0\0database\0b\0\0", Some(&[("user", ""), ("database", "b")]));
        check(b"", None);
        check(b"user", None);
        check(b"user\0", None);
        check(b"user\0a\0", None);
        check(b"user\0\0\0\0", None);
        check(b"user\0\xff\0\0", None);
    }

    #[test]
    fn options() {
        let check = |text: &str, expected: &[(&str, &str)]| {
            let got = command_line(text).unwrap();
            let got: Vec<_> = got.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
            assert_eq!(got, expected, "{text}");
        };
        check("", &[]);
        check(
            r"-c a=b --search-path=x\ y -cd=e",
            &[("a", "b"), ("search_path", "x y"), ("d", "e")],
        );
        assert!(command_line("-c").is_err());
        assert!(command_line("-x a=b").is_err());
    }

    #[test]
    fn versions() {
        assert_eq!(negotiate(0, &[]), (0, None));
        assert_eq!(negotiate(2, &[]), (2, None));
        assert_eq!(negotiate(9999, &[]), (2, Some(vec![])));
        let option = ("_pq_.x".to_owned(), String::new());
        assert_eq!(negotiate(0, &[option]), (0, Some(vec!["_pq_.x".to_owned()])));
    }
}
