-- duet.entry_kind: the word for the kind of a mailbox's entry; null for a number that is not known.
--
-- retry    safe: reads only
-- locks    none
create or replace function duet.entry_kind(p_kind integer)
returns text
language sql immutable
as $$
    select case
        when p_kind < 16 then 'message'
        else (array[
            'message_edited', 'message_recalled', 'message_deleted', 'read', 'peer_read', 'friend_added',
            'friend_changed', 'friend_removed', 'friend_requested', 'friend_request_closed', 'block_added',
            'block_removed', 'profile', 'conversation', 'kicked', 'notification'
        ])[p_kind - 15]
    end
$$;
