//! From the body of a request to plain bytes: content type, content encoding, and a hard bound.
//!
//! In: the body as it came, and its headers. Out: JSON text or protobuf bytes, at most `bytes_max`
//! of them. Nothing is allocated on the word of a header; a body that ends early, fails its check
//! sum or goes on after its end is refused.

use std::cell::RefCell;
use std::io::{ErrorKind, Read};

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};

use super::Refused;

/// Largest window that a zstd frame may ask for, as a power of two: 8 MiB, what RFC 8878 asks
/// every decoder to bear.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// How the entries of a push are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Protobuf,
}

impl Format {
    /// JSON for `application/json`, protobuf for every other media type, as Loki does.
    pub(super) fn of(content_type: Option<&str>) -> Result<Format, Refused> {
        let media_type = media_type(content_type.unwrap_or(""))
            .map_err(|problem| Refused::undecodable(format!("mime: {problem}")))?;
        let json = media_type.eq_ignore_ascii_case("application/json");
        Ok(if json { Format::Json } else { Format::Protobuf })
    }
}

impl Format {
    /// What OpenTelemetry's exporters send.
    pub(super) fn of_otlp(content_type: Option<&str>) -> Result<Format, Refused> {
        let content_type = content_type.unwrap_or("");
        match media_type(content_type).unwrap_or("") {
            "application/json" => Ok(Format::Json),
            "application/x-protobuf" => Ok(Format::Protobuf),
            _ => Err(Refused::undecodable(format!(
                "content type: {content_type} is not supported, please use \
                 application/x-protobuf or application/json"
            ))),
        }
    }
}

/// Undoes the content encoding of an OpenTelemetry export.
pub(super) fn inflate_otlp(
    body: Bytes,
    encoding: Option<&str>,
    bytes_max: usize,
) -> Result<Bytes, Refused> {
    match encoding.map_or("", str::trim) {
        "" | "identity" if body.len() > bytes_max => Err(Refused::too_large(body.len(), bytes_max)),
        "" | "identity" => Ok(body),
        "gzip" => gzip(&body, bytes_max),
        "zstd" => zstd(&body, bytes_max),
        "lz4" => bounded(
            lz4_flex::frame::FrameDecoder::new(&body[..]),
            body.len(),
            bytes_max,
            |_| "lz4: corrupt input",
        ),
        other => Err(Refused::undecodable(format!(
            "unsupported content encoding {other}: only gzip, lz4 and zstd are supported"
        ))),
    }
}

/// The type of `type/subtype; name=value; ...`, in the words of Go's mime package where it is not.
fn media_type(text: &str) -> Result<&str, &'static str> {
    let is_token = |text: &str| {
        text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
    };
    let (media_type, parameters) = text.split_once(';').unwrap_or((text, ""));
    let media_type = media_type.trim();
    let (kind, subtype) = media_type.split_once('/').unwrap_or((media_type, "none"));
    if kind.is_empty() {
        return Err("no media type");
    }
    if !is_token(kind) {
        return Err("expected slash after first token");
    }
    if subtype.is_empty() {
        return Err("expected token after slash");
    }
    if !is_token(subtype) {
        return Err("unexpected content after media subtype");
    }
    for parameter in parameters.split(';').map(str::trim).filter(|text| !text.is_empty()) {
        let (name, value) = parameter.split_once('=').ok_or("invalid media parameter")?;
        let value = value.trim_matches('"');
        if name.is_empty() || value.is_empty() || !is_token(name) {
            return Err("invalid media parameter");
        }
    }
    Ok(media_type)
}

/// A larger buffer is not kept for the next push of the thread.
const KEPT_BYTES_MAX: usize = 8 << 20;

thread_local! {
    /// What snappy unpacks into. A new one for each push would be zeroed by us and mapped by the
    /// system, page by page, before it is written.
    static UNPACKED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Undoes the content encoding, and snappy for protobuf, and hands the plain bytes to `read`.
pub(super) fn inflate<T>(
    body: Bytes,
    encoding: Option<&str>,
    format: Format,
    bytes_max: usize,
    read: impl FnOnce(&[u8]) -> Result<T, Refused>,
) -> Result<T, Refused> {
    let outer = match encoding.map_or("", str::trim) {
        // `snappy` only says what protobuf bodies are anyway.
        "" | "snappy" => body,
        "gzip" => gzip(&body, bytes_max)?,
        "deflate" => deflate(&body, bytes_max)?,
        "zstd" => zstd(&body, bytes_max)?,
        other => {
            let quoted = crate::model::labels::Quoted(other);
            let message = format!("Content-Encoding {quoted} not supported");
            return Err(Refused::undecodable(message));
        }
    };
    match format {
        Format::Json if outer.len() > bytes_max => Err(Refused::too_large(outer.len(), bytes_max)),
        Format::Json => read(&outer),
        Format::Protobuf => UNPACKED.with_borrow_mut(|buffer| {
            let n_bytes = unsnap(&outer, bytes_max, buffer)?;
            let result = read(&buffer[..n_bytes]);
            if buffer.len() > KEPT_BYTES_MAX {
                *buffer = Vec::new();
            }
            result
        }),
    }
}

/// Unpacks one snappy block to the start of `buffer`, which grows as needed, and says how long it
/// is.
fn unsnap(body: &[u8], bytes_max: usize, buffer: &mut Vec<u8>) -> Result<usize, Refused> {
    let corrupt = || Refused::undecodable("snappy: corrupt input");
    if body.is_empty() {
        return Err(corrupt());
    }
    let claimed = snap::raw::decompress_len(body).map_err(|_| corrupt())?;
    // The densest element says 64 bytes in 3: a longer claim is a lie, found out before allocating.
    if claimed / 22 > body.len() {
        return Err(corrupt());
    }
    if claimed > bytes_max {
        return Err(Refused::too_large(claimed, bytes_max));
    }
    if buffer.len() < claimed {
        buffer.resize(claimed, 0);
    }
    snap::raw::Decoder::new().decompress(body, buffer).map_err(|_| corrupt())
}

fn gzip(body: &[u8], bytes_max: usize) -> Result<Bytes, Refused> {
    if body.is_empty() {
        return Err(Refused::undecodable("EOF"));
    }
    bounded(MultiGzDecoder::new(body), body.len(), bytes_max, |error| {
        let text = error.to_string();
        if text.contains("header") {
            "gzip: invalid header"
        } else if text.contains("checksum") {
            "gzip: invalid checksum"
        } else {
            "flate: corrupt input"
        }
    })
}

fn zstd(body: &[u8], bytes_max: usize) -> Result<Bytes, Refused> {
    if body.is_empty() {
        return Err(Refused::undecodable("EOF"));
    }
    let corrupt = |_: &std::io::Error| "zstd: corrupt input";
    let mut decoder = zstd::stream::read::Decoder::with_buffer(body)
        .map_err(|error| Refused::undecodable(corrupt(&error)))?;
    decoder
        .window_log_max(ZSTD_WINDOW_LOG_MAX)
        .map_err(|error| Refused::undecodable(corrupt(&error)))?;
    bounded(decoder, body.len(), bytes_max, corrupt)
}

/// Reads all, but no more than one byte past the bound.
fn bounded(
    reader: impl Read,
    body_bytes: usize,
    bytes_max: usize,
    problem: impl Fn(&std::io::Error) -> &'static str,
) -> Result<Bytes, Refused> {
    let mut plain = Vec::with_capacity(body_bytes.saturating_mul(4).min(bytes_max));
    match reader.take(bytes_max as u64 + 1).read_to_end(&mut plain) {
        Ok(_) if plain.len() > bytes_max => Err(Refused::too_large(plain.len(), bytes_max)),
        Ok(_) => Ok(plain.into()),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Err(Refused::undecodable("unexpected EOF"))
        }
        Err(error) => Err(Refused::undecodable(problem(&error))),
    }
}

/// Raw deflate as Loki reads it, or zlib as the RFC says `deflate` means: a zlib header is never
/// the start of a sensible raw stream (it would be a stored block with set padding bits).
fn deflate(body: &[u8], bytes_max: usize) -> Result<Bytes, Refused> {
    let zlib = matches!(body, [first, second, ..] if first & 0x8f == 8
        && u16::from_be_bytes([*first, *second]).is_multiple_of(31));
    let mut inflater = Decompress::new(zlib);
    let mut plain = Vec::with_capacity(body.len().saturating_mul(4).clamp(512, bytes_max.max(512)));
    loop {
        let (in_before, out_before) = (inflater.total_in(), inflater.total_out());
        let at = usize::try_from(in_before).expect("no more is read than there is");
        let status = inflater
            .decompress_vec(&body[at..], &mut plain, FlushDecompress::None)
            .map_err(|_| Refused::undecodable("flate: corrupt input"))?;
        if plain.len() > bytes_max {
            return Err(Refused::too_large(plain.len(), bytes_max));
        }
        match status {
            Status::StreamEnd if inflater.total_in() < body.len() as u64 => {
                return Err(Refused::undecodable("flate: data after the end"));
            }
            Status::StreamEnd => return Ok(plain.into()),
            Status::Ok | Status::BufError => {}
        }
        if plain.len() == plain.capacity() {
            // Exactly: growth by habit would double past the bound.
            plain.reserve_exact(plain.len().min(bytes_max + 1 - plain.len()).max(1));
        } else if (inflater.total_in(), inflater.total_out()) == (in_before, out_before) {
            return Err(Refused::undecodable("unexpected EOF"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const MAX: usize = 100_000;

    fn gzipped(plain: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(plain).expect("memory");
        writer.finish().expect("memory")
    }

    fn deflated(plain: &[u8]) -> Vec<u8> {
        let mut writer =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(plain).expect("memory");
        writer.finish().expect("memory")
    }

    fn zlibbed(plain: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(plain).expect("memory");
        writer.finish().expect("memory")
    }

    fn zstded(plain: &[u8]) -> Vec<u8> {
        zstd::encode_all(plain, 1).expect("memory")
    }

    fn snapped(plain: &[u8]) -> Vec<u8> {
        snap::raw::Encoder::new().compress_vec(plain).expect("short")
    }

    fn json(body: Vec<u8>, encoding: &str) -> Result<Vec<u8>, (u16, String)> {
        inflate(body.into(), Some(encoding), Format::Json, MAX, |plain| Ok(plain.to_vec()))
            .map_err(|refused| (refused.status, refused.message))
    }

    #[test]
    fn content_types() {
        let check = |text: Option<&str>, expected: Result<Format, &str>| {
            let found = Format::of(text).map_err(|refused| refused.message);
            assert_eq!(found, expected.map_err(String::from), "{text:?}");
        };
        check(Some("application/json"), Ok(Format::Json));
        check(Some("Application/JSON; charset=utf-8"), Ok(Format::Json));
        check(Some("application/json;"), Ok(Format::Json));
        check(Some("application/x-protobuf"), Ok(Format::Protobuf));
        check(Some("text/plain"), Ok(Format::Protobuf));
        check(None, Err("mime: no media type"));
        check(Some(";;;=,"), Err("mime: no media type"));
        check(Some("application/"), Err("mime: expected token after slash"));
        check(Some("a b"), Err("mime: expected slash after first token"));
        check(Some("application/json x"), Err("mime: unexpected content after media subtype"));
        check(Some("application/json; x"), Err("mime: invalid media parameter"));
    }

    #[test]
    fn every_encoding_round_trips_and_is_bounded() {
        for (encoding, encode) in [
            ("gzip", gzipped as fn(&[u8]) -> Vec<u8>),
            ("deflate", deflated),
            ("deflate", zlibbed),
            ("zstd", zstded),
        ] {
            for n in [0, 1, 1000, MAX] {
                let plain: Vec<u8> = (0..n).map(|i| (i * i % 251) as u8).collect();
                assert_eq!(json(encode(&plain), encoding), Ok(plain), "{encoding} {n}");
            }
            for n in [MAX + 1, 5 * MAX] {
                let (status, text) = json(encode(&vec![0; n]), encoding).expect_err("a bomb");
                assert_eq!(status, 413, "{encoding} {n}: {text}");
            }
        }
    }

    #[test]
    fn cut_and_broken_bodies() {
        let plain: Vec<u8> = (0..200_u32).flat_map(|i| (i * 77).to_le_bytes()).collect();
        for (encoding, body) in [
            ("gzip", gzipped(&plain)),
            ("deflate", deflated(&plain)),
            ("deflate", zlibbed(&plain)),
            ("zstd", zstded(&plain)),
        ] {
            for end in 0..body.len() {
                assert!(json(body[..end].to_vec(), encoding).is_err(), "{encoding} {end}");
            }
            let mut long = body.clone();
            long.extend_from_slice(b"tail");
            assert!(json(long, encoding).is_err(), "{encoding} with a tail");
        }
        for (encode, encoding) in [(gzipped as fn(&[u8]) -> Vec<u8>, "gzip"), (zlibbed, "deflate")]
        {
            let mut body = encode(&plain);
            let at = body.len() - 3;
            body[at - if encoding == "gzip" { 4 } else { 0 }] ^= 1;
            assert!(json(body, encoding).is_err(), "{encoding} with a wrong check sum");
        }
    }

    #[test]
    fn gzip_members_follow_each_other() {
        let body = [gzipped(b"ab"), gzipped(b""), gzipped(b"cd")].concat();
        assert_eq!(json(body, "gzip"), Ok(b"abcd".to_vec()));
    }

    #[test]
    fn texts() {
        let check = |body: &[u8], encoding: &str, status: u16, expected: &str| {
            assert_eq!(json(body.to_vec(), encoding), Err((status, expected.into())));
        };
        check(b"{\"streams\":[]}", "gzip", 400, "gzip: invalid header");
        check(b"", "gzip", 400, "EOF");
        check(b"{}", "br", 400, "Content-Encoding \"br\" not supported");
        check(b"{}", "gzip, gzip", 400, "Content-Encoding \"gzip, gzip\" not supported");
        check(&gzipped(b"abc")[..15], "gzip", 400, "unexpected EOF");
        let window_of_2_gib = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00];
        check(&window_of_2_gib, "zstd", 400, "zstd: corrupt input");
        assert_eq!(json(b"plain".to_vec(), "snappy"), Ok(b"plain".to_vec()));
        assert_eq!(json(b"plain".to_vec(), ""), Ok(b"plain".to_vec()));
    }

    #[test]
    fn snappy_blocks() {
        let check = |body: &[u8], encoding: &str, expected: Result<&[u8], (u16, &str)>| {
            let body = Bytes::copy_from_slice(body);
            let read = |plain: &[u8]| Ok(plain.to_vec());
            let found = inflate(body, Some(encoding), Format::Protobuf, MAX, read)
                .map_err(|refused| (refused.status, refused.message));
            let expected =
                expected.map(<[u8]>::to_vec).map_err(|(status, text)| (status, text.into()));
            assert_eq!(found, expected);
        };
        let corrupt = Err((400, "snappy: corrupt input"));
        check(&snapped(b"abc"), "", Ok(b"abc"));
        check(&snapped(b"abc"), "snappy", Ok(b"abc"));
        check(&gzipped(&snapped(b"abc")), "gzip", Ok(b"abc"));
        check(b"", "", corrupt);
        check(b"not snappy", "", corrupt);
        check(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "", corrupt);
        // It claims 4 GiB - 1 in seven bytes.
        check(b"\xff\xff\xff\xff\x0f\0\0", "", corrupt);
        // A copy from before the start.
        check(&[0x40, 0xfe, 0x10, 0x00], "", corrupt);
        // It claims one byte more than is allowed, which it could hold.
        let mut large = vec![0xa1, 0x8d, 0x06];
        large.extend([0; 10_000]);
        let text = "request body too large: 100001 bytes, limit: 100000 bytes";
        check(&large, "", Err((413, text)));
    }
}
