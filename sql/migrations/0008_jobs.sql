-- A job that goes through all users stops in the middle of one who has very many contacts.
alter table duet.job
    add column place_peer bigint,
    add column place_newest bigint[] not null default '{}';
comment on column duet.job.place is
    'Where a job that goes through all users by and by is to go on: behind this one, or with this one.';
comment on column duet.job.place_peer is 'null: place is done with. Else it is done with its contacts up to this peer.';
comment on column duet.job.place_newest is 'Which of these peers it would keep, as far as it knows.';

-- It takes keys now, and no times.
drop function if exists duet.held_keep(timestamptz, timestamptz, timestamptz);
