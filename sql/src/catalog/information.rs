//! Rows of `information_schema`: what the standard says of schemas, tables, columns and rights.

use std::sync::Arc;

use super::functions_own::OWN;
use super::values::{Row, Value};
use super::world::{Column, Relation, World};
use super::{SCHEMA, names};

/// The bytes that a value may have for the standard's `character_octet_length`: unlimited.
const OCTETS_MAX: i32 = 1_073_741_824;

/// The rows of a relation, or nothing if it is not one of these.
pub(crate) fn rows(world: &World, name: &str) -> Option<Vec<Row>> {
    let (user, database) = (world.who.user.as_str(), world.who.database.as_str());
    let relations = || world.relations.iter().map(Arc::as_ref);
    Some(match name {
        "information_schema_catalog_name" => vec![vec![("catalog_name", database.into())]],
        "schemata" => world
            .namespaces
            .iter()
            .map(|namespace| {
                vec![
                    ("catalog_name", database.into()),
                    ("schema_name", namespace.name.as_str().into()),
                    ("schema_owner", user.into()),
                ]
            })
            .collect(),
        "tables" => relations().map(|relation| table(database, relation)).collect(),
        "views" => relations()
            .filter(|relation| relation.kind == "v")
            .map(|relation| {
                let mut row = named(database, relation);
                row.push(("view_definition", super::relations::VIEW_DEFINITION.into()));
                row.push(("check_option", "NONE".into()));
                for column in ["is_updatable", "is_insertable_into", "is_trigger_updatable"] {
                    row.push((column, "NO".into()));
                }
                row
            })
            .collect(),
        "columns" => relations().flat_map(|relation| columns(world, relation)).collect(),
        "table_privileges" | "role_table_grants" => {
            let rows = relations().flat_map(|relation| {
                rights(world, relation).iter().map(move |right| granted(world, relation, right))
            });
            rows.collect()
        }
        "column_privileges" | "role_column_grants" => {
            let rows = relations().flat_map(|relation| {
                let pairs = rights(world, relation)
                    .iter()
                    .flat_map(|right| relation.columns.iter().map(move |column| (right, column)));
                pairs.map(move |(right, column)| {
                    let mut row = granted(world, relation, right);
                    row.retain(|(name, _)| *name != "with_hierarchy");
                    row.push(("column_name", column.name.as_str().into()));
                    row
                })
            });
            rows.collect()
        }
        "enabled_roles" => vec![vec![("role_name", user.into())]],
        "character_sets" => vec![vec![
            ("character_set_name", "UTF8".into()),
            ("character_repertoire", "UCS".into()),
            ("form_of_use", "UTF8".into()),
            ("default_collate_catalog", database.into()),
            ("default_collate_schema", "pg_catalog".into()),
            ("default_collate_name", "C".into()),
        ]],
        "collations" => ["default", "C", "POSIX", "ucs_basic"]
            .map(|collation| {
                vec![
                    ("collation_catalog", database.into()),
                    ("collation_schema", "pg_catalog".into()),
                    ("collation_name", collation.into()),
                    ("pad_attribute", "NO PAD".into()),
                ]
            })
            .to_vec(),
        "routines" => OWN
            .iter()
            .filter(|own| !own.is_aggregate)
            .map(|own| {
                vec![
                    ("specific_catalog", database.into()),
                    ("specific_schema", SCHEMA.into()),
                    ("specific_name", format!("{}_{}", own.name, own.oid()).into()),
                    ("routine_catalog", database.into()),
                    ("routine_schema", SCHEMA.into()),
                    ("routine_name", own.name.into()),
                    ("routine_type", "FUNCTION".into()),
                    ("data_type", own.result.into()),
                    ("routine_body", "EXTERNAL".into()),
                    ("external_language", "INTERNAL".into()),
                    ("is_deterministic", "NO".into()),
                ]
            })
            .collect(),
        _ => return None,
    })
}

fn named(database: &str, relation: &Relation) -> Row {
    vec![
        ("table_catalog", database.into()),
        ("table_schema", relation.namespace.name.as_str().into()),
        ("table_name", relation.name.as_str().into()),
    ]
}

fn yes(value: bool) -> Value {
    if value { "YES" } else { "NO" }.into()
}

fn table(database: &str, relation: &Relation) -> Row {
    let mut row = named(database, relation);
    row.push(("table_type", if relation.kind == "v" { "VIEW" } else { "BASE TABLE" }.into()));
    row.push(("is_insertable_into", yes(relation.is_writable)));
    row.push(("is_typed", "NO".into()));
    row
}

/// What may be done with a relation.
pub(crate) fn rights(world: &World, relation: &Relation) -> &'static [&'static str] {
    if relation.is_writable && world.who.writes { &["SELECT", "INSERT"] } else { &["SELECT"] }
}

fn granted(world: &World, relation: &Relation, right: &str) -> Row {
    let user = world.who.user.as_str();
    let mut row = named(&world.who.database, relation);
    row.push(("grantor", user.into()));
    row.push(("grantee", user.into()));
    row.push(("privilege_type", right.into()));
    row.push(("is_grantable", "NO".into()));
    row.push(("with_hierarchy", yes(right == "SELECT")));
    row
}

fn columns<'a>(world: &'a World, relation: &'a Relation) -> impl Iterator<Item = Row> + 'a {
    let columns = relation.columns.iter().zip(1i64..);
    columns.map(move |(column, number)| self::column(world, relation, column, number))
}

fn column(world: &World, relation: &Relation, column: &Column, number: i64) -> Row {
    let database = world.who.database.as_str();
    let kind = world.fixed.types.get(&column.kind).cloned().unwrap_or_default();
    let data_type = if kind.is_array {
        "ARRAY".to_owned()
    } else {
        names::format_type(&world.fixed, column.kind, None)
    };
    let mut row = named(database, relation);
    row.extend([
        ("column_name", column.name.as_str().into()),
        ("ordinal_position", Value::Int(number)),
        ("is_nullable", yes(!column.not_null)),
        ("data_type", data_type.into()),
        ("udt_catalog", database.into()),
        ("udt_schema", "pg_catalog".into()),
        ("udt_name", kind.name.as_str().into()),
        ("dtd_identifier", number.to_string().into()),
        ("is_self_referencing", "NO".into()),
        ("is_identity", "NO".into()),
        ("identity_cycle", "NO".into()),
        ("is_generated", "NEVER".into()),
        ("is_updatable", yes(relation.is_writable)),
    ]);
    let precision: Option<(i32, i32, Option<i32>)> = match kind.name.as_str() {
        "int2" => Some((16, 2, Some(0))),
        "int4" => Some((32, 2, Some(0))),
        "int8" => Some((64, 2, Some(0))),
        "float4" => Some((24, 2, None)),
        "float8" => Some((53, 2, None)),
        _ => None,
    };
    if let Some((bits, radix, scale)) = precision {
        row.push(("numeric_precision", bits.into()));
        row.push(("numeric_precision_radix", radix.into()));
        row.push(("numeric_scale", scale.into()));
    }
    match kind.name.as_str() {
        "text" | "varchar" => row.push(("character_octet_length", OCTETS_MAX.into())),
        "timestamptz" | "timestamp" | "interval" => row.push(("datetime_precision", 6.into())),
        "date" => row.push(("datetime_precision", 0.into())),
        _ => {}
    }
    row
}
