"""Devices that log in, and are kicked, at the same moment on two servers."""

import collections
import concurrent.futures
import os
import threading

import psycopg
import pytest

from support.client import Api
from support.database import deadlocks, n_waiting

ROUNDS = int(os.environ.get("TEST_ROUNDS", "4"))
PLATFORMS = ("ios", "web")
LOGINS = 8  # half of them of each platform


@pytest.fixture(name="pair")
def fixture_pair(start_server):
    return [start_server(), start_server()]


@pytest.fixture(name="waiting")
def fixture_waiting(cluster, pair):
    """waiting(n) comes back when n calls wait for a lock."""
    with psycopg.connect(cluster.url(), autocommit=True) as connection:

        def wait(n):
            pair[0].wait_until(lambda: n_waiting(connection) == n, what=f"{n} calls that wait")

        yield wait


@pytest.fixture(name="at_once")
def fixture_at_once(pair):
    """at_once(user): LOGINS new devices of the user log in, in the same moment, half of them at either server."""
    barrier = threading.Barrier(LOGINS)

    def login(user, number):
        caller = Api(pair[number % 2], contract=None)
        barrier.wait()
        # By halves, so that each server has logins of each platform.
        platform = PLATFORMS[number // 2 % 2]
        return caller.put(f"/v1/users/{user}/devices/d{number}", {"platform": platform})

    with concurrent.futures.ThreadPoolExecutor(LOGINS) as pool:

        def login_all(user):
            running = [pool.submit(login, user, number) for number in range(LOGINS)]
            return [one.result() for one in running]

        yield login_all


def locked(db, user):
    """Nobody may write to the user's mailbox for as long as the transaction lasts."""
    db.execute(
        "select from duet.mailbox_head h join duet.app_user u on u.user_no = h.owner"
        " where u.user_id = %s for update of h",
        (user,),
    )


@pytest.mark.parametrize(
    "policy, limit, left, left_of_each",
    [
        ("one", 20, 1, 1),
        ("one_per_platform", 20, len(PLATFORMS), 1),
        ("one_per_platform", 1, 1, 1),
        ("many", 3, 3, 3),
        ("many", 20, LOGINS, LOGINS // len(PLATFORMS)),
    ],
)
def test_of_logins_at_once_what_the_policy_allows_is_left(
    api, user, db, settings, at_once, policy, limit, left, left_of_each
):
    settings(sessions=policy, sessions_limit=limit)
    before = deadlocks(db)
    for _ in range(ROUNDS):
        one = user()
        assert {reply.status for reply in at_once(one)} == {201}
        devices = api.get(f"/v1/users/{one}/devices").json["items"]
        active = [device for device in devices if device["state"] != "kicked"]
        assert len(active) == left
        of_each = collections.Counter(device["platform"] for device in active)
        assert max(of_each.values()) <= left_of_each

        events = api.get(f"/v1/users/{one}/events").json["items"]
        told = sorted(event["details"]["device"] for event in events)
        assert told == [device["device"] for device in devices if device["state"] == "kicked"]
    assert deadlocks(db) == before


def test_a_login_that_waits_for_a_kick_is_too_late(pair, user, db, waiting):
    """Its token was good when the call began, and is void when its turn comes."""
    one = user()
    boss = Api(pair[0], contract=None)
    token = boss.post(f"/v1/users/{one}/tokens", {}).json["token"]
    late = Api(pair[1], contract=None, token=token)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        with db.transaction():
            locked(db, one)
            kick = pool.submit(boss.post, f"/v1/users/{one}/kick", {})
            waiting(1)
            login = pool.submit(late.put, f"/v1/users/{one}/devices/new", {"platform": "web"})
            waiting(2)
        assert kick.result().status == 200
        reply = login.result()
    assert (reply.status, reply.code) == (401, "unauthenticated")
    assert boss.get(f"/v1/users/{one}/devices").json["items"] == []


def test_a_kick_that_waits_for_a_login_ends_it(pair, user, db, waiting):
    one = user()
    boss, other = (Api(server, contract=None) for server in pair)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        with db.transaction():
            locked(db, one)
            login = pool.submit(other.put, f"/v1/users/{one}/devices/new", {"platform": "web"})
            waiting(1)
            kick = pool.submit(boss.post, f"/v1/users/{one}/kick", {})
            waiting(2)
        assert login.result().status == 201
        assert kick.result().json == {"kicked": 1}
    assert [
        device["state"] for device in boss.get(f"/v1/users/{one}/devices").json["items"]
    ] == ["kicked"]
