select date_trunc('microseconds', timestamp '2024-02-29 13:45:06.789'), date_trunc('microseconds', timestamptz '2024-02-29 13:45:06.789+00')
select date_trunc('milliseconds', timestamp '2024-02-29 13:45:06.789'), date_trunc('milliseconds', timestamptz '2024-02-29 13:45:06.789+00')
select date_trunc('second', timestamp '2024-02-29 13:45:06.789'), date_trunc('second', timestamptz '2024-02-29 13:45:06.789+00')
select date_trunc('minute', timestamp '2024-02-29 13:45:06.789'), date_trunc('minute', timestamptz '2024-02-29 13:45:06.789+00')
select date_trunc('hour', timestamp '2024-02-29 13:45:06.789'), date_trunc('hour', timestamptz '2024-02-29 13:45:06.789+00')
select date_trunc('day', timestamp '2024-02-29 13:45:06.789'), date_trunc('day', timestamptz '2024-02-29 13:45:06.789+00')
select date_trunc('week', timestamp '2024-02-29 13:45:06.789'), date_trunc('week', timestamptz '2024-02-29 13:45:06.789+00')
select date_trunc('month', timestamp '2024-02-29 13:45:06.789'), date_trunc('month', timestamptz '2024-02-29 13:45:06.789+00')
select date_trunc('quarter', timestamp '2024-02-29 13:45:06.789'), date_trunc('quarter', timestamptz '2024-02-29 13:45:06.789+00')
select date_trunc('year', timestamp '2024-02-29 13:45:06.789'), date_trunc('year', timestamptz '2024-02-29 13:45:06.789+00')
select date_trunc('decade', timestamp '2024-02-29 13:45:06.789'), date_trunc('decade', timestamptz '2024-02-29 13:45:06.789+00')
select date_trunc('century', timestamp '2024-02-29 13:45:06.789'), date_trunc('century', timestamptz '2024-02-29 13:45:06.789+00')
select extract(year from timestamp '2024-02-29 13:45:06.789'), date_part('year', timestamptz '2024-02-29 13:45:06.789+00')
select extract(month from timestamp '2024-02-29 13:45:06.789'), date_part('month', timestamptz '2024-02-29 13:45:06.789+00')
select extract(day from timestamp '2024-02-29 13:45:06.789'), date_part('day', timestamptz '2024-02-29 13:45:06.789+00')
select extract(hour from timestamp '2024-02-29 13:45:06.789'), date_part('hour', timestamptz '2024-02-29 13:45:06.789+00')
select extract(minute from timestamp '2024-02-29 13:45:06.789'), date_part('minute', timestamptz '2024-02-29 13:45:06.789+00')
select extract(second from timestamp '2024-02-29 13:45:06.789'), date_part('second', timestamptz '2024-02-29 13:45:06.789+00')
select extract(dow from timestamp '2024-02-29 13:45:06.789'), date_part('dow', timestamptz '2024-02-29 13:45:06.789+00')
select extract(isodow from timestamp '2024-02-29 13:45:06.789'), date_part('isodow', timestamptz '2024-02-29 13:45:06.789+00')
select extract(doy from timestamp '2024-02-29 13:45:06.789'), date_part('doy', timestamptz '2024-02-29 13:45:06.789+00')
select extract(week from timestamp '2024-02-29 13:45:06.789'), date_part('week', timestamptz '2024-02-29 13:45:06.789+00')
select extract(isoyear from timestamp '2024-02-29 13:45:06.789'), date_part('isoyear', timestamptz '2024-02-29 13:45:06.789+00')
select extract(quarter from timestamp '2024-02-29 13:45:06.789'), date_part('quarter', timestamptz '2024-02-29 13:45:06.789+00')
select extract(epoch from timestamp '2024-02-29 13:45:06.789'), date_part('epoch', timestamptz '2024-02-29 13:45:06.789+00')
select extract(milliseconds from timestamp '2024-02-29 13:45:06.789'), date_part('milliseconds', timestamptz '2024-02-29 13:45:06.789+00')
select extract(microseconds from timestamp '2024-02-29 13:45:06.789'), date_part('microseconds', timestamptz '2024-02-29 13:45:06.789+00')
select extract(decade from timestamp '2024-02-29 13:45:06.789'), date_part('decade', timestamptz '2024-02-29 13:45:06.789+00')
select extract(century from timestamp '2024-02-29 13:45:06.789'), date_part('century', timestamptz '2024-02-29 13:45:06.789+00')
select timestamptz '2024-02-29 13:45:06.789+00' at time zone 'UTC', timestamp '2024-02-29 13:45:06.789' at time zone 'UTC', date_trunc('day', timestamptz '2024-02-29 13:45:06.789+00' at time zone 'UTC')
select timestamptz '2024-02-29 13:45:06.789+00' at time zone 'Europe/Berlin', timestamp '2024-02-29 13:45:06.789' at time zone 'Europe/Berlin', date_trunc('day', timestamptz '2024-02-29 13:45:06.789+00' at time zone 'Europe/Berlin')
select timestamptz '2024-02-29 13:45:06.789+00' at time zone 'America/New_York', timestamp '2024-02-29 13:45:06.789' at time zone 'America/New_York', date_trunc('day', timestamptz '2024-02-29 13:45:06.789+00' at time zone 'America/New_York')
select timestamptz '2024-02-29 13:45:06.789+00' at time zone 'Asia/Kolkata', timestamp '2024-02-29 13:45:06.789' at time zone 'Asia/Kolkata', date_trunc('day', timestamptz '2024-02-29 13:45:06.789+00' at time zone 'Asia/Kolkata')
select timestamptz '2024-02-29 13:45:06.789+00' at time zone 'Asia/Tokyo', timestamp '2024-02-29 13:45:06.789' at time zone 'Asia/Tokyo', date_trunc('day', timestamptz '2024-02-29 13:45:06.789+00' at time zone 'Asia/Tokyo')
select timestamp '2024-02-29 13:45:06.789' + interval '1 day', timestamp '2024-02-29 13:45:06.789' - interval '1 day'
select timestamp '2024-02-29 13:45:06.789' + interval '90 minutes', timestamp '2024-02-29 13:45:06.789' - interval '90 minutes'
select timestamp '2024-02-29 13:45:06.789' + interval '1 month', timestamp '2024-02-29 13:45:06.789' - interval '1 month'
select timestamp '2024-02-29 13:45:06.789' + interval '1 year 2 months 3 days', timestamp '2024-02-29 13:45:06.789' - interval '1 year 2 months 3 days'
select timestamp '2024-02-29 13:45:06.789' + interval '-36 hours', timestamp '2024-02-29 13:45:06.789' - interval '-36 hours'
select timestamp '2024-02-29 13:45:06.789' + interval '1.5 seconds', timestamp '2024-02-29 13:45:06.789' - interval '1.5 seconds'
select date_bin('15 minutes', timestamp '2024-02-29 13:45:06.789', timestamp '2001-01-01')
select date_bin('15 minutes', timestamptz '2024-02-29 13:45:06.789+00', timestamptz '2001-01-01 00:05:00+00')
select date_bin('1 hour', timestamp '2024-02-29 13:45:06.789', timestamp '2001-01-01')
select date_bin('1 hour', timestamptz '2024-02-29 13:45:06.789+00', timestamptz '2001-01-01 00:05:00+00')
select date_bin('7 days', timestamp '2024-02-29 13:45:06.789', timestamp '2001-01-01')
select date_bin('7 days', timestamptz '2024-02-29 13:45:06.789+00', timestamptz '2001-01-01 00:05:00+00')
select date_bin('30 seconds', timestamp '2024-02-29 13:45:06.789', timestamp '2001-01-01')
select date_bin('30 seconds', timestamptz '2024-02-29 13:45:06.789+00', timestamptz '2001-01-01 00:05:00+00')
select timestamp '2024-02-29 13:45:06.789'::date, timestamp '2024-02-29 13:45:06.789'::time, '2024-02-29 13:45:06.789'::timestamp::text
select to_char(timestamp '2024-02-29 13:45:06.789', 'YYYY-MM-DD HH24:MI:SS.US'), to_char(timestamp '2024-02-29 13:45:06.789', 'Dy, DD Mon YYYY')
select to_char(timestamp '2024-02-29 13:45:06.789', 'HH12:MI AM'), to_char(timestamp '2024-02-29 13:45:06.789', 'IYYY-"W"IW-ID Q DDD')
select to_char(timestamp '2024-02-29 13:45:06.789', 'FMMonth FMDD, YYYY'), to_char(timestamp '2024-02-29 13:45:06.789', 'Day|Month|MS')
select extract(epoch from timestamptz '2024-02-29 13:45:06.789+00')::int8
select date_trunc('microseconds', timestamp '2023-12-31 23:59:59.999999'), date_trunc('microseconds', timestamptz '2023-12-31 23:59:59.999999+00')
select date_trunc('milliseconds', timestamp '2023-12-31 23:59:59.999999'), date_trunc('milliseconds', timestamptz '2023-12-31 23:59:59.999999+00')
select date_trunc('second', timestamp '2023-12-31 23:59:59.999999'), date_trunc('second', timestamptz '2023-12-31 23:59:59.999999+00')
select date_trunc('minute', timestamp '2023-12-31 23:59:59.999999'), date_trunc('minute', timestamptz '2023-12-31 23:59:59.999999+00')
select date_trunc('hour', timestamp '2023-12-31 23:59:59.999999'), date_trunc('hour', timestamptz '2023-12-31 23:59:59.999999+00')
select date_trunc('day', timestamp '2023-12-31 23:59:59.999999'), date_trunc('day', timestamptz '2023-12-31 23:59:59.999999+00')
select date_trunc('week', timestamp '2023-12-31 23:59:59.999999'), date_trunc('week', timestamptz '2023-12-31 23:59:59.999999+00')
select date_trunc('month', timestamp '2023-12-31 23:59:59.999999'), date_trunc('month', timestamptz '2023-12-31 23:59:59.999999+00')
select date_trunc('quarter', timestamp '2023-12-31 23:59:59.999999'), date_trunc('quarter', timestamptz '2023-12-31 23:59:59.999999+00')
select date_trunc('year', timestamp '2023-12-31 23:59:59.999999'), date_trunc('year', timestamptz '2023-12-31 23:59:59.999999+00')
select date_trunc('decade', timestamp '2023-12-31 23:59:59.999999'), date_trunc('decade', timestamptz '2023-12-31 23:59:59.999999+00')
select date_trunc('century', timestamp '2023-12-31 23:59:59.999999'), date_trunc('century', timestamptz '2023-12-31 23:59:59.999999+00')
select extract(year from timestamp '2023-12-31 23:59:59.999999'), date_part('year', timestamptz '2023-12-31 23:59:59.999999+00')
select extract(month from timestamp '2023-12-31 23:59:59.999999'), date_part('month', timestamptz '2023-12-31 23:59:59.999999+00')
select extract(day from timestamp '2023-12-31 23:59:59.999999'), date_part('day', timestamptz '2023-12-31 23:59:59.999999+00')
select extract(hour from timestamp '2023-12-31 23:59:59.999999'), date_part('hour', timestamptz '2023-12-31 23:59:59.999999+00')
select extract(minute from timestamp '2023-12-31 23:59:59.999999'), date_part('minute', timestamptz '2023-12-31 23:59:59.999999+00')
select extract(second from timestamp '2023-12-31 23:59:59.999999'), date_part('second', timestamptz '2023-12-31 23:59:59.999999+00')
select extract(dow from timestamp '2023-12-31 23:59:59.999999'), date_part('dow', timestamptz '2023-12-31 23:59:59.999999+00')
select extract(isodow from timestamp '2023-12-31 23:59:59.999999'), date_part('isodow', timestamptz '2023-12-31 23:59:59.999999+00')
select extract(doy from timestamp '2023-12-31 23:59:59.999999'), date_part('doy', timestamptz '2023-12-31 23:59:59.999999+00')
select extract(week from timestamp '2023-12-31 23:59:59.999999'), date_part('week', timestamptz '2023-12-31 23:59:59.999999+00')
select extract(isoyear from timestamp '2023-12-31 23:59:59.999999'), date_part('isoyear', timestamptz '2023-12-31 23:59:59.999999+00')
select extract(quarter from timestamp '2023-12-31 23:59:59.999999'), date_part('quarter', timestamptz '2023-12-31 23:59:59.999999+00')
select extract(epoch from timestamp '2023-12-31 23:59:59.999999'), date_part('epoch', timestamptz '2023-12-31 23:59:59.999999+00')
select extract(milliseconds from timestamp '2023-12-31 23:59:59.999999'), date_part('milliseconds', timestamptz '2023-12-31 23:59:59.999999+00')
select extract(microseconds from timestamp '2023-12-31 23:59:59.999999'), date_part('microseconds', timestamptz '2023-12-31 23:59:59.999999+00')
select extract(decade from timestamp '2023-12-31 23:59:59.999999'), date_part('decade', timestamptz '2023-12-31 23:59:59.999999+00')
select extract(century from timestamp '2023-12-31 23:59:59.999999'), date_part('century', timestamptz '2023-12-31 23:59:59.999999+00')
select timestamptz '2023-12-31 23:59:59.999999+00' at time zone 'UTC', timestamp '2023-12-31 23:59:59.999999' at time zone 'UTC', date_trunc('day', timestamptz '2023-12-31 23:59:59.999999+00' at time zone 'UTC')
select timestamptz '2023-12-31 23:59:59.999999+00' at time zone 'Europe/Berlin', timestamp '2023-12-31 23:59:59.999999' at time zone 'Europe/Berlin', date_trunc('day', timestamptz '2023-12-31 23:59:59.999999+00' at time zone 'Europe/Berlin')
select timestamptz '2023-12-31 23:59:59.999999+00' at time zone 'America/New_York', timestamp '2023-12-31 23:59:59.999999' at time zone 'America/New_York', date_trunc('day', timestamptz '2023-12-31 23:59:59.999999+00' at time zone 'America/New_York')
select timestamptz '2023-12-31 23:59:59.999999+00' at time zone 'Asia/Kolkata', timestamp '2023-12-31 23:59:59.999999' at time zone 'Asia/Kolkata', date_trunc('day', timestamptz '2023-12-31 23:59:59.999999+00' at time zone 'Asia/Kolkata')
select timestamptz '2023-12-31 23:59:59.999999+00' at time zone 'Asia/Tokyo', timestamp '2023-12-31 23:59:59.999999' at time zone 'Asia/Tokyo', date_trunc('day', timestamptz '2023-12-31 23:59:59.999999+00' at time zone 'Asia/Tokyo')
select timestamp '2023-12-31 23:59:59.999999' + interval '1 day', timestamp '2023-12-31 23:59:59.999999' - interval '1 day'
select timestamp '2023-12-31 23:59:59.999999' + interval '90 minutes', timestamp '2023-12-31 23:59:59.999999' - interval '90 minutes'
select timestamp '2023-12-31 23:59:59.999999' + interval '1 month', timestamp '2023-12-31 23:59:59.999999' - interval '1 month'
select timestamp '2023-12-31 23:59:59.999999' + interval '1 year 2 months 3 days', timestamp '2023-12-31 23:59:59.999999' - interval '1 year 2 months 3 days'
select timestamp '2023-12-31 23:59:59.999999' + interval '-36 hours', timestamp '2023-12-31 23:59:59.999999' - interval '-36 hours'
select timestamp '2023-12-31 23:59:59.999999' + interval '1.5 seconds', timestamp '2023-12-31 23:59:59.999999' - interval '1.5 seconds'
select date_bin('15 minutes', timestamp '2023-12-31 23:59:59.999999', timestamp '2001-01-01')
select date_bin('15 minutes', timestamptz '2023-12-31 23:59:59.999999+00', timestamptz '2001-01-01 00:05:00+00')
select date_bin('1 hour', timestamp '2023-12-31 23:59:59.999999', timestamp '2001-01-01')
select date_bin('1 hour', timestamptz '2023-12-31 23:59:59.999999+00', timestamptz '2001-01-01 00:05:00+00')
select date_bin('7 days', timestamp '2023-12-31 23:59:59.999999', timestamp '2001-01-01')
select date_bin('7 days', timestamptz '2023-12-31 23:59:59.999999+00', timestamptz '2001-01-01 00:05:00+00')
select date_bin('30 seconds', timestamp '2023-12-31 23:59:59.999999', timestamp '2001-01-01')
select date_bin('30 seconds', timestamptz '2023-12-31 23:59:59.999999+00', timestamptz '2001-01-01 00:05:00+00')
select timestamp '2023-12-31 23:59:59.999999'::date, timestamp '2023-12-31 23:59:59.999999'::time, '2023-12-31 23:59:59.999999'::timestamp::text
select to_char(timestamp '2023-12-31 23:59:59.999999', 'YYYY-MM-DD HH24:MI:SS.US'), to_char(timestamp '2023-12-31 23:59:59.999999', 'Dy, DD Mon YYYY')
select to_char(timestamp '2023-12-31 23:59:59.999999', 'HH12:MI AM'), to_char(timestamp '2023-12-31 23:59:59.999999', 'IYYY-"W"IW-ID Q DDD')
select to_char(timestamp '2023-12-31 23:59:59.999999', 'FMMonth FMDD, YYYY'), to_char(timestamp '2023-12-31 23:59:59.999999', 'Day|Month|MS')
select extract(epoch from timestamptz '2023-12-31 23:59:59.999999+00')::int8
select date_trunc('microseconds', timestamp '2024-01-01 00:00:00'), date_trunc('microseconds', timestamptz '2024-01-01 00:00:00+00')
select date_trunc('milliseconds', timestamp '2024-01-01 00:00:00'), date_trunc('milliseconds', timestamptz '2024-01-01 00:00:00+00')
select date_trunc('second', timestamp '2024-01-01 00:00:00'), date_trunc('second', timestamptz '2024-01-01 00:00:00+00')
select date_trunc('minute', timestamp '2024-01-01 00:00:00'), date_trunc('minute', timestamptz '2024-01-01 00:00:00+00')
select date_trunc('hour', timestamp '2024-01-01 00:00:00'), date_trunc('hour', timestamptz '2024-01-01 00:00:00+00')
select date_trunc('day', timestamp '2024-01-01 00:00:00'), date_trunc('day', timestamptz '2024-01-01 00:00:00+00')
select date_trunc('week', timestamp '2024-01-01 00:00:00'), date_trunc('week', timestamptz '2024-01-01 00:00:00+00')
select date_trunc('month', timestamp '2024-01-01 00:00:00'), date_trunc('month', timestamptz '2024-01-01 00:00:00+00')
select date_trunc('quarter', timestamp '2024-01-01 00:00:00'), date_trunc('quarter', timestamptz '2024-01-01 00:00:00+00')
select date_trunc('year', timestamp '2024-01-01 00:00:00'), date_trunc('year', timestamptz '2024-01-01 00:00:00+00')
select date_trunc('decade', timestamp '2024-01-01 00:00:00'), date_trunc('decade', timestamptz '2024-01-01 00:00:00+00')
select date_trunc('century', timestamp '2024-01-01 00:00:00'), date_trunc('century', timestamptz '2024-01-01 00:00:00+00')
select extract(year from timestamp '2024-01-01 00:00:00'), date_part('year', timestamptz '2024-01-01 00:00:00+00')
select extract(month from timestamp '2024-01-01 00:00:00'), date_part('month', timestamptz '2024-01-01 00:00:00+00')
select extract(day from timestamp '2024-01-01 00:00:00'), date_part('day', timestamptz '2024-01-01 00:00:00+00')
select extract(hour from timestamp '2024-01-01 00:00:00'), date_part('hour', timestamptz '2024-01-01 00:00:00+00')
select extract(minute from timestamp '2024-01-01 00:00:00'), date_part('minute', timestamptz '2024-01-01 00:00:00+00')
select extract(second from timestamp '2024-01-01 00:00:00'), date_part('second', timestamptz '2024-01-01 00:00:00+00')
select extract(dow from timestamp '2024-01-01 00:00:00'), date_part('dow', timestamptz '2024-01-01 00:00:00+00')
select extract(isodow from timestamp '2024-01-01 00:00:00'), date_part('isodow', timestamptz '2024-01-01 00:00:00+00')
select extract(doy from timestamp '2024-01-01 00:00:00'), date_part('doy', timestamptz '2024-01-01 00:00:00+00')
select extract(week from timestamp '2024-01-01 00:00:00'), date_part('week', timestamptz '2024-01-01 00:00:00+00')
select extract(isoyear from timestamp '2024-01-01 00:00:00'), date_part('isoyear', timestamptz '2024-01-01 00:00:00+00')
select extract(quarter from timestamp '2024-01-01 00:00:00'), date_part('quarter', timestamptz '2024-01-01 00:00:00+00')
select extract(epoch from timestamp '2024-01-01 00:00:00'), date_part('epoch', timestamptz '2024-01-01 00:00:00+00')
select extract(milliseconds from timestamp '2024-01-01 00:00:00'), date_part('milliseconds', timestamptz '2024-01-01 00:00:00+00')
select extract(microseconds from timestamp '2024-01-01 00:00:00'), date_part('microseconds', timestamptz '2024-01-01 00:00:00+00')
select extract(decade from timestamp '2024-01-01 00:00:00'), date_part('decade', timestamptz '2024-01-01 00:00:00+00')
select extract(century from timestamp '2024-01-01 00:00:00'), date_part('century', timestamptz '2024-01-01 00:00:00+00')
select timestamptz '2024-01-01 00:00:00+00' at time zone 'UTC', timestamp '2024-01-01 00:00:00' at time zone 'UTC', date_trunc('day', timestamptz '2024-01-01 00:00:00+00' at time zone 'UTC')
select timestamptz '2024-01-01 00:00:00+00' at time zone 'Europe/Berlin', timestamp '2024-01-01 00:00:00' at time zone 'Europe/Berlin', date_trunc('day', timestamptz '2024-01-01 00:00:00+00' at time zone 'Europe/Berlin')
select timestamptz '2024-01-01 00:00:00+00' at time zone 'America/New_York', timestamp '2024-01-01 00:00:00' at time zone 'America/New_York', date_trunc('day', timestamptz '2024-01-01 00:00:00+00' at time zone 'America/New_York')
select timestamptz '2024-01-01 00:00:00+00' at time zone 'Asia/Kolkata', timestamp '2024-01-01 00:00:00' at time zone 'Asia/Kolkata', date_trunc('day', timestamptz '2024-01-01 00:00:00+00' at time zone 'Asia/Kolkata')
select timestamptz '2024-01-01 00:00:00+00' at time zone 'Asia/Tokyo', timestamp '2024-01-01 00:00:00' at time zone 'Asia/Tokyo', date_trunc('day', timestamptz '2024-01-01 00:00:00+00' at time zone 'Asia/Tokyo')
select timestamp '2024-01-01 00:00:00' + interval '1 day', timestamp '2024-01-01 00:00:00' - interval '1 day'
select timestamp '2024-01-01 00:00:00' + interval '90 minutes', timestamp '2024-01-01 00:00:00' - interval '90 minutes'
select timestamp '2024-01-01 00:00:00' + interval '1 month', timestamp '2024-01-01 00:00:00' - interval '1 month'
select timestamp '2024-01-01 00:00:00' + interval '1 year 2 months 3 days', timestamp '2024-01-01 00:00:00' - interval '1 year 2 months 3 days'
select timestamp '2024-01-01 00:00:00' + interval '-36 hours', timestamp '2024-01-01 00:00:00' - interval '-36 hours'
select timestamp '2024-01-01 00:00:00' + interval '1.5 seconds', timestamp '2024-01-01 00:00:00' - interval '1.5 seconds'
select date_bin('15 minutes', timestamp '2024-01-01 00:00:00', timestamp '2001-01-01')
select date_bin('15 minutes', timestamptz '2024-01-01 00:00:00+00', timestamptz '2001-01-01 00:05:00+00')
select date_bin('1 hour', timestamp '2024-01-01 00:00:00', timestamp '2001-01-01')
select date_bin('1 hour', timestamptz '2024-01-01 00:00:00+00', timestamptz '2001-01-01 00:05:00+00')
select date_bin('7 days', timestamp '2024-01-01 00:00:00', timestamp '2001-01-01')
select date_bin('7 days', timestamptz '2024-01-01 00:00:00+00', timestamptz '2001-01-01 00:05:00+00')
select date_bin('30 seconds', timestamp '2024-01-01 00:00:00', timestamp '2001-01-01')
select date_bin('30 seconds', timestamptz '2024-01-01 00:00:00+00', timestamptz '2001-01-01 00:05:00+00')
select timestamp '2024-01-01 00:00:00'::date, timestamp '2024-01-01 00:00:00'::time, '2024-01-01 00:00:00'::timestamp::text
select to_char(timestamp '2024-01-01 00:00:00', 'YYYY-MM-DD HH24:MI:SS.US'), to_char(timestamp '2024-01-01 00:00:00', 'Dy, DD Mon YYYY')
select to_char(timestamp '2024-01-01 00:00:00', 'HH12:MI AM'), to_char(timestamp '2024-01-01 00:00:00', 'IYYY-"W"IW-ID Q DDD')
select to_char(timestamp '2024-01-01 00:00:00', 'FMMonth FMDD, YYYY'), to_char(timestamp '2024-01-01 00:00:00', 'Day|Month|MS')
select extract(epoch from timestamptz '2024-01-01 00:00:00+00')::int8
select date_trunc('microseconds', timestamp '1999-07-04 12:00:00'), date_trunc('microseconds', timestamptz '1999-07-04 12:00:00+00')
select date_trunc('milliseconds', timestamp '1999-07-04 12:00:00'), date_trunc('milliseconds', timestamptz '1999-07-04 12:00:00+00')
select date_trunc('second', timestamp '1999-07-04 12:00:00'), date_trunc('second', timestamptz '1999-07-04 12:00:00+00')
select date_trunc('minute', timestamp '1999-07-04 12:00:00'), date_trunc('minute', timestamptz '1999-07-04 12:00:00+00')
select date_trunc('hour', timestamp '1999-07-04 12:00:00'), date_trunc('hour', timestamptz '1999-07-04 12:00:00+00')
select date_trunc('day', timestamp '1999-07-04 12:00:00'), date_trunc('day', timestamptz '1999-07-04 12:00:00+00')
select date_trunc('week', timestamp '1999-07-04 12:00:00'), date_trunc('week', timestamptz '1999-07-04 12:00:00+00')
select date_trunc('month', timestamp '1999-07-04 12:00:00'), date_trunc('month', timestamptz '1999-07-04 12:00:00+00')
select date_trunc('quarter', timestamp '1999-07-04 12:00:00'), date_trunc('quarter', timestamptz '1999-07-04 12:00:00+00')
select date_trunc('year', timestamp '1999-07-04 12:00:00'), date_trunc('year', timestamptz '1999-07-04 12:00:00+00')
select date_trunc('decade', timestamp '1999-07-04 12:00:00'), date_trunc('decade', timestamptz '1999-07-04 12:00:00+00')
select date_trunc('century', timestamp '1999-07-04 12:00:00'), date_trunc('century', timestamptz '1999-07-04 12:00:00+00')
select extract(year from timestamp '1999-07-04 12:00:00'), date_part('year', timestamptz '1999-07-04 12:00:00+00')
select extract(month from timestamp '1999-07-04 12:00:00'), date_part('month', timestamptz '1999-07-04 12:00:00+00')
select extract(day from timestamp '1999-07-04 12:00:00'), date_part('day', timestamptz '1999-07-04 12:00:00+00')
select extract(hour from timestamp '1999-07-04 12:00:00'), date_part('hour', timestamptz '1999-07-04 12:00:00+00')
select extract(minute from timestamp '1999-07-04 12:00:00'), date_part('minute', timestamptz '1999-07-04 12:00:00+00')
select extract(second from timestamp '1999-07-04 12:00:00'), date_part('second', timestamptz '1999-07-04 12:00:00+00')
select extract(dow from timestamp '1999-07-04 12:00:00'), date_part('dow', timestamptz '1999-07-04 12:00:00+00')
select extract(isodow from timestamp '1999-07-04 12:00:00'), date_part('isodow', timestamptz '1999-07-04 12:00:00+00')
select extract(doy from timestamp '1999-07-04 12:00:00'), date_part('doy', timestamptz '1999-07-04 12:00:00+00')
select extract(week from timestamp '1999-07-04 12:00:00'), date_part('week', timestamptz '1999-07-04 12:00:00+00')
select extract(isoyear from timestamp '1999-07-04 12:00:00'), date_part('isoyear', timestamptz '1999-07-04 12:00:00+00')
select extract(quarter from timestamp '1999-07-04 12:00:00'), date_part('quarter', timestamptz '1999-07-04 12:00:00+00')
select extract(epoch from timestamp '1999-07-04 12:00:00'), date_part('epoch', timestamptz '1999-07-04 12:00:00+00')
select extract(milliseconds from timestamp '1999-07-04 12:00:00'), date_part('milliseconds', timestamptz '1999-07-04 12:00:00+00')
select extract(microseconds from timestamp '1999-07-04 12:00:00'), date_part('microseconds', timestamptz '1999-07-04 12:00:00+00')
select extract(decade from timestamp '1999-07-04 12:00:00'), date_part('decade', timestamptz '1999-07-04 12:00:00+00')
select extract(century from timestamp '1999-07-04 12:00:00'), date_part('century', timestamptz '1999-07-04 12:00:00+00')
select timestamptz '1999-07-04 12:00:00+00' at time zone 'UTC', timestamp '1999-07-04 12:00:00' at time zone 'UTC', date_trunc('day', timestamptz '1999-07-04 12:00:00+00' at time zone 'UTC')
select timestamptz '1999-07-04 12:00:00+00' at time zone 'Europe/Berlin', timestamp '1999-07-04 12:00:00' at time zone 'Europe/Berlin', date_trunc('day', timestamptz '1999-07-04 12:00:00+00' at time zone 'Europe/Berlin')
select timestamptz '1999-07-04 12:00:00+00' at time zone 'America/New_York', timestamp '1999-07-04 12:00:00' at time zone 'America/New_York', date_trunc('day', timestamptz '1999-07-04 12:00:00+00' at time zone 'America/New_York')
select timestamptz '1999-07-04 12:00:00+00' at time zone 'Asia/Kolkata', timestamp '1999-07-04 12:00:00' at time zone 'Asia/Kolkata', date_trunc('day', timestamptz '1999-07-04 12:00:00+00' at time zone 'Asia/Kolkata')
select timestamptz '1999-07-04 12:00:00+00' at time zone 'Asia/Tokyo', timestamp '1999-07-04 12:00:00' at time zone 'Asia/Tokyo', date_trunc('day', timestamptz '1999-07-04 12:00:00+00' at time zone 'Asia/Tokyo')
select timestamp '1999-07-04 12:00:00' + interval '1 day', timestamp '1999-07-04 12:00:00' - interval '1 day'
select timestamp '1999-07-04 12:00:00' + interval '90 minutes', timestamp '1999-07-04 12:00:00' - interval '90 minutes'
select timestamp '1999-07-04 12:00:00' + interval '1 month', timestamp '1999-07-04 12:00:00' - interval '1 month'
select timestamp '1999-07-04 12:00:00' + interval '1 year 2 months 3 days', timestamp '1999-07-04 12:00:00' - interval '1 year 2 months 3 days'
select timestamp '1999-07-04 12:00:00' + interval '-36 hours', timestamp '1999-07-04 12:00:00' - interval '-36 hours'
select timestamp '1999-07-04 12:00:00' + interval '1.5 seconds', timestamp '1999-07-04 12:00:00' - interval '1.5 seconds'
select date_bin('15 minutes', timestamp '1999-07-04 12:00:00', timestamp '2001-01-01')
select date_bin('15 minutes', timestamptz '1999-07-04 12:00:00+00', timestamptz '2001-01-01 00:05:00+00')
select date_bin('1 hour', timestamp '1999-07-04 12:00:00', timestamp '2001-01-01')
select date_bin('1 hour', timestamptz '1999-07-04 12:00:00+00', timestamptz '2001-01-01 00:05:00+00')
select date_bin('7 days', timestamp '1999-07-04 12:00:00', timestamp '2001-01-01')
select date_bin('7 days', timestamptz '1999-07-04 12:00:00+00', timestamptz '2001-01-01 00:05:00+00')
select date_bin('30 seconds', timestamp '1999-07-04 12:00:00', timestamp '2001-01-01')
select date_bin('30 seconds', timestamptz '1999-07-04 12:00:00+00', timestamptz '2001-01-01 00:05:00+00')
select timestamp '1999-07-04 12:00:00'::date, timestamp '1999-07-04 12:00:00'::time, '1999-07-04 12:00:00'::timestamp::text
select to_char(timestamp '1999-07-04 12:00:00', 'YYYY-MM-DD HH24:MI:SS.US'), to_char(timestamp '1999-07-04 12:00:00', 'Dy, DD Mon YYYY')
select to_char(timestamp '1999-07-04 12:00:00', 'HH12:MI AM'), to_char(timestamp '1999-07-04 12:00:00', 'IYYY-"W"IW-ID Q DDD')
select to_char(timestamp '1999-07-04 12:00:00', 'FMMonth FMDD, YYYY'), to_char(timestamp '1999-07-04 12:00:00', 'Day|Month|MS')
select extract(epoch from timestamptz '1999-07-04 12:00:00+00')::int8
select date_trunc('microseconds', timestamp '2026-03-29 01:30:00'), date_trunc('microseconds', timestamptz '2026-03-29 01:30:00+00')
select date_trunc('milliseconds', timestamp '2026-03-29 01:30:00'), date_trunc('milliseconds', timestamptz '2026-03-29 01:30:00+00')
select date_trunc('second', timestamp '2026-03-29 01:30:00'), date_trunc('second', timestamptz '2026-03-29 01:30:00+00')
select date_trunc('minute', timestamp '2026-03-29 01:30:00'), date_trunc('minute', timestamptz '2026-03-29 01:30:00+00')
select date_trunc('hour', timestamp '2026-03-29 01:30:00'), date_trunc('hour', timestamptz '2026-03-29 01:30:00+00')
select date_trunc('day', timestamp '2026-03-29 01:30:00'), date_trunc('day', timestamptz '2026-03-29 01:30:00+00')
select date_trunc('week', timestamp '2026-03-29 01:30:00'), date_trunc('week', timestamptz '2026-03-29 01:30:00+00')
select date_trunc('month', timestamp '2026-03-29 01:30:00'), date_trunc('month', timestamptz '2026-03-29 01:30:00+00')
select date_trunc('quarter', timestamp '2026-03-29 01:30:00'), date_trunc('quarter', timestamptz '2026-03-29 01:30:00+00')
select date_trunc('year', timestamp '2026-03-29 01:30:00'), date_trunc('year', timestamptz '2026-03-29 01:30:00+00')
select date_trunc('decade', timestamp '2026-03-29 01:30:00'), date_trunc('decade', timestamptz '2026-03-29 01:30:00+00')
select date_trunc('century', timestamp '2026-03-29 01:30:00'), date_trunc('century', timestamptz '2026-03-29 01:30:00+00')
select extract(year from timestamp '2026-03-29 01:30:00'), date_part('year', timestamptz '2026-03-29 01:30:00+00')
select extract(month from timestamp '2026-03-29 01:30:00'), date_part('month', timestamptz '2026-03-29 01:30:00+00')
select extract(day from timestamp '2026-03-29 01:30:00'), date_part('day', timestamptz '2026-03-29 01:30:00+00')
select extract(hour from timestamp '2026-03-29 01:30:00'), date_part('hour', timestamptz '2026-03-29 01:30:00+00')
select extract(minute from timestamp '2026-03-29 01:30:00'), date_part('minute', timestamptz '2026-03-29 01:30:00+00')
select extract(second from timestamp '2026-03-29 01:30:00'), date_part('second', timestamptz '2026-03-29 01:30:00+00')
select extract(dow from timestamp '2026-03-29 01:30:00'), date_part('dow', timestamptz '2026-03-29 01:30:00+00')
select extract(isodow from timestamp '2026-03-29 01:30:00'), date_part('isodow', timestamptz '2026-03-29 01:30:00+00')
select extract(doy from timestamp '2026-03-29 01:30:00'), date_part('doy', timestamptz '2026-03-29 01:30:00+00')
select extract(week from timestamp '2026-03-29 01:30:00'), date_part('week', timestamptz '2026-03-29 01:30:00+00')
select extract(isoyear from timestamp '2026-03-29 01:30:00'), date_part('isoyear', timestamptz '2026-03-29 01:30:00+00')
select extract(quarter from timestamp '2026-03-29 01:30:00'), date_part('quarter', timestamptz '2026-03-29 01:30:00+00')
select extract(epoch from timestamp '2026-03-29 01:30:00'), date_part('epoch', timestamptz '2026-03-29 01:30:00+00')
select extract(milliseconds from timestamp '2026-03-29 01:30:00'), date_part('milliseconds', timestamptz '2026-03-29 01:30:00+00')
select extract(microseconds from timestamp '2026-03-29 01:30:00'), date_part('microseconds', timestamptz '2026-03-29 01:30:00+00')
select extract(decade from timestamp '2026-03-29 01:30:00'), date_part('decade', timestamptz '2026-03-29 01:30:00+00')
select extract(century from timestamp '2026-03-29 01:30:00'), date_part('century', timestamptz '2026-03-29 01:30:00+00')
select timestamptz '2026-03-29 01:30:00+00' at time zone 'UTC', timestamp '2026-03-29 01:30:00' at time zone 'UTC', date_trunc('day', timestamptz '2026-03-29 01:30:00+00' at time zone 'UTC')
select timestamptz '2026-03-29 01:30:00+00' at time zone 'Europe/Berlin', timestamp '2026-03-29 01:30:00' at time zone 'Europe/Berlin', date_trunc('day', timestamptz '2026-03-29 01:30:00+00' at time zone 'Europe/Berlin')
select timestamptz '2026-03-29 01:30:00+00' at time zone 'America/New_York', timestamp '2026-03-29 01:30:00' at time zone 'America/New_York', date_trunc('day', timestamptz '2026-03-29 01:30:00+00' at time zone 'America/New_York')
select timestamptz '2026-03-29 01:30:00+00' at time zone 'Asia/Kolkata', timestamp '2026-03-29 01:30:00' at time zone 'Asia/Kolkata', date_trunc('day', timestamptz '2026-03-29 01:30:00+00' at time zone 'Asia/Kolkata')
select timestamptz '2026-03-29 01:30:00+00' at time zone 'Asia/Tokyo', timestamp '2026-03-29 01:30:00' at time zone 'Asia/Tokyo', date_trunc('day', timestamptz '2026-03-29 01:30:00+00' at time zone 'Asia/Tokyo')
select timestamp '2026-03-29 01:30:00' + interval '1 day', timestamp '2026-03-29 01:30:00' - interval '1 day'
select timestamp '2026-03-29 01:30:00' + interval '90 minutes', timestamp '2026-03-29 01:30:00' - interval '90 minutes'
select timestamp '2026-03-29 01:30:00' + interval '1 month', timestamp '2026-03-29 01:30:00' - interval '1 month'
select timestamp '2026-03-29 01:30:00' + interval '1 year 2 months 3 days', timestamp '2026-03-29 01:30:00' - interval '1 year 2 months 3 days'
select timestamp '2026-03-29 01:30:00' + interval '-36 hours', timestamp '2026-03-29 01:30:00' - interval '-36 hours'
select timestamp '2026-03-29 01:30:00' + interval '1.5 seconds', timestamp '2026-03-29 01:30:00' - interval '1.5 seconds'
select date_bin('15 minutes', timestamp '2026-03-29 01:30:00', timestamp '2001-01-01')
select date_bin('15 minutes', timestamptz '2026-03-29 01:30:00+00', timestamptz '2001-01-01 00:05:00+00')
select date_bin('1 hour', timestamp '2026-03-29 01:30:00', timestamp '2001-01-01')
select date_bin('1 hour', timestamptz '2026-03-29 01:30:00+00', timestamptz '2001-01-01 00:05:00+00')
select date_bin('7 days', timestamp '2026-03-29 01:30:00', timestamp '2001-01-01')
select date_bin('7 days', timestamptz '2026-03-29 01:30:00+00', timestamptz '2001-01-01 00:05:00+00')
select date_bin('30 seconds', timestamp '2026-03-29 01:30:00', timestamp '2001-01-01')
select date_bin('30 seconds', timestamptz '2026-03-29 01:30:00+00', timestamptz '2001-01-01 00:05:00+00')
select timestamp '2026-03-29 01:30:00'::date, timestamp '2026-03-29 01:30:00'::time, '2026-03-29 01:30:00'::timestamp::text
select to_char(timestamp '2026-03-29 01:30:00', 'YYYY-MM-DD HH24:MI:SS.US'), to_char(timestamp '2026-03-29 01:30:00', 'Dy, DD Mon YYYY')
select to_char(timestamp '2026-03-29 01:30:00', 'HH12:MI AM'), to_char(timestamp '2026-03-29 01:30:00', 'IYYY-"W"IW-ID Q DDD')
select to_char(timestamp '2026-03-29 01:30:00', 'FMMonth FMDD, YYYY'), to_char(timestamp '2026-03-29 01:30:00', 'Day|Month|MS')
select extract(epoch from timestamptz '2026-03-29 01:30:00+00')::int8
select date_trunc('microseconds', timestamp '1970-01-01 00:00:00.5'), date_trunc('microseconds', timestamptz '1970-01-01 00:00:00.5+00')
select date_trunc('milliseconds', timestamp '1970-01-01 00:00:00.5'), date_trunc('milliseconds', timestamptz '1970-01-01 00:00:00.5+00')
select date_trunc('second', timestamp '1970-01-01 00:00:00.5'), date_trunc('second', timestamptz '1970-01-01 00:00:00.5+00')
select date_trunc('minute', timestamp '1970-01-01 00:00:00.5'), date_trunc('minute', timestamptz '1970-01-01 00:00:00.5+00')
select date_trunc('hour', timestamp '1970-01-01 00:00:00.5'), date_trunc('hour', timestamptz '1970-01-01 00:00:00.5+00')
select date_trunc('day', timestamp '1970-01-01 00:00:00.5'), date_trunc('day', timestamptz '1970-01-01 00:00:00.5+00')
select date_trunc('week', timestamp '1970-01-01 00:00:00.5'), date_trunc('week', timestamptz '1970-01-01 00:00:00.5+00')
select date_trunc('month', timestamp '1970-01-01 00:00:00.5'), date_trunc('month', timestamptz '1970-01-01 00:00:00.5+00')
select date_trunc('quarter', timestamp '1970-01-01 00:00:00.5'), date_trunc('quarter', timestamptz '1970-01-01 00:00:00.5+00')
select date_trunc('year', timestamp '1970-01-01 00:00:00.5'), date_trunc('year', timestamptz '1970-01-01 00:00:00.5+00')
select date_trunc('decade', timestamp '1970-01-01 00:00:00.5'), date_trunc('decade', timestamptz '1970-01-01 00:00:00.5+00')
select date_trunc('century', timestamp '1970-01-01 00:00:00.5'), date_trunc('century', timestamptz '1970-01-01 00:00:00.5+00')
select extract(year from timestamp '1970-01-01 00:00:00.5'), date_part('year', timestamptz '1970-01-01 00:00:00.5+00')
select extract(month from timestamp '1970-01-01 00:00:00.5'), date_part('month', timestamptz '1970-01-01 00:00:00.5+00')
select extract(day from timestamp '1970-01-01 00:00:00.5'), date_part('day', timestamptz '1970-01-01 00:00:00.5+00')
select extract(hour from timestamp '1970-01-01 00:00:00.5'), date_part('hour', timestamptz '1970-01-01 00:00:00.5+00')
select extract(minute from timestamp '1970-01-01 00:00:00.5'), date_part('minute', timestamptz '1970-01-01 00:00:00.5+00')
select extract(second from timestamp '1970-01-01 00:00:00.5'), date_part('second', timestamptz '1970-01-01 00:00:00.5+00')
select extract(dow from timestamp '1970-01-01 00:00:00.5'), date_part('dow', timestamptz '1970-01-01 00:00:00.5+00')
select extract(isodow from timestamp '1970-01-01 00:00:00.5'), date_part('isodow', timestamptz '1970-01-01 00:00:00.5+00')
select extract(doy from timestamp '1970-01-01 00:00:00.5'), date_part('doy', timestamptz '1970-01-01 00:00:00.5+00')
select extract(week from timestamp '1970-01-01 00:00:00.5'), date_part('week', timestamptz '1970-01-01 00:00:00.5+00')
select extract(isoyear from timestamp '1970-01-01 00:00:00.5'), date_part('isoyear', timestamptz '1970-01-01 00:00:00.5+00')
select extract(quarter from timestamp '1970-01-01 00:00:00.5'), date_part('quarter', timestamptz '1970-01-01 00:00:00.5+00')
select extract(epoch from timestamp '1970-01-01 00:00:00.5'), date_part('epoch', timestamptz '1970-01-01 00:00:00.5+00')
select extract(milliseconds from timestamp '1970-01-01 00:00:00.5'), date_part('milliseconds', timestamptz '1970-01-01 00:00:00.5+00')
select extract(microseconds from timestamp '1970-01-01 00:00:00.5'), date_part('microseconds', timestamptz '1970-01-01 00:00:00.5+00')
select extract(decade from timestamp '1970-01-01 00:00:00.5'), date_part('decade', timestamptz '1970-01-01 00:00:00.5+00')
select extract(century from timestamp '1970-01-01 00:00:00.5'), date_part('century', timestamptz '1970-01-01 00:00:00.5+00')
select timestamptz '1970-01-01 00:00:00.5+00' at time zone 'UTC', timestamp '1970-01-01 00:00:00.5' at time zone 'UTC', date_trunc('day', timestamptz '1970-01-01 00:00:00.5+00' at time zone 'UTC')
select timestamptz '1970-01-01 00:00:00.5+00' at time zone 'Europe/Berlin', timestamp '1970-01-01 00:00:00.5' at time zone 'Europe/Berlin', date_trunc('day', timestamptz '1970-01-01 00:00:00.5+00' at time zone 'Europe/Berlin')
select timestamptz '1970-01-01 00:00:00.5+00' at time zone 'America/New_York', timestamp '1970-01-01 00:00:00.5' at time zone 'America/New_York', date_trunc('day', timestamptz '1970-01-01 00:00:00.5+00' at time zone 'America/New_York')
select timestamptz '1970-01-01 00:00:00.5+00' at time zone 'Asia/Kolkata', timestamp '1970-01-01 00:00:00.5' at time zone 'Asia/Kolkata', date_trunc('day', timestamptz '1970-01-01 00:00:00.5+00' at time zone 'Asia/Kolkata')
select timestamptz '1970-01-01 00:00:00.5+00' at time zone 'Asia/Tokyo', timestamp '1970-01-01 00:00:00.5' at time zone 'Asia/Tokyo', date_trunc('day', timestamptz '1970-01-01 00:00:00.5+00' at time zone 'Asia/Tokyo')
select timestamp '1970-01-01 00:00:00.5' + interval '1 day', timestamp '1970-01-01 00:00:00.5' - interval '1 day'
select timestamp '1970-01-01 00:00:00.5' + interval '90 minutes', timestamp '1970-01-01 00:00:00.5' - interval '90 minutes'
select timestamp '1970-01-01 00:00:00.5' + interval '1 month', timestamp '1970-01-01 00:00:00.5' - interval '1 month'
select timestamp '1970-01-01 00:00:00.5' + interval '1 year 2 months 3 days', timestamp '1970-01-01 00:00:00.5' - interval '1 year 2 months 3 days'
select timestamp '1970-01-01 00:00:00.5' + interval '-36 hours', timestamp '1970-01-01 00:00:00.5' - interval '-36 hours'
select timestamp '1970-01-01 00:00:00.5' + interval '1.5 seconds', timestamp '1970-01-01 00:00:00.5' - interval '1.5 seconds'
select date_bin('15 minutes', timestamp '1970-01-01 00:00:00.5', timestamp '2001-01-01')
select date_bin('15 minutes', timestamptz '1970-01-01 00:00:00.5+00', timestamptz '2001-01-01 00:05:00+00')
select date_bin('1 hour', timestamp '1970-01-01 00:00:00.5', timestamp '2001-01-01')
select date_bin('1 hour', timestamptz '1970-01-01 00:00:00.5+00', timestamptz '2001-01-01 00:05:00+00')
select date_bin('7 days', timestamp '1970-01-01 00:00:00.5', timestamp '2001-01-01')
select date_bin('7 days', timestamptz '1970-01-01 00:00:00.5+00', timestamptz '2001-01-01 00:05:00+00')
select date_bin('30 seconds', timestamp '1970-01-01 00:00:00.5', timestamp '2001-01-01')
select date_bin('30 seconds', timestamptz '1970-01-01 00:00:00.5+00', timestamptz '2001-01-01 00:05:00+00')
select timestamp '1970-01-01 00:00:00.5'::date, timestamp '1970-01-01 00:00:00.5'::time, '1970-01-01 00:00:00.5'::timestamp::text
select to_char(timestamp '1970-01-01 00:00:00.5', 'YYYY-MM-DD HH24:MI:SS.US'), to_char(timestamp '1970-01-01 00:00:00.5', 'Dy, DD Mon YYYY')
select to_char(timestamp '1970-01-01 00:00:00.5', 'HH12:MI AM'), to_char(timestamp '1970-01-01 00:00:00.5', 'IYYY-"W"IW-ID Q DDD')
select to_char(timestamp '1970-01-01 00:00:00.5', 'FMMonth FMDD, YYYY'), to_char(timestamp '1970-01-01 00:00:00.5', 'Day|Month|MS')
select extract(epoch from timestamptz '1970-01-01 00:00:00.5+00')::int8
select timestamp '2024-02-29 13:45:06.789' - timestamp '2024-02-29 13:45:06.789', timestamp '2024-02-29 13:45:06.789' < timestamp '2024-02-29 13:45:06.789'
select date '2024-02-29' - date '2024-02-29', date '2024-02-29' + 3, date '2024-02-29' - interval '1 hour'
select timestamp '2024-02-29 13:45:06.789' - timestamp '2023-12-31 23:59:59.999999', timestamp '2024-02-29 13:45:06.789' < timestamp '2023-12-31 23:59:59.999999'
select date '2024-02-29' - date '2023-12-31', date '2024-02-29' + 3, date '2024-02-29' - interval '1 hour'
select timestamp '2024-02-29 13:45:06.789' - timestamp '2024-01-01 00:00:00', timestamp '2024-02-29 13:45:06.789' < timestamp '2024-01-01 00:00:00'
select date '2024-02-29' - date '2024-01-01', date '2024-02-29' + 3, date '2024-02-29' - interval '1 hour'
select timestamp '2024-02-29 13:45:06.789' - timestamp '1999-07-04 12:00:00', timestamp '2024-02-29 13:45:06.789' < timestamp '1999-07-04 12:00:00'
select date '2024-02-29' - date '1999-07-04', date '2024-02-29' + 3, date '2024-02-29' - interval '1 hour'
select timestamp '2023-12-31 23:59:59.999999' - timestamp '2024-02-29 13:45:06.789', timestamp '2023-12-31 23:59:59.999999' < timestamp '2024-02-29 13:45:06.789'
select date '2023-12-31' - date '2024-02-29', date '2023-12-31' + 3, date '2023-12-31' - interval '1 hour'
select timestamp '2023-12-31 23:59:59.999999' - timestamp '2023-12-31 23:59:59.999999', timestamp '2023-12-31 23:59:59.999999' < timestamp '2023-12-31 23:59:59.999999'
select date '2023-12-31' - date '2023-12-31', date '2023-12-31' + 3, date '2023-12-31' - interval '1 hour'
select timestamp '2023-12-31 23:59:59.999999' - timestamp '2024-01-01 00:00:00', timestamp '2023-12-31 23:59:59.999999' < timestamp '2024-01-01 00:00:00'
select date '2023-12-31' - date '2024-01-01', date '2023-12-31' + 3, date '2023-12-31' - interval '1 hour'
select timestamp '2023-12-31 23:59:59.999999' - timestamp '1999-07-04 12:00:00', timestamp '2023-12-31 23:59:59.999999' < timestamp '1999-07-04 12:00:00'
select date '2023-12-31' - date '1999-07-04', date '2023-12-31' + 3, date '2023-12-31' - interval '1 hour'
select timestamp '2024-01-01 00:00:00' - timestamp '2024-02-29 13:45:06.789', timestamp '2024-01-01 00:00:00' < timestamp '2024-02-29 13:45:06.789'
select date '2024-01-01' - date '2024-02-29', date '2024-01-01' + 3, date '2024-01-01' - interval '1 hour'
select timestamp '2024-01-01 00:00:00' - timestamp '2023-12-31 23:59:59.999999', timestamp '2024-01-01 00:00:00' < timestamp '2023-12-31 23:59:59.999999'
select date '2024-01-01' - date '2023-12-31', date '2024-01-01' + 3, date '2024-01-01' - interval '1 hour'
select timestamp '2024-01-01 00:00:00' - timestamp '2024-01-01 00:00:00', timestamp '2024-01-01 00:00:00' < timestamp '2024-01-01 00:00:00'
select date '2024-01-01' - date '2024-01-01', date '2024-01-01' + 3, date '2024-01-01' - interval '1 hour'
select timestamp '2024-01-01 00:00:00' - timestamp '1999-07-04 12:00:00', timestamp '2024-01-01 00:00:00' < timestamp '1999-07-04 12:00:00'
select date '2024-01-01' - date '1999-07-04', date '2024-01-01' + 3, date '2024-01-01' - interval '1 hour'
select timestamp '1999-07-04 12:00:00' - timestamp '2024-02-29 13:45:06.789', timestamp '1999-07-04 12:00:00' < timestamp '2024-02-29 13:45:06.789'
select date '1999-07-04' - date '2024-02-29', date '1999-07-04' + 3, date '1999-07-04' - interval '1 hour'
select timestamp '1999-07-04 12:00:00' - timestamp '2023-12-31 23:59:59.999999', timestamp '1999-07-04 12:00:00' < timestamp '2023-12-31 23:59:59.999999'
select date '1999-07-04' - date '2023-12-31', date '1999-07-04' + 3, date '1999-07-04' - interval '1 hour'
select timestamp '1999-07-04 12:00:00' - timestamp '2024-01-01 00:00:00', timestamp '1999-07-04 12:00:00' < timestamp '2024-01-01 00:00:00'
select date '1999-07-04' - date '2024-01-01', date '1999-07-04' + 3, date '1999-07-04' - interval '1 hour'
select timestamp '1999-07-04 12:00:00' - timestamp '1999-07-04 12:00:00', timestamp '1999-07-04 12:00:00' < timestamp '1999-07-04 12:00:00'
select date '1999-07-04' - date '1999-07-04', date '1999-07-04' + 3, date '1999-07-04' - interval '1 hour'
select to_timestamp('2024-02-29 13:45:06', 'YYYY-MM-DD HH24:MI:SS')
select to_date('2024-02-29 13:45:06', 'YYYY-MM-DD HH24:MI:SS')
select to_timestamp('29/02/2024', 'DD/MM/YYYY')
select to_date('29/02/2024', 'DD/MM/YYYY')
select to_timestamp('20240229', 'YYYYMMDD')
select to_date('20240229', 'YYYYMMDD')
select to_timestamp('2024-02-29 01:45 PM', 'YYYY-MM-DD HH12:MI PM')
select to_date('2024-02-29 01:45 PM', 'YYYY-MM-DD HH12:MI PM')
select to_timestamp('29 Feb 2024', 'DD Mon YYYY')
select to_date('29 Feb 2024', 'DD Mon YYYY')
select to_timestamp('2024-02-29 13:45:06.789', 'YYYY-MM-DD HH24:MI:SS.US')
select to_date('2024-02-29 13:45:06.789', 'YYYY-MM-DD HH24:MI:SS.US')
select to_timestamp('2024-060', 'YYYY-DDD')
select to_date('2024-060', 'YYYY-DDD')
select to_timestamp(0)
select to_timestamp(1700000000)
select to_timestamp(-1)
select to_timestamp(1700000000.5)
select interval '1 day'
select interval '1 day' * 2, interval '1 day' / 2, interval '1 day' + interval '1 hour'
select 3 * interval '1 day', interval '1 day' = interval '1 day'
select extract(epoch from interval '1 day'), extract(day from interval '1 day')
select interval '25 hours'
select interval '25 hours' * 2, interval '25 hours' / 2, interval '25 hours' + interval '1 hour'
select 3 * interval '25 hours', interval '25 hours' = interval '25 hours'
select extract(epoch from interval '25 hours'), extract(day from interval '25 hours')
select interval '90 minutes'
select interval '90 minutes' * 2, interval '90 minutes' / 2, interval '90 minutes' + interval '1 hour'
select 3 * interval '90 minutes', interval '90 minutes' = interval '90 minutes'
select extract(epoch from interval '90 minutes'), extract(day from interval '90 minutes')
select interval '1 month 2 days'
select interval '1 month 2 days' * 2, interval '1 month 2 days' / 2, interval '1 month 2 days' + interval '1 hour'
select 3 * interval '1 month 2 days', interval '1 month 2 days' = interval '1 month 2 days'
select extract(epoch from interval '1 month 2 days'), extract(day from interval '1 month 2 days')
select interval '-3 days'
select interval '-3 days' * 2, interval '-3 days' / 2, interval '-3 days' + interval '1 hour'
select 3 * interval '-3 days', interval '-3 days' = interval '-3 days'
select extract(epoch from interval '-3 days'), extract(day from interval '-3 days')
select interval '1.5 hours'
select interval '1.5 hours' * 2, interval '1.5 hours' / 2, interval '1.5 hours' + interval '1 hour'
select 3 * interval '1.5 hours', interval '1.5 hours' = interval '1.5 hours'
select extract(epoch from interval '1.5 hours'), extract(day from interval '1.5 hours')
select interval 'P1DT2H'
select interval 'P1DT2H' * 2, interval 'P1DT2H' / 2, interval 'P1DT2H' + interval '1 hour'
select 3 * interval 'P1DT2H', interval 'P1DT2H' = interval 'P1DT2H'
select extract(epoch from interval 'P1DT2H'), extract(day from interval 'P1DT2H')
select interval '1 year'
select interval '1 year' * 2, interval '1 year' / 2, interval '1 year' + interval '1 hour'
select 3 * interval '1 year', interval '1 year' = interval '1 year'
select extract(epoch from interval '1 year'), extract(day from interval '1 year')
select make_date(2024, 2, 29), isfinite(timestamp '2024-01-01')
select age(timestamp '2024-03-01', timestamp '2023-01-15')
select '2024-13-01'::timestamp
select '2024-13-01'::date
select '2024-02-30'::timestamp
select '2024-02-30'::date
select 'yesterdayish'::timestamp
select 'yesterdayish'::date
select '24:61'::timestamp
select '24:61'::date
select ''::timestamp
select ''::date
select count(*) from generate_series(timestamp '2024-01-01', timestamp '2024-01-02', interval '1 hour')
select x from generate_series(timestamp '2024-01-30', timestamp '2024-04-01', interval '1 month') x
select date_trunc('millennium', timestamp '2000-06-01'), date_trunc('millennium', timestamp '2001-06-01'), date_trunc('century', timestamp '2000-06-01'), date_trunc('decade', timestamp '2010-01-01')
select date_trunc('day', timestamptz '2024-03-31 12:00+00', 'Europe/Berlin'), date_trunc('hour', timestamptz '2024-03-31 12:34+00', 'Asia/Kolkata')
select clock_timestamp() >= now(), statement_timestamp() <= clock_timestamp()
select interval '1 day 02:03:04', interval '-02:03:04.5', interval '3 4:05:06', interval '25:00'
select interval '1h30m', interval '@ 1 hour 5 mins ago', interval '-1 day +02:03', interval '10'
select interval '1.5 years', interval '1.5 months', interval '1.5 weeks', interval '1-2', interval '-1-2'
select '1 day 02:03:04'::interval, cast('P1Y2M3W4DT5H6M7.5S' as interval), '2 decades 3 mons 100ms'::interval
select x::interval, x::interval::text from (values ('1 day 02:03:04'), ('-3 days'), (null)) t(x)
select timestamp '2024-01-31' + interval '1 mon 02:00', timestamp '2024-01-01 12:00' - '1 day 12:00'::interval
select interval '1 day 2'
select interval '1:60'
select interval 'tomorrow'
select interval ''
select interval '9999999999 days'
select '1 month 1 mon'::interval
select -interval '1 mon 2 days 03:04:05', - interval '-1 day', timestamp '2024-03-01' + -interval '1 day 1 hour', -(interval '2' day)
select now() - interval '00:05:00' < now(), -'1 day 02:00'::interval
select interval '36 hours' > interval '1 day', interval '1 day' = interval '24 hours', interval '1 mon' = interval '30 days', interval '1 year' > interval '364 days', interval '1 day' <> '24:00:00'
select timestamp '2024-03-02' - timestamp '2024-03-01' >= interval '1 day', timestamp '2024-03-02' - timestamp '2024-03-01' < interval '23 hours', timestamp '2026-01-01' - timestamp '2015-01-01' > interval '10 years'
select interval '25 hours' between interval '1 day' and interval '2 days', interval '3 days' not between interval '1 hour' and interval '50 hours'
select a < b, a = b from (values (interval '1 mon', interval '31 days'), (interval '24 hours', interval '1 day'), (null, interval '1 day')) t(a, b)
select interval '1 day' / 3, interval '1 day' / 24, interval '1 day' / 7, interval '1 mon' / 7, interval '10 days' * 0.1
select (timestamp '2024-03-02' - timestamp '2024-03-01 12:00') / 3
select count(*) from (values (interval '36 hours'), (interval '2 hours')) t(x) where x > '1 day'
