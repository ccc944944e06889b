"""Nobody has made partitions for two weeks: the first message of the day makes them; days that were missed are
made late."""

import time

from support import text_message
from support.archives import hour_before, name_of, open_again, wait_closed


def drop_partitions_from_today_on(connection):
    names = connection.execute(
        "select inhrelid::regclass::text from pg_inherits"
        " where inhparent = 'duet.mailbox'::regclass"
        " and inhrelid::regclass::text >= 'duet.mailbox_p' || to_char(now(), 'YYYY_MM_DD')"
    ).fetchall()
    assert names
    for (name,) in names:
        connection.execute(f"drop table {name}")


def test_a_message_makes_the_partition_of_its_day(victim, start_on, look_into, client_of):
    server = start_on(victim)
    api = client_of(server)
    for user in ("ann", "bob"):
        api.put(f"/v1/users/{user}", {})
    drop_partitions_from_today_on(look_into(victim))
    assert server.probe("/readyz") == 503

    assert api.post("/v1/messages", text_message("ann", "bob")).status == 201
    assert len(api.get("/v1/users/bob/messages").json["items"]) == 1
    assert server.probe("/readyz") == 200
    server.wait_for_log("partition_was_missing", made="yes")


def failures(server, hour):
    return [
        entry
        for entry in server.log
        if entry.get("event") == "archive_not_made" and entry["hour"] == name_of(hour)
    ]


def test_archives_wait_for_days_that_were_missed(victim, start_on, look_into, client_of):
    hour = hour_before(24 * 4)
    database = look_into(victim)
    server = start_on(victim)
    api = client_of(server)
    # Nobody makes it while the lock of partition_make is held.
    database.execute("select pg_advisory_lock(1146439764, 1)")
    database.execute(f"drop table duet.archive_chunk_p{hour:%Y_%m_%d}")
    open_again(database, hour)

    server.wait_for_log("archive_not_made", timeout=30, hour=name_of(hour))
    begun = time.monotonic()
    server.wait_until(lambda: len(failures(server, hour)) == 4, what="the fourth failure")
    # One, two and four seconds, not one each time.
    assert time.monotonic() - begun > 5

    database.execute("select pg_advisory_unlock(1146439764, 1)")
    assert api.post("/v1/jobs/partition_make/run", {}).status == 200
    wait_closed(api, hour)
    wait_closed(api, hour_before(1))
