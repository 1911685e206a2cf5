//! Answers compressed where a client asks for it: a page of lines shrinks to a tenth.

use std::io::Write;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::BodyExt;

use super::Api;
use super::error::Error;

/// What is shorter fits into a packet anyway.
const BYTES_MIN: usize = 1400;

/// Compresses an answer that is whole. One that is sent while it is made stays as it is.
pub(super) async fn encode(
    State(api): State<Arc<Api>>,
    request: Request,
    next: Next,
) -> Result<Response, Error> {
    let wanted = is_wanted(request.headers());
    let response = next.run(request).await;
    let is_whole = hyper::body::Body::size_hint(response.body()).exact().is_some();
    if !wanted || !is_whole {
        return Ok(response);
    }
    let (mut head, body) = response.into_parts();
    let bytes = body.collect().await;
    let bytes = bytes.map_err(|error| Error::unavailable(error.to_string()))?.to_bytes();
    head.headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if bytes.len() < BYTES_MIN {
        return Ok((head, Body::from(bytes)).into_response());
    }
    let compressed = api
        .pool
        .run(move || {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&bytes).and_then(|()| encoder.finish())
        })
        .await;
    let compressed = compressed.expect("writing to memory does not fail");
    head.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    head.headers.remove(header::CONTENT_LENGTH);
    Ok((head, Body::from(compressed)).into_response())
}

/// `gzip`, unless its weight is nothing.
fn is_wanted(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().flat_map(|value| value.to_str());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let is_nothing = weight.trim().trim_start_matches("q=").parse() == Ok(0.0_f32);
        name.trim().eq_ignore_ascii_case("gzip") && !is_nothing
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wants_it() {
        let check = |value: &'static str, expected: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
            assert_eq!(is_wanted(&headers), expected, "{value}");
        };
        check("gzip", true);
        check("br, GZIP;q=0.5", true);
        check("gzip;q=0", false);
        check("gzip; q=0.0, br", false);
        check("br", false);
        assert!(!is_wanted(&HeaderMap::new()));
    }
}
