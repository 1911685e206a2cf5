//! The meta state behind its Raft group: JSON in, JSON out, one row.
//!
//! All of the state is one row, written whole whenever it changed, so that a start needs nothing
//! of the log and the log is purged as it goes.

use bytes::Bytes;
use drave_raft as raft;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{Command, Refused, State};

/// The only row.
const STATE: &[u8] = b"state";

/// What applying a command came to.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::cluster) enum Reply {
    /// It happened.
    Done,
    /// It made no sense; nothing changed.
    Refused(Refused),
}

/// Carries bytes from the group to the state and back, and shows the state to this node.
pub(in crate::cluster) struct Machine {
    state: State,
    applied: u64,
    shown: watch::Sender<State>,
}

impl Machine {
    pub(in crate::cluster) fn open(
        recovered: &raft::Recovered,
        shown: watch::Sender<State>,
    ) -> Result<Machine, String> {
        let row = recovered.rows.iter().find(|(key, _)| key == STATE);
        let state: State = match row {
            Some((_, row)) => serde_json::from_slice(row)
                .map_err(|error| format!("the state of the cluster cannot be read: {error}"))?,
            None => State::default(),
        };
        shown.send_replace(state.clone());
        Ok(Machine { state, applied: recovered.applied, shown })
    }
}

impl raft::Machine for Machine {
    fn apply(&mut self, index: u64, command: &Bytes) -> raft::Applied {
        self.applied = index;
        if command.is_empty() {
            return raft::Applied::default();
        }
        let result = serde_json::from_slice::<Command>(command)
            .map_err(|error| Refused(format!("not a command of this version: {error}")))
            .and_then(|command| self.state.apply(&command));
        let (reply, rows) = match result {
            Ok(()) => {
                self.shown.send_replace(self.state.clone());
                let row = serde_json::to_vec(&self.state).expect("plain values");
                let change = raft::RowChange { key: STATE.to_vec(), value: Some(row.into()) };
                (Reply::Done, vec![change])
            }
            Err(refused) => (Reply::Refused(refused), Vec::new()),
        };
        let reply = serde_json::to_vec(&reply).expect("plain values").into();
        raft::Applied { reply, rows }
    }

    fn floor(&self) -> u64 {
        self.applied + 1
    }

    fn snapshot(&self) -> Vec<(Vec<u8>, Bytes)> {
        let row = serde_json::to_vec(&self.state).expect("plain values");
        vec![(STATE.to_vec(), row.into())]
    }
}
