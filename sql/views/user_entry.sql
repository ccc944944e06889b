-- Users as every call shows them. A projection only, so that conditions reach the indexes of app_user.
create or replace view duet.user_entry as
select
    u.user_no,
    u.user_id as id,
    u.nick,
    u.avatar_url,
    u.gender,
    to_char(u.birthday, 'YYYY-MM-DD') as birthday,
    u.language,
    u.location,
    u.signature,
    u.level,
    u.custom,
    u.friend_policy,
    u.muted_until,
    u.created_at,
    u.updated_at
from duet.app_user as u;

comment on view duet.user_entry is 'Users in the form in which they are read.';
