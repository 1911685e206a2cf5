//! The Postgres protocol as bytes: frames and frontend messages in, backend messages out.
//!
//! Frontend messages are decoded here and not by pgwire, whose decoders panic on short bodies and
//! read across message borders. Backend messages are pgwire's.
//!
//! - Nothing is allocated for a length that was announced but did not arrive.
//! - A decoder sees the body of its own message and nothing else.
//! - Text is UTF-8 or the message is refused.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::response::{ErrorResponse, NoticeResponse};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::error::SqlError;
use crate::tls::{Stream, Tls};

/// The largest message a client may send.
const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// The largest Query or Parse message that is looked at; a longer one is skipped, not stored.
const TEXT_MESSAGE_BYTES_MAX: usize = 1 << 20;
/// The largest message of those that carry only a name.
const SMALL_MESSAGE_BYTES_MAX: usize = 10_000;
/// Output is written out when it has grown to this.
const OUTPUT_BYTES: usize = 64 << 10;
/// The largest answer to a question for a password.
const LOGIN_MESSAGE_BYTES_MAX: usize = 4096;
/// How long a statement goes on for a client that has closed its sending side.
const HALF_CLOSED_MAX: Duration = Duration::from_secs(2);
/// What a client may send ahead while a statement runs before we stop reading.
const AHEAD_BYTES_MAX: usize = 256 << 10;

/// What is prepared or bound under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Statement,
    Portal,
}

/// A message from the client after startup.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frontend {
    Query(String),
    Parse {
        name: String,
        text: String,
        types: Vec<u32>,
    },
    Bind(Bind),
    Describe(Target, String),
    Execute {
        portal: String,
        rows_max: usize,
    },
    Close(Target, String),
    Flush,
    Sync,
    Terminate,
    /// Rows of a COPY, or some bytes of them.
    CopyData(Bytes),
    CopyDone,
    /// The client gives a COPY up, and says why.
    CopyFail(String),
    /// A Query (`true`) or Parse message longer than we read; its body is skipped.
    TooLong {
        query: bool,
    },
}

/// The body of a Bind message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Bind {
    pub(crate) portal: String,
    pub(crate) statement: String,
    pub(crate) parameter_formats: Vec<i16>,
    pub(crate) parameters: Vec<Option<Bytes>>,
    pub(crate) result_formats: Vec<i16>,
}

/// Splits a byte stream into frontend messages.
#[derive(Debug, Default)]
pub(crate) struct Framer {
    /// Bytes of a message's body that are still to come and to be thrown away.
    skip: usize,
}

impl Framer {
    /// The next message in `input`, if it is complete. An error ends the connection, except that a
    /// message whose frame was good and whose body was not is returned as `Ok(Some(Err(..)))`.
    #[allow(clippy::type_complexity)]
    pub(crate) fn next(
        &mut self,
        input: &mut BytesMut,
    ) -> Result<Option<Result<Frontend, (u8, SqlError)>>, SqlError> {
        let skipped = self.skip.min(input.len());
        input.advance(skipped);
        self.skip -= skipped;
        if self.skip > 0 || input.is_empty() {
            return Ok(None);
        }
        let tag = input[0];
        let length_max = match tag {
            b'Q' | b'P' | b'B' | b'd' => MESSAGE_BYTES_MAX,
            b'D' | b'E' | b'C' | b'H' | b'S' | b'X' | b'F' | b'c' | b'f' => SMALL_MESSAGE_BYTES_MAX,
            // We ask for no password any more, so it is as wrong as an unknown message.
            _ => return Err(SqlError::protocol(format!("unexpected message type {tag:#04x}"))),
        };
        if input.len() < 5 {
            return Ok(None);
        }
        let length = u32::from_be_bytes([input[1], input[2], input[3], input[4]]) as usize;
        if length < 4 || length > length_max {
            return Err(SqlError::protocol(format!("invalid message length {length}")));
        }
        if matches!(tag, b'Q' | b'P') && length > TEXT_MESSAGE_BYTES_MAX {
            input.advance(5);
            self.skip = length - 4;
            return Ok(Some(Ok(Frontend::TooLong { query: tag == b'Q' })));
        }
        if input.len() < length + 1 {
            return Ok(None);
        }
        input.advance(5);
        let body = input.split_to(length - 4).freeze();
        Ok(Some(decode(tag, body).map_err(|error| (tag, error))))
    }
}

/// The body of the next message, which must be an answer to a question for a password.
pub(crate) fn login_answer(input: &mut BytesMut) -> Result<Option<Bytes>, SqlError> {
    match input.first() {
        None => return Ok(None),
        Some(b'p') => {}
        Some(_) => return Err(SqlError::protocol("expected an answer to the password request")),
    }
    let Some(length) = input.get(1..5) else { return Ok(None) };
    let length = length.iter().fold(0, |all, byte| all << 8 | usize::from(*byte));
    if !(4..=LOGIN_MESSAGE_BYTES_MAX).contains(&length) {
        return Err(SqlError::protocol(format!("invalid message length {length}")));
    }
    let complete = input.len() > length;
    Ok(complete.then(|| input.split_to(length + 1).freeze().split_off(5)))
}

fn decode(tag: u8, body: Bytes) -> Result<Frontend, SqlError> {
    let mut body = Body(body);
    let message = match tag {
        b'Q' => Frontend::Query(body.text()?),
        b'P' => Frontend::Parse {
            name: body.text()?,
            text: body.text()?,
            types: body.list(4, |body| Ok(body.i32()? as u32))?,
        },
        b'B' => Frontend::Bind(Bind {
            portal: body.text()?,
            statement: body.text()?,
            parameter_formats: body.list(2, Body::i16)?,
            parameters: body.list(4, Body::value)?,
            result_formats: body.list(2, Body::i16)?,
        }),
        b'D' => Frontend::Describe(body.target()?, body.text()?),
        b'E' => Frontend::Execute {
            portal: body.text()?,
            // Zero and, as in Postgres, negative numbers mean all rows.
            rows_max: usize::try_from(body.i32()?).unwrap_or(0),
        },
        b'C' => Frontend::Close(body.target()?, body.text()?),
        b'H' => Frontend::Flush,
        b'S' => Frontend::Sync,
        b'X' => Frontend::Terminate,
        b'd' => Frontend::CopyData(std::mem::take(&mut body.0)),
        b'c' => Frontend::CopyDone,
        b'f' => Frontend::CopyFail(body.text()?),
        b'F' => return Err(SqlError::unsupported("the function call message")),
        _ => unreachable!("the framer refuses other tags"),
    };
    match body.0.is_empty() {
        true => Ok(message),
        false => Err(SqlError::protocol("message has bytes after its end")),
    }
}

/// A cursor over the body of one message.
struct Body(Bytes);

impl Body {
    fn take(&mut self, length: usize) -> Result<Bytes, SqlError> {
        if length > self.0.len() {
            return Err(SqlError::protocol("insufficient data left in message"));
        }
        Ok(self.0.split_to(length))
    }

    fn i16(&mut self) -> Result<i16, SqlError> {
        Ok(self.take(2)?.get_i16())
    }

    fn i32(&mut self) -> Result<i32, SqlError> {
        Ok(self.take(4)?.get_i32())
    }

    fn text(&mut self) -> Result<String, SqlError> {
        let end = self.0.iter().position(|byte| *byte == 0);
        let end = end.ok_or_else(|| SqlError::protocol("string without a terminator"))?;
        let text = self.take(end)?;
        self.take(1)?;
        match std::str::from_utf8(&text) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(SqlError::new("22021", "invalid byte sequence for encoding \"UTF8\"")),
        }
    }

    fn target(&mut self) -> Result<Target, SqlError> {
        match self.take(1)?[0] {
            b'S' => Ok(Target::Statement),
            b'P' => Ok(Target::Portal),
            other => Err(SqlError::protocol(format!("invalid target {other:#04x}"))),
        }
    }

    fn value(&mut self) -> Result<Option<Bytes>, SqlError> {
        match self.i32()? {
            -1 => Ok(None),
            length => match usize::try_from(length) {
                Ok(length) => self.take(length).map(Some),
                Err(_) => Err(SqlError::protocol(format!("invalid value length {length}"))),
            },
        }
    }

    /// A 16-bit count and as many items of at least `item_bytes` each.
    fn list<T>(
        &mut self,
        item_bytes: usize,
        mut item: impl FnMut(&mut Body) -> Result<T, SqlError>,
    ) -> Result<Vec<T>, SqlError> {
        let count = self.i16()? as u16 as usize;
        if count * item_bytes > self.0.len() {
            return Err(SqlError::protocol("insufficient data left in message"));
        }
        (0..count).map(|_| item(self)).collect()
    }
}

/// A socket with what was read and not yet decoded, and what is to be written.
pub(crate) struct Connection {
    /// Absent only while it is being encrypted.
    stream: Option<Stream>,
    pub(crate) input: BytesMut,
    pub(crate) output: BytesMut,
    pub(crate) framer: Framer,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> Connection {
        let stream = Some(Stream::Plain(stream));
        let framer = Framer::default();
        Connection { stream, input: BytesMut::new(), output: BytesMut::new(), framer }
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.stream.as_ref().is_some_and(Stream::is_encrypted)
    }

    /// Whether the first byte is that of a TLS handshake, which no packet of ours begins with.
    pub(crate) async fn begins_with_tls(&self) -> bool {
        const HANDSHAKE: u8 = 0x16;
        let Some(Stream::Plain(socket)) = &self.stream else { return false };
        let mut first = [0];
        matches!(socket.peek(&mut first).await, Ok(1)) && first == [HANDSHAKE]
    }

    /// Encrypts the connection from here on. Without success it is closed.
    pub(crate) async fn secure(&mut self, tls: &Tls, named: bool) -> bool {
        assert!(self.input.is_empty(), "what came in the clear is not part of what is encrypted");
        let Some(Stream::Plain(socket)) = self.stream.take() else { return false };
        match tls.accept(socket, named).await {
            Ok(stream) => self.stream = Some(stream),
            Err(error) => tracing::debug!(%error, "an sql client broke TLS off"),
        }
        self.stream.is_some()
    }

    fn stream(stream: &mut Option<Stream>) -> std::io::Result<&mut Stream> {
        stream.as_mut().ok_or_else(|| std::io::ErrorKind::NotConnected.into())
    }

    /// Reads what there is. `false` means that the client is gone. May be dropped at any time.
    pub(crate) async fn read(&mut self) -> std::io::Result<bool> {
        self.input.reserve(4096);
        Ok(Self::stream(&mut self.stream)?.read_buf(&mut self.input).await? > 0)
    }

    /// Reads on while a statement runs, so that a closed connection is noticed; never returns
    /// while the client is there.
    pub(crate) async fn gone(&mut self) {
        loop {
            if self.input.len() >= AHEAD_BYTES_MAX {
                std::future::pending::<()>().await;
            }
            match self.read().await {
                Ok(true) => {}
                // Some clients close their sending side and still wait for a quick answer.
                Ok(false) => return tokio::time::sleep(HALF_CLOSED_MAX).await,
                Err(_) => return,
            }
        }
    }

    pub(crate) fn put(&mut self, message: PgWireBackendMessage) {
        message.encode(&mut self.output).expect("our messages are far below the length limits");
    }

    pub(crate) fn put_error(&mut self, severity: &str, error: &SqlError) {
        let fields = fields(severity, error);
        self.put(PgWireBackendMessage::ErrorResponse(ErrorResponse::new(fields)));
    }

    pub(crate) fn put_warning(&mut self, error: &SqlError) {
        let fields = fields("WARNING", error);
        self.put(PgWireBackendMessage::NoticeResponse(NoticeResponse::new(fields)));
    }

    pub(crate) fn put_notice(&mut self, text: String) {
        let fields = fields("NOTICE", &SqlError::new("00000", text));
        self.put(PgWireBackendMessage::NoticeResponse(NoticeResponse::new(fields)));
    }

    /// Whether enough has gathered for a write.
    pub(crate) fn is_full(&self) -> bool {
        self.output.len() >= OUTPUT_BYTES
    }

    /// Writes all output. May be dropped at any time: what is written has left the buffer.
    pub(crate) async fn flush(&mut self) -> std::io::Result<()> {
        let stream = Self::stream(&mut self.stream)?;
        while !self.output.is_empty() {
            stream.write_buf(&mut self.output).await?;
        }
        // Encrypted bytes may have been kept back.
        stream.flush().await
    }

    pub(crate) async fn close(&mut self) {
        // The client may be gone already; there is nobody left to tell.
        let _ = self.flush().await;
        if let Some(stream) = &mut self.stream {
            let _ = stream.shutdown().await;
        }
    }
}

fn fields(severity: &str, error: &SqlError) -> Vec<(u8, String)> {
    // Fields are C strings, so a NUL from the statement's text would end them early.
    let clean = |text: &str| text.replace('\0', " ");
    let mut fields = vec![
        (b'S', severity.to_owned()),
        (b'V', severity.to_owned()),
        (b'C', error.code.to_owned()),
        (b'M', shorten(clean(&error.message))),
    ];
    if let Some(position) = error.position {
        fields.push((b'P', position.to_string()));
    }
    if let Some(hint) = &error.hint {
        fields.push((b'H', shorten(clean(hint))));
    }
    fields
}

// DataFusion quotes expressions in its messages, which may be as long as the statement.
fn shorten(mut text: String) -> String {
    const BYTES_MAX: usize = 8 << 10;
    if text.len() > BYTES_MAX {
        text.truncate(text.floor_char_boundary(BYTES_MAX));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![tag];
        bytes.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
        bytes.extend_from_slice(body);
        bytes
    }

    /// What the framer makes of all of `bytes`: messages, then how it ended.
    fn run(bytes: &[u8]) -> (Vec<Result<Frontend, &'static str>>, Option<&'static str>) {
        let (mut input, mut framer, mut out) = (BytesMut::from(bytes), Framer::default(), vec![]);
        loop {
            match framer.next(&mut input) {
                Ok(Some(message)) => out.push(message.map_err(|(_, error)| error.code)),
                Ok(None) => return (out, None),
                Err(error) => return (out, Some(error.code)),
            }
        }
    }

    #[test]
    fn messages() {
        let query = Frontend::Query("select 1".into());
        assert_eq!(run(&message(b'Q', b"select 1\0")), (vec![Ok(query)], None));
        let parse = message(b'P', b"s\0select $1\0\0\x01\0\0\0\x17");
        let expected =
            Frontend::Parse { name: "s".into(), text: "select $1".into(), types: vec![23] };
        assert_eq!(run(&parse), (vec![Ok(expected)], None));
        let bind = message(b'B', b"p\0s\0\0\x01\0\x01\0\x02\0\0\0\x02ab\xff\xff\xff\xff\0\0");
        let expected = Frontend::Bind(Bind {
            portal: "p".into(),
            statement: "s".into(),
            parameter_formats: vec![1],
            parameters: vec![Some(Bytes::from_static(b"ab")), None],
            result_formats: vec![],
        });
        assert_eq!(run(&bind), (vec![Ok(expected)], None));
        let execute = message(b'E', b"\0\0\0\0\x07");
        let expected = Frontend::Execute { portal: String::new(), rows_max: 7 };
        assert_eq!(run(&execute), (vec![Ok(expected)], None));
    }

    #[test]
    fn bad_bodies_spare_the_connection() {
        let cases: &[(u8, &[u8], &str)] = &[
            (b'Q', b"select 1", "08P01"),
            (b'Q', b"a\0b\0", "08P01"),
            (b'Q', b"\xff\xfe\0", "22021"),
            (b'P', b"s\0select 1\0", "08P01"),
            (b'P', b"s\0select 1\0\xff\xff", "08P01"),
            (b'B', b"\0\0\0\0\0\x01\xff\xff\xff\xfb\0\0", "08P01"),
            (b'B', b"\0\0\0\0\xff\xff", "08P01"),
            (b'B', b"\0\0\0\0\0\x01\x7f\xff\xff\xff\0\0", "08P01"),
            (b'D', b"X\0", "08P01"),
            (b'D', b"", "08P01"),
            (b'F', b"", "0A000"),
        ];
        for (tag, body, code) in cases {
            let mut bytes = message(*tag, body);
            bytes.extend(message(b'S', b""));
            assert_eq!(run(&bytes), (vec![Err(*code), Ok(Frontend::Sync)], None), "{body:?}");
        }
    }

    #[test]
    fn bad_frames_end_it() {
        for bytes in [&b"~\0\0\0\x05x"[..], b"Q\0\0\0\x03", b"Q\xff\xff\xff\xff", b"p@\0\0\0"] {
            assert_eq!(run(bytes), (vec![], Some("08P01")), "{bytes:?}");
        }
        assert_eq!(run(b"S\0\0\x7f\0").1, Some("08P01"));
    }

    #[test]
    fn long_text_is_skipped() {
        let mut bytes = message(b'Q', &vec![b'x'; TEXT_MESSAGE_BYTES_MAX]);
        bytes.extend(message(b'S', b""));
        let expected = vec![Ok(Frontend::TooLong { query: true }), Ok(Frontend::Sync)];
        assert_eq!(run(&bytes), (expected, None));
    }

    #[test]
    fn every_flipped_bit_is_an_answer() {
        let bind = message(b'B', b"p\0s\0\0\x01\0\x01\0\x02\0\0\0\x02ab\xff\xff\xff\xff\0\0");
        for bit in 0..bind.len() * 8 {
            let mut flipped = bind.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            flipped.extend(message(b'S', b""));
            let (messages, end) = run(&flipped);
            // Waiting for more, an error for the message, or the end: never a panic, and never
            // more messages than two of them can hold.
            assert!(messages.len() <= 4 && end.is_none_or(|code| code == "08P01"));
        }
    }

    #[test]
    fn every_truncation_waits_or_fails() {
        let bind = message(b'B', b"p\0s\0\0\x01\0\x01\0\x02\0\0\0\x02ab\xff\xff\xff\xff\0\0");
        for end in 0..bind.len() {
            assert_eq!(run(&bind[..end]), (vec![], None), "cut at {end}");
            // The same cut, but with a frame that claims to be complete.
            if end >= 5 {
                let (messages, end) = run(&message(b'B', &bind[5..end]));
                assert_eq!((messages, end), (vec![Err("08P01")], None));
            }
        }
    }
}
