select (regexp_matches('a1b22', '([a-z])([0-9]+)', 'g'))[1]
select (regexp_matches('a1b22', '([a-z])([0-9]+)', 'g'))[2] as n
select (regexp_matches('a1b22', '([a-z])([0-9]+)', 'g'))[2]::int + 1 as n order by n desc
select x, (regexp_matches(x, '(.)=(.)'))[2] from (values ('a=1', 2), ('b=2', 1), ('c', 3)) t(x, n) order by n
select (regexp_matches(x, '(.)=(.)'))[1] k, count(*) from (values ('a=1', 2), ('a=2', 1), ('c', 3), ('b=1',3)) t(x, n) group by 1 order by 1
select (regexp_matches(x, '(.)=(.)'))[1] k, count(*) from (values ('a=1', 2), ('a=2', 1), ('c', 3), ('b=1',3)) t(x, n) group by k order by count(*) desc
select (regexp_matches(x, '(.)=(.)'))[1], count(*) from (values ('a=1', 2), ('a=2', 1), ('c', 3), ('b=1',3)) t(x, n) group by (regexp_matches(x, '(.)=(.)'))[1] order by 2 desc, 1
select generate_series(1, 3) + 1
select generate_series(1, 3) * 10, generate_series(1,2)
select x from (values (1), (2)) t(x) where generate_series(1, 2) = 1
select x from (values ('a')) t(x) where (regexp_matches(x, 'a'))[1] = 'a'
select case when true then generate_series(1, 3) end
select coalesce(generate_series(1, 3), 2)
select coalesce((regexp_matches('abc', 'z'))[1], 'none')
select unnest(regexp_matches('a1b22', '([a-z])([0-9]+)', 'g'))
select unnest(array[1,2,3]) + 1
select generate_series(1, generate_series(1, 3))
select sum(generate_series(1, 3))
select max((regexp_matches('a1b22', '([a-z])([0-9]+)', 'g'))[2])
select (select (regexp_matches('abc', 'b(.)'))[1])
select (select max(m[1]) from (select regexp_matches('a1b22', '([a-z])([0-9]+)', 'g') m) s)
select m[1], m[2] from regexp_matches('a1b22', '([a-z])([0-9]+)', 'g') m
select (regexp_matches(x, '(.)=(.)'))[2] from (values ('a=1'), ('b=2')) t(x) order by (regexp_matches(x, '(.)=(.)'))[2] desc
select x from (values (2), (1)) t(x) order by generate_series(1, 2), x
select distinct (regexp_matches('a1b22c1', '([a-z])([0-9]+)', 'g'))[2] order by 1
select upper((regexp_matches('a1b22', '([a-z])([0-9]+)', 'g'))[1]) || '!'
select (string_to_table('a,b', ','))||'x'
select json_array_elements_text('[1,2]')::int * 2
select regexp_split_to_table('a b', ' ') || '-'
select json_object_keys('{"a":1,"b":2}') || 'x' order by 1
select (regexp_matches('foobar', 'o(.)b'))[1] = 'o'
select (regexp_matches('foobar', 'o(.)b'))[2]
select count(*) from (select (regexp_matches('a1b22', '[0-9]', 'g'))[1]) t
select a.x from (values (1)) a(x) join (values (1)) b(x) on generate_series(1,2) = 1
select x, count(*) from (values (1), (2)) t(x) group by x having generate_series(1,2) = 1
select (regexp_matches(x, '.', 'g'))[1] m from (values ('ab', 2), ('cd', 1)) t(x, n) order by n desc, m limit 3
select (regexp_matches('abc', 'b'))[1] from (values (1), (2)) t(x) limit 1 offset 1
select row_number() over (order by x), generate_series(1, 2) from (values (1), (2)) t(x) order by 1, 2
select greatest(generate_series(1, 3), 2)
