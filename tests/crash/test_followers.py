"""Whatever breaks under an event stream, its client ends up with every entry once, in order."""

import contextlib
import http.client

import psycopg

from support import text_message
from support.client import Api
from support.sse import Follower, Stream

# The connection that listens is also the one that reads for streams.
LISTENERS = (
    "select pg_terminate_backend(pid) from pg_stat_activity"
    " where query ~ 'listen duet_mailbox|stream_(read|renew|close)' and pid <> pg_backend_pid()"
)


def send(api, ann, bob, numbers):
    """Each until it is stored; the client_id sees to it that it is stored once."""
    for number in numbers:
        body = text_message(ann, bob, str(number), client_id=f"m{number}")
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if api.post("/v1/messages", body).status in (200, 201):
                    break


def make_users(api):
    for name in ("stream-ann", "stream-bob"):
        assert api.put(f"/v1/users/{name}", {}).status in (200, 201)
    return "stream-ann", "stream-bob"


def test_a_listener_that_loses_its_connection_misses_nothing(start_cluster, start_server, contract):
    cluster = start_cluster()
    server = start_server(DUET_DATABASE_URL=cluster.url("duet_server"))
    api = Api(server, contract)
    ann, bob = make_users(api)
    with Follower([api], bob) as follower, psycopg.connect(cluster.url(), autocommit=True) as db:
        for round_ in range(5):
            send(api, ann, bob, range(round_ * 40, round_ * 40 + 20))
            assert db.execute(LISTENERS).fetchall()
            send(api, ann, bob, range(round_ * 40 + 20, round_ * 40 + 40))
            follower.wait_for(round_ * 40 + 40)


def test_a_database_that_is_killed_ends_no_stream(start_cluster, start_server, contract):
    cluster = start_cluster()
    server = start_server(DUET_DATABASE_URL=cluster.url("duet_server"))
    api = Api(server, contract)
    ann, bob = make_users(api)
    with Stream(api, bob, timeout=60) as stream:
        stream.caught_up()
        send(api, ann, bob, range(20))
        cluster.kill()
        cluster.start()
        server.wait_until(lambda: server.probe("/readyz") == 200, 60, "readiness")
        send(api, ann, bob, range(20, 40))
        assert [stream.next().id for _ in range(40)] == list(range(1, 41))
    with psycopg.connect(cluster.url(), autocommit=True) as db:
        server.wait_until(
            lambda: db.execute("select count(*) from duet.stream").fetchone() == (0,), what="no rows"
        )


def test_a_server_that_is_killed_loses_nobody_s_place(start_cluster, start_server, contract):
    cluster = start_cluster()
    url = cluster.url("duet_server")
    first, second = start_server(DUET_DATABASE_URL=url), start_server(DUET_DATABASE_URL=url)
    apis = [Api(first, contract), Api(second, contract)]
    ann, bob = make_users(apis[1])
    with Follower(apis, bob) as follower:
        send(apis[1], ann, bob, range(30))
        follower.wait_for(30)
        first.kill()
        send(apis[1], ann, bob, range(30, 60))
        follower.wait_for(60)
