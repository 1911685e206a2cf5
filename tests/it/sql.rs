//! SQL over the Postgres protocol: the same rows, with conditions pushed down.

use std::collections::BTreeMap;

use serde_json::json;

use crate::node::Node;

const T: i64 = 1_700_000_000_000_000_000;

async fn filled() -> Node {
    let node = Node::start().await;
    for pod in 0..10 {
        let entries: Vec<(i64, String)> = (0..100)
            .map(|i| {
                let level = if i % 10 == 0 { "error" } else { "info" };
                (T + i64::from(pod) * 1000 + i, format!("level={level} n={i} pod={pod}"))
            })
            .collect();
        let entries: Vec<(i64, &str)> =
            entries.iter().map(|(ts, line)| (*ts, line.as_str())).collect();
        let labels = json!({"app": "web", "pod": format!("pod-{pod}")});
        assert_eq!(node.push(&labels, &entries).await.status, 204);
        if pod == 5 {
            assert_eq!(node.post("/flush", "text/plain", "").await.status, 204);
        }
    }
    node
}

#[tokio::test]
async fn questions_people_ask() {
    let node = filled().await;
    let client = node.sql().await;
    let check = async |sql: &str, expected: &[&[&str]]| {
        let rows = client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let rows: Vec<Vec<String>> = rows
            .iter()
            .filter_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => {
                    Some((0..row.len()).map(|i| row.get(i).unwrap_or("NULL").to_string()).collect())
                }
                _ => None,
            })
            .collect();
        assert_eq!(rows, expected, "{sql}");
    };
    check("select count(*) from logs", &[&["1000"]]).await;
    check("select count(*) from logs where pod = 'pod-7'", &[&["100"]]).await;
    check("select count(*) from logs where line like '%level=error%'", &[&["100"]]).await;
    check("select count(*) from logs where level = 'error' and pod < 'pod-2'", &[&["20"]]).await;
    check(
        "select level, count(*) from logs group by level order by level",
        &[&["error", "100"], &["info", "900"]],
    )
    .await;
    check(
        "select line from logs where pod = 'pod-9' order by timestamp desc limit 2",
        &[&["level=info n=99 pod=9"], &["level=info n=98 pod=9"]],
    )
    .await;
    check("select distinct labels->>'pod' from logs where pod = 'pod-3'", &[&["pod-3"]]).await;
    check(
        "select structured_metadata from logs where pod = 'pod-1' and line like '%n=0 %'",
        &[&[r#"{"detected_level":"error"}"#]],
    )
    .await;
}

/// Beyond what is gathered at once, and over heads, chunks, shards, duplicates and equal times.
#[tokio::test]
async fn all_rows_come_in_the_order_of_time() {
    let node = Node::start().await;
    let mut expected: Vec<(i64, String)> = Vec::new();
    for round in 0..4 {
        for pod in 0..12_i64 {
            let entries: Vec<(i64, String)> = (0..60_i64)
                .map(|i| {
                    // Seconds that all share, days that few have, and the last round once more.
                    let round = if round == 3 { 2 } else { round };
                    let at = match i % 3 {
                        0 => T + i * 1_000_000_000,
                        1 => T + (i * pod + round) * 1_000_000,
                        _ => T - (i * i * pod + round) * 60_000_000_000,
                    };
                    (at, format!("{round} {pod} {i}"))
                })
                .collect();
            let lines: Vec<(i64, &str)> =
                entries.iter().map(|(at, line)| (*at, line.as_str())).collect();
            let labels = json!({"app": "web", "pod": format!("pod-{pod}")});
            assert_eq!(node.push(&labels, &lines).await.status, 204);
            expected.extend(entries);
        }
        if round < 2 {
            assert_eq!(node.post("/flush", "text/plain", "").await.status, 204);
        }
    }
    expected.sort();
    expected.dedup();
    let client = node.sql().await;
    let check = async |rest: &str, wanted: &[(i64, String)], newest: bool| {
        let sql = format!("select timestamp, line from logs {rest}");
        let rows = client.query(&sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let nanos = |at: std::time::SystemTime| {
            let since = at.duration_since(std::time::UNIX_EPOCH).expect("after 1970");
            i64::try_from(since.as_nanos()).expect("in range")
        };
        let got: Vec<(i64, String)> =
            rows.iter().map(|row| (nanos(row.get(0)), row.get(1))).collect();
        let in_order = got.windows(2).all(|pair| match newest {
            true => pair[0].0 >= pair[1].0,
            false => pair[0].0 <= pair[1].0,
        });
        assert!(in_order, "{sql}");
        let mut got = got;
        got.sort();
        assert!(got == wanted, "{sql}: {} rows of {}", got.len(), wanted.len());
    };
    for (direction, newest) in [("asc", false), ("desc", true)] {
        let order = format!("order by timestamp {direction}");
        check(&order, &expected, newest).await;
        check(&format!("{order} limit 200000"), &expected, newest).await;
        let some = |keep: &dyn Fn(&str) -> bool| -> Vec<(i64, String)> {
            expected.iter().filter(|(_, line)| keep(line)).cloned().collect()
        };
        let of_pod = some(&|line| line.split(' ').nth(1) == Some("7"));
        check(&format!("where pod = 'pod-7' {order}"), &of_pod, newest).await;
        let with_text = some(&|line| line.contains(" 1"));
        check(&format!("where line like '% 1%' {order}"), &with_text, newest).await;
        let short = some(&|line| line.len() == 5);
        check(&format!("where length(line) = 5 {order}"), &short, newest).await;
    }
}

#[tokio::test]
async fn conditions_are_pushed_down() {
    let node = filled().await;
    let client = node.sql().await;
    let explain = async |sql: &str| {
        let rows = client.query(&format!("explain {sql}"), &[]).await.expect("a plan");
        let lines: Vec<String> =
            rows.iter().map(|row| row.get::<_, String>(row.len() - 1)).collect();
        lines.join("\n")
    };
    let plan = explain(
        "select line from logs where pod = 'pod-1' and line like '%error%' \
         and timestamp >= '2023-11-14T22:13:20Z'",
    )
    .await;
    assert!(plan.contains("groups=1/10"), "{plan}");
    assert!(plan.contains("error"), "{plan}");
    assert!(plan.contains("time="), "{plan}");
    assert!(!plan.contains("FilterExec"), "{plan}");
}

/// What is known of blocks answers for their rows, and EXPLAIN ANALYZE says for how many.
#[tokio::test]
async fn counts_come_from_what_is_known_of_blocks() {
    let node = filled().await;
    assert_eq!(node.post("/flush", "text/plain", "").await.status, 204);
    let client = node.sql().await;
    let analyzed = async |sql: &str| -> BTreeMap<String, u64> {
        let plan = client.query(&format!("explain analyze {sql}"), &[]).await.expect("a plan");
        let lines: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        let scan = lines.iter().find(|line| line.contains("ScanExec")).expect("a scan");
        let (_, metrics) = scan.split_once("metrics=[").expect("what was counted");
        let counted = metrics.trim_end_matches(']').split(", ").filter_map(|metric| {
            let (name, n) = metric.split_once('=')?;
            Some((name.to_owned(), n.parse().ok()?))
        });
        counted.collect()
    };
    // Each stream has one block.
    let check = async |sql: &str, known: u64, pruned: u64| {
        let counted = analyzed(sql).await;
        let of = |name: &str| counted.get(name).copied().unwrap_or_else(|| panic!("{counted:?}"));
        let said = (of("blocks_from_metadata"), of("blocks_pruned"), of("blocks_read"));
        assert_eq!(said, (known, pruned, 10 - known - pruned), "{sql}: {counted:?}");
        if known + pruned == 10 {
            assert_eq!((of("rows_read"), of("line_bytes")), (0, 0), "{sql}");
        }
    };
    check("select count(*) from logs", 10, 0).await;
    check("select min(timestamp), max(timestamp) from logs", 10, 0).await;
    check("select pod, count(*) from logs group by 1", 10, 0).await;
    check("select date_trunc('hour', timestamp), level, count(*) from logs group by 1, 2", 10, 0)
        .await;
    check("select level, count(*) from logs where pod in ('pod-1', 'pod-2') group by 1", 2, 8)
        .await;
    check("select count(*) from logs where level = 'error'", 10, 0).await;
    // What is not known of them is read.
    check("select count(*) from logs where line like '%n=7 %'", 0, 0).await;
    check("select count(*) from logs where pod = 'pod-3' and length(line) > 3", 0, 9).await;
}

#[tokio::test]
async fn errors_carry_sqlstate_and_the_connection_goes_on() {
    let node = filled().await;
    let client = node.sql().await;
    for (sql, state) in [
        ("selec 1", "42601"),
        ("select nope from logs", "42703"),
        ("select * from nope", "42P01"),
        ("insert into logs values (1)", "22023"),
        ("drop table logs", "25006"),
    ] {
        let error = client.simple_query(sql).await.expect_err(sql);
        let code = error.code().map(tokio_postgres::error::SqlState::code);
        assert_eq!(code, Some(state), "{sql}: {error}");
    }
    assert_eq!(client.query("select 1", &[]).await.expect("a row").len(), 1);
}

#[tokio::test]
async fn rows_that_sql_stores_are_pushes() {
    let mut node = Node::start().await;
    let client = node.sql().await;
    let sql = "insert into logs (timestamp, line, app, structured_metadata) values \
               ('2023-11-14 22:13:20Z', 'first', 'web', '{\"trace\":\"t\"}'), \
               ('2023-11-14 22:13:21Z', 'second', 'web', null)";
    assert_eq!(client.execute(sql, &[]).await.expect("stored"), 2);
    let sink = client
        .copy_in::<_, bytes::Bytes>("copy logs (timestamp, line, labels) from stdin (format csv)");
    let mut sink = Box::pin(sink.await.expect("takes rows"));
    let rows = "2023-11-14 22:13:22Z,third,\"{\"\"app\"\":\"\"web\"\",\"\"pod\"\":\"\"p\"\"}\"\n";
    futures::SinkExt::send(&mut sink, rows.into()).await.expect("sent");
    assert_eq!(sink.as_mut().finish().await.expect("stored"), 1);
    let lines = ["first", "second", "third"];
    assert_eq!(node.lines(r#"{app="web"}"#).await, lines);
    assert_eq!(node.lines(r#"{app="web"} | trace="t""#).await, ["first"]);
    let error = client.execute("insert into logs (line) values ('no label')", &[]).await;
    let error = error.expect_err("refused");
    assert_eq!(error.code().map(|code| code.code()), Some("23514"), "{error}");
    node.kill_and_restart().await;
    assert_eq!(node.lines(r#"{app="web"}"#).await, lines);
}

#[tokio::test]
async fn logql_and_the_tables_about_the_server() {
    let node = filled().await;
    let client = node.sql().await;
    let text = async |sql: &str| -> Vec<String> {
        let messages =
            client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let rows = messages.iter().filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => {
                let cells = (0..row.len()).map(|at| row.get(at).unwrap_or("NULL"));
                Some(cells.collect::<Vec<_>>().join("|"))
            }
            _ => None,
        });
        rows.collect()
    };
    let range = "'2023-11-14 22:00Z', '2023-11-14 23:00Z'";
    let sql = format!(
        "select count(*), min(labels->>'pod') from logql('{{app=\"web\"}} |= \"level=error\"', {range})"
    );
    assert_eq!(text(&sql).await, ["100|pod-0"]);
    let sql = format!(
        "select labels->>'pod', value from logql('sum by (pod) (count_over_time({{app=\"web\"}}[1h]))', \
         {range}) order by 1 limit 2"
    );
    assert_eq!(text(&sql).await, ["pod-0|100", "pod-1|100"]);
    assert_eq!(text("select count(*) from drave.streams").await, ["10"]);
    assert_eq!(
        text("select value, streams from drave.label_values where name = 'app'").await,
        ["web|10"]
    );
    assert_eq!(text("select count(*) > 0 from drave.chunks where entries > 0").await, ["t"]);
    assert_eq!(text("select node, alive from drave.nodes").await, ["1|t"]);
    assert_eq!(text("select bool_and(leader = 1) from drave.shards").await, ["t"]);
    assert_eq!(text("select streams from drave.tenants").await, ["10"]);
    // From what is known of blocks and from lines: the same.
    assert_eq!(
        text("select pod, count(*) from logs group by pod order by pod limit 1").await,
        ["pod-0|100"]
    );
    let error = client.simple_query("select * from logql('{')").await.expect_err("no query");
    assert_eq!(error.code().map(|code| code.code()), Some("22023"));
}

#[tokio::test]
async fn what_runs_is_a_table() {
    let node = std::sync::Arc::new(filled().await);
    let client = node.sql().await;
    let text = r#"sum by (n) (count_over_time({app="web"} | logfmt [1h]))"#;
    let asking: Vec<_> = (0..4)
        .map(|_| {
            let node = std::sync::Arc::clone(&node);
            tokio::spawn(async move {
                loop {
                    let params = [
                        ("query", text),
                        ("start", "1700000000"),
                        ("end", "1700020000"),
                        ("step", "10"),
                    ];
                    node.get("/loki/api/v1/query_range", &params).await;
                }
            })
        })
        .collect();
    let sql = "select id, text, rows >= 0 and bytes >= 0 and spilled = 0, started <= now() \
               from drave.queries where language = 'logql'";
    let start = std::time::Instant::now();
    let row = loop {
        // Sooner or later one is seen that holds what it reads.
        let holding =
            client.query(&format!("{sql} and memory > 0"), &[]).await.expect("rows").pop();
        if let Some(row) = holding {
            break row;
        }
        assert!(start.elapsed() < std::time::Duration::from_secs(20), "none is seen");
    };
    asking.iter().for_each(tokio::task::JoinHandle::abort);
    assert!(row.get::<_, String>(0).starts_with("logql-"));
    assert_eq!(row.get::<_, String>(1), text);
    assert!(row.get::<_, bool>(2) && row.get::<_, bool>(3));
    let own = "select pid = pg_backend_pid(), \"user\", text from drave.queries \
               where language = 'sql'";
    let rows = client.query(own, &[]).await.expect("rows");
    assert_eq!(rows.len(), 1, "idle connections run nothing");
    assert!(rows[0].get::<_, bool>(0) && rows[0].get::<_, String>(2) == own);
    // What has ended is gone.
    let start = std::time::Instant::now();
    while !client.query(sql, &[]).await.expect("rows").is_empty() {
        assert!(start.elapsed() < std::time::Duration::from_secs(20), "it stays");
    }
}

/// Rows of one time came as they were read, which differed from page to page: some were on two and
/// others on none.
#[tokio::test]
async fn pages_of_equal_times_lose_and_double_nothing() {
    let node = Node::start().await;
    for stream in 0..20 {
        let lines: Vec<String> = (0..30).map(|n| format!("line {n} of {stream}")).collect();
        // Three times in all.
        let at = |n: usize| T + i64::try_from(n % 3).expect("small");
        let entries: Vec<(i64, &str)> =
            lines.iter().enumerate().map(|(n, line)| (at(n), line.as_str())).collect();
        let labels = json!({"stream": stream.to_string()});
        assert_eq!(node.push(&labels, &entries).await.status, 204);
        if stream == 12 {
            assert_eq!(node.post("/flush", "text/plain", "").await.status, 204);
        }
    }
    let client = node.sql().await;
    let lines = async |sql: String| -> Vec<String> {
        let rows = client.query(&sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        rows.iter().map(|row| row.get("line")).collect()
    };
    for direction in ["asc", "desc"] {
        let by = format!("order by timestamp {direction}");
        let whole = lines(format!("select line from logs {by}")).await;
        assert_eq!(whole.iter().collect::<std::collections::BTreeSet<_>>().len(), 600);
        // Pushed down, not pushed down, other columns, more than are gathered in one pass.
        for rows in [
            "line from logs",
            "line from logs where length(line) > 0",
            "* from logs where line like '%line%'",
        ] {
            for limit in [37, 200, 200_000] {
                let mut paged = Vec::new();
                while paged.len() < 600 {
                    let offset = paged.len();
                    let sql = format!("select {rows} {by} limit {limit} offset {offset}");
                    let page = lines(sql).await;
                    assert!(!page.is_empty(), "{rows} {by}: {offset} of 600");
                    paged.extend(page);
                }
                assert_eq!(paged, whole, "{rows} {by} limit {limit}");
            }
        }
    }
}
