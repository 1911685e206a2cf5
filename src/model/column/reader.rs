//! Scalars in bytes: varints, fixed integers, texts; and the cursor that reads them.
//!
//! The cursor's position never passes the end of its bytes; what does not fit is [`Malformed`].

use super::Malformed;

/// Appends a varint.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// Appends a length and the bytes of a text.
pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// A cursor over bytes from outside.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// Stands at the first byte.
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, offset: 0 }
    }

    /// What has not been read.
    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.offset..]
    }

    /// Says that a field just read, or about to be read, is wrong.
    pub(crate) fn malformed(&self, what: &'static str) -> Malformed {
        Malformed { what, offset: self.offset }
    }

    /// An error unless a fact about what was read holds.
    pub(crate) fn check(&self, holds: bool, what: &'static str) -> Result<(), Malformed> {
        if holds { Ok(()) } else { Err(self.malformed(what)) }
    }

    /// The next `n` bytes.
    pub(crate) fn take(&mut self, n: usize, what: &'static str) -> Result<&'a [u8], Malformed> {
        let taken = self.rest().get(..n).ok_or(self.malformed(what))?;
        self.offset += n;
        Ok(taken)
    }

    /// The next bytes, as many as the array has.
    pub(crate) fn array<const N: usize>(
        &mut self,
        what: &'static str,
    ) -> Result<[u8; N], Malformed> {
        let bytes = self.take(N, what)?;
        Ok(bytes.try_into().expect("as many bytes were taken as the array has"))
    }

    /// One byte.
    pub(crate) fn u8(&mut self, what: &'static str) -> Result<u8, Malformed> {
        Ok(self.array::<1>(what)?[0])
    }

    /// Two bytes, little-endian.
    pub(crate) fn u16(&mut self, what: &'static str) -> Result<u16, Malformed> {
        Ok(u16::from_le_bytes(self.array(what)?))
    }

    /// Four bytes, little-endian.
    pub(crate) fn u32(&mut self, what: &'static str) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    /// Eight bytes, little-endian.
    pub(crate) fn u64(&mut self, what: &'static str) -> Result<u64, Malformed> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    /// Eight bytes, little-endian, two's complement.
    pub(crate) fn i64(&mut self, what: &'static str) -> Result<i64, Malformed> {
        Ok(i64::from_le_bytes(self.array(what)?))
    }

    /// A varint.
    pub(crate) fn varint(&mut self, what: &'static str) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for (i, byte) in self.rest().iter().take(10).enumerate() {
            if i == 9 && *byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * i);
            if *byte < 0x80 {
                self.offset += i + 1;
                return Ok(value);
            }
        }
        Err(self.malformed(what))
    }

    /// A varint that counts or numbers things, at most `max`.
    pub(crate) fn count(&mut self, max: usize, what: &'static str) -> Result<usize, Malformed> {
        let here = self.malformed(what);
        let n = self.varint(what)?;
        usize::try_from(n).ok().filter(|n| *n <= max).ok_or(here)
    }

    /// A varint that counts things which follow and take at least one byte each: so no more can
    /// be claimed, and allocated for, than there are bytes.
    pub(crate) fn count_here(&mut self, what: &'static str) -> Result<usize, Malformed> {
        self.count(self.rest().len(), what)
    }

    /// A length and as many bytes of UTF-8.
    pub(crate) fn text(&mut self, what: &'static str) -> Result<&'a str, Malformed> {
        let n = self.count_here(what)?;
        let here = self.malformed(what);
        std::str::from_utf8(self.take(n, what)?).map_err(|_| here)
    }

    /// An error unless everything has been read.
    pub(crate) fn end(&self, what: &'static str) -> Result<(), Malformed> {
        self.check(self.rest().is_empty(), what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints() {
        let check = |value: u64, n_bytes: usize| {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(out.len(), n_bytes, "{value}");
            let mut reader = Reader::new(&out);
            assert_eq!(reader.varint("n"), Ok(value));
            assert_eq!(reader.end("n"), Ok(()));
            for cut in 0..out.len() {
                assert!(Reader::new(&out[..cut]).varint("n").is_err());
            }
        };
        check(0, 1);
        check(127, 1);
        check(128, 2);
        check(u64::from(u32::MAX), 5);
        check(u64::MAX - 1, 10);
        check(u64::MAX, 10);
    }

    #[test]
    fn refuses() {
        let check = |bytes: &[u8]| {
            let error = Reader::new(bytes).text("name").expect_err("not a text");
            assert_eq!(error.what, "name");
        };
        check(&[]);
        check(&[2, b'a']);
        check(&[1, 0xff]);
        check(&[0xff; 10]);
        check(&[0xff; 9]);
        check(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]);
    }
}
