-- Devices, the streams that are open to them, and who is to be woken.

alter table duet.setting
    add column sessions text not null default 'many'
        constraint setting_sessions_known check (sessions in ('many', 'one_per_platform', 'one')),
    add column sessions_limit integer not null default 20
        constraint setting_sessions_limit_range check (sessions_limit between 1 and 100);
comment on column duet.setting.sessions is 'On how many devices a user may be logged in at once.';
comment on column duet.setting.sessions_limit is 'The most devices of a user that may be logged in at once, in any case.';

-- As the types of replies of 0002.
create type duet.settings_reply as (
    outcome text,
    etag text,
    messaging text,
    roaming_days integer,
    offline_days integer,
    offline_per_contact integer,
    recent_contacts integer,
    recall_seconds integer,
    friends_per_user integer,
    blocks_per_user integer,
    friend_request_days integer,
    sessions text,
    sessions_limit integer,
    updated_at timestamptz
);

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
    logged_in_at timestamptz,
    seen_at timestamptz not null,
    kicked_at timestamptz,
    is_active boolean not null generated always as (
        logged_in_at is not null and (kicked_at is null or kicked_at < logged_in_at)
    ) stored,
    constraint device_pkey primary key (owner, device_id),
    constraint device_push_whole check ((push_vendor is null) = (push_token is null))
);
comment on table duet.device is
    'The devices of a user. One that was kicked is kept, even when it has logged out, so that its tokens stay void.';
comment on column duet.device.logged_in_at is 'Null: it has logged out, and is kept for kicked_at alone.';
comment on column duet.device.is_active is 'It has logged in, and its session has not ended since.';
comment on column duet.device.position is 'The device has every entry of the mailbox up to this seq.';
comment on column duet.device.kicked_at is
    'Its last session that was ended from outside ended then. Tokens from before it are void for the device; and
where it is not before logged_in_at, the device has to log in again.';

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

create index device_seen_at on duet.device (seen_at);

-- What calls on devices answer with.
create type duet.device_reply as (
    outcome text,
    created boolean,
    device text,
    platform text,
    state text,
    push_vendor text,
    "position" bigint,
    created_at timestamptz,
    logged_in_at timestamptz,
    last_seen_at timestamptz
);
