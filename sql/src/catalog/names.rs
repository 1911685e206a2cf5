//! Names as oids and oids as names: relations, types, functions, schemas, roles.
//!
//! In go the texts that `'logs'::regclass` and the like have; out come oids, or the error that
//! Postgres has for a name that there is not. And back, as clients print them.

use super::fixed::{Fixed, Function};
use super::functions_own::OWN;
use super::world::{OWNER, World};
use crate::error::SqlError;

/// What kind of object an oid is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Oid,
    Class,
    Type,
    Function,
    /// A function with the types of its arguments.
    Signature,
    Namespace,
    Role,
}

impl Kind {
    pub(crate) const ALL: [Kind; 7] = [
        Kind::Oid,
        Kind::Class,
        Kind::Type,
        Kind::Function,
        Kind::Signature,
        Kind::Namespace,
        Kind::Role,
    ];

    /// The name of the type.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Oid => "oid",
            Kind::Class => "regclass",
            Kind::Type => "regtype",
            Kind::Function => "regproc",
            Kind::Signature => "regprocedure",
            Kind::Namespace => "regnamespace",
            Kind::Role => "regrole",
        }
    }

    /// The kind that a type is the name of.
    pub(crate) fn named(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The parts of `a."B".c`, in lower case where they are not quoted.
fn parts(text: &str) -> Vec<String> {
    let (mut parts, mut part, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = text.trim().chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                part.push('"');
            }
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(std::mem::take(&mut part)),
            char if quoted => part.push(char),
            char => part.extend(char.to_lowercase()),
        }
    }
    parts.push(part);
    parts
}

/// The oid of what a text names.
pub(crate) fn resolve(world: &World, kind: Kind, text: &str) -> Result<i32, SqlError> {
    let text = text.trim();
    if text == "-" {
        return Ok(0);
    }
    if let Ok(oid) = text.parse::<u32>() {
        return i32::try_from(oid).map_err(|_| SqlError::new("22003", "oid out of range"));
    }
    let named = |code, what: &str| SqlError::new(code, format!("{what} \"{text}\" does not exist"));
    match kind {
        Kind::Oid => {
            Err(SqlError::new("22P02", format!("invalid input syntax for type oid: \"{text}\"")))
        }
        Kind::Class => {
            let parts = parts(text);
            let found = match parts.as_slice() {
                [name] => world.relation(None, name),
                [schema, name] => world.relation(Some(schema), name),
                [database, schema, name] if *database == world.who.database => {
                    world.relation(Some(schema), name)
                }
                _ => None,
            };
            found.map(|relation| relation.oid).ok_or_else(|| named("42P01", "relation"))
        }
        Kind::Type => type_oid(&world.fixed, text).ok_or_else(|| named("42704", "type")),
        Kind::Function => {
            let parts = parts(text);
            let name = parts.last().map(String::as_str).unwrap_or_default();
            match function_oids(world, name).as_slice() {
                [] => Err(named("42883", "function")),
                [one] => Ok(*one),
                _ => {
                    let text = format!("more than one function named \"{text}\"");
                    Err(SqlError::new("42725", text))
                }
            }
        }
        Kind::Signature => signature_oid(world, text).ok_or_else(|| named("42883", "function")),
        Kind::Namespace => {
            let name = parts(text).pop().unwrap_or_default();
            let found = world.namespaces.iter().find(|namespace| namespace.name == name);
            found.map(|namespace| namespace.oid).ok_or_else(|| named("3F000", "schema"))
        }
        Kind::Role if parts(text) == [world.who.user.as_str()] => Ok(OWNER),
        Kind::Role => Err(named("42704", "role")),
    }
}

fn function_oids(world: &World, name: &str) -> Vec<i32> {
    let own = OWN.iter().filter(|own| own.name == name).map(super::functions_own::Own::oid);
    let fixed = world.fixed.function_oids.get(name).into_iter().flatten().copied();
    own.chain(fixed).collect()
}

fn signature_oid(world: &World, text: &str) -> Option<i32> {
    let (name, arguments) = text.strip_suffix(')')?.split_once('(')?;
    let name = parts(name).pop()?;
    let arguments = arguments.split(',').map(str::trim).filter(|argument| !argument.is_empty());
    let arguments: Vec<i32> =
        arguments.map(|argument| type_oid(&world.fixed, argument)).collect::<Option<_>>()?;
    let types_of = |oid: i32| match OWN.iter().find(|own| own.oid() == oid) {
        Some(own) => {
            let oid = |(_, kind): &(&str, &str)| world.fixed.type_oids.get(*kind).copied();
            own.arguments.iter().map(oid).collect::<Option<Vec<_>>>()
        }
        None => world.fixed.functions.get(&oid).map(|function| function.arguments.clone()),
    };
    function_oids(world, &name).into_iter().find(|oid| types_of(*oid).as_ref() == Some(&arguments))
}

/// Types by the names that SQL has for them, where those are not Postgres's own.
const SQL_NAMES: &[(&str, &str)] = &[
    ("bool", "boolean"),
    ("int2", "smallint"),
    ("int4", "integer"),
    ("int8", "bigint"),
    ("float4", "real"),
    ("float8", "double precision"),
    ("varchar", "character varying"),
    ("bpchar", "character"),
    ("timestamp", "timestamp without time zone"),
    ("timestamptz", "timestamp with time zone"),
    ("time", "time without time zone"),
    ("timetz", "time with time zone"),
    ("varbit", "bit varying"),
    ("char", "\"char\""),
];

fn type_oid(fixed: &Fixed, text: &str) -> Option<i32> {
    let text = text.trim();
    if let Some(item) = text.strip_suffix("[]") {
        let item = type_oid(fixed, item)?;
        let name = format!("_{}", fixed.types.get(&item)?.name);
        return fixed.type_oids.get(&name).copied();
    }
    let plain = text.split('(').next().unwrap_or_default().trim();
    let plain = plain.strip_prefix("pg_catalog.").unwrap_or(plain);
    let folded = plain.to_lowercase();
    let known = SQL_NAMES.iter().find(|(_, name)| *name == folded).map(|(name, _)| *name);
    let known = known.or(match folded.as_str() {
        "int" => Some("int4"),
        "decimal" | "dec" => Some("numeric"),
        "char" => Some("bpchar"),
        _ => None,
    });
    let quoted = plain.trim_matches('"');
    fixed.type_oids.get(known.unwrap_or(&folded)).or_else(|| fixed.type_oids.get(quoted)).copied()
}

/// A type as SQL writes it.
pub(crate) fn format_type(fixed: &Fixed, oid: i32, modifier: Option<i32>) -> String {
    if oid == 0 {
        return "-".to_owned();
    }
    let Some(kind) = fixed.types.get(&oid) else { return "???".to_owned() };
    if kind.is_array && kind.item != 0 {
        return format!("{}[]", format_type(fixed, kind.item, modifier));
    }
    let name = SQL_NAMES.iter().find(|(name, _)| *name == kind.name);
    let name = name.map_or(kind.name.as_str(), |(_, name)| name);
    let Some(modifier) = modifier.filter(|modifier| *modifier >= 0) else {
        return name.to_owned();
    };
    match kind.name.as_str() {
        "varchar" | "bpchar" => format!("{name}({})", modifier - 4),
        "bit" | "varbit" => format!("{name}({modifier})"),
        "numeric" => {
            let both = modifier - 4;
            format!("{name}({},{})", both >> 16, both & 0xffff)
        }
        "timestamp" | "timestamptz" | "time" | "timetz" => match name.split_once(' ') {
            Some((first, rest)) => format!("{first}({modifier}) {rest}"),
            None => format!("{name}({modifier})"),
        },
        _ => name.to_owned(),
    }
}

/// A name as it must be written.
pub(crate) fn quoted(name: &str) -> String {
    let plain = name.starts_with(|char: char| char.is_ascii_lowercase() || char == '_')
        && name
            .chars()
            .all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_');
    // Of the words that must be quoted, those that columns are likely to be called.
    const RESERVED: &[&str] = &[
        "all", "and", "as", "case", "column", "default", "desc", "end", "from", "group", "limit",
        "offset", "order", "select", "table", "to", "user", "where",
    ];
    if plain && !RESERVED.contains(&name) {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// An oid as Postgres prints one of its kind.
pub(crate) fn name_of(world: &World, kind: Kind, oid: i32) -> String {
    if oid == 0 && kind != Kind::Oid {
        return "-".to_owned();
    }
    let found = match kind {
        Kind::Oid => None,
        Kind::Class => world.relation_of(oid).map(|relation| {
            let name = quoted(&relation.name);
            match relation.is_visible() {
                true => name,
                false => format!("{}.{name}", quoted(&relation.namespace.name)),
            }
        }),
        Kind::Type => {
            world.fixed.types.contains_key(&oid).then(|| format_type(&world.fixed, oid, None))
        }
        Kind::Function => function(world, oid).map(|function| function.name),
        Kind::Signature => function(world, oid).map(|function| {
            let arguments = function.arguments.iter();
            let arguments = arguments.map(|kind| format_type(&world.fixed, *kind, None));
            format!("{}({})", function.name, arguments.collect::<Vec<_>>().join(","))
        }),
        Kind::Namespace => {
            let found = world.namespaces.iter().find(|namespace| namespace.oid == oid);
            found.map(|namespace| quoted(&namespace.name))
        }
        Kind::Role => (oid == OWNER).then(|| quoted(&world.who.user)),
    };
    found.unwrap_or_else(|| oid.to_string())
}

/// A function by its oid, ours or one of Postgres.
pub(crate) fn function(world: &World, oid: i32) -> Option<Function> {
    let Some(own) = OWN.iter().find(|own| own.oid() == oid) else {
        return world.fixed.functions.get(&oid).cloned();
    };
    let kind = |name: &str| world.fixed.type_oids.get(name).copied().unwrap_or(25);
    Some(Function {
        name: own.name.to_owned(),
        result: kind(own.result),
        returns_set: own.returns_set,
        arguments: own.arguments.iter().map(|(_, name)| kind(name)).collect(),
        names: own.arguments.iter().map(|(name, _)| (*name).to_owned()).collect(),
        kind: if own.is_aggregate { "a" } else { "f" }.to_owned(),
        source: own.name.to_owned(),
        volatility: "s".to_owned(),
        parallel: "s".to_owned(),
        ..Function::default()
    })
}

/// The arguments of a function: `a integer, OUT b text`. `identity` has only what goes in.
pub(crate) fn arguments(fixed: &Fixed, function: &Function, identity: bool) -> String {
    let types = match function.all_arguments.as_slice() {
        [] => &function.arguments,
        all => all,
    };
    let arguments = types.iter().enumerate().filter_map(|(at, kind)| {
        let mode = function.modes.get(at).map_or("i", String::as_str);
        let prefix = match mode {
            "o" if !identity => "OUT ",
            "b" => "INOUT ",
            "v" => "VARIADIC ",
            "i" => "",
            // Columns of a table that is returned belong to the result.
            _ => return None,
        };
        let name = match function.names.get(at).map(String::as_str) {
            None | Some("") => String::new(),
            Some(name) => format!("{} ", quoted(name)),
        };
        Some(format!("{prefix}{name}{}", format_type(fixed, *kind, None)))
    });
    arguments.collect::<Vec<_>>().join(", ")
}

/// What a function returns; nothing for a procedure.
pub(crate) fn result(fixed: &Fixed, function: &Function) -> Option<String> {
    if function.kind == "p" {
        return None;
    }
    let returned: Vec<usize> =
        (0..function.modes.len()).filter(|at| function.modes[*at] == "t").collect();
    if !returned.is_empty() {
        let columns = returned.iter().map(|at| {
            let name = function.names.get(*at).map(String::as_str).unwrap_or_default();
            let kind = function.all_arguments.get(*at).copied().unwrap_or_default();
            format!("{} {}", quoted(name), format_type(fixed, kind, None))
        });
        return Some(format!("TABLE({})", columns.collect::<Vec<_>>().join(", ")));
    }
    let set = if function.returns_set { "SETOF " } else { "" };
    Some(format!("{set}{}", format_type(fixed, function.result, None)))
}

/// What would make a function, where it is one of the server.
pub(crate) fn definition(world: &World, oid: i32) -> Option<String> {
    let fixed = &world.fixed;
    let function = function(world, oid).filter(|function| function.kind != "a")?;
    let is_own = OWN.iter().any(|own| own.oid() == oid);
    let schema = if is_own { super::SCHEMA } else { "pg_catalog" };
    let mut words = String::new();
    for (word, holds) in [
        (" IMMUTABLE", function.volatility == "i"),
        (" STABLE", function.volatility == "s"),
        (" PARALLEL SAFE", function.parallel == "s"),
        (" PARALLEL RESTRICTED", function.parallel == "r"),
        (" STRICT", function.is_strict),
    ] {
        if holds {
            words.push_str(word);
        }
    }
    Some(format!(
        "CREATE OR REPLACE FUNCTION {schema}.{}({})\n RETURNS {}\n LANGUAGE internal\n{words}\nAS \
         $function${}$function$\n",
        quoted(&function.name),
        arguments(fixed, &function, false),
        result(fixed, &function).unwrap_or_default(),
        function.source,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_by_name() {
        let fixed = Fixed::new().unwrap();
        let check = |text: &str, oid: i32, name: &str| {
            assert_eq!(type_oid(&fixed, text), Some(oid), "{text}");
            assert_eq!(format_type(&fixed, oid, None), name);
        };
        check("int", 23, "integer");
        check("pg_catalog.int8", 20, "bigint");
        check("text[]", 1009, "text[]");
        check("timestamp with time zone", 1184, "timestamp with time zone");
        check("varchar(10)", 1043, "character varying");
        check("\"char\"", 18, "\"char\"");
        check("char", 1042, "character");
        assert_eq!(type_oid(&fixed, "nope"), None);
        assert_eq!(format_type(&fixed, 1043, Some(14)), "character varying(10)");
        assert_eq!(format_type(&fixed, 1700, Some((5 << 16 | 2) + 4)), "numeric(5,2)");
        assert_eq!(format_type(&fixed, 1184, Some(3)), "timestamp(3) with time zone");
        assert_eq!(format_type(&fixed, 0, None), "-");
        assert_eq!(format_type(&fixed, 99_999, None), "???");
    }

    #[test]
    fn quoting() {
        assert_eq!(parts(r#"Public."A.b""c".d"#), ["public", "A.b\"c", "d"]);
        assert_eq!(quoted("logs"), "logs");
        assert_eq!(quoted("user"), "\"user\"");
        assert_eq!(quoted("a\"B"), "\"a\"\"B\"");
    }
}
