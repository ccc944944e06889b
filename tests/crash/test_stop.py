"""SIGTERM: what was begun is answered, what was answered is stored, and the server ends by itself,
in time, with status 0 and without a word from a sanitizer (`stop` sees to these)."""

import contextlib
import http.client
import json
import os
import random
import re
import signal
import socket
import time
import urllib.request
from concurrent import futures

import psycopg
import pytest

from faults import frozen, held_up
from support import text_message
from support.database import n_waiting
from support.load import Load
from support.server import STOP_SECONDS
from support.sse import Stream

PROMPT_SECONDS = 5
N_CLIENTS = 16
STOPS = int(os.environ.get("TEST_STOPS", "5"))


def test_stops_under_load_lose_and_double_nothing(cluster, start_on, db):
    with Load(start_on(cluster), reads=True) as load:
        for _ in range(STOPS):
            load.wait_for_acks(20)
            time.sleep(random.uniform(0, 0.3))
            load.servers[0].stop()
            load.servers[0] = start_on(cluster)
    load.check(db)


def test_the_next_server_may_start_before_the_last_one_ends(cluster, start_on, db):
    """A rolling restart: clients are never without a server, and only those are told to come again
    whose server is the one that ends."""
    with Load(start_on(cluster)) as load:
        for _ in range(3):
            load.wait_for_acks(50)
            old = load.servers[0]
            load.servers[0] = start_on(cluster)
            old.stop()
    load.check(db)


def open_idle(server, count):
    """Connections that have had one answer and are kept alive."""
    clients = [
        http.client.HTTPConnection(server.host, server.port, timeout=10) for _ in range(count)
    ]
    for client in clients:
        client.request("GET", "/healthz")
        assert client.getresponse().read()
    return clients


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/v1/users/nobody"])
def test_clients_that_wake_up_while_it_stops_do_no_harm(start_server, path):
    server = start_server()
    headers = {"Authorization": f"Bearer {server.token()}"}
    with contextlib.ExitStack() as stack:
        idle = open_idle(server, 200)
        for client in idle:
            stack.callback(client.close)
        server.signal(signal.SIGTERM)
        for client in idle:
            with contextlib.suppress(OSError):  # the server has gone
                client.request("GET", path, headers=headers)
        server.stop()


def test_idle_clients_do_not_keep_it(start_server):
    server = start_server()
    idle = open_idle(server, 50)
    begun = time.monotonic()
    server.stop()
    assert time.monotonic() - begun < PROMPT_SECONDS
    for client in idle:
        client.close()


def begin_send(server, load):
    """A connection on which a message is on its way."""
    sender, receiver = load.users[:2]
    body = json.dumps(text_message(sender, receiver, client_id=load.users[0]))
    client = http.client.HTTPConnection(server.host, server.port, timeout=STOP_SECONDS)
    headers = {
        "Authorization": f"Bearer {server.token()}",
        "Content-Type": "application/json",
    }
    client.request("POST", "/v1/messages", body, headers)
    return client


def test_what_has_begun_is_answered(cluster, start_server):
    server = start_server()
    load = Load(server, n_users=2)
    load.make_users()
    with held_up(cluster) as holder:
        client = begin_send(server, load)
        server.wait_until(lambda: in_flight(server) == 2, what="the message")
        server.signal(signal.SIGTERM)
        server.wait_for_log("stopping")
        server.wait_until(lambda: server.probe("/healthz") == 0, what="the door being closed")
        assert server.running
        holder.rollback()
    answer = client.getresponse()
    assert answer.status == 201
    assert answer.headers["Connection"] == "close"
    server.stop()


@pytest.mark.parametrize("reads", [True, False], ids=["and reads", "and does not read"])
def test_a_stream_whose_first_page_is_made_while_it_stops_ends_with_it(
    start_server, client_of, cluster, ann, bob, db, reads
):
    server = start_server()
    api = client_of(server)
    for _ in range(100):
        assert api.post("/v1/messages", text_message(ann, bob, "m" * 12000)).status == 201
    with futures.ThreadPoolExecutor() as pool, psycopg.connect(cluster.url()) as holder:
        holder.execute("lock table duet.mailbox in access exclusive mode")
        opened = pool.submit(Stream, api, bob, receive_buffer=65536)
        server.wait_until(lambda: n_waiting(db) > 0, what="the stream's first page")
        server.signal(signal.SIGTERM)
        server.wait_until(lambda: server.probe("/healthz") == 0, what="the door being closed")
        holder.rollback()
        begun = time.monotonic()
        with opened.result() as stream:
            if reads:
                assert stream.rest()[-1].data == {"code": "shutting_down", "retryable": True}
            server.stop()
    assert time.monotonic() - begun < PROMPT_SECONDS


def in_flight(server):
    """The request for it is one itself."""
    with urllib.request.urlopen(f"{server.url}/metrics") as page:
        found = re.search(r"^duet_requests_in_flight (\d+)$", page.read().decode(), re.MULTILINE)
    return int(found.group(1))


def test_a_database_that_is_held_up_does_not_keep_it(cluster, start_server, db):
    server = start_server()
    with Load(server, n_connections=32, reads=True) as load:
        load.wait_for_acks(50)
        with held_up(cluster):
            server.wait_until(lambda: n_waiting(db), what="a call that waits")
            server.stop()
        load.servers[0] = start_server()
        load.wait_for_acks(20)
    load.check(db)


def test_a_database_that_says_nothing_does_not_keep_it(start_cluster, start_on, look_into):
    cluster = start_cluster()
    server = start_on(cluster, DUET_STATEMENT_TIMEOUT_SECONDS=1)
    with Load(server, n_connections=N_CLIENTS, reads=True) as load:
        load.wait_for_acks(50)
        with frozen(cluster):
            server.wait_until(lambda: in_flight(server) > N_CLIENTS, what="all clients waiting")
            server.stop()
        load.servers[0] = start_on(cluster)
        load.wait_for_acks(20)
    load.check(look_into(cluster))


@pytest.mark.parametrize(
    "first",
    [
        b"GET /hea",
        b"PUT /v1/users/slow HTTP/1.1\r\nHost: duet.test\r\nAuthorization: Bearer {token}\r\n"
        b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
        b"GET /openapi.json HTTP/1.1\r\nHost: duet.test\r\n\r\n" * 200,
    ],
    ids=["in its head", "in its body", "in its reply"],
)
def test_a_client_that_hangs_does_not_keep_it(start_server, first):
    server = start_server(DUET_STOP_TIMEOUT_SECONDS=1)
    with socket.create_connection((server.host, server.port)) as client:
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            client.send(first.replace(b"{token}", server.token().encode()))
        time.sleep(0.2)
        server.stop()
