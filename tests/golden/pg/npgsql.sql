-- types
select ns.nspname, t.oid, t.typname, t.typtype, t.typnotnull, t.elemtypoid
from (
  select typ.oid, typ.typnamespace, typ.typname, typ.typtype, typ.typrelid, typ.typnotnull, typ.relkind,
    elemtyp.oid as elemtypoid, elemtyp.typname as elemtypname, elemcls.relkind as elemrelkind,
    case when elemproc.proname = 'array_recv' then 'a' else elemtyp.typtype end as elemtyptype
  from (
    select typ.oid, typnamespace, typname, typrelid, typnotnull, relkind, typelem as elemoid,
      case when proc.proname = 'array_recv' then 'a' else typ.typtype end as typtype,
      case
        when proc.proname = 'array_recv' then typ.typelem
        when typ.typtype = 'r' then rngsubtype
        when typ.typtype = 'm' then (select rngtypid from pg_range where rngmultitypid = typ.oid)
        when typ.typtype = 'd' then typ.typbasetype
      end as elemtypoid
    from pg_type as typ
    left join pg_class as cls on (cls.oid = typ.typrelid)
    left join pg_proc as proc on proc.oid = typ.typreceive
    left join pg_range on (pg_range.rngtypid = typ.oid)
  ) as typ
  left join pg_type as elemtyp on elemtyp.oid = elemtypoid
  left join pg_class as elemcls on (elemcls.oid = elemtyp.typrelid)
  left join pg_proc as elemproc on elemproc.oid = elemtyp.typreceive
) as t
join pg_namespace as ns on (ns.oid = typnamespace)
where typtype in ('b', 'r', 'm', 'e', 'd')
  or (typtype = 'c' and relkind = 'c')
  or (typtype = 'p' and typname in ('record', 'void'))
  or (typtype = 'a' and (
    elemtyptype in ('b', 'r', 'm', 'e', 'd')
    or (elemtyptype = 'p' and elemtypname in ('record', 'void'))
    or (elemtyptype = 'c' and elemrelkind = 'c')))
order by case
  when typtype in ('b', 'e', 'p') then 0
  when typtype = 'r' then 1
  when typtype = 'm' then 2
  when typtype = 'c' then 3
  when typtype = 'd' and elemtyptype <> 'a' then 4
  when typtype = 'a' then 5
  when typtype = 'd' and elemtyptype = 'a' then 6
end;
=> nspname | oid | typname | typtype | typnotnull | elemtypoid
(161 rows)
-- composite types
select typ.oid, att.attname, att.atttypid
from pg_type as typ
join pg_namespace as ns on (ns.oid = typ.typnamespace)
join pg_class as cls on (cls.oid = typ.typrelid)
join pg_attribute as att on (att.attrelid = typ.typrelid)
where (typ.typtype = 'c' and cls.relkind = 'c') and attnum > 0 and not attisdropped
order by typ.oid, att.attnum;
=> oid | attname | atttypid
-- enums
select pg_type.oid, enumlabel from pg_enum join pg_type on pg_type.oid = enumtypid
order by oid, enumsortorder;
=> oid | enumlabel
-- what elements the types refer to
select t.typname, e.typname as element
from pg_type t join pg_proc p on p.oid = t.typreceive join pg_type e on e.oid = t.typelem
where p.proname = 'array_recv' and e.typname in ('text', 'int4', 'timestamptz') order by 1;
=> typname | element
_int4 | int4
_text | text
_timestamptz | timestamptz
-- reset of a pooled connection
DISCARD ALL;
=>
-- version
SELECT version();
=> version
PostgreSQL 16.0 (test)
