//! Fields that are copied into the structured metadata of entries: `discover_generic_fields`.
//!
//! `{fields: {trace_id: [trace_id, traceId, ctx.trace]}}`: under the name on the left comes the value
//! of the first of the names on the right that a stream's labels have, else that the entry's own
//! metadata has, else that its line has, as JSON (where a name may be a path) or as logfmt.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Names to find fields under, by the name that they get.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GenericFields {
    /// By the name in the metadata.
    pub fields: BTreeMap<String, Vec<String>>,
}
