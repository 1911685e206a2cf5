//! Sends pushes until the server has answered for every line of them.
//!
//! In: pushes. Out: how many lines are stored, and which were refused with what words.
//!
//! - Only a 2xx counts as stored. Whatever leaves it open (429, 5xx, no answer) is sent again,
//!   which is always safe: entries are a set.
//! - A refusal of a push with several lines is narrowed down by sending its halves, so that the
//!   report names lines; the server has stored the good ones already. After
//!   [`NARROWING_REQUESTS_MAX`] requests for that, a refused push counts as refused whole.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};

use super::push::Push;
use crate::cli::address::Http;
use crate::telemetry::Stopwatch;

/// Requests that a whole run may spend on finding out which lines are refused.
const NARROWING_REQUESTS_MAX: u32 = 512;
const WAIT_FIRST: Duration = Duration::from_millis(100);
const WAIT_MAX: Duration = Duration::from_secs(10);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// A refusal's text is shown to a person.
const TEXT_BYTES_MAX: usize = 1000;

/// What became of a push.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Lines that are stored, now or since an earlier push of the same.
    pub stored: u64,
    /// Lines that are not.
    pub refused: Vec<Refusal>,
    /// There is no use in sending more: why.
    pub fatal: Option<String>,
}

/// Lines that the server does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Their numbers in the file, from 1.
    pub lines: Range<u64>,
    /// Why, in the server's words.
    pub text: String,
}

enum Answer {
    Stored,
    Refused(String),
    Fatal(String),
}

enum Attempt {
    Answered(Answer),
    Again { why: String, wait: Option<Duration> },
}

/// Sends to one server.
pub struct Sender {
    client: reqwest::Client,
    url: reqwest::Url,
    http: Http,
    /// How long a push may go unanswered before the run is given up.
    patience: Duration,
    narrowing: AtomicU32,
    notice: Box<dyn Fn(&str) + Send + Sync>,
}

impl Sender {
    /// A sender that tells `notice` why it is waiting.
    pub fn new(
        http: &Http,
        patience: Duration,
        notice: impl Fn(&str) + Send + Sync + 'static,
    ) -> anyhow::Result<Sender> {
        Ok(Sender {
            client: http.client()?,
            url: http.url("/loki/api/v1/push")?,
            http: http.clone(),
            patience,
            narrowing: AtomicU32::new(NARROWING_REQUESTS_MAX),
            notice: Box::new(notice),
        })
    }

    /// Sends a push and learns what became of each line.
    pub async fn send(&self, push: &Push) -> Outcome {
        let mut outcome = Outcome::default();
        // The first line is on top, so that refusals come in order.
        let mut parts: Vec<Range<usize>> = std::iter::once(0..push.len()).collect();
        while let Some(part) = parts.pop() {
            match self.send_part(push, part.clone()).await {
                Answer::Stored => outcome.stored += part.len() as u64,
                Answer::Fatal(text) => {
                    outcome.fatal = Some(text);
                    break;
                }
                Answer::Refused(_) if part.len() > 1 && self.may_narrow() => {
                    let middle = part.start + part.len() / 2;
                    parts.extend([middle..part.end, part.start..middle]);
                }
                Answer::Refused(text) => {
                    let line = |index: usize| push.first_line + index as u64;
                    let lines = line(part.start)..line(part.end);
                    outcome.refused.push(Refusal { lines, text });
                }
            }
        }
        outcome
    }

    fn may_narrow(&self) -> bool {
        let take = |left: u32| left.checked_sub(2);
        self.narrowing.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    async fn send_part(&self, push: &Push, part: Range<usize>) -> Answer {
        let body = bytes::Bytes::from(push.body(part));
        let begun = Stopwatch::start();
        let mut wait = WAIT_FIRST;
        loop {
            let (why, asked) = match self.attempt(body.clone()).await {
                Attempt::Answered(answer) => return answer,
                Attempt::Again { why, wait } => (why, wait),
            };
            if begun.elapsed() > self.patience {
                return Answer::Fatal(why);
            }
            (self.notice)(&why);
            tokio::time::sleep(asked.map_or(wait, |asked| asked.clamp(wait, WAIT_MAX))).await;
            wait = (wait * 2).min(WAIT_MAX);
        }
    }

    async fn attempt(&self, body: bytes::Bytes) -> Attempt {
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/x-protobuf")
            .timeout(REQUEST_TIMEOUT)
            .body(body);
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                return Attempt::Again { why: self.http.unreachable(&error), wait: None };
            }
        };
        let status = response.status();
        if status.is_success() {
            return Attempt::Answered(Answer::Stored);
        }
        let wait = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|seconds| Some(Duration::from_secs(seconds.to_str().ok()?.parse().ok()?)));
        let text = text_of(status, response).await;
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Attempt::Again { why: text, wait };
        }
        Attempt::Answered(match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
                Answer::Fatal(text)
            }
            _ => Answer::Refused(text),
        })
    }
}

/// The words of a refusal. An answer without words is named by its status.
async fn text_of(status: StatusCode, mut response: reqwest::Response) -> String {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > TEXT_BYTES_MAX {
            bytes.truncate(TEXT_BYTES_MAX);
            break;
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    match text.trim() {
        "" => status.to_string(),
        text => text.to_owned(),
    }
}
