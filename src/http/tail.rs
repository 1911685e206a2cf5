//! `tail`: entries over a WebSocket as they are committed.
//!
//! Everything that is wrong with a request is said before the upgrade, in plain HTTP. After it,
//! one task reads commits and one writes frames, so that a slow client holds up nothing but
//! itself: what it cannot take is dropped and announced.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;
use futures::stream::SplitSink;
use futures::{SinkExt, StreamExt};
use tokio::sync::mpsc;

use super::encode::{entry_labels, object, separated, text};
use super::error::Error;
use super::params::Params;
use super::{Api, query, tenant};
use crate::logql::{self, ast};
use crate::model::{ShardId, Tenant};
use crate::query::logs::shown;
use crate::query::tail::{Tail, TailEntry, Taken};
use crate::scan::Positions;
use crate::telemetry::{self, Stopwatch};
use crate::{model, query as queries};

/// Entries of one frame.
const FRAME_ENTRIES_MAX: usize = 100;
/// How long one tail may run.
const TAIL_TIME_MAX: Duration = Duration::from_secs(3600);
/// How often the client is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(1);
/// How long a client may take for one frame.
const SEND_TIME_MAX: Duration = Duration::from_secs(30);
/// Longest message of a client, which has nothing to say.
const MESSAGE_BYTES_MAX: usize = 64 << 10;
/// Messages that a client may send in a second: answers to pings, mostly.
const MESSAGES_MAX: u32 = 100;
/// Tails of the whole node: each may hold one MiB and more.
const TAILS_MAX: usize = 256;
/// Longest time that entries may wait for older ones.
const DELAY_MAX: u64 = 5;

/// Close codes of RFC 6455.
const POLICY: u16 = 1008;
const TOO_LARGE: u16 = 1009;
const PROTOCOL: u16 = 1002;
const FAILED: u16 = 1011;

/// How many tails each tenant has.
#[derive(Default)]
pub(super) struct Tails(Mutex<HashMap<Tenant, usize>>);

/// One tail that is counted until this is dropped.
struct Place {
    api: Arc<Api>,
    tenant: Tenant,
}

impl Place {
    fn take(api: &Arc<Api>, tenant: &Tenant) -> Result<Place, Error> {
        let limit = api.limits(tenant).max_concurrent_tail_requests;
        let mut tails = api.tails.0.lock().expect("nobody panics holding it");
        let own = tails.get(tenant).copied().unwrap_or(0);
        if limit > 0 && own >= limit {
            return Err(Error::bad_request(format!(
                "max concurrent tail requests limit exceeded, count > limit ({} > {limit})",
                own + 1
            )));
        }
        if tails.values().sum::<usize>() >= TAILS_MAX {
            return Err(Error::unavailable(format!(
                "more than {TAILS_MAX} tails run on this node"
            )));
        }
        *tails.entry(tenant.clone()).or_default() += 1;
        Ok(Place { api: Arc::clone(api), tenant: tenant.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut tails = self.api.tails.0.lock().expect("nobody panics holding it");
        let own = tails.get_mut(&self.tenant).expect("it was counted");
        *own -= 1;
        if *own == 0 {
            tails.remove(&self.tenant);
        }
    }
}

/// The routes of this family.
pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new().route("/loki/api/v1/tail", get(tail)).route("/api/prom/tail", get(tail))
}

async fn tail(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    RawQuery(raw): RawQuery,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response, Error> {
    let params = Params::parse(&[&raw.unwrap_or_default()]).or_headers(&headers);
    let sight = tenant::sight(&headers, &api.options)?;
    let Some(seen) = sight.only() else {
        return Err(Error::bad_request("a tail is of one tenant: X-Scope-OrgID names several"));
    };
    let tenant = seen.tenant();
    let parsed = logql::parse(params.get("query").unwrap_or(""));
    let parsed = parsed.map_err(|error| Error::bad_request(error.to_string()))?;
    api.admit(&api.limits(tenant), &headers, params.get("query").unwrap_or(""), &parsed)?;
    let ast::Query::Log(log) = parsed else {
        return Err(Error::bad_request("only log queries can be tailed"));
    };
    let wanted = wanted(&params)?;
    let limit = u32::try_from(wanted.limit).unwrap_or(u32::MAX);
    let limits = api.limits(tenant);
    limits.check_entries(limit).map_err(Error::bad_request)?;
    let upgrade = upgrade.map_err(|rejection| {
        Error::new(rejection.status().max(StatusCode::BAD_REQUEST), rejection.body_text())
    })?;
    if params.allow_partial()? {
        return Err(Error::bad_request("a tail is whole: allow_partial is for queries"));
    }
    // How recent what is there already must be; what comes then is shown as it is applied here.
    let scanner = api.scanner(&params, &limits)?;
    let place = Place::take(&api, tenant)?;
    let started = Tail::start(&scanner, seen, &log, wanted).await;
    let tail = started.map_err(|error| api.explain(error))?;
    let form = Form {
        categorize: query::categorizes(&headers),
        // As Loki does: what a query does not look at is not shown.
        merged: !log.pipeline.is_empty(),
    };
    let upgrade = upgrade.max_message_size(MESSAGE_BYTES_MAX).max_frame_size(MESSAGE_BYTES_MAX);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let stop = place.api.stop.clone();
        follow(socket, tail, form, stop).await;
        drop(place);
    }))
}

fn wanted(params: &Params) -> Result<queries::tail::Params, Error> {
    let range = params.range(telemetry::now())?;
    let delay = match params.get("delay_for") {
        None => 0,
        Some(text) => text.parse::<u64>().map_err(|_| {
            Error::bad_request(format!("strconv.Atoi: parsing {text:?}: invalid syntax"))
        })?,
    };
    if delay > DELAY_MAX {
        return Err(Error::bad_request(format!("delay_for can't be greater than {DELAY_MAX}")));
    }
    let resume =
        match params.get("resume") {
            None => None,
            Some(token) => Some(positions(token).ok_or_else(|| {
                Error::bad_request("the resume token is not one of this server's")
            })?),
        };
    Ok(queries::tail::Params {
        start: range.start,
        limit: params.limit()? as usize,
        delay: Duration::from_secs(delay),
        resume,
    })
}

/// `shard:index,...`
fn positions(token: &str) -> Option<Positions> {
    let pair = |pair: &str| -> Option<(ShardId, model::Index)> {
        let (shard, index) = pair.split_once(':')?;
        Some((ShardId(shard.parse().ok()?), index.parse().ok()?))
    };
    token.split(',').map(pair).collect()
}

fn token(positions: &Positions) -> String {
    let pairs: Vec<String> =
        positions.iter().map(|(shard, index)| format!("{shard}:{index}")).collect();
    pairs.join(",")
}

/// How entries are shown.
#[derive(Clone, Copy)]
struct Form {
    categorize: bool,
    merged: bool,
}

/// Why a tail ended.
type Ending = (u16, String);

async fn follow(
    socket: WebSocket,
    tail: Tail,
    form: Form,
    stop: tokio::sync::watch::Receiver<bool>,
) {
    let (sink, mut from_client) = socket.split();
    // One frame on its way: more would only make entries older.
    let (frames, to_send) = mpsc::channel(1);
    let writer = tokio::spawn(write(sink, to_send));
    let ending = tokio::select! {
        ending = serve(tail, form, &frames) => ending,
        ending = listen(&mut from_client) => ending,
        () = tokio::time::sleep(TAIL_TIME_MAX) => {
            (FAILED, "reached tail max duration limit".into())
        }
        () = stopped(stop) => (FAILED, "the server is stopping".into()),
    };
    let (code, mut reason) = ending;
    // A control frame has room for 123 bytes of text.
    let end = (0..=reason.len().min(120)).rev().find(|end| reason.is_char_boundary(*end));
    reason.truncate(end.unwrap_or(0));
    let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
    let _ = tokio::time::timeout(PING_EVERY, frames.send(close)).await;
    drop(frames);
    let _ = tokio::time::timeout(PING_EVERY, writer).await;
}

async fn stopped(mut stop: tokio::sync::watch::Receiver<bool>) {
    // An error means that the server is gone already.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn write(mut sink: SplitSink<WebSocket, Message>, mut frames: mpsc::Receiver<Message>) {
    while let Some(frame) = frames.recv().await {
        let sent = tokio::time::timeout(SEND_TIME_MAX, sink.send(frame)).await;
        if !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
    let _ = tokio::time::timeout(PING_EVERY, sink.close()).await;
}

/// Reads commits and hands out frames, until either fails.
async fn serve(mut tail: Tail, form: Form, frames: &mpsc::Sender<Message>) -> Ending {
    let mut ping = tokio::time::interval(PING_EVERY);
    ping.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let wait = tail.ready_at().map(|at| at.since(telemetry::now()));
        let ready = async {
            match wait {
                None => std::future::pending().await,
                Some(wait) => tokio::time::sleep(wait).await,
            }
            frames.reserve().await
        };
        tokio::select! {
            place = ready => {
                let Ok(place) = place else { return gone() };
                let taken = tail.take(FRAME_ENTRIES_MAX, telemetry::now());
                place.send(Message::Text(frame(&taken, &tail, form).into()));
            }
            read = tail.read() => {
                if let Err(error) = read {
                    return (FAILED, error.to_string());
                }
            }
            _ = ping.tick() => {
                // Where a frame waits, the client will show that it is there by taking it.
                if frames.is_closed() {
                    return gone();
                }
                let _ = frames.try_send(Message::Ping(Vec::new().into()));
            }
        }
    }
}

fn gone() -> Ending {
    (FAILED, "the client does not take what it is sent".into())
}

/// Until the client closes, breaks the protocol or talks too much.
async fn listen(
    from_client: &mut (impl StreamExt<Item = Result<Message, axum::Error>> + Unpin),
) -> Ending {
    let mut second = Stopwatch::start();
    let mut n = 0;
    loop {
        match from_client.next().await {
            None | Some(Ok(Message::Close(_))) => return (1000, String::new()),
            Some(Err(error)) => {
                let reason = error.to_string();
                let large = reason.contains("too long") || reason.contains("too large");
                return (if large { TOO_LARGE } else { PROTOCOL }, reason);
            }
            Some(Ok(_)) => {}
        }
        n += 1;
        if second.elapsed() > Duration::from_secs(1) {
            second = Stopwatch::start();
            n = 1;
        }
        if n > MESSAGES_MAX {
            return (POLICY, format!("more than {MESSAGES_MAX} messages in a second"));
        }
    }
}

fn frame(taken: &Taken, tail: &Tail, form: Form) -> String {
    let Taken { entries, dropped, may_repeat } = taken;
    let mut out = String::from(r#"{"streams":["#);
    let same = |a: &TailEntry, b: &TailEntry| Arc::ptr_eq(&a.labels, &b.labels);
    separated(&mut out, entries.chunk_by(same), |out, entries| {
        out.push_str(r#"{"stream":"#);
        labels(out, &entries[0].labels, form.merged && !form.categorize);
        out.push_str(r#","values":["#);
        separated(out, entries, |out, entry| {
            out.push_str(&format!("[\"{}\",", entry.timestamp.nanos()));
            text(out, &entry.line);
            if form.categorize {
                out.push(',');
                entry_labels(out, &entry.labels);
            }
            out.push(']');
        });
        out.push_str("]}");
    });
    out.push(']');
    if dropped.n > 0 {
        out.push_str(r#","dropped_entries":["#);
        separated(&mut out, &dropped.entries, |out, (timestamp, own)| {
            out.push_str(&format!("{{\"timestamp\":\"{}\",\"labels\":", timestamp.nanos()));
            labels(out, own, form.merged);
            out.push('}');
        });
        out.push_str(&format!("],\"dropped_total\":{}", dropped.n));
    }
    if form.categorize {
        out.push_str(r#","encodingFlags":["categorize-labels"]"#);
    }
    if *may_repeat {
        out.push_str(r#","may_repeat":true"#);
    }
    if let Some(positions) = tail.positions() {
        out.push_str(&format!(",\"resume\":\"{}\"", token(positions)));
    }
    out.push('}');
    out
}

fn labels(out: &mut String, labels: &queries::logs::EntryLabels, merged: bool) {
    let pairs = shown(labels, merged);
    object(out, pairs.iter().map(|(name, value)| (&**name, &**value)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens() {
        let check = |text: &str, expected: Option<&[(u32, u64)]>| {
            let expected: Option<Positions> =
                expected.map(|pairs| pairs.iter().map(|(s, i)| (ShardId(*s), *i)).collect());
            assert_eq!(positions(text), expected, "{text}");
            if let Some(positions) = expected {
                assert_eq!(token(&positions), text);
            }
        };
        check("0:5,1:0", Some(&[(0, 5), (1, 0)]));
        check("0", None);
        check("0:-1", None);
        check("", None);
        check("0:99999999999999999999", None);
    }
}
