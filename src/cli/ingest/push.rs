//! One push: consecutive lines of one stream, as the snappy-compressed protobuf that `/push` takes.
//!
//! In: lines with their timestamps. Out: bodies, of all lines or of some of them (a refused push
//! is sent again in parts, to learn which line it was).
//!
//! ```text
//! PushRequest  1: Stream { 1: labels, 2: Entry { 1: { 1: seconds, 2: nanos }, 2: line } ... }
//! ```

use std::ops::Range;
use std::sync::Arc;

use crate::model::Timestamp;

/// A push of about this size costs the server little per line and the reader little memory.
const BYTES_TARGET: usize = 1 << 20;
/// Longer lines travel alone: if one of them is refused, it is known which.
const LONG_LINE_BYTES: usize = 64 << 10;

/// Lines of one stream, encoded.
pub struct Push {
    labels: Arc<str>,
    /// Entries, each with its tag and length.
    entries: Vec<u8>,
    /// Where each entry ends.
    ends: Vec<usize>,
    /// Number of the first line in its file, from 1.
    pub first_line: u64,
    /// Which of the sources it is from.
    pub source: usize,
}

impl Push {
    /// An empty push to `labels`, a selector text such as `{app="a"}`.
    pub fn new(labels: Arc<str>, source: usize, first_line: u64) -> Push {
        Push { labels, entries: Vec::new(), ends: Vec::new(), first_line, source }
    }

    /// Adds the next line.
    pub fn add(&mut self, at: Timestamp, line: &str) {
        const NANOS: i64 = 1_000_000_000;
        let (seconds, nanos) = (at.0.div_euclid(NANOS), at.0.rem_euclid(NANOS));
        let mut time = [0_u8; 24];
        let mut time_len = 0;
        for (tag, value) in [(0x08, seconds), (0x10, nanos)] {
            if value != 0 {
                time[time_len] = tag;
                time_len += 1 + write_varint(&mut time[time_len + 1..], value.cast_unsigned());
            }
        }
        let line_field = if line.is_empty() { 0 } else { 1 + varint_len(line.len()) + line.len() };
        self.entries.push(0x12);
        push_varint(&mut self.entries, 2 + time_len + line_field);
        self.entries.extend_from_slice(&[0x0a, time_len as u8]);
        self.entries.extend_from_slice(&time[..time_len]);
        if !line.is_empty() {
            push_field(&mut self.entries, 0x12, line.as_bytes());
        }
        self.ends.push(self.entries.len());
    }

    /// How many lines it has.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Whether a line of this length belongs into another push.
    pub fn is_full_for(&self, line_bytes: usize) -> bool {
        !self.is_empty()
            && (self.entries.len() >= BYTES_TARGET
                || line_bytes > LONG_LINE_BYTES
                || self.entries.len() > LONG_LINE_BYTES && self.len() == 1)
    }

    /// The body that pushes these of its lines.
    pub fn body(&self, lines: Range<usize>) -> Vec<u8> {
        let start = lines.start.checked_sub(1).map_or(0, |before| self.ends[before]);
        let end = lines.end.checked_sub(1).map_or(0, |last| self.ends[last]);
        let entries = &self.entries[start..end];
        let stream_len = 1 + varint_len(self.labels.len()) + self.labels.len() + entries.len();
        let mut body = Vec::with_capacity(stream_len + 8);
        body.push(0x0a);
        push_varint(&mut body, stream_len);
        push_field(&mut body, 0x0a, self.labels.as_bytes());
        body.extend_from_slice(entries);
        snap::raw::Encoder::new()
            .compress_vec(&body)
            .expect("a push is far smaller than the 4 GiB that snappy can take")
    }
}

/// Labels as a push spells them: `{a="1", b="2"}`.
pub fn labels_text<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> Arc<str> {
    let quoted = labels.into_iter().map(|(name, value)| {
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        format!("{name}=\"{escaped}\"")
    });
    format!("{{{}}}", quoted.collect::<Vec<_>>().join(", ")).into()
}

fn push_field(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    push_varint(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn push_varint(out: &mut Vec<u8>, value: usize) {
    let mut bytes = [0; 10];
    let n = write_varint(&mut bytes, value as u64);
    out.extend_from_slice(&bytes[..n]);
}

fn write_varint(out: &mut [u8], mut value: u64) -> usize {
    let mut n = 0;
    while value >= 0x80 {
        out[n] = (value & 0x7f) as u8 | 0x80;
        value >>= 7;
        n += 1;
    }
    out[n] = value as u8;
    n + 1
}

fn varint_len(value: usize) -> usize {
    let bits = usize::BITS - value.leading_zeros();
    (bits.max(1) as usize).div_ceil(7)
}

/// The naive twin: reads a body field by field.
#[cfg(test)]
pub(super) mod naive {
    /// The entries of a body, decompressed.
    pub(in crate::cli::ingest) fn decode(body: &[u8]) -> Vec<(i64, String)> {
        let mut entries = Vec::new();
        for (field, stream) in fields(body) {
            assert_eq!(field, 1);
            for (field, bytes) in fields(&stream) {
                if field == 1 {
                    continue;
                }
                let (mut at, mut line) = (0, String::new());
                for (field, bytes) in fields(&bytes) {
                    match field {
                        1 => at = time(&bytes),
                        _ => line = String::from_utf8(bytes).unwrap(),
                    }
                }
                entries.push((at, line));
            }
        }
        entries
    }

    fn time(mut bytes: &[u8]) -> i64 {
        let (mut seconds, mut nanos) = (0, 0);
        while !bytes.is_empty() {
            let tag = varint(&mut bytes);
            let value = varint(&mut bytes).cast_signed();
            if tag == 0x08 { seconds = value } else { nanos = value }
        }
        (i128::from(seconds) * 1_000_000_000 + i128::from(nanos)).try_into().unwrap()
    }

    fn fields(mut bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let mut out = Vec::new();
        while !bytes.is_empty() {
            let tag = varint(&mut bytes);
            assert_eq!(tag & 7, 2);
            let len = usize::try_from(varint(&mut bytes)).unwrap();
            out.push((tag >> 3, bytes[..len].to_vec()));
            bytes = &bytes[len..];
        }
        out
    }

    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let (first, rest) = bytes.split_first().unwrap();
            *bytes = rest;
            value |= u64::from(first & 0x7f) << shift;
            if first & 0x80 == 0 {
                break;
            }
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::naive::decode;
    use super::*;

    fn raw(push: &Push, lines: Range<usize>) -> Vec<u8> {
        snap::raw::Decoder::new().decompress_vec(&push.body(lines)).unwrap()
    }

    /// Bytes as a Loki client in Go makes them of the same entry.
    #[test]
    fn as_other_clients_write_it() {
        let mut push = Push::new(labels_text([("app", "a")]), 0, 1);
        push.add(Timestamp(1_700_000_000_000_000_005), "hi");
        let expected = b"\x0a\x1b\x0a\x09{app=\"a\"}\x12\x0e\x0a\x08\x08\x80\xe2\xcf\xaa\x06\x10\x05\x12\x02hi";
        assert_eq!(raw(&push, 0..1), expected);
    }

    #[test]
    fn labels_are_quoted() {
        assert_eq!(&*labels_text([("a", "x\"y\\z\n"), ("b", "")]), r#"{a="x\"y\\z\n", b=""}"#);
    }

    #[test]
    fn long_lines_travel_alone() {
        let mut push = Push::new("{}".into(), 0, 1);
        assert!(!push.is_full_for(1 << 20));
        push.add(Timestamp(1), "short");
        assert!(push.is_full_for(1 << 20) && !push.is_full_for(10));
        let mut push = Push::new("{}".into(), 0, 1);
        push.add(Timestamp(1), &"x".repeat(1 << 17));
        assert!(push.is_full_for(10));
    }

    proptest! {
        #[test]
        fn parts_make_the_whole(
            lines in prop::collection::vec((any::<i64>(), ".{0,300}"), 1..30), cut in 0usize..30
        ) {
            let mut push = Push::new("{a=\"b\"}".into(), 0, 1);
            for (at, line) in &lines {
                push.add(Timestamp(*at), line);
            }
            let cut = cut.min(lines.len());
            let whole = decode(&raw(&push, 0..lines.len()));
            prop_assert_eq!(&whole, &lines);
            let mut parts = decode(&raw(&push, 0..cut));
            parts.extend(decode(&raw(&push, cut..lines.len())));
            prop_assert_eq!(&parts, &lines);
        }
    }
}
