//! What clients sent and what they were told.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// One push: a run of numbered lines of one stream.
#[derive(Clone, Debug)]
pub(crate) struct Push {
    /// Which stream.
    pub(crate) stream: u32,
    /// Numbers of its lines, unique over the whole history.
    pub(crate) lines: std::ops::Range<u64>,
}

/// All pushes of a test, over all kills. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct History(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    next_line: AtomicU64,
    acknowledged: Mutex<Vec<Push>>,
    /// No answer came: it may have happened. To be sent again.
    unanswered: Mutex<Vec<Push>>,
}

impl History {
    /// A push of lines that nobody sent before.
    pub(crate) fn new_push(&self, stream: u32, n_lines: u64) -> Push {
        let first = self.0.next_line.fetch_add(n_lines, Ordering::Relaxed);
        Push { stream, lines: first..first + n_lines }
    }

    pub(crate) fn acknowledged(&self, push: Push) {
        self.0.acknowledged.lock().expect("nobody panics holding it").push(push);
    }

    pub(crate) fn unanswered(&self, push: Push) {
        self.0.unanswered.lock().expect("nobody panics holding it").push(push);
    }

    /// Takes what has to be sent again.
    pub(crate) fn take_unanswered(&self) -> Vec<Push> {
        std::mem::take(&mut *self.0.unanswered.lock().expect("nobody panics holding it"))
    }

    /// Everything acknowledged so far.
    pub(crate) fn all_acknowledged(&self) -> Vec<Push> {
        self.0.acknowledged.lock().expect("nobody panics holding it").clone()
    }

    pub(crate) fn n_acknowledged(&self) -> usize {
        self.0.acknowledged.lock().expect("nobody panics holding it").len()
    }
}
