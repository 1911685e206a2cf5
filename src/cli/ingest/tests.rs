//! From files to the store and back: every line arrives once, wherever it was refused or delayed.

use std::collections::{BTreeSet, VecDeque};
use std::io::Write as _;
use std::sync::{Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};

use super::push::{Push, naive};
use super::send::Refusal;
use super::*;
use crate::model::Timestamp;

/// A server that remembers what it was sent and answers as it is told.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    entries: BTreeSet<(i64, String)>,
    pushes: u32,
    /// Answers before any push is looked at: status and `Retry-After`.
    faults: VecDeque<(u16, &'static str)>,
    /// Lines with this in them are refused.
    refuses: Option<&'static str>,
}

impl Server {
    async fn start() -> (Server, Http) {
        let server = Server::default();
        let state = server.clone();
        let app = Router::new()
            .route("/ready", get(|| async { "ready" }))
            .route("/loki/api/v1/push", post(move |body: Bytes| async move { state.push(&body) }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let http = Http {
            server: format!("http://{}", listener.local_addr().unwrap()),
            tenant: Some("t".to_owned()),
        };
        tokio::spawn(async move { axum::serve(listener, app).await });
        (server, http)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn push(&self, body: &[u8]) -> Response {
        let mut state = self.state();
        state.pushes += 1;
        if let Some((status, wait)) = state.faults.pop_front() {
            let headers = [("retry-after", wait)];
            return (StatusCode::from_u16(status).unwrap(), headers, "busy").into_response();
        }
        let body = snap::raw::Decoder::new().decompress_vec(body).unwrap();
        let refuses = state.refuses;
        let refused = |line: &String| refuses.is_some_and(|text| line.contains(text));
        let (bad, good): (Vec<_>, Vec<_>) =
            naive::decode(&body).into_iter().partition(|(_, line)| refused(line));
        state.entries.extend(good);
        match bad.is_empty() {
            true => StatusCode::NO_CONTENT.into_response(),
            false => (StatusCode::BAD_REQUEST, "not wanted here\n").into_response(),
        }
    }
}

fn sender(http: &Http, patience: Duration) -> Sender {
    Sender::new(http, patience, |_| {}).unwrap()
}

fn push_of(lines: &[&str]) -> Push {
    let mut push = Push::new(labels_text([("app", "a")]), 0, 101);
    for (index, line) in lines.iter().enumerate() {
        push.add(Timestamp(index as i64), line);
    }
    push
}

#[tokio::test]
async fn what_stays_open_is_sent_again() {
    let (server, http) = Server::start().await;
    server.state().faults = VecDeque::from([(503, "0"), (500, ""), (429, "0")]);
    let outcome = sender(&http, PATIENCE).send(&push_of(&["a", "b"])).await;
    assert_eq!(outcome, Outcome { stored: 2, ..Outcome::default() });
    assert_eq!(server.state().pushes, 4);
    assert_eq!(server.state().entries.len(), 2);
}

#[tokio::test]
async fn patience_ends() {
    let (server, http) = Server::start().await;
    server.state().faults = VecDeque::from([(503, "0"); 1000]);
    let outcome = sender(&http, Duration::from_millis(1)).send(&push_of(&["a"])).await;
    assert_eq!((outcome.stored, outcome.fatal.as_deref()), (0, Some("busy")));
}

#[tokio::test]
async fn nobody_there() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let http = Http { server: listener.local_addr().unwrap().to_string(), tenant: None };
    drop(listener);
    let outcome = sender(&http, Duration::from_millis(1)).send(&push_of(&["a"])).await;
    assert!(outcome.fatal.unwrap().starts_with("no server answers at 127.0.0.1:"));
}

#[tokio::test]
async fn no_tenant_is_fatal() {
    let (server, http) = Server::start().await;
    server.state().faults = VecDeque::from([(401, "")]);
    let outcome = sender(&http, PATIENCE).send(&push_of(&["a", "b"])).await;
    assert_eq!(outcome.fatal.as_deref(), Some("busy"));
    assert_eq!(server.state().pushes, 1);
}

#[tokio::test]
async fn refused_lines_are_named() {
    let (server, http) = Server::start().await;
    server.state().refuses = Some("bad");
    let outcome = sender(&http, PATIENCE).send(&push_of(&["a", "bad", "b", "c", "bad 2"])).await;
    let refusal = |line| Refusal { lines: line..line + 1, text: "not wanted here".to_owned() };
    assert_eq!(outcome.stored, 3);
    assert_eq!(outcome.refused, [refusal(102), refusal(105)]);
    assert_eq!(server.state().entries.len(), 3);
}

#[tokio::test]
async fn narrowing_down_has_an_end() {
    let (server, http) = Server::start().await;
    server.state().refuses = Some("bad");
    let lines = vec!["bad"; 3000];
    let outcome = sender(&http, PATIENCE).send(&push_of(&lines)).await;
    assert_eq!(outcome.stored, 0);
    let refused: u64 = outcome.refused.iter().map(|one| one.lines.end - one.lines.start).sum();
    assert_eq!(refused, 3000);
    assert!(server.state().pushes < 600, "{}", server.state().pushes);
}

fn args(http: &Http, files: &[&Path]) -> Args {
    Args {
        files: files.iter().map(|path| path.to_path_buf()).collect(),
        labels: Vec::new(),
        follow: false,
        timezone: 0,
        http: http.clone(),
    }
}

#[tokio::test]
async fn files_of_all_kinds_and_again() {
    let (server, http) = Server::start().await;
    let directory = tempfile::tempdir().unwrap();
    let text: String =
        (0..40_000).map(|n| format!("2024-05-07 10:00:00 line {}\n", n / 2)).collect();
    let plain = directory.path().join("plain.log");
    let gzip = directory.path().join("gzip");
    let zstd = directory.path().join("zstd");
    std::fs::write(&plain, &text).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    std::fs::write(&gzip, encoder.finish().unwrap()).unwrap();
    std::fs::write(&zstd, zstd::encode_all(text.as_bytes(), 1).unwrap()).unwrap();

    for path in [&plain, &gzip, &zstd, &plain] {
        assert_eq!(ingest(&args(&http, &[path])).await.unwrap().failure, None);
        // One stream of the fake server's: the same lines at the same times add nothing.
        assert_eq!(server.state().entries.len(), 40_000);
    }
}

#[tokio::test]
async fn what_cannot_be_read_or_stored_is_an_error() {
    let (server, http) = Server::start().await;
    let directory = tempfile::tempdir().unwrap();
    let (good, missing) = (directory.path().join("good"), directory.path().join("missing"));
    std::fs::write(&good, "1700000000 a\n1700000000 bad\n").unwrap();
    let done = ingest(&args(&http, &[&missing, &good])).await.unwrap();
    assert_eq!(done.failure.as_deref(), Some("not everything is stored"));
    assert!(done.report.contains("error    missing: No such file"), "{}", done.report);
    assert_eq!(server.state().entries.len(), 2);
    assert_eq!(ingest(&args(&http, &[&good])).await.unwrap().failure, None);
    server.state().refuses = Some("bad");
    let done = ingest(&args(&http, &[&good])).await.unwrap();
    assert!(done.failure.is_some());
    assert!(done.report.contains("refused  good line 2: not wanted here"), "{}", done.report);
    server.state().faults = VecDeque::from([(401, "")]);
    let done = ingest(&args(&http, &[&good])).await.unwrap();
    assert_eq!(done.failure.as_deref(), Some("gave up: busy"));
    assert!(done.report.contains("unsent   2"), "{}", done.report);
}

#[test]
fn streams_are_named_after_their_files() {
    let http = Http { server: String::new(), tenant: None };
    let paths = [Path::new("x/a.log"), Path::new("y/a.log"), Path::new("b.log"), Path::new("-")];
    let mut args = args(&http, &paths);
    args.labels = vec![("app".to_owned(), "q\"".to_owned()), ("job".to_owned(), String::new())];
    let labels: Vec<String> = name_sources(&args).into_iter().map(|one| one.labels).collect();
    assert_eq!(
        labels,
        [
            r#"{app="q\"", filename="x/a.log"}"#,
            r#"{app="q\"", filename="y/a.log"}"#,
            r#"{app="q\"", filename="b.log"}"#,
            r#"{app="q\"", filename="stdin"}"#,
        ]
    );
    args.labels.clear();
    assert_eq!(name_sources(&args)[2].labels, r#"{filename="b.log", job="ingest"}"#);
}

#[test]
fn zones() {
    const HOUR: i64 = 3_600_000_000_000;
    for (text, expected) in [
        ("UTC", Some(0)),
        ("+02:00", Some(2 * HOUR)),
        ("-0730", Some(-(7 * HOUR + HOUR / 2))),
        ("+2", Some(2 * HOUR)),
        ("+15", None),
        ("Europe/Berlin", None),
        ("+", None),
        ("", None),
        ("+1:2:3", None),
        ("ü", None),
    ] {
        assert_eq!(parse_zone(text).ok(), expected, "{text}");
    }
}

#[test]
fn a_followed_file_is_read_through_rotation() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    std::fs::write(&path, "1700000000 a\n1700000000 a\n1700000001 unfin").unwrap();
    let (queue, mut parcels) = mpsc::channel(8);
    let stop = Arc::new(AtomicBool::new(false));
    let reader = Reader { zone: 0, stop: Arc::clone(&stop), read: Arc::default(), queue };
    let work = Work { source: 0, path: path.clone(), labels: "{}".into() };
    let threads = reader.spawn(vec![work], true).unwrap();
    let mut next = || {
        let parcel = parcels.blocking_recv().unwrap();
        let push = parcel.push.map(|push| {
            let body = push.body(0..push.len());
            naive::decode(&snap::raw::Decoder::new().decompress_vec(&body).unwrap())
        });
        (push.unwrap_or_default(), parcel.tally.lines)
    };
    let at = |second: i64, nanos: i64, line: &str| {
        ((1_700_000_000 + second) * 1_000_000_000 + nanos, line.to_owned())
    };
    assert_eq!(next(), (vec![at(0, 0, "1700000000 a"), at(0, 1, "1700000000 a")], 2));
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"ished\n").unwrap();
    assert_eq!(next(), (vec![at(1, 0, "1700000001 unfinished")], 3));
    std::fs::rename(&path, directory.path().join("log.1")).unwrap();
    std::fs::write(&path, "1700000001 new\n").unwrap();
    assert_eq!(next(), (vec![at(1, 0, "1700000001 new")], 4));
    stop.store(true, Ordering::Relaxed);
    assert_eq!(next(), (Vec::new(), 4));
    for thread in threads {
        thread.join().unwrap();
    }
}
