//! The unit of isolation, limits and deletion.

use std::fmt;
use std::sync::Arc;

/// Longest tenant id, in bytes (Loki's own limit).
pub const TENANT_BYTES_MAX: usize = 150;

/// A tenant id: 1 to 150 of `A-Z a-z 0-9 ! - _ . * ' ( )`, and neither `.` nor `..`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tenant(Arc<str>);

/// Why a text is not a tenant id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing was given where a tenant is required.
    #[error("no org id")]
    Missing,
    /// More than [`TENANT_BYTES_MAX`] bytes.
    #[error("tenant ID is too long: max {TENANT_BYTES_MAX} characters")]
    TooLong,
    /// `.` and `..` would walk out of a path.
    #[error("tenant ID is '.' or '..'")]
    UnsafePath,
    /// A character outside the allowed set.
    #[error("tenant ID '{tenant}' contains unsupported character '{character}'")]
    Character {
        /// The text as given, escaped.
        tenant: String,
        /// The first character that is not allowed, escaped.
        character: String,
    },
}

impl Tenant {
    /// The tenant of a server with `auth_enabled: false`.
    pub fn single() -> Tenant {
        Tenant("fake".into())
    }

    /// Checks a text from outside.
    pub fn parse(text: &str) -> Result<Tenant, Error> {
        if text.is_empty() {
            return Err(Error::Missing);
        }
        if text.len() > TENANT_BYTES_MAX {
            return Err(Error::TooLong);
        }
        if text == "." || text == ".." {
            return Err(Error::UnsafePath);
        }
        match text.chars().find(|c| !allowed(*c)) {
            None => Ok(Tenant(text.into())),
            Some(c) => Err(Error::Character {
                tenant: text.escape_default().to_string(),
                character: c.escape_default().to_string(),
            }),
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!-_.*'()".contains(c)
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        let check =
            |text: &str, good: bool| assert_eq!(Tenant::parse(text).is_ok(), good, "{text}");
        check("fake", true);
        check("team-a_1.2!*'()", true);
        check(&"x".repeat(150), true);
        check(&"x".repeat(151), false);
        check("", false);
        check(".", false);
        check("..", false);
        check("a/b", false);
        check("a|b", false);
        check("a b", false);
        check("é", false);
    }
}
