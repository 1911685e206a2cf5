-- settings
SET client_encoding TO 'UTF8';
=>
-- catalogs
SELECT datname FROM pg_database WHERE datallowconn = 't' ORDER BY datname;
=> datname
main
-- schemas
SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg_%' AND nspname <> 'information_schema' ORDER BY nspname;
=> nspname
public
system
-- tables
select relname, nspname, relkind from pg_catalog.pg_class c, pg_catalog.pg_namespace n
where relkind in ('r', 'v', 'm', 'f', 'p') and nspname not in ('pg_catalog', 'information_schema', 'pg_toast', 'pg_temp_1')
  and n.oid = relnamespace order by nspname, relname;
=> relname | nspname | relkind
logs | public | r
tenants | system | r
-- columns
select n.nspname, c.relname, a.attname, a.atttypid, t.typname, a.attnum, a.attlen, a.atttypmod, a.attnotnull, c.relhasrules, c.relkind, c.oid, pg_get_expr(d.adbin, d.adrelid),
  case t.typtype when 'd' then t.typbasetype else 0 end, t.typtypmod, 0, '', c.relhassubclass
from (((pg_catalog.pg_class c inner join pg_catalog.pg_namespace n on n.oid = c.relnamespace and c.relname = E'logs' and n.nspname = E'public')
  inner join pg_catalog.pg_attribute a on (not a.attisdropped) and a.attnum > 0 and a.attrelid = c.oid)
  inner join pg_catalog.pg_type t on t.oid = a.atttypid)
  left outer join pg_attrdef d on a.atthasdef and d.adrelid = a.attrelid and d.adnum = a.attnum
order by n.nspname, c.relname, attnum;
=> nspname | relname | attname | atttypid | typname | attnum | attlen | atttypmod | attnotnull | relhasrules | relkind | oid | pg_get_expr | case | typtypmod | ?column? | ?column? | relhassubclass
public | logs | timestamp | 1184 | timestamptz | 1 | 8 | -1 | t | f | r | 636702723 |  | 0 | -1 | 0 |  | f
public | logs | line | 25 | text | 2 | -1 | -1 | t | f | r | 636702723 |  | 0 | -1 | 0 |  | f
public | logs | stream_id | 20 | int8 | 3 | 8 | -1 | t | f | r | 636702723 |  | 0 | -1 | 0 |  | f
public | logs | level | 25 | text | 4 | -1 | -1 | f | f | r | 636702723 |  | 0 | -1 | 0 |  | f
public | logs | app | 25 | text | 5 | -1 | -1 | f | f | r | 636702723 |  | 0 | -1 | 0 |  | f
public | logs | env | 25 | text | 6 | -1 | -1 | f | f | r | 636702723 |  | 0 | -1 | 0 |  | f
public | logs | host | 25 | text | 7 | -1 | -1 | f | f | r | 636702723 |  | 0 | -1 | 0 |  | f
public | logs | labels | 25 | text | 8 | -1 | -1 | t | f | r | 636702723 |  | 0 | -1 | 0 |  | f
public | logs | structured_metadata | 25 | text | 9 | -1 | -1 | f | f | r | 636702723 |  | 0 | -1 | 0 |  | f
-- temporary tables, which must be refused and not fail
CREATE LOCAL TEMPORARY TABLE "#Tableau_5_1_Connect" ("COL" INTEGER) ON COMMIT PRESERVE ROWS;
=> error 25006
-- columns of a question
SELECT * FROM (SELECT "level", "app" FROM "public"."logs") "Custom SQL Query" LIMIT 0;
=> level | app
-- by day
SELECT DATE_TRUNC('DAY', CAST("logs"."timestamp" AS TIMESTAMP)) AS "tdy:timestamp:ok", SUM(1) AS "sum:n:ok"
FROM "public"."logs" "logs" GROUP BY 1 ORDER BY 1;
=> tdy:timestamp:ok | sum:n:ok
2026-01-01 00:00:00 | 3000
-- domain of a filter
SELECT "logs"."level" AS "level" FROM "public"."logs" "logs" GROUP BY 1 ORDER BY 1 ASC NULLS FIRST;
=> level
error
info
warn
