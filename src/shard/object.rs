//! What a chunk's object is called, and what is known of it.
//!
//! A name is a pure function of (shard, first and last covered seal, tenant, content), so that two
//! leaders that upload the same chunk write the same object. Content alone would not do: two
//! chunks may hold equal sets, and erasing one would erase the other.
//!
//! Invariants:
//! * No name is ever used twice. A flushed head is named by its seal, a merged chunk by the ids of
//!   its inputs and by what the attempt's plan knew (see [`merged_content`]); neither comes again. So
//!   a retired object may be deleted however late.
//! * Two tenants never share a prefix, also on a file system that ignores case.

use std::fmt::Write as _;

use xxhash_rust::xxh3::{Xxh3Default, xxh3_64_with_seed};

use super::manifest::Covers;
use crate::model::{Index, ShardId, Tenant, Timestamp};

/// What the uploader knows of an object it wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ObjectInfo {
    /// Size of the object.
    pub bytes: u64,
    /// Distinct entries in it.
    pub n_entries: u64,
    /// Bytes of its lines and metadata, uncompressed.
    pub raw_bytes: u64,
    /// Streams in it.
    pub n_streams: u32,
    /// The content hash in the object's footer.
    pub hash: u64,
}

/// The name of a chunk's object, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectName {
    /// The shard that owns it.
    pub shard: ShardId,
    /// The tenant whose entries it holds.
    pub tenant: Tenant,
    /// The seals whose heads it holds.
    pub covers: Covers,
    /// What the chunk's row says of its content.
    pub content: u64,
}

const SUFFIX: &str = ".chunk";

impl ObjectName {
    /// The key, relative to wherever chunks are kept: `tenant/shard/first-last-content.chunk`.
    pub fn path(&self) -> String {
        let mut path = escape_tenant(&self.tenant);
        let (first, last) = (self.covers.first, self.covers.last);
        write!(path, "/{}/{first:016x}-{last:016x}-{:016x}{SUFFIX}", self.shard, self.content)
            .expect("a string takes what is written to it");
        path
    }

    /// Reads a path back; `None` for anything that [`path`](ObjectName::path) does not write.
    pub fn parse(path: &str) -> Option<ObjectName> {
        let (tenant, rest) = path.split_once('/')?;
        let (shard, file) = rest.split_once('/')?;
        let mut hexes =
            file.strip_suffix(SUFFIX)?.split('-').map(|hex| u64::from_str_radix(hex, 16));
        let mut next = || hexes.next()?.ok();
        let name = ObjectName {
            shard: ShardId(shard.parse().ok()?),
            tenant: unescape_tenant(tenant)?,
            covers: Covers { first: next()?, last: next()? },
            content: next()?,
        };
        (name.path() == path).then_some(name)
    }
}

/// The content of a chunk that replaces others: who its inputs were, what came out, and the number
/// of the attempt.
///
/// The ids of the inputs are in it because ids are log indexes, which never come again: a chunk
/// rewritten to the very same entries still gets a name of its own. The attempt is in it because
/// one that was planned after a fence must not find the object of one from before, which nobody
/// finished: that one may be swept just before the row that names it is written (the simulation
/// found this).
pub fn merged_content(
    inputs: impl IntoIterator<Item = (Index, u64)>,
    object_hash: u64,
    attempt: u64,
) -> u64 {
    let mut hasher = Xxh3Default::new();
    for (id, content) in inputs {
        hasher.update(&id.to_le_bytes());
        hasher.update(&content.to_le_bytes());
    }
    hasher.update(&object_hash.to_le_bytes());
    hasher.update(&attempt.to_le_bytes());
    hasher.digest()
}

/// What tells attempts from each other: the last command that the plan knew. A version that did not
/// write that down told them by their time, and what it wrote keeps its name.
pub fn attempt_number(base: Index, at: Timestamp) -> u64 {
    if base == 0 { at.nanos().cast_unsigned() } else { base }
}

/// The content of a head without a batch. The tenant seeds it: two tenants whose entries came in
/// the same batches still differ.
pub(super) fn empty_content(tenant: &Tenant) -> u64 {
    xxhash_rust::xxh3::xxh3_64(tenant.as_str().as_bytes())
}

/// The content of a head after one more batch.
pub(super) fn next_content(content: u64, index: Index, batch_content: u64) -> u64 {
    let mut bytes = [0_u8; 16];
    bytes[..8].copy_from_slice(&index.to_le_bytes());
    bytes[8..].copy_from_slice(&batch_content.to_le_bytes());
    xxh3_64_with_seed(&bytes, content)
}

/// Longest path component that every file system takes is 255 bytes; this leaves room.
const COMPONENT_BYTES_MAX: usize = 240;
/// Marks the form for tenants whose escaped form is too long. An escape is `_` and two digits, so
/// nothing else begins like this.
const LONG_MARK: &str = "_-";
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// A tenant as one path component: lower-case letters, digits and `-` as they are, anything else
/// as `_` and two hexadecimal digits; in base 32 where that gets too long.
fn escape_tenant(tenant: &Tenant) -> String {
    let mut out = String::new();
    for byte in tenant.as_str().bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' => out.push(char::from(byte)),
            other => write!(out, "_{other:02x}").expect("a string takes what is written to it"),
        }
    }
    if out.len() <= COMPONENT_BYTES_MAX { out } else { base32(tenant.as_str().as_bytes()) }
}

fn base32(bytes: &[u8]) -> String {
    let mut out = String::from(LONG_MARK);
    let (mut bits, mut n_bits) = (0_u32, 0);
    for byte in bytes {
        bits = (bits << 8) | u32::from(*byte);
        n_bits += 8;
        while n_bits >= 5 {
            n_bits -= 5;
            out.push(char::from(BASE32[(bits >> n_bits) as usize & 31]));
        }
    }
    if n_bits > 0 {
        out.push(char::from(BASE32[(bits << (5 - n_bits)) as usize & 31]));
    }
    out
}

fn unescape_tenant(text: &str) -> Option<Tenant> {
    let mut out = Vec::new();
    if let Some(long) = text.strip_prefix(LONG_MARK) {
        let (mut bits, mut n_bits) = (0_u32, 0);
        for byte in long.bytes() {
            let digit = BASE32.iter().position(|own| *own == byte)?;
            bits = (bits << 5) | u32::try_from(digit).ok()?;
            n_bits += 5;
            if n_bits >= 8 {
                n_bits -= 8;
                out.push(u8::try_from((bits >> n_bits) & 255).ok()?);
            }
        }
    } else {
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            if byte != b'_' {
                out.push(byte);
                continue;
            }
            let digits = [bytes.next()?, bytes.next()?];
            out.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        }
    }
    // Several texts may read as one tenant; the caller compares with what it would have written.
    Tenant::parse(std::str::from_utf8(&out).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn name(tenant: &str) -> ObjectName {
        ObjectName {
            shard: ShardId(3),
            tenant: Tenant::parse(tenant).expect("a tenant"),
            covers: Covers { first: 17, last: 300 },
            content: 0xabc,
        }
    }

    #[test]
    fn paths() {
        let check = |tenant: &str, prefix: &str| {
            let expected =
                format!("{prefix}/3/0000000000000011-000000000000012c-0000000000000abc.chunk");
            assert_eq!(name(tenant).path(), expected);
        };
        check("fake", "fake");
        check("team-1", "team-1");
        check("Team_1", "_54eam_5f1");
        check("a.b", "a_2eb");
        check("*'()!", "_2a_27_28_29_21");
    }

    #[test]
    fn foreign_paths_are_not_names() {
        let good = name("fake").path();
        for bad in ["", "fake", "fake/3", "fake/3/x.chunk", "/3/1-2-3.chunk"] {
            assert_eq!(ObjectName::parse(bad), None, "{bad}");
        }
        assert_eq!(ObjectName::parse(&good.replace("/3/", "/03/")), None, "another shard's text");
        assert_eq!(ObjectName::parse(&good.to_uppercase()), None);
        assert_eq!(ObjectName::parse(&good.replace("fake", "_66ake")), None);
        assert_eq!(ObjectName::parse(&format!("{good}x")), None);
    }

    #[test]
    fn merged_names_know_their_inputs() {
        let same = merged_content([(1, 10), (2, 20)], 99, 7);
        assert_eq!(same, merged_content([(1, 10), (2, 20)], 99, 7));
        assert_ne!(same, merged_content([(1, 10), (3, 20)], 99, 7), "another input");
        assert_ne!(same, merged_content([(1, 10), (2, 20)], 98, 7), "another outcome");
        assert_ne!(same, merged_content([(1, 10), (2, 20)], 99, 8), "another attempt");
        assert_eq!(attempt_number(7, Timestamp(-1)), 7);
        let bytes = attempt_number(0, Timestamp(-2)).to_le_bytes();
        assert_eq!(bytes, (-2_i64).to_le_bytes(), "as a version before fences named it");
    }

    proptest! {
        #[test]
        fn a_path_reads_back_and_is_safe(tenant in "[A-Za-z0-9!._*'()-]{1,150}") {
            prop_assume!(tenant != "." && tenant != "..");
            let name = name(&tenant);
            let path = name.path();
            prop_assert_eq!(ObjectName::parse(&path), Some(name));
            let safe = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
            let component = path.split('/').next().unwrap_or_default();
            prop_assert!(component.len() <= 255 && component.chars().all(safe), "{}", component);
        }

        #[test]
        fn tenants_never_meet(a in "[Aa_.-]{1,150}", b in "[Aa_.-]{1,150}") {
            prop_assume!(a != b && ![&a, &b].iter().any(|t| *t == "." || *t == ".."));
            let lower: HashSet<String> =
                [&a, &b].iter().map(|tenant| name(tenant).path().to_lowercase()).collect();
            prop_assert_eq!(lower.len(), 2);
        }
    }
}
