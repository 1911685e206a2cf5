//! Rows that come in by SQL and may not, or not all: what is refused, what is stored before, and that
//! nothing but rows can be written.

use futures::SinkExt;
use tokio_postgres::Client;

use crate::node::Node;

/// The SQLSTATE and the text of what must be an error.
async fn refused(client: &Client, sql: &str) -> (String, String) {
    let error = client.simple_query(sql).await.expect_err(sql);
    let error = error.as_db_error().unwrap_or_else(|| panic!("{sql}: {error}"));
    let hint = error.hint().unwrap_or_default();
    (error.code().code().to_owned(), format!("{} {hint}", error.message()))
}

async fn copy(client: &Client, statement: &str, rows: &[u8]) -> Result<u64, (String, String)> {
    let told = |error: tokio_postgres::Error| {
        let error = error.as_db_error().unwrap_or_else(|| panic!("{statement}: {error}"));
        let hint = error.hint().unwrap_or_default();
        (error.code().code().to_owned(), format!("{} {hint}", error.message()))
    };
    let sink = client.copy_in::<_, bytes::Bytes>(statement).await.map_err(told)?;
    let mut sink = Box::pin(sink);
    for piece in rows.chunks(60_000) {
        if sink.send(bytes::Bytes::copy_from_slice(piece)).await.is_err() {
            break;
        }
    }
    sink.as_mut().finish().await.map_err(told)
}

async fn count(client: &Client) -> i64 {
    client.query_one("select count(*) from logs", &[]).await.expect("a count").get(0)
}

#[tokio::test]
async fn a_row_that_may_not_be_stored_refuses_its_statement() {
    let node = Node::start().await;
    let client = node.sql().await;
    let huge = "x".repeat(300_000);
    let name = "n".repeat(2000);
    for (values, state, says) in [
        ("(line, app) values (null, 'a')", "23514", "not-null"),
        ("(line, app) values ('good', 'a'), (null, 'a')", "23514", "not-null"),
        ("(line, app) values ('x', null)", "23514", "at least one label"),
        ("(timestamp, line, app) values ('yesterdayish', 'x', 'a')", "22007", "yesterdayish"),
        ("(timestamp, line, app) values ('2026-13-01', 'x', 'a')", "22007", ""),
        ("(line, labels) values ('x', '[]')", "23514", "JSON object"),
        ("(line, labels) values ('x', '{\"a\": 1}')", "23514", "JSON object"),
        ("(line, app, labels) values ('x', 'a', '{\"app\": \"b\"}')", "23514", "in one row"),
        ("(line, \"0-bad\") values ('x', 'a')", "23514", ""),
        ("(line, app, structured_metadata) values ('x', 'a', 'no')", "23514", "JSON object"),
        ("(line, app, level) values ('x', 'a', 'info')", "22023", "computed"),
        ("(line, app, stream_id) values ('x', 'a', 1)", "22023", "computed"),
        ("(line) values ('x')", "23514", "at least one label"),
        ("(app) values ('x')", "22023", "line"),
        ("(line, app) values ('x')", "42601", "more target columns"),
        ("(line, app, app) values ('x', 'a', 'b')", "42701", "app"),
        ("(line, app) values ('x', 'a') returning line", "0A000", ""),
        (&*format!("(line, {name}) values ('x', 'a')"), "23514", ""),
    ] {
        let (code, text) = refused(&client, &format!("insert into logs {values}")).await;
        let shown = &values[..values.len().min(90)];
        assert_eq!(code, state, "{shown}: {text}");
        assert!(text.contains(says), "{shown}: {text}");
    }
    let sql = "insert into logs (line, app) values ('good', 'a'), ($1, 'a')";
    let error = client.execute(sql, &[&huge]).await.expect_err("too long a line");
    assert_eq!(error.code().map(|code| code.code()), Some("23514"), "{error}");
    assert_eq!(count(&client).await, 0, "nothing of a refused statement is there");

    // Equal rows without a time are as many as they are.
    let sql = "insert into logs (line, app) values ('same', 'a'), ('same', 'a'), ('same', 'b')";
    assert_eq!(client.execute(sql, &[]).await.expect("stored"), 3);
    assert_eq!(count(&client).await, 3);
    let sql = "insert into logs (line, app) select line || ' again', 'c' from logs";
    assert_eq!(client.execute(sql, &[]).await.expect("stored"), 3);
    assert_eq!(count(&client).await, 6);
}

#[tokio::test]
async fn a_copy_says_what_it_stored_before_it_failed() {
    let node = Node::start().await;
    let client = node.sql().await;
    let statement = "copy logs (timestamp, line, app) from stdin";
    let row = |n: usize| format!("2026-01-02 03:04:05.{n:06}Z\tline {n}\ta\n");
    let good: String = (0..8300).map(row).collect();
    let last = "2026-01-02 03:04:05Z\tno label\t\\N\n";
    let (code, text) = copy(&client, statement, format!("{good}{last}").as_bytes())
        .await
        .expect_err("the last row is bad");
    assert_eq!(code, "23514", "{text}");
    assert!(text.contains("at least one label"), "{text}");
    assert!(text.contains("8192 rows were stored before"), "{text}");
    assert_eq!(count(&client).await, 8192);
    for (last, state, says) in [
        ("soon\tx\ta\n", "22007", "soon"),
        ("2026-01-02\ttoo few\n", "22P04", "missing data"),
        ("2026-01-02\ttoo\tmany\tof them\n", "22P04", "extra data"),
    ] {
        let rows = format!("{}{last}", row(9000));
        let (code, text) = copy(&client, statement, rows.as_bytes()).await.expect_err("bad");
        assert_eq!(code, state, "{text}");
        assert!(text.contains(says) && text.contains("line 2"), "{text}");
        assert_eq!(count(&client).await, 8192);
    }
    // Sent again, without what was bad: none is there twice.
    assert_eq!(copy(&client, statement, good.as_bytes()).await, Ok(8300));
    assert_eq!(count(&client).await, 8300);

    let csv = "copy logs (timestamp, line, app) from stdin (format csv)";
    for (rows, state) in [
        (&b"2026-01-02,\"open,a\n"[..], "22P04"),
        (b"2026-01-02,\xff\xfe,a\n", "22021"),
        (b",,\n", "23514"),
    ] {
        let (code, text) = copy(&client, csv, rows).await.expect_err("bad");
        assert_eq!(code, state, "{text}");
    }
    let binary = "copy logs (timestamp, line, app) from stdin (format binary)";
    for rows in [&b"nonsense"[..], b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\x7f", b""] {
        let (code, text) = copy(&client, binary, rows).await.expect_err("bad");
        assert!(code.starts_with("22"), "{code} {text}");
    }
    // A line without an end is cut off before it fills the memory.
    let endless = vec![b'x'; 17 << 20];
    let (code, text) = copy(&client, statement, &endless).await.expect_err("endless");
    assert_eq!(code, "54000", "{text}");
    assert_eq!(count(&client).await, 8300);
}

#[tokio::test]
async fn nothing_but_rows_is_written() {
    let node = Node::start().await;
    let client = node.sql().await;
    let secret = node.data().join("addresses.json");
    let secret = secret.display();
    for sql in [
        format!("copy logs (line, app) from '{secret}'"),
        format!("copy (select 1) to '{secret}.out'"),
        "copy logs (line, app) from program 'id'".into(),
        "copy (select 1) to program 'id'".into(),
        format!("select * from '{secret}'"),
        format!("select * from read_csv('{secret}')"),
        format!("create external table t stored as csv location '{secret}'"),
        format!("select pg_read_file('{secret}')"),
        "select lo_import('/etc/passwd')".into(),
        "create table t as select 1".into(),
        "create function f() returns int language sql as 'select 1'".into(),
        "load 'x'".into(),
        "set datafusion.execution.target_partitions = 1".into(),
        "set datafusion.runtime.memory_limit = '1K'".into(),
        "reset datafusion.execution.batch_size".into(),
        "select set_config('datafusion.execution.batch_size', '1', false)".into(),
        "alter system set work_mem = '1GB'".into(),
        "insert into drave.nodes (node) values (1)".into(),
        "insert into pg_class (relname) values ('x')".into(),
        "copy drave.streams from stdin".into(),
        "explain analyze insert into logs (line, app) values ('x', 'a')".into(),
        "update logs set line = 'x'".into(),
        "delete from logs".into(),
        "with x as (delete from logs returning *) select * from x".into(),
        "prepare p as insert into logs (line, app) values ('x', 'a'); execute p; drop table logs"
            .into(),
    ] {
        let (code, text) = refused(&client, &sql).await;
        assert!(code.len() == 5 && code != "XX000", "{sql}: {code} {text}");
    }
    assert!(!std::path::Path::new(&format!("{secret}.out")).exists());
    let begin = client.simple_query("begin read only").await;
    begin.expect("a transaction");
    let (code, _) = refused(&client, "insert into logs (line, app) values ('x', 'a')").await;
    assert_eq!(code, "25006");
    client.simple_query("rollback").await.expect("rolled back");
    let rows = client.query("select line from logs", &[]).await.expect("rows");
    assert!(rows.iter().all(|row| row.get::<_, &str>(0) == "x"), "only the prepared one");
}
