select count(*) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y)
select k, count(*) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k order by k
select count(*) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) where false
select count(*) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k having count(*) > 1 order by 1
select count(x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y)
select k, count(x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k order by k
select count(x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) where false
select count(x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k having count(*) > 1 order by 1
select count(distinct k) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y)
select k, count(distinct k) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k order by k
select count(distinct k) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) where false
select count(distinct k) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k having count(*) > 1 order by 1
select sum(x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y)
select k, sum(x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k order by k
select sum(x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) where false
select sum(x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k having count(*) > 1 order by 1
select sum(y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y)
select k, sum(y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k order by k
select sum(y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) where false
select sum(y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k having count(*) > 1 order by 1
select min(x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y)
select k, min(x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k order by k
select min(x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) where false
select min(x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k having count(*) > 1 order by 1
select max(y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y)
select k, max(y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k order by k
select max(y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) where false
select max(y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k having count(*) > 1 order by 1
select avg(y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y)
select k, avg(y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k order by k
select avg(y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) where false
select avg(y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k having count(*) > 1 order by 1
select bool_and(x > 1) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y)
select k, bool_and(x > 1) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k order by k
select bool_and(x > 1) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) where false
select bool_and(x > 1) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k having count(*) > 1 order by 1
select bool_or(x > 2) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y)
select k, bool_or(x > 2) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k order by k
select bool_or(x > 2) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) where false
select bool_or(x > 2) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k having count(*) > 1 order by 1
select every(y is null) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y)
select k, every(y is null) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k order by k
select every(y is null) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) where false
select every(y is null) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k having count(*) > 1 order by 1
select string_agg(k, ',' order by x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y)
select k, string_agg(k, ',' order by x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k order by k
select string_agg(k, ',' order by x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) where false
select string_agg(k, ',' order by x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k having count(*) > 1 order by 1
select array_agg(x order by x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y)
select k, array_agg(x order by x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k order by k
select array_agg(x order by x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) where false
select array_agg(x order by x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k having count(*) > 1 order by 1
select array_agg(k order by x desc) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y)
select k, array_agg(k order by x desc) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k order by k
select array_agg(k order by x desc) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) where false
select array_agg(k order by x desc) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k having count(*) > 1 order by 1
select stddev_pop(y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y)
select k, stddev_pop(y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k order by k
select stddev_pop(y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) where false
select stddev_pop(y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k having count(*) > 1 order by 1
select var_pop(y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y)
select k, var_pop(y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k order by k
select var_pop(y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) where false
select var_pop(y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k having count(*) > 1 order by 1
select stddev(y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y)
select k, stddev(y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k order by k
select stddev(y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) where false
select stddev(y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k having count(*) > 1 order by 1
select variance(y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y)
select k, variance(y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k order by k
select variance(y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) where false
select variance(y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k having count(*) > 1 order by 1
select percentile_cont(0.5) within group (order by y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y)
select k, percentile_cont(0.5) within group (order by y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k order by k
select percentile_cont(0.5) within group (order by y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) where false
select percentile_cont(0.5) within group (order by y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k having count(*) > 1 order by 1
select percentile_disc(0.5) within group (order by x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y)
select k, percentile_disc(0.5) within group (order by x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k order by k
select percentile_disc(0.5) within group (order by x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) where false
select percentile_disc(0.5) within group (order by x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k having count(*) > 1 order by 1
select sum(distinct x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y)
select k, sum(distinct x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k order by k
select sum(distinct x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) where false
select sum(distinct x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k having count(*) > 1 order by 1
select min(k) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y)
select k, min(k) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k order by k
select min(k) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) where false
select min(k) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k having count(*) > 1 order by 1
select max(k) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y)
select k, max(k) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k order by k
select max(k) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) where false
select max(k) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k having count(*) > 1 order by 1
select count(*) filter (where x > 1) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y)
select k, count(*) filter (where x > 1) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k order by k
select count(*) filter (where x > 1) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) where false
select count(*) filter (where x > 1) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k having count(*) > 1 order by 1
select sum(x) filter (where k = 'a') from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y)
select k, sum(x) filter (where k = 'a') from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k order by k
select sum(x) filter (where k = 'a') from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) where false
select sum(x) filter (where k = 'a') from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k having count(*) > 1 order by 1
select corr(x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y)
select k, corr(x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k order by k
select corr(x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) where false
select corr(x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k having count(*) > 1 order by 1
select covar_pop(x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y)
select k, covar_pop(x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k order by k
select covar_pop(x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) where false
select covar_pop(x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k having count(*) > 1 order by 1
select regr_slope(y, x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y)
select k, regr_slope(y, x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k order by k
select regr_slope(y, x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) where false
select regr_slope(y, x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k having count(*) > 1 order by 1
select bit_and(x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y)
select k, bit_and(x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k order by k
select bit_and(x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) where false
select bit_and(x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k having count(*) > 1 order by 1
select bit_or(x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y)
select k, bit_or(x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k order by k
select bit_or(x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) where false
select bit_or(x) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k having count(*) > 1 order by 1
select avg(x::float8) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y)
select k, avg(x::float8) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k order by k
select avg(x::float8) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) where false
select avg(x::float8) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k having count(*) > 1 order by 1
select mode() within group (order by k) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y)
select k, mode() within group (order by k) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k order by k
select mode() within group (order by k) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) where false
select mode() within group (order by k) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by k having count(*) > 1 order by 1
select k, x, count(*) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by rollup (k, x) order by 1, 2, 3
select k, x, count(*) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by cube (k, x) order by 1, 2, 3
select k, x, count(*) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by grouping sets ((k), (x), ()) order by 1, 2, 3
select k, grouping(k), count(*) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) group by rollup (k) order by 1, 2
select k, x, row_number() over (order by x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, row_number() over (partition by k order by x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, rank() over (order by x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, rank() over (partition by k order by x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, dense_rank() over (order by x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, dense_rank() over (partition by k order by x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, percent_rank() over (order by x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, percent_rank() over (partition by k order by x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, cume_dist() over (order by x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, cume_dist() over (partition by k order by x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, ntile(2) over (order by x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, ntile(2) over (partition by k order by x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, lag(x) over (order by x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, lag(x) over (order by x, y rows between unbounded preceding and current row) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, lag(x) over (order by x, y rows between 1 preceding and 1 following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, lag(x) over (order by x, y range between unbounded preceding and unbounded following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, lag(x) over (partition by k order by x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, lag(x) over (partition by k order by x, y rows between unbounded preceding and current row) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, lag(x) over (partition by k order by x, y rows between 1 preceding and 1 following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, lag(x) over (partition by k order by x, y range between unbounded preceding and unbounded following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, lead(x, 2, -1) over (order by x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, lead(x, 2, -1) over (order by x, y rows between unbounded preceding and current row) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, lead(x, 2, -1) over (order by x, y rows between 1 preceding and 1 following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, lead(x, 2, -1) over (order by x, y range between unbounded preceding and unbounded following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, lead(x, 2, -1) over (partition by k order by x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, lead(x, 2, -1) over (partition by k order by x, y rows between unbounded preceding and current row) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, lead(x, 2, -1) over (partition by k order by x, y rows between 1 preceding and 1 following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, lead(x, 2, -1) over (partition by k order by x, y range between unbounded preceding and unbounded following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, first_value(x) over (order by x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, first_value(x) over (order by x, y rows between unbounded preceding and current row) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, first_value(x) over (order by x, y rows between 1 preceding and 1 following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, first_value(x) over (order by x, y range between unbounded preceding and unbounded following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, first_value(x) over (partition by k order by x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, first_value(x) over (partition by k order by x, y rows between unbounded preceding and current row) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, first_value(x) over (partition by k order by x, y rows between 1 preceding and 1 following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, first_value(x) over (partition by k order by x, y range between unbounded preceding and unbounded following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, last_value(x) over (order by x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, last_value(x) over (order by x, y rows between unbounded preceding and current row) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, last_value(x) over (order by x, y rows between 1 preceding and 1 following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, last_value(x) over (order by x, y range between unbounded preceding and unbounded following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, last_value(x) over (partition by k order by x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, last_value(x) over (partition by k order by x, y rows between unbounded preceding and current row) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, last_value(x) over (partition by k order by x, y rows between 1 preceding and 1 following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, last_value(x) over (partition by k order by x, y range between unbounded preceding and unbounded following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, nth_value(x, 2) over (order by x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, nth_value(x, 2) over (order by x, y rows between unbounded preceding and current row) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, nth_value(x, 2) over (order by x, y rows between 1 preceding and 1 following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, nth_value(x, 2) over (order by x, y range between unbounded preceding and unbounded following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, nth_value(x, 2) over (partition by k order by x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, nth_value(x, 2) over (partition by k order by x, y rows between unbounded preceding and current row) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, nth_value(x, 2) over (partition by k order by x, y rows between 1 preceding and 1 following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, nth_value(x, 2) over (partition by k order by x, y range between unbounded preceding and unbounded following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, sum(x) over (order by x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, sum(x) over (order by x, y rows between unbounded preceding and current row) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, sum(x) over (order by x, y rows between 1 preceding and 1 following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, sum(x) over (order by x, y range between unbounded preceding and unbounded following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, sum(x) over (partition by k order by x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, sum(x) over (partition by k order by x, y rows between unbounded preceding and current row) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, sum(x) over (partition by k order by x, y rows between 1 preceding and 1 following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, sum(x) over (partition by k order by x, y range between unbounded preceding and unbounded following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, count(*) over (order by x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, count(*) over (order by x, y rows between unbounded preceding and current row) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, count(*) over (order by x, y rows between 1 preceding and 1 following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, count(*) over (order by x, y range between unbounded preceding and unbounded following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, count(*) over (partition by k order by x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, count(*) over (partition by k order by x, y rows between unbounded preceding and current row) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, count(*) over (partition by k order by x, y rows between 1 preceding and 1 following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, count(*) over (partition by k order by x, y range between unbounded preceding and unbounded following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, max(y) over (order by x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, max(y) over (order by x, y rows between unbounded preceding and current row) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, max(y) over (order by x, y rows between 1 preceding and 1 following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, max(y) over (order by x, y range between unbounded preceding and unbounded following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, max(y) over (partition by k order by x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, max(y) over (partition by k order by x, y rows between unbounded preceding and current row) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, max(y) over (partition by k order by x, y rows between 1 preceding and 1 following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, max(y) over (partition by k order by x, y range between unbounded preceding and unbounded following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, avg(y) over (order by x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, avg(y) over (order by x, y rows between unbounded preceding and current row) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, avg(y) over (order by x, y rows between 1 preceding and 1 following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, avg(y) over (order by x, y range between unbounded preceding and unbounded following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, avg(y) over (partition by k order by x, y) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, avg(y) over (partition by k order by x, y rows between unbounded preceding and current row) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, avg(y) over (partition by k order by x, y rows between 1 preceding and 1 following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, x, avg(y) over (partition by k order by x, y range between unbounded preceding and unbounded following) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by k, x, y
select k, sum(x) over w, count(*) over w from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) window w as (partition by k) order by 1, 2, 3
select distinct k, count(*) over (partition by k) from (values ('a', 1, 1.5::float8), ('a', 2, null), ('b', 3, 2.5), ('b', null, -1), (null, 5, 0)) t(k, x, y) order by 1
select sum(x) from (values (9223372036854775807), (1)) t(x)
select sum(x) from (values (9223372036854775807), (1), (-1)) t(x)
select sum(x) from (values (-9223372036854775807), (-1), (9223372036854775807)) t(x)
select sum(distinct x) from (values (9223372036854775807), (9223372036854775807), (-5)) t(x)
select k, sum(x) from (values ('a', 9223372036854775807), ('a', -7), ('b', null), ('b', 3)) t(k, x) group by k order by k
select sum(x) filter (where k = 'a') from (values ('a', 9223372036854775800), ('b', 9223372036854775807)) t(k, x)
select x, sum(x) over (order by x rows between 1 preceding and current row) from (values (1), (2), (9223372036854775803)) t(x) order by x
select sum(x::int2), sum(x::int4) from (values (1), (2), (null)) t(x)
select sum(x::numeric) from (values (9223372036854775807), (1)) t(x)
select sum(x) from (values (99999999999999999999999999999999999999::numeric), (-1)) t(x)
select sum(x), sum(distinct x) from (values (1.10), (1.10), (2.25)) t(x)
select sum(x) from (values (1.5::float8), (2.25)) t(x)
select sum(n) from (select count(*) n from (values (1), (1), (2)) t(x) group by x) u
