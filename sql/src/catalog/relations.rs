//! Rows of `pg_catalog` that are about relations, schemas and their descriptions.
//!
//! In goes the world of a connection; out come the rows of one relation, or nothing if it is not
//! one of these.

use std::sync::Arc;

use super::functions_own::OWN;
use super::values::{Row, Value};
use super::world::{DATABASE, OWNER, Relation, World, oid_of};

/// The classes that descriptions refer to.
pub(crate) const CLASS_RELATION: i32 = 1259;
pub(crate) const CLASS_NAMESPACE: i32 = 2615;
pub(crate) const CLASS_FUNCTION: i32 = 1255;
/// What says that a number of rows is not known.
const UNKNOWN: f64 = -1.0;

/// The rows of a relation.
pub(crate) fn rows(world: &World, name: &str) -> Option<Vec<Row>> {
    let user = &world.who.user;
    let all = || world.relations.iter().map(Arc::as_ref);
    let plain = || all().filter(|relation| !relation.is_system());
    Some(match name {
        "pg_namespace" => world
            .namespaces
            .iter()
            .map(|namespace| {
                vec![
                    ("oid", namespace.oid.into()),
                    ("nspname", namespace.name.as_str().into()),
                    ("nspowner", OWNER.into()),
                ]
            })
            .collect(),
        "pg_class" => all().map(class).collect(),
        "pg_attribute" => all().flat_map(|r| attributes(world, r)).collect(),
        "pg_description" => described(world),
        "pg_tables" => {
            let tables = all().filter(|relation| relation.kind == "r");
            let row = |relation: &Relation| {
                vec![
                    ("schemaname", relation.namespace.name.as_str().into()),
                    ("tablename", relation.name.as_str().into()),
                    ("tableowner", user.as_str().into()),
                    ("hasindexes", false.into()),
                    ("hasrules", false.into()),
                    ("hastriggers", false.into()),
                    ("rowsecurity", false.into()),
                ]
            };
            tables.map(row).collect()
        }
        "pg_views" => {
            let views = all().filter(|relation| relation.kind == "v");
            let row = |relation: &Relation| {
                vec![
                    ("schemaname", relation.namespace.name.as_str().into()),
                    ("viewname", relation.name.as_str().into()),
                    ("viewowner", user.as_str().into()),
                    ("definition", VIEW_DEFINITION.into()),
                ]
            };
            views.map(row).collect()
        }
        "pg_stat_user_tables" | "pg_statio_user_tables" | "pg_stat_xact_user_tables" => {
            plain().map(statistics).collect()
        }
        "pg_stat_all_tables" | "pg_statio_all_tables" | "pg_stat_xact_all_tables" => {
            all().filter(|relation| relation.kind == "r").map(statistics).collect()
        }
        "pg_proc" => OWN.iter().map(|own| own.row(world)).collect(),
        _ => return None,
    })
}

/// What stands for the text of a view: there is none.
pub(crate) const VIEW_DEFINITION: &str = "-- made by the server when it is asked";

fn class(relation: &Relation) -> Row {
    vec![
        ("oid", relation.oid.into()),
        ("relname", relation.name.as_str().into()),
        ("relnamespace", relation.namespace.oid.into()),
        ("relowner", OWNER.into()),
        ("relfilenode", relation.oid.into()),
        ("reltuples", Value::Float(UNKNOWN)),
        ("relkind", relation.kind.into()),
        ("relpersistence", "p".into()),
        ("relnatts", Value::Int(relation.columns.len() as i64)),
        ("relispopulated", true.into()),
        ("relreplident", if relation.is_system() { "n" } else { "d" }.into()),
    ]
}

fn attributes<'a>(world: &'a World, relation: &'a Relation) -> impl Iterator<Item = Row> + 'a {
    relation.columns.iter().zip(1i64..).map(move |(column, number)| {
        let kind = world.fixed.types.get(&column.kind).cloned().unwrap_or_default();
        vec![
            ("attrelid", relation.oid.into()),
            ("attname", column.name.as_str().into()),
            ("atttypid", column.kind.into()),
            ("attstattarget", (-1i32).into()),
            ("attlen", Value::Int(kind.length.into())),
            ("attnum", Value::Int(number)),
            ("attndims", i32::from(kind.is_array).into()),
            ("attcacheoff", (-1i32).into()),
            ("atttypmod", (-1i32).into()),
            ("attbyval", kind.by_value.into()),
            ("attalign", kind.align.into()),
            ("attstorage", kind.storage.into()),
            ("attnotnull", column.not_null.into()),
            ("attislocal", true.into()),
            ("attcollation", kind.collation.into()),
        ]
    })
}

fn described(world: &World) -> Vec<Row> {
    let row = |object: i32, class: i32, part: i64, text: &str| -> Row {
        vec![
            ("objoid", object.into()),
            ("classoid", class.into()),
            ("objsubid", Value::Int(part)),
            ("description", text.into()),
        ]
    };
    let mut rows = Vec::new();
    for namespace in world.namespaces.iter() {
        // Those of Postgres's own are among the fixed rows.
        if let Some(text) = namespace.comment.as_ref().filter(|_| namespace.oid >= DATABASE) {
            rows.push(row(namespace.oid, CLASS_NAMESPACE, 0, text));
        }
    }
    for relation in &world.relations {
        if let Some(text) = &relation.comment {
            rows.push(row(relation.oid, CLASS_RELATION, 0, text));
        }
        for (column, number) in relation.columns.iter().zip(1..) {
            if let Some(text) = &column.comment {
                rows.push(row(relation.oid, CLASS_RELATION, number, text));
            }
        }
    }
    rows.extend(OWN.iter().map(|own| row(own.oid(), CLASS_FUNCTION, 0, own.comment)));
    rows
}

fn statistics(relation: &Relation) -> Row {
    // Nobody counts, so the counts stay null.
    vec![
        ("relid", relation.oid.into()),
        ("schemaname", relation.namespace.name.as_str().into()),
        ("relname", relation.name.as_str().into()),
    ]
}

/// What is said of an object: a relation, a schema, a function or whatever Postgres describes.
pub(crate) fn comment(world: &World, object: i32, class: Option<i32>) -> Option<String> {
    let of = |wanted: i32| class.is_none_or(|class| class == wanted);
    let relation = || world.relation_of(object).and_then(|relation| relation.comment.clone());
    let namespace = || {
        let found = world.namespaces.iter().find(|namespace| namespace.oid == object);
        found.and_then(|namespace| namespace.comment.clone())
    };
    let own = || OWN.iter().find(|own| own.oid() == object).map(|own| own.comment.to_owned());
    let fixed = || {
        let found = world.fixed.descriptions.iter();
        let mut found = found.filter(|((oid, kind), _)| *oid == object && of(*kind));
        found.next().map(|(_, text)| text.clone())
    };
    let fixed_of = |class| world.fixed.descriptions.get(&(object, class)).cloned();
    None.or_else(|| of(CLASS_RELATION).then(relation).flatten())
        .or_else(|| of(CLASS_NAMESPACE).then(namespace).flatten())
        .or_else(|| of(CLASS_FUNCTION).then(own).flatten())
        .or_else(|| class.map_or_else(fixed, fixed_of))
}

/// The oid of a schema.
pub(crate) fn namespace_oid(world: &World, name: &str) -> Option<i32> {
    let found = world.namespaces.iter().find(|namespace| namespace.name == name);
    found.map(|namespace| namespace.oid)
}

/// The oid of a function of ours.
pub(crate) fn own_oid(name: &str) -> i32 {
    oid_of("function", name)
}
