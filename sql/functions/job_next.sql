-- duet.job_next: when a schedule next comes round after p_after. Only minute and hour are looked at, which is
-- all that job allows; cron's times are those of UTC.
--
-- retry    safe: reads nothing
create or replace function duet.job_next(p_schedule text, p_after timestamptz)
returns timestamptz
language sql stable
set search_path = duet, pg_temp
set timezone = 'UTC'
as $$
    select min(t.at)
    from (select split_part(p_schedule, ' ', 1) as minute, split_part(p_schedule, ' ', 2) as hour) as s
    cross join generate_series(
        date_trunc('minute', p_after) + interval '1 minute',
        date_trunc('minute', p_after)
        + case when s.hour = '*' then interval '61 minutes' else interval '1441 minutes' end,
        interval '1 minute'
    ) as t(at)
    where case
            when s.minute = '*' then true
            when s.minute like '*/%' then extract(minute from t.at)::integer % substr(s.minute, 3)::integer = 0
            else extract(minute from t.at)::integer = s.minute::integer
        end
      and (s.hour = '*' or extract(hour from t.at)::text = s.hour)
$$;
