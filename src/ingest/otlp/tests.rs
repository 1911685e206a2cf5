//! Whole exports: bytes in, entries out.

use proptest::prelude::*;
use prost::Message;

use super::json::to_protobuf;
use crate::ingest::{Accepted, Context, Refused, StreamCache, otlp};
use crate::model::limits::Limits;
use crate::model::{Batch, Tenant, Timestamp};

const NOW: Timestamp = Timestamp::from_secs(1_795_132_800);

/// The messages as a code generator would have them: the naive twin of our decoder.
#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(oneof = "Any", tags = "1, 2, 3, 4, 5, 6, 7")]
    value: Option<Any>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Any {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(message, tag = "5")]
    Array(Array),
    #[prost(message, tag = "6")]
    Map(Map),
    #[prost(bytes, tag = "7")]
    Bytes(Vec<u8>),
}

#[derive(Clone, PartialEq, Message)]
struct Array {
    #[prost(message, repeated, tag = "1")]
    values: Vec<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct Map {
    #[prost(message, repeated, tag = "1")]
    values: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

fn export(body: &[u8], kind: &str) -> Result<Accepted, Refused> {
    export_with(&Limits::default(), body, kind)
}

fn export_with(limits: &Limits, body: &[u8], kind: &str) -> Result<Accepted, Refused> {
    let tenant = Tenant::single();
    let context = Context {
        tenant: &tenant,
        limits,
        now: NOW,
        n_shards: 4,
        atomic: false,
        policy: None,
        backfill: None,
        cache: &StreamCache::default(),
    };
    otlp(body.to_vec().into(), Some(kind), None, &context)
}

fn stored(accepted: Accepted) -> Vec<String> {
    let mut entries = Vec::new();
    for (_, builder) in accepted.shards {
        let batch = Batch::open(builder.encode()).expect("our own batch");
        for (segment, rows) in batch.segments().iter().zip(batch.decode().expect("our own batch")) {
            for row in 0..rows.len() {
                let line = rows.lines.as_ref().expect("all columns").text(row).to_owned();
                let set = rows.metadata.as_ref().expect("all columns").get(row).clone();
                let after = rows.timestamps[row] - NOW.nanos();
                entries.push(format!("{} {after:+} {line:?} {set:?}", segment.labels));
            }
        }
    }
    entries.sort();
    entries
}

/// Exports a JSON text as it is and as the protobuf that it means.
fn check(body: &str, expected: &[&str]) {
    let body = body.replace("@NS", "1795132800");
    let json = export(body.as_bytes(), "application/json").expect("a good export");
    assert_eq!(stored(json), expected, "{body}");
    let message = to_protobuf(body.as_bytes()).expect("a good export");
    let protobuf = export(&message, "application/x-protobuf").expect("a good export");
    assert_eq!(stored(protobuf), expected, "{body}");
}

fn check_refused(body: &[u8], kind: &str, status: u16, text: &str) {
    let refused = export(body, kind).err().expect("a refusal");
    assert_eq!(refused.status, status, "{}", refused.message);
    assert!(refused.message.contains(text), "{}", refused.message);
}

#[test]
fn resources_scopes_and_records() {
    check(
        r#"{"resourceLogs":[{"resource":{"attributes":[
            {"key":"service.name","value":{"stringValue":"checkout"}},
            {"key":"k8s.namespace.name","value":{"stringValue":"prod"}},
            {"key":"host.name","value":{"stringValue":"n1"}}]},
          "scopeLogs":[{"scope":{"name":"lib","version":"1.2","attributes":[
            {"key":"sc.a","value":{"intValue":"5"}}]},"logRecords":[{
            "timeUnixNano":"@NS000000005","observedTimeUnixNano":"@NS000000009",
            "severityNumber":17,"severityText":"ERROR","body":{"stringValue":"boom"},
            "attributes":[
              {"key":"http.status","value":{"intValue":500}},
              {"key":"m","value":{"kvlistValue":{"values":[{"key":"x","value":{"boolValue":true}}]}}},
              {"key":"arr","value":{"arrayValue":{"values":[{"stringValue":"p"},{"intValue":2}]}}}],
            "droppedAttributesCount":2,"flags":1,
            "traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708"}]}]}]}"#,
        &[concat!(
            r#"{k8s_namespace_name="prod", service_name="checkout"} +5 "boom" {"#,
            r#""arr": "[\"p\",2]", "detected_level": "error", "dropped_attributes_count": "2", "#,
            r#""flags": "1", "host_name": "n1", "http_status": "500", "m_x": "true", "#,
            r#""observed_timestamp": "1795132800000000009", "sc_a": "5", "scope_name": "lib", "#,
            r#""scope_version": "1.2", "severity_number": "17", "severity_text": "ERROR", "#,
            r#""span_id": "0102030405060708", "trace_id": "0102030405060708090a0b0c0d0e0f10"}"#
        )],
    );
}

#[test]
fn tenants_say_what_becomes_of_attributes() {
    let pair =
        |key: &str, text: &str| format!(r#"{{"key":"{key}","value":{{"stringValue":"{text}"}}}}"#);
    let record = |severity: &str, line: &str, shop: &str| {
        format!(
            r#"{{"timeUnixNano":"1795132800000000001","severityText":"{severity}",
                "body":{{"stringValue":"{line}"}},"attributes":[{},{}]}}"#,
            pair("shop.id", shop),
            pair("secret", "s")
        )
    };
    let body = format!(
        r#"{{"resourceLogs":[{{"resource":{{"attributes":[{},{},{}]}},
            "scopeLogs":[{{"scope":{{"attributes":[{}]}},"logRecords":[{},{},{}]}}]}}]}}"#,
        pair("service.name", "checkout"),
        pair("host.name", "n1"),
        pair("process.pid", "7"),
        pair("sc", "x"),
        record("WARN", "one", "1"),
        record("INFO", "two", "2"),
        record("WARN", "three", "1"),
    );
    let check = |yaml: &str, expected: &[&str]| {
        let limits: Limits = serde_norway::from_str(yaml).expect(yaml);
        let accepted = export_with(&limits, body.as_bytes(), "application/json");
        let accepted = accepted.expect("a good export");
        assert_eq!(accepted.refused.n_entries(), 0);
        assert_eq!(stored(accepted), expected, "{yaml}");
    };
    check(
        "discover_log_levels: false\notlp_config:\n  resource_attributes:\n    attributes_config:\n\
         \x20     - {action: index_label, attributes: [host.name]}\n\
         \x20     - {action: drop, regex: 'process.*'}\n\
         \x20 scope_attributes: [{action: drop, attributes: [sc]}]\n\
         \x20 log_attributes: [{action: drop, regex: 'se.*|shop.id'}]\n",
        &[
            r#"{host_name="n1", service_name="checkout"} +1 "one" {"severity_text": "WARN"}"#,
            r#"{host_name="n1", service_name="checkout"} +1 "three" {"severity_text": "WARN"}"#,
            r#"{host_name="n1", service_name="checkout"} +1 "two" {"severity_text": "INFO"}"#,
        ],
    );
    check(
        "discover_log_levels: false\ndefault_resource_attributes_as_index_labels: [process.pid]\n\
         otlp_config:\n  severity_text_as_label: true\n  resource_attributes:\n\
         \x20   attributes_config: [{action: drop, regex: 'host.name|service.name'}]\n\
         \x20 scope_attributes: [{action: drop, attributes: [sc]}]\n\
         \x20 log_attributes:\n    - {action: index_label, attributes: [shop.id]}\n\
         \x20   - {action: drop, attributes: [secret]}\n",
        &[
            concat!(
                r#"{process_pid="7", service_name="unknown_service", severity_text="INFO", "#,
                r#"shop_id="2"} +1 "two" {"severity_text": "INFO"}"#
            ),
            concat!(
                r#"{process_pid="7", service_name="unknown_service", severity_text="WARN", "#,
                r#"shop_id="1"} +1 "one" {"severity_text": "WARN"}"#
            ),
            concat!(
                r#"{process_pid="7", service_name="unknown_service", severity_text="WARN", "#,
                r#"shop_id="1"} +1 "three" {"severity_text": "WARN"}"#
            ),
        ],
    );
}

#[test]
fn records_of_one_stream_are_one_segment() {
    let record = |n: usize| {
        format!(
            r#"{{"timeUnixNano":"1795132800000000001","severityText":"S{}","body":{{"intValue":{n}}}}}"#,
            n % 3
        )
    };
    let records: Vec<String> = (0..30).map(record).collect();
    let body = format!(
        r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{}]}}]}}]}}"#,
        records.join(",")
    );
    let limits: Limits =
        serde_norway::from_str("otlp_config: {severity_text_as_label: true}").expect("good");
    let accepted = export_with(&limits, body.as_bytes(), "application/json").expect("good");
    let batches = accepted.shards.iter().map(|(_, builder)| Batch::open(builder.encode()));
    let n: usize = batches.map(|batch| batch.expect("our own batch").segments().len()).sum();
    assert_eq!((n, accepted.n_entries), (3, 30));
}

#[test]
fn bodies_and_times() {
    let record = |resource: &str, record: &str| {
        let scopes = format!(r#""scopeLogs":[{{"logRecords":[{record}]}}]"#);
        format!(r#"{{"resourceLogs":[{{"resource":{{"attributes":[{resource}]}},{scopes}}}]}}"#)
    };
    let unknown = r#"{"detected_level": "unknown"}"#;
    let nameless = |after: i64, line: &str| {
        format!(r#"{{service_name="unknown_service"}} {after:+} {line:?} {unknown}"#)
    };
    let observed = r#""observedTimeUnixNano":"@NS000000009""#;
    let map = r#""body":{"kvlistValue":{"values":[{"key":"a","value":{"intValue":1}}]}}"#;
    check(&record("", &format!("{{{observed},{map}}}")), &[&nameless(9, r#"{"a":1}"#)]);
    check(&record("", r#"{"body":{"boolValue":false}}"#), &[&nameless(0, "false")]);
    check(&record("", r#"{"body":{"bytesValue":"Zm8="}}"#), &[&nameless(0, "Zm8=")]);
    check(&record("", "{}"), &[&nameless(0, "")]);
    let container = r#"{"key":"container.name","value":{"stringValue":"c1"}}"#;
    let array = r#"{"body":{"arrayValue":{"values":[{"doubleValue":1.5},{}]}}}"#;
    check(
        &record(container, array),
        &[&format!(r#"{{container_name="c1", service_name="c1"}} +0 "[1.5,null]" {unknown}"#)],
    );
}

#[test]
fn refusals() {
    let json = "application/json";
    check_refused(b"", json, 400, "EOF");
    check_refused(b"{}", json, 422, "at least one valid stream");
    check_refused(br#"{"resourceLogs":[{"scopeLogs":[]}]}"#, json, 422, "at least one");
    check_refused(br#"{"resourceLogs":5}"#, json, 400, "expected an array");
    check_refused(b"", "application/x-protobuf", 422, "at least one valid stream");
    check_refused(b"\xff\xff\xff", "application/x-protobuf", 400, "unexpected EOF");
    check_refused(b"{}", "text/plain", 400, "content type: text/plain is not supported");
    let mut value = AnyValue { value: Some(Any::Int(1)) };
    for _ in 0..100 {
        value = AnyValue { value: Some(Any::Array(Array { values: vec![value] })) };
    }
    // Body, record, scope, resource.
    let mut message = value.encode_to_vec();
    for number in [5_u8, 2, 2, 1] {
        let mut outer = vec![number << 3 | 2];
        prost::encoding::encode_varint(message.len() as u64, &mut outer);
        outer.extend(message);
        message = outer;
    }
    check_refused(&message, "application/x-protobuf", 400, "nested deeper");
}

#[test]
fn an_explosion_of_attributes_refuses_its_entry() {
    let attributes: Vec<String> =
        (0..20_000).map(|i| format!(r#"{{"key":"k{i}","value":{{"stringValue":"v"}}}}"#)).collect();
    let body = format!(
        r#"{{"resourceLogs":[{{"resource":{{"attributes":[{}]}},"scopeLogs":[{{"logRecords":[{{}}]}}]}}]}}"#,
        attributes.join(",")
    );
    let accepted = export(body.as_bytes(), "application/json").expect("understood");
    assert_eq!(accepted.n_entries, 0);
    let (status, text) = accepted.refused.answer().expect("a refusal");
    assert_eq!(status, 400);
    assert!(text.contains("too large") || text.contains("too many"), "{text}");
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        Just(None),
        "[a\"é]{0,3}".prop_map(|text| Some(Any::Text(text))),
        any::<bool>().prop_map(|value| Some(Any::Bool(value))),
        any::<i64>().prop_map(|value| Some(Any::Int(value))),
        any::<f64>().prop_map(|value| Some(Any::Double(value))),
        proptest::collection::vec(any::<u8>(), 0..4).prop_map(|value| Some(Any::Bytes(value))),
    ];
    let leaf = leaf.prop_map(|value| AnyValue { value });
    leaf.prop_recursive(3, 12, 3, |inner| {
        let pair = ("[a-c]{0,2}", proptest::option::of(inner.clone()))
            .prop_map(|(key, value)| KeyValue { key, value });
        prop_oneof![
            proptest::collection::vec(inner, 0..3)
                .prop_map(|values| AnyValue { value: Some(Any::Array(Array { values })) }),
            proptest::collection::vec(pair, 0..3)
                .prop_map(|values| AnyValue { value: Some(Any::Map(Map { values })) }),
        ]
    })
}

/// A value as JSON text, by the definition.
fn written(value: &AnyValue) -> serde_json::Value {
    match &value.value {
        None => serde_json::Value::Null,
        Some(Any::Text(text)) => text.as_str().into(),
        Some(Any::Bool(value)) => (*value).into(),
        Some(Any::Int(value)) => (*value).into(),
        Some(Any::Double(value)) => {
            let text = crate::logql::number::format_general(*value);
            serde_json::from_str(&text).expect("a finite number")
        }
        Some(Any::Array(array)) => array.values.iter().map(written).collect(),
        Some(Any::Map(map)) => {
            let empty = AnyValue::default();
            let pairs = map.values.iter();
            let value_of = |pair: &KeyValue| written(pair.value.as_ref().unwrap_or(&empty));
            pairs.map(|pair| (pair.key.clone(), value_of(pair))).collect()
        }
        Some(Any::Bytes(_)) => unreachable!("left out of these values"),
    }
}

fn has_bytes_or_odd_floats(value: &AnyValue) -> bool {
    match &value.value {
        Some(Any::Bytes(_)) => true,
        Some(Any::Double(value)) => !value.is_finite(),
        Some(Any::Array(array)) => array.values.iter().any(has_bytes_or_odd_floats),
        Some(Any::Map(map)) => {
            map.values.iter().filter_map(|pair| pair.value.as_ref()).any(has_bytes_or_odd_floats)
        }
        _ => false,
    }
}

proptest! {
    #[test]
    fn values_become_json_text(value in any_value()) {
        prop_assume!(!has_bytes_or_odd_floats(&value));
        let is_nested = matches!(value.value, Some(Any::Array(_) | Any::Map(_)));
        prop_assume!(is_nested);
        let mut out = String::new();
        super::value::write(&value.encode_to_vec(), &mut out).expect("shallow");
        let found: serde_json::Value = serde_json::from_str(&out).expect("JSON");
        prop_assert_eq!(found.to_string(), written(&value).to_string());
    }

    #[test]
    fn damaged_exports_are_refused_or_taken_but_never_worse(
        value in any_value(), cut in 0..200_usize, flip in 0..1600_usize,
    ) {
        let mut message = value.encode_to_vec();
        for number in [5_u8, 2, 2, 1] {
            let mut outer = vec![number << 3 | 2];
            prost::encoding::encode_varint(message.len() as u64, &mut outer);
            outer.extend(message);
            message = outer;
        }
        let kind = "application/x-protobuf";
        prop_assert!(export(&message, kind).is_ok());
        let _ = export(&message[..cut.min(message.len())], kind);
        let bit = flip % (8 * message.len());
        message[bit / 8] ^= 1 << (bit % 8);
        let _ = export(&message, kind);
    }

    #[test]
    fn any_text_is_refused_or_taken(text in "[{}\\[\\]:,\"a-z0-9]{0,40}") {
        let _ = export(text.as_bytes(), "application/json");
    }
}
