-- duet.friend_consent: what p_asked says to becoming a friend of p_asking, by all that is known of p_asked.
--
-- Who has p_asking as a friend already, or has asked the same of p_asking, has agreed whatever the policy. Otherwise
-- p_asking must not be one who may ask nobody: a word of the administrator in custom, as /v4 keeps it.
--
-- outcome  agreed | ask (a request must be accepted) | friend_policy_refuses | blocked_by_recipient | forbidden
-- retry    safe: reads only
-- locks    none; both mailboxes are locked already. The friend policy is not under that lock: a change of
--          it at the same moment may come too late
-- indexes  contact_pkey, friend_request_pkey, app_user_pkey
create or replace function duet.friend_consent(p_asking bigint, p_asked bigint, p_now timestamptz)
returns text
language plpgsql stable
set search_path = duet, pg_temp
as $$
declare
    v_theirs contact;
begin
    select * into v_theirs from contact as c where c.owner = p_asked and c.peer = p_asking;
    if v_theirs.blocked then
        return 'blocked_by_recipient';
    end if;
    if v_theirs.friend
       or exists (
           select from friend_request as r
           where r.owner = p_asking and not r.outgoing and r.peer = p_asked and r.expires_at > p_now
       ) then
        return 'agreed';
    end if;
    if exists (
        select from app_user as u
        where u.user_no = p_asking and u.custom ->> 'im_admin_forbid_type' = 'AdminForbid_Type_SendOut'
    ) then
        return 'forbidden';
    end if;
    return (
        select
            case u.friend_policy
                when 'anyone' then 'agreed'
                when 'approval' then 'ask'
                else 'friend_policy_refuses'
            end
        from app_user as u
        where u.user_no = p_asked
    );
end
$$;
