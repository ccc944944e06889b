-- duet.friend_details: what an entry about a friend says besides its peer.
create or replace function duet.friend_details(p_remark text, p_groups text[], p_mutual boolean)
returns text
language sql immutable
as $$
    select jsonb_build_object('remark', p_remark, 'groups', p_groups, 'mutual', p_mutual)::text
$$;
