//! Answers that look right and are not are the worst: each one that was ever seen has its test here.
//! What the spike of the project found (TABLESAMPLE, `to_char`, array parameters, ...) comes first.

use tokio_postgres::types::Type;

use crate::memory::{Server, code};
use crate::sql::answer;

async fn check(cases: &[(&str, &[&str])]) {
    let server = Server::start().await;
    let client = server.client().await;
    let mut wrong = Vec::new();
    for (sql, expected) in cases {
        let got = answer(&client, sql).await;
        if got != *expected {
            wrong.push(format!("{sql}: {:?}, not {expected:?}", &got[..got.len().min(9)]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn right_or_refused() {
    check(&[
        // Was ignored, and counted everything.
        ("select count(*) from logs tablesample system (1)", &["0A000"]),
        ("select count(*) from logs tablesample bernoulli (50) repeatable (1)", &["0A000"]),
        ("select count(*) from (select * from logs) x tablesample system (1)", &["0A000"]),
        // Returned the pattern.
        (
            "select to_char(timestamp '2026-01-02 15:04:05', 'YYYY-MM-DD HH24:MI')",
            &["2026-01-02 15:04"],
        ),
        ("select to_char(12.5, '999.9')", &["  12.5"]),
        // Was a time with a zone.
        (
            "select timestamptz '2026-01-01 00:00:00Z' at time zone 'Asia/Tokyo'",
            &["2026-01-01 09:00:00"],
        ),
        ("select timestamp '2026-01-01' at time zone 'Nowhere/Land'", &["22023"]),
        // Was said to be set.
        ("set nope = 1", &["42704"]),
        ("set datafusion.execution.target_partitions = 1", &["42704"]),
        ("set timezone = 'Europe/Berlin'", &["22023"]),
        // Had the noise of a float.
        (
            "select extract(epoch from timestamp '2026-01-02 15:04:05.123456')",
            &["1767366245.123456"],
        ),
        // Two columns of one name.
        ("select 1 as a, 2 as a", &["1|2"]),
        ("select level, level from logs where stream_id = 1 limit 1", &["warn|warn"]),
        // The escape character was a part of the pattern.
        ("select 'a%c' like 'a!%c' escape '!'", &["t"]),
        ("select count(*) from logs where line like '%took 5m_ %' escape '!'", &["31"]),
        ("select count(*) from logs where line like '%!%%' escape '!'", &["0"]),
        // A point was not a newline, and brackets combined sets.
        (r"select E'a\nc' ~ 'a.c', 'a&' ~ '^[a&&b]+$', 'foo bar' ~ '\mbar\M'", &["t|t|t"]),
        ("select 'aa' ~ '(a)\\1'", &["2201B"]),
        // Wrapped around.
        ("select 9223372036854775807 + 1", &["22003"]),
        // Counted what no longer is there.
        ("select count(*), sum(stream_id) from logs where false", &["0|NULL"]),
        // JSON that is none has no members.
        ("select 'x'::text ->> 'a', '{\"a\":1}'::json ->> 'a', '[1]'::jsonb ->> 0", &["NULL|1|1"]),
        // Weeks begin on Mondays, and buckets at their origin.
        (
            "select time_bucket('1 week', timestamptz '2026-01-01 12:00Z')",
            &["2025-12-29 00:00:00+00"],
        ),
        ("select interval '1 day' * 2", &["2 days"]),
        (
            "select json_build_object('a', 1, 'b', null, 'c', 'x\"y', 'd', true)",
            &[r#"{"a" : 1, "b" : null, "c" : "x\"y", "d" : true}"#],
        ),
        ("select json_build_object('a')", &["22023"]),
    ])
    .await;
}

#[tokio::test]
async fn the_version_is_the_same_everywhere() {
    let server = Server::start().await;
    let (client, connection) = server.config().connect(tokio_postgres::NoTls).await.unwrap();
    let told = connection.parameter("server_version").unwrap().to_owned();
    tokio::spawn(connection);
    assert_eq!(answer(&client, "show server_version").await, std::slice::from_ref(&told));
    assert_eq!(answer(&client, "select current_setting('server_version')").await, [told]);
}

/// node-postgres sends arrays as the text `{"app1","app2"}`, as a parameter without a type.
#[tokio::test]
async fn arrays_as_text_are_arrays() {
    let server = Server::start().await;
    let client = server.client().await;
    for sql in [
        "select count(*) from logs where app = any($1)",
        "select count(*) from logs where app = any($1::text[])",
        "select count(*) from logs where not app <> all($1)",
    ] {
        let statement = client.prepare(sql).await.unwrap();
        assert_eq!(statement.params(), [Type::TEXT_ARRAY], "{sql}");
        let row = client.query_one(&statement, &[&vec!["app1", "app2"]]).await.unwrap();
        assert_eq!(row.get::<_, i64>(0), 600, "{sql}");
    }
    let literal = "select count(*) from logs where app = any('{\"app1\",app2}')";
    assert_eq!(answer(&client, literal).await, ["600"]);
    let numbers = "select count(*) from logs where stream_id = any('{1,2}'::int8[])";
    assert_eq!(answer(&client, numbers).await, ["60"]);
}

#[tokio::test]
async fn limits_are_parameters() {
    let server = Server::start().await;
    let client = server.client().await;
    let sql = "select line from logs order by timestamp limit $1 offset $2";
    let rows = client.query(sql, &[&3i64, &1i64]).await.unwrap();
    assert_eq!(rows.len(), 3);
    assert!(rows[0].get::<_, &str>(0).contains("request 1 "));
    let error = client.query(sql, &[&-1i64, &0i64]).await.unwrap_err();
    assert_eq!(code(&error), "2201W");
}

#[tokio::test]
async fn gaps_are_filled() {
    let half = "from (select * from logs where extract(minute from timestamp)::int in (3, 6)) x \
                where timestamp >= '2026-01-01 00:02:00Z' and timestamp < '2026-01-01 00:08:00Z'";
    let bucket = "time_bucket_gapfill('1 minute', timestamp) as b";
    let minute = |n: usize, rest: &str| format!("2026-01-01 00:{n:02}:00+00|{rest}");
    let rows = |values: [&str; 6]| -> Vec<String> {
        (2..8).zip(values).map(|(n, value)| minute(n, value)).collect()
    };
    let server = Server::start().await;
    let client = server.client().await;
    let ask = async |sql: &str| answer(&client, sql).await;
    let none = "NULL";
    assert_eq!(
        ask(&format!("select {bucket}, count(*) {half} group by b order by b")).await,
        rows([none, "60", none, none, "60", none])
    );
    assert_eq!(
        ask(&format!("select {bucket}, locf(count(*)) {half} group by 1 order by 1")).await,
        rows([none, "60", "60", "60", "60", "60"])
    );
    assert_eq!(
        ask(&format!(
            "select {bucket}, interpolate(min(stream_id)) as i {half} group by b order by b"
        ))
        .await,
        // Streams 80 to 99 and 0 to 39 lie in minute 3, 60 to 99 and 0 to 19 in minute 6.
        rows([none, "0", "0", "0", "0", none])
    );
    assert_eq!(
        ask(&format!(
            "select {bucket}, interpolate(max(extract(minute from timestamp))) \
             {half} group by b order by b"
        ))
        .await,
        rows([none, "3", "4", "5", "6", none])
    );
    // Each other key has all buckets.
    let sql = format!(
        "select {bucket}, env, coalesce(count(*), 0) {half} group by b, env order by env, b limit 7"
    );
    assert_eq!(ask(&sql).await.len(), 7);
    let sql = "select time_bucket_gapfill('20 minutes', timestamp, \
               '2026-01-01 00:00:00Z', '2026-01-01 02:00:00Z') b, level, count(line) as n \
               from logs group by b, level order by level, b";
    assert_eq!(ask(sql).await.len(), 3 * 6);
    let sql = "select time_bucket_gapfill('1 hour', timestamp), count(*) from logs group by 1";
    assert_eq!(ask(sql).await, ["22023"], "a span that is nowhere said");
    let sql = "select time_bucket_gapfill('1 hour', timestamp, now(), now()), count(*) from logs";
    assert_eq!(ask(sql).await, ["42803"]);
}

/// `(regexp_matches(...))[n]` took the nth of all matches of the first kind: only functions that were a
/// whole column were taken apart, and one within an expression stayed the list of lists that it is
/// inside.
#[tokio::test]
async fn a_part_of_each_match_is_a_row_per_match() {
    check(&[
        ("select (regexp_matches('a1b22', '([a-z])([0-9]+)', 'g'))[2]", &["1", "22"]),
        ("select (regexp_matches('a1b22', '([a-z])([0-9]+)', 'g'))[2]::int + 1 n", &["2", "23"]),
        ("select (regexp_matches('abc', 'z'))[1]", &[]),
        (
            "select (regexp_matches(line, 'took ([0-9])ms'))[1] ms, count(*) from logs \
             group by 1 order by (regexp_matches(line, 'took ([0-9])ms'))[1] limit 2",
            &["0|31", "1|31"],
        ),
        ("select unnest(regexp_matches('a1b2', '([a-z])(.)', 'g'))", &["a", "1", "b", "2"]),
        ("select x from unnest(regexp_matches('a1b2', '[a-z].', 'g')) x", &["0A000"]),
        ("values (generate_series(1, 2))", &["0A000"]),
        ("select count(*) from logs where (regexp_matches(line, '.'))[1] = 'i'", &["0A000"]),
        ("select coalesce((regexp_matches('abc', 'z'))[1], '-')", &["0A000"]),
        ("select max((regexp_matches('abc', '.', 'g'))[1])", &["0A000"]),
    ])
    .await;
}

/// Spans were compared by length only where an operator stood between them. BETWEEN was written out as
/// two of those where a bound was a literal, without parentheses around what it was of, and in every
/// other place Arrow went by months, then days, then the rest.
#[tokio::test]
async fn spans_go_by_their_length_everywhere() {
    let spans = "(values (interval '36 hours'), (interval '1 day'), (interval '24 hours'), \
                 (interval '-1 day')) t(x)";
    let ask = |sql: &str| sql.replace("$spans", spans);
    check(&[
        (&ask("select x from $spans order by x desc limit 2"), &["36:00:00", "1 day"]),
        (&ask("select max(x), min(x) from $spans"), &["36:00:00|-1 days"]),
        (&ask("select count(*), min(x) from $spans group by x order by 1 desc limit 1"), &["2|24:00:00"]),
        (&ask("select count(*) from (select distinct x from $spans) s"), &["3"]),
        (&ask("select count(distinct x) from $spans"), &["3"]),
        (&ask("select max(r) from (select rank() over (order by x) r from $spans) s"), &["4"]),
        (&ask("select count(*) from $spans where x between '20 hours' and '1 day'"), &["2"]),
        (
            "select x between low and high, x not between low and high \
             from (values (interval '36 hours', interval '1 day', interval '48 hours')) t(x, low, high)",
            &["t|f"],
        ),
        (
            "select false and interval '36 hours' between interval '1 day' * 3 and interval '9 days', \
             interval '36 hours' between interval '1 day' and interval '1 day' + interval '1 hour' \
             or interval '2 days' > interval '47 hours', \
             (interval '2 days' between interval '1 day' and interval '3 days') = (1 < 2), \
             not interval '36 hours' between interval '1 day' and interval '2 days' and false",
            &["f|t|t|f"],
        ),
        (
            "select greatest(interval '36 hours', interval '1 day'), \
             nullif(interval '24 hours', interval '1 day'), \
             interval '1 day' in ('24 hours'), \
             interval '1 day' = any (array[interval '24 hours'])",
            &["36:00:00|NULL|t|t"],
        ),
        ("select interval '1 day' intersect select interval '24 hours'", &["1 day"]),
        (&ask("select x, count(*) from $spans group by rollup (x)"), &["0A000"]),
        (&ask("select count(*) from $spans where x between symmetric x and x"), &["0A000"]),
    ])
    .await;
}

/// The parser makes `1e15` a decimal of a scale below zero, which was multiplied by a power of ten that
/// is not quite one; a text of more than a float can hold was infinity.
#[tokio::test]
async fn floats_with_exponents_are_what_is_written() {
    check(&[
        ("select 1e15::float8, -1e15::float8, 1e15::float8::text", &["1e+15|-1e+15|1e+15"]),
        ("select 1e-300::float8, 1e300::float8, 5e-324::float8", &["1e-300|1e+300|5e-324"]),
        ("select 1e15, 1.5e3, 1e-5", &["1000000000000000|1500|0.00001"]),
        ("select 1e14::float8, 1e-4::float8, 1e-5::float8", &["100000000000000|0.0001|1e-05"]),
        ("select 1e6::float4, 1e5::float4, '-0'::float8", &["1e+06|100000|-0"]),
        ("select '1e400'::float8", &["22003"]),
        ("select '1e-400'::float8", &["22003"]),
        ("select '1e39'::float4", &["22003"]),
        ("select 'inf'::float8, '-Infinity'::float4, 'NaN'::float8", &["Infinity|-Infinity|NaN"]),
    ])
    .await;
}

/// What the engine has no function for was told as an internal error, with a request to report a bug.
#[tokio::test]
async fn what_is_not_there_is_no_internal_error() {
    let server = Server::start().await;
    let client = server.client().await;
    for (sql, code) in [
        ("select avg(interval '1 day')", "42883"),
        ("select generate_series('a', 'b')", "42883"),
        ("select round('a'::text)", "42883"),
        ("select date_trunc(1)", "42883"),
        ("select true ~ 'a'", "42883"),
        ("select 1 in (select 1)", "0A000"),
        ("select sum(generate_series(1, 3))", "0A000"),
    ] {
        let error = client.simple_query(sql).await.unwrap_err();
        let error = error.as_db_error().unwrap();
        let text = error.message();
        assert_eq!(error.code().code(), code, "{sql}: {text}");
        assert!(!text.contains("nternal") && !text.contains("DataFusion"), "{sql}: {text}");
        assert!(!text.contains("ogical expression"), "{sql}: {text}");
    }
    let days = "select generate_series(date '2026-01-01', '2026-01-02', '1 day')::date";
    assert_eq!(answer(&client, days).await, ["2026-01-01", "2026-01-02"]);
}
