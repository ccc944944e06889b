"""Streams whose clients do not behave: nobody else notices, and nothing of them stays behind."""

import http.client
import os
import pathlib
import socket
import struct
import threading

import psycopg
import pytest

import raw
from support import text_message
from support.client import Api
from support.database import n_waiting
from support.server import Server
from support.sse import Stream

REPLY_SECONDS = 2
CONNECTS = int(os.environ.get("TEST_CONNECTS", "10000"))
AT_ONCE = 100
LONG_TEXT = "m" * 12000


@pytest.fixture(scope="module", name="hasty")
def fixture_hasty(cluster, keys, keys_file):
    """A server with little patience, and with room for many streams of a user."""
    settings = {
        "DUET_REPLY_TIMEOUT_SECONDS": REPLY_SECONDS,
        "DUET_USER_STREAMS": 1000,
        "DUET_LOG_LEVEL": "info",
    }
    one = Server(keys, keys_file, cluster.url("duet_server"), settings)
    try:
        one.start()
        yield one
        one.stop()
    finally:
        one.kill()


@pytest.fixture(name="there")
def fixture_there(hasty, contract):
    return Api(hasty, contract)


def open_files(server):
    return len(list(pathlib.Path(f"/proc/{server.process.pid}/fd").iterdir()))


def threads(server):
    return len(list(pathlib.Path(f"/proc/{server.process.pid}/task").iterdir()))


def n_streams(api):
    text = api.get("/metrics", token=None).text
    return int(text.partition("\nduet_streams_open ")[2].partition("\n")[0])


def test_a_client_that_does_not_read_is_cut_off_and_resumes(hasty, there, ann, bob):
    n = 100
    after = len(hasty.log)
    with Stream(there, bob, receive_buffer=65536) as slow, Stream(there, bob) as quick:
        quick.caught_up()
        for i in range(n):
            sent = there.post("/v1/messages", text_message(ann, bob, f"{i} {LONG_TEXT}"))
            assert sent.status == 201
            assert quick.next().id == i + 1  # others of the same mailbox do not wait for it
        hasty.wait_for_log("stream_ended", after=after, timeout=REPLY_SECONDS + 10, why="slow")
        seen = []
        with pytest.raises((OSError, http.client.IncompleteRead)):
            while event := slow.next():
                seen += [event.id] if event.kind == "message" else []
    assert len(seen) < n
    position = seen[-1] if seen else 0
    with Stream(there, bob, headers={"Last-Event-ID": str(position)}) as again:
        seen += [event.id for event in again.caught_up()]
    assert seen == list(range(1, n + 1))


def request(server, user):
    return (
        f"GET /v1/users/{user}/events HTTP/1.1\r\nHost: duet.test\r\n"
        f"Authorization: Bearer {server.token()}\r\nAccept: text/event-stream\r\n\r\n"
    ).encode()


@pytest.mark.parametrize("how", ["close", "reset", "half"])
def test_a_client_that_goes_is_noticed_at_once(hasty, there, bob, how):
    with raw.connect(hasty) as client:
        client.sendall(request(hasty, bob))
        while b"event: sync" not in client.recv(65536):
            pass
        assert n_streams(there) == 1
        if how == "half":
            client.shutdown(socket.SHUT_WR)
        if how == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if how != "half":
            client.close()
        hasty.wait_until(lambda: n_streams(there) == 0, what="the end of the stream")


def n_rows(db, user):
    """What the database knows of the user's streams."""
    return db.execute(
        "select count(*) from duet.stream join duet.app_user on user_no = owner"
        " where user_id = %s",
        (user,),
    ).fetchone()[0]


def test_a_client_that_goes_while_its_next_page_is_made_leaves_nothing(
    start_server, client_of, ann, bob, cluster, db
):
    server = start_server(DUET_READERS=1)
    api = client_of(server)
    for i in range(200):
        sent = api.post("/v1/messages", text_message(ann, bob, f"{i} {LONG_TEXT}"))
        assert sent.status == 201
    stream = Stream(api, bob, receive_buffer=65536, limit=100)
    reader = threading.Thread(target=api.get, args=(f"/v1/users/{ann}/messages",))
    with psycopg.connect(cluster.url()) as holder:
        holder.execute("lock table duet.mailbox in access exclusive mode")
        reader.start()
        server.wait_until(lambda: n_waiting(db) > 0, what="another that has the only reader")
        for _ in range(100):  # too long a page to be sent at once, so no other was asked for before
            stream.next()
        stream.close()
        server.wait_for_log("stream_ended", why="gone")
    reader.join()
    server.wait_until(lambda: n_streams(api) == 0, what="the end of the stream")
    server.wait_until(lambda: n_rows(db, bob) == 0, what="the end of its row")
    with Stream(api, bob) as again:
        again.next()
        assert n_rows(db, bob) == 1


def test_what_a_client_says_on_an_open_stream_is_not_heard(hasty, there, ann, bob):
    with raw.connect(hasty) as client:
        client.sendall(request(hasty, bob) + request(hasty, bob) * 10)
        data = b""
        while b"event: sync" not in data:
            data += client.recv(65536)
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: duet.test\r\n\r\n" * 100)
        assert there.post("/v1/messages", text_message(ann, bob)).status == 201
        while b"event: message" not in data:
            data += client.recv(65536)
    assert data.count(b"HTTP/1.1 ") == 1


def connect_and_go(server, user, n):
    head = request(server, user)
    for i in range(n):
        with raw.connect(server, timeout=60) as client:
            client.sendall(head)
            if i % 3:  # each third goes before there is an answer
                client.recv(64)


def test_many_connects_and_disconnects_leave_nothing_behind(hasty, there, bob):
    connect_and_go(hasty, bob, 50)
    hasty.wait_until(lambda: n_streams(there) == 0, what="the end of the first streams")
    files, n_threads = open_files(hasty), threads(hasty)
    clients = [
        threading.Thread(target=connect_and_go, args=(hasty, bob, CONNECTS // AT_ONCE))
        for _ in range(AT_ONCE)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    hasty.wait_until(lambda: n_streams(there) == 0, timeout=60, what="the end of all streams")
    hasty.wait_until(lambda: open_files(hasty) <= files + 2, timeout=60, what="the end of files")
    assert threads(hasty) <= n_threads


def test_a_lying_client_hurts_nobody_else(hasty, there, ann, bob):
    with Stream(there, bob) as honest:
        honest.caught_up()
        with Stream(there, bob, after=9007199254740991) as ahead, Stream(there.as_user(ann), bob) as other:
            assert other.status == 403
            ahead.caught_up()
            sent = there.post("/v1/messages", text_message(ann, bob)).json
            assert honest.next().data["message"] == sent
            assert ahead.next().data["message"] == sent
