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
    for (condition, text) in [
        ("line ~ 'abc'", r#"contains "abc""#),
        ("line ~ 'a.*c'", r#"matches "a.*c""#),
        ("line !~ 'a.*c'", r#"not matches "a.*c""#),
        ("line ~* 'abc'", r#"matches "abc" in any case"#),
        ("line ilike '%abc%'", r#"matches "abc" in any case"#),
        ("line not ilike '%abc%'", r#"not matches "abc" in any case"#),
        ("line like 'abc%'", r#"matches "\\Aabc""#),
        ("starts_with(line, 'abc')", r#"matches "\\Aabc""#),
        ("line like '%x_abc%'", r#"matches "x.abc""#),
        ("line = 'abc'", r#"matches "\\Aabc\\z""#),
        ("position('b' in line) > 0", r#"contains "b""#),
        ("line like '%a%' or line like '%b%'", r#"matches "a|b""#),
        ("line like '%50!%%' escape '!'", r#"contains "50%""#),
    ] {
        let sql = format!("select app from logs where {condition}");
        check(&client, &sql, &format!("text=[{text}]"), exact).await;
    }
}

#[tokio::test]
async fn columns_limits_and_order() {
    let server = Server::start().await;
    let client = server.client().await;
    check(&client, "select length(app) from logs", "projection=[app]", &["limit="]).await;
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
    assert!(plan.contains("rows_read=300"), "{plan}");
}

/// Each is asked as it is, and so that nothing can be counted in cells: the answers are the same.
#[tokio::test]
async fn cells_tell_what_rows_tell() {
    let server = Server::start().await;
    let client = server.client().await;
    for (what, group, bins) in [
        ("count(*)", "", ""),
        ("count(*), min(timestamp), max(timestamp)", "", ""),
        ("level, count(*)", "level", ""),
        ("app, level, count(*), max(timestamp)", "app, level", ""),
        ("upper(app), count(level), sum(length(level))", "upper(app)", ""),
        ("labels->>'pod', count(*) filter (where level = 'error')", "labels->>'pod'", ""),
        ("date_trunc('minute', timestamp), count(*)", "1", " of 60s"),
        ("date_trunc('month', timestamp), env, count(1)", "1, 2", " of 86400s"),
        ("date_bin('7 minutes', timestamp), count(*)", "1", " of 420s"),
        ("time_bucket('5 minutes', timestamp), level, count(line)", "1, 2", " of 300s"),
        (
            "date_trunc('minute', timestamp), extract(hour from timestamp), count(*)",
            "1, 2",
            " of 60s",
        ),
        ("to_char(date_trunc('hour', timestamp), 'HH24'), min(timestamp)", "1", " of 3600s"),
        ("timestamp::date, count(*), max(timestamp) filter (where level = 'x')", "1", " of 86400s"),
        ("date_trunc('hour', timestamp at time zone 'UTC'), count(*)", "1", " of 3600s"),
        ("count(distinct app)", "", ""),
        ("sum(case when level = 'error' then 1 else 0 end), count(*)", "", ""),
        ("sum(case when level = 'error' then 1.5::float8 end)", "", ""),
        ("app, count(*)", "rollup (app)", "rows"),
        ("date_trunc('hour', timestamp at time zone 'Asia/Tokyo'), count(*)", "1", "rows"),
        ("date_trunc('second', timestamp + interval '1 second'), count(*)", "1", "rows"),
        ("min(line), max(app)", "", "rows"),
        ("count(distinct line)", "", "rows"),
        ("avg(length(app))", "", "rows"),
        ("array_agg(distinct level order by level)", "", "rows"),
    ] {
        for condition in [
            "",
            "where level <> 'info'",
            "where line like '%3%'",
            "where app = 'nope'",
            "where timestamp >= '2026-01-01 00:20:00' and env = 'prod'",
        ] {
            let group = if group.is_empty() { String::new() } else { format!("group by {group}") };
            let sql = format!("select {what} from logs {condition} {group} order by 1");
            let plan = answer(&client, &format!("explain {sql}")).await.join("\n");
            let expected = if bins == "rows" { "ScanExec".into() } else { format!("cells{bins}") };
            assert!(plan.contains(&expected), "{sql}:\n{plan}");
            assert_eq!(plan.contains("cells"), bins != "rows", "{sql}:\n{plan}");
            // Chance cannot be told of cells.
            let sorted = |mut rows: Vec<String>| {
                rows.sort();
                rows
            };
            let rows = "(select * from logs where random() >= 0) logs";
            let by_rows = sql.replace("from logs", &format!("from {rows}"));
            let (cells, rows) = (answer(&client, &sql).await, answer(&client, &by_rows).await);
            assert_eq!(sorted(cells), sorted(rows), "{sql}");
        }
    }
}

#[tokio::test]
async fn limits_below_a_count_are_kept() {
    let server = Server::start().await;
    let client = server.client().await;
    let sql = "select count(*) from (select app from logs limit 7) x";
    assert_eq!(answer(&client, sql).await, ["7"]);
    let sql = "select level, count(*) from logs where level = 'info' group by 1 limit 1";
    assert_eq!(answer(&client, sql).await, ["info|1000"]);
}
