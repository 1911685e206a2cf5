//! Statements and what comes back: rows as text, or an SQLSTATE.

use tokio_postgres::{Client, SimpleQueryMessage};

use crate::memory::{Server, code};

/// Runs one statement; rows as `a|b`, null as `NULL`, an error as its SQLSTATE.
pub(crate) async fn answer(client: &Client, sql: &str) -> Vec<String> {
    match client.simple_query(sql).await {
        Err(error) => vec![code(&error)],
        Ok(messages) => messages
            .iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => {
                    let cells = (0..row.len()).map(|index| row.get(index).unwrap_or("NULL"));
                    Some(cells.collect::<Vec<_>>().join("|"))
                }
                _ => None,
            })
            .collect(),
    }
}

async fn check(cases: &[(&str, &[&str])]) {
    let server = Server::start().await;
    let client = server.client().await;
    for (sql, expected) in cases {
        let got = answer(&client, sql).await;
        assert!(got == *expected, "{sql}: {:?}, not {expected:?}", &got[..got.len().min(5)]);
    }
}

#[tokio::test]
async fn rows() {
    check(&[
        ("select 1", &["1"]),
        ("select 1, 1, 'a' || 'b', null, true, 1.5::float8", &["1|1|ab|NULL|t|1.5"]),
        ("select count(*) from logs", &["3000"]),
        ("select count(*), count(*) from logs where level = 'error'", &["1000|1000"]),
        (
            "select timestamp, line, level, app from logs order by timestamp limit 1",
            &["2026-01-01 00:00:00+00|info request 0 took 0ms path=/api/0|info|app0"],
        ),
        (
            "select line from logs order by timestamp desc limit 1",
            &["error request 2999 took 89ms path=/api/3"],
        ),
        (
            "select app, count(*) from logs where env = 'prod' group by app order by app limit 2",
            &["app0|150", "app1|150"],
        ),
        ("select labels->>'pod' from logs where labels->>'pod' = 'pod-42' limit 1", &["pod-42"]),
        (
            "select labels->'pod', labels->'n' from logs where stream_id = 7 limit 1",
            &["\"pod-7\"|7"],
        ),
        ("select structured_metadata from logs limit 1", &["NULL"]),
        ("select count(*) from logs where line like '%took 5ms%'", &["31"]),
        ("select count(*) from logs where line not like '%took 5ms%'", &["2969"]),
        ("select count(*) from logs where line ~ 'took (5|6)ms'", &["62"]),
        ("select count(*) from logs where strpos(line, 'path=/api/3') > 0", &["429"]),
        ("select count(*) from logs where position('path=/api/3' in line) = 0", &["2571"]),
        ("select count(*) from logs where line = 'info request 0 took 0ms path=/api/0'", &["1"]),
        ("select count(*) from logs where line like 'info request _ took%'", &["4"]),
        (
            "select count(*) from logs where timestamp >= '2026-01-01 00:00:10' \
             and timestamp < '2026-01-01 00:00:20'",
            &["10"],
        ),
        (
            "select count(*) from logs where timestamp between '2026-01-01 00:00:10Z' \
             and timestamptz '2026-01-01 01:00:20+01:00'",
            &["11"],
        ),
        ("select count(*) from logs where timestamp = '2026-01-01 00:00:10'", &["1"]),
        ("select count(*) from logs where timestamp < '2026-01-01 00:02'", &["120"]),
        ("select count(*) from logs where timestamp < timestamptz '2026-01-01T01:02+01'", &["120"]),
        ("select count(*) from logs where line = '2026-01-01 00:02'", &["0"]),
        ("select count(*) from logs where timestamp > now() - interval '1 hour'", &["0"]),
        ("select count(*) from logs where timestamp < now() + interval '9 years'", &["3000"]),
        ("select count(*) from logs a join logs b on a.timestamp = b.timestamp", &["3000"]),
        (
            "select date_trunc('minute', timestamp) as m, count(*) from logs group by m order by m \
          limit 2",
            &["2026-01-01 00:00:00+00|60", "2026-01-01 00:01:00+00|60"],
        ),
        ("select count(distinct app) from logs where app in ('app1', 'app2', 'nope')", &["2"]),
        ("select count(*) from logs where app = 'app1' or level = 'warn'", &["1200"]),
        ("select line from logs limit 0", &[]),
        ("values (1, 'a'), (2, 'b')", &["1|a", "2|b"]),
        (
            "select interval '1 day', null::interval, date '2026-02-03', 1::numeric",
            &["1 day|NULL|2026-02-03|1"],
        ),
        ("select array['a','b'], array[1,null]", &["{a,b}|{1,NULL}"]),
        ("select * from logs where false", &[]),
        (
            "select to_char(timestamp, 'YYYY-MM-DD HH24:MI') from logs limit 1",
            &["2026-01-01 00:00"],
        ),
        (
            "select to_timestamp('2026-01-02 03:04:05.5', 'YYYY-MM-DD HH24:MI:SS.US')",
            &["2026-01-02 03:04:05.5+00"],
        ),
        (
            "select timestamp at time zone 'Europe/Berlin' from logs limit 1",
            &["2026-01-01 01:00:00"],
        ),
        (
            "select timestamp '2026-07-01 12:00:00' at time zone 'Europe/Berlin'",
            &["2026-07-01 10:00:00+00"],
        ),
        ("select 2.0::float8, 1e20::float8, avg(stream_id) from logs", &["2|1e+20|49.5"]),
        ("", &[]),
        (";;", &[]),
    ])
    .await;
}

#[tokio::test]
async fn about_the_server() {
    check(&[
        ("select version()", &["PostgreSQL 16.0 (test)"]),
        ("select current_user, current_database(), current_schema()", &["alice|main|public"]),
        ("select session_user from logs limit 2", &["alice", "alice"]),
        ("show server_version", &["16.0 (test)"]),
        ("select current_setting('server_version_num')", &["160000"]),
        ("select current_setting('nope', true)", &["NULL"]),
        ("select set_config('application_name', 'x', false)", &["x"]),
        ("show application_name", &["x"]),
        ("show timezone", &["UTC"]),
        ("show transaction isolation level", &["read committed"]),
        ("select pg_catalog.pg_is_in_recovery()", &["f"]),
        ("select rolname from pg_roles", &["alice"]),
        (
            "select relname from pg_class where relkind = 'r' and relnamespace not in \
             ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) order by 1",
            &["logs", "tenants"],
        ),
        ("select tablename from pg_catalog.pg_tables where schemaname = 'public'", &["logs"]),
        (
            "select column_name from information_schema.columns where table_name = 'logs' \
             order by ordinal_position limit 3",
            &["timestamp", "line", "stream_id"],
        ),
        ("select datname from pg_database where datname = current_database()", &["main"]),
        (
            "select format_type(atttypid, atttypmod) from pg_attribute where attname = 'timestamp'",
            &["timestamp with time zone"],
        ),
    ])
    .await;
}

#[tokio::test]
async fn tables_and_questions_of_the_source() {
    check(&[
        ("select tenant from system.tenants", &["main"]),
        (
            "select relname from pg_class c join pg_namespace n on n.oid = c.relnamespace \
             where nspname = 'system'",
            &["tenants"],
        ),
        ("select * from echo('q')", &["main: q None None None"]),
        (
            "select line from echo('q', '-1h', 'now', '30s')",
            &["main: q Some(Ago(3600000000000)) Some(Ago(0)) Some(30000000000)"],
        ),
        (
            "select line from echo('q', timestamptz '1970-01-01 00:00:01Z', null)",
            &["main: q Some(At(1000000000)) None None"],
        ),
        ("select * from echo('bad')", &["22023"]),
        ("select * from echo()", &["42883"]),
        ("select * from echo('q', 'soon')", &["22007"]),
    ])
    .await;
}

#[tokio::test]
async fn lines_are_taken_apart() {
    check(&[
        ("select logfmt('a=1 b=\"x y\"')", &["{\"a\":\"1\",\"b\":\"x y\"}"]),
        ("select logfmt('a=1 b=2')->>'b', logfmt('a=1', 'a'), logfmt('a=1', 'z')", &["2|1|NULL"]),
        ("select pattern('GET /x 200', '<method> <_> <status>')->>'status'", &["200"]),
        ("select regexp_matches('a1b22', '([a-z])([0-9]+)', 'g')", &["{a,1}", "{b,22}"]),
        ("select regexp_matches('abc', 'z')", &[]),
        ("select regexp_split_to_table('a1b2c', '[0-9]')", &["a", "b", "c"]),
        ("select substring('foobar' from 'o(.)b'), substring('foobar' from 'z')", &["o|NULL"]),
        (
            "select time_bucket('1 minute', timestamp), count(*) from logs group by 1 order by 1 \
             limit 2",
            &["2026-01-01 00:00:00+00|60", "2026-01-01 00:01:00+00|60"],
        ),
        ("select approx_count_distinct(app) from logs", &["10"]),
        ("select approx_percentile(stream_id, 0.5) between 48 and 51 from logs", &["t"]),
        (
            "select extract(second from timestamp '2024-01-01 00:00:01.5'), \
             '1.5'::float8::int, 2.5::int, -2 ^ 2",
            &["1.500000|2|3|4"],
        ),
        ("select 9223372036854775807 + 1", &["22003"]),
        ("select 1::float8 / 0", &["22012"]),
        ("select 'abc' similar to 'a', 'abc' similar to 'a%'", &["f|t"]),
        ("select date '2024-01-31' + interval '1 month'", &["2024-02-29 00:00:00"]),
        ("select interval '6.789 seconds'", &["00:00:06.789"]),
        (
            "select x, (select count(*) from generate_series(1, 3) y where y = x) \
             from generate_series(1, 2) x order by x",
            &["1|1", "2|1"],
        ),
    ])
    .await;
}

#[tokio::test]
async fn errors() {
    check(&[
        ("selec 1", &["42601"]),
        ("select 'a", &["42601"]),
        ("select nope from logs", &["42703"]),
        ("select logs.nope from logs", &["42703"]),
        ("select * from nope", &["42P01"]),
        ("select * from '/etc/passwd'", &["42P01"]),
        ("select nope(1)", &["42883"]),
        ("select pg_read_file('/etc/passwd')", &["42883"]),
        ("select * from read_csv('/etc/passwd')", &["42P01"]),
        ("select 1/0", &["22012"]),
        ("select 'x'::int", &["22P02"]),
        ("select cast('999999999999999999999' as bigint)", &["22003"]),
        ("select 'x'::timestamptz", &["22007"]),
        ("select app, count(*) from logs", &["42803"]),
        ("select $1", &["42P02"]),
        ("select line ~ '(' from logs", &["2201B"]),
        ("insert into logs values (1)", &["42601"]),
        ("create external table t stored as csv location '/etc/passwd'", &["42601"]),
        ("copy (select 1) to '/tmp/pwned.csv'", &["0A000"]),
        ("set nope = 1", &["42704"]),
        ("set datafusion.execution.batch_size = 1000000000", &["42704"]),
        ("set role admin", &["22023"]),
        ("show nope", &["42704"]),
        ("select 1", &["1"]),
    ])
    .await;
}

#[tokio::test]
async fn unknown_columns_point_to_the_labels() {
    let server = Server::start().await;
    let client = server.client().await;
    let error = client.simple_query("select pod from logs").await.unwrap_err();
    let error = error.as_db_error().unwrap();
    assert_eq!(error.message(), "column \"pod\" does not exist");
    assert!(error.hint().unwrap().contains("labels->>'pod'"));
}

#[tokio::test]
async fn column_names() {
    let server = Server::start().await;
    let client = server.client().await;
    let sql = "select count(*), max(level) as top, 1, 1, 'x'::text, app from logs group by app";
    let statement = client.prepare(sql).await.unwrap();
    let names: Vec<&str> = statement.columns().iter().map(|column| column.name()).collect();
    assert_eq!(names, ["count", "top", "?column?", "?column?", "text", "app"]);
}

#[tokio::test]
async fn several_statements_stop_at_the_first_error() {
    let server = Server::start().await;
    let client = server.client().await;
    assert_eq!(answer(&client, "select 1; select 2").await, ["1", "2"]);
    assert_eq!(answer(&client, "select 1; select nope; select 2").await, ["42703"]);
    assert_eq!(answer(&client, "select 1; drop table logs").await, ["25006"]);
    assert_eq!(answer(&client, "select 3").await, ["3"]);
}
