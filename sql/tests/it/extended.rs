//! The extended protocol: parameters, types, portals, prepared statements over a changing table.

use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use futures::TryStreamExt;
use tokio_postgres::types::{ToSql, Type};

use crate::memory::{START, Server, code, connect, options, rows};

#[tokio::test]
async fn parameters_of_all_types() {
    let server = Server::start().await;
    let client = server.client().await;
    let at = SystemTime::UNIX_EPOCH + Duration::from_nanos(START as u64 + 10_000_000_000);
    let sql = "select line, timestamp, stream_id, true, 1.5::float8, level from logs \
               where app = $1 and timestamp >= $2 and stream_id < $3 order by timestamp limit $4";
    let rows = client.query(sql, &[&"app3", &at, &50i64, &2i64]).await.unwrap();
    assert_eq!(rows.len(), 2);
    let row = &rows[0];
    assert_eq!(
        row.get::<_, &str>(0),
        "info request 13 took 13ms path=/api/6".replace("info", "warn")
    );
    assert_eq!(row.get::<_, SystemTime>(1), at + Duration::from_secs(3));
    assert_eq!(row.get::<_, i64>(2), 13);
    assert!(row.get::<_, bool>(3));
    assert_eq!(row.get::<_, f64>(4), 1.5);
    assert_eq!(row.get::<_, Option<&str>>(5), Some("warn"));
}

#[tokio::test]
async fn parameter_types() {
    let server = Server::start().await;
    let client = server.client().await;
    let cases: &[(&str, &[Type])] = &[
        ("select $1", &[Type::TEXT]),
        ("select $1::int, $2::bool, $3::timestamptz", &[Type::INT4, Type::BOOL, Type::TIMESTAMPTZ]),
        (
            "select * from logs where line like $1 limit $2 offset $3",
            &[Type::TEXT, Type::INT8, Type::INT8],
        ),
        ("select * from logs where app = any($1)", &[Type::TEXT_ARRAY]),
        ("select * from logs where app in ($1, $2)", &[Type::TEXT, Type::TEXT]),
        ("select * from logs where stream_id between $1 and $2", &[Type::INT8, Type::INT8]),
        ("select * from logs where timestamp > now() - $1::interval", &[Type::INTERVAL]),
        ("select 1", &[]),
    ];
    for (sql, expected) in cases {
        let statement = client.prepare(sql).await.unwrap();
        assert_eq!(statement.params(), *expected, "{sql}");
    }
    let declared = client.prepare_typed("select $1", &[Type::INT8]).await.unwrap();
    assert_eq!(declared.columns()[0].type_(), &Type::INT8);
    let row = client.query_one(&declared, &[&7i64]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 7);
}

#[tokio::test]
async fn arrays_and_nulls() {
    let server = Server::start().await;
    let client = server.client().await;
    let sql = "select count(*) from logs where app = any($1)";
    let row = client.query_one(sql, &[&vec!["app1", "app2"]]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 600);
    let row = client.query_one("select $1::text, array['a', $1]", &[&None::<&str>]).await.unwrap();
    assert_eq!(row.get::<_, Option<&str>>(0), None);
    assert_eq!(row.get::<_, Vec<Option<&str>>>(1), [Some("a"), None]);
}

#[tokio::test]
async fn parameters_are_pushed_down() {
    let server = Server::start().await;
    let client = server.client().await;
    let sql = "select line from logs where app = $1 and line like $2 limit $3";
    client.query(sql, &[&"app3", &"%took%", &1i64]).await.unwrap();
    let request = server.memory.last_request();
    assert_eq!(request.groups.unwrap().len(), 10);
    assert_eq!(request.text.len(), 1);
    assert_eq!(request.limit, Some(1));
}

#[tokio::test]
async fn every_execution_opens_the_table_once() {
    let server = Server::start().await;
    let client = server.client().await;
    let sql = "select count(*) from logs a join logs b on a.timestamp = b.timestamp";
    let statement = client.prepare(sql).await.unwrap();
    let before = server.memory.opened.load(Ordering::SeqCst);
    for _ in 0..3 {
        client.query_one(&statement, &[]).await.unwrap();
    }
    assert_eq!(server.memory.opened.load(Ordering::SeqCst), before + 3);
    client.query_one("select 1", &[]).await.unwrap();
    assert_eq!(server.memory.opened.load(Ordering::SeqCst), before + 3);
}

#[tokio::test]
async fn prepared_statements_keep_their_columns() {
    let server = Server::start().await;
    let client = server.client().await;
    let sql = "select * from logs where stream_id = 1 limit 1";
    *server.memory.labels.lock().unwrap() = vec!["region"];
    let with = client.prepare(sql).await.unwrap();
    *server.memory.labels.lock().unwrap() = vec!["zone"];
    // The column that is gone is null, the new one is not there, and the filter still works.
    let row = client.query_one(&with, &[]).await.unwrap();
    let names: Vec<&str> = row.columns().iter().map(|column| column.name()).collect();
    assert!(names.contains(&"region") && !names.contains(&"zone"), "{names:?}");
    assert_eq!(row.get::<_, Option<&str>>("region"), None);
    let filtered = "select count(*) from logs where region is null";
    *server.memory.labels.lock().unwrap() = vec!["region"];
    let filtered = client.prepare(filtered).await.unwrap();
    assert_eq!(client.query_one(&filtered, &[]).await.unwrap().get::<_, i64>(0), 0);
    *server.memory.labels.lock().unwrap() = vec![];
    assert_eq!(client.query_one(&filtered, &[]).await.unwrap().get::<_, i64>(0), 3000);
    // Prepared anew, it sees what is there.
    *server.memory.labels.lock().unwrap() = vec!["zone"];
    let row = client.query_one(sql, &[]).await.unwrap();
    assert_eq!(row.get::<_, Option<&str>>("zone"), Some("zone1"));
}

#[tokio::test]
async fn portals_stop_and_go_on() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let transaction = client.transaction().await.unwrap();
    let sql = "select stream_id from logs order by timestamp";
    let portal = transaction.bind(sql, &[]).await.unwrap();
    let mut seen = 0;
    loop {
        let rows = transaction.query_portal(&portal, 70).await.unwrap();
        for row in &rows {
            assert_eq!(row.get::<_, i64>(0), seen % 100);
            seen += 1;
        }
        if rows.len() < 70 {
            break;
        }
    }
    assert_eq!(seen, 3000);
    let other = transaction.bind("select 1", &[]).await.unwrap();
    assert_eq!(transaction.query_portal(&other, 0).await.unwrap().len(), 1);
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn rows_are_streamed() {
    let server = Server::start().await;
    *server.memory.pause.lock().unwrap() = Some(Duration::from_millis(300));
    let client = server.client().await;
    let none: [&(dyn ToSql + Sync); 0] = [];
    let started = std::time::Instant::now();
    let sql = "select line from logs where line like '%a%'";
    let rows = client.query_raw(sql, none).await.unwrap();
    tokio::pin!(rows);
    assert!(rows.try_next().await.unwrap().is_some());
    // Thirty batches take nine seconds; the first row is there long before.
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test]
async fn errors_in_the_extended_protocol() {
    let server = Server::start().await;
    let client = server.client().await;
    for (sql, expected) in [
        ("select nope from logs", "42703"),
        ("select 1; select 2", "42601"),
        ("select 1/(stream_id - 5) from logs", "22012"),
        ("drop table logs", "25006"),
    ] {
        let error = client.query(sql, &[]).await.unwrap_err();
        assert_eq!(code(&error), expected, "{sql}");
    }
    let error = client.query("select $1::int", &[&"x"]).await;
    assert!(error.is_err());
    assert_eq!(client.query("select 1", &[]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn other_tenants_and_databases() {
    let server = Server::with(options(), rows()).await;
    for (user, database, expected) in [("alice", "missing", "3D000"), ("nobody", "main", "28000")] {
        let mut config = server.config();
        let error = connect(config.user(user).dbname(database)).await.err().unwrap();
        assert_eq!(code(&error), expected);
    }
    let mut config = server.config();
    let client = connect(config.dbname("away")).await.unwrap();
    let error = client.query("select * from logs", &[]).await.unwrap_err();
    assert_eq!(code(&error), "57P03");
    assert_eq!(client.query("select 1", &[]).await.unwrap().len(), 1);
}
