//! Reading and writing of small binary records: commands, replies, rows.
//!
//! In: bytes from a log or a disk, which may say anything. Out: values, or where the bytes stopped
//! making sense. Integers are little-endian; a length is checked before anything is allocated.

use crate::model::{Labels, Tenant, Timestamp};

/// Bytes that are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed at byte {offset}")]
pub struct Malformed {
    /// Where the reader stood when it gave up.
    pub offset: usize,
}

/// Takes values off the front of a record.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, offset: 0 }
    }

    pub(super) fn malformed(&self) -> Malformed {
        Malformed { offset: self.offset }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.offset == self.bytes.len()
    }

    /// A record ends where its last field ends: what follows was not written by us.
    pub(super) fn finish(&self) -> Result<(), Malformed> {
        if self.is_empty() { Ok(()) } else { Err(self.malformed()) }
    }

    pub(super) fn bytes(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        let rest = &self.bytes[self.offset..];
        let taken = rest.get(..n).ok_or(self.malformed())?;
        self.offset += n;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let bytes = self.bytes(N)?;
        Ok(bytes.try_into().expect("as many bytes as were asked for"))
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn i32(&mut self) -> Result<i32, Malformed> {
        Ok(i32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(super) fn timestamp(&mut self) -> Result<Timestamp, Malformed> {
        Ok(Timestamp(i64::from_le_bytes(self.array()?)))
    }

    /// Numbers that sort by their bytes: only in keys.
    pub(super) fn u64_big_endian(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// How many items follow, each of at least `item_bytes_min`: a count that the rest of the
    /// record cannot hold is refused before room is made for it.
    pub(super) fn count(&mut self, item_bytes_min: usize) -> Result<usize, Malformed> {
        let n = self.u32()? as usize;
        let fits = (self.bytes.len() - self.offset) / item_bytes_min;
        if n <= fits { Ok(n) } else { Err(self.malformed()) }
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Malformed> {
        let n = self.u32()? as usize;
        let bytes = self.bytes(n)?;
        std::str::from_utf8(bytes).map_err(|_| self.malformed())
    }

    pub(super) fn tenant(&mut self) -> Result<Tenant, Malformed> {
        let n = self.u8()?;
        let bytes = self.bytes(usize::from(n))?;
        tenant(bytes).ok_or(self.malformed())
    }

    /// A tenant in a key: everything up to a zero byte, which no tenant id holds.
    pub(super) fn tenant_to_zero(&mut self) -> Result<Tenant, Malformed> {
        let rest = &self.bytes[self.offset..];
        let n = rest.iter().position(|byte| *byte == 0).ok_or(self.malformed())?;
        let bytes = self.bytes(n + 1)?;
        tenant(&bytes[..n]).ok_or(self.malformed())
    }

    /// Labels up to the end of the record, in the one form that [`put_labels`] writes.
    pub(super) fn labels_to_end(&mut self) -> Result<Labels, Malformed> {
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        while !self.is_empty() {
            let (name, value) = (self.text()?, self.text()?);
            let sorted = pairs.last().is_none_or(|(last, _)| *last < name);
            if !sorted || value.is_empty() {
                return Err(self.malformed());
            }
            pairs.push((name, value));
        }
        Labels::from_pairs(pairs).map_err(|_| self.malformed())
    }
}

fn tenant(bytes: &[u8]) -> Option<Tenant> {
    Tenant::parse(std::str::from_utf8(bytes).ok()?).ok()
}

pub(super) fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn put_timestamp(out: &mut Vec<u8>, value: Timestamp) {
    out.extend_from_slice(&value.nanos().to_le_bytes());
}

pub(super) fn put_count(out: &mut Vec<u8>, n: usize) {
    put_u32(out, u32::try_from(n).expect("a record holds fewer than 2^32 items"));
}

pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_count(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

pub(super) fn put_tenant(out: &mut Vec<u8>, tenant: &Tenant) {
    let text = tenant.as_str();
    out.push(u8::try_from(text.len()).expect("a tenant id has at most 150 bytes"));
    out.extend_from_slice(text.as_bytes());
}

pub(super) fn put_labels(out: &mut Vec<u8>, labels: &Labels) {
    for (name, value) in labels.iter() {
        put_text(out, name);
        put_text(out, value);
    }
}
