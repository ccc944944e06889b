-- Friendships as their owner sees them, with the friend's profile. Who was deleted is nobody's friend. A
-- projection with lookups by key only, so that conditions on owner and friend_since reach contact_friends.
create or replace view duet.friend as
select
    c.owner,
    c.peer as peer_no,
    c.friend_since,
    u.user_id as peer,
    u.nick as peer_profile_nick,
    u.avatar_url as peer_profile_avatar_url,
    c.remark,
    c.groups,
    c.custom,
    coalesce(
        (select r.friend from duet.contact as r where r.owner = c.peer and r.peer = c.owner), false
    ) as mutual
from duet.contact as c
join duet.app_user as u on u.user_no = c.peer
where c.friend;

comment on view duet.friend is 'Friends of each user in the form in which they are read.';
