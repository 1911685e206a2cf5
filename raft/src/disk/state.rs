//! `state.redb`: every group's rows and how far they go.
//!
//! In go the changes of all groups since the last time, one durable transaction; out comes a
//! group's state at start.
//!
//! Tables: `rows` maps (group, key) to a value; `meta` maps the group to a [`GroupState`]. Each
//! value stands behind a checksum over its key and itself.
//!
//! Invariant: a group's rows, `applied` and `floor` are of the same moment.

use std::collections::BTreeMap;

use bytes::Bytes;
use redb::{Database, ReadableDatabase, TableDefinition};
use serde::{Deserialize, Serialize};

use super::value::{self, MembershipRow};
use super::{Medium, Place, decode_identity, encode_identity, failed, guarded, open};
use crate::error::Error;
use crate::node::Identity;
use crate::types::{LeaderId, LogId, StoredMembership};

const ROWS: TableDefinition<'_, (u32, &[u8]), &[u8]> = TableDefinition::new("rows");
const META: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("meta");
const IDENTITY: u32 = u32::MAX;

const CACHE_BYTES: usize = 16 << 20;

/// How far a group's rows go.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct GroupState {
    /// The last entry that the rows cover.
    pub(crate) applied: Option<LogId>,
    /// An entry that was durable in the log when this was written: the log must still hold it.
    pub(crate) logged: Option<LogId>,
    /// The machine's floor.
    pub(crate) floor: u64,
    /// Applied memberships: the one in force below the floor, and all later ones.
    pub(crate) memberships: Vec<StoredMembership>,
}

/// What changed in a group since the last commit.
#[derive(Debug)]
pub(crate) struct GroupChange {
    pub(crate) group: u32,
    pub(crate) state: GroupState,
    /// Whether `rows` are all rows there are: a snapshot was installed.
    pub(crate) replace: bool,
    pub(crate) rows: BTreeMap<Vec<u8>, Option<Bytes>>,
}

/// The open database.
pub(crate) struct StateDb {
    db: Database,
    place: Place,
}

impl StateDb {
    /// Opens the file.
    pub(crate) fn open(medium: Medium) -> Result<Self, Error> {
        let (db, place) = open(medium, CACHE_BYTES)?;
        Ok(Self { db, place })
    }

    /// Whose file it is; nothing for a new file.
    pub(crate) fn identity(&self) -> Result<Option<Identity>, Error> {
        guarded(&self.place, || {
            let txn = self.db.begin_read().map_err(|e| failed(&self.place, e))?;
            let meta = match txn.open_table(META) {
                Ok(meta) => meta,
                Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
                Err(error) => return Err(failed(&self.place, error)),
            };
            let row = meta.get(IDENTITY).map_err(|e| failed(&self.place, e))?;
            row.map(|row| decode_identity(&self.place.path, row.value())).transpose()
        })
    }

    /// Writes whose file it is, and makes the tables.
    pub(crate) fn create(&self, identity: &Identity) -> Result<(), Error> {
        guarded(&self.place, || {
            let write = || -> Result<(), redb::Error> {
                let txn = self.db.begin_write()?;
                txn.open_table(ROWS)?;
                txn.open_table(META)?.insert(IDENTITY, encode_identity(identity).as_slice())?;
                txn.commit()?;
                Ok(())
            };
            write().map_err(|error| failed(&self.place, error))
        })
    }

    /// Writes the changes of all groups, durably, all or none.
    pub(crate) fn commit(&self, changes: &[GroupChange]) -> Result<(), Error> {
        guarded(&self.place, || {
            let write = || -> Result<(), redb::Error> {
                let mut txn = self.db.begin_write()?;
                // A second fsync each second buys an open that reads nothing but this.
                txn.set_quick_repair(true);
                let mut rows = txn.open_table(ROWS)?;
                let mut meta = txn.open_table(META)?;
                for change in changes {
                    let group = change.group;
                    if change.replace {
                        rows.retain_in(whole(group), |_, _| false)?;
                    }
                    for (key, row) in &change.rows {
                        let name = (group, key.as_slice());
                        match row {
                            Some(row) => {
                                let sealed = value::seal(&row_name(group, key), row);
                                rows.insert(name, sealed.as_slice())?;
                            }
                            None => {
                                rows.remove(name)?;
                            }
                        }
                    }
                    let state = StateRow::of(&change.state).encode();
                    meta.insert(group, value::seal(&group.to_le_bytes(), &state).as_slice())?;
                }
                drop((rows, meta));
                txn.commit()?;
                Ok(())
            };
            write().map_err(|error| failed(&self.place, error))
        })
    }

    /// Removes all of a group, durably.
    pub(crate) fn erase(&self, group: u32) -> Result<(), Error> {
        guarded(&self.place, || {
            let write = || -> Result<(), redb::Error> {
                let mut txn = self.db.begin_write()?;
                txn.set_quick_repair(true);
                txn.open_table(ROWS)?.retain_in(whole(group), |_, _| false)?;
                txn.open_table(META)?.remove(group)?;
                txn.commit()?;
                Ok(())
            };
            write().map_err(|error| failed(&self.place, error))
        })
    }

    /// A group's state and rows, all checked.
    #[expect(clippy::type_complexity, reason = "a pair of what one transaction saw")]
    pub(crate) fn load(&self, group: u32) -> Result<(GroupState, Vec<(Vec<u8>, Bytes)>), Error> {
        guarded(&self.place, || {
            let broken = |error: redb::Error| failed(&self.place, error);
            let damaged = |what: String| Error::Damaged { path: self.place.path.clone(), what };
            let read = || -> Result<_, redb::Error> {
                let txn = self.db.begin_read()?;
                let state = txn.open_table(META)?.get(group)?.map(|row| row.value().to_vec());
                Ok((state, txn.open_table(ROWS)?))
            };
            let (state, rows) = read().map_err(broken)?;
            let state = match state {
                None => GroupState::default(),
                Some(row) => value::unseal(&group.to_le_bytes(), &row)
                    .and_then(StateRow::decode)
                    .and_then(|row| row.state())
                    .map_err(damaged)?,
            };
            let mut found = Vec::new();
            for row in rows.range(whole(group)).map_err(|error| broken(error.into()))? {
                let (key, row) = row.map_err(|error| broken(error.into()))?;
                let key = key.value().1.to_vec();
                let bytes = value::unseal(&row_name(group, &key), row.value()).map_err(damaged)?;
                found.push((key, Bytes::copy_from_slice(bytes)));
            }
            Ok((state, found))
        })
    }

    /// The file's path, for messages.
    pub(crate) fn path(&self) -> &std::path::Path {
        &self.place.path
    }
}

/// Every key of a group.
fn whole(group: u32) -> std::ops::Range<(u32, &'static [u8])> {
    (group, &[])..(group + 1, &[])
}

fn row_name(group: u32, key: &[u8]) -> Vec<u8> {
    [&group.to_le_bytes()[..], key].concat()
}

/// A [`GroupState`] as it is written: once a second at most, so JSON.
#[derive(Debug, Serialize, Deserialize)]
struct StateRow {
    applied: Option<IdRow>,
    logged: Option<IdRow>,
    floor: u64,
    memberships: Vec<(Option<IdRow>, MembershipRow)>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct IdRow {
    term: u64,
    node: u64,
    index: u64,
}

impl IdRow {
    fn of(id: LogId) -> Self {
        Self { term: id.leader_id.term, node: id.leader_id.node_id, index: id.index }
    }

    fn id(self) -> LogId {
        LogId { leader_id: LeaderId { term: self.term, node_id: self.node }, index: self.index }
    }
}

impl StateRow {
    fn of(state: &GroupState) -> Self {
        Self {
            applied: state.applied.map(IdRow::of),
            logged: state.logged.map(IdRow::of),
            floor: state.floor,
            memberships: state
                .memberships
                .iter()
                .map(|m| (m.log_id().map(IdRow::of), MembershipRow::of(m.membership())))
                .collect(),
        }
    }

    fn state(self) -> Result<GroupState, String> {
        let memberships = self
            .memberships
            .into_iter()
            .map(|(id, m)| Ok(StoredMembership::new(id.map(IdRow::id), m.membership()?)))
            .collect::<Result<_, String>>()?;
        Ok(GroupState {
            applied: self.applied.map(IdRow::id),
            logged: self.logged.map(IdRow::id),
            floor: self.floor,
            memberships,
        })
    }

    fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers and strings always encode")
    }

    fn decode(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }
}
