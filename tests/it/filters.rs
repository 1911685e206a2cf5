//! Filters of blocks leave out what cannot match, and nothing else.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::node::Node;

const T: i64 = 1_700_000_000_000_000_000;
const APPS: i64 = 6;
const ROUNDS: i64 = 4;
const LINES: i64 = 200;

fn line(app: i64, round: i64, n: i64) -> String {
    let id = (app * 1_000_000 + round * 10_000 + n).wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64);
    format!("level=info msg=\"Request {n} of round {round}\" trace={id:016x} app={app}")
}

/// The lines that a query finds, and what it says of the blocks it met.
async fn ask(node: &Node, filter: &str) -> (BTreeSet<String>, Value) {
    let query = format!(r#"{{app=~".+"}} {filter}"#);
    let params =
        [("query", &*query), ("start", "1700000000"), ("end", "1700009000"), ("limit", "5000")];
    let answer = node.get("/loki/api/v1/query_range", &params);
    let data = answer.await.json()["data"].clone();
    let streams = data["result"].as_array().expect("streams").iter();
    let lines = streams.flat_map(|stream| stream["values"].as_array().expect("values").clone());
    let lines = lines.map(|value| value[1].as_str().expect("a line").to_owned()).collect();
    (lines, data["stats"].clone())
}

/// One of the counters that drave adds to the `stats` of an answer.
fn counter(stats: &Value, name: &str) -> u64 {
    fn find<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
        let object = value.as_object()?;
        object.get(name).or_else(|| object.values().find_map(|inner| find(inner, name)))
    }
    find(stats, name).and_then(Value::as_u64).unwrap_or_else(|| panic!("{name} in {stats}"))
}

#[tokio::test]
async fn a_needle_reads_the_blocks_that_have_it() {
    let node = Node::start().await;
    let mut all = Vec::new();
    for round in 0..ROUNDS {
        for app in 0..APPS {
            let lines: Vec<String> = (0..LINES).map(|n| line(app, round, n)).collect();
            let start = T + round * 1_000_000_000_000;
            let entries: Vec<(i64, &str)> =
                (start..).zip(lines.iter().map(String::as_str)).collect();
            let labels = json!({"app": app.to_string()});
            assert_eq!(node.push(&labels, &entries).await.status, 204);
            all.extend(lines);
        }
        assert_eq!(node.post("/flush", "text/plain", "").await.status, 204);
    }
    let n_blocks = (APPS * ROUNDS) as u64;
    let check = async |filter: &str,
                       left: std::ops::RangeInclusive<u64>,
                       expected: &dyn Fn(&str) -> bool| {
        let (found, stats) = ask(&node, filter).await;
        let expected: BTreeSet<String> =
            all.iter().filter(|line| expected(line)).cloned().collect();
        assert_eq!(found, expected, "{filter}");
        let left_out = counter(&stats, "blocksFiltered");
        assert!(left.contains(&(n_blocks - left_out)), "{filter}: {left_out} of {n_blocks}");
    };
    let needle = line(3, 2, 77);
    let trace = needle.split_once("trace=").expect("a trace").1[..16].to_owned();
    check(&format!("|= `{trace}`"), 1..=4, &|line| line.contains(&trace)).await;
    let part = trace[2..14].to_owned();
    check(&format!("|= `{part}`"), 1..=9, &|line| line.contains(&part)).await;
    check(&format!("|~ `trace={trace}.*app=[0-9]`"), 1..=4, &|line| line.contains(&trace)).await;
    check("|= `of round 2\" tr`", 6..=15, &|line| line.contains("of round 2\"")).await;
    check("|= `nowhere to be found`", 0..=2, &|_| false).await;
    // Where a filter says nothing, everything is read.
    let none = n_blocks..=n_blocks;
    check(&format!("!= `{trace}`"), none.clone(), &|line| !line.contains(&trace)).await;
    check("|= `77 o`", none, &|line| line.contains("77 o")).await;
    let (found, _) = ask(&node, "| line_format `nowhere to be found` |= `nowhere`").await;
    assert_eq!(found, BTreeSet::from(["nowhere to be found".to_owned()]), "a line made later");

    let sql = format!("select count(*) from logs where line like '%{trace}%'");
    let rows = node.sql().await.query(&sql, &[]).await.expect("a count");
    assert_eq!(rows[0].get::<_, i64>(0), 1, "SQL finds the same");
}

#[tokio::test]
async fn a_value_of_metadata_reads_the_blocks_that_have_it() {
    let node = Node::start().await;
    let id = |app: i64, n: i64| format!("{:016x}", (app * 1000 + n).wrapping_mul(0x9e37_79b9_7f4a));
    for app in 0..APPS {
        let values = (0..LINES).map(|n| {
            let metadata = json!({"trace_id": id(app, n), "user": format!("u{}", n % 7)});
            json!([(T + n).to_string(), format!("line {n} of {app}"), metadata])
        });
        let values: Vec<Value> = values.collect();
        let stream = json!({"stream": {"app": app.to_string()}, "values": values});
        // A stream that has the name as a label: its entries show their own under another name.
        let labelled = json!({"app": format!("labelled-{app}"), "trace_id": "of the stream"});
        let labelled = json!({"stream": labelled, "values": [values[0]]});
        let body = json!({"streams": [stream, labelled]}).to_string();
        let pushed = node.post("/loki/api/v1/push", "application/json", body).await;
        assert_eq!(pushed.status, 204, "{}", pushed.text);
    }
    // From the head there is no block to leave out, and the same to be found.
    for left in [0..=0, 0..=APPS as u64 + 3] {
        let check =
            async |filter: &str, n_blocks: &std::ops::RangeInclusive<u64>, n_lines: usize| {
                let (found, stats) = ask(&node, filter).await;
                assert_eq!(found.len(), n_lines, "{filter}");
                let read = counter(&stats, "blocksRead");
                assert!(n_blocks.contains(&read), "{filter}: {read} read");
            };
        let few = if left == (0..=0) { 0..=0 } else { 1..=3 };
        let all = if left == (0..=0) { 0..=0 } else { 12..=12 };
        let one = id(3, 77);
        check(&format!("| trace_id=`{one}`"), &few, 1).await;
        check(&format!("|= `line` | user=`u0` and trace_id=`{one}`"), &few, 1).await;
        check(&format!("| trace_id=~`{one}|{}`", id(4, 5)), &(*few.start()..=few.end() + 1), 2)
            .await;
        check("| trace_id=`ffffffffffffffff`", &(0..=2), 0).await;
        // The label of a stream counts, and so does what a query makes.
        check("| trace_id=`of the stream`", &left, APPS as usize).await;
        check(&format!("| trace_id_extracted=`{}`", id(2, 0)), &all, 1).await;
        check(&format!("| label_format trace_id=`{one}` | trace_id=`{one}`"), &all, 1206 - 6).await;
        check("| user!=`u0` | trace_id=~`.*7`", &all, found_by_hand(&id)).await;
        let in_sql = format!("structured_metadata->>'trace_id' = '{one}'");
        check_sql(&node, &in_sql, left != (0..=0), 1).await;
        let either = format!("structured_metadata->>'trace_id' in ('{one}', '{}')", id(4, 5));
        check_sql(&node, &either, left != (0..=0), 2).await;
        let held = format!("structured_metadata @> '{{\"trace_id\": \"{one}\"}}'");
        check_sql(&node, &held, left != (0..=0), 1).await;
        check_sql(&node, "structured_metadata->>'trace_id' <> ''", false, 1206).await;
        assert_eq!(node.post("/flush", "text/plain", "").await.status, 204);
    }
    let counted = format!(r#"sum(count_over_time({{app=~".+"}} | trace_id="{}" [1h]))"#, id(5, 1));
    let params = [("query", &*counted), ("time", "1700000100")];
    let answer = node.get("/loki/api/v1/query", &params).await.json();
    assert_eq!(answer["data"]["result"][0]["value"][1], json!("1"));
    assert!(counter(&answer["data"]["stats"], "blocksFiltered") >= 9, "{answer}");
}

/// Asks in SQL; whether blocks were left out.
async fn check_sql(node: &Node, condition: &str, filters: bool, n_lines: i64) {
    let client = node.sql().await;
    let rows = format!("from logs where {condition}");
    let counted = client.query_one(&format!("select count(*) {rows}"), &[]).await.expect("a count");
    assert_eq!(counted.get::<_, i64>(0), n_lines, "{condition}");
    let n_filtered = node.measured(&format!("select line {rows}"), "blocks_filtered").await;
    assert_eq!(n_filtered >= 8, filters, "{condition}: {n_filtered}");
}

/// Lines of other users than the first whose id ends with a 7.
fn found_by_hand(id: &impl Fn(i64, i64) -> String) -> usize {
    let all = (0..APPS).flat_map(|app| (0..LINES).map(move |n| (app, n)));
    all.filter(|(app, n)| n % 7 != 0 && id(*app, *n).ends_with('7')).count()
}
