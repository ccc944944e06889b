-- What a user sorts conversations by, and small values on messages.

-- ---- conversations ----

create table duet.conversation_group (
    owner bigint not null,
    name text collate "C" not null
        constraint conversation_group_name_length check (octet_length(name) between 1 and 64),
    number bigint not null,
    created_at timestamptz not null,
    constraint conversation_group_pkey primary key (owner, name),
    constraint conversation_group_number_key unique (owner, number)
);
comment on table duet.conversation_group is 'The groups that a user sorts conversations into; there may be nothing in one.';
comment on column duet.conversation_group.number is 'Stays when the group gets another name.';

alter table duet.contact
    add column conversation_groups text[] collate "C" not null default '{}',
    add column marks text not null default ''
        constraint contact_marks_bits check (marks ~ '^([01]{0,63}1)?$'),
    add column custom_mark text not null default ''
        constraint contact_custom_mark_length check (octet_length(custom_mark) <= 256);
comment on column duet.contact.conversation_groups is 'Names of groups of conversation_group that it is in.';
comment on column duet.contact.marks is 'A character for each mark from 0 on, 1 where it is set; none behind the last 1.';

create index contact_marked on duet.contact (owner, peer)
    where conversation_groups <> '{}' or marks <> '' or custom_mark <> '';

alter type duet.conversation_reply
    add attribute groups text[],
    add attribute marks text,
    add attribute custom_mark text,
    add attribute cursor text;

-- ---- messages ----

comment on column duet.mailbox.options is
    'As sent: 1 sync_to_sender, 2 count_unread, 4 update_recents, 8 push, 16 enforce_policy, 64 extensible. 32:
imported, so that it is history and no news to devices.';

create table duet.message_extension (
    owner bigint not null,
    seq bigint not null,
    sent_at timestamptz not null,
    version bigint not null,
    cleared bigint not null,
    pairs jsonb not null,
    constraint message_extension_pkey primary key (owner, seq),
    constraint message_extension_object check (jsonb_typeof(pairs) = 'object')
);
create index message_extension_sent_at on duet.message_extension (sent_at);
comment on table duet.message_extension is
    'Named values on a message, known by its receiver''s copy. Removed when the message is too old to be read.';
comment on column duet.message_extension.version is 'One more with each write.';
comment on column duet.message_extension.cleared is 'The version of the write that last removed all of them; 0: none did.';
comment on column duet.message_extension.pairs is 'For each name an array of the value and the version of its last write.';

-- ---- what notifications aim at ----

alter table duet.setting
    add column attributes text[] not null default '{}'
        constraint setting_attributes_number check (cardinality(attributes) <= 10);
comment on column duet.setting.attributes is
    'What the app calls attribute 0, 1, …: a user who has the tag "#1=Kiel" has the value Kiel of attribute 1.';

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
    attributes text[],
    updated_at timestamptz
);
