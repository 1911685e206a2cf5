-- schemas
SELECT nspname FROM pg_namespace
WHERE has_schema_privilege(nspname, 'USAGE') AND nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema' ORDER BY 1;
=> nspname
public
system
-- tables
SELECT n.nspname AS schema, c.relname AS name,
  CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'p' THEN 'PARTITIONED TABLE' WHEN 'v' THEN 'VIEW' ELSE NULL END AS type,
  d.description AS description, stat.n_live_tup AS estimated_row_count
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
LEFT JOIN pg_catalog.pg_description AS d ON c.oid = d.objoid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
LEFT JOIN pg_stat_user_tables AS stat ON n.nspname = stat.schemaname AND c.relname = stat.relname
WHERE (c.relnamespace = n.oid) AND (n.nspname !~ '^pg_') AND (n.nspname <> 'information_schema')
  AND c.relkind in ('r', 'p', 'v', 'f', 'm') AND n.nspname IN ('public')
ORDER BY type, schema, name;
=> schema | name | type | description | estimated_row_count
public | logs | TABLE | \N | \N
-- fields
SELECT c.column_name AS name,
  CASE WHEN c.udt_schema IN ('public', 'pg_catalog') THEN FORMAT('%s', c.udt_name)
    ELSE FORMAT('"%s"."%s"', c.udt_schema, c.udt_name) END AS database_type,
  c.ordinal_position - 1 AS database_position, c.table_schema AS table_schema, c.table_name AS table_name,
  pk.column_name IS NOT NULL AS is_pk,
  COL_DESCRIPTION(CAST(CAST(FORMAT('%I.%I', CAST(c.table_schema AS TEXT), CAST(c.table_name AS TEXT)) AS REGCLASS) AS OID), c.ordinal_position) AS field_comment,
  ((column_default IS NULL) OR (LOWER(column_default) = 'null')) AND (is_nullable = 'NO') AND NOT (((column_default IS NOT NULL) AND (column_default LIKE '%nextval(%')) OR (is_identity <> 'NO')) AS database_required,
  ((column_default IS NOT NULL) AND (column_default LIKE '%nextval(%')) OR (is_identity <> 'NO') AS database_is_auto_increment
FROM information_schema.columns AS c
LEFT JOIN (
  SELECT tc.table_schema, tc.table_name, kc.column_name
  FROM information_schema.table_constraints AS tc
  INNER JOIN information_schema.key_column_usage AS kc
    ON (tc.constraint_name = kc.constraint_name) AND (tc.table_schema = kc.table_schema) AND (tc.table_name = kc.table_name)
  WHERE tc.constraint_type = 'PRIMARY KEY') AS pk
  ON (c.table_schema = pk.table_schema) AND (c.table_name = pk.table_name) AND (c.column_name = pk.column_name)
WHERE c.table_schema !~ '^information_schema|catalog_history|pg_' AND c.table_schema = 'public'
ORDER BY table_schema, table_name, database_position;
=> name | database_type | database_position | table_schema | table_name | is_pk | field_comment | database_required | database_is_auto_increment
timestamp | timestamptz | 0 | public | logs | f | \N | t | f
line | text | 1 | public | logs | f | \N | t | f
stream_id | int8 | 2 | public | logs | f | \N | t | f
level | text | 3 | public | logs | f | \N | f | f
app | text | 4 | public | logs | f | \N | f | f
env | text | 5 | public | logs | f | \N | f | f
host | text | 6 | public | logs | f | \N | f | f
labels | text | 7 | public | logs | f | \N | t | f
structured_metadata | text | 8 | public | logs | f | \N | f | f
-- foreign keys
SELECT fk_ns.nspname AS "fk-table-schema", fk_table.relname AS "fk-table-name", fk_column.attname AS "fk-column-name",
  pk_ns.nspname AS "pk-table-schema", pk_table.relname AS "pk-table-name", pk_column.attname AS "pk-column-name"
FROM pg_constraint AS c
INNER JOIN pg_class AS fk_table ON c.conrelid = fk_table.oid
INNER JOIN pg_namespace AS fk_ns ON c.connamespace = fk_ns.oid
INNER JOIN pg_attribute AS fk_column ON c.conrelid = fk_column.attrelid
INNER JOIN pg_class AS pk_table ON c.confrelid = pk_table.oid
INNER JOIN pg_namespace AS pk_ns ON pk_table.relnamespace = pk_ns.oid
INNER JOIN pg_attribute AS pk_column ON c.confrelid = pk_column.attrelid
WHERE fk_ns.nspname !~ '^information_schema|catalog_history|pg_' AND c.contype = 'f'::char
  AND fk_column.attnum = ANY(c.conkey) AND pk_column.attnum = ANY(c.confkey)
ORDER BY 1, 2;
=> fk-table-schema | fk-table-name | fk-column-name | pk-table-schema | pk-table-name | pk-column-name
-- indexes
SELECT tmp.table_name AS "table-name", trim(both '"' from pg_catalog.pg_get_indexdef(tmp.ci_oid, tmp.pos, false)) AS "field-name"
FROM (SELECT n.nspname AS schema_name, ct.relname AS table_name, ci.oid AS ci_oid,
    (information_schema._pg_expandarray(i.indkey)).n AS pos
  FROM pg_catalog.pg_class AS ct
  JOIN pg_catalog.pg_namespace AS n ON ct.relnamespace = n.oid
  JOIN pg_catalog.pg_index AS i ON ct.oid = i.indrelid
  JOIN pg_catalog.pg_class AS ci ON ci.oid = i.indexrelid
  WHERE pg_catalog.pg_get_expr(i.indpred, i.indrelid) IS NULL AND n.nspname !~ '^information_schema|pg_') AS tmp
WHERE tmp.pos = 1;
=> table-name | field-name
-- privileges
with table_privileges as (
  select NULL as role, t.schemaname as schema, t.objectname as table,
    pg_catalog.has_any_column_privilege(current_user, '"' || replace(t.schemaname, '"', '""') || '"' || '.' || '"' || replace(t.objectname, '"', '""') || '"', 'update') as update,
    pg_catalog.has_any_column_privilege(current_user, '"' || replace(t.schemaname, '"', '""') || '"' || '.' || '"' || replace(t.objectname, '"', '""') || '"', 'select') as select,
    pg_catalog.has_any_column_privilege(current_user, '"' || replace(t.schemaname, '"', '""') || '"' || '.' || '"' || replace(t.objectname, '"', '""') || '"', 'insert') as insert,
    pg_catalog.has_table_privilege(current_user, '"' || replace(t.schemaname, '"', '""') || '"' || '.' || '"' || replace(t.objectname, '"', '""') || '"', 'delete') as delete
  from (
    select schemaname, tablename as objectname from pg_catalog.pg_tables
    union
    select schemaname, viewname as objectname from pg_views
    union
    select schemaname, matviewname as objectname from pg_matviews
  ) t
  where t.schemaname !~ '^pg_' and t.schemaname <> 'information_schema'
    and pg_catalog.has_schema_privilege(current_user, t.schemaname, 'usage'))
select t.* from table_privileges t
where t."select" or t."update" or t."insert" or t."delete"
order by 2, 3;
=> role | schema | table | update | select | insert | delete
\N | public | logs | f | t | t | f
\N | system | tenants | f | t | f | f
-- enums
select nspname, typname from pg_type t join pg_namespace n on n.oid = t.typnamespace
where t.oid in (select distinct enumtypid from pg_enum e);
=> nspname | typname
-- time zone
show timezone;
=> TimeZone
UTC
-- fingerprint
SELECT "public"."logs"."level" AS "level", "public"."logs"."app" AS "app",
  substring("public"."logs"."line", 1, 12) AS "substring1" FROM "public"."logs" ORDER BY "timestamp" LIMIT 2;
=> level | app | substring1
info | app0 | info request
warn | app1 | warn request
-- bucket by week
SELECT (CAST(DATE_TRUNC('week', ("public"."logs"."timestamp" + INTERVAL '1 day')) AS timestamp) + INTERVAL '-1 day') AS "timestamp", COUNT(*) AS "count"
FROM "public"."logs" GROUP BY 1 ORDER BY 1 ASC;
=> timestamp | count
2025-12-28 00:00:00 | 3000
