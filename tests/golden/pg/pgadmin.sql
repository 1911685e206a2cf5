-- after connecting
SET DateStyle=ISO; SET client_min_messages=notice; SELECT set_config('bytea_output','hex',false) FROM pg_show_all_settings() WHERE name = 'bytea_output'; SET client_encoding='utf-8';
=> set_config
hex
-- the database
SELECT db.oid as did, db.datname, db.datallowconn, pg_encoding_to_char(db.encoding) AS serverencoding,
  has_database_privilege(db.oid, 'CREATE') as cancreate, datistemplate
FROM pg_catalog.pg_database db WHERE db.datname = current_database();
=> did | datname | datallowconn | serverencoding | cancreate | datistemplate
16384 | main | t | UTF8 | f | f
-- the role
SELECT roles.oid as id, roles.rolname as name, roles.rolsuper as is_superuser,
  CASE WHEN roles.rolsuper THEN true ELSE roles.rolcreaterole END as can_create_role,
  CASE WHEN roles.rolsuper THEN true ELSE roles.rolcreatedb END as can_create_db,
  CASE WHEN 'pg_signal_backend' = ANY(ARRAY(WITH RECURSIVE cte AS (
    SELECT pg_roles.oid, pg_roles.rolname FROM pg_roles WHERE pg_roles.oid = roles.oid
    UNION ALL
    SELECT m.roleid, pgr.rolname FROM cte cte_1
      JOIN pg_auth_members m ON m.member = cte_1.oid
      JOIN pg_roles pgr ON pgr.oid = m.roleid)
    SELECT rolname FROM cte)) THEN True ELSE False END as can_signal_backend
FROM pg_catalog.pg_roles as roles WHERE rolname = current_user;
=> id | name | is_superuser | can_create_role | can_create_db | can_signal_backend
10 | alice | f | f | f | f
-- users
SELECT u.usename, u.usesuper FROM pg_catalog.pg_user u;
=> usename | usesuper
alice | f
-- replication
SELECT CASE WHEN usesuper THEN pg_is_in_recovery() ELSE FALSE END as inrecovery, CASE WHEN usesuper THEN pg_is_wal_replay_paused() ELSE FALSE END as isreplaypaused
FROM pg_catalog.pg_user WHERE usename = current_user;
=> inrecovery | isreplaypaused
f | f
-- gss
SELECT gss_authenticated, encrypted FROM pg_catalog.pg_stat_gssapi WHERE pid = pg_backend_pid();
=> gss_authenticated | encrypted
f | f
-- databases
SELECT db.oid as did, db.datname as name, ta.spcname as spcname, db.datallowconn, db.datistemplate AS is_template,
  pg_catalog.has_database_privilege(db.oid, 'CREATE') as cancreate, datdba as owner, descr.description, db.datcollversion IS NULL as no_version
FROM pg_catalog.pg_database db
LEFT OUTER JOIN pg_catalog.pg_tablespace ta ON db.dattablespace = ta.oid
LEFT OUTER JOIN pg_catalog.pg_shdescription descr ON (db.oid = descr.objoid AND descr.classoid = 'pg_database'::regclass)
WHERE db.oid > 0::OID ORDER BY datname;
=> did | name | spcname | datallowconn | is_template | cancreate | owner | description | no_version
16384 | main | pg_default | t | f | f | 10 | \N | t
-- schemas
SELECT nsp.oid, nsp.nspname as name, pg_catalog.has_schema_privilege(nsp.oid, 'CREATE') as can_create,
  pg_catalog.has_schema_privilege(nsp.oid, 'USAGE') as has_usage, des.description
FROM pg_catalog.pg_namespace nsp
LEFT OUTER JOIN pg_catalog.pg_description des ON (des.objoid = nsp.oid AND des.classoid = 'pg_namespace'::regclass)
WHERE nspname NOT LIKE 'pg\_%' AND NOT (
  (nsp.nspname = 'pg_catalog' AND EXISTS (SELECT 1 FROM pg_catalog.pg_class WHERE relname = 'pg_class' AND relnamespace = nsp.oid LIMIT 1))
  OR (nsp.nspname = 'information_schema' AND EXISTS (SELECT 1 FROM pg_catalog.pg_class WHERE relname = 'tables' AND relnamespace = nsp.oid LIMIT 1)))
ORDER BY nspname;
=> oid | name | can_create | has_usage | description
2200 | public | f | t | standard public schema
273724619 | system | f | t | \N
-- tables
SELECT rel.oid, rel.relname AS name,
  (SELECT count(*) FROM pg_catalog.pg_trigger WHERE tgrelid = rel.oid AND tgisinternal = FALSE) AS triggercount,
  (SELECT count(1) FROM pg_catalog.pg_inherits WHERE inhrelid = rel.oid LIMIT 1) as is_inherits, des.description
FROM pg_catalog.pg_class rel
LEFT OUTER JOIN pg_catalog.pg_description des ON (des.objoid = rel.oid AND des.objsubid = 0 AND des.classoid = 'pg_class'::regclass)
WHERE rel.relkind IN ('r', 's', 't', 'p') AND rel.relnamespace = 2200::oid AND NOT rel.relispartition
ORDER BY rel.relname;
=> oid | name | triggercount | is_inherits | description
636702723 | logs | 0 | 0 | \N
-- columns
SELECT DISTINCT att.attname as name, att.attnum as "OID", pg_catalog.format_type(ty.oid, NULL) AS datatype, att.attnotnull as not_null,
  CASE WHEN att.atthasdef OR att.attidentity != '' OR ty.typdefault IS NOT NULL THEN True ELSE False END as has_default_val, des.description, seq.seqtypid
FROM pg_catalog.pg_attribute att
JOIN pg_catalog.pg_type ty ON ty.oid = atttypid
JOIN pg_catalog.pg_namespace tn ON tn.oid = ty.typnamespace
JOIN pg_catalog.pg_class cl ON cl.oid = att.attrelid
JOIN pg_catalog.pg_namespace na ON na.oid = cl.relnamespace
LEFT OUTER JOIN pg_catalog.pg_type et ON et.oid = ty.typelem
LEFT OUTER JOIN pg_catalog.pg_attrdef def ON adrelid = att.attrelid AND adnum = att.attnum
LEFT OUTER JOIN pg_catalog.pg_description des ON (des.objoid = att.attrelid AND des.objsubid = att.attnum AND des.classoid = 'pg_class'::regclass)
LEFT OUTER JOIN (pg_catalog.pg_depend JOIN pg_catalog.pg_class cs ON classid = 'pg_class'::regclass AND objid = cs.oid AND cs.relkind = 'S') ON refobjid = att.attrelid AND refobjsubid = att.attnum
LEFT OUTER JOIN pg_catalog.pg_sequence seq ON cs.oid = seq.seqrelid
WHERE att.attrelid = 'logs'::regclass AND att.attnum > 0 AND att.attisdropped IS FALSE
ORDER BY att.attnum;
=> name | OID | datatype | not_null | has_default_val | description | seqtypid
timestamp | 1 | timestamp with time zone | t | f | \N | \N
line | 2 | text | t | f | \N | \N
stream_id | 3 | bigint | t | f | \N | \N
level | 4 | text | f | f | \N | \N
app | 5 | text | f | f | \N | \N
env | 6 | text | f | f | \N | \N
host | 7 | text | f | f | \N | \N
labels | 8 | text | t | f | \N | \N
structured_metadata | 9 | text | f | f | \N | \N
-- rights
SELECT 'relacl' as deftype, COALESCE(gt.rolname, 'PUBLIC') grantee, g.rolname grantor
FROM (SELECT rel.relacl, rel.relowner FROM pg_catalog.pg_class rel WHERE rel.oid = 'logs'::regclass) d
LEFT JOIN pg_catalog.pg_roles g ON (d.relowner = g.oid) LEFT JOIN pg_catalog.pg_roles gt ON (d.relowner = gt.oid);
=> deftype | grantee | grantor
relacl | alice | alice
-- keywords
SELECT count(*) > 400 AS many FROM pg_catalog.pg_get_keywords() WHERE upper(word) <> 'ABC';
=> many
t
-- dashboard
SELECT pid, datname, usename, application_name, client_addr, backend_start, xact_start, state,
  wait_event_type || ': ' || wait_event AS wait_event, array_to_string(pg_blocking_pids(pid), ', ') AS blocking_pids, query_start IS NULL as nq
FROM pg_catalog.pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY pid;
=> pid | datname | usename | application_name | client_addr | backend_start | xact_start | state | wait_event | blocking_pids | nq
-- locks
SELECT pid, locktype, relation::regclass as relation, mode, granted FROM pg_catalog.pg_locks l
LEFT OUTER JOIN pg_catalog.pg_database d ON (l.database = d.oid) ORDER BY pid, locktype;
=> pid | locktype | relation | mode | granted
-- settings
SELECT name, category, setting, unit FROM pg_catalog.pg_settings WHERE name = 'work_mem' ORDER BY category;
=> name | category | setting | unit
work_mem | Settings of a connection | 4MB | \N
