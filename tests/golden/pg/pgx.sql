-- a type by its name
select 'int4'::regtype::oid;
=> oid
23
-- kind of a type
select typtype::text, typbasetype, typrelid, typelem from pg_type where oid = 1009;
=> typtype | typbasetype | typrelid | typelem
b | 0 | 0 | 25
-- an array's element
select typelem from pg_type where oid = '_text'::regtype;
=> typelem
25
-- attributes of a relation
select attname, atttypid from pg_attribute where attrelid = 'logs'::regclass and not attisdropped and attnum > 0 order by attnum;
=> attname | atttypid
timestamp | 1184
line | 25
stream_id | 20
level | 25
app | 25
env | 25
host | 25
labels | 25
structured_metadata | 25
-- known types, as older versions loaded them
select t.oid, case when nsp.nspname in ('pg_catalog', 'public') then t.typname
  else nsp.nspname || '.' || t.typname end
from pg_type t
left join pg_type base_type on t.typelem = base_type.oid
left join pg_namespace nsp on t.typnamespace = nsp.oid
where t.typtype in ('b', 'p', 'r', 'e') and (base_type.oid is null or base_type.typtype in ('b', 'p', 'r'))
  and t.typname like 'timestamp%' order by 1;
=> oid | case
1114 | timestamp
1184 | timestamptz
