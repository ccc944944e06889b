"""GET /v1/users/{user}/events by waiting and as a stream: the same log, told when it grows."""

import concurrent.futures
import contextlib
import datetime
import secrets
import time

import psycopg
import pytest

from support import text_message
from support.sse import Stream

LEEWAY_SECONDS = 30  # by which a token outlives its exp


def send(api, sender, receiver, text="hi", **more):
    sent = api.post("/v1/messages", text_message(sender, receiver, text, **more))
    assert sent.status == 201, sent
    return sent.json


def page(api, user, **params):
    reply = api.get(f"/v1/users/{user}/events", params=params, timeout=70)
    assert reply.status == 200, reply
    return reply


@contextlib.contextmanager
def waiting(api, db, user, **params):
    """A request that waits; gives its future when the server has parked it."""
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        reply = executor.submit(page, api, user, **params)
        wait_for_streams(api.server, db, user, 1)
        yield reply


def wait_for_streams(server, db, user, n):
    """So many are open, as the database knows."""
    count = (
        "select count(*) from duet.stream s join duet.app_user u on u.user_no = s.owner"
        " where u.user_id = %s"
    )
    server.wait_until(
        lambda: db.execute(count, (user,)).fetchone() == (n,), what=f"{n} open streams of {user}"
    )


def log_in(api, user, device="phone", position=0):
    path = f"/v1/users/{user}/devices/{device}"
    assert api.put(path, {"platform": "ios"}).status in (200, 201)
    if position:
        assert api.put(f"{path}/position", {"seq": position}).status == 200


# -- waiting


def test_a_page_that_has_something_does_not_wait(api, ann, bob):
    send(api, ann, bob)
    begun = time.monotonic()
    assert len(page(api, bob, wait=60).json["items"]) == 1
    assert time.monotonic() - begun < 10


def test_an_empty_page_waits_for_an_entry(api, db, ann, bob):
    with waiting(api, db, bob, wait=60) as reply:
        sent = send(api, ann, bob)
        got = reply.result().json
    assert [event["message"] for event in got["items"]] == [sent]
    assert (got["last_seq"], got["skipped"]) == (1, 0)
    wait_for_streams(api.server, db, bob, 0)


def test_an_empty_page_waits_no_longer_than_asked(api, bob):
    begun = time.monotonic()
    assert page(api, bob, wait=1).json == {"items": [], "last_seq": 0, "skipped": 0}
    assert time.monotonic() - begun >= 1


def test_what_cannot_be_shown_does_not_end_the_waiting_and_is_counted(api, db, ann, bob):
    with waiting(api, db, bob, wait=60) as reply:
        then = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
        item = {"from": ann, "to": bob, "text": "old", "sent_at": then.isoformat()}
        assert api.post("/v1/messages/import", {"messages": [item, item]}).status == 200
        sent = send(api, ann, bob)
        got = reply.result().json
    assert [event["message"] for event in got["items"]] == [sent]
    assert (got["items"][0]["seq"], got["skipped"]) == (3, 2)


def test_the_user_s_end_ends_the_waiting(api, db, bob):
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        reply = executor.submit(api.get, f"/v1/users/{bob}/events", params={"wait": 60}, timeout=70)
        wait_for_streams(api.server, db, bob, 1)
        assert api.delete(f"/v1/users/{bob}").status == 200
        assert reply.result().code == "user_unknown"


@pytest.mark.parametrize("wait", [-1, 61, "x"])
def test_a_wrong_wait_is_refused(api, ann, wait):
    reply = api.get(f"/v1/users/{ann}/events", params={"wait": wait})
    assert (reply.status, reply.pointers) == (400, ["/wait"])


# -- streams


def test_a_stream_begins_with_what_there_is_and_goes_on(api, ann, bob):
    first = send(api, ann, bob, "first")
    with Stream(api, bob) as stream:
        assert (stream.status, stream.headers["Content-Type"]) == (200, "text/event-stream")
        assert stream.headers["Cache-Control"] == "no-store"
        assert stream.headers["X-Accel-Buffering"] == "no"
        assert stream.headers["X-Request-Id"]
        assert stream.next().retry == "2000"
        seen = stream.until("sync")
        assert [event.data["message"] for event in seen[:-1]] == [first]
        assert (seen[-1].id, seen[-1].data) == (1, {"last_seq": 1, "skipped": 0, "more": False})
        second = send(api, ann, bob, "second")
        event = stream.next()
        assert (event.id, event.kind, event.data["message"]) == (2, "message", second)


def test_an_event_is_what_a_page_shows(api, ann, bob):
    with Stream(api, bob) as stream:
        stream.caught_up()
        send(api, ann, bob, "line one\nline two")
        live = stream.next().data
    with Stream(api, bob) as stream:
        (again,) = stream.caught_up()
    assert page(api, bob).json["items"] == [live] == [again.data]


def test_every_kind_of_entry_reaches_a_stream(api, ann, bob):
    api.patch(f"/v1/users/{ann}", {"friend_policy": "approval"})
    with Stream(api, ann) as stream:
        stream.caught_up()
        sent = send(api, bob, ann)
        for change in (
            lambda: api.put(f"/v1/users/{ann}/conversations/{bob}/read", {"up_to": sent["id"]}),
            lambda: api.patch(f"/v1/messages/{sent['id']}", {"text": "new"}),
            lambda: api.post(f"/v1/users/{bob}/friend-requests", {"to": ann}),
            lambda: api.post(f"/v1/users/{ann}/friend-requests/{bob}/accept"),
            lambda: api.patch(f"/v1/users/{ann}/friends/{bob}", {"remark": "Bobby"}),
            lambda: api.patch(f"/v1/users/{bob}", {"nick": "Robert"}),
            lambda: api.patch(f"/v1/users/{ann}/conversations/{bob}", {"muted": True}),
            lambda: api.put(f"/v1/users/{ann}/blocks/{bob}"),
            lambda: api.delete(f"/v1/users/{ann}/blocks/{bob}"),
            lambda: api.delete(f"/v1/users/{ann}/friends/{bob}"),
            lambda: api.delete(f"/v1/messages/{send(api, ann, bob)['id']}"),
        ):
            assert change().status in (200, 201, 204)
        answer = send(api, ann, bob)
        assert api.put(f"/v1/users/{bob}/conversations/{ann}/read", {"up_to": answer["id"]}).status
        seen = stream.until("peer_read")
    assert [event.id for event in seen] == list(range(1, len(seen) + 1))
    assert {
        "message", "read", "message_edited", "friend_requested", "friend_request_closed",
        "friend_added", "friend_changed", "profile", "conversation", "block_added", "block_removed",
        "friend_removed", "message_recalled", "peer_read",
    } == {event.kind for event in seen}
    assert seen[0].data["message"]["sender_profile"]["nick"] == "Bob"


def test_a_notification_reaches_a_stream(api, user):
    someone = user()
    with Stream(api, someone) as stream:
        stream.caught_up()
        api.post("/v1/notifications", {"to": {"users": [someone]}, "text": "Tea!"})
        event = stream.next()
    assert event.data["message"]["kind"] == "system"
    assert event.data["message"]["elements"] == [{"type": "text", "text": "Tea!"}]


def test_last_event_id_resumes_and_beats_after(api, ann, bob):
    sent = [send(api, ann, bob, str(i)) for i in range(5)]
    with Stream(api, bob, headers={"Last-Event-ID": "3"}, after=1) as stream:
        assert [event.data["message"] for event in stream.caught_up()] == sent[3:]
    for first in ({"after": 1}, {"headers": {"Last-Event-ID": "1"}}):
        with Stream(api, bob, limit=1, **first) as stream:
            seen = stream.until("sync")
            assert [event.data["message"] for event in seen if event.id and event.kind != "sync"] == sent[1:]


def test_a_stream_that_is_resumed_goes_from_page_to_page(api, ann, bob):
    sent = [send(api, ann, bob, str(i)) for i in range(7)]
    with Stream(api, bob, headers={"Last-Event-ID": "1"}, limit=2) as stream:
        told = [event.data["message"] for event in stream.until("sync", more=False) if event.kind == "message"]
    assert told == sent[1:]


def test_a_wrong_last_event_id_is_refused(api, bob):
    with Stream(api, bob, headers={"Last-Event-ID": "x"}) as stream:
        assert stream.status == 400
        assert stream.problem["errors"][0]["pointer"] == "/Last-Event-ID"


def test_a_position_that_is_ahead_is_told_so_and_goes_on(api, ann, bob):
    send(api, ann, bob)
    with Stream(api, bob, after=9007199254740991) as stream:
        assert stream.until("sync")[-1].data == {"last_seq": 1, "skipped": 0, "more": False}
        assert stream.last_id == 1
        sent = send(api, ann, bob)
        assert stream.next().data["message"] == sent


def test_what_is_left_out_is_told(api, ann, bob):
    with Stream(api, bob) as stream:
        stream.caught_up()
        then = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
        item = {"from": ann, "to": bob, "text": "old", "sent_at": then.isoformat()}
        assert api.post("/v1/messages/import", {"messages": [item, item]}).status == 200
        sent = send(api, ann, bob)
        event, sync = stream.next(), stream.next()
    assert event.data["message"] == sent
    assert (sync.kind, sync.id, sync.data) == ("sync", 3, {"last_seq": 3, "skipped": 2, "more": False})


def test_all_streams_of_a_user_are_given_all(api, db, ann, bob):
    with Stream(api, bob) as one, Stream(api, bob) as two:
        one.caught_up()
        two.caught_up()
        sent = [send(api, ann, bob, str(i)) for i in range(20)]
        for stream in (one, two):
            assert [stream.next().data["message"] for _ in sent] == sent
    wait_for_streams(api.server, db, bob, 0)


def test_a_stream_on_another_server_is_told(api, start_server, client_of, ann, bob):
    other = client_of(start_server())
    with Stream(other, bob) as stream:
        stream.caught_up()
        for i in range(20):
            sent = send(api, ann, bob, str(i))
            assert stream.next().data["message"] == sent


def test_without_the_right_to_read_there_is_no_stream(api, ann, bob):
    for other, status in ((api.as_user(ann), 403), (api.as_user(bob), 200)):
        with Stream(other, bob) as stream:
            assert stream.status == status
    with Stream(api, f"stranger-{secrets.token_hex(4)}") as stream:
        assert (stream.status, stream.problem["code"]) == (404, "user_unknown")
    with Stream(api.with_token("x"), bob) as stream:
        assert stream.status == 401


def test_a_head_request_opens_no_stream(api, db, bob):
    path = f"/v1/users/{bob}/events"
    reply = api.request("HEAD", path, headers={"Accept": "text/event-stream"})
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/json; charset=utf-8")
    wait_for_streams(api.server, db, bob, 0)


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/event-stream;q=0"])
def test_who_does_not_ask_for_a_stream_gets_a_page(api, bob, accept):
    reply = api.get(f"/v1/users/{bob}/events", headers={"Accept": accept})
    assert reply.json == {"items": [], "last_seq": 0, "skipped": 0}


def test_a_stream_ends_with_its_token(api, bob):
    token = api.server.token(scope="user", sub=bob, exp=int(time.time()) - LEEWAY_SECONDS + 3)
    with Stream(api.with_token(token), bob) as stream:
        assert stream.status == 200
        stream.caught_up()
        (last,) = stream.rest()
    assert (last.kind, last.data) == ("closed", {"code": "unauthenticated", "retryable": False})


def test_a_stream_ends_with_its_user(api, bob):
    with Stream(api, bob) as stream:
        stream.caught_up()
        assert api.delete(f"/v1/users/{bob}").status == 200
        (last,) = stream.rest()
    assert (last.kind, last.data["code"]) == ("closed", "user_unknown")


def test_streams_and_waits_end_at_once_when_the_server_stops(start_server, client_of, db, ann, bob):
    server = start_server()
    there = client_of(server)
    with Stream(there, ann) as stream, waiting(there, db, bob, wait=60) as reply:
        stream.caught_up()
        begun = time.monotonic()
        server.stop()
        assert time.monotonic() - begun < 5
        (last,) = stream.rest()
        assert last.data == {"code": "shutting_down", "retryable": True}
        assert reply.result().json == {"items": [], "last_seq": 0, "skipped": 0}
    rows = db.execute("select count(*) from duet.stream where open_until > now()").fetchone()
    assert rows == (0,)


def test_a_user_has_so_many_streams_and_no_more(start_server, client_of, db, ann, bob):
    server = start_server(DUET_USER_STREAMS=2)
    there = client_of(server)
    with Stream(there, bob) as one, Stream(there, bob) as two:
        one.caught_up()
        two.caught_up()
        with Stream(there, bob) as three:
            assert (three.status, three.problem["code"]) == (429, "streams_full")
        assert there.get(f"/v1/users/{bob}/events", params={"wait": 1}).code == "streams_full"
        with Stream(there, ann) as another:
            assert another.status == 200
    wait_for_streams(server, db, bob, 0)
    with Stream(there, bob) as again:
        assert again.status == 200


def test_a_server_has_so_many_streams_and_no_more(start_server, client_of, db, ann, bob):
    server = start_server(DUET_MAX_STREAMS=1)
    there = client_of(server)
    with Stream(there, bob) as one:
        one.caught_up()
        with Stream(there, ann) as two:
            assert (two.status, two.problem["code"]) == (503, "overloaded")
        assert page(there, ann).status == 200
    wait_for_streams(server, db, bob, 0)


# -- messages for connected devices only


def test_store_seconds_zero_reaches_open_streams_on_any_server_and_nothing_else(
    api, start_server, client_of, db, ann, bob
):
    other = client_of(start_server())
    fleeting = {"store_seconds": 0}
    send(api, ann, bob, "before", options=fleeting)
    with Stream(api, bob) as here, Stream(other, bob) as there:
        for stream in (here, there):
            assert stream.caught_up() == []
        with waiting_beside(api, db, bob) as reply:
            sent = send(api, ann, bob, "now", options=fleeting)
            assert [one["message"] for one in reply.result().json["items"]] == [sent]
        for stream in (here, there):
            assert stream.next().data["message"] == sent
    assert page(api, bob).json == {"items": [], "last_seq": 2, "skipped": 2}
    with Stream(api, bob) as late:
        assert late.until("sync")[-1].data == {"last_seq": 2, "skipped": 2, "more": False}


@contextlib.contextmanager
def waiting_beside(api, db, user):
    """The same as waiting, beside two streams."""
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        reply = executor.submit(page, api, user, wait=60)
        wait_for_streams(api.server, db, user, 3)
        yield reply


# -- devices


def test_a_device_starts_where_it_stopped(api, ann, bob):
    sent = [send(api, ann, bob, str(i)) for i in range(4)]
    log_in(api, bob, position=2)
    got = page(api, bob, device="phone")
    assert [event["message"] for event in got.json["items"]] == sent[2:]
    assert "Duet-Skipped" not in got.headers
    assert [event["seq"] for event in page(api, bob, device="phone", after=3).json["items"]] == [4]
    with Stream(api, bob, device="phone") as stream:
        assert [event.data["message"] for event in stream.caught_up()] == sent[2:]
        sent = send(api, ann, bob)
        assert stream.next().data["message"] == sent


def test_the_offline_rules_hold_for_a_device_and_say_what_they_left_out(api, ann, bob, user):
    cleo = user()
    log_in(api, bob)
    send(api, cleo, bob, "of another peer")
    for first in range(0, 120, 40):
        for i in range(first, first + 40):
            send(api, ann, bob, str(i))
    first = page(api, bob, device="phone", limit=50)
    assert [event["seq"] for event in first.json["items"]][:2] == [1, 22]
    assert first.headers["Duet-Skipped"] == "20; in=history"
    assert page(api, bob, limit=50).json["items"][1]["seq"] == 2
    last_seq = first.json["items"][-1]["seq"]
    rest = page(api, bob, device="phone", after=last_seq, limit=200)
    assert (len(rest.json["items"]), rest.json["skipped"]) == (51, 0)
    with Stream(api, bob, device="phone", limit=30) as stream:
        seen = stream.until("sync", last_seq=121)
    entries = [event for event in seen if event.kind == "message"]
    assert [event.id for event in entries] == [1, *range(22, 122)]
    assert sum(event.data["skipped"] for event in seen if event.kind == "sync") == 20


def test_a_waiting_device_is_told_what_the_rules_left_out(api, db, ann, bob):
    log_in(api, bob)
    send(api, ann, bob, options={"store_seconds": 0})
    with waiting(api, db, bob, device="phone", wait=60) as reply:
        sent = send(api, ann, bob)
        got = reply.result()
    assert [event["message"] for event in got.json["items"]] == [sent]
    assert (got.json["skipped"], got.headers["Duet-Skipped"]) == (1, "1; in=history")


def test_a_device_that_is_not_there_is_unknown(api, ann, bob):
    log_in(api, ann, "tablet")
    reply = api.get(f"/v1/users/{bob}/events", params={"device": "tablet"})
    assert (reply.status, reply.code) == (404, "device_unknown")
    with Stream(api, bob, device="tablet") as stream:
        assert (stream.status, stream.problem["code"]) == (404, "device_unknown")


def test_a_device_was_seen_when_its_stream_ended(api, db, bob):
    log_in(api, bob)
    device = "owner = (select user_no from duet.app_user where user_id = %s)"
    db.execute(f"update duet.device set seen_at = now() - interval '1 hour' where {device}", (bob,))
    seen = f"select seen_at > now() - interval '1 minute' from duet.device where {device}"
    with Stream(api, bob, device="phone") as stream:
        stream.caught_up()
        assert db.execute(seen, (bob,)).fetchone() == (False,)
        assert api.get(f"/v1/users/{bob}/presence").json["state"] == "online"
    wait_for_streams(api.server, db, bob, 0)
    api.server.wait_until(lambda: db.execute(seen, (bob,)).fetchone() == (True,), what="seen_at")


def last_words(stream):
    """The kinds of the events up to the end, and the code that the last one tells."""
    *events, last = stream.rest()
    assert last.kind == "closed"
    return [event.kind for event in events], last.data["code"]


def test_a_kicked_device_s_stream_ends_and_the_others_learn_of_it(api, bob):
    log_in(api, bob, "phone")
    log_in(api, bob, "tablet")
    with Stream(api, bob, device="phone") as phone, Stream(api, bob, device="tablet") as tablet:
        phone.caught_up()
        tablet.caught_up()
        assert api.post(f"/v1/users/{bob}/kick", {"device": "phone"}).status == 200
        assert last_words(phone) == (["kicked"], "device_kicked")
        event = tablet.next()
        assert (event.kind, event.data["details"]["device"]) == ("kicked", "phone")
        with Stream(api, bob, device="phone") as again:
            assert again.problem["code"] == "device_kicked"


def test_the_stream_of_a_device_that_is_logged_out_ends(api, bob):
    log_in(api, bob, "phone")
    with Stream(api, bob, device="phone") as phone, Stream(api, bob) as other:
        phone.caught_up()
        other.caught_up()
        assert api.delete(f"/v1/users/{bob}/devices/phone").status == 204
        assert last_words(phone) == (["kicked"], "device_kicked")
        details = other.next().data["details"]
        assert (details["device"], details["reason"]) == ("phone", "logged_out")
        assert api.delete(f"/v1/users/{bob}/devices/phone").status == 204
    with Stream(api, bob, device="phone") as again:
        assert again.problem["code"] == "device_unknown"
    kinds = [event["kind"] for event in api.get(f"/v1/users/{bob}/events").json["items"]]
    assert kinds == ["kicked"]  # once


def test_a_kicked_user_s_streams_end_but_not_those_of_services(api, ann, bob):
    with Stream(api.as_user(bob), bob) as own, Stream(api, bob) as service:
        own.caught_up()
        service.caught_up()
        assert api.post(f"/v1/users/{bob}/kick", {}).status == 200
        assert last_words(own) == (["kicked"], "unauthenticated")
        assert service.next().kind == "kicked"
        send(api, bob, ann)
        assert service.next().kind == "message"


# -- wake-ups


@contextlib.contextmanager
def heard_on_the_channel(cluster):
    """Gives a function: what has been notified since it was called last, each notice as its owners."""
    heard = []
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.add_notify_handler(lambda notice: heard.append(notice.payload))
        connection.execute("listen duet_mailbox")

        def since():
            # Its own comes last, when all that were committed before it have come.
            connection.execute("notify duet_mailbox, 'marker'")
            taken = heard[: heard.index("marker")]
            heard.clear()
            return [notice.split(",") for notice in taken]

        yield since


def test_nothing_is_notified_where_nobody_waits(api, cluster, db, ann, bob):
    number = "select user_no::text from duet.app_user where user_id = %s"
    owner = db.execute(number, (bob,)).fetchone()[0]
    with heard_on_the_channel(cluster) as heard:
        send(api, ann, bob)
        assert api.put(f"/v1/users/{ann}/friends/{bob}", {}).status == 201
        assert not [notice for notice in heard() if owner in notice]
        with Stream(api, bob) as stream:
            stream.caught_up()
            send(api, ann, bob)
            assert [notice for notice in heard() if owner in notice] == [[owner]]
            assert api.delete(f"/v1/users/{ann}/friends/{bob}").status == 204
            assert [notice for notice in heard() if owner in notice] == [[owner]]


def test_a_batch_is_one_notice(api, cluster, user, ann):
    receivers = [user() for _ in range(12)]
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(Stream(api, one)) for one in receivers]
        for stream in streams:
            stream.caught_up()
        heard = stack.enter_context(heard_on_the_channel(cluster))
        reply = api.post("/v1/messages/batch", {"from": ann, "to": receivers, "text": "hi"})
        assert {one["status"] for one in reply.json["results"]} == {201}
        for stream in streams:
            assert stream.next().kind == "message"
        assert 12 in [len(notice) for notice in heard()]


def test_metrics_tell_of_streams(api, ann, bob):
    def metric(name):
        text = api.get("/metrics", token=None).text
        return int(text.partition(f"\n{name} ")[2].partition("\n")[0])

    delivered = metric("duet_stream_entries_total")
    with Stream(api, bob) as stream:
        stream.caught_up()
        assert metric("duet_streams_open") >= 1
        send(api, ann, bob)
        stream.next()
    assert metric("duet_stream_entries_total") >= delivered + 1
    assert metric("duet_wakeups_total") >= 1
