//! How a column is compressed. Numbers are stored: they never change and are never used again.

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use crate::model::column::frame;

/// A way to compress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Codec {
    /// As it is.
    None = 0,
    /// One zstd frame.
    #[default]
    Zstd = 1,
    /// One LZ4 block.
    Lz4 = 2,
    /// One Snappy block.
    Snappy = 3,
    /// One gzip member.
    Gzip = 4,
}

impl Codec {
    /// Every codec, in the order of their numbers.
    pub const ALL: [Codec; 5] = [Codec::None, Codec::Zstd, Codec::Lz4, Codec::Snappy, Codec::Gzip];

    /// The codec of a name, as configurations write it.
    pub fn from_name(name: &str) -> Option<Codec> {
        let names = ["none", "zstd", "lz4", "snappy", "gzip"];
        names.iter().position(|known| *known == name).map(|at| Codec::ALL[at])
    }

    /// The number that is stored.
    pub(super) fn number(self) -> u8 {
        self as u8
    }

    /// The codec with a number.
    pub(super) fn from_number(number: u8) -> Option<Codec> {
        Codec::ALL.get(usize::from(number)).copied()
    }

    /// Appends the bytes to `out`, compressed where that makes them smaller, and says how.
    /// `level` counts for zstd and gzip, `window_log` for zstd.
    pub(super) fn compress(
        self,
        raw: &[u8],
        (level, window_log): (i32, u32),
        out: &mut Vec<u8>,
    ) -> Codec {
        let smaller = match self {
            Codec::None => None,
            Codec::Zstd => frame::compress_within(raw, level, window_log),
            Codec::Lz4 => Some(lz4_flex::block::compress(raw)),
            Codec::Snappy => {
                let compressed = snap::raw::Encoder::new().compress_vec(raw);
                Some(compressed.expect("Snappy takes any input below 4 GiB"))
            }
            Codec::Gzip => {
                let level = u32::try_from(level).unwrap_or(0).min(9);
                let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
                encoder.write_all(raw).expect("a vector takes any bytes");
                Some(encoder.finish().expect("a vector takes any bytes"))
            }
        };
        match smaller.filter(|smaller| smaller.len() < raw.len()) {
            Some(smaller) => {
                out.extend_from_slice(&smaller);
                self
            }
            None => {
                out.extend_from_slice(raw);
                Codec::None
            }
        }
    }

    /// Decompresses what must become exactly `n_raw` bytes; `None` where it does not. The caller
    /// has bounded `n_raw`.
    pub(super) fn decompress(self, stored: &[u8], n_raw: usize) -> Option<Bytes> {
        let raw = match self {
            Codec::None => stored.to_vec(),
            Codec::Zstd => frame::decompress(stored, n_raw)?,
            Codec::Lz4 => lz4_flex::block::decompress(stored, n_raw).ok()?,
            Codec::Snappy => {
                // The length comes from the bytes: it is checked before it is allocated.
                let says = snap::raw::decompress_len(stored).ok()?;
                (says == n_raw).then_some(())?;
                snap::raw::Decoder::new().decompress_vec(stored).ok()?
            }
            Codec::Gzip => {
                let mut raw = Vec::with_capacity(n_raw);
                // One byte more than there should be tells a stream that goes on.
                let most = n_raw as u64 + 1;
                GzDecoder::new(stored).take(most).read_to_end(&mut raw).ok()?;
                raw
            }
        };
        (raw.len() == n_raw).then(|| Bytes::from(raw))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_codec_comes_back() {
        let text = "GET /index.html 200 in 12ms; ".repeat(500);
        let noise: Vec<u8> = (0..999_u64).map(|i| (i * i * i % 251).to_le_bytes()[0]).collect();
        for codec in Codec::ALL {
            assert_eq!(Codec::from_number(codec.number()), Some(codec));
            for raw in [text.as_bytes(), &noise[..64], b"a", b""] {
                let mut out = b"before".to_vec();
                let used = codec.compress(raw, (3, 0), &mut out);
                let stored = &out[6..];
                assert!(stored.len() <= raw.len());
                assert_eq!(used.decompress(stored, raw.len()).as_deref(), Some(raw), "{codec:?}");
                assert_eq!(used.decompress(stored, raw.len() + 1), None);
                if !raw.is_empty() {
                    assert_eq!(used.decompress(stored, raw.len() - 1), None, "{codec:?}");
                    assert_eq!(used.decompress(&stored[..stored.len() - 1], raw.len()), None);
                }
            }
        }
        assert_eq!(Codec::from_number(5), None);
    }
}
