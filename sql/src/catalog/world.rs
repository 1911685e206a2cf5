//! What one connection can name: schemas, relations with their columns, itself.
//!
//! Oids are derived from names, so they are the same on every node, after every restart and for
//! every connection, and stay what they are when other relations come.

use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;

use super::SCHEMA;
use super::fixed::{Fixed, PG_CATALOG};
use super::shapes::SHAPES;
use crate::activity::Who;
use crate::encode::pg_type;
use crate::settings::Settings;
use crate::table::Source;

/// The role that everything belongs to: whoever is connected.
pub(crate) const OWNER: i32 = 10;
/// The only database that a connection sees.
pub(crate) const DATABASE: i32 = 16_384;
const PUBLIC: i32 = 2200;
const INFORMATION_SCHEMA: i32 = 13_201;
/// Where oids begin that Postgres leaves to its users.
const FIRST_OID: u32 = 20_000;

/// A schema.
#[derive(Clone, Debug)]
pub(crate) struct Namespace {
    pub(crate) oid: i32,
    pub(crate) name: String,
    pub(crate) comment: Option<String>,
}

/// A table or a view.
#[derive(Clone, Debug)]
pub(crate) struct Relation {
    pub(crate) oid: i32,
    pub(crate) namespace: Namespace,
    pub(crate) name: String,
    /// As in `pg_class.relkind`.
    pub(crate) kind: &'static str,
    pub(crate) comment: Option<String>,
    pub(crate) columns: Vec<Column>,
    /// Whether rows can be stored in it.
    pub(crate) is_writable: bool,
}

/// A column.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: i32,
    pub(crate) not_null: bool,
    pub(crate) comment: Option<String>,
}

impl Relation {
    /// Whether it is a part of Postgres rather than of the data.
    pub(crate) fn is_system(&self) -> bool {
        matches!(self.namespace.oid, PG_CATALOG | INFORMATION_SCHEMA)
    }

    /// Whether its name finds it without its schema.
    pub(crate) fn is_visible(&self) -> bool {
        matches!(self.namespace.oid, PG_CATALOG | PUBLIC)
    }
}

/// What all connections can name.
#[derive(Debug)]
pub(crate) struct Base {
    fixed: Arc<Fixed>,
    namespaces: Arc<Vec<Namespace>>,
    relations: Vec<Arc<Relation>>,
}

/// Everything that a connection can name.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) who: Who,
    pub(crate) pid: i32,
    pub(crate) fixed: Arc<Fixed>,
    pub(crate) namespaces: Arc<Vec<Namespace>>,
    /// Shared with the other connections, of which there may be many.
    pub(crate) relations: Vec<Arc<Relation>>,
}

/// An oid of ours.
pub(crate) fn oid_of(kind: &str, name: &str) -> i32 {
    let bytes = kind.bytes().chain([0]).chain(name.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let oid = FIRST_OID + (hash % (1 << 30)) as u32;
    i32::try_from(oid).expect("it is below 2^31")
}

impl Base {
    /// What there is, without the columns of the source's table, which are its own at every moment.
    pub(crate) fn new(source: &dyn Source) -> Result<Base> {
        let fixed = Arc::new(Fixed::new()?);
        let namespace = |oid, name: &str, comment: Option<&str>| Namespace {
            oid,
            name: name.to_owned(),
            comment: comment.map(str::to_owned),
        };
        let system = source.system_schema();
        let namespaces = vec![
            namespace(PG_CATALOG, "pg_catalog", Some("system catalog schema")),
            namespace(PUBLIC, SCHEMA, Some("standard public schema")),
            namespace(INFORMATION_SCHEMA, "information_schema", None),
            Namespace {
                oid: oid_of("schema", system),
                name: system.to_owned(),
                comment: source.describe(system, None, None),
            },
        ];
        let mut relations = Vec::new();
        let table = source.table_name();
        relations.push(Relation {
            oid: oid_of(SCHEMA, table),
            namespace: namespaces[1].clone(),
            name: table.to_owned(),
            kind: "r",
            comment: source.describe(SCHEMA, Some(table), None),
            columns: Vec::new(),
            is_writable: true,
        });
        for (name, schema) in source.system_tables() {
            relations.push(Relation {
                oid: oid_of(system, name),
                namespace: namespaces[3].clone(),
                name: name.to_owned(),
                kind: "r",
                comment: source.describe(system, Some(name), None),
                columns: columns(source, system, name, &schema),
                is_writable: false,
            });
        }
        relations.extend(SHAPES.iter().map(|shape| {
            Relation {
                oid: shape.oid,
                namespace: match shape.namespace {
                    "pg_catalog" => namespaces[0].clone(),
                    _ => namespaces[2].clone(),
                },
                name: shape.name.to_owned(),
                kind: shape.kind,
                comment: None,
                columns: shape
                    .columns
                    .iter()
                    .map(|column| Column {
                        name: column.name.to_owned(),
                        kind: fixed.type_oids.get(column.kind).copied().unwrap_or(25),
                        not_null: column.not_null,
                        comment: None,
                    })
                    .collect(),
                is_writable: false,
            }
        }));
        let relations = relations.into_iter().map(Arc::new).collect();
        Ok(Base { fixed, namespaces: Arc::new(namespaces), relations })
    }
}

impl World {
    /// What one connection can name.
    pub(crate) fn new(base: &Base, who: &Who, pid: i32) -> World {
        World {
            who: who.clone(),
            pid,
            fixed: base.fixed.clone(),
            namespaces: base.namespaces.clone(),
            relations: base.relations.clone(),
        }
    }

    /// Adds the columns of the source's table.
    pub(crate) fn with_columns(mut self, source: &dyn Source, schema: &SchemaRef) -> World {
        let table = source.table_name();
        let found = self.relations.iter_mut().find(|relation| relation.is_writable);
        if let Some(relation) = found {
            let columns = columns(source, SCHEMA, table, schema);
            *relation = Arc::new(Relation { columns, ..relation.as_ref().clone() });
        }
        self
    }

    /// A relation by the name that a statement would use; without a schema, one that is visible.
    pub(crate) fn relation(&self, namespace: Option<&str>, name: &str) -> Option<&Relation> {
        self.relations.iter().map(Arc::as_ref).find(|relation| {
            relation.name == name
                && match namespace {
                    Some(namespace) => relation.namespace.name == namespace,
                    None => relation.is_visible(),
                }
        })
    }

    /// A relation by its oid.
    pub(crate) fn relation_of(&self, oid: i32) -> Option<&Relation> {
        self.relations.iter().map(Arc::as_ref).find(|relation| relation.oid == oid)
    }
}

fn columns(source: &dyn Source, namespace: &str, table: &str, schema: &SchemaRef) -> Vec<Column> {
    let fields = schema.fields().iter().map(|field| Column {
        name: field.name().clone(),
        // What no client could read cannot be selected either, and is shown as a text.
        kind: pg_type(field).map_or(25, |kind| kind.oid() as i32),
        not_null: !field.is_nullable(),
        comment: source.describe(namespace, Some(table), Some(field.name())),
    });
    fields.collect()
}

/// The settings as pg_settings shows them.
pub(crate) struct Shown {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    pub(crate) default: String,
    pub(crate) kind: &'static str,
    pub(crate) is_fixed: bool,
}

/// All settings of a connection.
pub(crate) fn shown(settings: &Settings) -> Vec<Shown> {
    settings
        .described()
        .map(|(name, value, default, kind, is_fixed)| Shown {
            name,
            value,
            default,
            kind,
            is_fixed,
        })
        .collect()
}
