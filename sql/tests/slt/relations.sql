select a.id, x, b.id, y from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) join (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) on a.id = b.id order by 1, 2, 3, 4
select a.id, count(y) from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) join (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) on a.id = b.id group by a.id order by 1
select id, x, y from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) join (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) using (id) order by 1, 2, 3
select a.id, y from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) join (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) on a.id = b.id and y <> 'p' order by 1, 2
select id, x, y from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) natural join (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) order by 1, 2, 3
select a.id, x, b.id, y from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) left join (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) on a.id = b.id order by 1, 2, 3, 4
select a.id, count(y) from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) left join (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) on a.id = b.id group by a.id order by 1
select id, x, y from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) left join (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) using (id) order by 1, 2, 3
select a.id, y from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) left join (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) on a.id = b.id and y <> 'p' order by 1, 2
select id, x, y from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) natural left join (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) order by 1, 2, 3
select a.id, x, b.id, y from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) right join (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) on a.id = b.id order by 1, 2, 3, 4
select a.id, count(y) from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) right join (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) on a.id = b.id group by a.id order by 1
select id, x, y from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) right join (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) using (id) order by 1, 2, 3
select a.id, y from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) right join (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) on a.id = b.id and y <> 'p' order by 1, 2
select id, x, y from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) natural right join (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) order by 1, 2, 3
select a.id, x, b.id, y from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) full join (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) on a.id = b.id order by 1, 2, 3, 4
select a.id, count(y) from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) full join (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) on a.id = b.id group by a.id order by 1
select id, x, y from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) full join (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) using (id) order by 1, 2, 3
select a.id, y from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) full join (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) on a.id = b.id and y <> 'p' order by 1, 2
select id, x, y from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) natural full join (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) order by 1, 2, 3
select count(*) from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) cross join (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y)
select a.id, b.id from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) join (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) on a.id < b.id order by 1, 2
select id from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) where id in (select id from (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) where id is not null) order by 1
select id from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) where id in (select id from (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y)) order by 1
select id from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) where id not in (select id from (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) where id is not null) order by 1
select id from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) where id not in (select id from (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y)) order by 1
select id from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) where exists (select 1 from (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) where a.id = b.id) order by 1
select id from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) where not exists (select 1 from (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) where a.id = b.id) order by 1
select id, (select count(*) from (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) where b.id = a.id) from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) order by 1
select id, (select max(y) from (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) where b.id = a.id) from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) order by 1
select (select x from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) where id = 9)
select (select id from (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) where id = 1)
select id from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) where id = any (select id from (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) where id is not null) order by 1
select id from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) where id > all (select id from (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) where id is not null) order by 1
select id from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) where id <> all (select id from (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) where id is not null) order by 1
select id from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) where id < any (select id from (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) where id is not null) order by 1
select id from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) union select id from (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) order by 1
(select 1 as n union select 2) union select 1 order by 1
select id from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) union all select id from (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) order by 1
(select 1 as n union all select 2) union all select 1 order by 1
select id from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) intersect select id from (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) order by 1
(select 1 as n intersect select 2) intersect select 1 order by 1
select id from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) except select id from (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) order by 1
(select 1 as n except select 2) except select 1 order by 1
select id from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) intersect all select id from (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) order by 1
(select 1 as n intersect all select 2) intersect all select 1 order by 1
select id from (values (1, 'a'), (2, 'b'), (3, null), (null, 'd')) a(id, x) except all select id from (values (1, 'p'), (1, 'q'), (3, 'r'), (4, null), (null, 's')) b(id, y) order by 1
(select 1 as n except all select 2) except all select 1 order by 1
with t as (select 1 as n union all select 2) select sum(n), count(*) from t
with a as (select 1 as n), b as (select n + 1 as n from a) select a.n, b.n from a, b
with recursive t(n) as (select 1 union all select n + 1 from t where n < 1) select sum(n), max(n), count(*) from t
with recursive t(n) as (select 1 union all select n + 1 from t where n < 5) select sum(n), max(n), count(*) from t
with recursive t(n) as (select 1 union all select n + 1 from t where n < 10) select sum(n), max(n), count(*) from t
with recursive f(a, b) as (select 0, 1 union all select b, a + b from f where b < 100) select a from f order by a
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by n, s, n
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by n nulls first, s, n
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by n nulls last, s, n
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by n desc, s, n
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by n desc nulls first, s, n
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by n desc nulls last, s, n
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by s, s, n
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by s nulls first, s, n
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by s nulls last, s, n
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by s desc, s, n
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by s desc nulls first, s, n
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by s desc nulls last, s, n
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by n desc, s, s, n
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by n desc, s nulls first, s, n
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by n desc, s nulls last, s, n
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by s nulls last limit 0 offset 0
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by s nulls last limit 0 offset 1
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by s nulls last limit 0 offset 3
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by s nulls last limit 0 offset 9
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by s nulls last limit 1 offset 0
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by s nulls last limit 1 offset 1
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by s nulls last limit 1 offset 3
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by s nulls last limit 1 offset 9
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by s nulls last limit 2 offset 0
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by s nulls last limit 2 offset 1
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by s nulls last limit 2 offset 3
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by s nulls last limit 2 offset 9
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by s nulls last limit 10 offset 0
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by s nulls last limit 10 offset 1
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by s nulls last limit 10 offset 3
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by s nulls last limit 10 offset 9
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by s nulls last limit all offset 0
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by s nulls last limit all offset 1
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by s nulls last limit all offset 3
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by s nulls last limit all offset 9
select n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by s fetch first 2 rows only
select distinct n from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by n
select distinct on (n) n, s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by n, s
select n, count(*) from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) group by n having count(*) > 1
select s from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by n * -1, s
select n as s, s as n from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) order by s, n
select t.* from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) where (n, s) = (1, 'a')
select n from (values (2, 'b'), (1, null), (null, 'c'), (1, 'a')) t(n, s) where (n, s) in ((1, 'a'), (2, 'x'))
select * from (select 1 as a, 2 as a) t
select 1 as a, 2 as a
select n from (select generate_series(1, 3) as n) t order by n desc
select x from generate_series(1, 3) x order by x
select count(*), sum(x) from generate_series(1, 3) t(x)
select x from generate_series(3, 1) x order by x
select count(*), sum(x) from generate_series(3, 1) t(x)
select x from generate_series(1, 10, 4) x order by x
select count(*), sum(x) from generate_series(1, 10, 4) t(x)
select x from generate_series(5, 1, -2) x order by x
select count(*), sum(x) from generate_series(5, 1, -2) t(x)
select x from generate_series(1, 1) x order by x
select count(*), sum(x) from generate_series(1, 1) t(x)
select a.x, b.x from generate_series(1, 2) a(x), generate_series(1, 2) b(x) order by 1, 2
select v.x, u from (values (1), (2)) v(x) cross join unnest(array['p', 'q']) u order by 1, 2
select nope
select * from nope
select nope(1)
select 1 where 1
select 'a' + 1
select count(*) group by nope
select 1 order by 2
select x from (values (1)) t(x) group by x having y > 1
select sum(sum(1))
select (select 1, 2)
select 1 limit -1
select a.id from (values (1)) b(id)
select 1 union select 1, 2
select max(1) over (), count(*) from (values (1)) t where count(*) > 1
select array[1, 'a']
select 1 in (select 1, 2)
select cast('x' as nope)
select id from (values (1), (2), (null)) a(id) where id = any (select x from (values (2), (3)) b(x)) order by 1
select id from (values (1), (2), (null)) a(id) where id <> all (select x from (values (2), (3)) b(x)) order by 1
select id from (values (1), (2)) a(id) where id <> all (array[3, null]) order by 1
