//! OpenTelemetry exporters: what they send is found again, what is wrong is said in their form.

use serde_json::json;

use crate::node::Node;

#[tokio::test]
async fn exports_are_seen_at_once_and_refusals_are_a_status() {
    let node = Node::start().await;
    let export = json!({"resourceLogs": [{
        "resource": {"attributes": [
            {"key": "service.name", "value": {"stringValue": "shop"}},
            {"key": "host.name", "value": {"stringValue": "n1"}},
        ]},
        "scopeLogs": [{"logRecords": [{
            "timeUnixNano": "1700000000000000000",
            "severityText": "WARN",
            "body": {"stringValue": "one line"},
        }]}],
    }]});
    let push = async |body: &str, kind: &str| node.post("/otlp/v1/logs", kind, body).await;
    let answer = push(&export.to_string(), "application/json").await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    assert!(answer.headers.contains_key("x-drave-commit"));
    let query = r#"{service_name="shop"} | host_name="n1" | detected_level="warn""#;
    assert_eq!(node.lines(query).await, ["one line"]);

    // `Status { 2: message }`: a tag, a length, a text.
    let answer = push("{}", "application/json").await;
    let text = "error at least one valid stream is required for ingestion";
    assert_eq!((answer.status, answer.text), (422, format!("\u{12}{}{text}", '\u{39}')));
    assert_eq!(answer.headers["content-type"], "application/x-protobuf");
    assert_eq!(push("{}", "text/plain").await.status, 400);
    let old = export.to_string().replace("1700000000000000000", "17");
    assert_eq!(push(&old, "application/json").await.status, 400);
}

#[tokio::test]
async fn exports_may_be_compressed() {
    let node = Node::start().await;
    let client = reqwest::Client::new();
    let body = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [
        {"timeUnixNano": "1700000000000000000", "body": {"stringValue": "@"}},
    ]}]}]});
    let lz4 = |text: &str| {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        std::io::Write::write_all(&mut encoder, text.as_bytes()).expect("memory");
        encoder.finish().expect("memory")
    };
    let zstd = |text: &str| zstd::encode_all(text.as_bytes(), 1).expect("memory");
    for encoding in ["zstd", "lz4", "br"] {
        let text = body.to_string().replace('@', encoding);
        let bytes = if encoding == "lz4" { lz4(&text) } else { zstd(&text) };
        let request = client.post(node.url("/otlp/v1/logs")).body(bytes);
        let request = request.header("Content-Type", "application/json");
        let answer = request.header("Content-Encoding", encoding).send().await.expect("answers");
        let status = if encoding == "br" { 400 } else { 204 };
        assert_eq!(answer.status(), status, "{encoding}");
    }
    assert_eq!(node.lines(r#"{service_name="unknown_service"}"#).await, ["zstd", "lz4"]);
}
