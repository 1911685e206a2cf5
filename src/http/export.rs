//! `query_range` with `Accept: application/x-ndjson`: entries one per line, as many as there are.
//!
//! The answer is sent while it is read, a page at a time and all pages of one snapshot, so it is
//! as large as it likes and holds one page in memory. After the status line an error can only be
//! said in the body: an export that failed ends with a line that has nothing but `error`, one that
//! is whole does not.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use super::encode::{object, text};
use super::error::Error;
use super::{Api, told};
use crate::logql::ast;
use crate::model::Sight;
use crate::query::logs::{self, LogEntry, shown};
use crate::query::pages::{self, Cursor};
use crate::scan::{Query, Scanner, Snapshot};

const KIND: &str = "application/x-ndjson";
/// Entries that are in memory at once.
const PAGE_ENTRIES: usize = 5000;

/// Whether the client wants lines of JSON.
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    let accept = headers.get_all(header::ACCEPT).iter().flat_map(|value| value.to_str());
    accept.flat_map(|value| value.split([',', ';'])).any(|kind| kind.trim() == KIND)
}

struct Export {
    api: Arc<Api>,
    scanner: Scanner,
    /// It runs as long as it is read.
    _running: Query,
    snapshot: Snapshot,
    query: ast::LogQuery,
    params: logs::Params,
    /// Entries that may still be given.
    left: usize,
    cursor: Option<Cursor>,
    done: bool,
}

/// Begins an export; `params.limit` entries at most. Dropping the answer ends it.
pub(super) async fn begin(
    api: &Arc<Api>,
    (scanner, running): (Scanner, Query),
    sight: &Sight,
    query: ast::LogQuery,
    params: logs::Params,
) -> Result<Response, Error> {
    let snapshot = scanner.snapshot(sight).await.map_err(super::query::scan_error)?;
    let left = params.limit;
    let api = Arc::clone(api);
    let mut export = Export {
        api,
        scanner,
        _running: running,
        snapshot,
        query,
        params,
        left,
        cursor: None,
        done: false,
    };
    // The first page decides the status: most mistakes show in it.
    let first = export.page().await.map_err(|error| export.api.explain(error))?;
    let pages = futures::stream::unfold((Some(first), export), |(ready, mut export)| async move {
        let page = match ready {
            Some(page) => page,
            None if export.done => return None,
            None => match export.page().await {
                Ok(page) => page,
                Err(error) => {
                    export.done = true;
                    let message = export.api.explain(error).message;
                    format!("{}\n", serde_json::json!({"error": message}))
                }
            },
        };
        Some((Ok::<_, std::convert::Infallible>(Bytes::from(page)), (None, export)))
    });
    Ok(([(header::CONTENT_TYPE, KIND)], Body::from_stream(pages)).into_response())
}

impl Export {
    async fn page(&mut self) -> Result<String, crate::query::Error> {
        self.params.limit = self.left.min(PAGE_ENTRIES);
        let Export { scanner, snapshot, query, params, cursor, .. } = self;
        let (answer, next) = pages::page(scanner, snapshot, query, params, *cursor).await?;
        self.left -= answer.entries.len();
        self.cursor = next;
        self.done = next.is_none() || self.left == 0;
        let mut out = String::new();
        for entry in &answer.entries {
            line(&mut out, entry);
        }
        let warnings = told::warnings(&self.scanner);
        if self.done && !warnings.is_empty() {
            // Part of it may have gone missing after the headers were sent.
            out.push_str(&format!("{}\n", serde_json::json!({ "warnings": warnings })));
        }
        Ok(out)
    }
}

fn line(out: &mut String, entry: &LogEntry) {
    out.push_str(&format!("{{\"timestamp\":\"{}\",\"labels\":", entry.timestamp.nanos()));
    let labels = shown(&entry.labels, true);
    object(out, labels.iter().map(|(name, value)| (&**name, &**value)));
    out.push_str(",\"line\":");
    text(out, &entry.line);
    out.push_str("}\n");
}
