//! Reading protobuf's wire format in place: fields of one message, each a slice of the input.
//!
//! Invariants: nothing is copied or allocated; every length is checked before it is used; unknown
//! fields are skipped, groups without recursion and to a bounded depth.

use super::Refused;

/// Deepest nesting of groups in an unknown field.
const GROUP_DEPTH_MAX: usize = 64;

/// Bytes that are not protobuf, or not the message that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("unexpected EOF")]
    End,
    #[error("proto: integer overflow")]
    Varint,
    #[error("proto: illegal tag")]
    Tag,
    #[error("proto: illegal wireType")]
    WireType,
    #[error("proto: wrong wireType for field {0}")]
    Unexpected(&'static str),
    #[error("proto: group ended or nested in a wrong place")]
    Group,
    #[error("proto: labels given twice for one stream")]
    LabelsTwice,
    #[error("proto: invalid UTF-8 in labels")]
    LabelsText,
}

impl From<Malformed> for Refused {
    fn from(malformed: Malformed) -> Refused {
        Refused::undecodable(malformed.to_string())
    }
}

/// The value of one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 2.
    Bytes(&'a [u8]),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 5.
    Fixed32(u32),
    /// A group: skipped already.
    Other,
}

/// The fields of one message, in their order.
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn of(message: &'a [u8]) -> Fields<'a> {
        Fields(message)
    }

    /// The next field and its number; `None` at the end.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let (field, wire_type) = self.tag()?;
        let value = match wire_type {
            0 => Value::Varint(self.varint()?),
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.take(length)?)
            }
            1 => Value::Fixed64(u64::from_le_bytes(self.fixed()?)),
            5 => Value::Fixed32(u32::from_le_bytes(self.fixed()?)),
            _ => {
                self.skip(field, wire_type)?;
                Value::Other
            }
        };
        Ok(Some((field, value)))
    }

    #[inline]
    fn tag(&mut self) -> Result<(u32, u8), Malformed> {
        let tag = u32::try_from(self.varint()?).map_err(|_| Malformed::Tag)?;
        if tag >> 3 == 0 { Err(Malformed::Tag) } else { Ok((tag >> 3, (tag & 7) as u8)) }
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Malformed> {
        match self.0 {
            [byte @ 0..0x80, rest @ ..] => {
                self.0 = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    /// A varint of two bytes and more. Up to eight are gathered at once: the groups of seven bits
    /// move together in three steps, neighbours first.
    fn long_varint(&mut self) -> Result<u64, Malformed> {
        const STOPS: u64 = 0x8080_8080_8080_8080;
        if let Some((word, _)) = self.0.split_first_chunk::<8>() {
            let word = u64::from_le_bytes(*word);
            let stops = !word & STOPS;
            if stops != 0 {
                // All bits up to the stop bit of the last byte.
                let bits = word & (stops ^ (stops - 1)) & !STOPS;
                let by_two = bits & 0x007f_007f_007f_007f | (bits & 0x7f00_7f00_7f00_7f00) >> 1;
                let by_four =
                    by_two & 0x0000_3fff_0000_3fff | (by_two & 0x3fff_0000_3fff_0000) >> 2;
                let value = by_four & 0x0fff_ffff | (by_four & 0x0fff_ffff_0000_0000) >> 4;
                self.0 = &self.0[stops.trailing_zeros() as usize / 8 + 1..];
                return Ok(value);
            }
        }
        self.any_varint()
    }

    #[cold]
    fn any_varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for (i, byte) in self.0.iter().take(10).enumerate() {
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for the one bit that is left.
            if i == 9 && *byte > 1 {
                return Err(Malformed::Varint);
            }
            value |= bits << (7 * i);
            if *byte < 0x80 {
                self.0 = &self.0[i + 1..];
                return Ok(value);
            }
        }
        Err(if self.0.len() < 10 { Malformed::End } else { Malformed::Varint })
    }

    #[inline]
    fn take(&mut self, length: u64) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(length).map_err(|_| Malformed::End)?;
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed::End)?;
        self.0 = rest;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Malformed::End)?;
        self.0 = rest;
        Ok(*taken)
    }

    /// Skips the value of an unknown field.
    fn skip(&mut self, field: u32, wire_type: u8) -> Result<(), Malformed> {
        let mut open = [0; GROUP_DEPTH_MAX];
        let mut depth = 0;
        let (mut field, mut wire_type) = (field, wire_type);
        loop {
            match wire_type {
                0 => drop(self.varint()?),
                1 => drop(self.take(8)?),
                2 => {
                    let length = self.varint()?;
                    self.take(length)?;
                }
                3 if depth == GROUP_DEPTH_MAX => return Err(Malformed::Group),
                3 => {
                    open[depth] = field;
                    depth += 1;
                }
                4 if depth == 0 || open[depth - 1] != field => return Err(Malformed::Group),
                4 => depth -= 1,
                5 => drop(self.take(4)?),
                _ => return Err(Malformed::WireType),
            }
            if depth == 0 {
                return Ok(());
            }
            (field, wire_type) = self.tag()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn varints_as_the_slow_twin(
            value in any::<u64>(), shift in 0_u32..64, tail in proptest::collection::vec(any::<u8>(), 0..9)
        ) {
            let value = value >> shift;
            let mut bytes = Vec::new();
            prost::encoding::encode_varint(value, &mut bytes);
            bytes.extend(&tail);
            let (mut fast, mut slow) = (Fields::of(&bytes), Fields::of(&bytes));
            prop_assert_eq!(fast.varint(), Ok(value));
            prop_assert_eq!(slow.any_varint(), Ok(value));
            prop_assert_eq!(fast.0, &tail[..]);
            prop_assert_eq!(slow.0, &tail[..]);
            let cut = bytes.len() - tail.len() - 1;
            prop_assert_eq!(Fields::of(&bytes[..cut]).varint(), Err(Malformed::End));
        }
    }

    #[test]
    fn fields() {
        let check = |bytes: &[u8], expected: Result<&[(u32, Value<'_>)], Malformed>| {
            let mut fields = Fields::of(bytes);
            let mut found = Vec::new();
            let error = loop {
                match fields.next() {
                    Ok(Some(field)) => found.push(field),
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                }
            };
            match expected {
                Ok(expected) => assert_eq!((&found[..], error), (expected, None), "{bytes:x?}"),
                Err(expected) => assert_eq!(error, Some(expected), "{bytes:x?}"),
            }
        };
        check(b"", Ok(&[]));
        check(b"\x08\x96\x01", Ok(&[(1, Value::Varint(150))]));
        check(b"\x12\x02ab", Ok(&[(2, Value::Bytes(b"ab"))]));
        check(
            b"\x0d1234\x11\x31\x32\x33\x34\x35\x36\x37\x38",
            Ok(&[(1, Value::Fixed32(0x3433_3231)), (2, Value::Fixed64(0x3837_3635_3433_3231))]),
        );
        let most = b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
        check(most, Ok(&[(1, Value::Varint(u64::MAX))]));
        check(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", Err(Malformed::Varint));
        check(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", Err(Malformed::Varint));
        check(b"\x08\xff", Err(Malformed::End));
        check(b"\x08", Err(Malformed::End));
        check(b"\x12\x03ab", Err(Malformed::End));
        check(b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", Err(Malformed::End));
        check(b"\x02\x01x", Err(Malformed::Tag));
        check(b"\xff\xff\xff\xff\xff\x01\x00", Err(Malformed::Tag));
        check(b"\x0f\x01", Err(Malformed::WireType));
        // Groups: 5 { 1: 0, 6 {} }, then one not closed, one closed wrongly, one never opened.
        check(b"\x2b\x08\x00\x33\x34\x2c", Ok(&[(5, Value::Other)]));
        check(b"\x2b\x08\x00", Err(Malformed::End));
        check(b"\x2b\x34", Err(Malformed::Group));
        check(b"\x2c", Err(Malformed::Group));
        check(&[0x2b; 100_000], Err(Malformed::Group));
    }
}
