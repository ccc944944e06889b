"""Two servers on one database, neither of which knows what the other has in hand."""

import concurrent.futures
import os
import random
import secrets
import threading

import pytest

from support import text_message
from support.client import Api
from support.database import deadlocks
from support.journal import Journal
from support.load import Load, assert_clean

AT_ONCE = 50
ROUNDS = int(os.environ.get("TEST_ROUNDS", "4"))


@pytest.fixture(name="pair")
def fixture_pair(start_server):
    return [start_server(), start_server()]


@pytest.fixture(name="at_once")
def fixture_at_once(pair):
    """at_once(bodies, headers): each is sent by a client of its own, all in the same moment, half
    of them to either server; gives the replies."""
    barrier = threading.Barrier(AT_ONCE)

    def send(number, body, headers):
        api = Api(pair[number % 2], contract=None)
        barrier.wait()
        return api.post("/v1/messages", body, headers=headers)

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:

        def send_all(bodies, headers=None):
            assert len(bodies) == AT_ONCE
            sent = [
                pool.submit(send, number, body, headers) for number, body in enumerate(bodies)
            ]
            return [one.result() for one in sent]

        yield send_all


BY_CLIENT_ID, BY_IDEMPOTENCY_KEY, BY_BOTH = "client_id", "Idempotency-Key", "both"


@pytest.mark.parametrize("by", [BY_CLIENT_ID, BY_IDEMPOTENCY_KEY, BY_BOTH])
def test_the_same_message_many_times_at_once_is_stored_once(at_once, db, user, by):
    for _ in range(ROUNDS):
        key = secrets.token_hex(8)
        sender, receiver = user(), user()
        journal = Journal()
        journal.intend(key, sender, receiver)
        body = text_message(sender, receiver, key)
        if by != BY_IDEMPOTENCY_KEY:
            body["client_id"] = key
        headers = {"Idempotency-Key": key} if by != BY_CLIENT_ID else None

        replies = at_once([body] * AT_ONCE, headers)
        assert sorted(reply.status for reply in replies) == [200] * (AT_ONCE - 1) + [201], replies
        assert len({reply.body for reply in replies}) == 1
        for reply in replies:
            assert (reply.headers["Idempotency-Replayed"] == "true") == (reply.status == 200)
        journal.acked(key, replies[0].json["id"])
        assert_clean(db, journal)


def test_one_key_for_different_messages_at_once_goes_to_one_of_them(at_once, db, user):
    for _ in range(ROUNDS):
        key = secrets.token_hex(8)
        users = [user() for _ in range(6)]
        journal = Journal()
        bodies = []
        for number in range(AT_ONCE):
            sender, receiver = random.sample(users, 2)
            bodies.append(text_message(sender, receiver, f"{key}-{number}"))
            journal.intend(f"{key}-{number}", sender, receiver)

        replies = at_once(bodies, {"Idempotency-Key": key})
        assert sorted(reply.status for reply in replies) == [201] + [422] * (AT_ONCE - 1), replies
        for body, reply in zip(bodies, replies):
            if reply.status == 201:
                journal.acked(body["text"], reply.json["id"])
        assert_clean(db, journal)


def test_one_client_id_between_different_users_means_different_messages(at_once, db, user):
    key = secrets.token_hex(8)
    users = [user() for _ in range(8)]
    pairs = [(a, b) for a in users for b in users if a != b][:AT_ONCE]
    journal = Journal()
    bodies = []
    for sender, receiver in pairs:
        text = f"{sender}-{receiver}"
        bodies.append(text_message(sender, receiver, text, client_id=key))
        journal.intend(text, sender, receiver)
    replies = at_once(bodies)
    for body, reply in zip(bodies, replies):
        assert reply.status == 201, reply
        journal.acked(body["text"], reply.json["id"])
    assert_clean(db, journal)


@pytest.mark.parametrize("n_users", [2, 3, 20])
def test_users_who_write_to_each_other_wait_and_do_not_collide(pair, db, n_users):
    """No 5xx comes up either: the load itself sees to that, and that none is refused at all is seen
    here."""
    before = deadlocks(db)
    with Load(*pair, n_users=n_users, n_connections=32, reads=True) as load:
        load.wait_for_acks(500 * ROUNDS, timeout=60)
    assert not load.refusals, load.refusals[:3]
    load.check(db)
    assert deadlocks(db) == before
