//! Bytes and statements that want to harm: each ends in an error or a closed connection, and the
//! server goes on.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::memory::{Server, options_with_timeout, rows};
use crate::sql::answer;

/// A startup packet for `alice` and `main`.
fn hello() -> Vec<u8> {
    let body = b"\0\x03\0\0user\0alice\0database\0main\0\0";
    let mut packet = (body.len() as u32 + 4).to_be_bytes().to_vec();
    packet.extend_from_slice(body);
    packet
}

pub(crate) fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    bytes.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// Sends `bytes`, ends the sending side, and returns the tags and SQLSTATEs that came back.
pub(crate) async fn exchange(server: &Server, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    let _ = socket.shutdown().await;
    let mut reply = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(15), socket.read_to_end(&mut reply)).await;
    assert!(read.is_ok(), "the server neither answers nor closes");
    summary(&reply)
}

/// Message tags; an error with its SQLSTATE. Settings and keys are left out.
pub(crate) fn summary(mut reply: &[u8]) -> String {
    let mut out = String::new();
    while let [tag, rest @ ..] = reply {
        if *tag == b'N' && (rest.is_empty() || rest[0] != 0) {
            out.push('N');
            reply = rest;
            continue;
        }
        let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        let body = &rest[4..length];
        match tag {
            b'S' | b'K' | b'R' => {}
            b'E' => {
                let code = body.split(|byte| *byte == 0).find(|field| field.starts_with(b"C"));
                out.push_str(&format!("E({})", String::from_utf8_lossy(&code.unwrap()[1..])));
            }
            tag => out.push(*tag as char),
        }
        reply = &rest[length..];
    }
    out
}

#[tokio::test]
async fn bad_startups() {
    let server = Server::start().await;
    let ssl = [0, 0, 0, 8, 4, 210, 22, 47];
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (vec![0, 0, 0, 0], "E(08P01)"),
        (vec![0, 0, 0, 7, 0, 3, 0], "E(08P01)"),
        (vec![0x7f, 255, 255, 255, 0, 3, 0, 0], "E(08P01)"),
        (vec![255, 255, 255, 255, 0, 3, 0, 0], "E(08P01)"),
        (vec![0, 0, 0, 8, 0, 2, 0, 0], "E(0A000)"),
        (vec![0, 0, 0, 8, 0, 4, 0, 0], "E(0A000)"),
        (vec![0, 0, 0, 9, 0, 3, 0, 0, 0], "E(28000)"),
        (vec![0, 0, 0, 9, 0, 3, 39, 15, 0], "vE(28000)"),
        (b"\0\0\0\x0c\0\x03\0\0user".to_vec(), "E(08P01)"),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "E(08P01)"),
        (vec![], ""),
        (vec![0, 0, 0, 40], ""),
        (ssl.repeat(50), "NE(08P01)"),
        ([&ssl[..], &hello()].concat(), "NZ"),
        (b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x01\0\0\0\x02".to_vec(), ""),
        (b"\0\0\0\x08\x04\xd2\x16\x2e".to_vec(), ""),
        (b"\0\0\0\x20\0\x03\0\0user\0bad\0replication\0true\0\0".to_vec(), "E(08P01)"),
        (b"\0\0\0\x23\0\x03\0\0user\0bad\0replication\0true\0\0".to_vec(), "E(0A000)"),
        (b"\0\0\0\x29\0\x03\0\0user\0bad\0options\0-c role=admin -c\0\0".to_vec(), ""),
    ];
    for (bytes, expected) in cases {
        let got = exchange(&server, &bytes).await;
        if bytes.windows(7).any(|window| window == b"options") {
            assert!(got.starts_with("E(") || got.is_empty(), "{got}");
        } else {
            assert_eq!(got, expected, "{bytes:?}");
        }
    }
    assert_eq!(answer(&server.client().await, "select 1").await, ["1"]);
}

#[tokio::test]
async fn bad_messages() {
    let server = Server::start().await;
    let sync = message(b'S', b"");
    let parse = message(b'P', b"\0select $1\0\0\0");
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (message(b'Q', b"select 1\0"), "TDCZ"),
        (message(b'Q', b"\0"), "IZ"),
        (message(b'Q', b"select 'a\0b'\0"), "E(08P01)Z"),
        (message(b'Q', b"select '\xff\xfe'\0"), "E(22021)Z"),
        (message(b'~', b"x"), "E(08P01)"),
        (message(b'd', &[b'x'; 1000]), "E(08P01)"),
        // As in Postgres: it may have been on its way when a COPY failed.
        (
            [message(b'Q', b"copy nope from stdin\0"), message(b'd', &[b'x'; 1000])].concat(),
            "E(42P01)Z",
        ),
        (message(b'p', b"secret\0"), "E(08P01)"),
        (b"Q\0\0\0\x03".to_vec(), "E(08P01)"),
        (b"p\x40\0\0\0".to_vec(), "E(08P01)"),
        (b"Q\x7f\xff\xff\xff".to_vec(), "E(08P01)"),
        (message(b'F', b"\0\0\0\0"), "E(0A000)Z"),
        (
            [&parse[..], &message(b'B', b"\0\0\0\0\0\x01\xff\xff\xff\xfb\0\0"), &sync].concat(),
            "1E(08P01)Z",
        ),
        ([&parse[..], &message(b'B', b"\0\0\0\0\xff\xff"), &sync].concat(), "1E(08P01)Z"),
        ([&parse[..], &message(b'B', b"\0\0\0\0\0\0\0\0"), &sync].concat(), "1E(08P01)Z"),
        (
            [&parse[..], &message(b'B', b"\0\0\0\x01\0\x07\0\x01\0\0\0\x01x\0\0"), &sync].concat(),
            "1E(08P01)Z",
        ),
        (
            [&parse[..], &message(b'B', b"\0\0\0\0\0\x01\0\0\0\x01x\0\x02\0\0\0\0"), &sync]
                .concat(),
            "1E(08P01)Z",
        ),
        (
            [
                &parse[..],
                &message(b'B', b"\0\0\0\0\0\x01\0\0\0\x01x\0\0"),
                &message(b'E', b"\0\0\0\0\0"),
                &sync,
            ]
            .concat(),
            "12DCZ",
        ),
        ([&message(b'E', b"nope\0\0\0\0\0")[..], &sync].concat(), "E(34000)Z"),
        ([&message(b'B', b"\0nope\0\0\0\0\0\0\0")[..], &sync].concat(), "E(26000)Z"),
        ([&message(b'D', b"Snope\0")[..], &sync].concat(), "E(26000)Z"),
        ([&message(b'C', b"Snope\0")[..], &sync].concat(), "3Z"),
        ([&message(b'P', b"a\0select 1\0\0\0").repeat(2)[..], &sync].concat(), "1E(42P05)Z"),
        (
            [
                &message(b'P', b"\0\0\0\0")[..],
                &message(b'B', b"\0\0\0\0\0\0\0\0"),
                &message(b'D', b"P\0"),
                &message(b'E', b"\0\0\0\0\0"),
                &sync,
            ]
            .concat(),
            "12nIZ",
        ),
        (message(b'H', b"").repeat(10_000), ""),
        (sync.repeat(3), "ZZZ"),
        (b"Q\0\0\x10\0select".to_vec(), ""),
    ];
    let cases = cases.into_iter().map(|(bytes, expected)| (bytes, format!("Z{expected}")));
    for (bytes, expected) in cases {
        let got = exchange(&server, &[hello(), bytes.clone()].concat()).await;
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]);
        assert_eq!(got, expected, "{shown:?}");
    }
    assert_eq!(answer(&server.client().await, "select 1").await, ["1"]);
}

#[tokio::test]
async fn long_messages_are_skipped() {
    let server = Server::start().await;
    let mut text = b"select '".to_vec();
    text.resize(3 << 20, b'x');
    text.extend_from_slice(b"'\0");
    let bytes = [hello(), message(b'Q', &text), message(b'Q', b"select 1\0")].concat();
    assert_eq!(exchange(&server, &bytes).await, "ZE(54000)ZTDCZ");
    let parse = [hello(), message(b'P', &[b"\0", &text[..], b"\0\0"].concat())].concat();
    let bytes = [&parse[..], &message(b'S', b""), &message(b'Q', b"select 1\0")].concat();
    assert_eq!(exchange(&server, &bytes).await, "ZE(54000)ZTDCZ");
}

#[tokio::test]
async fn many_prepared_statements() {
    let server = Server::start().await;
    let mut bytes = hello();
    for index in 0..600 {
        bytes.extend(message(b'P', format!("s{index}\0show timezone\0\0\0").as_bytes()));
        bytes.extend(message(b'S', b""));
    }
    let got = exchange(&server, &bytes).await;
    let accepted = got.matches('1').count();
    assert_eq!((accepted, got.matches("E(53400)").count()), (512, 88));
    assert_eq!(answer(&server.client().await, "select 1").await, ["1"]);
}

/// The peak of this process's memory so far.
fn peak_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or("VmHWM: 0 kB");
    let kilobytes = line.split_whitespace().nth(1).and_then(|word| word.parse::<usize>().ok());
    kilobytes.unwrap_or(0) << 10
}

/// Runs statements that must end with one of the given SQLSTATEs, soon and in little memory.
async fn explode(timeout: Duration, cases: &[(String, &[&str])]) {
    let server = Server::with(options_with_timeout(timeout), rows()).await;
    let client = server.client().await;
    for (sql, expected) in cases {
        let (started, before) = (Instant::now(), peak_bytes());
        let got = answer(&client, sql).await;
        let shown: String = sql.chars().take(80).collect();
        assert!(
            got.len() == 1 && expected.contains(&got[0].as_str()),
            "{shown}: {:?} and not one of {expected:?}",
            got.iter().take(3).collect::<Vec<_>>()
        );
        assert!(started.elapsed() < timeout * 3, "{shown}: {:?}", started.elapsed());
        let grown = peak_bytes().saturating_sub(before);
        assert!(grown < 256 << 20, "{shown} took {grown} bytes");
    }
    assert_eq!(answer(&client, "select count(*) from logs").await, ["3000"]);
}

#[tokio::test]
async fn endless_statements() {
    let product = "select count(*) from logs a, logs b, logs c, logs d, logs e where \
                   a.line || b.line || c.line || d.line || e.line = 'x'";
    let recursive = "with recursive t as (select 1 as n union all select n from t) \
                     select count(*) from t";
    explode(
        Duration::from_secs(3),
        &[
            ("select count(*) from generate_series(1, 1000000000000)".into(), &["57014"]),
            (recursive.into(), &["57014", "53200"]),
            (product.into(), &["57014", "53200"]),
            ("explain analyze select * from logs a, logs b, logs c".into(), &["57014", "53200"]),
        ],
    )
    .await;
}

#[tokio::test]
async fn bombs() {
    let sum = |terms: usize| format!("select 1{}", " + 1".repeat(terms));
    let double = |levels: usize| {
        let inner = "select repeat('x', 1000000) as s".to_owned();
        let text = (0..levels)
            .fold(inner, |inner, level| format!("select s || s as s from ({inner}) t{level}"));
        format!("select length(s) from ({text}) t")
    };
    explode(
        Duration::from_secs(30),
        &[
            ("select repeat('x', 2147483647)".into(), &["54000"]),
            ("select lpad('x', 2147483647, 'y')".into(), &["54000"]),
            ("select rpad('x', 2147483647, 'y')".into(), &["54000"]),
            ("select repeat(line, 100000) from logs".into(), &["54000", "57014"]),
            ("select array_repeat(1, 1000000000)".into(), &["54000"]),
            ("select array_resize(array[1], 1000000000, 0)".into(), &["54000"]),
            ("select range(1, 1000000000000)".into(), &["54000"]),
            ("select generate_series(1, 1000000000000)".into(), &["54000"]),
            ("select replace(repeat('a', 1000000), 'a', repeat('b', 1000000))".into(), &["54000"]),
            (double(20), &["54000", "57014"]),
            (
                "select line from logs where line ~ '(((a{1,1000}){1,1000}){1,1000})'".into(),
                &["2201B"],
            ),
            (format!("select {}1{}", "(".repeat(50_000), ")".repeat(50_000)), &["54001", "42601"]),
            (format!("select {} true", "not ".repeat(50_000)), &["54001", "42601"]),
            (sum(50_000), &["54001"]),
            (format!("select 1 where 1 in (1{})", ", 1".repeat(100_000)), &["54000", "54001"]),
            (format!("select 1 {}", "/*".repeat(100_000)), &["42601"]),
            ("select now() - interval '99999999 years'".into(), &["22000"]),
            ("select to_timestamp(9223372036854775807)".into(), &["22000"]),
            ("select cast('9999999999999999999999' as bigint)".into(), &["22003"]),
        ],
    )
    .await;
}

#[tokio::test]
async fn aggregates_that_keep_all_values_end_within_memory() {
    let options = options_with_timeout(Duration::from_secs(120));
    let server = Server::with(options, rows()).await;
    let client = server.client().await;
    for aggregate in [
        "json_agg(x)",
        "jsonb_agg(x)",
        "json_object_agg(x, x)",
        "mode() within group (order by x)",
        "percentile_disc(0.5) within group (order by x)",
    ] {
        let sql = format!("select {aggregate} from generate_series(1, 10000000) x");
        let got = answer(&client, &sql).await;
        assert_eq!(got, ["53200"], "{aggregate}");
    }
    assert_eq!(
        answer(&client, "select json_agg(x) from generate_series(1, 3) x").await,
        ["[1, 2, 3]"]
    );
}
