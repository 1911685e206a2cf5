//! Pushes under ingestion policies and blocks, of old logs, and what is copied into metadata.

use super::*;

/// Limits as a file has them.
fn limits_of(json: serde_json::Value) -> Limits {
    serde_json::from_value(json).expect("good limits")
}

#[test]
fn streams_of_a_policy_have_their_own_limits() {
    let limits = limits_of(serde_json::json!({
        "ingestion_rate_mb": 1, "ingestion_burst_size_mb": 0.0001,
        "max_global_streams_per_user": 1, "discover_service_name": [],
        "policy_stream_mapping": {
            "loud": [{"selector": "{app=~\"l.*\"}"}],
            "few": [{"selector": "{app=~\"f.*\"}"}],
        },
        "policy_enforced_labels": {"few": ["env"]},
        "policy_override_limits": {
            "loud": {"ingestion_rate_mb": 0, "max_streams_per_user": 0},
            "few": {"max_streams_per_user": 2, "per_stream_rate_limit": "1B",
                    "per_stream_rate_limit_burst": "5B"},
        },
    }));
    let cache = StreamCache::default();
    let push = Push { limits, cache: Some(&cache), ..Push::default() };
    let long = "x".repeat(200);
    let line = |text: &str| format!("[[\"{NS}\",\"{text}\"]]");
    let status = |labels: &str, text: &str| {
        let pushed = push.json(&one(labels, &line(text)));
        let (status, text, _) = push.outcome(pushed);
        (status, text)
    };
    // The tenant's rate is over with so many bytes; that of a policy without a rate never is.
    let (code, text) = status(r#"{"app":"a"}"#, &long);
    assert_eq!((code, text.contains("for user fake (limit: 1048576 bytes/sec)")), (429, true));
    assert_eq!(status(r#"{"app":"loud"}"#, &long).0, 204);
    // Streams are counted by policy, and known ones go on.
    for (labels, expected) in [
        (r#"{"app":"a"}"#, 204),
        (r#"{"app":"b"}"#, 429),
        (r#"{"app":"f1","env":"x"}"#, 204),
        (r#"{"app":"f2","env":"x"}"#, 204),
        (r#"{"app":"f3","env":"x"}"#, 429),
        (r#"{"app":"a"}"#, 204),
    ] {
        assert_eq!(status(labels, "four").0, expected, "{labels}");
    }
    let (code, text) = status(r#"{"app":"f1"}"#, "four");
    assert_eq!(
        (code, text.contains("stream '{app=\"f1\"}' (policy: 'few')")),
        (400, true),
        "{text}"
    );
    let (code, text) = status(r#"{"app":"f1","env":"x"}"#, "four");
    assert_eq!((code, text.contains("(limit: 1B/sec)")), (429, true), "{text}");
}

#[test]
fn a_push_over_one_of_its_rates_takes_from_none() {
    let limits = limits_of(serde_json::json!({
        "ingestion_rate_mb": 0.00001, "ingestion_burst_size_mb": 0.0001, // 104 bytes
        "policy_stream_mapping": {"p": [{"selector": "{app=\"p\"}"}], "q": [{"selector": "{app=\"q\"}"}]},
        "policy_override_limits": {"p": {"ingestion_rate_mb": 0.00001}},
    }));
    let cache = StreamCache::default();
    let push = Push { limits, cache: Some(&cache), ..Push::default() };
    let stream = |app: &str, n: usize| {
        let line = "x".repeat(n);
        format!(r#"{{"stream":{{"app":"{app}"}},"values":[["{NS}","{line}"]]}}"#)
    };
    let send = |streams: &[String]| {
        let body = format!(r#"{{"streams":[{}]}}"#, streams.join(","));
        let (status, text, _) = push.outcome(push.json(&body));
        (status, text)
    };
    // What has no rate of its own, with a policy or without, draws on the tenant's.
    let (status, text) = send(&[stream("a", 60), stream("q", 60), stream("p", 100)]);
    assert_eq!(status, 429);
    assert!(text.contains("for user fake (limit: 10 bytes/sec) while attempting to ingest '2' lines totaling '120'"), "{text}");
    let (_, text) = send(&[stream("a", 200), stream("p", 200)]);
    let both = "across multiple buckets: no policy (limit: 10 bytes/sec) while attempting to ingest '1' lines totaling '200' bytes; policy p (limit";
    assert!(text.contains(both), "{text}");
    let (_, text) = send(&[stream("p", 200)]);
    assert!(text.contains("for user fake, policy p (limit: 10 bytes/sec)"), "{text}");
    // The first gave back what it had taken from the policy.
    assert_eq!(send(&[stream("a", 100), stream("p", 100)]).0, 204);
    assert_eq!(send(&[stream("p", 10)]).0, 429);
}

#[test]
fn the_policy_that_a_push_names_goes_before_that_of_its_labels() {
    let limits = limits_of(serde_json::json!({
        "policy_stream_mapping": {"p": [{"selector": "{app=\"a\"}"}]},
        "block_ingestion_policy_until": {"p": "2027-01-01T00:00:00Z", "x": "2026-01-01T00:00:00Z"},
    }));
    let cache = StreamCache::default();
    let body = one(r#"{"app":"a"}"#, &format!("[[\"{NS}\",\"line\"]]"));
    let check = |policy: Option<&str>, status: u16| {
        let limits = limits.clone();
        let push = Push { limits, policy, cache: Some(&cache), ..Push::default() };
        assert_eq!(push.outcome(push.json(&body)).0, status, "{policy:?}");
    };
    check(None, 260);
    check(Some("x"), 204);
    check(Some("p"), 260);
    check(None, 260);
}

#[test]
fn blocked_policies_refuse_their_streams_alone() {
    let until = serde_json::json!({"p": "2027-01-01T00:00:00Z"});
    let mapping = serde_json::json!({"p": [{"selector": "{app=\"p\"}"}]});
    let body = format!(
        r#"{{"streams":[{{"stream":{{"app":"p"}},"values":[["{NS}","1"],["{NS}","2"]]}},
            {{"stream":{{"app":"a"}},"values":[["{NS}","good"]]}}]}}"#
    );
    let text = "ingestion blocked for user 'fake' (policy: 'p') until '2027-01-01T00:00:00Z' with status code";
    for (status, expected) in [(260, 260), (503, 503), (200, 204)] {
        let limits = limits_of(serde_json::json!({
            "policy_stream_mapping": mapping, "block_ingestion_policy_until": until,
            "block_ingestion_status_code": status,
        }));
        let push = Push { limits, ..Push::default() };
        let pushed = push.json(&body);
        let discarded = pushed.as_ref().map(|accepted| accepted.discarded.clone());
        let discarded = discarded.expect("one stream is good");
        assert_eq!(discarded[0].reason, Reason::BlockedIngestionPolicy);
        assert_eq!((discarded[0].n_entries, discarded[0].bytes), (2, 2));
        let (own, told, stored) = push.outcome(pushed);
        assert_eq!(
            (own, told.contains(text), stored.len()),
            (expected, status != 200, 1),
            "{told}"
        );
    }
    // What else is wrong goes before it.
    let limits = limits_of(serde_json::json!({
        "policy_stream_mapping": mapping, "block_ingestion_policy_until": until,
        "max_line_size": 1, "block_ingestion_status_code": 503,
    }));
    let push = Push { limits, ..Push::default() };
    assert_eq!(push.outcome(push.json(&body)).0, 400);
    // And a star is for all that are not named.
    let limits = limits_of(serde_json::json!({
        "block_ingestion_policy_until": {"*": "2027-01-01T00:00:00Z"},
    }));
    let push = Push { limits, ..Push::default() };
    assert_eq!(push.outcome(push.json(&body)).0, 260);
}

#[test]
fn old_logs_that_a_client_brings_are_streams_of_their_own() {
    let limits = Limits { reject_old_samples: true, ..Limits::default() };
    let old = "1500000000000000000";
    let body = one(r#"{"app":"a"}"#, &format!("[[\"{old}\",\"line\"]]"));
    let push = Push { limits: limits.clone(), ..Push::default() };
    assert_eq!(push.outcome(push.json(&body)).0, 400);
    let limits = Limits { max_label_names_per_series: 1, ..limits };
    let push = Push { limits, backfill: Some("2017-07"), ..Push::default() };
    let (status, text, stored) = push.outcome(push.json(&body));
    assert_eq!(status, 204, "{text}");
    let labels =
        r#"{__backfill__="true", __backfill_shard__="2017-07", app="a", service_name="a"}"#;
    assert!(stored[0].contains(labels), "{stored:?}");
    // With the header, too, nobody else may say so.
    let forged = one(r#"{"app":"a","__backfill__":"x"}"#, &format!("[[\"{NS}\",\"line\"]]"));
    let (status, text, _) = push.outcome(push.json(&forged));
    assert_eq!((status, text.contains("reserved label name: '__backfill__'")), (400, true));
}

#[test]
fn fields_that_are_copied_into_metadata() {
    let limits = limits_of(serde_json::json!({
        "discover_generic_fields": {"fields": {"trace": ["traceId", "ctx.trace"], "pod": ["pod"]}},
    }));
    let push = Push { limits, ..Push::default() };
    let values = format!(
        r#"[["{NS}","{{\"ctx\":{{\"trace\":\"t1\"}},\"level\":\"warn\"}}"],
            ["{NS}","traceid=t2 level=error",{{"trace":"own","severity":"info"}}],
            ["{NS}","nothing"]]"#
    );
    let (status, text, stored) = push.outcome(push.json(&one(r#"{"pod":"p"}"#, &values)));
    assert_eq!((status, stored.len()), (204, 3), "{text}");
    let check = |line: &str, metadata: &str| {
        let entry = stored.iter().find(|entry| entry.contains(line)).expect("a stored line");
        assert!(entry.contains(metadata), "{entry}");
    };
    check("t1", r#"{"detected_level": "warn", "pod": "p", "trace": "t1"}"#);
    check("t2", r#"{"detected_level": "info", "pod": "p", "severity": "info", "trace": "own"}"#);
    check("nothing", r#"{"detected_level": "unknown", "pod": "p"}"#);
}

#[test]
fn labels_that_every_stream_must_have() {
    let limits = Limits { enforced_labels: vec!["env".into(), "app".into()], ..Limits::default() };
    let push = Push { limits, ..Push::default() };
    let values = format!(r#"[["{}","x"]]"#, NOW.nanos());
    let body = one(r#"{"app":"a"}"#, &values);
    let (status, text, entries) = push.outcome(push.json(&body));
    let expected = "missing required labels 'env' for user 'fake' for stream '{app=\"a\", service_name=\"a\"}' (policy: '')";
    assert_eq!((status, entries.len()), (400, 0));
    assert!(text.contains(expected), "{text}");
    let body = one(r#"{"app":"a","env":"b"}"#, &values);
    assert_eq!(push.outcome(push.json(&body)).0, 204);
}

#[test]
fn a_tenant_that_may_not_push_for_a_while() {
    let until = |seconds: u64, status: u16| {
        let until = Moment(NOW.after(std::time::Duration::from_secs(seconds)));
        let limits = Limits {
            block_ingestion_until: Some(until),
            block_ingestion_status_code: status,
            ..Limits::default()
        };
        let push = Push { limits, ..Push::default() };
        let values = format!(r#"[["{}","x"]]"#, NOW.nanos());
        push.outcome(push.json(&one(r#"{"app":"a"}"#, &values)))
    };
    let (status, text, _) = until(60, 260);
    assert_eq!(status, 260);
    assert!(text.starts_with("ingestion blocked for user 'fake' until '2026-"), "{text}");
    assert_eq!(until(60, 200), (204, String::new(), Vec::new()));
    let (status, _, entries) = until(0, 260);
    assert_eq!((status, entries.len()), (204, 1));
}
