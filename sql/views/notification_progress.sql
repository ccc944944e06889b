-- Notifications without what may be long, and how fast their delivery goes. In views, so that one notification
-- and the list of them show the same.
create or replace view duet.notification_progress as
select
    n.notification_no,
    n.notification_no::text as id,
    n.state,
    u.user_id as "from",
    case n.kind when 2 then 'system' else 'custom_system' end as kind,
    n.total,
    n.delivered,
    n.failed,
    n.recalled,
    r.rate,
    case
        when n.state <> 'running' then null
        when n.rate_per_second < r.rate or r.rate = 0 and n.rate_per_second is not null
            then ceil(greatest(n.total - n.delivered - n.failed, 0) / n.rate_per_second::double precision)::bigint
        when r.rate > 0 then ceil(greatest(n.total - n.delivered - n.failed, 0) / r.rate)::bigint
    end as seconds_left,
    n.rate_per_second::bigint as rate_per_second,
    n.send_at,
    n.expires_at,
    n.include_new_users_until,
    n.created_by,
    n.created_at,
    n.started_at,
    n.finished_at,
    n.recalled_at
from duet.notification as n
left join duet.app_user as u on u.user_no = n.sender
cross join lateral (
    select round(
        coalesce((n.delivered + n.failed) / nullif(extract(epoch from n.worked), 0), 0), 1
    )::double precision as rate
) as r;

comment on view duet.notification_progress is 'Notifications as the API shows them, without their bodies.';
