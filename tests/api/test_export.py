"""GET /v1/users/{user}/export: everything that is known of a user, of any length."""

import http.client
import json
import socket
import threading
import time

import pytest

from support import text_message
from support.export import fill, open_export, take_all

REPLY_SECONDS = 2
BIG = 5000


def export(api, user):
    reply = api.get(f"/v1/users/{user}/export")
    assert reply.status == 200, reply
    assert reply.headers["Content-Type"] == "application/x-ndjson"
    lines = reply.lines
    assert lines[0]["type"] == "user"
    assert lines[-1] == {"type": "end", "lines": len(lines) - 1}
    return lines


def of_type(lines, kind):
    return [line for line in lines if line["type"] == kind]


def memory_kb(server):
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def in_flight(api):
    text = api.get("/metrics", token=None).text
    return next(
        float(line.split()[1])
        for line in text.splitlines()
        if line.startswith("duet_requests_in_flight")
    )


def test_user_export_of_somebody_new(api, ann):
    lines = export(api, ann)
    assert lines[0]["id"] == ann
    assert lines[0]["nick"] == "Ann"
    assert [line["type"] for line in lines] == ["user", "audit", "end"]
    assert lines[1]["operation"] == "user_put"


def test_user_export_holds_messages_as_they_are_read(api, ann, bob):
    for number in range(3):
        assert api.post("/v1/messages", text_message(ann, bob, f"{number}é")).status == 201
    assert api.post("/v1/messages", text_message(bob, ann, custom_data="{}")).status == 201
    entries = of_type(export(api, ann), "entry")
    assert [entry["seq"] for entry in entries] == [1, 2, 3, 4]
    history = api.get(f"/v1/users/{ann}/messages", params={"order": "oldest"}).json["items"]
    assert [entry["message"] for entry in entries] == history
    (contact,) = of_type(export(api, ann), "contact")
    assert (contact["peer"], contact["friend"], contact["blocked"]) == (bob, False, False)


def test_user_export_holds_how_a_message_was_sent(api, ann, bob):
    body = text_message(ann, bob, client_id="c1", push={"title": "T"}, options={"push": False})
    api.post("/v1/messages", body)
    for user in (ann, bob):
        (entry,) = of_type(export(api, user), "entry")
        assert (entry["client_id"], entry["push"]) == ("c1", {"title": "T"})
        set_ones = {name for name, value in entry["options"].items() if value}
        assert set_ones == {"sync_to_sender", "count_unread", "update_recents"}


def test_user_export_holds_all_that_a_user_owns(api, db, ann, bob):
    """Past the server: whatever writes these tables, they are exported."""
    numbers = dict(
        db.execute(
            "select user_id, user_no from duet.app_user where user_id = any(%s)", ([ann, bob],)
        ).fetchall()
    )
    for owner, peer in ((ann, bob), (bob, ann)):
        mark = f"of-{owner}"
        values = {"owner": numbers[owner], "peer": numbers[peer], "mark": mark}
        for statement in (
            "insert into duet.user_tag values (%(owner)s, %(mark)s || '-tag', now())",
            "insert into duet.friend_group values (%(owner)s, %(mark)s || '-group', now())",
            "insert into duet.friend_request (owner, outgoing, peer, text, created_at, expires_at)"
            " values (%(owner)s, true, %(peer)s, %(mark)s || '-text', now(), now())",
            "insert into duet.contact (owner, peer, friend, friend_since, remark, created_at)"
            " values (%(owner)s, %(peer)s, true, now(), %(mark)s || '-remark', now())",
        ):
            db.execute(statement, values)
    db.execute("select duet.mailbox_lock(array[%s])", (numbers[ann],))
    db.execute(
        """select duet.entry_add(array[%s]::bigint[], array[%s]::bigint[], 21, now(), '{"remark": "x"}')""",
        (numbers[ann], numbers[bob]),
    )
    lines = export(api, ann)
    text = json.dumps(lines)
    for what in ("tag", "group", "text", "remark"):
        assert f"of-{ann}-{what}" in text
    assert f"of-{bob}" not in text
    (entry,) = of_type(lines, "entry")
    assert (entry["kind"], entry["peer"], entry["details"]) == ("friend_added", bob, {"remark": "x"})


def test_nothing_of_another_user_is_in_an_export(api, ann, bob, user):
    cid = user(nick="Cid", signature="secret-signature")
    for other in (bob, cid):
        assert api.put(f"/v1/users/{other}", {"signature": "secret-signature"}).status == 200
    assert api.post("/v1/messages", text_message(bob, cid, "secret-text")).status == 201
    assert api.post("/v1/messages", text_message(bob, ann, "for ann")).status == 201
    lines = export(api, ann)
    text = json.dumps(lines)
    assert "for ann" in text
    assert "secret" not in text
    assert cid not in text


def test_user_export_of_nobody_is_refused(api):
    reply = api.get("/v1/users/nobody-at-all/export")
    assert (reply.status, reply.code) == (404, "user_unknown")


def test_user_export_is_for_the_user_and_for_users_read(api, server, ann, bob):
    assert export(api.as_user(ann), ann)[0]["id"] == ann
    export(api.with_token(server.token(scope="users:read")), ann)
    assert api.as_user(bob).get(f"/v1/users/{ann}/export").code == "forbidden"
    no_scope = api.with_token(server.token(scope="users:write messages:read"))
    assert no_scope.get(f"/v1/users/{ann}/export").code == "forbidden"


def test_user_export_takes_no_parameters(api, ann):
    reply = api.get(f"/v1/users/{ann}/export", params={"cursor": "{}"})
    assert (reply.status, reply.pointers) == (400, ["/cursor"])


def test_a_head_request_has_no_lines(api, ann):
    assert api.request("HEAD", f"/v1/users/{ann}/export").status == 200
    assert api.request("HEAD", "/v1/users/nobody-at-all/export").status == 404


def test_user_export_of_5000_entries_is_whole_and_the_connection_serves_on(server, db, ann, bob):
    fill(db, ann, bob, BIG)
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    headers = {"Authorization": f"Bearer {server.token()}"}
    for _ in range(2):
        connection.request("GET", f"/v1/users/{ann}/export", headers=headers)
        reply = connection.getresponse()
        assert reply.headers["Transfer-Encoding"] == "chunked"
        lines = [json.loads(line) for line in reply.read().splitlines()]
        assert [line["seq"] for line in of_type(lines, "entry")] == list(range(1, BIG + 1))
        assert lines[-1] == {"type": "end", "lines": len(lines) - 1}
    connection.close()


def test_an_old_client_gets_the_export_too(server, db, ann, bob):
    fill(db, ann, bob, 1500)
    with socket.create_connection((server.host, server.port), timeout=20) as connection:
        connection.sendall(
            f"GET /v1/users/{ann}/export HTTP/1.0\r\nAuthorization: Bearer {server.token()}\r\n\r\n".encode()
        )
        data = take_all(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert len(of_type([json.loads(line) for line in body.splitlines()], "entry")) == 1500


def test_an_export_ends_while_messages_arrive(api, db, ann, bob):
    fill(db, ann, bob, 2000)
    over = threading.Event()

    def send():
        while not over.is_set():
            assert api.post("/v1/messages", text_message(bob, ann)).status == 201

    thread = threading.Thread(target=send)
    thread.start()
    try:
        entries = of_type(export(api, ann), "entry")
    finally:
        over.set()
        thread.join()
    assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1))
    assert len(entries) >= 2000


@pytest.fixture(name="hasty")
def fixture_hasty(start_server):
    return start_server(DUET_REPLY_TIMEOUT_SECONDS=REPLY_SECONDS)


def test_clients_that_go_away_in_the_middle_leave_nothing_behind(hasty, client_of, db, ann, bob):
    fill(db, ann, bob, 2000, size=5000)
    api = client_of(hasty)
    for _ in range(20):
        with open_export(hasty, ann) as connection:
            assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    hasty.wait_until(lambda: in_flight(api) == 1, what="the end of what nobody reads")
    export(api, ann)


def test_who_stops_reading_holds_a_piece_and_is_cut_off(hasty, client_of, db, ann, bob):
    fill(db, ann, bob, 2000, size=5000)  # 10 MB
    api = client_of(hasty)
    export(api, ann)
    before = memory_kb(hasty)
    clients = [open_export(hasty, ann) for _ in range(20)]
    try:
        for client in clients:
            assert client.recv(1000).startswith(b"HTTP/1.1 200")
        # Far from the 200 MB of all that they have asked for; with room for what sanitizers keep.
        assert memory_kb(hasty) - before < 100_000
        hasty.wait_until(lambda: in_flight(api) == 1, REPLY_SECONDS + 8, "the end of who does not read")
        for client in clients:
            assert not take_all(client).endswith(b"\r\n0\r\n\r\n")
    finally:
        for client in clients:
            client.close()


def test_who_reads_slowly_has_as_long_for_each_piece(hasty, db, ann, bob):
    fill(db, ann, bob, 2000, size=5000)
    data = bytearray()
    begun = time.monotonic()
    with open_export(hasty, ann, receive_buffer=65536) as connection:
        while not data.endswith(b"\r\n0\r\n\r\n"):
            piece = connection.recv(1 << 16)
            assert piece, "cut off"
            data += piece
            if time.monotonic() - begun < REPLY_SECONDS * 2:
                time.sleep(0.03)
    assert time.monotonic() - begun > REPLY_SECONDS * 1.5
    assert data.count(b'"type":"end"') == 1


def test_an_export_that_fails_in_the_middle_is_seen_not_to_be_whole(server, db, ann, bob):
    fill(db, ann, bob, 2000, size=5000)
    with open_export(server, ann) as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        db.execute("delete from duet.app_user where user_id = %s", (ann,))
        rest = take_all(connection)
    assert b'"type":"end"' not in rest
    assert not rest.endswith(b"0\r\n\r\n")
    server.wait_for_log("stream_broken", operation="user_export", code="user_unknown")


def test_exports_end_when_the_server_stops(start_server, db, ann, bob):
    fill(db, ann, bob, 2000, size=5000)
    server = start_server()
    connections = [open_export(server, ann) for _ in range(5)]
    for connection in connections:
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    readers = [threading.Thread(target=take_all, args=(one,)) for one in connections]
    begun = time.monotonic()
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    server.wait_for_log("stopping")
    for reader in readers:
        reader.start()
    for thread in [*readers, stopping]:
        thread.join()
    assert time.monotonic() - begun < 10
    for connection in connections:
        connection.close()
    server.wait_for_log("stream_broken", code="shutting_down")


def test_who_was_deleted_is_told_as_nobody(api, ann, bob):
    assert api.post("/v1/messages", text_message(bob, ann)).status == 201
    assert api.delete(f"/v1/users/{bob}").status in (200, 202, 204)
    lines = export(api, ann)
    (entry,) = of_type(lines, "entry")
    assert (entry["message"]["from"], entry["message"]["to"]) == (None, ann)
    assert entry["message"]["sender_profile"]["deleted"] is True
    assert [line["peer"] for line in of_type(lines, "contact")] in ([], [None])
    assert api.get(f"/v1/users/{bob}/export").code == "user_unknown"
