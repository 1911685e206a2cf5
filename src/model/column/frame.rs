//! zstd frames, with contexts that each thread keeps.
//!
//! A context costs a megabyte to make and nothing to use again. What comes out does not depend on
//! what a context did before.

use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::CParameter;

/// Bytes below which nothing is compressed: the frame's own header would eat what it saves.
const BYTES_MIN: usize = 96;

thread_local! {
    static COMPRESSOR: RefCell<Option<Kept>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// A context, and what it is set to.
struct Kept {
    compressor: Compressor<'static>,
    level: i32,
    window_log: u32,
}

/// Compresses, or says `None` where that would not save anything worth a frame.
pub(crate) fn compress(raw: &[u8], level: i32) -> Option<Vec<u8>> {
    compress_within(raw, level, 0)
}

/// The same, looking back no further than `2^window_log` bytes; 0 is what the level has.
pub(crate) fn compress_within(raw: &[u8], level: i32, window_log: u32) -> Option<Vec<u8>> {
    if raw.len() < BYTES_MIN {
        return None;
    }
    COMPRESSOR.with_borrow_mut(|kept| {
        let kept = kept.get_or_insert_with(|| {
            let compressor = Compressor::new(level).expect("a context needs memory and a level");
            Kept { compressor, level, window_log: 0 }
        });
        let Kept { compressor, .. } = kept;
        if kept.level != level {
            compressor.set_compression_level(level).expect("a level of zstd");
            kept.level = level;
        }
        if kept.window_log != window_log {
            let window = CParameter::WindowLog(window_log);
            compressor.set_parameter(window).expect("a window of zstd");
            kept.window_log = window_log;
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
        let noise: Vec<u8> = (0..300_000_u64).map(|i| (i * i * i % 251).to_le_bytes()[0]).collect();
        let far = [&raw[..], &noise, &raw].concat();
        let near = compress_within(&far, 1, 16).expect("a regular text");
        assert_ne!(compress(&far, 1).as_ref(), Some(&near), "it looks back");
        assert_eq!(decompress(&near, far.len()), Some(far));
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
