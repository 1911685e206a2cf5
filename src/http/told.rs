//! What the reader of an answer is told of it: how old it may be, and what is missing.
//!
//! In: the scanner that a request reads with. Out: two headers, on whatever the request answers:
//! `X-Drave-Staleness` says how many seconds ago everything in it was the latest, where that is
//! known and not now; `X-Drave-Partial` names the shards that are not in it. Answers to queries also
//! have Loki's `warnings`.

use std::cell::RefCell;

use axum::extract::Request;
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::Response;

use crate::scan::Scanner;

const STALENESS: &str = "x-drave-staleness";
const PARTIAL: &str = "x-drave-partial";

tokio::task_local! {
    /// What the request that this task answers reads with.
    static READS_WITH: RefCell<Option<Scanner>>;
}

/// Says what the running request reads with.
pub(super) fn reads_with(scanner: &Scanner) {
    // A test that calls a handler without its router asks for no headers.
    let _ = READS_WITH.try_with(|reads| *reads.borrow_mut() = Some(scanner.clone()));
}

/// Puts the headers on every answer.
pub(super) async fn tell(request: Request, next: Next) -> Response {
    let answer = async {
        let mut response = next.run(request).await;
        let scanner = READS_WITH.with(|reads| reads.borrow_mut().take());
        if let Some(scanner) = scanner {
            put(&mut response, &scanner);
        }
        response
    };
    READS_WITH.scope(RefCell::new(None), answer).await
}

fn put(response: &mut Response, scanner: &Scanner) {
    let report = scanner.report();
    let staleness = report.staleness().filter(|staleness| !staleness.is_zero());
    let missing = report.missing();
    let headers = response.headers_mut();
    let mut put = |name, text: String| {
        let value = HeaderValue::try_from(text).expect("digits and commas");
        headers.insert(name, value);
    };
    if let Some(staleness) = staleness {
        put(STALENESS, format!("{:.3}", staleness.as_secs_f64()));
    }
    if !missing.is_empty() {
        let shards: Vec<String> = missing.iter().map(|(shard, _)| shard.to_string()).collect();
        put(PARTIAL, shards.join(","));
    }
}

/// What is missing, for people.
pub(super) fn warnings(scanner: &Scanner) -> Vec<String> {
    let missing = scanner.report().missing().into_iter();
    missing.map(|(shard, why)| format!("partial answer: shard {shard} is missing: {why}")).collect()
}
