-- a chart by hour
SELECT DATE_TRUNC('hour', timestamp) AS __timestamp, level AS level, COUNT(*) AS count FROM public.logs
WHERE timestamp >= TO_TIMESTAMP('2026-01-01 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US') AND timestamp < TO_TIMESTAMP('2026-01-02 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US')
GROUP BY DATE_TRUNC('hour', timestamp), level ORDER BY __timestamp, level LIMIT 1000;
=> __timestamp | level | count
2026-01-01 00:00:00+00 | error | 1000
2026-01-01 00:00:00+00 | info | 1000
2026-01-01 00:00:00+00 | warn | 1000
-- 5 seconds
SELECT DATE_TRUNC('minute', timestamp) + INTERVAL '5 seconds' * FLOOR(EXTRACT(SECOND FROM timestamp) / 5) AS __timestamp, COUNT(*) FROM logs GROUP BY 1 ORDER BY 1 LIMIT 2;
=> __timestamp | count
2026-01-01 00:00:00+00 | 5
2026-01-01 00:00:05+00 | 5
-- 30 seconds
SELECT DATE_TRUNC('minute', timestamp) + INTERVAL '30 seconds' * FLOOR(EXTRACT(SECOND FROM timestamp) / 30) AS __timestamp, COUNT(*) FROM logs GROUP BY 1 ORDER BY 1 LIMIT 2;
=> __timestamp | count
2026-01-01 00:00:00+00 | 30
2026-01-01 00:00:30+00 | 30
-- 5 minutes
SELECT DATE_TRUNC('hour', timestamp) + INTERVAL '5 minutes' * FLOOR(EXTRACT(MINUTE FROM timestamp) / 5) AS __timestamp, COUNT(*) FROM logs GROUP BY 1 ORDER BY 1 LIMIT 2;
=> __timestamp | count
2026-01-01 00:00:00+00 | 300
2026-01-01 00:05:00+00 | 300
-- 10 minutes
SELECT DATE_TRUNC('hour', timestamp) + INTERVAL '10 minutes' * FLOOR(EXTRACT(MINUTE FROM timestamp) / 10) AS __timestamp, COUNT(*) FROM logs GROUP BY 1 ORDER BY 1;
=> __timestamp | count
2026-01-01 00:00:00+00 | 600
2026-01-01 00:10:00+00 | 600
2026-01-01 00:20:00+00 | 600
2026-01-01 00:30:00+00 | 600
2026-01-01 00:40:00+00 | 600
-- 15 minutes
SELECT DATE_TRUNC('hour', timestamp) + INTERVAL '15 minutes' * FLOOR(EXTRACT(MINUTE FROM timestamp) / 15) AS __timestamp, COUNT(*) FROM logs GROUP BY 1 ORDER BY 1;
=> __timestamp | count
2026-01-01 00:00:00+00 | 900
2026-01-01 00:15:00+00 | 900
2026-01-01 00:30:00+00 | 900
2026-01-01 00:45:00+00 | 300
-- 30 minutes
SELECT DATE_TRUNC('hour', timestamp) + INTERVAL '30 minutes' * FLOOR(EXTRACT(MINUTE FROM timestamp) / 30) AS __timestamp, COUNT(*) FROM logs GROUP BY 1 ORDER BY 1;
=> __timestamp | count
2026-01-01 00:00:00+00 | 1800
2026-01-01 00:30:00+00 | 1200
-- second
SELECT DATE_TRUNC('second', timestamp) AS t, COUNT(*) FROM logs GROUP BY 1 ORDER BY 1 LIMIT 1;
=> t | count
2026-01-01 00:00:00+00 | 1
-- day
SELECT DATE_TRUNC('day', timestamp) AS t, COUNT(*) FROM logs GROUP BY 1 ORDER BY 1;
=> t | count
2026-01-01 00:00:00+00 | 3000
-- week
SELECT DATE_TRUNC('week', timestamp) AS t, COUNT(*) FROM logs GROUP BY 1 ORDER BY 1;
=> t | count
2025-12-29 00:00:00+00 | 3000
-- month
SELECT DATE_TRUNC('month', timestamp) AS t, COUNT(*) FROM logs GROUP BY 1 ORDER BY 1;
=> t | count
2026-01-01 00:00:00+00 | 3000
-- quarter
SELECT DATE_TRUNC('quarter', timestamp) AS t, COUNT(*) FROM logs GROUP BY 1 ORDER BY 1;
=> t | count
2026-01-01 00:00:00+00 | 3000
-- year
SELECT DATE_TRUNC('year', timestamp) AS t, COUNT(*) FROM logs GROUP BY 1 ORDER BY 1;
=> t | count
2026-01-01 00:00:00+00 | 3000
-- a virtual dataset
SELECT app AS app, COUNT(*) AS count FROM (SELECT * FROM logs WHERE level = 'error') AS virtual_table GROUP BY app ORDER BY count DESC, app LIMIT 3;
=> app | count
app0 | 100
app1 | 100
app2 | 100
-- catalogs
SELECT datname FROM pg_database WHERE NOT datistemplate;
=> datname
main
-- functions for the editor
SELECT routine_name FROM information_schema.routines WHERE routine_type = 'FUNCTION' ORDER BY 1;
=> routine_name
logfmt
logql
pattern
time_bucket
-- running query
SELECT pg_backend_pid() IS NOT NULL AS has_pid;
=> has_pid
t
