select array[1, 2, 3], array_length(array[1, 2, 3], 1), cardinality(array[1, 2, 3])
select 1 = any(array[1, 2, 3]), 2 <> all(array[1, 2, 3]), 3 > any(array[1, 2, 3])
select array[1, 2, 3][1], array[1, 2, 3][2:3]
select array_append(array[1, 2, 3], 9), array_prepend(9, array[1, 2, 3]), array_cat(array[1, 2, 3], array[7])
select array_position(array[1, 2, 3], 3), array_remove(array[1, 2, 3], 3), array_replace(array[1, 2, 3], 1, 8)
select array[1, 2, 3] || array[5], array[1, 2, 3] @> array[1], array[1] <@ array[1, 2, 3], array[1, 2, 3] && array[3, 4]
select x from unnest(array[1, 2, 3]) x order by x
select array_to_string(array[1, 2, 3], ',', '*'), array[1, 2, 3] = array[1, 2, 3], array[1, 2, 3] < array[2]
select array[]::int[], array_length(array[]::int[], 1), cardinality(array[]::int[])
select 1 = any(array[]::int[]), 2 <> all(array[]::int[]), 3 > any(array[]::int[])
select array[]::int[][1], array[]::int[][2:3]
select array_append(array[]::int[], 9), array_prepend(9, array[]::int[]), array_cat(array[]::int[], array[7])
select array_position(array[]::int[], 3), array_remove(array[]::int[], 3), array_replace(array[]::int[], 1, 8)
select array[]::int[] || array[5], array[]::int[] @> array[1], array[1] <@ array[]::int[], array[]::int[] && array[3, 4]
select x from unnest(array[]::int[]) x order by x
select array_to_string(array[]::int[], ',', '*'), array[]::int[] = array[1, 2, 3], array[]::int[] < array[2]
select array[3, null, 1], array_length(array[3, null, 1], 1), cardinality(array[3, null, 1])
select 1 = any(array[3, null, 1]), 2 <> all(array[3, null, 1]), 3 > any(array[3, null, 1])
select array[3, null, 1][1], array[3, null, 1][2:3]
select array_append(array[3, null, 1], 9), array_prepend(9, array[3, null, 1]), array_cat(array[3, null, 1], array[7])
select array_position(array[3, null, 1], 3), array_remove(array[3, null, 1], 3), array_replace(array[3, null, 1], 1, 8)
select array[3, null, 1] || array[5], array[3, null, 1] @> array[1], array[1] <@ array[3, null, 1], array[3, null, 1] && array[3, 4]
select x from unnest(array[3, null, 1]) x order by x
select array_to_string(array[3, null, 1], ',', '*'), array[3, null, 1] = array[1, 2, 3], array[3, null, 1] < array[2]
select '{4,5}'::int[], array_length('{4,5}'::int[], 1), cardinality('{4,5}'::int[])
select 1 = any('{4,5}'::int[]), 2 <> all('{4,5}'::int[]), 3 > any('{4,5}'::int[])
select ('{4,5}'::int[])[1]
select array_append('{4,5}'::int[], 9), array_prepend(9, '{4,5}'::int[]), array_cat('{4,5}'::int[], array[7])
select array_position('{4,5}'::int[], 3), array_remove('{4,5}'::int[], 3), array_replace('{4,5}'::int[], 1, 8)
select '{4,5}'::int[] || array[5], '{4,5}'::int[] @> array[1], array[1] <@ '{4,5}'::int[], '{4,5}'::int[] && array[3, 4]
select x from unnest('{4,5}'::int[]) x order by x
select array_to_string('{4,5}'::int[], ',', '*'), '{4,5}'::int[] = array[1, 2, 3], '{4,5}'::int[] < array[2]
select array_agg(x order by x desc) from unnest(array[2, 3, 1]) x
select array(select x from generate_series(1, 3) x order by x desc)
select '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb ->> 'a'
select ('{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb -> 'a') is null
select '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb ->> 'c'
select ('{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb -> 'c') is null
select '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb ->> 'd'
select ('{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb -> 'd') is null
select '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb ->> 'e'
select ('{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb -> 'e') is null
select '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb ->> 'nope'
select ('{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb -> 'nope') is null
select '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb ->> 0
select ('{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb -> 0) is null
select '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb ->> 1
select ('{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb -> 1) is null
select '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb ->> -1
select ('{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb -> -1) is null
select '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb #>> '{a,b}'
select ('{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb #> '{a,b}') is null
select '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb #>> '{a,b,1}'
select ('{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb #> '{a,b,1}') is null
select '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb #>> '{a,b,-1}'
select ('{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb #> '{a,b,-1}') is null
select '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb #>> '{c}'
select ('{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb #> '{c}') is null
select '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb #>> '{1,k}'
select ('{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb #> '{1,k}') is null
select '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb #>> '{}'
select ('{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb #> '{}') is null
select '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb #>> '{nope,x}'
select ('{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb #> '{nope,x}') is null
select '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb @> '{"c": "t"}'::jsonb, '{"c": "t"}'::jsonb <@ '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb
select '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb @> '{"a": {"b": [1]}}'::jsonb, '{"a": {"b": [1]}}'::jsonb <@ '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb
select '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb @> '[1]'::jsonb, '[1]'::jsonb <@ '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb
select '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb @> '1'::jsonb, '1'::jsonb <@ '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb
select '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb @> '{"d": 1.50}'::jsonb, '{"d": 1.50}'::jsonb <@ '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb
select '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb @> '{}'::jsonb, '{}'::jsonb <@ '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb
select '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb @> '[]'::jsonb, '[]'::jsonb <@ '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb
select '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb @> '{"c": "u"}'::jsonb, '{"c": "u"}'::jsonb <@ '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb
select '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb ? 'a', '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb ? 'k', '{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb ? 's'
select jsonb_typeof('{"a": {"b": [1, "x", null]}, "c": "t", "d": 1.5, "e": true}'::jsonb)
select '[1, {"k": "v"}]'::jsonb ->> 'a'
select ('[1, {"k": "v"}]'::jsonb -> 'a') is null
select '[1, {"k": "v"}]'::jsonb ->> 'c'
select ('[1, {"k": "v"}]'::jsonb -> 'c') is null
select '[1, {"k": "v"}]'::jsonb ->> 'd'
select ('[1, {"k": "v"}]'::jsonb -> 'd') is null
select '[1, {"k": "v"}]'::jsonb ->> 'e'
select ('[1, {"k": "v"}]'::jsonb -> 'e') is null
select '[1, {"k": "v"}]'::jsonb ->> 'nope'
select ('[1, {"k": "v"}]'::jsonb -> 'nope') is null
select '[1, {"k": "v"}]'::jsonb ->> 0
select ('[1, {"k": "v"}]'::jsonb -> 0) is null
select '[1, {"k": "v"}]'::jsonb ->> 1
select ('[1, {"k": "v"}]'::jsonb -> 1) is null
select '[1, {"k": "v"}]'::jsonb ->> -1
select ('[1, {"k": "v"}]'::jsonb -> -1) is null
select '[1, {"k": "v"}]'::jsonb #>> '{a,b}'
select ('[1, {"k": "v"}]'::jsonb #> '{a,b}') is null
select '[1, {"k": "v"}]'::jsonb #>> '{a,b,1}'
select ('[1, {"k": "v"}]'::jsonb #> '{a,b,1}') is null
select '[1, {"k": "v"}]'::jsonb #>> '{a,b,-1}'
select ('[1, {"k": "v"}]'::jsonb #> '{a,b,-1}') is null
select '[1, {"k": "v"}]'::jsonb #>> '{c}'
select ('[1, {"k": "v"}]'::jsonb #> '{c}') is null
select '[1, {"k": "v"}]'::jsonb #>> '{1,k}'
select ('[1, {"k": "v"}]'::jsonb #> '{1,k}') is null
select '[1, {"k": "v"}]'::jsonb #>> '{}'
select ('[1, {"k": "v"}]'::jsonb #> '{}') is null
select '[1, {"k": "v"}]'::jsonb #>> '{nope,x}'
select ('[1, {"k": "v"}]'::jsonb #> '{nope,x}') is null
select '[1, {"k": "v"}]'::jsonb @> '{"c": "t"}'::jsonb, '{"c": "t"}'::jsonb <@ '[1, {"k": "v"}]'::jsonb
select '[1, {"k": "v"}]'::jsonb @> '{"a": {"b": [1]}}'::jsonb, '{"a": {"b": [1]}}'::jsonb <@ '[1, {"k": "v"}]'::jsonb
select '[1, {"k": "v"}]'::jsonb @> '[1]'::jsonb, '[1]'::jsonb <@ '[1, {"k": "v"}]'::jsonb
select '[1, {"k": "v"}]'::jsonb @> '1'::jsonb, '1'::jsonb <@ '[1, {"k": "v"}]'::jsonb
select '[1, {"k": "v"}]'::jsonb @> '{"d": 1.50}'::jsonb, '{"d": 1.50}'::jsonb <@ '[1, {"k": "v"}]'::jsonb
select '[1, {"k": "v"}]'::jsonb @> '{}'::jsonb, '{}'::jsonb <@ '[1, {"k": "v"}]'::jsonb
select '[1, {"k": "v"}]'::jsonb @> '[]'::jsonb, '[]'::jsonb <@ '[1, {"k": "v"}]'::jsonb
select '[1, {"k": "v"}]'::jsonb @> '{"c": "u"}'::jsonb, '{"c": "u"}'::jsonb <@ '[1, {"k": "v"}]'::jsonb
select '[1, {"k": "v"}]'::jsonb ? 'a', '[1, {"k": "v"}]'::jsonb ? 'k', '[1, {"k": "v"}]'::jsonb ? 's'
select jsonb_typeof('[1, {"k": "v"}]'::jsonb)
select '"s"'::jsonb ->> 'a'
select ('"s"'::jsonb -> 'a') is null
select '"s"'::jsonb ->> 'c'
select ('"s"'::jsonb -> 'c') is null
select '"s"'::jsonb ->> 'd'
select ('"s"'::jsonb -> 'd') is null
select '"s"'::jsonb ->> 'e'
select ('"s"'::jsonb -> 'e') is null
select '"s"'::jsonb ->> 'nope'
select ('"s"'::jsonb -> 'nope') is null
select '"s"'::jsonb ->> 0
select ('"s"'::jsonb -> 0) is null
select '"s"'::jsonb ->> 1
select ('"s"'::jsonb -> 1) is null
select '"s"'::jsonb ->> -1
select ('"s"'::jsonb -> -1) is null
select '"s"'::jsonb #>> '{a,b}'
select ('"s"'::jsonb #> '{a,b}') is null
select '"s"'::jsonb #>> '{a,b,1}'
select ('"s"'::jsonb #> '{a,b,1}') is null
select '"s"'::jsonb #>> '{a,b,-1}'
select ('"s"'::jsonb #> '{a,b,-1}') is null
select '"s"'::jsonb #>> '{c}'
select ('"s"'::jsonb #> '{c}') is null
select '"s"'::jsonb #>> '{1,k}'
select ('"s"'::jsonb #> '{1,k}') is null
select '"s"'::jsonb #>> '{}'
select ('"s"'::jsonb #> '{}') is null
select '"s"'::jsonb #>> '{nope,x}'
select ('"s"'::jsonb #> '{nope,x}') is null
select '"s"'::jsonb @> '{"c": "t"}'::jsonb, '{"c": "t"}'::jsonb <@ '"s"'::jsonb
select '"s"'::jsonb @> '{"a": {"b": [1]}}'::jsonb, '{"a": {"b": [1]}}'::jsonb <@ '"s"'::jsonb
select '"s"'::jsonb @> '[1]'::jsonb, '[1]'::jsonb <@ '"s"'::jsonb
select '"s"'::jsonb @> '1'::jsonb, '1'::jsonb <@ '"s"'::jsonb
select '"s"'::jsonb @> '{"d": 1.50}'::jsonb, '{"d": 1.50}'::jsonb <@ '"s"'::jsonb
select '"s"'::jsonb @> '{}'::jsonb, '{}'::jsonb <@ '"s"'::jsonb
select '"s"'::jsonb @> '[]'::jsonb, '[]'::jsonb <@ '"s"'::jsonb
select '"s"'::jsonb @> '{"c": "u"}'::jsonb, '{"c": "u"}'::jsonb <@ '"s"'::jsonb
select '"s"'::jsonb ? 'a', '"s"'::jsonb ? 'k', '"s"'::jsonb ? 's'
select jsonb_typeof('"s"'::jsonb)
select '7'::jsonb ->> 'a'
select ('7'::jsonb -> 'a') is null
select '7'::jsonb ->> 'c'
select ('7'::jsonb -> 'c') is null
select '7'::jsonb ->> 'd'
select ('7'::jsonb -> 'd') is null
select '7'::jsonb ->> 'e'
select ('7'::jsonb -> 'e') is null
select '7'::jsonb ->> 'nope'
select ('7'::jsonb -> 'nope') is null
select '7'::jsonb ->> 0
select ('7'::jsonb -> 0) is null
select '7'::jsonb ->> 1
select ('7'::jsonb -> 1) is null
select '7'::jsonb ->> -1
select ('7'::jsonb -> -1) is null
select '7'::jsonb #>> '{a,b}'
select ('7'::jsonb #> '{a,b}') is null
select '7'::jsonb #>> '{a,b,1}'
select ('7'::jsonb #> '{a,b,1}') is null
select '7'::jsonb #>> '{a,b,-1}'
select ('7'::jsonb #> '{a,b,-1}') is null
select '7'::jsonb #>> '{c}'
select ('7'::jsonb #> '{c}') is null
select '7'::jsonb #>> '{1,k}'
select ('7'::jsonb #> '{1,k}') is null
select '7'::jsonb #>> '{}'
select ('7'::jsonb #> '{}') is null
select '7'::jsonb #>> '{nope,x}'
select ('7'::jsonb #> '{nope,x}') is null
select '7'::jsonb @> '{"c": "t"}'::jsonb, '{"c": "t"}'::jsonb <@ '7'::jsonb
select '7'::jsonb @> '{"a": {"b": [1]}}'::jsonb, '{"a": {"b": [1]}}'::jsonb <@ '7'::jsonb
select '7'::jsonb @> '[1]'::jsonb, '[1]'::jsonb <@ '7'::jsonb
select '7'::jsonb @> '1'::jsonb, '1'::jsonb <@ '7'::jsonb
select '7'::jsonb @> '{"d": 1.50}'::jsonb, '{"d": 1.50}'::jsonb <@ '7'::jsonb
select '7'::jsonb @> '{}'::jsonb, '{}'::jsonb <@ '7'::jsonb
select '7'::jsonb @> '[]'::jsonb, '[]'::jsonb <@ '7'::jsonb
select '7'::jsonb @> '{"c": "u"}'::jsonb, '{"c": "u"}'::jsonb <@ '7'::jsonb
select '7'::jsonb ? 'a', '7'::jsonb ? 'k', '7'::jsonb ? 's'
select jsonb_typeof('7'::jsonb)
select jsonb_extract_path_text('{"a": {"b": 1}}'::jsonb, 'a', 'b'), jsonb_array_length('[1, 2]'::jsonb)
select ('{"a": 5}'::jsonb ->> 'a')::int + 1, '{"a": 5}'::json ->> 'a' = '5'
select key from (select jsonb_object_keys('{"b": 1, "a": 2}'::jsonb) as key) t order by key
select '{"a":1}'::jsonb || '{"b":2}'::jsonb
