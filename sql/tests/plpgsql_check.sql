begin;
\ir helpers.psql
create extension if not exists plpgsql_check;
select no_plan();

select is_empty(
    format($$select lineno, statement, level, message, detail, hint from plpgsql_check_function_tb(%s,
             extra_warnings => true, performance_warnings => true, security_warnings => true)
             -- The columns are named as the fields of the API are.
             where message !~ '^name of parameter "(from|to|user)" is reserved'$$, p.oid),
    'nothing is wrong with ' || p.oid::regprocedure)
from pg_proc as p
join pg_language as l on l.oid = p.prolang and l.lanname = 'plpgsql'
where p.pronamespace = 'duet'::regnamespace
order by p.proname;

select * from finish();
rollback;
