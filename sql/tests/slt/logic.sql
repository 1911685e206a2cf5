select true and true, true or true, true = true, true <> true, not true
select true is true, true is not false, true is unknown, (true) is distinct from (true)
select true and false, true or false, true = false, true <> false, not true
select true is true, true is not false, true is unknown, (true) is distinct from (false)
select true and null::bool, true or null::bool, true = null::bool, true <> null::bool, not true
select true is true, true is not false, true is unknown, (true) is distinct from (null::bool)
select false and true, false or true, false = true, false <> true, not false
select false is true, false is not false, false is unknown, (false) is distinct from (true)
select false and false, false or false, false = false, false <> false, not false
select false is true, false is not false, false is unknown, (false) is distinct from (false)
select false and null::bool, false or null::bool, false = null::bool, false <> null::bool, not false
select false is true, false is not false, false is unknown, (false) is distinct from (null::bool)
select null::bool and true, null::bool or true, null::bool = true, null::bool <> true, not null::bool
select null::bool is true, null::bool is not false, null::bool is unknown, (null::bool) is distinct from (true)
select null::bool and false, null::bool or false, null::bool = false, null::bool <> false, not null::bool
select null::bool is true, null::bool is not false, null::bool is unknown, (null::bool) is distinct from (false)
select null::bool and null::bool, null::bool or null::bool, null::bool = null::bool, null::bool <> null::bool, not null::bool
select null::bool is true, null::bool is not false, null::bool is unknown, (null::bool) is distinct from (null::bool)
select 1 in (1, 1), 1 not in (1, 1)
select 1 between 1 and 1, 1 not between 1 and 1
select coalesce(1, 1, 1), greatest(1, 1, 1), least(1, 1, 1)
select nullif(1, 1), case 1 when 1 then 'b' when 1 then 'c' else 'e' end
select case when 1 = 1 then 1 when 1 > 1 then 2 end
select 1 in (1, 2), 1 not in (1, 2)
select 1 between 1 and 2, 1 not between 1 and 2
select coalesce(1, 1, 2), greatest(1, 1, 2), least(1, 1, 2)
select nullif(1, 1), case 1 when 1 then 'b' when 2 then 'c' else 'e' end
select case when 1 = 1 then 1 when 1 > 2 then 2 end
select 1 in (1, null), 1 not in (1, null)
select 1 between 1 and null, 1 not between 1 and null
select coalesce(1, 1, null), greatest(1, 1, null), least(1, 1, null)
select nullif(1, 1), case 1 when 1 then 'b' when null then 'c' else 'e' end
select case when 1 = 1 then 1 when 1 > null then 2 end
select 1 in (2, 1), 1 not in (2, 1)
select 1 between 2 and 1, 1 not between 2 and 1
select coalesce(1, 2, 1), greatest(1, 2, 1), least(1, 2, 1)
select nullif(1, 2), case 1 when 2 then 'b' when 1 then 'c' else 'e' end
select case when 1 = 2 then 1 when 1 > 1 then 2 end
select 1 in (2, 2), 1 not in (2, 2)
select 1 between 2 and 2, 1 not between 2 and 2
select coalesce(1, 2, 2), greatest(1, 2, 2), least(1, 2, 2)
select nullif(1, 2), case 1 when 2 then 'b' when 2 then 'c' else 'e' end
select case when 1 = 2 then 1 when 1 > 2 then 2 end
select 1 in (2, null), 1 not in (2, null)
select 1 between 2 and null, 1 not between 2 and null
select coalesce(1, 2, null), greatest(1, 2, null), least(1, 2, null)
select nullif(1, 2), case 1 when 2 then 'b' when null then 'c' else 'e' end
select case when 1 = 2 then 1 when 1 > null then 2 end
select 1 in (null, 1), 1 not in (null, 1)
select 1 between null and 1, 1 not between null and 1
select coalesce(1, null, 1), greatest(1, null, 1), least(1, null, 1)
select nullif(1, null), case 1 when null then 'b' when 1 then 'c' else 'e' end
select case when 1 = null then 1 when 1 > 1 then 2 end
select 1 in (null, 2), 1 not in (null, 2)
select 1 between null and 2, 1 not between null and 2
select coalesce(1, null, 2), greatest(1, null, 2), least(1, null, 2)
select nullif(1, null), case 1 when null then 'b' when 2 then 'c' else 'e' end
select case when 1 = null then 1 when 1 > 2 then 2 end
select 1 in (null, null), 1 not in (null, null)
select 1 between null and null, 1 not between null and null
select coalesce(1, null, null), greatest(1, null, null), least(1, null, null)
select nullif(1, null), case 1 when null then 'b' when null then 'c' else 'e' end
select case when 1 = null then 1 when 1 > null then 2 end
select 2 in (1, 1), 2 not in (1, 1)
select 2 between 1 and 1, 2 not between 1 and 1
select coalesce(2, 1, 1), greatest(2, 1, 1), least(2, 1, 1)
select nullif(2, 1), case 2 when 1 then 'b' when 1 then 'c' else 'e' end
select case when 2 = 1 then 1 when 2 > 1 then 2 end
select 2 in (1, 2), 2 not in (1, 2)
select 2 between 1 and 2, 2 not between 1 and 2
select coalesce(2, 1, 2), greatest(2, 1, 2), least(2, 1, 2)
select nullif(2, 1), case 2 when 1 then 'b' when 2 then 'c' else 'e' end
select case when 2 = 1 then 1 when 2 > 2 then 2 end
select 2 in (1, null), 2 not in (1, null)
select 2 between 1 and null, 2 not between 1 and null
select coalesce(2, 1, null), greatest(2, 1, null), least(2, 1, null)
select nullif(2, 1), case 2 when 1 then 'b' when null then 'c' else 'e' end
select case when 2 = 1 then 1 when 2 > null then 2 end
select 2 in (2, 1), 2 not in (2, 1)
select 2 between 2 and 1, 2 not between 2 and 1
select coalesce(2, 2, 1), greatest(2, 2, 1), least(2, 2, 1)
select nullif(2, 2), case 2 when 2 then 'b' when 1 then 'c' else 'e' end
select case when 2 = 2 then 1 when 2 > 1 then 2 end
select 2 in (2, 2), 2 not in (2, 2)
select 2 between 2 and 2, 2 not between 2 and 2
select coalesce(2, 2, 2), greatest(2, 2, 2), least(2, 2, 2)
select nullif(2, 2), case 2 when 2 then 'b' when 2 then 'c' else 'e' end
select case when 2 = 2 then 1 when 2 > 2 then 2 end
select 2 in (2, null), 2 not in (2, null)
select 2 between 2 and null, 2 not between 2 and null
select coalesce(2, 2, null), greatest(2, 2, null), least(2, 2, null)
select nullif(2, 2), case 2 when 2 then 'b' when null then 'c' else 'e' end
select case when 2 = 2 then 1 when 2 > null then 2 end
select 2 in (null, 1), 2 not in (null, 1)
select 2 between null and 1, 2 not between null and 1
select coalesce(2, null, 1), greatest(2, null, 1), least(2, null, 1)
select nullif(2, null), case 2 when null then 'b' when 1 then 'c' else 'e' end
select case when 2 = null then 1 when 2 > 1 then 2 end
select 2 in (null, 2), 2 not in (null, 2)
select 2 between null and 2, 2 not between null and 2
select coalesce(2, null, 2), greatest(2, null, 2), least(2, null, 2)
select nullif(2, null), case 2 when null then 'b' when 2 then 'c' else 'e' end
select case when 2 = null then 1 when 2 > 2 then 2 end
select 2 in (null, null), 2 not in (null, null)
select 2 between null and null, 2 not between null and null
select coalesce(2, null, null), greatest(2, null, null), least(2, null, null)
select nullif(2, null), case 2 when null then 'b' when null then 'c' else 'e' end
select case when 2 = null then 1 when 2 > null then 2 end
select null in (1, 1), null not in (1, 1)
select null between 1 and 1, null not between 1 and 1
select coalesce(null, 1, 1), greatest(null, 1, 1), least(null, 1, 1)
select nullif(null, 1), case null when 1 then 'b' when 1 then 'c' else 'e' end
select case when null = 1 then 1 when null > 1 then 2 end
select null in (1, 2), null not in (1, 2)
select null between 1 and 2, null not between 1 and 2
select coalesce(null, 1, 2), greatest(null, 1, 2), least(null, 1, 2)
select nullif(null, 1), case null when 1 then 'b' when 2 then 'c' else 'e' end
select case when null = 1 then 1 when null > 2 then 2 end
select null in (1, null), null not in (1, null)
select null between 1 and null, null not between 1 and null
select coalesce(null, 1, null), greatest(null, 1, null), least(null, 1, null)
select nullif(null, 1), case null when 1 then 'b' when null then 'c' else 'e' end
select case when null = 1 then 1 when null > null then 2 end
select null in (2, 1), null not in (2, 1)
select null between 2 and 1, null not between 2 and 1
select coalesce(null, 2, 1), greatest(null, 2, 1), least(null, 2, 1)
select nullif(null, 2), case null when 2 then 'b' when 1 then 'c' else 'e' end
select case when null = 2 then 1 when null > 1 then 2 end
select null in (2, 2), null not in (2, 2)
select null between 2 and 2, null not between 2 and 2
select coalesce(null, 2, 2), greatest(null, 2, 2), least(null, 2, 2)
select nullif(null, 2), case null when 2 then 'b' when 2 then 'c' else 'e' end
select case when null = 2 then 1 when null > 2 then 2 end
select null in (2, null), null not in (2, null)
select null between 2 and null, null not between 2 and null
select coalesce(null, 2, null), greatest(null, 2, null), least(null, 2, null)
select nullif(null, 2), case null when 2 then 'b' when null then 'c' else 'e' end
select case when null = 2 then 1 when null > null then 2 end
select null in (null, 1), null not in (null, 1)
select null between null and 1, null not between null and 1
select coalesce(null, null, 1), greatest(null, null, 1), least(null, null, 1)
select nullif(null, null), case null when null then 'b' when 1 then 'c' else 'e' end
select case when null = null then 1 when null > 1 then 2 end
select null in (null, 2), null not in (null, 2)
select null between null and 2, null not between null and 2
select coalesce(null, null, 2), greatest(null, null, 2), least(null, null, 2)
select nullif(null, null), case null when null then 'b' when 2 then 'c' else 'e' end
select case when null = null then 1 when null > 2 then 2 end
select null in (null, null), null not in (null, null)
select null between null and null, null not between null and null
select coalesce(null, null, null), greatest(null, null, null), least(null, null, null)
select nullif(null, null), case null when null then 'b' when null then 'c' else 'e' end
select case when null = null then 1 when null > null then 2 end
select 't'::bool
select 'true'::bool
select 'yes'::bool
select 'on'::bool
select '1'::bool
select 'f'::bool
select 'no'::bool
select 'off'::bool
select '0'::bool
select 'maybe'::bool
select 'TRUE'::bool
select ' t '::bool
select true is distinct from false and false, null is not distinct from null or false
select 1 is distinct from 2 and 3 is not distinct from 3 or 1 is distinct from 1
select x from (values ('a'), ('b'), (null)) t(x) where x is distinct from 'a' and x is distinct from null order by x
select false is distinct from (true and false)
