//! Whole pushes: bytes in, answer and entries out.

mod policies;

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::cluster::placement::shard_of;
use crate::model::limits::{ByteSize, Span};
use crate::model::{Batch, Labels, Timestamp};

/// 2026-11-20T00:00:00Z, the clock of these tests.
const NOW: Timestamp = Timestamp::from_secs(1_795_132_800);
const NS: &str = "1795132800000000000";

/// `logproto.PushRequest` as a code generator would have it: the naive twin of our decoder.
#[derive(Clone, PartialEq, Message)]
struct PushRequest {
    #[prost(message, repeated, tag = "1")]
    streams: Vec<StreamAdapter>,
}

#[derive(Clone, PartialEq, Message)]
struct StreamAdapter {
    #[prost(string, tag = "1")]
    labels: String,
    #[prost(message, repeated, tag = "2")]
    entries: Vec<EntryAdapter>,
    #[prost(uint64, tag = "3")]
    hash: u64,
}

#[derive(Clone, PartialEq, Message)]
struct EntryAdapter {
    #[prost(message, optional, tag = "1")]
    timestamp: Option<Time>,
    #[prost(bytes = "vec", tag = "2")]
    line: Vec<u8>,
    #[prost(message, repeated, tag = "3")]
    metadata: Vec<LabelPair>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Time {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
struct LabelPair {
    #[prost(bytes = "vec", tag = "1")]
    name: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// One push, with everything that may differ between tests.
struct Push<'a> {
    limits: Limits,
    atomic: bool,
    n_shards: u32,
    now: Timestamp,
    policy: Option<&'a str>,
    backfill: Option<&'a str>,
    cache: Option<&'a StreamCache>,
}

impl Default for Push<'_> {
    fn default() -> Self {
        let limits = Limits::default();
        Push {
            limits,
            atomic: false,
            n_shards: 4,
            now: NOW,
            policy: None,
            backfill: None,
            cache: None,
        }
    }
}

impl Push<'_> {
    fn run(&self, body: &[u8], content_type: &str) -> Result<Accepted, Refused> {
        let tenant = Tenant::single();
        let fresh = StreamCache::default();
        let context = Context {
            tenant: &tenant,
            limits: &self.limits,
            now: self.now,
            n_shards: self.n_shards,
            atomic: self.atomic,
            policy: self.policy,
            backfill: self.backfill,
            cache: self.cache.unwrap_or(&fresh),
        };
        push(Bytes::copy_from_slice(body), Some(content_type), None, &context)
    }

    fn json(&self, body: &str) -> Result<Accepted, Refused> {
        self.run(body.as_bytes(), "application/json")
    }

    fn protobuf(&self, message: &[u8]) -> Result<Accepted, Refused> {
        let body = snap::raw::Encoder::new().compress_vec(message).expect("short");
        self.run(&body, "application/x-protobuf")
    }

    /// Status, text and what is stored.
    fn outcome(&self, pushed: Result<Accepted, Refused>) -> (u16, String, Vec<String>) {
        match pushed {
            Err(refused) => (refused.status, refused.message, Vec::new()),
            Ok(accepted) => {
                let (status, text) = accepted.refused.answer().unwrap_or((204, String::new()));
                (status, text, stored(accepted, self.n_shards))
            }
        }
    }
}

/// Entries as text, sorted, after a round through the encoded batch; each on the right shard.
fn stored(accepted: Accepted, n_shards: u32) -> Vec<String> {
    let mut entries = Vec::new();
    for (shard, builder) in accepted.shards {
        assert!(!builder.is_empty(), "a shard without entries is not named");
        let batch = Batch::open(builder.encode()).expect("our own batch");
        for (segment, rows) in batch.segments().iter().zip(batch.decode().expect("our own batch")) {
            assert_eq!(shard_of(&segment.tenant, &segment.labels, n_shards), shard);
            for row in 0..rows.len() {
                let line = rows.lines.as_ref().expect("all columns").text(row).to_owned();
                let set = rows.metadata.as_ref().expect("all columns").get(row).clone();
                entries
                    .push(format!("{} {} {line:?} {set:?}", segment.labels, rows.timestamps[row]));
            }
        }
    }
    entries.sort();
    entries
}

fn one(labels: &str, values: &str) -> String {
    format!(r#"{{"streams":[{{"stream":{labels},"values":{values}}}]}}"#)
}

/// Pushes a JSON text with `@NS@` for a good time, and compares status, text and entries.
fn check(push: &Push<'_>, body: &str, status: u16, text: &str, entries: &[&str]) {
    let outcome = push.outcome(push.json(&body.replace("@NS@", NS)));
    let entries: Vec<String> = entries.iter().map(|entry| entry.replace("@NS@", NS)).collect();
    assert_eq!(outcome, (status, text.replace("@NS@", NS), entries), "{body}");
}

fn check_undecodable(body: &str, text: &str) {
    check(&Push::default(), body, 400, text, &[]);
}

#[test]
fn json_that_is_taken() {
    let check = |body: &str, entries: &[&str]| check(&Push::default(), body, 204, "", entries);
    let unknown = r#"{"detected_level": "unknown"}"#;
    let x = format!(r#"{{app="a", service_name="a"}} @NS@ "x" {unknown}"#);
    let x = x.as_str();
    check(&one(r#"{"app":"a"}"#, r#"[["@NS@","x"]]"#), &[x]);
    check(&one(r#" { "app" : "a" , "b":"" } "#, r#" [ [ "@NS@" , "x" , { } ] ] "#), &[x]);
    check(r#"{"streams":[{"values":[["@NS@","x"]],"stream":{"app":"a"}}]}"#, &[x]);
    check(
        r#"{"streams":[{"stream":{"app":"a"},"values":[["@NS@","x"]],"k":[{}]}],"extra":1}"#,
        &[x],
    );
    check(r#"{"streams":[],"streams":[{"stream":{"app":"a"},"values":[["@NS@","x"]]}]}"#, &[x]);
    check(&one(r#"{"app":"a"}"#, "[]"), &[]);
    check(&one(r#"{"app":"a"}"#, "null"), &[]);
    // A stream in the form of Loki 0.x has nothing that this API reads.
    check(r#"{"streams":[{"labels":"{a=\"b\"}","entries":[{"ts":"2026-11-18T20:13:21Z"}]}]}"#, &[]);
    let entry = |labels: &str, line: &str| format!("{labels} @NS@ {line:?} {unknown}");
    check(&one("{}", r#"[["@NS@","x"]]"#), &[&entry(r#"{service_name="unknown_service"}"#, "x")]);
    check(
        &one(r#"{"a":1.5,"b":true}"#, r#"[["@NS@"]]"#),
        &[&entry(r#"{a="1.5", b="true", service_name="unknown_service"}"#, "")],
    );
    check(
        &one(r#"{"job":"a\"},{b=\"c\\"}"#, r#"[["@NS@","a\u0000\ud800é"]]"#),
        &[&entry(r#"{job="a\"},{b=\"c\\", service_name="a\"},{b=\"c\\"}"#, "a\0\u{fffd}é")],
    );
    check(
        &one(r#"{"app":"a"}"#, r#"[["@NS@","x",{"k.1":"v","detected_level":"WARN","1a":""}]]"#),
        &[
            r#"{app="a", service_name="a"} @NS@ "x" {"detected_level": "warn", "k_1": "v", "key_1a": ""}"#,
        ],
    );
    check(
        &one(
            r#"{"app":"a","level":"odd"}"#,
            r#"[["@NS@","error"],["@NS@","error",{"level":"trc"}]]"#,
        ),
        &[
            r#"{app="a", level="odd", service_name="a"} @NS@ "error" {"detected_level": "odd", "level": "trc"}"#,
            r#"{app="a", level="odd", service_name="a"} @NS@ "error" {"detected_level": "odd"}"#,
        ],
    );
}

#[test]
fn json_that_is_refused_whole() {
    check_undecodable("", "EOF");
    check_undecodable("{", "invalid JSON push: expected a key in quotes at byte 1");
    check_undecodable("[]", "invalid JSON push: expected an object with streams at byte 0");
    let check = |labels: &str, values: &str, text: &str| {
        check_undecodable(&one(labels, values), text);
    };
    let name = "couldn't parse labels: 1:5: parse error: unexpected character inside braces: '-'";
    check(r#"{"bad-name":"x"}"#, r#"[["@NS@","x"]]"#, name);
    let name = "couldn't parse labels: 1:10: parse error: unexpected character inside braces: '.'";
    check(r#"{"b.c":"x","a":"y"}"#, r#"[["@NS@","x"]]"#, name);
    let name = "couldn't parse labels: a label name is not [a-zA-Z_][a-zA-Z0-9_]*";
    check(r#"{"a=\"x\",b":"x"}"#, r#"[["@NS@","x"]]"#, name);
    let string = "invalid JSON push: expected a timestamp as a string of nanoseconds at byte 45";
    check(r#"{"app":"a"}"#, r#"[[@NS@,"x"]]"#, string);
    for bad in ["", " 1", "1.5", "abc", "0x1", "+1", "-", "١", "9223372036854775808"] {
        let text = "invalid JSON push: expected a timestamp of decimal nanoseconds at byte 46";
        check(r#"{"app":"a"}"#, &format!(r#"[["{bad}","x"]]"#), text);
    }
    let offset = |what: &str, at: usize| format!("invalid JSON push: {what} at byte {at}");
    let line = offset("expected a line as a string", 67);
    check(r#"{"app":"a"}"#, r#"[["@NS@",5]]"#, &line);
    check(r#"{"app":"a"}"#, r#"[["@NS@",null]]"#, &line);
    let value = offset("expected a structured metadata value as a string", 76);
    check(r#"{"app":"a"}"#, r#"[["@NS@","x",{"a":1}]]"#, &value);
    let object = offset("expected structured metadata as an object", 71);
    check(r#"{"app":"a"}"#, r#"[["@NS@","x","y"]]"#, &object);
    check(r#"{"app":"a"}"#, r#"[["@NS@","x",{},5]]"#, &offset("expected the end of an entry", 73));
    check(r#"{"app":null}"#, "[]", &offset("expected a label value", 29));
    check(r#"{"app":{"b":"c"}}"#, "[]", &offset("expected a label value", 29));
    check(r#"{"app":"a"}"#, r#"{}"#, &offset("expected an array of values", 43));
    check(r#"{"app":"a"}"#, r#"["@NS@"]"#, &offset(r#"expected an entry: ["<ns>", "<line>"]"#, 44));
    check_undecodable(r#"{"streams":{}}"#, &offset("expected an array of streams", 11));
    check_undecodable(r#"{"streams":[5]}"#, &offset("expected a stream object", 12));
    check_undecodable("{}x", &offset("something after the end", 2));
    let twice = r#"{"streams":[{"stream":{"a":"b"},"stream":{"a":"c"},"values":[]}]}"#;
    check_undecodable(twice, &offset("a stream named twice", 41));
    // A good stream before the bad byte is not stored either.
    let good = one(r#"{"app":"a"}"#, r#"[["@NS@","x"]]"#);
    check_undecodable(
        &good[..good.len() - 1],
        &offset(
            "expected a comma or the end of an array or object",
            good.len() - 1 - "@NS@".len() + NS.len(),
        ),
    );
    let none = "error at least one valid stream is required for ingestion";
    for body in ["{}", "null", r#"{"streams":[]}"#, r#"{"streams":null}"#] {
        super::tests::check(&Push::default(), body, 422, none, &[]);
    }
}

#[test]
fn limits_on_streams_and_entries() {
    let limits = Limits {
        max_label_names_per_series: 2,
        max_label_name_length: 12,
        max_label_value_length: 15,
        max_line_size: ByteSize(10),
        max_structured_metadata_size: ByteSize(12),
        max_structured_metadata_entries_count: 2,
        discover_log_levels: false,
        discover_service_name: vec!["app".into()],
        ..Limits::default()
    };
    let push = Push { limits, ..Push::default() };
    let labels = |labels: &str, text: &str| {
        check(&push, &one(labels, r#"[["@NS@","x"]]"#), 400, text, &[]);
    };
    let three = r#"entry for stream '{a="1", b="2", c="3", service_name="unknown_service"}' has 3 label names; limit 2"#;
    labels(r#"{"a":"1","b":"2","c":"3"}"#, three);
    let name = r#"stream '{app="a", namenamenamen="b", service_name="a"}' has label name too long: 'namenamenamen'"#;
    labels(r#"{"app":"a","namenamenamen":"b"}"#, name);
    let value = r#"stream '{a="valuevaluevalueX", service_name="unknown_service"}' has label value too long: 'valuevaluevalueX'"#;
    labels(r#"{"a":"valuevaluevalueX"}"#, value);
    labels(r#"{"a":"1","a":"2"}"#, r#"stream '{a="1", a="2"}' has duplicate label name: 'a'"#);

    let entry = |value: &str, text: &str| {
        check(&push, &one(r#"{"app":"a"}"#, &format!("[{value}]")), 400, text, &[]);
    };
    let stream = r#"{app="a", service_name="a"}"#;
    entry(
        r#"["@NS@","12345678901"]"#,
        &format!(
            "max entry size '10' bytes exceeded for stream '{stream}' while adding an entry with length '11' bytes"
        ),
    );
    entry(
        r#"["0","x"]"#,
        &format!(
            "entry for stream '{stream}' has timestamp too old: 1970-01-01T00:00:00Z, oldest acceptable timestamp is: 1980-01-01T00:00:00Z"
        ),
    );
    entry(
        r#"["-1","x"]"#,
        &format!(
            "entry for stream '{stream}' has timestamp too old: 1969-12-31T23:59:59Z, oldest acceptable timestamp is: 1980-01-01T00:00:00Z"
        ),
    );
    entry(
        r#"["1795133400000000001","x"]"#,
        &format!("entry for stream '{stream}' has timestamp too new: 2026-11-20T00:10:00Z"),
    );
    entry(
        r#"["@NS@","x",{"a":"123456","b":"123456"}]"#,
        &format!(
            "stream '{stream}' has structured metadata too large: '14' bytes, limit: '12' bytes. Please see `limits_config.max_structured_metadata_size` or contact your Loki administrator to increase it"
        ),
    );
    entry(
        r#"["@NS@","x",{"a":"","b":"","c":""}]"#,
        &format!(
            "stream '{stream}' has too many structured metadata labels: '3', limit: '2'. Please see `limits_config.max_structured_metadata_entries_count` or contact your Loki administrator to increase it"
        ),
    );
    let boundary = r#"[["1795133400000000000","1234567890"],["315532800000000000","2005"]]"#;
    check(
        &push,
        &one(r#"{"app":"a"}"#, boundary),
        204,
        "",
        &[
            r#"{app="a", service_name="a"} 1795133400000000000 "1234567890" {}"#,
            r#"{app="a", service_name="a"} 315532800000000000 "2005" {}"#,
        ],
    );
}

#[test]
fn missing_and_reserved_labels() {
    let discover_service_name = Vec::new();
    let undiscovered =
        Push { limits: Limits { discover_service_name, ..Limits::default() }, ..Push::default() };
    let missing = "error at least one label pair is required per stream";
    check(&undiscovered, &one("{}", r#"[["@NS@","x"]]"#), 400, missing, &[]);
    let nameless = r#"{"streams":[{"values":[["@NS@","x"]]}]}"#;
    check(&Push::default(), nameless, 400, missing, &[]);
    check(&Push::default(), &one("null", r#"[["@NS@","x"]]"#), 400, missing, &[]);
    let reserved = r#"stream '{__backfill__="true", service_name="unknown_service"}' has reserved label name: '__backfill__'"#;
    check(
        &Push::default(),
        &one(r#"{"__backfill__":"true"}"#, r#"[["@NS@","x"]]"#),
        400,
        reserved,
        &[],
    );
}

#[test]
fn old_samples_and_disallowed_metadata() {
    let limits = Limits {
        reject_old_samples: true,
        reject_old_samples_max_age: Span(Duration::from_secs(3600)),
        allow_structured_metadata: false,
        ..Limits::default()
    };
    let push = Push { limits, ..Push::default() };
    check(
        &push,
        &one(r#"{"app":"a"}"#, r#"[["1795129199999999999","x"]]"#),
        400,
        r#"entry for stream '{app="a", service_name="a"}' has timestamp too old: 2026-11-19T22:59:59Z, oldest acceptable timestamp is: 2026-11-19T23:00:00Z"#,
        &[],
    );
    check(
        &push,
        &one(r#"{"app":"a"}"#, r#"[["@NS@","x",{"k":"v"}]]"#),
        400,
        r#"stream '{app="a", service_name="a"}' includes structured metadata, but this feature is disallowed. Please see `limits_config.allow_structured_metadata` or contact your Loki administrator to enable it"#,
        &[],
    );
}

#[test]
fn good_entries_of_a_partly_bad_push_are_stored_and_the_bad_ones_named() {
    let body = r#"{"streams":[
        {"stream":{"app":"a"},"values":[["@NS@","good"],["1700000000","seconds"]]},
        {"stream":{"a":"1","a":"2"},"values":[["@NS@","x"],["@NS@","y"]]},
        {"stream":{"app":"b"},"values":[["@NS@","fine"]]}]}"#;
    let unknown = r#"{"detected_level": "unknown"}"#;
    let text = [
        r#"entry with timestamp 1970-01-01 00:00:01.7 +0000 UTC ignored, reason: 'entry for stream '{app="a", service_name="a"}' has timestamp too old: 1970-01-01T00:00:01Z, oldest acceptable timestamp is: 1980-01-01T00:00:00Z',"#,
        r#"user 'fake', total ignored: 1 out of 2 for stream: {app="a", service_name="a"}"#,
        r#"stream '{a="1", a="2"}' has duplicate label name: 'a'"#,
    ];
    check(
        &Push::default(),
        body,
        400,
        &text.join("\n"),
        &[
            &format!(r#"{{app="a", service_name="a"}} @NS@ "good" {unknown}"#),
            &format!(r#"{{app="b", service_name="b"}} @NS@ "fine" {unknown}"#),
        ],
    );
    let atomic = Push { atomic: true, ..Push::default() };
    check(&atomic, body, 400, &text.join("\n"), &[]);
    let accepted = Push::default().json(&body.replace("@NS@", NS)).expect("partly good");
    assert_eq!((accepted.n_entries, accepted.line_bytes), (2, 8));
    assert_eq!(accepted.refused.n_entries(), 3);
    assert_eq!(
        accepted.discarded,
        [
            Discarded { reason: Reason::GreaterThanMaxSampleAge, n_entries: 1, bytes: 7 },
            Discarded { reason: Reason::DuplicateLabelNames, n_entries: 2, bytes: 2 },
        ]
    );
}

#[test]
fn long_lines_are_cut_where_that_is_asked_for() {
    let limits = Limits {
        max_line_size: ByteSize(6),
        max_line_size_truncate: true,
        max_line_size_truncate_identifier: "..".into(),
        discover_log_levels: false,
        ..Limits::default()
    };
    let push = Push { limits, ..Push::default() };
    check(
        &push,
        &one(r#"{"app":"a"}"#, r#"[["@NS@","1234567"],["@NS@","123éé"],["@NS@","123456"]]"#),
        204,
        "",
        &[
            r#"{app="a", service_name="a"} @NS@ "123.." {}"#,
            r#"{app="a", service_name="a"} @NS@ "1234.." {}"#,
            r#"{app="a", service_name="a"} @NS@ "123456" {}"#,
        ],
    );
}

#[test]
fn new_streams_are_limited_and_known_ones_go_on() {
    let cache = StreamCache::default();
    let limits = Limits { max_global_streams_per_user: 2, ..Limits::default() };
    let push = Push { limits, cache: Some(&cache), ..Push::default() };
    let pushed = |names: &[&str]| {
        let streams: Vec<String> = names
            .iter()
            .map(|name| format!(r#"{{"stream":{{"app":"{name}"}},"values":[["{NS}","x"]]}}"#))
            .collect();
        let body = format!(r#"{{"streams":[{}]}}"#, streams.join(","));
        let (status, text, entries) = push.outcome(push.json(&body));
        (status, text, entries.len())
    };
    let refused = |name: &str| {
        format!(
            "maximum active stream limit exceeded when trying to create stream \
             {{app=\"{name}\", service_name=\"{name}\"}}, reduce the number of active streams \
             (reduce labels or reduce label values), or contact your Loki administrator to see if \
             the limit can be increased, user: 'fake'"
        )
    };
    assert_eq!(pushed(&["a", "b", "a"]), (204, String::new(), 3));
    assert_eq!(pushed(&["c", "b"]), (429, refused("c"), 1));
    assert_eq!(pushed(&["a", "b"]), (204, String::new(), 2));
}

#[test]
fn a_tenant_over_its_rate_is_refused_whole() {
    let cache = StreamCache::default();
    let limits = Limits {
        ingestion_rate_mb: 1.0 / 1_048_576.0,
        ingestion_burst_size_mb: 4.0 / 1_048_576.0,
        ..Limits::default()
    };
    let at = |now| Push { limits: limits.clone(), cache: Some(&cache), now, ..Push::default() };
    let body = one(r#"{"app":"a"}"#, r#"[["@NS@","12"],["@NS@","",{"k":"v"}]]"#);
    let limited = "ingestion rate limit exceeded for user fake (limit: 1 bytes/sec) while \
                   attempting to ingest '2' lines totaling '4' bytes, reduce log volume or contact \
                   your Loki administrator to see if the limit can be increased";
    let good = [
        r#"{app="a", service_name="a"} @NS@ "" {"detected_level": "unknown", "k": "v"}"#,
        r#"{app="a", service_name="a"} @NS@ "12" {"detected_level": "unknown"}"#,
    ];
    check(&at(NOW), &body, 204, "", &good);
    check(&at(NOW), &body, 429, limited, &[]);
    check(&at(NOW.after(Duration::from_secs(3))), &body, 429, limited, &[]);
    check(&at(NOW.after(Duration::from_secs(4))), &body, 204, "", &good);
}

#[test]
fn a_stream_over_its_rate_loses_what_is_over_it() {
    let cache = StreamCache::default();
    let limits = Limits {
        per_stream_rate_limit: ByteSize(2),
        per_stream_rate_limit_burst: ByteSize(3),
        ..Limits::default()
    };
    let at = |now| Push { limits: limits.clone(), cache: Some(&cache), now, ..Push::default() };
    let line = |app: &str, line: &str| {
        format!(
            r#"{{app="{app}", service_name="{app}"}} @NS@ {line:?} {{"detected_level": "unknown"}}"#
        )
    };
    let body = one(r#"{"app":"a"}"#, r#"[["@NS@","12"],["@NS@","34"],["@NS@","5"]]"#);
    let limited = r#"entry with timestamp 2026-11-20 00:00:00 +0000 UTC ignored, reason: 'Per stream rate limit exceeded (limit: 2B/sec) while attempting to ingest for stream '{app="a", service_name="a"}' totaling 2B, consider splitting a stream via additional labels or contact your Loki administrator to see if the limit can be increased',
user 'fake', total ignored: 1 out of 3 for stream: {app="a", service_name="a"}"#;
    check(&at(NOW), &body, 429, limited, &[&line("a", "12"), &line("a", "5")]);
    // Another stream has its own rate, and this one has it again a second later.
    let other = one(r#"{"app":"b"}"#, r#"[["@NS@","123"]]"#);
    check(&at(NOW), &other, 204, "", &[&line("b", "123")]);
    let again = one(r#"{"app":"a"}"#, r#"[["@NS@","34"]]"#);
    check(&at(NOW.after(Duration::from_secs(1))), &again, 204, "", &[&line("a", "34")]);
}

#[test]
fn equal_times_are_moved_apart_where_that_is_wanted() {
    let limits = Limits { increment_duplicate_timestamp: true, ..Limits::default() };
    let push = Push { limits, ..Push::default() };
    let moved = |values: &[(i64, &str)]| {
        let start: i64 = NS.parse().expect("a number");
        let values: Vec<String> =
            values.iter().map(|(at, line)| format!(r#"["{}","{line}"]"#, start + at)).collect();
        let body = one(r#"{"app":"a"}"#, &format!("[{}]", values.join(",")));
        let (status, _, entries) = push.outcome(push.json(&body));
        assert_eq!(status, 204);
        let short = |entry: &String| {
            let mut words = entry.split(' ').skip(2);
            let at: i64 = words.next().expect("a time").parse().expect("a number");
            format!("{}{}", at - start, words.next().expect("a line").replace('"', ""))
        };
        entries.iter().map(short).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(moved(&[(0, "a"), (0, "b"), (0, "c"), (9, "d")]), "0a 1b 2c 9d");
    // The next one was pushed with the very time that another one was moved to.
    assert_eq!(moved(&[(0, "a"), (0, "b"), (1, "c"), (1, "d")]), "0a 1b 2c 3d");
    // The same line again is the same entry, wherever that is by now.
    assert_eq!(moved(&[(0, "a"), (0, "b"), (0, "b")]), "0a 1b 1b");
    assert_eq!(moved(&[(5, "a"), (0, "b")]), "0b 5a");
}

#[test]
fn a_protobuf_push_as_clients_send_it() {
    let body = b"\x25\x90\x0a\x23\x0a\x09{app=\"a\"}\x12\x16\x0a\x08\x08\x80\xe2\xcf\xaa\x06\x10\x05\x12\x02hi\x1a\x06\x0a\x01k\x12\x01v";
    let push = Push::default();
    let (status, text, entries) = push.outcome(push.run(body, "application/x-protobuf"));
    assert_eq!((status, text.as_str()), (204, ""));
    let expected = r#"{app="a", service_name="a"} 1700000000000000005 "hi" {"detected_level": "unknown", "k": "v"}"#;
    assert_eq!(entries, [expected]);
}

#[test]
fn protobuf_pushes() {
    let good_time = Time { seconds: NOW.nanos() / 1_000_000_000, nanos: 7 };
    let message = |labels: &str, timestamp: Option<Time>, line: &[u8]| {
        let entry = EntryAdapter { timestamp, line: line.into(), metadata: Vec::new() };
        let stream = StreamAdapter { labels: labels.into(), entries: vec![entry], hash: 5 };
        PushRequest { streams: vec![stream] }.encode_to_vec()
    };
    let check = |message: &[u8], status: u16, text: &str, n_entries: usize| {
        let push = Push::default();
        let (found_status, found_text, entries) = push.outcome(push.protobuf(message));
        assert_eq!((found_status, found_text.as_str(), entries.len()), (status, text, n_entries));
    };
    let app = r#"{app="a"}"#;
    check(&message(app, Some(good_time), b"x"), 204, "", 1);
    check(&message(app, Some(good_time), b"\xff\xfe"), 204, "", 1);
    check(&message(r#"{app="a", b=""}"#, Some(good_time), b"x"), 204, "", 1);
    check(b"", 422, "error at least one valid stream is required for ingestion", 0);
    let missing = "error at least one label pair is required per stream";
    check(&message("{}", Some(good_time), b"x"), 400, missing, 0);
    check(&message("", Some(good_time), b"x"), 400, missing, 0);
    let duplicate = r#"stream '{app="a", app="b"}' has duplicate label name: 'app'"#;
    check(&message(r#"{app="a", app="b"}"#, Some(good_time), b"x"), 400, duplicate, 0);
    let end = "couldn't parse labels: 1:4: parse error: unexpected end of input inside braces";
    check(&message("{a=", Some(good_time), b"x"), 400, end, 0);
    let stream = r#"entry for stream '{app="a", service_name="a"}' has"#;
    check(&message(app, None, b"x"), 400, &format!("{stream} no timestamp"), 0);
    let odd = |seconds: i64, nanos: i32, text: &str| {
        let text = format!("{stream} {text}");
        check(&message(app, Some(Time { seconds, nanos }), b"x"), 400, &text, 0);
    };
    odd(5, 2_000_000_000, "invalid timestamp: 5 seconds and 2000000000 nanoseconds");
    odd(5, -1, "invalid timestamp: 5 seconds and -1 nanoseconds");
    let oldest = "oldest acceptable timestamp is: 1980-01-01T00:00:00Z";
    odd(-5, 0, &format!("timestamp too old: 1969-12-31T23:59:55Z, {oldest}"));
    odd(i64::MIN, 0, &format!("timestamp too old: 1677-09-21T00:12:43Z, {oldest}"));
    odd(i64::MAX, 0, "timestamp too new: 2262-04-11T23:47:16Z");
    check(b"\x0a\xff\xff\xff\x7f", 400, "unexpected EOF", 0);
    check(b"\x08\x01", 400, "proto: wrong wireType for field Streams", 0);
    // An entry whose tag a damaged bit turned into that of the hash was passed over as unknown.
    let hash = b"\x0a\x0d\x0a\x07{a='b'}\x1a\x02hi";
    check(hash, 400, "proto: wrong wireType for field Hash", 0);
    check(b"\x0a\x07\x0a\x05{a=\"\xff", 400, "proto: invalid UTF-8 in labels", 0);
    // Labels after the entries are found; labels twice are not what any encoder writes.
    let late = b"\x0a\x19\x12\x0c\x0a\x06\x08\x80\xe2\xcf\xaa\x06\x12\x02hi\x0a\x09{app=\"a\"}";
    check(late, 204, "", 1);
    let twice = b"\x0a\x12\x0a\x07{a='b'}\x0a\x07{c='d'}";
    check(twice, 400, "proto: labels given twice for one stream", 0);
}

#[test]
fn many_empty_entries_are_counted_not_kept() {
    let mut stream = b"\x0a\x07{a='b'}".to_vec();
    stream.extend(b"\x12\x00".repeat(100_000));
    let message = [&[0x0a, 0xc9, 0x9a, 0x0c][..], &stream].concat();
    let accepted = Push::default().protobuf(&message).expect("well-formed");
    assert_eq!((accepted.n_entries, accepted.refused.n_entries()), (0, 100_000));
    assert!(accepted.shards.is_empty());
    let (status, text) = accepted.refused.answer().expect("all is refused");
    assert_eq!((status, text.lines().count()), (400, 11));
    let total = r#"user 'fake', total ignored: 100000 out of 100000 for stream: {a="b", service_name="unknown_service"}"#;
    assert_eq!(text.lines().last(), Some(total));
}

#[test]
fn what_would_grow_in_memory_is_refused_early() {
    let push = Push::default();
    let outcome = |labels: String, metadata: Vec<LabelPair>| {
        let timestamp = Some(Time { seconds: NOW.nanos() / 1_000_000_000, nanos: 0 });
        let entry = EntryAdapter { timestamp, line: b"x".to_vec(), metadata };
        let stream = StreamAdapter { labels, entries: vec![entry], hash: 0 };
        let (status, text, entries) =
            push.outcome(push.protobuf(&PushRequest { streams: vec![stream] }.encode_to_vec()));
        assert!(entries.is_empty());
        (status, text)
    };
    let empty = LabelPair { name: Vec::new(), value: Vec::new() };
    let (status, text) = outcome(r#"{app="a"}"#.into(), vec![empty; 100_000]);
    assert_eq!(status, 400);
    assert!(text.contains("too many structured metadata labels: '100000', limit: '128'"), "{text}");
    let many = format!("{{{}}}", r#"a="","#.repeat(5000));
    let many = outcome(many, Vec::new());
    let expected = "couldn't parse labels: 1:20482: parse error: more than 4096 labels";
    assert_eq!(many, (400, expected.into()));
    let many = one(&format!(r#"{{{}"a":""}}"#, r#""a":"","#.repeat(5000)), "[]");
    let (status, text, _) = push.outcome(push.json(&many));
    assert!(status == 400 && text.starts_with("invalid JSON push: too many labels"), "{text}");
    let long = outcome(format!(r#"{{a="{}"}}"#, "x".repeat(16 << 20)), Vec::new());
    let expected = "stream labels too large: 16777222 bytes, limit: 16777216 bytes";
    assert_eq!(long, (413, expected.into()));
}

/// One stream: labels, then entries of seconds after 2026-11-19, line and metadata.
type Plain = (Vec<(String, String)>, Vec<(u32, String, Vec<(String, String)>)>);

fn a_push() -> impl Strategy<Value = Vec<Plain>> {
    let labels = proptest::collection::btree_map("[a-c]|level", "\\PC{1,4}|[\"\\\\\n]{1,3}", 1..4)
        .prop_map(|labels| labels.into_iter().collect());
    let metadata = proptest::collection::vec(("[a-z.0-9é]{1,4}|severity", "\\PC{0,4}|warn"), 0..3);
    let line = "\\PC{0,12}|[\"\\\\\n\t{}= a]{0,8}|[a-z=\" ]{0,4}(error|level=warn)|\\{\"level\":\"dbg\"\\}";
    let entries = proptest::collection::vec((0_u32..86_400, line, metadata), 0..4);
    proptest::collection::vec((labels, entries), 1..4)
}

fn as_json(plain: &[Plain]) -> String {
    let object = |pairs: &[(String, String)]| {
        let members: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{}:{}", quote(name), quote(value))).collect();
        format!("{{{}}}", members.join(","))
    };
    let streams: Vec<String> = plain
        .iter()
        .map(|(labels, entries)| {
            let values: Vec<String> = entries
                .iter()
                .map(|(second, line, metadata)| {
                    let at = NOW.before(Duration::from_secs(86_400 - u64::from(*second)));
                    format!(r#"["{}",{},{}]"#, at.nanos(), quote(line), object(metadata))
                })
                .collect();
            format!(r#"{{"stream":{},"values":[{}]}}"#, object(labels), values.join(","))
        })
        .collect();
    format!(r#"{{"streams":[{}]}}"#, streams.join(","))
}

fn quote(text: &str) -> String {
    serde_json::to_string(text).expect("a string")
}

fn as_protobuf(plain: &[Plain]) -> PushRequest {
    let streams = plain.iter().map(|(labels, entries)| StreamAdapter {
        labels: Labels::from_pairs(labels.iter().cloned()).expect("unique").to_string(),
        hash: 0,
        entries: entries
            .iter()
            .map(|(second, line, metadata)| {
                let at = NOW.before(Duration::from_secs(86_400 - u64::from(*second)));
                EntryAdapter {
                    timestamp: Some(Time { seconds: at.nanos() / 1_000_000_000, nanos: 0 }),
                    line: line.clone().into_bytes(),
                    metadata: metadata
                        .iter()
                        .map(|(name, value)| LabelPair {
                            name: name.clone().into_bytes(),
                            value: value.clone().into_bytes(),
                        })
                        .collect(),
                }
            })
            .collect(),
    });
    PushRequest { streams: streams.collect() }
}

proptest! {
    #[test]
    fn json_and_protobuf_say_the_same(plain in a_push(), n_shards in 1_u32..5) {
        let push = Push { n_shards, ..Push::default() };
        let message = as_protobuf(&plain);
        let from_json = push.outcome(push.json(&as_json(&plain)));
        let from_protobuf = push.outcome(push.protobuf(&message.encode_to_vec()));
        prop_assert_eq!(&from_json.1, "");
        prop_assert_eq!(&from_json, &from_protobuf);
        let n_entries: usize = plain.iter().map(|(_, entries)| entries.len()).sum();
        prop_assert_eq!(from_json.2.len(), n_entries);
        // What went in came out: each time and line, in whatever stream.
        let lines: BTreeSet<String> = message.streams.iter().flat_map(|stream| &stream.entries).map(|entry| {
            let seconds = entry.timestamp.as_ref().map_or(0, |time| time.seconds);
            format!("{} {:?}", seconds * 1_000_000_000, String::from_utf8_lossy(&entry.line))
        }).collect();
        for line in lines {
            prop_assert!(from_json.2.iter().any(|entry| entry.contains(&line)), "{} in {:?}", line, from_json.2);
        }
    }

    #[test]
    fn a_remembered_stream_is_the_same_stream(plain in a_push()) {
        let cache = StreamCache::default();
        let push = Push { cache: Some(&cache), ..Push::default() };
        let first = push.outcome(push.json(&as_json(&plain)));
        prop_assert_eq!(push.outcome(push.json(&as_json(&plain))), first);
    }

    #[test]
    fn damaged_bytes_are_answered(
        plain in a_push(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()
    ) {
        let push = Push::default();
        for (mut body, is_json) in [
            (as_json(&plain).into_bytes(), true),
            (as_protobuf(&plain).encode_to_vec(), false),
        ] {
            let at = at.index(body.len());
            if cut {
                body.truncate(at);
            } else {
                body[at] = byte;
            }
            let outcome = match is_json {
                true => push.outcome(push.run(&body, "application/json")),
                false => push.outcome(push.protobuf(&body)),
            };
            prop_assert!([204, 400, 422].contains(&outcome.0));
            prop_assert!(is_json || PushRequest::decode(&body[..]).is_ok() || outcome.0 != 204
                || body.len() < 2, "taken, though the twin cannot read it");
        }
    }

    #[test]
    fn any_bytes_are_answered(body in proptest::collection::vec(any::<u8>(), 0..64)) {
        let push = Push::default();
        for pushed in [push.protobuf(&body), push.run(&body, "application/json"), push.run(&body, "x/y")] {
            prop_assert!([204, 400, 422].contains(&push.outcome(pushed).0));
        }
    }
}
