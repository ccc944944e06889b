-- duet.job_profile_announce: let devices learn of the profiles that user_import has changed; a slice is one user, as
-- each may have thousands of friends whose mailboxes are locked meanwhile. Who is no more has nothing to tell.
--
-- retry    safe: who was told of stands in profile_change no more
-- locks    a row of profile_change; then those of profile_announce
-- indexes  profile_change_pkey, those of profile_announce
create or replace function duet.job_profile_announce(
    p_now timestamptz,
    p_rehearsal boolean,
    out rows bigint,
    out bytes bigint,
    out more boolean
)
language plpgsql
set search_path = duet, pg_temp
as $$
declare
    v_user_no bigint;
begin
    bytes := 0;
    if p_rehearsal then
        rows := (select count(*) from profile_change as c where c.changed_at <= p_now);
        return;
    end if;

    delete from profile_change as c
    where c.user_no = (
        select o.user_no from profile_change as o
        where o.changed_at <= p_now
        order by o.user_no
        limit 1
        for update skip locked
    )
    returning c.user_no into v_user_no;
    rows := 0;
    if found then
        perform profile_announce(v_user_no);
        rows := 1;
    end if;
    -- What an import has locked is for the next run.
    more := rows = 1 and exists (select from profile_change as c where c.changed_at <= p_now);
end
$$;

select duet.job_schedule(
    'profile_announce', '* * * * *', interval '1 hour', 'Tells devices of profiles that an import has changed.'
);
