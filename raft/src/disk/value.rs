//! How a log entry lies in the rows of `log.redb`: pure bytes in, bytes out.
//!
//! ```text
//! part 0:   crc32c u32 | length u32 | term u64 | node u64 | kind u8 | payload ...
//! part 1..: crc32c u32 | payload ...
//! ```
//!
//! Numbers are little-endian. `length` counts the payload of all parts together.
//!
//! Invariants:
//! - The checksum covers the entry's group and index, the part and all of the row behind it, so a
//!   value that turns up under another name is as wrong as one with a flipped bit. redb does not
//!   check on reads.
//! - An entry is one small row, or large ones only. redb stores a large value in a page of its own,
//!   rounded up to a power of two, and writes the whole page, so a large row is a little less than
//!   one; a value of exactly 2^k bytes would cost 2^(k+1). A small row would make its neighbours'
//!   page be written again: see `docs/decisions/2026-11-28-large-entries-have-no-small-row.md`.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use openraft::EntryPayload;
use serde::{Deserialize, Serialize};

use crate::types::{Command, LeaderId, Member, Membership, Payload};

/// A row's name: group, index, part.
pub(crate) type Key = (u32, u64, u16);

const CRC: usize = 4;
const HEAD: usize = CRC + 4 + 8 + 8 + 1;

/// Payload bytes of an entry that is one small row: such rows share leaf pages of 4 KiB.
const SMALL_BYTES_MAX: usize = 4000 - CRC;
/// What redb and the key need of a page.
const SPARE: usize = 64;
const ROW_BYTES_MAX: usize = (1 << 20) - SPARE;
/// No entry is longer: 64 MiB of command, and room for a membership of any size.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 65 << 20;

const BLANK: u8 = 0;
const NORMAL: u8 = 1;
const MEMBERSHIP: u8 = 2;

/// Whether an entry with a payload of `len` bytes is one small row.
pub(crate) fn is_small(len: usize) -> bool {
    len <= SMALL_BYTES_MAX
}

/// How many payload bytes each row takes, for a payload of `len` bytes.
pub(crate) fn split(len: usize) -> impl Iterator<Item = usize> {
    let (mut rest, mut part) = (len, 0);
    std::iter::from_fn(move || {
        if part > 0 && rest == 0 {
            return None;
        }
        let around = Encoded::row_bytes(part, 0);
        let take = if is_small(len) { len } else { row_bytes(rest + around) - around };
        rest -= take;
        part += 1;
        Some(take)
    })
}

/// The size of the next large row when `rest` bytes are left: all of it where the page it needs is used
/// to seven eighths, else the largest page that it fills.
fn row_bytes(rest: usize) -> usize {
    if rest >= ROW_BYTES_MAX {
        return ROW_BYTES_MAX;
    }
    let page = (rest + SPARE).next_power_of_two();
    let wasted = page - SPARE - rest;
    if wasted <= page / 8 || page / 2 <= 4096 { rest } else { page / 2 - SPARE }
}

fn crc(key: Key, covered: &[u8]) -> u32 {
    let mut name = [0; 14];
    name[..4].copy_from_slice(&key.0.to_le_bytes());
    name[4..12].copy_from_slice(&key.1.to_le_bytes());
    name[12..].copy_from_slice(&key.2.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c(&name), covered)
}

fn sign(key: Key, row: &mut [u8]) {
    let sum = crc(key, &row[CRC..]);
    row[..CRC].copy_from_slice(&sum.to_le_bytes());
}

/// An entry's payload as bytes, borrowed where it is a command.
pub(crate) struct Encoded<'a> {
    kind: u8,
    bytes: std::borrow::Cow<'a, [u8]>,
}

impl<'a> Encoded<'a> {
    /// The bytes of `payload`.
    pub(crate) fn of(payload: &'a Payload) -> Self {
        match payload {
            EntryPayload::Blank => Self { kind: BLANK, bytes: (&[][..]).into() },
            EntryPayload::Normal(Command(bytes)) => {
                Self { kind: NORMAL, bytes: bytes.as_ref().into() }
            }
            EntryPayload::Membership(membership) => {
                Self { kind: MEMBERSHIP, bytes: MembershipRow::of(membership).encode().into() }
            }
        }
    }

    /// The payload's length.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// How many bytes the row of `part` has, of which `take` are payload.
    pub(crate) fn row_bytes(part: u16, take: usize) -> usize {
        if part == 0 { HEAD + take } else { CRC + take }
    }

    /// Writes the row of `key`, with the payload from `offset`, which fills `row`.
    pub(crate) fn write(&self, key: Key, leader: LeaderId, offset: usize, row: &mut [u8]) {
        let start = if key.2 == 0 {
            let length = u32::try_from(self.bytes.len()).expect("a payload has less than 4 GiB");
            row[4..8].copy_from_slice(&length.to_le_bytes());
            row[8..16].copy_from_slice(&leader.term.to_le_bytes());
            row[16..24].copy_from_slice(&leader.node_id.to_le_bytes());
            row[24] = self.kind;
            HEAD
        } else {
            CRC
        };
        let take = row.len() - start;
        row[start..].copy_from_slice(&self.bytes[offset..offset + take]);
        sign(key, row);
    }
}

/// What part 0 says of its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// The leader who proposed it.
    pub(crate) leader: LeaderId,
    /// The payload's length over all parts.
    pub(crate) len: usize,
    kind: u8,
}

impl Head {
    /// Turns the gathered payload bytes back into a payload.
    pub(crate) fn payload(self, bytes: bytes::Bytes) -> Result<Payload, String> {
        decode_payload(self.kind.into(), bytes)
    }
}

/// A payload as kind and bytes, which are shared with it where it is a command.
pub(crate) fn encode_payload(payload: &Payload) -> (u8, Bytes) {
    match payload {
        EntryPayload::Blank => (BLANK, Bytes::new()),
        EntryPayload::Normal(Command(bytes)) => (NORMAL, bytes.clone()),
        EntryPayload::Membership(membership) => {
            (MEMBERSHIP, MembershipRow::of(membership).encode().into())
        }
    }
}

/// A payload of kind and bytes.
pub(crate) fn decode_payload(kind: u32, bytes: Bytes) -> Result<Payload, String> {
    match u8::try_from(kind) {
        Ok(BLANK) => Ok(EntryPayload::Blank),
        Ok(NORMAL) => Ok(EntryPayload::Normal(Command(bytes))),
        Ok(MEMBERSHIP) => {
            Ok(EntryPayload::Membership(MembershipRow::decode(&bytes)?.membership()?))
        }
        _ => Err(format!("unknown kind {kind}")),
    }
}

/// Checks the row of part 0; the head and the payload's first bytes.
pub(crate) fn read_first(key: Key, row: &[u8]) -> Result<(Head, &[u8]), String> {
    let covered = checked(key, row)?;
    if row.len() < HEAD {
        return Err(format!("its first row has {} bytes", row.len()));
    }
    let len = number(&covered[..4]);
    let leader = LeaderId { term: number(&covered[4..12]), node_id: number(&covered[12..20]) };
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    if len > PAYLOAD_BYTES_MAX {
        return Err(format!("it says that it has {len} bytes"));
    }
    Ok((Head { leader, len, kind: covered[20] }, &covered[21..]))
}

/// Checks the row of a later part; its payload bytes.
pub(crate) fn read_more(key: Key, row: &[u8]) -> Result<&[u8], String> {
    checked(key, row)
}

fn checked(key: Key, row: &[u8]) -> Result<&[u8], String> {
    match row.split_first_chunk::<CRC>() {
        Some((sum, covered)) if u32::from_le_bytes(*sum) == crc(key, covered) => Ok(covered),
        Some(_) => Err(format!("the checksum of part {} does not match", key.2)),
        None => Err(format!("part {} has {} bytes", key.2, row.len())),
    }
}

/// A little-endian number of up to 8 bytes.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |n, byte| n << 8 | u64::from(*byte))
}

/// Puts a checksum before a small row (votes, state) that `name` identifies.
pub(crate) fn seal(name: &[u8], bytes: &[u8]) -> Vec<u8> {
    let sum = crc32c::crc32c_append(crc32c::crc32c(name), bytes);
    let mut row = Vec::with_capacity(CRC + bytes.len());
    row.extend_from_slice(&sum.to_le_bytes());
    row.extend_from_slice(bytes);
    row
}

/// Takes the checksum off again.
pub(crate) fn unseal<'a>(name: &[u8], row: &'a [u8]) -> Result<&'a [u8], String> {
    match row.split_first_chunk::<CRC>() {
        Some((sum, bytes))
            if u32::from_le_bytes(*sum) == crc32c::crc32c_append(crc32c::crc32c(name), bytes) =>
        {
            Ok(bytes)
        }
        Some(_) => Err("a checksum does not match".to_owned()),
        None => Err(format!("a row has {} bytes", row.len())),
    }
}

/// A membership as it is written: rare and small, so JSON, which a person can read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MembershipRow {
    configs: Vec<BTreeSet<u64>>,
    nodes: BTreeMap<u64, MemberRow>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum MemberRow {
    /// An address alone: how a node was written before there were peers.
    Address(String),
    Member {
        address: String,
        incarnation: u64,
    },
}

impl MembershipRow {
    /// The row of `membership`.
    pub(crate) fn of(membership: &Membership) -> Self {
        let row = |member: &Member| MemberRow::Member {
            address: member.address.clone(),
            incarnation: member.incarnation,
        };
        Self {
            configs: membership.get_joint_config().clone(),
            nodes: membership.nodes().map(|(id, member)| (*id, row(member))).collect(),
        }
    }

    /// The row as JSON.
    pub(crate) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers and strings always encode")
    }

    /// The row of some JSON.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }

    /// The membership of this row.
    pub(crate) fn membership(&self) -> Result<Membership, String> {
        if self.configs.is_empty() {
            return Ok(Membership::default());
        }
        let member = |row: &MemberRow| match row.clone() {
            MemberRow::Address(address) => Member { address, incarnation: 0 },
            MemberRow::Member { address, incarnation } => Member { address, incarnation },
        };
        let nodes: BTreeMap<u64, Member> =
            self.nodes.iter().map(|(id, row)| (*id, member(row))).collect();
        Membership::new(self.configs.clone(), nodes).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use proptest::prelude::*;

    use super::*;

    fn encode(group: u32, index: u64, leader: LeaderId, payload: &Payload) -> Vec<Vec<u8>> {
        let encoded = Encoded::of(payload);
        let mut offset = 0;
        split(encoded.len())
            .zip(0..)
            .map(|(take, part)| {
                let mut row = vec![0; Encoded::row_bytes(part, take)];
                encoded.write((group, index, part), leader, offset, &mut row);
                offset += take;
                row
            })
            .collect()
    }

    fn decode(group: u32, index: u64, rows: &[Vec<u8>]) -> Result<(LeaderId, Payload), String> {
        let (head, first) = read_first((group, index, 0), &rows[0])?;
        let mut bytes = BytesMut::from(first);
        for (row, part) in rows[1..].iter().zip(1..) {
            bytes.extend_from_slice(read_more((group, index, part), row)?);
        }
        if bytes.len() != head.len {
            return Err("length".to_owned());
        }
        Ok((head.leader, head.payload(bytes.freeze())?))
    }

    fn leader() -> LeaderId {
        LeaderId { term: 7, node_id: 3 }
    }

    fn command(len: usize) -> Payload {
        EntryPayload::Normal(Command(Bytes::from(vec![0x5a; len])))
    }

    #[test]
    fn every_row_fits_its_page_and_little_is_wasted() {
        for len in (0..70_000).step_by(61).chain([
            65_536,
            256 << 10,
            300 << 10,
            1 << 20,
            (1 << 20) + 1,
            5 << 20,
            64 << 20,
        ]) {
            let rows: Vec<usize> = split(len).collect();
            assert_eq!(rows.iter().sum::<usize>(), len);
            if is_small(len) {
                assert_eq!(rows, [len]);
                assert!(Encoded::row_bytes(0, len) + SPARE <= 4096 + HEAD, "{len}");
                continue;
            }
            let mut pages = 0;
            for (take, part) in rows.iter().zip(0..) {
                let row = Encoded::row_bytes(part, *take);
                assert!(row <= ROW_BYTES_MAX, "{row}");
                pages += (row + SPARE).next_power_of_two().max(4096);
            }
            if len >= 16 << 10 {
                assert!(pages * 7 <= (len + 4096) * 8, "{len} bytes took {pages}");
            }
        }
        assert_eq!(split(0).count(), 1, "an entry without payload is a row, too");
        assert_eq!(split(256 << 10).count(), 2, "256 KiB is a full page and a little");
    }

    #[test]
    fn payloads_round_trip() {
        let membership = Membership::new_with_defaults(vec![[1, 2].into(), [2, 3].into()], [9]);
        let payloads = [
            EntryPayload::Blank,
            EntryPayload::Membership(Membership::default()),
            EntryPayload::Membership(membership),
            command(0),
            command(1),
            command(3_999),
            command(300_000),
            command(3 << 20),
        ];
        for payload in payloads {
            let rows = encode(1, 2, leader(), &payload);
            assert_eq!(decode(1, 2, &rows), Ok((leader(), payload)));
            assert!(decode(1, 3, &rows).is_err(), "a value under another index was accepted");
            assert!(decode(2, 2, &rows).is_err(), "a value under another group was accepted");
        }
    }

    #[test]
    fn memberships_written_before_there_were_peers_are_read() {
        let old = br#"{"configs":[[1]],"nodes":{"1":""}}"#;
        let membership = MembershipRow::decode(old).unwrap().membership().unwrap();
        assert_eq!(membership.voter_ids().collect::<Vec<_>>(), [1]);
        assert_eq!(membership.get_node(&1), Some(&Member::default()));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let rows = encode(1, 2, leader(), &command(9));
        for bit in 0..rows[0].len() * 8 {
            let mut damaged = rows.clone();
            damaged[0][bit / 8] ^= 1 << (bit % 8);
            assert!(decode(1, 2, &damaged).is_err(), "bit {bit}");
        }
        for cut in 0..rows[0].len() {
            assert!(decode(1, 2, &[rows[0][..cut].to_vec()]).is_err(), "cut at {cut}");
        }
        let sealed = seal(b"name", b"bytes");
        assert_eq!(unseal(b"name", &sealed), Ok(&b"bytes"[..]));
        assert!(unseal(b"game", &sealed).is_err());
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(unseal(b"name", &damaged).is_err(), "bit {bit}");
        }
        for cut in 0..sealed.len() {
            assert!(unseal(b"name", &sealed[..cut]).is_err(), "cut at {cut}");
        }
    }

    proptest! {
        #[test]
        fn any_command_round_trips(
            group in any::<u32>(), index in any::<u64>(), term in any::<u64>(),
            node_id in any::<u64>(), len in 0usize..2_200_000, byte in any::<u8>(),
        ) {
            let leader = LeaderId { term, node_id };
            let payload = EntryPayload::Normal(Command(Bytes::from(vec![byte; len])));
            let rows = encode(group, index, leader, &payload);
            prop_assert_eq!(decode(group, index, &rows), Ok((leader, payload)));
        }

        #[test]
        fn garbage_is_never_accepted(row in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(read_first((0, 0, 0), &row).is_err());
            prop_assert!(read_more((0, 0, 1), &row).is_err());
        }
    }
}
