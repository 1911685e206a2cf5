select '' like '', '' not like '', '' ilike '', '' not ilike ''
select '' like '%', '' not like '%', '' ilike '%', '' not ilike '%'
select '' like 'a%', '' not like 'a%', '' ilike 'a%', '' not ilike 'a%'
select '' like '%c', '' not like '%c', '' ilike '%c', '' not ilike '%c'
select '' like '%b%', '' not like '%b%', '' ilike '%b%', '' not ilike '%b%'
select '' like '_', '' not like '_', '' ilike '_', '' not ilike '_'
select '' like 'a_c', '' not like 'a_c', '' ilike 'a_c', '' not ilike 'a_c'
select '' like 'a\_c', '' not like 'a\_c', '' ilike 'a\_c', '' not ilike 'a\_c'
select '' like '50\%', '' not like '50\%', '' ilike '50\%', '' not ilike '50\%'
select '' like '%\%', '' not like '%\%', '' ilike '%\%', '' not ilike '%\%'
select '' like '__c', '' not like '__c', '' ilike '__c', '' not ilike '__c'
select '' like '%a%c%', '' not like '%a%c%', '' ilike '%a%c%', '' not ilike '%a%c%'
select '' like 'A%', '' not like 'A%', '' ilike 'A%', '' not ilike 'A%'
select '' like '_%', '' not like '_%', '' ilike '_%', '' not ilike '_%'
select 'a' like '', 'a' not like '', 'a' ilike '', 'a' not ilike ''
select 'a' like '%', 'a' not like '%', 'a' ilike '%', 'a' not ilike '%'
select 'a' like 'a%', 'a' not like 'a%', 'a' ilike 'a%', 'a' not ilike 'a%'
select 'a' like '%c', 'a' not like '%c', 'a' ilike '%c', 'a' not ilike '%c'
select 'a' like '%b%', 'a' not like '%b%', 'a' ilike '%b%', 'a' not ilike '%b%'
select 'a' like '_', 'a' not like '_', 'a' ilike '_', 'a' not ilike '_'
select 'a' like 'a_c', 'a' not like 'a_c', 'a' ilike 'a_c', 'a' not ilike 'a_c'
select 'a' like 'a\_c', 'a' not like 'a\_c', 'a' ilike 'a\_c', 'a' not ilike 'a\_c'
select 'a' like '50\%', 'a' not like '50\%', 'a' ilike '50\%', 'a' not ilike '50\%'
select 'a' like '%\%', 'a' not like '%\%', 'a' ilike '%\%', 'a' not ilike '%\%'
select 'a' like '__c', 'a' not like '__c', 'a' ilike '__c', 'a' not ilike '__c'
select 'a' like '%a%c%', 'a' not like '%a%c%', 'a' ilike '%a%c%', 'a' not ilike '%a%c%'
select 'a' like 'A%', 'a' not like 'A%', 'a' ilike 'A%', 'a' not ilike 'A%'
select 'a' like '_%', 'a' not like '_%', 'a' ilike '_%', 'a' not ilike '_%'
select 'abc' like '', 'abc' not like '', 'abc' ilike '', 'abc' not ilike ''
select 'abc' like '%', 'abc' not like '%', 'abc' ilike '%', 'abc' not ilike '%'
select 'abc' like 'a%', 'abc' not like 'a%', 'abc' ilike 'a%', 'abc' not ilike 'a%'
select 'abc' like '%c', 'abc' not like '%c', 'abc' ilike '%c', 'abc' not ilike '%c'
select 'abc' like '%b%', 'abc' not like '%b%', 'abc' ilike '%b%', 'abc' not ilike '%b%'
select 'abc' like '_', 'abc' not like '_', 'abc' ilike '_', 'abc' not ilike '_'
select 'abc' like 'a_c', 'abc' not like 'a_c', 'abc' ilike 'a_c', 'abc' not ilike 'a_c'
select 'abc' like 'a\_c', 'abc' not like 'a\_c', 'abc' ilike 'a\_c', 'abc' not ilike 'a\_c'
select 'abc' like '50\%', 'abc' not like '50\%', 'abc' ilike '50\%', 'abc' not ilike '50\%'
select 'abc' like '%\%', 'abc' not like '%\%', 'abc' ilike '%\%', 'abc' not ilike '%\%'
select 'abc' like '__c', 'abc' not like '__c', 'abc' ilike '__c', 'abc' not ilike '__c'
select 'abc' like '%a%c%', 'abc' not like '%a%c%', 'abc' ilike '%a%c%', 'abc' not ilike '%a%c%'
select 'abc' like 'A%', 'abc' not like 'A%', 'abc' ilike 'A%', 'abc' not ilike 'A%'
select 'abc' like '_%', 'abc' not like '_%', 'abc' ilike '_%', 'abc' not ilike '_%'
select 'Abc' like '', 'Abc' not like '', 'Abc' ilike '', 'Abc' not ilike ''
select 'Abc' like '%', 'Abc' not like '%', 'Abc' ilike '%', 'Abc' not ilike '%'
select 'Abc' like 'a%', 'Abc' not like 'a%', 'Abc' ilike 'a%', 'Abc' not ilike 'a%'
select 'Abc' like '%c', 'Abc' not like '%c', 'Abc' ilike '%c', 'Abc' not ilike '%c'
select 'Abc' like '%b%', 'Abc' not like '%b%', 'Abc' ilike '%b%', 'Abc' not ilike '%b%'
select 'Abc' like '_', 'Abc' not like '_', 'Abc' ilike '_', 'Abc' not ilike '_'
select 'Abc' like 'a_c', 'Abc' not like 'a_c', 'Abc' ilike 'a_c', 'Abc' not ilike 'a_c'
select 'Abc' like 'a\_c', 'Abc' not like 'a\_c', 'Abc' ilike 'a\_c', 'Abc' not ilike 'a\_c'
select 'Abc' like '50\%', 'Abc' not like '50\%', 'Abc' ilike '50\%', 'Abc' not ilike '50\%'
select 'Abc' like '%\%', 'Abc' not like '%\%', 'Abc' ilike '%\%', 'Abc' not ilike '%\%'
select 'Abc' like '__c', 'Abc' not like '__c', 'Abc' ilike '__c', 'Abc' not ilike '__c'
select 'Abc' like '%a%c%', 'Abc' not like '%a%c%', 'Abc' ilike '%a%c%', 'Abc' not ilike '%a%c%'
select 'Abc' like 'A%', 'Abc' not like 'A%', 'Abc' ilike 'A%', 'Abc' not ilike 'A%'
select 'Abc' like '_%', 'Abc' not like '_%', 'Abc' ilike '_%', 'Abc' not ilike '_%'
select 'straße' like '', 'straße' not like '', 'straße' ilike '', 'straße' not ilike ''
select 'straße' like '%', 'straße' not like '%', 'straße' ilike '%', 'straße' not ilike '%'
select 'straße' like 'a%', 'straße' not like 'a%', 'straße' ilike 'a%', 'straße' not ilike 'a%'
select 'straße' like '%c', 'straße' not like '%c', 'straße' ilike '%c', 'straße' not ilike '%c'
select 'straße' like '%b%', 'straße' not like '%b%', 'straße' ilike '%b%', 'straße' not ilike '%b%'
select 'straße' like '_', 'straße' not like '_', 'straße' ilike '_', 'straße' not ilike '_'
select 'straße' like 'a_c', 'straße' not like 'a_c', 'straße' ilike 'a_c', 'straße' not ilike 'a_c'
select 'straße' like 'a\_c', 'straße' not like 'a\_c', 'straße' ilike 'a\_c', 'straße' not ilike 'a\_c'
select 'straße' like '50\%', 'straße' not like '50\%', 'straße' ilike '50\%', 'straße' not ilike '50\%'
select 'straße' like '%\%', 'straße' not like '%\%', 'straße' ilike '%\%', 'straße' not ilike '%\%'
select 'straße' like '__c', 'straße' not like '__c', 'straße' ilike '__c', 'straße' not ilike '__c'
select 'straße' like '%a%c%', 'straße' not like '%a%c%', 'straße' ilike '%a%c%', 'straße' not ilike '%a%c%'
select 'straße' like 'A%', 'straße' not like 'A%', 'straße' ilike 'A%', 'straße' not ilike 'A%'
select 'straße' like '_%', 'straße' not like '_%', 'straße' ilike '_%', 'straße' not ilike '_%'
select 'héllo wörld' like '', 'héllo wörld' not like '', 'héllo wörld' ilike '', 'héllo wörld' not ilike ''
select 'héllo wörld' like '%', 'héllo wörld' not like '%', 'héllo wörld' ilike '%', 'héllo wörld' not ilike '%'
select 'héllo wörld' like 'a%', 'héllo wörld' not like 'a%', 'héllo wörld' ilike 'a%', 'héllo wörld' not ilike 'a%'
select 'héllo wörld' like '%c', 'héllo wörld' not like '%c', 'héllo wörld' ilike '%c', 'héllo wörld' not ilike '%c'
select 'héllo wörld' like '%b%', 'héllo wörld' not like '%b%', 'héllo wörld' ilike '%b%', 'héllo wörld' not ilike '%b%'
select 'héllo wörld' like '_', 'héllo wörld' not like '_', 'héllo wörld' ilike '_', 'héllo wörld' not ilike '_'
select 'héllo wörld' like 'a_c', 'héllo wörld' not like 'a_c', 'héllo wörld' ilike 'a_c', 'héllo wörld' not ilike 'a_c'
select 'héllo wörld' like 'a\_c', 'héllo wörld' not like 'a\_c', 'héllo wörld' ilike 'a\_c', 'héllo wörld' not ilike 'a\_c'
select 'héllo wörld' like '50\%', 'héllo wörld' not like '50\%', 'héllo wörld' ilike '50\%', 'héllo wörld' not ilike '50\%'
select 'héllo wörld' like '%\%', 'héllo wörld' not like '%\%', 'héllo wörld' ilike '%\%', 'héllo wörld' not ilike '%\%'
select 'héllo wörld' like '__c', 'héllo wörld' not like '__c', 'héllo wörld' ilike '__c', 'héllo wörld' not ilike '__c'
select 'héllo wörld' like '%a%c%', 'héllo wörld' not like '%a%c%', 'héllo wörld' ilike '%a%c%', 'héllo wörld' not ilike '%a%c%'
select 'héllo wörld' like 'A%', 'héllo wörld' not like 'A%', 'héllo wörld' ilike 'A%', 'héllo wörld' not ilike 'A%'
select 'héllo wörld' like '_%', 'héllo wörld' not like '_%', 'héllo wörld' ilike '_%', 'héllo wörld' not ilike '_%'
select 'a_c' like '', 'a_c' not like '', 'a_c' ilike '', 'a_c' not ilike ''
select 'a_c' like '%', 'a_c' not like '%', 'a_c' ilike '%', 'a_c' not ilike '%'
select 'a_c' like 'a%', 'a_c' not like 'a%', 'a_c' ilike 'a%', 'a_c' not ilike 'a%'
select 'a_c' like '%c', 'a_c' not like '%c', 'a_c' ilike '%c', 'a_c' not ilike '%c'
select 'a_c' like '%b%', 'a_c' not like '%b%', 'a_c' ilike '%b%', 'a_c' not ilike '%b%'
select 'a_c' like '_', 'a_c' not like '_', 'a_c' ilike '_', 'a_c' not ilike '_'
select 'a_c' like 'a_c', 'a_c' not like 'a_c', 'a_c' ilike 'a_c', 'a_c' not ilike 'a_c'
select 'a_c' like 'a\_c', 'a_c' not like 'a\_c', 'a_c' ilike 'a\_c', 'a_c' not ilike 'a\_c'
select 'a_c' like '50\%', 'a_c' not like '50\%', 'a_c' ilike '50\%', 'a_c' not ilike '50\%'
select 'a_c' like '%\%', 'a_c' not like '%\%', 'a_c' ilike '%\%', 'a_c' not ilike '%\%'
select 'a_c' like '__c', 'a_c' not like '__c', 'a_c' ilike '__c', 'a_c' not ilike '__c'
select 'a_c' like '%a%c%', 'a_c' not like '%a%c%', 'a_c' ilike '%a%c%', 'a_c' not ilike '%a%c%'
select 'a_c' like 'A%', 'a_c' not like 'A%', 'a_c' ilike 'A%', 'a_c' not ilike 'A%'
select 'a_c' like '_%', 'a_c' not like '_%', 'a_c' ilike '_%', 'a_c' not ilike '_%'
select '50%' like '', '50%' not like '', '50%' ilike '', '50%' not ilike ''
select '50%' like '%', '50%' not like '%', '50%' ilike '%', '50%' not ilike '%'
select '50%' like 'a%', '50%' not like 'a%', '50%' ilike 'a%', '50%' not ilike 'a%'
select '50%' like '%c', '50%' not like '%c', '50%' ilike '%c', '50%' not ilike '%c'
select '50%' like '%b%', '50%' not like '%b%', '50%' ilike '%b%', '50%' not ilike '%b%'
select '50%' like '_', '50%' not like '_', '50%' ilike '_', '50%' not ilike '_'
select '50%' like 'a_c', '50%' not like 'a_c', '50%' ilike 'a_c', '50%' not ilike 'a_c'
select '50%' like 'a\_c', '50%' not like 'a\_c', '50%' ilike 'a\_c', '50%' not ilike 'a\_c'
select '50%' like '50\%', '50%' not like '50\%', '50%' ilike '50\%', '50%' not ilike '50\%'
select '50%' like '%\%', '50%' not like '%\%', '50%' ilike '%\%', '50%' not ilike '%\%'
select '50%' like '__c', '50%' not like '__c', '50%' ilike '__c', '50%' not ilike '__c'
select '50%' like '%a%c%', '50%' not like '%a%c%', '50%' ilike '%a%c%', '50%' not ilike '%a%c%'
select '50%' like 'A%', '50%' not like 'A%', '50%' ilike 'A%', '50%' not ilike 'A%'
select '50%' like '_%', '50%' not like '_%', '50%' ilike '_%', '50%' not ilike '_%'
select 'x''y' like '', 'x''y' not like '', 'x''y' ilike '', 'x''y' not ilike ''
select 'x''y' like '%', 'x''y' not like '%', 'x''y' ilike '%', 'x''y' not ilike '%'
select 'x''y' like 'a%', 'x''y' not like 'a%', 'x''y' ilike 'a%', 'x''y' not ilike 'a%'
select 'x''y' like '%c', 'x''y' not like '%c', 'x''y' ilike '%c', 'x''y' not ilike '%c'
select 'x''y' like '%b%', 'x''y' not like '%b%', 'x''y' ilike '%b%', 'x''y' not ilike '%b%'
select 'x''y' like '_', 'x''y' not like '_', 'x''y' ilike '_', 'x''y' not ilike '_'
select 'x''y' like 'a_c', 'x''y' not like 'a_c', 'x''y' ilike 'a_c', 'x''y' not ilike 'a_c'
select 'x''y' like 'a\_c', 'x''y' not like 'a\_c', 'x''y' ilike 'a\_c', 'x''y' not ilike 'a\_c'
select 'x''y' like '50\%', 'x''y' not like '50\%', 'x''y' ilike '50\%', 'x''y' not ilike '50\%'
select 'x''y' like '%\%', 'x''y' not like '%\%', 'x''y' ilike '%\%', 'x''y' not ilike '%\%'
select 'x''y' like '__c', 'x''y' not like '__c', 'x''y' ilike '__c', 'x''y' not ilike '__c'
select 'x''y' like '%a%c%', 'x''y' not like '%a%c%', 'x''y' ilike '%a%c%', 'x''y' not ilike '%a%c%'
select 'x''y' like 'A%', 'x''y' not like 'A%', 'x''y' ilike 'A%', 'x''y' not ilike 'A%'
select 'x''y' like '_%', 'x''y' not like '_%', 'x''y' ilike '_%', 'x''y' not ilike '_%'
select 'tab	here' like '', 'tab	here' not like '', 'tab	here' ilike '', 'tab	here' not ilike ''
select 'tab	here' like '%', 'tab	here' not like '%', 'tab	here' ilike '%', 'tab	here' not ilike '%'
select 'tab	here' like 'a%', 'tab	here' not like 'a%', 'tab	here' ilike 'a%', 'tab	here' not ilike 'a%'
select 'tab	here' like '%c', 'tab	here' not like '%c', 'tab	here' ilike '%c', 'tab	here' not ilike '%c'
select 'tab	here' like '%b%', 'tab	here' not like '%b%', 'tab	here' ilike '%b%', 'tab	here' not ilike '%b%'
select 'tab	here' like '_', 'tab	here' not like '_', 'tab	here' ilike '_', 'tab	here' not ilike '_'
select 'tab	here' like 'a_c', 'tab	here' not like 'a_c', 'tab	here' ilike 'a_c', 'tab	here' not ilike 'a_c'
select 'tab	here' like 'a\_c', 'tab	here' not like 'a\_c', 'tab	here' ilike 'a\_c', 'tab	here' not ilike 'a\_c'
select 'tab	here' like '50\%', 'tab	here' not like '50\%', 'tab	here' ilike '50\%', 'tab	here' not ilike '50\%'
select 'tab	here' like '%\%', 'tab	here' not like '%\%', 'tab	here' ilike '%\%', 'tab	here' not ilike '%\%'
select 'tab	here' like '__c', 'tab	here' not like '__c', 'tab	here' ilike '__c', 'tab	here' not ilike '__c'
select 'tab	here' like '%a%c%', 'tab	here' not like '%a%c%', 'tab	here' ilike '%a%c%', 'tab	here' not ilike '%a%c%'
select 'tab	here' like 'A%', 'tab	here' not like 'A%', 'tab	here' ilike 'A%', 'tab	here' not ilike 'A%'
select 'tab	here' like '_%', 'tab	here' not like '_%', 'tab	here' ilike '_%', 'tab	here' not ilike '_%'
select '日本語' like '', '日本語' not like '', '日本語' ilike '', '日本語' not ilike ''
select '日本語' like '%', '日本語' not like '%', '日本語' ilike '%', '日本語' not ilike '%'
select '日本語' like 'a%', '日本語' not like 'a%', '日本語' ilike 'a%', '日本語' not ilike 'a%'
select '日本語' like '%c', '日本語' not like '%c', '日本語' ilike '%c', '日本語' not ilike '%c'
select '日本語' like '%b%', '日本語' not like '%b%', '日本語' ilike '%b%', '日本語' not ilike '%b%'
select '日本語' like '_', '日本語' not like '_', '日本語' ilike '_', '日本語' not ilike '_'
select '日本語' like 'a_c', '日本語' not like 'a_c', '日本語' ilike 'a_c', '日本語' not ilike 'a_c'
select '日本語' like 'a\_c', '日本語' not like 'a\_c', '日本語' ilike 'a\_c', '日本語' not ilike 'a\_c'
select '日本語' like '50\%', '日本語' not like '50\%', '日本語' ilike '50\%', '日本語' not ilike '50\%'
select '日本語' like '%\%', '日本語' not like '%\%', '日本語' ilike '%\%', '日本語' not ilike '%\%'
select '日本語' like '__c', '日本語' not like '__c', '日本語' ilike '__c', '日本語' not ilike '__c'
select '日本語' like '%a%c%', '日本語' not like '%a%c%', '日本語' ilike '%a%c%', '日本語' not ilike '%a%c%'
select '日本語' like 'A%', '日本語' not like 'A%', '日本語' ilike 'A%', '日本語' not ilike 'A%'
select '日本語' like '_%', '日本語' not like '_%', '日本語' ilike '_%', '日本語' not ilike '_%'
select 'a!c' like 'a!%c' escape '!', 'a!c' like 'a!!c' escape '!'
select 'a%c' like 'a!%c' escape '!', 'a%c' like 'a!!c' escape '!'
select 'abc' like 'a!%c' escape '!', 'abc' like 'a!!c' escape '!'
select 'a!%c' like 'a!%c' escape '!', 'a!%c' like 'a!!c' escape '!'
select '' ~ '', '' !~ '', '' ~* '', '' !~* ''
select '' ~ 'a', '' !~ 'a', '' ~* 'a', '' !~* 'a'
select '' ~ '^a', '' !~ '^a', '' ~* '^a', '' !~* '^a'
select '' ~ 'c$', '' !~ 'c$', '' ~* 'c$', '' !~* 'c$'
select '' ~ 'a.c', '' !~ 'a.c', '' ~* 'a.c', '' !~* 'a.c'
select '' ~ '^a.*c$', '' !~ '^a.*c$', '' ~* '^a.*c$', '' !~* '^a.*c$'
select '' ~ '[a-c]+', '' !~ '[a-c]+', '' ~* '[a-c]+', '' !~* '[a-c]+'
select '' ~ '[^a]', '' !~ '[^a]', '' ~* '[^a]', '' !~* '[^a]'
select '' ~ 'a|x', '' !~ 'a|x', '' ~* 'a|x', '' !~* 'a|x'
select '' ~ '(a)(b)', '' !~ '(a)(b)', '' ~* '(a)(b)', '' !~* '(a)(b)'
select '' ~ 'b{1}', '' !~ 'b{1}', '' ~* 'b{1}', '' !~* 'b{1}'
select '' ~ '\d', '' !~ '\d', '' ~* '\d', '' !~* '\d'
select '' ~ '\w+', '' !~ '\w+', '' ~* '\w+', '' !~* '\w+'
select '' ~ '^$', '' !~ '^$', '' ~* '^$', '' !~* '^$'
select '' ~ 'ß', '' !~ 'ß', '' ~* 'ß', '' !~* 'ß'
select '' ~ 'B', '' !~ 'B', '' ~* 'B', '' !~* 'B'
select '' ~ '\s', '' !~ '\s', '' ~* '\s', '' !~* '\s'
select '' ~ '[[:alpha:]]', '' !~ '[[:alpha:]]', '' ~* '[[:alpha:]]', '' !~* '[[:alpha:]]'
select '' ~ '.', '' !~ '.', '' ~* '.', '' !~* '.'
select 'a' ~ '', 'a' !~ '', 'a' ~* '', 'a' !~* ''
select 'a' ~ 'a', 'a' !~ 'a', 'a' ~* 'a', 'a' !~* 'a'
select 'a' ~ '^a', 'a' !~ '^a', 'a' ~* '^a', 'a' !~* '^a'
select 'a' ~ 'c$', 'a' !~ 'c$', 'a' ~* 'c$', 'a' !~* 'c$'
select 'a' ~ 'a.c', 'a' !~ 'a.c', 'a' ~* 'a.c', 'a' !~* 'a.c'
select 'a' ~ '^a.*c$', 'a' !~ '^a.*c$', 'a' ~* '^a.*c$', 'a' !~* '^a.*c$'
select 'a' ~ '[a-c]+', 'a' !~ '[a-c]+', 'a' ~* '[a-c]+', 'a' !~* '[a-c]+'
select 'a' ~ '[^a]', 'a' !~ '[^a]', 'a' ~* '[^a]', 'a' !~* '[^a]'
select 'a' ~ 'a|x', 'a' !~ 'a|x', 'a' ~* 'a|x', 'a' !~* 'a|x'
select 'a' ~ '(a)(b)', 'a' !~ '(a)(b)', 'a' ~* '(a)(b)', 'a' !~* '(a)(b)'
select 'a' ~ 'b{1}', 'a' !~ 'b{1}', 'a' ~* 'b{1}', 'a' !~* 'b{1}'
select 'a' ~ '\d', 'a' !~ '\d', 'a' ~* '\d', 'a' !~* '\d'
select 'a' ~ '\w+', 'a' !~ '\w+', 'a' ~* '\w+', 'a' !~* '\w+'
select 'a' ~ '^$', 'a' !~ '^$', 'a' ~* '^$', 'a' !~* '^$'
select 'a' ~ 'ß', 'a' !~ 'ß', 'a' ~* 'ß', 'a' !~* 'ß'
select 'a' ~ 'B', 'a' !~ 'B', 'a' ~* 'B', 'a' !~* 'B'
select 'a' ~ '\s', 'a' !~ '\s', 'a' ~* '\s', 'a' !~* '\s'
select 'a' ~ '[[:alpha:]]', 'a' !~ '[[:alpha:]]', 'a' ~* '[[:alpha:]]', 'a' !~* '[[:alpha:]]'
select 'a' ~ '.', 'a' !~ '.', 'a' ~* '.', 'a' !~* '.'
select 'abc' ~ '', 'abc' !~ '', 'abc' ~* '', 'abc' !~* ''
select 'abc' ~ 'a', 'abc' !~ 'a', 'abc' ~* 'a', 'abc' !~* 'a'
select 'abc' ~ '^a', 'abc' !~ '^a', 'abc' ~* '^a', 'abc' !~* '^a'
select 'abc' ~ 'c$', 'abc' !~ 'c$', 'abc' ~* 'c$', 'abc' !~* 'c$'
select 'abc' ~ 'a.c', 'abc' !~ 'a.c', 'abc' ~* 'a.c', 'abc' !~* 'a.c'
select 'abc' ~ '^a.*c$', 'abc' !~ '^a.*c$', 'abc' ~* '^a.*c$', 'abc' !~* '^a.*c$'
select 'abc' ~ '[a-c]+', 'abc' !~ '[a-c]+', 'abc' ~* '[a-c]+', 'abc' !~* '[a-c]+'
select 'abc' ~ '[^a]', 'abc' !~ '[^a]', 'abc' ~* '[^a]', 'abc' !~* '[^a]'
select 'abc' ~ 'a|x', 'abc' !~ 'a|x', 'abc' ~* 'a|x', 'abc' !~* 'a|x'
select 'abc' ~ '(a)(b)', 'abc' !~ '(a)(b)', 'abc' ~* '(a)(b)', 'abc' !~* '(a)(b)'
select 'abc' ~ 'b{1}', 'abc' !~ 'b{1}', 'abc' ~* 'b{1}', 'abc' !~* 'b{1}'
select 'abc' ~ '\d', 'abc' !~ '\d', 'abc' ~* '\d', 'abc' !~* '\d'
select 'abc' ~ '\w+', 'abc' !~ '\w+', 'abc' ~* '\w+', 'abc' !~* '\w+'
select 'abc' ~ '^$', 'abc' !~ '^$', 'abc' ~* '^$', 'abc' !~* '^$'
select 'abc' ~ 'ß', 'abc' !~ 'ß', 'abc' ~* 'ß', 'abc' !~* 'ß'
select 'abc' ~ 'B', 'abc' !~ 'B', 'abc' ~* 'B', 'abc' !~* 'B'
select 'abc' ~ '\s', 'abc' !~ '\s', 'abc' ~* '\s', 'abc' !~* '\s'
select 'abc' ~ '[[:alpha:]]', 'abc' !~ '[[:alpha:]]', 'abc' ~* '[[:alpha:]]', 'abc' !~* '[[:alpha:]]'
select 'abc' ~ '.', 'abc' !~ '.', 'abc' ~* '.', 'abc' !~* '.'
select 'Abc' ~ '', 'Abc' !~ '', 'Abc' ~* '', 'Abc' !~* ''
select 'Abc' ~ 'a', 'Abc' !~ 'a', 'Abc' ~* 'a', 'Abc' !~* 'a'
select 'Abc' ~ '^a', 'Abc' !~ '^a', 'Abc' ~* '^a', 'Abc' !~* '^a'
select 'Abc' ~ 'c$', 'Abc' !~ 'c$', 'Abc' ~* 'c$', 'Abc' !~* 'c$'
select 'Abc' ~ 'a.c', 'Abc' !~ 'a.c', 'Abc' ~* 'a.c', 'Abc' !~* 'a.c'
select 'Abc' ~ '^a.*c$', 'Abc' !~ '^a.*c$', 'Abc' ~* '^a.*c$', 'Abc' !~* '^a.*c$'
select 'Abc' ~ '[a-c]+', 'Abc' !~ '[a-c]+', 'Abc' ~* '[a-c]+', 'Abc' !~* '[a-c]+'
select 'Abc' ~ '[^a]', 'Abc' !~ '[^a]', 'Abc' ~* '[^a]', 'Abc' !~* '[^a]'
select 'Abc' ~ 'a|x', 'Abc' !~ 'a|x', 'Abc' ~* 'a|x', 'Abc' !~* 'a|x'
select 'Abc' ~ '(a)(b)', 'Abc' !~ '(a)(b)', 'Abc' ~* '(a)(b)', 'Abc' !~* '(a)(b)'
select 'Abc' ~ 'b{1}', 'Abc' !~ 'b{1}', 'Abc' ~* 'b{1}', 'Abc' !~* 'b{1}'
select 'Abc' ~ '\d', 'Abc' !~ '\d', 'Abc' ~* '\d', 'Abc' !~* '\d'
select 'Abc' ~ '\w+', 'Abc' !~ '\w+', 'Abc' ~* '\w+', 'Abc' !~* '\w+'
select 'Abc' ~ '^$', 'Abc' !~ '^$', 'Abc' ~* '^$', 'Abc' !~* '^$'
select 'Abc' ~ 'ß', 'Abc' !~ 'ß', 'Abc' ~* 'ß', 'Abc' !~* 'ß'
select 'Abc' ~ 'B', 'Abc' !~ 'B', 'Abc' ~* 'B', 'Abc' !~* 'B'
select 'Abc' ~ '\s', 'Abc' !~ '\s', 'Abc' ~* '\s', 'Abc' !~* '\s'
select 'Abc' ~ '[[:alpha:]]', 'Abc' !~ '[[:alpha:]]', 'Abc' ~* '[[:alpha:]]', 'Abc' !~* '[[:alpha:]]'
select 'Abc' ~ '.', 'Abc' !~ '.', 'Abc' ~* '.', 'Abc' !~* '.'
select 'straße' ~ '', 'straße' !~ '', 'straße' ~* '', 'straße' !~* ''
select 'straße' ~ 'a', 'straße' !~ 'a', 'straße' ~* 'a', 'straße' !~* 'a'
select 'straße' ~ '^a', 'straße' !~ '^a', 'straße' ~* '^a', 'straße' !~* '^a'
select 'straße' ~ 'c$', 'straße' !~ 'c$', 'straße' ~* 'c$', 'straße' !~* 'c$'
select 'straße' ~ 'a.c', 'straße' !~ 'a.c', 'straße' ~* 'a.c', 'straße' !~* 'a.c'
select 'straße' ~ '^a.*c$', 'straße' !~ '^a.*c$', 'straße' ~* '^a.*c$', 'straße' !~* '^a.*c$'
select 'straße' ~ '[a-c]+', 'straße' !~ '[a-c]+', 'straße' ~* '[a-c]+', 'straße' !~* '[a-c]+'
select 'straße' ~ '[^a]', 'straße' !~ '[^a]', 'straße' ~* '[^a]', 'straße' !~* '[^a]'
select 'straße' ~ 'a|x', 'straße' !~ 'a|x', 'straße' ~* 'a|x', 'straße' !~* 'a|x'
select 'straße' ~ '(a)(b)', 'straße' !~ '(a)(b)', 'straße' ~* '(a)(b)', 'straße' !~* '(a)(b)'
select 'straße' ~ 'b{1}', 'straße' !~ 'b{1}', 'straße' ~* 'b{1}', 'straße' !~* 'b{1}'
select 'straße' ~ '\d', 'straße' !~ '\d', 'straße' ~* '\d', 'straße' !~* '\d'
select 'straße' ~ '\w+', 'straße' !~ '\w+', 'straße' ~* '\w+', 'straße' !~* '\w+'
select 'straße' ~ '^$', 'straße' !~ '^$', 'straße' ~* '^$', 'straße' !~* '^$'
select 'straße' ~ 'ß', 'straße' !~ 'ß', 'straße' ~* 'ß', 'straße' !~* 'ß'
select 'straße' ~ 'B', 'straße' !~ 'B', 'straße' ~* 'B', 'straße' !~* 'B'
select 'straße' ~ '\s', 'straße' !~ '\s', 'straße' ~* '\s', 'straße' !~* '\s'
select 'straße' ~ '[[:alpha:]]', 'straße' !~ '[[:alpha:]]', 'straße' ~* '[[:alpha:]]', 'straße' !~* '[[:alpha:]]'
select 'straße' ~ '.', 'straße' !~ '.', 'straße' ~* '.', 'straße' !~* '.'
select 'héllo wörld' ~ '', 'héllo wörld' !~ '', 'héllo wörld' ~* '', 'héllo wörld' !~* ''
select 'héllo wörld' ~ 'a', 'héllo wörld' !~ 'a', 'héllo wörld' ~* 'a', 'héllo wörld' !~* 'a'
select 'héllo wörld' ~ '^a', 'héllo wörld' !~ '^a', 'héllo wörld' ~* '^a', 'héllo wörld' !~* '^a'
select 'héllo wörld' ~ 'c$', 'héllo wörld' !~ 'c$', 'héllo wörld' ~* 'c$', 'héllo wörld' !~* 'c$'
select 'héllo wörld' ~ 'a.c', 'héllo wörld' !~ 'a.c', 'héllo wörld' ~* 'a.c', 'héllo wörld' !~* 'a.c'
select 'héllo wörld' ~ '^a.*c$', 'héllo wörld' !~ '^a.*c$', 'héllo wörld' ~* '^a.*c$', 'héllo wörld' !~* '^a.*c$'
select 'héllo wörld' ~ '[a-c]+', 'héllo wörld' !~ '[a-c]+', 'héllo wörld' ~* '[a-c]+', 'héllo wörld' !~* '[a-c]+'
select 'héllo wörld' ~ '[^a]', 'héllo wörld' !~ '[^a]', 'héllo wörld' ~* '[^a]', 'héllo wörld' !~* '[^a]'
select 'héllo wörld' ~ 'a|x', 'héllo wörld' !~ 'a|x', 'héllo wörld' ~* 'a|x', 'héllo wörld' !~* 'a|x'
select 'héllo wörld' ~ '(a)(b)', 'héllo wörld' !~ '(a)(b)', 'héllo wörld' ~* '(a)(b)', 'héllo wörld' !~* '(a)(b)'
select 'héllo wörld' ~ 'b{1}', 'héllo wörld' !~ 'b{1}', 'héllo wörld' ~* 'b{1}', 'héllo wörld' !~* 'b{1}'
select 'héllo wörld' ~ '\d', 'héllo wörld' !~ '\d', 'héllo wörld' ~* '\d', 'héllo wörld' !~* '\d'
select 'héllo wörld' ~ '\w+', 'héllo wörld' !~ '\w+', 'héllo wörld' ~* '\w+', 'héllo wörld' !~* '\w+'
select 'héllo wörld' ~ '^$', 'héllo wörld' !~ '^$', 'héllo wörld' ~* '^$', 'héllo wörld' !~* '^$'
select 'héllo wörld' ~ 'ß', 'héllo wörld' !~ 'ß', 'héllo wörld' ~* 'ß', 'héllo wörld' !~* 'ß'
select 'héllo wörld' ~ 'B', 'héllo wörld' !~ 'B', 'héllo wörld' ~* 'B', 'héllo wörld' !~* 'B'
select 'héllo wörld' ~ '\s', 'héllo wörld' !~ '\s', 'héllo wörld' ~* '\s', 'héllo wörld' !~* '\s'
select 'héllo wörld' ~ '[[:alpha:]]', 'héllo wörld' !~ '[[:alpha:]]', 'héllo wörld' ~* '[[:alpha:]]', 'héllo wörld' !~* '[[:alpha:]]'
select 'héllo wörld' ~ '.', 'héllo wörld' !~ '.', 'héllo wörld' ~* '.', 'héllo wörld' !~* '.'
select 'a_c' ~ '', 'a_c' !~ '', 'a_c' ~* '', 'a_c' !~* ''
select 'a_c' ~ 'a', 'a_c' !~ 'a', 'a_c' ~* 'a', 'a_c' !~* 'a'
select 'a_c' ~ '^a', 'a_c' !~ '^a', 'a_c' ~* '^a', 'a_c' !~* '^a'
select 'a_c' ~ 'c$', 'a_c' !~ 'c$', 'a_c' ~* 'c$', 'a_c' !~* 'c$'
select 'a_c' ~ 'a.c', 'a_c' !~ 'a.c', 'a_c' ~* 'a.c', 'a_c' !~* 'a.c'
select 'a_c' ~ '^a.*c$', 'a_c' !~ '^a.*c$', 'a_c' ~* '^a.*c$', 'a_c' !~* '^a.*c$'
select 'a_c' ~ '[a-c]+', 'a_c' !~ '[a-c]+', 'a_c' ~* '[a-c]+', 'a_c' !~* '[a-c]+'
select 'a_c' ~ '[^a]', 'a_c' !~ '[^a]', 'a_c' ~* '[^a]', 'a_c' !~* '[^a]'
select 'a_c' ~ 'a|x', 'a_c' !~ 'a|x', 'a_c' ~* 'a|x', 'a_c' !~* 'a|x'
select 'a_c' ~ '(a)(b)', 'a_c' !~ '(a)(b)', 'a_c' ~* '(a)(b)', 'a_c' !~* '(a)(b)'
select 'a_c' ~ 'b{1}', 'a_c' !~ 'b{1}', 'a_c' ~* 'b{1}', 'a_c' !~* 'b{1}'
select 'a_c' ~ '\d', 'a_c' !~ '\d', 'a_c' ~* '\d', 'a_c' !~* '\d'
select 'a_c' ~ '\w+', 'a_c' !~ '\w+', 'a_c' ~* '\w+', 'a_c' !~* '\w+'
select 'a_c' ~ '^$', 'a_c' !~ '^$', 'a_c' ~* '^$', 'a_c' !~* '^$'
select 'a_c' ~ 'ß', 'a_c' !~ 'ß', 'a_c' ~* 'ß', 'a_c' !~* 'ß'
select 'a_c' ~ 'B', 'a_c' !~ 'B', 'a_c' ~* 'B', 'a_c' !~* 'B'
select 'a_c' ~ '\s', 'a_c' !~ '\s', 'a_c' ~* '\s', 'a_c' !~* '\s'
select 'a_c' ~ '[[:alpha:]]', 'a_c' !~ '[[:alpha:]]', 'a_c' ~* '[[:alpha:]]', 'a_c' !~* '[[:alpha:]]'
select 'a_c' ~ '.', 'a_c' !~ '.', 'a_c' ~* '.', 'a_c' !~* '.'
select '50%' ~ '', '50%' !~ '', '50%' ~* '', '50%' !~* ''
select '50%' ~ 'a', '50%' !~ 'a', '50%' ~* 'a', '50%' !~* 'a'
select '50%' ~ '^a', '50%' !~ '^a', '50%' ~* '^a', '50%' !~* '^a'
select '50%' ~ 'c$', '50%' !~ 'c$', '50%' ~* 'c$', '50%' !~* 'c$'
select '50%' ~ 'a.c', '50%' !~ 'a.c', '50%' ~* 'a.c', '50%' !~* 'a.c'
select '50%' ~ '^a.*c$', '50%' !~ '^a.*c$', '50%' ~* '^a.*c$', '50%' !~* '^a.*c$'
select '50%' ~ '[a-c]+', '50%' !~ '[a-c]+', '50%' ~* '[a-c]+', '50%' !~* '[a-c]+'
select '50%' ~ '[^a]', '50%' !~ '[^a]', '50%' ~* '[^a]', '50%' !~* '[^a]'
select '50%' ~ 'a|x', '50%' !~ 'a|x', '50%' ~* 'a|x', '50%' !~* 'a|x'
select '50%' ~ '(a)(b)', '50%' !~ '(a)(b)', '50%' ~* '(a)(b)', '50%' !~* '(a)(b)'
select '50%' ~ 'b{1}', '50%' !~ 'b{1}', '50%' ~* 'b{1}', '50%' !~* 'b{1}'
select '50%' ~ '\d', '50%' !~ '\d', '50%' ~* '\d', '50%' !~* '\d'
select '50%' ~ '\w+', '50%' !~ '\w+', '50%' ~* '\w+', '50%' !~* '\w+'
select '50%' ~ '^$', '50%' !~ '^$', '50%' ~* '^$', '50%' !~* '^$'
select '50%' ~ 'ß', '50%' !~ 'ß', '50%' ~* 'ß', '50%' !~* 'ß'
select '50%' ~ 'B', '50%' !~ 'B', '50%' ~* 'B', '50%' !~* 'B'
select '50%' ~ '\s', '50%' !~ '\s', '50%' ~* '\s', '50%' !~* '\s'
select '50%' ~ '[[:alpha:]]', '50%' !~ '[[:alpha:]]', '50%' ~* '[[:alpha:]]', '50%' !~* '[[:alpha:]]'
select '50%' ~ '.', '50%' !~ '.', '50%' ~* '.', '50%' !~* '.'
select 'x''y' ~ '', 'x''y' !~ '', 'x''y' ~* '', 'x''y' !~* ''
select 'x''y' ~ 'a', 'x''y' !~ 'a', 'x''y' ~* 'a', 'x''y' !~* 'a'
select 'x''y' ~ '^a', 'x''y' !~ '^a', 'x''y' ~* '^a', 'x''y' !~* '^a'
select 'x''y' ~ 'c$', 'x''y' !~ 'c$', 'x''y' ~* 'c$', 'x''y' !~* 'c$'
select 'x''y' ~ 'a.c', 'x''y' !~ 'a.c', 'x''y' ~* 'a.c', 'x''y' !~* 'a.c'
select 'x''y' ~ '^a.*c$', 'x''y' !~ '^a.*c$', 'x''y' ~* '^a.*c$', 'x''y' !~* '^a.*c$'
select 'x''y' ~ '[a-c]+', 'x''y' !~ '[a-c]+', 'x''y' ~* '[a-c]+', 'x''y' !~* '[a-c]+'
select 'x''y' ~ '[^a]', 'x''y' !~ '[^a]', 'x''y' ~* '[^a]', 'x''y' !~* '[^a]'
select 'x''y' ~ 'a|x', 'x''y' !~ 'a|x', 'x''y' ~* 'a|x', 'x''y' !~* 'a|x'
select 'x''y' ~ '(a)(b)', 'x''y' !~ '(a)(b)', 'x''y' ~* '(a)(b)', 'x''y' !~* '(a)(b)'
select 'x''y' ~ 'b{1}', 'x''y' !~ 'b{1}', 'x''y' ~* 'b{1}', 'x''y' !~* 'b{1}'
select 'x''y' ~ '\d', 'x''y' !~ '\d', 'x''y' ~* '\d', 'x''y' !~* '\d'
select 'x''y' ~ '\w+', 'x''y' !~ '\w+', 'x''y' ~* '\w+', 'x''y' !~* '\w+'
select 'x''y' ~ '^$', 'x''y' !~ '^$', 'x''y' ~* '^$', 'x''y' !~* '^$'
select 'x''y' ~ 'ß', 'x''y' !~ 'ß', 'x''y' ~* 'ß', 'x''y' !~* 'ß'
select 'x''y' ~ 'B', 'x''y' !~ 'B', 'x''y' ~* 'B', 'x''y' !~* 'B'
select 'x''y' ~ '\s', 'x''y' !~ '\s', 'x''y' ~* '\s', 'x''y' !~* '\s'
select 'x''y' ~ '[[:alpha:]]', 'x''y' !~ '[[:alpha:]]', 'x''y' ~* '[[:alpha:]]', 'x''y' !~* '[[:alpha:]]'
select 'x''y' ~ '.', 'x''y' !~ '.', 'x''y' ~* '.', 'x''y' !~* '.'
select 'tab	here' ~ '', 'tab	here' !~ '', 'tab	here' ~* '', 'tab	here' !~* ''
select 'tab	here' ~ 'a', 'tab	here' !~ 'a', 'tab	here' ~* 'a', 'tab	here' !~* 'a'
select 'tab	here' ~ '^a', 'tab	here' !~ '^a', 'tab	here' ~* '^a', 'tab	here' !~* '^a'
select 'tab	here' ~ 'c$', 'tab	here' !~ 'c$', 'tab	here' ~* 'c$', 'tab	here' !~* 'c$'
select 'tab	here' ~ 'a.c', 'tab	here' !~ 'a.c', 'tab	here' ~* 'a.c', 'tab	here' !~* 'a.c'
select 'tab	here' ~ '^a.*c$', 'tab	here' !~ '^a.*c$', 'tab	here' ~* '^a.*c$', 'tab	here' !~* '^a.*c$'
select 'tab	here' ~ '[a-c]+', 'tab	here' !~ '[a-c]+', 'tab	here' ~* '[a-c]+', 'tab	here' !~* '[a-c]+'
select 'tab	here' ~ '[^a]', 'tab	here' !~ '[^a]', 'tab	here' ~* '[^a]', 'tab	here' !~* '[^a]'
select 'tab	here' ~ 'a|x', 'tab	here' !~ 'a|x', 'tab	here' ~* 'a|x', 'tab	here' !~* 'a|x'
select 'tab	here' ~ '(a)(b)', 'tab	here' !~ '(a)(b)', 'tab	here' ~* '(a)(b)', 'tab	here' !~* '(a)(b)'
select 'tab	here' ~ 'b{1}', 'tab	here' !~ 'b{1}', 'tab	here' ~* 'b{1}', 'tab	here' !~* 'b{1}'
select 'tab	here' ~ '\d', 'tab	here' !~ '\d', 'tab	here' ~* '\d', 'tab	here' !~* '\d'
select 'tab	here' ~ '\w+', 'tab	here' !~ '\w+', 'tab	here' ~* '\w+', 'tab	here' !~* '\w+'
select 'tab	here' ~ '^$', 'tab	here' !~ '^$', 'tab	here' ~* '^$', 'tab	here' !~* '^$'
select 'tab	here' ~ 'ß', 'tab	here' !~ 'ß', 'tab	here' ~* 'ß', 'tab	here' !~* 'ß'
select 'tab	here' ~ 'B', 'tab	here' !~ 'B', 'tab	here' ~* 'B', 'tab	here' !~* 'B'
select 'tab	here' ~ '\s', 'tab	here' !~ '\s', 'tab	here' ~* '\s', 'tab	here' !~* '\s'
select 'tab	here' ~ '[[:alpha:]]', 'tab	here' !~ '[[:alpha:]]', 'tab	here' ~* '[[:alpha:]]', 'tab	here' !~* '[[:alpha:]]'
select 'tab	here' ~ '.', 'tab	here' !~ '.', 'tab	here' ~* '.', 'tab	here' !~* '.'
select '日本語' ~ '', '日本語' !~ '', '日本語' ~* '', '日本語' !~* ''
select '日本語' ~ 'a', '日本語' !~ 'a', '日本語' ~* 'a', '日本語' !~* 'a'
select '日本語' ~ '^a', '日本語' !~ '^a', '日本語' ~* '^a', '日本語' !~* '^a'
select '日本語' ~ 'c$', '日本語' !~ 'c$', '日本語' ~* 'c$', '日本語' !~* 'c$'
select '日本語' ~ 'a.c', '日本語' !~ 'a.c', '日本語' ~* 'a.c', '日本語' !~* 'a.c'
select '日本語' ~ '^a.*c$', '日本語' !~ '^a.*c$', '日本語' ~* '^a.*c$', '日本語' !~* '^a.*c$'
select '日本語' ~ '[a-c]+', '日本語' !~ '[a-c]+', '日本語' ~* '[a-c]+', '日本語' !~* '[a-c]+'
select '日本語' ~ '[^a]', '日本語' !~ '[^a]', '日本語' ~* '[^a]', '日本語' !~* '[^a]'
select '日本語' ~ 'a|x', '日本語' !~ 'a|x', '日本語' ~* 'a|x', '日本語' !~* 'a|x'
select '日本語' ~ '(a)(b)', '日本語' !~ '(a)(b)', '日本語' ~* '(a)(b)', '日本語' !~* '(a)(b)'
select '日本語' ~ 'b{1}', '日本語' !~ 'b{1}', '日本語' ~* 'b{1}', '日本語' !~* 'b{1}'
select '日本語' ~ '\d', '日本語' !~ '\d', '日本語' ~* '\d', '日本語' !~* '\d'
select '日本語' ~ '\w+', '日本語' !~ '\w+', '日本語' ~* '\w+', '日本語' !~* '\w+'
select '日本語' ~ '^$', '日本語' !~ '^$', '日本語' ~* '^$', '日本語' !~* '^$'
select '日本語' ~ 'ß', '日本語' !~ 'ß', '日本語' ~* 'ß', '日本語' !~* 'ß'
select '日本語' ~ 'B', '日本語' !~ 'B', '日本語' ~* 'B', '日本語' !~* 'B'
select '日本語' ~ '\s', '日本語' !~ '\s', '日本語' ~* '\s', '日本語' !~* '\s'
select '日本語' ~ '[[:alpha:]]', '日本語' !~ '[[:alpha:]]', '日本語' ~* '[[:alpha:]]', '日本語' !~* '[[:alpha:]]'
select '日本語' ~ '.', '日本語' !~ '.', '日本語' ~* '.', '日本語' !~* '.'
select 'a
c' ~ '', 'a
c' !~ '', 'a
c' ~* '', 'a
c' !~* ''
select 'a
c' ~ 'a', 'a
c' !~ 'a', 'a
c' ~* 'a', 'a
c' !~* 'a'
select 'a
c' ~ '^a', 'a
c' !~ '^a', 'a
c' ~* '^a', 'a
c' !~* '^a'
select 'a
c' ~ 'c$', 'a
c' !~ 'c$', 'a
c' ~* 'c$', 'a
c' !~* 'c$'
select 'a
c' ~ 'a.c', 'a
c' !~ 'a.c', 'a
c' ~* 'a.c', 'a
c' !~* 'a.c'
select 'a
c' ~ '^a.*c$', 'a
c' !~ '^a.*c$', 'a
c' ~* '^a.*c$', 'a
c' !~* '^a.*c$'
select 'a
c' ~ '[a-c]+', 'a
c' !~ '[a-c]+', 'a
c' ~* '[a-c]+', 'a
c' !~* '[a-c]+'
select 'a
c' ~ '[^a]', 'a
c' !~ '[^a]', 'a
c' ~* '[^a]', 'a
c' !~* '[^a]'
select 'a
c' ~ 'a|x', 'a
c' !~ 'a|x', 'a
c' ~* 'a|x', 'a
c' !~* 'a|x'
select 'a
c' ~ '(a)(b)', 'a
c' !~ '(a)(b)', 'a
c' ~* '(a)(b)', 'a
c' !~* '(a)(b)'
select 'a
c' ~ 'b{1}', 'a
c' !~ 'b{1}', 'a
c' ~* 'b{1}', 'a
c' !~* 'b{1}'
select 'a
c' ~ '\d', 'a
c' !~ '\d', 'a
c' ~* '\d', 'a
c' !~* '\d'
select 'a
c' ~ '\w+', 'a
c' !~ '\w+', 'a
c' ~* '\w+', 'a
c' !~* '\w+'
select 'a
c' ~ '^$', 'a
c' !~ '^$', 'a
c' ~* '^$', 'a
c' !~* '^$'
select 'a
c' ~ 'ß', 'a
c' !~ 'ß', 'a
c' ~* 'ß', 'a
c' !~* 'ß'
select 'a
c' ~ 'B', 'a
c' !~ 'B', 'a
c' ~* 'B', 'a
c' !~* 'B'
select 'a
c' ~ '\s', 'a
c' !~ '\s', 'a
c' ~* '\s', 'a
c' !~* '\s'
select 'a
c' ~ '[[:alpha:]]', 'a
c' !~ '[[:alpha:]]', 'a
c' ~* '[[:alpha:]]', 'a
c' !~* '[[:alpha:]]'
select 'a
c' ~ '.', 'a
c' !~ '.', 'a
c' ~* '.', 'a
c' !~* '.'
select 'x9' ~ '', 'x9' !~ '', 'x9' ~* '', 'x9' !~* ''
select 'x9' ~ 'a', 'x9' !~ 'a', 'x9' ~* 'a', 'x9' !~* 'a'
select 'x9' ~ '^a', 'x9' !~ '^a', 'x9' ~* '^a', 'x9' !~* '^a'
select 'x9' ~ 'c$', 'x9' !~ 'c$', 'x9' ~* 'c$', 'x9' !~* 'c$'
select 'x9' ~ 'a.c', 'x9' !~ 'a.c', 'x9' ~* 'a.c', 'x9' !~* 'a.c'
select 'x9' ~ '^a.*c$', 'x9' !~ '^a.*c$', 'x9' ~* '^a.*c$', 'x9' !~* '^a.*c$'
select 'x9' ~ '[a-c]+', 'x9' !~ '[a-c]+', 'x9' ~* '[a-c]+', 'x9' !~* '[a-c]+'
select 'x9' ~ '[^a]', 'x9' !~ '[^a]', 'x9' ~* '[^a]', 'x9' !~* '[^a]'
select 'x9' ~ 'a|x', 'x9' !~ 'a|x', 'x9' ~* 'a|x', 'x9' !~* 'a|x'
select 'x9' ~ '(a)(b)', 'x9' !~ '(a)(b)', 'x9' ~* '(a)(b)', 'x9' !~* '(a)(b)'
select 'x9' ~ 'b{1}', 'x9' !~ 'b{1}', 'x9' ~* 'b{1}', 'x9' !~* 'b{1}'
select 'x9' ~ '\d', 'x9' !~ '\d', 'x9' ~* '\d', 'x9' !~* '\d'
select 'x9' ~ '\w+', 'x9' !~ '\w+', 'x9' ~* '\w+', 'x9' !~* '\w+'
select 'x9' ~ '^$', 'x9' !~ '^$', 'x9' ~* '^$', 'x9' !~* '^$'
select 'x9' ~ 'ß', 'x9' !~ 'ß', 'x9' ~* 'ß', 'x9' !~* 'ß'
select 'x9' ~ 'B', 'x9' !~ 'B', 'x9' ~* 'B', 'x9' !~* 'B'
select 'x9' ~ '\s', 'x9' !~ '\s', 'x9' ~* '\s', 'x9' !~* '\s'
select 'x9' ~ '[[:alpha:]]', 'x9' !~ '[[:alpha:]]', 'x9' ~* '[[:alpha:]]', 'x9' !~* '[[:alpha:]]'
select 'x9' ~ '.', 'x9' !~ '.', 'x9' ~* '.', 'x9' !~* '.'
select 'abc' similar to 'a(b|c)'
select 'ab' similar to 'a(b|c)'
select 'a.c' similar to 'a(b|c)'
select 'b' similar to 'a(b|c)'
select 'xaby' similar to 'a(b|c)'
select 'abc' similar to '%b%'
select 'ab' similar to '%b%'
select 'a.c' similar to '%b%'
select 'b' similar to '%b%'
select 'xaby' similar to '%b%'
select 'abc' similar to 'a_c'
select 'ab' similar to 'a_c'
select 'a.c' similar to 'a_c'
select 'b' similar to 'a_c'
select 'xaby' similar to 'a_c'
select 'abc' similar to 'abc'
select 'ab' similar to 'abc'
select 'a.c' similar to 'abc'
select 'b' similar to 'abc'
select 'xaby' similar to 'abc'
select 'abc' similar to '(a|b)%'
select 'ab' similar to '(a|b)%'
select 'a.c' similar to '(a|b)%'
select 'b' similar to '(a|b)%'
select 'xaby' similar to '(a|b)%'
select 'abc' similar to '[a-b]%'
select 'ab' similar to '[a-b]%'
select 'a.c' similar to '[a-b]%'
select 'b' similar to '[a-b]%'
select 'xaby' similar to '[a-b]%'
select 'abc' similar to 'a.c'
select 'ab' similar to 'a.c'
select 'a.c' similar to 'a.c'
select 'b' similar to 'a.c'
select 'xaby' similar to 'a.c'
select regexp_replace('abc', 'b', 'X'), regexp_replace('abc', 'b', '<\&>', 'g')
select regexp_match('abc', 'b'), substring('abc' from 'b'), regexp_count('abc', 'b')
select regexp_split_to_array('abc', 'b')
select regexp_matches('abc', 'b', 'g')
select regexp_replace('foobarfoo', 'b', 'X'), regexp_replace('foobarfoo', 'b', '<\&>', 'g')
select regexp_match('foobarfoo', 'b'), substring('foobarfoo' from 'b'), regexp_count('foobarfoo', 'b')
select regexp_split_to_array('foobarfoo', 'b')
select regexp_matches('foobarfoo', 'b', 'g')
select regexp_replace('', 'b', 'X'), regexp_replace('', 'b', '<\&>', 'g')
select regexp_match('', 'b'), substring('' from 'b'), regexp_count('', 'b')
select regexp_split_to_array('', 'b')
select regexp_matches('', 'b', 'g')
select regexp_replace('abc', '[a-c]', 'X'), regexp_replace('abc', '[a-c]', '<\&>', 'g')
select regexp_match('abc', '[a-c]'), substring('abc' from '[a-c]'), regexp_count('abc', '[a-c]')
select regexp_split_to_array('abc', '[a-c]')
select regexp_matches('abc', '[a-c]', 'g')
select regexp_replace('foobarfoo', '[a-c]', 'X'), regexp_replace('foobarfoo', '[a-c]', '<\&>', 'g')
select regexp_match('foobarfoo', '[a-c]'), substring('foobarfoo' from '[a-c]'), regexp_count('foobarfoo', '[a-c]')
select regexp_split_to_array('foobarfoo', '[a-c]')
select regexp_matches('foobarfoo', '[a-c]', 'g')
select regexp_replace('', '[a-c]', 'X'), regexp_replace('', '[a-c]', '<\&>', 'g')
select regexp_match('', '[a-c]'), substring('' from '[a-c]'), regexp_count('', '[a-c]')
select regexp_split_to_array('', '[a-c]')
select regexp_matches('', '[a-c]', 'g')
select regexp_replace('abc', '(b)(c)', 'X'), regexp_replace('abc', '(b)(c)', '<\&>', 'g')
select regexp_match('abc', '(b)(c)'), substring('abc' from '(b)(c)'), regexp_count('abc', '(b)(c)')
select regexp_split_to_array('abc', '(b)(c)')
select regexp_matches('abc', '(b)(c)', 'g')
select regexp_replace('foobarfoo', '(b)(c)', 'X'), regexp_replace('foobarfoo', '(b)(c)', '<\&>', 'g')
select regexp_match('foobarfoo', '(b)(c)'), substring('foobarfoo' from '(b)(c)'), regexp_count('foobarfoo', '(b)(c)')
select regexp_split_to_array('foobarfoo', '(b)(c)')
select regexp_matches('foobarfoo', '(b)(c)', 'g')
select regexp_replace('', '(b)(c)', 'X'), regexp_replace('', '(b)(c)', '<\&>', 'g')
select regexp_match('', '(b)(c)'), substring('' from '(b)(c)'), regexp_count('', '(b)(c)')
select regexp_split_to_array('', '(b)(c)')
select regexp_matches('', '(b)(c)', 'g')
select regexp_replace('abc', 'x', 'X'), regexp_replace('abc', 'x', '<\&>', 'g')
select regexp_match('abc', 'x'), substring('abc' from 'x'), regexp_count('abc', 'x')
select regexp_split_to_array('abc', 'x')
select regexp_matches('abc', 'x', 'g')
select regexp_replace('foobarfoo', 'x', 'X'), regexp_replace('foobarfoo', 'x', '<\&>', 'g')
select regexp_match('foobarfoo', 'x'), substring('foobarfoo' from 'x'), regexp_count('foobarfoo', 'x')
select regexp_split_to_array('foobarfoo', 'x')
select regexp_matches('foobarfoo', 'x', 'g')
select regexp_replace('', 'x', 'X'), regexp_replace('', 'x', '<\&>', 'g')
select regexp_match('', 'x'), substring('' from 'x'), regexp_count('', 'x')
select regexp_split_to_array('', 'x')
select regexp_matches('', 'x', 'g')
select regexp_replace('abc', 'o+', 'X'), regexp_replace('abc', 'o+', '<\&>', 'g')
select regexp_match('abc', 'o+'), substring('abc' from 'o+'), regexp_count('abc', 'o+')
select regexp_split_to_array('abc', 'o+')
select regexp_matches('abc', 'o+', 'g')
select regexp_replace('foobarfoo', 'o+', 'X'), regexp_replace('foobarfoo', 'o+', '<\&>', 'g')
select regexp_match('foobarfoo', 'o+'), substring('foobarfoo' from 'o+'), regexp_count('foobarfoo', 'o+')
select regexp_split_to_array('foobarfoo', 'o+')
select regexp_matches('foobarfoo', 'o+', 'g')
select regexp_replace('', 'o+', 'X'), regexp_replace('', 'o+', '<\&>', 'g')
select regexp_match('', 'o+'), substring('' from 'o+'), regexp_count('', 'o+')
select regexp_split_to_array('', 'o+')
select regexp_matches('', 'o+', 'g')
select regexp_replace('abc', '^', 'X'), regexp_replace('abc', '^', '<\&>', 'g')
select regexp_match('abc', '^'), substring('abc' from '^'), regexp_count('abc', '^')
select regexp_split_to_array('abc', '^')
select regexp_matches('abc', '^', 'g')
select regexp_replace('foobarfoo', '^', 'X'), regexp_replace('foobarfoo', '^', '<\&>', 'g')
select regexp_match('foobarfoo', '^'), substring('foobarfoo' from '^'), regexp_count('foobarfoo', '^')
select regexp_split_to_array('foobarfoo', '^')
select regexp_matches('foobarfoo', '^', 'g')
select regexp_replace('', '^', 'X'), regexp_replace('', '^', '<\&>', 'g')
select regexp_match('', '^'), substring('' from '^'), regexp_count('', '^')
select regexp_split_to_array('', '^')
select regexp_matches('', '^', 'g')
select regexp_replace('abc', '(.)', 'X'), regexp_replace('abc', '(.)', '<\&>', 'g')
select regexp_match('abc', '(.)'), substring('abc' from '(.)'), regexp_count('abc', '(.)')
select regexp_split_to_array('abc', '(.)')
select regexp_matches('abc', '(.)', 'g')
select regexp_replace('foobarfoo', '(.)', 'X'), regexp_replace('foobarfoo', '(.)', '<\&>', 'g')
select regexp_match('foobarfoo', '(.)'), substring('foobarfoo' from '(.)'), regexp_count('foobarfoo', '(.)')
select regexp_split_to_array('foobarfoo', '(.)')
select regexp_matches('foobarfoo', '(.)', 'g')
select regexp_replace('', '(.)', 'X'), regexp_replace('', '(.)', '<\&>', 'g')
select regexp_match('', '(.)'), substring('' from '(.)'), regexp_count('', '(.)')
select regexp_split_to_array('', '(.)')
select regexp_matches('', '(.)', 'g')
select regexp_replace('John Smith', '(\w+) (\w+)', '\2 \1')
select regexp_replace('aaa', 'a', 'b', 2), regexp_like('aB', 'b', 'i'), regexp_instr('xaxa', 'a', 3)
select regexp_matches(x, '(.)=(.)') from (values ('a=1', 2), ('b=2', 1), ('c', 3)) t(x, n) order by n
select x, regexp_matches(x, '.', 'g') m from (values ('ab', 2), ('cd', 1)) t(x, n) order by n desc, m limit 3
select regexp_matches(x, '.', 'g') from (values ('ab', 2), ('cd', 1)) t(x, n) order by n + 1, x offset 1
select n, generate_series(1, n) from (values (2, 'a'), (3, 'b')) t(n, y) order by y desc, 2
select x from (values ('abc'), ('xyz'), ('ABQ'), (null)) t(x) where x ilike any (array['a%', 'x_z']) order by 1
select 'abc' like any (array['b%', '%c']), 'abc' not like any (array['a%', 'b%']), 'abc' like any (array['b%', null]), 'abc' ilike any (array['%B%', null])
