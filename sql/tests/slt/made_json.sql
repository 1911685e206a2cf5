select to_json(1), to_json(1.50), to_json(true), to_json('a"b'::text), to_json(null::int), to_json(array[1, 2, null])
select to_jsonb(1), to_jsonb(1.50), to_jsonb(true), to_jsonb('a"b'::text), to_jsonb(null::int), to_jsonb(array[1, 2, null])
select to_json(1.5::float8), to_json('NaN'::float8), to_json('infinity'::float8), to_json(1e20::float8), to_json(0.1::float4)
select to_json(timestamp '2024-02-29 12:34:56.789'), to_json(timestamptz '2024-02-29 12:34:56+00'), to_json(date '2024-02-29'), to_json(interval '1 day 02:03:04')
select to_json(e'tab\tline\nquote" back\\ é \x01'::text), to_json(''::text)
select to_json('{"b": 1,  "a":[1 , 2]}'::json), to_jsonb('{"b": 1,  "a":[1 , 2], "b": 3, "cc": null, "": {}}'::jsonb)
select to_jsonb('{"b": 1,  "a":[1 , 2]}'::json), to_json('{"b": 1,  "a":[1 , 2]}'::jsonb)
select to_json('{nope'::json)
select array_to_json(array[1, 2]), array_to_json(array['a', null])
select json_build_object(), json_build_object('a', 1, 'b', null, 'c', 'x"y', 'd', 1.5, 'e', true)
select jsonb_build_object(), jsonb_build_object('bb', 1, 'a', null, 'c', 'x"y', 'd', 1.5, 'e', true, 'a', 2)
select json_build_object('o', json_build_object('x', 1), 'a', json_build_array(1, 'b', null, json_build_array())), json_build_object(1, 2, true, 'x')
select jsonb_build_object('o', jsonb_build_object('x', 1), 'a', jsonb_build_array(1, 'b', null, jsonb_build_array()))
select json_build_object('j', '{"a":1}'::json, 't', '{"a":1}'::text)
select json_build_object('a')
select json_build_object(null, 1)
select json_agg(x) from (values (1), (null), (3)) t(x)
select jsonb_agg(x) from (values (1), (null), (3)) t(x)
select json_agg(x order by x desc) from (values ('b'), (null), ('a'), ('c')) t(x)
select json_agg(x) from (values (1)) t(x) where false
select jsonb_agg(x) from (values (1)) t(x) where false
select json_agg(x order by x) filter (where x > 1) from (values (1), (2), (3)) t(x)
select json_agg(distinct x order by x desc) from (values (9), (10), (9), (2)) t(x)
select jsonb_agg(distinct x order by x) from (values ('b'), ('a'), ('b')) t(x)
select k, json_agg(x order by x), jsonb_agg(x order by x desc) from (values ('a', 1), ('b', 2), ('a', 3), (null, 4)) t(k, x) group by k order by k
select k, json_agg(json_build_object('x', x) order by x) from (values ('a', 1), ('b', 2), ('a', 3)) t(k, x) group by k order by k
select json_agg(x) over (order by x) from (values (1), (2), (3)) t(x)
select json_agg(timestamp '2024-01-01 00:00' + x * interval '1 day' order by x) from generate_series(0, 2) x
select json_agg('{"a": 1}'::json), jsonb_agg('{"b":1,"a":2}'::jsonb) from generate_series(1, 2)
select json_object_agg(k, x order by k) from (values ('a', 1), ('b', null), ('c', 3)) t(k, x)
select jsonb_object_agg(k, x order by x) from (values ('bb', 1), ('a', 2), ('bb', 3)) t(k, x)
select json_object_agg(k, x) from (values ('a', 1)) t(k, x) where false
select json_object_agg(k, x) from (values (null, 1)) t(k, x)
select json_object_agg(x, k order by x) from (values ('a', 1), ('b', 2)) t(k, x)
select x, json_object_agg(k, x order by k) from (values ('a', 1), ('b', 1), ('c', 2)) t(k, x) group by x order by x
select json_agg from (select json_agg(x order by x) from (values (1), (2)) t(x)) q
select length(json_agg(x)::text), json_agg(x)::text from (values (1), (2)) t(x)
select row_to_json(t) from (select 1 as a, 'x' as b, null::int as c, true as d) t
select row_to_json(t) from (values (1, 'a'), (2, null)) t(x, y)
select to_json(t), to_jsonb(t) from (values (1, 'a'), (2, null)) t(yy, x)
select json_agg(t order by x) from (values (2, 'b'), (1, 'a')) t(x, y)
select jsonb_agg(t order by x) from (values (2, 'b'), (1, 'a')) t(x, y)
select json_agg(t) from (select 1 as a, array[1, 2] as b, timestamp '2024-01-01' as c, 1.50 as d) t
select json_agg(row_to_json(t) order by x) from (values (2, 'b'), (1, 'a')) t(x, y)
select json_build_object('r', t) from (select 1 as a) t
with t as (select 1 as a, 2 as b) select row_to_json(t) from t
with t as (select 1 as a, 2 as b) select row_to_json(u) from t u where u.a = 1
select row_to_json(a), row_to_json(b) from (values (1)) a(x) join (values (1, 2)) b(x, y) on a.x = b.x
select row_to_json(x) from (values (1)) t(x)
select json_agg(x) from unnest(array[1, 2]) x
select coalesce(json_agg(t), '[]'::json) from (select 1 as a where false) t
select row_to_json(l) from (select timestamp, line, level from logs order by timestamp limit 2) l
select json_agg(l order by timestamp) from (select timestamp, level from logs order by timestamp limit 2) l
select level, json_object_agg(app, n order by app) from (select level, app, count(*) as n from logs group by 1, 2) t group by level order by level
select * from json_each('{"a": 1, "b": [1, 2], "c": {"d": "x"}, "e": null, "f": "t", "a": 7}')
select * from jsonb_each('{"bb": 1, "a": [1,2], "c": {"d":"x"}, "e": null, "f": "t", "a": 7}')
select * from json_each_text('{"a": 1, "b": [1, 2], "c": {"d": "x"}, "e": null, "f": "t"}')
select * from jsonb_each_text('{"bb": 1, "a": [1,2], "c": {"d":"x"}, "e": null, "f": "t"}')
select e.key, e.value from json_each_text('{"a": 1}') e
select k, v from json_each_text('{"a": 1}') e(k, v)
select * from json_object_keys('{"b": 1, "a": 2}')
select * from json_object_keys('{"b": 1, "a": 2}') k where k > 'a'
select json_object_keys('{"b": 1, "a": 2}')
select jsonb_object_keys('{"b": 1, "a": 2}'::jsonb)
select * from json_array_elements('[1, {"a":  2}, "x", null, [3]]')
select * from jsonb_array_elements('[1, {"a":  2}, "x", null, [3]]')
select * from json_array_elements_text('[1, {"a":  2}, "x", null, [3]]')
select * from jsonb_array_elements_text('[1, {"a":  2}, "x", null, [3]]') e
select value from json_array_elements('[1, 2]') e
select x from json_array_elements_text('["p", "q"]') e(x)
select json_array_elements('[1, 2]'), json_array_elements_text('["a", "b"]')
select count(*) from json_array_elements('[]')
select t.id, e.key, e.value from (values (1, '{"a": 1, "b": 2}'::json), (2, '{"c": 3}'), (3, '{}'), (4, null)) t(id, j), json_each_text(t.j) e order by 1, 2
select id, key, value from (values (1, '{"a": 1, "b": 2}'::json), (2, '{"c": 3}')) t(id, j), lateral json_each(j) order by 1, 2
select t.id, x from (values (1, '[1, 2]'::json), (2, '["y"]'), (3, '[]')) t(id, j) cross join lateral json_array_elements_text(t.j) x order by 1, 2
select t.id, e.value from (values (1, '[1, 2]'::json), (2, '["y"]')) t(id, j) join lateral json_array_elements_text(t.j) e on true where e.value <> '2' order by 1, 2
select t.id, e.value from (values (1, '[1, 2]'::json), (2, '["y"]')) t(id, j) join lateral json_array_elements_text(t.j) e on e.value = '2' order by 1, 2
select e.value, count(*) from (values (1, '[1, 2, 1]'::json), (2, '[1]')) t(id, j), json_array_elements_text(t.j) e group by 1 order by 2 desc, 1
select t.id, k, e.value from (values (1, '{"p": [1, 2], "q": [3]}'::json)) t(id, j), json_each(t.j) o(k, v), json_array_elements_text(o.v) e order by 1, 2, 3
select t.id, k from (values (1, '{"p": 1}'::json)) t(id, j), json_object_keys(t.j) k
select count(*) from (values (1, '{"p": 1}'::json)) a(id, j), json_each(a.j) x, json_each(a.j) y
select a.x, g from (values (1), (3)) a(x), generate_series(1, a.x) g order by 1, 2
select a.x, u from (values (1, array[1, 2]), (2, array[3])) a(x, l), unnest(a.l) u order by 1, 2
select a.x, u.y from (values (1, array[1, 2]), (2, array[3])) a(x, l) cross join lateral unnest(a.l) u(y) order by 1, 2
select l.x, u.z from (values (1), (2)) l(x), lateral (select l.x * 10 as z) u order by 1
select l.x, u.z from (values (1), (2)) l(x), lateral (select l.x * 10 as z where l.x > 1) u order by 1
select l.x, u.z, v.w from (values (1), (2)) l(x), lateral (select l.x * 10 as z) u, lateral (select u.z + l.x as w) v order by 1
select row_to_json(e) from json_each_text('{"a": 1}') e
select pg_typeof(1), pg_typeof(1.5), pg_typeof('a'), pg_typeof('a'::text), pg_typeof(now()), pg_typeof(array[1]), pg_typeof(true), pg_typeof(null)
select pg_typeof(1::int2), pg_typeof(1::int4), pg_typeof(1::int8), pg_typeof(1.5::float8), pg_typeof(1.5::float4), pg_typeof(date '2024-01-01'), pg_typeof(interval '1 day'), pg_typeof(timestamp '2024-01-01'), pg_typeof(time '12:00')
select pg_typeof(count(*)), pg_typeof(min(x)), pg_typeof(max('a'::text)) from (values (1)) t(x)
select pg_typeof(x) from (values (1::int8), (2)) t(x)
select pg_typeof(1)::text, pg_typeof('a'::text) = 'text'::regtype, pg_typeof('a'::text)::oid
select distinct pg_typeof(timestamp), pg_typeof(line), pg_typeof(stream_id) from logs
select pg_typeof(array['a']), pg_typeof('{1}'::int[]), pg_typeof('x'::bytea)
select age(timestamp '2024-03-01', timestamp '2023-01-15'), age(timestamp '2023-01-15', timestamp '2024-03-01')
select age(timestamp '2024-03-01 10:00', timestamp '2024-02-28 12:30:15.5'), age(timestamp '2024-03-31', timestamp '2024-02-29')
select age(timestamptz '2024-03-01 00:00+00', timestamptz '2024-02-29 23:00+00'), age(date '2024-05-31', date '2024-02-29')
select age(null::timestamp, now()), age(timestamp '2024-01-01', null)
select x, y, age(x, y) from (values (timestamp '2024-01-31', timestamp '2023-12-31'), (timestamp '2024-03-30', timestamp '2024-02-29'), (timestamp '2023-03-01', timestamp '2023-01-31'), (timestamp '2000-02-29', timestamp '1999-03-30 00:00:00.000001')) t(x, y)
select age(y, x) from (values (timestamp '2024-01-31', timestamp '2023-12-31'), (timestamp '2024-03-30', timestamp '2024-02-29'), (timestamp '2023-03-01', timestamp '2023-01-31'), (timestamp '2000-02-29', timestamp '1999-03-30 00:00:00.000001')) t(x, y)
select age(current_date) = interval '0', age(current_date - 1) = interval '1 day', age(1)
select age(current_date), age(current_date::timestamp)
select mode() within group (order by x) from (values (1), (2), (2), (3)) t(x)
select mode() within group (order by x), mode() within group (order by x desc) from (values ('a'), ('b'), ('b'), ('a'), (null), (null), (null)) t(x)
select mode() within group (order by x) from (values (1)) t(x) where false
select k, mode() within group (order by x) filter (where x > 1) from (values ('a', 1), ('a', 1), ('a', 3), ('b', 1)) t(k, x) group by k order by k
select percentile_disc(0.5) within group (order by x) from (values (1), (2), (3), (4)) t(x)
select percentile_disc(array[0, 0.25, 0.26, 0.5, 1]) within group (order by x) from (values (1), (2), (3), (4), (null)) t(x)
select percentile_disc(0.9) within group (order by x desc), percentile_disc(0.1) within group (order by x desc) from (values ('a'), ('b'), ('c')) t(x)
select percentile_disc(1.5) within group (order by x) from (values (1)) t(x)
select percentile_disc(null) within group (order by x) from (values (1)) t(x)
select percentile_disc(0.5) within group (order by x) from (values (1)) t(x) where false
select level, percentile_disc(0.5) within group (order by timestamp), mode() within group (order by app) from logs group by level order by level
select percentile_disc(0.5) within group (order by length(line)) filter (where level = 'error') from logs
select percentile_cont(0.5) within group (order by x), percentile_disc(0.5) within group (order by x) from (values (1), (2), (3), (4)) t(x)
select sum(x::int2), sum(x::int4) from (values (1), (2), (null)) t(x)
select max(x::int4), max(x::int8), max(x::text) from (values (1), (2), (null)) t(x)
