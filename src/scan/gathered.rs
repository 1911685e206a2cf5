//! Memory for what readers gather from their scans: answers, samples, series.
//!
//! Apart from the memory of scans, so that a scan that waits for its turn never waits for one that
//! waits for it. Who gathers does not wait: where others hold what it needs, it gives up.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What is taken at a time: rarely enough that many tasks do not meet at the counter.
const STEP_BYTES: usize = 256 << 10;

/// Others hold the memory that would be needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the memory for results of queries is in use")]
pub struct Full;

/// The node's memory for what readers gather.
#[derive(Clone)]
pub(super) struct Room(Arc<Semaphore>);

impl Room {
    pub(super) fn new(bytes: u64) -> Room {
        let n_steps = usize::try_from(bytes).unwrap_or(usize::MAX) / STEP_BYTES;
        Room(Arc::new(Semaphore::new(n_steps.clamp(1, Semaphore::MAX_PERMITS))))
    }

    pub(super) fn gathered(&self) -> Gathered {
        Gathered { room: self.clone(), held: None }
    }
}

/// What one reader holds. Given back when it is dropped.
pub struct Gathered {
    room: Room,
    held: Option<OwnedSemaphorePermit>,
}

impl Gathered {
    /// Makes sure that it holds this many bytes. What is less than a step is free.
    pub fn reach(&mut self, bytes: usize) -> Result<(), Full> {
        let held = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let wanted = bytes / STEP_BYTES;
        if wanted <= held {
            return Ok(());
        }
        let more = u32::try_from(wanted - held).map_err(|_| Full)?;
        let drawn = Arc::clone(&self.room.0).try_acquire_many_owned(more).map_err(|_| Full)?;
        match &mut self.held {
            Some(held) => held.merge(drawn),
            None => self.held = Some(drawn),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_holds_others_cannot() {
        let room = Room::new(4 * STEP_BYTES as u64);
        let (mut a, mut b) = (room.gathered(), room.gathered());
        assert_eq!(a.reach(STEP_BYTES - 1), Ok(()));
        assert_eq!(a.reach(3 * STEP_BYTES), Ok(()));
        assert_eq!(a.reach(2 * STEP_BYTES), Ok(()), "it holds more already");
        assert_eq!(b.reach(STEP_BYTES), Ok(()));
        assert_eq!(b.reach(2 * STEP_BYTES), Err(Full));
        assert_eq!(a.reach(4 * STEP_BYTES), Err(Full));
        drop(b);
        assert_eq!(a.reach(4 * STEP_BYTES), Ok(()));
        assert_eq!(a.reach(usize::MAX), Err(Full));
    }
}
