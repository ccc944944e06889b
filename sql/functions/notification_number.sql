-- duet.notification_number: the number behind a notification's id; null where it can be none.
create or replace function duet.notification_number(p_notification text)
returns bigint
language sql immutable
set search_path = duet, pg_temp
as $$
    select case when p_notification ~ '^[1-9][0-9]{0,17}$' then p_notification::bigint end
$$;
