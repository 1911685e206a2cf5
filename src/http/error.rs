//! What a request is answered when it is not answered as asked: a status and one line of text.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// A refusal in Loki's form: `text/plain`, the message alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Error {
    /// HTTP status.
    pub(super) status: StatusCode,
    /// One line that says what is wrong.
    pub(super) message: String,
}

impl Error {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Error {
        Error { status, message: message.into() }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Error {
        Error::new(StatusCode::BAD_REQUEST, message)
    }

    /// The system cannot take it now; a client should come again.
    pub(super) fn unavailable(message: impl Into<String>) -> Error {
        Error::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let text = format!("{}\n", self.message);
        let mut response = (self.status, text).into_response();
        let headers = response.headers_mut();
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
