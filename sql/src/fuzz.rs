//! Bytes of no meaning for everything that reads a client's bytes before anything else does:
//! startup packets, messages, the exchange of passwords.
//!
//! Inputs grow out of good ones by flips, cuts, copies and lies about lengths. A run is a second's
//! worth; `DRAVE_FUZZ_SECONDS=300 cargo test -p drave-sql fuzz -- --nocapture` is a long one, and
//! `DRAVE_SEED` repeats one.
//!
//! What must hold beside that nothing panics:
//! - How bytes arrive, at once or one by one, changes nothing of what is understood.
//! - What is understood fits into the bytes that were there.
//! - Nobody gets in: no bytes prove a password.

use bytes::BytesMut;
use tokio::time::{Duration, Instant};

use crate::login::initial;
use crate::scram::{Exchange, PLAIN, PLUS, Verifier};
use crate::startup::{command_line, framed, negotiate, parameters};
use crate::wire::{Bind, Framer, Frontend, login_answer};

/// xorshift64*: the same everywhere for one seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() >> 16) as usize % n.max(1)
    }
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[tag][..], &(body.len() as u32 + 4).to_be_bytes(), body].concat()
}

fn startup(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 4).to_be_bytes()[..], body].concat()
}

/// Good bytes.
fn seeds() -> Vec<Vec<u8>> {
    let bind = b"p\0s\0\0\x01\0\x01\0\x02\0\0\0\x02ab\xff\xff\xff\xff\0\x01\0\x01";
    let first = b"SCRAM-SHA-256\0\0\0\0\x0bn,,n=,r=abc";
    vec![
        startup(
            b"\0\x03\0\x02user\0alice\0database\0main\0options\0-c a=b --c-d=e\\ f\0_pq_.x\0y\0\0",
        ),
        startup(b"\x04\xd2\x16\x2f"),
        startup(b"\x04\xd2\x16\x2e\0\0\0\x01\0\0\0\x02"),
        message(b'Q', b"select 1\0"),
        message(b'P', b"s\0select $1\0\0\x01\0\0\0\x17"),
        message(b'B', bind),
        message(b'D', b"Ss\0"),
        message(b'E', b"p\0\0\0\0\x07"),
        message(b'C', b"Pp\0"),
        message(b'd', b"1\t2\n"),
        message(b'c', b""),
        message(b'f', b"why\0"),
        message(b'F', b"\0\0\0\0"),
        message(b'S', b""),
        message(b'H', b""),
        message(b'X', b""),
        message(b'p', first),
        message(b'p', b"SCRAM-SHA-256-PLUS\0\0\0\0\x1fp=tls-server-end-point,,n=,r=abc"),
        message(b'p', b"c=biws,r=abcMQ==,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    ]
}

fn mutated(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    const ODD: [u32; 8] = [0, 1, 3, 4, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 10_001];
    let mut bytes = Vec::new();
    for _ in 0..=random.below(4) {
        bytes.extend_from_slice(&seeds[random.below(seeds.len())]);
    }
    for _ in 0..random.below(6) {
        let at = random.below(bytes.len());
        match random.below(7) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.next() as u8,
            2 => bytes.truncate(at.max(1)),
            3 => bytes.insert(at, random.next() as u8),
            4 => drop(bytes.splice(at..at, seeds[random.below(seeds.len())].clone())),
            5 => {
                let end = (at + random.below(40)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            _ => {
                let lie = ODD[random.below(ODD.len())].to_be_bytes();
                let end = (at + 4).min(bytes.len());
                bytes[at..end].copy_from_slice(&lie[..end - at]);
            }
        }
    }
    bytes
}

/// What the framer makes of pieces: messages as text, then whether that was the end.
fn messages<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<String>, Option<&'static str>) {
    let (mut framer, mut input, mut out) = (Framer::default(), BytesMut::new(), Vec::new());
    let mut given = 0;
    for piece in pieces {
        given += piece.len();
        input.extend_from_slice(piece);
        loop {
            match framer.next(&mut input) {
                Ok(Some(Ok(message))) => {
                    assert!(size(&message) <= given, "{message:?} is larger than its bytes");
                    out.push(format!("{message:?}"));
                }
                Ok(Some(Err((tag, error)))) => out.push(format!("{tag} {}", error.code)),
                Ok(None) => break,
                Err(error) => return (out, Some(error.code)),
            }
        }
    }
    (out, None)
}

fn size(message: &Frontend) -> usize {
    match message {
        Frontend::Query(text) | Frontend::CopyFail(text) => text.len(),
        Frontend::Parse { name, text, types } => name.len() + text.len() + types.len() * 4,
        Frontend::Bind(Bind {
            portal,
            statement,
            parameter_formats,
            parameters,
            result_formats,
        }) => {
            let values = parameters.iter().map(|value| 4 + value.as_ref().map_or(0, |v| v.len()));
            let formats = parameter_formats.len() + result_formats.len();
            portal.len() + statement.len() + values.sum::<usize>() + formats * 2
        }
        Frontend::CopyData(bytes) => bytes.len(),
        _ => 0,
    }
}

fn try_startup(bytes: &[u8]) {
    let mut input = BytesMut::from(bytes);
    while let Ok(Some(packet)) = framed(&mut input) {
        let Ok(parameters) = parameters(packet.get(4..).unwrap_or_default()) else { continue };
        negotiate(bytes[0].into(), &parameters);
        for (_, value) in &parameters {
            // An error or pairs; both are fine.
            let _ = command_line(value);
        }
    }
}

fn try_login(bytes: &[u8], random: &mut Random, verifier: &Verifier) {
    let mut input = BytesMut::from(bytes);
    let binding = (random.below(2) == 0).then_some(&b"hash"[..]);
    let mechanism = [PLAIN, PLUS][random.below(2)];
    let mut exchange: Option<Exchange> = None;
    while let Ok(Some(body)) = login_answer(&mut input) {
        if let Some(exchange) = exchange.take() {
            assert!(!matches!(exchange.finish(&body), Ok(Some(_))), "{body:?} proves nothing");
        }
        let first = initial(body.clone());
        let message = first.map_or(body, |(_, message)| message);
        let begun = Exchange::begin(mechanism, &message, verifier.clone(), binding, b"1");
        exchange = begun.ok().map(|(_, exchange)| exchange);
    }
}

#[test]
fn fuzz() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seconds = number("DRAVE_FUZZ_SECONDS").unwrap_or(1);
    let seed = number("DRAVE_SEED").unwrap_or(1).max(1);
    let (mut random, seeds) = (Random(seed), seeds());
    let verifier = Verifier::of_nobody(b"secret", "user", 4096);
    let (end, mut n) = (Instant::now() + Duration::from_secs(seconds), 0u64);
    while n < 1000 || Instant::now() < end {
        let bytes = mutated(&mut random, &seeds);
        if bytes.is_empty() {
            continue;
        }
        let whole = messages(std::iter::once(&bytes[..]));
        let width = 1 + random.below(9);
        assert_eq!(whole, messages(bytes.chunks(width)), "DRAVE_SEED={seed}: {bytes:?}");
        try_startup(&bytes);
        try_login(&bytes, &mut random, &verifier);
        n += 1;
    }
    println!("fuzzed {n} inputs in {seconds} s, DRAVE_SEED={seed}");
}
