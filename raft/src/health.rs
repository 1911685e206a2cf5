//! The node's one-way switch from working to failed.
//!
//! In comes the first error of a disk thread; out goes its text to every proposer from then on.
//!
//! Invariant: the first text stays. An I/O error is never retried: after a failed fsync nobody
//! knows what the disk holds, so only a restart, which reads it again, may go on.

use std::io;
use std::sync::OnceLock;

/// Whether the node still works, and if not, why.
#[derive(Debug, Default)]
pub(crate) struct Health(OnceLock<String>);

impl Health {
    /// Latches; only the first caller's text counts.
    pub(crate) fn fail(&self, what: &str) {
        if self.0.set(what.to_owned()).is_ok() {
            tracing::error!(reason = what, "stopped writing");
        }
    }

    /// Latches silently: an orderly stop is no failure.
    pub(crate) fn stop(&self) {
        // A failure that came first has the better text.
        let _ = self.0.set("the node is stopped".to_owned());
    }

    /// Why nothing is written any more.
    pub(crate) fn failed(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }

    /// What to say where no answer came: the failure, or that the node is stopped.
    pub(crate) fn ended(&self) -> io::Error {
        self.check().err().unwrap_or_else(|| io::Error::other("the node is stopped"))
    }

    /// The latched failure as an I/O error.
    pub(crate) fn check(&self) -> io::Result<()> {
        match self.failed() {
            None => Ok(()),
            Some(what) => Err(io::Error::other(what.to_owned())),
        }
    }
}
