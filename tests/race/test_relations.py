"""Eight clients befriend, block, unfriend, unblock, send and recall among the same few users, on two
servers at once. What they were told, and what is left in the end, must be what some order of their
calls explains."""

import collections
import itertools
import os
import random
import threading
import time

import pytest

from support import text_message
from support.client import Api
from support.database import deadlocks

CLIENTS = 8
ROUNDS = int(os.environ.get("TEST_ROUNDS", "4"))
CALLS = 60 * ROUNDS  # of each client

Call = collections.namedtuple("Call", "begun ended value")


class Register:
    """What one user has decided about another, as its writers and readers have seen it.

    A read is explained by a write that had begun before the read ended, and that no other write
    surely came after: none began when that one had ended, and ended before the read began."""

    def __init__(self):
        self.writes = [Call(float("-inf"), float("-inf"), False)]
        self.reads = []

    def explains(self, read):
        for write in self.writes:
            overwritten = any(
                write.ended < other.begun and other.ended < read.begun for other in self.writes
            )
            if write.value == read.value and write.begun < read.ended and not overwritten:
                return True
        return False


class World:
    def __init__(self, users):
        self.users = users
        self.pairs = list(itertools.permutations(users, 2))
        self.friend = {pair: Register() for pair in self.pairs}
        self.blocked = {pair: Register() for pair in self.pairs}
        self.recalled = set()
        self.sent = []
        self.failures = []

    # -- one call each: what it did and saw

    def befriend(self, api, one, other):
        one_way = random.random() < 0.3
        reply, took = timed(
            lambda: api.put(f"/v1/users/{one}/friends/{other}", {"one_way": one_way})
        )
        if self.expect(reply, 200, 201):
            self.friend[one, other].writes.append(Call(*took, True))
            if not one_way:
                self.friend[other, one].writes.append(Call(*took, True))

    def unfriend(self, api, one, other):
        one_way = random.random() < 0.3
        query = "?one_way=true" if one_way else ""
        reply, took = timed(lambda: api.delete(f"/v1/users/{one}/friends/{other}{query}"))
        if self.expect(reply, 204):
            self.friend[one, other].writes.append(Call(*took, False))
            if not one_way:
                self.friend[other, one].writes.append(Call(*took, False))

    def block(self, api, one, other):
        reply, took = timed(lambda: api.put(f"/v1/users/{one}/blocks/{other}", {}))
        if self.expect(reply, 200, 201):
            self.blocked[one, other].writes.append(Call(*took, True))

    def unblock(self, api, one, other):
        reply, took = timed(lambda: api.delete(f"/v1/users/{one}/blocks/{other}"))
        if self.expect(reply, 204):
            self.blocked[one, other].writes.append(Call(*took, False))

    def send(self, api, one, other):
        body = text_message(one, other, options={"enforce_policy": True})
        reply, took = timed(lambda: api.post("/v1/messages", body))
        if self.expect(reply, 201, 403):
            self.blocked[other, one].reads.append(Call(*took, reply.status == 403))
        if reply.status == 201:
            self.sent.append(reply.json["id"])

    def check_friends(self, api, one, other):
        reply, took = timed(
            lambda: api.post(f"/v1/users/{one}/friends/check", {"peers": [other]})
        )
        if self.expect(reply, 200):
            relation = reply.json["items"][0]["relation"]
            self.friend[one, other].reads.append(Call(*took, relation in ("outgoing", "mutual")))
            self.friend[other, one].reads.append(Call(*took, relation in ("incoming", "mutual")))

    def recall(self, api, *_):
        if not self.sent:
            return
        message = random.choice(self.sent)
        if self.expect(api.delete(f"/v1/messages/{message}"), 200):
            self.recalled.add(message)

    def remake(self, api, one, _):
        self.expect(api.put(f"/v1/users/{one}", {"nick": str(random.random())}), 200)

    def expect(self, reply, *statuses):
        if reply.status in statuses:
            return True
        self.failures.append(reply)
        return False


def timed(call):
    begun = time.monotonic()
    reply = call()
    return reply, (begun, time.monotonic())


def work(world, api, barrier):
    calls = [
        world.befriend,
        world.unfriend,
        world.block,
        world.unblock,
        world.send,
        world.send,
        world.check_friends,
        world.recall,
        world.remake,
    ]
    barrier.wait()
    for _ in range(CALLS):
        random.choice(calls)(api, *random.choice(world.pairs))


@pytest.mark.parametrize("n_users", [2, 4])
def test_some_order_of_the_calls_explains_all_that_was_seen(start_server, db, user, n_users):
    servers = [start_server(), start_server()]
    world = World([user() for _ in range(n_users)])
    barrier = threading.Barrier(CLIENTS)
    before = deadlocks(db)
    threads = [
        threading.Thread(
            target=work, args=(world, Api(servers[number % 2], contract=None), barrier)
        )
        for number in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not world.failures, world.failures[:3]
    assert deadlocks(db) == before
    api = Api(servers[0], contract=None)
    for one, other in world.pairs:
        world.check_friends(api, one, other)
        world.send(api, one, other)
    for registers in (world.friend, world.blocked):
        for pair, register in registers.items():
            for read in register.reads:
                assert register.explains(read), (pair, read, register.writes)
    for message in world.sent:
        state = api.get(f"/v1/messages/{message}").json["state"]
        assert state == ("recalled" if message in world.recalled else "sent")
    gaps = db.execute(
        "select h.owner from duet.mailbox_head h join duet.app_user u on u.user_no = h.owner"
        " where u.user_id = any(%s) and h.last_seq <> (select count(*) from duet.mailbox m"
        " where m.owner = h.owner)",
        [world.users],
    ).fetchall()
    assert not gaps
