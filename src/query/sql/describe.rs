//! What `\d+` and the like say of tables and columns.

use super::{Column, system};

/// Of the tables of the schema `drave`.
const SYSTEM: &[(&str, &str)] = &[
    ("chunks", "visible chunks: objects that hold entries, sealed or flushed"),
    ("label_values", "values of labels, and how many streams have them"),
    ("nodes", "nodes of the cluster"),
    ("queries", "queries that run, and what they cost so far"),
    ("shards", "shards of the cluster: Raft groups that hold streams"),
    ("streams", "streams: label sets that entries are pushed under"),
    ("tenants", "the own tenant, and how much it has"),
];

/// What is said of a schema, of a table in it, or of a column of the table `logs`.
pub(super) fn describe(schema: &str, table: Option<&str>, column: Option<&str>) -> Option<String> {
    let is_system = schema == system::SCHEMA;
    let text = match (table, column) {
        (None, _) if is_system => "tables about the data and the cluster",
        (Some(table), None) if is_system => {
            SYSTEM.iter().find(|(name, _)| *name == table).map(|(_, text)| *text)?
        }
        (Some("logs"), None) => {
            "one row per log entry; a statement sees every push that was answered before it"
        }
        (Some("logs"), Some(column)) if !is_system => return Some(of_column(column)),
        _ => return None,
    };
    Some(text.to_owned())
}

fn of_column(name: &str) -> String {
    let named = |column: Column| column.field().name() == name;
    let text = if named(Column::Timestamp) {
        "when it happened, in UTC; the client sees microseconds, filters see nanoseconds"
    } else if named(Column::Line) {
        "the entry as it was pushed"
    } else if named(Column::StreamId) {
        "the stream it belongs to: equal for equal label sets"
    } else if named(Column::Level) {
        "the level that was found in the entry or in its labels"
    } else if named(Column::Labels) {
        "all labels of the stream, as JSON: labels->>'pod'"
    } else if named(Column::Metadata) {
        "what was pushed beside the line, as JSON: structured_metadata->>'trace_id'"
    } else {
        return format!("the label {}", name.strip_prefix("label_").unwrap_or(name));
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_described() {
        for (name, _) in system::tables() {
            assert!(describe(system::SCHEMA, Some(name), None).is_some(), "{name}");
        }
        assert_eq!(describe("public", Some("logs"), Some("app")).unwrap(), "the label app");
        assert!(describe("public", Some("logs"), Some("line")).unwrap().contains("pushed"));
        assert_eq!(describe("public", Some("other"), None), None);
    }
}
