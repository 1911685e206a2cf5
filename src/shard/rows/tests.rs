//! Rows come back as they went in, and every damaged one is refused.

use proptest::prelude::*;

use super::*;
use crate::model::{Labels, Tenant, Timestamp};
use crate::shard::ObjectInfo;

fn chunk(state: ChunkState) -> Row {
    Row::Chunk(Chunk {
        key: ChunkKey { tenant: Tenant::parse("a.b").expect("a tenant"), id: 0x0102 },
        covers: Covers { first: 3, last: 4 },
        content: 5,
        min_ts: Timestamp(-6),
        max_ts: Timestamp(7),
        state,
    })
}

fn stream(pairs: &[(&str, &str)]) -> Row {
    let labels = Labels::from_pairs(pairs.iter().copied()).expect("unique");
    Row::Stream(StreamKey::new(Tenant::single(), labels), Hours { start: -1, end: 500_000 })
}

/// One of each kind.
fn samples() -> Vec<Row> {
    let object = ObjectInfo { bytes: 1, n_entries: 2, raw_bytes: 3, n_streams: 4, hash: 5 };
    let tombstone = Tombstone {
        tenant: Tenant::single(),
        query: "{a=\"b\"}".into(),
        start: Timestamp(1),
        end: Timestamp(2),
        created: Timestamp(3),
    };
    vec![
        Row::Indexes(Indexes { rows_at: 30, sealed: 20, flushed: 10 }),
        chunk(ChunkState::Sealed),
        chunk(ChunkState::Flushed(object)),
        chunk(ChunkState::Retired { object, at: Timestamp(9) }),
        stream(&[]),
        stream(&[("app", "web"), ("zone", "é\0")]),
        Row::Tombstone(6, tombstone),
        Row::Fence(40),
    ]
}

#[test]
fn comes_back() {
    for row in samples() {
        let (key, value) = row.encode();
        assert_eq!(Row::decode(&key, &value), Ok(row));
    }
}

#[test]
fn a_cut_or_a_flipped_bit_is_an_error() {
    for row in samples() {
        let (key, value) = row.encode();
        (0..key.len()).for_each(|end| assert!(Row::decode(&key[..end], &value).is_err()));
        (0..value.len()).for_each(|end| assert!(Row::decode(&key, &value[..end]).is_err()));
        for bit in 0..(key.len() + value.len()) * 8 {
            let (mut key, mut value) = (key.clone(), value.to_vec());
            let (byte, mask) = (bit / 8, 1 << (bit % 8));
            match byte.checked_sub(key.len()) {
                None => key[byte] ^= mask,
                Some(byte) => value[byte] ^= mask,
            }
            assert!(Row::decode(&key, &value).is_err(), "{row:?} with bit {bit} flipped");
        }
    }
}

/// A row with a good checksum may still be nonsense: the checksum is no secret.
fn check_sealed(key: &[u8], fields: &[u8]) {
    let mut value = fields.to_vec();
    put_u32(&mut value, crc32c::crc32c_append(crc32c::crc32c(key), fields));
    if let Ok(row) = Row::decode(key, &value) {
        let (own_key, own_value) = row.encode();
        assert_eq!((&own_key[..], &own_value[..]), (key, &value[..]), "one form of everything");
    }
}

proptest! {
    #[test]
    fn survives_anything(
        kind in prop::sample::select(b"icstfx".to_vec()),
        rest in "(a\0)?[\0-\u{7f}]{0,30}",
        fields in prop::collection::vec(prop_oneof![0_u8..4, any::<u8>()], 0..90),
    ) {
        let key = [&[kind][..], rest.as_bytes()].concat();
        check_sealed(&key, &fields);
        check_sealed(&key, &[&[VERSION][..], &fields[..]].concat());
        let (key, _) = samples().swap_remove(fields.len() % 8).encode();
        check_sealed(&key, &[&[VERSION][..], &fields[..]].concat());
    }
}

#[test]
fn labels_have_one_form() {
    let (good, value) = stream(&[("a", "1"), ("b", "2")]).encode();
    let one = |name: &[u8], text: &[u8]| [&[1, 0, 0, 0][..], name, &[1, 0, 0, 0], text].concat();
    let head = b"sfake\0".to_vec();
    assert_eq!(good, [head.clone(), one(b"a", b"1"), one(b"b", b"2")].concat());
    let fields = &value[..value.len() - CRC_BYTES];
    for key in [
        [head.clone(), one(b"b", b"2"), one(b"a", b"1")].concat(),
        [head.clone(), one(b"a", b"1"), one(b"a", b"1")].concat(),
        [head, b"\x01\0\0\0a\0\0\0\0".to_vec()].concat(),
    ] {
        let mut value = fields.to_vec();
        put_u32(&mut value, crc32c::crc32c_append(crc32c::crc32c(&key), fields));
        assert!(Row::decode(&key, &value).is_err(), "{key:?}");
    }
}

/// The disk of an old version stays readable: these bytes never change.
#[test]
fn bytes_stay_what_they_are() {
    let check = |row: &Row, expected: &str| {
        let (key, value) = row.encode();
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(format!("{} {}", hex(&key), hex(&value)), expected);
    };
    let samples = samples();
    check(&samples[0], "69 011e0000000000000014000000000000000a00000000000000ca109280");
    check(
        &samples[1],
        "63612e62000000000000000102 0103000000000000000400000000000000\
         0500000000000000faffffffffffffff070000000000000001e2fad5fe",
    );
    check(&samples[4], "7366616b6500 01ffffffff20a10700d497c688");
}
