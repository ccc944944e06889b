"""Nobody has made partitions for two weeks: the first message of the day makes them."""

from support import text_message


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
