select 0::int8 + 0::int8
select 0::int8 + 1::int8
select 0::int8 + -7::int8
select 0::int8 + 2147483647::int8
select 0::int8 + null::int::int8
select 1::int8 + 0::int8
select 1::int8 + 1::int8
select 1::int8 + -7::int8
select 1::int8 + 2147483647::int8
select 1::int8 + null::int::int8
select -7::int8 + 0::int8
select -7::int8 + 1::int8
select -7::int8 + -7::int8
select -7::int8 + 2147483647::int8
select -7::int8 + null::int::int8
select 2147483647::int8 + 0::int8
select 2147483647::int8 + 1::int8
select 2147483647::int8 + -7::int8
select 2147483647::int8 + 2147483647::int8
select 2147483647::int8 + null::int::int8
select null::int::int8 + 0::int8
select null::int::int8 + 1::int8
select null::int::int8 + -7::int8
select null::int::int8 + 2147483647::int8
select null::int::int8 + null::int::int8
select 0.5::float8 + 0.5::float8
select 0.5::float8 + -2.25::float8
select 0.5::float8 + 1e300::float8
select 0.5::float8 + null::float8
select -2.25::float8 + 0.5::float8
select -2.25::float8 + -2.25::float8
select -2.25::float8 + 1e300::float8
select -2.25::float8 + null::float8
select 1.5 + 1.5
select 1.5 + -0.05
select 1.5 + 100.00
select -0.05 + 1.5
select -0.05 + -0.05
select -0.05 + 100.00
select 100.00 + 1.5
select 100.00 + -0.05
select 100.00 + 100.00
select 0::int8 - 0::int8
select 0::int8 - 1::int8
select 0::int8 - -7::int8
select 0::int8 - 2147483647::int8
select 0::int8 - null::int::int8
select 1::int8 - 0::int8
select 1::int8 - 1::int8
select 1::int8 - -7::int8
select 1::int8 - 2147483647::int8
select 1::int8 - null::int::int8
select -7::int8 - 0::int8
select -7::int8 - 1::int8
select -7::int8 - -7::int8
select -7::int8 - 2147483647::int8
select -7::int8 - null::int::int8
select 2147483647::int8 - 0::int8
select 2147483647::int8 - 1::int8
select 2147483647::int8 - -7::int8
select 2147483647::int8 - 2147483647::int8
select 2147483647::int8 - null::int::int8
select null::int::int8 - 0::int8
select null::int::int8 - 1::int8
select null::int::int8 - -7::int8
select null::int::int8 - 2147483647::int8
select null::int::int8 - null::int::int8
select 0.5::float8 - 0.5::float8
select 0.5::float8 - -2.25::float8
select 0.5::float8 - 1e300::float8
select 0.5::float8 - null::float8
select -2.25::float8 - 0.5::float8
select -2.25::float8 - -2.25::float8
select -2.25::float8 - 1e300::float8
select -2.25::float8 - null::float8
select 1.5 - 1.5
select 1.5 - -0.05
select 1.5 - 100.00
select -0.05 - 1.5
select -0.05 - -0.05
select -0.05 - 100.00
select 100.00 - 1.5
select 100.00 - -0.05
select 100.00 - 100.00
select 0::int8 * 0::int8
select 0::int8 * 1::int8
select 0::int8 * -7::int8
select 0::int8 * 2147483647::int8
select 0::int8 * null::int::int8
select 1::int8 * 0::int8
select 1::int8 * 1::int8
select 1::int8 * -7::int8
select 1::int8 * 2147483647::int8
select 1::int8 * null::int::int8
select -7::int8 * 0::int8
select -7::int8 * 1::int8
select -7::int8 * -7::int8
select -7::int8 * 2147483647::int8
select -7::int8 * null::int::int8
select 2147483647::int8 * 0::int8
select 2147483647::int8 * 1::int8
select 2147483647::int8 * -7::int8
select 2147483647::int8 * 2147483647::int8
select 2147483647::int8 * null::int::int8
select null::int::int8 * 0::int8
select null::int::int8 * 1::int8
select null::int::int8 * -7::int8
select null::int::int8 * 2147483647::int8
select null::int::int8 * null::int::int8
select 0.5::float8 * 0.5::float8
select 0.5::float8 * -2.25::float8
select 0.5::float8 * 1e300::float8
select 0.5::float8 * null::float8
select -2.25::float8 * 0.5::float8
select -2.25::float8 * -2.25::float8
select -2.25::float8 * 1e300::float8
select -2.25::float8 * null::float8
select 1.5 * 1.5
select 1.5 * -0.05
select 1.5 * 100.00
select -0.05 * 1.5
select -0.05 * -0.05
select -0.05 * 100.00
select 100.00 * 1.5
select 100.00 * -0.05
select 100.00 * 100.00
select 0::int8 / 0::int8
select 0::int8 / 1::int8
select 0::int8 / -7::int8
select 0::int8 / 2147483647::int8
select 0::int8 / null::int::int8
select 1::int8 / 0::int8
select 1::int8 / 1::int8
select 1::int8 / -7::int8
select 1::int8 / 2147483647::int8
select 1::int8 / null::int::int8
select -7::int8 / 0::int8
select -7::int8 / 1::int8
select -7::int8 / -7::int8
select -7::int8 / 2147483647::int8
select -7::int8 / null::int::int8
select 2147483647::int8 / 0::int8
select 2147483647::int8 / 1::int8
select 2147483647::int8 / -7::int8
select 2147483647::int8 / 2147483647::int8
select 2147483647::int8 / null::int::int8
select null::int::int8 / 0::int8
select null::int::int8 / 1::int8
select null::int::int8 / -7::int8
select null::int::int8 / 2147483647::int8
select null::int::int8 / null::int::int8
select 0.5::float8 / 0.5::float8
select 0.5::float8 / -2.25::float8
select 0.5::float8 / 1e300::float8
select 0.5::float8 / null::float8
select -2.25::float8 / 0.5::float8
select -2.25::float8 / -2.25::float8
select -2.25::float8 / 1e300::float8
select -2.25::float8 / null::float8
select 0::int8 % 0::int8
select 0::int8 % 1::int8
select 0::int8 % -7::int8
select 0::int8 % 2147483647::int8
select 0::int8 % null::int::int8
select 1::int8 % 0::int8
select 1::int8 % 1::int8
select 1::int8 % -7::int8
select 1::int8 % 2147483647::int8
select 1::int8 % null::int::int8
select -7::int8 % 0::int8
select -7::int8 % 1::int8
select -7::int8 % -7::int8
select -7::int8 % 2147483647::int8
select -7::int8 % null::int::int8
select 2147483647::int8 % 0::int8
select 2147483647::int8 % 1::int8
select 2147483647::int8 % -7::int8
select 2147483647::int8 % 2147483647::int8
select 2147483647::int8 % null::int::int8
select null::int::int8 % 0::int8
select null::int::int8 % 1::int8
select null::int::int8 % -7::int8
select null::int::int8 % 2147483647::int8
select null::int::int8 % null::int::int8
select 0 = 1
select 0 = 0.5::float8
select 0 = null
select 1 = 1
select 1 = 0.5::float8
select 1 = null
select -7 = 1
select -7 = 0.5::float8
select -7 = null
select null::int = 1
select null::int = 0.5::float8
select null::int = null
select 0 <> 1
select 0 <> 0.5::float8
select 0 <> null
select 1 <> 1
select 1 <> 0.5::float8
select 1 <> null
select -7 <> 1
select -7 <> 0.5::float8
select -7 <> null
select null::int <> 1
select null::int <> 0.5::float8
select null::int <> null
select 0 < 1
select 0 < 0.5::float8
select 0 < null
select 1 < 1
select 1 < 0.5::float8
select 1 < null
select -7 < 1
select -7 < 0.5::float8
select -7 < null
select null::int < 1
select null::int < 0.5::float8
select null::int < null
select 0 <= 1
select 0 <= 0.5::float8
select 0 <= null
select 1 <= 1
select 1 <= 0.5::float8
select 1 <= null
select -7 <= 1
select -7 <= 0.5::float8
select -7 <= null
select null::int <= 1
select null::int <= 0.5::float8
select null::int <= null
select 0 > 1
select 0 > 0.5::float8
select 0 > null
select 1 > 1
select 1 > 0.5::float8
select 1 > null
select -7 > 1
select -7 > 0.5::float8
select -7 > null
select null::int > 1
select null::int > 0.5::float8
select null::int > null
select 0 >= 1
select 0 >= 0.5::float8
select 0 >= null
select 1 >= 1
select 1 >= 0.5::float8
select 1 >= null
select -7 >= 1
select -7 >= 0.5::float8
select -7 >= null
select null::int >= 1
select null::int >= 0.5::float8
select null::int >= null
select 0 is distinct from 1
select 0 is distinct from 0.5::float8
select 0 is distinct from null
select 1 is distinct from 1
select 1 is distinct from 0.5::float8
select 1 is distinct from null
select -7 is distinct from 1
select -7 is distinct from 0.5::float8
select -7 is distinct from null
select null::int is distinct from 1
select null::int is distinct from 0.5::float8
select null::int is distinct from null
select 0 is not distinct from 1
select 0 is not distinct from 0.5::float8
select 0 is not distinct from null
select 1 is not distinct from 1
select 1 is not distinct from 0.5::float8
select 1 is not distinct from null
select -7 is not distinct from 1
select -7 is not distinct from 0.5::float8
select -7 is not distinct from null
select null::int is not distinct from 1
select null::int is not distinct from 0.5::float8
select null::int is not distinct from null
select abs(2.5), abs(2.5::float8)
select ceil(2.5), ceil(2.5::float8)
select floor(2.5), floor(2.5::float8)
select round(2.5), round(2.5::float8)
select trunc(2.5), trunc(2.5::float8)
select sign(2.5), sign(2.5::float8)
select 2.5::int, 2.5::float8::int, 2.5::text, 2.5::float8::text
select round(2.5, 1), trunc(2.5, 2)
select abs(-2.5), abs(-2.5::float8)
select ceil(-2.5), ceil(-2.5::float8)
select floor(-2.5), floor(-2.5::float8)
select round(-2.5), round(-2.5::float8)
select trunc(-2.5), trunc(-2.5::float8)
select sign(-2.5), sign(-2.5::float8)
select -2.5::int, -2.5::float8::int, -2.5::text, -2.5::float8::text
select round(-2.5, 1), trunc(-2.5, 2)
select abs(3.49), abs(3.49::float8)
select ceil(3.49), ceil(3.49::float8)
select floor(3.49), floor(3.49::float8)
select round(3.49), round(3.49::float8)
select trunc(3.49), trunc(3.49::float8)
select sign(3.49), sign(3.49::float8)
select 3.49::int, 3.49::float8::int, 3.49::text, 3.49::float8::text
select round(3.49, 1), trunc(3.49, 2)
select abs(-0.5), abs(-0.5::float8)
select ceil(-0.5), ceil(-0.5::float8)
select floor(-0.5), floor(-0.5::float8)
select round(-0.5), round(-0.5::float8)
select trunc(-0.5), trunc(-0.5::float8)
select sign(-0.5), sign(-0.5::float8)
select -0.5::int, -0.5::float8::int, -0.5::text, -0.5::float8::text
select round(-0.5, 1), trunc(-0.5, 2)
select abs(0), abs(0::float8)
select ceil(0), ceil(0::float8)
select floor(0), floor(0::float8)
select round(0), round(0::float8)
select trunc(0), trunc(0::float8)
select sign(0), sign(0::float8)
select 0::int, 0::float8::int, 0::text, 0::float8::text
select round(0, 1), trunc(0, 2)
select abs(1234.5678), abs(1234.5678::float8)
select ceil(1234.5678), ceil(1234.5678::float8)
select floor(1234.5678), floor(1234.5678::float8)
select round(1234.5678), round(1234.5678::float8)
select trunc(1234.5678), trunc(1234.5678::float8)
select sign(1234.5678), sign(1234.5678::float8)
select 1234.5678::int, 1234.5678::float8::int, 1234.5678::text, 1234.5678::float8::text
select round(1234.5678, 1), trunc(1234.5678, 2)
select mod(7, 3)
select gcd(7, 3), lcm(7, 3)
select 7 & 3, 7 | 3, 7 # 3, 7 << 2, 7 >> 1
select mod(-7, 3)
select gcd(-7, 3), lcm(-7, 3)
select -7 & 3, -7 | 3, -7 # 3, -7 << 2, -7 >> 1
select mod(7, -3)
select gcd(7, -3), lcm(7, -3)
select 7 & -3, 7 | -3, 7 # -3, 7 << 2, 7 >> 1
select mod(12, 18)
select gcd(12, 18), lcm(12, 18)
select 12 & 18, 12 | 18, 12 # 18, 12 << 2, 12 >> 1
select mod(0, 5)
select gcd(0, 5), lcm(0, 5)
select 0 & 5, 0 | 5, 0 # 5, 0 << 2, 0 >> 1
select mod(1, 0)
select gcd(1, 0), lcm(1, 0)
select 1 & 0, 1 | 0, 1 # 0, 1 << 2, 1 >> 1
select sqrt(1::float8), ln(1::float8), log10(1::float8)
select exp(1::float8 / 10), power(1::float8, 2), cbrt(1::float8)
select sqrt(2::float8), ln(2::float8), log10(2::float8)
select exp(2::float8 / 10), power(2::float8, 2), cbrt(2::float8)
select sqrt(10::float8), ln(10::float8), log10(10::float8)
select exp(10::float8 / 10), power(10::float8, 2), cbrt(10::float8)
select sqrt(0.25::float8), ln(0.25::float8), log10(0.25::float8)
select exp(0.25::float8 / 10), power(0.25::float8, 2), cbrt(0.25::float8)
select sqrt(100::float8), ln(100::float8), log10(100::float8)
select exp(100::float8 / 10), power(100::float8, 2), cbrt(100::float8)
select width_bucket(-1::float8, 0, 10, 5)
select width_bucket(0::float8, 0, 10, 5)
select width_bucket(0.35::float8, 0, 10, 5)
select width_bucket(5::float8, 0, 10, 5)
select width_bucket(9.99::float8, 0, 10, 5)
select width_bucket(10::float8, 0, 10, 5)
select width_bucket(11::float8, 0, 10, 5)
select width_bucket(null::float8, 0, 10, 5)
select '32767'::int2
select 32767::int2
select '32768'::int2
select 32768::int2
select '-32769'::int2
select -32769::int2
select '2147483648'::int2
select 2147483648::int2
select '9223372036854775807'::int2
select 9223372036854775807::int2
select '1e3'::int2
select '32767'::int4
select 32767::int4
select '32768'::int4
select 32768::int4
select '-32769'::int4
select -32769::int4
select '2147483648'::int4
select 2147483648::int4
select '9223372036854775807'::int4
select 9223372036854775807::int4
select '1e3'::int4
select '32767'::int8
select 32767::int8
select '32768'::int8
select 32768::int8
select '-32769'::int8
select -32769::int8
select '2147483648'::int8
select 2147483648::int8
select '9223372036854775807'::int8
select 9223372036854775807::int8
select '1e3'::int8
select '32767'::float8
select 32767::float8
select '32768'::float8
select 32768::float8
select '-32769'::float8
select -32769::float8
select '2147483648'::float8
select 2147483648::float8
select '9223372036854775807'::float8
select 9223372036854775807::float8
select '1e3'::float8
select 9223372036854775807 + 1
select -9223372036854775807 - 2
select 9223372036854775807 * 2
select -x from (values (9223372036854775807)) t(x)
select -x from (values (-9223372036854775807 - 1)) t(x)
select -(x - 1) from (values (-9223372036854775807)) t(x)
select abs(x - 1) from (values (-9223372036854775807)) t(x)
select (x - 1) / -1 from (values (-9223372036854775807)) t(x)
select (x - 1) % -1 from (values (-9223372036854775807)) t(x)
select 2147483647::int4 + 1::int4
select -(x::int4) from (values (-2147483648)) t(x)
select 32767::int2 + 1::int2
select x * x from (values (4000000000)) t(x)
select -x, - -x from (values (5), (null)) t(x)
select -9223372036854775808
select mod(5.5, 2), mod(-7, 3) * 2, 10 - mod(7, 4), sign(-3), sign(0.0)
select 1::float / 3, 1::float4 / 3, 1::float(53) / 3, 1::float(10) / 3, float '1.1' * 1.1
select x, width_bucket(x, 10, 0, 4) from (values (11.0), (10), (7.5), (2), (0), (-1), (null)) t(x)
select cast(16777217 as float), '16777217'::float, 16777217::real
