-- duet.message_refusal: which items the policy refuses, and why. For message_send_batch alone, into whose
-- statement it is taken up.
--
-- Items without the option bit 16 (enforce_policy) are never refused. p_issued_at is null, or has for each item when
-- the token was issued (seconds since 1970): one that is void by now, as caller_is_good says, sends nothing. p_device is
-- null, or has for each item the device that the token was made for, or null.
--
-- outcome  unauthenticated | blocked_by_recipient | not_friends | sender_muted
-- retry    safe: reads only
-- locks    none
-- indexes  app_user_pkey, contact_pkey (both directions), device_pkey
create or replace function duet.message_refusal(
    p_sender bigint[],
    p_receiver bigint[],
    p_options bigint[],
    p_now timestamptz,
    p_issued_at bigint[] default null,
    p_device text[] default null
)
returns table (item integer, outcome text)
language sql stable
as $$
    select r.item::integer, r.outcome
    from (
        select
            i.item,
            case
                when extract(epoch from date_trunc('second', u.tokens_valid_from)) > p_issued_at[i.item]
                    then 'unauthenticated'
                when p_device is not null and exists (
                    select from duet.device as d
                    where d.owner = i.sender
                      and d.device_id = p_device[i.item]
                      and extract(epoch from date_trunc('second', d.kicked_at)) >= p_issued_at[i.item]
                ) then 'unauthenticated'
                when theirs.blocked then 'blocked_by_recipient'
                when (select s.messaging = 'friends' from duet.setting as s)
                     and not coalesce(ours.friend and theirs.friend, false) then 'not_friends'
                when u.muted_until > p_now then 'sender_muted'
            end as outcome
        from unnest(p_sender, p_receiver, p_options) with ordinality
            as i(sender, receiver, options, item)
        left join duet.contact as theirs on theirs.owner = i.receiver and theirs.peer = i.sender
        left join duet.contact as ours on ours.owner = i.sender and ours.peer = i.receiver
        left join duet.app_user as u on u.user_no = i.sender
        where i.options & 16 <> 0
    ) as r
    where r.outcome is not null
$$;
