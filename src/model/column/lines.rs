//! Lines: their lengths as packed integers, their text as one buffer.
//!
//! What comes out of [`offsets`] and passes [`is_text`] is what `Lines` promises.

use super::{LINE_BYTES_MAX, Malformed, Reader, packed};

/// Reads the lengths of `n` lines of together `n_bytes` as offsets: `n + 1` of them, from 0.
pub(crate) fn offsets(
    reader: &mut Reader<'_>,
    n: usize,
    n_bytes: u32,
) -> Result<Vec<u32>, Malformed> {
    let here = reader.malformed("line length");
    let mut offsets = Vec::with_capacity(n + 1);
    offsets.push(0);
    // Once a length is too large the offsets are nonsense, but they are not used.
    let (mut offset, mut longest) = (0_u64, 0_u64);
    offsets.extend(packed::unpack(reader, n)?.into_iter().map(|length| {
        longest = longest.max(length);
        offset = offset.wrapping_add(length);
        offset as u32
    }));
    // No sum of lengths that are each below this wraps, since rows are bounded far below 2^40.
    let good = longest <= LINE_BYTES_MAX as u64 && offset == u64::from(n_bytes);
    if good { Ok(offsets) } else { Err(here) }
}

/// Whether each line is UTF-8 by itself.
pub(crate) fn is_text(bytes: &[u8], offsets: &[u32]) -> bool {
    // Most logs are ASCII, and every offset into ASCII is the start of a character.
    if bytes.is_ascii() {
        return true;
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    offsets.iter().all(|offset| text.is_char_boundary(*offset as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_bounded() {
        let check = |lengths: &[u64], n_bytes: u32, expected: Option<&[u32]>| {
            let mut out = Vec::new();
            packed::pack(lengths, &mut out);
            let offsets = offsets(&mut Reader::new(&out), lengths.len(), n_bytes);
            assert_eq!(offsets.ok().as_deref(), expected);
        };
        check(&[], 0, Some(&[0]));
        check(&[3, 0, 4], 7, Some(&[0, 3, 3, 7]));
        check(&[3, 0, 4], 6, None);
        check(&[3, u64::MAX, 1], 3, None);
        check(&[LINE_BYTES_MAX as u64 + 1], LINE_BYTES_MAX as u32 + 1, None);
    }

    #[test]
    fn lines_are_text() {
        let check = |bytes: &[u8], offsets: &[u32], expected: bool| {
            assert_eq!(is_text(bytes, offsets), expected, "{bytes:?}");
        };
        check(b"ab", &[0, 1, 2], true);
        check("aé".as_bytes(), &[0, 1, 3], true);
        check("aé".as_bytes(), &[0, 2, 3], false);
        check(b"a\xff", &[0, 1, 2], false);
    }
}
