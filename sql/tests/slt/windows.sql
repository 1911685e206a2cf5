select x, rank() over (order by count(*)) from (values (1), (2), (2)) t(x) group by x order by 2
select x, sum(count(*)) over () from (values (1), (2), (2)) t(x) group by x order by 2, 1 desc
select x, sum(count(*)) over (order by x), rank() over (order by count(*) desc) from (values (1), (2), (2)) t(x) group by x order by 3, 2
select distinct rank() over (order by count(*)) from (values (1), (2), (2)) t(x) group by x order by 1
select * from (select x, lag(count(*)) over (order by x) from (values (1), (2), (2)) t(x) group by x order by 2 nulls first) s
select x, max(max(x)) over () - max(x) from (values (1), (2), (2)) t(x) group by x order by 2 desc
select x, count(*) * 100 / sum(count(*)) over () as share from (values (1), (2), (2)) t(x) group by x order by 2
select x, row_number() over (order by x desc) from (values (1), (2), (3)) t(x) order by 2
select generate_series(timestamp '2026-01-01', timestamp '2026-01-03', interval '1 day')
select generate_series(timestamp '2026-01-01', '2026-01-03', '12 hours')
select generate_series('2026-01-01'::timestamptz, '2026-01-02', '12 hours')
select generate_series('2026-01-01'::timestamp, '2026-01-02', '-12 hours')
select generate_series('a', 'b')
select x, generate_series(1, x) from (values (1), (2)) t(x) order by 1, 2
select to_char(x, 'FM999.00') from (values (1.5), (22), (-3.25)) t(x) order by x
select count(*) from (select generate_series(timestamp '2026-01-01', timestamp '2026-01-02', '1 hour')) s
