-- Makes shapes.txt from a Postgres 15: psql -X -At -f shapes.sql postgres > shapes.txt
select n.nspname || '.' || c.relname || ' ' || c.oid || ' ' || c.relkind::text || ' ' || (
    select string_agg(
        a.attname::text || ':'
        || case when t.typtype = 'd' then b.typname::text else t.typname::text end
        || case when a.attnotnull then '!' else '' end,
        ' ' order by a.attnum)
    from pg_attribute a
    join pg_type t on t.oid = a.atttypid
    left join pg_type b on b.oid = t.typbasetype
    where a.attrelid = c.oid and a.attnum > 0)
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('pg_catalog', 'information_schema') and c.relkind in ('r', 'v')
order by n.nspname desc, c.relname;
