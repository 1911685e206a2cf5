select 7/2, -7/2, 7%3, -7%3, 7.0/2
select 1/2.0, 10/4.0::float8, 2^3, 2^0.5
select cast(1.5 as int), cast(2.5 as int), cast(-1.5 as int), 1.4::int, 0.5::float8::int, 1.5::float8::int
select 5 & 3, 5 | 3, 5 # 3, ~5, 1 << 3, 16 >> 2
select '42'::int + 1, '1.5'::float8 * 2
select '1.5'::int
select 'abc'::int
select ''::int
select ' 7 '::int
select true and null, false and null, true or null, not null
select null = null, null is null, null is distinct from null, 1 is distinct from null, 1 is not distinct from 1
select 1 in (1, null), 2 in (1, null), 2 not in (1, null), 1 in (2, 3)
select coalesce(null, 2), nullif(1, 1), nullif(1, 2), greatest(1, null, 3), least(1, null, 3)
select 't'::bool, 'yes'::bool, 'off'::bool, '0'::bool, 1::bool, 0::bool, true::int, 'n'::bool
select case when 1 > 2 then 'a' when null then 'b' else 'c' end, case 3 when 3 then 'x' end, case 4 when 3 then 'x' end
select 'a' || 'b' || 1, 'a' || null, concat('a', null, 1), concat_ws('-', 'a', null, 'b')
select 'abc' like 'a%', 'abc' like '_b_', 'abc' like 'a', 'ABC' ilike 'a%', 'a%c' like 'a\%c', 'abc' not like 'b%'
select 'a_c' like 'a!_c' escape '!', 'abc' like 'a!_c' escape '!', 'x' like '', '' like '', '' like '%'
select 'abc' ~ 'b', 'abc' ~ '^b', 'ABC' ~* 'b', 'abc' !~ 'z', 'ABC' !~* 'b', 'abc' ~ 'a.c'
select 'abc' similar to 'a(b|d)c', 'abc' similar to 'a', 'abc' similar to '%b%', 'a.c' similar to 'a.c', 'abc' similar to 'a.c'
select length('héllo'), char_length('héllo'), octet_length('héllo'), bit_length('ab'), upper('héllo'), lower('ÀB'), initcap('hello wORLD')
select left('hello', 2), left('hello', -2), right('hello', 2), right('hello', -2), left('a', 0)
select substr('hello', 2), substr('hello', 2, 3), substring('hello' from 2 for 2), substring('hello' from 0 for 3), substr('hello', -1, 3)
select substring('foobar' from 'o(.)b'), substring('foobar' from 'z'), substring('foobar' from 'o.b')
select strpos('hello', 'l'), position('z' in 'hello'), strpos('hello', ''), position('lo' in 'hello')
select replace('banana', 'an', 'x'), translate('12345', '143', 'ax'), reverse('abc'), repeat('ab', 3), repeat('ab', -1)
select trim('  x '), ltrim('xxa', 'x'), rtrim('axx', 'x'), btrim('xyaxy', 'xy'), trim(both 'x' from 'xax'), trim(leading from '  a')
select lpad('7', 3, '0'), rpad('7', 3, '0'), lpad('hello', 3), lpad('hi', 5), rpad('hi', 5, 'ab')
select split_part('a,b,c', ',', 2), split_part('a,b,c', ',', 4), split_part('a,b,c', ',', -1), split_part('abc', '', 1)
select split_part('a,b,c', ',', 0)
select ascii('A'), chr(65), to_hex(255), md5('a'), encode('abc'::bytea, 'hex'), encode('abc'::bytea, 'base64')
select starts_with('abc', 'ab'), overlay('Txxxxas' placing 'hom' from 2 for 4), quote_ident('a b'), quote_literal('it''s'), quote_ident('abc')
select regexp_replace('foobarbaz', 'b..', 'X'), regexp_replace('foobarbaz', 'b..', 'X', 'g'), regexp_replace('foobarbaz', 'b(..)', 'X\1Y', 'g')
select regexp_match('foobarbequebaz', '(bar)(beque)'), regexp_match('abc', 'z'), regexp_match('abc', 'b')
select regexp_count('aXbXc', 'X'), regexp_like('abc', 'B', 'i'), regexp_instr('abc', 'c')
select regexp_split_to_array('a1b22c', '[0-9]+'), string_to_array('a,b,,c', ','), string_to_array('a,b', null), array_to_string(array['a',null,'b'], '-', '*')
select regexp_matches('foobarbequebazilbarfbonk', '(b[^b]+)(b[^b]+)', 'g')
select regexp_substr('foo1bar22', '[0-9]+')
select regexp_split_to_table('a1b2c', '[0-9]')
select unnest(array[1,2,3])
select generate_series(1, 3)
select * from generate_series(1, 5, 2)
select * from generate_series('2024-01-01'::timestamp, '2024-01-02'::timestamp, '12 hours')
select * from unnest(array['a','b']) as t(x)
select abs(-5), ceil(1.2), floor(-1.2), round(2.5), round(-2.5), round(3.5), trunc(1.9), sign(-3)
select round(2.5::float8), round(3.5::float8), round(1.235, 2), round(1234.5, -2), trunc(1.239, 2)
select sqrt(16), cbrt(27), power(2, 10), exp(0), ln(1), log(100), log(2, 8), log10(1000)
select mod(7, 3), mod(-7, 3), div(7, 2), gcd(12, 18), lcm(4, 6), factorial(5)
select pi(), degrees(pi()), radians(180), sin(0), cos(0), tan(0), atan2(1, 1)
select 1e10::int8, 1e3::int, 123456789012::int8, 2147483648::int
select 9223372036854775807 + 1
select 2147483647::int + 1::int
select 1/0
select 1.0/0
select 1.0::float8/0
select 5 % 0
select 'NaN'::float8, 'Infinity'::float8, '-Infinity'::float8, 'NaN'::float8 = 'NaN'::float8, 'NaN'::float8 > 1
select 0.1::float8 + 0.2::float8, 0.1 + 0.2, 1e20::float8, 1e-7::float8, 123456.789::float4, 1.0::float8
select sum(x), avg(x), min(x), max(x), count(x), count(*) from (values (1), (2), (null), (4)) t(x)
select sum(x), avg(x), min(x), max(x) from (values (1.5), (2.5)) t(x)
select sum(x), avg(x) from (values (1::float8), (2)) t(x)
select sum(x), avg(x), min(x), count(x) from (select 1 as x where false) t
select stddev(x), variance(x), stddev_pop(x), var_pop(x) from (values (1::float8), (2), (3), (4)) t(x)
select bool_and(x), bool_or(x), every(x) from (values (true), (false), (null)) t(x)
select string_agg(x, ',' order by x desc), array_agg(x order by x), string_agg(x, '') from (values ('b'), ('a'), ('c')) t(x)
select count(distinct x), sum(distinct x), array_agg(distinct x order by x) from (values (1), (1), (2)) t(x)
select count(*) filter (where x > 1), sum(x) filter (where x > 5) from (values (1), (2), (3)) t(x)
select percentile_cont(0.5) within group (order by x), percentile_disc(0.5) within group (order by x) from (values (1), (2), (3), (4)) t(x)
select mode() within group (order by x) from (values (1), (2), (2)) t(x)
select corr(x, y), covar_pop(x, y), regr_slope(y, x) from (values (1::float8, 2::float8), (2, 4), (3, 6)) t(x, y)
select bit_and(x), bit_or(x) from (values (6), (3)) t(x)
select x, count(*) from (values (1), (1), (2)) t(x) group by x having count(*) > 1 order by x
select x, y, count(*) from (values (1,1), (1,2), (2,1)) t(x,y) group by grouping sets ((x), (y), ()) order by x, y
select x, count(*) from (values (1), (1), (2)) t(x) group by rollup (x) order by x
select x from (values (2), (null), (1)) t(x) order by x
select x from (values (2), (null), (1)) t(x) order by x desc
select x from (values (2), (null), (1)) t(x) order by x nulls first
select x from (values (2), (null), (1)) t(x) order by x desc nulls last
select distinct x from (values (1), (2), (1)) t(x) order by x
select distinct on (x) x, y from (values (1, 2), (1, 1), (2, 5)) t(x, y) order by x, y
select x from (values (1), (2), (3), (4)) t(x) order by x limit 2 offset 1
select x from (values (1), (2), (3), (4)) t(x) order by x offset 3
select x from (values (1), (2), (3), (4)) t(x) order by x fetch first 2 rows only
select row_number() over (order by x), rank() over (order by x), dense_rank() over (order by x), x from (values (1), (1), (2)) t(x) order by 1
select x, lag(x) over (order by x), lead(x, 1, 0) over (order by x), first_value(x) over (order by x), last_value(x) over (order by x) from (values (1), (2), (3)) t(x) order by x
select x, sum(x) over (order by x), sum(x) over (order by x rows between 1 preceding and current row), avg(x) over () from (values (1), (2), (3)) t(x) order by x
select x, ntile(2) over (order by x), percent_rank() over (order by x), cume_dist() over (order by x), nth_value(x, 2) over (order by x) from (values (1), (2), (3), (4)) t(x) order by x
select a.x, b.y from (values (1), (2)) a(x) left join (values (2), (3)) b(y) on a.x = b.y order by 1
select a.x, b.y from (values (1), (2)) a(x) full join (values (2), (3)) b(y) on a.x = b.y order by 1, 2
select a.x, b.x from (values (1), (2)) a(x), (values (1), (2)) b(x) order by 1, 2
select * from (values (1), (2)) a(x) join (values (1), (3)) b(x) using (x)
select * from (values (1, 2)) a(x, y) natural join (values (1, 3)) b(x, z)
select (select max(x) from (values (1), (2)) t(x)), exists (select 1 where false), 1 in (select 1), 2 = any (select 1)
select x, (select count(*) from (values (1), (2), (3)) u(y) where u.y <= t.x) from (values (1), (2)) t(x) order by x
select (select x from (values (1), (2)) t(x))
select * from (values (1), (2)) t(x) where x = all (select 1)
select x from (values (1), (2)) t(x) where exists (select 1 from (values (2)) u(y) where u.y = t.x)
select x from (values (1), (2)) t(x) where x not in (select y from (values (1), (null)) u(y))
with a as (select 1 as x), b as (select x + 1 as y from a) select * from a, b
with recursive t(n) as (select 1 union all select n + 1 from t where n < 5) select sum(n) from t
select 1 union select 1 union all select 2 order by 1
select 1 intersect select 1
select 1 except select 1
(select 2) union all (select 1) order by 1 limit 1
select 1 = any(array[1,2]), 3 = any(array[1,2]), 3 <> all(array[1,2]), 1 = all(array[1,1]), 2 > any(array[1,5]), 2 < all(array[3,4])
select 'a' = any('{a,b}'), 'c' = any('{a,b}'::text[]), 1 = any('{1,2}'::int[])
select null = any(array[1]), 1 = any(array[null,1]), 2 = any(array[null,1]), 1 = any(null::int[])
select 'abc' like any(array['a%', 'x%']), 'abc' like all(array['a%', '%c'])
select array[1,2,3], array[1,2][1], (array[1,2,3])[2:3], array[[1,2],[3,4]], array[]::int[], (array[1,2])[5]
select array_length(array[1,2,3], 1), cardinality(array[1,2]), array_append(array[1], 2), array_prepend(0, array[1]), array_cat(array[1], array[2]), array[1] || 2, array[1] || array[2,3]
select array_position(array['a','b'], 'b'), array_remove(array[1,2,1], 1), array_upper(array[1,2], 1), array_lower(array[1,2], 1), array_replace(array[1,2], 1, 5)
select array[1,2] @> array[1], array[1] <@ array[1,2], array[1,2] && array[2,3], array[1,2] = array[1,2]
select date '2024-02-29', timestamp '2024-02-29 12:34:56.789', timestamptz '2024-02-29 12:34:56+02', time '12:34:56', interval '1 day 02:03:04'
select date '2024-03-01' - date '2024-02-01', date '2024-01-31' + 1, date '2024-01-31' + interval '1 month', timestamp '2024-01-31' - interval '1 day'
select timestamp '2024-03-01 12:00' - timestamp '2024-02-01', timestamptz '2024-03-01' - timestamptz '2024-02-28 23:00'
select interval '1 day' * 2, interval '1 hour' / 2, interval '1 day' + interval '2 hours', -interval '1 day', interval '90 minutes', interval '1 month 2 days'
select interval '1 year 2 months 3 days 4 hours 5 minutes 6.789 seconds', interval '-1 day', interval '36 hours', interval '1' day, interval '0'
select extract(year from timestamp '2024-02-29 12:34:56.789'), extract(month from date '2024-02-29'), extract(dow from date '2024-02-25'), extract(isodow from date '2024-02-25'), extract(doy from date '2024-12-31'), extract(week from date '2024-12-31'), extract(quarter from date '2024-05-01')
select extract(epoch from timestamptz '2024-01-01 00:00:00+00'), extract(epoch from interval '1 day 1 second'), extract(second from timestamp '2024-01-01 00:00:01.5'), extract(milliseconds from timestamp '2024-01-01 00:00:01.5'), extract(microseconds from timestamp '2024-01-01 00:00:01.5')
select extract(epoch from timestamptz '2024-01-01 00:00:00.123456+00'), date_part('epoch', timestamp '2024-01-01 00:00:00.25'), date_part('hour', timestamp '2024-01-01 05:00'), extract(hour from timestamp '2024-01-01 05:00')
select extract(century from date '2024-01-01'), extract(decade from date '2024-01-01'), extract(day from interval '3 days'), extract(minute from interval '90 minutes')
select date_trunc('hour', timestamp '2024-02-29 12:34:56'), date_trunc('week', timestamp '2024-02-29 12:34:56'), date_trunc('month', timestamptz '2024-02-29 12:34:56+00'), date_trunc('quarter', timestamp '2024-05-29'), date_trunc('year', date '2024-05-01')
select date_trunc('day', timestamptz '2024-02-29 12:34:56+00', 'America/New_York'), date_trunc('second', timestamp '2024-01-01 00:00:01.9')
select date_bin('15 minutes', timestamp '2024-02-29 12:34:56', timestamp '2001-01-01'), date_bin('1 hour', timestamptz '2024-02-29 12:34:56+00', timestamptz '2001-01-01 00:30+00')
select timestamptz '2024-07-01 12:00+00' at time zone 'Europe/Berlin', timestamp '2024-07-01 12:00' at time zone 'Europe/Berlin', timestamptz '2024-07-01 12:00+00' at time zone 'utc', timestamptz '2024-07-01 12:00+00' at time zone interval '1 hour'
select timezone('America/New_York', timestamptz '2024-07-01 12:00+00'), timestamp '2024-07-01 12:00' at time zone '+02'
select timestamptz '2024-07-01 12:00+00' at time zone 'Nowhere/Land'
select '2024-01-01'::date = '2024-01-01'::timestamp, '2024-01-01'::timestamptz < '2024-01-01 00:00:01', '2024-01-01 10:00'::timestamp::date, '2024-01-01 10:11:12'::timestamp::time
select to_char(timestamp '2024-02-29 12:34:56.789', 'YYYY-MM-DD HH24:MI:SS.MS'), to_char(timestamp '2024-02-29 01:04:05', 'Dy, DD Mon YYYY HH12:MI:SS AM'), to_char(timestamp '2024-02-29', 'FMMonth FMDD, YYYY "Q"Q IW ID DDD J')
select to_char(interval '1 day 2 hours', 'DD HH24:MI'), to_char(123.456, '999.99'), to_char(-5, '99'), to_char(1234567, '9,999,999'), to_char(0.5, '0.00'), to_char(5, '000')
select to_timestamp(1700000000), to_timestamp(1700000000.5), to_timestamp('2024-02-29 12:34:56', 'YYYY-MM-DD HH24:MI:SS'), to_date('29 Feb 2024', 'DD Mon YYYY')
select to_timestamp('Mon, 01 Jan 2024 01:02:03 PM', 'Dy, DD Mon YYYY HH12:MI:SS AM'), to_timestamp('20240229123456', 'YYYYMMDDHH24MISS'), to_timestamp('05 Dec 2000', 'DD Mon YYYY')
select to_number('12,345.6', '99,999.9')
select make_date(2024, 2, 29), make_timestamp(2024, 2, 29, 1, 2, 3.5), make_interval(days => 1), age(timestamp '2024-03-01', timestamp '2024-01-15'), justify_hours(interval '30 hours')
select date '2024-02-30'
select timestamp 'yesterday-ish'
select '2024-01-01 25:00'::timestamp
select timestamp '2024-01-01 10:00' between timestamp '2024-01-01' and timestamp '2024-01-02', timestamp 'infinity' > timestamp '2024-01-01', timestamp 'epoch'
select '{"a": 1, "b": {"c": "x"}, "d": [1, 2]}'::json->'a', '{"a": 1, "b": {"c": "x"}}'::json->'b'->>'c', '{"d": [1, 2]}'::json->'d'->1, '{"a": null}'::json->>'a'
select '{"a": 1, "b": {"c": "x"}}'::json#>>'{b,c}', '{"a": {"b": [10, 20]}}'::jsonb#>'{a,b,1}', '{"a":1}'::jsonb ? 'a', '{"a":1}'::jsonb ? 'b', '{"a":1,"b":2}'::jsonb @> '{"a":1}'
select json_build_object('a', 1, 'b', 'x'), json_array_length('[1,2,3]'), json_typeof('{"a":1}'), jsonb_typeof('"x"'), to_json('a'::text)
select json_object_keys('{"a":1,"b":2}')
select * from json_array_elements('[1,{"a":2}]')
select * from json_each_text('{"a":1,"b":"x"}')
select json_agg(x order by x) from (values (1), (2)) t(x)
select json_extract_path_text('{"a":{"b":"c"}}', 'a', 'b')
select row(1, 'a'), (1, 2) = (1, 2), (1, 2) < (1, 3)
select 1 as a, 2 as a, 3
select * from (select 1 as a, 2 as a) t
select x as y, x as y from (values (1)) t(x)
select count(*), count(*), sum(x), sum(x) from (values (1)) t(x)
select 'a'::varchar(2), 'abc'::varchar(2), 'abc'::char(5) || 'x', 'ab'::text, 'x'::"char"
select 1.10, 1.10::numeric(10,1), 1.15::numeric(10,1), 100::numeric, 1.5 * 1.5, 10.0 / 3, 2::numeric / 3
select 12345678901234567890, 0.000001, 1.0e5, -0.0, 1::numeric = 1.0
select 0x1F
select pg_typeof(1), pg_typeof(1.5), pg_typeof('a'), pg_typeof('a'::text), pg_typeof(now()), pg_typeof(array[1]), pg_typeof(true), pg_typeof(null)
select pg_typeof(1::int8), pg_typeof(1.5::float8), pg_typeof(date '2024-01-01'), pg_typeof(interval '1 day'), pg_typeof(count(*)), pg_typeof(sum(1)), pg_typeof(avg(1)) from (values (1)) t(x)
select pg_typeof(sum(x)), pg_typeof(avg(x)), pg_typeof(max(x)), pg_typeof(x / 2), pg_typeof(length('a')), pg_typeof(extract(hour from now())), pg_typeof(date_part('hour', now())) from (values (1)) t(x) group by x
select x from (values ('b'), ('B'), ('a'), ('_'), ('1')) t(x) order by x
select 'a' < 'B', 'Z' < 'a', 'é' > 'z'
select x from (values (1), (2)) t(x) tablesample system (10)
select b'101', x'ff'
select 'it''s', E'a\tb\n', U&'\0041', $$dollar$$, $t$x$t$
select "a" from (select 1 as "A") t
select A from (select 1 as a) t
select t.* from (select 1 as a, 2 as b) t
select width_bucket(5.35, 0.024, 10.06, 5), width_bucket(5, array[1, 3, 7])
select random() between 0 and 1, now() = now(), current_timestamp = now(), clock_timestamp() >= now(), current_date = now()::date
select count(*) from (values (1), (2)) t(x) where x > 1 and x < 1
select max(x) from (values ('a'), ('b')) t(x)
select max(null::int), min(''), sum(null::int)
select all 1, distinct_x from (select 2 as distinct_x) t
select not true = false, 1 + 2 * 3, -2 ^ 2, 2 - -2, 'a' || 1 + 2
select 1 < 2 and 2 < 3, not 1 = 2, 1 between 0 and 2, 1 not between 0 and 2, 1 between symmetric 2 and 0
select 1 isnull, 1 notnull, null isnull, true is true, null is not true, null is unknown, false is not unknown
select sha256('a'::bytea), length('abc'::bytea), 'abc'::bytea, '\x6162'::bytea || '\x63'::bytea
select format('%s-%I-%L', 'a', 'b c', 'd'), format('%5s|%-5s|', 'a', 'b'), concat('x')
select string_agg(x::text, ',') from generate_series(1, 3) x
select sum(x) from generate_series(1, 100) as t(x)
select x, y from generate_series(1, 2) x cross join generate_series(1, 2) y order by 1, 2
select * from (values (1, 'a'), (2, 'b')) as t (id, name) where name ilike 'B'
select lower('ABC') as "Lower", upper('abc') Upper
select x from (values (1),(2),(3)) t(x) where x in (select max(y) from (values (1),(3)) u(y))
select l.x, u.z from (values (1), (2)) l(x), lateral (select l.x * 10 as z) u order by 1
select l.x, u.z from (values (1), (2)) l(x) cross join lateral (select x + 1 as z from generate_series(1, l.x) g limit 1) u order by 1
select unnest(array[1,2]), unnest(array['a','b'])
select x, unnest(array[x, x*2]) from (values (1), (2)) t(x)
select nullif('', ''), coalesce(nullif('', ''), 'empty')
select 'x' as "a b", 1 "from"
select 1 limit 0
select 1 where null
select
