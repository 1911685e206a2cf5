select x from (values (interval '36 hours'), (interval '1 day'), (interval '1 mon'), (interval '31 days'), (null), (interval '24 hours'), (interval '-1 day')) t(x) order by x, x::text
select x from (values (interval '36 hours'), (interval '1 day'), (interval '1 mon'), (interval '31 days'), (null), (interval '30 days 1 second')) t(x) order by x desc
select max(x), min(x) from (values (interval '36 hours'), (interval '1 day'), (null)) t(x)
select max(x), min(x) from (values (interval '1 mon'), (interval '29 days'), (interval '31 days')) t(x)
select k, max(x), min(x) from (values (1, interval '36 hours'), (1, interval '1 day'), (2, null), (3, interval '1 hour')) t(k, x) group by k order by k
select greatest(interval '36 hours', interval '1 day'), least(interval '36 hours', interval '1 day', null)
select nullif(interval '24 hours', interval '1 day'), nullif(interval '25 hours', interval '1 day')
select count(distinct x) from (values (interval '24 hours'), (interval '1 day'), (interval '2 days'), (null)) t(x)
select x, count(*) from (values (interval '24 hours'), (interval '1 day'), (interval '2 days'), (null), (interval '48 hours')) t(x) group by x order by x
select x, y, count(*), sum(y) from (values (interval '24 hours', 1), (interval '1 day', 1), (interval '2 days', 2), (null, 3)) t(x, y) group by x, y order by x, y
select count(*) from (select distinct x from (values (interval '24 hours'), (interval '1 day'), (interval '2 days'), (null)) t(x)) s
select distinct x from (values (interval '1 day'), (interval '1 day'), (interval '2 days'), (null)) t(x) order by x
select distinct on (x) x, y from (values (interval '1 day', 2), (interval '24 hours', 1), (interval '2 days', 3)) t(x, y) order by x, y
select count(*) from (select interval '1 day' union select interval '24 hours') s
select count(*) from (select interval '1 day' union all select interval '24 hours') s
select * from (select interval '1 day' intersect select interval '24 hours') s
select * from (select interval '1 day' except select interval '24 hours') s
select count(*) from (values (interval '1 day')) a(x) join (values (interval '24 hours')) b(x) on a.x = b.x
select count(*) from (values (interval '1 day')) a(x) join (values (interval '24 hours')) b(x) using (x)
select interval '1 day' in (interval '24 hours', interval '2 days'), interval '1 day' not in (interval '24 hours'), interval '1 day' in ('24 hours', '3 days')
select interval '1 day' in (select interval '24 hours'), interval '1 day' in (select x from (values (interval '24 hours')) t(x))
select case interval '1 day' when interval '24 hours' then 'a' else 'b' end
select interval '1 day' is distinct from interval '24 hours', interval '1 day' is not distinct from interval '24 hours'
select rank() over (order by x), x from (values (interval '24 hours'), (interval '1 day'), (interval '36 hours'), (interval '2 days')) t(x) order by 1, x::text
select x, max(x) over (order by n rows between 1 preceding and current row) from (values (interval '36 hours', 1), (interval '1 day', 2), (interval '25 hours', 3)) t(x, n) order by n
select x, count(*) over (partition by x) from (values (interval '24 hours'), (interval '1 day'), (interval '36 hours')) t(x) order by x, x::text
select array_agg(x order by x) from (values (interval '36 hours'), (interval '1 day'), (interval '2 days')) t(x)
select array_agg(n order by x desc) from (values (interval '36 hours', 1), (interval '1 day', 2), (interval '2 days', 3)) t(x, n)
select interval '36 hours' between interval '1 day' and interval '2 days', interval '36 hours' not between interval '1 day' and interval '2 days'
select interval '36 hours' between '1 day' and '2 days', x not between '1 day' and '30 hours' from (values (interval '36 hours')) t(x)
select interval '36 hours' between interval '1 day' and interval '1 day' + interval '13 hours' and true
select interval '36 hours' between interval '1 day' * 2 and interval '3 days' or interval '1 hour' > interval '2 hours'
select false and interval '36 hours' between interval '1 day' and interval '2 days'
select (interval '36 hours' between interval '1 day' and interval '2 days') = (1 < 2)
select not interval '36 hours' between interval '1 day' and interval '2 days' and false
select interval '1 day' between (select interval '1 hour') and (case when 1 < 2 and 3 > 2 then interval '2 days' else interval '0' end)
select x between low and high from (values (interval '36 hours', interval '1 day', interval '48 hours')) t(x, low, high)
select null between interval '1 day' and interval '2 days', interval '1 day' between null and interval '2 days', interval '3 days' between null and interval '2 days'
select timestamp '2026-01-02' - timestamp '2026-01-01' between interval '24 hours' and interval '1 day'
select timestamp '2026-01-02' - timestamp '2026-01-01' between '24 hours' and '1 day'
select interval '36 hours' between symmetric interval '2 days' and interval '1 day', interval '36 hours' not between symmetric interval '2 days' and interval '1 day'
select 2 between symmetric 3 and 1, 2 between symmetric 1 and 3, 4 not between symmetric 3 and 1, 2 between asymmetric 1 and 3
select count(*) from (values (interval '36 hours'), (interval '1 day'), (interval '12 hours')) t(x) where x between interval '20 hours' and interval '30 hours'
select max(b - a), min(b - a) from (values (timestamp '2026-01-01', timestamp '2026-01-03'), (timestamp '2026-01-01', timestamp '2026-01-01 01:00')) t(a, b)
select b - a from (values (timestamp '2026-01-01', timestamp '2026-01-03'), (timestamp '2026-01-01', timestamp '2026-01-01 01:00')) t(a, b) order by b - a
select b - a d, count(*) from (values (timestamp '2026-01-01', timestamp '2026-01-03'), (timestamp '2026-01-01', timestamp '2026-01-01 01:00')) t(a, b) group by d order by d
select date_trunc('day', a) - a + interval '1 day' s, count(*) from (values (timestamp '2026-01-01 12:00'), (timestamp '2026-01-02 11:00')) t(a) group by 1 order by 1
select x, count(*) from (values (interval '24 hours'), (interval '1 day'), (interval '2 days')) t(x) group by rollup(x) order by count(*), x
select k, x from (values (1, interval '36 hours'), (1, interval '1 day'), (2, interval '2 hours')) t(k, x) order by k, x desc limit 2
select percentile_disc(0.5) within group (order by x) from (values (interval '36 hours'), (interval '1 day'), (interval '25 hours')) t(x)
select mode() within group (order by x) from (values (interval '36 hours'), (interval '1 day'), (interval '24 hours')) t(x)
select first_value(x) over (order by x), lag(x) over (order by x) from (values (interval '36 hours'), (interval '1 day'), (interval '25 hours')) t(x) order by x
select count(*) filter (where x > interval '1 day') from (values (interval '36 hours'), (interval '1 day'), (interval '24 hours')) t(x)
select x from (values (interval '36 hours'), (interval '1 day'), (interval '24 hours')) t(x) where x = (select max(y) from (values (interval '36 hours'), (interval '1 day')) u(y))
select x from (values (interval '36 hours')) t(x) group by x having max(x) > '1 day'
select max(x) filter (where x < interval '30 hours') from (values (interval '36 hours'), (interval '1 day'), (interval '25 hours')) t(x)
select a.x, b.x from (values (interval '1 day')) a(x) left join (values (interval '24 hours'), (interval '25 hours')) b(x) on a.x <= b.x order by b.x
select interval '1 day' = any (array[interval '24 hours'])
