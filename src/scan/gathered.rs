//! Memory for what readers gather from their scans: answers, samples, series.
//!
//! Apart from the memory of scans, so that a scan that waits for its turn never waits for one that
//! waits for it. Who gathers does not wait: where others hold what it needs, it gives up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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

    /// Of what is held, `told` is told.
    pub(super) fn gathered(&self, told: Told) -> Gathered {
        Gathered { room: self.clone(), held: None, told }
    }
}

/// How many bytes one reader holds, in whatever it holds them.
#[derive(Clone, Debug, Default)]
pub(super) struct Told(Arc<AtomicU64>);

impl Told {
    pub(super) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn more(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    fn less(&self, bytes: u64) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Memory that was drawn for a scan. Given back when it is dropped.
pub(super) struct Drawn {
    bytes: u64,
    told: Told,
    _permit: OwnedSemaphorePermit,
}

impl Drawn {
    pub(super) fn new(bytes: u64, permit: OwnedSemaphorePermit, told: Told) -> Drawn {
        told.more(bytes);
        Drawn { bytes, told, _permit: permit }
    }
}

impl Drop for Drawn {
    fn drop(&mut self) {
        self.told.less(self.bytes);
    }
}

/// What one reader holds. Given back when it is dropped.
pub struct Gathered {
    room: Room,
    held: Option<OwnedSemaphorePermit>,
    told: Told,
}

impl Drop for Gathered {
    fn drop(&mut self) {
        self.told.less((self.steps() * STEP_BYTES) as u64);
    }
}

impl Gathered {
    /// Makes sure that it holds this many bytes. What is less than a step is free.
    pub fn reach(&mut self, bytes: usize) -> Result<(), Full> {
        let held = self.steps();
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
        self.told.more(u64::from(more) * STEP_BYTES as u64);
        Ok(())
    }

    fn steps(&self) -> usize {
        self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_holds_others_cannot() {
        let room = Room::new(4 * STEP_BYTES as u64);
        let told = Told::default();
        let (mut a, mut b) = (room.gathered(told.clone()), room.gathered(Told::default()));
        assert_eq!(a.reach(STEP_BYTES - 1), Ok(()));
        assert_eq!(a.reach(3 * STEP_BYTES), Ok(()));
        assert_eq!(a.reach(2 * STEP_BYTES), Ok(()), "it holds more already");
        assert_eq!(b.reach(STEP_BYTES), Ok(()));
        assert_eq!(b.reach(2 * STEP_BYTES), Err(Full));
        assert_eq!(a.reach(4 * STEP_BYTES), Err(Full));
        drop(b);
        assert_eq!(a.reach(4 * STEP_BYTES), Ok(()));
        assert_eq!(a.reach(usize::MAX), Err(Full));
        assert_eq!(told.bytes(), 4 * STEP_BYTES as u64);
        drop(a);
        assert_eq!(told.bytes(), 0);
    }
}
