select count(*) from logs where true
select count(*) from logs where app = 'app3'
select count(*) from logs where app <> 'app3'
select count(*) from logs where app in ('app1', 'app2')
select count(*) from logs where app not in ('app1', 'app2')
select count(*) from logs where app like 'app%' and env = 'prod'
select count(*) from logs where app ~ '^app[0-4]$'
select count(*) from logs where upper(env) = 'DEV'
select count(*) from logs where env is null
select count(*) from logs where app = 'app1' or host = 'host3'
select count(*) from logs where not (app = 'app1' or env = 'dev')
select count(*) from logs where level = 'error'
select count(*) from logs where level <> 'info' and app < 'app2'
select count(*) from logs where level in ('warn', 'error') or app = 'app9'
select count(*) from logs where line like '%took 5ms%'
select count(*) from logs where line not like '%path=/api/3%'
select count(*) from logs where line like 'info%'
select count(*) from logs where line like '%api/6'
select count(*) from logs where line ilike '%REQUEST 7%'
select count(*) from logs where line ~ 'took (5|6|7)ms'
select count(*) from logs where line !~ '[02468]ms'
select count(*) from logs where line ~* 'ERROR request 1'
select count(*) from logs where strpos(line, 'request 99') > 0
select count(*) from logs where position('warn' in line) = 1
select count(*) from logs where starts_with(line, 'error')
select count(*) from logs where line like '%took 1_ms%' or line like '%request 1234 %'
select count(*) from logs where line = 'info request 0 took 0ms path=/api/0'
select count(*) from logs where line like '%5ms%' and line like '%api/1%' and app = 'app5'
select count(*) from logs where length(line) > 41
select count(*) from logs where timestamp >= '2026-01-01 00:10:00+00' and timestamp < '2026-01-01 00:20:00+00'
select count(*) from logs where timestamp between '2026-01-01 00:10:00+00' and '2026-01-01 00:10:05+00'
select count(*) from logs where timestamp > '2026-01-01 00:49:00+00' and level = 'warn'
select count(*) from logs where timestamp < '2025-01-01'
select count(*) from logs where date_trunc('minute', timestamp) = '2026-01-01 00:05:00+00'
select count(*) from logs where extract(minute from timestamp) = 7
select count(*) from logs where timestamp::date = '2026-01-01'
select count(*) from logs where app = any(array['app1', 'app7'])
select count(*) from logs where app || env = 'app4prod'
select count(*) from logs where case when app = 'app1' then level = 'info' else env = 'dev' end
select count(*) from logs where coalesce(host, 'x') = 'host2'
select min(timestamp), max(timestamp), count(*) from logs where true
select min(timestamp), max(timestamp), count(*) from logs where app = 'app3'
select min(timestamp), max(timestamp), count(*) from logs where app <> 'app3'
select min(timestamp), max(timestamp), count(*) from logs where app in ('app1', 'app2')
select min(timestamp), max(timestamp), count(*) from logs where app not in ('app1', 'app2')
select min(timestamp), max(timestamp), count(*) from logs where app like 'app%' and env = 'prod'
select min(timestamp), max(timestamp), count(*) from logs where app ~ '^app[0-4]$'
select min(timestamp), max(timestamp), count(*) from logs where upper(env) = 'DEV'
select min(timestamp), max(timestamp), count(*) from logs where env is null
select min(timestamp), max(timestamp), count(*) from logs where app = 'app1' or host = 'host3'
select min(timestamp), max(timestamp), count(*) from logs where not (app = 'app1' or env = 'dev')
select min(timestamp), max(timestamp), count(*) from logs where level = 'error'
select min(timestamp), max(timestamp), count(*) from logs where level <> 'info' and app < 'app2'
select min(timestamp), max(timestamp), count(*) from logs where level in ('warn', 'error') or app = 'app9'
select min(timestamp), max(timestamp), count(*) from logs where line like '%took 5ms%'
select min(timestamp), max(timestamp), count(*) from logs where line not like '%path=/api/3%'
select min(timestamp), max(timestamp), count(*) from logs where line like 'info%'
select min(timestamp), max(timestamp), count(*) from logs where line like '%api/6'
select min(timestamp), max(timestamp), count(*) from logs where line ilike '%REQUEST 7%'
select min(timestamp), max(timestamp), count(*) from logs where line ~ 'took (5|6|7)ms'
select min(timestamp), max(timestamp), count(*) from logs where line !~ '[02468]ms'
select min(timestamp), max(timestamp), count(*) from logs where line ~* 'ERROR request 1'
select min(timestamp), max(timestamp), count(*) from logs where strpos(line, 'request 99') > 0
select min(timestamp), max(timestamp), count(*) from logs where position('warn' in line) = 1
select min(timestamp), max(timestamp), count(*) from logs where starts_with(line, 'error')
select min(timestamp), max(timestamp), count(*) from logs where line like '%took 1_ms%' or line like '%request 1234 %'
select min(timestamp), max(timestamp), count(*) from logs where line = 'info request 0 took 0ms path=/api/0'
select min(timestamp), max(timestamp), count(*) from logs where line like '%5ms%' and line like '%api/1%' and app = 'app5'
select min(timestamp), max(timestamp), count(*) from logs where length(line) > 41
select min(timestamp), max(timestamp), count(*) from logs where timestamp >= '2026-01-01 00:10:00+00' and timestamp < '2026-01-01 00:20:00+00'
select min(timestamp), max(timestamp), count(*) from logs where timestamp between '2026-01-01 00:10:00+00' and '2026-01-01 00:10:05+00'
select min(timestamp), max(timestamp), count(*) from logs where timestamp > '2026-01-01 00:49:00+00' and level = 'warn'
select min(timestamp), max(timestamp), count(*) from logs where timestamp < '2025-01-01'
select min(timestamp), max(timestamp), count(*) from logs where date_trunc('minute', timestamp) = '2026-01-01 00:05:00+00'
select min(timestamp), max(timestamp), count(*) from logs where extract(minute from timestamp) = 7
select min(timestamp), max(timestamp), count(*) from logs where timestamp::date = '2026-01-01'
select min(timestamp), max(timestamp), count(*) from logs where app = any(array['app1', 'app7'])
select min(timestamp), max(timestamp), count(*) from logs where app || env = 'app4prod'
select min(timestamp), max(timestamp), count(*) from logs where case when app = 'app1' then level = 'info' else env = 'dev' end
select min(timestamp), max(timestamp), count(*) from logs where coalesce(host, 'x') = 'host2'
select level, count(*) from logs where true group by level order by level
select level, count(*) from logs where app = 'app3' group by level order by level
select level, count(*) from logs where app <> 'app3' group by level order by level
select level, count(*) from logs where app in ('app1', 'app2') group by level order by level
select level, count(*) from logs where app not in ('app1', 'app2') group by level order by level
select level, count(*) from logs where app like 'app%' and env = 'prod' group by level order by level
select level, count(*) from logs where app ~ '^app[0-4]$' group by level order by level
select level, count(*) from logs where upper(env) = 'DEV' group by level order by level
select level, count(*) from logs where env is null group by level order by level
select level, count(*) from logs where app = 'app1' or host = 'host3' group by level order by level
select level, count(*) from logs where not (app = 'app1' or env = 'dev') group by level order by level
select level, count(*) from logs where level = 'error' group by level order by level
select level, count(*) from logs where level <> 'info' and app < 'app2' group by level order by level
select level, count(*) from logs where level in ('warn', 'error') or app = 'app9' group by level order by level
select level, count(*) from logs where line like '%took 5ms%' group by level order by level
select level, count(*) from logs where line not like '%path=/api/3%' group by level order by level
select level, count(*) from logs where line like 'info%' group by level order by level
select level, count(*) from logs where line like '%api/6' group by level order by level
select level, count(*) from logs where line ilike '%REQUEST 7%' group by level order by level
select level, count(*) from logs where line ~ 'took (5|6|7)ms' group by level order by level
select level, count(*) from logs where line !~ '[02468]ms' group by level order by level
select level, count(*) from logs where line ~* 'ERROR request 1' group by level order by level
select level, count(*) from logs where strpos(line, 'request 99') > 0 group by level order by level
select level, count(*) from logs where position('warn' in line) = 1 group by level order by level
select level, count(*) from logs where starts_with(line, 'error') group by level order by level
select level, count(*) from logs where line like '%took 1_ms%' or line like '%request 1234 %' group by level order by level
select level, count(*) from logs where line = 'info request 0 took 0ms path=/api/0' group by level order by level
select level, count(*) from logs where line like '%5ms%' and line like '%api/1%' and app = 'app5' group by level order by level
select level, count(*) from logs where length(line) > 41 group by level order by level
select level, count(*) from logs where timestamp >= '2026-01-01 00:10:00+00' and timestamp < '2026-01-01 00:20:00+00' group by level order by level
select level, count(*) from logs where timestamp between '2026-01-01 00:10:00+00' and '2026-01-01 00:10:05+00' group by level order by level
select level, count(*) from logs where timestamp > '2026-01-01 00:49:00+00' and level = 'warn' group by level order by level
select level, count(*) from logs where timestamp < '2025-01-01' group by level order by level
select level, count(*) from logs where date_trunc('minute', timestamp) = '2026-01-01 00:05:00+00' group by level order by level
select level, count(*) from logs where extract(minute from timestamp) = 7 group by level order by level
select level, count(*) from logs where timestamp::date = '2026-01-01' group by level order by level
select level, count(*) from logs where app = any(array['app1', 'app7']) group by level order by level
select level, count(*) from logs where app || env = 'app4prod' group by level order by level
select level, count(*) from logs where case when app = 'app1' then level = 'info' else env = 'dev' end group by level order by level
select level, count(*) from logs where coalesce(host, 'x') = 'host2' group by level order by level
select app, env, count(*), max(timestamp) from logs where true group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where app = 'app3' group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where app <> 'app3' group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where app in ('app1', 'app2') group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where app not in ('app1', 'app2') group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where app like 'app%' and env = 'prod' group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where app ~ '^app[0-4]$' group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where upper(env) = 'DEV' group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where env is null group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where app = 'app1' or host = 'host3' group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where not (app = 'app1' or env = 'dev') group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where level = 'error' group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where level <> 'info' and app < 'app2' group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where level in ('warn', 'error') or app = 'app9' group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where line like '%took 5ms%' group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where line not like '%path=/api/3%' group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where line like 'info%' group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where line like '%api/6' group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where line ilike '%REQUEST 7%' group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where line ~ 'took (5|6|7)ms' group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where line !~ '[02468]ms' group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where line ~* 'ERROR request 1' group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where strpos(line, 'request 99') > 0 group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where position('warn' in line) = 1 group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where starts_with(line, 'error') group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where line like '%took 1_ms%' or line like '%request 1234 %' group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where line = 'info request 0 took 0ms path=/api/0' group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where line like '%5ms%' and line like '%api/1%' and app = 'app5' group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where length(line) > 41 group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where timestamp >= '2026-01-01 00:10:00+00' and timestamp < '2026-01-01 00:20:00+00' group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where timestamp between '2026-01-01 00:10:00+00' and '2026-01-01 00:10:05+00' group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where timestamp > '2026-01-01 00:49:00+00' and level = 'warn' group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where timestamp < '2025-01-01' group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where date_trunc('minute', timestamp) = '2026-01-01 00:05:00+00' group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where extract(minute from timestamp) = 7 group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where timestamp::date = '2026-01-01' group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where app = any(array['app1', 'app7']) group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where app || env = 'app4prod' group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where case when app = 'app1' then level = 'info' else env = 'dev' end group by 1, 2 order by 1, 2
select app, env, count(*), max(timestamp) from logs where coalesce(host, 'x') = 'host2' group by 1, 2 order by 1, 2
select date_trunc('minute', timestamp) m, count(*) from logs where true group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where app = 'app3' group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where app <> 'app3' group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where app in ('app1', 'app2') group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where app not in ('app1', 'app2') group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where app like 'app%' and env = 'prod' group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where app ~ '^app[0-4]$' group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where upper(env) = 'DEV' group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where env is null group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where app = 'app1' or host = 'host3' group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where not (app = 'app1' or env = 'dev') group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where level = 'error' group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where level <> 'info' and app < 'app2' group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where level in ('warn', 'error') or app = 'app9' group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where line like '%took 5ms%' group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where line not like '%path=/api/3%' group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where line like 'info%' group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where line like '%api/6' group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where line ilike '%REQUEST 7%' group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where line ~ 'took (5|6|7)ms' group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where line !~ '[02468]ms' group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where line ~* 'ERROR request 1' group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where strpos(line, 'request 99') > 0 group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where position('warn' in line) = 1 group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where starts_with(line, 'error') group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where line like '%took 1_ms%' or line like '%request 1234 %' group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where line = 'info request 0 took 0ms path=/api/0' group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where line like '%5ms%' and line like '%api/1%' and app = 'app5' group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where length(line) > 41 group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where timestamp >= '2026-01-01 00:10:00+00' and timestamp < '2026-01-01 00:20:00+00' group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where timestamp between '2026-01-01 00:10:00+00' and '2026-01-01 00:10:05+00' group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where timestamp > '2026-01-01 00:49:00+00' and level = 'warn' group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where timestamp < '2025-01-01' group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where date_trunc('minute', timestamp) = '2026-01-01 00:05:00+00' group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where extract(minute from timestamp) = 7 group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where timestamp::date = '2026-01-01' group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where app = any(array['app1', 'app7']) group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where app || env = 'app4prod' group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where case when app = 'app1' then level = 'info' else env = 'dev' end group by 1 order by 1 limit 7
select date_trunc('minute', timestamp) m, count(*) from logs where coalesce(host, 'x') = 'host2' group by 1 order by 1 limit 7
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where true group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where app = 'app3' group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where app <> 'app3' group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where app in ('app1', 'app2') group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where app not in ('app1', 'app2') group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where app like 'app%' and env = 'prod' group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where app ~ '^app[0-4]$' group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where upper(env) = 'DEV' group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where env is null group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where app = 'app1' or host = 'host3' group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where not (app = 'app1' or env = 'dev') group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where level = 'error' group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where level <> 'info' and app < 'app2' group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where level in ('warn', 'error') or app = 'app9' group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where line like '%took 5ms%' group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where line not like '%path=/api/3%' group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where line like 'info%' group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where line like '%api/6' group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where line ilike '%REQUEST 7%' group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where line ~ 'took (5|6|7)ms' group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where line !~ '[02468]ms' group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where line ~* 'ERROR request 1' group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where strpos(line, 'request 99') > 0 group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where position('warn' in line) = 1 group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where starts_with(line, 'error') group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where line like '%took 1_ms%' or line like '%request 1234 %' group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where line = 'info request 0 took 0ms path=/api/0' group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where line like '%5ms%' and line like '%api/1%' and app = 'app5' group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where length(line) > 41 group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where timestamp >= '2026-01-01 00:10:00+00' and timestamp < '2026-01-01 00:20:00+00' group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where timestamp between '2026-01-01 00:10:00+00' and '2026-01-01 00:10:05+00' group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where timestamp > '2026-01-01 00:49:00+00' and level = 'warn' group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where timestamp < '2025-01-01' group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where date_trunc('minute', timestamp) = '2026-01-01 00:05:00+00' group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where extract(minute from timestamp) = 7 group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where timestamp::date = '2026-01-01' group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where app = any(array['app1', 'app7']) group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where app || env = 'app4prod' group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where case when app = 'app1' then level = 'info' else env = 'dev' end group by 1, 2 order by 1, 2
select date_bin('7 minutes', timestamp, '2026-01-01 00:01:00+00') b, level, count(*), min(timestamp) from logs where coalesce(host, 'x') = 'host2' group by 1, 2 order by 1, 2
select timestamp, line from logs where true order by timestamp desc limit 3
select timestamp, line from logs where app = 'app3' order by timestamp desc limit 3
select timestamp, line from logs where app <> 'app3' order by timestamp desc limit 3
select timestamp, line from logs where app in ('app1', 'app2') order by timestamp desc limit 3
select timestamp, line from logs where app not in ('app1', 'app2') order by timestamp desc limit 3
select timestamp, line from logs where app like 'app%' and env = 'prod' order by timestamp desc limit 3
select timestamp, line from logs where app ~ '^app[0-4]$' order by timestamp desc limit 3
select timestamp, line from logs where upper(env) = 'DEV' order by timestamp desc limit 3
select timestamp, line from logs where env is null order by timestamp desc limit 3
select timestamp, line from logs where app = 'app1' or host = 'host3' order by timestamp desc limit 3
select timestamp, line from logs where not (app = 'app1' or env = 'dev') order by timestamp desc limit 3
select timestamp, line from logs where level = 'error' order by timestamp desc limit 3
select timestamp, line from logs where level <> 'info' and app < 'app2' order by timestamp desc limit 3
select timestamp, line from logs where level in ('warn', 'error') or app = 'app9' order by timestamp desc limit 3
select timestamp, line from logs where line like '%took 5ms%' order by timestamp desc limit 3
select timestamp, line from logs where line not like '%path=/api/3%' order by timestamp desc limit 3
select timestamp, line from logs where line like 'info%' order by timestamp desc limit 3
select timestamp, line from logs where line like '%api/6' order by timestamp desc limit 3
select timestamp, line from logs where line ilike '%REQUEST 7%' order by timestamp desc limit 3
select timestamp, line from logs where line ~ 'took (5|6|7)ms' order by timestamp desc limit 3
select timestamp, line from logs where line !~ '[02468]ms' order by timestamp desc limit 3
select timestamp, line from logs where line ~* 'ERROR request 1' order by timestamp desc limit 3
select timestamp, line from logs where strpos(line, 'request 99') > 0 order by timestamp desc limit 3
select timestamp, line from logs where position('warn' in line) = 1 order by timestamp desc limit 3
select timestamp, line from logs where starts_with(line, 'error') order by timestamp desc limit 3
select timestamp, line from logs where line like '%took 1_ms%' or line like '%request 1234 %' order by timestamp desc limit 3
select timestamp, line from logs where line = 'info request 0 took 0ms path=/api/0' order by timestamp desc limit 3
select timestamp, line from logs where line like '%5ms%' and line like '%api/1%' and app = 'app5' order by timestamp desc limit 3
select timestamp, line from logs where length(line) > 41 order by timestamp desc limit 3
select timestamp, line from logs where timestamp >= '2026-01-01 00:10:00+00' and timestamp < '2026-01-01 00:20:00+00' order by timestamp desc limit 3
select timestamp, line from logs where timestamp between '2026-01-01 00:10:00+00' and '2026-01-01 00:10:05+00' order by timestamp desc limit 3
select timestamp, line from logs where timestamp > '2026-01-01 00:49:00+00' and level = 'warn' order by timestamp desc limit 3
select timestamp, line from logs where timestamp < '2025-01-01' order by timestamp desc limit 3
select timestamp, line from logs where date_trunc('minute', timestamp) = '2026-01-01 00:05:00+00' order by timestamp desc limit 3
select timestamp, line from logs where extract(minute from timestamp) = 7 order by timestamp desc limit 3
select timestamp, line from logs where timestamp::date = '2026-01-01' order by timestamp desc limit 3
select timestamp, line from logs where app = any(array['app1', 'app7']) order by timestamp desc limit 3
select timestamp, line from logs where app || env = 'app4prod' order by timestamp desc limit 3
select timestamp, line from logs where case when app = 'app1' then level = 'info' else env = 'dev' end order by timestamp desc limit 3
select timestamp, line from logs where coalesce(host, 'x') = 'host2' order by timestamp desc limit 3
select timestamp, app, level from logs where true order by timestamp limit 2 offset 1
select timestamp, app, level from logs where app = 'app3' order by timestamp limit 2 offset 1
select timestamp, app, level from logs where app <> 'app3' order by timestamp limit 2 offset 1
select timestamp, app, level from logs where app in ('app1', 'app2') order by timestamp limit 2 offset 1
select timestamp, app, level from logs where app not in ('app1', 'app2') order by timestamp limit 2 offset 1
select timestamp, app, level from logs where app like 'app%' and env = 'prod' order by timestamp limit 2 offset 1
select timestamp, app, level from logs where app ~ '^app[0-4]$' order by timestamp limit 2 offset 1
select timestamp, app, level from logs where upper(env) = 'DEV' order by timestamp limit 2 offset 1
select timestamp, app, level from logs where env is null order by timestamp limit 2 offset 1
select timestamp, app, level from logs where app = 'app1' or host = 'host3' order by timestamp limit 2 offset 1
select timestamp, app, level from logs where not (app = 'app1' or env = 'dev') order by timestamp limit 2 offset 1
select timestamp, app, level from logs where level = 'error' order by timestamp limit 2 offset 1
select timestamp, app, level from logs where level <> 'info' and app < 'app2' order by timestamp limit 2 offset 1
select timestamp, app, level from logs where level in ('warn', 'error') or app = 'app9' order by timestamp limit 2 offset 1
select timestamp, app, level from logs where line like '%took 5ms%' order by timestamp limit 2 offset 1
select timestamp, app, level from logs where line not like '%path=/api/3%' order by timestamp limit 2 offset 1
select timestamp, app, level from logs where line like 'info%' order by timestamp limit 2 offset 1
select timestamp, app, level from logs where line like '%api/6' order by timestamp limit 2 offset 1
select timestamp, app, level from logs where line ilike '%REQUEST 7%' order by timestamp limit 2 offset 1
select timestamp, app, level from logs where line ~ 'took (5|6|7)ms' order by timestamp limit 2 offset 1
select timestamp, app, level from logs where line !~ '[02468]ms' order by timestamp limit 2 offset 1
select timestamp, app, level from logs where line ~* 'ERROR request 1' order by timestamp limit 2 offset 1
select timestamp, app, level from logs where strpos(line, 'request 99') > 0 order by timestamp limit 2 offset 1
select timestamp, app, level from logs where position('warn' in line) = 1 order by timestamp limit 2 offset 1
select timestamp, app, level from logs where starts_with(line, 'error') order by timestamp limit 2 offset 1
select timestamp, app, level from logs where line like '%took 1_ms%' or line like '%request 1234 %' order by timestamp limit 2 offset 1
select timestamp, app, level from logs where line = 'info request 0 took 0ms path=/api/0' order by timestamp limit 2 offset 1
select timestamp, app, level from logs where line like '%5ms%' and line like '%api/1%' and app = 'app5' order by timestamp limit 2 offset 1
select timestamp, app, level from logs where length(line) > 41 order by timestamp limit 2 offset 1
select timestamp, app, level from logs where timestamp >= '2026-01-01 00:10:00+00' and timestamp < '2026-01-01 00:20:00+00' order by timestamp limit 2 offset 1
select timestamp, app, level from logs where timestamp between '2026-01-01 00:10:00+00' and '2026-01-01 00:10:05+00' order by timestamp limit 2 offset 1
select timestamp, app, level from logs where timestamp > '2026-01-01 00:49:00+00' and level = 'warn' order by timestamp limit 2 offset 1
select timestamp, app, level from logs where timestamp < '2025-01-01' order by timestamp limit 2 offset 1
select timestamp, app, level from logs where date_trunc('minute', timestamp) = '2026-01-01 00:05:00+00' order by timestamp limit 2 offset 1
select timestamp, app, level from logs where extract(minute from timestamp) = 7 order by timestamp limit 2 offset 1
select timestamp, app, level from logs where timestamp::date = '2026-01-01' order by timestamp limit 2 offset 1
select timestamp, app, level from logs where app = any(array['app1', 'app7']) order by timestamp limit 2 offset 1
select timestamp, app, level from logs where app || env = 'app4prod' order by timestamp limit 2 offset 1
select timestamp, app, level from logs where case when app = 'app1' then level = 'info' else env = 'dev' end order by timestamp limit 2 offset 1
select timestamp, app, level from logs where coalesce(host, 'x') = 'host2' order by timestamp limit 2 offset 1
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where true group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where app = 'app3' group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where app <> 'app3' group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where app in ('app1', 'app2') group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where app not in ('app1', 'app2') group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where app like 'app%' and env = 'prod' group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where app ~ '^app[0-4]$' group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where upper(env) = 'DEV' group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where env is null group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where app = 'app1' or host = 'host3' group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where not (app = 'app1' or env = 'dev') group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where level = 'error' group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where level <> 'info' and app < 'app2' group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where level in ('warn', 'error') or app = 'app9' group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where line like '%took 5ms%' group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where line not like '%path=/api/3%' group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where line like 'info%' group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where line like '%api/6' group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where line ilike '%REQUEST 7%' group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where line ~ 'took (5|6|7)ms' group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where line !~ '[02468]ms' group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where line ~* 'ERROR request 1' group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where strpos(line, 'request 99') > 0 group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where position('warn' in line) = 1 group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where starts_with(line, 'error') group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where line like '%took 1_ms%' or line like '%request 1234 %' group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where line = 'info request 0 took 0ms path=/api/0' group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where line like '%5ms%' and line like '%api/1%' and app = 'app5' group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where length(line) > 41 group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where timestamp >= '2026-01-01 00:10:00+00' and timestamp < '2026-01-01 00:20:00+00' group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where timestamp between '2026-01-01 00:10:00+00' and '2026-01-01 00:10:05+00' group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where timestamp > '2026-01-01 00:49:00+00' and level = 'warn' group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where timestamp < '2025-01-01' group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where date_trunc('minute', timestamp) = '2026-01-01 00:05:00+00' group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where extract(minute from timestamp) = 7 group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where timestamp::date = '2026-01-01' group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where app = any(array['app1', 'app7']) group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where app || env = 'app4prod' group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where case when app = 'app1' then level = 'info' else env = 'dev' end group by env order by env
select env, count(*) filter (where level = 'error'), sum(case when level = 'info' then 1 else 0 end), count(distinct app) from logs where coalesce(host, 'x') = 'host2' group by env order by env
