-- Archives: each closed hour of messages, as bytes that stay as they are.

-- One row that each sender reads and, once an hour, the archives move on. See docs/archives.md.
create table duet.archive_gate (
    one boolean not null default true
        constraint archive_gate_pkey primary key
        constraint archive_gate_is_one_row check (one),
    closed_until timestamptz not null
);
comment on table duet.archive_gate is 'Where the hours end that are closed; one row.';
comment on column duet.archive_gate.closed_until is
    'No message is given an earlier time, whatever the clock says.';
insert into duet.archive_gate (closed_until) values (date_trunc('hour', now(), 'UTC'));

create table duet.archive (
    hour timestamptz
        constraint archive_pkey primary key,
    fence xid8,
    closed_at timestamptz,
    messages bigint,
    bytes bigint,
    sha256 bytea,
    gzip_bytes bigint,
    gzip_sha256 bytea,
    constraint archive_whole check (
        num_nulls(closed_at, messages, bytes, sha256, gzip_bytes, gzip_sha256) in (0, 6)
    )
);
comment on table duet.archive is 'Hours that are closed, and the one that is about to be.';
comment on column duet.archive.fence is
    'Transactions before this one may have taken a time of the hour without seeing that it was over.';
comment on column duet.archive.closed_at is 'The moment whose state the archive shows; null: it is not made yet.';

-- The archive as zlib has compressed it, a gzip file cut in pieces. zlib starts anew with each piece, so that
-- each can be expanded by itself.
create table duet.archive_chunk (
    hour timestamptz not null,
    position bigint not null,
    gzip_position bigint not null,
    bytes bigint not null,
    content bytea not null,
    constraint archive_chunk_pkey primary key (hour, position)
) partition by range (hour);
alter table duet.archive_chunk alter column content set storage external;
comment on table duet.archive_chunk is 'The bytes of archives, compressed. Partitioned by day.';
comment on column duet.archive_chunk.position is 'Of the first byte, in the archive as it is before compression.';
comment on column duet.archive_chunk.gzip_position is 'Of the first byte of content, in the compressed archive.';
comment on column duet.archive_chunk.bytes is 'How long content is when it is expanded.';

create table duet.archive_chunk_template (
    like duet.archive_chunk including storage,
    constraint archive_chunk_template_pkey primary key (hour, position)
);
comment on table duet.archive_chunk_template is 'What pg_partman takes for new partitions; holds no rows.';

create index archive_chunk_gzip_position on duet.archive_chunk (hour, gzip_position);

set local timezone = 'UTC';

select partman.create_parent(
    p_parent_table := 'duet.archive_chunk',
    p_control := 'hour',
    p_type := 'native',
    p_interval := 'daily',
    p_premake := 7,
    p_automatic_maintenance := 'off',
    p_start_partition := (now() - interval '9 days')::date::text,
    p_inherit_fk := false,
    p_template_table := 'duet.archive_chunk_template',
    p_jobmon := false
);
update partman.part_config
set infinite_time_partitions = true,
    retention = '8 days',
    retention_keep_table = false,
    retention_keep_index = false
where parent_table = 'duet.archive_chunk';
drop table duet.archive_chunk_default;

-- Finds the messages of an hour. Rows come in the order of time, so a summary of each few pages tells where they
-- are, and costs a send next to nothing.
create index mailbox_sent_at on duet.mailbox using brin (sent_at) with (pages_per_range = 64);
