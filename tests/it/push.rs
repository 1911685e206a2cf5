//! What is pushed is there at once, once, in both languages.

use serde_json::json;

use crate::node::Node;

const T: i64 = 1_700_000_000_000_000_000;

#[tokio::test]
async fn a_push_that_was_answered_is_seen_by_the_next_read() {
    let node = Node::start().await;
    for i in 0..50 {
        let line = format!("line {i}");
        let answer = node.push(&json!({"app": "web"}), &[(T + i, line.as_str())]).await;
        assert_eq!((answer.status, answer.text.as_str()), (204, ""));
        assert!(answer.headers.contains_key("x-drave-commit"), "{:?}", answer.headers);
        let lines = node.lines(r#"{app="web"}"#).await;
        assert_eq!(lines.last(), Some(&line));
        let rows = node.sql().await.query("select line from logs", &[]).await.expect("rows");
        assert_eq!(rows.len(), lines.len());
    }
}

#[tokio::test]
async fn entries_are_a_set_before_and_after_a_flush() {
    let node = Node::start().await;
    let entries = [(T, "a"), (T, "b"), (T, "a"), (T + 1, "a")];
    for _ in 0..3 {
        assert_eq!(node.push(&json!({"app": "web"}), &entries).await.status, 204);
        assert_eq!(node.lines(r#"{app="web"}"#).await, ["a", "b", "a"]);
        assert_eq!(node.number(r#"sum(count_over_time({app="web"}[30d]))"#).await, 3.0);
        let flushed = node.post("/flush", "text/plain", "").await;
        assert_eq!(flushed.status, 204, "{}", flushed.text);
        assert_eq!(node.lines(r#"{app="web"}"#).await, ["a", "b", "a"]);
        assert_eq!(node.number(r#"sum(count_over_time({app="web"}[30d]))"#).await, 3.0);
        let sql = node.sql().await;
        let count = sql.query_one("select count(*) from logs", &[]).await.expect("a row");
        assert_eq!(count.get::<_, i64>(0), 3);
    }
}

#[tokio::test]
async fn good_entries_are_stored_and_bad_ones_named() {
    let node = Node::start().await;
    let long = "x".repeat(300_000);
    let answer = node.push(&json!({"app": "web"}), &[(T, "good"), (T + 1, &long)]).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text.contains("max entry size"), "{}", answer.text);
    assert_eq!(node.lines(r#"{app="web"}"#).await, ["good"]);
}

#[tokio::test]
async fn headers_say_under_which_policy_a_push_is_and_that_it_is_of_old_logs() {
    let node = Node::with_config(
        "limits_config:\n  policy_stream_mapping: {p: [{selector: '{app=~\"w.*\"}', priority: 1}]}\n  \
         block_ingestion_policy_until: {p: '2999-01-01T00:00:00Z'}\n  \
         discover_generic_fields: {fields: {trace: [trace_id, 'ctx.trace']}}\n",
    )
    .await;
    let push = async |header: (&str, &str), line: &str| {
        let body =
            json!({"streams": [{"stream": {"app": "web"}, "values": [[T.to_string(), line]]}]});
        let headers = [header, ("Content-Type", "application/json")];
        node.send("POST", "/loki/api/v1/push", &headers, body.to_string()).await
    };
    let blocked = push(("X-Loki-Ingestion-Policy", ""), "no").await;
    assert_eq!((blocked.status, blocked.text.contains("(policy: 'p')")), (260, true));
    let policy = "X-Loki-Ingestion-Policy";
    assert_eq!(push((policy, "q"), "with a policy that is named").await.status, 204);
    assert_eq!(push((policy, &"q".repeat(129)), "no").await.status, 400);
    assert_eq!(node.lines(r#"{app="web"}"#).await, ["with a policy that is named"]);

    let other = json!({"app": "other"});
    assert_eq!(node.push(&other, &[(T, r#"{"ctx":{"trace":"t1"}}"#), (T, "x")]).await.status, 204);
    assert_eq!(node.lines(r#"{app="other"} | trace="t1""#).await, [r#"{"ctx":{"trace":"t1"}}"#]);

    let body = json!({"streams": [{"stream": {"app": "old"}, "values": [[T.to_string(), "x"]]}]});
    let headers = [("X-Loki-Backfill-Shard", "2023-11"), ("Content-Type", "application/json")];
    let pushed = node.send("POST", "/loki/api/v1/push", &headers, body.to_string()).await;
    assert_eq!(pushed.status, 204, "{}", pushed.text);
    let selector = r#"{app="old", __backfill__="true", __backfill_shard__="2023-11"}"#;
    assert_eq!(node.lines(selector).await, ["x"]);

    let metrics = node.get("/metrics", &[]).await.text;
    for name in ["drave_push_discarded_entries_total", "loki_discarded_samples_total"] {
        let line = format!("{name}{{reason=\"blocked_ingestion_policy\"}} 1");
        assert!(metrics.contains(&line), "{metrics}");
    }
    let path = "/ingester/prepare-partition-downscale";
    assert_eq!(node.send("POST", path, &[], String::new()).await.status, 405);
}

#[tokio::test]
async fn tenants_do_not_see_each_other() {
    let node = Node::with_config("auth_enabled: true").await;
    let client = reqwest::Client::new();
    let body = json!({"streams": [{"stream": {"app": "web"}, "values": [[T.to_string(), "x"]]}]});
    let push = |tenant: Option<&'static str>| {
        let mut request = client.post(node.url("/loki/api/v1/push"));
        if let Some(tenant) = tenant {
            request = request.header("X-Scope-OrgID", tenant);
        }
        request.header("Content-Type", "application/json").body(body.to_string()).send()
    };
    assert_eq!(push(None).await.expect("answers").status(), 401);
    assert_eq!(push(Some("a/b")).await.expect("answers").status(), 400);
    assert_eq!(push(Some("one")).await.expect("answers").status(), 204);
    let lines = |tenant: &'static str| {
        let params = [("query", r#"{app="web"}"#), ("start", "1700000000"), ("end", "1700000001")];
        let request = client.get(node.url("/loki/api/v1/query_range")).query(&params);
        request.header("X-Scope-OrgID", tenant).send()
    };
    let own = lines("one").await.expect("answers").text().await.expect("a body");
    assert!(own.contains(&T.to_string()), "{own}");
    let other = lines("two").await.expect("answers").text().await.expect("a body");
    assert!(other.contains(r#""result":[]"#), "{other}");
}
