//! The formats of COPY: rows out as text, CSV or binary, and in again.
//!
//! Out go the DataRow messages of a statement as CopyData messages, one per row; in come pieces of
//! bytes, cut anywhere, and out come rows of texts.
//!
//! - A row that comes in is at most `ROW_BYTES_MAX` long, whatever its quotes say.
//! - What goes out in a format and comes in again is the same rows.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::encode::Chunk;
use crate::error::SqlError;

/// The longest row that is taken.
const ROW_BYTES_MAX: usize = 16 << 20;
const BINARY_SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// How rows are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CopyKind {
    #[default]
    Text,
    Csv,
    Binary,
}

impl CopyKind {
    pub(crate) fn named(name: &str) -> Result<CopyKind, SqlError> {
        match name {
            "text" => Ok(CopyKind::Text),
            "csv" => Ok(CopyKind::Csv),
            "binary" => Ok(CopyKind::Binary),
            _ => Err(SqlError::new("22023", format!("COPY format \"{name}\" not recognized"))),
        }
    }
}

/// How rows are written, in full.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CopyFormat {
    pub(crate) kind: CopyKind,
    pub(crate) header: bool,
    pub(crate) force_quote: bool,
    pub(crate) delimiter: Option<u8>,
    pub(crate) null: Option<String>,
    pub(crate) quote: Option<u8>,
    pub(crate) escape: Option<u8>,
}

impl CopyFormat {
    /// Refuses what does not go together.
    pub(crate) fn finish(&self) -> Result<(), SqlError> {
        let csv = self.kind == CopyKind::Csv;
        let set = self.delimiter.is_some() || self.null.is_some() || self.header;
        let wrong = if self.kind == CopyKind::Binary && set {
            "cannot specify DELIMITER, NULL or HEADER in BINARY mode"
        } else if !csv && (self.quote.is_some() || self.escape.is_some() || self.force_quote) {
            "COPY quote, escape and force_quote are available only in CSV mode"
        } else if csv && self.delimiter() == self.quote() {
            "COPY delimiter and quote must be different"
        } else if self.kind == CopyKind::Text && self.delimiter() == b'\\' {
            "COPY delimiter cannot be \"\\\""
        } else {
            return Ok(());
        };
        Err(SqlError::new("42601", wrong))
    }

    pub(crate) fn binary(&self) -> bool {
        self.kind == CopyKind::Binary
    }

    fn delimiter(&self) -> u8 {
        self.delimiter.unwrap_or(if self.kind == CopyKind::Csv { b',' } else { b'\t' })
    }

    fn null(&self) -> &str {
        self.null.as_deref().unwrap_or(if self.kind == CopyKind::Csv { "" } else { "\\N" })
    }

    fn quote(&self) -> u8 {
        self.quote.unwrap_or(b'"')
    }

    fn escape(&self) -> u8 {
        self.escape.unwrap_or(self.quote())
    }

    /// What comes before the first row, as CopyData.
    pub(crate) fn head(&self, names: &[&str]) -> Bytes {
        let mut out = BytesMut::new();
        match self.kind {
            _ if self.header => message(&mut out, |out| {
                for (index, name) in names.iter().enumerate() {
                    if index > 0 {
                        out.put_u8(self.delimiter());
                    }
                    self.put_field(Some(name.as_bytes()), names.len() == 1, out);
                }
                out.put_u8(b'\n');
            }),
            _ => {}
        }
        out.freeze()
    }

    /// What comes after the last row, as CopyData. `first`: there was no row.
    pub(crate) fn tail(&self, first: bool) -> Bytes {
        let mut out = BytesMut::new();
        if self.binary() {
            message(&mut out, |out| {
                put_signature(first, out);
                out.put_i16(-1);
            });
        }
        out.freeze()
    }

    /// DataRow messages as CopyData messages. `first`: none came before. As in Postgres, and as
    /// clients rely on, a binary COPY begins in the message of its first row.
    pub(crate) fn rows(&self, rows: &Chunk, first: bool) -> Chunk {
        let mut out = BytesMut::with_capacity(rows.bytes.len());
        let mut ends = Vec::with_capacity(rows.ends.len());
        let mut start = 0;
        for end in &rows.ends {
            // Behind the tag and the length.
            let mut row = rows.bytes.slice(start + 5..*end);
            start = *end;
            message(&mut out, |out| match self.kind {
                CopyKind::Binary => {
                    put_signature(first && ends.is_empty(), out);
                    out.put_slice(&row);
                }
                _ => {
                    let columns = row.get_i16();
                    for index in 0..columns {
                        if index > 0 {
                            out.put_u8(self.delimiter());
                        }
                        let field = usize::try_from(row.get_i32()).ok();
                        let field = field.map(|length| row.split_to(length));
                        self.put_field(field.as_deref(), columns == 1, out);
                    }
                    out.put_u8(b'\n');
                }
            });
            ends.push(out.len());
        }
        Chunk { bytes: out.freeze(), ends }
    }

    fn put_field(&self, field: Option<&[u8]>, alone: bool, out: &mut BytesMut) {
        let Some(field) = field else { return out.put_slice(self.null().as_bytes()) };
        if self.kind == CopyKind::Text {
            for byte in field {
                let escaped = match *byte {
                    b'\\' => b'\\',
                    0x08 => b'b',
                    0x0c => b'f',
                    b'\n' => b'n',
                    b'\r' => b'r',
                    b'\t' => b't',
                    0x0b => b'v',
                    byte if byte == self.delimiter() => byte,
                    byte => {
                        out.put_u8(byte);
                        continue;
                    }
                };
                out.put_slice(&[b'\\', escaped]);
            }
            return;
        }
        let (quote, escape) = (self.quote(), self.escape());
        let special = [self.delimiter(), quote, b'\n', b'\r'];
        let needs = self.force_quote
            || field == self.null().as_bytes()
            || field.iter().any(|byte| special.contains(byte))
            || alone && field == b"\\.";
        if !needs {
            return out.put_slice(field);
        }
        out.put_u8(quote);
        for byte in field {
            if *byte == quote || *byte == escape {
                out.put_u8(escape);
            }
            out.put_u8(*byte);
        }
        out.put_u8(quote);
    }
}

/// What a binary COPY begins with.
fn put_signature(wanted: bool, out: &mut BytesMut) {
    if wanted {
        out.put_slice(BINARY_SIGNATURE);
        out.put_i32(0);
        out.put_i32(0);
    }
}

/// Puts one CopyData message.
fn message(out: &mut BytesMut, body: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_u8(b'd');
    out.put_i32(0);
    body(out);
    let length = (out.len() - start - 1) as i32;
    out[start + 1..start + 5].copy_from_slice(&length.to_be_bytes());
}

/// One row that came in. Binary values are bytes that their columns have to read.
pub(crate) type RowIn = Vec<Option<Vec<u8>>>;

/// Cuts what comes in into rows.
pub(crate) struct Reader {
    format: CopyFormat,
    input: BytesMut,
    /// Lines, or binary rows, that were read.
    n_rows: u64,
    began: bool,
    ended: bool,
}

impl Reader {
    pub(crate) fn new(format: CopyFormat) -> Reader {
        Reader { format, input: BytesMut::new(), n_rows: 0, began: false, ended: false }
    }

    /// Takes in the next bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// Which row an error is about.
    pub(crate) fn at(&self) -> u64 {
        self.n_rows
    }

    /// The next whole row. With `last`, what is left is a row, too.
    pub(crate) fn next(&mut self, last: bool) -> Result<Option<RowIn>, SqlError> {
        if self.ended {
            self.input.clear();
            return Ok(None);
        }
        if self.format.binary() {
            return self.next_binary(last);
        }
        loop {
            let Some(end) = self.line_end()? else {
                if !last || self.input.is_empty() {
                    return Ok(None);
                }
                let line = self.input.split();
                return self.line(&line);
            };
            let mut line = self.input.split_to(end + 1);
            line.truncate(end);
            if line.last() == Some(&b'\r') {
                line.truncate(end - 1);
            }
            self.n_rows += 1;
            if self.n_rows == 1 && self.format.header {
                continue;
            }
            return self.line(&line);
        }
    }

    /// Where the first line ends: at a line feed outside of quotes.
    fn line_end(&self) -> Result<Option<usize>, SqlError> {
        let csv = self.format.kind == CopyKind::Csv;
        let (quote, escape) = (self.format.quote(), self.format.escape());
        let (mut quoted, mut skip) = (false, false);
        for (at, byte) in self.input.iter().enumerate() {
            if skip {
                skip = false;
            } else if csv && quoted && *byte == escape && escape != quote {
                skip = true;
            } else if csv && *byte == quote {
                quoted = !quoted;
            } else if !csv && *byte == b'\\' {
                skip = true;
            } else if *byte == b'\n' && !quoted {
                return Ok(Some(at));
            }
        }
        match self.input.len() > ROW_BYTES_MAX {
            true => Err(SqlError::new("54000", "a row of COPY is too long")),
            false => Ok(None),
        }
    }

    fn line(&mut self, line: &[u8]) -> Result<Option<RowIn>, SqlError> {
        if line == b"\\." {
            self.ended = true;
            return Ok(None);
        }
        match self.format.kind {
            CopyKind::Csv => self.csv_line(line).map(Some),
            _ => Ok(Some(self.text_line(line))),
        }
    }

    fn text_line(&self, line: &[u8]) -> RowIn {
        let (mut row, mut raw) = (Vec::new(), Vec::new());
        let mut bytes = line.iter().copied().peekable();
        loop {
            let byte = bytes.next();
            match byte {
                Some(b'\\') => {
                    raw.push(b'\\');
                    raw.extend(bytes.next());
                }
                Some(byte) if byte != self.format.delimiter() => raw.push(byte),
                _ => {
                    let raw = std::mem::take(&mut raw);
                    let null = raw == self.format.null().as_bytes();
                    row.push((!null).then(|| unescaped(&raw)));
                    if byte.is_none() {
                        return row;
                    }
                }
            }
        }
    }

    fn csv_line(&self, line: &[u8]) -> Result<RowIn, SqlError> {
        let (quote, escape) = (self.format.quote(), self.format.escape());
        let (mut row, mut field) = (Vec::new(), Vec::new());
        let (mut quoted, mut was_quoted) = (false, false);
        let mut bytes = line.iter().copied().peekable();
        loop {
            match bytes.next() {
                Some(byte) if quoted && byte == escape => match bytes.peek() {
                    Some(next) if *next == quote || *next == escape => {
                        field.extend(bytes.next());
                    }
                    _ if escape == quote => quoted = false,
                    _ => field.push(byte),
                },
                Some(byte) if byte == quote => {
                    quoted = !quoted;
                    was_quoted = true;
                }
                Some(byte) if quoted || byte != self.format.delimiter() => field.push(byte),
                None if quoted => {
                    return Err(SqlError::new("22P04", "unterminated CSV quoted field"));
                }
                end => {
                    let null = !was_quoted && field == self.format.null().as_bytes();
                    let field = std::mem::take(&mut field);
                    row.push((!null).then_some(field));
                    was_quoted = false;
                    if end.is_none() {
                        return Ok(row);
                    }
                }
            }
        }
    }

    fn next_binary(&mut self, last: bool) -> Result<Option<RowIn>, SqlError> {
        let bad = |text: &str| SqlError::new("22P04", text.to_owned());
        let short = || match last {
            true => Err(SqlError::new("22P04", "unexpected end of COPY data")),
            false => Ok(None),
        };
        if !self.began {
            const HEAD: usize = BINARY_SIGNATURE.len() + 8;
            if self.input.len() < HEAD {
                return short();
            }
            if !self.input.starts_with(BINARY_SIGNATURE) {
                return Err(bad("COPY file signature not recognized"));
            }
            let mut rest = &self.input[BINARY_SIGNATURE.len()..HEAD];
            if rest.get_u32() != 0 || rest.get_u32() != 0 {
                return Err(bad("COPY header has flags or an extension that are not known"));
            }
            self.input.advance(HEAD);
            self.began = true;
        }
        let mut rest = &self.input[..];
        if rest.len() < 2 {
            return short();
        }
        let columns = rest.get_i16();
        if columns == -1 {
            self.ended = true;
            return Ok(None);
        }
        let mut row = Vec::new();
        for _ in 0..columns {
            if rest.len() < 4 {
                return short();
            }
            match rest.get_i32() {
                -1 => row.push(None),
                length => match usize::try_from(length) {
                    Ok(length) if length <= rest.len() => {
                        row.push(Some(rest[..length].to_vec()));
                        rest.advance(length);
                    }
                    Ok(length) if length <= ROW_BYTES_MAX => return short(),
                    _ => return Err(bad("invalid field size")),
                },
            }
        }
        let used = self.input.len() - rest.len();
        self.input.advance(used);
        self.n_rows += 1;
        Ok(Some(row))
    }
}

/// What backslashes mean in the text format.
fn unescaped(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'b') => out.push(0x08),
            Some(b'f') => out.push(0x0c),
            Some(b'n') => out.push(b'\n'),
            Some(b'r') => out.push(b'\r'),
            Some(b't') => out.push(b'\t'),
            Some(b'v') => out.push(0x0b),
            Some(b'x') if bytes.peek().is_some_and(u8::is_ascii_hexdigit) => {
                out.push(digits(&mut bytes, 16, 2, 0));
            }
            Some(digit @ b'0'..=b'7') => out.push(digits(&mut bytes, 8, 2, digit - b'0')),
            Some(other) => out.push(other),
            None => out.push(b'\\'),
        }
    }
    out
}

fn digits(
    bytes: &mut std::iter::Peekable<impl Iterator<Item = u8>>,
    base: u32,
    most: usize,
    first: u8,
) -> u8 {
    let mut value = u32::from(first);
    for _ in 0..most {
        let digit = bytes.peek().and_then(|byte| char::from(*byte).to_digit(base));
        let Some(digit) = digit else { break };
        value = value * base + digit;
        bytes.next();
    }
    (value & 0xff) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(rows: &[RowIn]) -> Vec<Vec<Option<String>>> {
        let cell = |cell: &Option<Vec<u8>>| {
            cell.as_ref().map(|bytes| String::from_utf8(bytes.clone()).unwrap())
        };
        rows.iter().map(|row| row.iter().map(cell).collect()).collect()
    }

    /// Reads `input`, fed in pieces of every length.
    fn read(format: &CopyFormat, input: &[u8]) -> Result<Vec<RowIn>, &'static str> {
        let mut all = Vec::new();
        for step in 1..=input.len().max(1) {
            let mut reader = Reader::new(format.clone());
            let mut rows = Vec::new();
            for piece in input.chunks(step) {
                reader.feed(piece);
                while let Some(row) = reader.next(false).map_err(|error| error.code)? {
                    rows.push(row);
                }
            }
            while let Some(row) = reader.next(true).map_err(|error| error.code)? {
                rows.push(row);
            }
            assert!(step == 1 || all == rows, "fed by {step}");
            all = rows;
        }
        Ok(all)
    }

    fn data_row(cells: &[Option<&str>]) -> Chunk {
        let mut out = BytesMut::new();
        out.put_u8(b'D');
        out.put_i32(0);
        out.put_i16(cells.len() as i16);
        for cell in cells {
            match cell {
                None => out.put_i32(-1),
                Some(text) => {
                    out.put_i32(text.len() as i32);
                    out.put_slice(text.as_bytes());
                }
            }
        }
        let ends = vec![out.len()];
        Chunk { bytes: out.freeze(), ends }
    }

    #[test]
    fn rows_come_back_as_they_went() {
        let rows: &[&[Option<&str>]] = &[
            &[Some("a"), None, Some("")],
            &[Some("tab\there"), Some("line\nfeed\r\n"), Some("back\\slash \\N \\.")],
            &[Some("quo\"te, 'x'"), Some("\\N"), Some("é")],
        ];
        for kind in [CopyKind::Text, CopyKind::Csv, CopyKind::Binary] {
            let format = CopyFormat { kind, ..CopyFormat::default() };
            let mut wire = BytesMut::new();
            let mut add = |bytes: &[u8]| {
                let mut bytes = bytes;
                while !bytes.is_empty() {
                    bytes.advance(1);
                    let length = bytes.get_u32() as usize - 4;
                    wire.put_slice(&bytes[..length]);
                    bytes.advance(length);
                }
            };
            add(&format.head(&["a", "b", "c"]));
            for (index, row) in rows.iter().enumerate() {
                add(&format.rows(&data_row(row), index == 0).bytes);
            }
            add(&format.tail(false));
            let got = read(&format, &wire).unwrap();
            let expected: Vec<Vec<Option<String>>> = rows
                .iter()
                .map(|row| row.iter().map(|cell| cell.map(str::to_owned)).collect())
                .collect();
            assert_eq!(text(&got), expected, "{kind:?}");
            // Every truncation is rows, or an error.
            for end in 0..wire.len() {
                let _ = read(&format, &wire[..end.min(60)]);
            }
        }
    }

    #[test]
    fn reads_what_others_write() {
        let csv = CopyFormat { kind: CopyKind::Csv, header: true, ..CopyFormat::default() };
        let rows = read(&csv, b"a,b\r\n1,\"x, \"\"y\"\"\"\r\n,\"\"\n").unwrap();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(text(&rows), [vec![some("1"), some("x, \"y\"")], vec![None, some("")]]);
        let plain = CopyFormat::default();
        let rows = read(&plain, b"1\\t2\t\\N\t\\x41\\101\\\\\n\\.\nrest\n").unwrap();
        assert_eq!(text(&rows), [vec![some("1\t2"), None, some("AA\\")]]);
        assert_eq!(read(&csv, b"a\n\"x"), Err("22P04"));
        let binary = CopyFormat { kind: CopyKind::Binary, ..CopyFormat::default() };
        assert_eq!(read(&binary, b"nonsense, and long enough"), Err("22P04"));
    }
}
