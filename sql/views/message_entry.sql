-- A mailbox's entries as messages: what names the message, whichever of its two copies this is, and
-- words for what is stored as numbers. What the owner has removed is no message any more, nor is another
-- entry. The body of a notification is stored once, and fetched for its rows alone; a copy that was edited or
-- recalled by itself has its own, until the whole notification is recalled. A projection only, so that conditions
-- reach the indexes of mailbox.
create or replace view duet.message_entry as
select
    m.owner,
    m.seq,
    m.peer,
    m.outgoing,
    m.client_id,
    m.expires_at,
    m.kind < 16 and not m.deleted as is_message,
    case when m.outgoing then m.peer else m.owner end as id_receiver,
    case when m.outgoing then m.peer_seq else m.seq end as id_receiver_seq,
    case when m.outgoing then m.owner else m.peer end as id_sender,
    case when m.outgoing then m.seq else m.peer_seq end as id_sender_seq,
    m.sent_at as id_sent_at,
    m.nonce as id_nonce,
    case m.kind when 1 then 'chat' when 2 then 'system' when 3 then 'custom_system' end as kind,
    case
        when m.kind in (2, 3) and m.target_seq is not null
            then (
                select case when n.state = 'recalled' then '[]' else coalesce(m.elements, n.elements) end
                from duet.notification as n
                where n.notification_no = m.target_seq
            )
        else m.elements
    end as elements,
    case
        when m.kind in (2, 3) and m.target_seq is not null
            then (
                select
                    case
                        when n.state = 'recalled' then null
                        when m.elements is null then n.custom_data
                        else m.custom_data
                    end
                from duet.notification as n
                where n.notification_no = m.target_seq
            )
        else m.custom_data
    end as custom_data,
    m.sent_at,
    m.sent_by,
    case
        when m.recalled then 'recalled'
        when m.kind in (2, 3) and (
            select n.state = 'recalled' from duet.notification as n where n.notification_no = m.target_seq
        ) then 'recalled'
        else 'sent'
    end as state,
    m.edited_at,
    m.kind::integer as kind_no,
    m.options::integer as options,
    m.deleted,
    m.target_seq,
    m.target_at,
    m.details
from duet.mailbox as m;

comment on view duet.message_entry is 'Entries of mailboxes in the form in which messages are read.';
