-- session
SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE;
=>
-- version and search path
SELECT current_schema(), session_user;
=> current_schema | session_user
public | alice
-- search path
SHOW search_path;
=> search_path
"$user", public
-- databases
SELECT db.oid, db.* FROM pg_catalog.pg_database db WHERE datallowconn AND NOT datistemplate ORDER BY db.datname;
=> oid | oid | datname | datdba | encoding | datlocprovider | datistemplate | datallowconn | datconnlimit | datfrozenxid | datminmxid | dattablespace | datcollate | datctype | daticulocale | datcollversion | datacl
16384 | 16384 | main | 10 | 6 | c | f | t | -1 | 0 | 0 | 1663 | C | C | \N | \N | \N
-- roles
SELECT a.oid, a.rolname, a.rolsuper, a.rolcanlogin FROM pg_catalog.pg_roles a ORDER BY a.rolname;
=> oid | rolname | rolsuper | rolcanlogin
10 | alice | f | t
-- encodings and tablespaces
SELECT t.oid, t.*, pg_tablespace_location(t.oid) loc FROM pg_catalog.pg_tablespace t ORDER BY t.oid;
=> oid | oid | spcname | spcowner | spcacl | spcoptions | loc
1663 | 1663 | pg_default | 10 | \N | \N | \N
1664 | 1664 | pg_global | 10 | \N | \N | \N
-- settings
select * from pg_catalog.pg_settings where name = 'standard_conforming_strings';
=> name | setting | unit | category | short_desc | extra_desc | context | vartype | source | min_val | max_val | enumvals | boot_val | reset_val | sourcefile | sourceline | pending_restart
standard_conforming_strings | on | \N | Settings of a connection |  | \N | user | enum | default | \N | \N | \N | on | on | \N | \N | f
-- schemas
SELECT n.oid, n.*, d.description FROM pg_catalog.pg_namespace n
LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = n.oid AND d.objsubid = 0 AND d.classoid = 'pg_namespace'::regclass
ORDER BY nspname;
=> oid | oid | nspname | nspowner | nspacl | description
13201 | 13201 | information_schema | 10 | \N | \N
11 | 11 | pg_catalog | 10 | \N | system catalog schema
2200 | 2200 | public | 10 | \N | standard public schema
273724619 | 273724619 | system | 10 | \N | \N
-- types
SELECT t.oid, t.*, c.relkind, format_type(nullif(t.typbasetype, 0), t.typtypmod) as base_type_name, d.description
FROM pg_catalog.pg_type t
LEFT OUTER JOIN pg_catalog.pg_type et ON et.oid = t.typelem
LEFT OUTER JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
LEFT OUTER JOIN pg_catalog.pg_description d ON t.oid = d.objoid
WHERE t.typname IS NOT NULL AND (c.relkind IS NULL OR c.relkind = 'c') AND (et.typcategory IS NULL OR et.typcategory <> 'C')
  AND t.typname IN ('text', 'timestamptz') ORDER BY t.typname;
=> oid | oid | typname | typnamespace | typowner | typlen | typbyval | typtype | typcategory | typispreferred | typisdefined | typdelim | typrelid | typsubscript | typelem | typarray | typinput | typoutput | typreceive | typsend | typmodin | typmodout | typanalyze | typalign | typstorage | typnotnull | typbasetype | typtypmod | typndims | typcollation | typdefaultbin | typdefault | typacl | relkind | base_type_name | description
25 | 25 | text | 11 | 10 | -1 | f | b | S | t | t | , | 0 | - | 0 | 1009 | textin | textout | textrecv | textsend | - | - | - | i | x | f | 0 | -1 | 0 | 100 | \N | \N | \N | \N | \N | variable-length string, no limit specified
1184 | 1184 | timestamptz | 11 | 10 | 8 | t | b | D | t | t | , | 0 | - | 0 | 1185 | timestamptz_in | timestamptz_out | timestamptz_recv | timestamptz_send | timestamptztypmodin | timestamptztypmodout | - | d | p | f | 0 | -1 | 0 | 0 | \N | \N | \N | \N | \N | date and time with time zone
-- tables
SELECT c.oid, c.*, d.description, pg_catalog.pg_get_expr(c.relpartbound, c.oid) as partition_expr, pg_catalog.pg_get_partkeydef(c.oid) as partition_key
FROM pg_catalog.pg_class c
LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
WHERE c.relnamespace = 2200 AND c.relkind not in ('i', 'I', 'c') ORDER BY c.relname;
=> oid | oid | relname | relnamespace | reltype | reloftype | relowner | relam | relfilenode | reltablespace | relpages | reltuples | relallvisible | reltoastrelid | relhasindex | relisshared | relpersistence | relkind | relnatts | relchecks | relhasrules | relhastriggers | relhassubclass | relrowsecurity | relforcerowsecurity | relispopulated | relreplident | relispartition | relrewrite | relfrozenxid | relminmxid | relacl | reloptions | relpartbound | description | partition_expr | partition_key
636702723 | 636702723 | logs | 2200 | 0 | 0 | 10 | 0 | 636702723 | 0 | 0 | -1 | 0 | 0 | f | f | p | r | 9 | 0 | f | f | f | f | f | t | d | f | 0 | 0 | 0 | \N | \N | \N | \N |  |
-- columns
SELECT c.relname, a.*, pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) as def_value, dsc.description, dep.objid
FROM pg_catalog.pg_attribute a
INNER JOIN pg_catalog.pg_class c ON (a.attrelid = c.oid)
LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON (a.attrelid = ad.adrelid AND a.attnum = ad.adnum)
LEFT OUTER JOIN pg_catalog.pg_description dsc ON (c.oid = dsc.objoid AND a.attnum = dsc.objsubid)
LEFT OUTER JOIN pg_depend dep on dep.refobjid = a.attrelid AND dep.deptype = 'i' and dep.refobjsubid = a.attnum and dep.classid = dep.refclassid
WHERE NOT a.attisdropped AND c.relkind not in ('i', 'I', 'c') AND c.oid = 'logs'::regclass
ORDER BY a.attnum;
=> relname | attrelid | attname | atttypid | attstattarget | attlen | attnum | attndims | attcacheoff | atttypmod | attbyval | attalign | attstorage | attcompression | attnotnull | atthasdef | atthasmissing | attidentity | attgenerated | attisdropped | attislocal | attinhcount | attcollation | attacl | attoptions | attfdwoptions | attmissingval | def_value | description | objid
logs | 636702723 | timestamp | 1184 | -1 | 8 | 1 | 0 | -1 | -1 | t | d | p |  | t | f | f |  |  | f | t | 0 | 0 | \N | \N | \N | \N |  | \N | \N
logs | 636702723 | line | 25 | -1 | -1 | 2 | 0 | -1 | -1 | f | i | x |  | t | f | f |  |  | f | t | 0 | 100 | \N | \N | \N | \N |  | \N | \N
logs | 636702723 | stream_id | 20 | -1 | 8 | 3 | 0 | -1 | -1 | t | d | p |  | t | f | f |  |  | f | t | 0 | 0 | \N | \N | \N | \N |  | \N | \N
logs | 636702723 | level | 25 | -1 | -1 | 4 | 0 | -1 | -1 | f | i | x |  | f | f | f |  |  | f | t | 0 | 100 | \N | \N | \N | \N |  | \N | \N
logs | 636702723 | app | 25 | -1 | -1 | 5 | 0 | -1 | -1 | f | i | x |  | f | f | f |  |  | f | t | 0 | 100 | \N | \N | \N | \N |  | \N | \N
logs | 636702723 | env | 25 | -1 | -1 | 6 | 0 | -1 | -1 | f | i | x |  | f | f | f |  |  | f | t | 0 | 100 | \N | \N | \N | \N |  | \N | \N
logs | 636702723 | host | 25 | -1 | -1 | 7 | 0 | -1 | -1 | f | i | x |  | f | f | f |  |  | f | t | 0 | 100 | \N | \N | \N | \N |  | \N | \N
logs | 636702723 | labels | 25 | -1 | -1 | 8 | 0 | -1 | -1 | f | i | x |  | t | f | f |  |  | f | t | 0 | 100 | \N | \N | \N | \N |  | \N | \N
logs | 636702723 | structured_metadata | 25 | -1 | -1 | 9 | 0 | -1 | -1 | f | i | x |  | f | f | f |  |  | f | t | 0 | 100 | \N | \N | \N | \N |  | \N | \N
-- constraints
SELECT c.oid, c.*, t.relname as tabrelname, rt.relnamespace as refnamespace, d.description, null as consrc_copy
FROM pg_catalog.pg_constraint c
INNER JOIN pg_catalog.pg_class t ON t.oid = c.conrelid
LEFT OUTER JOIN pg_catalog.pg_class rt ON rt.oid = c.confrelid
LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_constraint'::regclass
WHERE c.conrelid = 'logs'::regclass ORDER BY c.oid;
=> oid | oid | conname | connamespace | contype | condeferrable | condeferred | convalidated | conrelid | contypid | conindid | conparentid | confrelid | confupdtype | confdeltype | confmatchtype | conislocal | coninhcount | connoinherit | conkey | confkey | conpfeqop | conppeqop | conffeqop | confdelsetcols | conexclop | conbin | tabrelname | refnamespace | description | consrc_copy
-- indexes
SELECT i.*, i.indkey as keys, c.relname, c.relnamespace, c.relam, c.reltablespace, tc.relname as tabrelname, dsc.description,
  pg_catalog.pg_get_expr(i.indpred, i.indrelid) as pred_expr, pg_catalog.pg_get_expr(i.indexprs, i.indrelid, true) as expr,
  pg_catalog.pg_relation_size(i.indexrelid) as index_rel_size, pg_catalog.pg_stat_get_numscans(i.indexrelid) as index_num_scans
FROM pg_catalog.pg_index i
INNER JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
INNER JOIN pg_catalog.pg_class tc ON tc.oid = i.indrelid
LEFT OUTER JOIN pg_catalog.pg_description dsc ON i.indexrelid = dsc.objoid
WHERE i.indrelid = 'logs'::regclass ORDER BY tabrelname, c.relname;
=> indexrelid | indrelid | indnatts | indnkeyatts | indisunique | indnullsnotdistinct | indisprimary | indisexclusion | indimmediate | indisclustered | indisvalid | indcheckxmin | indisready | indislive | indisreplident | indkey | indcollation | indclass | indoption | indexprs | indpred | keys | relname | relnamespace | relam | reltablespace | tabrelname | description | pred_expr | expr | index_rel_size | index_num_scans
-- triggers
SELECT x.oid, x.*, p.pronamespace as func_schema_id, d.description
FROM pg_catalog.pg_trigger x
LEFT OUTER JOIN pg_catalog.pg_proc p ON p.oid = x.tgfoid
LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = x.oid AND d.objsubid = 0
WHERE x.tgrelid = 'logs'::regclass AND NOT x.tgisinternal;
=> oid | oid | tgrelid | tgparentid | tgname | tgfoid | tgtype | tgenabled | tgisinternal | tgconstrrelid | tgconstrindid | tgconstraint | tgdeferrable | tginitdeferred | tgnargs | tgattr | tgargs | tgqual | tgoldtable | tgnewtable | func_schema_id | description
-- sizes
select c.oid, pg_catalog.pg_total_relation_size(c.oid) as total_rel_size, pg_catalog.pg_relation_size(c.oid) as rel_size
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace;
=> oid | total_rel_size | rel_size
636702723 | \N | \N
-- functions
SELECT p.oid, p.proname, pg_get_function_identity_arguments(p.oid) as args, l.lanname, d.description
FROM pg_catalog.pg_proc p
LEFT OUTER JOIN pg_catalog.pg_language l ON l.oid = p.prolang
LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = p.oid AND d.objsubid = 0
WHERE p.pronamespace = 2200 AND p.prokind = 'f' ORDER BY p.proname;
=> oid | proname | args | lanname | description
607071198 | logfmt | line text | internal | the pairs of a logfmt line as JSON
535890966 | logql | query text, start text, "end" text, step text | internal | asks in LogQL; only as a table, with constants
35568531 | pattern | line text, pattern text | internal | the captures as JSON
126434981 | time_bucket | width interval, time timestamp with time zone | internal | the start of the bucket that a time is in
-- extensions
SELECT e.oid, cfg.tbls, n.nspname as schema_name, e.* FROM pg_catalog.pg_extension e
JOIN pg_namespace n ON n.oid = e.extnamespace
LEFT JOIN (SELECT ARRAY_AGG(ns.nspname || '.' || cls.relname) tbls, oid_ext
  FROM (SELECT unnest(e1.extconfig) oid, e1.oid oid_ext FROM pg_catalog.pg_extension e1) c
  JOIN pg_class cls ON cls.oid = c.oid JOIN pg_namespace ns ON ns.oid = cls.relnamespace
  GROUP BY oid_ext) cfg ON cfg.oid_ext = e.oid
ORDER BY e.oid;
=> oid | tbls | schema_name | oid | extname | extowner | extnamespace | extrelocatable | extversion | extconfig | extcondition
-- sessions
SELECT sa.datname, sa.usename, sa.state FROM pg_catalog.pg_stat_activity sa WHERE sa.pid = pg_backend_pid();
=> datname | usename | state
main | alice | active
-- data
SELECT t.* FROM public.logs t ORDER BY t."timestamp" LIMIT 1;
=> timestamp | line | stream_id | level | app | env | host | labels | structured_metadata
2026-01-01 00:00:00+00 | info request 0 took 0ms path=/api/0 | 0 | info | app0 | prod | host0 | {"app":"app0","env":"prod","pod":"pod-0","n":0} | \N
-- count
SELECT count(*) FROM public.logs;
=> count
3000
