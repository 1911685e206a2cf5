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
