-- duet.job_schedule: make a job known, and have pg_cron do it, where pg_cron serves this database. For the
-- files of sql/jobs. The job's work is the function duet.job_<name>(p_now, p_rehearsal), which does one slice
-- of it and says how many rows and bytes it has given back and whether there is more to do. A rehearsal is
-- rolled back by who asks for it; it looks at much more than a slice, and takes no strong lock.
--
-- retry    safe: by name; scheduling it again replaces it
create or replace function duet.job_schedule(
    p_name text,
    p_schedule text,
    p_late_after interval,
    p_description text
)
returns void
language plpgsql
set search_path = duet, pg_temp
as $$
begin
    insert into job as j (name, description, schedule, late_after)
    values (p_name, p_description, p_schedule, p_late_after)
    on conflict (name) do update
    set description = excluded.description,
        schedule = excluded.schedule,
        late_after = excluded.late_after;

    if exists (select from pg_extension as e where e.extname = 'pg_cron') then
        perform cron.schedule(
            'duet_' || p_name, p_schedule, format('call duet.job_work(%L)', p_name)
        );
    end if;
end
$$;
