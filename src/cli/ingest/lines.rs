//! Cuts a stream of bytes into lines, in bounded memory.
//!
//! In: a reader, asked again as long as the caller likes (a followed file has more to say later).
//! Out: lines without their `\n` and without a `\r` before it. What comes after the last `\n` is
//! held back until it is asked for by [`Lines::rest`].

use std::io::{self, Read};

use memchr::memchr;

/// Longer lines are not text. No server takes them, and holding them would break the bound.
pub(super) const LINE_BYTES_MAX: usize = 8 << 20;
const READ_BYTES: usize = 256 << 10;

/// What came next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<'a> {
    /// A line.
    Line(&'a [u8]),
    /// A line that was too long to hold, and is gone.
    TooLong,
    /// The reader has nothing more, for now.
    End,
}

/// Lines of a stream.
pub(super) struct Lines {
    buffer: Vec<u8>,
    /// What is read and not yet given out; up to `scanned` it has no line end.
    start: usize,
    scanned: usize,
    end: usize,
    /// Inside a line that is too long.
    skipping: bool,
}

impl Default for Lines {
    fn default() -> Lines {
        Lines { buffer: vec![0; READ_BYTES], start: 0, scanned: 0, end: 0, skipping: false }
    }
}

impl Lines {
    /// The next line, reading as needed.
    pub(super) fn next(&mut self, reader: &mut impl Read) -> io::Result<Next<'_>> {
        loop {
            if let Some(found) = memchr(b'\n', &self.buffer[self.scanned..self.end]) {
                let (start, stop) = (self.start, self.scanned + found);
                self.start = stop + 1;
                self.scanned = self.start;
                if std::mem::take(&mut self.skipping) || stop - start > LINE_BYTES_MAX {
                    return Ok(Next::TooLong);
                }
                return Ok(Next::Line(without_return(&self.buffer[start..stop])));
            }
            self.scanned = self.end;
            if self.end - self.start > LINE_BYTES_MAX {
                self.skipping = true;
            }
            if self.skipping {
                self.start = self.end;
            }
            if self.fill(reader)? == 0 {
                return Ok(Next::End);
            }
        }
    }

    /// What follows the last line end, now that no line end will follow.
    pub(super) fn rest(&mut self) -> Option<Next<'_>> {
        let (start, end) = (self.start, self.end);
        self.start = 0;
        self.scanned = 0;
        self.end = 0;
        match std::mem::take(&mut self.skipping) || end - start > LINE_BYTES_MAX {
            true => Some(Next::TooLong),
            false if start == end => None,
            false => Some(Next::Line(without_return(&self.buffer[start..end]))),
        }
    }

    /// Whether the next line can be had without reading.
    pub(super) fn is_line_ready(&self) -> bool {
        memchr(b'\n', &self.buffer[self.scanned..self.end]).is_some()
    }

    fn fill(&mut self, reader: &mut impl Read) -> io::Result<usize> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.scanned -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        loop {
            match reader.read(&mut self.buffer[self.end..]) {
                Ok(n) => {
                    self.end += n;
                    return Ok(n);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A reader that gives a few bytes at a time.
    struct Trickle<'a>(&'a [u8], usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(self.0.len()).min(into.len());
            into[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    fn cut(text: &[u8], at_a_time: usize) -> Vec<Vec<u8>> {
        let mut reader = Trickle(text, at_a_time);
        let mut lines = Lines::default();
        let mut out = Vec::new();
        while let Next::Line(line) = lines.next(&mut reader).unwrap() {
            out.push(line.to_vec());
        }
        if let Some(Next::Line(line)) = lines.rest() {
            out.push(line.to_vec());
        }
        out
    }

    fn check(text: &str, expected: &[&str]) {
        let expected: Vec<Vec<u8>> = expected.iter().map(|line| line.as_bytes().to_vec()).collect();
        assert_eq!(cut(text.as_bytes(), 3), expected);
    }

    #[test]
    fn lines() {
        check("", &[]);
        check("a\nb\n", &["a", "b"]);
        check("a\r\n\r\nb\rc\r\n", &["a", "", "b\rc"]);
        check("a\n\n\nb", &["a", "", "", "b"]);
        check("\n", &[""]);
        check("a\0b\n", &["a\0b"]);
    }

    #[test]
    fn lines_too_long_are_counted_and_the_next_is_whole() {
        let mut text = vec![b'x'; LINE_BYTES_MAX * 3];
        text.extend_from_slice(b"\nnext\n");
        text.extend(vec![b'y'; LINE_BYTES_MAX * 2]);
        let mut reader = text.as_slice();
        let mut lines = Lines::default();
        assert_eq!(lines.next(&mut reader).unwrap(), Next::TooLong);
        assert_eq!(lines.next(&mut reader).unwrap(), Next::Line(b"next"));
        assert_eq!(lines.next(&mut reader).unwrap(), Next::End);
        assert_eq!(lines.rest(), Some(Next::TooLong));
        assert_eq!(lines.rest(), None);
        assert!(lines.buffer.len() <= 4 * LINE_BYTES_MAX);
    }

    #[test]
    fn a_line_may_end_later() {
        let mut lines = Lines::default();
        assert_eq!(lines.next(&mut b"ab".as_slice()).unwrap(), Next::End);
        assert!(!lines.is_line_ready());
        assert_eq!(lines.next(&mut b"c\nd".as_slice()).unwrap(), Next::Line(b"abc"));
    }

    proptest! {
        #[test]
        fn like_the_naive_twin(text in "[ab\r\n]{0,200}", step in 1usize..9) {
            let mut naive: Vec<Vec<u8>> = text
                .split('\n')
                .map(|line| line.strip_suffix('\r').unwrap_or(line).as_bytes().to_vec())
                .collect();
            if text.is_empty() || text.ends_with('\n') {
                naive.pop();
            }
            prop_assert_eq!(cut(text.as_bytes(), step), naive);
        }
    }
}
