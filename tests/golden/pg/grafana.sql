-- version
SELECT current_setting('server_version_num')::int/100 as version;
=> version
1600
-- timescaledb
SELECT extversion FROM pg_extension WHERE extname = 'timescaledb';
=> extversion
-- schemas
SELECT schema_name AS "name" FROM information_schema.schemata
WHERE schema_name NOT IN ('information_schema', 'pg_catalog', 'pg_toast', '_timescaledb_cache')
ORDER BY schema_name;
=> name
public
system
-- tables
SELECT CASE WHEN quote_ident(table_schema) IN (
    SELECT CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
    FROM generate_series(
        array_lower(string_to_array(current_setting('search_path'),','),1),
        array_upper(string_to_array(current_setting('search_path'),','),1)) as i,
      string_to_array(current_setting('search_path'),',') s)
  THEN quote_ident(table_name)
  ELSE quote_ident(table_schema) || '.' || quote_ident(table_name)
  END AS "table"
FROM information_schema.tables
WHERE quote_ident(table_schema) NOT IN ('information_schema', 'pg_catalog')
ORDER BY 1;
=> table
logs
system.tenants
-- columns
SELECT quote_ident(column_name) AS "column", data_type AS "type"
FROM information_schema.columns
WHERE CASE WHEN array_length(parse_ident('public.logs'),1) = 2
  THEN quote_ident(table_schema) = (parse_ident('public.logs'))[1]
    AND quote_ident(table_name) = (parse_ident('public.logs'))[2]
  ELSE quote_ident(table_name) = 'public.logs' END
ORDER BY ordinal_position;
=> column | type
timestamp | timestamp with time zone
line | text
stream_id | bigint
level | text
app | text
env | text
host | text
labels | text
structured_metadata | text
-- time series
SELECT floor(extract(epoch from "timestamp")/600)*600 AS "time", level AS metric, count(*) AS n
FROM logs WHERE "timestamp" BETWEEN '2026-01-01T00:00:00Z' AND '2026-01-01T01:00:00Z'
GROUP BY 1, 2 ORDER BY 1, 2;
=> time | metric | n
1767225600 | error | 200
1767225600 | info | 200
1767225600 | warn | 200
1767226200 | error | 200
1767226200 | info | 200
1767226200 | warn | 200
1767226800 | error | 200
1767226800 | info | 200
1767226800 | warn | 200
1767227400 | error | 200
1767227400 | info | 200
1767227400 | warn | 200
1767228000 | error | 200
1767228000 | info | 200
1767228000 | warn | 200
-- logs panel
SELECT "timestamp" AS time, line, level FROM logs
WHERE "timestamp" >= '2026-01-01T00:00:00Z' ORDER BY "timestamp" DESC LIMIT 3;
=> time | line | level
2026-01-01 00:49:59+00 | error request 2999 took 89ms path=/api/3 | error
2026-01-01 00:49:58+00 | warn request 2998 took 88ms path=/api/2 | warn
2026-01-01 00:49:57+00 | info request 2997 took 87ms path=/api/1 | info
-- a variable
SELECT DISTINCT app FROM logs ORDER BY 1;
=> app
app0
app1
app2
app3
app4
app5
app6
app7
app8
app9
