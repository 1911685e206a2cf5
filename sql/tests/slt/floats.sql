select 1e15::float8, 1e14::float8, 123456789012345678::float8, 999999999999999::float8, 9999999999999998::float8
select 1e16::float8, 1.5e15::float8, -1e15::float8, 123456789012345.6::float8, 1234567890123456.7::float8
select 0.0001::float8, 0.00001::float8, 0.00012345::float8, 1e-5::float8, 1e-300::float8, 5e-324::float8, 1.7976931348623157e308::float8
select 'NaN'::float8, 'Infinity'::float8, '-Infinity'::float8, '-0'::float8, 'inf'::float8, 'nan'::float8, '-inf'::float8
select 'NaN'::float4, 'Infinity'::float4, '-Infinity'::float4, '-0'::float4
select 1e5::float4, 1e6::float4, 999999::float4, 1234567::float4, 123456.7::float4, 0.0001::float4, 0.00001::float4, 16777216::float4, 3.4028235e38::float4, 1e-45::float4
select 0.1::float4, 0.1::float4::float8, 0.3::float4 + 0.1::float4, 1::float4 / 3
select 1e15::float8::text, 1e6::float4::text, 'x' || 1e15::float8, concat(1e15::float8, ' ', 1e6::float4)
select array[1e15::float8, 1e-5, 0.5], array[1e6::float4, 0.1::float4]
select to_json(1e15::float8), json_build_object('a', 1e15::float8, 'b', 1e-7::float8)
select 1e15, 1e16, 1e15::numeric, 1e20::numeric
select sum(x), avg(x) from (values (1e15::float8), (2e15::float8)) t(x)
select 1e15::float8 * 10, 1e15::float8 + 0.5, 2e15::float8 / 3, 1e22::float8, 1e23::float8
select 4.35::float8, 0.1::float8 + 0.2::float8, 2.0::float8, 100.0::float8, 1e2::float8, 12345678.9::float8
select '1e-400'::float8
select '1e39'::float4
select round(1e15::float8), floor(1e15::float8 + 0.5), 1e15::float8::int8, 1e15::float8::numeric
select 123456789.123456789::float8, 1.0000000000000002::float8, 72057594037927945::float8, 9007199254740993::float8
select -0.0::float8, 0::float8 * -1, abs('-0'::float8)
select greatest(1e15::float8, 1), case when true then 1e15::float8 end, coalesce(null, 1e15::float8)
select float8 '1e15', real '1e10', 1e10::real, double precision '1e-10'
select power(10::float8, 15), exp(34.6), sqrt(1e30::float8), 10::float8 ^ 15
select max(x), min(x) from (values ('NaN'::float8), (1), ('-Infinity')) t(x)
select x from (values ('NaN'::float8), (1), ('-Infinity'::float8), ('Infinity'::float8), (null)) t(x) order by x
select 'NaN'::float8 = 'NaN'::float8, 'NaN'::float8 > 'Infinity'::float8, '-0'::float8 = 0
select format('%s', 1e15::float8), quote_literal(1e15::float8)
select count(distinct x) from (values (0::float8), ('-0'::float8), ('NaN'::float8), ('NaN'::float8)) t(x)
select 1e15::float8::varchar, cast(1e-5::float8 as text), length(1e15::float8::text)
select string_agg(x::text, ',') from (values (1e15::float8), (0.1)) t(x)
select array_agg(x) from (values (1e15::float8), (2.5)) t(x)
select extract(epoch from timestamp '2026-01-01')::float8, date_part('epoch', timestamp '2026-01-01 00:00:00.5')
select 123456::float4, 1234567.0::float4 * 10, 1e7::float4
select row_to_json(t) from (select 1e15::float8 as a, 1e6::float4 as b) t
select array_to_string(array[1e15::float8, 0.5], ',')
