-- What it takes to run a product's chat through HTTP alone: relations in full, entries of other kinds than
-- messages, tags, requests, settings with a version, the audit.

-- All functions are loaded anew after this. Some have other columns than before, which `create or replace`
-- does not take. retry_mark stays: an index is made of it.
do $$
declare
    v_function regprocedure;
begin
    for v_function in
        select p.oid from pg_catalog.pg_proc as p
        where p.pronamespace = 'duet'::regnamespace and p.proname <> 'retry_mark'
    loop
        execute format('drop routine %s', v_function);
    end loop;
end
$$;

-- ---- settings ----

alter table duet.setting
    add column recall_seconds integer not null default 120
        constraint setting_recall_seconds_range check (recall_seconds between 0 and 604800),
    add column friends_per_user integer not null default 3000
        constraint setting_friends_per_user_range check (friends_per_user between 1 and 10000),
    add column blocks_per_user integer not null default 1000
        constraint setting_blocks_per_user_range check (blocks_per_user between 1 and 10000),
    add column friend_request_days integer not null default 7
        constraint setting_friend_request_days_range check (friend_request_days between 1 and 30),
    add column version bigint not null default 1,
    add column updated_at timestamptz not null default now();
comment on column duet.setting.recall_seconds is
    'For how long after sending a user token may recall or edit. Back-end tokens may as long as it is kept.';
comment on column duet.setting.version is 'One more with each change: what If-Match is held against.';

-- ---- the mailbox: entries that are no messages ----

alter table duet.mailbox
    add column deleted boolean not null default false,
    add column target_seq bigint,
    add column target_at timestamptz,
    add column details text;
alter table duet.mailbox_template
    add column deleted boolean not null default false,
    add column target_seq bigint,
    add column target_at timestamptz,
    add column details text;

comment on column duet.mailbox.kind is
    'Messages: 1 chat, 2 system, 3 custom_system. Others: 16 message_edited, 17 message_recalled,
18 message_deleted, 19 read, 20 peer_read, 21 friend_added, 22 friend_changed, 23 friend_removed,
24 friend_requested, 25 friend_request_closed, 26 block_added, 27 block_removed, 28 profile,
29 conversation, 30 kicked, 31 notification.';
comment on column duet.mailbox.options is
    'As sent: 1 sync_to_sender, 2 count_unread, 4 update_recents, 8 push, 16 enforce_policy. 32: imported,
so that it is history and no news to devices.';
comment on column duet.mailbox.deleted is 'A message that the owner has removed from this side.';
comment on column duet.mailbox.target_seq is
    'Of an entry about a message: the seq of that message in this very mailbox.';
comment on column duet.mailbox.target_at is 'The sent_at of that message, which tells its partition.';
comment on column duet.mailbox.details is 'JSON object: what an entry that is no message says besides its peer.';

-- What names a message, as functions hand it to each other.
create type duet.message_id as (
    receiver bigint,
    receiver_seq bigint,
    sender bigint,
    sender_seq bigint,
    sent_at timestamptz,
    nonce bigint
);

-- ---- what users have decided about each other ----

alter table duet.contact
    add column friend_since timestamptz,
    add column remark text not null default ''
        constraint contact_remark_length check (octet_length(remark) <= 256),
    add column groups text[] collate "C" not null default '{}',
    add column custom jsonb not null default '{}'
        constraint contact_custom_object check (jsonb_typeof(custom) = 'object'),
    add column blocked_at timestamptz,
    add column pinned boolean not null default false,
    add column muted boolean not null default false,
    add column read_seq bigint not null default 0,
    add column read_at timestamptz,
    add column peer_read_at timestamptz,
    add column hidden_seq bigint not null default 0,
    add constraint contact_friend_has_time check (friend = (friend_since is not null)),
    add constraint contact_block_has_time check (blocked = (blocked_at is not null));

comment on column duet.contact.groups is 'Names of the owner''s friend groups that peer is in.';
comment on column duet.contact.muted is 'owner wants no push for messages from peer.';
comment on column duet.contact.read_seq is
    'owner has read what came from peer up to this seq of the own mailbox.';
comment on column duet.contact.read_at is 'The sent_at of the newest message that owner has read.';
comment on column duet.contact.peer_read_at is 'The same of the peer: up to there peer has read owner''s.';
comment on column duet.contact.hidden_seq is
    'owner has removed the conversation from the list: entries up to this seq do not bring it back.';

create index contact_pinned on duet.contact (owner, peer) where pinned;
create index contact_friends on duet.contact (owner, friend_since, peer) where friend;
create index contact_blocks on duet.contact (owner, blocked_at, peer) where blocked;

create table duet.friend_group (
    owner bigint not null,
    name text collate "C" not null
        constraint friend_group_name_length check (octet_length(name) between 1 and 64),
    created_at timestamptz not null,
    constraint friend_group_pkey primary key (owner, name)
);
comment on table duet.friend_group is 'The names by which a user sorts friends; at most 32 a user.';

-- Each request is two rows, one of each user, as a message is.
create table duet.friend_request (
    owner bigint not null,
    outgoing boolean not null,
    peer bigint not null,
    text text not null default ''
        constraint friend_request_text_length check (octet_length(text) <= 1024),
    remark text not null default ''
        constraint friend_request_remark_length check (octet_length(remark) <= 256),
    created_at timestamptz not null,
    expires_at timestamptz not null,
    constraint friend_request_pkey primary key (owner, outgoing, peer)
);
comment on table duet.friend_request is
    'Pending requests: of the receiver (outgoing false) and of who asked (true). Answered ones are gone.';
comment on column duet.friend_request.remark is 'What the asking user will call the other; on the own row alone.';

create index friend_request_newest on duet.friend_request (owner, outgoing, created_at, peer);

-- ---- users ----

create table duet.user_tag (
    owner bigint not null,
    tag text collate "C" not null
        constraint user_tag_tag_length check (octet_length(tag) between 1 and 64),
    created_at timestamptz not null,
    constraint user_tag_pkey primary key (owner, tag)
);
comment on table duet.user_tag is 'Names that notifications can aim at; at most 100 a user.';

-- A deleted user's number is nobody's any more at once; what it owned goes piece by piece.
create table duet.erasure (
    erasure_id bigint generated by default as identity
        constraint erasure_pkey primary key,
    user_id text collate "C" not null,
    user_no bigint not null
        constraint erasure_user_no_key unique,
    started_at timestamptz not null,
    finished_at timestamptz,
    removed jsonb not null default '{}'
        constraint erasure_removed_object check (jsonb_typeof(removed) = 'object')
);
create index erasure_user_id on duet.erasure (user_id, erasure_id);
create index erasure_unfinished on duet.erasure (erasure_id) where finished_at is null;
comment on table duet.erasure is 'Receipts of deleted users: how many rows of each table were removed.';

-- ---- idempotency keys ----

-- A request that makes several messages has one key for each: its own, a unit separator, the item's number.
alter table duet.idempotency_key
    drop constraint idempotency_key_key_length,
    add constraint idempotency_key_key_length check (octet_length(key) between 1 and 72);

comment on column duet.idempotency_key.caller is
    'The `sub` of a back-end token; of a user token behind the word user and a unit separator.';

-- Of requests other than sends: the reply itself is kept with the key.
create table duet.request_key (
    caller text collate "C" not null,
    key text collate "C" not null
        constraint request_key_key_length check (octet_length(key) between 1 and 64),
    operation text not null,
    request_hash bytea not null,
    created_at timestamptz not null,
    reply text not null,
    constraint request_key_pkey primary key (caller, key)
);
comment on table duet.request_key is
    'How a request with this key was answered; good for 24 hours, and replaced after them.';

-- ---- the audit ----

create table duet.audit_entry (
    audit_id bigint generated by default as identity,
    at timestamptz not null,
    subject text collate "C" not null,
    key_id text collate "C" not null,
    address text collate "C" not null,
    operation text collate "C" not null,
    resource text collate "C" not null,
    on_behalf_of text collate "C",
    request_id text collate "C" not null,
    outcome text collate "C" not null,
    constraint audit_entry_pkey primary key (at, audit_id)
) partition by range (at);
comment on table duet.audit_entry is
    'Each write that a back-end token asked for, also where it was refused. No contents of messages.
Partitioned by week; kept for 90 days. A single send is told by sent_by of its message instead.';
comment on column duet.audit_entry.subject is '`sub` of the token.';
comment on column duet.audit_entry.key_id is '`kid` of the key that the token was signed with.';
comment on column duet.audit_entry.address is 'Of the client, as the connection shows it.';
comment on column duet.audit_entry.on_behalf_of is 'Id of the user whom the call was about, where it names one.';
comment on column duet.audit_entry.outcome is '"ok", or the code of the error.';

create table duet.audit_entry_template (
    like duet.audit_entry,
    constraint audit_entry_template_pkey primary key (at, audit_id)
);
comment on table duet.audit_entry_template is 'What pg_partman takes for new partitions; holds no rows.';

create index audit_entry_subject on duet.audit_entry (subject, at, audit_id);
create index audit_entry_operation on duet.audit_entry (operation, at, audit_id);
create index audit_entry_on_behalf_of on duet.audit_entry (on_behalf_of, at, audit_id);
create index audit_entry_request_id on duet.audit_entry (request_id, at, audit_id);

set local timezone = 'UTC';

select partman.create_parent(
    p_parent_table := 'duet.audit_entry',
    p_control := 'at',
    p_type := 'native',
    p_interval := 'weekly',
    p_premake := 4,
    p_automatic_maintenance := 'off',
    p_inherit_fk := false,
    p_template_table := 'duet.audit_entry_template',
    p_jobmon := false
);
update partman.part_config
set infinite_time_partitions = true,
    retention = '97 days',
    retention_keep_table = false,
    retention_keep_index = false
where parent_table = 'duet.audit_entry';
drop table duet.audit_entry_default;

-- ---- replies ----

-- What several functions of a resource answer with: those that change it as the one that reads it. outcome and
-- pointer are those of a refusal, created tells a new one from one that was there.
create type duet.user_reply as (
    outcome text,
    pointer text,
    created boolean,
    id text,
    nick text,
    avatar_url text,
    gender text,
    birthday text,
    language text,
    location text,
    signature text,
    level bigint,
    custom jsonb,
    friend_policy text,
    muted_until timestamptz,
    created_at timestamptz,
    updated_at timestamptz
);

create type duet.message_reply as (
    outcome text,
    id_receiver bigint,
    id_receiver_seq bigint,
    id_sender bigint,
    id_sender_seq bigint,
    id_sent_at timestamptz,
    id_nonce bigint,
    "from" text,
    "to" text,
    kind text,
    elements text,
    custom_data text,
    sent_at timestamptz,
    sent_by text,
    sender_profile_nick text,
    sender_profile_avatar_url text,
    sender_profile_deleted boolean,
    state text,
    edited_at timestamptz
);

create type duet.conversation_reply as (
    outcome text,
    pointer text,
    peer text,
    peer_profile_nick text,
    peer_profile_avatar_url text,
    last_message_id_receiver bigint,
    last_message_id_receiver_seq bigint,
    last_message_id_sender bigint,
    last_message_id_sender_seq bigint,
    last_message_id_sent_at timestamptz,
    last_message_id_nonce bigint,
    last_message_from text,
    last_message_to text,
    last_message_kind text,
    last_message_elements text,
    last_message_custom_data text,
    last_message_sent_at timestamptz,
    last_message_sent_by text,
    last_message_sender_profile_nick text,
    last_message_sender_profile_avatar_url text,
    last_message_sender_profile_deleted boolean,
    last_message_state text,
    last_message_edited_at timestamptz,
    unread bigint,
    read_up_to timestamptz,
    peer_read_up_to timestamptz,
    pinned boolean,
    muted boolean
);

create type duet.friend_reply as (
    outcome text,
    pointer text,
    created boolean,
    peer text,
    peer_profile_nick text,
    peer_profile_avatar_url text,
    remark text,
    groups text[],
    custom jsonb,
    friend_since timestamptz,
    mutual boolean
);

create type duet.erasure_reply as (
    outcome text,
    id text,
    "user" text,
    removed jsonb,
    started_at timestamptz,
    finished_at timestamptz
);
