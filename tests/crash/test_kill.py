"""The server or the database is taken away in the middle of a load. What was answered with 2xx is
there afterwards, what was not can be repeated, and nobody has to start anything anew."""

import os
import random
import signal
import time

import pytest

from support import text_message
from support.cluster import children_of
from support.load import Load

AT_ONCE_SECONDS = 1
HEALED_SECONDS = 10
KILLS = int(os.environ.get("TEST_KILLS", "2"))


def a_moment():
    time.sleep(random.uniform(0.2, 1))


# -- the server


def test_a_killed_server_loses_and_doubles_nothing(victim, start_on, look_into):
    servers = [start_on(victim), start_on(victim)]
    with Load(*servers) as load:
        for kill in range(2 * KILLS):
            load.wait_for_acks(50)
            a_moment()
            load.servers[kill % 2].kill()
            load.wait_for_acks(20)  # the other one serves on
            load.servers[kill % 2] = start_on(victim)
    load.check(look_into(victim))


# -- the database


def assert_refused_at_once(api, load):
    sender, receiver = load.users[:2]
    for method, path, body in [
        ("POST", "/v1/messages", text_message(sender, receiver)),
        ("GET", f"/v1/users/{sender}/messages", None),
        ("GET", f"/v1/users/{sender}", None),
    ]:
        begun = time.monotonic()
        reply = api.request(method, path, json=body)
        took = time.monotonic() - begun
        assert (reply.status, reply.code) == (503, "database_unavailable"), reply
        assert reply.json["retryable"] is True
        assert int(reply.headers["Retry-After"]) >= 1
        assert took < AT_ONCE_SECONDS, f"{method} {path} was refused only after {took:.2f} s"
        if body is not None:
            assert reply.json["outcome"] == "not_applied"


def assert_refuses_while_the_database_is_away(server, api, load):
    server.wait_until(lambda: server.probe("/readyz") == 503, what="the end of readiness")
    for _ in range(3):
        assert_refused_at_once(api, load)
        begun = time.monotonic()
        assert server.probe("/healthz") == 200
        assert time.monotonic() - begun < AT_ONCE_SECONDS


@pytest.mark.parametrize("how", ["kill -9", "fast", "immediate"])
def test_the_server_outlives_the_database(victim, start_on, look_into, client_of, how):
    server = start_on(victim)
    api = client_of(server)
    with Load(server, reads=True) as load:
        for _ in range(KILLS):
            load.wait_for_acks(50)
            a_moment()
            if how == "kill -9":
                victim.kill()
            else:
                victim.stop(how)
            assert_refuses_while_the_database_is_away(server, api, load)
            victim.start()
            server.wait_ready(HEALED_SECONDS)
            load.wait_for_acks(50, timeout=HEALED_SECONDS)
    load.check(look_into(victim))
    events = [entry["event"] for entry in server.log]
    assert events.count("database_away") >= KILLS


def terminate_all(connection, _cluster):
    connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'duetd'"
    )


def kill_one(connection, cluster):
    """The whole cluster restarts itself: what one process may have broken is thrown away."""
    (pid,) = connection.execute(
        "select pid from pg_stat_activity where application_name = 'duetd' limit 1"
    ).fetchone()
    assert pid in children_of(cluster.pid())
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("do", [terminate_all, kill_one])
def test_connections_that_end_are_made_anew(victim, start_on, look_into, do):
    server = start_on(victim)
    with Load(server, reads=True) as load:
        for _ in range(2 * KILLS):
            load.wait_for_acks(50)
            a_moment()
            do(look_into(victim), victim)
            load.wait_for_acks(50, timeout=HEALED_SECONDS)
        server.wait_ready(HEALED_SECONDS)
    load.check(look_into(victim))
