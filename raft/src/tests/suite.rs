//! openraft's own conformance suite, over the real lane, keeper and files.

use bytes::Bytes;
use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use tempfile::TempDir;

use super::options;
use crate::apply::{Applier, Shared};
use crate::keeper::Pending;
use crate::log::GroupLog;
use crate::types::Types;
use crate::{Applied, Machine, Node};

/// A machine whose snapshot always reaches up to what it applied, as the suite expects.
struct Forgetful {
    next: u64,
}

impl Machine for Forgetful {
    fn apply(&mut self, index: u64, _command: &Bytes) -> Applied {
        self.next = index + 1;
        Applied::default()
    }

    fn floor(&self) -> u64 {
        self.next
    }

    fn snapshot(&self) -> Vec<(Vec<u8>, Bytes)> {
        Vec::new()
    }
}

struct Builder;

impl StoreBuilder<Types, GroupLog, Applier<Forgetful>, (TempDir, Node)> for Builder {
    async fn build(
        &self,
    ) -> Result<((TempDir, Node), GroupLog, Applier<Forgetful>), StorageError<Types>> {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::open(&options(dir.path()), super::found(1)).unwrap();
        let parts = node.parts.clone();
        let loaded = parts.reader.load(0).await.unwrap();
        // A tail cache of nothing: what is flushed and applied is read back from the file.
        let log = GroupLog::new(0, loaded.log, parts.lane, parts.reader, 0);
        let pending = Pending::new(0, log.clone(), loaded.state, parts.keeper);
        let machine = std::sync::Mutex::new(Forgetful { next: 1 });
        let build =
            Box::new(|recovered: crate::Recovered| Ok(Forgetful { next: recovered.applied + 1 }));
        let applied = tokio::sync::watch::Sender::new(0);
        let shared = Shared { machine, pending, log: log.clone(), applied, build };
        Ok(((dir, node), log, Applier(std::sync::Arc::new(shared))))
    }
}

#[tokio::test]
async fn openraft_accepts_the_storage() {
    Suite::test_all(Builder).await.unwrap();
}
