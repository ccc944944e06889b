-- duet.archive_open: open the cursor that archive_fetch reads: the stored messages of a time, in the order in which
-- they were accepted: by time, those of one moment by receiver and the number in that mailbox. What was open before
-- is closed.
--
-- Each message is there once, as the receiver's copy, or the sender's where the receiver was deleted. Not there is what
-- was imported, and what has expired by now.
--
-- retry    safe: reads only
-- locks    none
-- indexes  mailbox_sent_at, app_user_pkey, notification_pkey
create or replace function duet.archive_open(
    p_since timestamptz,
    p_until timestamptz,
    p_now timestamptz default now()
)
returns void
language plpgsql security definer
set search_path = duet, pg_temp
-- The days are told apart when it is planned.
set plan_cache_mode = force_custom_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    v_cursor refcursor := 'duet_archive'::refcursor;
begin
    if exists (select from pg_cursors as c where c.name = 'duet_archive') then
        close v_cursor;
    end if;
    open v_cursor no scroll for
    select
        e.id_receiver, e.id_receiver_seq, e.id_sender, e.id_sender_seq, e.id_sent_at, e.id_nonce,
        s.user_id as "from", r.user_id as "to", e.kind, e.elements, e.custom_data, e.sent_at, e.sent_by,
        coalesce(s.nick, '') as sender_profile_nick,
        coalesce(s.avatar_url, '') as sender_profile_avatar_url,
        s.user_no is null as sender_profile_deleted,
        e.state, e.edited_at,
        message_key(e.client_id, e.id_receiver_seq, e.id_nonce, e.sent_at) as key
    from message_entry as e
    left join app_user as s on s.user_no = e.id_sender
    left join app_user as r on r.user_no = e.id_receiver
    where e.sent_at >= p_since and e.sent_at < p_until
      and e.kind_no < 16
      and e.options & 32 = 0
      and (e.expires_at is null or e.expires_at > p_now)
      and case when e.outgoing then r.user_no is null and s.user_no is not null else r.user_no is not null end
    order by e.sent_at, e.id_receiver, e.id_receiver_seq;
end
$$;
