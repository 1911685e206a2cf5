//! Rows in the order of time, beyond what a table hands out in order: band after band.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, pin_mut};

use crate::memory::{GROUPS, Row, START, Server, options};
use crate::sql::answer;

const SECOND: i64 = 1_000_000_000;

/// Rows at these times, whose lines begin with their number and have so many bytes more.
fn at(times: impl IntoIterator<Item = i64>, padding: usize) -> Vec<Row> {
    let mut times: Vec<i64> = times.into_iter().collect();
    times.sort_unstable();
    let rows = times.into_iter().enumerate().map(|(n, at)| {
        let line = format!("{n} {}", "x".repeat(padding));
        Row { group: n % GROUPS, at, line, level: ["info", "warn", "error"][n % 3] }
    });
    rows.collect()
}

/// Whether all rows that are kept come, once each, in the order of their times.
async fn check(name: &str, rows: Vec<Row>) {
    let server = Server::with(options(), rows.clone()).await;
    let client = server.client().await;
    for (direction, newest) in [("", false), ("desc", true)] {
        for (condition, limit) in [
            ("", None),
            ("where level = 'info'", None),
            ("where app = 'app3'", None),
            ("where level <> 'info'", Some(rows.len().div_ceil(2).max(1))),
            ("", Some(150_000)),
        ] {
            let end = limit.map_or(String::new(), |limit| format!("limit {limit}"));
            let sql = format!(
                "select split_part(line, ' ', 1) from logs {condition} order by timestamp \
                 {direction} {end}"
            );
            let plan = answer(&client, &format!("explain {sql}")).await.join("\n");
            assert!(plan.contains("order="), "{plan}");
            let got: Vec<usize> =
                answer(&client, &sql).await.iter().map(|n| n.parse().unwrap()).collect();
            let kept = |row: &&Row| match condition {
                "where level = 'info'" => row.level == "info",
                "where level <> 'info'" => row.level != "info",
                "where app = 'app3'" => row.group % 10 == 3,
                _ => true,
            };
            let mut expected: Vec<i64> = rows.iter().filter(kept).map(|row| row.at).collect();
            if newest {
                expected.reverse();
            }
            expected.truncate(limit.unwrap_or(usize::MAX));
            let times: Vec<i64> = got.iter().map(|n| rows[*n].at).collect();
            assert!(times == expected, "{name}: {sql}: {} rows of {}", got.len(), expected.len());
            let once: BTreeSet<usize> = got.iter().copied().collect();
            assert_eq!(once.len(), got.len(), "{name}: {sql}: a row came twice");
        }
    }
}

#[tokio::test]
async fn all_rows_come_in_the_order_of_time() {
    check("none", Vec::new()).await;
    check("one", at([START], 0)).await;
    check("one time", at([START; 500], 0)).await;
    check("the ends of time", at([i64::MIN, i64::MIN, -1, 0, START, i64::MAX - 1], 0)).await;
    // From years without a row to many in a second and back.
    let bursts = (0..2000).map(|n: i64| match n % 5 {
        0 => START + n * SECOND / 1000,
        1 => START + (n / 100) * SECOND,
        2 => START - n * n * 360 * SECOND,
        3 => START + n * 86_400 * SECOND,
        _ => START + n,
    });
    check("bursts", at(bursts, 10)).await;
}

/// A band that is full is left before any of it was returned, also where all of it is one time.
#[tokio::test]
async fn full_bands_are_begun_again() {
    let dense = (0..300).map(|n| START + n * SECOND / 1000);
    check("in a second", at(dense, 40_000)).await;
    check("at one time", at([START; 200], 40_000)).await;
}

/// They were all read and sorted before the first was sent.
#[tokio::test]
async fn the_first_rows_come_before_the_last_are_read() {
    let server = Server::with(options(), at((0..4000).map(|n| START + n * SECOND), 10_000)).await;
    let client = server.client().await;
    let rows = client.query_raw("select line from logs order by timestamp", Vec::<i32>::new());
    let rows = rows.await.unwrap();
    pin_mut!(rows);
    let first = rows.next().await.unwrap().unwrap();
    assert!(first.get::<_, String>(0).starts_with("0 "));
    let asked = server.memory.requests.lock().unwrap().clone();
    // What is near is asked for without an end, but for one row only.
    let bands = asked.iter().filter(|request| request.limit.is_none());
    let furthest = bands.map(|request| request.time.end).max().unwrap();
    assert!(furthest < START + 4000 * SECOND, "up to {furthest} of {asked:?}");
    let rest = rows.try_fold(1, async |n, _| Ok(n + 1)).await.unwrap();
    assert_eq!(rest, 4000);
}

/// What was read in bands is counted like any scan.
#[tokio::test]
async fn bands_are_counted() {
    let server = Server::with(options(), at((0..900).map(|n| START + n * SECOND), 0)).await;
    let client = server.client().await;
    let sql = "explain analyze select line from logs order by timestamp";
    let plan = answer(&client, sql).await.join("\n");
    assert!(plan.contains("output_rows=900, elapsed"), "{plan}");
    assert!(plan.contains("rows_read="), "{plan}");
}

/// Found by a bad input, a join of `logs` with itself five times: batches without columns hold no
/// bytes, so a join kept as many of them as it liked.
#[tokio::test]
async fn a_join_that_needs_no_column_keeps_a_number() {
    let server = Server::with(options(), at((0..30).map(|n| START + n * SECOND), 0)).await;
    let client = server.client().await;
    let sql = "select count(*) from logs a, logs b, logs c";
    let plan = answer(&client, &format!("explain {sql}")).await.join("\n");
    assert_eq!(plan.matches("BareRowsExec").count(), 2, "{plan}");
    assert_eq!(answer(&client, sql).await, ["27000"]);
    assert_eq!(answer(&client, "select count(*) from logs a, logs b where false").await, ["0"]);
    let sql = "select min(a.line) from logs a, logs b";
    assert_eq!(answer(&client, sql).await, ["0 "]);
}

/// `order by 2` put the window itself in the place of the number, where the groups that it is over were
/// no longer known: only a column with a name was found.
#[tokio::test]
async fn windows_over_groups_are_ordered_by_their_number() {
    let server = Server::start().await;
    let client = server.client().await;
    for (sql, expected) in [
        (
            "select level, row_number() over (order by count(*), level desc) from logs \
             group by level order by 2 limit 2",
            ["warn|1", "info|2"],
        ),
        (
            "select app, sum(count(*)) over (order by app), count(*) from logs group by app \
             order by 2 desc, 1 limit 2",
            ["app9|3000|300", "app8|2700|300"],
        ),
        (
            "select b from (select app, rank() over (order by count(*), app) as b from logs \
             group by app order by 2 desc limit 1) s union all select 0 order by 1 desc",
            ["10", "0"],
        ),
    ] {
        assert_eq!(answer(&client, sql).await, expected, "{sql}");
    }
}
