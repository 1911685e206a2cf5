//! zstd frames, with contexts that each thread keeps.
//!
//! A context costs a megabyte to make and nothing to use again. What comes out does not depend on
//! what a context did before.

use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};

/// Bytes below which nothing is compressed: the frame's own header would eat what it saves.
const BYTES_MIN: usize = 96;

thread_local! {
    static COMPRESSOR: RefCell<Option<(i32, Compressor<'static>)>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Compresses, or says `None` where that would not save anything worth a frame.
pub(crate) fn compress(raw: &[u8], level: i32) -> Option<Vec<u8>> {
    if raw.len() < BYTES_MIN {
        return None;
    }
    COMPRESSOR.with_borrow_mut(|kept| {
        let make = || (level, Compressor::new(level).expect("a context needs memory and a level"));
        let (own, compressor) = kept.get_or_insert_with(make);
        if *own != level {
            compressor.set_compression_level(level).expect("a level of zstd");
            *own = level;
        }
        let frame = compressor.compress(raw).expect("the buffer holds any frame of this input");
        (frame.len() < raw.len() - raw.len() / 32).then_some(frame)
    })
}

/// Decompresses what must become exactly `n_raw` bytes; `None` where it does not. The caller has
/// bounded `n_raw`.
pub(crate) fn decompress(stored: &[u8], n_raw: usize) -> Option<Vec<u8>> {
    DECOMPRESSOR.with_borrow_mut(|kept| {
        if kept.is_none() {
            *kept = Some(Decompressor::new().expect("a zstd context needs memory"));
        }
        let decompressor = kept.as_mut().expect("just made");
        let raw = decompressor.decompress(stored, n_raw).ok()?;
        (raw.len() == n_raw).then_some(raw)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back() {
        let raw: Vec<u8> = (0..20_000_u32).map(|i| (i % 251).to_le_bytes()[0]).collect();
        let frame = compress(&raw, 1).expect("a regular text");
        assert_eq!(
            compress(&raw, 3).and_then(|frame| decompress(&frame, raw.len())),
            Some(raw.clone())
        );
        assert_eq!(compress(&raw, 1).as_ref(), Some(&frame), "a used context changes nothing");
        assert_eq!(decompress(&frame, raw.len()), Some(raw.clone()));
        assert_eq!(decompress(&frame, raw.len() - 1), None);
        assert_eq!(decompress(&frame, raw.len() + 1), None);
        for cut in 0..frame.len() {
            assert_eq!(decompress(&frame[..cut], raw.len()), None);
        }
        assert_eq!(compress(&raw[..50], 1), None);
    }
}
