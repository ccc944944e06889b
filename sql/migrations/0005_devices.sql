-- Devices, the streams that are open to them, and who is to be woken.

-- A device that has logged in. Its position tells what it has; entries after it are what it missed.
create table duet.device (
    owner bigint not null,
    device_id text collate "C" not null
        constraint device_id_length check (octet_length(device_id) between 1 and 64)
        constraint device_id_printable check (device_id !~ '[\u0001-\u001f\u007f-\u009f]'),
    platform text not null
        constraint device_platform_known
        check (platform in ('ios', 'android', 'windows', 'mac', 'linux', 'web', 'ipad', 'other')),
    push_vendor text
        constraint device_push_vendor_known
        check (push_vendor in ('apple', 'google', 'huawei', 'xiaomi', 'oppo', 'vivo', 'meizu')),
    push_token text
        constraint device_push_token_length check (octet_length(push_token) between 1 and 1024),
    position bigint not null default 0
        constraint device_position_positive check (position >= 0),
    created_at timestamptz not null,
    logged_in_at timestamptz not null,
    seen_at timestamptz not null,
    kicked_at timestamptz,
    constraint device_pkey primary key (owner, device_id),
    constraint device_push_whole check ((push_vendor is null) = (push_token is null))
);
comment on table duet.device is 'The devices of a user. One that was kicked is kept, so that its tokens stay void.';
comment on column duet.device.position is 'The device has every entry of the mailbox up to this seq.';
comment on column duet.device.kicked_at is
    'Its session ended then; until it logs in with a token issued later it may not follow the mailbox.';

-- Who follows a mailbox at this moment. Unlogged: after a crash of the database the servers, which know their
-- streams, write them anew. A server that died leaves rows behind that run out.
create unlogged table duet.stream (
    owner bigint not null,
    stream_id bigint not null,
    device_id text collate "C",
    opened_at timestamptz not null,
    open_until timestamptz not null,
    constraint stream_pkey primary key (owner, stream_id)
);
comment on table duet.stream is 'Streams and waiting requests that are open on any server: presence.';
comment on column duet.stream.stream_id is 'Random; given by the server that holds the stream.';

-- In the row that each writer of the mailbox updates anyhow: so it learns without another look whether
-- somebody waits.
alter table duet.mailbox_head add column watched_until timestamptz not null default '-infinity';
comment on column duet.mailbox_head.watched_until is
    'Until then some server wants to be told, on the channel duet_mailbox, of new entries.';
