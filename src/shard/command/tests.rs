//! Commands and replies come back as they went in, and damaged ones do no harm.

use proptest::prelude::*;

use super::*;

fn tenant(text: &str) -> Tenant {
    Tenant::parse(text).expect("a tenant")
}

fn object(n: u64) -> ObjectInfo {
    ObjectInfo { bytes: n, n_entries: n + 1, raw_bytes: n + 2, n_streams: 3, hash: u64::MAX - n }
}

fn key(id: Index, name: &str) -> ChunkKey {
    ChunkKey { tenant: tenant(name), id }
}

fn replace(base: Index, retire: Vec<Index>) -> Command {
    Command::Replace { base, at: Timestamp(-5), tenant: tenant("a"), retire, object: object(4) }
}

/// One of each kind.
fn samples() -> Vec<Command> {
    let flushed = |name: &str| Flushed { tenant: tenant(name), content: 9, object: object(1) };
    let tombstone = Tombstone {
        tenant: tenant("a"),
        query: "{app=\"é\"} |= \"x\"".into(),
        start: Timestamp(-1),
        end: Timestamp::MAX,
        created: Timestamp(5),
    };
    vec![
        Command::Append { batch: Bytes::from_static(b"batch") },
        Command::Seal,
        Command::Flush { chunk: 7, tenants: vec![flushed("a"), flushed("b")] },
        replace(0, vec![1, 2, 300]),
        Command::Retire { at: Timestamp(6), chunks: vec![key(1, "a"), key(1, "b")] },
        Command::Forget { chunks: vec![key(u64::MAX, "*'()!")] },
        Command::Delete { id: 11, tombstone },
        Command::CancelDelete { id: 12 },
        Command::Fence,
        replace(400, vec![1, 2, 300]),
    ]
}

#[test]
fn comes_back() {
    for command in samples() {
        assert_eq!(Command::decode(&command.encode()), Ok(command));
    }
}

#[test]
fn an_append_is_not_copied() {
    let bytes = samples()[0].encode();
    let Ok(Command::Append { batch }) = Command::decode(&bytes) else { panic!("an append") };
    assert_eq!(batch.as_ptr(), bytes[HEADER_BYTES..].as_ptr());
}

/// What decodes is what would have been written: there is one form of everything.
fn check_damaged(bytes: Vec<u8>) {
    let bytes = Bytes::from(bytes);
    if let Ok(command) = Command::decode(&bytes) {
        assert_eq!(command.encode(), bytes);
    }
}

#[test]
fn cut_anywhere_is_an_error() {
    for command in samples() {
        let bytes = command.encode();
        for end in 0..bytes.len() {
            let decoded = Command::decode(&bytes.slice(..end));
            let is_shorter_append = matches!(decoded, Ok(Command::Append { .. }));
            assert!(decoded.is_err() || is_shorter_append, "{command:?} cut at {end}");
        }
    }
}

#[test]
fn a_flipped_bit_is_an_error_or_another_command() {
    for command in samples() {
        let bytes = command.encode();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(Command::decode(&flipped.clone().into()), Ok(command.clone()));
            check_damaged(flipped);
        }
    }
}

#[test]
fn a_count_beyond_the_bytes_is_refused_before_room_is_made() {
    for tag in [FLUSH, REPLACE, RETIRE, FORGET] {
        for lead in 0..20 {
            let mut bytes = vec![tag, VERSION];
            bytes.extend(vec![0; lead]);
            bytes.extend([0xff; 4]);
            check_damaged(bytes);
        }
    }
}

#[test]
fn disorder_is_refused() {
    let refused = |command: Command| assert!(Command::decode(&command.encode()).is_err());
    for base in [0, 9] {
        refused(replace(base, vec![]));
        refused(replace(base, vec![2, 1]));
        refused(replace(base, vec![1, 1]));
    }
    let flushed = |name: &str| Flushed { tenant: tenant(name), content: 9, object: object(1) };
    refused(Command::Flush { chunk: 1, tenants: vec![flushed("b"), flushed("a")] });
    refused(Command::Flush { chunk: 1, tenants: vec![flushed("a"), flushed("a")] });
}

/// The log of an old version stays readable: these bytes never change.
#[test]
fn bytes_stay_what_they_are() {
    let check = |command: &Command, expected: &str| {
        let hex: String = command.encode().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
    };
    let samples = samples();
    check(&samples[0], "01016261746368");
    check(&samples[1], "0201");
    check(
        &samples[3],
        "0401fbffffffffffffff01610300000001000000000000000200000000000000\
         2c010000000000000400000000000000050000000000000006000000000000000\
         3000000fbffffffffffffff",
    );
    check(&samples[4], "05010600000000000000020000000100000000000000016101000000000000000162");
    check(&samples[7], "08010c00000000000000");
    check(&samples[8], "0901");
    check(
        &samples[9],
        "04029001000000000000fbffffffffffffff016103000000010000000000000002000000\
         000000002c01000000000000040000000000000005000000000000000600000000000000\
         03000000fbffffffffffffff",
    );
}

#[test]
fn replies_come_back() {
    let refused = Refusal::ALL.map(Reply::Refused);
    for reply in [Reply::Done { index: u64::MAX - 1 }, Reply::Stale].into_iter().chain(refused) {
        let bytes = reply.encode();
        assert_eq!(Reply::decode(&bytes), Ok(reply));
        for end in 0..bytes.len() {
            assert!(Reply::decode(&bytes[..end]).is_err());
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(Reply::decode(&flipped), Ok(reply));
        }
    }
}

proptest! {
    #[test]
    fn survives_anything(
        tag in 0_u8..11,
        version in prop_oneof![Just(VERSION), any::<u8>()],
        fields in prop::collection::vec(prop_oneof![0_u8..4, any::<u8>()], 0..200),
    ) {
        let mut bytes = vec![tag, version];
        bytes.extend(&fields);
        check_damaged(bytes);
        if let Ok(reply) = Reply::decode(&fields) {
            prop_assert_eq!(&reply.encode()[..], &fields[..]);
        }
    }
}
