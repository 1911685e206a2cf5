//! `POST /otlp/v1/logs`: the same promise as a push, in OpenTelemetry's form.
//!
//! What is refused is answered with a protobuf `google.rpc.Status`, in whatever form the request
//! came. Exporters send again after 429, 502, 503 and 504, so a failure of ours is never a 500.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{Api, push};
use crate::ingest;

/// Far above the longest text that a refusal has.
const TEXT_BYTES_MAX: usize = 1 << 20;

pub(super) async fn push(State(api): State<Arc<Api>>, headers: HeaderMap, body: Body) -> Response {
    let answer = push::take(&api, &headers, body, ingest::otlp).await;
    let answer = answer.unwrap_or_else(IntoResponse::into_response);
    if answer.status().is_success() {
        return answer;
    }
    let (mut parts, text) = answer.into_parts();
    let text = to_bytes(text, TEXT_BYTES_MAX).await.unwrap_or_default();
    if parts.status == StatusCode::INTERNAL_SERVER_ERROR {
        parts.status = StatusCode::SERVICE_UNAVAILABLE;
        parts.headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    let kind = HeaderValue::from_static("application/x-protobuf");
    parts.headers.insert(header::CONTENT_TYPE, kind);
    (parts, status_message(text.trim_ascii_end())).into_response()
}

/// `Status { 2: message }`
fn status_message(text: &[u8]) -> Vec<u8> {
    let mut message = vec![2 << 3 | 2];
    prost::encoding::encode_varint(text.len() as u64, &mut message);
    message.extend_from_slice(text);
    message
}
