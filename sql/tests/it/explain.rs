//! What reaches the table: the text of EXPLAIN and the requests that scans made.

use drave_sql::TextFilter;
use tokio_postgres::Client;

use crate::memory::{START, Server};
use crate::sql::answer;

/// The plan of `sql` must contain `expected` and, if the scan does everything, no filter.
async fn check(client: &Client, sql: &str, expected: &str, without: &[&str]) {
    let plan = answer(client, &format!("explain {sql}")).await.join("\n");
    assert!(plan.contains(expected), "{sql}:\n{plan}\nhas no {expected}");
    for node in without {
        assert!(!plan.contains(node), "{sql}:\n{plan}\nhas a {node}");
    }
}

#[tokio::test]
async fn groups() {
    let server = Server::start().await;
    let client = server.client().await;
    let exact = &["FilterExec"];
    check(&client, "select line from logs where app = 'app1'", "groups=10/100", exact).await;
    check(
        &client,
        "select line from logs where app = 'app1' and env = 'dev'",
        "groups=5/100",
        exact,
    )
    .await;
    check(&client, "select line from logs where app ~ 'app[12]'", "groups=20/100", exact).await;
    check(&client, "select line from logs where labels->>'pod' = 'pod-42'", "groups=1/100", exact)
        .await;
    check(&client, "select line from logs where app in ('app1', 'x')", "groups=10/100", exact)
        .await;
    check(
        &client,
        "select line from logs where stream_id < 3 or app = 'nope'",
        "groups=3/100",
        exact,
    )
    .await;
    check(&client, "select line from logs where upper(app) = current_user", "groups=0/100", exact)
        .await;
    check(
        &client,
        "select line from logs where app = 'app1' or level = 'x'",
        "FilterExec",
        &["groups"],
    )
    .await;
    check(&client, "select line from logs where level = 'info'", "FilterExec", &["groups"]).await;
}

#[tokio::test]
async fn time() {
    let server = Server::start().await;
    let client = server.client().await;
    let exact = &["FilterExec"];
    let half_open = "time=[2026-01-01T00:00:10Z..2026-01-01T00:00:20Z)";
    check(
        &client,
        "select line from logs where timestamp >= '2026-01-01 00:00:10' and timestamp < \
         '2026-01-01 00:00:20'",
        half_open,
        exact,
    )
    .await;
    check(
        &client,
        "select line from logs where timestamp between '2026-01-01 00:00:10' and \
         timestamp '2026-01-01 00:00:19.999999999'",
        half_open,
        exact,
    )
    .await;
    check(
        &client,
        "select line from logs where timestamp > now() - interval '1 hour'",
        "time=[",
        exact,
    )
    .await;
    check(
        &client,
        "select line from logs where timestamp::timestamp >= '2026-01-01 00:00:10'",
        "time=[2026-01-01T00:00:10Z..)",
        exact,
    )
    .await;
}

#[tokio::test]
async fn text() {
    let server = Server::start().await;
    let client = server.client().await;
    let exact = &["FilterExec"];
    check(
        &client,
        "select app from logs where line like '%a b%'",
        r#"text=[contains "a b"]"#,
        exact,
    )
    .await;
    check(
        &client,
        "select app from logs where line not like '%a%' and strpos(line, 'b') > 0",
        r#"text=[not contains "a", contains "b"]"#,
        exact,
    )
    .await;
    check(&client, "select app from logs where line ~ 'abc'", r#"text=[contains "abc"]"#, exact)
        .await;
    for inexact in ["line like 'abc%'", "line like '%x_abc%'", "line = 'abc'"] {
        let sql = format!("select app from logs where {inexact}");
        check(&client, &sql, r#"text=[contains "abc"]"#, &[]).await;
        check(&client, &sql, "FilterExec", &[]).await;
    }
}

#[tokio::test]
async fn columns_limits_and_order() {
    let server = Server::start().await;
    let client = server.client().await;
    check(&client, "select count(*) from logs", "projection=[]", &["limit="]).await;
    check(&client, "select app from logs", "projection=[app]", &["line"]).await;
    check(&client, "select app from logs limit 7", "limit=7", &[]).await;
    check(&client, "select app from logs where app = 'app1' limit 7", "limit=7", &["FilterExec"])
        .await;
    check(&client, "select app from logs where level = 'x' limit 7", "FilterExec", &["limit=7"])
        .await;
    let newest = "order=newest first, limit=5";
    check(
        &client,
        "select timestamp, line from logs order by timestamp desc limit 5",
        newest,
        &["Sort"],
    )
    .await;
    check(&client, "select line from logs order by timestamp desc limit 5", newest, &["Sort"])
        .await;
    check(&client, "select line from logs order by timestamp", "order=oldest first", &["Sort"])
        .await;
    check(
        &client,
        "select timestamp, line from logs where level = 'x' order by timestamp desc limit 5",
        "order=newest first",
        &["first, limit"],
    )
    .await;
    check(&client, "select line from logs order by line limit 5", "Sort", &["order=", "limit=5"])
        .await;
    check(
        &client,
        "select line from (select timestamp, line from logs limit 9) order by timestamp desc",
        "Sort",
        &["order="],
    )
    .await;
}

#[tokio::test]
async fn requests() {
    let server = Server::start().await;
    let client = server.client().await;
    let sql = "select line from logs where app = 'app3' and env = 'prod' and host = 'host0' \
               and timestamp >= '2026-01-01' and line like '%request 3%' \
               order by timestamp desc limit 2";
    let rows = answer(&client, sql).await;
    assert_eq!(
        rows,
        ["info request 303 took 12ms path=/api/2", "info request 3 took 3ms path=/api/3",]
    );
    let request = server.memory.last_request();
    assert_eq!(request.groups, Some(vec![3]));
    assert_eq!(request.time, START..i64::MAX);
    assert_eq!(request.text, [TextFilter::Contains("request 3".into())]);
    assert_eq!(request.projection.first(), Some(&0));
    assert_eq!(request.limit, Some(2));
    assert_eq!(request.newest_first, Some(true));
}

#[tokio::test]
async fn impossible_conditions_read_nothing() {
    let server = Server::start().await;
    let client = server.client().await;
    for sql in [
        "select line from logs where app = 'nope'",
        "select line from logs where timestamp < '2025-01-01' and timestamp > '2026-01-01'",
        "select line from logs where false",
    ] {
        assert!(answer(&client, sql).await.is_empty());
    }
    assert!(server.memory.requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn explain_analyze_counts_rows() {
    let server = Server::start().await;
    let client = server.client().await;
    let sql = "explain analyze select line from logs where app = 'app1'";
    let plan = answer(&client, sql).await.join("\n");
    assert!(plan.contains("output_rows=300"), "{plan}");
}
