"""SIGTERM: what was begun is answered, what was answered is stored, and the server ends by itself, in
time, with status 0 and without a word from a sanitizer (`stop` sees to these)."""

import contextlib
import http.client
import os
import random
import signal
import socket
import threading
import time

import pytest

from support import text_message
from support.load import Load

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


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/readyz", "/v1/users/nobody"])
def test_clients_that_wake_up_while_it_stops_do_no_harm(start_server, path):
    server = start_server()
    headers = {"Authorization": f"Bearer {server.token()}"}
    with contextlib.ExitStack() as stack:
        idle = [
            http.client.HTTPConnection(server.host, server.port, timeout=10) for _ in range(200)
        ]
        for client in idle:
            stack.callback(client.close)
            client.request("GET", "/healthz")
            client.getresponse().read()
        server.signal(signal.SIGTERM)
        while idle:
            with contextlib.suppress(OSError):  # the server has gone
                idle.pop().request("GET", path, headers=headers)
        server.stop()


