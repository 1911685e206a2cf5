//! Cursors, prepared statements, COPY and INSERT as SQL.

use bytes::Bytes;
use futures::{SinkExt, StreamExt};

use crate::memory::{Server, code};
use crate::sql::answer;

async fn steps(cases: &[(&str, &[&str])]) {
    let server = Server::start().await;
    let client = server.client().await;
    for (sql, expected) in cases {
        assert_eq!(answer(&client, sql).await, *expected, "{sql}");
    }
}

#[tokio::test]
async fn cursors() {
    steps(&[
        ("declare c cursor for select 1", &["25P01"]),
        ("begin", &[]),
        ("declare c cursor for select x from generate_series(1, 5) x", &[]),
        ("fetch c", &["1"]),
        ("fetch 2 from c", &["2", "3"]),
        ("move c", &[]),
        ("fetch all from c", &["5"]),
        ("fetch all from c", &[]),
        ("close c", &[]),
        ("fetch c", &["34000"]),
        ("rollback", &[]),
        ("begin; declare h cursor with hold for select x from generate_series(1, 3) x", &[]),
        ("fetch h", &["1"]),
        ("commit", &[]),
        ("fetch h", &["2"]),
        ("close h", &[]),
        ("begin; declare c cursor for select 1; commit", &[]),
        ("fetch c", &["34000"]),
        ("begin; declare c cursor for select 1; declare c cursor for select 2", &["42P03"]),
        ("rollback", &[]),
        ("begin; declare c cursor for select line from logs order by timestamp", &[]),
        ("fetch c", &["info request 0 took 0ms path=/api/0"]),
        ("fetch backward 1 from c", &["55000"]),
    ])
    .await;
}

#[tokio::test]
async fn prepared() {
    steps(&[
        ("prepare p as select 1 + $1::int, $2::text", &[]),
        ("execute p(2, 'x')", &["3|x"]),
        ("execute p(1 + 1, null)", &["3|NULL"]),
        ("execute p(2)", &["42601"]),
        ("execute p('a', 'b')", &["22P02"]),
        ("prepare p as select 2", &["42P05"]),
        ("deallocate p", &[]),
        ("execute p(2, 'x')", &["26000"]),
        ("prepare q(int[]) as select count(*) from logs where stream_id = any($1)", &[]),
        ("execute q('{1,2}')", &["60"]),
        ("deallocate all", &[]),
        ("execute q('{1}')", &["26000"]),
        ("listen x", &[]),
        ("notify x, 'y'", &[]),
        ("unlisten *", &[]),
    ])
    .await;
}

#[tokio::test]
async fn a_cursor_of_a_parameter_is_described_and_fetched() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let transaction = client.transaction().await.unwrap();
    let sql = "declare c cursor for select line from logs where stream_id = $1 order by timestamp";
    let declare = transaction.prepare(sql).await.unwrap();
    transaction.execute(&declare, &[&7i64]).await.unwrap();
    let rows = transaction.query("fetch forward 2 from c", &[]).await.unwrap();
    let lines: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    assert!(lines.len() == 2 && lines[0].contains("request 7 "), "{lines:?}");
    transaction.commit().await.unwrap();
}

async fn copied(client: &tokio_postgres::Client, sql: &str) -> Vec<u8> {
    let stream = client.copy_out(sql).await.unwrap();
    let mut stream = std::pin::pin!(stream);
    let mut all = Vec::new();
    while let Some(bytes) = stream.next().await {
        all.extend_from_slice(&bytes.unwrap());
    }
    all
}

#[tokio::test]
async fn copy_out() {
    let server = Server::start().await;
    let client = server.client().await;
    let check = async |sql: &str, expected: &str| {
        assert_eq!(String::from_utf8_lossy(&copied(&client, sql).await), expected, "{sql}");
    };
    check("copy (select 1, null, 'a\tb\\') to stdout", "1\t\\N\ta\\tb\\\\\n").await;
    check(
        "copy (select 1 as a, null as b, 'x,\"y\"' as c) to stdout (format csv, header)",
        "a,b,c\n1,,\"x,\"\"y\"\"\"\n",
    )
    .await;
    check("copy (select 1 where false) to stdout", "").await;
    let lines = copied(&client, "copy logs (line) to stdout").await;
    assert_eq!(lines.iter().filter(|byte| **byte == b'\n').count(), 3000);
    let binary = copied(&client, "copy (select 1::int, 'é') to stdout (format binary)").await;
    assert_eq!(
        binary,
        b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\x02\0\0\0\x04\0\0\0\x01\0\0\0\x02\xc3\xa9\xff\xff"
    );
    assert_eq!(answer(&client, "select 1").await, ["1"]);
    let error = client.simple_query("copy (select nope) to stdout").await.unwrap_err();
    assert_eq!(code(&error), "42703");
}

async fn copy_in(
    client: &tokio_postgres::Client,
    sql: &str,
    pieces: &[&'static [u8]],
) -> Result<u64, String> {
    let sink = client.copy_in::<_, Bytes>(sql).await.map_err(|error| code(&error))?;
    let mut sink = std::pin::pin!(sink);
    for piece in pieces {
        sink.send(Bytes::from_static(piece)).await.map_err(|error| code(&error))?;
    }
    sink.finish().await.map_err(|error| code(&error))
}

#[tokio::test]
async fn rows_come_in() {
    let server = Server::start().await;
    let client = server.client().await;
    let some = |text: &str| Some(text.to_owned());
    let sql = "copy logs (timestamp, line, app) from stdin (format csv)";
    let got = copy_in(&client, sql, &[b"2026-01-01 00:00Z,\"a", b" \"\"b\"\"\",x\n,c,\n"]).await;
    assert_eq!(got, Ok(2));
    let sql = "insert into logs (line, app) values ('v', 'y'), ('w' || 1, default)";
    assert_eq!(client.execute(sql, &[]).await.unwrap(), 2);
    let sql = "insert into logs (timestamp, line) values ($1, $2)";
    let at = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(5);
    assert_eq!(client.execute(sql, &[&at, &"p"]).await.unwrap(), 1);
    let sql = "insert into logs (line) select line from logs where stream_id = 1 limit 2";
    assert_eq!(client.execute(sql, &[]).await.unwrap(), 2);
    let stored = std::mem::take(&mut *server.memory.stored.lock().unwrap());
    assert_eq!(stored[0], [some("2026-01-01T00:00:00Z"), some("a \"b\""), some("x")]);
    assert_eq!(stored[1], [None, some("c"), None]);
    assert_eq!(stored[2..4], [vec![some("v"), some("y")], vec![some("w1"), None]]);
    assert_eq!(stored[4], [some("1970-01-01T00:00:05Z"), some("p")]);
    assert_eq!(stored.len(), 7);
}

#[tokio::test]
async fn what_may_not_come_in() {
    let server = Server::start().await;
    let client = server.client().await;
    for (sql, data, expected) in [
        ("copy logs (line, app) from stdin", &b"only\n"[..], "22P04"),
        ("copy logs (line) from stdin", b"a\tb\n", "22P04"),
        ("copy logs (timestamp, line) from stdin", b"soon\tb\n", "22007"),
        ("copy logs (line) from stdin", b"\xff\n", "22021"),
        ("copy logs (line) from stdin (format binary)", b"nonsense nonsense", "22P04"),
        ("copy logs (line, level) from stdin", b"", "22023"),
        ("copy nope (line) from stdin", b"", "42P01"),
        ("copy logs (line) from stdin", b"refused\n", "23514"),
    ] {
        // The client gets out of step where a COPY is refused before its data: one for each.
        let client = server.client().await;
        let got = copy_in(&client, sql, &[data]).await;
        assert_eq!(got, Err(expected.to_owned()), "{sql}");
    }
    for (sql, expected) in [
        ("insert into logs (line) values ('a', 'b')", "42601"),
        ("insert into logs (line, app) select 'a'", "42601"),
        ("insert into logs (line) values ('refused')", "23514"),
        ("insert into pg_class (relname) values ('a')", "42P01"),
        ("begin read only; insert into logs (line) values ('a')", "25006"),
        (
            "rollback; set default_transaction_read_only = on; insert into logs (line) values ('a')",
            "25006",
        ),
    ] {
        assert_eq!(answer(&client, sql).await, [expected], "{sql}");
    }
    assert!(server.memory.stored.lock().unwrap().is_empty());
}

#[tokio::test]
async fn errors_point_into_the_text() {
    let server = Server::start().await;
    let client = server.client().await;
    for (sql, position) in [
        ("select nope from logs", 8),
        ("select 1; select 'é', nope from logs", 23),
        ("select 1 from nope", 15),
        ("select nope(1)", 8),
        ("selec 1", 1),
        ("select 1 +", 11),
    ] {
        let error = client.simple_query(sql).await.unwrap_err();
        let error = error.as_db_error().unwrap();
        let found = match error.position() {
            Some(tokio_postgres::error::ErrorPosition::Original(at)) => Some(*at),
            _ => None,
        };
        assert_eq!(found, Some(position), "{sql}: {}", error.message());
    }
}
