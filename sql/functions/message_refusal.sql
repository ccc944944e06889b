-- duet.message_refusal: which items the policy refuses, and why. For message_send_batch alone.
--
-- Items without the option bit 16 (enforce_policy) are never refused.
--
-- outcome  blocked_by_recipient | not_friends | sender_muted
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_pkey, contact_pkey (both directions)
create or replace function duet.message_refusal(
    p_sender bigint[],
    p_receiver bigint[],
    p_options bigint[],
    p_now timestamptz
)
returns table (item integer, outcome text)
language plpgsql stable
set search_path = duet, pg_temp
as $$
#variable_conflict use_column
declare
    v_friends_only constant boolean := (select s.messaging = 'friends' from setting as s);
begin
    return query
    select r.item::integer, r.outcome
    from (
        select
            i.item,
            case
                when theirs.blocked then 'blocked_by_recipient'
                when v_friends_only and not coalesce(ours.friend and theirs.friend, false)
                    then 'not_friends'
                when u.muted_until > p_now then 'sender_muted'
            end as outcome
        from unnest(p_sender, p_receiver, p_options) with ordinality
            as i(sender, receiver, options, item)
        left join contact as theirs on theirs.owner = i.receiver and theirs.peer = i.sender
        left join contact as ours on ours.owner = i.sender and ours.peer = i.receiver
        left join app_user as u on u.user_no = i.sender
        where i.options & 16 <> 0
    ) as r
    where r.outcome is not null;
end
$$;
