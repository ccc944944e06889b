"""The server as the thread sanitizer sees it: under load, with keys read anew, with a database that
goes and comes back, and stopped in the middle. A report ends the server with another status than 0,
and `stop` and the fixtures fail on it.

libmicrohttpd, libpq and jansson are not instrumented: that they take locks is seen, what they read
and write is not. So a report is about our code, or about what it hands to a library."""

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from concurrent import futures

import psycopg
import pytest

from support import ROOT
from support.cluster import DEV
from support.client import Api
from support.load import Load
from support.sse import Follower, Stream

DUETD = str(ROOT / "build" / "tsan" / "duetd")
OPTIONS = "halt_on_error=1:exitcode=99:ignore_noninstrumented_modules=1"
STOPS = int(os.environ.get("TEST_STOPS", "3"))


@pytest.fixture(name="instrumented", scope="module", autouse=True)
def fixture_instrumented():
    """Servers of this module are those of the thread sanitizer's build."""
    subprocess.run([DEV, "build", "tsan"], check=True, stdin=subprocess.DEVNULL)
    tried = subprocess.run([DUETD, "--version"], capture_output=True, text=True, check=False)
    if "unexpected memory mapping" in tried.stderr:
        pytest.skip("the sanitizer does not run on this kernel: try sysctl vm.mmap_rnd_bits=28")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DUETD", DUETD)
        patch.setenv("TSAN_OPTIONS", OPTIONS)
        yield


def test_sending_reading_and_new_keys(start_server, db):
    server = start_server()
    with Load(server, reads=True, n_connections=24) as load:
        for _ in range(20):
            load.wait_for_acks(50)
            server.signal(signal.SIGHUP)
            assert server.probe("/metrics") == 200
            assert server.probe("/readyz") == 200
        server.wait_for_log("keys_reloaded")
    load.check(db)
    server.stop()


def test_stops_under_load(start_server, db):
    with Load(start_server(), reads=True, n_connections=24) as load:
        for _ in range(STOPS):
            load.wait_for_acks(50)
            time.sleep(random.uniform(0, 0.2))
            load.servers[0].stop()
            load.servers[0] = start_server()
    load.check(db)


def test_full_queues(start_server, db):
    server = start_server(DUET_SEND_QUEUE=16, DUET_READ_QUEUE=16, DUET_SEND_BATCH=4, DUET_READERS=1)
    with Load(server, reads=True, n_connections=48) as load:
        load.wait_for_acks(300)
    load.check(db)
    server.stop()


def test_streams_and_waits_beside_sending(start_server, db):
    server = start_server()
    api = Api(server, None)
    with Load(server, n_users=12, n_connections=12) as load, contextlib.ExitStack() as stack:
        followers = {
            user: [stack.enter_context(Follower([api], user)) for _ in range(2)] for user in load.users
        }
        waits = [threading.Thread(target=wait_for_news, args=(api, user)) for user in load.users]
        for wait in waits:
            wait.start()
        load.wait_for_acks(1000)
        for wait in waits:
            wait.join()
        load.stop()
        last_seq = "select h.last_seq from duet.mailbox_head h join duet.app_user u on u.user_no = h.owner where user_id = %s"
        for user, both in followers.items():
            for follower in both:
                follower.wait_for(*db.execute(last_seq, (user,)).fetchone())
        server.stop()  # with its streams open
    load.check(db)


def wait_for_news(api, user):
    after = 0
    for _ in range(20):
        page = api.get(f"/v1/users/{user}/events", params={"wait": 2, "after": after}).json
        after = page["items"][-1]["seq"] if page["items"] else after


# The connection that listens is also the one that reads for streams.
LISTENERS = (
    "select pg_terminate_backend(pid) from pg_stat_activity"
    " where query ~ 'listen duet_mailbox|stream_(read|renew|close)' and pid <> pg_backend_pid()"
)


def come_and_go(api, user):
    for i in range(30):
        device = {"device": "phone"} if i % 2 else {}
        with Stream(api, user, **device) as stream:
            # Each third goes before it has read anything; a device may have been kicked.
            if i % 3 and stream.status == 200:
                stream.next()


def test_streams_that_come_and_go_while_sessions_end_and_the_listener_is_lost(start_cluster, start_server):
    cluster = start_cluster()
    server = start_server(DUET_DATABASE_URL=cluster.url("duet_server"))
    api = Api(server, None)
    with Load(server, n_users=6, n_connections=6) as load, psycopg.connect(
        cluster.url(), autocommit=True
    ) as db:
        with futures.ThreadPoolExecutor() as pool:
            at_work = [pool.submit(come_and_go, api, user) for user in load.users]
            while not all(one.done() for one in at_work):
                for user in load.users:
                    login = {"platform": "android"}
                    assert api.put(f"/v1/users/{user}/devices/phone", login).status in (200, 201)
                    assert api.post(f"/v1/users/{user}/kick", {}).status == 200
                db.execute(LISTENERS)
                load.wait_for_acks(20)
            for one in at_work:
                one.result()
    server.stop()


def test_a_database_that_goes_and_comes_back(start_cluster, start_server):
    cluster = start_cluster()
    server = start_server(DUET_DATABASE_URL=cluster.url("duet_server"))
    with Load(server, reads=True) as load:
        for how in ("fast", "immediate"):
            load.wait_for_acks(50)
            cluster.stop(how)
            server.wait_until(lambda: server.probe("/readyz") == 503, what="its end")
            cluster.start()
            load.wait_for_acks(50)
    with psycopg.connect(cluster.url(), autocommit=True) as db:
        load.check(db)
    server.stop()
