"""Hours of the past, as the archives find them. Time is not waited for: the gate is put back to where
an hour begins, as if the servers had just come to it."""

import datetime
import hashlib
import json
import secrets
import time

HOUR = datetime.timedelta(hours=1)

SEND_SQL = """
select s.id_receiver, s.id_receiver_seq, s.id_sent_at
from duet.message_send_batch(
    array(select u.user_no from unnest(%(senders)s::text[]) with ordinality as i(id, n)
          join duet.app_user as u on u.user_id = i.id order by i.n),
    array(select u.user_no from unnest(%(receivers)s::text[]) with ordinality as i(id, n)
          join duet.app_user as u on u.user_id = i.id order by i.n),
    array_fill(%(nonce)s::bigint, array[%(n)s]), array_fill(null::text, array[%(n)s]),
    %(elements)s::text[], array_fill(null::text, array[%(n)s]), array_fill(null::text, array[%(n)s]),
    array_fill(%(store_seconds)s::bigint, array[%(n)s]), array_fill(15::bigint, array[%(n)s]),
    array_fill('backend'::text, array[%(n)s]), array_fill('backend'::text, array[%(n)s]),
    array_fill(null::text, array[%(n)s]), array_fill(null::bytea, array[%(n)s]), %(at)s
) as s
"""


def hour_before(hours):
    """The beginning of an hour that is over."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return now.replace(minute=0, second=0, microsecond=0) - hours * HOUR


def name_of(hour):
    return hour.strftime("%Y-%m-%dT%H")


def time_of(hour):
    return hour.strftime("%Y-%m-%dT%H:%M:%SZ")


def path_of(hour):
    return f"/v1/archives/{name_of(hour)}"


def send_at(db, at, pairs, texts, store_seconds=604800):
    """Messages of the past, stored in one batch as senders store them."""
    db.execute(
        SEND_SQL,
        {
            "senders": [sender for sender, _ in pairs],
            "receivers": [receiver for _, receiver in pairs],
            "elements": [json.dumps([{"type": "text", "text": text}]) for text in texts],
            "n": len(pairs),
            "nonce": secrets.randbits(32),
            "store_seconds": store_seconds,
            "at": at,
        },
    )


def open_again(db, hour):
    """From this hour on nothing is closed yet."""
    with db.transaction():
        db.execute("select pg_advisory_xact_lock(1146439764, hashtext('archive'))")
        db.execute("delete from duet.archive_chunk where hour >= %s", (hour,))
        db.execute("delete from duet.archive where hour >= %s", (hour,))
        db.execute("update duet.archive_gate set closed_until = %s", (hour,))


def wait_closed(api, hour, timeout=60):
    end = time.monotonic() + timeout
    while (reply := api.request("HEAD", path_of(hour))).status != 200:
        assert reply.status == 409, reply
        assert time.monotonic() < end, f"{name_of(hour)} was not closed in {timeout} s"
        time.sleep(0.05)


def close_hour(api, db, hour):
    open_again(db, hour)
    wait_closed(api, hour)


def digest_of(data):
    return hashlib.sha256(data).hexdigest()
