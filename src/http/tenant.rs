//! Whose request it is, by the `X-Scope-OrgID` header.

use axum::http::{HeaderMap, StatusCode};

use super::error::Error;
use crate::model::{Tenant, tenant};

const HEADER: &str = "x-scope-orgid";

/// The tenant of a request. Without authentication everything is one tenant's.
pub(super) fn of(headers: &HeaderMap, auth_enabled: bool) -> Result<Tenant, Error> {
    if !auth_enabled {
        return Ok(Tenant::single());
    }
    let mut given = headers.get_all(HEADER).iter();
    let value = given.next().map_or(&b""[..], |value| value.as_bytes());
    if given.next().is_some() {
        return Err(Error::bad_request("X-Scope-OrgID is given more than once"));
    }
    let Ok(text) = std::str::from_utf8(value) else {
        return Err(Error::bad_request("X-Scope-OrgID is not UTF-8"));
    };
    Tenant::parse(text).map_err(|error| match error {
        tenant::Error::Missing => Error::new(StatusCode::UNAUTHORIZED, error.to_string()),
        tenant::Error::TooLong | tenant::Error::UnsafePath | tenant::Error::Character { .. } => {
            Error::bad_request(error.to_string())
        }
    })
}
