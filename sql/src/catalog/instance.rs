//! Rows of `pg_catalog` about the server as a connection sees it: its database, its role, its
//! settings, what runs.

use super::values::{Row, Value};
use super::world::{DATABASE, OWNER, Shown, World};
use crate::activity::{Seen, State};

/// UTF8, as Postgres numbers encodings.
const UTF8: i32 = 6;
const DEFAULT_TABLESPACE: i32 = 1663;

/// The rows of a relation, or nothing if it is not one of these.
pub(crate) fn rows(
    world: &World,
    name: &str,
    settings: &[Shown],
    seen: &[Seen],
) -> Option<Vec<Row>> {
    let user = world.who.user.as_str();
    Some(match name {
        "pg_database" => vec![vec![
            ("oid", DATABASE.into()),
            ("datname", world.who.database.as_str().into()),
            ("datdba", OWNER.into()),
            ("encoding", UTF8.into()),
            ("datlocprovider", "c".into()),
            ("datallowconn", true.into()),
            ("datconnlimit", (-1i32).into()),
            ("dattablespace", DEFAULT_TABLESPACE.into()),
            ("datcollate", "C".into()),
            ("datctype", "C".into()),
        ]],
        "pg_roles" | "pg_authid" => vec![vec![
            ("oid", OWNER.into()),
            ("rolname", user.into()),
            ("rolsuper", false.into()),
            ("rolinherit", true.into()),
            ("rolcreaterole", false.into()),
            ("rolcreatedb", false.into()),
            ("rolcanlogin", true.into()),
            ("rolreplication", false.into()),
            ("rolbypassrls", false.into()),
            ("rolconnlimit", (-1i32).into()),
            // pg_roles shows that there might be one, whatever there is.
            ("rolpassword", if name == "pg_roles" { "********".into() } else { Value::Null }),
        ]],
        "pg_user" | "pg_shadow" => vec![vec![
            ("usename", user.into()),
            ("usesysid", OWNER.into()),
            ("usecreatedb", false.into()),
            ("usesuper", false.into()),
            ("userepl", false.into()),
            ("usebypassrls", false.into()),
            ("passwd", if name == "pg_user" { "********".into() } else { Value::Null }),
        ]],
        "pg_settings" => settings.iter().map(setting).collect(),
        "pg_stat_activity" => seen.iter().map(activity).collect(),
        "pg_stat_database" => {
            vec![vec![("datid", DATABASE.into()), ("datname", world.who.database.as_str().into())]]
        }
        "pg_stat_ssl" => vec![vec![("pid", world.pid.into()), ("ssl", false.into())]],
        "pg_stat_gssapi" => vec![vec![
            ("pid", world.pid.into()),
            ("gss_authenticated", false.into()),
            ("encrypted", false.into()),
        ]],
        "pg_timezone_names" => {
            vec![vec![("name", "UTC".into()), ("abbrev", "UTC".into()), ("is_dst", false.into())]]
        }
        _ => return None,
    })
}

fn setting(setting: &Shown) -> Row {
    let changed = setting.value != setting.default && !setting.is_fixed;
    vec![
        ("name", setting.name.into()),
        ("setting", setting.value.as_str().into()),
        ("category", "Settings of a connection".into()),
        ("short_desc", "".into()),
        ("context", if setting.is_fixed { "internal" } else { "user" }.into()),
        ("vartype", setting.kind.into()),
        ("source", if changed { "session" } else { "default" }.into()),
        ("boot_val", setting.default.as_str().into()),
        ("reset_val", setting.default.as_str().into()),
        ("pending_restart", false.into()),
    ]
}

fn activity(seen: &Seen) -> Row {
    let time = |at: Option<i64>| at.map_or(Value::Null, Value::Time);
    let idle = seen.state != State::Active;
    vec![
        ("datid", DATABASE.into()),
        ("datname", seen.database.as_str().into()),
        ("pid", seen.pid.into()),
        ("usesysid", OWNER.into()),
        ("usename", seen.user.as_str().into()),
        ("application_name", seen.application.as_str().into()),
        ("client_addr", seen.client.ip().to_string().into()),
        ("client_port", i32::from(seen.client.port()).into()),
        ("backend_start", Value::Time(seen.connected)),
        ("xact_start", time(seen.transaction)),
        ("query_start", time(seen.began)),
        ("state_change", Value::Time(seen.since)),
        ("wait_event_type", if idle { "Client".into() } else { Value::Null }),
        ("wait_event", if idle { "ClientRead".into() } else { Value::Null }),
        ("state", seen.state.as_str().into()),
        ("query", seen.text.as_str().into()),
        ("backend_type", "client backend".into()),
    ]
}
