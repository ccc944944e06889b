"""GET /v1/archives and /v1/archives/{hour}: hours of the past, which the archives come to again."""

import base64
import concurrent.futures
import datetime
import gzip
import hashlib
import http.client
import random

import psycopg
import pytest

from support import text_message
from support.archives import (
    HOUR,
    close_hour,
    digest_of,
    hour_before,
    name_of,
    open_again,
    path_of,
    send_at,
    time_of,
    wait_closed,
)
from support.client import Api

MINUTE = datetime.timedelta(minutes=1)
GZIP = {"Accept-Encoding": "gzip"}


@pytest.fixture(name="hour")
def fixture_hour(db):
    """The hour before the last, without messages, and open."""
    hour = hour_before(2)
    db.execute("delete from duet.mailbox where sent_at >= %s and sent_at < %s", (hour, hour + HOUR))
    open_again(db, hour)
    return hour


def texts_of(lines):
    return [line["elements"][0]["text"] if line["elements"] else line["state"] for line in lines[:-1]]


def fetch(api, hour, **headers):
    reply = api.get(path_of(hour), headers={name.replace("_", "-"): v for name, v in headers.items()})
    assert reply.status == 200, reply
    return reply


def archive_of(api, db, hour):
    close_hour(api, db, hour)
    return fetch(api, hour).lines


@pytest.fixture(name="fast", scope="module")
def fixture_fast(server):
    """Calls whose lines are not held against the OpenAPI file one by one."""
    return Api(server, None)


@pytest.fixture(name="big", scope="module")
def fixture_big(api, cluster):
    """An hour of 20,000 messages, some 10 MB: many pieces."""
    hour, rng = hour_before(4), random.Random(7)
    names = [f"big-{n}" for n in range(40)]
    for name in names:
        assert api.put(f"/v1/users/{name}", {"nick": name}).status in (200, 201)
    with psycopg.connect(cluster.url(), autocommit=True) as db:
        for n in range(40):
            pairs = [rng.sample(names, 2) for _ in range(500)]
            texts = ["%x" % rng.getrandbits(1000) for _ in pairs]
            send_at(db, hour + n * MINUTE, pairs, texts)
        close_hour(api, db, hour)
    return hour


# -- what an archive holds


def test_archive_get_of_an_hour_without_messages_is_its_last_line(api, db, hour):
    assert archive_of(api, db, hour) == [{"hour": name_of(hour), "messages": 0}]


def test_archive_get_gives_messages_as_they_are_read(api, db, hour, ann, bob):
    send_at(db, hour + MINUTE, [(ann, bob), (bob, ann)], ["one", "two"])
    send_at(db, hour, [(bob, ann)], ["first"])
    *messages, last = archive_of(api, db, hour)
    assert [m["elements"][0]["text"] for m in messages] in (["first", "one", "two"], ["first", "two", "one"])
    assert last == {"hour": name_of(hour), "messages": 3}
    for message in messages:
        told = api.get(f"/v1/messages/{message['id']}").json
        assert {**told, "key": message["key"]} == message


def test_an_hour_ends_where_the_next_begins(api, db, hour, ann, bob):
    instant = datetime.timedelta(microseconds=1)
    for at, text in [
        (hour - instant, "before"),
        (hour, "begin"),
        (hour + HOUR - instant, "end"),
        (hour + HOUR, "after"),
    ]:
        send_at(db, at, [(ann, bob)], [text])
    assert texts_of(archive_of(api, db, hour)) == ["begin", "end"]
    wait_closed(api, hour + HOUR)
    assert texts_of(fetch(api, hour + HOUR).lines)[:1] == ["after"]


def test_edits_and_recalls_stand_as_they_did_when_the_hour_closed(api, db, hour, ann, bob):
    send_at(db, hour, [(ann, bob)] * 4, ["edited", "recalled", "edited later", "recalled later"])
    ids = [m["id"] for m in api.get(f"/v1/users/{bob}/messages?order=oldest").json["items"]]
    assert api.patch(f"/v1/messages/{ids[0]}", {"text": "new"}).status == 200
    assert api.delete(f"/v1/messages/{ids[1]}").status == 200
    lines = archive_of(api, db, hour)
    assert texts_of(lines) == ["new", "recalled", "edited later", "recalled later"]
    assert [line["state"] for line in lines[:-1]] == ["sent", "recalled", "sent", "sent"]
    assert [line["edited_at"] is None for line in lines[:-1]] == [False, True, True, True]

    before = fetch(api, hour)
    assert api.patch(f"/v1/messages/{ids[2]}", {"text": "newer"}).status == 200
    assert api.delete(f"/v1/messages/{ids[3]}").status == 200
    assert api.delete(f"/v1/users/{bob}/messages/{ids[0]}").status == 204
    assert api.delete(f"/v1/users/{ann}").status == 200
    after = fetch(api, hour)
    assert (after.sent, after.headers["ETag"]) == (before.sent, before.headers["ETag"])


def test_who_keeps_no_copy_changes_nothing(api, db, hour, ann, bob, user):
    carol = user()
    send_at(db, hour, [(ann, bob), (ann, carol)], ["removed", "to whom was deleted"])
    sent = api.get(f"/v1/users/{bob}/messages").json["items"][0]
    assert api.delete(f"/v1/users/{bob}/messages/{sent['id']}").status == 204
    assert api.delete(f"/v1/users/{carol}").status == 200
    lines = archive_of(api, db, hour)
    assert {(line["to"], line["elements"][0]["text"]) for line in lines[:-1]} == {
        (bob, "removed"),
        (None, "to whom was deleted"),
    }


def test_what_has_expired_and_what_was_imported_is_not_there(api, db, hour, ann, bob):
    send_at(db, hour, [(ann, bob)], ["over"], store_seconds=60)
    send_at(db, hour, [(ann, bob)], ["devices only"], store_seconds=0)
    send_at(db, hour, [(ann, bob)], ["not over"], store_seconds=86400)
    imported = {"from": ann, "to": bob, "text": "imported", "sent_at": time_of(hour)}
    assert api.post("/v1/messages/import", {"messages": [imported]}).json["results"][0]["status"] == 201
    assert texts_of(archive_of(api, db, hour)) == ["not over"]


def test_a_copy_of_a_notification_is_a_message(api, server, db, hour, ann):
    sent = api.post("/v1/notifications", {"to": {"users": [ann]}, "text": "to you"}).json
    server.wait_until(
        lambda: api.get(f"/v1/notifications/{sent['id']}").json["state"] == "done", what="its end"
    )
    db.execute(
        "update duet.mailbox m set sent_at = %s from duet.app_user u"
        " where u.user_id = %s and m.owner = u.user_no",
        (hour, ann),
    )
    (message, _) = archive_of(api, db, hour)
    assert (message["kind"], message["to"]) == ("system", ann)
    assert message["elements"] == [{"type": "text", "text": "to you"}]


def test_what_comes_when_the_clock_was_put_back_is_in_the_next_archive(api, db, ann, bob):
    ahead = hour_before(-1)
    db.execute("update duet.archive_gate set closed_until = %s", (ahead,))
    try:
        sent = api.post("/v1/messages", text_message(ann, bob)).json
        assert sent["sent_at"] == ahead.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        assert api.get(f"/v1/users/{bob}/messages").json["items"] == [sent]
    finally:
        open_again(db, hour_before(0))


# -- the same bytes every time, in whatever way they are asked for


def test_the_bytes_are_those_of_the_digest(fast, big):
    plain, packed = fetch(fast, big), fetch(fast, big, **{"Accept_Encoding": "gzip"})
    assert plain.sent == packed.body == gzip.decompress(packed.sent)
    assert len(packed.sent) < len(plain.sent)
    assert plain.lines[-1] == {"hour": name_of(big), "messages": 20000}
    assert len(plain.lines) == 20001
    for reply in (plain, packed):
        digest = hashlib.sha256(reply.sent)
        assert reply.headers["ETag"] == f'"{digest.hexdigest()}"'
        encoded = base64.b64encode(digest.digest()).decode()
        assert reply.headers["Repr-Digest"] == f"sha-256=:{encoded}:"
        assert int(reply.headers["Content-Length"]) == len(reply.sent)
        assert reply.headers["Accept-Ranges"] == "bytes"
        assert reply.headers["Vary"] == "Accept-Encoding"
        assert reply.headers["Content-Type"] == "application/x-ndjson"
    assert plain.headers["Content-Encoding"] is None
    assert fetch(fast, big).sent == plain.sent


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_parts_make_up_the_whole(fast, big, coding):
    headers = {"Accept-Encoding": coding}
    whole = fast.get(path_of(big), headers=headers)
    size, rng = len(whole.sent), random.Random(11)
    cuts = sorted({0, size, 1, size - 1, *(rng.randrange(size) for _ in range(12))})
    data = b""
    for first, behind in zip(cuts, cuts[1:]):
        part = raw(fast, big, {**headers, "Range": f"bytes={first}-{behind - 1}"})
        assert part.status == 206
        assert part.headers["Content-Range"] == f"bytes {first}-{behind - 1}/{size}"
        assert part.headers["ETag"] == whole.headers["ETag"]
        assert part.headers["Repr-Digest"] == whole.headers["Repr-Digest"]
        data += part.read()
    assert data == whole.sent
    assert raw(fast, big, {**headers, "Range": "bytes=-100"}).read() == whole.sent[-100:]


def raw(api, hour, headers, method="GET"):
    """The answer as it is: a part of a gzip file cannot be expanded."""
    connection = http.client.HTTPConnection(api.server.host, api.server.port, timeout=30)
    connection.request(method, path_of(hour), None, {"Authorization": f"Bearer {api.token}", **headers})
    return connection.getresponse()


def test_ranges_that_are_none_are_answered_with_everything(fast, big):
    whole = fetch(fast, big)
    for value in ("bytes=0-1,3-4", "bytes=9-1", "lines=1-2", "bytes"):
        assert fetch(fast, big, Range=value).sent == whole.sent


def test_a_range_outside_is_refused_with_the_size(fast, big):
    size = len(fetch(fast, big).sent)
    reply = fast.get(path_of(big), headers={"Range": f"bytes={size}-"})
    assert (reply.status, reply.code) == (416, "range_not_satisfiable")
    assert reply.headers["Content-Range"] == f"bytes */{size}"


def test_if_range_takes_up_the_same_file_only(fast, big):
    whole, packed = fetch(fast, big), fetch(fast, big, **{"Accept_Encoding": "gzip"})
    tail = {"Range": "bytes=100-"}
    reply = raw(fast, big, {**tail, "If-Range": whole.headers["ETag"]})
    assert (reply.status, reply.read()) == (206, whole.sent[100:])
    reply = raw(fast, big, {**tail, "If-Range": packed.headers["ETag"]})
    assert (reply.status, reply.read()) == (200, whole.sent)


def test_if_none_match_spares_the_body(fast, big):
    tag = fetch(fast, big).headers["ETag"]
    for method in ("GET", "HEAD"):
        reply = fast.request(method, path_of(big), headers={"If-None-Match": tag, "Range": "bytes=999999999-"})
        assert (reply.status, reply.sent, reply.headers["ETag"]) == (304, b"", tag)
    assert fast.get(path_of(big), headers={"If-None-Match": tag, **GZIP}).status == 200


def test_head_tells_what_get_would(fast, big):
    for headers in ({}, GZIP):
        got = fast.get(path_of(big), headers=headers)
        head = fast.request("HEAD", path_of(big), headers={**headers, "Range": "bytes=5-"})
        assert (head.status, head.sent) == (200, b"")
        for name in ("ETag", "Repr-Digest", "Content-Length", "Content-Encoding", "Accept-Ranges"):
            assert head.headers[name] == got.headers[name]


def test_many_may_read_at_once(fast, big):
    whole = fetch(fast, big).sent
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for data in pool.map(lambda _: fetch(fast, big).sent, range(16)):
            assert data == whole


def test_an_old_client_gets_it_too(fast, big):
    connection = http.client.HTTPConnection(fast.server.host, fast.server.port, timeout=30)
    connection._http_vsn, connection._http_vsn_str = 10, "HTTP/1.0"
    connection.request("GET", path_of(big), headers={"Authorization": f"Bearer {fast.token}"})
    assert connection.getresponse().read() == fetch(fast, big).sent


# -- which there are


def test_archive_list_tells_what_can_be_fetched(fast, big):
    reply = fast.get("/v1/archives", params={"since": time_of(big), "until": time_of(big + HOUR)})
    (item,) = reply.json["items"]
    plain, packed = fetch(fast, big), fetch(fast, big, **{"Accept_Encoding": "gzip"})
    closed_at = item.pop("closed_at")
    assert closed_at > time_of(big + HOUR)
    assert item == {
        "hour": name_of(big),
        "messages": 20000,
        "bytes": len(plain.sent),
        "sha256": digest_of(plain.sent),
        "gzip_bytes": len(packed.sent),
        "gzip_sha256": digest_of(packed.sent),
        "href": path_of(big),
    }


def test_archive_list_has_each_hour_and_goes_by_pages(api, db):
    first = hour_before(30)
    open_again(db, first)
    wait_closed(api, hour_before(1))
    hours, cursor = [], None
    while True:
        params = {"since": time_of(first), "limit": 7, **({"cursor": cursor} if cursor else {})}
        page = api.get("/v1/archives", params=params).json
        hours += [item["hour"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        assert len(page["items"]) == 7
    assert hours == [name_of(hour_before(n)) for n in range(30, 0, -1)]
    assert api.get("/v1/archives", params={"cursor": "x"}).code == "cursor_invalid"
    future = api.get("/v1/archives", params={"since": time_of(hour_before(-2))})
    assert future.json == {"items": [], "next_cursor": None}


@pytest.mark.parametrize(
    "hour, status, code",
    [
        (hour_before(0), 409, "hour_not_closed"),
        (hour_before(-30), 409, "hour_not_closed"),
        (hour_before(24 * 7 + 2), 410, "archive_expired"),
        (hour_before(40), 404, "archive_unknown"),
    ],
)
def test_an_hour_without_an_archive_says_why(api, db, hour, status, code):
    open_again(db, hour_before(2))
    wait_closed(api, hour_before(1))
    db.execute("delete from duet.archive where hour < %s", (hour_before(30),))
    reply = api.get(path_of(hour))
    assert (reply.status, reply.code) == (status, code)


def test_archives_go_when_their_messages_can_no_longer_be_read(api, db):
    open_again(db, hour_before(30))
    wait_closed(api, hour_before(1))
    version = api.get("/v1/settings").headers["ETag"]
    changed = api.patch("/v1/settings", {"roaming_days": 1}, headers={"If-Match": version})
    try:
        assert changed.status == 200
        assert api.get(path_of(hour_before(26))).code == "archive_expired"
        listed = api.get("/v1/archives", params={"limit": 200}).json["items"]
        assert [item["hour"] for item in listed[:1]] == [name_of(hour_before(24))]
    finally:
        api.patch("/v1/settings", {"roaming_days": 7}, headers={"If-Match": changed.headers["ETag"]})
    assert api.get(path_of(hour_before(26))).status == 200


@pytest.mark.parametrize(
    "name",
    [
        *("2026-11-22T24", "2026-02-30T10", "2026-13-01T10", "2026-11-22t14", "2026-11-22 14"),
        *("2026-11-22", "20261122T1400", "2026-11-22T1a", "x", "2026-11-22T14:00", "9999999999999"),
    ],
)
def test_what_is_no_hour_is_refused(api, name):
    reply = api.get(f"/v1/archives/{name.replace(' ', '%20')}")
    assert (reply.status, reply.code, reply.pointers) == (400, "invalid_request", ["/hour"])


@pytest.mark.parametrize("path", ["/v1/archives", "/v1/archives/2026-11-22T14"])
def test_archives_are_for_archives_read(api, server, ann, path):
    for scope in ("messages:read", "users:read", "settings:write"):
        assert api.with_token(server.token(scope=scope)).get(path).code == "forbidden"
    assert api.as_user(ann).get(path).code == "forbidden"
    assert api.get(path, token=None).code == "unauthenticated"
    assert api.with_token(server.token(scope="archives:read")).get(path).status != 403


# -- what goes wrong


def test_who_goes_away_in_the_middle_leaves_nothing_behind(fast, server, big):
    for _ in range(20):
        reply = raw(fast, big, {})
        assert reply.read(1000)
        reply.close()
    metric = "duet_requests_in_flight 1\n"
    server.wait_until(
        lambda: metric in fast.get("/metrics", token=None).text, what="the end of what nobody reads"
    )


def test_an_archive_that_goes_in_the_middle_is_seen_not_to_be_whole(fast, server, db, big):
    reply = raw(fast, big, {})
    assert reply.read(1000)
    (chunks,) = db.execute(
        "select json_agg(row_to_json(c)) from (select hour, position from duet.archive_chunk"
        " where hour = %s order by position desc limit 5) as c",
        (big,),
    ).fetchone()
    db.execute("create temporary table kept as select * from duet.archive_chunk where hour = %s", (big,))
    db.execute("delete from duet.archive_chunk where hour = %s", (big,))
    try:
        assert chunks
        with pytest.raises(http.client.IncompleteRead):
            reply.read()
    finally:
        db.execute("insert into duet.archive_chunk select * from kept")
    server.wait_for_log("stream_broken", operation="archive_get", code="archive_expired")
