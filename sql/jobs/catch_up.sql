-- pg_cron makes up each minute for what it missed, and does new jobs at once: see job_catch_up.
do $$
begin
    if exists (select from pg_catalog.pg_extension where extname = 'pg_cron') then
        perform cron.schedule('duet_catch_up', '* * * * *', 'call duet.job_catch_up()');
    end if;
end
$$;
