-- duet.audit_add: remember that a back-end service has asked for a write. Called by the server in the
-- statement of the write itself, so that both or none are kept.
--
-- p_subject null: a user's own token, of which nothing is kept.
--
-- retry    not safe: call it once in a transaction
-- locks    none
create or replace function duet.audit_add(
    p_subject text,
    p_key_id text,
    p_address text,
    p_operation text,
    p_resource text,
    p_on_behalf_of text,
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
    select
        p_now, p_subject, coalesce(p_key_id, ''), coalesce(p_address, ''), p_operation, p_resource,
        p_on_behalf_of, p_request_id, p_outcome
    where p_subject is not null
$$;
