//! Somebody who proposes what makes no sense: made up, damaged, or long over.
//!
//! What they never do is lie in a way that no replica could notice: name an object that nobody
//! wrote, or retire a chunk in the past. And whoever lies about the content of the oldest sealed
//! head stops the replicas, which the shard's own tests look at.

use bytes::Bytes;
use drave::model::Index;
use drave::shard::{ChunkKey, Command, ObjectInfo};

use crate::twin::time_of;
use crate::world::{World, tenants};

impl World {
    pub(crate) fn talk_nonsense(&mut self) {
        let command = match self.rng.below(3) {
            0 => Some(self.made_up()),
            1 => self.damaged(),
            _ => self.again(),
        };
        if let Some(command) = command {
            self.commit(command);
        }
    }

    fn made_up(&mut self) -> Bytes {
        let at = time_of(self.step);
        let never = Index::MAX - self.rng.below(9) as Index;
        match self.rng.below(6) {
            0 => Bytes::new(),
            1 => (0..self.rng.below(40)).map(|_| self.rng.below(256) as u8).collect(),
            2 => {
                let mut chunks = self.some_keys();
                if self.twin.would_forget(&chunks) {
                    // A row that is forgotten within the grace leaves its object to the sweep.
                    chunks.clear();
                }
                Command::Forget { chunks }.encode()
            }
            3 => Command::Retire { at, chunks: self.some_keys() }.encode(),
            4 => Command::Flush { chunk: never, tenants: Vec::new() }.encode(),
            _ => {
                let object =
                    ObjectInfo { bytes: 1, n_entries: 1, raw_bytes: 1, n_streams: 1, hash: 1 };
                let tenant = tenants()[0].clone();
                let base = self.log.len() as Index;
                Command::Replace { base, at, tenant, retire: vec![never], object }.encode()
            }
        }
    }

    fn some_keys(&mut self) -> Vec<ChunkKey> {
        let keys = self.twin.keys();
        (0..2).filter_map(|_| self.rng.pick(&keys).cloned()).collect()
    }

    fn old(&mut self) -> Option<(usize, Bytes)> {
        let n = self.log.len();
        (n > 0).then(|| self.rng.below(n)).map(|old| (old, self.log[old].clone()))
    }

    /// An old command, cut short or with a flipped bit.
    fn damaged(&mut self) -> Option<Bytes> {
        let mut bytes = self.old()?.1.to_vec();
        let at = self.rng.below(bytes.len() + 1);
        if self.rng.one_in(2) {
            bytes.truncate(at);
        } else if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << self.rng.below(8);
        }
        let bytes = Bytes::from(bytes);
        match Command::decode(&bytes) {
            Ok(
                Command::Flush { .. }
                | Command::Replace { .. }
                | Command::Retire { .. }
                | Command::Forget { .. },
            ) => None,
            Ok(_) | Err(_) => Some(bytes),
        }
    }

    /// An old command once more. What names objects or times is only true for a while.
    fn again(&mut self) -> Option<Bytes> {
        let (old, command) = self.old()?;
        let is_young = self.step - self.committed(old as Index + 1) <= 1;
        let kept = match Command::decode(&command) {
            Ok(Command::Replace { .. } | Command::Retire { .. }) => is_young,
            Ok(Command::Forget { chunks }) => !self.twin.would_forget(&chunks),
            Ok(_) | Err(_) => true,
        };
        kept.then_some(command)
    }
}
