-- duet.audit_add: remember that a back-end service has asked for a write. Called by the server in the
-- statement of the write itself, so that both or none are kept.
--
-- p_subject null: a user's own token, of which nothing is kept. On whose behalf: of p_users one entry each, else of the
-- user with the number p_user_no; where there is neither, one entry that names nobody.
--
-- retry    not safe: call it once in a transaction
-- locks    none
-- indexes  app_user_pkey
create or replace function duet.audit_add(
    p_subject text,
    p_key_id text,
    p_address text,
    p_operation text,
    p_resource text,
    p_users text[],
    p_user_no bigint,
    p_request_id text,
    p_outcome text,
    p_now timestamptz default clock_timestamp()
)
returns void
language sql volatile security definer
set search_path = duet, pg_temp
as $$
    insert into audit_entry (
        at, subject, key_id, address, operation, resource, on_behalf_of, request_id, outcome
    )
    select distinct
        p_now, p_subject, coalesce(p_key_id, ''), coalesce(p_address, ''), p_operation, p_resource,
        b.user_id, p_request_id, p_outcome
    from unnest(
        coalesce(nullif(p_users, '{}'), array[(select u.user_id from app_user as u where u.user_no = p_user_no)])
    ) as b(user_id)
    where p_subject is not null
$$;
