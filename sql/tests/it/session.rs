//! Transactions, settings, cancelling, timeouts, limits and stopping.

use std::time::{Duration, Instant};

use tokio_postgres::NoTls;

use crate::memory::{Server, code, connect, options, rows};
use crate::sql::answer;

const SLOW: &str = "select count(*) from generate_series(1, 1000000000000)";

#[tokio::test]
async fn transactions() {
    let server = Server::start().await;
    let client = server.client().await;
    let steps: &[(&str, &[&str])] = &[
        ("begin", &[]),
        ("select 1", &["1"]),
        ("savepoint a", &[]),
        ("select nope", &["42703"]),
        ("select 1", &["25P02"]),
        ("rollback to savepoint a", &[]),
        ("select 1", &["1"]),
        ("release savepoint a", &[]),
        ("select nope", &["42703"]),
        ("commit", &[]),
        ("select 2", &["2"]),
        ("savepoint a", &["25P01"]),
        ("commit", &[]),
        ("begin; set local statement_timeout = '7s'; show statement_timeout", &["7s"]),
        ("commit", &[]),
        ("show statement_timeout", &["0"]),
        ("begin; set application_name = 'a'", &[]),
        ("rollback", &[]),
        ("show application_name", &[""]),
        ("begin; set application_name = 'b'; commit", &[]),
        ("show application_name", &["b"]),
        ("reset all", &[]),
        ("show application_name", &[""]),
        ("discard all", &[]),
        ("deallocate all", &[]),
        ("set session characteristics as transaction read only", &[]),
        ("unlisten *", &[]),
        ("close all", &[]),
    ];
    for (sql, expected) in steps {
        assert_eq!(answer(&client, sql).await, *expected, "{sql}");
    }
    let all = answer(&client, "show all").await;
    assert!(all.contains(&"TimeZone|UTC|".to_owned()), "{all:?}");
}

#[tokio::test]
async fn timeouts() {
    let server = Server::start().await;
    let client = server.client().await;
    assert!(answer(&client, "set statement_timeout = 300").await.is_empty());
    let started = Instant::now();
    assert_eq!(answer(&client, SLOW).await, ["57014"]);
    let error = client.query(SLOW, &[]).await.unwrap_err();
    assert_eq!(code(&error), "57014");
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    assert_eq!(answer(&client, "select 1").await, ["1"]);
}

#[tokio::test]
async fn the_server_limits_timeouts() {
    let limit = Duration::from_millis(400);
    let server = Server::with(super::memory::options_with_timeout(limit), rows()).await;
    let client = server.client().await;
    assert!(answer(&client, "set statement_timeout = 0").await.is_empty());
    assert_eq!(answer(&client, SLOW).await, ["57014"]);
    assert!(answer(&client, "set statement_timeout = '1h'").await.is_empty());
    assert_eq!(answer(&client, SLOW).await, ["57014"]);
}

#[tokio::test]
async fn cancel() {
    let server = Server::start().await;
    let client = server.client().await;
    let token = client.cancel_token();
    let started = Instant::now();
    let (result, ()) = tokio::join!(client.simple_query(SLOW), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        token.cancel_query(NoTls).await.unwrap();
    });
    assert_eq!(code(&result.unwrap_err()), "57014");
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    // A cancel request that comes between statements is for none of them.
    token.cancel_query(NoTls).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(answer(&client, "select 1").await, ["1"]);
}

#[tokio::test]
async fn heavy_statements_do_not_delay_others() {
    let server = Server::start().await;
    let heavy: Vec<_> = futures::future::join_all((0..2).map(|_| server.client())).await;
    let running: Vec<_> = heavy
        .into_iter()
        .map(|client| tokio::spawn(async move { client.simple_query(SLOW).await.map(|_| ()) }))
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let started = Instant::now();
    let client = server.client().await;
    assert_eq!(answer(&client, "select 1").await, ["1"]);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    for task in running {
        task.abort();
    }
}

#[tokio::test]
async fn too_many_connections() {
    let mut options = options();
    options.max_connections = 2;
    let server = Server::with(options, rows()).await;
    let (one, _two) = (server.client().await, server.client().await);
    let error = connect(&server.config()).await.err().unwrap();
    assert_eq!(code(&error), "53300");
    // There must still be room for a cancel request.
    let token = one.cancel_token();
    let (result, ()) = tokio::join!(one.simple_query(SLOW), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        token.cancel_query(NoTls).await.unwrap();
    });
    assert_eq!(code(&result.unwrap_err()), "57014");
    drop(one);
    for _ in 0..50 {
        if connect(&server.config()).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the place of a client that left is not given away");
}

#[tokio::test]
async fn stopping_tells_clients() {
    let mut server = Server::start().await;
    let client = server.client().await;
    let running = tokio::spawn(async move { client.simple_query(SLOW).await.map(|_| ()) });
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.stop.take().unwrap().send(()).unwrap();
    let error = running.await.unwrap().unwrap_err();
    assert_eq!(code(&error), "57P01");
    server.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_panic_ends_one_statement() {
    let server = Server::start().await;
    let mut config = server.config();
    let client = connect(config.dbname("panics")).await.unwrap();
    assert_eq!(answer(&client, "select * from logs").await, ["XX000"]);
    assert_eq!(answer(&client, "select 1").await, ["1"]);
    assert_eq!(answer(&client, "select * from logs").await, ["XX000"]);
}
