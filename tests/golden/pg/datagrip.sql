-- connection
select version() like 'PostgreSQL%' as pg, current_database(), current_schema(), current_user;
=> pg | current_database | current_schema | current_user
t | main | public | alice
-- databases
select N.oid::bigint as id, datname as name, D.description, datistemplate as is_template, datallowconn as allow_connections,
  pg_catalog.pg_get_userbyid(N.datdba) as "owner"
from pg_catalog.pg_database N
left join pg_catalog.pg_shdescription D on N.oid = D.objoid
order by case when datname = pg_catalog.current_database() then -1::bigint else N.oid::bigint end;
=> id | name | description | is_template | allow_connections | owner
16384 | main | \N | f | t | alice
-- schemas
select N.oid::bigint as id, N.xmin as state_number, nspname as name, D.description, pg_catalog.pg_get_userbyid(N.nspowner) as "owner"
from pg_catalog.pg_namespace N
left join pg_catalog.pg_description D on N.oid = D.objoid
where nspname <> 'drave'
order by case when nspname = pg_catalog.current_schema() then -1::bigint else N.oid::bigint end;
=> id | state_number | name | description | owner
2200 | 1 | public | standard public schema | alice
11 | 1 | pg_catalog | system catalog schema | alice
13201 | 1 | information_schema | Cantonese (Simplified) | alice
273724619 | 1 | system | \N | alice
-- relations
select T.relkind as table_kind, T.relname as table_name, T.oid as table_id, T.xmin as table_state_number, false as table_with_oids,
  T.reltablespace as tablespace_id, T.reloptions as options, T.relpersistence as persistence,
  (select pg_catalog.array_agg(inhparent::bigint order by inhseqno)::varchar from pg_catalog.pg_inherits where T.oid = inhrelid) as ancestors,
  (select pg_catalog.array_agg(inhrelid::bigint order by inhrelid)::varchar from pg_catalog.pg_inherits where T.oid = inhparent) as successors,
  T.relispartition as is_partition, pg_catalog.pg_get_partkeydef(T.oid) as partition_key, pg_catalog.pg_get_expr(T.relpartbound, T.oid) as partition_expression,
  T.relam am_id, pg_catalog.pg_get_userbyid(T.relowner) as "owner"
from pg_catalog.pg_class T
where T.relnamespace = 2200 and T.relkind in ('r', 'm', 'v', 'f', 'p')
order by table_kind, table_id;
=> table_kind | table_name | table_id | table_state_number | table_with_oids | tablespace_id | options | persistence | ancestors | successors | is_partition | partition_key | partition_expression | am_id | owner
r | logs | 636702723 | 1 | f | 0 | \N | p | \N | \N | f |  |  | 0 | alice
-- columns
with T as (select distinct T.oid as table_id, T.relname as table_name from pg_catalog.pg_class T
  where T.relnamespace = 2200 and T.relkind in ('r', 'm', 'v', 'f', 'p'))
select T.table_id, C.attnum as column_position, C.attname as column_name, C.xmin as column_state_number, C.atttypmod as type_mod,
  C.attndims as dimensions_number, pg_catalog.format_type(C.atttypid, C.atttypmod) as type_spec, C.atttypid as type_id,
  C.attnotnull as mandatory, pg_catalog.pg_get_expr(D.adbin, T.table_id) as column_default_expression, not C.attislocal as column_is_inherited,
  C.attisdropped as column_is_dropped, C.attidentity as identity_kind, C.attgenerated as generated
from T
join pg_catalog.pg_attribute C on T.table_id = C.attrelid
left join pg_catalog.pg_attrdef D on (C.attrelid, C.attnum) = (D.adrelid, D.adnum)
where attnum > 0
order by table_id, attnum;
=> table_id | column_position | column_name | column_state_number | type_mod | dimensions_number | type_spec | type_id | mandatory | column_default_expression | column_is_inherited | column_is_dropped | identity_kind | generated
636702723 | 1 | timestamp | 1 | -1 | 0 | timestamp with time zone | 1184 | t |  | f | f |  |
636702723 | 2 | line | 1 | -1 | 0 | text | 25 | t |  | f | f |  |
636702723 | 3 | stream_id | 1 | -1 | 0 | bigint | 20 | t |  | f | f |  |
636702723 | 4 | level | 1 | -1 | 0 | text | 25 | f |  | f | f |  |
636702723 | 5 | app | 1 | -1 | 0 | text | 25 | f |  | f | f |  |
636702723 | 6 | env | 1 | -1 | 0 | text | 25 | f |  | f | f |  |
636702723 | 7 | host | 1 | -1 | 0 | text | 25 | f |  | f | f |  |
636702723 | 8 | labels | 1 | -1 | 0 | text | 25 | t |  | f | f |  |
636702723 | 9 | structured_metadata | 1 | -1 | 0 | text | 25 | f |  | f | f |  |
-- constraints
select T.oid table_id, relkind table_kind, C.oid::bigint con_id, C.xmin con_state_id, conname con_name, contype con_kind, conkey con_columns,
  conindid index_id, confrelid ref_table_id, condeferrable is_deferrable, condeferred is_init_deferred, confupdtype on_update, confdeltype on_delete,
  connoinherit no_inherit, pg_catalog.pg_get_expr(conbin, T.oid) con_expression, confkey ref_columns, conexclop::int[] excl_operators
from pg_catalog.pg_constraint C join pg_catalog.pg_class T on C.conrelid = T.oid
where relkind in ('r', 'v', 'f', 'p') and relnamespace = 2200 and contype in ('p', 'u', 'f', 'c', 'x') and connamespace = 2200
order by table_id, con_id;
=> table_id | table_kind | con_id | con_state_id | con_name | con_kind | con_columns | index_id | ref_table_id | is_deferrable | is_init_deferred | on_update | on_delete | no_inherit | con_expression | ref_columns | excl_operators
-- descriptions
select T.relname as table_name, D.objsubid as column_no, D.description
from pg_catalog.pg_class T join pg_catalog.pg_description D on T.oid = D.objoid
where T.relnamespace = 2200 and D.classoid = 'pg_catalog.pg_class'::regclass order by 1, 2;
=> table_name | column_no | description
-- time
select current_timestamp > '2020-01-01' as ok;
=> ok
t
